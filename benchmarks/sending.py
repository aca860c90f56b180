"""What does it cost the client to send many rows? Its CPU time, without the server's and the gateway's."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, repeat
from typing import Any

from .bench import Bench, python
from .drivers import DRIVERS
from .fetching import ways
from .peers import PSYCOPG
from .table import Table

INSERTED = 50_000
COPIED = 1_000_000

#: How many rows are made for COPY, that go again and again: making each anew would take as long as sending it.
DIFFERENT = 10_000


def measure(bench: Bench) -> Iterator[Table]:
    """Insert rows, and copy them where there is COPY."""
    inserted, copied = bench.rows(INSERTED), bench.rows(COPIED)
    table = Table("CPU time for rows of (int4, int8, float8, text)", "s", PSYCOPG)
    columns = {"executemany": f"executemany, {inserted:,} rows", "copy": f"write_row, {copied:,} rows"}
    with bench.servers.connect() as admin:
        admin.execute("DROP TABLE IF EXISTS benchmark")
        admin.execute("CREATE UNLOGGED TABLE benchmark (a int4, b int8, c float8, d text)")
        runs = [
            python(name, "sending.send", {**arguments, "inserted": inserted, "copied": copied}, variables)
            for name, arguments, variables in ways(bench)
        ]
        for name, laps in bench.compare(runs, between=lambda: admin.execute("TRUNCATE benchmark")):
            for lap in laps:
                table.add(name, columns[lap.name], lap.cpu)
        admin.execute("DROP TABLE benchmark")
    for column in columns.values():
        table.aim("neonps tcp", column, 1.5, PSYCOPG)
        # Masking is all that it does more: that shall not be the larger part.
        table.aim("neonps websocket", column, 2, "neonps tcp")
    yield table


def send(driver: str, url: str, options: dict[str, Any], inserted: int, copied: int) -> Iterator[str]:
    """A lap for inserting, and one for copying."""
    made = DRIVERS[driver](url, **options)
    values, again = list(rows(inserted)), list(rows(min(copied, DIFFERENT)))
    made.executemany(values[:100], 4)
    if getattr(made, "session", False):
        made.copy(again[:100])
    yield ""
    made.executemany(values, 4)
    yield "executemany"
    if getattr(made, "session", False):
        made.copy(chain.from_iterable(repeat(again, copied // len(again))))
        yield "copy"
    made.close()


def rows(number: int) -> Iterator[tuple[int, int, float, str]]:
    """So many rows."""
    return ((n, n * 1000000007, n / 7.0, f"row number {n}") for n in range(number))
