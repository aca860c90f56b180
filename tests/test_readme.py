"""What the README and the example promise: each program runs as it stands, and prints what is shown."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

#: A program, and what it prints.
_block = re.compile(
    r"^```python\n(?P<program>.*?)^```\n(?:\n```output\n(?P<output>.*?)^```\n)?", re.MULTILINE | re.DOTALL
)
_link = re.compile(r"\[[^\]]*\]\((?!https?:)(?P<file>[^)#]*)#?(?P<heading>[^)]*)\)")
_heading = re.compile(r"^#+ (.*)$", re.MULTILINE)
_fenced = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def programs(page: str) -> list[Any]:
    """The programs of a page and what each prints, as parameters of a test."""
    return [
        pytest.param(match["program"], match["output"], id=f"line {page.count(chr(10), 0, match.start()) + 1}")
        for match in _block.finditer(page)
    ]


BLOCKS = programs(README)

READ_SQL = (
    "import pandas, neonps, os; "
    "print(pandas.read_sql('select 1 as x', neonps.connect(os.environ['DATABASE_URL'], transport='{}')))"
)


def run(*arguments: str, url: str | None) -> subprocess.CompletedProcess[str]:
    """Run Python with `DATABASE_URL` set to `url`, or not set."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "NEONPS_"))}
    environment.pop("DATABASE_URL", None)
    environment.update({"PYTHONIOENCODING": "utf-8", **({} if url is None else {"DATABASE_URL": url})})
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )


def check_program(program: str, output: str | None, url: str, directory: Path, *options: str) -> None:
    """Run a program with `options` of Python, and compare what it prints with what is shown."""
    path = directory / "try.py"
    path.write_text(program, encoding="utf-8")
    ran = run(*options, str(path), url=url)
    assert ran.stderr == ""
    assert ran.returncode == 0
    assert ran.stdout == output


def lines(text: str) -> list[str]:
    """The lines of a text, without the space around each."""
    return [" ".join(line.split()) for line in text.splitlines()]


@pytest.mark.parametrize(("program", "output"), BLOCKS)
def test_programs_of_the_readme_print_what_it_says(program: str, output: str | None, url: str, tmp_path: Path) -> None:
    check_program(program, output, url, tmp_path, "-W", "default::ResourceWarning")


def test_the_readme_has_programs() -> None:
    assert len(BLOCKS) >= 4
    assert README.count("```python") == len(BLOCKS)


@pytest.mark.parametrize("transport", ["http", "websocket"])
def test_read_sql_in_one_line(transport: str, url: str) -> None:
    ran = run("-c", READ_SQL.format(transport), url=url)
    assert ran.returncode == 0, ran.stderr
    assert lines(ran.stdout) == ["x", "0 1"]


# The tour

TOUR = """
A query with parameters, over HTTP
name setting
TimeZone UTC
max_connections 100
server_encoding UTF8

A batch as a transaction, over HTTP
2 accounts are opened.
Grace cannot pay 500: new row for relation "neonps_tour" violates check constraint "neonps_tour_balance_check"
owner balance
Ada 100.00
Grace 250.00

An interactive transaction with a rollback, over WebSocket
Ada has 100.00. Inside of the transaction she gives all of it away:
owner balance
Ada 0.00
Grace 250.00
After the rollback:
owner balance
Ada 100.00
Grace 250.00

A cursor loop, over WebSocket
1. Grace 250.00
2. Ada 100.00

pandas.read_sql, over HTTP
"""
WITH_PANDAS = ["owner balance", "0 Ada 100.0", "1 Grace 250.0"]
WITHOUT_PANDAS = ["left out: pandas is not installed"]

HIDE_PANDAS = "import runpy, sys; sys.modules['pandas'] = None; runpy.run_path('examples/tour.py', run_name='__main__')"


@pytest.mark.parametrize(
    ("arguments", "last_lines"),
    [
        pytest.param(["examples/tour.py"], WITH_PANDAS, id="with pandas"),
        pytest.param(["-c", HIDE_PANDAS], WITHOUT_PANDAS, id="without pandas"),
    ],
)
def test_the_tour_shows_everything(
    arguments: list[str], last_lines: list[str], url: str, admin: psycopg.Connection[object]
) -> None:
    ran = run("-W", "default::ResourceWarning", *arguments, url=url)
    assert ran.stderr == ""
    assert ran.returncode == 0
    http, websocket, *rest = [line for line in lines(ran.stdout) if set(line) != {"-"}]
    assert re.fullmatch(r"http PostgreSQL [\d.]+, database postgres", http)
    assert re.fullmatch(r"websocket PostgreSQL [\d.]+, database postgres", websocket)
    assert rest == TOUR.splitlines() + last_lines
    assert admin.execute("select to_regclass('neonps_tour')").fetchone() == (None,)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        pytest.param(None, "Set DATABASE_URL", id="missing"),
        pytest.param("", "Set DATABASE_URL", id="empty"),
        pytest.param(
            "postgresql://ada:sesame@localhost/db?gateway=http://127.0.0.1:1", "Connection refused", id="unreachable"
        ),
        pytest.param("postgresql://ada:sesame@localhost/db", "needs an endpoint", id="no gateway"),
    ],
)
def test_the_tour_says_why_it_cannot_start(url: str | None, why: str) -> None:
    ran = run("examples/tour.py", url=url)
    assert ran.returncode == 1
    assert ran.stdout == ""
    assert why in ran.stderr
    assert ran.stderr.count("\n") == 1
    assert "sesame" not in ran.stderr


# Links


def anchors(page: Path) -> set[str]:
    """What the headings of a page are called in links, as GitHub does it."""
    text = _fenced.sub("", page.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-").lower() for heading in _heading.findall(text)}


@pytest.mark.parametrize("page", [pytest.param(page, id=page.name) for page in PAGES])
def test_links_lead_somewhere(page: Path) -> None:
    for match in _link.finditer(page.read_text(encoding="utf-8")):
        target = (page.parent / match["file"]).resolve() if match["file"] else page
        assert target.exists(), match[0]
        assert not match["heading"] or match["heading"] in anchors(target), match[0]
