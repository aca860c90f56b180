"""The providers whose endpoints are known, each picked by the suffix of the database host."""

from __future__ import annotations

from collections.abc import Callable

from .percent import encode
from .record import Record


class Provider(Record):
    """What there is to know of a provider.

    Attributes:
        name: how it calls itself.
        suffix: how the names of its hosts end.
        fetch_url: the endpoint of SQL over HTTP, for a host, a port, and whether there is a bearer token.
        websocket_url: the endpoint of Postgres over WebSocket, for a host and a port.
        pipeline_connect: what it lets one send before it has asked.
        require_auth: the ways to log in that it is known to need.
    """

    name: str
    suffix: str
    fetch_url: Callable[[str, int, bool], str]
    websocket_url: Callable[[str, int], str]
    pipeline_connect: str
    require_auth: frozenset[str]


def address(host: str, port: int) -> str:
    """The query that tells a proxy where to connect to."""
    return "address=" + encode(f"[{host}]:{port}" if ":" in host else f"{host}:{port}", safe=":")


def _same_host(host: str, port: int, with_token: bool) -> str:
    return f"https://{host}/sql"


def _api_host(host: str, port: int, with_token: bool) -> str:
    """Neon has one endpoint for all databases of a region: another first label in place of the host's."""
    service = "apiauth" if with_token else "api"
    return f"https://{service}.{host.partition('.')[2]}/sql"


PROVIDERS = (
    Provider(
        name="PlanetScale",
        suffix=".psdb.cloud",
        fetch_url=_same_host,
        # 5432 is the database, 6432 its PgBouncer.
        websocket_url=lambda host, port: f"wss://{host}/v2?{address(host, port)}",
        pipeline_connect="scram",
        require_auth=frozenset({"scram-sha-256"}),
    ),
    Provider(
        name="Neon",
        suffix=".neon.tech",
        fetch_url=_api_host,
        websocket_url=lambda host, port: f"wss://{host}/v2",
        # Over a WebSocket its proxy asks for a clear-text password, and never offers SCRAM.
        pipeline_connect="password",
        require_auth=frozenset({"scram-sha-256", "password"}),
    ),
    Provider(
        name="Xata",
        suffix=".xata.tech",
        fetch_url=_same_host,
        websocket_url=lambda host, port: f"wss://{host}/v2",
        pipeline_connect="scram",
        require_auth=frozenset({"scram-sha-256"}),
    ),
)


def find_provider(host: str) -> Provider | None:
    """The provider that has this host; None for all others."""
    name = host.lower().removesuffix(".")
    for provider in PROVIDERS:
        if name.endswith(provider.suffix) and name != provider.suffix:
            return provider
    return None
