"""What an error says of the outcome where several calls of the user, or several servers, have a part in it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from contextlib import nullcontext
from typing import Any

import psycopg
import pytest
from fault_relay import CUTS, DOWN, UP, Fault, FaultRelay
from gateway_client import running, wait_for
from relay import Relay
from transports import Connect, Connection, Numbers, on_sessions, over_http

import neonps
from neonps.conninfo import make_conninfo
from neonps.embedded import EmbeddedPostgres
from neonps.flows.stake import may_commit
from neonps.gateway import Gateway, Upstream

INSERT = "insert into numbers values (1)"


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
def test_a_pipeline_that_the_login_is_left_to(
    numbers: Numbers, relayed: Connect, relay: Relay, in_thread: Callable[..., Future[Any]]
) -> None:
    """Its end commits what was sent, though the server has not said yet that no transaction is open."""
    conn = relayed(autocommit=True, lazy=True)

    def write() -> None:
        with conn.pipeline():
            conn.execute(INSERT)
            relay.mute()

    future = in_thread(write)
    wait_for(lambda: numbers() == [1])
    relay.cut()
    with pytest.raises(neonps.OperationalError, match="It is unknown whether"):
        future.result()


@on_sessions
def test_the_end_of_a_copy(
    numbers: Numbers, relayed: Connect, relay: Relay, in_thread: Callable[..., Future[Any]]
) -> None:
    conn = relayed(autocommit=True)

    def load() -> None:
        with conn.cursor().copy("copy numbers (a) from stdin") as copy:
            copy.write_row([1])
            relay.mute()

    future = in_thread(load)
    wait_for(lambda: numbers() == [1])
    relay.cut()
    with pytest.raises(neonps.OperationalError, match="It is unknown whether"):
        future.result()


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
@pytest.mark.parametrize("in_pipeline", [False, True])
@pytest.mark.parametrize("statement", ["commit", " /* now */ END", "insert into numbers values (2); commit;"])
def test_a_transaction_that_the_program_ends_by_a_statement(
    numbers: Numbers,
    relayed: Connect,
    relay: Relay,
    in_thread: Callable[..., Future[Any]],
    statement: str,
    in_pipeline: bool,
) -> None:
    if in_pipeline and ";" in statement:
        return  # there each has to be on its own
    conn = relayed(autocommit=True)
    conn.execute("begin")
    conn.execute(INSERT)
    relay.mute()

    def end() -> None:
        with conn.pipeline() if in_pipeline else nullcontext():
            conn.execute(statement)

    future = in_thread(end)
    wait_for(lambda: 1 in numbers())
    relay.cut()
    with pytest.raises(neonps.OperationalError, match="It is unknown whether the transaction was committed") as caught:
        future.result()
    assert caught.value.outcome_unknown


@on_sessions
@pytest.mark.parametrize("what", ["prepare", "commit", "commit later", "rollback"])
def test_two_phase_commit(
    numbers: Numbers,
    relayed: Connect,
    relay: Relay,
    admin: psycopg.Connection[Any],
    in_thread: Callable[..., Future[Any]],
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
    future = in_thread(calls[what])
    prepared = "select count(*) from pg_prepared_xacts"
    wait_for(lambda: admin.execute(prepared).fetchone() == (int(what == "prepare"),))
    relay.cut()
    try:
        with pytest.raises(neonps.OperationalError, match="It is unknown whether") as caught:
            future.result()
        assert caught.value.outcome_unknown
    finally:
        if what == "prepare":
            admin.execute(f"rollback prepared '{xid}'")


@pytest.mark.parametrize(
    ("statement", "can"),
    [
        ("commit", True),
        ("COMMIT AND CHAIN", True),
        ("-- at last\nend", True),
        ("prepare transaction 'x'", True),
        ("insert into t values (1);commit", True),
        ("select 1; select case when true then 1 end", True),  # nobody looks so closely
        ("", False),
        ("select case when true then 1 end;", False),
        ("insert into t values ('commit')", False),
        ("insert into t values (1); insert into t values ('; commit;')", False),
        ("rollback", False),
    ],
)
def test_what_can_commit(statement: str, can: bool) -> None:
    assert may_commit(statement) is can


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
def test_the_status_of_a_block_whose_request_was_lost(
    numbers: Numbers, relayed: Connect, relay: Relay, in_thread: Callable[..., Future[Any]]
) -> None:
    """The connection is not closed over HTTP, which does not mean that the block was rolled back."""
    conn = relayed()
    block = conn.transaction()

    def use() -> None:
        with block:
            conn.execute(INSERT)
            relay.mute()

    future = in_thread(use)
    wait_for(lambda: numbers() == [1])
    relay.cut()
    with pytest.raises(neonps.OperationalError, match="It is unknown whether"):
        future.result()
    assert block.status is neonps.Transaction.Status.FAILED


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
