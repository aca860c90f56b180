"""Moves money between accounts over lines that break at random: the sum never changes, and no transfer is half done.

Threads and tasks share pools; every line gets a fault of a random kind at a random byte. What a program was told of
each transfer is compared with what is in the database.
"""

from __future__ import annotations

import asyncio
import logging
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import psycopg
from fault_relay import CUTS, DOWN, HARMLESS, UP, Fault, FaultRelay, Plan
from fault_runs import descriptors
from gateway_client import wait_for
from resident import kilobytes_grown, resident

import neonps
from neonps.embedded import EmbeddedPostgres
from neonps.local import serve
from neonps.pool import AsyncConnectionPool, ConnectionPool, PoolTimeout

ACCOUNTS = 10
BALANCE = 1000

#: Threads or tasks for each way.
_WORKERS = 3

#: What it takes to remember what was told of a transfer, in bytes.
_NOTE = 300

#: In seconds.
_TIMEOUT = 2.0

_KINDS = (*CUTS, *CUTS, "stall", *HARMLESS)

TABLES = """
    create table account (id int primary key, balance int not null);
    create table transfer (id text not null, source int not null, target int not null, amount int not null);
"""
TAKE = "update account set balance = balance - %s where id = %s"
GIVE = "update account set balance = balance + %s where id = %s"
NOTE = "insert into transfer values (%s, %s, %s, %s)"

#: The connection is no longer any good, or the server has had two transfers wait for each other.
_FAILURES = (neonps.OperationalError, PoolTimeout)


class Transfers:
    """What programs were told of their transfers.

    Attributes:
        told: by the id of the transfer "in" or "out"; or why that is unknown: "lost" with the connection, "stalled",
            "cancelled", or "timeout" of a request, which can be since another line has stalled, and keeps its locks.
        warm: a third of the time is over.
        going: there is time left.
    """

    def __init__(self, seconds: float) -> None:
        now = time.monotonic()
        self._warm, self._end = now + seconds / 3, now + seconds
        self.told: dict[str, str] = {}

    @property
    def warm(self) -> bool:
        return time.monotonic() > self._warm

    @property
    def going(self) -> bool:
        return time.monotonic() < self._end

    def new(self, worker: str) -> tuple[str, list[tuple[str, list[Any]]]]:
        """The id of a new transfer, and its statements."""
        name = f"{worker}/{len(self.told)}"
        source, target = random.sample(range(ACCOUNTS), 2)
        amount = random.randrange(1, 50)
        steps = [(TAKE, [amount, source]), (GIVE, [amount, target])]
        steps.sort(key=lambda step: step[1][1])  # in the same order everywhere, or they wait for each other
        return name, [*steps, (NOTE, [name, source, target, amount])]

    def failed(self, name: str, error: neonps.Error) -> None:
        """Take note of what an error says."""
        if error.outcome_unknown:
            in_time = not str(error).startswith("timeout: ")
            self.told[name] = "lost" if in_time else "timeout" if name.startswith("http") else "stalled"
        else:
            self.told[name] = "out"

    def check_unknown(self, cuts: int, stalls: int) -> None:
        """Compare what is unknown with how many lines were cut, and have stalled."""
        counts = Counter(self.told.values())
        assert counts["lost"] <= cuts, f"{counts['lost']} outcomes were lost, but only {cuts} lines cut"
        assert counts["stalled"] <= stalls, f"{counts['stalled']} outcomes have stalled, but only {stalls} lines"

    def check(self, admin: psycopg.Connection[Any]) -> dict[str, int]:
        """Compare with the database."""
        found = Counter(row[0] for row in admin.execute("select id from transfer"))
        twice = [name for name, count in found.items() if count > 1]
        lost = [name for name, told in self.told.items() if told == "in" and name not in found]
        false = [name for name, told in self.told.items() if told == "out" and name in found]
        assert not twice, f"done twice: {twice[:5]}"
        assert not lost, f"lost: {lost[:5]}"
        assert not false, f"the driver said that these were not done: {false[:5]}"
        assert not found.keys() - self.told.keys()
        wrong = admin.execute(
            "select id, balance from account where balance <> %s"
            " + (select coalesce(sum(amount), 0) from transfer where target = account.id)"
            " - (select coalesce(sum(amount), 0) from transfer where source = account.id)",
            [BALANCE],
        ).fetchall()
        assert not wrong, f"balances that no transfer explains: {wrong}"
        counts = Counter(self.told.values())
        unknown = len(self.told) - counts["in"] - counts["out"]
        return {"transfers": len(self.told), "committed": counts["in"], "failed": counts["out"], "unknown": unknown,
                "lost or done twice": 0}  # fmt: skip


def _chance(after: int) -> Plan:
    """A line with a fault at some byte; `after` is the average."""
    return Plan(Fault(random.choice(_KINDS), random.choice((UP, DOWN)), int(random.expovariate(1 / after))))


