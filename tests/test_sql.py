"""`neonps.sql` composes the same statements as psycopg's, and every transport executes them."""

from __future__ import annotations

import copy
import datetime as dt
import enum
import inspect
import ipaddress
import math
import pickle
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from decimal import Decimal
from typing import Any

import psycopg
import psycopg.adapt
import psycopg.pq
import psycopg.sql
import psycopg.types.json
import psycopg.types.multirange
import psycopg.types.numeric
import psycopg.types.range
import psycopg.types.string
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transports import Connect, Connection, on_sessions

import neonps
import neonps.adapt
import neonps.pq
import neonps.types.json
import neonps.types.multirange
import neonps.types.numeric
import neonps.types.range
import neonps.types.string
from neonps import sql
from neonps.types.string import StrDumper, StrDumperName, StrDumperVarchar

#: neonps or psycopg.
Package = Any
#: A session of each.
Pair = tuple[Connection, psycopg.Connection[Any]]


def outcome(make: Callable[[], Any]) -> Any:
    """What a call makes, to be compared: pieces of SQL by their `repr`, exceptions by their name and text."""
    try:
        made = make()
    except Exception as ex:
        # Where psycopg lets Python's own error through, ours is a DataError too.
        kind = UnicodeEncodeError if isinstance(ex, UnicodeEncodeError) else type(ex)
        return kind.__name__, str(ex)
    return made if type(made) in (str, bytes, bool) else repr(made)


def assert_same(make: Callable[[Package], Any]) -> None:
    assert outcome(lambda: make(neonps)) == outcome(lambda: make(psycopg))


def assert_same_in(pair: Pair, make: Callable[[Package, Any], Any]) -> None:
    ours, theirs = pair
    assert outcome(lambda: make(neonps, ours)) == outcome(lambda: make(psycopg, theirs))


@pytest.fixture(scope="module")
def sessions(dsn: str) -> Iterator[Pair]:
    with (
        closing(neonps.connect(dsn, transport="tcp", autocommit=True)) as ours,
        psycopg.connect(dsn, autocommit=True) as theirs,
    ):
        yield ours, theirs


@pytest.fixture
def pair(sessions: Pair) -> Iterator[Pair]:
    yield sessions
    for connection in sessions:
        connection.execute("reset all")


def set_both(pair: Pair, setting: str, value: str) -> None:
    for connection in pair:
        connection.execute(f"set {setting} to {value}")


class OurSQL(sql.SQL):
    pass


class TheirSQL(psycopg.sql.SQL):
    pass


def test_names_and_signatures() -> None:
    public = {
        name
        for name, value in vars(psycopg.sql).items()
        if not name.startswith("_") and (name.isupper() or getattr(value, "__module__", "") == "psycopg.sql")
    }
    assert public >= {
        "SQL",
        "Composable",
        "Composed",
        "Identifier",
        "Literal",
        "Placeholder",
        "NULL",
        "DEFAULT",
        "quote",
    }
    for name in public:
        ours, theirs = getattr(sql, name), getattr(psycopg.sql, name)
        callables = [(ours, theirs)] if callable(theirs) else []
        if inspect.isclass(theirs):
            members = [member for member in dir(theirs) if not member.startswith("_")]
            callables += [(getattr(ours, member), getattr(theirs, member)) for member in members]
        for our, their in callables:
            parameters = inspect.signature(their).parameters.values()
            expected = [(p.name, p.kind, str(p.default)) for p in parameters]
            assert [(p.name, p.kind, str(p.default)) for p in inspect.signature(our).parameters.values()] == expected


# What is made, without a session

