"""Server-side cursors: rows stay on the server until they are fetched (PostgreSQL docs, DECLARE)."""

from __future__ import annotations

import warnings
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from . import errors as e
from .abc import Params, Query
from .base_cursor import BaseCursor
from .cursor import Cursor
from .cursor_async import AsyncCursor
from .escaping import quote_identifier
from .flows.prepared import MANY_ROWS
from .flows.requests import Flow
from .flows.series import TEXT
from .pq import Format
from .protocol import frontend as f
from .protocol.result import FieldDescription, Result
from .query import RawQuery
from .rows import BaseRowFactory, Row

if TYPE_CHECKING:
    import pyarrow

    from .arrow.fetching import ServerBatches
    from .connection import Connection
    from .connection_async import AsyncConnection

_Self = TypeVar("_Self", bound="ServerCursor[Any]")
_AsyncSelf = TypeVar("_AsyncSelf", bound="AsyncServerCursor[Any]")

#: How many rows are fetched at once while the cursor is iterated over.
DEFAULT_ITERSIZE = 100

#: The SQLSTATE of a statement that was cancelled, which can be after it has moved the cursor.
_CANCELED = "57014"

#: Of the cursors that were not given a name.
_numbers = count(1)


class BaseServerCursor(BaseCursor[Row]):
    """What the server-side cursors, blocking and asyncio, have in common.

    Attributes:
        itersize: how many rows are fetched at once while the cursor is iterated over.
    """

    itersize = DEFAULT_ITERSIZE

    _prepares = False

    def _begin(self, name: str, scrollable: bool | None, withhold: bool) -> None:
        if name and not isinstance(name, str):
            raise TypeError(f"the name of a cursor must be a string, got {type(name).__name__} instead")
        self._name = name or f"neonps_cursor_{next(_numbers)}"
        self._scrollable = scrollable
        self._withhold = withhold
        self._named = bool(name)

    def _reset(self) -> None:
        super()._reset()
        self._declared = False
        self._columns: Sequence[FieldDescription] | None = None  # those of the cursor; results may have other formats
        self._binary = self.format is Format.BINARY
        self._page: list[Row] = []  # rows that were fetched while iterating, the next one last
        self._page_of: Result | None = None  # the result that they are from
        self._page_end = 0  # where in it they end
        self._unread: list[tuple[Result, int, int]] = []  # rows of results that come next, and are not loaded yet
        self._astray = False  # an interruption has left unknown where the server has the cursor
        self._position = 0

    def __repr__(self) -> str:
        return super().__repr__().replace(" [", f" {self._name!r} [", 1)

    @property
    def name(self) -> str:
        """The name of the cursor on the server."""
        return self._name

    @property
    def scrollable(self) -> bool | None:
        """Whether it can scroll backwards; None if that is left to the server."""
        return self._scrollable

    @property
    def withhold(self) -> bool:
        """Whether it outlives its transaction."""
        return self._withhold

    @property
    def rownumber(self) -> int | None:
        """The number of the row that is fetched next, from 0; None if there is no result."""
        return self._position if self._result is not None else None

    @property
    def statusmessage(self) -> str | None:
        """Always None: the statements are those of the cursor."""
        return None

    # Flows

    def _declare_flow(self, query: Query, params: Params | None, binary: bool | None) -> Flow[None]:
        self._drop_portal()
        self._prepare_execute()
        session = self._connection._transport.session("a server-side cursor")
        converted = self._converted(query, params)
        words = [b"DECLARE", quote_identifier(self._name.encode())]
        if self._scrollable is not None:
            words.append(b"SCROLL" if self._scrollable else b"NO SCROLL")
        words += [b"CURSOR", b"WITH HOLD FOR" if self._withhold else b"FOR", converted.query]
        converted.query = b" ".join(words)
        self._binary = self._wants_binary(binary)
        result = yield from session.declare_cursor(self._name, converted)
        self._take([result])
        self._rowcount = -1
        self._declared = True
        self._astray = False
        self._columns = result.fields

    def _fetch_flow(self, count: int | None) -> Flow[list[Row]]:
        """The next `count` rows, or all that are left; those first that were fetched while iterating.

        If that fails, all rows that have come are there for the next time.
        """
        self._check_closed()
        from_page: list[Row] = []
        while self._page and (count is None or len(from_page) < count):
            from_page.append(self._page.pop())
        try:
            left = None if count is None else count - len(from_page)
            if left is None or left > self._unread_rows():
                yield from self._fetch_result(None if left is None else left - self._unread_rows())
            rows = from_page + self._load_unread(left)
        except BaseException:
            self._page += reversed(from_page)
            raise
        self._position += len(rows)
        return rows

    def _unread_rows(self) -> int:
        return sum(stop - start for _, start, stop in self._unread)

    def _load_unread(self, count: int | None) -> list[Row]:
        """The next `count` rows, or all, of the results that are here. If one cannot be loaded, all stay."""
        rows: list[Row] = []
        for result, start, stop in self._unread:
            if len(rows) == count:
                break
            if result is not self._result or self._make_row is None:
                self._make_current(result)
            position = self._position
            self._position = start
            try:
                rows += self._fetch(stop - start if count is None else min(count - len(rows), stop - start))
            finally:
                self._position = position
        self._drop_unread(len(rows))
        return rows

    def _drop_unread(self, count: int) -> None:
        while self._unread:
            result, start, stop = self._unread[0]
            if start + count < stop:
                self._unread[0] = (result, start + count, stop)
                return
            del self._unread[0]
            count -= stop - start

    def _make_current(self, result: Result) -> None:
        """Make a result of FETCH the current one; where the cursor is stays as it was."""
        position = self._position
        try:
            self._take([result])
        finally:
            self._position, self._rowcount = position, -1

    def _fetch_result(self, count: int | None, *, for_arrow: bool = False) -> Flow[Result]:
        """The next `count` rows, or all, as they come; they are the current result then, and unread.

        Args:
            count: how many; None for all.
            for_arrow: ask for the formats that Arrow's columns are made of, not Python's objects.
        """
        self._check_not_astray()
        how_many = b"ALL" if count is None else b"%d" % count
        formats: Sequence[int] = (int(self._binary),)
        if self._columns and not self._binary and (count is None or count >= MANY_ROWS):
            formats = self._transformer.result_formats(self._columns, for_arrow=for_arrow)
        result = yield from self._run_query(b"FETCH FORWARD " + how_many + b" FROM ", formats)
        if result.ntuples:
            self._unread.append((result, 0, result.ntuples))
        self._astray = False
        self._make_current(result)
        return result

    def _next_page_flow(self) -> Flow[None]:
        """Fetch as many rows as iterating takes at once."""
        self._check_closed()
        if not self._unread:
            yield from self._fetch_result(self.itersize)
        if not self._unread:
            return
        result, start, stop = self._unread[0]
        try:
            page = self._load_unread(min(self.itersize, stop - start))
        except Exception:  # those before the row that cannot be loaded should be had all the same
            page = self._load_unread(1)
        self._page, self._page_of, self._page_end = page, result, start + len(page)
        self._page.reverse()

    def _scroll_flow(self, value: int, mode: str) -> Flow[None]:
        self._check_closed()
        if mode not in ("relative", "absolute"):
            raise ValueError(f"bad mode: {mode}. It should be 'relative' or 'absolute'")
        target = value
        if mode == "relative":
            if self._skip(value):
                return
            self._check_not_astray()
            target = max(self._position + value, 0)
        if mode == "relative" and not self._page and not self._unread:
            target = self._position + value
            yield from self._run_query(b"MOVE FORWARD %d FROM " % value)
        else:
            # The server is ahead by what has come and was not looked at yet; after the last row, by one more.
            yield from self._run_query(b"MOVE ABSOLUTE %d FROM " % target)
        self._position = target
        self._astray = False
        self._page.clear()
        self._unread.clear()

    def _skip(self, count: int) -> bool:
        """Skip rows that have come and were not looked at yet, if there are so many; no matter what they are like."""
        here = len(self._page) + self._unread_rows()
        if not here or not 0 <= count <= here:
            return False
        self._position += count
        from_page = min(count, len(self._page))
        del self._page[len(self._page) - from_page :]
        self._drop_unread(count - from_page)
        return True

    def _run_query(self, command: bytes, result_formats: Sequence[int] = TEXT) -> Flow[Result]:
        """Run a FETCH or MOVE. The cursor counts as astray until the caller has taken note of where it is then."""
        session = self._connection._transport.session("a server-side cursor")
        query = RawQuery(self._transformer)
        query.convert(command + quote_identifier(self._name.encode()))
        was_astray, self._astray = self._astray, True
        try:
            return (yield from session.use_cursor(query, result_formats))
        except e.Error as error:  # it has not moved, or can be used no more
            self._astray = was_astray or error.sqlstate == _CANCELED
            raise

    def _check_not_astray(self) -> None:
        if self._astray:
            raise e.OperationalError(
                "it is unknown where the server has the cursor, since a call that moved it was interrupted: "
                "go to a row by scroll(…, 'absolute') first"
            )

    def _pop_from_page(self) -> Row:
        self._position += 1
        return self._page.pop()

    def _drop_portal(self) -> None:
        """Have the server forget the cursor, with the next statement. That cannot fail, even if it is gone already."""
        if self._declared and not self._connection.closed:
            session = self._connection._transport.session("a server-side cursor")
            session.closing.append(f.ClosePortal(self._name.encode()))
        self._declared = False

    def _close(self) -> None:
        self._drop_portal()
        super()._close()

    def _refuse(self, method: str) -> NoReturn:
        raise e.NotSupportedError(f"{method} not supported on server-side cursors")

    def nextset(self) -> bool | None:
        """Always None: a server-side cursor has one result."""
        self._check_closed()
        return None

    def __del__(self) -> None:
        if not hasattr(self, "_named") or self._closed or self._connection.closed:  # its making can be interrupted
            return
        if not self._named:  # whoever let go of it knows cursors that need no closing, as libraries do
            self._drop_portal()
            return
        warnings.warn(
            f"{self!r} was deleted while still open; use it as a context manager or call close()",
            ResourceWarning,
            stacklevel=2,
        )


