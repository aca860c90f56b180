"""bytea from `Binary`, PEP 249's wrapper of binary data."""

from __future__ import annotations

from ..abc import Buffer
from ..dbapi import Binary
from .string import BytesBinaryDumper, BytesDumper


class BinaryTextDumper(BytesDumper):
    """Dumps what is in a `Binary` as bytea, text."""

    def dump(self, obj: Buffer | Binary) -> Buffer | None:
        return super().dump(obj.obj if isinstance(obj, Binary) else obj)


class BinaryBinaryDumper(BytesBinaryDumper):
    """Dumps what is in a `Binary` as bytea, binary."""

    def dump(self, obj: Buffer | Binary) -> Buffer | None:
        return super().dump(obj.obj if isinstance(obj, Binary) else obj)
