"""`neonps.neon()` and `neonps.async_neon()`: statements over HTTP, each with one request."""

from __future__ import annotations

import gc
import json
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import date
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from gateway_client import active, wait_for
from query_functions import QueryFunctions
from refused import ENCODED, SECRET, refused
from relay import Relay
from transports import Numbers

import neonps
from neonps import IsolationLevel, errors
from neonps import base_query_function as base
from neonps.adapt import Loader
from neonps.gateway import Gateway
from neonps.rows import class_row, namedtuple_row, scalar_row, tuple_row
from neonps.sql import SQL, Identifier, Literal

Admin = psycopg.Connection[Any]

INSERT = "insert into numbers values (%s)"


@pytest.fixture(params=["blocking", "asyncio"])
def neon(request: pytest.FixtureRequest, url: str) -> Iterator[QueryFunctions]:
    """Makes query functions of both kinds in turn, for `postgres`."""
    functions = QueryFunctions(request.param, url)
    yield functions
    functions.end()


@pytest.fixture
def sql(neon: QueryFunctions) -> Any:
    """A query function for `postgres`."""
    return neon()


@pytest.fixture
def relay(gateway: Gateway) -> Iterator[Relay]:
    """A relay on the way of the function that `relayed` makes."""
    with Relay(gateway.host, gateway.port) as relay:
        yield relay


@pytest.fixture
def relayed(neon: QueryFunctions, relay: Relay) -> Callable[..., Any]:
    """Like `neon`, but through `relay`."""
    return lambda **kwargs: neon(gateway=f"http://127.0.0.1:{relay.port}", **kwargs)


def requests(relay: Relay) -> list[tuple[dict[str, str], Any]]:
    """Headers and body of each request that went by."""
    found = []
    for data in relay.sent:
        head, _, body = data.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")[1:]
        found.append(
            ({name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}, json.loads(body))
        )
    return found


# Statements and what they give


def test_rows_are_dictionaries(sql: Any) -> None:
    rows = sql("select n, n * 2 as double, date '2024-02-29' as day from generate_series(1, 2) n")
    assert rows == [{"n": 1, "double": 2, "day": date(2024, 2, 29)}, {"n": 2, "double": 4, "day": date(2024, 2, 29)}]


@pytest.mark.parametrize("query", ["select 1 as n where false", "do $$begin end$$", "", "select where false"])
def test_no_rows(sql: Any, query: str) -> None:
    assert sql(query) == []


def test_of_columns_with_the_same_name_the_last_one_wins(sql: Any) -> None:
    assert sql("select 1 as n, 2 as n") == [{"n": 2}]


@pytest.mark.parametrize(
    ("query", "params"),
    [
        ("select %s::int as a, %s as b, '100%%' as c", [1, "x"]),
        ("select %s::int as a, %s as b, '100%%' as c", (1, "x")),
        ("select %(a)s::int as a, %(b)s as b, '100%%' as c", {"a": 1, "b": "x"}),
        (b"select %s::int as a, %s as b, '100%%' as c", [1, "x"]),
        ("select 1 as a, 'x' as b, '100%' as c", None),
        (SQL("select {}::int as a, {} as b, '100%' as {}").format(1, Literal("x"), Identifier("c")), None),
        (SQL("select %s::int as {}, {} as b, '100%%' as c").format(Identifier("a"), "x"), [1]),
    ],
)
def test_parameters(sql: Any, query: Any, params: Any) -> None:
    assert sql(query, params) == [{"a": 1, "b": "x", "c": "100%"}]


def test_numbered_parameters(sql: Any) -> None:
    [row] = sql.query("select $2::text as b, $1::int as a, $2 || '%s' as c", [1, "x"])
    assert row == {"b": "x", "a": 1, "c": "x%s"}
    assert sql.query("select '100%' as c") == [{"c": "100%"}]
    assert sql.query(SQL("select $1::int as {}").format(Identifier("a b")), (1,)) == [{"a b": 1}]


