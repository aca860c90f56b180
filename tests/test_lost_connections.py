"""Connections that are lost, closed, timed out, cancelled or interrupted, over real sockets."""

from __future__ import annotations

import asyncio
import errno
import os
import select
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

import psycopg
import pytest
import server_messages as s
from gateway_client import active, running, wait_for
from lost import check_lost
from relay import Relay
from transports import Connect, Connection, Numbers, on_sessions, over_http, over_tcp, over_websocket, through_gateway

import neonps
from neonps import errors
from neonps.flows.requests import Send
from neonps.gateway import Gateway, Upstream
from neonps.net import blocking

Admin = psycopg.Connection[Any]

INSERT = "insert into numbers values (%s)"


def kill(admin: Admin, conn: Connection) -> None:
    admin.execute("select pg_terminate_backend(%s, 10000)", [conn.info.backend_pid])


# The backend is killed


@on_sessions
@pytest.mark.parametrize("autocommit", [True, False])
def test_a_backend_that_is_killed_while_idle(connect: Connect, admin: Admin, autocommit: bool) -> None:
    conn = connect(autocommit=autocommit)
    conn.execute("select 1")
    kill(admin, conn)
    with pytest.raises(errors.AdminShutdown, match="terminating connection due to administrator command") as caught:
        conn.execute("select 2")
    assert isinstance(caught.value, neonps.OperationalError)
    assert caught.value.sqlstate == "57P01"
    check_lost(conn)


@on_sessions
def test_a_backend_that_is_killed_while_idle_is_noticed_by_commit(connect: Connect, admin: Admin) -> None:
    conn = connect()
    conn.execute("select 1")
    kill(admin, conn)
    with pytest.raises(errors.AdminShutdown):
        conn.commit()
    check_lost(conn)


@on_sessions
def test_closing_when_the_backend_was_killed(connect: Connect, admin: Admin) -> None:
    conn = connect()
    conn.execute("select 1")
    kill(admin, conn)
    conn.close()
    assert conn.closed
    assert not conn.broken


@on_sessions
@pytest.mark.parametrize("autocommit", [True, False])
def test_a_backend_that_is_killed_in_a_query(
    connect: Connect, admin: Admin, mark: str, in_thread: Callable[..., Future[Any]], autocommit: bool
) -> None:
    conn = connect(autocommit=autocommit)
    future = in_thread(conn.execute, f"select pg_sleep(100) -- {mark}")
    wait_for(lambda: active(admin, mark))
    kill(admin, conn)
    with pytest.raises(errors.AdminShutdown):
        future.result()
    check_lost(conn)


@on_sessions
def test_a_backend_that_is_killed_while_much_is_sent(numbers: Numbers, connect: Connect, admin: Admin) -> None:
    conn = connect(autocommit=True)

    def values() -> Iterator[tuple[int]]:
        for value in range(1_000_000):
            if value == 10_000:
                kill(admin, conn)
            yield (value,)

    with pytest.raises(neonps.OperationalError):
        conn.cursor().executemany(INSERT, values())
    check_lost(conn)
    assert numbers() == []


@on_sessions
def test_ones_own_backend_killed_by_oneself(auto: Connection) -> None:
    with pytest.raises(errors.AdminShutdown):
        auto.execute("select pg_terminate_backend(pg_backend_pid())")
    check_lost(auto)


@over_http
def test_a_backend_that_is_killed_in_a_request(
    numbers: Numbers, conn: Connection, admin: Admin, mark: str, in_thread: Callable[..., Future[Any]]
) -> None:
    """The next request gets another one."""
    future = in_thread(conn.execute, f"select pg_sleep(100) -- {mark}")
    wait_for(lambda: active(admin, mark))
    admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where state = 'active' and query like %s "
                  "and pid <> pg_backend_pid()", [f"%{mark}"])  # fmt: skip
    with pytest.raises(errors.AdminShutdown):
        future.result()
    assert conn.execute("select 1").fetchone() == (1,)


