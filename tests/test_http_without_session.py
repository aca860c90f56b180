"""What needs a session raises NotSupportedError over HTTP, and nothing is sent."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from relay import Relay
from transports import Connect, Connection, Numbers, over_http, status

import neonps

pytestmark = over_http

INSERT = "insert into numbers values (%s)"


@pytest.mark.parametrize(
    "statement",
    [
        "begin",
        "BEGIN ISOLATION LEVEL SERIALIZABLE",
        "start transaction",
        "commit",
        "end",
        "rollback",
        "abort",
        "savepoint a",
        "release savepoint a",
        "rollback to savepoint a",
        "prepare transaction 'a'",
        "commit prepared 'a'",
        "rollback prepared 'a'",
        "copy numbers from stdin",
        "copy numbers to stdout",
        "COPY (select 1) TO STDOUT",
        "listen a",
        "unlisten *",
        "declare c cursor for select 1",
        "fetch next from c",
        "move next in c",
        "close c",
        " /* a */ -- b\n ; begin",
        "/* a /* b */ c */ commit",
    ],
)
@pytest.mark.parametrize("where", ["autocommit", "transaction", "block", "batch", "executemany"])
def test_what_needs_a_session(numbers: Numbers, relayed: Connect, relay: Relay, statement: str, where: str) -> None:
    def block() -> None:
        with conn.transaction():
            conn.execute(INSERT, [1])
            conn.execute(statement)

    ways: dict[str, Callable[[], object]] = {
        "autocommit": lambda: conn.execute(statement),
        "transaction": lambda: conn.execute(statement),
        "block": block,
        "batch": lambda: conn.batch([(INSERT, [1]), statement]),
        "executemany": lambda: conn.cursor().executemany(statement, [()]),
    }
    conn = relayed(autocommit=where != "transaction")
    relay.clear()
    with pytest.raises(neonps.NotSupportedError, match="websocket"):
        ways[where]()
    assert relay.sent == []
    assert status(conn) == "IDLE"
    assert numbers() == []


@pytest.mark.parametrize(
    "statement",
    [
        "set work_mem = '1MB'",
        "reset all",
        "prepare p as select 1",
        "deallocate all",
        "discard temp",
        "/**/ SET a.b = 1",
    ],
)
def test_what_would_have_no_effect(conn: Connection, auto: Connection, statement: str) -> None:
    with pytest.raises(neonps.NotSupportedError, match="no effect"):
        auto.execute(statement)


@pytest.mark.parametrize("use", [lambda conn: conn.cancel(), lambda conn: conn.cancel_safe()])
def test_cancelling(conn: Connection, use: Callable[[Connection], None]) -> None:
    with pytest.raises(neonps.NotSupportedError, match="timeout"):
        use(conn)


def test_there_is_no_session_to_tell_of(conn: Connection) -> None:
    assert conn.info.backend_pid == 0
    assert conn.info.server_version == 0
    assert conn.info.parameter_status("TimeZone") is None
    assert conn.info.request_id is None
    conn.execute("select 1")
    assert conn.info.request_id


def test_a_read_that_was_not_committed_does_not_hinder_anything(conn: Connection) -> None:
    """As on a session: what is set for a transaction can be changed only between two."""
    conn.execute("select 1")
    conn.autocommit = True
    conn.autocommit = False
    with conn.transaction():
        conn.execute("select 1")
    assert len(conn.batch(["select 1"])) == 1