@pytest.mark.parametrize(
    ("method", "query", "params", "cls", "message"),
    [
        ("__call__", "select %s", [], neonps.ProgrammingError, "1 placeholders but 0 parameters"),
        ("__call__", "select %s", 5, TypeError, "sequence or a mapping"),
        ("__call__", 5, None, TypeError, "got int"),
        ("__call__", "select %s", [object()], neonps.ProgrammingError, "object"),
        ("query", "select $1", {"a": 1}, TypeError, "sequence"),
        ("__call__", "begin", None, neonps.NotSupportedError, "BEGIN needs a transaction that stays open"),
        ("query", "listen x", None, neonps.NotSupportedError, "LISTEN needs"),
        ("__call__", "set timezone to utc", None, neonps.NotSupportedError, "SET would have no effect"),
    ],
)
def test_a_mistake_is_found_before_anything_is_sent(
    relayed: Callable[..., Any], relay: Relay, method: str, query: Any, params: Any, cls: type[Exception], message: str
) -> None:
    sql = relayed()
    with pytest.raises(cls, match=message):
        getattr(sql, method)(query, params)
    assert relay.accepted == 0
    assert sql("select 1 as n") == [{"n": 1}]


def test_row_factories(neon: QueryFunctions) -> None:
    query = "select 1 as n, 2 as n"
    tuples = neon(row_factory=tuple_row)
    assert tuples(query) == tuples.query(query) == tuples.transaction([query])[0] == [(1, 2)]
    assert tuples("select 3 as n", row_factory=scalar_row) == [3]
    assert tuples.query("select 3 as n", row_factory=class_row(dict)) == [{"n": 3}]
    first, second = tuples.transaction(["select 3 as n", "select 4 as m"], row_factory=namedtuple_row)
    assert first[0].n == 3
    assert second[0].m == 4


@pytest.mark.parametrize(
    ("query", "rows", "row_count", "command", "fields"),
    [
        ("select n, 'x' as t from generate_series(1, 2) n", [(1, "x"), (2, "x")], 2, "SELECT", ["n int4", "t text"]),
        ("select 1.5::numeric(4, 2) as n where false", [], 0, "SELECT", ["n numeric(4,2)"]),
        ("insert into numbers values (1), (2)", [], 2, "INSERT", []),
        ("insert into numbers values (3) returning a", [(3,)], 1, "INSERT", ["a int4"]),
        ("update numbers set b = 1 where a = 7", [], 0, "UPDATE", []),
        ("create temp table numbers_too (a int)", [], None, "CREATE", []),
        ("", [], None, "", []),
    ],
)
def test_full_results(
    numbers: Numbers,
    neon: QueryFunctions,
    query: str,
    rows: list[Any],
    row_count: int | None,
    command: str,
    fields: list[str],
) -> None:
    result = neon(row_factory=tuple_row, full_results=True)(query)
    assert isinstance(result, neonps.FullResults)
    assert result.rows == rows
    assert result.row_count == row_count
    assert result.command == command
    assert [f"{field.name} {field.type_display}" for field in result.fields] == fields


def test_full_results_of_one_call(neon: QueryFunctions) -> None:
    sql = neon()
    assert sql.query("select 1 as n", full_results=True).rows == sql("select 1 as n") == [{"n": 1}]
    sql = neon(full_results=True)
    assert sql("select 1 as n", full_results=False) == sql("select 1 as n", full_results=None).rows == [{"n": 1}]


def test_full_results_of_a_transaction(neon: QueryFunctions) -> None:
    sql = neon(full_results=True)
    one, two = sql.transaction(["select 1 as n", "select 2 as n"])
    assert (one.rows, two.rows) == ([{"n": 1}], [{"n": 2}])
    assert sql.transaction(["select 1 as n"], full_results=False) == [[{"n": 1}]]


# Transactions


def test_a_transaction(numbers: Numbers, sql: Any) -> None:
    results = sql.transaction(
        [
            (INSERT, [1]),
            ("insert into numbers values (%(a)s, %(b)s) returning b", {"a": 2, "b": 20}),
            SQL("select a from {} order by a").format(Identifier("numbers")),
            "select '100%' as c",
        ]
    )
    assert results == [[], [{"b": 20}], [{"a": 1}, {"a": 2}], [{"c": "100%"}]]
    assert numbers() == [1, 2]


