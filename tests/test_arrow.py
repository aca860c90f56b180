"""Tables, batches and frames of the rows of a cursor: how they are fetched, over each transport."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import Future
from struct import error as StructError
from struct import pack, unpack_from
from typing import Any

import psycopg
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from transports import Connect, Connection, on_sessions

import neonps
from neonps.protocol.backend import DataRows
from neonps.protocol.result import FieldDescription
from neonps.protocol.wireresult import WireResult

pa = pytest.importorskip("pyarrow")
pandas = pytest.importorskip("pandas")

BINARY = pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])

ROWS = "select n, 'row ' || n as t, nullif(n % 3, 0) as z, array[n, n + 1] as a from generate_series(1, {}) as n"


def rows_of(table: Any) -> list[tuple[Any, ...]]:
    """The rows of a table or a batch, as `fetchall()` gives them."""
    return list(zip(*[column.to_pylist() for column in table.columns], strict=True))


@BINARY
def test_the_rows_that_are_left(auto: Connection, binary: bool) -> None:
    cursor = auto.execute(ROWS.format(10), binary=binary)
    all_rows = cursor.fetchall()
    cursor.scroll(0, "absolute")
    assert cursor.fetchone() == all_rows[0]
    assert cursor.fetchmany(3) == all_rows[1:4]
    assert rows_of(cursor.fetch_arrow_table()) == all_rows[4:]
    assert cursor.fetchone() is None
    assert cursor.rownumber == 10
    table = cursor.fetch_arrow_table()
    assert table.num_rows == 0
    assert table.schema.types == [pa.int32(), pa.string(), pa.int32(), pa.list_(pa.int32())]
    cursor.scroll(8, "absolute")
    assert rows_of(cursor.fetch_arrow_table()) == all_rows[8:]


@BINARY
@pytest.mark.parametrize("size", [1, 3, 7, 10, 1000])
def test_batches(auto: Connection, size: int, binary: bool) -> None:
    all_rows = auto.execute(ROWS.format(10)).fetchall()
    cursor = auto.execute(ROWS.format(10), binary=binary)
    assert cursor.fetchone() == all_rows[0]
    found: list[Any] = []
    for batch in cursor.fetch_record_batches(size):
        assert isinstance(batch, pa.RecordBatch)
        assert 1 <= batch.num_rows <= size
        batch.validate(full=True)
        found.append(batch)
        assert cursor.rownumber == 1 + sum(batch.num_rows for batch in found)
    assert rows_of(pa.Table.from_batches(found)) == all_rows[1:]
    (last,) = cursor.fetch_record_batches(size)
    assert last.num_rows == 0
    assert last.schema == found[0].schema


@BINARY
def test_large_rows_make_smaller_batches_and_pieces(
    auto: Connection, binary: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from neonps.arrow import rows, tables

    monkeypatch.setattr(tables, "_BATCH_BYTES", 1000)
    monkeypatch.setattr(tables, "_TABLE_BYTES", 2000)
    monkeypatch.setattr(rows, "_OBJECTS", 10)
    query = "select n, repeat('D', n) as t, n / 10.0 as d, array[n] as a from generate_series(0, 999) as n"
    expected = auto.execute(query).fetchall()
    table = auto.execute(query, binary=binary).fetch_arrow_table()
    table.validate(full=True)
    assert rows_of(table) == expected
    assert table.column("t").num_chunks > 1
    batches = list(auto.execute(query, binary=binary).fetch_record_batches())
    assert len(batches) > 1
    numbers = [(*row[:2], f"{row[2]:f}", *row[3:]) for row in expected]
    assert rows_of(pa.Table.from_batches(batches)) == numbers


@BINARY
def test_many_rows(auto: Connection, binary: bool) -> None:
    query = ROWS.format(5_000)
    table = auto.execute(query, binary=binary).fetch_arrow_table()
    table.validate(full=True)
    assert rows_of(table) == auto.execute(query).fetchall()


def test_a_result_without_rows(auto: Connection) -> None:
    table = auto.execute(ROWS.format(0)).fetch_arrow_table()
    assert (table.num_rows, table.column_names) == (0, ["n", "t", "z", "a"])
    (batch,) = auto.execute(ROWS.format(0)).fetch_record_batches()
    assert batch.schema == table.schema
    assert batch.num_rows == 0


@on_sessions
def test_a_result_without_columns(auto: Connection) -> None:
    cursor = auto.execute("select from generate_series(1, 5)")
    assert cursor.fetch_arrow_table().shape == (5, 0)
    cursor.scroll(1, "absolute")
    assert [batch.num_rows for batch in cursor.fetch_record_batches(3)] == [3, 1]
    cursor.scroll(1, "absolute")
    assert cursor.fetch_df().shape == (4, 0)


def test_columns_of_one_name(auto: Connection) -> None:
    query = "select 1 as a, 'x' as a, 2 as b"
    table = auto.execute(query).fetch_arrow_table()
    assert table.column_names == ["a", "a", "b"]
    assert rows_of(table) == [(1, "x", 2)]
    frame = auto.execute(query).fetch_df()
    assert list(frame.columns) == ["a", "a", "b"]
    assert frame.iloc[0].tolist() == [1, "x", 2]
    (batch,) = auto.execute(query).fetch_record_batches()
    assert batch.schema.names == ["a", "a", "b"]


def test_several_results(auto: Connection) -> None:
    cursor = auto.cursor()
    cursor.executemany("select %s::int4 as n", [[1], [2]], returning=True)
    assert cursor.fetch_arrow_table().to_pylist() == [{"n": 1}]
    assert cursor.nextset()
    assert cursor.fetch_arrow_table().to_pylist() == [{"n": 2}]


def test_the_row_factory_and_loaders_have_no_part_in_it(auto: Connection) -> None:
    class Loader(neonps.adapt.Loader):
        def load(self, data: Any) -> str:
            return "loaded"

    auto.row_factory = neonps.rows.dict_row  # type: ignore[assignment]
    for oid in (23, 3904):
        auto.adapters.register_loader(oid, Loader)
    cursor = auto.execute("select 1 as n, int4range(1, 2) as r", binary=True)
    assert cursor.fetchone() is not None
    cursor.scroll(0, "absolute")
    assert cursor.fetch_arrow_table().to_pylist() == [{"n": 1, "r": "[1,2)"}]


def test_there_is_nothing_to_fetch(auto: Connection) -> None:
    cursor = auto.cursor()
    for fetch in (cursor.fetch_arrow_table, cursor.fetch_df, cursor.fetch_record_batches):
        with pytest.raises(neonps.ProgrammingError, match="no result available"):
            fetch()
    cursor.execute("do $$ begin end $$")
    with pytest.raises(neonps.ProgrammingError, match="didn't produce records"):
        cursor.fetch_arrow_table()
    cursor.close()
    for fetch in (cursor.fetch_arrow_table, cursor.fetch_df, cursor.fetch_record_batches):
        with pytest.raises(neonps.InterfaceError, match="the cursor is closed"):
            fetch()


@pytest.mark.parametrize("size", [0, -1])
def test_a_batch_of_no_rows(auto: Connection, size: int) -> None:
    with pytest.raises(ValueError, match="size must be >= 1"):
        auto.execute("select 1").fetch_record_batches(size)


def test_another_statement_between_two_batches(auto: Connection) -> None:
    cursor = auto.execute(ROWS.format(3))
    batches = cursor.fetch_record_batches(1)
    next(batches)
    cursor.execute("select 1")
    with pytest.raises(neonps.ProgrammingError, match="the cursor has gone to another result"):
        next(batches)
    assert cursor.fetchall() == [(1,)]


def test_later_batches_that_do_not_fit_the_first(auto: Connection) -> None:
    batches = auto.execute("select v::int4[] as v from unnest(array['{1}', '{}', '{{2}}']) as v")
    found = batches.fetch_record_batches(1)
    assert [next(found).to_pylist(), next(found).to_pylist()] == [[{"v": [1]}], [{"v": []}]]
    with pytest.raises(neonps.DataError, match=r'^column "v": arrays differ in their number of dimensions'):
        next(found)
    # Before the first one has been seen, there is one dimension.
    batches = auto.execute("select v::int4[] as v from unnest(array['{{1}}', '{}', null, '{{2}}']) as v")
    found = batches.fetch_record_batches(1)
    assert [batch.to_pylist()[0]["v"] for batch in found] == [[[1]], [], None, [[2]]]


def test_numeric_in_batches(auto: Connection) -> None:
    for binary in (False, True):
        cursor = auto.execute("select 1.10::numeric as a, 1e-10::numeric as b, 2.50::numeric(9, 2) as c", binary=binary)
        (batch,) = cursor.fetch_record_batches()
        assert batch.schema.types == [pa.string(), pa.string(), pa.decimal128(9, 2)]
        assert rows_of(batch)[0][:2] == ("1.10", "0.0000000001")


def test_in_a_pipeline(connect: Connect) -> None:
    with connect(autocommit=True, transport="tcp") as conn, conn.pipeline():
        cursors = [conn.execute("select %s::int4 as n", [number]) for number in range(3)]
        assert [cursor.fetch_arrow_table().to_pylist() for cursor in cursors] == [[{"n": n}] for n in range(3)]
        (batch,) = conn.execute("select 4 as n").fetch_record_batches()
        assert batch.to_pylist() == [{"n": 4}]


def test_before_commit_over_http(url: str) -> None:
    with neonps.connect(url, transport="http") as conn:
        cursor = conn.execute("insert into nowhere values (1) returning 1")
        with pytest.raises(neonps.NotSupportedError, match="commit"):
            cursor.fetch_arrow_table()
        conn.rollback()


# The formats that are asked for

WIDE = (
    "select n::int4 as i, n / 7.0::float8 as f, 'x' || n as t, '2026-01-01'::timestamptz + n * interval '1 s' as w,"
    " (n / 100.0)::numeric(12, 2) as d, (n / 100.0)::numeric(30, 2) as e, n / 10.0 as m, n % 2 = 0 as b,"
    " md5(n::text)::uuid as u, array[n] as a from generate_series(1, 50) as n"
)


def formats(cursor: Any) -> list[int]:
    """Those in which the columns have come."""
    return [column._field.format for column in cursor.description]


@on_sessions
def test_a_prepared_statement_brings_what_arrow_is_made_of(auto: Connection) -> None:
    rows = auto.execute(WIDE, prepare=True).fetchall()
    first = auto.execute(WIDE)
    table = first.fetch_arrow_table()
    assert rows_of(table) == rows
    second = auto.execute(WIDE)
    assert formats(second) == [1, 1, 0, 1, 1, 0, 0, 1, 1, 0]
    assert second.fetch_arrow_table() == table
    # It does not know what comes of it this time.
    third = auto.execute(WIDE)
    assert formats(third) == formats(second)
    assert third.fetchall() == rows
    assert formats(auto.execute(WIDE)) == formats(first) != formats(third)


@on_sessions
def test_a_loader_that_only_text_has(auto: Connection) -> None:
    class Loader(neonps.adapt.Loader):
        def load(self, data: Any) -> str:
            return "loaded"

    auto.adapters.register_loader("uuid", Loader)
    query = "select md5(n::text)::uuid as u, n from generate_series(1, 50) as n"
    for _ in range(2):
        cursor = auto.execute(query, prepare=True)
        assert cursor.fetchone() == ("loaded", 1)
        assert cursor.fetch_arrow_table().num_rows == 49
    assert formats(cursor) == [0, 1]


# Server-side cursors


@on_sessions
def test_a_server_cursor_brings_what_arrow_is_made_of(conn: Connection) -> None:
    table = conn.execute(WIDE).fetch_arrow_table()
    with conn.cursor("arrow") as cursor:
        assert cursor.execute(WIDE).fetch_arrow_table() == table
        assert formats(cursor) == [1, 1, 0, 1, 1, 0, 0, 1, 1, 0]
        cursor.execute(WIDE)
        batch = next(cursor.fetch_record_batches(40))
        assert batch.column("u").to_pylist() == table.column("u").to_pylist()[:40]
        assert formats(cursor) == [1, 1, 0, 1, 1, 0, 0, 1, 1, 0]


@on_sessions
@BINARY
def test_server_cursor(conn: Connection, binary: bool) -> None:
    all_rows = conn.execute(ROWS.format(20)).fetchall()
    for fetched in (0, 1, 3):
        with conn.cursor("arrow") as cursor:
            cursor.itersize = 5
            cursor.execute(ROWS.format(20), binary=binary)
            assert [next(cursor) for _ in range(fetched)] == all_rows[:fetched]
            table = cursor.fetch_arrow_table()
            assert rows_of(table) == all_rows[fetched:]
            assert cursor.rownumber == 20
            assert cursor.fetch_arrow_table().schema == table.schema
            assert cursor.fetchall() == []


@on_sessions
@BINARY
@pytest.mark.parametrize("size", [1, 4, 10, 17, 1000])
def test_batches_of_a_server_cursor(conn: Connection, size: int, binary: bool) -> None:
    all_rows = conn.execute(ROWS.format(20)).fetchall()
    for fetched in (0, 3):
        with conn.cursor("arrow") as cursor:
            cursor.itersize = 5
            cursor.execute(ROWS.format(20), binary=binary)
            assert [next(cursor) for _ in range(fetched)] == all_rows[:fetched]
            batches = list(cursor.fetch_record_batches(size))
            assert all(batch.num_rows <= size for batch in batches)
            assert rows_of(pa.Table.from_batches(batches)) == all_rows[fetched:]
            assert cursor.rownumber == 20
            (last,) = cursor.fetch_record_batches(size)
            assert (last.num_rows, last.schema) == (0, batches[0].schema)


@on_sessions
def test_a_server_cursor_fetches_what_is_asked_for(conn: Connection) -> None:
    with conn.cursor("arrow") as cursor:
        cursor.execute("select n, 1 / (5 - n) from generate_series(1, 9) as n")
        batches = cursor.fetch_record_batches(2)
        assert next(batches).column(0).to_pylist() == [1, 2]
        assert cursor.fetchone() == (3, 0)
        with pytest.raises(neonps.errors.DivisionByZero):
            list(batches)


@on_sessions
@BINARY
def test_rows_that_arrow_cannot_hold_are_still_there(conn: Connection, binary: bool) -> None:
    query = (
        "select n, case n when 7 then 'NaN'::numeric else n end::numeric(5, 2) as d from generate_series(1, 12) as n"
    )
    rows = [(n, str(d)) for n, d in conn.execute(query).fetchall()]

    def text(found: list[tuple[int, Any]]) -> list[tuple[int, str]]:
        return [(n, str(d)) for n, d in found]

    with conn.cursor("arrow", scrollable=True) as cursor:
        cursor.itersize = 3
        cursor.execute(query, binary=binary)
        assert text([next(cursor)]) == rows[:1]  # two more are here then
        for _ in range(2):
            with pytest.raises(neonps.DataError, match=r'^column "d": NaN'):
                cursor.fetch_arrow_table()
        assert cursor.rownumber == 1
        assert text([cursor.fetchone()]) == rows[1:2]  # type: ignore[list-item]
        assert text([next(cursor)]) == rows[2:3]
        cursor.scroll(2)
        assert text(cursor.fetchmany(4)) == rows[5:9]
        assert rows_of(cursor.fetch_arrow_table())[0][0] == 10
        assert cursor.fetchall() == []

        cursor.execute(query, binary=binary)
        batches = cursor.fetch_record_batches(4)
        assert next(batches).column(0).to_pylist() == [1, 2, 3, 4]
        with pytest.raises(neonps.DataError, match=r'^column "d": NaN'):
            next(batches)
        assert text([next(cursor), next(cursor), next(cursor)]) == rows[4:7]
        assert [batch.column(0).to_pylist() for batch in cursor.fetch_record_batches(9)] == [[8], [9, 10, 11, 12]]
        assert cursor.rownumber == 12


@on_sessions
def test_rows_that_neither_arrow_nor_python_can_hold(conn: Connection) -> None:
    with conn.cursor("arrow") as cursor:
        cursor.execute(
            "select case n when 3 then 'infinity'::date else '2020-01-01' end from generate_series(1, 5) as n"
        )
        for fetch in (cursor.fetch_arrow_table, cursor.fetchall, cursor.fetchall):
            with pytest.raises(neonps.DataError):
                fetch()
        assert len([next(cursor), cursor.fetchone()]) == 2
        with pytest.raises(neonps.DataError):
            next(cursor)
        cursor.scroll(1)
        assert len(cursor.fetchall()) == 2


@on_sessions
def test_another_query_between_two_batches_of_a_server_cursor(conn: Connection) -> None:
    with conn.cursor("arrow") as cursor:
        cursor.execute(ROWS.format(9))
        batches = cursor.fetch_record_batches(2)
        next(batches)
        cursor.execute("select 1")
        with pytest.raises(neonps.ProgrammingError, match="the cursor has gone to another result"):
            next(batches)
        assert cursor.fetch_df()["?column?"].tolist() == [1]
        with pytest.raises(ValueError, match="size must be >= 1"):
            cursor.fetch_record_batches(0)


@on_sessions
def test_a_session_that_is_lost_between_two_batches(connect: Connect, admin: psycopg.Connection[Any]) -> None:
    conn = connect()
    cursor = conn.cursor("arrow")
    cursor.execute(ROWS.format(1000))
    batches = cursor.fetch_record_batches(10)
    next(batches)
    admin.execute("select pg_terminate_backend(%s)", [conn.info.backend_pid])
    with pytest.raises(neonps.OperationalError):
        list(batches)
    cursor.close()


# asyncio


def test_asyncio(url: str, transport: str) -> None:
    async def fetch() -> list[Any]:
        async with await neonps.AsyncConnection.connect(url, transport=transport, autocommit=True) as conn:
            table = await (await conn.execute(ROWS.format(5))).fetch_arrow_table()
            frame = await (await conn.execute(ROWS.format(5))).fetch_df()
            batches = [batch async for batch in (await conn.execute(ROWS.format(5))).fetch_record_batches(2)]
            return [table, pa.Table.from_batches(batches), pa.Table.from_pandas(frame, table.schema)]

    with neonps.connect(url, transport=transport, autocommit=True) as conn:
        expected = conn.execute(ROWS.format(5)).fetchall()
    assert [rows_of(table) for table in asyncio.run(fetch())] == [expected] * 3


@on_sessions
def test_server_cursor_on_asyncio(url: str, transport: str) -> None:
    async def fetch() -> list[Any]:
        async with await neonps.AsyncConnection.connect(url, transport=transport) as conn:
            async with conn.cursor("arrow") as cursor:
                await cursor.execute(ROWS.format(9))
                first = await cursor.fetchone()
                batches = [batch async for batch in cursor.fetch_record_batches(3)]
                with pytest.raises(ValueError, match="size must be >= 1"):
                    await anext(cursor.fetch_record_batches(0))
                await cursor.execute(ROWS.format(9))
                table = await cursor.fetch_arrow_table()
                await cursor.execute(ROWS.format(9))
                frame = await cursor.fetch_df()
            return [first, *rows_of(pa.Table.from_batches(batches)), table, frame]

    *rows, table, frame = asyncio.run(fetch())
    assert rows_of(table) == rows
    assert frame["n"].tolist() == list(range(1, 10))


@on_sessions
def test_a_loop_over_large_rows_that_is_left(conn: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """One FETCH is several batches then; those that were not given are still there."""
    monkeypatch.setattr("neonps.arrow.tables._BATCH_BYTES", 1000)
    with conn.cursor("arrow") as cursor:
        cursor.execute("select n, repeat('x', 300000) from generate_series(1, 9) as n")
        batches = cursor.fetch_record_batches(5)
        first = next(batches)
        assert 0 < first.num_rows < 5
        assert cursor.rownumber == first.num_rows
        assert cursor.fetchone()[0] == first.num_rows + 1
        rest = [n for batch in batches for n in batch.column(0).to_pylist()]
        assert rest == list(range(first.num_rows + 2, 10))


@pytest.mark.parametrize("size", [1.5, "1", float("nan"), None])
def test_a_size_that_is_no_number_of_rows(auto: Connection, size: Any) -> None:
    with pytest.raises(TypeError):
        auto.execute("select 1").fetch_record_batches(size)


# pandas


def test_frame(auto: Connection) -> None:
    frame = auto.execute(
        "select 9007199254740993 as i, nullif(n, 1) as j, n % 2 = 0 as b, nullif(n = 2, false) as c,"
        " 0.5::float8 as f, nullif(n, 1)::float8 as g, 'x' as t, '2020-01-01'::timestamp as w, now() as z,"
        " 1.50::numeric(9, 2) as d from generate_series(1, 2) as n"
    ).fetch_df()
    dtypes = [str(dtype) for dtype in frame.dtypes]
    assert dtypes[:6] == ["int64", "Int32", "bool", "boolean", "float64", "float64"]
    assert dtypes[7:9] == ["datetime64[us]", "datetime64[us, UTC]"]
    assert frame["i"].tolist() == [9007199254740993] * 2
    assert frame["j"].tolist() == [pandas.NA, 2]
    assert list(frame.index) == [0, 1]


@pytest.mark.parametrize("backend", [None, "numpy_nullable"])
def test_arrays_with_null_in_a_frame(auto: Connection, backend: Any) -> None:
    frame = auto.execute(
        "select array[9007199254740993, null] as a, array[[null, 9007199254740993]] as b, array[true, null] as c,"
        " array[n] as d from generate_series(1, 2) as n"
    ).fetch_df(dtype_backend=backend)
    assert frame["a"].tolist() == [[9007199254740993, None]] * 2
    assert frame["b"].tolist() == [[[None, 9007199254740993]]] * 2
    assert [list(each) for each in frame["c"]] == [[True, None]] * 2
    assert [list(each) for each in frame["d"]] == [[1], [2]]


def test_frame_without_rows(auto: Connection) -> None:
    frame = auto.execute("select 1 as a, 0.5::float8 as b where false").fetch_df()
    assert frame.shape == (0, 2)
    assert [str(dtype) for dtype in frame.dtypes] == ["int32", "float64"]


FRAME = (
    "select n::int2 as i, nullif(n, 2) as j, nullif(n, 1) / 2.0::float8 as f, n::float4 as g, n = 1 as b,"
    " 'x' || n as t, nullif(md5(n::text), md5('2'))::uuid as u, md5(n::text)::uuid as v, n::numeric(9, 2) as d,"
    " date '2020-01-01' as a, timestamptz '2020-01-01 00:00+00' as w, array[n] as l, interval '1 day' as p"
    " from generate_series(1, 3) as n"
)


def test_frame_of_arrow(auto: Connection) -> None:
    rows = auto.execute(FRAME).fetchall()
    frame = auto.execute(FRAME).fetch_df(dtype_backend="pyarrow")
    dtypes = [str(dtype) for dtype in frame.dtypes]
    assert dtypes[:5] == ["int16[pyarrow]", "int32[pyarrow]", "double[pyarrow]", "float[pyarrow]", "bool[pyarrow]"]
    assert dtypes[5:9] == ["string[pyarrow]"] * 3 + ["decimal128(9, 2)[pyarrow]"]
    assert dtypes[12] == "object"
    assert frame["u"].tolist() == [str(rows[0][6]), pandas.NA, str(rows[2][6])]
    assert frame["v"].tolist() == [str(row[7]) for row in rows]
    assert frame["d"].tolist() == [row[8] for row in rows]
    assert "2020-01-01" in frame.to_string()
    assert frame.groupby("v").size().sum() == 3


def test_frame_of_nullable_types(auto: Connection) -> None:
    frame = auto.execute(FRAME).fetch_df(dtype_backend="numpy_nullable")
    dtypes = [str(dtype) for dtype in frame.dtypes]
    assert dtypes[:8] == ["Int16", "Int32", "Float64", "Float32", "boolean", "string", "object", "object"]
    assert frame["f"].tolist() == [pandas.NA, 1.0, 1.5]


def test_uuids_in_a_frame(auto: Connection) -> None:
    rows = auto.execute(FRAME).fetchall()
    frame = auto.execute(FRAME).fetch_df()
    assert frame["u"].tolist() == [row[6] for row in rows]
    assert frame["v"].tolist() == [row[7] for row in rows]
    assert auto.execute(f"{FRAME} limit 0").fetch_df()["u"].tolist() == []
    assert auto.execute(f"{FRAME} limit 0").fetch_df(dtype_backend="pyarrow")["u"].tolist() == []


@given(st.lists(st.none() | st.uuids(), max_size=5), st.integers(0, 3))
def test_uuids_become_what_arrow_makes_of_them(values: list[Any], start: int) -> None:
    from neonps.arrow.frames import frame, uuid_text

    array = pa.array([value and value.bytes for value in values], pa.uuid()).slice(start)
    assert uuid_text(array).to_pylist() == [value and str(value) for value in array.to_pylist()]
    table = pa.table({"u": pa.chunked_array([array, array], pa.uuid())})
    assert frame(table, None)["u"].tolist() == array.to_pylist() * 2


def test_no_such_backend(auto: Connection) -> None:
    cursor = auto.execute("select 1 as n")
    with pytest.raises(ValueError, match="dtype_backend is 'numpy_nullable' or 'pyarrow', not 'numpy'"):
        cursor.fetch_df(dtype_backend="numpy")  # type: ignore[arg-type]
    assert cursor.fetchall() == [(1,)]


# What is needed


def test_the_driver_does_not_import_it(url: str) -> None:
    program = (
        "import os, sys, neonps\n"
        "conn = neonps.connect(os.environ['DATABASE_URL'], autocommit=True)\n"
        "conn.execute('select 1').fetchall(); conn.close()\n"
        "print(sorted({'numpy', 'pandas', 'pyarrow', 'neonps.arrow'} & sys.modules.keys()))\n"
    )
    assert _run(program, url) == "[]\n"


@pytest.mark.parametrize(
    ("library", "call", "message"),
    [
        ("pyarrow", "fetch_arrow_table()", "fetch_arrow_table() needs pyarrow: pip install 'neonps[arrow]'"),
        ("numpy", "fetch_record_batches()", "fetch_record_batches() needs numpy: pip install 'neonps[arrow]'"),
        ("pandas", "fetch_df()", "fetch_df() needs pandas: pip install 'neonps[arrow]' pandas"),
    ],
)
def test_a_library_that_is_not_installed(url: str, library: str, call: str, message: str) -> None:
    program = (
        f"import os, sys; sys.modules[{library!r}] = None\n"
        "import neonps\n"
        "with neonps.connect(os.environ['DATABASE_URL'], autocommit=True) as conn:\n"
        "    cursor = conn.execute('select 1 as n')\n"
        f"    try: cursor.{call}\n"
        "    except neonps.NotSupportedError as error: print(error)\n"
        "    print(cursor.fetchall())\n"
    )
    assert _run(program, url) == f"{message}\n[(1,)]\n"


def _run(program: str, url: str) -> str:
    command = [sys.executable, "-W", "error", "-X", "dev", "-c", program]
    done = subprocess.run(
        command, env={"DATABASE_URL": url}, capture_output=True, encoding="utf-8", check=True, timeout=60
    )
    assert done.stderr == ""
    return done.stdout


def test_threads_share_a_connection(connect: Connect, in_thread: Callable[..., Future[Any]]) -> None:
    conn = connect(autocommit=True)
    queries = [f"select n * {factor} as n from generate_series(1, 1000) as n" for factor in range(8)]
    tables = [in_thread(lambda query: conn.execute(query).fetch_arrow_table(), query) for query in queries]
    assert [sum(table.result().column("n").to_pylist()) for table in tables] == [500500 * n for n in range(8)]


# From messages to columns


def data_row(values: list[bytes | None]) -> bytes:
    """A DataRow message."""
    body = b"".join(pack("!i", -1) if value is None else pack("!i", len(value)) + value for value in values)
    return b"D" + pack("!iH", len(body) + 6, len(values)) + body


def wire_result(chunks: list[list[list[bytes | None]]], columns: int) -> WireResult:
    """A result whose rows have come in these chunks, each within other bytes."""
    result = WireResult([FieldDescription(f"c{n}", 0, 0, 17, -1, -1, 1) for n in range(columns)])
    for rows in chunks:
        data = b"".join(map(data_row, rows))
        result.append(DataRows(b"before" + data + b"after", 6, 6 + len(data), len(rows)))
    return result


#: Values that look like rows, and others.
VALUE = st.none() | st.sampled_from([b"D" + pack("!iH", 10, n) + b"\xff" * 4 for n in range(4)]) | st.binary(max_size=9)


@given(st.data(), st.integers(0, 3))
def test_columns_are_those_of_the_rows(data: st.DataObject, columns: int) -> None:
    from neonps.arrow.rows import Part, blocks

    row = st.lists(VALUE, min_size=columns, max_size=columns)
    result = wire_result(data.draw(st.lists(st.lists(row, min_size=1, max_size=5), max_size=4)), columns)
    start = data.draw(st.integers(0, result.ntuples))
    stop = data.draw(st.integers(start, result.ntuples))
    most = data.draw(st.integers(1, 6))
    found = []
    for block in blocks(Part(result, start, stop), most, data.draw(st.sampled_from([1, 20, 1000]))):
        assert 1 <= block.rows <= most
        lists = [values.binary().to_pylist() for values in block.columns]
        assert all(len(each) == block.rows for each in lists)
        found += [[each[number] for each in lists] for number in range(block.rows)]
    assert found == [list(row) for row in result.rows(start, stop)]


@given(st.binary(max_size=30), st.integers(1, 3))
@example(b"\x80", 2)
def test_messages_that_make_no_sense(noise: bytes, columns: int) -> None:
    from neonps.arrow.rows import Part, blocks

    message = bytearray(data_row([b"abc"] * columns))
    message[7 : 7 + len(noise)] = noise[: len(message) - 7]
    result = WireResult([FieldDescription("c", 0, 0, 17, -1, -1, 1)] * columns)
    result.append(DataRows(bytes(message), 0, len(message), 1))
    try:
        expected: Any = list(result.rows())
    except (neonps.OperationalError, StructError):
        expected = None
    try:
        found: Any = [
            [values.binary().to_pylist()[0] for values in block.columns] for block in blocks(Part(result, 0, 1), 9, 9)
        ]
    except neonps.OperationalError:
        found = None
    at, lengths = 7, list[int]()
    for _ in range(columns if expected is not None else 0):
        lengths += unpack_from("!i", message, at)
        at += 4 + max(0, lengths[-1])
    # The plain way takes any negative length for that of a value without bytes.
    assert found == (None if any(length < -1 for length in lengths) else expected)


@pytest.mark.parametrize(
    "value",
    [
        *[b"", b"x", b"\0" * 7, b"\xff" * 12, pack("!iii", 1, 0, 23), pack("!iiiii", 1, 0, 23, 9, 1)],
        *[pack("!iii", 7, 0, 23), pack("!iiiiii", 1, 0, 23, 1, 1, 8), pack("!iiiiiii", 1, 1, 23, 2, 1, -1, 4)],
        pack("!HhHH", 9, 0, 0, 0),
    ],
)
@pytest.mark.parametrize("oid", [16, 20, 21, 23, 700, 701, 1082, 1083, 1114, 1184, 1186, 1700, 2950, 1007, 1231, 3802])
@pytest.mark.parametrize("format", [0, 1])
def test_values_that_make_no_sense(conn_tcp: Connection, value: bytes, oid: int, format: int) -> None:
    from neonps.arrow.reading import Session
    from neonps.arrow.rows import Part
    from neonps.arrow.tables import table

    result = WireResult([FieldDescription("c", 0, 0, oid, -1, -1, format)])
    data = data_row([value])
    result.append(DataRows(data, 0, len(data), 1))
    message = 'column "c": '
    try:
        table(result.fields or (), [Part(result, 0, 1)], Session.of(conn_tcp.cursor())).validate(full=True)
    except neonps.DataError as error:
        message = str(error)
    assert message.startswith('column "c": ')


@pytest.fixture(scope="module")
def conn_tcp(url: str) -> Any:
    """A connection for what looks at the settings of a session."""
    with neonps.connect(url, transport="tcp", autocommit=True) as conn:
        yield conn
