"""What cannot break out of where it is put: header lines, URLs, the start-up packet, names in statements."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from fake_server import FakeServer
from refused import check_no_secret
from transports import Connection, on_sessions, over_http, through_gateway

import neonps
from neonps.settings import resolve

PASSWORD = "hunter2-7fa3"

#: What could end a line, a string, or a part of a URL.
BREAKS = {
    "CR": "\r",
    "LF": "\n",
    "CRLF": "\r\n",
    "a header": "\r\nX-Evil: 1",
    "a request": " HTTP/1.1\r\n\r\nGET /evil HTTP/1.1\r\nX-Evil: 1",
    "NUL": "\0",
    "a parameter": "\0evil\0true\0",
    "TAB": "\t",
    "DEL": "\x7f",
    "a space": " ",
    "NEL": "\x85",
    "a line separator": "\u2028",
    "an umlaut": "ä",
    "a fullwidth slash": "\uff0f",
    "a surrogate": "\ud800",
    "a query": "?evil=1&x=",
    "a fragment": "#evil",
    "a user": "@evil",
    "a slash": "/evil",
    "a backslash": "\\evil",
    "encoded already": "%0d%0aX-Evil:%201",
}

KEYWORDS = ("user", "password", "dbname", "options", "application_name", "fallback_application_name", "client_encoding")

#: The headers that are sent, and nothing else.
HEADERS = {
    *["host", "user-agent", "accept", "content-length", "content-type", "authorization", "upgrade", "connection"],
    *["sec-websocket-key", "sec-websocket-version", "neon-connection-string", "neon-raw-text-output"],
    *["neon-array-mode", "neon-pool-opt-in", "neon-batch-read-only"],
}

PARAMETERS = {"user", "database", "options", "application_name", "client_encoding", "replication"}


def say(**keywords: Any) -> bytes | str:
    """What a server that says nothing hears of somebody who connects and asks something, or why it hears nothing.

    Functions for an endpoint are made by functions that take the port.
    """
    with FakeServer(b"") as server:
        for keyword, value in keywords.items():
            if isinstance(value, str):
                keywords[keyword] = value.replace("PORT", str(server.port))
            elif keyword != "auth_token":
                keywords[keyword] = value(str(server.port))
        with pytest.raises(neonps.Error) as caught:
            with neonps.connect(**keywords) as conn:
                conn.execute("select 1")
        check_no_secret(caught.value, PASSWORD)
        if isinstance(caught.value, neonps.ProgrammingError):
            assert server.received == b""
            return str(caught.value)
        return server.received


def check_request(data: bytes) -> tuple[str, dict[str, str]]:
    """The target and the headers of what is one request of HTTP as it was meant."""
    head, _, _ = data.partition(b"\r\n\r\n")
    assert head.isascii()
    assert not re.search(rb"[^\r]\n|\r[^\n]|\0", head)
    first, *lines = head.decode().split("\r\n")
    assert re.fullmatch(r"(GET|POST) /[!-~]* HTTP/1\.1", first)
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    assert len(headers) == len(lines)
    assert set(headers) <= HEADERS
    return first.split(" ")[1], headers


def check_startup(data: bytes) -> dict[str, str]:
    """The parameters of a start-up packet."""
    (length,) = struct.unpack_from("!i", data)
    assert length == len(data)
    *parts, last, end = data[8:].split(b"\0")
    assert (last, end) == (b"", b"")
    parameters = dict(zip(map(bytes.decode, parts[::2]), map(bytes.decode, parts[1::2]), strict=True))
    assert set(parameters) <= PARAMETERS
    return parameters


@pytest.mark.parametrize("keyword", KEYWORDS)
@pytest.mark.parametrize("name", BREAKS)
def test_a_keyword(transport: str, keyword: str, name: str) -> None:
    """It is refused, or is said as it is, whole, in the place where it belongs."""
    value = f"a{BREAKS[name]}b"
    keywords: dict[str, Any] = {"user": "u", "password": PASSWORD, "dbname": "d", "transport": transport}
    if transport == "tcp":
        keywords |= {"host": "127.0.0.1", "port": "PORT"}
    else:
        keywords |= {"host": "db.example.com", "gateway": "http://127.0.0.1:PORT"}
    said = say(**{**keywords, keyword: value})
    if isinstance(said, str):
        assert keyword in said
        assert not value.isprintable()
        return
    if transport == "http":
        _, headers = check_request(said)
        assert unquote(headers["neon-connection-string"]).count(value) == (keyword != "client_encoding")
    elif transport == "websocket":
        check_request(said)
    else:
        parameters = check_startup(said)
        names = {"dbname": "database", "fallback_application_name": "application_name"}
        assert keyword == "password" or parameters[names.get(keyword, keyword)] == value


#: Ways to give an endpoint; what is between the braces is what somebody has put in.
ENDPOINTS: dict[str, Callable[[str], dict[str, Any]]] = {
    "gateway": lambda text: {"gateway": f"http://127.0.0.1:PORT/x{text}y"},
    "the host of a gateway": lambda text: {"gateway": f"http://127.0.0.1{text}:PORT"},
    "an endpoint": lambda text: dict.fromkeys(("fetch_endpoint", "ws_proxy"), f"http://127.0.0.1:PORT/x{text}y"),
    "its query": lambda text: dict.fromkeys(("fetch_endpoint", "ws_proxy"), f"http://127.0.0.1:PORT/?x={text}y"),
    "host": lambda text: {"host": f"db{text}.example.com", "gateway": "http://127.0.0.1:PORT"},
}


@through_gateway
@pytest.mark.parametrize("way", ENDPOINTS)
@pytest.mark.parametrize("name", BREAKS)
def test_a_url(transport: str, way: str, name: str) -> None:
    keywords = {"user": "u", "password": PASSWORD, "transport": transport, "host": "h", **ENDPOINTS[way](BREAKS[name])}
    if "fetch_endpoint" in keywords:
        del keywords["ws_proxy" if transport == "http" else "fetch_endpoint"]
    said = say(**keywords)
    if isinstance(said, str):
        assert any(word in said for word in ("gateway", "fetch_endpoint", "ws_proxy", "host"))
    elif not said:  # the rest of a host has become a path, so that the port was another, where nobody was
        assert (way, name) in {("the host of a gateway", "a query"), ("the host of a gateway", "a slash")}
        endpoint = resolve("", {**keywords, "gateway": keywords["gateway"].replace("PORT", "1")}, {})
        used = endpoint.fetch_url if transport == "http" else endpoint.websocket_url
        assert used is not None
        assert (used.host, used.port) == ("127.0.0.1", 80)
    else:
        target, headers = check_request(said)
        assert headers["host"].startswith("127.0.0.1:")
        assert "#" not in target


#: URLs that one reader takes for a URL of this machine, and another one for one of somebody else.
OTHER_HOSTS = [
    "http://127.0.0.1@evil:PORT",
    "http://127.0.0.1:PORT@evil",
    "http://127.0.0.1:PORT@evil.example.com/",
    "http://127.0.0.1:x@evil:PORT",
    "http://evil@127.0.0.1:PORT",
    "http://@127.0.0.1:PORT",
    "http://127.0.0.1:PORT\\@evil",
    "http://127.0.0.1\\.evil:PORT",
    "http://evil\\@127.0.0.1:PORT",
    "http://evil#@127.0.0.1:PORT",
    "http://127.0.0.1:PORT#@evil",
    "http://127.0.0.1:PORT:80",
    "http://127.0.0.1:PORTx",
    "http://127.0.0.1 evil:PORT",
    "http://127.0.0.1,evil:PORT",
    "http://127.0.0.1;evil:PORT",
    "http://127.0.0.1&evil:PORT",
    "http://127.0.0.1%40evil:PORT",
    "http://127.0.0.1%2eevil:PORT",
    "http://127.0.0.1%00.evil:PORT",
    "http://127.0.0.1\tevil:PORT",
    "http://127.0.0.1\uff0eevil:PORT",
    "http://[::1].evil:PORT",
    "http://[::1]@evil:PORT",
    "http://[evil]:PORT",
    "http://[::1",
    "http:///evil",
    "http:////evil:PORT",
    "http:127.0.0.1:PORT",
    "//127.0.0.1:PORT",
    "http://http://127.0.0.1:PORT",
    "file://127.0.0.1:PORT",
    # Without TLS, to what is not this machine.
    "http://127.0.0.1.evil:PORT",
    "http://localhost.evil:PORT",
    "http://evil.localhost:PORT",
    "http://127.0.0.256:PORT",
    "http://127.0.0.01:PORT",
    "http://127.1:PORT",
    "http://2130706433:PORT",
    "http://0x7f.0.0.1:PORT",
    "http://0.0.0.0:PORT",
    "http://[::]:PORT",
    "http://[::ffff:127.0.0.1]:PORT",
]


@through_gateway
@pytest.mark.parametrize("url", OTHER_HOSTS)
@pytest.mark.parametrize("keyword", ["gateway", "endpoint"])
def test_a_url_that_could_lead_to_another_host(transport: str, keyword: str, url: str) -> None:
    """It is refused, and nothing is sent."""
    if keyword == "endpoint":
        keyword = "fetch_endpoint" if transport == "http" else "ws_proxy"
    said = say(user="u", password=PASSWORD, host="h", transport=transport, **{keyword: url})
    assert isinstance(said, str)
    assert keyword in said
    assert "evil" not in said


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1@evil", "x:y@evil", "evil/", "evil?", "evil#", "evil\\", "evil%40h", "h%2e", "[evil]", "a b", "h:1"],
)
def test_a_host_that_could_be_another(transport: str, host: str) -> None:
    said = say(user="u", password=PASSWORD, host=host, transport=transport, dbname="d")
    assert isinstance(said, str)
    assert "host: " in said
    assert "evil" not in said


@through_gateway
@pytest.mark.parametrize("name", BREAKS)
def test_what_a_function_gives(transport: str, name: str) -> None:
    keyword = "fetch_endpoint" if transport == "http" else "ws_proxy"
    url = f"http://127.0.0.1:PORT/x{BREAKS[name]}y"
    said = say(
        host="h",
        user="u",
        transport=transport,
        **{keyword: lambda port: lambda host, number: url.replace("PORT", port)},
    )
    if isinstance(said, str):
        assert said.startswith(f"{keyword}: ")
    else:
        check_request(said)


@pytest.mark.parametrize("value", [None, b"http://127.0.0.1", 7, ["http://127.0.0.1"]])
@pytest.mark.parametrize("keyword", ["fetch_endpoint", "ws_proxy"])
def test_a_function_that_gives_something_else(keyword: str, value: Any) -> None:
    transport = "http" if keyword == "fetch_endpoint" else "websocket"
    with pytest.raises(neonps.ProgrammingError, match=rf"^{keyword}: the function should return a str"):
        neonps.connect(host="h", user="u", transport=transport, **{keyword: lambda host, port: value})


@over_http
@pytest.mark.parametrize("name", BREAKS)
@pytest.mark.parametrize("as_function", [False, True])
def test_a_token(transport: str, name: str, as_function: bool) -> None:
    token = f"t0k{BREAKS[name]}en"
    keywords = {"host": "h", "user": "u", "gateway": "http://127.0.0.1:PORT", "transport": transport}
    said = say(**keywords, auth_token=(lambda: token) if as_function else token)
    if isinstance(said, str):
        assert said.startswith("auth_token: ")
        assert "t0k" not in said
        return
    _, headers = check_request(said)
    assert headers["authorization"] == f"Bearer {token}"


@pytest.mark.parametrize("name", BREAKS)
def test_the_password_of_a_function(name: str) -> None:
    with FakeServer(b"") as server:
        password = f"{PASSWORD}{BREAKS[name]}x"
        sql = neonps.neon("", host="h", user="u", gateway=f"http://127.0.0.1:{server.port}", password=lambda: password)
        with pytest.raises(neonps.Error) as caught:
            sql("select 1")
        check_no_secret(caught.value, PASSWORD)
        sql.close()
        if server.received:
            _, headers = check_request(server.received)
            assert f":{password}@" in unquote(headers["neon-connection-string"])
        else:
            assert isinstance(caught.value, neonps.ProgrammingError)
            assert str(caught.value).startswith("password: ")


@pytest.mark.parametrize("name", ["NUL", "a parameter", "a surrogate"])
def test_what_the_password_file_says(tmp_path: Path, name: str) -> None:
    """A line that no password can be in counts as one that is none."""
    passfile = tmp_path / "pgpass"
    passfile.write_bytes(f"*:*:*:*:a{BREAKS[name]}b\n*:*:*:*:good\n".encode("utf-8", "surrogatepass"))
    passfile.chmod(0o600)
    assert resolve("host=h user=u transport=tcp", {"passfile": passfile}, {}).password == "good"


@pytest.mark.parametrize("variable", ["PGTZ", "PGDATESTYLE", "PGGEQO", "PGAPPNAME", "PGOPTIONS", "PGDATABASE"])
@pytest.mark.parametrize("name", ["NUL", "a parameter", "a surrogate", "CR", "LF"])
def test_what_the_environment_says(name: str, variable: str) -> None:
    with pytest.raises(neonps.ProgrammingError, match=r"control character|cannot be encoded"):
        resolve("host=h user=u transport=tcp", {}, {variable: f"a{BREAKS[name]}b"})


# Names in statements

NAMES = ['a"b', "a'b", 'x"; drop table kept; --', "ä ö", "a\\b", "%s", "$1", "a;b", "--", "/*", "\u2028", "a\nb"]


@on_sessions
@pytest.mark.parametrize("name", NAMES)
def test_names(conn: Connection, name: str) -> None:
    conn.execute("create temp table kept (a int)")
    with conn.transaction(), conn.transaction(name), conn.transaction(name, force_rollback=True):
        conn.execute("insert into kept values (1)")
    with conn.cursor(name) as cursor:
        cursor.execute("select count(*) from kept where %s::text = %s", [name, name])
        assert cursor.fetchone() == (0,)
    assert neonps.types.TypeInfo.fetch(conn, neonps.sql.Identifier(name)) is None
    quoted = neonps.sql.Identifier(name)
    conn.execute(neonps.sql.SQL("listen {}").format(quoted))
    conn.execute(neonps.sql.SQL("select {} from (select 1) t({})").format(quoted, quoted))


def in_block(conn: Connection, name: str) -> None:
    with conn.transaction(name):
        conn.execute("select 1")


def executed(conn: Connection, name: str) -> None:
    with conn.cursor(name) as cursor:
        cursor.execute("select 1")


@on_sessions
@pytest.mark.parametrize("name", ["a\0b", "\0", "a\ud800"])
def test_names_that_cannot_be(conn: Connection, name: str) -> None:
    calls: list[Callable[[], Any]] = [
        lambda: in_block(conn, name),
        lambda: executed(conn, name),
        lambda: conn.execute(neonps.sql.SQL("listen {}").format(neonps.sql.Identifier(name))),
        lambda: conn.execute(f"listen {name}"),
        lambda: conn.cursor().copy(f"copy {name} from stdin").__enter__(),
    ]
    for call in calls:
        with pytest.raises((neonps.ProgrammingError, neonps.DataError, ValueError)):
            call()
    assert conn.execute("select 1").fetchone() == (1,)
