"""How much clients can have of the gateway: connections, sessions, memory; and who is sent away."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import ExitStack, closing
from typing import Any

import psycopg
import pytest
from gateway_client import ERROR_FIELDS, Client, active, running, wait_for
from gateway_raw import Raw, handshake, log_in, masked, needs_proc, post, post_body, resident, startup
from relay import Relay

import neonps
from neonps.embedded import EmbeddedPostgres
from neonps.gateway import Gateway, Upstream, server
from neonps.gateway.http import MAX_HEAD
from neonps.protocol.frontend import Query

# Connections


def test_more_clients_than_there_can_be(postgres: EmbeddedPostgres, dsn: str) -> None:
    with running(Gateway(Upstream(postgres.url), max_connections=3)) as gateway, ExitStack() as clients:
        raws = [clients.enter_context(Raw(gateway)) for _ in range(3)]
        for raw in raws:
            raw.send(post(dsn, "select 1"))
            assert raw.answer().status == 200
        for _ in range(200):  # more than are heard at the same time
            with Raw(gateway) as one_more:
                one_more.send(post(dsn, "select 1"))
                answer = one_more.answer()
                assert (answer.status, answer.headers["retry-after"], answer.headers["connection"]) == (
                    503,
                    "1",
                    "close",
                )
                assert "3 clients" in answer.json["msg"]
                assert one_more.at_end()
        for url in (f"{dsn}?gateway={gateway.url}", f"{dsn}?gateway={gateway.url}&transport=http"):
            with pytest.raises(neonps.OperationalError, match="3 clients"):
                with neonps.connect(url, autocommit=True, connect_timeout=2) as conn:
                    conn.execute("select 1")
        with Raw(gateway) as no_http:
            no_http.send("hello\r\n\r\n")
            assert no_http.answer().status == 400
        raws[0].socket.close()
        client = Client(gateway, dsn)
        with closing(client.connection):
            wait_for(lambda: client.query("select 1").status == 200 or client.connection.close())
            raws[1].send(post(dsn, "select 1"))  # nobody else had to go
            assert raws[1].answer().status == 200


def test_clients_that_say_nothing_are_sent_away_too(
    postgres: EmbeddedPostgres, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "MAX_SHED", 2)
    monkeypatch.setattr(server, "SHED_TIMEOUT", 0.2)
    with running(Gateway(Upstream(postgres.url), max_connections=1)) as gateway, ExitStack() as clients:
        first = clients.enter_context(Raw(gateway))
        first.send(post(dsn, "select 1"))
        assert first.answer().status == 200
        silent = [clients.enter_context(Raw(gateway)) for _ in range(6)]
        with Raw(gateway) as last:  # has to wait until the others have been sent away, two at a time
            last.send(post(dsn, "select 1"))
            assert last.answer().status == 503
        for raw in silent:
            assert raw.at_end()


OUT_OF_FILES = """
import asyncio, resource, sys
from neonps.gateway import Gateway, Upstream

