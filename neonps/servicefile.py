"""The connection service file, `~/.pg_service.conf` (PostgreSQL docs 34.17)."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

from .conninfo import KEYWORDS
from .options import InvalidOption

#: What C calls spaces: a password can have others at its end.
_SPACES = " \t\n\v\f\r"


def read_service(name: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Read the values that a service stands for, by keyword.

    Args:
        name: the service.
        environ: the environment, which says where the files are.

    Raises:
        InvalidOption: it is nowhere defined, or a file is not as it should be.
    """
    for path in _files(environ):
        values = _read(path, name)
        if values is not None:
            return values
    raise InvalidOption(f'definition of service "{name}" not found')


def _files(environ: Mapping[str, str]) -> Iterator[str]:
    own = environ.get("PGSERVICEFILE")
    if own:
        if not os.path.exists(own):
            raise InvalidOption(f'service file "{own}" not found')
        yield own
    else:
        yield os.path.join(environ.get("HOME") or os.path.expanduser("~"), ".pg_service.conf")
    system = environ.get("PGSYSCONFDIR")
    if system:
        yield os.path.join(system, "pg_service.conf")


def _read(path: str, name: str) -> dict[str, str] | None:
    try:
        with open(path, encoding="utf-8", newline="") as file:
            lines = file.read().split("\n")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise InvalidOption(f'service file "{path}" cannot be read: {reason}') from None
    values: dict[str, str] | None = None
    for number, line in enumerate(lines, 1):
        line = line.strip(_SPACES)
        if not line or line.startswith("#"):
            continue
        if line.startswith("["):
            if values is not None:
                break
            if line[1:].startswith(f"{name}]"):
                values = {}
        elif values is not None:
            keyword, equals, value = line.partition("=")
            if not equals or keyword not in KEYWORDS:
                raise InvalidOption(f'syntax error in service file "{path}", line {number}')
            if keyword == "service":
                raise InvalidOption(
                    f'nested service specifications not supported in service file "{path}", line {number}'
                )
            values.setdefault(keyword, value)
    return values
