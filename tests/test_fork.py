"""Processes that are forked: they are refused what belongs to their parent, and do it no harm."""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from textwrap import dedent

import pytest
import trustme
from tls_postgres import TLSPostgres

from neonps.embedded import EmbeddedPostgres

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork() on this system")

ROOT = Path(__file__).parent.parent

#: What each program begins with. `fork` runs a function in a child and gives what it has printed and how it has ended.
PRELUDE = '''
import asyncio, gc, multiprocessing, os, sys, threading
import neonps

url, transport = sys.argv[1:]

def read(descriptor):
    with open(descriptor) as file:
        return file.read()

def forked(function, leave=os._exit):
    """Run `function` in a child that ends by `leave(0)`; gives what it returns."""
    reading, writing = os.pipe()
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        os.close(reading)
        os.write(writing, str(function()).encode())
        os.close(writing)
        leave(0)
    os.close(writing)
    said = read(reading)
    assert os.waitpid(child, 0)[1] == 0, said
    return said

def refused(function):
    """What `function` is refused with."""
    try:
        return f"not refused: {function()!r}"
    except neonps.Error as error:
        return f"{type(error).__name__}: {error}"

REASON = (
    "OperationalError: the connection belongs to the process that this one was forked from, and cannot be used here: "
    "connect anew"
)

def is_reason(said):
    assert said == REASON, said
'''


def run(url: str, transport: str, program: str) -> None:
    """Run a program that forks, in a Python of its own: here are threads, and what belongs to other tests."""
    # Later versions of Python warn of fork() beside threads, which is what is tried here.
    options = ["-W", "error", "-W", "ignore::DeprecationWarning", "-X", "dev"]
    done = subprocess.run(
        [sys.executable, *options, "-c", PRELUDE + dedent(program), url, transport],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        timeout=100,
        check=False,
    )
    assert done.stderr == ""
    assert done.returncode == 0


BLOCKING = """
    with neonps.connect(url, transport=transport, autocommit=True) as conn:
        cursor = conn.cursor()
        cursor.execute("select 1 as a union all select 2")
        calls = {
            "execute": lambda: conn.execute("select 1"),
            "cursor": lambda: cursor.execute("select 1"),
            "executemany": lambda: cursor.executemany("select %s", [(1,)]),
            "stream": lambda: list(cursor.stream("select 1")),
            "batch": lambda: conn.batch(["select 1"]),
            "commit": conn.commit,
            "rollback": conn.rollback,
            "transaction": lambda: conn.transaction().__enter__(),
            "pipeline": lambda: conn.pipeline().__enter__(),
            "autocommit": lambda: conn.set_autocommit(False),
            "fileno": conn.fileno,
            "new cursor": conn.cursor,
        }
        if transport != "http":
            calls["copy"] = lambda: cursor.copy("copy (select 1) to stdout").__enter__()
            calls["notifies"] = lambda: next(conn.notifies(timeout=1))
            calls["pgconn"] = lambda: conn.pgconn.exec_(b"select 1")
        for name, call in calls.items():
            for leave in (os._exit, sys.exit) if name == "execute" else (os._exit,):
                is_reason(forked(lambda: refused(call), leave))
            assert conn.execute("select 42").fetchone() == (42,), name
        # What had come before is the child's too.
        assert forked(cursor.fetchall) == "[(1,), (2,)]"
        assert forked(lambda: (conn.closed, conn.broken, conn.info.status.name)) == "(True, True, 'BAD')"
        for end in (conn.close, conn.cancel, conn.pgconn.finish, conn.__del__, gc.collect):
            forked(end, sys.exit)
            assert conn.execute("select 43").fetchone() == (43,)
"""


@pytest.mark.parametrize("transport", ["tcp", "websocket", "http"])
def test_a_connection_of_the_parent_is_refused(url: str, transport: str) -> None:
    run(url, transport, BLOCKING)


