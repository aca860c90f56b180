"""What the drivers talk to: an embedded Postgres, gateways before it, and lines of a known length to them."""

from __future__ import annotations

import os
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import neonps
from neonps.embedded import EmbeddedPostgres
from neonps.gateway import Gateway, Upstream
from neonps.local import GatewayThread

#: A role that logs in by a password in clear text, while the others do it by SCRAM.
PLAIN = "plain"

HBA = f"""host all {PLAIN} 127.0.0.1/32 password
host all all 127.0.0.1/32 scram-sha-256"""

#: A result of many rows is longer than what the gateway sends by default.
MAX_RESPONSE = 1 << 30


class TLS(NamedTuple):
    """A gateway and a Postgres that speak TLS.

    Attributes:
        ca: the path of the certificate of the authority that has signed theirs.
        gateway_port: of a gateway.
        postgres_port: of a Postgres.
    """

    ca: str
    gateway_port: int
    postgres_port: int


class Servers(NamedTuple):
    """What runs.

    Attributes:
        password: of all roles.
        postgres_port: of Postgres.
        gateway_port: of a gateway without TLS.
        tls: the same with TLS; None when trustme is not installed.
    """

    password: str
    postgres_port: int
    gateway_port: int
    tls: TLS | None

    def dsn(self, port: int | None = None) -> str:
        """The URL of Postgres; `port` is that of a relay to it."""
        return f"postgresql://{EmbeddedPostgres.user}:{self.password}@127.0.0.1:{port or self.postgres_port}/postgres"

    def connect(self) -> neonps.Connection[Any]:
        """A connection to prepare things by, straight to Postgres and in autocommit mode."""
        return neonps.connect(self.dsn(), transport="tcp", autocommit=True)


@contextmanager
def serve(directory: Path) -> Iterator[Servers]:
    """Run the servers.

    Args:
        directory: where files can be put.
    """
    with EmbeddedPostgres() as postgres:
        prepare(postgres)
        with (
            gateway(postgres, None) as plain,
            secure(postgres, directory) as tls,
        ):
            yield Servers(postgres.password, postgres.port, plain, tls)


def prepare(postgres: EmbeddedPostgres) -> None:
    """Make the role `PLAIN`."""
    admin: neonps.Connection[Any]
    with neonps.connect(postgres.url, transport="tcp", autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {PLAIN} LOGIN PASSWORD '{postgres.password}'")
        (path,) = admin.execute("SHOW hba_file").fetchone() or ("",)
        Path(path).write_text(HBA + "\n", encoding="utf-8")
        admin.execute("SELECT pg_reload_conf()")
        # The postmaster reads it when it gets to it; the view reads the file itself, so only a login tells.
        url = postgres.url.replace(f"//{postgres.user}:", f"//{PLAIN}:")
        for _ in range(1000):
            with suppress(neonps.OperationalError):
                neonps.connect(url, transport="tcp", require_auth="password").close()
                return
        raise RuntimeError("Postgres has not read its pg_hba.conf")


@contextmanager
def gateway(postgres: EmbeddedPostgres, tls: ssl.SSLContext | None) -> Iterator[int]:
    """Run a gateway; gives its port."""
    found = Gateway(Upstream(postgres.url), tls=tls, max_response=MAX_RESPONSE)
    thread = GatewayThread()
    thread.start(found)
    try:
        yield found.port
    finally:
        thread.stop()


@contextmanager
def secure(postgres: EmbeddedPostgres, directory: Path) -> Iterator[TLS | None]:
    """Run what speaks TLS, if trustme is there to make certificates."""
    try:
        import trustme
    except ImportError:
        yield None
        return
    authority = trustme.CA()
    path = directory / "ca.pem"
    authority.cert_pem.write_to_path(os.fspath(path))
    certificate = authority.issue_cert("127.0.0.1")
    contexts = [ssl.create_default_context(ssl.Purpose.CLIENT_AUTH) for _ in range(2)]
    for context in contexts:
        certificate.configure_cert(context)
        # Nobody waits for tickets, and Postgres sends none; they would make what comes after them look like an answer.
        context.num_tickets = 0
    contexts[1].set_alpn_protocols(["postgresql"])
    with gateway(postgres, contexts[0]) as port, closing(TLSPostgres(postgres.port, contexts[1])) as front:
        yield TLS(os.fspath(path), port, front.port)


class TLSPostgres:
    """Speaks TLS for Postgres, as the embedded one was built without."""

    def __init__(self, port: int, context: ssl.SSLContext) -> None:
        self._target = port
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError), closing(client):
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if client.recv(1, socket.MSG_PEEK) != b"\x16":  # which a TLS handshake begins with
                client.recv(8, socket.MSG_WAITALL)  # the question whether TLS is spoken
                client.sendall(b"S")
            with (
                self._context.wrap_socket(client, server_side=True) as inner,
                socket.create_connection(("127.0.0.1", self._target)) as server,
            ):
                upward = threading.Thread(target=copy, args=(inner, server), daemon=True)
                upward.start()
                copy(server, inner)
                upward.join()


def copy(source: socket.socket, target: socket.socket) -> None:
    """Carry bytes until their end."""
    with suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)
