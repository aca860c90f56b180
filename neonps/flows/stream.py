"""Rows that are taken as they arrive, instead of being collected (PostgreSQL docs, libpq, row-by-row mode)."""

from __future__ import annotations

from .. import errors as e
from ..pq import ExecStatus
from ..protocol import backend as b
from ..protocol.collector import Collector
from ..protocol.result import Result
from ..protocol.wireresult import WireResult
from ..query import PostgresQuery
from .interruption import cancel_and_skip
from .requests import Flow
from .session import ROWS, Session


class RowStream:
    """A statement whose rows are under way. Its methods are flows.

    Attributes:
        finished: the server has said all that it has to say.
    """

    def __init__(self, session: Session, query: PostgresQuery, binary: bool, status: ExecStatus) -> None:
        self._session = session
        self._query = query
        self._binary = binary
        self._status = status
        self._collector = Collector(query.shown, codec=session.machine.codec)
        self._opening = 0  # how many results are those of statements that the driver has put in front
        self.finished = False

    @property
    def outcome_unknown(self) -> bool:
        """Whether the statement may take effect, should its rows be of no use."""
        return self._session.loss.unknown

    def start(self) -> Flow[Result]:
        """Send the statement and wait until it is known whether it returns rows.

        Returns:
            a result that has the columns, and no rows yet; or what the statement has come to, if it returns none.

        Raises:
            Error: the server has answered with an error.
        """
        session = self._session
        self._opening = yield from session.start_stream(self._query, self._binary)
        session.occupied = ROWS
        try:
            while self._collector.fields is None and not self.finished:
                yield from self._take((yield from session.next_event()))
        except Exception:
            session.occupied = ""
            raise
        if self._collector.fields is None:
            return self._collector.results[-1]
        return Result(self._status, self._collector.fields)

    def next(self) -> Flow[Result | None]:
        """The rows that come next, as a result of their own; None after the last.

        Raises:
            Error: the server has ended the statement with an error.
        """
        while not self.finished:
            event = yield from self._session.next_event()
            if isinstance(event, b.DataRows):
                fields = self._collector.fields
                if fields is None:
                    raise b.ProtocolError("the server has sent rows without saying what is in them")
                rows = WireResult(fields)
                rows.status = self._status
                rows.append(event)
                return rows
            yield from self._take(event)
        return None

    def stop(self) -> Flow[None]:
        """Have the server stop to send what nobody wants, unless it was interrupted and has stopped already."""
        if self._session.occupied != ROWS:
            return
        self._session.occupied = ""  # if that fails, the connection is of no use
        try:
            yield from cancel_and_skip(self._session, self._skip)
        except e.Error as error:
            if error.sqlstate is None:  # not one of the statement, of which nobody wants to hear any more
                raise

    def _skip(self) -> Flow[None]:
        while (yield from self.next()) is not None:
            pass
        if self._session.busy:  # it was interrupted behind the last row
            yield from self._session.finish(self._collector)

    def _take(self, event: b.BackendMessage) -> Flow[None]:
        collector = self._collector
        collector.handle(event)
        if len(collector.results) > self._opening or collector.error or collector.copy:
            self.finished = True
            self._session.occupied = ""
            yield from self._session.finish(collector)
