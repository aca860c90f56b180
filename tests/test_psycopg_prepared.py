"""Automatic prepared statements as psycopg has them, as `pg_prepared_statements` shows them."""

from __future__ import annotations

from typing import Any

import pytest
from peers import Peer


@pytest.fixture
def conn(peer: Peer) -> Any:
    return peer.connect(autocommit=True)


def prepared(conn: Any) -> list[tuple[str, list[str]]]:
    """Statement and types of each, in the order of their making."""
    found = conn.execute(
        "select statement, parameter_types::text[] from pg_prepared_statements order by prepare_time, name",
        prepare=False,
    )
    return [tuple(row) for row in found]


def texts(conn: Any) -> list[str]:
    return sorted(statement for statement, types in prepared(conn))


def test_defaults(conn: Any) -> None:
    assert (conn.prepare_threshold, conn.prepared_max) == (5, 100)


def test_prepared_after_the_threshold(conn: Any) -> None:
    found = []
    for i in range(8):
        assert conn.execute("select %s + 1", (i,)).fetchone() == (i + 1,)
        found.append(len(prepared(conn)))
    assert found == [0, 0, 0, 0, 0, 1, 1, 1]
    assert prepared(conn) == [("select $1 + 1", ["smallint"])]


def test_prepared_at_the_level_of_the_protocol(conn: Any) -> None:
    conn.execute("select 1", prepare=True)
    assert conn.execute("select from_sql from pg_prepared_statements", prepare=False).fetchall() == [(False,)]


def test_statements_without_parameters_count_too(conn: Any) -> None:
    for _ in range(6):
        conn.execute("select 1")
    assert texts(conn) == ["select 1"]


def test_other_cursors_count_too(conn: Any) -> None:
    for _ in range(6):
        with conn.cursor() as cursor:
            cursor.execute("select 1")
    assert texts(conn) == ["select 1"]


@pytest.mark.parametrize(("threshold", "executions"), [(0, 1), (1, 2), (2, 3)])
def test_prepare_threshold(conn: Any, threshold: int, executions: int) -> None:
    conn.prepare_threshold = threshold
    for i in range(1, executions + 1):
        conn.execute("select %s", ("x",))
        assert len(prepared(conn)) == (i == executions)


def test_prepare_threshold_of_connect(peer: Peer) -> None:
    conn = peer.connect(autocommit=True, prepare_threshold=0)
    assert conn.prepare_threshold == 0
    conn.execute("select 1")
    assert texts(conn) == ["select 1"]


def test_no_preparation(peer: Peer) -> None:
    conn = peer.connect(autocommit=True, prepare_threshold=None)
    assert conn.prepare_threshold is None
    for prepare in (None, False, True):
        for _ in range(8):
            assert conn.execute("select %s", (1,), prepare=prepare).fetchone() == (1,)
    conn.cursor().executemany("select %s", [(1,)] * 8)
    assert prepared(conn) == []


def test_threshold_is_changed_at_run_time(conn: Any) -> None:
    conn.prepare_threshold = None
    for _ in range(8):
        conn.execute("select 1")
    conn.prepare_threshold = 2
    conn.execute("select 2")
    conn.execute("select 2")
    assert prepared(conn) == []
    conn.execute("select 2")
    assert texts(conn) == ["select 2"]
    conn.prepare_threshold = None
    conn.execute("select 3", prepare=True)
    assert conn.execute("select 2").fetchone() == (2,)
    assert texts(conn) == ["select 2"]


def test_prepare_true(conn: Any) -> None:
    conn.cursor().execute("select %s", ("x",), prepare=True)
    assert prepared(conn) == [("select $1", ["text"])]
    conn.execute("select %s", ("y",), prepare=True)
    assert conn.execute("select %s", ("z",)).fetchone() == ("z",)
    assert prepared(conn) == [("select $1", ["text"])]


def test_prepare_false(conn: Any) -> None:
    for _ in range(8):
        conn.execute("select 1", prepare=False)
    assert prepared(conn) == []
    conn.prepare_threshold = 0
    conn.execute("select 1", prepare=False)
    assert prepared(conn) == []


