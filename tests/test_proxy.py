"""Proxies: real ones with a login and with TLS, on every transport, and some that do not behave."""

from __future__ import annotations

import asyncio
import pickle
import socket
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest
import trustme
from fake_server import FakeServer
from gateway_client import wait_for
from proxy_server import ProxyServer
from tls_postgres import TLSPostgres
from transports import through_gateway

import neonps
from neonps.commands.doctor.diagnosis import diagnose
from neonps.embedded import EmbeddedPostgres
from neonps.gateway import Gateway
from neonps.gateway.upstream import Upstream
from neonps.local import serve
from neonps.proxies import is_excepted, parse_proxy
from neonps.settings import resolve

LOGIN = "ada l:p@ss:wörd"
IN_URL = "ada%20l:p%40ss%3Aw%C3%B6rd"
SECRET = "S3cret"


class Files(NamedTuple):
    """Paths of PEM files: a CA, a certificate with its key for this machine and `gateway.test`, another CA."""

    ca: str
    cert: str
    key: str
    other_ca: str


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    directory = tmp_path_factory.mktemp("tls")
    ca = trustme.CA()
    cert = ca.issue_cert("localhost", "127.0.0.1", "gateway.test")
    paths = Files(*(str(directory / f"{name}.pem") for name in Files._fields))
    ca.cert_pem.write_to_path(paths.ca)
    cert.private_key_and_cert_chain_pem.write_to_path(paths.cert)
    cert.private_key_pem.write_to_path(paths.key)
    trustme.CA().cert_pem.write_to_path(paths.other_ca)
    return paths


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProxyServer]:
    """A proxy that wants a login."""
    with ProxyServer(tmp_path_factory.mktemp("proxy"), LOGIN) as server:
        yield server


@pytest.fixture(scope="module")
def tls_proxy(tmp_path_factory: pytest.TempPathFactory, files: Files) -> Iterator[ProxyServer]:
    """A proxy that wants a login, over TLS."""
    with ProxyServer(tmp_path_factory.mktemp("proxy"), LOGIN, files.cert, files.key) as server:
        yield server


@pytest.fixture(scope="module")
def secure(dsn: str, files: Files) -> Iterator[Gateway]:
    """A gateway with TLS."""
    with serve(dsn, tls_cert=files.cert) as server:
        yield server.gateway


@pytest.fixture(params=["http", "https"])
def through(request: pytest.FixtureRequest) -> tuple[ProxyServer, str]:
    """Each proxy, with its URL."""
    name = {"http": "proxy", "https": "tls_proxy"}[request.param]
    server: ProxyServer = request.getfixturevalue(name)
    return server, f"{request.param}://{IN_URL}@127.0.0.1:{server.port}"


@pytest.fixture(params=["plain", "secure"])
def endpoint(request: pytest.FixtureRequest, gateway: Gateway) -> Gateway:
    """The gateway without and with TLS."""
    found: Gateway = gateway if request.param == "plain" else request.getfixturevalue("secure")
    return found


# Real proxies


@through_gateway
def test_a_connection_goes_through_the_proxy(
    dsn: str, transport: str, files: Files, through: tuple[ProxyServer, str], endpoint: Gateway
) -> None:
    server, proxy = through
    before = server.ways(endpoint.port)
    url = f"{dsn}?gateway={endpoint.url}"
    with neonps.connect(url, transport=transport, proxy=proxy, sslrootcert=files.ca) as connection:
        assert connection.execute("select %s", [7]).fetchone() == (7,)
        # More than a record of TLS and a socket's buffer, either way.
        text = "x" * 3_000_000
        assert connection.execute("select %s::text || 'y'", [text]).fetchone() == (text + "y",)
    server.wait_for_ways(endpoint.port, before + 1)


