"""The servers that tests run on: each is started once, when the first test asks for it."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, settings

import neonps
from neonps.embedded import EmbeddedPostgres

if TYPE_CHECKING:
    from compared import Drivers
    from gateway_client import Client
    from peers import Peer
    from relay import Relay

    from neonps.gateway import Gateway

# Whoever starts the tests may have had these ignored, as `nohup` and a shell's background do; here they are tested.
signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

# How long an example takes says nothing on a machine that does other things too.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

#: The files that take longest. Begun first, none of them is what everybody waits for at the end.
SLOW = (
    "test_programs",
    "test_pages",
    "test_local",
    "test_psycopg_pipeline",
    "test_vercel",
    "test_django",
    "test_types_parameters",
    "test_benchmarks",
)


def pytest_configure(config: pytest.Config) -> None:
    """Keep the order of the files: pytest-xdist would begin with those that have most tests, which are quick ones."""
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the slow files."""
    items.sort(key=lambda item: SLOW.index(item.path.stem) if item.path.stem in SLOW else len(SLOW))


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """A temporary Postgres on 127.0.0.1 that asks for SCRAM-SHA-256."""
    with EmbeddedPostgres(options={"max_prepared_transactions": "10"}) as server:
        yield server


@pytest.fixture(scope="session")
def dsn(postgres: EmbeddedPostgres) -> str:
    """The URL of `postgres` over TCP, as libpq takes it."""
    return postgres.url


@pytest.fixture(scope="session")
def gateway(postgres: EmbeddedPostgres) -> Iterator[Gateway]:
    """The gateway in front of `postgres`, in a thread; its `url` is `http://127.0.0.1:PORT`."""
    from neonps.local import serve  # tests of codecs shall not need it

    with serve(postgres.url) as server:
        yield server.gateway


@pytest.fixture
def admin(dsn: str) -> Iterator[psycopg.Connection[Any]]:
    """A session on `postgres` by another driver, in autocommit mode, to prepare things and to look at them."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        yield connection


@pytest.fixture
def client(gateway: Gateway, dsn: str) -> Iterator[Client]:
    """A plain HTTP client of `gateway`."""
    from gateway_client import Client

    client = Client(gateway, dsn)
    with closing(client.connection):
        yield client


@pytest.fixture
def numbers(admin: psycopg.Connection[Any]) -> Iterator[Callable[[], list[int]]]:
    """A table `numbers` with a primary key `a` and a deferred unique `b`; calling this gives what is in `a`."""
    admin.execute("create table numbers (a int primary key, b int unique deferrable initially deferred)")
    yield lambda: [row[0] for row in admin.execute("select a from numbers order by a")]
    admin.execute("drop table numbers")


@pytest.fixture
def accounts(admin: psycopg.Connection[Any]) -> Iterator[Callable[[], dict[str, int]]]:
    """The table of the serverless examples; calling this gives what is in it."""
    admin.execute("create table account (owner text primary key, balance bigint not null check (balance >= 0))")
    admin.execute("insert into account values ('Ada', 100), ('Grace', 250)")
    yield lambda: dict(admin.execute("select owner, balance from account").fetchall())
    admin.execute("drop table account")


@pytest.fixture
def visits(admin: psycopg.Connection[Any]) -> Iterator[Callable[[], int]]:
    """The table `visit`; calling this gives the number of its rows."""
    admin.execute("create table visit (at timestamptz default now())")
    yield lambda: admin.execute("select count(*) from visit").fetchone()[0]  # type: ignore[index]
    admin.execute("drop table visit")


@pytest.fixture(scope="session")
def url(dsn: str, gateway: Gateway) -> str:
    """The URL of `postgres`, with which `connect(transport=...)` works for every transport."""
    return f"{dsn}?gateway={gateway.url}"


@pytest.fixture(params=["tcp", "websocket", "http"])
def transport(request: pytest.FixtureRequest) -> str:
    """Each transport in turn; the marks of `transports` leave some out."""
    name: str = request.param
    return name


@pytest.fixture
def connect(url: str, transport: str) -> Iterator[Callable[..., neonps.Connection[Any]]]:
    """`neonps.connect` to `postgres` over `transport`; what it has opened is closed at the end."""
    connections = []

    def connect(**kwargs: Any) -> neonps.Connection[Any]:
        connection = neonps.connect(url, **{"transport": transport, **kwargs})
        connections.append(connection)
        return connection

    yield connect
    for connection in connections:
        connection.close()


@pytest.fixture
def conn(connect: Callable[..., neonps.Connection[Any]]) -> neonps.Connection[Any]:
    """A connection to `postgres` over `transport`."""
    return connect()


@pytest.fixture
def auto(connect: Callable[..., neonps.Connection[Any]]) -> neonps.Connection[Any]:
    """A connection to `postgres` over `transport`, in autocommit mode."""
    return connect(autocommit=True)


@pytest.fixture
def relay(postgres: EmbeddedPostgres, gateway: Gateway, transport: str) -> Iterator[Relay]:
    """A relay on the way that connections over `transport` take; see `relayed`."""
    from relay import Relay

    server = postgres if transport == "tcp" else gateway
    with Relay(server.host, server.port) as relay:
        yield relay


@pytest.fixture
def relayed(
    connect: Callable[..., neonps.Connection[Any]], relay: Relay, transport: str
) -> Callable[..., neonps.Connection[Any]]:
    """Like `connect`, but through `relay`."""
    way = {"port": relay.port} if transport == "tcp" else {"gateway": f"http://127.0.0.1:{relay.port}"}

    def relayed(**kwargs: Any) -> neonps.Connection[Any]:
        return connect(**way, **kwargs)

    return relayed


@pytest.fixture
def lose(relay: Relay, in_thread: Callable[..., Future[Any]]) -> Callable[..., None]:
    """Has a call lose the line once something is done, which it does not hear of: the outcome has to be unknown."""
    from gateway_client import wait_for

    def lose(call: Callable[[], object], done: Callable[[], object], words: str = "It is unknown whether") -> None:
        future = in_thread(call)
        wait_for(done)
        relay.cut()
        with pytest.raises(neonps.OperationalError, match=words) as caught:
            future.result()
        assert caught.value.outcome_unknown

    return lose


@pytest.fixture(params=["psycopg", "tcp", "websocket"])
def peer(request: pytest.FixtureRequest, dsn: str, url: str) -> Iterator[Peer]:
    """psycopg, and neonps over each transport that has sessions: what holds for the first has to hold for all."""
    from peers import Peer

    with closing(Peer(request.param, dsn, url)) as peer:
        yield peer


@pytest.fixture(scope="module")
def drivers(dsn: str, url: str) -> Iterator[Drivers]:
    """psycopg, and neonps over each transport, to see whether they do the same; their connections stay open."""
    from compared import Drivers

    with closing(Drivers(dsn, url)) as drivers:
        yield drivers


@pytest.fixture
def mark() -> str:
    """A word that is in no other statement."""
    return f"mark_{uuid4().hex}"


@pytest.fixture
def in_thread() -> Iterator[Callable[..., Future[Any]]]:
    """Runs a function in another thread."""
    with ThreadPoolExecutor(4) as pool:
        yield pool.submit
