"""Clients of the gateway that take their time: each thing that they do has to be done by some time."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
import weakref
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
import trustme
from certificates import Certificates
from gateway_client import active, running, wait_for
from gateway_raw import Raw, handshake, log_in, masked, needs_rdhup, post, startup
from relay import Relay

from neonps.embedded import EmbeddedPostgres
from neonps.gateway import Gateway, Upstream
from neonps.gateway import http as gateway_http
from neonps.gateway import websocket as gateway_websocket
from neonps.gateway.http import HTTPConnection, has_gone
from neonps.protocol.frontend import Query


@pytest.fixture(scope="module")
def hasty(postgres: EmbeddedPostgres) -> Iterator[Gateway]:
    """A gateway that does not wait long for anything."""
    with running(Gateway(Upstream(postgres.url), idle_timeout=0.5, head_timeout=0.5)) as gateway:
        yield gateway


def drip(raw: Raw, data: bytes) -> threading.Thread:
    """Send `data` byte by byte, never silent for long, until nobody takes it any more; over and over again."""

    def run() -> None:
        pause = threading.Event()
        with suppress(OSError):
            while True:
                for at in range(len(data)):
                    raw.socket.send(data[at : at + 1])
                    pause.wait(0.02)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


@pytest.mark.parametrize("start", [b"POST /sql HTTP/1.1\r\nHost: x\r\n", b""], ids=["headers", "line"])
def test_a_head_that_drips(hasty: Gateway, start: bytes) -> None:
    with Raw(hasty) as raw:
        raw.send(start)
        thread = drip(raw, b"x: y\r\n" if start else b"POST")
        assert raw.answer().status == 408
        assert raw.at_end()
    thread.join()


def test_the_head_of_a_second_request_that_drips(hasty: Gateway, dsn: str) -> None:
    with Raw(hasty) as raw:
        raw.send(post(dsn, "select 1"))
        assert raw.answer().status == 200
        thread = drip(raw, b"POST")
        assert raw.answer().status == 408
        assert raw.at_end()
    thread.join()


@pytest.mark.parametrize("framing", ["Content-Length: 1000000", "Transfer-Encoding: chunked"])
def test_a_body_that_drips(hasty: Gateway, dsn: str, framing: str) -> None:
    head = f"POST /sql HTTP/1.1\r\nHost: x\r\nNeon-Connection-String: {dsn}\r\n{framing}\r\n\r\n"
    with Raw(hasty) as raw:
        raw.send(head)
        thread = drip(raw, b"1\r\nx\r\n")
        assert raw.answer().status == 408
        assert raw.at_end()
    thread.join()


def test_a_body_that_takes_longer_but_comes(hasty: Gateway, dsn: str) -> None:
    request = post(dsn, "select length($1)", ["x" * 100_000])
    pause = threading.Event()
    with Raw(hasty) as raw:
        for at in range(0, len(request), 10_000):  # which takes longer than a second
            raw.send(request[at : at + 10_000])
            pause.wait(0.1)
        assert raw.answer().json["rows"] == [{"length": 100_000}]


def test_a_client_that_waits_to_be_told_to_go_on_and_does_not(hasty: Gateway, dsn: str) -> None:
    request = post(dsn, "select 1", (), "Expect: 100-continue\r\n")
    with Raw(hasty) as raw:
        raw.send(request.partition(b"\r\n\r\n")[0] + b"\r\n\r\n")
        assert raw.answer().status == 100
        assert raw.answer().status == 408
        assert raw.at_end()


@pytest.mark.parametrize("before", [False, True], ids=["new", "used"])
def test_a_client_that_says_nothing(hasty: Gateway, dsn: str, before: bool) -> None:
    with Raw(hasty) as raw:
        if before:
            raw.send(post(dsn, "select 1"))
            assert raw.answer().status == 200
        assert raw.at_end()


def test_a_client_that_says_nothing_but_an_empty_line(hasty: Gateway) -> None:
    with Raw(hasty) as raw:
        raw.send("\r\n")
        assert raw.at_end()
    with Raw(hasty) as raw:
        raw.send("\r")
        assert raw.answer().status == 408


@pytest.mark.parametrize("request_", ["HTTP/1.1\r\nHost: x\r\nConnection: close", "HTTP/1.0"], ids=["close", "1.0"])
def test_nobody_is_listened_to_behind_the_last_request(
    postgres: EmbeddedPostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request_: str
) -> None:
    monkeypatch.setattr(gateway_http, "LINGER_SECONDS", 60)
    certificates = Certificates(tmp_path)
    context = ssl.create_default_context(cafile=certificates.ca)
    with running(Gateway(Upstream(postgres.url), tls=certificates.context())) as gateway, Raw(gateway) as raw:
        raw.socket = context.wrap_socket(raw.socket, server_hostname="127.0.0.1")
        raw.send(f"OPTIONS /sql {request_}\r\n\r\n")
        answer = raw.answer()
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        raw.socket.settimeout(20)
        assert raw.at_end()


def test_a_client_that_does_not_take_its_answer(hasty: Gateway, dsn: str) -> None:
    with Raw(hasty, receive_buffer=4096) as raw:
        raw.send(post(dsn, "select repeat('x', 9000000)"))
        # It is the gateway that ends it, while nothing is read here.
        wait_for(lambda: raw.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
        assert len(drained(raw)) < 9_000_000


def test_a_client_that_takes_its_answer_in_drops(hasty: Gateway, dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway_http, "MIN_RATE", 1e9)
    pause = threading.Event()
    with Raw(hasty, receive_buffer=4096) as raw:
        raw.send(post(dsn, "select repeat('x', 9000000)"))
        size = 0
        with suppress(ConnectionError):
            while data := raw.socket.recv(20_000):
                size += len(data)
                pause.wait(0.01)
        assert size < 9_000_000


def drained(raw: Raw) -> bytes:
    """All that has come."""
    data = b""
    with suppress(ConnectionError):
        while piece := raw.socket.recv(1 << 16):
            data += piece
    return data


def test_a_tls_handshake_that_does_not_go_on(postgres: EmbeddedPostgres) -> None:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(tls)
    with running(Gateway(Upstream(postgres.url), tls=tls, head_timeout=0.5)) as gateway:
        with Raw(gateway) as silent:
            assert silent.at_end()
        with Raw(gateway) as slow:
            thread = drip(slow, b"\x16\x03\x01\x40\x00\x01" + bytes(0x3FF0))
            assert slow.at_end()
        thread.join()


def test_requests_that_end_half_way(hasty: Gateway, dsn: str) -> None:
    request = post(dsn, "select 1")
    for size in (0, 1, 20, request.index(b"\r\n\r\n") + 4, len(request) - 1):
        with Raw(hasty) as raw:
            raw.send(request[:size])
            raw.socket.shutdown(socket.SHUT_WR)
            assert not drained(raw).startswith(b"HTTP/1.1 200")


def test_a_client_that_closes_its_half_has_gone(gateway: Gateway, dsn: str, admin: psycopg.Connection[Any]) -> None:
    with Raw(gateway) as raw:
        raw.send(post(dsn, "select pg_sleep(100), 'half'"))
        raw.socket.shutdown(socket.SHUT_WR)  # which cannot be told from its going
        assert drained(raw) == b""
    wait_for(lambda: not active(admin, "'half'"))


def test_a_websocket_that_ends_half_way(hasty: Gateway) -> None:
    with Raw(hasty) as raw:
        assert raw.upgrade().status == 101
        raw.send(b"\x82\xfe\xff")
        raw.socket.shutdown(socket.SHUT_WR)
        assert raw.close_code() == 1001
        assert raw.at_end()
    with Raw(hasty) as raw:
        raw.send(handshake()[:-2])
        raw.socket.shutdown(socket.SHUT_WR)
        assert b"101" not in drained(raw)


def test_logins_that_do_not_come_to_an_end(postgres: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway_websocket, "CLOSE_TIMEOUT", 0.2)
    hello = startup(postgres)
    with (
        Relay(postgres.host, postgres.port) as relay,
        running(Gateway(Upstream(f"postgresql://127.0.0.1:{relay.port}/"), idle_timeout=1.5)) as gateway,
        ExitStack() as clients,
    ):
        raws = [clients.enter_context(Raw(gateway)) for _ in range(6)]
        no_password, _, half_a_frame, half_a_packet, dripping, pinging = raws
        assert no_password.upgrade().status == 101
        no_password.send(masked(hello))
        asked = no_password.frame()
        assert (asked.opcode, asked.data[:1]) == (2, b"R")
        for raw in raws[1:]:
            assert raw.upgrade().status == 101
        half_a_frame.send(masked(hello)[:10])
        half_a_packet.send(masked(hello[: len(hello) // 2]))
        bytewise = b"".join(masked(hello[at : at + 1]) for at in range(len(hello)))  # takes 10 seconds
        threads = [drip(dripping, bytewise), drip(pinging, masked(b"", 9))]
        for raw in raws:
            while (frame := raw.frame()).opcode == 10:
                pass
            assert frame.close_code == 1008
            assert b"login" in frame.data
            assert raw.at_end()
        for thread in threads:
            thread.join()
        wait_for(lambda: not relay.connections)


def test_a_session_may_be_idle_for_longer_than_a_login(postgres: EmbeddedPostgres) -> None:
    with (
        running(Gateway(Upstream(postgres.url), idle_timeout=2)) as gateway,
        Raw(gateway) as idle,
        Raw(gateway) as slower,
    ):
        log_in(idle, postgres)
        assert slower.upgrade().status == 101
        assert slower.close_code() == 1008  # it had begun later, so that the time of the other is over too
        idle.send(masked(Query(b"select 'still here'").encode()))
        frame = idle.frame()
        assert frame.opcode == 2
        assert b"still here" in frame.data


@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "tls"])
def test_a_client_that_goes_while_its_answer_comes(
    postgres: EmbeddedPostgres, tmp_path: Path, caplog: pytest.LogCaptureFixture, encrypted: bool
) -> None:
    authority = trustme.CA()
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
    with running(Gateway(Upstream(postgres.url), tls=tls if encrypted else None)) as gateway:
        with Raw(gateway, receive_buffer=4096) as raw:
            if encrypted:
                raw.socket = context.wrap_socket(raw.socket, server_hostname="127.0.0.1")
            raw.send(post(postgres.url, "select repeat('x', 8000000)"))
            raw.take(1)
            assert gateway._listener is not None
            [task] = gateway._listener._clients
            raw.reset()
        wait_for(task.done)
        assert task.exception() is None
    assert not caplog.records  # asyncio warns when more is written


@asynccontextmanager
async def connected(certificates: Certificates | None = None) -> AsyncIterator[tuple[HTTPConnection, Any]]:
    """Both ends of a connection; with `certificates` it has TLS."""
    taken: asyncio.Future[HTTPConnection] = asyncio.get_running_loop().create_future()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        taken.set_result(HTTPConnection(reader, writer, idle_timeout=30, head_timeout=30))

    server = await asyncio.start_server(take, "127.0.0.1", 0, ssl=certificates.context() if certificates else None)
    async with server:
        port = server.sockets[0].getsockname()[1]
        context = ssl.create_default_context(cafile=certificates.ca) if certificates else None
        _, client = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        http = await taken
        try:
            yield http, client
        finally:
            client.transport.abort()
            http.writer.transport.abort()


def test_a_client_with_tls_that_goes_before_its_answer_comes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with connected(Certificates(tmp_path)) as (http, client):
            client.transport.abort()
            while not http.writer.is_closing():
                await asyncio.sleep(0.001)
            with pytest.raises(ConnectionResetError, match="the client is gone"):
                await http.respond(200, "{}", ())

    asyncio.run(main())
    assert not caplog.records


class Text(str):
    """A text of which can be seen whether it is still there."""


def test_an_answer_is_there_once_while_the_client_takes_it() -> None:
    async def main() -> None:
        async with connected() as (http, client):
            text = Text("x" * 50_000_000)
            there = weakref.ref(text)
            task = asyncio.ensure_future(http.respond(200, text))
            del text
            while not http.writer.transport.get_write_buffer_size():
                await asyncio.sleep(0)
            assert there() is None
            client.transport.abort()
            with pytest.raises(OSError):  # noqa: PT011
                await task

    asyncio.run(main())


@needs_rdhup
@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "tls"])
def test_a_client_has_gone_even_if_what_it_has_sent_was_not_read(tmp_path: Path, encrypted: bool) -> None:
    async def main() -> None:
        async with connected(Certificates(tmp_path) if encrypted else None) as (http, client):
            http.writer.transport.pause_reading()
            client.write(b"x" * 10_000)
            assert not has_gone(http.writer)
            client.get_extra_info("socket").shutdown(socket.SHUT_WR)
            while not has_gone(http.writer):
                await asyncio.sleep(0.001)
            http.writer.transport.resume_reading()
            assert await http.reader.read() == b"x" * 10_000
            assert has_gone(http.writer)  # now that asyncio knows it too

    asyncio.run(main())
