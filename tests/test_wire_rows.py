"""Rows taken from DataRow messages by the quick functions: the same as taken value by value."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from datetime import date, datetime, timezone
from struct import pack
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from server_messages import data_row, message

from neonps import errors as e
from neonps.adapt import AdaptersMap, Loader, Transformer
from neonps.postgres import adapters
from neonps.pq import Format
from neonps.protocol.backend import DataRows
from neonps.protocol.result import FieldDescription
from neonps.protocol.wireresult import WireResult
from neonps.row_appender import rows_appender
from neonps.text_rows import text_rows
from neonps.types.integer import Int4BinaryLoader, IntLoader

TEXT, BINARY = Format.TEXT, Format.BINARY

#: Texts without the zero byte that Postgres has not; some have bytes that look like sizes, or like the next message.
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=300) | st.sampled_from(
    ["", "D", "n", "\1n", "\x04", "ÿÿ", "é" * 64, "x" * 127, "x" * 128, "x" * 248, "x" * 255, "x" * 256, "x" * 65536]
)
INT2, INT4, INT8 = (st.integers(-(1 << n), (1 << n) - 1) for n in (15, 31, 63))
MOMENTS = st.integers(-63082281600000000, 252455616000000000 + 10**15) | st.sampled_from([-(2**63), 2**63 - 1, 0])


def encoded(text: st.SearchStrategy[str]) -> st.SearchStrategy[bytes]:
    return text.map(str.encode)


def packed(code: str, values: st.SearchStrategy[Any]) -> st.SearchStrategy[bytes]:
    return values.map(lambda value: pack(f"!{code}", value))


#: Types of columns: OID, format, and what is in them.
COLUMNS: list[tuple[int, Format, st.SearchStrategy[bytes]]] = [
    (21, BINARY, packed("h", INT2)),
    (23, BINARY, packed("i", INT4)),
    (20, BINARY, packed("q", INT8)),
    (26, BINARY, packed("I", st.integers(0, 2**32 - 1))),
    (700, BINARY, packed("f", st.floats(width=32))),
    (701, BINARY, packed("d", st.floats())),
    (16, BINARY, st.sampled_from([b"\0", b"\1"])),
    (25, BINARY, encoded(TEXTS)),
    (17, BINARY, st.binary(max_size=300)),
    (1082, BINARY, packed("i", st.integers(-730119, 2921939) | st.sampled_from([-(2**31), 2**31 - 1]))),
    (1114, BINARY, packed("q", MOMENTS)),
    (1184, BINARY, packed("q", MOMENTS)),
    (2950, BINARY, st.binary(min_size=16, max_size=16)),
    (1700, BINARY, st.sampled_from([pack("!HhHHH", 1, 0, 0, 2, 15), pack("!HhHH", 0, 0, 0xC000, 0)])),
    (21, TEXT, encoded(INT2.map(str))),
    (23, TEXT, encoded(INT4.map(str))),
    (20, TEXT, encoded(INT8.map(str))),
    (701, TEXT, encoded(st.floats().map(repr))),
    (16, TEXT, st.sampled_from([b"t", b"f"])),
    (25, TEXT, encoded(TEXTS)),
    (1700, TEXT, encoded(st.decimals(allow_nan=False, allow_infinity=False).map(str) | st.just("NaN"))),
    (1184, TEXT, st.sampled_from([b"2026-01-02 03:04:05.6+00", b"0001-01-01 00:00:00+00 BC", b"infinity"])),
    (2950, TEXT, encoded(st.uuids().map(str))),
    (3802, TEXT, st.sampled_from([b'{"a": [1, null]}', b"null", b'"x"'])),
    (1009, TEXT, st.sampled_from([b"{}", b'{a,NULL,"b c"}'])),
    (17, TEXT, encoded(st.binary(max_size=140).map(lambda value: f"\\x{value.hex()}"))),
]


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[tuple[int, Format]], list[list[bytes | None]]]:
    """Columns, and rows of them."""
    kinds = draw(st.lists(st.sampled_from(COLUMNS), min_size=1, max_size=7))
    if draw(st.booleans()):  # more results are all text than chance would have it
        kinds = [kind for kind in kinds if kind[1] == TEXT] or [COLUMNS[-1]]
    nulls = draw(st.sampled_from([0, 0, 1, 5]))
    cells = [st.one_of(*[st.none()] * nulls, *[values] * (6 - nulls)) for _, _, values in kinds]
    few = draw(st.lists(st.tuples(*cells), min_size=1, max_size=12))
    times = draw(st.sampled_from([1, 3]))
    return [(oid, format) for oid, format, _ in kinds], [list(row) for row in few] * times


def wire_result(columns: Sequence[tuple[int, Format]], *chunks: Sequence[Sequence[bytes | None]]) -> WireResult:
    result = WireResult(
        [FieldDescription(f"c{n}", 0, 0, oid, -1, -1, format) for n, (oid, format) in enumerate(columns)]
    )
    for rows in chunks:
        before, data = b"2\0\0\0\4", b"".join(data_row(*row) for row in rows)
        # Among other messages, as in what the server sends.
        result.append(DataRows(before + data + b"C\0\0\0\rSELECT 1\0", len(before), len(before) + len(data), len(rows)))
    return result


def transformer(result: WireResult, own: AdaptersMap = adapters) -> Transformer:
    made = Transformer(own)
    made.set_fields(result.fields or [])
    return made


def outcome(load: Callable[[], Any]) -> Any:
    """The rows, with all that a comparison for equality leaves out, or the exception."""
    try:
        rows = load()
    except Exception as ex:
        return type(ex), str(ex)
    return [(type(row), [type(value) for value in row], pickle.dumps(row)) for row in rows]


def plain(result: WireResult, own: AdaptersMap = adapters) -> Any:
    return outcome(lambda: transformer(result, own).load_rows(result.rows(), tuple))


def quick(result: WireResult, own: AdaptersMap = adapters) -> Any:
    return outcome(lambda: transformer(result, own).load_messages(result.pieces(), tuple))


@settings(max_examples=400, deadline=None)
@given(tables(), st.integers(0, 36))
def test_as_value_by_value(table: Any, split: int) -> None:
    columns, rows = table
    result = wire_result(columns, *filter(None, (rows[:split], rows[split:])))
    assert quick(result) == plain(result)


@settings(max_examples=100, deadline=None)
@given(tables(), st.integers(0, 12), st.integers(0, 40))
def test_a_part_of_the_rows(table: Any, start: int, count: int) -> None:
    columns, rows = table
    result = wire_result(columns, rows, rows)
    part = transformer(result)
    stop = min(start + count, result.ntuples)
    start = min(start, stop)
    assert outcome(lambda: result.load_rows(part, tuple, start, stop)) == outcome(
        lambda: part.load_rows(list(result.rows())[start:stop], tuple)
    )


#: Characters that are sizes of small values, of UUIDs, and of others; zeros, which Postgres has not; what is not ASCII.
TRAPS = st.text(st.sampled_from("\1\2\x04\x1f $aD0\n\0é"), max_size=42)


@settings(max_examples=400, deadline=None)
@given(st.data(), st.lists(st.sampled_from("tun"), min_size=1, max_size=4))
def test_values_that_look_like_sizes(data: st.DataObject, columns: list[str]) -> None:
    """A wrong cut that goes unseen needs a value that is too long and one that has what looks like a size."""
    kinds = {"t": TRAPS, "u": st.uuids().map(str), "n": st.none() | TRAPS}
    few = data.draw(st.lists(st.tuples(*[kinds[kind] for kind in columns]), min_size=1, max_size=4))
    rows = few * 16
    messages = b"".join(data_row(*[None if value is None else value.encode() for value in row]) for row in rows)
    same = bytes([36]) * columns.count("u")
    found = text_rows(messages, 0, len(messages), len(rows), [lambda values: values] * len(columns), same)
    if any("\0\0" in value for row in rows for value in row if value):
        return  # more zeros may look like the beginning of a size; not what comes from Postgres
    assert found is None or list(found) == rows


@pytest.mark.parametrize(
    "rows",
    [
        [["a\1b", "x" * 40, UUID(int=1)]],  # one size too many, and one that was not seen
        [["a$b", "x" * 34, UUID(int=1)], ["a\x1fb", "x" * 33, UUID(int=1)]],  # and they come to the same
        [["a", "x" * 34, UUID(int=1)], ["a\x1f$b", "x" * 33, UUID(int=1)]],
        [["", "x" * 20, UUID(int=1)], ["x\x14\x14", "x" * 40, UUID(int=1)]],
        [[None, "x" * 20, UUID(int=1)], ["x\x14\x14", "x" * 40, UUID(int=1)]],
        [["$", "x", None], ["x", "x", UUID(int=1)]],
        [["a\1b", "x", "y"], ["x" * 20, "x" * 20, "x" * 200]],
    ],
)
def test_sizes_that_come_to_the_same(rows: list[list[Any]]) -> None:
    texts = [[None if value is None else str(value).encode() for value in row] for row in rows * 16]
    result = wire_result([(25, TEXT), (25, TEXT), (2950 if isinstance(rows[-1][2], UUID) else 25, TEXT)], texts)
    assert quick(result) == plain(result)


def test_rows_of_too_many_and_too_few_values() -> None:
    rows = [[b"a", b"b", b"c"], [b"a"]] * 16
    result = wire_result([(25, TEXT), (25, TEXT)], rows)
    assert quick(result) == plain(result)
    assert quick(result)[0] is e.OperationalError


@pytest.mark.parametrize("value", ["", "D", "\1n", "\x05e", "x" * 127, "x" * 128, "é", "ß" * 70, "\ufeff", "😀"])
@pytest.mark.parametrize("columns", [1, 2, 3, 100])
def test_text_is_cut_into_columns(value: str, columns: int) -> None:
    rows = [[value.encode() if n == 1 else None if n == 2 else b"7"] * 1 for n in range(20)]
    wide = [row * columns for row in rows]
    short = [len(data_row(*row)) <= 256 for row in wide]
    data = b"".join(data_row(*row) for row in wide)
    seen: list[list[str | None]] = []

    def load(values: Any) -> Any:
        seen.append(values)
        return values

    found = text_rows(data, 0, len(data), len(wide), [load] * columns)
    if any(short) and not all(short):
        assert found is None  # these are not for this function
        return
    assert found is not None
    expected = [value if n == 1 else None if n == 2 else "7" for n in range(20)]
    assert list(found) == [(text,) * columns for text in expected]
    assert len(seen) == columns


def test_text_that_is_no_text_is_left_to_the_loaders() -> None:
    result = wire_result([(25, TEXT)], [[b"fine"]] * 20 + [[b"\xff\xfe"]])
    assert quick(result) == plain(result)
    assert issubclass(quick(result)[0], UnicodeDecodeError)
    assert issubclass(quick(result)[0], e.DataError)


def test_a_zero_byte_is_kept() -> None:
    # Postgres has none, but not every server is one.
    result = wire_result([(25, TEXT), (25, TEXT)], [[b"a\0\0\0\1b", b"c"]] * 20)
    assert quick(result) == plain(result)
    assert transformer(result).load_messages(result.pieces(), tuple)[0] == ("a\0\0\0\1b", "c")
    assert quick(wire_result([(25, TEXT)], [[b"a\0b"]] * 20)) == plain(wire_result([(25, TEXT)], [[b"a\0b"]] * 20))


@pytest.mark.parametrize(
    "body",
    [
        b"\0\0",
        pack("!H", 2) + pack("!i", 4) + b"\0\0\0\1",  # a value is missing
        pack("!H", 3) + pack("!i", 4) + b"\0\0\0\1" + pack("!i", 1) + b"a" + pack("!i", -1),
        pack("!Hi", 2, 4) + b"\0\0\0\1" + pack("!i", 5) + b"ab",  # longer than the message
        pack("!Hi", 2, 4) + b"\0\0\0\1" + pack("!i", 1) + b"ab",  # shorter
        pack("!Hi", 2, 4) + b"\0\0\0\1" + pack("!i", -2) + b"ab",
        pack("!Hi", 2, -5) + pack("!i", 5) + b"\0" * 9,
        pack("!Hi", 2, 2**31 - 1),
    ],
)
@pytest.mark.parametrize("last", [False, True])
def test_malformed(body: bytes, last: bool) -> None:
    good = data_row(b"\0\0\0\1", b"abc")
    data = good * 3 + message("D", body) + (b"" if last else good)
    loaders = [transformer(wire_result([])).get_loader(oid, BINARY) for oid in (23, 25)]
    rows: list[tuple[Any, ...]] = []
    with pytest.raises(e.OperationalError, match="malformed DataRow"):
        rows_appender(loaders)(data, 0, len(data), rows)
    assert rows == [(1, "abc")] * 3
    result = wire_result([(23, BINARY), (25, BINARY)])
    result.append(DataRows(data, 0, len(data), 5 - last))
    with pytest.raises(e.OperationalError, match="malformed DataRow"):
        list(result.rows())


class Doubled(Int4BinaryLoader):
    """A loader of a program, that inherits more than it wants."""

    def load(self, data: Any) -> int:
        return 2 * super().load(data)


class Counting(Loader):
    calls = 0

    def load(self, data: Any) -> str:
        type(self).calls += 1
        assert isinstance(data, bytes)
        return data.decode().upper()


def test_loaders_of_a_program() -> None:
    own = AdaptersMap(adapters)
    own.register_loader("int4", Doubled)
    own.register_loader("text", Counting)
    rows = [[pack("!i", n), None if n % 3 else pack("!i", n), b"word"] for n in range(30)]
    result = wire_result([(23, BINARY), (23, BINARY), (25, TEXT)], rows)
    Counting.calls = 0
    loaded = transformer(result, own).load_messages(result.pieces(), tuple)
    assert loaded == [(2 * n, None if n % 3 else 2 * n, "WORD") for n in range(30)]
    assert Counting.calls == 30  # once for each value, NULLs in the row or not


def test_a_loader_that_is_registered_meanwhile_counts() -> None:
    own = AdaptersMap(adapters)
    result = wire_result([(23, TEXT)], [[b"7"]] * 20)
    part = transformer(result, own)
    assert part.load_messages(result.pieces(), tuple) == [(7,)] * 20
    own.register_loader("int4", Counting)
    assert part.load_messages(result.pieces(), tuple) == [("7",)] * 20
    own.register_loader("int4", IntLoader)
    assert part.load_messages(result.pieces(), tuple) == [(7,)] * 20


def test_values_in_binary() -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, 6, timezone.utc)
    micros = (moment - datetime(2000, 1, 1, tzinfo=timezone.utc)).total_seconds() * 1e6
    number = UUID("12345678-9abc-def0-1234-56789abcdef0")
    row = [pack("!q", round(micros)), pack("!i", 366), number.bytes, b"\1", pack("!d", 0.1)]
    result = wire_result([(1184, BINARY), (1082, BINARY), (2950, BINARY), (16, BINARY), (701, BINARY)], [row] * 20)
    rows = transformer(result).load_messages(result.pieces(), tuple)
    assert rows == [(moment, date(2001, 1, 1), number, True, 0.1)] * 20
    assert str(rows[0][2]) == "12345678-9abc-def0-1234-56789abcdef0"
