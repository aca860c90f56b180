"""Fuzzes every decoder for as long as it may: `python tests/long/fuzz.py SECONDS`.

Good input is changed at random. Where atheris is installed (`pip install atheris`), half of the time goes to it: it
watches which branches the driver takes, and goes on from the inputs that have led to new ones.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import random
import subprocess
import sys
import time
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

#: Input that takes longer than this, in seconds, is a failure, as is what comes out. It is far more than any needs.
_LONGEST = 20.0


def main(seconds: float) -> dict[str, int]:
    """Fuzz for so many seconds.

    Returns:
        How many inputs there were, how many of them were taken, and how many decoders there are.

    Raises:
        AssertionError: something came out that is not documented. The message has the input.
    """
    guided = importlib.util.find_spec("atheris") is not None
    figures = _at_random(seconds / 2 if guided else seconds)
    if not guided:
        print("atheris is not installed: nothing is guided by coverage", flush=True)
    else:
        figures["inputs guided by coverage"] = _guided(seconds / 2)
    return figures


def _at_random(seconds: float) -> dict[str, int]:
    from fuzz_targets import TARGETS
    from fuzzing import attempt, mutated
    from resident import kilobytes_grown, resident

    logging.disable(logging.WARNING)  # of sessions that end and time zones that are unknown
    seed = int.from_bytes(os.urandom(4), "big")
    print(f"fuzzing with seed {seed}", flush=True)
    rng = random.Random(seed)
    figures = {"decoders fuzzed": len(TARGETS), "inputs at random": 0, "of these taken": 0}
    begin = time.monotonic()
    end, warm = begin + seconds, 0
    while time.monotonic() < end:
        for target in rng.sample(list(TARGETS.values()), len(TARGETS)):
            if not warm and time.monotonic() > begin + seconds / 3:
                warm = resident()
            stop = min(end, time.monotonic() + 0.2)
            while (began := time.monotonic()) < stop:
                data = mutated(rng.choice(target.seeds), rng, target.seeds)
                figures["of these taken"] += attempt(target, data)
                figures["inputs at random"] += 1
                assert time.monotonic() - began < _LONGEST, f"this has taken too long: {data!r:.2000}"
    logging.disable(logging.NOTSET)
    figures["memory grown, KB"] = kilobytes_grown(warm or resident())
    return figures


def _guided(seconds: float) -> int:
    """Let atheris fuzz, which ends the process that it runs in. Gives the number of inputs."""
    done = subprocess.run(
        [sys.executable, __file__, "--guided", str(max(1, int(seconds)))], capture_output=True, text=True, check=False
    )
    found = done.stderr[done.stderr.find("Uncaught Python exception") :]
    assert done.returncode == 0, f"atheris has found something: {found[:5000]}"
    counted = [line for line in done.stderr.splitlines() if line.startswith("stat::number_of_executed_units:")]
    return int(counted[-1].split()[-1])


def _be_guided(seconds: int) -> None:
    import atheris

    with atheris.instrument_imports(include=["neonps"]):
        import fuzz_targets
        import fuzzing

    logging.disable(logging.WARNING)
    targets = list(fuzz_targets.TARGETS.values())

    def one(data: bytes) -> None:
        """The first byte says which decoder it is for."""
        if data:
            fuzzing.attempt(targets[data[0] % len(targets)], data[1:])

    import tempfile

    with tempfile.TemporaryDirectory() as corpus:
        for number, target in enumerate(targets):
            for count, seed in enumerate(target.seeds):
                Path(corpus, f"{number}-{count}").write_bytes(bytes([number]) + seed)
        options = [f"-max_total_time={seconds}", "-print_final_stats=1", "-max_len=4096", f"-timeout={_LONGEST:.0f}"]
        atheris.Setup([sys.argv[0], corpus, *options, f"-artifact_prefix={corpus}/"], one)
        atheris.Fuzz()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--guided"]:
        _be_guided(int(sys.argv[2]))
    else:
        for what, number in main(float(sys.argv[1])).items():
            print(f"{what}: {number:,}")
