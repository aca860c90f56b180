"""Python values of every class that can be a parameter, made with the classes of a driver."""

from __future__ import annotations

import datetime as dt
import enum
import ipaddress
import math
import uuid
from collections import OrderedDict, namedtuple
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from peers import Peer

ROME = ZoneInfo("Europe/Rome")
NAIVE = dt.datetime(2020, 1, 2, 3, 4, 5, 6)
AWARE = NAIVE.replace(tzinfo=dt.timezone.utc)
DATE = dt.date(2020, 1, 1)

Item = namedtuple("Item", ["name", "size"])


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


class MyBytes(bytes):
    pass


class MyList(list):
    pass


class MyTuple(tuple):
    pass


class MyDate(dt.date):
    pass


class MyDatetime(dt.datetime):
    pass


class MyDelta(dt.timedelta):
    pass


INTEGERS = [sign * (2**bits) + delta for bits in (0, 15, 31, 63, 64, 90) for sign in (1, -1) for delta in (-1, 0, 1)]

SCALARS: dict[str, list[Any]] = {
    "none": [None],
    "bool": [True, False],
    "int": [*INTEGERS, 10**18, 10**4000, MyInt(5), Number.a, Number.b],
    "float": [1.5, -1.5, 0.0, -0.0, 1e300, 5e-324, 1 / 3, 1e16, math.nan, math.inf, -math.inf, MyFloat(2.5)],
    "decimal": [
        *map(Decimal, ["1.20", "-0", "-0.00", "1e10", "NaN", "sNaN", "Infinity", "-Infinity", "1e-20", "0E+5"]),
        *map(
            Decimal, ["10000.0001", "100000000", "1234567890.0987654321", "12e-7", "1e131071", "-1e-1000", "1e131072"]
        ),
        *map(Decimal, ["1" * 200 + "." + "2" * 200, "1e-16383", "1e-16384", "0.0001", "0.00001", "9999", "10000"]),
    ],
    "str": [
        "a",
        "",
        "é",
        "中文🐘",
        "a\0b",
        "\0",
        "a'b",
        "a\\b",
        '"',
        "%",
        "x" * 1000,
        MyStr("x"),
        Mixed.a,
        "\ud800",
        "\n\t ",
    ],
    "enum": [Pure.a, Pure.é, Bits.a],
    "bytes": [b"", b"abc", b"\0\\'\xff", bytearray(b"a\0"), memoryview(b"a"), MyBytes(b"x"), bytes(range(256))],
    "date": [DATE, dt.date.min, dt.date.max, MyDate(2020, 1, 1)],
    "time": [
        *[dt.time(1, 2, 3, 4), dt.time(1, 2), dt.time.min, dt.time.max, dt.time(1, 2, tzinfo=dt.timezone.utc)],
        *[dt.time(1, tzinfo=ROME), dt.time(1, 2, tzinfo=dt.timezone(dt.timedelta(seconds=-12345)))],
        *[dt.time(2, 30, fold=1), dt.time(1, 2, tzinfo=dt.timezone(dt.timedelta(hours=20)))],
    ],
    "datetime": [
        *[NAIVE, AWARE, NAIVE.replace(tzinfo=ROME), NAIVE.replace(month=7, tzinfo=ROME), MyDatetime(2020, 1, 1)],
        *[dt.datetime.min, dt.datetime.max, dt.datetime(1800, 1, 1, tzinfo=ROME)],
        *[dt.datetime(2020, 10, 25, 2, 30, tzinfo=ROME), dt.datetime(2020, 10, 25, 2, 30, fold=1, tzinfo=ROME)],
        *[
            dt.datetime(2020, 3, 29, 2, 30, tzinfo=ROME),
            AWARE.replace(tzinfo=dt.timezone(dt.timedelta(seconds=-12345))),
        ],
        dt.datetime.max.replace(tzinfo=dt.timezone(dt.timedelta(hours=-5))),
        dt.datetime.min.replace(tzinfo=dt.timezone(dt.timedelta(hours=5))),
    ],
    "timedelta": [
        *[dt.timedelta(), dt.timedelta(1), dt.timedelta(-1), dt.timedelta(1, 2, 3), dt.timedelta(-5, 2, 3)],
        *[dt.timedelta.min, dt.timedelta.max, dt.timedelta(microseconds=-1), MyDelta(1)],
    ],
    "uuid": [uuid.UUID(int=5), uuid.UUID(int=2**128 - 1), uuid.UUID(int=0)],
    "addresses": [
        *map(ipaddress.ip_address, ("1.2.3.4", "0.0.0.0", "::1", "fe80::1", "::ffff:1.2.3.4")),
        *map(ipaddress.ip_interface, ("1.2.3.4/24", "1.2.3.4", "::1/64", "0.0.0.0/0", "::1")),
        *map(ipaddress.ip_network, ("1.2.3.0/24", "1.2.3.4/32", "::/8", "0.0.0.0/0", "::1")),
        ipaddress.ip_address("fe80::1%eth0"),
    ],
    "tuple": [
        *[
            (),
            (None,),
            (1,),
            ("",),
            ("a b", '"', "\\", ",", "(", ")", "NULL", "{", "'", "\t", "é"),
            (1, (2, "x"), None),
        ],
        *[(1.5, True, None, [1, 2]), ((1, 2), 3), ([("a",)],), Item("a", 1), MyTuple((1, 2)), (Pure.a, DATE, AWARE)],
    ],
    "not adaptable": [object(), {}, {"a": 1}, OrderedDict(a=1), 1j, int, {1, 2}, range(3), iter([]), Ellipsis],
}

