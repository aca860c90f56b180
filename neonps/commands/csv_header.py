"""The first record of a CSV file, which names the columns."""

from __future__ import annotations

import csv
import re
from typing import BinaryIO

from .report import CommandError

_LINE_END = re.compile(rb"[\r\n]")

#: A header that is longer than this, in bytes, is none.
LONGEST = 1 << 20


def columns_of(first: bytes, file: BinaryIO, delimiter: str, codec: str) -> tuple[list[str], bytes]:
    """The names of the columns.

    Args:
        first: the beginning of the file.
        file: what follows it.
        delimiter: what separates the names.
        codec: what the file is encoded in, as Python names it.

    Returns:
        the names, and what was read, the header included.

    Raises:
        CommandError: there is no header, or not one with a name for each column.
    """
    end = _end_of_record(first)
    while end is None and len(first) < LONGEST and (more := file.read(1 << 16)):
        first += more
        end = _end_of_record(first)
    if not first:
        raise CommandError("the file is empty: a header is needed, or --no-header")
    try:
        header = first[:end].decode(codec)
        (names,) = csv.reader([header.rstrip("\r\n")], delimiter=delimiter, strict=True) if header.strip() else ([""],)
    except UnicodeDecodeError:
        raise CommandError("the header is not in the encoding of the file; see --encoding") from None
    except (csv.Error, ValueError):
        raise CommandError("the first line is not a header in CSV") from None
    if "" in names:
        raise CommandError("a column has no name in the header; see --no-header")
    for name in names:
        if names.count(name) > 1:
            raise CommandError(f'the column "{name}" is in the header twice')
    return names, first


def _end_of_record(data: bytes) -> int | None:
    """Where the first record ends; None if it does not end within `data`.

    The bytes of quotes and line ends are no part of other characters in the encodings that Postgres has.
    """
    for match in _LINE_END.finditer(data):
        if data.count(b'"', 0, match.start()) % 2 == 0:
            return match.start()
    return None
