"""The benchmarks run. Of the figures only those are looked at that are counted, whatever the speed of the machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from node_packages import cache_dir, node_packages

# Dozens of processes are started, one after the other.
pytestmark = pytest.mark.timeout(300)

ROOT = Path(__file__).parent.parent

TABLES = {"connecting": 2, "statements": 2, "fetching": 2, "sending": 1, "memory": 2, "cold_start": 1, "analytics": 5}


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the benchmarks, and see that nothing was left open."""
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-m", "benchmarks", *arguments],
        cwd=ROOT,
        env={**os.environ, **variables},
        capture_output=True,
        encoding="utf-8",
        timeout=290,
    )
    assert "Traceback" not in done.stderr, done.stderr
    assert "ResourceWarning" not in done.stderr, done.stderr
    return done


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a run of everything has written, and as "printed" and "page" what it has printed, and its page."""
    directory = tmp_path_factory.mktemp("benchmarks")
    path, page = directory / "figures.json", directory / "page.md"
    with suppress(pytest.skip.Exception):  # without them, the JavaScript driver is left out
        node_packages()
    files = ["--json", str(path), "--results", str(page)]
    done = run("--quick", *files, NODE_PATH=str(cache_dir() / "node_modules"))
    assert done.returncode == 0, done.stderr
    written = {"printed": done.stdout, "page": page.read_text(encoding="utf-8")}
    return {**json.loads(path.read_text(encoding="utf-8")), **written}


@pytest.mark.parametrize("question", TABLES)
def test_a_question(figures: dict[str, Any], question: str) -> None:
    tables = figures["answers"][question]
    ours = "neonps websocket" if question != "connecting" else "neonps websocket scram lazy"
    assert len(tables) == TABLES[question]
    for table in tables:
        assert table["title"] in figures["printed"]
        assert f"**{table['title']}" in figures["page"]
        assert ours in table["rows"]
        assert "psycopg (C)" in table["rows"] or table["title"].endswith("in batches")  # which psycopg has not


def test_the_javascript_driver(figures: dict[str, Any]) -> None:
    if any(name.startswith("JavaScript") for name in figures["left out"]):
        pytest.skip("Node, or the packages, could not be had")
    assert "JavaScript websocket" in figures["answers"]["connecting"][0]["rows"]


def test_round_trips_are_those_that_are_aimed_at(figures: dict[str, Any]) -> None:
    """They are counted, so that it does not matter how busy the machine is."""
    for question in ("connecting", "statements"):
        goals = figures["answers"][question][0]["goals"]
        assert goals
        for goal in goals:
            # A client that still sends while answers come in is counted once more, though it does not wait.
            assert goal["met"] or goal["column"].startswith("executemany"), goal


def test_the_page(figures: dict[str, Any]) -> None:
    page = figures["page"]
    assert "| processor | " in page
    assert f"| psycopg | {metadata.version('psycopg')} |" in page
    assert "| 1 | Round trips, with TLS: neonps http, first row | 3, to be at most 3 | met |" in page
    verdicts = [line.rsplit("| ", 1)[1] for line in page.splitlines() if ", to be at most " in line]
    assert len(verdicts) == sum(len(table["goals"]) for tables in figures["answers"].values() for table in tables)
    assert set(verdicts) <= {"met |", "missed |"}


def test_one_question() -> None:
    done = run("cold_start", "--quick")
    assert done.returncode == 0, done.stderr
    assert "\n== cold_start: " in done.stdout
    assert "\n== memory: " not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing"], "no such question: nothing; there are connecting, "),
        (["--json", "/nowhere/x.json"], "there is no directory /nowhere"),
        (["--results", "/nowhere/x.md"], "there is no directory /nowhere"),
        (["--repeat", "0"], "--repeat, --scale and --budget have to be positive"),
    ],
)
def test_bad_arguments(arguments: list[str], message: str) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert message in done.stderr
