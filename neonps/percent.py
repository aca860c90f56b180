"""Percent-encoding of text in URLs (RFC 3986 2.1). `urllib` would do, but it takes long to import."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .pattern import pattern

if TYPE_CHECKING:
    from re import Match

_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_triplet = pattern(rb"%([0-9A-Fa-f]{2})?")


def encode(text: str, safe: str = "") -> str:
    """Percent-encode the UTF-8 form of `text`, but for unreserved characters and those in `safe` (ASCII)."""
    keep = _UNRESERVED.union(safe.encode())
    return "".join(chr(byte) if byte in keep else f"%{byte:02X}" for byte in text.encode())


def decode(text: str) -> str:
    """Undo `encode()`.

    Raises:
        ValueError: a % is not followed by two hexadecimal digits, or the result is not UTF-8. The message has
            nothing of the text in it.
    """
    if "%" not in text:
        return text

    def byte(match: Match[bytes]) -> bytes:
        if match[1] is None:
            raise ValueError("a % is not followed by two hexadecimal digits")
        return bytes.fromhex(match[1].decode())

    try:
        return _triplet.sub(byte, text.encode()).decode()
    except UnicodeError:
        raise ValueError("it is not valid UTF-8") from None
