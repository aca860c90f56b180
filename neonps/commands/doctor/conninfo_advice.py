"""Advice on connection strings that are not understood, without showing more of them than a keyword."""

from __future__ import annotations

import re
from difflib import get_close_matches

from ...conninfo import KEYWORDS

_ENCODE = (
    "percent-encode the special characters of the user and the password (@ is %40, : is %3A, / is %2F, # is %23, "
    "? is %3F, % is %25), or give the password by PGPASSWORD"
)

#: By how the string begins.
_BEGINNINGS: tuple[tuple[str, str], ...] = (
    (
        r"\s*(export\s+)?DATABASE_URL\s*=",
        "This is a whole line of a file of settings: leave out DATABASE_URL= and the quotes.",
    ),
    (r"\s*psql\s", "This is a command for psql: give only the URL in it, without psql and the quotes."),
    (r"\s*[\"'`]", "There are quotes around the URL: leave them out."),
    (r"\s+postgres", "There is white space before the URL: leave it out."),
    (
        r"jdbc:",
        "This is a URL for JDBC: leave out jdbc:, and write user and password before the host: "
        "postgresql://user:password@host/dbname.",
    ),
    (
        r"postgres(ql)?\+\w+://",
        "This is a URL for SQLAlchemy: leave out the + and the name of the driver: postgresql://….",
    ),
    (
        r"(https?|wss?)://",
        "This is the URL of an endpoint, not of a database: write postgresql://user:password@host/dbname, and the "
        "endpoint, if it is one of a gateway of your own, as ?gateway=https://… behind it.",
    ),
    (r"(?i:postgres(ql)?)://", "The scheme is written in small letters: postgresql://…."),
    (r"\w[\w+.-]*://", "This is the URL of something else: the one of a Postgres begins with postgresql://."),
    (r"(//|[^=\s]*@)", "The beginning is missing: write postgresql://user:password@host/dbname."),
)

_URLS = ("postgresql://", "postgres://")


def has_slash_in_password(conninfo: str) -> bool:
    """Whether a URL is cut in two by a / in its user or password, so that its beginning is taken for host and port.

    The name of a database with an @ in it looks the same, and is to be percent-encoded as well.
    """
    prefix = next((prefix for prefix in _URLS if conninfo.startswith(prefix)), None)
    if prefix is None:
        return False
    authority, _, rest = conninfo.removeprefix(prefix).partition("/")
    return "@" not in authority and "@" in rest.partition("?")[0]


def advise_conninfo(conninfo: str, message: str) -> str:
    """How to mend a connection string that was not understood.

    Args:
        conninfo: it.
        message: what the driver says of it, in which there are no secrets.
    """
    if has_slash_in_password(conninfo):
        return f"There seems to be a / in the user or the password: {_ENCODE}."
    if not conninfo.startswith(_URLS):
        for beginning, advice in _BEGINNINGS:
            if re.match(beginning, conninfo):
                return advice
    if "%40" in message or "percent-encod" in message or ("port number" in message and conninfo.count("@") > 1):
        return f"The URL is cut at a wrong place: {_ENCODE}."
    if "port number" in message:
        return "The port, after the : that follows the host, has to be a number, such as 5432."
    if 'missing "="' in message or "unterminated" in message:
        return "Each part has the form keyword=value, and a value that has a space in it is put between single quotes."
    if "query parameter: number" in message or "at character" in message:
        return f"If a part of the password is in the place of a keyword: {_ENCODE}."
    return _advise_on_keyword(message)


def _advise_on_keyword(message: str) -> str:
    unknown = re.search(r'invalid (?:URI query parameter|connection option):? "(\w+)"', message)
    if unknown is None:
        return "Mend this in the URL, or in the PG* and NEONPS_* variables of the environment."
    near = get_close_matches(unknown[1].lower(), KEYWORDS, n=1)
    if near:
        return f"There is no such keyword; is it {near[0]} that is meant?"
    return "There is no such keyword: leave it out. Keywords of other drivers are not known here."
