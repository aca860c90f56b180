"""Python values become the same bytes as with psycopg, and bytes from a server the same Python values."""

from __future__ import annotations

import datetime as dt
import enum
import math
import uuid
from collections.abc import Iterator
from decimal import Decimal
from types import ModuleType
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import psycopg.adapt
import psycopg.types.json
import psycopg.types.numeric
import pytest

import neonps.adapt
import neonps.postgres
import neonps.types.json
import neonps.types.numeric

ROME = ZoneInfo("Europe/Rome")
NAIVE = dt.datetime(2020, 1, 2, 3, 4, 5, 6)
AWARE = NAIVE.replace(tzinfo=dt.timezone.utc)


class Pure(enum.Enum):
    a = 1
    é = 2


class Mixed(str, enum.Enum):
    a = "x"


class Number(enum.IntEnum):
    a = 1
    b = 100_000


class Bits(enum.Flag):
    a = 1
    b = 2


class MyStr(str):
    pass


class MyInt(int):
    def __repr__(self) -> str:
        return "boo"

    __str__ = __repr__


class MyFloat(float):
    pass


class MyDatetime(dt.datetime):
    pass


INTEGERS = [sign * (2**bits) + delta for bits in (0, 15, 31, 63, 64, 90) for sign in (1, -1) for delta in (-1, 0, 1)]

SCALARS: list[Any] = [
    *INTEGERS,
    10**18,
    MyInt(5),
    Number.a,
    Number.b,
    True,
    False,
    *["a", "", "é", "a\0b", "a'b", "a\\b", "%", "x" * 1000, MyStr("x"), Mixed.a],
    *[Pure.a, Pure.é, Bits.a],
    None,
    *[1.5, -1.5, 0.0, -0.0, 1e300, 1e-300, 1 / 3, math.nan, math.inf, -math.inf, MyFloat(2.5)],
    *map(Decimal, ["1.20", "-0", "-0.00", "1e10", "NaN", "sNaN", "Infinity", "-Infinity", "1e-20", "0E+5"]),
    *map(Decimal, ["10000.0001", "100000000", "1234567890.0987654321", "12e-7", "1e131071", "-1e-1000"]),
    *[dt.date(2020, 1, 2), dt.date.min, dt.date.max],
    *[dt.time(1, 2, 3, 4), dt.time(1, 2), dt.time(1, 2, tzinfo=dt.timezone.utc), dt.time(1, tzinfo=ROME)],
    dt.time(1, 2, tzinfo=dt.timezone(dt.timedelta(seconds=-12345))),
    *[NAIVE, AWARE, NAIVE.replace(tzinfo=ROME), NAIVE.replace(month=7, tzinfo=ROME), MyDatetime(2020, 1, 1)],
    *[dt.datetime.min, dt.datetime.max, dt.datetime(1800, 1, 1, tzinfo=ROME)],
    dt.datetime(2020, 10, 25, 2, 30, tzinfo=ROME),
    dt.datetime(2020, 10, 25, 2, 30, fold=1, tzinfo=ROME),
    dt.datetime.max.replace(tzinfo=dt.timezone(dt.timedelta(hours=-5))),
    dt.datetime.min.replace(tzinfo=dt.timezone(dt.timedelta(hours=5))),
    *[dt.timedelta(), dt.timedelta(1), dt.timedelta(-1), dt.timedelta(1, 2, 3), dt.timedelta(-5, 2, 3)],
    *[dt.timedelta.min, dt.timedelta.max, dt.timedelta(microseconds=-1)],
    *[uuid.UUID(int=5), uuid.UUID(int=2**128 - 1)],
]

