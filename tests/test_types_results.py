"""Values of every type come from the server as the same Python values as with psycopg, in both formats."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from compared import SESSIONS, TRANSPORTS, Driver, Drivers
from type_values import TEXTS, WITHOUT_VALUES, arrays

# HTTP carries text only, whatever is asked for: `test_binary_results` has that.
BINARY = pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])


def fetched(driver: Driver, columns: list[tuple[str, str]], binary: bool) -> Any:
    query = "select " + ", ".join([expression for expression, _ in columns])
    return driver.connection.execute(query, [text for _, text in columns], binary=binary).fetchone()


def compare(drivers: Drivers, columns: list[tuple[str, str]], binary: bool, messages: bool = True) -> None:
    """Run a query of expressions, each with the text for its parameter."""
    drivers.compare_parts(fetched, columns, binary, transports=SESSIONS if binary else TRANSPORTS, messages=messages)


def test_there_are_values_of_every_type() -> None:
    assert {info.name for info in psycopg.postgres.types} == {*TEXTS, *WITHOUT_VALUES, "record"}


@BINARY
@pytest.mark.parametrize("type", TEXTS)
def test_value(drivers: Drivers, type: str, binary: bool) -> None:
    compare(drivers, [(f"%s::text::{type}", value) for value in TEXTS[type]], binary)


@BINARY
@pytest.mark.parametrize("type", TEXTS)
def test_array(drivers: Drivers, type: str, binary: bool) -> None:
    for value in TEXTS[type]:
        # In messages, psycopg shows more of the array than the element that it cannot read.
        compare(drivers, [(f"%s::text::{type}[]", array) for array in arrays(type, value)], binary, messages=False)


@BINARY
@pytest.mark.parametrize("type", TEXTS)
def test_field_of_a_record(drivers: Drivers, type: str, binary: bool) -> None:
    for value in TEXTS[type]:
        columns = [
            (f"row(%s::text::{type}, null, 'a b')", value),
            (f"array[row(%s::text::{type}, row(1, null))]", value),
        ]
        compare(drivers, columns, binary)
