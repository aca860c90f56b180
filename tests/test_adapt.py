"""The map of adapters, and what a Transformer does with it."""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import subprocess
import sys
import uuid
from typing import Any, NamedTuple

import psycopg
import pytest

from neonps import errors as e
from neonps import postgres, pq
from neonps.adapt import (
    AdaptersMap,
    Dumper,
    Loader,
    PyFormat,
    RecursiveDumper,
    RecursiveLoader,
    Transformer,
)
from neonps.typeinfo import TypeInfo

FORMATS = list(PyFormat)


class Color:
    def __init__(self, name: str = "red") -> None:
        self.name = name


class DarkColor(Color):
    pass


class ColorDumper(Dumper):
    oid = 25

    def dump(self, obj: Color) -> bytes | None:
        return obj.name.encode() or None


class ColorBinaryDumper(ColorDumper):
    format = pq.Format.BINARY


class ShoutingLoader(Loader):
    def load(self, data: Any) -> str:
        return str(data, "utf-8").upper()


class Field(NamedTuple):
    type_oid: int
    format: int = 0


def new_map() -> AdaptersMap:
    return AdaptersMap(postgres.adapters)


# Formats


def test_formats_are_the_letters_of_placeholders() -> None:
    assert [(f.name, f.value) for f in FORMATS] == [("AUTO", "s"), ("TEXT", "t"), ("BINARY", "b")]
    assert [PyFormat.from_pq(f) for f in pq.Format] == [PyFormat.TEXT, PyFormat.BINARY]
    assert PyFormat.as_pq(PyFormat.BINARY) is pq.Format.BINARY
    assert PyFormat.as_pq(PyFormat.TEXT) is pq.Format.TEXT


# The map


def test_dumper_is_found_for_class_and_subclass() -> None:
    adapters = new_map()
    adapters.register_dumper(Color, ColorDumper)
    for cls in (Color, DarkColor):
        assert adapters.get_dumper(cls, PyFormat.AUTO) is ColorDumper
        assert adapters.get_dumper(cls, PyFormat.TEXT) is ColorDumper
    with pytest.raises(e.ProgrammingError, match="cannot adapt type 'DarkColor' using placeholder '%b'"):
        adapters.get_dumper(DarkColor, PyFormat.BINARY)


def test_the_nearest_class_decides() -> None:
    class Other(ColorDumper):
        pass

    adapters = new_map()
    adapters.register_dumper(DarkColor, Other)
    adapters.register_dumper(Color, ColorDumper)
    assert adapters.get_dumper(DarkColor, PyFormat.TEXT) is Other
    assert adapters.get_dumper(Color, PyFormat.TEXT) is ColorDumper


@pytest.mark.parametrize("dumpers", [(ColorDumper, ColorBinaryDumper), (ColorBinaryDumper, ColorDumper)])
def test_the_last_dumper_is_for_the_open_format(dumpers: tuple[type[Dumper], ...]) -> None:
    adapters = new_map()
    for dumper in dumpers:
        adapters.register_dumper(Color, dumper)
    assert adapters.get_dumper(Color, PyFormat.AUTO) is dumpers[-1]
    assert adapters.get_dumper(Color, PyFormat.TEXT) is ColorDumper
    assert adapters.get_dumper(Color, PyFormat.BINARY) is ColorBinaryDumper
    assert adapters.get_dumper_by_oid(25, pq.Format.TEXT) is ColorDumper


def test_dumper_by_name_of_class() -> None:
    adapters = new_map()
    adapters.register_dumper(f"{__name__}.Color", ColorDumper)
    assert adapters.get_dumper(Color, PyFormat.TEXT) is ColorDumper
    assert adapters.get_dumper(DarkColor, PyFormat.TEXT) is ColorDumper


def test_dumper_by_oid_only() -> None:
    class MoneyDumper(ColorDumper):
        oid = 790

    adapters = new_map()
    adapters.register_dumper(None, MoneyDumper)
    assert adapters.get_dumper_by_oid(790, pq.Format.TEXT) is MoneyDumper
    with pytest.raises(e.ProgrammingError):
        adapters.get_dumper(Color, PyFormat.TEXT)


def test_unknown_dumper_by_oid() -> None:
    adapters = new_map()
    with pytest.raises(e.ProgrammingError, match=r"type money \(oid 790\) format BINARY"):
        adapters.get_dumper_by_oid(790, pq.Format.BINARY)
    with pytest.raises(e.ProgrammingError, match=r"unknown type with oid 99999 format TEXT"):
        adapters.get_dumper_by_oid(99999, pq.Format.TEXT)


