"""The blocking runner: carries out what a flow asks for with an ordinary socket."""

from __future__ import annotations

import errno
import os
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from ..flows.requests import (
    TLS,
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
from .addresses import numbers_of, numeric_addresses, set_keepalive, unix_address
from .tls import check_alpn, failure, ssl_context

T = TypeVar("T")

_RECEIVE_SIZE = 1 << 18
#: The longest time that `poll` can wait, in seconds: its milliseconds are an int of C.
_LONGEST_WAIT = 2_000_000.0


class BlockingRunner:
    """Runs flows on one connection, blocking the thread while it waits."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        self._deadline: float | None = None  # by time.monotonic()
        self._arrived: list[bytes] = []  # read while something was sent
        self._ended = False

    def fileno(self) -> int:
        """The file descriptor of the connection; -1 when there is none."""
        return self._socket.fileno() if self._socket is not None else -1

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

    def close(self) -> None:
        """Close the connection, if one is open."""
        sock, self._socket = self._socket, None
        self._arrived.clear()
        self._ended = False
        if sock is not None:
            sock.close()

    def hang_up(self) -> None:
        """End the connection while another thread is waiting for it, which then finds that it has ended."""
        sock = self._socket
        if sock is not None:
            with suppress(OSError):  # it has ended already
                # The plain socket below TLS: its farewell would have to wait for that thread.
                socket.socket.shutdown(sock, socket.SHUT_RDWR)

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
                self._secure(request.tls)
        except BaseException:
            self.close()
            raise
        finally:
            self._deadline = within

    def _connect(self, request: Open) -> None:
        if address := unix_address(request.host, request.port):
            self._socket = self._connected(socket.AF_UNIX, address)
            return
        error: OSError | None = None
        for family, address in self._resolve(request.host, request.port):
            try:
                self._socket = self._connected(family, address)
                set_keepalive(self._socket, request.keepalive)
                return
            except OSError as e:
                error = e
        raise error or NameNotResolved(f"host {request.host!r} has no address")

    def _connected(self, family: int, address: Any) -> socket.socket:
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            code = sock.connect_ex(address)
            if code in (errno.EINPROGRESS, errno.EWOULDBLOCK):
                self._wait(sock, write=True)
                code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                raise OSError(code, os.strerror(code))
        except BaseException:
            sock.close()
            raise
        return sock

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

    def _start_tls(self, request: StartTLS) -> bytes | None:
        return self._secure(request.tls)

    def _secure(self, tls: TLS) -> bytes | None:
        assert self._socket is not None
        context = ssl_context(tls)
        try:
            secured = context.wrap_socket(
                self._socket, server_hostname=tls.server_hostname, do_handshake_on_connect=False
            )
            self._socket = secured
            self._retry(secured.do_handshake)
        except (ssl.SSLError, ValueError, ConnectionError) as error:
            raise failure(error) from None
        check_alpn(tls, secured.selected_alpn_protocol())
        return secured.getpeercert(binary_form=True)

    def _send(self, request: Send) -> None:
        sock = self._opened()
        data = memoryview(request.data)
        while data:
            try:
                data = data[sock.send(data) :]
            except (BlockingIOError, ssl.SSLWantWriteError):
                # Reading meanwhile keeps the server from waiting for us while we wait for it.
                if self._wait(sock, read=not self._ended, write=True):
                    self._read(sock)
            except ssl.SSLWantReadError:
                self._wait(sock, read=True)

    def _receive(self, request: Receive) -> bytes:
        sock = self._opened()
        while not self._arrived and not self._ended:
            if not self._read(sock):
                self._wait(sock, read=True)
        return self._take_arrived()

    def _poll(self, request: Poll) -> bytes | None:
        sock = self._opened()
        if not self._ended:
            self._read(sock)
        return self._take_arrived() if self._arrived or self._ended else None

    def _take_arrived(self) -> bytes:
        if not self._arrived:
            return b""
        data = self._arrived[0] if len(self._arrived) == 1 else b"".join(self._arrived)
        self._arrived.clear()
        return data

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

    def _opened(self) -> socket.socket:
        if self._socket is None:
            raise OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN))
        return self._socket

    def _read(self, sock: socket.socket) -> bool:
        """Read what is there; False if there is nothing, not even the end."""
        try:
            data = sock.recv(_RECEIVE_SIZE)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return False
        except ssl.SSLEOFError:
            data = b""
        if data:
            self._arrived.append(data)
        else:
            self._ended = True
        return True

    def _retry(self, action: Callable[[], object]) -> None:
        """Do a step of TLS as often as it takes."""
        while True:
            try:
                action()
                return
            except ssl.SSLWantReadError:
                self._wait(self._opened(), read=True)
            except ssl.SSLWantWriteError:
                self._wait(self._opened(), write=True)

    def _remaining(self) -> float | None:
        return None if self._deadline is None else min(max(0.0, self._deadline - time.monotonic()), _LONGEST_WAIT)

    def _wait(self, sock: socket.socket, *, read: bool = False, write: bool = False) -> bool:
        """Wait until `sock` can be read or written; True if it can be read.

        Raises:
            DeadlinePassed: the deadline came first.
        """
        if isinstance(sock, ssl.SSLSocket) and read and sock.pending():
            return True
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
    StartTLS: BlockingRunner._start_tls,
    Send: BlockingRunner._send,
    Receive: BlockingRunner._receive,
    Poll: BlockingRunner._poll,
    Close: lambda runner, request: runner.close(),
    Deadline: BlockingRunner._set_deadline,
    Aside: BlockingRunner._aside,
}
