"""Blocks of `conn.transaction()` within blocks, which are savepoints, on the transports with sessions."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from transports import Connection, Numbers, on_sessions, status

import neonps
from neonps import Rollback, errors
from neonps.transaction import OutOfOrderTransactionNesting

pytestmark = on_sessions

INSERT = "insert into numbers values (%s)"


def test_an_inner_block_is_a_savepoint(numbers: Numbers, auto: Connection) -> None:
    with auto.transaction() as outer:
        auto.execute(INSERT, [1])
        with pytest.raises(errors.UniqueViolation), auto.transaction() as inner:
            auto.execute(INSERT, [2])
            auto.execute(INSERT, [1])
        assert inner.status is inner.Status.ROLLED_BACK_WITH_ERROR
        assert status(auto) == "INTRANS"
        with auto.transaction():
            auto.execute(INSERT, [3])
            with auto.transaction(force_rollback=True):
                auto.execute(INSERT, [4])
        assert numbers() == []
    assert outer.savepoint_name is None
    assert inner.savepoint_name
    assert numbers() == [1, 3]


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_rollback_of_an_outer_block_leaves_all_within_it(numbers: Numbers, auto: Connection, depth: int) -> None:
    with auto.transaction() as first:
        auto.execute(INSERT, [1])
        with auto.transaction() as second:
            auto.execute(INSERT, [2])
            with auto.transaction() as third:
                auto.execute(INSERT, [3])
                raise Rollback([first, second, third][depth - 1])
            auto.execute(INSERT, [4])
        auto.execute(INSERT, [5])
    assert numbers() == {1: [], 2: [1, 5], 3: [1, 2, 4, 5]}[depth]
    assert status(auto) == "IDLE"


def test_a_rollback_of_another_block_goes_on(auto: Connection) -> None:
    other = auto.transaction()
    with pytest.raises(Rollback) as caught, auto.transaction():
        raise Rollback(other)
    assert caught.value.transaction is other
    assert status(auto) == "IDLE"


def test_a_block_in_a_transaction_that_is_open_does_not_end_it(numbers: Numbers, conn: Connection) -> None:
    conn.execute(INSERT, [1])
    with conn.transaction() as block:
        conn.execute(INSERT, [2])
    assert block.savepoint_name
    assert status(conn) == "INTRANS"
    assert numbers() == []
    with conn.transaction():
        conn.execute(INSERT, [3])
        raise Rollback
    conn.commit()
    assert numbers() == [1, 2]


def test_names_of_savepoints(numbers: Numbers, auto: Connection) -> None:
    name = 'a "strange" name; --'
    with auto.transaction(), auto.transaction(savepoint_name=name) as block:
        auto.execute(INSERT, [1])
        with pytest.raises(errors.DivisionByZero), auto.transaction(savepoint_name=name):
            auto.execute(INSERT, [2])
            auto.execute("select 1 / 0")
    assert block.savepoint_name == name
    assert name in repr(block)
    assert numbers() == [1]
    with auto.transaction(savepoint_name="outermost"):
        auto.execute(INSERT, [5])
    assert numbers() == [1, 5]
    assert status(auto) == "IDLE"


def test_a_block_in_a_failed_transaction_is_not_entered(conn: Connection) -> None:
    with pytest.raises(errors.DivisionByZero):
        conn.execute("select 1 / 0")
    with pytest.raises(errors.InFailedSqlTransaction), conn.transaction():
        pytest.fail("entered")
    conn.rollback()
    with conn.transaction():
        assert conn.execute("select 1").fetchone() == (1,)


@pytest.mark.parametrize("used", [True, False])
def test_blocks_that_are_left_out_of_order(numbers: Numbers, auto: Connection, used: bool) -> None:
    outer, inner = auto.transaction(), auto.transaction()
    outer.__enter__()
    inner.__enter__()
    if used:
        auto.execute(INSERT, [1])
    with pytest.raises(OutOfOrderTransactionNesting, match="wrong nesting level"):
        outer.__exit__(None, None, None)
    assert issubclass(OutOfOrderTransactionNesting, neonps.ProgrammingError)
    inner.__exit__(None, None, None)
    outer.__exit__(None, None, None)
    assert numbers() == ([1] if used else [])
    with pytest.raises(OutOfOrderTransactionNesting, match="left already"):
        outer.__exit__(None, None, None)
    assert status(auto) == "IDLE"


def test_what_a_user_does_to_the_savepoint(numbers: Numbers, auto: Connection) -> None:
    """The block cannot be ended as it should; the outer one still can."""
    with auto.transaction():
        auto.execute(INSERT, [1])
        with pytest.raises(errors.InvalidSavepointSpecification), auto.transaction("mine"):
            auto.execute(INSERT, [2])
            auto.execute("release savepoint mine")
        raise Rollback
    assert status(auto) == "IDLE"
    assert numbers() == []


def test_blocks_do_the_same_as_those_of_psycopg(
    numbers: Numbers, auto: Connection, admin: psycopg.Connection[Any]
) -> None:
    """Every way through three nested blocks, left by nothing, by an error of the server, or by Rollback."""

    def run(conn: Any, rollback: type[Exception], ends: tuple[str, ...]) -> tuple[list[Any], str]:
        def enter(depth: int) -> None:
            if depth == len(ends):
                return
            with conn.transaction():
                conn.execute(INSERT, [depth * 10])
                try:
                    enter(depth + 1)
                finally:
                    if ends[depth] == "error":
                        conn.execute("select 1 / 0")
                conn.execute(INSERT, [depth * 10 + 1])
                if ends[depth] == "rollback":
                    raise rollback

        try:
            enter(0)
            raised = ""
        except Exception as error:
            raised = type(error).__name__
        rows = conn.execute("delete from numbers returning a").fetchall()
        return sorted(rows), raised

    ways = ("end", "error", "rollback")
    for ends in [(a, b, c) for a in ways for b in ways for c in ways]:
        assert run(auto, Rollback, ends) == run(admin, psycopg.Rollback, ends), ends
