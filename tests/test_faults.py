"""A line that breaks at any byte, in either direction: nothing is lost, done twice or left behind, and nothing hangs.

Here at some bytes of each way; `tests/long/faults.py` takes them all.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from fault_relay import CUTS, HARMLESS, STALLS, UP, Fault
from fault_runs import (
    BEHIND,
    LAZY,
    PROXIED,
    SECURE,
    WAYS,
    FaultRuns,
    Way,
    descriptors,
    fault_at,
    positions,
    small_pieces,
)
from gateway_client import wait_for

from neonps.embedded import EmbeddedPostgres
from neonps.gateway import Gateway


def _words(way: Way) -> str:
    return str(way).replace(" ", "-")


all_ways = pytest.mark.parametrize("way", [*WAYS, *LAZY, *SECURE, *BEHIND, *PROXIED], ids=_words)
ways_to_interrupt = pytest.mark.parametrize("way", [*WAYS, *LAZY, *SECURE, *PROXIED], ids=_words)


@pytest.fixture(scope="module")
def runs(postgres: EmbeddedPostgres, gateway: Gateway) -> Iterator[FaultRuns]:
    with small_pieces(), FaultRuns(postgres, gateway) as runs:
        yield runs


def evenly(count: int, total: int, seed: str) -> list[int]:
    """So many of the numbers below `total`, each from a part of its own; all if there are fewer."""
    chance = random.Random(seed)
    count = min(count, total)
    return [chance.randrange(total * part // count, total * (part + 1) // count) for part in range(count)]


@all_ways
def test_a_line_that_is_cut(runs: FaultRuns, way: Way) -> None:
    sizes = runs.sizes(way)
    before, faults = descriptors(), runs.counts["faults"]
    for number, position in enumerate(evenly(3, positions(sizes), f"cuts {way}")):
        runs.run(way, fault_at(CUTS[number % len(CUTS)], sizes, position))
    assert runs.counts["faults"] > faults, "none of them has happened"
    runs.settle()
    wait_for(lambda: descriptors() <= before)


@all_ways
def test_a_line_that_stalls(runs: FaultRuns, way: Way) -> None:
    sizes = runs.sizes(way)
    before, faults = descriptors(), runs.counts["faults"]
    for number, position in enumerate(evenly(2, positions(sizes), f"stalls {way}")):
        runs.run(way, fault_at(STALLS[number % len(STALLS)], sizes, position))
    assert runs.counts["faults"] > faults, "none of them has happened"
    runs.settle()
    wait_for(lambda: descriptors() <= before)


@all_ways
def test_a_line_that_is_slow(runs: FaultRuns, way: Way) -> None:
    sizes = runs.sizes(way)
    # From the beginning, and from somewhere in the first half of what is said, which comes for certain.
    runs.run(way, Fault(HARMLESS[0], UP, 0))
    runs.run(way, fault_at(HARMLESS[1], sizes, evenly(1, sizes[UP] // 2, f"slow {way}")[0]))
    runs.settle()


@ways_to_interrupt
def test_an_interruption(runs: FaultRuns, way: Way) -> None:
    waits = runs.waits(way)
    before = descriptors()
    for number, where in enumerate(evenly(2 if way.transport == "http" else 4, waits, f"interruptions {way}")):
        runs.interrupt(way, where + 1, late=number % 2 == 1, again=number % 3 == 2)
    runs.settle()
    wait_for(lambda: descriptors() <= before)
