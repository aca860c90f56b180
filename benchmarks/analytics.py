"""What does it take to get many rows into a table of Arrow, or into a frame of pandas?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from .bench import Bench, python
from .fetching import RESULTS, ROWS, WIDE, query
from .peers import PSYCOPG
from .table import Table

CONNECTORX = "connectorx"
ADBC = "ADBC"

#: Manners of neonps that others do not have.
BATCHES, FRAME_OF_ARROW = "batches", "frame of Arrow"

#: The manners of neonps that there are goals for, and that of connectorx which each is compared with.
AIMS = {"table": "table", "frame": "frame", FRAME_OF_ARROW: "frame", BATCHES: "table"}

#: The limit for the memory of batches.
LIMIT = 40e6


def measure(bench: Bench) -> Iterator[Table]:
    """Fetch a narrow and a wide result; one table has the CPU time of the client, the next the time that passes."""
    rows = bench.rows(ROWS)
    if missing := [name for name in ("pandas", "pyarrow") if find_spec(name) is None]:
        print(f"left out: all of it, without {' and '.join(missing)}")
        return
    tables = {
        title: (
            Table(f"CPU time for {rows:,} rows of {title} as a table or frame", "s", CONNECTORX),
            Table(f"Time for {rows:,} rows of {title} as a table or frame", "s", CONNECTORX),
        )
        for title in RESULTS
    }
    queries = {title: query(columns, rows) for title, columns in RESULTS.items()}
    runs = [
        python(name, "analytics.fetch", {**arguments, "queries": queries, "rows": rows}, {"PSYCOPG_IMPL": "binary"})
        for name, arguments in ways(bench)
    ]
    for name, laps in bench.compare(runs):
        for lap in laps:
            title, _, manner = lap.name.partition(": ")
            cpu, wall = tables[title]
            cpu.add(name, manner, lap.cpu)
            wall.add(name, manner, lap.wall)
    for pair in tables.values():
        for table in pair:
            for transport in bench.transports:
                for manner, other in AIMS.items():
                    table.aim(f"neonps {transport}", manner, 1, CONNECTORX, other)
        yield from pair
    if any(transport != "http" for transport in bench.transports):  # HTTP has no server-side cursors
        yield streaming(bench)


def streaming(bench: Bench) -> Table:
    """The memory that batches need: some hundred thousand rows may not need more than one batch and its rows do."""
    rows = bench.rows(ROWS)
    table = Table(f"Peak of memory for {rows:,} rows of wide results in batches", "B", BATCHES)
    queries = {"wide": query(WIDE, rows)}
    for transport in bench.transports:
        if transport == "http":
            continue
        name, arguments = next(way for way in ways(bench) if way[0] == f"neonps {transport}")
        run = python(name, "analytics.fetch", {**arguments, "queries": queries, "rows": rows, "only": BATCHES})
        for name, laps in bench.compare([run], repeat=min(2, bench.repeat)):
            for lap in laps:
                table.add(name, BATCHES, lap.peak)
        table.aim(f"neonps {transport}", BATCHES, LIMIT)
    return table


def ways(bench: Bench) -> Iterator[tuple[str, dict[str, Any]]]:
    """The drivers: for each the name, and arguments of `fetch`."""
    dsn = bench.servers.dsn()
    gateway = f"http://127.0.0.1:{bench.servers.gateway_port}"
    others = ((CONNECTORX, "connectorx"), (ADBC, "adbc_driver_postgresql"))
    for name, module in others[: 1 if bench.quick else None]:
        if find_spec(module) is not None:
            yield name, {"driver": name, "url": dsn, "options": {}}
        else:
            print(f"left out: {name} (pip install -e '.[benchmarks]')")
    if any(peer.name == PSYCOPG for peer in bench.peers):
        yield PSYCOPG, {"driver": PSYCOPG, "url": dsn, "options": {}}
    for transport in bench.transports:
        options = {"transport": transport, "gateway": gateway} if transport != "tcp" else {"transport": "tcp"}
        yield f"neonps {transport}", {"driver": "neonps", "url": dsn, "options": options}


def fetch(
    driver: str, url: str, options: dict[str, Any], queries: dict[str, str], rows: int, only: str = ""
) -> Iterator[str]:
    """A lap for each manner of fetching each result, called `result: manner`.

    A first round with few rows, which pays for imports, is not reported. `only` is the manner, if it shall be one.
    """
    close, manners = DRIVERS[driver](url, **options)
    manners = {name: way for name, way in manners.items() if only in ("", name)}
    for way in manners.values():
        for each in queries.values():
            assert way(each.replace(f"(1, {rows})", "(1, 10)")) == 10
    yield ""
    for title, each in queries.items():
        for name, way in manners.items():
            assert way(each) == rows, name
            yield f"{title}: {name}"
    close()


#: What closes a driver, and the manners of fetching: functions that fetch the rows of a query and count them.
Manners = tuple[Callable[[], object], dict[str, Callable[[str], int]]]


def neonps_manners(url: str, **options: Any) -> Manners:
    """neonps, in text, which is the default, and in binary; and by a server-side cursor, at once and in batches."""
    connection = import_module("neonps").connect(url, autocommit=True, **options)

    def batches(query: str) -> int:
        with connection.transaction(), connection.cursor("benchmark") as cursor:
            return sum(batch.num_rows for batch in cursor.execute(query).fetch_record_batches())

    def server_cursor(query: str) -> int:
        with connection.transaction(), connection.cursor("benchmark") as cursor:
            return int(cursor.execute(query).fetch_arrow_table().num_rows)

    manners: dict[str, Callable[[str], int]] = {
        "table": lambda query: connection.execute(query).fetch_arrow_table().num_rows,
        "frame": lambda query: len(connection.execute(query).fetch_df()),
        FRAME_OF_ARROW: lambda query: len(connection.execute(query).fetch_df(dtype_backend="pyarrow")),
    }
    if options["transport"] != "http":
        manners["table, binary"] = lambda query: connection.execute(query, binary=True).fetch_arrow_table().num_rows
        manners["table, server cursor"] = server_cursor
        manners[BATCHES] = batches
    return connection.close, manners


def connectorx_manners(url: str) -> Manners:
    """connectorx, which connects for each query."""
    read_sql = import_module("connectorx").read_sql
    return lambda: None, {
        "table": lambda query: read_sql(url, query, return_type="arrow").num_rows,
        "frame": lambda query: len(read_sql(url, query)),
    }


def adbc_manners(url: str) -> Manners:
    """ADBC's driver."""
    connection = import_module("adbc_driver_postgresql.dbapi").connect(url)

    def run(query: str, method: str) -> Any:
        with connection.cursor() as cursor:
            cursor.execute(query)
            return getattr(cursor, method)()

    return connection.close, {
        "table": lambda query: run(query, "fetch_arrow_table").num_rows,
        "frame": lambda query: len(run(query, "fetch_df")),
    }


def psycopg_manners(url: str) -> Manners:
    """psycopg, whose Python objects others make the table or the frame of."""
    connection = import_module("psycopg").connect(url, autocommit=True)
    pyarrow, pandas = import_module("pyarrow"), import_module("pandas")

    def table(query: str) -> int:
        cursor = connection.execute(query)
        names = [column.name for column in cursor.description]
        columns = [pyarrow.array(column) for column in zip(*cursor.fetchall(), strict=True)]
        return int(pyarrow.table(columns, names=names).num_rows)

    def frame(query: str) -> int:
        cursor = connection.execute(query)
        names = [column.name for column in cursor.description]
        return len(pandas.DataFrame(cursor.fetchall(), columns=names))

    return connection.close, {"table": table, "frame": frame}


DRIVERS: dict[str, Callable[..., Manners]] = {
    "neonps": neonps_manners,
    CONNECTORX: connectorx_manners,
    ADBC: adbc_manners,
    PSYCOPG: psycopg_manners,
}
