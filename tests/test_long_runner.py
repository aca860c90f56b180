"""`python -m tests.long`: what runs the long tests, tried on topics made for it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pages import ROOT

TOPICS = {
    "counting": """
import helper

def main(seconds: float) -> dict[str, int]:
    return {"rounds made": 12345, **helper.more(seconds)}
""",
    "failing": """
def main(seconds: float) -> dict[str, int]:
    lost = 1
    assert lost == 0
    return {}
""",
    "telling": """
def main(seconds: float) -> dict[str, int]:
    raise AssertionError("a row was lost\\nand more")
""",
    "crashing": """
import os

def main(seconds: float) -> dict[str, int]:
    os._exit(7)
""",
    "no_topic": "",
}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A directory with the runner and these topics, and a helper of tests."""
    long = tmp_path / "tests" / "long"
    long.mkdir(parents=True)
    for name in ("__init__.py", "__main__.py"):
        shutil.copy(ROOT / "tests" / "long" / name, long)
    for topic, source in TOPICS.items():
        (long / f"{topic}.py").write_text(source)
    (tmp_path / "tests" / "helper.py").write_text("def more(seconds):\n    return {'of ten': int(10 * seconds)}\n")
    return tmp_path


def run(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-m", "tests.long", *arguments],
        cwd=checkout,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )


def test_figures_are_counted(checkout: Path) -> None:
    ran = run(checkout, "--seconds", "0.5", "--json", "figures.json", "counting")
    assert ran.stderr == ""
    assert ran.returncode == 0
    assert ran.stdout.startswith(
        "== counting ==\n"
        "| topic | counted | figure |\n"
        "|---|---|---|\n"
        "| counting | rounds made | 12,345 |\n"
        "| counting | of ten | 5 |\n"
    )
    figures = json.loads((checkout / "figures.json").read_text())
    assert figures["seconds"] == 0.5
    assert figures["topics"]["counting"]["figures"] == {"rounds made": 12345, "of ten": 5}
    assert figures["topics"]["counting"]["failure"] is None


def test_failures_are_told_and_the_rest_is_run(checkout: Path) -> None:
    ran = run(checkout)
    assert ran.returncode == 1
    assert "| counting | rounds made | 12,345 |" in ran.stdout
    assert "no_topic" not in ran.stdout
    assert ran.stderr.splitlines()[-3:] == [
        "crashing has failed: its process has ended with status 7",
        "failing has failed: AssertionError: assert lost == 0 (failing.py:4)",
        "telling has failed: AssertionError: a row was lost (telling.py:3)",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "there is no topic 'nowhere', but counting, crashing, failing, telling"),
        (["--seconds", "0"], "invalid positive value: '0'"),
        (["--seconds", "nan"], "invalid positive value: 'nan'"),
    ],
)
def test_bad_arguments(checkout: Path, arguments: list[str], message: str) -> None:
    ran = run(checkout, *arguments)
    assert ran.returncode == 2
    assert message in ran.stderr
    assert "Traceback" not in ran.stderr


def test_who_hangs_is_ended(checkout: Path) -> None:
    long = checkout / "tests" / "long"
    (long / "hanging.py").write_text("import threading\n\ndef main(seconds):\n    threading.Event().wait()\n")
    source = (long / "__main__.py").read_text()
    (long / "__main__.py").write_text(source.replace("_HANGS = 1200.0", "_HANGS = 0.0"))
    ran = run(checkout, "--seconds", "0.5", "hanging", "counting")
    assert ran.returncode == 1
    assert 'hanging.py", line 4 in main' in ran.stderr
    assert ran.stderr.endswith("hanging has failed: its process has ended with status 1\n")
    assert "| counting | rounds made | 12,345 |" in ran.stdout


def test_without_assertions_nothing_is_run(checkout: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-O", "-m", "tests.long"], cwd=checkout, capture_output=True, encoding="utf-8", timeout=60
    )
    assert ran.returncode == 2
    assert "-O" in ran.stderr
    assert "== " not in ran.stdout
