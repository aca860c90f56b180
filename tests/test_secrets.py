"""Passwords and parameters of statements do not show when these fail: in exceptions, tracebacks, logs and reprs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, NoReturn

import pytest
from shown import ANYTHING, VALUE, check_hidden, logged, looked_into, shown
from transports import Connection, on_sessions

import neonps
from neonps import sql
from neonps.embedded import EmbeddedPostgres
from neonps.types.json import Jsonb


class Unadaptable:
    def __repr__(self) -> str:
        return f"<{VALUE}>"


class Stubborn(str):
    """A class with a dumper that fails."""


class StubbornDumper(neonps.adapt.Dumper):
    oid = 25

    def dump(self, obj: Any) -> NoReturn:
        raise RuntimeError("no")


def failing_rows(cursor: Any) -> NoReturn:
    raise RuntimeError("no rows")


def drained(cursor: Any, *args: Any) -> None:
    for _ in cursor.stream(*args):
        pass


def copied(conn: Connection, write: Callable[[Any], None], options: str = "") -> None:
    conn.execute("create temp table t (a text, b int)")
    with conn.cursor().copy(f"copy t from stdin {options}") as copying:
        write(copying)


def pipelined(conn: Connection) -> None:
    with conn.pipeline():
        conn.execute("select 1/0 where %s = %s", [VALUE, VALUE])
        conn.execute("select %s", [VALUE])


def in_block(conn: Connection) -> None:
    with conn.transaction():
        conn.execute("select 1/0 where %s = %s", [VALUE, VALUE])


def prepared(conn: Connection) -> None:
    for n in (1, 0):
        conn.execute("select 1/%s where %s::text is not null", [n, VALUE], prepare=True)


FAILS = "select 1/0 where %s::text is not null"

#: What goes wrong on a connection, with a value in it that the server does not quote.
FAILURES: dict[str, Callable[[Connection], Any]] = {
    "the server refuses it": lambda conn: conn.execute(FAILS, [VALUE]),
    "by name": lambda conn: conn.execute("select 1/0 where %(a)s::text is not null", {"a": VALUE}),
    "on a cursor": lambda conn: conn.cursor().execute(FAILS, [VALUE]),
    "in binary": lambda conn: conn.execute(FAILS.replace("%s", "%b"), [VALUE.encode()]),
    "a syntax error": lambda conn: conn.execute("selec %s", [VALUE]),
    "no such table": lambda conn: conn.execute("select * from nowhere where a = %s", [VALUE]),
    "prepared": prepared,
    "too many parameters": lambda conn: conn.execute("select 1", [VALUE]),
    "too few": lambda conn: conn.execute("select %s, %s", [VALUE]),
    "a missing name": lambda conn: conn.execute("select %(a)s", {"b": VALUE}),
    "a str as parameters": lambda conn: conn.execute("select %s", VALUE),
    "a set as parameters": lambda conn: conn.execute("select %s", {VALUE}),  # type: ignore[arg-type]
    "no adapter": lambda conn: conn.execute("select %s", [Unadaptable()]),
    "no adapter in a list": lambda conn: conn.execute("select %s", [[VALUE, Unadaptable()]]),
    "a mixed list": lambda conn: conn.execute("select %s", [[1, VALUE]]),
    "NUL": lambda conn: conn.execute("select %s", [f"{VALUE}\0"]),
    "a surrogate": lambda conn: conn.execute("select %s", [f"{VALUE}\ud800"]),
    "JSON": lambda conn: conn.execute("select %s", [Jsonb({"a": VALUE, "b": object()})]),
    "a dumper of one's own": lambda conn: conn.execute("select %s", [Stubborn(VALUE)]),
    "executemany": lambda conn: conn.cursor().executemany(FAILS, [(VALUE,), (VALUE,)]),
    "executemany with a bad row": lambda conn: conn.cursor().executemany("select %s", [(VALUE,), (f"{VALUE}\0",)]),
    "executemany with a short row": lambda conn: conn.cursor().executemany("select %s", [(VALUE,), ()]),
    "executemany of nothing": lambda conn: conn.cursor().executemany(VALUE, 5),  # type: ignore[arg-type]
    "batch": lambda conn: conn.batch([("select %s", [VALUE]), (FAILS, [VALUE])]),
    "batch with a bad item": lambda conn: conn.batch([("select %s", [f"{VALUE}\0"])]),
    "batch with a wrong item": lambda conn: conn.batch([("select %s", [VALUE], 7)]),  # type: ignore[list-item]
    "pipeline": pipelined,
    "transaction": in_block,
    "stream": lambda conn: drained(conn.cursor(), FAILS, [VALUE]),
    "stream with a bad value": lambda conn: drained(conn.cursor(), "select %s", [f"{VALUE}\0"]),
    "rows that cannot be made": lambda conn: conn.cursor(row_factory=failing_rows).execute(
        "select 1 where %s::text is not null", [VALUE]
    ),
    "written into the statement": lambda conn: neonps.ClientCursor(conn).execute("select 1/0 where %s <> ''", [VALUE]),
    "with a place in it": lambda conn: neonps.ClientCursor(conn).execute("select nope, %s", [VALUE]),
    "with a place in a literal": lambda conn: conn.execute(sql.SQL("select {}, nope").format(sql.Literal(VALUE))),
    "mogrify": lambda conn: neonps.ClientCursor(conn).mogrify("select %s, %s", [VALUE]),
    "raw": lambda conn: neonps.RawCursor(conn).execute("select 1/0 where $1::text is not null", [VALUE]),
    "copy with parameters": lambda conn: conn.cursor().copy("copy (select %s, %s) to stdout", [VALUE]),
    "a composed statement": lambda conn: conn.execute(sql.SQL("selec {}").format(sql.Literal(VALUE))),
    "without an answer in time": lambda conn: conn.wait(
        conn.cursor()._execute_flow("select pg_sleep(20), %s", [VALUE], None, None), timeout=0.2
    ),
    "a lost session": lambda conn: conn.execute("select pg_terminate_backend(pg_backend_pid()), %s", [VALUE]),
}  # fmt: skip

#: The same, where there is a session.
SESSION_FAILURES: dict[str, Callable[[Connection], Any]] = {
    "copy of a bad row": lambda conn: copied(conn, lambda copy: copy.write_row((f"{VALUE}\ud800", 1))),
    "copy of no row": lambda conn: copied(conn, lambda copy: copy.write_row((VALUE, Unadaptable()))),
    "copy of a wrong row": lambda conn: copied(conn, lambda copy: copy.write_row((VALUE, 2**70)), "(format binary)"),
    "copy of a long row": lambda conn: copied(conn, lambda copy: (copy.set_types([25]), copy.write_row([VALUE, 1]))),
    "copy of a str in binary": lambda conn: copied(conn, lambda copy: copy.write(VALUE), "(format binary)"),
    "a cursor on the server": lambda conn: conn.cursor("c").execute("select * from nowhere where a = %s", [VALUE]),
    "executemany of it": lambda conn: conn.cursor("c").executemany("select %s", [[VALUE]]),
    "stream of it": lambda conn: conn.cursor("c").stream("select %s", [VALUE]),
    "a statement in a copy": lambda conn: copied(conn, lambda copy: conn.execute("select %s", [VALUE])),
    "copy with a place in it": lambda conn: conn.cursor().copy("copy (select nope, %s) to stdout", [VALUE]).__enter__(),
    "as libpq": lambda conn: conn.pgconn.exec_params(VALUE.encode() + b"\0", [VALUE.encode()]),
}  # fmt: skip


@pytest.fixture(scope="module")
def failing(url: str) -> Callable[[str, Callable[[Connection], Any]], str]:
    """Runs what fails on a new connection, and gives all that it has shown."""

    def run(transport: str, failure: Callable[[Connection], Any]) -> str:
        with logged() as parts:
            conn = neonps.connect(url, transport=transport, autocommit=True)
            conn.adapters.register_dumper(Stubborn, StubbornDumper)
            try:
                with pytest.raises(ANYTHING) as caught:
                    failure(conn)
                parts += (shown(caught.value), *looked_into(conn), *looked_into(conn.info), *looked_into(conn.pgconn))
            finally:
                conn.close()
        return "\n".join(parts)

    return run


@pytest.mark.parametrize("name", FAILURES)
def test_a_statement_that_fails(
    failing: Callable[..., str], postgres: EmbeddedPostgres, transport: str, name: str
) -> None:
    check_hidden(failing(transport, FAILURES[name]), VALUE, postgres.password)


@on_sessions
@pytest.mark.parametrize("name", SESSION_FAILURES)
def test_what_fails_in_a_session(
    failing: Callable[..., str], postgres: EmbeddedPostgres, transport: str, name: str
) -> None:
    check_hidden(failing(transport, SESSION_FAILURES[name]), VALUE, postgres.password)


# On asyncio

ASYNC_FAILURES: dict[str, Callable[[Any], Any]] = {
    "the server refuses it": lambda conn: conn.execute(FAILS, [VALUE]),
    "too few": lambda conn: conn.execute("select %s, %s", [VALUE]),
    "a surrogate": lambda conn: conn.execute("select %s", [f"{VALUE}\ud800"]),
    "a dumper of one's own": lambda conn: conn.execute("select %s", [Stubborn(VALUE)]),
    "executemany": lambda conn: conn.cursor().executemany(FAILS, [(VALUE,), (VALUE,)]),
    "batch": lambda conn: conn.batch([("select %s", [VALUE]), (FAILS, [VALUE])]),
    "stream": lambda conn: anext(conn.cursor().stream(FAILS, [VALUE])),
    "cancelled": lambda conn: asyncio.wait_for(conn.execute("select pg_sleep(20), %s", [VALUE]), 0.2),
    "a lost session": lambda conn: conn.execute("select pg_terminate_backend(pg_backend_pid()), %s", [VALUE]),
}


@pytest.mark.parametrize("name", ASYNC_FAILURES)
def test_what_fails_on_asyncio(url: str, postgres: EmbeddedPostgres, transport: str, name: str) -> None:
    async def main() -> None:
        async with await neonps.AsyncConnection.connect(url, transport=transport, autocommit=True) as conn:
            conn.adapters.register_dumper(Stubborn, StubbornDumper)
            with pytest.raises(ANYTHING) as caught:
                await ASYNC_FAILURES[name](conn)
            parts.append(shown(caught.value))

    with logged() as parts:
        asyncio.run(main())
    check_hidden("\n".join(parts), VALUE, postgres.password)


@on_sessions
def test_a_copy_on_asyncio(url: str, postgres: EmbeddedPostgres, transport: str) -> None:
    async def main() -> None:
        async with await neonps.AsyncConnection.connect(url, transport=transport, autocommit=True) as conn:
            await conn.execute("create temp table t (a text, b int)")
            for row in ((f"{VALUE}\ud800", 1), (VALUE, Unadaptable())):
                with pytest.raises(ANYTHING) as caught:
                    async with conn.cursor().copy("copy t from stdin") as copying:
                        await copying.write_row(row)
                parts.append(shown(caught.value))

    with logged() as parts:
        asyncio.run(main())
    check_hidden("\n".join(parts), VALUE, postgres.password)
