"""What is wrong with what a user gives, or with a server: one clear exception each, in time, and without secrets."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from fake_server import FakeServer
from gateway_client import wait_for
from relay import Relay
from transports import Connect, Connection, over_http, over_tcp, over_websocket, through_gateway

import neonps
from neonps import errors
from neonps.embedded import EmbeddedPostgres

SECRET = "p@ss/w:rd%21 ö'\\"
ENCODED = "p%40ss%2Fw%3Ard%2521%20%C3%B6%27%5C"


def check_no_secret(error: BaseException, secret: str = SECRET) -> None:
    """Neither the error nor what is behind it shows a password."""
    shown = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    behind: BaseException | None = error
    while behind is not None:
        shown += f"{behind} {behind!r} {behind.args}"
        behind = behind.__cause__ or behind.__context__
    if isinstance(error, neonps.Error):
        shown += repr([getattr(error.diag, name) for name in dir(error.diag) if not name.startswith("_")])
    for form in (secret, ENCODED if secret == SECRET else secret, repr(secret)[1:-1]):
        assert form not in shown


@contextmanager
def refused(cls: type[BaseException], message: str = "", secret: str = SECRET) -> Iterator[Any]:
    """Within it an error of the class is raised, with these words in it, which says only what it should."""
    with pytest.raises(cls) as caught:
        yield caught
    assert message in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None or caught.value.__suppress_context__
    check_no_secret(caught.value, secret)


def use(**kwargs: Any) -> None:
    """Connect and ask something: over HTTP there is no connection before."""
    with neonps.connect(**kwargs) as conn:
        conn.execute("select 1")


# Connection strings and keywords


@pytest.mark.parametrize(
    "conninfo",
    [
        f"postgresql://u:{ENCODED}@host:port/db",
        f"postgresql://u:{ENCODED}@host:99999/db",
        f"postgresql://u:{ENCODED}@[::1/db",
        f"postgresql://u:{ENCODED}@host/db?nonsense=1",
        f"postgresql://u:{ENCODED}@host/db?transport",
        f"postgresql://u:{ENCODED}@host/db?transport=pigeon",
        f"postgresql://u:{ENCODED}%zz@host/db",
        f"postgresql://u:{ENCODED}@host/db?connect_timeout=soon",
        f"postgresql://u:{ENCODED}@ho st/db",
        f"postgresql://u:{ENCODED}@host/db?sslmode=maybe",
        f"postgresql://u:{ENCODED}@host/db?gateway=ftp://host",
        f"postgresql://u:{ENCODED}@host/db?gateway=http://",
        f"postgresql://u:{ENCODED}@host/db?timeout=long",
        f"postgresql://u:{SECRET}@host/db",
        f"postgresql://u:{SECRET}",
        f"mysql://u:{ENCODED}@host/db",
        f"//u:{ENCODED}@host/db",
        f"host=h password='{ENCODED}",
        f"host=h password={ENCODED} nonsense",
        f"host=h password={ENCODED} nonsense=1",
        f"password={ENCODED} port=0",
        f"postgresql://u:{ENCODED}@host/db\0",
        f"postgresql://u:{ENCODED}@host/d\ud800b",
    ],
)
def test_a_malformed_connection_string(conninfo: str) -> None:
    with refused(neonps.ProgrammingError):
        neonps.connect(conninfo)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"nonsense": 1}, '"nonsense"'),
        ({"Host": "h"}, '"Host"'),
        ({"transport": "pigeon"}, "websocket, http or tcp"),
        ({"transport": 7}, "websocket, http or tcp"),
        ({"port": "abc"}, "port"),
        ({"port": -1}, "port"),
        ({"port": 5432.5}, "port"),
        ({"host": ["h"]}, "list"),
        ({"host": "a,b", "port": "1,2,3"}, "3 port numbers to 2 hosts"),
        ({"sslmode": "maybe"}, "sslmode"),
        ({"connect_timeout": "soon"}, "connect_timeout"),
        ({"timeout": "long"}, "timeout"),
        ({"lazy": "perhaps"}, "lazy"),
        ({"pipeline_connect": "magic"}, "pipeline_connect"),
        ({"require_auth": "magic"}, "require_auth"),
        ({"transport": "http"}, "gateway"),
        ({"transport": "websocket"}, "gateway"),
        ({"gateway": "not a url"}, "gateway"),
        ({"gateway": "http://h/?a=b", "transport": "http"}, "gateway"),
        ({"gateway": f"http://u:{ENCODED}@localhost"}, "user"),
        ({"fetch_endpoint": f"ftp://{ENCODED}", "transport": "http"}, "fetch_endpoint"),
        ({"user": "a\nb"}, "control character"),
        ({"user": "a\0b"}, "control character"),
        ({"dbname": "\ud800"}, "UTF-8"),
    ],
)
def test_wrong_keywords(keywords: dict[str, Any], message: str) -> None:
    with refused(neonps.ProgrammingError, message):
        neonps.connect(**{"host": "localhost", "user": "u", "password": SECRET, **keywords})


def test_a_connection_string_that_is_none() -> None:
    with refused(TypeError, "bytes"):
        neonps.connect(f"password={ENCODED}".encode())  # type: ignore[arg-type]


# Wrong host, port, user, password, database


def test_a_wrong_password(url: str, transport: str) -> None:
    with refused(neonps.OperationalError, "password authentication failed for user") as caught:
        use(conninfo=url, transport=transport, password=SECRET)
    assert caught.value.sqlstate == "28P01"
    assert isinstance(caught.value, errors.InvalidPassword)


def test_no_password(url: str, transport: str, postgres: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSFILE", "/nowhere")
    bare = url.replace(f":{postgres.password}@", "@")
    with refused(neonps.OperationalError, "password"):
        use(conninfo=bare, transport=transport)


def test_a_wrong_user(url: str, transport: str, postgres: EmbeddedPostgres) -> None:
    with refused(neonps.OperationalError, 'user "nobody"', postgres.password) as caught:
        use(conninfo=url, transport=transport, user="nobody")
    assert caught.value.sqlstate == "28P01"


def test_a_wrong_database(url: str, transport: str, postgres: EmbeddedPostgres) -> None:
    with refused(neonps.OperationalError, 'database "no such one" does not exist', postgres.password) as caught:
        use(conninfo=url, transport=transport, dbname="no such one")
    assert caught.value.sqlstate == "3D000"
    assert caught.value.diag.severity == "FATAL"


def test_a_wrong_option_for_the_session(url: str, transport: str) -> None:
    with refused(neonps.OperationalError, "no_such_setting") as caught:
        use(conninfo=url, transport=transport, options="-c no_such_setting=1")
    assert caught.value.sqlstate == "42704"


def elsewhere(transport: str, host: str, port: int) -> dict[str, Any]:
    """Keywords to connect to what is at a host and port over a transport."""
    login = {"transport": transport, "user": "u", "password": SECRET, "dbname": "d", "sslmode": "disable"}
    if transport == "tcp":
        return {**login, "host": host, "port": port}
    return {**login, "host": "db.example.com", "gateway": f"http://{host}:{port}"}


def test_a_host_that_does_not_exist(transport: str) -> None:
    with refused(neonps.OperationalError, "no-such-host.invalid"):
        use(**elsewhere(transport, "no-such-host.invalid", 5432))


def test_a_port_where_nobody_listens(transport: str) -> None:
    with FakeServer(None) as server:
        port = server.port
    with refused(neonps.OperationalError, "refused") as caught:
        use(**elsewhere(transport, "127.0.0.1", port))
    assert str(port) in str(caught.value)


@over_websocket
def test_a_database_that_the_gateway_does_not_lead_to(url: str, transport: str) -> None:
    with refused(neonps.OperationalError, "does not lead to 127.0.0.1:1") as caught:
        use(conninfo=url, transport=transport, port=1, password=SECRET)
    assert "403" in str(caught.value)


@over_tcp
def test_several_hosts_and_all_are_wrong(transport: str) -> None:
    with FakeServer(None) as one, FakeServer(None) as two:
        ports = f"{one.port},{two.port}"
    with refused(neonps.OperationalError) as caught:
        neonps.connect(host="127.0.0.1,localhost", port=ports, user="u", password=SECRET)
    for part in ("127.0.0.1", "localhost", *ports.split(",")):
        assert part in str(caught.value)


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
        with refused(neonps.OperationalError) as caught:
            conn.execute("select 1")
        assert "unknown" not in str(caught.value)
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


# Statements and parameters


class Unadaptable:
    pass


MISTAKES: list[tuple[Any, Any, type[Exception], str]] = [
    ("select %s", [], neonps.ProgrammingError, "1 placeholders but 0 parameters"),
    ("select %s", [1, 2], neonps.ProgrammingError, "1 placeholders but 2 parameters"),
    ("select 1", [1], neonps.ProgrammingError, "0 placeholders but 1 parameters"),
    ("select %(a)s", {"b": 1}, neonps.ProgrammingError, "parameter missing: a"),
    ("select %(a)s", [1], TypeError, "mapping"),
    ("select %s", {"a": 1}, TypeError, "sequence"),
    ("select %s, %(a)s", [1, 2], neonps.ProgrammingError, "cannot be mixed"),
    ("select %(a)s, %s", {"a": 1}, neonps.ProgrammingError, "cannot be mixed"),
    ("select 5 % 3 = %s", [2], neonps.ProgrammingError, "%%"),
    ("select '%d', %s", [1], neonps.ProgrammingError, "'%d'"),
    ("select %(a", {"a": 1}, neonps.ProgrammingError, "'%(a'"),
    ("select %(a)d", {"a": 1}, neonps.ProgrammingError, "'%(a)d'"),
    ("select %()s", {"": 1}, neonps.ProgrammingError, ""),
    ("select %(a)s, %(a)b", {"a": 1}, neonps.ProgrammingError, "different formats"),
    ("select %s", "x", TypeError, "str"),
    ("select %s", b"x", TypeError, "bytes"),
    ("select %s", 5, TypeError, "int"),
    ("select %s", {1}, TypeError, "set"),
    ("select %s", (n for n in [1]), TypeError, "generator"),
    ("select %s", [Unadaptable()], neonps.ProgrammingError, "Unadaptable"),
    ("select %s", [[1, Unadaptable()]], neonps.ProgrammingError, "Unadaptable"),
    ("select %s", [[1, "a"]], neonps.DataError, ""),
    ("select %s", ["a\0b"], neonps.DataError, "NUL"),
    ("select %s", [["a\0b"]], neonps.DataError, "NUL"),
    ("select %s", ["\ud800"], neonps.DataError, "surrogate"),
    ("select '\0'", None, neonps.ProgrammingError, "NUL"),
    ("select '\0', %s", [1], neonps.ProgrammingError, "NUL"),
    ("select '\ud800'", None, neonps.DataError, "surrogate"),
    (None, None, TypeError, "NoneType"),
    (5, None, TypeError, "int"),
    (["select 1"], None, TypeError, "list"),
    ("select " + ", ".join(["%s"] * 65536), [1] * 65536, neonps.ProgrammingError, "65535"),
]  # fmt: skip


@pytest.mark.parametrize("autocommit", [True, False])
@pytest.mark.parametrize(
    ("statement", "params", "cls", "message"),
    MISTAKES,
    ids=[f"{str(mistake[0])[:20]!a}-{mistake[3]}" for mistake in MISTAKES],
)
def test_a_mistake_is_found_before_anything_is_sent(
    relayed: Connect,
    relay: Relay,
    statement: Any,
    params: Any,
    cls: type[Exception],
    message: str,
    autocommit: bool,
) -> None:
    conn = relayed(autocommit=autocommit)
    relay.clear()
    cursor = conn.cursor()
    with refused(cls, message):
        cursor.execute(statement, params)
    assert relay.sent == []
    assert conn.info.transaction_status.name == "IDLE"
    assert cursor.description is None
    assert cursor.execute("select 1").fetchone() == (1,)


def test_percent_signs_without_parameters_are_left_alone(conn: Connection) -> None:
    assert conn.execute("select 7 % 4, '100%', '%s'").fetchone() == (3, "100%", "%s")
    assert conn.execute("select 7 %% 4, '100%%', '%%s', %s", ["%s"]).fetchone() == (3, "100%", "%s", "%s")


@pytest.mark.parametrize("statement", [b"select '\xff'", b"select '\xe4'::text"])
def test_a_statement_that_is_not_utf8(auto: Connection, statement: bytes) -> None:
    with pytest.raises(neonps.DataError):
        auto.execute(statement)
    assert auto.execute(b"select '\xc3\xa4'").fetchone() == ("ä",)


@pytest.mark.parametrize(
    "call",
    [
        lambda conn: conn.cursor().scroll(1, "up"),
        lambda conn: conn.execute("select 1").fetchmany("2"),
        lambda conn: conn.execute("select 1").scroll("2"),
        lambda conn: conn.cursor().executemany("select %s", 5),
        lambda conn: conn.cursor().executemany("select %s", None),
        lambda conn: conn.batch(None),
        lambda conn: conn.batch("select 1", 7),
    ],
)
def test_arguments_of_a_wrong_kind(conn: Connection, call: Callable[[Connection], object]) -> None:
    with pytest.raises((TypeError, ValueError, neonps.ProgrammingError)):
        call(conn)
    assert conn.info.transaction_status.name == "IDLE" or conn.info.transport != "http"
    assert conn.execute("select 1").fetchone() == (1,)
