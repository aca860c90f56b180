"""SQLAlchemy over HTTP: what the driver cannot do there is refused before it is half done, and in SQLAlchemy's words.

With isolation_level="AUTOCOMMIT" each statement is a request, and all is as it is elsewhere. Otherwise the driver lets
a query run at once, and keeps every other statement for commit(), which sends all of them as one transaction. Until
then such a statement has neither rows nor a count of rows, and SQLAlchemy would take "not yet" for "none".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import exc
from sqlalchemy.dialects.postgresql.psycopg import PGExecutionContext_psycopg

from neonps.errors import NotSupportedError, ReadOnlySqlTransaction
from neonps.flows.http import READS
from neonps.tokens import first_words, has_word

_ADVICE = (
    'use isolation_level="AUTOCOMMIT" (of create_engine() or execution_options()), where each statement takes effect '
    "at once, or a transport that has transactions: ?transport=websocket or ?transport=tcp in the URL"
)
_ADVICE_IN_BLOCK = (
    "end the block of the driver's transaction() first, or use a transport that has transactions: "
    "?transport=websocket or ?transport=tcp in the URL"
)
#: What the driver advises, and how that is done here.
_IN_OUR_WORDS = {
    "commit first, or connect with autocommit=True, or use transport='websocket'": f"commit first, or {_ADVICE}",
    "use transport='websocket' or 'tcp'": "use ?transport=websocket or ?transport=tcp in the URL",
}
_on_commit_drop = re.compile(r"\bon\s+commit\s+drop\b", re.IGNORECASE)


class NeonpsExecutionContext(PGExecutionContext_psycopg):
    """An execution whose statement may be kept for commit.

    Attributes:
        advice: what to do to know its results, if the statement waits for commit, over HTTP; empty if it does not.
    """

    advice = ""

    @property
    def rowcount(self) -> int:
        """The number of rows that the statement has touched, as SQLAlchemy asks it.

        Raises:
            NotSupportedError: SQLAlchemy's; an UPDATE or DELETE waits for commit.
        """
        # Of an INSERT nothing depends on it: pandas asks, and takes the driver's -1 for unknown.
        if self.advice and not self.isinsert:
            error = NotSupportedError(f"over HTTP the number of rows is not known before commit: {self.advice}")
            raise exc.NotSupportedError(self.statement, None, error)
        count: int = super().rowcount
        return count


def driver_connection(cursor: Any) -> Any:
    """The driver's connection of a cursor, or of a cursor that SQLAlchemy has adapted for asyncio."""
    return getattr(cursor, "_cursor", cursor).connection


def execute(call: Callable[[], None], connection: Any, statement: str, context: Any, *, fetches: bool) -> None:
    """Run a statement over HTTP by `call`.

    Args:
        call: runs the statement.
        connection: the driver's connection.
        statement: the statement.
        context: SQLAlchemy's context of the execution; None where there is none.
        fetches: whether SQLAlchemy will fetch the rows if there are any.

    Raises:
        NotSupportedError: it needs a transaction that is open; nothing of it has been done or kept.
        Error: what the server has answered.
    """
    _refuse_temporary(statement, connection)
    if fetches and (not connection.autocommit or _waits(connection)):
        _refuse_rows(statement, connection, context)
    try:
        with our_words():
            call()
    except ReadOnlySqlTransaction as error:
        if connection.read_only is not True and not connection.autocommit:
            error.args = (f"{error.diag.message_primary}\nHINT:  over HTTP a query that writes needs this: {_ADVICE}",)
        raise
    if context is not None and _waits(connection):
        context.advice = _advice(connection)


@contextmanager
def our_words() -> Iterator[None]:
    """Let what the driver advises in a `NotSupportedError` be said in SQLAlchemy's words."""
    try:
        yield
    except NotSupportedError as error:
        message = str(error)
        for words, ours in _IN_OUR_WORDS.items():
            message = message.replace(words, ours)
        error.args = (message,)
        raise


def _refuse_temporary(statement: str, connection: Any) -> None:
    words = iter(first_words(statement, 4))
    if next(words, "") != "CREATE":
        return
    kind = next((word for word in words if word not in ("OR", "REPLACE", "GLOBAL", "LOCAL")), "")
    if kind not in ("TEMP", "TEMPORARY"):
        return
    if connection.autocommit or not _on_commit_drop.search(statement):
        raise NotSupportedError(
            "over HTTP what is temporary is gone when the request is answered: "
            "use ?transport=websocket or ?transport=tcp in the URL"
        )


def _refuse_rows(statement: str, connection: Any, context: Any) -> None:
    """Refuse a statement whose rows would have to be there before commit."""
    if not READS.isdisjoint(first_words(statement, 1)):
        if _waits(connection):
            raise NotSupportedError(
                "over HTTP a query cannot see the statements before it, which wait for commit: "
                + (_ADVICE_IN_BLOCK if connection.autocommit else f"commit first, or {_ADVICE}")
            )
    elif _returns_rows(statement, context):
        raise NotSupportedError(f"over HTTP what RETURNING gives is not known before commit: {_advice(connection)}")


def _advice(connection: Any) -> str:
    return _ADVICE_IN_BLOCK if connection.autocommit else _ADVICE


def _waits(connection: Any) -> bool:
    """Whether a statement waits for commit, or a block of the driver's is open, in which all of them do."""
    waits: bool = connection._transport.waits
    return waits


def _returns_rows(statement: str, context: Any) -> bool:
    compiled = getattr(context, "compiled", None)
    if compiled is not None and (context.isinsert or context.isupdate or context.isdelete):
        return bool(compiled.effective_returning)
    return has_word(statement, "RETURNING")
