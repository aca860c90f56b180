"""What does it cost the client to fetch many rows? Its CPU time, without the server's and the gateway's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from .bench import Bench
from .drivers import DRIVERS
from .peers import PSYCOPG
from .table import Table

ROWS = 200_000

NARROW = "n::int4 AS a, n * 1000000007::int8 AS b, n / 7.0::float8 AS c, 'row number ' || n AS d"
WIDE = (
    f"{NARROW}, '2026-01-01 12:34:56.789+00'::timestamptz + n * interval '1 second' AS e,"
    " (n / 100.0)::numeric(12, 2) AS f, n % 2 = 0 AS g, md5(n::text)::uuid AS h"
)

#: The columns of a result, by what the tables call them.
RESULTS = {
    "(int4, int8, float8, text)": NARROW,
    "(int4, int8, float8, text, timestamptz, numeric, bool, uuid)": WIDE,
}


def query(columns: str, rows: int) -> str:
    """A query for so many rows."""
    return f"SELECT {columns} FROM generate_series(1, {rows}) AS n"


def measure(bench: Bench) -> Iterator[Table]:
    """Fetch a narrow and a wide result by each driver, and in each manner by those that have several."""
    rows = bench.rows(ROWS)
    for title, columns in RESULTS.items():
        table = Table(f"CPU time for {rows:,} rows of {title}", "s", PSYCOPG)
        for name, arguments, variables in ways(bench):
            call = {**arguments, "query": query(columns, rows), "rows": rows}
            for lap in bench.run(name, "fetching.fetch", call, variables):
                table.add(name, lap.name, lap.cpu)
        yield table


def ways(bench: Bench) -> Iterator[tuple[str, dict[str, Any], dict[str, str]]]:
    """The drivers: for each the name, what `DRIVERS` needs, and variables of the environment."""
    dsn = bench.servers.dsn()
    gateway = f"http://127.0.0.1:{bench.servers.gateway_port}"
    for peer in bench.peers:
        options = {"endpoint": f"{gateway}/sql"} if peer.driver == "neon-serverless" else {}
        yield peer.name, {"driver": peer.driver, "url": dsn, "options": options}, peer.variables
    for transport in bench.transports:
        options = {"transport": transport, "gateway": gateway} if transport != "tcp" else {"transport": "tcp"}
        yield f"neonps {transport}", {"driver": "neonps", "url": dsn, "options": options}, {}


def fetch(driver: str, url: str, options: dict[str, Any], query: str, rows: int) -> Iterator[str]:
    """A lap for each manner of fetching. The first, which pays for imports, is not reported."""
    made = DRIVERS[driver](url, **options)
    made.fetchall(query.replace(f"(1, {rows})", "(1, 10)"))
    yield ""
    assert len(made.fetchall(query)) == rows
    yield "fetchall"
    if driver in ("neonps", "psycopg"):
        for name, way in manners(made, query, options.get("transport") != "http").items():
            assert way() == rows, name
            yield name
    made.close()


def manners(made: Any, query: str, session: bool) -> dict[str, Callable[[], int]]:
    """For neonps and psycopg: functions that fetch all rows, and count them.

    Args:
        made: the driver.
        query: that gives the rows.
        session: whether there can be server-side cursors.
    """
    dict_row = made.module.rows.dict_row

    def dicts() -> int:
        with made.connection.cursor(row_factory=dict_row) as cursor:
            return len(cursor.execute(query).fetchall())

    def iterate() -> int:
        return sum(1 for _ in made.connection.execute(query))

    def stream() -> int:
        with made.connection.cursor() as cursor:
            return sum(1 for _ in cursor.stream(query))

    def server_cursor() -> int:
        with made.connection.transaction(), made.connection.cursor("benchmark") as cursor:
            cursor.itersize = 1000
            cursor.execute(query)
            return sum(1 for _ in cursor)

    found = {"dict_row": dicts, "iterating": iterate, "stream()": stream}
    return {**found, "server cursor": server_cursor} if session else found
