"""Measures neonps beside other drivers, against an embedded Postgres, and prints a table for each question."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import neonps
from neonps.embedded import EmbeddedPostgresError

from . import peers
from .bench import Bench
from .servers import serve
from .table import Table

#: The questions, each a module of its name with a function `measure(bench)` that gives tables.
QUESTIONS = ("connecting", "statements", "fetching", "analytics", "sending", "memory", "cold_start")


def machine() -> dict[str, Any]:
    """What the figures depend on beside the drivers."""
    return {
        "neonps": neonps.__version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "processors": os.cpu_count(),
        "load": os.getloadavg()[0],
    }


def main() -> int:
    """Run the benchmarks; gives the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("question", nargs="*", help=f"which to answer, by default all: {', '.join(QUESTIONS)}")
    parser.add_argument("--quick", action="store_true", help="only see that it runs: few rows, everything once")
    parser.add_argument("--scale", type=float, default=1.0, metavar="X", help="multiply the numbers of rows by X")
    parser.add_argument(
        "--repeat", type=int, default=5, metavar="N", help="measure N times, the best counts; default 5"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    parser.add_argument("--plot", type=Path, metavar="FILE.png", help="draw them there; needs matplotlib")
    options = parser.parse_args()
    if unknown := [name for name in options.question if name not in QUESTIONS]:
        parser.error(f"no such question: {', '.join(unknown)}; there are {', '.join(QUESTIONS)}")
    if options.repeat < 1 or options.scale <= 0:
        parser.error("--repeat and --scale have to be positive")
    for path in (options.json, options.plot):
        if path and not path.parent.is_dir():
            parser.error(f"there is no directory {path.parent}")
    plot: Callable[..., None] | None = None
    if options.plot:
        try:
            plot = import_module("benchmarks.plot").draw
        except ImportError:
            parser.error("--plot needs matplotlib: pip install matplotlib")

    left_out = []
    found = []
    for peer, there in peers.installed(peers.ALL[: 1 if options.quick else None]):
        if there:
            found.append(peer)
        else:
            left_out.append(f"{peer.name} ({peer.package})")
    javascript = ["websocket", "http", "pg"][: 1 if options.quick else None]
    if not peers.has_javascript():
        javascript = []
        left_out.append("JavaScript (npm install --prefix benchmarks)")
    for line in left_out:
        print(f"left out: {line}")
    facts = machine()
    print(*(f"{name} {value}" for name, value in facts.items()), sep=", ")

    repeat, scale, delay = (1, 0.001, 0.002) if options.quick else (options.repeat, options.scale, 0.025)
    transports = ["tcp", "websocket", "http"][1 if options.quick else 0 :]
    answers: dict[str, list[Table]] = {}
    failures: list[str] = []
    with tempfile.TemporaryDirectory() as directory, serve(Path(directory)) as servers:
        bench = Bench(servers, found, javascript, transports, repeat, scale, delay, options.quick, failures)
        for name in QUESTIONS:
            if options.question and name not in options.question:
                continue
            module = import_module(f"benchmarks.{name}")
            print(f"\n== {name}: {module.__doc__}")
            answers[name] = []
            tables: Iterator[Table] = module.measure(bench)
            for table in tables:
                answers[name].append(table)
                print(f"\n{table}", flush=True)
    for line in failures:
        print(f"failed: {line}", file=sys.stderr)
    if options.json:
        figures = {
            "machine": {**facts, "load at the end": os.getloadavg()[0]},
            "repeat": repeat,
            "scale": scale,
            "left out": left_out,
            "failed": failures,
            "answers": {name: [table.as_json() for table in tables] for name, tables in answers.items()},
        }
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    if plot:
        plot(answers, options.plot)
    return 1 if failures else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
    except EmbeddedPostgresError as error:
        sys.exit(f"python -m benchmarks: {error}")
