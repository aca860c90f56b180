"""A workload of all that a driver does, each step of which says what has become of what it has written.

The table `effect` takes one row for each time that something took effect, so that it shows what was done twice, half,
or not at all.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from itertools import count
from typing import Any

import psycopg

import neonps

TABLE = "create table effect (id text not null)"
INSERT = "insert into effect values (%s)"

#: What a program can know of what it has written.
IN, OUT, UNKNOWN = "in", "out", "unknown"

#: What a step may take, in seconds: a line that is cut is noticed at once, and who waits for one that stalls is told
#: after some tenths of a second. All else is for a machine that has much to do.
_IN_TIME = 6.0

_SAYS_UNKNOWN = "It is unknown"
_SAYS_COMPLETED = "it had been completed before it could be cancelled"


#: Of equal length in writing, so that the same workload has the same number of bytes.
_numbers = count()


class Attempt:
    """One attempt to write something: all of it, or nothing.

    Attributes:
        label: what was done under which fault.
        rows: the ids of what was to be written.
        never: those of what was undone in any case.
        outcome: what the program knows of it.
        error: what it was told.
        dead: the connection was closed before.
        closed: the connection was closed afterwards.
    """

    def __init__(self, label: str, name: str) -> None:
        self.label = f"{label}: {name}"
        self._prefix = f"{next(_numbers):09}/"
        self.rows: list[str] = []
        self.never: list[str] = []
        self.outcome = OUT
        self.error = ""
        self.dead = self.closed = False
        self._last = False

    def row(self) -> str:
        """The id of a row to be written."""
        self.rows.append(f"{self._prefix}{len(self.rows)}")
        return self.rows[-1]

    def row_undone(self) -> str:
        """The id of a row that will be undone."""
        self.never.append(f"{self._prefix}undone {len(self.never)}")
        return self.never[-1]

    def last(self, now: bool = True) -> None:
        """The next call is the one that makes what was written last; or it is not, after one that could have been."""
        self._last = now

    def succeeded(self) -> None:
        self.outcome = IN

    def failed(self, error: BaseException) -> None:
        """Take note of what the error says."""
        self.error = text = f"{type(error).__name__}: {error}"
        may_be_in = _SAYS_UNKNOWN in text or (_SAYS_COMPLETED in text and self._last)
        assert getattr(error, "outcome_unknown", may_be_in) == may_be_in, text
        if not isinstance(error, neonps.Error):  # cancelled, or interrupted
            self.outcome = UNKNOWN if self._last else OUT
        elif _SAYS_UNKNOWN in text:
            assert self._last, f"{self.label}: nothing could have been made last yet, but the driver says: {text}"
            self.outcome = UNKNOWN
        elif _SAYS_COMPLETED in text and self._last:
            self.outcome = IN
        else:
            self.outcome = OUT

    def wrong(self, found: dict[str, int]) -> list[str]:
        """What is wrong with what is in the table, given as how often there is each id."""
        counts = [found.get(row, 0) for row in self.rows]
        right = {IN: [[1] * len(counts)], OUT: [[0] * len(counts)]}
        right[UNKNOWN] = right[IN] + right[OUT]
        wrong = []
        if counts not in right[self.outcome]:
            wrong.append(f"{self.label}: {counts}, and the driver said: {self.error or 'done'}")
        if any(row in found for row in self.never):
            wrong.append(f"{self.label}: what was undone is there")
        return wrong


Step = Callable[[Any, Attempt], Awaitable[None]]


async def select(conn: Any, attempt: Attempt) -> None:
    attempt.last()
    cursor = await conn.execute("select n, n::text from generate_series(1, %s) n", [3])
    assert await cursor.fetchall() == [(1, "1"), (2, "2"), (3, "3")]


async def insert(conn: Any, attempt: Attempt) -> None:
    attempt.last()
    cursor = await conn.execute(INSERT, [attempt.row()])
    assert cursor.rowcount == 1


async def literal(conn: Any, attempt: Attempt) -> None:
    attempt.last()
    await conn.execute(f"insert into effect values ('{attempt.row()}')")


async def prepared(conn: Any, attempt: Attempt) -> None:
    attempt.last()
    await conn.execute(INSERT, [attempt.row()], prepare=True)


async def returning(conn: Any, attempt: Attempt) -> None:
    attempt.last()
    row = attempt.row()
    cursor = await conn.execute(f"{INSERT} returning id", [row])
    assert await cursor.fetchone() == (row,)


async def block(conn: Any, attempt: Attempt) -> None:
    transaction = conn.transaction()
    try:
        async with transaction:
            await conn.execute(INSERT, [attempt.row()])
            await conn.execute(INSERT, [attempt.row()])
            attempt.last()
    except BaseException as error:
        attempt.failed(error)
        if transaction.status.value.startswith("rolled_back"):
            attempt.outcome = OUT
        raise
    assert transaction.status.value == "committed"


async def savepoint(conn: Any, attempt: Attempt) -> None:
    async with conn.transaction():
        await conn.execute(INSERT, [attempt.row()])
        with suppress(ZeroDivisionError):
            async with conn.transaction():
                await conn.execute(INSERT, [attempt.row_undone()])
                raise ZeroDivisionError
        async with conn.transaction():
            await conn.execute(INSERT, [attempt.row()])
        attempt.last()


async def commit(conn: Any, attempt: Attempt) -> None:
    async with without_autocommit(conn):
        await conn.execute(INSERT, [attempt.row()])
        await conn.execute(INSERT, [attempt.row()])
        attempt.last()
        await conn.commit()


async def rollback(conn: Any, attempt: Attempt) -> None:
    async with without_autocommit(conn):
        await conn.execute(INSERT, [attempt.row_undone()])
        await conn.rollback()


async def copy_in(conn: Any, attempt: Attempt) -> None:
    attempt.last()  # the driver does not know that it will be asked for data
    async with conn.cursor().copy("copy effect from stdin") as copy:
        attempt.last(False)
        for _ in range(3):
            await copy.write_row([attempt.row()])
        attempt.last()


async def copy_out(conn: Any, attempt: Attempt) -> None:
    statement = "copy (select n, repeat('x', n) from generate_series(1, 3) n) to stdout"
    attempt.last()
    async with conn.cursor().copy(statement) as copy:
        assert [row async for row in copy.rows()] == [("1", "x"), ("2", "xx"), ("3", "xxx")]


async def batch(conn: Any, attempt: Attempt) -> None:
    attempt.last()
    results = await conn.batch([(INSERT, [attempt.row()]), (INSERT, [attempt.row()]), "select 7"])
    assert [cursor.rowcount for cursor in results] == [1, 1, 1]


async def executemany(conn: Any, attempt: Attempt) -> None:
    attempt.last()
    cursor = conn.cursor()
    await cursor.executemany(INSERT, [(attempt.row(),) for _ in range(4)])
    assert cursor.rowcount == 4


async def pipeline(conn: Any, attempt: Attempt) -> None:
    async with conn.pipeline():
        for _ in range(3):
            attempt.last()  # it may be sent, and answered, at any of them
            await conn.execute(INSERT, [attempt.row()])


async def pipeline_block(conn: Any, attempt: Attempt) -> None:
    async with conn.pipeline(), conn.transaction():
        for _ in range(3):
            await conn.execute(INSERT, [attempt.row()])
        attempt.last()


async def stream(conn: Any, attempt: Attempt) -> None:
    attempt.last()
    rows = [attempt.row() for _ in range(3)]
    statement = "insert into effect select unnest(%s::text[]) returning id"
    assert [row async for row in conn.cursor().stream(statement, [rows])] == [(row,) for row in rows]


async def cursor_on_server(conn: Any, attempt: Attempt) -> None:
    async with conn.transaction(), conn.cursor("here") as cursor:
        await cursor.execute("select generate_series(1, 5)")
        assert await cursor.fetchmany(2) == [(1,), (2,)]
        assert await cursor.fetchall() == [(3,), (4,), (5,)]
        attempt.last()


@asynccontextmanager
async def without_autocommit(conn: Any) -> Any:
    """Autocommit is off in the block. Whatever happens, no transaction is left open behind it."""
    await conn.set_autocommit(False)
    try:
        yield
    finally:
        for _ in range(3):
            if conn.closed or conn.info.transaction_status.name == "IDLE":
                break
            with suppress(neonps.OperationalError):
                await conn.rollback()
        if not conn.closed:
            await conn.set_autocommit(True)


#: The steps over HTTP, and those that need a session.
STEPS: Sequence[Step] = (select, insert, literal, returning, block, commit, rollback, batch, executemany, pipeline)
IN_SESSIONS: Sequence[Step] = (prepared, savepoint, copy_in, copy_out, pipeline_block, stream, cursor_on_server)


@contextmanager
def in_time(label: str) -> Iterator[None]:
    """What is done in the block, however it ends, takes no longer than it may."""
    began = time.monotonic()
    try:
        yield
    finally:
        took = time.monotonic() - began
        assert took < _IN_TIME, f"{label}: it has taken {took:.1f} seconds"


async def work(conn: Any, label: str, steps: Sequence[Step]) -> list[Attempt]:
    """Take the steps one after the other, whatever becomes of them, and check what the connection says of itself.

    One that goes on after an error, as over HTTP, is asked for two more: the others would be as if nothing had been.
    """
    attempts: list[Attempt] = []
    for step in steps:
        if any(attempt.error for attempt in attempts[:-2]) and not conn.closed:
            break
        attempt = Attempt(label, step.__name__)
        attempts.append(attempt)
        attempt.dead = conn.closed
        try:
            with in_time(attempt.label):
                await step(conn, attempt)
        except (neonps.OperationalError, asyncio.CancelledError, KeyboardInterrupt) as error:
            if not attempt.error:
                attempt.failed(error)
        except AssertionError:
            raise
        except BaseException as error:
            raise AssertionError(f"{attempt.label}: {type(error).__name__}: {error}") from error
        else:
            attempt.succeeded()
        attempt.closed = conn.closed
        await check_state(conn, attempt)
    return attempts


async def check_state(conn: Any, attempt: Attempt) -> None:
    """A connection is ready for the next transaction, or says that it is lost."""
    where = f"{attempt.label}: {attempt.error}"
    if attempt.dead:
        assert conn.closed, f"{where}: what was closed has come to life again"
        assert attempt.outcome == OUT, f"{where}: nothing was sent, so it cannot have been done"
    if not conn.closed:
        assert conn.info.transaction_status.name == "IDLE", where
        assert conn.info.pipeline_status.name == "OFF", where
        return
    assert conn.broken, where
    assert conn.info.transaction_status.name == "UNKNOWN", where
    assert attempt.error, where
    try:
        await conn.commit()
    except neonps.OperationalError:
        assert conn._runner.fileno() == -1, where
    else:
        raise AssertionError(f"{where}: a connection that is lost can commit")


def verify(admin: psycopg.Connection[Any], attempts: Sequence[Attempt]) -> dict[str, int]:
    """Compare what programs know with what is in the table, and empty it; gives how many there were of each outcome."""
    found = dict(admin.execute("select id, count(*) from effect group by id").fetchall())
    admin.execute("truncate effect")
    counts = {IN: 0, OUT: 0, UNKNOWN: 0}
    wrong = []
    for attempt in attempts:
        wrong += attempt.wrong(found)
        counts[attempt.outcome] += bool(attempt.rows)
    wrong += [f"what nobody has written: {row}" for row in found.keys() - {row for a in attempts for row in a.rows}]
    assert not wrong, "\n".join(wrong)
    return counts
