"""What is logged about connections, and that nothing is in it that should not be."""

from __future__ import annotations

import ast
import asyncio
import logging
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from odd_websocket import CloseConnection, OddWebSocket
from pages import ROOT, run
from relay import Relay
from transports import Connect, Numbers, on_sessions, over_http, over_tcp, over_websocket

import neonps
from neonps.embedded import EmbeddedPostgres, free_port
from neonps.gateway import Gateway

Admin = psycopg.Connection[Any]

NAME = "neonps.connection"


class Events(logging.Handler):
    """Takes what this thread logs; the gateway, in another one, is a client of Postgres itself."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self._thread:
            self.records.append(record)

    @property
    def names(self) -> list[str]:
        """What has happened since this was last asked."""
        names = [record.__dict__["neonps_event"] for record in self.records]
        self.records.clear()
        return names

    def only(self, event: str) -> dict[str, Any]:
        """The fields of the only event of this name, with its level."""
        (record,) = [record for record in self.records if record.__dict__["neonps_event"] == event]
        fields = {name.removeprefix("neonps_"): value for name, value in record.__dict__.items()}
        return {**fields, "level": record.levelname}


@pytest.fixture
def events() -> Iterator[Events]:
    logger = logging.getLogger(NAME)
    handler = Events()
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield handler
    logger.setLevel(logging.NOTSET)
    logger.removeHandler(handler)


# A connection's life


@on_sessions
def test_a_session(connect: Connect, events: Events, postgres: EmbeddedPostgres, transport: str) -> None:
    conn = connect()
    where = {"transport": transport, "host": postgres.host, "port": postgres.port}
    where |= {"dbname": postgres.dbname, "user": postgres.user}
    for event in ("connecting", "connected"):
        found = events.only(event)
        assert {name: found[name] for name in where} == where
        assert found["level"] == "DEBUG"
        if transport == "websocket":
            assert re.fullmatch(r"ws://127\.0\.0\.1:\d+/v2", found["endpoint"])
        else:
            assert found["endpoint"] is None
    connected = events.only("connected")
    assert connected["backend_pid"] == conn.info.backend_pid
    assert connected["server_version"] == conn.info.parameter_status("server_version")
    assert connected.get("request_id") == conn.info.request_id
    assert events.names == ["connecting", "connected"]
    conn.execute("select %s", [1])
    conn.commit()
    assert events.names == []
    pid = conn.info.backend_pid
    conn.close()
    assert events.only("closed")["backend_pid"] == pid
    conn.close()
    assert events.names == ["closed"]


def test_messages(connect: Connect, events: Events, postgres: EmbeddedPostgres, transport: str) -> None:
    conn = connect()
    conn.execute("select 1")
    first, second, *_ = [record.getMessage() for record in events.records]
    if transport == "tcp":
        assert first == f'connecting [tcp, server at "127.0.0.1", port {postgres.port}]'
        assert second.startswith(f"{first.replace('connecting', 'connected')} backend_pid={conn.info.backend_pid} ")
    else:
        path = {"websocket": "v2", "http": "sql"}[transport]
        assert re.fullmatch(rf"connecting \[{transport}, (ws|http)://127\.0\.0\.1:\d+/{path}\]", first)
    assert {record.name for record in events.records} == {NAME}


@on_sessions
def test_a_login_that_is_completed_later(connect: Connect, events: Events) -> None:
    conn = connect(lazy=True)
    assert events.names == ["connecting", "login left to the first statement"]
    conn.execute("select 1")
    assert events.only("connected")["backend_pid"] == conn.info.backend_pid


@over_http
def test_requests(relayed: Connect, relay: Relay, events: Events) -> None:
    conn = relayed(autocommit=True)
    assert events.names == []
    conn.execute("select 1")
    request = events.only("request")
    assert (request["status"], request["request_id"]) == (200, conn.info.request_id)
    with pytest.raises(neonps.DataError) as caught:
        conn.execute("select 1 / 0")
    assert conn.info.request_id == caught.value.request_id
    request = events.records[-1].__dict__
    assert (request["neonps_status"], request["neonps_request_id"]) == (400, caught.value.request_id)
    assert events.names == ["connecting", "connected", "request", "request"]
    relay.cut()
    conn.execute("select 1")
    assert events.names == ["reconnecting", "connected", "request"]
    conn.close()
    assert events.names == ["closed"]


def test_on_asyncio(url: str, events: Events, transport: str) -> None:
    async def main() -> None:
        async with await neonps.AsyncConnection.connect(url, transport=transport) as conn:
            await conn.execute("select 1")

    asyncio.run(main())
    assert events.names == ["connecting", "connected", *(["request"] if transport == "http" else []), "closed"]


# What goes wrong


@over_tcp
def test_the_next_host(connect: Connect, events: Events, postgres: EmbeddedPostgres) -> None:
    closed = free_port()
    connect(host="127.0.0.1,127.0.0.1", port=f"{closed},{postgres.port}")
    failed = events.only("attempt failed")
    assert (failed["level"], failed["port"]) == ("WARNING", closed)
    assert failed["reason"].startswith("Connection refused Is the server running")
    assert events.names == ["connecting", "attempt failed", "connecting", "connected"]


@over_tcp
def test_a_name_that_is_not_found(connect: Connect, events: Events) -> None:
    with pytest.raises(neonps.OperationalError):
        connect(host="name.invalid")
    assert "name.invalid" in events.only("attempt failed")["reason"]
    assert events.names == ["attempt failed"]


@on_sessions
def test_a_server_of_another_kind(connect: Connect, events: Events) -> None:
    connect(target_session_attrs="prefer-standby")
    failed = events.only("attempt failed")
    assert (failed["level"], failed["reason"]) == ("INFO", "server is not in hot standby mode")
    assert events.names == ["connecting", "connected", "closed", "attempt failed", "connecting", "connected"]


@on_sessions
def test_a_login_that_is_refused(connect: Connect, events: Events) -> None:
    with pytest.raises(neonps.OperationalError):
        connect(password="wrong")
    failed = events.only("attempt failed")
    assert (failed["level"], failed["reason"]) == (
        "WARNING",
        "the server has refused the session: InvalidPassword, SQLSTATE 28P01",
    )
    assert events.names == ["connecting", "attempt failed"]


@over_http
def test_a_service_that_is_not_there(connect: Connect, events: Events) -> None:
    with pytest.raises(neonps.OperationalError):
        connect(gateway=f"http://127.0.0.1:{free_port()}").execute("select 1")
    assert events.only("attempt failed")["reason"] == "Connection refused"
    assert events.names == ["connecting", "attempt failed"]


@on_sessions
def test_a_session_that_is_lost(connect: Connect, admin: Admin, events: Events) -> None:
    conn = connect()
    pid = conn.info.backend_pid
    admin.execute("select pg_terminate_backend(%s, 10000)", [pid])
    with pytest.raises(neonps.OperationalError):
        conn.execute("select 1")
    lost = events.only("connection lost")
    assert (lost["level"], lost["backend_pid"]) == ("WARNING", pid)
    assert lost["reason"] == "the server has ended the session: AdminShutdown, SQLSTATE 57P01"
    conn.close()
    assert events.names == ["connecting", "connected", "connection lost"]


@on_sessions
def test_a_line_that_is_cut(relayed: Connect, relay: Relay, events: Events) -> None:
    conn = relayed()
    relay.cut()
    with pytest.raises(neonps.OperationalError):
        conn.execute("select 1")
    assert events.only("connection lost")["reason"].startswith("server closed the connection unexpectedly")


@over_websocket
def test_a_websocket_that_is_closed(transport: str, dsn: str, postgres: EmbeddedPostgres, events: Events) -> None:
    with OddWebSocket(postgres.host, postgres.port, last=CloseConnection(1011, "broken")) as server:
        with pytest.raises(neonps.OperationalError):
            neonps.connect(dsn, gateway=server.gateway, transport=transport)
    assert "1011 (internal error): broken" in events.only("attempt failed")["reason"]


@over_websocket
def test_a_websocket_that_is_refused(transport: str, dsn: str, gateway: Gateway, events: Events) -> None:
    endpoint = f"{gateway.url}/v2?address=elsewhere:1"
    with pytest.raises(neonps.OperationalError, match="does not lead to elsewhere:1") as caught:
        neonps.connect(dsn, ws_proxy=endpoint, transport=transport)
    assert caught.value.status == 403
    assert caught.value.request_id
    assert caught.value.request_id in str(caught.value)
    assert caught.value.request_id in events.only("attempt failed")["reason"]


@over_http
def test_an_answer_that_is_lost(relayed: Connect, relay: Relay, events: Events, mark: str) -> None:
    conn = relayed(autocommit=True)
    conn.execute("select 1")
    relay.cut_at(mark.encode())
    with pytest.raises(neonps.OperationalError, match="no answer") as caught:
        conn.execute(f"select '{mark}'")
    assert "no answer" in events.only("connection lost")["reason"]
    assert caught.value.request_id is None
    assert conn.info.request_id is None, "that of another request"


@on_sessions
def test_a_timeout(connect: Connect, events: Events) -> None:
    conn = connect(timeout=0.2, autocommit=True)
    with pytest.raises(neonps.OperationalError, match="timeout"):
        conn.execute("select pg_sleep(100)")
    timeout = events.only("timeout")
    assert (timeout["level"], timeout["timeout"], timeout["outcome"]) == ("WARNING", 0.2, "it was cancelled")
    cancel = events.only("cancel request sent")
    assert (cancel["level"], cancel["backend_pid"]) == ("INFO", conn.info.backend_pid)
    assert events.names == ["connecting", "connected", "cancel request sent", "timeout"]


@over_http
def test_a_timeout_of_a_request(connect: Connect, events: Events) -> None:
    conn = connect(timeout=0.2, autocommit=True)
    with pytest.raises(neonps.OperationalError, match="timeout"):
        conn.execute("select pg_sleep(100)")
    assert events.only("timeout")["outcome"] == "the connection was closed"


@on_sessions
def test_a_statement_that_cannot_be_cancelled(relayed: Connect, relay: Relay, events: Events) -> None:
    conn = relayed(timeout=0.2)
    conn._transport.canceller = _refused_to_cancel  # type: ignore[attr-defined]
    with pytest.raises(neonps.OperationalError, match="could not be cancelled"):
        conn.execute("select pg_sleep(100)")
    failed = events.only("cancelling failed")
    assert (failed["level"], failed["reason"]) == ("INFO", "OperationalError")
    assert events.names == ["connecting", "connected", "cancelling failed", "connection lost", "timeout"]


def _refused_to_cancel(pid: int, key: bytes) -> Iterator[Any]:
    raise neonps.OperationalError("no")
    yield


@on_sessions
def test_connections_that_nobody_closes(url: str, transport: str, events: Events) -> None:
    def drop() -> int:
        conn = neonps.connect(url, transport=transport)
        return conn.info.backend_pid

    with pytest.warns(ResourceWarning):
        pid = drop()
    left = events.only("left open")
    assert (left["level"], left["backend_pid"]) == ("WARNING", pid)


# Prepared statements


@on_sessions
def test_prepared_statements(connect: Connect, events: Events) -> None:
    conn = connect(prepare_threshold=0, autocommit=True)
    conn.prepared_max = 2
    conn.execute("create temporary table prepared (a int)", prepare=False)
    assert events.names == ["connecting", "connected"]
    for number in range(3):
        conn.execute(f"select {number}")
    assert events.only("prepared statement evicted")["prepared_max"] == 2
    conn.execute("drop table prepared", prepare=False)
    outdated = events.only("prepared statements outdated")
    assert (outdated["count"], outdated["by"], outdated["level"]) == (2, "DROP TABLE", "DEBUG")


# What must not be in it


def test_no_secret_and_no_value(
    relayed: Connect, relay: Relay, transport: str, events: Events, mark: str, numbers: Numbers
) -> None:
    """Not in a record, nor in anything that hangs on it, whatever goes wrong."""
    password = f"password-{mark}"
    with pytest.raises(neonps.OperationalError):
        relayed(password=password, lazy=False).execute("select 1")
    conn = relayed(autocommit=True)
    known = conn.info.password
    conn.execute(f"select '{mark}', %s", [mark])
    conn.cursor().executemany("insert into numbers values (%s)", [(424242,), (424243,)])
    for statement in (f"select '{mark}'::int", f"select {mark}", "insert into numbers values (%s)"):
        with pytest.raises(neonps.Error):
            conn.execute(statement, [424242] if "%s" in statement else None)
    conn.batch([("select %s", [mark])])
    if transport == "http":
        relay.cut_at(b"lost")
    else:
        relay.cut()
    with pytest.raises(neonps.OperationalError):
        conn.execute(f"select '{mark}, lost'")
    assert {"connected", "connection lost"} <= {record.__dict__["neonps_event"] for record in events.records}
    for record in events.records:
        shown = f"{record.getMessage()} {record.__dict__}"
        for secret in (mark, known, "424242", "select"):
            assert secret not in shown


@over_http
def test_no_token(relayed: Connect, events: Events) -> None:
    with pytest.raises(neonps.Error):
        relayed(auth_token="tok-en", fetch_endpoint=f"http://127.0.0.1:{free_port()}/sql?key=tok-en").execute(
            "select 1"
        )
    assert len(events.records) == 2
    assert "tok-en" not in str([record.__dict__ for record in events.records])


# How it is logged


def test_attributes_that_a_program_has_already(
    connect: Connect, events: Events, request: pytest.FixtureRequest
) -> None:
    """`logging` raises KeyError for an attribute that a record has before it gets ours."""
    factory = logging.getLogRecordFactory()

    def with_request(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = factory(*args, **kwargs)
        record.request_id = record.host = record.user = record.event = "of the program"
        return record

    request.addfinalizer(lambda: logging.setLogRecordFactory(factory))
    logging.setLogRecordFactory(with_request)
    connect().execute("select 1")
    assert events.names[:2] == ["connecting", "connected"]


SILENT = """
import os, sys
import neonps

