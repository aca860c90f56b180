"""The messages that a server sends (PostgreSQL docs 53.7, those marked B or F & B), and their parser."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from struct import Struct
from struct import error as StructError
from typing import Union

from ..record import Record
from .result import FieldDescription


class ProtocolError(Exception):
    """The other side has said something that the protocol does not allow."""


class AuthenticationOk(Record):
    """The login is accepted."""


class AuthenticationKerberosV5(Record):
    """The server wants Kerberos V5 (no server since 9.3 does)."""


class AuthenticationCleartextPassword(Record):
    """The server wants the password in clear text."""


class AuthenticationMD5Password(Record):
    """The server wants the password hashed by MD5 with `salt` (4 bytes)."""

    salt: bytes


class AuthenticationGSS(Record):
    """The server wants GSSAPI."""


class AuthenticationGSSContinue(Record):
    """A GSSAPI or SSPI message of the server."""

    data: bytes


class AuthenticationSSPI(Record):
    """The server wants SSPI."""


class AuthenticationSASL(Record):
    """The server wants one of these SASL mechanisms."""

    mechanisms: Sequence[str]


class AuthenticationSASLContinue(Record):
    """A SASL challenge."""

    data: bytes


class AuthenticationSASLFinal(Record):
    """The server's last SASL message."""

    data: bytes


class BackendKeyData(Record):
    """What a CancelRequest for this session has to show. The key is 4 bytes in protocol 3.0, up to 256 in 3.2."""

    pid: int
    secret_key: bytes

    def __repr__(self) -> str:
        return f"BackendKeyData(pid={self.pid}, secret_key=…)"


class NegotiateProtocolVersion(Record):
    """The server knows only this protocol version, and does not know these options."""

    version: int
    unknown_options: Sequence[str]


class ParameterStatus(Record):
    """A setting that the server reports has this value now."""

    name: str
    value: str


class ReadyForQuery(Record):
    """The server is ready; `status` is b"I" idle, b"T" in a transaction, b"E" in a failed one."""

    status: bytes


class ParseComplete(Record):
    """A Parse has succeeded."""


class BindComplete(Record):
    """A Bind has succeeded."""


class CloseComplete(Record):
    """A Close has succeeded."""


class NoData(Record):
    """What was described returns no rows."""


class ParameterDescription(Record):
    """The types of a statement's parameters, as OIDs."""

    types: Sequence[int]


class RowDescription(Record):
    """The columns of the rows that follow."""

    fields: list[FieldDescription]


class DataRows(Record):
    """`ntuples` DataRow messages that stand one after another in `data[start:stop]`, headers included."""

    data: bytes
    start: int
    stop: int
    ntuples: int


class CommandComplete(Record):
    """A statement has ended well; the tag says what it was and often how many rows it touched."""

    tag: str


class EmptyQueryResponse(Record):
    """The statement was empty."""


class PortalSuspended(Record):
    """Execute has returned as many rows as were asked for, and there may be more."""


class CopyInResponse(Record):
    """The server is ready for COPY data; formats are 0 text or 1 binary, over all and per column."""

    format: int
    column_formats: Sequence[int]


class CopyOutResponse(Record):
    """COPY data follow."""

    format: int
    column_formats: Sequence[int]


class CopyBothResponse(Record):
    """COPY data flow in both directions (streaming replication)."""

    format: int
    column_formats: Sequence[int]


class CopyData(Record):
    """A piece of COPY data."""

    data: bytes


class CopyDone(Record):
    """The COPY data have ended."""


class FunctionCallResponse(Record):
    """What a FunctionCall has returned."""

    value: bytes | None


class ErrorResponse(Record):
    """An error: its fields by the one-letter codes of PostgreSQL docs 53.8."""

    fields: dict[str, str]


class NoticeResponse(Record):
    """A notice: its fields by the one-letter codes of PostgreSQL docs 53.8."""

    fields: dict[str, str]


class NotificationResponse(Record):
    """A NOTIFY that this session listens to."""

    pid: int
    channel: str
    payload: str


BackendMessage = Union[
    AuthenticationOk, AuthenticationKerberosV5, AuthenticationCleartextPassword, AuthenticationMD5Password,
    AuthenticationGSS, AuthenticationGSSContinue, AuthenticationSSPI, AuthenticationSASL,
    AuthenticationSASLContinue, AuthenticationSASLFinal, BackendKeyData, NegotiateProtocolVersion, ParameterStatus,
    ReadyForQuery, ParseComplete, BindComplete, CloseComplete, NoData, ParameterDescription, RowDescription, DataRows,
    CommandComplete, EmptyQueryResponse, PortalSuspended, CopyInResponse, CopyOutResponse, CopyBothResponse, CopyData,
    CopyDone, FunctionCallResponse, ErrorResponse, NoticeResponse, NotificationResponse,
]  # fmt: skip

