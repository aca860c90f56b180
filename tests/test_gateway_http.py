"""The gateway as an HTTP server: requests that make no sense, limits, connections, and how they end."""

from __future__ import annotations

import gc
import json
import os
import socket
import ssl
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import UUID

import h11
import psycopg
import pytest
import trustme
from gateway_client import ERROR_FIELDS, Client, active, running, wait_for
from gateway_raw import Raw, needs_rdhup
from shown import logged

from neonps.embedded import EmbeddedPostgres
from neonps.gateway import Gateway, Upstream
from neonps.gateway.http import MAX_AHEAD

# Requests that make no sense


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        ({"password": "wrong"}, "28P01", "password authentication failed for user"),
        ({"username": "nobody"}, "28P01", "password authentication failed for user"),
        ({"password": None}, None, "password authentication failed for user"),
        ({"path": "/no_such_database"}, "3D000", 'database "no_such_database" does not exist'),
        ({"query": "options=-c%20no_such_setting%3D1"}, "42704", "no_such_setting"),
    ],
)
def test_a_login_that_fails(
    client: Client, postgres: EmbeddedPostgres, change: dict[str, str | None], code: str | None, message: str
) -> None:
    parts = {"username": postgres.user, "password": postgres.password, "path": "/postgres", "query": "", **change}
    login = parts["username"] if parts["password"] is None else f"{parts['username']}:{parts['password']}"
    url = f"postgresql://{login}@{postgres.host}:{postgres.port}{parts['path']}?{parts['query']}"
    answer = client.query("select 1", (), {"Neon-Connection-String": url})
    assert answer.status == 400
    assert answer.json.keys() == ERROR_FIELDS
    assert answer.json["code"] == code
    assert message in answer.json["message"]
    assert "wrong" not in answer.text


def test_what_a_connection_string_can_say(
    client: Client, postgres: EmbeddedPostgres, admin: psycopg.Connection[Any]
) -> None:
    admin.execute("create role \"a.b@c/ü\" login password 'p:@/?#%ü'")
    try:
        url = (
            f"postgres://a.b%40c%2F%C3%BC:p%3A%40%2F%3F%23%25%C3%BC@ep-some-thing.example.com/{postgres.dbname}"
            "?sslmode=require&channel_binding=require&application_name=my%20app&options=-c%20work_mem%3D1MB"
        )
        query = "select current_user, current_setting('application_name'), current_setting('work_mem')"
        headers = {"Neon-Connection-String": url, "Neon-Array-Mode": "true"}
        assert client.query(query, (), headers).row == ["a.b@c/ü", "my app", "1MB"]
    finally:
        admin.execute('drop role "a.b@c/ü"')


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (None, "Neon-Connection-String is missing"),
        ("", "invalid connection string"),
        ("secret", "incorrect scheme"),
        ("mysql://u:secret@h/d", "incorrect scheme"),
        ("postgresql://h/d", "missing username"),
        ("postgresql://u:secret@/d", "missing hostname"),
        ("postgresql://u:secret@h", "missing database name"),
        ("postgresql://u:secret@h/", "missing database name"),
        ("postgresql://u:secret%FF@h/d", "invalid connection string"),
        ("postgresql://u:secret@[h/d", "invalid connection string"),
        ("postgresql://u:secret%00@h/d", "NUL"),
    ],
)
def test_a_bad_connection_string(client: Client, url: str | None, message: str) -> None:
    answer = client.query("select 1", (), {"Neon-Connection-String": url})
    assert answer.status == 400
    assert answer.json.keys() == ERROR_FIELDS
    assert answer.json["code"] is None
    assert message in answer.json["message"]
    assert "secret" not in answer.text


def test_there_are_no_tokens(client: Client) -> None:
    answer = client.query("select 1", (), {"Authorization": "Bearer secret"})
    assert (answer.status, answer.json["code"]) == (400, None)
    assert "token" in answer.json["message"]
    assert "secret" not in answer.text


