"""The values of connection keywords, from all that they can come from, each read as what it should be."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from math import inf, nan
from os import PathLike, fspath
from typing import Any

from . import errors as e
from .conninfo import KEYWORDS, check_keyword, conninfo_to_dict, has_surrogates
from .pattern import pattern

Value = str | Callable[..., str]

#: The keywords whose value can be a function.
_CALLABLE = frozenset({"auth_token", "fetch_endpoint", "ws_proxy"})

#: What libpq takes for an integer; more digits than these are out of its range.
_integer = pattern(r"[ \t\n\v\f\r]*[+-]?0*[0-9]{1,9}[ \t\n\v\f\r]*", re.ASCII)

_BOOLEANS = {
    **dict.fromkeys(("1", "true", "on", "yes"), True),
    **dict.fromkeys(("0", "false", "off", "no"), False),
}


class InvalidOption(e.ProgrammingError, e.OperationalError):
    """A keyword has a value that it cannot have.

    That is a mistake of the program. To libpq it is one more reason why a connection could not be made, and programs
    that were written for that expect an `OperationalError`.
    """


class Options:
    """The values of connection keywords. One that is "" stands for the default, as in libpq.

    Args:
        conninfo: a connection string.
        kwargs: they override what is in the string; None does not.

    Raises:
        ProgrammingError: the string is malformed, there is an unknown keyword, or a value has a wrong class.
    """

    def __init__(self, conninfo: str, kwargs: Mapping[str, Any]) -> None:
        for keyword in kwargs:
            check_keyword(keyword)
        self._values: dict[str, Value] = {}
        self.fill(conninfo_to_dict(conninfo, **kwargs))

    def __contains__(self, keyword: str) -> bool:
        return bool(self._values.get(keyword))

    def has(self, keyword: str) -> bool:
        """Whether the keyword is given so far, also if it is given as ""."""
        return keyword in self._values

    def fill(self, values: Mapping[str, Any]) -> None:
        """Take values for the keywords that have none yet."""
        for keyword, value in values.items():
            if keyword not in self._values:
                self._values[keyword] = _checked(keyword, value)

    def texts(self) -> dict[str, str]:
        """All values but functions."""
        return {keyword: value for keyword, value in self._values.items() if value and isinstance(value, str)}

    def value(self, keyword: str) -> Value | None:
        """The value as it was given: a str, or for some keywords a function; None if there is none."""
        return self._values.get(keyword) or None

    def text(self, keyword: str) -> str | None:
        """The value; None if there is none."""
        value = self._values.get(keyword) or None
        assert value is None or isinstance(value, str)
        return value

    def choice(self, keyword: str, allowed: Collection[str]) -> str | None:
        """The value, which has to be one of `allowed`."""
        value = self.text(keyword)
        if value is not None and value not in allowed:
            raise _invalid(keyword, value, _either(allowed))
        return value

    def boolean(self, keyword: str, default: bool) -> bool:
        """The value as a bool."""
        value = self.text(keyword)
        if value is None:
            return default
        try:
            return _BOOLEANS[value.lower()]
        except KeyError:
            raise _invalid(keyword, value, "true or false") from None

    def integer(self, keyword: str) -> int | None:
        """The value as an int."""
        value = self.text(keyword)
        if value is None:
            return None
        if not _integer.fullmatch(value):
            raise InvalidOption(f'invalid integer value "{value}" for connection option "{keyword}"')
        return int(value)

    def seconds(self, keyword: str) -> float | None:
        """The value as a time in seconds; None if there is none, or one that sets no limit: 0 or less."""
        value = self.text(keyword)
        if value is None:
            return None
        try:
            return time_limit(value)
        except ValueError:
            raise _invalid(keyword, value, "a number of seconds") from None


def time_limit(value: str | float) -> float | None:
    """A limit in seconds; None for one that sets none: 0 or less, or an infinite one.

    Raises:
        ValueError: it is no number.
    """
    try:
        seconds = float(value)
    except (TypeError, ValueError, OverflowError):
        seconds = nan
    if seconds != seconds:
        raise ValueError(f"{value!r} is not a number of seconds")
    return seconds if 0 < seconds < inf else None


def from_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The values that environment variables have for keywords (PostgreSQL docs 34.15)."""
    return {
        keyword: environ[variable]
        for keyword, variable in KEYWORDS.items()
        if variable is not None and variable in environ
    }


def _checked(keyword: str, value: Any) -> Value:
    """Return a value as a str or a function, without characters that could break out of where it is put."""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, (int, float)):
        return str(value)
    if callable(value) and keyword in _CALLABLE:
        function: Callable[..., str] = value
        return function
    if isinstance(value, PathLike):
        value = fspath(value)
    if not isinstance(value, str):
        raise e.ProgrammingError(f"{keyword}: the value should be a str, got {type(value).__name__}")
    return checked_text(keyword, value)


def checked_text(keyword: str, value: str) -> str:
    """Return a value if it has no characters that could break out of where it is put.

    Raises:
        ProgrammingError: it has. The message does not show it.
    """
    # A password can have every character in it: it is always sent with its length, hashed or encoded.
    if "\0" in value or (keyword != "password" and any(ord(c) < 32 or ord(c) == 127 for c in value)):
        raise e.ProgrammingError(f"{keyword}: the value contains a control character")
    if has_surrogates(value):
        raise e.ProgrammingError(f"{keyword}: the value cannot be encoded in UTF-8")
    return value


def _invalid(keyword: str, value: str, expected: str) -> InvalidOption:
    return InvalidOption(f'invalid {keyword} value: "{value}"; it should be {expected}')


def _either(allowed: Collection[str]) -> str:
    *others, last = allowed
    return f"{', '.join(others)} or {last}" if others else last
