"""Django over HTTP, where each statement is a transaction of its own: what it has to be, and is not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ImproperlyConfigured


class TransactionsNotSupported(ImproperlyConfigured):
    """A transaction was to be opened over HTTP; nothing of it was sent.

    It is not a `DatabaseError`: Django's cache in the database takes those for a race that was lost, and goes on.
    """

    def __init__(self) -> None:
        super().__init__(
            "a transaction (atomic(), or what uses it: migrations, bulk_create(), get_or_create(), delete() of related "
            "objects, …) cannot be open over HTTP, where each statement is one of its own. Nothing of it was sent. "
            'Use "OPTIONS": {"transport": "websocket"}'
        )


def check_settings(settings: Mapping[str, Any]) -> None:
    """Look through the settings of a database for what needs a session.

    Raises:
        ImproperlyConfigured: there is something.
    """
    unsupported = {
        "AUTOCOMMIT=False": not settings["AUTOCOMMIT"],
        "ATOMIC_REQUESTS": settings["ATOMIC_REQUESTS"],
        **{name: settings["OPTIONS"].get(name) for name in ("assume_role", "isolation_level", "pool")},
    }
    for name, value in unsupported.items():
        if value:
            raise ImproperlyConfigured(
                f"neonps.django: {name} needs a session, and over HTTP there is none. "
                'Use "OPTIONS": {"transport": "websocket"}'
            )


def with_time_zone(parameters: dict[str, Any], name: str) -> dict[str, Any]:
    """Ask for a time zone with each request, unless it is what servers have without being asked."""
    if _is_utc(name):
        return parameters
    options = f"-c TimeZone={name} {parameters.get('options') or ''}".rstrip()
    return {**parameters, "options": options}


def check_time_zone(connection: Any, name: str) -> None:
    """See that the server has the time zone that Django takes for granted: it cannot be set over HTTP.

    Raises:
        ImproperlyConfigured: the server has another one.
    """
    with connection.cursor() as cursor:
        (found,) = cursor.execute("SELECT current_setting('TimeZone')").fetchone()
    if found != name and not (_is_utc(found) and _is_utc(name)):
        raise ImproperlyConfigured(
            f"neonps.django: the server's time zone is {found!r} where Django needs {name!r}, and over HTTP it cannot "
            f"be set. Set it on the server (ALTER ROLE … SET timezone = '{name}'), or use "
            '"OPTIONS": {"transport": "websocket"}'
        )


def _is_utc(name: str) -> bool:
    return name.removeprefix("Etc/") in ("UTC", "GMT")
