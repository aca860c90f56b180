"""Arrays: lists of any shape in both formats, and text that is no array."""

from __future__ import annotations

import struct
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neonps import errors as e
from neonps.adapt import AdaptersMap, Dumper, PyFormat, Transformer
from neonps.postgres import adapters, types
from neonps.pq import Format
from neonps.typeinfo import TypeInfo
from neonps.types.array import ListBinaryDumper, ListDumper, register_array

# What needs quotes, and what only looks like it
STRINGS = st.text(st.sampled_from(list("aNUL l\"\\{},;'\t\n\v\f\r é\xa0[]=:")), max_size=8) | st.sampled_from(
    ["NULL", "null", "nUll", "NULLx", "", " ", '"', "\\", "{}", "[1:2]={1,2}"]
)
ELEMENTS = st.none() | STRINGS


def shaped(elements: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    """Lists of one to three dimensions in which all lists of a dimension are of one length."""

    def of_shape(shape: list[int]) -> st.SearchStrategy[list[Any]]:
        strategy = elements
        for length in reversed(shape):
            strategy = st.lists(strategy, min_size=length, max_size=length)
        return strategy

    return st.lists(st.integers(1, 3), min_size=1, max_size=3).flatmap(of_shape)


def dump(value: list[Any], format: PyFormat) -> tuple[int, bytes]:
    transformer = Transformer()
    (data,) = transformer.dump_sequence([value], [format])
    assert data is not None
    assert transformer.types is not None
    return transformer.types[0], bytes(data)


def load(type: str, data: bytes, format: Format = Format.TEXT) -> Any:
    return Transformer().get_loader(types[type].array_oid, format).load(data)


def elements(value: Any) -> list[Any]:
    return [each for item in value for each in elements(item)] if isinstance(value, list) else [value]


# Round trips


@given(shaped(ELEMENTS))
def test_strings(value: list[Any]) -> None:
    assert load("text", dump(value, PyFormat.TEXT)[1]) == value
    if elements(value) != [None] * len(elements(value)):
        oid, data = dump(value, PyFormat.BINARY)
        assert oid == types["text"].array_oid
        assert load("text", data, Format.BINARY) == value


@given(shaped(st.none() | st.integers()))
def test_integers(value: list[Any]) -> None:
    numbers = [each for each in elements(value) if each is not None]
    for format in (PyFormat.TEXT, PyFormat.BINARY):
        oid, data = dump(value, format)
        if not numbers:
            assert oid == 0
            continue
        # The largest decides, whichever it is.
        keys = [Transformer().get_dumper(each, format).oid for each in numbers]
        size = ["int2", "int4", "int8", "numeric"]
        assert oid == types[max(keys, key=[types[name].oid for name in size].index)].array_oid
        assert Transformer().get_loader(oid, PyFormat.as_pq(format)).load(data) == value


@given(shaped(st.none() | st.binary()))
def test_bytes(value: list[Any]) -> None:
    assert load("bytea", dump(value, PyFormat.TEXT)[1]) == value


@given(value=shaped(ELEMENTS), delimiter=st.sampled_from([",", ";", "|", ":", "."]))
def test_other_delimiters(value: list[Any], delimiter: str) -> None:
    class WordDumper(Dumper):
        oid = 100_000

        def dump(self, obj: str) -> bytes:
            return obj.encode()

    context = AdaptersMap(adapters)
    context.register_dumper(str, WordDumper)
    TypeInfo("word", 100_000, 100_001, delimiter=delimiter).register(context)
    transformer = Transformer(context)
    (data,) = transformer.dump_sequence([value], [PyFormat.TEXT])
    if any(each is not None for each in elements(value)):
        assert transformer.types == (100_001,)
        assert transformer.get_loader(100_001, Format.TEXT).load(data or b"") == value


# Text that Postgres makes


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{}", []),
        ("{{}}", [[]]),
        ("{1,2}", ["1", "2"]),
        ("{NULL,a,NULL}", [None, "a", None]),
        ('{"NULL",null}', ["NULL", "null"]),
        ("[2:3]={1,2}", ["1", "2"]),
        ("[-1:0][5:5]={{1},{2}}", [["1"], ["2"]]),
        ('[0:0]={"[1:2]={"}', ["[1:2]={"]),
        ("{{1,NULL},{3,4}}", [["1", None], ["3", "4"]]),
        ("{{{a}},{{b}}}", [[["a"]], [["b"]]]),
        ('{"","a b","c,d","e\\"f","g\\\\h","{}"}', ["", "a b", "c,d", 'e"f', "g\\h", "{}"]),
        ('{"a\nb"}', ["a\nb"]),
        ("{a b}", ["a b"]),
        ("{é}", ["é"]),
        ("{a\\,b}", ["a,b"]),
        ("{\\N\\U\\L\\L}", ["NULL"]),
    ],
)
def test_text(text: str, value: list[Any]) -> None:
    assert load("text", text.encode()) == value


