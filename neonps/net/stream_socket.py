"""A socket that never blocks, and what the runners do with it, in steps.

Each operation is a generator. Where it would have to wait it yields `Wait`, and is sent back whether there is something
to read.
"""

from __future__ import annotations

import errno
import os
import socket
import time
from collections.abc import Callable, Generator
from contextlib import suppress
from typing import Any, TypeVar

from ..flows.requests import TLS, DeadlinePassed, KeepAlive, NameNotResolved, NotSilent, Open, Receive, Resolve, Send
from ..record import Record
from .addresses import interleaved, numbers_of, numeric_addresses, set_keepalive, unix_address

T = TypeVar("T")

#: The most that is received at a time, in bytes.
_RECEIVE_SIZE = 1 << 18
#: Who receives less at a time has most likely all that there is, in bytes: it does not fill a packet.
_PIECE_SIZE = 1 << 10
#: How long an address may take while there are others to try, in seconds. A packet that opens a connection is sent
#: again after 1, 3 and 7 seconds.
_ADDRESS_PATIENCE = 10.0
#: The longest time that `poll` can wait, in seconds: its milliseconds are an int of C.
_LONGEST_WAIT = 2_000_000.0


class Lookup(Record):
    """Find the addresses of a host, as pairs of family and address."""

    host: str
    port: int


class Wait(Record):
    """Wait until the socket can be read, or written, or either."""

    sock: socket.socket
    read: bool
    write: bool


class Signals(Record):
    """How a socket says that it cannot go on."""

    #: It has to wait until it can be read, or written, whatever was asked of it.
    wait: tuple[type[OSError], ...]
    #: It has to wait until it can be read, also to write.
    wait_to_read: tuple[type[OSError], ...]
    #: The other side has ended the connection.
    end: tuple[type[OSError], ...]
    #: How much to read at a time, in bytes: TLS gives one record after the other, and there may be more of them.
    #: A socket without TLS gives all there is at once.
    enough: int


Steps = Generator["Wait | Lookup", Any, T]

#: Those of a socket without TLS. One with TLS has others, in `neonps.net.tls`, which is imported when there is TLS:
#: `ssl` takes long.
_PLAIN = Signals((BlockingIOError,), (), (), 0)