async def main():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (40, hard))
    gateway = Gateway(Upstream(sys.argv[1]), max_connections=1000)
    await gateway.start()
    print(gateway.port, flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await gateway.stop()

asyncio.run(main(), debug=False)
"""


def test_no_files_are_left(postgres: EmbeddedPostgres, dsn: str) -> None:
    pytest.importorskip("resource", reason="this system has no limit on open files")
    with subprocess.Popen(
        [sys.executable, "-X", "dev", "-W", "error", "-c", OUT_OF_FILES, postgres.url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        assert process.stdout
        assert process.stderr
        gateway = Gateway(Upstream(postgres.url), port=int(process.stdout.readline()))
        assert "ulimit" in process.stderr.readline()
        with ExitStack() as clients:
            first = clients.enter_context(Raw(gateway))
            first.send(post(dsn, "select 1"))
            assert first.answer().status == 200
            waiting = [clients.enter_context(Raw(gateway)) for _ in range(100)]
            assert "no connection can be taken now: Too many open files" in process.stderr.readline()
            first.send(post(dsn, "select 1"))  # there is no file left for a session either
            answer = first.answer()
            assert answer.status == 503
            assert "Too many open files" in answer.json["msg"]
        for raw in waiting:
            raw.socket.close()
        for _ in range(3):
            client = Client(gateway, dsn)
            with closing(client.connection):
                assert client.query("select 1").status == 200
        assert process.communicate() == ("", "")


# Sessions


def test_requests_that_wait_too_long_for_a_session(
    postgres: EmbeddedPostgres, dsn: str, admin: psycopg.Connection[Any]
) -> None:
    with running(Gateway(Upstream(postgres.url), max_sessions=2, queue_timeout=0.2)) as gateway:
        with Raw(gateway) as one, Raw(gateway) as two, Raw(gateway) as three:
            for raw in (one, two):
                raw.send(post(dsn, "select pg_sleep(100), 'queue'"))
            wait_for(lambda: active(admin, "'queue'") == 2)
            three.send(post(dsn, "select 1") * 2)
            for _ in range(2):
                answer = three.answer()
                assert (answer.status, answer.headers["retry-after"]) == (503, "1")
                assert "all 2 sessions" in answer.json["msg"]
            one.socket.close()
            wait_for(lambda: active(admin, "'queue'") == 1)
            three.send(post(dsn, "select 1"))
            assert three.answer().status in (200, 503)  # the place is free when the session is closed
        client = Client(gateway, dsn)
        with closing(client.connection):
            wait_for(lambda: client.query("select 1").status == 200)


def test_who_goes_while_waiting_leaves_its_place(
    postgres: EmbeddedPostgres, dsn: str, admin: psycopg.Connection[Any]
) -> None:
    with running(Gateway(Upstream(postgres.url), max_sessions=1)) as gateway:
        with Raw(gateway) as first:
            first.send(post(dsn, "select pg_sleep(100), 'place'"))
            wait_for(lambda: active(admin, "'place'"))
            for _ in range(20):
                with Raw(gateway) as waiting:
                    waiting.send(post(dsn, "select pg_sleep(100), 'place'"))
        client = Client(gateway, dsn)
        with closing(client.connection):
            assert client.query("select 1").status == 200
        assert not active(admin, "'place'")


# Logins


def test_more_logins_than_there_can_be(postgres: EmbeddedPostgres, dsn: str) -> None:
    with Relay(postgres.host, postgres.port) as relay, ExitStack() as clients:
        url = dsn.replace(f":{postgres.port}/", f":{relay.port}/")
        gateway = clients.enter_context(running(Gateway(Upstream(url), max_logins=2, queue_timeout=0.2)))
        at_work = clients.enter_context(Raw(gateway))
        log_in(at_work, postgres)  # takes no place any more
        silent = [clients.enter_context(Raw(gateway)) for _ in range(2)]
        for raw in silent:
            assert raw.upgrade().status == 101
        for _ in range(3):
            with Raw(gateway) as late:
                answer = late.upgrade()
                assert (answer.status, answer.headers["retry-after"]) == (503, "1")
                assert "2 clients" in answer.json["msg"]
        client = Client(gateway, url)
        with closing(client.connection):
            assert client.query("select 1").status == 200
        assert relay.accepted == 4  # Postgres has not heard of those who were too many
        silent[0].reset()
        for _ in range(3):  # at the same time, since each gives its place back when it has logged in
            way = {"gateway": gateway.url, "transport": "websocket", "connect_timeout": 20}
            session = clients.enter_context(neonps.connect(url, **way))
            assert session.execute("select 1").fetchone() == (1,)
        at_work.send(masked(Query(b"select 'still here'").encode()))
        assert b"still here" in at_work.frame().data


def test_a_login_that_waits_for_its_place(postgres: EmbeddedPostgres, dsn: str) -> None:
    with running(Gateway(Upstream(postgres.url), max_logins=1)) as gateway, Raw(gateway) as silent:
        assert silent.upgrade().status == 101
        with ExitStack() as gone:
            for _ in range(20):
                gone.enter_context(Raw(gateway)).send(handshake())
            wait_for(lambda: gateway._connections == 21)
        wait_for(lambda: gateway._connections == 1)
        with Raw(gateway) as eager, Raw(gateway) as one_more:
            eager.send(handshake().encode() + masked(startup(postgres)[:5]))
            one_more.send(post(dsn, "select 1"))
            assert one_more.answer().status == 200
            eager.send(masked(startup(postgres)[5:]))  # while it waits
            silent.reset()
            assert eager.answer().status == 101
            assert eager.frame().data[:1] == b"R"
            eager.reset()
            log_in(one_more, postgres)


# Memory


def test_more_large_requests_than_there_is_room_for(postgres: EmbeddedPostgres, dsn: str) -> None:
    large = post(dsn, "select length($1)", ["x" * 2_000_000])
    with running(Gateway(Upstream(postgres.url), max_request=2_100_000)) as gateway:
        with ExitStack() as clients:
            raws = [clients.enter_context(Raw(gateway)) for _ in range(4)]
            for raw in raws:
                raw.send(large[:-1])
            wait_for(lambda: gateway._room._left < 1_000_000)  # all of them have been read
            with Raw(gateway) as raw:
                raw.send(large[:-1])
                answer = raw.answer()
            assert (answer.status, answer.headers["retry-after"]) == (503, "1")
            assert "large requests" in answer.json["msg"]
            with Raw(gateway) as small:
                small.send(post(dsn, "select length($1)", ["x" * 60_000]))
                assert small.answer().json["rows"] == [{"length": 60_000}]
            for raw in raws:
                raw.send(large[-1:])
                assert raw.answer().json["rows"] == [{"length": 2_000_000}]
        with Raw(gateway) as raw:  # they have given it back
            for _ in range(10):
                raw.send(large)
                assert raw.answer().status == 200


def test_a_body_in_very_many_chunks(gateway: Gateway, dsn: str) -> None:
    head = f"POST /sql HTTP/1.1\r\nHost: x\r\nNeon-Connection-String: {dsn}\r\nTransfer-Encoding: chunked\r\n\r\n"
    with Raw(gateway) as raw:
        raw.send(head.encode() + b"1\r\nx\r\n" * 100_000)
        answer = raw.answer()
        assert answer.status == 413
        assert "small chunks" in answer.json["message"]
    request = post(dsn, "select length($1)", ["x" * 3_000_000])
    body = request.partition(b"\r\n\r\n")[2]
    chunks = b"".join(b"200\r\n%b\r\n" % body[at : at + 512].ljust(512) for at in range(0, len(body), 512))
    with Raw(gateway) as raw:
        raw.send(head.encode() + chunks + b"0\r\n\r\n")
        assert raw.answer().json["rows"] == [{"length": 3_000_000}]


@pytest.mark.parametrize(
    "params",
    ["[" * 100_000, "[" * 900 + "]" * 900, '[{"a":' * 400 + "1" + "}]" * 400, "[" * 100_000 + "]" * 100_000],
    ids=["open", "arrays", "objects", "deep"],
)
def test_json_that_is_nested_deep(gateway: Gateway, dsn: str, params: str) -> None:
    with Raw(gateway) as raw:
        raw.send(post_body(dsn, f'{{"query": "select $1", "params": [{params}]}}'.encode()))
        answer = raw.answer()
        assert answer.status in (200, 400)
        if len(params) >= 100_000:  # others may be taken, which depends on the version of Python
            assert (answer.status, answer.json["code"]) == (400, None)
        if answer.status == 400 and answer.json["code"] is None:
            assert answer.json.keys() == ERROR_FIELDS
            assert "could not parse the HTTP request body" in answer.json["message"]
        raw.send(post(dsn, "select 1"))
        assert raw.answer().status == 200


def test_heads_that_are_too_long(gateway: Gateway) -> None:
    for long in (b"POST /" + b"x" * 100_000, b"POST /sql HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 20_000):
        with Raw(gateway) as raw:
            raw.send(long)
            answer = raw.answer()
            assert answer.status == 431
            assert answer.json.keys() == {"msg"}
            assert raw.at_end()


@pytest.mark.parametrize(("more", "status"), [(0, 200), (1, 431)])
def test_the_longest_head(gateway: Gateway, more: int, status: int) -> None:
    head = b"OPTIONS /sql HTTP/1.1\r\nHost: x\r\nA: "
    with Raw(gateway) as raw:
        raw.send(head + b"b" * (MAX_HEAD - len(head) - 4 + more) + b"\r\n\r\n")
        assert raw.answer().status == status


def test_a_head_that_is_too_long_behind_a_request(gateway: Gateway, dsn: str, admin: psycopg.Connection[Any]) -> None:
    with Raw(gateway) as raw:
        raw.send(post(dsn, "select pg_sleep(100), 'long head'"))
        wait_for(lambda: active(admin, "'long head'"))
        raw.send(b"OPTIONS /sql HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 20_000 + b"\r\n")
        mine = "query like '%''long head''%' and pid <> pg_backend_pid()"
        admin.execute(f"select pg_cancel_backend(pid) from pg_stat_activity where {mine}")
        assert raw.answer().status == 400
        answer = raw.answer()
        assert (answer.status, answer.headers["connection"]) == (431, "close")
        assert answer.json.keys() == {"msg"}
        assert raw.at_end()


@pytest.mark.parametrize("headers", ["Content-Length: 99999999999", "Content-Length: 67108865"])
def test_bodies_that_are_too_long(gateway: Gateway, dsn: str, headers: str) -> None:
    with Raw(gateway) as raw:
        raw.send(f"POST /sql HTTP/1.1\r\nHost: x\r\nNeon-Connection-String: {dsn}\r\n{headers}\r\n\r\n")
        assert raw.answer().status == 413


def test_a_long_body_for_nothing(gateway: Gateway) -> None:
    with Raw(gateway) as raw:
        raw.send("PUT /sql HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")
        assert raw.answer().status == 413


@needs_proc
def test_requests_ahead_that_nobody_waits_for(gateway: Gateway, dsn: str, admin: psycopg.Connection[Any]) -> None:
    with Raw(gateway) as raw:
        raw.send(post(dsn, "select pg_sleep(100), 'ahead'"))
        wait_for(lambda: active(admin, "'ahead'"))
        before = resident()
        raw.socket.settimeout(1)
        sent = 0
        request = post(dsn, "select 1") * 1000
        with pytest.raises(TimeoutError):
            while True:
                sent += raw.socket.send(request)
        assert sent < 30_000_000  # most of it is in the buffers of the system
        assert resident() - before < 30_000_000
    mine = "query like '%''ahead''%' and pid <> pg_backend_pid()"
    admin.execute(f"select pg_cancel_backend(pid) from pg_stat_activity where {mine}")
    wait_for(lambda: not active(admin, "'ahead'"))


# Framing


@pytest.mark.parametrize(
    "headers",
    [
        "Content-Length: 4\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 4",
        "Content-Length: 4\r\nContent-Length: 5",
        "Content-Length: 4, 5",
        "Content-Length: +4",
        "Content-Length: -4",
        "Content-Length: 0x4",
        f"Content-Length: {'9' * 5000}",
        "Content-Length : 4",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: gzip",
        "Transfer-Encoding: \x0bchunked",
        "X: a\0b",
        "X: a\rb",
        "X\0: a",
        "Host: y",
        ": a",
    ],
)
def test_where_it_ends_is_not_clear(gateway: Gateway, dsn: str, headers: str) -> None:
    smuggled = post(dsn, "select 'smuggled'")
    with Raw(gateway) as raw:
        raw.send(f"POST /sql HTTP/1.1\r\nHost: x\r\n{headers}\r\n\r\n0\r\n\r\n".encode() + smuggled)
        answer = raw.answer()
        assert answer.status in (400, 501)
        assert answer.json.keys() == {"msg"}
        assert raw.at_end()


def test_chunks_in_http_1_0(gateway: Gateway) -> None:
    with Raw(gateway) as raw:
        raw.send("POST /sql HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
        assert raw.answer().status == 400
        assert raw.at_end()


def test_what_a_client_sends_comes_back_as_json_only(gateway: Gateway, dsn: str) -> None:
    with Raw(gateway) as raw:
        raw.send("GET /v2?address=a%0d%0aX-Injected:%20b HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n")
        raw.send(
            "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        answer = raw.answer()
        assert answer.status == 403
        assert "x-injected" not in answer.headers
        assert "a\r\nX-Injected: b" in answer.json["msg"]
    name = json.dumps('"\r\nX-Injected: b')
    with Raw(gateway) as raw:
        raw.send(post_body(dsn, f'{{"query": {json.dumps("select no_such_function(" + name + ")")}}}'.encode()))
        answer = raw.answer()
        assert answer.status == 400
        assert "x-injected" not in answer.headers
