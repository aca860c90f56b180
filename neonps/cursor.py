"""The blocking cursor."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from threading import get_ident
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from . import errors as e
from .abc import Params, Query
from .base_cursor import END, BaseCursor
from .rows import BaseRowFactory, Row
from .tracebacks import without_locals

if TYPE_CHECKING:
    import pandas
    import pyarrow

    from .connection import Connection
    from .copy import Copy, Writer

_Self = TypeVar("_Self", bound="Cursor[Any]")


class Cursor(BaseCursor[Row]):
    """Runs statements and fetches their results (PEP 249, with psycopg 3's extensions).

    Args:
        connection: the connection to run them on.
        row_factory: what makes rows; that of the connection by default. See `neonps.rows`.
    """

    __module__ = "neonps"

    _connection: Connection[Any]

    def __init__(self, connection: Connection[Any], *, row_factory: BaseRowFactory[Row] | None = None) -> None:
        super().__init__(connection, row_factory=row_factory or connection.row_factory)

    def __enter__(self: _Self) -> _Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def connection(self) -> Connection[Any]:
        """The connection that the cursor belongs to."""
        return self._connection

    def close(self) -> None:
        """Close the cursor; it can no longer be used."""
        self._close()

    def execute(
        self: _Self,
        query: Query,
        params: Params | None = None,
        *,
        prepare: bool | None = None,
        binary: bool | None = None,
    ) -> _Self:
        """Run a statement.

        Args:
            query: the statement, with `%s` or `%(name)s` where parameters go (`%t`, `%b` ask for text or binary
                format), and `%%` for a percent sign. Without `params` it is sent as it is.
            params: a sequence, or a mapping for placeholders with names. They travel beside the statement.
            prepare: prepare the statement on the server now (True) or never (False); by default once it was run
                `Connection.prepare_threshold` times. Of no effect over HTTP.
            binary: ask for results in binary format; by default what `format` says. HTTP carries text only.

        Returns:
            the cursor itself.

        Raises:
            ProgrammingError: statement and parameters do not fit together; nothing was sent.
            Error: what the server has answered, in the class of its SQLSTATE.
            OperationalError: the connection is lost, or the timeout has passed.
            NotSupportedError: over HTTP, the statement needs a session.
        """
        flow = self._execute_flow(query, params, prepare, binary)
        del query, params  # a traceback does not show them: see `neonps.tracebacks`
        self._connection._run(flow)
        return self

    def executemany(self, query: Query, params_seq: Iterable[Params], *, returning: bool = False) -> None:
        """Run a statement once with each of `params_seq`, in one round trip.

        Outside of a transaction all of it is one, so that all rows take effect or none. In a pipeline that is one with
        the other statements up to the next `sync()`, and parameters are collected before the first is sent.

        Args:
            query, params_seq: as in `execute`.
            returning: keep the results, one per parameter set, to fetch from with `nextset()` or `results()`.

        Raises:
            Error: as `execute`.
        """
        flow = self._executemany_flow(query, params_seq, returning)
        del query, params_seq
        self._connection._run(flow)

    def stream(
        self, query: Query, params: Params | None = None, *, binary: bool | None = None, size: int = 1
    ) -> Iterator[Row]:
        """Run a statement and give its rows as they arrive, so that they need not all fit into memory.

        Until the last row was taken, or the iterator was closed, the connection can do nothing else. Over HTTP the rows
        arrive all at once.

        Args:
            query, params, binary: as in `execute`.
            size: accepted for the sake of programs that give it: rows are taken as they arrive.

        Raises:
            ProgrammingError: the statement returns no rows, or there is a pipeline.
            Error: as `execute`.
        """
        connection = self._connection
        flow = self._stream_start_flow(query, params, binary, size)
        del query, params
        lock = connection.lock
        depth, owner = lock.depth, get_ident()
        try:
            lock.acquire()
            stream = connection._run_locked(flow)
            if stream is None:
                committed = connection._transport.committed
            else:
                try:
                    while (rows := connection._run_locked(self._stream_next_flow(stream))) is not None:
                        yield from rows
                finally:
                    # While Python ends nothing can be waited for any more; the connection is closed without a word.
                    if not (stream.finished or connection.closed or sys.is_finalizing()):
                        connection._run_locked(stream.stop())
        except (Exception, GeneratorExit):
            raise
        except BaseException:
            if connection._transport.in_stream:  # an interrupt has kept it from being stopped
                connection._run_locked(connection._transport.break_off())
            raise
        finally:
            try:
                lock.restore(depth, owner)
            except BaseException:  # an interrupt, wherever in it
                lock.restore(depth, owner)
                raise
        if stream is not None:
            return
        try:
            yield from self
        except e.Error as error:
            error.outcome_unknown = committed
            raise

    @without_locals
    def copy(self, statement: Query, params: Params | None = None, *, writer: Writer | None = None) -> Copy:
        """Begin a COPY ... FROM STDIN or COPY ... TO STDOUT, to be used as `with cursor.copy(…) as copy:`.

        Args:
            statement: the COPY statement.
            params: its parameters, if it has any; they are written into the statement.
            writer: what to give the data to instead of the server, for a COPY that has none; see `neonps.copy`.

        Raises:
            NotSupportedError: over HTTP, which has no session, or in a pipeline.
            ProgrammingError: statement and parameters do not fit together.
        """
        from .copy import Copy

        return Copy(self, self._copy_statement(statement, params), writer=writer)

    def _await_results(self) -> None:
        """Wait for results that are still to come from a pipeline."""
        if self._pending:
            self._connection._run(self._connection._transport.receive_pending())

    def fetchone(self) -> Row | None:
        """The next row; None after the last.

        Raises:
            ProgrammingError: there is no result to fetch from.
            DataError: Python cannot hold a value of the row.
        """
        self._await_results()
        return self._next_row(None)

    def fetchmany(self, size: int = 0) -> list[Row]:
        """The next `size` rows, by default `arraysize`; fewer at the end. Raises what `fetchone` raises."""
        self._await_results()
        return self._fetch_many(size)

    def fetchall(self) -> list[Row]:
        """The rows that are left. Raises what `fetchone` raises."""
        self._await_results()
        return self._fetch(None)

    def fetch_arrow_table(self) -> pyarrow.Table:
        """The rows that are left, as a table of Arrow.

        Its columns have the types that those of Postgres stand for, and are made without Python objects for the values.
        Loaders that are registered, and the row factory, have no part in it.

        Raises:
            NotSupportedError: pyarrow or numpy is not installed.
            ProgrammingError: there is no result to fetch from.
            DataError: Arrow cannot hold a value; the message names the column.
        """
        from .arrow import fetching

        fetching.require("fetch_arrow_table")
        self._await_results()
        return fetching.table(self)

    def fetch_df(self, *, dtype_backend: Literal["numpy_nullable", "pyarrow"] | None = None) -> pandas.DataFrame:
        """The rows that are left, as a frame of pandas: what `fetch_arrow_table()` gives, converted.

        Columns of integers or booleans are of a nullable type if there is a NULL among the values, else of NumPy's.

        Args:
            dtype_backend: as in `pandas.read_sql()`: "pyarrow" keeps all columns in Arrow, where they cost no Python
                objects, "numpy_nullable" makes all that can be of a nullable type.

        Raises:
            ValueError: there is no such `dtype_backend`.
            NotSupportedError: pandas, pyarrow or numpy is not installed.
            Error: as `fetch_arrow_table()`.
        """
        from .arrow import fetching

        fetching.require("fetch_df", "pandas")
        fetching.check_backend(dtype_backend)
        return fetching.frame(self.fetch_arrow_table(), dtype_backend)

    def fetch_record_batches(self, size: int = 16_384) -> Iterator[pyarrow.RecordBatch]:
        """The rows that are left, as record batches of Arrow, all of one schema.

        There is one at least, without rows if none is left. The rows themselves have come already; for results that do
        not fit into memory, use a server-side cursor.

        A column of numeric without a scale is text here: a type for all numbers cannot be known before the last one.

        Args:
            size: how many rows a batch has at most. Where rows are large, it has fewer.

        Raises:
            ValueError: `size` is less than 1.
            Error: as `fetch_arrow_table()`.
        """
        from .arrow import fetching

        fetching.require("fetch_record_batches")
        fetching.check_size(size)
        self._await_results()
        return fetching.batches(self, size)

    def __iter__(self: _Self) -> _Self:
        return self

    def __next__(self) -> Row:
        self._await_results()
        row = self._next_row(END)
        if row is END:
            raise StopIteration
        return row

    def scroll(self, value: int, mode: str = "relative") -> None:
        """Move within the result, by `value` rows, or to the row `value` if `mode` is "absolute".

        Raises:
            IndexError: there is no such row.
            ValueError: `mode` is neither "relative" nor "absolute".
        """
        self._await_results()
        self._scroll(value, mode)

    def results(self: _Self) -> Iterator[_Self]:
        """Go through the results of several statements; the cursor itself is given for each, to fetch from."""
        self._await_results()
        if self._results:
            yield self
            while self.nextset():
                yield self

    def set_result(self: _Self, index: int) -> _Self:
        """Go to the result number `index`, from 0; negative numbers count from the last.

        Raises:
            IndexError: there is no such result.
        """
        self._await_results()
        self._set_result(index)
        return self
