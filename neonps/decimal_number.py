"""Numbers in decimal digits that somebody else has written, a server or a URL, where anything can stand."""

from __future__ import annotations

#: More digits than a number of 64 bits has. Python takes long over thousands of them, or refuses them.
MOST_DIGITS = 20


def decimal_number(text: str) -> int | None:
    """The number; None if the text is none, or is longer than any that Postgres has."""
    return int(text) if len(text) <= MOST_DIGITS and text.isdecimal() else None
