"""`neonps query`: results as CSV, JSON and Parquet, and the files that they are written to."""

from __future__ import annotations

import datetime as dt
import errno
import io
import json
import math
import os
import stat
import subprocess
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from command_line import NEONPS, PYTHON, environment, neonps, on_terminal, within

Admin = psycopg.Connection[Any]
Numbers = Callable[[], list[int]]

needs_terminal = pytest.mark.skipif(not hasattr(os, "openpty"), reason="there are no pseudo-terminals here")


Query = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def query(url: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Query:
    """Runs `neonps query` with DATABASE_URL set."""
    return lambda *arguments: within(capfd, monkeypatch, url, "query", *arguments)


VALUES = """
select 1::int2 as i, 12345678901234567890.12345678901234567890 as n, 1e-7::float8 as f, 'NaN'::float8 as nan,
       '-Infinity'::numeric as inf, true as t, 'a,"b"' as s, '' as e, null as z, '\\x00ff'::bytea as by,
       '2024-02-03 04:05:06.789+00'::timestamptz as tz, '2024-02-03 04:05:06'::timestamp as ts,
       'infinity'::timestamp as never, date '2024-02-03' as d, '1 day'::interval as iv,
       array[1, null, 3] as ai, array[['a', 'b,"'], ['null', null]] as ax, array[]::int[] as ae,
       array['{"k": 1}'::jsonb] as aj, E'{"k":\\n [1.10]}'::json as j, int4range(1, 5) as r, E'x\\ny\\\\' as nl
"""


def test_csv(query: Query, transport: str, admin: Admin) -> None:
    ran = query("--transport", transport, "--csv", VALUES)
    assert ran.stderr == ""
    with admin.cursor().copy(f"copy ({VALUES}) to stdout (format csv, header)") as copy:
        assert ran.stdout == b"".join(copy).decode()


def test_csv_of_what_reads_like_something_else(query: Query, admin: Admin) -> None:
    sql = "select v from (values (null), (''), ('\\.'), (E'\\r'), (' x '), ('\"')) as t (v)"
    with admin.cursor().copy(f"copy ({sql}) to stdout (format csv, header)") as copy:
        assert query("--csv", sql).stdout == b"".join(copy).decode()


def test_json(query: Query, transport: str) -> None:
    lines = query("--transport", transport, "--jsonl", VALUES).stdout
    assert lines.count("\n") == 1
    assert '"n": 12345678901234567890.12345678901234567890, "f": 1e-07' in lines
    row = json.loads(lines)
    assert json.loads(query("--transport", transport, "--json", VALUES).stdout) == [row]
    row.pop("n")
    assert row == {
        "i": 1,
        "f": 1e-7,
        "nan": "NaN",
        "inf": "-Infinity",
        "t": True,
        "s": 'a,"b"',
        "e": "",
        "z": None,
        "by": "\\x00ff",
        "tz": "2024-02-03T04:05:06.789+00:00",
        "ts": "2024-02-03T04:05:06",
        "never": "infinity",
        "d": "2024-02-03",
        "iv": "1 day",
        "ai": [1, None, 3],
        "ax": [["a", 'b,"'], ["null", None]],
        "ae": [],
        "aj": [{"k": 1}],
        "j": {"k": [1.1]},
        "r": "[1,5)",
        "nl": "x\ny\\",
    }


def test_json_of_times_that_iso_has_not(query: Query) -> None:
    sql = """
        select '0044-03-15 12:00:01 BC'::timestamp as a, '0044-03-15 12:00:01+00 BC'::timestamptz as b,
               '-infinity'::timestamptz as c
    """
    row = {"a": "0044-03-15 12:00:01 BC", "b": "0044-03-15 12:00:01+00 BC", "c": "-infinity"}
    assert json.loads(query("--jsonl", sql).stdout) == row


@pytest.mark.parametrize(
    ("zone", "value"),
    [
        ("UTC", "2024-02-03T12:00:01.5+00:00"),
        ("Asia/Kolkata", "2024-02-03T12:00:01.5+05:30"),
        ("Europe/Berlin", "1800-02-03T12:00:01+00:53:28"),  # the sun's time
    ],
)
def test_json_of_offsets(query: Query, zone: str, value: str) -> None:
    ran = query("--jsonl", f"set time zone '{zone}'; select '{value}'::timestamptz as a")
    assert json.loads(ran.stdout) == {"a": value}


def test_json_of_many_rows_and_of_none(query: Query) -> None:
    assert json.loads(query("--json", "select i as a from generate_series(1, 3) i").stdout) == [
        {"a": 1},
        {"a": 2},
        {"a": 3},
    ]
    assert json.loads(query("--json", "select 1 as a where false").stdout) == []
    assert query("--jsonl", "select 1 as a where false").stdout == ""
    assert query("--csv", "select 1 as a where false").stdout == "a\n"


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("select 1 as a; select 2 as a", "a second statement returns rows"),
        ("select 1 as a, 2 as a", 'several columns are named "a"'),
        ("select 1 as a, 1 / (i - 3) as b from generate_series(1, 5) i", "22012: division by zero"),
        ("do $$begin end$$", "no rows are returned (DO)"),
    ],
)
def test_what_fails_leaves_no_file(query: Query, tmp_path: Path, sql: str, message: str) -> None:
    ran = query("--json", "-o", tmp_path / "out.json", sql)
    assert ran.returncode == 1
    assert ran.stdout == ""
    assert message in ran.stderr
    assert ran.stderr.count("\n") == 1
    assert os.listdir(tmp_path) == []


