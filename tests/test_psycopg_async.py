"""AsyncConnection and what belongs to it: what psycopg's do, neonps's do."""

from __future__ import annotations

import asyncio
import gc
import inspect
import itertools
import socket
import sys
import weakref
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from backends import Admin, backend_state, terminate, wait_until_gone
from peers import Peer
from transports import Numbers


def status(conn: Any) -> str:
    name: str = conn.info.transaction_status.name
    return name


async def until(condition: Callable[[], object]) -> None:
    """Wait until something is true; the time limit of tests ends it if it never is."""
    while not condition():
        await asyncio.sleep(0.01)


async def until_sleeping(admin: Admin, pid: int) -> None:
    await until(lambda: backend_state(admin, pid) == ("active", "Timeout"))


async def scalar(conn: Any, query: str, params: Any = None) -> Any:
    row = await (await conn.execute(query, params)).fetchone()
    return row[0]


async def check_usable_or_closed(conn: Any, admin: Admin, pid: int) -> None:
    """After a call was cancelled: nothing runs on the server, and the connection works or is closed."""
    await until(lambda: (backend_state(admin, pid) or ("idle", ""))[0] != "active")
    if not conn.closed:
        await asyncio.wait_for(conn.rollback(), 10)
        assert await asyncio.wait_for(scalar(conn, "select 42"), 10) == 42


def run(work: Callable[[], Awaitable[Any]]) -> Any:
    """Run a coroutine in an event loop of its own; it must leave no task behind."""

    async def main() -> Any:
        result = await work()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        assert not others
        return result

    return asyncio.run(main())


# Connecting


def test_connect(peer: Peer) -> None:
    async def work() -> None:
        conn = await peer.module.AsyncConnection.connect(peer.url)
        assert type(conn) is peer.module.AsyncConnection
        assert not conn.closed
        assert await scalar(conn, "select 1") == 1
        assert await conn.close() is None
        assert conn.closed
        assert not conn.broken
        await conn.close()

    run(work)


def test_connect_takes_what_the_blocking_one_takes(peer: Peer) -> None:
    rows = peer.submodule("rows")

    async def work() -> None:
        async with await peer.connect_async(
            autocommit=True,
            prepare_threshold=1,
            row_factory=rows.dict_row,
            cursor_factory=peer.module.AsyncRawCursor,
            application_name="a name",
        ) as conn:
            assert conn.autocommit is True
            assert conn.prepare_threshold == 1
            assert conn.info.get_parameters()["application_name"] == "a name"
            cursor = await conn.execute("select $1::int as a", [1])
            assert type(cursor) is peer.module.AsyncRawCursor
            assert await cursor.fetchone() == {"a": 1}

    run(work)


def test_connect_takes_a_context(peer: Peer) -> None:
    adapt = peer.submodule("adapt")

    class Shout(adapt.Loader):  # type: ignore[misc, name-defined]
        def load(self, data: Any) -> str:
            return f"<{bytes(data).decode()}>"

    template = peer.connect()
    template.adapters.register_loader("int4", Shout)

    async def work() -> None:
        async with await peer.connect_async(context=template) as conn:
            assert await scalar(conn, "select 1") == "<1>"

    run(work)


def test_defaults(peer: Peer) -> None:
    async def work() -> None:
        async with await peer.connect_async() as conn:
            assert conn.autocommit is False
            assert conn.isolation_level is conn.read_only is conn.deferrable is None
            assert conn.row_factory is peer.submodule("rows").tuple_row
            assert conn.cursor_factory is peer.module.AsyncCursor
            assert conn.server_cursor_factory is peer.module.AsyncServerCursor
            assert type(conn.cursor()) is peer.module.AsyncCursor
            async with conn.cursor("named") as cursor:
                assert type(cursor) is peer.module.AsyncServerCursor
            assert f"{peer.module.__name__}.AsyncConnection [IDLE]" in repr(conn)

    run(work)


def test_it_is_no_connection_of_the_blocking_kind(peer: Peer) -> None:
    m = peer.module
    assert not issubclass(m.AsyncConnection, m.Connection)
    assert issubclass(m.AsyncConnection, m.BaseConnection)
    assert issubclass(m.Connection, m.BaseConnection)


