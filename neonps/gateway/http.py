"""The server's end of an HTTP/1.1 connection (RFC 9112, by h11), over asyncio streams."""

from __future__ import annotations

import asyncio
import re
import select
import socket
import struct
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import NamedTuple, Protocol

import h11

from .cleanup import within

#: Names and values of headers.
Headers = Iterable[tuple[str, str]]

#: How long the head of a request may be, in bytes.
MAX_HEAD = 65536

#: How much is read at a time, in bytes.
CHUNK = 65536

#: How much of what follows a request is taken in while that is being answered, in bytes.
MAX_AHEAD = 1 << 20

#: In how many chunks a body may come, whatever their size, and how long more of them have to be on the average, in
#: bytes. Others are made to keep us busy.
MAX_CHUNKS = 4096
MIN_CHUNK = 256

#: A client that is not done within the idle timeout has to be this fast on the average, in bytes per second.
MIN_RATE = 10_000

#: Seconds after which whoever was sent away can try again.
RETRY_AFTER = 1

#: How long, and for how much, we still listen to a client whose request we did not want to hear to its end.
LINGER_SECONDS = 5.0
LINGER_BYTES = 1 << 28

#: How often we look whether a client is still there of which nothing more is read for now, in seconds.
WATCH_SECONDS = 1.0

#: Headers that are lists, in which what several lines say counts together.
LISTS = ("connection", "upgrade")

_HEAD_END = re.compile(rb"\n\r?\n")


class HTTPError(Exception):
    """What is wrong with a request, in the form in which it is answered.

    Args:
        status: the HTTP status code.
        body: what goes with it, as JSON.
        headers: what else the answer has.
    """

    def __init__(self, status: int, body: object, headers: Headers = ()) -> None:
        super().__init__(status, body)
        self.status = status
        self.body = body
        self.headers = headers


def request_too_large(limit: int) -> HTTPError:
    """The answer to a request of more than `limit` bytes."""
    return HTTPError(413, {"message": f"request is too large (max is {limit} bytes)"})


def unavailable(body: object) -> HTTPError:
    """The answer when nothing was done, and might be done if it is asked for again later.

    Args:
        body: what goes with it, as JSON; a str is the reason.
    """
    return HTTPError(503, {"msg": body} if isinstance(body, str) else body, [("Retry-After", str(RETRY_AFTER))])


class Grows(Protocol):
    """Is told how large something has become, and may raise."""

    def grow(self, size: int) -> None: ...


