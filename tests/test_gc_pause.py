"""Pauses of the garbage collector: they nest, are for all threads, and leave things as they were."""

from __future__ import annotations

import gc
import itertools
import os
import sys
import threading
import warnings
from collections.abc import Iterator
from types import CodeType, FrameType
from typing import Any

import pytest

from neonps import gc_pause
from neonps.gc_pause import without_gc


@pytest.fixture(autouse=True)
def collecting() -> Iterator[None]:
    gc.enable()
    yield
    gc.enable()


def test_pause() -> None:
    def outer() -> tuple[bool, bool, bool]:
        return gc.isenabled(), without_gc(gc.isenabled), gc.isenabled()

    assert without_gc(outer) == (False, False, False)
    assert gc.isenabled()


def test_arguments_and_result() -> None:
    assert without_gc(divmod, 7, 2) == (3, 1)


def test_a_program_without_collector_stays_so() -> None:
    gc.disable()
    assert not without_gc(gc.isenabled)
    assert not gc.isenabled()


def test_a_program_that_enables_it_meanwhile() -> None:
    def enabling() -> bool:
        gc.enable()
        return without_gc(gc.isenabled)

    assert not without_gc(enabling)
    assert gc.isenabled()


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, GeneratorExit])
def test_exceptions(error: type[BaseException]) -> None:
    def fail() -> None:
        raise error

    with pytest.raises(error):
        without_gc(fail)
    assert gc.isenabled()


def test_threads_that_overlap() -> None:
    inside, leave = threading.Event(), threading.Event()

    def work() -> None:
        inside.set()
        leave.wait(30)

    thread = threading.Thread(target=without_gc, args=(work,))

    def beside() -> None:
        thread.start()
        assert inside.wait(30)

    without_gc(beside)
    assert not gc.isenabled()
    leave.set()
    thread.join()
    assert gc.isenabled()


def test_many_threads() -> None:
    seen: list[bool] = []

    def fail() -> None:
        seen.append(gc.isenabled())
        raise LookupError

    def pause() -> None:
        for number in range(200):
            if number % 2:
                with pytest.raises(LookupError):
                    without_gc(fail)
            else:
                seen.append(without_gc(gc.isenabled))

    threads = [threading.Thread(target=pause) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 1600
    assert not any(seen)
    assert gc.isenabled()


def interrupted_at(step: int) -> bool:
    """Pause, with Ctrl-C at a step of what `gc_pause` does; False if it has not so many.

    Python runs the handlers of signals where a function begins and where a call has returned. So it is interrupted
    there: at each event of Python's own tracing, and before and after each call of a function of C.
    """
    code: set[CodeType] = {f.__code__ for f in (gc_pause.without_gc, gc_pause._begin, gc_pause._end)}
    steps = itertools.count()
    went_off = False

    def profile(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal went_off
        if frame.f_code in code and event in ("call", "c_return", "return") and next(steps) == step:
            went_off = True
            sys.setprofile(None)
            raise KeyboardInterrupt

    sys.setprofile(profile)
    try:
        without_gc(len, "abc")
    except KeyboardInterrupt:
        pass
    finally:
        sys.setprofile(None)
    return went_off


def test_ctrl_c_at_any_step() -> None:
    tried = 0
    while interrupted_at(tried):
        assert gc.isenabled(), f"after an interrupt at step {tried}"
        assert not gc_pause._pauses, f"after an interrupt at step {tried}"
        tried += 1
    assert tried > 8


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork() on this system")
def test_fork_in_another_threads_pause() -> None:
    inside, leave = threading.Event(), threading.Event()

    def work() -> None:
        inside.set()
        leave.wait(30)

    thread = threading.Thread(target=without_gc, args=(work,))
    thread.start()
    assert inside.wait(30)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # later versions of Python warn of it beside threads
        child = os.fork()
    if child == 0:
        os._exit(0 if gc.isenabled() else 1)
    leave.set()
    thread.join()
    assert os.waitpid(child, 0)[1] == 0
