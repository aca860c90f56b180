"""Results whose values came as text in JSON. They are loaded by the column; bytes are made of them when asked for."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import OperationalError
from ..load_errors import load_errors
from ..pq import ExecStatus
from .result import FieldDescription, RawRow, Result

if TYPE_CHECKING:
    from ..transformer import Transformer

Row = TypeVar("Row")
Column = Sequence["str | None"]

#: Fewer rows are loaded value by value: it would take longer to make columns of them.
_FEW = 20
#: How many rows are made into columns at a time.
_MANY = 1000
#: How much JSON is parsed at a time, in bytes: as much as processors have close at hand.
_PIECE = 1 << 15

_TEXT = {str, type(None)}


class MalformedAnswer(ValueError):
    """The body of a successful response is not what SQL over HTTP answers."""


class TextResult(Result, ABC):
    """A result that gives its rows in pieces, and each piece as columns of text."""

    __slots__ = ()

    @abstractmethod
    def _pieces(self, start: int, stop: int) -> Iterator[Sequence[Column]]:
        """The columns of the rows from number `start` up to `stop`, some rows at a time."""

    @abstractmethod
    def _rows_of_text(self, start: int, stop: int) -> Iterator[Sequence[str | None]]:
        """The same rows, as rows."""

    def rows(self, start: int = 0, stop: int | None = None) -> Iterator[RawRow]:
        for row in self._rows_of_text(start, self.ntuples if stop is None else min(stop, self.ntuples)):
            yield [None if value is None else value.encode() for value in row]

    def load_rows(
        self, transformer: Transformer, make_row: Callable[[Sequence[Any]], Row], start: int, stop: int
    ) -> list[Row]:
        if stop - start < _FEW or not self.fields:
            return transformer.load_rows(
                [
                    [None if value is None else value.encode() for value in row]
                    for row in self._rows_of_text(start, stop)
                ],
                make_row,
            )
        loaders = transformer.column_loaders()
        rows: list[Any] = []
        with load_errors:
            for columns in self._pieces(start, stop):
                loaded = zip(*[load(column) for load, column in zip(loaders, columns, strict=True)], strict=True)
                rows.extend(loaded if make_row is tuple else map(make_row, loaded))
        return rows


class ListResult(TextResult):
    """A result whose rows are there as lists, as many values in each as there are columns."""

    __slots__ = ("_rows",)

    def __init__(
        self, status: ExecStatus, fields: list[FieldDescription] | None, command_tag: str, rows: list[list[str | None]]
    ) -> None:
        super().__init__(status, fields, command_tag)
        self._rows = rows

    @property
    def ntuples(self) -> int:
        return len(self._rows)

    def _rows_of_text(self, start: int, stop: int) -> Iterator[Sequence[str | None]]:
        # Not islice(), which goes over all rows before `start`, and would do so for each row of an iteration.
        return iter(self._rows[start:stop])

    def _pieces(self, start: int, stop: int) -> Iterator[Sequence[Column]]:
        for first in range(start, stop, _MANY):
            yield list(zip(*self._rows[first : min(first + _MANY, stop)], strict=True))


class JsonResult(TextResult):
    """A result whose rows are left as JSON, and parsed each time when they are wanted.

    As Python objects they would take many times the memory.

    Args:
        status, fields, command_tag: see `Result`; there is a column at least.
        data: the JSON.
        start: where in it the first row begins.
        stop: where in it the last row ends.
        ntuples: how many rows there are.
    """

    __slots__ = ("_block", "_data", "_first_rows", "_latest", "_ntuples", "_passed", "_positions", "_stop")

    def __init__(
        self,
        status: ExecStatus,
        fields: list[FieldDescription],
        command_tag: str,
        data: bytes,
        start: int,
        stop: int,
        ntuples: int,
    ) -> None:
        super().__init__(status, fields, command_tag)
        self._data = data
        self._stop = stop
        self._ntuples = ntuples
        # Of each piece, as far as is known, where it begins and the number of its first row.
        self._positions = [start]
        self._first_rows = [0]
        self._passed = 0, start  # a row that others have gone up to, and where it begins
        self._latest: tuple[int, Sequence[Column]] | None = None
        self._block: tuple[int, list[Sequence[str | None]]] = 0, []  # rows as rows, and the number of the first

    @property
    def ntuples(self) -> int:
        return self._ntuples

    # For those who take the rows out of the JSON themselves

    @property
    def data(self) -> bytes:
        """The JSON."""
        return self._data

    @property
    def stop(self) -> int:
        """Where in it the last row ends."""
        return self._stop

    @property
    def average(self) -> float:
        """How long a row is on average, in bytes."""
        return (self._stop - self._positions[0]) / self._ntuples

    def place(self, row: int) -> tuple[int, int]:
        """The row, or one before it of which is known where it begins: its number, and where that is."""
        number = bisect_right(self._first_rows, row) - 1
        known = self._first_rows[number], self._positions[number]
        return self._passed if known[0] < self._passed[0] <= row else known

    def passed(self, row: int, position: int) -> None:
        """Keep in mind where a row begins, since what is asked for next is mostly from there on."""
        self._passed = row, position

    def _pieces(self, start: int, stop: int) -> Iterator[Sequence[Column]]:
        number = bisect_right(self._first_rows, start) - 1
        while start < stop:
            columns = self._piece(number)
            first = self._first_rows[number]
            size = len(columns[0])
            if start < first + size:
                last = min(stop - first, size)
                whole = start == first and last == size
                yield columns if whole else [column[start - first : last] for column in columns]
                start = first + last
            number += 1

    def _rows_of_text(self, start: int, stop: int) -> Iterator[Sequence[str | None]]:
        first, rows = self._block
        if first <= start and stop <= first + len(rows):
            return iter(rows[start - first : stop - first])
        return self._rows_in_blocks(start, stop)

    def _rows_in_blocks(self, start: int, stop: int) -> Iterator[Sequence[str | None]]:
        """The same; the last piece of them stays as rows, since what is asked for next is mostly in it too."""
        while start < stop:
            number = bisect_right(self._first_rows, start) - 1
            columns = self._piece(number)
            first = self._first_rows[number]
            if start < first + len(columns[0]):
                rows: list[Sequence[str | None]] = list(zip(*columns, strict=True))
                self._block = first, rows
                yield from rows[start - first : stop - first]
                start = first + len(rows)

    def _piece(self, number: int) -> Sequence[Column]:
        """The columns of a piece. Those before it were there already."""
        if self._latest is not None and self._latest[0] == number:
            return self._latest[1]
        start = self._positions[number]
        size = _PIECE
        while True:
            stop = self._data.find(b"],[", start + size, self._stop) + 1 or self._stop
            try:
                columns = parse_rows(self._data[start:stop], self.nfields)
                break
            except MalformedAnswer as error:
                raise self._malformed(str(error)) from None
            except (ValueError, RecursionError):
                # What looks like the end of a row is inside of a value: up to there this is no JSON.
                if stop == self._stop:
                    raise self._malformed("it is not the JSON that was expected") from None
                size = 2 * (stop - start)
        row = self._first_rows[number] + len(columns[0])
        if row > self._ntuples or (row < self._ntuples and stop == self._stop):
            raise self._malformed("it has not as many rows as it says")
        if stop < self._stop and number + 1 == len(self._positions):
            self._positions.append(stop + 1)
            self._first_rows.append(row)
        self._latest = number, columns
        return columns

    def _malformed(self, what: str) -> OperationalError:
        return OperationalError(f"the server's answer makes no sense as SQL over HTTP: {what}")


def parse_rows(data: bytes, width: int) -> Sequence[Column]:
    """The columns of rows in JSON, of which there is one at least.

    Args:
        data: the rows, arrays with a comma between them.
        width: how many columns there are.

    Raises:
        MalformedAnswer: the rows are not rows of text with as many columns.
        ValueError: this is not JSON.
    """
    return _split(data, width) or _parse(data, width)


def _split(data: bytes, width: int) -> Sequence[Column] | None:
    """The same, if there is neither a NULL nor an escape nor anything unusual: then it is done in half of the time."""
    if b"\\" in data:
        return None
    # What is between quotation marks is in turns a part of the frame, `[`, `,` or `],[`, and a value.
    parts = data.decode().split('"')
    step = 2 * width
    count, rest = divmod(len(parts), step)
    if (
        rest != 1
        or parts[0] != "["
        or parts[-1] != "]"
        or parts[step:-1:step].count("],[") != count - 1
        or any(parts[i:-1:step].count(",") != count for i in range(2, step, 2))
    ):
        return None
    return [parts[i::step] for i in range(1, step, 2)]


def _parse(data: bytes, width: int) -> Sequence[Column]:
    rows = json.loads(b"[%b]" % data)
    check_rows(rows, width)
    return list(zip(*rows, strict=True))


def check_rows(rows: list[list[str | None]], width: int) -> None:
    """See that rows as JSON has them are rows of text.

    Raises:
        MalformedAnswer: they are not, or have not `width` values each.
        UnicodeEncodeError: a value is no Unicode text.
    """
    if not {*map(type, rows)} <= {list} or not {*map(len, rows)} <= {width}:
        raise MalformedAnswer("a row is not an array with a value per column")
    if not {*map(type, chain.from_iterable(rows))} <= _TEXT:
        raise MalformedAnswer("a value is not text, as was asked for by Neon-Raw-Text-Output")
    # JSON can hold half of a surrogate pair, which is in no text of Postgres.
    "".join(filter(None, chain.from_iterable(rows))).encode()
