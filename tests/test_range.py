"""Ranges and multiranges: Python objects, and both formats, compared with psycopg."""

from __future__ import annotations

import datetime as dt
import itertools
import pickle
from collections.abc import Iterator
from decimal import Decimal
from types import ModuleType
from typing import Any

import psycopg
import psycopg.adapt
import psycopg.types.multirange
import psycopg.types.numeric
import psycopg.types.range
import pytest
from hypothesis import given
from hypothesis import strategies as st

import neonps.adapt
import neonps.types.multirange
import neonps.types.numeric
import neonps.types.range
from neonps import errors as e
from neonps.postgres import adapters, types
from neonps.types.multirange import Int4Multirange, Multirange, MultirangeInfo, register_multirange
from neonps.types.range import Int4Range, Range, RangeInfo, register_range

DATE = dt.date(2020, 1, 1)
NAIVE = dt.datetime(2020, 1, 1, 2, 3)
AWARE = NAIVE.replace(tzinfo=dt.timezone.utc)

TEXT = st.text(st.characters(exclude_characters="\0", codec="utf-8")) | st.text(
    st.sampled_from(list('"\\,()[] a\t\n')), max_size=6
)


# Python objects


def examples(module: ModuleType) -> list[Any]:
    Range = module.Range
    bounds: list[Any] = [None, 1, 2]
    return [
        Range(empty=True),
        *[Range(*args) for args in itertools.product(bounds, bounds, ["[)", "[]", "(]", "()"])],
    ]


@pytest.mark.parametrize(
    ("ours", "theirs"), list(zip(examples(neonps.types.range), examples(psycopg.types.range), strict=True)), ids=str
)
def test_range_is_like_psycopg_s(ours: Any, theirs: Any) -> None:
    assert repr(ours) == repr(theirs)
    assert str(ours) == str(theirs)
    for name in ("lower", "upper", "bounds", "isempty", "lower_inf", "upper_inf", "lower_inc", "upper_inc"):
        assert getattr(ours, name) == getattr(theirs, name)
    assert bool(ours) is bool(theirs)
    assert [number in ours for number in range(4)] == [number in theirs for number in range(4)]
    assert pickle.loads(pickle.dumps(ours)) == ours
    others = zip(examples(neonps.types.range), examples(psycopg.types.range), strict=True)
    for our_other, their_other in others:
        assert (ours == our_other) is (theirs == their_other)
        assert (ours != our_other) is (theirs != their_other)
        assert (hash(ours) == hash(our_other)) >= (ours == our_other)
        assert (ours < our_other, ours <= our_other) == (theirs < their_other, theirs <= their_other)
        assert (ours > our_other, ours >= our_other) == (theirs > their_other, theirs >= their_other)


def test_range_is_immutable() -> None:
    value = Range(1, 2)
    with pytest.raises(AttributeError):
        value.lower = 5  # type: ignore[misc]
    with pytest.raises(AttributeError):
        value.other = 5  # type: ignore[attr-defined]


def test_bad_bounds() -> None:
    with pytest.raises(ValueError, match="bound flags not valid: 'x'"):
        Range(1, 2, "x")


def test_range_and_others() -> None:
    assert Range(1, 2) != (1, 2)
    assert Int4Range(1, 2) == Range(1, 2)
    assert repr(Int4Range(1, 2)) == "Int4Range(1, 2, '[)')"
    with pytest.raises(TypeError):
        assert Range(1, 2) < 5


