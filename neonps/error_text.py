"""The text of a server's error, laid out as libpq does it: message, place in the query, detail, hint."""

from __future__ import annotations

from collections.abc import Mapping

from .decimal_number import decimal_number
from .pattern import pattern

#: How much of a line of the query is shown, and how much of it at least after the place of the error
#: (in columns of a terminal).
_SHOWN = 60
_SHOWN_AFTER = 10

#: The lines that follow the message, by field code, in libpq's order.
_LABELS = (("D", "DETAIL"), ("H", "HINT"), ("q", "QUERY"), ("W", "CONTEXT"))

_line_ends = pattern(r"\r\n|\r|\n")


def error_text(fields: Mapping[str, str], query: str | None = None) -> str:
    """Lay out an error for a reader.

    Args:
        fields: the fields of the error by code (PostgreSQL docs 53.8). The severity is left out of the text.
        query: the statement that the server was sent, when the place in it is to be shown.
    """
    message = fields.get("M", "")
    position = fields.get("P")
    if position is None:
        position, query = fields.get("p"), fields.get("q")
    place = None
    if position is not None:
        if query is None:
            message += f" at character {position}"
        elif (number := decimal_number(position)) is not None:
            place = _place(query, number)
    lines = [message] if place is None else [message, place]
    lines += [f"{label}:  {fields[code]}" for code, label in _LABELS if code in fields]
    return "\n".join(lines).strip()


def _place(query: str, position: int) -> str | None:
    """The line of the query with the character at `position`, counted from 1, and a caret below it."""
    at = position - 1
    if not 0 <= at <= len(query):
        return None
    line_ends = list(_line_ends.finditer(query, 0, at))
    begin = line_ends[-1].end() if line_ends else 0
    line_end = _line_ends.search(query, at)
    end = line_end.start() if line_end else len(query)

    # Cut roughly first, so that the width of a long line need not be found out: a character has one column
    # at least, so what is cut here would not be shown anyway.
    line_begin, line_end_at = begin, end
    begin, end = max(begin, at - 2 * _SHOWN), min(end, at + 2 * _SHOWN)
    widths = _widths(query[begin:end])
    first, last, here = 0, len(widths), at - begin

    if sum(widths) > _SHOWN:
        if sum(widths[:here]) + _SHOWN_AFTER <= _SHOWN:
            while sum(widths[first:last]) > _SHOWN:
                last -= 1
        else:
            while sum(widths[here:last]) > _SHOWN_AFTER:
                last -= 1
            while sum(widths[first:last]) > _SHOWN:
                first += 1

    label = f"LINE {len(line_ends) + 1}: " + ("..." if begin + first > line_begin else "")
    shown = query[begin + first : begin + last].replace("\t", " ")
    after = "..." if begin + last < line_end_at else ""
    return f"{label}{shown}{after}\n{' ' * (len(label) + sum(widths[first:here]))}^"


def _widths(text: str) -> list[int]:
    """How many columns of a terminal each character takes: 2 for wide ones (Unicode TR 11), otherwise 1."""
    if text.isascii():
        return [1] * len(text)
    from unicodedata import category, east_asian_width

    # libpq lets marks and format characters, which take no column of their own, count as 1.
    return [
        2 if east_asian_width(char) in ("W", "F") and category(char) not in ("Mn", "Me", "Cf") else 1 for char in text
    ]
