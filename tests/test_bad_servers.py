"""Servers that are something else than they should be, or silent: one clear exception each, in time."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fake_server import FakeServer
from gateway_client import wait_for
from refused import elsewhere, refused, use
from transports import over_http, over_websocket, through_gateway

import neonps
from neonps import errors

# Servers that are something else


def http_answer(status: str, body: bytes, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


HTML = (
    b"<html><head><title>Oh no</title><style>p {}</style></head><body><h1>Bad  Gateway</h1>\n<p>nginx</p></body></html>"
)

#: Answers that are wrong for every transport, and whether the connection is closed after them.
NONSENSE = {
    "nothing": b"",
    "words": b"220 mail.example.com ESMTP\r\n",
    "zeros": b"\0" * 1000,
    "noise": bytes(range(255, 0, -1)) * 20,
    "an endless line": b"A" * 200_000,
    "an endless head": b"HTTP/1.1 200 OK\r\n" + b"X-Header: value\r\n" * 10_000,
    "half a head": b"HTTP/1.1 200 OK\r\nContent-Le",
    "another version": b"HTTP/3.0 200 OK\r\n\r\n",
    "what Postgres does not say now": b"Z\0\0\0\5I",
    "a message with an impossible length": b"R\0\0\0\3",
    "a message with a negative length": b"R\xff\xff\xff\xff",
    "a message that is too long": b"E\x7f\xff\xff\xff",
    "half a message": b"R\0\0\0\x0c\0\0",
    "an unknown way to log in": b"R\0\0\0\x08\0\0\x03\xe8",
    "an unknown message": b"y\0\0\0\4",
    "TLS": b"\x15\x03\x01\0\2\2\x46",
}


@pytest.mark.parametrize("answer", NONSENSE.values(), ids=NONSENSE)
def test_a_server_that_talks_nonsense(transport: str, answer: bytes) -> None:
    with FakeServer(answer) as server:
        with refused(neonps.OperationalError) as caught:
            use(**elsewhere(transport, "127.0.0.1", server.port))
        assert "127.0.0.1" in str(caught.value)
        assert len(str(caught.value)) < 1000
        assert server.accepted == 1
        wait_for(lambda: server.open == 0)


@pytest.mark.parametrize("answer", [b"220 mail.example.com ESMTP\r\n", b"\0" * 100, b"N", b"R\0\0\0\x08\0\0\0\0" * 2])
def test_a_server_that_talks_first(transport: str, answer: bytes) -> None:
    with FakeServer(answer, first=True) as server:
        with refused(neonps.OperationalError):
            use(**elsewhere(transport, "127.0.0.1", server.port))
        wait_for(lambda: server.open == 0)


#: What servers of HTTP answer, and what has to be said of it over WebSocket and over HTTP.
ANSWERS = {
    "a page": (http_answer("200 OK", HTML), "Bad Gateway nginx", "makes no sense"),
    "nothing": (http_answer("200 OK", b""), "'OK'", "makes no sense"),
    "not found": (http_answer("404 Not Found", b"no such page"), "no such page", "no such page"),
    "a bare status": (http_answer("404 ", b""), "Not Found", "Not Found"),
    "an unknown status": (http_answer("599 ", b""), "599", "599"),
    "a load balancer": (http_answer("502 Bad Gateway", HTML), "Bad Gateway nginx", "Bad Gateway nginx"),
    "no access": (http_answer("403 Forbidden", b'{"msg": "not for you"}'), "not for you", "not for you"),
    "an empty refusal": (http_answer("400 Bad Request", b"{}"), "400", "400"),
    "a redirect": (http_answer("301 Moved", b"", "Location: https://elsewhere.example.com/"), "redirect", "redirect"),
    "another redirect": (http_answer("307 Temporary Redirect", HTML, "Location: /"), "redirect", "redirect"),
    "too many": (
        http_answer("429 Too Many", b'{"message": "slow down", "code": "RATE_LIMITED"}', "neon-request-id: r-1"),
        "r-1",
        "slow down [RATE_LIMITED]",
    ),
    "a list": (http_answer("500 Internal Server Error", b"[1, 2]"), "[1, 2]", "[1, 2]"),
    "binary": (http_answer("500 Internal Server Error", bytes(range(256))), "500", "500"),
    "half a page": (http_answer("500 Oh", HTML[:50]).replace(b": 50", b": 5000"), "500", "closed"),
}  # fmt: skip


@through_gateway
@pytest.mark.parametrize("close", [True, False])
@pytest.mark.parametrize(("answer", "over_ws", "over_sql"), ANSWERS.values(), ids=ANSWERS)
def test_an_answer_of_http(transport: str, answer: bytes, over_ws: str, over_sql: str, close: bool) -> None:
    if not close and b": 5000" in answer:
        pytest.skip("this one has no end")
    with FakeServer(answer, close=close) as server:
        with refused(neonps.OperationalError, over_ws if transport == "websocket" else over_sql) as caught:
            use(**elsewhere(transport, "127.0.0.1", server.port))
        if transport == "websocket":
            assert "refused to open a WebSocket" in str(caught.value)
        status = answer.split(b" ")[1].decode()
        if status != "200" and b": 5000" not in answer:
            assert f"HTTP status {status}" in str(caught.value)
        assert server.accepted == 1  # in particular no redirect is followed
        wait_for(lambda: server.open == 0)


@over_http
def test_a_page_that_shows_the_request(transport: str) -> None:
    """Debug pages do; the password is in a header."""
    answer = b"HTTP/1.1 500 Oh\r\nConnection: close\r\n\r\n{request}"
    keywords = {**elsewhere(transport, "127.0.0.1", 0), "password": "hunter2", "user": "the-user"}
    with FakeServer(answer) as server, refused(neonps.OperationalError, "Oh", "hunter2") as caught:
        use(**{**keywords, "gateway": f"http://127.0.0.1:{server.port}"})
    assert "POST" in str(caught.value)


@over_websocket
@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", "handshake"),
        (
            b"HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n",
            "handshake",
        ),
        (b"HTTP/1.1 101 S\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n", "handshake"),
    ],
)
def test_a_handshake_that_is_wrong(transport: str, answer: bytes, message: str) -> None:
    with FakeServer(answer, close=False) as server:
        with refused(neonps.OperationalError, message):
            use(**elsewhere(transport, "127.0.0.1", server.port))
        wait_for(lambda: server.open == 0)


@over_http
@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b"[]",
        b"null",
        b'"ok"',
        b'{"fields": [], "rows": []',
        b'{"results": [1]}',
        b'{"results": {}}',
        b'{"results": [{"fields": [{"name": "a", "dataTypeID": 23}], "rows": [{"a": "1"}], "command": "SELECT"}]}',
        b'{"results": [{"fields": [{"name": "a", "dataTypeID": 23}], "rows": [["1", "2"]], "command": "SELECT"}]}',
        b'{"results": [{"fields": [{"name": "a", "dataTypeID": 23}], "rows": [[1]], "command": "SELECT"}]}',
        b'{"results": [{"fields": [{"name": "a", "dataTypeID": "x"}], "rows": [], "command": "SELECT"}]}',
        b'{"results": [{"fields": [{"name": 5, "dataTypeID": 23}], "rows": [], "command": "SELECT"}]}',
        b'{"results": [{"fields": 7, "rows": [], "command": "SELECT"}]}',
        b'{"results": [{"fields": [], "rows": [], "command": 7}]}',
        b'{"results": [{"fields": [], "rows": [], "command": "SELECT", "rowCount": "many"}]}',
        b'{"results": []}',
        b'{"results": [{"fields":[],"rows":[],"command":""},{"fields":[],"rows":[],"command":""}]}',
        b"[" * 100_000,
        b"\xff\xfe",
    ],
)
def test_an_answer_that_makes_no_sense(transport: str, body: bytes) -> None:
    answer = http_answer("200 OK", body, "Content-Type: application/json", "neon-request-id: r-7")
    with FakeServer(answer) as server, refused(neonps.OperationalError) as caught:
        use(**elsewhere(transport, "127.0.0.1", server.port))
    assert caught.value.status == 200
    assert caught.value.request_id == "r-7"


@over_http
@pytest.mark.parametrize(
    ("status", "unknown"),
    [("400 Oh", False), ("429 Oh", False), ("500 Oh", True), ("502 Oh", True), ("504 Oh", True), ("200 OK", True)],
)
def test_what_an_answer_means_for_what_was_sent(transport: str, status: str, unknown: bool) -> None:
    """Somebody between here and the database has answered, who may not know what has become of the request."""
    with FakeServer(http_answer(status, HTML)) as server:
        conn = neonps.connect(**elsewhere(transport, "127.0.0.1", server.port))
        conn.execute("insert into t values (1)")
        with refused(neonps.OperationalError) as caught:
            conn.commit()
        assert ("unknown whether" in str(caught.value)) is unknown
        assert caught.value.outcome_unknown is unknown
        with refused(neonps.OperationalError) as caught:
            conn.execute("select 1")
        assert "unknown" not in str(caught.value)
        conn.close()


@over_http
@pytest.mark.parametrize(
    ("severity", "code", "unknown"),
    [
        ("FATAL", "08006", True),
        ("FATAL", "57P02", True),
        ("FATAL", "53100", True),
        ("FATAL", "57P01", False),
        ("FATAL", "28P01", False),
        ("FATAL", "53300", False),
        ("ERROR", "08006", False),
        ("ПАНИКА", "53100", True),
        ("ОШИБКА", "40001", False),
        (None, "08P01", True),
        (None, "53300", False),
    ],
)
def test_what_an_error_means_for_what_was_sent(transport: str, severity: str | None, code: str, unknown: bool) -> None:
    """One that ends the session can come from somebody who has lost Postgres, and does not know what it has done.

    So can one that does not say how severe it is, which Postgres always does.
    """
    body = json.dumps({"message": "so it is", "severity": severity, "code": code}).encode()
    with FakeServer(http_answer("400 Bad Request", body, "Content-Type: application/json")) as server:
        conn = neonps.connect(**elsewhere(transport, "127.0.0.1", server.port))
        conn.execute("insert into t values (1)")
        with refused(neonps.OperationalError) as caught:
            conn.commit()
        assert caught.value.sqlstate == code
        assert ("unknown whether" in str(caught.value)) is unknown
        assert caught.value.outcome_unknown is unknown
        with refused(neonps.OperationalError) as caught:
            conn.execute("select 1")
        assert not caught.value.outcome_unknown  # it only reads
        conn.close()


@over_http
@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: minus one\r\n\r\n{",
        b"HTTP/1.1 100 Continue\r\n\r\n",
    ],
)
def test_an_answer_that_is_cut_off(transport: str, answer: bytes) -> None:
    """For a statement that reads nothing is at stake; of any other nobody knows what has become."""
    with FakeServer(answer) as server:
        keywords = elsewhere(transport, "127.0.0.1", server.port)
        with refused(neonps.OperationalError, "no answer") as caught:
            use(**keywords)
        assert "unknown" not in str(caught.value)
        with refused(neonps.OperationalError, "unknown whether"):
            use(**keywords, autocommit=True)
        conn = neonps.connect(**keywords)
        conn.execute("insert into t values (1)")
        with refused(neonps.OperationalError, "unknown whether"):
            conn.commit()
        assert server.accepted == 3  # nothing was sent twice


# Servers that are silent


def test_servers_that_never_answer() -> None:
    """Each is left after its time. They are waited for at once, since that time is at least 2 seconds."""
    login = "R\0\0\0\x0a\0\0\0\x0a"  # the head of a list of SASL mechanisms whose rest never comes
    cases: list[tuple[str, bytes | None, dict[str, Any], str]] = [
        ("tcp", None, {}, "connection timeout expired"),
        ("tcp", None, {"sslmode": "require"}, "connection timeout expired"),
        ("tcp", b"S", {"sslmode": "require"}, "connection timeout expired"),
        ("tcp", login.encode("latin-1"), {}, "connection timeout expired"),
        ("websocket", None, {}, "connection timeout expired"),
        ("websocket", b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 100\r\n\r\n", {}, "connection timeout expired"),
        ("http", None, {"timeout": "0.5"}, "has not answered within 0.5 seconds"),
        ("http", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", {"timeout": 0.5}, "has not answered within 0.5"),
    ]  # fmt: skip

    def attempt(transport: str, answer: bytes | None, keywords: dict[str, Any], message: str) -> None:
        with FakeServer(answer, close=False) as server:
            with refused(neonps.OperationalError, message) as caught:
                use(**{**elsewhere(transport, "127.0.0.1", server.port), "connect_timeout": 2, **keywords})
            assert isinstance(caught.value, errors.ConnectionTimeout) is (transport != "http")
            wait_for(lambda: server.open == 0)

    with ThreadPoolExecutor(len(cases)) as pool:
        for future in [pool.submit(attempt, *case) for case in cases]:
            future.result()