COMPOSED: list[Callable[[Any], Any]] = [
    lambda sql: sql.NULL,
    lambda sql: sql.DEFAULT,
    lambda sql: sql.Composable(1),
    # SQL
    lambda sql: sql.SQL(1),
    lambda sql: sql.SQL(b"a"),
    lambda sql: sql.SQL(None),
    lambda sql: sql.SQL("a%s {} é"),
    lambda sql: str(sql.SQL("a")),
    lambda sql: sql.SQL(",").join([]),
    lambda sql: sql.SQL(",").join([1]),
    lambda sql: sql.SQL(",").join([1, sql.Identifier("x"), None, "a"]),
    lambda sql: sql.SQL(",").join(iter("abc")),
    lambda sql: sql.SQL(",").join(sql.Composed([1, 2])),
    lambda sql: sql.SQL(",").join([sql.Composed([1, 2]), sql.Composed([])]),
    lambda sql: sql.SQL(",").join(1),
    # Identifier
    lambda sql: sql.Identifier(),
    lambda sql: sql.Identifier("a"),
    lambda sql: sql.Identifier("a", "b", "c"),
    lambda sql: sql.Identifier(""),
    lambda sql: sql.Identifier(1),
    lambda sql: sql.Identifier("a", None),
    lambda sql: sql.Identifier(b"a"),
    lambda sql: sql.Identifier(["a", "b"]),
    # Placeholder
    lambda sql: sql.Placeholder(),
    lambda sql: sql.Placeholder("a"),
    lambda sql: sql.Placeholder("a b"),
    lambda sql: sql.Placeholder("(a"),
    lambda sql: sql.Placeholder("a)"),
    lambda sql: sql.Placeholder(""),
    lambda sql: sql.Placeholder(1),
    lambda sql: sql.Placeholder(None),
    lambda sql: sql.Placeholder("a", "b"),
    lambda sql: sql.Placeholder("a", "s"),
    lambda sql: sql.Placeholder(format="t"),
    lambda sql: sql.Placeholder(format="x"),
    lambda sql: sql.Placeholder(format=1),
    lambda sql: sql.Placeholder("a", None),
    lambda sql: sql.Placeholder(1, 1),
    lambda sql: sql.Placeholder("a)", 1),
    # Literal
    lambda sql: sql.Literal(None),
    lambda sql: sql.Literal([1, "a"]),
    lambda sql: sql.Literal("x" * 300),
    lambda sql: sql.Literal(sql.Literal(1)),
    # Composed
    lambda sql: sql.Composed([]),
    lambda sql: sql.Composed([sql.SQL("a"), "b", 1, None, sql.Composed([2])]),
    lambda sql: sql.Composed(iter("ab")),
    lambda sql: sql.Composed(1),
    lambda sql: list(sql.Composed([1, 2])),
    lambda sql: len(sql.Composed([1, 2])),
    lambda sql: sql.Composed([1, 2])[0],
    lambda sql: bool(sql.Composed([])),
    lambda sql: sql.Composed([]).join(","),
    lambda sql: sql.Composed([1]).join(","),
    lambda sql: sql.Composed([1, 2, 3]).join(","),
    lambda sql: sql.Composed([1, 2]).join(sql.SQL(", ")),
    lambda sql: sql.Composed([1, 2]).join(1),
    lambda sql: sql.Composed([1, 2]).join(b","),
    lambda sql: sql.Composed([1, 2]).join(sql.Literal(",")),
    lambda sql: sql.Composed([1, 2]).join(sql.Composed([])),
    # + and *
    lambda sql: sql.SQL("a") + sql.SQL("b"),
    lambda sql: sql.Identifier("a") + sql.Literal(1) + sql.Placeholder(),
    lambda sql: sql.SQL("a") + (sql.SQL("b") + sql.SQL("c")),
    lambda sql: sql.Composed([1]) + sql.Composed([2]),
    lambda sql: sql.SQL("a") + "b",
    lambda sql: "a" + sql.SQL("b"),
    lambda sql: sql.SQL("a") + None,
    lambda sql: sql.Composed([1]) + 1,
    lambda sql: sql.Composed([1]) + "a",
    lambda sql: sql.SQL("a") * 3,
    lambda sql: sql.SQL("a") * 0,
    lambda sql: sql.SQL("a") * -1,
    lambda sql: sql.Composed([1, 2]) * 2,
    lambda sql: (sql.Placeholder() * 3).join(", "),
    lambda sql: sql.SQL("a") * "x",
    lambda sql: sql.SQL("a") * 1.5,
    lambda sql: 3 * sql.SQL("a"),
    # == and hash()
    lambda sql: sql.SQL("a") == sql.SQL("a"),
    lambda sql: sql.SQL("a") == sql.SQL("b"),
    lambda sql: sql.SQL("a") != sql.SQL("b"),
    lambda sql: sql.SQL("a") == sql.Identifier("a"),
    lambda sql: sql.SQL("a") == sql.Literal("a"),
    lambda sql: sql.SQL("a") == "a",
    lambda sql: sql.Identifier("a", "b") == sql.Identifier("a", "b"),
    lambda sql: sql.Identifier("a", "b") == sql.Identifier("a.b"),
    lambda sql: sql.Literal(1) == sql.Literal(1),
    lambda sql: sql.Composed([1, "a"]) == sql.Composed([1, sql.Literal("a")]),
    lambda sql: sql.Placeholder("a") == sql.Placeholder("a"),
    lambda sql: sql.Placeholder("a") == sql.Placeholder("b"),
    lambda sql: hash(sql.SQL("a")),
    lambda sql: hash(sql.Composed([])),
    # as text
    lambda sql: sql.SQL("a\0").as_bytes(),
    lambda sql: sql.SQL("\ud800").as_bytes(),
    lambda sql: sql.SQL("\ud800").as_string(),
    lambda sql: sql.Identifier("\ud800").as_bytes(),
    lambda sql: sql.Literal("\ud800").as_bytes(),
    lambda sql: sql.Identifier('a"é', "", "b%{\\").as_bytes(),
    lambda sql: sql.Identifier('a"é', "", "b%{\\").as_string(),
    lambda sql: sql.Identifier("a\0b").as_bytes(),
    lambda sql: sql.Placeholder().as_string(),
    lambda sql: sql.Placeholder("é", format="b").as_string(),
    lambda sql: sql.Placeholder("é", format="b").as_bytes(),
    lambda sql: sql.Literal("a\0b").as_bytes(),
    lambda sql: sql.Literal(object()).as_bytes(),
    lambda sql: sql.Literal([object()]).as_bytes(),
    lambda sql: sql.Literal({}).as_bytes(),
    lambda sql: sql.Literal(sql.Literal(1)).as_bytes(),
    lambda sql: sql.Literal([sql.SQL("a")]).as_bytes(),
    lambda sql: sql.Literal([1, "a"]).as_bytes(),
    lambda sql: sql.Composed([]).as_string(),
    lambda sql: sql.Composed([1, "é", sql.Identifier("x"), sql.NULL, [2, None]]).as_bytes(),
    lambda sql: sql.Composed([1, "é", sql.Identifier("x"), sql.NULL, [2, None]]).as_string(),
    lambda sql: sql.Composed([sql.SQL("a"), object()]).as_string(),
    lambda sql: sql.quote(-1),
    lambda sql: sql.quote("é'\\"),
    lambda sql: sql.quote(None),
    lambda sql: sql.quote(dt.date(2020, 1, 1)),
    lambda sql: sql.quote(sql.SQL("a")),
    lambda sql: sql.as_string(sql.Identifier("é")),
    lambda sql: sql.as_string("é"),
    lambda sql: sql.as_string(None),
    lambda sql: sql.as_string(object()),
    lambda sql: sql.as_bytes(sql.Identifier("é")),
    lambda sql: sql.as_bytes("é"),
    lambda sql: sql.as_bytes(sql.Composed([1, "a"])),
]


