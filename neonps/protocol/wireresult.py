"""A result as it came over the wire: DataRow messages, left as they are until their values are wanted."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from struct import Struct
from typing import TYPE_CHECKING, Any

from ..errors import OperationalError
from ..pq import ExecStatus
from ..row_loader import MANY_COLUMNS
from .backend import DataRows
from .result import FieldDescription, RawRow, Result, Row

if TYPE_CHECKING:
    from ..transformer import Transformer

#: From how many rows on it is worth to choose how to load them.
_SEVERAL = 16

#: Rows that arrive in smaller pieces are joined to pieces of this size, in bytes: some servers send 8 KiB at a time.
_PIECE = 1 << 15

_row_head = Struct("!iH").unpack_from
_length_at = Struct("!i").unpack_from


class WireResult(Result):
    """Collects the `DataRows` of one statement. They are not copied, except small ones, which become larger ones."""

    __slots__ = ("_chunks", "_offsets", "_small", "_small_size", "_starts", "_total")

    def __init__(self, fields: list[FieldDescription]) -> None:
        super().__init__(ExecStatus.TUPLES_OK, fields)
        self._chunks: list[DataRows] = []
        self._starts: list[int] = []  # the number of the first row of each chunk
        self._offsets: dict[int, list[int]] = {}  # where the rows of a chunk are, once it was asked for
        self._small = self._small_size = 0  # how many chunks at the end are small, and their bytes together
        self._total = 0

    def append(self, rows: DataRows) -> None:
        """Add the rows that have just arrived."""
        self._chunks.append(rows)
        self._starts.append(self._total)
        self._total += rows.ntuples
        if len(rows.data) < _PIECE:
            self._small += 1
            self._small_size += rows.stop - rows.start
            if self._small_size >= _PIECE:
                self._join(self._small)
        else:
            # To join a piece of it would not free it, for there are others.
            self._small = self._small_size = 0

    def _join(self, count: int) -> None:
        """Make one chunk of the last `count`: each is an object or more, and rows are loaded chunk by chunk."""
        parts = self._chunks[-count:]
        data = b"".join([part.data[part.start : part.stop] for part in parts])
        self._chunks[-count:] = [DataRows(data, 0, len(data), sum([part.ntuples for part in parts]))]
        del self._starts[len(self._chunks) :]
        self._offsets = {}
        self._small = self._small_size = 0

    @property
    def ntuples(self) -> int:
        return self._total

    def rows(self, start: int = 0, stop: int | None = None) -> Iterator[RawRow]:
        for data, position, end, _ in self.pieces(start, stop):
            while position < end:
                yield self._values(data, position)
                position += 1 + _length_at(data, position + 1)[0]

    def load_rows(
        self, transformer: Transformer, make_row: Callable[[Sequence[Any]], Row], start: int, stop: int
    ) -> list[Row]:
        if stop - start < _SEVERAL or not 0 < self.nfields <= MANY_COLUMNS:
            return transformer.load_rows(self.rows(start, stop), make_row)
        return transformer.load_messages(self.pieces(start, stop), make_row)

    def pieces(self, start: int = 0, stop: int | None = None) -> Iterator[DataRows]:
        """The rows from number `start` up to `stop` as they came, in pieces of any number of rows."""
        stop = self._total if stop is None else min(stop, self._total)
        number = bisect_right(self._starts, start) - 1
        while start < stop:
            first = self._starts[number]
            chunk = self._chunks[number]
            begin, end = start - first, min(stop - first, chunk.ntuples)
            if end - begin < chunk.ntuples:
                offsets = self._offsets_of(number)
                yield DataRows(chunk.data, offsets[begin], offsets[end], end - begin)
            else:
                yield chunk
            start = first + end
            number += 1

    def _offsets_of(self, number: int) -> list[int]:
        offsets = self._offsets.get(number)
        if offsets is None:
            data, position, stop, _ = self._chunks[number]
            offsets = []
            while position < stop:
                offsets.append(position)
                position += 1 + _length_at(data, position + 1)[0]
            offsets.append(stop)
            self._offsets = {number: offsets}  # one chunk at a time: rows are mostly read in order
        return offsets

    def _values(self, data: bytes, offset: int) -> RawRow:
        size, count = _row_head(data, offset + 1)
        end = offset + 1 + size
        position = offset + 7
        values: list[bytes | None] = []
        for _ in range(count):
            if position + 4 > end:
                raise OperationalError("the server has sent a malformed DataRow message")
            length = _length_at(data, position)[0]
            position += 4
            if length == -1:
                values.append(None)
            elif length < 0:
                raise OperationalError("the server has sent a malformed DataRow message")
            else:
                values.append(data[position : position + length])
                position += length
        if position != end or count != self.nfields:
            raise OperationalError("the server has sent a malformed DataRow message")
        return values
