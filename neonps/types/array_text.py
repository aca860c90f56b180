"""The text form of arrays (PostgreSQL docs 8.15.2, 8.15.6)."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from re import DOTALL, Pattern, escape
from re import compile as re_compile
from typing import Any

from .. import errors as e

#: What Postgres allows; also keeps malformed input from nesting lists as deep as it is long.
MAX_DIMENSIONS = 6

#: Lower and upper bounds, there when one of the lower bounds is not 1: "[2:3][0:1]=". Lists have none.
_BOUNDS = re_compile(rb"(?:\[[-+]?\d+(?::[-+]?\d+)?\])+=")

_ESCAPED = re_compile(rb"\\(.)", DOTALL)
_NULL = b"NULL"


def parse(data: bytes, delimiter: bytes, load: Callable[[bytes], Any]) -> list[Any]:
    """Return the array as nested lists, its elements read by `load`; NULL becomes None.

    Raises:
        DataError: this is not an array, or the loader cannot read an element.
    """
    start = 0
    if data.startswith(b"["):
        bounds = _BOUNDS.match(data)
        if bounds is None:
            raise _malformed("no '=' after dimension information")
        start = bounds.end()
    if not data.startswith(b"{", start):
        raise _malformed("missing initial '{'" if data else "empty data")

    # Most arrays have one dimension and nothing quoted: they come apart at the delimiters.
    if data.find(b"{", start + 1) < 0 and b'"' not in data and b"\\" not in data:
        if data.find(b"}") != len(data) - 1:
            raise _malformed("hit the end of the buffer" if b"}" not in data else "data after the last '}'")
        if start + 2 == len(data):
            return []
        items = data[start + 1 : -1].split(delimiter)
        if b"" in items:
            raise _malformed("an element is missing")
        return [None if item == _NULL else load(item) for item in items]
    return _parse_nested(data, start, _tokens(delimiter), load)


def _parse_nested(data: bytes, pos: int, tokens: Pattern[bytes], load: Callable[[bytes], Any]) -> list[Any]:
    root: list[Any] = []
    # The lists that are open; the outermost is a list around the array.
    open_lists = [root]
    current = root
    # Whether an element, or a list, has just ended; then only a delimiter or a brace can follow.
    ended = False
    match = tokens.match
    while pos < len(data):
        token = match(data, pos)
        if token is None:
            raise _malformed("hit the end of the buffer")
        pos = token.end()
        brace, quoted, plain = token.groups()
        if brace == b"{":
            if ended:
                raise _malformed("unexpected '{'")
            if len(open_lists) > MAX_DIMENSIONS:
                raise _malformed(f"more than {MAX_DIMENSIONS} dimensions")
            new: list[Any] = []
            current.append(new)
            open_lists.append(new)
            current = new
        elif brace == b"}":
            if not ended and current:
                raise _malformed("unexpected '}'")
            open_lists.pop()
            current = open_lists[-1]
            ended = True
            if current is root:
                break
        elif brace:
            if not ended:
                raise _malformed(f"unexpected {brace.decode()!r}")
            ended = False
        else:
            if ended:
                raise _malformed("two elements without a delimiter")
            if plain == _NULL:
                current.append(None)
            else:
                element = quoted if plain is None else plain
                current.append(load(_ESCAPED.sub(rb"\1", element) if b"\\" in element else element))
            ended = True
    if current is not root or not ended:
        raise _malformed("hit the end of the buffer")
    if pos != len(data):
        raise _malformed("data after the last '}'")
    return root[0]  # type: ignore[no-any-return]


def quote(element: bytes, delimiter: bytes) -> bytes:
    """Return the element as it stands in an array: in quotes unless it is plain."""
    if _needs_quotes(delimiter).search(element) is None:
        return element
    return b'"' + element.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


@cache
def _tokens(delimiter: bytes) -> Pattern[bytes]:
    # Each alternative can match in one way only, so that the time is linear in the length.
    d = escape(delimiter)
    return re_compile(rb"([{}" + d + rb'])|"([^"\\]*(?:\\.[^"\\]*)*)"|((?:[^"\\{}' + d + rb"]|\\.)+)", DOTALL)


@cache
def _needs_quotes(delimiter: bytes) -> Pattern[bytes]:
    # Nothing, NULL in any case, white space, and what means something between elements
    return re_compile(rb'(?i:^(?:NULL)?$)|[\s"\\{}' + escape(delimiter) + b"]")


def _malformed(reason: str) -> e.DataError:
    return e.DataError(f"malformed array: {reason}")
