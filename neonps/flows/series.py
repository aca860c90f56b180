"""Statements as extended-query messages (PostgreSQL docs 53.2.3)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .. import errors as e
from ..protocol import frontend as f
from ..protocol.frontend import FrontendMessage
from ..query import PostgresQuery
from ..tokens import first_words

NO_COPY = "COPY cannot be used with this method; use copy() instead"


def series(statements: Iterable[bytes]) -> tuple[FrontendMessage, ...]:
    """Statements of the driver's own, with no Sync: if one fails, nothing after it runs."""
    messages: list[FrontendMessage] = []
    for statement in statements:
        messages += (f.Parse(b"", statement), f.Bind(b"", b""), f.Execute(b""))
    return tuple(messages)


TEXT: Sequence[int] = (0,)


def extended(
    query: PostgresQuery, result_formats: Sequence[int], name: bytes = b"", known: bool = False
) -> tuple[FrontendMessage, ...]:
    """A statement of the user, with no Sync.

    Args:
        query: the statement and its parameters.
        result_formats: the format to ask for each column in, 0 text or 1 binary; or one for all.
        name: under which it is prepared; b"" if it is not.
        known: the server has it under that name already.
    """
    parse = () if known else (f.Parse(name, query.query, query.types or ()),)
    return (
        *parse,
        f.Bind(b"", name, query.bound, query.formats or (), result_formats),
        f.DescribePortal(b""),
        f.Execute(b""),
    )


def refuse_copy(query: PostgresQuery) -> None:
    """Refuse a COPY behind which more is to be sent: a server that wants data instead ends the session.

    Raises:
        ProgrammingError: it is one.
    """
    if first_words(query.query.decode("utf-8", "replace"), 1) == ["COPY"]:
        raise e.ProgrammingError(NO_COPY)
