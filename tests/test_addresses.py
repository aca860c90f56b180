"""Names with several addresses, and IPv6: each address in turn, and none takes the time of the others."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
import trustme
from gateway_client import running, wait_for
from gateway_raw import Raw
from tls_postgres import TLSPostgres
from transports import through_gateway

import neonps
from neonps.embedded import EmbeddedPostgres
from neonps.endpoint import Endpoint
from neonps.gateway import Gateway, Upstream
from neonps.local import serve
from neonps.net.addresses import interleaved
from neonps.protocol.proxy import ConnectRequest
from neonps.proxies import is_excepted, parse_proxy
from neonps.settings import resolve

#: A name that only the resolver of these tests knows.
NAME = "several.test"

try:
    with socket.create_server(("::1", 0), family=socket.AF_INET6):
        HAS_IPV6 = True
except OSError:
    HAS_IPV6 = False

needs_ipv6 = pytest.mark.skipif(not HAS_IPV6, reason="this machine has no IPv6")
needs_other_loopback = pytest.mark.skipif(
    not hasattr(socket, "TCP_USER_TIMEOUT"), reason="only Linux has all of 127.0.0.0/8, and drops what a backlog lacks"
)


@pytest.fixture
def addresses(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses of NAME, to be filled."""
    found: list[str] = []
    real = socket.getaddrinfo

    def getaddrinfo(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        if host != NAME or kwargs.get("flags", 0) & socket.AI_NUMERICHOST:
            return real(host, port, *args, **kwargs)
        return [info for address in found for info in real(address, port, type=socket.SOCK_STREAM)]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return found


@pytest.fixture
def named(dsn: str, gateway: Gateway) -> str:
    """The URL of the gateway by NAME."""
    return f"{dsn}?gateway=http://{NAME}:{gateway.port}&sslmode=disable"


@pytest.fixture
def black_hole(gateway: Gateway, postgres: EmbeddedPostgres) -> Iterator[str]:
    """An address with the ports of both from which nothing comes, not even that nobody listens."""
    with ExitStack() as stack:
        for port in (gateway.port, postgres.port):
            listener = stack.enter_context(socket.socket())
            listener.bind(("127.0.0.2", port))
            listener.listen(0)
            # What a full backlog has no room for is dropped.
            for _ in range(3):
                client = stack.enter_context(socket.socket())
                client.setblocking(False)
                client.connect_ex(("127.0.0.2", port))
        yield "127.0.0.2"


def ask(url: str, **kwargs: Any) -> Any:
    with neonps.connect(url, **kwargs) as connection:
        return connection.execute("select 1").fetchone()


async def ask_async(url: str, **kwargs: Any) -> Any:
    async with await neonps.AsyncConnection.connect(url, **kwargs) as connection:
        return await (await connection.execute("select 1")).fetchone()


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("name", ["localhost", "localhost.", "LocalHost"])
def test_localhost_is_this_machine_whoever_answers_for_it(
    dsn: str,
    transport: str,
    postgres: EmbeddedPostgres,
    gateway: Gateway,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    asynchronous: bool,
) -> None:
    """Nothing is said in clear text to the machine that a resolver leads to."""
    real, asked = socket.getaddrinfo, []

    def getaddrinfo(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        if host != name or kwargs.get("flags", 0) & socket.AI_NUMERICHOST:
            return real(host, port, *args, **kwargs)
        asked.append(host)
        return [info for address in found for info in real(address, port, type=socket.SOCK_STREAM)]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    keywords = neonps.conninfo.conninfo_to_dict(dsn) | {"transport": transport, "connect_timeout": 5}
    if transport == "tcp":
        keywords |= {"host": name, "hostaddr": "", "port": postgres.port}
    else:
        keywords["gateway"] = f"http://{name}:{gateway.port}"
    run = (lambda: asyncio.run(ask_async("", **keywords))) if asynchronous else (lambda: ask("", **keywords))
    found = ["192.0.2.2", "127.0.0.1"]
    assert run() == (1,)
    found = ["192.0.2.2"]
    with pytest.raises(neonps.OperationalError, match="leads to another machine"):
        run()
    assert asked


def own_address() -> str | None:
    """An address of this machine at which others can reach it; None if there is none. Nothing is sent."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.connect(("192.0.2.1", 9))
            return str(sock.getsockname()[0])
    except OSError:
        return None


@pytest.mark.skipif(own_address() is None, reason="this machine has no address but loopback")
def test_so_it_is_for_the_gateway(monkeypatch: pytest.MonkeyPatch) -> None:
    address, real = own_address(), socket.getaddrinfo

    def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        return real(address if host == "localhost" else host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with socket.create_server((str(address), 0)) as listener:
        upstream = Upstream(f"postgresql://u:p@localhost:{listener.getsockname()[1]}/d")
        with running(Gateway(upstream)) as gateway, Raw(gateway) as raw:
            answer = raw.upgrade()
            assert answer.status == 503
            assert "leads to another machine" in answer.json["msg"]
            client, _ = listener.accept()
            with client:
                assert client.recv(100) == b""


def test_a_connection_whose_other_end_is_gone_again(
    monkeypatch: pytest.MonkeyPatch, postgres: EmbeddedPostgres
) -> None:
    """The system does not know any more where it leads, nor does asyncio."""

    def getpeername(sock: socket.socket) -> Any:
        raise OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN))

    with running(Gateway(Upstream(postgres.url))) as gateway, Raw(gateway) as raw:
        monkeypatch.setattr(socket.socket, "getpeername", getpeername)
        assert raw.upgrade().status == 101


@through_gateway
def test_an_address_that_refuses_is_passed_over(named: str, addresses: list[str], transport: str) -> None:
    addresses += ["127.0.0.3", "::1"] if HAS_IPV6 else ["127.0.0.3"]
    addresses += ["127.0.0.1"]
    assert ask(named, transport=transport) == (1,)
    assert asyncio.run(ask_async(named, transport=transport)) == (1,)


@needs_other_loopback
@through_gateway
def test_an_address_that_is_silent_leaves_time_for_the_others(
    named: str, addresses: list[str], transport: str, black_hole: str
) -> None:
    addresses += [black_hole, "127.0.0.1"]
    assert ask(named, transport=transport, connect_timeout=2) == (1,)


@needs_other_loopback
def test_also_with_asyncio(named: str, addresses: list[str], black_hole: str) -> None:
    addresses += [black_hole, "127.0.0.1"]
    assert asyncio.run(ask_async(named, connect_timeout=2)) == (1,)


@needs_other_loopback
@through_gateway
def test_addresses_that_are_all_silent(named: str, addresses: list[str], transport: str, black_hole: str) -> None:
    addresses += [black_hole, black_hole, black_hole]
    with pytest.raises(neonps.errors.ConnectionTimeout):
        ask(named, transport=transport, connect_timeout=2)


@needs_other_loopback
def test_a_silent_address_before_one_that_refuses(named: str, addresses: list[str], black_hole: str) -> None:
    addresses += [black_hole, "127.0.0.3"]
    with pytest.raises(neonps.OperationalError, match="Connection refused"):
        ask(named, connect_timeout=2)


@needs_other_loopback
@pytest.mark.parametrize("hosts", ["{name}:{port}", "{name}:{port},127.0.0.1:{port}"])
def test_over_tcp_each_address_has_the_whole_timeout(
    postgres: EmbeddedPostgres, addresses: list[str], black_hole: str, hosts: str
) -> None:
    addresses += [black_hole] if "," in hosts else [black_hole, "127.0.0.1"]
    url = postgres.url.replace(f"127.0.0.1:{postgres.port}", hosts.format(name=NAME, port=postgres.port))
    assert ask(url, transport="tcp", connect_timeout=2, sslmode="disable") == (1,)


@pytest.mark.parametrize("transport", ["tcp", "websocket", "http"])
def test_a_resolver_that_does_not_answer(
    monkeypatch: pytest.MonkeyPatch, url: str, transport: str, gateway: Gateway
) -> None:
    """It is left to itself, and neither the call nor the end of an event loop waits for it."""
    real, answers, released = socket.getaddrinfo, [], threading.Event()

    def getaddrinfo(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        if host == NAME and not kwargs.get("flags", 0) & socket.AI_NUMERICHOST:
            released.wait(20)
            answers.append(host)
            host = "127.0.0.1"
        return real(host, port, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    there = {"host": NAME} if transport == "tcp" else {"gateway": f"http://{NAME}:{gateway.port}"}
    keywords = {**there, "transport": transport, "connect_timeout": 2, "sslmode": "disable"}
    with pytest.raises(neonps.errors.ConnectionTimeout):
        ask(url, **keywords)
    with pytest.raises(neonps.errors.ConnectionTimeout):
        asyncio.run(ask_async(url, **keywords))
    assert not answers
    released.set()
    wait_for(lambda: len(answers) == 2)


@pytest.mark.parametrize(
    ("given", "order"),
    [("", ""), ("4a", "4a"), ("6a 6b 4a", "6a 4a 6b"), ("4a 4b 6a 6b 6c", "4a 6a 4b 6b 6c"), ("6a 6b", "6a 6b")],
)
def test_families_take_turns(given: str, order: str) -> None:
    found = interleaved([(int(word[0]), word) for word in given.split()])
    assert [word for _, word in found] == order.split()


# IPv6


@pytest.fixture(scope="module")
def over_ipv6(dsn: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The URL of a gateway with TLS on ::1, and the path of its CA."""
    directory = tmp_path_factory.mktemp("tls")
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(directory / "ca.pem"))
    cert = ca.issue_cert("::1")
    cert.private_key_and_cert_chain_pem.write_to_path(str(directory / "cert.pem"))
    with serve(dsn, host="::1", tls_cert=directory / "cert.pem") as server:
        yield server.gateway.url, str(directory / "ca.pem")


@needs_ipv6
@through_gateway
def test_an_address_of_ipv6_in_a_url(dsn: str, over_ipv6: tuple[str, str], transport: str) -> None:
    url, ca = over_ipv6
    assert url.startswith("https://[::1]:")
    assert ask(f"{dsn}?gateway={url}", transport=transport, sslrootcert=ca) == (1,)
    assert asyncio.run(ask_async(f"{dsn}?gateway={url}", transport=transport, sslrootcert=ca)) == (1,)


@needs_ipv6
def test_an_address_of_ipv6_over_tcp(postgres: EmbeddedPostgres, tmp_path: Path) -> None:
    ca = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert("::1").configure_cert(context)
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with closing(TLSPostgres(postgres, context, "::1")) as server:
        url = postgres.url.replace(f"127.0.0.1:{postgres.port}", f"[::1]:{server.port}")
        assert ask(url, sslmode="require", sslrootcert=tmp_path / "ca.pem") == (1,)


@pytest.mark.parametrize("written", ["fe80::1%25eth0", "fe80::1%eth0"])
def test_a_zone(written: str) -> None:
    endpoint = Endpoint.parse(f"https://[{written}]:4444/x", "gateway")
    assert endpoint.host == "fe80::1%eth0"
    assert endpoint.host_header == "[fe80::1]:4444"
    settings = resolve(f"user=u gateway=https://[{written}]", environ={})
    assert settings.tls is not None
    assert settings.tls.server_hostname == "fe80::1"
    settings = resolve("postgresql://u@[fe80::1%25eth0]/d", environ={})
    assert settings.host == "fe80::1%eth0"
    assert settings.tls is not None
    assert settings.tls.server_hostname == "fe80::1"
    assert (
        b"CONNECT [fe80::1]:443 HTTP/1.1\r\nHost: [fe80::1]:443\r\n" in ConnectRequest(endpoint.host, 443, None).data()
    )
    assert is_excepted(endpoint.host, 443, "fe80::/10")
    assert parse_proxy(f"http://u:p@[{written}]:3128", "proxy").url == "http://[fe80::1]:3128"


def test_a_zone_that_is_a_number() -> None:
    assert Endpoint.parse("https://[fe80::1%25]", "gateway").host == "fe80::1%25"


@pytest.mark.parametrize("written", ["fe80::1%", "fe80::1%a%b", "%eth0", "fe80::1%a/b"])
def test_what_is_no_zone(written: str) -> None:
    with pytest.raises(neonps.ProgrammingError):
        Endpoint.parse(f"https://[{written}]", "gateway")
