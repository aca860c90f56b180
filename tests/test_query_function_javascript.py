"""`neonps.neon()` beside `neon()` of the official JavaScript driver: the same calls bring the same."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from ipaddress import IPv4Address
from typing import Any
from uuid import UUID

import psycopg
import pytest
from node_packages import node_command, node_packages

import neonps
from neonps import FullResults, IsolationLevel
from neonps.embedded import EmbeddedPostgres
from neonps.gateway import Gateway
from neonps.rows import tuple_row
from neonps.types.range import Range

#: What the driver calls its options.
OPTIONS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "row_factory": lambda value: {"arrayMode": value is tuple_row},
    "full_results": lambda value: {"fullResults": value},
    "isolation_level": lambda value: {"isolationLevel": value.camel_case},
    "read_only": lambda value: {"readOnly": value},
    "deferrable": lambda value: {"deferrable": value},
}

#: What the driver calls the fields of an error.
FIELDS = {
    "message": "message_primary",
    "code": "sqlstate",
    "severity": "severity",
    "detail": "message_detail",
    "hint": "message_hint",
    "position": "statement_position",
    "internalPosition": "internal_position",
    "internalQuery": "internal_query",
    "where": "context",
    "schema": "schema_name",
    "table": "table_name",
    "column": "column_name",
    "dataType": "datatype_name",
    "constraint": "constraint_name",
    "file": "source_file",
    "line": "source_line",
    "routine": "source_function",
}


def options(kwargs: dict[str, Any]) -> dict[str, Any]:
    """Keyword arguments as options of the driver."""
    found: dict[str, Any] = {}
    for name, value in kwargs.items():
        found.update(OPTIONS[name](value))
    return found


def timestamp(value: datetime) -> str:
    """A time as `Date.toISOString()` gives it."""
    utc = value.replace(tzinfo=timezone.utc) if value.tzinfo is None else value.astimezone(timezone.utc)
    return f"{utc:%Y-%m-%dT%H:%M:%S}.{utc.microsecond // 1000:03}Z"


#: How `JSON.stringify()` shows what the driver makes of such a value, by its class in Python.
SHOWN: dict[type, Callable[[Any], Any]] = {
    bytes: lambda value: {"type": "Buffer", "data": list(value)},
    date: lambda value: timestamp(datetime(value.year, value.month, value.day)),
    datetime: timestamp,
    Decimal: str,
    UUID: str,
    list: lambda value: [shown(item) for item in value],
    tuple: lambda value: [shown(item) for item in value],
    dict: lambda value: {key: shown(item) for key, item in value.items()},
    float: lambda value: (
        value if value - value == 0 else {"nan": "NaN", "inf": "Infinity"}.get(str(value), "-Infinity")
    ),
}


def shown(value: Any) -> Any:
    """A value as `JSON.stringify()` shows what the driver has in its place."""
    show = SHOWN.get(type(value))
    return value if show is None else show(value)


def outcome(call: Callable[[], Any]) -> dict[str, Any]:
    """What a call brings, as calls.js shows it."""
    try:
        value = call()
    except neonps.Error as error:
        return {"error": {name: getattr(error.diag, attribute) for name, attribute in FIELDS.items()}}
    return {"value": [result(item) for item in value] if isinstance(value, list) else result(value)}


def result(value: Any) -> Any:
    """A row, or the result of a statement, as calls.js shows it."""
    if not isinstance(value, FullResults):
        return shown(value)
    return {
        "fields": [(field.name, field.type_code, field.internal_size or -1) for field in value.fields],
        "rows": shown(value.rows),
        "rowCount": value.row_count,
        "command": value.command,
    }


def comparable(found: Any) -> Any:
    """What calls.js shows, without what Python has no name for."""
    if isinstance(found, list):
        return [comparable(item) for item in found]
    if not isinstance(found, dict) or "fields" not in found:
        return found
    fields = [(field["name"], field["dataTypeID"], field["dataTypeSize"]) for field in found["fields"]]
    return {"fields": fields, **{name: found[name] for name in ("rows", "rowCount", "command")}}


class Both:
    """Makes calls by both drivers, and compares what they bring."""

    def __init__(self, url: str, node: subprocess.Popen[str]) -> None:
        self._url = url
        self._node = node

    def ours(self, query: str, params: Any = ()) -> Any:
        """What `neonps` gives for a statement."""
        return neonps.neon(self._url)(query, params)

    def theirs(self, query: str, params: Any = ()) -> Any:
        """What the official driver gives, as calls.js shows it."""
        return self._call_theirs({"method": "template", "query": query, "params": params})["value"]

    def _call_theirs(self, call: dict[str, Any]) -> Any:
        assert self._node.stdin is not None
        assert self._node.stdout is not None
        self._node.stdin.write(json.dumps(call) + "\n")
        self._node.stdin.flush()
        return json.loads(self._node.stdout.readline())

    def __call__(self, method: str, arguments: Any, params: Any = (), defaults: Any = None, **kwargs: Any) -> Any:
        """Make a call by both.

        Args:
            method: "template", "query", "transaction" or "function", as calls.js knows them.
            arguments: the statement, or a list of statements, each with its parameters.
            params: the parameters of the only statement.
            defaults: what to make the query function with.
            kwargs: what to call it with.

        Returns:
            what both have brought, as calls.js shows it.
        """
        sql = neonps.neon(self._url, **(defaults or {}))
        calls = {
            "template": lambda: sql(arguments, params, **kwargs),
            "query": lambda: sql.query(arguments, params, **kwargs),
            "transaction": lambda: sql.transaction(arguments, **kwargs),
            "function": lambda: sql.transaction(lambda txn: [txn.query(*item) for item in arguments], **kwargs),
        }
        several = method in ("transaction", "function")
        call = {
            "method": method,
            "query": arguments,
            "params": params,
            "queries": [{"query": query, "params": list(given)} for query, given in arguments] if several else [],
            "options": options(kwargs),
            "defaults": options(defaults or {}),
        }
        theirs = self._call_theirs(call)
        if "value" in theirs:
            theirs["value"] = comparable(theirs["value"])
        ours = outcome(calls[method])
        assert json.dumps(ours, sort_keys=True) == json.dumps(theirs, sort_keys=True)
        return theirs


@pytest.fixture(scope="module")
def node(gateway: Gateway, postgres: EmbeddedPostgres) -> Iterator[subprocess.Popen[str]]:
    """calls.js, which waits for calls."""
    command = node_command(node_packages(), "calls.js", DATABASE_URL=postgres.url, GATEWAY=gateway.url)
    with subprocess.Popen(**command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield process


@pytest.fixture
def both(url: str, node: subprocess.Popen[str]) -> Both:
    """Makes calls by both drivers."""
    return Both(url, node)


VALUES = """
    select true as bool, 1::int2 as int2, -2::int4 as int4, 0.1::float4 as float4, 1e300::float8 as float8,
    'NaN'::float8 as nan, '-Infinity'::float8 as infinity, 1.10::numeric as numeric, 'ä"\\'''::text as text,
    E'a\\nb'::varchar(5) as varchar, 'c'::char(3) as bpchar, 'n'::name as name, '\\x00ff'::bytea as bytea,
    '2024-02-29'::date as date, '2024-02-29 12:34:56.789'::timestamp as timestamp,
    '2024-02-29 12:34:56.789+02'::timestamptz as timestamptz, 'f47ac10b-58cc-4372-a567-0e02b2c3d479'::uuid as uuid,
    '{"a": [1, null, "x"]}'::json as json, '{"b": 1.50}'::jsonb as jsonb, null as null,
    array[1, null, 3] as ints, '{1.5,2.5}'::float8[] as floats, array['a"b', null, 'NULL', '', 'c,d'] as texts,
    array[[true, false], [null, true]] as bools, array['{"x": 1}'::jsonb] as jsonbs, point(1, 2)::text as point
