"""WebSocket clients of the gateway that ask in a wrong way, send what they should not, do not read, or vanish."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import psycopg
import pytest
from gateway_client import wait_for
from gateway_raw import Frame, Raw, handshake, log_in, masked, needs_proc, needs_rdhup, post, resident, startup

import neonps
from neonps.embedded import EmbeddedPostgres
from neonps.gateway import Gateway, Upstream
from neonps.gateway import websocket as gateway_websocket
from neonps.gateway.upstream import Stream
from neonps.local import serve
from neonps.protocol.frontend import CancelRequest, CopyData, CopyDone, Query, Terminate

# The handshake


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (handshake(line="POST {} HTTP/1.1"), 400),
        (handshake(line="GET {} HTTP/1.0"), 400),
        (handshake(change={"Sec-WebSocket-Key": "x"}), 400),
        (handshake(change={"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ="}), 400),
        (handshake(change={"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZXM="}), 400),
        (handshake(change={"Sec-WebSocket-Key": "ü"}), 400),
        (handshake(change={"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Key: x"}), 400),
        (handshake(change={"Sec-WebSocket-Version": "8"}), 426),
        (handshake(change={"Sec-WebSocket-Version": "13, 8"}), 426),
        (handshake(change={"Sec-WebSocket-Version": "13\r\nSec-WebSocket-Version: x"}), 426),
        (handshake(change={"Connection": "close"}), 400),
        (handshake(change={"Upgrade": "h2c"}), 400),
        (handshake(change={"Host": None}), 400),
        (handshake(change={"Host": "x\r\nHost: y"}), 400),
        (handshake("/v3"), 400),
        (handshake("/v2/"), 400),
        (handshake("/"), 400),
        (handshake("/v1"), 400),
        (handshake("/v2?address=10.0.0.1:5432"), 403),
        (handshake("/v2?address="), 403),
    ],
)
def test_a_wrong_handshake(gateway: Gateway, request_: str, status: int) -> None:
    with Raw(gateway) as raw:
        raw.send(request_)
        answer = raw.answer()
        assert answer.status == status
        assert answer.headers["content-type"] == "application/json"
        assert answer.json
        if status == 426:
            assert answer.headers["sec-websocket-version"] == "13"
            assert answer.headers["upgrade"].lower() == "websocket"


@pytest.mark.parametrize(
    "change",
    [
        {"Connection": "Upgrade\r\nConnection: keep-alive"},
        {"Connection": "keep-alive\r\nConnection: Upgrade"},
        {"Connection": "keep-alive , uPGRADE"},
        {"Connection": "upgrade,\r\nConnection: "},
        {"Upgrade": "WebSocket"},
        {"Upgrade": "websocket, h2c"},
    ],
)
def test_a_handshake_in_other_words(gateway: Gateway, postgres: EmbeddedPostgres, change: dict[str, str]) -> None:
    with Raw(gateway) as raw:
        raw.send(handshake(change=change))
        answer = raw.answer()
        assert (answer.status, answer.headers["connection"], answer.headers["upgrade"].lower()) == (
            101,
            "Upgrade",
            "websocket",
        )
        raw.send(masked(startup(postgres)))
        assert raw.frame().data[:1] == b"R"


def test_a_handshake_with_a_body(gateway: Gateway) -> None:
    with Raw(gateway) as raw:
        raw.send(handshake(change={"Content-Length": "70000"}) + "x" * 70_000)
        assert raw.answer().status == 413


# Frames


def begin(raw: Raw, postgres: EmbeddedPostgres) -> None:
    """Open a WebSocket, and have Postgres say something."""
    assert raw.upgrade().status == 101
    raw.send(masked(startup(postgres)))
    assert raw.frame().data[:1] == b"R"


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (b"\x82\x01x", 1002),  # not masked
        (b"\xc2\x81\0\0\0\0x", 1002),  # a reserved bit
        (b"\x83\x81\0\0\0\0x", 1002),  # a reserved opcode
        (b"\x09\x81\0\0\0\0x", 1002),  # a ping in fragments
        (b"\x89\xfe\0\x7e\0\0\0\0" + b"x" * 126, 1002),  # a ping that is too long
        (b"\x80\x81\0\0\0\0x", 1002),  # nothing that it could go on
        (masked(b"p", final=False) + masked(b"p"), 1002),  # another one within a message, which Postgres waits for
        (b"\x82\xff\x80" + bytes(7), 1002),  # longer than is possible
        (b"\x82\xfe\0\1\0\0\0\0x", 1002),  # a short length in long form
        (masked(b"select 1", 1), 1003),  # text
        (masked(b"\xff", 1), 1007),  # which is none
        (b"\x81\xff\0\0\0\1\0\0\0\0\0\0\0\0x", 1003),  # 4 GB of it
        (masked(b"\3", 8), 1002),  # half of a close code
        (masked(b"\3\xe8\xff", 8), 1007),  # a reason that is no text
        (masked(b"\3\xed", 8), 1002),  # a code that is not sent
        (masked(b"", 8), None),
        (masked(b"\x0f\xa0bye", 8), 4000),
    ],
    ids=[
        *["unmasked", "bit", "opcode", "ping in fragments", "long ping", "continuation", "within", "impossible"],
        *["long form", "text", "no text", "4 GB", "half", "reason", "code", "close", "own code"],
    ],
)
def test_frames_that_end_it(gateway: Gateway, postgres: EmbeddedPostgres, frame: bytes, code: int | None) -> None:
    with Raw(gateway) as raw:
        begin(raw, postgres)
        raw.send(frame)
        if code is None:
            assert raw.frame() == Frame(8, b"")
        else:
            assert raw.close_code() == code
        raw.send(masked(b"\3\xe8", 8) + masked(b"what follows is not read"))
        assert raw.at_end()


@needs_proc
def test_a_mistake_behind_the_end(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway_websocket, "CLOSE_TIMEOUT", 60)
    with Raw(gateway) as raw:
        assert raw.upgrade().status == 101
        raw.send(masked(CancelRequest(1, b"1234").encode()))
        assert raw.close_code() == 1000  # Postgres has ended it
        before = resident()
        raw.send(b"\x82\x01x")  # not masked
        more = masked(bytes(1 << 20))
        for _ in range(100):
            raw.send(more)
        assert resident() - before < 50_000_000


def test_a_frame_that_is_not_there_yet(gateway: Gateway, postgres: EmbeddedPostgres) -> None:
    """Its beginning reaches Postgres at once: that it says to be endless costs nothing."""
    with Raw(gateway) as raw:
        assert raw.upgrade().status == 101
        raw.send(b"\x82\xff\x7f" + b"\xff" * 7 + b"\0\0\0\0" + startup(postgres))
        assert raw.frame().data[:1] == b"R"


def test_a_flood_of_pings(postgres: EmbeddedPostgres) -> None:
    with serve(postgres.url) as server:
        for listening in server.gateway._listener._sockets:  # which what it accepts has from it
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 14)
        flood(server.gateway, postgres, server.url)


def flood(gateway: Gateway, postgres: EmbeddedPostgres, url: str) -> None:
    with Raw(gateway, receive_buffer=1 << 14) as raw, neonps.connect(url) as other:
        log_in(raw, postgres)  # or it would have to within a minute
        before = resident()
        raw.socket.settimeout(0.5)
        raw.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        ping = masked(b"x" * 125, 9)
        with pytest.raises(TimeoutError):  # nobody reads the answers
            while True:
                for _ in range(200):  # what comes together is answered once
                    raw.socket.sendall(ping)
                assert other.execute("select 1").fetchone() == (1,)  # others are heard meanwhile
        assert resident() - before < 50_000_000
        assert raw.frame() == Frame(10, b"x" * 125)


def test_the_last_ping_is_answered(gateway: Gateway) -> None:
    with Raw(gateway) as raw:
        assert raw.upgrade().status == 101
        raw.send(b"".join(masked(b"%d" % number, 9) for number in range(1000)) + masked(b"", 8))
        pongs = []
        while (frame := raw.frame()).opcode == 10:
            pongs.append(int(frame.data))
        assert pongs == sorted(set(pongs))
        assert frame.opcode == 8


# Back-pressure


@needs_proc
def test_clients_that_never_read(gateway: Gateway, postgres: EmbeddedPostgres, admin: psycopg.Connection[Any]) -> None:
    with ExitStack() as stack:
        raws = [stack.enter_context(Raw(gateway)) for _ in range(5)]
        pids = [log_in(raw, postgres) for raw in raws]
        before = resident()
        for raw in raws:  # 100 GB each
            raw.send(masked(Query(b"select repeat('x', 10000) from generate_series(1, 10000000)").encode()))
        held_up = "select count(*) from pg_stat_activity where pid = any(%s) and wait_event = 'ClientWrite'"
        wait_for(lambda: admin.execute(held_up, [pids]).fetchone() == (5,))
        assert resident() - before < 50_000_000
    # They have vanished, without a word.
    wait_for(lambda: not admin.execute("select from pg_stat_activity where pid = any(%s)", [pids]).fetchall())


def fall_asleep(raw: Raw, postgres: EmbeddedPostgres, admin: psycopg.Connection[Any]) -> int:
    """Begin a session and have Postgres sleep in it, so that it reads nothing; gives the process id."""
    pid = log_in(raw, postgres)
    raw.send(masked(Query(b"select pg_sleep(100)").encode()))
    sleeping = "select from pg_stat_activity where pid = %s and wait_event = 'PgSleep'"
    wait_for(lambda: admin.execute(sleeping, [pid]).fetchall())
    return pid


@needs_proc
def test_a_postgres_that_does_not_read(
    gateway: Gateway, postgres: EmbeddedPostgres, admin: psycopg.Connection[Any]
) -> None:
    with Raw(gateway) as raw:
        pid = fall_asleep(raw, postgres, admin)
        before = resident()
        raw.socket.settimeout(0.5)
        sent = 0
        more = masked(Query(b"select 1 -- " + b"x" * 100_000).encode())
        with pytest.raises(TimeoutError):
            while True:
                sent += raw.socket.send(more)
        assert sent < 40_000_000  # most of it is in the buffers of the system
        assert resident() - before < 20_000_000
        admin.execute("select pg_terminate_backend(%s)", [pid])
        raw.socket.settimeout(60)
        while raw.frame().opcode != 8:
            pass


# Going


@pytest.fixture
def streams(monkeypatch: pytest.MonkeyPatch) -> list[Stream]:
    """The connections to Postgres of the WebSockets that are opened from now on."""
    found: list[Stream] = []
    opened = Upstream.open

    async def open(upstream: Upstream, address: str | None = None) -> Stream:
        found.append(await opened(upstream, address))
        return found[-1]

    monkeypatch.setattr(Upstream, "open", open)
    return found


def fill(raw: Raw, stream: Stream, data: bytes) -> None:
    """Send `data` again and again to a Postgres that does not read, until the gateway does not read either."""
    raw.socket.settimeout(0.2)
    more = masked(data) + masked(b"", 9)
    while True:
        raw.send(more)
        try:
            assert raw.frame().opcode == 10  # so that next to nothing is under way
        except TimeoutError:
            if stream.writer.transport.get_write_buffer_size() > 1 << 16:  # which is when asyncio waits
                return


@needs_rdhup
@pytest.mark.parametrize("how", ["reset", "closed"])
def test_a_client_that_vanishes_while_postgres_does_not_read(
    gateway: Gateway, postgres: EmbeddedPostgres, admin: psycopg.Connection[Any], streams: list[Stream], how: str
) -> None:
    with Raw(gateway) as raw:
        pid = fall_asleep(raw, postgres, admin)
        fill(raw, streams[0], Query(b"select 1 -- " + b"x" * 10_000).encode())
        if how == "reset":
            raw.reset()
        else:
            raw.socket.shutdown(socket.SHUT_WR)
        wait_for(lambda: not admin.execute("select from pg_stat_activity where pid = %s", [pid]).fetchall())


@needs_rdhup
def test_what_was_sent_before_terminate_is_done_when_postgres_reads_it(
    gateway: Gateway,
    postgres: EmbeddedPostgres,
    dsn: str,
    admin: psycopg.Connection[Any],
    numbers: Callable[[], list[int]],
    streams: list[Stream],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    noticed = []
    has_gone = gateway_websocket.has_gone
    monkeypatch.setattr(gateway_websocket, "has_gone", lambda writer: noticed.append(has_gone(writer)) or noticed[-1])
    with Raw(gateway) as raw:
        pid = log_in(raw, postgres)
        admin.execute("select pg_advisory_lock(4711)")
        where = b"a = 1 and pg_advisory_lock_shared(4711) is not null"
        raw.send(masked(Query(b"copy numbers from stdin where " + where).encode()))
        assert raw.frame().data[:1] == b"G"
        raw.send(masked(CopyData(b"1\t1\n").encode()))
        fill(raw, streams[0], CopyData(b"2\t" + b"0" * 10_000 + b"\n").encode())
        waiting = "select from pg_stat_activity where pid = %s and wait_event_type = 'Lock'"
        assert admin.execute(waiting, [pid]).fetchall()
        raw.send(masked(CopyDone().encode()) + masked(Terminate().encode()))
        raw.socket.shutdown(socket.SHUT_WR)
        wait_for(lambda: True in noticed)
        with Raw(gateway) as other:  # which gives the gateway time to go too, if it did
            other.send(post(dsn, "select 1"))
            assert other.answer().status == 200
        assert not streams[0].writer.is_closing()
        admin.execute("select pg_advisory_unlock(4711)")
        wait_for(lambda: numbers() == [1])


@pytest.mark.parametrize("how", ["reset", "closed"])
@pytest.mark.parametrize("what", ["idle", "runs", "sends", "receives"])
def test_a_client_that_vanishes_in_a_transaction(
    gateway: Gateway, postgres: EmbeddedPostgres, admin: psycopg.Connection[Any], numbers: Any, how: str, what: str
) -> None:
    then = {
        "idle": b"",
        "runs": b"select pg_sleep(100)",
        "sends": b"copy numbers from stdin",
        "receives": b"select repeat('x', 10000) from generate_series(1, 10000000)",
    }
    state = "idle in transaction" if what == "idle" else "active"
    with Raw(gateway) as raw:
        pid = log_in(raw, postgres)
        raw.send(masked(Query(b"begin; insert into numbers values (1);" + then[what]).encode()))
        found = "select from pg_stat_activity where pid = %s and state = %s"
        wait_for(lambda: admin.execute(found, [pid, state]).fetchall())
        if how == "reset":
            raw.reset()
    wait_for(lambda: not admin.execute("select from pg_stat_activity where pid = %s", [pid]).fetchall())
    assert numbers() == []


@pytest.mark.skipif(not os.path.exists("/proc/net/tcp"), reason="timers of connections are seen on Linux only")
def test_clients_that_are_silent_are_asked_whether_they_are_there(gateway: Gateway) -> None:
    with Raw(gateway) as raw:
        assert raw.upgrade().status == 101
        ports = f":{gateway.port:04X}", f":{raw.socket.getsockname()[1]:04X}"

        def timers() -> set[str]:
            with open("/proc/net/tcp") as file:
                lines = [line.split() for line in file]
            return {line[5][:2] for line in lines if line[1].endswith(ports[0]) and line[2].endswith(ports[1])}

        wait_for(lambda: timers() == {"02"})  # that of keep-alive


def test_neonps_hears_why_it_is_closed(gateway: Gateway, dsn: str) -> None:
    with neonps.connect(f"{dsn}?gateway={gateway.url}") as session:
        raw = socket.socket(fileno=os.dup(session.fileno()))
        with raw:
            raw.sendall(masked(b"select 1", 1))
        with pytest.raises(neonps.OperationalError, match="text"):
            session.execute("select 1")
