"""A relay between the driver and a gateway behind which everything can go silent, without a goodbye."""

from __future__ import annotations

import socket

from threaded_server import ThreadedRelay


class SilentRelay(ThreadedRelay):
    """Carries bytes between clients and a server until it is told to swallow them; a context manager.

    Args:
        host, port: the server.

    Attributes:
        said: how many bytes clients have said since `fall_silent()`.
    """

    def __init__(self, host: str, port: int) -> None:
        super().__init__(host, port)
        self.said = 0
        self._silent = False

    def fall_silent(self) -> None:
        """From now on take what is said, and pass nothing on in either direction."""
        self._silent = True

    def goes_on(self, data: bytes, source: socket.socket, of_client: bool) -> bool:
        if self._silent and of_client:
            self.said += len(data)
        return not self._silent

    def ended(self, target: socket.socket, of_client: bool) -> None:
        if not self._silent:
            super().ended(target, of_client)
