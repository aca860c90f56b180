"""Python objects for multiranges."""

from __future__ import annotations

from collections.abc import Iterable, MutableSequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, TypeVar, overload

from .range_value import Range

T = TypeVar("T")


class Multirange(MutableSequence[Range[T]]):
    """A list of ranges that is sent as a multirange.

    Args:
        items: the ranges.

    Raises:
        TypeError: there is something else among them.
    """

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, items: Iterable[Range[T]] = ()) -> None:
        self._ranges = [_checked(item) for item in items]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._ranges!r})"

    def __str__(self) -> str:
        return f"{{{', '.join(map(str, self._ranges))}}}"

    @overload
    def __getitem__(self, index: int) -> Range[T]: ...

    @overload
    def __getitem__(self, index: slice) -> Multirange[T]: ...

    def __getitem__(self, index: int | slice) -> Range[T] | Multirange[T]:
        if isinstance(index, slice):
            return type(self)(self._ranges[index])
        return self._ranges[index]

    @overload
    def __setitem__(self, index: int, value: Range[T]) -> None: ...

    @overload
    def __setitem__(self, index: slice, value: Iterable[Range[T]]) -> None: ...

    def __setitem__(self, index: int | slice, value: Any) -> None:
        if isinstance(index, slice):
            self._ranges[index] = [_checked(item) for item in value]
        else:
            self._ranges[index] = _checked(value)

    def __delitem__(self, index: int | slice) -> None:
        del self._ranges[index]

    def __len__(self) -> int:
        return len(self._ranges)

    def insert(self, index: int, value: Range[T]) -> None:
        self._ranges.insert(index, _checked(value))

    def __eq__(self, other: object) -> bool:
        return self._ranges == other._ranges if isinstance(other, Multirange) else False

    def __lt__(self, other: object) -> bool:
        return self._ranges < other._ranges if isinstance(other, Multirange) else NotImplemented

    def __le__(self, other: object) -> bool:
        return self._ranges <= other._ranges if isinstance(other, Multirange) else NotImplemented

    def __gt__(self, other: object) -> bool:
        return self._ranges > other._ranges if isinstance(other, Multirange) else NotImplemented

    def __ge__(self, other: object) -> bool:
        return self._ranges >= other._ranges if isinstance(other, Multirange) else NotImplemented


class Int4Multirange(Multirange[int]):
    """A multirange that is sent as int4multirange."""


class Int8Multirange(Multirange[int]):
    """A multirange that is sent as int8multirange."""


class NumericMultirange(Multirange[Decimal]):
    """A multirange that is sent as nummultirange."""


class DateMultirange(Multirange[date]):
    """A multirange that is sent as datemultirange."""


class TimestampMultirange(Multirange[datetime]):
    """A multirange that is sent as tsmultirange."""


class TimestamptzMultirange(Multirange[datetime]):
    """A multirange that is sent as tstzmultirange."""


def _checked(item: Any) -> Range[Any]:
    if not isinstance(item, Range):
        raise TypeError(f"Multirange is a sequence of Range, got {type(item).__name__}")
    return item


for _class in (
    Multirange,
    Int4Multirange,
    Int8Multirange,
    NumericMultirange,
    DateMultirange,
    TimestampMultirange,
    TimestamptzMultirange,
):
    _class.__module__ = "neonps.types.multirange"  # where users find it
