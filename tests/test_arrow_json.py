"""Rows in JSON become columns of Arrow without being parsed: they are those that a parser finds, or it is asked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import neonps
from neonps import errors as e
from neonps.adapt import Transformer
from neonps.pq import ExecStatus
from neonps.protocol import sqlhttp, textresult
from neonps.protocol.http import Response
from neonps.protocol.result import FieldDescription
from neonps.protocol.sqlhttp import parse_answer
from neonps.protocol.textresult import JsonResult, ListResult, TextResult, parse_rows

pa = pytest.importorskip("pyarrow")
np = pytest.importorskip("numpy")

from neonps.arrow import rows as arrow_rows  # noqa: E402
from neonps.arrow.json_rows import rows_of  # noqa: E402
from neonps.arrow.reading import Session  # noqa: E402
from neonps.arrow.rows import Part, blocks  # noqa: E402
from neonps.arrow.tables import BatchMaker, table  # noqa: E402
from neonps.arrow.values import Values  # noqa: E402

Row = list["str | None"]

VALUE = (
    st.none()
    | st.text()
    | st.text('"\\,[]nul/', max_size=6)
    | st.sampled_from(["", "null", ",null,", '"', "\\", "\\\\", '\\"', "],[", '"],["', "\\u0041", "é", "€", "😀", "\0"])
)
PLAIN = st.integers(0, 2**31 - 1).map(str)
ROWS = st.integers(1, 3).flatmap(
    lambda width: (
        st.lists(st.tuples(*[VALUE] * width).map(list), min_size=1, max_size=30)
        | st.lists(st.tuples(*[PLAIN] * width).map(list), min_size=1, max_size=30)
        | st.lists(st.tuples(*[PLAIN | st.none()] * width).map(list), min_size=1, max_size=30)
    )
)

SHORT = {'"': '\\"', "\\": "\\\\", "/": "\\/", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


@st.composite
def written(draw: st.DrawFn, rows: list[Row]) -> bytes:
    """These rows in JSON, each character in any of the ways in which it can be written."""

    def string(value: str) -> str:
        return "".join(
            map(character, value, draw(st.lists(st.integers(0, 3), min_size=len(value), max_size=len(value))))
        )

    def character(char: str, way: int) -> str:
        if way == 0 and char in SHORT:
            return SHORT[char]
        if way == 1 or char < " " or char in '"\\':
            units = char.encode("utf-16-be").hex()
            units = units.upper() if len(units) == 8 else units
            return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))
        return char

    values = (",".join("null" if each is None else f'"{string(each)}"' for each in row) for row in rows)
    return ",".join(f"[{row}]" for row in values).encode()


def objects(columns: list[Values]) -> list[Row]:
    arrays = [values.binary().to_pylist() for values in columns]
    return [[None if each is None else each.decode() for each in row] for row in zip(*arrays, strict=True)]


def result_of(data: bytes, width: int, rows: int) -> JsonResult:
    data = b"[" + data + b"]"
    return JsonResult(ExecStatus.TUPLES_OK, fields(width), "SELECT", data, 1, len(data) - 1, rows)


def fields(width: int, oid: int = 25) -> list[FieldDescription]:
    return [FieldDescription(f"c{n}", 0, 0, oid, -1, -1, 0) for n in range(width)]


def session() -> Session:
    transformer = Transformer()
    return Session("utf-8", True, "postgres", "UTC", transformer.adapters.types, transformer)


@pytest.fixture
def no_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of JSON are not to be parsed."""

    def parse(*_: Any) -> Any:
        raise AssertionError("rows have been parsed")

    monkeypatch.setattr(textresult, "parse_rows", parse)


