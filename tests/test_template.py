"""Template strings (PEP 750) as statements: real ones on Python 3.14, where psycopg takes them too."""

from __future__ import annotations

import asyncio
import datetime as dt
import sys
from collections.abc import Iterator
from string import Formatter
from typing import Any

import psycopg
import psycopg.sql
import pytest
from hypothesis import given
from hypothesis import strategies as st
from peers import Peer
from transports import Connection

import neonps
import neonps.template
from neonps import sql
from neonps.adapt import Transformer
from neonps.client_query import PostgresClientQuery
from neonps.query import PostgresQuery, RawQuery

HAS_TEMPLATES = sys.version_info >= (3, 14)

#: neonps or psycopg.
Package = Any


class Own(str):
    """A str, but not of that very class."""


NAMES: dict[str, Any] = {
    "one": 1,
    "text": "it's",
    "name": 'we"ird',
    "day": dt.date(2020, 1, 2),
    "numbers": [1, 2],
    "nothing": None,
    "percent": "%s%",
    "own": Own("x"),
    "thing": object(),
    "raw": b"abc",
}

if not HAS_TEMPLATES:

    class Interpolation(neonps.template.Interpolation[Any]):
        """As that of `string.templatelib`."""

        def __init__(self, value: Any, expression: str, conversion: str | None, format_spec: str) -> None:
            self.value = value
            self.expression = expression
            self.conversion = conversion
            self.format_spec = format_spec

    class Template(neonps.template.Template):
        """As that of `string.templatelib`."""

        def __init__(self, *args: Any) -> None:
            self.parts = args

        def __iter__(self) -> Iterator[Any]:
            return iter(self.parts)


def template(source: str, package: Package = neonps, **names: Any) -> Any:
    """What `t"source"` is where `sql` is a module of `package`; before Python 3.14, what takes its place."""
    scope = {**NAMES, "sql": package.sql, **names}
    if "inner" in source and "inner" not in scope:
        scope["inner"] = template("of {one} and {text:l}", package)
    if HAS_TEMPLATES:
        return eval(f"t{source!r}", scope)
    parts: list[Any] = []
    for text, field, spec, conversion in Formatter().parse(source):
        if text:
            parts.append(text)
        if field is not None:
            parts.append(Interpolation(eval(field, scope), field, conversion, spec or ""))
    return Template(*parts)


def outcome(make: Any) -> Any:
    """What a call gives, or the name and the text of its exception."""
    try:
        return make()
    except Exception as ex:
        return type(ex).__name__, str(ex).replace("psycopg.", "neonps.")


def merged(source: str, package: Package) -> Any:
    return outcome(lambda: package.sql.as_string(template(source, package)))


def split(source: str, package: Package, cls: Any) -> Any:
    """The statement and the values that go beside it."""
    query = cls(package.adapt.Transformer())

    def convert() -> Any:
        query.convert(template(source, package), None)
        if query.params is None:
            return query.query, None, query.types, query.formats
        values = [value if value is None else bytes(value) for value in query.params]
        return query.query, values, query.types, query.formats

    return outcome(convert)


