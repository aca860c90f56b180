"""How values look in the text format of COPY (PostgreSQL docs, COPY, "Text Format")."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .abc import Buffer

_ESCAPES = {
    b"\b": rb"\b",
    b"\t": rb"\t",
    b"\n": rb"\n",
    b"\v": rb"\v",
    b"\f": rb"\f",
    b"\r": rb"\r",
    b"\\": rb"\\",
}
_UNESCAPES = {escaped[1:]: plain for plain, escaped in _ESCAPES.items()}
_escape = re.compile(rb"[\b\t\n\v\f\r\\]").sub
_unescape = re.compile(rb"\\(.)", re.DOTALL).sub


def escape(value: Buffer) -> bytes:
    """A value as it is written into a line."""
    return _escape(lambda m: _ESCAPES[m[0]], value)


def unescape(field: bytes) -> bytes:
    """The value of a field that is not NULL."""
    return _unescape(lambda m: _UNESCAPES.get(m[1], m[1]), field) if b"\\" in field else field
