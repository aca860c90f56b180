"""What is left to the garbage collector: it warns and closes, in whatever thread and moment it is collected."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from backends import Admin, wait_until_gone
from transports import Connect, on_sessions

import neonps

ROOT = Path(__file__).parent.parent


InThread = Callable[..., Future[Any]]


#: In a cycle the socket can come first, and warn of itself.
socket_too = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")


@contextmanager
def collected_at_will() -> Iterator[None]:
    """The garbage collector runs when it is called only."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


class Cycle:
    """Holds something that only the garbage collector lets go of."""

    def __init__(self, held: object) -> None:
        self.held = held
        self.me = self


@socket_too
@on_sessions
def test_a_connection_that_another_thread_collects(url: str, transport: str, admin: Admin, in_thread: InThread) -> None:
    with collected_at_will():
        conn = neonps.connect(url, transport=transport)
        conn.execute("create temp table t (a int)")
        pid = conn.info.backend_pid
        Cycle(conn)
        del conn
        with pytest.warns(ResourceWarning, match=r"Connection \[INTRANS\] .* was deleted while still open"):
            in_thread(gc.collect).result()
    wait_until_gone(admin, pid)


@socket_too
@on_sessions
def test_an_asyncio_connection_that_another_thread_collects(
    url: str, transport: str, admin: Admin, in_thread: InThread
) -> None:
    async def main() -> int:
        conn = await neonps.AsyncConnection.connect(url, transport=transport)
        await conn.execute("select 1")
        pid = conn.info.backend_pid
        Cycle(conn)
        del conn
        with pytest.warns(ResourceWarning, match="AsyncConnection .* was deleted while still open"):
            await asyncio.get_running_loop().run_in_executor(None, gc.collect)
        return pid

    with collected_at_will():
        pid = asyncio.run(main())
    wait_until_gone(admin, pid)


@on_sessions
@pytest.mark.parametrize("statement", ["copy (select generate_series(1, 1000000)) to stdout", "copy t from stdin"])
def test_a_copy_that_is_dropped(connect: Connect, admin: Admin, in_thread: InThread, statement: str) -> None:
    """Nobody waits for its lock for ever, and nothing of it takes effect."""
    conn = connect(autocommit=True)
    conn.execute("create temp table t (a text)")
    pid = conn.info.backend_pid
    copy = conn.cursor().copy(statement)
    copy.__enter__()
    waiting = in_thread(conn.execute, "select 1")
    with pytest.warns(ResourceWarning, match="Copy .* was deleted before the end of its block"):
        del copy
    with pytest.raises(neonps.OperationalError, match="the connection is lost"):
        waiting.result()
    assert conn.closed
    assert conn.broken
    wait_until_gone(admin, pid)


@on_sessions
def test_an_asyncio_copy_that_is_dropped(url: str, transport: str, admin: Admin) -> None:
    async def main() -> int:
        async with await neonps.AsyncConnection.connect(url, transport=transport, autocommit=True) as conn:
            pid = conn.info.backend_pid
            copy = conn.cursor().copy("copy (select generate_series(1, 1000000)) to stdout")
            await copy.__aenter__()
            waiting = asyncio.create_task(conn.execute("select 1"))
            await asyncio.sleep(0)
            held = [Cycle(copy)]
            del copy
            held.clear()
            with pytest.warns(ResourceWarning, match="AsyncCopy .* was deleted before the end of its block"):
                await asyncio.get_running_loop().run_in_executor(None, gc.collect)
            with pytest.raises(neonps.OperationalError, match="the connection is lost"):
                await waiting
            assert conn.broken
            return pid

    with collected_at_will():
        wait_until_gone(admin, asyncio.run(main()))


@on_sessions
def test_a_stream_that_another_thread_collects(connect: Connect, in_thread: InThread) -> None:
    """The rows that nobody wants are out of the way, and others get the connection."""
    conn = connect(autocommit=True)
    with collected_at_will():
        rows = conn.cursor().stream("select generate_series(1, 1000000)")
        assert next(rows) == (1,)
        waiting = in_thread(lambda: conn.execute("select 42").fetchone())
        Cycle(rows)
        del rows
        in_thread(gc.collect).result()
        assert waiting.result() == (42,)


