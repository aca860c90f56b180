"""Postgres's names for character sets, and Python's."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from . import errors as e

if TYPE_CHECKING:
    from .connection import BaseConnection

#: PostgreSQL docs 23.3.1, those that a client can use and Python knows.
_CODECS = {
    "BIG5": "big5",
    "EUC_CN": "gb2312",
    "EUC_JIS_2004": "euc_jis_2004",
    "EUC_JP": "euc_jp",
    "EUC_KR": "euc_kr",
    "GB18030": "gb18030",
    "GBK": "gbk",
    "ISO_8859_5": "iso8859-5",
    "ISO_8859_6": "iso8859-6",
    "ISO_8859_7": "iso8859-7",
    "ISO_8859_8": "iso8859-8",
    "JOHAB": "johab",
    "KOI8R": "koi8-r",
    "KOI8U": "koi8-u",
    "LATIN1": "iso8859-1",
    "LATIN2": "iso8859-2",
    "LATIN3": "iso8859-3",
    "LATIN4": "iso8859-4",
    "LATIN5": "iso8859-9",
    "LATIN6": "iso8859-10",
    "LATIN7": "iso8859-13",
    "LATIN8": "iso8859-14",
    "LATIN9": "iso8859-15",
    "LATIN10": "iso8859-16",
    "SHIFT_JIS_2004": "shift_jis_2004",
    "SJIS": "shift_jis",
    "SQL_ASCII": "ascii",
    "UHC": "cp949",
    "UTF8": "utf-8",
    "WIN866": "cp866",
    "WIN874": "cp874",
    "WIN1250": "cp1250",
    "WIN1251": "cp1251",
    "WIN1252": "cp1252",
    "WIN1253": "cp1253",
    "WIN1254": "cp1254",
    "WIN1255": "cp1255",
    "WIN1256": "cp1256",
    "WIN1257": "cp1257",
    "WIN1258": "cp1258",
}

# Postgres ignores case and punctuation in these names: utf-8 and UTF8 are the same.
_CODECS_BY_KEY = {name.replace("_", "").lower(): codec for name, codec in _CODECS.items()}


@lru_cache(maxsize=64)  # asked for each statement, and by each loader of text
def python_codec(name: str) -> str:
    """Return Python's codec for a value of `client_encoding`; "ascii" for SQL_ASCII, which is any bytes.

    Raises:
        NotSupportedError: Python has none.
    """
    try:
        return _CODECS_BY_KEY["".join(filter(str.isalnum, name)).lower()]
    except KeyError:
        raise e.NotSupportedError(f"codec not available in Python: {name!r}") from None


def codec_of_text(name: str) -> str:
    """Return the codec to read the server's text with when `client_encoding` is `name`; UTF-8 if nobody knows."""
    codec = _CODECS_BY_KEY.get("".join(filter(str.isalnum, name)).lower(), "utf-8")
    return "utf-8" if codec == "ascii" else codec


def encoding_of_locale() -> str:
    """Return the value of `client_encoding` for the system's locale: what libpq means by "auto".

    UTF8 where Postgres does not know it, and where it is mere ASCII, by which Postgres would mean any bytes.
    """
    import codecs  # seldom needed
    import locale

    codec = codecs.lookup(locale.getpreferredencoding(False)).name
    names = {codecs.lookup(python).name: name for name, python in _CODECS.items() if name != "SQL_ASCII"}
    return names.get(codec, "UTF8")


def client_codec(connection: BaseConnection[Any] | None) -> str:
    """Return the codec for text that goes over `connection`; UTF-8 where the session does not say."""
    name = connection and connection._transport.parameter_status("client_encoding")
    return python_codec(name) if name else "utf-8"


def text_codec(connection: BaseConnection[Any] | None) -> str:
    """Return the codec to encode text with, which is UTF-8 where the session takes any bytes.

    SQL_ASCII leaves their meaning to its users, who mean UTF-8 nowadays.
    """
    codec = client_codec(connection)
    return "utf-8" if codec == "ascii" else codec
