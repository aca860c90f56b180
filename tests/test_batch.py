"""`conn.batch()`: several statements in one round trip, as one transaction, on every transport."""

from __future__ import annotations

from typing import Any

import pytest
from relay import Relay
from transports import Connect, Connection, Numbers, on_sessions, over_http, status

import neonps
from neonps import IsolationLevel, errors

INSERT = "insert into numbers values (%s)"


@pytest.mark.parametrize("autocommit", [True, False])
def test_one_result_per_statement(numbers: Numbers, connect: Connect, autocommit: bool) -> None:
    conn = connect(autocommit=autocommit)
    cursors = conn.batch(
        [
            (INSERT, [1]),
            ("insert into numbers values (%(a)s, %(b)s) returning b, a", {"a": 2, "b": 20}),
            "select a, '100%' from numbers order by a",
            ("update numbers set b = b + 1 where a > %s", (1,)),
            "select from numbers",
            ("", None),
            "do $$begin end$$",
            ("select 1", ()),
        ]
    )
    assert numbers() == [1, 2]
    assert status(conn) == "IDLE"
    assert all(isinstance(cursor, neonps.Cursor) and cursor.connection is conn for cursor in cursors)
    assert [cursor.rowcount for cursor in cursors] == [1, 1, 2, 1, 2, -1, -1, 1]
    assert [cursor.description is None for cursor in cursors] == [True, False, False, True, False, True, True, False]
    assert cursors[1].fetchall() == [(20, 2)]
    assert cursors[2].fetchall() == [(1, "100%"), (2, "100%")]
    assert cursors[7].fetchone() == (1,)
    assert cursors[1].statusmessage == "INSERT 0 1"
    with pytest.raises(neonps.ProgrammingError, match="didn't produce records"):
        cursors[0].fetchone()


def test_it_is_one_round_trip(relayed: Connect, relay: Relay) -> None:
    conn = relayed()
    conn.batch(["select 1"])
    relay.clear()
    conn.batch([("select %s", [n]) for n in range(50)])
    assert len(relay.sent) == 1


@pytest.mark.parametrize("statements", [[], (), iter([])])
def test_nothing(conn: Connection, statements: Any) -> None:
    assert conn.batch(statements) == []
    assert status(conn) == "IDLE"


def test_a_generator(numbers: Numbers, conn: Connection) -> None:
    assert len(conn.batch((INSERT, [n]) for n in range(3))) == 3
    assert numbers() == [0, 1, 2]


@pytest.mark.parametrize("level", IsolationLevel)
def test_isolation_level(conn: Connection, level: IsolationLevel) -> None:
    (cursor,) = conn.batch(["show transaction_isolation"], isolation_level=level)
    assert cursor.fetchone() == (level.name.lower().replace("_", " "),)
    (cursor,) = conn.batch(["show transaction_isolation"])
    assert cursor.fetchone() == ("read committed",)


def test_characteristics(conn: Connection) -> None:
    query = "show transaction_read_only", "show transaction_deferrable", "show transaction_isolation"
    cursors = conn.batch(query, isolation_level=4, read_only=True, deferrable=True)
    assert [cursor.fetchone() for cursor in cursors] == [("on",), ("on",), ("serializable",)]
    cursors = conn.batch(query)
    assert [cursor.fetchone() for cursor in cursors] == [("off",), ("off",), ("read committed",)]


def test_those_of_the_connection_are_the_default(conn: Connection) -> None:
    conn.isolation_level = IsolationLevel.REPEATABLE_READ
    conn.read_only = True
    query = "show transaction_read_only", "show transaction_isolation"
    assert [cursor.fetchone() for cursor in conn.batch(query)] == [("on",), ("repeatable read",)]
    cursors = conn.batch(query, isolation_level=IsolationLevel.SERIALIZABLE, read_only=False)
    assert [cursor.fetchone() for cursor in cursors] == [("off",), ("serializable",)]


def test_a_batch_that_may_only_read(numbers: Numbers, conn: Connection) -> None:
    with pytest.raises(errors.ReadOnlySqlTransaction):
        conn.batch(["select 1", (INSERT, [1])], read_only=True)
    assert numbers() == []
    assert status(conn) == "IDLE"


