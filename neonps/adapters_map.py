"""The map from Python classes to dumpers and from Postgres types to loaders."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

from . import errors as e
from . import pq
from .formats import PyFormat
from .record import Record
from .typeinfo import TypesRegistry

if TYPE_CHECKING:
    from .abc import AdaptContext, Dumper, Loader


_Key = TypeVar("_Key")
_Class = TypeVar("_Class")


class AdapterReference(Record):
    """Stands for an adapter class in a map until it is needed, so that its module is not imported in vain."""

    format: pq.Format
    oid: int
    module: str
    name: str

    def resolve(self) -> Any:
        """Return the class."""
        return getattr(import_module(self.module), self.name)


if TYPE_CHECKING:
    DumperClass = type[Dumper] | AdapterReference
    LoaderClass = type[Loader] | AdapterReference


class AdaptersMap:
    """The adapters that are in force for a module, a connection, a cursor.

    A new map starts as a copy of its template; from then on changes to either do not show in the other. What
    two maps have in common is shared until one of them changes.

    Args:
        template: the map to start from; None starts empty.
        types: the types that `register_loader()` knows by name; None takes the template's.
    """

    types: TypesRegistry

    #: How many times a loader was registered, for who keeps instances of loaders of this map.
    loaders_version = 0

    def __init__(self, template: AdaptersMap | None = None, types: TypesRegistry | None = None) -> None:
        self.changes = 0  # how many loaders were registered
        if template is None:
            self.types = TypesRegistry() if types is None else types
            self._shared = False
            self._dumpers: dict[PyFormat, dict[type | str, DumperClass]] = {format: {} for format in PyFormat}
            self._dumpers_by_oid: tuple[dict[int, DumperClass], ...] = ({}, {})
            self._loaders: tuple[dict[int, LoaderClass], ...] = ({}, {})
        else:
            self.types = TypesRegistry(template.types) if types is None else types
            self._shared = template._shared = True
            self._dumpers = template._dumpers
            self._dumpers_by_oid = template._dumpers_by_oid
            self._loaders = template._loaders

    # A map is the adaptation context of whoever has nothing else.

    @property
    def adapters(self) -> AdaptersMap:
        """The map itself."""
        return self

    @property
    def connection(self) -> None:
        """None: a map knows of no session."""
        return None

    def register_dumper(self, cls: type | str | None, dumper: DumperClass) -> None:
        """Let objects of a class be dumped by `dumper`, in its format and wherever the format is open.

        Args:
            cls: the class; its dotted name, when it should not be imported for this; or None, when the dumper
                is only to be found by its oid.
            dumper: the dumper class.

        Raises:
            TypeError: `cls` is none of these.
        """
        if not (cls is None or isinstance(cls, (str, type))):
            raise TypeError(f"dumpers should be registered on classes, got {cls} instead")
        self._unshare()
        if cls is not None:
            self._dumpers[PyFormat.from_pq(dumper.format)][cls] = dumper
            self._dumpers[PyFormat.AUTO][cls] = dumper
        if dumper.oid:
            self._dumpers_by_oid[dumper.format][dumper.oid] = dumper

    def register_loader(self, oid: int | str, loader: LoaderClass) -> None:
        """Let values of a type be loaded by `loader`, where they come in the loader's format.

        Args:
            oid: the oid of the type, or its name in `types`.
            loader: the loader class.

        Raises:
            KeyError: there is no type of that name.
            TypeError: `oid` is neither an int nor a str.
        """
        if isinstance(oid, str):
            oid = self.types[oid].oid
        if not isinstance(oid, int):
            raise TypeError(f"loaders should be registered on oid, got {oid} instead")
        self._unshare()
        self._loaders[loader.format][oid] = loader
        self.changes += 1
        self.loaders_version += 1

    def get_dumper(self, cls: type, format: PyFormat) -> type[Dumper]:
        """Return the dumper class for `cls`, or for the nearest of its base classes that has one.

        Raises:
            ProgrammingError: there is none in that format.
        """
        dumpers = self._dumpers[format]
        for base in cls.__mro__:
            if base in dumpers:
                return _resolve(dumpers, base)
            name = f"{base.__module__}.{base.__qualname__}"
            if name in dumpers:
                return _resolve(dumpers, name)
        raise e.ProgrammingError(
            f"cannot adapt type {cls.__name__!r} using placeholder '%{format.value}' (format: {format.name})"
        )

    def get_dumper_by_oid(self, oid: int, format: pq.Format) -> type[Dumper]:
        """Return the dumper class that produces values of type `oid`.

        Raises:
            ProgrammingError: there is none in that format.
        """
        dumpers = self._dumpers_by_oid[format]
        if oid in dumpers:
            return _resolve(dumpers, oid)
        info = self.types.get(oid)
        if info is not None and oid == info.array_oid:
            from .types.array import list_dumper

            return list_dumper(info, format)
        what = f"type {info.name} (oid {oid})" if info else f"unknown type with oid {oid}"
        raise e.ProgrammingError(f"cannot find a dumper for {what} format {pq.Format(format).name}")

    def get_loader(self, oid: int, format: pq.Format) -> type[Loader] | None:
        """Return the loader class for values of type `oid` that come in `format`; None if there is none."""
        loaders = self._loaders[format]
        return _resolve(loaders, oid) if oid in loaders else None

    def _unshare(self) -> None:
        if self._shared:
            self._dumpers = {format: dumpers.copy() for format, dumpers in self._dumpers.items()}
            self._dumpers_by_oid = tuple(dumpers.copy() for dumpers in self._dumpers_by_oid)
            self._loaders = tuple(loaders.copy() for loaders in self._loaders)
            self._shared = False


def adapters_of(context: AdaptContext | None) -> AdaptersMap:
    """Return the map of a context; the one of the module where there is none."""
    if context is not None:
        return context.adapters
    from .postgres import adapters

    return adapters


def _resolve(table: dict[_Key, _Class | AdapterReference], key: _Key) -> _Class:
    found = table[key]
    if not isinstance(found, AdapterReference):
        return found
    cls: _Class = found.resolve()
    table[key] = cls
    return cls