@through_gateway
def test_an_async_connection_goes_through_the_proxy(
    dsn: str, transport: str, files: Files, through: tuple[ProxyServer, str], endpoint: Gateway
) -> None:
    server, proxy = through
    before = server.ways(endpoint.port)

    async def use() -> None:
        url = f"{dsn}?gateway={endpoint.url}"
        async with await neonps.AsyncConnection.connect(
            url, transport=transport, proxy=proxy, sslrootcert=files.ca
        ) as connection:
            text = "x" * 3_000_000
            cursor = await connection.execute("select %s::text || 'y'", [text])
            assert await cursor.fetchone() == (text + "y",)

    asyncio.run(use())
    server.wait_for_ways(endpoint.port, before + 1)


def test_tcp_goes_through_the_proxy_that_is_given(
    postgres: EmbeddedPostgres, files: Files, through: tuple[ProxyServer, str]
) -> None:
    server, proxy = through
    before = server.ways(postgres.port)
    with neonps.connect(postgres.url, proxy=proxy, sslrootcert=files.ca) as connection:
        assert connection.execute("select 1").fetchone() == (1,)
    server.wait_for_ways(postgres.port, before + 1)


def test_tls_of_tcp_reaches_through_the_proxy_to_the_server(
    postgres: EmbeddedPostgres, files: Files, through: tuple[ProxyServer, str]
) -> None:
    _, proxy = through
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(files.cert)
    with closing(TLSPostgres(postgres, context)) as server:
        way: dict[str, Any] = {"port": server.port, "sslmode": "require", "proxy": proxy, "sslrootcert": files.ca}
        with neonps.connect(postgres.url, **way) as connection:
            assert connection.execute("select 1").fetchone() == (1,)
            assert connection.pgconn.ssl_in_use
        with pytest.raises(neonps.OperationalError, match=r"127\.0\.0\.2"):
            neonps.connect(postgres.url, host="127.0.0.2", **way)


def test_a_cancel_request_goes_through_the_proxy(
    dsn: str, files: Files, through: tuple[ProxyServer, str], secure: Gateway
) -> None:
    server, proxy = through
    before = server.ways(secure.port)
    url = f"{dsn}?gateway={secure.url}"
    with (
        neonps.connect(url, proxy=proxy, sslrootcert=files.ca, autocommit=True) as connection,
        neonps.connect(dsn, autocommit=True) as observer,
        ThreadPoolExecutor(1) as pool,
    ):
        pid = connection.info.backend_pid
        query = pool.submit(connection.execute, "select pg_sleep(100)")
        active = "select 1 from pg_stat_activity where pid = %s and state = 'active' and wait_event = 'PgSleep'"
        wait_for(lambda: observer.execute(active, [pid]).fetchone() is not None)
        connection.cancel()
        with pytest.raises(neonps.errors.QueryCanceled):
            query.result()
        assert connection.execute("select 1").fetchone() == (1,)
    server.wait_for_ways(secure.port, before + 2)


def test_a_connection_over_tls_in_tls_is_ended_from_another_thread(
    dsn: str, files: Files, tls_proxy: ProxyServer, secure: Gateway
) -> None:
    connection = neonps.connect(
        f"{dsn}?gateway={secure.url}",
        proxy=f"https://{IN_URL}@localhost:{tls_proxy.port}",
        sslrootcert=files.ca,
        autocommit=True,
    )
    with neonps.connect(dsn, autocommit=True) as observer, ThreadPoolExecutor(1) as pool:
        query = pool.submit(connection.execute, "select pg_sleep(100)")
        active = "select 1 from pg_stat_activity where pid = %s and wait_event = 'PgSleep'"
        wait_for(lambda: observer.execute(active, [connection.info.backend_pid]).fetchone() is not None)
        connection.close()
        with pytest.raises(neonps.OperationalError):
            query.result()
    assert connection.closed


@through_gateway
@pytest.mark.parametrize("login", ["", f"ada%20l:{SECRET}@"], ids=["no login", "a wrong login"])
def test_a_login_that_the_proxy_does_not_take(
    url: str, gateway: Gateway, proxy: ProxyServer, transport: str, login: str
) -> None:
    before = proxy.ways(gateway.port)
    with (
        pytest.raises(neonps.OperationalError, match="status 407") as caught,
        neonps.connect(url, transport=transport, proxy=f"http://{login}127.0.0.1:{proxy.port}") as connection,
    ):
        connection.execute("select 1")
    assert f"through the proxy http://127.0.0.1:{proxy.port} failed: the proxy " in str(caught.value)
    assert ("does not take the user or the password" in str(caught.value)) is bool(login)
    assert SECRET not in str(caught.value)
    assert SECRET.encode() not in pickle.dumps(caught.value)
    assert proxy.ways(gateway.port) == before


