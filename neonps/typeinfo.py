"""What is known of Postgres types, and the registry to look them up in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, overload

from .typemod import TypeModifier, typemod_for

if TYPE_CHECKING:
    from .abc import AdaptContext
    from .base_connection import BaseConnection
    from .catalog import CatalogRow
    from .connection import Connection
    from .connection_async import AsyncConnection
    from .flows.requests import Flow
    from .sql import Identifier

T = TypeVar("T", bound="TypeInfo")

#: Name, oid, array oid, regtype ("" if it is the name), delimiter ("" if it is a comma); for a range the oid
#: of its subtype; for a multirange that and the oid of its range.
Row = tuple[Any, ...]

#: The name, the oid or the array oid of a type, or the class of its info and the oid of its subtype.
RegistryKey = str | int | tuple[type, int]


class TypeInfo:
    """A Postgres type.

    Args:
        name: its name (`pg_type.typname`).
        oid: its oid.
        array_oid: the oid of the arrays of it; 0 if there are none.
        regtype: its name as SQL has it, schema and quotes included; `name` by default.
        delimiter: what separates the elements in the text of an array of it.
        typemod: how to read the modifiers of its columns, such as the 10 of `varchar(10)`.
    """

    def __init__(
        self,
        name: str,
        oid: int,
        array_oid: int,
        *,
        regtype: str = "",
        delimiter: str = ",",
        typemod: type[TypeModifier] = TypeModifier,
    ) -> None:
        self.name = name
        self.oid = oid
        self.array_oid = array_oid
        self.regtype = regtype or name
        self.delimiter = delimiter
        self.typemod = typemod(oid)

    def __repr__(self) -> str:
        return f"<{type(self).__qualname__}: {self.name} (oid: {self.oid}, array oid: {self.array_oid})>"

    @overload
    @classmethod
    def fetch(cls: type[T], conn: Connection[Any], name: str | Identifier) -> T | None: ...
    @overload
    @classmethod
    async def fetch(cls: type[T], conn: AsyncConnection[Any], name: str | Identifier) -> T | None: ...
    @classmethod
    def fetch(cls: type[T], conn: BaseConnection[Any], name: str | Identifier) -> Any:
        """Look up a type in the database.

        It does no harm to a transaction that is open, and leaves none open.

        Args:
            conn: the connection; if it is an `AsyncConnection`, the result has to be awaited.
            name: the name of the type, as SQL has it: `schema.name`, `"Quoted"`, `timestamp with time zone`.

        Returns:
            the type; None if there is none of that name, or it is of another kind than what `fetch` is called on.

        Raises:
            ProgrammingError: this cannot be the name of a type.
            NotSupportedError: over HTTP, statements wait for commit.
            TypeError: `conn` is no connection.
            OperationalError: the connection is closed, or lost.
        """
        from .base_connection import BaseConnection

        if not isinstance(conn, BaseConnection):
            raise TypeError(f"expected Connection or AsyncConnection, got {type(conn).__name__}")
        return conn._run(cls._fetch_flow(conn, name))

    @classmethod
    def _fetch_flow(cls: type[T], conn: BaseConnection[Any], name: str | Identifier) -> Flow[T | None]:
        from .catalog import look_up

        query = (
            f"SELECT t.typname, t.oid, t.typarray, t.oid::pg_catalog.regtype::text, {cls._columns} "
            f"FROM pg_catalog.pg_type t {cls._joins} WHERE t.oid = pg_catalog.to_regtype(%s) {cls._order}"
        )
        rows = yield from look_up(conn, query, name)
        if not rows:
            return None
        typname, oid, array_oid, regtype = rows[0][:4]
        details = cls._details([row[4:] for row in rows])
        return cls(typname, int(oid), int(array_oid), regtype=regtype, **details)

    # What `fetch()` asks for beside name and oids; a type can be more than one row.
    _columns = "t.typdelim"
    _joins = ""
    _order = ""

    @staticmethod
    def _details(rows: Sequence[CatalogRow]) -> dict[str, Any]:
        """Return the arguments that these columns make."""
        return {"delimiter": rows[0][0]}

    def register(self, context: AdaptContext | None = None) -> None:
        """Make the type known by its name in `context`, and let arrays of it be loaded as lists.

        Args:
            context: a connection, a cursor, a map of adapters; None for the adapters of the module.
        """
        from .adapters_map import adapters_of

        adapters_of(context).types.add(self)
        if self.array_oid:
            from .types.array import register_array

            register_array(self, context)

    def registry_keys(self) -> list[RegistryKey]:
        """Return what the type is found by."""
        keys: list[RegistryKey] = [self.name, self.oid]
        if self.array_oid:
            keys.append(self.array_oid)
        if self.regtype != self.name:
            keys.append(self.regtype)
        return keys

    def get_type_display(self, oid: int | None = None, fmod: int | None = None) -> str:
        """Return the type as a column of it is declared, such as `numeric(10,2)` or `text[]`.

        Args:
            oid: the oid of the column: `array_oid` makes it an array.
            fmod: the type modifier of the column.
        """
        parts = [self.name]
        if fmod is not None and (modifier := self.typemod.get_modifier(fmod)):
            parts.append(f"({','.join(map(str, modifier))})")
        if oid is not None and oid == self.array_oid:
            parts.append("[]")
        return "".join(parts)

    def get_display_size(self, fmod: int) -> int | None:
        """Return the length in characters or bits that a column with this type modifier is limited to."""
        return self.typemod.get_display_size(fmod)

    def get_precision(self, fmod: int) -> int | None:
        """Return the precision of a column with this type modifier."""
        return self.typemod.get_precision(fmod)

    def get_scale(self, fmod: int) -> int | None:
        """Return the scale of a column with this type modifier."""
        return self.typemod.get_scale(fmod)


class TypesRegistry:
    """The types that are known, by name and by oid.

    A new registry starts as a copy of its template; from then on changes to either do not show in the other.
    """

    def __init__(self, template: TypesRegistry | None = None) -> None:
        self._types: dict[RegistryKey, TypeInfo | Row] = {} if template is None else template._types
        self._shared = template is not None
        if template is not None:
            template._shared = True

    def __iter__(self) -> Iterator[TypeInfo]:
        found: dict[int, TypeInfo] = {}
        for key in list(self._types):
            info = self._info(key)
            found.setdefault(id(info), info)
        return iter(found.values())

    def __getitem__(self, key: RegistryKey) -> TypeInfo:
        info = self.get(key)
        if info is None:
            raise KeyError(f"couldn't find the type {key!r} in the types registry")
        return info

    def get(self, key: RegistryKey) -> TypeInfo | None:
        """Return the type with this name or oid, or None. The array has the same info as its element."""
        if isinstance(key, str) and key.endswith("[]"):
            key = key[:-2]
        if key not in self._types and isinstance(key, tuple):
            # Only infos are found by their subtype, not rows.
            for info in self:
                if key in info.registry_keys():
                    return info
        return self._info(key) if key in self._types else None

    def get_oid(self, name: str) -> int:
        """Return the oid of the type with this name; `name[]` is its array.

        Raises:
            KeyError: it is not known.
        """
        info = self[name]
        return info.array_oid if name.endswith("[]") else info.oid

    def get_by_subtype(self, cls: type[T], subtype: int | str) -> T | None:
        """Return the type of kind `cls`, a range or a multirange, that is made of `subtype`, or None."""
        info = self.get(subtype)
        found = info and self.get((cls, info.oid))
        return found if isinstance(found, cls) else None

    def add(self, info: TypeInfo) -> None:
        """Add a type, in the place of another with the same name or oid."""
        self._unshare()
        for key in info.registry_keys():
            self._types[key] = info

    def add_rows(self, rows: tuple[Row, ...]) -> None:
        """Add types as rows, of which infos are made when they are asked for."""
        self._unshare()
        for row in rows:
            name, oid, array_oid, regtype, *_ = row
            for key in (name, oid, array_oid, regtype):
                if key:
                    self._types[key] = row

    def clear(self) -> None:
        """Forget all types."""
        self._types = {}
        self._shared = False

    def _unshare(self) -> None:
        if self._shared:
            self._types = self._types.copy()
            self._shared = False

    def _info(self, key: RegistryKey) -> TypeInfo:
        entry = self._types[key]
        if not isinstance(entry, tuple):
            return entry
        info = _info_from_row(entry)
        # Whoever shares the table sees the same type as before.
        for key in info.registry_keys():
            self._types[key] = info
        return info


def _info_from_row(row: Row) -> TypeInfo:
    name, oid, array_oid, regtype, delimiter, *related = row
    if len(related) == 1:
        from .types.range import RangeInfo

        return RangeInfo(name, oid, array_oid, regtype=regtype, subtype_oid=related[0])
    if len(related) == 2:
        from .types.multirange import MultirangeInfo

        return MultirangeInfo(name, oid, array_oid, regtype=regtype, subtype_oid=related[0], range_oid=related[1])
    return TypeInfo(
        name,
        oid,
        array_oid,
        regtype=regtype,
        delimiter=delimiter or ",",
        typemod=typemod_for(name),
    )
