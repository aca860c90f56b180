"""Arrays: lists, nested for more than one dimension."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from struct import Struct
from struct import error as StructError
from typing import TYPE_CHECKING, Any, cast

from .. import errors as e
from ..abc import Buffer, DumperKey
from ..abc import Dumper as DumperProtocol
from ..adapt import PyFormat, RecursiveLoader
from ..adapters_map import adapters_of
from ..pq import Format
from ..typeinfo import TypeInfo
from .array_text import MAX_DIMENSIONS, parse, quote
from .parts import PartsDumper, PartsLoader

if TYPE_CHECKING:
    from ..abc import AdaptContext

TEXT_OID = 25
TEXT_ARRAY_OID = 1009

# An array in binary is the number of dimensions, whether there are NULLs, and the type of the elements; for
# each dimension its length and lower bound; then the elements, each after its length, -1 for NULL
# (array_send() of src/backend/utils/adt/arrayfuncs.c).
_HEADER = Struct("!III")
_DIMENSION = Struct("!II")
_LENGTH = Struct("!i")
_NULL = _LENGTH.pack(-1)


class ListDumper(PartsDumper):
    """Dumps `list` as the array of what its elements are dumped as, text.

    The elements must be of one class; integers become the type that holds the largest. Without elements, or
    where the type of them is for the server to find out, so is the type of the array.
    """

    #: The type of the elements, for those who ask for a type of array; 0 finds it out.
    element_oid = 0
    delimiter = b","

    def __init__(self, cls: type, context: AdaptContext | None = None) -> None:
        super().__init__(cls, context)
        self._element: DumperProtocol | None = None
        if self.element_oid:
            self._element = self._tx.get_dumper_by_oid(self.element_oid, self.format)

    def get_key(self, obj: list[Any], format: PyFormat) -> DumperKey:
        if self.element_oid:
            return self.cls
        sample = self._sample(obj, format)
        if sample is None:
            return (self.cls,)
        return (self.cls, self._tx.get_key(sample, PyFormat.from_pq(self.format)))

    def upgrade(self, obj: list[Any], format: PyFormat) -> DumperProtocol:
        if self.element_oid:
            return self
        sample = self._sample(obj, format)
        if sample is None:
            return ListDumper(self.cls, self._tx)
        dumper = type(self)(self.cls, self._tx)
        dumper._set_element(self._element_dumper(sample, format))
        return dumper

    def _sample(self, obj: list[Any], format: PyFormat) -> Any:
        """Return the element that shows how to dump them all; None if there are only None and empty lists.

        Raises:
            DataError: they need different dumpers; a list contains itself.
            ProgrammingError: one has no dumper.
        """
        samples: dict[type, Any] = {}
        for item in _elements(obj, ()):
            if item is not None:
                cls = type(item)
                if cls in samples and isinstance(item, int):
                    samples[cls] = max(samples[cls], item, key=_magnitude)
                else:
                    samples[cls] = item
        if not samples:
            return None
        dumpers = [type(self._element_dumper(sample, format)) for sample in samples.values()]
        if any(dumper is not dumpers[0] for dumper in dumpers):
            names = ", ".join(sorted(cls.__name__ for cls in samples))
            raise e.DataError(f"cannot dump lists of mixed types; got: {names}")
        return next(reversed(samples.values()))

    def _element_dumper(self, element: Any, format: PyFormat) -> DumperProtocol:
        """Return the dumper of an element of a list that is asked for in `format`.

        Raises:
            ProgrammingError: there is none.
        """
        try:
            return self._tx.get_dumper(element, PyFormat.from_pq(self.format))
        except e.ProgrammingError:
            # The error should name the placeholder that was used.
            self._tx.get_dumper(element, format)
            raise

    def _set_element(self, element: DumperProtocol) -> None:
        self._element = element
        info = self._tx.adapters.types.get(element.oid)
        if info is not None and info.array_oid:
            self.oid = info.array_oid
            self.delimiter = info.delimiter.encode()
        elif element.oid:
            self.oid = TEXT_ARRAY_OID

    def dump(self, obj: list[Any]) -> Buffer | None:
        if self._element is None and self._sample(obj, PyFormat.TEXT) is not None:
            return self.upgrade(obj, PyFormat.TEXT).dump(obj)
        return self._uncover(self._dump(obj))

    def _dump(self, obj: list[Any]) -> bytes:
        parts = []
        for item in obj:
            if isinstance(item, list):
                parts.append(self._dump(item))
            else:
                value = None if item is None or self._element is None else self._element.dump(item)
                parts.append(b"NULL" if value is None else quote(self._cover(value), self.delimiter))
        return b"{" + self.delimiter.join(parts) + b"}"


class ListBinaryDumper(ListDumper):
    """Dumps `list` as the array of what its elements are dumped as, binary."""

    format = Format.BINARY

    def _set_element(self, element: DumperProtocol) -> None:
        info = self._tx.adapters.types.get(element.oid or TEXT_OID)
        self._element = element
        self.oid = info.array_oid if info is not None else 0

    def _dump(self, obj: list[Any]) -> bytes:
        # An element type that the server would have to find out does not exist in binary.
        element_oid = self.element_oid or (self._element.oid if self._element else 0) or TEXT_OID
        if not obj:
            return _HEADER.pack(0, 0, element_oid)
        lengths, items = _flatten(obj)
        parts = [b"", *(_DIMENSION.pack(length, 1) for length in lengths)]
        has_null = 0
        for item in items:
            value = None if item is None or self._element is None else self._element.dump(item)
            if value is None:
                has_null = 1
                parts.append(_NULL)
            else:
                parts.append(_LENGTH.pack(len(value)))
                parts.append(bytes(value))
        parts[0] = _HEADER.pack(len(lengths), has_null, element_oid)
        return b"".join(parts)


class ArrayLoader(PartsLoader):
    """Loads arrays from text."""

    #: The type of the elements, and what stands between them; 0 looks both up among the types.
    base_oid = 0
    delimiter = b","

    def __init__(self, oid: int, context: AdaptContext | None = None) -> None:
        super().__init__(oid, context)
        base_oid = self.base_oid
        if not base_oid and (info := self._tx.adapters.types.get(oid)) is not None:
            base_oid = info.oid
            self.delimiter = info.delimiter.encode()
        self._load = self._part_loader(base_oid)

    def load(self, data: Buffer) -> list[Any]:
        return parse(self._cover(data), self.delimiter, self._load)


class ArrayBinaryLoader(RecursiveLoader):
    """Loads arrays from binary."""

    format = Format.BINARY

    def load(self, data: Buffer) -> list[Any]:
        try:
            return self._load(bytes(data))
        except StructError:
            raise e.DataError("malformed array: hit the end of the buffer") from None

    def _load(self, data: bytes) -> list[Any]:
        ndims, _has_null, oid = _HEADER.unpack_from(data)
        if not ndims:
            return []
        if ndims > MAX_DIMENSIONS:
            raise e.DataError(f"unexpected number of dimensions {ndims} exceeding the maximum allowed {MAX_DIMENSIONS}")
        pos = _HEADER.size + ndims * _DIMENSION.size
        lengths = [_DIMENSION.unpack_from(data, at)[0] for at in range(_HEADER.size, pos, _DIMENSION.size)]
        if prod(lengths) * _LENGTH.size > len(data) - pos:
            raise e.DataError("malformed array: hit the end of the buffer")

        load = self._tx.get_loader(oid, Format.BINARY).load
        length_at = _LENGTH.unpack_from
        items: list[Any] = []
        for _ in range(prod(lengths)):
            length = length_at(data, pos)[0]
            pos += 4
            if length < 0:
                items.append(None)
            else:
                value = data[pos : pos + length]
                if len(value) != length:
                    raise e.DataError("malformed array: hit the end of the buffer")
                items.append(load(value))
                pos += length
        for length in reversed(lengths[1:]):
            items = [items[at : at + length] for at in range(0, len(items), length)] if length else []
        return items


def register_array(info: TypeInfo, context: AdaptContext | None = None) -> None:
    """Let arrays of a type be loaded and dumped as lists.

    Args:
        info: the type of the elements.
        context: where: a connection, a cursor, a map of adapters; None for the adapters of the module.

    Raises:
        ValueError: the type has no arrays.
    """
    if not info.array_oid:
        raise ValueError(f"the type info {info} doesn't describe an array")
    adapters = adapters_of(context)
    text = {"base_oid": info.oid, "delimiter": info.delimiter.encode(), "__module__": __name__}
    name = info.name.title()
    adapters.register_loader(info.array_oid, type(f"{name}ArrayLoader", (ArrayLoader,), text))
    adapters.register_loader(info.array_oid, ArrayBinaryLoader)
    for format in Format:
        adapters.register_dumper(None, list_dumper(info, format))


def list_dumper(info: TypeInfo, format: Format) -> type[ListDumper]:
    """Return a dumper class for arrays of one type."""
    base = ListDumper if format == Format.TEXT else ListBinaryDumper
    attributes = {
        "oid": info.array_oid,
        "element_oid": info.oid,
        "delimiter": info.delimiter.encode(),
        "__module__": __name__,
    }
    return cast("type[ListDumper]", type(f"{info.name.title()}{base.__name__}", (base,), attributes))


def _magnitude(number: int) -> int:
    # -32768 is an int2, 32768 is not.
    return number if number >= 0 else ~number


def _elements(obj: list[Any], within: tuple[int, ...]) -> Iterator[Any]:
    if id(obj) in within:
        raise e.DataError("cannot dump a recursive list")
    for item in obj:
        if isinstance(item, list):
            yield from _elements(item, (*within, id(obj)))
        else:
            yield item


def _flatten(obj: list[Any]) -> tuple[list[int], list[Any]]:
    """Return the lengths of the dimensions, the outermost first, and the elements.

    Raises:
        DataError: the lists in a dimension differ in length, or in what they are lists of.
    """
    lengths = [len(obj)]
    while isinstance(obj[0], list):
        length = len(obj[0])
        if not length:
            raise e.DataError("lists cannot contain empty lists")
        elements: list[Any] = []
        for item in obj:
            if not isinstance(item, list):
                raise e.DataError("nested lists have inconsistent depths")
            if len(item) != length:
                raise e.DataError("nested lists have inconsistent lengths")
            elements += item
        lengths.append(length)
        obj = elements
    if any(isinstance(item, list) for item in obj):
        raise e.DataError("nested lists have inconsistent depths")
    return lengths, obj
