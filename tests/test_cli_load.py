"""`neonps load`: which rows come into which columns, and how it ends."""

from __future__ import annotations

import gzip
import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
from command_line import NEONPS, WITHOUT_RICH, Terminal, environment, neonps
from gateway_client import wait_for
from transports import on_sessions

import neonps as neonps_package
from neonps.cli import main

Admin = psycopg.Connection[Any]
Load = Callable[..., "subprocess.CompletedProcess[str]"]
Rows = Callable[[], list[tuple[Any, ...]]]


@pytest.fixture
def load(url: str) -> Load:
    """Runs `neonps load` with DATABASE_URL set."""
    return lambda *arguments, **options: neonps("load", *arguments, url=url, **options)


@pytest.fixture
def people(admin: Admin) -> Iterator[Rows]:
    """A table `people`; calling this gives what is in it."""
    admin.execute('create table people (id int primary key, "Full, Name" text, n numeric)')
    yield lambda: admin.execute("select * from people order by id").fetchall()
    admin.execute("drop table people")


@on_sessions
def test_a_file_with_a_header(load: Load, people: Rows, transport: str, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_bytes('"Full, Name",id\r\n"Ann ""X""\r\nä",1\r\n,2\r\n"",3\r\n'.encode())
    ran = load("--transport", transport, "people", file)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "COPY 3\n", "")
    assert people() == [(1, 'Ann "X"\r\nä', None), (2, None, None), (3, "", None)]


@pytest.mark.parametrize(
    ("arguments", "data", "rows"),
    [
        (["--no-header"], "1,a,2\n", [(1, "a", 2)]),
        ([], "\ufeffid\n1\n", [(1, None, None)]),
        (["--no-header"], "\ufeff1,a,2\n", [(1, "a", 2)]),
        ([], '"id"\r1\r2', [(1, None, None), (2, None, None)]),
        (["--delimiter", ";"], 'id;"Full, Name"\n1;a,b\n', [(1, "a,b", None)]),
        (["--delimiter", "\\t"], "id\tn\n1\t5\n", [(1, None, 5)]),
        (["--null", "NA"], 'id,n,"Full, Name"\n1,NA,"NA"\n2,NA,\n', [(1, "NA", None), (2, "", None)]),
        (["--null", "it's"], "id,n\n1,it's\n", [(1, None, None)]),
        ([], "id,n\n", []),
    ],
)
def test_standard_input(load: Load, people: Rows, arguments: list[str], data: str, rows: list[Any]) -> None:
    ran = load("people", "-", *arguments, stdin=data)
    assert (ran.stderr, ran.stdout, ran.returncode) == ("", f"COPY {len(rows)}\n", 0)
    assert people() == rows


def test_encoding(load: Load, people: Rows) -> None:
    data = 'id,"Full, Name"\n1,ä\n'
    assert load("people", "-", "--encoding", "latin1", stdin=data.encode("latin1")).stdout == "COPY 1\n"
    assert people() == [(1, "ä", None)]
    ran = load("people", "-", stdin=data.encode("latin1"))
    assert ran.stderr.startswith("neonps load: ERROR:  22021: ")


def test_a_header_in_another_encoding(load: Load, admin: Admin) -> None:
    admin.execute('create table encoded ("größe" int)')
    try:
        data = "größe\n1\n".encode("latin1")
        assert load("encoded", "-", "--encoding", "LATIN1", stdin=data).stdout == "COPY 1\n"
        ran = load("encoded", "-", stdin=data)
        assert ran.stderr == "neonps load: the header is not in the encoding of the file; see --encoding\n"
    finally:
        admin.execute("drop table encoded")


@pytest.mark.parametrize("name", ["Odd.Tab", 'ODD."tab"', "postgres.odd.tab", '"odd".tab'])
def test_the_table_in_a_schema(load: Load, admin: Admin, name: str) -> None:
    admin.execute("create schema odd")
    try:
        admin.execute("create table odd.tab (a int)")
        assert load(name, "-", stdin="a\n1\n").stdout == "COPY 1\n"
    finally:
        admin.execute("drop schema odd cascade")


def test_a_table_with_an_odd_name(load: Load, admin: Admin) -> None:
    admin.execute('create table "O; drop"".x" ("a""; b" int)')
    try:
        assert load('"O; drop"".x"', "-", stdin='"a""; b"\n1\n').stdout == "COPY 1\n"
    finally:
        admin.execute('drop table "O; drop"".x"')


def test_all_or_nothing(load: Load, people: Rows, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text('id,n\n1,1\n2,"\n3"\n4,x\n')
    ran = load("people", file)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr == (
        'neonps load: ERROR:  22P02: invalid input syntax for type numeric: "x"\n'
        'CONTEXT:  COPY people, line 5, column n: "x"\n'
    )  # the line as it is in the file
    assert people() == []


def test_an_error_early_in_what_never_ends(url: str, people: Rows) -> None:
    with subprocess.Popen(
        [*NEONPS, "load", "people", "-"],
        env=environment(url),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin
        with pytest.raises(BrokenPipeError):
            process.stdin.write(b"id\nx\n")
            while True:
                process.stdin.write(b"1\n" * 100_000)
        with suppress(BrokenPipeError):  # of what is left in the buffer
            process.stdin.close()
        process.stdin = None
        out, err = process.communicate()
    assert (process.returncode, out) == (1, b"")
    assert b'invalid input syntax for type integer: "x"' in err


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("", "the file is empty: a header is needed, or --no-header"),
        ("\n1\n", "a column has no name in the header; see --no-header"),
        ("id,\n1,2\n", "a column has no name in the header; see --no-header"),
        ("id,n,id\n", 'the column "id" is in the header twice'),
        ('"id\n1\n', "the first line is not a header in CSV"),
        (gzip.compress(b"id\n1\n", mtime=0), "the file is compressed: zcat FILE | neonps load TABLE -"),
        ("nosuch\n1\n", 'ERROR:  42703: column "nosuch" of relation "people" does not exist'),
    ],
)
def test_files_that_do_not_fit(load: Load, people: Rows, data: str | bytes, message: str) -> None:
    ran = load("people", "-", stdin=data)
    assert (ran.returncode, ran.stdout, ran.stderr) == (1, "", f"neonps load: {message}\n")
    assert people() == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["people", "/no/such/file"], "/no/such/file: No such file or directory"),
        (["people", "/"], "/: Is a directory"),
        (["no_such_table", "-"], 'ERROR:  42P01: relation "no_such_table" does not exist'),
    ],
)
def test_it_fails(load: Load, arguments: list[str], message: str) -> None:
    ran = load(*arguments, stdin="id\n1\n")
    assert (ran.returncode, ran.stdout, ran.stderr) == (1, "", f"neonps load: {message}\n")


