"""The binary format: what is dumped can be loaded again, and malformed values are refused."""

from __future__ import annotations

import math
import struct
import uuid
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neonps import errors as e
from neonps.adapt import PyFormat, Transformer
from neonps.postgres import types
from neonps.pq import Format
from neonps.types import json as nj
from neonps.types.numeric import (
    DecimalBinaryDumper,
    Float4,
    Int2,
    Int4,
    Int8,
    NumericBinaryLoader,
    Oid,
)

TEXT = st.text(st.characters(codec="utf-8"))


def again(value: Any) -> Any:
    """What comes back of a value as the type that it is sent as."""
    transformer = Transformer()
    (data,) = transformer.dump_sequence([value], [PyFormat.BINARY])
    assert data is not None
    assert transformer.types is not None
    assert transformer.formats == [Format.BINARY]
    return transformer.get_loader(transformer.types[0], Format.BINARY).load(bytes(data))


def load(type: str, data: bytes) -> Any:
    return Transformer().get_loader(types[type].oid, Format.BINARY).load(data)


@given(st.integers())
def test_integers(value: int) -> None:
    assert again(value) == value


@given(st.floats())
def test_floats(value: float) -> None:
    assert struct.pack("d", again(value)) == struct.pack("d", value) or math.isnan(value)


@given(st.floats(width=32, allow_nan=False))
def test_float4(value: float) -> None:
    assert again(Float4(value)) == value


def test_float4_that_is_too_large_is_infinite() -> None:
    assert again(Float4(1e300)) == math.inf
    assert again(Float4(-1e300)) == -math.inf


@given(st.decimals(allow_nan=False))
def test_decimals(value: Decimal) -> None:
    if value.is_finite() and abs(value.adjusted()) > 1000:
        value = value.scaleb(-value.adjusted())
    result = again(value)
    assert result == value
    exponent = value.as_tuple().exponent
    if isinstance(exponent, int):
        # As many digits after the point, zeros included; no exponents, which Postgres has not.
        assert result.as_tuple().exponent == min(exponent, 0)


@given(st.integers(-(10**40), 10**40), st.integers(-60, 60))
def test_numeric_digits(digits: int, exponent: int) -> None:
    value = Decimal(f"{digits}E{exponent}")
    data = bytes(DecimalBinaryDumper(Decimal).dump(value) or b"")
    ndigits, weight, sign, dscale = struct.unpack_from("!HhHH", data)
    groups = struct.unpack_from(f"!{ndigits}H", data, 8)
    assert len(data) == 8 + 2 * ndigits
    assert all(group < 10_000 for group in groups)
    assert dscale == max(0, -exponent)
    total = sum(Fraction(group) * Fraction(10_000) ** (weight - i) for i, group in enumerate(groups))
    assert (-total if sign else total) == Fraction(value)


@pytest.mark.parametrize(
    ("header", "text"),
    [
        ((0, 0, 0xC000, 0), "NaN"),
        ((0, 0, 0xD000, 0x20), "Infinity"),
        ((0, 0, 0xF000, 0x20), "-Infinity"),
        ((0, 0, 0, 0), "0"),
        ((0, 0, 0, 3), "0.000"),
        ((1, 0, 0x4000, 0, 5), "-5"),
        ((1, 2, 0, 0, 1), "100000000"),
        ((1, -3, 0, 12, 1), "1E-12"),
        ((1, -1, 0, 1, 5000), "0.5"),
        ((2, 0, 0, 2, 1, 1234), "1.12"),
    ],
)
def test_numeric_values(header: tuple[int, ...], text: str) -> None:
    data = struct.pack(f"!HhHH{len(header) - 4}H", *header)
    assert str(load("numeric", data)) == text


@pytest.mark.parametrize(
    "data", [b"", b"\0\0\0\0\0\0", struct.pack("!HhHH", 1, 0, 0, 0), struct.pack("!HhHH", 0, 0, 0x8000, 0)]
)
def test_malformed_numeric(data: bytes) -> None:
    with pytest.raises(e.DataError, match=r"bad ndigits|bad value for numeric sign: 0x8000"):
        NumericBinaryLoader(1700).load(data)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1e131072", "decimal too large for PostgreSQL numeric binary format"),
        ("1e999999", "decimal too large for PostgreSQL numeric binary format"),
        ("1e-16384", "decimal too precise for PostgreSQL numeric binary format"),
        ("0e-999999", "decimal too precise for PostgreSQL numeric binary format"),
    ],
)
def test_decimals_that_numeric_cannot_hold(text: str, message: str) -> None:
    with pytest.raises(e.DataError, match=message):
        again(Decimal(text))


def test_the_limits_of_numeric() -> None:
    for text in ("1e131071", "1e-16383", "9" * 131072, "0." + "1" * 16383):
        assert again(Decimal(text)) == Decimal(text)


@pytest.mark.parametrize(
    "value", [Int2(2**15), Int2(-(2**15) - 1), Int4(2**31), Int8(2**63), Oid(-1), Oid(2**32)], ids=repr
)
def test_integers_out_of_range(value: int) -> None:
    with pytest.raises(e.DataError, match=f"cannot dump {int(value)}: out of range"):
        again(value)


@given(TEXT)
def test_strings(value: str) -> None:
    # A NUL is sent, and refused by the server.
    assert again(value) == value


@given(st.binary())
def test_bytes(value: bytes) -> None:
    assert again(value) == value
    assert again(bytearray(value)) == value
    assert again(memoryview(value)) == value


@given(st.booleans())
def test_bool(value: bool) -> None:
    assert again(value) is value


@given(st.uuids())
def test_uuids(value: uuid.UUID) -> None:
    assert again(value) == value


def test_uuid_that_is_not_one() -> None:
    with pytest.raises(e.DataError):
        load("uuid", b"12345")


@pytest.mark.parametrize("value", [None, [1, {"a": "é"}], "x", 1.5, {}])
def test_json(value: Any) -> None:
    assert again(nj.Json(value)) == value
    assert again(nj.Jsonb(value)) == value


@pytest.mark.parametrize(("data", "version"), [(b"\x02{}", "2"), (b"", "no data")])
def test_jsonb_of_another_version(data: bytes, version: str) -> None:
    with pytest.raises(e.DataError, match=f"unknown jsonb binary format: {version}"):
        load("jsonb", data)


def test_unknown_types_come_as_bytes() -> None:
    assert Transformer().get_loader(99_999, Format.BINARY).load(b"\0\1") == b"\0\1"
