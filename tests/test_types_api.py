"""The classes of the types have the attributes, the base classes and the operators that psycopg's have."""

from __future__ import annotations

import copy
import datetime as dt
import importlib
import inspect
import itertools
import operator
import pickle
import pkgutil
from collections.abc import Callable, Iterator, MutableSequence
from typing import Any

import psycopg.adapt
import psycopg.types
import pytest
from peers import Peer

import neonps.adapt
import neonps.types

#: Modules that need what is not installed.
LEFT_OUT = {"shapely"}

#: Of the functions, those that are for programs.
DOCUMENTED = {
    *["register_array", "register_composite", "register_enum", "register_hstore", "register_multirange"],
    *["register_range", "set_json_dumps", "set_json_loads"],
}

MODULES = [name for _, name, _ in pkgutil.iter_modules(psycopg.types.__path__) if name not in LEFT_OUT]


def pairs(kind: Callable[[Any], bool]) -> Iterator[Any]:
    """What psycopg's modules of types define and do not hide, and what we have under the same name."""
    for name in MODULES:
        theirs = importlib.import_module(f"psycopg.types.{name}")
        ours = importlib.import_module(f"neonps.types.{name}")
        for attribute, value in vars(theirs).items():
            hidden = attribute.startswith(("_", "Base"))
            if not hidden and kind(value) and value.__module__ == theirs.__name__:
                yield pytest.param(value, getattr(ours, attribute, None), id=f"{name}.{attribute}")


CLASSES = list(pairs(inspect.isclass))
FUNCTIONS = [pair for pair in pairs(inspect.isfunction) if pair.values[0].__name__ in DOCUMENTED]
ADAPTERS = [pair for pair in CLASSES if issubclass(pair.values[0], (psycopg.adapt.Dumper, psycopg.adapt.Loader))]


def bases(cls: type) -> set[str]:
    """The names of the public classes that a class is made of, but for those of typing."""
    names = {base.__name__ for base in cls.__mro__ if not base.__name__.startswith(("_", "Base"))}
    return names - {"object", "Protocol", "Generic"}


def parameters(function: Any) -> list[Any]:
    return [(each.name, each.kind, each.default) for each in inspect.signature(function).parameters.values()]


@pytest.mark.parametrize(("theirs", "ours"), CLASSES)
def test_base_classes(theirs: type, ours: type) -> None:
    assert bases(theirs) <= bases(ours)
    for base in (int, float, str, tuple, list, MutableSequence):
        assert issubclass(theirs, base) is issubclass(ours, base)


@pytest.mark.parametrize(("theirs", "ours"), ADAPTERS)
def test_format_and_oid(theirs: Any, ours: Any) -> None:
    assert ours.format is neonps.pq.Format(theirs.format)
    if issubclass(theirs, psycopg.adapt.Dumper):
        assert issubclass(ours, neonps.adapt.Dumper)
        assert ours.oid == theirs.oid
    else:
        assert issubclass(ours, neonps.adapt.Loader)
    assert parameters(ours) == parameters(theirs)


@pytest.mark.parametrize(("theirs", "ours"), CLASSES)
def test_attributes(theirs: type, ours: type) -> None:
    missing = {name for name in dir(theirs) if not name.startswith("_")} - set(dir(ours))
    assert missing <= {"int_classes"}  # a detail of psycopg's dumpers of numeric


@pytest.mark.parametrize(("theirs", "ours"), FUNCTIONS)
def test_functions(theirs: Any, ours: Any) -> None:
    assert parameters(ours) == parameters(theirs)


@pytest.mark.parametrize("name", ["TypeInfo", "TypesRegistry"])
def test_infos(name: str) -> None:
    theirs, ours = getattr(psycopg.types, name), getattr(neonps.types, name)
    public = [attribute for attribute in dir(theirs) if not attribute.startswith("_")]
    assert set(public) <= set(dir(ours))
    for attribute in public:
        assert [each[0] for each in parameters(getattr(ours, attribute))] == [
            each[0] for each in parameters(getattr(theirs, attribute))
        ]
    assert [each[:2] for each in parameters(ours)] == [each[:2] for each in parameters(theirs)]


def test_maps() -> None:
    for name in ("AdaptersMap", "Dumper", "Loader", "RecursiveDumper", "RecursiveLoader"):
        theirs, ours = getattr(psycopg.adapt, name), getattr(neonps.adapt, name)
        assert parameters(ours) == parameters(theirs)
        for attribute in dir(theirs):
            if not attribute.startswith("_"):
                assert hasattr(ours, attribute)
                if callable(getattr(theirs, attribute)):
                    assert parameters(getattr(ours, attribute)) == parameters(getattr(theirs, attribute))