@on_sessions
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_garbage_in_the_middle_of_calls(connect: Connect, url: str, transport: str, in_thread: InThread) -> None:
    """The collector runs at each step, finds cursors of the connection that is in use, and other connections."""
    conn = connect(autocommit=True)
    found: list[str] = []

    def work(thread: int) -> None:
        for number in range(12):
            with conn.transaction():
                cursor = neonps.ServerCursor(conn)
                cursor.execute("select generate_series(1, 5)")
                weakref.finalize(cursor, found.append, "cursor")
                Cycle(cursor)
                del cursor
            other = neonps.connect(url, transport=transport)
            weakref.finalize(other, found.append, "connection")
            Cycle(other)
            del other
            assert conn.execute("select %s::int + %s", [thread, number]).fetchone() == (thread + number,)

    threshold = gc.get_threshold()
    gc.set_threshold(5)
    try:
        # Transactions of threads that share a connection would be nested.
        in_thread(work, 1).result()
        shared = [in_thread(conn.execute, "select 1") for _ in range(20)]
        for future in shared:
            assert future.result().fetchone() == (1,)
    finally:
        gc.set_threshold(*threshold)
        gc.collect()
    assert sorted(set(found)) == ["connection", "cursor"]
    assert conn.execute("select count(*) from pg_cursors").fetchone() == (0,)


#: What is left open when Python ends; each program warns of what is in its first line.
ENDS = {
    "a connection": """
        # Connection
        conn = neonps.connect(url, transport=transport)
    """,
    "a cycle": """
        # Connection
        conn = neonps.connect(url, transport=transport)
        conn.cycle = [conn]
    """,
    "a transaction": """
        # Connection
        conn = neonps.connect(url, transport=transport)
        block = conn.transaction()
        block.__enter__()
        conn.execute("select 1")
    """,
    "a pipeline": """
        # Connection
        conn = neonps.connect(url, transport=transport)
        block = conn.pipeline()
        block.__enter__()
        cursor = conn.execute("select 1")
    """,
    "a cursor": """
        # Connection, ServerCursor
        conn = neonps.connect(url, transport=transport)
        cursor = conn.cursor("named")
        cursor.execute("select 1")
    """,
    "a copy": """
        # Copy
        copy = neonps.connect(url, transport=transport).cursor().copy("copy (select 1) to stdout")
        copy.__enter__()
    """,
    "a stream": """
        # Connection
        conn = neonps.connect(url, transport=transport)
        rows = conn.cursor().stream("select generate_series(1, 1000000)")
        next(rows)
    """,
    "a call of a thread": """
        #
        def sleep():
            neonps.connect(url, transport=transport).execute("select pg_sleep(60), 'MARK'")

        threading.Thread(target=sleep, daemon=True).start()
        with neonps.connect(url, transport="tcp", autocommit=True) as watcher:
            query = "select from pg_stat_activity where query like '%MARK%' and wait_event = 'PgSleep'"
            while watcher.execute(query).fetchone() is None:
                pass
    """,
    "a pool": """
        #
        from neonps.pool import ConnectionPool
        pool = ConnectionPool(url, kwargs={"transport": transport}, min_size=2, open=True)
        pool.wait()
    """,
    "asyncio": """
        # AsyncConnection
        async def main():
            global conn, rows
            conn = await neonps.AsyncConnection.connect(url, transport=transport)
            rows = conn.cursor().stream("select generate_series(1, 1000)")
            await rows.__anext__()

        asyncio.run(main(), debug=False)
    """,
    "asyncio, a copy": """
        # AsyncCopy
        async def main():
            global copy
            conn = await neonps.AsyncConnection.connect(url, transport=transport)
            copy = conn.cursor().copy("copy (select 1) to stdout")
            await copy.__aenter__()

        asyncio.run(main(), debug=False)
    """,
}


@on_sessions
def test_the_end_of_the_interpreter(url: str, transport: str, mark: str) -> None:
    """Nothing hangs, and nothing is said but what was left open."""
    prelude = "import asyncio, sys, threading, neonps\nurl, transport = sys.argv[1:]\n"

    def end(program: str) -> subprocess.CompletedProcess[str]:
        lines = prelude + dedent(program.replace("MARK", mark))
        return subprocess.run(
            [sys.executable, "-X", "dev", "-c", lines, url, transport],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )

    programs = ENDS if transport == "tcp" else {name: ENDS[name] for name in ("a connection", "a stream", "asyncio")}
    with ThreadPoolExecutor(2) as pool:
        ended = dict(zip(programs, pool.map(end, programs.values()), strict=True))
    for name, done in ended.items():
        assert done.returncode == 0, (name, done.stderr)
        expected = ENDS[name].split("#")[1].splitlines()[0].strip()
        lines = [line for line in done.stderr.splitlines() if "unclosed <socket" not in line]
        warned = {line.split("ResourceWarning: <neonps.")[-1].split()[0].rstrip(">") for line in lines}
        assert ", ".join(sorted(warned)) == expected, (name, done.stderr)