def test_the_methods_that_are_coroutines(peer: Peer) -> None:
    cls = peer.module.AsyncConnection
    for name in (
        "connect", "close", "execute", "commit", "rollback", "set_autocommit", "set_isolation_level", "set_read_only",
        "set_deferrable", "cancel_safe", "tpc_begin", "tpc_prepare", "tpc_commit", "tpc_rollback", "tpc_recover",
    ):  # fmt: skip
        assert inspect.iscoroutinefunction(getattr(cls, name)), name
    for name in (
        "cursor", "cancel", "transaction", "pipeline", "xid", "fileno", "add_notice_handler", "add_notify_handler",
    ):  # fmt: skip
        assert not inspect.iscoroutinefunction(getattr(cls, name)), name
    cls = peer.module.AsyncCursor
    for name in (
        "close", "execute", "executemany", "fetchone", "fetchmany", "fetchall", "scroll", "set_result",
    ):  # fmt: skip
        assert inspect.iscoroutinefunction(getattr(cls, name)), name
    assert not inspect.iscoroutinefunction(cls.nextset)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"password": "wrong one"}, "password authentication failed"),
        ({"dbname": "no such database"}, "does not exist"),
    ],
)
def test_errors_of_connecting(peer: Peer, kwargs: Any, message: str) -> None:
    async def work() -> None:
        with pytest.raises(peer.module.OperationalError, match=message) as caught:
            await peer.connect_async(**kwargs)
        assert caught.value.pgconn.status == peer.submodule("pq").ConnStatus.BAD

    run(work)