@given(rows=ROWS, data=st.data())
@example([["a"], ["b"]], None)
@example([["\ud7ff\ue000\U0010ffff\U00010000\x7f\x80\u07ff\u0800\uffff"]], None)
def test_the_rows_that_were_written(rows: list[Row], data: st.DataObject | None) -> None:
    text = data.draw(written(rows)) if data else json.dumps(rows, separators=(",", ":")).encode()[1:-1]
    found = rows_of(text, len(rows[0]))
    assert found is not None
    assert objects(found.columns) == rows
    for number, start in enumerate(found.starts):
        assert json.loads(b"[" + text[start:] + b"]") == rows[number:]


BYTES = st.sampled_from([b'"', b"\\", b"[", b"]", b",", b"null", b"n", b"\\u12", b"\\ud83d", b"\\ude00", b'\\"', b" "])


@given(rows=ROWS, data=st.data())
def test_whatever_is_written(rows: list[Row], data: st.DataObject) -> None:
    """Where a parser finds no rows, none are found; where it does, these or none."""
    text = data.draw(written(rows))
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        stop = data.draw(st.integers(start, min(start + 4, len(text))))
        text = text[:start] + data.draw(st.just(b"") | BYTES | st.binary(max_size=2)) + text[stop:]
    width = data.draw(st.just(len(rows[0])) | st.integers(1, 4))
    check_as_parsed(text, width)


def check_as_parsed(text: bytes, width: int) -> None:
    found = rows_of(text, width)
    if found is None:
        return
    assert list(map(list, zip(*textresult._parse(text, width), strict=True))) == objects(found.columns)


@pytest.mark.parametrize(
    "text",
    [
        *[
            b"",
            b"[",
            b"]",
            b"[]",
            b"[[]]",
            b'"a"',
            b'["a"',
            b'"a"]',
            b'["a"],',
            b',["a"]',
            b'["a"]["b"]',
            b'["a"],"b"]',
        ],
        *[
            b'["a","b"]',
            b'["a",]',
            b'[,"a"]',
            b'["a" ]',
            b'[ "a"]',
            b'["a"] ',
            b'["a"], ["b"]',
            b'["a"],["b"]]',
            b"[1]",
        ],
        *[
            b'[["a"]]',
            b"[true]",
            b'[{"a":"b"}]',
            b'{"a"}',
            b'("a")',
            b'["a"],("b")',
            b'["a"];["b"]',
            b'["a"}',
            b"[nul]",
        ],
        *[b"[null", b"null", b"[nulll]", b"[null null]", b'[null"a"]', b'["a"null]', b"[NULL]", b'["\\x"]', b'["\\"]'],
        *[b'["\\', b'["a\\\\\\"]', b'\\["a"]', b'[\\"a"]', b'["a"\\]', b'["\\u12"]', b'["\\u123"]', b'["\\u123g"]'],
        *[b'["\\ud83d"]', b'["\\ude00"]', b'["\\ude00\\ud83d"]', b'["\\ud83d\\ud83d\\ude00"]', b'["\\ud83d \\ude00"]'],
        *[b'["\\ud83d\\n"]', b'["\\ud83d"],["\\ude00"]', b'["\\u', b'["\\ud83d\\u"]', b'["\\u+123"]', b'["\\u 123"]'],
        *[
            b'["a\nb"]',
            b'["\x00"]',
            b'["\x1f"]',
            b'["\xff"]',
            b'["\xc3"]',
            b'["\xed\xa0\x80"]',
            b'["\xed\xa0\xbd\xed\xb8\x80"]',
        ],
        *[b'["\xf4\x90\x80\x80"]', b'["\xc0\x80"]', b"\xef\xbb\xbf[null]", b'["a"]\0'],
    ],
)
def test_what_is_not_certain(text: bytes) -> None:
    assert rows_of(text, 1) is None
    assert rows_of(text, 3) is None


