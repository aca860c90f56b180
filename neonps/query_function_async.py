"""One-shot queries over HTTP on asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Hashable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from .abc import AdaptContext, Params, Query
from .base_query_function import (
    BaseQueryFunction,
    Call,
    FullResults,
    Kept,
    R,
    Statement,
    TransactionItems,
    call_flow,
    discard_all,
)
from .connection_async import AsyncConnection
from .isolation import IsolationLevel, TransactionCharacteristics
from .net.aio import AsyncRunner
from .query import RawQuery
from .rows import BaseRowFactory, DictRow, tuple_row
from .tracebacks import without_locals, without_locals_async

if TYPE_CHECKING:
    from .flows.http import HttpTransport

Row = TypeVar("Row")
_Self = TypeVar("_Self", bound="AsyncQueryFunction[Any]")


class AsyncQueryFunction(BaseQueryFunction[R]):
    """Runs statements over HTTP, each with one request, on asyncio. Made by `neonps.async_neon()`.

    It needs not be closed, and can be used by several tasks at once, and on one event loop after another. Connections
    are kept alive between calls on the same loop; as an asynchronous context manager it closes them at the end.
    """

    __module__ = "neonps"

    def __init__(self, conninfo: str = "", **kwargs: Any) -> None:
        super().__init__(conninfo, **kwargs)
        self._watches: dict[asyncio.AbstractEventLoop, AsyncGenerator[None, None]] = {}

    @overload
    async def __call__(self, query: Query, params: Params | None = None, *, timeout: float | None = None) -> R: ...
    @overload
    async def __call__(
        self,
        query: Query,
        params: Params | None = None,
        *,
        row_factory: BaseRowFactory[Any] | None = None,
        full_results: bool | None = None,
        timeout: float | None = None,
    ) -> Any: ...
    @without_locals_async
    async def __call__(
        self,
        query: Query,
        params: Params | None = None,
        *,
        row_factory: BaseRowFactory[Any] | None = None,
        full_results: bool | None = None,
        timeout: float | None = None,
    ) -> Any:
        """Run a statement; see `QueryFunction.__call__()`."""
        outcomes = await self._run(self._call(Statement(query, params), row_factory, full_results, timeout))
        return outcomes[0]

    @overload
    async def query(self, query: Query, params: Params | None = None, *, timeout: float | None = None) -> R: ...
    @overload
    async def query(
        self,
        query: Query,
        params: Params | None = None,
        *,
        row_factory: BaseRowFactory[Any] | None = None,
        full_results: bool | None = None,
        timeout: float | None = None,
    ) -> Any: ...
    @without_locals_async
    async def query(
        self,
        query: Query,
        params: Params | None = None,
        *,
        row_factory: BaseRowFactory[Any] | None = None,
        full_results: bool | None = None,
        timeout: float | None = None,
    ) -> Any:
        """Run a statement that has `$1`, `$2`, … where parameters go; see `QueryFunction.query()`."""
        outcomes = await self._run(self._call(Statement(query, params, RawQuery), row_factory, full_results, timeout))
        return outcomes[0]

    @overload
    async def transaction(
        self,
        statements: TransactionItems,
        *,
        isolation_level: IsolationLevel | int | None = None,
        read_only: bool | None = None,
        deferrable: bool | None = None,
        timeout: float | None = None,
    ) -> list[R]: ...
    @overload
    async def transaction(
        self,
        statements: TransactionItems,
        *,
        isolation_level: IsolationLevel | int | None = None,
        read_only: bool | None = None,
        deferrable: bool | None = None,
        row_factory: BaseRowFactory[Any] | None = None,
        full_results: bool | None = None,
        timeout: float | None = None,
    ) -> list[Any]: ...
    @without_locals_async
    async def transaction(
        self,
        statements: TransactionItems,
        *,
        isolation_level: IsolationLevel | int | None = None,
        read_only: bool | None = None,
        deferrable: bool | None = None,
        row_factory: BaseRowFactory[Any] | None = None,
        full_results: bool | None = None,
        timeout: float | None = None,
    ) -> list[Any]:
        """Run several statements with one request, as one transaction; see `QueryFunction.transaction()`."""
        characteristics = TransactionCharacteristics.of(isolation_level, read_only, deferrable)
        return await self._run(self._transaction_call(statements, characteristics, row_factory, full_results, timeout))

    async def close(self) -> None:
        """Close the connections that are kept for this event loop; another call opens a new one."""
        discard_all(self._kept_here())
        await asyncio.sleep(0)  # the loop closes the sockets

    async def __aenter__(self: _Self) -> _Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        await self.close()

    async def _run(self, call: Call) -> list[Any]:
        values = {}
        for keyword, function in self._functions.items():
            value = function()
            values[keyword] = await value if isinstance(value, Awaitable) else value
        await self._watch()
        connection = self._borrow(values, call.timeout)
        try:
            outcomes: list[Any] = await connection._run(call_flow(connection, call))
            return outcomes
        finally:
            self._give_back(connection)

    async def _watch(self) -> None:
        """Have the connections that are kept closed when the event loop ends."""
        loop = asyncio.get_running_loop()
        if loop not in self._watches:
            for ended in [other for other in list(self._watches) if other.is_closed()]:
                self._watches.pop(ended, None)
            self._watches[loop] = watch = _watch(self._kept_here())
            await watch.__anext__()

    def _home(self) -> Hashable:
        return asyncio.get_running_loop()

    def _is_lost(self, home: Any) -> bool:
        return bool(home.is_closed())

    def _new(self, transport: HttpTransport) -> AsyncConnection[Any]:
        return AsyncConnection(transport, AsyncRunner(), tuple_row)


async def _watch(kept: list[Kept]) -> AsyncGenerator[None, None]:
    """A generator that has begun: the event loop lets it go on before it ends (`loop.shutdown_asyncgens()`)."""
    try:
        yield
    finally:
        discard_all(kept)
        await asyncio.sleep(0)  # the loop closes the sockets


@overload
def async_neon(
    conninfo: str = "", *, row_factory: BaseRowFactory[Row], full_results: Literal[True], **kwargs: Any
) -> AsyncQueryFunction[FullResults[Row]]: ...
@overload
def async_neon(
    conninfo: str = "", *, row_factory: BaseRowFactory[Row], full_results: Literal[False] = False, **kwargs: Any
) -> AsyncQueryFunction[list[Row]]: ...
@overload
def async_neon(
    conninfo: str = "", *, full_results: Literal[True], **kwargs: Any
) -> AsyncQueryFunction[FullResults[DictRow]]: ...
@overload
def async_neon(
    conninfo: str = "", *, full_results: Literal[False] = False, **kwargs: Any
) -> AsyncQueryFunction[list[DictRow]]: ...
@without_locals
def async_neon(
    conninfo: str = "",
    *,
    row_factory: BaseRowFactory[Any] | None = None,
    full_results: bool = False,
    isolation_level: IsolationLevel | int | None = None,
    read_only: bool | None = None,
    deferrable: bool | None = None,
    context: AdaptContext | None = None,
    **kwargs: Any,
) -> AsyncQueryFunction[Any]:
    """Make an asynchronous function that runs statements over HTTP, each with one request.

        sql = neonps.async_neon(os.environ["DATABASE_URL"])
        [post] = await sql("SELECT * FROM posts WHERE id = %s", [12])

    Arguments and exceptions are those of `neonps.neon()`. Functions for `auth_token` and `password` can be
    asynchronous.
    """
    return AsyncQueryFunction(
        conninfo,
        row_factory=row_factory,
        full_results=full_results,
        isolation_level=isolation_level,
        read_only=read_only,
        deferrable=deferrable,
        context=context,
        **kwargs,
    )
