"""Transactions over HTTP, where a request is a whole one: what runs at once, what waits, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from relay import Relay
from transports import Connect, Connection, Numbers, over_http, status

import neonps
from neonps import IsolationLevel, Rollback, errors

pytestmark = over_http

INSERT = "insert into numbers values (%s)"

WAYS_OUT = ("commit", "autocommit=True", "transport='websocket'")


def requests(relay: Relay) -> list[bytes]:
    """The bodies of the requests since this was asked for last."""
    bodies = [request.partition(b"\r\n\r\n")[2] for request in relay.sent]
    relay.clear()
    return bodies


# autocommit=True: every execute() is one request. executemany() is one batch, atomic.


def test_with_autocommit_every_statement_is_a_request(numbers: Numbers, relayed: Connect, relay: Relay) -> None:
    conn = relayed(autocommit=True)
    requests(relay)
    for count in range(1, 4):
        conn.execute(INSERT, [count])
        assert numbers() == list(range(1, count + 1))
        (body,) = requests(relay)
        assert b'"queries"' not in body
    conn.commit()
    conn.rollback()
    assert requests(relay) == []
    assert numbers() == [1, 2, 3]
    assert relay.accepted == 1  # all on one connection


def test_with_autocommit_a_statement_that_starts_like_a_query_can_write(numbers: Numbers, auto: Connection) -> None:
    query = "with w as (insert into numbers values (1) returning a) select a from w"
    assert auto.execute(query).fetchone() == (1,)
    assert numbers() == [1]


def test_with_autocommit_executemany_is_one_batch(numbers: Numbers, relayed: Connect, relay: Relay) -> None:
    conn = relayed(autocommit=True)
    requests(relay)
    conn.cursor().executemany(INSERT, [(n,) for n in range(5)])
    (body,) = requests(relay)
    assert b'"queries"' in body
    with pytest.raises(errors.UniqueViolation):
        conn.cursor().executemany(INSERT, [(7,), (8,), (1,)])
    assert numbers() == [0, 1, 2, 3, 4]


def test_with_autocommit_statements_run_that_no_transaction_can_have(
    numbers: Numbers, auto: Connection, admin: psycopg.Connection[Any]
) -> None:
    # The index waits for all that is under way, and so for what clients of other tests have left when they went.
    others = "from pg_stat_activity where state = 'active' and pid <> pg_backend_pid()"
    admin.execute(f"select pg_terminate_backend(pid) {others}")
    auto.execute("vacuum numbers")
    auto.execute("create index concurrently on numbers (b)")


# A statement that reads, while nothing is pending, runs at once as a read-only transaction of its own.


@pytest.mark.parametrize(
    "query",
    [
        "show transaction_read_only",
        "select current_setting('transaction_read_only')",
        "SELECT current_setting('transaction_read_only')",
        "values (current_setting('transaction_read_only'))",
        "with w as (select current_setting('transaction_read_only')) select * from w",
        "(select current_setting('transaction_read_only'))",
        "-- a comment\n  /* and another */ select current_setting('transaction_read_only')",
        "/* a /* nested */ one */ select current_setting('transaction_read_only')",
        "--;\n\n((select current_setting('transaction_read_only')))",
    ],
)
def test_what_reads_runs_at_once(conn: Connection, query: str) -> None:
    cursor = conn.execute(query)
    assert cursor.rowcount == 1
    assert cursor.fetchall() == [("on",)]
    assert status(conn) == "IDLE"


@pytest.mark.parametrize("query", ["table numbers", "explain select 1", "explain (costs off) table numbers"])
def test_other_ways_to_read(numbers: Numbers, conn: Connection, query: str) -> None:
    assert conn.execute(query).description is not None
    assert status(conn) == "IDLE"


def test_cursor_loops_work(numbers: Numbers, conn: Connection, admin: psycopg.Connection[Any]) -> None:
    admin.execute("insert into numbers select n, n * 10 from generate_series(1, 3) n")
    found = [
        conn.execute("select b from numbers where a = %s", [a]).fetchone()
        for (a,) in conn.execute("select a from numbers order by a")
    ]
    assert found == [(10,), (20,), (30,)]


def test_pandas_reads(conn: Connection) -> None:
    pandas = pytest.importorskip("pandas")
    with pytest.warns(UserWarning, match="SQLAlchemy"):
        frame = pandas.read_sql("select n, n * 1.5::float8 as x from generate_series(1, 3) n", conn)
    assert list(frame["x"]) == [1.5, 3.0, 4.5]


def test_rollback_after_reading_is_true(conn: Connection, relayed: Connect, relay: Relay) -> None:
    conn = relayed()
    conn.execute("select 1")
    requests(relay)
    conn.rollback()
    conn.commit()
    assert requests(relay) == []


@pytest.mark.parametrize(
    "query",
    [
        "with w as (insert into numbers values (1) returning a) select a from w",
        "select nextval('some_sequence')",
        "select * from numbers for update",
        "select 1 as a into other_numbers",
        "explain analyze insert into numbers values (1)",
    ],
)
def test_what_looks_like_reading_and_writes_is_refused_with_advice(
    numbers: Numbers, conn: Connection, admin: psycopg.Connection[Any], query: str
) -> None:
    admin.execute("create sequence if not exists some_sequence")
    admin.execute("insert into numbers values (5)")
    with pytest.raises(errors.ReadOnlySqlTransaction) as caught:
        conn.execute(query)
    assert caught.value.sqlstate == "25006"
    for way in ("autocommit=True", "conn.transaction()", "conn.batch(", "transport='websocket'"):
        assert way in str(caught.value)
    assert numbers() == [5]
    assert conn.execute("select 1").fetchone() == (1,)


def test_the_advice_is_good(numbers: Numbers, conn: Connection) -> None:
    query = "with w as (insert into numbers values (%s) returning a) select a from w"
    with conn.transaction():
        cursor = conn.execute(query, [1])
    assert cursor.fetchall() == [(1,)]
    (cursor,) = conn.batch([(query, [2])])
    assert cursor.fetchall() == [(2,)]
    conn.autocommit = True
    assert conn.execute(query, [3]).fetchall() == [(3,)]
    assert numbers() == [1, 2, 3]


def test_no_advice_where_reading_only_was_asked_for(numbers: Numbers, conn: Connection) -> None:
    conn.read_only = True
    with pytest.raises(errors.ReadOnlySqlTransaction) as caught:
        conn.execute("with w as (insert into numbers values (1) returning a) select a from w")
    assert "autocommit" not in str(caught.value)


def test_a_read_that_fails_leaves_nothing(conn: Connection) -> None:
    with pytest.raises(errors.DivisionByZero):
        conn.execute("select 1 / 0")
    assert status(conn) == "IDLE"
    assert conn.execute("select 1").fetchone() == (1,)


# Anything else is kept until commit(), which sends all of it as one batch in one transaction.


def test_what_writes_waits_for_commit(numbers: Numbers, relayed: Connect, relay: Relay) -> None:
    conn = relayed()
    requests(relay)
    conn.execute(INSERT, [1])
    conn.execute("update numbers set b = a")
    conn.cursor().executemany(INSERT, [(2,), (3,)])
    assert requests(relay) == []
    assert numbers() == []
    assert status(conn) == "INTRANS"
    conn.commit()
    (body,) = requests(relay)
    assert body.count(b'"query":') == 4
    assert numbers() == [1, 2, 3]
    assert status(conn) == "IDLE"
    conn.commit()
    assert requests(relay) == []


def test_rollback_drops_what_waits(numbers: Numbers, relayed: Connect, relay: Relay) -> None:
    conn = relayed()
    requests(relay)
    conn.execute(INSERT, [1])
    conn.rollback()
    assert status(conn) == "IDLE"
    conn.commit()
    assert requests(relay) == []
    assert numbers() == []


def test_closing_drops_what_waits(numbers: Numbers, relayed: Connect, relay: Relay) -> None:
    conn = relayed()
    requests(relay)
    cursor = conn.execute(INSERT, [1])
    conn.close()
    assert requests(relay) == []
    assert numbers() == []
    with pytest.raises(neonps.Error):
        cursor.fetchone()


def test_results_are_there_after_commit(numbers: Numbers, conn: Connection) -> None:
    insert = conn.execute("insert into numbers values (1), (2)")
    returning = conn.execute("insert into numbers values (3) returning a, b")
    update = conn.execute("update numbers set b = a where a > 1")
    reading = conn.execute("select count(*) from numbers")  # part of the transaction, since it has begun
    many = conn.cursor()
    many.executemany("update numbers set b = null where a <= %s", [(1,), (2,)])
    many_returning = conn.cursor()
    many_returning.executemany("delete from numbers where a = %s returning a", [(2,), (9,), (3,)], returning=True)
    for cursor in (insert, returning, update, reading, many, many_returning):
        assert cursor.description is None
        assert cursor.rowcount == -1
        assert cursor.rownumber is None
        assert cursor.statusmessage is None
    conn.commit()
    assert [cursor.rowcount for cursor in (insert, returning, update, reading, many)] == [2, 1, 2, 1, 3]
    assert insert.description is None
    assert insert.statusmessage == "INSERT 0 2"
    assert [column.name for column in returning.description or ()] == ["a", "b"]
    assert returning.fetchall() == [(3, None)]
    assert reading.fetchone() == (3,)
    assert [cursor.fetchall() for cursor in many_returning.results()] == [[(2,)], [], [(3,)]]
    with pytest.raises(neonps.ProgrammingError, match="didn't produce records"):
        insert.fetchone()
    assert numbers() == [1]


@pytest.mark.parametrize(
    "fetch",
    [
        lambda cursor: cursor.fetchone(),
        lambda cursor: cursor.fetchmany(2),
        lambda cursor: cursor.fetchall(),
        lambda cursor: next(cursor),
        lambda cursor: cursor.scroll(0),
    ],
)
def test_fetching_before_commit_names_the_ways_out(
    numbers: Numbers, conn: Connection, fetch: Callable[[Any], object]
) -> None:
    cursor = conn.execute("insert into numbers values (1) returning a")
    with pytest.raises(neonps.NotSupportedError) as caught:
        fetch(cursor)
    for way in WAYS_OUT:
        assert way in str(caught.value)
    conn.commit()
    assert cursor.fetchone() == (1,)


def test_a_cursor_is_used_again_before_commit(numbers: Numbers, conn: Connection) -> None:
    """The statement stays part of the transaction; its result is of no interest any more."""
    cursor = conn.cursor()
    cursor.execute("insert into numbers values (1) returning 'first'")
    cursor.execute("insert into numbers values (2) returning 'second'")
    conn.commit()
    assert cursor.fetchall() == [("second",)]
    assert numbers() == [1, 2]
    cursor.execute(INSERT, [3])
    cursor.close()
    conn.commit()
    assert numbers() == [1, 2, 3]
    with pytest.raises(neonps.InterfaceError):
        cursor.fetchone()


def test_a_cursor_reads_after_it_has_written_and_before_commit(numbers: Numbers, conn: Connection) -> None:
    one, two = conn.cursor(), conn.cursor()
    one.execute(INSERT, [1])
    two.execute("select count(*) from numbers")
    with pytest.raises(neonps.NotSupportedError):
        two.fetchone()
    conn.rollback()
    two.execute("select count(*) from numbers")
    assert two.fetchone() == (0,)


def test_after_rollback_there_is_no_result(numbers: Numbers, conn: Connection) -> None:
    cursor = conn.execute("insert into numbers values (1) returning a")
    conn.rollback()
    assert cursor.rowcount == -1
    assert cursor.description is None
    with pytest.raises(neonps.ProgrammingError, match="no result available"):
        cursor.fetchone()


def test_a_commit_that_fails_applies_nothing_and_leaves_nothing(numbers: Numbers, conn: Connection) -> None:
    good = conn.execute("insert into numbers values (1) returning a")
    bad = conn.execute("insert into numbers values (1) returning a")
    with pytest.raises(errors.UniqueViolation) as caught:
        conn.commit()
    assert caught.value.diag.constraint_name == "numbers_pkey"
    assert numbers() == []
    assert status(conn) == "IDLE"
    for cursor in (good, bad):
        assert cursor.rowcount == -1
        with pytest.raises(neonps.ProgrammingError, match="no result available"):
            cursor.fetchone()
    conn.rollback()
    conn.execute(INSERT, [2])
    conn.commit()
    assert numbers() == [2]


def test_a_mistake_in_a_statement_does_not_touch_what_waits(numbers: Numbers, conn: Connection) -> None:
    conn.execute(INSERT, [1])
    for statement in ("insert into numbers values (%s, %s)", "insert into numbers values (%(a)s)", "% (%s)"):
        with pytest.raises((neonps.ProgrammingError, TypeError)):
            conn.execute(statement, [1])
    with pytest.raises(neonps.NotSupportedError):
        conn.execute("savepoint a")
    conn.commit()
    assert numbers() == [1]


def test_parameters_are_those_of_the_time_of_execute(numbers: Numbers, conn: Connection) -> None:
    values = [1]
    conn.execute(INSERT, values)
    values[0] = 2
    conn.commit()
    assert numbers() == [1]


def test_what_waits_has_the_characteristics_of_the_connection(numbers: Numbers, conn: Connection) -> None:
    conn.isolation_level = IsolationLevel.SERIALIZABLE
    conn.execute(INSERT, [1])
    cursor = conn.execute("show transaction_isolation")
    with pytest.raises(neonps.ProgrammingError, match="INTRANS"):
        conn.isolation_level = None
    conn.commit()
    assert cursor.fetchone() == ("serializable",)
    conn.read_only = True
    conn.execute(INSERT, [2])
    with pytest.raises(errors.ReadOnlySqlTransaction):
        conn.commit()
    assert numbers() == [1]


def test_settings_can_be_part_of_a_transaction(conn: Connection) -> None:
    conn.execute("set local work_mem = '3MB'")
    cursor = conn.execute("show work_mem")
    conn.commit()
    assert cursor.fetchone() == ("3MB",)
    assert conn.execute("show work_mem").fetchone() != ("3MB",)


# A second read in REPEATABLE READ or SERIALIZABLE before commit() would need a shared snapshot.


@pytest.mark.parametrize("level", [IsolationLevel.REPEATABLE_READ, IsolationLevel.SERIALIZABLE])
def test_a_second_read_cannot_share_the_snapshot(conn: Connection, level: IsolationLevel) -> None:
    conn.isolation_level = level
    name = level.name.lower().replace("_", " ")
    for end in (conn.commit, conn.rollback, conn.commit):
        assert conn.execute("show transaction_isolation").fetchone() == (name,)
        with pytest.raises(neonps.NotSupportedError) as caught:
            conn.execute("select 1")
        for way in WAYS_OUT:
            assert way in str(caught.value)
        end()
    conn.execute("select 1")
    assert status(conn) == "INTRANS"
    with pytest.raises(neonps.ProgrammingError, match="INTRANS"):
        conn.autocommit = True
    conn.rollback()
    assert status(conn) == "IDLE"
    conn.autocommit = True
    assert conn.execute("select 1").fetchone() == (1,)
    assert conn.execute("select 1").fetchone() == (1,)


@pytest.mark.parametrize("level", [IsolationLevel.REPEATABLE_READ, IsolationLevel.SERIALIZABLE])
def test_a_write_after_a_read_cannot_share_the_snapshot_either(
    numbers: Numbers, conn: Connection, level: IsolationLevel
) -> None:
    """Read, compute, write: the promise of these levels is that the write fails if the read is out of date."""
    conn.isolation_level = level
    conn.execute("select count(*) from numbers")
    with pytest.raises(neonps.NotSupportedError) as caught:
        conn.execute(INSERT, [1])
    for way in WAYS_OUT:
        assert way in str(caught.value)
    conn.rollback()
    assert numbers() == []
    conn.execute(INSERT, [1])
    conn.commit()
    assert numbers() == [1]


@pytest.mark.parametrize("level", [IsolationLevel.REPEATABLE_READ, IsolationLevel.SERIALIZABLE])
@pytest.mark.parametrize(
    "go_on",
    [
        lambda conn: conn.batch([(INSERT, [1])]),
        lambda conn: conn.transaction().__enter__(),
        lambda conn: conn.cursor().executemany(INSERT, [(1,)]),
    ],
    ids=["batch", "block", "executemany"],
)
def test_nor_can_what_is_sent_together(
    numbers: Numbers, conn: Connection, level: IsolationLevel, go_on: Callable[[Connection], object]
) -> None:
    conn.isolation_level = level
    conn.execute("select 1")
    with pytest.raises(neonps.NotSupportedError, match="snapshot"):
        go_on(conn)
    conn.commit()
    assert status(conn) == "IDLE"
    assert numbers() == []
    conn.batch([(INSERT, [1])])
    assert numbers() == [1]


@pytest.mark.parametrize("level", [None, IsolationLevel.READ_UNCOMMITTED, IsolationLevel.READ_COMMITTED])
def test_in_other_levels_every_statement_has_a_snapshot_of_its_own_anyway(
    numbers: Numbers, conn: Connection, level: IsolationLevel | None
) -> None:
    conn.isolation_level = level
    for _ in range(3):
        assert conn.execute("select count(*) from numbers").fetchone() == (0,)
    conn.execute(INSERT, [1])
    conn.commit()
    assert numbers() == [1]


# transaction() collects a batch and sends it at the end of the block.


@pytest.mark.parametrize("autocommit", [True, False])
def test_a_block_is_one_request_at_its_end(numbers: Numbers, relayed: Connect, relay: Relay, autocommit: bool) -> None:
    conn = relayed(autocommit=autocommit)
    requests(relay)
    with conn.transaction():
        one = conn.execute("insert into numbers values (1) returning a")
        two = conn.execute("select count(*), current_setting('transaction_read_only') from numbers")
        for cursor in (one, two):
            assert cursor.rowcount == -1
            with pytest.raises(neonps.NotSupportedError, match="at the end of the transaction block"):
                cursor.fetchone()
        assert status(conn) == "INTRANS"
        assert requests(relay) == []
    (body,) = requests(relay)
    assert body.count(b'"query":') == 2
    assert one.fetchone() == (1,)
    assert two.fetchone() == (1, "off")
    assert numbers() == [1]
    assert status(conn) == "IDLE"


def test_an_empty_block_sends_nothing(relayed: Connect, relay: Relay) -> None:
    conn = relayed()
    requests(relay)
    with conn.transaction() as block:
        assert status(conn) == "INTRANS"
    assert block.status is block.Status.COMMITTED
    assert requests(relay) == []


@pytest.mark.parametrize("exception", [Rollback, ZeroDivisionError, KeyboardInterrupt])
def test_a_block_that_is_left_by_an_exception_sends_nothing(
    numbers: Numbers, relayed: Connect, relay: Relay, exception: type[BaseException]
) -> None:
    conn = relayed()
    requests(relay)
    try:
        with conn.transaction():
            cursor = conn.execute("insert into numbers values (1) returning a")
            raise exception
    except (ZeroDivisionError, KeyboardInterrupt):
        pass
    assert requests(relay) == []
    assert numbers() == []
    with pytest.raises(neonps.ProgrammingError, match="no result available"):
        cursor.fetchone()


def test_a_block_that_fails_applies_nothing(numbers: Numbers, conn: Connection) -> None:
    block = conn.transaction()
    with pytest.raises(errors.DivisionByZero), block:
        conn.execute(INSERT, [1])
        conn.execute("select 1 / 0")
        conn.execute(INSERT, [2])
    assert block.status is block.Status.ROLLED_BACK_WITH_ERROR
    assert numbers() == []
    assert status(conn) == "IDLE"


def test_blocks_cannot_be_nested(numbers: Numbers, conn: Connection) -> None:
    with conn.transaction():
        conn.execute(INSERT, [1])
        with pytest.raises(neonps.NotSupportedError, match="savepoint"), conn.transaction():
            pytest.fail("entered")
        conn.execute(INSERT, [2])
    assert numbers() == [1, 2]
    conn.execute(INSERT, [3])
    with pytest.raises(neonps.NotSupportedError, match="savepoint"), conn.transaction():
        pytest.fail("entered")
    with pytest.raises(neonps.NotSupportedError, match="savepoint"), conn.transaction(savepoint_name="a"):
        pytest.fail("entered")
    conn.commit()
    assert numbers() == [1, 2, 3]
    with pytest.raises(neonps.NotSupportedError, match="savepoint"), conn.transaction(savepoint_name="a"):
        pytest.fail("entered")
    assert conn.execute("select 1").fetchone() == (1,)


def test_a_block_after_a_read_in_a_level_with_a_snapshot(numbers: Numbers, conn: Connection) -> None:
    """The block is a transaction of its own when nothing is pending, and so begins with a snapshot of its own."""
    conn.isolation_level = IsolationLevel.SERIALIZABLE
    with conn.transaction():
        conn.execute(INSERT, [1])
        one = conn.execute("select count(*) from numbers")
        two = conn.execute("select count(*) from numbers")
    assert one.fetchone() == two.fetchone() == (1,)


def test_a_row_factory_that_fails_keeps_no_result_from_other_cursors(numbers: Numbers, connect: Connect) -> None:
    conn = connect()
    first = conn.execute("insert into numbers values (1) returning a")
    bad = conn.cursor(row_factory=neonps.rows.scalar_row).execute("select")
    worse = conn.cursor(row_factory=neonps.rows.scalar_row).execute("select")
    last = conn.execute("insert into numbers values (2) returning a")
    with pytest.raises(neonps.ProgrammingError, match="at least one column") as caught:
        conn.commit()
    assert caught.value.outcome_unknown  # it is not that nothing was done
    assert numbers() == [1, 2]
    assert (first.fetchone(), last.fetchone()) == ((1,), (2,))
    for cursor in (bad, worse):
        with pytest.raises(neonps.InterfaceError, match="doesn't have a result"):
            cursor.fetchone()
