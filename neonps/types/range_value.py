"""Python objects for ranges."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any, Generic, TypeVar

T = TypeVar("T")

_BOUNDS = frozenset(["[)", "(]", "[]", "()"])


class Range(Generic[T]):
    """A range of values, immutable; ordered as its bounds are.

    Args:
        lower: the lower bound; None for none.
        upper: the upper bound; None for none.
        bounds: "[" and "]" for bounds that are in the range, "(" and ")" for bounds that are not.
        empty: whether it is the empty range, which has no bounds.

    Raises:
        ValueError: `bounds` is not one of `[)`, `(]`, `[]`, `()`.
    """

    __slots__ = ("_bounds", "_lower", "_upper")

    def __init__(self, lower: T | None = None, upper: T | None = None, bounds: str = "[)", empty: bool = False) -> None:
        if bounds not in _BOUNDS:
            raise ValueError(f"bound flags not valid: {bounds!r}")
        self._lower: T | None = None
        self._upper: T | None = None
        self._bounds = ""
        if not empty:
            self._lower, self._upper = lower, upper
            # A bound that is not there is not in the range.
            self._bounds = ("(" if lower is None else bounds[0]) + (")" if upper is None else bounds[1])

    @property
    def lower(self) -> T | None:
        """The lower bound; None if there is none, or the range is empty."""
        return self._lower

    @property
    def upper(self) -> T | None:
        """The upper bound; None if there is none, or the range is empty."""
        return self._upper

    @property
    def bounds(self) -> str:
        """The brackets around the bounds; "" for an empty range."""
        return self._bounds

    @property
    def isempty(self) -> bool:
        """Whether the range is empty."""
        return not self._bounds

    @property
    def lower_inf(self) -> bool:
        """Whether the range goes down without end."""
        return bool(self._bounds) and self._lower is None

    @property
    def upper_inf(self) -> bool:
        """Whether the range goes up without end."""
        return bool(self._bounds) and self._upper is None

    @property
    def lower_inc(self) -> bool:
        """Whether the lower bound is in the range."""
        return self._bounds.startswith("[")

    @property
    def upper_inc(self) -> bool:
        """Whether the upper bound is in the range."""
        return self._bounds.endswith("]")

    def __repr__(self) -> str:
        name = type(self).__name__
        if not self._bounds:
            return f"{name}(empty=True)"
        return f"{name}({self._lower!r}, {self._upper!r}, {self._bounds!r})"

    def __str__(self) -> str:
        if not self._bounds:
            return "empty"
        return f"{self._bounds[0]}{self._lower}, {self._upper}{self._bounds[1]}"

    def __contains__(self, value: T) -> bool:
        if not self._bounds:
            return False
        lower: Any = self._lower
        upper: Any = self._upper
        if lower is not None and (value < lower or (value == lower and not self.lower_inc)):
            return False
        return upper is None or not (value > upper or (value == upper and not self.upper_inc))

    def __bool__(self) -> bool:
        return bool(self._bounds)

    def _items(self) -> tuple[Any, ...]:
        return self._lower, self._upper, self._bounds

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Range) and self._items() == other._items()

    def __hash__(self) -> int:
        return hash(self._items())

    def __lt__(self, other: object) -> bool:
        return self._is_before(other) if isinstance(other, Range) else NotImplemented

    def __le__(self, other: object) -> bool:
        return self == other or self._is_before(other) if isinstance(other, Range) else NotImplemented

    def __gt__(self, other: object) -> bool:
        return other._is_before(self) if isinstance(other, Range) else NotImplemented

    def __ge__(self, other: object) -> bool:
        return self == other or other._is_before(self) if isinstance(other, Range) else NotImplemented

    def _is_before(self, other: Range[Any]) -> bool:
        for ours, theirs in zip(self._items(), other._items(), strict=True):
            if ours == theirs:
                continue
            if ours is None or theirs is None:
                return ours is None
            return bool(ours < theirs)
        return False


class Int4Range(Range[int]):
    """A range that is sent as int4range."""


class Int8Range(Range[int]):
    """A range that is sent as int8range."""


class NumericRange(Range[Decimal]):
    """A range that is sent as numrange."""


class DateRange(Range[date]):
    """A range that is sent as daterange."""


class TimestampRange(Range[datetime]):
    """A range that is sent as tsrange."""


class TimestamptzRange(Range[datetime]):
    """A range that is sent as tstzrange."""


for _class in (Range, Int4Range, Int8Range, NumericRange, DateRange, TimestampRange, TimestamptzRange):
    # Where users find it: what writes programs, as Django does with migrations, imports it from there.
    _class.__module__ = "neonps.types.range"
