"""What is tried again, and what is not: connecting to what is not there yet, and requests that nobody has taken."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager, suppress
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from fake_server import FakeServer
from gateway_client import running, wait_for
from relay import Relay
from test_interrupts import at_any_moment, interrupt_after
from transports import Connect, Numbers, on_sessions, over_http, over_tcp, over_websocket, through_gateway
from waking import ClosingWebSocket, TakingServer, WakingServer

import neonps
from neonps import errors
from neonps.embedded import EmbeddedPostgres
from neonps.flows import retrying
from neonps.flows.http import HttpTransport
from neonps.flows.requests import Clock, Close, DeadlinePassed, Flow, Open, Pause, Send
from neonps.gateway import Gateway, Upstream
from neonps.query import PostgresQuery
from neonps.settings import resolve
from neonps.transformer import Transformer


def fatal(sqlstate: str, message: str) -> bytes:
    body = f"SFATAL\0VFATAL\0C{sqlstate}\0M{message}\0\0".encode()
    return b"E" + (len(body) + 4).to_bytes(4, "big") + body


def http(status: str, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", "Content-Type: application/json", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


STARTING = fatal("57P03", "the database system is starting up")
BUSY = http("503 Service Unavailable", b'{"msg": "try again"}')
BUSY_FOR_NO_TIME = http("503 Service Unavailable", b'{"msg": "try again"}', "Retry-After: 0")


def of_postgres(sqlstate: str, severity: str) -> bytes:
    """The body of an answer that has an error of Postgres."""
    return json.dumps({"message": "no", "code": sqlstate, "severity": severity}).encode()


STARTING_OVER_HTTP = http("400 Bad Request", of_postgres("57P03", "FATAL"))
FULL_OVER_HTTP = http("503 Service Unavailable", of_postgres("53300", "FATAL"), "Retry-After: 0")


def way_to(transport: str, port: int) -> dict[str, Any]:
    return {"port": port} if transport == "tcp" else {"gateway": f"http://127.0.0.1:{port}"}


def use(url: str, transport: str, port: int, **kwargs: Any) -> None:
    way = {"transport": transport, **way_to(transport, port), **kwargs}
    with neonps.connect(url, **way) as conn:
        assert conn.execute("select 1").fetchone() == (1,)


@pytest.fixture
def real(postgres: EmbeddedPostgres, gateway: Gateway, transport: str) -> tuple[str, int]:
    server = postgres if transport == "tcp" else gateway
    return server.host, server.port


@pytest.fixture
def attempts(caplog: pytest.LogCaptureFixture) -> Callable[[], int]:
    """How many attempts there were after the first."""
    caplog.set_level(logging.INFO, "neonps.connection")
    return lambda: sum(record.__dict__.get("neonps_event") == "connecting again" for record in caplog.records)


@contextmanager
def closed_port() -> Iterator[int]:
    """A port that is reserved, and where nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()[1]


# What is tried again


@pytest.mark.parametrize("asynchronous", [False, True])
def test_nobody_listens_yet(
    url: str, dsn: str, transport: str, postgres: EmbeddedPostgres, attempts: Callable[[], int],
    in_thread: Callable[..., Future[Any]], asynchronous: bool,
) -> None:  # fmt: skip
    with closed_port() as port:

        async def main() -> None:
            way = {"transport": transport, **way_to(transport, port), "connect_timeout": 60}
            async with await neonps.AsyncConnection.connect(url, **way) as conn:
                assert await (await conn.execute("select 1")).fetchone() == (1,)

        def blocking() -> None:
            use(url, transport, port, connect_timeout=60)

        future = in_thread(asyncio.run, main()) if asynchronous else in_thread(blocking)
        wait_for(lambda: attempts() >= 2)
    if transport == "tcp":
        with Relay(postgres.host, postgres.port, listen=port):
            future.result()
    else:
        with running(Gateway(Upstream(dsn), port=port)):
            future.result()


