"""From rows to columns: where each value of each row stands."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from struct import Struct
from struct import error as StructError
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..errors import OperationalError
from ..protocol.result import Result
from ..protocol.textresult import JsonResult, TextResult
from ..protocol.wireresult import WireResult
from . import json_rows
from .values import Values, numbers_at

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LENGTH = np.dtype(">i4")

#: The head of a DataRow message.
_HEAD_FIELDS = np.dtype([("type", "u1"), ("length", ">i4"), ("columns", ">u2")])

_length_at = Struct("!i").unpack_from

#: What is in front of the values of a DataRow message: its type, its length, the number of values.
_HEAD = _HEAD_FIELDS.itemsize

#: How many rows that are Python objects are taken at a time.
_OBJECTS = 1 << 15

#: Rows that take more bytes of JSON at a time are parsed: the vectors of what is in it can take many times as much.
_LONGEST = 1 << 27


class Part(NamedTuple):
    """Some of the rows of a result: those from number `start` up to `stop`."""

    result: Result
    start: int
    stop: int


class Block(NamedTuple):
    """Some rows, as the values of each column."""

    rows: int
    columns: list[Values]


def blocks(part: Part, most_rows: int, most_bytes: int) -> Iterator[Block]:
    """The rows in blocks.

    Args:
        part: the rows.
        most_rows: how many a block has at most.
        most_bytes: a block that has so many bytes of values is not made longer.

    Raises:
        OperationalError: what the server has sent makes no sense.
    """
    result, start, stop = part
    if isinstance(result, WireResult):
        yield from _blocks_of_messages(result, start, stop, most_rows, most_bytes)
    if isinstance(result, JsonResult):
        for block in _blocks_of_json(result, start, stop, most_rows, most_bytes):
            yield block
            start += block.rows
    if isinstance(result, TextResult):
        yield from _blocks_of_text(result, start, stop, min(most_rows, _OBJECTS))


def _blocks_of_messages(result: WireResult, start: int, stop: int, most_rows: int, most_bytes: int) -> Iterator[Block]:
    while start < stop:
        end = min(start + most_rows, stop)
        pieces: list[memoryview] = []
        rows = size = 0
        for data, first, last, count in result.pieces(start, end):
            pieces.append(memoryview(data)[first:last])
            rows += count
            size += last - first
            if size >= most_bytes:
                break
        yield Block(rows, columns_of(pieces[0] if len(pieces) == 1 else b"".join(pieces), rows, result.nfields))
        start += rows


def _blocks_of_json(result: JsonResult, start: int, stop: int, most_rows: int, most_bytes: int) -> Iterator[Block]:
    """The same, up to where it is not certain what the rows are."""
    data, last, average = result.data, result.stop, result.average
    while start < stop:
        first, position = result.place(start)
        end = min(start + most_rows, stop)
        # Rows are not equally long. What is too much is looked at once more; what is too little, altogether.
        size = min(int((end - first) * average * 1.1), most_bytes)
        while True:
            piece_end = data.find(b"],[", position + size, last) + 1 or last
            if piece_end - position > _LONGEST:
                return
            found = json_rows.rows_of(data[position:piece_end], result.nfields)
            if found is None:
                return
            after = first + len(found.starts)
            if after >= end or piece_end == last or size >= most_bytes:
                break
            size = min(2 * size, most_bytes)
        if after > result.ntuples or (after < result.ntuples and piece_end == last):
            return
        if after <= end:
            result.passed(after, piece_end + 1)
        else:
            result.passed(end, position + int(found.starts[end - first]))
        if after > start:
            within = slice(start - first, end - first)
            columns = (
                found.columns if first == start and after <= end else [each.part(within) for each in found.columns]
            )
            yield Block(min(after, end) - start, columns)
            start = min(after, end)


def _blocks_of_text(result: TextResult, start: int, stop: int, most: int) -> Iterator[Block]:
    for first in range(start, stop, most):
        end = min(first + most, stop)
        pieces = zip(*result._pieces(first, end), strict=True)
        yield Block(end - first, [Values.of(list(chain.from_iterable(column))) for column in pieces])


def columns_of(data: bytes | memoryview, rows: int, columns: int) -> list[Values]:
    """The values of each column in DataRow messages.

    Args:
        data: nothing but the messages, their types and lengths included.
        rows, columns: how many there are.

    Raises:
        OperationalError: the messages are malformed.
    """
    starts, ends = row_borders(data, rows, columns)
    found = []
    position = starts + _HEAD
    # A length that is too large leads beyond the end of its message, and no later one leads back.
    try:
        for _ in range(columns):
            lengths = numbers_at(data, _LENGTH, position).astype(np.int64)
            position += 4
            values = Values(data, position, lengths)
            if values.nulls is not None and (lengths < -1).any():
                raise _malformed()
            found.append(values)
            position = position + values.lengths
    except IndexError:
        raise _malformed() from None
    if (position != ends).any():
        raise _malformed()
    return found


def row_borders(data: bytes | memoryview, rows: int, columns: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Where each DataRow message begins and ends.

    To go from one to the next takes a step of Python for each. Instead, look for what all have in common, their type
    and number of columns. What is found that way is right if it makes a chain; else, go the long way.

    Raises:
        OperationalError: the messages are malformed, or have another number of columns.
    """
    octets = np.frombuffer(data, np.uint8)
    # What looks like one: the first byte, and the last one of the head, which is that of the number of columns.
    looks = octets[: max(len(octets) - _HEAD + 1, 0)] == ord("D")
    looks &= octets[_HEAD - 1 :] == columns & 0xFF
    starts = np.flatnonzero(looks)
    if len(starts) > rows:  # values can look like that too; but then there is hardly a row behind them
        after = starts + 1 + numbers_at(data, _LENGTH, starts + 1)
        within = (after > starts) & (after <= len(data))
        behind = octets[np.where(within, after, 0) % len(octets)]
        starts = starts[within & ((after == len(data)) | (behind == ord("D")))]
    if len(starts) == rows and rows:
        heads = _heads_at(data, starts)
        ends = starts + 1 + heads["length"]
        if starts[0] == 0 and ends[-1] == len(data) and (ends[:-1] == starts[1:]).all():
            if (heads["columns"] != columns).any():
                raise _malformed()
            return starts, ends
    starts = np.empty(rows, np.int64)
    position = 0
    try:
        for number in range(rows):
            starts[number] = position
            position += 1 + _length_at(data, position + 1)[0]
    except StructError:
        raise _malformed() from None
    if position != len(data):
        raise _malformed()
    heads = _heads_at(data, starts)
    if (heads["columns"] != columns).any():
        raise _malformed()
    return starts, starts + 1 + heads["length"]


def _heads_at(data: bytes | memoryview, starts: NDArray[Any]) -> NDArray[Any]:
    """The heads of the messages that begin at these positions."""
    everywhere: NDArray[Any] = np.ndarray((max(len(data) - _HEAD + 1, 0),), _HEAD_FIELDS, data, strides=(1,))
    try:
        found: NDArray[Any] = everywhere[starts]
    except IndexError:
        raise _malformed() from None
    return found


def _malformed() -> OperationalError:
    return OperationalError("the server has sent a malformed DataRow message")
