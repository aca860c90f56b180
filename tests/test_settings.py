"""What comes of a connection string, keywords and the environment."""

from __future__ import annotations

import os
import pwd
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neonps import errors, hosts
from neonps.flows.requests import KeepAlive
from neonps.settings import DEFAULT_AUTH, Settings, resolve

LOCAL = "postgresql://u:p@localhost/db?gateway=http://localhost:4444"
PLANETSCALE = "postgresql://postgres.abc:pscale%5Fpw@x.pg.psdb.cloud:6432/db?sslmode=verify-full"
NEON = "postgresql://u:p@ep-a-1.eu.aws.neon.tech/db?sslmode=require&channel_binding=require"
XATA = "postgresql://u:p@main.us.xata.tech/db"
TCP = "postgresql://u:p@db.example/db"

#: An environment without a home, so that no password or service file of whoever runs this is read.
EMPTY = {"HOME": "/nonexistent"}


def settle(conninfo: str = "", environ: Any = None, **kwargs: Any) -> Settings:
    return resolve(conninfo, kwargs, {**EMPTY, **(environ or {})})


def endpoint(settings: Settings) -> str | None:
    """The URL of the endpoint, its query included."""
    found = settings.fetch_url or settings.websocket_url
    if found is None:
        return None
    question_mark, query = found.target.partition("?")[1:]
    return f"{found.url}{question_mark}{query}"


