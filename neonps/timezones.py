"""The time zone of a session."""

from __future__ import annotations

from datetime import timezone, tzinfo
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .connection import BaseConnection

#: The longest name that is looked up; the longest there is has 32 characters. For each part of a name `zoneinfo` goes
#: deeper, until Python stops it.
_LONGEST = 100

_known: dict[str, tzinfo] = {"UTC": timezone.utc}


def timezone_named(name: str) -> tzinfo:
    """Return the time zone for a value of Postgres's parameter TimeZone.

    Those that the tz database does not have, such as `<+03>-03`, become UTC, and a warning is logged.
    """
    if name not in _known:
        from zoneinfo import ZoneInfo

        try:
            if len(name) > _LONGEST:
                raise KeyError(name)
            _known[name] = ZoneInfo(name)
        except (KeyError, OSError, ValueError):
            from logging import getLogger

            getLogger("neonps").warning("unknown PostgreSQL timezone: %r; will use UTC", name)
            _known[name] = timezone.utc
    return _known[name]


def session_timezone(connection: BaseConnection[Any] | None) -> tzinfo | None:
    """Return the time zone that `connection` shows times in; None if it does not say.

    Without a connection it is UTC.
    """
    if connection is None:
        return timezone.utc
    name = connection._transport.parameter_status("TimeZone")
    return timezone_named(name) if name else None
