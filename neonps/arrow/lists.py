"""Arrays as Arrow's lists, from text and from binary.

The type of a column does not say how many dimensions its arrays have, so the data decide: lists of lists where there
are two. All arrays of a column need to have the same number; those without elements have any.
"""

from __future__ import annotations

from struct import Struct
from struct import error as StructError
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from ..errors import DataError
from ..types.array_text import MAX_DIMENSIONS, parse
from .reading import Reader, Session, recoded
from .values import Unreadable, Values, contents, numbers_at

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NULL = b"NULL"
_OPEN, _CLOSE = ord("{"), ord("}")

_INT32 = np.dtype(">i4")
_length_at = Struct("!i").unpack_from
_dimensions_at = [Struct(f"!{2 * n}i").unpack_from for n in range(MAX_DIMENSIONS + 1)]

#: In binary: the number of dimensions, whether there are NULLs, the type of the elements; then for each dimension its
#: length and its lower bound; then the elements, each behind its length (array_send() of
#: src/backend/utils/adt/arrayfuncs.c).
_HEADER, _DIMENSION, _LENGTH = 12, 8, 4

_MIXED = "arrays differ in their number of dimensions; cast it to text"
_MALFORMED = "a value is no array"


def from_text(element: Reader, delimiter: str, session: Session) -> Reader:
    """A reader of arrays.

    Args:
        element: the reader for the elements.
        delimiter: what is between them.
        session: what the session says.
    """
    mark = delimiter.encode()

    def read(values: Values) -> Any:
        values = recoded(values, session)
        plain = _plain(values, ord(mark))
        if plain is not None:
            items, counts = plain
            return _nested(values, element(items), [counts])
        return _nested(values, *_parsed(values, element, mark))

    return read


def _plain(values: Values, delimiter: int) -> tuple[Values, NDArray[Any]] | None:
    """The elements of arrays of one dimension without anything quoted, and their numbers; None if there are others."""
    offsets, octets = contents(values.binary())
    opening = octets == _OPEN
    closing = octets == _CLOSE
    full = len(values) - values.null_count
    special = (octets == ord('"')) | (octets == ord("\\")) | (octets == ord("="))
    if np.count_nonzero(opening) != full or np.count_nonzero(closing) != full or special.any():
        return None
    there = offsets[1:] > offsets[:-1]
    if not (opening[offsets[:-1][there]].all() and closing[offsets[1:][there] - 1].all()):
        return None
    marks = octets == delimiter
    starts = np.flatnonzero(opening | marks) + 1
    ends = np.flatnonzero(closing | marks)
    # How many elements begin in a value: one more than there are delimiters; none in {}.
    sums = np.concatenate(([0], np.cumsum(opening | marks)))
    counts = sums[offsets[1:]] - sums[offsets[:-1]]
    empty = offsets[1:] - offsets[:-1] == 2
    if empty.any():
        counts = np.where(empty, 0, counts)
        kept = ends > starts
        starts, ends = starts[kept], ends[kept]
    lengths = (ends - starts).astype(np.int64)
    if (lengths <= 0).any() or counts.sum() != len(starts):
        return None
    nulls = lengths == len(_NULL)
    for at, letter in enumerate(_NULL):
        nulls[nulls] = octets[starts[nulls] + at] == letter
    return Values(octets, starts, np.where(nulls, -1, lengths)), counts