def test_a_function_gives_the_statements(numbers: Numbers, sql: Any) -> None:
    results = sql.transaction(
        lambda txn: [
            txn(INSERT, [1]),
            txn.query("insert into numbers values ($1 + 1, $1 * 20) returning b", [1]),
            txn("select '100%' as c"),
            txn.query("select '100%' as c"),
            "select a from numbers order by a",
            (INSERT, (3,)),
        ]
    )
    assert results == [[], [{"b": 20}], [{"c": "100%"}], [{"c": "100%"}], [{"a": 1}, {"a": 2}], []]
    assert numbers() == [1, 2, 3]


def test_a_generator_gives_the_statements(numbers: Numbers, sql: Any) -> None:
    assert sql.transaction((INSERT, [n]) for n in range(3)) == [[], [], []]
    assert sql.transaction(lambda txn: (txn(INSERT, [n]) for n in range(3, 5))) == [[], []]
    assert numbers() == [0, 1, 2, 3, 4]


def test_a_transaction_is_one_request(relayed: Callable[..., Any], relay: Relay) -> None:
    sql = relayed()
    sql.transaction([("select %s::int as n", [n]) for n in range(50)])
    assert len(relay.sent) == 1
    assert sql.transaction([]) == []
    assert sql.transaction(lambda txn: []) == []
    assert len(relay.sent) == 1


def test_all_or_nothing(numbers: Numbers, sql: Any) -> None:
    with pytest.raises(errors.UniqueViolation):
        sql.transaction([(INSERT, [1]), (INSERT, [2]), (INSERT, [1])])
    assert numbers() == []


@pytest.mark.parametrize(
    ("item", "cls", "message"),
    [
        ([{"n": 1}], TypeError, "got list; a call of the query function runs at once"),
        (["select %s", [1]], TypeError, "got list"),
        (("select 1", [], "more"), TypeError, "tuple of 3"),
        (5, TypeError, "got int"),
        (("select %s", []), neonps.ProgrammingError, "1 placeholders but 0 parameters"),
        ("commit", neonps.NotSupportedError, "COMMIT"),
    ],
)
def test_mistakes_in_a_transaction(numbers: Numbers, sql: Any, item: Any, cls: type[Exception], message: str) -> None:
    with pytest.raises(cls, match=message):
        sql.transaction([(INSERT, [1]), item])
    assert numbers() == []


@pytest.mark.parametrize("statement", ["select 1", b"select 1", SQL("select 1") + SQL(" as n")])
def test_one_statement_is_no_list_of_them(sql: Any, statement: Any) -> None:
    with pytest.raises(TypeError, match="should be a list"):
        sql.transaction(statement)


SETTINGS = [
    "select current_setting('transaction_isolation') as level, current_setting('transaction_read_only') as read_only,"
    " current_setting('transaction_deferrable') as deferrable"
]


@pytest.mark.parametrize(
    ("defaults", "given", "expected"),
    [
        ({}, {}, ("read committed", "off", "off")),
        ({}, {"isolation_level": IsolationLevel.REPEATABLE_READ}, ("repeatable read", "off", "off")),
        ({}, {"isolation_level": 4, "read_only": True, "deferrable": True}, ("serializable", "on", "on")),
        ({"isolation_level": 3, "read_only": True}, {}, ("repeatable read", "on", "off")),
        ({"isolation_level": 3, "read_only": True}, {"isolation_level": 4}, ("serializable", "on", "off")),
        ({"isolation_level": 3, "read_only": True}, {"read_only": False}, ("repeatable read", "off", "off")),
    ],
)
def test_characteristics(
    neon: QueryFunctions, defaults: dict[str, Any], given: dict[str, Any], expected: tuple[str, ...]
) -> None:
    sql = neon(row_factory=tuple_row, **defaults)
    assert sql.transaction(SETTINGS, **given) == [[expected]]


