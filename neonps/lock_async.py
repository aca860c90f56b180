"""What makes calls on a connection wait for each other in tasks; see `lock.py`."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any


class AsyncConnectionLock:
    """The lock of an `AsyncConnection`."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None  # where it was last waited for
        self._owner: asyncio.Task[Any] | None = None
        self._depth = 0

    @property
    def mine(self) -> bool:
        """Whether this task holds the lock."""
        return self._owner is not None and self._owner is asyncio.current_task()

    def locked(self) -> bool:
        """Whether any task holds the lock."""
        return self._lock.locked()

    async def acquire(self, *, again: bool = True) -> None:
        """Wait for the lock; without `again` also if this task holds it, so that another one has to give it back."""
        if not (self.mine and again):
            loop = asyncio.get_running_loop()
            if self._loop is not loop and not self._lock.locked():
                self._loop, self._lock = loop, asyncio.Lock()  # asyncio's belongs to one event loop
            await self._lock.acquire()
            self._owner = asyncio.current_task()
        self._depth += 1

    def release(self) -> None:
        """Give the lock back; any task may do that."""
        self._depth -= 1
        if self._depth == 0:
            self._owner = None
            self._lock.release()

    def release_from_anywhere(self) -> None:
        """As `release()`, also in another thread than that of the event loop, as garbage is collected in any."""
        loop = self._loop
        if loop is None or not loop.is_running():
            self.release()
            return
        with suppress(RuntimeError):  # it has been closed meanwhile, and nobody waits any more
            loop.call_soon_threadsafe(self.release)

    async def __aenter__(self) -> None:
        await self.acquire()

    async def __aexit__(self, *error: object) -> None:
        self.release()
