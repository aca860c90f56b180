"""Getting to a session: the hosts in turn, the connection, TLS or a WebSocket on it, and the login."""

from __future__ import annotations

from functools import partial
from typing import Any

from .. import errors as e
from ..events import DEBUG, INFO, WARNING, log
from ..hosts import Host, is_socket
from ..protocol import frontend as f
from ..protocol.backend import ProtocolError
from ..protocol.session import StateMachine
from ..protocol.websocket_end import UpgradeRefused, WebSocketClosed
from ..settings import Settings
from .channel import Channel, open_websocket
from .failures import describe
from .login import Login
from .requests import (
    Close,
    Deadline,
    DeadlinePassed,
    Flow,
    Receive,
    Resolve,
    Send,
    StartTLS,
)
from .retrying import Retries
from .session import Session
from .target import check_target
from .way import open_way

#: The SQLSTATE of a password that is wrong.
_INVALID_PASSWORD = "28P01"


def open_session(settings: Settings) -> Flow[Session]:
    """Connect to the first host that can be reached, lets us in and is what `target_session_attrs` wants.

    Each address of each host is tried, and each may take `connect_timeout`. If nothing has failed for good, all of them
    are tried again, see `neonps.flows.retrying`. With `lazy` it returns as soon as the last message of the login could
    be sent; that message then travels with the first statement.

    Raises:
        OperationalError: there is no such host. Its message has all the reasons, its `diag` is that of the last.
    """
    retries = Retries(settings)
    yield from retries.start()
    while True:
        try:
            return (yield from _open_session_once(settings, retries))
        except e.OperationalError as error:
            yield Deadline(None)
            if not (yield from retries.again()):
                raise retries.explained(error) from None


def _open_session_once(settings: Settings, retries: Retries) -> Flow[Session]:
    hosts = list(settings.hosts)
    if settings.load_balance_hosts:
        _shuffle(hosts)
    known: dict[Host, list[Settings]] = {}
    failures: list[e.Error] = []
    for target in _PASSES.get(settings.target_session_attrs, (settings.target_session_attrs,)):
        failures.clear()
        for host in hosts:
            try:
                attempts = known.get(host) or (yield from _find_addresses(settings, host, retries))
            except e.OperationalError as error:
                failures.append(error.with_traceback(None))
                retries.note(error)
                continue
            known[host] = attempts
            for attempt in attempts:
                try:
                    return (yield from _open_session_at(attempt, target, retries))
                except e.OperationalError as error:
                    failures.append(error.with_traceback(None))
    raise _all_of(failures)


#: What to look for first, and what will do if no host is that.
_PASSES = {"prefer-standby": ("standby", "any")}


def _find_addresses(settings: Settings, host: Host, retries: Retries) -> Flow[list[Settings]]:
    """The settings for each address of a host."""
    at = settings.at(host)
    if settings.transport != "tcp" or host.hostaddr is not None or is_socket(host.host) or settings.proxy is not None:
        return [at]
    yield Deadline((yield from retries.limit()))
    try:
        addresses: list[str] = yield Resolve(host.host, host.port)
    except DeadlinePassed:
        raise _logged(e.ConnectionTimeout(_failed(at, "connection timeout expired")), at) from None
    except OSError as error:
        raise _logged(e.OperationalError(_failed(at, describe(error))), at) from None
    if not addresses:
        raise _logged(e.OperationalError(_failed(at, "the host has no address")), at)
    if settings.load_balance_hosts:
        _shuffle(addresses)
    return [at._replace(hostaddr=address) for address in addresses]


def _shuffle(items: list[Any]) -> None:
    from random import shuffle  # takes long to import, and is seldom needed

    shuffle(items)


def _all_of(failures: list[e.Error]) -> e.Error:
    """The error for all that has failed: the last, with what was before it in the message."""
    last = failures[-1]
    if len(failures) > 1:
        each = "".join(f"\n- {failure}" for failure in failures)
        last.args = (f"{last}\nMultiple connection attempts failed. All failures were:{each}",)
    return last


