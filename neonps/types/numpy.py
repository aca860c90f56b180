"""The scalars of numpy, each as the smallest type that has all its values. numpy itself is not imported."""

from __future__ import annotations

from .decimal import IntNumericBinaryDumper, IntNumericDumper
from .integer import Int2BinaryDumper, Int2Dumper, Int4BinaryDumper, Int4Dumper, Int8BinaryDumper, Int8Dumper


class NPInt16Dumper(Int2Dumper):
    """Dumps `int8`, `int16` and `uint8` as int2, text."""


class NPInt32Dumper(Int4Dumper):
    """Dumps `int32` and `uint16` as int4, text."""


class NPInt64Dumper(Int8Dumper):
    """Dumps `int64` and `uint32` as int8, text."""


class NPNumericDumper(IntNumericDumper):
    """Dumps `uint64` as numeric, text."""


class NPInt16BinaryDumper(Int2BinaryDumper, NPInt16Dumper):
    """Dumps `int8`, `int16` and `uint8` as int2, binary."""


class NPInt32BinaryDumper(Int4BinaryDumper, NPInt32Dumper):
    """Dumps `int32` and `uint16` as int4, binary."""


class NPInt64BinaryDumper(Int8BinaryDumper, NPInt64Dumper):
    """Dumps `int64` and `uint32` as int8, binary."""


class NPNumericBinaryDumper(IntNumericBinaryDumper, NPNumericDumper):
    """Dumps `uint64` as numeric, binary."""
