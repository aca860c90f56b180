"""The database hosts to try, each with its address, port, TLS and password."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NoReturn

from . import errors as e
from .endpoint import check_host, is_loopback, without_zone
from .flows.requests import TLS
from .options import InvalidOption, Options
from .passfile import default_passfile, find_password, read_passfile
from .pattern import pattern
from .record import Record, refuse_pickling, shown

DEFAULT_PORT = 5432
DEFAULT_HOST = "localhost"

SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")

#: The values of `sslmode` that leave it to the server whether there is TLS.
WEAK_SSL_MODES = frozenset({"disable", "allow", "prefer"})

#: The version that each value of `ssl_min_protocol_version` and `ssl_max_protocol_version` leads to.
_TLS_VERSIONS = {"TLSv1": "TLSv1.2", "TLSv1.1": "TLSv1.2", "TLSv1.2": "TLSv1.2", "TLSv1.3": "TLSv1.3"}

#: The values that keywords for TLS can have.
TLS_CHOICES = {
    "sslcertmode": ("disable", "allow", "require"),
    "ssl_min_protocol_version": tuple(_TLS_VERSIONS),
    "ssl_max_protocol_version": tuple(_TLS_VERSIONS),
}

#: The application protocol of Postgres in TLS (PostgreSQL docs 53.2.10).
_ALPN = ("postgresql",)

#: Where a Postgres that nobody has configured puts its Unix socket: as packaged for Linux, and from the source.
SOCKET_DIRECTORIES = ("/run/postgresql", "/var/run/postgresql", "/tmp")

_numeric = pattern(r"[0-9.]+|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(?:%[A-Za-z0-9._-]+)?")


class Host(Record):
    """One of the hosts that a session can be opened on.

    Attributes:
        host: a name, an address, or the directory of a Unix socket.
        hostaddr: the address to use in place of looking `host` up.
        port: the TCP port, or the number in the socket's name.
        tls: how to secure the connection; None for not at all.
        password: what to log in with there: a password file can have another one for each.
        passfile: the password file that the password is from; None if it is not from one.
    """

    host: str
    hostaddr: str | None
    port: int
    tls: TLS | None = None
    password: str | None = None
    passfile: str | None = None

    def __repr__(self) -> str:
        return shown(self, "password")

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        refuse_pickling(self)


def is_socket(host: str) -> bool:
    """Whether a host is the directory of a Unix socket (PostgreSQL docs 34.1.2, `host`)."""
    return host.startswith(("/", "@"))


def find_hosts(
    options: Options, sslmode: str | None, *, direct_tls: bool = False, own_files: str | None = None
) -> tuple[Host, ...]:
    """The hosts that the keywords name, in their order.

    Args:
        sslmode: the value of the keyword.
        direct_tls: begin TLS without asking the server whether it supports it.
        own_files: see `tls_for()`.

    Raises:
        InvalidOption: a value is malformed, or the lists are not of the same length.
    """
    names = (options.text("host") or "").split(",")
    addresses = (options.text("hostaddr") or "").split(",")
    ports = (options.text("port") or "").split(",")
    if "hostaddr" in options and "host" not in options:
        names = [""] * len(addresses)
    if "hostaddr" not in options:
        addresses = [""] * len(names)
    if len(names) != len(addresses):
        raise InvalidOption(f"could not match {len(names)} host names with {len(addresses)} hostaddr values")
    if len(ports) not in (1, len(names)):
        raise InvalidOption(f"could not match {len(ports)} port numbers to {len(names)} hosts")
    if len(ports) == 1:
        ports *= len(names)
    return tuple(
        _host(options, sslmode, direct_tls, own_files, name.strip(), address.strip(), port.strip())
        for name, address, port in zip(names, addresses, ports, strict=True)
    )


def _host(
    options: Options, sslmode: str | None, direct_tls: bool, own_files: str | None, name: str, address: str, port: str
) -> Host:
    number = _port(port) if port else DEFAULT_PORT
    if not 0 < number < 65536:
        # The value is not shown: an unencoded / in the password of a URL makes its beginning the port.
        raise InvalidOption("invalid port number: it should be an integer from 1 to 65535")
    if address and not _numeric.fullmatch(address):
        raise InvalidOption("hostaddr: this is not an address in numbers; give a name as host")
    name = name or address or DEFAULT_HOST
    if is_socket(name) and not address:
        return Host(name, None, number)  # TLS is of no use there, and libpq does not offer it either
    try:
        check_host(name, "host")
    except e.ProgrammingError as error:
        raise InvalidOption(str(error)) from None
    near = is_loopback(address or name)
    if sslmode == "disable" or (near and not direct_tls and sslmode in (None, *WEAK_SSL_MODES)):
        return Host(name, address or None, number)
    tls = tls_for(options, name, _ALPN, own_files)._replace(alpn_required=direct_tls)
    return Host(name, address or None, number, tls)


def _port(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0


def near_hosts(hosts: tuple[Host, ...]) -> tuple[Host, ...]:
    """The same hosts for keywords that name none: the Unix socket in place of `DEFAULT_HOST`, where there is one."""
    return tuple(_near(host) for host in hosts)


def _near(host: Host) -> Host:
    if os.name != "posix":
        return host
    for directory in SOCKET_DIRECTORIES:
        if os.path.exists(f"{directory}/.s.PGSQL.{host.port}"):
            return Host(directory, None, host.port)
    return host


def with_passwords(
    hosts: tuple[Host, ...], options: Options, environ: Mapping[str, str], *, dbname: str, user: str
) -> tuple[Host, ...]:
    """The same hosts with their passwords: that of the keywords, otherwise those of a password file."""
    password = options.text("password")
    if password is not None:
        return tuple(host._replace(password=password) for host in hosts)
    path = options.text("passfile") or default_passfile(environ)
    entries = read_passfile(path) if path else []
    if not entries:
        return hosts
    found = []
    for host in hosts:
        # As in libpq: the directories that a socket is in by default are "localhost" in the file.
        name = DEFAULT_HOST if host.host in SOCKET_DIRECTORIES else host.host
        password = find_password(entries, name, host.port, dbname, user)
        found.append(host._replace(password=password, passfile=path) if password else host)
    return tuple(found)


def own_directory(environ: Mapping[str, str]) -> str | None:
    """Where certificates and keys are when nobody says otherwise (PostgreSQL docs 34.19); None for no such place."""
    if os.name == "nt":
        data = environ.get("APPDATA")
        return os.path.join(data, "postgresql") if data else None
    return os.path.join(environ.get("HOME") or os.path.expanduser("~"), ".postgresql")


def tls_for(options: Options, server_hostname: str, alpn: tuple[str, ...] = (), own_files: str | None = None) -> TLS:
    """How to secure a connection to a host, as the keywords have it.

    Args:
        server_hostname: what the certificate has to be good for.
        alpn: the application protocols to offer.
        own_files: the directory that has the files that no keyword names, as far as they are there.

    Raises:
        InvalidOption: a value is malformed.
    """

    def path(keyword: str, name: str) -> str | None:
        given = options.text(keyword)
        if given is None and own_files is not None:
            default = os.path.join(own_files, name)
            return default if os.path.exists(default) else None
        return given

    certmode, minimum, maximum = (options.choice(keyword, allowed) for keyword, allowed in TLS_CHOICES.items())
    rootcert = path("sslrootcert", "root.crt")
    cert = path("sslcert", "postgresql.crt") if certmode != "disable" else None
    if certmode == "require" and cert is None:
        raise InvalidOption("sslcertmode=require, but there is no certificate: give sslcert")
    crl, crldir = options.text("sslcrl"), options.text("sslcrldir")
    if crl is None and crldir is None and rootcert != "system":
        crl = path("sslcrl", "root.crl")
    minimum, maximum = minimum or "TLSv1.2", maximum or "TLSv1.3"
    if minimum > maximum:
        raise InvalidOption("invalid SSL protocol version range")
    if maximum < "TLSv1.2":
        raise e.NotSupportedError(f"ssl_max_protocol_version={maximum} is not supported: TLS 1.2 is the lowest version")
    return TLS(
        server_hostname=without_zone(server_hostname).removesuffix("."),
        rootcert=None if rootcert == "system" else rootcert,
        cert=cert,
        key=path("sslkey", "postgresql.key") if cert is not None else None,
        key_password=options.text("sslpassword"),
        crl=crl,
        crldir=crldir,
        minimum_version=_TLS_VERSIONS[minimum],
        maximum_version=_TLS_VERSIONS[maximum],
        alpn=alpn,
        keylogfile=options.text("sslkeylogfile"),
    )