class TestTransport:
    @pytest.mark.parametrize(
        ("conninfo", "transport", "url"),
        [
            ("", "tcp", None),
            (TCP, "tcp", None),
            (LOCAL, "websocket", "ws://localhost:4444/v2?address=localhost:5432"),
            (f"{LOCAL}&transport=http", "http", "http://localhost:4444/sql"),
            (f"{LOCAL}&transport=tcp", "tcp", None),
            (PLANETSCALE, "websocket", "wss://x.pg.psdb.cloud/v2?address=x.pg.psdb.cloud:6432"),
            (f"{PLANETSCALE}&transport=http", "http", "https://x.pg.psdb.cloud/sql"),
            (NEON, "websocket", "wss://ep-a-1.eu.aws.neon.tech/v2"),
            (f"{NEON}&transport=http", "http", "https://api.eu.aws.neon.tech/sql"),
            (f"{NEON}&transport=http&auth_token=t", "http", "https://apiauth.eu.aws.neon.tech/sql"),
            (XATA, "websocket", "wss://main.us.xata.tech/v2"),
            (f"{XATA}?transport=http", "http", "https://main.us.xata.tech/sql"),
            ("postgresql://X.PSDB.cloud.", "websocket", "wss://X.PSDB.cloud/v2?address=X.PSDB.cloud:5432"),
            (f"{NEON}&gateway=https://g/a/b/", "websocket", "wss://g/a/b/v2?address=ep-a-1.eu.aws.neon.tech:5432"),
            ("host=h gateway=https://g/ transport=http", "http", "https://g/sql"),
            ("host=h ws_proxy=wss://g/v1", "websocket", "wss://g/v1?address=h:5432"),
            ("host=h port=6 ws_proxy=g/v1", "websocket", "wss://g/v1?address=h:6"),
            ("host=h ws_proxy=localhost:80/v1", "websocket", "ws://localhost/v1?address=h:5432"),
            ("host=h ws_proxy=wss://g/v1?to=x", "websocket", "wss://g/v1?to=x"),
            ("host=h ws_proxy=g sslmode=disable", "websocket", "ws://g/?address=h:5432"),
            ("host=h fetch_endpoint=https://g/q", "http", "https://g/q"),
            ("host=h fetch_endpoint=https://g/q ws_proxy=g", "websocket", "wss://g/?address=h:5432"),
            ("host=h fetch_endpoint=https://f/q gateway=https://g transport=http", "http", "https://f/q"),
            ("host=::1 gateway=http://[::1]:4444", "websocket", "ws://[::1]:4444/v2?address=%5B::1%5D:5432"),
            ("host=h gateway=http://g:1 sslmode=disable transport=http", "http", "http://g:1/sql"),
            ("host=h gateway=http://127.1.2.3:1 sslmode=require transport=http", "http", "http://127.1.2.3:1/sql"),
        ],
    )
    def test_where(self, conninfo: str, transport: str, url: str | None) -> None:
        found = settle(conninfo)
        assert found.transport == transport
        assert endpoint(found) == url
        assert (found.fetch_url is not None) == (transport == "http")
        assert (found.websocket_url is not None) == (transport == "websocket")

    def test_functions(self) -> None:
        found = settle("host=h port=7", ws_proxy=lambda host, port: f"{host}.proxy/v9?p={port}")
        assert endpoint(found) == "wss://h.proxy/v9?p=7"
        found = settle("host=h port=7", fetch_endpoint=lambda host, port: f"https://{host}.api:{port}/q")
        assert (found.transport, endpoint(found)) == ("http", "https://h.api:7/q")

    @pytest.mark.parametrize("keyword", ["ws_proxy", "fetch_endpoint"])
    def test_function_that_gives_no_url(self, keyword: str) -> None:
        with pytest.raises(errors.ProgrammingError, match=f"^{keyword}: .* return a str, not NoneType"):
            settle("host=h", **{keyword: lambda host, port: None})

    @pytest.mark.parametrize("keyword", ["gateway", "host", "sslmode", "lazy"])
    def test_function_where_none_is_expected(self, keyword: str) -> None:
        with pytest.raises(errors.ProgrammingError, match=f"^{keyword}: .* str, got function"):
            settle("", **{keyword: lambda: "x"})

    def test_environment(self) -> None:
        environ = {"NEONPS_GATEWAY": "http://localhost:4444", "NEONPS_TRANSPORT": "http"}
        assert endpoint(settle(NEON, environ)) == "http://localhost:4444/sql"
        assert settle(f"{NEON}&transport=websocket", environ).transport == "websocket"
        assert endpoint(settle(NEON, environ, gateway="https://g")) == "https://g/sql"
        assert settle(XATA, {"NEONPS_TRANSPORT": "tcp"}).transport == "tcp"

    @pytest.mark.parametrize("transport", ["http", "websocket"])
    def test_needs_an_endpoint(self, transport: str) -> None:
        with pytest.raises(errors.ProgrammingError, match=f"transport={transport} needs an endpoint.* give gateway="):
            settle(TCP, transport=transport)

    @pytest.mark.parametrize("transport", ["ftp", "TCP", "ws"])
    def test_unknown(self, transport: str) -> None:
        with pytest.raises(errors.ProgrammingError, match=r"transport value.* websocket, http or tcp"):
            settle(transport=transport)

    @pytest.mark.parametrize(
        ("conninfo", "name"),
        [
            (PLANETSCALE, "PlanetScale"),
            (f"{NEON}&transport=http", "Neon"),
            (XATA, "Xata"),
            (f"{XATA}?transport=tcp", "Xata"),
            (f"{XATA}?gateway=https://g", None),
            (f"{XATA}?ws_proxy=wss://g", None),
            (f"{XATA}?fetch_endpoint=https://g", "Xata"),
            (TCP, None),
        ],
    )
    def test_provider(self, conninfo: str, name: str | None) -> None:
        assert settle(conninfo).provider == name

    @pytest.mark.parametrize(
        "conninfo",
        [
            "host=a,b gateway=http://localhost:4444",
            "host=x.psdb.cloud,y.psdb.cloud",
            "host=/tmp gateway=http://localhost:4444",
            "host=a hostaddr=10.0.0.1 gateway=https://g",
        ],
    )
    def test_only_tcp_can(self, conninfo: str) -> None:
        with pytest.raises(errors.NotSupportedError, match="needs transport=tcp, not websocket"):
            settle(conninfo)

    @pytest.mark.parametrize("transport", ["tcp", "websocket"])
    def test_token_needs_http(self, transport: str) -> None:
        message = f"auth_token needs transport=http, not {transport}"
        with pytest.raises(errors.NotSupportedError, match=message) as caught:
            settle(XATA, transport=transport, auth_token="secret")
        assert "secret" not in str(caught.value)

    def test_token(self) -> None:
        assert settle(XATA, transport="http", auth_token="a.b-c").auth_token == "a.b-c"
        function = settle(XATA, transport="http", auth_token=lambda: "x").auth_token
        assert callable(function)

    @pytest.mark.parametrize("token", ["a b", "a\r\nb", "é", "a\0"])
    def test_malformed_token(self, token: str) -> None:
        with pytest.raises(errors.ProgrammingError, match=r"^auth_token: "):
            settle(XATA, transport="http", auth_token=token)


