"""What a statement brings, for what is made of Arrow: columns, and its rows as they have come."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import AbstractContextManager
from typing import Any

from ..connection import Connection
from ..cursor import Cursor
from ..protocol.wireresult import WireResult
from .result import Outcome, outcome_from

#: Rows are collected until they are so many bytes, since columns are not worth making of a few.
_BYTES_AT_A_TIME = 1 << 20


def arrow_outcome_of(
    connection: Connection[Any], statement: str, params: Mapping[str, str | None] | None
) -> AbstractContextManager[Outcome]:
    """Run a statement, as `outcome_of()` does; the rows come as some results, of many rows each.

    Raises:
        Error: what the server has answered, here or when results are taken.
    """
    cursor = connection.cursor()
    return outcome_from(cursor, _collected(cursor, statement, params))


def _collected(
    cursor: Cursor[Any], statement: str, params: Mapping[str, str | None] | None
) -> Generator[Any, None, None]:
    connection = cursor.connection
    with connection.lock:
        stream = connection._run_locked(cursor._stream_start_flow(statement, params, None, 2))
        if stream is None:  # over HTTP they are here already
            yield cursor.pgresult
            return
        try:
            collected: WireResult | None = None
            size = 0
            while (result := connection._run_locked(stream.next())) is not None:
                assert isinstance(result, WireResult)
                if collected is None:
                    collected, size = WireResult(list(result.fields or ())), 0
                for piece in result.pieces():
                    collected.append(piece)
                    size += piece.stop - piece.start
                if size >= _BYTES_AT_A_TIME:
                    yield collected
                    collected = None
            if collected is not None:
                yield collected
        finally:
            if not stream.finished and not connection.closed:
                connection._run_locked(stream.stop())
