"""A Postgres that does not report what versions before 14 did not report."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import closing, suppress
from types import TracebackType

#: Reported since PostgreSQL 14 (docs 53.2.7).
NEW = (b"in_hot_standby\0", b"default_transaction_read_only\0")


class OldPostgres:
    """Listens on 127.0.0.1 and leads to a Postgres, leaving its newer reports out; a context manager.

    Clients should not ask it for TLS (`sslmode=disable`).

    Args:
        host, port: the Postgres.

    Attributes:
        port: where it listens.
        asked: the statements that were sent by the simple query protocol.
    """

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.asked: list[bytes] = []

    def __enter__(self) -> OldPostgres:
        threading.Thread(target=self._accept, name="old postgres", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError), closing(client), socket.create_connection(self._target) as server:
            threading.Thread(target=self._upward, args=(client, server), daemon=True).start()
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
