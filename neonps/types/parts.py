"""Values whose text is made of the text of others: the base of the adapters of arrays, records, ranges."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..abc import Buffer
from ..adapt import RecursiveDumper, RecursiveLoader
from ..escaping import shield_for
from ..pq import Format

if TYPE_CHECKING:
    from ..abc import AdaptContext, LoadFunc


class PartsDumper(RecursiveDumper):
    """A dumper that escapes the text of the parts; it has to `_cover()` them before, and `_uncover()` the whole."""

    def __init__(self, cls: type, context: AdaptContext | None = None) -> None:
        super().__init__(cls, context)
        self._shield = shield_for(self.connection) if self.format == Format.TEXT else None

    def _cover(self, part: Buffer) -> bytes:
        return bytes(part) if self._shield is None else self._shield.cover(part)

    def _uncover(self, whole: bytes) -> bytes:
        return whole if self._shield is None else self._shield.uncover(whole)


class PartsLoader(RecursiveLoader):
    """A loader that cuts text up into parts; it has to `_cover()` it before, and load the parts by `_part_loader()`."""

    def __init__(self, oid: int, context: AdaptContext | None = None) -> None:
        super().__init__(oid, context)
        self._shield = shield_for(self.connection) if self.format == Format.TEXT else None

    def _cover(self, whole: Buffer) -> bytes:
        return bytes(whole) if self._shield is None else self._shield.cover(whole)

    def _part_loader(self, oid: int) -> LoadFunc:
        """Return what loads parts of type `oid`."""
        load, shield = self._tx.get_loader(oid, self.format).load, self._shield
        return load if shield is None else lambda part: load(shield.uncover(bytes(part)))
