"""What the adapters of ranges and of multiranges share: both are made of bounds of one type."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..abc import Dumper as DumperProtocol
from ..abc import DumperKey
from ..adapt import PyFormat
from ..adapters_map import adapters_of
from ..pq import Format
from ..typeinfo import TypeInfo
from .integer import INT8_OID, IntWrapper
from .parts import PartsDumper, PartsLoader
from .string import TEXT_OID, StrDumperUnknown

if TYPE_CHECKING:
    from ..abc import AdaptContext


class BoundsDumper(PartsDumper):
    """Finds the type of the bounds, and with it the type of the whole."""

    #: The type of the bounds; 0 finds it out.
    subtype_oid = 0

    #: What kind of type the objects have, to find the one with the right subtype.
    _info_class: type[TypeInfo]

    def __init__(self, cls: type, context: AdaptContext | None = None) -> None:
        super().__init__(cls, context)
        self._bound: DumperProtocol | None = None
        if self.subtype_oid:
            self._bound = self._tx.get_dumper_by_oid(self.subtype_oid, self.format)

    def _sample(self, obj: Any) -> Any:
        """Return a bound of `obj`, None if it has none."""
        raise NotImplementedError

    def _text_dumper(self) -> BoundsDumper:
        """Return another dumper of the same objects, to text."""
        return type(self)(self.cls, self._tx)

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
        return None if value is None else self._cover(value)


class BoundsLoader(PartsLoader):
    """Has the loader of the bounds."""

    #: The type of the bounds.
    subtype_oid = 0

    def __init__(self, oid: int, context: AdaptContext | None = None) -> None:
        super().__init__(oid, context)
        self._load = self._part_loader(self.subtype_oid)


def register_loaders(
    info: TypeInfo, subtype_oid: int, context: AdaptContext | None, loaders: Sequence[type[BoundsLoader]]
) -> None:
    """Make a type known, and let these load it, with bounds of `subtype_oid`."""
    info.register(context)
    adapters = adapters_of(context)
    for base in loaders:
        attributes = {"subtype_oid": subtype_oid, "__module__": base.__module__}
        adapters.register_loader(info.oid, type(f"{info.name.title()}{base.__name__}", (base,), attributes))


def is_plain_int(obj: object) -> bool:
    """Tell whether `obj` is an integer that does not say which type it has."""
    return isinstance(obj, int) and not isinstance(obj, (bool, IntWrapper))
