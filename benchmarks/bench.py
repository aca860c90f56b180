"""What a question is given to find its answer with."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from . import apart
from .apart import Lap
from .peers import SCRIPT, Peer
from .relay import Relay
from .servers import Servers


class Run(NamedTuple):
    """Something that is measured in a process of its own, again and again.

    Attributes:
        name: of the row of the table.
        start: makes one run and gives its laps; it is called with 0, 1, 2, and so on.
    """

    name: str
    start: Callable[[int], list[Lap]]


def python(
    name: str,
    function: str,
    arguments: Mapping[str, Any],
    variables: Mapping[str, str] | None = None,
    relay: Relay | None = None,
) -> Run:
    """A run of a generator of this package; see `apart.run` for the arguments."""
    return Run(name, lambda turn: apart.run(function, arguments, variables=variables, relay=relay))


def javascript(name: str, arguments: Sequence[str], variables: Mapping[str, str], relay: Relay) -> Run:
    """A run of `latency.js` with these arguments."""
    return Run(name, lambda turn: apart.follow(["node", str(SCRIPT), *arguments], variables, relay))


@dataclass
class Bench:
    """The servers, the drivers to compare with, and how much there is to do.

    Attributes:
        servers: what runs.
        peers: the Python drivers to compare with.
        javascript: the JavaScript drivers to compare with, by their names in `latency.js`.
        transports: those of neonps.
        repeat: how often each thing is measured at most.
        budget: how many seconds a row of a table may take; from the third time on it is not measured again after them.
        scale: by what the numbers of rows are multiplied.
        delay: how long a direction of a long line takes, in seconds.
        quick: whether it is only to be seen that it runs.
        failures: what did not work, one line each.
    """

    servers: Servers
    peers: list[Peer]
    javascript: list[str]
    transports: list[str]
    repeat: int
    budget: float
    scale: float
    delay: float
    quick: bool
    failures: list[str]

    def rows(self, number: int) -> int:
        """A number of rows, scaled."""
        return max(10, round(number * self.scale))

    def compare(
        self,
        runs: Sequence[Run],
        *,
        repeat: int | None = None,
        least: int = 2,
        between: Callable[[], object] = lambda: None,
    ) -> Iterator[tuple[str, list[Lap]]]:
        """Make all runs in turns, so that what disturbs the machine for a while disturbs no driver alone.

        Each turn goes through them in another order, since what one leaves behind may be of use or harm to the next.

        Args:
            runs: what to compare.
            repeat: how often at most; by default as often as is asked for.
            least: how often at least, even if it takes longer than it may.
            between: called before each run.

        Yields:
            The name and the laps of each run.
        """
        spent = [0.0] * len(runs)
        left = list(range(len(runs)))
        for turn in range(self.repeat if repeat is None else repeat):
            left = [number for number in left if turn < least or spent[number] < self.budget]
            for number in left if turn % 2 == 0 else left[::-1]:
                name, start = runs[number]
                between()
                began = time.monotonic()
                try:
                    laps = start(turn)
                except apart.Failed as error:
                    self.failures.append(f"{name}: {error}")
                    spent[number] = float("inf")
                else:
                    spent[number] += time.monotonic() - began
                    yield name, laps
            left = [number for number in left if spent[number] != float("inf")]