@given(rows=ROWS, data=st.data())
def test_blocks(rows: list[Row], data: st.DataObject) -> None:
    """Of any size, from any row, in any order, and after rows were loaded as objects: they are the same."""
    text = data.draw(written(rows))
    result = result_of(text, len(rows[0]), len(rows))
    transformer = Transformer()
    transformer.set_fields(fields(len(rows[0])))
    bound = st.integers(0, len(rows))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(textresult, "_PIECE", data.draw(st.integers(1, 50)))
        patch.setattr(textresult, "_FEW", 3)
        patch.setattr(arrow_rows, "_LONGEST", data.draw(st.just(1 << 27) | st.integers(1, 100)))
        for start, stop in data.draw(st.lists(st.tuples(bound, bound).map(sorted), min_size=1, max_size=5)):
            if data.draw(st.booleans()):
                assert result.load_rows(transformer, list, start, stop) == rows[start:stop]
                continue
            most_rows, most_bytes = data.draw(st.integers(1, 40)), data.draw(st.integers(1, 200))
            found: list[Row] = []
            for block in blocks(Part(result, start, stop), most_rows, most_bytes):
                assert 1 <= block.rows <= most_rows
                assert {len(values) for values in block.columns} == {block.rows}
                found += objects(block.columns)
            assert found == rows[start:stop]


@given(rows=ROWS, most_rows=st.integers(1, 40))
def test_blocks_of_rows_that_are_lists(rows: list[Row], most_rows: int) -> None:
    result = ListResult(ExecStatus.TUPLES_OK, fields(len(rows[0])), "SELECT", rows)
    found = list(blocks(Part(result, 0, len(rows)), most_rows, 1))
    assert all(block.rows == most_rows for block in found[:-1])
    assert [row for block in found for row in objects(block.columns)] == rows


def test_batches_are_as_large_as_was_asked_for(no_parser: None) -> None:
    rows: list[Row] = [["x" * (n % 100 if n % 1000 < 900 else 2000), None] for n in range(5000)]
    result = result_of(json.dumps(rows, separators=(",", ":")).encode()[1:-1], 2, 5000)
    maker = BatchMaker(fields(2), session())
    for start in range(0, 5000, 700):
        stop = min(start + 700, 5000)
        (batch,) = maker.batches(Part(result, start, stop), 700)
        assert list(map(list, zip(*batch.to_pydict().values(), strict=True))) == rows[start:stop]


def answer(rows: Any, text: bytes | None = None, oid: int = 25) -> TextResult:
    """An answer with these rows of one column, as a result."""
    head = {"command": "SELECT", "fields": [{"name": "c0", "dataTypeID": oid}], "rowCount": len(rows), "rows": rows}
    data = json.dumps(head, separators=(",", ":")).encode() if text is None else text
    (result,) = parse_answer(Response(200, "OK", {}, data), None)
    assert isinstance(result, TextResult)
    return result


@pytest.fixture
def all_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlhttp, "_LARGE", 1)


ODD = [[1], [True], [1.5], [["1"]], [{}], ["1", "2"], [], "1", None, {"c0": "1"}, ["],["] * 2, ["],["], ["\ud800"]]


@pytest.mark.parametrize("odd", ODD, ids=repr)
@pytest.mark.parametrize("position", [0, 20, -1])
def test_rows_that_make_no_sense(all_is_large: None, odd: Any, position: int) -> None:
    rows: list[Any] = [[str(n)] for n in range(40)]
    rows[position] = odd
    outcomes = []
    for take in (everything, arrow_table):
        try:
            outcomes.append(take(answer(rows)))
        except e.Error as error:
            outcomes.append((type(error), str(error)))
    assert outcomes[0] == outcomes[1]
    assert odd == ["],["] or outcomes[0][0] is e.OperationalError


def everything(result: TextResult) -> list[Any]:
    transformer = Transformer()
    transformer.set_fields(result.fields or ())
    return result.load_rows(transformer, lambda row: row[0], 0, result.ntuples)


def arrow_table(result: TextResult) -> Any:
    return table(result.fields or (), [Part(result, 0, result.ntuples)], session()).column(0).to_pylist()


