"""A Postgres that does not report what versions before 14 did not report."""

from __future__ import annotations

import socket
import struct
from contextlib import suppress

from threaded_server import ThreadedServer

#: Reported since PostgreSQL 14 (docs 53.2.7).
NEW = (b"in_hot_standby\0", b"default_transaction_read_only\0")


class OldPostgres(ThreadedServer):
    """Leads to a Postgres, leaving its newer reports out; a context manager.

    Clients should not ask it for TLS (`sslmode=disable`).

    Args:
        host, port: the Postgres.

    Attributes:
        asked: the statements that were sent by the simple query protocol.
    """

    def __init__(self, host: str, port: int) -> None:
        super().__init__()
        self._target = (host, port)
        self.asked: list[bytes] = []

    def serve(self, client: socket.socket) -> None:
        with client, suppress(OSError), socket.create_connection(self._target) as server:
            self.start(self._upward, client, server)
            while message := self._message(server):
                if message[:1] == b"S" and message[5:].startswith(NEW):
                    continue
                if message[:1] == b"S" and message[5:].startswith(b"server_version\0"):
                    body = b"server_version\x0013.0\0"
                    message = b"S" + struct.pack("!i", len(body) + 4) + body
                client.sendall(message)
            client.shutdown(socket.SHUT_RDWR)

    @staticmethod
    def _message(server: socket.socket) -> bytes:
        head = server.recv(5, socket.MSG_WAITALL)
        if len(head) < 5:
            return b""
        (length,) = struct.unpack("!i", head[1:])
        return head + (server.recv(length - 4, socket.MSG_WAITALL) if length > 4 else b"")

    def _upward(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(1 << 16):
                if data[:1] == b"Q":
                    self.asked.append(data[5:].rstrip(b"\0"))
                server.sendall(data)
        with suppress(OSError):
            server.shutdown(socket.SHUT_WR)