class ServerCursor(BaseServerCursor[Row], Cursor[Row]):
    """A server-side cursor; made by `Connection.cursor()` with a name.

    As the `cursor_factory` of a connection it makes all of its cursors server-side, those too that a library asks for.

    Args:
        connection: the connection to run statements on.
        name: the name of the cursor on the server; one that no other cursor has by default. Without a name, it needs
            no closing.
        row_factory: what makes rows; that of the connection by default.
        scrollable: whether it can scroll backwards; None leaves it to the server.
        withhold: whether it outlives its transaction.
    """

    __module__ = "neonps"

    def __init__(
        self,
        connection: Connection[Any],
        name: str = "",
        *,
        row_factory: BaseRowFactory[Row] | None = None,
        scrollable: bool | None = None,
        withhold: bool = False,
    ) -> None:
        super().__init__(connection, row_factory=row_factory)
        self._begin(name, scrollable, withhold)

    def execute(
        self: _Self, query: Query, params: Params | None = None, *, binary: bool | None = None, **kwargs: Any
    ) -> _Self:
        """Declare the cursor for a query, which has to return rows.

        Args:
            query, params, binary: as in `Cursor.execute()`.

        Raises:
            Error: as `Cursor.execute()`.
            NotSupportedError: over HTTP.
        """
        _refuse_keywords(kwargs)
        flow = self._declare_flow(query, params, binary)
        del query, params
        self._connection._run(flow)
        return self

    def executemany(self, query: Query, params_seq: Iterable[Params], *, returning: bool = True) -> None:
        """Not supported."""
        del query, params_seq
        self._refuse("executemany")

    def stream(
        self, query: Query, params: Params | None = None, *, binary: bool | None = None, size: int = 1
    ) -> Iterator[Row]:
        """Not supported: iterate over the cursor instead."""
        del query, params
        self._refuse("stream")

    def fetchone(self) -> Row | None:
        """The next row; None after the last. Raises what the server answers, and what `Cursor.fetchone()` raises."""
        rows = self._connection._run(self._fetch_flow(1))
        return rows[0] if rows else None

    def fetchmany(self, size: int = 0) -> list[Row]:
        """The next `size` rows, by default `arraysize`; fewer at the end."""
        return self._connection._run(self._fetch_flow(self._size(size)))

    def fetchall(self) -> list[Row]:
        """The rows that are left."""
        return self._connection._run(self._fetch_flow(None))

    def fetch_arrow_table(self) -> pyarrow.Table:
        """The rows that are left, as a table of Arrow; see `Cursor.fetch_arrow_table()`."""
        from .arrow import fetching

        fetching.require("fetch_arrow_table")
        return self._connection._run(fetching.table_flow(self))

    def fetch_record_batches(self, size: int = 16_384) -> Iterator[pyarrow.RecordBatch]:
        """The rows that are left, as record batches of Arrow; each is fetched when it is asked for.

        So that a result of any size fits into memory. Otherwise as `Cursor.fetch_record_batches()`.

        Args:
            size: how many rows are fetched at once, and a batch has at most.
        """
        from .arrow import fetching

        fetching.require("fetch_record_batches")
        fetching.check_size(size)
        self._check_closed()
        return self._each_batch(fetching.ServerBatches(self, size))

    def _each_batch(self, batches: ServerBatches) -> Iterator[pyarrow.RecordBatch]:
        while (made := self._connection._run(batches.next_flow())) is not None:
            yield made

    def __next__(self) -> Row:
        if not self._page:
            self._connection._run(self._next_page_flow())
            if not self._page:
                raise StopIteration
        return self._pop_from_page()

    def scroll(self, value: int, mode: str = "relative") -> None:
        """Move by `value` rows, or to the row `value` if `mode` is "absolute"; backwards only if it is scrollable.

        Raises:
            ValueError: `mode` is neither "relative" nor "absolute".
            Error: what the server has answered.
        """
        self._connection._run(self._scroll_flow(value, mode))