def test_boxes_have_another_delimiter() -> None:
    assert load("box", b"{(1,1),(0,0);(2,2),(1,1)}") == ["(1,1),(0,0)", "(2,2),(1,1)"]
    assert load("box", b"{{(1,1),(0,0);NULL};{NULL;NULL}}") == [["(1,1),(0,0)", None], [None, None]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty data"),
        ("1,2}", "missing initial '{'"),
        (" {1}", "missing initial '{'"),
        ("[2:3]", "no '=' after dimension information"),
        ("[2:3]{1}", "no '=' after dimension information"),
        ("[x]={1}", "no '=' after dimension information"),
        ("[2:3]=", "missing initial '{'"),
        ("[2:3]=1", "missing initial '{'"),
        ("{", "hit the end of the buffer"),
        ("{1", "hit the end of the buffer"),
        ("{1,", "hit the end of the buffer"),
        ('{"1', "hit the end of the buffer"),
        ('{"1"', "hit the end of the buffer"),
        ('{"1\\"}', "hit the end of the buffer"),
        ('{"1\\', "hit the end of the buffer"),
        ("{a\\", "hit the end of the buffer"),
        ("{{1}", "hit the end of the buffer"),
        ("{1}}", "data after the last '}'"),
        ("{1}x", "data after the last '}'"),
        ("{1}{2}", "data after the last '}'"),
        ("{,}", "an element is missing"),
        ("{1,}", "an element is missing"),
        ("{,1}", "an element is missing"),
        ('{"1",}', "unexpected '}'"),
        ('{,"1"}', "unexpected ','"),
        ('{"1",,"2"}', "unexpected ','"),
        ("{{1}{2}}", "unexpected '{'"),
        ('{"a"b}', "two elements without a delimiter"),
        ('{a"b"}', "two elements without a delimiter"),
        ('{"a""b"}', "two elements without a delimiter"),
        ("{" * 7 + "}" * 7, "more than 6 dimensions"),
    ],
)
def test_malformed_text(text: str, message: str) -> None:
    with pytest.raises(e.DataError) as raised:
        load("text", text.encode())
    assert str(raised.value) == f"malformed array: {message}"


@given(st.text(st.sampled_from(list('{}",\\ abNUL[]:=1;')), max_size=30))
def test_any_text(text: str) -> None:
    for data in (text, "{" + text + "}"):
        try:
            value = load("text", data.encode())
        except e.DataError:
            continue
        assert load("text", dump(value, PyFormat.TEXT)[1]) == value


@pytest.mark.parametrize("length", [200_000])
@pytest.mark.parametrize(
    "unit", ["{", '"', "\\", '{"', "a", "a\\", '"a\\', "[1:2]", "{{", '""', "{1,", ",", "}", '"\\"', "\\\\", '{"\\\\']
)
def test_long_malformed_text(unit: str, length: int) -> None:
    # With anything but linear time this does not come to an end.
    for data in (unit * length, "{" + unit * length, '{"' + unit * length):
        with pytest.raises(e.DataError, match="malformed array"):
            load("text", data.encode())


def test_long_text() -> None:
    value = ['a"\\,'] * 100_000
    assert load("text", dump(value, PyFormat.TEXT)[1]) == value
    assert load("int4", b"{" + b",".join([b"1"] * 100_000) + b"}") == [1] * 100_000


# Binary


