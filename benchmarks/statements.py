"""How many round trips do statements take on an open connection? At the end of a long line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .bench import Bench, javascript, python
from .latency import MANY, STATEMENTS
from .peers import PSYCOPG
from .relay import Relay
from .table import Table

#: The columns, by the methods of `drivers`.
COLUMNS = {
    "statement": "statement",
    "transaction": "transaction of 3",
    "executemany": f"executemany of {MANY}",
    "batch": f"batch of {STATEMENTS}",
    "pipeline": f"pipeline of {STATEMENTS}",
}

#: The round trips of them in a session that are aimed at. What begins a transaction travels with its first statement,
#: what ends it travels alone.
GOALS = {"statement": 1, "transaction": 4, "executemany": 2, "batch": 1, "pipeline": 1}

#: What would take minutes: pg8000 waits for each row.
TOO_LONG = {"pg8000": {"executemany"}}


def measure(bench: Bench) -> Iterator[Table]:
    """Run each operation once on a connection that is open."""
    servers = bench.servers
    trips = Table("Round trips", "trips", PSYCOPG)
    times = Table(f"Time with {2e3 * bench.delay:.0f} ms for a round trip", "s", PSYCOPG)

    runs = []
    with servers.connect() as admin:
        admin.execute("DROP TABLE IF EXISTS benchmark")
        admin.execute("CREATE TABLE benchmark (a int4)")
    with Relay(servers.postgres_port, bench.delay) as postgres, Relay(servers.gateway_port, bench.delay) as gateway:
        endpoint = f"http://127.0.0.1:{gateway.port}"
        dsns = {postgres: servers.dsn(postgres.port), gateway: servers.dsn()}

        def add(name: str, driver: str, relay: Relay, options: dict[str, Any], variables: dict[str, str]) -> None:
            names = [name for name in COLUMNS if name not in TOO_LONG.get(driver, ())]
            arguments = {"driver": driver, "url": dsns[relay], "options": options, "names": names}
            runs.append(python(name, "latency.operations", arguments, variables, relay))

        for peer in bench.peers:
            if peer.driver == "neon-serverless":
                add(peer.name, peer.driver, gateway, {"endpoint": f"{endpoint}/sql"}, peer.variables)
            else:
                add(peer.name, peer.driver, postgres, {}, peer.variables)
        for transport in bench.transports:
            if transport == "tcp":
                add("neonps tcp", "neonps", postgres, {"transport": "tcp"}, {})
            else:
                add(f"neonps {transport}", "neonps", gateway, {"transport": transport, "gateway": endpoint}, {})
        for driver in bench.javascript:
            name = f"JavaScript {driver}"
            relay = postgres if driver == "pg" else gateway
            arguments = [driver, endpoint, "statement", "transaction"]
            runs.append(javascript(name, arguments, {"DATABASE_URL": dsns[relay]}, relay))
        for name, laps in bench.compare(runs):
            for lap in laps:
                trips.add(name, COLUMNS[lap.name], lap.trips)
                times.add(name, COLUMNS[lap.name], lap.wall)
    for transport in bench.transports:
        for operation, column in COLUMNS.items():
            trips.aim(f"neonps {transport}", column, 1 if transport == "http" else GOALS[operation])
    yield trips
    yield times
