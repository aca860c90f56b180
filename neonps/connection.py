"""The blocking connection."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterable
from types import TracebackType
from typing import Any, TypeVar, cast, overload

from . import errors as e
from .abc import AdaptContext, Params, Query
from .adapters_map import AdaptersMap
from .base_connection import BaseConnection, BatchItem
from .cursor import Cursor
from .flows.connect import open_transport
from .flows.requests import Flow
from .flows.transport import Transport
from .isolation import IsolationLevel
from .net.blocking import BlockingRunner
from .pq import Format
from .rows import BaseRowFactory, Row, tuple_row
from .settings import resolve
from .transaction import Transaction

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
    """

    def __init__(self, transport: Transport, runner: BlockingRunner, row_factory: BaseRowFactory[Row]) -> None:
        super().__init__(transport, row_factory)
        self._runner = runner
        self._lock = threading.RLock()
        self.cursor_factory: type[Cursor[Any]] = Cursor

    @classmethod
    def connect(
        cls,
        conninfo: str = "",
        *,
        autocommit: bool = False,
        row_factory: BaseRowFactory[Any] | None = None,
        cursor_factory: type[Cursor[Any]] | None = None,
        context: AdaptContext | None = None,
        **kwargs: Any,
    ) -> Connection[Any]:
        """See `neonps.connect()`."""
        settings = resolve(conninfo, kwargs)
        runner = BlockingRunner()
        try:
            transport = runner.run(open_transport(settings))
        except e.Error as error:
            raise error.with_traceback(None) from None  # the traceback leads through flows that tell a user nothing
        connection = cls(transport, runner, row_factory or cast(BaseRowFactory[Any], tuple_row))
        transport.autocommit = bool(autocommit)
        if cursor_factory is not None:
            connection.cursor_factory = cursor_factory
        if context is not None:
            connection._adapters = AdaptersMap(context.adapters)
        return connection

    def _run(self, flow: Flow[T]) -> T:
        """Run a flow as one call of the user; other threads wait until it is done."""
        with self._lock:
            guarded: Flow[T] = self._transport.guard(flow, self._transport.settings.timeout)
            try:
                return self._runner.run(guarded)
            except e.Error as error:
                raise error.with_traceback(None) from None

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
            self.close()

    def __del__(self) -> None:
        transport = getattr(self, "_transport", None)
        if transport is None or transport.closed:
            return
        shown = repr(self)
        transport.closed = True
        self._runner.close()
        if transport.name != "http":  # a session was left to the garbage collector, with its transaction
            warnings.warn(
                f"{shown} was deleted while still open; use it as a context manager or call close()",
                ResourceWarning,
                stacklevel=2,
            )

    def close(self) -> None:
        """Close the connection; a transaction that is open is undone. Never fails, and can be repeated."""
        if self.closed:
            return
        with self._lock:
            try:
                self._runner.run(self._transport.close())
            finally:
                self._runner.close()

    def fileno(self) -> int:
        """The file descriptor of the socket.

        Raises:
            OperationalError: the connection is closed, or (over HTTP) there is no socket at the moment.
        """
        self._check_open()
        descriptor = self._runner.fileno()
        if descriptor < 0:
            raise e.OperationalError("there is no open socket at the moment")
        return descriptor

    # Cursors

    @overload
    def cursor(self, *, binary: bool = False) -> Cursor[Row]: ...
    @overload
    def cursor(self, *, binary: bool = False, row_factory: BaseRowFactory[CursorRow]) -> Cursor[CursorRow]: ...
    def cursor(self, *, binary: bool = False, row_factory: BaseRowFactory[Any] | None = None) -> Cursor[Any]:
        """A new cursor.

        Args:
            binary: ask for results in binary format; HTTP carries text only, which makes no difference to the values.
            row_factory: what makes its rows; that of the connection by default.

        Raises:
            OperationalError: the connection is closed.
        """
        self._check_open()
        cursor = self.cursor_factory(self, row_factory=row_factory or self.row_factory)
        if binary:
            cursor.format = Format.BINARY
        return cursor

    def execute(
        self, query: Query, params: Params | None = None, *, prepare: bool | None = None, binary: bool = False
    ) -> Cursor[Row]:
        """Run a statement on a new cursor, and return that. See `Cursor.execute()`."""
        cursor = self.cursor(binary=binary)
        return cursor.execute(query, params, prepare=prepare)

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
        results = self._run(self._batch_flow(statements, isolation_level, read_only, deferrable))
        cursors = []
        for result in results:
            cursor = self.cursor()
            cursor._take([result])
            cursors.append(cursor)
        return cursors

    # Transactions

    def commit(self) -> None:
        """Make what was done since the transaction began last. Over HTTP, run the statements that were kept.

        Raises:
            ProgrammingError: inside of a `transaction()` block.
            OperationalError: the connection is lost; the message says what became of the transaction.
            Error: what the server has answered; nothing has taken effect.
        """
        self._check_open()
        self._run(self._commit_flow())

    def rollback(self) -> None:
        """Undo what was done since the transaction began. Raises what `commit()` raises."""
        self._check_open()
        self._run(self._rollback_flow())

    def transaction(self, savepoint_name: str | None = None, force_rollback: bool = False) -> Transaction:
        """A block that is a transaction, or a savepoint within the one that is open.

        It commits at its end, or rolls back after an exception. Over HTTP its statements are kept and run at its end as
        one request; their results are there then, and blocks cannot be nested.

        Args:
            savepoint_name: a name for the savepoint.
            force_rollback: roll back at the end in any case, for tests.
        """
        return Transaction(self, savepoint_name, force_rollback)

    def set_autocommit(self, value: bool) -> None:
        """Set `autocommit`.

        Raises:
            ProgrammingError: a transaction is open.
        """
        with self._lock:
            self._set_autocommit(value)

    def set_isolation_level(self, value: IsolationLevel | None) -> None:
        """Set `isolation_level`. Raises what `set_autocommit()` raises."""
        with self._lock:
            self._set_isolation_level(value)

    def set_read_only(self, value: bool | None) -> None:
        """Set `read_only`. Raises what `set_autocommit()` raises."""
        with self._lock:
            self._set_read_only(value)

    def set_deferrable(self, value: bool | None) -> None:
        """Set `deferrable`. Raises what `set_autocommit()` raises."""
        with self._lock:
            self._set_deferrable(value)

    def _assign(self, attribute: str, value: Any) -> None:
        getattr(self, f"set_{attribute}")(value)

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


