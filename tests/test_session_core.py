"""What a session must get right when calls fail or are interrupted: transactions, prepared statements, COPY, locks."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable, Coroutine, Generator
from functools import partial
from typing import Any

import pytest
from transports import Connect, Connection, Numbers, on_sessions

import neonps.copy
from neonps import AsyncConnection

INSERT = "insert into numbers values (%s)"

pytestmark = on_sessions

Connecting = Callable[..., Coroutine[Any, Any, "AsyncConnection[Any]"]]


@pytest.fixture
def connect_async(url: str, transport: str) -> Connecting:
    async def connect_async(**kwargs: Any) -> AsyncConnection[Any]:
        return await AsyncConnection.connect(url, transport=transport, **kwargs)

    return connect_async


class Cancelled:
    """Awaits a coroutine, and cancels the task when it waits for the n-th time."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any], n: int) -> None:
        self._coroutine = coroutine
        self._left = n

    @property
    def in_time(self) -> bool:
        """It was not over before."""
        return self._left <= 0

    def __await__(self) -> Generator[Any, Any, Any]:
        coroutine = self._coroutine
        step: Callable[[], Any] = partial(coroutine.send, None)
        while True:
            try:
                waits_for = step()
            except StopIteration as stop:
                return stop.value
            self._left -= 1
            if self._left == 0:
                task = asyncio.current_task()
                assert task is not None
                task.cancel()
            try:
                step = partial(coroutine.send, (yield waits_for))
            except BaseException as error:
                step = partial(coroutine.throw, error)


async def _block(conn: AsyncConnection[Any]) -> None:
    async with conn.transaction():
        await conn.execute(INSERT, [1])
        await conn.execute(INSERT, [2])


async def _nested(conn: AsyncConnection[Any]) -> None:
    async with conn.transaction():
        await conn.execute(INSERT, [1])
        async with conn.transaction():
            await conn.execute(INSERT, [2])


async def _block_in_pipeline(conn: AsyncConnection[Any]) -> None:
    async with conn.pipeline(), conn.transaction():
        await conn.execute(INSERT, [1])
        await conn.execute(INSERT, [2])


async def _pipeline_in_block(conn: AsyncConnection[Any]) -> None:
    async with conn.transaction(), conn.pipeline():
        await (await conn.execute(INSERT + " returning a", [1])).fetchone()
        await conn.execute(INSERT, [2])


async def _executemany(conn: AsyncConnection[Any]) -> None:
    await conn.cursor().executemany(INSERT, [(1,), (2,)])


async def _batch(conn: AsyncConnection[Any]) -> None:
    await conn.batch([(INSERT, [1]), (INSERT, [2])])


async def _copy_in(conn: AsyncConnection[Any]) -> None:
    async with conn.cursor().copy("copy numbers (a) from stdin") as copy:
        await copy.write_row([1])
        await copy.write_row([2])


async def _undone(conn: AsyncConnection[Any]) -> None:
    with pytest.raises(ZeroDivisionError):
        async with conn.pipeline(), conn.transaction():
            await conn.execute(INSERT, [1])
            raise ZeroDivisionError


async def _copy_out(conn: AsyncConnection[Any]) -> None:
    async with conn.cursor().copy("copy (select generate_series(1, 1000)) to stdout") as copy:
        async for _ in copy.rows():
            pass


async def _stream(conn: AsyncConnection[Any]) -> None:
    async for _ in conn.cursor().stream("select generate_series(1, 1000)"):
        pass


