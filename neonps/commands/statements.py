"""Taking a text of SQL apart at the semicolons between its statements, as psql does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ..tokens import tokens

#: Behind these words, the first of a statement, a body with semicolons in it may come: CREATE [OR REPLACE] FUNCTION
#: f() ... BEGIN ATOMIC ...; ... END (PostgreSQL docs, CREATE FUNCTION).
_ROUTINES = (("CREATE", "FUNCTION"), ("CREATE", "PROCEDURE"))
_REPLACED = ("CREATE", "OR", "REPLACE")


class SqlStatement(NamedTuple):
    """One statement.

    Attributes:
        text: the statement, without the semicolon; comments in front of it may be hints to somebody, and are kept.
        line: the number of the line that the text begins on, from 1.
    """

    text: str
    line: int


def split(sql: str) -> Iterator[SqlStatement]:
    """The statements of a text; pieces that have nothing but white space and comments are left out."""
    start = 0  # of the piece
    words: list[str] = []  # the first of the statement
    found = False  # whether there is more than comments
    depth = 0  # of brackets
    body = 0  # how many BEGIN and CASE are open in the body of a routine
    for token in tokens(sql):
        if token.text == ";" and not (depth or body):
            if found:
                yield _statement(sql, start, token.start)
            start, words, found = token.start + 1, [], False
            continue
        found = True
        if token.text == "(":
            depth += 1
        elif token.text == ")":
            depth = max(0, depth - 1)
        elif token.is_word and not depth:
            word = token.text.upper()
            if len(words) < 4:
                words.append(word)
            if body:
                body += {"BEGIN": 1, "CASE": 1, "END": -1}.get(word, 0)
            elif word == "BEGIN" and _is_routine(words):
                body = 1
    if found:
        yield _statement(sql, start, len(sql))


def _statement(sql: str, start: int, stop: int) -> SqlStatement:
    text = sql[start:stop]
    start += len(text) - len(text.lstrip())
    return SqlStatement(text.strip(), 1 + sql.count("\n", 0, start))


def _is_routine(words: list[str]) -> bool:
    if tuple(words[:3]) == _REPLACED:
        words = [words[0], *words[3:]]
    return tuple(words[:2]) in _ROUTINES
