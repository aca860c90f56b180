"""The asyncio cursor."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from . import errors as e
from .abc import Params, Query
from .base_cursor import END, BaseCursor
from .rows import BaseRowFactory, Row
from .tracebacks import without_locals

if TYPE_CHECKING:
    import pandas
    import pyarrow

    from .connection_async import AsyncConnection
    from .copy import AsyncCopy, AsyncWriter

_Self = TypeVar("_Self", bound="AsyncCursor[Any]")


class AsyncCursor(BaseCursor[Row]):
    """Runs statements and fetches their results on asyncio; the twin of `Cursor`.

    Args:
        connection: the connection to run them on.
        row_factory: what makes rows; that of the connection by default. See `neonps.rows`.
    """

    __module__ = "neonps"

    _connection: AsyncConnection[Any]

    def __init__(self, connection: AsyncConnection[Any], *, row_factory: BaseRowFactory[Row] | None = None) -> None:
        super().__init__(connection, row_factory=row_factory or connection.row_factory)

    async def __aenter__(self: _Self) -> _Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        await self.close()

    @property
    def connection(self) -> AsyncConnection[Any]:
        """The connection that the cursor belongs to."""
        return self._connection

    async def close(self) -> None:
        """As `Cursor.close()`."""
        self._close()

    async def execute(
        self: _Self,
        query: Query,
        params: Params | None = None,
        *,
        prepare: bool | None = None,
        binary: bool | None = None,
    ) -> _Self:
        """As `Cursor.execute()`."""
        flow = self._execute_flow(query, params, prepare, binary)
        del query, params  # a traceback does not show them: see `neonps.tracebacks`
        await self._connection._run(flow)
        return self

    async def executemany(self, query: Query, params_seq: Iterable[Params], *, returning: bool = False) -> None:
        """As `Cursor.executemany()`."""
        flow = self._executemany_flow(query, params_seq, returning)
        del query, params_seq
        await self._connection._run(flow)

    async def stream(
        self, query: Query, params: Params | None = None, *, binary: bool | None = None, size: int = 1
    ) -> AsyncIterator[Row]:
        """As `Cursor.stream()`."""
        connection = self._connection
        flow = self._stream_start_flow(query, params, binary, size)
        del query, params
        async with connection.lock:
            stream = await connection._run_locked(flow)
            if stream is not None:
                try:
                    while (rows := await connection._run_locked(self._stream_next_flow(stream))) is not None:
                        for row in rows:
                            yield row
                finally:
                    if not stream.finished and not connection.closed:
                        await connection._run_locked(stream.stop())
                return
            committed = connection._transport.committed
        try:
            async for row in self:
                yield row
        except e.Error as error:
            error.outcome_unknown = committed
            raise

    @without_locals
    def copy(self, statement: Query, params: Params | None = None, *, writer: AsyncWriter | None = None) -> AsyncCopy:
        """As `Cursor.copy()`, for `async with`."""
        from .copy import AsyncCopy

        return AsyncCopy(self, self._copy_statement(statement, params), writer=writer)

    async def _await_results(self) -> None:
        """Wait for results that are still to come from a pipeline."""
        if self._pending:
            await self._connection._run(self._connection._transport.receive_pending())

    async def fetchone(self) -> Row | None:
        """As `Cursor.fetchone()`."""
        await self._await_results()
        return self._next_row(None)

    async def fetchmany(self, size: int = 0) -> list[Row]:
        """As `Cursor.fetchmany()`."""
        await self._await_results()
        return self._fetch_many(size)

    async def fetchall(self) -> list[Row]:
        """As `Cursor.fetchall()`."""
        await self._await_results()
        return self._fetch(None)

    async def fetch_arrow_table(self) -> pyarrow.Table:
        """As `Cursor.fetch_arrow_table()`."""
        from .arrow import fetching

        fetching.require("fetch_arrow_table")
        await self._await_results()
        return fetching.table(self)

    async def fetch_df(self, *, dtype_backend: Literal["numpy_nullable", "pyarrow"] | None = None) -> pandas.DataFrame:
        """As `Cursor.fetch_df()`."""
        from .arrow import fetching

        fetching.require("fetch_df", "pandas")
        fetching.check_backend(dtype_backend)
        return fetching.frame(await self.fetch_arrow_table(), dtype_backend)

    async def fetch_record_batches(self, size: int = 16_384) -> AsyncIterator[pyarrow.RecordBatch]:
        """As `Cursor.fetch_record_batches()`."""
        from .arrow import fetching

        fetching.require("fetch_record_batches")
        fetching.check_size(size)
        await self._await_results()
        for batch in fetching.batches(self, size):
            yield batch

    def __aiter__(self: _Self) -> _Self:
        return self

    async def __anext__(self) -> Row:
        await self._await_results()
        row = self._next_row(END)
        if row is END:
            raise StopAsyncIteration
        return row

    async def scroll(self, value: int, mode: str = "relative") -> None:
        """As `Cursor.scroll()`."""
        await self._await_results()
        self._scroll(value, mode)

    async def results(self: _Self) -> AsyncIterator[_Self]:
        """As `Cursor.results()`."""
        await self._await_results()
        if self._results:
            yield self
            while self.nextset():
                yield self

    async def set_result(self: _Self, index: int) -> _Self:
        """As `Cursor.set_result()`."""
        await self._await_results()
        self._set_result(index)
        return self
