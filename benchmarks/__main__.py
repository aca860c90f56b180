"""Measures the client's CPU time over each transport, with psycopg to compare with where it is installed."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import neonps
from neonps.local import serve

#: The variable by which the process that measures learns of the server.
URL = "NEONPS_BENCHMARK_URL"

QUERY = """
SELECT n::int4, n * 1000000007::int8, n / 7.0::float8, 'row number ' || n FROM generate_series(1, %s) AS n
"""
INSERT = "INSERT INTO neonps_benchmark VALUES (%s, %s, %s, %s)"

#: The best of so many runs counts: the others have paid for something else, such as a first import.
RUNS = 3


def fetch(connection: Any, rows: int) -> None:
    """Fetch all of a result."""
    assert len(connection.execute(QUERY, [rows]).fetchall()) == rows


def insert(connection: Any, rows: int) -> None:
    """Insert rows by `executemany`."""
    values = ((n, n * 1000000007, n / 7.0, f"row number {n}") for n in range(rows))
    connection.cursor().executemany(INSERT, values)
    connection.commit()


def cpu_time(action: Callable[[Any, int], None], connection: Any, rows: int) -> float:
    """The CPU time in seconds that this process needs for an action."""
    times = []
    for _ in range(RUNS):
        start = time.process_time()
        action(connection, rows)
        times.append(time.process_time() - start)
    return min(times)


def connections(url: str) -> dict[str, Callable[[], Any]]:
    """What there is to compare: for each name a function that connects."""
    found: dict[str, Callable[[], Any]] = {
        f"neonps {transport}": partial(neonps.connect, url, transport=transport)
        for transport in ("tcp", "websocket", "http")
    }
    try:
        import psycopg
    except ImportError:
        return found
    return {f"psycopg tcp ({psycopg.pq.__impl__})": partial(psycopg.connect, url.partition("?")[0]), **found}


def measure(url: str, fetched: int, inserted: int) -> list[tuple[str, float, float]]:
    """For each of `connections`, its name and the seconds that fetching and inserting take."""
    found = []
    with neonps.connect(url, transport="tcp", autocommit=True) as admin:
        for name, connect in connections(url).items():
            admin.execute("DROP TABLE IF EXISTS neonps_benchmark")
            admin.execute("CREATE TABLE neonps_benchmark (a int4, b int8, c float8, d text)")
            with connect() as connection:
                found.append((name, cpu_time(fetch, connection, fetched), cpu_time(insert, connection, inserted)))
        admin.execute("DROP TABLE neonps_benchmark")
    return found


def show(measured: list[tuple[str, float, float]], fetched: int, inserted: int) -> None:
    """Print one table: milliseconds, and how they compare with the first line."""
    first = measured[0]
    width = max(len(name) for name, *_ in measured)
    print(f"CPU time of the client, best of {RUNS}; x is the ratio to {first[0]}")
    print(f"{'':<{width}}  {f'fetchall, {fetched:,} rows':>24}  {f'executemany, {inserted:,} rows':>26}")
    for name, fetching, inserting in measured:
        cells = [f"{s * 1000:.1f} ms {s / base:7.2f} x" for s, base in ((fetching, first[1]), (inserting, first[2]))]
        print(f"{name:<{width}}  {cells[0]:>24}  {cells[1]:>26}")


def main() -> int:
    """Run the benchmarks; gives the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rows")
    fetched, inserted = (2_000, 200) if parser.parse_args().quick else (50_000, 5_000)
    url = os.environ.get(URL)
    if url is not None:
        show(measure(url, fetched, inserted), fetched, inserted)
        return 0
    # What the gateway does in this process must not count, so the measuring is done in another.
    with serve() as server:
        command = [sys.executable, "-m", "benchmarks", *sys.argv[1:]]
        return subprocess.call(command, env={**os.environ, URL: server.url})


if __name__ == "__main__":
    sys.exit(main())