#: A template, the statement that it is, and the same with parameters.
RIGHT = [
    ("select {one}", "select 1", "select $1"),
    ("select {one:s}, {one:t}, {one:b}", "select 1, 1, 1", "select $1, $2, $3"),
    ("select {text}, {nothing}, {numbers}", "select 'it''s', NULL, '{1,2}'::int2[]", "select $1, $2, $3"),
    ("{one} {text} {one}", "1 'it''s' 1", "$1 $2 $3"),
    ("select {name:i}", 'select "we""ird"', 'select "we""ird"'),
    ("select {own:i}, {own:l}", "select \"x\", 'x'", "select \"x\", 'x'"),
    ("select {sql.Identifier('a', 'b'):i}", 'select "a"."b"', 'select "a"."b"'),
    ("{text:l}, {day:l}, {nothing:l}, {one:l}", "'it''s', '2020-01-02'::date, NULL, 1", None),
    ("{sql.Literal(text):l}", "'it''s'", "'it''s'"),
    ("{day}", "'2020-01-02'::date", "$1"),
    ("select {inner:q}", "select of 1 and 'it''s'", "select of $1 and 'it''s'"),
    ("{one} {inner:q} {text}", "1 of 1 and 'it''s' 'it''s'", "$1 of $2 and 'it''s' $3"),
    ("{sql.SQL('a b'):q} {sql.NULL:q}", "a b NULL", "a b NULL"),
    ("{sql.SQL('x ') + sql.Literal(one):q}", "x 1", "x 1"),
    ("{sql.SQL('a, ') + sql.Identifier(name):q}", 'a, "we""ird"', 'a, "we""ird"'),
    # % and $1 mean nothing in them
    ("select 5 % 3, {one}", "select 5 % 3, 1", "select 5 % 3, $1"),
    ("select 5 %% 3", "select 5 %% 3", "select 5 %% 3"),
    ("select %s, %(a)s, '%', {one}", "select %s, %(a)s, '%', 1", "select %s, %(a)s, '%', $1"),
    ("{sql.SQL('5 %% 3 %s'):q}, {percent:i}, {percent:l}", "5 %% 3 %s, \"%s%\", '%s%'", None),
    ("{sql.Composed([sql.Placeholder()]):q}, {one}", "%s, 1", "%s, $1"),
    ("select $1, {one}", "select $1, 1", "select $1, $1"),
    ("", "", ""),
    ("select 1", "select 1", "select 1"),
    ("select é {one}", "select é 1", "select é $1"),
    ("{{}} {one}", "{} 1", "{} $1"),
]

MIXED = "%s require format ':%s'; got '{%s}'"
#: A template, and what is wrong with it.
WRONG = [
    ("{inner}", "ProgrammingError", MIXED % ("Template", "q", "inner")),
    ("{inner:s}", "ProgrammingError", MIXED % ("Template", "q", "inner:s")),
    ("{inner:i}", "ProgrammingError", MIXED % ("Template", "q", "inner:i")),
    ("{inner:l}", "ProgrammingError", MIXED % ("Template", "q", "inner:l")),
    ("{inner:x}", "ProgrammingError", MIXED % ("Template", "q", "inner:x")),
    ("{sql.NULL}", "ProgrammingError", MIXED % ("neonps.sql.SQL", "q", "sql.NULL")),
    ("{sql.NULL:l}", "ProgrammingError", MIXED % ("neonps.sql.SQL", "q", "sql.NULL:l")),
    ("{sql.NULL:x}", "ProgrammingError", MIXED % ("neonps.sql.SQL", "q", "sql.NULL:x")),
    ("{sql.NULL + sql.NULL}", "ProgrammingError", MIXED % ("neonps.sql.Composed", "q", "sql.NULL + sql.NULL")),
    ("{sql.Identifier('a')}", "ProgrammingError", MIXED % ("neonps.sql.Identifier", "i", "sql.Identifier('a')")),
    ("{sql.Identifier('a'):q}", "ProgrammingError", MIXED % ("neonps.sql.Identifier", "i", "sql.Identifier('a'):q")),
    ("{sql.Literal(1)}", "ProgrammingError", MIXED % ("neonps.sql.Literal", "l", "sql.Literal(1)")),
    ("{sql.Literal(1):q}", "ProgrammingError", MIXED % ("neonps.sql.Literal", "l", "sql.Literal(1):q")),
    ("{sql.Placeholder()}", "ProgrammingError", "Placeholder not supported in string templates"),
    ("{sql.Placeholder('a'):q}", "ProgrammingError", "Placeholder not supported in string templates"),
    ("{one:i}", "ProgrammingError", "identifier values must be strings; got int in {one:i}"),
    ("{nothing:i}", "ProgrammingError", "identifier values must be strings; got NoneType in {nothing:i}"),
    ("{raw:i}", "ProgrammingError", "identifier values must be strings; got bytes in {raw:i}"),
    ("{text:q}", "ProgrammingError", "sql values must be sql.Composed, sql.SQL, or Template; got str in {text:q}"),
    ("{one:q}", "ProgrammingError", "sql values must be sql.Composed, sql.SQL, or Template; got int in {one:q}"),
    ("{one:x}", "ProgrammingError", "format 'x' not supported in query; got '{one:x}'"),
    ("{one:ss}", "ProgrammingError", "format 'ss' not supported in query; got '{one:ss}'"),
    ("{one: s}", "ProgrammingError", "format ' s' not supported in query; got '{one: s}'"),
    ("{one!r}", "TypeError", "conversions not supported in query; got '{one!r}'"),
    ("{one!s:s}", "TypeError", "conversions not supported in query; got '{one!s}'"),
    ("{inner!a:q}", "TypeError", "conversions not supported in query; got '{inner!a}'"),
    ("{thing:l}", "ProgrammingError", "cannot adapt type 'object' using placeholder '%t' (format: TEXT)"),
]


