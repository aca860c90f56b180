"""What makes calls on a connection wait for each other in threads; `lock_async.py` has the same for tasks.

A call holds the lock from its beginning to its end; a COPY and a stream of rows hold it over several calls, which need
not be made by the thread that has begun. Whoever holds it already gets it at once: what is wrong with a call in the
middle of another one is for the transport to say.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


class ConnectionLock:
    """The lock of a `Connection`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owner: int | None = None
        self._depth = 0

    @property
    def depth(self) -> int:
        """How often this thread holds the lock."""
        return self._depth if self._owner == threading.get_ident() else 0

    def acquire(self, blocking: bool = True) -> bool:
        """Wait for the lock; with `blocking=False` only look whether it can be had. Returns whether it is held now."""
        me = threading.get_ident()
        if self._owner != me:
            if not self._lock.acquire(blocking):
                return False
            self._owner = me
        self._depth += 1
        return True

    def release(self) -> None:
        """Give the lock back; any thread may do that."""
        self._depth -= 1
        if self._depth == 0:
            self._owner = None
            self._lock.release()

    def restore(self, depth: int, owner: int | None = None) -> None:
        """Have a thread hold the lock as often as before what it has done since then.

        However much of that an interrupt has left undone. This can be interrupted too, and done again.

        Args:
            depth: what it was before.
            owner: the thread; this one by default.
        """
        if self._owner != (threading.get_ident() if owner is None else owner) or self._depth < depth:
            return
        self._depth = depth
        if depth == 0:
            self._owner = None
            self._lock.release()

    def call(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call a function while the lock is held, and give what it returns."""
        depth = self.depth
        # No context manager: an interrupt on the way into its `__exit__` would keep it from ever being run.
        try:
            self.acquire()
            return function(*arguments)
        finally:
            try:
                self.restore(depth)
            except BaseException:  # an interrupt, wherever in it
                self.restore(depth)
                raise

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *error: object) -> None:
        self.release()