"""


@pytest.mark.parametrize("defaults", [{}, {"row_factory": tuple_row}, {"full_results": True}])
def test_values(both: Both, defaults: dict[str, Any]) -> None:
    assert both("query", VALUES, defaults=defaults)["value"]
    assert both("transaction", [(VALUES, [])], defaults=defaults)["value"]


@pytest.mark.parametrize(
    ("query", "params"),
    [
        ("select %s::int as n, %s::text as t", [7, "ä\"\\'\n"]),
        ("select %s::bool as b, %s::text as n", [True, None]),
        ("select %s::int[] as n, %s::text[] as t", [[1, None, 3], ['a"b', "c\\d", None, "", "NULL", "{}"]]),
        ("select %s::int[][] as n", [[[1, 2], [3, 4]]]),
        ("select %s::float8 as n", [1.5e-7]),
        ("select g from generate_series(1, 5) g where g > %s and g <> %s", [2, 4]),
    ],
)
def test_parameters(both: Both, query: str, params: list[Any]) -> None:
    assert both("template", query, params)["value"]
    numbered = query
    for number in range(len(params)):
        numbered = numbered.replace("%s", f"${number + 1}", 1)
    assert both("query", numbered, params)["value"]
    assert both("transaction", [(query, params), (query, params)])["value"]
    assert both("function", [(numbered, params)])["value"]


@pytest.mark.parametrize("kwargs", [{}, {"row_factory": tuple_row}, {"full_results": True}])
@pytest.mark.parametrize(
    "query",
    [
        "select g, g * 2 as g, 'x' || g as t from generate_series(1, 3) g",
        "select 1 as n where false",
        "create temp table calls (id int)",
        "insert into numbers values (1), (2)",
        "insert into numbers values (1), (2) returning *",
        "update numbers set b = 1",
        "delete from numbers where a = 7",
        "do $$begin end$$",
    ],
)
def test_results(both: Both, numbers: Callable[[], list[int]], query: str, kwargs: dict[str, Any]) -> None:
    statements: list[Any] = [
        (query, []),
        ("delete from numbers", []),
    ]  # so that each of the drivers finds the table empty
    both("function", statements, **kwargs)
    both("transaction", statements, defaults=kwargs)
    assert numbers() == []


SETTINGS = """
    select current_setting('transaction_isolation') as level, current_setting('transaction_read_only') as read_only,
    current_setting('transaction_deferrable') as deferrable