class TestComposition:
    @pytest.mark.parametrize(("source", "text", "with_parameters"), RIGHT)
    def test_right(self, source: str, text: str, with_parameters: str | None) -> None:
        assert merged(source, neonps) == text
        assert sql.as_bytes(template(source)) == text.encode()
        query = PostgresQuery(Transformer())
        query.convert(template(source))
        assert query.query.decode() == (text if with_parameters is None else with_parameters)
        client_query = PostgresClientQuery(Transformer())
        client_query.convert(template(source))
        assert client_query.as_string() == text
        assert (client_query.bound, client_query.types, client_query.formats) == ((), (), None)

    @pytest.mark.parametrize(("source", "error", "message"), WRONG)
    def test_wrong(self, source: str, error: str, message: str) -> None:
        cls = neonps.template.Template if HAS_TEMPLATES else Template
        message = message.replace("Template require", f"{cls.__module__}.Template require")
        for made in (
            merged(source, neonps),
            split(source, neonps, PostgresQuery),
            split(source, neonps, PostgresClientQuery),
        ):
            assert made == (error, message)

    def test_parameters(self) -> None:
        query = PostgresQuery(Transformer())
        query.convert(template("{one}, {one:t}, {one:b}, {text}, {nothing}"))
        assert query.params == [b"\0\1", b"1", b"\0\1", b"it's", None]
        assert query.types == (21, 21, 21, 0, 0)
        assert query.formats == [1, 0, 1, 0, 0]
        query.convert(template("select {name:i}"))
        assert (query.params, query.types, query.formats) == (None, (), None)
        text_only = PostgresQuery(Transformer(), text_only=True)
        text_only.convert(template("{one}, {one:b}"))
        assert text_only.params == [b"1", b"1"]
        client_query = PostgresClientQuery(Transformer())
        client_query.convert(template("{one}, {name:i}, {text}"))
        assert client_query.params == (b"1", b"'it''s'")

    def test_classes_of_ones_own(self) -> None:
        class OwnSQL(sql.SQL):
            pass

        class Upper(sql.Composable):
            def as_bytes(self, context: Any = None) -> bytes:
                return b"UPPER"

        names = {"made": OwnSQL("a"), "upper": Upper(1)}
        assert sql.as_string(template("{made:q}", **names)) == "a"
        with pytest.raises(neonps.ProgrammingError, match=r"\.OwnSQL require format ':q'; got '{made}'"):
            sql.as_string(template("{made}", **names))
        for source in ("{upper}", "{upper:q}", "{upper:l}"):
            with pytest.raises(neonps.ProgrammingError, match="Upper not supported in string templates"):
                sql.as_string(template(source, **names))

    @pytest.mark.parametrize("params", [[], [1], {}, {"a": 1}, "x"])
    def test_with_parameters_beside_it(self, params: Any) -> None:
        for query in (PostgresQuery(Transformer()), PostgresClientQuery(Transformer())):
            with pytest.raises(TypeError, match="string template query doesn't support parameters"):
                query.convert(template("select {one}"), params)
            query.convert(template("select {one}"))
            with pytest.raises(TypeError, match="string template query doesn't support parameters"):
                query.dump(params)

    def test_raw(self) -> None:
        query = RawQuery(Transformer())
        for source, params in (("select 1", None), ("select {one}", None), ("select 1", [1])):
            with pytest.raises(neonps.NotSupportedError, match="doesn't support template strings"):
                query.convert(template(source), params)

    def test_the_next_statement(self) -> None:
        """Nothing of a template is left behind."""
        query = PostgresQuery(Transformer())
        query.convert(template("select {one}"))
        query.dump(None)
        assert (query.query, query.params) == (b"select $1", [b"\0\1"])
        query.convert("select %s", ["x"])
        query.dump(["y"])
        assert (query.query, query.params) == (b"select $1", [b"y"])
        query.convert(template("select 1"))
        with pytest.raises(TypeError, match="doesn't support parameters"):
            query.dump(["y"])

    def test_what_cannot_be_sent(self) -> None:
        for query in (PostgresQuery(Transformer()), PostgresClientQuery(Transformer())):
            with pytest.raises(neonps.ProgrammingError, match="NUL"):
                query.convert(template("{name:i}", name="a\0b"))
            with pytest.raises(neonps.DataError, match="can't encode"):
                query.convert(template("{name:i}", name="\ud800"))

    @pytest.mark.parametrize(
        "make",
        [
            lambda package, t: package.sql.SQL(",").join([t, 1, "x"]),
            lambda package, t: package.sql.SQL(",").join([1, "x", t]),
            lambda package, t: package.sql.SQL(",").join(iter([t, t, None])),
            lambda package, t: package.sql.SQL(",").join([package.sql.SQL("x"), t]),
            lambda package, t: package.sql.Literal(t).as_string(),
            lambda package, t: package.sql.quote(t),
            lambda package, t: package.sql.SQL("{}").format(t).as_string(),
            lambda package, t: package.sql.SQL("a") + t,
        ],
    )
    def test_where_no_template_can_be(self, make: Any) -> None:
        kind, message = outcome(lambda: make(neonps, template("{one}")))
        assert kind in ("TypeError", "ProgrammingError")
        assert "Template" in message
        if HAS_TEMPLATES:
            assert (kind, message) == outcome(lambda: make(psycopg, template("{one}", psycopg)))


