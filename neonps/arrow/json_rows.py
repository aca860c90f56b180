"""Rows in JSON, as SQL over HTTP has them: where each value of each row stands.

There is no object for a value, nor for a row: quotation marks are looked for in many rows at once, and what is between
two of them is in turns a value and a part of the frame. That frame has to be exactly `[`, `,`, `],[` and `]`; where it
is not, or a value is not what it should be, nothing is said here, and the rows are parsed one by one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from .values import Values, numbers_at

if TYPE_CHECKING:
    from numpy.typing import NDArray

_QUOTE, _BACKSLASH, _COMMA, _OPEN, _CLOSE = b'"\\,[]'
_NULL = np.frombuffer(b"null", np.uint32)[0]

#: Below it are control characters, which JSON has not in strings.
_FIRST_PRINTED = 0x20

#: What an escape of one letter means, by the letter; 0 where there is none. That of `u` is not looked at.
_MEANT = np.zeros(256, np.uint8)
_MEANT[list(b'"\\/bfnrtu')] = list(b'"\\/\b\f\n\r\tu')

#: The hexadecimal digits; 16 stands for what is none.
_DIGITS = np.full(256, 16, np.int32)
_DIGITS[list(b"0123456789abcdefABCDEF")] = [*range(16), *range(10, 16)]

#: The first bits of a character in UTF-8, by how many bytes it has.
_LEADS = np.array([0, 0, 0xC0, 0xE0, 0xF0])

#: `\uXXXX`
_UNIT = 6


class Rows(NamedTuple):
    """Some rows: the values of each column, and where in the JSON each row begins."""

    columns: list[Values]
    starts: NDArray[Any]


def rows_of(data: bytes, width: int) -> Rows | None:
    """The rows in JSON; None if it is not certain what they are.

    Args:
        data: the rows, arrays with a comma between them.
        width: how many columns there are, at least one.
    """
    octets = np.frombuffer(data, np.uint8)
    if octets.min(initial=_FIRST_PRINTED) < _FIRST_PRINTED or not _is_unicode(data):
        return None
    quotes = octets == _QUOTE
    escapes = _escapes(octets) if b"\\" in data else None
    if escapes is not None:
        if escapes[-1] + 1 == len(data):
            return None
        quotes[escapes + 1] = False
    borders = np.flatnonzero(quotes)
    if len(borders) % 2:
        return None
    starts, ends = borders[::2], borders[1::2]
    nulls = None
    if not _is_frame(octets, starts, ends, width):
        # The first and the last letter of a NULL are its borders, as the quotation marks are those of a string.
        found = _nulls(data, octets, borders)
        before = np.searchsorted(starts, found)
        starts, ends = np.insert(starts, before, found), np.insert(ends, before, found + 3)
        if not _is_frame(octets, starts, ends, width):
            return None
        nulls = np.zeros(len(starts), bool)
        nulls[before + np.arange(len(found))] = True
    begins = starts[::width] - 1
    text: Any = data
    if escapes is not None:
        unescaped = _unescaped(octets, escapes)
        if unescaped is None:
            return None
        text, gone = unescaped
        # How much is gone up to each start. It was in strings: up to an end it is as much as up to the next start.
        shift = np.cumsum(np.bincount(np.searchsorted(starts, gone), minlength=len(starts) + 1))
        starts, ends = starts - shift[:-1], ends - shift[1:]
    starts = starts + 1
    lengths = ends - starts
    if nulls is not None:
        lengths[nulls] = -1
    return Rows([Values(text, starts[n::width], lengths[n::width]) for n in range(width)], begins)


def _is_unicode(data: bytes) -> bool:
    if data.isascii():
        return True
    try:
        pa.array([data], pa.binary()).cast(pa.string())
    except pa.ArrowInvalid:
        return False
    return True


def _is_frame(octets: NDArray[Any], starts: NDArray[Any], ends: NDArray[Any], width: int) -> bool:
    """Whether nothing but the frame of rows is around what is from these starts to these ends, they included."""
    if not len(starts) or len(starts) % width:
        return False
    if starts[0] != 1 or octets[0] != _OPEN or ends[-1] != len(octets) - 2 or octets[-1] != _CLOSE:
        return False
    gaps = starts[1:] - ends[:-1]
    between_rows = gaps[width - 1 :: width]
    # There is a comma behind each value but the last of a row: [...],[...]
    if (between_rows != 4).any() or int(gaps.sum()) != 2 * len(gaps) + 2 * len(between_rows) or (gaps < 2).any():
        return False
    after = octets[ends[:-1] + 1]
    behind = ends[width - 1 : -1 : width]
    marks = int(np.count_nonzero(after == _COMMA)) == len(gaps) - len(between_rows)
    return bool(
        marks
        and (after[width - 1 :: width] == _CLOSE).all()
        and (octets[behind + 2] == _COMMA).all()
        and (octets[behind + 3] == _OPEN).all()
    )


def _nulls(data: bytes, octets: NDArray[Any], borders: NDArray[Any]) -> NDArray[Any]:
    """Where there is `null` that is in no string, given where strings begin and end."""
    found = np.flatnonzero(octets[:-3] == ord("n"))
    found = found[numbers_at(data, np.dtype(np.uint32), found) == _NULL]
    outside: NDArray[Any] = found[np.searchsorted(borders, found) % 2 == 0]
    return outside


def _escapes(octets: NDArray[Any]) -> NDArray[Any]:
    """Where escapes begin: at every other backslash of those that follow one another."""
    found = np.flatnonzero(octets == _BACKSLASH)
    first = np.ones(len(found), bool)
    first[1:] = np.diff(found) != 1
    every_other: NDArray[Any] = found[(found - np.maximum.accumulate(np.where(first, found, 0))) % 2 == 0]
    return every_other


def _unescaped(octets: NDArray[Any], escapes: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]] | None:
    """The JSON with what the escapes mean in their places, and which bytes are gone; None if one has no meaning."""
    letters = octets[escapes + 1]
    meant = _MEANT[letters]
    if not meant.all():
        return None
    text = octets.copy()
    text[escapes + 1] = meant
    kept = np.ones(len(octets), bool)
    kept[escapes] = False
    units = escapes[letters == ord("u")]
    if not len(units):
        return text[kept], escapes
    return (text[kept], np.flatnonzero(~kept)) if _decode(octets, units, text, kept) else None


def _decode(octets: NDArray[Any], units: NDArray[Any], text: NDArray[Any], kept: NDArray[Any]) -> bool:
    """Put UTF-8 where there are units of UTF-16, and say of what is kept what it takes; false if they make no sense.

    Args:
        octets: the JSON.
        units: where in it their escapes begin.
        text, kept: a copy of the JSON, and which bytes of it stay.
    """
    if units[-1] + _UNIT > len(octets):
        return False
    digits = [_DIGITS[octets[units + at]] for at in range(2, _UNIT)]
    if any((each == 16).any() for each in digits):
        return False
    codes = digits[0] << 12 | digits[1] << 8 | digits[2] << 4 | digits[3]
    high, low = codes >> 10 == 0xD800 >> 10, codes >> 10 == 0xDC00 >> 10
    pairs = np.flatnonzero(high[:-1] & low[1:] & (np.diff(units) == _UNIT))
    if len(pairs) != np.count_nonzero(high) or len(pairs) != np.count_nonzero(low):
        return False  # there is half of a pair
    codes[pairs] = 0x10000 + ((codes[pairs] & 0x3FF) << 10) + (codes[pairs + 1] & 0x3FF)
    sizes = 1 + (codes >= 0x80) + (codes >= 0x800) + (codes >= 0x10000)
    sizes[pairs + 1] = 0
    for at in range(_UNIT):
        kept[units + at] = at < sizes
        shift = 6 * np.maximum(sizes - 1 - at, 0)
        text[units + at] = codes >> shift & 0x3F | 0x80 if at else codes >> shift | _LEADS[sizes]
    return True
