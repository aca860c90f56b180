"""What can be seen in SQL by the lexical rules (PostgreSQL docs 4.1): tokens, parameters, first words."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .pattern import pattern
from .record import Record

# The letters of identifiers: those of ASCII, the underscore, and whatever is not ASCII.
_LETTER = r"[^\x00-\x40\x5b-\x5e\x60\x7b-\x7f]"

# Whatever can hold a `$` that is no parameter is matched first, as a whole. A literal or a comment without an
# end goes on to the end of the statement: the server will complain of it.
_TOKEN = rf"""
      \$(?P<number>[0-9]+)
    | (?P<comment>/\*)
    | --[^\r\n]*
    | [eE]'(?:[^'\\]|''|\\.)*(?:'|\Z)
    | '[^']*(?:'|\Z)
    | "[^"]*(?:"|\Z)
    | \$(?P<tag>(?:{_LETTER}(?:{_LETTER}|[0-9])*)?)\$ .*? (?:\$(?P=tag)\$|\Z)
    | (?P<word>{_LETTER}(?:{_LETTER}|[0-9$])*)
    """
_token = pattern(_TOKEN, re.VERBOSE | re.DOTALL)
_any_token = pattern(rf"{_TOKEN} | \S", re.VERBOSE | re.DOTALL)
_to_first_words = pattern(
    rf"[ \t\n\r\f\v]+|--[^\r\n]*|(?P<comment>/\*)|(?P<bracket>[(;])|(?P<word>{_LETTER}(?:{_LETTER}|[0-9$])*)"
)
_comment_border = pattern(r"/\*|\*/")


class Parameter(Record):
    """A `$n` in a statement: from which to which character, and its number."""

    start: int
    end: int
    number: int


class Token(Record):
    """A piece of SQL: a word, a literal or a quoted identifier as a whole, or one character of something else."""

    start: int
    text: str
    is_word: bool


def tokens(sql: str) -> Iterator[Token]:
    """Take SQL apart, in its order; comments and white space are left out."""
    position = 0
    while match := _any_token.search(sql, position):
        position = match.end()
        if match["comment"] is not None:
            position = _end_of_comment(sql, position)
        elif not match.group().startswith("--"):
            yield Token(match.start(), match.group(), match["word"] is not None)


def parameters(statement: str) -> Iterator[Parameter]:
    """Find the parameters of a statement, in their order in the text."""
    position = 0
    while match := _token.search(statement, position):
        position = match.end()
        if match["number"] is not None:
            yield Parameter(match.start(), position, int(match["number"]))
        elif match["comment"] is not None:
            position = _end_of_comment(statement, position)


def first_words(statement: str, count: int) -> list[str]:
    """The first words of a statement, in upper case: `count` of them, or fewer if something else comes earlier.

    Comments do not count, nor do brackets and semicolons in front.
    """
    words: list[str] = []
    position = 0
    while len(words) < count and (match := _to_first_words.match(statement, position)):
        position = match.end()
        if match["word"] is not None:
            words.append(match["word"].upper())
        elif match["comment"] is not None:
            position = _end_of_comment(statement, position)
        elif words and match["bracket"] is not None:
            break
    return words


def has_word(statement: str, word: str) -> bool:
    """Whether a word, in upper case, is in a statement, outside of literals, quoted names and comments."""
    position = 0
    while match := _token.search(statement, position):
        position = match.end()
        if match["comment"] is not None:
            position = _end_of_comment(statement, position)
        elif match.group().upper() == word:
            return True
    return False


def _end_of_comment(statement: str, position: int) -> int:
    """Where the comment ends that is open at `position`; they nest (PostgreSQL docs 4.1.5)."""
    depth = 1
    for border in _comment_border.finditer(statement, position):
        depth += 1 if border.group() == "/*" else -1
        if not depth:
            return border.end()
    return len(statement)