@pytest.mark.parametrize("make", COMPOSED)
def test_compose(make: Callable[[Any], Any]) -> None:
    assert_same(lambda package: make(package.sql))


def test_subclasses() -> None:
    for make in (
        lambda cls: cls("a"),
        lambda cls: cls("a") + cls("b"),
        lambda cls: cls("a{}").format(cls("b")),
        lambda cls: cls(",").join([1, 2]),
        lambda cls: cls("a") == cls("a"),
        lambda cls: cls.__base__("a") == cls("a"),
        lambda cls: cls("a") == cls.__base__("a"),
    ):
        theirs = outcome(lambda make=make: make(TheirSQL))  # type: ignore[misc]
        assert outcome(lambda make=make: make(OurSQL)) == (  # type: ignore[misc]
            theirs.replace("Their", "Our") if isinstance(theirs, str) else theirs
        )


def test_a_composable_of_ones_own() -> None:
    class Upper(sql.Composable):
        def as_bytes(self, context: Any = None) -> bytes:
            return sql.Identifier(self._obj.upper()).as_bytes(context)

    composed = sql.SQL("select {}, {}").format(Upper("a"), 1)
    assert repr(composed) == "Composed([SQL('select '), Upper('a'), SQL(', '), Literal(1)])"
    assert composed.as_string() == 'select "A", 1'
    assert (Upper("é") + Upper("b")).as_bytes() == '"É""B"'.encode()
    assert sql.as_string(Upper("a")) == '"A"'
    assert sql.as_bytes(Upper("a")) == b'"A"'

    class Nothing(sql.Composable):
        def as_bytes(self, context: Any = None) -> bytes:
            return super().as_bytes(context)  # type: ignore[safe-super]

    with pytest.raises(NotImplementedError):
        Nothing(1).as_string()


def test_copies() -> None:
    composed = sql.SQL("{} {} {}").format(1, sql.Identifier("a", "b"), sql.Placeholder("c", "b"))
    for copied in (copy.deepcopy(composed), pickle.loads(pickle.dumps(composed))):
        assert copied == composed
        assert copied.as_bytes() == composed.as_bytes()


# SQL.format()

TEMPLATES = [
    *[
        "",
        "abc",
        "{}",
        "{} {}",
        "{} {} {}",
        "{0} {1} {0}",
        "{2}",
        "{01}",
        "{-1}",
        "{ 0}",
        "{ }",
        "{1_0}",
        "{\N{ARABIC-INDIC DIGIT ZERO}}",
        "{²}",
    ],
    *["{a}", "{a} {b} {a}", "{c}", "{a.b}", "{a[0]}", "{0.b}", "{a} {}", "{} {a} {}", "{a} {0}", "{é}"],
    *["{0} {}", "{} {0}", "{a} {} {0}", "{0} {a} {}", "{0} {2} {}", "{} {} {} {0}"],
    *["{!r}", "{a!s}", "{!x}", "{:s}", "{:}", "{a:>5}", "{!r:s}", "{:{}}", "{a:!r}", "{!}", "{a!}", "{!:}"],
    *[
        "{{}}",
        "{{",
        "}}",
        "{",
        "}",
        "{a",
        "{a} {",
        "{c} {",
        "{{{}}}",
        "{{{a}}}",
        "a{{b}}c{}",
        "%s %% %(a)s {}",
        "{{0}}",
    ],
    *["{a[}", "{a]}", "{[}", "{0[0]}", "{\n}", "{self}", "{args}"],
]


@pytest.mark.parametrize("template", TEMPLATES)
def test_format(template: str) -> None:
    assert_same(lambda package: package.sql.SQL(template).format(1, package.sql.Identifier("x")))
    assert_same(lambda package: package.sql.SQL(template).format("x", a=2, b=package.sql.SQL("{}"), é=None))
    assert_same(lambda package: package.sql.SQL(template).format())
    assert_same(lambda package: package.sql.SQL(template).format(a=package.sql.Composed([1]), args=2))


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(["{", "}", "{}", "{0}", "{1}", "{a}", "a", "0", ":", "!", "{{", "}}", "%"])).map("".join)
)
def test_format_of_anything(template: str) -> None:
    assert_same(lambda package: package.sql.SQL(template).format(1, package.sql.Placeholder(), a="b"))
    assert_same(lambda package: package.sql.SQL(template).format(a="b").as_string())


# Trees of pieces: how to make one, given the module

text = st.text(st.one_of(st.sampled_from("'\"\\%{}()e "), st.characters()), max_size=8)
scalars: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    # psycopg writes -NaN, which Postgres cannot read.
    st.decimals().filter(lambda value: not (value.is_nan() and value.is_signed())),
    text,
    st.dates(),
    st.times(),
    st.datetimes(),
    st.datetimes(timezones=st.just(dt.timezone.utc)),
    st.timedeltas(),
    st.uuids(),
)
#: Not bytes: without a session these differ, see below.
values = (
    scalars
    | st.integers()
    | st.lists(st.integers() | st.none())
    | st.lists(scalars | st.lists(scalars, max_size=3), max_size=3)
    | st.tuples(scalars, scalars)
)

