"""Multiranges: adapters, and their registration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .. import errors as e
from ..abc import Buffer
from ..pq import Format
from ..typeinfo import RegistryKey, TypeInfo
from .bounds import BoundsDumper, BoundsLoader, register_loaders
from .multirange_value import (
    DateMultirange,
    Int4Multirange,
    Int8Multirange,
    Multirange,
    NumericMultirange,
    TimestampMultirange,
    TimestamptzMultirange,
)
from .range import make_range
from .range_wire import (
    format_multirange,
    format_range,
    pack_multirange,
    pack_range,
    parse_multirange,
    unpack_multirange,
)

if TYPE_CHECKING:
    from ..abc import AdaptContext
    from ..catalog import CatalogRow

__all__ = [
    "DateMultirange",
    "DateMultirangeBinaryDumper",
    "DateMultirangeBinaryLoader",
    "DateMultirangeDumper",
    "DateMultirangeLoader",
    "Int4Multirange",
    "Int4MultirangeBinaryDumper",
    "Int4MultirangeBinaryLoader",
    "Int4MultirangeDumper",
    "Int4MultirangeLoader",
    "Int8Multirange",
    "Int8MultirangeBinaryDumper",
    "Int8MultirangeBinaryLoader",
    "Int8MultirangeDumper",
    "Int8MultirangeLoader",
    "Multirange",
    "MultirangeBinaryDumper",
    "MultirangeBinaryLoader",
    "MultirangeDumper",
    "MultirangeInfo",
    "MultirangeLoader",
    "NumericMultirange",
    "NumericMultirangeBinaryDumper",
    "NumericMultirangeBinaryLoader",
    "NumericMultirangeDumper",
    "NumericMultirangeLoader",
    "TimestampMultirange",
    "TimestampMultirangeBinaryDumper",
    "TimestampMultirangeBinaryLoader",
    "TimestampMultirangeDumper",
    "TimestampMultirangeLoader",
    "TimestampTZMultirangeBinaryLoader",
    "TimestampTZMultirangeLoader",
    "TimestamptzMultirange",
    "TimestamptzMultirangeBinaryDumper",
    "TimestamptzMultirangeDumper",
    "register_multirange",
]


class MultirangeInfo(TypeInfo):
    """A multirange type.

    Args:
        range_oid: the type of its ranges.
        subtype_oid: the type of their bounds. The others are those of `TypeInfo`.
    """

    def __init__(
        self,
        name: str,
        oid: int,
        array_oid: int,
        *,
        regtype: str = "",
        range_oid: int,
        subtype_oid: int,
    ) -> None:
        super().__init__(name, oid, array_oid, regtype=regtype)
        self.range_oid = range_oid
        self.subtype_oid = subtype_oid

    _columns = "r.rngtypid, r.rngsubtype"
    _joins = "JOIN pg_catalog.pg_range r ON r.rngmultitypid = t.oid"

    @staticmethod
    def _details(rows: Sequence[CatalogRow]) -> dict[str, Any]:
        range_oid, subtype_oid = rows[0]
        return {"range_oid": int(range_oid), "subtype_oid": int(subtype_oid)}

    def registry_keys(self) -> list[RegistryKey]:
        return [*super().registry_keys(), (MultirangeInfo, self.subtype_oid)]


class MultirangeDumper(BoundsDumper):
    """Dumps `Multirange` as the multirange over what its bounds are dumped as, text.

    Where the bounds do not decide it, and for integers, the type is for the server to find out.
    """

    _info_class = MultirangeInfo

    def _sample(self, obj: Multirange[Any]) -> Any:
        for each in obj:
            for bound in (each.lower, each.upper):
                if bound is not None:
                    return bound
        return None

    def dump(self, obj: Multirange[Any]) -> Buffer | None:
        dump = self._dump_bound
        ranges = [format_range(dump(each.lower), dump(each.upper), each.bounds) for each in obj]
        return self._uncover(format_multirange(ranges))


class MultirangeBinaryDumper(MultirangeDumper):
    """Dumps `Multirange` as the multirange over what its bounds are dumped as, binary."""

    format = Format.BINARY

    def _text_dumper(self) -> BoundsDumper:
        return MultirangeDumper(self.cls, self._tx)

    def dump(self, obj: Multirange[Any]) -> Buffer | None:
        dump = self._dump_bound
        return pack_multirange([pack_range(dump(each.lower), dump(each.upper), each.bounds) for each in obj])


class MultirangeLoader(BoundsLoader):
    """Loads multiranges from text."""

    def load(self, data: Buffer) -> Multirange[Any]:
        return Multirange(map(make_range, parse_multirange(self._cover(data), self._load)))


class MultirangeBinaryLoader(MultirangeLoader):
    """Loads multiranges from binary."""

    format = Format.BINARY

    def load(self, data: Buffer) -> Multirange[Any]:
        try:
            return Multirange(map(make_range, unpack_multirange(bytes(data), self._load)))
        except e.DataError as ex:
            raise e.DataError(f"invalid multirange data: {type(ex).__name__} - {ex}") from None


def register_multirange(info: MultirangeInfo, context: AdaptContext | None = None) -> None:
    """Let multiranges of a type be loaded as `Multirange`, and such objects over its subtype be dumped as it.

    Args:
        info: the type.
        context: where: a connection, a cursor, a map of adapters; None for the adapters of the module.

    Raises:
        TypeError: there is no info, since the database has no such type.
    """
    if not info:
        raise TypeError("no info passed. Is the requested multirange available?")
    register_loaders(info, info.subtype_oid, context, (MultirangeLoader, MultirangeBinaryLoader))


class Int4MultirangeDumper(MultirangeDumper):
    """Dumps `Int4Multirange` as int4multirange, text."""

    oid = 4451
    subtype_oid = 23


class Int4MultirangeBinaryDumper(MultirangeBinaryDumper):
    """Dumps `Int4Multirange` as int4multirange, binary."""

    oid = 4451
    subtype_oid = 23


class Int4MultirangeLoader(MultirangeLoader):
    """Loads int4multirange from text."""

    subtype_oid = 23


class Int4MultirangeBinaryLoader(MultirangeBinaryLoader):
    """Loads int4multirange from binary."""

    subtype_oid = 23


class Int8MultirangeDumper(MultirangeDumper):
    """Dumps `Int8Multirange` as int8multirange, text."""

    oid = 4536
    subtype_oid = 20


class Int8MultirangeBinaryDumper(MultirangeBinaryDumper):
    """Dumps `Int8Multirange` as int8multirange, binary."""

    oid = 4536
    subtype_oid = 20


class Int8MultirangeLoader(MultirangeLoader):
    """Loads int8multirange from text."""

    subtype_oid = 20


class Int8MultirangeBinaryLoader(MultirangeBinaryLoader):
    """Loads int8multirange from binary."""

    subtype_oid = 20


class NumericMultirangeDumper(MultirangeDumper):
    """Dumps `NumericMultirange` as nummultirange, text."""

    oid = 4532
    subtype_oid = 1700


class NumericMultirangeBinaryDumper(MultirangeBinaryDumper):
    """Dumps `NumericMultirange` as nummultirange, binary."""

    oid = 4532
    subtype_oid = 1700


class NumericMultirangeLoader(MultirangeLoader):
    """Loads nummultirange from text."""

    subtype_oid = 1700


class NumericMultirangeBinaryLoader(MultirangeBinaryLoader):
    """Loads nummultirange from binary."""

    subtype_oid = 1700


class DateMultirangeDumper(MultirangeDumper):
    """Dumps `DateMultirange` as datemultirange, text."""

    oid = 4535
    subtype_oid = 1082


class DateMultirangeBinaryDumper(MultirangeBinaryDumper):
    """Dumps `DateMultirange` as datemultirange, binary."""

    oid = 4535
    subtype_oid = 1082


class DateMultirangeLoader(MultirangeLoader):
    """Loads datemultirange from text."""

    subtype_oid = 1082


class DateMultirangeBinaryLoader(MultirangeBinaryLoader):
    """Loads datemultirange from binary."""

    subtype_oid = 1082


class TimestampMultirangeDumper(MultirangeDumper):
    """Dumps `TimestampMultirange` as tsmultirange, text."""

    oid = 4533
    subtype_oid = 1114


class TimestampMultirangeBinaryDumper(MultirangeBinaryDumper):
    """Dumps `TimestampMultirange` as tsmultirange, binary."""

    oid = 4533
    subtype_oid = 1114


class TimestampMultirangeLoader(MultirangeLoader):
    """Loads tsmultirange from text."""

    subtype_oid = 1114


class TimestampMultirangeBinaryLoader(MultirangeBinaryLoader):
    """Loads tsmultirange from binary."""

    subtype_oid = 1114


class TimestamptzMultirangeDumper(MultirangeDumper):
    """Dumps `TimestamptzMultirange` as tstzmultirange, text."""

    oid = 4534
    subtype_oid = 1184


class TimestamptzMultirangeBinaryDumper(MultirangeBinaryDumper):
    """Dumps `TimestamptzMultirange` as tstzmultirange, binary."""

    oid = 4534
    subtype_oid = 1184


class TimestampTZMultirangeLoader(MultirangeLoader):
    """Loads tstzmultirange from text."""

    subtype_oid = 1184


class TimestampTZMultirangeBinaryLoader(MultirangeBinaryLoader):
    """Loads tstzmultirange from binary."""

    subtype_oid = 1184
