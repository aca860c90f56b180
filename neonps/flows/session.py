"""A session with a Postgres server, over whatever stream: transactions, queries, COPY, notifications."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from .. import errors as e
from ..abc import Params
from ..isolation import TransactionCharacteristics
from ..pq import TransactionStatus
from ..protocol import backend as b
from ..protocol import frontend as f
from ..protocol.backend import BackendMessage, ProtocolError
from ..protocol.collector import Collector
from ..protocol.frontend import FrontendMessage
from ..protocol.result import Result
from ..protocol.session import COPYING_IN, State, StateMachine
from ..protocol.websocket import WebSocketClosed
from ..settings import Settings
from ..tokens import first_words
from .channel import Channel
from .requests import Aside, Deadline, DeadlinePassed, Flow
from .transport import Deliver, Query, Transport

logger = logging.getLogger("neonps")

#: How long the server gets to end a statement that was cancelled, in seconds.
_CANCEL_TIMEOUT = 5.0
#: Statements are sent in pieces of this size, in bytes, when there are many.
_SEND_SIZE = 1 << 17

_ROLLBACK = b"ROLLBACK"
_COMMIT = b"COMMIT"


class Session(Transport):
    """A session that has sent its start-up packet. See `neonps.flows.connect.open_session`.

    BEGIN and SAVEPOINT are not sent on their own: they wait in `_prefix` and travel with the next statement, in
    front of it and in the same series of extended-query messages, so that the statement is not run should they fail.
    """

    def __init__(self, settings: Settings, name: str, channel: Channel, machine: StateMachine) -> None:
        super().__init__(settings)
        self.name = name
        self.channel = channel
        self.machine = machine
        self.canceller: Callable[[int, bytes], Flow[None]] | None = None  # cancels the session that has pid and key
        self.before_send: bytes = b""  # a message that was held back, to travel with the next ones
        self.on_login: Callable[[BackendMessage], Flow[bool]] | None = None  # until the login is complete
        self._prefix: list[bytes] = []
        self._waiting = False  # interrupted here, the session can go on: all is sent, nothing is half-read
        self._busy = False  # something was sent and is not answered yet
        self.copying = False  # a COPY is under way, over several calls of the user; see `neonps.flows.copy`
        self._guarded = False  # a call of the user is under way
        self._in_block = False  # between `enter_block` and `leave_block` of a transaction
        self._block_failed = False  # that transaction is no more, since it could not even begin
        self._own = False  # the transaction is one of that call, and must not outlive it
        self._send_error: Exception | None = None
        self._stake = ""  # what a loss of the connection would mean now

    # What the server has told

    @property
    def transaction_status(self) -> TransactionStatus:
        if self.closed:
            return TransactionStatus.UNKNOWN
        if self._prefix:
            return TransactionStatus.INTRANS
        if self._busy:  # also when all is answered but for a Sync that was not sent yet
            return TransactionStatus.ACTIVE
        if self.on_login is not None:
            return TransactionStatus.IDLE
        return self.machine.transaction_status

    def parameter_status(self, name: str) -> str | None:
        return self.machine.parameters.get(name)

    # Sending and receiving

    def send(self, *messages: FrontendMessage) -> Flow[None]:
        """Send messages, after whatever was held back.

        Raises:
            ProgrammingError, DataError: a message cannot be encoded; nothing was sent.
        """
        yield from self._write(self._encode(*messages))

    def _encode(self, *messages: FrontendMessage) -> bytes:
        self._waiting = False  # until the machine is not ahead of what was sent any more
        try:
            return self.machine.send(*messages)
        except f.MessageTooLong as error:
            raise e.ProgrammingError(str(error)) from None
        except ValueError as error:
            raise e.DataError(str(error)) from None

    def _opening(self) -> list[bytes]:
        """What has to go in front of the next statement, in the same series.

        Raises:
            OperationalError, InFailedSqlTransaction: there can be no next statement now.
        """
        self._check_ready()
        if not self._prefix and not self.autocommit and self.transaction_status is TransactionStatus.IDLE:
            return [self.characteristics.begin]
        return self._prefix

    def _encode_opened(self, *messages: FrontendMessage) -> bytes:
        """Encode `messages` after what has to go in front; only if that succeeds `_prefix` counts as sent."""
        data = self._encode(*_series(self._opening()), *messages)
        self._prefix = []
        return data

    def _write(self, data: bytes) -> Flow[None]:
        held, self.before_send = self.before_send, b""
        self._busy = True
        self._waiting = False
        try:
            yield from self.channel.send(held + data)
        except (OSError, WebSocketClosed) as error:
            self._send_error = error  # what the server said last, if anything, tells more: see `receive`
        self._waiting = True

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
            reason = self.channel.end or reason or (str(self._send_error) if self._send_error else "")
            yield from self.abandon()
            message = "server closed the connection unexpectedly" + (f": {reason}" if reason else "")
            raise e.OperationalError(self._with_stake(message))
        self.machine.receive(data)

    def next_event(self) -> Flow[BackendMessage]:
        """The next message of the server that is not dealt with here."""
        while True:
            event = self.machine.next_event()
            if event is None:
                yield from self.receive()
            elif type(event) in _ASIDE:
                _ASIDE[type(event)](self, event)
            elif self.on_login is None or not (yield from self.on_login(event)):
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
                yield from self._end(collector)
            if collector.copy and (stop_at_copy or machine.state in COPYING_IN):
                return
            if machine.needs_sync:  # the opening has failed, so that the server has skipped the query behind it
                yield from self.send(f.Sync())
            if machine.state is State.IDLE:
                break
            collector.handle((yield from self.next_event()))
        self._busy = False

    def _end(self, collector: Collector) -> Flow[None]:
        """Raise the error with which the server has ended the session."""
        yield from self.abandon()
        assert collector.error is not None
        raise collector.error

    def abandon(self) -> Flow[None]:
        """Close the connection since it cannot be used any more."""
        if not self.closed:
            self.closed = self.broken = True
        yield from self.channel.close()

    def _with_stake(self, message: str) -> str:
        return f"{message}\n{self._stake}" if self._stake else message

    def _exchange(self, data: bytes, collector: Collector) -> Flow[None]:
        """Send encoded messages and read to the end of what answers them.

        Raises:
            Error: the first error that the server has answered.
        """
        yield from self._write(data)
        yield from self.drain(collector)
        yield from self._settle(collector)

    def _settle(self, collector: Collector) -> Flow[None]:
        """Refuse a COPY where none was asked for, and raise the error if there was one."""
        if collector.copy is not None:
            if self.machine.state in COPYING_IN:
                yield from self.send(f.CopyFail(b"COPY cannot be used with this method"), f.Sync())
                yield from self.drain(Collector())
            raise e.ProgrammingError(_NO_COPY)
        if collector.error is not None:
            raise collector.error

    # The frame around each call

    def guard(self, flow: Flow[Any], timeout: float | None) -> Flow[Any]:
        if self.closed:
            flow.close()
            raise e.OperationalError("the connection is lost" if self.broken else "the connection is closed")
        if self._guarded:  # called by a handler, a dumper, or a generator of parameters
            flow.close()
            raise e.ProgrammingError("the connection cannot be used in the middle of another call")
        yield Deadline(timeout)
        self._guarded = self._waiting = True
        self._own = False
        self._stake = ""
        try:
            return (yield from flow)
        except DeadlinePassed:
            ended = yield from self._interrupt()
            raise e.OperationalError(
                f"timeout: the server has not answered within {timeout:g} seconds; {ended}"
            ) from None
        except ProtocolError as error:
            yield from self.abandon()
            raise e.OperationalError(self._with_stake(f"the connection was closed because {error}")) from None
        except Exception:
            if self._busy and not self.copying and not self.closed:
                yield from self.abandon()  # something unforeseen has left an exchange half done
            self._block_failed = self._in_block and self.transaction_status is TransactionStatus.IDLE
            raise
        except GeneratorExit:
            self.closed = self.broken = True  # nobody carries the flow on, so it cannot even close
            raise
        except BaseException:  # Ctrl-C, or the cancellation of a task
            yield from self._interrupt()
            raise
        finally:
            self._guarded = False

    def _interrupt(self) -> Flow[str]:
        """Have the server cancel what it is doing, and get to the end of it. Says what has become of it."""
        can_cancel = self.on_login is None and self.canceller is not None
        if not self._waiting or (self._busy and not can_cancel):
            try:
                if self._busy and can_cancel:
                    yield from self.cancel_query()  # the server may have got all of it, and would work on for nobody
            except (Exception, DeadlinePassed) as error:
                logger.debug("a statement could not be cancelled: %s", type(error).__name__)
            yield from self.abandon()
            return f"the connection was closed. {self._stake}".rstrip()
        if not self._busy:
            if self._own:
                self._prefix = []
            return "nothing was running"
        collector = Collector(keep=False)
        try:
            if self.machine.state not in COPYING_IN:
                yield from self.cancel_query()
            yield Deadline(_CANCEL_TIMEOUT)
            self.copying = False
            if self.machine.state in COPYING_IN:
                yield from self.send(f.CopyFail(b"cancelled"))
            yield from self.drain(collector)
            if self.machine.state in COPYING_IN:
                yield from self.send(f.CopyFail(b"cancelled"), f.Sync())
                yield from self.drain(collector)
            if self._own:
                yield from self.rollback()
        except (Exception, DeadlinePassed) as error:
            logger.debug("a statement could not be cancelled: %s", type(error).__name__)
            yield from self.abandon()
            return f"the connection was closed, since it could not be cancelled. {self._stake}".rstrip()
        except GeneratorExit:
            self.closed = self.broken = True
            raise
        except BaseException:  # interrupted once more
            yield from self.abandon()
            raise
        if collector.error is not None:
            return "it was cancelled"
        return "it had been completed before it could be cancelled"

    # Queries

    def execute(self, query: Query, *, binary: bool, deliver: Deliver) -> Flow[list[Result]]:
        opening = len(self._opening())
        messages: tuple[FrontendMessage, ...]
        if query.params or binary:
            messages = (
                f.Parse(b"", query.query, query.types or ()),
                f.Bind(b"", b"", query.params or (), query.formats or (), (int(binary),)),
                f.DescribePortal(b""),
                f.Execute(b""),
                f.Sync(),
            )
        else:
            messages = (f.Query(query.query),)  # takes several statements at once
        self._stake = _STATEMENT_AT_STAKE[not opening and self.transaction_status is TransactionStatus.IDLE]
        collector = Collector(query.query)
        yield from self._exchange(self._encode_opened(*messages), collector)
        collector.drop(opening)
        return collector.results

    def start_copy(self, query: bytes, collector: Collector) -> Flow[None]:
        """Send a COPY statement and read until its data can flow; `collector.copy` is None if it is no COPY."""
        opening = len(self._opening())
        self._stake = _STATEMENT_AT_STAKE[not opening and self.transaction_status is TransactionStatus.IDLE]
        yield from self._write(self._encode_opened(f.Query(query)))
        yield from self.drain(collector, stop_at_copy=True)
        collector.drop(opening)

    def _check_ready(self) -> None:
        """Raise if a statement would get into the way of a COPY, or run outside of the transaction that it is for."""
        if self.copying:
            raise e.OperationalError("another command is already in progress: a COPY that has to be finished first")
        if self._block_failed:
            raise e.InFailedSqlTransaction(
                "the transaction of this block has ended with an error, commands ignored until the end of the block"
            )

    def cancel_query(self) -> Flow[None]:
        """Have the server cancel what it is doing, by another connection."""
        assert self.canceller is not None
        yield Aside(self.canceller(self.machine.backend_pid, self.machine.secret_key), _CANCEL_TIMEOUT)

    def executemany(
        self, query: Query, params: Iterable[Params], *, returning: bool, binary: bool, deliver: Deliver
    ) -> Flow[list[Result] | int]:
        self._check_ready()
        own = self._own = self.autocommit and self.transaction_status is TransactionStatus.IDLE
        opening = [self.characteristics.begin] if own else self._opening()
        closing = [_COMMIT] if own else []
        if own:
            self._prefix = opening
        collector = Collector(query.query, keep=returning)
        self._stake = _STATEMENT_AT_STAKE[own]
        try:
            rest = yield from self._send_many(query, params, returning, binary, collector)
            if not rest and not self._busy:
                self._prefix = [] if own else self._prefix
                return [] if returning else 0
            data = self._encode_opened(*rest, *_series(closing if collector.error is None else ()), f.Sync())
        except ProtocolError:
            raise
        except Exception:  # a mistake in the parameters; what was sent before it has an end all the same
            if self._busy and not self.closed:
                yield from self.send(f.Sync())
                yield from self.drain(collector)
            if own:
                yield from self.rollback()
            raise
        yield from self._write(data)
        yield from self.drain(collector)
        if own:
            yield from self.rollback()  # does nothing after COMMIT
        yield from self._settle(collector)
        if not returning:
            return collector.rowcount
        return collector.results[len(opening) : len(collector.results) - len(closing)]

    def _send_many(
        self, query: Query, params: Iterable[Params], returning: bool, binary: bool, collector: Collector
    ) -> Flow[list[FrontendMessage]]:
        """Send a Bind and Execute for each of `params`, in large pieces, but for the last piece, which it returns."""
        messages: list[FrontendMessage] = []
        types: Sequence[int] | None = None
        size = 0
        for each in params:
            query.dump(each)
            if query.types != types or types is None:
                _refuse_copy(query)
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
                yield from self._write(self._encode_opened(*messages))
                messages.clear()
                yield from self.take_arrived(collector)
                if collector.error is not None:
                    break
        return messages

    def take_arrived(self, collector: Collector) -> Flow[None]:
        """Give `collector` what has arrived already, so that it does not pile up while much is sent."""
        if self.on_login is not None:
            return
        try:
            data = yield from self.channel.poll()
        except OSError as error:
            self._send_error = error  # `receive` will tell
            return
        self.machine.receive(data or b"")
        while (event := self.machine.next_event()) is not None:
            if type(event) in _ASIDE:
                _ASIDE[type(event)](self, event)
            else:
                collector.handle(event)
        if collector.fatal:
            yield from self._end(collector)

    def batch(self, queries: Sequence[Query], characteristics: TransactionCharacteristics) -> Flow[list[Result]]:
        self._check_ready()
        own = self._own = self.transaction_status is TransactionStatus.IDLE
        if not own and characteristics != TransactionCharacteristics():
            raise e.ProgrammingError("the characteristics of a transaction cannot be chosen once it is open")
        opening = [characteristics.begin] if own else self._opening()
        closing = [_COMMIT] if own else []
        messages: list[FrontendMessage] = []
        for query in queries:
            _refuse_copy(query)
            messages += (
                f.Parse(b"", query.query, query.types or ()),
                f.Bind(b"", b"", query.params or (), query.formats or (), (0,)),
                f.DescribePortal(b""),
                f.Execute(b""),
            )
        data = self._encode(*_series(opening), *messages, *_series(closing), f.Sync())
        self._prefix = []
        self._stake = _STATEMENT_AT_STAKE[own]
        collector = Collector()
        yield from self._write(data)
        yield from self.drain(collector)
        if own:
            yield from self.rollback()  # does nothing after COMMIT
        yield from self._settle(collector)
        return collector.results[len(opening) : len(collector.results) - len(closing)]

    # Transactions

    def _command(self, *statements: bytes) -> Flow[None]:
        """Run statements of the driver's own."""
        self._check_ready()
        yield from self._exchange(self._encode(*_series(statements), f.Sync()), Collector())

    def commit(self) -> Flow[None]:
        if self._drop_prefix() or self.transaction_status is TransactionStatus.IDLE:
            return
        self._stake = _COMMIT_AT_STAKE
        yield from self._command(_COMMIT)

    def rollback(self) -> Flow[None]:
        if self.closed or self._drop_prefix() or self.transaction_status is TransactionStatus.IDLE:
            return
        yield from self._command(_ROLLBACK)

    def _drop_prefix(self) -> bool:
        """Forget a transaction of which the server has not heard yet; whether there was one."""
        unheard = bool(self._prefix) and self.machine.transaction_status is not TransactionStatus.INTRANS
        self._prefix = []
        return unheard

    def enter_block(self, savepoint: str) -> Flow[bool]:
        self._check_ready()
        outer = self.transaction_status is TransactionStatus.IDLE
        statement = b"SAVEPOINT " + _identifier(savepoint)
        if outer:
            self._prefix.append(self.characteristics.begin)
            self._in_block = True
            if not savepoint:
                return True
        if self.transaction_status is TransactionStatus.INERROR:
            yield from self._command(statement)  # fails, and that must be heard of now
        self._prefix.append(statement)
        return outer

    def leave_block(self, savepoint: str, *, outer: bool, rollback: bool) -> Flow[None]:
        if outer:
            self._in_block = self._block_failed = False
            yield from self.rollback() if rollback else self.commit()
            return
        name = _identifier(savepoint)
        if self._prefix:
            self._prefix.pop()  # nothing was sent since the savepoint was to be set
            return
        undo = [b"ROLLBACK TO SAVEPOINT " + name] if rollback else []
        yield from self._command(*undo, b"RELEASE SAVEPOINT " + name)

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
            yield Deadline(_CANCEL_TIMEOUT)
            yield from self.send(f.Terminate())
        except (e.Error, DeadlinePassed, ProtocolError):
            pass  # it is over either way
        yield from self.channel.close()


