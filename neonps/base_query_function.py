"""What the query functions, blocking and asyncio, have in common: calls, their outcomes, and connections to reuse."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar, Union

from . import errors as e
from .abc import AdaptContext, Params, Query
from .adapters_map import AdaptersMap
from .base_connection import BaseConnection, BatchItem, _statement_and_params
from .base_cursor import BaseCursor
from .column import Column
from .flows.requests import Flow
from .isolation import IsolationLevel, TransactionCharacteristics
from .options import checked_text, time_limit
from .postgres import adapters
from .protocol.result import Result
from .query import PostgresQuery, RawQuery
from .rows import BaseRowFactory, dict_row
from .settings import Settings, checked_token, resolve
from .sql import Composable

if TYPE_CHECKING:
    from .flows.http import HttpTransport

#: What a statement gives: a list of rows, or `FullResults`.
R = TypeVar("R")
Row = TypeVar("Row")

#: How many connections are kept for the next calls.
MAX_KEPT = 10

#: How long a connection is kept, in seconds: less than servers and what is between allow one to be silent.
KEPT_FOR = 30.0


@dataclass(frozen=True)
class FullResults(Generic[Row]):
    """What a statement gives with `full_results=True`.

    Attributes:
        rows: the rows; none if the statement returns none.
        row_count: the number of rows that it has returned or touched; None if the server does not say.
        command: the first word of the command tag, such as "SELECT"; "" for an empty statement.
        fields: the columns; none if the statement returns no rows.
    """

    __module__ = "neonps"

    rows: list[Row]
    row_count: int | None
    command: str
    fields: list[Column]


class Statement(NamedTuple):
    """A statement of a transaction, not run yet."""

    query: Query
    params: Params | None = None
    query_class: type[PostgresQuery] = PostgresQuery

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.query!r}>"


class Statements:
    """What a function that is passed to `transaction()` gets: it writes statements as the query function does."""

    def __call__(self, query: Query, params: Params | None = None) -> Statement:
        """A statement with `%s` or `%(name)s` where parameters go."""
        return Statement(query, params)

    def query(self, query: Query, params: Params | None = None) -> Statement:
        """A statement with `$1`, `$2`, … where parameters go."""
        return Statement(query, params, RawQuery)


TransactionItem = Union[BatchItem, Statement]
TransactionItems = Union[Iterable[TransactionItem], Callable[[Statements], Iterable[TransactionItem]]]


class Call(NamedTuple):
    """A request to make, and what to make of the answer.

    Attributes:
        statements: what to run.
        characteristics: what their transaction is begun with; None for one statement outside of a transaction.
        row_factory: what makes the rows.
        full_results: give `FullResults`, not rows alone.
        timeout: how long it may take, in seconds; 0 for ever, None for what the connection has.
    """

    statements: list[Statement]
    characteristics: TransactionCharacteristics | None
    row_factory: BaseRowFactory[Any]
    full_results: bool
    timeout: float | None


class BaseQueryFunction(Generic[R]):
    """See `neonps.QueryFunction`."""

    def __init__(
        self,
        conninfo: str = "",
        *,
        row_factory: BaseRowFactory[Any] | None = None,
        full_results: bool = False,
        isolation_level: IsolationLevel | int | None = None,
        read_only: bool | None = None,
        deferrable: bool | None = None,
        context: AdaptContext | None = None,
        **kwargs: Any,
    ) -> None:
        if kwargs.get("transport") not in (None, "http"):
            raise e.NotSupportedError("neon() is for transport=http; use connect() for the others")
        self._functions = {
            keyword: value for keyword, value in kwargs.items() if keyword in _PER_CALL and callable(value)
        }
        if "password" in self._functions:
            del kwargs["password"]
        self._settings = resolve(conninfo, {**kwargs, "transport": "http"})
        self._row_factory = row_factory or dict_row
        self._full_results = bool(full_results)
        self._characteristics = TransactionCharacteristics.of(isolation_level, read_only, deferrable)
        self._adapters = AdaptersMap(adapters if context is None else context.adapters)
        self._kept: dict[Hashable, list[Kept]] = {}

    def __repr__(self) -> str:
        settings = self._settings
        where = f"host={settings.host} port={settings.port} database={settings.dbname}"
        return f"<{type(self).__module__}.{type(self).__qualname__} (http {where}) at 0x{id(self):x}>"

    @property
    def adapters(self) -> AdaptersMap:
        """The adapters of its statements; what is registered here counts for it alone."""
        return self._adapters

    @property
    def connection(self) -> None:
        """None: no session goes with it, on whose settings values could depend."""
        return None

    # What to run

    def _call(
        self,
        statement: Statement,
        row_factory: BaseRowFactory[Any] | None,
        full_results: bool | None,
        timeout: float | None,
    ) -> Call:
        """The call that runs one statement."""
        own = self._characteristics
        characteristics = None if own == TransactionCharacteristics() else own
        return self._completed([statement], characteristics, row_factory, full_results, timeout)

    def _transaction_call(
        self,
        statements: TransactionItems,
        characteristics: TransactionCharacteristics,
        row_factory: BaseRowFactory[Any] | None,
        full_results: bool | None,
        timeout: float | None,
    ) -> Call:
        """The call that runs several."""
        if isinstance(statements, (str, bytes, Composable)):
            raise TypeError(f"the statements of a transaction should be a list, got {type(statements).__name__}")
        items = [_statement(item) for item in (statements(Statements()) if callable(statements) else statements)]
        return self._completed(items, characteristics.over(self._characteristics), row_factory, full_results, timeout)

    def _completed(
        self,
        statements: list[Statement],
        characteristics: TransactionCharacteristics | None,
        row_factory: BaseRowFactory[Any] | None,
        full_results: bool | None,
        timeout: float | None,
    ) -> Call:
        return Call(
            statements,
            characteristics,
            row_factory or self._row_factory,
            self._full_results if full_results is None else bool(full_results),
            timeout,
        )

    # The connections that are kept between calls. One call has one to itself, so that calls run side by side.

    def _home(self) -> Hashable:
        """What a connection belongs to: nothing else may use it."""
        raise NotImplementedError

    def _is_lost(self, home: Any) -> bool:
        """Whether what a connection belonged to cannot come back."""
        raise NotImplementedError

    def _new(self, transport: HttpTransport) -> BaseConnection[Any]:
        """A connection of the kind that is used here."""
        raise NotImplementedError

    def _kept_here(self) -> list[Kept]:
        """The connections that are kept, and can be used where this is called."""
        home = self._home()
        kept = self._kept.get(home)
        if kept is None:
            for other in [other for other in list(self._kept) if self._is_lost(other)]:
                self._kept.pop(other, None)
            kept = self._kept.setdefault(home, [])
        return kept

    def _borrow(self, values: Mapping[str, Any], timeout: float | None) -> BaseConnection[Any]:
        """A connection for one call, with these values of `_functions`."""
        changes: dict[str, Any] = {keyword: _checked(keyword, value) for keyword, value in values.items()}
        if timeout is not None:
            try:
                changes["timeout"] = time_limit(timeout)
            except ValueError as error:
                raise e.ProgrammingError(f"timeout: {error}") from None
        settings = self._settings._replace(**changes) if changes else self._settings
        kept = self._kept_here()
        while (last := _pop(kept)) is not None:
            # By the clock on the wall: the other does not go on while a function is frozen between two calls.
            if 0 <= time.time() - last.since < KEPT_FOR:
                last.connection._transport.settings = settings
                last.connection._transport.timeout = settings.timeout
                return last.connection
            _discard(last.connection)
        return self._open(settings)

    def _open(self, settings: Settings) -> BaseConnection[Any]:
        from .flows.http import HttpTransport  # who has only sessions never needs it

        transport = HttpTransport(settings)
        transport.autocommit = True
        connection = self._new(transport)
        connection._adapters = self._adapters
        connection._pool = None  # it need not be closed, as one of a pool
        return connection

    def _give_back(self, connection: BaseConnection[Any]) -> None:
        kept = self._kept_here()
        if len(kept) < MAX_KEPT:
            kept.append(Kept(connection, time.time()))
        else:
            _discard(connection)


class Kept(NamedTuple):
    """A connection that waits for the next call, and since when: seconds since the epoch."""

    connection: BaseConnection[Any]
    since: float


#: The keywords whose value can be a function that is called for each call.
_PER_CALL = frozenset({"password", "auth_token"})


def _checked(keyword: str, value: Any) -> str:
    if keyword == "auth_token":
        return checked_token(value)
    if not isinstance(value, str):
        raise e.ProgrammingError(f"{keyword}: the function should return a str, not {type(value).__name__}")
    return checked_text(keyword, value)


def _discard(connection: BaseConnection[Any]) -> None:
    """Close a connection: over HTTP there is nothing to say first, and nothing to wait for."""
    connection._transport.closed = True
    connection._runner.close()


def discard_all(kept: list[Kept]) -> None:
    """Close the connections that are kept."""
    while (last := _pop(kept)) is not None:
        _discard(last.connection)


def _pop(kept: list[Kept]) -> Kept | None:
    """Take the connection that was kept last, if another thread has not taken it first."""
    try:
        return kept.pop()
    except IndexError:
        return None


def _statement(item: TransactionItem) -> Statement:
    if isinstance(item, Statement):
        return item
    if isinstance(item, (list, Awaitable)):
        raise TypeError(
            f"a statement of a transaction should be a query or (query, params), got {type(item).__name__};"
            " a call of the query function runs at once, so it cannot be part of one"
        )
    return Statement(*_statement_and_params(item))


def call_flow(connection: BaseConnection[Any], call: Call) -> Flow[list[Any]]:
    """Make the request of a call, and give what each statement has brought."""
    transport = connection._transport
    queries = []
    for statement in call.statements:
        query = statement.query_class(connection._transformer(), text_only=True)
        query.convert(statement.query, statement.params)
        queries.append(query)
    if call.characteristics is None:
        results = yield from transport.execute(queries[0], binary=False, deliver=lambda results: None)
        assert results is not None
    else:
        results = yield from transport.batch(queries, call.characteristics)
    return [_outcome(connection, result, call) for result in results]


def _outcome(connection: BaseConnection[Any], result: Result, call: Call) -> Any:
    cursor = BaseCursor(connection, row_factory=call.row_factory)
    cursor._take([result])
    rows = [] if result.fields is None else cursor._fetch(None)
    if not call.full_results:
        return rows
    command = result.command_tag.partition(" ")[0]
    return FullResults(rows, result.command_tuples, command, cursor.description or [])
