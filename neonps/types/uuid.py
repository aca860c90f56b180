"""uuid."""

from __future__ import annotations

from uuid import UUID

from .. import errors as e
from ..abc import Buffer
from ..adapt import Dumper, Loader
from ..pq import Format

UUID_OID = 2950


class UUIDDumper(Dumper):
    """Dumps `UUID` as uuid, text."""

    oid = UUID_OID

    def dump(self, obj: UUID) -> Buffer | None:
        return obj.hex.encode()


class UUIDBinaryDumper(UUIDDumper):
    """Dumps `UUID` as uuid, binary."""

    format = Format.BINARY

    def dump(self, obj: UUID) -> Buffer | None:
        return obj.bytes


class UUIDLoader(Loader):
    """Loads uuid from text."""

    def load(self, data: Buffer) -> UUID:
        text = str(data, "ascii")
        try:
            return UUID(text)
        except ValueError as ex:
            raise e.DataError(f"can't parse uuid {text!r}: {ex}") from None


class UUIDBinaryLoader(UUIDLoader):
    """Loads uuid from binary."""

    format = Format.BINARY

    def load(self, data: Buffer) -> UUID:
        try:
            return UUID(bytes=bytes(data))
        except ValueError as ex:
            raise e.DataError(f"can't parse uuid: {ex}") from None