def main(seconds: float, after: int = 6_000) -> dict[str, int]:
    """Run for so long; gives what was done, by what it counts.

    Args:
        after: how many bytes a line carries on the average until something happens to it.

    Raises:
        AssertionError: a transfer was lost, half done, or done twice, or the driver has told something wrong.
    """
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
    logging.getLogger("neonps").setLevel(logging.ERROR)
    with (
        EmbeddedPostgres() as postgres,
        serve(postgres.url) as server,
        FaultRelay(postgres.host, postgres.port, partial(_chance, after)) as direct,
        FaultRelay(server.gateway.host, server.gateway.port, partial(_chance, after)) as before,
        psycopg.connect(postgres.url, autocommit=True) as admin,
    ):
        admin.execute(TABLES)
        admin.execute("insert into account select n, %s from generate_series(0, %s) n", [BALANCE, ACCOUNTS - 1])
        ways = {
            "tcp": {"transport": "tcp", "port": direct.port},
            "websocket": {"transport": "websocket", "gateway": f"http://127.0.0.1:{before.port}"},
            "http": {"transport": "http", "gateway": f"http://127.0.0.1:{before.port}"},
        }
        transfers = Transfers(seconds)
        files, threads = descriptors(), threading.active_count()
        warm = _run_all(transfers, postgres.url, ways, admin)
        wait_for(lambda: not direct.connections and not before.connections)
        others = (
            "select count(*) from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()"
        )
        wait_for(lambda: admin.execute(others).fetchone() == (0,))
        wait_for(lambda: descriptors() <= files and threading.active_count() <= threads)
        faults = direct.faults + before.faults
        transfers.check_unknown(sum(faults[kind] for kind in CUTS), faults["stall"])
        figures = {**transfers.check(admin), "faults": sum(faults.values())}
        figures["memory grown, KB"] = kilobytes_grown(warm, _NOTE * len(transfers.told))
        assert figures["committed"], "nothing was done"
        assert figures["faults"], "nothing has gone wrong"
        return figures


def _run_all(transfers: Transfers, url: str, ways: dict[str, dict[str, Any]], admin: psycopg.Connection[Any]) -> int:
    """Have all workers move money until the time is over, and watch the sum meanwhile.

    Returns:
        How much memory there was after a third of the time, in bytes.
    """
    warm = 0
    failures: list[BaseException] = []

    def start(target: Callable[..., object], *args: Any) -> threading.Thread:
        def run() -> None:
            try:
                target(*args)
            except BaseException as error:
                failures.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    running = [start(_threads, transfers, url, keywords, name) for name, keywords in ways.items()]
    running.append(start(asyncio.run, _tasks(transfers, url, ways)))
    while transfers.going:
        total = admin.execute("select sum(balance) from account").fetchone()
        assert total == (ACCOUNTS * BALANCE,), f"the sum is {total}"
        threading.Event().wait(0.2)
        if not warm and transfers.warm:
            warm = resident()
    for thread in running:
        thread.join(120)
        assert not thread.is_alive(), "a worker hangs"
    if failures:
        raise failures[0]
    return warm or resident()


def _settings(keywords: dict[str, Any]) -> dict[str, Any]:
    return {**keywords, "timeout": _TIMEOUT, "connect_timeout": int(_TIMEOUT)}


def _threads(transfers: Transfers, url: str, keywords: dict[str, Any], name: str) -> None:
    """Workers that are threads and share a pool."""
    pool = ConnectionPool(url, kwargs=_settings(keywords), min_size=1, max_size=_WORKERS, open=False, timeout=10)
    pool.open()

    def work(number: int) -> None:
        while transfers.going:
            transfer, steps = transfers.new(f"{name} thread {number}")
            transfers.told[transfer] = "out"
            try:
                with pool.connection() as conn:
                    move(conn, transfers, transfer, steps)
            except _FAILURES as error:
                if transfers.told[transfer] == "out":
                    transfers.failed(transfer, error)

    workers = [threading.Thread(target=work, args=(number,)) for number in range(_WORKERS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    pool.close()


def move(conn: Any, transfers: Transfers, name: str, steps: list[tuple[str, list[Any]]]) -> None:
    """Make a transfer, in a way that the connection can."""
    if conn.info.transport == "http" and random.random() < 0.5:
        conn.batch(steps)
    else:
        with conn.transaction():
            for statement, params in steps:
                conn.execute(statement, params)
    transfers.told[name] = "in"


async def _tasks(transfers: Transfers, url: str, ways: dict[str, dict[str, Any]]) -> None:
    """Workers that are tasks, one pool for each way; some are cancelled in the middle of what they do."""
    pools = {}
    for name, keywords in ways.items():
        settings = _settings(keywords)
        pools[name] = AsyncConnectionPool(url, kwargs=settings, min_size=1, max_size=_WORKERS, open=False, timeout=10)
        await pools[name].open()
    await asyncio.gather(
        *(_work(transfers, pool, f"{name} task {n}") for name, pool in pools.items() for n in range(_WORKERS))
    )
    for pool in pools.values():
        await pool.close()
    assert asyncio.all_tasks() == {asyncio.current_task()}, "tasks were left behind"


async def _work(transfers: Transfers, pool: Any, worker: str) -> None:
    while transfers.going:
        name, steps = transfers.new(worker)
        transfers.told[name] = "out"
        task = asyncio.create_task(_move_async(pool, transfers, name, steps))
        if random.random() < 0.1:
            asyncio.get_running_loop().call_later(random.random() * 0.05, task.cancel)
        with suppress(asyncio.CancelledError):
            await task


async def _move_async(pool: Any, transfers: Transfers, name: str, steps: list[tuple[str, list[Any]]]) -> None:
    last = False
    try:
        async with pool.connection() as conn:
            if conn.info.transport == "http" and random.random() < 0.5:
                last = True
                await conn.batch(steps)
            else:
                async with conn.transaction():
                    for statement, params in steps:
                        await conn.execute(statement, params)
                    last = True
            transfers.told[name] = "in"
    except asyncio.CancelledError:
        if transfers.told[name] == "out" and last:
            transfers.told[name] = "cancelled"
        raise
    except _FAILURES as error:
        if transfers.told[name] == "out":
            transfers.failed(name, error)


if __name__ == "__main__":
    print(main(float(sys.argv[1])))
