"""What does it cost the client to send many rows? Its CPU time, without the server's and the gateway's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import neonps

from .bench import Bench
from .drivers import DRIVERS
from .fetching import ways
from .peers import PSYCOPG
from .table import Table

INSERTED = 50_000
COPIED = 200_000


def measure(bench: Bench) -> Iterator[Table]:
    """Insert rows, and copy them where there is COPY."""
    inserted, copied = bench.rows(INSERTED), bench.rows(COPIED)
    table = Table("CPU time for rows of (int4, int8, float8, text)", "s", PSYCOPG)
    columns = {"executemany": f"executemany, {inserted:,} rows", "copy": f"write_row, {copied:,} rows"}
    with neonps.connect(bench.servers.dsn(), transport="tcp", autocommit=True) as admin:
        admin.execute("DROP TABLE IF EXISTS benchmark")
        admin.execute("CREATE TABLE benchmark (a int4, b int8, c float8, d text)")
        for name, arguments, variables in ways(bench):
            call = {**arguments, "inserted": inserted, "copied": copied}
            for lap in bench.run(name, "sending.send", call, variables):
                table.add(name, columns[lap.name], lap.cpu)
            admin.execute("TRUNCATE benchmark")
        admin.execute("DROP TABLE benchmark")
    yield table


def send(driver: str, url: str, options: dict[str, Any], inserted: int, copied: int) -> Iterator[str]:
    """A lap for inserting, and one for copying."""
    made = DRIVERS[driver](url, **options)
    made.executemany(list(rows(10)), 4)
    values = list(rows(inserted))
    yield ""
    made.executemany(values, 4)
    yield "executemany"
    if driver in ("neonps", "psycopg") and options.get("transport") != "http":
        with made.connection.cursor() as cursor, cursor.copy("COPY benchmark FROM STDIN") as copy:
            for row in rows(copied):
                copy.write_row(row)
        yield "copy"
    made.close()


def rows(number: int) -> Iterator[tuple[int, int, float, str]]:
    """So many rows."""
    return ((n, n * 1000000007, n / 7.0, f"row number {n}") for n in range(number))
