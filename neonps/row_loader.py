"""Functions that load the rows of a result, one made for each number of columns.

A loop over rows and columns would spend more time on looping than the loaders of most types take. These
functions have the columns written out: all that they do for a value is to load it, or see that it is NULL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from .abc import Buffer, LoadFunc

Row = TypeVar("Row")

#: Results with more columns than this are seldom, and writing out that many would not be worth it.
MANY_COLUMNS = 100


def load_rows(
    rows: Iterable[Sequence[Buffer | None]],
    loaders: Sequence[LoadFunc],
    make_row: Callable[[Sequence[Any]], Row],
) -> list[Row]:
    """Return what `make_row` makes of each row's Python objects, a tuple.

    Args:
        rows: rows of raw values.
        loaders: the function to load each column with.
        make_row: what to make of a row; `tuple` costs nothing.

    Raises:
        ValueError: a row has not as many values as there are loaders.
    """
    if not 0 < len(loaders) <= MANY_COLUMNS:
        return [
            make_row(tuple([None if value is None else load(value) for load, value in zip(loaders, row, strict=True)]))
            for row in rows
        ]
    return _written_out(len(loaders), make_row is tuple)(rows, make_row, *loaders)  # type: ignore[no-any-return]


@cache
def _written_out(columns: int, tuples: bool) -> Callable[..., Any]:
    numbers = range(columns)
    loads = ", ".join(f"l{i}" for i in numbers)
    values = "".join(f"v{i}, " for i in numbers)
    row = "".join(f"None if v{i} is None else l{i}(v{i}), " for i in numbers)
    row = f"({row})" if tuples else f"make_row(({row}))"
    namespace: dict[str, Any] = {"__name__": __name__}  # which tells in tracebacks whose function it is
    exec(f"def load(rows, make_row, {loads}): return [{row} for {values} in rows]", namespace)
    return namespace["load"]  # type: ignore[no-any-return]
