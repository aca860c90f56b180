"""Types that are registered, without a server: enum, composite, hstore; also inet, cidr, and malformed values."""

from __future__ import annotations

import enum
import ipaddress
from collections import namedtuple
from types import ModuleType
from typing import Any

import psycopg
import psycopg.adapt
import psycopg.types.composite
import psycopg.types.enum
import psycopg.types.hstore
import pytest
from hypothesis import given
from hypothesis import strategies as st

import neonps.adapt
import neonps.postgres
import neonps.types.composite
import neonps.types.enum
import neonps.types.hstore
from neonps import errors as e
from neonps.adapt import AdaptersMap, PyFormat, Transformer
from neonps.pq import Format
from neonps.types.composite import CompositeInfo, register_composite
from neonps.types.enum import EnumInfo, register_enum
from neonps.types.hstore import register_hstore

Item = namedtuple("Item", ["name", "size"])
TEXT = st.text(st.characters(exclude_characters="\0", codec="utf-8")) | st.text(
    st.sampled_from(list('"\\,()=>{} aNUL\t\n')), max_size=8
)


class Color(enum.Enum):
    red = 1
    dark_blue = 2
    grün = 3


class Label(str, enum.Enum):
    red = "x"
    other = "y"


class Size:
    def __init__(self, width: Any, height: Any) -> None:
        self.values = [width, height]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Size) and self.values == other.values

    def __hash__(self) -> int:
        return hash(tuple(self.values))


def new_maps() -> tuple[AdaptersMap, psycopg.adapt.AdaptersMap]:
    return AdaptersMap(neonps.postgres.adapters), psycopg.adapt.AdaptersMap(psycopg.adapters)


def dumped(adapt: ModuleType, context: Any, value: Any, format: str) -> Any:
    transformer = adapt.Transformer(context)
    try:
        (data,) = transformer.dump_sequence([value], [adapt.PyFormat(format)])
        literal = bytes(transformer.as_literal(value))
    except Exception as ex:
        return type(ex).__name__, str(ex)
    return bytes(data), literal, tuple(transformer.types), [*map(int, transformer.formats)]


def loaded(adapt: ModuleType, context: Any, oid: int, format: int, data: bytes) -> Any:
    try:
        return adapt.Transformer(context).get_loader(oid, neonps.pq.Format(format)).load(data)
    except Exception as ex:
        return type(ex).__name__, str(ex)


def check_dump(ours: Any, theirs: Any, values: list[Any]) -> None:
    for value in values:
        for format in "stb":
            expected = dumped(psycopg.adapt, theirs, value, format)
            assert dumped(neonps.adapt, ours, value, format) == expected


def check_load(ours: Any, theirs: Any, oid: int, format: int, values: list[bytes]) -> None:
    for value in values:
        expected = loaded(psycopg.adapt, theirs, oid, format, value)
        assert loaded(neonps.adapt, ours, oid, format, value) == expected


# Enumerations


@pytest.mark.parametrize(
    ("cls", "labels", "mapping"),
    [
        (Color, ["red", "dark_blue", "grün"], None),
        (Color, ["red", "unknown"], None),
        (Color, ["RED", "BLUE", "grün"], {Color.red: "RED", Color.dark_blue: "BLUE"}),
        (Color, ["x", "y"], [(Color.red, "x"), (Color.red, "y")]),
        (Color, ["x", "y"], {Color.red: "nosuch"}),
        (Label, ["red", "other"], None),
        (Label, ["x", "y"], {member: member.value for member in Label}),
    ],
)
def test_enum(cls: Any, labels: list[str], mapping: Any) -> None:
    ours, theirs = new_maps()
    info = EnumInfo("color", 100_000, 100_001, labels)
    register_enum(info, ours, cls, mapping=mapping)
    their_info = psycopg.types.enum.EnumInfo("color", 100_000, 100_001, labels)
    psycopg.types.enum.register_enum(their_info, theirs, cls, mapping=mapping)
    assert info.enum is cls
    assert info.labels == labels
    members = list(cls)
    check_dump(ours, theirs, [*members, members, [members[0], None]])
    for format in (0, 1):
        check_load(ours, theirs, 100_000, format, [label.encode() for label in [*labels, "red", "x", "nosuch"]])
    check_load(ours, theirs, 100_001, 0, [f"{{{label},NULL}}".encode() for label in labels])