@pytest.mark.parametrize("size", [1, 4, 65536])
@pytest.mark.parametrize(
    ("data", "rows"),
    [
        ("id\n1\n\\.\n2\n", None),
        ("id\r\n1\r\n\\.", None),
        ("id\n1\n2\n", [1, 2]),
        ('id,"Full, Name"\n1,"\\."\n2,\\.\n3,"a\n\\.x"\n', [1, 2, 3]),
    ],
)
def test_a_server_that_would_stop_reading(
    data: str,
    rows: list[int] | None,
    size: int,
    url: str,
    people: Rows,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Before PostgreSQL 18, a line of nothing but `\\.` ends the data, and what follows is lost without a word."""
    monkeypatch.setattr(neonps_package.ConnectionInfo, "server_version", 170000)
    monkeypatch.setattr("neonps.commands.load.PIECE", size)
    file = tmp_path / "people.csv"
    file.write_bytes(data.encode())
    assert main(["load", url, "people", str(file)]) == (1 if rows is None else 0)
    assert ("there is a line with nothing but \\. in it" in capsys.readouterr().err) is (rows is None)
    assert [row[0] for row in people()] == (rows or [])


def test_over_http(load: Load, people: Rows) -> None:
    ran = load("--transport", "http", "people", "-", stdin="id\n1\n")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.count("\n") == 1
    assert "transport='websocket'" in ran.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "a table and a file are needed"),
        (["people"], "a table and a file are needed"),
        (["postgresql://u:secret@h/d", "people"], "a table and a file are needed"),
        (["a", "b", "c"], "a table and a file are needed"),
        (["a b", "-"], '"a b" is not the name of a table'),
        (["a.", "-"], "is not the name of a table"),
        (["a.b.c.d", "-"], "is not the name of a table"),
        (['"a', "-"], "is not the name of a table"),
        (["people", "-", "--delimiter", ";;"], "--delimiter has to be one ASCII character"),
        (["people", "-", "--delimiter", ""], "--delimiter has to be one ASCII character"),
        (["people", "-", "--encoding", "nosuch"], "--encoding: nosuch is not known"),
        (["mysql://u:secret@h/d", "people", "-"], "has to start with postgresql://"),
    ],
)
def test_wrong_usage(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        raise SystemExit(main(["load", *arguments]))
    assert caught.value.code == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert message in printed.err
    assert "secret" not in printed.err


@on_sessions
def test_it_is_interrupted(url: str, transport: str, people: Rows, admin: Admin) -> None:
    with subprocess.Popen(
        [*NEONPS, "load", "--transport", transport, "people", "-"],
        env=environment(url),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin
        process.stdin.write(b"id\n" + b"".join(b"%d\n" % number for number in range(100_000)))
        process.stdin.flush()
        copying = "select count(*) from pg_stat_progress_copy where bytes_processed > 0"
        wait_for(lambda: admin.execute(copying).fetchone() == (1,))
        process.send_signal(signal.SIGINT)
        assert process.communicate() == (b"", b"neonps load: interrupted: the statement was cancelled\n")
    assert process.returncode == 130
    assert people() == []


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="there are no pseudo-terminals here")
@pytest.mark.parametrize(
    ("command", "shown"),
    [(NEONPS, r"━.*/6\.9 MB"), (WITHOUT_RICH, r"\r[\d,]+ bytes \(\d+%\)")],
    ids=["rich", "plain"],
)
def test_progress(
    url: str, dsn: str, people: Rows, admin: Admin, command: list[str], shown: str, tmp_path: Path
) -> None:
    file = tmp_path / "people.csv"
    file.write_bytes(b"id\n" + b"".join(b"%d\n" % number for number in range(1_000_000)))
    waiting = "select from pg_stat_activity where query ~ '^copy' and clock_timestamp() - query_start > interval '1 s'"
    with psycopg.connect(dsn) as blocker:  # so that it takes long
        blocker.execute("lock table people in access exclusive mode")
        terminal = Terminal([*command, "load", "people", str(file)], environment(url))
        try:
            wait_for(lambda: admin.execute(waiting).fetchone() is not None)
            blocker.commit()
            status, text = terminal.finish()
        finally:
            terminal.close()
    assert status == 0
    assert re.search(shown, text)
    assert text.rstrip().endswith("COPY 1000000")


def test_no_progress_but_on_a_terminal(load: Load, people: Rows, tmp_path: Path) -> None:
    ran = load("people", "-", stdin="id\n" + "\n".join(map(str, range(300_000))))
    assert (ran.stdout, ran.stderr) == ("COPY 300000\n", "")
