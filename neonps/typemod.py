"""Type modifiers: what the numbers in `varchar(10)` or `numeric(10,2)` say of a column."""

from __future__ import annotations

#: Length modifiers count the four bytes of a header that values in the server have.
_HEADER_SIZE = 4

#: A time modifier without a precision, as `interval year` has it.
_FULL_PRECISION = 0xFFFF


class TypeModifier:
    """The modifier of a type that takes none; the others are subclasses.

    Args:
        oid: the type.
    """

    def __init__(self, oid: int) -> None:
        self.oid = oid

    def get_modifier(self, typemod: int) -> tuple[int, ...] | None:
        """Return the numbers as they stand between the parentheses; None if there are none."""
        return None

    def get_display_size(self, typemod: int) -> int | None:
        """Return the maximal length, in characters or bits."""
        return None

    def get_precision(self, typemod: int) -> int | None:
        """Return the number of significant digits; for a time, of those after the point of the seconds."""
        return None

    def get_scale(self, typemod: int) -> int | None:
        """Return the number of digits after the point."""
        return None


class NumericTypeModifier(TypeModifier):
    """`numeric(precision, scale)`; the scale can be negative."""

    def get_modifier(self, typemod: int) -> tuple[int, ...] | None:
        precision, scale = self.get_precision(typemod), self.get_scale(typemod)
        return None if precision is None or scale is None else (precision, scale)

    def get_precision(self, typemod: int) -> int | None:
        return typemod >> 16 if typemod >= 0 else None

    def get_scale(self, typemod: int) -> int | None:
        if typemod < 0:
            return None
        # A number of 11 bits with a sign (numeric_typmod_scale() of src/backend/utils/adt/numeric.c)
        return (((typemod - _HEADER_SIZE) & 0x7FF) ^ 0x400) - 0x400


class BitTypeModifier(TypeModifier):
    """`bit(length)`, `varbit(length)`."""

    def get_modifier(self, typemod: int) -> tuple[int, ...] | None:
        return (typemod,) if typemod > 0 else None

    def get_display_size(self, typemod: int) -> int | None:
        return typemod if typemod >= 0 else None


class CharTypeModifier(TypeModifier):
    """`varchar(length)`, `char(length)`."""

    def get_modifier(self, typemod: int) -> tuple[int, ...] | None:
        size = self.get_display_size(typemod)
        return (size,) if size else None

    def get_display_size(self, typemod: int) -> int | None:
        return typemod - _HEADER_SIZE if typemod >= 0 else None


class TimeTypeModifier(TypeModifier):
    """`time(precision)` and its like, `interval(precision)`."""

    def get_modifier(self, typemod: int) -> tuple[int, ...] | None:
        precision = self.get_precision(typemod)
        return None if precision is None else (precision,)

    def get_precision(self, typemod: int) -> int | None:
        # The upper half says which fields an interval is restricted to.
        return None if typemod < 0 or typemod & 0xFFFF == _FULL_PRECISION else typemod & 0xFFFF


_MODIFIERS: dict[str, type[TypeModifier]] = {
    "numeric": NumericTypeModifier,
    "bit": BitTypeModifier,
    "varbit": BitTypeModifier,
    "bpchar": CharTypeModifier,
    "varchar": CharTypeModifier,
    "time": TimeTypeModifier,
    "timetz": TimeTypeModifier,
    "timestamp": TimeTypeModifier,
    "timestamptz": TimeTypeModifier,
    "interval": TimeTypeModifier,
}


def typemod_for(name: str) -> type[TypeModifier]:
    """Return how to read the modifiers of a built-in type."""
    return _MODIFIERS.get(name, TypeModifier)
