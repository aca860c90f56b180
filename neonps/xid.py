"""What identifies a transaction of a two-phase commit (PEP 249, "Optional Two-Phase Commit Extensions")."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

_MAX_FORMAT_ID = 0x7FFFFFFF
_MAX_LENGTH = 64

_encoded = re.compile(r"(\d+)_([^_]*)_([^_]*)").fullmatch


@dataclass(frozen=True)
class Xid:
    """The ID of a transaction. It can be unpacked like a tuple of `format_id`, `gtrid` and `bqual`.

    `str()` gives the ID that the server knows it by. Made by `from_parts()` and `from_string()`.

    Attributes:
        format_id: the kind of XA ID; None when it is no XA ID, but a name that somebody has chosen.
        gtrid: the global transaction ID, or that name.
        bqual: the branch qualifier; None when it is no XA ID.
        prepared: when it was prepared; of a transaction from `tpc_recover()`.
        owner: the user whose it is; likewise.
        database: the name of the database in which it is; likewise.
    """

    __module__ = "neonps"

    format_id: int | None
    gtrid: str
    bqual: str | None
    prepared: datetime | None = None
    owner: str | None = None
    database: str | None = None

    @classmethod
    def from_string(cls, s: str) -> Xid:
        """Take the server's ID apart; one that is not as `str()` makes it becomes the `gtrid` as it is."""
        match = _encoded(s) if isinstance(s, str) else None
        if match is not None:
            try:
                return cls.from_parts(int(match[1]), b64decode(match[2]).decode(), b64decode(match[3]).decode())
            except ValueError:  # not base64, not UTF-8, or out of range
                pass
        return cls(None, s, None)

    @classmethod
    def from_parts(cls, format_id: int | None, gtrid: str, bqual: str | None) -> Xid:
        """Put an ID together.

        Args:
            format_id: from 0 to 2147483647, or None, which makes `gtrid` all that there is.
            gtrid: at most 64 characters with a `format_id`.
            bqual: at most 64 characters; None without a `format_id`.

        Raises:
            TypeError: only one of `format_id` and `bqual` is None.
            ValueError: a part is out of its range.
        """
        if format_id is None:
            if bqual is not None:
                raise TypeError("if format_id is None, bqual must be None too")
            return cls(None, gtrid, None)
        if bqual is None:
            raise TypeError("if format_id is specified, bqual must be too")
        if not 0 <= format_id <= _MAX_FORMAT_ID:
            raise ValueError("format_id must be a non-negative 32-bit integer")
        for name, part in (("gtrid", gtrid), ("bqual", bqual)):
            if len(part) > _MAX_LENGTH:
                raise ValueError(f"{name} must be not longer than {_MAX_LENGTH} chars")
        return cls(format_id, gtrid, bqual)

    def __str__(self) -> str:
        if self.format_id is None or self.bqual is None:
            return self.gtrid
        return f"{self.format_id}_{_encode(self.gtrid)}_{_encode(self.bqual)}"

    def __len__(self) -> int:
        return 3

    def __getitem__(self, index: Any) -> Any:
        return (self.format_id, self.gtrid, self.bqual)[index]

    def __iter__(self) -> Iterator[int | str | None]:
        return iter((self.format_id, self.gtrid, self.bqual))

    def _replace(self, **changes: Any) -> Xid:
        return replace(self, **changes)


def _encode(part: str) -> str:
    return b64encode(part.encode()).decode()
