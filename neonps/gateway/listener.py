"""The sockets that the gateway listens on, and the tasks that serve who comes there."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Callable, Collection, Coroutine
from functools import partial
from typing import Any

logger = logging.getLogger("neonps.gateway")

#: How many clients wait in the system to be taken.
BACKLOG = 1024

#: Seconds until one looks again whether a connection can be taken, when that has failed.
PAUSE = 0.1

#: Seconds until one says again that there is something wrong.
SILENCE = 60.0

#: How many files this process needs for other things than clients and their sessions.
OTHER_FILES = 64


class Listener:
    """Takes connections, but not more at a time than it should; the others wait in the system.

    Args:
        serve: serves a client, and never fails.
        limit: how many clients are served at a time.
    """

    def __init__(self, serve: Callable[[socket.socket], Coroutine[Any, Any, None]], limit: int) -> None:
        self._serve = serve
        self._free = asyncio.Semaphore(limit)
        self._sockets: list[socket.socket] = []
        self._accepting: list[asyncio.Task[None]] = []
        self._clients: set[asyncio.Task[None]] = set()

    async def start(self, host: str, port: int) -> int:
        """Begin to listen; gives the port.

        Raises:
            OSError: it cannot listen there.
        """
        loop = asyncio.get_running_loop()
        # asyncio finds and binds the addresses. To take the connections is up to us: it would take all that come.
        server = await loop.create_server(asyncio.Protocol, host, port, start_serving=False)
        self._sockets = [sock.dup() for sock in server.sockets]
        server.close()
        for sock in self._sockets:
            sock.setblocking(False)
            sock.listen(BACKLOG)
            self._accepting.append(asyncio.ensure_future(self._accept(sock)))
        found: int = self._sockets[0].getsockname()[1]
        return found

    async def stop(self) -> None:
        """Stop listening, and cancel what runs for clients."""
        await end(self._accepting)
        for sock in self._sockets:
            sock.close()
        await end(self._clients)

    async def _accept(self, listening: socket.socket) -> None:
        silent_until = 0.0
        while True:
            await self._free.acquire()
            await readable(listening)
            try:
                sock, _ = listening.accept()
            except (BlockingIOError, ConnectionError):  # that client is gone already
                self._free.release()
                continue
            except OSError as error:
                # Mostly because this process, or the system, has too many files open. That will pass.
                self._free.release()
                if time.monotonic() >= silent_until:
                    logger.warning("no connection can be taken now: %s", error.strerror)
                    silent_until = time.monotonic() + SILENCE
                await asyncio.sleep(PAUSE)
                continue
            sock.setblocking(False)
            task = asyncio.ensure_future(self._serve(sock))
            self._clients.add(task)
            task.add_done_callback(partial(self._done, sock))

    def _done(self, sock: socket.socket, task: asyncio.Task[None]) -> None:
        sock.close()  # unless it is; a task that was cancelled before it has begun could not
        self._clients.discard(task)
        self._free.release()


async def readable(sock: socket.socket) -> None:
    """Wait until there is something on a socket."""
    # Unlike loop.sock_accept() this can be cancelled without losing a connection that was just taken.
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()

    def wake() -> None:
        if not ready.done():
            ready.set_result(None)

    loop.add_reader(sock, wake)
    try:
        await ready
    finally:
        loop.remove_reader(sock)


async def end(tasks: Collection[asyncio.Task[None]]) -> None:
    """Cancel tasks, and wait for them."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def allowed_connections() -> int:
    """How many clients the limit on open files allows, if each has a session of its own."""
    try:
        import resource
    except ImportError:  # not on this system, which has no such limit
        return 1 << 16
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 1 << 16 if soft == resource.RLIM_INFINITY else max(1, (soft - OTHER_FILES) // 2)