ASYNCIO = """
    async def main():
        async with await neonps.AsyncConnection.connect(url, transport=transport, autocommit=True) as conn:
            def child(use):
                return refused(lambda: asyncio.run(use()))

            async def execute():
                await conn.execute("select 1")

            async def close():
                await conn.close()

            async def enter():
                async with conn.transaction():
                    pass

            async def stream():
                async for _ in conn.cursor().stream("select 1"):
                    pass

            async def copy():
                async with conn.cursor().copy("copy (select 1) to stdout"):
                    pass

            async def change():
                await conn.set_autocommit(False)

            for use in (execute, enter, stream, copy, change):
                is_reason(forked(lambda: child(use)))
                assert await (await conn.execute("select 42")).fetchone() == (42,), use
            assert forked(lambda: child(close)) == "not refused: None"
            assert await (await conn.execute("select 43")).fetchone() == (43,)

    asyncio.run(main(), debug=False)
"""


@pytest.mark.parametrize("transport", ["tcp", "websocket", "http"])
def test_an_asyncio_connection_of_the_parent_is_refused(url: str, transport: str) -> None:
    run(url, transport, ASYNCIO)


WITHIN = """
    with neonps.connect(url, transport=transport) as conn:
        conn.execute("create temp table t (a text)")
        # A block is left in the child, by `SystemExit`; in the parent it goes on.
        with conn.transaction():
            conn.execute("insert into t values ('before')")
            forked(lambda: None, sys.exit)
            conn.execute("insert into t values ('after')")
        with conn.pipeline():
            conn.execute("insert into t values ('pipeline')")
            forked(lambda: None, sys.exit)
        with conn.cursor().copy("copy t from stdin") as copy:
            copy.write_row(["copied"])
            forked(lambda: None, sys.exit)
            is_reason(forked(lambda: refused(lambda: copy.write("x" * 100_000))))
            copy.write_row(["copied too"])
        rows = conn.cursor().stream("select generate_series(1, 100000)")
        assert next(rows) == (1,)
        forked(rows.close, sys.exit)
        is_reason(forked(lambda: refused(lambda: list(rows))))
        assert sum(row[0] for row in rows) == 5000049999
        # In the middle of a call.
        class Forking:
            pass

        class Dumper(neonps.adapt.Dumper):
            oid = 25

            def dump(self, value):
                forked(lambda: None, sys.exit)
                return b"dumped"

        conn.adapters.register_dumper(Forking, Dumper)
        conn.cursor().executemany("insert into t values (%s)", [("many",), (Forking(),), ("more",)])
        with conn.cursor("named") as cursor:
            cursor.execute("select * from t")
            forked(cursor.close, sys.exit)
            is_reason(forked(lambda: refused(cursor.fetchall)))
            assert [row[0] for row in cursor] == (
                ["before", "after", "pipeline", "copied", "copied too", "many", "dumped", "more"]
            )
"""


@pytest.mark.parametrize("transport", ["tcp", "websocket"])
def test_forks_within_blocks_and_calls(url: str, transport: str) -> None:
    run(url, transport, WITHIN)


THREADS = """
    conn = neonps.connect(url, transport=transport, autocommit=True)
    local = threading.local()
    inside, leave = threading.Event(), threading.Event()

    def work():
        local.conn = neonps.connect(url, transport=transport, autocommit=True)
        inside.set()
        assert leave.wait(60)
        assert local.conn.execute("select 1").fetchone() == (1,)
        local.conn.close()

    def sleep():
        assert conn.execute("select pg_sleep(1), 7").fetchone()[1] == 7

    def child():
        conn.close()
        gc.collect()
        return refused(lambda: conn.execute("select 1"))

    threads = [threading.Thread(target=work), threading.Thread(target=sleep)]
    for thread in threads:
        thread.start()
    assert inside.wait(60)
    while not conn.lock._lock.locked():  # another thread holds it, whom the child does not have
        pass
    is_reason(forked(child, sys.exit))
    leave.set()
    for thread in threads:
        thread.join()
    conn.close()
"""


@pytest.mark.parametrize("transport", ["tcp", "http"])
def test_calls_and_connections_of_other_threads(url: str, transport: str) -> None:
    run(url, transport, THREADS)


