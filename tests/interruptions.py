"""Interrupts a program where it waits: a task is cancelled, a thread gets a KeyboardInterrupt."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Awaitable, Coroutine, Generator
from typing import Any, TypeVar
from unittest.mock import patch

import awaited

from neonps.net.blocking import BlockingRunner
from neonps.net.stream_socket import Wait

T = TypeVar("T")


class Interruption:
    """Interrupts at one of the times that a program waits; a `where` of 0 only counts them.

    Args:
        where: at which of them, from 1.
        late: when what it has waited for is there; otherwise before.
        again: once more at the next one.

    Attributes:
        count: how often it has waited.
    """

    def __init__(self, where: int, *, late: bool = False, again: bool = False) -> None:
        self._moments = (where, where + 1) if again else (where,)
        self._late = late
        self.count = 0

    def _is_now(self) -> bool:
        self.count += 1
        return self.count in self._moments

    def run(self, program: Coroutine[Any, Any, T]) -> T:
        """Run a program that the main thread waits for."""
        wait = BlockingRunner._wait

        def interrupted(runner: BlockingRunner, request: Wait) -> bool:
            now = self._is_now()
            if now and not self._late:
                raise KeyboardInterrupt
            readable = wait(runner, request)
            if now:
                raise KeyboardInterrupt
            return readable

        with patch.object(BlockingRunner, "_wait", interrupted):
            return awaited.run(program)

    def task(self, program: Coroutine[Any, Any, T]) -> Awaitable[T]:
        """The same program, whose task is cancelled."""
        return _Steps(program, self)

    def _cancel(self, waits_for: asyncio.Future[Any] | None) -> None:
        task = asyncio.current_task()
        assert task is not None
        if not self._is_now():
            return
        if self._late and waits_for is not None:
            waits_for.add_done_callback(lambda _: task.cancel())  # before the callback by which the task goes on
        else:
            task.cancel()


class _Steps(Awaitable[T]):
    def __init__(self, program: Coroutine[Any, Any, T], interruption: Interruption) -> None:
        self._program = program
        self._interruption = interruption

    def __await__(self) -> Generator[Any, Any, T]:
        step = self._program.send
        value: Any = None
        while True:
            try:
                waits_for = step(value)
            except StopIteration as stop:
                result: T = stop.value
                return result
            self._interruption._cancel(waits_for)
            try:
                value = yield waits_for
            except BaseException as error:
                step, value = self._program.throw, error
            else:
                step = self._program.send


def main_thread_waits() -> bool:
    """Whether the main thread waits for a server: in `_look` of neonps, or in psycopg's `Connection.wait`.

    psycopg interrupted elsewhere, after it has sent a statement, does not cancel it.
    """
    main = threading.main_thread().ident
    assert main is not None
    frame = sys._current_frames()[main]
    where = frame.f_globals.get("__name__"), frame.f_code.co_name  # functions that were generated have none
    return where in (("neonps.net.blocking", "_look"), ("psycopg.connection", "wait"))