def _parsed(values: Values, element: Reader, delimiter: bytes) -> tuple[Any, list[NDArray[Any]]]:
    """The elements of any arrays, and the lengths of each dimension."""
    items: list[Any] = []
    shapes: list[tuple[int, ...]] = []
    try:
        for text in values.binary().to_pylist():
            nested = [] if text is None else parse(text, delimiter, bytes)
            shape = []
            while True:
                shape.append(len(nested))
                if not nested or not isinstance(nested[0], list):
                    break
                nested = [item for inner in nested for item in inner]
            # The lengths so far are those of all lists of a dimension together.
            shapes.append(tuple(b // (a or 1) for a, b in zip((1, *shape), shape, strict=False)))
            items += nested
    except DataError as error:
        raise Unreadable(str(error)) from None
    return element(Values.of(items)), _lengths(shapes)


def _lengths(shapes: list[tuple[int, ...]]) -> list[NDArray[Any]]:
    """The lengths of the lists of each dimension, for arrays of these shapes."""
    full = {len(shape) for shape in shapes if shape[-1:] not in ((0,), ())}
    if len(full) > 1:
        raise Unreadable(_MIXED)
    dimensions = full.pop() if full else 1
    sizes = np.zeros((len(shapes), dimensions), np.int64)
    for number, shape in enumerate(shapes):
        if shape[-1:] not in ((0,), ()):
            sizes[number] = shape
    lengths = [sizes[:, 0]]
    lists = sizes[:, 0]
    for level in range(1, dimensions):
        lengths.append(np.repeat(sizes[:, level], lists))
        lists = lists * sizes[:, level]
    return lengths


def _nested(values: Values, items: Any, lengths: list[NDArray[Any]]) -> Any:
    """Lists, and lists of them, around the elements.

    Args:
        values: what is NULL as a whole.
        items: the elements of all.
        lengths: those of the lists of each dimension, the outermost first.
    """
    for level in range(len(lengths) - 1, -1, -1):
        offsets = np.concatenate(([0], np.cumsum(lengths[level]))).astype(np.int32)
        buffers = [None if level else values.validity(), pa.py_buffer(offsets)]
        items = pa.Array.from_buffers(pa.list_(items.type), len(lengths[level]), buffers, children=[items])
    return items


def from_binary(element: Reader) -> Reader:
    """A reader of arrays; `element` as in `from_text()`."""

    def read(values: Values) -> Any:
        there = np.flatnonzero(~values.nulls) if values.nulls is not None else np.arange(len(values))
        if (values.lengths[there] < _HEADER).any():
            raise Unreadable(_MALFORMED)
        fast = _same_length(values, there)
        if fast is not None:
            items, counts = fast
            return _nested(values, element(items), [counts])
        starts, lengths, shapes = _walk(values)
        items = Values(values.data, np.array(starts, np.int64), np.array(lengths, np.int64))
        return _nested(values, element(items), _lengths(shapes))

    return read


def _same_length(values: Values, there: NDArray[Any]) -> tuple[Values, NDArray[Any]] | None:
    """The elements of arrays of one dimension, all of one length and none NULL; None if there are others."""
    starts = values.starts[there]
    dimensions = numbers_at(values.data, _INT32, starts)
    if ((dimensions != 0) & (dimensions != 1)).any() or numbers_at(values.data, _INT32, starts + 4).any():
        return None
    counts = np.zeros(len(values), np.int64)
    full = there[dimensions == 1]
    if not len(full):
        return Values(b"", np.zeros(0, np.int64), np.zeros(0, np.int64)), counts
    first = values.starts[full] + _HEADER + _DIMENSION
    room = values.lengths[full] - _HEADER - _DIMENSION
    if (room <= _LENGTH).any():
        return None
    numbers = numbers_at(values.data, _INT32, first - _DIMENSION).astype(np.int64)
    width = int(numbers_at(values.data, _INT32, first[:1])[0])
    if width <= 0 or (numbers < 1).any() or (room != numbers * (width + _LENGTH)).any():
        return None
    counts[full] = numbers
    before = np.cumsum(numbers) - numbers
    within = np.arange(int(numbers.sum())) - np.repeat(before, numbers)
    at = np.repeat(first, numbers) + within * (width + _LENGTH)
    if (numbers_at(values.data, _INT32, at) != width).any():
        return None
    return Values(values.data, at + _LENGTH, np.full(len(at), width, np.int64)), counts


def _walk(values: Values) -> tuple[list[int], list[int], list[tuple[int, ...]]]:
    """Where the elements of any arrays are, how long they are, and the shape of each array."""
    data = values.data
    starts: list[int] = []
    lengths: list[int] = []
    shapes: list[tuple[int, ...]] = []
    nulls = values.nulls if values.nulls is not None else np.zeros(len(values), bool)
    ends = values.starts + values.lengths
    for start, end, null in zip(values.starts.tolist(), ends.tolist(), nulls.tolist(), strict=True):
        if null:
            shapes.append(())
            continue
        (dimensions,) = _length_at(data, start)
        position = start + _HEADER + _DIMENSION * dimensions
        if not 0 <= dimensions <= MAX_DIMENSIONS or position > end:
            raise Unreadable(_MALFORMED)
        shape = _dimensions_at[dimensions](data, start + _HEADER)[::2]
        count = 1 if shape else 0
        for length in shape:
            count *= length
        if not 0 <= count <= (end - position) // _LENGTH:
            raise Unreadable(_MALFORMED)
        shapes.append(shape)
        try:
            for _ in range(count):
                (length,) = _length_at(data, position)
                starts.append(position + _LENGTH)
                lengths.append(length)
                position += _LENGTH + max(length, 0)
        except StructError:
            raise Unreadable(_MALFORMED) from None
        if position != end:
            raise Unreadable(_MALFORMED)
    return starts, lengths, shapes
