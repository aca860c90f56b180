"""`neonps query` and `neonps load` where all is not well with what they read and write."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import psycopg
import pytest
from command_line import NEONPS, environment, needs_full, neonps, within
from gateway_client import wait_for
from relay import Relay
from transports import on_sessions

from neonps.cli import main
from neonps.commands.csv_header import LONGEST, columns_of
from neonps.commands.report import CommandError

Admin = psycopg.Connection[Any]
Numbers = Callable[[], list[int]]
Query = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def query(url: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Query:
    """Runs `neonps query` with DATABASE_URL set."""
    return lambda *arguments: within(capfd, monkeypatch, url, "query", *arguments)


# Errors behind the description of the columns


@pytest.fixture
def failing(admin: Admin) -> Iterator[None]:
    """A function `failing()` in which a table is missing: an error that is the program's, found out late."""
    admin.execute(
        "create function failing() returns int language plpgsql as $$ begin return (select a from nosuch); end $$"
    )
    yield
    admin.execute("drop function failing()")


@pytest.mark.usefixtures("failing")
@pytest.mark.parametrize("format", [[], ["-x"], ["--csv"], ["--json"], ["--jsonl"], ["--parquet"]])
def test_an_error_of_a_function(query: Query, transport: str, format: list[str], tmp_path: Path) -> None:
    if format == ["--parquet"]:
        pytest.importorskip("pyarrow")
    file = tmp_path / "out"
    file.write_text("old")
    ran = query("--transport", transport, *format, "-o", file, "select failing()")
    assert ran.returncode == 1
    assert ran.stderr.startswith('neonps query: ERROR:  42P01: relation "nosuch" does not exist\n')
    assert file.read_text() == "old"
    assert os.listdir(tmp_path) == ["out"]


@on_sessions
@pytest.mark.usefixtures("failing")
def test_such_an_error_ends_a_script(query: Query, transport: str, numbers: Numbers) -> None:
    sql = "begin; insert into numbers values (1); select failing(); commit; insert into numbers values (2)"
    ran = query("--transport", transport, sql)
    assert (ran.returncode, ran.stdout) == (1, "BEGIN\nINSERT 0 1\n")
    assert "42P01" in ran.stderr
    assert numbers() == []


# Output


