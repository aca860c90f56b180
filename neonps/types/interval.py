"""interval."""

from __future__ import annotations

from datetime import timedelta
from re import compile as re_compile
from struct import Struct
from struct import error as StructError
from typing import TYPE_CHECKING

from .. import errors as e
from ..abc import Buffer
from ..adapt import Dumper, Loader
from ..pq import Format
from .timestamp import UnsupportedStyleError

if TYPE_CHECKING:
    from ..abc import AdaptContext

INTERVAL_OID = 1186

#: Microseconds, days, months.
_INTERVAL = Struct("!qii")

#: What stands for infinity in binary; it exists since PostgreSQL 17.
_INFINITIES = {(0x7FFFFFFFFFFFFFFF, 0x7FFFFFFF, 0x7FFFFFFF), (-0x8000000000000000, -0x80000000, -0x80000000)}

#: IntervalStyle postgres (PostgreSQL docs 8.5.5): "-1 years -2 mons +3 days -04:05:06.7".
_REGEX = re_compile(
    r"(?:([-+]?\d{1,10}) years? ?)?(?:([-+]?\d{1,10}) mons? ?)?(?:([-+]?\d{1,10}) days? ?)?"
    r"(?:([-+]?)(\d{1,10}):(\d\d):(\d\d)(?:\.(\d{1,6}))?)?"
)

#: timedelta has neither. These are what Postgres reckons with too, when it turns intervals into seconds.
_DAYS_OF_YEAR = 365
_DAYS_OF_MONTH = 30

_MICROSECONDS_OF_DAY = 86_400_000_000


class TimedeltaDumper(Dumper):
    """Dumps `timedelta` as interval, text."""

    oid = INTERVAL_OID

    def __init__(self, cls: type, context: AdaptContext | None = None) -> None:
        super().__init__(cls, context)
        style = "postgres"
        if self.connection is not None:
            style = self.connection._transport.parameter_status("IntervalStyle") or ""
        # The SQL standard lets the sign of the first field count for the others too. Signs and units on every
        # field mean the same in every style, so they are for a style that is not known as well.
        self._explicit = style in ("sql_standard", "")

    def dump(self, obj: timedelta) -> Buffer | None:
        if self._explicit:
            return b"%+d day %+d second %+d microsecond" % (obj.days, obj.seconds, obj.microseconds)
        return str(obj).replace(",", "").encode()


class TimedeltaBinaryDumper(Dumper):
    """Dumps `timedelta` as interval, binary."""

    format = Format.BINARY
    oid = INTERVAL_OID

    def dump(self, obj: timedelta) -> Buffer | None:
        return _INTERVAL.pack(obj.seconds * 1_000_000 + obj.microseconds, obj.days, 0)


class IntervalLoader(Loader):
    """Loads interval from text: a month as 30 days, a year as 365."""

    def __init__(self, oid: int, context: AdaptContext | None = None) -> None:
        super().__init__(oid, context)
        self._style = "postgres"
        if self.connection is not None:
            self._style = self.connection._transport.parameter_status("IntervalStyle") or "postgres"

    def load(self, data: Buffer) -> timedelta:
        text = str(data, "ascii")
        if self._style != "postgres":
            raise UnsupportedStyleError(f"can't parse interval with IntervalStyle {self._style!r}: {text!r}")
        match = _REGEX.fullmatch(text)
        if match is None or not text:
            raise e.DataError(f"can't parse interval {text!r}")
        years, months, days, sign, hours, minutes, seconds, fraction = match.groups()
        total_days = int(years or 0) * _DAYS_OF_YEAR + int(months or 0) * _DAYS_OF_MONTH + int(days or 0)
        microseconds = 0
        if hours:
            microseconds = (int(hours) * 60 + int(minutes)) * 60_000_000 + int(seconds) * 1_000_000
            microseconds += int((fraction or "0").ljust(6, "0"))
            if sign == "-":
                microseconds = -microseconds
        return _timedelta(total_days, microseconds, f"can't parse interval {text!r}")


class IntervalBinaryLoader(Loader):
    """Loads interval from binary: a month as 30 days, a year as 365."""

    format = Format.BINARY

    def load(self, data: Buffer) -> timedelta:
        try:
            microseconds, days, months = parts = _INTERVAL.unpack(data)
        except StructError:
            size = _INTERVAL.size
            raise e.DataError(f"can't parse interval: {len(data)} bytes instead of {size}") from None
        if parts in _INFINITIES:
            raise e.DataError("can't parse interval: infinite")
        years, months_left = divmod(abs(months), 12)
        whole = years * _DAYS_OF_YEAR + months_left * _DAYS_OF_MONTH
        days += whole if months >= 0 else -whole
        return _timedelta(days, microseconds, "can't parse interval")


def _timedelta(days: int, microseconds: int, message: str) -> timedelta:
    try:
        return timedelta(days, 0, microseconds)
    except OverflowError:
        days += microseconds // _MICROSECONDS_OF_DAY
        raise e.DataError(f"{message}: days={days}; must have magnitude <= 999999999") from None
