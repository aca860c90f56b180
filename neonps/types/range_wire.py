"""What ranges and multiranges look like in text (PostgreSQL docs 8.17.5) and in binary.

A range is two bounds, None where it is infinite, and the brackets around them, "" for the empty range.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from re import DOTALL
from re import compile as re_compile
from struct import Struct
from struct import error as StructError
from typing import Any

from .. import errors as e

# In quotes, a quote is doubled or follows a backslash. Each alternative can match in one way only, so that the
# time is linear in the length.
_BOUND = rb'(?:"([^"\\]*(?:(?:""|\\.)[^"\\]*)*)"|((?:[^"\\,()\[\]]|\\.)*))'
_RANGE = re_compile(rb"empty|([\[(])" + _BOUND + rb"," + _BOUND + rb"([\])])", DOTALL)

_ESCAPED = re_compile(rb'["\\](.)', DOTALL)
_NEEDS_QUOTES = re_compile(rb'^$|["\\,()\[\]\s]')

# The flags that a range in binary begins with (src/include/utils/rangetypes.h); then come the bounds that are
# not infinite, each after its length. A multirange is their number, then the ranges, each after its length.
_EMPTY = 0x01
_LOWER_INCLUDED = 0x02
_UPPER_INCLUDED = 0x04
_LOWER_INFINITE = 0x08
_UPPER_INFINITE = 0x10

_LENGTH = Struct("!i")

#: Lower bound, upper bound, brackets.
Bounds = tuple[Any, Any, str]


def parse_range(data: bytes, load: Callable[[bytes], Any]) -> Bounds:
    """Return the bounds of a range, read by `load`; None for one that is infinite.

    Raises:
        DataError: this is no range, or the loader cannot read a bound.
    """
    bounds, end = _parse(data, 0, load)
    if end != len(data):
        raise _failed(data)
    return bounds


def parse_multirange(data: bytes, load: Callable[[bytes], Any]) -> list[Bounds]:
    """Return the bounds of each range of a multirange, as `parse_range()` does.

    Raises:
        DataError: this is no multirange, or the loader cannot read a bound.
    """
    if not data.startswith(b"{"):
        raise e.DataError(f"malformed multirange starting with {data[:1].decode('utf-8', 'replace')}")
    if data == b"{}":
        return []
    ranges = []
    end = 0
    while end == 0 or data.startswith(b",", end):
        bounds, end = _parse(data, end + 1, load)
        ranges.append(bounds)
    if end + 1 != len(data) or not data.endswith(b"}"):
        rest = data[end:].decode("utf-8", "replace")
        raise e.DataError(f"malformed multirange: found unexpected {rest[:20]!r}")
    return ranges


def format_range(lower: bytes | None, upper: bytes | None, bounds: str) -> bytes:
    """Return the text of a range, from the text of its bounds."""
    if not bounds:
        return b"empty"
    return b"%s%s,%s%s" % (bounds[0].encode(), _quote(lower), _quote(upper), bounds[1].encode())


def format_multirange(ranges: Iterable[bytes]) -> bytes:
    """Return the text of a multirange, from the text of its ranges."""
    return b"{" + b",".join(ranges) + b"}"


def unpack_range(data: bytes, load: Callable[[bytes], Any]) -> Bounds:
    """Return the bounds of a range in binary, read by `load`.

    Raises:
        DataError: this is no range.
    """
    if not data:
        raise e.DataError("malformed range: no data")
    flags = data[0]
    if flags & _EMPTY:
        return None, None, ""
    lower = upper = None
    pos = 1
    if not flags & _LOWER_INFINITE:
        value, pos = _item(data, pos, "range")
        lower = load(value)
    if not flags & _UPPER_INFINITE:
        value, pos = _item(data, pos, "range")
        upper = load(value)
    brackets = ("[" if flags & _LOWER_INCLUDED else "(") + ("]" if flags & _UPPER_INCLUDED else ")")
    return lower, upper, brackets


def unpack_multirange(data: bytes, load: Callable[[bytes], Any]) -> list[Bounds]:
    """Return the bounds of each range of a multirange in binary, read by `load`.

    Raises:
        DataError: this is no multirange.
    """
    if len(data) < _LENGTH.size:
        raise e.DataError("malformed multirange: hit the end of the buffer")
    ranges = []
    pos = _LENGTH.size
    for _ in range(_LENGTH.unpack_from(data)[0]):
        value, pos = _item(data, pos, "multirange")
        ranges.append(unpack_range(value, load))
    return ranges


def pack_range(lower: bytes | None, upper: bytes | None, bounds: str) -> bytes:
    """Return a range in binary, from its bounds in binary."""
    if not bounds:
        return bytes((_EMPTY,))
    flags = 0
    parts = []
    if lower is None:
        flags |= _LOWER_INFINITE
    else:
        flags |= _LOWER_INCLUDED if bounds[0] == "[" else 0
        parts += [_LENGTH.pack(len(lower)), lower]
    if upper is None:
        flags |= _UPPER_INFINITE
    else:
        flags |= _UPPER_INCLUDED if bounds[1] == "]" else 0
        parts += [_LENGTH.pack(len(upper)), upper]
    return b"".join([bytes((flags,)), *parts])


def pack_multirange(ranges: Sequence[bytes]) -> bytes:
    """Return a multirange in binary, from its ranges in binary."""
    parts = [_LENGTH.pack(len(ranges))]
    for each in ranges:
        parts += [_LENGTH.pack(len(each)), each]
    return b"".join(parts)


def _item(data: bytes, pos: int, what: str) -> tuple[bytes, int]:
    try:
        length = _LENGTH.unpack_from(data, pos)[0]
    except StructError:
        length = -1
    start = pos + _LENGTH.size
    end = start + length
    if length < 0 or end > len(data):
        raise e.DataError(f"malformed {what}: hit the end of the buffer")
    return data[start:end], end


def _parse(data: bytes, start: int, load: Callable[[bytes], Any]) -> tuple[Bounds, int]:
    match = _RANGE.match(data, start)
    if match is None:
        raise _failed(data[start:])
    opening, quoted_lower, lower, quoted_upper, upper, closing = match.groups()
    if opening is None:
        return (None, None, ""), match.end()
    return (
        (
            _bound(quoted_lower, lower, load),
            _bound(quoted_upper, upper, load),
            (opening + closing).decode(),
        ),
        match.end(),
    )


def _bound(quoted: bytes | None, plain: bytes | None, load: Callable[[bytes], Any]) -> Any:
    # Nothing without quotes is infinity, in quotes it is a value.
    value = plain if quoted is None else quoted
    if not value and quoted is None:
        return None
    assert value is not None
    return load(_ESCAPED.sub(rb"\1", value) if b"\\" in value or b'"' in value else value)


def _quote(value: bytes | None) -> bytes:
    if value is None:
        return b""
    if _NEEDS_QUOTES.search(value) is None:
        return value
    return b'"' + value.replace(b"\\", b"\\\\").replace(b'"', b'""') + b'"'


def _failed(data: bytes) -> e.DataError:
    return e.DataError(f"failed to parse range: {data.decode('utf-8', 'replace')!r}")
