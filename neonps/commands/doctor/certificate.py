"""Reading for which hosts a certificate is, when it is not for the one that was wanted."""

from __future__ import annotations

import ssl
from typing import Any

from ...flows.connect import open_channel
from ...flows.requests import TLS, Deadline, DeadlinePassed, Flow
from ...flows.way import open_way
from ...net.blocking import BlockingRunner
from ...net.stream_socket import Steps
from ...net.tls import retry, secured
from ...settings import Settings

#: How long it may take, in seconds.
_LOOK = 3.0


def certificate_names(settings: Settings) -> list[str]:
    """The names in the certificate of a server; none if they cannot be found out.

    Its chain is verified, but not the name of the host, and nothing is sent to it.
    """
    runner = _NameReader(past_proxy=settings.proxy is None or not settings.proxy.secure)
    try:
        runner.run(_look(settings))
    except (OSError, DeadlinePassed):
        pass
    finally:
        runner.close()
    return runner.names


def subject_names(sock: ssl.SSLSocket) -> list[str]:
    """The hosts that the certificate of the other side is for."""
    certificate: dict[str, Any] = sock.getpeercert() or {}
    return [value for kind, value in certificate.get("subjectAltName", ()) if kind in ("DNS", "IP Address")]


def _look(settings: Settings) -> Flow[None]:
    yield Deadline(_LOOK)
    endpoint = settings.fetch_url or settings.websocket_url
    if endpoint is None:
        yield from open_channel(settings)
    else:
        yield from open_way(endpoint.host, endpoint.port, settings.tls, settings.keepalive, settings.proxy)


class _NameReader(BlockingRunner):
    """Does not verify the name of the host in TLS with the server; that of a proxy's certificate it does.

    Args:
        past_proxy: the first TLS is not with a proxy.
    """

    def __init__(self, *, past_proxy: bool) -> None:
        super().__init__()
        self._past_proxy = past_proxy
        self.names: list[str] = []

    def start_tls(self, tls: TLS) -> Steps[bytes | None]:
        if not self._past_proxy:
            self._past_proxy = True
            return (yield from super().start_tls(tls))
        context = ssl.create_default_context(cafile=tls.rootcert)
        context.check_hostname = False
        if tls.alpn:
            context.set_alpn_protocols(list(tls.alpn))
        sock = self._socket = secured(self._opened(), context, tls.server_hostname)
        yield from retry(sock, sock.do_handshake)
        self.names = subject_names(sock)
        return None
