"""Adaptation of Python objects to Postgres values and back: the base classes of adapters, and their map."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from . import pq
from .adapters_map import AdaptersMap
from .escaping import quote_literal
from .formats import PyFormat
from .transformer import Transformer

if TYPE_CHECKING:
    from .abc import AdaptContext, Buffer, DumperKey
    from .abc import Dumper as DumperProtocol

__all__ = [
    "AdaptersMap",
    "Dumper",
    "Loader",
    "PyFormat",
    "RecursiveDumper",
    "RecursiveLoader",
    "Transformer",
]


class Dumper(ABC):
    """Turns Python objects of one class into values of one Postgres type; subclass it and write `dump()`.

    Args:
        cls: the class of the objects.
        context: where the dumper is used: a connection, a cursor, a Transformer; None for nowhere special.
    """

    #: The format that `dump()` returns.
    format: pq.Format = pq.Format.TEXT

    #: The type that the value is announced as; 0 leaves it to the server to find out.
    oid: int = 0

    def __init__(self, cls: type, context: AdaptContext | None = None) -> None:
        self.cls = cls
        self.connection = None if context is None else context.connection

    @abstractmethod
    def dump(self, obj: Any) -> Buffer | None:
        """Return the value for `obj`, or None for NULL.

        Raises:
            DataError: Postgres cannot hold it.
        """

    def quote(self, obj: Any) -> Buffer:
        """Return `obj` as an SQL literal, for statements that are composed on the client."""
        value = self.dump(obj)
        if value is None:
            return b"NULL"
        encoding = None
        if self.connection is not None:
            encoding = self.connection._transport.parameter_status("client_encoding")
        return quote_literal(bytes(value), encoding)

    def get_key(self, obj: Any, format: PyFormat) -> DumperKey:
        """Return what decides which dumper `obj` needs.

        This is the class unless its objects differ in the dumper that they need: then a tuple that says what
        matters of `obj` too. `upgrade()` is called once for every key.
        """
        return self.cls

    def upgrade(self, obj: Any, format: PyFormat) -> DumperProtocol:
        """Return the dumper for `obj` and all that have the same key."""
        return self


class Loader(ABC):
    """Turns values of Postgres types into Python objects; subclass it and write `load()`.

    Args:
        oid: the type of the values.
        context: where the loader is used, as in `Dumper`.
    """

    #: The format that `load()` reads.
    format: pq.Format = pq.Format.TEXT

    # Loaders of this package can have two more: `packed`, see there; and, those in binary, `cheaper_than`, the loader
    # from text that comes to the same objects with more effort. Neither counts for subclasses.

    def __init__(self, oid: int, context: AdaptContext | None = None) -> None:
        self.oid = oid
        self.connection = None if context is None else context.connection

    @abstractmethod
    def load(self, data: Buffer) -> Any:
        """Return the Python object for `data`, which is never NULL.

        Raises:
            DataError: Python cannot hold it.
        """


class RecursiveDumper(Dumper):
    """A dumper of objects that are made of others, such as lists; `self._tx` dumps those."""

    def __init__(self, cls: type, context: AdaptContext | None = None) -> None:
        super().__init__(cls, context)
        self._tx = Transformer.from_context(context)


class RecursiveLoader(Loader):
    """A loader of values that are made of others, such as arrays; `self._tx` loads those."""

    def __init__(self, oid: int, context: AdaptContext | None = None) -> None:
        super().__init__(oid, context)
        self._tx = Transformer.from_context(context)
