"""The database hosts to try, each with its address, port, TLS and password."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from . import errors as e
from .endpoint import check_host, is_loopback
from .flows.requests import TLS
from .options import Options
from .passfile import default_passfile, find_password, read_passfile

DEFAULT_PORT = 5432
DEFAULT_HOST = "localhost"

SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")

#: The lowest version that each value of `ssl_min_protocol_version` leads to.
_TLS_VERSIONS = {"TLSv1": "TLSv1.2", "TLSv1.1": "TLSv1.2", "TLSv1.2": "TLSv1.2", "TLSv1.3": "TLSv1.3"}


@dataclass(frozen=True)
class Host:
    """One of the hosts that a session can be opened on.

    Attributes:
        host: a name, an address, or the directory of a Unix socket.
        hostaddr: the address to use in place of looking `host` up.
        port: the TCP port, or the number in the socket's name.
        tls: how to secure the connection; None for not at all.
        password: what to log in with there: a password file can have another one for each.
    """

    host: str
    hostaddr: str | None
    port: int
    tls: TLS | None = None
    password: str | None = field(default=None, repr=False)


def is_socket(host: str) -> bool:
    """Whether a host is the directory of a Unix socket (PostgreSQL docs 34.1.2, `host`)."""
    return host.startswith(("/", "@"))


def find_hosts(options: Options, sslmode: str | None) -> tuple[Host, ...]:
    """The hosts that the keywords name, in their order.

    Raises:
        ProgrammingError: a value is malformed, or the lists are not of the same length.
    """
    names = (options.text("host") or "").split(",")
    addresses = (options.text("hostaddr") or "").split(",")
    ports = (options.text("port") or "").split(",")
    if "hostaddr" in options and "host" not in options:
        names = [""] * len(addresses)
    if "hostaddr" not in options:
        addresses = [""] * len(names)
    if len(names) != len(addresses):
        raise e.ProgrammingError(f"could not match {len(names)} host names to {len(addresses)} hostaddr values")
    if len(ports) not in (1, len(names)):
        raise e.ProgrammingError(f"could not match {len(ports)} port numbers to {len(names)} hosts")
    if len(ports) == 1:
        ports *= len(names)
    return tuple(
        _host(options, sslmode, name.strip(), address.strip(), port.strip())
        for name, address, port in zip(names, addresses, ports, strict=True)
    )


def _host(options: Options, sslmode: str | None, name: str, address: str, port: str) -> Host:
    if address:
        check_host(address, "hostaddr")
    name = name or address or DEFAULT_HOST
    number = _port(port) if port else DEFAULT_PORT
    if not 0 < number < 65536:
        # The value is not shown: an unencoded / in the password of a URL makes its beginning the port.
        raise e.ProgrammingError("invalid port: it should be a number from 1 to 65535")
    if is_socket(name):
        return Host(name, None, number)  # TLS is of no use there, and libpq does not offer it either
    check_host(name, "host")
    near = is_loopback(address or name)
    if sslmode == "disable" or (near and sslmode in (None, "allow", "prefer")):
        return Host(name, address or None, number)
    return Host(name, address or None, number, tls_for(options, name))


def _port(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0


def with_passwords(
    hosts: tuple[Host, ...], options: Options, environ: Mapping[str, str], *, dbname: str, user: str
) -> tuple[Host, ...]:
    """The same hosts with their passwords: that of the keywords, otherwise those of a password file."""
    password = options.text("password")
    if password is not None:
        return tuple(replace(host, password=password) for host in hosts)
    path = options.text("passfile") or default_passfile(environ)
    entries = read_passfile(path) if path else []
    if not entries:
        return hosts
    return tuple(replace(host, password=find_password(entries, host.host, host.port, dbname, user)) for host in hosts)


def tls_for(options: Options, server_hostname: str, alpn: tuple[str, ...] = ()) -> TLS:
    """How to secure a connection to a host, as the keywords have it.

    Raises:
        ProgrammingError: a value is malformed.
    """
    rootcert = options.text("sslrootcert")
    certmode = options.choice("sslcertmode", ("disable", "allow", "require"))
    cert = options.text("sslcert") if certmode != "disable" else None
    version = options.choice("ssl_min_protocol_version", tuple(_TLS_VERSIONS)) or "TLSv1.2"
    return TLS(
        server_hostname=server_hostname.removesuffix("."),
        rootcert=None if rootcert == "system" else rootcert,
        cert=cert,
        key=options.text("sslkey") if cert is not None else None,
        key_password=options.text("sslpassword"),
        crl=options.text("sslcrl"),
        minimum_version=_TLS_VERSIONS[version],
        alpn=alpn,
    )
