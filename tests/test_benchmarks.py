"""The benchmarks run. What they measure is not looked at: nothing here depends on how fast a machine is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from node_packages import node_packages

ROOT = Path(__file__).parent.parent

TABLES = {"connecting": 2, "statements": 2, "fetching": 2, "sending": 1, "memory": 1, "cold_start": 1}


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


@pytest.mark.parametrize("question", TABLES)
def test_a_question(tmp_path: Path, question: str) -> None:
    path = tmp_path / "figures.json"
    done = run(question, "--quick", "--json", str(path))
    assert done.returncode == 0, done.stderr
    figures: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    assert list(figures["answers"]) == [question]
    tables = figures["answers"][question]
    assert len(tables) == TABLES[question]
    for table in tables:
        assert table["title"] in done.stdout
        assert {"psycopg (C)", "neonps http"} <= set(table["rows"])
        assert all(value >= 0 for cells in table["rows"].values() for value in cells.values())


def test_the_javascript_driver() -> None:
    done = run("connecting", "--quick", NODE_PATH=str(node_packages()))
    assert done.returncode == 0, done.stderr
    assert "\nJavaScript websocket " in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing"], "no such question: nothing; there are connecting, "),
        (["--repeat", "0"], "--repeat and --scale have to be positive"),
    ],
)
def test_bad_arguments(arguments: list[str], message: str) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert message in done.stderr