MULTIPROCESSING = """
    def use(conn, answers):
        answers.put(refused(lambda: conn.execute("select 1")))

    def anew(answers):
        with neonps.connect(url, transport=transport) as conn:
            answers.put(conn.execute("select 5").fetchone())

    context = multiprocessing.get_context("fork")
    with neonps.connect(url, transport=transport, autocommit=True) as conn:
        answers = context.SimpleQueue()
        for target, arguments in ((use, (conn, answers)), (anew, (answers,))):
            process = context.Process(target=target, args=arguments)
            process.start()
            answer = answers.get()
            process.join()
            assert process.exitcode == 0
            if target is use:
                is_reason(answer)
            else:
                assert answer == (5,)
            assert conn.execute("select 42").fetchone() == (42,)
    sql = neonps.neon(url)
    assert sql("select 1 as a") == [{"a": 1}]
    assert forked(lambda: sql("select 2 as a"), sys.exit) == "[{'a': 2}]"  # it opens connections as it needs them
    assert sql("select 3 as a") == [{"a": 3}]
"""


@pytest.mark.parametrize("transport", ["websocket", "http"])
def test_multiprocessing(url: str, transport: str) -> None:
    run(url, transport, MULTIPROCESSING)


POOL = """
    from neonps.pool import AsyncConnectionPool, ConnectionPool, NullConnectionPool, PoolClosed

    def closed(function):
        try:
            return f"not refused: {function()!r}"
        except PoolClosed as error:
            return str(error)

    kwargs = {"transport": transport, "autocommit": True}
    later = ConnectionPool(url, kwargs=kwargs, min_size=1, open=False)
    for cls in (ConnectionPool, NullConnectionPool):
        with cls(url, kwargs=kwargs, min_size=0 if cls is NullConnectionPool else 2, name="own", open=True) as pool:
            with pool.connection() as conn:
                is_reason(forked(lambda: refused(lambda: conn.execute("select 1"))))
                forked(lambda: None, sys.exit)
                assert conn.execute("select 42").fetchone() == (42,)
            reason = "the pool 'own' belongs to the process that this one was forked from: open another"
            assert forked(lambda: closed(pool.getconn)) == reason
            assert forked(lambda: closed(pool.wait)) == reason
            assert forked(pool.close, sys.exit) == "None"
            with pool.connection() as conn:
                assert conn.execute("select 43").fetchone() == (43,)

    def opened():
        with later, later.connection() as conn:
            return conn.execute("select 44").fetchone()

    assert forked(opened, sys.exit) == "(44,)"
    assert opened() == (44,)

    async def main():
        async with AsyncConnectionPool(url, kwargs=kwargs, min_size=2, name="own") as pool:
            assert forked(lambda: closed(lambda: asyncio.run(pool.getconn()))) == reason
            async with pool.connection() as conn:
                assert await (await conn.execute("select 43")).fetchone() == (43,)

    asyncio.run(main(), debug=False)
"""


@pytest.mark.parametrize("transport", ["websocket"])
def test_pools(url: str, transport: str) -> None:
    run(url, transport, POOL)


@pytest.mark.parametrize("program", [BLOCKING, ASYNCIO], ids=["blocking", "asyncio"])
def test_tls(postgres: EmbeddedPostgres, tmp_path: Path, program: str) -> None:
    """The child closes its descriptor, and TLS takes no leave of the server for it."""
    ca, context = trustme.CA(), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    ca.issue_cert("127.0.0.1").configure_cert(context)
    with closing(TLSPostgres(postgres, context)) as server:
        url = postgres.url.replace(f":{postgres.port}/", f":{server.port}/")
        run(f"{url}?sslmode=require&sslrootcert={tmp_path / 'ca.pem'}", "tcp", program)


LOCAL = """
    from neonps.local import serve

    with serve() as server:
        forked(lambda: None, sys.exit)
        with neonps.connect(server.url, transport=transport) as conn:
            assert conn.execute("select 1").fetchone() == (1,)
"""


def test_the_server_of_the_parent_goes_on() -> None:
    run("", "websocket", LOCAL)
