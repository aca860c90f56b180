"""The asyncio runner: carries out what a flow asks for on an event loop."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeVar, cast

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

#: How much may arrive before anybody wants it, in bytes; then the other side has to wait.
_HIGH_WATER = 1 << 20


class _Stream(asyncio.Protocol):
    """What arrives on a connection, until the flow asks for it."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.arrived: list[bytes] = []
        self.size = 0
        self.ended = False
        self.error: Exception | None = None
        self.sending = False
        self._paused = False
        self.full = False
        self._waiter: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self.arrived.append(data)
        self.size += len(data)
        # While something is sent, reading goes on: the server may not take more before it got rid of its answers.
        if self.size > _HIGH_WATER and not self.sending and not self._paused and self.transport is not None:
            self._paused = True
            self.transport.pause_reading()
        self.wake()

    def eof_received(self) -> bool:
        self.ended = True
        self.wake()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended = True
        self.error = exc
        self.full = False
        self.wake()

    def pause_writing(self) -> None:
        self.full = True

    def resume_writing(self) -> None:
        self.full = False
        self.wake()

    def wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def wait(self) -> None:
        """Wait until anything changes."""
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def take(self) -> bytes:
        data = b"".join(self.arrived)
        self.arrived.clear()
        self.size = 0
        self.resume_reading()
        return data

    def resume_reading(self) -> None:
        if self._paused and self.transport is not None:
            self._paused = False
            self.transport.resume_reading()

    async def drain(self) -> None:
        """Wait until the system has taken most of what was written."""
        self.sending = True
        self.resume_reading()
        try:
            while self.full:
                await self.wait()
        finally:
            self.sending = False


