"""COPY in a session: the stream of data in either direction (PostgreSQL docs 53.2.6)."""

from __future__ import annotations

from collections.abc import Sequence

from .. import errors as e
from ..abc import Buffer
from ..pq import ExecStatus, TransactionStatus
from ..protocol import backend as b
from ..protocol import frontend as f
from ..protocol.collector import Collector
from ..protocol.frontend import FrontendMessage
from ..protocol.result import FieldDescription, Result
from ..protocol.session import COPYING_IN
from .interruption import cancel_and_skip
from .requests import Flow
from .session import Session
from .stake import Stake

#: In bytes; the server takes messages of 30,000 bytes or so where it expects a short one.
_LONGEST_REASON = 2000

_NOT_A_COPY = "copy() should be used only with COPY ... TO STDOUT or COPY ... FROM STDIN statements"


class CopyStream:
    """A COPY that is under way. Its methods are flows; `finish` has to be the last of them.

    Attributes:
        reading: the data come from the server (COPY TO STDOUT); otherwise they go there.
        binary: they are in binary format.
        finished: the server has ended the COPY, well or not.
        ended: `finish` was called.
    """

    def __init__(self, session: Session, query: bytes, shown: bytes | None) -> None:
        self._session = session
        self._query = query
        self._collector = Collector(shown, codec=session.machine.codec)
        self._formats: Sequence[int] = ()
        self._stake = Stake.NOTHING  # what the loss of the end of it would mean
        self.reading = False
        self.binary = False
        self.finished = False
        self.ended = False

    def __str__(self) -> str:
        return "a COPY"

    def start(self) -> Flow[None]:
        """Send the statement and wait until the data can flow.

        Raises:
            ProgrammingError: the statement is no COPY with STDIN or STDOUT.
            Error: the server has answered with an error.
        """
        session, collector = self._session, self._collector
        yield from session.start_copy(self._query, collector)
        if collector.error is not None:
            raise collector.error
        response, collector.copy = collector.copy, None
        if response is None:
            status = collector.results[-1].status.name if collector.results else ExecStatus.EMPTY_QUERY.name
            raise e.ProgrammingError(f"{_NOT_A_COPY}, got {status}")
        self._formats = response.column_formats
        session.occupied = self
        self.reading = isinstance(response, b.CopyOutResponse)
        self.binary = response.format == 1
        if not self.reading:  # until it hears of the end the server has done nothing
            self._stake, session.stake = session.stake, Stake.NOTHING

    @property
    def goes_on(self) -> bool:
        """Whether the connection is still in the midst of it."""
        return self._session.occupied is self and not self._session.closed

    @property
    def columns(self) -> int:
        """How many columns there are."""
        return len(self._formats)

    @property
    def failed(self) -> bool:
        """Whether the server has failed and takes no more data; `finish` tells why."""
        session = self._session
        going_on = session.occupied is self and session.machine.state in COPYING_IN
        return not self.reading and (self.finished or not going_on)

    def description(self) -> Result:
        """A result that tells what is copied, as far as that is known: neither names nor types are."""
        status = ExecStatus.COPY_OUT if self.reading else ExecStatus.COPY_IN
        names = [f"column_{number}" for number in range(1, len(self._formats) + 1)]
        fields = zip(names, self._formats, strict=True)
        return Result(status, [FieldDescription(name, 0, 0, 0, 0, -1, format) for name, format in fields])

    def read(self) -> Flow[bytes | None]:
        """The next piece of data; None after the last.

        Raises:
            Error: the server has ended the COPY with an error.
        """
        while not self.finished:
            self._check_going_on()
            event = yield from self._session.next_event()
            if isinstance(event, b.CopyData):
                return event.data
            self._collector.handle(event)
            yield from self._end()  # the data have ended, or an error has ended them
        return None

    def write(self, data: Buffer) -> Flow[None]:
        """Send a piece of data. If the server has failed meanwhile, `finish` tells."""
        if self.finished:
            return
        self._check_going_on()
        if self._session.machine.state not in COPYING_IN:
            return
        yield from self._session.send(f.CopyData(data))
        yield from self._session.take_arrived(self._collector)

    def finish(self, failure: str | None = None) -> Flow[Result | None]:
        """End the COPY, with `failure` as the reason if the data were not complete, and give its outcome.

        Raises:
            Error: what the server has answered.
        """
        self.ended = True
        if not self.finished:
            self._check_going_on()
            if self._session.machine.state in COPYING_IN:
                last: FrontendMessage = f.CopyDone()
                if failure is None:
                    self._session.stake = self._stake
                else:
                    last = f.CopyFail(_reason(failure))
                yield from self._session.send(last)
            elif self.reading:
                yield from self._stop_reading()
                return None
            yield from self._end()
        return self._collector.results[-1] if self._collector.results else None

    def _stop_reading(self) -> Flow[None]:
        """Have the server stop to send what nobody wants."""
        self._session.occupied = None  # if that fails, the connection is of no use
        try:
            yield from cancel_and_skip(self._session, self._end)
        except e.QueryCanceled:
            self._session.cut_short = self._session.transaction_status is TransactionStatus.INERROR

    def _end(self) -> Flow[None]:
        self.finished = True
        self._session.occupied = None
        yield from self._session.finish(self._collector)

    def _check_going_on(self) -> None:
        """Raise if the COPY was interrupted, which has ended it; there can be another one since."""
        if self._session.occupied is not self:
            raise e.OperationalError("the COPY was interrupted")


def _reason(text: str) -> bytes:
    """What a CopyFail can carry of a text: no NUL, and not more than the server is ready to take."""
    return text.replace("\0", "").encode("utf-8", "replace")[:_LONGEST_REASON]