def test_what_fails_leaves_the_old_file(query: Query, tmp_path: Path) -> None:
    file = tmp_path / "out.csv"
    file.write_text("old")
    file.chmod(0o640)
    assert query("--csv", "-o", file, "select 1 / 0").returncode == 1
    assert file.read_text() == "old"
    link = tmp_path / "link.csv"
    link.symlink_to(file)
    assert query("--csv", "-o", link, "select 1 as a").returncode == 0
    assert link.is_symlink()
    assert file.read_text() == "a\n1\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert sorted(os.listdir(tmp_path)) == ["link.csv", "out.csv"]


@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="there is no /dev/fd here")
def test_a_file_that_is_open_already(url: str, tmp_path: Path) -> None:
    with open(tmp_path / "all", "w+b") as file:
        for path in ("/dev/stdout", "-", f"/dev/fd/{file.fileno()}"):
            file.write(path.encode() + b"\n")
            file.flush()
            command = [*NEONPS, "query", "--csv", "-o", path, "select 1 as a"]
            subprocess.run(command, stdout=file, env=environment(url), pass_fds=[file.fileno()], check=True)
        assert os.listdir(tmp_path) == ["all"]
        assert os.path.samestat(os.stat(tmp_path / "all"), os.fstat(file.fileno()))
        file.seek(0)
        assert file.read().startswith(b"a\n1\n")


@pytest.mark.parametrize("path", ["/no/such/directory/x.csv", "/"])
def test_a_file_that_cannot_be_written(query: Query, path: str, numbers: Numbers) -> None:
    ran = query("--csv", "-o", path, "insert into numbers values (1) returning a")
    assert ran.returncode == 1
    assert ran.stderr.startswith(f"neonps query: {path}: ")
    assert ran.stderr.count("\n") == 1
    assert numbers() == []  # which is found out before anything runs