def test_connecting_to_nobody(peer: Peer) -> None:
    async def work() -> None:
        way = {"gateway": "http://127.0.0.1:1"} if peer.name == "websocket" else {"port": 1}
        with pytest.raises(peer.module.OperationalError, match=r"(?i)connection refused|connect call failed"):
            await peer.connect_async(**way)

    run(work)


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """A server that never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


def way_to(peer: Peer, server: socket.socket) -> dict[str, Any]:
    """What to connect with to get to a server of our own."""
    port = server.getsockname()[1]
    return {"gateway": f"http://127.0.0.1:{port}"} if peer.name == "websocket" else {"port": port}


def test_connect_timeout(peer: Peer, silent: socket.socket) -> None:
    async def work() -> None:
        with pytest.raises(peer.module.errors.ConnectionTimeout):
            await peer.connect_async(connect_timeout=2, **way_to(peer, silent))

    run(work)


def test_cancelling_a_task_that_connects(peer: Peer, silent: socket.socket) -> None:
    async def work() -> None:
        loop = asyncio.get_running_loop()
        task = asyncio.create_task(peer.connect_async(**way_to(peer, silent)))
        client, _ = await loop.sock_accept(silent)
        with client:
            await loop.sock_recv(client, 4096)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            del task
            gc.collect()
            assert await loop.sock_recv(client, 4096) == b""

    run(work)


# async with


def test_async_with_commits_and_closes(numbers: Numbers, peer: Peer) -> None:
    async def work() -> None:
        async with await peer.connect_async() as conn:
            await conn.execute("insert into numbers values (1)")
            assert numbers() == []
        assert numbers() == [1]
        assert conn.closed

    run(work)


def test_async_with_rolls_back_after_an_exception(numbers: Numbers, peer: Peer) -> None:
    async def work() -> None:
        with pytest.raises(ZeroDivisionError):
            async with await peer.connect_async() as conn:
                await conn.execute("insert into numbers values (1)")
                raise ZeroDivisionError
        assert numbers() == []
        assert conn.closed

    run(work)


def test_with_is_not_for_async_objects(peer: Peer) -> None:
    async def work() -> None:
        async with await peer.connect_async() as conn:
            for make in (lambda: conn, conn.cursor, conn.transaction, conn.pipeline):
                with pytest.raises((TypeError, AttributeError)):
                    with make():
                        pytest.fail("has entered")

    run(work)


def test_async_with_of_a_cursor(peer: Peer) -> None:
    async def work() -> None:
        async with await peer.connect_async() as conn:
            async with conn.cursor() as cursor:
                await cursor.execute("select 1")
            with pytest.raises(peer.module.InterfaceError, match="the cursor is closed"):
                await cursor.fetchone()

    run(work)


def test_a_closed_connection(peer: Peer) -> None:
    async def work() -> None:
        conn = await peer.connect_async()
        await conn.close()
        for use in (lambda: conn.execute("select 1"), conn.commit, conn.rollback, lambda: conn.set_autocommit(True)):
            with pytest.raises(peer.module.OperationalError, match="the connection is closed"):
                await use()
        with pytest.raises(peer.module.OperationalError, match="the connection is closed"):
            conn.cursor()
        await conn.cancel_safe()
        conn.cancel()

    run(work)


def test_a_connection_that_the_server_has_ended(peer: Peer, admin: Admin) -> None:
    async def work() -> None:
        conn = await peer.connect_async()
        terminate(admin, conn.info.backend_pid)
        with pytest.raises(peer.module.errors.AdminShutdown):
            await conn.execute("select 1")
        assert conn.closed
        assert conn.broken
        await conn.close()

    run(work)


@pytest.mark.filterwarnings("default::ResourceWarning")
def test_a_connection_left_open_warns_when_collected(peer: Peer, admin: Admin) -> None:
    async def work() -> int:
        conn = await peer.connect_async()
        pid: int = conn.info.backend_pid
        reference = weakref.ref(conn)
        connections = [conn]
        del conn
        with pytest.warns(ResourceWarning, match="was deleted while still open"):
            connections.clear()
        assert reference() is None
        return pid

    wait_until_gone(admin, run(work))


# Settings


@pytest.mark.parametrize(
    ("name", "value"), [("autocommit", True), ("isolation_level", 4), ("read_only", True), ("deferrable", True)]
)
def test_settings_are_set_by_coroutines(peer: Peer, name: str, value: Any) -> None:
    async def work() -> None:
        async with await peer.connect_async() as conn:
            before = getattr(conn, name)
            with pytest.raises(AttributeError, match=f"'{name}' .*is read-only on async connections: .*set_{name}"):
                setattr(conn, name, value)
            assert getattr(conn, name) == before
            setter = getattr(conn, f"set_{name}")
            assert await setter(value) is None
            assert getattr(conn, name) == value
            await setter(False if name != "isolation_level" else None)
            await conn.execute("select 1")
            with pytest.raises(
                peer.module.ProgrammingError, match=f"can't change '{name}' now: connection in transaction status"
            ):
                await setter(value)
            await conn.rollback()
            async with conn.transaction():
                with pytest.raises(peer.module.ProgrammingError, match="context in progress"):
                    await setter(value)

    run(work)


def test_autocommit(numbers: Numbers, peer: Peer) -> None:
    async def work() -> None:
        async with await peer.connect_async() as conn:
            await conn.execute("insert into numbers values (1)")
            assert status(conn) == "INTRANS"
            assert numbers() == []
            await conn.commit()
            await conn.set_autocommit(True)
            await conn.execute("insert into numbers values (2)")
            assert numbers() == [1, 2]
            await conn.set_autocommit(False)
            await conn.execute("insert into numbers values (3)")
            await conn.rollback()
            assert numbers() == [1, 2]

    run(work)


# Cursors


def test_cursors(numbers: Numbers, peer: Peer) -> None:
    async def work() -> None:
        async with await peer.connect_async() as conn, conn.cursor() as cursor:
            assert await cursor.execute("select generate_series(1, 6)") is cursor
            assert await cursor.fetchone() == (1,)
            assert await cursor.fetchmany(2) == [(2,), (3,)]
            assert await anext(cursor) == (4,)
            assert [row async for row in cursor] == [(5,), (6,)]
            await cursor.scroll(0, mode="absolute")
            assert len(await cursor.fetchall()) == 6
            with pytest.raises(TypeError):
                iter(cursor)
            await cursor.executemany("insert into numbers values (%s) returning a", [(1,), (2,)], returning=True)
            found = [await cursor.fetchone()]
            while cursor.nextset():
                found.append(await cursor.fetchone())
            assert found == [(1,), (2,)]
            await cursor.execute("select 1; select 2")
            assert [await each.fetchone() async for each in cursor.results()] == [(1,), (2,)]
            assert cursor.connection is conn

    run(work)


def test_server_cursors(peer: Peer) -> None:
    async def work() -> None:
        async with await peer.connect_async() as conn, conn.cursor("named") as cursor:
            await cursor.execute("select generate_series(1, 250)")
            assert await cursor.fetchone() == (1,)
            assert sum([1 async for _ in cursor]) == 249

    run(work)


def test_streams(peer: Peer) -> None:
    async def work() -> None:
        async with await peer.connect_async() as conn, conn.cursor() as cursor:
            assert [row async for row in cursor.stream("select generate_series(1, %s)", [5])] == [
                (1,), (2,), (3,), (4,), (5,),
            ]  # fmt: skip
            async for _ in cursor.stream("select generate_series(1, 1000000)"):
                break
            gc.collect()
            await asyncio.sleep(0)
            await conn.rollback()
            assert await scalar(conn, "select 1") == 1

    asyncio.run(work())


def test_copy(numbers: Numbers, peer: Peer) -> None:
    async def work() -> None:
        async with await peer.connect_async() as conn, conn.cursor() as cursor:
            async with cursor.copy("copy numbers (a) from stdin") as copy:
                await copy.write("1\n")
                await copy.write_row([2])
            assert cursor.rowcount == 2
            async with cursor.copy("copy numbers (a) to stdout") as copy:
                assert [row async for row in copy.rows()] == [("1",), ("2",)]
            async with cursor.copy("copy numbers (a) to stdout") as copy:
                assert b"".join([bytes(data) async for data in copy]) == b"1\n2\n"
            async with cursor.copy("copy numbers (a) to stdout") as copy:
                assert await copy.read_row() == ("1",)
                assert await copy.read_row() == ("2",)
                assert await copy.read_row() is None
            with pytest.raises(peer.module.errors.QueryCanceled):
                async with cursor.copy("copy numbers (a) from stdin") as copy:
                    await copy.write("3\n")
                    raise peer.module.errors.QueryCanceled("ours")
            await conn.rollback()

    run(work)


# Transaction blocks


def test_transaction_blocks(numbers: Numbers, peer: Peer) -> None:
    async def work() -> None:
        async with await peer.connect_async() as conn:
            async with conn.transaction() as outer:
                assert type(outer) is peer.module.AsyncTransaction
                assert outer.connection is conn
                await conn.execute("insert into numbers values (1)")
                async with conn.transaction("inside") as inner:
                    assert inner.savepoint_name == "inside"
                    await conn.execute("insert into numbers values (2)")
                    raise peer.module.Rollback
                with pytest.raises(peer.module.errors.UniqueViolation):
                    async with conn.transaction():
                        await conn.execute("insert into numbers values (1)")
                async with conn.transaction(force_rollback=True):
                    await conn.execute("insert into numbers values (3)")
                with pytest.raises(peer.module.ProgrammingError, match=r"Explicit commit\(\) forbidden"):
                    await conn.commit()
                with pytest.raises(peer.module.ProgrammingError, match=r"Explicit rollback\(\) forbidden"):
                    await conn.rollback()
            assert outer.status == outer.Status.COMMITTED
            assert inner.status == inner.Status.ROLLED_BACK_EXPLICITLY
            assert numbers() == [1]
            async with conn.transaction() as target:
                await conn.execute("insert into numbers values (4)")
                async with conn.transaction():
                    raise peer.module.Rollback(target)
            assert status(conn) == "IDLE"
            assert numbers() == [1]

    run(work)


def test_transaction_blocks_of_tasks_that_interleave(peer: Peer) -> None:
    async def work() -> None:
        conn = await peer.connect_async()
        entered, leave = asyncio.Event(), asyncio.Event()

        async def first() -> None:
            async with conn.transaction():
                entered.set()
                await leave.wait()

        task = asyncio.create_task(first())
        await entered.wait()
        second = peer.module.AsyncTransaction(conn)
        await second.__aenter__()
        leave.set()
        with pytest.raises(peer.module.ProgrammingError, match="at the wrong nesting level"):
            await task
        await conn.close()

    run(work)


# Tasks that share a connection


def test_many_tasks_share_a_connection(peer: Peer) -> None:
    async def work() -> None:
        async with await peer.connect_async() as conn:

            async def one(number: int) -> Any:
                async with conn.cursor() as cursor:
                    await cursor.execute("select n, %s::int from generate_series(1, %s) n", [number, number])
                    return await cursor.fetchall()

            results = await asyncio.gather(*map(one, range(60)))
            assert results == [[(n, number) for n in range(1, number + 1)] for number in range(60)]

    run(work)


def test_the_error_of_a_task_is_its_own(peer: Peer) -> None:
    async def work() -> None:
        async with await peer.connect_async(autocommit=True) as conn:
            results = await asyncio.gather(
                *(scalar(conn, "select 10 / %s::int", [number % 3]) for number in range(30)), return_exceptions=True
            )
            for number, result in enumerate(results):
                if number % 3:
                    assert result == 10 // (number % 3)
                else:
                    assert type(result) is peer.module.errors.DivisionByZero

    run(work)


def test_a_task_waits_for_the_statement_of_another(peer: Peer, admin: Admin) -> None:
    async def work() -> None:
        async with await peer.connect_async(autocommit=True) as conn:
            first = asyncio.create_task(conn.execute("select pg_sleep(60)"))
            await until_sleeping(admin, conn.info.backend_pid)
            second = asyncio.create_task(scalar(conn, "select 2"))
            done, _ = await asyncio.wait([first, second], timeout=0.05)
            assert not done
            await conn.cancel_safe()
            with pytest.raises(peer.module.errors.QueryCanceled):
                await first
            assert await second == 2

    run(work)


def test_a_copy_has_the_connection_for_itself(peer: Peer) -> None:
    async def work() -> None:
        async with await peer.connect_async(autocommit=True) as conn:
            async with conn.cursor().copy("copy (select generate_series(1, 3)) to stdout") as copy:
                task = asyncio.create_task(scalar(conn, "select 42"))
                done, _ = await asyncio.wait([task], timeout=0.05)
                assert not done
                assert [row async for row in copy.rows()] == [("1",), ("2",), ("3",)]
            assert await task == 42

    run(work)


def test_the_loop_goes_on_while_a_statement_runs(peer: Peer, admin: Admin) -> None:
    async def work() -> None:
        async with await peer.connect_async() as conn:
            task = asyncio.create_task(conn.execute("select pg_sleep(60)"))
            await until_sleeping(admin, conn.info.backend_pid)  # which is a coroutine of the same loop
            await conn.cancel_safe(timeout=10)
            with pytest.raises(peer.module.errors.QueryCanceled, match="canceling statement due to user request"):
                await task
            assert status(conn) == "INERROR"

    run(work)


def test_connections_in_parallel(peer: Peer) -> None:
    async def work() -> None:
        connections = await asyncio.gather(*(peer.connect_async() for _ in range(8)))
        assert await asyncio.gather(*(scalar(conn, "select %s::int", [n]) for n, conn in enumerate(connections))) == [
            *range(8)
        ]
        await asyncio.gather(*(conn.close() for conn in connections))

    run(work)


# Cancelling tasks


def test_cancelling_a_task_cancels_its_statement(peer: Peer, admin: Admin) -> None:
    async def work() -> None:
        async with await peer.connect_async() as conn:
            pid = conn.info.backend_pid
            task = asyncio.create_task(conn.execute("select pg_sleep(60)"))
            await until_sleeping(admin, pid)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert not conn.closed
            assert status(conn) == "INERROR"
            await check_usable_or_closed(conn, admin, pid)

    run(work)


def test_cancelling_a_task_in_autocommit_mode(peer: Peer, admin: Admin) -> None:
    async def work() -> None:
        async with await peer.connect_async(autocommit=True) as conn:
            pid = conn.info.backend_pid
            for _ in range(3):
                task = asyncio.create_task(conn.execute("select pg_sleep(60)"))
                await until_sleeping(admin, pid)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                assert status(conn) == "IDLE"
                assert await scalar(conn, "select 1") == 1

    run(work)


def test_wait_for(peer: Peer, admin: Admin) -> None:
    async def work() -> None:
        async with await peer.connect_async() as conn:
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(conn.execute("select pg_sleep(60)"), 0.1)
            await check_usable_or_closed(conn, admin, conn.info.backend_pid)

    run(work)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="asyncio.timeout() is of Python 3.11")
def test_timeout(peer: Peer, admin: Admin) -> None:
    async def work() -> None:
        async with await peer.connect_async() as conn:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await conn.execute("select pg_sleep(60)")
            await check_usable_or_closed(conn, admin, conn.info.backend_pid)

    run(work)


def test_cancelling_a_task_at_any_moment(numbers: Numbers, peer: Peer, admin: Admin) -> None:
    """Statements that are over in no time, cancelled after so many turns of the loop."""

    async def work() -> None:
        conn = await peer.connect_async(autocommit=True)
        pid = conn.info.backend_pid
        for turns in range(60):
            if conn.closed:
                conn = await peer.connect_async(autocommit=True)
                pid = conn.info.backend_pid
            task = asyncio.create_task(scalar(conn, "select %s::int from generate_series(1, 300)", [turns]))
            for _ in range(turns % 20):
                await asyncio.sleep(0)
            task.cancel()
            with suppress(asyncio.CancelledError):
                assert await asyncio.wait_for(task, 10) == turns
            if not conn.closed:
                assert await asyncio.wait_for(scalar(conn, "select %s::int", [-turns]), 10) == -turns
        await conn.close()
        wait_until_gone(admin, pid)

    run(work)


def test_cancelling_a_task_that_waits_for_its_turn(peer: Peer, admin: Admin) -> None:
    """The statement that runs is somebody else's."""

    async def work() -> None:
        async with await peer.connect_async(autocommit=True) as conn:
            pid = conn.info.backend_pid
            first = asyncio.create_task(conn.execute("select pg_sleep(60)"))
            await until_sleeping(admin, pid)
            second = asyncio.create_task(conn.execute("select 2"))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            second.cancel()
            with pytest.raises(asyncio.CancelledError):
                await second
            assert not first.done()
            assert backend_state(admin, pid) == ("active", "Timeout")
            await conn.cancel_safe()
            with pytest.raises(peer.module.errors.QueryCanceled):
                await first

    run(work)