LISTS: dict[str, list[Any]] = {
    "empty": [[], [None], [[]], [[], []], [[[]]], [None, None], [[None], [None]]],
    "integers": [
        *[[1], [1, 2**40], [32768, -1], [-32768, 32767], [-32769, 1], [1, None, 2**63 + 1], [[1, 2], [3, 2**20]]],
        *[[MyInt(5)], [Number.a, Number.b]],
    ],
    "text": [
        *[["a", None], ["nUll", "NULL", "null", "NULLx", ""], ["é"], [MyStr("a"), MyStr("b")], [Mixed.a], ["a\0"]],
        *[["\t", "a b", "\x0b", "\x0c", "\r", "\n", "\xa0", "\\", '"', "{", "}", ",", ";", "'", ":", "[1:2]"]],
        *[["x" * 1000] * 100, [["a", "b"], ["c", None]]],
    ],
    "others": [
        *[
            [1.5, math.nan],
            [True, None],
            [Decimal(1), Decimal("NaN")],
            [b"", b"a\0\xff"],
            [bytearray(b"a"), memoryview(b"b")],
        ],
        *[[Pure.a, Pure.é], [uuid.UUID(int=1)], [dt.date.min], [NAIVE], [AWARE, None], [[NAIVE], [NAIVE]]],
        *[[dt.time(1)], [dt.time(1, tzinfo=dt.timezone.utc)], [dt.timedelta(1, 2)], MyList([1, 2]), [MyList([1])]],
        *[[ipaddress.ip_address("::1")], [ipaddress.ip_network("::/8")], [ipaddress.ip_interface("1.2.3.4/8")]],
        *[[(1, "a"), (2, None)], [Item("a", 1)], [()]],
    ],
    "dimensions": [
        *[[[1, 2], [3, 4]], [[[1]], [[2]]], [[["a", "b"], ["c", "d"]], [["e", "f"], [None, "h"]]], [[None], [1]]],
        *[[[[[[[1]]]]]], [[[[[[[1]]]]]]], [[1, None], [None, 1]]],
    ],
    "ragged": [[[1], [2, 3]], [[], [1]], [[1], []], [[1], 1], [[1], None], [[[1]], [2]], [[[1], [2]], [[3], []]]],
    "mixed": [
        *[
            [1, "a"],
            [1, True],
            [1, 1.5],
            [Decimal(1), 1],
            [dt.date.min, NAIVE],
            ["a", b"a"],
            [[1], ["a"]],
            [NAIVE, AWARE],
        ],
        *[[dt.time(1), dt.time(1, tzinfo=dt.timezone.utc)], [1, MyInt(1)], ["a", MyStr("a")], [b"a", bytearray(b"a")]],
        *[[ipaddress.ip_address("::1"), ipaddress.ip_address("1.2.3.4")], [(1,), [1]]],
    ],
    "not adaptable": [[object()], [[{}]], [1, object()], [None, {}]],
}


def _wrappers(driver: Peer) -> list[Any]:
    json, numeric = driver.submodule("types.json"), driver.submodule("types.numeric")
    return [
        *[json.Json({"a": [1, None]}), json.Jsonb([1, "é"]), json.Json("a'b\\"), json.Jsonb(None), json.Jsonb("\0")],
        json.Json(1, dumps=lambda obj: f"[{obj}]"),
        json.Jsonb(1, dumps=lambda obj: b"[%d]" % obj),
        *[json.Json(object()), json.Jsonb(math.nan)],
        *[numeric.Int2(1), numeric.Int4(-1), numeric.Int8(2**62), numeric.IntNumeric(1), numeric.Oid(1)],
        *[
            numeric.Float4(1.5),
            numeric.Float4(-math.inf),
            numeric.Float4(0.1),
            numeric.Float8(1.5),
            numeric.Float8("nan"),
        ],
        *[driver.module.Binary(b"a\0"), driver.module.Binary(b"")],
    ]


