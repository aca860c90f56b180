"""Calls that do not end by themselves: timeouts, Ctrl-C, the cancellation of a task, and whatever else fails midway.

The server is told to cancel what it is doing, and what it still answers is read, so that the session can go on. Where
that cannot be, since a message is half sent or the server does not end, the connection is given up.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .. import errors as e
from ..events import INFO, WARNING
from ..pq import TransactionStatus
from ..protocol import frontend as f
from ..protocol.backend import ProtocolError
from ..protocol.collector import Collector
from ..protocol.session import COPYING_IN
from .requests import Aside, Clock, Close, Deadline, DeadlinePassed, Flow
from .stake import Stake

if TYPE_CHECKING:
    from .session import Session

#: How long the server gets to end a statement that was cancelled, in seconds.
CANCEL_TIMEOUT = 5.0

#: How long it gets before it is told once more, for the first time, in seconds.
_FIRST_PAUSE = 0.05

#: Makes the server undo what it was sent since the last Sync: this is no statement, which is an error.
UNDO = f.Parse(b"", b"_neonps_undo")

#: Why a connection is given up, for the log.
_INTERRUPTED = "a call was interrupted, and what it was waiting for could not be brought to an end"


def guarded(session: Session, flow: Flow[Any], timeout: float | None) -> Flow[Any]:
    """Run `flow`, which is one call of the user, see `Transport.guard`."""
    if session.closed:
        flow.close()
        yield Close()  # another thread or task may have hung up only
        refusal = session.refusal()
        if session.occupied is not None and not session.inherited:  # by what will never be told of its end
            session.occupied = None
            session.loss.tell(refusal)
        raise refusal
    if session.in_call:  # called by a handler, a dumper, or a generator of parameters
        flow.close()
        raise e.ProgrammingError("the connection cannot be used in the middle of another call")
    failed = True
    try:
        session.in_call = session.waiting = True
        yield Deadline(timeout)
        session.own = session.undo = session.stopped = False
        if session.occupied is None:  # what lasts over several calls is at stake in all of them
            session.stake, session.at_stake = Stake.NOTHING, ()
            session.committed = session.committed and session.machine.needs_sync  # in the midst of a pipeline
        session.limit = timeout
        result = yield from flow
        failed = False
        return result
    except DeadlinePassed:
        loss, committed = session.loss, session.may_have_committed
        ended = yield from interrupt(session)
        session.log(WARNING, "timeout", timeout=timeout, outcome=ended)
        failure = e.OperationalError(f"timeout: the server has not answered within {timeout:g} seconds; {ended}")
        if session.closed:
            loss.tell(failure)
        else:  # the server may have said meanwhile what has become of it
            failure.outcome_unknown = committed or session.committed
        raise failure from None
    except ProtocolError as error:
        yield from session.abandon(str(error))
        raise session.lost(f"the connection was closed because {error}") from None
    except e.Error as error:
        if _left_half_done(session) and not error.outcome_unknown:
            session.loss.tell(error)
        error.outcome_unknown = error.outcome_unknown or session.may_have_committed
        raise
    except Exception:
        raise
    except GeneratorExit:
        session.give_up("a call was dropped")  # nobody carries the flow on, so it cannot even close
        raise
    except BaseException:  # Ctrl-C, or the cancellation of a task
        yield from interrupt(session)
        raise
    finally:
        session.in_call = False
        if _left_half_done(session):
            yield from session.abandon("a call has failed before the server had answered all")
        if failed:
            session.block_failed = session.in_block and session.transaction_status is TransactionStatus.IDLE


def _left_half_done(session: Session) -> bool:
    """Whether something unforeseen has left an exchange half done, so that the connection is of no use."""
    return session.busy and session.occupied is None and session.pipeline is None and not session.closed


def interrupt(session: Session) -> Flow[str]:
    """Have the server cancel what it is doing, and get to the end of it. Says what has become of it."""
    # In a process that was forked in the middle of a call, what runs is the parent's.
    can_cancel = session.on_login is None and session.canceller is not None and not session.inherited
    torn = not session.waiting or session.parsing or session.channel.torn
    if torn or (session.busy and not can_cancel):
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
        return "the connection was closed"
    ended = "nothing was running"
    try:
        session.stopped = session.busy and session.pipeline is None
        if session.busy:
            ended = yield from _stop(session)
        if session.own:
            yield Deadline(CANCEL_TIMEOUT)
            yield from session.rollback()
    except (Exception, DeadlinePassed) as error:
        session.log(INFO, "cancelling failed", reason=type(error).__name__)
        yield from session.abandon(_INTERRUPTED)
        return "the connection was closed, since it could not be cancelled"
    except GeneratorExit:
        session.give_up(_INTERRUPTED)
        raise
    except BaseException:  # interrupted once more
        yield from session.abandon(_INTERRUPTED)
        raise
    return ended


def _stop(session: Session) -> Flow[str]:
    """Cancel what the server is doing, get all answers out of the way, and say how it has ended."""
    session.occupied = None
    collector = Collector(keep=False)
    told = False  # the server was told that no more data come for the COPY that it is in

    def read_to_the_end() -> Flow[None]:
        nonlocal told
        if session.undo and session.machine.needs_sync:
            yield from session.send(UNDO)
        while session.busy:
            if session.machine.state in COPYING_IN and (collector.copy is not None or not told):
                told, collector.copy = True, None
                yield from session.send(f.CopyFail(b"cancelled"))
            yield from session.drain(collector)

    yield from cancel_while(session, read_to_the_end)
    if session.pipeline is not None:
        session.pipeline.forget()
    if collector.error is not None:
        return "it was cancelled"
    return "it had been completed before it could be cancelled"


def cancel_and_skip(session: Session, rest: Callable[[], Flow[None]]) -> Flow[None]:
    """As `cancel_while`, but as a part of a call, which has as much time for it as for all else.

    Raises:
        OperationalError: the server could not be asked, or not heard to the end since a message is half sent.
    """
    try:
        yield from cancel_while(session, rest)
    except DeadlinePassed:
        if not session.waiting or session.channel.torn:
            # Not as it is: this was not the time that the call has.
            yield from session.abandon(_INTERRUPTED)
            raise session.lost("the connection was closed, since a statement could not be cancelled") from None
        yield Deadline(session.limit)
        yield from rest()
    yield Deadline(session.limit)


def cancel_while(session: Session, rest: Callable[[], Flow[None]]) -> Flow[None]:
    """Have the server cancel what it is doing, while a flow reads to the end of it.

    A server that has not begun with a statement ignores a request to cancel, and so it does between two of them: the
    request is made again, with growing pauses. None of them can come to the next statement: each was taken by the
    server before this goes on, or else the connection is given up.

    Args:
        rest: gives a flow that reads to the end, and that can be begun anew wherever it had to wait.

    Raises:
        OperationalError: the server could not be asked.
        DeadlinePassed: it has not come to an end within CANCEL_TIMEOUT.
    """
    pause, left = _FIRST_PAUSE, CANCEL_TIMEOUT
    if session.machine.state not in COPYING_IN:  # where it waits for us, and is told to give up
        yield from cancel_query(session)
    while True:
        began: float = yield Clock()
        yield Deadline(min(pause, left))
        try:
            yield from rest()
            return
        except DeadlinePassed:
            now: float = yield Clock()
            left -= now - began
            if left <= 0 or not session.waiting or session.channel.torn:
                raise
        pause *= 2
        yield from cancel_query(session)


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