class Request(NamedTuple):
    """The head of a request.

    Header names are in lower case. Of several with one name the last one counts; `LISTS` are joined.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    head: h11.Request


class HTTPConnection:
    """A connection of a client, on which requests come one after the other.

    Args:
        idle_timeout: seconds that may pass between two requests, or between two pieces of one; and after which
            a client has to be faster than `MIN_RATE`, both in sending a body and in taking an answer.
        head_timeout: seconds that the head of a request may take, from its first byte to its last.
    """

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, idle_timeout: float, head_timeout: float
    ) -> None:
        self.reader = reader
        self.writer = writer
        self._idle_timeout = idle_timeout
        self._head_timeout = head_timeout
        self._h11 = new_protocol()
        self._head_only = False
        self._end_unknown = False

    @property
    def ahead(self) -> bytes:
        """What has arrived after the end of the request."""
        return self._h11.trailing_data[0]

    async def next_request(self) -> Request | None:
        """The head of the next request, or None when there will be none.

        Raises:
            HTTPError: this is not HTTP, or does not come in time.
        """
        if self._h11.our_state is h11.DONE and self._h11.their_state is h11.DONE:
            self._h11.start_next_cycle()
        if self._h11.our_state is not h11.IDLE:
            return None
        self._head_only = self._end_unknown = False
        if not await self._begun():
            return None
        deadline = time.monotonic() + self._head_timeout
        while (event := self._next_head()) is h11.NEED_DATA:
            await self._receive(deadline - time.monotonic())
        if not isinstance(event, h11.Request):
            return None
        self._head_only = event.method == b"HEAD"
        if not event.http_version.startswith(b"1."):
            self._end_unknown = True
            raise HTTPError(505, {"msg": "the gateway speaks HTTP/1.1"})
        check_framing(event)
        target = event.target.decode("ascii")
        if not target.startswith("/") and "://" in target:  # the absolute form (RFC 9112 3.2.2)
            target = "/" + target.partition("://")[2].partition("/")[2]
        path, _, query = target.partition("?")
        return Request(event.method.decode("ascii"), path, query, by_name(event), event)

    async def body(self, request: Request, limit: int, share: Grows) -> bytearray:
        """The body of `request`, which is the one that came last.

        Args:
            limit: how long it may be, in bytes.
            share: is told how long it is so far.

        Raises:
            HTTPError: it is too long, or not HTTP, or does not come in time.
        """
        if int(request.headers.get("content-length", 0)) > limit:
            raise request_too_large(limit)  # before it is sent, if the client waits to hear that it may
        body = bytearray()
        chunks = 0
        start = time.monotonic()
        while not isinstance(event := self._next_event(), h11.EndOfMessage):
            if isinstance(event, h11.Data):
                chunks += event.chunk_end
                if len(body) + len(event.data) > limit:
                    raise request_too_large(limit)
                if chunks > MAX_CHUNKS + len(body) // MIN_CHUNK:
                    raise HTTPError(413, {"message": "request comes in too many small chunks"})
                share.grow(len(body) + len(event.data))
                body += event.data
                continue
            if self._h11.they_are_waiting_for_100_continue:
                self._write(h11.InformationalResponse(status_code=100, reason="Continue", headers=[]))
                await self._drain(self._idle_timeout)
            await asyncio.sleep(0)  # who sends all the time must not keep others from being heard
            await self._receive(min(self._idle_timeout, self._time_left(start, len(body))))
        return body

    async def respond(self, status: int, body: str, headers: Headers = ()) -> None:
        """Send a response; `body` is JSON, or "".

        Raises:
            OSError: the client is gone, or does not take it in time.
        """
        if self.writer.is_closing():  # of TLS asyncio would forget that
            raise ConnectionResetError("the client is gone")
        data = body.encode("utf-8", "replace")
        del body  # or there would be two of it while the client takes its time
        lines = [("Content-Length", str(len(data))), *headers]
        if data:
            lines.append(("Content-Type", "application/json"))
        # Who has asked for another protocol may have begun to speak it.
        early = self._end_unknown or self._h11.their_state not in (h11.DONE, h11.MUST_CLOSE)
        if early:
            lines.append(("Connection", "close"))
        self.writer.transport.set_write_buffer_limits(0)
        self._write(h11.Response(status_code=status, reason=HTTPStatus(status).phrase, headers=lines))
        if not self._head_only:
            start = time.monotonic()
            for at in range(0, len(data), CHUNK):
                self._write(h11.Data(data=data[at : at + CHUNK]))
                await self._drain(min(self._idle_timeout, self._time_left(start, at)))
        self._write(h11.EndOfMessage())
        await self._drain(self._idle_timeout)
        if early:
            await self._linger()

    async def until_gone(self) -> None:
        """Wait until the client closes the connection; what it sends meanwhile is kept for later."""
        size = len(self.ahead)
        try:
            while size <= MAX_AHEAD:
                data = await self.reader.read(CHUNK)
                if not data:
                    return
                self._h11.receive_data(data)
                size += len(data)
        except OSError:
            return
        while not has_gone(self.writer):
            await asyncio.sleep(WATCH_SECONDS)

    async def _begun(self) -> bool:
        """Wait for a request to begin, behind an empty line if need be (RFC 9112 2.2); False when none does in time."""
        ahead = self.ahead
        if not ahead:
            if not await self._receive(self._idle_timeout):
                return False
            ahead = self.ahead
        if ahead == b"\r":
            await self._receive(self._head_timeout)
            ahead = self.ahead
        if not ahead.startswith((b"\r\n", b"\n")):
            return True
        self._h11 = new_protocol()  # h11 does not give back what it has got
        if rest := ahead[ahead.index(b"\n") + 1 :]:
            self._h11.receive_data(rest)
            return True
        return await self._receive(self._idle_timeout)

    def _next_head(self) -> object:
        """The next event, when that should be a head. h11 has a limit only for one that is not complete."""
        ahead = self.ahead
        if len(ahead) > MAX_HEAD and not _HEAD_END.search(ahead, 0, MAX_HEAD):
            raise HTTPError(431, {"msg": f"the head of the request is too large (max is {MAX_HEAD} bytes)"})
        return self._next_event()

    def _next_event(self) -> object:
        try:
            return self._h11.next_event()
        except h11.RemoteProtocolError as error:
            # h11 quotes the client's own words, which may be anything.
            raise HTTPError(
                error.error_status_hint, {"msg": "the request is not HTTP/1.1 as RFC 9112 has it"}
            ) from None

    async def _receive(self, seconds: float) -> bool:
        """Wait for more of what the client sends; False if nothing has come before the time was over.

        Raises:
            HTTPError: there was some of a request already.
        """
        try:
            data = await within(seconds, self.reader.read(CHUNK))
        except asyncio.TimeoutError:
            if self._h11.their_state is h11.IDLE and not self.ahead:
                return False
            raise HTTPError(408, {"msg": "the request has not arrived in time"}) from None
        self._h11.receive_data(data)
        return True

    def _time_left(self, start: float, done: int) -> float:
        """Seconds that are left for the next piece of what has begun at `start`, when `done` bytes of it are done."""
        return start + self._idle_timeout + done / MIN_RATE - time.monotonic()

    async def _drain(self, seconds: float) -> None:
        """Wait until the client's system has taken what was written.

        Raises:
            OSError: it is gone, or has not in time.
        """
        if not self.writer.transport.get_write_buffer_size():
            # Not drain(): asyncio pauses TLS even if there is nothing to wait for.
            await asyncio.sleep(0)
            if (lost := self.reader.exception()) is not None:
                raise lost
            return
        try:
            await within(seconds, self.writer.drain())
        except asyncio.TimeoutError:
            reset(self.writer)
            raise ConnectionAbortedError("the client does not take the answer") from None

    def _write(self, event: h11.Event) -> None:
        self.writer.write(self._h11.send(event) or b"")

    async def _linger(self) -> None:
        """Listen to the rest of the request.

        Closing a connection on which something unread has arrived resets it, and what we have sent would be
        lost on the way (RFC 9112 9.6).
        """
        if self.writer.can_write_eof():
            self.writer.write_eof()
        with suppress(asyncio.TimeoutError):
            await within(min(LINGER_SECONDS, self._idle_timeout), self._discard())

    async def _discard(self) -> None:
        size = 0
        while size < LINGER_BYTES and (data := await self.reader.read(CHUNK)):
            size += len(data)


def new_protocol() -> h11.Connection:
    """The server's end of a connection on which nothing was said yet."""
    return h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD)


