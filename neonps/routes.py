"""Which transport is taken, and which endpoint it leads to: from the keywords, or as the provider has it."""

from __future__ import annotations

from collections.abc import Callable

from . import errors as e
from .endpoint import Endpoint, is_loopback
from .options import Options, Value
from .providers import Provider, address, find_provider
from .record import Record

TRANSPORTS = ("websocket", "http", "tcp")


class Route(Record):
    """The way to a database.

    Attributes:
        transport: one of `TRANSPORTS`.
        provider: whose server it leads to directly, if that is known.
        endpoint: what to connect to; None for the database host itself.
    """

    transport: str
    provider: Provider | None
    endpoint: Endpoint | None


def find_route(options: Options, host: str, port: int, *, plain: bool) -> Route:
    """Find the way to the database at `host` and `port`.

    Args:
        plain: an endpoint without TLS is allowed on any host, not on this machine only.

    Raises:
        ProgrammingError: there is no such way, or an endpoint is not good.
    """
    host = host.removesuffix(".")
    provider = find_provider(host)
    transport = options.choice("transport", TRANSPORTS) or _default_transport(options, provider)
    if transport == "tcp":
        return Route(transport, provider, None)
    keyword, url = (_fetch_url if transport == "http" else _websocket_url)(options, host, port)
    if url is None and provider is not None:
        if transport == "http":
            url = provider.fetch_url(host, port, "auth_token" in options)
        else:
            url = provider.websocket_url(host, port)
        keyword = "host"
    else:
        provider = None
    if url is None:
        raise e.ProgrammingError(
            f"transport={transport} needs an endpoint, and this is not the host of a provider that is known:"
            f" give gateway=https://… or {keyword}="
        )
    websocket = transport == "websocket"
    endpoint = Endpoint.parse(url, keyword, websocket=websocket, secure=False if plain else None)
    if not (endpoint.secure or plain or is_loopback(endpoint.host)):
        raise e.ProgrammingError(
            f"{keyword}: the endpoint has to be https:// or wss://, unless it is on this machine"
            " (localhost, 127.0.0.0/8, ::1) or sslmode=disable says that it may be without TLS"
        )
    if endpoint.secure and plain:
        raise e.ProgrammingError(f"sslmode=disable, but {endpoint.url} is always over TLS: leave sslmode out")
    return Route(transport, provider, endpoint)


def _default_transport(options: Options, provider: Provider | None) -> str:
    if provider is not None or "gateway" in options or "ws_proxy" in options:
        return "websocket"
    return "http" if "fetch_endpoint" in options else "tcp"


def _fetch_url(options: Options, host: str, port: int) -> tuple[str, str | None]:
    given = options.value("fetch_endpoint")
    if given is not None:
        return "fetch_endpoint", _called("fetch_endpoint", given, host, port)
    if "gateway" in options:
        return "gateway", _gateway(options) + "/sql"
    return "fetch_endpoint", None


def _websocket_url(options: Options, host: str, port: int) -> tuple[str, str | None]:
    given = options.value("ws_proxy")
    if given is not None:
        url = _called("ws_proxy", given, host, port)
        # As in the JavaScript driver: what a function gives is left alone.
        if isinstance(given, str) and "?" not in url:
            url += f"?{address(host, port)}"
        return "ws_proxy", url
    if "gateway" in options:
        return "gateway", f"{_gateway(options)}/v2?{address(host, port)}"
    return "ws_proxy", None


def _called(keyword: str, given: Value, host: str, port: int) -> str:
    if isinstance(given, str):
        return given
    function: Callable[[str, int], str] = given
    url = function(host, port)
    if not isinstance(url, str):
        raise e.ProgrammingError(f"{keyword}: the function should return a str, not {type(url).__name__}")
    return url


def _gateway(options: Options) -> str:
    url = options.text("gateway") or ""
    if "?" in url:
        raise e.ProgrammingError("gateway: the base URL has a query (?), which is of no use here")
    if not url.rpartition("://")[2].strip("/"):
        raise e.ProgrammingError("gateway: the base URL has no host")
    return url.rstrip("/")
