"""IDs of two-phase transactions are those of psycopg."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError
from datetime import datetime, timezone
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neonps.xid import Xid


def outcome(function: Any, *args: Any) -> Any:
    """What comes of a call: the ID, as tuple, repr and str, or the exception."""
    try:
        xid = function(*args)
        return tuple(xid), len(xid), repr(xid), str(xid)
    except Exception as error:
        return type(error), str(error)


STRINGS = [
    "",
    "a",
    "hello, world!",
    "x" * 199,
    "42_Z3RyaWQ=_YnF1YWw=",
    "1__",
    "_",
    "1_",
    "12",
    "1_YQ==_YQ==",
    "01_YQ==_YQ==",
    "-1_YQ==_YQ==",
    "+1_YQ==_YQ==",
    " 1_YQ==_YQ==",
    "1_YQ==_YQ==\n",
    "1_YQ==\n_YQ==",
    "1_YQ==_YQ==_YQ==",
    "1_YQ==_YQ==x",
    "1_YQ_YQ",
    "1_a_b",
    "1_é_b",
    "1_=_",
    "0_/w==_YQ==",
    "1_YQ==_/w==",
    "2147483647_YQ==_YQ==",
    "2147483648_YQ==_YQ==",
    "99999999999_YQ==_YQ==",
    "\u0661_YQ==_YQ==",
    "\u00b2_YQ==_YQ==",
    "x_YQ==_YQ==",
    f"1_{'YWFh' * 22}_YQ==",
    f"1_YQ==_{'YWFh' * 22}",
]


@pytest.mark.parametrize("text", STRINGS)
def test_from_string(text: str) -> None:
    assert outcome(Xid.from_string, text) == outcome(psycopg.Xid.from_string, text)


@given(st.from_regex(r"[0-9]{0,11}_[A-Za-z=_\n-]{0,9}_[A-Za-z0-9+/=]{0,9}", fullmatch=True) | st.text())
def test_any_string(text: str) -> None:
    assert outcome(Xid.from_string, text) == outcome(psycopg.Xid.from_string, text)


@pytest.mark.parametrize(
    "parts",
    [
        (0, "", ""),
        (42, "gtrid", "bqual"),
        (0x7FFFFFFF, "x" * 64, "y" * 64),
        (0, "é\n'\\", "\0"),
        (-1, "g", "b"),
        (0x80000000, "g", "b"),
        (0, "g" * 65, "b"),
        (0, "g", "b" * 65),
        (1, "g", None),
        (1, None, None),
        ("1", "g", "b"),
    ],
)
def test_from_parts(parts: Any) -> None:
    assert outcome(Xid.from_parts, *parts) == outcome(psycopg.Xid.from_parts, *parts)


@pytest.mark.parametrize("parts", [(5, "x", None), (None, "x", None), (None, "x", "y"), (-1, "x" * 99, "y")])
def test_the_constructor_checks_nothing(parts: Any) -> None:
    assert outcome(Xid, *parts) == outcome(psycopg.Xid, *parts)


def test_no_format() -> None:
    """psycopg has these two the other way round, against what its messages say."""
    assert Xid.from_parts(None, "name", None) == Xid.from_string("name")
    with pytest.raises(TypeError, match="if format_id is None, bqual must be None too"):
        Xid.from_parts(None, "name", "b")


@given(st.integers(0, 0x7FFFFFFF), st.text(max_size=64), st.text(max_size=64))
def test_round_trip(format_id: int, gtrid: str, bqual: str) -> None:
    xid = Xid.from_parts(format_id, gtrid, bqual)
    assert Xid.from_string(str(xid)) == xid
    assert str(xid) == str(psycopg.Xid.from_parts(format_id, gtrid, bqual))


@pytest.mark.parametrize("cls", [psycopg.Xid, Xid])
def test_as_a_tuple(cls: Any) -> None:
    xid = cls.from_parts(1, "g", "b")
    format_id, gtrid, bqual = xid
    assert (format_id, gtrid, bqual) == (1, "g", "b")
    assert [xid[0], xid[1], xid[2], xid[-1], xid[:2]] == [1, "g", "b", "b", (1, "g")]
    with pytest.raises(IndexError):
        xid[3]
    with pytest.raises(FrozenInstanceError):
        xid.gtrid = "other"
    assert xid == cls(1, "g", "b") != cls(2, "g", "b")
    assert xid != (1, "g", "b")
    assert len({xid, cls(1, "g", "b")}) == 1
    assert pickle.loads(pickle.dumps(xid)) == copy.copy(xid) == xid
    assert (xid.prepared, xid.owner, xid.database) == (None, None, None)


def test_what_is_recovered() -> None:
    then = datetime(2020, 1, 1, tzinfo=timezone.utc)
    ours = Xid(1, "g", "b", then, "me", "db")
    assert repr(ours) == repr(psycopg.Xid(1, "g", "b", then, "me", "db"))
    assert ours._replace(owner="you").owner == "you"
