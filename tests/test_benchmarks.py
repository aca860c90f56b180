"""The benchmarks run. What they measure is not looked at: nothing here depends on how fast a machine is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from node_packages import cache_dir, node_packages

ROOT = Path(__file__).parent.parent

TABLES = {"connecting": 2, "statements": 2, "fetching": 2, "analytics": 4, "sending": 1, "memory": 1, "cold_start": 1}


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the benchmarks, and see that nothing was left open."""
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-m", "benchmarks", *arguments],
        cwd=ROOT,
        env={**os.environ, **variables},
        capture_output=True,
        encoding="utf-8",
        timeout=110,
    )
    assert "Traceback" not in done.stderr, done.stderr
    assert "ResourceWarning" not in done.stderr, done.stderr
    return done


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a run of everything has written, and as "printed" what it has printed."""
    path = tmp_path_factory.mktemp("benchmarks") / "figures.json"
    with suppress(pytest.skip.Exception):  # without them, the JavaScript driver is left out
        node_packages()
    done = run("--quick", "--json", str(path), NODE_PATH=str(cache_dir() / "node_modules"))
    assert done.returncode == 0, done.stderr
    return {**json.loads(path.read_text(encoding="utf-8")), "printed": done.stdout}


@pytest.mark.parametrize("question", TABLES)
def test_a_question(figures: dict[str, Any], question: str) -> None:
    tables = figures["answers"][question]
    assert len(tables) == TABLES[question]
    for table in tables:
        assert table["title"] in figures["printed"]
        assert {"psycopg (C)", "neonps http"} <= set(table["rows"])


def test_the_javascript_driver(figures: dict[str, Any]) -> None:
    if any(name.startswith("JavaScript") for name in figures["left out"]):
        pytest.skip("Node, or the packages, could not be had")
    assert "JavaScript websocket" in figures["answers"]["connecting"][0]["rows"]


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
        (["--repeat", "0"], "--repeat and --scale have to be positive"),
    ],
)
def test_bad_arguments(arguments: list[str], message: str) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert message in done.stderr
