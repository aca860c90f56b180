"""What the connections, blocking and asyncio, have in common: settings, state, and the flows of each call."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar, Union

from . import errors as e
from .abc import Params, Query
from .adapters_map import AdaptersMap
from .connection_info import ConnectionInfo
from .flows.requests import Flow
from .flows.transport import Transport
from .isolation import IsolationLevel, TransactionCharacteristics
from .pq import TransactionStatus
from .protocol.backend import NotificationResponse
from .protocol.result import Result
from .query import PostgresQuery
from .rows import BaseRowFactory, Row

if TYPE_CHECKING:
    from .diagnostic import Diagnostic
    from .transaction import BaseTransaction

logger = logging.getLogger("neonps")


class Notify(NamedTuple):
    """A notification that has arrived (PostgreSQL docs, NOTIFY)."""

    channel: str
    payload: str
    pid: int


NoticeHandler = Callable[["Diagnostic"], None]
NotifyHandler = Callable[[Notify], None]

#: A statement of a batch: alone, or with its parameters.
BatchItem = Union[Query, "tuple[Query, Params | None]"]

T = TypeVar("T")


class BaseConnection(Generic[Row]):
    """See `neonps.Connection`."""

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

    def __init__(self, transport: Transport, row_factory: BaseRowFactory[Row]) -> None:
        from .postgres import adapters

        self._transport = transport
        self._adapters = AdaptersMap(adapters)
        self._blocks: list[BaseTransaction] = []
        self._notice_handlers: list[NoticeHandler] = []
        self._notify_handlers: list[NotifyHandler] = []
        self._notifications: list[Notify] = []
        self.row_factory = row_factory
        # Not methods of the connection: it would be in a cycle, and only the garbage collector would ever close it.
        transport.on_notice = partial(_take_notice, self._notice_handlers)
        transport.on_notify = partial(_take_notify, self._notify_handlers, self._notifications)

    def __repr__(self) -> str:
        return f"<{type(self).__module__}.{type(self).__qualname__} {self._where()} at 0x{id(self):x}>"

    def _where(self) -> str:
        """State and address, for the repr of the connection and of what belongs to it."""
        if self.closed:
            return "[BAD]"
        settings = self._transport.settings
        status = self._transport.transaction_status.name
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
        return ConnectionInfo(self)

    @property
    def closed(self) -> bool:
        """Whether the connection can no longer be used."""
        return self._transport.closed

    @property
    def broken(self) -> bool:
        """Whether the connection can no longer be used, and not because `close()` was called."""
        return self._transport.broken

    def _check_open(self) -> None:
        if self.closed:
            raise e.OperationalError("the connection is lost" if self.broken else "the connection is closed")

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
        if self._blocks:
            raise e.ProgrammingError(
                "Explicit commit() forbidden within a Transaction context. "
                "(Transaction will be automatically committed on successful exit from context.)"
            )
        yield from self._transport.commit()

    def _rollback_flow(self) -> Flow[None]:
        if self._blocks:
            raise e.ProgrammingError(
                "Explicit rollback() forbidden within a Transaction context. "
                "(Either raise Rollback() or allow an exception to propagate out of the context.)"
            )
        yield from self._transport.rollback()

    def _leave_flow(self, exc: BaseException | None) -> Flow[None]:
        """End the transaction that is open at the end of a `with` block of the connection."""
        if exc is None:
            yield from self._transport.commit()
            return
        try:
            yield from self._transport.rollback()
        except e.Error as error:
            logger.warning("error ignored in rollback on %s: %s", self, error)

    # Batches

    def _batch_flow(
        self,
        statements: Iterable[BatchItem],
        isolation_level: IsolationLevel | int | None,
        read_only: bool | None,
        deferrable: bool | None,
    ) -> Flow[list[Result]]:
        transport = self._transport
        given = TransactionCharacteristics(
            None if isolation_level is None else IsolationLevel(isolation_level), read_only, deferrable
        )
        queries = []
        for item in statements:
            statement, params = _statement_and_params(item)
            query = PostgresQuery(self._transformer(), text_only=not transport.has_binary)
            query.convert(statement, params)
            queries.append(query)
        if not self._in_transaction():
            own = transport.characteristics
            given = own._replace(**{name: value for name, value in given._asdict().items() if value is not None})
        return (yield from transport.batch(queries, given))

    def _transformer(self) -> Any:
        from .transformer import Transformer

        return Transformer(self)

    # Notices and notifications

    def add_notice_handler(self, callback: NoticeHandler) -> None:
        """Have `callback` called with a `Diagnostic` for each notice of the server."""
        self._notice_handlers.append(callback)

    def remove_notice_handler(self, callback: NoticeHandler) -> None:
        """No longer call `callback` for notices."""
        self._notice_handlers.remove(callback)

    def add_notify_handler(self, callback: NotifyHandler) -> None:
        """Have `callback` called with a `Notify` for each notification that arrives."""
        self._notify_handlers.append(callback)

    def remove_notify_handler(self, callback: NotifyHandler) -> None:
        """No longer call `callback` for notifications."""
        self._notify_handlers.remove(callback)


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

    _call_each(handlers, Diagnostic(fields))


def _take_notify(handlers: Sequence[NotifyHandler], notifications: list[Notify], event: NotificationResponse) -> None:
    notification = Notify(event.channel, event.payload, event.pid)
    if handlers:
        _call_each(handlers, notification)
    else:
        notifications.append(notification)


def _call_each(handlers: Sequence[Callable[[T], None]], argument: T) -> None:
    """Call the user's handlers; what they raise must not reach into the middle of a statement."""
    for handler in handlers:
        try:
            handler(argument)
        except Exception:
            logger.exception("error in the handler %r", handler)
