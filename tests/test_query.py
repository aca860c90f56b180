"""Placeholders: what psycopg makes of them, and what the server makes of the types that are written in."""

from __future__ import annotations

import collections
import re
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import psycopg
import psycopg.adapt
import pytest
from compared import SESSIONS, Driver, Drivers
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import _queries as psycopg_queries
from type_parameters import PARAMETERS

from neonps import errors
from neonps.adapt import Transformer
from neonps.client_query import PostgresClientQuery
from neonps.formats import PyFormat
from neonps.pq import Format
from neonps.query import PostgresQuery, RawQuery
from neonps.tokens import Parameter, first_words, has_word, parameters


class Composable:
    """What is asked of the objects of neonps.sql."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def as_bytes(self, context: Any) -> bytes:
        assert isinstance(context, Transformer)
        return self.content


class Default(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return f"default of {key}"


@pytest.fixture
def query() -> PostgresQuery:
    return PostgresQuery(Transformer())


@pytest.fixture
def raw() -> RawQuery:
    return RawQuery(Transformer())


@pytest.fixture(scope="module")
def oracle(dsn: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(dsn, autocommit=True) as conn:
        yield conn


def outcome(query: Any, statement: Any, params: Any) -> Any:
    """What comes of a statement: the query and its parameters, or the exception."""
    try:
        query.convert(statement, params)
    except (psycopg.Error, errors.Error, TypeError) as error:
        return [cls.__name__ for cls in type(error).__mro__], str(error)
    values = None if query.params is None else [value and bytes(value) for value in query.params]
    return query.query, values, tuple(map(int, query.formats or ()))


# Strings as parameters, since those are dumped without a type.
STATEMENTS: list[tuple[Any, Any]] = [
    ("select %s", ["x"]),
    ("select %s", ("x",)),
    ("select %s, %s", ["x", "y"]),
    ("select %s", []),
    ("select %s", ["x", "y"]),
    ("select %s, %s", ["x"]),
    ("select 1", []),
    ("select 1", ()),
    ("select 1", {}),
    ("select 1", {"a": "x"}),
    ("select 1", ["x"]),
    ("select 1 % 2", None),
    ("select '%s', %(a)x", None),
    ("select %(a)s, %(b)s, %(a)s", {"a": "x", "b": "y", "c": "z"}),
    ("select %(b)s, %(a)s", {"b": "y", "a": "x"}),
    ("select %(a)s", {"b": "x"}),
    ("select %(d)s, %(a)s, %(b)s", {"b": "x"}),
    ("select %(a)s", {}),
    ("select %(a)s", {"A": "x"}),
    ("select %(a)s", ["x"]),
    ("select %(a)s", []),
    ("select %s", {"a": "x"}),
    ("select %(a)s, %s", {"a": "x"}),
    ("select %s, %(a)s", {"a": "x"}),
    ("select %s, %(a)s", ["x"]),
    ("select %s, %(a)s", {}),
    ("select %s, %t, %b", ["x", "y", "z"]),
    ("select %(a)s, %(b)t, %(c)b", {"a": "x", "b": "y", "c": "z"}),
    ("select %(a)b, %(a)t", {"a": "x"}),
    ("select %(a)s, %(a)t", {"a": "x"}),
    ("select %(a)s, %(a)t, %s", {"a": "x"}),
    ("select 5 %% 2", []),
    ("select 5 %%", []),
    ("select %%s, %%(a)s", []),
    ("select %%%s", ["x"]),
    ("select '%%%%', %s", ["x"]),
    ("select 5 % 2", []),
    ("select % s", ["x"]),
    ("select 5 %", []),
    ("select 5 %\n2", []),
    ("select 5 %\t2", []),
    ("select 1 -- 100%", []),
    ("select '%'", []),
    ("select 'a%'", ["x"]),
    ("select %d", ["x"]),
    ("select %S", ["x"]),
    ("select %x", []),
    ("select %(a)d", {"a": "x"}),
    ("select %(a) s", {"a": "x"}),
    ("select %(a)\ns", {"a": "x"}),
    ("select %(a)", {"a": "x"}),
    ("select %(a)", []),
    ("select %(a", {"a": "x"}),
    ("select %(a from x", {}),
    ("select %(", []),
    ("select %()", []),
    ("select %()s", {"": "x"}),
    ("select %) s", []),
    ("select %(a(b))s", {"a(b)": "x", "a(b": "y"}),
    ("select %( a b\n)s", {" a b\n": "x"}),
    ("select %(%s)s, %(a%)s", {"%s": "x", "a%": "y"}),
    ("select %s, %(a)s, %d", ["x"]),
    ("select %s, %d, %(a)s", ["x"]),
    ("select %(a)s %(b", {"a": "x"}),
    ("select '%s', %s -- %s", ["x", "y", "z"]),
    ("select %(é)s, '漢'", {"é": "ü"}),
    ("select %s", [None]),
    ("select %s, %s", [None, "x"]),
    (b"select %s, '\xc3\xa9'", ["x"]),
    (b"select %(\xc3\xa9)s", {"é": "x"}),
    (b"select '\xff', %s", ["x"]),
    ("select %s", "x"),
    ("select %s", b"x"),
    ("select 1", ""),
    ("select %s", {"x"}),
    ("select %s", {1: 2}.values()),
    ("select %s", collections.deque(["x"])),
    ("select %(a)s", collections.OrderedDict(a="x")),
    ("select %(a)s", collections.ChainMap({"a": "x"})),
    ("select %(a)s, %(b)s", Default(a="x")),
    ("select " + ", ".join(["%s"] * 60), ["x"] * 60),
    ("select " + ", ".join(f"%(n{n % 7})s" for n in range(60)), {f"n{n}": "x" for n in range(7)}),
    ("select %s -- " + "x" * 5000, ["x"]),
]


class TestPlaceholders:
    @pytest.mark.parametrize(("statement", "params"), STATEMENTS)
    def test_as_psycopg(self, query: PostgresQuery, statement: Any, params: Any) -> None:
        theirs = psycopg_queries.PostgresQuery(psycopg.adapt.Transformer())
        assert outcome(query, statement, params) == outcome(theirs, statement, params)

    @settings(deadline=None, max_examples=500)
    @given(
        st.lists(
            st.sampled_from(["%", "%%", "%s", "%t", "%b", "%(a)s", "%(b)s", "%(a)t", "%(", ")", "s", " ", "\n", "x"])
        ).map("".join),
        st.sampled_from([None, [], {}, ["x"], ["x", "y"], {"a": "x"}, {"a": "x", "b": "y"}]),
    )
    def test_any_as_psycopg(self, statement: str, params: Any) -> None:
        if params == {} and "%" in statement:
            return  # psycopg does not compare an empty mapping with positional placeholders
        theirs = psycopg_queries.PostgresQuery(psycopg.adapt.Transformer())
        assert outcome(PostgresQuery(Transformer()), statement, params) == outcome(theirs, statement, params)

    def test_without_parameters(self, query: PostgresQuery) -> None:
        query.convert("select 1 % 2")
        assert (query.query, query.params, query.types, query.formats) == (b"select 1 % 2", None, (), None)

    def test_with_no_parameters(self, query: PostgresQuery) -> None:
        query.convert("select 1 %% 2", [])
        assert (query.query, query.params, query.types, query.formats) == (b"select 1 % 2", [], (), [])

    def test_types_and_formats(self, query: PostgresQuery) -> None:
        query.convert("select %t, %b, %t, %s", [1, 2, True, None])
        assert query.params == [b"1", b"\0\2", b"t", None]
        assert query.types == (21, 21, 16, 0)
        assert query.formats == [Format.TEXT, Format.BINARY, Format.TEXT, Format.TEXT]

    def test_text_only(self) -> None:
        query = PostgresQuery(Transformer(), text_only=True)
        query.convert("select %s, %t, %b", [1, 2, 3])
        assert query.params == [b"1", b"2", b"3"]
        assert query.formats == [Format.TEXT] * 3

    def test_empty_mapping_for_positions(self, query: PostgresQuery) -> None:
        with pytest.raises(errors.ProgrammingError, match="has 1 placeholders but 0 parameters were"):
            query.convert("select %s", {})

    @pytest.mark.parametrize("statement", ["select %é", "select %(a)é", "select %漢 %s"])
    def test_wrong_placeholder_outside_of_ascii(self, query: PostgresQuery, statement: str) -> None:
        with pytest.raises(errors.ProgrammingError, match=r"only '%s', '%b', '%t' are .* got '%.*[é漢]'"):
            query.convert(statement, {"a": 1})

    @pytest.mark.parametrize("params", [1, object(), iter(["x"])])
    def test_wrong_class_of_parameters(self, query: PostgresQuery, params: Any) -> None:
        with pytest.raises(TypeError, match=f"sequence or a mapping, got {type(params).__name__}"):
            query.convert("select %s", params)

    @pytest.mark.parametrize("statement", [1, None, ["select 1"], bytearray(b"select 1")])
    @pytest.mark.parametrize("params", [None, ["x"]])
    def test_wrong_class_of_statement(self, query: PostgresQuery, statement: Any, params: Any) -> None:
        with pytest.raises(TypeError, match=f"a str, bytes or .*, got {type(statement).__name__}"):
            query.convert(statement, params)

    @pytest.mark.parametrize("statement", ["select '\0'", b"select '\0'"])
    @pytest.mark.parametrize("params", [None, []])
    def test_nul(self, query: PostgresQuery, raw: RawQuery, statement: Any, params: Any) -> None:
        for converter in (query, raw):
            with pytest.raises(errors.ProgrammingError, match="NUL"):
                converter.convert(statement, params)

    @pytest.mark.parametrize("params", [None, []])
    def test_lone_surrogate(self, query: PostgresQuery, raw: RawQuery, params: Any) -> None:
        for converter in (query, raw):
            with pytest.raises(errors.DataError, match="surrogates not allowed") as caught:
                converter.convert("select '\ud800'", params)
            assert isinstance(caught.value, UnicodeEncodeError)

    @pytest.mark.parametrize("params", [[object()], [[object()]]])
    def test_unadaptable(self, query: PostgresQuery, params: Any) -> None:
        with pytest.raises(errors.ProgrammingError, match="cannot adapt"):
            query.convert("select %s", params)

    def test_composable(self, query: PostgresQuery) -> None:
        query.convert(Composable("select 'é', %s".encode()), ["x"])
        assert (query.query, query.params) == ("select 'é', $1".encode(), [b"x"])
        query.convert(Composable(b"select '%s'"))
        assert (query.query, query.params) == (b"select '%s'", None)


class TestDump:
    def test_other_parameters(self, query: PostgresQuery) -> None:
        query.convert("select %(a)t, %(b)t", {"a": 1, "b": "x"})
        query.dump({"b": "y", "a": 100_000})
        assert query.query == b"select $1, $2"
        assert query.params == [b"100000", b"y"]
        assert query.types[0] == 23

    @pytest.mark.parametrize(
        ("statement", "first", "second", "error"),
        [
            ("select %s", ["x"], ["x", "y"], "the query has 1 placeholders but 2 parameters were passed"),
            ("select %s", ["x"], None, "the query has 1 placeholders but 0 parameters were passed"),
            ("select %(a)s", {"a": "x"}, {"b": "x"}, "query parameter missing: a"),
            ("select 1", None, ["x"], "the query has 0 placeholders but 1 parameters were passed"),
        ],
    )
    def test_do_not_fit(self, query: PostgresQuery, statement: str, first: Any, second: Any, error: str) -> None:
        query.convert(statement, first)
        with pytest.raises(errors.ProgrammingError, match=error):
            query.dump(second)

    @pytest.mark.parametrize(
        ("statement", "first", "second", "error"),
        [
            ("select %s", ["x"], {"a": "x"}, "require a sequence"),
            ("select %(a)s", {"a": "x"}, ["x"], "require a mapping"),
            ("select %s", ["x"], "y", "got str"),
            ("select %s", ["x"], 1, "got int"),
        ],
    )
    def test_wrong_class(self, query: PostgresQuery, statement: str, first: Any, second: Any, error: str) -> None:
        query.convert(statement, first)
        with pytest.raises(TypeError, match=error):
            query.dump(second)

    @pytest.mark.parametrize("params", [None, [], {}])
    def test_none_or_nothing(self, query: PostgresQuery, params: Any) -> None:
        query.convert("select 1", [])
        query.dump(params)
        assert (query.query, query.types) == (b"select 1", ())
        assert query.params == (None if params is None else [])


class TestRaw:
    def test_is_left_as_it_is(self, raw: RawQuery) -> None:
        raw.convert("select $1, '%s' % 2, $2", ["x", 1])
        assert raw.query == b"select $1, '%s' % 2, $2"
        assert raw.params is not None
        assert raw.params[0] == b"x"
        assert raw.types == (0, 21)
        raw.dump(["y"])
        assert raw.params == [b"y"]
        raw.dump(None)
        assert raw.query == b"select $1, '%s' % 2, $2"
        assert raw.params is None

    @pytest.mark.parametrize(
        ("params", "error"),
        [
            ({"a": "x"}, "raw queries require a sequence of parameters"),
            ("x", "query parameters should be a sequence or a mapping, got str"),
            (1, "query parameters should be a sequence or a mapping, got int"),
        ],
    )
    def test_wrong_class_of_parameters(self, raw: RawQuery, params: Any, error: str) -> None:
        with pytest.raises(TypeError, match=error):
            raw.convert("select $1", params)
        with pytest.raises(TypeError, match=error):
            raw.dump(params)


@pytest.fixture
def client() -> PostgresClientQuery:
    return PostgresClientQuery(Transformer())


@pytest.fixture(scope="module")
def drivers(dsn: str, url: str) -> Iterator[Drivers]:
    drivers = Drivers(dsn, url)
    yield drivers
    drivers.close()


#: A % at the end of a line, by which psycopg's own client-side statements are broken.
lone_percent = re.compile(r"(?<!%)%(?:%%)*(?:\n|\Z)")


class TestClient:
    @pytest.mark.parametrize(("statement", "params"), STATEMENTS)
    def test_as_psycopg(self, client: PostgresClientQuery, statement: Any, params: Any) -> None:
        if params is not None and lone_percent.search(str(statement)):
            client.convert(statement, params)
            assert client.as_string() == statement
            return
        theirs = psycopg_queries.PostgresClientQuery(psycopg.adapt.Transformer())
        assert outcome(client, statement, params) == outcome(theirs, statement, params)

    @settings(deadline=None, max_examples=500)
    @given(
        st.lists(
            st.sampled_from(["%", "%%", "%s", "%t", "%b", "%(a)s", "%(b)s", "%(a)t", "%(", ")", "s", "$1", "'", "x"])
        ).map("".join),
        st.sampled_from([None, [], {}, ["%s"], ["%", 1], {"a": "%%"}, {"a": "'", "b": None}]),
    )
    def test_any_as_psycopg(self, statement: str, params: Any) -> None:
        if (params == {} and "%" in statement) or lone_percent.search(statement):
            return
        expected = outcome(psycopg_queries.PostgresClientQuery(psycopg.adapt.Transformer()), statement, params)
        if "parameter missing: " in str(expected[1]):
            # psycopg names one as often as it is used
            before, _, names = expected[1].partition(": ")
            expected = expected[0], f"{before}: {', '.join(dict.fromkeys(names.split(', ')))}"
        assert outcome(PostgresClientQuery(Transformer()), statement, params) == expected

    def test_what_is_sent(self, client: PostgresClientQuery) -> None:
        client.convert("select %s, %(%s, '%s'", None)
        assert (client.query, client.params) == (b"select %s, %(%s, '%s'", None)
        client.convert("select %s, %t, %b, $1, 5 %% 3", [1, "it's", None])
        assert client.query == b"select 1, 'it''s', NULL, $1, 5 % 3"
        assert client.params == (b"1", b"'it''s'", b"NULL")
        assert (client.bound, client.types, client.formats) == ((), (), None)
        client.convert("select %(a)s, %(b)b, %(a)t", {"a": "é", "b": [1], "c": object()})
        assert client.as_string() == "select 'é', '{1}'::int2[], 'é'"
        assert client.params == ("'é'".encode(), b"'{1}'::int2[]", "'é'".encode())

    def test_other_parameters(self, client: PostgresClientQuery) -> None:
        client.convert("insert into t values (%s, %s)", [1, "a"])
        client.dump([None, "%s"])
        assert client.query == b"insert into t values (NULL, '%s')"
        with pytest.raises(errors.ProgrammingError, match="has 2 placeholders but 1 parameters were"):
            client.dump([1])
        with pytest.raises(TypeError, match="require a sequence"):
            client.dump({"a": 1})
        client.convert("select 1", [])
        client.dump(None)
        assert (client.query, client.params) == (b"select 1", None)

    def test_text_only_makes_no_difference(self) -> None:
        query = PostgresClientQuery(Transformer(), text_only=True)
        query.convert("select %s, %b", [1, b"a"])
        assert query.query == rb"select 1,  E'\\x61'::bytea"

    def test_over_http(self, client: PostgresClientQuery) -> None:
        client.convert("select %s, '$1'", [1])
        assert client.typed_query(type_name) == "select 1, '$1'"
        assert client.untyped_position(8) == 8

    def test_what_is_no_text(self, client: PostgresClientQuery) -> None:
        client.convert(b"select '\xff', %s", ["x"])
        assert client.query == b"select '\xff', 'x'"
        with pytest.raises(errors.DataError, match="not valid utf-8 at byte 8"):
            client.as_string()
        with pytest.raises(errors.ProgrammingError, match="NUL"):
            client.convert("select '\0', %s", ["x"])
        with pytest.raises(errors.DataError, match="surrogates not allowed"):
            client.convert("select %s", ["\ud800"])

    @pytest.mark.parametrize("group", PARAMETERS)
    def test_every_class_as_psycopg(self, drivers: Drivers, group: str) -> None:
        values = {driver.name: PARAMETERS[group](driver) for driver in drivers.all}

        def mogrify(driver: Driver, query: str, number: int) -> Any:
            value = values[driver.name][number]
            return driver.module.ClientCursor(driver.connection).mogrify(query, [value])

        for number in range(len(values["psycopg"])):
            drivers.compare(partial(mogrify, query="select %s", number=number), transports=SESSIONS)
            drivers.compare(partial(mogrify, query="x%b", number=number), transports=SESSIONS)


def type_name(oid: int) -> str | None:
    return {16: "bool", 21: "int2", 23: "int4", 1005: "int2[]", 1114: "timestamp"}.get(oid)


class TestTyped:
    @pytest.mark.parametrize(
        ("statement", "params", "expected"),
        [
            ("select %s", [1], "select ($1::int2)"),
            ("select %s, %s, %s", ["x", True, None], "select $1, ($2::bool), $3"),
            ("select %s[1]", [[1]], "select ($1::int2[])[1]"),
            ("select '%%s', %s", [1], "select '%s', ($1::int2)"),
            ("select %(a)s, %(b)s, %(a)s", {"a": 1, "b": "x"}, "select ($1::int2), $2, ($1::int2)"),
            ("select %s", [1.5], "select $1"),
            ("select 1", [], "select 1"),
            ("select 1 % 2", None, "select 1 % 2"),
        ],
    )
    def test_text(self, query: PostgresQuery, statement: str, params: Any, expected: str) -> None:
        query.convert(statement, params)
        assert query.typed_query(type_name) == expected

    def test_raw(self, raw: RawQuery) -> None:
        raw.convert("select $2, '$2', a$2, $3, $0 from x", [1, 2])
        assert raw.typed_query(type_name) == "select ($2::int2), '$2', a$2, $3, $0 from x"

    def test_not_utf8(self, raw: RawQuery) -> None:
        raw.convert(b"select '\xff'")
        with pytest.raises(errors.DataError, match="not valid UTF-8 at byte 8"):
            raw.typed_query(type_name)

    @settings(deadline=None)
    @given(st.lists(st.sampled_from(["$1", "$2", "$12", "'漢'", " + ", "$13", "x$1"]), min_size=1))
    def test_position(self, pieces: Sequence[str]) -> None:
        raw = RawQuery(Transformer())
        raw.convert(" ".join(pieces), [1, "x"] + [True] * 10)
        plain = raw.query.decode()
        typed = raw.typed_query(type_name)
        at = typed_at = 0
        for piece in pieces:
            start = plain.index(piece, at)
            cast = {"$1": "($1::int2)", "$12": "($12::bool)"}.get(piece, piece)
            typed_start = typed.index(cast, typed_at)
            for offset in range(len(cast)):
                expected = start if cast is not piece else start + offset
                assert raw.untyped_position(typed_start + offset + 1) == expected + 1
            at = start + len(piece)
            typed_at = typed_start + len(cast)
        assert raw.untyped_position(len(typed) + 1) == len(plain) + 1

    @pytest.mark.parametrize(
        ("statement", "params"),
        [
            ("select pg_typeof(%s), pg_typeof(%s), pg_typeof(%s)", [1, True, [1, 2]]),
            ("select (%s)[1], %s [2]", [[1, 2], [3, 4]]),
            ("select - %s, not %s, %s::int8, %s is null", [1, True, 2, 3]),
            ("select 7 limit %s offset %s", [1, 0]),
            ("select x from generate_series(1, 9) x offset %s rows fetch first %s rows only", [1, 2]),
            ("select x in (%s), x in (%s, %s), x = any(%s) from generate_series(1, 3) x", [1, 2, 3, [2]]),
            ("select x between %s and %s from generate_series(1, 3) x", [1, 2]),
            ("select substring('abcdef' from %s for %s), position('a' in %s)", [2, 3, "ba"]),
            ("select sum(x) over (rows %s preceding) from generate_series(1, 3) x", [1]),
            ("select sum(x) over (rows between %s preceding and %s following) from (select 1) v (x)", [1, 1]),
            ("select case %s when %s then %s else %s end", [1, 1, 2, 3]),
            ("select * from (values (%s, %s), (%s, %s)) v", [1, "x", 2, "y"]),
            ("select %(a)s + %(b)s * %(a)s", {"a": 2, "b": 3}),
            ("select format('%%s', %s)", [1]),
            ("select array[%s, %s], row(%s), (%s, %s)", [1, 2, 3, 4, 5]),
            ("select x from generate_series(1, 3) x group by x having x > %s order by %s", [1, 1]),
            ("select make_interval(days => %s), repeat('x', %s)", [1, 2]),
            ("select greatest(%s, %s), coalesce(%s, 2), nullif(%s, 1)", [1, 2, 3, 4]),
        ],
    )
    def test_server_takes_it_as_types(self, oracle: psycopg.Connection[Any], statement: str, params: Any) -> None:
        query = PostgresQuery(Transformer(), text_only=True)
        query.convert(statement, params)
        values = [value and bytes(value) for value in query.params or ()]
        told = oracle.pgconn.exec_params(query.query, values, query.types)
        written = oracle.pgconn.exec_params(query.typed_query(type_name).encode(), values)
        assert told.error_message == written.error_message == b""
        assert rows(told) == rows(written)
        assert [told.ftype(n) for n in range(told.nfields)] == [written.ftype(n) for n in range(told.nfields)]


def rows(result: Any) -> list[list[bytes | None]]:
    return [[result.get_value(row, column) for column in range(result.nfields)] for row in range(result.ntuples)]


FRAGMENTS = [
    "$1::int",
    "$2::text",
    "$12::int",
    "- $1",
    "($2)",
    "(array[$1])[$1]",
    "'$5'",
    "'it''s $5'",
    "'$5\\'",
    "E'$5 \\' $5'",
    "e'\\\\'",
    "E'it''s $5\\\\'",
    "U&'$5'",
    "N'$5'",
    "$$ $5 ' $$",
    "$a$ $5 $$ $b$ $a$",
    "$é$ $5 $é$",
    "$$$$",
    "/* $5 ' */ 1",
    "/* /* $5 */ ' $5 */ 1",
    "/**/1",
    "1 -- $5 '\n",
    "1 -- /*\r",
    "1 as x$5",
    '1 as "$5 \'"',
    '1 as "a""$5"',
    "1 as é$5",
    "1.5e1",
    "2/1",
    "3-1",
    "1 as a$b$c",
    "1 as e",
    "'漢$5'",
]


class TestParameters:
    def test_places(self) -> None:
        assert list(parameters("é $1,$23 'x' $1")) == [
            Parameter(2, 4, 1),
            Parameter(5, 8, 23),
            Parameter(13, 15, 1),
        ]

    @pytest.mark.parametrize("statement", ["'$1", "E'\\'$1", '"$1', "$a$ $1", "/* $1", "/* /* $1 */", "--$1"])
    def test_without_end(self, statement: str) -> None:
        assert list(parameters(statement)) == []

    @settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.lists(st.sampled_from(FRAGMENTS), min_size=1, max_size=8), st.sampled_from([",", "\n,\t"]))
    def test_server_finds_the_same(self, oracle: psycopg.Connection[Any], fragments: list[str], comma: str) -> None:
        statement = "select " + comma.join(fragments)
        # Every parameter needs a type, and the highest number is all that the server tells.
        found = sorted({parameter.number for parameter in parameters(statement)})
        types = [25 if number == 2 else 23 for number in range(1, max(found, default=0) + 1)]
        assert oracle.pgconn.prepare(b"", statement.encode(), types).error_message == b""
        assert oracle.pgconn.describe_prepared(b"").nparams == max(found, default=0)
        # Without those that were found there is none.
        pieces: list[str] = []
        end = 0
        for parameter in parameters(statement):
            pieces += (statement[end : parameter.start], "'x'" if parameter.number == 2 else "1")
            end = parameter.end
        rest = "".join((*pieces, statement[end:]))
        assert oracle.pgconn.prepare(b"", rest.encode()).error_message == b""
        assert oracle.pgconn.describe_prepared(b"").nparams == 0


def test_formats_are_those_of_psycopg() -> None:
    assert [(member.name, member.value) for member in PyFormat] == [
        (member.name, member.value) for member in psycopg.adapt.PyFormat
    ]


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("select 1", ["SELECT"]),
        ("prepare transaction 'x'", ["PREPARE", "TRANSACTION"]),
        ("PREPARE/* a */transaction--\n'x'", ["PREPARE", "TRANSACTION"]),
        ("  -- a\r\n;; ((Begin;commit", ["BEGIN"]),
        ("/* a /* b */ commit */ rollback", ["ROLLBACK"]),
        ("/* commit", []),
        ("-- commit", []),
        ("'commit'", []),
        ('"commit" work', []),
        ("values(x)", ["VALUES"]),
        ("", []),
        ("\u00a0commit", ["\u00a0COMMIT"]),  # no white space for Postgres
        ("end", ["END"]),
    ],
)
def test_first_words(statement: str, words: list[str]) -> None:
    assert first_words(statement, 2) == words
    assert first_words(statement, 1) == words[:1]


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("insert into t values (1) returning id", True),
        ("insert into t values (1) RETURNING(id)", True),
        ("insert into t values ('returning')", False),
        ("insert into t values ($$ returning $$, E'\\' returning')", False),
        ('insert into "returning" values (1) -- returning', False),
        ("/* /* returning */ returning */ delete from t", False),
        ("/* a */ delete from t /* b */ returning *", True),
        ("select not_returning, returning_not", False),
    ],
)
def test_has_word(statement: str, found: bool) -> None:
    assert has_word(statement, "RETURNING") is found
