"""How much memory do many rows take? The peak of the process above what it had before, each in one of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .bench import Bench
from .drivers import DRIVERS
from .fetching import NARROW, manners, query, ways
from .peers import PSYCOPG
from .table import Table

ROWS = 300_000

#: The manners that are measured: of `fetching.manners`, and those of `hold`.
MANNERS = ("stream()", "server cursor", "COPY", "fetchall")


def measure(bench: Bench) -> Iterator[Table]:
    """Have the same rows in each manner, and let go of them but for fetchall()."""
    rows = bench.rows(ROWS)
    table = Table(f"Peak of memory for {rows:,} rows of (int4, int8, float8, text)", "B", PSYCOPG)
    for name, arguments, variables in ways(bench):
        sessions = arguments["driver"] in ("neonps", "psycopg") and arguments["options"].get("transport") != "http"
        for manner in MANNERS if sessions else ("fetchall",):
            call = {**arguments, "rows": rows, "manner": manner}
            for lap in bench.run(f"{name}, {manner}", "memory.hold", call, variables):
                table.add(name, manner, lap.peak)
    yield table


def hold(driver: str, url: str, options: dict[str, Any], rows: int, manner: str) -> Iterator[str]:
    """A single lap."""
    made = DRIVERS[driver](url, **options)
    made.fetchall(query(NARROW, 10))
    wanted = query(NARROW, rows)
    yield ""
    if manner == "fetchall":
        assert len(made.fetchall(wanted)) == rows
    elif manner == "COPY":
        with made.connection.cursor() as cursor, cursor.copy(f"COPY ({wanted}) TO STDOUT") as copy:
            assert sum(1 for _ in copy.rows()) == rows
    else:
        assert manners(made, wanted, True)[manner]() == rows
    yield manner
    made.close()