def test_a_server_that_the_proxy_cannot_reach(dsn: str, proxy: ProxyServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(neonps.OperationalError, match=r"the proxy .* 127.0.0.1:|the proxy closed"):
        neonps.connect(f"{dsn}?gateway=http://127.0.0.1:{port}", proxy=f"http://{IN_URL}@127.0.0.1:{proxy.port}")


@through_gateway
def test_the_server_is_verified_behind_the_proxy(
    dsn: str, files: Files, proxy: ProxyServer, transport: str, secure: Gateway
) -> None:
    with (
        pytest.raises(neonps.OperationalError, match="certificate verify failed"),
        neonps.connect(
            f"{dsn}?gateway={secure.url}",
            transport=transport,
            proxy=f"http://{IN_URL}@127.0.0.1:{proxy.port}",
            sslrootcert=files.other_ca,
        ) as connection,
    ):
        connection.execute("select 1")


def test_the_server_is_verified_inside_the_tls_of_the_proxy(
    dsn: str, files: Files, tls_proxy: ProxyServer, tmp_path: Path
) -> None:
    ca = trustme.CA()
    cert = tmp_path / "server.pem"
    ca.issue_cert("other.example.com").private_key_and_cert_chain_pem.write_to_path(str(cert))
    both = tmp_path / "both.pem"
    both.write_bytes(ca.cert_pem.bytes() + Path(files.ca).read_bytes())
    with (
        serve(dsn, tls_cert=str(cert)) as server,
        pytest.raises(neonps.OperationalError, match="certificate verify failed") as caught,
    ):
        neonps.connect(
            f"{dsn}?gateway={server.gateway.url}",
            proxy=f"https://{IN_URL}@127.0.0.1:{tls_proxy.port}",
            sslrootcert=both,
        )
    assert "TLS with the proxy" not in str(caught.value)


def test_the_proxy_is_verified(url: str, files: Files, tls_proxy: ProxyServer) -> None:
    with pytest.raises(neonps.OperationalError, match="TLS with the proxy: SSL error: certificate verify failed"):
        neonps.connect(url, proxy=f"https://{IN_URL}@127.0.0.1:{tls_proxy.port}", sslrootcert=files.other_ca)


def test_a_client_certificate_is_not_shown_to_the_proxy(files: Files) -> None:
    settings = resolve(
        "user=u gateway=https://g.example.com proxy=https://p.example.com",
        {"sslcert": files.cert, "sslkey": files.key, "sslrootcert": files.ca},
        environ={},
    )
    assert settings.tls is not None
    assert settings.tls.cert == files.cert
    assert settings.proxy is not None
    assert settings.proxy.tls is not None
    assert (settings.proxy.tls.cert, settings.proxy.tls.key) == (None, None)
    assert settings.proxy.tls.rootcert == files.ca


# Proxies that do not behave

TOO_LONG = b"HTTP/1.1 200 OK\r\n" + b"X-Header: value\r\n" * 10_000

#: Answers to CONNECT, and what is said of them.
ANSWERS = {
    "403": (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\r\nno\r\n", "forbids the way to 127.0.0.1:"),
    "405": (b"HTTP/1.1 405 Method Not Allowed\r\n\r\n", "does not do CONNECT"),
    "418": (b"HTTP/1.1 418 {request}", "refuses the way to 127.0.0.1:|does not answer by HTTP"),
    "302": (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\n\r\n", "refuses the way .*302"),
    "502": (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", "cannot reach 127.0.0.1:.*502"),
    "504 after 100": (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 504 Too Late\r\n\r\n", "cannot reach .*504"),
    "no Basic": (
        b"HTTP/1.1 407 Who\r\nProxy-Authenticate: Negotiate\r\nProxy-Authenticate: NTLM TlRM\r\n\r\n",
        "wants a login by Negotiate, NTLM .* only Basic",
    ),
    "nonsense": (b"220 mail.example.com ESMTP\r\n", "does not answer by HTTP|closed the connection before"),
    "what was said": (b"{request}", "does not answer by HTTP"),
    "TLS": (b"\x15\x03\x01\0\2\2\x46", "does not answer by HTTP|closed the connection"),
    "nothing": (b"", "closed the connection before it had answered"),
    "half a head": (b"HTTP/1.1 200 OK\r\nX-He", "closed the connection before it had answered"),
    "a head that is too long": (TOO_LONG, "longer than 65536 bytes"),
    "an endless line": (b"A" * 200_000, "longer than 65536 bytes|does not answer by HTTP"),
    "more than the head": (b"HTTP/1.1 200 OK\r\n\r\n\x16\x03", "sent more than its answer"),
    "a body": (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "sent more than its answer"),
}


@through_gateway
@pytest.mark.parametrize(("answer", "message"), ANSWERS.values(), ids=ANSWERS)
def test_a_proxy_that_does_not_open_the_way(url: str, transport: str, answer: bytes, message: str) -> None:
    with (
        FakeServer(answer) as server,
        pytest.raises(neonps.OperationalError, match=message) as caught,
        neonps.connect(url, transport=transport, proxy=f"http://u:{SECRET}@127.0.0.1:{server.port}") as connection,
    ):
        connection.execute("select 1")
    assert server.received.startswith(b"CONNECT 127.0.0.1:")
    assert b"\r\nProxy-Authorization: Basic dTpTM2NyZXQ=\r\n" in server.received
    assert b"Neon-Connection-String" not in server.received
    assert server.accepted == 1
    wait_for(lambda: server.open == 0)
    for secret in (SECRET, "dTpTM2NyZXQ"):
        assert secret not in str(caught.value)
    assert len(str(caught.value)) < 500


@through_gateway
def test_a_proxy_that_closes_the_way_at_once(url: str, transport: str) -> None:
    with (
        FakeServer(b"HTTP/1.1 200 OK\r\n\r\n") as server,
        pytest.raises(neonps.OperationalError),
        neonps.connect(url, transport=transport, proxy=f"http://127.0.0.1:{server.port}") as connection,
    ):
        connection.execute("select 1")
    wait_for(lambda: server.open == 0)


@pytest.mark.parametrize(
    ("transport", "answer"),
    [("websocket", None), ("http", b"HTTP/1.1 200 O"), ("tcp", b"HTTP/1.1 100 Continue\r\n\r\n")],
)
def test_a_proxy_that_stalls(url: str, transport: str, answer: bytes | None) -> None:
    with (
        FakeServer(answer, close=False) as server,
        pytest.raises(neonps.errors.ConnectionTimeout, match=r"through the proxy .* connection timeout expired"),
        neonps.connect(
            url, transport=transport, proxy=f"http://127.0.0.1:{server.port}", connect_timeout=2
        ) as connection,
    ):
        connection.execute("select 1")
    wait_for(lambda: server.open == 0)


def test_an_async_connection_waits_for_a_proxy_that_stalls_no_longer_than_its_timeout(url: str) -> None:
    async def use(port: int) -> None:
        async with await neonps.AsyncConnection.connect(
            url, transport="http", proxy=f"http://127.0.0.1:{port}", timeout=0.2
        ) as connection:
            await connection.execute("select 1")

    with FakeServer(None, close=False) as server:
        with pytest.raises(neonps.OperationalError, match=r"timeout"):
            asyncio.run(use(server.port))
        wait_for(lambda: server.open == 0)


@through_gateway
def test_a_proxy_that_is_not_there(url: str, transport: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with (
        pytest.raises(neonps.OperationalError, match="the proxy cannot be reached: Connection refused"),
        neonps.connect(url, transport=transport, proxy=f"http://127.0.0.1:{port}") as connection,
    ):
        connection.execute("select 1")


def test_the_name_of_the_server_is_left_to_the_proxy(dsn: str) -> None:
    with FakeServer(b"HTTP/1.1 502 Bad Gateway\r\n\r\n") as server:
        with pytest.raises(neonps.OperationalError, match=r"the proxy cannot reach db.invalid:443"):
            neonps.connect(f"{dsn}?gateway=https://db.invalid", proxy=f"http://127.0.0.1:{server.port}")
        with pytest.raises(neonps.OperationalError, match=r"the proxy cannot reach db.invalid:77"):
            neonps.connect("host=db.invalid port=77 user=u", proxy=f"http://127.0.0.1:{server.port}")
    assert server.received.startswith(b"CONNECT db.invalid:443 HTTP/1.1\r\nHost: db.invalid:443\r\n")


# Which proxy


def used(conninfo: str, environ: dict[str, str], **kwargs: Any) -> str | None:
    """The URL of the proxy that is taken, and its login."""
    proxy = resolve(conninfo, kwargs, environ).proxy
    return None if proxy is None else f"{proxy.url} {proxy.user} {proxy.password}"


REMOTE = "user=u gateway=https://g.example.com"
PLAIN = "user=u gateway=http://g.example.com sslmode=disable"


@pytest.mark.parametrize(
    ("conninfo", "environ", "expected"),
    [
        (REMOTE, {}, None),
        (REMOTE, {"HTTPS_PROXY": "http://p:1"}, "http://p:1 None None"),
        (REMOTE, {"https_proxy": "http://p:1", "HTTPS_PROXY": "http://q:2"}, "http://p:1 None None"),
        (REMOTE, {"HTTP_PROXY": "http://p:1"}, None),
        (REMOTE, {"ALL_PROXY": "https://a:b%25@p"}, "https://p:443 a b%"),
        (REMOTE, {"ALL_PROXY": "http://a:b@c@p"}, "http://p:80 a b@c"),
        (REMOTE, {"all_proxy": " p:3128 "}, "http://p:3128 None None"),
        (REMOTE, {"HTTPS_PROXY": "http://a@[::1]/"}, "http://[::1]:80 a "),
        (REMOTE, {"HTTPS_PROXY": "", "ALL_PROXY": "http://p:1"}, "http://p:1 None None"),
        (REMOTE, {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "example.com"}, None),
        (REMOTE, {"HTTPS_PROXY": "http://p:1", "no_proxy": "other.com", "NO_PROXY": "*"}, "http://p:1 None None"),
        (PLAIN, {"HTTP_PROXY": "http://p:1"}, "http://p:1 None None"),
        (PLAIN, {"http_proxy": "http://p:1"}, "http://p:1 None None"),
        (PLAIN, {"HTTP_PROXY": "http://p:1", "REQUEST_METHOD": "GET"}, None),
        (PLAIN, {"http_proxy": "http://p:1", "REQUEST_METHOD": "GET"}, "http://p:1 None None"),
        (PLAIN, {"HTTPS_PROXY": "http://p:1"}, None),
        ("user=u gateway=http://localhost:1", {"HTTP_PROXY": "http://p:1", "ALL_PROXY": "http://p:1"}, None),
        ("user=u host=h.example.com", {"HTTPS_PROXY": "http://p:1", "ALL_PROXY": "http://p:1"}, None),
        ("user=u host=h.example.com", {"NEONPS_PROXY": "http://p:1"}, "http://p:1 None None"),
        ("user=u host=/tmp", {"NEONPS_PROXY": "http://p:1"}, None),
        ("user=u host=localhost,127.0.0.1", {"NEONPS_PROXY": "http://p:1"}, None),
        ("user=u gateway=http://localhost:1", {"NEONPS_PROXY": "http://p:1"}, None),
        ("user=u gateway=https://[::1]:1", {"NEONPS_PROXY": "http://p:1"}, None),
        (f"{REMOTE} proxy=http://a:b@q:2", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "*"}, "http://q:2 a b"),
        (f"{REMOTE} proxy=''", {"HTTPS_PROXY": "http://p:1", "NEONPS_PROXY": "http://q:1"}, None),
        (f"{REMOTE} proxy=none", {"HTTPS_PROXY": "http://p:1"}, None),
        (REMOTE, {"HTTPS_PROXY": "http://p:1", "NEONPS_PROXY": "none"}, None),
        (REMOTE, {"HTTPS_PROXY": "http://p:1", "NEONPS_PROXY": ""}, "http://p:1 None None"),
        (REMOTE, {"HTTPS_PROXY": "http://p:1", "NEONPS_PROXY": "http://q:2", "NO_PROXY": "*"}, "http://q:2 None None"),
        ("postgresql://u@h/d?gateway=https://g&proxy=http://a:b%2540@p:1", {}, "http://p:1 a b@"),
    ],
)  # fmt: skip
def test_which_proxy_is_taken(conninfo: str, environ: dict[str, str], expected: str | None) -> None:
    assert used(conninfo, environ) == expected


def test_the_argument_is_taken_before_the_string() -> None:
    assert used(f"{REMOTE} proxy=http://p:1", {}, proxy="http://q:2") == "http://q:2 None None"
    assert used(f"{REMOTE} proxy=http://p:1", {}, proxy="") is None
    assert used(f"{REMOTE} proxy=http://p:1", {}, proxy=None) == "http://p:1 None None"


@through_gateway
@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "ALL_PROXY", "https_proxy"])
def test_the_environment_leads_through_the_proxy(
    dsn: str,
    transport: str,
    files: Files,
    proxy: ProxyServer,
    secure: Gateway,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
) -> None:
    """To a server that only the proxy can find."""
    monkeypatch.setenv(variable, f"http://{IN_URL}@127.0.0.1:{proxy.port}")
    monkeypatch.setenv("NO_PROXY", "example.com,localhost")
    before = proxy.ways(secure.port)
    url = f"{dsn}?gateway=https://gateway.test:{secure.port}"
    with neonps.connect(url, transport=transport, sslrootcert=files.ca) as connection:
        assert connection.execute("select %s", [7]).fetchone() == (7,)
    proxy.wait_for_ways(secure.port, before + 1)
    monkeypatch.setenv("NO_PROXY", "gateway.test")
    with (
        pytest.raises(neonps.OperationalError, match=r"gateway\.test"),
        neonps.connect(url, transport=transport, sslrootcert=files.ca) as connection,
    ):
        connection.execute("select 1")


@pytest.mark.parametrize(
    ("exceptions", "host", "excepted"),
    [
        ("", "example.com", False),
        ("*", "example.com", True),
        ("a.com, example.com", "example.com", True),
        ("a.com example.com", "EXAMPLE.com.", True),
        ("example.com", "db.example.com", True),
        (".example.com", "db.example.com", True),
        (".example.com", "example.com", True),
        ("*.example.com", "db.example.com", True),
        ("example.com", "badexample.com", False),
        ("db.example.com", "example.com", False),
        ("example.com:443", "example.com", True),
        ("example.com:444", "example.com", False),
        ("10.1.2.3", "10.1.2.3", True),
        ("10.1.2.3:443", "10.1.2.3", True),
        ("10.1.2.3:80", "10.1.2.3", False),
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.1.2.3/8", "10.9.9.9", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("2.3", "10.1.2.3", False),
        ("10.0.0.0/8", "10.example.com", False),
        ("::1", "::1", True),
        ("[2001:db8::1]:443", "2001:db8:0::1", True),
        ("[2001:db8::1]:80", "2001:db8::1", False),
        ("2001:db8::/32", "2001:db8::7", True),
        ("fe80::/10", "fe80::1%eth0", True),
        ("10.0.0.0/8", "2001:db8::7", False),
        ("300.0.0.0/99,://,[,:,]", "10.1.2.3", False),
        ("300.0.0.0/99,://,[,:,], .", "example.com", False),
        ("example.com:" + "4" * 5000, "example.com", False),
    ],
)
def test_hosts_that_no_proxy_leads_to(exceptions: str, host: str, excepted: bool) -> None:
    assert is_excepted(host, 443, exceptions) is excepted


@pytest.mark.parametrize(
    "url",
    [
        f"ftp://u:{SECRET}@p:1",
        f"http://u:{SECRET}@",
        f"http://u:{SECRET}@p:99999",
        f"http://u:{SECRET}@p:x",
        f"http://u:{SECRET}@p/path",
        f"http://u:{SECRET}@p?query",
        f"http://u:{SECRET}#@p",
        f"http://u:{SECRET}%@p",
        f"http://u:{SECRET}%0d%0aX@p",
        f"http://u:{SECRET}%00@p",
        f"http://u%3Ax:{SECRET}@p",
        f"http://u:{SECRET}@p\r\nX: y",
        f"http://u:{SECRET}@p q",
        f"http://u:{SECRET}/@p",
        f"http://u:{SECRET}\udcff@p",
    ],
)
def test_a_url_that_is_not_good(url: str) -> None:
    with pytest.raises(neonps.ProgrammingError) as caught:
        resolve(REMOTE, environ={"HTTPS_PROXY": url})
    assert SECRET not in str(caught.value)
    assert str(caught.value).startswith("HTTPS_PROXY: ")


def test_socks_is_not_supported() -> None:
    with pytest.raises(neonps.NotSupportedError, match=r"ALL_PROXY: SOCKS .*proxy=none"):
        resolve(REMOTE, environ={"ALL_PROXY": f"socks5h://u:{SECRET}@p"})


@pytest.mark.parametrize("conninfo", ["user=u gateway=http://localhost:1", "user=u host=localhost"])
def test_what_is_not_encrypted_is_not_sent_through_a_proxy_elsewhere(conninfo: str) -> None:
    for proxy in ("http://p.example.com", "https://p.example.com"):
        with pytest.raises(neonps.ProgrammingError, match="sslmode=disable"):
            resolve(conninfo, {"proxy": proxy}, environ={})
        assert used(conninfo, {}, proxy=proxy, sslmode="disable") is not None
    assert used(conninfo, {}, proxy="127.0.0.1:3128") == "http://127.0.0.1:3128 None None"


def test_the_login_is_not_shown(url: str, gateway: Gateway) -> None:
    proxy = parse_proxy(f"http://ada:{SECRET}@127.0.0.1:1", "proxy")
    assert SECRET not in repr(proxy)
    assert "ada" not in repr(proxy)
    with pytest.raises(TypeError, match="cannot pickle Proxy"):
        pickle.dumps(proxy)
    settings = resolve(REMOTE, {"proxy": f"http://ada:{SECRET}@p"}, environ={})
    assert SECRET not in repr(settings)
    assert SECRET not in settings.where


def test_the_login_is_not_among_the_parameters(url: str, files: Files, proxy: ProxyServer) -> None:
    with neonps.connect(url, proxy=f"http://{IN_URL}@127.0.0.1:{proxy.port}") as connection:
        told = [connection.info.dsn, str(connection.info.get_parameters()), repr(connection)]
    assert all("p%40ss" not in text and "p@ss" not in text for text in told)


# Doctor


def test_doctor_goes_through_the_proxy(dsn: str, files: Files, tls_proxy: ProxyServer, secure: Gateway) -> None:
    proxy = f"https://{IN_URL}@127.0.0.1:{tls_proxy.port}"
    diagnosis = diagnose(f"{dsn}?gateway={secure.url}&sslrootcert={files.ca}&proxy={quote(proxy)}", "here", {})
    assert diagnosis.usable == ["websocket", "http", "tcp"]
    steps = {transport: [s.name for s in diagnosis.steps if s.transport == transport] for transport in diagnosis.usable}
    assert steps == {
        "websocket": ["dns", "tcp", "tls", "proxy", "tls", "upgrade", "login", "query"],
        "http": ["dns", "tcp", "tls", "proxy", "tls", "endpoint", "login", "query"],
        "tcp": ["dns", "tcp", "tls", "proxy", "tls", "login", "query"],
    }
    facts = [step.fact for step in diagnosis.steps]
    assert f"the way to 127.0.0.1:{secure.port} is open" in facts
    assert all("p@ss" not in fact and "p%40ss" not in fact for fact in facts)


@pytest.mark.parametrize(
    ("answer", "step", "advice"),
    [
        (b"HTTP/1.1 407 No\r\n\r\n", "proxy", "http://USER:PASSWORD@HOST:PORT"),
        (b"HTTP/1.1 403 No\r\n\r\n", "proxy", "have whoever runs it allow CONNECT"),
        (b"HTTP/1.1 502 No\r\n\r\n", "proxy", "does not get to the server"),
        (b"HTTP/1.1 500 No\r\n\r\n", "proxy", "names http://127.0.0.1:"),
        (b"SSH-2.0-x\r\n", "proxy", "no proxy that does CONNECT"),
        (b"HTTP/1.1 200 OK\r\n\r\n", "tls", "hung up as soon as TLS began"),
    ],
)
def test_doctor_tells_what_is_wrong_with_a_proxy(dsn: str, answer: bytes, step: str, advice: str) -> None:
    with FakeServer(answer) as server:
        url = f"{dsn}?fetch_endpoint=https://gateway.invalid&proxy=http://u:{SECRET}@127.0.0.1:{server.port}"
        diagnosis = diagnose(url, "here", {})
    failed = next(s for s in diagnosis.steps if s.transport == "http" and s.result == "failed")
    assert failed.name == step
    assert advice in failed.advice
    assert SECRET not in f"{diagnosis}"


def told_of_tls_with_a_proxy(dsn: str, port: int, files: Files) -> None:
    """Doctor tells that TLS with the proxy at this port fails."""
    way = f"fetch_endpoint=https://gateway.invalid&proxy=https://127.0.0.1:{port}"
    diagnosis = diagnose(f"{dsn}?{way}&sslrootcert={files.other_ca}&connect_timeout=2", "here", {})
    failed = next(s for s in diagnosis.steps if s.transport == "http" and s.result == "failed")
    assert failed.name == "tls"
    assert f"proxy names https://127.0.0.1:{port}, with which TLS has failed" in failed.advice


def test_doctor_tells_that_the_certificate_of_a_proxy_is_not_good(
    dsn: str, files: Files, tls_proxy: ProxyServer
) -> None:
    told_of_tls_with_a_proxy(dsn, tls_proxy.port, files)


@pytest.mark.parametrize("answer", [None, b"HTTP/1.1 400 Bad Request\r\n\r\n"])
def test_doctor_tells_that_a_proxy_has_no_tls(dsn: str, files: Files, answer: bytes | None) -> None:
    with FakeServer(answer, close=answer is not None) as server:
        told_of_tls_with_a_proxy(dsn, server.port, files)


def test_doctor_reads_the_names_in_a_certificate_behind_a_proxy(
    dsn: str, tls_proxy: ProxyServer, files: Files, tmp_path: Path
) -> None:
    ca = trustme.CA()
    cert, both = tmp_path / "server.pem", tmp_path / "both.pem"
    ca.issue_cert("other.example.com").private_key_and_cert_chain_pem.write_to_path(str(cert))
    both.write_bytes(ca.cert_pem.bytes() + Path(files.ca).read_bytes())
    with serve(dsn, tls_cert=str(cert)) as server:
        proxy = quote(f"https://{IN_URL}@127.0.0.1:{tls_proxy.port}")
        url = f"{dsn}?fetch_endpoint={server.gateway.url}/sql&sslrootcert={both}&proxy={proxy}"
        diagnosis = diagnose(url, "here", {})
    failed = next(s for s in diagnosis.steps if s.transport == "http" and s.result == "failed")
    assert failed.name == "tls"
    assert "other.example.com" in failed.advice


def test_the_gateway_goes_to_postgres_without_a_proxy(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(neonps.NotSupportedError, match="the gateway connects to Postgres without one"):
        Upstream(f"{dsn}?proxy=http://127.0.0.1:1")
    monkeypatch.setenv("NEONPS_PROXY", "http://p.example.com")
    assert Upstream("postgresql://h.example.com/d", allow=["x.example.com:1"]).settings.proxy is None