def _open_session_at(settings: Settings, target: str, retries: Retries) -> Flow[Session]:
    yield Deadline((yield from retries.limit()))
    log(DEBUG, "connecting", settings)
    level = WARNING
    channel = None
    try:
        channel = yield from open_channel(settings)
        session = Session(settings, settings.transport, channel, StateMachine())
        session.canceller = partial(cancel, settings)
        login = Login(session)
        yield from login.start()
        while not (login.complete or (settings.lazy and login.waits_for_verdict)):
            yield from login.step()
        if not login.complete:
            session.log(DEBUG, "login left to the first statement")
        level = INFO  # nothing is wrong with a server that is not of the kind that is looked for
        yield from check_target(session, target)
        return session
    except DeadlinePassed as passed:
        retries.note(passed)
        yield Close()
        raise _logged(e.ConnectionTimeout(_failed(settings, "connection timeout expired")), settings, level) from None
    except e.Error as error:
        if level is WARNING:
            # The service may have closed its WebSocket to say that it cannot take us now, rather than Postgres.
            ended = None if channel is None or error.sqlstate is not None else channel.end
            retries.note(ended or error)
        yield Close()
        raise _logged(_located(error, settings), settings, level) from None
    except (OSError, ProtocolError, UpgradeRefused, WebSocketClosed) as error:
        retries.note(error)
        yield Close()
        failure = e.OperationalError(_failed(settings, describe(error)))
        if isinstance(error, UpgradeRefused):
            failure.status, failure.request_id = error.status, error.headers.get("neon-request-id")
        raise _logged(failure, settings, level) from None
    except GeneratorExit:
        raise
    except BaseException:
        yield Close()
        raise


def open_channel(settings: Settings) -> Flow[Channel]:
    """Open a byte stream to the server: by TCP or a Unix socket, or inside a WebSocket."""
    if settings.transport == "websocket":
        assert settings.websocket_url is not None
        return (
            yield from open_websocket(
                settings.websocket_url, settings.tls, settings.keepalive, settings.pings, settings.proxy
            )
        )
    try:
        yield from open_way(settings.hostaddr or settings.host, settings.port, None, settings.keepalive, settings.proxy)
    except OSError as error:
        if error.errno is None:  # it is not the system that says so
            raise
        explained = OSError(f"{describe(error)}\n\t{_IS_IT_RUNNING[is_socket(settings.host)]}")
        explained.errno = error.errno
        raise explained from None
    channel = Channel()
    if settings.tls is not None:
        if not settings.direct_tls:
            yield from _ask_for_tls()
        channel.certificate = yield StartTLS(settings.tls)
    return channel


#: The question that libpq asks when it cannot connect, by whether it is to a Unix socket.
_IS_IT_RUNNING = {
    False: "Is the server running on that host and accepting TCP/IP connections?",
    True: "Is the server running locally and accepting connections on that socket?",
}


def _ask_for_tls() -> Flow[None]:
    yield Send(f.SSLRequest().encode())
    check_tls_answer((yield Receive()))


def check_tls_answer(answer: bytes) -> None:
    """See that a server begins with TLS when it was asked to (PostgreSQL docs 53.2.10).

    Args:
        answer: all that it has sent so far.

    Raises:
        ProtocolError: it has none, or has said more than that.
    """
    if answer == b"N":
        raise ProtocolError(
            "server does not support SSL, but SSL was required: the server does not support TLS,"
            " which only sslmode=disable does without"
        )
    if answer != b"S":
        # More than the one byte would be data that somebody has put in before the encryption began.
        raise ProtocolError("the server has not answered the request for TLS as Postgres does")


def cancel(settings: Settings, pid: int, secret_key: bytes) -> Flow[None]:
    """Ask the server, by another connection, to cancel what the session with this key is doing (docs 53.2.8).

    The server does not say whether it has; it closes the connection when it has taken the request. The runner has to
    be closed in any case.
    """
    try:
        channel = yield from open_channel(settings)
        yield from channel.send(f.CancelRequest(pid, secret_key).encode())
        log(INFO, "cancel request sent", settings, backend_pid=pid)
        while (yield from channel.receive()):
            pass
    except (OSError, ProtocolError, UpgradeRefused, WebSocketClosed) as error:
        raise e.OperationalError(f"the cancel request could not be sent: {describe(error)}") from None


def _failed(settings: Settings, reason: str) -> str:
    return f"connection failed: connection to {settings.where} failed: {reason}"


def _logged(error: e.Error, settings: Settings, level: int = WARNING) -> e.Error:
    """The same error, once it is logged as the end of an attempt to connect."""
    reason = str(error).removeprefix(_failed(settings, ""))
    if error.sqlstate is not None:  # its message can quote what it was given: a user, a value of `options`
        reason = f"the server has refused the session: {type(error).__name__}, SQLSTATE {error.sqlstate}"
    log(level, "attempt failed", settings, reason=reason)
    return error


def _located(error: e.Error, settings: Settings) -> e.Error:
    """The same error, its message saying which server it comes from."""
    severity = f"{error.diag.severity}:  " if error.diag.severity else ""
    source = ""
    if settings.passfile is not None and error.sqlstate == _INVALID_PASSWORD:
        source = f'\npassword retrieved from file "{settings.passfile}"'
    error.args = (_failed(settings, f"{severity}{error.args[0] if error.args else ''}{source}"),)
    return error
