"""A server that is not ready yet: it refuses the first clients, and leads the others to a real one."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress
from types import TracebackType


class WakingServer:
    """Listens on 127.0.0.1; a context manager.

    Args:
        host, port: the real server.
        refusal: what the first clients hear once they have said something, before the connection is closed.
        refusals: how many clients hear it.

    Attributes:
        port: where it listens.
        accepted: how many clients have come.
    """

    def __init__(self, host: str, port: int, refusal: bytes, refusals: int = 2) -> None:
        self._target = (host, port)
        self._refusal = refusal
        self._refusals = refusals
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.accepted = 0
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> WakingServer:
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._threads[0].join()
        for sock in self._sockets:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads[1:]:
            thread.join()
        for sock in self._sockets:
            sock.close()

    def _start(self, target: object, *args: object) -> None:
        thread = threading.Thread(target=target, args=args, name="waking", daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            self._sockets.append(client)
            if self.accepted <= self._refusals:
                self._start(self._refuse, client)
                continue
            server = socket.create_connection(self._target)
            self._sockets.append(server)
            self._start(_carry, client, server)
            self._start(_carry, server, client)

    def _refuse(self, client: socket.socket) -> None:
        with suppress(OSError):
            client.recv(1 << 16)
            client.sendall(self._refusal)
            client.shutdown(socket.SHUT_WR)


class TakingServer:
    """An HTTP server that answers the first request, takes the second, and then is gone; a context manager.

    Args:
        answer: the answer to the first request.
        taken: how much of the second request is taken: as many bytes, or all of it if None.
        last: what is said then.
        reset: the connection ends by a reset.

    Attributes:
        port: where it listens.
        accepted: how many connections were made to it.
        requests: how many requests have come, as a whole or in part.
    """

    def __init__(self, answer: bytes, *, taken: int | None, last: bytes, reset: bool) -> None:
        self._answer = answer
        self._taken = taken
        self._last = last
        self._reset = reset
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.accepted = self.requests = 0
        self._thread = threading.Thread(target=self._run, name="taking", daemon=True)

    def __enter__(self) -> TakingServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _run(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            with client, suppress(OSError):
                self._serve(client)

    def _serve(self, client: socket.socket) -> None:
        while data := client.recv(1 if self.requests % 2 else 1 << 16):
            self.requests += 1
            second = self.requests % 2 == 0
            wanted = self._taken if second else None
            while not _is_whole(data) if wanted is None else len(data) < wanted:
                data += client.recv(1 << 16 if wanted is None else wanted - len(data))
            client.sendall(self._last if second else self._answer)
            if second:
                if self._reset:
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return


def _is_whole(data: bytes) -> bool:
    """Whether an HTTP request is complete."""
    head, end, body = data.partition(b"\r\n\r\n")
    length = next((line[15:] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), b"0")
    return bool(end) and len(body) >= int(length)


def _carry(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)
