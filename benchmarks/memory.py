"""How much memory do many rows take? The peak of the process above what it had before, each in one of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .bench import Bench, Run, python
from .drivers import DRIVERS
from .fetching import FETCHALL, NARROW, cursors, query, row, ways
from .peers import PSYCOPG
from .table import Table

STREAMED = 5_000_000
FETCHED = 300_000

#: So many are fetched before: enough to have imported what loads many, and too few to leave memory behind for them.
WARM = 50

#: The manners of having rows one after the other: of `fetching.cursors`, and one of `hold`.
STREAMING = ("stream()", "server cursor", "COPY")

#: The limit for them.
LIMIT = 40e6

#: Whom to compare with there: psycopg in Python would take minutes, and holds its rows in the same way.
STREAMED_BY = (PSYCOPG, "neonps tcp", "neonps websocket")

#: The row of what Python's objects take.
OBJECTS = "the objects alone"


def measure(bench: Bench) -> Iterator[Table]:
    """Have many rows one after the other, and let go of each; then have some and keep them."""
    yield streaming(bench)
    yield keeping(bench)


def streaming(bench: Bench) -> Table:
    """Have each row once."""
    rows = bench.rows(STREAMED)
    table = Table(f"Peak of memory for {rows:,} rows of (int4, int8, float8, text), one after the other", "B", PSYCOPG)
    for manner in STREAMING:
        found = [hold_run(rows, manner, *way) for way in ways(bench) if way[0] in STREAMED_BY]
        for name, laps in bench.compare(found, least=1):
            for lap in laps:
                table.add(name, manner, lap.peak)
    for transport in ("tcp", "websocket"):
        for manner in STREAMING:
            table.aim(f"neonps {transport}", manner, LIMIT)
    return table


def keeping(bench: Bench) -> Table:
    """Have all rows at once."""
    rows = bench.rows(FETCHED)
    table = Table(f"Peak of memory for {rows:,} rows of (int4, int8, float8, text), kept", "B", PSYCOPG)
    runs = [hold_run(rows, FETCHALL, *way) for way in ways(bench)]
    runs.append(python(OBJECTS, "memory.objects", {"rows": rows}))
    for name, laps in bench.compare(runs, repeat=min(2, bench.repeat)):
        for lap in laps:
            table.add(name, FETCHALL, lap.peak)
    objects = table.value(OBJECTS, FETCHALL)
    if objects is not None:
        for transport in bench.transports:
            sent = length(bench, rows, "json" if transport == "http" else "wire")
            table.aim(f"neonps {transport}", FETCHALL, objects + sent)
    return table


def length(bench: Bench, rows: int, form: str) -> int:
    """The bytes of so many rows: as messages of Postgres (docs 53.7, DataRow), or as JSON of SQL over HTTP."""
    texts = " + ".join(f"octet_length({column}::text)" for column in "abcd")
    frame = {"wire": 1 + 4 + 2 + 4 * 4, "json": 2 + 4 * 3}[form]
    with bench.servers.connect() as connection:
        made = connection.execute(f"SELECT sum({texts} + {frame})::int8 FROM ({query(NARROW, rows)}) AS r").fetchone()
    assert made is not None
    return int(made[0])


def hold_run(rows: int, manner: str, name: str, arguments: dict[str, Any], variables: dict[str, str]) -> Run:
    """A run of `hold`."""
    return python(name, "memory.hold", {**arguments, "rows": rows, "manner": manner}, variables)


def hold(driver: str, url: str, options: dict[str, Any], rows: int, manner: str) -> Iterator[str]:
    """A single lap."""
    made = DRIVERS[driver](url, **options)
    made.fetchall(query(NARROW, WARM))
    yield ""
    if manner == FETCHALL:
        assert len(made.fetchall(query(NARROW, rows))) == rows
    elif manner == "COPY":
        with made.connection.cursor() as cursor, cursor.copy(f"COPY ({query(NARROW, rows)}) TO STDOUT") as copy:
            assert sum(1 for _ in copy.rows()) == rows
    else:
        assert cursors(made, NARROW)[manner](rows) == rows
    yield manner
    made.close()


def objects(rows: int) -> Iterator[str]:
    """A lap that makes the rows without any driver."""
    yield ""
    assert len([row(NARROW, number) for number in range(1, rows + 1)]) == rows
    yield FETCHALL