Make = Callable[[Any], Any]


def _pieces(of: st.SearchStrategy[Make]) -> st.SearchStrategy[Make]:
    return st.one_of(
        st.lists(of, max_size=4).map(lambda makes: lambda sql: sql.Composed([make(sql) for make in makes])),
        st.tuples(text, st.lists(of, max_size=4)).map(
            lambda pair: lambda sql: sql.SQL(pair[0]).join([make(sql) for make in pair[1]])
        ),
        st.tuples(of, of).map(lambda pair: lambda sql: sql.as_string(pair[0](sql)) + sql.as_string(pair[1](sql))),
        st.tuples(of, of).map(
            lambda pair: lambda sql: sql.SQL("a {} b {b}").format(pair[0](sql), b=pair[1](sql)) * 2 + sql.NULL
        ),
    )


leaves: st.SearchStrategy[Make] = st.one_of(
    text.map(lambda value: lambda sql: sql.SQL(value)),
    st.lists(text, max_size=3).map(lambda value: lambda sql: sql.Identifier(*value)),
    values.map(lambda value: lambda sql: sql.Literal(value)),
    values.map(lambda value: lambda sql: value),
    st.tuples(text, st.sampled_from("stbx")).map(lambda value: lambda sql: sql.Placeholder(*value)),
)
trees = st.recursive(leaves, _pieces, max_leaves=8)


@settings(deadline=None)
@given(trees)
def test_any_tree(make: Make) -> None:
    assert_same(lambda package: make(package.sql))
    assert_same(lambda package: package.sql.as_bytes(make(package.sql)))
    assert_same(lambda package: package.sql.as_string(make(package.sql)))
    assert_same(lambda package: make(package.sql) == make(package.sql))


@settings(deadline=None)
@given(values)
def test_any_literal(value: Any) -> None:
    assert_same(lambda package: package.sql.Literal(value).as_bytes())
    assert_same(lambda package: package.sql.quote(value))


# Values


class Color(enum.Enum):
    RED = 1


class Level(enum.IntEnum):
    LOW = -1


def wrapped(package: Package) -> list[Any]:
    """Values of classes that both packages have of their own."""
    json, numeric, range, multirange = (
        getattr(package.types, name) for name in ("json", "numeric", "range", "multirange")
    )
    return [
        *[json.Json({"a": [1, None, "é'\\"]}), json.Jsonb(None), json.Jsonb("a'b"), [json.Jsonb(1), json.Jsonb("a")]],
        *[
            numeric.Int2(-1),
            numeric.Int4(1),
            numeric.Int8(-1),
            numeric.IntNumeric(-1),
            numeric.Oid(1),
            [numeric.Oid(1)],
        ],
        *[numeric.Float4(-1.5), numeric.Float4(math.nan), numeric.Float8(math.inf)],
        *[range.Range(1, 5), range.Range("a'", "b\\"), range.Range(empty=True), range.Range(dt.date(2020, 1, 1), None)],
        *[range.Int4Range(1, None), range.Int8Range(-1, 1, "[]"), range.NumericRange(Decimal("1.5"), 2)],
        *[range.DateRange(), range.TimestampRange(dt.datetime(2020, 1, 1), None), range.TimestamptzRange(empty=True)],
        [range.Int4Range(1, 2), range.Int4Range(3, 4)],
        *[multirange.Multirange([range.Range(1, 2)]), multirange.Int4Multirange(), multirange.DateMultirange()],
        multirange.Int8Multirange([range.Int8Range(1, 2), range.Int8Range(3, None)]),
    ]


#: They come back from a server as they are.
PLAIN: list[Any] = [
    *[None, True, False, 0, 1, -1, 2**15, -(2**15) - 1, 2**31, -(2**63), 2**63, -(2**70)],
    *[1.5, -1.5, math.inf, -math.inf, Decimal("1.20"), Decimal("-1.20"), Decimal("Infinity")],
    *["a", "", "é日😀", "a'b", "a\\b", "\\'", "''", "a\nb\t", "$1 $$ $a$ :x", "--", "/*", "{", "NULL", "E''"],
    *[dt.date(2020, 1, 1), dt.date.max, dt.time(1, 2, 3, 4), dt.datetime(2020, 1, 1, 2, 3, 4, 5)],
    *[dt.datetime(2020, 1, 1, tzinfo=dt.timezone.utc), dt.timedelta(1, 2, 3), dt.timedelta(-1), dt.timedelta.max],
    *[uuid.UUID(int=5), ipaddress.ip_address("1.2.3.4"), ipaddress.ip_network("::/64")],
    *[[1, -2, None], [-(2**40)], [[1], [2]], [True], [1.5, math.inf], [Decimal("-1.5")]],
    *[[dt.date(2020, 1, 1)], [dt.datetime(2020, 1, 1), None], [dt.timedelta(-1)], [uuid.UUID(int=5)]],
]
#: They do not: the server has to find out their type, or finds another; or they do not equal themselves.
OTHERS: list[Any] = [
    *[math.nan, Decimal("NaN"), Decimal("-0.0"), -0.0, 1e300, -1e-300],
    *[Color.RED, Level.LOW, [], [None], [[]], ["a", None], ["a'\\\""]],
    *[[Color.RED], [[-1.5]], (1, "a'", None), (), [(1, "a")], dt.time(1, tzinfo=dt.timezone.utc)],
    *[ipaddress.ip_interface("1.2.3.4/24"), [ipaddress.ip_address("::1")]],
]
BYTES = [b"", b"abc", b"\0'\\\xff\"", bytearray(b"a\\"), memoryview(b"\x80"), [b"a\\'", None]]


