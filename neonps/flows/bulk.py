"""Many statements in one round trip: executemany and batches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .. import errors as e
from ..abc import Params
from ..isolation import TransactionCharacteristics
from ..pq import TransactionStatus
from ..protocol import frontend as f
from ..protocol.collector import Collector
from ..protocol.frontend import Encoded, FrontendMessage
from ..protocol.result import Result
from ..tokens import first_words
from .executions import Executions
from .interruption import UNDO
from .requests import Flow
from .series import TEXT, extended, refuse_copy, series
from .session import COMMIT, Session
from .stake import Stake
from .transport import Query, Tally

#: Statements are sent in pieces of this size, in bytes.
_SEND_SIZE = 1 << 17

#: What these do is committed at a Sync. Some others commit at once, such as CALL and COMMIT PREPARED.
_WAITS_FOR_SYNC = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE", "SELECT", "WITH", "VALUES", "TABLE"})


def executemany(
    session: Session, query: Query, params: Iterable[Params], *, returning: bool, binary: bool, prepare: bool
) -> Flow[list[Result] | Tally]:
    """See `Transport.executemany`.

    Unless a transaction is open, the server makes one of all that comes before Sync (PostgreSQL docs 53.2.4).
    """
    own = session.undo = session.autocommit and session.transaction_status is TransactionStatus.IDLE
    opening = session.opening()
    collector = Collector(query.shown, keep=returning, codec=session.machine.codec)
    session.stake = Stake.of(own)
    executions = Executions(query, session.prepared, collector, prepare=prepare, describe=returning, binary=binary)
    try:
        rest = yield from _send_many(session, query, params, executions, collector)
        if not rest and not session.busy:
            return [] if returning else Tally(0, "")
        session.at_stake = (query.query,)
        data = _encode(session, *rest, f.Sync())
        session.stake = Stake.of(own)
        yield from session.write(data)
        yield from session.drain(collector)
        yield from session.settle(collector)
    except BaseException as error:
        session.prepared.distrust(executions.names)
        if isinstance(error, Exception) and session.machine.needs_sync and not session.closed:
            # A mistake in the parameters; what was sent before it has an end all the same.
            yield from session.send(*([UNDO] if own else []), f.Sync())
            yield from session.drain(collector)
        raise
    session.prepared.trim()
    if not returning:
        return Tally(collector.rowcount, collector.command_tag)
    return collector.results[len(opening) :]


def _send_many(
    session: Session, query: Query, params: Iterable[Params], executions: Executions, collector: Collector
) -> Flow[list[FrontendMessage | Encoded]]:
    """Send an execution for each of `params`, in large pieces, but for the last piece, which it returns."""
    for each in params:
        executions.add(each)
        if executions.size > _SEND_SIZE:
            session.at_stake = (query.query,)  # which was not known before the first parameters
            if session.stake is Stake.EFFECT and _waits_for_sync(query.query):
                session.stake = Stake.NOTHING
            yield from session.write(_encode(session, *executions.take()))
            yield from session.take_arrived(collector)
            if collector.error is not None:
                break
    return executions.take()


def _waits_for_sync(statement: bytes) -> bool:
    return not _WAITS_FOR_SYNC.isdisjoint(first_words(statement.decode("utf-8", "replace"), 1))


def _encode(session: Session, *messages: FrontendMessage | Encoded) -> bytes:
    """Encode one piece of a series; what has to go in front goes in front of the first."""
    return session.encode(*messages) if session.busy else session.encode_opened(*messages)


def batch(
    session: Session, queries: Sequence[Query], characteristics: TransactionCharacteristics
) -> Flow[list[Result]]:
    """See `Transport.batch`."""
    own = session.own = session.transaction_status is TransactionStatus.IDLE
    if not own and characteristics != TransactionCharacteristics():
        raise e.ProgrammingError("the characteristics of a transaction cannot be chosen once it is open")
    opening = [characteristics.begin] if own else session.opening()
    closing = [COMMIT] if own else []
    messages: list[FrontendMessage] = []
    for query in queries:
        refuse_copy(query)
        messages += extended(query, TEXT)
    data = session.encode(*series(opening), *messages, *series(closing), f.Sync())
    session.prefix = []
    session.stake, session.at_stake = Stake.of(own), () if own else [query.query for query in queries]
    collector = Collector()
    yield from session.write(data)
    yield from session.drain(collector)
    if own:
        yield from session.rollback()  # does nothing after COMMIT
    yield from session.settle(collector)
    return collector.results[len(opening) : len(collector.results) - len(closing)]
