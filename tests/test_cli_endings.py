"""How `neonps query` ends: errors, interruptions, readers that go away; and what it tells meanwhile."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from command_line import NEONPS, WITHOUT_RICH, Terminal, environment, neonps, within
from gateway_client import active, wait_for
from transports import on_sessions

Admin = psycopg.Connection[Any]
Numbers = Callable[[], list[int]]

needs_terminal = pytest.mark.skipif(not hasattr(os, "openpty"), reason="there are no pseudo-terminals here")


Query = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def query(url: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Query:
    """Runs `neonps query` with DATABASE_URL set."""
    return lambda *arguments: within(capfd, monkeypatch, url, "query", *arguments)


@pytest.mark.parametrize("sql", ["select * from nosuch", "select 1;\nselect *\nfrom nosuch"])
def test_an_error_of_the_server(query: Query, transport: str, sql: str) -> None:
    ran = query("--transport", transport, sql)
    assert ran.returncode == 1
    line = "LINE 2: from nosuch" if "\n" in sql else "LINE 1: select * from nosuch"
    caret = "^".rjust(line.index("nosuch") + 1)
    assert ran.stderr == f'neonps query: ERROR:  42P01: relation "nosuch" does not exist\n{line}\n{caret}\n'


def test_detail_and_hint(query: Query) -> None:
    ran = query("do $$ begin raise 'one' using detail = 'two', hint = 'three', errcode = 'P1234'; end $$")
    assert ran.returncode == 1
    assert ran.stderr.startswith("neonps query: ERROR:  P1234: one\nDETAIL:  two\nHINT:  three\nCONTEXT:  ")
    assert query("select %(a)s").stderr.endswith("\nHINT:  -p NAME=VALUE gives the value of %(NAME)s.\n")


@pytest.mark.parametrize(("sql", "hinted"), [("\\d", True), ("select 1 \\gx", True), ("select '' '\\d'", False)])
def test_commands_of_psql(query: Query, sql: str, hinted: bool) -> None:
    ran = query(sql)
    assert ran.returncode == 1
    assert ran.stderr.startswith("neonps query: ERROR:  42601: ")
    assert ran.stderr.endswith("HINT:  Commands of psql, which begin with a backslash, are not known here.\n") == hinted


@on_sessions
def test_what_the_server_tells(query: Query, transport: str) -> None:
    ran = query("--transport", transport, "do $$ begin raise notice E'a\\x1b[31m' using hint = 'b'; end $$")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "DO\n", "NOTICE:  a\\x1b[31m\nHINT:  b\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["postgresql://u:secret@127.0.0.1:1/d", "select 1"], "Connection refused"),
        (["postgresql://u:secret@127.0.0.1:1/d?nosuch=1", "select 1"], "nosuch"),
        (["-f", "/no/such/file"], "/no/such/file: No such file or directory"),
        ([" -- nothing"], "there is no SQL statement"),
        (["copy pg_class to stdout"], "neonps load"),
        (["copy pg_class from stdin"], "neonps load"),
    ],
)
def test_it_fails(query: Query, arguments: list[str], message: str) -> None:
    ran = query(*arguments)
    assert ran.returncode == 1
    assert ran.stdout == ""
    assert ran.stderr.startswith("neonps query: ")
    assert message in ran.stderr
    assert "secret" not in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_wrong_password(dsn: str, postgres: Any) -> None:
    ran = neonps("query", dsn.replace(postgres.password, "secret"), "select 1", url=None)
    assert ran.returncode == 1
    assert "password authentication failed" in ran.stderr
    assert "secret" not in ran.stderr


def test_sql_that_is_not_utf8(url: str) -> None:
    ran = neonps("query", url=url, stdin=b"select '\xff'")
    assert (ran.returncode, ran.stderr) == (1, "neonps query: <stdin>: it is not UTF-8, at byte 8\n")


def test_the_session_is_killed(query: Query, admin: Admin) -> None:
    ran = query("select pg_terminate_backend(pg_backend_pid())")
    assert ran.returncode == 1
    assert ran.stderr.startswith("neonps query: FATAL:  57P01: ")


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_it_is_interrupted(
    url: str, transport: str, admin: Admin, mark: str, tmp_path: Path, number: signal.Signals, status: int
) -> None:
    command = [*NEONPS, "query", "--transport", transport, "--csv", "-o", str(tmp_path / "x.csv")]
    with subprocess.Popen(
        [*command, f"select pg_sleep(100) -- {mark}"], env=environment(url), stderr=subprocess.PIPE, encoding="utf-8"
    ) as process:
        wait_for(lambda: active(admin, mark))
        process.send_signal(number)
        said = process.communicate()[1]
        assert said.startswith("neonps query: interrupted: ")
        assert said.count("\n") == 1
    assert process.returncode == status
    wait_for(lambda: not active(admin, mark))
    assert os.listdir(tmp_path) == []


@needs_terminal
def test_ctrl_c_while_rows_come(url: str) -> None:
    terminal = Terminal([*NEONPS, "query", "select generate_series(1, 1000000000)"], environment(url))
    try:
        terminal.read_until(lambda text: "2000" in text)
        terminal.type(b"\3")
        status, text = terminal.finish()
    finally:
        terminal.close()
    assert status == 130
    assert "Traceback" not in text
    assert "Error" not in text


@on_sessions
@pytest.mark.parametrize("format", [[], ["--csv"], ["--json"]])
def test_whoever_reads_has_seen_enough(url: str, transport: str, format: list[str], admin: Admin, mark: str) -> None:
    sql = f"select generate_series(1, 1000000000) as i -- {mark}"
    with subprocess.Popen(
        [*NEONPS, "query", "--transport", transport, *format, sql],
        env=environment(url),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 128 + signal.SIGPIPE
    wait_for(lambda: not active(admin, mark))


# Progress


@needs_terminal
@pytest.mark.parametrize("command", [NEONPS, WITHOUT_RICH], ids=["rich", "plain"])
def test_progress(url: str, command: list[str], tmp_path: Path) -> None:
    sql = "select generate_series(1, 1000000000) as i"
    arguments = [*command, "query", "--csv", "-o", str(tmp_path / "x.csv"), sql]
    terminal = Terminal(arguments, environment(url))
    try:
        assert " rows" in terminal.read_until(lambda text: " rows" in text)
        terminal.type(b"\3")
        status, text = terminal.finish()
    finally:
        terminal.close()
    assert status == 130
    assert "Traceback" not in text
