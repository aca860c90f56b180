"""Protocols and aliases for type hints: what adapters look like, and what they are given."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, Union

if TYPE_CHECKING:
    from typing_extensions import LiteralString

    from . import pq
    from .adapters_map import AdaptersMap
    from .connection import BaseConnection
    from .formats import PyFormat
    from .sql import SQL, Composed
    from .template import Template

__all__ = [
    "AdaptContext",
    "Buffer",
    "ConnDict",
    "ConnMapping",
    "ConnParam",
    "ConnectionType",
    "DumpFunc",
    "Dumper",
    "DumperKey",
    "LoadFunc",
    "Loader",
    "Params",
    "Query",
    "QueryNoTemplate",
]

#: A value on the wire.
Buffer = bytes | bytearray | memoryview

#: A statement that has its parameters beside it. A plain str should be a literal: values belong into the parameters.
QueryNoTemplate = Union["LiteralString", bytes, "SQL", "Composed"]

#: A statement; in a template string (Python 3.14) parameters are part of it.
Query = Union["LiteralString", bytes, "SQL", "Composed", "Template"]

#: Parameters of a statement, by position or by name.
Params = Sequence[Any] | Mapping[str, Any]

#: The value of a keyword of `connect()`.
ConnParam = str | int | None
#: Values of keywords by their names, as `conninfo_to_dict()` gives them.
ConnDict = dict[str, ConnParam]
#: The same, where it is only read.
ConnMapping = Mapping[str, ConnParam]

#: A class of connections, for functions that return what they are given.
ConnectionType = TypeVar("ConnectionType", bound="BaseConnection[Any]")

#: What tells apart the dumpers of one Python class: the class, or a tuple that starts with it.
DumperKey = type | tuple["DumperKey", ...]

#: A function that turns objects into values, None standing for NULL.
DumpFunc = Callable[[Any], "Buffer | None"]
#: A function that turns values into objects.
LoadFunc = Callable[[Buffer], Any]


class AdaptContext(Protocol):
    """Something that adapters can be taken from: a connection, a cursor, a map, a Transformer."""

    @property
    def adapters(self) -> AdaptersMap:
        """The adapters that are in force here."""

    @property
    def connection(self) -> BaseConnection[Any] | None:
        """The connection, if there is one, whose session settings values depend on."""


class Dumper(Protocol):
    """Turns Python objects of one class into a Postgres value.

    Args:
        cls: the class of the objects.
        context: where the dumper is used.
    """

    format: pq.Format
    oid: int

    def __init__(self, cls: type, context: AdaptContext | None = None) -> None: ...

    def dump(self, obj: Any) -> Buffer | None:
        """Return `obj` in the format `format`; None for NULL."""

    def quote(self, obj: Any) -> Buffer:
        """Return `obj` as an SQL literal."""

    def get_key(self, obj: Any, format: PyFormat) -> DumperKey:
        """Return what decides which dumper `obj` needs: `cls`, unless its content matters too."""

    def upgrade(self, obj: Any, format: PyFormat) -> Dumper:
        """Return the dumper for objects with the same key as `obj`."""


class Loader(Protocol):
    """Turns Postgres values of one type into Python objects.

    Args:
        oid: the type.
        context: where the loader is used.
    """

    format: pq.Format

    def __init__(self, oid: int, context: AdaptContext | None = None) -> None: ...

    def load(self, data: Buffer) -> Any:
        """Return the Python object for `data`, which is never NULL."""
