"""The asyncio runner: carries out what a flow asks for, and lets other tasks run while it waits.

It looks at the socket itself instead of having a transport do it. So a connection belongs to no event loop: it can be
used in one after the other, and who wants to know when something arrives can give its descriptor to
`loop.add_reader()`. It takes a loop that has `add_reader()`, as all have but Windows' default one.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from ..flows.requests import (
    Aside,
    Close,
    Deadline,
    DeadlinePassed,
    Flow,
    NameNotResolved,
    Open,
    Poll,
    Receive,
    Resolve,
    Send,
    StartTLS,
)
from .addresses import numbers_of, numeric_addresses, unix_address
from .stream_socket import Steps, StreamSocket, Wait, has_pending

T = TypeVar("T")


class AsyncRunner(StreamSocket):
    """Runs flows on one connection, as a coroutine."""

    def __init__(self) -> None:
        super().__init__()
        self._deadline: float | None = None  # by time.monotonic()
        self._hurried = False  # nothing had to be waited for when something was last received

    async def run(self, flow: Flow[T]) -> T:
        """Carry out what `flow` asks for until it returns, and give what it returns, or raise what it raises."""
        try:
            request = next(flow)
            while True:
                try:
                    answer = await _PERFORM[type(request)](self, request)
                except BaseException as error:
                    request = flow.throw(error)
                else:
                    request = flow.send(answer)
        except StopIteration as stop:
            result: T = stop.value
            return result
        except GeneratorExit:  # nobody waits for the coroutine any more, and it cannot wait either
            self.close()
            raise
        finally:
            # Interrupted between two requests, so that the flow does not hear of it.
            if getattr(flow, "gi_frame", None) is not None:
                flow.close()
                self.close()

    # One method per request

    async def _open(self, request: Open) -> None:
        self.close()
        within = self._deadline
        if request.timeout is not None:
            limit = time.monotonic() + request.timeout
            self._deadline = limit if within is None else min(within, limit)
        try:
            await self._connect(request)
            if request.tls is not None:
                await self._drive(self.start_tls(request.tls))
        except BaseException:
            self.close()
            raise
        finally:
            self._deadline = within

    async def _connect(self, request: Open) -> None:
        if address := unix_address(request.host, request.port):
            await self._drive(self.connect(socket.AF_UNIX, address, request.keepalive))
            return
        error: OSError | None = None
        for family, at in await self._resolve(request.host, request.port):
            try:
                await self._drive(self.connect(family, at, request.keepalive))
                return
            except OSError as e:
                error = e
        raise error or NameNotResolved(f"host {request.host!r} has no address")

    async def _resolve(self, host: str, port: int) -> list[tuple[int, Any]]:
        """The addresses of `host`. What the system's resolver is still doing at the deadline is left to itself."""
        if found := numeric_addresses(host, port):
            return found
        lookup = asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        try:
            infos = await asyncio.wait_for(lookup, self._remaining())
        except asyncio.TimeoutError:
            raise DeadlinePassed from None
        except (OSError, UnicodeError) as error:
            raise NameNotResolved(f"failed to resolve host {host!r}: {error}") from None
        return [(int(family), address) for family, _, _, _, address in infos]

    async def _resolve_host(self, request: Resolve) -> list[str]:
        found = await self._resolve(request.host, request.port)
        return list(dict.fromkeys(numbers_of(family, address) for family, address in found))

    async def _start_tls(self, request: StartTLS) -> bytes | None:
        return await self._drive(self.start_tls(request.tls))

    async def _send(self, request: Send) -> None:
        await self._drive(self.send(request.data))

    async def _receive(self, request: Receive) -> bytes:
        if self._hurried:
            await asyncio.sleep(0)  # a server that always has more to say must not keep other tasks from running
        data = self.poll()
        self._hurried = data is not None
        return await self._drive(self.receive()) if data is None else data

    async def _poll(self, request: Poll) -> bytes | None:
        await asyncio.sleep(0)  # whoever sends much looks now and then; meanwhile other tasks can run
        return self.poll()

    async def _close(self, request: Close) -> None:
        self.close()

    async def _set_deadline(self, request: Deadline) -> None:
        self._deadline = None if request.seconds is None else time.monotonic() + request.seconds

    async def _aside(self, request: Aside) -> Any:
        runner = AsyncRunner()
        runner._deadline = time.monotonic() + request.timeout
        try:
            return await runner.run(request.flow)
        finally:
            runner.close()

    # Waiting

    async def _drive(self, steps: Steps[T]) -> T:
        """Take steps to their end, waiting in between."""
        try:
            wait = next(steps)
            while True:
                try:
                    readable = await self._wait(wait)
                except BaseException as error:
                    wait = steps.throw(error)
                else:
                    wait = steps.send(readable)
        except StopIteration as stop:
            result: T = stop.value
            return result

    def _remaining(self) -> float | None:
        return None if self._deadline is None else max(0.0, self._deadline - time.monotonic())

    async def _wait(self, wait: Wait) -> bool:
        """Wait for the socket; True if it can be read.

        Raises:
            DeadlinePassed: the deadline came first.
        """
        if has_pending(wait):
            return True
        loop = asyncio.get_running_loop()
        ready: asyncio.Future[bool | None] = loop.create_future()

        def wake(readable: bool | None) -> None:
            if not ready.done():
                ready.set_result(readable)

        remaining = self._remaining()
        descriptor = wait.sock.fileno()
        timer = None if remaining is None else loop.call_later(remaining, wake, None)
        try:
            if wait.write:
                loop.add_writer(descriptor, wake, False)
            if wait.read:
                loop.add_reader(descriptor, wake, True)
            readable = await ready
            if readable is None:
                raise DeadlinePassed
            return readable
        finally:
            if wait.read:
                loop.remove_reader(descriptor)
            if wait.write:
                loop.remove_writer(descriptor)
            if timer is not None:
                timer.cancel()


_PERFORM: dict[type, Callable[[AsyncRunner, Any], Awaitable[Any]]] = {
    Resolve: AsyncRunner._resolve_host,
    Open: AsyncRunner._open,
    StartTLS: AsyncRunner._start_tls,
    Send: AsyncRunner._send,
    Receive: AsyncRunner._receive,
    Poll: AsyncRunner._poll,
    Close: AsyncRunner._close,
    Deadline: AsyncRunner._set_deadline,
    Aside: AsyncRunner._aside,
}