@pytest.mark.parametrize(
    ("action", "complete"),
    [
        (_block, [1, 2]),
        (_nested, [1, 2]),
        (_block_in_pipeline, [1, 2]),
        (_pipeline_in_block, [1, 2]),
        (_executemany, [1, 2]),
        (_batch, [1, 2]),
        (_copy_in, [1, 2]),
        (_undone, []),
        (_copy_out, []),
        (_stream, []),
    ],
)
def test_cancelled_at_each_await(numbers: Numbers, connect_async: Connecting, action: Any, complete: list[int]) -> None:
    async def at(conn: AsyncConnection[Any], number: int) -> bool:
        """Cancel `action` when it waits for the n-th time. Whether it did wait so often."""
        await conn.execute("delete from numbers")
        interrupted = Cancelled(action(conn), number)

        async def run() -> None:
            await interrupted

        (error,) = await asyncio.gather(asyncio.ensure_future(run()), return_exceptions=True)
        assert error is None or isinstance(error, asyncio.CancelledError)
        assert not conn.lock.locked()
        assert not conn.closed
        assert conn.info.transaction_status.name == "IDLE"
        assert conn.pgconn.pipeline_status == 0
        assert await (await conn.execute("select %s::int", [number])).fetchone() == (number,)
        assert numbers() in ([], complete)
        return interrupted.in_time

    async def main() -> None:
        async with await connect_async(autocommit=True) as conn:
            number = 1
            while await at(conn, number):
                number += 1
                assert number < 1000

    asyncio.run(main())


def test_a_block_whose_transaction_has_ended_before_the_timeout(numbers: Numbers, connect: Connect) -> None:
    conn = connect(autocommit=True, timeout=0.3)
    with pytest.raises(neonps.errors.InFailedSqlTransaction), conn.transaction():
        with pytest.raises(neonps.OperationalError, match="timeout"):
            conn.execute("commit; select pg_sleep(100)")
        conn.execute(INSERT, [1])
    assert numbers() == []
    conn.execute(INSERT, [2])
    assert numbers() == [2]


def test_a_plain_statement_at_the_beginning_of_a_block(numbers: Numbers, auto: Connection) -> None:
    with pytest.raises(ZeroDivisionError), auto.transaction():
        auto.pgconn.exec_(b"insert into numbers values (1)")
        raise ZeroDivisionError
    assert numbers() == []


def test_waiting_for_notifications_in_a_pipeline(auto: Connection) -> None:
    with auto.pipeline():
        cursors = [auto.execute("select %s", ["x" * 1000]) for _ in range(100)]
        assert list(auto.notifies(timeout=0)) == []
        assert {cursor.fetchone() for cursor in cursors} == {("x" * 1000,)}


def test_waiting_for_notifications_before_the_login_is_over(numbers: Numbers, connect: Connect) -> None:
    conn = connect(lazy=True)
    assert list(conn.notifies(timeout=0)) == []
    assert conn.info.transaction_status.name == "IDLE"
    conn.execute(INSERT, [1])
    conn.rollback()
    assert numbers() == []


def test_executemany_of_what_outdates_prepared_statements(auto: Connection) -> None:
    auto.cursor().executemany("drop table if exists missing", [()] * 5000)
    assert auto.execute("select 1").fetchone() == (1,)


def test_executemany_after_its_statement_was_deallocated(numbers: Numbers, auto: Connection) -> None:
    auto.cursor().executemany(INSERT, [(1,)])
    ((name,),) = auto.execute("select name from pg_prepared_statements").fetchall()
    auto.execute(f"deallocate {name}")
    with pytest.raises(neonps.errors.InvalidSqlStatementName):
        auto.cursor().executemany(INSERT, [(2,)])
    auto.cursor().executemany(INSERT, [(3,)])
    assert numbers() == [1, 3]


@pytest.mark.parametrize("count", [2, 5000])
def test_executemany_is_undone_without_a_name_that_a_pooler_would_look_for(
    numbers: Numbers, connect: Connect, count: int
) -> None:
    conn = connect(autocommit=True, prepare_threshold=None)
    with pytest.raises(neonps.ProgrammingError, match="parameters were passed"):
        conn.cursor().executemany(INSERT, [*((number,) for number in range(count)), ()])
    assert numbers() == []
    assert not conn.closed
    assert conn.execute("select count(*) from pg_prepared_statements").fetchone() == (0,)