class TestTLS:
    @pytest.mark.parametrize(
        ("conninfo", "hostname"),
        [
            (PLANETSCALE, "x.pg.psdb.cloud"),
            (f"{NEON}&transport=http", "api.eu.aws.neon.tech"),
            ("host=h gateway=https://g:1", "g"),
            (LOCAL, None),
            (f"{LOCAL}&sslmode=verify-full", None),
            ("", None),
            ("host=localhost sslmode=prefer", None),
            ("host=127.0.0.1 sslmode=allow", None),
            ("host=localhost sslmode=require", "localhost"),
            ("host=::1 sslmode=verify-ca", "::1"),
            (TCP, "db.example"),
            ("host=db.example.", "db.example"),
            ("host=db.example sslmode=allow", "db.example"),
            ("host=db.example sslmode=prefer", "db.example"),
            ("host=db.example sslmode=disable", None),
            ("host=db.example hostaddr=10.0.0.1", "db.example"),
            ("host=db.example hostaddr=127.0.0.1", None),
            ("hostaddr=10.0.0.1", "10.0.0.1"),
            ("host=localhost hostaddr=10.0.0.1", "localhost"),
            ("host=localhost hostaddr=10.0.0.1 sslmode=prefer", "localhost"),
            ("host=/tmp sslmode=require", None),
            ("host=/tmp", None),
        ],
    )
    def test_when(self, conninfo: str, hostname: str | None) -> None:
        found = settle(conninfo)
        assert (found.tls and found.tls.server_hostname) == hostname
        assert found.sslmode == ("disable" if hostname is None else "verify-full")

    @pytest.mark.parametrize(
        ("conninfo", "hostnames"),
        [
            ("host=localhost,db.example", [None, "db.example"]),
            ("host=db.example,localhost", ["db.example", None]),
            ("host=localhost,localhost hostaddr=127.0.0.1,10.0.0.1", [None, "localhost"]),
            ("hostaddr=::1,10.0.0.1", [None, "10.0.0.1"]),
            ("host=/tmp,db.example,127.0.0.1 sslmode=prefer", [None, "db.example", None]),
            ("host=localhost,db.example sslmode=require", ["localhost", "db.example"]),
            ("host=localhost,db.example sslmode=disable", [None, None]),
        ],
    )
    def test_when_there_are_several_hosts(self, conninfo: str, hostnames: list[str | None]) -> None:
        assert [host.tls and host.tls.server_hostname for host in settle(conninfo).hosts] == hostnames

    def test_files(self) -> None:
        found = settle(
            TCP,
            sslrootcert=Path("/a/root.crt"),
            sslcert="/a/client.crt",
            sslkey="/a/client.key",
            sslpassword="secret",
            sslcrl="/a/root.crl",
            ssl_min_protocol_version="TLSv1.3",
        )
        tls = found.tls
        assert tls is not None
        assert (tls.rootcert, tls.cert, tls.key, tls.crl) == (
            "/a/root.crt",
            "/a/client.crt",
            "/a/client.key",
            "/a/root.crl",
        )
        assert (tls.key_password, tls.minimum_version) == ("secret", "TLSv1.3")
        assert "secret" not in repr(found)

    @pytest.mark.parametrize(
        ("keyword", "value", "attribute", "expected"),
        [
            ("sslrootcert", "system", "rootcert", None),
            ("sslcertmode", "disable", "cert", None),
            ("sslcertmode", "allow", "cert", "c"),
            ("ssl_min_protocol_version", "TLSv1", "minimum_version", "TLSv1.2"),
        ],
    )
    def test_values(self, keyword: str, value: str, attribute: str, expected: str | None) -> None:
        found = settle(TCP, sslcert="c", **{keyword: value})
        assert getattr(found.tls, attribute) == expected

    @pytest.mark.parametrize(
        "conninfo",
        [
            "host=h gateway=http://g",
            "host=h ws_proxy=ws://127.0.0.1.evil/v1",
            "host=h fetch_endpoint=http://10.0.0.1/sql",
            "host=h gateway=http://g sslmode=require",
        ],
    )
    def test_plain_endpoint_elsewhere(self, conninfo: str) -> None:
        with pytest.raises(errors.ProgrammingError, match=r"has to be https://.* sslmode=disable"):
            settle(conninfo)

    @pytest.mark.parametrize("conninfo", [XATA, "host=h gateway=https://localhost"])
    def test_disabled_where_it_cannot_be(self, conninfo: str) -> None:
        with pytest.raises(errors.ProgrammingError, match=r"sslmode=disable, but wss://.* is always over TLS"):
            settle(conninfo, sslmode="disable")

    def test_unknown_mode(self) -> None:
        with pytest.raises(errors.ProgrammingError, match=r'invalid sslmode value: "maybe".*verify-full'):
            settle(sslmode="maybe")

    def test_channel_binding(self) -> None:
        assert settle(NEON).transport == "websocket"
        assert settle(f"{NEON}&transport=tcp").channel_binding == "require"
        assert settle(TCP).channel_binding == "prefer"
        with pytest.raises(errors.ProgrammingError, match="invalid channel_binding value"):
            settle(channel_binding="maybe")


