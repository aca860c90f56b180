"""Enumerated types: members of Python enumerations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeVar

from .. import errors as e
from ..abc import Buffer
from ..adapt import Dumper, Loader
from ..adapters_map import adapters_of
from ..encodings import text_codec
from ..pq import Format
from ..typeinfo import TypeInfo

if TYPE_CHECKING:
    from ..abc import AdaptContext
    from ..catalog import CatalogRow

E = TypeVar("E", bound=Enum)

EnumMapping = Mapping[E, str] | Sequence[tuple[E, str]] | None


class EnumInfo(TypeInfo):
    """An enumerated type.

    Args:
        labels: its values, in their order. The others are those of `TypeInfo`.
    """

    def __init__(self, name: str, oid: int, array_oid: int, labels: Sequence[str], *, regtype: str = "") -> None:
        super().__init__(name, oid, array_oid, regtype=regtype)
        self.labels = labels
        #: The Python enumeration, once it has been registered.
        self.enum: type[Enum] | None = None

    _columns = "e.enumlabel"
    _joins = "LEFT JOIN pg_catalog.pg_enum e ON e.enumtypid = t.oid"
    _order = "ORDER BY e.enumsortorder"

    @staticmethod
    def _details(rows: Sequence[CatalogRow]) -> dict[str, Any]:
        return {"labels": [label for (label,) in rows if label is not None]}


class EnumDumper(Dumper):
    """Dumps members of an `Enum` as their name, text; the type is for the server to find out."""

    #: The labels of members that have another than their name.
    labels: Mapping[Any, str] = {}

    def __init__(self, cls: type, context: AdaptContext | None = None) -> None:
        super().__init__(cls, context)
        self._codec = text_codec(self.connection)

    def dump(self, obj: Enum) -> Buffer | None:
        label = self.labels.get(obj, obj.name)
        if label is None:
            # Flags that are not named, none at all among them
            raise e.DataError(f"cannot dump {obj!r}: it has no name")
        return label.encode(self._codec)


class EnumBinaryDumper(EnumDumper):
    """Dumps members of an `Enum` as their name, binary, which looks the same."""

    format = Format.BINARY


class EnumLoader(Loader):
    """Loads values of a registered type from text."""

    enum: type[Enum]
    members: Mapping[str, Any]

    def __init__(self, oid: int, context: AdaptContext | None = None) -> None:
        super().__init__(oid, context)
        self._codec = text_codec(self.connection)

    def load(self, data: Buffer) -> Any:
        label = str(data, self._codec)
        try:
            return self.members[label]
        except KeyError:
            raise e.DataError(f"bad member for enum {self.enum.__qualname__}: {label!r}") from None


class EnumBinaryLoader(EnumLoader):
    """Loads values of a registered type from binary, which looks the same."""

    format = Format.BINARY


def register_enum(
    info: EnumInfo,
    context: AdaptContext | None = None,
    enum: type[E] | None = None,
    *,
    mapping: EnumMapping[E] = None,
) -> None:
    """Let values of an enumerated type be loaded as members of a Python enumeration, and these be dumped as it.

    Args:
        info: the type.
        context: where: a connection, a cursor, a map of adapters; None for the adapters of the module.
        enum: the enumeration; None makes one of the labels, which `info.enum` is afterwards.
        mapping: members, and the labels of the type that they stand for; a member that is not in it stands for the
            label that is its name.

    Raises:
        TypeError: there is no info, since the database has no such type.
    """
    if not info:
        raise TypeError("no info passed. Is the requested enum available?")
    python_enum: Any = enum or Enum(info.name.title(), info.labels, module=__name__)
    info.enum = python_enum
    info.register(context)

    pairs = list(mapping.items() if isinstance(mapping, Mapping) else mapping or ())
    members: dict[str, Any] = {member.name: member for member in python_enum if member not in dict(pairs)}
    members.update((label, member) for member, label in pairs)

    adapters = adapters_of(context)
    attributes = {"enum": python_enum, "members": members, "__module__": __name__}
    for loader in (EnumLoader, EnumBinaryLoader):
        adapters.register_loader(info.oid, type(f"{info.name.title()}{loader.__name__}", (loader,), attributes))
    attributes = {"oid": info.oid, "labels": dict(pairs), "__module__": __name__}
    for dumper in (EnumDumper, EnumBinaryDumper):
        adapters.register_dumper(python_enum, type(f"{info.name.title()}{dumper.__name__}", (dumper,), attributes))
