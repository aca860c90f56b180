"""What is in `neonps.pq` is as in psycopg."""

from __future__ import annotations

from enum import EnumMeta
from types import SimpleNamespace
from typing import Any

import psycopg.pq
import pytest

import neonps
import neonps.pq

NAMES = [name for name in dir(psycopg.pq) if isinstance(getattr(psycopg.pq, name), EnumMeta)]


@pytest.mark.parametrize("name", NAMES)
def test_members(name: str) -> None:
    theirs, ours = getattr(psycopg.pq, name), getattr(neonps.pq, name)
    assert {k: int(v) for k, v in ours.__members__.items()} == {k: int(v) for k, v in theirs.__members__.items()}


def test_all_are_there() -> None:
    assert {"ConnStatus", "ExecStatus", "Format", "TransactionStatus", "DiagnosticField"} <= set(NAMES)


def test_version() -> None:
    assert neonps.pq.version() == neonps.pq.__build_version__ == 180000
    assert neonps.pq.__impl__ == "python"


@pytest.mark.parametrize("number", [180000, 180006, 140011, 100002, 90624, 90300])
def test_version_pretty(number: int) -> None:
    assert neonps.pq.version_pretty(number) == psycopg.pq.version_pretty(number)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (b"ERROR:  column does not exist\nLINE 1: select foo\n               ^\n", None),
        ("plain", "plain"),
        (b"", "no error details available"),
        (b"\xe9t\xe9", "\ufffdt\ufffd"),
    ],
)
def test_error_message(message: Any, expected: str | None) -> None:
    if expected is None:
        expected = message.decode().removeprefix("ERROR:  ").strip()
    assert neonps.pq.error_message(SimpleNamespace(error_message=message)) == expected


def test_error_message_in_an_encoding() -> None:
    assert neonps.pq.error_message(SimpleNamespace(error_message=b"\xe9t\xe9"), "latin1") == "été"
    with pytest.raises(AttributeError):
        neonps.pq.error_message("no such thing")


def test_error_message_of_a_connection(dsn: str) -> None:
    with psycopg.connect(dsn) as theirs, neonps.connect(dsn) as ours:
        assert neonps.pq.error_message(ours.pgconn) == psycopg.pq.error_message(theirs.pgconn)