@on_sessions
def test_a_backend_that_is_killed_in_a_block(numbers: Numbers, connect: Connect, admin: Admin) -> None:
    conn = connect()
    with pytest.raises(errors.AdminShutdown), conn.transaction(), conn.transaction():
        conn.execute(INSERT, [1])
        kill(admin, conn)
        conn.execute(INSERT, [2])
    check_lost(conn)
    assert numbers() == []


@on_sessions
def test_the_server_ends_an_idle_session(connect: Connect, admin: Admin) -> None:
    conn = connect(options="-c idle_session_timeout=10", autocommit=True)
    pid = conn.info.backend_pid
    wait_for(lambda: not admin.execute("select from pg_stat_activity where pid = %s", [pid]).rowcount)
    with pytest.raises(errors.IdleSessionTimeout):
        conn.execute("select 1")
    check_lost(conn)


# The line is cut


def test_a_line_that_is_cut_in_a_query(
    relayed: Connect, relay: Relay, admin: Admin, mark: str, in_thread: Callable[..., Future[Any]]
) -> None:
    """Whoever has asked is told; the server does not work on for nobody."""
    conn = relayed()
    future = in_thread(conn.execute, f"select pg_sleep(100) -- {mark}")
    wait_for(lambda: active(admin, mark))
    relay.cut()
    with pytest.raises(neonps.OperationalError) as caught:
        future.result()
    assert "unknown" not in str(caught.value)  # it was a transaction that only reads, or that was not committed
    if conn.info.transport == "http":
        assert conn.execute("select 1").fetchone() == (1,)
        wait_for(lambda: not active(admin, mark))
    else:
        assert "server closed the connection unexpectedly" in str(caught.value)
        check_lost(conn)
        admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where query like %s", [f"%{mark}"])


@pytest.mark.parametrize("reset", [False, True])
@on_sessions
def test_a_line_that_is_cut_while_idle(relayed: Connect, relay: Relay, reset: bool) -> None:
    conn = relayed(autocommit=True)
    relay.cut(reset=reset)
    with pytest.raises(neonps.OperationalError, match="server closed the connection unexpectedly"):
        conn.execute("select 1")
    check_lost(conn)


LONG = "insert into numbers select %s where length(%s) > 0"
ROWS = [(number, "x" * 20_000) for number in range(20)]


def wait_for_the_end(conn: Connection) -> None:
    """Wait until what comes from a relay is there, such as the end."""
    assert select.select([conn.fileno()], [], [], 60)[0]


def in_a_block(conn: Connection) -> None:
    with conn.transaction():
        conn.execute(INSERT, [1])


def in_a_pipeline(conn: Connection) -> None:
    with conn.pipeline():
        conn.execute(INSERT, [1])


def in_a_long_pipeline(conn: Connection) -> None:
    with conn.pipeline():
        for row in ROWS:
            conn.execute(LONG, row)


def many_in_a_pipeline(conn: Connection) -> None:
    with conn.pipeline():
        conn.cursor().executemany(LONG, ROWS)


def commit_in_a_pipeline(conn: Connection) -> None:
    with conn.pipeline():
        conn.execute(INSERT, [2])
        conn.execute("commit")


#: Ways to end an idle line.
CUTS: dict[str, Callable[[Relay], None]] = {
    "closed": Relay.cut,
    "reset": lambda relay: relay.cut(reset=True),
    "half": Relay.cut_answers,
}


@pytest.mark.parametrize("cut", CUTS)
@on_sessions
@pytest.mark.parametrize(
    "use",
    [
        lambda conn: conn.execute(INSERT, [1]),
        lambda conn: conn.execute("insert into numbers values (1)"),
        lambda conn: conn.execute("call pg_temp.fill()"),
        lambda conn: conn.cursor().executemany(INSERT, [(1,)]),
        lambda conn: conn.cursor().executemany(LONG, ROWS),
        lambda conn: conn.batch([(INSERT, [1])]),
        in_a_block,
        in_a_pipeline,
        in_a_long_pipeline,
        many_in_a_pipeline,
    ],
)
def test_nothing_of_a_statement_is_sent_on_a_line_that_was_cut(
    numbers: Numbers, relayed: Connect, relay: Relay, use: Callable[[Connection], object], cut: str
) -> None:
    """So that it can be run again, on another connection."""
    conn = relayed(autocommit=True)
    conn.execute("create procedure pg_temp.fill() language sql begin atomic end")
    relay.clear()
    CUTS[cut](relay)
    wait_for_the_end(conn)
    with pytest.raises(neonps.OperationalError, match="server closed the connection unexpectedly") as caught:
        use(conn)
    assert not caught.value.outcome_unknown
    assert "unknown" not in str(caught.value)
    check_lost(conn)
    assert len(b"".join(relay.sent)) < 10  # at most the farewell of a WebSocket
    assert numbers() == []


