"""The first record of a CSV file, which names the columns."""

from __future__ import annotations

import csv
import re
from collections import Counter
from typing import BinaryIO

from .reading import PIECE, read
from .report import CommandError

#: The bytes of quotes and line ends are no part of other characters in the encodings that Postgres has.
_MARK = re.compile(rb'["\r\n]')

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
    first, end = _read_record(first, file)
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
    for name, count in Counter(names).items():
        if count > 1:
            raise CommandError(f'the column "{name}" is in the header twice')
    return names, first


def _read_record(data: bytes, file: BinaryIO) -> tuple[bytes, int | None]:
    """Read as far as the first record goes, after `data`.

    Returns:
        what was read, `data` included, and where in it the record ends; None if that is not found.
    """
    seen = 0
    quoted = False
    while True:
        for match in _MARK.finditer(data, seen):
            if match[0] == b'"':
                quoted = not quoted
            elif not quoted:
                return data, match.start()
        seen = len(data)
        if seen >= LONGEST or not (more := read(file, PIECE)):
            return data, None
        data += more