def test_adapters_by_type() -> None:
    """What is found for a type is called the same."""
    for info in psycopg.adapters.types:
        for oid in filter(None, (info.oid, info.array_oid)):
            for format in psycopg.pq.Format:
                dumpers = [found(module.adapters.get_dumper_by_oid, oid, format) for module in (psycopg, neonps)]
                assert dumpers[0] == dumpers[1]
                loaders = [module.adapters.get_loader(oid, format) for module in (psycopg, neonps)]
                assert [loader is None for loader in loaders] == [loaders[0] is None] * 2
                if oid == info.oid and loaders[0] is not None:
                    assert loaders[0].__name__ == loaders[1].__name__


def found(get: Any, oid: int, format: Any) -> Any:
    try:
        return get(oid, format).__name__
    except (psycopg.Error, neonps.Error) as error:
        return type(error).__name__, str(error)


# Values


def test_wrappers(peer: Peer) -> None:
    numeric = peer.submodule("types.numeric")
    for name in ("Int2", "Int4", "Int8", "IntNumeric", "Oid", "Float4", "Float8"):
        cls, plain = getattr(numeric, name), float if name.startswith("Float") else int
        value = cls(5)
        assert value == 5
        assert hash(value) == hash(5)
        assert (repr(value), str(value)) == (f"{name}({plain(5)})", str(plain(5)))
        assert isinstance(value, plain)
        assert type(value + 1) is plain
        assert pickle.loads(pickle.dumps(value)) == value
        assert type(copy.copy(value)) is cls
        assert cls(cls(5)) == cls("5")
        assert f"{value:03}" == "005" or name.startswith("Float")


def test_json_wrappers(peer: Peer) -> None:
    types = peer.submodule("types.json")
    for cls in (types.Json, types.Jsonb):
        value = cls({"a": 1})
        assert value.obj == {"a": 1}
        assert value.dumps is None
        assert cls(1, dumps=repr).dumps is repr
        assert repr(value) == f"{cls.__name__}({{'a': 1}})"
        assert repr(cls("x" * 100)) == f"{cls.__name__}('{'x' * 34} ... (102 chars))"
        assert cls(1) != cls(1)


def test_type_modifiers(peer: Peer) -> None:
    types = peer.module.adapters.types
    assert types["numeric"].get_type_display(fmod=655366) == "numeric(10,2)"
    assert types["varchar"].get_type_display(oid=1015, fmod=14) == "varchar(10)[]"
    assert types["int4"].get_type_display() == "int4"
    assert types["varchar"].get_display_size(14) == 10
    assert types["numeric"].get_precision(655366) == 10
    assert types["numeric"].get_scale(655366) == 2
    assert types["text"].get_display_size(-1) is None


# Ranges


def ranges(module: Any) -> list[Any]:
    bounds: list[Any] = [None, 1, 2]
    return [
        module.Range(empty=True),
        *[module.Range(*args) for args in itertools.product(bounds, bounds, ["[)", "[]", "(]", "()"])],
        *[module.Range("a", "b"), module.Range(dt.date(2020, 1, 1), None), module.Range("a", None, "()")],
    ]


def compared(one: Any, other: Any) -> list[Any]:
    """What every operator says of two values; None if it does not take them."""
    results: list[Any] = [one == other, one != other]
    for compare in (operator.lt, operator.le, operator.gt, operator.ge):
        try:
            results.append(compare(one, other))
        except TypeError:
            results.append(None)
    return results


def test_ranges_are_alike() -> None:
    ours, theirs = (ranges(importlib.import_module(f"{name}.types.range")) for name in ("neonps", "psycopg"))
    names = ["lower", "upper", "bounds", "isempty", "lower_inf", "upper_inf", "lower_inc", "upper_inc"]
    for one, their_one in zip(ours, theirs, strict=True):
        assert (repr(one), str(one), bool(one)) == (repr(their_one), str(their_one), bool(their_one))
        assert [getattr(one, name) for name in names] == [getattr(their_one, name) for name in names]
        if isinstance(one.lower, int):
            assert [number in one for number in range(4)] == [number in their_one for number in range(4)]
        for clone in (pickle.loads(pickle.dumps(one)), copy.copy(one), copy.deepcopy(one)):
            assert clone == one
            assert type(clone) is type(one)
        for other, their_other in zip(ours, theirs, strict=True):
            assert compared(one, other) == compared(their_one, their_other)
            assert (hash(one) == hash(other)) >= (one == other)
        for other in (None, 1, "x", (1, 2), object):
            assert compared(one, other) == compared(their_one, other)


