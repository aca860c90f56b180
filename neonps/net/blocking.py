"""The blocking runner: carries out what a flow asks for, blocking the thread while it waits."""

from __future__ import annotations

import select
import time
from collections.abc import Callable
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

#: How long the system waits at a time, in seconds. A Ctrl-C that comes just as a wait begins is heard of when it ends;
#: on Windows that is so with each.
_PATIENCE = 1.0


class BlockingRunner(StreamSocket):
    """Runs flows on one connection, blocking the thread while it waits."""

    def run(self, flow: Flow[T]) -> T:
        """Carry out what `flow` asks for until it returns, and give what it returns, or raise what it raises."""
        try:
            request = next(flow)
            while True:
                try:
                    answer = _PERFORM[type(request)](self, request)
                except BaseException as error:
                    request = flow.throw(error)
                else:
                    request = flow.send(answer)
        except StopIteration as stop:
            result: T = stop.value
            return result
        finally:
            # Interrupted between two requests, so that the flow does not hear of it.
            if getattr(flow, "gi_frame", None) is not None:
                begun = _has_begun(flow)
                flow.close()
                if begun:
                    self.close()

    # What is not done in steps

    def _resolve(self, host: str, port: int) -> list[tuple[int, Any]]:
        """The addresses of `host`."""
        outcomes: list[list[tuple[int, Any]] | NameNotResolved] = []
        look_up(host, port, outcomes.append).join(self._remaining())
        if not outcomes:
            raise DeadlinePassed
        if isinstance(outcomes[0], NameNotResolved):
            raise outcomes[0]
        return outcomes[0]

    def _pause(self, request: Pause) -> None:
        seconds, whole = self._sleep_time(request.seconds)
        time.sleep(seconds)
        if not whole:
            raise DeadlinePassed

    def _within(self, request: Within) -> Any:
        outer = self.limit(request.timeout)
        try:
            return self.run(request.flow)
        finally:
            self._deadline = outer

    def _aside(self, request: Aside) -> Any:
        runner = BlockingRunner()
        runner.set_deadline(request.timeout)
        try:
            return runner.run(request.flow)
        finally:
            runner.close()

    # Waiting

    def _drive(self, steps: Steps[T]) -> T:
        """Take steps to their end, waiting in between."""
        try:
            step = next(steps)
            while True:
                try:
                    answer = self._resolve(*step) if isinstance(step, Lookup) else self._wait(step)
                except BaseException as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(answer)
        except StopIteration as stop:
            result: T = stop.value
            return result

    def _wait(self, wait: Wait) -> bool:
        """Wait for the socket; True if it can be read.

        Raises:
            DeadlinePassed: the deadline came first.
        """
        if has_pending(wait):
            return True
        while True:
            remaining = self._remaining()
            patience = _PATIENCE if remaining is None else min(_PATIENCE, remaining)
            readable = _look(wait, patience)
            if readable is not None:
                return readable
            if patience == remaining:
                raise DeadlinePassed


def _look(wait: Wait, seconds: float) -> bool | None:
    """Whether a socket can be read, once what is waited for has come; None if it has not within so many seconds."""
    sock, read, write = wait
    if hasattr(select, "poll"):
        poll = select.poll()
        poll.register(sock, (select.POLLIN if read else 0) | (select.POLLOUT if write else 0))
        events = poll.poll(seconds * 1000)
        return bool(events[0][1] & ~select.POLLOUT) if events else None
    # Windows reports a connection that was refused as an exceptional condition.
    found = select.select([sock] * read, [sock] * write, [sock] * write, seconds)
    return bool(found[0]) if any(found) else None


def _has_begun(flow: Flow[Any]) -> bool:
    """Whether a flow has done something already."""
    from inspect import GEN_CREATED, getgeneratorstate  # takes long to import, and is seldom needed

    return getgeneratorstate(flow) != GEN_CREATED


_PERFORM: dict[type, Callable[[BlockingRunner, Any], Any]] = {
    Resolve: lambda runner, request: runner._drive(runner.resolve(request)),
    Open: lambda runner, request: runner._drive(runner.open(request)),
    StartTLS: lambda runner, request: runner._drive(runner.start_tls(request.tls)),
    Send: lambda runner, request: runner._drive(runner.send(request)),
    Receive: lambda runner, request: runner._drive(runner.receive(request)),
    Poll: lambda runner, request: runner.poll(),
    Close: lambda runner, request: runner.close(),
    Deadline: lambda runner, request: runner.set_deadline(request.seconds),
    Clock: lambda runner, request: time.monotonic(),
    Pause: BlockingRunner._pause,
    Within: BlockingRunner._within,
    Aside: BlockingRunner._aside,
}