class TestHosts:
    def test_defaults(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(hosts, "SOCKET_DIRECTORIES", ())
        found = settle()
        assert (found.host, found.port, found.hostaddr, found.password) == ("localhost", 5432, None, None)
        assert found.user == found.dbname == pwd.getpwuid(os.geteuid()).pw_name

    def test_environment(self) -> None:
        environ = {
            "PGHOST": "h",
            "PGPORT": "6",
            "PGUSER": "u",
            "PGPASSWORD": "p",
            "PGDATABASE": "d",
            "PGAPPNAME": "a",
            "PGSSLMODE": "disable",
            "PGCONNECT_TIMEOUT": "9",
            "PGREQUIREAUTH": "md5",
            "PGOPTIONS": "",
        }
        found = settle("", environ)
        assert (found.host, found.port, found.user, found.password, found.dbname) == ("h", 6, "u", "p", "d")
        assert (found.application_name, found.tls, found.connect_timeout) == ("a", None, 9)
        assert found.require_auth == {"md5"}
        assert found.options is None
        found = settle("host=x port=", environ, user="y")
        assert (found.host, found.port, found.user) == ("x", 5432, "y")

    def test_several(self) -> None:
        found = settle("host=a,/tmp,localhost,::1 port=1,2,,4 hostaddr=10.0.0.1,,,")
        assert [(host.host, host.hostaddr, host.port) for host in found.hosts] == [
            ("a", "10.0.0.1", 1),
            ("/tmp", None, 2),
            ("localhost", None, 5432),
            ("::1", None, 4),
        ]
        assert [host.tls and host.tls.server_hostname for host in found.hosts] == ["a", None, None, None]
        assert (found.host, found.port) == ("a", 1)
        second = found.at(found.hosts[1])
        assert (second.host, second.hostaddr, second.port, second.tls) == ("/tmp", None, 2, None)

    def test_one_port_for_all(self) -> None:
        assert [host.port for host in settle("host=a,b,c port=7").hosts] == [7, 7, 7]
        assert [host.port for host in settle("postgresql://a:1,b,c:3/").hosts] == [1, 5432, 3]

    def test_hostaddr_alone(self) -> None:
        found = settle("hostaddr=127.0.0.1,10.0.0.1")
        assert [(host.host, host.hostaddr) for host in found.hosts] == [
            ("127.0.0.1", "127.0.0.1"),
            ("10.0.0.1", "10.0.0.1"),
        ]

    @pytest.mark.parametrize(
        ("conninfo", "message"),
        [
            ("host=a,b port=1,2,3", "could not match 3 port numbers to 2 hosts"),
            ("host=a,b hostaddr=10.0.0.1", "could not match 2 host names with 1 hostaddr values"),
            ("port=abc", "invalid port.* from 1 to 65535"),
            ("port=0", "invalid port"),
            ("port=65536", "invalid port"),
            ("port=-1", "invalid port"),
            ("port=1.5", "invalid port"),
            ("port=\u0661", "invalid port"),
            ("port=" + "9" * 5000, "invalid port"),
            ("host='a b'", "^host: "),
            ("host=a..b", "^host: "),
            ("host=a:5432", "^host: "),
            ("hostaddr='a b'", "^hostaddr: "),
            ("host=a hostaddr=localhost", "^hostaddr: "),
        ],
    )
    def test_wrong(self, conninfo: str, message: str) -> None:
        with pytest.raises(errors.ProgrammingError, match=message):
            settle(conninfo)

    @pytest.mark.parametrize("conninfo", ["postgresql://u:p@secret@h/", "postgresql://u:secret/p@h/"])
    def test_slips_do_not_show_the_password(self, conninfo: str) -> None:
        with pytest.raises(errors.ProgrammingError) as caught:
            settle(conninfo)
        assert "secret" not in str(caught.value)

    @pytest.mark.parametrize(
        ("conninfo", "where"),
        [
            (TCP, 'server at "db.example", port 5432'),
            ("host=h hostaddr=10.0.0.1 port=6", 'server at "h" (10.0.0.1), port 6'),
            ("hostaddr=10.0.0.1", 'server at "10.0.0.1", port 5432'),
            ("host=/tmp", 'server on socket "/tmp/.s.PGSQL.5432"'),
            (PLANETSCALE, "wss://x.pg.psdb.cloud/v2"),
            (f"{NEON}&transport=http", "https://api.eu.aws.neon.tech/sql"),
            ("host=h ws_proxy=wss://g/v1?token=secret", "wss://g/v1"),
        ],
    )
    def test_where(self, conninfo: str, where: str) -> None:
        assert settle(conninfo).where == where


class TestAuthentication:
    @pytest.mark.parametrize(
        ("conninfo", "early", "allowed"),
        [
            (TCP, "off", DEFAULT_AUTH),
            (LOCAL, "off", DEFAULT_AUTH),
            (PLANETSCALE, "scram", {"scram-sha-256"}),
            (f"{PLANETSCALE}&pipeline_connect=off", "off", {"scram-sha-256"}),
            (f"{PLANETSCALE}&pipeline_connect=false", "off", {"scram-sha-256"}),
            (f"{PLANETSCALE}&require_auth=md5", "off", {"md5"}),
            (f"{PLANETSCALE}&transport=http", "off", {"scram-sha-256"}),
            (f"{PLANETSCALE}&transport=tcp", "off", {"scram-sha-256"}),
            (NEON, "password", {"scram-sha-256", "password"}),
            (f"{NEON}&pipeline_connect=scram", "scram", {"scram-sha-256", "password"}),
            (f"{NEON}&gateway=https://g", "off", DEFAULT_AUTH),
            (XATA, "scram", {"scram-sha-256"}),
            (f"{LOCAL}&pipeline_connect=scram", "scram", DEFAULT_AUTH),
            (f"{LOCAL}&pipeline_connect=password&require_auth=password", "password", {"password"}),
            (f"{TCP}?pipeline_connect=scram", "scram", DEFAULT_AUTH),
            (f"{TCP}?require_auth=password,%20md5", "off", {"password", "md5"}),
            (
                f"{TCP}?require_auth=!password,!none",
                "off",
                {"md5", "gss", "sspi", "scram-sha-256", "oauth"},
            ),
        ],
    )
    def test_methods(self, conninfo: str, early: str, allowed: set[str]) -> None:
        found = settle(conninfo)
        assert found.pipeline_connect == early
        assert found.require_auth == allowed

    @pytest.mark.parametrize(
        ("kwargs", "message"),
        [
            ({"require_auth": "magic"}, "invalid require_auth value: it should be a list of password"),
            ({"require_auth": "md5,!none"}, "cannot be mixed"),
            ({"require_auth": "md5,"}, "invalid require_auth value"),
            ({"pipeline_connect": "yes"}, 'invalid pipeline_connect value: it should be "scram", "password" or "off"'),
            ({"pipeline_connect": True}, "invalid pipeline_connect value"),
            ({"pipeline_connect": "password"}, "require_auth=none,scram-sha-256 does not allow"),
            ({"pipeline_connect": "scram", "require_auth": "none"}, "require_auth=none does not allow"),
        ],
    )
    def test_wrong(self, kwargs: Any, message: str) -> None:
        with pytest.raises(errors.ProgrammingError, match=message):
            settle(LOCAL, **kwargs)

    def test_never_a_password_to_planetscale(self) -> None:
        with pytest.raises(errors.ProgrammingError, match="require_auth=scram-sha-256 does not allow that"):
            settle(PLANETSCALE, pipeline_connect="password")

    def test_false(self) -> None:
        assert settle(NEON, pipeline_connect=False).pipeline_connect == "off"


class TestValues:
    @pytest.mark.parametrize(
        ("value", "seconds"), [(None, 130), ("", 130), ("0", 130), (-1, 130), ("1", 2), (2.5, 2), ("10", 10)]
    )
    def test_connect_timeout(self, value: Any, seconds: float) -> None:
        assert settle(connect_timeout=value).connect_timeout == seconds

    @pytest.mark.parametrize(
        ("value", "seconds"),
        [(None, None), ("", None), ("0", None), (-1, None), (0.25, 0.25), ("1.5", 1.5), ("inf", None), ("10", 10)],
    )
    def test_timeout(self, value: Any, seconds: float | None) -> None:
        assert settle(timeout=value).timeout == seconds

    def test_a_request_has_a_timeout_by_default(self) -> None:
        http = {"transport": "http", "gateway": "http://localhost:1"}
        assert settle(**http).timeout == 300
        assert settle(**http, timeout=0).timeout is None
        assert settle(**http, timeout=5).timeout == 5
        assert settle().timeout is None

    @pytest.mark.parametrize(
        ("value", "lazy"),
        [(None, False), (True, True), (False, False), ("true", True), ("off", False), ("1", True), ("No", False)],
    )
    def test_lazy(self, value: Any, lazy: bool) -> None:
        assert settle(lazy=value).lazy is lazy

    @pytest.mark.parametrize(
        ("keyword", "value", "message"),
        [
            ("lazy", "maybe", 'invalid lazy value: "maybe"; it should be true or false'),
            ("timeout", "x", 'invalid timeout value: "x"; it should be a number of seconds'),
            ("timeout", "nan", "invalid timeout value"),
            ("connect_timeout", "x", "bad value for connect_timeout: 'x'"),
            ("keepalives_idle", "x", 'invalid integer value "x" for connection option "keepalives_idle"'),
            ("keepalives", "1_0", 'invalid integer value "1_0" for connection option "keepalives"'),
            ("tcp_user_timeout", "9999999999", 'invalid integer value "9999999999"'),
            ("sslcertmode", "require", "there is no certificate"),
            ("ssl_min_protocol_version", "SSLv3", "invalid ssl_min_protocol_version value"),
            ("max_protocol_version", "2.0", "invalid max_protocol_version value"),
            ("foo", "x", 'invalid connection option "foo"'),
            ("host", b"h", "host: the value should be a str, got bytes"),
            ("user", ["u"], "user: the value should be a str, got list"),
            ("user", "a\nb", "user: the value contains a control character"),
            ("dbname", "a\rb", "dbname: the value contains a control character"),
            ("application_name", "\x7f", "application_name: the value contains a control character"),
            ("host", "a\r\nb", "host: the value contains a control character"),
            ("gateway", "http://localhost/\r\n", "gateway: the value contains a control character"),
            ("password", "a\0b", "password: the value contains a control character"),
            ("user", "\ud800", "user: the value cannot be encoded"),
            ("password", "\ud800", "password: the value cannot be encoded"),
            ("gateway", "http://localhost?a=b", "gateway: the base URL has a query"),
        ],
    )
    def test_wrong(self, keyword: str, value: Any, message: str) -> None:
        with pytest.raises(errors.ProgrammingError, match=message):
            settle("host=db.example" if keyword.startswith("ssl") else "", **{keyword: value})

    @pytest.mark.parametrize(
        ("keyword", "value"),
        [
            ("gssencmode", "require"),
            ("sslsni", "0"),
            ("ssl_max_protocol_version", "TLSv1.1"),
            ("requirepeer", "postgres"),
            ("scram_client_key", "secret"),
            ("scram_server_key", "secret"),
        ],
    )
    def test_not_supported(self, keyword: str, value: str) -> None:
        with pytest.raises(errors.NotSupportedError, match=keyword) as caught:
            settle("host=db.example,/tmp ssl_min_protocol_version=TLSv1", **{keyword: value})
        assert "secret" not in str(caught.value)

    @pytest.mark.parametrize("target", ["primary", "standby", "read-only"])
    def test_no_session_to_ask(self, target: str) -> None:
        with pytest.raises(errors.NotSupportedError, match=f"target_session_attrs={target} needs transport=websocket"):
            settle(LOCAL, transport="http", target_session_attrs=target)
        assert settle(LOCAL, target_session_attrs=target).target_session_attrs == target

    @pytest.mark.parametrize("target", ["any", "read-write", "prefer-standby"])
    def test_what_a_server_over_http_can_be(self, target: str) -> None:
        assert settle(LOCAL, transport="http", target_session_attrs=target).transport == "http"

    @pytest.mark.parametrize("sslmode", ["allow", "prefer", "disable"])
    def test_direct_tls_and_weak_modes(self, sslmode: str) -> None:
        with pytest.raises(errors.OperationalError, match=f'weak sslmode "{sslmode}" may not be used'):
            settle("host=db.example sslnegotiation=direct", sslmode=sslmode)

    @pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "db.example"])
    @pytest.mark.parametrize("sslmode", [None, "require", "verify-ca", "verify-full"])
    def test_direct_tls(self, host: str, sslmode: str | None) -> None:
        found = settle("sslnegotiation=direct", host=host, sslmode=sslmode)
        assert found.direct_tls
        assert found.tls is not None
        assert (found.tls.server_hostname, found.tls.alpn, found.tls.alpn_required) == (host, ("postgresql",), True)

    def test_a_wrong_value_is_an_operational_error_too(self) -> None:
        """As it is to psycopg, which hears of it from libpq when it connects."""
        for conninfo in ("sslmode=x", "port=x", "host=a,b port=1,2,3", "service=x", "require_auth=x"):
            with pytest.raises(errors.OperationalError):
                settle(conninfo)

    @pytest.mark.parametrize(
        "keyword", ["gssencmode", "sslnegotiation", "target_session_attrs", "load_balance_hosts", "sslmode"]
    )
    def test_unknown_choice(self, keyword: str) -> None:
        with pytest.raises(errors.ProgrammingError, match=f'invalid {keyword} value: "x"; it should be'):
            settle("", **{keyword: "x"})

    @pytest.mark.parametrize(
        "conninfo",
        [
            "gssencmode=disable target_session_attrs=any sslnegotiation=postgres load_balance_hosts=disable sslsni=1",
            "gssencmode=prefer channel_binding=disable sslcompression=0 krbsrvname=x gsslib=x gssdelegation=0",
            "sslkey='' service='' requirepeer=''",
            "host=127.0.0.1 requirepeer=postgres sslsni=0",
            "host=db.example sslsni=7 oauth_issuer=x oauth_client_id=x oauth_client_secret=x oauth_scope=x",
        ],
    )
    def test_ignored(self, conninfo: str) -> None:
        assert settle(conninfo).transport == "tcp"

    def test_keepalive(self) -> None:
        found = settle(keepalives=0, keepalives_idle=1, keepalives_interval="2", keepalives_count=3, tcp_user_timeout=4)
        assert found.keepalive == KeepAlive(enabled=False, idle=1, interval=2, probes=3, user_timeout=4)
        assert settle().keepalive == KeepAlive()
        assert settle(keepalives_count=" +2 ", tcp_user_timeout="-5").keepalive == KeepAlive(probes=2)

    @pytest.mark.parametrize(
        ("conninfo", "version"),
        [
            ("", 196608),
            ("max_protocol_version=latest", 196610),
            ("max_protocol_version=3.2", 196610),
            ("min_protocol_version=3.2", 196610),
            ("min_protocol_version=3.0", 196608),
        ],
    )
    def test_protocol(self, conninfo: str, version: int) -> None:
        assert settle(conninfo).protocol == version

    def test_protocol_contradiction(self) -> None:
        with pytest.raises(errors.ProgrammingError, match="min_protocol_version is greater"):
            settle("min_protocol_version=3.2 max_protocol_version=3.0")

    def test_all_in_the_url(self) -> None:
        found = settle(f"{LOCAL}&lazy=1&timeout=2.5&pipeline_connect=scram&require_auth=scram-sha-256")
        assert (found.lazy, found.timeout, found.pipeline_connect) == (True, 2.5, "scram")
        assert found.require_auth == {"scram-sha-256"}


