"""What is wrong with what a user gives: one clear exception each, without secrets in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fake_server import FakeServer
from refused import ENCODED, SECRET, elsewhere, refused, use
from relay import Relay
from transports import Connect, Connection, over_tcp, over_websocket

import neonps
from neonps import errors
from neonps.embedded import EmbeddedPostgres

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
        f"postgresql+psycopg://u:{ENCODED}@host/db?sslmode=require",
        f"jdbc:postgresql://u:{ENCODED}@host/db?sslmode=require",
        f"'postgresql://u:{ENCODED}@host/db?sslmode=require'",
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
