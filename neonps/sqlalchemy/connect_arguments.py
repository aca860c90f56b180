"""Arguments of `connect()` that are not part of a connection string, and come from a URL as strings."""

from __future__ import annotations

from typing import Any

from sqlalchemy.exc import ArgumentError

_BOOLEANS = {"true": True, "on": True, "yes": True, "1": True, "false": False, "off": False, "no": False, "0": False}


def converted(keywords: dict[str, Any]) -> dict[str, Any]:
    """The keywords, with those converted that `neonps.connect()` wants as another type than a string.

    Raises:
        ArgumentError: a value is not what its keyword can have.
    """
    for name, convert in (("prepare_threshold", _threshold), ("autocommit", _boolean)):
        value = keywords.get(name)
        if isinstance(value, str):
            try:
                keywords[name] = convert(value)
            except (KeyError, ValueError):
                raise ArgumentError(f"{value!r} cannot be the value of {name} in a URL") from None
    return keywords


def _threshold(value: str) -> int | None:
    return None if value.lower() == "none" else int(value)


def _boolean(value: str) -> bool:
    return _BOOLEANS[value.lower()]
