"""Composite types: tuples, and objects of one's own."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Sequence
from re import sub
from struct import Struct
from struct import error as StructError
from typing import TYPE_CHECKING, Any, TypeVar

from .. import errors as e
from ..abc import Buffer
from ..adapt import PyFormat, RecursiveLoader
from ..adapters_map import adapters_of
from ..pq import Format
from ..row_loader import load_rows
from ..typeinfo import TypeInfo
from .parts import PartsDumper, PartsLoader
from .record_text import format_record, parse_record

if TYPE_CHECKING:
    from ..abc import AdaptContext
    from ..catalog import CatalogRow

T = TypeVar("T")

#: Makes an object of the values of the fields.
ObjectMaker = Callable[[Sequence[Any], "CompositeInfo"], T]

#: Makes the values of the fields of an object.
SequenceMaker = Callable[[T, "CompositeInfo"], Sequence[Any]]

# A composite value in binary is the number of its fields, then for each the type, the length, -1 for NULL, and
# the value (record_send() of src/backend/utils/adt/rowtypes.c).
_COUNT = Struct("!i")
_FIELD = Struct("!Ii")


class CompositeInfo(TypeInfo):
    """A composite type.

    Args:
        field_names: the names of its fields.
        field_types: their types. The others are those of `TypeInfo`.
    """

    def __init__(
        self,
        name: str,
        oid: int,
        array_oid: int,
        *,
        regtype: str = "",
        field_names: Sequence[str],
        field_types: Sequence[int],
    ) -> None:
        super().__init__(name, oid, array_oid, regtype=regtype)
        self.field_names = tuple(field_names)
        self.field_types = tuple(field_types)
        #: The class of the objects, once it has been registered.
        self.python_type: type | None = None

    _columns = "a.attname, a.atttypid"
    _joins = "LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped"
    _order = "ORDER BY a.attnum"

    @staticmethod
    def _details(rows: Sequence[CatalogRow]) -> dict[str, Any]:
        fields = [(name, int(oid)) for name, oid in rows if name is not None]
        return {"field_names": [name for name, _ in fields], "field_types": [oid for _, oid in fields]}


class TupleDumper(PartsDumper):
    """Dumps `tuple` as text; the type is for the server to find out."""

    def dump(self, obj: tuple[Any, ...]) -> Buffer | None:
        return self._dump_fields(obj)

    def _dump_fields(self, values: Sequence[Any]) -> bytes:
        fields: list[bytes | None] = []
        for value in values:
            data = None if value is None else self._tx.get_dumper(value, PyFormat.TEXT).dump(value)
            fields.append(None if data is None else self._cover(data))
        return self._uncover(format_record(fields))


class CompositeDumper(TupleDumper):
    """Dumps the objects of a registered class, text."""

    info: CompositeInfo
    make_sequence: Callable[[Any, CompositeInfo], Sequence[Any]]

    def dump(self, obj: Any) -> Buffer | None:
        return self._dump_fields(type(self).make_sequence(obj, self.info))


class CompositeBinaryDumper(CompositeDumper):
    """Dumps the objects of a registered class, binary."""

    format = Format.BINARY

    def __init__(self, cls: type, context: AdaptContext | None = None) -> None:
        super().__init__(cls, context)
        self._field_dumpers = [self._tx.get_dumper_by_oid(oid, self.format) for oid in self.info.field_types]

    def _dump_fields(self, values: Sequence[Any]) -> bytes:
        oids = self.info.field_types
        if len(values) != len(oids):
            raise e.DataError(f"{self.info.name} has {len(oids)} fields, not {len(values)}")
        parts = [_COUNT.pack(len(oids))]
        for oid, dumper, value in zip(oids, self._field_dumpers, values, strict=True):
            data = None if value is None else dumper.dump(value)
            parts.append(_FIELD.pack(oid, -1 if data is None else len(data)))
            parts.append(bytes(data or b""))
        return b"".join(parts)


class RecordLoader(PartsLoader):
    """Loads records from text, which does not tell the types of the fields: tuples of `str`."""

    def __init__(self, oid: int, context: AdaptContext | None = None) -> None:
        super().__init__(oid, context)
        self._load = self._part_loader(0)

    def load(self, data: Buffer) -> tuple[Any, ...]:
        load = self._load
        return tuple([None if value is None else load(value) for value in parse_record(self._cover(data))])


class RecordBinaryLoader(RecursiveLoader):
    """Loads records from binary, as tuples."""

    format = Format.BINARY

    def load(self, data: Buffer) -> tuple[Any, ...]:
        get_loader = self._tx.get_loader
        return tuple(
            [
                None if value is None else get_loader(oid, Format.BINARY).load(value)
                for oid, value in _unpack_record(bytes(data))
            ]
        )


class CompositeLoader(PartsLoader):
    """Loads values of a registered type from text."""

    info: CompositeInfo
    make_object: Callable[[Sequence[Any], CompositeInfo], Any]

    def __init__(self, oid: int, context: AdaptContext | None = None) -> None:
        super().__init__(oid, context)
        self._loads = [self._part_loader(field) for field in self.info.field_types]

    def load(self, data: Buffer) -> Any:
        fields = parse_record(self._cover(data))
        if not fields and len(self._loads) == 1:
            fields = [None]
        return self._make(fields)

    def _make(self, fields: Sequence[bytes | None]) -> Any:
        if len(fields) != len(self._loads):
            raise e.ProgrammingError(
                f"cannot load sequence of {len(fields)} items: {len(self._loads)} loaders registered"
            )
        (values,) = load_rows((fields,), self._loads, tuple)
        return type(self).make_object(values, self.info)


class CompositeBinaryLoader(CompositeLoader):
    """Loads values of a registered type from binary."""

    format = Format.BINARY

    def load(self, data: Buffer) -> Any:
        return self._make([value for _, value in _unpack_record(bytes(data))])


def register_composite(
    info: CompositeInfo,
    context: AdaptContext | None = None,
    factory: Callable[..., T] | None = None,
    *,
    make_object: ObjectMaker[T] | None = None,
    make_sequence: SequenceMaker[T] | None = None,
) -> None:
    """Let values of a composite type be loaded as Python objects, and such objects be dumped as it.

    Args:
        info: the type.
        context: where: a connection, a cursor, a map of adapters; None for the adapters of the module.
        factory: what makes an object when it is called with the values of the fields; a class lets its objects be
            dumped too. None makes a class of named tuples, which `info.python_type` is afterwards.
        make_object: makes an object of the values and `info`, for a factory that takes them otherwise.
        make_sequence: makes the values of an object and `info`, for a class whose objects are no sequences.

    Raises:
        TypeError: there is no info, since the database has no such type; or `make_sequence` was given for
            objects whose class is not known.
    """
    if not info:
        raise TypeError("no info passed. Is the requested composite available?")
    info.register(context)
    if factory is None:
        factory = _named_tuple(info)
    if make_object is None:
        make = factory

        def make_object(values: Sequence[Any], info: CompositeInfo) -> Any:
            return make(*values)

    adapters = adapters_of(context)
    attributes = {"info": info, "make_object": staticmethod(make_object), "__module__": __name__}
    for loader in (CompositeLoader, CompositeBinaryLoader):
        adapters.register_loader(info.oid, type(f"{info.name.title()}{loader.__name__}", (loader,), attributes))

    if not isinstance(factory, type):
        if make_sequence is not None:
            raise TypeError(f"the factory {factory!r} is not a type: make_sequence needs one to be registered for")
        return
    info.python_type = factory
    if make_sequence is None:
        make_sequence = _itself if issubclass(factory, Sequence) else _refuse
        if make_sequence is _refuse:
            from logging import getLogger

            getLogger("neonps").warning(
                "the type %r is not a sequence: dumping these objects to the database will fail. "
                "Please specify a `make_sequence` argument in the `register_composite()` call",
                factory.__name__,
            )
    attributes = {
        "info": info,
        "oid": info.oid,
        "make_sequence": staticmethod(make_sequence),
        "__module__": __name__,
    }
    for dumper in (CompositeBinaryDumper, CompositeDumper):
        adapters.register_dumper(factory, type(f"{info.name.title()}{dumper.__name__}", (dumper,), attributes))


def _itself(obj: Any, info: CompositeInfo) -> Sequence[Any]:
    return obj  # type: ignore[no-any-return]


def _refuse(obj: Any, info: CompositeInfo) -> Sequence[Any]:
    raise TypeError(
        f"{type(obj).__name__!r} objects cannot be dumped without specifying 'make_sequence' in 'register_composite()'"
    )


def _named_tuple(info: CompositeInfo) -> type[Any]:
    names = [_identifier(name) for name in info.field_names]
    return namedtuple(_identifier(info.name), names, rename=True, module=__name__)


def _identifier(name: str) -> str:
    name = sub(r"\W", "_", name)
    return f"f{name}" if name[:1] == "_" or name[:1].isdigit() else name


def _unpack_record(data: bytes) -> list[tuple[int, bytes | None]]:
    fields: list[tuple[int, bytes | None]] = []
    try:
        pos = _COUNT.size
        for _ in range(_COUNT.unpack_from(data)[0]):
            oid, length = _FIELD.unpack_from(data, pos)
            pos += _FIELD.size
            value = None
            if length >= 0:
                value = data[pos : pos + length]
                pos += length
                if len(value) != length:
                    raise e.DataError("malformed record: hit the end of the buffer")
            fields.append((oid, value))
    except StructError:
        raise e.DataError("malformed record: hit the end of the buffer") from None
    return fields