def test_enum_that_is_made() -> None:
    ours, theirs = new_maps()
    for labels in (["a", "b c", "é"], []):
        info = EnumInfo("my color", 100_000, 100_001, labels)
        register_enum(info, ours)
        their_info = psycopg.types.enum.EnumInfo("my color", 100_000, 100_001, labels)
        psycopg.types.enum.register_enum(their_info, theirs)
        assert info.enum is not None
        assert their_info.enum is not None
        assert info.enum.__name__ == their_info.enum.__name__ == "My Color"
        assert [(m.name, m.value) for m in info.enum] == [(m.name, m.value) for m in their_info.enum]
        for label, member in zip(labels, info.enum, strict=True):
            assert Transformer(ours).get_loader(100_000, Format.TEXT).load(label.encode()) is member


# Composite types

RECORDS = [b"(a,1)", b'("a b",)', b'("a""b\\\\",2)', b"(,)", b'("",3)', b"({x},4)", b'("(1,2)",5)']


def pack(*fields: tuple[int, bytes | None]) -> bytes:
    parts = [len(fields).to_bytes(4, "big")]
    for oid, data in fields:
        parts.append(oid.to_bytes(4, "big"))
        parts.append((-1 if data is None else len(data)).to_bytes(4, "big", signed=True) + (data or b""))
    return b"".join(parts)


BINARY_RECORDS = [pack((25, b"a"), (23, b"\0\0\0\7")), pack((25, None), (23, None))]


def make_size(values: Any, info: Any) -> Any:
    return Size(*values)


def size_values(obj: Size, info: Any) -> Any:
    return obj.values


@pytest.mark.parametrize(
    ("factory", "options", "objects"),
    [
        (Item, {}, [Item("a", 1), Item(None, None), Item("a", "x"), Item('"\\', 5)]),
        (Size, {"make_sequence": size_values}, [Size("a", 1), Size(None, None)]),
        (Size, {"make_object": make_size, "make_sequence": size_values}, [Size("a b", 1)]),
        (None, {"make_object": make_size}, []),
        (lambda *args: list(args), {}, []),
    ],
)
def test_composite(factory: Any, options: Any, objects: list[Any]) -> None:
    ours, theirs = new_maps()
    fields: Any = {"field_names": ["name", "size"], "field_types": [25, 23]}
    info = CompositeInfo("item", 100_000, 100_001, **fields)
    register_composite(info, ours, factory, **options)
    their_info = psycopg.types.composite.CompositeInfo("item", 100_000, 100_001, **fields)
    psycopg.types.composite.register_composite(their_info, theirs, factory, **options)
    if factory is not None:
        assert info.python_type is their_info.python_type
    check_load(ours, theirs, 100_000, 0, [*RECORDS, b"(a,1,2)", b"(a)"])
    check_load(ours, theirs, 100_000, 1, BINARY_RECORDS)
    check_load(ours, theirs, 100_001, 0, [b'{"(a,1)",NULL}'])
    for value in objects:
        for format in "stb" if value != Item("a", "x") else "st":
            expected = dumped(psycopg.adapt, theirs, value, format)
            assert dumped(neonps.adapt, ours, value, format) == expected
            expected = dumped(psycopg.adapt, theirs, [value], format)
            assert dumped(neonps.adapt, ours, [value], format) == expected