class TestNoTemplates:
    @pytest.mark.skipif(HAS_TEMPLATES, reason="Python 3.14 has template strings")
    def test_nothing_is_one(self) -> None:
        with pytest.raises(NotImplementedError, match=r"Python 3\.14"):
            neonps.template.Template("select 1")
        with pytest.raises(NotImplementedError):
            list(object.__new__(neonps.template.Template))


@pytest.mark.skipif(not HAS_TEMPLATES, reason="template strings came with Python 3.14")
class TestAsPsycopg:
    @pytest.mark.parametrize("source", [case[0] for case in RIGHT + WRONG])
    def test_as_psycopg(self, source: str) -> None:
        self.compare(source)

    def compare(self, source: str) -> None:
        from psycopg import _queries

        assert merged(source, neonps) == merged(source, psycopg)
        assert split(source, neonps, PostgresQuery) == split(source, psycopg, _queries.PostgresQuery)
        # Without a parameter list there are no parameters, for which psycopg has an empty list.
        ours = split(source, neonps, PostgresClientQuery)
        assert ours == split(source, psycopg, _queries.PostgresClientQuery)

    @given(
        st.lists(
            st.sampled_from(
                [
                    *["{one}", "{one:t}", "{one:b}", "{text}", "{text:l}", "{text:i}", "{inner:q}", "{nothing}"],
                    *["{sql.SQL('%s'):q}", "{sql.Identifier(name):i}", "{one:q}", "{inner}", "{one!r}"],
                    *["%", "%%", "%s", "%(a)s", "$1", "{{", "}}", "é", " "],
                ]
            )
        ).map("".join)
    )
    def test_any(self, source: str) -> None:
        self.compare(source)

    @pytest.mark.parametrize("joiner", [",", "", "%s", "{}"])
    @pytest.mark.parametrize("sources", [["{one}"], ["{one}", "x {text:l}"], ["", "a", "", "{one}{one}"], ["", ""]])
    def test_join(self, joiner: str, sources: list[str]) -> None:
        joined = [
            package.sql.SQL(joiner).join(template(source, package) for source in sources)  # type: ignore[call-overload]
            for package in (neonps, psycopg)
        ]
        assert repr(joined[0]) == repr(joined[1])
        assert repr(template("{x:q}", x=joined[0])) == repr(template("{x:q}", x=joined[1]))
        assert sql.as_string(template("select {x:q}", x=joined[0])) == psycopg.sql.as_string(
            template("select {x:q}", x=joined[1])
        )


