"""Client-side cursors: parameters become part of the statement here, so that it can be anything."""

from __future__ import annotations

from . import errors as e
from .abc import Params, Query
from .base_cursor import BaseCursor
from .client_query import PostgresClientQuery
from .cursor import Cursor
from .cursor_async import AsyncCursor
from .pq import Format
from .rows import Row
from .tracebacks import without_locals
from .transformer import Transformer


class ClientCursorMixin(BaseCursor[Row]):
    """What makes a cursor write parameters into the statement, as literals.

    So one call can run several statements with parameters, and statements can have some that take none on the server,
    such as ALTER. Nothing is prepared.
    """

    _query_class = PostgresClientQuery
    _prepares = False

    def _wants_binary(self, binary: bool | None) -> bool:
        if self.format is Format.BINARY if binary is None else binary:
            raise e.NotSupportedError("client-side cursors don't support binary results")
        return False

    @without_locals
    def mogrify(self, query: Query, params: Params | None = None) -> str:
        """The statement with its parameters written into it.

        Raises:
            ProgrammingError: statement and parameters do not fit together.
        """
        converted = PostgresClientQuery(Transformer(self))
        converted.convert(query, params)
        return converted.as_string()


class ClientCursor(ClientCursorMixin[Row], Cursor[Row]):
    """A `Cursor` that writes parameters into the statement; for `cursor_factory`."""

    __module__ = "neonps"


class AsyncClientCursor(ClientCursorMixin[Row], AsyncCursor[Row]):
    """An `AsyncCursor` that writes parameters into the statement; for `cursor_factory`."""

    __module__ = "neonps"
