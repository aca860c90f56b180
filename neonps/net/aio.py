"""The asyncio runner: carries out what a flow asks for, and lets other tasks run while it waits.

It looks at the socket itself instead of having a transport do it. So a connection belongs to no event loop: it can be
used in one after the other, and who wants to know when something arrives can give its descriptor to
`loop.add_reader()`. It takes a loop that has `add_reader()`, as all have but Windows' default one.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeVar

from ..flows.requests import (
    Aside,
    Clock,
    Close,
    Deadline,
    DeadlinePassed,
    Flow,
    NameNotResolved,
    Open,
    Pause,
    Poll,
    Receive,
    Resolve,
    Send,
    StartTLS,
    Within,
)
from .addresses import look_up
from .stream_socket import Lookup, Steps, StreamSocket, Wait, has_pending

T = TypeVar("T")


class AsyncRunner(StreamSocket):
    """Runs flows on one connection, as a coroutine."""

    def __init__(self) -> None:
        super().__init__()
        self._hurried = False  # something was received since anything had to be waited for

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

    # What is not done in steps

    async def _resolve(self, host: str, port: int) -> list[tuple[int, Any]]:
        """The addresses of `host`. A thread of the loop's own executor would keep the loop from ending."""
        loop = asyncio.get_running_loop()
        outcome: asyncio.Future[list[tuple[int, Any]] | NameNotResolved] = loop.create_future()

        def arrived(found: list[tuple[int, Any]] | NameNotResolved) -> None:
            if not outcome.done():
                outcome.set_result(found)

        def tell(found: list[tuple[int, Any]] | NameNotResolved) -> None:
            with suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(arrived, found)

        look_up(host, port, tell)
        try:
            found = await asyncio.wait_for(outcome, self._remaining())
        except asyncio.TimeoutError:
            raise DeadlinePassed from None
        if isinstance(found, NameNotResolved):
            raise found
        return found

    async def _receive(self, request: Receive) -> bytes | None:
        if self._drained and not self._arrived:
            return await self._drive(self.receive(request))
        if self._hurried:
            await asyncio.sleep(0)  # a server that always has more to say must not keep other tasks from running
        self._hurried = True
        self._count()
        data = self.poll()
        return await self._drive(self.receive(request)) if data is None else data

    async def _poll(self, request: Poll) -> bytes | None:
        await asyncio.sleep(0)  # whoever sends much looks now and then; meanwhile other tasks can run
        return self.poll()

    async def _close(self, request: Close) -> None:
        self.close()

    async def _set_deadline(self, request: Deadline) -> None:
        self.set_deadline(request.seconds)

    async def _clock(self, request: Clock) -> float:
        return time.monotonic()

    async def _pause(self, request: Pause) -> None:
        seconds, whole = self._sleep_time(request.seconds)
        await asyncio.sleep(seconds)
        if not whole:
            raise DeadlinePassed

    async def _within(self, request: Within) -> Any:
        outer = self.limit(request.timeout)
        try:
            return await self.run(request.flow)
        finally:
            self._deadline = outer

    async def _aside(self, request: Aside) -> Any:
        runner = AsyncRunner()
        runner.set_deadline(request.timeout)
        try:
            return await runner.run(request.flow)
        finally:
            runner.close()

    # Waiting

    async def _drive(self, steps: Steps[T]) -> T:
        """Take steps to their end, waiting in between."""
        try:
            step = next(steps)
            while True:
                try:
                    answer = await (self._resolve(*step) if isinstance(step, Lookup) else self._wait(step))
                except BaseException as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(answer)
        except StopIteration as stop:
            result: T = stop.value
            return result

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
        process = os.getpid()
        timer = None if remaining is None else loop.call_later(remaining, wake, None)
        try:
            if wait.write:
                loop.add_writer(descriptor, wake, False)
            if wait.read:
                loop.add_reader(descriptor, wake, True)
            readable = await ready
            self._hurried = False
            if readable is None:
                raise DeadlinePassed
            return readable
        finally:
            if process == os.getpid():  # a process that was forked has what the parent's event loop waits with
                if wait.read:
                    loop.remove_reader(descriptor)
                if wait.write:
                    loop.remove_writer(descriptor)
            if timer is not None:
                timer.cancel()


_PERFORM: dict[type, Callable[[AsyncRunner, Any], Awaitable[Any]]] = {
    Resolve: lambda runner, request: runner._drive(runner.resolve(request)),
    Open: lambda runner, request: runner._drive(runner.open(request)),
    StartTLS: lambda runner, request: runner._drive(runner.start_tls(request.tls)),
    Send: lambda runner, request: runner._drive(runner.send(request)),
    Receive: AsyncRunner._receive,
    Poll: AsyncRunner._poll,
    Close: AsyncRunner._close,
    Deadline: AsyncRunner._set_deadline,
    Clock: AsyncRunner._clock,
    Pause: AsyncRunner._pause,
    Within: AsyncRunner._within,
    Aside: AsyncRunner._aside,
}