def test_characteristics_hold_for_a_single_statement_too(numbers: Numbers, neon: QueryFunctions) -> None:
    sql = neon(row_factory=tuple_row, isolation_level=IsolationLevel.SERIALIZABLE, read_only=True)
    assert sql(SETTINGS[0]) == sql.query(SETTINGS[0]) == [("serializable", "on", "off")]
    with pytest.raises(errors.ReadOnlySqlTransaction):
        sql(INSERT, [1])
    assert numbers() == []


def test_a_level_that_does_not_exist(neon: QueryFunctions, sql: Any) -> None:
    with pytest.raises(ValueError, match="7"):
        neon(isolation_level=7)
    with pytest.raises(ValueError, match="7"):
        sql.transaction(["select 1"], isolation_level=7)


# Errors


@pytest.mark.parametrize(
    ("query", "params"),
    [
        ("selec 1", None),
        ("select %s / 0", [1]),
        ("select %s, no_such_column", [1]),
        ("select * from no_such_table", None),
        ("insert into numbers values (%s)", [None]),
    ],
)
def test_errors_are_those_of_a_connection(numbers: Numbers, sql: Any, url: str, query: str, params: Any) -> None:
    with neonps.connect(url, transport="http", autocommit=True) as conn, pytest.raises(neonps.Error) as expected:
        conn.execute(query, params)
    with pytest.raises(type(expected.value)) as caught:
        sql(query, params)
    assert str(caught.value) == str(expected.value)
    assert caught.value.sqlstate == expected.value.sqlstate
    with pytest.raises(type(expected.value)) as caught:
        sql.transaction([(query, params)])
    assert str(caught.value) == str(expected.value)
    with pytest.raises(type(expected.value)) as caught:
        sql.transaction(["select 1", (query, params)])
    assert caught.value.diag.message_primary == expected.value.diag.message_primary


def test_a_row_factory_that_fails(sql: Any) -> None:
    def fails(**kwargs: Any) -> None:
        raise LookupError("no")

    with pytest.raises(LookupError, match="no"):
        sql("select 1 as n", row_factory=class_row(fails))  # type: ignore[arg-type]
    assert sql("select 1 as n") == [{"n": 1}]


# Where to connect to, and as whom


