"""Whether a session is with the kind of server that `target_session_attrs` wants (PostgreSQL docs 34.1.2)."""

from __future__ import annotations

from .. import errors as e
from ..protocol import frontend as f
from ..protocol.collector import Collector
from .requests import Flow
from .session import Session


def check_target(session: Session, target: str) -> Flow[None]:
    """Raise if a session is not with what is wanted; then it is closed.

    Args:
        session: a session whose login is complete, unless anything will do.
        target: a value of `target_session_attrs`; "prefer-standby" is up to the caller.

    Raises:
        OperationalError: the server is of another kind, or does not say what it is.
    """
    if target == "any":
        return
    reason = _CHECKS[target][(yield from _ASK[target](session))]
    if reason is not None:
        yield from session.close()
        raise e.OperationalError(reason)


def _is_read_only(session: Session) -> Flow[bool]:
    # Reported since PostgreSQL 14 (docs 53.2.7); a standby is always read-only.
    reported = [session.parameter_status(name) for name in ("default_transaction_read_only", "in_hot_standby")]
    if None not in reported:
        return "on" in reported
    return (yield from _ask(session, b"SHOW transaction_read_only")) == b"on"


def _is_standby(session: Session) -> Flow[bool]:
    reported = session.parameter_status("in_hot_standby")
    if reported is not None:
        return reported == "on"
    return (yield from _ask(session, b"SELECT pg_catalog.pg_is_in_recovery()")) == b"t"


def _ask(session: Session, query: bytes) -> Flow[bytes | None]:
    """The single value that a query gives."""
    collector = Collector(query)
    try:
        yield from session.send(f.Query(query))
        yield from session.drain(collector)
        error = collector.error
    except e.Error as fatal:
        error = fatal
    if error is not None:
        text = f"target_session_attrs could not be checked: {error}"
        raise e.OperationalError(text, fields=error._fields) from None
    for result in collector.results:
        for row in result.rows(0, 1):
            return row[0]
    raise e.OperationalError("target_session_attrs could not be checked: the server has not answered")


_ASK = {"read-write": _is_read_only, "read-only": _is_read_only, "primary": _is_standby, "standby": _is_standby}

#: What is wrong, by the answer; None for nothing.
_CHECKS: dict[str, dict[bool, str | None]] = {
    "read-write": {False: None, True: "session is read-only"},
    "read-only": {False: "session is not read-only", True: None},
    "primary": {False: None, True: "server is in hot standby mode"},
    "standby": {False: "server is not in hot standby mode", True: None},
}
