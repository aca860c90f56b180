"""Load: hundreds of threads and thousands of tasks through pools, many queries, large values, millions of rows.

What comes back is compared with what was asked for, and memory, file descriptors, threads and tasks have to stay flat.
The servers have processes of their own. `python -m tests.long.load PART SECONDS` runs one part alone.
"""

from __future__ import annotations

import asyncio
import gc
import hashlib
import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import neonps
from neonps.embedded import EmbeddedPostgres
from neonps.pool import AsyncConnectionPool, ConnectionPool

THREADS, TASKS = 500, 2000
TRANSPORTS = ("tcp", "websocket", "http")
#: Connections of each pool. A gateway works at 50 requests at once.
POOL = 30
#: How much the process may have grown from the end of the warm-up to the end, in bytes.
GROWTH = 48 << 20
#: How much of a result of millions of rows may be in memory, in bytes.
BOUND = 64 << 20
#: Who is given so many seconds or more does all of what has a size; who is given less, a part.
ALL = 240.0

#: The longest text that Postgres can put into a row: a message has 1 GB - 1, with the lengths of row and field in it.
LONGEST = (1 << 30) - 64


class Servers(NamedTuple):
    """A Postgres, and a gateway in a process of its own."""

    url: str
    gateway: int  # its process id

    def connect(self, transport: str, **kwargs: Any) -> neonps.Connection[Any]:
        return neonps.connect(self.url, transport=transport, **kwargs)


@contextmanager
def servers() -> Iterator[Servers]:
    """Start them, with room for all that is done here."""
    with EmbeddedPostgres(options={"max_connections": "400", "jit": "off"}) as postgres:
        command = [sys.executable, "-m", "neonps", "local", "--port", "0", "--postgres", postgres.url]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None
            line = ""
            while "postgresql://" not in line:
                line = process.stdout.readline()
                assert line, "the gateway has not started"
            url = line[line.index("postgresql://") :].split()[0].strip("'\"")
            yield Servers(url, process.pid)
        finally:
            process.terminate()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()