def test_ranges_of_other_classes_are_ordered_too() -> None:
    """With psycopg this recurses without end."""
    Range, Int4Range = neonps.types.range.Range, neonps.types.range.Int4Range
    values = [Int4Range(5, 6), Range(1, 2), Int4Range(1, 3), Range(5, 6)]
    assert sorted(values) == [Range(1, 2), Range(1, 3), Range(5, 6), Range(5, 6)]
    assert Range(1, 2) <= Int4Range(1, 2) <= Range(1, 2)
    assert Range(1, 2) >= Int4Range(1, 2) >= Range(1, 2)
    assert Int4Range(1, 3) > Range(1, 2)


def test_range(peer: Peer) -> None:
    module = peer.submodule("types.range")
    Range, Int4Range = module.Range, module.Int4Range
    value = Range(1, 2)
    for name in ("lower", "bounds", "isempty", "other"):
        with pytest.raises(AttributeError):
            setattr(value, name, 5)
    for bounds in ("x", "", "[[", "[", None):
        with pytest.raises(ValueError, match="bound flags not valid"):
            Range(1, 2, bounds)
    assert Range[int](1, 2) == value
    assert Range(upper=2, lower=1, bounds="[)", empty=False) == value
    assert {value: 1}[Range(1, 2)] == 1
    assert Int4Range(1, 2) == value
    assert repr(Int4Range(1, 2)) == "Int4Range(1, 2, '[)')"
    assert sorted([Range(2, 3), Range(1, 5), Range(None, 1)]) == [Range(None, 1), Range(1, 5), Range(2, 3)]
    with pytest.raises(TypeError):
        assert value < 5

    class Mine(Range):
        def __init__(self, low: int) -> None:
            super().__init__(low, low, "[]")

    assert Mine(5).upper_inc
    assert 5 in Mine(5)


def test_multirange(peer: Peer) -> None:
    module = peer.submodule("types.multirange")
    Multirange, Range = module.Multirange, peer.submodule("types.range").Range
    value = Multirange([Range(1, 2), Range(5, 6)])
    assert isinstance(value, MutableSequence)
    assert repr(value) == "Multirange([Range(1, 2, '[)'), Range(5, 6, '[)')])"
    assert str(value) == "{[1, 2), [5, 6)}"
    assert repr(module.Int4Multirange([Range(1, 2)])) == "Int4Multirange([Range(1, 2, '[)')])"
    assert (value[0], value[-1], len(value), list(value)) == (Range(1, 2), Range(5, 6), 2, [Range(1, 2), Range(5, 6)])
    assert type(value[1:]) is Multirange
    assert value[1:] == Multirange([Range(5, 6)])
    assert value[::-1] == Multirange([Range(5, 6), Range(1, 2)])
    assert Range(1, 2) in value
    assert value.index(Range(5, 6)) == 1
    assert value.count(Range(5, 6)) == 1
    assert value != [Range(1, 2), Range(5, 6)]
    assert value == module.Int4Multirange(value)
    assert value < Multirange([Range(1, 3)])
    assert value <= Multirange([Range(1, 3)])
    assert value >= Multirange([Range(1, 2)])
    assert value > Multirange()
    assert not Multirange()
    for other in (5, [Range(1, 2)]):
        with pytest.raises(TypeError):
            assert value < other
    assert pickle.loads(pickle.dumps(value)) == value
    assert copy.deepcopy(value) == value

    value[0] = Range(0, 1)
    value.append(Range(7, 8))
    value.extend([Range(9, 10)])
    value.insert(0, Range(-5, -4))
    value[1:3] = [Range(3, 4)]
    del value[2]
    assert value.pop() == Range(9, 10)
    value += [Range(20, 21)]
    assert value == Multirange([Range(-5, -4), Range(3, 4), Range(20, 21)])
    value.reverse()
    value.remove(Range(3, 4))
    del value[:1]
    assert value == Multirange([Range(-5, -4)])
    value.clear()
    assert value == Multirange()
    for add in (value.append, lambda item: Multirange([item]), lambda item: value.insert(0, item)):
        with pytest.raises(TypeError, match="Multirange is a sequence of Range, got int"):
            add(3)
    with pytest.raises(TypeError):
        hash(value)
