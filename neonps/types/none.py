"""NULL."""

from __future__ import annotations

from typing import NoReturn

from ..abc import Buffer
from ..adapt import Dumper


class NoneDumper(Dumper):
    """Says what None looks like in a statement; as a parameter None never gets to a dumper."""

    def dump(self, obj: None) -> NoReturn:
        raise NotImplementedError("NULL is passed to Postgres in other ways")

    def quote(self, obj: None) -> Buffer:
        return b"NULL"
