"""What does it cost the client to fetch many rows? Its CPU time, without the server's and the gateway's."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from decimal import Decimal
from hashlib import md5
from typing import Any
from uuid import UUID

from . import apart
from .apart import Lap
from .bench import Bench, Run
from .drivers import DRIVERS, PsycopgLike
from .peers import PSYCOPG
from .table import Table

ROWS = 200_000

#: How many rows a statement has returned before it counts as prepared. A number of another type would make another one.
SAMPLE = 40_000

NARROW = "n::int4 AS a, n * 1000000007::int8 AS b, n / 7.0::float8 AS c, 'row number ' || n AS d"
WIDE = (
    f"{NARROW}, '2026-01-01 12:34:56.789+00'::timestamptz + n * interval '1 second' AS e,"
    " (n / 100.0)::numeric(12, 2) AS f, mod(n, 2) = 0 AS g, md5(n::text)::uuid AS h"
)

#: The columns of a result, by what the tables call them.
RESULTS = {
    "(int4, int8, float8, text)": NARROW,
    "(int4, int8, float8, text, timestamptz, numeric, bool, uuid)": WIDE,
}

#: The columns of the tables that goals are set for.
FETCHALL, PREPARED = "fetchall", "fetchall, prepared"


def query(columns: str, rows: int | str) -> str:
    """A query for so many rows; a placeholder can stand for their number."""
    return f"SELECT {columns} FROM generate_series(1, {rows}) AS n"


def row(columns: str, number: int) -> tuple[Any, ...]:
    """What has to come for a row of a query."""
    narrow = (number, number * 1000000007, number / 7.0, f"row number {number}")
    if columns == NARROW:
        return narrow
    time = dt.datetime(2026, 1, 1, 12, 34, 56, 789000, tzinfo=dt.timezone.utc) + dt.timedelta(seconds=number)
    digest = md5(str(number).encode(), usedforsecurity=False).hexdigest()
    return *narrow, time, round(Decimal(number) / 100, 2), number % 2 == 0, UUID(digest)


def measure(bench: Bench) -> Iterator[Table]:
    """Fetch a narrow and a wide result by each driver, and in each manner by those that have several."""
    rows = bench.rows(ROWS)
    for title, columns in RESULTS.items():
        table = Table(f"CPU time for {rows:,} rows of {title}", "s", PSYCOPG)
        for name, laps in bench.compare([fetching(columns, rows, *way) for way in ways(bench, binary=True)]):
            for lap in laps:
                table.add(name, lap.name, lap.cpu)
        for column in (FETCHALL, PREPARED):
            for transport in ("tcp", "websocket"):
                table.aim(f"neonps {transport}", column, 1.3, PSYCOPG)
        for transport in ("tcp", "websocket"):
            table.aim(f"neonps {transport}", FETCHALL, 1 / 3, "pg8000")
        table.aim("neonps http", FETCHALL, 1 / 2, "neon-serverless")
        yield table


def ways(bench: Bench, *, binary: bool = False) -> Iterator[tuple[str, dict[str, Any], dict[str, str]]]:
    """The drivers: for each the name, what `DRIVERS` needs, and variables of the environment.

    Args:
        bench: says which there are.
        binary: also those again that ask for values in binary form only if they are told to.
    """
    dsn = bench.servers.dsn()
    gateway = f"http://127.0.0.1:{bench.servers.gateway_port}"
    for peer in bench.peers:
        options: dict[str, Any] = {"endpoint": f"{gateway}/sql"} if peer.driver == "neon-serverless" else {}
        yield peer.name, {"driver": peer.driver, "url": dsn, "options": options}, peer.variables
        if binary and peer.name == PSYCOPG:
            yield (
                f"{peer.name}, binary",
                {"driver": peer.driver, "url": dsn, "options": {"binary": True}},
                peer.variables,
            )
    for transport in bench.transports:
        options = {"transport": transport, "gateway": gateway} if transport != "tcp" else {"transport": "tcp"}
        yield f"neonps {transport}", {"driver": "neonps", "url": dsn, "options": options}, {}
        if binary and transport != "http":
            yield (
                f"neonps {transport}, binary",
                {"driver": "neonps", "url": dsn, "options": {**options, "binary": True}},
                {},
            )


def fetching(columns: str, rows: int, name: str, arguments: dict[str, Any], variables: dict[str, str]) -> Run:
    """A run of `fetch`."""

    def start(turn: int) -> list[Lap]:
        call = {**arguments, "columns": columns, "rows": rows, "turn": turn}
        return apart.run("fetching.fetch", call, variables=variables)

    return Run(name, start)


def fetch(driver: str, url: str, options: dict[str, Any], columns: str, rows: int, turn: int) -> Iterator[str]:
    """A lap for each manner of fetching.

    Before the first, all rows are fetched once, and each manner is tried with some: that pays for imports, and for
    memory that is had from the system for the first time. With each turn another manner is the first.
    """
    made = DRIVERS[driver](url, **options)
    if isinstance(made, PsycopgLike):
        made.connection.prepare_threshold = None  # only what is to be prepared
    result = made.fetchall(query(columns, rows))
    for number in (1, rows):
        assert tuple(result[number - 1]) == row(columns, number), result[number - 1]
    del result
    found = list(manners(made, columns).items())
    for name, way in found:
        assert way(10) == 10, name
    yield ""
    for name, way in found[turn % len(found) :] + found[: turn % len(found)]:
        assert way(rows) == rows, name
        yield name
    made.close()


def manners(made: Any, columns: str) -> dict[str, Callable[[int], int]]:
    """Functions that fetch so many rows, and count them."""
    found: dict[str, Callable[[int], int]] = {FETCHALL: lambda rows: len(made.fetchall(query(columns, rows)))}
    if getattr(made, "session", False):
        prepared = made.prepare(query(columns, made.PLACEHOLDER), SAMPLE)
        found[PREPARED] = lambda rows: len(prepared(rows))
    return {**found, **cursors(made, columns)} if isinstance(made, PsycopgLike) else found


def cursors(made: PsycopgLike, columns: str) -> dict[str, Callable[[int], int]]:
    """The same for what neonps and psycopg have beside `fetchall()`."""
    dict_row = made.module.rows.dict_row

    def dicts(rows: int) -> int:
        with made.connection.cursor(row_factory=dict_row, binary=made.binary) as cursor:
            return len(cursor.execute(query(columns, rows)).fetchall())

    def iterate(rows: int) -> int:
        return sum(1 for _ in made.connection.execute(query(columns, rows), binary=made.binary))

    def stream(rows: int) -> int:
        with made.connection.cursor(binary=made.binary) as cursor:
            return sum(1 for _ in cursor.stream(query(columns, rows)))

    def server_cursor(rows: int) -> int:
        with made.connection.transaction(), made.connection.cursor("benchmark", binary=made.binary) as cursor:
            cursor.itersize = 1000
            cursor.execute(query(columns, rows))
            return sum(1 for _ in cursor)

    found: dict[str, Callable[[int], int]] = {"dict_row": dicts, "iterating": iterate, "stream()": stream}
    return {**found, "server cursor": server_cursor} if made.session else found
