"""bool."""

from __future__ import annotations

from ..abc import Buffer
from ..adapt import Dumper, Loader
from ..packed import Packed
from ..pq import Format

BOOL_OID = 16


class BoolDumper(Dumper):
    """Dumps `bool` as text."""

    oid = BOOL_OID

    def dump(self, obj: bool) -> Buffer | None:
        return b"t" if obj else b"f"

    def quote(self, obj: bool) -> Buffer:
        return b"true" if obj else b"false"


class BoolBinaryDumper(Dumper):
    """Dumps `bool` in binary."""

    format = Format.BINARY
    oid = BOOL_OID

    def dump(self, obj: bool) -> Buffer | None:
        return b"\x01" if obj else b"\x00"


class BoolLoader(Loader):
    """Loads `bool` from text."""

    def load(self, data: Buffer) -> bool:
        return data == b"t"


class BoolBinaryLoader(Loader):
    """Loads `bool` from binary."""

    format = Format.BINARY
    packed = Packed("?", 1)
    cheaper_than = BoolLoader

    def load(self, data: Buffer) -> bool:
        return data != b"\x00"