@pytest.mark.parametrize(
    "body",
    [
        "",
        "x",
        "[1]",
        "null",
        "{}",
        '{"query": 1}',
        '{"query": null}',
        '{"query": "select 1", "params": 1}',
        '{"query": "select 1", "params": {}}',
        '{"query": "select 1", "params": [NaN]}',
        '{"query": "select 1", "arrayMode": "true"}',
        '{"queries": {}}',
        '{"queries": [1]}',
        '{"queries": ["select 1"]}',
        '{"queries": [{"params": []}]}',
        '{"query": "select 1\\u0000"}',
        '{"query": "select \'\\ud800\'"}',
        '{"query": "select $1", "params": ["\\udfff"]}',
        b'{"query": "select \xff"}',
        '{"query": ' + "[" * 100_000,
        json.dumps({"query": "select 1", "params": [None] * 65536}),
    ],
)
def test_a_bad_body(client: Client, body: str | bytes) -> None:
    answer = client.request(body)
    assert answer.status == 400
    assert answer.json.keys() == ERROR_FIELDS
    assert answer.json["code"] is None
    assert isinstance(answer.json["message"], str)
    assert client.query("select 1 as a").row == {"a": 1}  # the connection is still good


def test_nul_in_a_parameter(client: Client) -> None:
    assert client.query("select $1::text", ["a\0b"]).json["code"] == "22021"


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/sql"), ("POST", "/"), ("POST", "/sql/"), ("PUT", "/sql"), ("GET", "/v2"), ("HEAD", "/sql")],
)
def test_a_wrong_path_or_method(client: Client, method: str, path: str) -> None:
    answer = client.request("", {}, method, path)
    assert answer.status == 400
    assert answer.text == ("" if method == "HEAD" else '"query is not supported"')
    assert client.query("select 1 as a").row == {"a": 1}


def test_what_browsers_ask_first(client: Client) -> None:
    answer = client.request("", {"Neon-Connection-String": None}, "OPTIONS")
    assert (answer.status, answer.text) == (200, "")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "POST" in answer.headers["Access-Control-Allow-Methods"]
    allowed = answer.headers["Access-Control-Allow-Headers"].lower().split(", ")
    for name in (
        "content-type", "authorization", "neon-connection-string", "neon-raw-text-output", "neon-array-mode",
        "neon-batch-isolation-level", "neon-batch-read-only", "neon-batch-deferrable", "neon-pool-opt-in",
    ):  # fmt: skip
        assert name in allowed


def test_every_answer_has_an_id_and_is_for_any_origin(client: Client) -> None:
    answers = [
        client.query("select 1"),
        client.query("select 1/0"),
        client.request("x"),
        client.request("", {}, "GET", "/"),
        client.request("", {}, "OPTIONS"),
    ]
    assert len({UUID(answer.headers["neon-request-id"]) for answer in answers}) == len(answers)
    assert {answer.headers["Access-Control-Allow-Origin"] for answer in answers} == {"*"}


# Limits


def test_too_large_a_request(postgres: EmbeddedPostgres) -> None:
    with running(Gateway(Upstream(postgres.url), max_request=1000)) as gateway:
        client = Client(gateway, postgres.url)
        with closing(client.connection):
            assert client.query("select length($1)", ["x" * 900]).status == 200
            # More than fits into the buffers on the way, so that a gateway that just went away would be noticed.
            answer = client.query("select length($1)", ["x" * 20_000_000])
            assert answer.status == 413
            assert answer.json == {"message": "request is too large (max is 1000 bytes)"}
            assert answer.headers["Connection"] == "close"
            assert client.query("select 1 as a").row == {"a": 1}  # on a new connection


def test_too_large_a_response(postgres: EmbeddedPostgres, numbers: Callable[[], list[int]]) -> None:
    with running(Gateway(Upstream(postgres.url), max_response=100_000)) as gateway:
        client = Client(gateway, postgres.url)
        with closing(client.connection):
            assert client.query("select repeat('x', 90000)").status == 200
            for large in ("select repeat('x', 100000)", "select g, 'xxx' from generate_series(1, 1000000) g"):
                answer = client.query(large)
                assert answer.status == 507
                assert answer.json == {"message": "response is too large (max is 100000 bytes)"}
                answer = client.batch([{"query": "insert into numbers values (1)"}, {"query": large}])
                assert answer.status == 507
                assert numbers() == []
            halves = [{"query": "select repeat('x', 60000)"}] * 2
            assert client.batch(halves).status == 507
            # What grows on the way to JSON: descriptions, names that come with each row, and escapes.
            many = [{"query": "select * from pg_attribute where false"}] * 100
            assert client.batch([*many, {"query": "insert into numbers values (1)"}]).status == 507
            nulls = ", ".join(f'null as "{"x" * 50}{number}"' for number in range(100))
            for large in (f"select {nulls} from generate_series(1, 100)", r"select repeat(e'\x01', 90000)"):
                answer = client.query(large)
                assert answer.status == 507
                assert answer.json == {"message": "response is too large (max is 400000 bytes)"}
                answer = client.batch([{"query": "insert into numbers values (1)"}, {"query": large}])
                assert answer.status == 507
            assert numbers() == []


