"""DB-API 2.0 (PEP 249): `executemany()`; that it is atomic, and what it does with mistakes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from transports import Connect, Connection, Numbers, on_sessions, over_http

import neonps
from neonps import errors

INSERT = "insert into numbers values (%s)"

# What it does


def test_rows_are_inserted(numbers: Numbers, auto: Connection) -> None:
    cursor = auto.cursor()
    assert cursor.executemany(INSERT, [(1,), (2,), (3,)]) is None
    assert numbers() == [1, 2, 3]
    assert cursor.rowcount == 3
    assert cursor.description is None
    assert cursor.nextset() is None
    with pytest.raises(neonps.ProgrammingError, match="no result available"):
        cursor.fetchone()


def test_within_a_transaction(numbers: Numbers, conn: Connection) -> None:
    cursor = conn.cursor()
    cursor.executemany(INSERT, [(1,), (2,)])
    assert numbers() == []
    conn.rollback()
    assert numbers() == []
    cursor.executemany(INSERT, [(1,), (2,)])
    conn.commit()
    assert numbers() == [1, 2]
    assert cursor.rowcount == 2


@pytest.mark.parametrize("params", [[], (), iter([])], ids=["list", "tuple", "iterator"])
@pytest.mark.parametrize("returning", [False, True])
@pytest.mark.parametrize("autocommit", [False, True])
def test_without_any_parameters(
    connect: Connect, admin: psycopg.Connection[Any], params: Any, returning: bool, autocommit: bool
) -> None:
    conn = connect(autocommit=autocommit)
    cursor, theirs = conn.cursor(), admin.cursor()
    for each in (cursor, theirs):
        each.executemany("select %s::int", params, returning=returning)
    assert cursor.description is None
    assert cursor.nextset() is None
    with pytest.raises(neonps.ProgrammingError, match="no result available"):
        cursor.fetchone()
    if conn.info.transport != "http" or autocommit:
        assert cursor.rowcount == theirs.rowcount
    conn.commit()
    conn.autocommit = not autocommit  # no transaction is open
    assert conn.execute("select 1").fetchone() == (1,)


def test_parameters_from_a_generator(numbers: Numbers, auto: Connection) -> None:
    def values() -> Iterator[tuple[int]]:
        for value in range(5):
            yield (value,)

    auto.cursor().executemany(INSERT, values())
    assert numbers() == [0, 1, 2, 3, 4]


def test_parameters_of_every_shape(numbers: Numbers, auto: Connection) -> None:
    cursor = auto.cursor()
    cursor.executemany("insert into numbers values (%(a)s, %(b)s)", ({"a": n, "b": n, "c": None} for n in (1, 2)))
    cursor.executemany(INSERT, [[3], (4,), range(5, 6)])
    cursor.executemany("insert into numbers values (7)", [()])
    assert numbers() == [1, 2, 3, 4, 5, 7]


def test_parameters_of_different_types(auto: Connection, admin: psycopg.Connection[Any]) -> None:
    """Each set is dumped by what is in it; none has to look like the first."""
    values = [(None,), (1,), (2**40,), (1.5,), ("7",), (None,), (True,), ([1, 2],), (2**70,)]
    cursor, theirs = auto.cursor(), admin.cursor()
    rows = []
    for each in (cursor, theirs):
        each.executemany("select %s::text", values, returning=True)
        rows.append([each.fetchone()])
        while each.nextset():
            rows[-1].append(each.fetchone())
    assert rows[0] == rows[1]


def test_the_results_are_kept_if_wanted(numbers: Numbers, auto: Connection) -> None:
    cursor = auto.cursor()
    cursor.executemany("insert into numbers values (%s) returning a, b", [(3,), (1,), (2,)], returning=True)
    for value in (3, 1, 2):
        assert cursor.rowcount == 1
        assert [column.name for column in cursor.description or ()] == ["a", "b"]
        assert cursor.fetchall() == [(value, None)]
        assert cursor.nextset() is (True if value != 2 else None)
    assert numbers() == [1, 2, 3]


def test_the_results_can_be_gone_through(auto: Connection) -> None:
    cursor = auto.cursor()
    cursor.executemany("select %s::int", [(1,), (2,)], returning=True)
    assert [each.fetchone() for each in cursor.results()] == [(1,), (2,)]
    assert cursor.statusmessage == "SELECT 1"


def test_rowcount_is_the_sum(numbers: Numbers, auto: Connection) -> None:
    cursor = auto.cursor()
    cursor.executemany(INSERT, [(n,) for n in range(6)])
    cursor.executemany("update numbers set b = a where a < %s", [(0,), (2,), (4,)])
    assert cursor.rowcount == 6
    cursor.executemany("select * from numbers where a = %s", [(1,), (2,), (77,)])
    assert cursor.rowcount == 2
    cursor.executemany("do $$begin end$$", [(), ()])
    assert cursor.rowcount == 0


def test_many_rows(numbers: Numbers, auto: Connection) -> None:
    """More than fits into the buffers between here and the server, in both directions."""
    count = 5000 if auto.info.transport == "http" else 20_000
    cursor = auto.cursor()
    query = "insert into numbers values (%s) returning a, repeat('x', 100)"
    cursor.executemany(query, ((n,) for n in range(count)), returning=True)
    assert sum(1 for _ in cursor.results()) == count
    assert len(numbers()) == count


# Atomicity


@pytest.mark.parametrize("returning", [False, True])
@pytest.mark.parametrize("position", [0, 3, 9])
def test_nothing_of_it_is_applied_if_one_fails(
    numbers: Numbers, auto: Connection, position: int, returning: bool
) -> None:
    values: list[tuple[int | None]] = [(n,) for n in range(10)]
    values[position] = (None,)
    cursor = auto.cursor()
    with pytest.raises(errors.NotNullViolation):
        cursor.executemany(INSERT, values, returning=returning)
    assert numbers() == []
    assert auto.info.transaction_status.name == "IDLE"
    auto.execute("insert into numbers values (77)")
    assert numbers() == [77]


def test_nothing_of_it_is_applied_if_its_commit_fails(numbers: Numbers, auto: Connection) -> None:
    cursor = auto.cursor()
    with pytest.raises(errors.UniqueViolation):
        cursor.executemany("insert into numbers values (%s, %s)", [(1, 1), (2, 1)])
    assert numbers() == []
    assert auto.info.transaction_status.name == "IDLE"
    cursor.executemany("insert into numbers values (%s, %s)", [(1, 1), (2, 2)])
    assert numbers() == [1, 2]


class Unadaptable:
    pass


class Surprise(Exception):
    pass


def generator_that_fails() -> Iterator[tuple[int]]:
    yield (1,)
    yield (2,)
    raise Surprise


MISTAKES = [
    (lambda: [(1,), (2,), (3, 4)], neonps.ProgrammingError, "1 placeholders but 2 parameters"),
    (lambda: [(1,), (2,), ()], neonps.ProgrammingError, "1 placeholders but 0 parameters"),
    (lambda: [(1,), (2,), {"a": 1}], TypeError, "sequence"),
    (lambda: [(1,), (2,), 3], TypeError, "int"),
    (lambda: [(1,), (2,), None], neonps.ProgrammingError, "1 placeholders but 0 parameters"),
    (lambda: [(1,), (2,), "3"], TypeError, "str"),
    (lambda: [(1,), (2,), (Unadaptable(),)], neonps.ProgrammingError, "Unadaptable"),
    (lambda: [(1,), (2,), ("a\0b",)], neonps.DataError, "NUL"),
    (generator_that_fails, Surprise, "^$"),
]


@pytest.mark.parametrize("autocommit", [True, False], ids=["autocommit", "transaction"])
@pytest.mark.parametrize(("params", "cls", "message"), MISTAKES)
def test_a_mistake_in_the_parameters(
    numbers: Numbers, connect: Connect, params: Any, cls: type[Exception], message: str, autocommit: bool
) -> None:
    conn = connect(autocommit=autocommit)
    cursor = conn.cursor()
    with pytest.raises(cls, match=message):
        cursor.executemany(INSERT, params())
    assert numbers() == []
    assert conn.info.transaction_status.name == "IDLE"
    with pytest.raises(neonps.ProgrammingError, match="no result available"):
        cursor.fetchone()
    cursor.executemany(INSERT, [(7,), (8,)])
    conn.commit()
    assert numbers() == [7, 8]


@pytest.mark.parametrize("autocommit", [True, False], ids=["autocommit", "transaction"])
@pytest.mark.parametrize(("params", "cls", "message"), MISTAKES[2:9])
@on_sessions
def test_a_mistake_after_much_was_sent(
    numbers: Numbers, connect: Connect, params: Any, cls: type[Exception], message: str, autocommit: bool
) -> None:
    def many() -> Iterator[Any]:
        for value in range(-4000, 0):
            yield (value,)
        yield from params()

    conn = connect(autocommit=autocommit)
    with pytest.raises(cls, match=message):
        conn.cursor().executemany(INSERT, many())
    assert not conn.closed
    conn.rollback()
    assert numbers() == []
    assert conn.info.transaction_status.name == "IDLE"
    conn.cursor().executemany(INSERT, [(7,), (8,)])
    conn.commit()
    assert numbers() == [7, 8]


@on_sessions
def test_an_error_of_the_server_ends_the_reading_of_parameters(numbers: Numbers, auto: Connection) -> None:
    """Nobody has to wait until an endless generator ends when the first row was refused."""

    def endless() -> Iterator[tuple[int]]:
        while True:
            yield (1,)

    with pytest.raises(errors.UniqueViolation):
        auto.cursor().executemany(INSERT, endless())
    assert numbers() == []
    assert auto.execute("select 1").fetchone() == (1,)


@on_sessions
def test_in_a_transaction_that_is_open(numbers: Numbers, conn: Connection) -> None:
    conn.execute("insert into numbers values (100)")
    with pytest.raises(neonps.ProgrammingError):
        conn.cursor().executemany(INSERT, [(1,), (2, 3)])
    with pytest.raises(errors.UniqueViolation):
        conn.cursor().executemany(INSERT, [(4,), (4,)])
    assert conn.info.transaction_status.name == "INERROR"
    with pytest.raises(errors.InFailedSqlTransaction):
        conn.cursor().executemany(INSERT, [(5,)])
    conn.rollback()
    assert numbers() == []


@over_http
def test_a_mistake_keeps_what_waits_for_commit(numbers: Numbers, conn: Connection) -> None:
    conn.execute("insert into numbers values (100)")
    with pytest.raises(neonps.ProgrammingError):
        conn.cursor().executemany(INSERT, [(1,), (2, 3)])
    conn.commit()
    assert numbers() == [100]


@on_sessions
def test_the_connection_cannot_be_used_by_the_generator(numbers: Numbers, auto: Connection) -> None:
    """A statement in the middle of another one would get its answers."""

    def values() -> Iterator[tuple[Any, ...]]:
        yield (1,)
        yield auto.execute("select 2").fetchone()

    with pytest.raises(neonps.ProgrammingError, match="in the middle of"):
        auto.cursor().executemany(INSERT, values())
    assert numbers() == []
    assert auto.execute("select 1").fetchone() == (1,)


@on_sessions
def test_an_error_shows_where_in_the_statement_it_is(conn: Connection) -> None:
    with pytest.raises(neonps.errors.SyntaxError, match=r"LINE 1: selec \$1\n"):
        conn.cursor().executemany("selec %s", [(1,)])
