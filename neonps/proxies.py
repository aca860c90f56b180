"""Which proxy leads to a server: from the keyword `proxy`, or from the variables that other programs know too."""

from __future__ import annotations

import os
import re
from base64 import b64encode
from collections.abc import Mapping
from typing import NoReturn

from . import errors as e
from .conninfo import has_surrogates
from .endpoint import Endpoint, in_brackets, without_zone
from .flows.requests import TLS
from .hosts import tls_for
from .options import Options
from .pattern import pattern
from .percent import decode
from .record import Record, refuse_pickling, shown

#: The value of `proxy` that stands for none, whatever the environment says.
NONE = "none"

_url = pattern(r"(?:(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://)?(?:(?P<login>[^/?#]*)@)?(?P<rest>[^@]*)", re.DOTALL)
_numeric = pattern(r"[0-9.]+|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*")
_entry = pattern(r"(?:\[(?P<ipv6>[^\]]*)\]|(?P<host>[^:\[\]]*))(?::(?P<port>[0-9]{1,5}))?|(?P<bare>.*)")


class Proxy(Record):
    """An HTTP proxy that is asked for the way to a server by CONNECT (RFC 9110 9.3.6). Its `repr()` shows no secret.

    Attributes:
        secure: it is spoken to over TLS.
        host, port: where it is.
        source: the keyword, or the variable, that names it.
        user, password: what to log in with there (RFC 7617); None for no login.
        tls: how to secure the connection to it.
    """

    secure: bool
    host: str
    port: int
    source: str = "proxy"
    user: str | None = None
    password: str | None = None
    tls: TLS | None = None

    def __repr__(self) -> str:
        return shown(self, "user", "password")

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        refuse_pickling(self)

    @property
    def url(self) -> str:
        """Its URL for messages, without the login."""
        return f"{'https' if self.secure else 'http'}://{in_brackets(self.host)}:{self.port}"

    @property
    def authorization(self) -> str | None:
        """The value of the header `Proxy-Authorization` (RFC 7617 2); None for no login."""
        if self.user is None:
            return None
        return "Basic " + b64encode(f"{self.user}:{self.password or ''}".encode()).decode()


def parse_proxy(url: str, source: str) -> Proxy:
    """Take the URL of a proxy apart.

    Args:
        url: such as `http://user:password@host:port`. Without a scheme it is `http`.
        source: what it was given as; for messages, which never have the URL itself in them.

    Raises:
        ProgrammingError: the URL is not good.
        NotSupportedError: it is one of a proxy of another kind.
    """
    match = _url.fullmatch(url.strip())
    if match is None or has_surrogates(url):
        raise e.ProgrammingError(f"{source}: this is not a URL such as http://host:port")
    scheme = (match["scheme"] or "http").lower()
    if scheme.startswith("socks"):
        raise e.NotSupportedError(
            f"{source}: SOCKS proxies are not supported, only http:// and https://; proxy={NONE} does without"
        )
    if scheme not in ("http", "https"):
        raise e.ProgrammingError(f"{source}: the URL of a proxy should begin with http:// or https://")
    endpoint = Endpoint.parse(f"{scheme}://{match['rest']}", source)
    if endpoint.target != "/":
        raise e.ProgrammingError(f"{source}: the URL of a proxy has no path; in a user or a password, write %2F for /")
    user = password = None
    if match["login"] is not None:
        try:
            user, password = map(decode, match["login"].partition(":")[::2])
        except ValueError as error:
            raise e.ProgrammingError(f"{source}: the login in the URL is not percent-encoded well: {error}") from None
        # RFC 7617 2: no control characters, and the first colon ends the user.
        if ":" in user or any(ord(c) < 32 or ord(c) == 127 for c in user + password):
            raise e.ProgrammingError(f"{source}: the login in the URL has a character that no login can have")
    return Proxy(endpoint.secure, endpoint.host, endpoint.port, source, user, password)


def find_proxy(options: Options, environ: Mapping[str, str], endpoint: Endpoint | None, source: str) -> Proxy | None:
    """The proxy that leads to a server; None for none.

    Args:
        options: `proxy` of them is always taken.
        environ: variables that other programs know too, for what is spoken over HTTP.
        endpoint: what is to be connected to; None where HTTP is not spoken.
        source: what `proxy` is from.

    Raises:
        ProgrammingError, NotSupportedError: see `parse_proxy()`.
    """
    given = options.text("proxy")
    if given is not None:
        found = None if given.strip().lower() == NONE else parse_proxy(given, source)
    elif endpoint is not None:
        found = _from_environment(environ, endpoint.host, endpoint.port, endpoint.secure)
    else:
        return None
    if found is None or not found.secure:
        return found
    # The client's certificate is for the server alone.
    tls = tls_for(options, found.host, ("http/1.1",))._replace(cert=None, key=None, key_password=None)
    return found._replace(tls=tls)


def _from_environment(environ: Mapping[str, str], host: str, port: int, secure: bool) -> Proxy | None:
    names = ["https_proxy", "HTTPS_PROXY"] if secure else ["http_proxy", "HTTP_PROXY"]
    if not secure and "REQUEST_METHOD" in environ:
        # A CGI program gets the header "Proxy" of a request as HTTP_PROXY. Windows does not tell the two names apart.
        names = [] if os.name == "nt" else names[:1]
    for name in (*names, "all_proxy", "ALL_PROXY"):
        if url := environ.get(name):
            exceptions = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
            return None if is_excepted(host, port, exceptions) else parse_proxy(url, name)
    return None


def is_excepted(host: str, port: int, exceptions: str) -> bool:
    """Whether a host is among those that no proxy leads to.

    Args:
        host: a name or an address.
        port: the TCP port.
        exceptions: the value of `NO_PROXY`: names, which stand for all below them too, addresses, and networks as
            `10.0.0.0/8`, all but networks also with a port; or `*` for all hosts.
    """
    host = without_zone(host.lower()).removesuffix(".")
    numeric = _numeric.fullmatch(host) is not None
    for entry in re.split(r"[,\s]+", exceptions.lower()):
        if entry == "*":
            return True
        if not entry:
            continue
        match = _entry.fullmatch(entry)
        assert match is not None
        if match["port"] and int(match["port"]) != port:
            continue
        name = match["ipv6"] or match["host"] or match["bare"] or ""
        if numeric:
            if _contains(name, host):
                return True
        elif (name := name.removeprefix("*").strip(".")) and (host == name or host.endswith(f".{name}")):
            return True
    return False


def _contains(network: str, address: str) -> bool:
    from ipaddress import ip_address, ip_network

    try:
        return ip_address(address) in ip_network(network, strict=False)
    except ValueError:  # a name, or nothing that has a meaning
        return False
