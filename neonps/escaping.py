"""Quoting of values as SQL literals, and of names."""

from __future__ import annotations

from re import compile as re_compile

_SPECIAL = re_compile(rb"(['\\])")

# In these encodings the second byte of a character can be that of a backslash, which must then be left alone
# (PostgreSQL docs 23.3.1: none of them can be a server's encoding, because of it). What can be a second byte
# begins at 0x30: a quote is one even where the character before it is incomplete.
_TWO_BYTES = re_compile(rb"[\x80-\xff][\x30-\xff]|(['\\])")
_SHIFT_JIS = re_compile(rb"[\x81-\x9f\xe0-\xff][\x30-\xff]|(['\\])")
# Here a character of two bytes becomes a backslash in the server (and that byte, for Python, is a yen sign).
_SHIFT_JIS_2004 = re_compile(rb"(?!\x81\x5f)[\x81-\x9f\xe0-\xff][\x30-\xff]|(['\\]|\x81\x5f)")
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
