"""The columns of a result, as `Cursor.description` gives them (PEP 249)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, overload

from .protocol.result import FieldDescription
from .typeinfo import TypeInfo, TypesRegistry


class Column(Sequence[Any]):
    """One column: a sequence of the seven items of PEP 249, each of which has a name too.

    Args:
        field: what the server has said of the column.
        types: where the name of its type is looked up.
    """

    __module__ = "neonps"

    __slots__ = ("_field", "_info")

    def __init__(self, field: FieldDescription, types: TypesRegistry) -> None:
        self._field = field
        self._info: TypeInfo | None = types.get(field.type_oid)

    def __repr__(self) -> str:
        return f"<Column {self.name!r}, type: {self.type_display} (oid: {self.type_code})>"

    def __len__(self) -> int:
        return 7

    def _items(self) -> tuple[Any, ...]:
        return (
            self.name,
            self.type_code,
            self.display_size,
            self.internal_size,
            self.precision,
            self.scale,
            self.null_ok,
        )

    def __iter__(self) -> Iterator[Any]:
        return iter(self._items())

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Any]: ...
    def __getitem__(self, index: int | slice) -> Any:
        return self._items()[index]

    def __eq__(self, other: object) -> bool:
        return self._items() == tuple(other) if isinstance(other, Sequence) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._items())

    @property
    def name(self) -> str:
        """The name of the column."""
        return self._field.name

    @property
    def type_code(self) -> int:
        """The OID of its type."""
        return self._field.type_oid

    @property
    def type_display(self) -> str:
        """The name of its type as SQL has it, modifiers included; the OID if the type is not known."""
        if self._info is None:
            return str(self.type_code)
        return self._info.get_type_display(self._field.type_oid, self._field.type_modifier)

    @property
    def display_size(self) -> int | None:
        """The maximal length of a character type that has one, in characters."""
        return None if self._info is None else self._info.get_display_size(self._field.type_modifier)

    @property
    def internal_size(self) -> int | None:
        """The size of a value in the server, in bytes, if all values have the same."""
        return self._field.type_size if self._field.type_size >= 0 else None

    @property
    def precision(self) -> int | None:
        """The precision of a numeric or time type that has one, in digits."""
        return None if self._info is None else self._info.get_precision(self._field.type_modifier)

    @property
    def scale(self) -> int | None:
        """The number of digits after the point of a numeric type that has one."""
        return None if self._info is None else self._info.get_scale(self._field.type_modifier)

    @property
    def null_ok(self) -> bool | None:
        """Always None: the server does not tell whether a column can be NULL."""
        return None
