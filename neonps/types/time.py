"""time, timetz."""

from __future__ import annotations

from datetime import time, timedelta, timezone
from re import compile as re_compile
from struct import Struct
from struct import error as StructError

from .. import errors as e
from ..abc import Buffer, DumperKey
from ..abc import Dumper as DumperProtocol
from ..adapt import Dumper, Loader, PyFormat
from ..pq import Format

TIME_OID = 1083
TIMETZ_OID = 1266

#: Microseconds since midnight; for timetz, seconds west of Greenwich too.
_TIME = Struct("!q")
_TIMETZ = Struct("!qi")

_REGEX = re_compile(r"(\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?(?:([-+])(\d\d)(?::(\d\d))?(?::(\d\d))?)?")


class TimeDumper(Dumper):
    """Dumps `time` as time, text; a time with an offset as timetz."""

    oid = TIME_OID

    def dump(self, obj: time) -> Buffer | None:
        return str(obj).encode()

    def get_key(self, obj: time, format: PyFormat) -> DumperKey:
        return self.cls if obj.tzinfo is None else (self.cls, timezone)

    def upgrade(self, obj: time, format: PyFormat) -> DumperProtocol:
        return self if obj.tzinfo is None else TimeTzDumper(self.cls)


class TimeTzDumper(Dumper):
    """Dumps `time` as timetz, text."""

    oid = TIMETZ_OID

    def dump(self, obj: time) -> Buffer | None:
        _offset(obj)
        return str(obj).encode()


class TimeBinaryDumper(TimeDumper):
    """Dumps `time` as time, binary; a time with an offset as timetz."""

    format = Format.BINARY

    def dump(self, obj: time) -> Buffer | None:
        return _TIME.pack(_microseconds(obj))

    def upgrade(self, obj: time, format: PyFormat) -> DumperProtocol:
        return self if obj.tzinfo is None else TimeTzBinaryDumper(self.cls)


class TimeTzBinaryDumper(TimeTzDumper):
    """Dumps `time` as timetz, binary."""

    format = Format.BINARY

    def dump(self, obj: time) -> Buffer | None:
        offset = _offset(obj)
        return _TIMETZ.pack(_microseconds(obj), -(offset.days * 86400 + offset.seconds))


class TimeLoader(Loader):
    """Loads time from text."""

    def load(self, data: Buffer) -> time:
        return _parse("time", str(data, "ascii"))


class TimetzLoader(Loader):
    """Loads timetz from text."""

    def load(self, data: Buffer) -> time:
        return _parse("timetz", str(data, "ascii"))


class TimeBinaryLoader(Loader):
    """Loads time from binary."""

    format = Format.BINARY

    def load(self, data: Buffer) -> time:
        try:
            (microseconds,) = _TIME.unpack(data)
        except StructError:
            raise e.DataError(f"can't parse time: {len(data)} bytes instead of {_TIME.size}") from None
        return _time(microseconds, None)


class TimetzBinaryLoader(Loader):
    """Loads timetz from binary."""

    format = Format.BINARY

    def load(self, data: Buffer) -> time:
        try:
            microseconds, west = _TIMETZ.unpack(data)
        except StructError:
            raise e.DataError(f"can't parse timetz: {len(data)} bytes instead of {_TIMETZ.size}") from None
        try:
            tz = timezone(timedelta(seconds=-west)) if west else timezone.utc
        except ValueError as ex:
            raise e.DataError(f"can't parse timetz: {ex}") from None
        return _time(microseconds, tz)


def _offset(obj: time) -> timedelta:
    offset = obj.utcoffset()
    if offset is None:
        raise e.DataError(f"cannot calculate the offset of tzinfo '{obj.tzinfo}' without a date")
    return offset


def _microseconds(obj: time) -> int:
    return ((obj.hour * 60 + obj.minute) * 60 + obj.second) * 1_000_000 + obj.microsecond


def _time(microseconds: int, tz: timezone | None) -> time:
    seconds, microsecond = divmod(microseconds, 1_000_000)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    try:
        return time(hour, minute, second, microsecond, tz)
    except (ValueError, OverflowError):
        raise e.DataError(f"time not supported by Python: hour={hour}") from None


def offset_timezone(sign: str | None, hours: str | None, minutes: str | None, seconds: str | None) -> timezone | None:
    """Return the time zone for an offset east of Greenwich in text; None if there is no sign."""
    if not sign:
        return None
    offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0), seconds=int(seconds or 0))
    return timezone(offset if sign == "+" else -offset) if offset else timezone.utc


def _parse(what: str, text: str) -> time:
    # Postgres has midnight at the end of the day too, and some versions of Python read that as its beginning.
    if not text.startswith("24"):
        try:
            # Good for most times, and many times faster than what follows.
            return time.fromisoformat(text)
        except ValueError:
            pass
    match = _REGEX.fullmatch(text)
    if match is None:
        raise e.DataError(f"can't parse {what} {text!r}: unexpected format")
    hour, minute, second, fraction, *offset = match.groups()
    try:
        return time(
            int(hour),
            int(minute),
            int(second),
            int((fraction or "0").ljust(6, "0")),
            offset_timezone(*offset),
        )
    except ValueError as ex:
        raise e.DataError(f"can't parse {what} {text!r}: {ex}") from None
