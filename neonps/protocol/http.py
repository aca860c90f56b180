"""One HTTP/1.1 connection of a client, kept alive between requests (RFC 9112, by h11)."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO

import h11

from ..endpoint import Endpoint
from ..record import Record
from ..version import __version__
from .backend import ProtocolError

#: The longest response body that is taken, in bytes. The services stop at 10 MB unless told otherwise.
MAX_BODY = 1 << 30

#: The same of a response that is an error.
MAX_ERROR_BODY = 1 << 24

#: How long the status line and the headers of a response can be, in bytes.
MAX_HEAD = 65536

#: A body of a known length that is as long, in bytes, goes past h11, which would copy each piece of it three times.
_LONG_BODY = 65536

#: Of such a body, for how much of it there is memory at first, in bytes; and how many times as much there is when that
#: is full. What a server says that it will send is not believed, but also not made room for in many steps.
_FIRST_ROOM = 1 << 20
_MORE_ROOM = 16


class Response(Record):
    """A complete response; header names are in lower case."""

    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes


class HttpConnection:
    """Turns requests into bytes, and bytes into responses, one after the other."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._h11 = _new_h11()
        self._head: h11.Response | None = None
        self._body = BytesIO()  # which gives what was written to it without a copy, unlike a list that is joined
        self._missing = 0  # bytes of a body that goes past h11
        self._room = 0  # how many bytes of it there is memory for
        self._usable = True  # as far as h11 does not know

    @property
    def reusable(self) -> bool:
        """Whether another request can be sent on this connection."""
        idle = self._h11.our_state is h11.IDLE and self._h11.their_state is h11.IDLE
        # What came behind a response answers nothing, and must not be taken for the answer to what is asked next.
        return idle and self._usable and not self._h11.trailing_data[0]

    def request(self, method: str, headers: Mapping[str, str], body: bytes) -> bytes:
        """The bytes of a request to the endpoint.

        Raises:
            ValueError: a header holds what no header can hold, such as a line break. Its value is not shown.
        """
        lines = [
            ("Host", self._endpoint.host_header),
            ("User-Agent", f"neonps/{__version__}"),
            ("Accept", "application/json"),
            ("Content-Length", str(len(body))),
            *headers.items(),
        ]
        try:
            request = h11.Request(method=method, target=self._endpoint.target, headers=lines)
            head = self._h11.send(request) or b""
        except h11.LocalProtocolError:
            raise ValueError("a request header holds characters that HTTP does not allow") from None
        data = self._h11.send(h11.Data(data=body)) or b""
        return b"".join((head, data, self._h11.send(h11.EndOfMessage()) or b""))

    def receive(self, data: bytes) -> Response | None:
        """Take in what has arrived (b"" for the end) and give the response, once it is complete.

        Raises:
            ProtocolError: this is not HTTP, or the response was cut off.
        """
        if self._missing:
            return self._receive_long(data)
        try:
            self._h11.receive_data(data)
            while True:
                event = self._h11.next_event()
                if event is h11.NEED_DATA:
                    return None
                if isinstance(event, h11.Response):
                    if sum([len(name) + len(value) for name, value in event.headers], len(event.reason)) > MAX_HEAD:
                        raise ProtocolError(f"the headers of the response are longer than {MAX_HEAD} bytes")
                    self._head = event
                    if self._goes_past(event):
                        return None
                elif isinstance(event, h11.Data):
                    self._body.write(event.data)
                    most = MAX_BODY if self._head is not None and self._head.status_code == 200 else MAX_ERROR_BODY
                    if self._body.tell() > most:
                        raise _too_long(most)
                elif isinstance(event, h11.EndOfMessage):
                    return self._finish()
                elif event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
                    raise _cut_off()
        except h11.RemoteProtocolError as e:
            if not data:
                raise _cut_off() from None
            raise ProtocolError(f"the server broke the HTTP protocol: {e}") from None

    def _goes_past(self, head: h11.Response) -> bool:
        """Whether the rest of the body is not for h11; what it has of it is taken from it."""
        headers = dict(head.headers)
        arrived, closed = self._h11.trailing_data
        length = int(headers.get(b"content-length", 0))  # h11 has seen that it is a number
        chunked = b"transfer-encoding" in headers
        if head.status_code != 200 or chunked or closed or length < max(_LONG_BODY, len(arrived) + 1):
            return False
        if length > MAX_BODY:
            raise _too_long(MAX_BODY)
        self._missing = length
        self._room = 0
        self._write_long(arrived)
        return True

    def _write_long(self, data: bytes) -> None:
        """Take a piece of a body whose length is known."""
        begin = self._body.tell()
        end = begin + len(data)
        if end > self._room:
            # As it grows, each larger piece of memory could leave a hole behind: so this is seldom, and the last time
            # there is as much as is needed.
            self._room = min(max(_FIRST_ROOM, end, _MORE_ROOM * self._room), begin + self._missing)
            self._body.seek(self._room - 1)
            self._body.write(b"\0")
            self._body.seek(begin)
        self._body.write(data)
        self._missing -= len(data)

    def _receive_long(self, data: bytes) -> Response | None:
        if not data:
            raise _cut_off()
        if len(data) < self._missing:
            self._write_long(data)
            return None
        head = self._head
        assert head is not None
        self._usable = len(data) == self._missing and _keeps_alive(head)
        self._write_long(data[: self._missing])
        self._h11 = _new_h11()  # the other one still waits for the body
        return self._finish()

    def _finish(self) -> Response:
        head = self._head
        assert head is not None
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in head.headers}
        response = Response(head.status_code, head.reason.decode("latin-1"), headers, self._body.getvalue())
        self._head = None
        self._body = BytesIO()
        if self._h11.our_state is h11.DONE and self._h11.their_state is h11.DONE:
            self._h11.start_next_cycle()
        return response


def _new_h11() -> h11.Connection:
    return h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD)


def _keeps_alive(head: h11.Response) -> bool:
    """Whether the server goes on after this response (RFC 9112 9.3)."""
    options = b",".join(value for name, value in head.headers if name == b"connection").lower().split(b",")
    return head.http_version >= b"1.1" and b"close" not in [option.strip() for option in options]


def _cut_off() -> ProtocolError:
    return ProtocolError("the server closed the connection before it had answered")


def _too_long(most: int) -> ProtocolError:
    return ProtocolError(f"the response is longer than {most} bytes")
