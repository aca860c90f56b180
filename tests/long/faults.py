"""Breaks the line at every byte: each offset of both directions, kind of fault and way to the server, in turn.

Within the time that there is it takes as many as it can, those that were not taken evenly among those that were.
"""

from __future__ import annotations

import sys
import time
from math import gcd
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from fault_relay import CUTS, HARMLESS, STALLS, UP, Fault
from fault_runs import BEHIND, LAZY, WAYS, FaultRuns, Way, descriptors, fault_at, positions, small_pieces
from gateway_client import wait_for

from neonps.embedded import EmbeddedPostgres
from neonps.local import serve

#: Runs between two looks at what they have done.
_RUNS = 6

#: How often each is taken in a turn: a stall takes its time, however fast the machine is.
_KINDS = (*CUTS, *CUTS, *CUTS, *STALLS)


class _Turn:
    """Goes through all numbers below `total` in an order that is spread evenly from the beginning."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._step = next(step for step in range(int(total * 0.618), total) if gcd(step, total) == 1)
        self.taken = 0

    def take(self) -> int:
        self.taken += 1
        return self.taken * self._step % self._total


def main(seconds: float) -> dict[str, int]:
    """Run for so long; gives what was done, by what it counts.

    Raises:
        AssertionError: something was lost, done twice or left behind, or the driver has told something wrong.
    """
    end = time.monotonic() + seconds
    with EmbeddedPostgres() as postgres, serve(postgres.url) as server, small_pieces():
        gateway = server.gateway
        servers = ((postgres.host, postgres.port), (gateway.host, gateway.port))
        with FaultRuns(postgres.url, server.url, servers) as runs:
            _break_lines(runs, end)
            figures = dict(runs.counts)
    return {**figures, "effects lost or done twice": 0}


def _break_lines(runs: FaultRuns, end: float) -> None:
    ways = [*WAYS, *LAZY, *BEHIND]
    sizes = {way: runs.sizes(way) for way in ways}
    turns = {(way, kind): _Turn(positions(sizes[way])) for way in ways for kind in {*CUTS, *STALLS}}
    waits = {way: runs.waits(way) for way in (*WAYS, *LAZY)}
    for way in ways:
        for kind in HARMLESS:
            runs.run(way, Fault(kind, UP, 0))
    runs.settle()
    before = descriptors()
    rounds = 0
    while time.monotonic() < end:
        for way in ways:
            kind = _KINDS[rounds % len(_KINDS)]
            if way.behind and kind in STALLS:
                continue
            turn = turns[way, kind]
            for _ in range(_RUNS if kind in CUTS else 2):
                if turn.taken <= positions(sizes[way]):
                    runs.run(way, fault_at(kind, sizes[way], turn.take()))
            _interrupt(runs, way, waits.get(way, 0), rounds)
            runs.settle()
            if time.monotonic() > end:
                break
        rounds += 1
        wait_for(lambda: descriptors() <= before)


def _interrupt(runs: FaultRuns, way: Way, waits: int, number: int) -> None:
    """Interrupt the workload at the next of the places where it waits."""
    if waits:
        runs.interrupt(way, number % waits + 1, late=number // waits % 2 == 1, again=number // waits // 2 % 2 == 1)


if __name__ == "__main__":
    print(main(float(sys.argv[1])))
