"""timestamp, timestamptz."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from re import Pattern
from re import compile as re_compile
from struct import Struct
from struct import error as StructError
from typing import TYPE_CHECKING

from .. import errors as e
from ..abc import Buffer, DumperKey
from ..abc import Dumper as DumperProtocol
from ..adapt import Dumper, Loader, PyFormat
from ..packed import Packed
from ..pq import Format
from ..timezones import session_timezone
from .date import date_style, too_large, too_small, unreadable
from .time import offset_timezone

if TYPE_CHECKING:
    from ..abc import AdaptContext

TIMESTAMP_OID = 1114
TIMESTAMPTZ_OID = 1184

#: Microseconds, in binary, are counted from here; those of timestamptz in UTC.
_EPOCH = datetime(2000, 1, 1)
_EPOCH_UTC = _EPOCH.replace(tzinfo=timezone.utc)

_MICROSECONDS = Struct("!q")

_DATE = r"(?P<year>\d{4,7})-(?P<month>\d\d)-(?P<day>\d\d)"
_TIME = r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)(?:\.(?P<fraction>\d{1,6}))?"
_OFFSET = r"(?P<sign>[-+])(?P<hours>\d\d)(?::(?P<minutes>\d\d))?(?::(?P<seconds>\d\d))?"

# One for each DateStyle (PostgreSQL docs 8.5.2): ISO, maybe with an offset; German, or SQL with the day
# first; SQL; Postgres, "Thu Jan 02 03:04:05.6 2020", with the day first and without.
_YEAR_FIRST = re_compile(rf"{_DATE} {_TIME}(?:{_OFFSET})?")
_DAY_FIRST = re_compile(rf"(?P<day>\d\d)[/.](?P<month>\d\d)[/.](?P<year>\d{{4,7}}) {_TIME}")
_MONTH_FIRST = re_compile(rf"(?P<month>\d\d)/(?P<day>\d\d)/(?P<year>\d{{4,7}}) {_TIME}")
_DAY_MONTH_NAME = re_compile(rf"\w+ (?P<day>\d\d) (?P<month>[A-Z][a-z]+) {_TIME} (?P<year>\d{{4,7}})")
_MONTH_NAME_DAY = re_compile(rf"\w+ (?P<month>[A-Z][a-z]+) (?P<day>\d\d) {_TIME} (?P<year>\d{{4,7}})")

_MONTHS = {
    name: number
    for number, name in enumerate(
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"], start=1
    )
}


class UnsupportedStyleError(e.NotSupportedError, NotImplementedError):
    """A text depends on a session setting in a way that is not understood."""


class MixedDatetimesError(e.DataError, TypeError):
    """Of two datetimes that have to be of one kind, one has a time zone and the other has not."""


class DatetimeDumper(Dumper):
    """Dumps `datetime` as timestamptz, text; one without a time zone as timestamp."""

    oid = TIMESTAMPTZ_OID

    def dump(self, obj: datetime) -> Buffer | None:
        return str(obj).encode()

    def get_key(self, obj: datetime, format: PyFormat) -> DumperKey:
        return (self.cls,) if obj.tzinfo is None else self.cls

    def upgrade(self, obj: datetime, format: PyFormat) -> DumperProtocol:
        return DatetimeNoTzDumper(self.cls) if obj.tzinfo is None else self


class DatetimeNoTzDumper(Dumper):
    """Dumps `datetime` as timestamp, text."""

    oid = TIMESTAMP_OID

    def dump(self, obj: datetime) -> Buffer | None:
        return str(obj).encode()


class DatetimeBinaryDumper(DatetimeDumper):
    """Dumps `datetime` as timestamptz, binary; one without a time zone as timestamp."""

    format = Format.BINARY

    def dump(self, obj: datetime) -> Buffer | None:
        return _pack(obj, _EPOCH_UTC)

    def upgrade(self, obj: datetime, format: PyFormat) -> DumperProtocol:
        return DatetimeNoTzBinaryDumper(self.cls) if obj.tzinfo is None else self


class DatetimeNoTzBinaryDumper(DatetimeNoTzDumper):
    """Dumps `datetime` as timestamp, binary."""

    format = Format.BINARY

    def dump(self, obj: datetime) -> Buffer | None:
        return _pack(obj, _EPOCH)


class TimestampLoader(Loader):
    """Loads timestamp from text, whatever the DateStyle of the session."""

    def __init__(self, oid: int, context: AdaptContext | None = None) -> None:
        super().__init__(oid, context)
        style = date_style(self.connection)
        day_first = style.endswith("DMY")
        if style.startswith("ISO"):
            self._regex = _YEAR_FIRST
        elif style.startswith("German"):
            self._regex = _DAY_FIRST
        elif style.startswith("SQL"):
            self._regex = _DAY_FIRST if day_first else _MONTH_FIRST
        else:
            self._regex = _DAY_MONTH_NAME if day_first else _MONTH_NAME_DAY

    def load(self, data: Buffer) -> datetime:
        text = str(data, "ascii")
        try:
            # Good for the usual style, and many times faster than the other.
            return datetime.fromisoformat(text)
        except ValueError:
            return _parse(text, self._regex)


class TimestamptzLoader(Loader):
    """Loads timestamptz from text, into the time zone of the session.

    Where the session does not say, the offset that is in the text stays. Only the ISO style can be read: the
    others show a time zone by an abbreviation, which can mean several.
    """

    def __init__(self, oid: int, context: AdaptContext | None = None) -> None:
        super().__init__(oid, context)
        self._style = date_style(self.connection)
        self._timezone = session_timezone(self.connection)

    def load(self, data: Buffer) -> datetime:
        text = str(data, "utf-8")
        if not self._style.startswith("ISO"):
            raise UnsupportedStyleError(f"can't parse timestamptz with DateStyle {self._style!r}: {text!r}")
        try:
            value = datetime.fromisoformat(text)
        except ValueError:
            value = _parse(text, _YEAR_FIRST)
        if self._timezone is None or value.tzinfo is self._timezone:
            return value
        try:
            return value.astimezone(self._timezone)
        except OverflowError:
            # Not a date that Python knows in UTC, though it is one with the offset of the text.
            return value


class TimestampBinaryLoader(Loader):
    """Loads timestamp from binary."""

    format = Format.BINARY
    packed = Packed("q", 8, "since_epoch")
    cheaper_than = TimestampLoader

    def load(self, data: Buffer) -> datetime:
        return self.since_epoch(_unpack(data))

    def since_epoch(self, microseconds: int) -> datetime:
        """Return the timestamp that is so much after the beginning of 2000."""
        since = timedelta(0, 0, microseconds)
        try:
            return _EPOCH + since
        except OverflowError:
            raise (too_small if since.days < 0 else too_large)("timestamp") from None


class TimestamptzBinaryLoader(Loader):
    """Loads timestamptz from binary, into the time zone of the session; into UTC where it does not say."""

    format = Format.BINARY
    packed = Packed("q", 8, "since_epoch")
    cheaper_than: type[Loader] | None = TimestamptzLoader

    def __init__(self, oid: int, context: AdaptContext | None = None) -> None:
        super().__init__(oid, context)
        zone = session_timezone(self.connection)
        self._timezone = zone or timezone.utc
        if zone is None:
            self.cheaper_than = None  # an offset is in the text only

    def load(self, data: Buffer) -> datetime:
        return self.since_epoch(_unpack(data))

    def since_epoch(self, microseconds: int) -> datetime:
        """Return the timestamp that is so much after the beginning of 2000 in UTC."""
        since = timedelta(0, 0, microseconds)
        try:
            value = _EPOCH_UTC + since
            return value if self._timezone is timezone.utc else value.astimezone(self._timezone)
        except OverflowError:
            pass
        edge, error = (datetime.min, too_small) if since.days < 0 else (datetime.max, too_large)
        offset = edge.replace(tzinfo=self._timezone).utcoffset() or timedelta(0)
        try:
            # Python has the date in this time zone, even if not in UTC.
            return (_EPOCH + (since + offset)).replace(tzinfo=self._timezone)
        except OverflowError:
            raise error("timestamp") from None


def _pack(value: datetime, epoch: datetime) -> bytes:
    try:
        since = value - epoch
    except TypeError as ex:
        # As in a list of both kinds.
        raise MixedDatetimesError(str(ex)) from None
    try:
        return _MICROSECONDS.pack((since.days * 86400 + since.seconds) * 1_000_000 + since.microseconds)
    except StructError:
        # pandas.NaT is a datetime, and its distance from another one is NaT again, whose days are NaN.
        raise e.DataError(f"can't dump {type(value).__name__}: it is no moment in time (None is NULL)") from None


def _unpack(data: Buffer) -> int:
    try:
        return int(_MICROSECONDS.unpack(data)[0])
    except StructError:
        raise e.DataError(f"can't parse timestamp: {len(data)} bytes instead of {_MICROSECONDS.size}") from None


def _parse(text: str, regex: Pattern[str]) -> datetime:
    match = regex.match(text)
    if match is None or match.end() < len(text):
        raise unreadable("timestamp", text, match and int(match["year"]), "unexpected format")
    parts = match.groupdict()
    year, month = int(parts["year"]), parts["month"]
    try:
        return datetime(
            year,
            int(month) if month.isdigit() else _MONTHS[month],
            int(parts["day"]),
            int(parts["hour"]),
            int(parts["minute"]),
            int(parts["second"]),
            int((parts["fraction"] or "0").ljust(6, "0")),
            offset_timezone(*map(parts.get, ("sign", "hours", "minutes", "seconds"))),
        )
    except (KeyError, ValueError) as ex:
        raise unreadable("timestamp", text, year, ex) from None