class AsyncRunner:
    """Runs flows on one connection, as a coroutine."""

    def __init__(self) -> None:
        self._stream: _Stream | None = None
        self._deadline: float | None = None  # by the loop's clock

    def fileno(self) -> int:
        """The file descriptor of the connection; -1 when there is none."""
        if self._stream is None or self._stream.transport is None:
            return -1
        sock = self._stream.transport.get_extra_info("socket")
        return int(sock.fileno()) if sock is not None else -1

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
        finally:
            # Interrupted between two requests, so that the flow does not hear of it.
            if getattr(flow, "gi_frame", None) is not None:
                flow.close()
                self.close()

    def discard(self) -> None:
        """Close the connection, even if its event loop may be gone already."""
        with suppress(RuntimeError):  # the loop is closed; asyncio closes the socket with its transport
            self.close()

    def close(self) -> None:
        """Close the connection, if one is open."""
        stream, self._stream = self._stream, None
        if stream is not None and stream.transport is not None:
            # Closing waits, for ever if need be, until all is sent, and with TLS for the other side's farewell, for
            # which an event loop that ends has no time. Who has stopped to listen gets no more.
            waits = stream.transport.get_write_buffer_size() and not stream.error and not stream.full
            stream.transport.close() if waits else stream.transport.abort()

    # One method per request

    async def _open(self, request: Open) -> None:
        self.close()
        await self._within(self._connect(request), request.timeout)

    async def _connect(self, request: Open) -> None:
        loop = asyncio.get_running_loop()
        context = ssl_context(request.tls) if request.tls is not None else None
        hostname = request.tls.server_hostname if request.tls is not None else None
        if address := unix_address(request.host, request.port):
            _, self._stream = await loop.create_unix_connection(_Stream, address)
            return
        error: OSError | None = None
        for family, at in await self._resolve(request.host, request.port):
            sock = socket.socket(family, socket.SOCK_STREAM)
            try:
                sock.setblocking(False)
                await loop.sock_connect(sock, at)
                set_keepalive(sock, request.keepalive)
            except OSError as e:
                sock.close()
                error = e if e.strerror and not e.strerror.startswith("Connect call") else _plain(e)
                continue
            except BaseException:
                sock.close()
                raise
            try:
                _, self._stream = await loop.create_connection(
                    _Stream, sock=sock, ssl=context, server_hostname=hostname
                )
            except (ssl.SSLError, ValueError, ConnectionError) as e:
                sock.close()
                raise failure(e) from None
            return
        raise error or NameNotResolved(f"host {request.host!r} has no address")

    async def _resolve(self, host: str, port: int) -> list[tuple[int, Any]]:
        if found := numeric_addresses(host, port):
            return found
        try:
            infos = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise NameNotResolved(f"failed to resolve host {host!r}: {error}") from None
        return [(int(family), address) for family, _, _, _, address in infos]

    async def _resolve_host(self, request: Resolve) -> list[str]:
        found = await self._within(self._resolve(request.host, request.port))
        return list(dict.fromkeys(numbers_of(family, address) for family, address in found))

    async def _start_tls(self, request: StartTLS) -> bytes | None:
        return await self._within(self._secure(request.tls))

    async def _secure(self, tls: TLS) -> bytes | None:
        stream = self._opened()
        assert stream.transport is not None
        loop = asyncio.get_running_loop()
        try:
            transport = await loop.start_tls(
                stream.transport, stream, ssl_context(tls), server_hostname=tls.server_hostname
            )
        except (ssl.SSLError, ValueError, ConnectionError) as error:
            raise failure(error) from None
        stream.transport = cast(asyncio.Transport, transport)
        secured: ssl.SSLObject = stream.transport.get_extra_info("ssl_object")
        check_alpn(tls, secured.selected_alpn_protocol())
        return secured.getpeercert(binary_form=True)

    async def _send(self, request: Send) -> None:
        stream = self._opened()
        assert stream.transport is not None
        if stream.error is not None:
            raise _as_os_error(stream.error)
        if stream.transport.is_closing():
            raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
        stream.transport.write(request.data)
        if stream.full:
            await self._within(stream.drain())

    async def _receive(self, request: Receive) -> bytes:
        stream = self._opened()
        if not stream.arrived and not stream.ended:
            await self._within(self._arrival(stream))
        if not stream.arrived and stream.error is not None:
            raise _as_os_error(stream.error)
        return stream.take()

    @staticmethod
    async def _arrival(stream: _Stream) -> None:
        while not stream.arrived and not stream.ended:
            await stream.wait()

    async def _poll(self, request: Poll) -> bytes | None:
        stream = self._opened()
        assert stream.transport is not None
        for _ in range(2):  # in the first turn the loop looks at the socket, after it has gone on with this task
            if not stream.arrived and not stream.ended:
                await asyncio.sleep(0)
        # Of a connection that was reset `connection_lost` tells one turn later.
        return stream.take() if stream.arrived or stream.ended or stream.transport.is_closing() else None

    async def _close(self, request: Close) -> None:
        self.close()

    async def _set_deadline(self, request: Deadline) -> None:
        seconds = request.seconds
        self._deadline = None if seconds is None else asyncio.get_running_loop().time() + seconds

    async def _aside(self, request: Aside) -> Any:
        runner = AsyncRunner()
        runner._deadline = asyncio.get_running_loop().time() + request.timeout
        try:
            return await runner.run(request.flow)
        finally:
            runner.close()

    # Waiting

    def _opened(self) -> _Stream:
        if self._stream is None:
            raise OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN))
        return self._stream

    async def _within(self, action: Awaitable[T], timeout: float | None = None) -> T:
        """Await `action` until the deadline, or for `timeout` seconds if that is shorter.

        Raises:
            DeadlinePassed: the time is over.
        """
        limits = [] if timeout is None else [timeout]
        if self._deadline is not None:
            limits.append(max(0.0, self._deadline - asyncio.get_running_loop().time()))
        if not limits:
            return await action
        task = asyncio.ensure_future(action)
        try:
            done, _ = await asyncio.wait([task], timeout=min(limits))
        except BaseException:
            await _stop(task)
            raise
        if not done:
            await _stop(task)
            raise DeadlinePassed
        return task.result()


async def _stop(task: asyncio.Future[Any]) -> None:
    """Cancel a task and see it to its end."""
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled():
        task.exception()


def _as_os_error(error: Exception) -> OSError:
    return error if isinstance(error, OSError) else OSError(errno.ECONNRESET, str(error))


def _plain(error: OSError) -> OSError:
    """asyncio puts the address into the message of a failed connection; the bare reason is what is wanted."""
    return OSError(error.errno, os.strerror(error.errno)) if error.errno else error


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
