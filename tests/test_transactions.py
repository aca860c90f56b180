"""Transactions: commit and rollback, `autocommit`, and blocks of `conn.transaction()`, on every transport."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from relay import Relay
from transports import Connect, Connection, Numbers, on_sessions, status

import neonps
from neonps import IsolationLevel, Rollback, errors

INSERT = "insert into numbers values (%s)"


class Surprise(Exception):
    pass


# autocommit


def test_autocommit_is_off_by_default(numbers: Numbers, conn: Connection) -> None:
    assert conn.autocommit is False
    conn.execute(INSERT, [1])
    assert numbers() == []
    assert status(conn) == "INTRANS"
    conn.rollback()
    assert status(conn) == "IDLE"


def test_autocommit_lets_each_statement_take_effect(numbers: Numbers, auto: Connection) -> None:
    assert auto.autocommit is True
    auto.execute(INSERT, [1])
    assert numbers() == [1]
    assert status(auto) == "IDLE"
    auto.rollback()
    assert numbers() == [1]


@pytest.mark.parametrize("setter", [lambda c, v: c.set_autocommit(v), lambda c, v: setattr(c, "autocommit", v)])
def test_autocommit_can_be_changed_between_transactions(
    numbers: Numbers, conn: Connection, setter: Callable[[Connection, bool], None]
) -> None:
    setter(conn, True)
    conn.execute(INSERT, [1])
    assert numbers() == [1]
    setter(conn, False)
    conn.execute(INSERT, [2])
    assert numbers() == [1]
    with pytest.raises(neonps.ProgrammingError, match=r"can't change 'autocommit' now.*INTRANS"):
        setter(conn, True)
    assert conn.autocommit is False
    conn.commit()
    setter(conn, True)
    assert numbers() == [1, 2]


@pytest.mark.parametrize("attribute", ["autocommit", "isolation_level", "read_only", "deferrable"])
def test_what_cannot_be_changed_in_a_block(conn: Connection, attribute: str) -> None:
    value = getattr(conn, attribute)
    with (
        conn.transaction(),
        pytest.raises(neonps.ProgrammingError, match=rf"can't change '{attribute}' now: connection\.transaction\(\)"),
    ):
        setattr(conn, attribute, IsolationLevel.SERIALIZABLE if attribute == "isolation_level" else True)
    assert getattr(conn, attribute) == value


# Characteristics


@pytest.mark.parametrize("level", IsolationLevel)
def test_isolation_level(conn: Connection, level: IsolationLevel) -> None:
    conn.isolation_level = level
    assert conn.isolation_level is level
    assert conn.execute("show transaction_isolation").fetchone() == (level.name.lower().replace("_", " "),)
    conn.rollback()
    conn.set_isolation_level(None)
    assert conn.isolation_level is None
    assert conn.execute("show transaction_isolation").fetchone() == ("read committed",)


@pytest.mark.parametrize("value", [0, 5, "serializable"])
def test_a_level_that_does_not_exist(conn: Connection, value: Any) -> None:
    with pytest.raises(ValueError, match=str(value)):
        conn.isolation_level = value
    assert conn.isolation_level is None


def test_a_level_as_a_number(conn: Connection) -> None:
    conn.isolation_level = 4  # type: ignore[assignment]
    assert conn.isolation_level is IsolationLevel.SERIALIZABLE


def test_read_only(numbers: Numbers, conn: Connection) -> None:
    conn.read_only = True
    assert conn.execute("show transaction_read_only").fetchone() == ("on",)
    conn.rollback()
    with pytest.raises(errors.ReadOnlySqlTransaction):
        conn.execute(INSERT, [1])
        conn.commit()
    conn.rollback()
    conn.read_only = None
    conn.execute(INSERT, [1])
    conn.commit()
    assert numbers() == [1]


def test_deferrable(conn: Connection) -> None:
    conn.isolation_level = IsolationLevel.SERIALIZABLE
    conn.read_only = True
    conn.deferrable = True
    assert conn.execute("show transaction_deferrable").fetchone() == ("on",)
    conn.rollback()
    conn.deferrable = None
    assert conn.execute("show transaction_deferrable").fetchone() == ("off",)


@on_sessions
def test_what_is_set_overrides_the_defaults_of_the_server(connect: Connect) -> None:
    conn = connect(options="-c default_transaction_read_only=on -c default_transaction_isolation=serializable")
    assert conn.execute("show transaction_read_only").fetchone() == ("on",)
    conn.rollback()
    conn.read_only = False
    conn.isolation_level = IsolationLevel.READ_COMMITTED
    with conn.transaction():
        assert conn.execute("show transaction_read_only").fetchone() == ("off",)
        assert conn.execute("show transaction_isolation").fetchone() == ("read committed",)


# BEGIN


@on_sessions
def test_begin_travels_with_the_first_statement(relayed: Connect, relay: Relay) -> None:
    conn = relayed()
    for params in (None, [1]):
        relay.clear()
        conn.execute("select 1" if params is None else "select %s", params)
        assert len(relay.sent) == 1
        assert status(conn) == "INTRANS"
        conn.execute("select 2")
        assert len(relay.sent) == 2
        if conn.info.transport == "tcp":  # a WebSocket's client masks what it sends
            assert b"BEGIN" in relay.sent[0]
            assert b"BEGIN" not in relay.sent[1]
        conn.rollback()
        assert len(relay.sent) == 3


@on_sessions
def test_a_block_takes_no_round_trips_of_its_own_to_begin(relayed: Connect, relay: Relay) -> None:
    conn = relayed(autocommit=True)
    relay.clear()
    with conn.transaction(), conn.transaction():
        conn.execute("select 1")
    assert len(relay.sent) == 3  # the statement, RELEASE, COMMIT
    relay.clear()
    with conn.transaction(), conn.transaction():
        pass
    conn.commit()
    conn.rollback()
    assert relay.sent == []


@on_sessions
def test_a_mistake_before_anything_was_sent_begins_nothing(relayed: Connect, relay: Relay) -> None:
    conn = relayed()
    relay.clear()
    with pytest.raises(neonps.ProgrammingError):
        conn.execute("select %s", [])
    assert relay.sent == []
    assert status(conn) == "IDLE"
    with conn.transaction():
        with pytest.raises(neonps.ProgrammingError):
            conn.execute("select %s", [])
        assert status(conn) == "INTRANS"
    assert relay.sent == []


@on_sessions
def test_begin_of_the_user(numbers: Numbers, auto: Connection) -> None:
    auto.execute("begin")
    assert status(auto) == "INTRANS"
    auto.execute(INSERT, [1])
    auto.rollback()
    assert status(auto) == "IDLE"
    auto.execute("begin")
    auto.execute(INSERT, [2])
    auto.commit()
    assert numbers() == [2]


# Failed statements


@on_sessions
def test_a_failed_statement_fails_the_transaction(numbers: Numbers, conn: Connection) -> None:
    conn.execute(INSERT, [1])
    with pytest.raises(errors.UniqueViolation):
        conn.execute(INSERT, [1])
    assert status(conn) == "INERROR"
    with pytest.raises(errors.InFailedSqlTransaction):
        conn.execute("select 1")
    conn.rollback()
    assert status(conn) == "IDLE"
    conn.execute(INSERT, [2])
    conn.commit()
    assert numbers() == [2]


@on_sessions
def test_committing_a_failed_transaction_undoes_it(numbers: Numbers, conn: Connection) -> None:
    """So the server has it, and psycopg too."""
    conn.execute(INSERT, [1])
    with pytest.raises(errors.DivisionByZero):
        conn.execute("select 1 / 0")
    conn.commit()
    assert status(conn) == "IDLE"
    assert numbers() == []


def test_a_failed_statement_in_autocommit_mode(numbers: Numbers, auto: Connection) -> None:
    with pytest.raises(errors.NotNullViolation):
        auto.execute("insert into numbers values (1), (null)")
    assert status(auto) == "IDLE"
    auto.execute(INSERT, [2])
    assert numbers() == [2]


def test_a_commit_that_fails(numbers: Numbers, conn: Connection) -> None:
    conn.execute("insert into numbers values (1, 1)")
    conn.execute("insert into numbers values (2, 1)")
    with pytest.raises(errors.UniqueViolation):
        conn.commit()
    assert status(conn) == "IDLE"
    assert numbers() == []
    conn.execute(INSERT, [3])
    conn.commit()
    assert numbers() == [3]


# Blocks


@pytest.mark.parametrize("autocommit", [True, False])
def test_a_block_commits(numbers: Numbers, connect: Connect, autocommit: bool) -> None:
    conn = connect(autocommit=autocommit)
    with conn.transaction() as block:
        assert block.connection is conn
        conn.execute(INSERT, [1])
        assert numbers() == []
        assert status(conn) == "INTRANS"
    assert numbers() == [1]
    assert status(conn) == "IDLE"
    assert block.status is block.Status.COMMITTED


@pytest.mark.parametrize("autocommit", [True, False])
@pytest.mark.parametrize("exception", [Surprise, KeyboardInterrupt, neonps.DataError])
def test_a_block_that_raises_rolls_back(
    numbers: Numbers, connect: Connect, autocommit: bool, exception: type[BaseException]
) -> None:
    conn = connect(autocommit=autocommit)
    block = conn.transaction()
    with pytest.raises(exception), block:
        conn.execute(INSERT, [1])
        raise exception
    assert numbers() == []
    assert status(conn) == "IDLE"
    assert block.status is block.Status.ROLLED_BACK_WITH_ERROR
    with conn.transaction():
        conn.execute(INSERT, [2])
    assert numbers() == [2]


@on_sessions
def test_a_block_whose_statement_fails_rolls_back(numbers: Numbers, auto: Connection) -> None:
    with pytest.raises(errors.DivisionByZero), auto.transaction():
        auto.execute(INSERT, [1])
        auto.execute("select 1 / 0")
    assert numbers() == []
    assert status(auto) == "IDLE"


@on_sessions
def test_a_block_that_hides_the_failure_of_a_statement(numbers: Numbers, auto: Connection) -> None:
    with auto.transaction():
        auto.execute(INSERT, [1])
        with pytest.raises(errors.DivisionByZero):
            auto.execute("select 1 / 0")
    assert numbers() == []
    assert status(auto) == "IDLE"


def test_a_block_whose_commit_fails(numbers: Numbers, auto: Connection) -> None:
    block = auto.transaction()
    with pytest.raises(errors.UniqueViolation), block:
        auto.execute("insert into numbers values (1, 1), (2, 1)")
    assert block.status is block.Status.ROLLED_BACK_WITH_ERROR
    assert numbers() == []
    assert status(auto) == "IDLE"
    with auto.transaction():
        auto.execute(INSERT, [3])
    assert numbers() == [3]


def test_rollback_leaves_the_block_and_nothing_else(numbers: Numbers, auto: Connection) -> None:
    with auto.transaction() as block:
        auto.execute(INSERT, [1])
        raise Rollback
    assert block.status is block.Status.ROLLED_BACK_EXPLICITLY
    with auto.transaction() as block:
        auto.execute(INSERT, [1])
        raise Rollback(block)
    assert numbers() == []
    auto.execute(INSERT, [2])
    assert numbers() == [2]


def test_force_rollback(numbers: Numbers, auto: Connection) -> None:
    with auto.transaction(force_rollback=True) as block:
        auto.execute(INSERT, [1])
    assert numbers() == []
    assert block.status is block.Status.ROLLED_BACK_EXPLICITLY
    with pytest.raises(Surprise), auto.transaction(force_rollback=True):
        raise Surprise
    assert status(auto) == "IDLE"


def test_commit_and_rollback_are_not_for_blocks(numbers: Numbers, auto: Connection) -> None:
    with auto.transaction():
        auto.execute(INSERT, [1])
        with pytest.raises(neonps.ProgrammingError, match="Explicit commit"):
            auto.commit()
        with pytest.raises(neonps.ProgrammingError, match="Explicit rollback"):
            auto.rollback()
    assert numbers() == [1]


def test_a_block_is_used_once(auto: Connection) -> None:
    block = auto.transaction()
    assert block.status is block.Status.NON_STARTED
    with block:
        assert block.status is block.Status.ACTIVE
    with pytest.raises(TypeError, match="only once"), block:
        pass
    assert status(auto) == "IDLE"


def test_closing_within_a_block(numbers: Numbers, connect: Connect) -> None:
    auto = connect(autocommit=True)
    with pytest.raises(Surprise), auto.transaction():
        auto.execute(INSERT, [1])
        auto.close()
        raise Surprise
    with connect().transaction() as block:
        block.connection.execute(INSERT, [1])
        block.connection.close()
    assert block.status is block.Status.FAILED
    assert numbers() == []
