"""What the cursors, blocking and asyncio, have in common: running statements as flows, and reading their results."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar

from . import errors as e
from .abc import Params, Query
from .adapters_map import AdaptersMap
from .column import Column
from .flows.requests import Flow
from .flows.transport import Tally
from .gc_pause import without_gc
from .pq import ExecStatus, Format
from .protocol.result import Result
from .query import PostgresQuery
from .rows import BaseRowFactory, Row, RowMaker
from .transformer import Transformer

if TYPE_CHECKING:
    from .base_connection import BaseConnection
    from .flows.copy import CopyStream
    from .flows.stream import RowStream

#: So many rows and more the garbage collector would look through again and again while they are made.
_THOUSANDS = 2000

#: How many rows are loaded at once when they are taken one by one.
_AHEAD = 256

T = TypeVar("T")

#: What comes after the last row, where None can be a row.
END: Any = object()


class BaseCursor(Generic[Row]):
    """See `neonps.Cursor`.

    Attributes:
        arraysize: how many rows `fetchmany()` fetches unless told otherwise (PEP 249).
        format: the format in which results are asked for.
    """

    arraysize = 1
    format = Format.TEXT

    #: How statements and parameters become what the server takes.
    _query_class: type[PostgresQuery] = PostgresQuery
    #: Whether statements may be prepared on the server.
    _prepares = True

    def __init__(self, connection: BaseConnection[Any], *, row_factory: BaseRowFactory[Row]) -> None:
        self._connection = connection
        self._row_factory = row_factory
        self._adapters = AdaptersMap(connection.adapters)
        self._closed = False
        self._copy_stream: CopyStream | None = None
        self._reset()

    def __repr__(self) -> str:
        if self._closed:
            status = "closed"
        elif self._result is None:
            status = "no result"
        else:
            status = self._result.status.name
        where = self._connection._where()
        return f"<{type(self).__module__}.{type(self).__qualname__} [{status}] {where} at 0x{id(self):x}>"

    def _reset(self) -> None:
        self._results: list[Result] = []
        self._result: Result | None = None
        self._number = 0  # of the result among the results
        self._position = 0  # of the next row in the result
        self._ahead: list[tuple[Any, ...]] = []  # rows that are loaded already
        self._ahead_from = -1  # the number of the first of them
        self._rowcount = -1
        self._tag = ""  # of the last statement of executemany(), when the results were not kept
        self._pending = False  # the results come later: in a pipeline, or over HTTP with commit
        self._query: PostgresQuery | None = None
        self._transformer = Transformer(self)
        self._make_row: RowMaker[Row] | None = None

    # PEP 249 and its extensions

    @property
    def connection(self) -> BaseConnection[Any]:
        """The connection that the cursor belongs to."""
        return self._connection

    @property
    def adapters(self) -> AdaptersMap:
        """The adapters of this cursor; what is registered here counts for it alone."""
        return self._adapters

    @property
    def closed(self) -> bool:
        """Whether the cursor was closed."""
        return self._closed

    @property
    def description(self) -> list[Column] | None:
        """The columns of the current result, a `Column` each; None if it has none or is not there yet."""
        if self._result is None or self._result.fields is None:
            return None
        types = self._adapters.types
        return [Column(field, types) for field in self._result.fields]

    @property
    def rowcount(self) -> int:
        """The number of rows that the statement has returned or touched; -1 if it is not known."""
        return self._rowcount

    @property
    def rownumber(self) -> int | None:
        """The number of the row that is fetched next, from 0; None if there is no result."""
        return self._position if _has_rows(self._result) else None

    @property
    def statusmessage(self) -> str | None:
        """The server's command tag, such as "INSERT 0 1"; over HTTP only its first word and the count."""
        return (self._tag if self._result is None else self._result.command_tag) or None

    @property
    def pgresult(self) -> Result | None:
        """The current result as it came from the server."""
        return self._result

    @property
    def row_factory(self) -> BaseRowFactory[Row]:
        """What makes rows; setting it changes the rows that are fetched from now on."""
        return self._row_factory

    @row_factory.setter
    def row_factory(self, row_factory: BaseRowFactory[Row]) -> None:
        self._row_factory = row_factory
        if self._result is not None and self._result.fields is not None:
            self._make_row = row_factory(self)

    def setinputsizes(self, sizes: Sequence[Any]) -> None:
        """Does nothing (PEP 249 allows it)."""

    def setoutputsize(self, size: Any, column: int | None = None) -> None:
        """Does nothing (PEP 249 allows it)."""

    def nextset(self) -> bool | None:
        """Go to the next result of several; None if there is none."""
        if self._number + 1 >= len(self._results):
            return None
        self._select(self._number + 1)
        return True

    # Running statements

    def _prepare_execute(self) -> None:
        self._check_closed()
        if self._query is not None or self._results:  # else the cursor is as good as new
            self._reset()

    def _converted(self, query: Query, params: Params | None = None) -> PostgresQuery:
        """The statement and its parameters as the server takes them."""
        text_only = not self._connection._transport.has_binary
        self._query = converted = self._query_class(self._transformer, text_only=text_only)
        converted.convert(query, params)
        return converted

    def _wants_binary(self, binary: bool | None) -> bool:
        """Whether to ask for results in binary format."""
        wanted = self.format is Format.BINARY if binary is None else binary
        return wanted and self._connection._transport.has_binary

    def _execute_flow(
        self, query: Query, params: Params | None, prepare: bool | None, binary: bool | None
    ) -> Flow[None]:
        self._prepare_execute()
        results = yield from self._connection._transport.execute(
            self._converted(query, params),
            binary=self._wants_binary(binary),
            deliver=self._take,
            prepare=prepare if self._prepares else False,
        )
        self._take_or_wait(results)

    def _executemany_flow(self, query: Query, params_seq: Iterable[Params], returning: bool) -> Flow[None]:
        self._prepare_execute()
        transport = self._connection._transport
        self._query = converted = self._query_class(self._transformer, text_only=not transport.has_binary)
        outcome = yield from transport.executemany(
            converted,
            _each_converted(converted, query, params_seq),
            returning=returning,
            binary=self._wants_binary(None),
            prepare=self._prepares,
            deliver=self._take if returning else self._take_count,
        )
        if isinstance(outcome, Tally):
            self._rowcount = outcome.rowcount
            self._tag = outcome.command_tag
        else:
            self._take_or_wait(outcome)

    def _stream_start_flow(
        self, query: Query, params: Params | None, binary: bool | None, size: int
    ) -> Flow[RowStream | None]:
        """Run a statement whose rows are not to be collected; None if they are there already, as over HTTP."""
        if size < 1:
            raise ValueError("size must be >= 1")
        transport = self._connection._transport
        self._prepare_execute()
        if not transport.has_session:
            self._take((yield from transport.execute_now(self._converted(query, params))))
            if not _has_rows(self._result):
                raise e.ProgrammingError("the operation in stream() didn't produce a result")
            return None
        from .flows.stream import RowStream

        session = transport.session("stream()")
        status = ExecStatus.SINGLE_TUPLE if size == 1 else ExecStatus.TUPLES_CHUNK
        stream = RowStream(session, self._converted(query, params), self._wants_binary(binary), status)
        start = yield from stream.start()
        try:
            self._take([start])
        except Exception:  # the row factory has failed
            yield from stream.stop()
            raise
        if start.fields is None:
            raise e.ProgrammingError("the operation in stream() didn't produce a result")
        return stream

    def _stream_next_flow(self, stream: RowStream) -> Flow[list[Row] | None]:
        """The next rows that have come; None after the last."""
        result = yield from stream.next()
        if result is None:
            return None
        self._take([result])
        assert self._make_row is not None
        try:
            return result.load_rows(self._transformer, self._make_row, 0, result.ntuples)
        except e.Error as error:  # the server has run the statement all the same
            error.outcome_unknown = stream.outcome_unknown
            raise

    def _take_or_wait(self, results: list[Result] | None) -> None:
        if results is None:
            self._pending = True
        else:
            self._take(results)

    def _take(self, results: list[Result]) -> None:
        """Make the results that have come the ones to fetch from."""
        self._pending = False
        self._results = results
        if results:
            self._select(0)

    def _take_count(self, results: list[Result]) -> None:
        self._pending = False
        self._rowcount = sum(result.command_tuples or 0 for result in results)
        self._tag = results[-1].command_tag if results else ""

    def _select(self, number: int) -> None:
        """Make one of the results the current one."""
        self._number = number
        self._position = 0
        self._ahead = []
        self._ahead_from = -1
        self._result = result = self._results[number]
        count = result.command_tuples
        self._rowcount = -1 if count is None else count
        self._make_row = None
        if result.fields is not None:
            self._rowcount = result.ntuples if _has_rows(result) else -1
            self._transformer.set_fields(result.fields)
            self._make_row = self._row_factory(self)
            self._adapters_seen = self._adapters.changes

    # Fetching

    def _fetch(self, count: int | None) -> list[Row]:
        """The next `count` rows, or all that are left; fewer if there are not so many."""
        result = self._fetchable()
        stop = result.ntuples if count is None else min(self._position + count, result.ntuples)
        if self._make_row is None:  # the row factory has failed
            raise e.InterfaceError("the cursor doesn't have a result")
        if self._adapters_seen != self._adapters.changes:
            self._use_new_adapters(result)
        if stop - self._position < _THOUSANDS:
            rows = result.load_rows(self._transformer, self._make_row, self._position, stop)
        else:
            rows = without_gc(result.load_rows, self._transformer, self._make_row, self._position, stop)
        self._position = stop
        return rows

    def _use_new_adapters(self, result: Result) -> None:
        """Load with the loaders that were registered since the result came."""
        self._transformer = Transformer(self)
        self._transformer.set_fields(result.fields or ())
        self._adapters_seen = self._adapters.changes
        self._ahead = []

    def _next_row(self, end: T) -> Row | T:
        """The next row; `end` if there is none.

        Rows that are taken one after another are loaded many at once, and what makes rows of them comes last.
        """
        result = self._fetchable()
        if self._make_row is None:  # the row factory has failed
            raise e.InterfaceError("the cursor doesn't have a result")
        if self._adapters_seen != self._adapters.changes:
            self._use_new_adapters(result)
        position = self._position
        index = position - self._ahead_from
        if not 0 <= index < len(self._ahead):
            if position >= result.ntuples:
                return end
            self._load_ahead(result, position, _AHEAD if index == len(self._ahead) else 1)
            index = 0
        row = self._make_row(self._ahead[index])
        self._position = position + 1
        return row

    def _load_ahead(self, result: Result, start: int, count: int) -> None:
        stop = min(start + count, result.ntuples)
        try:
            self._ahead = result.load_rows(self._transformer, tuple, start, stop)
        except Exception:
            # Those before the row that cannot be loaded should be had all the same.
            self._ahead = result.load_rows(self._transformer, tuple, start, start + 1)
        self._ahead_from = start

    def _fetch_many(self, size: int) -> list[Row]:
        return self._fetch(self._size(size))

    def _size(self, size: int) -> int:
        """How many rows `fetchmany(size)` is to fetch."""
        size = size or self.arraysize
        if size < 0:
            raise e.ProgrammingError(f"fetchmany() cannot fetch {size} rows")
        return size

    def _scroll(self, value: int, mode: str) -> None:
        result = self._fetchable()
        modes = {"relative": self._position + value, "absolute": value}
        if mode not in modes:
            raise ValueError(f"bad mode: {mode}. It should be 'relative' or 'absolute'")
        if not 0 <= modes[mode] < result.ntuples:
            raise IndexError("position out of bound")
        self._position = modes[mode]

    def _fetchable(self) -> Result:
        """The current result, if rows can be fetched from it.

        Raises:
            InterfaceError: the cursor is closed.
            NotSupportedError: over HTTP, the result is not there before commit.
            ProgrammingError: there is no result, or not one with rows.
        """
        self._check_closed()
        result = self._result
        if result is None or not _has_rows(result):
            self._refuse_to_fetch(result)
        return result

    def _refuse_to_fetch(self, result: Result | None) -> NoReturn:
        if self._pending:
            raise e.NotSupportedError(self._connection._transport.why_pending())
        if result is None:
            raise e.ProgrammingError("no result available")
        if result.status is ExecStatus.COMMAND_OK:
            status = f"command status: {result.command_tag}"
        else:
            status = f"result status: {result.status.name}"
        raise e.ProgrammingError(f"the last operation didn't produce records ({status})")

    def _check_closed(self) -> None:
        if self._closed:
            raise e.InterfaceError("the cursor is closed")

    def _close(self) -> None:
        self._closed = True
        self._reset()

    def _set_result(self, index: int) -> None:
        count = len(self._results)
        if not -count <= index < count:
            raise IndexError(f"index {index} out of range: {count} result(s) available")
        self._select(index % count)

    def _copy_statement(self, statement: Query, params: Params | None) -> bytes:
        """A COPY statement as it is sent: the server takes no parameters with it, so they are written into it."""
        from .client_query import PostgresClientQuery

        self._check_closed()
        self._reset()
        self._query = query = PostgresClientQuery(self._transformer)
        query.convert(statement, params)
        return query.query


def _has_rows(result: Result | None) -> bool:
    return result is not None and result.status is ExecStatus.TUPLES_OK


def _each_converted(converted: PostgresQuery, query: Query, params_seq: Iterable[Params]) -> Iterable[Params]:
    """The same parameters; the first of them are what the placeholders of the statement are read with."""
    for number, params in enumerate(params_seq):
        if number == 0:
            converted.convert(query, params)
        yield params
