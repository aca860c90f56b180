"""Values of every type come from the server as the same Python values as with psycopg, in both formats."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from compared import SESSIONS, TRANSPORTS, Driver, Drivers
from type_values import TEXTS, WITHOUT_VALUES, arrays

# HTTP carries text only, whatever is asked for: `test_binary_results` has that.
TRANSPORTS_BY_FORMAT = {False: TRANSPORTS, True: SESSIONS}
BINARY = pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])


def fetched(driver: Driver, query: str, params: list[Any], binary: bool) -> Any:
    return driver.connection.execute(query, params, binary=binary).fetchone()[0]


def compare(drivers: Drivers, query: str, params: list[Any], binary: bool, messages: bool = True) -> None:
    """Run a query that gives one value everywhere."""

    drivers.compare(fetched, query, params, binary, transports=TRANSPORTS_BY_FORMAT[binary], messages=messages)


def test_there_are_values_of_every_type() -> None:
    assert {info.name for info in psycopg.postgres.types} == {*TEXTS, *WITHOUT_VALUES, "record"}


@BINARY
@pytest.mark.parametrize("type", TEXTS)
def test_value(drivers: Drivers, type: str, binary: bool) -> None:
    for value in TEXTS[type]:
        compare(drivers, f"select %s::text::{type}", [value], binary)


@BINARY
@pytest.mark.parametrize("type", TEXTS)
def test_array(drivers: Drivers, type: str, binary: bool) -> None:
    for value in TEXTS[type]:
        for array in arrays(type, value):
            # In messages, psycopg shows more of the array than the element that it cannot read.
            compare(drivers, f"select %s::text::{type}[]", [array], binary, messages=False)


@BINARY
@pytest.mark.parametrize("type", TEXTS)
def test_field_of_a_record(drivers: Drivers, type: str, binary: bool) -> None:
    for value in TEXTS[type]:
        compare(drivers, f"select row(%s::text::{type}, null, 'a b')", [value], binary)
        compare(drivers, f"select array[row(%s::text::{type}, row(1, null))]", [value], binary)
