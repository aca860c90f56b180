"""Transaction blocks: `with conn.transaction():`, nested ones by savepoints."""

from __future__ import annotations

from contextlib import suppress
from enum import Enum
from types import TracebackType
from typing import TYPE_CHECKING, Any

from . import errors as e
from .events import ignored
from .flows.requests import Flow

if TYPE_CHECKING:
    from .base_connection import BaseConnection
    from .connection import Connection
    from .connection_async import AsyncConnection


class Rollback(Exception):
    """Raise it inside a transaction block to leave the block and undo what it has done.

    Args:
        transaction: the block to leave, of several that are nested; the innermost by default.
    """

    __module__ = "neonps"

    def __init__(self, transaction: BaseTransaction | None = None) -> None:
        self.transaction = transaction

    def __repr__(self) -> str:
        return f"{type(self).__qualname__}({self.transaction!r})"


class OutOfOrderTransactionNesting(e.ProgrammingError):
    """Transaction blocks were left in another order than they were entered in reverse."""


class BaseTransaction:
    """What the transaction blocks, blocking and asyncio, have in common."""

    class Status(str, Enum):
        """Where a block stands."""

        NOT_STARTED = "not_started"
        NON_STARTED = "not_started"  # noqa: PIE796 - the same, as psycopg's documentation spells it
        ACTIVE = "active"
        COMMITTED = "committed"
        FAILED = "failed"
        ROLLED_BACK_EXPLICITLY = "rolled_back_explicitly"
        ROLLED_BACK_WITH_ERROR = "rolled_back_with_error"

    def __init__(
        self, connection: BaseConnection[Any], savepoint_name: str | None = None, force_rollback: bool = False
    ) -> None:
        self._connection = connection
        self._savepoint_name = savepoint_name or ""
        self.force_rollback = force_rollback
        self._outer = False
        self._entered = False
        self._begun = False  # from then on there may be something to undo
        self.status = self.Status.NOT_STARTED

    @property
    def savepoint_name(self) -> str | None:
        """The name of the savepoint; None for an outermost block without one."""
        return self._savepoint_name or None

    def __repr__(self) -> str:
        name = f" {self._savepoint_name!r}" if self._savepoint_name else ""
        where = self._connection._where()
        return (
            f"<{type(self).__module__}.{type(self).__qualname__}{name} ({self.status.value}) {where} at 0x{id(self):x}>"
        )

    def _enter_flow(self) -> Flow[None]:
        if self._entered:
            raise TypeError("transaction blocks can be used only once")
        self._entered = True
        blocks = self._connection._blocks
        yield from self._connection._transport.sync_pipeline()  # its transaction is not that of the block
        if not self._savepoint_name and self._connection._in_transaction():
            self._savepoint_name = f"_pg3_{len(blocks) + 1}"  # as psycopg names it, should anybody look
        self._begun = True
        self._outer = yield from self._connection._transport.enter_block(self._savepoint_name)
        blocks.append(self)
        self.status = self.Status.ACTIVE

    def _exit_flow(self, exc: BaseException | None) -> Flow[bool]:
        """End the block; True if `exc` is to go no further."""
        self._leave_order("rollback" if exc is not None else "commit")
        if exc is None and not self.force_rollback:
            try:
                committed = yield from self._leave(rollback=False)
            except e.Error as error:
                unknown = self._connection.closed or error.outcome_unknown
                self.status = self.Status.FAILED if unknown else self.Status.ROLLED_BACK_WITH_ERROR
                raise
            except BaseException:  # timed out, cancelled or interrupted: by then it may have been committed
                self.status = self.Status.FAILED
                raise
            self.status = self.Status.COMMITTED if committed else self.Status.ROLLED_BACK_WITH_ERROR
            return False
        explicit = self.force_rollback or isinstance(exc, Rollback)
        self.status = self.Status.ROLLED_BACK_EXPLICITLY if explicit else self.Status.ROLLED_BACK_WITH_ERROR
        try:
            yield from self._leave(rollback=True)
        except e.Error as error:
            ignored(f"in rollback of {self}", error)
        return isinstance(exc, Rollback) and exc.transaction in (self, None)

    def _undo_flow(self) -> Flow[None]:
        """Get out of the block after an interrupt on the way into it or out of it, wherever that was."""
        blocks, transport = self._connection._blocks, self._connection._transport
        if not self._begun or (self.status is self.Status.COMMITTED and self not in blocks):
            return
        if not self._savepoint_name:
            blocks.clear()
            yield from transport.leave_block("", outer=True, rollback=True)  # which can be done again
        elif self in blocks or not transport.stopped:
            blocks.clear()
            yield from transport.break_off()

    def _fail(self) -> None:
        """Take note that the connection is closed, and the transaction gone with it."""
        self.status = self.Status.FAILED
        self._connection._blocks.clear()

    def _leave_order(self, action: str) -> None:
        blocks = self._connection._blocks
        if self not in blocks:
            raise OutOfOrderTransactionNesting(f"transaction {action} of a block that was left already: {self}")
        if blocks[-1] is not self:
            raise OutOfOrderTransactionNesting(f"transaction {action} at the wrong nesting level: {self}")
        blocks.pop()

    def _leave(self, *, rollback: bool) -> Flow[bool]:
        transport = self._connection._transport
        return (yield from transport.leave_block(self._savepoint_name, outer=self._outer, rollback=rollback))


class Transaction(BaseTransaction):
    """A transaction block of a `Connection`; made by `Connection.transaction()`."""

    __module__ = "neonps"

    _connection: Connection[Any]

    @property
    def connection(self) -> Connection[Any]:
        """The connection of the block."""
        return self._connection

    def __enter__(self) -> Transaction:
        try:
            self._connection._run(self._enter_flow())
            return self
        except Exception:
            raise
        except BaseException:
            self._undo()
            raise

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> bool:
        try:
            if self._connection.closed:
                self._fail()
                return False
            return self._connection._run(self._exit_flow(exc_val))
        except Exception:
            raise
        except BaseException:
            self._undo()
            raise

    def _undo(self) -> None:
        """Get out of the block after an interrupt; what goes wrong with that has cost the connection."""
        if self._connection.closed:
            self._fail()
            return
        with suppress(e.Error):
            self._connection._run(self._undo_flow())


class AsyncTransaction(BaseTransaction):
    """A transaction block of an `AsyncConnection`; the twin of `Transaction`."""

    __module__ = "neonps"

    _connection: AsyncConnection[Any]

    @property
    def connection(self) -> AsyncConnection[Any]:
        """The connection of the block."""
        return self._connection

    async def __aenter__(self) -> AsyncTransaction:
        await self._connection._run(self._enter_flow())
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> bool:
        if self._connection.closed:
            self._fail()
            return False
        return await self._connection._run(self._exit_flow(exc_val))
