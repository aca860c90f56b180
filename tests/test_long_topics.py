"""The topics of `python -m tests.long`, for some seconds: they run, and count what they say."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from importlib import import_module

import pytest
from fault_relay import CUTS, HARMLESS, STALLS
from fault_runs import FaultRuns, Way, small_pieces
from long import faults, fuzz, soak
from long.__main__ import topics

from neonps.embedded import EmbeddedPostgres
from neonps.gateway import Gateway


def test_faults(postgres: EmbeddedPostgres, gateway: Gateway) -> None:
    way = Way("tcp", False)
    alive: list[float] = []
    with small_pieces(), FaultRuns(postgres, gateway) as runs:
        before = time.monotonic()
        figures = faults.break_lines(runs, [way], before, lambda: alive.append(time.monotonic()))
    assert figures["ways"] == 1
    tried = figures["offsets cut"] + figures["offsets that did not occur"]
    assert 0 < figures["offsets cut"] <= tried == figures["offsets"] // faults._SHARE
    assert figures["offsets cut"] == sum(figures.get(kind, 0) for kind in CUTS)
    assert figures["interruptions"] == 1
    # One of each at the first byte, one that stalls, one that is slow somewhere, and those.
    assert len(alive) == len(HARMLESS) + tried + 3
    assert figures["faults"] == sum(figures.get(kind, 0) for kind in (*CUTS, *STALLS, *HARMLESS))


def test_faults_end_when_each_offset_was_taken(
    postgres: EmbeddedPostgres, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faults, "positions", lambda sizes: 6)
    monkeypatch.setattr(faults, "_SHARE", 3)
    with small_pieces(), FaultRuns(postgres, gateway) as runs:
        figures = faults.break_lines(runs, [Way("tcp", False)], time.monotonic() + 1000)
    assert (figures["offsets"], figures["offsets cut"]) == (6, 6)


def test_an_order_takes_each_once() -> None:
    order = faults._Order(1234)
    assert sorted(order.take() for _ in range(1234)) == [(number, 0) for number in range(1234)]
    assert order.taken == 1234
    assert order.take()[1] == 1


def test_an_order_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = faults._Order(1000)
    taken = [whole.take() for _ in range(1000)]
    monkeypatch.setenv(faults.BEGUN, "0.25")
    rest = faults._Order(1000)
    assert [rest.take() for _ in range(750)] == taken[250:]
    monkeypatch.setenv(faults.BEGUN, "1")
    assert faults._Order(1000).take() == (taken[0][0], 1)


@pytest.fixture
def levels() -> Iterator[None]:
    """What loggers are told stays in this test."""
    before = {name: logging.getLogger(name).level for name in ("neonps", "psycopg.pool")}
    yield
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)


@pytest.mark.usefixtures("levels")
def test_soak() -> None:
    figures = soak.main(2, after=1_500)
    assert figures["transfers"] == figures["committed"] + figures["failed"] + figures["unknown"]


def test_fuzz(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    figures = fuzz.main(1.5)
    assert 0 < figures["of these taken"] < figures["inputs at random"]
    assert "atheris is not installed" in capsys.readouterr().out


@pytest.mark.parametrize("topic", topics())
def test_every_topic_is_there(topic: str) -> None:
    assert callable(import_module(f"long.{topic}").main)
