"""Looks at connections that were lost."""

from __future__ import annotations

import pytest
from transports import Connection

import neonps


def check_lost(conn: Connection) -> None:
    """A connection that was lost says so, to whatever is tried with it, and can be closed."""
    assert conn.closed
    assert conn.broken
    assert conn.info.transaction_status.name == "UNKNOWN"
    with pytest.raises(neonps.OperationalError, match="the connection is closed"):
        conn.cursor()
    cursor = conn.cursor_factory(conn)
    for use in (lambda: cursor.execute("select 1"), conn.commit, conn.rollback):
        with pytest.raises(neonps.OperationalError, match="the connection is lost"):
            use()
    assert "[BAD]" in repr(conn)
    conn.close()
