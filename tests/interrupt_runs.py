"""Runs each step of the workload interrupted at lines of the driver, and looks at what becomes of the connection."""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from functools import partial, wraps
from typing import Any

import awaited
from fault_runs import FaultRuns, Way
from fault_workload import IN_SESSIONS, STEPS, Attempt, Step, pipeline, work
from line_interruptions import LineInterruption

WAYS = [Way(transport, asynchronous=False) for transport in ("tcp", "websocket", "http")]

#: How long a call may take, in seconds, before it hangs.
_TIMEOUT = 10.0

#: After so many runs what they have written is compared with what they were told.
_SETTLE = 200


async def connect(conn: Any, attempt: Attempt) -> None:
    """Stands for connecting."""


async def close(conn: Any, attempt: Attempt) -> None:
    """Stands for closing."""


def steps(way: Way) -> Sequence[Step]:
    """What can be interrupted."""
    return (connect, *STEPS, *(() if way.transport == "http" else IN_SESSIONS), close)


def _wrong_beginning(attempt: Attempt, found: dict[str, int]) -> list[str]:
    """As `Attempt.wrong`, for statements each of which is its own: any of the first ones can have taken effect."""
    counts = [found.get(row, 0) for row in attempt.rows]
    if max(counts, default=0) <= 1 and counts == sorted(counts, reverse=True):
        return []
    return [f"{attempt.label}: {counts}, of a pipeline that was interrupted"]


class InterruptRuns(FaultRuns):
    """A connection that is interrupted again and again, and opened anew when that has cost it."""

    _conn: Any = None
    _way: Way | None = None
    _runs = 0

    def lines(self, way: Way, step: Step, functions: Collection[str] = ()) -> int:
        """How many lines a step has when nothing goes wrong."""
        self.interrupt_line(way, step, 0, functions)  # which may import something
        return self.interrupt_line(way, step, 0, functions).count

    def interrupt_line(self, way: Way, step: Step, where: int, functions: Collection[str] = ()) -> LineInterruption:
        """Run a step and interrupt it at a line, of `functions` if there are any; see `LineInterruption`.

        Raises:
            AssertionError: something is wrong with the connection then.
        """
        if way != self._way:
            self.hang_up()
            self._way = way
        interruption = LineInterruption(where, functions)
        unraisable, hook = [], sys.unraisablehook
        sys.unraisablehook = unraisable.append
        began = time.monotonic()
        try:
            awaited.run(self._interrupted(way, step, interruption))
        except BaseException as error:
            raise AssertionError(f"{way}, {step.__name__}, line {where}, {interruption.place}: {error!r}") from error
        finally:
            sys.unraisablehook = hook
        at = f"{way}, {step.__name__}, line {where}, {interruption.place}"
        for each in unraisable:
            if "ServerCursor" in str(each.exc_value):
                continue  # the program never got it, or was kept from closing it
            assert isinstance(each.exc_value, KeyboardInterrupt), f"{at}: {each}"
        self.counts["interruptions"] += bool(interruption.place)
        self.counts["swallowed"] += bool(unraisable)
        assert gc.isenabled(), f"{at}: the garbage collector is off"
        assert time.monotonic() - began < _TIMEOUT, f"{at}: it has hung"
        self._runs += 1
        if self._runs % _SETTLE == 0:
            self.hang_up()
        return interruption

    async def _interrupted(self, way: Way, step: Step, interruption: LineInterruption) -> None:
        label = f"{way}, line {interruption._where}"
        if step is connect:
            await self._close()
            with interruption.armed():
                try:
                    self._conn = await awaited.connect(self._postgres.url, **self.keywords(way, _TIMEOUT))
                except KeyboardInterrupt:
                    gc.collect()
                    return
        elif self._conn is None or self._conn.closed:
            await self._close()
            self._conn = await awaited.connect(self._postgres.url, **self.keywords(way, _TIMEOUT))
        if step is close:
            with suppress(KeyboardInterrupt), interruption.armed():
                await self._conn.close()
            await self._close()
            return

        @wraps(step)
        async def run(conn: Any, attempt: Attempt) -> None:
            try:
                with interruption.armed():
                    await step(conn, attempt)
            except KeyboardInterrupt:
                if not (conn.closed or conn.autocommit):  # it has kept the workload from its own cleaning up
                    await conn.rollback()
                    await conn.set_autocommit(True)
                raise

        conn = self._conn
        attempts = await work(conn, label, [run])
        self._attempts += attempts
        for attempt in attempts:
            attempt.label += f" {interruption.place}"
            if step is pipeline and attempt.error and way.transport != "http":
                attempt.wrong = partial(_wrong_beginning, attempt)  # type: ignore[method-assign]
        assert not conn.lock._lock.locked(), "the lock is held"
        if conn.closed:
            self.counts["connections lost"] += bool(interruption.place)
            await self._close()
        else:
            cursor = await conn.execute("select %s::text", [label])
            assert await cursor.fetchall() == [(label,)]
            assert conn.info.transaction_status.name == "IDLE"
            assert not conn._transport.in_call

    async def _close(self) -> None:
        conn, self._conn = self._conn, None
        if conn is not None:
            await conn.close()
            assert conn.closed
            assert conn._runner.fileno() == -1, "a socket was left behind"

    def hang_up(self) -> None:
        """Close the connection, and compare what was written with what programs were told."""
        awaited.run(self._close())
        self.settle()