def array(ndim: int, *numbers: int) -> bytes:
    return struct.pack(f"!II{len(numbers)}i", ndim, 0, *numbers)


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (array(0, 23), []),
        (array(1, 23, 2, 1, 4, 7, -1), [7, None]),
        (array(1, 23, 1, -5, 4, 7), [7]),
        (array(2, 23, 2, 1, 1, 1, 4, 7, 4, 8), [[7], [8]]),
        (array(1, 23, 0, 1), []),
        (array(2, 23, 2, 1, 0, 1), []),
    ],
)
def test_binary(data: bytes, value: list[Any]) -> None:
    assert load("int4", data, Format.BINARY) == value


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "hit the end of the buffer"),
        (array(1, 23), "hit the end of the buffer"),
        (array(1, 23, 2, 1, 4, 7), "hit the end of the buffer"),
        (array(1, 23, 1, 1, 5, 7), "hit the end of the buffer"),
        (array(1, 23, 2**31 - 1, 1), "hit the end of the buffer"),
        (array(6, 23, *[2**31 - 1, 1] * 6), "hit the end of the buffer"),
        (array(7, 23, *[1, 1] * 7, 4, 7), "unexpected number of dimensions 7 exceeding the maximum allowed 6"),
        (b"\xff" * 12, "unexpected number of dimensions"),
    ],
)
def test_malformed_binary(data: bytes, message: str) -> None:
    with pytest.raises(e.DataError, match=message):
        load("int4", data, Format.BINARY)


@given(st.binary(max_size=60))
def test_any_binary(data: bytes) -> None:
    # Elements of a type without a loader, to see the array alone
    for oid in (0, 600):
        body = data[:8] + struct.pack("!I", oid) + data[12:]
        with suppress(e.DataError):
            load("point", body, Format.BINARY)


# Lists that are no arrays


def test_lists_that_contain_themselves() -> None:
    value: list[Any] = [1]
    value.append(value)
    for format in PyFormat:
        with pytest.raises(e.DataError, match="cannot dump a recursive list"):
            dump(value, format)


def test_the_same_list_twice() -> None:
    row = [1, 2]
    assert dump([row, row], PyFormat.TEXT)[1] == b"{{1,2},{1,2}}"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([[1], [2, 3]], "nested lists have inconsistent lengths"),
        ([[1], []], "nested lists have inconsistent lengths"),
        ([[], [1]], "lists cannot contain empty lists"),
        ([[1], 2], "nested lists have inconsistent depths"),
        ([1, [2]], "nested lists have inconsistent depths"),
        ([None, [2]], "nested lists have inconsistent depths"),
        ([[1], None], "nested lists have inconsistent depths"),
        ([[[1]], [2]], "nested lists have inconsistent depths"),
    ],
)
def test_irregular_lists(value: list[Any], message: str) -> None:
    with pytest.raises(e.DataError, match=message):
        dump(value, PyFormat.BINARY)


# Types by oid


@pytest.mark.parametrize("format", Format)
@pytest.mark.parametrize(
    ("type", "value"), [("int4", [1, None]), ("text", ["a", "b c"]), ("numeric", [[1], [2]]), ("int8", [])]
)
def test_lists_of_a_type_that_is_asked_for(type: str, value: list[Any], format: Format) -> None:
    transformer = Transformer()
    dumper = transformer.get_dumper_by_oid(types[type].array_oid, format)
    assert (dumper.oid, dumper.format) == (types[type].array_oid, format)
    data = bytes(dumper.dump(value) or b"")
    assert transformer.get_loader(dumper.oid, format).load(data) == value
    with pytest.raises(e.ProgrammingError, match="cannot find a dumper for type box"):
        transformer.get_dumper_by_oid(types["box"].array_oid, format)


def test_register_array() -> None:
    context = AdaptersMap(adapters)
    info = TypeInfo("word", 100_000, 100_001, delimiter=";")
    with pytest.raises(e.ProgrammingError):
        context.get_dumper_by_oid(100_001, Format.TEXT)
    register_array(info, context)
    loader = Transformer(context).get_loader(100_001, Format.TEXT)
    assert loader.load(b"{a,b;c}") == ["a,b", "c"]
    assert context.get_dumper_by_oid(100_001, Format.TEXT).oid == 100_001
    with pytest.raises(ValueError, match="doesn't describe an array"):
        register_array(TypeInfo("word", 100_000, 0), context)


@pytest.mark.parametrize("cls", [ListDumper, ListBinaryDumper])
def test_dumper_that_is_used_alone(cls: type[ListDumper]) -> None:
    dumper = cls(list)
    data = bytes(dumper.dump([1, 2]) or b"")
    assert load("int2", data, dumper.format) == [1, 2]
    assert load("int2", bytes(dumper.dump([]) or b""), dumper.format) == []
