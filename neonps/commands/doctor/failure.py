"""A step that has failed, with all that is known of it."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass, field

from ... import errors as e
from ...endpoint import is_loopback
from ...flows.requests import DeadlinePassed
from ...hosts import is_socket
from ...protocol.websocket_end import UpgradeRefused
from ...settings import Settings

#: How a message of TLS that is not encrypted begins, alerts among them (RFC 8446 5.1).
_TLS_RECORD = (b"\x15\x03", b"\x16\x03")


_prefix = re.compile(r"\Aconnection failed: connection to .*? failed: (?:FATAL:  |ERROR:  )?", re.DOTALL)


@dataclass
class Failure:
    """A step that has failed.

    Attributes:
        step: its name.
        settings: where and how to connect.
        error: what the driver has raised.
        cause: what the runner has met, if it has: `OSError` or `DeadlinePassed`.
        where: a host, or an address and a port.
        heard: what the server has said first.
        past_proxy: a proxy was asked for the way, so that TLS is with the server.
        speaks_tls: the server speaks TLS where it was spoken to without.
        names: the hosts that the certificate is for, if it is not for the one that was wanted.
    """

    step: str
    settings: Settings
    error: e.Error
    cause: BaseException | None
    where: str
    heard: bytes
    past_proxy: bool = False
    speaks_tls: bool = False
    names: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The driver's message, without where it comes from."""
        return _prefix.sub("", str(self.error), count=1)

    @property
    def status(self) -> int | None:
        """The HTTP status of the answer, if there was one that was not as it should be."""
        refusal = self.error.__context__
        return refusal.status if isinstance(refusal, UpgradeRefused) else self.error.status

    @property
    def verify_code(self) -> int | None:
        """OpenSSL's code for what is wrong with the certificate (x509_vfy.h); None if it is not about that."""
        reason = self.cause.__context__ if self.cause is not None else None
        return reason.verify_code if isinstance(reason, ssl.SSLCertVerificationError) else None

    @property
    def is_json(self) -> bool:
        """The answer is JSON, and so is not a page that some other server has written."""
        return b"application/json" in self.heard.lower()

    @property
    def is_silence(self) -> bool:
        """The server has not answered in time."""
        return isinstance(self.cause, DeadlinePassed)

    @property
    def is_nonsense(self) -> bool:
        """What came is not HTTP, or nothing came and the connection was closed."""
        return (self.status is None and not self.is_silence) or self.heard.startswith(_TLS_RECORD)

    @property
    def is_at_proxy(self) -> bool:
        """It was not the server that was spoken to, but the proxy."""
        return self.step in ("dns", "tcp", "proxy") or (self.step == "tls" and not self.past_proxy)

    @property
    def is_near(self) -> bool:
        """What was to be reached is on this machine."""
        endpoint = self.settings.fetch_url or self.settings.websocket_url
        host = endpoint.host if endpoint is not None else self.settings.host
        return is_socket(host) or is_loopback(host)
