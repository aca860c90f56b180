"""Calls that do not end by themselves: timeouts, Ctrl-C, the cancellation of a task, and whatever else fails midway.

The server is told to cancel what it is doing, and what it still answers is read, so that the session can go on. Where
that cannot be, since a message is half sent or the server does not end, the connection is given up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import errors as e
from ..events import INFO, WARNING
from ..pq import TransactionStatus
from ..protocol import frontend as f
from ..protocol.backend import ProtocolError
from ..protocol.collector import Collector
from ..protocol.session import COPYING_IN
from .requests import Aside, Close, Deadline, DeadlinePassed, Flow

if TYPE_CHECKING:
    from .session import Session

#: How long the server gets to end a statement that was cancelled, in seconds.
CANCEL_TIMEOUT = 5.0

#: Makes the server undo what it was sent since the last Sync: this is no statement, which is an error.
UNDO = f.Parse(b"", b"_neonps_undo")

#: Why a connection is given up, for the log.
_INTERRUPTED = "a call was interrupted, and what it was waiting for could not be brought to an end"


def guarded(session: Session, flow: Flow[Any], timeout: float | None) -> Flow[Any]:
    """Run `flow`, which is one call of the user, see `Transport.guard`."""
    if session.closed:
        flow.close()
        yield Close()  # another thread or task may have hung up only
        raise e.OperationalError("the connection is lost" if session.broken else "the connection is closed")
    if session.in_call:  # called by a handler, a dumper, or a generator of parameters
        flow.close()
        raise e.ProgrammingError("the connection cannot be used in the middle of another call")
    yield Deadline(timeout)
    failed = True
    try:
        session.in_call = session.waiting = True
        session.own = session.undo = False
        session.stake = ""
        result = yield from flow
        failed = False
        return result
    except DeadlinePassed:
        ended = yield from _interrupt(session)
        session.log(WARNING, "timeout", timeout=timeout, outcome=ended)
        raise e.OperationalError(f"timeout: the server has not answered within {timeout:g} seconds; {ended}") from None
    except ProtocolError as error:
        yield from session.abandon(str(error))
        raise e.OperationalError(session.with_stake(f"the connection was closed because {error}")) from None
    except Exception:
        raise
    except GeneratorExit:
        session.give_up("a call was dropped")  # nobody carries the flow on, so it cannot even close
        raise
    except BaseException:  # Ctrl-C, or the cancellation of a task
        yield from _interrupt(session)
        raise
    finally:
        session.in_call = False
        if session.busy and not session.occupied and session.pipeline is None and not session.closed:
            # Something unforeseen has left an exchange half done.
            yield from session.abandon("a call has failed before the server had answered all")
        if failed:
            session.block_failed = session.in_block and session.transaction_status is TransactionStatus.IDLE


def _interrupt(session: Session) -> Flow[str]:
    """Have the server cancel what it is doing, and get to the end of it. Says what has become of it."""
    can_cancel = session.on_login is None and session.canceller is not None
    if not session.waiting or (session.busy and not can_cancel):
        try:
            if session.busy and can_cancel:
                yield from cancel_query(session)  # the server may have got all of it, and would work on for nobody
        except (Exception, DeadlinePassed) as error:
            session.log(INFO, "cancelling failed", reason=type(error).__name__)
        except GeneratorExit:
            session.give_up(_INTERRUPTED)
            raise
        except BaseException:  # interrupted once more
            yield from session.abandon(_INTERRUPTED)
            raise
        yield from session.abandon(_INTERRUPTED)
        return f"the connection was closed. {session.stake}".rstrip()
    ended = "nothing was running"
    try:
        yield Deadline(CANCEL_TIMEOUT)
        if session.busy:
            ended = yield from _stop(session)
        if session.own:
            yield from session.rollback()
    except (Exception, DeadlinePassed) as error:
        session.log(INFO, "cancelling failed", reason=type(error).__name__)
        yield from session.abandon(_INTERRUPTED)
        return f"the connection was closed, since it could not be cancelled. {session.stake}".rstrip()
    except GeneratorExit:
        session.give_up(_INTERRUPTED)
        raise
    except BaseException:  # interrupted once more
        yield from session.abandon(_INTERRUPTED)
        raise
    return ended


def _stop(session: Session) -> Flow[str]:
    """Cancel what the server is doing, get all answers out of the way, and say how it has ended."""
    if session.machine.state not in COPYING_IN:
        yield from cancel_query(session)
        yield Deadline(CANCEL_TIMEOUT)
    session.occupied = ""
    if session.undo and session.machine.needs_sync:
        yield from session.send(UNDO)
    collector = Collector(keep=False)
    while session.busy:
        if session.machine.state in COPYING_IN:  # or it has come to that now
            collector.copy = None
            yield from session.send(f.CopyFail(b"cancelled"))
        yield from session.drain(collector)
    if session.pipeline is not None:
        session.pipeline.forget()
    if collector.error is not None:
        return "it was cancelled"
    return "it had been completed before it could be cancelled"


def cancel_query(session: Session) -> Flow[None]:
    """Have the server cancel what it is doing, by another connection.

    Raises:
        OperationalError: it could not be asked.
    """
    assert session.canceller is not None
    try:
        yield Aside(session.canceller(session.machine.backend_pid, session.machine.secret_key), CANCEL_TIMEOUT)
    except DeadlinePassed:
        raise e.OperationalError("the server could not be asked in time to cancel a statement") from None
