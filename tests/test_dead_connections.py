"""The other side is gone without a goodbye: pings of a WebSocket, and what the system is asked to look after."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

import pytest
from gateway_client import active, wait_for
from lost import check_lost
from odd_websocket import OddWebSocket
from silent_websocket import SilentRelay
from transports import Connect, on_sessions, over_websocket

import neonps
from neonps.embedded import EmbeddedPostgres
from neonps.gateway import Gateway
from neonps.settings import resolve

QUICK = {"ping_interval": 0.1, "ping_timeout": 0.2}


@pytest.fixture
def silent(gateway: Gateway) -> Iterator[SilentRelay]:
    with SilentRelay(gateway.host, gateway.port) as relay:
        yield relay


# Pings


@over_websocket
def test_dead_while_an_answer_is_waited_for(
    connect: Connect, silent: SilentRelay, admin: Any, mark: str, in_thread: Callable[..., Future[Any]]
) -> None:
    conn = connect(gateway=f"http://127.0.0.1:{silent.port}", autocommit=True, **QUICK)
    future = in_thread(conn.execute, f"select pg_sleep(100) -- {mark}")
    wait_for(lambda: active(admin, mark))
    silent.fall_silent()
    with pytest.raises(neonps.OperationalError, match=r"not answered a ping within 0\.2 seconds\nIt is unknown"):
        future.result()
    check_lost(conn)
    admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where query like %s", [f"%{mark}"])


@over_websocket
def test_dead_while_idle_and_used_next(connect: Connect, silent: SilentRelay) -> None:
    conn = connect(gateway=f"http://127.0.0.1:{silent.port}", **QUICK)
    conn.execute("select 1")
    silent.fall_silent()
    with pytest.raises(neonps.OperationalError, match="not answered a ping"):
        conn.execute("select 2")
    check_lost(conn)


@over_websocket
def test_dead_while_waiting_for_notifications(connect: Connect, silent: SilentRelay) -> None:
    conn = connect(gateway=f"http://127.0.0.1:{silent.port}", autocommit=True, **QUICK)
    conn.execute("listen nothing")
    notifies = conn.notifies()
    silent.fall_silent()
    with pytest.raises(neonps.OperationalError, match="not answered a ping"):
        next(notifies)
    check_lost(conn)


@over_websocket
def test_dead_on_asyncio(url: str, transport: str, silent: SilentRelay) -> None:
    async def main() -> None:
        way = {"gateway": f"http://127.0.0.1:{silent.port}", "transport": transport}
        conn = await neonps.AsyncConnection.connect(url, **way, **QUICK)
        await conn.execute("select 1")
        silent.fall_silent()
        with pytest.raises(neonps.OperationalError, match="not answered a ping"):
            await conn.execute("select 2")
        assert conn.broken
        await conn.close()

    asyncio.run(main())


@over_websocket
def test_what_takes_long_is_not_dead(connect: Connect) -> None:
    """The gateway answers pings while Postgres works, and nobody else hears of it."""
    conn = connect(ping_interval=0.02, ping_timeout=30, autocommit=True)
    for number in range(3):
        assert conn.execute("select %s::int, pg_sleep(0.2)::text", [number]).fetchone() == (number, "")
    assert list(conn.notifies(timeout=0.2)) == []
    conn.timeout = 0.2
    with pytest.raises(neonps.OperationalError, match="it was cancelled"):
        conn.execute("select pg_sleep(100)")
    assert conn.execute("select 1").fetchone() == (1,)
    assert conn.info.round_trips == round_trips_of(connect)


def round_trips_of(connect: Connect) -> int:
    """The same without pings, which are no round trips."""
    conn = connect(ping_interval=0, autocommit=True)
    for number in range(3):
        conn.execute("select %s::int, pg_sleep(0)::text", [number])
    list(conn.notifies(timeout=0.01))
    conn.timeout = 0.2
    with pytest.raises(neonps.OperationalError, match="it was cancelled"):
        conn.execute("select pg_sleep(100)")
    conn.execute("select 1")
    return conn.info.round_trips


@over_websocket
def test_who_answers_no_ping_but_goes_on_is_not_dead(dsn: str, postgres: EmbeddedPostgres, transport: str) -> None:
    """This one takes no ping while it waits for Postgres; what it says then counts as well."""
    with (
        OddWebSocket(postgres.host, postgres.port) as server,
        neonps.connect(
            dsn, gateway=server.gateway, transport=transport, autocommit=True, ping_interval=0.05, ping_timeout=30
        ) as conn,
    ):
        assert conn.execute("select 1, pg_sleep(0.3)::text").fetchone() == (1, "")
        assert conn.execute("select 2, pg_sleep(0.3)::text").fetchone() == (2, "")


@over_websocket
def test_no_ping_behind_what_is_not_taken(
    numbers: Any, connect: Connect, admin: Any, in_thread: Callable[..., Future[Any]]
) -> None:
    """A server that waits for a lock takes nothing, and is not dead for that."""
    conn = connect(autocommit=True, ping_interval=0.05, ping_timeout=0.1)
    with admin.transaction():
        admin.execute("lock numbers in access exclusive mode")
        rows = [(n,) for n in range(50_000)]
        future = in_thread(conn.cursor().executemany, "insert into numbers values (%s)", rows)
        lock = "select from pg_stat_activity where wait_event_type = 'Lock'"
        wait_for(lambda: admin.execute(lock).rowcount)
        admin.execute("select pg_sleep(1)")  # many times as long as the pings may take
    future.result()
    assert len(numbers()) == 50_000


def test_settings() -> None:
    def pings(**kwargs: Any) -> tuple[Any, ...]:
        return tuple(resolve("host=h user=u", kwargs, environ={}).pings)

    assert pings() == (30.0, 30.0)
    assert pings(ping_interval=0) == (None, 30.0)
    assert pings(ping_interval="1.5", ping_timeout=2) == (1.5, 2.0)
    with pytest.raises(neonps.ProgrammingError, match="ping_interval"):
        pings(ping_interval="soon")


# What the system looks after


def options_of(fileno: int) -> dict[str, int]:
    """What the system looks after on a connection, by the keywords for it."""
    names = {
        "keepalives_idle": "TCP_KEEPIDLE",
        "keepalives_interval": "TCP_KEEPINTVL",
        "keepalives_count": "TCP_KEEPCNT",
        "tcp_user_timeout": "TCP_USER_TIMEOUT",
    }
    with socket.socket(fileno=os.dup(fileno)) as sock:
        found = {key: sock.getsockopt(socket.IPPROTO_TCP, getattr(socket, name)) for key, name in names.items()}
        return {"keepalives": sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE), **found}


@pytest.fixture(params=["blocking", "asyncio"])
def connected(request: pytest.FixtureRequest, url: str, transport: str) -> Callable[..., dict[str, int]]:
    """Gives what the system looks after on a new connection with these keywords."""

    async def use(keywords: dict[str, Any]) -> dict[str, int]:
        async with await neonps.AsyncConnection.connect(url, transport=transport, **keywords) as conn:
            await conn.execute("select 1")
            return options_of(conn.fileno())

    def run(**keywords: Any) -> dict[str, int]:
        if request.param == "asyncio":
            return asyncio.run(use(keywords))
        with neonps.connect(url, transport=transport, **keywords) as conn:
            conn.execute("select 1")
            return options_of(conn.fileno())

    return run


@pytest.mark.skipif(sys.platform != "linux", reason="the options have other names elsewhere")
def test_keywords_of_tcp(connected: Callable[..., dict[str, int]]) -> None:
    with socket.socket() as sock:
        system = options_of(sock.fileno())
    assert system["keepalives"] == 0
    assert connected() == {**system, "keepalives": 1}
    wanted = {"keepalives_idle": 11, "keepalives_interval": 12, "keepalives_count": 13, "tcp_user_timeout": 14000}
    assert connected(**wanted) == {"keepalives": 1, **wanted}
    for keyword, value in wanted.items():
        assert connected(**{keyword: value}) == {**system, "keepalives": 1, keyword: value}
    assert connected(**dict.fromkeys(wanted, 0)) == {**system, "keepalives": 1}
    assert connected(keepalives=0, tcp_user_timeout=14000) == {**system, "tcp_user_timeout": 14000}


# A timeout that is set


@on_sessions
def test_timeouts_of_all_that_waits(connect: Connect, admin: Any, numbers: Any, mark: str) -> None:
    """Each of these is a call that the timeout ends, and the connection goes on."""
    sleep = f"select pg_sleep(100) -- {mark}"

    def stream(conn: Any) -> None:
        for _ in conn.cursor().stream(f"select n, pg_sleep(100) from generate_series(1, 3) n -- {mark}"):
            pass

    def copy_out(conn: Any) -> None:
        with conn.cursor().copy(f"copy (select pg_sleep(100)) to stdout -- {mark}") as copy:
            copy.read()

    def copy_in(conn: Any) -> None:
        with conn.cursor().copy("copy numbers from stdin") as copy:
            copy.write(b"1\n")

    def server_cursor(conn: Any) -> None:
        with conn.transaction(), conn.cursor("c") as cursor:
            cursor.execute(sleep)
            cursor.fetchone()

    def pipeline(conn: Any) -> None:
        with conn.pipeline():
            conn.execute(sleep)

    def block(conn: Any) -> None:
        with conn.transaction():
            conn.execute(sleep)

    conn = connect(autocommit=True)
    with pytest.raises(ValueError, match="above 0"):
        conn.timeout = 0
    for use in (stream, copy_out, copy_in, server_cursor, pipeline, block):
        with admin.transaction():
            admin.execute("lock numbers in access exclusive mode")  # for the COPY
            conn.timeout = 0.2
            with pytest.raises(neonps.OperationalError, match=r"timeout: .* within 0\.2 seconds; it was cancelled"):
                use(conn)
            conn.timeout = None
            assert not conn.closed, use.__name__
            assert conn.info.transaction_status.name == "IDLE", use.__name__
            assert not active(admin, mark)
        assert conn.execute("select 1").fetchone() == (1,)
    assert numbers() == []