@over_tcp
@pytest.mark.parametrize("keywords", [{}, {"connect_timeout": 30}])
def test_a_database_that_starts(
    url: str, transport: str, real: tuple[str, int], attempts: Callable[[], int], keywords: dict[str, Any]
) -> None:
    with WakingServer(*real, STARTING) as server:
        use(url, transport, server.port, **keywords)
        assert server.accepted == 3
    assert attempts() == 2


@over_tcp
def test_a_database_that_starts_with_asyncio(url: str, transport: str, real: tuple[str, int]) -> None:
    async def main(port: int) -> None:
        async with await neonps.AsyncConnection.connect(url, transport=transport, port=port) as conn:
            assert await (await conn.execute("select 1")).fetchone() == (1,)

    with WakingServer(*real, STARTING) as server:
        asyncio.run(main(server.port))
        assert server.accepted == 3


@through_gateway
def test_a_database_that_starts_behind_a_gateway(dsn: str, transport: str, postgres: EmbeddedPostgres) -> None:
    with WakingServer(postgres.host, postgres.port, STARTING) as server:
        behind = dsn.replace(f":{postgres.port}/", f":{server.port}/")
        with running(Gateway(Upstream(behind))) as gateway:
            use(f"{behind}?gateway={gateway.url}", transport, gateway.port)
        assert server.accepted == 3


def test_a_unix_socket_that_is_not_there_yet(
    dsn: str, postgres: EmbeddedPostgres, attempts: Callable[[], int], in_thread: Callable[..., Future[Any]]
) -> None:
    with TemporaryDirectory() as directory, ExitStack() as stack:  # its name is short enough for a socket
        keywords = {**neonps.conninfo.conninfo_to_dict(dsn), "host": directory, "port": 5432, "connect_timeout": 60}
        future = in_thread(lambda: neonps.connect(**keywords))
        wait_for(lambda: attempts() >= 2)
        listener = stack.enter_context(socket.socket(socket.AF_UNIX))
        listener.bind(f"{directory}/.s.PGSQL.5432")
        listener.listen()
        client = stack.enter_context(listener.accept()[0])
        server = stack.enter_context(socket.create_connection((postgres.host, postgres.port)))
        carried = [in_thread(carry, client, server), in_thread(carry, server, client)]
        with future.result() as conn:
            assert conn.execute("select 1").fetchone() == (1,)
        for each in carried:
            each.result()


def carry(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)


@over_websocket
@pytest.mark.parametrize("refusal", [BUSY, BUSY_FOR_NO_TIME])
def test_a_gateway_that_is_busy(url: str, transport: str, real: tuple[str, int], refusal: bytes) -> None:
    with WakingServer(*real, refusal) as server:
        use(url, transport, server.port)
        assert server.accepted == 3


@over_websocket
@pytest.mark.parametrize("moment", ["handshake", "after it", "first message"])
@pytest.mark.parametrize(("code", "accepted"), [(1012, 3), (1013, 3), (1011, 1), (1008, 1)])
def test_a_gateway_that_closes(
    url: str, transport: str, real: tuple[str, int], moment: str, code: int, accepted: int
) -> None:
    with ClosingWebSocket(*real, code, moment) as server:
        if accepted == 3:
            use(url, transport, server.port)
        else:
            with pytest.raises(neonps.OperationalError, match=rf"with code {code} .*: later"):
                use(url, transport, server.port)
        assert server.accepted == accepted


@over_http
@pytest.mark.parametrize("refusal", [BUSY_FOR_NO_TIME, STARTING_OVER_HTTP, FULL_OVER_HTTP])
def test_a_service_that_is_busy(
    numbers: Numbers, url: str, transport: str, real: tuple[str, int], refusal: bytes
) -> None:
    """It has said that it has not begun, so that what writes can be sent again too."""
    with WakingServer(*real, refusal) as server:
        way = way_to(transport, server.port)
        with neonps.connect(url, transport=transport, autocommit=True, **way) as conn:
            assert conn.execute("insert into numbers values (1)").rowcount == 1
        assert server.accepted == 3
    assert numbers() == [1]


