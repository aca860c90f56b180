"""Looking up types in the catalog of the server (PostgreSQL docs 52.64, `pg_type`)."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from . import errors as e
from .encodings import text_codec
from .isolation import TransactionCharacteristics
from .pq import PipelineStatus, TransactionStatus
from .query import PostgresQuery
from .transformer import Transformer

if TYPE_CHECKING:
    from .base_connection import BaseConnection
    from .flows.requests import Flow
    from .flows.transport import Transport
    from .protocol.result import Result
    from .sql import Identifier

#: The fields of a row as text, `str`; None for NULL.
CatalogRow = list[Any]

#: Around the query in a transaction, for it may fail.
_SAVEPOINT = "_neonps_types"


def look_up(connection: BaseConnection[Any], query: str, name: str | Identifier) -> Flow[list[CatalogRow]]:
    """Run a query of the catalog.

    It is a transaction of its own; in one that is open it does no harm to that, even if it fails.

    Args:
        connection: where.
        query: the query, with `%s` for the name.
        name: the name of a type as SQL has it, schema and quotes included.

    Raises:
        ProgrammingError: this cannot be the name of a type.
        NotSupportedError: over HTTP, statements wait for commit.
    """
    if not isinstance(name, str) and hasattr(name, "as_string"):
        name = name.as_string(connection)
    transport = connection._transport
    converted = PostgresQuery(Transformer(connection), text_only=not transport.has_binary)
    converted.convert(query, [name])
    if not transport.has_session:
        results = yield from transport.read_aside(converted)
    elif transport.transaction_status is TransactionStatus.IDLE and transport.pipeline_status is PipelineStatus.OFF:
        results = yield from transport.batch([converted], TransactionCharacteristics(read_only=True))
    else:
        results = yield from _look_up_within(transport, converted)
    codec = text_codec(connection)
    return [[None if value is None else value.decode(codec) for value in row] for row in results[0].rows()]


def _look_up_within(transport: Transport, query: PostgresQuery) -> Flow[list[Result]]:
    """Run a query in the transaction, or the pipeline, that is open."""
    outer = yield from transport.enter_block(_SAVEPOINT)
    results: list[Result] = []
    try:
        found = yield from transport.execute(query, binary=False, deliver=results.extend)
        if found is None:
            yield from transport.receive_pending()
    except e.Error:
        with suppress(e.Error):
            yield from transport.leave_block(_SAVEPOINT, outer=outer, rollback=True)
        raise
    yield from transport.leave_block(_SAVEPOINT, outer=outer, rollback=False)
    return found or results
