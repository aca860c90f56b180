"""SQL over HTTP through the gateway: values, parameters, batches and the errors of statements."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from gateway_client import ERROR_FIELDS, RAW, Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neonps.gateway import execution
from neonps.gateway.values import ARRAY_TYPES, SCALARS, STRINGS, array_converter, parse_json, to_json, to_postgres

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
def test_commands_and_counts(client: Client, commands: None, query: str, command: str, count: int | None) -> None:
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
        ("array[row(1, 'x,\"')::http_pair]", '["(1,\\"x,\\"\\"\\")"]'),
    ],
)  # fmt: skip
def test_values_as_json(client: Client, json_types: None, value: str, json_text: str) -> None:
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
    assert client.query("select 1 + $1 as a, 'x' || $2 as b", ["2", "y"]).row == {"a": 3, "b": "xy"}


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


def test_a_batch_is_one_transaction(client: Client, numbers: Callable[[], list[int]]) -> None:
    answer = client.batch(
        [
            {"query": "insert into numbers values ($1)", "params": [1]},
            {"query": "select txid_current()::text = txid_current()::text as same, count(*) from numbers"},
            {"query": "select a from numbers", "params": [], "arrayMode": True},
        ]
    )
    assert answer.status == 200, answer.text
    inserted, counted, selected = answer.json["results"]
    assert (inserted["command"], inserted["rowCount"], inserted["fields"], inserted["rows"]) == ("INSERT", 1, [], [])
    assert counted["rows"] == [{"same": True, "count": "1"}]
    assert (selected["rows"], selected["rowAsArray"]) == ([[1]], True)
    assert numbers() == [1]


def test_a_batch_that_fails_leaves_nothing(client: Client, numbers: Callable[[], list[int]]) -> None:
    answer = client.batch(
        [
            {"query": "insert into numbers values (1)"},
            {"query": "select 1/0"},
            {"query": "insert into no_such_table values (2)"},
        ]
    )
    assert answer.status == 400
    assert answer.json.keys() == ERROR_FIELDS
    assert answer.json["code"] == "22012"
    assert numbers() == []


def test_a_batch_that_fails_at_its_commit(client: Client, numbers: Callable[[], list[int]]) -> None:
    answer = client.batch([{"query": "insert into numbers values (1, 1), (2, 1)"}, {"query": "select 1"}])
    assert (answer.status, answer.json["code"]) == (400, "23505")
    assert numbers() == []


def test_an_empty_batch(client: Client) -> None:
    answer = client.batch([])
    assert (answer.status, answer.json) == (200, {"results": []})


CHARACTERISTICS = (
    "select current_setting('transaction_' || s) from unnest(array['isolation', 'read_only', 'deferrable']) s"
)


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


def test_a_batch_that_only_reads(client: Client, numbers: Callable[[], list[int]]) -> None:
    answer = client.batch([{"query": "insert into numbers values (1)"}], {"Neon-Batch-Read-Only": "true"})
    assert (answer.status, answer.json["code"]) == (400, "25006")
    assert numbers() == []


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


def test_copy_takes_a_session(client: Client, numbers: Callable[[], list[int]]) -> None:
    answer = client.query("copy numbers from stdin")
    assert (answer.status, answer.json["code"]) == (400, None)
    assert "COPY" in answer.json["message"]
    for copy in ("copy numbers from stdin", "copy (select 1) to stdout"):
        answer = client.batch([{"query": "insert into numbers values (1)"}, {"query": copy}])
        assert answer.status == 400
    assert numbers() == []


INSERT = "insert into numbers values (1)"

#: Statements that have taken effect when it turns out that their results cannot be given.
RUN_IN_VAIN = {
    "a value that is not UTF-8": f"{INSERT} returning set_config('client_encoding', 'LATIN1', false), 'ü'",
    "a COPY": f"copy ({INSERT} returning a) to stdout",
    "a type of which nothing is known": f"{INSERT} returning null::pg_class",
}


@pytest.mark.parametrize("statement", RUN_IN_VAIN.values(), ids=RUN_IN_VAIN)
def test_a_result_that_cannot_be_given(
    client: Client, numbers: Callable[[], list[int]], statement: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """400 says that nothing was done, as after an error of Postgres: so it is in a transaction alone."""
    monkeypatch.setattr(execution, "ARRAY_TYPES_QUERY", b"select 1/0 from pg_type where oid = any ($1)")
    assert client.batch([{"query": statement}]).status == 400
    assert numbers() == []
    answer = client.query(statement)
    assert answer.status == 500
    assert "the statement was run" in answer.json["msg"]
    assert numbers() == [1]