class TestStartup:
    def test_least(self) -> None:
        assert settle(TCP).startup_parameters() == {"user": "u", "database": "db", "client_encoding": "UTF8"}

    def test_all(self) -> None:
        found = settle(
            TCP,
            {"PGTZ": "UTC", "PGDATESTYLE": "ISO", "PGGEQO": "default"},
            options="-c a=b",
            application_name="a",
            fallback_application_name="f",
            client_encoding="LATIN1",
            replication="database",
        )
        assert found.startup_parameters() == {
            "user": "u",
            "database": "db",
            "replication": "database",
            "options": "-c a=b",
            "application_name": "a",
            "client_encoding": "LATIN1",
            "TimeZone": "UTC",
            "DateStyle": "ISO",
        }

    def test_fallbacks(self) -> None:
        found = settle(TCP, fallback_application_name="f", client_encoding="auto")
        assert found.startup_parameters()["application_name"] == "f"
        assert found.client_encoding == "UTF8"


class TestConnectionString:
    @pytest.mark.parametrize(
        ("conninfo", "expected"),
        [
            (PLANETSCALE, "postgresql://postgres.abc:pscale_pw@x.pg.psdb.cloud:6432/db"),
            (NEON, "postgresql://u:p@ep-a-1.eu.aws.neon.tech:5432/db"),
            (LOCAL, "postgresql://u:p@localhost:5432/db"),
            ("host=::1 user=u dbname=d", "postgresql://u@[::1]:5432/d"),
            (
                "host=h user='a:b@/?' password='é &%' dbname='x/y'",
                "postgresql://a%3Ab%40%2F%3F:%C3%A9%20%26%25@h:5432/x%2Fy",
            ),
            (
                "host=h user=u dbname=d options='endpoint=x y' application_name=é",
                "postgresql://u@h:5432/d?options=endpoint%3Dx%20y&application_name=%C3%A9",
            ),
        ],
    )
    def test_form(self, conninfo: str, expected: str) -> None:
        assert settle(conninfo).http_connection_string() == expected

    @settings(deadline=None)
    @given(user=st.text(min_size=1), password=st.text(min_size=1), dbname=st.text(min_size=1))
    def test_round_trip(self, user: str, password: str, dbname: str) -> None:
        try:
            found = settle(host="h", user=user, password=password, dbname=dbname)
        except errors.ProgrammingError:
            return
        text = found.http_connection_string()
        assert text.isascii()
        assert text.isprintable()
        again = settle(text)
        assert (again.user, again.password, again.dbname) == (user, password, dbname)


