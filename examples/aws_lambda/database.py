"""The session with Postgres that a Lambda execution environment keeps from one invocation to the next."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Protocol, TypeVar

import neonps

Connection = neonps.Connection[Any]
T = TypeVar("T")

#: Seconds that are kept back, to cancel a statement, roll back and answer before Lambda ends the invocation.
RESERVE = 1.0

#: Seconds that the server has to cancel; and how many are left when a session that did not help is closed.
CANCEL_TIMEOUT = 0.5
CLOSE_AT = 0.4

#: Seconds that connecting may take: at most, and what has to be left for it.
CONNECT_TIMEOUT = 5
LEAST_CONNECT_TIMEOUT = 2

# An environment handles one invocation at a time: it needs one session, and no pool.
_kept: Connection | None = None


class Context(Protocol):
    """What is needed of the context that Lambda gives to a handler."""

    def get_remaining_time_in_millis(self) -> int: ...


def seconds_left(context: Context) -> float:
    """How long the database may take, in seconds, if the invocation is to end in good order."""
    return max(0.1, context.get_remaining_time_in_millis() / 1000 - RESERVE)


def run_transaction(work: Callable[[Connection], T], context: Context) -> T | None:
    """Run `work(conn)` as one transaction, and return what it returns; None if it raises `neonps.Rollback`.

    While the environment was frozen, the other end may have closed the session, and nothing here has heard of it.
    Asking would cost a round trip in each invocation, so the first statement finds out. A transaction that was lost
    before its COMMIT was sent has not happened: it is run again, once, in a new session. So `work` must do nothing
    but talk to the database.

    Raises:
        neonps.errors.QueryCanceled: the invocation has no more time; the transaction was rolled back.
        neonps.OperationalError: the same, and the server has not answered; the session was closed.
        neonps.Error: what else has gone wrong; the transaction was rolled back. If COMMIT was sent and the answer was
            lost, the message says that it is unknown whether it has taken effect; nothing is run again then.
    """
    if _kept is not None and not _kept.closed:
        complete = False
        try:
            with _deadline(_kept, context), _kept.transaction():
                result = work(_kept)
                complete = True
                return result
            return None
        except neonps.OperationalError:
            if complete or not _kept.broken or seconds_left(context) < LEAST_CONNECT_TIMEOUT:
                raise
    conn = _connect(context)
    with _deadline(conn, context), conn.transaction():
        return work(conn)
    return None


@contextmanager
def _deadline(conn: Connection, context: Context) -> Iterator[None]:
    """Have the server cancel what the session is doing when the invocation has no more time for it.

    If the server does not answer, not even to that, the session is closed before the reserve is used up: then what
    waits for it raises an exception.
    """
    over = threading.Event()

    def end() -> None:
        pause = seconds_left(context)
        while not over.wait(pause):
            if context.get_remaining_time_in_millis() / 1000 < CLOSE_AT:
                conn.close()
                return
            with suppress(neonps.Error):  # a server that cannot be asked
                conn.cancel_safe(timeout=CANCEL_TIMEOUT)
            pause = 0.1  # once more if that has come between two statements

    thread = threading.Thread(target=end)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()  # if it is cancelling at this moment, that must not hit the next invocation
    if conn.closed:  # transaction() has nothing to say of a session that was closed between two statements
        raise neonps.OperationalError(
            "the invocation has no more time, and the server does not answer: it is unknown whether the transaction "
            "has taken effect"
        )


def _connect(context: Context) -> Connection:
    global _kept
    _kept = None
    _kept = neonps.connect(
        os.environ["DATABASE_URL"],
        transport="websocket",
        autocommit=True,  # there is no transaction but those of run_transaction()
        connect_timeout=max(LEAST_CONNECT_TIMEOUT, min(CONNECT_TIMEOUT, int(seconds_left(context)))),
        tcp_user_timeout=5000,  # milliseconds; a network that is gone without a word is noticed by then
    )
    return _kept


def _end(signum: int, frame: object) -> None:
    """Close the session, then end as without this. Lambda sends SIGTERM if the function has an extension."""
    try:
        if _kept is not None:
            _kept.close()
    finally:
        signal.signal(signum, signal.SIG_DFL)
        os.kill(os.getpid(), signum)


signal.signal(signal.SIGTERM, _end)
