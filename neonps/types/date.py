"""date."""

from __future__ import annotations

from datetime import date
from re import compile as re_compile
from struct import Struct
from struct import error as StructError
from typing import TYPE_CHECKING, Any

from .. import errors as e
from ..abc import Buffer
from ..adapt import Dumper, Loader
from ..packed import Packed
from ..pq import Format

if TYPE_CHECKING:
    from ..abc import AdaptContext
    from ..connection import BaseConnection

DATE_OID = 1082

#: Days, in binary, are counted from here.
EPOCH = date(2000, 1, 1).toordinal()

_DAYS = Struct("!i")

_YEAR_FIRST = re_compile(r"(?P<year>\d{4,7})-(?P<month>\d\d)-(?P<day>\d\d)")
_MONTH_FIRST = re_compile(r"(?P<month>\d\d)[/-](?P<day>\d\d)[/-](?P<year>\d{4,7})")
_DAY_FIRST = re_compile(r"(?P<day>\d\d)[/.-](?P<month>\d\d)[/.-](?P<year>\d{4,7})")


class DateDumper(Dumper):
    """Dumps `date` as date, text: ISO 8601, which is read the same with every DateStyle."""

    oid = DATE_OID

    def dump(self, obj: date) -> Buffer | None:
        return str(obj).encode()


class DateBinaryDumper(DateDumper):
    """Dumps `date` as date, binary."""

    format = Format.BINARY

    def dump(self, obj: date) -> Buffer | None:
        return _DAYS.pack(obj.toordinal() - EPOCH)


class DateLoader(Loader):
    """Loads date from text, whatever the DateStyle of the session."""

    def __init__(self, oid: int, context: AdaptContext | None = None) -> None:
        super().__init__(oid, context)
        style = date_style(self.connection)
        if style.startswith("ISO"):
            self._regex = _YEAR_FIRST
        elif style.startswith("German") or style.endswith("DMY"):
            self._regex = _DAY_FIRST
        else:
            self._regex = _MONTH_FIRST

    def load(self, data: Buffer) -> date:
        text = str(data, "ascii")
        try:
            # Good for the usual style, and many times faster than what follows.
            return date.fromisoformat(text)
        except ValueError:
            pass
        match = self._regex.match(text)
        if match is None or match.end() < len(text):
            raise unreadable("date", text, match and int(match["year"]), "unexpected format")
        year, month, day = int(match["year"]), int(match["month"]), int(match["day"])
        try:
            return date(year, month, day)
        except ValueError as ex:
            raise unreadable("date", text, year, ex) from None


class DateBinaryLoader(Loader):
    """Loads date from binary."""

    format = Format.BINARY
    packed = Packed("i", 4, "since_epoch")
    cheaper_than = DateLoader

    def load(self, data: Buffer) -> date:
        try:
            days = _DAYS.unpack(data)[0]
        except StructError:
            raise e.DataError(f"can't parse date: {len(data)} bytes instead of {_DAYS.size}") from None
        return self.since_epoch(days)

    def since_epoch(self, days: int) -> date:
        """Return the date that is so much after the first day of 2000."""
        try:
            return date.fromordinal(days + EPOCH)
        except (ValueError, OverflowError):
            raise too_small("date") if days < 0 else too_large("date") from None


def date_style(connection: BaseConnection[Any] | None) -> str:
    """Return the DateStyle of a session, such as "ISO, MDY"; that is the default, if it does not say."""
    return (connection and connection._transport.parameter_status("DateStyle")) or "ISO, MDY"


def too_small(what: str, text: str | None = None) -> e.DataError:
    """Return the error for a date or a timestamp before all that Python knows."""
    return e.DataError(f"{what} too small (before year 1)" + ("" if text is None else f": {text!r}"))


def too_large(what: str, text: str | None = None) -> e.DataError:
    """Return the error for a date or a timestamp after all that Python knows."""
    return e.DataError(f"{what} too large (after year 10K)" + ("" if text is None else f": {text!r}"))


def unreadable(what: str, text: str, year: int | None, reason: object) -> e.DataError:
    """Return the error for the text of a date or a timestamp that has made no Python object."""
    if text.endswith("BC") or text == "-infinity":
        return too_small(what, text)
    if text == "infinity" or (year is not None and year > 9999):
        return too_large(what, text)
    return e.DataError(f"can't parse {what} {text!r}: {reason}")