def test_bad_registrations() -> None:
    adapters = new_map()
    with pytest.raises(TypeError, match="dumpers should be registered on classes, got 3 instead"):
        adapters.register_dumper(3, ColorDumper)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"loaders should be registered on oid, got 2\.5 instead"):
        adapters.register_loader(2.5, ShoutingLoader)  # type: ignore[arg-type]
    with pytest.raises(KeyError, match="couldn't find the type 'nosuch' in the types registry"):
        adapters.register_loader("nosuch", ShoutingLoader)


@pytest.mark.parametrize("oid", [25, "text"])
def test_loader_by_oid_and_by_name(oid: int | str) -> None:
    adapters = new_map()
    adapters.register_loader(oid, ShoutingLoader)
    assert adapters.get_loader(25, pq.Format.TEXT) is ShoutingLoader
    assert adapters.get_loader(25, pq.Format.BINARY) is not ShoutingLoader


def test_unknown_loader() -> None:
    assert new_map().get_loader(99999, pq.Format.TEXT) is None
    assert Transformer().get_loader(99999, pq.Format.TEXT).load(b"1.5") == "1.5"
    assert Transformer().get_loader(99999, pq.Format.BINARY).load(b"1\0") == b"1\0"
    with pytest.raises(e.InterfaceError):
        Transformer(AdaptersMap()).get_loader(25, pq.Format.TEXT)


def test_copy_on_write() -> None:
    module = new_map()
    connection = AdaptersMap(module)
    cursor = AdaptersMap(connection)
    before = module.get_loader(25, pq.Format.TEXT)

    connection.register_loader(25, ShoutingLoader)
    connection.register_dumper(Color, ColorDumper)
    assert connection.get_loader(25, pq.Format.TEXT) is ShoutingLoader
    for other in (module, cursor):
        assert other.get_loader(25, pq.Format.TEXT) is before
        with pytest.raises(e.ProgrammingError):
            other.get_dumper(Color, PyFormat.AUTO)

    later = AdaptersMap(connection)
    assert later.get_dumper(Color, PyFormat.AUTO) is ColorDumper
    module.register_dumper(Color, ColorBinaryDumper)
    assert later.get_dumper(Color, PyFormat.AUTO) is ColorDumper
    with pytest.raises(e.ProgrammingError):
        cursor.get_dumper(Color, PyFormat.AUTO)


def test_types_are_copied_too() -> None:
    module = new_map()
    connection = AdaptersMap(module)
    connection.types.add(TypeInfo("color", 100_000, 100_001))
    assert connection.types["color"].oid == 100_000
    assert module.types.get("color") is None
    assert AdaptersMap(connection).types["color[]"].oid == 100_000


# The registry of types


def test_registry_knows_what_psycopg_knows() -> None:
    for theirs in psycopg.postgres.types:
        ours = postgres.types[theirs.name]
        for attribute in ("name", "oid", "array_oid", "regtype", "delimiter"):
            assert getattr(ours, attribute) == getattr(theirs, attribute)
        for key in (theirs.oid, theirs.array_oid, theirs.regtype, f"{theirs.name}[]"):
            assert postgres.types[key] is ours
        assert postgres.types.get_oid(theirs.name) == theirs.oid
        assert postgres.types.get_oid(f"{theirs.name}[]") == theirs.array_oid


@pytest.mark.parametrize(
    ("name", "typemods"),
    [
        ("numeric", [-1, 655366, 327684, 198658, 196617]),
        ("varchar", [-1, 5, 14]),
        ("bpchar", [-1, 5, 9]),
        ("bit", [-1, 1, 8]),
        ("varbit", [-1, 8]),
        ("time", [-1, 0, 3]),
        ("timestamptz", [-1, 0, 6]),
        ("interval", [-1, 327679, 2147418115, 268435459, 470286338, 201916415]),
        ("int4", [-1]),
        ("text", [-1]),
    ],
)
def test_type_modifiers(name: str, typemods: list[int]) -> None:
    ours, theirs = postgres.types[name], psycopg.postgres.types[name]
    for typemod in typemods:
        for method in ("get_display_size", "get_precision", "get_scale"):
            assert getattr(ours, method)(typemod) == getattr(theirs, method)(typemod)
        for oid in (ours.oid, ours.array_oid):
            display = ours.get_type_display(oid, typemod)
            if name == "interval" and typemod & 0xFFFF == 0xFFFF:
                assert display in ("interval", "interval[]")
            else:
                assert display == theirs.get_type_display(oid, typemod)