_head_at = Struct("!Bi").unpack_from
_int32_at = Struct("!i").unpack_from
_uint32_at = Struct("!I").unpack_from
_uint16_at = Struct("!H").unpack_from
_field_at = Struct("!IHIhih").unpack_from
_FIELD_SIZE = 18
_SALT_SIZE = 4


class _Reader:
    """Reads the parts of one message body, and makes sure in the end that nothing is left."""

    def __init__(self, body: bytes, codec: str) -> None:
        self.body = body
        self.pos = 0
        self._codec = codec

    def string(self) -> str:
        end = self.body.index(b"\0", self.pos)
        value = self.body[self.pos : end].decode(self._codec, "replace")
        self.pos = end + 1
        return value

    def int32(self) -> int:
        (value,) = _int32_at(self.body, self.pos)
        self.pos += 4
        return int(value)

    def uint32(self) -> int:
        (value,) = _uint32_at(self.body, self.pos)
        self.pos += 4
        return int(value)

    def uint16(self) -> int:
        (value,) = _uint16_at(self.body, self.pos)
        self.pos += 2
        return int(value)

    def byte(self) -> int:
        self.pos += 1
        return self.body[self.pos - 1]

    def take(self, size: int) -> bytes:
        self.pos += size
        return self.body[self.pos - size : self.pos]

    def rest(self) -> bytes:
        value = self.body[self.pos :]
        self.pos = len(self.body)
        return value


def _authentication_sasl(r: _Reader) -> AuthenticationSASL:
    mechanisms = []
    while mechanism := r.string():
        mechanisms.append(mechanism)
    return AuthenticationSASL(mechanisms)


_AUTHENTICATION: dict[int, Callable[[_Reader], BackendMessage]] = {
    0: lambda r: AuthenticationOk(),
    2: lambda r: AuthenticationKerberosV5(),
    3: lambda r: AuthenticationCleartextPassword(),
    5: lambda r: AuthenticationMD5Password(r.take(_SALT_SIZE)),
    7: lambda r: AuthenticationGSS(),
    8: lambda r: AuthenticationGSSContinue(r.rest()),
    9: lambda r: AuthenticationSSPI(),
    10: _authentication_sasl,
    11: lambda r: AuthenticationSASLContinue(r.rest()),
    12: lambda r: AuthenticationSASLFinal(r.rest()),
}


def _authentication(r: _Reader) -> BackendMessage:
    kind = r.int32()
    if kind not in _AUTHENTICATION:
        raise ProtocolError(f"the server asks for an unknown kind of authentication, number {kind}")
    return _AUTHENTICATION[kind](r)


def _error_fields(r: _Reader) -> dict[str, str]:
    fields = {}
    while code := r.byte():
        fields[chr(code)] = r.string()
    return fields


def _row_description(r: _Reader) -> RowDescription:
    fields = []
    for _ in range(r.uint16()):
        name = r.string()
        fields.append(FieldDescription(name, *_field_at(r.body, r.pos)))
        r.pos += _FIELD_SIZE
        if fields[-1].format not in (0, 1):
            raise ProtocolError("the format code of a column is neither 0 nor 1")
    return RowDescription(fields)


def _copy_formats(r: _Reader) -> tuple[int, list[int]]:
    overall = r.byte()
    formats = [r.uint16() for _ in range(r.uint16())]
    if overall not in (0, 1) or any(f not in (0, 1) for f in formats):
        raise ProtocolError("a COPY format code is neither 0 nor 1")
    return overall, formats


def _function_call_response(r: _Reader) -> FunctionCallResponse:
    length = r.int32()
    if length == -1:
        return FunctionCallResponse(None)
    if length != len(r.body) - r.pos:
        raise ProtocolError("the value of a FunctionCallResponse has not the length it says")
    return FunctionCallResponse(r.rest())


def _key_data(r: _Reader) -> BackendKeyData:
    pid, key = r.uint32(), r.rest()
    if len(key) > MAX_KEY:
        raise ProtocolError(f"the server has sent a key of more than {MAX_KEY} bytes")
    return BackendKeyData(pid, key)


def _ready_for_query(r: _Reader) -> ReadyForQuery:
    status = r.rest()
    if status not in (b"I", b"T", b"E"):
        raise ProtocolError(f"unknown transaction status {status[:16]!r} in ReadyForQuery")
    return ReadyForQuery(status)