def test_a_prepared_statement_is_used(conn: Any) -> None:
    conn.execute("select %s::text", ("x",), prepare=True)
    for _ in range(3):
        conn.execute("select %s::text", ("x",))
    found = conn.execute("select generic_plans + custom_plans from pg_prepared_statements", prepare=False).fetchone()
    assert found == (4,)


def test_types_make_statements_different(conn: Any) -> None:
    for value in (1, 100000, 10**10, "x", None, 1.5):
        assert conn.execute("select %s", (value,), prepare=True).fetchone() == (value,)
    types = [["smallint"], ["integer"], ["bigint"], ["text"], ["double precision"]]
    assert prepared(conn) == [("select $1", each) for each in types]


def test_types_are_counted_apart(conn: Any) -> None:
    conn.prepare_threshold = 1
    conn.execute("select %s", (1,))
    conn.execute("select %s", ("x",))
    assert prepared(conn) == []
    conn.execute("select %s", ("x",))
    assert prepared(conn) == [("select $1", ["text"])]


def test_names_are_not_used_twice(conn: Any) -> None:
    for i in range(5):
        conn.execute(f"select {i}", prepare=True)
    names = conn.execute("select name from pg_prepared_statements", prepare=False).fetchall()
    assert len(set(names)) == 5


def test_same_query_as_text_bytes_and_composed(peer: Peer, conn: Any) -> None:
    for query in ("select 1", b"select 1", peer.submodule("sql").SQL("select 1")):
        conn.execute(query, prepare=True)
    assert texts(conn) == ["select 1"]


def test_binary_results_of_a_prepared_statement(conn: Any) -> None:
    for binary in (True, False, True):
        cursor = conn.execute("select %s::int", (1,), prepare=True, binary=binary)
        assert cursor.pgresult.get_value(0, 0) == (b"\0\0\0\1" if binary else b"1")
        assert cursor.fetchone() == (1,)
    assert texts(conn) == ["select $1::int"]


def test_state_after_a_prepared_statement(conn: Any) -> None:
    for _ in range(3):
        cursor = conn.execute("select %s as a, 'x'::varchar(5) as b", (1,), prepare=True)
        assert [(c.name, c.type_display) for c in cursor.description] == [("a", "int2"), ("b", "varchar(5)")]
        assert (cursor.statusmessage, cursor.rowcount) == ("SELECT 1", 1)
        assert conn.execute("select 1 as a where false", prepare=True).fetchall() == []
        assert conn.execute("set work_mem = '5MB'", prepare=True).statusmessage == "SET"


def test_prepared_insert(conn: Any) -> None:
    conn.execute("create temp table t (a int)")
    for i in range(4):
        cursor = conn.execute("insert into t values (%s)", (i,), prepare=True)
        assert (cursor.statusmessage, cursor.rowcount, cursor.description) == ("INSERT 0 1", 1, None)
    assert conn.execute("select count(*) from t").fetchone() == (4,)


# prepared_max


def test_prepared_max(conn: Any) -> None:
    conn.prepared_max = 2
    for i in range(4):
        conn.execute(f"select {i}", prepare=True)
    assert texts(conn) == ["select 2", "select 3"]
    conn.execute("select 2", prepare=True)
    conn.execute("select 9", prepare=True)
    assert texts(conn) == ["select 2", "select 9"]  # 3 was the least recently used
    for i in (0, 9, 2, 3):
        assert conn.execute(f"select {i}", prepare=True).fetchone() == (i,)


def test_prepared_max_none(conn: Any) -> None:
    conn.prepared_max = None
    assert conn.prepared_max is None
    for i in range(110):
        conn.execute(f"select {i}", prepare=True)
    assert len(prepared(conn)) == 110


def test_no_more_than_prepared_max(conn: Any) -> None:
    for i in range(110):
        conn.execute(f"select {i}", prepare=True)
    assert len(prepared(conn)) == 100


def test_eviction_in_a_failing_transaction(peer: Peer) -> None:
    conn = peer.connect()
    conn.prepared_max = 2
    for i in range(3):
        conn.execute(f"select {i}", prepare=True)
        conn.commit()
    with pytest.raises(peer.module.errors.DivisionByZero):
        conn.execute("select 1 / 0", prepare=True)
    conn.rollback()
    for i in range(5):
        assert conn.execute(f"select {i}", prepare=True).fetchone() == (i,)
        conn.rollback()


