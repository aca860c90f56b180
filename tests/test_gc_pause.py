"""Pauses of the garbage collector: they nest, are for all threads, and leave things as they were."""

from __future__ import annotations

import gc
import os
import threading
import warnings
from collections.abc import Iterator

import pytest

from neonps.gc_pause import gc_paused


@pytest.fixture(autouse=True)
def collecting() -> Iterator[None]:
    gc.enable()
    yield
    gc.enable()


def test_pause() -> None:
    with gc_paused():
        assert not gc.isenabled()
        with gc_paused():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()


def test_a_program_without_collector_stays_so() -> None:
    gc.disable()
    with gc_paused():
        assert not gc.isenabled()
    assert not gc.isenabled()


def test_a_program_that_enables_it_meanwhile() -> None:
    with gc_paused():
        gc.enable()
        with gc_paused():
            assert not gc.isenabled()
    assert gc.isenabled()


def test_exceptions() -> None:
    with pytest.raises(KeyboardInterrupt), gc_paused():
        raise KeyboardInterrupt
    assert gc.isenabled()


def test_a_generator_that_is_dropped() -> None:
    def steps() -> Iterator[int]:
        with gc_paused():
            yield 1

    running = steps()
    next(running)
    assert not gc.isenabled()
    running.close()
    assert gc.isenabled()


def test_threads_that_overlap() -> None:
    inside, leave = threading.Event(), threading.Event()

    def pause() -> None:
        with gc_paused():
            inside.set()
            leave.wait(30)

    thread = threading.Thread(target=pause)
    with gc_paused():
        thread.start()
        assert inside.wait(30)
    assert not gc.isenabled()
    leave.set()
    thread.join()
    assert gc.isenabled()


def test_many_threads() -> None:
    seen: list[bool] = []

    def pause() -> None:
        for _ in range(200):
            with gc_paused():
                seen.append(gc.isenabled())

    threads = [threading.Thread(target=pause) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 1600
    assert not any(seen)
    assert gc.isenabled()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork() on this system")
def test_fork_in_another_threads_pause() -> None:
    inside, leave = threading.Event(), threading.Event()

    def pause() -> None:
        with gc_paused():
            inside.set()
            leave.wait(30)

    thread = threading.Thread(target=pause)
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
