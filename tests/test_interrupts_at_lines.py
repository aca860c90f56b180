"""Ctrl-C at some lines of the driver, spread over each step of the workload; `tests/long/interrupts.py` takes them all.

What was written is there once or not at all, as the program was told; the connection can be used or is closed; nothing
hangs, no socket and no lock is left, and the garbage collector runs.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from fault_runs import Way, descriptors, small_pieces
from fault_workload import Step, batch, block, copy_in, pipeline, savepoint, stream
from gateway_client import wait_for
from interrupt_runs import WAYS, InterruptRuns, steps

from neonps.embedded import EmbeddedPostgres
from neonps.gateway import Gateway

#: What gets a program into a call or a block, and out of it.
DOORS = ("__enter__", "__exit__", "_leave", "acquire", "call", "leave_block", "restore", "run", "_exit_flow")


@pytest.fixture(scope="module")
def runs(postgres: EmbeddedPostgres, gateway: Gateway) -> Iterator[InterruptRuns]:
    with small_pieces(), InterruptRuns(postgres, gateway) as runs:
        yield runs


def evenly(count: int, total: int) -> list[int]:
    """So many of the numbers from 1 to `total`, each from a part of its own."""
    chance = random.Random(total)
    count = min(count, total)
    return [1 + chance.randrange(total * part // count, total * (part + 1) // count) for part in range(count)]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.transport)
def test_any_line(runs: InterruptRuns, way: Way) -> None:
    before = descriptors()
    for step in steps(way):
        for where in evenly(2, runs.lines(way, step)):
            runs.interrupt_line(way, step, where)
    runs.hang_up()
    wait_for(lambda: descriptors() <= before)


@pytest.mark.parametrize("step", [block, savepoint, copy_in, pipeline, stream])
def test_a_line_at_the_door(runs: InterruptRuns, step: Step) -> None:
    way = WAYS[0]
    total = min(runs.lines(way, step, DOORS) for _ in range(2))  # statements that are prepared by then take fewer
    for where in evenly(25, total):
        assert runs.interrupt_line(way, step, where, DOORS).place
    runs.hang_up()


@pytest.mark.parametrize("step", [batch, pipeline])
def test_each_line_on_the_way_out_over_http(runs: InterruptRuns, step: Step) -> None:
    """Nothing stays kept, to be sent with what comes later."""
    (way,) = (way for way in WAYS if way.transport == "http")
    functions = ("batch", "__exit__", "_exit_flow", "leave_pipeline", "sync_pipeline", "commit")
    total = runs.lines(way, step, functions)
    for where in range(1, total + 1):
        runs.interrupt_line(way, step, where, functions)
    runs.hang_up()
