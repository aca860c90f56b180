"""One HTTP/1.1 connection of a client, kept alive between requests (RFC 9112, by h11)."""

from __future__ import annotations

from collections.abc import Mapping

import h11

from ..endpoint import Endpoint
from ..record import Record
from ..version import __version__
from .backend import ProtocolError

#: The longest response body that is taken, in bytes. The services stop at 10 MB unless told otherwise.
MAX_BODY = 1 << 30

_MAX_HEAD = 65536


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
        self._h11 = h11.Connection(h11.CLIENT, max_incomplete_event_size=_MAX_HEAD)
        self._head: h11.Response | None = None
        self._body: list[bytes] = []
        self._body_size = 0

    @property
    def reusable(self) -> bool:
        """Whether another request can be sent on this connection."""
        idle = self._h11.our_state is h11.IDLE and self._h11.their_state is h11.IDLE
        # What came behind a response answers nothing, and must not be taken for the answer to what is asked next.
        return idle and not self._h11.trailing_data[0]

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
        try:
            self._h11.receive_data(data)
            while True:
                event = self._h11.next_event()
                if event is h11.NEED_DATA:
                    return None
                if isinstance(event, h11.Response):
                    self._head = event
                elif isinstance(event, h11.Data):
                    self._body.append(bytes(event.data))
                    self._body_size += len(event.data)
                    if self._body_size > MAX_BODY:
                        raise ProtocolError(f"the response is longer than {MAX_BODY} bytes")
                elif isinstance(event, h11.EndOfMessage):
                    return self._finish()
                elif event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
                    raise ProtocolError("the server closed the connection before it had answered")
        except h11.RemoteProtocolError as e:
            if not data:
                raise ProtocolError("the server closed the connection before it had answered") from None
            raise ProtocolError(f"the server broke the HTTP protocol: {e}") from None

    def _finish(self) -> Response:
        head = self._head
        assert head is not None
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in head.headers}
        response = Response(head.status_code, head.reason.decode("latin-1"), headers, b"".join(self._body))
        self._head = None
        self._body = []
        self._body_size = 0
        if self._h11.our_state is h11.DONE and self._h11.their_state is h11.DONE:
            self._h11.start_next_cycle()
        return response
