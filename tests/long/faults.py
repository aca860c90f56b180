"""Breaks the line at every byte: each offset of both directions, of each way to the server, with each kind of cut.

As many as there is time for are taken, those that were not evenly among those that were. It ends when the line was cut
at each offset, by one of the kinds; another run can go on where it was, see `BEGUN`, and takes another kind in the next
pass. In between it stalls at some, is slow at some, and calls are interrupted. There are some processes, since much of
it is waiting; each has some of the ways.

"offsets cut" are those where it did happen. The last ones of a way may not occur: a TLS handshake is some bytes longer
or shorter each time, and so is what a lazy connection does, which leaves its login to one step or another.
"effects lost or done twice" can only be 0: with any other number this fails, and says which they were.
"""

from __future__ import annotations

import faulthandler
import os
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from math import gcd
from multiprocessing import get_context
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

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
from resident import kilobytes_grown, resident

from neonps.embedded import EmbeddedPostgres
from neonps.local import serve

ALL = [*WAYS, *LAZY, *SECURE, *BEHIND, *PROXIED]

#: One in so many of the offsets of a way is cut until another way has its turn: all are through at the same time.
_SHARE = 1000

#: In how many turns of a way it stalls once, and is slow once: that takes its time, however fast the machine is.
_TURNS = 5

#: Who takes longer for one workload hangs, in seconds, and is ended. Most of them are over in a tenth of a second.
_HANGS = 120.0

#: The variable that says which part of the offsets other runs have taken, such as 0.6: this one goes on behind them.
#: With 1 all of them are taken, by the next kind.
BEGUN = "FAULTS_BEGUN"

_GROWN = "memory grown in one process at most, KB"


class _Order:
    """Goes through all numbers below `total` again and again, in an order that is spread evenly from the beginning.

    Attributes:
        taken: how many were.
        fired: 1 for each at which the fault has happened.
    """

    def __init__(self, total: int) -> None:
        self.total = total
        self._step = next(step for step in range(int(total * 0.618), total) if gcd(step, total) == 1)
        self._begun = int(total * float(os.environ.get(BEGUN, 0)))
        self.taken = 0
        self.fired = bytearray(total)

    def take(self) -> tuple[int, int]:
        """The next one, and how often all of them were taken before."""
        self.taken += 1
        number = self._begun + self.taken
        return number * self._step % self.total, (number - 1) // self.total


def main(seconds: float) -> dict[str, int]:
    """Run for so long; gives what was done, by what it counts.

    Raises:
        AssertionError: something was lost, done twice or left behind, or the driver has told something wrong.
    """
    processes = (os.cpu_count() or 1) + 1
    figures: Counter[str] = Counter()
    grown = 0
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        for counted in pool.map(_run, [(seconds, ALL[number::processes]) for number in range(processes)]):
            grown = max(grown, counted.pop(_GROWN))
            figures.update(counted)
    return {**figures, _GROWN: grown, "effects lost or done twice": 0}


def _run(work: tuple[float, list[Way]]) -> dict[str, int]:
    """Break the lines of some ways for some seconds."""
    seconds, ways = work
    end = time.monotonic() + seconds
    faulthandler.dump_traceback_later(_HANGS, exit=True)
    try:
        with EmbeddedPostgres() as postgres, serve(postgres.url) as server, small_pieces():
            with FaultRuns(postgres, server.gateway) as runs:
                return break_lines(runs, ways, end, lambda: faulthandler.dump_traceback_later(_HANGS, exit=True))
    except BaseException:
        traceback.print_exc()  # the other processes go on for as long as they were told
        raise
    finally:
        faulthandler.cancel_dump_traceback_later()


def break_lines(
    runs: FaultRuns, ways: list[Way], end: float, alive: Callable[[], object] = lambda: None
) -> dict[str, int]:
    """Break the lines of some ways until it is time to end; gives what was done, by what it counts.

    Args:
        alive: is called before each workload.
    """
    sizes = {way: runs.sizes(way) for way in ways}
    cuts, stalls, slow = ({way: _Order(positions(sizes[way])) for way in ways} for _ in range(3))
    waits = {way: runs.waits(way) for way in ways if not way.behind}

    def fault(way: Way, kinds: Sequence[str], order: _Order, number: int | None = None) -> None:
        alive()
        at, passes = order.take()
        number = passes + at if number is None else number
        order.fired[at] |= runs.run(way, fault_at(kinds[number % len(kinds)], sizes[way], at))

    for way in ways:
        for kind in HARMLESS:
            alive()
            runs.run(way, Fault(kind, UP, 0))
    runs.settle()
    before, warm = descriptors(), 0
    turns = 0
    while (time.monotonic() < end and any(order.taken < order.total for order in cuts.values())) or not turns:
        for way in ways:
            for _ in range(cuts[way].total // _SHARE):
                fault(way, CUTS, cuts[way])
            if turns % _TURNS == 0:
                fault(way, STALLS, stalls[way], turns // _TURNS)
                fault(way, HARMLESS, slow[way], turns // _TURNS)
            alive()
            _interrupt(runs, way, waits.get(way, 0), turns)
            runs.settle()
            if time.monotonic() > end and turns:
                break
        turns += 1
        wait_for(lambda: descriptors() <= before)
        warm = warm or resident()
    taken = sum(min(order.taken, order.total) for order in cuts.values())
    cut = sum(sum(order.fired) for order in cuts.values())
    return {
        "ways": len(ways),
        "offsets": sum(order.total for order in cuts.values()),
        "offsets cut": cut,
        "offsets that did not occur": taken - cut,
        **runs.counts,
        _GROWN: kilobytes_grown(warm),
    }


def _interrupt(runs: FaultRuns, way: Way, waits: int, number: int) -> None:
    """Interrupt the workload at the next of the places where it waits."""
    if waits:
        runs.interrupt(way, number % waits + 1, late=number // waits % 2 == 1, again=number // waits // 2 % 2 == 1)


if __name__ == "__main__":
    print(main(float(sys.argv[1])))
