"""Ranges and multiranges in both formats: round trips, malformed values, registration."""

from __future__ import annotations

import datetime as dt
import pickle
from importlib import import_module
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import neonps.adapt
import neonps.types.multirange
import neonps.types.numeric
import neonps.types.range
from neonps import errors as e
from neonps.adapt import PyFormat
from neonps.postgres import adapters, types
from neonps.types.multirange import Int4Multirange, Multirange, MultirangeInfo, register_multirange
from neonps.types.range import Int4Range, Range, RangeInfo, register_range

NAIVE = dt.datetime(2020, 1, 1, 2, 3)
AWARE = NAIVE.replace(tzinfo=dt.timezone.utc)

TEXT = st.text(st.characters(exclude_characters="\0", codec="utf-8")) | st.text(
    st.sampled_from(list('"\\,()[] a\t\n')), max_size=6
)


@pytest.mark.parametrize(
    ("value", "formats"),
    [(Range(NAIVE, AWARE), "b"), (Int4Range(2**40, None), "sb"), (Int4Range("a", None), "stb")],
    ids=str,
)
def test_bounds_that_do_not_fit(value: Any, formats: str) -> None:
    """As text, it is for the server to refuse them where they are only out of range."""
    for format in PyFormat:
        transformer = neonps.adapt.Transformer()
        if format.value in formats:
            with pytest.raises(e.DataError):
                transformer.dump_sequence([value], [format])
        else:
            assert transformer.dump_sequence([value], [format])


# Round trips and malformed values


@pytest.mark.parametrize("format", neonps.pq.Format)
@given(lower=st.none() | TEXT, upper=st.none() | TEXT, bounds=st.sampled_from(["[)", "[]", "(]", "()"]))
def test_text_ranges(lower: str | None, upper: str | None, bounds: str, format: neonps.pq.Format) -> None:
    context = neonps.adapt.AdaptersMap(adapters)
    register_range(RangeInfo("textrange", 100_000, 100_001, subtype_oid=25), context)
    info = MultirangeInfo("textmultirange", 100_002, 100_003, range_oid=100_000, subtype_oid=25)
    register_multirange(info, context)
    transformer = neonps.adapt.Transformer(context)
    value = Range(lower, upper, bounds)
    multi = Multirange([value, Range(empty=True), value])
    oids = (100_000, 100_002, 100_001, 100_003)
    values = [value, multi, [None, value], [multi]]
    if value.lower is None and value.upper is None:
        # Without a bound the type is not known, and lists in binary need one.
        oids, values = oids[:2], values[:2]
    dumped = transformer.dump_sequence(values, [PyFormat.from_pq(format)] * len(values))
    if len(values) == 4:
        assert transformer.types == oids
    for oid, data, expected in zip(oids, dumped, values, strict=True):
        assert transformer.get_loader(oid, format).load(data or b"") == expected


@pytest.mark.parametrize(
    ("type", "text", "message"),
    [
        ("int4range", "", "failed to parse range: ''"),
        ("int4range", "foo", "failed to parse range: 'foo'"),
        ("int4range", "[1,2", "failed to parse range: '[1,2'"),
        ("int4range", "[1]", "failed to parse range: '[1]'"),
        ("int4range", "[1,2)x", "failed to parse range: '[1,2)x'"),
        ("int4range", '["1,2)', "failed to parse range: '[\"1,2)'"),
        ("int4range", "EMPTY", "failed to parse range: 'EMPTY'"),
        ("int4multirange", "", "malformed multirange starting with "),
        ("int4multirange", "x", "malformed multirange starting with x"),
        ("int4multirange", "{", "failed to parse range: ''"),
        ("int4multirange", "{[1,2)", "malformed multirange: found unexpected ''"),
        ("int4multirange", "{[1,2)[3,4)}", "malformed multirange: found unexpected '[3,4)}'"),
        ("int4multirange", "{[1,2),}", "failed to parse range: '}'"),
        ("int4multirange", "{[1,2)}x", "malformed multirange: found unexpected '}x'"),
    ],
)
def test_malformed_text(type: str, text: str, message: str) -> None:
    loader = neonps.adapt.Transformer().get_loader(types[type].oid, neonps.pq.Format.TEXT)
    with pytest.raises(e.DataError) as raised:
        loader.load(text.encode())
    assert str(raised.value) == message


@pytest.mark.parametrize("type", ["int4range", "int4multirange"])
@given(data=st.binary(max_size=40))
def test_malformed_binary(type: str, data: bytes) -> None:
    context = neonps.adapt.AdaptersMap(adapters)
    context.register_loader("int4", neonps.types.string.ByteaBinaryLoader)
    loader = neonps.adapt.Transformer(context).get_loader(types[type].oid, neonps.pq.Format.BINARY)
    try:
        value = loader.load(data)
    except e.DataError as ex:
        assert "malformed" in str(ex)  # noqa: PT017
    else:
        assert isinstance(value, (Range, Multirange))


@pytest.mark.parametrize("unit", ['"', "\\", '""', '"\\', "(", ",", "a", 'a"'])
def test_long_malformed_text(unit: str) -> None:
    # With anything but linear time this does not come to an end.
    loader = neonps.adapt.Transformer().get_loader(types["int4range"].oid, neonps.pq.Format.TEXT)
    for start in ("[", '["', '["a",'):
        with pytest.raises((e.DataError, ValueError)):
            loader.load((start + unit * 100_000).encode())


def test_registration() -> None:
    context = neonps.adapt.AdaptersMap(adapters)
    info = RangeInfo("colorrange", 100_000, 100_001, subtype_oid=100_005)
    multi = MultirangeInfo("colormultirange", 100_002, 100_003, range_oid=100_000, subtype_oid=100_005)
    register_range(info, context)
    register_multirange(multi, context)
    assert context.types.get_by_subtype(RangeInfo, 100_005) is None  # the subtype itself is not known
    context.types.add(neonps.typeinfo.TypeInfo("color", 100_005, 0))
    assert context.types.get_by_subtype(RangeInfo, "color") is info
    assert context.types.get_by_subtype(MultirangeInfo, 100_005) is multi
    built_in = types.get_by_subtype(RangeInfo, "int4")
    assert built_in is not None
    assert (built_in.name, built_in.subtype_oid) == ("int4range", 23)
    built_in_multi = types.get_by_subtype(MultirangeInfo, "date")
    assert built_in_multi is not None
    assert (built_in_multi.name, built_in_multi.range_oid) == ("datemultirange", 3912)
    assert types.get_by_subtype(RangeInfo, "text") is None
    for register, name in ((register_range, "range"), (register_multirange, "multirange")):
        with pytest.raises(TypeError, match=f"no info passed. Is the requested {name} available?"):
            register(None, context)  # type: ignore[operator]


@pytest.mark.parametrize("cls", [Range, Int4Range, Multirange, Int4Multirange])
def test_classes_say_where_users_find_them(cls: type) -> None:
    assert getattr(import_module(cls.__module__), cls.__name__) is cls
    assert cls.__module__ in ("neonps.types.range", "neonps.types.multirange")
    assert pickle.loads(pickle.dumps(cls())) == cls()
