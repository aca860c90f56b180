"""Postgres in WebSockets through the gateway: seen frame by frame, and used by a driver that knows nothing of it."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import psycopg
import pytest
import trustme
from gateway_client import active, running, wait_for
from gateway_raw import handshake
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tls_postgres import TLSPostgres
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Ping,
    Pong,
    RejectConnection,
    RejectData,
    Request,
    TextMessage,
)
from wsproto.utilities import LocalProtocolError

from neonps.embedded import EmbeddedPostgres
from neonps.gateway import Gateway, Upstream
from neonps.gateway.http import HTTPConnection
from neonps.gateway.websocket import CancelKey, Tunnel, check_handshake, wants_websocket
from neonps.protocol.frontend import CancelRequest, SSLRequest, StartupMessage, Terminate


class WebSocket:
    """The client's end of a WebSocket, or of the attempt to open one.

    Attributes:
        status: the status of a refusal; 101 when the WebSocket was accepted.
        refusal: its body.
        closed: the close frame of the gateway, once it has come.
    """

    def __init__(self, gateway: Gateway, target: str, tls: ssl.SSLContext | None = None) -> None:
        self.socket = socket.create_connection((gateway.host, gateway.port), timeout=30)
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_hostname=gateway.host)
        self.protocol = WSConnection(ConnectionType.CLIENT)
        self.status = 0
        self.refusal = b""
        self.closed: CloseConnection | None = None
        self.send(Request(host=f"{gateway.host}:{gateway.port}", target=target))
        for event in self.events():
            if isinstance(event, AcceptConnection):
                self.status = 101
                break
            if isinstance(event, RejectConnection):
                self.status = event.status_code
            elif isinstance(event, RejectData):
                self.refusal += event.data
                if event.body_finished:
                    break

    def send(self, event: Event) -> None:
        self.socket.sendall(self.protocol.send(event))

    def events(self) -> Iterator[Event]:
        """All that comes, up to the end of the connection."""
        while True:
            for event in self.protocol.events():
                if isinstance(event, CloseConnection):
                    self.closed = event
                    with suppress(OSError, LocalProtocolError):
                        self.send(event.response())
                yield event
            data = self.socket.recv(65536)
            if not data:
                return
            self.protocol.receive_data(data)

    def stream(self) -> Iterator[bytes]:
        """What Postgres says, up to the end of the connection."""
        for event in self.events():
            if isinstance(event, BytesMessage):
                yield bytes(event.data)
            elif isinstance(event, Ping):
                self.send(event.response())
            else:
                assert isinstance(event, CloseConnection)
                return


@contextmanager
def websocket(gateway: Gateway, target: str = "/v2", tls: ssl.SSLContext | None = None) -> Iterator[WebSocket]:
    found = WebSocket(gateway, target, tls)
    with closing(found.socket):
        yield found


class Bridge:
    """A TCP port on which every connection is carried through a WebSocket of its own, for drivers that know none.

    Args:
        open: opens the WebSocket.
        split: where to cut what the driver sends into messages: sizes that are used in turn.
    """

    def __init__(self, open: Callable[[], WebSocket], split: list[int] | None = None) -> None:
        self._open = open
        self._split = split or [65536]
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.websockets: list[WebSocket] = []
        self._drivers: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    def _start(self, work: Callable[..., None], *args: Any) -> None:
        thread = threading.Thread(target=work, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                driver, _ = self._listener.accept()
                self._drivers.append(driver)
                there = self._open()
                self.websockets.append(there)
                self._start(self._up, driver, there)
                self._start(self._down, driver, there)

    def _up(self, driver: socket.socket, there: WebSocket) -> None:
        turn = 0
        with suppress(OSError, LocalProtocolError):
            while data := driver.recv(self._split[turn % len(self._split)]):
                turn += 1
                there.send(BytesMessage(data))
            there.send(CloseConnection(1000))

    @staticmethod
    def _down(driver: socket.socket, there: WebSocket) -> None:
        with suppress(OSError):
            for data in there.stream():
                driver.sendall(data)
        with suppress(OSError):
            driver.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        ends = [*self._drivers, *(there.socket for there in self.websockets)]
        for end in ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for end in ends:
            end.close()


def through(bridge: Bridge, dsn: str) -> str:
    """The URL for a driver that is to go through `bridge`."""
    parts = urlsplit(dsn)
    login, _, _ = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{login}@127.0.0.1:{bridge.port}").geturl()


@pytest.fixture
def bridge(gateway: Gateway) -> Iterator[Bridge]:
    with closing(Bridge(lambda: WebSocket(gateway, "/v2"))) as bridge:
        yield bridge


@pytest.fixture
def session(bridge: Bridge, dsn: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(through(bridge, dsn), autocommit=True) as connection:
        yield connection


def startup(postgres: EmbeddedPostgres) -> bytes:
    return StartupMessage({"user": postgres.user, "database": postgres.dbname}).encode()


# Use


def test_a_session(session: psycopg.Connection[Any]) -> None:
    session.execute("create temp table t (a int, b text)")
    with session.transaction(), session.cursor().copy("copy t from stdin") as copy:
        for number in range(10_000):
            copy.write_row((number, "x" * 100))
    row = session.execute("select count(*), sum(length(b)) from t").fetchone()
    assert row == (10_000, 1_000_000)
    session.execute("listen c")
    session.execute("select pg_notify('c', 'hello')")
    assert next(session.notifies()).payload == "hello"
    with pytest.raises(psycopg.errors.UndefinedTable):
        session.execute("select * from no_such_table")
    with session.pipeline():
        found = [session.execute("select %s::int", [number]) for number in range(100)]
    assert [cursor.fetchone() for cursor in found] == [(number,) for number in range(100)]


def test_much_in_both_directions(session: psycopg.Connection[Any]) -> None:
    large = os.urandom(8_000_000)
    row = session.execute("select %b::bytea", [large]).fetchone()
    assert row == (large,)


def test_what_nobody_reads_holds_postgres_up(session: psycopg.Connection[Any], admin: Any) -> None:
    rows = session.cursor().stream("select repeat('x', 1000) from generate_series(1, 100000)")
    assert next(rows) == ("x" * 1000,)
    query = "select from pg_stat_activity where pid = %s and wait_event = 'ClientWrite'"
    wait_for(lambda: admin.execute(query, [session.info.backend_pid]).fetchall())
    assert sum(len(text) for (text,) in rows) == 99_999_000


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.integers(1, 64), min_size=1, max_size=8))
def test_borders_of_messages_mean_nothing(gateway: Gateway, dsn: str, split: list[int]) -> None:
    with (
        closing(Bridge(lambda: WebSocket(gateway, "/v2"), split)) as bridge,
        psycopg.connect(through(bridge, dsn)) as connection,
    ):
        assert connection.execute("select %s || %s", ["a" * 1000, "b"]).fetchone() == ("a" * 1000 + "b",)


def test_a_cancel_request_is_a_websocket_of_its_own(session: psycopg.Connection[Any], admin: Any) -> None:
    failures: list[Exception] = []

    def sleep() -> None:
        try:
            session.execute("select pg_sleep(100), 'cancelled'")
        except psycopg.Error as error:
            failures.append(error)

    thread = threading.Thread(target=sleep)
    thread.start()
    wait_for(lambda: active(admin, "'cancelled'"))
    session.cancel_safe()
    thread.join()
    assert isinstance(failures[0], psycopg.errors.QueryCanceled)
    assert session.execute("select 1").fetchone() == (1,)


def test_a_wrong_password(bridge: Bridge, dsn: str, postgres: EmbeddedPostgres) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(through(bridge, dsn.replace(postgres.password, "wrong")))


# The opening


@pytest.mark.parametrize("host", ["{host}", "localhost", "LOCALHOST", "[::1]", "%31%32%37.0.0.1"])
@pytest.mark.parametrize("path", ["/v1", "/v2"])
def test_addresses_that_are_allowed(gateway: Gateway, postgres: EmbeddedPostgres, path: str, host: str) -> None:
    target = f"{path}?address={host.format(host=postgres.host)}:{postgres.port}&x=y"
    with websocket(gateway, target) as there:
        assert there.status == 101
        there.send(BytesMessage(startup(postgres)))
        assert next(there.stream())[:1] == b"R"


@pytest.mark.parametrize(
    "address", ["127.0.0.1:1", "example.com:{port}", "127.0.0.1", "", ":{port}", "x@127.0.0.1:{port}", "[::1:{port}"]
)
@pytest.mark.parametrize("path", ["/v1", "/v2"])
def test_addresses_that_are_not(gateway: Gateway, postgres: EmbeddedPostgres, path: str, address: str) -> None:
    address = address.format(port=postgres.port)
    with websocket(gateway, f"{path}?address={address}") as there:
        assert there.status == 403
        assert address in json.loads(there.refusal)["msg"]


def test_v1_needs_an_address(gateway: Gateway) -> None:
    with websocket(gateway, "/v1") as there:
        assert there.status == 400
        assert "address" in json.loads(there.refusal)["msg"]


def test_an_address_that_was_allowed_by_name(postgres: EmbeddedPostgres) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"postgresql://127.0.0.1:{nobody.getsockname()[1]}/d"
        allow = [f"localhost:{postgres.port}"]
        with running(Gateway(Upstream(url, allow=allow))) as gateway:
            with websocket(gateway, f"/v2?address=localhost:{postgres.port}") as there:
                assert there.status == 101
            with websocket(gateway, f"/v2?address=127.0.0.1:{postgres.port}") as there:
                assert there.status == 403
            with websocket(gateway, "/v2") as there:
                assert there.status == 503
                assert "refused" in json.loads(there.refusal)["msg"]


def test_other_paths_have_no_websocket(gateway: Gateway) -> None:
    with websocket(gateway, "/sql") as there:
        assert (there.status, json.loads(there.refusal)) == (400, "query is not supported")


@pytest.mark.parametrize(
    ("name", "value", "status"),
    [
        ("Sec-WebSocket-Key", None, 400),
        ("Sec-WebSocket-Version", None, 400),
        ("Sec-WebSocket-Version", "12", 426),
        ("Connection", None, 400),
    ],
)
def test_what_is_no_handshake(client: Any, name: str, value: str | None, status: int) -> None:
    headers = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version": "13",
        name: value,
    }
    answer = client.request("", headers, "GET", "/v2")
    assert answer.status == status
    assert answer.json.keys() == {"msg"}
    assert answer.headers["neon-request-id"]


@pytest.mark.parametrize(
    ("upgrade", "wanted"),
    [
        ("websocket", True),
        ("WebSocket", True),
        ("websocket, h2c", True),
        ("h2c ,websocket", True),
        ("h2c\r\nUpgrade: websocket", True),
        ("websocket\r\nUpgrade: h2c", True),
        ("h2c", False),
        ("websocket2", False),
        ("", False),
        (None, False),
    ],
)
def test_what_a_client_would_like_to_speak(upgrade: str | None, wanted: bool) -> None:
    async def main() -> None:
        reader = asyncio.StreamReader()
        reader.feed_data(handshake(change={"Upgrade": upgrade}).encode())
        http = HTTPConnection(reader, cast(asyncio.StreamWriter, None), idle_timeout=30, head_timeout=30)
        request = await http.next_request()
        assert request is not None
        assert wants_websocket(request) is wanted
        if wanted:
            check_handshake(request)
            Tunnel(http, request, 30)

    asyncio.run(main())


def test_what_is_sent_before_the_answer_is_not_lost(gateway: Gateway, postgres: EmbeddedPostgres) -> None:
    protocol = WSConnection(ConnectionType.CLIENT)
    request = protocol.send(Request(host="x", target="/v2"))
    masked = WSConnection(ConnectionType.CLIENT)
    other = WSConnection(ConnectionType.SERVER)
    other.receive_data(masked.send(Request(host="x", target="/v2")))
    list(other.events())
    masked.receive_data(other.send(AcceptConnection()))
    list(masked.events())
    with socket.create_connection((gateway.host, gateway.port), timeout=30) as connection:
        connection.sendall(request + masked.send(BytesMessage(startup(postgres))))
        received: list[Event] = []
        while not any(isinstance(event, BytesMessage) for event in received):
            protocol.receive_data(connection.recv(65536))
            received += protocol.events()


def test_wss(postgres: EmbeddedPostgres, dsn: str, tmp_path: Path) -> None:
    ca = trustme.CA()
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert("127.0.0.1").configure_cert(tls)
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    trusting = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
    with (
        running(Gateway(Upstream(postgres.url), tls=tls)) as gateway,
        closing(Bridge(lambda: WebSocket(gateway, "/v2", trusting))) as bridge,
        psycopg.connect(through(bridge, dsn)) as connection,
    ):
        assert connection.execute("select repeat('x', 1000000)").fetchone() == ("x" * 1_000_000,)


# The end


def test_postgres_ends_it(gateway: Gateway) -> None:
    with websocket(gateway) as there:
        there.send(BytesMessage(b"\0\0\0\x09\xff\xff\xff\xff\0"))  # asks for a protocol that does not exist
        last = b"".join(there.stream())
        assert last[:1] == b"E"
        assert b"unsupported frontend protocol" in last
        assert there.closed is not None
        assert there.closed.code == 1000


def test_a_session_that_is_terminated_hears_why(session: psycopg.Connection[Any], bridge: Bridge) -> None:
    with pytest.raises(psycopg.errors.AdminShutdown):
        session.execute("select pg_terminate_backend(pg_backend_pid())")
    (there,) = bridge.websockets
    wait_for(lambda: there.closed)
    assert there.closed is not None
    assert there.closed.code == 1000


def test_a_cancel_request_ends_with_nothing_said(gateway: Gateway) -> None:
    with websocket(gateway) as there:
        there.send(BytesMessage(CancelRequest(1, b"1234").encode()))
        assert list(there.stream()) == []
        assert there.closed is not None
        assert there.closed.code == 1000


def test_the_client_ends_it(gateway: Gateway, postgres: EmbeddedPostgres) -> None:
    with websocket(gateway) as there:
        there.send(BytesMessage(startup(postgres)))
        next(there.stream())
        there.send(CloseConnection(1000, "done"))
        assert list(there.stream()) == []
        assert there.closed is not None
        assert (there.closed.code, there.closed.reason) == (1000, "done")
        assert there.socket.recv(1) == b""


def test_a_text_message_ends_it(gateway: Gateway, postgres: EmbeddedPostgres) -> None:
    with websocket(gateway) as there:
        there.send(BytesMessage(startup(postgres)))
        next(there.stream())
        there.send(TextMessage("select 1"))
        assert list(there.stream()) == []
        assert there.closed is not None
        assert there.closed.code == 1003


def test_frames_that_break_the_rules_end_it(gateway: Gateway) -> None:
    with websocket(gateway) as there:
        there.socket.sendall(b"\x82\x01x")  # a frame of a client has to be masked (RFC 6455 5.1)
        assert list(there.stream()) == []
        assert there.closed is not None
        assert there.closed.code == 1002


def test_pings_are_answered(gateway: Gateway, postgres: EmbeddedPostgres) -> None:
    with websocket(gateway) as there:
        there.send(Ping(b"are you there?"))
        event = next(event for event in there.events() if not isinstance(event, AcceptConnection))
        assert isinstance(event, Pong)
        assert event.payload == b"are you there?"
        there.send(Pong())  # may come unasked for (RFC 6455 5.5.3)
        there.send(BytesMessage(startup(postgres)))
        assert next(there.stream())[:1] == b"R"


@pytest.mark.parametrize("close", [True, False], ids=["closed", "lost"])
def test_a_client_that_goes_has_its_query_cancelled(bridge: Bridge, dsn: str, admin: Any, close: bool) -> None:
    session = psycopg.connect(through(bridge, dsn), autocommit=True)
    pid = session.info.backend_pid
    session.pgconn.send_query(b"select pg_sleep(100), 'lost'")
    wait_for(lambda: active(admin, "'lost'"))
    (there,) = bridge.websockets
    if close:
        there.send(CloseConnection(1001))
    else:
        there.socket.shutdown(socket.SHUT_RDWR)
    wait_for(lambda: not admin.execute("select from pg_stat_activity where pid = %s", [pid]).fetchall())
    session.close()


def test_what_was_sent_before_terminate_is_done(bridge: Bridge, dsn: str, admin: Any) -> None:
    admin.execute("create table ws_terminate (a int)")
    try:
        connection = psycopg.connect(through(bridge, dsn), autocommit=True)
        connection.pgconn.send_query(b"select pg_sleep(0.2); insert into ws_terminate values (1)")
        connection.close()
        wait_for(lambda: admin.execute("select from ws_terminate").fetchall())
    finally:
        admin.execute("drop table ws_terminate")


def test_a_gateway_that_stops(postgres: EmbeddedPostgres, dsn: str, admin: Any) -> None:
    with running(Gateway(Upstream(postgres.url))) as gateway:
        bridge = Bridge(lambda: WebSocket(gateway, "/v2"))
        connection = psycopg.connect(through(bridge, dsn), autocommit=True)
        connection.pgconn.send_query(b"select pg_sleep(100), 'shut'")
        wait_for(lambda: active(admin, "'shut'"))
        silent = WebSocket(gateway, "/v2")
    with closing(bridge), closing(connection), closing(silent.socket):
        (there,) = bridge.websockets
        wait_for(lambda: there.closed)
        assert there.closed is not None
        assert there.closed.code == 1001
        assert list(silent.stream()) == []
        assert silent.closed is not None
        assert silent.closed.code == 1001
    wait_for(lambda: not active(admin, "'shut'"))


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="open files can be counted on Linux only")
def test_nothing_stays_open(gateway: Gateway, dsn: str) -> None:
    def some_sessions() -> None:
        with closing(Bridge(lambda: WebSocket(gateway, "/v2"))) as bridge:
            with psycopg.connect(through(bridge, dsn)) as connection:
                connection.execute("select 1")
            bridge.websockets[0].socket.recv(1)
        for target in ("/v2", "/v1", "/v2?address=x:1"):
            WebSocket(gateway, target).socket.close()

    def open_files() -> int:
        gc.collect()
        return len(os.listdir("/proc/self/fd"))

    some_sessions()
    before = open_files()
    for _ in range(20):
        some_sessions()
    wait_for(lambda: open_files() <= before)


# A Postgres that speaks TLS


def test_postgres_behind_tls(postgres: EmbeddedPostgres, dsn: str, tmp_path: Path, client: Any) -> None:
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert("localhost").configure_cert(tls)
    with closing(TLSPostgres(postgres, tls)) as server:
        url = f"postgresql://localhost:{server.port}/postgres?sslmode=require&sslrootcert={tmp_path / 'ca.pem'}"
        with (
            running(Gateway(Upstream(url))) as gateway,
            closing(Bridge(lambda: WebSocket(gateway, "/v2"))) as bridge,
            psycopg.connect(through(bridge, dsn)) as connection,
        ):
            assert connection.execute("select repeat('x', 1000000)").fetchone() == ("x" * 1_000_000,)
            with closing(type(client)(gateway, dsn).connection) as http:
                http.request("POST", "/sql", '{"query": "select 1 as a"}', {"Neon-Connection-String": dsn})
                assert json.loads(http.getresponse().read())["rows"] == [{"a": 1}]


def test_a_login_that_the_gateway_cannot_look_into(postgres: EmbeddedPostgres, dsn: str) -> None:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("localhost").configure_cert(tls)
    with closing(TLSPostgres(postgres, tls)) as server:
        upstream = Upstream(f"postgresql://localhost:{server.port}/postgres?sslmode=disable")
        with (
            running(Gateway(upstream, idle_timeout=2)) as gateway,
            closing(Bridge(lambda: WebSocket(gateway, "/v2"))) as bridge,
            psycopg.connect(f"{through(bridge, dsn)}?sslmode=require") as connection,
            websocket(gateway) as slower,
        ):
            slower.send(BytesMessage(SSLRequest().encode()))
            assert list(slower.stream()) == [b"S"]
            assert slower.closed is not None
            assert slower.closed.code == 1008
            assert connection.execute("select 1").fetchone() == (1,)  # though its time is over too


@pytest.mark.parametrize("has_tls", [True, False])
def test_postgres_behind_tls_that_is_not_trusted(postgres: EmbeddedPostgres, has_tls: bool) -> None:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("localhost").configure_cert(tls)
    with closing(TLSPostgres(postgres, tls if has_tls else None)) as server:
        url = f"postgresql://localhost:{server.port}/postgres?sslmode=require"
        with running(Gateway(Upstream(url))) as gateway, websocket(gateway) as there:
            assert there.status == 503
            assert ("certificate" if has_tls else "TLS") in json.loads(there.refusal)["msg"]


# The key for cancelling


@given(st.lists(st.integers(1, 40)), st.integers(4, 256), st.sampled_from([b"", b"N", b"NN"]))
def test_the_key_is_found_wherever_the_stream_is_cut(cuts: list[int], length: int, refusals: bytes) -> None:
    key = bytes(range(256))[:length]
    body = (1234).to_bytes(4, "big") + key
    stream = (
        refusals
        + b"R\0\0\0\x08\0\0\0\0N\0\0\0\x08Sx\0\0"
        + b"S\0\0\0\x09a\0bc\0"
        + b"K"
        + (4 + len(body)).to_bytes(4, "big")
        + body
    )
    found = CancelKey()
    at = 0
    for cut in (*cuts, len(stream)):
        found.watch(stream[at : at + cut])
        at += cut
    assert found.request == CancelRequest(1234, key).encode()


@given(st.binary())
def test_what_is_not_understood_has_no_key(data: bytes) -> None:
    found = CancelKey()
    for piece in (b"S", b"\x16\x03\x03\0\x7a" + data, *[data or b"x"] * 3, b"x" * 100_000):
        found.watch(piece)
    assert found.request == b""
    assert found._parser is None  # and so nothing of it is kept


def test_terminate_is_what_the_gateway_takes_for_it() -> None:
    assert Terminate().encode() == b"X\0\0\0\4"
