"""COPY as `Cursor.copy()` gives it: pieces of data, or rows, in either direction (PostgreSQL docs, COPY)."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from struct import Struct
from struct import error as StructError
from threading import get_ident
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any

from . import errors as e
from .abc import Buffer
from .copy_text import escape, unescape
from .escaping import shield_for
from .flows.requests import Flow
from .formats import PyFormat
from .pq import Format, PipelineStatus
from .tracebacks import drop_locals
from .transformer import Transformer

if TYPE_CHECKING:
    from .base_cursor import BaseCursor
    from .copy_lines import LineMaker
    from .cursor import Cursor
    from .cursor_async import AsyncCursor
    from .flows.copy import CopyStream
    from .packed_rows import RowMaker

#: Rows are sent in pieces of this size, in bytes.
_SEND_SIZE = 1 << 16

_BINARY_HEADER = b"PGCOPY\n\xff\r\n\0" + b"\0" * 8
_BINARY_TRAILER = b"\xff\xff"

_int16 = Struct("!h")
_int32 = Struct("!i")


class BaseCopy:
    """What the COPY objects, blocking and asyncio, have in common.

    Args:
        cursor: where the operation is performed.
        statement: the COPY statement, ready to be sent; None for a COPY that needs no server, with a writer.
        binary: the format of a COPY without a statement; otherwise the server says.
    """

    _begun = False  # the block has begun
    _entered = False  # and not ended

    def __init__(self, cursor: BaseCursor[Any], statement: bytes | None, binary: bool | None) -> None:
        self._cursor = cursor
        self._stream: CopyStream | None = None
        if statement is not None:
            transport = cursor._connection._transport
            if transport.pipeline_status is not PipelineStatus.OFF:
                raise e.NotSupportedError("COPY cannot be used in pipeline mode")
            session = transport.session("COPY")
            from .flows.copy import CopyStream

            query = cursor._query
            written = query is not None and query.query == statement and query.has_values
            self._stream = CopyStream(session, statement, None if written else statement)
        self._binary_given = bool(binary)
        self._transformer = Transformer(cursor)
        shield = shield_for(cursor._connection)
        self._shielded = shield is not None
        self._cover = bytes if shield is None else shield.cover
        self._uncover = bytes if shield is None else shield.uncover
        self._typed = False
        self._columns: int | None = None  # how many there are, once that was said
        self._maker: LineMaker | RowMaker | None = None
        self._made: Callable[[Any], str | bytes | None] = _no_row
        self._unsent_rows: list[Any] = []  # those of the maker; they come after what is in the next list
        self._unsent: list[Buffer] = []
        self._unsent_size = 0
        self._header_due = True
        self._raw = False  # whoever writes bytes writes header and trailer of the binary format too

    def __repr__(self) -> str:
        cls = type(self)
        return f"<{cls.__module__}.{cls.__qualname__} {self._cursor._connection._where()} at 0x{id(self):x}>"

    def __del__(self) -> None:
        if not self._entered or self._cursor._connection.closed:
            return
        warnings.warn(
            f"{self!r} was deleted before the end of its block, and the connection closed; use it as a context manager",
            ResourceWarning,
            stacklevel=2,
        )
        # The server is in the middle of it, and to get it out of there takes waiting, which nothing here may do.
        connection = self._cursor._connection
        connection._transport.broken = True
        connection._pgconn.finish()
        self._unlock()

    def _unlock(self) -> None:
        """Give back the lock of the connection."""
        raise NotImplementedError

    def _start_flow(self) -> Flow[None]:
        if self._stream is not None:
            yield from self._stream.start()
            self._cursor._copy_stream = self._stream
            try:
                self._cursor._take([self._stream.description()])
            except Exception as error:  # the row factory has failed
                yield from self._finish_flow(error)
                raise

    @property
    def _binary(self) -> bool:
        return self._binary_given if self._stream is None else self._stream.binary

    @property
    def _reading(self) -> bool:
        return self._stream is not None and self._stream.reading

    @property
    def failed(self) -> bool:
        """Whether the server has ended the COPY already, with an error that is raised at the end of the block.

        Who has much to write can stop then: what is written from then on is thrown away.
        """
        return self._stream is not None and self._stream.failed

    def _begin(self) -> None:
        """Note that its block begins.

        Raises:
            TypeError: it did before.
        """
        if self._begun:
            raise TypeError("copy blocks can be used only once")
        self._begun = True

    def _forget_stream(self) -> None:
        self._made = _no_row  # what is written now is looked at
        if self._cursor._copy_stream is self._stream:  # not that of another COPY
            self._cursor._copy_stream = None

    def _reader(self) -> CopyStream:
        """The stream that data come from."""
        if self._stream is None or not self._stream.reading:
            raise TypeError("data cannot be read from a COPY ... FROM STDIN")
        return self._stream

    def set_types(self, types: Sequence[int | str]) -> None:
        """Say which types the columns have; a binary COPY needs it to read rows, and to write what it has to cast.

        Args:
            types: the OID or the name of the type of each column.
        """
        registry = self._transformer.adapters.types
        oids = [each if isinstance(each, int) else registry.get_oid(each) for each in types]
        format = Format(self._binary)
        if self._reading:
            self._transformer.set_loader_types(oids, format)
        else:
            self._join_rows()
            self._transformer.set_dumper_types(oids, format)
            self._columns = len(oids)
            self._maker, self._made = None, _no_row
        self._typed = True

    def _raw_data(self, data: Buffer | str) -> Buffer:
        """What is to be written for a piece of data that the user has formatted."""
        if isinstance(data, str):
            if self._binary:
                raise TypeError("cannot copy str data in binary mode: use bytes instead")
            data = data.encode(self._cursor._connection.info.encoding)
        elif not isinstance(data, (bytes, bytearray, memoryview)):
            raise TypeError(f"cannot copy data of type {type(data).__name__}: use bytes or str")
        self._raw = True
        return bytes(data)  # the caller can fill his buffer anew before this is sent

    def _collect_row(self, row: Iterable[Any]) -> bytes:
        """Collect a row, as `_collect()` does."""
        data = self._made(row)
        if data is None:
            return self._collect_any_row(row)
        self._unsent_rows.append(data)
        self._unsent_size += len(data)
        return self._collected() if self._unsent_size > _SEND_SIZE else b""

    def _collect_any_row(self, row: Iterable[Any]) -> bytes:
        """Collect a row in the plain way; others like it need not go it."""
        row = row if isinstance(row, (tuple, list)) else tuple(row)
        if self._columns is not None and len(row) != self._columns:
            raise e.DataError(f"expected {self._columns} values in row, got {len(row)}")
        data = self._collect(self._binary_row(row) if self._binary else self._text_row(row))
        if self._binary or not self._shielded:
            self._maker = self._maker or self._new_maker()
            self._maker.learn(row)
            self._made = self._maker.row
        return data

    def _new_maker(self) -> LineMaker | RowMaker:
        if self._binary:
            from .packed_rows import RowMaker

            return RowMaker(self._transformer)
        from .copy_lines import LineMaker

        return LineMaker(self._transformer)

    def _collect(self, data: Buffer) -> bytes:
        """Collect what is written; b"" until there is enough of it to be sent."""
        if self._reading:
            raise TypeError("data cannot be written to a COPY ... TO STDOUT")
        if self._stream is not None and self._stream.ended:
            raise e.ProgrammingError("no COPY is in progress on this cursor")
        self._join_rows()
        self._unsent.append(data)
        self._unsent_size += len(data)
        return self._collected() if self._unsent_size > _SEND_SIZE else b""

    def _collected(self) -> bytes:
        """What was collected, to be sent now.

        Raises:
            OperationalError: the COPY was interrupted, and there was another one on this cursor since.
            ProgrammingError: it has not begun, or has ended.
        """
        self._join_rows()
        data = b"".join(self._unsent)
        self._unsent.clear()
        self._unsent_size = 0
        if data and self._stream is not None and self._cursor._copy_stream is not self._stream:
            if self._entered and not self._stream.ended:
                raise e.OperationalError("the COPY was interrupted")
            raise e.ProgrammingError("no COPY is in progress on this cursor")
        return data

    def _join_rows(self) -> None:
        if self._unsent_rows:
            assert self._maker is not None
            self._unsent.append(self._maker.join(self._unsent_rows))
            self._unsent_rows.clear()

    def _last_data(self) -> bytes:
        """What is left to be sent at the end."""
        if self._binary and not self._raw:
            self._join_rows()
            self._unsent += (self._header(), _BINARY_TRAILER)
        return self._collected()

    def _text_row(self, row: Sequence[Any]) -> bytes:
        values = self._transformer.dump_sequence(row, [PyFormat.TEXT] * len(row))
        line = [rb"\N" if v is None else escape(self._cover(v)) for v in values]
        return self._uncover(b"\t".join(line) + b"\n")

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
        return (yield from self._reader().read()) or b""

    def _read_row_flow(self) -> Flow[tuple[Any, ...] | None]:
        data = yield from self._read_flow()
        if self._binary and data.startswith(_BINARY_HEADER[:11]):
            data = data[len(_BINARY_HEADER) :] or (yield from self._read_flow())
        if not data:
            return None
        if self._binary:
            if data == _BINARY_TRAILER:
                yield from self._read_flow()
                return None
            values = _parse_binary(data)
        else:
            line = self._cover(data).removesuffix(b"\n")
            # A table without columns has empty lines; so has one with one column, if that is empty.
            fields = line.split(b"\t") if line or self._reader().columns else []
            values = [None if field == rb"\N" else self._uncover(unescape(field)) for field in fields]
        if not self._typed:
            self._transformer.set_loader_types([0] * len(values), Format(self._binary))
            self._typed = True
        return self._transformer.load_sequence(values)

    def _goes_on(self) -> bool:
        """Whether the server is still to be told of the end."""
        return self._stream is not None and not self._stream.ended and not self._cursor._connection.closed

    def _finish_flow(self, exc: BaseException | None) -> Flow[None]:
        if self._stream is None or self._stream.ended:
            return
        failure = None if exc is None else f"error from Python: {type(exc).__qualname__} - {exc}"
        try:
            result = yield from self._stream.finish(failure)
        except e.Error:
            if exc is None:
                raise  # otherwise it only says that the COPY was undone, and what has undone it goes on
        else:
            if result is not None:
                self._cursor._take([result])


def _no_row(row: Any) -> None:
    """Nothing is known yet that rows could be like."""


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


class Writer(ABC):
    """Where the data of a COPY go; subclass it and write `write()`."""

    @abstractmethod
    def write(self, data: Buffer) -> None:
        """Write a piece of data."""

    def finish(self, exc: BaseException | None = None) -> None:  # noqa: B027 - nothing has to be done
        """Called at the end, with the exception that has ended the COPY if there was one."""


class LibpqWriter(Writer):
    """Writes to the server: what a `Copy` does if it is given no writer. For subclasses that look at the data.

    Args:
        cursor: the cursor that the COPY was begun on.
    """

    def __init__(self, cursor: Cursor[Any]) -> None:
        self.cursor = cursor

    def write(self, data: Buffer) -> None:
        stream = self.cursor._copy_stream
        if stream is None:
            raise e.ProgrammingError("no COPY is in progress on this cursor")
        flow = stream.write(data)
        del data  # a traceback does not show it: see `neonps.tracebacks`
        self.cursor._connection._run_locked(flow)


class FileWriter(Writer):
    """Writes to a file, for a COPY that has no statement.

    Args:
        file: a file that is open for writing in binary mode.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file

    def write(self, data: Buffer) -> None:
        self.file.write(data)


