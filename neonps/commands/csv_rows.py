"""Results as CSV, by the rules of COPY (PostgreSQL docs, COPY, CSV Format)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..column import Column
    from .table import Row

#: Values with these in them are quoted; so is "", since nothing at all is NULL, and the mark for the end of data.
_QUOTED = re.compile('[",\r\n]')
_END_OF_DATA = "\\."


def write_csv(columns: Sequence[Column], rows: Iterator[Row], write: Callable[[str], object]) -> None:
    """Write a header and the rows.

    Args:
        columns, rows: the result.
        write: takes the text.
    """
    write(",".join([_field(column.name) for column in columns]) + "\n")
    for row in rows:
        write(",".join([_field(value) for value in row]) + "\n")


def _field(value: str | None) -> str:
    if value is None:
        return ""
    if value in ("", _END_OF_DATA) or _QUOTED.search(value):
        return '"' + value.replace('"', '""') + '"'
    return value
