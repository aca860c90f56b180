"""What an error says of the outcome where several calls of the user, or several servers, have a part in it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import nullcontext
from itertools import product
from typing import Any

import psycopg
import pytest
from fake_server import FakeServer
from fault_relay import CUTS, DOWN, UP, Fault, FaultRelay
from gateway_client import running, wait_for
from outcomes import INSERT, PROCEDURE, Lose
from refused import elsewhere
from relay import Relay
from transports import Connect, Connection, Numbers, on_sessions, over_http

import neonps
from neonps.conninfo import make_conninfo
from neonps.embedded import EmbeddedPostgres
from neonps.gateway import Gateway, Upstream


@on_sessions
def test_a_stream_of_what_was_written(
    numbers: Numbers, postgres: EmbeddedPostgres, gateway: Gateway, connect: Connect, transport: str
) -> None:
    """The rows are there, and the line is lost at the end of the statement, when it was committed."""
    server = postgres if transport == "tcp" else gateway
    with FaultRelay(server.host, server.port) as relay:
        way = {"port": relay.port} if transport == "tcp" else {"gateway": f"http://127.0.0.1:{relay.port}"}
        plan = relay.arm(None)
        conn = connect(**way, autocommit=True)
        before = plan.carried[DOWN]
        assert list(conn.cursor().stream("insert into numbers values (1) returning a")) == [(1,)]
        plan.fault = Fault("fin", DOWN, 2 * plan.carried[DOWN] - before - 1)
        with pytest.raises(neonps.OperationalError, match="It is unknown whether"):
            list(conn.cursor().stream("insert into numbers values (2) returning a"))
        assert numbers() == [1, 2]


@on_sessions
def test_the_end_of_a_copy(numbers: Numbers, relayed: Connect, relay: Relay, lose: Lose) -> None:
    conn = relayed(autocommit=True)

    def load() -> None:
        with conn.cursor().copy("copy numbers (a) from stdin") as copy:
            copy.write_row([1])
            relay.mute()

    lose(load, lambda: numbers() == [1])


@on_sessions
def test_a_copy_without_an_end(numbers: Numbers, relayed: Connect, relay: Relay) -> None:
    """Until it hears of the end the server does nothing; and nobody writes on and on to a line that is lost."""
    conn = relayed(autocommit=True)

    def load() -> None:
        with conn.cursor().copy("copy numbers (a) from stdin") as copy:
            for number in range(3_000_000):
                if number == 100_000:
                    relay.cut()
                copy.write_row([number])
        raise AssertionError("the line was not missed")

    with pytest.raises(neonps.OperationalError) as caught:
        load()
    assert "unknown" not in str(caught.value)
    assert numbers() == []


@on_sessions
@pytest.mark.parametrize(
    ("statement", "in_pipeline"),
    [
        ("commit", False),
        (" /* now */ END", False),
        ("insert into numbers values (2); commit;", False),
        ("commit", True),
        (" /* now */ END", True),
    ],
)
def test_a_transaction_that_the_program_ends_by_a_statement(
    numbers: Numbers,
    relayed: Connect,
    relay: Relay,
    lose: Lose,
    statement: str,
    in_pipeline: bool,
) -> None:
    conn = relayed(autocommit=True)
    conn.execute("begin")
    conn.execute(INSERT)
    relay.mute()

    def end() -> None:
        with conn.pipeline() if in_pipeline else nullcontext():
            conn.execute(statement)

    lose(end, lambda: 1 in numbers(), "It is unknown whether the transaction was committed")


#: Statements after which a 1 is there although the rest of them fails; each takes so long, in seconds.
ALONE = [
    "call fill_and_fail(1, {nap})",
    "do $$ begin insert into numbers values (1); commit; perform pg_sleep({nap}); perform 1 / 0; end $$",
    "do $$ begin call fill_and_fail(1, {nap}); end $$",
]


#: The same, and several in one text, which HTTP does not take.
PARTLY = [
    *ALONE,
    "begin; insert into numbers values (1); commit; select pg_sleep({nap}); select 1 / 0",
    "insert into numbers values (1); commit; select pg_sleep({nap}); select 1 / 0",
]


@pytest.mark.parametrize(
    ("transport", "statement"),
    [*product(["tcp", "websocket"], PARTLY), *product(["http"], ALONE)],
)
def test_an_error_behind_a_commit(
    numbers: Numbers, auto: Connection, admin: psycopg.Connection[Any], transport: str, statement: str
) -> None:
    """A part of what one call has sent is committed, and the rest of it fails."""
    admin.execute(PROCEDURE)
    with pytest.raises(neonps.errors.DivisionByZero) as caught:
        auto.execute(statement.format(nap=0))
    assert numbers() == [1]
    assert caught.value.outcome_unknown


@on_sessions
@pytest.mark.parametrize("statement", PARTLY)
def test_the_time_is_over_behind_a_commit(
    numbers: Numbers, auto: Connection, admin: psycopg.Connection[Any], statement: str
) -> None:
    """What was cancelled is what was left, and nothing else is undone."""
    admin.execute(PROCEDURE)
    auto.timeout = 0.3
    with pytest.raises(neonps.OperationalError, match="it was cancelled") as caught:
        auto.execute(statement.format(nap=100))
    assert numbers() == [1]
    assert caught.value.outcome_unknown


@on_sessions
@pytest.mark.parametrize("statement", PARTLY)
def test_a_session_that_is_ended_behind_a_commit(
    numbers: Numbers,
    auto: Connection,
    admin: psycopg.Connection[Any],
    in_thread: Callable[..., Future[Any]],
    statement: str,
) -> None:
    admin.execute(PROCEDURE)
    future = in_thread(lambda: auto.execute(statement.format(nap=100)))
    wait_for(lambda: numbers() == [1])
    admin.execute("select pg_terminate_backend(%s)", [auto.info.backend_pid])
    with pytest.raises(neonps.errors.AdminShutdown) as caught:
        future.result()
    assert caught.value.outcome_unknown


@on_sessions
@pytest.mark.parametrize(
    "statement",
    [
        "insert into numbers values (1); select 1 / 0",
        "do $$ begin insert into numbers values (1); perform 1 / 0; end $$",
    ],
)
def test_an_error_without_a_commit(numbers: Numbers, auto: Connection, statement: str) -> None:
    with pytest.raises(neonps.errors.DivisionByZero) as caught:
        auto.execute(statement)
    assert not caught.value.outcome_unknown
    assert numbers() == []


@on_sessions
def test_executemany_of_a_procedure(numbers: Numbers, auto: Connection, admin: psycopg.Connection[Any]) -> None:
    admin.execute(PROCEDURE)
    with pytest.raises(neonps.errors.DivisionByZero) as caught:
        auto.cursor().executemany("call fill_and_fail(%s, 0)", [(1,), (2,)])
    assert numbers() == [1]
    assert caught.value.outcome_unknown


@on_sessions
@pytest.mark.parametrize("autocommit", [False, True])
@pytest.mark.parametrize("statement", [f"{INSERT}; copy numbers to stdout", f"copy ({INSERT} returning a) to stdout"])
def test_a_copy_that_is_refused_when_it_is_over(
    numbers: Numbers, connect: Connect, autocommit: bool, statement: str
) -> None:
    conn = connect(autocommit=autocommit)
    with pytest.raises(neonps.ProgrammingError, match="use copy") as caught:
        conn.execute(statement)
    assert caught.value.outcome_unknown is autocommit
    assert numbers() == [1] * autocommit
    conn.rollback()


@on_sessions
def test_copy_of_what_is_no_copy(numbers: Numbers, auto: Connection) -> None:
    with pytest.raises(neonps.ProgrammingError, match="got COMMAND_OK") as caught, auto.cursor().copy(INSERT):
        pass
    assert numbers() == [1]
    assert caught.value.outcome_unknown


@pytest.mark.parametrize("transport", ["tcp", "websocket", "http"])
def test_a_stream_without_rows(numbers: Numbers, auto: Connection, transport: str) -> None:
    with pytest.raises(neonps.ProgrammingError, match="didn't produce a result") as caught:
        list(auto.cursor().stream(INSERT))
    assert numbers() == [1]
    assert caught.value.outcome_unknown


@pytest.mark.parametrize("transport", ["tcp", "websocket", "http"])
def test_a_stream_of_rows_that_cannot_be_loaded(numbers: Numbers, auto: Connection, transport: str) -> None:
    with pytest.raises(neonps.DataError) as caught:
        list(auto.cursor().stream(f"{INSERT} returning 'infinity'::date"))
    assert numbers() == [1]
    assert caught.value.outcome_unknown


@pytest.mark.parametrize("transport", ["tcp", "websocket", "http"])
def test_the_same_with_asyncio(numbers: Numbers, url: str, transport: str) -> None:
    async def use() -> None:
        async with await neonps.AsyncConnection.connect(url, transport=transport, autocommit=True) as conn:
            with pytest.raises(neonps.DataError) as caught:
                [row async for row in conn.cursor().stream(f"{INSERT} returning 'infinity'::date")]
            assert caught.value.outcome_unknown

    asyncio.run(use())
    assert numbers() == [1]


@over_http
def test_a_stream_of_a_transaction_that_only_reads(connect: Connect) -> None:
    with pytest.raises(neonps.DataError) as caught:
        list(connect().cursor().stream("select 'infinity'::date"))
    assert not caught.value.outcome_unknown


def test_a_call_whose_rows_cannot_be_loaded(numbers: Numbers, url: str) -> None:
    """It is one call for the program, and has taken effect."""
    with neonps.neon(url) as sql:
        with pytest.raises(neonps.DataError) as caught:
            sql(f"{INSERT} returning 'infinity'::date")
        assert caught.value.outcome_unknown
        assert numbers() == [1]
        with pytest.raises(neonps.DataError) as caught:
            sql.transaction(["select 'infinity'::date"], read_only=True)
        assert not caught.value.outcome_unknown


@on_sessions
@pytest.mark.parametrize("what", ["prepare", "commit", "commit later", "rollback"])
def test_two_phase_commit(
    numbers: Numbers,
    relayed: Connect,
    relay: Relay,
    admin: psycopg.Connection[Any],
    lose: Lose,
    what: str,
) -> None:
    conn = relayed()
    xid = conn.xid(1, "outcome", what)
    conn.tpc_begin(xid)
    conn.execute(INSERT)
    if what != "prepare":
        conn.tpc_prepare()
    if what == "commit later":
        conn = relayed()
    calls = {
        "prepare": conn.tpc_prepare,
        "commit": conn.tpc_commit,
        "commit later": lambda: conn.tpc_commit(xid),
        "rollback": conn.tpc_rollback,
    }
    relay.mute()
    prepared = "select count(*) from pg_prepared_xacts"
    try:
        lose(calls[what], lambda: admin.execute(prepared).fetchone() == (int(what == "prepare"),))
    finally:
        if what == "prepare":
            admin.execute(f"rollback prepared '{xid}'")


@on_sessions
@pytest.mark.parametrize("way", ["pgconn", "cursor"])
def test_other_ways_to_run_a_statement(
    numbers: Numbers,
    relayed: Connect,
    relay: Relay,
    admin: psycopg.Connection[Any],
    lose: Lose,
    way: str,
) -> None:
    admin.execute(f"create or replace function insert_one() returns int language sql as '{INSERT} returning a'")
    conn = relayed(autocommit=True)
    calls: dict[str, Callable[[], object]] = {
        "pgconn": lambda: conn.pgconn.exec_(INSERT.encode()),
        "cursor": lambda: conn.cursor("here", withhold=True).execute("select insert_one()"),
    }
    relay.mute()
    lose(calls[way], lambda: numbers() == [1])


@on_sessions
@pytest.mark.parametrize("end", ["rollback", "abort"])
def test_a_statement_behind_the_end_of_a_transaction(
    numbers: Numbers, relayed: Connect, relay: Relay, lose: Lose, end: str
) -> None:
    """In one text it is a transaction of its own, which nobody has to commit."""
    conn = relayed()
    conn.execute(INSERT)
    relay.mute()
    lose(lambda: conn.execute(f"{end}; insert into numbers values (2)"), lambda: numbers() == [2])


@on_sessions
@pytest.mark.parametrize("in_block", [False, True])
def test_a_statement_that_cannot_be_cancelled(numbers: Numbers, auto: Connection, in_block: bool) -> None:
    """The time is over, and yet it has taken effect; in a transaction that is open, it has not."""
    nap = "begin perform pg_sleep(100); exception when query_canceled then null; end"
    auto.timeout = 0.2
    if in_block:
        auto.execute("begin")
    with pytest.raises(neonps.OperationalError, match="had been completed before it could be cancelled") as caught:
        auto.execute(f"do $$ begin {nap}; {INSERT}; end $$")
    assert caught.value.outcome_unknown is not in_block
    assert numbers() == ([] if in_block else [1])


@over_http
def test_a_transaction_that_turns_out_to_write(numbers: Numbers, relayed: Connect, relay: Relay, lose: Lose) -> None:
    conn = relayed(autocommit=True)
    conn.read_only = True
    with pytest.raises(neonps.errors.ReadOnlySqlTransaction) as caught:
        conn.batch([INSERT])
    assert not caught.value.outcome_unknown
    relay.mute()
    lose(lambda: conn.batch(["set transaction read write", INSERT]), lambda: numbers() == [1])


@over_http
def test_a_transaction_that_only_reads_until_that_is_reset(transport: str) -> None:
    """Until version 15 Postgres lets a batch do so."""
    with FakeServer(b"") as server:
        with neonps.connect(**elsewhere(transport, "127.0.0.1", server.port)) as conn:
            with pytest.raises(neonps.OperationalError, match="It is unknown whether") as caught:
                conn.batch(["reset transaction_read_only", INSERT], read_only=True)
            assert caught.value.outcome_unknown


@over_http
def test_the_time_is_over_behind_a_request_that_has_committed(numbers: Numbers, auto: Connection) -> None:
    """A batch has a pipeline run what it has collected so far, and that is part of the same call."""
    auto.timeout = 1
    with auto.pipeline():
        auto.execute(INSERT)
        with pytest.raises(neonps.OperationalError, match="It is unknown whether") as caught:
            auto.batch(["select pg_sleep(100)"], read_only=True)
    assert numbers() == [1]
    assert caught.value.outcome_unknown


@pytest.mark.parametrize("kind", CUTS)
def test_a_gateway_that_loses_postgres(postgres: EmbeddedPostgres, numbers: Numbers, kind: str) -> None:
    """Whatever it was about, the driver does not take it for an error of Postgres, after which nothing is done."""
    with (
        FaultRelay(postgres.host, postgres.port) as relay,
        running(Gateway(Upstream(make_conninfo(postgres.url, port=relay.port)))) as gateway,
        neonps.connect(postgres.url, transport="http", gateway=gateway.url, port=relay.port) as conn,
    ):
        conn.execute("select 1")
        plan = relay.arm(None)
        conn.batch([INSERT])
        size = plan.carried[UP]
        assert numbers() == [1]
        told = []
        for offset in range(size - 12, size + 1):
            relay.arm(Fault(kind, UP, offset))
            try:
                conn.batch([f"insert into numbers values ({offset})"])
            except neonps.OperationalError as error:
                told.append((offset, error.outcome_unknown))
            relay.arm(None)
        done = numbers()
        assert not [offset for offset, unknown in told if offset in done and not unknown]
        assert told


@on_sessions
@pytest.mark.parametrize("how", ["stream", "copy"])
def test_what_cannot_be_stopped(numbers: Numbers, auto: Connection, how: str) -> None:
    """The server cannot be asked, and may have done all of it, so that the connection is given up."""

    def canceller(pid: int, key: bytes) -> Any:
        raise neonps.OperationalError("no way to the server")
        yield

    auto._transport.session("a test").canceller = canceller
    many = "insert into numbers select generate_series(1, 50000) returning a"

    def use() -> None:
        if how == "stream":
            rows = auto.cursor().stream(many)
            next(rows)
            rows.close()
        else:
            with auto.cursor().copy(f"copy ({many}) to stdout") as copy:
                copy.read()

    with pytest.raises(neonps.OperationalError, match="It is unknown whether") as caught:
        use()
    assert caught.value.outcome_unknown
    assert auto.broken


@on_sessions
@pytest.mark.parametrize("how", ["stream", "copy"])
def test_a_connection_that_is_closed_in_the_middle(numbers: Numbers, auto: Connection, how: str) -> None:
    many = "insert into numbers select generate_series(1, 50000) returning a"

    def use() -> None:
        if how == "stream":
            rows = auto.cursor().stream(many)
            next(rows)
            auto.close()
            list(rows)
        else:
            with auto.cursor().copy(f"copy ({many}) to stdout") as copy:
                copy.read()
                auto.close()
                copy.read()

    with pytest.raises(neonps.OperationalError, match="the connection is closed") as caught:
        use()
    assert caught.value.outcome_unknown
    with pytest.raises(neonps.OperationalError) as caught:
        auto.execute("select 1")
    assert not caught.value.outcome_unknown


@on_sessions
def test_a_commit_that_is_refused(numbers: Numbers, relayed: Connect, relay: Relay) -> None:
    """It has not ended anything, so that nothing is unknown when the line is lost."""
    conn = relayed()
    conn.execute("select 1")
    rows = conn.cursor().stream("select generate_series(1, 1000000)")
    next(rows)
    with pytest.raises(neonps.OperationalError, match="already in progress"):
        conn.commit()
    relay.cut()
    with pytest.raises(neonps.OperationalError) as caught:
        list(rows)
    assert not caught.value.outcome_unknown
