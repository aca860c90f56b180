"""What a question is given to find its answer with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from . import apart
from .apart import Lap
from .peers import SCRIPT, Peer
from .relay import Relay
from .servers import Servers


@dataclass
class Bench:
    """The servers, the drivers to compare with, and how much there is to do.

    Attributes:
        servers: what runs.
        peers: the Python drivers to compare with.
        javascript: the JavaScript drivers to compare with, by their names in `latency.js`.
        transports: those of neonps.
        repeat: how often each thing is measured; the best counts.
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
    scale: float
    delay: float
    quick: bool
    failures: list[str]

    def rows(self, number: int) -> int:
        """A number of rows, scaled."""
        return max(10, round(number * self.scale))

    def run(
        self,
        name: str,
        function: str,
        arguments: Mapping[str, Any],
        variables: Mapping[str, str] | None = None,
        relay: Relay | None = None,
    ) -> list[Lap]:
        """Run something in a process of its own, as often as is to be; gives the laps of all of them.

        Args:
            name: what to call it when it fails.
            function, arguments, variables, relay: see `apart.run`.
        """
        laps = []
        for _ in range(self.repeat):
            try:
                laps += apart.run(function, arguments, variables=variables, relay=relay)
            except apart.Failed as error:
                self.failures.append(f"{name}: {error}")
                break
        return laps

    def run_javascript(self, name: str, arguments: list[str], variables: Mapping[str, str], relay: Relay) -> list[Lap]:
        """The same for `latency.js` with these arguments."""
        laps = []
        for _ in range(self.repeat):
            try:
                laps += apart.follow(["node", str(SCRIPT), *arguments], variables, relay)
            except apart.Failed as error:
                self.failures.append(f"{name}: {error}")
                break
        return laps