@pytest.mark.parametrize("count", [38, 39, 41, 42])
def test_a_count_that_is_not_that_of_the_rows(count: int) -> None:
    text = b",".join(b'["%d"]' % n for n in range(40))
    for take in (everything, arrow_table):
        with pytest.raises(e.OperationalError, match="it has not as many rows as it says"):
            take(result_of(text, 1, count))


def test_rows_before_the_odd_ones_come_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(textresult, "_PIECE", 40)
    text = b",".join(b'["%d"]' % n for n in range(40)) + b",[1]"
    found = BatchMaker(fields(1), session()).batches(Part(result_of(text, 1, 41), 0, 41), 10)
    assert [next(found).column(0).to_pylist()[0] for _ in range(3)] == ["0", "10", "20"]
    with pytest.raises(e.OperationalError, match="a value is not text"):
        list(found)


def test_a_control_character_that_should_be_escaped() -> None:
    """Parsed by the manner of `parse_rows()`, whatever that makes of it."""
    text = b",".join(b'["%d\n"]' % n for n in range(40))
    assert rows_of(text, 1) is None
    assert arrow_table(result_of(text, 1, 40)) == everything(result_of(text, 1, 40))
    assert parse_rows(text, 1)[0][0] == "0\n"


@pytest.fixture(scope="module")
def http(url: str) -> Iterator[neonps.Connection[Any]]:
    with closing(neonps.connect(url, transport="http", autocommit=True)) as connection:
        yield connection


# Of each kind, what could be taken for something else in JSON.
COLUMNS = [
    "n",
    "nullif(n % 3, 0)::int8 as a",
    "n / 7.0::float8 as b",
    "(n / 8.0)::numeric(12, 3) as c",
    "case when n % 5 > 0 then repeat(chr(n % 300 + 1), n % 7) || '\"\\/],null,[€😀' end as d",
    "decode(md5(n::text), 'hex') as e",
    "md5(n::text)::uuid as f",
    "array[n::text, null, 'a,\"b\\'] as g",
    "json_build_object('n', null, 'a', array[n, n]) as h",
    "timestamptz '2026-01-01' + n * interval '1 second' as i",
    "n % 2 = 0 as j",
]


@pytest.mark.parametrize("first", [1, 50])
def test_real_answers(http: neonps.Connection[Any], no_parser: None, first: int) -> None:
    query = f"select {', '.join(COLUMNS)} from generate_series(1, 2000) as n"
    cursor = http.execute(query)
    assert isinstance(cursor.pgresult, JsonResult)
    table = cursor.fetch_arrow_table()
    table.validate(full=True)
    cursor = http.execute(query)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(textresult, "parse_rows", parse_rows)
        expected = http.execute(query).fetchall()
        assert cursor.fetchmany(first) == expected[:first]
    batches = list(cursor.fetch_record_batches(999))
    assert [batch.num_rows for batch in batches] == [999] * ((2000 - first) // 999) + [(2000 - first) % 999]
    assert rows_of_table(table) == [comparable(row) for row in expected]
    assert rows_of_table(pa.Table.from_batches(batches)) == [comparable(row) for row in expected[first:]]


def test_a_real_answer_with_what_looks_like_rows(http: neonps.Connection[Any]) -> None:
    query = f"select '],[' as x, {', '.join(COLUMNS)} from generate_series(1, 500) as n"
    cursor = http.execute(query)
    assert isinstance(cursor.pgresult, ListResult)
    assert rows_of_table(cursor.fetch_arrow_table()) == [comparable(row) for row in http.execute(query).fetchall()]


def rows_of_table(table: Any) -> list[tuple[Any, ...]]:
    return [comparable(row.values()) for row in table.to_pylist()]


def comparable(row: Any) -> tuple[Any, ...]:
    return tuple(json.loads(value) if isinstance(value, str) and value.startswith('{"n"') else value for value in row)
