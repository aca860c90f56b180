"""Opening a connection to a server: straight, or through a proxy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .failures import describe
from .requests import TLS, Close, Flow, KeepAlive, Open, ProxyFailed, Receive, Send, StartTLS, TLSFailed, Within

if TYPE_CHECKING:
    from ..proxies import Proxy


def open_way(
    host: str, port: int, tls: TLS | None, keepalive: KeepAlive, proxy: Proxy | None, timeout: float | None = None
) -> Flow[None]:
    """Open a connection to `host` and `port`, TLS included when `tls` is given.

    Args:
        host: as in `Open`. A proxy looks names up itself.
        proxy: what to go through; None for the straight way.
        timeout: how long it may take, in seconds, with all that a proxy needs; None for as long as the deadline allows.

    Raises:
        OSError: it could not be opened. It is a `ProxyFailed` where that is due to the proxy.
    """
    if proxy is None:
        yield Open(host, port, tls, keepalive, timeout)
    elif timeout is None:
        yield from _open_through(proxy, host, port, tls, keepalive)
    else:
        yield Within(_open_through(proxy, host, port, tls, keepalive), timeout)


def _open_through(proxy: Proxy, host: str, port: int, tls: TLS | None, keepalive: KeepAlive) -> Flow[None]:
    try:
        yield Open(proxy.host, proxy.port, proxy.tls, keepalive)
    except TLSFailed as error:
        raise ProxyFailed(f"TLS with the proxy: {error}") from None
    except OSError as error:
        raise ProxyFailed(f"the proxy cannot be reached: {describe(error)}") from None
    try:
        yield from _ask(proxy, host, port)
        if tls is not None:
            yield StartTLS(tls)
    except GeneratorExit:
        raise
    except BaseException:
        yield Close()
        raise


def _ask(proxy: Proxy, host: str, port: int) -> Flow[None]:
    from ..protocol.proxy import ConnectFailed, ConnectRequest

    try:
        request = ConnectRequest(host, port, proxy.authorization)
        yield Send(request.data())
        while not request.receive((yield Receive())):
            pass
    except ConnectFailed as error:
        raise ProxyFailed(str(error), error.status) from None
    except OSError as error:
        raise ProxyFailed(f"the connection to the proxy was lost: {describe(error)}") from None