"""


@pytest.mark.parametrize("level", [None, *IsolationLevel])
@pytest.mark.parametrize("read_only", [None, False, True])
def test_characteristics(both: Both, level: IsolationLevel | None, read_only: bool | None) -> None:
    given: dict[str, Any] = {"isolation_level": level, "read_only": read_only, "deferrable": read_only}
    given = {name: value for name, value in given.items() if value is not None}
    [[row]] = both("transaction", [(SETTINGS, [])], **given)["value"]
    assert both("transaction", [(SETTINGS, [])], defaults=given)["value"] == [[row]]
    assert row["read_only"] == ("on" if read_only else "off")


def test_no_statements(both: Both) -> None:
    assert both("transaction", []) == {"value": []}


ERRORS = [
    ("select 1/0", []),
    ("selec 1", []),
    ("select * from no_such_table", []),
    ("select 'ü', no_such_column", []),
    ("insert into calls_errors values (%s)", [1]),
    ("insert into calls_errors values (%s)", [None]),
    ("insert into calls_errors values (%s)", [-1]),
    ("select %s::int", ["x"]),
    ("do $$ begin execute 'select 1 +'; end $$", []),
    ("do $$ begin raise exception 'no' using detail = 'd', hint = 'h', errcode = 'ZZ123'; end $$", []),
    ("select 1; select 2", []),
    ("select $1::int", []),
]


@pytest.fixture
def table_for_errors(admin: psycopg.Connection[Any]) -> Iterator[None]:
    """A table that refuses -1, 1 and NULL."""
    admin.execute("create table calls_errors (id int primary key check (id > 0))")
    admin.execute("insert into calls_errors values (1)")
    yield
    admin.execute("drop table calls_errors")


@pytest.mark.parametrize(("query", "params"), ERRORS)
def test_errors(both: Both, table_for_errors: None, query: str, params: list[Any]) -> None:
    assert both("template", query, params)["error"]["code"]
    assert both("query", query.replace("%s", "$1"), params)["error"]["code"]
    assert both("transaction", [("select 1", []), (query, params)])["error"]["code"]


@pytest.mark.parametrize(
    ("expression", "ours", "theirs"),
    [
        ("9007199254740993::int8", 9007199254740993, "9007199254740993"),
        ("array[1::int8]", [1], ["1"]),
        ("1.10::numeric", Decimal("1.10"), "1.10"),
        ("'1 day'::interval", timedelta(days=1), {"days": 1}),
        ("'12:34:56'::time", time(12, 34, 56), "12:34:56"),
        ("int4range(1, 5)", Range(1, 5), "[1,5)"),
        ("'10.0.0.1'::inet", IPv4Address("10.0.0.1"), "10.0.0.1"),
        ("row(1, 'x')", ("1", "x"), "(1,x)"),
        ("'2024-02-29'::date", date(2024, 2, 29), "2024-02-29T00:00:00.000Z"),
    ],
)
def test_values_that_differ(both: Both, expression: str, ours: Any, theirs: Any) -> None:
    """As the documentation says."""
    assert both.ours(f"select {expression} as x") == [{"x": ours}]
    assert both.theirs(f"select {expression} as x") == [{"x": theirs}]


def test_parameters_that_differ(both: Both) -> None:
    """Python knows integers, and says so; JavaScript sends text."""
    assert both.ours("select %s as x", [4]) == [{"x": 4}]
    assert both.theirs("select %s as x", [4]) == [{"x": "4"}]
