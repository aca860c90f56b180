"""What the README says beside its programs: the line for pandas, and the tour."""

from __future__ import annotations

import re

import psycopg
import pytest
from pages import run

READ_SQL = (
    "import pandas, neonps, os; "
    "print(pandas.read_sql('select 1 as x', neonps.connect(os.environ['DATABASE_URL'], transport='{}')))"
)


def lines(text: str) -> list[str]:
    """The lines of a text, without the space around each."""
    return [" ".join(line.split()) for line in text.splitlines()]


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
