"""The enumerations of `neonps.pq` are those of psycopg."""

from __future__ import annotations

from enum import EnumMeta

import psycopg.pq
import pytest

import neonps.pq

NAMES = [name for name in dir(psycopg.pq) if isinstance(getattr(psycopg.pq, name), EnumMeta)]


@pytest.mark.parametrize("name", NAMES)
def test_members(name: str) -> None:
    theirs, ours = getattr(psycopg.pq, name), getattr(neonps.pq, name)
    assert {k: int(v) for k, v in ours.__members__.items()} == {k: int(v) for k, v in theirs.__members__.items()}


def test_all_are_there() -> None:
    assert {"ConnStatus", "ExecStatus", "Format", "TransactionStatus", "DiagnosticField"} <= set(NAMES)
