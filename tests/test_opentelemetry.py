"""OpenTelemetry's instrumentation of DB-API drivers on neonps: which spans there are, and what is in them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from opentelemetry.instrumentation.dbapi import (
    CursorTracer,
    DatabaseApiIntegration,
    instrument_connection,
    trace_integration,
    uninstrument_connection,
    unwrap_connect,
)
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from transports import on_sessions

import neonps
from neonps import sql
from neonps.embedded import EmbeddedPostgres

#: Where the attributes of a span are, seen from a connection.
ATTRIBUTES = {"database": "info.dbname", "host": "info.host", "port": "info.port", "user": "info.user"}


class Spans:
    """The spans that have ended since they were last asked for."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))

    def take(self) -> list[ReadableSpan]:
        spans = list(self._exporter.get_finished_spans())
        self._exporter.clear()
        return spans

    def only(self) -> ReadableSpan:
        (span,) = self.take()
        return span

    @property
    def statements(self) -> list[Any]:
        return [(span.attributes or {}).get("db.statement") for span in self.take()]


@pytest.fixture
def spans() -> Spans:
    return Spans()


@pytest.fixture
def trace(spans: Spans) -> Iterator[Callable[..., None]]:
    """Have `neonps.connect` make connections that are traced."""

    def trace(**keywords: Any) -> None:
        trace_integration(neonps, "connect", "postgresql", ATTRIBUTES, tracer_provider=spans.provider, **keywords)

    yield trace
    unwrap_connect(neonps, "connect")


@pytest.fixture
def traced(trace: Callable[..., None], url: str, transport: str) -> Iterator[Any]:
    """A connection that is traced, in autocommit mode."""
    trace()
    with neonps.connect(url, transport=transport, autocommit=True) as conn:
        yield conn


def test_a_statement(traced: Any, spans: Spans, postgres: EmbeddedPostgres) -> None:
    with traced.cursor() as cursor:
        cursor.execute("SELECT %s, n FROM generate_series(1, 3) AS n", ["a parameter"])
        assert cursor.fetchone() == ("a parameter", 1)
        assert [n for _, n in cursor] == [2, 3]
        assert [column.name for column in cursor.description][1] == "n"
    span = spans.only()
    assert (span.name, span.kind.name, span.status.status_code.name) == ("SELECT", "CLIENT", "UNSET")
    assert dict(span.attributes or {}) == {
        "db.system": "postgresql",
        "db.name": postgres.dbname,
        "db.user": postgres.user,
        "net.peer.name": postgres.host,
        "net.peer.port": postgres.port,
        "db.statement": "SELECT %s, n FROM generate_series(1, 3) AS n",
    }


def test_other_kinds_of_statements(traced: Any, spans: Spans) -> None:
    cursor = traced.cursor()
    cursor.executemany("SELECT %s::text", [("one",), ("two",)])
    cursor.execute(b"SELECT 1")
    assert spans.statements == ["SELECT %s::text", "SELECT 1"]
    cursor.execute(sql.SQL("SELECT {}").format(sql.Literal(1)))
    span = spans.only()
    assert (span.name, (span.attributes or {})["db.statement"]) == ("postgres", ""), "it does not know of these"


def test_an_error(traced: Any, spans: Spans) -> None:
    with pytest.raises(neonps.errors.DivisionByZero):
        traced.cursor().execute("SELECT 1 / 0")
    span = spans.only()
    assert span.status.status_code.name == "ERROR"
    (event,) = span.events
    assert (event.attributes or {})["exception.type"] == "neonps.errors.DivisionByZero"
    assert (event.attributes or {})["exception.message"] == "division by zero"


def test_blocks(traced: Any, spans: Spans) -> None:
    with traced.transaction():
        cursor = traced.cursor()
        cursor.execute("SELECT 1")
    assert cursor.fetchall() == [(1,)]
    with traced.pipeline():
        cursor.execute("SELECT 2")
    assert cursor.fetchall() == [(2,)]
    assert spans.statements == ["SELECT 1", "SELECT 2"]


def test_what_it_does_not_see(traced: Any, spans: Spans) -> None:
    """The proxy stands before `cursor()` alone."""
    traced.execute("SELECT 1")
    traced.batch(["SELECT 1"])
    list(traced.cursor().stream("SELECT 1"))
    assert spans.take() == []