def test_registry_as_container() -> None:
    registry = type(postgres.types)(postgres.types)
    assert {info.oid for info in registry} >= {info.oid for info in psycopg.postgres.types}
    info = TypeInfo("color", 100_000, 100_001, regtype="schema.color", delimiter=";")
    registry.add(info)
    assert all(registry[key] is info for key in ("color", "schema.color", 100_000, 100_001, "color[]"))
    assert info in list(registry)
    assert repr(info) == "<TypeInfo: color (oid: 100000, array oid: 100001)>"
    registry.clear()
    assert list(registry) == []
    assert registry.get("int4") is None
    with pytest.raises(KeyError, match="couldn't find the type 99999 in the types registry"):
        registry[99999]
    assert postgres.types["int4"].oid == 23


# The Transformer


def test_dump_sequence() -> None:
    transformer = Transformer()
    assert transformer.types is None
    assert transformer.formats is None
    values = transformer.dump_sequence([1, "a", None], [PyFormat.AUTO] * 3)
    assert values == [b"\0\1", b"a", None]
    assert transformer.types == (21, 0, 0)
    assert transformer.formats == [pq.Format.BINARY, pq.Format.TEXT, pq.Format.TEXT]
    assert transformer.dump_sequence([], []) == []
    assert transformer.types == ()


def test_dumper_can_return_null() -> None:
    adapters = new_map()
    adapters.register_dumper(Color, ColorDumper)
    transformer = Transformer(adapters)
    assert transformer.dump_sequence([Color("")], [PyFormat.TEXT]) == [None]
    assert transformer.types == (25,)
    assert transformer.as_literal(Color("")) == b"NULL"
    assert transformer.as_literal([Color(""), Color("a")]) == b"'{NULL,a}'::text[]"


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("value", [object(), {}, 1j, int, [object()], [[{}]]])
def test_unadaptable(value: object, format: PyFormat) -> None:
    theirs = psycopg.adapt.Transformer(None)
    with pytest.raises(psycopg.ProgrammingError) as expected:
        theirs.dump_sequence([value], [psycopg.adapt.PyFormat(format.value)])
    with pytest.raises(e.ProgrammingError) as raised:
        Transformer().dump_sequence([value], [format])
    assert str(raised.value) == str(expected.value)


def test_adapters_get_the_context() -> None:
    class ContextDumper(RecursiveDumper):
        def dump(self, obj: Any) -> bytes:
            assert self.cls is Color
            return b"(%s)" % bytes(self._tx.get_dumper(1, PyFormat.TEXT).dump(1) or b"")

    class ContextLoader(RecursiveLoader):
        def load(self, data: Any) -> tuple[int, bool]:
            return self.oid, self._tx is transformer

    adapters = new_map()
    adapters.register_dumper(Color, ContextDumper)
    adapters.register_loader("text", ContextLoader)
    transformer = Transformer(adapters)
    assert transformer.adapters is adapters
    assert transformer.connection is None
    assert Transformer.from_context(transformer) is transformer
    assert transformer.dump_sequence([Color()], [PyFormat.AUTO]) == [b"(1)"]
    assert transformer.get_loader(25, pq.Format.TEXT).load(b"") == (25, True)
    assert ContextDumper(Color).dump(Color()) == b"(1)"


def test_get_key_and_upgrade() -> None:
    made = []

    class NameDumper(ColorDumper):
        def get_key(self, obj: Color, format: PyFormat) -> Any:
            return (self.cls, type(obj.name), Color if obj.name == "red" else DarkColor)

        def upgrade(self, obj: Color, format: PyFormat) -> Any:
            made.append(obj.name)
            dumper = NameDumper(self.cls)
            dumper.oid = len(made)
            return dumper

    adapters = new_map()
    adapters.register_dumper(Color, NameDumper)
    transformer = Transformer(adapters)
    colors = [Color("red"), Color("blue"), Color("red"), Color("green")]
    assert transformer.dump_sequence(colors, [PyFormat.TEXT] * 4) == [b"red", b"blue", b"red", b"green"]
    assert transformer.types == (1, 2, 1, 2)
    assert made == ["red", "blue"]


def test_abstract_adapters() -> None:
    for cls, argument in ((Dumper, int), (Loader, 1), (RecursiveDumper, int), (RecursiveLoader, 1)):
        with pytest.raises(TypeError):
            cls(argument)


