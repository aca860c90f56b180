"""What a cursor tells of a statement whose rows it streams, beyond what psycopg tells."""

from __future__ import annotations

import pytest
from transports import Connection

import neonps


def test_columns_are_known_with_the_first_row(auto: Connection) -> None:
    cursor = auto.cursor()
    rows = cursor.stream("select i as a, 'x' as b from generate_series(1, 2000) i")
    assert next(rows) == (1, "x")
    assert [column.name for column in cursor.description or ()] == ["a", "b"]
    assert len(list(rows)) == 1999
    assert [column.name for column in cursor.description or ()] == ["a", "b"]


def test_columns_of_no_rows(auto: Connection) -> None:
    cursor = auto.cursor()
    assert list(cursor.stream("select 1 as a where false")) == []
    assert [column.name for column in cursor.description or ()] == ["a"]


def test_the_tag_of_a_statement_without_rows(auto: Connection, numbers: object) -> None:
    cursor = auto.cursor()
    with pytest.raises(neonps.ProgrammingError, match="didn't produce a result"):
        next(cursor.stream("insert into numbers values (1)"))
    assert cursor.description is None
    assert cursor.statusmessage == "INSERT 0 1"


def test_a_row_factory_that_fails_ends_the_stream(auto: Connection) -> None:
    def fail(cursor: object) -> object:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        next(auto.cursor(row_factory=fail).stream("select generate_series(1, 10000)"))  # type: ignore[arg-type]
    assert auto.execute("select 1").fetchone() == (1,)
