"""text and its relatives, bytea."""

from __future__ import annotations

from binascii import Error as HexError
from binascii import a2b_hex, b2a_hex
from re import compile as re_compile
from typing import TYPE_CHECKING, Any

from .. import errors as e
from ..abc import Buffer
from ..adapt import Dumper, Loader
from ..encodings import client_codec, text_codec
from ..escaping import quote_literal
from ..pq import Format

if TYPE_CHECKING:
    from ..abc import AdaptContext

BYTEA_OID = 17
NAME_OID = 19
TEXT_OID = 25
VARCHAR_OID = 1043


class TextEncodeError(e.DataError, UnicodeEncodeError):
    """A str has characters that the encoding of the connection has not.

    It is a PEP 249 error and Python's own one too; programs that were written for psycopg expect the latter.
    """

    @classmethod
    def of(cls, error: UnicodeEncodeError) -> TextEncodeError:
        """The same error without the str, which can be a parameter: only a character that is named is left of it."""
        bad = error.object[error.start : error.end]
        shown = bad if len(bad) == 1 else "?" * len(bad)
        shown = "?" * error.start + shown + "?" * (len(error.object) - error.end)
        return cls(error.encoding, shown, error.start, error.end, error.reason)


class _StrDumper(Dumper):
    def __init__(self, cls: type, context: AdaptContext | None = None) -> None:
        super().__init__(cls, context)
        self._codec = text_codec(self.connection)

    def dump(self, obj: str) -> Buffer | None:
        try:
            return obj.encode(self._codec)
        except UnicodeEncodeError as ex:
            failure = TextEncodeError.of(ex)
        raise failure  # not in there: what was caught has the text


class StrBinaryDumper(_StrDumper):
    """Dumps `str` as text, binary."""

    format = Format.BINARY
    oid = TEXT_OID


class StrBinaryDumperVarchar(StrBinaryDumper):
    """Dumps `str` as varchar, binary."""

    oid = VARCHAR_OID


class StrBinaryDumperName(StrBinaryDumper):
    """Dumps `str` as name, binary."""

    oid = NAME_OID


class StrDumper(_StrDumper):
    """Dumps `str` as text, text."""

    oid = TEXT_OID

    def dump(self, obj: str) -> Buffer | None:
        if "\0" in obj:
            raise e.DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes")
        return super().dump(obj)


class StrDumperVarchar(StrDumper):
    """Dumps `str` as varchar, text."""

    oid = VARCHAR_OID


class StrDumperName(StrDumper):
    """Dumps `str` as name, text."""

    oid = NAME_OID


class StrDumperUnknown(StrDumper):
    """Dumps `str` as text without a type, which lets the server take it for whatever fits."""

    oid = 0


class TextLoader(Loader):
    """Loads text from text: as `str`, or as `bytes` when the client encoding is SQL_ASCII."""

    def __init__(self, oid: int, context: AdaptContext | None = None) -> None:
        super().__init__(oid, context)
        codec = client_codec(self.connection)
        self._codec = "" if codec == "ascii" else codec

    def load(self, data: Buffer) -> str | bytes:
        return str(data, self._codec) if self._codec else bytes(data)


class TextBinaryLoader(TextLoader):
    """Loads text from binary, which looks the same."""

    format = Format.BINARY


class BytesDumper(Dumper):
    """Dumps `bytes`, `bytearray` and `memoryview` as bytea, text."""

    oid = BYTEA_OID

    def dump(self, obj: Buffer) -> Buffer | None:
        return b"\\x" + b2a_hex(obj)

    def quote(self, obj: Buffer) -> Buffer:
        value = bytes(self.dump(obj) or b"")
        connection = self.connection
        if connection and connection._transport.parameter_status("standard_conforming_strings") == "on":
            return b"'" + value + b"'"
        return quote_literal(value)


class BytesBinaryDumper(Dumper):
    """Dumps `bytes`, `bytearray` and `memoryview` as bytea, binary."""

    format = Format.BINARY
    oid = BYTEA_OID

    def dump(self, obj: Buffer) -> Buffer | None:
        return bytes(obj)  # who has a buffer can fill it anew before this is sent


class ByteaLoader(Loader):
    """Loads bytea from text, hex or escape format (PostgreSQL docs 8.4)."""

    def load(self, data: Buffer) -> bytes:
        data = bytes(data)
        if not data.startswith(b"\\x"):
            return _ESCAPE.sub(_unescape, data)
        try:
            return a2b_hex(data[2:])
        except HexError as ex:
            raise e.DataError(f"can't parse bytea: {ex}") from None


class ByteaBinaryLoader(Loader):
    """Loads bytea from binary; also whatever has no loader in binary."""

    format = Format.BINARY
    cheaper_than = ByteaLoader

    def load(self, data: Buffer) -> bytes:
        return bytes(data)


_ESCAPE = re_compile(rb"\\(?:\\|([0-3][0-7]{2}))")


def _unescape(match: Any) -> bytes:
    octal = match[1]
    return bytes((int(octal, 8),)) if octal else b"\\"
