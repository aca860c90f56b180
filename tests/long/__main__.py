"""Runs the long tests one after the other and prints what they have counted.

    python -m tests.long [--seconds N] [--json FILE] [TOPIC...]

A topic is a module beside this file with `main(seconds: float) -> dict[str, int]`. Each has a process of its own, so
that memory and file descriptors that one counts are its own.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import platform
import subprocess
import sys
import tempfile
import time
import traceback
from importlib import import_module
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
TESTS = HERE.parent
CHECKOUT = TESTS.parent

#: Runs one topic in a new process.
_IN_CHILD = "import sys; from tests.long.__main__ import child; child(sys.argv[1], float(sys.argv[2]), sys.argv[3])"

_INTERRUPTED = 130

#: Who takes so much longer than it was told, in seconds, hangs: even the largest sizes of `load` take less.
_HANGS = 1200.0


def topics() -> list[str]:
    """All topics that there are, in order."""
    modules = sorted(path for path in HERE.glob("*.py") if not path.stem.startswith("_"))
    return [path.stem for path in modules if "\ndef main(" in path.read_text(encoding="utf-8")]


def child(topic: str, seconds: float, file: str) -> None:
    """Run a topic in this process; write its figures, or why it has failed, to a file.

    If it hangs, what its threads do is printed, and the process ends.
    """
    faulthandler.dump_traceback_later(seconds + _HANGS, exit=True)
    sys.path.insert(0, str(TESTS))  # where the helpers of the tests are
    outcome: dict[str, Any] = {"figures": {}, "failure": None}
    try:
        outcome["figures"] = import_module(f"tests.long.{topic}").main(seconds)
    except Exception as error:
        traceback.print_exc()
        where = traceback.extract_tb(error.__traceback__)[-1]
        told = str(error).strip().split("\n")[0]
        outcome["failure"] = (
            f"{type(error).__name__}: {told or where.line} ({Path(where.filename).name}:{where.lineno})"
        )
    faulthandler.cancel_dump_traceback_later()
    Path(file).write_text(json.dumps(outcome), encoding="utf-8")


def run(topic: str, seconds: float) -> dict[str, Any]:
    """Run a topic in a process of its own. Gives its `figures`, its `failure` or None, and the `seconds` it took."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "outcome.json"
        command = [sys.executable, "-W", "default", "-c", _IN_CHILD, topic, str(seconds), str(file)]
        process = subprocess.Popen(command, cwd=CHECKOUT, stdin=subprocess.DEVNULL)
        try:
            status = process.wait()
        except BaseException:
            process.wait()  # Ctrl-C has reached it too, and it stops its servers
            raise
        outcome: dict[str, Any] = {"figures": {}, "failure": f"its process has ended with status {status}"}
        if file.exists():
            outcome = json.loads(file.read_text(encoding="utf-8"))
            if status and outcome["failure"] is None:
                outcome["failure"] = f"its process has ended with status {status} after its test"
    return {**outcome, "seconds": round(time.monotonic() - started, 1)}


def table(outcomes: dict[str, dict[str, Any]]) -> str:
    """What was counted, as a table of Markdown."""
    lines = ["| topic | counted | figure |", "|---|---|---|"]
    for topic, outcome in outcomes.items():
        lines += [f"| {topic} | {what} | {figure:,} |" for what, figure in outcome["figures"].items()]
        lines.append(f"| {topic} | seconds | {outcome['seconds']:,} |")
    return "\n".join(lines)


def positive(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds < float("inf"):
        raise ValueError(text)
    return seconds


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.long", description="Runs the long tests.")
    parser.add_argument("topic", nargs="*", help="by default all")
    parser.add_argument("--seconds", type=positive, default=60.0, help="how long each topic runs, about; 60 by default")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to this file")
    arguments = parser.parse_args()
    if not __debug__:
        parser.error("Python runs with -O, which leaves out what the tests check")
    known = topics()
    if not known:
        parser.error(f"there are no topics in {HERE}")
    for topic in arguments.topic:
        if topic not in known:
            parser.error(f"there is no topic {topic!r}, but {', '.join(known)}")
    outcomes: dict[str, dict[str, Any]] = {}
    try:
        for topic in dict.fromkeys(arguments.topic or known):
            print(f"== {topic} ==", flush=True)
            outcomes[topic] = run(topic, arguments.seconds)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return _INTERRUPTED
    print(table(outcomes))
    if arguments.json is not None:
        machine = {"python": platform.python_version(), "system": platform.system()}
        text = json.dumps({**machine, "seconds": arguments.seconds, "topics": outcomes}, indent=2)
        arguments.json.write_text(f"{text}\n", encoding="utf-8")
    failures = {topic: outcome["failure"] for topic, outcome in outcomes.items() if outcome["failure"] is not None}
    for topic, failure in failures.items():
        print(f"{topic} has failed: {failure}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