class AsyncServerCursor(BaseServerCursor[Row], AsyncCursor[Row]):
    """A server-side cursor on asyncio; made by `AsyncConnection.cursor()` with a name. The twin of `ServerCursor`."""

    __module__ = "neonps"

    def __init__(
        self,
        connection: AsyncConnection[Any],
        name: str = "",
        *,
        row_factory: BaseRowFactory[Row] | None = None,
        scrollable: bool | None = None,
        withhold: bool = False,
    ) -> None:
        super().__init__(connection, row_factory=row_factory)
        self._begin(name, scrollable, withhold)

    async def execute(
        self: _AsyncSelf, query: Query, params: Params | None = None, *, binary: bool | None = None, **kwargs: Any
    ) -> _AsyncSelf:
        """As `ServerCursor.execute()`."""
        _refuse_keywords(kwargs)
        flow = self._declare_flow(query, params, binary)
        del query, params
        await self._connection._run(flow)
        return self

    async def executemany(self, query: Query, params_seq: Iterable[Params], *, returning: bool = True) -> None:
        """Not supported."""
        del query, params_seq
        self._refuse("executemany")

    def stream(
        self, query: Query, params: Params | None = None, *, binary: bool | None = None, size: int = 1
    ) -> AsyncIterator[Row]:
        """Not supported: iterate over the cursor instead."""
        del query, params
        self._refuse("stream")

    async def fetchone(self) -> Row | None:
        """As `ServerCursor.fetchone()`."""
        rows = await self._connection._run(self._fetch_flow(1))
        return rows[0] if rows else None

    async def fetchmany(self, size: int = 0) -> list[Row]:
        """As `ServerCursor.fetchmany()`."""
        return await self._connection._run(self._fetch_flow(self._size(size)))

    async def fetchall(self) -> list[Row]:
        """As `ServerCursor.fetchall()`."""
        return await self._connection._run(self._fetch_flow(None))

    async def fetch_arrow_table(self) -> pyarrow.Table:
        """As `ServerCursor.fetch_arrow_table()`."""
        from .arrow import fetching

        fetching.require("fetch_arrow_table")
        return await self._connection._run(fetching.table_flow(self))

    async def fetch_record_batches(self, size: int = 16_384) -> AsyncIterator[pyarrow.RecordBatch]:
        """As `ServerCursor.fetch_record_batches()`."""
        from .arrow import fetching

        fetching.require("fetch_record_batches")
        fetching.check_size(size)
        self._check_closed()
        batches = fetching.ServerBatches(self, size)
        while (made := await self._connection._run(batches.next_flow())) is not None:
            yield made

    async def __anext__(self) -> Row:
        if not self._page:
            await self._connection._run(self._next_page_flow())
            if not self._page:
                raise StopAsyncIteration
        return self._pop_from_page()

    async def scroll(self, value: int, mode: str = "relative") -> None:
        """As `ServerCursor.scroll()`."""
        await self._connection._run(self._scroll_flow(value, mode))


def _refuse_keywords(keywords: dict[str, Any]) -> None:
    for name, value in keywords.items():
        if value is not None:  # `Connection.execute()` passes on what it was not given
            raise TypeError(f"keyword not supported: {name}")