def test_cancelling_a_task_within_a_transaction_block(numbers: Numbers, peer: Peer, admin: Admin) -> None:
    async def work() -> None:
        async with await peer.connect_async() as conn:
            pid = conn.info.backend_pid

            async def change() -> None:
                async with conn.transaction():
                    await conn.execute("insert into numbers values (1)")
                    await conn.execute("select pg_sleep(60)")

            task = asyncio.create_task(change())
            await until_sleeping(admin, pid)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            if not conn.closed:
                assert status(conn) == "IDLE"
            assert numbers() == []
            await check_usable_or_closed(conn, admin, pid)

    run(work)


def test_cancelling_a_task_within_a_pipeline(numbers: Numbers, peer: Peer, admin: Admin) -> None:
    async def work() -> None:
        async with await peer.connect_async() as conn:
            pid = conn.info.backend_pid

            async def change() -> None:
                async with conn.pipeline():
                    await conn.execute("insert into numbers values (1)")
                    cursor = await conn.execute("select pg_sleep(60)")
                    await cursor.fetchone()

            task = asyncio.create_task(change())
            await until_sleeping(admin, pid)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert conn.info.pipeline_status.name == "OFF"
            await check_usable_or_closed(conn, admin, pid)
        assert numbers() == []

    run(work)


