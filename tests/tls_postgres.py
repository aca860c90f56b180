"""A Postgres that speaks TLS, which the embedded one was built without."""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import closing, suppress

from neonps.embedded import EmbeddedPostgres
from neonps.protocol.frontend import SSLRequest


class TLSPostgres:
    """A port on which a Postgres speaks TLS, or says that it does not.

    Args:
        postgres: it.
        tls: with the certificate; None for a server that does not support TLS.
        host: the address to listen at.

    Attributes:
        port: it.
        alpn: the application protocol of each connection.
    """

    def __init__(self, postgres: EmbeddedPostgres, tls: ssl.SSLContext | None, host: str = "127.0.0.1") -> None:
        self._postgres = postgres
        self._tls = tls
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, 0), family=family)
        self.alpn: list[str | None] = []
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError), closing(client):
            if not (first := client.recv(1, socket.MSG_PEEK)):
                return
            if first != b"\x16":  # the beginning of a TLS handshake
                assert client.recv(8, socket.MSG_WAITALL) == SSLRequest().encode()
                if self._tls is None:
                    client.sendall(b"N")
                    return
                client.sendall(b"S")
            if self._tls is None:
                return
            with (
                self._tls.wrap_socket(client, server_side=True) as secure,
                socket.create_connection((self._postgres.host, self._postgres.port)) as server,
            ):
                self.alpn.append(secure.selected_alpn_protocol())
                self._lead(secure, server)

    def _lead(self, client: ssl.SSLSocket, server: socket.socket) -> None:
        """Carry what is said from one to the other."""
        upward = threading.Thread(target=self._copy, args=(client, server), daemon=True)
        upward.start()
        self._copy(server, client)
        upward.join()

    @staticmethod
    def _copy(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
