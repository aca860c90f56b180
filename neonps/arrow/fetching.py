"""What the cursors call: it looks whether the libraries are there, and keeps the cursor's position."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from operator import index
from typing import TYPE_CHECKING, Any

from ..errors import NotSupportedError, ProgrammingError
from ..flows.requests import Flow
from ..protocol.result import Result

if TYPE_CHECKING:
    import pandas
    import pyarrow

    from ..base_cursor import BaseCursor
    from ..server_cursor import BaseServerCursor
    from .rows import Part
    from .tables import BatchMaker


def require(method: str, *more: str) -> None:
    """Check that the libraries are installed.

    Args:
        method: what needs them, for the message.
        more: those that are needed beside pyarrow and numpy.

    Raises:
        NotSupportedError: one is not.
    """
    for library in ("numpy", "pyarrow", *more):
        try:
            import_module(library)
        except ImportError:
            extra = "pip install 'neonps[arrow]'" + (f" {library}" if library in more else "")
            raise NotSupportedError(f"{method}() needs {library}: {extra}") from None


def check_size(size: int) -> None:
    """Check a number of rows for a batch.

    Raises:
        ValueError: it is less than 1.
        TypeError: it is no whole number.
    """
    if index(size) < 1:
        raise ValueError("size must be >= 1")


def table(cursor: BaseCursor[Any]) -> pyarrow.Table:
    """The rows that are left of the current result of a client-side cursor."""
    from . import tables
    from .reading import Session
    from .rows import Part

    result = cursor._fetchable()
    stop = result.ntuples
    made = tables.table(result.fields or (), [Part(result, cursor._position, stop)], Session.of(cursor))
    cursor._position = stop
    _remember(cursor)
    return made


def _remember(cursor: BaseCursor[Any]) -> None:
    """Have the next run of a prepared statement bring what columns are made of with less effort."""
    if cursor._query is not None:
        cursor._connection._transport.prepared.became_arrow(cursor._query)


def batches(cursor: BaseCursor[Any], size: int) -> Iterator[pyarrow.RecordBatch]:
    """The same in batches of so many rows; one without rows if none is left."""
    from .reading import Session
    from .rows import Part
    from .tables import BatchMaker

    result = cursor._fetchable()
    _remember(cursor)
    return _each(cursor, result, BatchMaker(result.fields or (), Session.of(cursor)), Part, size)


def _each(
    cursor: BaseCursor[Any], result: Result, maker: BatchMaker, part: type[Part], size: int
) -> Iterator[pyarrow.RecordBatch]:
    first = True
    while first or cursor._position < result.ntuples:
        _check_same(cursor._result is result)
        stop = min(cursor._position + size, result.ntuples)
        if cursor._position == stop:
            yield maker.empty()
            return
        for batch in maker.batches(part(result, cursor._position, stop), size):
            cursor._position += batch.num_rows
            yield batch
            _check_same(cursor._result is result)
        first = False


def _check_same(same: bool) -> None:
    if not same:
        raise ProgrammingError("the cursor has gone to another result while batches were fetched from this one")


def table_flow(cursor: BaseServerCursor[Any]) -> Flow[pyarrow.Table]:
    """The rows that are left of a server-side cursor."""
    from . import tables
    from .reading import Session

    parts = yield from _parts_flow(cursor, None)
    made = tables.table(parts[-1].result.fields or (), parts, Session.of(cursor))
    cursor._unread.clear()
    cursor._position += made.num_rows
    return made


def _parts_flow(cursor: BaseServerCursor[Any], count: int | None) -> Flow[list[Part]]:
    """Rows that have come and were not looked at yet. If there are none, the next `count`; or all that are left too.

    They count as read once they are taken out of `cursor._unread`.
    """
    from .rows import Part

    parts = [Part(*each) for each in cursor._unread]
    left = len(cursor._page)
    if left and cursor._page_of is not None:
        parts.insert(0, Part(cursor._page_of, cursor._page_end - left, cursor._page_end))
    if count is None or not parts:
        result = yield from cursor._fetch_result(count, for_arrow=True)
        parts.append(Part(result, 0, result.ntuples))
    cursor._page.clear()
    cursor._unread = [*parts]
    return parts


class ServerBatches:
    """The record batches of a server-side cursor, which fetches the rows for each when it is asked for."""

    def __init__(self, cursor: BaseServerCursor[Any], size: int) -> None:
        self._cursor = cursor
        self._size = size
        self._query = cursor._query
        self._maker: BatchMaker | None = None
        self._all_fetched = False

    def next_flow(self) -> Flow[pyarrow.RecordBatch | None]:
        """The next batch; None after the last. What one FETCH has brought is mostly one."""
        from .reading import Session
        from .tables import BatchMaker

        cursor, maker = self._cursor, self._maker
        _check_same(cursor._query is self._query)
        fetches = not (cursor._page or cursor._unread)
        if fetches and self._all_fetched:
            return None
        part, *_ = yield from _parts_flow(cursor, self._size)
        if fetches:
            self._all_fetched = part.stop < self._size
        if maker is None:
            maker = BatchMaker(part.result.fields or (), Session.of(cursor))
        batch = next(maker.batches(part, self._size), None)
        if batch is None and self._maker is None:
            batch = maker.empty()
        self._maker = maker
        rows = 0 if batch is None else batch.num_rows
        cursor._drop_unread(rows)
        cursor._position += rows
        return batch


def check_backend(backend: str | None) -> None:
    """Check the name of the types that a frame shall have.

    Raises:
        ValueError: pandas does not call any so.
    """
    from .frames import BACKENDS

    if backend is not None and backend not in BACKENDS:
        raise ValueError(f"dtype_backend is {' or '.join(map(repr, BACKENDS))}, not {backend!r}")


def frame(table: pyarrow.Table, backend: str | None) -> pandas.DataFrame:
    """A table as pandas has it; see `Cursor.fetch_df()`."""
    from .frames import frame

    return frame(table, backend)
