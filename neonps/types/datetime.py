"""The adapters of dates, times and intervals, under the name of the Python module of their classes."""

from .date import DateBinaryDumper, DateBinaryLoader, DateDumper, DateLoader
from .interval import IntervalBinaryLoader, IntervalLoader, TimedeltaBinaryDumper, TimedeltaDumper
from .time import (
    TimeBinaryDumper,
    TimeBinaryLoader,
    TimeDumper,
    TimeLoader,
    TimeTzBinaryDumper,
    TimetzBinaryLoader,
    TimeTzDumper,
    TimetzLoader,
)
from .timestamp import (
    DatetimeBinaryDumper,
    DatetimeDumper,
    DatetimeNoTzBinaryDumper,
    DatetimeNoTzDumper,
    TimestampBinaryLoader,
    TimestampLoader,
    TimestamptzBinaryLoader,
    TimestamptzLoader,
)

__all__ = [
    "DateBinaryDumper",
    "DateBinaryLoader",
    "DateDumper",
    "DateLoader",
    "DatetimeBinaryDumper",
    "DatetimeDumper",
    "DatetimeNoTzBinaryDumper",
    "DatetimeNoTzDumper",
    "IntervalBinaryLoader",
    "IntervalLoader",
    "TimeBinaryDumper",
    "TimeBinaryLoader",
    "TimeDumper",
    "TimeLoader",
    "TimeTzBinaryDumper",
    "TimeTzDumper",
    "TimedeltaBinaryDumper",
    "TimedeltaDumper",
    "TimestampBinaryLoader",
    "TimestampLoader",
    "TimestamptzBinaryLoader",
    "TimestamptzLoader",
    "TimetzBinaryLoader",
    "TimetzLoader",
]