def memory(pid: int | str = "self", field: str = "VmRSS") -> int:
    """How much memory a process has, in bytes; with `VmHWM` the most that it has had."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(status.split(f"{field}:")[1].split()[0]) << 10


def descriptors(pid: int | str = "self") -> int:
    """How many file descriptors a process has."""
    return len(os.listdir(f"/proc/{pid}/fd"))


class Watch:
    """What must not have grown at the end.

    Attributes:
        figures: what was counted.
    """

    def __init__(self, server: Servers) -> None:
        gc.collect()
        self._gateway = server.gateway
        self._before = (descriptors(), threading.active_count())
        self._gateway_descriptors = descriptors(server.gateway)
        self._warm: tuple[int, int] | None = None
        self.figures: Counter[str] = Counter()

    def warm(self) -> None:
        """From here on memory has to stay what it is."""
        gc.collect()
        self._warm = (memory(), memory(self._gateway))

    def end(self, name: str) -> None:
        """Compare.

        Raises:
            AssertionError: something has grown.
        """
        gc.collect()
        assert self._warm is not None
        for what, pid, warm in (("", "self", self._warm[0]), ("gateway ", self._gateway, self._warm[1])):
            grown = memory(pid) - warm
            self.figures[f"{name}: {what}memory grown, KB"] = grown >> 10
            assert grown < GROWTH, f"{name}: the {what}memory has grown by {grown >> 20} MB"
        deadline = time.monotonic() + 30
        while (now := (descriptors(), threading.active_count())) > self._before and time.monotonic() < deadline:
            time.sleep(0.05)
        assert now <= self._before, f"{name}: file descriptors and threads were {self._before}, are {now}"
        while (now := descriptors(self._gateway)) > self._gateway_descriptors and time.monotonic() < deadline:
            time.sleep(0.05)
        assert now <= self._gateway_descriptors, f"{name}: the gateway keeps {now} file descriptors"


# What threads and tasks do


def pick(chance: random.Random, transport: str) -> str:
    """What to do next. Over HTTP there is no COPY, and nothing that is cancelled from outside."""
    kinds = ["query"] * 8 + ["rows", "transaction", "rollback", "error", "timeout"]
    return chance.choice(kinds if transport == "http" else [*kinds, "copy in", "copy out", "cancel"])


SLOW = "select pg_sleep(0.1 * n) from generate_series(1, 600) n"
INSERT = "insert into ledger values (%s, %s)"


def work(conn: neonps.Connection[Any], kind: str, worker: int, number: int) -> int:
    """Do one thing, and look whether it was done; gives how many rows it has added to the ledger."""
    if kind == "query":
        row = conn.execute("select %s::int, %s::text, repeat('x', %s)", [number, f"w{worker}", number % 500]).fetchone()
        assert row == (number, f"w{worker}", "x" * (number % 500)), row
    elif kind == "rows":
        rows = conn.execute("select n, n * %s from generate_series(1, 300) n", [worker]).fetchall()
        assert rows == [(n, n * worker) for n in range(1, 301)]
    elif kind == "transaction":
        with conn.transaction():
            for n in range(2):
                conn.execute(INSERT, [worker, n])
        return 2
    elif kind == "rollback":
        with conn.transaction(force_rollback=True):
            conn.execute(INSERT, [worker, -1])
    elif kind == "error":
        fails(lambda: conn.execute("select 1 / %s", [0]), neonps.errors.DivisionByZero)
    elif kind == "timeout":
        limit = "set local statement_timeout = 20"
        fails(lambda: conn.batch([limit, "select pg_sleep(60)"]), neonps.errors.QueryCanceled)
    elif kind == "copy in":
        with conn.cursor().copy("copy ledger from stdin") as copy:
            for n in range(20):
                copy.write_row((worker, n))
        return 20
    elif kind == "copy out":
        with conn.cursor().copy("copy (select generate_series(1, 500)) to stdout") as out:
            assert b"".join(out) == b"".join(b"%d\n" % n for n in range(1, 501))
    elif kind == "cancel":
        ended = threading.Event()

        def cancel() -> None:
            while not ended.wait(0.05):  # the first may come before the statement
                conn.cancel_safe()

        canceller = threading.Thread(target=cancel)
        canceller.start()
        try:
            fails(lambda: conn.execute(SLOW), neonps.errors.QueryCanceled)
        finally:
            ended.set()
            canceller.join()
    return 0


def fails(call: Callable[[], object], expected: type[Exception]) -> None:
    try:
        call()
    except expected:
        return
    raise AssertionError(f"{expected.__name__} was expected")


async def work_async(conn: neonps.AsyncConnection[Any], kind: str, worker: int, number: int) -> int:
    """The same as `work`; what is cancelled are tasks."""
    if kind == "query":
        query = "select %s::int, %s::text, repeat('x', %s)"
        row = await (await conn.execute(query, [number, f"w{worker}", number % 500])).fetchone()
        assert row == (number, f"w{worker}", "x" * (number % 500)), row
    elif kind == "rows":
        rows = await (await conn.execute("select n, n * %s from generate_series(1, 300) n", [worker])).fetchall()
        assert rows == [(n, n * worker) for n in range(1, 301)]
    elif kind == "transaction":
        async with conn.transaction():
            for n in range(2):
                await conn.execute(INSERT, [worker, n])
        return 2
    elif kind == "rollback":
        async with conn.transaction(force_rollback=True):
            await conn.execute(INSERT, [worker, -1])
    elif kind == "error":
        await fails_async(conn.execute("select 1 / %s", [0]), neonps.errors.DivisionByZero)
    elif kind == "timeout":
        limit = "set local statement_timeout = 20"
        await fails_async(conn.batch([limit, "select pg_sleep(60)"]), neonps.errors.QueryCanceled)
    elif kind == "copy in":
        async with conn.cursor().copy("copy ledger from stdin") as copy:
            for n in range(20):
                await copy.write_row((worker, n))
        return 20
    elif kind == "copy out":
        async with conn.cursor().copy("copy (select generate_series(1, 500)) to stdout") as out:
            assert b"".join([piece async for piece in out]) == b"".join(b"%d\n" % n for n in range(1, 501))
    elif kind == "cancel":
        await fails_async(asyncio.wait_for(conn.execute(SLOW), 0.05), asyncio.TimeoutError)
        if not conn.closed:  # it is, if the server could not be asked in time
            row = await (await conn.execute("select 1")).fetchone()
            assert row == (1,), row
    return 0


async def fails_async(call: Any, expected: type[BaseException]) -> None:
    try:
        await call
    except expected:
        return
    raise AssertionError(f"{expected.__name__} was expected")


def threads(server: Servers, seconds: float, count: int = THREADS) -> Counter[str]:
    """Threads that share a pool for each transport."""
    watch = Watch(server)
    done: Counter[str] = Counter()
    failures: list[BaseException] = []
    lock = threading.Lock()
    begin = time.monotonic()
    pools = {
        transport: ConnectionPool(
            server.url, kwargs={"transport": transport, "autocommit": True}, max_size=POOL, timeout=300, open=True
        )
        for transport in TRANSPORTS
    }

    def run(worker: int) -> None:
        transport = TRANSPORTS[worker % len(TRANSPORTS)]
        chance = random.Random(worker)
        mine: Counter[str] = Counter()
        try:
            while time.monotonic() < begin + seconds and not failures:
                kind = pick(chance, transport)
                with pools[transport].connection() as conn:
                    mine["added"] += work(conn, kind, worker, sum(mine.values()))
                mine[kind] += 1
        except BaseException as error:
            failures.append(error)
        with lock:
            done.update(mine)

    workers = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    with server.connect("tcp", autocommit=True) as conn:
        conn.execute("create table if not exists ledger (worker int, number int); truncate ledger")
        for thread in workers:
            thread.start()
        time.sleep(seconds / 3)
        watch.warm()
        for thread in workers:
            thread.join()
        for pool in pools.values():
            pool.close()
        if failures:
            raise AssertionError(f"{len(failures)} threads have failed") from failures[0]
        check_ledger(conn, done)
    watch.end("threads")
    return summed("threads", count, done, watch)


def tasks(server: Servers, seconds: float, count: int = TASKS) -> Counter[str]:
    """Tasks that share a pool for each transport."""
    watch = Watch(server)
    done: Counter[str] = Counter()

    async def run(worker: int, pool: Any, transport: str, until: float) -> None:
        chance = random.Random(worker)
        while time.monotonic() < until:
            kind = pick(chance, transport)
            async with pool.connection() as conn:
                added = await work_async(conn, kind, worker, done["query"])
            done.update({kind: 1, "added": added})

    async def main() -> None:
        until = time.monotonic() + seconds
        pools = {
            transport: AsyncConnectionPool(
                server.url, kwargs={"transport": transport, "autocommit": True}, max_size=POOL, timeout=300, open=False
            )
            for transport in TRANSPORTS
        }
        for pool in pools.values():
            await pool.open()
        ways = [TRANSPORTS[worker % len(TRANSPORTS)] for worker in range(count)]
        workers = [asyncio.create_task(run(worker, pools[way], way, until)) for worker, way in enumerate(ways)]
        await asyncio.sleep(seconds / 3)
        watch.warm()
        await asyncio.gather(*workers)
        for pool in pools.values():
            await pool.close()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, left

    with server.connect("tcp", autocommit=True) as conn:
        conn.execute("create table if not exists ledger (worker int, number int); truncate ledger")
        asyncio.run(main())
        check_ledger(conn, done)
    watch.end("tasks")
    return summed("tasks", count, done, watch)


def check_ledger(conn: neonps.Connection[Any], done: Counter[str]) -> None:
    """Everything that was committed is there, once, and nothing else."""
    row = conn.execute("select count(*), count(*) filter (where number < 0) from ledger").fetchone()
    assert row == (done["added"], 0), (row, done["added"])
    assert done["added"], "nothing was added"


def summed(name: str, count: int, done: Counter[str], watch: Watch) -> Counter[str]:
    figures = Counter({name: count, f"{name}: rows committed and found": done.pop("added")})
    figures.update({f"{name}: calls verified": sum(done.values())})
    figures.update({f"{name}: {kind}": done[kind] for kind in ("error", "timeout", "cancel")})
    figures.update(watch.figures)
    return figures


# Much of one thing


def queries(server: Servers, seconds: float, count: int = 100_000) -> Counter[str]:
    """Many queries on one connection."""
    figures: Counter[str] = Counter()
    for transport, number in zip(TRANSPORTS, (count, count // 2, count // 10), strict=True):
        number = int(number * min(1.0, seconds / ALL))
        watch = Watch(server)
        with server.connect(transport, autocommit=True) as conn:
            cursor = conn.cursor()
            for n in range(number):
                if n == number // 10:
                    watch.warm()
                assert cursor.execute("select %s::int + 1", [n]).fetchone() == (n + 1,)
        watch.end(f"queries, {transport}")
        figures.update({f"queries on one connection, {transport}": number}, **watch.figures)
    return figures


def values(server: Servers, seconds: float) -> Counter[str]:
    """Large values both ways, up to the limits, and over them."""
    figures: Counter[str] = Counter()
    whole = seconds >= ALL
    sizes = {"tcp": LONGEST if whole else 200 << 20, "websocket": (100 if whole else 40) << 20, "http": 9 << 20}
    for transport, size in sizes.items():
        with server.connect(transport, autocommit=True) as conn:
            [came] = conn.execute("select repeat('0123456789abcdef', %s)", [size // 16]).fetchone() or [""]
            assert len(came) == size // 16 * 16
            assert came.count("0123456789abcdef") == size // 16
            figures[f"bytes received in one value, {transport}"] = len(came)
            size = {"tcp": size, "websocket": size, "http": 60 << 20}[transport]
            sent = "äx" * (size // 3)
            digest = hashlib.md5(sent.encode(), usedforsecurity=False).hexdigest()
            del came
            assert conn.execute("select md5(%s::text)", [sent]).fetchone() == (digest,)
            figures[f"bytes sent in one value, {transport}"] = size // 3 * 3
            del sent
            refused(conn, transport)
        print(dict(figures), flush=True)  # that takes long, and should not be lost when it is ended
    figures["memory at most, MB"] = memory(field="VmHWM") >> 20
    figures["gateway memory at most, MB"] = memory(server.gateway, "VmHWM") >> 20
    return figures


def refused(conn: neonps.Connection[Any], transport: str) -> None:
    """What is too large is refused in clear words, and the connection can be used."""
    too_large: list[tuple[str, list[Any], str]] = [("select repeat('x', (1 << 30) - 6)", [], "string buffer")]
    if transport == "http":
        too_large = [
            ("select repeat('x', %s)", [11 << 20], "response is too large"),
            ("select length(%s)", ["x" * (65 << 20)], "request is too large"),
        ]
    for query, params, words in too_large:
        said = ""
        try:
            conn.execute(query, params)
        except neonps.OperationalError as error:
            said = str(error)
        assert words in said, said or "it was not refused"
        assert conn.execute("select 1").fetchone() == (1,)


def rows(server: Servers, seconds: float, count: int = 10_000_000) -> Counter[str]:
    """Results of millions of rows in bounded memory."""
    figures: Counter[str] = Counter()
    count = int(count * min(1.0, seconds / ALL))
    query = f"select n, n::text || 'abcdefgh' from generate_series(1, {count}) n"

    def stream(conn: neonps.Connection[Any]) -> int:
        return sum(row[0] for row in conn.cursor().stream(query, size=1000))

    def server_cursor(conn: neonps.Connection[Any]) -> int:
        with conn.transaction(), conn.cursor("much") as cursor:
            cursor.itersize = 10_000
            return sum(row[0] for row in cursor.execute(query))

    def copy(conn: neonps.Connection[Any]) -> int:
        with conn.cursor().copy(f"copy ({query}) to stdout") as out:
            return sum(int(data.split(b"\t")[0]) for data in out)

    for transport in ("tcp", "websocket"):
        for way in (stream, server_cursor, copy):
            with closing(server.connect(transport, autocommit=True)) as conn:
                conn.execute("select 1")
                gc.collect()
                Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the most memory is that from here on
                before = memory()
                assert way(conn) == count * (count + 1) // 2
            grown = memory(field="VmHWM") - before
            figures[f"rows, {transport}, {way.__name__}"] = count
            figures[f"rows, {transport}, {way.__name__}: memory at most, KB"] = grown >> 10
            assert grown < BOUND, f"{way.__name__} over {transport} has taken {grown >> 20} MB"
            print(f"{count} rows, {transport}, {way.__name__}: {grown >> 10} KB", flush=True)
    return figures


PARTS: dict[str, Callable[[Servers, float], Counter[str]]] = {
    "threads": threads,
    "tasks": tasks,
    "queries": queries,
    "values": values,
    "rows": rows,
}


def main(seconds: float) -> dict[str, int]:
    """Run all parts: threads and tasks for a third of the time each, the others as much as fits."""
    figures: Counter[str] = Counter()
    with servers() as server:
        for name, part in PARTS.items():
            figures.update(part(server, seconds / 3 if name in ("threads", "tasks") else seconds))
    return dict(figures)


if __name__ == "__main__":
    with servers() as started:
        for what, figure in PARTS[sys.argv[1]](started, float(sys.argv[2])).items():
            print(f"{figure:>14,}  {what}")
