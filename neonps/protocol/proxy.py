"""Asking an HTTP proxy for the way to a server by CONNECT (RFC 9110 9.3.6, by h11)."""

from __future__ import annotations

import re

import h11

from ..endpoint import in_brackets
from ..pattern import pattern
from ..version import __version__

#: The longest head of an answer that is taken, in bytes.
MAX_HEAD = 65536

#: Ways to log in that proxies ask for, in the spelling of their registry (RFC 9110 11.6). No other text of an answer
#: is shown: it might quote the request, with the login in it.
_SCHEMES = {name.lower(): name for name in ("Basic", "Bearer", "Digest", "Kerberos", "Negotiate", "NTLM")}

_word = pattern(rb"[A-Za-z]+")

_UNREACHABLE = "the proxy cannot reach {server} (status {status})"
_NO_CONNECT = "the proxy does not do CONNECT (status {status})"
_REFUSALS = {
    403: "the proxy forbids the way to {server} (status {status})",
    404: _UNREACHABLE,
    405: _NO_CONNECT,
    501: _NO_CONNECT,
    502: _UNREACHABLE,
    503: _UNREACHABLE,
    504: _UNREACHABLE,
}


class ConnectFailed(Exception):
    """There is no way through the proxy.

    Attributes:
        status: the HTTP status of its answer; None if there was none that makes sense.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class ConnectRequest:
    """The request for the way to one server, and the head of the answer.

    Args:
        host: a name, which the proxy looks up, or an address.
        port: the TCP port.
        authorization: the value of the header `Proxy-Authorization`.
    """

    def __init__(self, host: str, port: int, authorization: str | None) -> None:
        self._h11 = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD)
        self._authorization = authorization
        self._server = f"{in_brackets(host)}:{port}"

    def data(self) -> bytes:
        """The request.

        Raises:
            ConnectFailed: the host cannot be asked for.
        """
        lines = [("Host", self._server), ("User-Agent", f"neonps/{__version__}")]
        if self._authorization is not None:
            lines.append(("Proxy-Authorization", self._authorization))
        try:
            if not self._server.isascii():
                host, _, port = self._server.rpartition(":")
                self._server = f"{host.encode('idna').decode()}:{port}"
                lines[0] = ("Host", self._server)
            return self._h11.send(h11.Request(method="CONNECT", target=self._server, headers=lines)) or b""
        except (h11.LocalProtocolError, UnicodeError):
            raise ConnectFailed("this is no name of a host that a proxy can be asked for") from None

    def receive(self, data: bytes) -> bool:
        """Take in what has arrived (b"" for the end); whether the way is open.

        Raises:
            ConnectFailed: it is not, and will not be.
        """
        try:
            self._h11.receive_data(data)
            while True:
                event = self._h11.next_event()
                if not isinstance(event, (h11.Response, h11.InformationalResponse)):
                    return False
                # h11 has looked at its length only while it was not complete.
                if sum([len(name) + len(value) for name, value in event.headers], len(event.reason)) > MAX_HEAD:
                    raise _too_long()
                if isinstance(event, h11.Response):
                    break
        except h11.RemoteProtocolError as error:
            if not data:
                raise ConnectFailed("the proxy closed the connection before it had answered") from None
            if error.error_status_hint == 431:
                raise _too_long() from None
            raise ConnectFailed("the proxy does not answer by HTTP") from None
        if not 200 <= event.status_code < 300:
            raise ConnectFailed(self._refusal(event), event.status_code)
        if self._h11.trailing_data[0]:
            # Nobody was spoken to yet, so that somebody on the way has put it in.
            raise ConnectFailed("the proxy has sent more than its answer")
        return True

    def _refusal(self, answer: h11.Response) -> str:
        status = answer.status_code
        if status != 407:
            text = _REFUSALS.get(status, "the proxy refuses the way to {server} (status {status})")
            return text.format(server=self._server, status=status)
        words = [_word.match(value) for name, value in answer.headers if name == b"proxy-authenticate"]
        offered = [_SCHEMES.get(word[0].decode().lower(), "") for word in words if word]
        others = ", ".join(dict.fromkeys(filter(None, offered)))
        if others and "Basic" not in offered:
            return f"the proxy wants a login by {others} (status 407), and only Basic is supported"
        if self._authorization is None:
            return "the proxy wants a login (status 407): its URL can have one, as in http://USER:PASSWORD@HOST:PORT"
        return "the proxy does not take the user or the password (status 407)"


def _too_long() -> ConnectFailed:
    return ConnectFailed(f"the head of the proxy's answer is longer than {MAX_HEAD} bytes")


def is_request(data: bytes) -> bool:
    """Whether bytes are a request for the way to a server."""
    return re.match(rb"CONNECT [^ ]+ HTTP/1\.1\r\n", data) is not None
