"""`neonps query`: where SQL and parameters come from, and tables."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from command_line import NEONPS, WITHOUT_RICH, neonps, on_terminal, within

from neonps.cli import main

Admin = psycopg.Connection[Any]
Numbers = Callable[[], list[int]]

needs_terminal = pytest.mark.skipif(not hasattr(os, "openpty"), reason="there are no pseudo-terminals here")


Query = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def query(url: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Query:
    """Runs `neonps query` with DATABASE_URL set."""
    return lambda *arguments: within(capfd, monkeypatch, url, "query", *arguments)


# Tables


def test_a_table(url: str, transport: str) -> None:
    ran = neonps(
        "query",
        "--transport",
        transport,
        "select i as number, 'x' || i as name, null as nothing from generate_series(9, 10) i",
        url=url,
    )
    assert ran.stderr == ""
    assert ran.returncode == 0
    assert ran.stdout == (
        " number | name | nothing\n"
        "--------+------+---------\n"
        "      9 | x9   | NULL\n"
        "     10 | x10  | NULL\n"
        "(2 rows)\n"
        "\n"
    )  # fmt: skip


def test_statements_without_rows(query: Query, transport: str, numbers: Numbers) -> None:
    tag = "CREATE" if transport == "http" else "CREATE TABLE"  # which does not say more
    ran = query(
        "--transport",
        transport,
        "create table if not exists numbers (); insert into numbers values (1), (2);; -- ;\n select a from numbers;",
    )
    assert ran.stderr.endswith("already exists, skipping\n") or transport == "http"
    assert ran.stdout == f"{tag}\nINSERT 0 2\n a\n---\n 1\n 2\n(2 rows)\n\n"
    assert ran.returncode == 0
    assert numbers() == [1, 2]


@pytest.mark.parametrize(
    ("sql", "table"),
    [
        ("select 1 as a where false", " a\n---\n(0 rows)\n\n"),
        ("select", "--\n(1 row)\n\n"),
        ("select E'one\\ntwo' as a, 1 as b", "  a  | b\n-----+---\n one+| 1\n two |\n(1 row)\n\n"),
        ("select E'a\\tb' as tab", "    tab\n-----------\n a       b\n(1 row)\n\n"),
        ("select '日本' as a, '🙂' as b, 'é' as c", "  a   | b  | c\n------+----+---\n 日本 | 🙂 | é\n(1 row)\n\n"),
        (
            "select E'\\x1b[31m\\r\\u009b1m\\u202e' as \"\x1b]0;x\x07\"",
            "       \\x1b]0;x\\x07\n--------------------------\n \\x1b[31m\\r\\u009b1m\\u202e\n(1 row)\n\n",
        ),
    ],
)
def test_what_is_in_cells(query: Query, sql: str, table: str) -> None:
    assert query(sql).stdout == table


def test_expanded(query: Query) -> None:
    ran = query("-x", "select 1 as a, E'x\\ny' as long, null as c union all select 2, '', ''")
    assert ran.stdout == (
        "-[ RECORD 1 ]+--\n"
        "a    | 1\n"
        "long | x+\n"
        "     | y\n"
        "c    | NULL\n"
        "-[ RECORD 2 ]+--\n"
        "a    | 2\n"
        "long |\n"
        "c    |\n"
        "(2 rows)\n"
        "\n"
    )  # fmt: skip


def test_a_table_in_a_file(query: Query, tmp_path: Path) -> None:
    assert query("-o", tmp_path / "out", "select 1 as a; select 2 as b").stdout == ""
    assert (tmp_path / "out").read_text() == " a\n---\n 1\n(1 row)\n\n b\n---\n 2\n(1 row)\n\n"


def test_columns_of_a_long_table_only_get_wider(query: Query) -> None:
    ran = query("select i as a, 'x' as b from generate_series(999, 2001) i")
    lines = ran.stdout.splitlines()
    assert lines[:3] == ["  a   | b", "------+---", "  999 | x"]  # as the first 1000 rows need it
    assert set(map(len, lines[2:-2])) == {9}
    ran = query("select case when i > 1500 then 123456 else 1 end as a, 'x' as b from generate_series(1, 2000) i")
    lines = ran.stdout.splitlines()
    assert lines[2:4] == [" 1 | x", " 1 | x"]
    assert lines[1002] == "      1 | x"
    assert lines[2001] == " 123456 | x"
    assert lines[2002] == "(2000 rows)"


@needs_terminal
@pytest.mark.parametrize("command", [NEONPS, WITHOUT_RICH], ids=["rich", "plain"])
def test_a_table_on_a_terminal(url: str, command: list[str]) -> None:
    sql = "select 1 as a, null as b, E'\\x1b]0;title\\x07' as c"
    status, text = on_terminal("query", sql, url=url, command=command)
    plain = " a |  b   |        c\n---+------+------------------\n 1 | NULL | \\x1b]0;title\\x07\n(1 row)\n\n"
    assert status == 0
    if command is NEONPS:
        assert "\x1b[2mNULL\x1b[0m" in text
        assert "\x1b]" not in text
        text = text.replace("\x1b[1m", "").replace("\x1b[2m", "").replace("\x1b[0m", "")
    assert text == plain
    assert on_terminal("query", sql, url=url, command=command, NO_COLOR="1") == (0, plain)
    assert on_terminal("query", sql, url=url, command=command, TERM="dumb") == (0, plain)


@needs_terminal
def test_what_is_too_wide_for_the_terminal_is_expanded(url: str) -> None:
    sql = "select repeat('x', 15) as a, 1 as b"
    assert on_terminal("query", sql, url=url, size=22, NO_COLOR="1")[1].startswith("        a        | b\n")
    assert on_terminal("query", sql, url=url, size=20, NO_COLOR="1")[1] == (
        "-[ RECORD 1 ]+--\na | xxxxxxxxxxxxxxx\nb | 1\n(1 row)\n\n"
    )


@needs_terminal
@pytest.mark.parametrize("format", ["csv", "json", "jsonl"])
def test_no_format_lets_the_terminal_obey(url: str, format: str) -> None:
    status, text = on_terminal("query", f"--{format}", "select E'\\x1b[31m\\u009b2J\\u202e' as a", url=url)
    assert status == 0
    assert not {"\x1b", "\x9b", "\u202e"} & set(text)
    assert "[31m" in text


# Where SQL is from


def test_sql_from_standard_input(url: str) -> None:
    assert neonps("query", "--csv", url=url, stdin="select 1 as a;").stdout == "a\n1\n"
    assert neonps("query", "--csv", "-f", "-", url=url, stdin="\ufeffselect 'ä' as a").stdout == "a\nä\n"


def test_sql_from_a_file(query: Query, tmp_path: Path) -> None:
    file = tmp_path / "try.sql"
    file.write_text("-- what\n\nselect 1;\nselect 2 frm 3;\nselect 3")
    ran = query("-f", file)
    assert ran.returncode == 1
    assert ran.stdout == " ?column?\n----------\n        1\n(1 row)\n\n"
    assert ran.stderr.startswith(f'neonps query: {file}:4: ERROR:  42601: syntax error at or near "')
    assert "\nLINE 1: select 2 frm" in ran.stderr


def test_arguments_in_any_order(query: Query, url: str) -> None:
    for arguments in (
        (url, "--csv", "select 1 as a"),
        ("--csv", url, "select 1 as a"),
        (url, "select 1 as a", "--csv"),
        ("--csv", url, "--", "-- comment\nselect 1 as a"),
    ):
        ran = neonps("query", *arguments, url="postgresql://nobody@127.0.0.1:1/nothing")
        assert (ran.returncode, ran.stdout, ran.stderr) == (0, "a\n1\n", "")
    assert neonps("query", url, "--csv", url=None, stdin="select 2 as a").stdout == "a\n2\n"


def test_variables_say_where(postgres: Any) -> None:
    variables = {
        "PGHOST": postgres.host,
        "PGPORT": str(postgres.port),
        "PGUSER": "postgres",
        "PGPASSWORD": postgres.password,
        "PGDATABASE": "postgres",
    }
    assert neonps("query", "--csv", "select 1 as a", url=None, **variables).stdout == "a\n1\n"


# Parameters


def test_parameters(query: Query, transport: str) -> None:
    ran = query(
        "--transport", transport, "--jsonl", "-p", "a=5", "-p", "b", "-p", "c==%s", "-p", "d=",
        "select %(a)s::int + 1 as a, %(b)s::text as b, %(c)s::text as c, %(d)s::text as d, 5 %% 3 as m",
    )  # fmt: skip
    assert ran.stderr == ""
    assert json.loads(ran.stdout) == {"a": 6, "b": None, "c": "=%s", "d": "", "m": 2}


def test_parameters_of_several_statements(query: Query) -> None:
    ran = query("-p", "a=1", "-p", "b=2", "select 1 from generate_series(%(a)s, 1); select %(b)s::int + 1 as c")
    assert ran.stdout.endswith(" c\n---\n 3\n(1 row)\n\n")


def test_a_percent_sign_without_parameters(query: Query) -> None:
    assert query("--csv", "select 5 % 3 as a, '%(b)s' as b where 'x' like '%'").stdout == "a,b\n2,%(b)s\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-p", "a=secret", "-p", "a=secret", "select %(a)s"], "the parameter a is given twice"),
        (["-p", "a=secret", "select %(b)s"], "no value is given for %(b)s: use -p b=VALUE"),
        (["-p", "a=secret", "-p", "b=secret", "select %(a)s"], "the parameter b is not used"),
        (["-p", "=secret", "select 1"], "the name is missing"),
        (["-p", "a=secret", "select %s"], "placeholders need names"),
        (["-p", "a=secret", "select %(a)s, 5 % 2"], "incomplete placeholder"),
        (["select 1", "select 2"], "more than one SQL"),
        (["select '\udcff'"], "not of the encoding of the locale"),
        (["-p", "a=secret\udcff", "select %(a)s"], "not of the encoding of the locale"),
        (["-f", "x.sql", "select 2"], "a file of SQL too"),
        (["mysql://u:secret@h/d"], "has to start with postgresql://"),
        (["--csv", "--json", "select 1"], "not allowed with"),
        (["--transport", "pigeon", "select 1"], "invalid choice"),
    ],
)
def test_wrong_usage(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        raise SystemExit(main(["query", *arguments]))
    assert caught.value.code == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert message in printed.err
    assert "secret" not in printed.err
