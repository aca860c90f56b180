"""Where and how to connect: what comes out of a connection string, keywords and the environment."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NoReturn

from . import errors as e
from .conninfo import timeout_from_conninfo
from .encodings import encoding_of_locale
from .endpoint import Endpoint, is_loopback
from .flows.requests import TLS, KeepAlive, Pings
from .hosts import (
    SSL_MODES,
    TLS_CHOICES,
    WEAK_SSL_MODES,
    Host,
    find_hosts,
    is_socket,
    near_hosts,
    own_directory,
    tls_for,
    with_passwords,
)
from .options import InvalidOption, Options, checked_text, from_environment
from .percent import encode
from .record import Record, refuse_pickling, shown
from .routes import Route, find_route
from .servicefile import read_service

if TYPE_CHECKING:
    from .proxies import Proxy

#: The methods of `require_auth` (PostgreSQL docs 34.1.2).
AUTH_METHODS = ("password", "md5", "gss", "sspi", "scram-sha-256", "oauth", "none")

#: The values of `target_session_attrs` (PostgreSQL docs 34.1.2).
TARGETS = ("any", "read-write", "read-only", "primary", "standby", "prefer-standby")

#: What a server may ask for if nobody says otherwise: nothing that lets it, or who listens, log in elsewhere.
DEFAULT_AUTH = frozenset({"scram-sha-256", "none"})

#: How long a request over HTTP may take unless told otherwise, in seconds: longer than a service lets a statement run.
HTTP_TIMEOUT = 300.0

#: How long a WebSocket may be silent while something is waited for before there is a ping, and how long the answer may
#: take, in seconds. Load balancers close what is silent for a minute.
PING_INTERVAL, PING_TIMEOUT = 30.0, 30.0


class Settings(Record):
    """Where and how to connect. Its `repr()` shows no secret.

    Attributes:
        transport: "websocket", "http" or "tcp".
        provider: the name of the provider whose server it is, if it is one that is known.
        hosts: the database hosts, to be tried in turn; one only, unless `transport` is "tcp". See `at()`.
        host, hostaddr, port: the first of them.
        user, password, dbname: as whom to log in, and to which database.
        fetch_url, websocket_url: the endpoint of the transport; None for other transports.
        tls: how to secure the connection that the transport makes; None for not at all.
        connect_timeout: how long connecting may take, in seconds; None for ever.
        patience: for how long to try again to connect, in seconds; None if nobody has said so, see
            `neonps.flows.retrying`.
        timeout: how long any other call may wait, in seconds; None for ever. Over HTTP it is HTTP_TIMEOUT by default.
        pipeline_connect: what to send before the server asks for it: "scram", "password" or "off".
        lazy: do not wait for the server's last word on the login.
        require_auth: the methods of logging in that the server may ask for.
        auth_token: a bearer token for HTTP, or a function that gives one.
        options, application_name, client_encoding, replication: for the start-up packet.
        session_settings: more for the start-up packet: what libpq takes from PGDATESTYLE, PGTZ and PGGEQO.
        protocol: the version of the wire protocol to ask for, as the start-up packet has it.
        keepalive: TCP settings.
        pings: those of a WebSocket.
        direct_tls: begin TLS without asking the server whether it supports it.
        channel_binding: "disable", "prefer" or "require": whether to bind a login to the TLS connection that it is on.
        target_session_attrs: what the server has to be for the session to be taken, see `neonps.flows.target`.
        proxy: what leads there; None for the straight way.
        load_balance_hosts: try the hosts, and the addresses of each, in a random order.
        passfile: the password file that the password is from, if it is from one.
        given: the values that all this came from, by keyword; of the defaults, only user and database.
    """

    transport: str
    provider: str | None
    hosts: tuple[Host, ...]
    host: str
    hostaddr: str | None
    port: int
    user: str
    password: str | None
    dbname: str
    fetch_url: Endpoint | None = None
    websocket_url: Endpoint | None = None
    tls: TLS | None = None
    connect_timeout: float | None = None
    patience: float | None = None
    timeout: float | None = None
    pipeline_connect: str = "off"
    lazy: bool = False
    require_auth: frozenset[str] = DEFAULT_AUTH
    auth_token: str | Callable[[], str] | None = None
    options: str | None = None
    application_name: str | None = None
    client_encoding: str = "UTF8"
    replication: str | None = None
    session_settings: Mapping[str, str] = MappingProxyType({})
    protocol: int = 3 << 16
    keepalive: KeepAlive = KeepAlive()
    pings: Pings = Pings()
    direct_tls: bool = False
    channel_binding: str = "prefer"
    target_session_attrs: str = "any"
    load_balance_hosts: bool = False
    proxy: Proxy | None = None
    passfile: str | None = None
    given: Mapping[str, str] = MappingProxyType({})

    def __repr__(self) -> str:
        return shown(self, "password", "auth_token", "given")

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        refuse_pickling(self)

    def at(self, host: Host) -> Settings:
        """The same for one of `hosts`."""
        given = dict(self.given)
        if len(self.hosts) > 1:
            one = {"host": host.host, "hostaddr": host.hostaddr, "port": str(host.port)}
            given.update((keyword, value) for keyword, value in one.items() if keyword in given and value)
        return self._replace(
            host=host.host,
            hostaddr=host.hostaddr,
            port=host.port,
            tls=host.tls,
            password=host.password,
            passfile=host.passfile,
            given=given,
        )

    @property
    def sslmode(self) -> str:
        """The `sslmode` that is in force: a connection is verified in full, or not secured."""
        return "disable" if self.tls is None else "verify-full"

    @property
    def where(self) -> str:
        """What is connected to, for messages."""
        endpoint = self.fetch_url or self.websocket_url
        through = "" if self.proxy is None else f" through the proxy {self.proxy.url}"
        if endpoint is not None:
            return f"{endpoint.url}{through}"
        if is_socket(self.host):
            return f'server on socket "{self.host}/.s.PGSQL.{self.port}"'
        address = f" ({self.hostaddr})" if self.hostaddr and self.hostaddr != self.host else ""
        return f'server at "{self.host}"{address}, port {self.port}{through}'

    def startup_parameters(self) -> dict[str, str]:
        """The parameters of the start-up packet (PostgreSQL docs 53.7, StartupMessage)."""
        parameters = {
            "user": self.user,
            "database": self.dbname,
            "replication": self.replication,
            "options": self.options,
            "application_name": self.application_name,
            "client_encoding": self.client_encoding,
            **self.session_settings,
        }
        return {name: value for name, value in parameters.items() if value is not None}

    def http_connection_string(self) -> str:
        """The value of the header `Neon-Connection-String`: a URL in ASCII, with the password."""
        login = encode(self.user) + ("" if self.password is None else ":" + encode(self.password))
        host = f"[{encode(self.host, safe=':')}]" if ":" in self.host else encode(self.host)
        query = "&".join(
            f"{keyword}={encode(value)}"
            for keyword, value in (("options", self.options), ("application_name", self.application_name))
            if value is not None
        )
        return f"postgresql://{login}@{host}:{self.port}/{encode(self.dbname)}" + (query and f"?{query}")


def resolve(
    conninfo: str = "",
    kwargs: Mapping[str, Any] = MappingProxyType({}),
    environ: Mapping[str, str] = os.environ,
) -> Settings:
    """Find out where and how to connect.

    Args:
        conninfo: a URL or `keyword=value` pairs.
        kwargs: keywords that override it; None does not.
        environ: variables that fill what is left (PostgreSQL docs 34.15).

    Raises:
        ProgrammingError: something is malformed, unknown, or contradicts something else. No secret is in it. For a
            value that a keyword cannot have it is `InvalidOption`, which is an `OperationalError` too.
        NotSupportedError: something that libpq can do and this driver, or the transport, cannot.
    """
    options = Options(conninfo, kwargs)
    service = options.text("service") or environ.get("PGSERVICE")
    if service:
        options.fill(read_service(service, environ))
    explicit = options.has("proxy")
    options.fill(from_environment(environ))
    user = options.text("user") or _system_user()
    dbname = options.text("dbname") or user
    sslmode = options.choice("sslmode", SSL_MODES)
    direct_tls = options.choice("sslnegotiation", ("postgres", "direct")) == "direct"
    hosts = find_hosts(options, sslmode, direct_tls=direct_tls, own_files=own_directory(environ))
    route = find_route(options, hosts[0].host, hosts[0].port, plain=sslmode == "disable")
    endpoint = route.endpoint
    if endpoint is not None:
        _check_endpoint_suffices(hosts, route)
        tls = tls_for(options, endpoint.host, ("http/1.1",)) if endpoint.secure else None
        hosts = (hosts[0]._replace(tls=tls),)
    elif not ("host" in options or "hostaddr" in options or direct_tls or sslmode not in (None, *WEAK_SSL_MODES)):
        hosts = near_hosts(hosts)
    elif direct_tls and sslmode in WEAK_SSL_MODES:
        raise InvalidOption(
            f'weak sslmode "{sslmode}" may not be used with sslnegotiation=direct'
            ' (use "require", "verify-ca", or "verify-full")'
        )
    proxy = _proxy(options, environ, hosts, route, explicit=explicit)
    target = options.choice("target_session_attrs", TARGETS) or "any"
    _check_supported(options, hosts, route, target)
    hosts = with_passwords(hosts, options, environ, dbname=dbname, user=user)
    first = hosts[0]
    if "auth_token" in options and route.transport != "http":
        raise e.NotSupportedError(f"auth_token needs transport=http, not {route.transport}")
    require_auth, pipeline_connect = _authentication(options, route, readable=_is_readable(hosts, route))
    connect_timeout = timeout_from_conninfo({"connect_timeout": options.text("connect_timeout") or "0"})
    return Settings(
        transport=route.transport,
        provider=route.provider and route.provider.name,
        hosts=hosts,
        host=first.host,
        hostaddr=first.hostaddr,
        port=first.port,
        user=user,
        password=first.password,
        dbname=dbname,
        fetch_url=endpoint if route.transport == "http" else None,
        websocket_url=endpoint if route.transport == "websocket" else None,
        tls=first.tls,
        connect_timeout=connect_timeout,
        patience=connect_timeout if _is_limited(options) else None,
        timeout=_timeout(options, route),
        pipeline_connect=pipeline_connect,
        lazy=options.boolean("lazy", False) and target == "any",  # what the server is has to be heard first
        require_auth=require_auth,
        auth_token=_token(options),
        options=options.text("options"),
        application_name=options.text("application_name") or options.text("fallback_application_name"),
        client_encoding=_client_encoding(options),
        replication=options.text("replication"),
        session_settings=_session_settings(environ),
        protocol=_protocol(options),
        keepalive=_keepalive(options),
        pings=_pings(options),
        direct_tls=direct_tls,
        channel_binding=options.choice("channel_binding", ("disable", "prefer", "require")) or "prefer",
        target_session_attrs=target,
        load_balance_hosts=options.choice("load_balance_hosts", ("disable", "random")) == "random",
        proxy=proxy,
        passfile=first.passfile,
        given={**options.texts(), "user": user, "dbname": dbname},
    )


def _check_endpoint_suffices(hosts: tuple[Host, ...], route: Route) -> None:
    only_tcp = None
    if len(hosts) > 1:
        only_tcp = "several hosts"
    elif is_socket(hosts[0].host):
        only_tcp = "a Unix socket"
    elif hosts[0].hostaddr is not None:
        only_tcp = "hostaddr"
    if only_tcp is not None:
        raise e.NotSupportedError(f"{only_tcp}: this needs transport=tcp, not {route.transport}")


def _proxy(
    options: Options, environ: Mapping[str, str], hosts: tuple[Host, ...], route: Route, *, explicit: bool
) -> Proxy | None:
    """The proxy that leads to the endpoint, or to the hosts; `explicit` is whether `proxy` is not from a variable."""
    endpoint = route.endpoint
    if "proxy" not in options and (explicit or endpoint is None):
        return None
    if endpoint is None and any(is_socket(host.host) and host.hostaddr is None for host in hosts):
        return None
    near = [endpoint.host] if endpoint is not None else [host.hostaddr or host.host for host in hosts]
    # "localhost" means another machine to a proxy: there has to be somebody who means that.
    if not explicit and all(map(is_loopback, near)):
        return None
    from .proxies import find_proxy

    proxy = find_proxy(options, environ, endpoint, "proxy" if explicit else "NEONPS_PROXY")
    plain = options.text("sslmode") == "disable" or (proxy is not None and is_loopback(proxy.host))
    if proxy is not None and not plain and any(host.tls is None for host in hosts):
        raise e.ProgrammingError(
            f"{proxy.source}: without TLS the proxy, and who is on the way behind it, could read all; use an endpoint"
            " of https:// or wss://, or say sslmode=disable"
        )
    return proxy


# Logging in


def _is_readable(hosts: tuple[Host, ...], route: Route) -> bool:
    """Whether others could read along: a connection leads to another machine, and has no TLS."""
    if route.endpoint is not None:
        return not (route.endpoint.secure or is_loopback(route.endpoint.host))
    return any(
        host.tls is None and not is_loopback(host.hostaddr or host.host) and (host.hostaddr or not is_socket(host.host))
        for host in hosts
    )


def _authentication(options: Options, route: Route, *, readable: bool) -> tuple[frozenset[str], str]:
    """The values of `require_auth` and `pipeline_connect`."""
    text = options.text("require_auth")
    if text is not None:
        allowed = _parse_require_auth(text)
    else:
        allowed = DEFAULT_AUTH if route.provider is None else route.provider.require_auth
    if readable and (text is None or "!" in text):
        allowed -= {"password"}  # where everybody can read it, it is sent only to those who were named
    early = (options.text("pipeline_connect") or "").lower()
    if early and early not in _PIPELINE_METHODS:
        raise e.ProgrammingError('invalid pipeline_connect value: it should be "scram", "password" or "off"')
    default = route.provider.pipeline_connect if route.provider and route.transport == "websocket" else "off"
    method = _PIPELINE_METHODS[early or default]
    if method is None or route.transport == "http":
        return allowed, "off"
    if method not in allowed:
        if not early:
            return allowed, "off"
        raise e.ProgrammingError(
            f"pipeline_connect={early} sends {method} before the server asks for it,"
            f" and require_auth={','.join(sorted(allowed))} does not allow that"
        )
    return allowed, early or default


#: The method of `require_auth` that each value of `pipeline_connect` anticipates.
_PIPELINE_METHODS = {
    "scram": "scram-sha-256",
    "password": "password",
    **dict.fromkeys(("off", "0", "false", "no"), None),
}


def _parse_require_auth(text: str) -> frozenset[str]:
    methods = [method.strip() for method in text.split(",")]
    negative = [method.startswith("!") for method in methods]
    if any(negative) and not all(negative):
        raise InvalidOption("invalid require_auth value: methods with and without ! cannot be mixed")
    methods = [method.removeprefix("!") for method in methods]
    for method in methods:
        if method not in AUTH_METHODS:
            raise InvalidOption(f"invalid require_auth value: it should be a list of {', '.join(AUTH_METHODS)}")
    return frozenset(AUTH_METHODS).difference(methods) if any(negative) else frozenset(methods)


def _token(options: Options) -> str | Callable[[], str] | None:
    token = options.value("auth_token")
    return token if token is None or callable(token) else checked_token(token)


def checked_token(token: object) -> str:
    """Return a bearer token if it can be one.

    Raises:
        ProgrammingError: it cannot. The message does not show it.
    """
    if not isinstance(token, str):
        raise e.ProgrammingError(f"auth_token: the function should return a str, not {type(token).__name__}")
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise e.ProgrammingError("auth_token: the value is empty, or has characters that a bearer token cannot have")
    return token


def _system_user() -> str:
    """The name of the user who runs the program, as libpq finds it."""
    try:
        if hasattr(os, "geteuid"):
            from pwd import getpwuid

            return getpwuid(os.geteuid()).pw_name
        from getpass import getuser

        return getuser()
    except (KeyError, OSError, ImportError):
        raise e.ProgrammingError("no user is given, and the system has no name for this one") from None


# The rest

_PROTOCOLS = {"3.0": 3 << 16, "3.2": 3 << 16 | 2, "latest": 3 << 16 | 2}


def _protocol(options: Options) -> int:
    highest = _PROTOCOLS[options.choice("max_protocol_version", tuple(_PROTOCOLS)) or "3.0"]
    lowest = _PROTOCOLS[options.choice("min_protocol_version", tuple(_PROTOCOLS)) or "3.0"]
    if lowest > highest:
        if "max_protocol_version" in options:
            raise InvalidOption("min_protocol_version is greater than max_protocol_version")
        highest = lowest
    return highest


def _timeout(options: Options, route: Route) -> float | None:
    # A session may wait for a lock or a notification for hours, and keep-alive tells when it is lost. A request that
    # takes this long has been lost on the way.
    if route.transport == "http" and "timeout" not in options:
        return HTTP_TIMEOUT
    return options.seconds("timeout")


def _is_limited(options: Options) -> bool:
    """Whether `connect_timeout` is given, and not to stand for the default."""
    return float(options.text("connect_timeout") or 0) > 0


def _keepalive(options: Options) -> KeepAlive:
    return KeepAlive(
        enabled=options.integer("keepalives") != 0,
        idle=options.integer("keepalives_idle"),
        interval=options.integer("keepalives_interval"),
        probes=options.integer("keepalives_count"),
        user_timeout=max(0, options.integer("tcp_user_timeout") or 0) or None,
    )


def _pings(options: Options) -> Pings:
    interval = options.seconds("ping_interval") if "ping_interval" in options else PING_INTERVAL
    return Pings(interval, options.seconds("ping_timeout") or PING_TIMEOUT)


def _client_encoding(options: Options) -> str:
    name = options.text("client_encoding")
    if name is not None and name.lower() == "auto":
        return encoding_of_locale()
    return name or "UTF8"


#: The environment variables that set something for the session (PostgreSQL docs 34.15).
_SESSION_VARIABLES = {"PGDATESTYLE": "DateStyle", "PGTZ": "TimeZone", "PGGEQO": "geqo"}


def _session_settings(environ: Mapping[str, str]) -> dict[str, str]:
    return {
        name: checked_text(variable, environ[variable])
        for variable, name in _SESSION_VARIABLES.items()
        if environ.get(variable, "default").lower() != "default"
    }


#: The kinds of servers over HTTP: a single host is what there is, and one that only reads refuses what writes.
_TARGETS_OVER_HTTP = ("any", "read-write", "prefer-standby")


def _check_supported(options: Options, hosts: tuple[Host, ...], route: Route, target: str) -> None:
    """Refuse what would be ignored otherwise, where it makes a difference."""
    for keyword in ("scram_client_key", "scram_server_key"):
        if keyword in options:
            raise e.NotSupportedError(f"{keyword} is not supported")
    if options.choice("gssencmode", ("disable", "prefer", "require")) == "require":
        raise e.NotSupportedError("gssencmode=require is not supported")
    for keyword, allowed in TLS_CHOICES.items():
        options.choice(keyword, allowed)  # looked at without TLS too
    if "requirepeer" in options and any(is_socket(host.host) for host in hosts):
        raise e.NotSupportedError("requirepeer is not supported")
    if options.text("sslsni") == "0" and any(host.tls for host in hosts):
        raise e.NotSupportedError("sslsni=0 is not supported: the name in the certificate is always verified")
    if route.transport == "http" and target not in _TARGETS_OVER_HTTP:
        raise e.NotSupportedError(
            f"target_session_attrs={target} needs transport=websocket or tcp: over HTTP there is no session to ask"
        )
