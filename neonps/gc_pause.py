"""A pause of the garbage collector, while many objects are made of which none is garbage."""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

# Reentrant, for a signal's handler or a finalizer can come in between.
_lock = threading.RLock()
_pauses: set[object] = set()
_disabled = False  # by a pause, not by the program


def without_gc(function: Callable[..., T], *arguments: Any) -> T:
    """Call a function while the garbage collector is kept from running, and give what it returns.

    A list of so many tuples makes the collector look through all of them again and again. Pauses can nest and be made
    in several threads: the last that ends lets the collector go on. It counts for the whole process, so a pause should
    not wait for anything. A program that has disabled the collector finds it disabled afterwards.
    """
    pause = object()
    # No context manager: an interrupt on the way into its `__exit__` would keep it from ever being run.
    try:
        _begin(pause)
        return function(*arguments)
    finally:
        try:
            _end(pause)
        except BaseException:  # an interrupt, wherever in it
            _end(pause)
            raise


def _begin(pause: object) -> None:
    global _disabled
    with _lock:
        _pauses.add(pause)
        if gc.isenabled():
            _disabled = True
            gc.disable()


def _end(pause: object) -> None:
    """End a pause. It can be done again, and does then what an interrupt may have left undone."""
    global _disabled
    with _lock:
        _pauses.discard(pause)
        if _disabled and not _pauses:
            gc.enable()
            _disabled = False


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