@pytest.mark.parametrize("autocommit", [True, False])
@pytest.mark.parametrize("position", [0, 1, 2])
def test_all_or_nothing(numbers: Numbers, connect: Connect, position: int, autocommit: bool) -> None:
    conn = connect(autocommit=autocommit)
    statements: list[Any] = [(INSERT, [1]), (INSERT, [2])]
    statements.insert(position, "select 1 / 0")
    with pytest.raises(errors.DivisionByZero):
        conn.batch(statements)
    assert numbers() == []
    assert status(conn) == "IDLE"
    conn.batch([(INSERT, [3])])
    assert numbers() == [3]


def test_nothing_if_the_commit_fails(numbers: Numbers, conn: Connection) -> None:
    with pytest.raises(errors.UniqueViolation):
        conn.batch(["insert into numbers values (1, 1)", "insert into numbers values (2, 1)"])
    assert numbers() == []
    assert status(conn) == "IDLE"
    assert conn.execute("select 1").fetchone() == (1,)


@pytest.mark.parametrize(
    ("statement", "cls", "message"),
    [
        (("select %s", []), neonps.ProgrammingError, "1 placeholders but 0 parameters"),
        (("select %s", [object()]), neonps.ProgrammingError, "object"),
        (("select %s", "abc"), TypeError, "sequence or a mapping"),
        (("select 1", [], "more"), TypeError, "batch"),
        (("select 1",), TypeError, "batch"),
        (7, TypeError, "int"),
        (("select %s", ["a\0"]), neonps.DataError, "NUL"),
    ],
)
def test_a_mistake_is_found_before_anything_is_sent(
    relayed: Connect, relay: Relay, statement: Any, cls: type[Exception], message: str
) -> None:
    conn = relayed()
    relay.clear()
    with pytest.raises(cls, match=message):
        conn.batch(["select 1", statement])
    assert relay.sent == []
    assert status(conn) == "IDLE"
    assert len(conn.batch(["select 1"])) == 1


def test_a_level_that_does_not_exist(conn: Connection) -> None:
    with pytest.raises(ValueError, match="7"):
        conn.batch(["select 1"], isolation_level=7)


def test_several_commands_in_one_statement(numbers: Numbers, conn: Connection) -> None:
    with pytest.raises(errors.SyntaxError, match="multiple commands"):
        conn.batch(["insert into numbers values (1); commit"])
    assert numbers() == []


@on_sessions
def test_within_a_transaction(numbers: Numbers, conn: Connection) -> None:
    conn.execute(INSERT, [1])
    conn.batch([(INSERT, [2])])
    assert numbers() == []
    assert status(conn) == "INTRANS"
    with pytest.raises(neonps.ProgrammingError, match="characteristics"):
        conn.batch([(INSERT, [3])], read_only=True)
    conn.commit()
    assert numbers() == [1, 2]


@on_sessions
def test_within_a_block(numbers: Numbers, auto: Connection) -> None:
    with auto.transaction():
        auto.batch([(INSERT, [1]), (INSERT, [2])])
        with pytest.raises(errors.UniqueViolation), auto.transaction():
            auto.batch([(INSERT, [3]), (INSERT, [3])])
        assert numbers() == []
    assert numbers() == [1, 2]


@over_http
def test_within_a_transaction_over_http(numbers: Numbers, conn: Connection) -> None:
    conn.execute(INSERT, [1])
    with pytest.raises(neonps.NotSupportedError, match="commit"):
        conn.batch([(INSERT, [2])])
    conn.commit()
    with conn.transaction(), pytest.raises(neonps.NotSupportedError, match="commit"):
        conn.batch([(INSERT, [3])])
    assert numbers() == [1]


def test_many_statements(numbers: Numbers, conn: Connection) -> None:
    """More than fits into the buffers on the way, in both directions."""
    count = 3000
    cursors = conn.batch([("insert into numbers values (%s) returning repeat('x', 500)", [n]) for n in range(count)])
    assert len(cursors) == count
    assert len(numbers()) == count
    assert cursors[-1].fetchone() == ("x" * 500,)
