"""Pipeline mode: what psycopg does, neonps does."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

import pytest
from backends import Admin, terminate, wait_until_gone
from peers import Peer
from transports import Numbers

INSERT = "insert into numbers values (%s)"


def status(conn: Any) -> str:
    name: str = conn.info.transaction_status.name
    return name


def pipeline_status(conn: Any) -> str:
    name: str = conn.info.pipeline_status.name
    return name


def settle(peer: Peer, pipeline: Any) -> None:
    """Have it over with an error, which may have come out before a sync was tried, and with those that follow it."""
    for _ in range(10):
        with suppress(peer.module.errors.PipelineAborted):
            pipeline.sync()
            return
    pytest.fail("the pipeline stays aborted")


autocommits = pytest.mark.parametrize("autocommit", [False, True])

# The block


def test_is_supported(peer: Peer) -> None:
    assert peer.module.Pipeline.is_supported() is True
    assert peer.module.AsyncPipeline.is_supported() is True
    assert peer.module.capabilities.has_pipeline() is True


def test_a_block_gives_a_pipeline(peer: Peer) -> None:
    pq = peer.submodule("pq")
    conn = peer.connect()
    with conn.pipeline() as pipeline:
        assert type(pipeline) is peer.module.Pipeline
        assert pipeline.status == pq.PipelineStatus.ON
        assert conn.info.pipeline_status == pq.PipelineStatus.ON
        assert conn.pgconn.pipeline_status == pq.PipelineStatus.ON
        assert "pipeline=ON" in repr(pipeline)
    assert pipeline.status == pq.PipelineStatus.OFF
    assert conn.info.pipeline_status == pq.PipelineStatus.OFF


def test_an_empty_block(peer: Peer) -> None:
    conn = peer.connect()
    with conn.pipeline():
        pass
    assert status(conn) == "IDLE"
    assert conn.execute("select 1").fetchone() == (1,)


def test_pipeline_does_nothing_before_it_is_entered(peer: Peer) -> None:
    conn = peer.connect()
    conn.pipeline()
    assert pipeline_status(conn) == "OFF"


@autocommits
def test_statements_run(numbers: Numbers, peer: Peer, autocommit: bool) -> None:
    conn = peer.connect(autocommit=autocommit)
    with conn.pipeline():
        for value in range(5):
            conn.execute(INSERT, [value])
        with conn.cursor() as cursor:
            cursor.execute(INSERT, [5])
            cursor.executemany(INSERT, [(6,), (7,)])
    assert status(conn) == ("IDLE" if autocommit else "INTRANS")
    conn.commit()
    assert numbers() == list(range(8))


def test_statements_are_not_waited_for(numbers: Numbers, peer: Peer, admin: Admin) -> None:
    """The error of a statement comes when its result is asked for."""
    conn = peer.connect()
    with pytest.raises(peer.module.errors.DivisionByZero):
        with conn.pipeline():
            cursor = conn.execute("select 1 / 0")
            reached = True
            cursor.fetchone()
            pytest.fail("has fetched")
    assert reached


def test_a_cursor_knows_nothing_until_the_result_is_there(peer: Peer) -> None:
    conn = peer.connect()
    with conn.pipeline() as pipeline:
        cursor = conn.execute("select 1 as a")
        assert cursor.rowcount == -1
        assert cursor.description is None
        assert cursor.statusmessage is None
        pipeline.sync()
        assert cursor.rowcount == 1
        assert cursor.description[0].name == "a"
        assert cursor.statusmessage == "SELECT 1"


def test_results_are_there_after_the_block(numbers: Numbers, peer: Peer) -> None:
    conn = peer.connect()
    with conn.pipeline():
        select = conn.execute("select generate_series(1, 3) as n")
        insert = conn.execute(INSERT, [1])
    assert select.description[0].name == "n"
    assert select.fetchall() == [(1,), (2,), (3,)]
    assert insert.rowcount == 1
    assert insert.statusmessage == "INSERT 0 1"


# Fetching within


def test_fetching_within(peer: Peer) -> None:
    conn = peer.connect()
    with conn.pipeline():
        cursor = conn.execute("select generate_series(1, 4)")
        assert cursor.fetchone() == (1,)
        assert cursor.fetchmany(2) == [(2,), (3,)]
        assert cursor.fetchall() == [(4,)]
        assert conn.execute("select 5").fetchone() == (5,)
        assert list(conn.execute("select generate_series(1, 3)")) == [(1,), (2,), (3,)]
        assert next(conn.execute("select 6")) == (6,)
        cursor = conn.execute("select generate_series(1, 4)")
        cursor.scroll(2)
        assert cursor.fetchone() == (3,)


def test_fetching_in_another_order(peer: Peer) -> None:
    conn = peer.connect()
    with conn.pipeline():
        cursors = [conn.execute("select %s::int", [number]) for number in range(5)]
        assert [cursor.fetchone() for cursor in reversed(cursors)] == [(4,), (3,), (2,), (1,), (0,)]


def test_fetching_does_not_sync(numbers: Numbers, peer: Peer) -> None:
    conn = peer.connect(autocommit=True)
    with conn.pipeline() as pipeline:
        conn.execute(INSERT, [1])
        assert conn.execute("select 1").fetchone() == (1,)
        assert numbers() == []
        pipeline.sync()
        assert numbers() == [1]


def test_fetching_what_gives_no_rows(peer: Peer) -> None:
    conn = peer.connect()
    with conn.pipeline():
        cursor = conn.execute("set work_mem to '5MB'")
        with pytest.raises(peer.module.ProgrammingError, match="the last operation didn't produce records"):
            cursor.fetchone()


def test_a_cursor_that_is_used_again_has_the_last_result(peer: Peer) -> None:
    conn = peer.connect()
    with conn.pipeline():
        cursor = conn.cursor()
        cursor.execute("select 1")
        cursor.execute("select 2")
        assert cursor.fetchall() == [(2,)]
        assert cursor.nextset() is None


def test_cursors_that_are_closed_before_the_result_is_there(peer: Peer) -> None:
    conn = peer.connect()
    with conn.pipeline():
        with conn.cursor() as cursor:
            cursor.execute("select 1")
        cursor = conn.execute("select 2")
        cursor.close()
        with pytest.raises(peer.module.InterfaceError, match="the cursor is closed"):
            cursor.fetchone()
        assert conn.execute("select 3").fetchone() == (3,)


def test_cursors_that_nobody_keeps(numbers: Numbers, peer: Peer) -> None:
    conn = peer.connect()
    with conn.pipeline():
        for value in range(100):
            conn.execute(INSERT, [value])
    conn.commit()
    assert len(numbers()) == 100


def test_rows_as_the_row_factory_makes_them(peer: Peer) -> None:
    rows = peer.submodule("rows")
    conn = peer.connect(row_factory=rows.dict_row)
    with conn.pipeline():
        assert conn.execute("select 1 as a, 'x' as b").fetchone() == {"a": 1, "b": "x"}


@pytest.mark.parametrize("name", ["ClientCursor", "RawCursor"])
def test_other_cursors(peer: Peer, name: str) -> None:
    conn = peer.connect(cursor_factory=getattr(peer.module, name))
    placeholder = "$1" if name == "RawCursor" else "%s"
    with conn.pipeline():
        cursors = [conn.execute(f"select {placeholder}::int", [number]) for number in range(3)]
        assert [cursor.fetchone() for cursor in cursors] == [(0,), (1,), (2,)]


def test_binary_results(peer: Peer) -> None:
    conn = peer.connect()
    with conn.pipeline():
        cursor = conn.execute("select 1::int8, 'x'::text, '2020-01-01'::date", binary=True)
        row = cursor.fetchone()
        assert row[:2] == (1, "x")


# sync()


def test_sync_ends_the_implicit_transaction_in_autocommit_mode(numbers: Numbers, peer: Peer) -> None:
    conn = peer.connect(autocommit=True)
    with conn.pipeline() as pipeline:
        conn.execute(INSERT, [1])
        assert numbers() == []
        pipeline.sync()
        assert numbers() == [1]
        conn.execute(INSERT, [2])
        assert numbers() == [1]
    assert numbers() == [1, 2]


def test_sync_commits_nothing_out_of_autocommit_mode(numbers: Numbers, peer: Peer) -> None:
    conn = peer.connect()
    with conn.pipeline() as pipeline:
        conn.execute(INSERT, [1])
        pipeline.sync()
        assert status(conn) == "INTRANS"
        assert numbers() == []


def test_sync_without_statements(peer: Peer) -> None:
    conn = peer.connect()
    with conn.pipeline() as pipeline:
        pipeline.sync()
        pipeline.sync()
        assert conn.execute("select 1").fetchone() == (1,)
        pipeline.sync()


def test_sync_outside_of_the_block(peer: Peer) -> None:
    conn = peer.connect()
    with conn.pipeline() as pipeline:
        pass
    with pytest.raises(peer.module.OperationalError, match="not in pipeline mode"):
        pipeline.sync()


def test_the_example_of_the_documentation(numbers: Numbers, peer: Peer) -> None:
    conn = peer.connect(autocommit=True)
    with conn.pipeline() as pipeline, conn.cursor() as cursor:
        with pytest.raises(peer.module.errors.UndefinedTable):
            cursor.execute(INSERT, [1])
            cursor.execute("insert into no_such_table values (%s)", [2])
            conn.execute(INSERT, [3])
            pipeline.sync()
        settle(peer, pipeline)
        cursor.execute(INSERT, [4])
    assert numbers() == [4]


# Nested blocks


def test_nested_blocks(peer: Peer) -> None:
    conn = peer.connect()
    with conn.pipeline() as outer:
        first = conn.execute("select 1")
        with conn.pipeline() as inner:
            assert inner is outer
            second = conn.execute("select 2")
        assert pipeline_status(conn) == "ON"
        assert (first.rowcount, second.rowcount) == (1, 1)
        assert first.fetchone() == (1,)
        assert second.fetchone() == (2,)
    assert pipeline_status(conn) == "OFF"


def test_a_nested_block_syncs(numbers: Numbers, peer: Peer) -> None:
    conn = peer.connect(autocommit=True)
    with conn.pipeline():
        with conn.pipeline():
            conn.execute(INSERT, [1])
        assert numbers() == [1]
        conn.execute(INSERT, [2])
    assert numbers() == [1, 2]


def test_the_error_of_a_nested_block(peer: Peer) -> None:
    conn = peer.connect(autocommit=True)
    with conn.pipeline():
        with pytest.raises(peer.module.errors.DivisionByZero):
            with conn.pipeline():
                conn.execute("select 1 / 0")
        assert conn.execute("select 1").fetchone() == (1,)


# Errors


def test_an_error_comes_out_at_the_end_of_the_block(peer: Peer) -> None:
    conn = peer.connect()
    with pytest.raises(peer.module.errors.DivisionByZero):
        with conn.pipeline():
            conn.execute("select 1 / 0")
            conn.execute("select 2")
    assert status(conn) == "INERROR"
    assert pipeline_status(conn) == "OFF"
    conn.rollback()
    assert conn.execute("select 1").fetchone() == (1,)


def test_an_error_comes_out_with_sync(peer: Peer) -> None:
    conn = peer.connect()
    with conn.pipeline() as pipeline:
        first, second = conn.cursor(), conn.cursor()
        with pytest.raises(peer.module.errors.SyntaxError):
            first.execute("selec 1")
            second.execute("select 2")
            pipeline.sync()
        settle(peer, pipeline)
        for cursor in (first, second):
            with pytest.raises(peer.module.ProgrammingError, match="no result available"):
                cursor.fetchone()
        conn.rollback()
        assert conn.execute("select 3").fetchone() == (3,)


def test_an_error_comes_out_with_a_fetch(peer: Peer) -> None:
    """Or earlier: the result may have come while something else was sent."""
    conn = peer.connect()
    cursors = [conn.cursor() for _ in range(3)]
    with conn.pipeline() as pipeline:
        with pytest.raises(peer.module.errors.DivisionByZero):
            for number, cursor in enumerate(cursors):
                cursor.execute("select 1 / %s::int", [1 - number])
            for cursor in cursors:
                cursor.fetchone()
        assert pipeline_status(conn) == "ABORTED"
        assert pipeline.status.name == "ABORTED"
        for cursor in cursors[1:]:
            with pytest.raises(peer.module.Error):
                cursor.fetchone()
        settle(peer, pipeline)
        assert pipeline_status(conn) == "ON"
        conn.rollback()


def test_a_pipeline_that_is_aborted(peer: Peer) -> None:
    conn = peer.connect(autocommit=True)
    with conn.pipeline() as pipeline:
        with pytest.raises(peer.module.errors.DivisionByZero):
            conn.execute("select 1 / 0").fetchone()
        assert pipeline_status(conn) == "ABORTED"
        with pytest.raises(peer.module.errors.PipelineAborted, match="pipeline aborted") as caught:
            conn.execute("select 1").fetchone()
        assert isinstance(caught.value, peer.module.OperationalError)
        with pytest.raises(peer.module.errors.PipelineAborted):
            conn.execute("select 2").fetchone()
        pipeline.sync()
        assert pipeline_status(conn) == "ON"
        assert conn.execute("select 3").fetchone() == (3,)


def test_statements_after_an_error_do_not_run(numbers: Numbers, peer: Peer) -> None:
    conn = peer.connect(autocommit=True)
    with conn.pipeline() as pipeline:
        with pytest.raises(peer.module.errors.UniqueViolation):
            conn.execute(INSERT, [1])
            conn.execute(INSERT, [1])
            conn.execute(INSERT, [2])
            pipeline.sync()
        settle(peer, pipeline)
        conn.execute(INSERT, [3])
    assert numbers() == [3]


def test_a_transaction_that_has_failed(peer: Peer) -> None:
    """A sync ends the state of the pipeline, not that of the transaction."""
    conn = peer.connect()
    with conn.pipeline() as pipeline:
        with pytest.raises(peer.module.errors.DivisionByZero):
            conn.execute("select 1 / 0")
            pipeline.sync()
        settle(peer, pipeline)
        assert status(conn) == "INERROR"
        with pytest.raises(peer.module.errors.InFailedSqlTransaction):
            conn.execute("select 1").fetchone()
        conn.rollback()
        assert status(conn) == "IDLE"
        assert conn.execute("select 2").fetchone() == (2,)


def test_an_error_of_the_program_wins_over_that_of_the_server(peer: Peer) -> None:
    conn = peer.connect()
    with pytest.raises(ZeroDivisionError, match="of our own"):
        with conn.pipeline():
            conn.execute("select 1 / 0")
            raise ZeroDivisionError("of our own")
    assert pipeline_status(conn) == "OFF"
    assert status(conn) == "INERROR"
    conn.rollback()
    assert conn.execute("select 1").fetchone() == (1,)


def test_an_error_of_the_program_leaves_what_was_sent(numbers: Numbers, peer: Peer) -> None:
    conn = peer.connect()
    with pytest.raises(ZeroDivisionError):
        with conn.pipeline():
            conn.execute(INSERT, [1])
            raise ZeroDivisionError
    assert status(conn) == "INTRANS"
    conn.commit()
    assert numbers() == [1]


def test_what_cannot_be_sent_fails_at_once(numbers: Numbers, peer: Peer) -> None:
    conn = peer.connect()
    with conn.pipeline():
        conn.execute(INSERT, [1])
        with pytest.raises(peer.module.ProgrammingError, match="cannot adapt type 'object'"):
            conn.execute(INSERT, [object()])
        with pytest.raises(peer.module.ProgrammingError, match="the query has 2 placeholders but 1 parameters"):
            conn.execute("select %s, %s", [1])
        conn.execute(INSERT, [2])
    conn.commit()
    assert numbers() == [1, 2]


def test_an_error_that_is_never_asked_for_is_not_lost(numbers: Numbers, peer: Peer) -> None:
    conn = peer.connect(autocommit=True)
    with pytest.raises(peer.module.errors.UniqueViolation) as caught:
        with conn.pipeline():
            conn.execute(INSERT, [1])
            conn.execute(INSERT, [1])
    assert caught.value.diag.constraint_name == "numbers_pkey"
    assert numbers() == []


# Commit, rollback, transaction blocks


def test_commit_and_rollback(numbers: Numbers, peer: Peer) -> None:
    conn = peer.connect()
    with conn.pipeline():
        conn.execute(INSERT, [1])
        conn.commit()
        assert numbers() == [1]
        assert status(conn) == "IDLE"
        conn.execute(INSERT, [2])
        conn.rollback()
        assert numbers() == [1]
        assert status(conn) == "IDLE"
        conn.execute(INSERT, [3])
    assert numbers() == [1]
    assert status(conn) == "INTRANS"
    conn.commit()
    assert numbers() == [1, 3]


def test_commit_raises_the_error_of_a_statement(numbers: Numbers, peer: Peer) -> None:
    conn = peer.connect()
    with conn.pipeline() as pipeline:
        with pytest.raises(peer.module.errors.UniqueViolation):
            conn.execute(INSERT, [1])
            conn.execute(INSERT, [1])
            conn.commit()
        settle(peer, pipeline)
        conn.rollback()
        conn.execute(INSERT, [2])
        conn.commit()
    assert numbers() == [2]


def test_commit_and_rollback_of_nothing(peer: Peer) -> None:
    conn = peer.connect()
    with conn.pipeline():
        conn.commit()
        conn.rollback()
        assert status(conn) == "IDLE"


@autocommits
def test_transaction_blocks_within(numbers: Numbers, peer: Peer, autocommit: bool) -> None:
    conn = peer.connect(autocommit=autocommit)
    with conn.pipeline():
        with conn.transaction() as transaction:
            cursor = conn.execute("insert into numbers values (1) returning a")
        assert transaction.status == transaction.Status.COMMITTED
        assert numbers() == [1]
        assert cursor.fetchall() == [(1,)]
        with pytest.raises(ZeroDivisionError):
            with conn.transaction():
                conn.execute(INSERT, [2])
                raise ZeroDivisionError
        with conn.transaction():
            conn.execute(INSERT, [3])
            raise peer.module.Rollback
        with conn.transaction(force_rollback=True):
            conn.execute(INSERT, [4])
        assert numbers() == [1]
        assert status(conn) == "IDLE"


def test_a_transaction_block_within_raises_the_error_of_a_statement(numbers: Numbers, peer: Peer) -> None:
    conn = peer.connect()
    with conn.pipeline():
        with pytest.raises(peer.module.errors.UniqueViolation):
            with conn.transaction() as transaction:
                conn.execute(INSERT, [1])
                conn.execute(INSERT, [1])
        assert transaction.status == transaction.Status.ROLLED_BACK_WITH_ERROR
        assert status(conn) == "IDLE"
        assert pipeline_status(conn) == "ON"
        with conn.transaction():
            conn.execute(INSERT, [2])
    assert numbers() == [2]


def test_nested_transaction_blocks_within(numbers: Numbers, peer: Peer) -> None:
    conn = peer.connect()
    with conn.pipeline():
        with conn.transaction():
            conn.execute(INSERT, [1])
            with pytest.raises(peer.module.errors.UniqueViolation):
                with conn.transaction():
                    conn.execute(INSERT, [1])
            conn.execute(INSERT, [2])
            with conn.transaction():
                conn.execute(INSERT, [3])
    assert numbers() == [1, 2, 3]


def test_a_pipeline_within_a_transaction_block(numbers: Numbers, peer: Peer) -> None:
    conn = peer.connect()
    with conn.transaction():
        with conn.pipeline():
            conn.execute(INSERT, [1])
            conn.execute(INSERT, [2])
        assert numbers() == []
    assert numbers() == [1, 2]
    with pytest.raises(peer.module.errors.UniqueViolation):
        with conn.transaction(), conn.pipeline():
            conn.execute(INSERT, [3])
            conn.execute(INSERT, [3])
    assert numbers() == [1, 2]
    assert status(conn) == "IDLE"
    with conn.transaction(force_rollback=True), conn.pipeline():
        conn.execute(INSERT, [4])
    assert numbers() == [1, 2]


def test_the_deferred_constraint_of_a_transaction_block(numbers: Numbers, peer: Peer) -> None:
    conn = peer.connect()
    with conn.pipeline():
        with pytest.raises(peer.module.errors.UniqueViolation):
            with conn.transaction():
                conn.execute("insert into numbers values (1, 1)")
                conn.execute("insert into numbers values (2, 1)")
        assert status(conn) == "IDLE"
    assert numbers() == []


def test_setters_within(peer: Peer) -> None:
    conn = peer.connect()
    with conn.pipeline():
        conn.autocommit = True
        conn.read_only = True
        conn.execute("select 1")
    assert conn.autocommit is True
    assert status(conn) == "IDLE"


# executemany(), prepared statements


def test_executemany_within(numbers: Numbers, peer: Peer) -> None:
    conn = peer.connect()
    with conn.pipeline() as pipeline:
        cursor = conn.cursor()
        cursor.executemany(INSERT, [(1,), (2,), (3,)])
        pipeline.sync()
        assert cursor.rowcount == 3
    conn.commit()
    assert numbers() == [1, 2, 3]


def test_executemany_with_returning_within(numbers: Numbers, peer: Peer) -> None:
    conn = peer.connect()
    with conn.pipeline():
        cursor = conn.cursor()
        cursor.executemany("insert into numbers values (%s) returning a", [(1,), (2,), (3,)], returning=True)
        found = [cursor.fetchone()]
        while cursor.nextset():
            found.append(cursor.fetchone())
        assert found == [(1,), (2,), (3,)]


def test_an_error_of_executemany_within(numbers: Numbers, peer: Peer) -> None:
    conn = peer.connect()
    with pytest.raises(peer.module.errors.UniqueViolation):
        with conn.pipeline():
            conn.cursor().executemany(INSERT, [(1,), (1,), (2,)])
    conn.rollback()
    assert numbers() == []


def test_executemany_alone_uses_few_round_trips_and_leaves_pipeline_mode(numbers: Numbers, peer: Peer) -> None:
    conn = peer.connect()
    conn.cursor().executemany(INSERT, [(1,), (2,)])
    assert pipeline_status(conn) == "OFF"


def test_preparing_within(peer: Peer) -> None:
    conn = peer.connect()
    with conn.pipeline():
        cursors = [conn.execute("select %s::int + 12", [number], prepare=True) for number in range(4)]
        assert [cursor.fetchone() for cursor in cursors] == [(12,), (13,), (14,), (15,)]
    row = conn.execute("select count(*) from pg_prepared_statements where statement like '%+ 12'").fetchone()
    assert row == (1,)


def test_preparing_automatically_within(peer: Peer) -> None:
    conn = peer.connect()
    with conn.pipeline():
        cursors = [conn.execute("select %s::int + 13", [number]) for number in range(9)]
        assert [cursor.fetchone() for cursor in cursors] == [(13 + number,) for number in range(9)]
    row = conn.execute("select count(*) from pg_prepared_statements where statement like '%+ 13'").fetchone()
    assert row == (1,)


def test_a_prepared_statement_whose_transaction_is_undone(peer: Peer) -> None:
    """What was being prepared when the pipeline was aborted is prepared again."""
    conn = peer.connect(autocommit=True)
    with pytest.raises(peer.module.errors.DivisionByZero):
        with conn.pipeline():
            conn.execute("select 1 / 0")
            conn.execute("select %s::int + 14", [1], prepare=True)
    assert conn.execute("select %s::int + 14", [1], prepare=True).fetchone() == (15,)
    with conn.pipeline():
        assert conn.execute("select %s::int + 14", [2], prepare=True).fetchone() == (16,)


# What is refused


def test_several_statements_at_once_are_refused(peer: Peer) -> None:
    conn = peer.connect()
    with pytest.raises(peer.module.errors.SyntaxError, match="cannot insert multiple commands"):
        with conn.pipeline():
            conn.execute("select 1; select 2").fetchall()


def test_copy_is_refused(peer: Peer) -> None:
    conn = peer.connect()
    with pytest.raises(peer.module.NotSupportedError, match="COPY cannot be used in pipeline mode"):
        with conn.pipeline(), conn.cursor().copy("copy (select 1) to stdout"):
            pytest.fail("has entered")
    assert not conn.closed
    conn.rollback()
    assert conn.execute("select 1").fetchone() == (1,)


def test_stream_is_refused(peer: Peer) -> None:
    conn = peer.connect()
    with pytest.raises(peer.module.ProgrammingError, match=r"stream\(\) cannot be used in pipeline mode"):
        with conn.pipeline():
            list(conn.cursor().stream("select 1"))
    assert not conn.closed


def test_server_cursors_are_refused(peer: Peer) -> None:
    conn = peer.connect()
    with pytest.raises(peer.module.NotSupportedError, match="server-side cursors not supported in pipeline mode"):
        with conn.pipeline(), conn.cursor("named") as cursor:
            cursor.execute("select 1")
    assert not conn.closed


# Much


@pytest.mark.timeout(120)
@pytest.mark.parametrize("fetch", ["within", "after", "never"])
def test_ten_thousand_statements_with_much_in_both_directions(peer: Peer, fetch: str) -> None:
    """Neither side waits for the other to read."""
    conn = peer.connect()
    text = "x" * 3000
    with conn.pipeline():
        cursors = [
            conn.execute("select %s::text || %s::text", [text, str(number)], prepare=False) for number in range(10_000)
        ]
        if fetch == "never":
            cursors.clear()
        if fetch == "within":
            assert all(cursor.fetchone() == (f"{text}{number}",) for number, cursor in enumerate(cursors))
    if fetch == "after":
        assert all(cursor.fetchone() == (f"{text}{number}",) for number, cursor in enumerate(cursors))
    assert conn.execute("select 1").fetchone() == (1,)


@pytest.mark.timeout(120)
def test_a_few_statements_with_very_much_in_both_directions(peer: Peer) -> None:
    conn = peer.connect()
    text = "x" * 4_000_000
    with conn.pipeline():
        cursors = [conn.execute("select %s::text", [text]) for _ in range(6)]
    assert [len(cursor.fetchone()[0]) for cursor in cursors] == [4_000_000] * 6


@pytest.mark.timeout(120)
def test_much_in_one_direction(numbers: Numbers, peer: Peer) -> None:
    conn = peer.connect()
    with conn.pipeline():
        small = [conn.execute("select repeat('x', 20000)") for _ in range(2000)]
        for value in range(2000):
            conn.execute("insert into numbers select %s where length(%s) = 20000", [value, "y" * 20000])
    assert all(len(cursor.fetchone()[0]) == 20000 for cursor in small)
    conn.commit()
    assert len(numbers()) == 2000


@pytest.mark.timeout(120)
def test_much_in_executemany(peer: Peer) -> None:
    conn = peer.connect()
    cursor = conn.cursor()
    text = "x" * 3000
    cursor.executemany("select %s::text", [(f"{text}{number}",) for number in range(5000)], returning=True)
    count = 0
    while True:
        assert cursor.fetchone() == (f"{text}{count}",)
        count += 1
        if not cursor.nextset():
            break
    assert count == 5000


def test_notices_of_many_statements(peer: Peer) -> None:
    seen = []
    conn = peer.connect()
    conn.add_notice_handler(lambda diag: seen.append(diag.message_primary))
    with conn.pipeline():
        for number in range(300):
            conn.execute(f"do $$begin raise notice '{number} {'x' * 500}'; end$$")
    assert [int(message.split()[0]) for message in seen] == list(range(300))


# The connection is closed or lost, or shared


def test_closing_the_connection_within(peer: Peer) -> None:
    conn = peer.connect()
    with pytest.raises(peer.module.OperationalError, match="the connection is closed"):
        with conn.pipeline():
            conn.execute("select 1")
            conn.close()
    assert conn.closed


def test_losing_the_connection_within(peer: Peer, admin: Admin) -> None:
    conn = peer.connect()
    with pytest.raises(peer.module.OperationalError):
        with conn.pipeline():
            terminate(admin, conn.info.backend_pid)
            conn.execute("select 1").fetchone()
    assert conn.broken
    assert pipeline_status(conn) in ("OFF", "ON")


def test_losing_the_connection_before_the_end(peer: Peer, admin: Admin) -> None:
    conn = peer.connect()
    pid = conn.info.backend_pid
    with pytest.raises(peer.module.OperationalError):
        with conn.pipeline() as pipeline:
            conn.execute("select 1")
            pipeline.sync()
            terminate(admin, pid)
            conn.execute("select 2")
    assert conn.closed
    wait_until_gone(admin, pid)


def test_losing_the_connection_and_an_error_of_the_program(peer: Peer, admin: Admin) -> None:
    conn = peer.connect()
    with pytest.raises(ZeroDivisionError):
        with conn.pipeline():
            conn.execute("select 1")
            terminate(admin, conn.info.backend_pid)
            raise ZeroDivisionError


def test_threads_share_a_pipeline(peer: Peer, in_thread: Any) -> None:
    conn = peer.connect(autocommit=True)

    def work(thread: int) -> list[Any]:
        cursors = [conn.execute("select %s::int", [thread * 1000 + number]) for number in range(50)]
        return [cursor.fetchone()[0] for cursor in cursors]

    with conn.pipeline():
        futures: list[Future[Any]] = [in_thread(work, thread) for thread in range(4)]
        for thread, future in enumerate(futures):
            assert future.result() == [thread * 1000 + number for number in range(50)]


# asyncio


def test_async(numbers: Numbers, peer: Peer) -> None:
    async def work() -> None:
        async with await peer.connect_async() as conn:
            async with conn.pipeline() as pipeline:
                assert type(pipeline) is peer.module.AsyncPipeline
                assert pipeline_status(conn) == "ON"
                cursors = [await conn.execute("select %s::int", [number]) for number in range(5)]
                assert [await cursor.fetchone() for cursor in cursors] == [(0,), (1,), (2,), (3,), (4,)]
                await conn.execute(INSERT, [1])
                await pipeline.sync()
                await conn.commit()
                assert numbers() == [1]
                async with conn.transaction():
                    await conn.execute(INSERT, [2])
                assert numbers() == [1, 2]
                with pytest.raises(peer.module.errors.DivisionByZero):
                    await (await conn.execute("select 1 / 0")).fetchone()
                with pytest.raises(peer.module.errors.PipelineAborted):
                    await (await conn.execute("select 1")).fetchone()
                await conn.rollback()
                assert await (await conn.execute("select 1")).fetchone() == (1,)
            assert pipeline_status(conn) == "OFF"

    asyncio.run(work())


def test_async_tasks_share_a_pipeline(peer: Peer) -> None:
    async def work() -> None:
        async with await peer.connect_async(autocommit=True) as conn, conn.pipeline():

            async def one(number: int) -> Any:
                return await (await conn.execute("select %s::int", [number])).fetchone()

            assert await asyncio.gather(*map(one, range(50))) == [(number,) for number in range(50)]

    asyncio.run(work())


def test_async_an_error_of_the_program(peer: Peer) -> None:
    async def work() -> None:
        async with await peer.connect_async() as conn:
            with pytest.raises(ZeroDivisionError):
                async with conn.pipeline():
                    await conn.execute("select 1 / 0")
                    raise ZeroDivisionError
            await conn.rollback()
            assert await (await conn.execute("select 1")).fetchone() == (1,)

    asyncio.run(work())


@pytest.mark.timeout(120)
def test_async_much_in_both_directions(peer: Peer) -> None:
    async def work() -> None:
        async with await peer.connect_async() as conn:
            text = "x" * 3000
            async with conn.pipeline():
                cursors = [await conn.execute("select %s::text", [f"{text}{number}"]) for number in range(5000)]
            for number, cursor in enumerate(cursors):
                assert await cursor.fetchone() == (f"{text}{number}",)

    asyncio.run(work())
