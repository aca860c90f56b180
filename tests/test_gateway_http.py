"""SQL over HTTP as the gateway speaks it, looked at byte by byte, on a real Postgres."""

from __future__ import annotations

import gc
import http.client
import json
import os
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import h11
import psycopg
import pytest
import trustme
from hypothesis import HealthCheck, given, settings, strategies as st

from neonps.embedded import EmbeddedPostgres
from neonps.gateway import Gateway, Upstream
from neonps.gateway.values import ARRAY_TYPES, SCALARS, STRINGS, array_converter, parse_json, to_json, to_postgres
from neonps.local import GatewayThread

ERROR_FIELDS = {
    "message", "code", "severity", "detail", "hint", "position", "internalPosition", "internalQuery", "where",
    "schema", "table", "column", "dataType", "constraint", "file", "line", "routine",
}  # fmt: skip

RAW = {"Neon-Raw-Text-Output": "true", "Neon-Array-Mode": "true"}


class Answer:
    """An answer to a request."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.text = response.read().decode()

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def row(self) -> Any:
        (row,) = self.json["rows"]
        return row


class Client:
    """A connection to a gateway."""

    def __init__(self, gateway: Gateway, database: str, tls: ssl.SSLContext | None = None) -> None:
        self.database = database
        host, port = gateway.host, gateway.port
        if tls is None:
            self.connection = http.client.HTTPConnection(host, port, timeout=30)
        else:
            self.connection = http.client.HTTPSConnection(host, port, timeout=30, context=tls)

    def request(
        self, body: bytes | str, headers: Mapping[str, str | None] | None = None, method: str = "POST", path: str = "/sql"
    ) -> Answer:
        lines = {"Neon-Connection-String": self.database, **(headers or {})}
        self.connection.request(
            method, path, body, {name: value for name, value in lines.items() if value is not None}
        )
        return Answer(self.connection.getresponse())

    def query(self, query: str, params: object = (), headers: Mapping[str, str | None] | None = None) -> Answer:
        return self.request(json.dumps({"query": query, "params": params}), headers)

    def batch(self, queries: list[dict[str, Any]], headers: Mapping[str, str | None] | None = None) -> Answer:
        return self.request(json.dumps({"queries": queries}), headers)


@pytest.fixture
def client(gateway: Gateway, dsn: str) -> Iterator[Client]:
    client = Client(gateway, dsn)
    with closing(client.connection):
        yield client


@pytest.fixture
def admin(dsn: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(dsn, autocommit=True) as connection:
        yield connection


@contextmanager
def running(gateway: Gateway) -> Iterator[Gateway]:
    thread = GatewayThread()
    thread.start(gateway)
    try:
        yield gateway
    finally:
        thread.stop()


def wait_for(condition: Callable[[], object]) -> None:
    """Wait until something is true; the time limit of tests ends it if it never is."""
    pause = threading.Event()
    while not condition():
        pause.wait(0.01)


def active(admin: psycopg.Connection[Any], mark: str) -> int:
    """How many sessions run a statement with `mark` in it."""
    query = "select count(*) from pg_stat_activity where state = 'active' and pid <> pg_backend_pid() and query like %s"
    row = admin.execute(query, [f"%{mark}%"]).fetchone()
    assert row
    return int(row[0])


# What is answered to a single statement


def test_an_answer_in_full(client: Client) -> None:
    answer = client.query("select $1::int as id union all select null", ["1"], RAW)
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json == {
        "fields": [
            {
                "name": "id",
                "dataTypeID": 23,
                "tableID": 0,
                "columnID": 0,
                "dataTypeSize": 4,
                "dataTypeModifier": -1,
                "format": "text",
            }
        ],
        "rows": [["1"], [None]],
        "command": "SELECT",
        "rowCount": 2,
        "rowAsArray": True,
    }


def test_a_column_of_a_table(client: Client, admin: psycopg.Connection[Any]) -> None:
    admin.execute("create table http_column (a int, b varchar(7))")
    try:
        (field,) = client.query("select b from http_column").json["fields"]
        row = admin.execute("select 'http_column'::regclass::oid").fetchone()
        assert row
        assert (field["tableID"], field["columnID"], field["dataTypeModifier"]) == (row[0], 2, 11)
    finally:
        admin.execute("drop table http_column")


@pytest.mark.parametrize(
    ("query", "command", "count"),
    [
        ("select 1 where false", "SELECT", 0),
        ("create temp table t (a int)", "CREATE", None),
        ("create temp table t as select 1 as a", "SELECT", 1),
        ("insert into http_commands values (1), (2)", "INSERT", 2),
        ("insert into http_commands values (3) returning a", "INSERT", 1),
        ("update http_commands set a = 0 where false", "UPDATE", 0),
        ("delete from http_commands", "DELETE", 3),
        ("set work_mem = '1MB'", "SET", None),
        ("show work_mem", "SHOW", None),
        ("", "", None),
        ("-- nothing", "", None),
    ],
)
def test_commands_and_counts(
    client: Client, commands: None, query: str, command: str, count: int | None  # noqa: ARG001
) -> None:
    answer = client.query(query)
    assert answer.status == 200, answer.text
    assert (answer.json["command"], answer.json["rowCount"]) == (command, count)
    assert answer.json["rowAsArray"] is False


@pytest.fixture(scope="module")
def commands(dsn: str) -> Iterator[None]:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("create table http_commands (a int)")
        yield
        connection.execute("drop table http_commands")


@pytest.mark.parametrize(
    ("value", "json_text"),
    [
        ("true", "true"),
        ("false", "false"),
        ("null", "null"),
        ("null::int", "null"),
        ("32767::int2", "32767"),
        ("-1", "-1"),
        ("9007199254740993::int8", '"9007199254740993"'),
        ("1.10", '"1.10"'),
        ("'NaN'::numeric", '"NaN"'),
        ("0.1::float4", "0.1"),
        ("1e300::float8", "1e+300"),
        ("-0.0::float8", "-0"),
        ("'NaN'::float8", '"NaN"'),
        ("'-Infinity'::float4", '"-Infinity"'),
        ("'a'", '"a"'),
        ("e'\"\\\\\\n\\t\\x01ü😀'", '"\\"\\\\\\n\\t\\u0001ü😀"'),
        ("'\\x00ff'::bytea", '"\\\\x00ff"'),
        ("'2024-02-29'::date", '"2024-02-29"'),
        ('\'{"b": 1.50, "a": 1e400}\'::json', '{"b": 1.50, "a": 1e400}'),
        ("'[1, null]'::jsonb", "[1, null]"),
        ("'null'::json", "null"),
        ("'\"x\"'::json", '"x"'),
        ("'{}'::int[]", "[]"),
        ("array[1, null, -3]", "[1,null,-3]"),
        ("array[[1, 2], [3, 4]]", "[[1,2],[3,4]]"),
        ("'[0:1][-1:0]={{1,2},{3,4}}'::int[]", "[[1,2],[3,4]]"),
        ("array[true, false, null]", "[true,false,null]"),
        ("'{1.5,NaN}'::float8[]", '[1.5,"NaN"]'),
        ("array['', 'NULL', null, 'a,b', '{}', 'a\"b', e'\\\\', e'\\n', ' x ']",
         '["","NULL",null,"a,b","{}","a\\"b","\\\\","\\n"," x "]'),
        ("array[1::int8]", '["1"]'),
        ("array['{\"a\": [1, \"}\"]}'::jsonb, 'null', null]", '[{"a": [1, "}"]},null,null]'),
        ("array['1'::json]", "[1]"),
        ("array['2024-02-29'::date]", '["2024-02-29"]'),
        ("array['((0,1),(2,3))'::box, '((0,1),(2,3))']", '["(2,3),(0,1)","(2,3),(0,1)"]'),
        ("'1 2'::int2vector", '"1 2"'),
        ("array['10.0.0.1'::inet]", '["10.0.0.1"]'),
        ("int4range(1, 5)", '"[1,5)"'),
        ("array['a'::http_mood, null]", '["a",null]'),
        ("'{1,2}'::http_numbers", "[1,2]"),
        ("array[1::http_number]", "[1]"),
        ("array[row(1, 'x,\"')::http_pair]", '["(1,\\"x,\\"\\"\\"\\"\\")"]'),
    ],
)  # fmt: skip
def test_values_as_json(client: Client, json_types: None, value: str, json_text: str) -> None:  # noqa: ARG001
    answer = client.query(f"select {value} as v")
    assert answer.status == 200, answer.text
    assert f'"rows":[{{"v":{json_text}}}]' in answer.text
    json.loads(answer.text)


@pytest.fixture(scope="module")
def json_types(dsn: str) -> Iterator[None]:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(
            "create type http_mood as enum ('a', 'b'); create domain http_number as int; "
            "create domain http_numbers as int[]; create type http_pair as (a int, b text)"
        )
        yield
        connection.execute(
            "drop type http_mood; drop domain http_number; drop domain http_numbers; drop type http_pair"
        )


def test_what_is_known_of_types_is_true(admin: psycopg.Connection[Any]) -> None:
    rows = admin.execute(
        "select a.oid::int, e.oid::int, e.typdelim::text from pg_type e join pg_type a on a.oid = e.typarray"
    ).fetchall()
    arrays = {array: (element, delimiter) for array, element, delimiter in rows}
    assert ARRAY_TYPES.items() <= arrays.items()
    assert not (SCALARS.keys() | STRINGS) & arrays.keys()


def test_raw_values_are_the_text_of_postgres(client: Client) -> None:
    values = "true, 1::int2, 1.5::float8, '{\"a\": 1}'::json, array[1, null], null"
    answer = client.query(f"select {values}", (), RAW)
    assert answer.row == ["t", "1", "1.5", '{"a": 1}', "{1,NULL}", None]


def test_rows_are_objects_unless_arrays_are_wanted(client: Client) -> None:
    query = "select 1 as a, 2 as b, 3 as a"
    assert client.query(query).row == {"a": 3, "b": 2}
    assert client.query(query).text.count('"a":') == 1
    assert client.query(query, (), {"Neon-Array-Mode": "true"}).row == [1, 2, 3]
    body = {"query": query, "arrayMode": True}
    answer = client.request(json.dumps(body))
    assert answer.row == [1, 2, 3]
    assert answer.json["rowAsArray"] is True
    assert client.request(json.dumps({**body, "arrayMode": False}), RAW).row == {"a": "3", "b": "2"}


@pytest.mark.parametrize("value", ["True", "TRUE", "1", "yes", "", "true "])
def test_only_the_exact_value_switches_on(client: Client, value: str) -> None:
    headers = dict.fromkeys((*RAW, "Neon-Batch-Read-Only", "Neon-Batch-Deferrable"), value)
    if value == "true ":  # white space around a value is no part of it (RFC 9110 5.5)
        assert client.query("select 1 as a", (), headers).row == ["1"]
    else:
        assert client.query("select 1 as a", (), headers).row == {"a": 1}
        query = "select current_setting('transaction_read_only') as a"
        assert client.batch([{"query": query}], headers).json["results"][0]["rows"] == [{"a": "off"}]


def test_names_of_headers_have_no_case(client: Client) -> None:
    headers = {
        "Neon-Connection-String": None,
        "NEON-CONNECTION-STRING": client.database,
        "neon-raw-text-output": "true",
        "nEoN-aRrAy-MoDe": "true",
    }
    assert client.query("select 1", (), headers).row == ["1"]


# Parameters


@pytest.mark.parametrize(
    ("param", "kind", "text"),
    [
        ("null", "text", None),
        ('"ä\\"\\n"', "text", 'ä"\n'),
        ("true", "bool", "true"),
        ("false", "text", "false"),
        ("12345678901234567890.123456789", "numeric", "12345678901234567890.123456789"),
        ("1E400", "text", "1E400"),
        ("-7", "int", "-7"),
        ("[]", "int[]", "{}"),
        ("[1, null, 3]", "int[]", "{1,NULL,3}"),
        ("[[1, 2], [3, 4]]", "int[]", "{{1,2},{3,4}}"),
        ("[true, false]", "bool[]", "{t,f}"),
        ('["a,b", "NULL", null, "a\\"b\\\\", "", "\\n"]', "text[]", '{"a,b","NULL",NULL,"a\\"b\\\\","","\n"}'),
        ('{"b": [1.50, null, true], "a": "ü\\""}', "json", '{"b":[1.50,null,true],"a":"ü\\""}'),
        ('[{"a": "x"}, "1"]', "jsonb[]", '{"{\\"a\\": \\"x\\"}",1}'),
        ('"\\\\x00ff"', "bytea", "\\x00ff"),
    ],
)
def test_parameters(client: Client, param: str, kind: str, text: str | None) -> None:
    body = f'{{"query": "select ($1::{kind})::text as v", "params": [{param}]}}'
    assert client.request(body).row == {"v": text}


def test_an_untyped_parameter_gets_its_type_from_the_context(client: Client) -> None:
    assert client.query("select 1 + $1 as a, pg_typeof($2) as b", ["2", "x"]).row == {"a": 3, "b": "text"}


def test_parameters_may_be_missing(client: Client) -> None:
    assert client.request('{"query": "select 1 as a"}').row == {"a": 1}
    assert client.request('{"query": "select 1 as a", "params": null}').row == {"a": 1}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(json_values)
def test_json_survives(value: object) -> None:
    document = json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")
    try:
        parsed = parse_json(document)
    except UnicodeDecodeError:
        return  # half of a surrogate pair, which UTF-8 cannot hold
    assert json.loads(to_json(parsed)) == value


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.lists(st.none() | texts, min_size=2, max_size=2), min_size=1))
def test_arrays_survive_the_server(client: Client, value: list[list[str | None]]) -> None:
    assert client.query("select $1::text[] as v", [value]).row == {"v": value}


@given(st.lists(st.none() | texts))
def test_arrays_survive_without_the_server(value: list[str | None]) -> None:
    literal = to_postgres(parse_json(json.dumps(value).encode()))
    assert literal is not None
    assert json.loads(array_converter(json.dumps)(literal)) == value


# Batches


@pytest.fixture
def table(admin: psycopg.Connection[Any]) -> Iterator[Callable[[], list[int]]]:
    admin.execute("create table http_batch (a int primary key, b int unique deferrable initially deferred)")
    yield lambda: [row[0] for row in admin.execute("select a from http_batch order by a")]
    admin.execute("drop table http_batch")


def test_a_batch_is_one_transaction(client: Client, table: Callable[[], list[int]]) -> None:
    answer = client.batch(
        [
            {"query": "insert into http_batch values ($1)", "params": [1]},
            {"query": "select txid_current()::text = txid_current()::text as same, count(*) from http_batch"},
            {"query": "select a from http_batch", "params": [], "arrayMode": True},
        ]
    )
    assert answer.status == 200, answer.text
    inserted, counted, selected = answer.json["results"]
    assert (inserted["command"], inserted["rowCount"], inserted["fields"], inserted["rows"]) == ("INSERT", 1, [], [])
    assert counted["rows"] == [{"same": True, "count": "1"}]
    assert (selected["rows"], selected["rowAsArray"]) == ([[1]], True)
    assert table() == [1]


def test_a_batch_that_fails_leaves_nothing(client: Client, table: Callable[[], list[int]]) -> None:
    answer = client.batch(
        [
            {"query": "insert into http_batch values (1)"},
            {"query": "select 1/0"},
            {"query": "insert into no_such_table values (2)"},
        ]
    )
    assert answer.status == 400
    assert answer.json.keys() == ERROR_FIELDS
    assert answer.json["code"] == "22012"
    assert table() == []


def test_a_batch_that_fails_at_its_commit(client: Client, table: Callable[[], list[int]]) -> None:
    answer = client.batch([{"query": "insert into http_batch values (1, 1), (2, 1)"}, {"query": "select 1"}])
    assert (answer.status, answer.json["code"]) == (400, "23505")
    assert table() == []


def test_an_empty_batch(client: Client) -> None:
    answer = client.batch([])
    assert (answer.status, answer.json) == (200, {"results": []})


CHARACTERISTICS = "select current_setting('transaction_' || s) from unnest(array['isolation', 'read_only', 'deferrable']) s"


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ({}, ["read committed", "off", "off"]),
        ({"Neon-Batch-Isolation-Level": "ReadUncommitted"}, ["read uncommitted", "off", "off"]),
        ({"Neon-Batch-Isolation-Level": "ReadCommitted"}, ["read committed", "off", "off"]),
        ({"Neon-Batch-Isolation-Level": "RepeatableRead"}, ["repeatable read", "off", "off"]),
        ({"Neon-Batch-Isolation-Level": "Serializable"}, ["serializable", "off", "off"]),
        ({"Neon-Batch-Read-Only": "true"}, ["read committed", "on", "off"]),
        ({"Neon-Batch-Deferrable": "true"}, ["read committed", "off", "on"]),
    ],
)
def test_how_a_batch_begins(client: Client, headers: dict[str, str], found: list[str]) -> None:
    (result,) = client.batch([{"query": CHARACTERISTICS, "arrayMode": True}], headers).json["results"]
    assert [row[0] for row in result["rows"]] == found
    # They are for batches only.
    rows = client.query(CHARACTERISTICS, (), {**headers, "Neon-Array-Mode": "true"}).json["rows"]
    assert [row[0] for row in rows] == ["read committed", "off", "off"]


def test_a_batch_that_only_reads(client: Client, table: Callable[[], list[int]]) -> None:
    answer = client.batch([{"query": "insert into http_batch values (1)"}], {"Neon-Batch-Read-Only": "true"})
    assert (answer.status, answer.json["code"]) == (400, "25006")
    assert table() == []


@pytest.mark.parametrize("level", ["serializable", "SERIALIZABLE", "Snapshot", "", "Repeatable Read"])
def test_no_such_isolation_level(client: Client, level: str) -> None:
    answer = client.batch([{"query": "select 1"}], {"Neon-Batch-Isolation-Level": level})
    assert (answer.status, answer.json["code"]) == (400, None)
    assert "isolation level" in answer.json["message"]


# Errors


def test_all_fields_of_an_error(client: Client, dsn: str) -> None:
    body = """do $$ begin raise exception 'm' using detail = 'd', hint = 'h', errcode = 'ZZ123', schema = 's',
        table = 't', column = 'c', datatype = 'dt', constraint = 'n'; end $$"""
    answer = client.query(body)
    assert answer.status == 400
    with psycopg.connect(dsn) as connection, pytest.raises(psycopg.Error) as caught:
        connection.execute(body)
    diag = caught.value.diag
    assert answer.json == {
        "message": "m", "code": "ZZ123", "severity": "ERROR", "detail": "d", "hint": "h", "position": None,
        "internalPosition": None, "internalQuery": None, "where": diag.context, "schema": "s", "table": "t",
        "column": "c", "dataType": "dt", "constraint": "n", "file": diag.source_file, "line": diag.source_line,
        "routine": diag.source_function,
    }  # fmt: skip


def test_the_place_of_an_error(client: Client) -> None:
    assert client.query("select 'ü', x").json["position"] == "13"
    error = client.query("do $$ begin execute 'select 1 +'; end $$").json
    assert (error["position"], error["internalPosition"], error["internalQuery"]) == (None, "11", "select 1 +")


def test_one_statement_per_query(client: Client) -> None:
    assert client.query("select 1; select 2").json["code"] == "42601"


def test_copy_takes_a_session(client: Client, table: Callable[[], list[int]]) -> None:
    for copy in ("copy http_batch from stdin", "copy (select 1) to stdout"):
        answer = client.query(copy)
        assert (answer.status, answer.json["code"]) == (400, None)
        assert "COPY" in answer.json["message"]
        answer = client.batch([{"query": "insert into http_batch values (1)"}, {"query": copy}])
        assert answer.status == 400
    assert table() == []


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


def test_what_a_connection_string_can_say(client: Client, postgres: EmbeddedPostgres, admin: psycopg.Connection[Any]) -> None:
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
    ("method", "path"), [("GET", "/sql"), ("POST", "/"), ("POST", "/sql/"), ("PUT", "/sql"), ("GET", "/v2"), ("HEAD", "/sql")]
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


def test_too_large_a_response(postgres: EmbeddedPostgres, table: Callable[[], list[int]]) -> None:
    with running(Gateway(Upstream(postgres.url), max_response=100_000)) as gateway:
        client = Client(gateway, postgres.url)
        with closing(client.connection):
            assert client.query("select repeat('x', 90000)").status == 200
            for large in ("select repeat('x', 100000)", "select g, 'xxx' from generate_series(1, 1000000) g"):
                answer = client.query(large)
                assert answer.status == 507
                assert answer.json == {"message": "response is too large (max is 100000 bytes)"}
                answer = client.batch([{"query": "insert into http_batch values (1)"}, {"query": large}])
                assert answer.status == 507
                assert table() == []
            halves = [{"query": "select repeat('x', 60000)"}] * 2
            assert client.batch(halves).status == 507


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
    head = f"POST /sql HTTP/1.1\r\nHost: x\r\nNeon-Connection-String: {dsn}\r\nContent-Length: {len(body)}\r\n{more}\r\n"
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


def test_a_body_that_waits_to_be_wanted(gateway: Gateway, dsn: str) -> None:
    request = post(dsn, "select 1 as a", "Expect: 100-continue\r\n")
    head, _, body = request.partition(b"\r\n\r\n")
    connection, protocol = talk(gateway, head + b"\r\n\r\n")
    with connection:
        assert connection.recv(65536).startswith(b"HTTP/1.1 100 Continue\r\n")
        connection.sendall(body)
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
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"POST /sql HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 100_000, 431),
    ],
    ids=["tls", "words", "no host", "no length", "long"],
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


def test_https(postgres: EmbeddedPostgres, tmp_path: Any) -> None:
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
        with connection, pytest.raises(ConnectionError) if os.name == "nt" else closing(connection):
            assert connection.recv(65536) == b""


# Ends


@pytest.mark.parametrize("ahead", [b"", b"POST /sql HTTP/1.1\r\n"])
def test_a_client_that_goes_has_its_query_cancelled(
    gateway: Gateway, dsn: str, admin: psycopg.Connection[Any], ahead: bytes
) -> None:
    connection, _ = talk(gateway, post(dsn, "select pg_sleep(100), 'gone'") + ahead)
    wait_for(lambda: active(admin, "'gone'"))
    connection.close()
    wait_for(lambda: not active(admin, "'gone'"))


def test_a_batch_of_a_client_that_goes_leaves_nothing(
    gateway: Gateway, dsn: str, admin: psycopg.Connection[Any], table: Callable[[], list[int]]
) -> None:
    body = json.dumps({"queries": [{"query": "insert into http_batch values (1)"}, {"query": "select pg_sleep(100), 'left'"}]})
    head = f"POST /sql HTTP/1.1\r\nHost: x\r\nNeon-Connection-String: {dsn}\r\nContent-Length: {len(body)}\r\n\r\n"
    connection, _ = talk(gateway, head.encode() + body.encode())
    wait_for(lambda: active(admin, "'left'"))
    connection.close()
    wait_for(lambda: not active(admin, "'left'"))
    assert table() == []


def test_a_gateway_that_stops_leaves_no_query_behind(postgres: EmbeddedPostgres, admin: psycopg.Connection[Any]) -> None:
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

    some_requests()
    wait_for(lambda: sessions() == 1)
    gc.collect()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        some_requests()
    wait_for(lambda: sessions() == 1)
    wait_for(lambda: len(os.listdir("/proc/self/fd")) <= before)


def test_no_password_is_logged(client: Client, postgres: EmbeddedPostgres, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    client.query("select 1")
    client.query("select 1", (), {"Neon-Connection-String": postgres.url.replace("/postgres", "/nowhere")})
    client.query("select 1", (), {"Neon-Connection-String": f"{postgres.url}\x80[%zz"})
    assert postgres.password not in caplog.text