class TestSecrets:
    def test_repr(self) -> None:
        found = settle(XATA, password="secret1", sslpassword="secret2", auth_token="secret3", transport="http")
        assert "secret" not in repr(found)
        assert found.password == "secret1"

    def test_given(self) -> None:
        found = settle("postgresql://u:p@h/?connect_timeout=5", {"PGAPPNAME": "a"}, ws_proxy=lambda host, port: "g/")
        assert found.given == {
            "user": "u",
            "dbname": "u",
            "password": "p",
            "host": "h",
            "connect_timeout": "5",
            "application_name": "a",
        }

    @settings(deadline=None, max_examples=300)
    @given(
        st.sampled_from(["postgresql://u:{}@h/d", "host=h password={} user=u", "password='{}'"]),
        st.text(st.sampled_from("/@:?#%&=[], \\'\"a\n"), max_size=6),
        st.text(st.sampled_from("/@:?#%&= '\\b"), max_size=6),
    )
    def test_no_message_has_the_password(self, conninfo: str, before: str, after: str) -> None:
        message = ""
        try:
            settle(conninfo.format(f"{before}SeCrEt{after}"))
        except errors.Error as error:
            message = repr(error)
        assert "SeCrEt" not in message


class TestPasswordFile:
    @pytest.fixture
    def passfile(self, tmp_path: Path) -> Path:
        path = tmp_path / ".pgpass"
        path.write_text(
            "# host:port:database:user:password\n"
            "\n"
            "too:few:fields\n"
            "h:5432:d:u:first\n"
            "h:*:*:u:second:not this\n"
            "localhost:*:d:u:local\n"
            r"a\:b:5432:d:u\\v:with\:colon\\" + "\r\n"
            "*:*:*:*:any\n"
        )
        path.chmod(0o600)
        return path

    @pytest.mark.parametrize(
        ("conninfo", "password"),
        [
            ("host=h user=u dbname=d", "first"),
            ("host=h user=u dbname=e", "second"),
            ("host=h port=6 user=u dbname=d", "second"),
            ("host=h user=v dbname=d", "any"),
            ("user=u dbname=d", "local"),
            ("host=/tmp user=u dbname=d", "local"),
            ("host=/srv user=u dbname=d", "any"),
            ("host=h user=u dbname=d password=given", "given"),
            ("host=h user=u dbname=d ws_proxy=wss://g", "first"),
        ],
    )
    def test_which(self, passfile: Path, conninfo: str, password: str) -> None:
        assert settle(conninfo, passfile=passfile).password == password
        assert settle(conninfo, {"PGPASSFILE": str(passfile)}).password == password
        assert settle(conninfo, {"HOME": str(passfile.parent)}).password == password

    def test_for_each_host(self, passfile: Path) -> None:
        found = settle("host=h,localhost,x user=u dbname=d", passfile=passfile)
        assert [found.at(host).password for host in found.hosts] == ["first", "local", "any"]
        assert "first" not in repr(found)

    def test_escapes(self, tmp_path: Path) -> None:
        from neonps.passfile import find_password, read_passfile

        path = tmp_path / "passfile"
        path.write_bytes(b"a\\:b:1:d\\\\:u:p\\:\\\\q\xc3\xa9\n\xff:1:d:u:x\nh:2:d:u:\n")
        path.chmod(0o600)
        entries = read_passfile(str(path))
        assert find_password(entries, "a:b", 1, "d\\", "u") == "p:\\qé"
        assert find_password(entries, "h", 2, "d", "u") is None
        assert "q" not in repr(entries)

    def test_others_may_read_it(self, passfile: Path, caplog: pytest.LogCaptureFixture) -> None:
        passfile.chmod(0o640)
        assert settle("host=h user=u dbname=d", passfile=passfile).password is None
        assert "has group or world access" in caplog.text
        assert "first" not in caplog.text

    def test_not_a_file(self, tmp_path: Path) -> None:
        assert settle("host=h", passfile=tmp_path).password is None
        assert settle("host=h", passfile=tmp_path / "missing").password is None