class AsyncWriter(ABC):
    """Where the data of an `AsyncCopy` go; subclass it and write `write()`."""

    @abstractmethod
    async def write(self, data: Buffer) -> None:
        """Write a piece of data."""

    async def finish(self, exc: BaseException | None = None) -> None:  # noqa: B027 - nothing has to be done
        """Called at the end, with the exception that has ended the COPY if there was one."""


class AsyncLibpqWriter(AsyncWriter):
    """As `LibpqWriter`, for an `AsyncCopy`."""

    def __init__(self, cursor: AsyncCursor[Any]) -> None:
        self.cursor = cursor

    async def write(self, data: Buffer) -> None:
        stream = self.cursor._copy_stream
        if stream is None:
            raise e.ProgrammingError("no COPY is in progress on this cursor")
        flow = stream.write(data)
        del data  # a traceback does not show it: see `neonps.tracebacks`
        await self.cursor._connection._run_locked(flow)


class Copy(BaseCopy):
    """A COPY that is under way; made by `Cursor.copy()`, and to be used as a context manager.

    At the end of the block the COPY is completed; after an exception in it, it is undone.

    Args:
        cursor: the cursor to perform it on.
        statement: the COPY statement; without one there has to be a writer.
        binary: write the binary format, when there is no statement that says so.
        writer: what to give the data to instead of the server.
    """

    __module__ = "neonps"

    _cursor: Cursor[Any]

    def __init__(
        self,
        cursor: Cursor[Any],
        statement: bytes | None = None,
        *,
        binary: bool | None = None,
        writer: Writer | None = None,
    ) -> None:
        super().__init__(cursor, statement, binary)
        self.writer = writer or LibpqWriter(cursor)

    @property
    def cursor(self) -> Cursor[Any]:
        """The cursor that it was made by."""
        return self._cursor

    def __enter__(self) -> Copy:
        self._begin()
        lock = self._cursor._connection.lock
        self._held = lock.depth, get_ident()
        try:
            lock.acquire()
            self._cursor._connection._run_locked(self._start_flow())
            self._entered = True
            return self
        except BaseException as error:
            self._entered = False
            self._leave(error)
            raise

    def __exit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> None:
        error: BaseException | None = None
        try:
            if exc_val is None or not self._cursor._connection.closed:
                self.finish(exc_val)
        except BaseException as raised:
            error = raised
            raise
        finally:
            try:
                self._leave(error)
            except BaseException as interrupt:
                self._leave(interrupt)
                raise

    def _leave(self, error: BaseException | None) -> None:
        """Leave the block, and the COPY if an interrupt has kept it from being ended. It can be done again."""
        connection = self._cursor._connection
        if self._stream is not None and self._stream.goes_on and not isinstance(error, Exception):
            connection._run_locked(connection._transport.break_off())
        self._entered = False
        self._unlock()

    def _unlock(self) -> None:
        self._cursor._connection.lock.restore(*self._held)

    def finish(self, exc: BaseException | None = None) -> None:
        """End the COPY; leaving the block does it.

        Args:
            exc: why it is to be undone, if it is.

        Raises:
            Error: what the server has answered.
        """
        connection = self._cursor._connection
        try:
            if not self._reading:
                if exc is None and (data := self._last_data()):
                    self.writer.write(data)
                self.writer.finish(exc)
            connection._run_locked(self._finish_flow(exc))
        except BaseException as error:
            data = b""
            drop_locals(error)
            if self._goes_on():
                connection._run_locked(self._finish_flow(error))
            raise
        finally:
            self._forget_stream()

    def write(self, buffer: Buffer | str) -> None:
        """Send a piece of the data, in the format of the COPY; pieces need not be rows.

        Raises:
            TypeError: it is a str and the format is binary, or the COPY sends data itself.
        """
        try:
            if data := self._collect(self._raw_data(buffer)):
                self.writer.write(data)
        except BaseException as error:
            del buffer
            data = b""
            drop_locals(error)
            raise

    def write_row(self, row: Iterable[Any]) -> None:
        """Send a row, given as Python objects. In binary format they must have the types of the columns exactly.

        Raises:
            ProgrammingError: an object cannot be adapted.
            DataError: a value cannot be what its type can hold.
        """
        try:
            if data := self._collect_row(row):
                self.writer.write(data)
        except BaseException as error:
            del row
            data = b""
            drop_locals(error)
            raise

    def read(self) -> bytes:
        """The next piece of the data, a row at a time as the server sends it; b"" after the last."""
        return self._cursor._connection._run_locked(self._read_flow())

    def __iter__(self) -> Iterator[bytes]:
        while data := self.read():
            yield data

    def read_row(self) -> tuple[Any, ...] | None:
        """The next row as Python objects, str unless `set_types()` was called; None after the last."""
        return self._cursor._connection._run_locked(self._read_row_flow())

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """The rows as `read_row()` gives them."""
        while (row := self.read_row()) is not None:
            yield row


