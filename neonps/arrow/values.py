"""The values of one column, as vectors that say where each of them stands in the bytes that came."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


class Unreadable(Exception):
    """A value cannot be had in Arrow; the message says why, without the name of the column."""


class Values:
    """The values of a column in some rows.

    Args:
        data: the bytes that they are pieces of.
        starts: where each begins, as int64.
        lengths: how long each is, in bytes, as int64; -1 for NULL.
    """

    __slots__ = ("_compact", "data", "lengths", "nulls", "starts")

    #: Which values are NULL; None if none is.
    nulls: NDArray[Any] | None

    def __init__(self, data: Any, starts: NDArray[Any], lengths: NDArray[Any]) -> None:
        self.data = data
        self.starts = starts
        self.lengths = lengths
        self.nulls = None
        self._compact: Any = None
        if lengths.min(initial=0) < 0:
            self.nulls = lengths < 0
            self.lengths = np.where(self.nulls, 0, lengths)

    @classmethod
    def of(cls, values: Sequence[bytes | str | None]) -> Values:
        """The same for values that are objects."""
        return cls.of_array(pa.array(values, pa.binary()))

    @classmethod
    def of_array(cls, array: Any) -> Values:
        """The same for an array of binary or strings."""
        _, offsets, data = array.buffers()
        borders = np.frombuffer(offsets, np.int32, len(array) + 1, array.offset * 4).astype(np.int64)
        found = cls(data if data is not None else b"", borders[:-1], np.diff(borders))
        if array.null_count:
            found.nulls = np.asarray(array.is_null())
        found._compact = array
        return found

    def part(self, which: slice) -> Values:
        """Some of them."""
        lengths = self.lengths[which]
        if self.nulls is not None:
            lengths = np.where(self.nulls[which], -1, lengths)
        return Values(self.data, self.starts[which], lengths)

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def null_count(self) -> int:
        """How many are NULL."""
        return 0 if self.nulls is None else int(np.count_nonzero(self.nulls))

    def validity(self) -> Any:
        """The buffer that tells an array of Arrow which values are NULL; None if none is."""
        if self.nulls is None:
            return None
        return pa.py_buffer(np.packbits(~self.nulls, bitorder="little"))

    def binary(self) -> Any:
        """An array of binary that has them.

        Between two values there are other bytes, and in Arrow's layout each value ends where the next one begins. So an
        array is laid over the data, of the values and of what is between them in turns, and every second item taken.
        """
        if self._compact is None:
            count = len(self)
            borders = np.zeros(2 * count + 1, np.int32)
            borders[0:-1:2] = self.starts
            borders[1::2] = self.starts + self.lengths
            data = [None, pa.py_buffer(borders), pa.py_buffer(self.data)]
            array = pa.Array.from_buffers(pa.binary(), max(2 * count - 1, 0), data)
            self._compact = array.take(pa.array(np.arange(0, 2 * count, 2, dtype=np.int32), mask=self.nulls))
        return self._compact

    def strings(self) -> Any:
        """An array of strings that has them.

        Raises:
            Unreadable: a value is not UTF-8.
        """
        try:
            return self.binary().cast(pa.string())
        except pa.ArrowInvalid:
            raise Unreadable("a value is not UTF-8") from None

    def octets(self) -> NDArray[Any]:
        """The values one after another, without anything in between, as vector of bytes."""
        return contents(self.binary())[1]

    def check_length(self, length: int, what: str) -> None:
        """Make sure that all values have a length.

        Raises:
            Unreadable: one has another.
        """
        wrong = self.lengths != length
        if self.nulls is not None:
            wrong &= ~self.nulls
        if wrong.any():
            raise Unreadable(f"a value is no {what}")

    def numbers(self, dtype: str, what: str, skip: int = 0, length: int = 0) -> NDArray[Any]:
        """The numbers that stand in the values, in the byte order of the machine; any number for NULL.

        Args:
            dtype: of the numbers, as it is sent: big-endian.
            what: what a value should be.
            skip: how many bytes of a value stand in front of the number.
            length: how long a value is; by default as long as the number.

        Raises:
            Unreadable: a value is not so long.
        """
        kind = np.dtype(dtype)
        self.check_length(length or kind.itemsize, what)
        return numbers_at(self.data, kind, self.starts + skip if skip else self.starts, self.nulls)

    def pieces(self, width: int) -> NDArray[Any]:
        """The bytes of the values that are not NULL, each of which is `width` bytes long, as a row of a matrix each."""
        starts = self.starts if self.nulls is None else self.starts[~self.nulls]
        found = numbers_at(self.data, np.dtype(f"V{width}"), starts)
        return found.view(np.uint8).reshape(len(found), width)

    def array(self, type: Any, numbers: NDArray[Any]) -> Any:
        """An array of Arrow of these numbers, with NULL where the values have it."""
        return pa.Array.from_buffers(type, len(self), [self.validity(), pa.py_buffer(np.ascontiguousarray(numbers))])

    def booleans(self, truth: NDArray[Any]) -> Any:
        """An array of booleans, with NULL where the values have it."""
        bits = pa.py_buffer(np.packbits(truth, bitorder="little"))
        return pa.Array.from_buffers(pa.bool_(), len(self), [self.validity(), bits])

    def fixed(self, data: bytes, width: int) -> Any:
        """An array of binary of a fixed width.

        Args:
            data: the values that are not NULL, one after another.
            width: of each, in bytes.
        """
        if self.nulls is not None:
            spread = np.zeros((len(self), width), np.uint8)
            spread[~self.nulls] = np.frombuffer(data, np.uint8).reshape(-1, width)
            data = spread.tobytes()
        return pa.Array.from_buffers(pa.binary(width), len(self), [self.validity(), pa.py_buffer(data)])


def contents(array: Any) -> tuple[NDArray[Any], NDArray[Any]]:
    """Of an array of binary or strings: the offsets from 0 on, and the bytes."""
    _, offsets, data = array.buffers()
    borders = np.frombuffer(offsets, np.int32, len(array) + 1, array.offset * 4)
    octets = np.frombuffer(data if data is not None else b"", np.uint8)
    return borders - borders[0], octets[borders[0] : borders[-1]]


def numbers_at(data: Any, kind: np.dtype[Any], starts: NDArray[Any], nulls: NDArray[Any] | None = None) -> NDArray[Any]:
    """The numbers at these positions, which are within the data, in the byte order of the machine."""
    if nulls is not None:
        starts = np.where(nulls, 0, starts)
    size = len(data)
    if size < kind.itemsize:  # there is none
        return np.zeros(len(starts), kind.newbyteorder("="))
    # A number at each byte, where most of them make no sense.
    everywhere: NDArray[Any] = np.ndarray((size - kind.itemsize + 1,), kind, data, strides=(1,))
    found: NDArray[Any] = everywhere[starts]
    return found if kind.isnative else found.byteswap(inplace=True).view(kind.newbyteorder("="))
