"""The connection that a subcommand works on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..abc import AdaptContext
    from ..connection import Connection
    from ..diagnostic import Diagnostic
    from ..flows.transport import Transport

_CANCELLED = "the statement was cancelled"


@contextmanager
def connect(url: str | None, transport: str | None, context: AdaptContext | None = None) -> Iterator[Connection[Any]]:
    """Connect in autocommit mode for a block; what the server has to tell goes to standard error.

    A KeyboardInterrupt in the block is explained, see `interrupts_explained()`.

    Args:
        url: where to; None for the variable DATABASE_URL, or without it the PG... variables.
        transport: how; None leaves it to the URL.
        context: where to take the adapters from.

    Raises:
        Error: as `neonps.connect()`.
    """
    from ..connection import Connection

    if url is None:
        url = os.environ.get("DATABASE_URL", "")
    connection: Connection[Any] = Connection.connect(
        url,
        autocommit=True,
        context=context,
        transport=transport,
        client_encoding="UTF8",  # of what is read and written, too
        fallback_application_name="neonps",
    )
    with connection:
        connection.add_notice_handler(_print_notice)
        with interrupts_explained(connection):
            yield connection


@contextmanager
def interrupts_explained(connection: Connection[Any]) -> Iterator[None]:
    """Give a KeyboardInterrupt a text that says what has become of the statement, as the last call has left it."""
    try:
        yield
    except KeyboardInterrupt as interrupt:
        interrupt.args = interrupt.args or (_outcome_of_interrupted(connection._transport),)
        raise


def _outcome_of_interrupted(transport: Transport) -> str:
    """What has become of the statement that was interrupted, as far as that is known."""
    from ..flows.session import Session
    from ..flows.stake import Stake
    from ..pq import TransactionStatus

    if transport.committed:
        return "the statement had been completed before it could be cancelled"
    if not isinstance(transport, Session):
        return Stake.EFFECT.value  # the service says nothing any more
    if transport.closed:
        return transport.loss.value or _CANCELLED
    if transport.may_have_committed:
        return Stake.EFFECT.value
    if transport.transaction_status is not TransactionStatus.IDLE:
        return Stake.TRANSACTION.value
    return _CANCELLED


def _print_notice(notice: Diagnostic) -> None:
    from .report import complain

    lines = [f"{notice.severity}:  {notice.message_primary}"]
    for label, text in (("DETAIL", notice.message_detail), ("HINT", notice.message_hint)):
        if text is not None:
            lines.append(f"{label}:  {text}")
    complain("\n".join(lines))