#: The messages that come with each statement and have nothing in them, or little, as they are on the wire.
_FIXED: dict[bytes, BackendMessage] = {
    b"1\0\0\0\4": ParseComplete(),
    b"2\0\0\0\4": BindComplete(),
    b"n\0\0\0\4": NoData(),
    b"Z\0\0\0\5I": ReadyForQuery(b"I"),
    b"Z\0\0\0\5T": ReadyForQuery(b"T"),
    b"Z\0\0\0\5E": ReadyForQuery(b"E"),
}

_DATA_ROW = ord("D")
_H = ord("H")

_PARSERS: dict[int, tuple[str, Callable[[_Reader], BackendMessage]]] = {
    ord(code): (name, parse)
    for code, name, parse in (
        ("R", "Authentication", _authentication),
        ("K", "BackendKeyData", _key_data),
        ("v", "NegotiateProtocolVersion",
         lambda r: NegotiateProtocolVersion(r.int32(), [r.string() for _ in range(r.uint32())])),
        ("S", "ParameterStatus", lambda r: ParameterStatus(r.string(), r.string())),
        ("Z", "ReadyForQuery", _ready_for_query),
        ("1", "ParseComplete", lambda r: ParseComplete()),
        ("2", "BindComplete", lambda r: BindComplete()),
        ("3", "CloseComplete", lambda r: CloseComplete()),
        ("n", "NoData", lambda r: NoData()),
        ("t", "ParameterDescription", lambda r: ParameterDescription([r.uint32() for _ in range(r.uint16())])),
        ("T", "RowDescription", _row_description),
        ("C", "CommandComplete", lambda r: CommandComplete(r.string())),
        ("I", "EmptyQueryResponse", lambda r: EmptyQueryResponse()),
        ("s", "PortalSuspended", lambda r: PortalSuspended()),
        ("G", "CopyInResponse", lambda r: CopyInResponse(*_copy_formats(r))),
        ("H", "CopyOutResponse", lambda r: CopyOutResponse(*_copy_formats(r))),
        ("W", "CopyBothResponse", lambda r: CopyBothResponse(*_copy_formats(r))),
        ("d", "CopyData", lambda r: CopyData(r.rest())),
        ("c", "CopyDone", lambda r: CopyDone()),
        ("V", "FunctionCallResponse", _function_call_response),
        ("E", "ErrorResponse", lambda r: ErrorResponse(_error_fields(r))),
        ("N", "NoticeResponse", lambda r: NoticeResponse(_error_fields(r))),
        ("A", "NotificationResponse", lambda r: NotificationResponse(r.uint32(), r.string(), r.string())),
    )
}  # fmt: skip


def _parsed(code: int, body: bytes, codec: str) -> BackendMessage:
    """The message of a kind with this body.

    Raises:
        ProtocolError: the body is not as it has to be.
    """
    name, parse = _PARSERS[code]
    reader = _Reader(body, codec)
    try:
        message = parse(reader)
    except (StructError, ValueError, IndexError):
        raise ProtocolError(f"the server has sent a malformed {name} message") from None
    if reader.pos != len(body):
        raise ProtocolError(f"the server has sent a {name} message that is longer than its content")
    return message


#: RowDescription and CommandComplete: a statement that is run again is answered by the same ones.
_RECURRING = frozenset(map(ord, "TC"))
#: Longer ones are not worth keeping, in bytes.
_CACHED_LENGTH = 2048

_parsed_cached = lru_cache(maxsize=256)(_parsed)

#: The longest message that makes sense, in bytes: the server cannot build a longer one (MaxAllocSize).
MAX_MESSAGE = 0x3FFFFFFF
#: Only messages that carry data, text of users or descriptions can be long; a long message of another type
#: is a sign that this is no Postgres server, and there is no point in waiting for the rest of it.
MAX_SHORT_MESSAGE = 65536
_LONG = frozenset(map(ord, "TDdVENt"))

#: The longest key of a session (PostgreSQL docs 53.7, BackendKeyData), in bytes.
MAX_KEY = 256

#: So many pieces of a message are joined, however small they are: each is an object, which can take many times as much.
_MANY_PIECES = 4096

#: About so many bytes of DataRow messages come as one `DataRows`. Rows are loaded by these, and meanwhile each value of
#: one is there several times.
_PIECE = 1 << 15


