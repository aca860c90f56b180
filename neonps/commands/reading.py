"""Reading what others may have set not to block: standard input can be shared with a program that has."""

from __future__ import annotations

import select
from typing import BinaryIO

#: How much is read at a time, in bytes.
PIECE = 1 << 16


def read(file: BinaryIO, size: int) -> bytes:
    """Some of what comes next, at most `size` bytes; b"" only at the end. Where there is nothing yet it waits."""
    while True:
        data: bytes | None = file.read(size)
        if data is not None:
            return data
        select.select([file], [], [])


def read_all(file: BinaryIO) -> bytes:
    """All that comes. A terminal is at its end once, and would have to be told again by whoever types."""
    raw = getattr(file, "raw", file)
    return b"".join(iter(lambda: read(raw, PIECE), b""))
