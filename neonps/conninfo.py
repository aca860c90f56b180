"""Connection strings: `postgresql://…` URLs and `keyword=value` pairs (PostgreSQL docs 34.1.1).

No message has more of a connection string in it than the name of a keyword: a slip in a connection string can
make a password look like any other part of it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from . import errors as e
from .pattern import pattern
from .percent import decode
from .tracebacks import without_locals

__all__ = ["conninfo_to_dict", "make_conninfo", "timeout_from_conninfo"]

#: Every keyword, with the environment variable that libpq, or neonps, takes its default from.
#: The order is that of libpq's own list.
KEYWORDS: dict[str, str | None] = {
    "service": "PGSERVICE",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "passfile": "PGPASSFILE",
    "channel_binding": "PGCHANNELBINDING",
    "connect_timeout": "PGCONNECT_TIMEOUT",
    "dbname": "PGDATABASE",
    "host": "PGHOST",
    "hostaddr": "PGHOSTADDR",
    "port": "PGPORT",
    "client_encoding": "PGCLIENTENCODING",
    "options": "PGOPTIONS",
    "application_name": "PGAPPNAME",
    "fallback_application_name": None,
    "keepalives": None,
    "keepalives_idle": None,
    "keepalives_interval": None,
    "keepalives_count": None,
    "tcp_user_timeout": None,
    "sslmode": "PGSSLMODE",
    "sslnegotiation": "PGSSLNEGOTIATION",
    "sslcompression": "PGSSLCOMPRESSION",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
    "sslcertmode": "PGSSLCERTMODE",
    "sslpassword": None,
    "sslrootcert": "PGSSLROOTCERT",
    "sslcrl": "PGSSLCRL",
    "sslcrldir": "PGSSLCRLDIR",
    "sslsni": "PGSSLSNI",
    "requirepeer": "PGREQUIREPEER",
    "require_auth": "PGREQUIREAUTH",
    "min_protocol_version": "PGMINPROTOCOLVERSION",
    "max_protocol_version": "PGMAXPROTOCOLVERSION",
    "ssl_min_protocol_version": "PGSSLMINPROTOCOLVERSION",
    "ssl_max_protocol_version": "PGSSLMAXPROTOCOLVERSION",
    "gssencmode": "PGGSSENCMODE",
    "krbsrvname": "PGKRBSRVNAME",
    "gsslib": "PGGSSLIB",
    "gssdelegation": "PGGSSDELEGATION",
    "replication": None,
    "target_session_attrs": "PGTARGETSESSIONATTRS",
    "load_balance_hosts": "PGLOADBALANCEHOSTS",
    "scram_client_key": None,
    "scram_server_key": None,
    "oauth_issuer": None,
    "oauth_client_id": None,
    "oauth_client_secret": None,
    "oauth_scope": None,
    "sslkeylogfile": None,
    # neonps's own
    "transport": "NEONPS_TRANSPORT",
    "gateway": "NEONPS_GATEWAY",
    "fetch_endpoint": None,
    "ws_proxy": None,
    "pipeline_connect": None,
    "lazy": None,
    "auth_token": None,
    "timeout": None,
    "ping_interval": None,
    "ping_timeout": None,
    "proxy": "NEONPS_PROXY",
}

#: The keywords whose values must not be shown.
SECRET_KEYWORDS = frozenset(
    {"password", "auth_token", "sslpassword", "oauth_client_secret", "scram_client_key", "scram_server_key", "proxy"}
)

#: How long connecting may take when nobody says otherwise, in seconds; as in psycopg.
DEFAULT_CONNECT_TIMEOUT = 130

_URL_PREFIXES = ("postgresql://", "postgres://")
_SPACE = " \t\n\v\f\r"

_pair = pattern(
    rf"""
    [{_SPACE}]*
    (?P<keyword>[^={_SPACE}]*) [{_SPACE}]*
    (?P<equals>=?) [{_SPACE}]*
    (?: '(?P<quoted>(?:[^'\\]|\\.)*)(?P<quote>'?)
      | (?P<plain>(?:[^\\{_SPACE}]|\\.|\\\Z)*)
    )
    """,
    re.VERBOSE | re.DOTALL,
)
_escape = pattern(r"\\(.?)", re.DOTALL)
#: Whether a text could be a keyword, rather than the beginning of a URL of another kind, with the password in it.
_word = pattern(r"\w+")

_url = pattern(
    r"""
    (?: (?P<user>[^:@/]*) (?: : (?P<password>[^@/]*))? @)?
    (?P<hosts>[^/?]*)
    (?: / (?P<dbname>[^?]*))?
    (?: \? (?P<query>.*))?
    """,
    re.VERBOSE | re.DOTALL,
)


@without_locals
def conninfo_to_dict(conninfo: str = "", **kwargs: Any) -> dict[str, Any]:
    """Take a connection string apart.

    Args:
        conninfo: a URL or `keyword=value` pairs.
        **kwargs: they override what is there; None does not. They are not checked.

    Returns:
        the values by keyword: str for those of the string, the others as they were given.

    Raises:
        ProgrammingError: the string is malformed or has an unknown keyword.
    """
    params: dict[str, Any] = _parse(conninfo)
    params.update((keyword, value) for keyword, value in kwargs.items() if value is not None)
    return params


@without_locals
def make_conninfo(conninfo: str = "", **kwargs: Any) -> str:
    """Put other values into a connection string.

    Args:
        conninfo: a URL or `keyword=value` pairs.
        **kwargs: they override what is there; None does not.

    Returns:
        `conninfo` itself, when there is nothing to override; otherwise `keyword=value` pairs.

    Raises:
        ProgrammingError: the string is malformed, or there is an unknown keyword.
    """
    params = conninfo_to_dict(conninfo, **kwargs)
    if all(value is None for value in kwargs.values()):
        return conninfo
    for keyword in params:
        check_keyword(keyword)
    return " ".join(f"{keyword}={_quoted(str(value))}" for keyword, value in params.items())


def timeout_from_conninfo(params: Mapping[str, Any]) -> int:
    """How long connecting may take, by `connect_timeout` in `params` or the environment.

    Args:
        params: as of `conninfo_to_dict()`.

    Returns:
        seconds: at least 2; 130 when there is no limit given.

    Raises:
        ProgrammingError: the value is not a number.
    """
    value = params.get("connect_timeout")
    if value is None:
        value = os.environ.get("PGCONNECT_TIMEOUT", "0")
    try:
        seconds = int(float(value))
    except (ValueError, TypeError, OverflowError):
        raise e.ProgrammingError(f"bad value for connect_timeout: {str(value)!r}") from None
    # libpq takes 0 and less for "no limit", and 1 for 2.
    return max(seconds, 2) if seconds > 0 else DEFAULT_CONNECT_TIMEOUT


_surrogate = pattern("[\ud800-\udfff]")


def has_surrogates(text: str) -> bool:
    """Whether a text cannot be encoded. To try would leave it, with the password, in the context of the exception."""
    return not text.isascii() and _surrogate.search(text) is not None


def check_keyword(keyword: str) -> None:
    """Raise `ProgrammingError` if there is no such keyword."""
    if keyword not in KEYWORDS:
        raise e.ProgrammingError(f'invalid connection option "{keyword}"')


def _parse(conninfo: str) -> dict[str, str]:
    if not isinstance(conninfo, str):
        raise TypeError(f"the connection string should be a str, got {type(conninfo).__name__}")
    if "\0" in conninfo:
        raise e.ProgrammingError("the connection string contains a NUL (0x00) character")
    if has_surrogates(conninfo):
        raise e.ProgrammingError("the connection string cannot be encoded in UTF-8")
    for prefix in _URL_PREFIXES:
        if conninfo.startswith(prefix):
            found = _parse_url(conninfo[len(prefix) :])
            break
    else:
        found = _parse_pairs(conninfo)
    return {keyword: found[keyword] for keyword in KEYWORDS if keyword in found}


def _parse_pairs(text: str) -> dict[str, str]:
    params: dict[str, str] = {}
    position = 0
    # Where a password has a space or a quote in it that is not escaped, the next keyword is a part of it.
    after_secret = False
    while text[position:].strip(_SPACE):
        match = _pair.match(text, position)
        assert match is not None
        keyword = match["keyword"]
        if not match["equals"]:
            after = f'"{keyword}"' if keyword in KEYWORDS else f"character {match.end('keyword')}"
            raise e.ProgrammingError(f'missing "=" after {after} in connection info string')
        if match["quoted"] is not None and not match["quote"]:
            raise e.ProgrammingError("unterminated quoted string in connection info string")
        value = match["quoted"] if match["plain"] is None else match["plain"]
        if not _add(params, keyword, _escape.sub(r"\1", value)):
            may_tell = not after_secret and _word.fullmatch(keyword)
            where = f'"{keyword}"' if may_tell else f"at character {match.end('keyword')}"
            raise e.ProgrammingError(f"invalid connection option {where}")
        after_secret = keyword in SECRET_KEYWORDS
        position = match.end()
    return params


def _parse_url(text: str) -> dict[str, str]:
    match = _url.fullmatch(text)
    assert match is not None
    names, ports = _split_hosts(match["hosts"])
    found = {
        "user": match["user"],
        "password": match["password"],
        "host": names,
        "port": ports,
        "dbname": match["dbname"],
    }
    params = {keyword: _decoded(value, keyword) for keyword, value in found.items() if value}
    query = match["query"] or ""
    pairs = query.removesuffix("&").split("&") if query else []
    # An @ here can be the one after a password that has an unencoded / in it; and see `_parse_pairs()`.
    after_secret = False
    may_tell = "@" not in (match["dbname"] or "") + query
    for number, pair in enumerate(pairs, 1):
        keyword, equals, value = pair.partition("=")
        keyword = _decoded(keyword, f"query parameter {number}")
        known = keyword in KEYWORDS
        shown = f'"{keyword}"' if (may_tell and not after_secret) or known else f"number {number}"
        after_secret = keyword in SECRET_KEYWORDS
        if not equals:
            raise e.ProgrammingError(f'missing key/value separator "=" in URI query parameter: {shown}')
        if "=" in value:
            raise e.ProgrammingError(f'extra key/value separator "=" in URI query parameter: {shown}')
        value = _decoded(value, keyword if known else f"query parameter {number}")
        if keyword == "ssl" and value == "true":  # JDBC's way to say it
            keyword, value = "sslmode", "require"
        if not _add(params, keyword, value):
            raise e.ProgrammingError(f"invalid URI query parameter: {shown}")
    return params


def _split_hosts(text: str) -> tuple[str, str]:
    """The names and the ports of `host:port,[host]:port,…`, each joined by commas."""
    names, ports = [], []
    rest = text
    while True:
        if rest.startswith("["):
            name, bracket, rest = rest[1:].partition("]")
            if not bracket:
                raise e.ProgrammingError(
                    'end of string reached when looking for matching "]" in IPv6 host address in URI'
                )
            if not name:
                raise e.ProgrammingError("IPv6 host address may not be empty in URI")
            if rest and rest[0] not in ":,":
                raise e.ProgrammingError('unexpected character after "]" in URI (expected ":" or "/")')
        else:
            name = re.split("[:,]", rest, maxsplit=1)[0]
            rest = rest[len(name) :]
        port, comma, rest = rest.partition(",")
        names.append(name)
        ports.append(port.removeprefix(":"))
        if not comma:
            return ",".join(names), ",".join(ports)


def _decoded(text: str, what: str) -> str:
    try:
        decoded = decode(text.strip(" "))
    except ValueError as error:
        raise e.ProgrammingError(f"invalid percent-encoding of the {what} in the URI: {error}") from None
    if "\0" in decoded:
        raise e.ProgrammingError(f"forbidden value %00 in the {what} in the URI")
    if " " in text.strip(" "):
        raise e.ProgrammingError(
            f"unexpected spaces found in the {what} in the URI, use percent-encoded spaces (%20) instead"
        )
    return decoded


def _add(params: dict[str, str], keyword: str, value: str) -> bool:
    """Add a value to `params`; False when there is no such keyword."""
    if keyword == "requiressl":  # as it was before PostgreSQL 8.0
        keyword, value = "sslmode", "require" if value == "1" else "prefer"
    if keyword not in KEYWORDS:
        return False
    params[keyword] = value
    return True


def _quoted(value: str) -> str:
    value = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{value}'" if not value or re.search(r"\s", value) else value
