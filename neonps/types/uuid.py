"""uuid."""

from __future__ import annotations

from types import MemberDescriptorType
from uuid import UUID, SafeUUID

from .. import errors as e
from ..abc import Buffer
from ..adapt import Dumper, Loader
from ..packed import Packed
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
    packed = Packed("16s", 16, "load")
    cheaper_than = UUIDLoader

    def load(self, data: Buffer) -> UUID:
        if len(data) != 16:
            raise e.DataError(f"can't parse uuid: {len(data)} bytes instead of 16")
        return _uuid_of(int.from_bytes(data, "big"))


def _uuid_by_init(number: int) -> UUID:
    return UUID(int=number)


def _uuid_by_slots(number: int) -> UUID:
    made = object.__new__(UUID)
    _set_int(made, number)
    _set_is_safe(made, SafeUUID.unknown)
    return made


#: Returns the UUID whose 128 bits are those of an int.
_uuid_of = _uuid_by_init

_int, _is_safe = UUID.__dict__.get("int"), UUID.__dict__.get("is_safe")
if isinstance(_int, MemberDescriptorType) and isinstance(_is_safe, MemberDescriptorType):
    # So it is in CPython. Most of what UUID() does is to look which of its arguments it has, in which of many forms.
    _set_int, _set_is_safe = _int.__set__, _is_safe.__set__
    _uuid_of = _uuid_by_slots
