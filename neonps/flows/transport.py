"""What a connection can ask of its transport, whichever it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from .. import errors as e
from ..abc import Params
from ..events import log
from ..inherited import REASON
from ..isolation import TransactionCharacteristics
from ..pq import PipelineStatus, TransactionStatus
from ..protocol.backend import NotificationResponse
from ..protocol.result import Result
from ..query import PostgresQuery
from ..record import Record
from ..settings import Settings
from .prepared import PreparedStatements
from .requests import Flow

if TYPE_CHECKING:
    from .session import Session

#: Takes the results of a statement that come later than its call returns.
Deliver = Callable[["list[Result]"], None]

Query = PostgresQuery


class Tally(Record):
    """The outcome of executemany when the results are not kept: the rows touched, and the last command tag."""

    rowcount: int
    command_tag: str


class Transport:
    """A way to a database, opened by `neonps.flows.opening`. Its methods are flows.

    Attributes:
        settings: what it was opened with.
        timeout: how long a call may wait, in seconds; None for ever.
        autocommit: statements are not put into a transaction.
        characteristics: how the transactions that the driver begins are begun.
        closed: it can no longer be used.
        broken: it can no longer be used, and not because `close` was called.
        inherited: it is closed because it belongs to the process that this one was forked from.
        prepared: the statements that are prepared.
        error_message: what went wrong last, as libpq puts it; "" if nothing did since the last call that went well.
        committed: of what the last call has sent, something was made to last; over HTTP, or can have been.
        stopped: the last call was interrupted where it waited, and nothing of it goes on in the server.
        in_call: a call of the user is under way.
        request_id: what the service calls the last request over HTTP, or the one that has opened the WebSocket; None if
            it is not known.
        on_notice, on_notify: what to call when a notice or a notification has arrived.
    """

    #: The name of the transport, as `connect(transport=…)` takes it.
    name: str
    #: Whether it can ask for binary results and send binary parameters.
    has_binary = True
    #: Whether it has a session, with all that belongs to one.
    has_session = True

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.timeout = settings.timeout
        self.autocommit = False
        self.characteristics = TransactionCharacteristics()
        self.closed = False
        self.broken = False
        self.inherited = False
        self.prepared = PreparedStatements(settings)
        self.error_message = ""
        self.committed = False
        self.stopped = True
        self.in_call = False
        self.request_id: str | None = None
        self.on_notice: Callable[[dict[str, str]], None] = lambda fields: None
        self.on_notify: Callable[[NotificationResponse], None] = lambda event: None

    def log(self, level: int, event: str, **fields: str | float | None) -> None:
        """Log an event of this connection; see `neonps.events`."""
        log(level, event, self.settings, **fields)

    def refusal(self, *, lost: str = "the connection is lost") -> e.OperationalError:
        """The error of whoever wants to use it, now that it is closed; `lost` is what it says if it is broken."""
        if self.inherited:
            return e.OperationalError(REASON)
        return e.OperationalError(lost if self.broken else "the connection is closed")

    @property
    def transaction_status(self) -> TransactionStatus:
        """Whether a transaction is open, as far as the driver and the server know."""
        return TransactionStatus.UNKNOWN

    @property
    def waits(self) -> bool:
        """Whether statements are kept for commit, or a block is open that will keep them: over HTTP."""
        return False

    @property
    def in_stream(self) -> bool:
        """Whether rows are under way that are taken as they arrive."""
        return False

    def parameter_status(self, name: str) -> str | None:
        """The value of a setting that the server has reported; None if it has not."""
        raise NotImplementedError

    def guard(self, flow: Flow[Any], timeout: float | None) -> Flow[Any]:
        """Run `flow`, which is one call of the user, within `timeout` seconds, and end it well if it is interrupted.

        Raises:
            OperationalError: the time is over; the statement was cancelled as far as the transport can.
        """
        raise NotImplementedError

    def session(self, feature: str) -> Session:
        """The transport itself, if it has a session, which `feature` needs.

        Raises:
            NotSupportedError: it has none.
        """
        raise NotImplementedError

    def execute(
        self, query: Query, *, binary: bool, deliver: Deliver, prepare: bool | None = False
    ) -> Flow[list[Result] | None]:
        """Run one statement (or several without parameters) and give the results.

        None means that the results come later: in a pipeline when they are asked for, over HTTP with commit. Then
        `deliver` is called with them.

        Args:
            query: the statement.
            binary: ask for results in binary format.
            deliver: takes results that come later; none if the statement has failed.
            prepare: prepare the statement now (True), never (False), or once it was run often enough (None).
        """
        raise NotImplementedError

    def execute_now(self, query: Query) -> Flow[list[Result]]:
        """Run a statement whose results are wanted at once, on a transport that has no session.

        Raises:
            NotSupportedError: it would have to be kept.
        """
        raise NotImplementedError

    def read_aside(self, query: Query) -> Flow[list[Result]]:
        """Run a query as a transaction of its own, whatever waits for commit, on a transport that has no session."""
        raise NotImplementedError

    def why_pending(self) -> str:
        """Why results are not there yet, and what makes them come."""
        raise NotImplementedError

    def executemany(
        self, query: Query, params: Iterable[Params], *, returning: bool, binary: bool, prepare: bool, deliver: Deliver
    ) -> Flow[list[Result] | Tally | None]:
        """Run one statement with each of `params`; all or nothing unless a transaction is open.

        Gives the results when `returning`, otherwise a tally; None as in `execute`.
        """
        raise NotImplementedError

    def batch(self, queries: Sequence[Query], characteristics: TransactionCharacteristics) -> Flow[list[Result]]:
        """Run statements as one transaction, in one round trip, and give one result each."""
        raise NotImplementedError

    def receive_pending(self) -> Flow[None]:
        """Have the results delivered that are still to come, if they can come now.

        Raises:
            Error: the first error of those statements.
        """
        raise NotImplementedError

    def enter_pipeline(self) -> Flow[None]:
        """From now on run statements without waiting for their results."""
        raise NotImplementedError

    def sync_pipeline(self) -> Flow[None]:
        """Run what was collected to its end, and have the results delivered. Raises what `receive_pending` raises."""
        raise NotImplementedError

    def leave_pipeline(self, *, failed: bool) -> Flow[None]:
        """Do as `sync_pipeline`, and then run statements one by one again unless pipelines were nested.

        What was not sent yet is dropped if the block has `failed`.
        """
        raise NotImplementedError

    @property
    def pipeline_status(self) -> PipelineStatus:
        """Whether there is a pipeline, and whether it ignores everything after an error."""
        return PipelineStatus.OFF

    def commit(self) -> Flow[None]:
        """End the transaction, if one is open, and keep what it has done."""
        raise NotImplementedError

    def rollback(self) -> Flow[None]:
        """End the transaction, if one is open, and undo what it has done."""
        raise NotImplementedError

    def enter_block(self, savepoint: str) -> Flow[bool]:
        """Begin a transaction, or set a savepoint in the one that is open. True if it is a transaction."""
        raise NotImplementedError

    def leave_block(self, savepoint: str, *, outer: bool, rollback: bool) -> Flow[bool]:
        """End what `enter_block` has begun; `outer` is what it has returned.

        Returns:
            whether what was done in it is kept.
        """
        raise NotImplementedError

    def break_off(self) -> Flow[None]:
        """Get out of the blocks that an interrupt has kept from being begun or left as they should be.

        What they have done is undone; where it is not certain how far they are, the connection is closed for that.
        """
        raise NotImplementedError

    def cancel(self, timeout: float) -> Flow[None]:
        """Ask the server, within `timeout` seconds, to cancel what is running. To be run by a runner of its own."""
        raise NotImplementedError

    def close(self) -> Flow[None]:
        """End the session. Never fails."""
        raise NotImplementedError
