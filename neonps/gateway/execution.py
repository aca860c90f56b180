"""Runs what a request of SQL over HTTP asks for, in a session that is there for it alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import NamedTuple

from ..errors import Error
from ..flows.channel import Channel
from ..flows.requests import Flow
from ..flows.session import Session
from ..protocol import frontend as f
from ..protocol.backend import BackendMessage, CommandComplete, CopyInResponse, DataRows, RowDescription
from ..protocol.collector import Collector
from ..protocol.result import Result
from .http import HTTPError
from .sqlhttp import Batch, bad_request, no_answer, too_large, unknown_types
from .values import ARRAY_TYPES, ARRAY_TYPES_QUERY, ArrayTypes

#: What is said of a column beside its name, in bytes.
_COLUMN = 120

#: What a statement is answered with beside that, and all of them together, in bytes: messages, and notices.
_STATEMENT, _BATCH = 100, 1 << 20

#: Is told how large results have become, in bytes, and whether a statement has committed; may raise an HTTPError.
Grow = Callable[[int, bool], None]

#: The tags of what makes something of a transaction last, before the end of the batch.
_LASTING = frozenset({"COMMIT", "PREPARE TRANSACTION"})


def most_received(batch: Batch, max_size: int) -> int:
    """How much a session may send in answer to a batch, whatever it is, in bytes."""
    return 2 * max_size + _STATEMENT * len(batch.statements) + _BATCH


class BoundedChannel(Channel):
    """The stream of a session that may not say more than so much.

    Args:
        limit: how much that is, in bytes.
        beyond: makes the error for more.
    """

    def __init__(self, limit: int, beyond: Callable[[], HTTPError]) -> None:
        super().__init__()
        self._left = limit
        self._beyond = beyond

    def receive(self) -> Flow[bytes]:
        """As `Channel.receive()`.

        Raises:
            HTTPError: it has said more.
        """
        data = yield from super().receive()
        self._left -= len(data)
        if self._left < 0:
            raise self._beyond()
        return data


class BoundedCollector(Collector):
    """Takes results, but not more than fits into an answer.

    Args:
        max_size: how large the rows and the descriptions of columns may be all together, in bytes.
        grow: is told how large they are.

    Attributes:
        size: how large they are.
        committed: a statement has committed.
    """

    def __init__(self, max_size: int, grow: Grow) -> None:
        super().__init__()
        self._max_size = max_size
        self._grow = grow
        self.size = 0
        self.committed = False

    def handle(self, event: BackendMessage) -> None:
        """Take one event.

        Raises:
            HTTPError: they are too large.
        """
        if isinstance(event, DataRows):
            self.size += event.stop - event.start
        elif isinstance(event, RowDescription):
            self.size += sum(_COLUMN + len(field.name) for field in event.fields)
        elif isinstance(event, CommandComplete):
            self.committed = self.committed or event.tag in _LASTING
        if self.size > self._max_size:
            raise too_large(self._max_size)
        self._grow(self.size, self.committed)
        super().handle(event)


class Outcome(NamedTuple):
    """What a batch has brought.

    Attributes:
        results: one for each statement.
        array_types: the types in them that are arrays.
        size: how much they take, in bytes.
        committed: a statement has committed.
    """

    results: Sequence[Result]
    array_types: ArrayTypes
    size: int
    committed: bool


def run_batch(session: Session, batch: Batch, max_size: int, grow: Grow) -> Flow[Outcome]:
    """Run a batch. A transaction is left open: see `commit`. Until then the end of the session undoes it.

    Args:
        max_size: how large the rows and the descriptions of columns may be all together, in bytes.
        grow: is told how large they are.

    Raises:
        Error: a statement has failed; the rest was not run.
        HTTPError: the results are too large, or not such that they can be given.
    """
    session.channel = BoundedChannel(most_received(batch, max_size), partial(too_large, max_size))
    collector = BoundedCollector(max_size, grow)
    messages: list[f.FrontendMessage] = []
    if batch.transaction is not None:
        messages += (f.Parse(b"", batch.transaction.begin), f.Bind(b"", b""), f.Execute(b""))
    for query, params, _ in batch.statements:
        messages += (
            f.Parse(b"", query),
            f.Bind(b"", b"", params),
            f.DescribePortal(b""),
            f.Execute(b""),
        )
    yield from exchange(session, collector, *messages, f.Sync(), copied=partial(no_answer, batch))
    results = collector.results
    if batch.transaction is not None:
        del results[0]
    array_types = ARRAY_TYPES
    if not batch.raw and (oids := unknown_types(results)):
        try:
            array_types = {**ARRAY_TYPES, **(yield from ask_array_types(session, oids))}
        except Error as error:
            if batch.transaction is not None:
                raise
            raise no_answer(batch, str(error)) from None
    return Outcome(results, array_types, collector.size + _STATEMENT * len(results), collector.committed)


def commit(session: Session, batch: Batch) -> Flow[None]:
    """Commit the transaction of a batch, if it has one, now that the answer to it is there.

    Raises:
        Error: it cannot be committed.
        HTTPError: it is unknown whether it is, since more is said in answer than is listened to.
    """
    if batch.transaction is not None:
        session.channel = BoundedChannel(_BATCH, unknown_commit)
        yield from exchange(session, Collector(), f.Query(b"COMMIT"))


def unknown_commit() -> HTTPError:
    """The error when Postgres says so much in answer to COMMIT, by triggers, that its end is not waited for."""
    return HTTPError(502, {"msg": "Postgres has said too much in answer to COMMIT"})


def ask_array_types(session: Session, oids: Iterable[int]) -> Flow[ArrayTypes]:
    """Which of these types are arrays."""
    collector = Collector()
    yield from exchange(
        session,
        collector,
        f.Parse(b"", ARRAY_TYPES_QUERY),
        f.Bind(b"", b"", [f"{{{','.join(map(str, oids))}}}".encode()]),
        f.DescribePortal(b""),
        f.Execute(b""),
        f.Sync(),
    )
    rows = [[str(value or b"", "ascii") for value in row] for row in collector.results[0].rows()]
    return {int(oid): (int(element), delimiter) for oid, element, delimiter in rows}


def exchange(
    session: Session,
    collector: Collector,
    *messages: f.FrontendMessage,
    copied: Callable[[str], HTTPError] = bad_request,
) -> Flow[None]:
    """Send messages, and have `collector` take what answers them.

    Args:
        copied: what is answered when a COPY has run to its end that sends data.

    Raises:
        Error: the server has answered by an error.
        HTTPError: it wants to COPY, which takes more than a request and an answer.
    """
    yield from session.send(*messages)
    yield from session.drain(collector)
    if collector.copy is not None:
        yield from session.abandon("COPY is not possible over HTTP")
        ran = not isinstance(collector.copy, CopyInResponse) and collector.error is None
        raise (copied if ran else bad_request)("COPY is not possible over HTTP")
    if collector.error is not None:
        raise collector.error
