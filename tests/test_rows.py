"""Row factories make of a result what psycopg's make of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import psycopg
import psycopg.rows
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from peers import Peer

import neonps
import neonps.rows


@dataclass
class Person:
    name: str
    age: int
    weight: int | None = None


class Anything:
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.made_of = args, kwargs

    def __repr__(self) -> str:
        return f"Anything{self.made_of}"


#: How to get a row factory from the module `rows`.
FACTORIES: dict[str, Callable[[Any], Any]] = {
    "tuple_row": lambda rows: rows.tuple_row,
    "dict_row": lambda rows: rows.dict_row,
    "namedtuple_row": lambda rows: rows.namedtuple_row,
    "scalar_row": lambda rows: rows.scalar_row,
    "class_row of a dataclass": lambda rows: rows.class_row(Person),
    "class_row": lambda rows: rows.class_row(Anything),
    "args_row": lambda rows: rows.args_row(Anything),
    "args_row of a function": lambda rows: rows.args_row(lambda *args: sum(args)),
    "kwargs_row": lambda rows: rows.kwargs_row(Anything),
    "kwargs_row of a function": lambda rows: rows.kwargs_row(lambda name, age=5: (name, age)),
}

QUERIES = [
    "select 1 as name, 2 as age union all select 3, 4 order by 1",
    "select 1 as name, 2 as age, 3 as weight",
    "select 1 as name",
    "select 1 as name, 2 as age, 4 as extra",
    "select 1 as name where false",
    "select 1 as a, 2 as a",
    "select 1, 2, 3",
    "select",
    "select from generate_series(1, 2)",
    "select null as name, null as age",
    'select 1 as "a b", 2 as "1x", 3 as "_y", 4 as "é", 5 as "?"',
    'select 1 as self, 2 as "None"',
    'select 1 as "count", 2 as "index", 3 as "_make", 4 as "_fields"',
    "create temp table nothing ()",
    "",
]


def outcome(make: Callable[[], Any]) -> Any:
    """The `repr` of what a call gives, or the name and the text of its exception."""
    try:
        return repr(make())
    except Exception as ex:
        return type(ex).__name__, str(ex)


@pytest.fixture(scope="module")
def sessions(dsn: str) -> Iterator[tuple[Any, Any]]:
    """A session of neonps and one of psycopg."""
    with (
        closing(neonps.connect(dsn, transport="tcp", autocommit=True)) as ours,
        psycopg.connect(dsn, autocommit=True) as theirs,
    ):
        yield ours, theirs


@pytest.fixture
def same(sessions: tuple[Any, Any]) -> Callable[[Callable[[Any, Any], Any]], Any]:
    """Calls a function with a session and its module `rows`, asserts that it does the same on both, and what."""

    def same(action: Callable[[Any, Any], Any]) -> Any:
        ours, theirs = sessions
        made = outcome(lambda: action(ours, neonps.rows))
        assert made == outcome(lambda: action(theirs, psycopg.rows))
        return made

    return same


Same = Callable[[Callable[[Any, Any], Any]], Any]
each_factory = pytest.mark.parametrize("factory", FACTORIES.values(), ids=FACTORIES)


@each_factory
@pytest.mark.parametrize("query", QUERIES)
def test_rows(same: Same, factory: Callable[[Any], Any], query: str) -> None:
    def fetch(how: str) -> Callable[[Any, Any], Any]:
        def action(connection: Any, rows: Any) -> Any:
            connection.execute("drop table if exists nothing")
            cursor = connection.cursor(row_factory=factory(rows))
            cursor.execute(query)
            return list(cursor) if how == "iter" else getattr(cursor, how)()

        return action

    for how in ("fetchone", "fetchmany", "fetchall", "iter"):
        same(fetch(how))


@each_factory
def test_no_result(same: Same, factory: Callable[[Any], Any]) -> None:
    def values(cursor: Any, rows: Any) -> Any:
        return factory(rows)(cursor)((1, 2))

    def after(query: str) -> Callable[[Any, Any], Any]:
        return lambda connection, rows: values(connection.execute(query), rows)

    def closed(connection: Any, rows: Any) -> Any:
        cursor = connection.execute("select 1 as name, 2 as age")
        cursor.close()
        return values(cursor, rows)

    made = same(lambda connection, rows: values(connection.cursor(), rows))
    assert same(closed) == same(after("set a.b to 1")) == same(after("")) == made
    same(lambda connection, rows: connection.cursor(row_factory=factory(rows)).fetchone())
    same(lambda connection, rows: connection.cursor(row_factory=factory(rows)).execute("set a.b to 1").fetchall())
    same(lambda connection, rows: rows.no_result((1,)))


@each_factory
def test_number_of_values(same: Same, factory: Callable[[Any], Any]) -> None:
    for values in [(), (1,), [1, 2], (1, 2, 3)]:
        same(lambda connection, rows, v=values: factory(rows)(connection.execute("select 1 as name, 2 as age"))(v))


@each_factory
def test_changes(same: Same, factory: Callable[[Any], Any]) -> None:
    """A factory that is set later is asked about the result that is there, and each result has its own rows."""

    def later(connection: Any, rows: Any) -> Any:
        cursor = connection.execute("select x as name, x + 1 as age from generate_series(1, 3) x order by 1")
        first = cursor.fetchone()
        cursor.row_factory = factory(rows)
        second = cursor.fetchone()
        cursor.row_factory = rows.dict_row
        return first, second, cursor.fetchall(), cursor.fetchone()

    def next_result(connection: Any, rows: Any) -> Any:
        cursor = connection.cursor(row_factory=factory(rows))
        cursor.execute("select 1 as name, 2 as age; select 3 as name, 4 as age")
        return cursor.fetchone(), cursor.nextset(), cursor.fetchone(), cursor.nextset()

    same(later)
    same(next_result)


def test_wrong_factories(same: Same) -> None:
    for factory in (
        lambda rows: 1,
        lambda rows: rows.class_row,
        lambda rows: rows.class_row(1),
        lambda rows: rows.args_row(None),
        lambda rows: rows.kwargs_row(3),
        lambda rows: lambda cursor: 1 / 0,
        lambda rows: lambda cursor: lambda values: 1 / 0,
    ):
        same(
            lambda connection, rows, f=factory: (
                connection.cursor(row_factory=f(rows)).execute("select 1 as a").fetchone()
            )
        )


# The names of named tuples

NAMES = [
    *["a", "A", "a b", "a-b", "a$b", "1", "1a", "_", "__a", "_1", "a_", "?column?", "é", "éa", "a é", "1é", "_é", "é "],
    *[
        "ª",
        "ªº²",
        "²",
        "a²",
        "٣",
        "a٣",
        "1٣",
        "·",
        "a·",
        "\u212e",
        "\u0301",
        "a\u0301",
        "\uff41",
        "😀",
        "日本",
        "日 本",
        "x" * 63,
    ],
    *["class", "None", "def", "match", "print", "self", "count", "_make", "_fields", "f1", "-", "--", ".", '"', "%"],
]


def fields(connection: Any, rows: Any, names: list[str]) -> Any:
    module = neonps if rows is neonps.rows else psycopg
    identifiers = [module.sql.SQL("1 as {}").format(module.sql.Identifier(name)) for name in names]
    query = module.sql.SQL("select {}").format(module.sql.SQL(", ").join(identifiers))
    cursor = connection.cursor(row_factory=rows.namedtuple_row)
    return cursor.execute(query).fetchone()._fields


@pytest.mark.parametrize("name", NAMES)
def test_name(same: Same, name: str) -> None:
    same(lambda connection, rows: fields(connection, rows, [name]))


@pytest.mark.parametrize("names", [["a", "a"], ["a-", "a_"], ["1", "f1"], ["_", "-"], ["a", "class"]])
def test_names_that_do_not_go_together(same: Same, names: list[str]) -> None:
    kind, message = same(lambda connection, rows: fields(connection, rows, names))
    assert kind == "DataError"
    assert message.startswith("can't create a namedtuple row: ")


letters = st.sampled_from("a1_é ²٣·ª?Z") | st.characters(exclude_categories=["Cs"], exclude_characters="\0")


@settings(deadline=None, max_examples=300)
@given(name=st.text(letters, min_size=1, max_size=4))
def test_any_name(sessions: tuple[Any, Any], name: str) -> None:
    ours, theirs = sessions
    expected = outcome(lambda: fields(theirs, psycopg.rows, [name]))
    assert outcome(lambda: fields(ours, neonps.rows, [name])) == expected


# On connections and cursors of either kind


def test_on_a_connection(peer: Peer) -> None:
    rows = peer.submodule("rows")
    connection = peer.connect(row_factory=rows.dict_row)
    assert connection.execute("select 1 as a").fetchone() == {"a": 1}
    connection.row_factory = rows.class_row(Person)
    assert connection.execute("select 'x' as name, 3 as age").fetchone() == Person("x", 3)
    assert connection.cursor(row_factory=rows.scalar_row).execute("select 5").fetchall() == [5]
    with connection.cursor("named", row_factory=rows.namedtuple_row) as cursor:
        row = cursor.execute("select 1 as a, 2 as b").fetchone()
        assert (row.a, row.b, row._asdict()) == (1, 2, {"a": 1, "b": 2})
    assert list(connection.cursor(row_factory=rows.dict_row).stream("select 1 as a")) == [{"a": 1}]


class Described:
    """A row factory that is a class, and looks at the description."""

    def __init__(self, cursor: Any) -> None:
        self.names = [column.name for column in cursor.description or ()]

    def __call__(self, values: Any) -> Any:
        return list(zip(self.names, values, strict=True))


def test_factories_of_ones_own(peer: Peer) -> None:
    def upper(cursor: Any) -> Any:
        assert cursor.pgresult is not None
        names = [column[0].upper() for column in cursor.description]
        return lambda values: dict(zip(names, values, strict=True))

    connection = peer.connect()
    cursor = connection.cursor(row_factory=Described)
    assert cursor.execute("select 1 as a, 2 as b").fetchall() == [[("a", 1), ("b", 2)]]
    assert connection.cursor(row_factory=upper).execute("select 1 as a").fetchone() == {"A": 1}


def test_async(peer: Peer) -> None:
    rows = peer.submodule("rows")

    async def main() -> None:
        async with await peer.connect_async(row_factory=rows.dict_row) as connection:
            cursor = await connection.execute("select 1 as a")
            assert await cursor.fetchone() == {"a": 1}
            for factory, expected in [
                (rows.tuple_row, ("x", 3)),
                (rows.scalar_row, "x"),
                (rows.class_row(Person), Person("x", 3)),
                (rows.args_row(lambda name, age: age), 3),
                (rows.kwargs_row(lambda **kwargs: kwargs), {"name": "x", "age": 3}),
                (Described, [("name", "x"), ("age", 3)]),
            ]:
                cursor = await connection.cursor(row_factory=factory).execute("select 'x' as name, 3 as age")
                assert await cursor.fetchall() == [expected]

    asyncio.run(main())


def test_names_of_the_module() -> None:
    for name in ("Row", "RowMaker", "RowFactory", "AsyncRowFactory", "BaseRowFactory", "TupleRow", "DictRow"):
        assert hasattr(neonps.rows, name)
        assert str(getattr(neonps.rows, name)).replace("neonps", "psycopg") == str(getattr(psycopg.rows, name))
