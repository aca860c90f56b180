"""COPY as `Cursor.copy()` gives it: pieces of data, or rows, in either direction (PostgreSQL docs, COPY)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from struct import Struct
from struct import error as StructError
from types import TracebackType
from typing import TYPE_CHECKING, Any

from . import errors as e
from .abc import Buffer
from .flows.copy import CopyStream
from .flows.requests import Flow
from .flows.session import Session
from .formats import PyFormat
from .pq import Format
from .transformer import Transformer

if TYPE_CHECKING:
    from .base_cursor import BaseCursor
    from .cursor import Cursor

#: Rows are sent in pieces of this size, in bytes.
_SEND_SIZE = 1 << 16

_BINARY_HEADER = b"PGCOPY\n\xff\r\n\0" + b"\0" * 8
_BINARY_TRAILER = b"\xff\xff"

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

_int16 = Struct("!h")
_int32 = Struct("!i")


class BaseCopy:
    """What the COPY objects, blocking and asyncio, have in common."""

    def __init__(self, cursor: BaseCursor[Any], statement: bytes) -> None:
        transport = cursor._connection._transport
        if not isinstance(transport, Session):
            raise e.NotSupportedError(
                "COPY needs a session, which cannot exist over HTTP; use transport='websocket' or 'tcp'"
            )
        self._cursor = cursor
        self._stream = CopyStream(transport, statement)
        self._transformer = Transformer(cursor)
        self._typed = False
        self._unsent: list[Buffer] = []
        self._unsent_size = 0
        self._header_due = True
        self._raw = False  # whoever writes bytes writes header and trailer of the binary format too

    def set_types(self, types: Sequence[int | str]) -> None:
        """Say which types the columns have; a binary COPY needs it to read rows, and to write what it has to cast.

        Args:
            types: the OID or the name of the type of each column.
        """
        registry = self._transformer.adapters.types
        oids = [each if isinstance(each, int) else registry.get_oid(each) for each in types]
        format = Format(self._stream.binary)
        if self._stream.reading:
            self._transformer.set_loader_types(oids, format)
        else:
            self._transformer.set_dumper_types(oids, format)
        self._typed = True

    def _write_flow(self, data: Buffer | str) -> Flow[None]:
        if isinstance(data, str):
            if self._stream.binary:
                raise TypeError("cannot copy str data in binary mode: use bytes instead")
            data = data.encode()
        self._raw = True
        yield from self._put(data)

    def _write_row_flow(self, row: Sequence[Any]) -> Flow[None]:
        yield from self._put(self._binary_row(row) if self._stream.binary else self._text_row(row))

    def _put(self, data: Buffer) -> Flow[None]:
        """Collect what is written, so that it is sent in large pieces."""
        if self._stream.reading:
            raise TypeError("data cannot be written to a COPY ... TO STDOUT")
        self._unsent.append(data)
        self._unsent_size += len(data)
        if self._unsent_size > _SEND_SIZE:
            yield from self._flush()

    def _flush(self) -> Flow[None]:
        data = b"".join(self._unsent)
        self._unsent.clear()
        self._unsent_size = 0
        if data:
            yield from self._stream.write(data)

    def _text_row(self, row: Sequence[Any]) -> bytes:
        values = self._transformer.dump_sequence(row, [PyFormat.TEXT] * len(row))
        line = [rb"\N" if v is None else _escape(lambda m: _ESCAPES[m[0]], bytes(v)) for v in values]
        return b"\t".join(line) + b"\n"

    def _binary_row(self, row: Sequence[Any]) -> bytes:
        values = self._transformer.dump_sequence(row, [PyFormat.BINARY] * len(row))
        parts: list[Buffer] = [self._header(), _int16.pack(len(values))]
        for value in values:
            if value is None:
                parts.append(b"\xff\xff\xff\xff")
            else:
                parts += (_int32.pack(len(value)), value)
        return b"".join(parts)

    def _header(self) -> bytes:
        """What the binary format begins with; b"" if it has begun."""
        header = _BINARY_HEADER if self._header_due else b""
        self._header_due = False
        return header

    def _read_flow(self) -> Flow[bytes]:
        if not self._stream.reading:
            raise TypeError("data cannot be read from a COPY ... FROM STDIN")
        return (yield from self._stream.read()) or b""

    def _read_row_flow(self) -> Flow[tuple[Any, ...] | None]:
        data = yield from self._read_flow()
        if self._stream.binary and data.startswith(_BINARY_HEADER[:11]):
            data = data[len(_BINARY_HEADER) :] or (yield from self._read_flow())
        if not data:
            return None
        if self._stream.binary:
            if data == _BINARY_TRAILER:
                yield from self._read_flow()
                return None
            values = _parse_binary(data)
        else:
            values = [_parse_text(field) for field in data.removesuffix(b"\n").split(b"\t")]
        if not self._typed:
            self._transformer.set_loader_types([0] * len(values), Format(self._stream.binary))
            self._typed = True
        return self._transformer.load_sequence(values)

    def _finish_flow(self, exc: BaseException | None) -> Flow[None]:
        failure = None if exc is None else f"error from Python: {type(exc).__qualname__} - {exc}"
        if failure is None and not self._stream.reading:
            if self._stream.binary and not self._raw:
                self._unsent += (self._header(), _BINARY_TRAILER)
            yield from self._flush()
        result = yield from self._stream.finish(failure)
        if result is not None:
            self._cursor._take([result])


def _parse_text(field: bytes) -> bytes | None:
    """The value of a field in text format; None for NULL."""
    if field == rb"\N":
        return None
    return _unescape(lambda m: _UNESCAPES.get(m[1], m[1]), field) if b"\\" in field else field


def _parse_binary(row: bytes) -> list[bytes | None]:
    """The values of a row in binary format.

    Raises:
        DataError: this is no such row.
    """
    values: list[bytes | None] = []
    try:
        (count,) = _int16.unpack_from(row)
        position = 2
        for _ in range(count):
            (length,) = _int32.unpack_from(row, position)
            position += 4
            values.append(None if length < 0 else row[position : position + length])
            position += max(length, 0)
    except StructError:
        position = -1
    if position != len(row):
        raise e.DataError("the server has sent a malformed row of a binary COPY")
    return values


class Copy(BaseCopy):
    """A COPY that is under way; made by `Cursor.copy()`, and to be used as a context manager.

    At the end of the block the COPY is completed; after an exception in it, it is undone.
    """

    _cursor: Cursor[Any]

    @property
    def cursor(self) -> Cursor[Any]:
        """The cursor that it was made by."""
        return self._cursor

    def __enter__(self) -> Copy:
        self._cursor._connection._run(self._stream.start())
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> None:
        connection = self._cursor._connection
        if connection.closed and exc_val is not None:
            return
        try:
            connection._run(self._finish_flow(exc_val))
        except e.Error:
            if exc_val is None:
                raise  # otherwise it only says that the COPY was undone, and what has undone it goes on

    def write(self, buffer: Buffer | str) -> None:
        """Send a piece of the data, in the format of the COPY; pieces need not be rows.

        Raises:
            TypeError: it is a str and the format is binary, or the COPY sends data itself.
        """
        self._cursor._connection._run(self._write_flow(buffer))

    def write_row(self, row: Sequence[Any]) -> None:
        """Send a row, given as Python objects. In binary format they must have the types of the columns exactly.

        Raises:
            ProgrammingError: an object cannot be adapted.
            DataError: a value cannot be what its type can hold.
        """
        self._cursor._connection._run(self._write_row_flow(row))

    def read(self) -> bytes:
        """The next piece of the data, a row at a time as the server sends it; b"" after the last."""
        return self._cursor._connection._run(self._read_flow())

    def __iter__(self) -> Iterator[bytes]:
        while data := self.read():
            yield data

    def read_row(self) -> tuple[Any, ...] | None:
        """The next row as Python objects, str unless `set_types()` was called; None after the last."""
        return self._cursor._connection._run(self._read_row_flow())

    def rows(self) -> Iterable[tuple[Any, ...]]:
        """The rows as `read_row()` gives them."""
        while (row := self.read_row()) is not None:
            yield row