class AsyncCopy(BaseCopy):
    """A COPY that is under way on asyncio; made by `AsyncCursor.copy()`. The twin of `Copy`."""

    __module__ = "neonps"

    _cursor: AsyncCursor[Any]

    def __init__(
        self,
        cursor: AsyncCursor[Any],
        statement: bytes | None = None,
        *,
        binary: bool | None = None,
        writer: AsyncWriter | None = None,
    ) -> None:
        super().__init__(cursor, statement, binary)
        self.writer = writer or AsyncLibpqWriter(cursor)

    @property
    def cursor(self) -> AsyncCursor[Any]:
        """The cursor that it was made by."""
        return self._cursor

    async def __aenter__(self) -> AsyncCopy:
        self._begin()
        lock = self._cursor._connection.lock
        await lock.acquire()
        try:
            await self._cursor._connection._run_locked(self._start_flow())
        except BaseException:
            lock.release()
            raise
        self._entered = True
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> None:
        try:
            if exc_val is None or not self._cursor._connection.closed:
                await self.finish(exc_val)
        finally:
            self._entered = False
            self._cursor._connection.lock.release()

    def _unlock(self) -> None:
        self._cursor._connection.lock.release_from_anywhere()

    async def finish(self, exc: BaseException | None = None) -> None:
        """As `Copy.finish()`."""
        connection = self._cursor._connection
        try:
            if not self._reading:
                if exc is None and (data := self._last_data()):
                    await self.writer.write(data)
                await self.writer.finish(exc)
            await connection._run_locked(self._finish_flow(exc))
        except BaseException as error:
            data = b""
            drop_locals(error)
            if self._goes_on():
                await connection._run_locked(self._finish_flow(error))
            raise
        finally:
            self._forget_stream()

    async def write(self, buffer: Buffer | str) -> None:
        """As `Copy.write()`."""
        try:
            if data := self._collect(self._raw_data(buffer)):
                await self.writer.write(data)
        except BaseException as error:
            del buffer
            data = b""
            drop_locals(error)
            raise

    async def write_row(self, row: Iterable[Any]) -> None:
        """As `Copy.write_row()`."""
        try:
            if data := self._collect_row(row):
                await self.writer.write(data)
        except BaseException as error:
            del row
            data = b""
            drop_locals(error)
            raise

    async def read(self) -> bytes:
        """As `Copy.read()`."""
        return await self._cursor._connection._run_locked(self._read_flow())

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while data := await self.read():
            yield data

    async def read_row(self) -> tuple[Any, ...] | None:
        """As `Copy.read_row()`."""
        return await self._cursor._connection._run_locked(self._read_row_flow())

    async def rows(self) -> AsyncIterator[tuple[Any, ...]]:
        """As `Copy.rows()`."""
        while (row := await self.read_row()) is not None:
            yield row