def test_literals(pair: Pair) -> None:
    ours, theirs = wrapped(neonps), wrapped(psycopg)
    for our, their in [*zip(ours, theirs, strict=True), *((value, value) for value in [*PLAIN, *OTHERS])]:
        assert outcome(lambda our=our: sql.Literal(our).as_bytes()) == outcome(  # type: ignore[misc]
            lambda their=their: psycopg.sql.Literal(their).as_bytes()  # type: ignore[misc]
        )
    for scs in ("on", "off"):
        set_both(pair, "standard_conforming_strings", scs)
        for our, their in [*zip(ours, theirs, strict=True), *((value, value) for value in [*PLAIN, *OTHERS, *BYTES])]:
            if scs == "off" and isinstance(our, list) and our and isinstance(our[0], bytes):
                continue  # psycopg doubles backslashes once too often then
            text = outcome(lambda our=our: sql.Literal(our).as_bytes(pair[0]))  # type: ignore[misc]
            assert text == outcome(lambda their=their: psycopg.sql.Literal(their).as_bytes(pair[1]))  # type: ignore[misc]


def test_bytes_without_a_session() -> None:
    # psycopg writes them in the old format, as libpq does; and, once there has been a connection, by the settings of
    # whichever that was.
    assert sql.quote(b"a\0b") == r" E'\\x610062'::bytea"
    assert sql.quote(bytearray(b"")) == r" E'\\x'::bytea"
    assert sql.quote([b"a"]) == r""" E'{"\\\\x61"}'::bytea[]"""


@settings(deadline=None)
@given(value=values | st.binary() | st.lists(st.binary(), max_size=2))
def test_any_literal_in_a_session(sessions: Pair, value: Any) -> None:
    assert_same_in(sessions, lambda package, connection: package.sql.Literal(value).as_bytes(connection))
    assert_same_in(sessions, lambda package, connection: package.sql.quote(value, connection))


@settings(deadline=None)
@given(make=trees)
def test_any_tree_in_a_session(sessions: Pair, make: Make) -> None:
    def in_session(package: Package, connection: Any) -> Any:
        made = package.sql.as_bytes(make(package.sql), connection)
        # psycopg ends a name at a zero character
        return None if b"\0" in made else made

    ours = outcome(lambda: in_session(neonps, sessions[0]))
    if ours != "None":
        assert ours == outcome(lambda: in_session(psycopg, sessions[1]))


def test_contexts(pair: Pair) -> None:
    """Whatever has adapters is a context, and its adapters count."""
    for context in (
        lambda package, connection: connection,
        lambda package, connection: connection.cursor(),
        lambda package, connection: package.adapt.Transformer(connection),
        lambda package, connection: package.adapters,
        lambda package, connection: connection.adapters,
        lambda package, connection: package.adapt.AdaptersMap(package.adapters),
        lambda package, connection: None,
        lambda package, connection: _with_text(package, package.adapt.AdaptersMap(package.adapters)),
        lambda package, connection: _with_text(package, connection.cursor()),
        lambda package, connection: _with_names(package, connection.cursor()),
    ):
        for make in (
            lambda sql: sql.Literal("a"),
            lambda sql: sql.Literal(["a"]),
            lambda sql: sql.SQL("{}, {}").format("a", sql.Identifier("a")),
        ):
            assert_same_in(
                pair,
                lambda package, connection, context=context, make=make: make(package.sql).as_bytes(  # type: ignore[misc]
                    context(package, connection)
                ),
            )
    assert sql.quote("a", _with_names(neonps, pair[0].cursor())) == "'a'::name"
    # text is what a string is anyhow; an array is not
    assert sql.quote("a", _with_text(neonps, pair[0].cursor())) == "'a'"
    assert sql.quote(["a"], _with_text(neonps, pair[0].cursor())) == "'{a}'::text[]"


def _with_text(package: Package, context: Any) -> Any:
    context.adapters.register_dumper(str, package.types.string.StrDumper)
    return context


def _with_names(package: Package, context: Any) -> Any:
    context.adapters.register_dumper(str, package.types.string.StrDumperName)
    return context


def test_not_a_context() -> None:
    for make in (
        lambda sql: sql.SQL("a").as_string(1),
        lambda sql: sql.Placeholder("a").as_string(1),
        lambda sql: sql.SQL("a").as_bytes(1),
        lambda sql: sql.Identifier("a").as_bytes(1),
        lambda sql: sql.Identifier("a").as_string(1),
    ):
        assert_same(lambda package, make=make: make(package.sql))  # type: ignore[misc]


@pytest.mark.parametrize(
    ("oid", "array_oid", "regtype"),
    [
        (99_999, 99_998, ""),
        (99_999, 99_998, "schema.custom"),
        (99_999, 99_998, '"My Type"'),
        (99_999, 0, ""),
        (600, 1017, ""),
    ],
)
def test_casts_to_types_of_ones_own(oid: int, array_oid: int, regtype: str) -> None:
    class Custom:
        pass

    def literal(package: Package, value: Any) -> Any:
        def dump(self: Any, obj: Any) -> bytes:
            return b"a'b"

        context = package.adapt.AdaptersMap(package.adapters)
        info = package.types.TypeInfo("custom", oid, array_oid, regtype=regtype)
        info.register(context)
        context.register_dumper(Custom, type("CustomDumper", (package.adapt.Dumper,), {"oid": oid, "dump": dump}))
        return package.sql.Literal(value).as_bytes(context)

    assert_same(lambda package: literal(package, Custom()))
    assert_same(lambda package: literal(package, [Custom()]))


