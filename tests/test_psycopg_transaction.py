"""Transaction blocks: what psycopg's do, neonps's do."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from backends import Admin, terminate
from peers import Peer
from transports import Numbers


def status(conn: Any) -> str:
    name: str = conn.info.transaction_status.name
    return name


def insert(conn: Any, *values: int) -> None:
    for value in values:
        conn.execute("insert into numbers values (%s)", [value])


def visible(conn: Any) -> list[int]:
    """What the session itself sees in the table."""
    return [row[0] for row in conn.execute("select a from numbers order by a").fetchall()]


autocommits = pytest.mark.parametrize("autocommit", [False, True])

# The block


@autocommits
def test_a_block_commits(numbers: Numbers, peer: Peer, autocommit: bool) -> None:
    conn = peer.connect(autocommit=autocommit)
    with conn.transaction():
        assert status(conn) == "INTRANS"
        insert(conn, 1)
        assert numbers() == []
    assert status(conn) == "IDLE"
    assert numbers() == [1]


@autocommits
def test_a_block_rolls_back_after_an_exception(numbers: Numbers, peer: Peer, autocommit: bool) -> None:
    conn = peer.connect(autocommit=autocommit)
    with pytest.raises(ZeroDivisionError, match="of our own"):
        with conn.transaction():
            insert(conn, 1)
            raise ZeroDivisionError("of our own")
    assert status(conn) == "IDLE"
    assert numbers() == []
    assert not conn.closed


@pytest.mark.parametrize("exception", [KeyboardInterrupt, GeneratorExit, SystemExit])
def test_a_block_rolls_back_after_any_exception(numbers: Numbers, peer: Peer, exception: Any) -> None:
    conn = peer.connect()
    with pytest.raises(exception):
        with conn.transaction() as transaction:
            insert(conn, 1)
            raise exception
    assert status(conn) == "IDLE"
    assert numbers() == []
    assert transaction.status == transaction.Status.ROLLED_BACK_WITH_ERROR


def test_a_block_rolls_back_after_an_error_of_the_server(numbers: Numbers, peer: Peer) -> None:
    conn = peer.connect()
    with pytest.raises(peer.module.errors.UniqueViolation):
        with conn.transaction() as transaction:
            insert(conn, 1, 1)
    assert status(conn) == "IDLE"
    assert numbers() == []
    assert transaction.status == transaction.Status.ROLLED_BACK_WITH_ERROR


def test_an_empty_block(peer: Peer) -> None:
    conn = peer.connect()
    with conn.transaction() as transaction:
        assert status(conn) == "INTRANS"
    assert status(conn) == "IDLE"
    assert transaction.status == transaction.Status.COMMITTED


def test_a_block_gives_a_transaction(peer: Peer) -> None:
    conn = peer.connect()
    with conn.transaction() as transaction:
        assert type(transaction) is peer.module.Transaction
        assert transaction.connection is conn


def test_a_transaction_made_of_its_class(numbers: Numbers, peer: Peer) -> None:
    conn = peer.connect()
    transaction = peer.module.Transaction(conn)
    assert transaction.status == "not_started"
    with transaction as entered:
        assert entered is transaction
        insert(conn, 1)
    assert numbers() == [1]
    transaction = peer.module.Transaction(conn, "a_name", True)
    with transaction:
        assert transaction.savepoint_name == "a_name"
        insert(conn, 2)
    assert numbers() == [1]


def test_a_block_cannot_be_entered_twice(peer: Peer) -> None:
    conn = peer.connect()
    with conn.transaction() as transaction:
        pass
    with pytest.raises(TypeError, match="transaction blocks can be used only once"):
        with transaction:
            pass
    assert transaction.status == transaction.Status.COMMITTED
    assert status(conn) == "IDLE"


def test_transaction_does_nothing_before_it_is_entered(peer: Peer) -> None:
    conn = peer.connect()
    conn.transaction()
    assert status(conn) == "IDLE"


def test_blocks_one_after_another(numbers: Numbers, peer: Peer) -> None:
    conn = peer.connect()
    for value in range(3):
        with conn.transaction():
            insert(conn, value)
        assert numbers() == list(range(value + 1))


# Status


def test_the_states_have_values(peer: Peer) -> None:
    states = peer.module.Transaction.Status
    assert {state.value for state in states} == {
        "not_started",
        "active",
        "committed",
        "rolled_back_explicitly",
        "rolled_back_with_error",
        "failed",
    }
    for name in ("ACTIVE", "COMMITTED", "ROLLED_BACK_EXPLICITLY", "ROLLED_BACK_WITH_ERROR", "FAILED"):
        assert states[name] == name.lower()
    assert peer.module.AsyncTransaction.Status is states


def test_status_of_a_success(peer: Peer) -> None:
    conn = peer.connect()
    with conn.transaction() as transaction:
        assert transaction.status == transaction.Status.ACTIVE
        conn.execute("select 1")
    assert transaction.status == transaction.Status.COMMITTED


def test_status_after_an_error(peer: Peer) -> None:
    conn = peer.connect()
    with pytest.raises(ZeroDivisionError):
        with conn.transaction() as transaction:
            raise ZeroDivisionError
    assert transaction.status == transaction.Status.ROLLED_BACK_WITH_ERROR


@pytest.mark.parametrize("force_rollback", [False, True])
def test_status_after_rollback(peer: Peer, force_rollback: bool) -> None:
    conn = peer.connect()
    with conn.transaction(force_rollback=force_rollback) as transaction:
        conn.execute("select 1")
        if not force_rollback:
            raise peer.module.Rollback
    assert transaction.status == transaction.Status.ROLLED_BACK_EXPLICITLY


def test_status_of_nested_blocks(peer: Peer) -> None:
    conn = peer.connect()
    with conn.transaction() as outer:
        with conn.transaction() as inner:
            assert inner.status == outer.status == inner.Status.ACTIVE
            raise peer.module.Rollback
        assert inner.status == inner.Status.ROLLED_BACK_EXPLICITLY
        assert outer.status == outer.Status.ACTIVE
    assert outer.status == outer.Status.COMMITTED


def test_status_is_in_the_repr(peer: Peer) -> None:
    conn = peer.connect()
    with conn.transaction("a_name") as transaction:
        assert f"{peer.module.__name__}.Transaction 'a_name' (active) [INTRANS]" in repr(transaction)
    assert "(committed) [IDLE]" in repr(transaction)


# Savepoints


def test_a_nested_block_is_a_savepoint(numbers: Numbers, peer: Peer) -> None:
    conn = peer.connect()
    with conn.transaction() as outer:
        insert(conn, 1)
        with conn.transaction() as inner:
            insert(conn, 2)
            assert inner.savepoint_name
        with pytest.raises(ZeroDivisionError):
            with conn.transaction():
                insert(conn, 3)
                raise ZeroDivisionError
        assert visible(conn) == [1, 2]
        assert numbers() == []
    assert numbers() == [1, 2]
    assert not outer.savepoint_name


def test_an_error_of_the_server_in_a_nested_block_leaves_the_outer_one_intact(numbers: Numbers, peer: Peer) -> None:
    conn = peer.connect()
    with conn.transaction():
        insert(conn, 1)
        with pytest.raises(peer.module.errors.UniqueViolation):
            with conn.transaction():
                insert(conn, 2, 1)
        assert status(conn) == "INTRANS"
        insert(conn, 3)
    assert numbers() == [1, 3]


def test_deep_nesting(numbers: Numbers, peer: Peer) -> None:
    conn = peer.connect()
    names = set()
    with conn.transaction():
        insert(conn, 0)
        with conn.transaction() as one:
            insert(conn, 1)
            with conn.transaction() as two:
                insert(conn, 2)
                with conn.transaction(force_rollback=True) as three:
                    insert(conn, 3)
                names = {one.savepoint_name, two.savepoint_name, three.savepoint_name}
            with conn.transaction():
                insert(conn, 4)
    assert numbers() == [0, 1, 2, 4]
    assert len(names) == 3


def test_savepoint_names(peer: Peer) -> None:
    conn = peer.connect()
    with conn.transaction("outermost") as outer:
        assert outer.savepoint_name == "outermost"
        with conn.transaction("within") as inner:
            assert inner.savepoint_name == "within"
            conn.execute("rollback to savepoint within")
            conn.execute("rollback to savepoint outermost")
            conn.execute("savepoint within")


@pytest.mark.parametrize("name", ['with "quotes"', "with %s", "SELECT", "é €", "a;b", "x" * 63])
def test_names_that_need_quotes(numbers: Numbers, peer: Peer, name: str) -> None:
    conn = peer.connect()
    with conn.transaction():
        with conn.transaction(name) as inner:
            assert inner.savepoint_name == name
            insert(conn, 1)
        with conn.transaction(savepoint_name=name, force_rollback=True):
            insert(conn, 2)
    assert numbers() == [1]


def test_the_same_name_in_nested_blocks(numbers: Numbers, peer: Peer) -> None:
    conn = peer.connect()
    with conn.transaction("same"):
        insert(conn, 1)
        with conn.transaction("same"):
            insert(conn, 2)
            with conn.transaction("same"):
                insert(conn, 3)
                raise peer.module.Rollback
        insert(conn, 4)
    assert numbers() == [1, 2, 4]


def test_a_block_after_a_statement_is_a_savepoint(numbers: Numbers, peer: Peer) -> None:
    """The statement has begun a transaction; the block leaves it to who began it."""
    conn = peer.connect()
    insert(conn, 1)
    with conn.transaction() as transaction:
        assert transaction.savepoint_name
        insert(conn, 2)
    assert transaction.status == transaction.Status.COMMITTED
    assert status(conn) == "INTRANS"
    assert numbers() == []
    with conn.transaction(force_rollback=True):
        insert(conn, 3)
    conn.commit()
    assert numbers() == [1, 2]


def test_a_block_after_a_select_does_not_commit(numbers: Numbers, peer: Peer) -> None:
    conn = peer.connect()
    conn.execute("select 1")
    with conn.transaction():
        insert(conn, 1)
    conn.close()
    assert numbers() == []


def test_a_block_in_a_transaction_begun_by_hand(numbers: Numbers, peer: Peer) -> None:
    conn = peer.connect(autocommit=True)
    conn.execute("begin")
    with conn.transaction() as transaction:
        assert transaction.savepoint_name
        insert(conn, 1)
    assert status(conn) == "INTRANS"
    conn.rollback()
    assert numbers() == []


def test_what_the_server_sees(peer: Peer) -> None:
    """One BEGIN, one SAVEPOINT, one RELEASE, one COMMIT."""
    conn = peer.connect(autocommit=True)
    conn.execute("create temp table levels (level xid8)")
    with conn.transaction():
        conn.execute("insert into levels values (pg_current_xact_id())")
        with conn.transaction():
            conn.execute("insert into levels values (pg_current_xact_id())")
    assert conn.execute("select count(distinct level::text), count(distinct xmin::text) from levels").fetchone() == (
        1,
        2,
    )


# Rollback


def test_rollback_leaves_the_block_quietly(numbers: Numbers, peer: Peer) -> None:
    conn = peer.connect()
    for rollback in (peer.module.Rollback, peer.module.Rollback(), peer.module.Rollback(None)):
        with conn.transaction():
            insert(conn, 1)
            raise rollback
        assert status(conn) == "IDLE"
        assert numbers() == []


def test_rollback_of_the_innermost_block(numbers: Numbers, peer: Peer) -> None:
    conn = peer.connect()
    with conn.transaction():
        insert(conn, 1)
        with conn.transaction():
            insert(conn, 2)
            raise peer.module.Rollback
        insert(conn, 3)
    assert numbers() == [1, 3]


def test_rollback_with_a_target(numbers: Numbers, peer: Peer) -> None:
    conn = peer.connect()
    with conn.transaction():
        insert(conn, 1)
        with conn.transaction() as target:
            insert(conn, 2)
            with conn.transaction() as inner:
                insert(conn, 3)
                raise peer.module.Rollback(target)
            pytest.fail("goes on after the inner block")
        insert(conn, 4)
    assert numbers() == [1, 4]
    assert inner.status == inner.Status.ROLLED_BACK_EXPLICITLY
    assert target.status == target.Status.ROLLED_BACK_EXPLICITLY


def test_rollback_with_the_outermost_block_as_target(numbers: Numbers, peer: Peer) -> None:
    conn = peer.connect()
    with conn.transaction() as outer:
        insert(conn, 1)
        with conn.transaction():
            insert(conn, 2)
            raise peer.module.Rollback(outer)
    assert status(conn) == "IDLE"
    assert numbers() == []


def test_rollback_with_the_block_itself_as_target(numbers: Numbers, peer: Peer) -> None:
    conn = peer.connect()
    with conn.transaction() as transaction:
        insert(conn, 1)
        raise peer.module.Rollback(transaction)
    assert numbers() == []


def test_rollback_with_a_block_that_has_ended_as_target(numbers: Numbers, peer: Peer) -> None:
    conn = peer.connect()
    with conn.transaction() as ended:
        pass
    with pytest.raises(peer.module.Rollback) as caught:
        with conn.transaction():
            insert(conn, 1)
            raise peer.module.Rollback(ended)
    assert caught.value.transaction is ended
    assert status(conn) == "IDLE"
    assert numbers() == []


def test_rollback_of_a_block_of_another_connection(numbers: Numbers, peer: Peer) -> None:
    first, second = peer.connect(), peer.connect()
    with first.transaction() as outer:
        insert(first, 1)
        with second.transaction():
            insert(second, 2)
            raise peer.module.Rollback(outer)
    assert numbers() == []


def test_rollback_is_an_exception_and_no_error(peer: Peer) -> None:
    rollback = peer.module.Rollback
    assert issubclass(rollback, Exception)
    assert not issubclass(rollback, peer.module.Error)
    assert rollback().transaction is None
    assert repr(rollback()) == "Rollback(None)"


def test_rollback_when_the_transaction_has_failed(numbers: Numbers, peer: Peer) -> None:
    conn = peer.connect()
    with conn.transaction():
        with pytest.raises(peer.module.errors.DivisionByZero):
            conn.execute("select 1 / 0")
        raise peer.module.Rollback
    assert status(conn) == "IDLE"


def test_force_rollback(numbers: Numbers, peer: Peer) -> None:
    conn = peer.connect()
    with conn.transaction(force_rollback=True):
        insert(conn, 1)
        assert visible(conn) == [1]
    assert status(conn) == "IDLE"
    assert numbers() == []


def test_force_rollback_of_a_nested_block(numbers: Numbers, peer: Peer) -> None:
    conn = peer.connect()
    with conn.transaction():
        insert(conn, 1)
        with conn.transaction(None, True):
            insert(conn, 2)
    assert numbers() == [1]


def test_force_rollback_and_an_exception(numbers: Numbers, peer: Peer) -> None:
    conn = peer.connect()
    with pytest.raises(ZeroDivisionError):
        with conn.transaction(force_rollback=True) as transaction:
            insert(conn, 1)
            raise ZeroDivisionError
    assert numbers() == []
    assert transaction.status == transaction.Status.ROLLED_BACK_EXPLICITLY


# Errors


def test_an_error_that_was_handled_inside_rolls_back(numbers: Numbers, peer: Peer) -> None:
    conn = peer.connect()
    with conn.transaction():
        insert(conn, 1)
        with pytest.raises(peer.module.errors.DivisionByZero):
            conn.execute("select 1 / 0")
        assert status(conn) == "INERROR"
    assert status(conn) == "IDLE"
    assert numbers() == []


def test_an_error_that_was_handled_inside_a_nested_block(numbers: Numbers, peer: Peer) -> None:
    conn = peer.connect()
    with conn.transaction():
        insert(conn, 1)
        with pytest.raises(peer.module.errors.InFailedSqlTransaction):
            with conn.transaction():
                with pytest.raises(peer.module.errors.DivisionByZero):
                    conn.execute("select 1 / 0")
    assert status(conn) == "IDLE"
    assert numbers() == []


def test_a_block_within_a_failed_transaction(numbers: Numbers, peer: Peer) -> None:
    conn = peer.connect()
    with pytest.raises(peer.module.errors.DivisionByZero):
        conn.execute("select 1 / 0")
    with pytest.raises(peer.module.errors.InFailedSqlTransaction):
        with conn.transaction():
            pytest.fail("entered")
    assert status(conn) == "INERROR"
    conn.rollback()
    with conn.transaction():
        insert(conn, 1)
    assert numbers() == [1]


def test_a_constraint_that_fails_at_commit(numbers: Numbers, peer: Peer) -> None:
    conn = peer.connect()
    with pytest.raises(peer.module.errors.UniqueViolation):
        with conn.transaction():
            conn.execute("insert into numbers values (1, 1), (2, 1)")
    assert status(conn) == "IDLE"
    assert numbers() == []
    with conn.transaction():
        insert(conn, 3)
    assert numbers() == [3]


def test_a_deferred_constraint_is_no_matter_of_nested_blocks(numbers: Numbers, peer: Peer) -> None:
    conn = peer.connect()
    with conn.transaction():
        with conn.transaction():
            conn.execute("insert into numbers values (1, 1), (2, 1)")
        conn.execute("update numbers set b = a")
    assert numbers() == [1, 2]


def test_a_serialization_failure_at_commit(numbers: Numbers, peer: Peer) -> None:
    first, second = peer.connect(), peer.connect()
    for conn in (first, second):
        conn.isolation_level = peer.module.IsolationLevel.SERIALIZABLE
    with pytest.raises(peer.module.errors.SerializationFailure) as caught:
        with first.transaction():
            visible(first)
            insert(first, 1)
            with second.transaction():
                visible(second)
                insert(second, 2)
    assert caught.value.sqlstate == "40001"
    assert isinstance(caught.value, peer.module.OperationalError)
    assert status(first) == "IDLE"
    assert numbers() == [2]


@pytest.mark.parametrize("reason", ["exception", "rollback", "rollback of the outer block", "force"])
def test_an_error_of_the_rollback_itself(
    numbers: Numbers, peer: Peer, caplog: pytest.LogCaptureFixture, reason: str
) -> None:
    """It is logged, and does not stand in the way of what the rollback was for."""
    conn = peer.connect()
    with conn.transaction() as outer, suppress(ZeroDivisionError):
        insert(conn, 1)
        with conn.transaction("gone", force_rollback=reason == "force"):
            conn.execute("release savepoint gone")
            if reason == "exception":
                raise ZeroDivisionError
            if reason == "rollback":
                raise peer.module.Rollback
            if reason == "rollback of the outer block":
                raise peer.module.Rollback(outer)
    assert status(conn) == "IDLE"
    assert numbers() == []
    assert any("error ignored in rollback" in message for message in caplog.messages)


def test_commit_is_forbidden_inside(numbers: Numbers, peer: Peer) -> None:
    conn = peer.connect()
    with conn.transaction():
        insert(conn, 1)
        with pytest.raises(peer.module.ProgrammingError, match=r"Explicit commit\(\) forbidden within a Transaction"):
            conn.commit()
        assert status(conn) == "INTRANS"
        with conn.transaction():
            with pytest.raises(peer.module.ProgrammingError, match=r"Explicit commit\(\) forbidden"):
                conn.commit()
    assert numbers() == [1]


def test_rollback_is_forbidden_inside(numbers: Numbers, peer: Peer) -> None:
    conn = peer.connect()
    with conn.transaction():
        insert(conn, 1)
        with pytest.raises(peer.module.ProgrammingError, match=r"Explicit rollback\(\) forbidden within a Transaction"):
            conn.rollback()
    assert numbers() == [1]


def test_commit_is_forbidden_in_a_block_after_a_statement(peer: Peer) -> None:
    conn = peer.connect()
    conn.execute("select 1")
    with conn.transaction():
        with pytest.raises(peer.module.ProgrammingError, match="forbidden within a Transaction context"):
            conn.commit()
    conn.commit()


def test_leaving_the_connection_is_forbidden_inside(peer: Peer) -> None:
    conn = peer.connect()
    with conn.transaction():
        with pytest.raises(peer.module.ProgrammingError, match="forbidden within a Transaction context"):
            with conn:
                pass


@pytest.mark.parametrize("statement", ["commit", "rollback"])
def test_ending_the_transaction_by_hand_inside(numbers: Numbers, peer: Peer, statement: str) -> None:
    conn = peer.connect()
    with conn.transaction():
        insert(conn, 1)
        conn.execute(statement)
    assert status(conn) == "IDLE"
    assert numbers() == ([1] if statement == "commit" else [])


def test_blocks_that_are_left_in_the_wrong_order(peer: Peer) -> None:
    conn = peer.connect()
    outer, inner = peer.module.Transaction(conn), peer.module.Transaction(conn)
    outer.__enter__()
    inner.__enter__()
    with pytest.raises(peer.module.ProgrammingError, match="transaction commit at the wrong nesting level"):
        outer.__exit__(None, None, None)


def test_blocks_that_are_left_in_the_wrong_order_by_an_exception(peer: Peer) -> None:
    conn = peer.connect()
    outer, inner = peer.module.Transaction(conn), peer.module.Transaction(conn)
    outer.__enter__()
    inner.__enter__()
    error = ZeroDivisionError()
    with pytest.raises(peer.module.ProgrammingError, match="transaction rollback at the wrong nesting level"):
        outer.__exit__(ZeroDivisionError, error, None)


def test_blocks_of_generators_that_interleave(peer: Peer) -> None:
    """What a coroutine or a generator that is left suspended leads to."""

    def work() -> Any:
        with conn.transaction():
            yield

    conn = peer.connect()
    first, second = work(), work()
    next(first)
    next(second)
    with pytest.raises(peer.module.ProgrammingError, match="at the wrong nesting level"):
        next(first)
    conn.close()
    second.close()


# The connection is closed or lost inside


def test_closing_the_connection_inside(numbers: Numbers, peer: Peer) -> None:
    conn = peer.connect()
    with conn.transaction() as transaction:
        insert(conn, 1)
        conn.close()
    assert transaction.status == transaction.Status.FAILED
    assert numbers() == []


def test_closing_the_connection_inside_and_an_exception(peer: Peer) -> None:
    conn = peer.connect()
    with pytest.raises(ZeroDivisionError):
        with conn.transaction() as transaction:
            conn.close()
            raise ZeroDivisionError
    assert transaction.status == transaction.Status.FAILED


def test_losing_the_connection_inside(peer: Peer, admin: Admin) -> None:
    conn = peer.connect()
    with pytest.raises(peer.module.errors.AdminShutdown):
        with conn.transaction() as transaction:
            terminate(admin, conn.info.backend_pid)
            conn.execute("select 1")
    assert transaction.status == transaction.Status.FAILED
    assert conn.broken


def test_losing_the_connection_before_the_commit(numbers: Numbers, peer: Peer, admin: Admin) -> None:
    conn = peer.connect()
    with pytest.raises(peer.module.OperationalError):
        with conn.transaction():
            insert(conn, 1)
            terminate(admin, conn.info.backend_pid)
    assert conn.broken
    assert numbers() == []


def test_losing_the_connection_and_an_exception(peer: Peer, admin: Admin) -> None:
    """The exception of the program is what comes out."""
    conn = peer.connect()
    with pytest.raises(ZeroDivisionError):
        with conn.transaction():
            conn.execute("select 1")
            terminate(admin, conn.info.backend_pid)
            raise ZeroDivisionError
    assert conn.broken


def test_nested_blocks_of_a_connection_that_is_lost(peer: Peer, admin: Admin) -> None:
    conn = peer.connect()
    with pytest.raises(peer.module.OperationalError):
        with conn.transaction(), conn.transaction():
            terminate(admin, conn.info.backend_pid)
            conn.execute("select 1")
    assert conn.broken


# Characteristics


def test_characteristics_are_those_of_the_outermost_block(peer: Peer) -> None:
    conn = peer.connect()
    conn.isolation_level = peer.module.IsolationLevel.SERIALIZABLE
    conn.read_only = True
    with conn.transaction(), conn.transaction():
        assert conn.execute("show transaction_isolation").fetchone() == ("serializable",)
        assert conn.execute("show transaction_read_only").fetchone() == ("on",)


def test_characteristics_can_be_changed_between_blocks(peer: Peer) -> None:
    conn = peer.connect(autocommit=True)
    for value, shown in ((True, "on"), (False, "off"), (None, "off")):
        conn.read_only = value
        with conn.transaction():
            assert conn.execute("show transaction_read_only").fetchone() == (shown,)


def test_set_transaction_as_the_first_statement(peer: Peer) -> None:
    conn = peer.connect()
    with conn.transaction():
        conn.execute("set transaction isolation level repeatable read, read only")
        assert conn.execute("show transaction_isolation").fetchone() == ("repeatable read",)


def test_set_local_ends_with_the_block(peer: Peer) -> None:
    conn = peer.connect()
    with conn.transaction():
        conn.execute("set local work_mem to '3MB'")
        assert conn.execute("show work_mem").fetchone() == ("3MB",)
    assert conn.execute("show work_mem").fetchone() != ("3MB",)


# The example of the documentation of psycopg


def test_operations_that_may_fail(numbers: Numbers, peer: Peer) -> None:
    conn = peer.connect(autocommit=True)
    done = 0
    with conn.transaction():
        for value in (1, 2, 1, 3):
            try:
                with conn.transaction():
                    insert(conn, value)
            except peer.module.IntegrityError:
                continue
            done += 1
        insert(conn, 100 + done)
    assert numbers() == [1, 2, 3, 103]
