"""A pause of the garbage collector, while many objects are made of which none is garbage."""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

# Reentrant, for a signal's handler or a finalizer can come in between.
_lock = threading.RLock()
_pauses: set[object] = set()
_disabled = False  # by a pause, not by the program


@contextmanager
def gc_paused() -> Iterator[None]:
    """Keep the garbage collector from running; a program that has disabled it finds it disabled afterwards.

    A list of so many tuples makes the collector look through all of them again and again. Pauses can nest and be made
    in several threads: the last that ends lets the collector go on. It counts for the whole process, so a pause should
    not wait for anything.
    """
    global _disabled
    pause = object()
    # An interrupt can come after any step: what is to be undone is clear at each.
    try:
        with _lock:
            _pauses.add(pause)
            if gc.isenabled():
                _disabled = True
                gc.disable()
        yield
    finally:
        with _lock:
            _pauses.discard(pause)
            if _disabled and not _pauses:
                _disabled = False
                gc.enable()


def _after_fork() -> None:
    """End the pauses of the threads that the new process does not have."""
    global _lock, _disabled
    _lock = threading.RLock()
    _pauses.clear()
    if _disabled:
        _disabled = False
        gc.enable()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