@pytest.fixture
def own_peer(peer: Peer) -> Peer:
    """`peer`, if it takes templates as `template()` makes them."""
    if peer.name == "psycopg" and not HAS_TEMPLATES:
        pytest.skip("psycopg takes template strings on Python 3.14 only")
    return peer


class TestExecution:
    def test_execute(self, own_peer: Peer) -> None:
        connection = own_peer.connect()

        def t(source: str, **names: Any) -> Any:
            return template(source, own_peer.module, **names)

        cursor = connection.execute(t("select {one}, {text}, {numbers}, {day}, {text:l}, 5 % 3 as {name:i}"))
        assert cursor.description[5].name == 'we"ird'
        assert cursor.fetchone() == (1, "it's", [1, 2], dt.date(2020, 1, 2), "it's", 2)
        assert cursor._query.query.startswith(b"select $1, $2, $3, $4, 'it''s', 5 % 3")
        cursor.execute(t("select {one}, {nothing}"), binary=True, prepare=True)
        assert cursor.fetchall() == [(1, None)]
        filters = [t("x > {one}"), t("x <> {other}", other=3)]
        where = t("{a:q} and {b:q}", a=filters[0], b=filters[1])
        query = t(
            "select x from generate_series(1, 4) x where {where:q} and x in ({one}, {four}, 2)", where=where, four=4
        )
        assert cursor.execute(query).fetchall() == [(2,), (4,)]
        # With nothing beside the statement, there can be several.
        cursor.execute(t("select {one:l}; select {text:l}"))
        assert cursor.fetchall() == [(1,)]
        assert cursor.nextset()
        assert cursor.fetchall() == [("it's",)]

    @pytest.mark.skipif(not HAS_TEMPLATES, reason="template strings came with Python 3.14")
    def test_joined(self, peer: Peer) -> None:
        filters = [
            template(source, peer.module) for source in ("x > {one}", "x < {four:t}::int") for NAMES["four"] in [4]
        ]
        joined = peer.submodule("sql").SQL(" and ").join(filters)
        query = template("select x from generate_series(1, 4) x where {joined:q}", peer.module, joined=joined)
        assert peer.connect().execute(query).fetchall() == [(2,), (3,)]

    def test_refused(self, own_peer: Peer) -> None:
        module = own_peer.module
        connection = own_peer.connect(autocommit=True)
        query = template("select {one}", module)
        for cursor in (connection.cursor(), module.ClientCursor(connection)):
            for params in ([], [1], {}, {"a": 1}):
                with pytest.raises(TypeError, match="doesn't support parameters"):
                    cursor.execute(query, params)
                with pytest.raises(TypeError, match="doesn't support parameters"):
                    cursor.executemany(query, [params])
            with pytest.raises(TypeError, match="doesn't support parameters"):
                list(cursor.stream(query, [1]))
            with pytest.raises(TypeError, match="doesn't support parameters"), cursor.copy(query, [1]):
                pass
            cursor.executemany(query, [])
            assert cursor.execute(query).fetchone() == (1,)
        for raw in (module.RawCursor(connection), module.RawServerCursor(connection, "x")):
            with raw, pytest.raises(module.NotSupportedError, match="doesn't support template strings"):
                raw.execute(query)
        with pytest.raises(module.ProgrammingError, match="format 'x' not supported in query"):
            connection.execute(template("select {one:x}", module))
        with pytest.raises(TypeError, match="conversions not supported"):
            connection.execute(template("select {one!r}", module))
        assert connection.execute(query).fetchone() == (1,)

    def test_as_a_value(self, own_peer: Peer) -> None:
        connection = own_peer.connect()
        with pytest.raises(own_peer.module.ProgrammingError, match="cannot adapt type 'Template'"):
            connection.execute("select %s", [template("x", own_peer.module)])

    def test_executemany_of_statements_alone(self, own_peer: Peer) -> None:
        connection = own_peer.connect()
        connection.execute("create temp table t (a int, b text)")
        for cursor in (connection.cursor(), own_peer.module.ClientCursor(connection)):
            cursor.executemany(template("insert into t values ({one}, {text})", own_peer.module), [None])
        assert connection.execute("select * from t").fetchall() == [(1, "it's")] * 2

    def test_client_cursor(self, own_peer: Peer) -> None:
        module = own_peer.module
        connection = own_peer.connect()
        cursor = module.ClientCursor(connection)
        query = template("select {one}, {name:i}, {day}, {text:l}, {one:b}", module)
        assert cursor.mogrify(query) == """select 1, "we""ird", '2020-01-02'::date, 'it''s', 1"""
        with pytest.raises(TypeError, match="doesn't support parameters"):
            cursor.mogrify(query, [])
        cursor.execute(template("create temp table {name:i} (a int default {one}); select {text}", module))
        assert cursor.nextset()
        assert cursor.fetchall() == [("it's",)]
        assert cursor._query.query == b"""create temp table "we""ird" (a int default 1); select 'it''s'"""

    def test_other_cursors(self, own_peer: Peer) -> None:
        module = own_peer.module
        connection = own_peer.connect()
        query = template("select x, {text}, {text:l} from generate_series({one}, 3) x", module)
        rows = [(1, "it's", "it's"), (2, "it's", "it's"), (3, "it's", "it's")]
        with connection.cursor("named", scrollable=True) as cursor:
            assert cursor.execute(query).fetchall() == rows
            cursor.scroll(-2)
            assert cursor.fetchone() == rows[2]
            with pytest.raises(TypeError, match="doesn't support parameters"):
                cursor.execute(query, [1])
        connection.rollback()
        with connection.pipeline():
            assert connection.execute(query).fetchall() == rows
        assert list(connection.cursor().stream(query)) == rows

    def test_copy(self, own_peer: Peer) -> None:
        module = own_peer.module
        connection = own_peer.connect()
        connection.execute("create temp table t (a int, b text)")
        table = module.sql.Identifier("t")
        for factory in (module.Cursor, module.ClientCursor):
            with factory(connection).copy(template("copy {table:i} from stdin", module, table=table)) as copy:
                copy.write_row((1, "a"))
            query = template("copy (select a, {text} from {table:i} where a = {one}) to stdout", module, table=table)
            with factory(connection).copy(query) as copy:
                assert b"".join(map(bytes, copy)) == b"1\tit's\n"
            connection.execute("truncate t")

    def test_async(self, own_peer: Peer) -> None:
        async def main() -> None:
            async with await own_peer.connect_async() as connection:
                cursor = await connection.execute(template("select {one}, {text:l}", own_peer.module))
                assert await cursor.fetchall() == [(1, "it's")]
                with pytest.raises(TypeError, match="doesn't support parameters"):
                    await cursor.execute(template("select {one}", own_peer.module), [1])
                rows = [row async for row in cursor.stream(template("select {one}", own_peer.module))]
                assert rows == [(1,)]

        asyncio.run(main())

    def test_quoting_by_the_session(self, own_peer: Peer) -> None:
        connection = own_peer.connect(autocommit=True)
        connection.execute("set client_encoding to latin1")
        connection.execute("set standard_conforming_strings to off")
        query = template("select {path}, {path:l}, 'é' as {column:i}", own_peer.module, path="\\'é", column="é")
        assert connection.execute(query).fetchone() == ("\\'é", "\\'é", "é")
        with pytest.raises(UnicodeEncodeError):
            connection.execute(template("select {text:l}", own_peer.module, text="日"))


def test_every_transport(conn: Connection) -> None:
    query = template(
        "select {one}, {text}, {numbers}, {day}, {inner:q}, 7 % {four}", inner=template("{text:l}"), four=4
    )
    assert conn.execute(query).fetchone() == (1, "it's", [1, 2], dt.date(2020, 1, 2), "it's", 3)
    results = conn.batch([query, ("select %s", [2]), template("select {text}")])
    conn.rollback()
    assert len(results) == 3
    with pytest.raises(TypeError, match="doesn't support parameters"):
        conn.execute(query, [1])
    with pytest.raises(TypeError, match="doesn't support parameters"):
        conn.batch([(query, [1])])