#: What the loss of the connection means for a statement, by whether it is a transaction of its own.
_STATEMENT_AT_STAKE = {
    True: "It is unknown whether what was sent has taken effect.",
    False: "The transaction that was open is rolled back by the server, unless what was sent was to end it.",
}
_COMMIT_AT_STAKE = "It is unknown whether the transaction was committed."


_NO_COPY = "COPY cannot be used with this method; use copy() instead"


def _refuse_copy(query: Query) -> None:
    """Refuse a COPY behind which more is to be sent: a server that wants data instead ends the session."""
    if first_words(query.query.decode("utf-8", "replace"), 1) == ["COPY"]:
        raise e.ProgrammingError(_NO_COPY)


def _series(statements: Iterable[bytes]) -> tuple[FrontendMessage, ...]:
    """Statements of the driver's own as extended-query messages, with no Sync: if one fails, nothing after it runs."""
    messages: list[FrontendMessage] = []
    for statement in statements:
        messages += (f.Parse(b"", statement), f.Bind(b"", b""), f.Execute(b""))
    return tuple(messages)


def _identifier(name: str) -> bytes:
    return b'"' + name.encode().replace(b'"', b'""') + b'"'


#: Messages that have nothing to do with what was sent.
_ASIDE: dict[type, Callable[[Session, Any], None]] = {
    b.NoticeResponse: lambda session, event: session.on_notice(event.fields),
    b.NotificationResponse: lambda session, event: session.on_notify(event),
    b.ParameterStatus: lambda session, event: None,  # the state machine has it
}
