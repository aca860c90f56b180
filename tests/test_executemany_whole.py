"""executemany() in autocommit: all rows or none, and nothing is called unknown that cannot have taken effect."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import pytest
from relay import Relay
from transports import Connect, Numbers, on_sessions

import neonps

INSERT = "insert into numbers values (%s)"


def parameters_and_a_cut(relay: Relay) -> Iterator[tuple[int, str]]:
    """Some pieces of parameters, then the line is lost, then so many more that it is missed."""
    for number in range(100_000):
        if number == 1000:
            relay.cut()
        yield number, "x" * 1000
    raise AssertionError("the line was not missed")


@on_sessions
@pytest.mark.parametrize("returning", [False, True])
@pytest.mark.parametrize("statement", ["insert", "/* into a table */ with new as (select 1) insert"])
def test_a_line_that_is_lost_before_the_end(
    numbers: Numbers, relayed: Connect, relay: Relay, returning: bool, statement: str
) -> None:
    """Without a Sync the server commits nothing."""
    conn = relayed(autocommit=True)
    query = f"{statement} into numbers select %s where length(%s) > 0"
    with pytest.raises(neonps.OperationalError) as caught:
        conn.cursor().executemany(query, parameters_and_a_cut(relay), returning=returning)
    assert not caught.value.outcome_unknown
    assert "unknown" not in str(caught.value)
    assert numbers() == []


@on_sessions
@pytest.mark.parametrize("statement", ["call fill(%s, %s)", "do $$ begin end $$ /* %s %s */"])
def test_what_does_not_wait_for_the_end(relayed: Connect, relay: Relay, statement: str) -> None:
    """A procedure could commit; and what is not known to wait is taken for what does not."""
    conn = relayed(autocommit=True, cursor_factory=neonps.ClientCursor)
    conn.execute("create procedure pg_temp.fill(int, text) language sql begin atomic end")
    with pytest.raises(neonps.OperationalError, match="It is unknown whether") as caught:
        conn.cursor().executemany(statement.replace("fill", "pg_temp.fill"), parameters_and_a_cut(relay))
    assert caught.value.outcome_unknown


@on_sessions
def test_in_a_transaction(relayed: Connect, relay: Relay) -> None:
    conn = relayed()
    conn.execute("create temp table t (a int, b text)")
    with pytest.raises(neonps.OperationalError, match="The transaction that was open is rolled back") as caught:
        conn.cursor().executemany("insert into t values (%s, %s)", parameters_and_a_cut(relay))
    assert not caught.value.outcome_unknown


def fails_in_between() -> Iterator[tuple[int]]:
    yield (1,)
    yield (2,)
    raise ZeroDivisionError


@pytest.mark.parametrize("transport", ["tcp", "websocket", "http"])
@pytest.mark.parametrize("returning", [False, True])
@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: [(1,), (2,), (object(),)], neonps.ProgrammingError),
        (lambda: [(1,), (2,), (3, 4)], neonps.ProgrammingError),
        (fails_in_between, ZeroDivisionError),
    ],
)
def test_parameters_that_cannot_be_sent_in_a_pipeline(
    numbers: Numbers, connect: Connect, make: Any, error: type[Exception], returning: bool, transport: str
) -> None:
    conn = connect(autocommit=True)
    with conn.pipeline():
        conn.execute(INSERT, [7])
        with pytest.raises(error):
            conn.cursor().executemany(INSERT, make(), returning=returning)
        conn.execute(INSERT, [8])
    assert numbers() == [7, 8]


@on_sessions
@pytest.mark.parametrize("in_pipeline", [False, True])
def test_a_task_is_cancelled_between_two_pieces(numbers: Numbers, url: str, transport: str, in_pipeline: bool) -> None:
    rows = [(number, "x" * 1000) for number in range(2000)]

    async def main() -> None:
        async with await neonps.AsyncConnection.connect(url, transport=transport, autocommit=True) as conn:

            async def run() -> None:
                async with conn.pipeline() if in_pipeline else nullcontext():
                    query = "insert into numbers select %s where length(%s) > 0"
                    await conn.cursor().executemany(query, rows)

            task = asyncio.create_task(run())
            for _ in range(12):
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(main())
    assert numbers() == []


@on_sessions
def test_rows_of_different_types_in_a_pipeline(numbers: Numbers, connect: Connect) -> None:
    """Each is sent as it was, though all are dumped before the first is sent."""
    conn = connect(autocommit=True)
    with conn.pipeline():
        cursor = conn.cursor()
        cursor.executemany("select pg_typeof(%s)::text", [(1,), (2.5,), (1 << 40,), (2,)], returning=True)
        found = [each.fetchone() for each in cursor.results()]
    assert found == [("smallint",), ("double precision",), ("bigint",), ("smallint",)]
