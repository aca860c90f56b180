"""Runs what a request of SQL over HTTP asks for, in a session that is there for it alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from ..errors import Error
from ..flows.requests import Flow
from ..flows.session import Session
from ..protocol import frontend as f
from ..protocol.backend import BackendMessage, CopyInResponse, DataRows, RowDescription
from ..protocol.collector import Collector
from .http import HTTPError
from .sqlhttp import Batch, answer, bad_request, no_answer, too_large, unknown_types
from .values import ARRAY_TYPES, ARRAY_TYPES_QUERY, ArrayTypes

#: What is said of a column beside its name, in bytes.
_COLUMN = 120

#: How many times as much as its rows and the descriptions of columns an answer can have: names come with each row.
_AS_JSON = 4


class BoundedCollector(Collector):
    """Takes results, but not more than fits into an answer.

    Args:
        max_size: how large the rows and the descriptions of columns may be all together, in bytes.
    """

    def __init__(self, max_size: int) -> None:
        super().__init__()
        self._max_size = max_size
        self._size = 0

    def handle(self, event: BackendMessage) -> None:
        """Take one event.

        Raises:
            HTTPError: they are too large.
        """
        if isinstance(event, DataRows):
            self._size += event.stop - event.start
        elif isinstance(event, RowDescription):
            self._size += sum(_COLUMN + len(field.name) for field in event.fields)
        if self._size > self._max_size:
            raise too_large(self._max_size)
        super().handle(event)


def run_batch(session: Session, batch: Batch, max_size: int) -> Flow[str]:
    """Run a batch, and give the answer to it.

    A transaction is committed only when that answer is there. Until then the end of the session undoes it.

    Args:
        max_size: how large the rows and the descriptions of columns may be all together, in bytes; the answer can have
            `_AS_JSON` times as much.

    Raises:
        Error: a statement has failed; the rest was not run.
        HTTPError: the answer is not one that can be given.
    """
    collector = BoundedCollector(max_size)
    messages: list[f.FrontendMessage] = []
    if batch.transaction is not None:
        messages += (f.Parse(b"", batch.transaction.begin), f.Bind(b"", b""), f.Execute(b""))
    for query, params, _ in batch.statements:
        messages += (
            f.Parse(b"", query),
            f.Bind(b"", b"", params),
            f.DescribePortal(b""),
            f.Execute(b""),
        )
    yield from exchange(session, collector, *messages, f.Sync(), copied=partial(no_answer, batch))
    results = collector.results
    if batch.transaction is not None:
        del results[0]
    array_types = ARRAY_TYPES
    if not batch.raw and (oids := unknown_types(results)):
        try:
            array_types = {**ARRAY_TYPES, **(yield from ask_array_types(session, oids))}
        except Error as error:
            if batch.transaction is not None:
                raise
            raise no_answer(batch, str(error)) from None
    body = answer(batch, results, array_types, _AS_JSON * max_size)
    if batch.transaction is not None:
        yield from exchange(session, Collector(), f.Query(b"COMMIT"))
    return body


def ask_array_types(session: Session, oids: Iterable[int]) -> Flow[ArrayTypes]:
    """Which of these types are arrays."""
    collector = Collector()
    yield from exchange(
        session,
        collector,
        f.Parse(b"", ARRAY_TYPES_QUERY),
        f.Bind(b"", b"", [f"{{{','.join(map(str, oids))}}}".encode()]),
        f.DescribePortal(b""),
        f.Execute(b""),
        f.Sync(),
    )
    rows = [[str(value or b"", "ascii") for value in row] for row in collector.results[0].rows()]
    return {int(oid): (int(element), delimiter) for oid, element, delimiter in rows}


def exchange(
    session: Session,
    collector: Collector,
    *messages: f.FrontendMessage,
    copied: Callable[[str], HTTPError] = bad_request,
) -> Flow[None]:
    """Send messages, and have `collector` take what answers them.

    Args:
        copied: what is answered when a COPY has run to its end that sends data.

    Raises:
        Error: the server has answered by an error.
        HTTPError: it wants to COPY, which takes more than a request and an answer.
    """
    yield from session.send(*messages)
    yield from session.drain(collector)
    if collector.copy is not None:
        yield from session.abandon("COPY is not possible over HTTP")
        ran = not isinstance(collector.copy, CopyInResponse) and collector.error is None
        raise (copied if ran else bad_request)("COPY is not possible over HTTP")
    if collector.error is not None:
        raise collector.error
