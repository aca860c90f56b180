"""Dates, times and intervals: every text style, both formats, and what Python cannot hold."""

from __future__ import annotations

import datetime as dt
import struct
from contextlib import suppress
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from neonps import errors as e
from neonps import timezones
from neonps.adapt import AdaptersMap, PyFormat, Transformer
from neonps.postgres import adapters, types
from neonps.pq import Format

FORMATS = [PyFormat.TEXT, PyFormat.BINARY]

# timetz has an offset in seconds, below 16 hours.
OFFSETS = st.integers(-15 * 3600, 15 * 3600).map(lambda s: dt.timezone(dt.timedelta(seconds=s)))
# Far enough from both ends for every offset.
MIDDLE = st.datetimes(dt.datetime(1, 1, 3), dt.datetime(9999, 12, 29))
ZONES = st.sampled_from(["UTC", "Europe/Rome", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe"])


class Session:
    """A context with the settings of a session; `parameter_status()` knows no others."""

    def __init__(self, **settings: str) -> None:
        self._settings = settings
        self.connection = self._transport = self

    @property
    def adapters(self) -> AdaptersMap:
        return adapters

    def parameter_status(self, name: str) -> str | None:
        return self._settings.get(name)


def transformer(**settings: str) -> Transformer:
    return Transformer(Session(**settings))  # type: ignore[arg-type]


def load(type: str, data: bytes, format: Format = Format.TEXT, **settings: str) -> Any:
    tx = transformer(**settings) if settings else Transformer()
    return tx.get_loader(types[type].oid, format).load(data)


def again(value: Any, format: PyFormat, **settings: str) -> Any:
    """What comes back of a value as the type that it is sent as."""
    tx = transformer(**settings) if settings else Transformer()
    (data,) = tx.dump_sequence([value], [format])
    assert data is not None
    assert tx.types is not None
    return tx.get_loader(tx.types[0], PyFormat.as_pq(format)).load(bytes(data))


# Round trips


@pytest.mark.parametrize("format", FORMATS)
@given(value=st.dates() | st.times() | st.datetimes())
def test_without_time_zone(value: Any, format: PyFormat) -> None:
    assert again(value, format) == value


@pytest.mark.parametrize("format", FORMATS)
@given(value=st.times(timezones=OFFSETS))
def test_timetz(value: dt.time, format: PyFormat) -> None:
    result = again(value, format)
    assert result == value
    assert result.replace(tzinfo=None) == value.replace(tzinfo=None)
    assert result.utcoffset() == value.utcoffset()


def is_same_moment(one: dt.datetime, other: dt.datetime) -> bool:
    """Whether two moments are the same. By `==` they are not in the hour that a clock goes through twice (PEP 495)."""
    return one - other == dt.timedelta(0)


@pytest.mark.parametrize("format", FORMATS)
@given(value=MIDDLE, offset=OFFSETS, zone=ZONES)
def test_timestamptz(value: dt.datetime, offset: dt.timezone, zone: str, format: PyFormat) -> None:
    value = value.replace(tzinfo=offset)
    result = again(value, format, TimeZone=zone)
    assert is_same_moment(result, value)
    assert result.tzinfo is timezones.timezone_named(zone)
    result = again(value, format)
    assert result == value
    assert result.tzinfo is dt.timezone.utc


@pytest.mark.parametrize("format", FORMATS)
@given(value=st.datetimes(timezones=st.timezones(), allow_imaginary=False))
def test_named_zones(value: dt.datetime, format: PyFormat) -> None:
    assert is_same_moment(again(value, format), value)


@pytest.mark.parametrize("format", FORMATS)
@given(value=st.timedeltas())
def test_interval(value: dt.timedelta, format: PyFormat) -> None:
    # Text is made in the way of Postgres, "-1 day 23:59:59", which reads as it does for Python.
    assert again(value, format) == value


# Text styles

NAMES = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
STYLES = {
    "ISO, MDY": ("{y:04}-{m:02}-{d:02}", "{date} {time}"),
    "ISO, DMY": ("{y:04}-{m:02}-{d:02}", "{date} {time}"),
    "SQL, MDY": ("{m:02}/{d:02}/{y:04}", "{date} {time}"),
    "SQL, YMD": ("{m:02}/{d:02}/{y:04}", "{date} {time}"),
    "SQL, DMY": ("{d:02}/{m:02}/{y:04}", "{date} {time}"),
    "German, DMY": ("{d:02}.{m:02}.{y:04}", "{date} {time}"),
    "German, MDY": ("{d:02}.{m:02}.{y:04}", "{date} {time}"),
    "Postgres, MDY": ("{m:02}-{d:02}-{y:04}", "Thu {month} {d:02} {time} {y:04}"),
    "Postgres, YMD": ("{m:02}-{d:02}-{y:04}", "Thu {month} {d:02} {time} {y:04}"),
    "Postgres, DMY": ("{d:02}-{m:02}-{y:04}", "Thu {d:02} {month} {time} {y:04}"),
}


def clock(value: Any) -> str:
    """A time as Postgres shows it: without zeros at the end of the fraction."""
    text = value.strftime("%H:%M:%S")
    return text + f".{value.microsecond:06}".rstrip("0") if value.microsecond else text


@pytest.mark.parametrize("style", STYLES)
@given(value=st.datetimes())
def test_date_styles(value: dt.datetime, style: str) -> None:
    parts: dict[str, Any] = {"y": value.year, "m": value.month, "d": value.day, "month": NAMES[value.month - 1]}
    date, timestamp = STYLES[style]
    parts["date"] = date.format(**parts)
    parts["time"] = clock(value)
    assert load("date", parts["date"].encode(), DateStyle=style) == value.date()
    assert load("timestamp", timestamp.format(**parts).encode(), DateStyle=style) == value


@given(value=MIDDLE, offset=st.integers(-57599, 57599), zone=ZONES)
@example(value=dt.datetime(2000, 10, 29), offset=0, zone="Europe/Rome")
def test_timestamptz_text(value: dt.datetime, offset: int, zone: str) -> None:
    minutes, seconds = divmod(abs(offset), 60)
    hours, minutes = divmod(minutes, 60)
    text = f"{value:%Y}".rjust(4, "0") + f"-{value.month:02}-{value.day:02} {clock(value)}"
    text += f"{'-' if offset < 0 else '+'}{hours:02}"
    if minutes or seconds:
        text += f":{minutes:02}"
    if seconds:
        text += f":{seconds:02}"
    expected = value.replace(tzinfo=dt.timezone(dt.timedelta(seconds=offset)))
    result = load("timestamptz", text.encode(), TimeZone=zone)
    assert is_same_moment(result, expected)
    assert result.tzinfo is timezones.timezone_named(zone)

    # Without a session the time zone is not known: the offset stays.
    result = load("timestamptz", text.encode(), server_version="18")
    assert result == expected
    assert result.utcoffset() == expected.utcoffset()
    assert offset or result.tzinfo is dt.timezone.utc

    time = load("timetz", text.partition(" ")[2].encode())
    assert time == expected.timetz()
    assert time.utcoffset() == expected.utcoffset()


@given(
    years=st.integers(-9000, 9000),
    months=st.integers(-11, 11),
    days=st.integers(-(10**6), 10**6),
    time=st.timedeltas(dt.timedelta(-(10**5)), dt.timedelta(10**5)),
    plus=st.booleans(),
)
def test_interval_text(years: int, months: int, days: int, time: dt.timedelta, plus: bool) -> None:
    parts = []
    for number, unit in ((years, "year"), (months, "mon"), (days, "day")):
        if number:
            sign = "+" if plus and number > 0 else ""
            parts.append(f"{sign}{number} {unit}{'' if number == 1 else 's'}")
    if time or not parts:
        seconds, microseconds = divmod(abs(time) // dt.timedelta(microseconds=1), 1_000_000)
        sign = "-" if time < dt.timedelta() else "+" if plus and parts else ""
        fraction = f".{microseconds:06}".rstrip("0") if microseconds else ""
        parts.append(f"{sign}{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{fraction}")
    expected = time + dt.timedelta(days=365 * years + 30 * months + days)
    assert load("interval", " ".join(parts).encode()) == expected
    microseconds = time // dt.timedelta(microseconds=1)
    data = struct.pack("!qii", microseconds, days, years * 12 + months)
    total = years * 12 + months
    expected = time + dt.timedelta(
        days=days + (1 if total > 0 else -1) * (abs(total) // 12 * 365 + abs(total) % 12 * 30)
    )
    assert load("interval", data, Format.BINARY) == expected


# Styles that cannot be read


@pytest.mark.parametrize("style", ["SQL, DMY", "Postgres, MDY", "German, DMY"])
def test_timestamptz_of_other_styles(style: str) -> None:
    with pytest.raises(e.NotSupportedError, match=f"can't parse timestamptz with DateStyle '{style}'") as raised:
        load("timestamptz", b"01.07.2020 02:00:00 CEST", DateStyle=style)
    assert isinstance(raised.value, NotImplementedError)


@pytest.mark.parametrize("style", ["postgres_verbose", "sql_standard", "iso_8601"])
def test_intervals_of_other_styles(style: str) -> None:
    with pytest.raises(e.NotSupportedError, match=f"can't parse interval with IntervalStyle '{style}'") as raised:
        load("interval", b"P1D", IntervalStyle=style)
    assert isinstance(raised.value, NotImplementedError)


@pytest.mark.parametrize(
    ("style", "text"),
    [
        ("postgres", b"-1 day 23:59:59"),
        ("iso_8601", b"-1 day 23:59:59"),
        ("sql_standard", b"-1 day +86399 second +0 microsecond"),
        (None, b"-1 day +86399 second +0 microsecond"),
    ],
)
def test_intervals_are_dumped_for_the_style(style: str | None, text: bytes) -> None:
    # Where the style is not known, the text has to mean the same in all of them.
    tx = transformer(**({"IntervalStyle": style} if style else {"server_version": "18"}))
    assert tx.dump_sequence([dt.timedelta(seconds=-1)], [PyFormat.TEXT]) == [text]


# What Python cannot hold


@pytest.mark.parametrize(
    ("type", "text", "message"),
    [
        ("date", "0044-03-15 BC", "date too small (before year 1): '0044-03-15 BC'"),
        ("date", "-infinity", "date too small (before year 1): '-infinity'"),
        ("date", "10000-01-01", "date too large (after year 10K): '10000-01-01'"),
        ("date", "infinity", "date too large (after year 10K): 'infinity'"),
        ("time", "24:00:00", "can't parse time '24:00:00': hour must be in 0..23"),
        ("timetz", "24:00:00+00", "can't parse timetz '24:00:00+00': hour must be in 0..23"),
        ("timestamp", "0044-03-15 00:00:00 BC", "timestamp too small (before year 1): '0044-03-15 00:00:00 BC'"),
        ("timestamp", "10000-01-01 00:00:00", "timestamp too large (after year 10K): '10000-01-01 00:00:00'"),
        ("timestamp", "infinity", "timestamp too large (after year 10K): 'infinity'"),
        ("timestamp", "-infinity", "timestamp too small (before year 1): '-infinity'"),
        ("timestamptz", "infinity", "timestamp too large (after year 10K): 'infinity'"),
        ("timestamptz", "10000-01-01 00:00:00+00", "timestamp too large (after year 10K)"),
        ("timestamptz", "0001-12-31 23:00:00+00 BC", "timestamp too small (before year 1)"),
        ("interval", "infinity", "can't parse interval 'infinity'"),
        ("interval", "1000000000 days", "days=1000000000; must have magnitude <= 999999999"),
        ("interval", "178000000 years", "days=64970000000; must have magnitude <= 999999999"),
    ],
)
def test_out_of_range_text(type: str, text: str, message: str) -> None:
    with pytest.raises(e.DataError) as raised:
        load(type, text.encode())
    assert message in str(raised.value).replace(", not 24", "")


@pytest.mark.parametrize(
    ("type", "data", "message"),
    [
        ("date", struct.pack("!i", 2**31 - 1), "date too large (after year 10K)"),
        ("date", struct.pack("!i", -(2**31)), "date too small (before year 1)"),
        ("date", struct.pack("!i", 2921940), "date too large (after year 10K)"),
        ("date", struct.pack("!i", -730120), "date too small (before year 1)"),
        ("time", struct.pack("!q", 86_400_000_000), "time not supported by Python: hour=24"),
        ("timetz", struct.pack("!qi", 86_400_000_000, 0), "time not supported by Python: hour=24"),
        ("timetz", struct.pack("!qi", 0, 86400), "can't parse timetz"),
        ("timestamp", struct.pack("!q", 2**63 - 1), "timestamp too large (after year 10K)"),
        ("timestamp", struct.pack("!q", -(2**63)), "timestamp too small (before year 1)"),
        ("timestamptz", struct.pack("!q", 2**63 - 1), "timestamp too large (after year 10K)"),
        ("timestamptz", struct.pack("!q", -(2**63)), "timestamp too small (before year 1)"),
        ("interval", struct.pack("!qii", 2**63 - 1, 2**31 - 1, 2**31 - 1), "can't parse interval: infinite"),
        ("interval", struct.pack("!qii", -(2**63), -(2**31), -(2**31)), "can't parse interval: infinite"),
        ("interval", struct.pack("!qii", 0, 10**9, 0), "days=1000000000; must have magnitude <= 999999999"),
        ("date", b"123", "can't parse date: 3 bytes instead of 4"),
        ("time", b"123", "can't parse time: 3 bytes instead of 8"),
        ("timetz", b"12345678", "can't parse timetz: 8 bytes instead of 12"),
        ("timestamp", b"", "can't parse timestamp: 0 bytes instead of 8"),
        ("timestamptz", b"", "can't parse timestamp: 0 bytes instead of 8"),
        ("interval", b"", "can't parse interval: 0 bytes instead of 16"),
    ],
)
def test_out_of_range_binary(type: str, data: bytes, message: str) -> None:
    with pytest.raises(e.DataError) as raised:
        load(type, data, Format.BINARY)
    assert message in str(raised.value)


@pytest.mark.parametrize("type", ["date", "time", "timetz", "timestamp", "timestamptz", "interval"])
@given(text=st.text(st.sampled_from("0123456789-+:./ BCinfinityPTdaysmon")) | st.text())
def test_nonsense_is_a_data_error(type: str, text: str) -> None:
    # UnicodeDecodeError: what is not ASCII is neither of the server's making nor of ours.
    with suppress(e.DataError, UnicodeDecodeError):
        load(type, text.encode("utf-8", "replace"))


@pytest.mark.parametrize(
    ("type", "text"),
    [
        ("date", "2020-13-01"),
        ("date", "2020-02-30"),
        ("date", "0000-01-01"),
        ("date", ""),
        ("time", "12:60:00"),
        ("timetz", "12:00:00+25"),
        ("timestamp", "2020-01"),
        ("timestamp", "2020-01-01 25:00:00"),
        ("timestamptz", "2020-01-01 00:00:00+99"),
        ("timestamptz", "foo"),
        ("interval", ""),
        ("interval", "1 fortnight"),
        ("interval", "1 day foo"),
    ],
)
def test_malformed_text(type: str, text: str) -> None:
    with pytest.raises(e.DataError, match=f"can't parse {type.replace('stamptz', 'stamp')} '"):
        load(type, text.encode())


# The ends of Python's time


@pytest.mark.parametrize("format", FORMATS)
def test_the_ends_of_time(format: PyFormat) -> None:
    for value in (dt.datetime.min, dt.datetime.max):
        assert again(value, format) == value
        utc = value.replace(tzinfo=dt.timezone.utc)
        assert again(utc, format) == utc
        assert again(value.date(), format) == value.date()
    for end in (dt.timedelta.min, dt.timedelta.max):
        assert again(end, format) == end


def test_dates_that_only_the_session_has() -> None:
    # In UTC this is in the year 10000, and Python reckons by UTC.
    text = b"9999-12-31 20:00:00-05"
    microseconds = (dt.datetime.max - dt.datetime(2000, 1, 1)) // dt.timedelta(microseconds=1)
    data = struct.pack("!q", microseconds + 1 + 3600 * 1_000_000)
    expected = dt.datetime(9999, 12, 31, 20)
    for value in (
        load("timestamptz", text, TimeZone="America/New_York"),
        load("timestamptz", data, Format.BINARY, TimeZone="America/New_York"),
    ):
        assert value.replace(tzinfo=None) == expected
        assert value.utcoffset() == dt.timedelta(hours=-5)
    with pytest.raises(e.DataError, match="timestamp too large"):
        load("timestamptz", data, Format.BINARY, TimeZone="UTC")


# Parameters


@pytest.mark.parametrize("format", list(PyFormat))
def test_time_in_a_zone_without_a_date(format: PyFormat) -> None:
    value = dt.time(12, tzinfo=ZoneInfo("Europe/Rome"))
    with pytest.raises(e.DataError, match="cannot calculate the offset of tzinfo 'Europe/Rome' without a date"):
        again(value, format)


@pytest.mark.parametrize("format", FORMATS)
def test_the_two_hours_at_the_end_of_summer_time(format: PyFormat) -> None:
    rome = ZoneInfo("Europe/Rome")
    for fold in (0, 1):
        value = dt.datetime(2020, 10, 25, 2, 30, fold=fold, tzinfo=rome)
        result = again(value, format, TimeZone="Europe/Rome")
        assert (result.replace(tzinfo=None), result.fold) == (value.replace(tzinfo=None), fold)
        assert result.utcoffset() == value.utcoffset()


def test_offset_decides_the_type() -> None:
    tx = Transformer()
    naive, aware = dt.datetime(2020, 1, 1), dt.datetime(2020, 1, 1, tzinfo=dt.timezone.utc)
    for format in PyFormat:
        tx.dump_sequence([naive, aware, naive.time(), aware.timetz(), [naive], [aware]], [format] * 6)
        names = ["timestamp", "timestamptz", "time", "timetz"]
        expected = [types[name].oid for name in names]
        expected += [types[name].array_oid for name in names[:2]]
        assert tx.types == tuple(expected)


# Time zones


def test_time_zone_that_is_not_known(caplog: pytest.LogCaptureFixture) -> None:
    timezones._known.pop("<+03>-03", None)
    value = load("timestamptz", b"2020-01-01 03:00:00+03", TimeZone="<+03>-03")
    assert (value, value.tzinfo) == (dt.datetime(2020, 1, 1, tzinfo=dt.timezone.utc), dt.timezone.utc)
    assert "unknown PostgreSQL timezone: '<+03>-03'; will use UTC" in caplog.text


@pytest.mark.parametrize("name", ["/etc/passwd", "../UTC", "", "No/Such", "x" * 300, "Europe/" + "x/" * 400])
def test_bad_time_zone_names(name: str) -> None:
    assert timezones.timezone_named(name) is dt.timezone.utc