def test_composite_that_is_made() -> None:
    context = new_maps()[0]
    info = CompositeInfo(
        "my item", 100_000, 100_001, field_names=["a", "b c", "_d", "1e", "class", "é"], field_types=[25] * 6
    )
    register_composite(info, context)
    cls: Any = info.python_type
    assert cls.__name__ == "my_item"
    assert cls._fields == ("a", "b_c", "f_d", "f1e", "_4", "é")
    value = Transformer(context).get_loader(100_000, Format.TEXT).load(b"(1,2,3,4,5,6)")
    assert value == cls("1", "2", "3", "4", "5", "6")
    assert Transformer(context).dump_sequence([value], [PyFormat.AUTO]) == [b"(1,2,3,4,5,6)"]


def test_a_single_field_that_is_null() -> None:
    context = new_maps()[0]
    info = CompositeInfo("one", 100_000, 100_001, field_names=["a"], field_types=[25])
    register_composite(info, context)
    cls: Any = info.python_type
    assert Transformer(context).get_loader(100_000, Format.TEXT).load(b"()") == cls(None)
    assert Transformer(context).get_loader(100_000, Format.TEXT).load(b'("")') == cls("")


def test_objects_that_are_no_sequences(caplog: pytest.LogCaptureFixture) -> None:
    context = new_maps()[0]
    info = CompositeInfo("item", 100_000, 100_001, field_names=["a", "b"], field_types=[25, 23])
    register_composite(info, context, Size)
    assert "the type 'Size' is not a sequence" in caplog.text
    with pytest.raises(TypeError, match="'Size' objects cannot be dumped without specifying 'make_sequence'"):
        Transformer(context).dump_sequence([Size(1, 2)], [PyFormat.AUTO])
    with pytest.raises(TypeError, match="is not a type"):
        register_composite(info, context, make_size, make_sequence=size_values)
    register_composite(info, context, Size, make_sequence=lambda obj, info: [1])
    with pytest.raises(e.DataError, match="item has 2 fields, not 1"):
        Transformer(context).dump_sequence([Size(1, 2)], [PyFormat.BINARY])


def test_tuples() -> None:
    values: list[Any] = [(), (None,), (1,), ("",), ("a b", '"', "\\", ",", "(", ")", "NULL", "{", "'", "\t", "é")]
    values += [(1.5, True, None, [1, 2]), ((1, 2), 3), ([("a",)],), Item("a", 1), [(1, "a"), (2, None)]]
    check_dump(None, None, values)
    check_load(None, None, 2249, 0, [*RECORDS, b"()", b"(a)", b"(a,b,c,d)"])
    check_load(None, None, 2249, 1, [*BINARY_RECORDS, pack(), pack((2249, BINARY_RECORDS[0]), (705, b"x"))])


@given(st.lists(st.none() | TEXT, min_size=2, max_size=5))
def test_any_tuple(value: list[str | None]) -> None:
    (data,) = Transformer().dump_sequence([tuple(value)], [PyFormat.TEXT])
    assert Transformer().get_loader(2249, Format.TEXT).load(data or b"") == tuple(value)


@pytest.mark.parametrize(
    "text", ["", "a", "(", "(a", '("a', '("a"', "(a,", "(a)x", "(a)(b)", '("a"b)', "(a(b))", "(a\\"]
)
def test_malformed_record(text: str) -> None:
    with pytest.raises(e.DataError, match="malformed record"):
        Transformer().get_loader(2249, Format.TEXT).load(text.encode())


@pytest.mark.parametrize("data", [b"", b"\0", b"\0\0\0\1", pack((25, b"abc"))[:-1], b"\x7f\xff\xff\xff"])
def test_malformed_binary_record(data: bytes) -> None:
    with pytest.raises(e.DataError, match="malformed record"):
        Transformer().get_loader(2249, Format.BINARY).load(data)


