"""Runs the workload of `fault_workload.py` under faults, and finds what was lost, done twice, or left behind."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Coroutine, Iterator
from contextlib import ExitStack, closing, contextmanager, nullcontext, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, NamedTuple
from unittest.mock import patch

import awaited
import psycopg
from certificates import Certificates
from fault_relay import CUTS, DOWN, HARMLESS, STALLS, UP, Fault, FaultRelay
from fault_workload import IN_SESSIONS, STEPS, TABLE, Attempt, in_time, verify, work
from gateway_client import running, wait_for
from interruptions import Interruption
from proxy_server import ProxyServer
from tls_postgres import SERVING, TLSPostgres

import neonps
from neonps.conninfo import make_conninfo
from neonps.embedded import EmbeddedPostgres
from neonps.gateway import Gateway, Upstream

DATABASE = "faults"

#: Nobody waits for so long, in seconds, unless something hangs.
_HANGS = 30.0

#: Sizes in bytes that are so small that this workload is sent in several pieces too.
_PIECES = {
    "neonps.flows.bulk._SEND_SIZE": 100,
    "neonps.flows.pipeline._SEND_SIZE": 200,
    "neonps.copy._SEND_SIZE": 20,
}

#: How long to wait for a server that does not answer, in seconds.
_IMPATIENCE = {
    "neonps.flows.interruption.CANCEL_TIMEOUT": 0.2,
    "neonps.flows.channel._FAREWELL": 0.1,
    "neonps.flows.retrying._FIRST_PAUSE": 0.01,
    "neonps.gateway.http.RETRY_AFTER": 0,
    "neonps.gateway.upstream.CANCEL_TIMEOUT": 0.2,
    "neonps.gateway.upstream.CLOSE_TIMEOUT": 0.2,
}


class Way(NamedTuple):
    """How the workload gets to the server.

    Args:
        transport: "tcp", "websocket" or "http".
        asynchronous: use asyncio.
        lazy: as the keyword of `connect()`.
        behind: the faults are not between the driver and the gateway, but between that and Postgres.
        secure: with TLS, whose records are what is cut.
        proxied: through a proxy that has TLS of its own around that; the faults are between the driver and the proxy.
    """

    transport: str
    asynchronous: bool
    lazy: bool = False
    behind: bool = False
    secure: bool = False
    proxied: bool = False

    def __str__(self) -> str:
        words = [self.transport, "async" if self.asynchronous else "sync"]
        words += ["lazy"] * self.lazy + ["behind the gateway"] * self.behind + ["with TLS"] * self.secure
        words += ["through a proxy"] * self.proxied
        return " ".join(words)


WAYS = [Way(transport, asynchronous) for transport in ("tcp", "websocket", "http") for asynchronous in (False, True)]
LAZY = [Way(transport, asynchronous, lazy=True) for transport in ("tcp", "websocket") for asynchronous in (False, True)]
SECURE = [way._replace(secure=True) for way in WAYS]
BEHIND = [Way("websocket", True, behind=True), Way("http", False, behind=True)]
PROXIED = [Way("websocket", False, secure=True, proxied=True), Way("http", True, secure=True, proxied=True)]


class FaultRuns:
    """A database of its own, relays on the way to it, and what was found so far; a context manager.

    Args:
        postgres: where the database is made.
        gateway: a way to it.

    Attributes:
        counts: runs, faults, and outcomes.
    """

    def __init__(self, postgres: EmbeddedPostgres, gateway: Gateway) -> None:
        self._postgres = postgres
        self._gateway = gateway
        self._relays: dict[str, FaultRelay] = {}
        self._attempts: list[Attempt] = []
        self._sizes: dict[Way, dict[str, int]] = {}
        self._resources = ExitStack()
        self.counts: Counter[str] = Counter()

    def __enter__(self) -> FaultRuns:
        self._create()
        use = self._resources.enter_context
        self._certificates = Certificates(Path(use(TemporaryDirectory())))
        secure_postgres = use(closing(TLSPostgres(self._postgres, self._certificates.context())))
        self._secure_gateway = secure_gateway = Gateway(Upstream(self._postgres.url), tls=self._certificates.context())
        use(running(secure_gateway))
        ports = {
            "postgres": self._postgres.port,
            "gateway": self._gateway.port,
            "postgres of the gateway": self._postgres.port,
            "secure postgres": secure_postgres.port,
            "secure gateway": secure_gateway.port,
        }
        self._relays = {name: use(FaultRelay("127.0.0.1", port)) for name, port in ports.items()}
        upstream = Upstream(make_conninfo(self._postgres.url, port=self._relays["postgres of the gateway"].port))
        self._broken_gateway = use(running(Gateway(upstream)))
        self._gateways = (self._gateway, secure_gateway, self._broken_gateway)
        self._loop = asyncio.new_event_loop()
        self.admin = psycopg.connect(self._postgres.url, dbname=DATABASE, autocommit=True)
        self.admin.execute(TABLE)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._loop.close()
        self._resources.close()
        self.admin.close()
        self._create(again=False)

    def _create(self, *, again: bool = True) -> None:
        with psycopg.connect(self._postgres.url, autocommit=True) as admin:
            admin.execute(f"drop database if exists {DATABASE} with (force)")
            if again:
                admin.execute(f"create database {DATABASE}")

    def relay(self, way: Way) -> FaultRelay:
        """The relay in which the faults of a way happen."""
        if way.behind:
            return self._relays["postgres of the gateway"]
        if way.proxied:
            if "proxy" not in self._relays:
                use, pem = self._resources.enter_context, self._certificates.server
                proxy = use(ProxyServer(Path(use(TemporaryDirectory())), cert=pem, key=pem))
                self._relays["proxy"] = use(FaultRelay("127.0.0.1", proxy.port))
            return self._relays["proxy"]
        return self._relays["secure " * way.secure + ("postgres" if way.transport == "tcp" else "gateway")]

    def keywords(self, way: Way, timeout: float) -> dict[str, Any]:
        """What to connect with."""
        there: dict[str, Any] = {"port": self.relay(way).port}
        if way.proxied:
            there = {"gateway": self._secure_gateway.url, "proxy": f"https://127.0.0.1:{self.relay(way).port}"}
        elif way.behind:
            there["gateway"] = self._broken_gateway.url
        elif way.transport != "tcp":
            there = {"gateway": f"http{'s' * way.secure}://127.0.0.1:{self.relay(way).port}"}
        if way.secure:
            there |= {"sslmode": "verify-full", "sslrootcert": self._certificates.ca}
        return {"dbname": DATABASE, "transport": way.transport, "autocommit": True, "timeout": timeout,
                "lazy": way.lazy, **there}  # fmt: skip

    def sizes(self, way: Way) -> dict[str, int]:
        """How many bytes go by in each direction when nothing goes wrong, as counted for the first who asks."""
        if way not in self._sizes:
            plan = self.relay(way).arm(None)
            attempts = self._work(way, f"{way}", 30)
            assert all(not attempt.error for attempt in attempts), [attempt.error for attempt in attempts]
            self._attempts += attempts
            self._sizes[way] = plan.carried
        return self._sizes[way]

    def run(self, way: Way, fault: Fault) -> bool:
        """Run the workload under one fault; gives whether that has happened, which it does not behind the last byte."""
        label = f"{way}, {fault.kind} {fault.direction} at {fault.offset}"
        harmless = fault.kind in HARMLESS
        plan = self.relay(way).arm(fault)
        with patch("neonps.net.stream_socket._RECEIVE_SIZE", 1) if fault.kind == "bytes" else nullcontext():
            attempts = self._work(way, label, 0.2 if fault.kind in STALLS else 30)
        failed = [attempt for attempt in attempts if attempt.error]
        if harmless or (fault.kind in CUTS and not plan.fired):
            assert not failed, f"{failed[0].label}: {failed[0].error}"
        if fault.kind in CUTS and failed:
            first, *others = failed
            where = f"{first.label}: {first.error}"
            if way.transport == "http":  # the next request opens a new line
                assert not others, f"{where}; then {others[0].error}"
            else:
                assert first.closed or first.label == f"{label}: connect", f"{where}: the connection is not closed"
                assert all(attempt.dead for attempt in others), f"{where}; then {[other.error for other in others]}"
        assert plan.fired or fault.offset, f"{label}: it has not happened"
        self.counts["faults"] += plan.fired
        self.counts[fault.kind] += plan.fired
        self._attempts += attempts
        return plan.fired

    def waits(self, way: Way) -> int:
        """How often the workload waits when nothing goes wrong."""
        counting = Interruption(0)
        self.relay(way).arm(None)
        self._attempts += self._work(way, f"{way}", 30, counting)
        return counting.count

    def interrupt(self, way: Way, where: int, *, late: bool, again: bool = False) -> None:
        """Run the workload and interrupt it where it waits; see `Interruption`."""
        label = f"{way}, interrupted {'late ' if late else ''}{'twice ' if again else ''}at {where}"
        self.relay(way).arm(None)
        self._attempts += self._work(way, label, 30, Interruption(where, late=late, again=again))
        self.counts["interruptions"] += 1

    def _work(self, way: Way, label: str, timeout: float, interruption: Interruption | None = None) -> list[Attempt]:
        threads, began = _threads(), time.monotonic()
        program = self._program(way, label, timeout)
        # As in libpq `connect_timeout` counts whole seconds, from two.
        try:
            with patch("neonps.settings.timeout_from_conninfo", lambda options: timeout):
                attempts = self._drive(way, program, interruption)
        except AssertionError as error:
            raise AssertionError(f"{label}: {error}") from error
        assert _threads() <= threads, f"{label}: a thread was left behind"
        assert time.monotonic() - began < _HANGS, f"{label}: it has hung"
        self.counts["runs"] += 1
        self.counts["statements"] += len(attempts)
        return attempts

    def _drive(
        self, way: Way, program: Coroutine[Any, Any, list[Attempt]], interruption: Interruption | None
    ) -> list[Attempt]:
        """Run a program to its end."""
        if way.asynchronous:
            return self._loop.run_until_complete(_alone(interruption.task(program) if interruption else program))
        return interruption.run(program) if interruption else awaited.run(program)

    async def _program(self, way: Way, label: str, timeout: float) -> list[Attempt]:
        connect = neonps.AsyncConnection.connect if way.asynchronous else awaited.connect
        attempt = Attempt(label, "connect")
        try:
            with in_time(attempt.label):
                conn = await connect(self._postgres.url, **self.keywords(way, timeout))
        except (neonps.OperationalError, asyncio.CancelledError, KeyboardInterrupt) as error:
            attempt.failed(error)
            return [attempt]
        try:
            steps = STEPS if way.transport == "http" else (*STEPS, *IN_SESSIONS)
            first = self.counts["runs"] % len(steps) if way.lazy else 0  # which of them the login is left to
            return await work(conn, label, [*steps[first:], *steps[:first]])
        finally:
            was_broken = conn.broken
            with in_time(f"{label}: close"):
                await conn.close()
            assert conn.closed, label
            assert conn.broken == was_broken, label
            assert conn._runner.fileno() == -1, f"{label}: a socket was left behind"

    def settle(self) -> None:
        """Wait until nothing goes on any more, and compare what was done with what was said."""
        others = "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
        for relay in self._relays.values():
            relay.arm(None)
            wait_for(lambda: not relay.connections)  # noqa: B023 - called at once
        for gateway in self._gateways:  # which may be about to begin with what has come before the line was lost
            _knock(gateway)
            wait_for(lambda: not gateway._connections)  # noqa: B023 - called at once
        wait_for(lambda: self.admin.execute(others).fetchone() == (0,))
        attempts, self._attempts = self._attempts, []
        self.counts.update(verify(self.admin, attempts))


def _knock(gateway: Gateway) -> None:
    """Have a gateway take all clients that have come until now: it takes them one after the other."""
    with socket.create_connection((gateway.host, gateway.port)) as sock, suppress(ConnectionResetError):
        sock.shutdown(socket.SHUT_WR)
        while sock.recv(65536):
            pass


def _threads() -> int:
    """How many threads there are, but for those of a server."""
    return sum(thread.name != SERVING for thread in threading.enumerate())


async def _alone(program: Awaitable[list[Attempt]]) -> list[Attempt]:
    """Run a program, which has to leave no task behind."""
    me = asyncio.current_task()
    assert me is not None
    watch = asyncio.get_running_loop().call_later(_HANGS, _give_up, me)
    attempts = await program
    watch.cancel()
    await asyncio.sleep(0)
    tasks = asyncio.all_tasks() - {me}
    assert not tasks, f"tasks were left behind: {tasks}"
    return attempts


def _give_up(task: asyncio.Task[Any]) -> None:
    """Tell where a task hangs, and end that."""
    task.print_stack()
    task.cancel()


@contextmanager
def small_pieces(*, impatient: bool = True) -> Iterator[None]:
    """Have the driver send in small pieces, and not wait for long for servers that do not answer."""
    values = {**_PIECES, **(_IMPATIENCE if impatient else {})}
    patches = [patch(name, value) for name, value in values.items()]
    for each in patches:
        each.start()
    try:
        yield
    finally:
        for each in patches:
            each.stop()


def descriptors() -> int:
    """How many files and sockets this process has open."""
    return len(os.listdir("/proc/self/fd"))


def fault_at(kind: str, sizes: dict[str, int], position: int) -> Fault:
    """The fault of a kind at one of all offsets in both directions, counted on from one to the other."""
    if position <= sizes[UP]:
        return Fault(kind, UP, position)
    return Fault(kind, DOWN, position - sizes[UP] - 1)


def positions(sizes: dict[str, int]) -> int:
    """How many positions `fault_at` knows."""
    return sizes[UP] + sizes[DOWN] + 2
