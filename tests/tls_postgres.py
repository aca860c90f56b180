"""A Postgres that speaks TLS, which the embedded one was built without."""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import closing, suppress
from select import select

from neonps.embedded import EmbeddedPostgres
from neonps.protocol.frontend import SSLRequest

#: The name of the threads that serve the clients.
SERVING = "TLSPostgres"


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
                threading.Thread(target=self._serve, args=(client,), name=SERVING, daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError), closing(client):
            if not (first := client.recv(1, socket.MSG_PEEK)):
                return
            if first != b"\x16":  # the beginning of a TLS handshake
                if client.recv(8, socket.MSG_WAITALL) != SSLRequest().encode():
                    return
                if self._tls is None:
                    client.sendall(b"N")
                    return
                client.sendall(b"S")
            if self._tls is None:
                return
            client.getpeername()  # fails if the client has gone, after which `wrap_socket()` leaves a socket open
            with (
                self._tls.wrap_socket(client, server_side=True) as secure,
                socket.create_connection((self._postgres.host, self._postgres.port)) as server,
            ):
                for sock in (secure, server):
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.alpn.append(secure.selected_alpn_protocol())
                self._lead(secure, server)

    @staticmethod
    def _lead(client: ssl.SSLSocket, server: socket.socket) -> None:
        """Carry what is said from one to the other. One thread does both, as OpenSSL wants it for one connection."""
        others: dict[socket.socket, socket.socket] = {client: server, server: client}
        while True:
            ready: list[socket.socket] = [client] if client.pending() else select(others, [], [])[0]
            for source in ready:
                data = source.recv(65536)
                if not data:
                    return
                others[source].sendall(data)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
