"""How a WebSocket comes to nothing or to an end: exceptions that can be handled without wsproto."""

from __future__ import annotations

#: What the close codes mean (RFC 6455 7.4.1 and its IANA registry).
CLOSE_CODES = {
    1000: "normal closure",
    1001: "going away",
    1002: "protocol error",
    1003: "unsupported data",
    1005: "no code given",
    1006: "connection lost without a close",
    1007: "invalid data",
    1008: "policy violation",
    1009: "message too big",
    1010: "extension missing",
    1011: "internal error",
    1012: "service restart",
    1013: "try again later",
    1014: "bad gateway",
}


class UpgradeRefused(Exception):
    """The server has answered the handshake with something else than a WebSocket.

    Attributes:
        status: the HTTP status code.
        headers: the response's headers, by lower-case name.
        body: the start of the response's body.
    """

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        super().__init__(status)
        self.status = status
        self.headers = headers
        self.body = body


class WebSocketClosed(Exception):
    """The WebSocket has ended.

    Args:
        code: the close code; 1006 when there was no close frame.
        reason: what the other side gave as the reason, or "".
        unreadable: it has not closed it, but sent what cannot be read; `reason` says why.

    Attributes:
        code, reason: as above.
    """

    def __init__(self, code: int, reason: str, *, unreadable: bool = False) -> None:
        meaning = CLOSE_CODES.get(code, "application's own code")
        if unreadable:
            message = "the server broke the WebSocket protocol"
        elif code == 1006:
            message = "the connection was lost: the server closed it without closing the WebSocket"
        else:
            message = f"the server closed the WebSocket with code {code} ({meaning})"
        super().__init__(f"{message}: {reason}" if reason else message)
        self.code = code
        self.reason = reason