for transport in ("tcp", "websocket", "http"):
    try:
        with neonps.connect(os.environ["DATABASE_URL"], transport=transport, password="wrong") as conn:
            conn.execute("select 1")
    except neonps.OperationalError:
        print("refused")
    conn = neonps.connect(os.environ["DATABASE_URL"], transport=transport, timeout=0.1, autocommit=True)
    try:
        conn.execute("select pg_sleep(100)")
    except neonps.OperationalError:
        print("timeout")
    conn.close()
"""


def test_nothing_is_printed_unless_asked_for(url: str, tmp_path: Path) -> None:
    path = tmp_path / "silent.py"
    path.write_text(SILENT)
    ran = run("-X", "dev", "-W", "error", str(path), url=url)
    assert (ran.stdout.split(), ran.stderr) == (["refused", "timeout"] * 3, "")


# The page


def logged_events() -> set[str]:
    """The names of all events, as they are in the source."""
    found = set()
    for path in (ROOT / "neonps").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and _name(node.func) == "log" and len(node.args) > 1:
                strings = [each.value for each in ast.walk(node.args[1]) if isinstance(each, ast.Constant)]
                found |= {each for each in strings if isinstance(each, str)}
    return found


def _name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def test_the_page_has_all_events() -> None:
    page = (ROOT / "docs" / "howto" / "observability.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| (?:DEBUG|INFO|WARNING) \| `([^`]+)`", page, re.MULTILINE))
    assert documented == logged_events()
    assert "connection lost" in documented
