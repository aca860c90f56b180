"""Measures neonps beside other drivers, against an embedded Postgres, and prints a table for each question."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from neonps.embedded import EmbeddedPostgresError

from . import machine, peers, results
from .bench import Bench
from .servers import serve
from .table import Table

#: The questions, each a module of its name with a function `measure(bench)` that gives tables, and the goal of each.
QUESTIONS = {
    "connecting": 1,
    "statements": 1,
    "fetching": 2,
    "sending": 3,
    "memory": 4,
    "cold_start": 5,
    "analytics": 6,
}


def parse_arguments() -> argparse.Namespace:
    """What is asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("question", nargs="*", help=f"which to answer, by default all: {', '.join(QUESTIONS)}")
    parser.add_argument("--quick", action="store_true", help="only see that it runs: few rows, everything once")
    parser.add_argument("--scale", type=float, default=1.0, metavar="X", help="multiply the numbers of rows by X")
    parser.add_argument(
        "--repeat", type=int, default=5, metavar="N", help="measure N times at most, the best counts; default 5"
    )
    parser.add_argument(
        "--budget",
        type=float,
        default=15.0,
        metavar="S",
        help="do not measure a driver a third time, or more often, when that has taken S seconds; default 15",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    parser.add_argument("--results", type=Path, metavar="FILE.md", help="write a page with all of it there")
    parser.add_argument("--plot", type=Path, metavar="FILE.png", help="draw the figures there; needs matplotlib")
    options = parser.parse_args()
    if unknown := [name for name in options.question if name not in QUESTIONS]:
        parser.error(f"no such question: {', '.join(unknown)}; there are {', '.join(QUESTIONS)}")
    if options.repeat < 1 or options.scale <= 0 or options.budget <= 0:
        parser.error("--repeat, --scale and --budget have to be positive")
    for path in (options.json, options.results, options.plot):
        if path and not path.parent.is_dir():
            parser.error(f"there is no directory {path.parent}")
    if options.plot and find_spec("matplotlib") is None:
        parser.error("--plot needs matplotlib: pip install matplotlib")
    return options


def main() -> int:
    """Run the benchmarks; gives the exit status."""
    options = parse_arguments()
    left_out = []
    found = []
    for peer, there in peers.installed(peers.ALL[: 1 if options.quick else None]):
        if there:
            found.append(peer)
        else:
            left_out.append(f"{peer.name} ({peer.package})")
    javascript = ["websocket", "http", "pg"][: 1 if options.quick else None]
    if not peers.javascript_packages():
        javascript = []
        left_out.append("JavaScript (npm install --prefix benchmarks)")
    for line in left_out:
        print(f"left out: {line}")

    repeat, scale, delay = (1, 0.001, 0.002) if options.quick else (options.repeat, options.scale, 0.025)
    transports = ["tcp", "websocket", "http"][1 if options.quick else 0 :]
    answers: dict[str, list[Table]] = {}
    questions: dict[str, str] = {}
    failures: list[str] = []
    with tempfile.TemporaryDirectory() as directory, serve(Path(directory)) as servers:
        load = machine.load()
        facts = machine.describe(servers)
        print(*(f"{name} {value}" for name, value in facts.items()), sep=", ")
        print(f"load {load:.2f}")
        bench = Bench(
            servers, found, javascript, transports, repeat, options.budget, scale, delay, options.quick, failures
        )
        for name in QUESTIONS:
            if options.question and name not in options.question:
                continue
            module = import_module(f"benchmarks.{name}")
            questions[name] = (module.__doc__ or "").strip()
            print(f"\n== {name}: {questions[name]}")
            answers[name] = []
            tables: Iterator[Table] = module.measure(bench)
            for table in tables:
                answers[name].append(table)
                print(f"\n{table}", flush=True)
    facts |= {"load before and after": f"{load:.2f} and {machine.load():.2f}", "date": results.today()}
    print(f"\n== goals\n\n{results.in_words(answers, QUESTIONS)}")
    for line in failures:
        print(f"failed: {line}", file=sys.stderr)
    if options.json:
        figures = {
            "machine": facts,
            "repeat": repeat,
            "scale": scale,
            "left out": left_out,
            "failed": failures,
            "answers": {name: [table.as_json() for table in tables] for name, tables in answers.items()},
        }
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    if options.results:
        missing = [f"left out: {line}" for line in left_out] + [f"failed: {line}" for line in failures]
        results.write(options.results, facts, answers, questions, QUESTIONS, missing)
    if options.plot:
        draw: Callable[..., Any] = import_module("benchmarks.plot").draw
        draw(answers, options.plot)
    return 1 if failures else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
    except EmbeddedPostgresError as error:
        sys.exit(f"python -m benchmarks: {error}")
