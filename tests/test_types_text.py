"""The text format: what is dumped can be loaded again, and how odd values are treated."""

from __future__ import annotations

import datetime as dt
import enum
import json
import math
import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neonps import errors as e
from neonps.adapt import AdaptersMap, Loader, PyFormat, Transformer
from neonps.postgres import adapters, types
from neonps.pq import Format
from neonps.types import json as nj
from neonps.types.numeric import Float4, Float8, Int2, Int4, Int8, IntNumeric, Oid

TEXT = st.text(st.characters(exclude_characters="\0", codec="utf-8"))
FINITE = st.decimals(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
)


def dump(value: Any, format: PyFormat = PyFormat.TEXT) -> tuple[int, bytes]:
    transformer = Transformer()
    (data,) = transformer.dump_sequence([value], [format])
    assert data is not None
    assert transformer.types is not None
    return transformer.types[0], bytes(data)


def load(type: str | int, data: bytes, format: Format = Format.TEXT) -> Any:
    oid = type if isinstance(type, int) else types.get_oid(type)
    return Transformer().get_loader(oid, format).load(data)


def again(value: Any, type: str, format: PyFormat = PyFormat.TEXT) -> Any:
    """What comes back of a value that is sent as it is, to a column of a type."""
    return load(type, dump(value, format)[1], PyFormat.as_pq(format))


@given(st.integers())
def test_integers(value: int) -> None:
    assert again(value, "int8") == value
    assert again(value, "numeric") == value


@given(st.floats())
def test_floats(value: float) -> None:
    result = again(value, "float8")
    assert math.copysign(1, result) == math.copysign(1, value) or math.isnan(value)
    assert result == value or (math.isnan(result) and math.isnan(value))


@given(FINITE)
def test_decimals(value: Decimal) -> None:
    assert again(value, "numeric").as_tuple() == value.as_tuple()


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity"])
def test_special_decimals(text: str) -> None:
    assert str(again(Decimal(text), "numeric")) == text


@given(TEXT)
def test_strings(value: str) -> None:
    for type in ("text", "varchar", "name", "bpchar", '"char"'):
        assert again(value, type) == value


@given(st.binary())
def test_bytes(value: bytes) -> None:
    for each in (value, bytearray(value), memoryview(value)):
        assert again(each, "bytea") == value


@given(st.booleans())
def test_bool(value: bool) -> None:
    assert again(value, "bool") is value


@given(st.uuids())
def test_uuids(value: uuid.UUID) -> None:
    assert again(value, "uuid") == value
    assert load("uuid", str(value).encode()) == value


@given(JSON)
def test_json(value: Any) -> None:
    assert again(nj.Json(value), "json") == value
    assert again(nj.Jsonb(value), "jsonb") == value


# Numbers


@pytest.mark.parametrize(
    ("value", "type"),
    [
        (Int2(1), "int2"),
        (Int4(1), "int4"),
        (Int8(1), "int8"),
        (IntNumeric(1), "numeric"),
        (Oid(1), "oid"),
        (Float4(1), "float4"),
        (Float8(1), "float8"),
    ],
)
def test_wrappers(value: Any, type: str) -> None:
    assert dump(value)[0] == types[type].oid
    assert value == 1
    assert repr(value).startswith(f"{value.__class__.__name__}(1")
    assert str(value) in ("1", "1.0")


def test_integers_of_any_length() -> None:
    # Python itself refuses to make text of integers of more than 4300 digits.
    assert dump(10**5000)[1] == b"1" + b"0" * 5000
    assert again(-(10**5000), "numeric") == -(10**5000)


def test_enums_that_are_integers() -> None:
    class Odd(enum.IntEnum):
        one = 1

        def __str__(self) -> str:
            return "odd"

    assert dump(Odd.one) == (types["int2"].oid, b"1")


# Text


def test_nul_is_refused() -> None:
    with pytest.raises(e.DataError, match=r"PostgreSQL text fields cannot contain NUL \(0x00\) bytes"):
        dump("a\0b")


@pytest.mark.parametrize("format", PyFormat)
def test_lone_surrogates_are_refused(format: PyFormat) -> None:
    with pytest.raises(e.DataError, match="surrogates not allowed") as raised:
        dump("a\ud800", format)
    assert isinstance(raised.value, UnicodeEncodeError)
    assert raised.value.start == 1


def test_text_that_is_not_text() -> None:
    with pytest.raises(UnicodeDecodeError):
        load("text", b"\xff")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (rb"\x", b""),
        (rb"\x00fF", b"\0\xff"),
        (rb"", b""),
        (rb"a\\b\000\377", b"a\\b\0\xff"),
        (rb"\\x41", rb"\x41"),
    ],
)
def test_bytea(text: bytes, value: bytes) -> None:
    assert load("bytea", text) == value