@pytest.mark.parametrize("format", [[], ["-x"], ["--csv"], ["--json"], ["--jsonl"]])
def test_a_file_that_may_not_grow(url: str, format: list[str], tmp_path: Path) -> None:
    """Of what does not fit the system writes a part, and tells only who tries to write the rest."""
    command = 'trap "" XFSZ; ulimit -f 1; exec "$@" > out'
    ran = subprocess.run(
        ["sh", "-c", command, "sh", *NEONPS, "query", *format, "select repeat('x', 4000) as a"],
        cwd=tmp_path,
        env=environment(url, PYTHONUNBUFFERED="1", PYTHONDONTWRITEBYTECODE="1"),
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    assert (ran.returncode, ran.stderr) == (1, "neonps query: File too large\n")


def test_unbuffered_output_comes_at_once(url: str) -> None:
    with subprocess.Popen(
        [*NEONPS, "query", "create temp table t (); select pg_sleep(100)"],
        env=environment(url, PYTHONUNBUFFERED="1"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == b"CREATE TABLE\n"
        process.send_signal(signal.SIGTERM)


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_what_was_written_before_an_error(url: str, unbuffered: str) -> None:
    ran = neonps("query", "--csv", "select 1 / (3 - i) as a from generate_series(1, 5) i", url=url,
                 PYTHONUNBUFFERED=unbuffered)  # fmt: skip
    assert (ran.returncode, ran.stdout) == (1, "a\n0\n1\n")
    assert ran.stderr == "neonps query: ERROR:  22012: division by zero\n"


@pytest.mark.parametrize("number", [None, signal.SIGINT])
def test_half_a_result_is_no_parquet(url: str, tmp_path: Path, number: signal.Signals | None, admin: Admin) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    last = "1 / (200000 - i)" if number is None else "case when i = 200000 then pg_sleep(100) end"
    sql = f"select i, repeat('x', 100), {last} as c from generate_series(1, 200000) i"
    file = tmp_path / "x.parquet"
    with file.open("wb") as out, subprocess.Popen(
        [*NEONPS, "query", "--parquet", sql], env=environment(url), stdout=out, stderr=subprocess.PIPE
    ) as process:  # fmt: skip
        if number is not None:
            waits = "select from pg_stat_activity where wait_event = 'PgSleep'"
            wait_for(lambda: admin.execute(waits).fetchone() is not None and file.stat().st_size > 100_000)
            process.send_signal(number)
        process.communicate()
    assert process.returncode == (1 if number is None else 130)
    assert file.stat().st_size > 100_000
    with pytest.raises(ValueError, match="magic bytes"):
        parquet.read_table(file)


@needs_full
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_rows_are_loaded_though_that_cannot_be_said(url: str, numbers: Numbers, unbuffered: str) -> None:
    with open("/dev/full", "wb") as full:
        ran = subprocess.run(
            [*NEONPS, "load", "numbers", "-"],
            input="a\n1\n2\n",
            stdout=full,
            stderr=subprocess.PIPE,
            env=environment(url, PYTHONUNBUFFERED=unbuffered),
            encoding="utf-8",
        )
    said = "neonps load: 2 rows are loaded; standard output could not be written: No space left on device\n"
    assert (ran.returncode, ran.stderr) == (0, said)
    assert numbers() == [1, 2]


def test_rows_are_loaded_though_nobody_reads_that(url: str, numbers: Numbers) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        ran = subprocess.run(
            [*NEONPS, "load", "numbers", "-"],
            input="a\n1\n",
            stdout=writer,
            stderr=subprocess.PIPE,
            env=environment(url),
            encoding="utf-8",
        )
    finally:
        os.close(writer)
    said = "neonps load: 1 row is loaded; standard output could not be written: Broken pipe\n"
    assert (ran.returncode, ran.stderr) == (0, said)
    assert numbers() == [1]


# Standard input that does not block


def run_with_gaps(url: str, pieces: list[bytes], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `neonps`, whose standard input does not block, and has nothing for a while before and between pieces."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    with subprocess.Popen(
        [*NEONPS, *arguments],
        env=environment(url),
        stdin=reader,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        os.close(reader)
        for piece in pieces:
            time.sleep(1.5)
            os.write(writer, piece)
        time.sleep(1.5)
        os.close(writer)
        out, err = process.communicate()
    return subprocess.CompletedProcess(arguments, process.returncode, out, err)


def test_a_file_that_comes_in_pieces(url: str, numbers: Numbers) -> None:
    ran = run_with_gaps(url, [b'a,"', b'b"\n1,2\n', b"3,4\n"], "load", "numbers", "-")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "COPY 2\n", "")
    assert numbers() == [1, 3]


def test_sql_that_comes_in_pieces(url: str, numbers: Numbers, admin: Admin) -> None:
    admin.execute("insert into numbers values (1), (2)")
    ran = run_with_gaps(url, [b"delete from numbers\n", b"where a = 1"], "query")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "DELETE 1\n", "")
    assert numbers() == [2]


# COPY


def test_a_line_that_is_cut_during_a_copy(
    postgres: Any, admin: Admin, numbers: Numbers, dsn: str, in_thread: Callable[..., Future[Any]]
) -> None:
    admin.execute(
        "create function slow() returns trigger language plpgsql as $$ begin perform pg_sleep(2); return null; end $$"
    )
    try:
        admin.execute("create trigger slow after insert on numbers for each statement execute function slow()")
        with Relay(postgres.host, postgres.port) as relay:
            url = dsn.replace(f":{postgres.port}/", f":{relay.port}/")
            sql = "copy numbers (a) from program 'echo 7'"
            future = in_thread(neonps, "query", "--transport", "tcp", sql, url=url)
            waits = "select from pg_stat_activity where wait_event = 'PgSleep'"
            wait_for(lambda: admin.execute(waits).fetchone() is not None)
            relay.cut()
            ran = future.result()
        assert ran.returncode == 1
        assert "It is unknown whether what was sent has taken effect." in ran.stderr
        assert "is not possible" not in ran.stderr
    finally:
        admin.execute("drop function slow() cascade")


@on_sessions
def test_a_copy_of_what_is_written(query: Query, transport: str, numbers: Numbers) -> None:
    ran = query("--transport", transport, "copy (insert into numbers values (7) returning a) to stdout")
    assert ran.returncode == 1
    assert "use neonps load" in ran.stderr
    assert ran.stderr.endswith("\nIt is unknown whether what was sent has taken effect.\n")
    assert numbers() == [7]


# Passwords


@pytest.mark.parametrize(
    "arguments",
    [
        ["{}"],
        ["local", "{}"],
        ["local", "--port", "{}"],
        ["local", "--port={}"],
        ["query", "--transport", "{}", "select 1"],
        ["query", "--csv={}", "select 1"],
        ["load", "{}", "people"],
        ["load", "people", "-", "{}"],
        ["load", "people", "-", "--encoding", "{}"],
        ["doctor", "--json={}"],
    ],
)
@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:SECRET@h/d",
        "postgresql://u:SEC@RET@h/d",
        "postgresql://u:SEC RET'\\@h/d",
        "postgresql://h/d?user=u&password=SECRET",
        "host=h password=SECRET",
        "host=h password='SEC RET'",
    ],
)
def test_passwords_in_wrong_places(arguments: list[str], url: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([argument.format(url) for argument in arguments])
    assert caught.value.code == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "error: " in printed.err
    assert "SEC" not in printed.err
    assert "RET" not in printed.err


# Headers: with anything but linear time these do not come to an end


@pytest.mark.parametrize("header", [b'"' + b"\n" * LONGEST, b'"' + b'""\n' * LONGEST])
def test_a_header_without_an_end(header: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(header)
    with (tmp_path / "x.csv").open("rb") as file, pytest.raises(CommandError, match="not a header in CSV"):
        columns_of(file.read(10), file, ",", "utf-8")


def test_a_header_of_many_columns(tmp_path: Path) -> None:
    names = [f"{number:x}" for number in range(150_000)]
    (tmp_path / "x.csv").write_text(",".join(names) + "\n1\n")
    with (tmp_path / "x.csv").open("rb") as file:
        assert columns_of(file.read(10), file, ",", "utf-8")[0] == names