@over_http
def test_a_gateway_that_has_too_many_clients(
    numbers: Numbers,
    url: str,
    dsn: str,
    transport: str,
    attempts: Callable[[], int],
    in_thread: Callable[..., Future[Any]],
) -> None:
    with running(Gateway(Upstream(dsn), max_connections=1)) as gateway:
        way = way_to(transport, gateway.port)
        with neonps.connect(url, transport=transport, autocommit=True, connect_timeout=60, **way) as conn:
            with socket.create_connection((gateway.host, gateway.port)):
                future = in_thread(conn.execute, "insert into numbers values (1)")
                wait_for(lambda: attempts() >= 1)
            assert future.result().rowcount == 1
    assert numbers() == [1]


@over_http
@pytest.mark.parametrize(
    "answer",
    [
        BUSY,
        http("503 Backend fetch failed", b"<h1>Error 503 Backend fetch failed</h1>", "Retry-After: 0"),
        http("503 Service Unavailable", b"", "Retry-After: 0"),
        http("503 Service Unavailable", b'{"message": "the upstream is gone"}', "Retry-After: 0"),
        http("503 Service Unavailable", of_postgres("08006", "FATAL"), "Retry-After: 0"),
        http("400 Bad Request", b'{"message": "no", "code": "57P04"}'),
    ],
)
def test_a_service_that_may_have_begun(
    numbers: Numbers, url: str, transport: str, real: tuple[str, int], answer: bytes
) -> None:
    """A proxy answers 503 also when it has lost the server in the middle of the request.

    What is in a read-only transaction is not sent again either: it can have notified somebody.
    """
    with WakingServer(*real, answer, refusals=1) as server:
        way = way_to(transport, server.port)
        with neonps.connect(url, transport=transport, autocommit=True, **way) as conn:
            with pytest.raises(neonps.OperationalError, match="unknown whether") as caught:
                conn.execute("insert into numbers values (1)")
            assert caught.value.outcome_unknown
            assert server.accepted == 1
    with WakingServer(*real, answer, refusals=1) as server:
        with pytest.raises(neonps.OperationalError) as caught:
            use(url, transport, server.port)
        assert not caught.value.outcome_unknown  # the documented meaning: it only reads
        assert server.accepted == 1
    assert numbers() == []


@on_sessions
def test_the_primary_of_several_hosts_comes_back(
    url: str, transport: str, real: tuple[str, int], postgres: EmbeddedPostgres
) -> None:
    """All hosts are tried before any is tried again."""
    if transport == "websocket":
        refusal = BUSY
        with WakingServer(*real, refusal, refusals=1) as one:
            use(url, transport, one.port, target_session_attrs="read-write")
            assert one.accepted == 2
        return
    with WakingServer(*real, STARTING, refusals=3) as one, WakingServer(*real, STARTING, refusals=1) as other:
        hosts = {"host": "127.0.0.1,127.0.0.1", "port": f"{one.port},{other.port}"}
        with neonps.connect(url, transport=transport, target_session_attrs="primary", **hosts) as conn:
            assert conn.info.port == other.port
        assert (one.accepted, other.accepted) == (2, 2)


# What is not


@pytest.mark.parametrize(
    "refusal",
    [
        fatal("28P01", "password authentication failed"),
        fatal("3D000", 'database "d" does not exist'),
        fatal("53300", "sorry, too many clients already"),
        fatal("57P01", "terminating connection"),
        b"N",
        b"",
    ],
)
def test_what_has_failed_for_good_over_tcp(url: str, refusal: bytes, attempts: Callable[[], int]) -> None:
    with FakeServer(refusal) as server:
        with pytest.raises(neonps.OperationalError):
            use(url, "tcp", server.port, connect_timeout=30)
        assert server.accepted == 1
    assert attempts() == 0


