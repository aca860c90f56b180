"""Pipeline mode: statements are sent without waiting for the results of those before (libpq's pipeline mode).

The server runs what it gets up to a Sync as one transaction unless told otherwise; after an error it ignores the rest
of it (PostgreSQL docs 53.2.3 and 53.2.4).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from copy import copy
from typing import TYPE_CHECKING

from .. import errors as e
from ..abc import Params
from ..pq import TransactionStatus
from ..protocol import backend as b
from ..protocol import frontend as f
from ..protocol.backend import BackendMessage
from ..protocol.collector import Collector
from ..protocol.frontend import FrontendMessage
from ..protocol.result import Result
from ..query import PostgresQuery
from .requests import Flow
from .series import extended, refuse_copy, series
from .stake import AT_ONCE_TAGS, Stake, commits_at_once, leaves_transaction
from .transport import Deliver

if TYPE_CHECKING:
    from .session import Session

#: So many bytes are collected before they are sent, unless results are wanted.
_SEND_SIZE = 1 << 15


class _Entry:
    """A statement whose answer is due.

    Args:
        statement: what was sent.
        collector: takes what answers it.
        deliver: takes its results.
        failed: called with its error.
    """

    def __init__(
        self, statement: bytes, collector: Collector, deliver: Deliver, failed: Callable[[e.Error], None]
    ) -> None:
        self.statement = statement
        self.collector = collector
        self.deliver = deliver
        self.failed = failed


class Pipeline:
    """What was sent and is not answered yet, in order. Its methods are flows.

    Attributes:
        depth: how many blocks are nested.
        aborted: the server ignores what it gets, up to the next Sync.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._queue: deque[_Entry | None] = deque()  # None is a Sync
        self._begun = False  # a BEGIN was sent since the last Sync
        self._left = False  # a statement has ended the transaction since, and what came behind it is another one
        self._error: Exception | None = None  # the first of the statements that were answered
        self.depth = 0
        self.aborted = False

    # Sending

    def execute(
        self, query: PostgresQuery, *, binary: bool, deliver: Deliver, prepare: bool | None = False
    ) -> Flow[None]:
        """Send a statement; `deliver` gets its results when they have come, or none if it has failed."""
        session = self._session
        refuse_copy(query)
        opening = session.opening()
        name, known = session.prepared.choose(query, prepare)
        if not name:
            session.prepared.count(query)

        def failed(error: e.Error) -> None:
            session.prepared.failed(query, name, known, error.sqlstate)
            deliver([])

        messages = extended(query, session.prepared.result_formats(query, name, binary), name, known)
        collector = Collector(query.shown, codec=session.machine.codec)
        yield from self._add(opening, messages, _Entry(query.query, collector, deliver, failed))
        session.prepared.trim()

    def executemany(
        self, query: PostgresQuery, params: Iterable[Params], *, binary: bool, prepare: bool, deliver: Deliver
    ) -> Flow[int]:
        """Send a statement with each of `params`; `deliver` gets all results once the last has come.

        Returns:
            how often it was sent.
        """
        results: list[Result] = []
        answers = count = 0
        all_sent = False

        def arrived(more: list[Result]) -> None:
            nonlocal answers
            results.extend(more)
            answers += 1
            if all_sent and answers == count:
                deliver(results)

        queries = self._dumped(query, params)
        if self._session.autocommit and not self.in_transaction:
            self._session.undo = True
            queries = [copy(each) for each in queries]  # all of them before one is sent: what is sent takes effect
        for each in queries:
            yield from self.execute(each, binary=binary, deliver=arrived, prepare=prepare)
            count += 1
        all_sent = True
        if count and answers == count:
            deliver(results)
        return count

    @staticmethod
    def _dumped(query: PostgresQuery, params: Iterable[Params]) -> Iterable[PostgresQuery]:
        """The same query with each of the parameters."""
        for each in params:
            query.dump(each)
            yield query

    def command(self, statement: bytes) -> Flow[None]:
        """Send a statement of the driver's own."""
        yield from self._add([], series([statement]), _own_entry(statement))

    def _add(self, opening: list[bytes], messages: tuple[FrontendMessage, ...], entry: _Entry) -> Flow[None]:
        session = self._session
        session.hold(series(opening), messages)
        self._begun = self._begun or bool(opening)
        self._queue.extend(map(_own_entry, opening))
        self._queue.append(entry)
        if len(session.before_send) > _SEND_SIZE:
            if session.stake is Stake.NOTHING:
                session.stake = Stake.TRANSACTION  # before a Sync only a COMMIT makes anything last
            yield from session.send()
            yield from session.poll()
            yield from self._take_arrived()

    # Receiving

    def sync(self) -> Flow[None]:
        """Send a Sync and have all results delivered.

        Raises:
            Error: the first error of the statements.
        """
        if not self._session.machine.needs_sync and not self._queue:
            yield from self._raise_error()
            return
        if self._session.stake is not Stake.COMMIT:
            self._session.stake = Stake.of(not self.in_transaction)
        yield from self._session.send(f.Sync())
        self._queue.append(None)
        yield from self._receive_all()
        self._session.idle()
        yield from self._raise_error()

    def receive(self) -> Flow[None]:
        """Have the results of what was sent so far delivered. Raises what `sync` raises."""
        if self._queue and not self.aborted:
            self._session.stake = Stake.of(not self.in_transaction)
            yield from self._session.send(f.Flush())
        yield from self._receive_all()
        yield from self._raise_error()

    def forget(self) -> None:
        """Everything was answered in another way, after an interruption: deliver nothing."""
        while self._queue:
            entry = self._queue.popleft()
            if entry is not None:
                entry.deliver([])
        self._error = None
        self.aborted = self._begun = self._left = False

    def _raise_error(self) -> Flow[None]:
        error, self._error = self._error, None
        if error is not None:
            raise error
        yield from ()

    def _receive_all(self) -> Flow[None]:
        session = self._session
        while self._queue:
            if self.aborted and self._queue[0] is not None:
                self._fail(self._queue.popleft(), e.PipelineAborted("pipeline aborted"))
                continue
            yield from self._take((yield from session.next_event()))

    def _take_arrived(self) -> Flow[None]:
        """Take what is there already, so that it does not pile up."""
        session = self._session
        while True:
            while (event := session.arrived_event()) is not None:
                yield from self._take(event)
            if not session.send_failed or session.on_login is not None:
                return
            yield from session.receive()  # the end: what comes behind must not be sent

    def _take(self, event: BackendMessage) -> Flow[None]:
        collector = self._handle(event)
        if collector is not None and collector.fatal:
            yield from self._session.end(collector)

    def _handle(self, event: BackendMessage) -> Collector | None:
        """Take a message; gives the collector of the statement that it belongs to."""
        while self.aborted and self._queue and self._queue[0] is not None:
            self._fail(self._queue.popleft(), e.PipelineAborted("pipeline aborted"))
        entry = self._queue[0] if self._queue else None
        if isinstance(event, b.ReadyForQuery):
            self._queue.popleft()
            self.aborted = self._begun = self._left = False
            return None
        if entry is None:  # an error at the end of the transaction (a deferred constraint), or of the session
            entry = _own_entry(b"")
            entry.collector.handle(event)
            self._fail(entry, entry.collector.error)
            return entry.collector
        entry.collector.handle(event)
        if entry.collector.error is not None:
            self._queue.popleft()
            self._session.at_stake = (entry.statement,)
            self._heed(entry)
            self.aborted = True
            self._fail(entry, entry.collector.error)
        elif entry.collector.results:
            self._queue.popleft()
            tag = entry.collector.results[-1].command_tag
            if tag in AT_ONCE_TAGS:
                self._heed(entry)
            elif tag == "ROLLBACK":
                self._left = self._left or leaves_transaction(self._text(entry))
            try:
                entry.deliver(entry.collector.results)
            except Exception as error:  # such as of a row factory, which is no reason not to read on
                self._error = self._error or error
        return entry.collector

    def _fail(self, entry: _Entry | None, error: e.Error | None) -> None:
        if entry is not None and error is not None:
            self._error = self._error or error
            entry.failed(error)

    def _heed(self, entry: _Entry) -> None:
        """Take note of a statement that can have committed something before the Sync."""
        if not self.in_transaction and commits_at_once(self._text(entry)):
            self._session.committed = True

    def _text(self, entry: _Entry) -> str:
        return entry.statement.decode(self._session.machine.codec, "replace")

    @property
    def unanswered(self) -> list[bytes]:
        """The statements whose answers are due."""
        return [entry.statement for entry in self._queue if entry is not None]

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open that a COMMIT would end."""
        session = self._session
        # Before the login is complete the server has said nothing of a transaction, and there is none.
        open_before = session.on_login is None and session.machine.transaction_status is not TransactionStatus.IDLE
        return not self._left and (self._begun or open_before)


def _own_entry(statement: bytes) -> _Entry:
    """The entry of a statement of the driver's own."""
    return _Entry(statement, Collector(), lambda results: None, lambda error: None)
