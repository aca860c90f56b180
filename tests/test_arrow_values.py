"""Values of every type come as Arrow's, the same ones as `fetchall()` has, from text and from binary."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from struct import pack, unpack
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from transports import Connection
from type_values import TEXTS, WITHOUT_VALUES, arrays

import neonps

pa = pytest.importorskip("pyarrow")

WAYS = [("tcp", False), ("tcp", True), ("websocket", False), ("websocket", True), ("http", False)]

#: The types that have one of Arrow's; all others become strings.
ARROW = {
    "bool": pa.bool_(),
    "int2": pa.int16(),
    "int4": pa.int32(),
    "int8": pa.int64(),
    "oid": pa.uint32(),
    "float4": pa.float32(),
    "float8": pa.float64(),
    "bytea": pa.binary(),
    "uuid": pa.uuid(),
    "date": pa.date32(),
    "time": pa.time64("us"),
    "timestamp": pa.timestamp("us"),
    "timestamptz": pa.timestamp("us", "UTC"),
    "interval": pa.month_day_nano_interval(),
}

#: Types of which, in binary, nobody but Postgres knows how they are written: they come as bytes.
BYTES_IN_BINARY = {
    *["money", "jsonpath", "macaddr", "macaddr8", "bit", "varbit", "point", "lseg", "path", "box", "polygon", "line"],
    *["circle", "tsvector", "tsquery", "int2vector", "oidvector", "regproc", "regprocedure", "regoper", "regoperator"],
    *["regclass", "regtype", "regconfig", "regdictionary", "regnamespace", "regrole", "regcollation", "tid", "xid"],
    *["cid", "xid8", "pg_lsn", "txid_snapshot"],
}

#: Types that are loaded from binary and then written by neonps, whose spelling can be another one.
WRITTEN_IN_BINARY = {name for name in TEXTS if "range" in name} | {"inet", "cidr"}

#: What Arrow cannot hold, and what is said of it.
REFUSED = {
    ("date", "infinity"): "infinity",
    ("date", "-infinity"): "infinity",
    ("timestamp", "infinity"): "infinity",
    ("timestamp", "-infinity"): "infinity",
    ("timestamp", "294276-12-31"): "too far away",
    ("timestamptz", "infinity"): "infinity",
    ("timestamptz", "-infinity"): "infinity",
    ("time", "24:00"): "24:00",
    ("numeric", "NaN"): "NaN and infinity",
    ("numeric", "Infinity"): "NaN and infinity",
    ("numeric", "-Infinity"): "NaN and infinity",
    ("numeric", "1e1000"): "more than 76 digits",
    ("numeric", "1e-1000"): "more than 76 digits",
    ("numeric", TEXTS["numeric"][-1]): "more than 76 digits",
}


@pytest.fixture(scope="module", params=WAYS, ids=lambda way: f"{way[0]}-{'binary' if way[1] else 'text'}")
def way(request: pytest.FixtureRequest, url: str) -> Iterator[tuple[Connection, bool]]:
    """A connection over each transport, and whether to ask for binary."""
    transport, binary = request.param
    with closing(neonps.connect(url, transport=transport, autocommit=True)) as connection:
        yield connection, binary


def comparable(value: Any, type: str = "") -> Any:
    """A value whose like are equal: NaN too, -0.0 differs from 0.0, and a float4 is what four bytes hold of it."""
    if isinstance(value, float):
        return repr(unpack("f", pack("f", value)) if type == "float4" else value)
    if isinstance(value, list):
        return [comparable(item, type) for item in value]
    return value


def since_1970(array: Any) -> int:
    """The number that stands for a date or a timestamp, which Python may not have."""
    number = array.cast(pa.int32() if array.type == pa.date32() else pa.int64())[0].as_py()
    return int(number)


def is_odd(type: str, value: str) -> bool:
    """Whether Python has no such date."""
    return type.startswith(("date", "timestamp")) and "range" not in type and ("BC" in value or value[4] != "-")


# The embedded Postgres has no xml.
@pytest.mark.parametrize("type", sorted(TEXTS.keys() - {"xml"}))
def test_value(way: tuple[Connection, bool], type: str) -> None:
    conn, binary = way
    if binary and type == "aclitem":  # Postgres has no binary form of it
        with pytest.raises(neonps.errors.UndefinedFunction, match="no binary output function"):
            conn.execute("select %s::text::aclitem", [TEXTS[type][0]], binary=True)
        return
    for value in TEXTS[type]:
        query = f"select %s::text::{type} as v, null::{type} as n"
        parameters = [value]
        reason = REFUSED.get((type, value))
        if binary and "infinity" in value and "range" in type:
            reason = "too (small|large)"  # it goes through Python's dates
        if reason is not None:
            with pytest.raises(neonps.DataError, match=rf'^column "v": .*{reason}'):
                conn.execute(query, parameters, binary=binary).fetch_arrow_table()
            continue
        table = conn.execute(query, parameters, binary=binary).fetch_arrow_table()
        cursor = conn.execute(query, parameters, binary=binary)
        array = table.column("v").chunk(0)
        array.validate(full=True)
        assert table.column("n").to_pylist() == [None]
        if is_odd(type, value):
            assert array.type == ARROW[type]
            ago = f"%s::{type} - '1970-01-01'" if type == "date" else f"extract(epoch from %s::{type}) * 1000000"
            row = conn.execute(f"select ({ago})::int8", [value]).fetchone()
            assert since_1970(array) == row[0]  # type: ignore[index]
        elif type == "interval":
            assert array.type == ARROW[type]
            months, days, nanoseconds = array[0].as_py()
            assert nanoseconds % 1000 == 0
            row = conn.execute(
                f"select make_interval(months => {months}, days => {days}) + interval '{nanoseconds // 1000} us'"
                " is not distinct from %s::interval",
                [value],
            ).fetchone()
            assert row == (True,), value
        elif type in ARROW or type == "numeric":
            assert comparable(array.to_pylist(), type) == comparable([cursor.fetchone()[0]], type)  # type: ignore[index]
            assert type == "numeric" or array.type == ARROW[type]
        elif binary and conn.info.transport != "http" and type in BYTES_IN_BINARY:
            assert array.type == pa.binary()
            assert array.to_pylist() == [cursor.fetchone()[0]]  # type: ignore[index]
        else:
            assert array.type == pa.string()
            if binary and type in WRITTEN_IN_BINARY:
                assert conn.execute(f"select %s::{type} = %s::{type}", [array[0].as_py(), value]).fetchone() == (True,)
            elif binary and type == '"char"':
                assert array.to_pylist() == [cursor.fetchone()[0]]  # type: ignore[index]
            else:
                sent = conn.execute(query, parameters, binary=False).pgresult
                assert sent is not None
                assert array[0].as_py().encode() == sent.get_value(0, 0)


def test_there_are_values_of_every_type() -> None:
    assert not WITHOUT_VALUES & ARROW.keys()
    assert ARROW.keys() <= TEXTS.keys()


@pytest.mark.parametrize("type", [*ARROW, "numeric", "text", "json"])
def test_array(way: tuple[Connection, bool], type: str) -> None:
    conn, binary = way
    for value in TEXTS[type][:3]:
        if (type, value) in REFUSED:
            continue
        for array in arrays(type, value):
            query = f"select %s::text::{type}[] as v, null::{type}[] as n"
            table = conn.execute(query, [array], binary=binary).fetch_arrow_table()
            table.validate(full=True)
            expected = conn.execute(query, [array], binary=binary).fetchone()
            found = table.column("v").to_pylist()[0]
            assert table.column("n").to_pylist() == [None]
            assert pa.types.is_list(table.schema.field("v").type)
            if type == "interval":
                found = each(found, lambda i: timedelta(days=i.months // 12 * 365 + i.months % 12 * 30 + i.days))
                expected = (each(expected[0], lambda t: timedelta(days=t.days)),)  # type: ignore[index]
            if type == "json":
                found = each(found, json.loads)
            assert comparable(found, type) == comparable(expected[0], type)  # type: ignore[index]


def each(value: Any, function: Any) -> Any:
    """Nested lists with a function applied to what is in them."""
    if isinstance(value, list):
        return [each(item, function) for item in value]
    return None if value is None else function(value)


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
WHEN = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30))

#: For each column, its type, what may be in it, and how that is written where it is no parameter itself.
COLUMNS: dict[str, st.SearchStrategy[Any]] = {
    "int2": st.integers(-(2**15), 2**15 - 1),
    "int4": st.integers(-(2**31), 2**31 - 1),
    "int8": st.integers(-(2**63), 2**63 - 1),
    "float8": st.floats(),
    "float4": st.floats(width=32),
    "bool": st.booleans(),
    "text": TEXT | st.just("DDDDDDDD"),
    "bytea": st.binary(max_size=20) | st.just(b"D\0\0\0\x12\0\x02" * 3),
    "uuid": st.uuids(),
    "numeric(20, 6)": st.decimals(-(10**13), 10**13, allow_nan=False, places=6),
    "numeric(38, 9)": st.decimals(-(10**28), 10**28, allow_nan=False, places=9),
    "numeric(50, 2)": st.decimals(-(10**47), 10**47, allow_nan=False, places=2),
    "numeric": st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20, places=7)
    | st.integers(-(10**30), 10**30).map(Decimal),
    "date": st.dates(),
    "timestamp": WHEN,
    "timestamptz": WHEN.map(lambda when: when.replace(tzinfo=timezone.utc)),
    "time": st.times(),
    "int4[]": st.lists(st.none() | st.integers(-(2**31), 2**31 - 1), max_size=4),
    "text[]": st.lists(st.none() | TEXT | st.sampled_from(["NULL", "{", "a,b", "=", '"', "\\"]), max_size=4),
    "float8[]": st.lists(st.floats(), max_size=4),
}


@st.composite
def columns(draw: st.DrawFn) -> tuple[list[str], list[list[Any]]]:
    """The types of some columns, and rows for them."""
    types = draw(st.lists(st.sampled_from(sorted(COLUMNS)), min_size=1, max_size=4))
    rows = draw(st.lists(st.tuples(*[st.none() | COLUMNS[type] for type in types]).map(list), max_size=6))
    return types, rows


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(columns())
@example((["int4", "bytea"], [[0x44000000, b"D\0\0\0\x19\0\x02D\0\0\0\x19\0\x02"]] * 3))
def test_any_columns(way: tuple[Connection, bool], drawn: tuple[list[str], list[list[Any]]]) -> None:
    conn, binary = way
    types, rows = drawn
    names = [f"c{number % 3}" for number in range(len(types))]  # some are called the same
    casts = ", ".join(f"%s::{type}" for type in types)
    selects = [f"select {casts}, {number}::int8 as n" for number in range(len(rows))]
    none = "select " + ", ".join(f"null::{type}" for type in types) + ", 0::int8 as n where false"
    aliases = ", ".join(f"x{number}" for number in range(len(types) + 1))
    query = (
        "select "
        + ", ".join(f'x{number} as "{name}"' for number, name in enumerate([*names, "n"]))
        + f" from ({' union all '.join([none, *selects])}) as _({aliases}) order by x{len(types)}"
    )
    parameters = [value for row in rows for value in row]
    table = conn.execute(query, parameters, binary=binary).fetch_arrow_table()
    table.validate(full=True)
    expected = conn.execute(query, parameters, binary=binary).fetchall()
    assert table.column_names == [*names, "n"]
    assert table.num_rows == len(rows)
    for number, (type, column) in enumerate(zip([*types, "int8"], table.columns, strict=True)):
        there = [row[number] for row in expected]
        assert comparable(column.to_pylist(), type) == comparable(there, type), type
        if "(" not in type and type in ARROW:
            assert column.type == ARROW[type]
    if conn.info.transport != "http":  # where each column comes in the format that is best for it
        with conn.transaction(), conn.cursor("arrow") as cursor:
            chosen = cursor.execute(query, parameters).fetch_arrow_table()
        chosen.validate(full=True)
        for type, column, other in zip([*types, "int8"], table.columns, chosen.columns, strict=True):
            assert comparable(other.to_pylist(), type) == comparable(column.to_pylist(), type), type
            assert other.type == column.type


@pytest.mark.parametrize(
    ("type", "kind"),
    [
        ("numeric(12, 2)", pa.decimal128(12, 2)),
        ("numeric(5, -2)", pa.decimal128(7, 0)),
        ("numeric(2, 5)", pa.decimal128(5, 5)),
        ("numeric(38, 10)", pa.decimal128(38, 10)),
        ("numeric(39, 10)", pa.decimal256(39, 10)),
        ("numeric(76, 76)", pa.decimal256(76, 76)),
        ("numeric", pa.decimal128(38, 0)),
        ("numeric(1000, 2)", pa.decimal128(38, 0)),
        ("numeric(12, 2)[]", pa.list_(pa.decimal128(12, 2))),
        ("varchar(3)", pa.string()),
        ("int4[]", pa.list_(pa.int32())),
        *ARROW.items(),
    ],
)
def test_types_of_columns_without_values(way: tuple[Connection, bool], type: str, kind: Any) -> None:
    conn, binary = way
    for query in (f"select null::{type} as v where false", f"select null::{type} as v"):
        table = conn.execute(query, binary=binary).fetch_arrow_table()
        assert table.schema == pa.schema([("v", kind)])


def test_decimals_fit_all_values(way: tuple[Connection, bool]) -> None:
    conn, binary = way
    query = "select n::numeric / 10 ^ (n / 100)::int as v from generate_series(0, 999) as n"
    table = conn.execute(query, binary=binary).fetch_arrow_table()
    assert table.column("v").to_pylist() == [row[0] for row in conn.execute(query).fetchall()]
    query = "select (case n when 1 then '1' when 2 then repeat('9', 50) else '0.5' end)::numeric as v"
    query += " from generate_series(1, 3) as n"
    table = conn.execute(query, binary=binary).fetch_arrow_table()
    assert table.schema.field("v").type == pa.decimal256(76, 1)
    assert table.column("v").to_pylist() == [Decimal(1), Decimal("9" * 50), Decimal("0.5")]


@pytest.mark.parametrize("values", [["1", "12345678.5"], ["12345678.5", "1"], ["0", "0"], ["0", None, "-0.01"]])
def test_decimals_at_the_end_of_what_has_come(way: tuple[Connection, bool], values: list[str | None]) -> None:
    conn, binary = way
    cursor = conn.execute("select v::numeric(12, 2) from unnest(%s::text[]) as v", [values], binary=binary)
    expected = [None if value is None else Decimal(value) for value in values]
    assert cursor.fetch_arrow_table().column(0).to_pylist() == expected


def test_negative_and_small_decimals(way: tuple[Connection, bool]) -> None:
    conn, binary = way
    values = ["-0.0001", "0.0001", "-99999.9999", "10000", "-10000.0001", "0", "1234567.8", "0.1", "-100000000"]
    query = "select v::numeric({}) from unnest(%s::text[]) as v"
    for precision in ("14, 4", "30, 12", "18, 4"):
        cursor = conn.execute(query.format(precision), [values], binary=binary)
        assert cursor.fetch_arrow_table().column(0).to_pylist() == [Decimal(value) for value in values]


def test_arrays_of_several_dimensions(way: tuple[Connection, bool]) -> None:
    conn, binary = way
    for texts in (["{{1,2,3},{4,NULL,6}}", "{}", None, "{{7}}"], ["{}", None], ["{{{1},{2}},{{3},{NULL}}}", "{}"]):
        for type in ("int4", "text", "numeric", "timestamp" if texts == ["{}", None] else "float8"):
            query = f"select v::{type}[] from unnest(%s::text[]) with ordinality as _(v, n) order by n"
            table = conn.execute(query, [texts], binary=binary).fetch_arrow_table()
            table.validate(full=True)
            assert table.column(0).to_pylist() == [row[0] for row in conn.execute(query, [texts]).fetchall()]


def test_arrays_that_differ_in_dimensions(way: tuple[Connection, bool]) -> None:
    conn, binary = way
    query = "select v::int4[] as v from unnest(array['{1}', '{{2}}']) as v"
    with pytest.raises(neonps.DataError, match=r'^column "v": arrays differ in their number of dimensions'):
        conn.execute(query, binary=binary).fetch_arrow_table()


def test_a_type_of_the_database(way: tuple[Connection, bool]) -> None:
    conn, binary = way
    conn.execute("create type arrow_mood as enum ('sad', 'ok')")
    cursor = conn.execute("select 'ok'::arrow_mood as v, row(1, 'a b'::text) as r", binary=binary)
    table = cursor.fetch_arrow_table()
    assert table.column("r").to_pylist() == ['(1,"a b")']
    sent_binary = cursor.description[0]._field.format  # type: ignore[index]
    assert table.column("v").to_pylist() == [b"ok" if sent_binary else "ok"]
    info = neonps.types.enum.EnumInfo.fetch(conn, "arrow_mood")
    assert info is not None
    info.register(conn)
    table = conn.execute("select 'ok'::arrow_mood as v, '{ok,sad}'::arrow_mood[] as a", binary=binary)
    assert table.fetch_arrow_table().to_pylist() == [{"v": "ok", "a": ["ok", "sad"]}]
    conn.execute("drop type arrow_mood")


def test_uuids_are_uuids(way: tuple[Connection, bool]) -> None:
    conn, binary = way
    text = "12345678-1234-1234-1234-123456789abc"
    table = conn.execute("select %s::uuid as v", [text], binary=binary).fetch_arrow_table()
    assert table.column("v").to_pylist() == [UUID(text)]


@pytest.mark.parametrize("transport", ["tcp", "websocket"])
@pytest.mark.parametrize("binary", [False, True])
def test_time_zone_of_the_session(url: str, transport: str, binary: bool) -> None:
    query = (
        "select '2020-01-01 00:00+00'::timestamptz + n * interval '1 hour' as v from generate_series(0, 8784) as n"
        " union all select '1850-01-01 12:00+00'"
    )
    with neonps.connect(url, transport=transport, options="-c TimeZone=Europe/Berlin") as conn:
        table = conn.execute(query, binary=binary).fetch_arrow_table()
        assert table.schema.field("v").type == pa.timestamp("us", "Europe/Berlin")
        expected = [row[0] for row in conn.execute(query).fetchall()]
    found = table.column("v").to_pylist()
    # In UTC: the time zones are those of pytz where that is installed, and equal nothing in an hour that comes twice.
    assert [when.astimezone(timezone.utc) for when in found] == [when.astimezone(timezone.utc) for when in expected]
    assert [when.utcoffset() for when in found[:-1]] == [when.utcoffset() for when in expected[:-1]]


def test_time_zone_that_nobody_knows(url: str) -> None:
    with neonps.connect(url, transport="tcp", options="-c TimeZone=<+03>-03") as conn:
        table = conn.execute("select '2020-01-01 00:00+00'::timestamptz as v").fetch_arrow_table()
    assert table.column("v").to_pylist() == [datetime(2020, 1, 1, tzinfo=timezone.utc)]


@pytest.mark.parametrize("style", ["German", "SQL, DMY", "SQL, MDY", "Postgres, DMY", "Postgres, MDY"])
def test_other_styles_of_dates(url: str, style: str) -> None:
    query = "select '2020-02-03'::date as d, '2020-02-03 04:05:06.7'::timestamp as t, null::timestamptz as n"
    with neonps.connect(url, transport="tcp", options=f"-c DateStyle={style.replace(' ', '')}") as conn:
        table = conn.execute(query).fetch_arrow_table()
        assert table.to_pylist() == [{"d": date(2020, 2, 3), "t": datetime(2020, 2, 3, 4, 5, 6, 700000), "n": None}]
        with pytest.raises(neonps.DataError, match=r'^column "now": .*DateStyle ISO'):
            conn.execute("select now()").fetch_arrow_table()


def test_other_styles_of_intervals(url: str) -> None:
    with neonps.connect(url, transport="tcp", options="-c IntervalStyle=iso_8601") as conn:
        assert conn.execute("select null::interval as v").fetch_arrow_table().to_pylist() == [{"v": None}]
        with pytest.raises(neonps.DataError, match=r'^column "v": .*IntervalStyle postgres'):
            conn.execute("select '1 day'::interval as v").fetch_arrow_table()


def test_infinite_interval(way: tuple[Connection, bool]) -> None:
    conn, binary = way
    with pytest.raises(neonps.DataError, match=r'^column "v": infinity is no interval'):
        conn.execute("select 'infinity'::interval as v", binary=binary).fetch_arrow_table()


def test_other_output_of_bytea(url: str) -> None:
    values = [b"", b"\0\x01ab\\x\xff", b"\\x41"]
    with neonps.connect(url, transport="tcp", options="-c bytea_output=escape") as conn:
        cursor = conn.execute("select unnest(%s::bytea[])", [values])
        assert cursor.fetch_arrow_table().column(0).to_pylist() == values


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("encoding", ["LATIN1", "SJIS", "SQL_ASCII"])
def test_other_encodings(url: str, encoding: str, binary: bool) -> None:
    text = {"LATIN1": "é\\", "SJIS": "ソ表", "SQL_ASCII": "é"}[encoding]  # bytes of SJIS look like a backslash
    query = f"select U&'\\{ord(text[0]):04x}'::text || %s as v, array[U&'\\{ord(text[0]):04x}' || %s, 'a'] as a"
    with neonps.connect(url, transport="tcp", client_encoding=encoding) as conn:
        found = conn.execute(query, [text[1:]] * 2, binary=binary).fetch_arrow_table().to_pylist()
    assert found == [{"v": text, "a": [text, "a"]}]


def test_text_that_is_not_utf8(url: str) -> None:
    with neonps.connect(url, transport="tcp", client_encoding="SQL_ASCII") as conn:
        conn.execute("set client_encoding to latin1")
        conn.execute("set client_encoding to sql_ascii")
        table = conn.execute("select 'é' as v").fetch_arrow_table()
        assert table.column("v").to_pylist() == ["é"]