def test_cancelling_a_task_within_executemany(numbers: Numbers, peer: Peer, admin: Admin) -> None:
    async def work() -> None:
        async with await peer.connect_async(autocommit=True) as conn:
            pid = conn.info.backend_pid
            task = asyncio.create_task(conn.cursor().executemany("select pg_sleep(%s)", [(0,), (60,), (60,)]))
            await until_sleeping(admin, pid)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert conn.info.pipeline_status.name == "OFF"
            await check_usable_or_closed(conn, admin, pid)

    run(work)


def test_cancelling_a_task_that_copies_out(peer: Peer, admin: Admin) -> None:
    async def work() -> None:
        async with await peer.connect_async() as conn:
            pid = conn.info.backend_pid
            begun = asyncio.Event()

            async def copy_out() -> None:
                async with conn.cursor().copy("copy (select generate_series(1, 100000000)) to stdout") as copy:
                    async for _ in copy:
                        begun.set()
                        await asyncio.sleep(0)

            task = asyncio.create_task(copy_out())
            await begun.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await check_usable_or_closed(conn, admin, pid)

    run(work)


def test_cancelling_a_task_that_copies_in(numbers: Numbers, peer: Peer, admin: Admin) -> None:
    async def work() -> None:
        async with await peer.connect_async() as conn:
            pid = conn.info.backend_pid
            begun = asyncio.Event()

            async def copy_in() -> None:
                async with conn.cursor().copy("copy numbers (a) from stdin") as copy:
                    await copy.write("1\n")
                    begun.set()
                    await asyncio.Event().wait()

            task = asyncio.create_task(copy_in())
            await begun.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await check_usable_or_closed(conn, admin, pid)
        assert numbers() == []

    run(work)