@pytest.mark.parametrize("status", ["401 No", "403 No", "404 No", "429 No", "500 No", "502 No", "504 No"])
@pytest.mark.parametrize("transport", ["websocket", "http"])
def test_what_has_failed_for_good(url: str, transport: str, status: str) -> None:
    with FakeServer(http(status, b"{}", "Retry-After: 0")) as server:
        with pytest.raises(neonps.OperationalError):
            use(url, transport, server.port, connect_timeout=30)
        assert server.accepted == 1


@on_sessions
def test_passwords_and_databases(connect: Connect, attempts: Callable[[], int]) -> None:
    with pytest.raises(errors.InvalidPassword):
        connect(password="wrong", connect_timeout=30)
    with pytest.raises(neonps.OperationalError, match="does not exist"):
        connect(dbname="nowhere", connect_timeout=30)
    assert attempts() == 0


def test_a_certificate_that_is_not_good(url: str, transport: str, attempts: Callable[[], int]) -> None:
    """What answers is no TLS at all."""
    with FakeServer(b"S" if transport == "tcp" else b"HTTP/1.1 400 No\r\n\r\n") as server:
        secured = {} if transport == "tcp" else {"gateway": f"https://127.0.0.1:{server.port}"}
        with pytest.raises(neonps.OperationalError):
            use(url, transport, server.port, sslmode="require", connect_timeout=30, **secured)
        assert server.accepted == 1
    assert attempts() == 0


@over_tcp
def test_one_host_has_failed_for_good(url: str, transport: str, attempts: Callable[[], int]) -> None:
    """Nothing that the other may come to would make that better."""
    with closed_port() as port, FakeServer(fatal("28P01", "wrong password")) as server:
        hosts = {"host": "127.0.0.1,127.0.0.1", "port": f"{port},{server.port}"}
        with pytest.raises(neonps.OperationalError, match="wrong password"):
            neonps.connect(url, transport=transport, connect_timeout=30, **hosts)
    assert attempts() == 0


# For how long


def test_nobody_listens_and_no_time_is_given(url: str, transport: str, attempts: Callable[[], int]) -> None:
    """A wrong port is told of at once."""
    for keywords in ({}, {"connect_timeout": 0}):
        with closed_port() as port, pytest.raises(neonps.OperationalError, match="refused") as caught:
            use(url, transport, port, **keywords)
        assert "attempt" not in str(caught.value)
    assert attempts() == 0


def test_until_the_time_is_over(url: str, transport: str, attempts: Callable[[], int]) -> None:
    with closed_port() as port, pytest.raises(neonps.OperationalError, match="refused") as caught:
        use(url, transport, port, connect_timeout=2)
    assert attempts() >= 2
    assert f"This was attempt {attempts() + 1}." in str(caught.value)


@over_http
def test_not_longer_than_a_call_may_take(url: str, transport: str) -> None:
    with closed_port() as port, pytest.raises(neonps.OperationalError, match=r"timeout: .* 0\.3 seconds") as caught:
        use(url, transport, port, connect_timeout=60, timeout=0.3)
    assert "unknown" not in str(caught.value)


@pytest.mark.parametrize("transport", ["websocket", "http"])
@pytest.mark.parametrize(
    ("after", "waits"), [("100", False), ("9" * 20, False), ("Fri, 31 Dec 2100 23:59:59 GMT", True)]
)
def test_retry_after(url: str, transport: str, after: str, waits: bool) -> None:
    """What is longer than there is time for is not waited for at all; a date is as if it were not there."""
    with FakeServer(http("503 No", b'{"msg": "no"}', f"Retry-After: {after}")) as server:
        with pytest.raises(neonps.OperationalError) as caught:
            use(url, transport, server.port, connect_timeout=2)
        assert (server.accepted > 1) == waits
        assert (f"This was attempt {server.accepted}." in str(caught.value)) == waits


@over_http
def test_what_was_not_run_has_not_taken_effect(url: str, transport: str) -> None:
    with FakeServer(http("503 No", b'{"msg": "no"}', "Retry-After: 100")) as server:
        way = way_to(transport, server.port)
        with neonps.connect(url, transport=transport, autocommit=True, connect_timeout=2, **way) as conn:
            with pytest.raises(neonps.OperationalError) as caught:
                conn.execute("insert into numbers values (1)")
            assert caught.value.status == 503
            assert "unknown" not in str(caught.value)