def _lists_of_wrappers(driver: Peer) -> list[Any]:
    json, numeric = driver.submodule("types.json"), driver.submodule("types.numeric")
    return [
        *[[json.Jsonb(1), json.Jsonb("a b")], [json.Json({"a": [1]})], [json.Json(1), json.Jsonb(1)]],
        *[
            [numeric.Int2(1)],
            [numeric.Oid(5)],
            [numeric.Float4(1)],
            [numeric.Int2(1), numeric.Int4(2)],
            [numeric.Int8(1), 1],
        ],
        [driver.module.Binary(b"a\0")],
    ]


def _generic_ranges(driver: Peer) -> list[Any]:
    numeric, R = driver.submodule("types.numeric"), driver.submodule("types.range").Range
    return [
        *[R(), R(empty=True), R(1, 2), R(1, 2**40), R(1, 2**70), R(None, 5, "(]"), R(1, None), R(2, 1), R(1, 1, "[]")],
        *[R(Decimal(1), Decimal("2.5")), R(DATE, DATE), R(NAIVE, NAIVE), R(AWARE, None), R("a", "b c"), R("a", None)],
        *[R('"', "\\"), R("", ","), R("(", ")"), R("[", " "), R("\t", "\n"), R(1.5, 2.5), R(True, False)],
        *[R(numeric.Int8(1), numeric.Int8(2)), R(numeric.Int4(1), None, "()"), R(numeric.Int2(1), None)],
        *[R(1, Decimal(2)), R(1, "a"), R(DATE, NAIVE), R(object(), None), R(dt.time(1), dt.time(2))],
    ]


def _ranges(driver: Peer) -> list[Any]:
    ranges = driver.submodule("types.range")
    generic = _generic_ranges(driver)
    typed = [
        *[ranges.Int4Range(1, 2), ranges.Int8Range(1, 2), ranges.NumericRange(1, Decimal(2))],
        *[ranges.DateRange(DATE, None), ranges.TimestampRange(NAIVE, NAIVE, "[]"), ranges.TimestamptzRange(AWARE)],
        *[
            ranges.Int4Range(empty=True),
            ranges.Int4Range(),
            ranges.DateRange(empty=True),
            ranges.TimestampRange(None, None),
        ],
    ]
    return [
        *generic,
        *typed,
        *[[each] for each in [*generic[:12], *typed]],
        [ranges.Range(1, 2), ranges.Int4Range(1, 2)],
    ]


def _multiranges(driver: Peer) -> list[Any]:
    ranges, multiranges = driver.submodule("types.range"), driver.submodule("types.multirange")
    R, M = ranges.Range, multiranges.Multirange
    return [
        *[
            M(),
            *[M([each]) for each in _generic_ranges(driver)],
            M([R(), R(1, 2)]),
            M([R(1, 2), R(Decimal(5), Decimal(6))]),
        ],
        *[M([R(empty=True), R(5, 6)]), M([ranges.Int4Range(1, 2)])],
        *[multiranges.Int4Multirange([R(1, 2)]), multiranges.Int4Multirange(), multiranges.Int8Multirange([R(1, 2)])],
        *[multiranges.NumericMultirange([R(1, 2)]), multiranges.DateMultirange([R(DATE, DATE)])],
        *[multiranges.TimestampMultirange([R(NAIVE, NAIVE)]), multiranges.TimestamptzMultirange([R(AWARE, AWARE)])],
        *[[M([R(1, 2)])], [multiranges.Int4Multirange([R(1, 2)])]],
    ]


def _numpy(driver: Peer) -> list[Any]:
    classes = [np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64, np.longlong]
    return [
        *[cls(np.iinfo(cls).max) for cls in classes],
        *[cls(np.iinfo(cls).min) for cls in classes],
        *[np.float16(1.5), np.float32(1.5), np.float64(-1.5), np.float32("inf"), np.float64("nan"), np.float32(0.1)],
        *[np.bool_(True), np.bool_(False), np.str_("a'"), np.longdouble(1.5), np.datetime64("2020-01-01")],
        *[[np.int8(1)], [np.int8(1), np.int16(2)], [np.int8(1), np.int64(2)], [np.float32(1.5)], [np.bool_(True)]],
        *[[np.float64(1), 1.5], [np.int64(1), 1], np.array([1, 2]), np.bytes_(b"a")],
    ]


def _same(values: list[Any]) -> Callable[[Peer], list[Any]]:
    return lambda driver: values


#: By group, a function that makes the values with the classes of a driver.
PARAMETERS: dict[str, Callable[[Peer], list[Any]]] = {
    **{name: _same(values) for name, values in SCALARS.items()},
    **{f"lists: {name}": _same(values) for name, values in LISTS.items()},
    "wrappers": _wrappers,
    "lists: wrappers": _lists_of_wrappers,
    "ranges": _ranges,
    "multiranges": _multiranges,
    "numpy": _numpy,
}
