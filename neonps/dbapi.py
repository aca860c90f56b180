"""The type objects and constructors of PEP 249."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time, timezone
from typing import Any


class DBAPITypeObject:
    """A group of types: equal to the `type_code` of the columns whose types are in it.

    Args:
        name: how the module calls it.
        values: the oids of the types.
    """

    def __init__(self, name: str, values: Iterable[int]) -> None:
        self.name = name
        self.values = frozenset(values)

    def __repr__(self) -> str:
        return f"neonps.{self.name}"

    def __eq__(self, other: object) -> bool:
        if isinstance(other, int):
            return other in self.values
        return isinstance(other, DBAPITypeObject) and self.values == other.values

    # Equal to several oids, it cannot have the hash of them all.
    __hash__ = None  # type: ignore[assignment]


BINARY = DBAPITypeObject("BINARY", [17])  # bytea
DATETIME = DBAPITypeObject("DATETIME", [1082, 1083, 1114, 1184, 1186, 1266])  # dates, times, interval
NUMBER = DBAPITypeObject("NUMBER", [20, 21, 23, 700, 701, 1700])  # integers, floats, numeric
ROWID = DBAPITypeObject("ROWID", [26])  # oid
STRING = DBAPITypeObject("STRING", [25, 1042, 1043])  # text, bpchar, varchar


class Binary:
    """Wraps bytes, a bytearray or a memoryview that is to be sent as bytea.

    Args:
        obj: the data; the attribute `obj` has it.
    """

    __module__ = "neonps"

    def __init__(self, obj: Any) -> None:
        self.obj: Any = obj.obj if isinstance(obj, Binary) else obj

    def __repr__(self) -> str:
        text = repr(self.obj)
        if len(text) > 40:
            text = f"{text[:35]} ... ({len(text)} bytes)"
        return f"{type(self).__name__}({text})"


def Date(year: int, month: int, day: int) -> date:
    """Return a date."""
    return date(year, month, day)


def Time(hour: int, minute: int, second: int) -> time:
    """Return a time of the day."""
    return time(hour, minute, second)


def Timestamp(year: int, month: int, day: int, hour: int, minute: int, second: int) -> datetime:
    """Return a date with a time of the day."""
    return datetime(year, month, day, hour, minute, second)


def DateFromTicks(ticks: float) -> date:
    """Return the date, in UTC, of a number of seconds since 1970."""
    return TimestampFromTicks(ticks).date()


def TimeFromTicks(ticks: float) -> time:
    """Return the time of the day, in UTC, of a number of seconds since 1970."""
    return TimestampFromTicks(ticks).time()


def TimestampFromTicks(ticks: float) -> datetime:
    """Return the moment, in UTC, of a number of seconds since 1970."""
    return datetime.fromtimestamp(ticks, tz=timezone.utc)
