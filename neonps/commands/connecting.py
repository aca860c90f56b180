"""The connection that a subcommand works on."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..abc import AdaptContext
    from ..connection import Connection
    from ..diagnostic import Diagnostic


def connect(url: str | None, transport: str | None, context: AdaptContext | None = None) -> Connection[Any]:
    """Connect in autocommit mode; what the server has to tell goes to standard error.

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
    connection.add_notice_handler(_print_notice)
    return connection


def _print_notice(notice: Diagnostic) -> None:
    from .report import complain

    lines = [f"{notice.severity}:  {notice.message_primary}"]
    for label, text in (("DETAIL", notice.message_detail), ("HINT", notice.message_hint)):
        if text is not None:
            lines.append(f"{label}:  {text}")
    complain("\n".join(lines))
