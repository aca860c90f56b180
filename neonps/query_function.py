"""One-shot queries over HTTP: `neon()` of the JavaScript driver in Python form."""

from __future__ import annotations

import os
from collections.abc import Hashable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from .abc import AdaptContext, Params, Query
from .base_query_function import (
    BaseQueryFunction,
    Call,
    FullResults,
    R,
    Statement,
    TransactionItems,
    call_flow,
    discard_all,
)
from .connection import Connection
from .isolation import IsolationLevel, TransactionCharacteristics
from .net.blocking import BlockingRunner
from .query import RawQuery
from .rows import BaseRowFactory, DictRow, tuple_row
from .tracebacks import without_locals

if TYPE_CHECKING:
    from .flows.http import HttpTransport

Row = TypeVar("Row")
_Self = TypeVar("_Self", bound="QueryFunction[Any]")


class QueryFunction(BaseQueryFunction[R]):
    """Runs statements over HTTP, each with one request. Made by `neonps.neon()`.

    It needs not be closed, and can be used by several threads at once. Connections are kept alive between calls, and
    opened again when needed; as a context manager it closes them at the end.
    """

    __module__ = "neonps"

    @overload
    def __call__(self, query: Query, params: Params | None = None, *, timeout: float | None = None) -> R: ...
    @overload
    def __call__(
        self,
        query: Query,
        params: Params | None = None,
        *,
        row_factory: BaseRowFactory[Any] | None = None,
        full_results: bool | None = None,
        timeout: float | None = None,
    ) -> Any: ...
    @without_locals
    def __call__(
        self,
        query: Query,
        params: Params | None = None,
        *,
        row_factory: BaseRowFactory[Any] | None = None,
        full_results: bool | None = None,
        timeout: float | None = None,
    ) -> Any:
        """Run a statement.

        Args:
            query: the statement, with `%s` or `%(name)s` where parameters go, and `%%` for a percent sign. Without
                `params` it is sent as it is.
            params: a sequence, or a mapping for placeholders with names. They travel beside the statement.
            row_factory, full_results: instead of what `neon()` was given.
            timeout: how long it may take, in seconds; 0 for ever.

        Returns:
            the rows, or `FullResults`.

        Raises:
            Error: what the server has answered, in the class of its SQLSTATE.
            ProgrammingError: statement and parameters do not fit together; nothing was sent.
            OperationalError: the server was not reached, or has not answered in time.
            NotSupportedError: the statement needs a session.
        """
        return self._run(self._call(Statement(query, params), row_factory, full_results, timeout))[0]

    @overload
    def query(self, query: Query, params: Params | None = None, *, timeout: float | None = None) -> R: ...
    @overload
    def query(
        self,
        query: Query,
        params: Params | None = None,
        *,
        row_factory: BaseRowFactory[Any] | None = None,
        full_results: bool | None = None,
        timeout: float | None = None,
    ) -> Any: ...
    @without_locals
    def query(
        self,
        query: Query,
        params: Params | None = None,
        *,
        row_factory: BaseRowFactory[Any] | None = None,
        full_results: bool | None = None,
        timeout: float | None = None,
    ) -> Any:
        """Run a statement that has `$1`, `$2`, … where parameters go; otherwise as calling the function itself."""
        return self._run(self._call(Statement(query, params, RawQuery), row_factory, full_results, timeout))[0]

    @overload
    def transaction(
        self,
        statements: TransactionItems,
        *,
        isolation_level: IsolationLevel | int | None = None,
        read_only: bool | None = None,
        deferrable: bool | None = None,
        timeout: float | None = None,
    ) -> list[R]: ...
    @overload
    def transaction(
        self,
        statements: TransactionItems,
        *,
        isolation_level: IsolationLevel | int | None = None,
        read_only: bool | None = None,
        deferrable: bool | None = None,
        row_factory: BaseRowFactory[Any] | None = None,
        full_results: bool | None = None,
        timeout: float | None = None,
    ) -> list[Any]: ...
    @without_locals
    def transaction(
        self,
        statements: TransactionItems,
        *,
        isolation_level: IsolationLevel | int | None = None,
        read_only: bool | None = None,
        deferrable: bool | None = None,
        row_factory: BaseRowFactory[Any] | None = None,
        full_results: bool | None = None,
        timeout: float | None = None,
    ) -> list[Any]:
        """Run several statements with one request, as one transaction: all take effect or none.

        Args:
            statements: each a statement, or a tuple of a statement and its parameters. Or a function that returns
                them; it is passed what writes statements as the query function itself does, such as
                `lambda txn: [txn("… %s", [1]), txn.query("… $1", [2])]`.
            isolation_level, read_only, deferrable: what the transaction is begun with, instead of what `neon()` was
                given.
            row_factory, full_results, timeout: as for a single statement.

        Returns:
            what each statement gives, in their order.

        Raises:
            Error: as a single statement; the first error of the server. Nothing has taken effect.
        """
        characteristics = TransactionCharacteristics.of(isolation_level, read_only, deferrable)
        return self._run(self._transaction_call(statements, characteristics, row_factory, full_results, timeout))

    def close(self) -> None:
        """Close the connections that are kept; another call opens a new one."""
        discard_all(self._kept_here())

    def __enter__(self: _Self) -> _Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        self.close()

    def _run(self, call: Call) -> list[Any]:
        values = {keyword: function() for keyword, function in self._functions.items()}
        connection = self._borrow(values, call.timeout)
        try:
            outcomes: list[Any] = connection._run(call_flow(connection, call))
            return outcomes
        finally:
            self._give_back(connection)

    def _home(self) -> Hashable:
        return os.getpid()  # a process and its child would read each other's answers

    def _is_lost(self, home: Any) -> bool:
        return bool(home != os.getpid())

    def _new(self, transport: HttpTransport) -> Connection[Any]:
        return Connection(transport, BlockingRunner(), tuple_row)


