"""Values of every type go in and out by COPY as with psycopg, as text and binary, with and without `set_types`."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from compared import SESSIONS, Driver, Drivers
from type_parameters import AWARE, DATE, INTEGERS, LISTS, NAIVE, PARAMETERS, SCALARS
from type_values import TEXTS, arrays

FORMATS = pytest.mark.parametrize("format", ["text", "binary"])
WITH_TYPES = pytest.mark.parametrize("typed", [False, True], ids=["untyped", "typed"])


def copied_out(driver: Driver, columns: list[tuple[str, str]], format: str, typed: bool) -> Any:
    values = ", ".join([f"%s::text::{type}" for type, _ in columns])
    query = f"copy (select {values}, null::int4) to stdout (format {format})"
    with driver.connection.cursor().copy(query, [text for _, text in columns]) as copy:
        if typed:
            copy.set_types([*[type for type, _ in columns], "int4"])
        return list(copy.rows())


@WITH_TYPES
@FORMATS
@pytest.mark.parametrize("type", TEXTS)
def test_out(drivers: Drivers, type: str, format: str, typed: bool) -> None:
    for value in TEXTS[type]:
        columns = [(type, value), *[(f"{type}[]", array) for array in arrays(type, value)]]
        # In messages, psycopg shows more of the row than the value that it cannot read.
        drivers.compare_parts(copied_out, columns, format, typed, transports=SESSIONS, messages=False)


#: For each type, groups of parameters that are written to a column of it; many of them do not fit.
UNTYPED = {
    type: groups.split(", ")
    for types, groups in [
        ("bool", "bool"),
        ("int2 int4 oid", "int, bool"),
        ("numeric", "int, decimal, float"),
        ("float4 float8", "float, int, decimal"),
        ('text "char"', "str, enum"),
        ("bytea", "bytes"),
        ("uuid", "uuid"),
        ("json jsonb", "wrappers"),
        ("date", "date, datetime"),
        ("time timetz", "time"),
        ("timestamp timestamptz", "datetime, date"),
        ("interval", "timedelta"),
        ("inet cidr", "addresses"),
        ("int4range daterange tstzrange", "ranges"),
        ("int8multirange tsmultirange", "multiranges"),
        ("int2[] numeric[]", "lists: integers, lists: dimensions"),
        ("text[]", "lists: text, lists: dimensions, lists: empty"),
        ("timestamptz[] float8[] uuid[] bytea[] inet[]", "lists: others"),
    ]
    for type in types.split()
}


@FORMATS
@pytest.mark.parametrize("type", UNTYPED)
def test_in(drivers: Drivers, type: str, format: str) -> None:
    for group in UNTYPED[type]:
        compare_in(drivers, type, format, PARAMETERS[group], typed=False)


def integers(minimum: int, maximum: int) -> list[int]:
    return [number for number in INTEGERS if minimum <= number <= maximum] + [True]


ADDRESSES = [value for value in SCALARS["addresses"] if "Network" not in type(value).__name__]
NETWORKS = [value for value in SCALARS["addresses"] if "Network" in type(value).__name__]

#: For each type, values of a class that is right for it.
TYPED: dict[str, list[Any]] = {
    "bool": [True, False],
    "int2": integers(-(2**15), 2**15 - 1),
    "int4": integers(-(2**31), 2**31 - 1),
    "int8": integers(-(2**63), 2**63 - 1),
    "oid": integers(0, 2**32 - 1),
    "numeric": [*SCALARS["decimal"], *SCALARS["int"]],
    "float4": [*SCALARS["float"], 1, True, Decimal(2), 1e39],
    "float8": [*SCALARS["float"], 1, True, Decimal(2)],
    "text": SCALARS["str"],
    "varchar": SCALARS["str"],
    "name": SCALARS["str"],
    "bpchar": ["", "a"],
    "money": ["", "1"],
    "bytea": SCALARS["bytes"],
    "uuid": SCALARS["uuid"],
    "date": [*SCALARS["date"], NAIVE, AWARE],
    "time": SCALARS["time"],
    "timetz": [value for value in SCALARS["time"] if value.utcoffset() is not None],
    "timestamp": [value for value in SCALARS["datetime"] if value.tzinfo is None],
    "timestamptz": [value for value in SCALARS["datetime"] if value.tzinfo is not None],
    "interval": SCALARS["timedelta"],
    "inet": ADDRESSES,
    "cidr": NETWORKS,
    "int4[]": [[], [1, None], [[1], [2]], [2**31 - 1, -(2**31)], [None], [[1], [2, 3]], [[], [1]]],
    "text[]": [*LISTS["text"], *LISTS["empty"]],
    "numeric[]": [[Decimal("1.5"), 2, None], [Decimal("NaN")]],
    "timestamptz[]": [[AWARE, None]],
    "inet[]": [ADDRESSES],
}

#: The same for types whose values have classes of the driver.
TYPED_BY_DRIVER: dict[str, Callable[[Driver], list[Any]]] = {
    "json": lambda driver: [driver.submodule("types.json").Json({"a": [1, "é"]})],
    "jsonb": lambda driver: [driver.submodule("types.json").Jsonb({"a": [1, "é"]})],
    "jsonb[]": lambda driver: [[driver.submodule("types.json").Jsonb('"'), None]],
    "int4range": lambda driver: ranges(driver, 1, 5),
    "int8range": lambda driver: ranges(driver, 1, 5),
    "numrange": lambda driver: ranges(driver, 1, Decimal("5.5")),
    "daterange": lambda driver: ranges(driver, DATE, DATE),
    "tsrange": lambda driver: ranges(driver, NAIVE, NAIVE),
    "tstzrange": lambda driver: ranges(driver, AWARE, AWARE),
    "int4range[]": lambda driver: [[*ranges(driver, 1, 5), None]],
    "int4multirange": lambda driver: multiranges(driver, 1, 5),
    "nummultirange": lambda driver: multiranges(driver, Decimal(1), 5),
    "datemultirange": lambda driver: multiranges(driver, DATE, DATE),
    "tstzmultirange": lambda driver: multiranges(driver, AWARE, AWARE),
}


def ranges(driver: Driver, lower: Any, upper: Any) -> list[Any]:
    Range = driver.submodule("types.range").Range
    return [Range(lower, upper, "[]"), Range(None, upper), Range(lower, None, "()"), Range(), Range(empty=True)]


def multiranges(driver: Driver, lower: Any, upper: Any) -> list[Any]:
    Multirange = driver.submodule("types.multirange").Multirange
    return [Multirange(ranges(driver, lower, upper)), Multirange(), Multirange(ranges(driver, lower, upper)[:1])]


@FORMATS
@pytest.mark.parametrize("type", [*TYPED, *TYPED_BY_DRIVER])
def test_in_typed(drivers: Drivers, type: str, format: str) -> None:
    compare_in(drivers, type, format, TYPED_BY_DRIVER.get(type, lambda driver: TYPED[type]), typed=True)


def compare_in(
    drivers: Drivers, type: str, format: str, values_of: Callable[[Driver], list[Any]], *, typed: bool
) -> None:
    """Write each of the values to a column of a type, and read what is there then."""
    values = {}
    for driver in drivers.all:
        values[driver.name] = values_of(driver)
        if driver.name in ("psycopg", *SESSIONS):
            driver.connection.execute(f"drop table if exists copied_{format}")
            driver.connection.execute(f"create temp table copied_{format} (x {type})")
    for number in range(len(values["psycopg"])):
        same = {name: each[number] for name, each in values.items()}
        drivers.compare(copied_in, format, type if typed else None, same, transports=SESSIONS)


def copied_in(driver: Driver, format: str, type: str | None, values: dict[str, Any]) -> Any:
    cursor = driver.connection.cursor()
    cursor.execute(f"delete from copied_{format}")
    with cursor.copy(f"copy copied_{format} from stdin (format {format})") as copy:
        if type is not None:
            copy.set_types([type])
        copy.write_row([values[driver.name]])
    # Not prepared, since the type of the column changes.
    return cursor.execute(f"select x::text from copied_{format}", prepare=False).fetchall()