class BackendParser:
    """Takes bytes as they come from a server, in pieces of any size, and gives the messages in them.

    Consecutive DataRow messages come together, as a `DataRows`, without being copied or looked into; many of them as
    several, on the same data.

    Attributes:
        codec: what text is decoded with: Python's name for the encoding of the client.
    """

    def __init__(self) -> None:
        self.codec = "utf-8"
        self._data = b""
        self._pos = 0
        self._later: list[bytes] = []  # what came after _data, while the message in _data is not complete
        self._later_size = 0
        self._joined = 0  # how many of these were joined of many
        self._needed = 5  # how many bytes from _pos on make the next step possible

    def feed(self, data: bytes) -> None:
        """Take in what has been received."""
        self._later.append(data)
        self._later_size += len(data)
        if len(self._later) - self._joined >= _MANY_PIECES:
            self._later[self._joined :] = [b"".join(self._later[self._joined :])]
            self._joined += 1

    @property
    def pending(self) -> int:
        """How many bytes are here that are not yet part of a message that was given out."""
        return len(self._data) - self._pos + self._later_size

    def next_message(self) -> BackendMessage | None:
        """The next message, or None when it is not complete yet.

        Raises:
            ProtocolError: what came is no message of a Postgres server. The parser is of no more use then.
        """
        if self._later and not self._gather():
            return None
        data, pos = self._data, self._pos
        end = len(data)
        if end - pos < 5:
            return None
        code = data[pos]
        if code == _DATA_ROW:
            return self._data_rows(data, pos, end)
        (length,) = _int32_at(data, pos + 1)
        stop = pos + 1 + length
        if length < 6 and (fixed := _FIXED.get(data[pos:stop])) is not None:
            self._pos = stop
            self._needed = 5
            return fixed
        if code == _H and data[pos : pos + 5] == b"HTTP/":
            raise ProtocolError("the server speaks HTTP, not Postgres")
        self._check_length(code, length)
        if stop > end:
            self._needed = stop - pos
            return None
        parse = _parsed_cached if code in _RECURRING and length <= _CACHED_LENGTH else _parsed
        message = parse(code, data[pos + 5 : stop], self.codec)
        self._pos = stop
        self._needed = 5
        return message

    def check_pending(self, codes: bytes) -> None:
        """Make sure that all that is here, as far as it is, are messages of some types.

        Raises:
            ProtocolError: there is another one.
        """
        data = b"".join((memoryview(self._data)[self._pos :], *self._later))
        pos = 0
        while pos < len(data):
            if data[pos] not in codes:
                raise ProtocolError("the server has sent something that nothing has asked for")
            if pos + 5 > len(data):
                return
            (length,) = _int32_at(data, pos + 1)
            self._check_length(data[pos], length)
            pos += 1 + length

    def repetitions(self, message: bytes) -> int:
        """How many times the bytes of `message`, one message or several, come next."""
        if self._later and not self._gather():
            return 0
        data, pos, size = self._data, self._pos, len(message)
        count = 0
        step = 1 << ((len(data) - pos) // size).bit_length()
        block = message * step
        while step:
            if data.startswith(block, pos + count * size):
                count += step
            step //= 2
            block = block[: step * size]
        return count

    def skip(self, size: int) -> None:
        """Leave out what comes next, whole messages of `size` bytes."""
        self._pos += size

    def _gather(self) -> bool:
        """Join what came with what was left over, but only once that completes a message.

        A message of many megabytes comes in many pieces, and joining at each would take quadratic time.
        """
        if len(self._data) - self._pos + self._later_size < self._needed:
            return False
        if self._pos == len(self._data) and len(self._later) == 1:
            self._data = self._later[0]
        else:
            self._data = b"".join((memoryview(self._data)[self._pos :], *self._later))
        self._pos = 0
        self._later.clear()
        self._later_size = self._joined = 0
        return True

    def _data_rows(self, data: bytes, start: int, end: int) -> DataRows | None:
        pos = last = start
        # By rows, since to look for the size at each would cost more; those of a result are mostly alike.
        most = _PIECE // max(1, _int32_at(data, start + 1)[0]) + 1
        try:
            for count in range(most):  # noqa: B007 - how many there are is what matters in the end
                code, length = _head_at(data, pos)
                if code != _DATA_ROW or length < 6:
                    break
                last = pos
                pos += length + 1
            else:
                count = most
        except StructError:
            pass  # the next head is not here yet
        if pos > end:  # and neither is all of the last row
            self._check_length(_DATA_ROW, pos - last - 1)
            self._needed = pos - last
            pos = last
            count -= 1
        else:
            self._needed = 5
        if count:
            self._pos = pos
            return DataRows(data, start, pos, count)
        if pos + 5 <= end and length < 6:
            self._check_length(_DATA_ROW, length)
            raise ProtocolError("the server has sent a malformed DataRow message")
        return None

    @staticmethod
    def _check_length(code: int, length: int) -> None:
        if code not in _PARSERS and code != _DATA_ROW:
            raise ProtocolError(f"the server has sent something that is no Postgres message (first byte {code:#04x})")
        if not 4 <= length <= (MAX_MESSAGE if code in _LONG else MAX_SHORT_MESSAGE):
            raise ProtocolError(
                f"the server has sent a message of type {chr(code)!r} with the impossible length {length}"
            )