def test_multirange_is_a_list_of_ranges() -> None:
    value = Multirange([Range(1, 2), Range(5, 6)])
    assert repr(value) == "Multirange([Range(1, 2, '[)'), Range(5, 6, '[)')])"
    assert str(value) == "{[1, 2), [5, 6)}"
    assert (value[0], len(value), list(value)) == (Range(1, 2), 2, [Range(1, 2), Range(5, 6)])
    assert value[1:] == Multirange([Range(5, 6)])
    assert value[:] == value
    assert value != [Range(1, 2), Range(5, 6)]
    assert value < Multirange([Range(1, 3)])
    assert value >= Multirange([Range(1, 2)])
    assert not Multirange()
    value[0] = Range(0, 1)
    value.append(Range(7, 8))
    value.insert(0, Range(-5, -4))
    value[1:3] = [Range(3, 4)]
    del value[2]
    assert value == Multirange([Range(-5, -4), Range(3, 4)])
    with pytest.raises(TypeError, match="Multirange is a sequence of Range, got int"):
        value.append(3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="Multirange is a sequence of Range, got int"):
        Multirange([1])  # type: ignore[list-item]
    with pytest.raises(TypeError):
        hash(value)


# Dumping


def parameters(ranges: ModuleType, multiranges: ModuleType, numeric: ModuleType) -> list[Any]:
    """The same objects of psycopg and of neonps."""
    R, M = ranges.Range, multiranges.Multirange
    generic = [
        *[R(), R(empty=True), R(1, 2), R(1, 2**40), R(1, 2**70), R(None, 5, "(]"), R(1, None)],
        *[R(Decimal(1), Decimal("2.5")), R(DATE, DATE), R(NAIVE, NAIVE), R(AWARE, None), R("a", "b c"), R("a", None)],
        *[R('"', "\\"), R("", ","), R("(", ")"), R("[", " "), R("\t", "\n"), R(1.5, 2.5), R(True, False)],
        *[R(numeric.Int8(1), numeric.Int8(2)), R(numeric.Int4(1), None, "()"), R(numeric.Int2(1), None)],
        *[R(1, Decimal(2)), R(1, "a")],
    ]
    typed = [
        *[ranges.Int4Range(1, 2), ranges.Int8Range(1, 2), ranges.NumericRange(1, Decimal(2))],
        *[ranges.DateRange(DATE, None), ranges.TimestampRange(NAIVE, NAIVE, "[]"), ranges.TimestamptzRange(AWARE)],
        *[ranges.Int4Range(empty=True), ranges.Int4Range()],
    ]
    return [
        *generic,
        *typed,
        *[[each] for each in [*generic[:12], *typed]],
        *[M(), *[M([each]) for each in generic], M([R(), R(1, 2)]), M([R(1, 2), R(Decimal(5), Decimal(6))])],
        *[multiranges.Int4Multirange([R(1, 2)]), multiranges.Int4Multirange(), multiranges.Int8Multirange([R(1, 2)])],
        *[multiranges.NumericMultirange([R(1, 2)]), multiranges.DateMultirange([R(DATE, DATE)])],
        *[multiranges.TimestampMultirange([R(NAIVE, NAIVE)]), multiranges.TimestamptzMultirange([R(AWARE, AWARE)])],
        *[[M([R(1, 2)])], [multiranges.Int4Multirange([R(1, 2)])]],
    ]


PARAMETERS = list(
    zip(
        parameters(neonps.types.range, neonps.types.multirange, neonps.types.numeric),
        parameters(psycopg.types.range, psycopg.types.multirange, psycopg.types.numeric),
        strict=True,
    )
)


def dumped(adapt: ModuleType, value: Any, format: str) -> tuple[Any, ...]:
    transformer = adapt.Transformer(None)
    try:
        (data,) = transformer.dump_sequence([value], [adapt.PyFormat(format)])
        literal = bytes(transformer.as_literal(value))
    except Exception as ex:
        return type(ex).__name__, str(ex)
    return bytes(data), literal, tuple(transformer.types), [*map(int, transformer.formats)]


@pytest.mark.parametrize(("ours", "theirs"), PARAMETERS, ids=lambda value: repr(value)[:40])
def test_dump(ours: Any, theirs: Any) -> None:
    for format in "stb":
        assert dumped(neonps.adapt, ours, format) == dumped(psycopg.adapt, theirs, format)