LISTS: list[list[Any]] = [
    *[[], [None], [[]], [[], []], [[[]]], [None, None]],
    *[[1], [1, 2**40], [32768, -1], [-32768, 32767], [-32769, 1], [1, None, 2**63 + 1], [[1, 2], [3, 2**20]]],
    *[["a", None], ["nUll", "NULL", "null", "NULLx", ""], ["é"], [MyStr("a"), MyStr("b")], [Mixed.a]],
    *[["\t", "a b", "\x0b", "\x0c", "\r", "\n", "\xa0", "\\", '"', "{", "}", ",", ";", "'", ":", "[1:2]"]],
    *[[1.5, math.nan], [True, None], [Decimal(1), Decimal("NaN")], [MyInt(5)], [Number.a, Number.b]],
    *[[Pure.a, Pure.é], [uuid.UUID(int=1)], [dt.date.min], [NAIVE], [AWARE, None], [[NAIVE], [NAIVE]]],
    *[[dt.time(1)], [dt.time(1, tzinfo=dt.timezone.utc)], [dt.timedelta(1, 2)]],
    *[[[1, 2], [3, 4]], [[[1]], [[2]]], [[["a", "b"], ["c", "d"]], [["e", "f"], [None, "h"]]], [[None], [1]]],
    *[[[1], [2, 3]], [[], [1]], [[1], []], [[1], 1], [[1], None], [[[1]], [2]], [[[1], [2]], [[3], []]]],
    *[[1, "a"], [1, True], [1, 1.5], [Decimal(1), 1], [dt.date.min, NAIVE], ["a", b"a"], [[1], ["a"]]],
]


def wrapped(json: ModuleType, numeric: ModuleType) -> list[Any]:
    """The same wrappers of psycopg and of neonps."""
    return [
        *[json.Json({"a": [1, None]}), json.Jsonb([1, "é"]), json.Json("a'b\\"), json.Jsonb(None)],
        json.Json(1, dumps=lambda obj: f"[{obj}]"),
        json.Jsonb(1, dumps=lambda obj: b"[%d]" % obj),
        *[numeric.Int2(1), numeric.Int4(-1), numeric.Int8(2**62), numeric.IntNumeric(1), numeric.Oid(1)],
        *[numeric.Float4(1.5), numeric.Float4(-math.inf), numeric.Float4(1e300), numeric.Float8(1.5)],
        *[[json.Jsonb(1), json.Jsonb("a b")], [json.Json({"a": [1]})]],
        *[[numeric.Int2(1)], [numeric.Oid(5)], [numeric.Float4(1)], [numeric.Int2(1), numeric.Int4(2)]],
    ]


VALUES = [(value, value) for value in [*SCALARS, *LISTS]] + list(
    zip(
        wrapped(neonps.types.json, neonps.types.numeric),
        wrapped(psycopg.types.json, psycopg.types.numeric),
        strict=True,
    )
)


def dumped(adapt: ModuleType, value: Any, format: str) -> tuple[Any, ...]:
    transformer = adapt.Transformer(None)
    try:
        (data,) = transformer.dump_sequence([value], [adapt.PyFormat(format)])
    except Exception as ex:
        return type(ex).__name__, str(ex)
    return None if data is None else bytes(data), tuple(transformer.types), [*map(int, transformer.formats)]


def literal(adapt: ModuleType, value: Any) -> Any:
    try:
        return bytes(adapt.Transformer(None).as_literal(value))
    except Exception as ex:
        return type(ex).__name__, str(ex)


@pytest.mark.parametrize(("ours", "theirs"), VALUES, ids=lambda value: repr(value)[:40])
def test_dump(ours: Any, theirs: Any) -> None:
    for format in "stb":
        assert dumped(neonps.adapt, ours, format) == dumped(psycopg.adapt, theirs, format)
    assert literal(neonps.adapt, ours) == literal(psycopg.adapt, theirs)


@pytest.mark.parametrize("value", [b"", b"abc", b"\0\\'\xff", bytearray(b"a"), memoryview(b"a")], ids=repr)
def test_dump_bytes(value: bytes) -> None:
    # Without a connection psycopg writes bytea text in the old way; only the binary form can be compared.
    for format in "sb":
        assert dumped(neonps.adapt, value, format) == dumped(psycopg.adapt, value, format)
    assert dumped(neonps.adapt, [value], "b") == dumped(psycopg.adapt, [value], "b")
    assert dumped(neonps.adapt, value, "t") == (b"\\x" + bytes(value).hex().encode(), (17,), [0])


@pytest.mark.parametrize("value", [Bits(0), [dt.time(1), dt.time(1, tzinfo=dt.timezone.utc)]], ids=repr)
def test_dump_fails_with_a_data_error(value: Any) -> None:
    for format in "stb":
        assert dumped(neonps.adapt, value, format)[0] == "DataError"


# Loading. What psycopg makes of a value is compared with what we make of the same bytes in the same session.