@on_sessions
@pytest.mark.parametrize("use", [in_a_long_pipeline, many_in_a_pipeline])
@pytest.mark.parametrize("cut", CUTS)
def test_a_transaction_is_not_begun_on_a_line_that_was_cut(
    numbers: Numbers, relayed: Connect, relay: Relay, use: Callable[[Connection], None], cut: str
) -> None:
    conn = relayed()
    conn.execute("select 1")
    conn.rollback()
    CUTS[cut](relay)
    wait_for_the_end(conn)
    with pytest.raises(neonps.OperationalError) as caught:
        use(conn)
    assert not caught.value.outcome_unknown
    check_lost(conn)
    assert numbers() == []


@on_sessions
@pytest.mark.parametrize("cut", CUTS)
def test_the_same_with_asyncio(numbers: Numbers, url: str, relay: Relay, transport: str, cut: str) -> None:
    way = {"port": relay.port} if transport == "tcp" else {"gateway": f"http://127.0.0.1:{relay.port}"}

    async def main() -> None:
        conn = await neonps.AsyncConnection.connect(url, transport=transport, autocommit=True, **way)
        async with conn:
            await conn.execute("select 1")
            CUTS[cut](relay)
            assert select.select([conn.fileno()], [], [], 60)[0]
            with pytest.raises(neonps.OperationalError, match="server closed the connection unexpectedly") as caught:
                await conn.execute(INSERT, [1])
            assert not caught.value.outcome_unknown
            assert conn.broken

    asyncio.run(main())
    assert numbers() == []


@on_sessions
@pytest.mark.parametrize("use", [in_a_long_pipeline, many_in_a_pipeline, lambda c: c.cursor().executemany(LONG, ROWS)])
@pytest.mark.parametrize("failing", [1, 2])
def test_nothing_goes_out_behind_what_could_not_be_sent(
    numbers: Numbers, connect: Connect, monkeypatch: pytest.MonkeyPatch, use: Callable[[Connection], None], failing: int
) -> None:
    """Of a system that had no room once: the rest would be committed without that."""
    conn = connect(autocommit=True)
    conn.execute("select 1")
    sends = 0

    def send(runner: Any, request: Any) -> Any:
        nonlocal sends
        sends += len(request.data) > 1000
        if sends == failing:
            sends += 1
            raise OSError(errno.ENOBUFS, os.strerror(errno.ENOBUFS))
        return perform(runner, request)

    perform = blocking._PERFORM[Send]
    monkeypatch.setitem(blocking._PERFORM, Send, send)
    monkeypatch.setattr("neonps.flows.interruption.CANCEL_TIMEOUT", 1.0)
    conn.timeout = 1
    with pytest.raises(neonps.OperationalError):
        use(conn)
    assert sends == failing + 1
    assert conn.closed
    assert numbers() == []


@over_websocket
def test_a_ping_that_came_while_nobody_was_waiting(relayed: Connect, relay: Relay) -> None:
    conn = relayed(autocommit=True)
    conn.execute("select 1")
    relay.say(b"\x89\0")
    wait_for_the_end(conn)
    assert conn.execute("select 2").fetchone() == (2,)


@over_tcp
def test_what_came_with_the_end_is_no_answer(numbers: Numbers, relayed: Connect, relay: Relay) -> None:
    conn = relayed(autocommit=True)
    conn.execute("select 1")
    relay.say(s.complete("INSERT 0 1") + s.IDLE)
    relay.cut()
    wait_for_the_end(conn)
    with pytest.raises(neonps.OperationalError, match="server closed the connection unexpectedly") as caught:
        conn.execute("insert into numbers values (1)")
    assert not caught.value.outcome_unknown
    assert numbers() == []
    check_lost(conn)