def test_two_copies_in_one_statement(numbers: Numbers, conn: Connection) -> None:
    twice = "copy numbers (a) from stdin; copy numbers (a) from stdin"
    with pytest.raises(neonps.ProgrammingError), conn.cursor().copy(twice) as copy:
        copy.write_row([1])
    assert conn.info.transaction_status.name == "INERROR"
    conn.rollback()
    assert conn.execute("select 1").fetchone() == (1,)
    assert numbers() == []


def test_a_copy_that_was_interrupted_does_not_go_on(connect: Connect) -> None:
    conn = connect(autocommit=True, timeout=0.5)
    slow = "copy (select case when i = 2 then pg_sleep(100)::text else repeat('x', 20000) end "
    with conn.cursor().copy(slow + "from generate_series(1, 2) i) to stdout") as copy:
        assert copy.read()
        with pytest.raises(neonps.OperationalError, match="timeout"):
            copy.read()
        with pytest.raises(neonps.OperationalError, match="the COPY was interrupted"):
            copy.read()
        with pytest.raises(neonps.OperationalError, match="the COPY was interrupted"):
            copy.finish()
    assert conn.execute("select 1").fetchone() == (1,)


def test_a_copy_whose_row_factory_fails(numbers: Numbers, auto: Connection) -> None:
    def fail(cursor: Any) -> Any:
        raise ZeroDivisionError

    cursor: neonps.Cursor[Any] = auto.cursor(row_factory=fail)
    with pytest.raises(ZeroDivisionError), cursor.copy("copy numbers (a) from stdin") as copy:
        copy.write_row([1])
    assert auto.execute("select 1").fetchone() == (1,)
    assert numbers() == []


def test_a_copy_whose_writer_fails_at_the_end(numbers: Numbers, auto: Connection) -> None:
    class Failing(neonps.copy.LibpqWriter):
        def finish(self, exc: BaseException | None = None) -> None:
            raise ZeroDivisionError

    cursor = auto.cursor()
    with pytest.raises(ZeroDivisionError), cursor.copy("copy numbers (a) from stdin", writer=Failing(cursor)) as copy:
        copy.write_row([1])
    assert auto.execute("select 1").fetchone() == (1,)
    assert numbers() == []


def test_a_stream_that_a_task_breaks_out_of(connect_async: Connecting) -> None:
    async def main() -> None:
        async with await connect_async(autocommit=True) as conn:
            async for row in conn.cursor().stream("select generate_series(1, 100000)"):
                assert row == (1,)
                break
            assert await (await conn.execute("select 2")).fetchone() == (2,)

    asyncio.run(main())


def test_tasks_of_one_event_loop_after_the_other(connect_async: Connecting) -> None:
    async def at_once(conn: AsyncConnection[Any]) -> None:
        await asyncio.gather(*[conn.execute("select pg_sleep(0.001)") for _ in range(3)])

    conn = asyncio.run(connect_async(autocommit=True))
    asyncio.run(at_once(conn))
    asyncio.run(at_once(conn))
    asyncio.run(conn.close())


def test_a_call_that_nobody_waits_for_any_more(connect_async: Connecting) -> None:
    async def main() -> AsyncConnection[Any]:
        conn = await connect_async(autocommit=True)
        call = conn.execute("select pg_sleep(100)")
        call.send(None)
        call.close()
        return conn

    conn = asyncio.run(main())
    assert conn.closed
    assert conn._runner.fileno() == -1


def test_closed_by_another_thread_in_the_middle_of_a_stream(auto: Connection) -> None:
    stream = auto.cursor().stream("select generate_series(1, 100000)")
    assert next(stream) == (1,)
    thread = threading.Thread(target=auto.close)
    thread.start()
    thread.join()
    assert auto.closed
    with pytest.raises(neonps.OperationalError, match="the connection is closed"):
        list(stream)
    assert auto._runner.fileno() == -1
    gc.collect()
