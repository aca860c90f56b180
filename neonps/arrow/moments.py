"""Dates, times and intervals, from text and from binary."""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..pq import Format
from .reading import Reader, Session, each_loaded
from .values import Unreadable, Values

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: From 1970, where Arrow counts from, to 2000, where Postgres does.
_DAYS_TO_2000 = 10957
_MICROSECONDS_OF_DAY = 86_400_000_000
_TO_2000 = _DAYS_TO_2000 * _MICROSECONDS_OF_DAY

_DATE_OID = 1082
_TIMESTAMP_OID = 1114

_INFINITY = "infinity is no date for Arrow; cast it to text"
_TOO_FAR = "a time is too far away for Arrow; cast it to text"
_MIDNIGHT = "24:00 is no time for Arrow; cast it to text"

#: What Arrow does not parse: years of more than four digits, those before Christ, offsets with seconds.
_ODD_DATE = re.compile(rb"(\d{4,7})-(\d\d)-(\d\d)( BC)?")
_ODD_TIMESTAMP = re.compile(
    rb"(\d{4,7})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?"
    rb"(?:([-+])(\d\d)(?::(\d\d))?(?::(\d\d))?)?( BC)?"
)

#: IntervalStyle postgres (PostgreSQL docs 8.5.5).
_INTERVAL = (
    r"^(?:(?P<years>[-+]?\d+) years? ?)?(?:(?P<months>[-+]?\d+) mons? ?)?(?:(?P<days>[-+]?\d+) days? ?)?"
    r"(?:(?P<sign>[-+]?)(?P<hours>\d+):(?P<minutes>\d\d):(?P<seconds>\d\d)(?:\.(?P<fraction>\d{1,6}))?)?$"
)


def date_from_text(session: Session) -> Reader:
    """A reader of dates."""
    if not session.iso_dates:
        return _through_python(_DATE_OID, pa.date32(), session)

    def read(values: Values) -> Any:
        try:
            return values.strings().cast(pa.date32())
        except pa.ArrowInvalid:
            days = [0 if each is None else _odd_date(each) for each in values.binary().to_pylist()]
            return values.array(pa.date32(), np.array(days, np.int32))

    return read


def timestamp_from_text(session: Session) -> Reader:
    """A reader of timestamps without a time zone."""
    if not session.iso_dates:
        return _through_python(_TIMESTAMP_OID, pa.timestamp("us"), session)
    return _timestamps(pa.timestamp("us"))


def timestamptz_from_text(session: Session) -> Reader:
    """A reader of timestamps with a time zone."""
    if not session.iso_dates:

        def refuse(values: Values) -> Any:
            if values.null_count < len(values):
                raise Unreadable("timestamptz can be read with DateStyle ISO only")
            return pa.nulls(len(values), kind)

        kind = pa.timestamp("us", session.time_zone)
        return refuse
    return _timestamps(pa.timestamp("us", session.time_zone))


def _timestamps(kind: Any) -> Reader:
    def read(values: Values) -> Any:
        try:
            return values.strings().cast(kind)
        except pa.ArrowInvalid:
            numbers = [0 if each is None else _odd_timestamp(each) for each in values.binary().to_pylist()]
            return values.array(kind, np.array(numbers, np.int64))

    return read


def _through_python(oid: int, kind: Any, session: Session) -> Reader:
    load = session.transformer.get_loader(oid, Format.TEXT).load
    return lambda values: pa.array(each_loaded(values, load), kind)


def _odd_date(text: bytes) -> int:
    match = _ODD_DATE.fullmatch(text)
    if match is None:
        raise Unreadable(_INFINITY if text.endswith(b"infinity") else "a value is no date")
    year, month, day, before = match.groups()
    return _days(int(year), int(month), int(day), before is not None)


def _odd_timestamp(text: bytes) -> int:
    match = _ODD_TIMESTAMP.fullmatch(text)
    if match is None:
        raise Unreadable(_INFINITY if text.endswith(b"infinity") else "a value is no timestamp")
    year, month, day, hour, minute, second, fraction, sign, *offset, before = match.groups()
    seconds = (int(hour) * 60 + int(minute)) * 60 + int(second)
    if sign:
        hours, minutes, rest = (int(each or 0) for each in offset)
        east = (hours * 60 + minutes) * 60 + rest
        seconds -= east if sign == b"+" else -east
    micros = _days(int(year), int(month), int(day), before is not None) * _MICROSECONDS_OF_DAY
    micros += seconds * 1_000_000 + int((fraction or b"0").ljust(6, b"0"))
    if not -(2**63) <= micros < 2**63:
        raise Unreadable(_TOO_FAR)
    return micros


def _days(year: int, month: int, day: int, before_christ: bool) -> int:
    """The days since 1970 in the calendar of today, for years that `date` does not have too."""
    if before_christ:
        year = 1 - year
    # The calendar repeats itself every 400 years, which are 146097 days.
    cycles, within = divmod(year - 1, 400)
    try:
        day_number = date(within + 1, month, day).toordinal()
    except ValueError:
        raise Unreadable("a value is no date") from None
    return day_number - date(1970, 1, 1).toordinal() + cycles * 146_097


