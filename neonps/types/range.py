"""Ranges: adapters, and their registration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..abc import Buffer, DumperKey
from ..abc import Dumper as DumperProtocol
from ..adapt import PyFormat, RecursiveDumper, RecursiveLoader
from ..adapters_map import adapters_of
from ..pq import Format
from ..typeinfo import RegistryKey, TypeInfo
from .integer import INT8_OID, IntWrapper
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
from .string import TEXT_OID, StrDumperUnknown

if TYPE_CHECKING:
    from ..abc import AdaptContext

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

    def registry_keys(self) -> list[RegistryKey]:
        return [*super().registry_keys(), (RangeInfo, self.subtype_oid)]


def make_range(bounds: Bounds) -> Range[Any]:
    """Return the range with these bounds."""
    lower, upper, brackets = bounds
    return Range(lower, upper, brackets) if brackets else Range(empty=True)


class BoundsDumper(RecursiveDumper):
    """A dumper of what is made of bounds of one type: ranges and multiranges."""

    #: The type of the bounds; 0 finds it out.
    subtype_oid = 0

    #: What kind of type the objects have, to find the one with the right subtype.
    _info_class: type[TypeInfo] = RangeInfo

    def __init__(self, cls: type, context: AdaptContext | None = None) -> None:
        super().__init__(cls, context)
        self._bound: DumperProtocol | None = None
        if self.subtype_oid:
            self._bound = self._tx.get_dumper_by_oid(self.subtype_oid, self.format)

    def _sample(self, obj: Any) -> Any:
        """Return a bound of `obj`, None if it has none."""
        raise NotImplementedError

    def _text_dumper(self) -> BoundsDumper:
        """Return the dumper of the same objects to text."""
        raise NotImplementedError

    def get_key(self, obj: Any, format: PyFormat) -> DumperKey:
        sample = None if self.subtype_oid else self._sample(obj)
        if sample is None:
            return self.cls
        if is_plain_int(sample):
            return (self.cls, int)
        return (self.cls, self._tx.get_key(sample, PyFormat.from_pq(self.format)))

    def upgrade(self, obj: Any, format: PyFormat) -> DumperProtocol:
        sample = None if self.subtype_oid else self._sample(obj)
        if sample is None:
            return self
        if is_plain_int(sample):
            # It may be meant for any of int4, int8 and numeric: only text leaves that to the server.
            dumper = self._text_dumper()
            dumper._bound = self._tx.get_dumper_by_oid(INT8_OID, Format.TEXT)
            return dumper
        dumper = type(self)(self.cls, self._tx)
        dumper._bound = bound = self._tx.get_dumper(sample, PyFormat.from_pq(self.format))
        # A str alone may be meant for any type, but a range over them is one over text.
        subtype_oid = TEXT_OID if isinstance(bound, StrDumperUnknown) else bound.oid
        info = self._tx.adapters.types.get_by_subtype(self._info_class, subtype_oid)
        if info is not None:
            dumper.oid = info.oid
        return dumper

    def _dump_bound(self, bound: Any) -> bytes | None:
        if bound is None:
            return None
        dumper = self._bound or self._tx.get_dumper(bound, PyFormat.from_pq(self.format))
        value = dumper.dump(bound)
        return None if value is None else bytes(value)


def is_plain_int(obj: object) -> bool:
    """Tell whether `obj` is an integer that does not say which type it has."""
    return isinstance(obj, int) and not isinstance(obj, (bool, IntWrapper))


class RangeDumper(BoundsDumper):
    """Dumps `Range` as the range over what its bounds are dumped as, text.

    Where the bounds do not decide it, and for integers, the type is for the server to find out.
    """

    def _sample(self, obj: Range[Any]) -> Any:
        return obj.upper if obj.lower is None else obj.lower

    def _text_dumper(self) -> BoundsDumper:
        return RangeDumper(self.cls, self._tx)

    def dump(self, obj: Range[Any]) -> Buffer | None:
        return format_range(self._dump_bound(obj.lower), self._dump_bound(obj.upper), obj.bounds)


class RangeBinaryDumper(RangeDumper):
    """Dumps `Range` as the range over what its bounds are dumped as, binary."""

    format = Format.BINARY

    def dump(self, obj: Range[Any]) -> Buffer | None:
        return pack_range(self._dump_bound(obj.lower), self._dump_bound(obj.upper), obj.bounds)


class RangeLoader(RecursiveLoader):
    """Loads ranges from text."""

    #: The type of the bounds.
    subtype_oid = 0

    def __init__(self, oid: int, context: AdaptContext | None = None) -> None:
        super().__init__(oid, context)
        self._load = self._tx.get_loader(self.subtype_oid, self.format).load

    def load(self, data: Buffer) -> Range[Any]:
        return make_range(parse_range(bytes(data), self._load))


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
    info.register(context)
    adapters = adapters_of(context)
    attributes = {"subtype_oid": info.subtype_oid, "__module__": __name__}
    for base in (RangeLoader, RangeBinaryLoader):
        adapters.register_loader(info.oid, type(f"{info.name.title()}{base.__name__}", (base,), attributes))


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
