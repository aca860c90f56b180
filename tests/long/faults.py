"""Breaks the line at every byte: each offset of both directions, of each way to the server, with each kind of cut.

As many as there is time for are taken, those that were not evenly among those that were: after one pass the line was
cut at each offset, by one of the kinds, and after the next by another. In between it stalls at some, and calls are
interrupted. There are some processes, since much of it is waiting; each has some of the ways.
"""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from math import gcd
from multiprocessing import get_context
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from fault_relay import CUTS, HARMLESS, STALLS, UP, Fault
from fault_runs import BEHIND, LAZY, SECURE, WAYS, FaultRuns, Way, descriptors, fault_at, positions, small_pieces
from gateway_client import wait_for

from neonps.embedded import EmbeddedPostgres
from neonps.local import serve

ALL = [*WAYS, *LAZY, *SECURE, *BEHIND]

#: One in so many of the offsets of a way is cut until another way has its turn: all are through at the same time.
_SHARE = 1000

#: In how many turns of a way it stalls once: a stall takes its time, however fast the machine is.
_TURNS = 5


class _Order:
    """Goes through all numbers below `total` again and again, in an order that is spread evenly from the beginning.

    Attributes:
        taken: how many were.
    """

    def __init__(self, total: int) -> None:
        self.total = total
        self._step = next(step for step in range(int(total * 0.618), total) if gcd(step, total) == 1)
        self.taken = 0

    def take(self) -> int:
        self.taken += 1
        return self.taken * self._step % self.total


def main(seconds: float) -> dict[str, int]:
    """Run for so long; gives what was done, by what it counts.

    Raises:
        AssertionError: something was lost, done twice or left behind, or the driver has told something wrong.
    """
    processes = (os.cpu_count() or 1) + 1
    figures: Counter[str] = Counter()
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        for counted in pool.map(_run, [(seconds, ALL[number::processes]) for number in range(processes)]):
            figures.update(counted)
    return {**figures, "effects lost or done twice": 0}


def _run(work: tuple[float, list[Way]]) -> dict[str, int]:
    """Break the lines of some ways for some seconds."""
    seconds, ways = work
    end = time.monotonic() + seconds
    with EmbeddedPostgres() as postgres, serve(postgres.url) as server, small_pieces():
        with FaultRuns(postgres, server.gateway) as runs:
            try:
                offsets, cut = _break_lines(runs, ways, end)
            except BaseException:
                traceback.print_exc()  # the other processes go on for as long as they were told
                raise
            figures = dict(runs.counts)
    return {"ways": len(ways), "offsets": offsets, "offsets cut": cut, **figures}


def _break_lines(runs: FaultRuns, ways: list[Way], end: float) -> tuple[int, int]:
    """Gives how many offsets there are, and at how many of them the line was cut."""
    sizes = {way: runs.sizes(way) for way in ways}
    cuts, stalls = ({way: _Order(positions(sizes[way])) for way in ways} for _ in range(2))
    waits = {way: runs.waits(way) for way in ways if not way.behind}
    for way in ways:
        for kind in HARMLESS:
            runs.run(way, Fault(kind, UP, 0))
    runs.settle()
    before = descriptors()
    turns = 0
    while time.monotonic() < end:
        for way in ways:
            for _ in range(cuts[way].total // _SHARE):
                at = cuts[way].take()
                kind = CUTS[(cuts[way].taken // cuts[way].total + at) % len(CUTS)]
                runs.run(way, fault_at(kind, sizes[way], at))
            if turns % _TURNS == 0 and not way.behind:
                runs.run(way, fault_at(STALLS[turns // _TURNS % len(STALLS)], sizes[way], stalls[way].take()))
            _interrupt(runs, way, waits.get(way, 0), turns)
            runs.settle()
            if time.monotonic() > end:
                break
        turns += 1
        wait_for(lambda: descriptors() <= before)
    return sum(order.total for order in cuts.values()), sum(min(order.taken, order.total) for order in cuts.values())


def _interrupt(runs: FaultRuns, way: Way, waits: int, number: int) -> None:
    """Interrupt the workload at the next of the places where it waits."""
    if waits:
        runs.interrupt(way, number % waits + 1, late=number // waits % 2 == 1, again=number // waits // 2 % 2 == 1)


if __name__ == "__main__":
    print(main(float(sys.argv[1])))