@pytest.mark.parametrize("text", [rb"\x0", rb"\x0g", b"\\x\xff"])
def test_bytea_that_is_not_hex(text: bytes) -> None:
    with pytest.raises(e.DataError):
        load("bytea", text)


def test_unknown_types_come_as_text() -> None:
    for oid in (0, 600, 99_999):
        assert load(oid, "(1,é)".encode()) == "(1,é)"


def test_uuid_that_is_not_one() -> None:
    with pytest.raises(e.DataError, match="can't parse uuid 'zz'"):
        load("uuid", b"zz")


# JSON functions


@pytest.fixture
def default_json() -> Iterator[None]:
    yield
    nj.set_json_dumps(json.dumps)
    nj.set_json_loads(json.loads)


def compact(obj: Any) -> str:
    return json.dumps(obj, separators=(",", ":"))


def as_text(data: Any) -> str:
    assert isinstance(data, bytes)
    return f"json: {data.decode()}"


@pytest.mark.parametrize("format", [PyFormat.TEXT, PyFormat.BINARY])
@pytest.mark.parametrize("wrapper", [nj.Json, nj.Jsonb])
def test_json_dumps(wrapper: Any, format: PyFormat) -> None:
    context = AdaptersMap(adapters)
    nj.set_json_dumps(compact, context)
    for each, expected in ((context, b"[1,2]"), (adapters, b"[1, 2]")):
        (data,) = Transformer(each).dump_sequence([wrapper([1, 2])], [format])
        assert bytes(data or b"").lstrip(b"\x01") == expected
    (data,) = Transformer(context).dump_sequence([wrapper([1], dumps=repr)], [format])
    assert bytes(data or b"").lstrip(b"\x01") == b"[1]"


@pytest.mark.parametrize("format", Format)
@pytest.mark.parametrize("type", ["json", "jsonb"])
def test_json_loads(type: str, format: Format) -> None:
    context = AdaptersMap(adapters)
    nj.set_json_loads(as_text, context)
    data = b"\x01[1]" if (type, format) == ("jsonb", Format.BINARY) else b"[1]"
    oid = types[type].oid
    assert Transformer(context).get_loader(oid, format).load(data) == "json: [1]"
    assert Transformer().get_loader(oid, format).load(data) == [1]
    array = types[type].array_oid
    assert Transformer(context).get_loader(array, Format.TEXT).load(b"{[1]}") == ["json: [1]"]


@pytest.mark.usefixtures("default_json")
def test_json_functions_of_the_module() -> None:
    nj.set_json_dumps(compact)
    nj.set_json_loads(as_text)
    assert dump(nj.Json([1, 2]))[1] == b"[1,2]"
    assert load("jsonb", b"[1]") == "json: [1]"


def test_a_class_can_be_registered_for_json() -> None:
    context = AdaptersMap(adapters)
    context.register_dumper(dict, nj.JsonbDumper)
    transformer = Transformer(context)
    assert transformer.dump_sequence([{"a": 1}], [PyFormat.AUTO]) == [b'{"a": 1}']
    assert transformer.types == (types["jsonb"].oid,)


def test_json_wrappers() -> None:
    assert repr(nj.Json({"a": 1})) == "Json({'a': 1})"
    assert len(repr(nj.Jsonb("x" * 1000))) < 80
    assert nj.Json(1).obj == 1
    assert nj.Json(1).dumps is None


# Enumerations


def test_enum_is_dumped_as_its_name() -> None:
    member = enum.Enum("Member", ["one", "zwölf"]).zwölf  # type: ignore[attr-defined]
    assert dump(member) == (0, "zwölf".encode())


def test_flags_without_a_name() -> None:
    with pytest.raises(e.DataError, match="has no name"):
        dump(enum.Flag("Flags", ["a"])(0))


# The loaders are for every type


def test_every_type_has_loaders_that_load() -> None:
    class Any_(Loader):
        def load(self, data: Any) -> Any:
            return data

    context = AdaptersMap(adapters)
    for info in types:
        context.register_loader(info.oid, Any_)
        if info.array_oid:
            text = f"{{a{info.delimiter}NULL}}".encode()
            assert Transformer(context).get_loader(info.array_oid, Format.TEXT).load(text) == [b"a", None]


def test_dates_are_not_dumped_as_datetimes() -> None:
    assert dump(dt.date(2020, 1, 2)) == (types["date"].oid, b"2020-01-02")
    assert dump(dt.datetime(2020, 1, 2)) == (types["timestamp"].oid, b"2020-01-02 00:00:00")