@over_websocket
def test_a_websocket_that_was_closed_on_a_line_that_goes_on(numbers: Numbers, relayed: Connect, relay: Relay) -> None:
    """The other side waits for the same from here (RFC 6455 7.1.1)."""
    conn = relayed(autocommit=True)
    conn.execute("select 1")
    relay.say(b"\x88\2\3\xe9")
    wait_for_the_end(conn)
    with pytest.raises(neonps.OperationalError, match="code 1001") as caught:
        conn.execute(INSERT, [1])
    assert not caught.value.outcome_unknown
    assert numbers() == []
    check_lost(conn)


@on_sessions
@pytest.mark.parametrize(
    "commit", [lambda conn: conn.commit(), lambda conn: conn.execute("commit"), commit_in_a_pipeline]
)
def test_a_commit_on_a_line_that_was_cut(
    numbers: Numbers, relayed: Connect, relay: Relay, commit: Callable[[Connection], object]
) -> None:
    conn = relayed()
    conn.execute(INSERT, [1])
    relay.cut()
    wait_for_the_end(conn)
    with pytest.raises(neonps.OperationalError, match="is rolled back by the server") as caught:
        commit(conn)
    assert not caught.value.outcome_unknown
    assert numbers() == []
    check_lost(conn)


def test_the_outcome_of_a_commit_is_unknown(
    numbers: Numbers, relayed: Connect, relay: Relay, in_thread: Callable[..., Future[Any]]
) -> None:
    """The server has committed, and its answer never came."""
    conn = relayed()
    conn.execute(INSERT, [1])
    relay.mute()
    future = in_thread(conn.commit)
    wait_for(lambda: numbers() == [1])
    relay.cut()
    with pytest.raises(neonps.OperationalError, match="It is unknown whether"):
        future.result()
    assert numbers() == [1]


@pytest.mark.parametrize("way", ["execute", "executemany", "batch", "block"])
def test_the_outcome_of_what_commits_itself_is_unknown(
    numbers: Numbers, relayed: Connect, relay: Relay, in_thread: Callable[..., Future[Any]], way: str
) -> None:
    conn = relayed(autocommit=True)

    def block() -> None:
        with conn.transaction():
            conn.batch([(INSERT, [1])]) if conn.info.transport != "http" else conn.execute(INSERT, [1])
            relay.mute()

    if way != "block":
        relay.mute()
    future = in_thread(
        {
            "execute": lambda: conn.execute(INSERT, [1]),
            "executemany": lambda: conn.cursor().executemany(INSERT, [(1,)]),
            "batch": lambda: conn.batch([(INSERT, [1])]),
            "block": block,
        }[way]
    )
    wait_for(lambda: numbers() == [1])
    relay.clear()
    relay.cut()
    with pytest.raises(neonps.OperationalError, match="It is unknown whether") as caught:
        future.result()
    assert caught.value.outcome_unknown
    assert numbers() == [1]
    assert relay.sent == []  # nothing that may have run is ever sent twice


@on_sessions
def test_the_outcome_of_an_open_transaction_is_known(
    numbers: Numbers, relayed: Connect, relay: Relay, admin: Admin, mark: str, in_thread: Callable[..., Future[Any]]
) -> None:
    conn = relayed()
    conn.execute(INSERT, [1])
    future = in_thread(conn.execute, f"insert into numbers select 2 from pg_sleep(100) -- {mark}")
    wait_for(lambda: active(admin, mark))
    relay.cut()
    with pytest.raises(neonps.OperationalError, match="rolled back by the server") as caught:
        future.result()
    assert "It is unknown" not in str(caught.value)
    assert not caught.value.outcome_unknown
    admin.execute("select pg_terminate_backend(pid, 10000) from pg_stat_activity where query like %s", [f"%{mark}"])
    assert numbers() == []


# The gateway stops