# Statements that invalidate what is prepared


@pytest.mark.parametrize("statement", ["discard all", "deallocate all", "DEALLOCATE ALL"])
def test_deallocated_by_the_user(conn: Any, statement: str) -> None:
    conn.execute("select 1", prepare=True)
    conn.execute(statement)
    assert prepared(conn) == []
    for _ in range(2):
        assert conn.execute("select 1", prepare=True).fetchone() == (1,)
    assert texts(conn) == ["select 1"]


@pytest.mark.parametrize(
    "change",
    [
        "alter table t add b text",
        "alter table t alter a type bigint",
        "drop table t; create temp table t (b text, a int)",
        "ALTER TABLE t RENAME a TO c",
    ],
)
def test_result_changes_its_type(conn: Any, change: str) -> None:
    conn.execute("create temp table t (a int)")
    conn.execute("select * from t", prepare=True)
    conn.execute(change)
    found = [(c.name, c.type_code) for c in conn.execute("select * from t", prepare=True).description]
    assert found == [(c.name, c.type_code) for c in conn.execute("select * from t limit 0", prepare=False).description]
    conn.execute("select * from t", prepare=True)


def test_result_changes_its_type_in_a_transaction(peer: Peer) -> None:
    conn = peer.connect()
    conn.execute("create temp table t (a int)")
    conn.execute("select * from t", prepare=True)
    conn.execute("alter table t add b int")
    assert len(conn.execute("select * from t", prepare=True).description) == 2
    conn.rollback()


def test_result_changes_its_type_by_a_rollback(peer: Peer) -> None:
    conn = peer.connect()
    conn.execute("create temp table t (a int)")
    conn.commit()
    conn.execute("alter table t add b int")
    assert len(conn.execute("select * from t", prepare=True).description) == 2
    conn.rollback()
    for _ in range(2):
        assert len(conn.execute("select * from t", prepare=True).description) == 1


def test_result_changes_its_type_by_a_savepoint(conn: Any) -> None:
    conn.execute("create temp table t (a int)")
    with conn.transaction():
        with conn.transaction(force_rollback=True):
            conn.execute("alter table t add b int")
            assert len(conn.execute("select * from t", prepare=True).description) == 2
        assert len(conn.execute("select * from t", prepare=True).description) == 1


def test_result_changed_by_another_session(peer: Peer, conn: Any, admin: Any) -> None:
    admin.execute("drop table if exists changed_elsewhere")
    admin.execute("create table changed_elsewhere (a int)")
    try:
        conn.execute("select * from changed_elsewhere", prepare=True)
        admin.execute("alter table changed_elsewhere add b int")
        with pytest.raises(peer.module.errors.FeatureNotSupported, match="cached plan must not change result type"):
            conn.execute("select * from changed_elsewhere", prepare=True)
        conn.execute("deallocate all")
        assert len(conn.execute("select * from changed_elsewhere", prepare=True).description) == 2
    finally:
        admin.execute("drop table changed_elsewhere")


def test_rollback_by_the_user(conn: Any) -> None:
    conn.execute("begin")
    conn.execute("select 1", prepare=True)
    conn.execute("rollback")
    for _ in range(2):
        assert conn.execute("select 1", prepare=True).fetchone() == (1,)


def test_rollback(peer: Peer) -> None:
    conn = peer.connect()
    for end in (conn.rollback, conn.commit, conn.rollback):
        assert conn.execute("select 1", prepare=True).fetchone() == (1,)
        end()
    with pytest.raises(ZeroDivisionError):
        with conn.transaction():
            conn.execute("select 2", prepare=True)
            raise ZeroDivisionError
    assert conn.execute("select 2", prepare=True).fetchone() == (2,)


# Errors