def test_a_dumper_that_returns_null() -> None:
    def literal(package: Package) -> Any:
        context = package.adapt.AdaptersMap(package.adapters)
        attributes = {"oid": 25, "dump": lambda self, obj: None}
        context.register_dumper(str, type("NullDumper", (package.adapt.Dumper,), attributes))
        return package.sql.Literal("a").as_bytes(context)

    assert_same(literal)


# The settings of the session

ENCODINGS = ["UTF8", "LATIN1", "LATIN9", "WIN1251", "KOI8R", "EUC_JP", "EUC_KR", "EUC_CN", "EUC_JIS_2004"]
#: Where a byte of a character can look like a backslash.
UNSAFE = ["SJIS", "SHIFT_JIS_2004", "BIG5", "GBK", "GB18030", "UHC"]
TEXTS = [
    "a",
    "é",
    "€",
    "日本",
    "表",
    "表'",
    "表\\",
    "\\表'",
    "'表",
    "ｱ\\'",
    "ｱ'表",
    "¥",
    "¥'",
    "許功蓋\\'",
    '誠"',
    "뙙\\'",
    "Я'",
    "к",
]


@pytest.mark.parametrize("encoding", [*ENCODINGS, *UNSAFE])
def test_client_encoding(pair: Pair, encoding: str) -> None:
    set_both(pair, "client_encoding", encoding)
    for value in TEXTS:
        if encoding == "SHIFT_JIS_2004" and "\\" in value:
            continue  # see below
        for make in (
            lambda sql, value=value: sql.Literal(value),
            lambda sql, value=value: sql.Identifier(value, "x"),
            lambda sql, value=value: sql.SQL(value),
            lambda sql, value=value: sql.Placeholder(value),
            lambda sql, value=value: sql.Composed([value, sql.Identifier(value), sql.SQL(value)]),
        ):
            for method in ("as_bytes", "as_string"):
                assert_same_in(
                    pair,
                    lambda package, connection, make=make, method=method: getattr(  # type: ignore[misc]
                        make(package.sql), method
                    )(connection),
                )


@pytest.mark.parametrize("scs", ["on", "off"])
@pytest.mark.parametrize("encoding", ["UTF8", *UNSAFE])
def test_literals_mean_the_same_in_any_encoding(pair: Pair, encoding: str, scs: str) -> None:
    connection = pair[0]
    set_both(pair, "standard_conforming_strings", scs)
    set_both(pair, "client_encoding", encoding)
    # The server and Python do not agree on which of them is the yen sign.
    unclear = "¥\\" if encoding == "SHIFT_JIS_2004" else "¥"
    texts = [text for text in TEXTS if encodable(text, connection.info.encoding) and not set(text) & set(unclear)]
    assert texts
    for text in texts:
        row = connection.execute(
            sql.SQL("select {}, {}::text as {}").format(text, "x", sql.Identifier(text))
        ).fetchone()
        assert row == (text, "x")
    assert connection.execute(sql.SQL("select {}").format(b"'\\\0\xff")).fetchone() == (b"'\\\0\xff",)


@pytest.mark.parametrize("encoding", UNSAFE)
def test_every_character_in_a_literal(pair: Pair, encoding: str) -> None:
    set_both(pair, "client_encoding", encoding)
    codec = pair[0].info.encoding
    characters = [chr(code) for code in range(0xA0, 0x10000) if encodable(chr(code), codec)]
    assert any(b"\\" in character.encode(codec) for character in characters) is (encoding != "UHC")
    for value in ("'".join(characters), "''".join(characters)):
        if encoding == "SHIFT_JIS_2004":
            value = value.replace("\N{FULLWIDTH REVERSE SOLIDUS}", "")
        assert_same_in(pair, lambda package, connection, value=value: package.sql.Literal(value).as_bytes(connection))  # type: ignore[misc]


@pytest.mark.parametrize("scs", ["on", "off"])
def test_a_character_that_becomes_a_backslash(pair: Pair, scs: str) -> None:
    # psycopg does not escape it. Python takes it for what it encodes a backslash as.
    connection = pair[0]
    set_both(pair, "standard_conforming_strings", scs)
    set_both(pair, "client_encoding", "SHIFT_JIS_2004")
    query = sql.SQL("select ascii({}), length({}), {}").format("\\", "\\\\'\\", "'")
    assert connection.execute(query).fetchone() == (ord("\\"), 4, "'")


@pytest.mark.parametrize("value", ["a'b\\", "뙙\\'", "가", "가'", "뗎'"])
def test_literals_in_johab(pair: Pair, value: str) -> None:
    # The server knows a part of this encoding only; it refuses the rest, where libpq does.
    connection = pair[0]
    set_both(pair, "client_encoding", "JOHAB")
    query = sql.SQL("select {}, ' or true --'").format(value)
    if value in ("a'b\\", "뙙\\'"):
        assert connection.execute(query).fetchone() == (value, " or true --")
    else:
        with pytest.raises(neonps.errors.CharacterNotInRepertoire):
            connection.execute(query)