@through_gateway
def test_the_gateway_stops_while_idle(dsn: str, transport: str) -> None:
    with running(Gateway(Upstream(dsn))) as gateway:
        conn = neonps.connect(dsn, gateway=gateway.url, transport=transport, autocommit=True)
        conn.execute("select 1")
    with pytest.raises(neonps.OperationalError) as caught:
        conn.execute("select 1")
    if transport == "websocket":
        assert "code 1001 (going away): the gateway shuts down" in str(caught.value)
        check_lost(conn)
    else:
        assert "refused" in str(caught.value)
        assert "unknown" not in str(caught.value)
        conn.close()


@through_gateway
def test_the_gateway_stops_in_a_query(
    dsn: str, transport: str, admin: Admin, mark: str, in_thread: Callable[..., Future[Any]]
) -> None:
    with running(Gateway(Upstream(dsn))) as gateway:
        conn = neonps.connect(dsn, gateway=gateway.url, transport=transport, autocommit=True)
        future = in_thread(conn.execute, f"select pg_sleep(100) -- {mark}")
        wait_for(lambda: active(admin, mark))
    with pytest.raises(neonps.OperationalError, match="unknown whether") as caught:
        future.result()
    if transport == "websocket":
        assert "1001" in str(caught.value)
        check_lost(conn)
    conn.close()
    wait_for(lambda: not active(admin, mark))


@over_websocket
def test_cancelling_when_the_gateway_is_gone(dsn: str, transport: str) -> None:
    with running(Gateway(Upstream(dsn))) as gateway:
        conn = neonps.connect(dsn, gateway=gateway.url, transport=transport)
    with pytest.raises(neonps.OperationalError, match="cancel"):
        conn.cancel()
    conn.close()


# Kept-alive connections of HTTP


@over_http
@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("statement", ["select 1", "insert into numbers values (1)"])
def test_a_connection_that_was_closed_between_requests_is_opened_again(
    numbers: Numbers, relayed: Connect, relay: Relay, reset: bool, statement: str
) -> None:
    conn = relayed(autocommit=True)
    for count in range(1, 4):
        assert conn.execute(statement.replace("1", str(count))).rowcount == 1
        assert relay.accepted == count
        relay.cut(reset=reset)
    assert len(relay.sent) == 3


@over_http
def test_a_gateway_that_does_not_wait_for_long(dsn: str, transport: str) -> None:
    with (
        running(Gateway(Upstream(dsn), idle_timeout=0.01)) as gateway,
        neonps.connect(dsn, gateway=gateway.url, transport=transport) as conn,
    ):
        pause = threading.Event()
        for _ in range(5):
            assert conn.execute("select 1").fetchone() == (1,)
            pause.wait(0.02)


@over_http
def test_a_gateway_that_was_restarted(dsn: str, transport: str) -> None:
    with running(Gateway(Upstream(dsn))) as gateway:
        conn = neonps.connect(dsn, gateway=gateway.url, transport=transport)
        conn.execute("select 1")
    with pytest.raises(neonps.OperationalError, match="refused"):
        conn.execute("select 1")
    with running(Gateway(Upstream(dsn), port=gateway.port)):
        assert conn.execute("select 1").fetchone() == (1,)
        conn.close()


# Leaks


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc")
def test_nothing_is_left_behind(url: str, transport: str, admin: Admin) -> None:
    def use(**kwargs: Any) -> None:
        with neonps.connect(url, transport=transport, **kwargs) as conn:
            conn.execute("select 1")
            conn.batch(["select 1"])
            conn.cursor().executemany("select %s", [(1,), (2,)])

    def fail(**kwargs: Any) -> None:
        with pytest.raises(neonps.Error):
            use(**kwargs)

    def lose() -> None:
        conn = neonps.connect(url, transport=transport)
        with pytest.raises(neonps.Error):
            conn.execute("select pg_terminate_backend(pg_backend_pid())")
        conn.close()

    def time_out() -> None:
        with neonps.connect(url, transport=transport, timeout=0.05) as conn, pytest.raises(neonps.Error):
            conn.execute("select pg_sleep(10)")

    everything = (use, lambda: fail(password="wrong"), lambda: fail(dbname="nowhere"), lose, time_out)
    for scenario in everything:
        scenario()
    before, threads = descriptors(), threading.active_count()
    for _ in range(3):
        for scenario in everything:
            scenario()
    wait_for(lambda: descriptors() <= before)
    assert threading.active_count() == threads