@pytest.mark.parametrize("format", "stb")
@pytest.mark.parametrize("value", [Range(NAIVE, AWARE), Int4Range(2**40, None), Int4Range("a", None)], ids=str)
def test_bounds_that_do_not_fit(value: Any, format: str) -> None:
    result = dumped(neonps.adapt, value, format)
    # As text, it is for the server to refuse them.
    assert result[0] == "DataError" or (format == "t" or (isinstance(value.lower, dt.datetime) and format == "s"))


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
    dumped = transformer.dump_sequence(values, [neonps.adapt.PyFormat.from_pq(format)] * len(values))
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


# With a server


@pytest.fixture(scope="module")
def connection(dsn: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(dsn, autocommit=True) as connection:
        yield connection


class RawLoader(psycopg.adapt.Loader):
    def load(self, data: Any) -> bytes:
        return bytes(data)


class RawBinaryLoader(RawLoader):
    format = psycopg.pq.Format.BINARY


@pytest.mark.parametrize("format", [0, 1])
@pytest.mark.parametrize(
    "expression",
    [
        "'empty'::int4range",
        "int4range(1, 5, '[]')",
        "int8range(null, 5)",
        "int4range(null, null)",
        "numrange(1.5, 2.50, '(]')",
        "daterange('2020-01-01', '2020-01-05')",
        "tsrange('2020-01-01', '2020-01-05 12:00')",
        "tstzrange('2020-01-01', null)",
        "tstzrange('2020-01-01', 'infinity')",
        "int4multirange(int4range(1, 2), int4range(5, null))",
        "'{}'::int4multirange",
        "tsmultirange(tsrange('2020-01-01', '2020-01-05 12:00'))",
        "array[int4range(1, 2), null]",
        "array[tsmultirange(tsrange('2020-01-01', '2020-01-05 12:00'))]",
    ],
)
def test_load(connection: psycopg.Connection[Any], expression: str, format: int) -> None:
    outcomes = []
    for raw in (False, True):
        cursor = connection.cursor(binary=bool(format))
        if raw:
            for info in psycopg.postgres.types:
                for oid in filter(None, (info.oid, info.array_oid)):
                    cursor.adapters.register_loader(oid, RawBinaryLoader if format else RawLoader)
        cursor.execute(f"select {expression}")
        try:
            row = cursor.fetchone()
            assert row is not None
            value = row[0]
            if raw:
                assert cursor.description is not None
                oid = cursor.description[0].type_code
                transformer = neonps.adapt.Transformer(Context(connection))  # type: ignore[arg-type]
                value = transformer.get_loader(oid, neonps.pq.Format(format)).load(value)
        except (e.DataError, psycopg.DataError) as ex:
            outcomes.append(f"DataError: {ex}")
        else:
            outcomes.append(repr(value))
    assert outcomes[0] == outcomes[1]


class Context:
    """A connection of psycopg as a context of ours."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.connection = connection
        self.adapters = adapters


@pytest.mark.parametrize(
    ("value", "type"),
    [
        (Range(1, 5), "int4range"),
        (Int4Range(1, 5, "[]"), "int4range"),
        (Range(NAIVE, None), "tsrange"),
        (Range(empty=True), "daterange"),
        (Int4Multirange([Range(1, 2), Range(5, 6)]), "int4multirange"),
        ([Range(DATE, None), None], "daterange[]"),
    ],
    ids=str,
)
def test_the_server_understands(connection: psycopg.Connection[Any], value: Any, type: str) -> None:
    transformer = neonps.adapt.Transformer()
    row = connection.execute(b"select (%s)::%s::text" % (transformer.as_literal(value), type.encode())).fetchone()
    assert row is not None
    loaded = transformer.get_loader(types.get_oid(type), neonps.pq.Format.TEXT).load(row[0].encode())
    assert loaded == (Range(1, 6) if value == Int4Range(1, 5, "[]") else value)
