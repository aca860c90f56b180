"""How much memory a call needs, by what Python allocates."""

from __future__ import annotations

import gc
import sys
import tracemalloc
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def traced(run: Callable[[], T]) -> tuple[T, int, int]:
    """What a call returns, the bytes that are allocated behind it, and those at the peak.

    The least of some calls: what other threads of the tests allocate meanwhile (asyncio takes 256 KiB to receive
    anything) only adds to it.
    """
    left = peak = sys.maxsize
    for _ in range(3):
        result = None  # the one of the call before is not counted
        gc.collect()
        tracemalloc.start()
        try:
            result = run()
            now_left, now_peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        left, peak = min(left, now_left), min(peak, now_peak)
    assert result is not None
    return result, left, peak