def pauses(patience: float | None, fail: BaseException, took: float = 0.0) -> list[float]:
    """How long the pauses are between attempts that fail, by a clock that goes on with them."""
    settings = resolve("host=h user=u", environ={})._replace(patience=patience)
    retries = retrying.Retries(settings)
    now, found = 1000.0, []

    def run(flow: Flow[Any]) -> Any:
        nonlocal now
        try:
            request = next(flow)
            while True:
                if isinstance(request, Pause):
                    found.append(request.seconds)
                    now += request.seconds
                request = flow.send(now if isinstance(request, Clock) else None)
        except StopIteration as stop:
            return stop.value

    run(retries.start())
    while True:
        now += min(took, run(retries.limit()))
        retries.note(fail)
        if not run(retries.again()):
            return found


REFUSED = ConnectionRefusedError(111, "refused")


def test_pauses_grow_and_differ() -> None:
    found = pauses(60, REFUSED)
    assert sum(found) < 60
    for number, pause in enumerate(found):
        longest = min(0.1 * 2**number, 2.0)
        assert longest / 2 <= pause <= longest
    assert found != pauses(60, REFUSED)


def test_attempts_that_take_long_are_counted() -> None:
    """The first may take `connect_timeout`; all others together take what is left."""
    assert 1 <= len(pauses(10, REFUSED, took=9)) <= 2
    assert pauses(10, REFUSED, took=10) == []


def test_what_is_waking_is_waited_for_a_while() -> None:
    waking = errors.error_from_fields({"S": "FATAL", "V": "FATAL", "C": "57P03", "M": "starting"})
    assert 5 < sum(pauses(None, waking)) < retrying.WAKING_PATIENCE
    assert pauses(None, REFUSED) == []
    assert pauses(0.0, waking) == []
    raised = errors.error_from_fields({"S": "ERROR", "V": "ERROR", "C": "57P03", "M": "raised by a statement"})
    assert pauses(60, raised) == []
    assert pauses(60, DeadlinePassed()) == []


@pytest.mark.parametrize("last", [OSError("the last"), DeadlinePassed()])
def test_a_request_is_tried_again_as_often_as_there_is_time(last: BaseException) -> None:
    url = "postgresql://u:p@localhost/db?gateway=http://localhost:1"
    transport = HttpTransport(resolve(url, {"transport": "http", "connect_timeout": 100_000}, {}))
    transport.autocommit = True
    query = PostgresQuery(Transformer())
    query.convert("select 1", None)
    flow = transport.execute(query, binary=False, deliver=lambda results: None)
    now, attempts = 0.0, 0
    request = next(flow)
    with pytest.raises(neonps.OperationalError, match="This was attempt 2000"):
        while True:
            now += request.seconds if isinstance(request, Pause) else 0.0
            if isinstance(request, Open):
                attempts += 1
                request = flow.throw(REFUSED if attempts < 2000 else last)
            else:
                request = flow.send(now if isinstance(request, Clock) else None)


# Closed meanwhile


@over_http
def test_another_thread_closes_it_between_attempts(
    url: str, transport: str, attempts: Callable[[], int], in_thread: Callable[..., Future[Any]]
) -> None:
    """When close() has returned, nothing is sent any more."""
    with FakeServer(http("503 No", b'{"msg": "no"}', "Retry-After: 1")) as server:
        conn = neonps.connect(url, transport=transport, autocommit=True, **way_to(transport, server.port))
        future = in_thread(conn.execute, "insert into numbers values (1)")
        wait_for(lambda: attempts() == 1)
        conn.close()
        with pytest.raises(neonps.OperationalError, match="closed by another thread") as caught:
            future.result()
        assert not caught.value.outcome_unknown
        assert server.received.count(b"POST ") == 1