@on_sessions
def test_server_side_cursors_and_copy(traced: Any, spans: Spans) -> None:
    with traced.transaction(), traced.cursor("rows") as cursor:
        cursor.execute("SELECT generate_series(1, 3)")
        assert list(cursor) == [(1,), (2,), (3,)]
    assert spans.statements == ["SELECT generate_series(1, 3)"]
    with traced.cursor().copy("COPY (SELECT 1) TO STDOUT") as copy:
        assert list(copy) == [b"1\n"]
    assert spans.take() == []


def test_it_is_a_connection_still(trace: Callable[..., None], url: str, transport: str, spans: Spans) -> None:
    trace()
    with neonps.connect(url, transport=transport) as conn:
        assert isinstance(conn, neonps.Connection)
        assert conn.info.transport == transport
        conn.cursor().execute("SELECT 1")
        conn.commit()
    assert conn.closed
    with pytest.raises(ZeroDivisionError), neonps.connect(url, transport=transport) as conn:
        raise ZeroDivisionError
    assert conn.closed


def test_parameters_if_asked_for(trace: Callable[..., None], url: str, transport: str, spans: Spans) -> None:
    trace(capture_parameters=True)
    with neonps.connect(url, transport=transport) as conn:
        conn.cursor().execute("SELECT %s", ["a parameter"])
    assert (spans.only().attributes or {})["db.statement.parameters"] == "['a parameter']"


def test_comments(
    trace: Callable[..., None], url: str, transport: str, spans: Spans, admin: psycopg.Connection[Any], mark: str
) -> None:
    """The server gets to know which span a statement belongs to."""
    trace(enable_commenter=True)
    with neonps.connect(url, transport=transport, application_name=mark) as conn:
        cursor = conn.cursor()
        cursor.execute(
            "SELECT query FROM pg_stat_activity WHERE application_name = %s AND query LIKE '%%SELECT%%'", [mark]
        )
        (sent,) = cursor.fetchone() or ("",)
    span = spans.only()
    assert span.context is not None
    assert f"traceparent='00-{span.context.trace_id:032x}-{span.context.span_id:016x}-" in sent
    version = neonps.__version__
    for part in (f"db_driver='neonps%3A{version}'", "dbapi_level='2.0'", "driver_paramstyle='pyformat'"):
        assert part in sent
    assert "traceparent" not in str((span.attributes or {})["db.statement"])


def test_one_connection(url: str, transport: str, spans: Spans) -> None:
    with neonps.connect(url, transport=transport) as conn:
        traced = instrument_connection("app", conn, "postgresql", ATTRIBUTES, tracer_provider=spans.provider)
        traced.cursor().execute("SELECT 1")
        assert spans.statements == ["SELECT 1"]
        assert uninstrument_connection(traced) is conn


def test_cursors_that_trace_themselves(url: str, transport: str, spans: Spans) -> None:
    """They see what the connection runs by its own methods, and serve on asyncio."""
    integration = DatabaseApiIntegration("app", "postgresql", ATTRIBUTES, tracer_provider=spans.provider)
    tracer: CursorTracer[Any] = CursorTracer(integration)

    class TracedCursor(neonps.Cursor[Any]):
        def execute(self, *args: Any, **kwargs: Any) -> Any:
            return tracer.traced_execution(self, super().execute, *args, **kwargs)

    class AsyncTracedCursor(neonps.AsyncCursor[Any]):
        async def execute(self, *args: Any, **kwargs: Any) -> Any:
            return await tracer.traced_execution_async(self, super().execute, *args, **kwargs)

    with neonps.connect(url, transport=transport, cursor_factory=TracedCursor) as conn:
        integration.get_connection_attributes(conn)
        assert conn.execute("SELECT %s::int", [1]).fetchone() == (1,)
    span = spans.only()
    assert (span.attributes or {})["db.statement"] == "SELECT %s::int"
    assert (span.attributes or {})["db.name"] == "postgres"

    async def main() -> None:
        async with await neonps.AsyncConnection.connect(
            url, transport=transport, cursor_factory=AsyncTracedCursor
        ) as conn:
            cursor = await conn.execute("SELECT %s::int", [2])
            assert await cursor.fetchone() == (2,)
            with pytest.raises(neonps.DataError):
                await conn.execute("SELECT 1 / 0")

    asyncio.run(main())
    assert [span.status.status_code.name for span in spans.take()] == ["UNSET", "ERROR"]
