"""The password file, `~/.pgpass` (PostgreSQL docs 34.16)."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping

from .pattern import pattern
from .record import Record

_field = pattern(r"((?:[^\\:]|\\.|\\\Z)*)(?::|\Z)", re.DOTALL)
_escape = pattern(r"\\(.)", re.DOTALL)


class Entry(Record):
    """A line of the file. A field that is None, `*` in the file, matches everything."""

    host: str | None
    port: str | None
    dbname: str | None
    user: str | None
    password: str

    def __repr__(self) -> str:
        return f"<{type(self).__name__} for {self.user or '*'} at {self.host or '*'}>"


def default_passfile(environ: Mapping[str, str]) -> str | None:
    """Where the file is when nobody says otherwise; None where there is no such place."""
    if os.name == "nt":
        data = environ.get("APPDATA")
        return os.path.join(data, "postgresql", "pgpass.conf") if data else None
    home = environ.get("HOME") or os.path.expanduser("~")
    return os.path.join(home, ".pgpass")


def read_passfile(path: str) -> list[Entry]:
    """Read the entries of a password file; none if there is no such file, or others may read it."""
    try:
        with open(path, "rb", opener=_open) as file:
            mode = os.fstat(file.fileno()).st_mode
            if not stat.S_ISREG(mode):
                _warn('password file "%s" is not a plain file', path)
                return []
            if os.name != "nt" and mode & (stat.S_IRWXG | stat.S_IRWXO):
                _warn('password file "%s" has group or world access; it needs u=rw (0600) or less', path)
                return []
            text = file.read().decode(errors="surrogateescape")
    except OSError:
        return []
    return [entry for line in text.split("\n") if (entry := _parse(line.rstrip("\r"))) is not None]


def _open(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))  # a pipe would be waited for


def find_password(entries: list[Entry], host: str, port: int, dbname: str, user: str) -> str | None:
    """The password of the first entry that matches; None if none does."""
    wanted = (host, str(port), dbname, user)
    for entry in entries:
        if all(pattern is None or pattern == value for pattern, value in zip(entry[:4], wanted, strict=True)):
            return entry.password or None
    return None


def _warn(message: str, path: str) -> None:
    import logging  # seldom needed

    logging.getLogger("neonps").warning(message, path)


def _parse(line: str) -> Entry | None:
    if not line or line.startswith("#") or "\0" in line or not _is_utf8(line):
        return None
    fields: list[str] = []
    position = 0
    while position < len(line) and len(fields) < 4:
        match = _field.match(line, position)
        assert match is not None
        fields.append(match[1])
        position = match.end()
    if len(fields) < 4 or not line[:position].endswith(":"):
        return None
    # What follows the fourth colon is the password, up to another one that is not escaped.
    password = _field.match(line, position)
    assert password is not None
    host, port, dbname, user = (None if field == "*" else _escape.sub(r"\1", field) for field in fields)
    return Entry(host, port, dbname, user, _escape.sub(r"\1", password[1]))


def _is_utf8(line: str) -> bool:
    try:
        line.encode()
    except UnicodeEncodeError:
        return False
    return True
