"""Loading of rows as they came over the wire, by the quickest function there is for their columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from .column_loader import column_loader, constant_size, quick_column
from .pq import Format
from .protocol.backend import DataRows
from .row_appender import AppendRows, is_utf8, rows_appender
from .text_rows import text_rows

if TYPE_CHECKING:
    from .abc import Loader
    from .column_loader import LoadColumn
    from .packed import Packed

Row = TypeVar("Row")

#: Fewer rows in a piece are not worth being taken apart by columns.
_FEW = 16


class WireRows:
    """Loads rows of certain columns.

    Args:
        loaders: one for each column; 1 to MANY_COLUMNS.
    """

    def __init__(self, loaders: Sequence[Loader]) -> None:
        self._loaders = loaders
        self._append_rows: AppendRows | None = None
        self._load_columns = _load_columns(loaders)
        self._constant = bytes(size for loader in loaders if (size := constant_size(loader)))

    def load(self, pieces: Iterable[DataRows], make_row: Callable[[Sequence[Any]], Row]) -> list[Row]:
        """Return what `make_row` makes of each row, a tuple; `tuple` itself is fastest.

        Raises:
            DataError: Python cannot hold a value.
            OperationalError: a message is not as it should be.
        """
        loaded: list[Row] = []
        for piece in pieces:
            rows = self._rows(piece)
            loaded += rows if make_row is tuple else map(make_row, rows)  # type: ignore[arg-type]
        return loaded

    def _rows(self, piece: DataRows) -> Iterable[tuple[Any, ...]]:
        data, start, stop, ntuples = piece
        if ntuples >= _FEW and self._load_columns is not None:
            found = text_rows(data, start, stop, ntuples, self._load_columns, self._constant)
            if found is not None:
                return found
        if self._append_rows is None:
            self._append_rows = rows_appender(self._loaders)
        rows: list[tuple[Any, ...]] = []
        self._append_rows(data, start, stop, rows)
        return rows


def choose_formats(loaders: Sequence[tuple[Loader, Loader]]) -> list[int]:
    """Return the format to ask for each column in, 0 text or 1 binary, so that rows are loaded with the least effort.

    Args:
        loaders: for each column those for text and for binary.
    """
    formats = [int(_is_cheaper(binary, text)) for text, binary in loaders]
    if all(quick_column(text) for text, _ in loaders) and any(
        # Calling a method for each value costs more than taking text apart by columns.
        _calls_method(binary) if format else not is_utf8(text)
        for (text, binary), format in zip(loaders, formats, strict=True)
    ):
        return [0] * len(formats)
    return formats


def _calls_method(binary: Loader) -> bool:
    packed: Packed | None = getattr(binary, "packed", None)
    return packed is not None and bool(packed.method)


def _is_cheaper(binary: Loader, text: Loader) -> bool:
    # Not what a subclass has inherited: it may load otherwise.
    return "cheaper_than" in type(binary).__dict__ and binary.cheaper_than is type(text)  # type: ignore[attr-defined]


def _load_columns(loaders: Sequence[Loader]) -> list[LoadColumn] | None:
    """A function for each column that loads all of its text; None unless all are text that can be loaded so."""
    if any(loader.format != Format.TEXT or quick_column(loader) is None for loader in loaders):
        return None
    return [column_loader(loader) for loader in loaders]
