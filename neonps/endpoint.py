"""An `http` or `ws` URL, taken apart and checked."""

from __future__ import annotations

import re

from . import errors as e
from .decimal_number import decimal_number
from .pattern import pattern
from .record import Record, shown

_SCHEMES = {"http": False, "https": True, "ws": False, "wss": True}

_scheme = pattern("([A-Za-z][A-Za-z0-9+.-]*)://")
_after_scheme = pattern(
    r"""
    (?P<userinfo>[^/?]*@)?
    (?: \[(?P<ipv6>[0-9A-Fa-f:.]+)(?:%(?:25)?(?P<zone>[A-Za-z0-9._~-]+))?\] | (?P<host>[^:/?]+))
    (?: : (?P<port>[0-9]*))?
    (?P<path>/[^?]*)?
    (?P<query>\?.*)?
    """,
    re.VERBOSE,
)
_ipv6 = pattern(r"(?=[^:]*:[^:]*:)[0-9A-Fa-f:.]+(?:%[A-Za-z0-9._-]+)?")
#: What has four numbers of which one is too large, or begins with a 0, is looked up as a name, or is another address.
_loopback = pattern(
    r"localhost\.?|127(?:\.(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])){3}|::1|(?:0{1,4}:){7}0{0,3}1", re.IGNORECASE
)


class Endpoint(Record):
    """Where a service is that speaks HTTP or WebSocket.

    Args:
        secure: over TLS (`https`, `wss`).
        host: a name or an address; IPv6 without brackets, with its zone if it has one.
        port: the TCP port.
        target: path and query, as a request has it.
        websocket: `url` is to have the scheme `ws` or `wss`.
    """

    secure: bool
    host: str
    port: int
    target: str
    websocket: bool = False

    def __repr__(self) -> str:
        return shown(self, "target")

    @classmethod
    def parse(cls, url: str, keyword: str, *, websocket: bool = False, secure: bool | None = None) -> Endpoint:
        """Take a URL apart.

        Args:
            url: the URL; `http` and `ws`, `https` and `wss` say the same here.
            keyword: what the URL was given as; for messages, which never have the URL itself in them.
            websocket: it is for WebSockets.
            secure: whether a URL without a scheme is over TLS; if not given, that is so unless it is for
                this machine.

        Raises:
            ProgrammingError: the URL is not good.
        """
        if not isinstance(url, str):
            raise e.ProgrammingError(f"{keyword}: a URL should be a str, got {type(url).__name__}")
        if not (url.isascii() and url.isprintable()) or " " in url:
            raise e.ProgrammingError(f"{keyword}: the URL has a character that should be percent-encoded")
        if "#" in url:
            raise e.ProgrammingError(f"{keyword}: the URL has a fragment (#), which is of no use here")
        scheme = _scheme.match(url)
        match = _after_scheme.fullmatch(url, scheme.end() if scheme else 0)
        if match is None:
            raise e.ProgrammingError(f"{keyword}: this is not a URL such as https://host:port/path")
        if match["userinfo"]:
            raise e.ProgrammingError(f"{keyword}: the URL has a user in it, which is not supported")
        host = match["ipv6"] or check_host(match["host"], keyword)
        # RFC 6874 has the % before a zone percent-encoded; people write it as they see it elsewhere.
        if match["zone"]:
            host = f"{host}%{match['zone']}"
        if scheme is not None:
            if scheme[1].lower() not in _SCHEMES:
                raise e.ProgrammingError(f"{keyword}: the URL should begin with https://, http://, wss:// or ws://")
            secure = _SCHEMES[scheme[1].lower()]
        elif secure is None:
            secure = not is_loopback(host)
        port = (decimal_number(match["port"]) or 0) if match["port"] else _default_port(secure)
        if not 0 < port < 65536:
            raise e.ProgrammingError(f"{keyword}: the port in the URL should be from 1 to 65535")
        return cls(secure, host, port, (match["path"] or "/") + (match["query"] or ""), websocket)

    @property
    def host_header(self) -> str:
        """The value of the header `Host` (RFC 9110 7.2)."""
        host = in_brackets(self.host)
        return host if self.port == _default_port(self.secure) else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The URL for messages: without the query, which might have a token in it."""
        scheme = ("wss" if self.secure else "ws") if self.websocket else ("https" if self.secure else "http")
        return f"{scheme}://{self.host_header}{self.target.partition('?')[0]}"


def without_zone(host: str) -> str:
    """Return a host without the zone of an IPv6 address, which has a meaning on this machine only (RFC 6874 4)."""
    return host.partition("%")[0] if ":" in host else host


def in_brackets(host: str) -> str:
    """Return a host as URLs and the header `Host` have it: IPv6 in brackets (RFC 3986 3.2.2), without its zone."""
    return f"[{without_zone(host)}]" if ":" in host else host


def is_loopback(host: str) -> bool:
    """Whether a name or an address stands for this machine: `localhost`, `127.0.0.0/8` or `::1`."""
    return _loopback.fullmatch(host) is not None


def check_host(host: str, keyword: str) -> str:
    """Return a host name or an address if it can be one.

    Raises:
        ProgrammingError: it cannot. The message does not show it: it might be the end of a password.
    """
    if "@" in host:
        raise e.ProgrammingError(f"{keyword}: the host has an @ in it; in a user or a password, write %40")
    labels = host.removesuffix(".").split(".")
    if (
        not all(labels)
        or ((":" in host or "%" in host) and not _ipv6.fullmatch(host))
        or any(character in _NOT_IN_HOST or not character.isprintable() for character in host)
        or (host.isascii() and max(map(len, labels)) > 63)
    ):
        raise e.ProgrammingError(f"{keyword}: this cannot be the name of a host")
    return host


_NOT_IN_HOST = frozenset(" /\\?#[]<>^|,;'\"`{}()*&=+!$")


def _default_port(secure: bool) -> int:
    return 443 if secure else 80