def test_cancelling_a_task_that_copies_in_at_any_moment(numbers: Numbers, peer: Peer) -> None:
    """The error of the COPY never becomes that of the next statement."""
    if peer.name == "psycopg":
        pytest.skip("its connection is stuck after some of them")

    async def copy_in(conn: Any) -> None:
        async with conn.cursor().copy("copy numbers (a) from stdin") as copy:
            for value in range(50):
                await copy.write_row([value])
            raise asyncio.CancelledError

    async def work() -> None:
        conn = await peer.connect_async(autocommit=True)
        for turns in range(120):
            if conn.closed:
                conn = await peer.connect_async(autocommit=True)
            task = asyncio.create_task(copy_in(conn))
            for _ in range(turns % 40):
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            if not conn.closed:
                assert await asyncio.wait_for(scalar(conn, "select %s::int", [turns]), 10) == turns
        await conn.close()
        assert numbers() == []

    run(work)


def test_cancelling_a_task_that_streams(peer: Peer, admin: Admin) -> None:
    async def work() -> None:
        async with await peer.connect_async() as conn:
            pid = conn.info.backend_pid
            begun = asyncio.Event()

            async def stream() -> None:
                async for _ in conn.cursor().stream("select generate_series(1, 100000000)"):
                    begun.set()
                    await asyncio.sleep(0)

            task = asyncio.create_task(stream())
            await begun.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await check_usable_or_closed(conn, admin, pid)

    run(work)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("size", [1, 1000, 100_000])
