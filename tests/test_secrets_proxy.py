"""The login for a proxy does not show when there is no way through it, nor what was to be sent through it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from certificates import Certificates
from fake_server import FakeServer
from shown import ANYTHING, VALUE, check_hidden, frames, logged, looked_into, shown
from tls_postgres import TLSPostgres
from transports import through_gateway

import neonps
from neonps.conninfo import make_conninfo
from neonps.embedded import EmbeddedPostgres
from neonps.protocol.proxy import ConnectRequest
from neonps.proxies import parse_proxy

#: The password at the proxy, which goes there in base 64 with the user in front.
PASSWORD = "px-77a1'ö\\&%-4d2c"
LOGIN = f"ada:{quote(PASSWORD)}"
USER_TOO = f"ada:{PASSWORD}"

#: Answers of a proxy to CONNECT, in some of which is what it was sent.
ANSWERS = {
    "a login is wanted": b"HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic realm=x\r\n\r\n",
    "a login with it": b"HTTP/1.1 407 Who\r\nProxy-Authenticate: {request}",
    "a status with it": b"HTTP/1.1 502 {request}",
    "a page with it": b"HTTP/1.1 403 No\r\n\r\n{request}",
    "what it was sent": b"{request}",
    "more than the answer": b"HTTP/1.1 200 OK\r\n\r\n{request}",
    "an end": b"HTTP/1.1 200 OK\r\n\r\n",
    "nothing": b"",
}


def told(error: BaseException) -> str:
    """All that can be seen of an error, some calls of the driver among it."""
    assert list(frames(error))
    return shown(error)


def told_of(conninfo: str, *, task: bool = False, **keywords: Any) -> str:
    """All that is shown by a connection that fails, made in a task or not."""

    def use() -> None:
        with neonps.connect(conninfo, **keywords) as conn:
            conn.execute("select %s", [VALUE])

    async def use_in_task() -> None:
        async with await neonps.AsyncConnection.connect(conninfo, **keywords) as conn:
            await conn.execute("select %s", [VALUE])

    with logged() as parts, pytest.raises(ANYTHING) as caught:
        if task:
            asyncio.run(use_in_task())
        else:
            use()
    return "\n".join((*parts, told(caught.value)))


def check(text: str, postgres: EmbeddedPostgres, *others: str) -> None:
    check_hidden(text, PASSWORD, USER_TOO, VALUE, postgres.password, *others)


@through_gateway
@pytest.mark.parametrize("task", [False, True])
@pytest.mark.parametrize("name", ANSWERS)
def test_a_proxy_that_opens_no_way(url: str, postgres: EmbeddedPostgres, transport: str, name: str, task: bool) -> None:
    with FakeServer(ANSWERS[name]) as server:
        proxy = f"http://{LOGIN}@127.0.0.1:{server.port}"
        text = told_of(url, transport=transport, proxy=proxy, task=task)
        assert b"\r\nProxy-Authorization: Basic " in server.received
    check(text, postgres)


@pytest.mark.parametrize(("transport", "limit"), [("websocket", {"connect_timeout": 2}), ("http", {"timeout": 0.2})])
def test_a_proxy_that_stalls(url: str, postgres: EmbeddedPostgres, transport: str, limit: dict[str, Any]) -> None:
    with FakeServer(b"HTTP/1.1 200 O", close=False) as server:
        text = told_of(url, transport=transport, proxy=f"http://{LOGIN}@127.0.0.1:{server.port}", **limit)
    assert "timeout" in text
    check(text, postgres)


@pytest.mark.parametrize("task", [False, True])
def test_a_query_function(url: str, postgres: EmbeddedPostgres, task: bool) -> None:
    async def use_in_task(proxy: str) -> None:
        sql = neonps.async_neon(url, proxy=proxy)
        try:
            await sql("select %s", [VALUE])
        finally:
            parts.extend(looked_into(sql))
            await sql.close()

    def use(proxy: str) -> None:
        sql = neonps.neon(url, proxy=proxy)
        try:
            sql("select %s", [VALUE])
        finally:
            parts.extend(looked_into(sql))
            sql.close()

    with logged() as parts, FakeServer(ANSWERS["a login with it"]) as server:
        with pytest.raises(ANYTHING) as caught:
            proxy = f"http://{LOGIN}@127.0.0.1:{server.port}"
            if task:
                asyncio.run(use_in_task(proxy))
            else:
                use(proxy)
        parts.append(told(caught.value))
    check("\n".join(parts), postgres)


# TLS with the proxy


@through_gateway
@pytest.mark.parametrize("task", [False, True])
def test_a_proxy_whose_certificate_is_not_good(
    url: str, postgres: EmbeddedPostgres, tmp_path: Path, transport: str, task: bool
) -> None:
    """And one that answers without TLS."""
    certificates = Certificates(tmp_path)
    server = TLSPostgres(postgres, certificates.context())
    proxy = f"https://{LOGIN}@127.0.0.1:{server.port}"
    text = told_of(url, transport=transport, proxy=proxy, task=task, connect_timeout=2)
    server.close()
    assert "certificate verify failed" in text
    check(text, postgres)
    with FakeServer(b"{request}") as plain:
        proxy = f"https://{LOGIN}@127.0.0.1:{plain.port}"
        text = told_of(url, transport=transport, proxy=proxy, task=task)
    assert "TLS with the proxy" in text
    check(text, postgres)


# What is wrong with its URL


@pytest.mark.parametrize("how", ["keyword", "conninfo", "environment"])
@pytest.mark.parametrize("task", [False, True])
@pytest.mark.parametrize(
    "proxy",
    [
        f"ftp://{LOGIN}@p:1",
        f"socks5h://{LOGIN}@p",
        f"http://{LOGIN}@",
        f"http://{LOGIN}@p:99999",
        f"http://{LOGIN}@p/path",
        f"http://{LOGIN}%@p",
        f"http://{LOGIN}%0d%0aX@p",
        f"http://{LOGIN}%00@p",
        f"http://{LOGIN}@p q",
        f"http://{PASSWORD}%3A:x@p",
        f"http://{LOGIN}/@p",
    ],
)
def test_a_url_that_is_not_good(
    monkeypatch: pytest.MonkeyPatch, postgres: EmbeddedPostgres, how: str, task: bool, proxy: str
) -> None:
    base = make_conninfo(postgres.url, gateway="https://g.example.com", transport="http")
    if how == "environment":
        monkeypatch.setenv("NEONPS_PROXY", proxy)
        text = told_of(base, task=task)
    elif how == "conninfo":
        text = told_of(make_conninfo(base, proxy=proxy), task=task)
    else:
        text = told_of(base, task=task, proxy=proxy)
    check(text, postgres)


def test_what_has_the_login() -> None:
    proxy = parse_proxy(f"http://{LOGIN}@p:1", "proxy")
    request = ConnectRequest("h", 443, proxy.authorization)
    request.data()
    check_hidden("\n".join(map(repr, (proxy, request))), PASSWORD, USER_TOO)
