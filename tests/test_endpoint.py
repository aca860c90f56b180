"""Endpoints and the providers that have them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neonps import errors
from neonps.endpoint import Endpoint, check_host, is_loopback
from neonps.providers import PROVIDERS, address, find_provider


class TestEndpoint:
    @pytest.mark.parametrize(
        ("url", "expected", "header", "shown"),
        [
            ("https://h/sql", (True, "h", 443, "/sql"), "h", "https://h/sql"),
            ("http://h:80/", (False, "h", 80, "/"), "h", "http://h/"),
            ("https://h:80", (True, "h", 80, "/"), "h:80", "https://h:80/"),
            ("HTTPS://h:8443/a/b?c=d", (True, "h", 8443, "/a/b?c=d"), "h:8443", "https://h:8443/a/b"),
            ("https://h?c=d", (True, "h", 443, "/?c=d"), "h", "https://h/"),
            ("http://[::1]:4444/x", (False, "::1", 4444, "/x"), "[::1]:4444", "http://[::1]:4444/x"),
            ("https://[2001:db8::1]/", (True, "2001:db8::1", 443, "/"), "[2001:db8::1]", "https://[2001:db8::1]/"),
            ("wss://a_b.c-d.e/v2", (True, "a_b.c-d.e", 443, "/v2"), "a_b.c-d.e", "https://a_b.c-d.e/v2"),
            ("https://h:/", (True, "h", 443, "/"), "h", "https://h/"),
            ("proxy.example/v2", (True, "proxy.example", 443, "/v2"), "proxy.example", "https://proxy.example/v2"),
            ("localhost:4444/v2", (False, "localhost", 4444, "/v2"), "localhost:4444", "http://localhost:4444/v2"),
        ],
    )
    def test_parse(self, url: str, expected: Any, header: str, shown: str) -> None:
        endpoint = Endpoint.parse(url, "gateway")
        assert (endpoint.secure, endpoint.host, endpoint.port, endpoint.target) == expected
        assert endpoint.host_header == header
        assert endpoint.url == shown

    def test_websocket(self) -> None:
        assert Endpoint.parse("https://h/v2", "x", websocket=True).url == "wss://h/v2"
        assert Endpoint.parse("http://h/v2", "x", websocket=True).url == "ws://h/v2"

    @pytest.mark.parametrize("secure", [True, False])
    def test_without_scheme(self, secure: bool) -> None:
        endpoint = Endpoint.parse("h/v2", "x", secure=secure)
        assert (endpoint.secure, endpoint.port) == (secure, 443 if secure else 80)

    @pytest.mark.parametrize(
        "url",
        [
            "",
            "/",
            "https://",
            "https:///sql",
            "https://:443/",
            "ftp://h/",
            "postgresql://h/",
            "https://secret@h/",
            "https://u:secret@h/",
            "https://h/ secret",
            "https://h/\r\nsecret: x",
            "https://h/\0",
            "https://h/é",
            "https://h\u2028/",
            "https://h/#secret",
            "https://h:0/",
            "https://h:65536/",
            "https://h:x/",
            "https://h:99999999999999999999/",
            f"https://h:{'9' * 5000}/",
            "https://[::1/",
            "https://[]/",
            "https://[secret]/",
            "https://::1/",
            "https://a..b/",
            "https://.a/",
            "https://a,b/",
            f"https://{'a' * 64}.b/",
            None,
            1,
            b"https://h/",
        ],
    )
    def test_wrong(self, url: Any) -> None:
        with pytest.raises(errors.ProgrammingError, match=r"^gateway: ") as caught:
            Endpoint.parse(url, "gateway")
        assert "secret" not in str(caught.value)

    @given(st.text(max_size=30))
    def test_any_text_is_harmless_in_a_request(self, text: str) -> None:
        try:
            endpoint = Endpoint.parse(f"https://{text}", "x")
        except errors.ProgrammingError:
            return
        for part in (endpoint.target, endpoint.host_header):
            assert part.isascii()
            assert part.isprintable()
            assert " " not in part
        assert endpoint.target.startswith("/")

    def test_query_is_not_shown(self) -> None:
        endpoint = Endpoint.parse("https://h/v2?token=secret", "x")
        assert "secret" not in endpoint.url + repr(endpoint)


class TestHosts:
    @pytest.mark.parametrize(
        "host", ["localhost", "LocalHost", "localhost.", "127.0.0.1", "127.255.0.3", "::1", "0:0:0:0:0:0:0:1"]
    )
    def test_loopback(self, host: str) -> None:
        assert is_loopback(host)

    @pytest.mark.parametrize(
        "host",
        ["", "localhost.evil", "127.0.0.1.evil", "127.0.0", "1127.0.0.1", "128.0.0.1", "::", "::11", "0.0.0.0", "a"],
    )
    def test_not_loopback(self, host: str) -> None:
        assert not is_loopback(host)

    @pytest.mark.parametrize("host", ["a", "a.b.", "a_b", "10.0.0.1", "::1", "fe80::1%eth0", "bücher.example", "xn--a"])
    def test_good(self, host: str) -> None:
        assert check_host(host, "host") == host

    @pytest.mark.parametrize(
        "host", ["", ".", "a..b", "a b", "a\n", "a\0", "a/b", "a?b", "a#b", "q@a", "[::1]", "a:5432", "a,b", "\x7f"]
    )
    def test_wrong(self, host: str) -> None:
        with pytest.raises(errors.ProgrammingError, match=r"^host: ") as caught:
            check_host(host, "host")
        assert host not in str(caught.value).removeprefix("host: ") or host in ("", ".")


class TestProviders:
    @pytest.mark.parametrize(
        ("host", "name"),
        [
            ("abcd.pg.psdb.cloud", "PlanetScale"),
            ("x.psdb.cloud", "PlanetScale"),
            ("X.PG.PSDB.Cloud.", "PlanetScale"),
            ("ep-name-123.eu-central-1.aws.neon.tech", "Neon"),
            ("ep-name-123-pooler.eastus2.azure.neon.tech", "Neon"),
            ("branch.us-east-1.xata.tech", "Xata"),
            ("psdb.cloud", None),
            (".psdb.cloud", None),
            ("evilpsdb.cloud", None),
            ("x.psdb.cloud.evil.com", None),
            ("x.psdb.cloudy", None),
            ("neon.tech.example", None),
            ("evilneon.tech", None),
            ("localhost", None),
            ("", None),
        ],
    )
    def test_by_suffix(self, host: str, name: str | None) -> None:
        provider = find_provider(host)
        assert (provider and provider.name) == name

    def test_planetscale(self) -> None:
        provider = find_provider("x.pg.psdb.cloud")
        assert provider is not None
        assert provider.fetch_url("x.pg.psdb.cloud", 6432, False) == "https://x.pg.psdb.cloud/sql"
        expected = "wss://x.pg.psdb.cloud/v2?address=x.pg.psdb.cloud:6432"
        assert provider.websocket_url("x.pg.psdb.cloud", 6432) == expected
        assert provider.pipeline_connect == "scram"
        assert provider.require_auth == {"scram-sha-256"}

    def test_neon(self) -> None:
        provider = find_provider("ep-a-1.eu.aws.neon.tech")
        assert provider is not None
        assert provider.fetch_url("ep-a-1.eu.aws.neon.tech", 5432, False) == "https://api.eu.aws.neon.tech/sql"
        assert provider.fetch_url("ep-a-1.eu.aws.neon.tech", 5432, True) == "https://apiauth.eu.aws.neon.tech/sql"
        assert provider.websocket_url("ep-a-1.eu.aws.neon.tech", 5432) == "wss://ep-a-1.eu.aws.neon.tech/v2"
        assert provider.pipeline_connect == "password"
        assert provider.require_auth == {"scram-sha-256", "password"}

    def test_xata(self) -> None:
        provider = find_provider("main.us.xata.tech")
        assert provider is not None
        assert provider.fetch_url("main.us.xata.tech", 5432, False) == "https://main.us.xata.tech/sql"
        assert provider.websocket_url("main.us.xata.tech", 5432) == "wss://main.us.xata.tech/v2"
        assert provider.pipeline_connect == "scram"

    @pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.name)
    def test_endpoints_are_secure(self, provider: Any) -> None:
        host = f"a.b{provider.suffix}"
        for url in (provider.fetch_url(host, 1, False), provider.websocket_url(host, 1)):
            assert Endpoint.parse(url, "x").secure

    @pytest.mark.parametrize(
        ("host", "expected"),
        [("a.b", "address=a.b:5"), ("::1", "address=%5B::1%5D:5"), ("bücher", "address=b%C3%BCcher:5")],
    )
    def test_address(self, host: str, expected: str) -> None:
        assert address(host, 5) == expected