def test_a_symbolic_link_that_leads_nowhere(query: Query, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(link)
    ran = query("-o", link, "select 1")
    assert (ran.returncode, ran.stderr) == (1, f"neonps query: {link}: {os.strerror(errno.ELOOP)}\n")
    link.unlink()
    link.symlink_to(tmp_path / "target")
    assert query("--csv", "-o", link, "select 1 as a").returncode == 0
    assert (tmp_path / "target").read_text() == "a\n1\n"


def test_the_longest_name_that_a_file_can_have(query: Query, tmp_path: Path) -> None:
    longest = os.pathconf(tmp_path, "PC_NAME_MAX")
    file = tmp_path / ("x" * longest)
    assert query("--csv", "-o", file, "select 1 as a").returncode == 0
    assert file.read_text() == "a\n1\n"
    too_long = tmp_path / ("x" * (longest + 1))
    ran = query("-o", too_long, "select 1")
    assert (ran.returncode, ran.stderr) == (1, f"neonps query: {too_long}: {os.strerror(errno.ENAMETOOLONG)}\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_no_space_left(url: str) -> None:
    with open("/dev/full", "wb") as full:
        ran = subprocess.run(
            [*NEONPS, "query", "select 1"], stdout=full, stderr=subprocess.PIPE, env=environment(url), encoding="utf-8"
        )
    assert (ran.returncode, ran.stderr) == (1, "neonps query: No space left on device\n")


@pytest.fixture
def saved(query: Query, tmp_path: Path) -> Callable[[str], Any]:
    """Saves what a query returns as Parquet, and reads it with Arrow."""
    parquet = pytest.importorskip("pyarrow.parquet")

    def save(sql: str, *options: str) -> Any:
        ran = query("--parquet", *options, "-o", tmp_path / "x.parquet", sql)
        assert ran.stderr == ""
        return parquet.read_table(tmp_path / "x.parquet")

    return save


def test_parquet(saved: Callable[..., Any], transport: str) -> None:
    sql = """
        select 1::int2 as i2, 2 as i4, 3::int8 as i8, 4::oid as o, 0.5::float4 as f4, 'NaN'::float8 as f8, true as b,
               1.50::numeric(10, 2) as n, 1.50 as m, 0::numeric(2, 4) as z, repeat('9', 39)::numeric(39) as big,
               '\\x00ff'::bytea as by, date '2024-02-03' as d, time '04:05:06.789' as t, '04:05+02'::timetz as tz,
               timestamp '2024-02-03 04:05:06.000001' as ts, '2024-02-03 04:05+02'::timestamptz as tstz,
               'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid as u, '{"a": 1}'::jsonb as j, 'x'::varchar(3) as s,
               array[1, null] as a, array[1.5, null]::numeric(5, 2)[] as an, '1 day'::interval as iv,
               array['a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid] as au, array[[1, 2], [3, null]] as aa,
               array['1 day'::interval] as ai, array[repeat('9', 39)]::numeric(39)[] as ab
    """
    table = saved(sql, "--transport", transport)
    assert {name: str(table.schema.field(name).type) for name in table.schema.names} == {
        "i2": "int16",
        "i4": "int32",
        "i8": "int64",
        "o": "uint32",
        "f4": "float",
        "f8": "double",
        "b": "bool",
        "n": "decimal128(10, 2)",
        "m": "string",
        "z": "decimal128(4, 4)",
        "big": "string",
        "by": "binary",
        "d": "date32[day]",
        "t": "time64[us]",
        "tz": "string",
        "ts": "timestamp[us]",
        "tstz": "timestamp[us, tz=UTC]",
        "u": "extension<arrow.uuid>",
        "j": "string",
        "s": "string",
        "a": "list<element: int32>",
        "an": "list<element: decimal128(5, 2)>",
        "iv": "string",
        "au": "list<element: extension<arrow.uuid>>",
        "aa": "list<element: list<element: int32>>",
        "ai": "list<element: string>",
        "ab": "list<element: string>",
    }
    (row,) = table.to_pylist()
    assert math.isnan(row.pop("f8"))
    assert row == {
        "i2": 1,
        "i4": 2,
        "i8": 3,
        "o": 4,
        "f4": 0.5,
        "b": True,
        "n": Decimal("1.50"),
        "m": "1.50",
        "z": Decimal("0.0000"),
        "big": "9" * 39,
        "by": b"\x00\xff",
        "d": dt.date(2024, 2, 3),
        "t": dt.time(4, 5, 6, 789000),
        "tz": "04:05:00+02",
        "ts": dt.datetime(2024, 2, 3, 4, 5, 6, 1),
        "tstz": dt.datetime(2024, 2, 3, 2, 5, tzinfo=dt.timezone.utc),
        "u": UUID("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
        "j": '{"a": 1}',
        "s": "x",
        "a": [1, None],
        "an": [Decimal("1.50"), None],
        "iv": "1 day",
        "au": [UUID("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")],
        "aa": [[1, 2], [3, None]],
        "ai": ["1 day"],
        "ab": ["9" * 39],
    }


def test_parquet_of_nulls(saved: Callable[..., Any]) -> None:
    types = ("int", "numeric(4, 2)", "numeric", "uuid", "timestamptz", "bytea", "text", "uuid[]", "numeric(4, 2)[]")
    columns = [f"null::{type} as c{number}" for number, type in enumerate(types)]
    assert set(saved(f"select {', '.join(columns)}").to_pylist()[0].values()) == {None}


def test_parquet_of_many_rows_and_of_none(saved: Callable[..., Any]) -> None:
    table = saved("select i, i::text as text from generate_series(1, 150000) i")
    assert table.column("i").to_pylist() == list(range(1, 150001))
    assert table.column("text")[149999].as_py() == "150000"
    empty = saved("select 1 as a, 'x' as b where false")
    assert (empty.num_rows, empty.schema.names) == (0, ["a", "b"])


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        (
            "select 'NaN'::numeric(4, 2) as a",
            'column "a": NaN and infinity cannot be decimals; cast it to float8 or to text',
        ),
        (
            "values ('{1}'::int4[]), ('{{1}}')",
            'column "column1": arrays differ in their number of dimensions; cast it to text',
        ),
        ("select 'infinity'::date as a", 'column "a": infinity is no date for Arrow; cast it to text'),
        ("select 1 as a, 2 as a", 'several columns are named "a": give them different names, with AS'),
    ],
)
def test_what_parquet_cannot_hold(query: Query, tmp_path: Path, sql: str, message: str) -> None:
    ran = query("--parquet", "-o", tmp_path / "x.parquet", sql)
    assert (ran.returncode, ran.stderr) == (1, f"neonps query: {message}\n")
    assert os.listdir(tmp_path) == []


def test_parquet_says_utc_whatever_the_time_zone_of_the_session(saved: Callable[..., Any]) -> None:
    sql = "set time zone 'Europe/Berlin'; select '2024-02-03 04:05+02'::timestamptz as t, date '0044-03-15 BC' as d"
    table = saved(sql)
    assert [str(type) for type in table.schema.types] == ["timestamp[us, tz=UTC]", "date32[day]"]
    assert table.column("t").to_pylist() == [dt.datetime(2024, 2, 3, 2, 5, tzinfo=dt.timezone.utc)]


def test_parquet_on_a_pipe(url: str) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    ran = subprocess.run(
        [*NEONPS, "query", "--parquet", "select 1 as a"], env=environment(url), capture_output=True, check=True
    )
    assert parquet.read_table(io.BytesIO(ran.stdout)).to_pylist() == [{"a": 1}]


@needs_terminal
def test_parquet_is_not_for_terminals(url: str) -> None:
    status, text = on_terminal("query", "--parquet", "select 1", url=url)
    assert status == 2
    assert "--parquet is not for terminals: give a file with -o" in text


def test_without_pyarrow(url: str, tmp_path: Path) -> None:
    program = "import sys; sys.modules['pyarrow'] = None; from neonps.cli import main; sys.exit(main())"
    ran = neonps("query", "--parquet", "-o", tmp_path / "x", "select 1", url=url, command=[*PYTHON, "-c", program])
    assert (ran.returncode, ran.stderr) == (1, "neonps query: --parquet needs pyarrow: pip install 'neonps[arrow]'\n")
