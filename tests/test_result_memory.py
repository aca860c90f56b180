"""How much memory a result needs while it arrives and while it is loaded, by what Python allocates."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from server_messages import complete, data_row, row_description
from traced import traced
from transports import Connection

from neonps.endpoint import Endpoint
from neonps.protocol import backend, wireresult
from neonps.protocol.backend import BackendParser, CommandComplete, DataRows, RowDescription
from neonps.protocol.http import HttpConnection, Response
from neonps.protocol.wireresult import WireResult

BODY = 8_000_000

#: What little things may take, beside what is counted.
LITTLE = 100_000


def received(parts: Iterator[bytes]) -> Response:
    """The response to a request, which comes in these parts."""
    http = HttpConnection(Endpoint.parse("http://localhost/sql", "endpoint"))
    http.request("POST", {}, b"")
    for part in parts:
        response = http.receive(part)
        if response is not None:
            return response
    raise AssertionError("the response is not complete")


def with_length() -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % BODY
    for _ in range(BODY // 8000):
        yield b"x" * 8000


def in_chunks() -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    for _ in range(BODY // 8000):
        yield b"%x\r\n%b\r\n" % (8000, b"x" * 8000)
    yield b"0\r\n\r\n"


@pytest.mark.parametrize(("parts", "spare"), [(with_length, 0), (in_chunks, BODY // 8)])
def test_the_body_of_a_response_is_held_once(parts: Callable[[], Iterator[bytes]], spare: int) -> None:
    received(parts())  # what is imported and kept for later
    response, left, peak = traced(lambda: received(parts()))
    assert response.body == b"x" * BODY
    assert peak < BODY + spare + LITTLE
    assert left < BODY + LITTLE


def collected(data: bytes, cut: int) -> WireResult:
    """The result whose messages come `cut` bytes at a time."""
    parser = BackendParser()
    result = None
    for start in range(0, len(data), cut):
        parser.feed(data[start : start + cut])
        while (message := parser.next_message()) is not None:
            if isinstance(message, RowDescription):
                result = WireResult(message.fields)
            elif isinstance(message, DataRows):
                assert result is not None
                result.append(message)
            else:
                assert isinstance(message, CommandComplete)
    assert parser.pending == 0
    assert result is not None
    return result


def answer(rows: Sequence[Sequence[bytes | None]], width: int) -> bytes:
    return b"".join([row_description(*"abcdefg"[:width]), *(data_row(*row) for row in rows), complete("SELECT")])


@pytest.mark.parametrize("cut", [700, 1448, 8192, 16384, 65536, 1 << 18])
def test_messages_are_held_once(cut: int) -> None:
    data = answer([(b"%d" % n, b"row number %d" % n) for n in range(30_000)], 2)
    collected(data, cut)
    result, left, peak = traced(lambda: collected(data, cut))
    assert result.ntuples == 30_000
    assert left < 1.02 * len(data) + LITTLE
    assert peak < 1.02 * len(data) + 3 * cut + LITTLE


ROWS = st.integers(1, 4).flatmap(
    lambda width: st.lists(
        st.lists(st.none() | st.binary(max_size=40), min_size=width, max_size=width), min_size=1, max_size=40
    )
)


@given(ROWS, st.integers(1, 400), st.integers(8, 200), st.integers(8, 200), st.data())
def test_pieces_of_any_size_have_the_same_rows(
    rows: list[list[bytes | None]], cut: int, split: int, joined: int, data: st.DataObject
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backend, "_PIECE", split)
        patch.setattr(wireresult, "_PIECE", joined)
        result = collected(answer(rows, len(rows[0])), cut)
    assert result.ntuples == len(rows)
    assert list(result.rows()) == rows
    start, stop = sorted((data.draw(st.integers(0, len(rows))), data.draw(st.integers(0, len(rows)))))
    assert list(result.rows(start, stop)) == rows[start:stop]
    assert [result.get_value(n, 0) for n in range(len(rows))] == [row[0] for row in rows]


def test_rows_are_loaded_piece_by_piece(auto: Connection) -> None:
    query = "select n, n * 1000000007::int8, n / 7.0::float8, 'row number ' || n from generate_series(1, 10000) n"
    expected = [(n, n * 1000000007, n / 7, f"row number {n}") for n in range(1, 10001)]
    assert auto.execute(query).fetchall() == expected
    cursor = auto.execute(query)

    def load() -> list[Any]:
        cursor.scroll(0, "absolute")
        return cursor.fetchall()

    rows, left, peak = traced(load)
    assert rows == expected
    # What is needed meanwhile is that of a piece, not of all.
    assert peak < left + 200_000