@pytest.mark.parametrize("unit", ['"', "\\", '""', '"\\', ",", "(", 'a"'])
def test_long_malformed_record(unit: str) -> None:
    # With anything but linear time this does not come to an end.
    for start in ("(", '("'):
        with pytest.raises(e.DataError, match="malformed record"):
            Transformer().get_loader(2249, Format.TEXT).load((start + unit * 100_000).encode())


# hstore


@pytest.fixture(scope="module")
def hstores() -> tuple[AdaptersMap, psycopg.adapt.AdaptersMap]:
    ours, theirs = new_maps()
    register_hstore(neonps.types.TypeInfo("hstore", 100_000, 100_001), ours)
    psycopg.types.hstore.register_hstore(psycopg.types.TypeInfo("hstore", 100_000, 100_001), theirs)
    return ours, theirs


def test_hstore(hstores: Any) -> None:
    values: list[Any] = [{}, {"a": "b"}, {"a": None, "b": ""}, {'"': "\\"}, {"a b": "x'"}, {"é": "=>"}, [{"a": "b"}]]
    check_dump(*hstores, values)
    texts = [b"", b'"a"=>"b"', b'"a"=>NULL, "b"=>"c\\"d\\\\"', b'"a"=>"b"  ,  "c"=>"d"', b"foo", b'"a"=>b']
    check_load(*hstores, 100_000, 0, texts)
    check_load(*hstores, 100_000, 1, [b"\0\0\0\0", b"\0\0\0\2\0\0\0\1a\0\0\0\1b\0\0\0\1c\xff\xff\xff\xff"])


@pytest.mark.parametrize("format", "stb")
@pytest.mark.parametrize(("value", "what"), [({1: "x"}, "keys"), ({"a": 1}, "values"), ({None: "a"}, "keys")])
def test_hstore_of_other_things(hstores: Any, value: Any, what: str, format: str) -> None:
    with pytest.raises(e.DataError, match=f"hstore {what} can only be strings"):
        Transformer(hstores[0]).dump_sequence([value], [PyFormat(format)])


@given(st.dictionaries(TEXT, st.none() | TEXT))
def test_any_hstore(value: dict[str, str | None]) -> None:
    ours = new_maps()[0]
    register_hstore(neonps.types.TypeInfo("hstore", 100_000, 100_001), ours)
    transformer = Transformer(ours)
    for format in Format:
        (data,) = transformer.dump_sequence([value], [PyFormat.from_pq(format)])
        assert transformer.get_loader(100_000, format).load(bytes(data or b"")) == value


@pytest.mark.parametrize("data", [b"", b"\0\0\0\1", b"\0\0\0\1\0\0\0\1a\0\0\0\5b"])
def test_malformed_binary_hstore(hstores: Any, data: bytes) -> None:
    with pytest.raises(e.DataError, match="malformed hstore"):
        Transformer(hstores[0]).get_loader(100_000, Format.BINARY).load(data)


# Addresses


@pytest.mark.parametrize("oid", [869, 650])
def test_malformed_addresses(oid: int) -> None:
    for data in (b"", b"\5\0\0\4abcd", b"\2 \0\5\1\2\3\4", b"\2 \0\2\1\2", b"\2\xff\0\4\1\2\3\4"):
        with pytest.raises(e.DataError, match="network address"):
            Transformer().get_loader(oid, Format.BINARY).load(data)
    for data in (b"", b"foo", b"1.2.3.4/99", b"1.2.3"):
        with pytest.raises(e.DataError, match="can't parse network address"):
            Transformer().get_loader(oid, Format.TEXT).load(data)


def test_inet_that_is_asked_for() -> None:
    dumper = Transformer().get_dumper_by_oid(869, Format.BINARY)
    assert dumper.dump(ipaddress.ip_address("1.2.3.4")) == b"\2 \0\4\1\2\3\4"
    assert dumper.dump(ipaddress.ip_interface("1.2.3.4/8")) == b"\2\x08\0\4\1\2\3\4"
    with pytest.raises(e.DataError, match="address or interface expected, got 'int'"):
        dumper.dump(1)
