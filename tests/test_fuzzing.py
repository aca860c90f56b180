"""Every decoder with any input: what comes out is documented, and does not depend on how the input came in pieces."""

from __future__ import annotations

import random

import pytest
from fuzz_targets import TARGETS
from fuzzing import attempt, mutated
from hypothesis import given, settings
from hypothesis import strategies as st


@pytest.mark.parametrize("name", TARGETS)
def test_good_input(name: str) -> None:
    """At least one of the seeds is taken; otherwise all that is made of them would be refused at the same place."""
    target = TARGETS[name]
    taken = [attempt(target, seed) for seed in target.seeds]
    assert any(taken) or name in ("handshakes", "SCRAM")  # which end with the end of the connection


@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=30, deadline=None)
@given(st.data())
def test_any_input(name: str, data: st.DataObject) -> None:
    target = TARGETS[name]
    if data.draw(st.booleans()):
        attempt(target, data.draw(st.binary(max_size=200)))
        return
    seed = data.draw(st.sampled_from(target.seeds))
    rng = random.Random(data.draw(st.integers(0, 2**32 - 1)))
    attempt(target, mutated(seed, rng, target.seeds))


def test_the_fuzzing_finds_what_it_is_for() -> None:
    def run(data: bytes) -> None:
        if data.startswith(b"good"):
            data.decode("ascii")

    target = TARGETS["16 TEXT"]._replace(run=run, seeds=[b"good"])
    rng = random.Random(1)
    with pytest.raises(AssertionError, match="UnicodeDecodeError came out"):
        for _ in range(10_000):
            attempt(target, mutated(b"good", rng, target.seeds))
