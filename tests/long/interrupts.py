"""Ctrl-C at every line of the driver that the workload comes to, on each transport.

As many lines are taken as there is time for, spread evenly from the beginning. Each process has a transport.
"""

from __future__ import annotations

import sys
import time
import traceback
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from fault_runs import Way, descriptors, small_pieces
from gateway_client import wait_for
from interrupt_runs import WAYS, InterruptRuns, steps

from neonps.embedded import EmbeddedPostgres
from neonps.local import serve

#: In the first pass over all steps each n-th line is taken, in the next one those behind them, and so on.
_STRIDE = 97


def main(seconds: float) -> dict[str, int]:
    """Run for so long; gives what was done, by what it counts.

    Raises:
        AssertionError: something was lost, done twice or left behind, or a connection was of no use and did not say so.
    """
    figures: Counter[str] = Counter()
    with ProcessPoolExecutor(len(WAYS), get_context("spawn")) as pool:
        for counted in pool.map(_run, [(seconds, way) for way in WAYS]):
            figures.update(counted)
    return {**figures, "effects lost or done twice": 0}


def _run(work: tuple[float, Way]) -> dict[str, int]:
    seconds, way = work
    end = time.monotonic() + seconds
    with EmbeddedPostgres() as postgres, serve(postgres.url) as server, small_pieces():
        with InterruptRuns(postgres, server.gateway) as runs:
            try:
                lines = _interrupt(runs, way, end)
            except BaseException:
                traceback.print_exc()  # the other processes go on for as long as they were told
                raise
            return {"lines": lines, **runs.counts}


def _interrupt(runs: InterruptRuns, way: Way, end: float) -> int:
    """Gives how many lines there are."""
    lines = {step: runs.lines(way, step) for step in steps(way)}
    runs.hang_up()
    before = descriptors()
    for first in range(_STRIDE):
        for step, count in lines.items():
            for where in range(1 + first, count + 1, _STRIDE):
                if time.monotonic() > end:
                    break
                runs.interrupt_line(way, step, where)
        runs.hang_up()
        wait_for(lambda: descriptors() <= before)
    return sum(lines.values())


if __name__ == "__main__":
    print(main(float(sys.argv[1])))