def test_it_is_always_over_http(neon: QueryFunctions, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEONPS_TRANSPORT", "tcp")
    assert neon(f"{url}&transport=websocket")("select 1 as n") == [{"n": 1}]
    assert neon(transport="http")("select 1 as n") == [{"n": 1}]
    with pytest.raises(neonps.NotSupportedError, match="use connect"):
        neon(transport="websocket")


@pytest.mark.parametrize(
    ("conninfo", "message"),
    [
        ("postgresql://u:p@db.example.com/d", "needs an endpoint"),
        ("postgresql://u:p@db.example.com/d?no_such_keyword=1", "no_such_keyword"),
        ("nonsense", "connection info string"),
    ],
)
def test_a_bad_url_is_refused_at_once(neon: QueryFunctions, conninfo: str, message: str) -> None:
    with pytest.raises(neonps.ProgrammingError, match=message):
        neon(conninfo)


def test_a_keyword_overrides_the_url(neon: QueryFunctions) -> None:
    assert neon(dbname="template1")("select current_database() as name") == [{"name": "template1"}]


def test_nothing_is_opened_before_the_first_call(relayed: Callable[..., Any], relay: Relay) -> None:
    sql = relayed()
    assert relay.accepted == 0
    sql("select 1")
    assert relay.accepted == 1


@pytest.mark.parametrize("token", ["tok.en", lambda: "tok.en"], ids=["str", "function"])
def test_a_token(relayed: Callable[..., Any], relay: Relay, token: Any) -> None:
    sql = relayed(auth_token=token)
    with refused(neonps.OperationalError, "token", "tok.en"):
        sql("select 1")  # the gateway knows nothing of tokens
    [(headers, _)] = requests(relay)
    assert headers["authorization"] == "Bearer tok.en"


def test_functions_are_called_for_each_request(neon: QueryFunctions, url: str, postgres: Any) -> None:
    asked = []

    def password() -> str:
        asked.append(1)
        return str(postgres.password)

    without = url.replace(f":{postgres.password}@", "@")
    assert without != url
    sql = neon(without, password=password)
    assert asked == []
    assert sql("select 1 as n") == sql.query("select 1 as n") == sql.transaction(["select 1 as n"])[0] == [{"n": 1}]
    assert len(asked) == 3


def test_a_wrong_password(neon: QueryFunctions) -> None:
    for sql in (neon(password=SECRET), neon(password=lambda: SECRET)):
        with refused(errors.InvalidPassword):
            sql("select 1")
        assert ENCODED not in repr(sql)


@pytest.mark.parametrize("keyword", ["password", "auth_token"])
def test_a_function_that_gives_no_str(neon: QueryFunctions, keyword: str) -> None:
    given: dict[str, Any] = {keyword: lambda: 5}
    sql = neon(**given)
    with pytest.raises(neonps.ProgrammingError, match=f"{keyword}: the function should return a str, not int"):
        sql("select 1")


def test_a_function_that_fails(neon: QueryFunctions) -> None:
    with pytest.raises(ZeroDivisionError):
        neon(password=lambda: 1 / 0)("select 1")


def test_repr_shows_no_password() -> None:
    sql = neonps.neon(f"postgresql://u:{ENCODED}@db.example.com/d?gateway=https://gateway.example.com")
    assert "host=db.example.com port=5432 database=d" in repr(sql)
    assert SECRET not in repr(sql)
    assert ENCODED not in repr(sql)


# Types


class Shouted(Loader):
    def load(self, data: Any) -> str:
        return bytes(data).decode().upper()


def test_adapters_of_its_own(url: str) -> None:
    sql, other = neonps.neon(url), neonps.neon(url)
    assert sql("select 'a'::text as t") == [{"t": "a"}]
    sql.adapters.register_loader("text", Shouted)
    assert sql("select 'a'::text as t") == sql.transaction(["select 'a'::text as t"])[0] == [{"t": "A"}]
    assert other("select 'a'::text as t") == [{"t": "a"}]
    assert neonps.neon(url, context=sql)("select 'a'::text as t") == [{"t": "A"}]
    assert sql.connection is None
    assert neonps.sql.quote(Decimal("1.50"), sql) == "1.50"


# Timeouts


def test_a_timeout(neon: QueryFunctions, admin: Admin, mark: str) -> None:
    sql = neon(timeout=0.3)
    calls: list[Callable[[], Any]] = [
        lambda: sql(f"select pg_sleep(100) -- {mark}"),
        lambda: sql.query(f"select pg_sleep(100) -- {mark}"),
        lambda: sql.transaction([f"select pg_sleep(100) -- {mark}"]),
    ]
    for call in calls:
        with pytest.raises(neonps.OperationalError, match=r"timeout: .* within 0\.3 seconds"):
            call()
        wait_for(lambda: not active(admin, mark))
        assert sql("select 1 as n") == [{"n": 1}]


def test_a_timeout_for_one_call(neon: QueryFunctions, sql: Any) -> None:
    calls: list[Callable[..., Any]] = [sql, sql.query, lambda query, timeout: sql.transaction([query], timeout=timeout)]
    for call in calls:
        with pytest.raises(neonps.OperationalError, match=r"timeout: .* within 0\.2 seconds"):
            call("select pg_sleep(100)", timeout=0.2)
    hasty = neon(timeout=1e-9)
    with pytest.raises(neonps.OperationalError, match="timeout"):
        hasty("select 1 as n")
    assert hasty("select 1 as n", timeout=0) == hasty("select 1 as n", timeout=60) == [{"n": 1}]
    with pytest.raises(neonps.OperationalError, match="timeout"):
        hasty("select 1 as n")


# Connections


def test_a_connection_is_used_again(relayed: Callable[..., Any], relay: Relay) -> None:
    sql = relayed()
    sql("select 1")
    sql.query("select 1")
    sql.transaction(["select 1"])
    with pytest.raises(errors.DivisionByZero):
        sql("select 1 / 0")
    with pytest.raises(TypeError):
        sql(5)
    sql("select 1")
    assert relay.accepted == 1


@pytest.mark.parametrize("reset", [False, True])
def test_a_connection_that_was_closed_meanwhile(relayed: Callable[..., Any], relay: Relay, reset: bool) -> None:
    sql = relayed()
    for count in (1, 2, 3):
        assert sql("select 1 as n") == [{"n": 1}]
        assert relay.accepted == count
        relay.cut(reset=reset)


def test_a_lost_answer(relayed: Callable[..., Any], relay: Relay, numbers: Numbers, mark: str) -> None:
    sql = relayed()
    relay.cut_at(mark.encode())
    with pytest.raises(neonps.OperationalError, match="unknown whether"):
        sql(f"insert into numbers values (%s) -- {mark}", [1])
    assert sql("select a from numbers") == [{"a": 1}]  # sent once


def test_a_connection_that_was_kept_for_long(
    relayed: Callable[..., Any], relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    sql = relayed()
    sql("select 1")
    monkeypatch.setattr(base, "KEPT_FOR", 0.0)
    sql("select 1")
    assert relay.accepted == 2
    wait_for(lambda: relay.connections == 1)
    monkeypatch.setattr(base, "KEPT_FOR", 1e9)
    sql("select 1")
    assert relay.accepted == 2


def test_close(relayed: Callable[..., Any], relay: Relay) -> None:
    sql = relayed()
    sql.close()
    sql("select 1")
    sql.close()
    wait_for(lambda: relay.connections == 0)
    assert sql("select 1 as n") == [{"n": 1}]
    assert relay.accepted == 2
    sql.close()
    sql.close()


def test_it_needs_not_be_closed(relayed: Callable[..., Any], relay: Relay) -> None:
    sql = relayed()
    sql("select 1")
    if isinstance(sql, neonps.QueryFunction):
        del sql
        gc.collect()
        wait_for(lambda: relay.connections == 0)


def test_as_a_context_manager(url: str, relay: Relay) -> None:
    with neonps.neon(url, gateway=f"http://127.0.0.1:{relay.port}") as sql:
        sql("select 1")
    wait_for(lambda: relay.connections == 0)


def test_calls_of_several_threads_run_side_by_side(
    url: str, admin: Admin, mark: str, in_thread: Callable[..., Future[Any]]
) -> None:
    sql = neonps.neon(url)
    admin.execute("select pg_advisory_lock(hashtext(%s))", [mark])
    waiting = in_thread(sql, f"select pg_advisory_xact_lock(hashtext('{mark}')), 1 as n")
    wait_for(lambda: active(admin, mark))
    assert sql("select 2 as n") == [{"n": 2}]
    assert not waiting.done()
    admin.execute("select pg_advisory_unlock_all()")
    assert waiting.result()[0]["n"] == 1


def test_each_thread_gets_its_own_answers(url: str, relay: Relay) -> None:
    sql = neonps.neon(url, gateway=f"http://127.0.0.1:{relay.port}", row_factory=scalar_row)
    threads = base.MAX_KEPT + 4
    start = threading.Barrier(threads)

    def work(n: int) -> list[Any]:
        start.wait()
        return [sql("select %s::int", [n * 100 + i])[0] for i in range(10)]

    with ThreadPoolExecutor(threads) as pool:
        found = list(pool.map(work, range(threads)))
    assert found == [[n * 100 + i for i in range(10)] for n in range(threads)]
    wait_for(lambda: relay.connections <= base.MAX_KEPT)
    sql.close()
    wait_for(lambda: relay.connections == 0)


def test_a_child_process_has_connections_of_its_own(url: str, relay: Relay, monkeypatch: pytest.MonkeyPatch) -> None:
    sql = neonps.neon(url, gateway=f"http://127.0.0.1:{relay.port}")
    sql("select 1")
    monkeypatch.setattr(os, "getpid", lambda: -1)
    sql("select 1")
    sql("select 1")
    assert relay.accepted == 2


@pytest.mark.parametrize("timeout", [float("nan"), "soon", 10**400])
def test_a_timeout_that_is_none(url: str, timeout: Any) -> None:
    with pytest.raises(neonps.ProgrammingError, match="is not a number of seconds"):
        neonps.neon(url)("select 1", timeout=timeout)
