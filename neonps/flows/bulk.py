"""Many statements in one round trip: executemany and batches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from .. import errors as e
from ..abc import Params
from ..isolation import TransactionCharacteristics
from ..packed_rows import Frame
from ..pq import TransactionStatus
from ..protocol import frontend as f
from ..protocol.collector import Collector
from ..protocol.frontend import Encoded, FrontendMessage
from ..protocol.result import Result
from .requests import Flow
from .series import extended, refuse_copy, series
from .session import COMMIT, STATEMENT_AT_STAKE, UNDO, Session
from .transport import Query, Tally

if TYPE_CHECKING:
    from ..packed_rows import PackFunc
    from ..query import PackedParams

#: Statements are sent in pieces of this size, in bytes.
_SEND_SIZE = 1 << 17


def executemany(
    session: Session, query: Query, params: Iterable[Params], *, returning: bool, binary: bool, prepare: bool
) -> Flow[list[Result] | Tally]:
    """See `Transport.executemany`.

    Unless a transaction is open, the server makes one of all that comes before Sync (PostgreSQL docs 53.2.4).
    """
    own = session.undo = session.autocommit and session.transaction_status is TransactionStatus.IDLE
    opening = session.opening()
    collector = Collector(query.query, keep=returning, codec=session.machine.codec)
    session.stake = STATEMENT_AT_STAKE[own]
    names: set[bytes] = set()
    try:
        rest = yield from _send_many(session, query, params, returning, binary, prepare, names, collector)
        if not rest and not session.busy:
            return [] if returning else Tally(0, "")
        yield from session.write(_encode(session, *rest, f.Sync()))
        yield from session.drain(collector)
        yield from session.settle(collector)
    except BaseException as error:
        session.prepared.distrust(names)
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
    session: Session,
    query: Query,
    params: Iterable[Params],
    returning: bool,
    binary: bool,
    prepare: bool,
    names: set[bytes],
    collector: Collector,
) -> Flow[list[FrontendMessage | Encoded]]:
    """Send a Bind and Execute for each of `params`, in large pieces, but for the last piece, which it returns.

    `names` takes those of the prepared statements. The first parameters are dumped in the plain way, and so are those
    that cannot be packed; where many need the same dumpers, they are packed.
    """
    messages: list[FrontendMessage | Encoded] = []
    parsed: tuple[bytes, tuple[int, ...]] | None = None
    name = b""
    size = 0
    result_formats = (int(binary),)
    following: tuple[FrontendMessage, ...] = (*([f.DescribePortal(b"")] if returning else []), f.Execute(b""))
    kinds = (f.Bind, *map(type, following))
    pack: PackFunc | None = None
    packed: list[bytes] = []  # these come after the messages
    packers: dict[tuple[bytes, PackedParams], PackFunc] = {}
    for each in params:
        data = None if pack is None else pack(each)
        if data is None:
            if packed:
                messages.append(Encoded(kinds, packed))
                packed = []
            pack = None  # it may be for a statement that is replaced now
            like = None if parsed is None else query.pack(each)
            if like is None:
                query.dump(each)
            # Types depend on the values; and with a client-side cursor, so does the text.
            if parsed is None or parsed != (query.query, query.types):
                refuse_copy(query)
                parsed = query.query, query.types
                collector.query = query.query
                name, known = session.prepared.choose(query, prepare)
                names.add(name)
                if not known:
                    messages.append(f.Parse(name, query.query, query.types))
                    size += len(query.query)
            if like is not None:
                pack = packers.get((name, like))
                if pack is None:
                    bind = f.Bind(b"", name, (), like.formats, result_formats)
                    pack = packers[name, like] = like.packer(_frame(bind, following))
                data = pack(each)
                if data is None:
                    query.dump(each)
        if data is None:
            values = query.bound
            messages += (f.Bind(b"", name, values, query.formats or (), result_formats), *following)
            size += 64 + sum([len(value) for value in values if value is not None])
        else:
            packed.append(data)
            size += len(data)
        if size > _SEND_SIZE:
            size = 0
            if packed:
                messages.append(Encoded(kinds, packed))
                packed = []
            yield from session.write(_encode(session, *messages))
            messages.clear()
            yield from session.take_arrived(collector)
            if collector.error is not None:
                break
    if packed:
        messages.append(Encoded(kinds, packed))
    return messages


def _frame(bind: f.Bind, following: Sequence[FrontendMessage]) -> Frame:
    """What is around the packed parameters in the messages of one execution."""
    rest = bind.after_values()
    return Frame(bind.before_values(), rest + b"".join([message.encode() for message in following]), b"B", len(rest))


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