@overload
def neon(
    conninfo: str = "", *, row_factory: BaseRowFactory[Row], full_results: Literal[True], **kwargs: Any
) -> QueryFunction[FullResults[Row]]: ...
@overload
def neon(
    conninfo: str = "", *, row_factory: BaseRowFactory[Row], full_results: Literal[False] = False, **kwargs: Any
) -> QueryFunction[list[Row]]: ...
@overload
def neon(conninfo: str = "", *, full_results: Literal[True], **kwargs: Any) -> QueryFunction[FullResults[DictRow]]: ...
@overload
def neon(
    conninfo: str = "", *, full_results: Literal[False] = False, **kwargs: Any
) -> QueryFunction[list[DictRow]]: ...
@without_locals
def neon(
    conninfo: str = "",
    *,
    row_factory: BaseRowFactory[Any] | None = None,
    full_results: bool = False,
    isolation_level: IsolationLevel | int | None = None,
    read_only: bool | None = None,
    deferrable: bool | None = None,
    context: AdaptContext | None = None,
    **kwargs: Any,
) -> QueryFunction[Any]:
    """Make a function that runs statements over HTTP, each with one request.

        sql = neonps.neon(os.environ["DATABASE_URL"])
        [post] = sql("SELECT * FROM posts WHERE id = %s", [12])
        print(post["title"])

    Nothing is sent before the first statement, so that this can stand at the top of a module.

    Args:
        conninfo: a URL (`postgresql://user:password@host/db`) or `keyword=value` pairs.
        row_factory: what makes rows; dictionaries by default. `neonps.rows.tuple_row` gives tuples.
        full_results: give the columns, the command and the number of rows too, in a `FullResults`.
        isolation_level, read_only, deferrable: what transactions are begun with. If any is given, a single statement
            is sent as a transaction of its own too.
        context: where to take the adapters from; those of the module by default.
        **kwargs: any keyword of `neonps.connect()` but `transport`, which is "http". `auth_token` and `password` can
            be functions; they are called for each request. `timeout` is how long a call may take, in seconds.

    Raises:
        ProgrammingError: the connection string is not valid, or has an unknown keyword.
        NotSupportedError: something that cannot be over HTTP.
    """
    return QueryFunction(
        conninfo,
        row_factory=row_factory,
        full_results=full_results,
        isolation_level=isolation_level,
        read_only=read_only,
        deferrable=deferrable,
        context=context,
        **kwargs,
    )