def test_postgres_cannot_be_reached(dsn: str) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"postgresql://u:secret@127.0.0.1:{nobody.getsockname()[1]}/d"
        with running(Gateway(Upstream(url))) as gateway:
            client = Client(gateway, dsn)
            with closing(client.connection):
                answer = client.query("select 1")
                assert answer.status == 503
                assert answer.json.keys() == {"msg"}
                assert "refused" in answer.json["msg"]
                assert "secret" not in answer.text


# HTTP itself


def talk(gateway: Gateway, *parts: bytes) -> tuple[socket.socket, h11.Connection]:
    """Send bytes to the gateway."""
    connection = socket.create_connection((gateway.host, gateway.port), timeout=30)
    for part in parts:
        connection.sendall(part)
    protocol = h11.Connection(h11.CLIENT)
    protocol.send(h11.Request(method="GET", target="/", headers=[("Host", "x")]))
    protocol.send(h11.EndOfMessage())
    return connection, protocol


def hear(connection: socket.socket, protocol: h11.Connection) -> tuple[int, bytes]:
    """The next answer."""
    status, body = 0, b""
    while True:
        event = protocol.next_event()
        if event is h11.NEED_DATA:
            protocol.receive_data(connection.recv(65536))
        elif isinstance(event, h11.Response):
            status = event.status_code
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage):
            return status, body


def post(dsn: str, query: str, more: str = "") -> bytes:
    body = json.dumps({"query": query}).encode()
    head = (
        f"POST /sql HTTP/1.1\r\nHost: x\r\nNeon-Connection-String: {dsn}\r\nContent-Length: {len(body)}\r\n{more}\r\n"
    )
    return head.encode() + body


def test_requests_one_after_the_other_on_one_connection(client: Client) -> None:
    client.connection.connect()
    connection = client.connection.sock
    for number in range(20):
        assert client.query("select $1::int as a", [number]).row == {"a": number}
    assert client.connection.sock is connection


def test_requests_that_do_not_wait_for_answers(gateway: Gateway, dsn: str) -> None:
    requests = b"".join(post(dsn, f"select {number} as a") for number in range(5))
    connection, protocol = talk(gateway, requests)
    with connection:
        for number in range(5):
            status, body = hear(connection, protocol)
            assert (status, json.loads(body)["rows"]) == (200, [{"a": number}])
            protocol.start_next_cycle()
            protocol.send(h11.Request(method="GET", target="/", headers=[("Host", "x")]))
            protocol.send(h11.EndOfMessage())


@pytest.mark.parametrize("line", [(b"\r\n",), (b"\n",), (b"\r", b"\n")], ids=["together", "newline", "apart"])
def test_an_empty_line_before_a_request(gateway: Gateway, dsn: str, line: tuple[bytes, ...]) -> None:
    connection, protocol = talk(gateway, *line, post(dsn, "select 1"), *line, post(dsn, "select 1"), *line)
    with connection:
        assert hear(connection, protocol)[0] == 200
        protocol.start_next_cycle()
        protocol.send(h11.Request(method="GET", target="/", headers=[("Host", "x")]))
        protocol.send(h11.EndOfMessage())
        assert hear(connection, protocol)[0] == 200


def test_other_versions_of_http(gateway: Gateway, dsn: str) -> None:
    connection, protocol = talk(gateway, post(dsn, "select 1").replace(b"HTTP/1.1", b"HTTP/1.2"))
    with connection:
        assert hear(connection, protocol)[0] == 200
    for version in (b"HTTP/2.0", b"HTTP/0.9"):
        connection, protocol = talk(gateway, post(dsn, "select 1").replace(b"HTTP/1.1", version))
        with connection:
            status, body = hear(connection, protocol)
            assert (status, json.loads(body).keys()) == (505, {"msg"})
            assert connection.recv(1) == b""


