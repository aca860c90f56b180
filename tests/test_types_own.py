"""Types that a database defines, and those without a type: registered or not they are as with psycopg in every way."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from compared import SESSIONS, TRANSPORTS, Driver, Drivers
from type_values import arrays

SETUP = """
    create type own_color as enum ('red', 'dark blue', 'grün', 'it''s', '"', '\\', 'NULL', '');
    create type own_item as (name text, size int4);
    create type own_pair as (item own_item, tags text[], color own_color);
    create type own_single as (value text);
    create domain own_domain as int4 check (value <> 0);
    create domain own_text as text;
    create domain own_item_domain as own_item;
    create type own_range as range (subtype = text, collation = "C");
    create type own_vector as (x float8, at timestamptz, n numeric, b bytea);
    create schema "Own s";
    create type "Own s"."it""em %s" as ("first name" text, "1" int4);
"""
TEARDOWN = """
    set client_min_messages to error;
    drop schema "Own s" cascade;
    drop type own_color, own_item, own_pair, own_single, own_domain, own_text, own_item_domain, own_range, own_vector
    cascade;
"""


class Color(enum.Enum):
    red = 1
    dark_blue = 2
    green = 3
    quoted = 4


MAPPING = {Color.dark_blue: "dark blue", Color.green: "grün", Color.quoted: "it's"}


def registered(driver: Driver) -> Driver:
    """The same driver, in whose session the types are known."""
    connection = driver.connection
    composite, enums = driver.submodule("types.composite"), driver.submodule("types.enum")
    ranges, multiranges = driver.submodule("types.range"), driver.submodule("types.multirange")
    TypeInfo = driver.submodule("types").TypeInfo
    enums.register_enum(enums.EnumInfo.fetch(connection, "own_color"), connection, Color, mapping=MAPPING)
    for name in ("own_item", "own_pair", "own_single", "own_vector", '"Own s"."it""em %s"'):
        composite.register_composite(composite.CompositeInfo.fetch(connection, name), connection)
    for name in ("own_domain", "own_text", "own_item_domain"):
        TypeInfo.fetch(connection, name).register(connection)
    ranges.register_range(ranges.RangeInfo.fetch(connection, "own_range"), connection)
    multiranges.register_multirange(multiranges.MultirangeInfo.fetch(connection, "own_multirange"), connection)
    return driver


@pytest.fixture(scope="module", params=["unknown", "registered"])
def drivers(request: pytest.FixtureRequest, dsn: str, url: str) -> Iterator[Drivers]:
    with psycopg.connect(dsn, autocommit=True) as admin:
        admin.execute(SETUP)
        drivers = Drivers(dsn, url)
        if request.param == "registered":
            for driver in drivers.all:
                registered(driver)
        yield drivers
        drivers.close()
        admin.execute(TEARDOWN)


TEXTS = {
    "own_color": ["red", "dark blue", "grün", "it's", '"', "\\", "NULL", ""],
    "own_item": ["(a,1)", "(,)", '("",-5)', '("a ""b\\\\,c)(",2147483647)', "(é,)", "(NULL,)"],
    "own_pair": ['("(a,1)","{x,NULL,""y z""}",red)', "(,,)", '("(,)",{},"dark blue")'],
    "own_single": ["(a)", '("")'],
    "own_domain": ["5", "-2147483648"],
    "own_text": ["", "é", '"'],
    "own_item_domain": ["(a,1)", "(,)"],
    "own_range": ["empty", "[a,b]", '["a,","b"")"]', "(,)", '["",b)'],
    "own_multirange": ["{}", "{[a,b],[c,)}"],
    "own_vector": ['(1.5,"2020-01-02 03:04:05+00",1.10,"\\\\x00ff")', "(NaN,,Infinity,)"],
    '"Own s"."it""em %s"': ["(a,1)"],
}

BINARY = pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
TYPES = pytest.mark.parametrize("type", TEXTS)


def fetched(driver: Driver, columns: list[tuple[str, str]], binary: bool) -> Any:
    query = "select " + ", ".join([expression for expression, _ in columns])
    return driver.connection.execute(query, [text for _, text in columns], binary=binary).fetchall()


@BINARY
@TYPES
def test_result(drivers: Drivers, type: str, binary: bool) -> None:
    name = type.replace("%", "%%")
    transports = SESSIONS if binary else TRANSPORTS
    for value in TEXTS[type]:
        columns = [(f"%s::text::{name}", value), (f"row(%s::text::{name}, null)", value)]
        columns += [(f"%s::text::{name}[]", array) for array in arrays(type, value)]
        drivers.compare_parts(fetched, columns, binary, transports=transports)


@BINARY
@pytest.mark.parametrize(
    "query",
    [
        "select 'x', null, ''",
        "select pg_sleep(0)",
        "select row()",
        "select row(1)",
        "select row(null), row(null, null)",
        "select row(1, 'a', null, row(2, row('b c', 1.5)), array[1, null])",
        "select array[row(1, 'a'), row(null, null), null]",
        "select array[row(1), row(array['x'])]",
        "select x from (values (1, 'a'), (2, null)) as x",
        "select x from pg_namespace as x where nspname = 'pg_catalog' and false",
        "select (x).n from (select row(1, 2) as x) y, lateral (select 5 as n) z(n)",
        "select null::record, null::record[]",
        "select",
        "select 1::regclass::text where false",
        "select array_agg(null::void)",
        "select '{}'::int[], '{}'::text[], array[]::record[]",
    ],
)
def test_what_has_no_type_of_its_own(drivers: Drivers, query: str, binary: bool) -> None:
    drivers.compare(queried, query, binary, transports=SESSIONS if binary else TRANSPORTS)


def queried(driver: Driver, query: str, binary: bool) -> Any:
    return driver.connection.execute(query, binary=binary).fetchall()


def objects(type: str) -> Callable[[Driver], list[Any]]:
    """A function that makes objects for a type with the classes of a driver."""

    def made(driver: Driver) -> list[Any]:
        ranges, multiranges = driver.submodule("types.range"), driver.submodule("types.multirange")
        R, M = ranges.Range, multiranges.Multirange
        if type == "own_color":
            return list(Color)
        if type == "own_range":
            return [R("a", "b", "[]"), R("a,", 'b"'), R(empty=True), R(None, "é"), R("", None)]
        if type == "own_multirange":
            return [M([R("a", "b"), R("c", None)]), M()]
        if type in ("own_domain", "own_text"):
            return [5, "x"]
        # What was registered is loaded as an object; otherwise tuples are what there is.
        query = f"select %s::text::{type.replace('%', '%%')}"
        loaded = [driver.connection.execute(query, [text]).fetchone()[0] for text in TEXTS[type]]
        return [value for value in loaded if isinstance(value, tuple)] or [("a", 1), ('"', None)]

    return made


def each(drivers: Drivers, type: str) -> list[dict[str, Any]]:
    made = {driver.name: objects(type)(driver) for driver in drivers.all}
    return [dict(zip(made, same, strict=True)) for same in zip(*made.values(), strict=True)]


Wrap = Callable[[Any], Any]


def sent(driver: Driver, expressions: list[tuple[str, Wrap]], format: str, values: dict[str, Any], binary: bool) -> Any:
    query = "select " + ", ".join([expression.format(f"%{format}") for expression, _ in expressions])
    params = [wrap(values[driver.name]) for _, wrap in expressions]
    return driver.connection.execute(query, params, binary=binary).fetchone()


WRAPS: list[Wrap] = [
    lambda value: value,
    lambda value: [value],
    lambda value: [[value, None], [None, value]],
    lambda value: (value, None),
]


@TYPES
def test_parameter(drivers: Drivers, type: str) -> None:
    name = type.replace("%", "%%")
    expressions = [(expression, wrap) for wrap in WRAPS for expression in ("pg_typeof({})::text", "({})::text", "{}")]
    casts = [(f"({{}})::{name}", WRAPS[0]), (f"({{}})::{name}::text", WRAPS[0]), (f"({{}})::{name}[]", WRAPS[1])]
    for values in each(drivers, type):
        for format, transports in (("t", TRANSPORTS), ("s", SESSIONS), ("b", SESSIONS)):
            drivers.compare_parts(sent, expressions, format, values, False, transports=transports)
            drivers.compare_parts(sent, casts, format, values, False, transports=transports)
            drivers.compare_parts(sent, casts, format, values, True, transports=SESSIONS)
        for wrap in WRAPS:
            drivers.compare(literal, values, wrap, transports=SESSIONS)


def literal(driver: Driver, values: dict[str, Any], wrap: Callable[[Any], Any]) -> Any:
    return driver.submodule("sql").Literal(wrap(values[driver.name])).as_string(driver.connection)


@pytest.mark.parametrize("typed", [False, True])
@pytest.mark.parametrize("format", ["text", "binary"])
@TYPES
def test_copy_out(drivers: Drivers, type: str, format: str, typed: bool) -> None:
    for value in TEXTS[type]:
        for column in (type, f"{type}[]"):
            text = value if column == type else arrays(type, value)[2]
            drivers.compare(copied_out, column, text, format, typed, transports=SESSIONS)


def copied_out(driver: Driver, column: str, text: str, format: str, typed: bool) -> Any:
    oid = type_oid(driver, column)
    query = f"copy (select %s::text::{column.replace('%', '%%')}, null) to stdout (format {format})"
    with driver.connection.cursor().copy(query, [text]) as copy:
        if typed:
            copy.set_types([oid, "text"])
        return list(copy.rows())


def type_oid(driver: Driver, column: str) -> int:
    info = driver.submodule("types").TypeInfo.fetch(driver.connection, column)
    oid: int = info.oid
    return oid


@pytest.mark.parametrize("typed", [False, True])
@pytest.mark.parametrize("format", ["text", "binary"])
@TYPES
def test_copy_in(drivers: Drivers, type: str, format: str, typed: bool) -> None:
    for values in each(drivers, type):
        for column in (type, f"{type}[]"):
            drivers.compare(copied_in, column, values, format, typed, transports=SESSIONS)


def copied_in(driver: Driver, column: str, values: dict[str, Any], format: str, typed: bool) -> Any:
    cursor = driver.connection.cursor()
    cursor.execute("drop table if exists own_copied")
    cursor.execute(f"create temp table own_copied (x {column})".encode())
    value = values[driver.name]
    oid = type_oid(driver, column)
    with cursor.copy(f"copy own_copied from stdin (format {format})") as copy:
        if typed:
            copy.set_types([oid])
        copy.write_row([[value, None] if column.endswith("[]") else value])
        copy.write_row([None])
    return cursor.execute("select x::text from own_copied", prepare=False).fetchall()