def encodable(text: str, codec: str) -> bool:
    try:
        text.encode(codec)
    except UnicodeEncodeError:
        return False
    return True


def test_broken_text_does_not_hide_a_quote(pair: Pair) -> None:
    class Half(str):
        pass

    class HalfDumper(StrDumper):
        def dump(self, obj: str) -> bytes:
            return b"\x95"

    connection = pair[0]
    set_both(pair, "client_encoding", "SJIS")
    cursor = connection.cursor()
    cursor.adapters.register_dumper(Half, HalfDumper)
    query = sql.SQL("select {}, {}").format(Half(), " or true --")
    assert query.as_bytes(cursor) == b"select '\x95', ' or true --'"
    with pytest.raises(neonps.DataError, match="invalid byte sequence"):
        cursor.execute(query)


def test_text_in_sql_ascii(pair: Pair) -> None:
    # psycopg refuses what is not ASCII in names and SQL, but not in values; here all of it is UTF-8.
    set_both(pair, "client_encoding", "SQL_ASCII")
    composed = sql.SQL("{}é{}").format("é", sql.Identifier("é"))
    assert composed.as_bytes(pair[0]) == "'é'é\"é\"".encode()
    assert composed.as_string(pair[0]) == "'é'é\"é\""
    assert pair[0].execute(sql.SQL("select {}").format("é")).fetchone() == ("é".encode(),)


def test_what_the_encoding_has_not(pair: Pair) -> None:
    set_both(pair, "client_encoding", "LATIN1")
    for piece in (sql.SQL("日"), sql.Identifier("日"), sql.Literal("日"), sql.Placeholder("日"), sql.Composed(["日"])):
        with pytest.raises(neonps.DataError, match="can't encode") as caught:
            piece.as_bytes(pair[0])
        assert isinstance(caught.value, UnicodeEncodeError)


# Statements, on every transport


def test_values_come_back(conn: Connection) -> None:
    query = sql.SQL("select {}").format(sql.SQL(", ").join(PLAIN))
    row = conn.execute(query).fetchone()
    assert row is not None
    assert list(row) == PLAIN
    values = [value for value in wrapped(neonps) if not isinstance(value, list)]
    for value in [math.nan, dt.time(1, tzinfo=dt.timezone.utc), *BYTES]:
        row = conn.execute(sql.SQL("select {}").format(value)).fetchone()
        assert repr(row) == repr((bytes(value) if isinstance(value, (bytearray, memoryview)) else value,))
    # The other literals are at least valid.
    conn.execute(sql.SQL("select {}").format(sql.SQL(", ").join(values)))


def test_values_are_what_psycopg_makes_of_them(conn: Connection, admin: psycopg.Connection[Any]) -> None:
    items = sql.SQL(", ").join([sql.SQL("({0})::text, pg_typeof({0})::text").format(value) for value in PLAIN])
    names = psycopg.sql.SQL(", ")
    theirs = names.join([psycopg.sql.SQL("({0})::text, pg_typeof({0})::text").format(value) for value in PLAIN])
    ours = conn.execute(sql.SQL("select {}").format(items)).fetchone()
    assert ours == admin.execute(psycopg.sql.SQL("select {}").format(theirs)).fetchone()
    # Two minus signs in a row would be a comment.
    assert conn.execute(sql.SQL("select 1 -{}, 1 -{}, 1 -{}").format(-1, Decimal("-2"), -2.0)).fetchone() == (2, 3, 3)


def test_names(conn: Connection, admin: psycopg.Connection[Any]) -> None:
    names = ["a", "A b", 'q"uote', "é日", "per%cent", "sel'ect", "back\\slash", "{}", "$1", "select", "a.b", "--", "%s"]

    def query(package: Package) -> Any:
        columns = [package.sql.SQL("1 as {}").format(package.sql.Identifier(name)) for name in names]
        return package.sql.SQL("select {}").format(package.sql.SQL(", ").join(columns))

    cursor = conn.execute(query(neonps))
    assert cursor.description is not None
    assert [column.name for column in cursor.description] == names
    theirs = admin.execute(query(psycopg)).description
    assert theirs is not None
    assert [column.name for column in theirs] == names
    row = conn.execute(sql.SQL("select {} from {}").format(sql.Identifier("c", "a b"), sql.SQL('(select 1 "a b") c')))
    assert row.fetchone() == (1,)
    row = conn.execute(sql.SQL("select count(*) > 1 from {}").format(sql.Identifier("pg_catalog", "pg_class")))
    assert row.fetchone() == (True,)


def test_parameters(conn: Connection) -> None:
    query = sql.SQL("select {}, {}::int, {}").format(sql.Placeholder(), sql.Placeholder(format="b"), -1)
    assert conn.execute(query, ["a", 2]).fetchone() == ("a", 2, -1)
    query = sql.SQL("select {} as {}, {}::int, {}").format(
        sql.Placeholder("a b"), sql.Identifier("x"), sql.Placeholder("n", "t"), sql.Placeholder("a b")
    )
    assert conn.execute(query, {"a b": "é", "n": 2}).fetchone() == ("é", 2, "é")
    query = sql.SQL("select {}").format((sql.Placeholder() * 2).join(", "))
    assert conn.execute(query, [1, 2]).fetchone() == (1, 2)
    names = ["a", "b"]
    query = sql.SQL("select {}").format(sql.SQL(", ").join(map(sql.Placeholder, names)))
    assert conn.execute(query, {"a": 1, "b": 2}).fetchone() == (1, 2)
    # {} in a piece that has been composed are none, and % is one only where there are parameters.
    assert conn.execute(sql.SQL("select {}, 5 % 3").format("{}%s")).fetchone() == ("{}%s", 2)
    assert conn.execute(sql.SQL("select {}, 5 %% 3").format(sql.SQL("'100%%'")), []).fetchone() == ("100%", 2)


