"""A runner that carries out flows as `connect()` has it done, and takes down each step with its time."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

from ...flows.failures import describe
from ...flows.requests import TLS, DeadlinePassed, KeepAlive, Receive, Send
from ...net.addresses import numbers_of, numeric_addresses
from ...net.blocking import BlockingRunner
from ...net.stream_socket import Steps
from ...protocol.frontend import SSLRequest
from ...protocol.proxy import is_request
from .certificate import subject_names
from .step import FAILED, OK, SKIPPED, Step

#: What is waited for after TCP and TLS, by transport.
_AFTER_TLS = {"tcp": "login", "websocket": "upgrade", "http": "endpoint"}

_SSL_REQUEST = SSLRequest().encode()

#: So much of what the server has said first is kept, in bytes, to tell what kind of server it is.
_HEARD = 4096

#: A certificate that ends within so many days is worth a note.
_SOON = 14


class WatchedRunner(BlockingRunner):
    """Runs flows on one connection, and tells of each step.

    What belongs to the upgrade and what to the login is told apart by what is sent: a WebSocket is open when something
    is sent after the handshake.

    Args:
        transport: the transport that the flows are for.
        report: takes each step that has ended.
        why_plain: why a connection is not encrypted, if it is not.

    Attributes:
        step: the name of the step that is under way; "" for none.
        began: when it began, by `time.perf_counter()`; None if it takes no time of its own.
        where: what it is about: a host, or an address and a port.
        cause: what it has failed with, as far as the runner knows.
        unexplained: a step has failed for a reason that only the error in the end tells.
        heard: what the server has said first on the connection.
        past_proxy: a proxy was asked for the way, on this connection.
    """

    def __init__(self, transport: str, report: Callable[[Step], None], why_plain: str) -> None:
        super().__init__()
        self._transport = transport
        self._report = report
        self._why_plain = why_plain
        self._named = False  # the step "dns" was told of
        self._secured = False  # the step "tls" was told of, for this connection
        self._greeted = False  # the endpoint was asked
        self._at_proxy = False  # a proxy was asked for the way
        self._wanted = ""  # to this host and port
        self._before = 0  # round trips before the step
        self.step = ""
        self.began: float | None = None
        self.where = ""
        self.cause: BaseException | None = None
        self.unexplained = False
        self.heard = b""
        self.past_proxy = False

    @property
    def waited(self) -> int:
        """The round trips of the step so far."""
        return self.round_trips - self._before

    # Steps

    def begin(self, step: str, where: str) -> None:
        """A step begins. One that is still under way has failed, and there is another address or host to try."""
        if self.step:
            self.unexplained = self.unexplained or self.cause is None
            self._report(self.unfinished(self._reason()))
        self.step, self.where, self.cause = step, where, None
        self._before = self.round_trips
        self.began = time.perf_counter()

    def finish(self, fact: str, notes: list[str] | None = None) -> Step:
        """The step that is under way has ended well; gives it."""
        step = Step(self.step, self._transport, OK, self._seconds(), fact, notes or [])
        self.step = ""
        return step

    def end(self, fact: str, notes: list[str] | None = None) -> Step:
        """The same, and tells of it."""
        step = self.finish(fact, notes)
        self._report(step)
        return step

    def unfinished(self, fact: str) -> Step:
        """The step that is under way as one that has failed."""
        where = f"{self.where}: " if self.where not in fact else ""
        return Step(self.step, self._transport, FAILED, self._seconds(), f"{where}{fact}")

    def _reason(self) -> str:
        """Why the step that is under way has failed, as far as the runner knows."""
        if self.cause is None:
            return "it has not let us in"
        return "no answer in time" if isinstance(self.cause, DeadlinePassed) else describe(self.cause)

    def _seconds(self) -> float | None:
        return None if self.began is None else time.perf_counter() - self.began

    def skip(self, step: str, fact: str) -> None:
        """A step is not needed."""
        self._report(Step(step, self._transport, SKIPPED, fact=fact))

    @contextmanager
    def _noting_cause(self) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            self.cause = error
            raise

    # What the runner does

    # A connection that is opened again for the query, since the server has closed the first, is no step.

    def _addresses(self, host: str, port: int) -> Steps[list[tuple[int, Any]]]:
        if self.step == "query":
            return (yield from super()._addresses(host, port))
        if found := numeric_addresses(host, port):
            if not self._named:
                self.skip("dns", f"{host} is an address")
                self._named = True
            return found
        self.begin("dns", host)
        with self._noting_cause():
            found = yield from super()._addresses(host, port)
        names = dict.fromkeys(numbers_of(family, address) for family, address in found)
        self.end(f"{host} is {', '.join(names)}")
        self._named = True
        return found

    def connect(self, family: int, address: Any, keepalive: KeepAlive) -> Steps[None]:
        if self.step == "query":
            return (yield from super().connect(family, address, keepalive))
        self.begin("tcp", _shown(family, address))
        with self._noting_cause():
            yield from super().connect(family, address, keepalive)
        self.end(self.where)
        self.heard = b""
        self._greeted = self._secured = self._at_proxy = self.past_proxy = False
        self.begin(_AFTER_TLS[self._transport], self.where)

    def start_tls(self, tls: TLS) -> Steps[bytes | None]:
        if self.step == "query":
            return (yield from super().start_tls(tls))
        self._pass_proxy()
        self.step = "tls"
        with self._noting_cause():
            certificate = yield from super().start_tls(tls)
        self.end(*_describe_tls(cast("ssl.SSLSocket", self._socket)))
        self._secured = True
        self.heard = b""
        self.begin(_AFTER_TLS[self._transport], self.where)
        return certificate

    def _pass_proxy(self) -> None:
        """The proxy has opened the way, if one was asked for it."""
        if self._at_proxy:
            self._at_proxy = self._secured = False
            self.heard = b""
            self.end(f"the way to {self._wanted} is open")
            self.begin(_AFTER_TLS[self._transport], self._wanted)

    def send(self, request: Send) -> Steps[None]:
        if self.step != "query" and is_request(request.data):
            self.step = "proxy"
            self._at_proxy = self.past_proxy = True
            self._wanted = request.data.split()[1].decode()
            with self._noting_cause():
                yield from super().send(request)
            return
        self._pass_proxy()
        if request.data == _SSL_REQUEST:
            self.step = "tls"
        elif not self._secured:
            self.skip("tls", self._why_plain)
            self._secured = True
        if self.step == "upgrade" and self._greeted:
            self.end("101 Switching Protocols")
            self.begin("login", self.where)
        self._greeted = True
        with self._noting_cause():
            yield from super().send(request)

    def receive(self, request: Receive) -> Steps[bytes | None]:
        with self._noting_cause():
            data = yield from super().receive(request)
        self.heard += (data or b"")[: _HEARD - len(self.heard)]
        return data


def _shown(family: int, address: Any) -> str:
    if family in (socket.AF_INET, socket.AF_INET6):
        host = numbers_of(family, address)
        return f"[{host}]:{address[1]}" if ":" in host else f"{host}:{address[1]}"
    return str(address).replace("\0", "@")


def _describe_tls(sock: ssl.SSLSocket) -> tuple[str, list[str]]:
    """The version and the certificate, and a note if it ends soon."""
    certificate: dict[str, Any] = sock.getpeercert() or {}
    names = subject_names(sock)
    shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
    end = ssl.cert_time_to_seconds(certificate["notAfter"])
    days = int((end - time.time()) // 86400)
    date = time.strftime("%Y-%m-%d", time.gmtime(end))
    notes = [f"The certificate ends in {days} days: have it renewed."] if days < _SOON else []
    return f"{sock.version()}, certificate for {shown or 'no name'} until {date} ({days} days)", notes
