"""Values are read and written by the settings of the session: styles of dates, time zone, encoding and others."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from compared import SESSIONS, Driver, Drivers
from peers import Peer
from transports import Connect, on_sessions
from type_parameters import ROME, SCALARS

import neonps
from neonps.types.json import Json, Jsonb
from neonps.types.multirange import Multirange, MultirangeInfo, register_multirange
from neonps.types.range import Range, RangeInfo, register_range

BINARY = pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])


@pytest.fixture(autouse=True)
def reset(drivers: Drivers) -> Iterator[None]:
    """At the end, sessions get back their settings."""
    yield
    for driver in drivers.all:
        if driver.name in ("psycopg", *SESSIONS):
            driver.connection.execute("reset all")


def setting(drivers: Drivers, name: str, value: str) -> None:
    for driver in drivers.all:
        if driver.name in ("psycopg", *SESSIONS):
            driver.connection.execute(f"set {name} to '{value}'")


def compare(drivers: Drivers, query: str, params: list[Any], binary: bool = False, messages: bool = True) -> Any:
    return drivers.compare(fetched, query, params, binary, transports=SESSIONS, messages=messages)


def fetched(driver: Driver, query: str, params: list[Any], binary: bool) -> Any:
    return driver.connection.execute(query, params, binary=binary).fetchone()[0]


def literal(driver: Driver, value: Any, query: str = "select {}") -> Any:
    """How a value is written into a statement, and what the server makes of it."""
    sql = driver.submodule("sql")
    statement = sql.SQL(query).format(sql.Literal(value))
    return statement.as_string(driver.connection), driver.connection.execute(statement).fetchone()


# Dates and times

DATES = ["2020-01-02", "0044-03-15 BC", "10000-01-01", "5874897-12-31", "4713-01-01 BC", "infinity", "-infinity"]
DATES += ["0001-01-01", "9999-12-31", "0001-12-31 BC", "2019-12-11"]
TIMESTAMPS = ["2020-01-02 03:04:05.6", "2020-01-02 03:04:05.123456", "2019-12-11", "0044-03-15 12:00:00 BC"]
TIMESTAMPS += ["10000-01-01", "infinity", "-infinity", "0001-01-01", "9999-12-31 23:59:59.999999", "294276-12-31"]
MOMENTS = [text + "+00" if text[0].isdigit() and "BC" not in text else text for text in TIMESTAMPS]
MOMENTS += ["1900-01-01 00:00+00", "1800-01-01 00:00+00", "2020-07-01 00:00+00", "2020-10-25 00:30+00"]
MOMENTS += ["2020-10-25 01:30+00", "0001-01-01 05:00+00", "0001-01-01 15:00+00", "9999-12-31 12:00+00"]
MOMENTS += ["10000-01-01 04:00+00", "0001-12-31 20:00+00 BC", "0001-01-02 00:00+00"]
VALUES = [("date", DATES), ("timestamp", TIMESTAMPS), ("timestamptz", MOMENTS), ("time", ["01:02:03.4"])]


@pytest.mark.parametrize("order", ["DMY", "MDY", "YMD"])
@pytest.mark.parametrize("style", ["ISO", "SQL", "Postgres", "German"])
def test_date_style(drivers: Drivers, style: str, order: str) -> None:
    setting(drivers, "datestyle", f"{style}, {order}")
    for type, values in VALUES:
        for value in values:
            for binary in (False, True):
                compare(drivers, f"select %s::text::{type}", [value], binary)
        compare(drivers, f"select array[%s::text::{type}, null]", [values[0]])
        if type != "time":
            name = {"timestamp": "ts", "timestamptz": "tstz"}.get(type, type)
            compare(drivers, f"select {name}range(%s::text::{type}, null)", [values[0]])
    for group in ("date", "datetime", "time"):
        for parameter in SCALARS[group]:
            for format in "tb":
                compare(drivers, f"select %{format}::text", [parameter])


@pytest.mark.parametrize(
    "zone", ["UTC", "Europe/Rome", "America/New_York", "Asia/Kathmandu", "Pacific/Kiritimati", "Etc/GMT+5", "GB"]
)
def test_time_zone(drivers: Drivers, zone: str) -> None:
    setting(drivers, "timezone", zone)
    for value in MOMENTS:
        for binary in (False, True):
            result = compare_zoned(drivers, value, binary)
            assert result is not None
    for value in SCALARS["datetime"]:
        for format in "tb":
            compare(drivers, f"select (%{format})::text", [value])
    compare(drivers, "select array[%s::timestamptz, null]", ["2020-01-01 00:00"])


def compare_zoned(drivers: Drivers, value: str, binary: bool) -> Any:
    edge = value[:4] in ("0001", "9999", "1000")
    return drivers.compare(zoned, value, binary, edge, transports=SESSIONS)


def zoned(driver: Driver, value: str, binary: bool, edge: bool) -> Any:
    loaded = driver.connection.execute("select %s::text::timestamptz", [value], binary=binary).fetchone()[0]
    # Where UTC has no such date, psycopg leaves the offset that is in the text instead of the time zone.
    return loaded.isoformat(), loaded.utcoffset(), None if edge else loaded


@pytest.mark.parametrize("zone", ["<+03>-03", "UTC+3"])
def test_time_zone_that_python_does_not_know(drivers: Drivers, zone: str) -> None:
    setting(drivers, "timezone", zone)
    for binary in (False, True):
        compare(drivers, "select '2020-01-01 00:00+00'::timestamptz", [], binary)


INTERVALS = ["1 year 2 months 3 days 04:05:06.7", "-1 year -2 mons +3 days -04:05:06", "0", "1 day"]
INTERVALS += ["-1 day +01:00", "100 hours", "1000000 hours", "999999999 days", "1000000000 days"]
INTERVALS += ["-999999999 days", "-999999999 days -00:00:00.000001", "00:00:00.000001", "-00:00:00.000001"]
INTERVALS += ["1 mon -1 day", "11 mons", "-11 mons", "-13 mons", "1 year -1 mon", "-1 year 1 mon 1 day -1 sec"]
INTERVALS += ["2147483647 days", "-2147483648 days", "2562047788:00:54.775807"]


@pytest.mark.parametrize("style", ["postgres", "postgres_verbose", "sql_standard", "iso_8601"])
def test_interval_style(drivers: Drivers, style: str) -> None:
    setting(drivers, "intervalstyle", style)
    for value in INTERVALS:
        for binary in (False, True):
            compare(drivers, "select %s::text::interval", [value], binary)
    for parameter in SCALARS["timedelta"]:
        for format in "tb":
            compare(drivers, f"select extract(epoch from %{format})::text", [parameter])
        drivers.compare(literal, parameter, "select extract(epoch from {})::text", transports=SESSIONS)


@BINARY
@pytest.mark.parametrize("value", ["infinity", "-infinity", "178000000 years", "-2147483647 mons"])
def test_intervals_beyond_timedelta(connect: Connect, value: str, binary: bool) -> None:
    """psycopg lets the number of days overflow, and takes infinity in text for nothing."""
    cursor = connect().execute("select %s::text::interval", [value], binary=binary)
    with pytest.raises(neonps.DataError, match="can't parse interval"):
        cursor.fetchone()


def test_summer_time_begins_and_ends(peer: Peer) -> None:
    connection = peer.connect(options="-c TimeZone=Europe/Rome")
    for moment in ("2020-03-29 00:59:59+00", "2020-03-29 01:00+00", "2020-10-25 00:30+00", "2020-10-25 01:30+00"):
        for binary in (False, True):
            value = connection.execute(f"select '{moment}'::timestamptz", binary=binary).fetchone()[0]
            expected = dt.datetime.fromisoformat(f"{moment}:00").astimezone(ROME)
            assert (value.isoformat(), value.fold, str(value.tzinfo)) == (
                expected.isoformat(),
                expected.fold,
                "Europe/Rome",
            )
            back = connection.execute("select %s = %s::timestamptz", [value, moment]).fetchone()
            assert back == (True,)


# Others


def test_bytea_output(drivers: Drivers) -> None:
    setting(drivers, "bytea_output", "escape")
    for value in (b"", b"\0", b"\\\\'", b"\\x00", bytes(range(256))):
        compare(drivers, "select %s", [value])
        compare(drivers, "select row(%s)", [value])
        if value:  # psycopg reads past the end of an element without bytes
            compare(drivers, "select array[%s, null]", [value])


@pytest.mark.parametrize("digits", ["-15", "0", "3"])
def test_extra_float_digits(drivers: Drivers, digits: str) -> None:
    setting(drivers, "extra_float_digits", digits)
    for value in ("0.1", "1e22", "123456789.123456789", "NaN"):
        for binary in (False, True):
            compare(drivers, "select %s::text::float8", [value], binary)
            compare(drivers, "select %s::text::float4", [value], binary)


@pytest.mark.parametrize("conforming", ["on", "off"])
def test_backslashes_in_literals(drivers: Drivers, conforming: str) -> None:
    setting(drivers, "escape_string_warning", "off")
    setting(drivers, "standard_conforming_strings", conforming)
    values = ["a", "\\", "a'b", "\\'", "\\\\''", b"", b"a\\'\0\xff", ["\\", '"', "'"], ("\\", "'"), None, -1, -1.5]
    for value in values:
        drivers.compare(literal if conforming == "on" else literal_value, value, transports=SESSIONS)


def literal_value(driver: Driver, value: Any) -> Any:
    return literal(driver, value)[1]


# Text

TEXTS = ["a", "", "é", "ñ€", "я", "日本", "表", "a'b", "\\", '"', "\x01\n\t"]


@pytest.mark.parametrize(
    "encoding", ["UTF8", "LATIN1", "LATIN9", "WIN1252", "WIN1251", "KOI8R", "EUC_JP", "EUC_KR", "EUC_CN", "SQL_ASCII"]
)
def test_encoding(drivers: Drivers, encoding: str) -> None:
    setting(drivers, "client_encoding", encoding)
    for value in TEXTS:
        for format in "stb":
            for binary in (False, True):
                compare(drivers, f"select %{format}::text", [value], binary)
            compare(drivers, f"select %{format}::text[]", [[value, None, f'"{value}']])
            compare(drivers, f"select convert_to(%{format}, 'utf8')", [value])
        compare(drivers, "select row(%t::text, 1)", [value])
        compare(drivers, "select (%t)::text", [(value, None)])
        compare(drivers, "select %s", [value.encode()])
        if encoding != "SQL_ASCII":  # psycopg has no str for it
            drivers.compare(literal, [value], transports=SESSIONS)


def test_encoding_without_a_codec(peer: Peer) -> None:
    connection = peer.connect(autocommit=True)
    connection.execute("set client_encoding to EUC_TW")
    for query, params in (("select 'a'", None), ("select %s", ["a"])):
        with pytest.raises(peer.module.NotSupportedError, match="codec not available in Python: 'EUC_TW'"):
            connection.execute(query, params)


@on_sessions
@pytest.mark.parametrize("encoding", ["latin1", "win1252", "euc_jp", "sql_ascii", "utf8"])
def test_json_in_another_encoding(connect: Connect, encoding: str) -> None:
    """psycopg takes it for UTF-8 whatever the encoding is."""
    connection = connect(client_encoding=encoding)
    value = {"ключ": "日本"} if encoding == "euc_jp" else {"é": ["ü", 1]}
    for dumps in (partial(json.dumps, ensure_ascii=False), lambda obj: json.dumps(obj, ensure_ascii=False).encode()):
        for wrapper in (Json, Jsonb):
            for placeholder in ("%t", "%b"):
                query = f"select {placeholder}, {placeholder}"
                wrapped = wrapper(value, dumps)
                for binary in (False, True):
                    row = connection.execute(query, [wrapped, [wrapped]], binary=binary).fetchone()
                    assert row == (value, [value])


# In these, the second byte of a character can be that of a backslash, a brace or a letter. psycopg escapes it.
TWO_BYTES = {
    "SJIS": "表ソ能ﾃﾞー",
    "SHIFT_JIS_2004": "表ソ能ﾃﾞー",
    "BIG5": "功許蓋育",
    "GBK": "乗乼亅a乛",
    "GB18030": "乗乼€🐘",
    "UHC": "갂똠",
}


@on_sessions
@pytest.mark.parametrize("encoding", TWO_BYTES)
def test_characters_with_an_ascii_byte(connect: Connect, encoding: str) -> None:
    """What is made of parts does not take that for what it looks like."""
    connection = connect(client_encoding=encoding, autocommit=True)
    text = TWO_BYTES[encoding]
    strings = [text, *text, f'{text[0]}"{text[0]}', f"{text[-1]},", "{" + text, f"{text} ", "", "NULL", "a"]
    if encoding != "SHIFT_JIS_2004":  # there, for Python a backslash is a yen sign, or a character of two bytes
        strings += [f"{text[0]}\\", "\\" + text, "\\", '\\"']
    for placeholder in ("%t", "%s", "%b"):
        row = connection.execute(f"select {placeholder}::text[]", [[*strings, None]]).fetchone()
        assert row == ([*strings, None],)
        row = connection.execute(f"select array_length({placeholder}::text[], 1)", [[strings, strings]]).fetchone()
        assert row == (2,)
    connection.execute("create temp table two_bytes (a text, b text, c text)")
    for string in strings:
        fields = (string, None, string)
        query = "select row(%s::text, null::text, %s::text)"
        assert connection.execute(query, [string, string]).fetchone() == (fields,)
        query = "select (r).a, (r).b, (r).c from (select (%s::text)::two_bytes as r) x"
        assert connection.execute(query, [fields]).fetchone() == fields
        query = "select (%s::text)::two_bytes[] = array[row(%s::text, null, %s::text)::two_bytes]"
        assert connection.execute(query, [[fields], string, string]).fetchone() == (True,)


@on_sessions
@pytest.mark.parametrize("encoding", TWO_BYTES)
def test_ranges_of_characters_with_an_ascii_byte(connect: Connect, encoding: str) -> None:
    connection = connect(client_encoding=encoding)
    connection.execute('create type two_bytes as range (subtype = text, collation = "C")')
    for register, info_class in ((register_range, RangeInfo), (register_multirange, MultirangeInfo)):
        name = {RangeInfo: "two_bytes", MultirangeInfo: "two_bytes_multirange"}[info_class]
        info = info_class.fetch(connection, name)
        assert info is not None
        register(info, connection)
    for character in TWO_BYTES[encoding]:
        for other in (f"{character}{character}", f'{character}"', f"{character} "):
            for value in (Range(character, other, "[]"), Multirange([Range(character, other, "[]")])):
                for placeholder in ("%t", "%b"):
                    row = connection.execute(f"select {placeholder}, {placeholder}", [value, [value]]).fetchone()
                    assert row == (value, [value])


@on_sessions
@pytest.mark.parametrize("encoding", TWO_BYTES)
def test_copying_characters_with_an_ascii_byte(connect: Connect, encoding: str) -> None:
    connection = connect(client_encoding=encoding)
    connection.execute("create temp table two_bytes (a text, b text[], c text)")
    text = TWO_BYTES[encoding]
    rows = [(text, [text, f"{text}\t", None], f"{text}\n{text}"), (None, None, text[0]), ("", [], "N")]
    for format in ("text", "binary"):
        with connection.cursor().copy(f"copy two_bytes from stdin (format {format})") as copy:
            copy.set_types(["text", "text[]", "text"])
            for row in rows:
                copy.write_row(row)
        assert connection.execute("select * from two_bytes").fetchall() == rows
        with connection.cursor().copy(f"copy two_bytes to stdout (format {format})") as copy:
            copy.set_types(["text", "text[]", "text"])
            assert list(copy.rows()) == rows
        connection.execute("truncate two_bytes")
