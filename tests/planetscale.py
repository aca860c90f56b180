"""A gateway that is a host of PlanetScale to the programs that are told so: by its name, over TLS that they verify."""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from types import TracebackType
from urllib.parse import urlsplit

import trustme

from neonps.gateway import Gateway, Upstream
from neonps.gateway.upstream import Stream
from neonps.local import GatewayThread

HOST = "abcd1234.pg.psdb.cloud"

#: Python runs a module of this name at its start. This one stands for the name server and the route to the host.
SITECUSTOMIZE = """
import os, socket
host, address, port = os.environ["RESOLVE"].split()
getaddrinfo = socket.getaddrinfo
def resolve(name, number, *args, **kwargs):
    if name != host:
        return getaddrinfo(name, number, *args, **kwargs)
    assert number == 443, number
    return getaddrinfo(address, int(port), *args, **kwargs)
socket.getaddrinfo = resolve
"""


class _Upstream(Upstream):
    """The Postgres, for those who ask for it as PlanetScale has it."""

    opened = 0

    async def open(self, address: str | None = None) -> Stream:
        assert address == f"{HOST}:5432", address
        self.opened += 1
        return await super().open()


class PlanetScale:
    """A context manager.

    Args:
        dsn: the URL of a Postgres.
        directory: where it can put files.

    Attributes:
        url: what is to be `DATABASE_URL`.
        gateway: the gateway.
    """

    def __init__(self, dsn: str, directory: Path) -> None:
        self._dsn = dsn
        self._directory = directory
        parts = urlsplit(dsn)
        login = parts.netloc.rpartition("@")[0]
        self.url = f"postgresql://{login}@{HOST}:5432{parts.path}"
        ca = trustme.CA()
        ca.cert_pem.write_to_path(str(directory / "ca.pem"))
        self._tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        ca.issue_cert(HOST).configure_cert(self._tls)
        (directory / "sitecustomize.py").write_text(SITECUSTOMIZE, encoding="utf-8")
        self._port = 0

    def __enter__(self) -> PlanetScale:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the gateway, where it was before if it was stopped."""
        self._upstream = _Upstream(self._dsn)
        self.gateway = Gateway(self._upstream, port=self._port, tls=self._tls)
        self._thread = GatewayThread()
        self._thread.start(self.gateway)
        self._port = self.gateway.port

    def stop(self) -> None:
        """Stop the gateway; all sessions end."""
        self._thread.stop()

    @property
    def websockets(self) -> int:
        """How many WebSockets were opened since the gateway was started."""
        return self._upstream.opened

    def environment(self, port: int | None = None) -> dict[str, str]:
        """The environment of a program.

        Args:
            port: where the host is to be found on 127.0.0.1; by default it is the gateway itself.
        """
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "NEONPS_", "AWS_"))}
        return {
            **kept,
            "DATABASE_URL": self.url,
            "PGSSLROOTCERT": str(self._directory / "ca.pem"),
            "PYTHONPATH": str(self._directory),
            "RESOLVE": f"{HOST} 127.0.0.1 {port or self._port}",
        }
