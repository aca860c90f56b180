"""Passwords and tokens do not show: when connecting fails, in reprs, pickles, logs, spans, and on the command line."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import traceback
from collections.abc import Callable
from typing import Any, NoReturn
from urllib.parse import quote

import pytest
from fake_server import FakeServer
from opentelemetry.instrumentation.dbapi import instrument_connection
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from refused import elsewhere
from shown import ANYTHING, PACKAGE, SECRET, TOKEN, VALUE, check_hidden, logged, looked_into, shown
from transports import on_sessions

import neonps
from neonps import pool
from neonps.embedded import EmbeddedPostgres
from neonps.flows.requests import TLS, Send
from neonps.hosts import Host
from neonps.protocol import backend as b
from neonps.protocol import frontend as f
from neonps.protocol.sqlhttp import SHOWN_MESSAGE, Statement
from neonps.tracebacks import drop_locals

FAILS = "select 1/0 where %s::text is not null"

# Connecting

KEYWORDS: dict[str, dict[str, Any]] = {
    "nothing is wrong but the password": {},
    "no such database": {"dbname": "no such one"},
    "no such host": {"hostaddr": "", "host": "no-such-host.invalid"},
    "no such CA": {"sslrootcert": "/nowhere/ca.pem", "sslmode": "require"},
    "no such certificate": {"sslcert": "/nowhere/c.pem", "sslpassword": SECRET, "sslmode": "require"},
    "a wrong value": {"sslmode": "maybe"},
    "an unknown keyword": {"passwort": SECRET},
    "a secret that is none": {"sslpassword": f"{SECRET}\n"},
    "NUL in it": {"password": f"{SECRET}\0"},
    "a surrogate in it": {"password": f"{SECRET}\ud800"},
    "a password of a wrong class": {"password": [SECRET]},
    "one that SASLprep does not allow": {"password": f"{SECRET}\u0378"},
    "another way to log in": {"require_auth": "password"},
    "a token that is none": {"auth_token": f"{TOKEN} {TOKEN}"},
    "a token elsewhere": {"auth_token": TOKEN},
    "keys that are not supported": {"scram_client_key": SECRET},
}


async def ask_async(**keywords: Any) -> None:
    async with await neonps.AsyncConnection.connect(**keywords) as conn:
        await conn.execute("select 1")


@pytest.mark.parametrize("how", ["keywords", "conninfo", "asyncio"])
@pytest.mark.parametrize("name", KEYWORDS)
def test_a_connection_that_fails(dsn: str, gateway: Any, transport: str, name: str, how: str) -> None:
    keywords = neonps.conninfo.conninfo_to_dict(dsn)
    keywords |= {"gateway": gateway.url, "transport": transport, "password": SECRET, **KEYWORDS[name]}
    with logged() as parts, pytest.raises(ANYTHING) as caught:
        if how == "keywords":
            conn = neonps.connect(**keywords)
        elif how == "conninfo":
            conn = neonps.connect(neonps.conninfo.make_conninfo(**keywords))
        else:
            asyncio.run(ask_async(**keywords))
            pytest.fail("it is not wrong")
        with conn:
            conn.execute("select 1")
        pytest.fail("it is not wrong")
    check_hidden("\n".join((*parts, shown(caught.value))), SECRET, TOKEN)


ECHO = b"{request}"
HTTP_ECHO = b"HTTP/1.1 500 Oh\r\nConnection: close\r\n\r\n{request}"

#: What a server answers that has got a password, or might have.
ANSWERS = {
    "nothing": b"",
    "what it was sent": ECHO,
    "a page with it": HTTP_ECHO,
    "a header with it": b"HTTP/1.1 500 Oh\r\nX: {request}",
    "a status with it": b"HTTP/1.1 500 {request}",
    "JSON with it": b'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{"rows": [], "x": "{request}"}',
    "an error with it": b'HTTP/1.1 400 Oh\r\nConnection: close\r\n\r\n{"code": "XX000", "message": "LOGIN"}',
    "the question for a password": b"R\0\0\0\x08\0\0\0\3",
    "the question for a hash": b"R\0\0\0\x0c\0\0\0\5salt",
    "the question for SCRAM": b"R\0\0\0\x18\0\0\0\nSCRAM-SHA-256\0\0",
}


@pytest.mark.parametrize("early", ["off", "password"])
@pytest.mark.parametrize("name", ANSWERS)
def test_a_server_that_shows_what_it_gets(transport: str, name: str, early: str) -> None:
    keywords = {**elsewhere(transport, "127.0.0.1", 0), "password": SECRET}
    # Only a request over HTTP has them in it.
    login = f"postgresql://u:{quote(SECRET)}@db.example.com/ Bearer {TOKEN}" if transport == "http" else ""
    if transport == "http":
        keywords["auth_token"] = TOKEN
    with (
        logged() as parts,
        FakeServer(ANSWERS[name].replace(b"LOGIN", login.encode())) as server,
        pytest.raises(neonps.Error) as caught,
    ):
        where = {"port": server.port} if transport == "tcp" else {"gateway": f"http://127.0.0.1:{server.port}"}
        allowed = "password,md5,scram-sha-256"
        with neonps.connect(**{**keywords, **where}, pipeline_connect=early, require_auth=allowed) as conn:
            conn.execute("select %s", [VALUE])
    check_hidden("\n".join((*parts, shown(caught.value))), SECRET, TOKEN, *([] if transport == "http" else [VALUE]))


#: Answers of which so much is shown that a secret behind it would be cut in two.
LONG_ANSWERS = {
    "a page": (b"%b", 190),
    "a page with much that is not shown": (b"<!-- %b", 4076),
    "JSON": (b'{"msg": "%b"}', SHOWN_MESSAGE - 10),
    "a string": (b'"%b"', SHOWN_MESSAGE - 10),
}


@pytest.mark.parametrize("name", LONG_ANSWERS)
@pytest.mark.parametrize("secret", [quote(SECRET), TOKEN])
def test_a_secret_where_an_excerpt_ends(name: str, secret: str) -> None:
    form, length = LONG_ANSWERS[name]
    filler = b" " * (length - 10) + b"-->" if form.startswith(b"<") else b"x" * length
    body = form % (filler + secret.encode() * 2)
    answer = b"HTTP/1.1 500 Oh\r\nConnection: close\r\n\r\n" + body
    keywords = {**elsewhere("http", "127.0.0.1", 0), "password": SECRET, "auth_token": TOKEN}
    with FakeServer(answer) as server, pytest.raises(neonps.Error) as caught:
        with neonps.connect(**{**keywords, "gateway": f"http://127.0.0.1:{server.port}"}) as conn:
            conn.execute("select 1")
    assert "…" in str(caught.value)
    for size in range(6, len(secret)):
        assert secret[:size] not in str(caught.value)


def test_the_token_of_a_function(gateway: Any, dsn: str) -> None:
    for token in (f"{TOKEN}\r\nX: y", f"{TOKEN} x", f"{TOKEN}ü", TOKEN.encode(), None, 7, ""):
        with pytest.raises(neonps.ProgrammingError, match="auth_token") as caught:
            with neonps.connect(dsn, gateway=gateway.url, transport="http", auth_token=lambda: token) as conn:  # noqa: B023
                conn.execute("select %s", [VALUE])
        check_hidden(shown(caught.value), TOKEN, VALUE)


# Functions for single queries


def test_the_query_function(url: str, postgres: EmbeddedPostgres) -> None:
    sql = neonps.neon(url)
    calls: list[Callable[[], Any]] = [
        lambda: sql(FAILS, [VALUE]),
        lambda: sql("select %s, %s", [VALUE]),
        lambda: sql("select %s", [f"{VALUE}\ud800"]),
        lambda: sql.query("select 1/0 where $1::text is not null", [VALUE]),
        lambda: sql.transaction([("select %s", [VALUE]), (FAILS, [VALUE])]),
        lambda: sql.transaction([[VALUE]]),  # type: ignore[list-item]
        lambda: sql.transaction([("select %s", [VALUE], 7, 8)]),  # type: ignore[list-item]
        lambda: neonps.neon(url, password=lambda: SECRET)("select %s", [VALUE]),
        lambda: neonps.neon(url, password=lambda: SECRET.encode())("select %s", [VALUE]),
        lambda: neonps.neon(url, auth_token=lambda: f"{TOKEN}\n")("select %s", [VALUE]),
        lambda: neonps.neon(url, password=SECRET, sslmode=VALUE[:2]),
        lambda: neonps.neon(url, password=SECRET, transport="tcp"),
    ]  # fmt: skip
    with logged() as parts:
        for call in calls:
            with pytest.raises(ANYTHING) as caught:
                call()
            parts.append(shown(caught.value))
    check_hidden("\n".join((*parts, *looked_into(sql))), VALUE, SECRET, TOKEN, postgres.password)
    sql.close()


def test_the_query_function_on_asyncio(url: str, postgres: EmbeddedPostgres) -> None:
    async def main() -> None:
        sql = neonps.async_neon(url)
        for call in (
            lambda: sql(FAILS, [VALUE]),
            lambda: sql("select %s, %s", [VALUE]),
            lambda: sql.query("select 1/0 where $1::text is not null", [VALUE]),
            lambda: sql.transaction([("select %s", [VALUE]), (FAILS, [VALUE])]),
            lambda: neonps.async_neon(url, password=lambda: SECRET)("select %s", [VALUE]),
            lambda: neonps.async_neon(url, auth_token=lambda: f"{TOKEN}\n")("select %s", [VALUE]),
        ):
            with pytest.raises(ANYTHING) as caught:
                await call()
            parts.append(shown(caught.value))
        await sql.close()

    with logged() as parts:
        asyncio.run(main())
    check_hidden("\n".join(parts), VALUE, SECRET, TOKEN, postgres.password)


# Others who show something


def test_reprs(url: str, transport: str, postgres: EmbeddedPostgres) -> None:
    with neonps.connect(url, transport=transport, autocommit=True) as conn:
        cursor = conn.execute("select %s", [VALUE])
        settings = conn._transport.settings
        things = [conn, cursor, conn.info, conn.pgconn, conn.transaction(), conn.pipeline(), conn._transport]
        things += [settings, *settings.hosts, settings.tls, settings.fetch_url, settings.websocket_url, cursor._query]
        things += [conn.info.get_parameters(), conn.info.dsn]
        if transport != "http":
            things += [conn._transport.machine, conn.cursor("c"), cursor.copy("copy (select 1) to stdout")]
        check_hidden("\n".join(map(repr, things)), VALUE, postgres.password)


def test_messages_of_the_protocol_hide_what_is_in_them() -> None:
    secret, value = SECRET.encode(), VALUE.encode()
    messages = [
        f.PasswordMessage(secret),
        f.SASLInitialResponse("SCRAM-SHA-256", secret),
        f.SASLResponse(secret),
        f.CancelRequest(1, secret),
        f.Bind(b"", b"", [value]),
        f.CopyData(value),
        f.Encoded((f.Bind,), [value]),
        b.BackendKeyData(1, secret),
        Send(secret),
        Statement("select $1", [VALUE]),
        TLS("h", key_password=SECRET),
        Host("h", None, 1, password=SECRET),
    ]
    check_hidden("\n".join(map(repr, messages)), SECRET, VALUE)


def test_a_pool_that_cannot_connect(url: str, transport: str) -> None:
    if transport == "http":
        pytest.skip("over HTTP connecting needs no server")
    with logged() as parts:
        keywords = {"transport": transport, "password": SECRET}
        with (
            pool.ConnectionPool(url, kwargs=keywords, min_size=1, reconnect_timeout=0.5, open=False) as connections,
            pytest.raises(pool.PoolTimeout) as caught,
            connections.connection(timeout=0.5),
        ):
            pass
        parts += (shown(caught.value), *looked_into(connections))
    assert any("error connecting" in part for part in parts)
    check_hidden("\n".join(parts), SECRET)


@on_sessions
@pytest.mark.parametrize(("kind", "expected"), [("ConnectionPool", set()), ("NullConnectionPool", {"kwargs"})])
def test_what_the_calls_of_a_pool_show(url: str, transport: str, kind: str, expected: set[str]) -> None:
    """As the page on secrets has it: nothing, unless it connects in the call itself."""
    keywords = {"transport": transport, "password": SECRET}
    with (
        getattr(pool, kind)(url, kwargs=keywords, min_size=0, max_size=1, open=False) as connections,
        pytest.raises((pool.PoolTimeout, neonps.OperationalError)) as caught,
        connections.connection(timeout=0.3),
    ):
        pass
    seen: dict[str, str] = {}
    for frame, _ in traceback.walk_tb(caught.value.__traceback__):
        if frame.f_globals["__name__"].startswith("neonps._psycopg_pool"):
            seen |= {name: repr(value) for name, value in frame.f_locals.items()}
    assert "self" in seen
    assert {name for name, value in seen.items() if SECRET in value or repr(SECRET)[1:-1] in value} == expected


def test_a_span(url: str, transport: str, postgres: EmbeddedPostgres) -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with neonps.connect(url, transport=transport, autocommit=True) as plain:
        conn: Any = instrument_connection("neonps", plain, "postgresql", {}, tracer_provider=provider)
        for params in ([VALUE], [VALUE, VALUE]):
            with pytest.raises(neonps.Error):
                conn.cursor().execute(FAILS, params)
    provider.shutdown()
    spans = exporter.get_finished_spans()
    assert len(spans) == 2
    check_hidden("\n".join(span.to_json() for span in spans), VALUE, postgres.password)


@pytest.mark.parametrize("arguments", [["query", "select 1/0 where $1 is not null"], ["doctor"]])
def test_the_command_line(url: str, transport: str, arguments: list[str]) -> None:
    wrong = neonps.conninfo.make_conninfo(url, password=SECRET, transport=transport)
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-m", "neonps", *arguments],
        env={**os.environ, "DATABASE_URL": wrong},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    check_hidden(done.stdout + done.stderr, SECRET)


# The test itself


def test_what_is_shown_would_be_found() -> None:
    def inner(params: list[str]) -> NoReturn:
        raise neonps.DataError("no")

    code = inner.__code__.replace(co_filename=str(PACKAGE / "x.py"))
    with pytest.raises(neonps.DataError) as caught:
        type(inner)(code, globals())([VALUE])
    assert VALUE in shown(caught.value)
    drop_locals(caught.value)
    with pytest.raises(AssertionError):
        check_hidden(quote(VALUE), VALUE)
