"""Names of tables as they are written in SQL."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..sql import Composed

_PART = re.compile(r'"(?P<quoted>(?:[^"\0]|"")+)"|(?P<plain>[^\W\d]\w*(?:\$\w*)*)')


def table_name(text: str) -> Composed:
    """The name of a table, quoted for the server.

    Args:
        text: the name as SQL has it: `table` or `schema.table`, in lower case unless it is in quotes.

    Raises:
        ValueError: it is no such name.
    """
    from ..sql import SQL, Identifier

    parts: list[str] = []
    position = 0
    while match := _PART.match(text, position):
        plain = match["plain"]
        parts.append(match["quoted"].replace('""', '"') if plain is None else plain.lower())
        position = match.end()
        if position == len(text):
            if len(parts) > 3:
                break
            return SQL(".").join([Identifier(part) for part in parts])
        if text[position] != ".":
            break
        position += 1
    raise ValueError(f'"{text}" is not the name of a table: write table, schema.table, or "with quotes" as SQL does')
