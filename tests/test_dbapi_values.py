"""Values on their way to the server and back: NULL, nothing, much, and strange names, on every transport."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
import pytest
from transports import Connect, Connection, on_sessions, over_http

import neonps
from neonps import errors

UNICODE = "ünïcödé ☃ 🐘 \u202eabc\u202c 中文 e\u0301 \uffff \U0010ffff"

#: The same on every transport, and the same as psycopg gives.
VALUES = [
    None,
    True,
    0,
    -(2**15),
    2**31,
    -(2**63),
    2**63,
    10**60,
    1.5,
    float("inf"),
    Decimal("1.10"),
    Decimal("NaN"),
    "",
    'it\'s \\ "quoted" $1 %s %% {x} \t\r\n\x01\x7f',
    UNICODE,
    b"",
    bytes(range(256)),
    date(2020, 2, 29),
    datetime(2020, 2, 29, 12, 30, 0, 123456),
    datetime(2020, 2, 29, 12, 30, tzinfo=timezone(timedelta(hours=5, minutes=30))),
    timedelta(days=-3, microseconds=7),
    UUID("12345678-1234-5678-1234-567812345678"),
    [1, None, 3],
    [["a", 'b"\\,{}'], [None, ""]],
    [Decimal("1.5"), None],
    [date(2020, 1, 2)],
    [UUID(int=7)],
    [True, False],
    [b"\0\xff"],
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_values_make_the_same_round_trip_as_with_psycopg(
    conn: Connection, admin: psycopg.Connection[Any], value: Any
) -> None:
    ours, theirs = conn.execute("select %s as value", [value]), admin.execute("select %s as value", [value])
    assert ours.description is not None
    assert theirs.description is not None
    assert ours.description[0].type_code == theirs.description[0].type_code
    row, expected = ours.fetchone(), theirs.fetchone()
    assert repr(row) == repr(expected)  # NaN is not equal to itself


@pytest.mark.parametrize("kind", ["int", "text", "bytea", "numeric", "timestamptz", "uuid", "jsonb", "int[]", "bool"])
def test_null(conn: Connection, kind: str) -> None:
    query = f"select %s::{kind}, null::{kind}, %(a)s".replace("%(a)s", "coalesce(%s::text, 'none')")
    assert conn.execute(query, [None, None]).fetchone() == (None, None, "none")


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("select", [()]),
        ("select from generate_series(1, 3)", [(), (), ()]),
        ("select '' as x", [("",)]),
        ("select null, null", [(None, None)]),
        ("select 1 as a, 2 as a, 3 as a", [(1, 2, 3)]),
        ("select 1, 2", [(1, 2)]),
        ("select array[]::int[], '{}'::text[], '[0:1]={3,4}'::int[]", [([], [], [3, 4])]),
        ("select '\"x\"'::jsonb, 'null'::jsonb, '[1, {\"a\": null}]'::json", [("x", None, [1, {"a": None}])]),
        ("select row(1, 'a b', null)::text", [('(1,"a b",)',)]),
    ],
)
def test_results_of_unusual_shape(conn: Connection, query: str, rows: list[tuple[Any, ...]]) -> None:
    cursor = conn.execute(query)
    assert cursor.rowcount == len(rows)
    assert cursor.fetchall() == rows


def test_an_empty_result_without_columns(conn: Connection) -> None:
    cursor = conn.execute("select where false")
    assert cursor.rowcount == 0


def test_many_columns(conn: Connection) -> None:
    count = 1600
    names = ", ".join(f"{n} as c{n}" for n in range(count))
    cursor = conn.execute(f"select {names}")
    assert cursor.fetchone() == tuple(range(count))
    assert [column.name for column in cursor.description or ()] == [f"c{n}" for n in range(count)]


def test_names_of_columns(conn: Connection) -> None:
    names = ["a b", 'q"uote', "ünï☃", "%s", "A", "__proto__", "x" * 63]
    columns = ", ".join('1 as "' + name.replace('"', '""') + '"' for name in names)
    assert [column.name for column in conn.execute(f"select {columns}").description or ()] == names


def test_many_parameters(conn: Connection) -> None:
    values = list(range(5000))
    row = conn.execute("select array[" + ", ".join(["%s::int"] * len(values)) + "]", values).fetchone()
    assert row == (values,)


def test_too_many_parameters(conn: Connection) -> None:
    values = [0] * 65536
    with pytest.raises(neonps.Error, match="65535"):
        conn.execute("select array[" + ", ".join(["%s"] * len(values)) + "]", values)
    conn.rollback()
    assert conn.execute("select 1").fetchone() == (1,)


@on_sessions
def test_a_very_large_value(conn: Connection) -> None:
    text = "0123456789abcdef" * (10 << 16)
    cursor = conn.execute("select %s::text, length(%s), %s::bytea", [text, text, text.encode()])
    row = cursor.fetchone()
    assert row is not None
    assert row[0] == text
    assert row[1] == len(text) == 10 << 20
    assert row[2] == text.encode()


@on_sessions
def test_a_very_large_result(conn: Connection) -> None:
    cursor = conn.execute("select n, repeat('x', 100) from generate_series(1, 100000) n")
    assert cursor.rowcount == 100_000
    assert sum(number for number, _ in cursor) == 100_000 * 100_001 // 2


@over_http
def test_a_result_that_is_too_large_for_http(conn: Connection) -> None:
    with pytest.raises(neonps.OperationalError, match="too large") as caught:
        conn.execute("select repeat('x', 10 << 20)")
    assert caught.value.status == 507
    assert caught.value.request_id
    assert caught.value.request_id in str(caught.value)
    assert "websocket" in str(caught.value)
    row = conn.execute("select repeat('x', 9 << 20)").fetchone()
    assert row is not None
    assert len(row[0]) == 9 << 20


@over_http
def test_a_request_that_is_too_large_for_http(auto: Connection) -> None:
    with pytest.raises(neonps.OperationalError, match="too large") as caught:
        auto.execute("select length(%s)", ["x" * (65 << 20)])
    assert caught.value.status == 413
    assert auto.execute("select length(%s)", ["x" * (20 << 20)]).fetchone() == (20 << 20,)


def test_statements_and_identifiers_in_unicode(auto: Connection, admin: psycopg.Connection[Any]) -> None:
    auto.execute('create table "tä ☃" ("ключ" text)')
    try:
        auto.execute('insert into "tä ☃" values (%(имя)s)', {"имя": UNICODE})
        cursor = auto.execute(f'select "ключ" as "🐘" from "tä ☃" where "ключ" = \'{UNICODE}\'')
        assert cursor.fetchall() == [(UNICODE,)]
        assert cursor.description is not None
        assert cursor.description[0].name == "🐘"
        with pytest.raises(errors.UndefinedColumn) as caught:
            auto.execute('select "ключ", ☃ from "tä ☃"')
        with pytest.raises(psycopg.errors.UndefinedColumn) as theirs:
            admin.execute('select "ключ", ☃ from "tä ☃"')
        assert str(caught.value) == str(theirs.value)
    finally:
        admin.execute('drop table "tä ☃"')


@pytest.mark.parametrize(
    "value",
    [
        "'4713-01-01 BC'::date",
        "'infinity'::date",
        "'infinity'::timestamp",
        "'-infinity'::timestamptz",
        "'10000-01-01'::timestamptz",
        "'3000000 years'::interval",
        "'24:00'::time",
    ],
)
def test_what_python_cannot_hold(conn: Connection, value: str) -> None:
    """Reading it fails, and nothing else does."""
    cursor = conn.execute(f"select {value}, 1")
    for _ in range(2):
        with pytest.raises(neonps.DataError):
            cursor.fetchone()
    assert conn.execute("select 1").fetchone() == (1,)


def test_a_value_that_cannot_be_read_does_not_lose_the_rows_before_it(conn: Connection) -> None:
    cursor = conn.execute("values ('2020-01-01'::date), ('infinity'), ('2020-01-03')")
    assert cursor.fetchone() == (date(2020, 1, 1),)
    with pytest.raises(neonps.DataError):
        cursor.fetchone()
    cursor.scroll(1)
    assert cursor.fetchone() == (date(2020, 1, 3),)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Rome", "Asia/Kolkata"])
def test_the_time_zone_of_the_session(connect: Connect, dsn: str, zone: str) -> None:
    options = f"-c TimeZone={zone}"
    query = "select '2020-07-01 12:00+00'::timestamptz"
    with psycopg.connect(dsn, options=options) as admin:
        theirs = admin.execute(query).fetchone()
    ours = connect(options=options).execute(query).fetchone()
    assert theirs is not None
    assert ours == theirs
    assert ours[0].utcoffset() == theirs[0].utcoffset()


@pytest.mark.parametrize("style", ["ISO,DMY", "SQL,DMY", "SQL,MDY", "German", "Postgres,MDY"])
def test_another_date_style(connect: Connect, style: str) -> None:
    """Dates do not change when the server writes them differently; where it does not tell how, they are not guessed."""
    conn = connect(options=f"-c datestyle={style}")
    cursor = conn.execute("select '2020-02-03'::date, %s::date", [date(2020, 5, 6)])
    if conn.info.transport == "http" and not style.startswith("ISO"):
        with pytest.raises(neonps.DataError, match="unexpected format"):
            cursor.fetchone()
    else:
        assert cursor.fetchone() == (date(2020, 2, 3), date(2020, 5, 6))


@on_sessions
@pytest.mark.parametrize("encoding", ["latin1", "utf8", "euc_jp"])
def test_another_encoding(connect: Connect, encoding: str) -> None:
    conn = connect(client_encoding=encoding)
    text = "日本" if encoding == "euc_jp" else "ü"
    query = f"select %s::text, %s = U&'\\{ord(text[0]):04X}'"
    assert conn.execute(query, [text, text[0]]).fetchone() == (text, True)


def test_binary_results(conn: Connection) -> None:
    query = "select 1::int8, 1.5::float8, 'x'::text, '2020-01-01'::date, array[1, null], null::int, '\\x01'::bytea"
    rows = [
        conn.cursor(binary=True).execute(query).fetchone(),
        conn.execute(query, binary=True).fetchone(),
        conn.cursor().execute(query, binary=True).fetchone(),
        conn.execute(query).fetchone(),
    ]
    assert rows == [(1, 1.5, "x", date(2020, 1, 1), [1, None], None, b"\x01")] * 4
