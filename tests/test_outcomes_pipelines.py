"""What an error says of the outcome in pipelines and batches."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from outcomes import INSERT, PROCEDURE, Lose
from relay import Relay
from transports import Connect, Connection, Numbers, on_sessions

import neonps


@on_sessions
def test_a_pipeline_that_the_login_is_left_to(numbers: Numbers, relayed: Connect, relay: Relay, lose: Lose) -> None:
    """Its end commits what was sent, though the server has not said yet that no transaction is open."""
    conn = relayed(autocommit=True, lazy=True)

    def write() -> None:
        with conn.pipeline():
            conn.execute(INSERT)
            relay.mute()

    lose(write, lambda: numbers() == [1])


@on_sessions
@pytest.mark.parametrize(
    ("statements", "kept"),
    [
        (["begin", INSERT, "commit", "select 1 / 0"], True),
        (["call fill_and_fail(1, 0)"], True),
        ([INSERT, "select 1 / 0"], False),
        (["begin", INSERT, "rollback", "select 1 / 0"], False),
    ],
)
def test_an_error_in_a_pipeline(
    numbers: Numbers, auto: Connection, admin: psycopg.Connection[Any], statements: list[str], kept: bool
) -> None:
    admin.execute(PROCEDURE)

    def use() -> None:
        with auto.pipeline():
            for statement in statements:
                auto.execute(statement)

    with pytest.raises(neonps.errors.DivisionByZero) as caught:
        use()
    assert caught.value.outcome_unknown is kept
    assert numbers() == [1] * kept


@on_sessions
@pytest.mark.parametrize(
    ("begin", "statements"),
    [
        ("begin", ["commit"]),
        ("select", ["select 1", "call fill_and_fail(1, 0)", f"select '{'x' * 1_000_000}'"]),  # before its Sync
    ],
)
def test_a_pooler_that_loses_the_server_in_a_pipeline(
    numbers: Numbers, auto: Connection, admin: psycopg.Connection[Any], begin: str, statements: list[str]
) -> None:
    """What it answers comes first, and yet the server may have got to what is behind that, and committed it."""
    admin.execute(PROCEDURE)
    fields = b"SFATAL\0VFATAL\0C08006\0Mserver conn crashed?\0\0"
    auto.execute(begin)
    machine = auto._transport.session("a test").machine

    def end() -> None:
        with auto.pipeline():
            for statement in statements:
                auto.execute(statement)
                if statement == statements[0]:
                    machine.receive(b"E" + (4 + len(fields)).to_bytes(4, "big") + fields)

    with pytest.raises(neonps.OperationalError, match="It is unknown whether") as caught:
        end()
    assert caught.value.outcome_unknown


@on_sessions
@pytest.mark.parametrize("autocommit", [True, False])
def test_a_row_factory_that_fails_in_a_pipeline(numbers: Numbers, connect: Connect, autocommit: bool) -> None:
    """The other statements have taken effect, the connection goes on, and what comes later can be undone."""
    conn = connect(autocommit=autocommit)
    wrong, right = conn.cursor(row_factory=neonps.rows.scalar_row), conn.cursor()

    def use() -> None:
        with conn.pipeline():
            wrong.execute("select from pg_class")
            right.execute(f"{INSERT} returning a")
            conn.commit()

    with pytest.raises(neonps.ProgrammingError) as caught:
        use()
    assert caught.value.outcome_unknown
    assert numbers() == [1]
    assert right.fetchall() == [(1,)]
    conn.autocommit = False
    conn.execute("insert into numbers values (2)")
    conn.rollback()
    assert numbers() == [1]


@pytest.mark.parametrize("transport", ["tcp", "websocket", "http"])
def test_a_row_factory_that_fails_in_a_batch(numbers: Numbers, auto: Connection, transport: str) -> None:
    auto.row_factory = neonps.rows.scalar_row
    with pytest.raises(neonps.ProgrammingError) as caught:
        auto.batch([INSERT, "select from numbers"])
    assert numbers() == [1]
    assert caught.value.outcome_unknown


@on_sessions
def test_what_does_not_wait_for_the_sync_of_a_pipeline(auto: Connection, admin: psycopg.Connection[Any]) -> None:
    def use() -> None:
        with auto.pipeline():
            auto.execute("create database made_in_a_pipeline")
            auto.execute("select 1 / 0")

    try:
        with pytest.raises(neonps.errors.DivisionByZero) as caught:
            use()
        assert admin.execute("select 1 from pg_database where datname = 'made_in_a_pipeline'").fetchone() == (1,)
        assert caught.value.outcome_unknown
    finally:
        admin.execute("drop database if exists made_in_a_pipeline")


@on_sessions
@pytest.mark.parametrize("how", ["pipeline", "batch"])
def test_what_comes_behind_a_rollback(numbers: Numbers, relayed: Connect, relay: Relay, lose: Lose, how: str) -> None:
    """It is no part of the transaction that was open."""
    conn = relayed()
    conn.execute(INSERT)
    relay.mute()

    def use() -> None:
        if how == "batch":
            conn.batch(["rollback", "insert into numbers values (2)"])
            return
        with conn.pipeline():
            conn.execute("rollback")
            conn.execute("insert into numbers values (2)")

    lose(use, lambda: numbers() == [2])


@on_sessions
@pytest.mark.parametrize("how", ["pipeline", "batch"])
def test_a_procedure_behind_a_rollback(
    numbers: Numbers, connect: Connect, admin: psycopg.Connection[Any], how: str
) -> None:
    admin.execute(PROCEDURE)
    conn = connect()
    conn.execute("insert into numbers values (2)")

    def use() -> None:
        if how == "batch":
            conn.batch(["rollback", "call fill_and_fail(1, 0)"])
            return
        with conn.pipeline():
            conn.execute("rollback")
            conn.execute("call fill_and_fail(1, 0)")

    with pytest.raises(neonps.errors.DivisionByZero) as caught:
        use()
    assert numbers() == [1]
    assert caught.value.outcome_unknown


@on_sessions
def test_a_procedure_in_a_batch(numbers: Numbers, auto: Connection, admin: psycopg.Connection[Any]) -> None:
    """There it cannot commit."""
    admin.execute(PROCEDURE)
    with pytest.raises(neonps.DatabaseError) as caught:
        auto.batch([INSERT, "call fill_and_fail(2, 0)"])
    assert not caught.value.outcome_unknown
    assert numbers() == []
