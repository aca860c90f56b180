"""Rows that came as JSON text: in whatever pieces and manner they are taken, they are the rows that were sent."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neonps import errors as e
from neonps.adapt import AdaptersMap, Loader, Transformer
from neonps.endpoint import Endpoint
from neonps.pq import ExecStatus
from neonps.protocol import sqlhttp, textresult
from neonps.protocol.backend import ProtocolError
from neonps.protocol.http import HttpConnection, Response
from neonps.protocol.result import FieldDescription
from neonps.protocol.sqlhttp import parse_answer
from neonps.protocol.textresult import JsonResult, ListResult, TextResult, parse_rows

Rows = list[list[str | None]]

# What could be taken for the frame of a row, when it is in a value.
VALUE = (
    st.none() | st.text() | st.sampled_from(["],[", '"],["', "],[null", "null", ",", '"', "\\", "]]", "[[", "", "é😀"])
)
INT = st.integers(0, 2**31 - 1).map(str)
ROWS = st.integers(1, 3).flatmap(
    lambda width: (
        st.lists(st.tuples(*[VALUE] * width).map(list), min_size=1, max_size=60)
        | st.lists(st.tuples(*[INT] * width).map(list), min_size=1, max_size=60)
    )
)


@pytest.fixture(autouse=True, scope="module")
def small_pieces() -> Any:
    """Everything counts as large, so that few rows make many pieces."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(textresult, "_PIECE", 40)
        patch.setattr(textresult, "_MANY", 7)
        patch.setattr(textresult, "_FEW", 3)
        patch.setattr(sqlhttp, "_LARGE", 1)
        yield


def fields(width: int, oid: int = 25) -> list[dict[str, Any]]:
    return [{"name": f"c{n}", "dataTypeID": oid} for n in range(width)]


def body(rows: Any, ascii: bool = True, batch: bool = False, oid: int = 25, width: int = 0, **changes: Any) -> bytes:
    answer = {
        "command": "SELECT",
        "fields": fields(width or len(rows[0]), oid),
        "rowCount": len(rows),
        "rows": rows,
        **changes,
    }
    document = {"results": [answer]} if batch else answer
    return json.dumps(document, ensure_ascii=ascii, separators=(",", ":")).encode("utf-8", "surrogatepass")


def parsed(data: bytes, expected: int | None = None) -> Any:
    return parse_answer(Response(200, "OK", {}, data), expected)


def raw(rows: Sequence[Sequence[str | None]]) -> list[list[bytes | None]]:
    return [[None if value is None else value.encode() for value in row] for row in rows]


def load(result: TextResult, start: int = 0, stop: int | None = None, make_row: Any = tuple) -> Any:
    transformer = Transformer()
    transformer.set_fields(result.fields or ())
    return result.load_rows(transformer, make_row, start, result.ntuples if stop is None else stop)


def both(rows: Rows, oid: int = 25) -> list[TextResult]:
    """The same rows in either class of result."""
    columns = [FieldDescription(f"c{n}", 0, 0, oid, -1, -1, 0) for n in range(len(rows[0]))]
    data = json.dumps(rows, separators=(",", ":")).encode()
    return [
        ListResult(ExecStatus.TUPLES_OK, columns, "SELECT", rows),
        JsonResult(ExecStatus.TUPLES_OK, columns, "SELECT", data, 1, len(data) - 1, len(rows)),
    ]


@given(rows=ROWS, ascii=st.booleans(), batch=st.booleans())
def test_answers(rows: Rows, ascii: bool, batch: bool) -> None:
    (result,) = parsed(body(rows, ascii, batch), 1 if batch else None)
    assert isinstance(result, TextResult)
    assert result.ntuples == len(rows)
    assert result.command_tag == f"SELECT {len(rows)}"
    assert list(result.rows()) == raw(rows)
    assert load(result) == list(map(tuple, rows))


@given(rows=ROWS, data=st.data())
def test_parts_in_any_order(rows: Rows, data: st.DataObject) -> None:
    bound = st.integers(0, len(rows))
    for result in both(rows):
        for start, stop in data.draw(st.lists(st.tuples(bound, bound).map(sorted).map(tuple), max_size=5)):
            assert load(result, start, stop) == list(map(tuple, rows[start:stop]))
            assert list(result.rows(start, stop)) == raw(rows[start:stop])
            if start < len(rows):
                assert result.get_value(start, 0) == raw(rows)[start][0]


@given(rows=ROWS)
def test_row_by_row(rows: Rows) -> None:
    for result in both(rows):
        assert [load(result, n, n + 1)[0] for n in range(len(rows))] == list(map(tuple, rows))


@given(values=st.lists(INT | st.none(), min_size=1, max_size=60))
def test_types_and_row_makers(values: list[str | None]) -> None:
    numbers = [None if value is None else int(value) for value in values]
    for result in both([[value] for value in values], oid=23):
        assert load(result, make_row=lambda row: {"x": row[0]}) == [{"x": number} for number in numbers]


def test_custom_loaders_get_bytes() -> None:
    class Length(Loader):
        def load(self, data: Any) -> int:
            assert isinstance(data, bytes)
            return len(data)

    own = AdaptersMap(Transformer().adapters)
    own.register_loader("text", Length)
    for result in both([["é" * n] for n in range(30)]):
        transformer = Transformer(own)
        transformer.set_fields(result.fields or ())
        assert result.load_rows(transformer, tuple, 0, 30) == [(2 * n,) for n in range(30)]
        own.register_loader("text", Transformer().get_loader(25, 0).__class__)  # type: ignore[arg-type]
        assert result.load_rows(transformer, tuple, 0, 30) == [("é" * n,) for n in range(30)]
        own.register_loader("text", Length)