def by_name(head: h11.Request) -> dict[str, str]:
    """The headers of a request, as `Request` has them."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in head.headers:
        name, value = raw_name.decode("ascii"), raw_value.decode("utf-8", "replace")
        headers[name] = f"{headers[name]}, {value}" if name in LISTS and name in headers else value
    return headers


def check_framing(head: h11.Request) -> None:
    """See to it that nobody on the way here can have seen another end of the request than we do (RFC 9112 6.1, 6.3).

    Raises:
        HTTPError: somebody might.
    """
    names = {name for name, _ in head.headers}
    if b"transfer-encoding" in names and (b"content-length" in names or head.http_version < b"1.1"):
        raise HTTPError(400, {"msg": "the request does not say clearly where it ends"})


def reset(writer: asyncio.StreamWriter) -> None:
    """End a connection at once, so that the system does not keep what the client has not taken either."""
    sock = writer.get_extra_info("socket")
    if sock is not None:  # asyncio has none any more when TLS has ended
        with suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def has_gone(writer: asyncio.StreamWriter) -> bool:
    """Whether a client has closed the connection, or its half of it, even if what it has sent was not read yet.

    False if this system cannot tell.
    """
    sock = writer.get_extra_info("socket")
    if sock is None or sock.fileno() < 0:
        return True  # asyncio has seen it go
    if not hasattr(select, "poll"):
        return False
    poll = select.poll()
    poll.register(sock.fileno(), getattr(select, "POLLRDHUP", 0))  # a reset is told in any case
    return bool(poll.poll(0))
