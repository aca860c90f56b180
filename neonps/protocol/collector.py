"""Makes results of the events of a session."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..errors import Error, error_from_fields
from ..pq import ExecStatus
from . import backend as b
from .backend import BackendMessage
from .result import ErrorResult, FieldDescription, Result
from .wireresult import WireResult


def is_fatal(fields: Mapping[str, str]) -> bool:
    """Whether the server ends the session after the error that has these fields."""
    return fields.get("V", fields.get("S")) in ("FATAL", "PANIC")


class Collector:
    """Takes the events that answer what was sent, and keeps the results and the first error.

    Attributes:
        results: one per statement that has ended, in order.
        error: the first error, or None.
        fatal: the server ends the session after the error.
        copy: the CopyInResponse or CopyOutResponse that the last statement has answered, if it did.
        rowcount: how many rows the statements say they have touched, when results are not kept.
        keep, query: see below.
        command_tag: that of the last statement, when results are not kept.

    Args:
        query: what was sent, so that an error can show where in it the mistake is; None if that is not known.
        keep: keep the results; otherwise they are only counted.
        codec: what the query is encoded in.
    """

    def __init__(self, query: bytes | None = None, keep: bool = True, codec: str = "utf-8") -> None:
        self.rowcount = 0
        self.command_tag = ""
        self.keep = keep
        self._last_rowcount = 0
        self.results: list[Result] = []
        self.error: Error | None = None
        self.fatal = False
        self.copy: b.CopyInResponse | b.CopyOutResponse | None = None
        self.query = query
        self._codec = codec
        self._rows: WireResult | None = None

    @property
    def fields(self) -> list[FieldDescription] | None:
        """The columns of the statement that is being answered, as far as they are known."""
        return None if self._rows is None else self._rows.fields

    def handle(self, event: BackendMessage) -> None:
        """Take one event."""
        handler = _HANDLERS.get(type(event))
        if handler is not None:
            handler(self, event)

    def repeat(self, count: int) -> None:
        """Take it that the last statement was answered `count` times more in the same way; results are not kept."""
        self.rowcount += count * self._last_rowcount

    def drop(self, count: int) -> None:
        """Forget the first `count` results: those of statements that the driver has put in front."""
        del self.results[:count]

    def _row_description(self, event: b.RowDescription) -> None:
        self._rows = WireResult(list(event.fields))  # the event can be that of other results too

    def _no_data(self, event: b.NoData) -> None:
        self._rows = None

    def _data_rows(self, event: b.DataRows) -> None:
        if not self.keep:
            return
        if self._rows is None:
            raise b.ProtocolError("the server has sent rows without saying what is in them")
        self._rows.append(event)

    def _command_complete(self, event: b.CommandComplete) -> None:
        result = self._rows or Result(ExecStatus.COMMAND_OK)
        result.command_tag = event.tag
        self._finish(result)

    def _empty(self, event: b.EmptyQueryResponse) -> None:
        self._finish(Result(ExecStatus.EMPTY_QUERY))

    def _suspended(self, event: b.PortalSuspended) -> None:
        if self._rows is not None:
            self._finish(self._rows)

    def _copying(self, event: b.CopyInResponse | b.CopyOutResponse) -> None:
        self.copy = event

    def _finish(self, result: Result) -> None:
        self._rows = None
        if self.keep:
            self.results.append(result)
        else:
            self._last_rowcount = result.command_tuples or 0
            self.rowcount += self._last_rowcount
            self.command_tag = result.command_tag

    def _failed(self, event: b.ErrorResponse) -> None:
        if self.error is None:
            query = self.query.decode(self._codec, "replace") if self.query is not None else None
            self.error = error_from_fields(event.fields, query)
            self.error.pgresult = ErrorResult(event.fields)
        self.fatal = is_fatal(event.fields)


_HANDLERS: dict[type, Callable[[Collector, Any], None]] = {
    b.RowDescription: Collector._row_description,
    b.NoData: Collector._no_data,
    b.DataRows: Collector._data_rows,
    b.CommandComplete: Collector._command_complete,
    b.EmptyQueryResponse: Collector._empty,
    b.PortalSuspended: Collector._suspended,
    b.CopyInResponse: Collector._copying,
    b.CopyOutResponse: Collector._copying,
    b.ErrorResponse: Collector._failed,
}
