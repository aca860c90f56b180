"""float4, float8."""

from __future__ import annotations

from struct import Struct
from struct import error as StructError
from typing import Any

from .. import errors as e
from ..abc import Buffer
from ..adapt import Dumper, Loader
from ..packed import Packed
from ..pq import Format
from .integer import spaced

FLOAT4_OID = 700
FLOAT8_OID = 701

FLOAT4 = Struct("!f")
FLOAT8 = Struct("!d")


class _Wrapper(float):
    __slots__ = ()

    def __str__(self) -> str:
        return super().__repr__()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({super().__repr__()})"


class Float4(_Wrapper):
    """A float that is sent as float4 (`real`)."""


class Float8(_Wrapper):
    """A float that is sent as float8 (`double precision`)."""


class FloatDumper(Dumper):
    """Dumps `float` as float8, text."""

    oid = FLOAT8_OID

    def dump(self, obj: Any) -> Buffer | None:
        return repr(float(obj)).encode()

    def quote(self, obj: Any) -> Buffer:
        value = repr(float(obj))
        return _NOT_FINITE.get(value) or spaced(value.encode())


_NOT_FINITE = {
    "nan": b"'NaN'::float8",
    "inf": b"'Infinity'::float8",
    "-inf": b"'-Infinity'::float8",
}


class Float4Dumper(FloatDumper):
    """Dumps `Float4` as float4, text."""

    oid = FLOAT4_OID


class FloatBinaryDumper(FloatDumper):
    """Dumps `float` as float8, binary."""

    format = Format.BINARY
    _struct = FLOAT8

    def dump(self, obj: Any) -> Buffer | None:
        try:
            return self._struct.pack(obj)
        except StructError:
            raise e.DataError(f"float expected, got {type(obj).__name__!r}") from None
        except OverflowError:
            # Too large for float4: infinite, as in C
            return self._struct.pack(float("inf") if obj > 0 else float("-inf"))


class Float4BinaryDumper(FloatBinaryDumper):
    """Dumps `Float4` as float4, binary."""

    oid = FLOAT4_OID
    _struct = FLOAT4


class FloatLoader(Loader):
    """Loads float4 and float8 from text."""

    load = staticmethod(float)  # type: ignore[assignment]


class Float4BinaryLoader(Loader):
    """Loads float4 from binary."""

    format = Format.BINARY
    packed = Packed("f", 4)
    _struct = FLOAT4

    def load(self, data: Buffer) -> float:
        return self._struct.unpack(data)[0]  # type: ignore[no-any-return]


class Float8BinaryLoader(Float4BinaryLoader):
    """Loads float8 from binary."""

    packed = Packed("d", 8)
    cheaper_than = FloatLoader
    _struct = FLOAT8
