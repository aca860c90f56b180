"""Getting to a session: the connection, TLS or a WebSocket on it, and the login."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from .. import errors as e
from ..protocol import backend as b
from ..protocol import frontend as f
from ..protocol.backend import BackendMessage, ProtocolError
from ..protocol.scram import MECHANISM, Scram
from ..protocol.session import StateMachine
from ..protocol.websocket import UpgradeRefused, WebSocketClosed
from ..settings import Settings
from .channel import Channel, open_websocket
from .requests import (
    Close,
    Deadline,
    DeadlinePassed,
    Flow,
    NameNotResolved,
    Open,
    Receive,
    Send,
    StartTLS,
    TLSFailed,
)
from .session import Session
from .transport import Transport

logger = logging.getLogger("neonps")

#: The SQLSTATE of a server that starts or stops; as in libpq, another host may do better.
_CANNOT_CONNECT_NOW = "57P03"


def open_transport(settings: Settings) -> Flow[Transport]:
    """Open the transport that `settings` ask for.

    Raises:
        OperationalError: it did not come to a connection, or not to a login.
    """
    if settings.transport == "http":
        from .http import HttpTransport  # a user of sessions never needs it

        return HttpTransport(settings)
    return (yield from open_session(settings))


def open_session(settings: Settings) -> Flow[Session]:
    """Connect to the first host that can be reached and log in there.

    With `lazy` it returns as soon as the last message of the login could be sent; that message then travels with the
    first statement.

    Raises:
        OperationalError: no host could be reached, or the login was refused.
    """
    failures: list[e.Error] = []
    for host in settings.hosts:
        try:
            return (yield from _open_session_at(settings.at(host)))
        except e.OperationalError as error:
            failures.append(error)
            if error.sqlstate not in (None, _CANNOT_CONNECT_NOW):
                break  # the server was there and has refused; another host would say the same
    if len(failures) == 1:
        raise failures[0]
    last = failures[-1]
    message = "\n".join(dict.fromkeys(str(failure) for failure in failures))
    raise type(last)(message) from None


def _open_session_at(settings: Settings) -> Flow[Session]:
    yield Deadline(settings.connect_timeout)
    try:
        channel = yield from open_channel(settings)
        session = Session(settings, settings.transport, channel, StateMachine())
        session.canceller = partial(cancel, settings)
        login = Login(session)
        yield from login.start()
        while not (login.complete or (settings.lazy and login.waits_for_verdict)):
            yield from login.step()
        return session
    except DeadlinePassed:
        yield Close()
        raise e.ConnectionTimeout(_failed(settings, "connection timeout expired")) from None
    except e.Error as error:
        yield Close()
        raise _located(error, settings) from None
    except (OSError, ProtocolError, UpgradeRefused, WebSocketClosed) as error:
        yield Close()
        raise e.OperationalError(_failed(settings, describe(error))) from None
    except GeneratorExit:
        raise
    except BaseException:
        yield Close()
        raise


def open_channel(settings: Settings) -> Flow[Channel]:
    """Open a byte stream to the server: by TCP or a Unix socket, or inside a WebSocket."""
    if settings.transport == "websocket":
        assert settings.websocket_url is not None
        return (yield from open_websocket(settings.websocket_url, settings.tls, settings.keepalive))
    yield Open(settings.hostaddr or settings.host, settings.port, None, settings.keepalive)
    if settings.tls is not None:
        yield Send(f.SSLRequest().encode())
        answer: bytes = yield Receive()
        if answer == b"N":
            raise ProtocolError("the server does not support TLS, which is required")
        if answer != b"S":
            # More than the one byte would be data that somebody has put in before the encryption began.
            raise ProtocolError("the server has not answered the request for TLS as Postgres does")
        yield StartTLS(settings.tls)
    return Channel()


def cancel(settings: Settings, pid: int, secret_key: bytes) -> Flow[None]:
    """Ask the server, by another connection, to cancel what the session with this key is doing (docs 53.2.8).

    The server does not say whether it has; it closes the connection when it has taken the request. The runner has to
    be closed in any case.
    """
    try:
        channel = yield from open_channel(settings)
        yield from channel.send(f.CancelRequest(pid, secret_key).encode())
        while (yield from channel.receive()):
            pass
    except (OSError, ProtocolError, UpgradeRefused, WebSocketClosed) as error:
        raise e.OperationalError(f"the cancel request could not be sent: {describe(error)}") from None


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
            first = self._first_message()
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

    def _first_message(self) -> f.SASLInitialResponse:
        try:
            self._scram = Scram(self._password())
        except ValueError as error:
            raise e.OperationalError(str(error)) from None
        return f.SASLInitialResponse(MECHANISM, self._scram.first_message())

    def _allow(self, method: str) -> None:
        """Refuse a way to log in that `require_auth` does not name."""
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
        self._allow("scram-sha-256")
        if MECHANISM not in event.mechanisms:
            raise e.OperationalError(f"none of the server's SASL mechanisms is supported; {MECHANISM} is")
        if self._scram is None:
            first = self._first_message()
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


def describe(error: BaseException) -> str:
    """What has gone wrong on the way to a server, in words."""
    if isinstance(error, UpgradeRefused):
        return _describe_refusal(error)
    if isinstance(error, (NameNotResolved, TLSFailed)):
        return str(error)
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return str(error)


def _describe_refusal(refusal: UpgradeRefused) -> str:
    from ..protocol.http import Response
    from ..protocol.sqlhttp import error_from_response

    response = Response(refusal.status, "", refusal.headers, refusal.body)
    return f"the server refused to open a WebSocket: {error_from_response(response)}"


def _failed(settings: Settings, reason: str) -> str:
    return f"connection failed: connection to {settings.where} failed: {reason}"


def _located(error: e.Error, settings: Settings) -> e.Error:
    """The same error, its message saying which server it comes from."""
    severity = f"{error.diag.severity}:  " if error.diag.severity else ""
    error.args = (_failed(settings, f"{severity}{error.args[0] if error.args else ''}"),)
    return error