def test_a_body_that_waits_to_be_wanted(gateway: Gateway, dsn: str) -> None:
    request = post(dsn, "select 1 as a", "Expect: 100-continue\r\n")
    head, _, body = request.partition(b"\r\n\r\n")
    connection, protocol = talk(gateway, head + b"\r\n\r\n")
    with connection:
        assert connection.recv(65536).startswith(b"HTTP/1.1 100 Continue\r\n")
        connection.sendall(body)
        assert hear(connection, protocol)[0] == 200


def test_a_body_that_is_not_wanted(postgres: EmbeddedPostgres) -> None:
    with running(Gateway(Upstream(postgres.url), max_request=10)) as gateway:
        request = post(postgres.url, "select 1", "Expect: 100-continue\r\n")
        connection, protocol = talk(gateway, request.partition(b"\r\n\r\n")[0] + b"\r\n\r\n")
        with connection:
            assert hear(connection, protocol)[0] == 413  # and no 100 before it
        chunks = b"POST /sql HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n12345678901\r\n"
        connection, protocol = talk(gateway, chunks)
        with connection:
            assert hear(connection, protocol)[0] == 413


def test_a_target_in_its_absolute_form(gateway: Gateway, dsn: str) -> None:
    for host in (b"http://x", b"HTTPS://x:80"):
        connection, protocol = talk(gateway, post(dsn, "select 1").replace(b" /sql ", b" " + host + b"/sql?x=y "))
        with connection:
            assert hear(connection, protocol)[0] == 200


def test_a_body_in_chunks_and_a_request_in_bytes(gateway: Gateway, dsn: str) -> None:
    head = f"POST /sql HTTP/1.1\r\nHost: x\r\nNeon-Connection-String: {dsn}\r\nTransfer-Encoding: chunked\r\n\r\n"
    request = head.encode() + b'a\r\n{"query": \r\nc\r\n"select 1"}\n\r\n0\r\n\r\n'
    connection, protocol = talk(gateway, *(request[at : at + 1] for at in range(len(request))))
    with connection:
        assert hear(connection, protocol)[0] == 200


def test_http_1_0(gateway: Gateway, dsn: str) -> None:
    connection, protocol = talk(gateway, post(dsn, "select 1").replace(b"HTTP/1.1", b"HTTP/1.0"))
    with connection:
        assert hear(connection, protocol)[0] == 200
        assert connection.recv(1) == b""


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"hello\r\n\r\n", 400),
        (b"\r\n\r\nOPTIONS /sql HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"POST /sql HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 100_000, 431),
    ],
    ids=["tls", "words", "empty lines", "http 2", "no host", "no length", "long"],
)
def test_what_is_not_http(gateway: Gateway, request_: bytes, status: int) -> None:
    connection, protocol = talk(gateway, request_)
    with connection:
        found, body = hear(connection, protocol)
        assert found == status
        assert json.loads(body).keys() == {"msg"}
        assert connection.recv(1) == b""


def test_a_client_that_does_not_go_on(postgres: EmbeddedPostgres) -> None:
    with running(Gateway(Upstream(postgres.url), idle_timeout=0.1)) as gateway:
        silent, _ = talk(gateway)
        with silent:
            assert silent.recv(1) == b""
        for part in (b"POST /sql HTT", b"POST /sql HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"):
            connection, protocol = talk(gateway, part)
            with connection:
                assert hear(connection, protocol)[0] == 408
                assert connection.recv(1) == b""


