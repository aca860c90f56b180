"""Runs what is measured in a process of its own, so that only the driver's CPU time and memory count.

What runs there is a generator: it prepares something and yields, and from then on yields the name of each lap when it
has run it. Between two laps the other side has the word, and can look at its relay.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from .relay import Relay

ROOT = Path(__file__).parent.parent


class Failed(Exception):
    """The process has failed; the message says why."""


class Lap(NamedTuple):
    """What a lap has taken.

    Attributes:
        name: of it.
        cpu: seconds of CPU time of the process.
        wall: seconds.
        peak: the most memory that the process has had in the lap beyond what it had before, in bytes.
        trips: round trips that the relay has seen; 0 without one.
    """

    name: str
    cpu: float
    wall: float
    peak: int
    trips: int


def environment() -> dict[str, str]:
    """The variables of the environment, without what tells drivers where to connect to, or Python to keep no code."""
    left_out = ("PG", "NEONPS_", "PYTHONDONTWRITEBYTECODE")
    return {name: value for name, value in os.environ.items() if not name.startswith(left_out)}


def run(
    function: str,
    arguments: Mapping[str, Any],
    *,
    variables: Mapping[str, str] | None = None,
    relay: Relay | None = None,
) -> list[Lap]:
    """Run a generator of this package in a new Python.

    Args:
        function: its module and name, such as "fetching.fetch".
        arguments: what to call it with; it has to be possible in JSON.
        variables: of the environment.
        relay: whose round trips to count.

    Raises:
        Failed: it has raised an exception.
    """
    return follow([sys.executable, "-m", "benchmarks.apart", function, json.dumps(arguments)], variables, relay)


def follow(command: Sequence[str], variables: Mapping[str, str] | None, relay: Relay | None) -> list[Lap]:
    """Run a program that prints the JSON of each lap, and waits for a line before the next.

    Raises:
        Failed: it has ended with another status than 0.
    """
    laps = []
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env={**environment(), **(variables or {})},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        before = 0
        for line in process.stdout:
            lap = json.loads(line)
            trips = relay.trips if relay else 0
            if lap is not None:
                laps.append(Lap(lap["name"], lap.get("cpu", 0.0), lap["wall"], lap.get("peak", 0), trips - before))
            before = trips
            with suppress(OSError):
                process.stdin.write("\n")
                process.stdin.flush()
        errors = process.stderr.read().strip()
    if process.returncode:
        raise Failed(errors.splitlines()[-1] if errors else f"exit status {process.returncode}")
    return laps


def resident(what: str) -> int:
    """The memory of this process in bytes: "VmRSS" is what it has, "VmHWM" the most that it has had."""
    # What `getrusage` says may be that of the process which has started this one.
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith(f"{what}:"):
                return int(line.split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def forget_peak() -> None:
    """Let the most memory be what it is now, where the system can: importing may have needed more."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def main() -> None:
    """Run a generator, and report its laps."""
    function, arguments = sys.argv[1:]
    module, name = function.rsplit(".", 1)
    laps = getattr(import_module(f"benchmarks.{module}"), name)(**json.loads(arguments))
    next(laps)
    print("null", flush=True)
    while True:
        sys.stdin.readline()
        gc.collect()
        forget_peak()
        before = resident("VmRSS")
        cpu, wall = time.process_time(), time.perf_counter()
        lap = next(laps, None)
        if lap is None:
            return
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        peak = resident("VmHWM") - before
        print(json.dumps({"name": lap, "cpu": cpu, "wall": wall, "peak": peak}), flush=True)


if __name__ == "__main__":
    main()