def connect(
    conninfo: str = "",
    *,
    autocommit: bool = False,
    row_factory: BaseRowFactory[Any] | None = None,
    cursor_factory: type[Cursor[Any]] | None = None,
    context: AdaptContext | None = None,
    **kwargs: Any,
) -> Connection[Any]:
    """Connect to a database.

    Args:
        conninfo: a URL (`postgresql://user:password@host/db?transport=http`) or `keyword=value` pairs.
        autocommit: let each statement take effect at once.
        row_factory: what makes rows; tuples by default. See `neonps.rows`.
        cursor_factory: the class of the cursors.
        context: where to take the adapters from; those of the module by default.
        **kwargs: any keyword of `conninfo`, and it overrides what is there: libpq's (PostgreSQL docs 34.1.2), and
            transport: "websocket", "http" or "tcp"; by default websocket for a known provider or with a gateway.
            gateway: the base URL of a gateway that has both endpoints.
            fetch_endpoint, ws_proxy: one endpoint each, a URL or a function of host and port that gives one.
            pipeline_connect: "scram", "password" or "off": what to send before the server asks for it.
            lazy: do not wait for the server's last word on the login; the first statement brings it.
            auth_token: a bearer token, or a function that gives one, for HTTP.
            connect_timeout: how long connecting may take, in seconds; 130 by default.
            timeout: how long any other call may wait for the server, in seconds; by default 300 over HTTP, where a
                request that takes longer was lost on the way, and for ever in a session.

    Raises:
        OperationalError: the server could not be reached, or refused the login.
        ProgrammingError: the connection string is not valid, or has an unknown keyword.
    """
    return Connection.connect(
        conninfo,
        autocommit=autocommit,
        row_factory=row_factory,
        cursor_factory=cursor_factory,
        context=context,
        **kwargs,
    )
