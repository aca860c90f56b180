"""What the command line does with text: statements taken apart, names of tables, and what a terminal is shown."""

from __future__ import annotations

import pytest

from neonps.commands.identifiers import table_name
from neonps.commands.shown import json_safe, shown, shown_lines, width
from neonps.commands.statements import split


@pytest.mark.parametrize(
    ("sql", "statements"),
    [
        ("", []),
        (" ;; -- a;\n /* ; /* ; */ ; */ ;", []),
        ("select 1", [("select 1", 1)]),
        ("select 1;\n\n select 2 ;", [("select 1", 1), ("select 2", 3)]),
        (
            "select ';', \";\", $$;$$, $a$;$$;$a$, E'\\';'; x",
            [("select ';', \";\", $$;$$, $a$;$$;$a$, E'\\';'", 1), ("x", 1)],
        ),
        ("/*+ hint; */ select 1; -- x\n select 2 -- y;", [("/*+ hint; */ select 1", 1), ("-- x\n select 2 -- y;", 1)]),
        ("create rule r as on insert to t do (a; b); c", [("create rule r as on insert to t do (a; b)", 1), ("c", 1)]),
        ("a); b", [("a)", 1), ("b", 1)]),
        ("begin; case; end; c", [("begin", 1), ("case", 1), ("end", 1), ("c", 1)]),
        (
            "create or replace function f() returns int begin atomic select case when 1=1 then 1 end; end; c",
            [
                ("create or replace function f() returns int begin atomic select case when 1=1 then 1 end; end", 1),
                ("c", 1),
            ],
        ),
        ("create table begin_x (); c", [("create table begin_x ()", 1), ("c", 1)]),
        ("select 'open; ", [("select 'open;", 1)]),
    ],
)
def test_statements(sql: str, statements: list[tuple[str, int]]) -> None:
    assert list(split(sql)) == statements


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("abc", 3),
        ("é", 1),
        ("e\u0301", 1),
        ("東京", 4),
        ("ｱ", 1),
        ("🙂", 2),
        ("❤\ufe0f", 2),
        ("👍🏽", 2),
        ("👩\u200d👩\u200d👧", 2),
        ("🇩🇪", 2),
        ("한", 2),
        ("\u1112\u1161\u11ab", 2),
        ("क\u094d\u200dष", 2),
        ("\u200b", 0),
    ],
)
def test_width(text: str, columns: int) -> None:
    assert width(text) == columns


def test_shown() -> None:
    obeyed = [chr(code) for code in (*range(9), *range(11, 32), *range(0x7F, 0xA0), 0x2028, 0x202E, 0x2066)]
    assert all(shown(character).isascii() and shown(character).isprintable() for character in obeyed)
    assert all(json_safe(character).startswith("\\u") for character in obeyed)
    assert shown("a\r\x1b\x9b\n\tä") == "a\\r\\x1b\\u009b\n\tä"
    assert shown_lines("ab\tc\nd\t\te") == ["ab      c", "d               e"]


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("people", '"people"'),
        ("S.People", '"s"."people"'),
        ('"S"."a""b. c"', '"S"."a""b. c"'),
        ("größe_1$", '"größe_1$"'),
    ],
)
def test_names_of_tables(text: str, quoted: str) -> None:
    assert table_name(text).as_string(None) == quoted


@pytest.mark.parametrize("text", ["", ".", "a.", ".a", "1a", "a b", 'a"b"', '""', '"a', "a;b", "a.b.c.d", "a(b)"])
def test_what_is_no_name(text: str) -> None:
    with pytest.raises(ValueError, match="not the name of a table"):
        table_name(text)
