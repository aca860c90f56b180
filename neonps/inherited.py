"""What a process that was forked finds of the connections of its parent: they stay the parent's, here they are closed.

Two processes on one socket would read each other's answers. So after `os.fork()` the child closes its own descriptors
of them, which the parent and the server do not notice, and each use is refused. That costs a connection nothing before.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, NoReturn, Protocol
from weakref import WeakSet

#: Why a connection of the parent process is refused.
REASON = "the connection belongs to the process that this one was forked from, and cannot be used here: connect anew"


class Inheritable(Protocol):
    """What must not be used by a process and its child."""

    def _leave_to_parent(self) -> None:
        """Become unusable in this process, which was forked, and do no harm to the parent."""


_watched: WeakSet[Inheritable] = WeakSet()


def watch(thing: Inheritable) -> None:
    """Have `thing` told when this is a process that was forked."""
    _watched.add(thing)


class InheritedLock:
    """In the place of a connection's lock, which a thread may hold that only the parent has."""

    mine = False
    depth = 0

    def __init__(self, refusal: Callable[[], Exception]) -> None:
        self._refusal = refusal

    def locked(self) -> bool:
        """No call is under way here."""
        return False

    def acquire(self, *args: object, **kwargs: object) -> NoReturn:
        """Refuse.

        Raises:
            OperationalError: always.
        """
        raise self._refusal()

    call = acquire

    def release(self, *args: object) -> None:
        """Do nothing: what was held is gone."""

    restore = release_from_anywhere = release

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *error: object) -> None:
        self.release()

    async def __aenter__(self) -> None:
        self.acquire()

    async def __aexit__(self, *error: object) -> None:
        self.release()


def _after_fork() -> None:
    things: list[Any] = list(_watched)
    _watched.clear()
    for thing in things:
        thing._leave_to_parent()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
