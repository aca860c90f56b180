"""Results as tables for people, the way that psql lays them out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import repeat
from typing import TYPE_CHECKING

from .result import next_rows
from .shown import shown_lines, width

if TYPE_CHECKING:
    from ..column import Column

#: The values of a row as text, None for NULL.
Row = tuple[str | None, ...]

NULL = "NULL"

#: A table is aligned by so many rows at a time, or so many characters if that is less: they are what is in memory.
ROWS_AT_A_TIME = 1000
CHARACTERS_AT_A_TIME = 1 << 20

#: The types whose values are aligned to the right: int8, int2, int4, oid, xid, cid, float4, float8, money, numeric,
#: xid8.
_NUMBERS = frozenset({20, 21, 23, 26, 28, 29, 700, 701, 790, 1700, 5069})

#: Gives a text in a style: "header", "null" or "note".
Paint = Callable[[str, str], str]


def unpainted(text: str, style: str) -> str:
    """`text` in no style."""
    return text


class Table:
    """Writes results as tables.

    Args:
        write: takes the text.
        paint: how text is styled.
        columns: how wide a line may be before a row is written with a line per value; None for any width.
        expanded: write a line per value in any case.
    """

    def __init__(
        self, write: Callable[[str], None], paint: Paint = unpainted, columns: int | None = None, expanded: bool = False
    ) -> None:
        self._write = write
        self._paint = paint
        self._columns = columns
        self._expanded = expanded

    def write(self, columns: Sequence[Column], rows: Iterator[Row]) -> None:
        """Write a result."""
        layout: _Aligned | _Expanded | None = None
        count = 0
        while (chunk := next_rows(rows, ROWS_AT_A_TIME, CHARACTERS_AT_A_TIME)) or layout is None:
            cells = [[None if value is None else shown_lines(value) for value in row] for row in chunk]
            if layout is None:
                layout = self._layout(columns, cells)
            for line in layout.lines(cells):
                self._write(line.rstrip() + "\n")
            count += len(chunk)
        self._write(self._paint("(1 row)" if count == 1 else f"({count} rows)", "note") + "\n\n")

    def note(self, text: str) -> None:
        """Write what a statement without rows has come to."""
        self._write(text + "\n")

    def _layout(self, columns: Sequence[Column], cells: Sequence[_Cells]) -> _Aligned | _Expanded:
        aligned = _Aligned(columns, self._paint)
        if self._expanded or (self._columns is not None and aligned.total_width(cells) > self._columns):
            return _Expanded(columns, self._paint)
        return aligned


#: The lines of each value of a row; None for NULL.
_Cells = Sequence["list[str] | None"]


class _Aligned:
    """A line per row, or more where values have more lines; a header above them."""

    def __init__(self, columns: Sequence[Column], paint: Paint) -> None:
        self._paint = paint
        self._headers = [shown_lines(column.name) for column in columns]
        self._right = [column.type_code in _NUMBERS for column in columns]
        self._widths = [max(map(width, header)) for header in self._headers]
        self._begun = False

    def total_width(self, rows: Sequence[_Cells]) -> int:
        """How wide the lines with these rows get."""
        self._widen(rows)
        return sum(self._widths) + 3 * len(self._widths) - 1

    def _widen(self, rows: Sequence[_Cells]) -> None:
        for number, column in enumerate(zip(*rows, strict=True)):
            widest = max([len(NULL) if lines is None else max(map(width, lines)) for lines in column])
            self._widths[number] = max(self._widths[number], widest)

    def lines(self, rows: Sequence[_Cells]) -> Iterator[str]:
        """The lines of these rows. What was written before cannot get wider any more; what comes now can."""
        self._widen(rows)
        if not self._begun:
            self._begun = True
            yield from self._row(self._headers, ["header"] * len(self._headers), centred=True)
            yield "+".join("-" * (width + 2) for width in self._widths) or "--"
        for row in rows:
            styles = ["null" if lines is None else "" for lines in row]
            yield from self._row([[NULL] if lines is None else lines for lines in row], styles)

    def _row(self, cells: Sequence[list[str]], styles: Sequence[str], centred: bool = False) -> Iterator[str]:
        for number in range(max(map(len, cells), default=0)):
            pieces = []
            for lines, style, size, right in zip(cells, styles, self._widths, self._right, strict=True):
                text = lines[number] if number < len(lines) else ""
                room = size - width(text)
                left = room // 2 if centred else room * right
                painted = self._paint(text, style) if style and text else text
                more = "+" if number + 1 < len(lines) else " "
                pieces.append(f" {' ' * left}{painted}{' ' * (room - left)}{more}")
            yield "|".join(pieces)


class _Expanded:
    """A line per value, with the name of its column."""

    def __init__(self, columns: Sequence[Column], paint: Paint) -> None:
        self._paint = paint
        self._names = [shown_lines(column.name) for column in columns]
        self._width = max([width(line) for name in self._names for line in name], default=0)
        self._count = 0

    def lines(self, rows: Sequence[_Cells]) -> Iterator[str]:
        """The lines of these rows."""
        for row in rows:
            self._count += 1
            yield self._paint(f"-[ RECORD {self._count} ]".ljust(self._width + 1, "-") + "+--", "note")
            for name, value in zip(self._names, row, strict=True):
                lines = [NULL] if value is None else value
                height = max(len(name), len(lines))
                for number, label, text in zip(range(height), _padded(name), _padded(lines), strict=False):
                    more = "+" if number + 1 < len(lines) else ""
                    label = self._paint(label, "header") + " " * (self._width - width(label))
                    yield f"{label} | {self._paint(text, 'null') if value is None else text}{more}"


def _padded(lines: list[str]) -> Iterator[str]:
    yield from lines
    yield from repeat("")