def test_https(postgres: EmbeddedPostgres, tmp_path: Path) -> None:
    ca = trustme.CA()
    certificate = ca.issue_cert("127.0.0.1")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.configure_cert(tls)
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    with running(Gateway(Upstream(postgres.url), tls=tls)) as gateway:
        assert gateway.url == f"https://127.0.0.1:{gateway.port}"
        client = Client(gateway, postgres.url, ssl.create_default_context(cafile=str(tmp_path / "ca.pem")))
        with closing(client.connection):
            assert client.query("select 1 as a").row == {"a": 1}
            assert client.query("select repeat('x', 1000000) as a").row == {"a": "x" * 1_000_000}
        connection, _ = talk(gateway, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        with connection:
            assert connection.recv(65536) == b""


# Ends


@pytest.mark.parametrize(
    "ahead",
    [
        b"",
        b"POST /sql HTTP/1.1\r\n",
        pytest.param(
            b"x" * (MAX_AHEAD + 1),
            marks=needs_rdhup,
        ),
    ],
    ids=["nothing", "little", "much"],
)
def test_a_client_that_goes_has_its_query_cancelled(
    gateway: Gateway, dsn: str, admin: psycopg.Connection[Any], ahead: bytes
) -> None:
    connection, _ = talk(gateway, post(dsn, "select pg_sleep(100), 'gone'") + ahead)
    wait_for(lambda: active(admin, "'gone'"))
    connection.close()
    wait_for(lambda: not active(admin, "'gone'"))


def test_a_batch_of_a_client_that_goes_leaves_nothing(
    gateway: Gateway, dsn: str, admin: psycopg.Connection[Any], numbers: Callable[[], list[int]]
) -> None:
    body = json.dumps(
        {"queries": [{"query": "insert into numbers values (1)"}, {"query": "select pg_sleep(100), 'left'"}]}
    )
    head = f"POST /sql HTTP/1.1\r\nHost: x\r\nNeon-Connection-String: {dsn}\r\nContent-Length: {len(body)}\r\n\r\n"
    connection, _ = talk(gateway, head.encode() + body.encode())
    wait_for(lambda: active(admin, "'left'"))
    connection.close()
    wait_for(lambda: not active(admin, "'left'"))
    assert numbers() == []


def test_a_gateway_that_stops_leaves_no_query_behind(
    postgres: EmbeddedPostgres, admin: psycopg.Connection[Any]
) -> None:
    with running(Gateway(Upstream(postgres.url))) as gateway:
        connection, _ = talk(gateway, post(postgres.url, "select pg_sleep(100), 'stopped'"))
        idle, _ = talk(gateway)
        wait_for(lambda: active(admin, "'stopped'"))
    with connection, idle:
        assert connection.recv(1) == b""
        assert idle.recv(1) == b""
    wait_for(lambda: not active(admin, "'stopped'"))
    with pytest.raises(ConnectionError):
        socket.create_connection((gateway.host, gateway.port)).close()


def test_more_requests_at_once_than_postgres_has_sessions(gateway: Gateway, dsn: str) -> None:
    connections = [talk(gateway, post(dsn, f"select {number} as a, pg_sleep(0.01)")) for number in range(150)]
    for number, (connection, protocol) in enumerate(connections):
        with connection:
            status, body = hear(connection, protocol)
            assert status == 200, body
            assert json.loads(body)["rows"][0]["a"] == number


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="open files can be counted on Linux only")
def test_nothing_stays_open(gateway: Gateway, dsn: str, admin: psycopg.Connection[Any]) -> None:
    def some_requests() -> None:
        client = Client(gateway, dsn)
        with closing(client.connection):
            for query in ("select 1", "select 1/0", "copy pg_class to stdout", "select repeat('x', 20000000)"):
                client.query(query)
            client.query("select 1", (), {"Neon-Connection-String": dsn.replace("postgres:", "nobody:")})
            client.request("{")

    def sessions() -> int:
        row = admin.execute("select count(*) from pg_stat_activity where backend_type = 'client backend'").fetchone()
        assert row
        return int(row[0])

    open_before = sessions()
    some_requests()
    wait_for(lambda: sessions() == open_before)
    gc.collect()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        some_requests()
    wait_for(lambda: sessions() == open_before)
    wait_for(lambda: len(os.listdir("/proc/self/fd")) <= before)


def test_no_password_is_logged(client: Client, postgres: EmbeddedPostgres, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    client.query("select 1")
    client.query("select 1", (), {"Neon-Connection-String": postgres.url.replace("/postgres", "/nowhere")})
    client.query("select 1", (), {"Neon-Connection-String": f"{postgres.url}\x80[%zz"})
    assert postgres.password not in caplog.text


@pytest.mark.parametrize(
    ("head", "status"),
    [
        ("HEAD /sql HTTP/2.0", 505),
        ("HEAD /sql HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked", 400),
    ],
)
def test_the_answer_to_a_wrong_head_request(gateway: Gateway, head: str, status: int) -> None:
    """It has no body, and is no mistake of the gateway."""
    with logged() as parts, Raw(gateway) as raw:
        raw.send(f"{head}\r\nHost: x\r\n\r\n")
        said = b""
        while data := raw.socket.recv(1 << 16):
            said += data
    assert said.startswith(f"HTTP/1.1 {status} ".encode())
    assert said.endswith(b"\r\n\r\n")
    assert not any("mistake" in part for part in parts)
