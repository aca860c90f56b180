"""Quoting of values as SQL literals, and of names; what may look like a quote or a backslash and is none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .pattern import pattern

if TYPE_CHECKING:
    from re import Match, Pattern

    from .abc import Buffer
    from .connection import BaseConnection

_SPECIAL = pattern(rb"(['\\])")

# In these encodings the second byte of a character can be that of a backslash, which must then be left alone
# (PostgreSQL docs 23.3.1: none of them can be a server's encoding, because of it). What can be a second byte
# begins at 0x30: a quote is one even where the character before it is incomplete.
_TWO_BYTES = pattern(rb"[\x80-\xff][\x30-\xff]|(['\\])")
_SHIFT_JIS = pattern(rb"[\x81-\x9f\xe0-\xff][\x30-\xff]|(['\\])")
# Here a character of two bytes becomes a backslash in the server (and that byte, for Python, is a yen sign).
_SHIFT_JIS_2004 = pattern(rb"(?!\x81\x5f)[\x81-\x9f\xe0-\xff][\x30-\xff]|(['\\]|\x81\x5f)")
_SPECIAL_IN = {
    "BIG5": _TWO_BYTES,
    "GB18030": _TWO_BYTES,
    "GBK": _TWO_BYTES,
    "JOHAB": _TWO_BYTES,
    "SHIFT_JIS_2004": _SHIFT_JIS_2004,
    "SJIS": _SHIFT_JIS,
    "UHC": _TWO_BYTES,
}


def quote_literal(value: bytes, encoding: str | None = None) -> bytes:
    r"""Return `value` as a string literal that means the same whatever `standard_conforming_strings` says.

    A backslash makes it an `E'...'` string, with a blank in front so that it never joins a word before it.
    Source: PostgreSQL docs 4.1.2.1, 4.1.2.2.

    Args:
        value: the text.
        encoding: what it is encoded in, as Postgres reports `client_encoding`; None for UTF-8.
    """
    if encoding in _SPECIAL_IN and not value.isascii():
        special = _SPECIAL_IN[encoding]
        escaped = any(match[1] not in (None, b"'") for match in special.finditer(value))
    else:
        special = _SPECIAL
        escaped = b"\\" in value
    if escaped:
        return b" E'" + special.sub(rb"\g<0>\1", value) + b"'"
    return b"'" + value.replace(b"'", b"''") + b"'"


def quote_identifier(name: bytes) -> bytes:
    """Return `name` as a quoted identifier (PostgreSQL docs 4.1.1); in no encoding is a quote half of a character."""
    return b'"' + name.replace(b'"', b'""') + b'"'


class Shield:
    """Keeps characters of two bytes whole where text is cut up and escaped at ASCII characters.

    The server does that in its own encoding; in the client's, the second byte of a character can be an ASCII one.

    Args:
        characters: matches characters that are not ASCII.
        backslash: a character that is a backslash in the server.
    """

    def __init__(self, characters: Pattern[bytes], backslash: bytes = b"\\") -> None:
        self._characters = characters
        self._backslash = backslash

    def cover(self, text: Buffer) -> bytes:
        """Return `text` with characters instead of those that are not ASCII of which no byte is an ASCII one."""
        text = bytes(text)
        return text if text.isascii() else self._characters.sub(self._cover, text)

    def uncover(self, text: bytes) -> bytes:
        """Return what has become `text` by `cover()`."""
        return text if text.isascii() else _COVERED.sub(_uncover, text)

    def _cover(self, match: Match[bytes]) -> bytes:
        character = match[0]
        if character == self._backslash:
            return b"\\"
        return chr(_COVERS[len(character)] + int.from_bytes(character, "big")).encode()


#: Where the characters begin that stand for those of one byte, and of two.
_COVERS = {1: 0x8000, 2: 0x10000}
_COVERED = pattern(rb"[\xe0-\xf7][\x80-\xbf]+")

_SHIELDS = {
    **dict.fromkeys(
        ["BIG5", "GB18030", "GBK", "JOHAB", "UHC"], Shield(pattern(rb"[\x80-\xff][\x30-\xff]|[\x80-\xff]"))
    ),
    "SJIS": Shield(pattern(rb"[\x81-\x9f\xe0-\xff][\x30-\xff]|[\x80-\xff]")),
    "SHIFT_JIS_2004": Shield(pattern(rb"[\x81-\x9f\xe0-\xff][\x30-\xff]|[\x80-\xff]"), b"\x81\x5f"),
}


def _uncover(match: Match[bytes]) -> bytes:
    number = ord(match[0].decode())
    return (number - _COVERS[2]).to_bytes(2, "big") if number >= _COVERS[2] else bytes((number - _COVERS[1],))


def shield_for(connection: BaseConnection[Any] | None) -> Shield | None:
    """Return what text in the client encoding of a connection needs; None for most encodings, which need nothing."""
    encoding = connection and connection._transport.parameter_status("client_encoding")
    return _SHIELDS.get(encoding) if encoding else None
