"""How many round trips do statements take on an open connection? At the end of a long line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import neonps

from .apart import Lap
from .bench import Bench
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

#: What would take minutes: pg8000 waits for each row.
TOO_LONG = {"pg8000": {"executemany"}}


def measure(bench: Bench) -> Iterator[Table]:
    """Run each operation once on a connection that is open."""
    servers = bench.servers
    trips = Table("Round trips", "trips", PSYCOPG)
    times = Table(f"Time with {2e3 * bench.delay:.0f} ms for a round trip", "s", PSYCOPG)

    def take(name: str, laps: list[Lap]) -> None:
        for lap in laps:
            trips.add(name, COLUMNS[lap.name], lap.trips)
            times.add(name, COLUMNS[lap.name], lap.wall)

    with neonps.connect(servers.dsn(), transport="tcp", autocommit=True) as admin:
        admin.execute("DROP TABLE IF EXISTS benchmark")
        admin.execute("CREATE TABLE benchmark (a int4)")
    with Relay(servers.postgres_port, bench.delay) as postgres, Relay(servers.gateway_port, bench.delay) as gateway:
        endpoint = f"http://127.0.0.1:{gateway.port}"
        dsns = {postgres: servers.dsn(postgres.port), gateway: servers.dsn()}

        def run(name: str, driver: str, relay: Relay, options: dict[str, Any], variables: dict[str, str]) -> None:
            names = [name for name in COLUMNS if name not in TOO_LONG.get(driver, ())]
            arguments = {"driver": driver, "url": dsns[relay], "options": options, "names": names}
            take(name, bench.run(name, "latency.operations", arguments, variables, relay))

        for peer in bench.peers:
            if peer.driver == "neon-serverless":
                run(peer.name, peer.driver, gateway, {"endpoint": f"{endpoint}/sql"}, peer.variables)
            else:
                run(peer.name, peer.driver, postgres, {}, peer.variables)
        for transport in bench.transports:
            if transport == "tcp":
                run("neonps tcp", "neonps", postgres, {"transport": "tcp"}, {})
            else:
                run(f"neonps {transport}", "neonps", gateway, {"transport": transport, "gateway": endpoint}, {})
        for driver in bench.javascript:
            name = f"JavaScript {driver}"
            relay = postgres if driver == "pg" else gateway
            arguments = [driver, endpoint, "statement", "transaction"]
            take(name, bench.run_javascript(name, arguments, {"DATABASE_URL": dsns[relay]}, relay))
    yield trips
    yield times
