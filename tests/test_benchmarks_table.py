"""What the benchmarks make of figures: the best, the noise, ratios, goals, and in which order things are measured."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

ROOT = Path(__file__).parent.parent

if TYPE_CHECKING:
    from benchmarks.bench import Bench
    from benchmarks.table import Table


@pytest.fixture(autouse=True)
def on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """The benchmarks are no part of what is installed."""
    monkeypatch.syspath_prepend(str(ROOT))


@pytest.fixture
def table() -> Table:
    from benchmarks.table import Table

    table = Table("CPU time", "s", "psycopg")
    for value in (0.1, 0.2, 0.12):
        table.add("psycopg", "fetchall", value)
    for value in (0.15, 0.14):
        table.add("neonps", "fetchall", value)
    table.add("neonps", "stream()", 0.3)
    return table


def test_a_table(table: Table) -> None:
    title, *lines = str(table).split("\n")
    assert title == "CPU time, ms; x is the ratio to psycopg; + is how far the median is above it"
    assert [line.split() for line in lines] == [
        ["fetchall", "stream()", "runs"],
        ["psycopg", "100.0", "+20%", "1.00", "x", "-", "3"],
        ["neonps", "140.0", "+4%", "1.40", "x", "300.0", "+0%", "2"],
    ]


def test_of_memory_the_worst_counts() -> None:
    from benchmarks.table import Table

    table = Table("Memory", "B", "psycopg")
    for value in (1e6, 3e6, 2e6):
        table.add("psycopg", "fetchall", value)
    assert table.value("psycopg", "fetchall") == 3e6


@pytest.mark.parametrize(
    ("limit", "to", "text", "verdict"),
    [
        (1.41, "psycopg", "1.40 x psycopg, to be at most 1.41 x", "met"),
        (1.3, "psycopg", "1.40 x psycopg, to be at most 1.30 x", "missed, by the medians met"),
        (1.0, "psycopg", "1.40 x psycopg, to be at most 1.00 x", "missed"),
        (0.2, None, "140.0 ms, to be at most 200.0 ms", "met"),
        (0.142, None, "140.0 ms, to be at most 142.0 ms", "met, by the medians missed"),
    ],
)
def test_a_goal(table: Table, limit: float, to: str | None, text: str, verdict: str) -> None:
    table.aim("neonps", "fetchall", limit, to)
    (outcome,) = table.outcomes()
    assert (outcome.text, outcome.verdict) == (text, verdict)


def test_a_goal_that_another_column_sets(table: Table) -> None:
    table.aim("neonps", "stream()", 2, "psycopg", "fetchall")
    (outcome,) = table.outcomes()
    assert (outcome.text, outcome.verdict) == ("3.00 x psycopg, fetchall, to be at most 2.00 x", "missed")


def test_a_goal_of_which_there_is_no_figure(table: Table) -> None:
    table.aim("neonps", "fetchall", 1, "pg8000")
    table.aim("neonps", "COPY", 1)
    assert list(table.outcomes()) == []


@pytest.fixture
def bench() -> Callable[..., Bench]:
    from benchmarks.bench import Bench

    def make(**keywords: Any) -> Bench:
        arguments = {"servers": None, "peers": [], "javascript": [], "transports": [], "quick": False, "failures": []}
        return Bench(**{**arguments, "repeat": 3, "budget": 60.0, "scale": 1.0, "delay": 0.0, **keywords})

    return make


def names_of(bench: Bench, runs: list[Any]) -> list[str]:
    return [name for name, _ in bench.compare(runs)]


def test_runs_take_turns(bench: Callable[..., Bench]) -> None:
    from benchmarks.bench import Run

    turns: list[int] = []
    runs = [Run("a", lambda turn: turns.append(turn) or []), Run("b", lambda turn: [])]
    assert names_of(bench(), runs) == ["a", "b", "b", "a", "a", "b"]
    assert turns == [0, 1, 2]


def test_what_takes_too_long_is_measured_twice(bench: Callable[..., Bench]) -> None:
    from benchmarks.bench import Run

    assert names_of(bench(budget=1e-12), [Run("a", lambda turn: [])]) == ["a", "a"]


def test_what_fails_is_not_tried_again(bench: Callable[..., Bench]) -> None:
    from benchmarks.apart import Failed
    from benchmarks.bench import Run

    def fail(turn: int) -> list[Any]:
        raise Failed("it is broken")

    made = bench()
    assert names_of(made, [Run("a", fail), Run("b", lambda turn: [])]) == ["b", "b", "b"]
    assert made.failures == ["a: it is broken"]


def test_a_program_that_fails_says_why() -> None:
    from benchmarks.apart import Failed, follow

    with pytest.raises(Failed, match=r"^ZeroDivisionError: division by zero$"):
        follow([sys.executable, "-c", "1 / 0"], None, None)
