"""The blocking runner: carries out what a flow asks for, blocking the thread while it waits."""

from __future__ import annotations

import select
import socket
import threading
import time
from collections.abc import Callable
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

#: The longest time that `poll` can wait, in seconds: its milliseconds are an int of C.
_LONGEST_WAIT = 2_000_000.0


class BlockingRunner(StreamSocket):
    """Runs flows on one connection, blocking the thread while it waits."""

    def __init__(self) -> None:
        super().__init__()
        self._deadline: float | None = None  # by time.monotonic()

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
                flow.close()
                self.close()

    # One method per request

    def _open(self, request: Open) -> None:
        self.close()
        within = self._deadline
        if request.timeout is not None:
            limit = time.monotonic() + request.timeout
            self._deadline = limit if within is None else min(within, limit)
        try:
            self._connect(request)
            if request.tls is not None:
                self._drive(self.start_tls(request.tls))
        except BaseException:
            self.close()
            raise
        finally:
            self._deadline = within

    def _connect(self, request: Open) -> None:
        if address := unix_address(request.host, request.port):
            self._drive(self.connect(socket.AF_UNIX, address, request.keepalive))
            return
        error: OSError | None = None
        for family, address in self._resolve(request.host, request.port):
            try:
                self._drive(self.connect(family, address, request.keepalive))
                return
            except OSError as e:
                error = e
        raise error or NameNotResolved(f"host {request.host!r} has no address")

    def _resolve(self, host: str, port: int) -> list[tuple[int, Any]]:
        """The addresses of `host`. The system's resolver knows no deadline, so it gets a thread that may be left."""
        if found := numeric_addresses(host, port):
            return found
        outcome: list[Any] = []

        def resolve() -> None:
            try:
                found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
                outcome.append([(family, address) for family, _, _, _, address in found])
            except (OSError, UnicodeError) as error:
                outcome.append(NameNotResolved(f"failed to resolve host {host!r}: {error}"))

        thread = threading.Thread(target=resolve, name="neonps-resolver", daemon=True)
        thread.start()
        thread.join(self._remaining())
        if not outcome:
            raise DeadlinePassed
        if isinstance(outcome[0], NameNotResolved):
            raise outcome[0]
        addresses: list[tuple[int, Any]] = outcome[0]
        return addresses

    def _resolve_host(self, request: Resolve) -> list[str]:
        found = self._resolve(request.host, request.port)
        return list(dict.fromkeys(numbers_of(family, address) for family, address in found))

    def _set_deadline(self, request: Deadline) -> None:
        self._deadline = None if request.seconds is None else time.monotonic() + request.seconds

    def _aside(self, request: Aside) -> Any:
        runner = BlockingRunner()
        runner._deadline = time.monotonic() + request.timeout
        try:
            return runner.run(request.flow)
        finally:
            runner.close()

    # Waiting

    def _drive(self, steps: Steps[T]) -> T:
        """Take steps to their end, waiting in between."""
        try:
            wait = next(steps)
            while True:
                try:
                    readable = self._wait(wait)
                except BaseException as error:
                    wait = steps.throw(error)
                else:
                    wait = steps.send(readable)
        except StopIteration as stop:
            result: T = stop.value
            return result

    def _remaining(self) -> float | None:
        return None if self._deadline is None else min(max(0.0, self._deadline - time.monotonic()), _LONGEST_WAIT)

    def _wait(self, wait: Wait) -> bool:
        """Wait for the socket; True if it can be read.

        Raises:
            DeadlinePassed: the deadline came first.
        """
        if has_pending(wait):
            return True
        sock, read, write = wait
        if hasattr(select, "poll"):
            poll = select.poll()
            poll.register(sock, (select.POLLIN if read else 0) | (select.POLLOUT if write else 0))
            remaining = self._remaining()
            events = poll.poll(None if remaining is None else remaining * 1000)
            if not events:
                raise DeadlinePassed
            return bool(events[0][1] & ~select.POLLOUT)
        # Windows reports a connection that was refused as an exceptional condition.
        found = select.select([sock] * read, [sock] * write, [sock] * write, self._remaining())
        if not any(found):
            raise DeadlinePassed
        return bool(found[0])


_PERFORM: dict[type, Callable[[BlockingRunner, Any], Any]] = {
    Resolve: BlockingRunner._resolve_host,
    Open: BlockingRunner._open,
    StartTLS: lambda runner, request: runner._drive(runner.start_tls(request.tls)),
    Send: lambda runner, request: runner._drive(runner.send(request.data)),
    Receive: lambda runner, request: runner._drive(runner.receive()),
    Poll: lambda runner, request: runner.poll(),
    Close: lambda runner, request: runner.close(),
    Deadline: BlockingRunner._set_deadline,
    Aside: BlockingRunner._aside,
}
