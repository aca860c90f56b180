"""A relay between the driver and a gateway behind which everything can go silent, without a goodbye."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from types import TracebackType


class SilentRelay:
    """Carries bytes between clients and a server, in threads, until it is told to swallow them; a context manager.

    Args:
        host, port: the server.

    Attributes:
        port: where it listens.
        said: how many bytes clients have said since `fall_silent()`.
    """

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.said = 0
        self._silent = False
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> SilentRelay:
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for sock in self._sockets:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for sock in self._sockets:
            sock.close()

    def fall_silent(self) -> None:
        """From now on take what is said, and pass nothing on in either direction."""
        self._silent = True

    def _start(self, target: object, *args: object) -> None:
        thread = threading.Thread(target=target, args=args, name="silent", daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(self._target)
            self._sockets += [client, server]
            self._start(self._carry, client, server, True)
            self._start(self._carry, server, client, False)

    def _carry(self, source: socket.socket, target: socket.socket, of_client: bool) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                if not self._silent:
                    target.sendall(data)
                elif of_client:
                    self.said += len(data)
        if not self._silent:
            with suppress(OSError):
                target.shutdown(socket.SHUT_RDWR)
