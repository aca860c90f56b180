"""A TCP relay that makes a line long, and counts what goes over it: round trips are observed, never computed."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from concurrent.futures import Future
from contextlib import suppress
from types import TracebackType


class Relay:
    """Listens on 127.0.0.1 and carries bytes to and from a server, late; a context manager that runs in a thread.

    Args:
        port: of the server, on 127.0.0.1.
        delay: seconds that each direction takes. Opening a connection takes two of them too: the client's first bytes
            leave that much later, since the system itself opens one to the relay at once.

    Attributes:
        port: where it listens.
        trips: the round trips so far: one for each connection, and one for each time that a client has sent
            something after it was sent something. It is counted at the client's end of the line.
    """

    def __init__(self, port: int, delay: float) -> None:
        self._target = port
        self._delay = delay
        self.port = 0
        self.trips = 0
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()), name="relay", daemon=True)
        self._started: Future[None] = Future()

    def __enter__(self) -> Relay:
        self._thread.start()
        self._started.result()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()

    async def _main(self) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        self._lines: set[asyncio.Task[None]] = set()
        server = await asyncio.start_server(self._take, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._started.set_result(None)
        await self._stopping.wait()
        server.close()
        for task in self._lines:
            task.cancel()
        await asyncio.gather(*self._lines, return_exceptions=True)

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._lines.add(task)
        self.trips += 1
        ends = [writer]
        # Cancelled or broken, a line is at its end, and nobody waits for what became of it.
        with suppress(OSError, asyncio.CancelledError):
            await asyncio.sleep(2 * self._delay)
            answers, upward = await asyncio.open_connection("127.0.0.1", self._target)
            ends.append(upward)
            line = Line(self)
            await asyncio.gather(line.carry(reader, upward, True), line.carry(answers, writer, False))
        for end in ends:
            end.transport.abort()
        self._lines.discard(task)


class Line:
    """One connection of a relay."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self._answered = True

    async def carry(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, from_client: bool) -> None:
        """Carry one direction until its end, which is carried too."""
        loop = asyncio.get_running_loop()
        late: deque[bytes] = deque()
        ended = asyncio.Event()

        def deliver() -> None:
            data = late.popleft()
            if not data:
                target.close()
                ended.set()
                return
            target.write(data)
            if not from_client:
                self._answered = True

        while not ended.is_set():
            try:
                data = await source.read(1 << 16)
            except OSError:
                data = b""
            if from_client and data and self._answered:
                self._relay.trips += 1
                self._answered = False
            late.append(data)
            loop.call_later(self._relay._delay, deliver)
            if not data:
                await ended.wait()
