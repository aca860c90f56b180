"""What the connections, blocking and asyncio, have in common: settings, state, and the flows of each call."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar, Union, cast

from . import errors as e
from .abc import AdaptContext, Params, Query
from .adapters_map import AdaptersMap
from .events import WARNING, ignored
from .flows.requests import Deadline, DeadlinePassed, Flow
from .flows.transport import Transport
from .inherited import InheritedLock, watch
from .isolation import IsolationLevel, TransactionCharacteristics
from .notify import Notifications, Notify, NotifyHandler, call_each
from .pgconn import PGconn
from .pq import Format, PipelineStatus, TransactionStatus
from .protocol.backend import NotificationResponse
from .protocol.result import Result
from .query import PostgresQuery
from .record import refuse_pickling
from .rows import BaseRowFactory, Row
from .two_phase import TwoPhaseCommit

if TYPE_CHECKING:
    from .connection_info import ConnectionInfo
    from .diagnostic import Diagnostic
    from .net.aio import AsyncRunner
    from .net.blocking import BlockingRunner
    from .pipeline import BasePipeline
    from .transaction import BaseTransaction


NoticeHandler = Callable[["Diagnostic"], None]

#: A statement of a batch: alone, or with its parameters.
BatchItem = Union[Query, "tuple[Query, Params | None]"]

T = TypeVar("T")
P = TypeVar("P", bound="BasePipeline")


class BaseConnection(TwoPhaseCommit, Generic[Row]):
    """See `neonps.Connection`."""

    __module__ = "neonps"

    # PEP 249, "Optional DB API Extensions": the exceptions as attributes of the connection.
    Warning = e.Warning
    Error = e.Error
    InterfaceError = e.InterfaceError
    DatabaseError = e.DatabaseError
    DataError = e.DataError
    OperationalError = e.OperationalError
    IntegrityError = e.IntegrityError
    InternalError = e.InternalError
    ProgrammingError = e.ProgrammingError
    NotSupportedError = e.NotSupportedError

    cursor_factory: type[Any]
    server_cursor_factory: Any
    _server_cursor_factory: Any = None  # the one that was set
    #: The pool that has made the connection, while it is handed out. psycopg_pool keeps it here.
    _pool: Any

    def __init__(
        self, transport: Transport, runner: BlockingRunner | AsyncRunner, row_factory: BaseRowFactory[Row]
    ) -> None:
        from .postgres import adapters

        self._process = os.getpid()
        self._runner = runner
        self._transport = transport  # last: with it there is something for `__del__` to do, which needs the others
        self._pgconn = PGconn(transport, runner)
        self._pipeline: Any = None  # the object of the pipeline that the connection is in
        self._adapters = AdaptersMap(adapters)
        self._blocks: list[BaseTransaction] = []
        self._notice_handlers: list[NoticeHandler] = []
        self._notifications = Notifications()
        self.row_factory = row_factory
        # Not methods of the connection: it would be in a cycle, and only the garbage collector would ever close it.
        transport.on_notice = partial(_take_notice, self._notice_handlers)
        transport.on_notify = partial(_take_notify, self._notifications)
        watch(self)

    def _configure(
        self, autocommit: bool, prepare_threshold: int | None, cursor_factory: Any, context: AdaptContext | None
    ) -> None:
        """Take over what `connect()` was given beside the connection parameters."""
        self._transport.autocommit = bool(autocommit)
        self.prepare_threshold = prepare_threshold
        if cursor_factory is not None:
            self.cursor_factory = cursor_factory
        if context is not None:
            self._adapters = AdaptersMap(context.adapters)

    def __del__(self) -> None:
        transport = getattr(self, "_transport", None)
        if transport is None:
            return
        if self._process != os.getpid():  # a thread of the parent had it, and goes before anything else does
            self._leave_to_parent()
        shown = repr(self)
        # A session is lost, or over HTTP a socket or statements that wait for commit; a pool may do that.
        lost = transport.has_session or self._runner.fileno() != -1 or transport.waits
        was_closed, transport.closed = transport.closed, True
        self._runner.close()  # which another thread or task may have left to whoever was in a call
        if not was_closed and lost and not hasattr(self, "_pool"):
            transport.log(WARNING, "left open")
            warnings.warn(
                f"{shown} was deleted while still open; use it as a context manager or call close()",
                ResourceWarning,
                stacklevel=2,
            )

    def _leave_to_parent(self) -> None:
        """See `neonps.inherited`."""
        if not self._transport.closed:
            self._transport.closed = self._transport.broken = self._transport.inherited = True
        self._runner.close()  # the descriptor alone: neither Postgres nor TLS says anything
        self.__dict__["lock"] = InheritedLock(self._transport.refusal)

    def __repr__(self) -> str:
        return f"<{type(self).__module__}.{type(self).__qualname__} {self._where()} at 0x{id(self):x}>"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        refuse_pickling(self)

    def _where(self) -> str:
        """State and address, for the repr of the connection and of what belongs to it."""
        if self.closed:
            return "[BAD]"
        settings = self._transport.settings
        status = self._transport.transaction_status.name
        if self._transport.pipeline_status is not PipelineStatus.OFF:
            status += f", pipeline={self._transport.pipeline_status.name}"
        return (
            f"[{status}] ({self._transport.name} host={settings.host} port={settings.port} database={settings.dbname})"
        )

    @property
    def connection(self) -> BaseConnection[Row]:
        """The connection itself."""
        return self

    @property
    def adapters(self) -> AdaptersMap:
        """The adapters of this connection; what is registered here counts for its cursors too."""
        return self._adapters

    @property
    def info(self) -> ConnectionInfo:
        """What is known of the connection."""
        from .connection_info import ConnectionInfo

        return ConnectionInfo(self._transport, self._runner, self)

    @property
    def closed(self) -> bool:
        """Whether the connection can no longer be used."""
        return self._transport.closed

    @property
    def prepare_threshold(self) -> int | None:
        """How many times a statement is run before it is prepared; None never prepares one. Of no effect over HTTP."""
        return self._transport.prepared.threshold

    @prepare_threshold.setter
    def prepare_threshold(self, value: int | None) -> None:
        self._transport.prepared.threshold = value

    @property
    def prepared_max(self) -> int | None:
        """How many statements stay prepared at most, those that were used last; None sets no limit."""
        return self._transport.prepared.maximum

    @prepared_max.setter
    def prepared_max(self, value: int | None) -> None:
        self._transport.prepared.maximum = value

    def fileno(self) -> int:
        """The file descriptor of the socket.

        Raises:
            OperationalError: the connection is closed, or (over HTTP) there is no socket at the moment.
        """
        self._check_open()
        descriptor = self._runner.fileno()
        if descriptor < 0:
            raise e.OperationalError("there is no open socket at the moment")
        return descriptor

    @property
    def broken(self) -> bool:
        """Whether the connection can no longer be used, and not because `close()` was called."""
        return self._transport.broken

    def _note(self, error: e.Error) -> None:
        """Keep what libpq would say of an error."""
        severity = f"{error.diag.severity}:  " if error.diag.severity else ""
        self._transport.error_message = f"{severity}{error}\n"

    def _run(self, flow: Flow[Any], timeout: float | None = None) -> Any:
        """Run a flow as one call of the user, for which other threads or tasks wait.

        On an `AsyncConnection` what is returned has to be awaited.

        Args:
            flow: the flow.
            timeout: how long it may wait, in seconds; None for what holds for any call.
        """
        raise NotImplementedError

    def _run_locked(self, flow: Flow[Any], timeout: float | None = None) -> Any:
        """As `_run`, for whoever holds the lock."""
        raise NotImplementedError

    def _check_open(self) -> None:
        if self.closed:
            raise self._transport.refusal(lost="the connection is closed")

    def _same_pipeline(self, cls: type[P]) -> P:
        """The pipeline that the connection is in, or else a new one."""
        if self._pipeline is None or self._transport.pipeline_status is PipelineStatus.OFF:
            self._pipeline = None
            return cls(self)
        return cast(P, self._pipeline)

    @property
    def timeout(self) -> float | None:
        """How long a call may wait for the server, in seconds; None for ever. At first what `connect()` was given.

        It can be set at any time, and holds for the calls that begin from then on.

        Raises:
            ValueError: it is set to what is no time.
        """
        return self._transport.timeout

    @timeout.setter
    def timeout(self, value: float | None) -> None:
        if value is not None and not value > 0:
            raise ValueError(f"timeout should be a number of seconds above 0, or None for no limit, not {value!r}")
        self._transport.timeout = None if value is None or value == inf else float(value)

    # Transactions

    @property
    def autocommit(self) -> bool:
        """Whether statements take effect at once, instead of with `commit()`."""
        return self._transport.autocommit

    @autocommit.setter
    def autocommit(self, value: bool) -> None:
        self._assign("autocommit", value)

    def _set_autocommit(self, value: bool) -> None:
        self._check_changeable("autocommit")
        self._transport.autocommit = bool(value)

    @property
    def isolation_level(self) -> IsolationLevel | None:
        """The isolation level of the transactions to come; None for the server's default."""
        return self._transport.characteristics.isolation_level

    @isolation_level.setter
    def isolation_level(self, value: IsolationLevel | None) -> None:
        self._assign("isolation_level", value)

    def _set_isolation_level(self, value: IsolationLevel | int | None) -> None:
        self._check_changeable("isolation_level")
        self._change(isolation_level=None if value is None else IsolationLevel(value))

    @property
    def read_only(self) -> bool | None:
        """Whether the transactions to come only read; None for the server's default."""
        return self._transport.characteristics.read_only

    @read_only.setter
    def read_only(self, value: bool | None) -> None:
        self._assign("read_only", value)

    def _set_read_only(self, value: bool | None) -> None:
        self._check_changeable("read_only")
        self._change(read_only=None if value is None else bool(value))

    @property
    def deferrable(self) -> bool | None:
        """Whether the transactions to come are deferrable; None for the server's default."""
        return self._transport.characteristics.deferrable

    @deferrable.setter
    def deferrable(self, value: bool | None) -> None:
        self._assign("deferrable", value)

    def _set_deferrable(self, value: bool | None) -> None:
        self._check_changeable("deferrable")
        self._change(deferrable=None if value is None else bool(value))

    def _assign(self, attribute: str, value: Any) -> None:
        """Set an attribute the way that this kind of connection has for it."""
        raise NotImplementedError

    def _change(self, **characteristics: Any) -> None:
        self._transport.characteristics = self._transport.characteristics._replace(**characteristics)

    def _check_changeable(self, attribute: str) -> None:
        """Raise if a transaction is open, which what is to be changed could not reach any more."""
        self._check_open()
        if self._blocks:
            raise e.ProgrammingError(f"can't change {attribute!r} now: connection.transaction() context in progress")
        if self._in_transaction():
            status = self._transport.transaction_status.name
            raise e.ProgrammingError(f"can't change {attribute!r} now: connection in transaction status {status}")

    def _in_transaction(self) -> bool:
        return self._transport.transaction_status is not TransactionStatus.IDLE

    def _commit_flow(self) -> Flow[None]:
        self._refuse_in_two_phase("commit")
        if self._blocks:
            raise e.ProgrammingError(
                "Explicit commit() forbidden within a Transaction context. "
                "(Transaction will be automatically committed on successful exit from context.)"
            )
        yield from self._transport.commit()

    def _rollback_flow(self) -> Flow[None]:
        self._refuse_in_two_phase("rollback")
        if self._blocks:
            raise e.ProgrammingError(
                "Explicit rollback() forbidden within a Transaction context. "
                "(Either raise Rollback() or allow an exception to propagate out of the context.)"
            )
        yield from self._transport.rollback()

    def _leave_flow(self, exc: BaseException | None) -> Flow[None]:
        """End the transaction that is open at the end of a `with` block of the connection."""
        if exc is None:
            yield from self._commit_flow()
            return
        try:
            yield from self._rollback_flow()
        except e.Error as error:
            ignored(f"in rollback on {self}", error)

    # Batches

    def _batch_flow(
        self,
        statements: Iterable[BatchItem],
        isolation_level: IsolationLevel | int | None,
        read_only: bool | None,
        deferrable: bool | None,
    ) -> Flow[list[Any]]:
        transport = self._transport
        given = TransactionCharacteristics.of(isolation_level, read_only, deferrable)
        queries = []
        for item in statements:
            statement, params = _statement_and_params(item)
            query = PostgresQuery(self._transformer(), text_only=not transport.has_binary)
            query.convert(statement, params)
            queries.append(query)
        if not self._in_transaction():
            given = given.over(transport.characteristics)
        return [self._cursor_with(result) for result in (yield from transport.batch(queries, given))]

    def _transformer(self) -> Any:
        from .transformer import Transformer

        return Transformer(self)

    # Cursors

    def _new_cursor(self, name: str, binary: bool, row_factory: Any, **server_side: Any) -> Any:
        """A cursor, on the server if it has a name."""
        self._check_open()
        factory = row_factory or self.row_factory
        if name:
            cursor = self.server_cursor_factory(self, name, row_factory=factory, **server_side)
        else:
            cursor = self.cursor_factory(self, row_factory=factory)
        if binary:
            cursor.format = Format.BINARY
        return cursor

    def _cursor_with(self, result: Result) -> Any:
        cursor = self._new_cursor("", False, None)
        cursor._take([result])
        return cursor

    # Notices and notifications

    def _notifies_flow(self, timeout: float | None) -> Flow[int]:
        """How many notifications have come; waits for some if there are none, for `timeout` seconds."""
        session = self._transport.session("notifies()")
        if not self._notifications:
            yield from session.become_quiet()
            yield Deadline(timeout)
            try:
                while not self._notifications:
                    yield from session.wait_for_notifies()
            except DeadlinePassed:
                pass  # then there are none
        return len(self._notifications)

    def add_notice_handler(self, callback: NoticeHandler) -> None:
        """Have `callback` called with a `Diagnostic` for each notice of the server."""
        self._notice_handlers.append(callback)

    def remove_notice_handler(self, callback: NoticeHandler) -> None:
        """No longer call `callback` for notices."""
        self._notice_handlers.remove(callback)

    def add_notify_handler(self, callback: NotifyHandler) -> None:
        """Have `callback` called with a `Notify` for each notification that arrives."""
        self._notifications.handlers.append(callback)

    def remove_notify_handler(self, callback: NotifyHandler) -> None:
        """No longer call `callback` for notifications."""
        self._notifications.handlers.remove(callback)


def _statement_and_params(item: BatchItem) -> tuple[Query, Params | None]:
    if not isinstance(item, tuple):
        return item, None
    if len(item) != 2:
        raise TypeError(f"a statement of a batch should be a query or (query, params), got a tuple of {len(item)}")
    return item


def _take_notice(handlers: Sequence[NoticeHandler], fields: dict[str, str]) -> None:
    if not handlers:
        return
    from .diagnostic import Diagnostic

    call_each(handlers, Diagnostic(fields))


def _take_notify(notifications: Notifications, event: NotificationResponse) -> None:
    notifications.take(Notify(event.channel, event.payload, event.pid))
