"""Waiting for things in a task that may be cancelled, to their end or for some time; and what is done in a thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def to_the_end(work: Coroutine[Any, Any, T]) -> T:
    """Do `work` without letting it be interrupted, and give what it brings. It has to end in time by itself.

    Raises:
        CancelledError: the task was cancelled meanwhile.
    """
    task = asyncio.ensure_future(work)
    cancelled = False
    try:
        while not task.done():
            try:
                await asyncio.shield(task)
            except asyncio.CancelledError:
                cancelled = True
        result = task.result()
    finally:
        del task  # with an exception it would be in a cycle, and what the calls in that hold stay in memory
    if cancelled:
        raise asyncio.CancelledError
    return result


#: What is larger than this takes so long that it is done in a thread, in bytes.
_SMALL = 1 << 16


class Aside:
    """Does large pieces of work in a thread, so that other clients are heard meanwhile.

    It does one at a time: several would only keep each other from going on.
    """

    def __init__(self) -> None:
        self._turn = asyncio.Lock()

    async def do(self, size: int, work: Callable[[], T]) -> T:
        """Do `work`, which takes a time that grows with `size`, in bytes."""
        if size <= _SMALL:
            return work()
        async with self._turn:
            return await to_the_end(asyncio.to_thread(work))


async def within(seconds: float, work: Coroutine[Any, Any, T], lost: Callable[[T], object] | None = None) -> T:
    """Do `work`, if it takes no longer than that.

    Unlike `asyncio.wait_for` before Python 3.12 it never takes a cancellation for done with because the work is.

    Args:
        seconds: how long it may take.
        work: what to do.
        lost: is given what the work has brought, should that be too late.

    Returns:
        What the work brings.

    Raises:
        Exception: as the work does.
        TimeoutError: of asyncio; it takes longer, and was cancelled.
        CancelledError: the task was cancelled, and so was the work.
    """
    task = asyncio.ensure_future(work)
    try:
        try:
            await asyncio.wait((task,), timeout=max(seconds, 0.0))
        except asyncio.CancelledError:
            await give_up(task, lost)
            raise
        if task.done():
            return task.result()
        await give_up(task, lost)
        raise asyncio.TimeoutError
    finally:
        del task  # see `to_the_end`


async def give_up(task: asyncio.Future[T], lost: Callable[[T], object] | None) -> None:
    """Cancel a task, and see to what it brings all the same."""
    task.cancel()
    await to_the_end(asyncio.wait((task,)))
    if not task.cancelled() and task.exception() is None and lost is not None:
        lost(task.result())


async def acquired(semaphore: asyncio.Semaphore, seconds: float) -> bool:
    """Whether the semaphore could be acquired within that time."""
    try:
        return await within(seconds, semaphore.acquire(), lambda _: semaphore.release())
    except asyncio.TimeoutError:
        return False
