"""The gateway before a Postgres that restarts, refuses, dies in the middle of an answer, or does not answer at all."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any

import psycopg
import pytest
from gateway_client import ERROR_FIELDS, Client, active, running, wait_for
from gateway_raw import Raw, log_in, masked, post

import neonps
from neonps.embedded import EmbeddedPostgres
from neonps.flows import interruption
from neonps.gateway import Gateway, Upstream, upstream
from neonps.protocol.frontend import Query

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="processes cannot be stopped here")


@pytest.fixture(scope="module")
def own() -> Iterator[EmbeddedPostgres]:
    """A Postgres for these tests alone, which keeps its data and its port when it is started again."""
    with (
        tempfile.TemporaryDirectory() as directory,
        EmbeddedPostgres(directory, options={"max_connections": "8", "restart_after_crash": "on"}) as server,
    ):
        yield server


@pytest.fixture(scope="module")
def before(own: EmbeddedPostgres) -> Iterator[Gateway]:
    """A gateway before it, which stays while Postgres comes and goes."""
    with running(Gateway(Upstream(own.url))) as gateway:
        yield gateway


@pytest.fixture
def http(before: Gateway, own: EmbeddedPostgres) -> Iterator[Client]:
    client = Client(before, own.url)
    with closing(client.connection):
        yield client


def works(http: Client, gateway: Gateway, own: EmbeddedPostgres) -> None:
    """It is as if nothing had been; as soon as Postgres has come to itself again."""
    wait_for(lambda: http.query("select 1").status == 200)
    for transport in ("http", "websocket"):
        with neonps.connect(f"{own.url}?gateway={gateway.url}", transport=transport) as connection:
            assert connection.execute("select 1").fetchone() == (1,)


def test_postgres_restarts(http: Client, before: Gateway, own: EmbeddedPostgres) -> None:
    works(http, before, own)
    with Raw(before) as raw, Raw(before) as at_work:
        log_in(raw, own)
        with psycopg.connect(own.url, autocommit=True) as admin:
            at_work.send(post(own.url, "select pg_sleep(100), 'restart'"))
            wait_for(lambda: active(admin, "'restart'"))
        own.stop()
        assert b"57P01" in raw.frame().data
        assert raw.close_code() == 1000
        answer = at_work.answer()
        assert (answer.status, answer.json["code"]) == (400, "57P01")
    for _ in range(3):
        down = http.query("select 1")
        assert (down.status, down.headers["Retry-After"]) == (503, "1")
        assert down.json.keys() == {"msg"}
        assert "refused" in down.json["msg"]
        with Raw(before) as raw:
            answer = raw.upgrade()
            assert (answer.status, answer.headers["retry-after"]) == (503, "1")
            assert "refused" in answer.json["msg"]
    own.start()
    works(http, before, own)


def test_a_backend_dies_and_all_go_with_it(http: Client, before: Gateway, own: EmbeddedPostgres) -> None:
    with Raw(before) as victim, Raw(before) as other, Raw(before) as streaming:
        with psycopg.connect(own.url, autocommit=True) as admin:
            log_in(streaming, own)
            streaming.send(masked(Query(b"select repeat('x', 10000) from generate_series(1, 10000000)").encode()))
            assert streaming.frame().opcode == 2
            other.send(post(own.url, "select pg_sleep(100), 'other'"))
            victim.send(post(own.url, "select pg_sleep(100), 'victim', $1", ["secret"]))
            wait_for(lambda: active(admin, "'other'") and active(admin, "'victim'"))
            query = "select pid from pg_stat_activity where query like '%''victim''%' and pid <> pg_backend_pid()"
            row = admin.execute(query).fetchone()
            assert row
            os.kill(row[0], signal.SIGKILL)
        answer = victim.answer()
        assert answer.status == 502
        assert answer.json.keys() == {"msg"}
        assert "closed the connection" in answer.json["msg"]
        assert b"secret" not in answer.body
        answer = other.answer()  # which may have heard why
        assert answer.status == 502 or (answer.status, answer.json["code"]) == (400, "57P02")
        while (frame := streaming.frame()).opcode == 2:
            pass
        assert frame.close_code in (1000, 1011)
        assert streaming.at_end()
    works(http, before, own)  # all that is answered meanwhile is a 503: the next test says so


def test_postgres_recovers_from_a_crash(http: Client, before: Gateway, own: EmbeddedPostgres) -> None:
    seen: set[tuple[int, str]] = set()
    while (503, "57P03") not in seen:  # once more if it was so quick that nobody was told to come back
        works(http, before, own)
        with closing(psycopg.connect(own.url)) as admin:
            os.kill(admin.info.backend_pid, signal.SIGKILL)
            with pytest.raises(psycopg.OperationalError):
                admin.execute("select 1")
        while (answer := http.query("select 1")).status != 200:
            seen.add((answer.status, answer.json.get("code", "")))
            if answer.json.keys() == ERROR_FIELDS and answer.status == 503:
                assert answer.json["code"] in ("57P01", "57P02", "57P03")
                assert answer.headers["Retry-After"] == "1"
    assert {status for status, _ in seen} <= {503, 502}  # 502: it had begun
    works(http, before, own)


def test_too_many_clients_for_postgres(http: Client, before: Gateway, own: EmbeddedPostgres) -> None:
    works(http, before, own)
    with ExitStack() as stack:
        with pytest.raises(neonps.errors.TooManyConnections):
            while True:
                way = {"gateway": before.url, "transport": "websocket"}
                stack.enter_context(neonps.connect(own.url, **way))
        answer = http.query("select 1")
        assert (answer.status, answer.json["code"], answer.headers["Retry-After"]) == (503, "53300", "1")
        assert answer.json.keys() == ERROR_FIELDS
        assert "too many clients" in answer.json["message"]
        for transport in ("http", "websocket"):
            url = f"{own.url}?gateway={before.url}"
            with pytest.raises(neonps.errors.TooManyConnections):
                with neonps.connect(url, transport=transport, connect_timeout=3, autocommit=True) as conn:
                    conn.execute("select 1")
    works(http, before, own)


@contextmanager
def stopped(*pids: int | None) -> Iterator[None]:
    """Processes that do nothing for a while."""
    for pid in pids:
        assert pid
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            assert pid
            os.kill(pid, signal.SIGCONT)


def test_postgres_does_not_answer(own: EmbeddedPostgres) -> None:
    with running(Gateway(Upstream(f"{own.url}?connect_timeout=1"))) as gateway:
        client = Client(gateway, own.url)
        with closing(client.connection):
            with stopped(own.pid):
                answer = client.query("select 1")
                assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
                assert "timeout" in answer.json["msg"]
            works(client, gateway, own)


def test_a_gateway_stops_whose_postgres_does_not_answer(own: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upstream, "CANCEL_TIMEOUT", 0.2)
    monkeypatch.setattr(upstream, "CLOSE_TIMEOUT", 0.2)
    monkeypatch.setattr(interruption, "CANCEL_TIMEOUT", 0.2)
    with ExitStack() as stack:
        with running(Gateway(Upstream(own.url))) as gateway, psycopg.connect(own.url, autocommit=True) as admin:
            raw, http, waiting = (stack.enter_context(Raw(gateway)) for _ in range(3))
            pid = log_in(raw, own)
            raw.send(masked(Query(b"select pg_sleep(100), 'hung'").encode()))
            http.send(post(own.url, "select pg_sleep(100), 'hung'"))
            wait_for(lambda: active(admin, "'hung'") == 2)
            query = "select pid from pg_stat_activity where query like '%''hung''%' and pid <> pg_backend_pid()"
            pids = [row[0] for row in admin.execute(query)]
            assert pid in pids
            stack.enter_context(stopped(own.pid, *pids))
            waiting.send(post(own.url, "select 1"))
        assert raw.close_code() == 1001
        assert raw.at_end()
        assert http.at_end()
        assert waiting.at_end()
    with psycopg.connect(own.url, autocommit=True) as admin:
        wait_for(lambda: not active(admin, "'hung'"))


def test_a_mistake_of_the_gateway_is_logged_without_what_clients_sent(
    own: EmbeddedPostgres, before: Gateway, http: Client, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    async def mistake(self: Upstream, login: Any, *_: object) -> str:
        raise ValueError(f"{login.password} is no password")

    monkeypatch.setattr(Upstream, "run", mistake)
    answer = http.query("select $1", ["secret"])
    assert (answer.status, answer.json) == (500, {"msg": "a mistake in the gateway; its log says more"})
    (record,) = caplog.records
    assert "mistake in the gateway: ValueError" in record.getMessage()
    assert own.password not in caplog.text
    assert "secret" not in caplog.text
