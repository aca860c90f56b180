"""Logging in: from the start-up packet to the first ReadyForQuery (PostgreSQL docs 53.2.1)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .. import errors as e
from ..events import DEBUG
from ..protocol import backend as b
from ..protocol import frontend as f
from ..protocol.backend import BackendMessage, ProtocolError
from ..protocol.certificate import end_point_hash
from .requests import Flow
from .session import Session

if TYPE_CHECKING:
    from ..protocol.scram import Scram


class Login:
    """The exchange from the start-up packet to the first ReadyForQuery, as steps that `Session` takes it by.

    Attributes:
        complete: the server is ready for queries.
        waits_for_verdict: all that the client has to say is said, or is held back to travel with a statement.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._settings = session.settings
        self._scram: Scram | None = None
        self._authenticated_by = "none"
        self._sent_early = ""  # what pipeline_connect has sent before it was asked for
        self._end_point = self._certificate_hash()
        self.complete = False
        self.waits_for_verdict = False
        session.on_login = self._take

    def start(self) -> Flow[None]:
        """Send the start-up packet, and with it what `pipeline_connect` says."""
        settings, session = self._settings, self._session
        startup = session.machine.send(f.StartupMessage(settings.startup_parameters(), settings.protocol))
        if settings.pipeline_connect == "password":
            self._sent_early = "password"
            yield from self._send_or_hold(startup + session.machine.send(self._password_message()))
        elif settings.pipeline_connect == "scram":
            self._sent_early = "scram-sha-256"
            # Whether the server would bind the login is not known yet, so it is not told that it could have been.
            plus = self._must_bind and self._end_point is not None
            first = self._first_message(self._end_point if plus else None, plus=plus)
            # Some proxies take what follows the start-up packet in the same message for a clear-text password.
            yield from session.channel.send(startup, session.machine.send(first))
        else:
            yield from session.channel.send(startup)

    def step(self) -> Flow[None]:
        """Take one message of the server."""
        event = self._session.machine.next_event()
        if event is None:
            yield from self._session.receive()
        elif type(event) not in (b.NoticeResponse, b.ParameterStatus):
            yield from self._take(event)

    def _take(self, event: BackendMessage) -> Flow[bool]:
        """Take a message; False when it does not belong to the login."""
        if self.complete:
            return False
        handler = _HANDLERS.get(type(event))
        if handler is None:
            raise ProtocolError(f"the server has sent {type(event).__name__} during the login")
        yield from handler(self, event)
        return True

    def _send_or_hold(self, data: bytes) -> Flow[None]:
        """Send the client's last message of the login, unless it can wait for the first statement."""
        self.waits_for_verdict = True
        if self._settings.lazy:
            self._session.before_send = data
        else:
            yield from self._session.channel.send(data)

    def _password(self) -> str:
        if not self._settings.password:
            raise e.OperationalError("fe_sendauth: no password supplied")
        return self._settings.password

    def _password_message(self) -> f.PasswordMessage:
        return f.PasswordMessage(self._password().encode())

    def _certificate_hash(self) -> bytes | None:
        """What the login can be bound to; None if it cannot be, or is not to be."""
        certificate = self._session.channel.certificate
        if certificate is None or self._settings.channel_binding == "disable":
            return None
        return end_point_hash(certificate)

    @property
    def _must_bind(self) -> bool:
        """Whether only a login that is bound to the TLS connection will do.

        That of a WebSocket ends at the gateway, which is where it is verified.
        """
        return self._settings.channel_binding == "require" and self._settings.transport == "tcp"

    def _first_message(self, end_point: bytes | None, *, plus: bool) -> f.SASLInitialResponse:
        from ..protocol.scram import Scram  # scramp takes long to import, and not every login needs it

        self._scram = Scram(self._password(), end_point, plus=plus)
        return f.SASLInitialResponse(self._scram.mechanism, self._scram.first_message())

    def _why_not_bound(self) -> str:
        if self._session.channel.certificate is None:
            return "channel binding required, but SSL not in use"
        if self._end_point is None:
            return "channel binding required, but the server's certificate has a signature that it is not defined for"
        return (
            "channel binding is required, but server did not offer an authentication method that supports"
            " channel binding"
        )

    def _allow(self, method: str) -> None:
        """Refuse a way to log in that `require_auth` does not name, or `channel_binding` cannot do with."""
        if self._sent_early and self._sent_early != method:
            raise e.OperationalError(
                f"the server asks for {_METHODS[method]} although pipeline_connect has sent "
                f"{_METHODS[self._sent_early]} to it; connect with pipeline_connect=off"
            )
        if method not in self._settings.require_auth:
            allowed = ",".join(sorted(self._settings.require_auth))
            raise e.OperationalError(
                f"the server asks for {_METHODS[method]}, which require_auth={allowed} does not allow"
            )
        if self._must_bind and method == "none":
            raise e.OperationalError(
                "channel binding required, but server authenticated client without channel binding"
            )
        if self._must_bind and method != "scram-sha-256":
            raise e.OperationalError("channel binding required but not supported by server's authentication request")
        self._authenticated_by = method

    def _cleartext(self, event: b.AuthenticationCleartextPassword) -> Flow[None]:
        self._allow("password")
        if not self._sent_early:
            yield from self._send_or_hold(self._session.machine.send(self._password_message()))

    def _md5(self, event: b.AuthenticationMD5Password) -> Flow[None]:
        self._allow("md5")
        inner = hashlib.md5((self._password() + self._settings.user).encode(), usedforsecurity=False).hexdigest()
        outer = hashlib.md5(inner.encode() + event.salt, usedforsecurity=False).hexdigest()
        message = f.PasswordMessage(b"md5" + outer.encode())
        yield from self._send_or_hold(self._session.machine.send(message))

    def _sasl(self, event: b.AuthenticationSASL) -> Flow[None]:
        from ..protocol.scram import MECHANISM, MECHANISM_PLUS

        self._allow("scram-sha-256")
        plus = self._end_point is not None and MECHANISM_PLUS in event.mechanisms
        if self._must_bind and not plus:
            raise e.OperationalError(self._why_not_bound())
        if not plus and MECHANISM not in event.mechanisms:
            raise e.OperationalError(f"none of the server's SASL mechanisms is supported; {MECHANISM} is")
        if self._scram is None:
            first = self._first_message(self._end_point, plus=plus)
            yield from self._session.channel.send(self._session.machine.send(first))

    def _challenge(self, event: b.AuthenticationSASLContinue) -> Flow[None]:
        assert self._scram is not None
        response = f.SASLResponse(self._scram.respond(event.data))
        yield from self._send_or_hold(self._session.machine.send(response))

    def _proof(self, event: b.AuthenticationSASLFinal) -> Flow[None]:
        assert self._scram is not None
        self._scram.verify(event.data)
        yield from ()

    def _ok(self, event: b.AuthenticationOk) -> Flow[None]:
        if self._authenticated_by == "none":
            self._allow("none")
        elif self._scram is not None and not self._scram.verified:
            raise ProtocolError("the server has ended the login without proving that it knows the password")
        yield from ()

    def _unsupported(self, event: BackendMessage) -> Flow[None]:
        kind = type(event).__name__.removeprefix("Authentication")
        raise e.OperationalError(f"the server asks for authentication by {kind}, which is not supported")
        yield

    def _refused(self, event: b.ErrorResponse) -> Flow[None]:
        raise e.error_from_fields(event.fields, login=True)
        yield

    def _ignore(self, event: BackendMessage) -> Flow[None]:
        yield from ()

    def _ready(self, event: b.ReadyForQuery) -> Flow[None]:
        self.complete = True
        self._session.on_login = None
        session = self._session
        version = session.parameter_status("server_version")
        session.log(DEBUG, "connected", server_version=version, request_id=session.request_id)
        yield from ()


_METHODS = {
    "none": "no authentication",
    "password": "a clear-text password",
    "md5": "an MD5-hashed password",
    "scram-sha-256": "SCRAM-SHA-256",
}

_HANDLERS: dict[type, Callable[[Login, Any], Flow[None]]] = {
    b.AuthenticationOk: Login._ok,
    b.AuthenticationCleartextPassword: Login._cleartext,
    b.AuthenticationMD5Password: Login._md5,
    b.AuthenticationSASL: Login._sasl,
    b.AuthenticationSASLContinue: Login._challenge,
    b.AuthenticationSASLFinal: Login._proof,
    b.AuthenticationGSS: Login._unsupported,
    b.AuthenticationSSPI: Login._unsupported,
    b.AuthenticationKerberosV5: Login._unsupported,
    b.NegotiateProtocolVersion: Login._ignore,
    b.BackendKeyData: Login._ignore,
    b.ReadyForQuery: Login._ready,
    b.ErrorResponse: Login._refused,
}
