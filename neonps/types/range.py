"""Ranges: adapters, and their registration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..abc import Buffer
from ..pq import Format
from ..typeinfo import RegistryKey, TypeInfo
from .bounds import BoundsDumper, BoundsLoader, register_loaders
from .range_value import (
    DateRange,
    Int4Range,
    Int8Range,
    NumericRange,
    Range,
    TimestampRange,
    TimestamptzRange,
)
from .range_wire import Bounds, format_range, pack_range, parse_range, unpack_range

if TYPE_CHECKING:
    from ..abc import AdaptContext
    from ..catalog import CatalogRow

__all__ = [
    "DateRange",
    "DateRangeBinaryDumper",
    "DateRangeBinaryLoader",
    "DateRangeDumper",
    "DateRangeLoader",
    "Int4Range",
    "Int4RangeBinaryDumper",
    "Int4RangeBinaryLoader",
    "Int4RangeDumper",
    "Int4RangeLoader",
    "Int8Range",
    "Int8RangeBinaryDumper",
    "Int8RangeBinaryLoader",
    "Int8RangeDumper",
    "Int8RangeLoader",
    "NumericRange",
    "NumericRangeBinaryDumper",
    "NumericRangeBinaryLoader",
    "NumericRangeDumper",
    "NumericRangeLoader",
    "Range",
    "RangeBinaryDumper",
    "RangeBinaryLoader",
    "RangeDumper",
    "RangeInfo",
    "RangeLoader",
    "TimestampRange",
    "TimestampRangeBinaryDumper",
    "TimestampRangeBinaryLoader",
    "TimestampRangeDumper",
    "TimestampRangeLoader",
    "TimestampTZRangeBinaryLoader",
    "TimestampTZRangeLoader",
    "TimestamptzRange",
    "TimestamptzRangeBinaryDumper",
    "TimestamptzRangeDumper",
    "register_range",
]


class RangeInfo(TypeInfo):
    """A range type.

    Args:
        subtype_oid: the type of the bounds. The others are those of `TypeInfo`.
    """

    def __init__(self, name: str, oid: int, array_oid: int, *, regtype: str = "", subtype_oid: int) -> None:
        super().__init__(name, oid, array_oid, regtype=regtype)
        self.subtype_oid = subtype_oid

    _columns = "r.rngsubtype"
    _joins = "JOIN pg_catalog.pg_range r ON r.rngtypid = t.oid"

    @staticmethod
    def _details(rows: Sequence[CatalogRow]) -> dict[str, Any]:
        return {"subtype_oid": int(rows[0][0])}

    def registry_keys(self) -> list[RegistryKey]:
        return [*super().registry_keys(), (RangeInfo, self.subtype_oid)]


def make_range(bounds: Bounds) -> Range[Any]:
    """Return the range with these bounds."""
    lower, upper, brackets = bounds
    return Range(lower, upper, brackets) if brackets else Range(empty=True)


class RangeDumper(BoundsDumper):
    """Dumps `Range` as the range over what its bounds are dumped as, text.

    Where the bounds do not decide it, and for integers, the type is for the server to find out.
    """

    _info_class = RangeInfo

    def _sample(self, obj: Range[Any]) -> Any:
        return obj.upper if obj.lower is None else obj.lower

    def dump(self, obj: Range[Any]) -> Buffer | None:
        return self._uncover(format_range(self._dump_bound(obj.lower), self._dump_bound(obj.upper), obj.bounds))


class RangeBinaryDumper(RangeDumper):
    """Dumps `Range` as the range over what its bounds are dumped as, binary."""

    format = Format.BINARY

    def _text_dumper(self) -> BoundsDumper:
        return RangeDumper(self.cls, self._tx)

    def dump(self, obj: Range[Any]) -> Buffer | None:
        return pack_range(self._dump_bound(obj.lower), self._dump_bound(obj.upper), obj.bounds)


class RangeLoader(BoundsLoader):
    """Loads ranges from text."""

    def load(self, data: Buffer) -> Range[Any]:
        return make_range(parse_range(self._cover(data), self._load))


class RangeBinaryLoader(RangeLoader):
    """Loads ranges from binary."""

    format = Format.BINARY

    def load(self, data: Buffer) -> Range[Any]:
        return make_range(unpack_range(bytes(data), self._load))


def register_range(info: RangeInfo, context: AdaptContext | None = None) -> None:
    """Let ranges of a type be loaded as `Range`, and `Range` objects over its subtype be dumped as it.

    Args:
        info: the type.
        context: where: a connection, a cursor, a map of adapters; None for the adapters of the module.

    Raises:
        TypeError: there is no info, since the database has no such type.
    """
    if not info:
        raise TypeError("no info passed. Is the requested range available?")
    register_loaders(info, info.subtype_oid, context, (RangeLoader, RangeBinaryLoader))


class Int4RangeDumper(RangeDumper):
    """Dumps `Int4Range` as int4range, text."""

    oid = 3904
    subtype_oid = 23


class Int4RangeBinaryDumper(RangeBinaryDumper):
    """Dumps `Int4Range` as int4range, binary."""

    oid = 3904
    subtype_oid = 23


class Int4RangeLoader(RangeLoader):
    """Loads int4range from text."""

    subtype_oid = 23


class Int4RangeBinaryLoader(RangeBinaryLoader):
    """Loads int4range from binary."""

    subtype_oid = 23


class Int8RangeDumper(RangeDumper):
    """Dumps `Int8Range` as int8range, text."""

    oid = 3926
    subtype_oid = 20


class Int8RangeBinaryDumper(RangeBinaryDumper):
    """Dumps `Int8Range` as int8range, binary."""

    oid = 3926
    subtype_oid = 20


class Int8RangeLoader(RangeLoader):
    """Loads int8range from text."""

    subtype_oid = 20


class Int8RangeBinaryLoader(RangeBinaryLoader):
    """Loads int8range from binary."""

    subtype_oid = 20


class NumericRangeDumper(RangeDumper):
    """Dumps `NumericRange` as numrange, text."""

    oid = 3906
    subtype_oid = 1700


class NumericRangeBinaryDumper(RangeBinaryDumper):
    """Dumps `NumericRange` as numrange, binary."""

    oid = 3906
    subtype_oid = 1700


class NumericRangeLoader(RangeLoader):
    """Loads numrange from text."""

    subtype_oid = 1700


class NumericRangeBinaryLoader(RangeBinaryLoader):
    """Loads numrange from binary."""

    subtype_oid = 1700


class DateRangeDumper(RangeDumper):
    """Dumps `DateRange` as daterange, text."""

    oid = 3912
    subtype_oid = 1082


class DateRangeBinaryDumper(RangeBinaryDumper):
    """Dumps `DateRange` as daterange, binary."""

    oid = 3912
    subtype_oid = 1082


class DateRangeLoader(RangeLoader):
    """Loads daterange from text."""

    subtype_oid = 1082


class DateRangeBinaryLoader(RangeBinaryLoader):
    """Loads daterange from binary."""

    subtype_oid = 1082


class TimestampRangeDumper(RangeDumper):
    """Dumps `TimestampRange` as tsrange, text."""

    oid = 3908
    subtype_oid = 1114


class TimestampRangeBinaryDumper(RangeBinaryDumper):
    """Dumps `TimestampRange` as tsrange, binary."""

    oid = 3908
    subtype_oid = 1114


class TimestampRangeLoader(RangeLoader):
    """Loads tsrange from text."""

    subtype_oid = 1114


class TimestampRangeBinaryLoader(RangeBinaryLoader):
    """Loads tsrange from binary."""

    subtype_oid = 1114


class TimestamptzRangeDumper(RangeDumper):
    """Dumps `TimestamptzRange` as tstzrange, text."""

    oid = 3910
    subtype_oid = 1184


class TimestamptzRangeBinaryDumper(RangeBinaryDumper):
    """Dumps `TimestamptzRange` as tstzrange, binary."""

    oid = 3910
    subtype_oid = 1184


class TimestampTZRangeLoader(RangeLoader):
    """Loads tstzrange from text."""

    subtype_oid = 1184


class TimestampTZRangeBinaryLoader(RangeBinaryLoader):
    """Loads tstzrange from binary."""

    subtype_oid = 1184