class RawLoader(psycopg.adapt.Loader):
    def load(self, data: Any) -> bytes:
        return bytes(data)


class RawBinaryLoader(RawLoader):
    format = psycopg.pq.Format.BINARY


class Session:
    """A connection of psycopg, with cursors whose values come as bytes."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.connection = connection
        self.cursor = connection.cursor()
        for info in psycopg.postgres.types:
            for oid in filter(None, (0, info.oid, info.array_oid)):
                self.cursor.adapters.register_loader(oid, RawLoader)
                self.cursor.adapters.register_loader(oid, RawBinaryLoader)

    # A Transformer of ours takes it for a context.

    @property
    def adapters(self) -> neonps.adapt.AdaptersMap:
        return neonps.postgres.adapters

    def raw(self, value: str, type: str, format: int) -> tuple[int, bytes]:
        self.cursor.execute(f"select %s::text::{type}", [value], binary=bool(format))
        row = self.cursor.fetchone()
        assert row is not None
        assert self.cursor.description is not None
        return self.cursor.description[0].type_code, row[0]

    def loaded(self, value: str, type: str, format: int) -> tuple[Any, Any]:
        """What we make of a value, and what psycopg makes of it."""
        oid, data = self.raw(value, type, format)
        return self.loaded_raw(oid, data, format)

    def loaded_raw(self, oid: int, data: bytes, format: int) -> tuple[Any, Any]:
        ours = neonps.adapt.Transformer(self)  # type: ignore[arg-type]
        theirs = psycopg.adapt.Transformer(self.connection)
        return (
            outcome(ours, oid, neonps.pq.Format(format), data),
            outcome(theirs, oid, psycopg.pq.Format(format), data),
        )


def outcome(transformer: Any, oid: int, format: Any, data: bytes) -> Any:
    try:
        # repr(): 0.0 is not -0.0, Decimal("1.0") is not Decimal("1.00"), and time zones count.
        return repr(transformer.get_loader(oid, format).load(data))
    except Exception as ex:
        # psycopg raises Python's NotImplementedError; ours is that too.
        kind = NotImplementedError if isinstance(ex, NotImplementedError) else type(ex)
        return kind.__name__, str(ex)


@pytest.fixture(scope="module")
def connection(dsn: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(dsn, autocommit=True) as connection:
        yield connection


@pytest.fixture
def session(connection: psycopg.Connection[Any]) -> Iterator[Session]:
    yield Session(connection)
    connection.execute("reset all")


TEXTS: dict[str, list[str]] = {
    "bool": ["t", "f"],
    "int2": ["1", "-32768"],
    "int4": ["0", "2147483647"],
    "int8": ["-9223372036854775808"],
    "oid": ["4294967295"],
    "float4": ["1.5", "NaN", "-Infinity", "1e-30", "3.4028235e38"],
    "float8": ["1.5", "NaN", "Infinity", "1e-300", "-0"],
    "numeric": [
        *["0", "0.000", "1.10", "-12345.678", "NaN", "Infinity", "-Infinity", "0.00001", "10000.00001"],
        *["9999", "99990000", "1" + "0" * 50, "0." + "0" * 50 + "1", "1e1000", "1e-1000"],
    ],
    "text": ["", "é", "a\nb", "x" * 500, "NULL", '"', "\\", "{", "a,b"],
    "varchar": ["a"],
    "bpchar": ["a "],
    "name": ["abc"],
    '"char"': ["a", ""],
    "bytea": ["\\x", "\\x00ff5c22", "abc\\\\\\000"],
    "uuid": ["12345678-1234-1234-1234-123456789abc"],
    "json": ['{"a": [1, 2.5, null, "é"]}', "null", "1", '"a b"'],
    "jsonb": ['{"a": [1, 2.5, null, "é"]}', "null", '"a\\u00e9"'],
    "box": ["(1,1),(0,0)"],
    "point": ["(1,2)"],
    "bit": ["1"],
    "varbit": ["101"],
    "money": ["1.5"],
    "int2vector": ["1 2"],
    "regclass": ["pg_class"],
    "tsvector": ["a b"],
    "macaddr": ["08:00:2b:01:02:03"],
    "pg_lsn": ["0/1"],
    "xid8": ["5"],
    "date": ["2020-01-02", "0001-01-01", "9999-12-31"],
    "time": ["12:34:56.789", "00:00", "23:59:59.999999"],
    "timetz": ["12:34:56.789+02", "12:34-03:30", "12:34:56+05:53:28", "12:00-00:00:01", "00:00+00", "1:00+15:59"],
    "timestamp": ["2020-01-02 03:04:05.6", "2020-01-02 03:04:05.123456", "0001-01-01", "9999-12-31 23:59:59.999999"],
    "timestamptz": ["2020-01-02 03:04:05.6+00", "2020-07-02 03:04:05+05:30"],
    "interval": ["1 year 2 mons 3 days 04:05:06.7", "-1 day +01:00", "0", "-1 mon +1 day -00:00:00.000001"],
}


@pytest.mark.parametrize("format", [0, 1])
@pytest.mark.parametrize("type", TEXTS)
def test_load(session: Session, type: str, format: int) -> None:
    for value in TEXTS[type]:
        ours, theirs = session.loaded(value, type, format)
        assert ours == theirs


@pytest.mark.parametrize("format", [0, 1])
@pytest.mark.parametrize("type", TEXTS)
def test_load_array(session: Session, type: str, format: int) -> None:
    delimiter = ";" if type == "box" else ","
    for value in TEXTS[type]:
        if value == "\\x":
            continue  # psycopg reads past the end of the element
        item = '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
        for array in (
            "{}",
            f"{{{item}}}",
            f"{{{item}{delimiter}NULL{delimiter}{item}}}",
            f"{{{{{item}}}{delimiter}{{NULL}}}}",
            f"[2:3]={{{item}{delimiter}NULL}}",
            f"[-1:0][5:5]={{{{{item}}}{delimiter}{{NULL}}}}",
        ):
            ours, theirs = session.loaded(array, f"{type}[]", format)
            assert ours == theirs


def test_load_bytea_in_the_old_format(session: Session) -> None:
    session.connection.execute("set bytea_output to escape")
    for value in ("\\x", "\\x00", "\\x5c5c27", "\\x" + bytes(range(256)).hex()):
        ours, theirs = session.loaded(value, "bytea", 0)
        assert ours == theirs == repr(bytes.fromhex(value[2:]))


DATES = ["2020-01-02", "0044-03-15 BC", "10000-01-01", "5874897-12-31", "4713-01-01 BC", "infinity", "-infinity"]
DATES += ["0001-01-01", "9999-12-31", "0001-12-31 BC", "2019-12-11"]
TIMESTAMPS = ["2020-01-02 03:04:05.6", "2020-01-02 03:04:05.123456", "2019-12-11", "0044-03-15 12:00:00 BC"]
TIMESTAMPS += ["10000-01-01", "infinity", "-infinity", "0001-01-01", "9999-12-31 23:59:59.999999", "294276-12-31"]
MOMENTS = [text + "+00" if text[0].isdigit() and "BC" not in text else text for text in TIMESTAMPS]
MOMENTS += ["1900-01-01 00:00+00", "1800-01-01 00:00+00", "2020-07-01 00:00+00", "2020-10-25 00:30+00"]
MOMENTS += ["2020-10-25 01:30+00", "0001-01-01 05:00+00", "0001-01-01 15:00+00", "9999-12-31 12:00+00"]
MOMENTS += ["10000-01-01 04:00+00", "0001-12-31 20:00+00 BC", "0001-01-02 00:00+00"]
STYLES = ["ISO", "SQL", "Postgres", "German"]
ZONES = ["UTC", "Europe/Rome", "America/New_York", "Asia/Kathmandu", "Pacific/Kiritimati"]


@pytest.mark.parametrize("order", ["DMY", "MDY", "YMD"])
@pytest.mark.parametrize("style", STYLES)
def test_date_styles(session: Session, style: str, order: str) -> None:
    session.connection.execute(f"set datestyle to '{style}, {order}'")
    for type, values in (("date", DATES), ("timestamp", TIMESTAMPS), ("timestamptz", MOMENTS)):
        for value in values:
            for format in (0, 1):
                ours, theirs = session.loaded(value, type, format)
                assert ours == theirs


@pytest.mark.parametrize("zone", ZONES)
def test_time_zones(session: Session, zone: str) -> None:
    session.connection.execute(f"set timezone to '{zone}'")
    for value in MOMENTS:
        for format in (0, 1):
            ours, theirs = session.loaded(value, "timestamptz", format)
            if "timezone(datetime.timedelta" in theirs:
                # psycopg leaves the offset where UTC has no such date.
                assert ours[:40] == theirs[:40]
            else:
                assert ours == theirs


@pytest.mark.parametrize("format", [0, 1])
@pytest.mark.parametrize("value", ["24:00", "24:00+00", "24:00-05:30"])
def test_midnight_at_the_end_of_the_day(session: Session, value: str, format: int) -> None:
    type = "timetz" if len(value) > 5 else "time"
    ours, theirs = session.loaded(value, type, format)
    assert ours == theirs
    assert ours[0] == "DataError"


INTERVALS = ["1 year 2 months 3 days 04:05:06.7", "-1 year -2 mons +3 days -04:05:06", "0", "1 day"]
INTERVALS += ["-1 day +01:00", "100 hours", "1000000 hours", "999999999 days", "1000000000 days"]
INTERVALS += ["-999999999 days", "-999999999 days -00:00:00.000001", "00:00:00.000001", "-00:00:00.000001"]
INTERVALS += ["1 mon -1 day", "11 mons", "-11 mons", "-13 mons", "1 year -1 mon", "-1 year 1 mon 1 day -1 sec"]
INTERVALS += ["2147483647 days", "-2147483648 days", "2562047788:00:54.775807"]


@pytest.mark.parametrize("style", ["postgres", "postgres_verbose", "sql_standard", "iso_8601"])
def test_interval_styles(session: Session, style: str) -> None:
    session.connection.execute(f"set intervalstyle to '{style}'")
    for value in INTERVALS:
        for format in (0, 1):
            ours, theirs = session.loaded(value, "interval", format)
            assert ours == theirs
    for value in (dt.timedelta.min, dt.timedelta.max, dt.timedelta(-1, 5), dt.timedelta(5, 0, 1), dt.timedelta()):
        ours_tx = neonps.adapt.Transformer(session)  # type: ignore[arg-type]
        theirs_tx = psycopg.adapt.Transformer(session.connection)
        assert ours_tx.as_literal(value) == theirs_tx.as_literal(value)


@pytest.mark.parametrize("format", [0, 1])
@pytest.mark.parametrize("value", ["infinity", "-infinity", "178000000 years", "-2147483647 mons"])
def test_intervals_beyond_timedelta(session: Session, value: str, format: int) -> None:
    # psycopg lets the number of days overflow, and takes infinity in text for nothing.
    ours, _theirs = session.loaded(value, "interval", format)
    assert ours[0] == "DataError"
    assert ours[1].startswith("can't parse interval")


@pytest.mark.parametrize("encoding", ["UTF8", "LATIN1", "LATIN9", "WIN1252", "SQL_ASCII"])
def test_encodings(session: Session, encoding: str) -> None:
    session.connection.execute(f"set client_encoding to {encoding}")
    oid, data = session.raw("aé", "text", 0) if encoding != "SQL_ASCII" else (25, b"a\xe9")
    for format in (0, 1):
        ours, theirs = session.loaded_raw(oid, data, format)
        assert ours == theirs
    ours_tx = neonps.adapt.Transformer(session)  # type: ignore[arg-type]
    theirs_tx = psycopg.adapt.Transformer(session.connection)
    for format_name in "stb":
        ours_data = ours_tx.dump_sequence(["aé"], [neonps.adapt.PyFormat(format_name)])
        theirs_data = theirs_tx.dump_sequence(["aé"], [psycopg.adapt.PyFormat(format_name)])
        assert ours_data[0] == bytes(theirs_data[0] or b"")
    assert ours_tx.as_literal("aé'") == bytes(theirs_tx.as_literal("aé'"))


def test_literals_of_bytes(session: Session) -> None:
    for value in (b"", b"a\\'\0\xff"):
        ours = neonps.adapt.Transformer(session).as_literal(value)  # type: ignore[arg-type]
        assert ours == bytes(psycopg.adapt.Transformer(session.connection).as_literal(value))
    session.connection.execute("set standard_conforming_strings to off")
    ours = neonps.adapt.Transformer(session).as_literal(b"a\\'")  # type: ignore[arg-type]
    assert session.connection.execute(b"select " + ours).fetchone() == (b"a\\'",)
