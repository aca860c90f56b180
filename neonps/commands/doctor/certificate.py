"""Reading for which hosts a certificate is, when it is not for the one that was wanted."""

from __future__ import annotations

import ssl
from typing import Any

from ...flows.connect import open_channel
from ...flows.requests import TLS, Deadline, DeadlinePassed, Flow, Open
from ...net.blocking import BlockingRunner
from ...net.stream_socket import Steps
from ...net.tls import retry
from ...settings import Settings

#: How long it may take, in seconds.
_LOOK = 3.0


def certificate_names(settings: Settings) -> list[str]:
    """The names in the certificate of a server; none if they cannot be found out.

    Its chain is verified, but not the name of the host, and nothing is sent to it.
    """
    runner = _NameReader()
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
        yield Open(endpoint.host, endpoint.port, settings.tls)


class _NameReader(BlockingRunner):
    """Does not verify the name of the host."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def start_tls(self, tls: TLS) -> Steps[bytes | None]:
        context = ssl.create_default_context(cafile=tls.rootcert)
        context.check_hostname = False
        if tls.alpn:
            context.set_alpn_protocols(list(tls.alpn))
        secured = self._socket = context.wrap_socket(
            self._opened(), server_hostname=tls.server_hostname, do_handshake_on_connect=False
        )
        yield from retry(secured, secured.do_handshake)
        self.names = subject_names(secured)
        return None