class StreamSocket:
    """One connection at most; what arrives is kept until it is asked for.

    Attributes:
        most_ahead: how much may arrive while something is sent before that is given up, in bytes; None for any.
        round_trips: how often something was sent and then had to be waited for, on all connections so far, opening
            them included.
    """

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        self._arrived: list[bytes] = []  # read while something was sent
        self._ended = False
        self._drained = False  # the last that was read left nothing behind
        self._failure: OSError | None = None  # found when something had been read already
        self._signals = _PLAIN
        self._deadline: float | None = None  # by time.monotonic()
        self._asked = False  # something was sent whose answer was not waited for yet
        self.most_ahead: int | None = None
        self.round_trips = 0

    def set_deadline(self, seconds: float | None) -> None:
        """From now on all waits together may take `seconds`; None lifts the limit."""
        self._deadline = None if seconds is None else time.monotonic() + seconds

    def limit(self, seconds: float) -> float | None:
        """All waits together may take `seconds`, if the deadline does not come first; gives that deadline."""
        outer, limit = self._deadline, time.monotonic() + seconds
        self._deadline = limit if outer is None else min(outer, limit)
        return outer

    def _remaining(self) -> float | None:
        """How long a wait may take, in seconds."""
        return None if self._deadline is None else min(max(0.0, self._deadline - time.monotonic()), _LONGEST_WAIT)

    def fileno(self) -> int:
        """The file descriptor of the connection; -1 when there is none."""
        return self._socket.fileno() if self._socket is not None else -1

    def close(self) -> None:
        """Close the connection, if one is open."""
        if self._socket is not None:
            self._socket.close()  # first, lest an interrupt leaves it open and unknown
        self._socket = None
        self._arrived.clear()
        self._ended = self._asked = self._drained = False
        self._failure = None
        self._signals = _PLAIN

    def hang_up(self) -> None:
        """End the connection while somebody else is waiting for it, who then finds that it has ended."""
        sock = self._socket
        if sock is not None:
            with suppress(OSError):  # it has ended already
                # The plain socket below TLS: its farewell would have to wait too.
                socket.socket.shutdown(getattr(sock, "outer", sock), socket.SHUT_RDWR)

    def open(self, request: Open) -> Steps[None]:
        """Open a connection to the first address that takes it.

        Raises:
            OSError: none did.
            DeadlinePassed: it took too long.
        """
        self.close()
        within = self._deadline if request.timeout is None else self.limit(request.timeout)
        try:
            yield from self._connect(request)
            if request.tls is not None:
                yield from self.start_tls(request.tls)
        except BaseException:
            self.close()
            raise
        finally:
            self._deadline = within

    def _connect(self, request: Open) -> Steps[None]:
        if address := unix_address(request.host, request.port):
            yield from self.connect(socket.AF_UNIX, address, request.keepalive)
            return
        error: OSError | None = None
        addresses = interleaved((yield from self._addresses(request.host, request.port)))
        within = self._deadline
        for left, (family, at) in zip(range(len(addresses), 0, -1), addresses, strict=True):
            if left > 1:
                # An address from which nothing comes must leave time for the others.
                remaining = self._remaining()
                self.limit(_ADDRESS_PATIENCE if remaining is None else min(_ADDRESS_PATIENCE, remaining / left))
            try:
                yield from self.connect(family, at, request.keepalive)
                return
            except OSError as e:
                error = e
            except DeadlinePassed:
                if left == 1:
                    raise
            finally:
                self._deadline = within
        raise error or NameNotResolved(f"host {request.host!r} has no address")

    def _addresses(self, host: str, port: int) -> Steps[list[tuple[int, Any]]]:
        return numeric_addresses(host, port) or (yield Lookup(host, port))

    def resolve(self, request: Resolve) -> Steps[list[str]]:
        """The addresses of a host, as text."""
        found = yield from self._addresses(request.host, request.port)
        return list(dict.fromkeys(numbers_of(family, address) for family, address in found))

    def connect(self, family: int, address: Any, keepalive: KeepAlive) -> Steps[None]:
        """Open a connection.

        Raises:
            OSError: it could not be opened.
        """
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            code = sock.connect_ex(address)
            if code in (errno.EINPROGRESS, errno.EWOULDBLOCK):
                yield Wait(sock, read=False, write=True)
                code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                raise OSError(code, os.strerror(code))
            if family in (socket.AF_INET, socket.AF_INET6):
                self.round_trips += 1
                set_keepalive(sock, keepalive)
        except BaseException:
            sock.close()
            raise
        self._socket = sock

    def start_tls(self, tls: TLS) -> Steps[bytes | None]:
        """Go on with TLS; gives the server's certificate (DER).

        Raises:
            TLSFailed: it did not come to that.
        """
        from . import tls as layer

        context = layer.ssl_context(tls)
        try:
            secured = self._socket = layer.secured(self._opened(), context, tls.server_hostname)
            self._signals = layer.SIGNALS
            yield from layer.retry(secured, secured.do_handshake)
        except layer.FAILURES as error:
            raise layer.failure(error) from None
        self.round_trips += layer.round_trips(secured)
        layer.check_alpn(tls, secured.selected_alpn_protocol())
        return secured.getpeercert(binary_form=True)

    def send(self, request: Send) -> Steps[None]:
        """Send all of what is to be sent."""
        sock = self._opened()
        if request.idle:
            self._check_silence(sock)
        self._asked = self._asked or request.asks
        rest = memoryview(request.data)
        ahead = seen = 0
        while rest:
            try:
                rest = rest[sock.send(rest) :]
            except self._signals.wait_to_read:
                yield Wait(sock, read=True, write=False)
            except self._signals.wait:
                # Reading meanwhile keeps the server from waiting for us while we wait for it.
                if (yield Wait(sock, read=not self._ended, write=True)):
                    self._read(sock)
                    ahead += sum(map(len, self._arrived[seen:]))
                    seen = len(self._arrived)
                    if self.most_ahead is not None and ahead > self.most_ahead:
                        raise OSError(errno.ENOBUFS, "the other side sends too much and takes too little") from None

    def _check_silence(self, sock: socket.socket) -> None:
        """Raise `NotSilent` if something has arrived, or the end, which the next to look for it gets."""
        try:
            silent = not (self._arrived or self._ended or self._read(sock))
        except OSError as error:
            self._failure, silent = error, False
        if not silent:
            raise NotSilent

    def receive(self, request: Receive) -> Steps[bytes | None]:
        """Wait until something arrives, or b"" at the end; None if nothing has in time."""
        sock = self._opened()
        self._count()
        while not self._arrived and not self._ended:
            if self._drained or not self._read(sock):
                self._drained = False
                if request.within is None:
                    yield Wait(sock, read=True, write=False)
                elif not (yield from self._comes_within(sock, request.within)):
                    return None
        return self._take_arrived()

    def _comes_within(self, sock: socket.socket, seconds: float) -> Steps[bool]:
        """Wait for so long at most until there is something to read; whether there is."""
        deadline, limit = self._deadline, time.monotonic() + seconds
        if deadline is not None and deadline <= limit:
            yield Wait(sock, read=True, write=False)
            return True
        self._deadline = limit
        try:
            yield Wait(sock, read=True, write=False)
        except DeadlinePassed:
            return False
        finally:
            self._deadline = deadline
        return True

    def _sleep_time(self, seconds: float) -> tuple[float, bool]:
        """How long a pause can be, and whether that is all of it."""
        remaining = self._remaining()
        return (seconds, True) if remaining is None or seconds <= remaining else (remaining, False)

    def _count(self) -> None:
        """Take note that what was sent is to be waited for."""
        if self._asked:
            self._asked = False
            self.round_trips += 1

    def poll(self) -> bytes | None:
        """What has arrived, b"" at the end, None if nothing has."""
        sock = self._opened()
        if not self._arrived and not self._ended:
            self._read(sock)
        return self._take_arrived() if self._arrived or self._ended else None

    def _opened(self) -> socket.socket:
        if self._socket is None:
            raise OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN))
        return self._socket

    def _take_arrived(self) -> bytes:
        if not self._arrived:
            return b""
        data = self._arrived[0] if len(self._arrived) == 1 else b"".join(self._arrived)
        self._arrived.clear()
        return data

    def _read(self, sock: socket.socket) -> bool:
        """Read what is there; False if there is nothing, not even the end.

        Records of TLS are taken together: that costs less than to take each through all that is above here.
        """
        if self._failure is not None:
            error, self._failure = self._failure, None
            raise error
        self._drained = False
        size = 0
        while True:
            try:
                data = sock.recv(_RECEIVE_SIZE)
            except self._signals.wait:
                self._drained = size > 0
                return self._drained
            except self._signals.end:
                data = b""
            except OSError as error:
                if not size:
                    raise
                self._failure = error  # what came before it counts
                return True
            if not data:
                self._ended = True
                return True
            self._arrived.append(data)
            size += len(data)
            if size >= self._signals.enough or len(data) < _PIECE_SIZE:
                return True


def has_pending(wait: Wait) -> bool:
    """Whether there is something to read in the layer of TLS already, of which the system knows nothing."""
    pending: Callable[[], int] | None = getattr(wait.sock, "pending", None)
    return wait.read and pending is not None and pending() > 0
