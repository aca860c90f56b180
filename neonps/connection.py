"""The blocking connection."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar, cast, overload

from . import errors as e
from .abc import AdaptContext, Params, Query
from .base_connection import BaseConnection, BatchItem
from .cursor import Cursor
from .flows.opening import open_transport
from .flows.requests import Flow
from .flows.transport import Transport
from .isolation import IsolationLevel
from .lock import ConnectionLock
from .net.blocking import BlockingRunner
from .notify import Notify, NotifyWait
from .pgconn import PGconn, failed_pgconn
from .rows import BaseRowFactory, Row, tuple_row
from .settings import resolve
from .tracebacks import drop_locals, raised

if TYPE_CHECKING:
    from typing_extensions import Self

    from .pipeline import Pipeline
    from .server_cursor import ServerCursor
    from .settings import Settings
    from .transaction import Transaction
    from .xid import Xid

T = TypeVar("T")
CursorRow = TypeVar("CursorRow")
_Self = TypeVar("_Self", bound="Connection[Any]")

__all__ = ["BaseConnection", "Connection"]


class Connection(BaseConnection[Row]):
    """A connection to a Postgres database (PEP 249, with psycopg 3's extensions). Made by `neonps.connect()`.

    As a context manager it commits, or rolls back after an exception, and closes at the end.

    Attributes:
        row_factory: what makes the rows of its cursors; see `neonps.rows`.
        cursor_factory: the class of its cursors.
        lock: is held while a call is under way.
    """

    __module__ = "neonps"

    _runner: BlockingRunner
    cursor_factory: type[Cursor[Any]]

    def __init__(self, transport: Transport, runner: BlockingRunner, row_factory: BaseRowFactory[Row]) -> None:
        super().__init__(transport, runner, row_factory)
        self.lock = ConnectionLock()
        self.cursor_factory = Cursor

    @classmethod
    def connect(
        cls,
        conninfo: str = "",
        *,
        autocommit: bool = False,
        prepare_threshold: int | None = 5,
        context: AdaptContext | None = None,
        row_factory: BaseRowFactory[Any] | None = None,
        cursor_factory: type[Cursor[Any]] | None = None,
        **kwargs: Any,
    ) -> Self:
        """Connect to a database.

        Args:
            conninfo: a URL (`postgresql://user:password@host/db?transport=http`) or `keyword=value` pairs.
            autocommit: let each statement take effect at once.
            prepare_threshold: how many times a statement is run before it is prepared; None never prepares one, as it
                has to be behind a PgBouncer that does not know of prepared statements. Of no effect over HTTP.
            context: where to take the adapters from; those of the module by default.
            row_factory: what makes rows; tuples by default. See `neonps.rows`.
            cursor_factory: the class of the cursors.
            **kwargs: any keyword of `conninfo`, and it overrides what is there: libpq's (PostgreSQL docs 34.1.2), and

                - `transport`: "websocket", "http", "tcp"; by default websocket for a known provider or with a gateway.
                - `gateway`: the base URL of a gateway that has both endpoints.
                - `fetch_endpoint`, `ws_proxy`: one endpoint each, a URL or a function of host and port that gives one.
                - `pipeline_connect`: "scram", "password" or "off": what to send before the server asks for it.
                - `lazy`: do not wait for the server's last word on the login; the first statement brings it.
                - `auth_token`: a bearer token, or a function that gives one, for HTTP.
                - `proxy`: the URL of an HTTP proxy to go through; "" for none, whatever HTTPS_PROXY and the like say.
                - `connect_timeout`: how long connecting may take, in seconds; 130 by default. If it is given, what may
                  be better in a moment is tried again until then.
                - `timeout`: how long any other call may wait for the server, in seconds; by default 300 over HTTP,
                  where a request that takes longer was lost on the way, and for ever in a session.
                - `ping_interval`, `ping_timeout`: after so many seconds of silence the other side of a WebSocket
                  is asked whether it is still there, and has to say something within so many more; both 30.

        Raises:
            OperationalError: the server could not be reached, or refused the login.
            ProgrammingError: the connection string is not valid, or has an unknown keyword.
        """
        outer = sys.exc_info()[1]
        try:
            settings = resolve(conninfo, kwargs)
        except BaseException as error:
            drop_locals(error, outer)
            raise
        finally:
            del conninfo, kwargs  # there can be a password in them, which a traceback would show
        runner = BlockingRunner()
        transport: Transport | None = None
        try:
            transport = cls._open(runner, settings)
            connection = cls(transport, runner, row_factory or cast(BaseRowFactory[Any], tuple_row))
            connection._configure(autocommit, prepare_threshold, cursor_factory, context)
            return connection
        except BaseException:  # an interrupt, wherever in it
            if transport is not None:
                transport.closed = True
            runner.close()
            raise
        finally:
            del settings

    @staticmethod
    def _open(runner: BlockingRunner, settings: Settings) -> Transport:
        outer = sys.exc_info()[1]
        try:
            return runner.run(open_transport(settings))
        except BaseException as error:
            drop_locals(error, outer)
            if not isinstance(error, e.Error):
                raise
            error.pgconn = failed_pgconn(settings, error)
            raise raised(error, outer)  # noqa: B904
        finally:
            del settings

    def _run(self, flow: Flow[T], timeout: float | None = None) -> T:
        result: T = self.lock.call(self._run_locked, flow, timeout)
        return result

    def _run_locked(self, flow: Flow[T], timeout: float | None = None) -> T:
        within = self._transport.timeout if timeout is None else timeout
        guarded: Flow[T] = self._transport.guard(flow, within)
        outer = sys.exc_info()[1]
        try:
            result = self._runner.run(guarded)
        except BaseException as error:
            drop_locals(error, outer)
            if not isinstance(error, e.Error):
                raise
            self._note(error)
            raise raised(error, outer)  # noqa: B904
        self._transport.error_message = ""
        return result

    def __enter__(self: _Self) -> _Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        if self.closed:
            return
        try:
            self._run(self._leave_flow(exc_val))
        finally:
            if getattr(self, "_pool", None) is None:  # a pool wants it back
                self.close()

    def close(self) -> None:
        """Close the connection; a transaction that is open is undone. Never fails, and can be repeated."""
        pool = getattr(self, "_pool", None)
        if pool is not None and getattr(pool, "close_returns", False) and (self.broken or not self.closed):
            pool.putconn(self)
            if self.broken:  # the pool has made another in its place
                self._pool = None
            return
        if self.closed:
            return
        depth = self.lock.depth
        try:
            if not self.lock.acquire(blocking=False):  # another thread is waiting for the server, and would for long
                self._transport.closed = True
                self._runner.hang_up()
                return
            self._runner.run(self._transport.close())
        finally:
            try:
                self._end(depth)
            except BaseException:  # an interrupt, wherever in it
                self._end(depth)
                raise

    def _end(self, depth: int) -> None:
        """Have no socket any more, if the lock was got, and give that back. It can be done again."""
        if self.lock.depth > depth:
            self._transport.closed = True
            self._runner.close()
            self.lock.restore(depth)

    # Cursors

    @property
    def server_cursor_factory(self) -> type[ServerCursor[Any]]:
        """The class of its cursors that have a name."""
        from .server_cursor import ServerCursor

        return self._server_cursor_factory or ServerCursor

    @server_cursor_factory.setter
    def server_cursor_factory(self, cls: type[ServerCursor[Any]]) -> None:
        self._server_cursor_factory = cls

    @overload
    def cursor(self, *, binary: bool = False) -> Cursor[Row]: ...
    @overload
    def cursor(self, *, binary: bool = False, row_factory: BaseRowFactory[CursorRow]) -> Cursor[CursorRow]: ...
    @overload
    def cursor(
        self, name: str, *, binary: bool = False, scrollable: bool | None = None, withhold: bool = False
    ) -> ServerCursor[Row]: ...
    @overload
    def cursor(
        self,
        name: str,
        *,
        binary: bool = False,
        row_factory: BaseRowFactory[CursorRow],
        scrollable: bool | None = None,
        withhold: bool = False,
    ) -> ServerCursor[CursorRow]: ...
    def cursor(
        self,
        name: str = "",
        *,
        binary: bool = False,
        row_factory: BaseRowFactory[Any] | None = None,
        scrollable: bool | None = None,
        withhold: bool = False,
    ) -> Cursor[Any] | ServerCursor[Any]:
        """A new cursor.

        Args:
            name: makes it a server-side cursor of this name, whose rows stay on the server until they are fetched.
            binary: ask for results in binary format; HTTP carries text only, which makes no difference to the values.
            row_factory: what makes its rows; that of the connection by default.
            scrollable: whether a server-side cursor can scroll backwards; None leaves it to the server.
            withhold: whether a server-side cursor outlives its transaction.

        Raises:
            OperationalError: the connection is closed.
        """
        cursor: Cursor[Any] = self._new_cursor(name, binary, row_factory, scrollable=scrollable, withhold=withhold)
        return cursor

    def execute(
        self, query: Query, params: Params | None = None, *, prepare: bool | None = None, binary: bool = False
    ) -> Cursor[Row]:
        """Run a statement on a new cursor, and return that. See `Cursor.execute()`."""
        cursor = self.cursor(binary=binary)
        try:
            return cursor.execute(query, params, prepare=prepare)
        except BaseException:
            del query, params
            raise

    def pipeline(self) -> Pipeline:
        """A block in which statements do not wait for the results of those before, for fewer round trips.

        Their results come when they are fetched, at `Pipeline.sync()`, and at the end of the block. After an error
        everything up to the next of these points fails. Over HTTP the statements are collected and run at the end, as
        one transaction; their results come then, or with `commit()` unless the connection is in autocommit mode.
        """
        from .pipeline import Pipeline

        return self._same_pipeline(Pipeline)

    def notifies(self, *, timeout: float | None = None, stop_after: int | None = None) -> Iterator[Notify]:
        """Wait for notifications, and give them as they come; those first that have come already.

        Whoever leaves the loop early gets those that were not given yet from the next one.

        Args:
            timeout: stop after so many seconds; None waits for ever.
            stop_after: stop when at least so many have come.

        Raises:
            NotSupportedError: over HTTP.
            OperationalError: the connection is lost.
        """
        wait = NotifyWait(timeout, stop_after)
        self._notifications.wait()
        try:
            while wait.goes_on:
                came = self._run(self._notifies_flow(wait.remaining()))
                wait.take(came)
                yield from self._notifications.give_out(came)
        finally:
            self._notifications.waiting = False

    def wait(self, flow: Flow[T], interval: float = 0.1, timeout: float | None = None) -> T:
        """Run a flow on the connection (see `neonps.flows`), and give what it returns.

        Args:
            flow: the flow.
            interval: accepted for the sake of programs that give it.
            timeout: how long it may wait for the server, in seconds; by default as long as any call.

        Raises:
            OperationalError: the timeout has passed.
        """
        return self._run(flow, timeout)

    @property
    def pgconn(self) -> PGconn:
        """The connection as libpq shows it, for programs that look at its state there."""
        return self._pgconn

    def batch(
        self,
        statements: Iterable[BatchItem],
        *,
        isolation_level: IsolationLevel | int | None = None,
        read_only: bool | None = None,
        deferrable: bool | None = None,
    ) -> list[Cursor[Row]]:
        """Run several statements in one round trip, as one transaction: all take effect or none.

        Within a transaction that is open already (not over HTTP) they become part of it instead.

        Args:
            statements: each a statement, or a tuple of a statement and its parameters.
            isolation_level, read_only, deferrable: what the transaction is begun with; by default what the
                connection has.

        Returns:
            a cursor per statement, with its result.

        Raises:
            Error: the first error that the server has answered; nothing has taken effect.
            ProgrammingError: characteristics were given and a transaction is open already.
        """
        flow = self._batch_flow(statements, isolation_level, read_only, deferrable)
        del statements
        return self._run(flow)

    # Transactions

    def commit(self) -> None:
        """Make what was done since the transaction began last. Over HTTP, run the statements that were kept.

        Raises:
            ProgrammingError: inside of a `transaction()` block.
            OperationalError: the connection is lost; the message says what became of the transaction.
            Error: what the server has answered; nothing has taken effect.
        """
        self._run(self._commit_flow())

    def rollback(self) -> None:
        """Undo what was done since the transaction began. Raises what `commit()` raises."""
        self._run(self._rollback_flow())

    def transaction(self, savepoint_name: str | None = None, force_rollback: bool = False) -> Transaction:
        """A block that is a transaction, or a savepoint within the one that is open.

        It commits at its end, or rolls back after an exception. Over HTTP its statements are kept and run at its end as
        one request; their results are there then, and blocks cannot be nested.

        Args:
            savepoint_name: a name for the savepoint.
            force_rollback: roll back at the end in any case, for tests.
        """
        from .transaction import Transaction

        return Transaction(self, savepoint_name, force_rollback)

    def set_autocommit(self, value: bool) -> None:
        """Set `autocommit`.

        Raises:
            ProgrammingError: a transaction is open.
        """
        self.lock.call(self._set_autocommit, value)

    def set_isolation_level(self, value: IsolationLevel | None) -> None:
        """Set `isolation_level`. Raises what `set_autocommit()` raises."""
        self.lock.call(self._set_isolation_level, value)

    def set_read_only(self, value: bool | None) -> None:
        """Set `read_only`. Raises what `set_autocommit()` raises."""
        self.lock.call(self._set_read_only, value)

    def set_deferrable(self, value: bool | None) -> None:
        """Set `deferrable`. Raises what `set_autocommit()` raises."""
        self.lock.call(self._set_deferrable, value)

    def _assign(self, attribute: str, value: Any) -> None:
        getattr(self, f"set_{attribute}")(value)

    # Two-phase commit

    def tpc_begin(self, xid: Xid | str) -> None:
        """Begin a transaction that is to be committed in two phases (PEP 249, PostgreSQL docs, PREPARE TRANSACTION).

        Args:
            xid: what `xid()` has made, or a string, to identify the transaction.

        Raises:
            ProgrammingError: a transaction is open, or the connection is in autocommit mode.
            NotSupportedError: over HTTP.
        """
        self._run(self._tpc_begin_flow(xid))

    def tpc_prepare(self) -> None:
        """Do the first phase: from then on the transaction survives a crash, and can be ended by any connection.

        Raises:
            ProgrammingError: `tpc_begin()` was not called, or this was called already.
            Error: what the server has answered.
        """
        self._run(self._tpc_prepare_flow())

    def tpc_commit(self, xid: Xid | str | None = None) -> None:
        """Commit the transaction of `tpc_begin()`, prepared or not, or one that was prepared and is found by `xid`.

        Raises:
            ProgrammingError: a transaction is open although there is an `xid`, or there is neither.
            Error: what the server has answered.
        """
        self._run(self._tpc_finish_flow("COMMIT", xid))

    def tpc_rollback(self, xid: Xid | str | None = None) -> None:
        """Roll back like `tpc_commit()` commits."""
        self._run(self._tpc_finish_flow("ROLLBACK", xid))

    def tpc_recover(self) -> list[Xid]:
        """The transactions that were prepared and not ended, of all connections to the server."""
        return self._run(self._tpc_recover_flow())

    # Cancelling

    def cancel_safe(self, *, timeout: float = 30.0) -> None:
        """Ask the server, by another connection, to cancel the statement that another thread is waiting for.

        Does nothing when the connection is closed.

        Args:
            timeout: how long that may take, in seconds.

        Raises:
            OperationalError: the server could not be asked in time.
            NotSupportedError: over HTTP; use a `timeout` there.
        """
        if self.closed:
            return
        runner = BlockingRunner()
        try:
            runner.run(self._transport.cancel(timeout))
        finally:
            runner.close()

    def cancel(self) -> None:
        """As `cancel_safe()`."""
        self.cancel_safe()


connect = Connection.connect
