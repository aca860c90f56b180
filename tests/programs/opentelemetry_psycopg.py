"""The instrumentation that OpenTelemetry has for psycopg, blocking and asyncio."""

import asyncio
import os

import psycopg
from opentelemetry.instrumentation.psycopg import PsycopgInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

url = os.environ["DATABASE_URL"]
spans = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(spans))


def show(what):
    print(what)
    for span in spans.get_finished_spans():
        # The name of the database and the port are other ones each time that this is run.
        shown = {name: value for name, value in span.attributes.items() if name not in ("db.name", "net.peer.port")}
        print("   ", span.name, span.kind.name, span.status.status_code.name, shown, len(span.events))
    spans.clear()


def fail(conn):
    try:
        conn.execute("SELECT 1 / 0")
    except psycopg.DataError as error:
        print(type(error))


PsycopgInstrumentor().instrument(tracer_provider=provider)
for connect in (psycopg.connect, psycopg.Connection.connect):
    with connect(url, autocommit=True) as conn:
        with conn.cursor() as cursor:
            cursor.execute("SELECT %s, generate_series(1, 2)", ["a parameter"])
            print(list(cursor))
            cursor.executemany("SELECT %s", [("a",), ("b",)])
        show("cursors")
        conn.execute(psycopg.sql.SQL("SELECT {}").format(1)).fetchone()
        show("the connection itself")
        fail(conn)
        show("an error")
        with conn.transaction():
            conn.execute("SELECT 1")
        with conn.pipeline():
            conn.execute("SELECT 2")
        show("blocks")
        with conn.transaction(), conn.cursor("rows") as cursor:
            cursor.execute("SELECT 3")
        with conn.cursor().copy("COPY (SELECT 4) TO STDOUT") as copy:
            print([bytes(row) for row in copy])
        print(list(conn.cursor().stream("SELECT 5")))
        show("what is not seen")


async def main():
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as conn:
        async with conn.cursor() as cursor:
            await cursor.execute("SELECT %s, generate_series(1, 2)", ["a parameter"])
            print([row async for row in cursor])
            await cursor.executemany("SELECT %s", [("a",), ("b",)])
        await conn.execute("SELECT 1")
        show("asyncio")


asyncio.run(main())

PsycopgInstrumentor().uninstrument()
with psycopg.connect(url) as conn:
    conn.execute("SELECT 1")
    show("no longer")
    PsycopgInstrumentor.instrument_connection(conn, tracer_provider=provider)
    conn.execute("SELECT 1")
    show("one connection")