def test_errors_of_statements_to_prepare(peer: Peer, conn: Any) -> None:
    errors = peer.module.errors
    for _ in range(2):
        with pytest.raises(errors.SyntaxError):
            conn.execute("selec 1", prepare=True)
        with pytest.raises(errors.UndefinedTable):
            conn.execute("select * from nope", prepare=True)
        with pytest.raises(errors.SyntaxError, match="cannot insert multiple commands into a prepared statement"):
            conn.execute("select 1; select 2", prepare=True)
    assert prepared(conn) == []
    assert conn.info.transaction_status.name == "IDLE"


def test_errors_of_prepared_statements(peer: Peer, conn: Any) -> None:
    for _ in range(2):
        with pytest.raises(peer.module.errors.DivisionByZero):
            conn.execute("select 1 / %s", (0,), prepare=True)
        assert conn.execute("select 1 / %s", (1,), prepare=True).fetchone() == (1,)


def test_several_statements_are_never_prepared(conn: Any) -> None:
    conn.prepare_threshold = 0
    for _ in range(3):
        cursor = conn.execute("select 1; select 2", prepare=False)
    assert cursor.set_result(1).fetchone() == (2,)


def test_several_statements_past_the_threshold(conn: Any) -> None:
    for _ in range(8):
        cursor = conn.execute("select 1; select 2")
        assert cursor.set_result(1).fetchone() == (2,)
    assert prepared(conn) == []


# executemany, stream, copy, pipeline


def test_executemany(conn: Any) -> None:
    conn.cursor().executemany("select %s", [(i,) for i in range(10)])
    assert prepared(conn) == [("select $1", ["smallint"])]
    conn.execute("deallocate all")
    cursor = conn.cursor()
    cursor.executemany("select %s || 'x'", [(str(i),) for i in range(10)], returning=True)
    assert [each.fetchone()[0] for each in cursor.results()] == [f"{i}x" for i in range(10)]
    assert prepared(conn) == [("select $1 || 'x'", ["text"])]


def test_executemany_again_after_deallocation(conn: Any) -> None:
    cursor = conn.cursor()
    for _ in range(2):
        cursor.executemany("select %s", [(i,) for i in range(10)], returning=True)
        assert len(list(cursor.results())) == 10
        conn.execute("deallocate all")


def test_stream_prepares_nothing(conn: Any) -> None:
    conn.prepare_threshold = 0
    for _ in range(3):
        assert list(conn.cursor().stream("select %s::text", ("x",))) == [("x",)]
    assert prepared(conn) == []


def test_pipeline(conn: Any) -> None:
    cursors = []
    with conn.pipeline():
        for i in range(8):
            cursors.append(conn.execute("select %s", (i,)))
    assert [cursor.fetchone() for cursor in cursors] == [(i,) for i in range(8)]
    assert prepared(conn) == [("select $1", ["smallint"])]
    with conn.pipeline():
        for _ in range(3):
            assert conn.execute("select 7", prepare=True).fetchone() == (7,)
    assert "select 7" in texts(conn)


def test_eviction_in_a_pipeline(conn: Any) -> None:
    conn.prepared_max = 1
    with conn.pipeline():
        cursors = [conn.execute(f"select {i % 3}", prepare=True) for i in range(6)]
        found = [cursor.fetchone()[0] for cursor in cursors]
    assert found == [0, 1, 2, 0, 1, 2]
    for i in range(3):
        assert conn.execute(f"select {i}", prepare=True).fetchone() == (i,)


def test_error_in_a_pipeline_that_prepares(peer: Peer, conn: Any) -> None:
    with pytest.raises(peer.module.errors.DivisionByZero):
        with conn.pipeline():
            conn.execute("select 1", prepare=True)
            conn.execute("select 1 / %s", (0,), prepare=True)
            conn.execute("select 2", prepare=True)
    for query in ("select 1", "select 2", "select 3"):
        assert conn.execute(query, prepare=True).fetchone() == (int(query[-1]),)
    assert conn.execute("select 1 / %s", (1,), prepare=True).fetchone() == (1,)


def test_connections_know_nothing_of_each_other(peer: Peer, conn: Any) -> None:
    other = peer.connect(autocommit=True)
    conn.execute("select 1", prepare=True)
    assert prepared(other) == []
    assert other.execute("select 1", prepare=True).fetchone() == (1,)
    assert (texts(conn), texts(other)) == (["select 1"], ["select 1"])
