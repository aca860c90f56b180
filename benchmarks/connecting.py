"""How long is it from opening the socket to the first row? All over TLS, at the end of a long line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from .apart import Lap
from .bench import Bench
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


WAYS = [
    Way("neonps tcp", "tcp", {"pipeline_connect": "off"}),
    Way("neonps tcp direct scram lazy", "tcp", {"sslnegotiation": "direct", "pipeline_connect": "scram", "lazy": True}),
    Way("neonps websocket off", "websocket", {"pipeline_connect": "off"}),
    Way("neonps websocket off lazy", "websocket", {"pipeline_connect": "off", "lazy": True}),
    Way("neonps websocket scram", "websocket", {"pipeline_connect": "scram"}, 6),
    Way("neonps websocket scram lazy", "websocket", {"pipeline_connect": "scram", "lazy": True}, 5),
    Way("neonps websocket password", "websocket", {"pipeline_connect": "password", "require_auth": "password"}, 5),
    Way(
        "neonps websocket password lazy",
        "websocket",
        {"pipeline_connect": "password", "require_auth": "password", "lazy": True},
        4,
    ),
    Way("neonps http", "http", {}, 3),
]

#: Those ways that are enough to see that it runs.
QUICK = ("neonps websocket scram lazy", "neonps http")

#: The goals of others, which are theirs: what is known of them.
PEER_GOALS = {PSYCOPG: 7, "JavaScript websocket": 7}


def measure(bench: Bench) -> Iterator[Table]:
    """Connect in each way, and run another statement then."""
    tls = bench.servers.tls
    if tls is None:
        bench.failures.append("connecting: pip install trustme")
        return
    trips = Table("Round trips, with TLS", "trips", PSYCOPG)
    times = Table(f"Time with {2e3 * bench.delay:.0f} ms for a round trip, with TLS", "s", PSYCOPG)

    def take(name: str, laps: list[Lap], goal: int | None, warm: int | None) -> None:
        for lap in laps:
            column = COLUMNS[lap.name]
            trips.add(name, column, lap.trips, goal if column == COLD else warm)
            times.add(name, column, lap.wall)

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
            laps = bench.run(peer.name, "latency.operations", arguments, peer.variables, relay)
            take(peer.name, laps, PEER_GOALS.get(peer.name), None)
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
            laps = bench.run(way.name, "latency.operations", arguments, None, relay)
            take(way.name, laps, way.goal, 1 if way.transport == "http" else None)
        for driver in bench.javascript:
            name = f"JavaScript {driver}"
            relay = postgres if driver == "pg" else gateway
            variables = {"DATABASE_URL": dsns[relay], "NODE_EXTRA_CA_CERTS": tls.ca}
            laps = bench.run_javascript(name, [driver, endpoint, *names], variables, relay)
            take(name, laps, PEER_GOALS.get(name), None)
    yield trips
    yield times
