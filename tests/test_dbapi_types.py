"""The type objects and constructors of PEP 249."""

from __future__ import annotations

import datetime as dt

import psycopg
import pytest

from neonps import dbapi
from neonps.adapt import PyFormat, Transformer


@pytest.mark.parametrize("name", ["STRING", "BINARY", "NUMBER", "DATETIME", "ROWID"])
def test_type_objects(name: str) -> None:
    ours, theirs = getattr(dbapi, name), getattr(psycopg, name)
    assert ours.values == set(theirs.values)
    for info in psycopg.postgres.types:
        assert (ours == info.oid) is (theirs == info.oid)
        assert (info.oid == ours) is (info.oid == theirs)
        assert (ours != info.oid) is (theirs != info.oid)
    assert ours == getattr(dbapi, name)
    assert ours != "text"
    assert repr(ours) == f"neonps.{name}"


def test_constructors() -> None:
    assert dbapi.Date(2020, 2, 3) == dt.date(2020, 2, 3)
    assert dbapi.Time(4, 5, 6) == dt.time(4, 5, 6)
    assert dbapi.Timestamp(2020, 2, 3, 4, 5, 6) == dt.datetime(2020, 2, 3, 4, 5, 6)
    for ticks in (0, 1.5, 1_600_000_000.25, -5):
        for name in ("DateFromTicks", "TimeFromTicks", "TimestampFromTicks"):
            ours, theirs = getattr(dbapi, name)(ticks), getattr(psycopg, name)(ticks)
            assert (type(ours), ours) == (type(theirs), theirs)


@pytest.mark.parametrize("data", [b"", b"a\0\\'\xff", bytearray(b"abc"), memoryview(b"abc")])
def test_binary(data: bytes) -> None:
    transformer = Transformer()
    wrapped = dbapi.Binary(data)
    assert wrapped.obj == data
    assert dbapi.Binary(wrapped).obj == data
    assert bytes(transformer.dump_sequence([wrapped], [PyFormat.BINARY])[0] or b"") == bytes(data)
    assert transformer.types == (17,)
    text = transformer.dump_sequence([wrapped], [PyFormat.TEXT])[0]
    assert text == b"\\x" + bytes(data).hex().encode()
    assert transformer.types == (17,)


def test_binary_repr_is_short() -> None:
    assert repr(dbapi.Binary(b"abc")) == "Binary(b'abc')"
    assert len(repr(dbapi.Binary(b"x" * 10_000))) < 80
