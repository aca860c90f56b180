"""The asyncio connection."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, cast, overload

from . import errors as e
from .abc import AdaptContext, Params, Query
from .base_connection import BaseConnection, BatchItem
from .cursor_async import AsyncCursor
from .flows.opening import open_transport
from .flows.requests import Flow
from .flows.transport import Transport
from .isolation import IsolationLevel
from .lock_async import AsyncConnectionLock
from .net.aio import AsyncRunner
from .net.blocking import BlockingRunner
from .notify import Notify, NotifyWait
from .pgconn import PGconn, failed_pgconn
from .rows import BaseRowFactory, Row, tuple_row
from .settings import resolve
from .tracebacks import drop_locals, raised

if TYPE_CHECKING:
    from typing_extensions import Self

    from .pipeline import AsyncPipeline
    from .server_cursor import AsyncServerCursor
    from .transaction import AsyncTransaction
    from .xid import Xid

T = TypeVar("T")
CursorRow = TypeVar("CursorRow")

#: How long `cancel()` may block the event loop, in seconds.
_CANCEL_TIMEOUT = 30.0


class AsyncConnection(BaseConnection[Row]):
    """A connection on asyncio; made by `await AsyncConnection.connect()`. The twin of `Connection`.

    Tasks may share it: each call waits until the one before is done. A task that is cancelled has the server cancel its
    statement, and leaves the connection usable or closed.

    Attributes:
        row_factory: what makes the rows of its cursors; see `neonps.rows`.
        cursor_factory: the class of its cursors.
        lock: is held while a call is under way.
    """

    __module__ = "neonps"

    _runner: AsyncRunner
    cursor_factory: type[AsyncCursor[Any]]

    def __init__(self, transport: Transport, runner: AsyncRunner, row_factory: BaseRowFactory[Row]) -> None:
        super().__init__(transport, runner, row_factory)
        self.lock = AsyncConnectionLock()
        self.cursor_factory = AsyncCursor

    @classmethod
    async def connect(
        cls,
        conninfo: str = "",
        *,
        autocommit: bool = False,
        prepare_threshold: int | None = 5,
        context: AdaptContext | None = None,
        row_factory: BaseRowFactory[Any] | None = None,
        cursor_factory: type[AsyncCursor[Any]] | None = None,
        **kwargs: Any,
    ) -> Self:
        """As `neonps.connect()`."""
        outer = sys.exc_info()[1]
        try:
            settings = resolve(conninfo, kwargs)
        except BaseException as error:
            drop_locals(error, outer)
            raise
        finally:
            del conninfo, kwargs  # there can be a password in them, which a traceback would show
        runner = AsyncRunner()
        try:
            transport = await runner.run(open_transport(settings))
        except BaseException as error:
            drop_locals(error, outer)
            if not isinstance(error, e.Error):
                raise
            error.pgconn = failed_pgconn(settings, error)
            raise raised(error, outer)  # noqa: B904
        finally:
            del settings
        connection = cls(transport, runner, row_factory or cast(BaseRowFactory[Any], tuple_row))
        connection._configure(autocommit, prepare_threshold, cursor_factory, context)
        return connection

    async def _run(self, flow: Flow[T], timeout: float | None = None) -> T:
        if self.lock.mine:
            # A stream that was left in the middle is closed by a task of its own, which the event loop makes soon.
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        await self.lock.acquire(again=not self._transport.in_call)
        try:
            return await self._run_locked(flow, timeout)
        finally:
            self.lock.release()

    async def _run_locked(self, flow: Flow[T], timeout: float | None = None) -> T:
        within = self._transport.timeout if timeout is None else timeout
        guarded: Flow[T] = self._transport.guard(flow, within)
        outer = sys.exc_info()[1]
        try:
            result = await self._runner.run(guarded)
        except BaseException as error:
            drop_locals(error, outer)
            if not isinstance(error, e.Error):
                raise
            self._note(error)
            raise raised(error, outer)  # noqa: B904
        self._transport.error_message = ""
        return result

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        if self.closed:
            return
        try:
            await self._run(self._leave_flow(exc_val))
        finally:
            if getattr(self, "_pool", None) is None:  # a pool wants it back
                await self.close()

    async def close(self) -> None:
        """As `Connection.close()`."""
        pool = getattr(self, "_pool", None)
        if pool is not None and getattr(pool, "close_returns", False) and (self.broken or not self.closed):
            await pool.putconn(self)
            if self.broken:  # the pool has made another in its place
                self._pool = None
            return
        if self.closed:
            return
        if self.lock.locked() and not self.lock.mine:  # another task is waiting for the server, and would for long
            self._transport.closed = True
            self._runner.hang_up()
            return
        async with self.lock:
            try:
                await self._runner.run(self._transport.close())
            finally:
                self._runner.close()

    # Cursors

    @property
    def server_cursor_factory(self) -> type[AsyncServerCursor[Any]]:
        """The class of its cursors that have a name."""
        from .server_cursor import AsyncServerCursor

        return self._server_cursor_factory or AsyncServerCursor

    @server_cursor_factory.setter
    def server_cursor_factory(self, cls: type[AsyncServerCursor[Any]]) -> None:
        self._server_cursor_factory = cls

    @overload
    def cursor(self, *, binary: bool = False) -> AsyncCursor[Row]: ...
    @overload
    def cursor(self, *, binary: bool = False, row_factory: BaseRowFactory[CursorRow]) -> AsyncCursor[CursorRow]: ...
    @overload
    def cursor(
        self, name: str, *, binary: bool = False, scrollable: bool | None = None, withhold: bool = False
    ) -> AsyncServerCursor[Row]: ...
    @overload
    def cursor(
        self,
        name: str,
        *,
        binary: bool = False,
        row_factory: BaseRowFactory[CursorRow],
        scrollable: bool | None = None,
        withhold: bool = False,
    ) -> AsyncServerCursor[CursorRow]: ...
    def cursor(
        self,
        name: str = "",
        *,
        binary: bool = False,
        row_factory: BaseRowFactory[Any] | None = None,
        scrollable: bool | None = None,
        withhold: bool = False,
    ) -> AsyncCursor[Any] | AsyncServerCursor[Any]:
        """As `Connection.cursor()`."""
        cursor: AsyncCursor[Any] = self._new_cursor(name, binary, row_factory, scrollable=scrollable, withhold=withhold)
        return cursor

    async def execute(
        self, query: Query, params: Params | None = None, *, prepare: bool | None = None, binary: bool = False
    ) -> AsyncCursor[Row]:
        """As `Connection.execute()`."""
        cursor = self.cursor(binary=binary)
        try:
            return await cursor.execute(query, params, prepare=prepare)
        except BaseException:
            del query, params
            raise

    def pipeline(self) -> AsyncPipeline:
        """As `Connection.pipeline()`, for `async with`."""
        from .pipeline import AsyncPipeline

        return self._same_pipeline(AsyncPipeline)

    async def notifies(self, *, timeout: float | None = None, stop_after: int | None = None) -> AsyncIterator[Notify]:
        """As `Connection.notifies()`."""
        wait = NotifyWait(timeout, stop_after)
        self._notifications.wait()
        try:
            while wait.goes_on:
                came = await self._run(self._notifies_flow(wait.remaining()))
                wait.take(came)
                for notification in self._notifications.give_out(came):
                    yield notification
        finally:
            self._notifications.waiting = False

    async def wait(self, flow: Flow[T], interval: float = 0.1, timeout: float | None = None) -> T:
        """As `Connection.wait()`."""
        return await self._run(flow, timeout)

    @property
    def pgconn(self) -> PGconn:
        """The connection as libpq shows it, for programs that look at its state there."""
        return self._pgconn

    async def batch(
        self,
        statements: Iterable[BatchItem],
        *,
        isolation_level: IsolationLevel | int | None = None,
        read_only: bool | None = None,
        deferrable: bool | None = None,
    ) -> list[AsyncCursor[Row]]:
        """As `Connection.batch()`."""
        flow = self._batch_flow(statements, isolation_level, read_only, deferrable)
        del statements
        return await self._run(flow)

    # Transactions

    async def commit(self) -> None:
        """As `Connection.commit()`."""
        await self._run(self._commit_flow())

    async def rollback(self) -> None:
        """As `Connection.rollback()`."""
        await self._run(self._rollback_flow())

    def transaction(self, savepoint_name: str | None = None, force_rollback: bool = False) -> AsyncTransaction:
        """As `Connection.transaction()`, for `async with`."""
        from .transaction import AsyncTransaction

        return AsyncTransaction(self, savepoint_name, force_rollback)

    async def set_autocommit(self, value: bool) -> None:
        """As `Connection.set_autocommit()`."""
        async with self.lock:
            self._set_autocommit(value)

    async def set_isolation_level(self, value: IsolationLevel | None) -> None:
        """As `Connection.set_isolation_level()`."""
        async with self.lock:
            self._set_isolation_level(value)

    async def set_read_only(self, value: bool | None) -> None:
        """As `Connection.set_read_only()`."""
        async with self.lock:
            self._set_read_only(value)

    async def set_deferrable(self, value: bool | None) -> None:
        """As `Connection.set_deferrable()`."""
        async with self.lock:
            self._set_deferrable(value)

    def _assign(self, attribute: str, value: Any) -> NoReturn:
        raise AttributeError(
            f"the {attribute!r} property is read-only on async connections: please use 'await .set_{attribute}()'"
        )

    # Two-phase commit

    async def tpc_begin(self, xid: Xid | str) -> None:
        """As `Connection.tpc_begin()`."""
        await self._run(self._tpc_begin_flow(xid))

    async def tpc_prepare(self) -> None:
        """As `Connection.tpc_prepare()`."""
        await self._run(self._tpc_prepare_flow())

    async def tpc_commit(self, xid: Xid | str | None = None) -> None:
        """As `Connection.tpc_commit()`."""
        await self._run(self._tpc_finish_flow("COMMIT", xid))

    async def tpc_rollback(self, xid: Xid | str | None = None) -> None:
        """As `Connection.tpc_rollback()`."""
        await self._run(self._tpc_finish_flow("ROLLBACK", xid))

    async def tpc_recover(self) -> list[Xid]:
        """As `Connection.tpc_recover()`."""
        return await self._run(self._tpc_recover_flow())

    # Cancelling

    async def cancel_safe(self, *, timeout: float = 30.0) -> None:
        """As `Connection.cancel_safe()`, for the statement that another task is waiting for."""
        if self.closed:
            return
        runner = AsyncRunner()
        try:
            await runner.run(self._transport.cancel(timeout))
        finally:
            runner.close()

    def cancel(self) -> None:
        """As `cancel_safe()`, but blocks the event loop until the server was asked."""
        if self.closed:
            return
        runner = BlockingRunner()
        try:
            runner.run(self._transport.cancel(_CANCEL_TIMEOUT))
        finally:
            runner.close()
