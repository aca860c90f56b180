"""What a flow can ask of a runner.

A runner owns one connection at most. It carries out one request at a time and sends the outcome back into
the flow; when the request fails, it throws the `OSError`, or `DeadlinePassed`, into the flow instead.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, NoReturn, TypeVar, Union

from ..record import Record, refuse_pickling, shown

T = TypeVar("T")


class DeadlinePassed(BaseException):
    """The deadline that the flow had set has passed while a request was waiting.

    Like the cancellation of a task this is no `Exception`, so that only who means it catches it.
    """


class NameNotResolved(OSError):
    """The host name has no address."""


class NotSilent(Exception):
    """Nothing was sent, since something has arrived meanwhile, or the end."""


class TLSFailed(OSError):
    """The TLS handshake has failed, for example because the certificate is not good for the host."""


class ProxyFailed(OSError):
    """There is no way to the server through the proxy.

    Attributes:
        status: the HTTP status of the proxy's answer, if that is what has failed.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class TLS(Record):
    """How to secure a connection. Certificates are always verified and the host name is always checked.

    Args:
        server_hostname: the name, or IP address, that the certificate must be good for.
        rootcert: path of a PEM file with the CAs to trust; None for those of the system.
        cert: path of the client's certificate chain (PEM), if it has one.
        key: path of the client's private key (PEM); None when it is in the `cert` file.
        key_password: what the private key is encrypted with.
        crl: path of a PEM file with certificate revocation lists.
        crldir: path of a directory with certificate revocation lists, under the names that OpenSSL looks for.
        minimum_version, maximum_version: the lowest and the highest version to accept: "TLSv1.2" or "TLSv1.3".
        alpn: the application protocols to offer, most wanted first (RFC 7301).
        alpn_required: the server has to choose one of them.
        keylogfile: path of a file to write the secrets of the session to, for debugging.
    """

    server_hostname: str
    rootcert: str | None = None
    cert: str | None = None
    key: str | None = None
    key_password: str | None = None
    crl: str | None = None
    crldir: str | None = None
    minimum_version: str = "TLSv1.2"
    maximum_version: str = "TLSv1.3"
    alpn: tuple[str, ...] = ()
    alpn_required: bool = False
    keylogfile: str | None = None

    def __repr__(self) -> str:
        return shown(self, "key_password")

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        refuse_pickling(self)


class KeepAlive(Record):
    """TCP keep-alive and time-out settings (libpq's keywords; None or 0 leaves the system's default).

    Args:
        enabled: send keep-alive probes at all.
        idle, interval: seconds before the first probe, and between probes.
        probes: lost probes before the connection counts as dead.
        user_timeout: milliseconds that sent data may stay unacknowledged (RFC 5482).
    """

    enabled: bool = True
    idle: int | None = None
    interval: int | None = None
    probes: int | None = None
    user_timeout: int | None = None


class Pings(Record):
    """How to find out whether the other side of a WebSocket is still there.

    Args:
        interval: seconds of silence, while something is waited for, after which it is asked; None for never.
        timeout: seconds within which it has to say something then.
    """

    interval: float | None = None
    timeout: float = 30.0


class Resolve(Record):
    """Look up a host; answers with its addresses in numbers, a list of str in the order in which to try them.

    An address that is one already is its own answer.
    """

    host: str
    port: int


class Open(Record):
    """Open a connection to `host` and `port`, TLS included when `tls` is given; answers None.

    `host` is a name, an address, or, when it starts with `/` or `@`, the directory of a Unix socket, in which
    the file `.s.PGSQL.{port}` is meant. Each address of a name is tried in turn, none so long that no time is left for
    the others. It may take `timeout` seconds, and no longer than the deadline allows.
    """

    host: str
    port: int
    tls: TLS | None = None
    keepalive: KeepAlive = KeepAlive()
    timeout: float | None = None


class StartTLS(Record):
    """Go on with TLS on the connection that is open; answers with the server's certificate (DER)."""

    tls: TLS


class Send(Record):
    """Send all of `data`; answers None.

    What arrives meanwhile is read and kept for the next `Receive`, so that two sides that both have much to
    say never wait for each other. `asks` is whether an answer is due to it; it is for counting round trips.
    `idle` says that nothing is under way, so that the connection can have ended unnoticed: then `NotSilent` is thrown,
    also if something else has arrived.
    """

    data: bytes
    asks: bool = True
    idle: bool = False

    def __repr__(self) -> str:
        return shown(self, "data")


class Receive(Record):
    """Wait until something arrives; answers with it, or with b"" when the other side has closed.

    With `within` it answers None when nothing has come for so many seconds, unless the deadline comes first.
    """

    within: float | None = None


class Poll(Record):
    """Look whether something has arrived, without waiting; answers like `Receive`, or None for nothing."""


class Close(Record):
    """Close the connection, if one is open; answers None and never fails."""


class Deadline(Record):
    """From now on all waits together may take `seconds`; None lifts the limit. Answers None.

    When the time is over, `DeadlinePassed` is thrown into the flow at the request that waits.
    """

    seconds: float | None


class Clock(Record):
    """Look at the time; answers with seconds, of which only the differences mean something."""


class Pause(Record):
    """Let `seconds` go by; answers None. The deadline counts."""

    seconds: float


class Within(Record):
    """Run another flow on the same connection, within `timeout` seconds; answers with what it returns.

    It may take no longer than the deadline of the asking flow allows either.
    """

    flow: Flow[Any]
    timeout: float


class Aside(Record):
    """Run another flow on a connection of its own, within `timeout` seconds; answers with what it returns.

    The deadline of the asking flow does not count meanwhile.
    """

    flow: Flow[Any]
    timeout: float


Request = Union[Resolve, Open, StartTLS, Send, Receive, Poll, Close, Deadline, Clock, Pause, Within, Aside]

#: A generator that yields requests, is sent the answers, and returns a T.
Flow = Generator["Request", Any, T]
