"""The server's end of an HTTP/1.1 connection (RFC 9112, by h11), over asyncio streams."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import NamedTuple

import h11

#: Names and values of headers.
Headers = Iterable[tuple[str, str]]

#: How long the head of a request may be, in bytes.
MAX_HEAD = 65536

#: How much is read at a time, in bytes.
CHUNK = 65536

#: How much of what follows a request is taken in while that is being answered, in bytes.
MAX_AHEAD = 1 << 20

#: How long, and for how much, we still listen to a client whose request we did not want to hear to its end.
LINGER_SECONDS = 5.0
LINGER_BYTES = 1 << 28


class HTTPError(Exception):
    """What is wrong with a request, in the form in which it is answered.

    Args:
        status: the HTTP status code.
        body: what goes with it, as JSON.
    """

    def __init__(self, status: int, body: object) -> None:
        super().__init__(status, body)
        self.status = status
        self.body = body


class Request(NamedTuple):
    """The head of a request. Header names are in lower case; of several with one name the last one counts."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    head: h11.Request


class HTTPConnection:
    """A connection of a client, on which requests come one after the other.

    Args:
        idle_timeout: seconds that may pass between two requests, or between two pieces of one.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, idle_timeout: float) -> None:
        self.reader = reader
        self.writer = writer
        self._idle_timeout = idle_timeout
        self._h11 = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD)
        self._head_only = False

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
        self._head_only = False
        try:
            event = await self._next_event()
        except asyncio.TimeoutError:
            if self.ahead:
                raise HTTPError(408, {"msg": "the request has not arrived in time"}) from None
            return None
        if not isinstance(event, h11.Request):
            return None
        self._head_only = event.method == b"HEAD"
        target = event.target.decode("ascii")
        if not target.startswith("/") and "://" in target:  # the absolute form (RFC 9112 3.2.2)
            target = "/" + target.partition("://")[2].partition("/")[2]
        path, _, query = target.partition("?")
        headers = {name.decode("ascii"): value.decode("utf-8", "replace") for name, value in event.headers}
        return Request(event.method.decode("ascii"), path, query, headers, event)

    async def body(self, request: Request, limit: int) -> bytes:
        """The body of `request`, which is the one that came last.

        Raises:
            HTTPError: it is longer than `limit` bytes, or not HTTP, or does not come in time.
        """
        too_large = HTTPError(413, {"message": f"request is too large (max is {limit} bytes)"})
        if int(request.headers.get("content-length", 0)) > limit:
            raise too_large  # before it is sent, if the client waits to hear that it may
        parts: list[bytes] = []
        size = 0
        while True:
            try:
                event = await self._next_event()
            except asyncio.TimeoutError:
                raise HTTPError(408, {"msg": "the request has not arrived in time"}) from None
            if not isinstance(event, h11.Data):
                return b"".join(parts)
            parts.append(bytes(event.data))
            size += len(event.data)
            if size > limit:
                raise too_large

    async def respond(self, status: int, body: str, headers: Headers = ()) -> None:
        """Send a response; `body` is JSON, or "".

        Raises:
            OSError: the client is gone.
        """
        data = body.encode("utf-8", "replace")
        lines = [("Content-Length", str(len(data))), *headers]
        if data:
            lines.append(("Content-Type", "application/json"))
        early = self._h11.their_state is not h11.DONE
        if early:
            lines.append(("Connection", "close"))
        self._write(h11.Response(status_code=status, reason=HTTPStatus(status).phrase, headers=lines))
        if not self._head_only:
            self._write(h11.Data(data=data))
        self._write(h11.EndOfMessage())
        await self.writer.drain()
        if early:
            await self._linger()

    async def until_gone(self) -> None:
        """Wait until the client closes the connection; what it sends meanwhile is kept for later."""
        with suppress(OSError):
            while data := await self.reader.read(CHUNK):
                self._h11.receive_data(data)
                if len(self.ahead) > MAX_AHEAD:
                    # Whoever sends that much ahead has to go on without being watched.
                    await asyncio.get_running_loop().create_future()

    async def _next_event(self) -> object:
        try:
            while (event := self._h11.next_event()) is h11.NEED_DATA:
                if self._h11.they_are_waiting_for_100_continue:
                    self._write(h11.InformationalResponse(status_code=100, reason="Continue", headers=[]))
                    await self.writer.drain()
                self._h11.receive_data(await asyncio.wait_for(self.reader.read(CHUNK), self._idle_timeout))
        except h11.RemoteProtocolError as error:
            # h11 quotes the client's own words, which may be anything.
            status = error.error_status_hint
            raise HTTPError(status, {"msg": "the request is not HTTP/1.1 as RFC 9112 has it"}) from None
        return event

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
            await asyncio.wait_for(self._discard(), LINGER_SECONDS)

    async def _discard(self) -> None:
        size = 0
        while size < LINGER_BYTES and (data := await self.reader.read(CHUNK)):
            size += len(data)