def time_from_text(values: Values) -> Any:
    """A reader of times without a time zone."""
    strings = values.strings()
    try:
        # Arrow does not parse a time alone.
        moments = pc.binary_join_element_wise("1970-01-01", strings, " ").cast(pa.timestamp("us"))
    except pa.ArrowInvalid:
        raise Unreadable(_MIDNIGHT) from None
    return moments.cast(pa.int64()).view(pa.time64("us"))


def interval_from_text(session: Session) -> Reader:
    """A reader of intervals."""

    def read(values: Values) -> Any:
        strings = values.strings()
        if session.interval_style != "postgres" and values.null_count < len(values):
            raise Unreadable("an interval can be read with IntervalStyle postgres only")
        found = pc.extract_regex(strings, _INTERVAL)
        if found.null_count != strings.null_count:
            infinite = (pc.match_substring(strings, "infinity")).true_count
            raise Unreadable(
                "infinity is no interval for Arrow; cast it to text" if infinite else "a value is no interval"
            )
        years, months, days, sign, hours, minutes, seconds, fraction = found.flatten()
        micros = ((_integers(hours) * 60 + _integers(minutes)) * 60 + _integers(seconds)) * 1_000_000
        micros += _integers(pc.utf8_rpad(fraction, 6, "0"))
        signs = np.where(np.asarray(pc.equal(sign, "-").fill_null(False)), -1, 1)
        return _intervals(values, _integers(years) * 12 + _integers(months), _integers(days), micros * signs)

    return read


def _integers(strings: Any) -> NDArray[Any]:
    """Numbers in text, 0 where there is none."""
    plain = pc.utf8_ltrim(strings, "+").fill_null("")
    return np.asarray(pc.if_else(pc.equal(plain, ""), "0", plain).cast(pa.int64()))


def date_from_binary(values: Values) -> Any:
    """A reader of dates."""
    days = _there(values, values.numbers(">i4", "date")).astype(np.int64)
    if ((days == 2**31 - 1) | (days == -(2**31))).any():
        raise Unreadable(_INFINITY)
    return values.array(pa.date32(), (days + _DAYS_TO_2000).astype(np.int32))


def timestamps_from_binary(kind: Any) -> Reader:
    """A reader of timestamps with or without a time zone, as `kind` says."""

    def read(values: Values) -> Any:
        micros = _there(values, values.numbers(">i8", "timestamp"))
        if ((micros == 2**63 - 1) | (micros == -(2**63))).any():
            raise Unreadable(_INFINITY)
        if (micros > 2**63 - 1 - _TO_2000).any():
            raise Unreadable(_TOO_FAR)
        return values.array(kind, micros + _TO_2000)

    return read


def time_from_binary(values: Values) -> Any:
    """A reader of times without a time zone."""
    micros = _there(values, values.numbers(">i8", "time"))
    if (micros >= _MICROSECONDS_OF_DAY).any():
        raise Unreadable(_MIDNIGHT)
    return values.array(pa.time64("us"), micros)


def interval_from_binary(values: Values) -> Any:
    """A reader of intervals."""
    micros = _there(values, values.numbers(">i8", "interval", 0, 16))
    days = _there(values, values.numbers(">i4", "interval", 8, 16))
    months = _there(values, values.numbers(">i4", "interval", 12, 16))
    for number in (2**31 - 1, -(2**31)):
        if ((days == number) & (months == number)).any():
            raise Unreadable("infinity is no interval for Arrow; cast it to text")
    return _intervals(values, months, days, micros)


def _intervals(values: Values, months: NDArray[Any], days: NDArray[Any], microseconds: NDArray[Any]) -> Any:
    """Intervals of these numbers.

    Raises:
        Unreadable: one does not fit.
    """
    if len(values) and (np.abs(microseconds) > (2**63 - 1) // 1000).any():
        raise Unreadable("an interval has more hours than Arrow's can have; cast it to text")
    parts = np.empty(len(values), np.dtype([("months", "i4"), ("days", "i4"), ("nanoseconds", "i8")]))
    parts["months"] = months
    parts["days"] = days
    parts["nanoseconds"] = microseconds * 1000
    return values.array(pa.month_day_nano_interval(), parts)


def timetz_from_binary(session: Session) -> Reader:
    """A reader of times with a time zone, for which Arrow has no type: they become text, as Postgres prints them."""

    def text(data: bytes) -> str:
        if len(data) != 12:
            raise Unreadable("a value is no timetz")
        micros, west = int.from_bytes(data[:8], "big"), int.from_bytes(data[8:], "big", signed=True)
        seconds, fraction = divmod(micros, 1_000_000)
        clock = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
        parts = [f"{abs(west) // 3600:02}", f"{abs(west) // 60 % 60:02}", f"{abs(west) % 60:02}"]
        while len(parts) > 1 and parts[-1] == "00":
            del parts[-1]
        after = f".{fraction:06}".rstrip("0") if fraction else ""
        return f"{clock}{after}{'-' if west > 0 else '+'}{':'.join(parts)}"

    return lambda values: pa.array(each_loaded(values, text), pa.string())


def _there(values: Values, numbers: NDArray[Any]) -> NDArray[Any]:
    """The numbers, with 0 for NULL."""
    if values.nulls is not None:
        numbers[values.nulls] = 0
    return numbers