def test_cancelling_a_task_twice_at_any_moment(peer: Peer, size: int) -> None:
    """As nested timeouts do: the second may come while the first is being seen to."""
    if peer.name == "psycopg":
        pytest.skip("now and then it leaves an exception in a generator behind")

    async def work() -> None:
        conn = await peer.connect_async(autocommit=True)
        for first, second in itertools.product(range(0, 45, 3), range(0, 45, 5)):
            if conn.closed:
                conn = await peer.connect_async(autocommit=True)
            task = asyncio.create_task(conn.cursor().executemany("select %s::text", [("y" * size,)] * 50))
            for turns in (first, second):
                for _ in range(turns):
                    await asyncio.sleep(0)
                task.cancel()
            await asyncio.wait([task], timeout=10)
            assert task.done()
            if not conn.closed:
                assert await asyncio.wait_for(scalar(conn, "select %s::int", [first]), 10) == first
        await conn.close()

    run(work)


def test_cancelling_a_task_that_commits_or_leaves(numbers: Numbers, peer: Peer, admin: Admin) -> None:
    async def work() -> None:
        for turns in range(12):
            conn = await peer.connect_async()
            pid = conn.info.backend_pid
            await conn.execute("insert into numbers values (%s)", [turns])
            task = asyncio.create_task(conn.commit())
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            cancelled = (await asyncio.gather(task, return_exceptions=True))[0]
            assert cancelled is None or isinstance(cancelled, asyncio.CancelledError)
            await check_usable_or_closed(conn, admin, pid)
            await conn.close()
            if cancelled is None:
                assert turns in numbers()

    run(work)


def test_an_error_beside_the_cancellation_does_not_get_lost(peer: Peer, admin: Admin) -> None:
    """What was cancelled is over; the next statement gets its own result."""

    async def work() -> None:
        async with await peer.connect_async(autocommit=True) as conn:
            for number in range(20):
                task = asyncio.create_task(conn.execute("select 1 / 0"))
                for _ in range(number % 7):
                    await asyncio.sleep(0)
                task.cancel()
                (result,) = await asyncio.gather(task, return_exceptions=True)
                assert isinstance(result, (asyncio.CancelledError, peer.module.errors.DivisionByZero))
                if conn.closed:
                    break
                assert await scalar(conn, "select %s::int", [number]) == number

    run(work)


def test_closing_while_another_task_waits(peer: Peer, admin: Admin) -> None:
    async def work() -> None:
        conn = await peer.connect_async()
        pid = conn.info.backend_pid
        task = asyncio.create_task(conn.execute("select pg_sleep(60)"))
        try:
            await until_sleeping(admin, pid)
            await asyncio.wait_for(conn.close(), 5)
            assert conn.closed
            with pytest.raises(peer.module.OperationalError):
                await asyncio.wait_for(task, 5)
        finally:
            admin.execute("select pg_terminate_backend(%s)", [pid])

    asyncio.run(work())


# cancel(), cancel_safe()


@pytest.mark.parametrize("way", ["cancel", "cancel_safe"])
def test_cancel(peer: Peer, admin: Admin, way: str) -> None:
    async def work() -> None:
        async with await peer.connect_async(autocommit=True) as conn:
            task = asyncio.create_task(conn.execute("select pg_sleep(60)"))
            await until_sleeping(admin, conn.info.backend_pid)
            if way == "cancel":
                conn.cancel()
            else:
                await conn.cancel_safe()
            with pytest.raises(peer.module.errors.QueryCanceled):
                await task
            assert await scalar(conn, "select 1") == 1

    run(work)


def test_cancel_when_nothing_runs(peer: Peer) -> None:
    async def work() -> None:
        async with await peer.connect_async() as conn:
            conn.cancel()
            await conn.cancel_safe(timeout=5)
            assert await scalar(conn, "select 1") == 1

    run(work)


# Event loops


def test_a_connection_in_one_loop_after_another(peer: Peer) -> None:
    conn = run(peer.connect_async)
    for number in range(3):
        assert run(lambda number=number: scalar(conn, "select %s::int", [number])) == number
    run(conn.close)
    assert conn.closed


