"""How much memory this process has, and that it has not grown."""

from __future__ import annotations

import ctypes
import gc
import resource
from contextlib import suppress
from pathlib import Path

#: How much more a process may have at the end than when it was warm, in bytes.
GROWTH = 24 << 20


def resident() -> int:
    """How much memory this process has, in bytes, after what it needs no more is gone."""
    gc.collect()
    with suppress(AttributeError):  # of glibc alone, which keeps what was freed between other things
        ctypes.CDLL(None).malloc_trim(0)
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * resource.getpagesize()


def kilobytes_grown(warm: int, known: int = 0) -> int:
    """How much more memory there is than when this process was warm, in KB.

    Args:
        warm: what `resident()` has given then.
        known: how much of it is what the test itself keeps, in bytes.

    Raises:
        AssertionError: it is too much.
    """
    grown = resident() - warm
    assert grown < GROWTH + known, f"memory has grown by {grown >> 20} MB"
    return grown >> 10
