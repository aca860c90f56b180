"""Getting to a session on real servers: early and lazy logins, WebSockets that are odd, and those that end."""

from __future__ import annotations

from typing import Any

import pytest
from odd_websocket import CloseConnection, OddWebSocket, TextMessage
from relay import Relay
from transports import Connect, on_sessions, over_websocket

import neonps
from neonps import errors
from neonps.embedded import EmbeddedPostgres

# Logins


@on_sessions
@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("early", ["off", "scram"])
def test_ways_to_log_in(relayed: Connect, relay: Relay, early: str, lazy: bool) -> None:
    """By the number of times that the client takes the word, up to the answer to the first statement."""
    conn = relayed(pipeline_connect=early, lazy=lazy, autocommit=True)
    assert conn.execute("select %s", ["x"]).fetchone() == ("x",)
    handshake = int(conn.info.transport == "websocket")
    assert len(relay.sent) - handshake == {"off": 4, "scram": 3}[early] - lazy
    assert conn.info.backend_pid > 0
    assert conn.info.server_version > 100000
    assert conn.execute("select pg_backend_pid()").fetchone() == (conn.info.backend_pid,)


@on_sessions
@pytest.mark.parametrize("early", ["off", "scram"])
def test_a_wrong_password_is_heard_of_by_connect(connect: Connect, early: str) -> None:
    with pytest.raises(errors.InvalidPassword):
        connect(password="wrong", pipeline_connect=early)


@on_sessions
@pytest.mark.parametrize("early", ["off", "scram"])
def test_a_wrong_password_is_heard_of_by_the_first_statement_if_connect_did_not_wait(
    connect: Connect, early: str
) -> None:
    conn = connect(password="wrong", pipeline_connect=early, lazy=True)
    assert not conn.closed
    with pytest.raises(errors.InvalidPassword, match="password authentication failed"):
        conn.execute("select 1")
    assert conn.closed
    assert conn.broken


@on_sessions
def test_a_lazy_connection_that_is_not_used(relayed: Connect, relay: Relay) -> None:
    with relayed(lazy=True) as conn:
        conn.commit()
        conn.rollback()
    assert conn.closed


@on_sessions
def test_the_first_thing_a_lazy_connection_does(connect: Connect) -> None:
    assert len(connect(lazy=True).batch(["select 1", "select 2"])) == 2
    cursor = connect(lazy=True).cursor()
    cursor.executemany("select %s::int", [(n,) for n in range(3)], returning=True)
    assert [each.fetchone() for each in cursor.results()] == [(0,), (1,), (2,)]
    cursor = connect(lazy=True).cursor()
    cursor.executemany("select %s::int, repeat('x', 1000)", [(n,) for n in range(5000)])
    assert cursor.rowcount == 5000
    with connect(lazy=True) as conn, conn.transaction(), conn.transaction():
        assert conn.execute("select 1").fetchone() == (1,)
    with pytest.raises(errors.DivisionByZero):
        connect(lazy=True).execute("select 1 / 0")


@on_sessions
@pytest.mark.parametrize("method", ["password", "md5", "none", "gss,sspi"])
def test_a_login_that_require_auth_does_not_allow(connect: Connect, method: str) -> None:
    with pytest.raises(neonps.OperationalError, match=r"SCRAM-SHA-256, which require_auth=.* does not allow"):
        connect(require_auth=method)


@on_sessions
def test_a_password_is_not_sent_early_by_mistake(connect: Connect) -> None:
    with pytest.raises(neonps.ProgrammingError, match="require_auth"):
        connect(pipeline_connect="password")
    with pytest.raises(neonps.OperationalError):  # Postgres takes the password for a malformed SASL message
        connect(pipeline_connect="password", require_auth="password")


@on_sessions
def test_a_session_without_an_early_login_on_protocol_3_2(connect: Connect) -> None:
    conn = connect(max_protocol_version="3.2")
    assert conn.info.full_protocol_version in (30000, 30002)
    assert conn.execute("select 1").fetchone() == (1,)
    conn.cancel()  # its key can be longer than that of 3.0
    assert conn.execute("select 2").fetchone() == (2,)


# WebSockets that are odd


@over_websocket
@pytest.mark.parametrize("fragment", [0, 1, 2, 7])
@pytest.mark.parametrize("pings", [False, True])
def test_fragments_and_pings(transport: str, dsn: str, postgres: EmbeddedPostgres, fragment: int, pings: bool) -> None:
    with OddWebSocket(postgres.host, postgres.port, fragment=fragment, pings=pings) as server:
        with neonps.connect(dsn, gateway=server.gateway, transport=transport) as conn:
            for number in range(3):
                rows = conn.execute("select n, 'ünï' from generate_series(1, %s) n", [number]).fetchall()
                assert rows == [(n, "ünï") for n in range(1, number + 1)]
        assert server.close_codes in ([], [1000])
    if pings:
        assert {b"are you there?", *([b"between"] if fragment else [])} <= set(server.pongs)


@over_websocket
def test_the_handshake(transport: str, dsn: str, postgres: EmbeddedPostgres) -> None:
    with OddWebSocket(postgres.host, postgres.port) as server:
        neonps.connect(dsn, gateway=server.gateway, transport=transport).close()
    head = server.handshake.decode().lower()
    assert head.startswith(f"get /v2?address={postgres.host}:{postgres.port} http/1.1\r\n") or "%3a" in head
    assert f"host: 127.0.0.1:{server.port}\r\n" in head
    assert f"user-agent: neonps/{neonps.__version__}\r\n" in head
    assert "sec-websocket-version: 13\r\n" in head
    assert postgres.password.lower() not in head


@over_websocket
@pytest.mark.parametrize(
    ("last", "message"),
    [
        (CloseConnection(1000), "code 1000 (normal closure)"),
        (CloseConnection(1001, "restarting"), "code 1001 (going away): restarting"),
        (CloseConnection(1008, "not in your plan"), "code 1008 (policy violation): not in your plan"),
        (CloseConnection(1009), "code 1009 (message too big)"),
        (CloseConnection(1011, "ünïcödé"), "code 1011 (internal error): ünïcödé"),
        (CloseConnection(4001, "asleep"), "code 4001 (application's own code): asleep"),
        (TextMessage("hello"), "text message"),
    ],
)
def test_a_websocket_that_is_closed_in_the_login(
    transport: str, dsn: str, postgres: EmbeddedPostgres, last: Any, message: str
) -> None:
    with OddWebSocket(postgres.host, postgres.port, last=last) as server:
        with pytest.raises(neonps.OperationalError) as caught:
            neonps.connect(dsn, gateway=server.gateway, transport=transport)
        assert message in str(caught.value)
        assert server.gateway.replace("http", "ws") in str(caught.value)


@over_websocket
@pytest.mark.parametrize("last", [CloseConnection(1013, "busy"), TextMessage("hello")])
def test_a_websocket_that_is_closed_in_a_lazy_login(
    transport: str, dsn: str, postgres: EmbeddedPostgres, last: Any
) -> None:
    with OddWebSocket(postgres.host, postgres.port, last=last) as server:
        with pytest.raises(neonps.OperationalError) as caught:
            with neonps.connect(dsn, gateway=server.gateway, transport=transport, lazy=True) as conn:
                conn.execute("select 1")
        assert ("1013" if isinstance(last, CloseConnection) else "text message") in str(caught.value)
