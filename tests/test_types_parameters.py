"""Python values get to the server as with psycopg: as the same type, with the same value, in every format."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
from compared import SESSIONS, TRANSPORTS, Driver, Drivers
from type_parameters import PARAMETERS

GROUPS = pytest.mark.parametrize("group", PARAMETERS)

Wrap = Callable[[Any], Any]


def compare_each(
    drivers: Drivers, group: str, expressions: list[tuple[str, Wrap]], *, http: bool = True, messages: bool = True
) -> None:
    """Run a query of these expressions with each of the values, wrapped, as its parameters.

    Over HTTP all parameters are text, so they do there what those of `%t` do otherwise.
    """
    formats = {"t": TRANSPORTS if http else SESSIONS, "s": SESSIONS, "b": SESSIONS}
    for values in each(drivers, group):
        for format, transports in formats.items():
            how: Any = {"transports": transports, "messages": messages}
            drivers.compare_parts(selected, expressions, format, values, **how)


def selected(driver: Driver, expressions: list[tuple[str, Wrap]], format: str, values: dict[str, Any]) -> Any:
    query = "select " + ", ".join([expression.replace("%s", f"%{format}") for expression, _ in expressions])
    return driver.connection.execute(query, [wrap(values[driver.name]) for _, wrap in expressions]).fetchone()


def each(drivers: Drivers, group: str) -> list[dict[str, Any]]:
    """The values of a group: each is made with the classes of each driver."""
    values = {driver.name: PARAMETERS[group](driver) for driver in drivers.all}
    return [dict(zip(values, same, strict=True)) for same in zip(*values.values(), strict=True)]


def plain(value: Any) -> Any:
    return value


def repeated(value: Any) -> list[Any]:
    # Lists are dimensions: None beside one is no array. psycopg takes a list that is there twice for a recursive one.
    return [value, deepcopy(value)] if isinstance(value, list) else [None, value, value]


def nested(value: Any) -> list[Any]:
    return [[value], [deepcopy(value)]] if isinstance(value, list) else [[value], [None]]


@GROUPS
def test_value(drivers: Drivers, group: str) -> None:
    compare_each(drivers, group, [("pg_typeof(%s)::text", plain), ("(%s)::text", plain), ("%s", plain)])


@GROUPS
def test_element(drivers: Drivers, group: str) -> None:
    expressions: list[tuple[str, Wrap]] = [
        ("pg_typeof(%s)::text", lambda value: [value]),
        ("(%s)::text", repeated),
        ("(%s)::text", nested),
        ("%s", lambda value: [value]),
    ]
    # psycopg takes what is behind a date of an array for a part of it, and then does not see that it is BC.
    compare_each(drivers, group, expressions, messages=group != "datetime")


@GROUPS
def test_field(drivers: Drivers, group: str) -> None:
    # Over HTTP the style of intervals in text is another, one that can be read whatever IntervalStyle says.
    http = group not in ("timedelta", "lists: others")
    compare_each(drivers, group, [("(%s)::text", lambda value: (value, None, 1))], http=http)


@GROUPS
def test_literal(drivers: Drivers, group: str) -> None:
    wraps: list[Wrap] = [plain, lambda value: [value], lambda value: (value,)]
    for values in each(drivers, group):
        for wrap in wraps:
            drivers.compare(literal, values, wrap, transports=SESSIONS)


def literal(driver: Driver, values: dict[str, Any], wrap: Wrap) -> Any:
    return driver.submodule("sql").Literal(wrap(values[driver.name])).as_string(driver.connection)