def test_a_connection_that_is_closed_after_its_loop(peer: Peer) -> None:
    async def work() -> Any:
        conn = await peer.connect_async()
        await conn.execute("select 1")
        return conn

    conn = run(work)
    run(conn.close)


def test_a_loop_that_is_in_debug_mode(peer: Peer) -> None:
    async def work() -> None:
        async with await peer.connect_async() as conn:
            assert await scalar(conn, "select 1") == 1

    asyncio.run(work(), debug=True)


# Other attributes


def test_subclasses(peer: Peer) -> None:
    class OwnCursor(peer.module.AsyncCursor):  # type: ignore[misc, name-defined]
        async def value(self) -> Any:
            row = await self.fetchone()
            return row[0]

    class OwnConnection(peer.module.AsyncConnection):  # type: ignore[misc, name-defined]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.cursor_factory = OwnCursor

    async def work() -> None:
        async with await OwnConnection.connect(peer.url) as conn:
            assert type(conn) is OwnConnection
            cursor = await conn.execute("select 42")
            assert type(cursor) is OwnCursor
            assert await cursor.value() == 42

    run(work)


def test_lock(peer: Peer) -> None:
    async def work() -> None:
        async with await peer.connect_async() as conn:
            async with conn.lock:
                task = asyncio.create_task(scalar(conn, "select 1"))
                done, _ = await asyncio.wait([task], timeout=0.05)
                assert not done
            assert await task == 1

    run(work)


def test_info_and_pgconn(peer: Peer) -> None:
    async def work() -> None:
        async with await peer.connect_async() as conn:
            assert await scalar(conn, "select pg_backend_pid()") == conn.info.backend_pid == conn.pgconn.backend_pid
            assert status(conn) == "INTRANS"
            assert conn.pgconn.transaction_status == peer.submodule("pq").TransactionStatus.INTRANS
            assert conn.fileno() == conn.pgconn.socket

    run(work)


def test_detecting_a_disconnection(peer: Peer, admin: Admin) -> None:
    async def work() -> None:
        conn = await peer.connect_async(autocommit=True)
        event = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_reader(conn.fileno(), event.set)
        try:
            terminate(admin, conn.info.backend_pid)
            await event.wait()
        finally:
            loop.remove_reader(conn.fileno())
        with pytest.raises(peer.module.OperationalError):
            await conn.execute("select 1")
        assert conn.broken

    run(work)


def test_notice_handlers(peer: Peer) -> None:
    async def work() -> None:
        seen = []
        async with await peer.connect_async() as conn:
            conn.add_notice_handler(lambda diag: seen.append(diag.message_primary))
            await conn.execute("do $$begin raise notice 'hello'; end$$")
        assert seen == ["hello"]

    run(work)


def test_adaptation_of_connections_and_cursors(peer: Peer) -> None:
    adapt = peer.submodule("adapt")

    class Shout(adapt.Loader):  # type: ignore[misc, name-defined]
        def load(self, data: Any) -> str:
            return f"<{bytes(data).decode()}>"

    async def work() -> None:
        async with await peer.connect_async() as conn:
            cursor = conn.cursor()
            cursor.adapters.register_loader("int4", Shout)
            await cursor.execute("select 1")
            assert await cursor.fetchone() == ("<1>",)
            assert await scalar(conn, "select 1") == 1

    run(work)


def test_types_are_fetched(peer: Peer) -> None:
    async def work() -> None:
        async with await peer.connect_async() as conn:
            info = await peer.submodule("types").TypeInfo.fetch(conn, "text")
            assert info.oid == 25

    run(work)


@pytest.mark.parametrize("way", ["executemany", "pipeline"])
def test_other_tasks_run_while_much_is_sent(peer: Peer, way: str) -> None:
    async def work() -> None:
        async with await peer.connect_async(autocommit=True) as conn:
            turns = 0

            async def tick() -> None:
                nonlocal turns
                while True:
                    await asyncio.sleep(0)
                    turns += 1

            ticking = asyncio.create_task(tick())
            rows = [(str(number) * 100,) for number in range(3000)]
            if way == "executemany":
                await conn.cursor().executemany("select %s::text", rows)
            else:
                async with conn.pipeline():
                    for row in rows:
                        await conn.execute("select %s::text", row)
            ticking.cancel()
            with suppress(asyncio.CancelledError):
                await ticking
            assert turns > 5

    run(work)
