"""A session with a Postgres server, over whatever stream: transactions, queries, COPY, notifications."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from .. import errors as e
from ..abc import Params
from ..escaping import quote_identifier
from ..events import DEBUG, WARNING
from ..isolation import TransactionCharacteristics
from ..pq import PipelineStatus, TransactionStatus
from ..protocol import backend as b
from ..protocol import frontend as f
from ..protocol.backend import BackendMessage, ProtocolError
from ..protocol.collector import Collector, is_fatal
from ..protocol.frontend import Encoded, FrontendMessage
from ..protocol.result import Result
from ..protocol.session import COPYING_IN, State, StateMachine
from ..protocol.websocket_end import WebSocketClosed
from ..settings import Settings
from .channel import LOOKS, Channel
from .interruption import guarded, interrupt
from .requests import Deadline, DeadlinePassed, Flow, NotSilent
from .series import NO_COPY, TEXT, extended, series
from .stake import UNDONE, Stake, commits_at_once, commits_midway, leaves_transaction, may_commit
from .transport import Deliver, Query, Tally, Transport

if TYPE_CHECKING:
    from .pipeline import Pipeline

#: How long the farewell of a session may take, in seconds.
_FAREWELL = 5.0

_ROLLBACK = b"ROLLBACK"
COMMIT = b"COMMIT"

#: The tags of what makes something last, whatever comes behind it.
_LASTING = frozenset({"COMMIT", "PREPARE TRANSACTION", "COMMIT PREPARED", "ROLLBACK PREPARED"})


class Session(Transport):
    """A session that has sent its start-up packet. See `neonps.flows.connect.open_session`.

    BEGIN and SAVEPOINT are not sent on their own: they wait in `prefix` and travel with the next statement, in
    front of it and in the same series of extended-query messages, so that the statement is not run should they fail.
    """

    def __init__(self, settings: Settings, name: str, channel: Channel, machine: StateMachine) -> None:
        super().__init__(settings)
        self.name = name
        self.request_id = channel.request_id
        self.channel = channel
        self.machine = machine
        self.canceller: Callable[[int, bytes], Flow[None]] | None = None  # cancels the session that has pid and key
        self.before_send: bytes = b""  # a message that was held back, to travel with the next ones
        self.on_login: Callable[[BackendMessage], Flow[bool]] | None = None  # until the login is complete
        self.prefix: list[bytes] = []
        self.waiting = False  # interrupted here, the session can go on: all is sent, nothing is half-read
        self.parsing = False  # interrupted here, a message can be taken and not taken note of
        self.busy = False  # something was sent and is not answered yet
        self.occupied: object | None = None  # what lasts over several calls of the user: a COPY, a stream of rows
        self.in_block = False  # between `enter_block` and `leave_block` of a transaction
        self.block_failed = False  # that transaction is no more, since it could not even begin
        self.own = False  # the transaction is one of that call, and must not outlive it
        self.undo = False  # a Sync would commit what was sent since the last one, which must not happen
        self.cut_short = False  # the transaction has failed since a COPY or a stream in it was left early
        self.stopped = False
        self.unsent = False  # nothing of the last exchange was sent, since the connection had ended before
        self._send_error: Exception | None = None
        self.pipeline: Pipeline | None = None  # statements are not waited for
        self.closing: list[FrontendMessage] = []  # what the server may forget, to travel with the next statement
        self.limit: float | None = None  # how long the call may take, in seconds
        self._closing_told = 0  # how many of them are in what was encoded last
        self.stake = Stake.NOTHING
        self.at_stake: Sequence[bytes] = ()  # the statements that the call has sent
        self._done = False  # since the last ReadyForQuery a statement has ended, well and not with a ROLLBACK

    # What the server has told

    @property
    def transaction_status(self) -> TransactionStatus:
        if self.closed:
            return TransactionStatus.UNKNOWN
        if self.prefix:
            return TransactionStatus.INTRANS
        if self.busy or self.machine.needs_sync:
            # Also when all is answered but for a Sync that was not sent yet.
            return TransactionStatus.ACTIVE
        return TransactionStatus.IDLE if self.on_login is not None else self.machine.transaction_status

    def parameter_status(self, name: str) -> str | None:
        return self.machine.parameters.get(name)

    def log(self, level: int, event: str, **fields: str | float | None) -> None:
        super().log(level, event, backend_pid=self.machine.backend_pid or None, **fields)

    # Sending and receiving

    def send(self, *messages: FrontendMessage | Encoded) -> Flow[None]:
        """Send messages, after whatever was held back.

        Raises:
            ProgrammingError, DataError: a message cannot be encoded; nothing was sent.
        """
        yield from self.write(self.encode(*messages))

    def encode(self, *messages: FrontendMessage | Encoded) -> bytes:
        """The bytes of messages, which have to be sent next. Raises what `send` raises."""
        self.waiting = False  # until the machine is not ahead of what was sent any more
        try:
            return self.machine.send(*messages)
        except f.MessageTooLong as error:
            raise e.ProgrammingError(str(error)) from None
        except ValueError as error:
            raise e.DataError(str(error)) from None

    def opening(self, begin: bool = True) -> list[bytes]:
        """What has to go in front of the next statement, in the same series.

        Args:
            begin: the statement is a reason to begin a transaction.

        Raises:
            OperationalError, InFailedSqlTransaction: there can be no next statement now.
        """
        self._check_ready()
        if begin and not (self.prefix or self.autocommit) and self.transaction_status is TransactionStatus.IDLE:
            return [self.characteristics.begin]
        return self.prefix

    def _open_statement(self, statement: bytes, begin: bool = True) -> int:
        """How many statements go in front of the next one; take note of what is at stake with it."""
        opening = len(self.opening(begin))
        self.stake = Stake.of(not opening and self.transaction_status is TransactionStatus.IDLE)
        self.at_stake = (statement,)
        return opening

    def encode_opened(self, *messages: FrontendMessage | Encoded, begin: bool = True) -> bytes:
        """Encode `messages` after what has to go in front; only if that succeeds it counts as sent."""
        data = self.encode(*self._closing(), *series(self.opening(begin)), *messages)
        self.prefix = []
        self._closed_now()
        return data

    def hold(self, opening: Sequence[FrontendMessage], messages: Sequence[FrontendMessage]) -> None:
        """Encode messages that are to be sent with the next ones; `opening` is that of the next statement."""
        self.before_send += self.encode(*self._closing(), *opening, *messages)
        self.prefix = []
        self._closed_now()

    def _closing(self) -> list[FrontendMessage]:
        """The prepared statements and cursors that the server can forget now. That never fails."""
        self._closing_told = len(self.closing)
        return [*self.closing, *map(f.CloseStatement, self.prepared.discarded)]

    def _closed_now(self) -> None:
        del self.closing[: self._closing_told]  # a cursor that is garbage can have added another meanwhile
        self.prepared.discarded.clear()

    def write(self, data: bytes) -> Flow[None]:
        """Send encoded messages, after whatever was held back."""
        held, self.before_send = self.before_send, b""
        first = not self.busy
        if first:
            self.channel.unanswered = 0
        self.busy = True
        self.waiting = False
        if self._send_error is None:  # nothing goes out behind what did not
            try:
                yield from self._send(held + data, idle=first and self.on_login is None)
            except (OSError, WebSocketClosed) as error:
                self._send_error = error  # what the server said last, if anything, tells more: see `receive`
        self.waiting = True

    def _send(self, data: bytes, idle: bool) -> Flow[None]:
        try:
            yield from self.channel.send(data, idle=idle)
        except NotSilent:
            yield from self._check_line()
            yield from self.channel.send(data)

    def _check_line(self) -> Flow[None]:
        """Take what has arrived while the connection was idle, and look whether it has ended.

        Raises:
            OperationalError: it has, or the server has ended the session.
        """
        reason = ""
        try:
            for _ in range(LOOKS):
                data = yield from self.channel.poll()
                if data is None:
                    return
                if not data:
                    break
                self.machine.receive(data)
            else:
                return
        except OSError as error:
            reason = str(error)
        self.unsent = True
        idle = self.machine.transaction_status is TransactionStatus.IDLE
        self.stake = Stake.NOTHING if idle else Stake.TRANSACTION
        collector = Collector()
        while (event := self.machine.next_event()) is not None:
            if type(event) in _ASIDE:
                _ASIDE[type(event)](self, event)
            elif isinstance(event, b.ErrorResponse):
                collector.handle(event)
        if collector.fatal:
            yield from self.end(collector)
        yield from self._lose(reason)

    def receive(self) -> Flow[None]:
        """Wait for more bytes of the server.

        Raises:
            OperationalError: the connection is lost.
        """
        reason = ""
        try:
            data = yield from self.channel.receive()
        except OSError as error:
            data, reason = b"", str(error)
        if not data:
            yield from self._lose(reason)
        self.machine.receive(data)

    def _lose(self, reason: str) -> Flow[None]:
        """Give up a connection that has ended, and raise the error for that."""
        if self.closed:
            yield from self.channel.close()
            self.log(DEBUG, "closed")
            raise self.lost("the connection was closed by another thread or task while this one was waiting")
        reason = reason if self.channel.end is None else str(self.channel.end)
        reason = reason or (str(self._send_error) if self._send_error else "")
        message = "server closed the connection unexpectedly" + (f": {reason}" if reason else "")
        yield from self.abandon(message)
        raise self.lost(message)

    def next_event(self) -> Flow[BackendMessage]:
        """The next message of the server that is not dealt with here."""
        while True:
            event = self._event_here()
            if event is None:
                yield from self.receive()
            elif self.on_login is None or not (yield from self.on_login(event)):
                return event

    def _event_here(self) -> BackendMessage | None:
        """The next message that has arrived and is not dealt with here; None if there is none."""
        while True:
            self.parsing = True
            event = self.machine.next_event()
            self.parsing = False
            if event is None or type(event) not in _ASIDE:
                break
            _ASIDE[type(event)](self, event)
        if type(event) is b.CommandComplete:
            self.prepared.heed(event.tag)
            self._done = event.tag != "ROLLBACK"
            self.committed = self.committed or event.tag in _LASTING
        elif type(event) is b.ErrorResponse:
            self._done = False
        elif type(event) is b.ReadyForQuery:
            status = self.machine.transaction_status
            self.committed = self.committed or (self._done and status is TransactionStatus.IDLE)
            self.cut_short = self.cut_short and status is TransactionStatus.INERROR
            self._done = False
        return event

    def drain(self, collector: Collector, *, stop_at_copy: bool = False) -> Flow[None]:
        """Give `collector` all that answers what was sent, up to the last ReadyForQuery, or until data can be copied.

        Args:
            collector: what takes the answers.
            stop_at_copy: stop where a COPY begins to send data too, not only where it begins to take data.

        Raises:
            OperationalError: the connection is lost, or the server ended it.
        """
        machine = self.machine
        while True:
            if collector.fatal:
                yield from self.end(collector)
            if collector.copy and (stop_at_copy or machine.state in COPYING_IN):
                return
            if machine.needs_sync:  # the opening has failed, so that the server has skipped the query behind it
                yield from self.send(f.Sync())
            if machine.state is State.IDLE:
                break
            self._hand_over((yield from self.next_event()), collector)
        self.busy = False

    def _hand_over(self, event: BackendMessage, collector: Collector) -> None:
        """Give `collector` an event, and where it only counts, all at once those after it that are the same."""
        collector.handle(event)
        if not collector.keep and type(event) is b.CommandComplete:
            collector.repeat(self.machine.take_repeated(event.tag))

    def end(self, collector: Collector) -> Flow[None]:
        """Raise the error with which the server has ended the session."""
        error = collector.error
        assert error is not None
        if is_fatal(error._fields) and error.sqlstate not in UNDONE:  # somebody in between may have lost the server
            self.loss.tell(error)
        yield from self.abandon(f"the server has ended the session: {type(error).__name__}, SQLSTATE {error.sqlstate}")
        raise error

    def abandon(self, reason: str) -> Flow[None]:
        """Close the connection since it cannot be used any more; `reason` is for the log, and quotes no value."""
        self.give_up(reason)
        yield from self.channel.close()

    def give_up(self, reason: str) -> None:
        if not self.closed:
            self.closed = self.broken = True
            self.occupied = None
            self.log(WARNING, "connection lost", reason=reason)

    @property
    def in_stream(self) -> bool:
        from .stream import RowStream

        return isinstance(self.occupied, RowStream) and not self.closed

    @property
    def loss(self) -> Stake:
        """What the loss of the connection means now."""
        if self.unsent:
            return Stake.EFFECT if self.committed else self.stake
        if self.stake.unknown:
            return self.stake
        if self.may_have_committed or self._leaves_transaction:
            return Stake.EFFECT
        if self.stake is Stake.TRANSACTION and self._any_at_stake(may_commit):
            return Stake.COMMIT
        return self.stake

    @property
    def may_have_committed(self) -> bool:
        """Whether what the call has sent may have made something last although it has failed."""
        if self.committed or self.unsent:
            return self.committed
        if self.stake is Stake.EFFECT:
            return self._any_at_stake(commits_midway)
        if self.stake is not Stake.TRANSACTION:
            return False
        if self.pipeline is None:
            return self._leaves_transaction and self._any_at_stake(commits_midway)
        # Before its Sync only what does not wait for that.
        return (self._leaves_transaction or not self.pipeline.in_transaction) and self._any_at_stake(commits_at_once)

    @property
    def _leaves_transaction(self) -> bool:
        """Whether of the statements that were sent one ends the transaction, so that those behind it are another."""
        return self.stake is Stake.TRANSACTION and any(map(leaves_transaction, self._texts_at_stake[:-1]))

    def _any_at_stake(self, can: Callable[[str], bool]) -> bool:
        return any(map(can, self._texts_at_stake))

    @property
    def _texts_at_stake(self) -> list[str]:
        unanswered = [] if self.pipeline is None else self.pipeline.unanswered
        return [statement.decode(self.machine.codec, "replace") for statement in (*self.at_stake, *unanswered)]

    def lost(self, message: str) -> e.OperationalError:
        """The error for a call in which the connection is lost."""
        error = e.OperationalError(message)
        self.loss.tell(error)
        return error

    def _exchange(self, data: bytes, collector: Collector) -> Flow[None]:
        """Send encoded messages and read to the end of what answers them.

        Raises:
            Error: the first error that the server has answered.
        """
        yield from self.write(data)
        yield from self.drain(collector)
        yield from self.settle(collector)

    def idle(self) -> None:
        """Take note that all that was sent is answered."""
        self.busy = False

    def settle(self, collector: Collector) -> Flow[None]:
        """Refuse a COPY where none was asked for, and raise the error if there was one."""
        if collector.copy is not None:
            if self.machine.state in COPYING_IN:
                yield from self.send(f.CopyFail(b"COPY cannot be used with this method"), f.Sync())
                yield from self.drain(Collector())
            raise e.ProgrammingError(NO_COPY)
        if collector.error is not None:
            raise collector.error

    def guard(self, flow: Flow[Any], timeout: float | None) -> Flow[Any]:
        return guarded(self, flow, timeout)

    # Queries

    def session(self, feature: str) -> Session:
        return self

    def execute(
        self, query: Query, *, binary: bool, deliver: Deliver, prepare: bool | None = False
    ) -> Flow[list[Result] | None]:
        if self.pipeline is not None:
            yield from self.pipeline.execute(query, binary=binary, deliver=deliver, prepare=prepare)
            return None
        opening = self._open_statement(query.query)
        name, known = self.prepared.choose(query, prepare)
        messages: tuple[FrontendMessage, ...]
        if query.bound or binary or name:
            formats = self.prepared.result_formats(query, name, binary)
            messages = (*extended(query, formats, name, known), f.Sync())
        else:
            messages = (f.Query(query.query),)  # takes several statements at once
        collector = Collector(query.shown, codec=self.machine.codec)
        try:
            yield from self._exchange(self.encode_opened(*messages), collector)
        except BaseException as error:
            self.prepared.failed(query, name, known, getattr(error, "sqlstate", None))
            raise
        collector.drop(opening)
        self.prepared.succeeded(query, name, collector.results)
        return collector.results

    def run_plainly(self, query: bytes, params: Sequence[bytes | None] | None = None) -> Flow[Result]:
        """Run a statement as it is, which is no reason to begin a transaction, and give what it brings, errors too."""
        yield from self.sync_pipeline()
        collector = Collector(query, codec=self.machine.codec)
        messages: tuple[FrontendMessage, ...] = (f.Query(query),)
        if params is not None:
            portal = (f.Bind(b"", b"", params), f.DescribePortal(b""), f.Execute(b""))
            messages = (f.Parse(b"", query), *portal, f.Sync())
        self._open_statement(query, begin=False)
        data = self.encode_opened(*messages, begin=False)
        try:
            yield from self._exchange(data, collector)
        except e.Error as error:
            if isinstance(error.pgresult, Result):
                return error.pgresult
            raise
        return collector.results[-1]

    def start_stream(self, query: Query, binary: bool) -> Flow[int]:
        """Send a statement whose answers are to be read by the caller; gives the number of results before its own."""
        if self.pipeline is not None:
            raise e.ProgrammingError("stream() cannot be used in pipeline mode")
        opening = self._open_statement(query.query)
        yield from self.write(self.encode_opened(*extended(query, (int(binary),)), f.Sync()))
        return opening

    def finish(self, collector: Collector) -> Flow[None]:
        """Read to the end of what was sent. Raises the error, if there was one."""
        yield from self.drain(collector)
        yield from self.settle(collector)

    def declare_cursor(self, name: str, query: Query) -> Flow[Result]:
        """Run a DECLARE, and ask in the same round trip which columns the cursor has; gives a result without rows."""
        if self.pipeline is not None:
            raise e.NotSupportedError("server-side cursors not supported in pipeline mode")
        opening = self._open_statement(query.query)  # WITH HOLD it can be a transaction of its own
        collector = Collector(query.shown, codec=self.machine.codec)
        messages = (*extended(query, TEXT), f.DescribePortal(name.encode()), f.Sync())
        yield from self._exchange(self.encode_opened(*messages), collector)
        result = collector.results[opening]
        result.fields = collector.fields
        return result

    def use_cursor(self, query: Query, result_formats: Sequence[int]) -> Flow[Result]:
        """Run a FETCH or a MOVE, which is no reason to begin a transaction."""
        if self.pipeline is not None:
            raise e.NotSupportedError("server-side cursors not supported in pipeline mode")
        opening = len(self.opening(begin=False))
        open_now = self.transaction_status is not TransactionStatus.IDLE
        self.stake, self.at_stake = Stake.TRANSACTION if open_now else Stake.NOTHING, ()
        collector = Collector(query.shown, codec=self.machine.codec)
        yield from self._exchange(
            self.encode_opened(*extended(query, result_formats), f.Sync(), begin=False), collector
        )
        return collector.results[opening]

    def become_quiet(self) -> Flow[None]:
        """Get to where the server has nothing to say but of its own accord."""
        self._check_ready()
        yield from self.receive_pending()
        if self.on_login is not None:
            yield from self._exchange(self.encode(f.Sync()), Collector())

    def wait_for_notifies(self) -> Flow[None]:
        """Wait until the server says something of its own accord; `on_notify` is told of notifications."""
        yield from self.receive()
        yield from self.take_arrived(Collector())

    # Pipelines

    @property
    def pipeline_status(self) -> PipelineStatus:
        if self.pipeline is None or self.closed:
            return PipelineStatus.OFF
        return PipelineStatus.ABORTED if self.pipeline.aborted else PipelineStatus.ON

    def enter_pipeline(self) -> Flow[None]:
        from .pipeline import Pipeline

        if self.pipeline is None:
            self._check_ready()
            self.pipeline = Pipeline(self)
        else:
            yield from self.pipeline.sync()
        self.pipeline.depth += 1

    def sync_pipeline(self) -> Flow[None]:
        if self.pipeline is not None:
            yield from self.pipeline.sync()

    def leave_pipeline(self, *, failed: bool) -> Flow[None]:
        pipeline = self.pipeline
        assert pipeline is not None
        pipeline.depth -= 1
        try:
            yield from pipeline.sync()
        finally:
            if pipeline.depth == 0:
                pipeline.forget()  # what was interrupted
                self.pipeline = None

    def receive_pending(self) -> Flow[None]:
        if self.pipeline is not None:
            yield from self.pipeline.receive()

    def start_copy(self, query: bytes, collector: Collector) -> Flow[None]:
        """Send a COPY statement and read until its data can flow; `collector.copy` is None if it is no COPY."""
        opening = self._open_statement(query)
        yield from self.write(self.encode_opened(f.Query(query)))
        yield from self.drain(collector, stop_at_copy=True)
        collector.drop(opening)

    def _check_ready(self) -> None:
        """Raise if a statement would get into the way of a COPY, or run outside of the transaction that it is for."""
        if self.occupied is not None:
            raise self._unfinished()
        if self.block_failed:
            raise e.InFailedSqlTransaction(
                "the transaction of this block has ended with an error, commands ignored until the end of the block"
            )

    def _unfinished(self) -> e.OperationalError:
        return e.OperationalError(
            f"another command is already in progress: {self.occupied} that has to be finished first"
        )

    def executemany(
        self, query: Query, params: Iterable[Params], *, returning: bool, binary: bool, prepare: bool, deliver: Deliver
    ) -> Flow[list[Result] | Tally | None]:
        self._check_ready()
        if self.pipeline is not None:
            taken: list[Result] = []
            if returning:  # these are waited for, as psycopg does
                deliver = taken.extend
            count = yield from self.pipeline.executemany(query, params, binary=binary, prepare=prepare, deliver=deliver)
            if returning:
                yield from self.pipeline.receive()
                return taken
            return None if count else Tally(0, "")
        from .bulk import executemany

        return (yield from executemany(self, query, params, returning=returning, binary=binary, prepare=prepare))

    def poll(self) -> Flow[None]:
        """Look whether something has arrived, without waiting for it."""
        if self.on_login is not None:
            return
        try:
            data = yield from self.channel.poll()
        except OSError as error:
            self._send_error = error  # `receive` will tell
            return
        self.machine.receive(data or b"")

    def arrived_event(self) -> BackendMessage | None:
        """What has arrived that answers a statement; None if nothing has, or the login is not complete."""
        return self._event_here() if self.on_login is None else None

    @property
    def send_failed(self) -> bool:
        """Whether something could not be sent, so that the connection has ended; `receive` tells why."""
        return self._send_error is not None

    def take_arrived(self, collector: Collector) -> Flow[None]:
        """Give `collector` what has arrived already, so that it does not pile up while much is sent.

        Raises:
            OperationalError: the server has ended the session.
        """
        yield from self.poll()
        while True:
            while (event := self.arrived_event()) is not None:
                self._hand_over(event, collector)
            if collector.fatal:
                yield from self.end(collector)
            if not self.send_failed or self.on_login is not None:
                return
            yield from self.receive()  # the server's last words, or the end: no need to write on to nobody

    def batch(self, queries: Sequence[Query], characteristics: TransactionCharacteristics) -> Flow[list[Result]]:
        self._check_ready()
        yield from self.sync_pipeline()
        from .bulk import batch

        return (yield from batch(self, queries, characteristics))

    # Transactions

    def command(self, *statements: bytes) -> Flow[None]:
        """Run statements of the driver's own."""
        self._check_ready()
        if self.pipeline is not None:
            for statement in statements:
                yield from self.pipeline.command(statement)
            yield from self.pipeline.sync()
            return
        data = self.encode(*self._closing(), *series(statements), f.Sync())
        self._closed_now()
        yield from self._exchange(data, Collector())

    def begin(self) -> Flow[None]:
        """Begin a transaction now; the server has to hear of it."""
        yield from self.command(self.characteristics.begin)

    def commit(self) -> Flow[None]:
        self._check_ready()
        if self._drop_prefix() or self.transaction_status is TransactionStatus.IDLE:
            return
        if self.transaction_status is TransactionStatus.INERROR:
            if self.cut_short:
                yield from self.rollback()
                raise e.InFailedSqlTransaction(
                    "the transaction was rolled back, since a stream of rows or a COPY in it was left before its end"
                )
            self.log(WARNING, "commit refused", outcome="rolled back")
        self.stake = Stake.COMMIT
        if self.pipeline is None:
            yield from self.command(COMMIT)
            return
        if self.pipeline.in_transaction:
            yield from self.pipeline.command(COMMIT)
        yield from self.pipeline.sync()

    def rollback(self) -> Flow[None]:
        if self.closed:
            return
        error = yield from self._end_pipeline()
        if not self._drop_prefix() and self.transaction_status is not TransactionStatus.IDLE:
            yield from self.command(_ROLLBACK)
        if error is not None:
            raise error

    def _end_pipeline(self) -> Flow[e.Error | None]:
        """Get the answers of a pipeline out of the way, before all of it is undone; gives the error, if any."""
        try:
            yield from self.sync_pipeline()
        except e.Error as error:
            if self.closed:
                raise
            return error
        return None

    def _drop_prefix(self) -> bool:
        """Forget a transaction of which the server has not heard yet; whether there was one."""
        unheard = bool(self.prefix) and self.machine.transaction_status is not TransactionStatus.INTRANS
        self.prefix = []
        return unheard

    def enter_block(self, savepoint: str) -> Flow[bool]:
        self._check_ready()
        yield from self.sync_pipeline()
        outer = self.transaction_status is TransactionStatus.IDLE
        statements = [b"SAVEPOINT " + quote_identifier(savepoint.encode())] if savepoint else []
        if self.transaction_status is TransactionStatus.INERROR:
            yield from self.command(*statements)  # fails, and that must be heard of now
        self.prefix += [self.characteristics.begin, *statements] if outer else statements
        self.in_block = self.in_block or outer
        return outer

    def leave_block(self, savepoint: str, *, outer: bool, rollback: bool) -> Flow[bool]:
        if self.occupied is None:
            return (yield from self._leave_block(savepoint, outer=outer, rollback=rollback))
        # A stream or a COPY must not keep the transaction of the block open.
        unfinished = self._unfinished()
        yield from interrupt(self)
        yield Deadline(self.limit)
        if self.closed:
            raise self.lost("the connection was closed, since a statement could not be cancelled")
        yield from self._leave_block(savepoint, outer=outer, rollback=True)
        if not rollback:
            raise unfinished
        return False

    def _leave_block(self, savepoint: str, *, outer: bool, rollback: bool) -> Flow[bool]:
        if outer:
            self.in_block = self.block_failed = False
            self.own = True
            if rollback:
                yield from self.rollback()
                return False
            failed = self.transaction_status is TransactionStatus.INERROR
            try:
                yield from self.commit()
            except e.Error:
                if not self.closed:
                    yield from self.rollback()  # a pipeline has failed, so that there was no COMMIT
                raise
            return not failed
        name = quote_identifier(savepoint.encode())
        error = None
        if rollback:
            error = yield from self._end_pipeline()
        elif self.pipeline is not None:
            try:
                yield from self.pipeline.sync()
            except e.Error:
                if not self.closed:
                    yield from self.command(b"ROLLBACK TO SAVEPOINT " + name, b"RELEASE SAVEPOINT " + name)
                raise
        if self.prefix:
            self.prefix.pop()  # nothing was sent since the savepoint was to be set
            return not rollback
        undo = [b"ROLLBACK TO SAVEPOINT " + name] if rollback else []
        yield from self.command(*undo, b"RELEASE SAVEPOINT " + name)
        if error is not None:
            raise error
        return not rollback

    def break_off(self) -> Flow[None]:
        if not self.closed:
            yield from self.abandon("a block was interrupted on the way into it or out of it")

    def cancel(self, timeout: float) -> Flow[None]:
        assert self.canceller is not None
        try:
            yield Deadline(timeout)
            yield from self.canceller(self.machine.backend_pid, self.machine.secret_key)
        except DeadlinePassed:
            raise e.CancellationTimeout("cancellation timeout expired") from None

    def close(self) -> Flow[None]:
        if self.closed:
            return
        self.closed = True
        try:
            yield Deadline(_FAREWELL)
            yield from self.send(f.Terminate())
        except (e.Error, DeadlinePassed, ProtocolError):
            pass  # it is over either way
        yield from self.channel.close()
        self.log(DEBUG, "closed")


#: Messages that have nothing to do with what was sent.
_ASIDE: dict[type, Callable[[Session, Any], None]] = {
    b.NoticeResponse: lambda session, event: session.on_notice(event.fields),
    b.NotificationResponse: lambda session, event: session.on_notify(event),
    b.ParameterStatus: lambda session, event: None,  # the state machine has it
}
