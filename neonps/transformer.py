"""Application of adapters: the parameters of a statement to wire values, the rows of its result to Python."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from . import errors as e
from . import pq
from .adapters_map import adapters_of
from .encodings import client_codec
from .formats import PyFormat
from .load_errors import load_errors
from .row_loader import load_rows

if TYPE_CHECKING:
    from .abc import AdaptContext, Buffer, Dumper, DumperKey, Loader, LoadFunc
    from .adapters_map import AdaptersMap
    from .column_loader import LoadColumn
    from .connection import BaseConnection
    from .protocol.backend import DataRows
    from .wire_rows import WireRows

Row = TypeVar("Row", covariant=True)

_TEXT_OID = 25

#: Types with lower oids come with Postgres: their plain name is good everywhere.
_FIRST_OTHER_OID = 10000

_TEXT = pq.Format.TEXT
_BINARY = pq.Format.BINARY


class Field(Protocol):
    """What a Transformer wants to know of a column."""

    @property
    def type_oid(self) -> int: ...

    @property
    def type_modifier(self) -> int: ...

    @property
    def format(self) -> int: ...


class Transformer:
    """Dumps parameters and loads rows with the adapters of a context.

    It keeps the dumper and loader instances that it has made. They have looked at the settings of the session
    (time zone, date style, encoding) when they were made: a Transformer is good for one statement.

    Args:
        context: a connection, a cursor, a map of adapters; None for the adapters of the module.
    """

    #: The oids of the parameters that were last dumped, 0 for unknown; None before.
    types: tuple[int, ...] | None
    #: Their formats.
    formats: list[pq.Format] | None
    #: What `set_dumper_types()` has set.
    row_dumpers: list[Dumper] | None

    def __init__(self, context: AdaptContext | None = None) -> None:
        self._adapters = adapters_of(context)
        self._connection = None if context is None else context.connection
        self.types = None
        self.formats = None
        self._dumpers: dict[PyFormat, dict[DumperKey, Dumper]] = {
            PyFormat.AUTO: {},
            PyFormat.TEXT: {},
            PyFormat.BINARY: {},
        }
        self._loaders: tuple[dict[int, Loader], dict[int, Loader]] = ({}, {})
        self.row_dumpers = None
        self._oid_of_none: int | None = None
        self._columns: list[tuple[int, pq.Format]] = []
        self._row_loaders: list[LoadFunc] = []
        self._wire_rows: WireRows | None = None
        self._column_loaders: list[LoadColumn] | None = None
        self._loaders_version = self._adapters.loaders_version

    @classmethod
    def from_context(cls, context: AdaptContext | None) -> Transformer:
        """Return `context` if it is a Transformer, else a new one for it."""
        return context if isinstance(context, cls) else cls(context)

    @property
    def adapters(self) -> AdaptersMap:
        """The map that adapters are looked up in."""
        return self._adapters

    @property
    def connection(self) -> BaseConnection[Any] | None:
        """The connection of the context, if it has one."""
        return self._connection

    @property
    def encoding(self) -> str:
        """Python's name of the encoding of the client."""
        return client_codec(self._connection)

    # Python to Postgres

    def get_dumper(self, obj: Any, format: PyFormat) -> Dumper:
        """Return the dumper for `obj`.

        Raises:
            ProgrammingError: there is none.
        """
        dumpers = self._dumpers[format]
        key = self.get_key(obj, format)
        dumper = dumpers.get(key)
        if dumper is None:
            dumper = dumpers[key] = dumpers[type(obj)].upgrade(obj, format)
        return dumper

    def get_key(self, obj: Any, format: PyFormat) -> DumperKey:
        """Return what decides which dumper `obj` needs.

        Raises:
            ProgrammingError: there is none for its class.
        """
        return self._class_dumper(type(obj), format).get_key(obj, format)

    def _class_dumper(self, cls: type, format: PyFormat) -> Dumper:
        dumpers = self._dumpers[format]
        dumper = dumpers.get(cls)
        if dumper is None:
            dumper = dumpers[cls] = self._adapters.get_dumper(cls, format)(cls, self)
        return dumper

    def get_keys(self, params: Sequence[Any], formats: Sequence[PyFormat]) -> tuple[DumperKey | None, ...]:
        """Return what decides which dumper each of `params` needs, None for None.

        Raises:
            ProgrammingError: there is none for one of them.
        """
        return tuple(
            [None if obj is None else self.get_key(obj, format) for obj, format in zip(params, formats, strict=False)]
        )

    def class_dumper(self, cls: type, format: PyFormat) -> tuple[Dumper, bool]:
        """Return the dumper for the class `cls`, and whether it dumps all objects of it: none needs another one.

        Raises:
            ProgrammingError: there is none.
        """
        from .adapt import Dumper

        dumper = self._class_dumper(cls, format)
        kind: Any = type(dumper)
        return dumper, kind.get_key is Dumper.get_key and kind.upgrade is Dumper.upgrade

    def get_dumper_by_oid(self, oid: int, format: pq.Format) -> Dumper:
        """Return a dumper that makes values of type `oid`.

        Raises:
            ProgrammingError: there is none.
        """
        return self._adapters.get_dumper_by_oid(oid, format)(type(None), self)

    def set_dumper_types(self, types: Sequence[int], format: pq.Format) -> None:
        """Make `dump_sequence()` dump to these types, whatever the classes of the objects.

        Raises:
            ProgrammingError: no dumper is known for one of the types.
        """
        self.row_dumpers = [self.get_dumper_by_oid(oid, format) for oid in types]
        self.types = tuple(types)
        self.formats = [format] * len(types)

    def dump_sequence(self, params: Sequence[Any], formats: Sequence[PyFormat]) -> list[Buffer | None]:
        """Return the parameters as wire values, None for NULL; set `types` and `formats` to go with them.

        Args:
            params: the Python objects.
            formats: the format that each is asked for in.

        Raises:
            ProgrammingError: an object has no dumper.
            DataError: Postgres cannot hold an object.
        """
        if self.row_dumpers is not None:
            return [
                None if obj is None else dumper.dump(obj) for dumper, obj in zip(self.row_dumpers, params, strict=False)
            ]

        values: list[Buffer | None] = []
        oids: list[int] = []
        wire_formats: list[pq.Format] = []
        for obj, format in zip(params, formats, strict=False):
            if obj is None:
                values.append(None)
                oids.append(self._none_oid())
                wire_formats.append(_TEXT)
            else:
                dumper = self.get_dumper(obj, format)
                values.append(dumper.dump(obj))
                oids.append(dumper.oid)
                wire_formats.append(dumper.format)
        self.types = tuple(oids)
        self.formats = wire_formats
        return values

    def as_literal(self, obj: Any) -> bytes:
        """Return `obj` as an SQL literal, with a cast to its type where the literal alone leaves that open.

        Raises:
            ProgrammingError: the object has no text dumper.
            DataError: Postgres cannot hold it.
        """
        dumper = self.get_dumper(obj, PyFormat.TEXT)
        literal = bytes(dumper.quote(obj))
        # Without a cast, a string is text where nothing else is asked for.
        if dumper.oid and dumper.oid != _TEXT_OID and literal.endswith(b"'"):
            literal += self._cast(dumper.oid)
        return literal

    def _cast(self, oid: int) -> bytes:
        info = self._adapters.types.get(oid)
        if info is None:
            return b""
        name = info.name if oid < _FIRST_OTHER_OID else info.regtype
        return f"::{name}{'[]' if oid == info.array_oid else ''}".encode()

    def _none_oid(self) -> int:
        if self._oid_of_none is None:
            self._oid_of_none = self._adapters.get_dumper(type(None), PyFormat.TEXT).oid
        return self._oid_of_none

    # Postgres to Python

    def get_loader(self, oid: int, format: pq.Format) -> Loader:
        """Return the loader for values of type `oid`; for a type that is unknown, that of type 0.

        Raises:
            InterfaceError: there is not even that.
        """
        loaders = self._loaders[format]
        loader = loaders.get(oid)
        if loader is None:
            cls = self._adapters.get_loader(oid, format) or self._adapters.get_loader(0, format)
            if cls is None:
                raise e.InterfaceError("unknown oid loader not found")
            loader = loaders[oid] = cls(oid, self)
        return loader

    def set_loader_types(self, types: Sequence[int], format: pq.Format) -> None:
        """Make rows load with the loaders for these types, all in one format."""
        self._set_row_loaders([(oid, format) for oid in types])

    def set_fields(self, fields: Iterable[Field]) -> None:
        """Make rows load with the loaders for these columns."""
        self._set_row_loaders([(field.type_oid, pq.Format(field.format)) for field in fields])

    def _set_row_loaders(self, columns: list[tuple[int, pq.Format]]) -> None:
        self._columns = columns
        self._loaders_version = self._adapters.loaders_version
        self._row_loaders = [self.get_loader(oid, format).load for oid, format in columns]
        self._wire_rows = None
        self._column_loaders = None

    def _current_loaders(self) -> list[LoadFunc]:
        if self._loaders_version != self._adapters.loaders_version:
            # In the context, a loader was registered since then.
            self._loaders = ({}, {})
            self._set_row_loaders(self._columns)
        return self._row_loaders

    def result_formats(self, columns: Sequence[Field], *, for_arrow: bool = False) -> list[int]:
        """Return the format that each column is loaded from with less effort, to the same Python objects.

        Args:
            columns: what is certain to be the columns of a result.
            for_arrow: Arrow's columns are likely to be made of it.
        """
        if for_arrow:
            from .arrow.formats import arrow_formats

            return arrow_formats(columns, self.adapters)
        from .wire_rows import choose_formats

        return choose_formats(
            [(self.get_loader(column.type_oid, _TEXT), self.get_loader(column.type_oid, _BINARY)) for column in columns]
        )

    def load_sequence(self, record: Sequence[Buffer | None]) -> tuple[Any, ...]:
        """Return the Python objects for one row.

        Raises:
            ProgrammingError: it has not as many values as there are loaders.
            DataError: Python cannot hold a value.
        """
        loaders = self._current_loaders()
        if len(loaders) != len(record):
            raise e.ProgrammingError(f"cannot load sequence of {len(record)} items: {len(loaders)} loaders registered")
        with load_errors:
            return load_rows((record,), loaders, tuple)[0]

    def load_rows(self, rows: Iterable[Sequence[Buffer | None]], make_row: Callable[[Sequence[Any]], Row]) -> list[Row]:
        """Return what `make_row` makes of each row's Python objects, a tuple; `tuple` itself is fastest.

        Raises:
            DataError: Python cannot hold a value.
        """
        with load_errors:
            return load_rows(rows, self._current_loaders(), make_row)

    def load_messages(self, pieces: Iterable[DataRows], make_row: Callable[[Sequence[Any]], Row]) -> list[Row]:
        """Return what `make_row` makes of each row of DataRow messages; `tuple` itself is fastest.

        Raises:
            DataError: Python cannot hold a value.
            OperationalError: a message is not as it has to be.
        """
        self._current_loaders()
        if self._wire_rows is None:
            from .wire_rows import WireRows  # for results with several rows only

            self._wire_rows = WireRows([self.get_loader(oid, format) for oid, format in self._columns])
        with load_errors:
            return self._wire_rows.load(pieces, make_row)

    def column_loaders(self) -> list[LoadColumn]:
        """Return the functions that load the columns, which are in text format, from str."""
        self._current_loaders()
        if self._column_loaders is None:
            from .column_loader import column_loader  # only some results come as str

            self._column_loaders = [column_loader(self.get_loader(oid, format)) for oid, format in self._columns]
        return self._column_loaders
