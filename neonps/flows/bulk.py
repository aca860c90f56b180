"""Many statements in one round trip: executemany and batches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .. import errors as e
from ..abc import Params
from ..isolation import TransactionCharacteristics
from ..pq import TransactionStatus
from ..protocol import frontend as f
from ..protocol.backend import ProtocolError
from ..protocol.collector import Collector
from ..protocol.frontend import FrontendMessage
from ..protocol.result import Result
from .requests import Flow
from .series import extended, refuse_copy, series
from .session import COMMIT, STATEMENT_AT_STAKE, Session
from .transport import Query

#: Statements are sent in pieces of this size, in bytes.
_SEND_SIZE = 1 << 17


def executemany(
    session: Session, query: Query, params: Iterable[Params], *, returning: bool, binary: bool
) -> Flow[list[Result] | int]:
    """See `Transport.executemany`."""
    own = session.own = session.autocommit and session.transaction_status is TransactionStatus.IDLE
    opening = [session.characteristics.begin] if own else session.opening()
    closing = [COMMIT] if own else []
    if own:
        session.prefix = opening
    collector = Collector(query.query, keep=returning)
    session.stake = STATEMENT_AT_STAKE[own]
    try:
        rest = yield from _send_many(session, query, params, returning, binary, collector)
        if not rest and not session.busy:
            session.prefix = [] if own else session.prefix
            return [] if returning else 0
        data = session.encode_opened(*rest, *series(closing if collector.error is None else ()), f.Sync())
    except ProtocolError:
        raise
    except Exception:  # a mistake in the parameters; what was sent before it has an end all the same
        if session.busy and not session.closed:
            yield from session.send(f.Sync())
            yield from session.drain(collector)
        if own:
            yield from session.rollback()
        raise
    yield from session.write(data)
    yield from session.drain(collector)
    if own:
        yield from session.rollback()  # does nothing after COMMIT
    yield from session.settle(collector)
    if not returning:
        return collector.rowcount
    return collector.results[len(opening) : len(collector.results) - len(closing)]


def _send_many(
    session: Session, query: Query, params: Iterable[Params], returning: bool, binary: bool, collector: Collector
) -> Flow[list[FrontendMessage]]:
    """Send a Bind and Execute for each of `params`, in large pieces, but for the last piece, which it returns."""
    messages: list[FrontendMessage] = []
    types: Sequence[int] | None = None
    size = 0
    for each in params:
        query.dump(each)
        if query.types != types or types is None:
            refuse_copy(query)
            types = query.types or ()
            messages.append(f.Parse(b"", query.query, types))
        values = query.params or ()
        messages.append(f.Bind(b"", b"", values, query.formats or (), (int(binary),)))
        if returning:
            messages.append(f.DescribePortal(b""))
        messages.append(f.Execute(b""))
        size += 64 + sum([len(value) for value in values if value is not None])
        if size > _SEND_SIZE:
            size = 0
            yield from session.write(session.encode_opened(*messages))
            messages.clear()
            yield from session.take_arrived(collector)
            if collector.error is not None:
                break
    return messages


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
        messages += extended(query, binary=False)
    data = session.encode(*series(opening), *messages, *series(closing), f.Sync())
    session.prefix = []
    session.stake = STATEMENT_AT_STAKE[own]
    collector = Collector()
    yield from session.write(data)
    yield from session.drain(collector)
    if own:
        yield from session.rollback()  # does nothing after COMMIT
    yield from session.settle(collector)
    return collector.results[len(opening) : len(collector.results) - len(closing)]