@pytest.mark.parametrize(
    ("make", "params"),
    [
        (lambda sql: sql.SQL("select {}").format("100%"), []),
        (lambda sql: sql.SQL("select {}").format("% "), [1]),
        (lambda sql: sql.SQL("select {}").format("%x"), []),
        (lambda sql: sql.SQL("select 1 as {}").format(sql.Identifier("a%b")), []),
        (lambda sql: sql.SQL("select {}, {}").format(sql.Placeholder(), sql.Placeholder("a")), [1, 2]),
        (lambda sql: sql.SQL("select {}, {}").format(sql.Placeholder("a"), sql.Placeholder("a", "b")), {"a": 1}),
        (lambda sql: sql.SQL("select {}").format(sql.Placeholder("a")), {"b": 1}),
        (lambda sql: sql.SQL("select {}").format(sql.Placeholder()), []),
        (lambda sql: sql.SQL("select {}").format(object()), None),
        (lambda sql: sql.SQL("select {}").format("a\0b"), None),
        (lambda sql: sql.SQL("select {}").format([1, "a"]), None),
        (lambda sql: sql.SQL("select from from"), None),
        (lambda sql: sql.SQL("select {}").format(sql.Identifier("no such column")), None),
    ],
)
def test_mistakes(conn: Connection, admin: psycopg.Connection[Any], make: Make, params: Any) -> None:
    def primary(connection: Any, query: Any) -> Any:
        try:
            return connection.execute(query, params).fetchall()
        except (neonps.Error, psycopg.Error) as ex:
            return type(ex).__name__, ex.diag.message_primary or str(ex), ex.diag.statement_position

    assert primary(conn, make(sql)) == primary(admin, make(psycopg.sql))
    conn.rollback()
    assert conn.execute(sql.SQL("select 1")).fetchone() == (1,)


@on_sessions
def test_a_piece_alone_is_a_statement(conn: Connection) -> None:
    for piece in (sql.Identifier("x"), sql.Literal("x"), sql.Placeholder("x")):
        with pytest.raises(neonps.errors.SyntaxError):
            conn.execute(piece)  # type: ignore[arg-type]
        conn.rollback()


def test_zero_characters_are_not_sent(conn: Connection) -> None:
    # psycopg would take the name to end there.
    for piece in (sql.Identifier("a\0b"), sql.SQL("a\0b"), sql.Placeholder("a\0b")):
        with pytest.raises(neonps.ProgrammingError, match="NUL"):
            conn.execute(sql.SQL("select 1 as {}").format(piece))


def test_changes(conn: Connection, admin: psycopg.Connection[Any]) -> None:
    table = sql.Identifier("public", 'composed "%s" é')
    create = sql.SQL("create table {} ({} int default {}, {} text check ({} <> {}), {} bytea default {})")
    columns = list(map(sql.Identifier, ["a b", "c'd", "e"]))
    a, c, e = columns
    conn.execute(create.format(table, a, -5, c, c, "no\\t 'this'", e, b"\\'\0"))
    insert = sql.SQL("insert into {} ({}) values ({})")
    named = insert.format(table, sql.SQL(", ").join(columns), sql.SQL(", ").join([sql.NULL, "x'", sql.DEFAULT]))
    conn.execute(named)
    # % is a placeholder's as soon as there are parameters, in names as well.
    escaped = sql.Identifier("public", 'composed "%%s" é')
    conn.cursor().executemany(insert.format(escaped, c, sql.Placeholder()), [["y"], ["z\\"]])
    conn.commit()
    try:
        rows = conn.execute(sql.SQL("select * from {} order by {}").format(table, c)).fetchall()
        assert rows == [(None, "x'", b"\\'\0"), (-5, "y", b"\\'\0"), (-5, "z\\", b"\\'\0")]
        conn.rollback()
        results = conn.batch(
            [
                (insert.format(escaped, c, sql.Placeholder("v")), {"v": "w"}),
                sql.SQL("select count(*) from {}").format(table),
            ]
        )
        assert [result.rowcount for result in results] == [1, 1]
        conn.rollback()
    finally:
        admin.execute(psycopg.sql.SQL("drop table {}").format(psycopg.sql.Identifier(*table._obj)))


@on_sessions
def test_adapters_of_the_connection_and_the_cursor(conn: Connection) -> None:
    query = sql.SQL("select pg_typeof({})::text").format("a")
    assert conn.execute(query).fetchone() == ("unknown",)
    cursor = conn.cursor()
    cursor.adapters.register_dumper(str, StrDumperVarchar)
    assert cursor.execute(query).fetchone() == ("character varying",)
    conn.adapters.register_dumper(str, StrDumperName)
    assert conn.execute(query).fetchone() == ("name",)


def test_over_http_the_settings_are_not_known(connect: Connect, transport: str) -> None:
    connection = connect()
    plain = transport != "http"
    assert sql.quote(b"a", connection) == (r"'\x61'::bytea" if plain else r" E'\\x61'::bytea")
    assert sql.quote("a\\b", connection) == r" E'a\\b'"
    assert sql.as_bytes("é", connection) == "'é'".encode()
