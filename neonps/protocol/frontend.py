"""The messages that a client sends (PostgreSQL docs 53.7, those marked F or F & B)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from struct import Struct
from typing import Union

from ..abc import Buffer
from ..record import Record, shown

_int16 = Struct("!h").pack
_uint16 = Struct("!H").pack
_int32 = Struct("!i").pack
_uint32 = Struct("!I").pack
_header = Struct("!ci").pack
_uint16_and_int16 = Struct("!Hh").pack
_length_and_code = Struct("!ii").pack

#: Protocol 3.2, the newest; servers that know only 3.0 say so by NegotiateProtocolVersion.
PROTOCOL_3_0 = 3 << 16
PROTOCOL_3_2 = 3 << 16 | 2

_CANCEL_REQUEST_CODE = 80877102
_SSL_REQUEST_CODE = 80877103
_GSSENC_REQUEST_CODE = 80877104

#: The server takes no message longer than this (PQ_LARGE_MESSAGE_LIMIT).
MAX_MESSAGE_LENGTH = 0x3FFFFFFF


class MessageTooLong(ValueError):
    """A message is longer than the protocol allows."""


def _message(code: bytes, *parts: Buffer) -> bytes:
    length = 4 + sum(map(len, parts))
    if length > MAX_MESSAGE_LENGTH:
        raise MessageTooLong(f"a message of {length} bytes is longer than the {MAX_MESSAGE_LENGTH} that Postgres takes")
    return b"".join((_header(code, length), *parts))


def _string(value: bytes) -> bytes:
    if not value:
        return b"\0"
    if b"\0" in value:
        raise ValueError("a string in a Postgres message cannot hold NUL (0x00)")
    return value + b"\0"


def _counted(formats: Sequence[int]) -> bytes:
    if len(formats) < 2:
        return _uint16_and_int16(1, formats[0]) if formats else b"\0\0"
    return Struct(f"!H{len(formats)}h").pack(len(formats), *formats)


class StartupMessage(Record):
    """Begins a session: `parameters` such as user and database, by name."""

    parameters: Mapping[str, str]
    protocol: int = PROTOCOL_3_0

    def encode(self) -> bytes:
        pairs = [_string(part.encode()) for item in self.parameters.items() for part in item]
        body = b"".join(pairs) + b"\0"
        return _length_and_code(8 + len(body), self.protocol) + body


class SSLRequest(Record):
    """Asks for TLS before anything else is said."""

    def encode(self) -> bytes:
        return _length_and_code(8, _SSL_REQUEST_CODE)


class GSSENCRequest(Record):
    """Asks for GSSAPI encryption before anything else is said."""

    def encode(self) -> bytes:
        return _length_and_code(8, _GSSENC_REQUEST_CODE)


class CancelRequest(Record):
    """Asks, on a connection of its own, to cancel what the session with this key is doing."""

    pid: int
    secret_key: bytes

    def __repr__(self) -> str:
        return shown(self, "secret_key")

    def encode(self) -> bytes:
        return _length_and_code(12 + len(self.secret_key), _CANCEL_REQUEST_CODE) + _uint32(self.pid) + self.secret_key


class PasswordMessage(Record):
    """A password, in clear text or hashed as the server has asked."""

    password: bytes

    def __repr__(self) -> str:
        return "PasswordMessage(…)"

    def encode(self) -> bytes:
        return _message(b"p", _string(self.password))


class SASLInitialResponse(Record):
    """Chooses a SASL mechanism and carries its first message, or None."""

    mechanism: str
    data: bytes | None

    def __repr__(self) -> str:
        return shown(self, "data")

    def encode(self) -> bytes:
        length = _int32(-1 if self.data is None else len(self.data))
        return _message(b"p", _string(self.mechanism.encode()), length, self.data or b"")


class SASLResponse(Record):
    """A later message of a SASL mechanism."""

    data: bytes

    def __repr__(self) -> str:
        return shown(self, "data")

    def encode(self) -> bytes:
        return _message(b"p", self.data)


class GSSResponse(Record):
    """A GSSAPI or SSPI message."""

    data: bytes

    def encode(self) -> bytes:
        return _message(b"p", self.data)


class Query(Record):
    """Runs a string of statements by the simple query protocol."""

    query: bytes

    def encode(self) -> bytes:
        return _message(b"Q", _string(self.query))


class Parse(Record):
    """Prepares a statement under a name; "" is the unnamed one. Type 0 lets the server find out."""

    statement: bytes
    query: bytes
    parameter_types: Sequence[int] = ()

    def encode(self) -> bytes:
        types = self.parameter_types
        try:
            packed = Struct(f"!H{len(types)}I").pack(len(types), *types) if types else b"\0\0"
        except Exception:
            raise MessageTooLong(f"a statement takes at most 65535 parameters, not {len(types)}") from None
        return _message(b"P", _string(self.statement), _string(self.query), packed)


class Frame(Record):
    """What is around values that are packed elsewhere: their number, and for each its length and its bytes.

    Attributes:
        head: what is before them.
        tail: what is behind them.
        code: what begins a message, whose length follows, and then the head; b"" if it is none.
        rest: how much of the tail belongs to that message, in bytes.
    """

    head: bytes = b""
    tail: bytes = b""
    code: bytes = b""
    rest: int = 0


class Bind(Record):
    """Binds values to a prepared statement, which makes a portal.

    `formats` has a format code (0 text, 1 binary) per value, or one for all, or none for text;
    `result_formats` likewise per column of the result.
    """

    portal: bytes
    statement: bytes
    values: Sequence[Buffer | None] = ()
    formats: Sequence[int] = ()
    result_formats: Sequence[int] = ()

    def __repr__(self) -> str:
        return shown(self, "values")

    def encode(self) -> bytes:
        values = self.values
        if len(values) > 65535:
            raise MessageTooLong(f"a statement takes at most 65535 parameters, not {len(values)}")
        frame = self.frame()
        parts: list[Buffer] = [frame.head, _uint16(len(values))]
        for value in values:
            if value is None:
                parts.append(b"\xff\xff\xff\xff")
            else:
                try:
                    parts.append(_int32(len(value)))
                except Exception:
                    raise MessageTooLong(f"a value of {len(value)} bytes is more than Postgres takes") from None
                parts.append(value)
        parts.append(frame.tail)
        return _message(frame.code, *parts)

    def frame(self, *following: FrontendMessage) -> Frame:
        """What is around the values, whatever they are, in this message and those that follow it."""
        head = _string(self.portal) + _string(self.statement) + _counted(self.formats)
        rest = _counted(self.result_formats)
        return Frame(head, b"".join([rest, *(message.encode() for message in following)]), b"B", len(rest))


class DescribeStatement(Record):
    """Asks for the parameters and the columns of a prepared statement."""

    statement: bytes

    def encode(self) -> bytes:
        return _message(b"D", b"S", _string(self.statement))


class DescribePortal(Record):
    """Asks for the columns of a portal."""

    portal: bytes

    def encode(self) -> bytes:
        return _message(b"D", b"P", _string(self.portal)) if self.portal else b"D\0\0\0\6P\0"


class Execute(Record):
    """Runs a portal until it has returned `max_rows` rows; 0 for all."""

    portal: bytes
    max_rows: int = 0

    def encode(self) -> bytes:
        if not (self.portal or self.max_rows):
            return b"E\0\0\0\x09\0\0\0\0\0"
        return _message(b"E", _string(self.portal), _int32(self.max_rows))


class CloseStatement(Record):
    """Forgets a prepared statement."""

    statement: bytes

    def encode(self) -> bytes:
        return _message(b"C", b"S", _string(self.statement))


class ClosePortal(Record):
    """Forgets a portal."""

    portal: bytes

    def encode(self) -> bytes:
        return _message(b"C", b"P", _string(self.portal))


class FunctionCall(Record):
    """Calls a function by its OID (a legacy of the protocol; see docs 53.2.6)."""

    function_oid: int
    values: Sequence[Buffer | None] = ()
    formats: Sequence[int] = ()
    result_format: int = 0

    def encode(self) -> bytes:
        parts: list[Buffer] = [_uint32(self.function_oid)]
        parts.append(Struct(f"!H{len(self.formats)}h").pack(len(self.formats), *self.formats))
        parts.append(_uint16(len(self.values)))
        for value in self.values:
            parts.append(_int32(-1 if value is None else len(value)))
            parts.append(value or b"")
        parts.append(_int16(self.result_format))
        return _message(b"F", *parts)


class Flush(Record):
    """Asks the server to send what it has to say so far."""

    def encode(self) -> bytes:
        return b"H\0\0\0\4"


class Sync(Record):
    """Ends a series of extended-query messages; after an error the server goes on from here."""

    def encode(self) -> bytes:
        return b"S\0\0\0\4"


class CopyData(Record):
    """A piece of the data stream of a COPY."""

    data: Buffer

    def __repr__(self) -> str:
        return shown(self, "data")

    def encode(self) -> bytes:
        return _message(b"d", self.data)


class CopyDone(Record):
    """Ends the data stream of a COPY."""

    def encode(self) -> bytes:
        return b"c\0\0\0\4"


class CopyFail(Record):
    """Makes a COPY that is being fed fail, with a reason."""

    reason: bytes

    def encode(self) -> bytes:
        return _message(b"f", _string(self.reason))


class Terminate(Record):
    """Ends the session."""

    def encode(self) -> bytes:
        return b"X\0\0\0\4"


FrontendMessage = Union[
    StartupMessage, SSLRequest, GSSENCRequest, CancelRequest, PasswordMessage, SASLInitialResponse, SASLResponse,
    GSSResponse, Query, Parse, Bind, DescribeStatement, DescribePortal, Execute, CloseStatement, ClosePortal,
    FunctionCall, Flush, Sync, CopyData, CopyDone, CopyFail, Terminate,
]  # fmt: skip


class Encoded(Record):
    """Messages that are encoded already: one of each of `kinds`, and that again for each piece of `data`."""

    kinds: tuple[type, ...]
    data: Sequence[bytes]

    def __repr__(self) -> str:
        return shown(self, "data")

    def encode(self) -> bytes:
        return b"".join(self.data)
