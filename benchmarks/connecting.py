"""How long is it from opening the socket to the first row? All over TLS, at the end of a long line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from .bench import Bench, javascript, python
from .peers import PSYCOPG
from .relay import Relay
from .servers import PLAIN
from .table import Table

#: Of the columns: a new process, and another statement on the same connection.
COLD, WARM = "first row", "next statement"
COLUMNS = {"connect": COLD, "statement": WARM}


class Way(NamedTuple):
    """A way for neonps to connect, and the round trips to the first row that are aimed at."""

    name: str
    transport: str
    keywords: dict[str, Any]
    goal: int | None = None


SCRAM, PASSWORD = {"pipeline_connect": "scram"}, {"pipeline_connect": "password", "require_auth": "password"}
LAZY, DIRECT = {"lazy": True}, {"sslnegotiation": "direct"}

WAYS = [
    Way("neonps tcp", "tcp", {"pipeline_connect": "off"}),
    Way("neonps tcp lazy", "tcp", {"pipeline_connect": "off", **LAZY}),
    Way("neonps tcp scram lazy", "tcp", {**SCRAM, **LAZY}),
    Way("neonps tcp direct", "tcp", {"pipeline_connect": "off", **DIRECT}),
    Way("neonps tcp direct scram lazy", "tcp", {**DIRECT, **SCRAM, **LAZY}),
    Way("neonps websocket off", "websocket", {"pipeline_connect": "off"}),
    Way("neonps websocket off lazy", "websocket", {"pipeline_connect": "off", **LAZY}),
    Way("neonps websocket scram", "websocket", SCRAM, 6),
    Way("neonps websocket scram lazy", "websocket", {**SCRAM, **LAZY}, 5),
    Way("neonps websocket password", "websocket", PASSWORD, 5),
    Way("neonps websocket password lazy", "websocket", {**PASSWORD, **LAZY}, 4),
    Way("neonps http", "http", {}, 3),
]

#: Those ways that are enough to see that it runs.
QUICK = ("neonps websocket scram lazy", "neonps http")


def measure(bench: Bench) -> Iterator[Table]:
    """Connect in each way, and run another statement then."""
    tls = bench.servers.tls
    if tls is None:
        bench.failures.append("connecting: pip install trustme")
        return
    trips = Table("Round trips, with TLS", "trips", PSYCOPG)
    times = Table(f"Time with {2e3 * bench.delay:.0f} ms for a round trip, with TLS", "s", PSYCOPG)

    runs, goals = [], {}
    names = list(COLUMNS)
    with Relay(tls.postgres_port, bench.delay) as postgres, Relay(tls.gateway_port, bench.delay) as gateway:
        endpoint = f"https://127.0.0.1:{gateway.port}"
        # A gateway leads to the Postgres itself only, whose address it is told.
        dsns = {postgres: bench.servers.dsn(postgres.port), gateway: bench.servers.dsn()}
        libpq = {"sslmode": "verify-full", "sslrootcert": tls.ca, "channel_binding": "disable"}
        for peer in bench.peers:
            options: dict[str, Any] = {"psycopg": libpq}.get(peer.driver, {"ca": tls.ca})
            relay = postgres
            if peer.driver == "neon-serverless":
                options, relay = {**options, "endpoint": f"{endpoint}/sql"}, gateway
            arguments = {"driver": peer.driver, "url": dsns[relay], "options": options, "names": names}
            runs.append(python(peer.name, "latency.operations", arguments, peer.variables, relay))
        for way in WAYS:
            if bench.quick and way.name not in QUICK:
                continue
            relay = postgres if way.transport == "tcp" else gateway
            options = {"transport": way.transport, "sslrootcert": tls.ca, **way.keywords}
            if way.transport == "tcp":
                options = {**libpq, **options}
            else:
                options["gateway"] = endpoint
            if "require_auth" in way.keywords:
                options["user"] = PLAIN
            arguments = {"driver": "neonps", "url": dsns[relay], "options": options, "names": names}
            runs.append(python(way.name, "latency.operations", arguments, None, relay))
            goals[way.name] = way.goal
        for driver in bench.javascript:
            relay = postgres if driver == "pg" else gateway
            variables = {"DATABASE_URL": dsns[relay], "NODE_EXTRA_CA_CERTS": tls.ca}
            runs.append(javascript(f"JavaScript {driver}", [driver, endpoint, *names], variables, relay))
        for name, laps in bench.compare(runs):
            for lap in laps:
                trips.add(name, COLUMNS[lap.name], lap.trips)
                times.add(name, COLUMNS[lap.name], lap.wall)
    for name, goal in goals.items():
        if goal is not None:
            trips.aim(name, COLD, goal)
            trips.aim(name, WARM, 1)
    yield trips
    yield times
