"""int2, int4, int8, oid; integers of any size."""

from __future__ import annotations

from operator import index
from struct import Struct
from struct import error as StructError
from typing import Any

from .. import errors as e
from ..abc import Buffer, DumperKey
from ..abc import Dumper as DumperProtocol
from ..adapt import Dumper, Loader, PyFormat
from ..packed import Packed
from ..pq import Format

INT8_OID = 20
INT2_OID = 21
INT4_OID = 23
OID_OID = 26

INT2 = Struct("!h")
INT4 = Struct("!i")
INT8 = Struct("!q")
OID = Struct("!I")


class IntWrapper(int):
    """An int that says as which type it is sent: the base of the classes below."""

    __slots__ = ()

    def __str__(self) -> str:
        return super().__repr__()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({super().__repr__()})"


class Int2(IntWrapper):
    """An int that is sent as int2 (`smallint`)."""


class Int4(IntWrapper):
    """An int that is sent as int4 (`integer`)."""


class Int8(IntWrapper):
    """An int that is sent as int8 (`bigint`)."""


class IntNumeric(IntWrapper):
    """An int that is sent as numeric."""


class Oid(IntWrapper):
    """An int that is sent as oid."""


class IntegerDumper(Dumper):
    """Dumps integers as text; its subclasses say as which type."""

    def dump(self, obj: Any) -> Buffer | None:
        # int's own repr, whatever a subclass (an IntEnum, say) makes of it
        return int.__repr__(_integer(obj)).encode()

    def quote(self, obj: Any) -> Buffer:
        return spaced(int.__repr__(_integer(obj)).encode())


class Int2Dumper(IntegerDumper):
    """Dumps integers as int2, text."""

    oid = INT2_OID


class Int4Dumper(IntegerDumper):
    """Dumps integers as int4, text."""

    oid = INT4_OID


class Int8Dumper(IntegerDumper):
    """Dumps integers as int8, text."""

    oid = INT8_OID


class OidDumper(IntegerDumper):
    """Dumps integers as oid, text."""

    oid = OID_OID


class PackedDumper(IntegerDumper):
    """Dumps integers in binary; its subclasses say as which type, and how."""

    format = Format.BINARY
    _struct: Struct

    def dump(self, obj: Any) -> Buffer | None:
        try:
            return self._struct.pack(obj)
        except StructError:
            raise e.DataError(f"{type(self).__name__} cannot dump {_integer(obj)}: out of range") from None


class Int2BinaryDumper(PackedDumper, Int2Dumper):
    """Dumps integers as int2, binary."""

    _struct = INT2


class Int4BinaryDumper(PackedDumper, Int4Dumper):
    """Dumps integers as int4, binary."""

    _struct = INT4


class Int8BinaryDumper(PackedDumper, Int8Dumper):
    """Dumps integers as int8, binary."""

    _struct = INT8


class OidBinaryDumper(PackedDumper, OidDumper):
    """Dumps integers as oid, binary."""

    _struct = OID


# What the size of an int says of the type that it needs.
_KEY_INT2: DumperKey = (int, Int2)
_KEY_INT4: DumperKey = (int, Int4)
_KEY_INT8: DumperKey = (int, Int8)
_KEY_NUMERIC: DumperKey = (int, IntNumeric)


class IntDumper(Dumper):
    """Dumps `int` as the smallest type that holds it, int2, int4, int8 or numeric: it finds who does it."""

    def get_key(self, obj: int, format: PyFormat) -> DumperKey:
        if -0x80000000 <= obj <= 0x7FFFFFFF:
            return _KEY_INT2 if -0x8000 <= obj <= 0x7FFF else _KEY_INT4
        return _KEY_INT8 if -0x8000000000000000 <= obj <= 0x7FFFFFFFFFFFFFFF else _KEY_NUMERIC

    def upgrade(self, obj: int, format: PyFormat) -> DumperProtocol:
        key = self.get_key(obj, format)
        if key is _KEY_NUMERIC:
            # numeric needs the module decimal, ints seldom do
            from .decimal import IntNumericBinaryDumper, IntNumericDumper

            return (IntNumericDumper if self.format == Format.TEXT else IntNumericBinaryDumper)(int)
        text, binary = _DUMPERS[key]
        return (text if self.format == Format.TEXT else binary)(int)

    def dump(self, obj: int) -> Buffer | None:
        return self.upgrade(obj, PyFormat.from_pq(self.format)).dump(obj)

    def quote(self, obj: int) -> Buffer:
        return self.upgrade(obj, PyFormat.from_pq(self.format)).quote(obj)


class IntBinaryDumper(IntDumper):
    """The same in binary."""

    format = Format.BINARY


_DUMPERS: dict[DumperKey, tuple[type[Dumper], type[Dumper]]] = {
    _KEY_INT2: (Int2Dumper, Int2BinaryDumper),
    _KEY_INT4: (Int4Dumper, Int4BinaryDumper),
    _KEY_INT8: (Int8Dumper, Int8BinaryDumper),
}


class IntLoader(Loader):
    """Loads integers of any size from text."""

    load = staticmethod(int)  # type: ignore[assignment]


class Int2BinaryLoader(Loader):
    """Loads int2 from binary."""

    format = Format.BINARY
    packed = Packed("h", 2)
    cheaper_than = IntLoader
    _struct = INT2

    def load(self, data: Buffer) -> int:
        return self._struct.unpack(data)[0]  # type: ignore[no-any-return]


class Int4BinaryLoader(Int2BinaryLoader):
    """Loads int4 from binary."""

    packed = Packed("i", 4)
    cheaper_than = IntLoader
    _struct = INT4


class Int8BinaryLoader(Int2BinaryLoader):
    """Loads int8 from binary."""

    packed = Packed("q", 8)
    cheaper_than = IntLoader
    _struct = INT8


class OidBinaryLoader(Int2BinaryLoader):
    """Loads oid from binary."""

    packed = Packed("I", 4)
    cheaper_than = IntLoader
    _struct = OID


def spaced(number: bytes) -> bytes:
    """Return a number's literal, with a blank before its minus sign: two in a row would start a comment."""
    return b" " + number if number.startswith(b"-") else number


def _integer(obj: Any) -> int:
    if isinstance(obj, int):
        return obj
    try:
        return index(obj)
    except TypeError:
        raise e.DataError(f"integer expected, got {type(obj).__name__!r}") from None