@pytest.mark.parametrize("during", [Pause, Open])
def test_it_is_closed_while_a_connection_is_opened(during: type) -> None:
    url = "postgresql://u:p@localhost/db?gateway=http://localhost:1"
    transport = HttpTransport(resolve(url, {"transport": "http", "connect_timeout": 60}, {}))
    transport.autocommit = True
    query = PostgresQuery(Transformer())
    query.convert("select 1", None)
    flow = transport.execute(query, binary=False, deliver=lambda results: None)
    asked = [next(flow)]
    with pytest.raises(neonps.OperationalError, match="closed by another thread"):
        while len(asked) < 20:
            transport.closed = transport.closed or isinstance(asked[-1], during)
            if isinstance(asked[-1], Open) and during is Pause:
                asked.append(flow.throw(REFUSED))
            else:
                asked.append(flow.send(0.0 if isinstance(asked[-1], Clock) else None))
    assert isinstance(asked[-1], Close)  # what was opened is not left behind
    assert not any(isinstance(each, Send) for each in asked)
    assert sum(isinstance(each, Open) for each in asked) == 1


# Interrupted


@at_any_moment
@pytest.mark.parametrize("seconds", [0.01, 0.15, 0.3])
def test_ctrl_c_between_attempts(url: str, transport: str, seconds: float) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with closed_port() as port:
        interrupt_after(seconds, lambda: use(url, transport, port, connect_timeout=60))
    wait_for(lambda: len(os.listdir("/proc/self/fd")) <= before)


def test_a_task_is_cancelled_between_attempts(url: str, transport: str, attempts: Callable[[], int]) -> None:
    async def main() -> None:
        with closed_port() as port:
            way = {"transport": transport, **way_to(transport, port), "connect_timeout": 60}

            async def connect() -> None:
                async with await neonps.AsyncConnection.connect(url, **way) as conn:
                    await conn.execute("select 1")

            task = asyncio.create_task(connect())
            while attempts() < 1:
                await asyncio.sleep(0.001)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(main())


# Requests on a connection that was kept alive

ANSWER = http(
    "200 OK",
    json.dumps({"command": "INSERT", "rowCount": 1, "rowAsArray": True, "fields": [], "rows": []}).encode(),
)


@over_http
@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("last", [b"", b"HTTP/1.1 2", ANSWER[:-5]])
@pytest.mark.parametrize("taken", [1, 100, None])
@pytest.mark.parametrize("statement", ["insert into numbers values (1)", "select 1"])
def test_a_request_that_was_taken_is_never_sent_again(
    url: str, transport: str, taken: int | None, last: bytes, reset: bool, statement: str
) -> None:
    """By counting what gets to the server: also a part of a request may have been passed on."""
    with TakingServer(ANSWER, taken=taken, last=last, reset=reset) as server:
        way = way_to(transport, server.port)
        with neonps.connect(url, transport=transport, autocommit=True, **way) as conn:
            conn.execute(statement)
            with pytest.raises(neonps.OperationalError, match="It is unknown whether"):
                conn.execute(statement)
            assert (server.accepted, server.requests) == (1, 2)
            assert not conn.closed
            conn.execute(statement)  # the connection can be used: there is a new one below it
        assert (server.accepted, server.requests) == (2, 3)


@over_http
def test_a_server_that_closes_while_it_is_asked(numbers: Numbers, relayed: Connect, relay: Relay) -> None:
    """Each insert is there once if it went well, and once or not at all if nobody knows."""
    conn = relayed(autocommit=True)
    good, unknown = 0, 0
    for number in range(100):
        if number % 2:
            relay.cut(reset=bool(number % 4 == 1))
        else:
            relay.cut_at(b"insert into numbers")  # when it was answered, and the answer is lost
        try:
            conn.execute("insert into numbers values (%s)", [number])
            good += 1
        except neonps.OperationalError:
            unknown += 1
    relay.cut_at(b"")
    found = numbers()
    assert len(set(found)) == len(found)
    assert good + unknown == 100
    assert good > 0
    assert unknown > 0
    assert good <= len(found) <= good + unknown