class TestServiceFile:
    @pytest.fixture
    def environ(self, tmp_path: Path) -> dict[str, str]:
        (tmp_path / ".pg_service.conf").write_text(
            "# services\n[a]\nhost=h\n  port=7\n\n[b]\nhost=x\nport=8\nhost=y\n[bad]\nhost\n"
            "[unknown]\nfoo=1\n[nested]\nservice=a\n[local]\ngateway=http://localhost:4444\ntransport=http\n"
        )
        system = tmp_path / "system"
        system.mkdir()
        (system / "pg_service.conf").write_text("[a]\nhost=not this\n[c]\nhost=z\n")
        return {"HOME": str(tmp_path), "PGSYSCONFDIR": str(system)}

    def test_values(self, environ: dict[str, str]) -> None:
        found = settle("service=a", environ)
        assert (found.host, found.port) == ("h", 7)
        found = settle("postgresql:///?service=b", environ)
        assert (found.host, found.port) == ("x", 8)
        assert settle("service=c", environ).host == "z"
        assert settle("", {**environ, "PGSERVICE": "a"}).host == "h"
        assert settle("service=local", environ).transport == "http"

    def test_precedence(self, environ: dict[str, str]) -> None:
        found = settle("service=a", {**environ, "PGPORT": "9", "PGUSER": "e"}, host="k")
        assert (found.host, found.port, found.user) == ("k", 7, "e")

    def test_other_file(self, environ: dict[str, str], tmp_path: Path) -> None:
        other = tmp_path / "other"
        other.write_text("[a]\nhost=o\n")
        assert settle("service=a", {**environ, "PGSERVICEFILE": str(other)}).host == "o"
        with pytest.raises(errors.ProgrammingError, match=r"service file .* not found"):
            settle("service=a", {**environ, "PGSERVICEFILE": str(tmp_path / "missing")})

    @pytest.mark.parametrize(
        ("name", "message"),
        [
            ("missing", 'definition of service "missing" not found'),
            ("bad", "syntax error in service file .* line 11"),
            ("unknown", "syntax error in service file .* line 13"),
            ("nested", "nested service specifications not supported"),
        ],
    )
    def test_wrong(self, environ: dict[str, str], name: str, message: str) -> None:
        with pytest.raises(errors.ProgrammingError, match=message):
            settle(f"service={name}", environ)