def test_set_dumper_types() -> None:
    transformer = Transformer()
    transformer.set_dumper_types([23, 25, 1009, 1700], pq.Format.BINARY)
    assert transformer.types == (23, 25, 1009, 1700)
    assert transformer.formats == [pq.Format.BINARY] * 4
    row = transformer.dump_sequence([1, "a", ["b"], 5], [PyFormat.BINARY] * 4)
    assert row[:2] == [b"\0\0\0\1", b"a"]
    assert Transformer().get_loader(1009, pq.Format.BINARY).load(row[2] or b"") == ["b"]
    assert Transformer().get_loader(1700, pq.Format.BINARY).load(row[3] or b"") == 5
    assert transformer.dump_sequence([None] * 4, [PyFormat.BINARY] * 4) == [None] * 4
    with pytest.raises(e.DataError, match="integer expected, got 'str'"):
        transformer.dump_sequence(["x", "a", [], 1], [PyFormat.BINARY] * 4)
    with pytest.raises(e.ProgrammingError):
        transformer.set_dumper_types([23, 99999], pq.Format.TEXT)


def test_load_rows() -> None:
    transformer = Transformer()
    transformer.set_fields([Field(23), Field(23, 1), Field(25)])
    rows = [(b"1", b"\0\0\0\2", b"a"), (None, None, None)]
    assert transformer.load_rows(rows, tuple) == [(1, 2, "a"), (None, None, None)]
    assert transformer.load_rows(rows, list) == [[1, 2, "a"], [None, None, None]]
    assert transformer.load_rows([], tuple) == []
    assert transformer.load_sequence(rows[0]) == (1, 2, "a")
    for length in (2, 4):
        with pytest.raises(e.ProgrammingError, match=f"cannot load sequence of {length} items: 3 loaders registered"):
            transformer.load_sequence([None] * length)


@pytest.mark.parametrize("columns", [0, 1, 2, 99, 100, 101, 1600])
def test_rows_of_any_width(columns: int) -> None:
    transformer = Transformer()
    transformer.set_loader_types([23] * columns, pq.Format.TEXT)
    row = [b"%d" % i if i % 3 else None for i in range(columns)]
    expected = tuple(i if i % 3 else None for i in range(columns))
    assert transformer.load_rows([row, row], tuple) == [expected, expected]
    assert transformer.load_rows([row], lambda values: (type(values), values)) == [(tuple, expected)]
    assert transformer.load_sequence(row) == expected


def test_a_registered_loader_loads_columns_and_elements() -> None:
    adapters = new_map()
    adapters.register_loader("text", ShoutingLoader)
    transformer = Transformer(adapters)
    transformer.set_loader_types([25, 1009], pq.Format.TEXT)
    assert transformer.load_rows([(b"a", b"{b,NULL}")], tuple) == [("A", ["B", None])]


# Literals


def test_literals_of_other_types() -> None:
    class TypedDumper(ColorDumper):
        oid = 100_000

        def dump(self, obj: Color) -> bytes:
            return b"x'y\\z"

    adapters = new_map()
    adapters.register_dumper(Color, TypedDumper)
    assert Transformer(adapters).as_literal(Color()) == b" E'x''y\\\\z'"
    adapters.types.add(TypeInfo("my color", 100_000, 100_001, regtype='"my color"'))
    assert Transformer(adapters).as_literal(Color()) == b" E'x''y\\\\z'::\"my color\""
    assert Transformer(adapters).as_literal([Color()]).endswith(b'::"my color"[]')


# Lazy imports


def test_what_is_not_used_is_not_imported() -> None:
    code = """
import sys
from neonps.adapt import PyFormat, Transformer
transformer = Transformer()
transformer.dump_sequence([1, "a", b"c", True, 1.5, None], [PyFormat.AUTO] * 6)
transformer.set_loader_types([16, 20, 23, 25, 701], 0)
transformer.load_rows([(b"t", b"1", b"2", b"3", b"4")], tuple)
print([name for name in sys.modules if name.startswith("neonps.types.")])
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    wanted = {"bool", "float", "integer", "none", "string"}
    assert set(eval(result.stdout)) == {f"neonps.types.{name}" for name in wanted}


def test_the_default_adapters_exist() -> None:
    values = [
        None,
        True,
        1,
        1.5,
        "a",
        b"a",
        bytearray(b"a"),
        memoryview(b"a"),
        [1],
        decimal.Decimal(1),
        uuid.UUID(int=1),
        enum.Enum("Member", "one").one,
        dt.date.today(),
        dt.datetime.now(),
        dt.time(),
        dt.timedelta(),
    ]
    for value in values:
        assert postgres.adapters.get_dumper(type(value), PyFormat.AUTO).format in pq.Format
    for info in postgres.types:
        for format in pq.Format:
            for oid in filter(None, (info.oid, info.array_oid)):
                loader = Transformer().get_loader(oid, format)
                assert loader.format == format