def test_large_answers_stay_json() -> None:
    (result,) = parsed(body([[str(n), None] for n in range(100)], oid=23))
    assert isinstance(result, JsonResult)
    assert load(result) == [(n, None) for n in range(100)]


@pytest.mark.parametrize("changes", [{"rowCount": None}, {"rowCount": 7}, {"command": "UPDATE", "rowCount": 0}])
def test_a_count_that_is_not_that_of_the_rows(changes: dict[str, Any]) -> None:
    rows: Rows = [[str(n)] for n in range(30)]
    (result,) = parsed(body(rows, **changes))
    assert isinstance(result, ListResult)
    assert load(result) == list(map(tuple, rows))


@pytest.mark.parametrize("name", ["]]", '"rows":[["', '{"rows":[[', "],["])
@pytest.mark.parametrize("batch", [False, True])
def test_names_of_columns_that_look_like_rows(name: str, batch: bool) -> None:
    rows: Rows = [["1"], ["2"]] * 20
    columns = [{"name": name, "dataTypeID": 23}]
    for document in (
        {"fields": columns, "rows": rows, "command": "SELECT", "rowCount": 40},
        {"rows": rows, "command": "SELECT", "rowCount": 40, "fields": columns},
    ):
        data = json.dumps({"results": [document]} if batch else document, separators=(",", ":")).encode()
        (result,) = parsed(data, 1 if batch else None)
        assert load(result) == [(1,), (2,)] * 20


def test_whitespace() -> None:
    rows = [["1", None], ["2", "x"]] * 20
    (result,) = parsed(json.dumps(json.loads(body(rows)), indent=1).encode())
    assert load(result) == list(map(tuple, rows))


@pytest.mark.parametrize(
    "odd",
    [[1], [True], [1.5], [["1"]], [{}], ["1", "2"], [], "1", None, {"c0": "1"}, ["],["] * 2, ["\ud800"]],
    ids=repr,
)
@pytest.mark.parametrize("position", [0, 20, -1])
def test_rows_that_make_no_sense(odd: Any, position: int) -> None:
    rows: list[Any] = [[str(n)] for n in range(40)]
    rows[position] = odd
    with pytest.raises(e.OperationalError, match="makes no sense as SQL over HTTP"):
        load(parsed(body(rows, width=1))[0])


@pytest.mark.parametrize("length", range(1, 400, 13))
def test_answers_that_were_cut(length: int) -> None:
    data = body([[str(n)] for n in range(40)])
    with pytest.raises(e.OperationalError, match="makes no sense as SQL over HTTP"):
        load(parsed(data[:-length])[0])


@given(rows=ROWS)
def test_columns_of_rows(rows: Rows) -> None:
    data = json.dumps(rows, separators=(",", ":")).encode()[1:-1]
    assert list(zip(*parse_rows(data, len(rows[0])), strict=True)) == list(map(tuple, rows))


# Long bodies, which go past h11


def connection() -> HttpConnection:
    http = HttpConnection(Endpoint.parse("http://localhost:1/sql", "endpoint"))
    http.request("POST", {}, b"{}")
    return http


def received(http: HttpConnection, data: bytes, size: int) -> Response | None:
    found = None
    for start in range(0, len(data), size):
        assert found is None
        found = http.receive(data[start : start + size])
    return found


LONG = bytes(range(256)) * 300
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n" % len(LONG)


@pytest.mark.parametrize("size", [50, 1000, 65536, 1 << 20])
def test_long_bodies(size: int) -> None:
    http = connection()
    for _ in range(3):
        response = received(http, HEAD + b"Neon-Request-Id: x\r\n\r\n" + LONG, size)
        assert response is not None
        assert response.body == LONG
        assert response.headers["neon-request-id"] == "x"
        assert http.reusable
        http.request("POST", {}, b"{}")


@pytest.mark.parametrize(
    "head", [HEAD + b"Connection: foo, Close\r\n\r\n", HEAD.replace(b"1.1", b"1.0") + b"\r\n"], ids=["close", "1.0"]
)
@pytest.mark.parametrize("size", [1000, 1 << 20])
def test_the_server_does_not_go_on_after_a_long_body(head: bytes, size: int) -> None:
    http = connection()
    response = received(http, head + LONG, size)
    assert response is not None
    assert response.body == LONG
    assert not http.reusable


def test_more_than_a_long_body() -> None:
    http = connection()
    assert http.receive(HEAD + b"\r\n" + LONG[:-3]) is None
    response = http.receive(LONG[-3:] + b"HTTP/1.1 200 OK\r\n")
    assert response is not None
    assert response.body == LONG
    assert not http.reusable


def test_a_long_body_that_is_cut_off() -> None:
    http = connection()
    assert http.receive(HEAD + b"\r\n" + LONG[:-3]) is None
    with pytest.raises(ProtocolError, match="closed the connection"):
        http.receive(b"")


def test_a_body_that_is_too_long() -> None:
    with pytest.raises(ProtocolError, match="longer than"):
        connection().receive(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n")


def test_a_long_body_in_chunks() -> None:
    http = connection()
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    response = received(http, head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(LONG), LONG), 5000)
    assert response is not None
    assert response.body == LONG
    assert http.reusable
