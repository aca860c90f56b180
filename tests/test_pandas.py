"""pandas reads through a connection of the driver: the same frames as through SQLAlchemy's engine with psycopg."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any
from uuid import UUID

import pandas
import psycopg
import pytest
from frames import STATEMENTS, UNTESTED, WRAPPED, frame_of, oracle, read
from sqlalchemy.engine import Engine
from transports import Connect, Connection, on_sessions, over_http

import neonps

pytestmark = pytest.mark.filterwarnings(UNTESTED)

each_statement = pytest.mark.parametrize("name", STATEMENTS)


@pytest.fixture(scope="module")
def engine(dsn: str) -> Iterator[Engine]:
    engine = oracle(dsn)
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def opened(url: str) -> Iterator[Callable[[str], Connection]]:
    """A connection over the transport of that name; it stays open for the next test."""
    connections: dict[str, Connection] = {}

    def opened(transport: str) -> Connection:
        if transport not in connections:
            connections[transport] = neonps.connect(url, transport=transport)
        return connections[transport]

    yield opened
    for connection in connections.values():
        connection.close()


@pytest.fixture
def con(opened: Callable[[str], Connection], transport: str) -> Iterator[Connection]:
    """A connection over `transport`, not in autocommit mode."""
    con = opened(transport)
    yield con
    con.rollback()


@each_statement
@pytest.mark.parametrize(
    "options",
    [
        pytest.param({}, id="as it comes"),
        pytest.param({"coerce_float": False}, id="coerce_float=False"),
        pytest.param({"dtype_backend": "numpy_nullable"}, id="numpy_nullable"),
        pytest.param({"dtype_backend": "pyarrow"}, id="pyarrow"),
        pytest.param({"chunksize": None, "dtype": object}, id="dtype=object"),
    ],
)
def test_same_frames(con: Connection, engine: Engine, name: str, options: dict[str, Any]) -> None:
    assert read(con, STATEMENTS[name], **options) == read(engine, STATEMENTS[name], **options)


def test_a_few_of_them_in_full(con: Connection) -> None:
    """So that it is known that values are compared at all."""
    frame = pandas.read_sql("select 1 as a, true as b, 1.5 as c, 'x' as d, timestamptz '2024-01-02 03:04+00' as e", con)
    columns, index, values = frame_of(frame)
    assert [name for name, _ in columns] == ["a", "b", "c", "d", "e"]
    assert [dtype for _, dtype in columns[:3]] == ["int64", "bool", "float64"]
    assert columns[4][1].endswith(", UTC]")
    assert index == ([None], "int64", [("int", "0")])
    assert [column[0][1] for column in values[1:4]] == ["True", "1.5", "'x'"]
    assert frame["e"][0] == pandas.Timestamp("2024-01-02 03:04", tz="UTC")


def test_numbers_stay_exact_when_told_so(con: Connection) -> None:
    statement = "select * from (values (0.1::numeric), (null), ('NaN')) t (a)"
    one, null, nan = pandas.read_sql(statement, con, coerce_float=False)["a"]
    assert (one, null) == (Decimal("0.1"), None)
    assert isinstance(nan, Decimal)
    assert nan.is_nan()
    nullable = pandas.read_sql(STATEMENTS["int beyond float"], con, dtype_backend="numpy_nullable")
    assert [int(nullable["a"][0]), nullable["a"][1]] == [9007199254740993, pandas.NA]


@pytest.mark.parametrize("statement", ["select timestamp 'infinity' as a", "select date '0044-03-15 BC' as a"])
def test_dates_that_python_does_not_have(con: Connection, engine: Engine, statement: str) -> None:
    expected = read(engine, statement)
    assert expected[0] == "DataError"
    assert read(con, statement) == expected


# Parameters


@pytest.mark.parametrize(
    ("statement", "params"),
    [
        ("select %s::int + 1 as a, %s::text as b", [1, "x"]),
        ("select %s::int + 1 as a, %s::text as b", (1, None)),
        ("select %(n)s::int + 1 as a, %(n)s::int as b", {"n": 4}),
        ("select n, n %% 2 as odd from generate_series(1, 4) n where n = any(%s)", [[1, 4]]),
        ("select %(t)s::timestamptz as a", {"t": pandas.Timestamp("2024-01-02 03:04", tz="Europe/Berlin")}),
        ("select %(d)s::date as a", {"d": dt.date(2024, 1, 2)}),
        ("select %s::uuid as a", [UUID("b1ffd1f8-0d7c-4b7a-9d54-8f2a1b8d2b3c")]),
        ("select %s::bytea as a", [b"\0x"]),
        ("select %s::int8 as a, %s::float8 as b, %s::bool as c", list(pandas.Series([1, 1.5, True]))),
        ("select %s::numeric as a", [Decimal("1.5")]),
    ],
)
def test_params(con: Connection, engine: Engine, statement: str, params: Any) -> None:
    # SQLAlchemy takes a list of parameters for a list of such lists.
    expected = read(engine, statement, params=tuple(params) if isinstance(params, list) else params)
    assert not isinstance(expected[0], str), expected
    assert read(con, statement, params=params) == expected


def test_numbers_of_numpy_as_params(con: Connection) -> None:
    frame = pandas.DataFrame({"a": [7, 8], "b": [1.5, 2.5]})
    params = [frame["a"].iloc[-1], frame["b"].max()]
    assert pandas.read_sql("select %s + 1 as a, %s * 2 as b", con, params=params).values.tolist() == [[9, 5]]


def test_nat_as_a_param_is_an_error_of_the_driver(con: Connection) -> None:
    """It is a datetime that is none; only frames know it as NULL."""
    with pytest.raises(neonps.DataError, match="NaT"):
        con.execute("select %s::timestamp", [pandas.NaT])
    con.rollback()
    assert con.execute("select %s::timestamp is null", [None]).fetchone() == (True,)


def test_without_params_percent_means_percent(con: Connection) -> None:
    assert pandas.read_sql("select 'a%' as a where 'abc' like 'a%'", con)["a"].tolist() == ["a%"]


# What pandas does with the frame


@pytest.mark.parametrize(
    ("statement", "options"),
    [
        ("select 1 as a, '2024-01-02 03:04' as t", {"parse_dates": ["t"]}),
        ("select 1 as a, '02.01.2024' as t", {"parse_dates": {"t": "%d.%m.%Y"}}),
        ("select 1 as a, 1704164645 as t", {"parse_dates": {"t": "s"}}),
        ("select 1 as a, date '2024-01-02' as t", {"parse_dates": "t"}),
        ("select 1 as a, timestamptz '2024-01-02 03:04+02' as t", {"parse_dates": ["t"]}),
        ("select null::timestamptz as t", {"parse_dates": {"t": {"utc": True}}}),
        ("select n, n * 2 as m from generate_series(1, 3) n", {"index_col": "n"}),
        ("select n, 'x' || n as m, 5 as c from generate_series(1, 3) n", {"index_col": ["m", "n"]}),
        ("select n, n * 2 as m from generate_series(1, 3) n", {"dtype": {"n": "Int16", "m": "float32"}}),
        ("select * from (values (1), (null)) t (a)", {"dtype": {"a": "Int64"}}),
    ],
)
def test_options(con: Connection, engine: Engine, statement: str, options: dict[str, Any]) -> None:
    if options.get("index_col") == ["m", "n"]:
        frames = [pandas.read_sql(statement, each, **options).reset_index() for each in (con, engine)]
        assert frame_of(frames[0]) == frame_of(frames[1])
    else:
        assert read(con, statement, **options) == read(engine, statement, **options)


# Time zones


MOMENTS = STATEMENTS["timestamptz"]


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Asia/Kolkata", "America/St_Johns"])
@pytest.mark.parametrize("backend", [{}, {"dtype_backend": "numpy_nullable"}, {"dtype_backend": "pyarrow"}], ids=str)
@on_sessions
def test_time_zone_of_the_session(connect: Connect, dsn: str, zone: str, backend: dict[str, Any]) -> None:
    options = f"-c TimeZone={zone}"
    engine = oracle(dsn, options=options)
    conn = connect(options=options)
    for more in ({}, {"parse_dates": ["a"]}):
        assert read(conn, MOMENTS, **more, **backend) == read(engine, MOMENTS, **more, **backend)
    engine.dispose()


IN_UTC = ["2024-01-02T01:04:05+00:00", None, "2024-07-02T01:04:05.500000+00:00"]


def moments(frame: pandas.DataFrame) -> list[str | None]:
    assert str(frame["a"].dtype).endswith(", UTC]")
    return [None if pandas.isna(moment) else moment.isoformat() for moment in frame["a"]]


@over_http
def test_over_http_offsets_change_with_the_season(connect: Connect) -> None:
    """Only the offset of each moment is known, not the zone; of two offsets pandas makes no column of moments."""
    conn = connect(options="-c TimeZone=Europe/Berlin")
    frame = pandas.read_sql(MOMENTS, conn)
    assert frame["a"].dtype == object
    assert [None if each is None else each.isoformat() for each in frame["a"]] == [
        "2024-01-02T02:04:05+01:00",
        None,
        "2024-07-02T03:04:05.500000+02:00",
    ]
    assert moments(pandas.read_sql(MOMENTS, conn, parse_dates={"a": {"utc": True}})) == IN_UTC


def test_a_session_in_utc(connect: Connect, admin: psycopg.Connection[Any]) -> None:
    admin.execute("alter role current_user set timezone to 'Europe/Berlin'")
    try:
        conn = connect(options="-c TimeZone=UTC")
        assert moments(pandas.read_sql(MOMENTS, conn)) == IN_UTC
        assert moments(pandas.read_sql(MOMENTS, connect(), parse_dates={"a": {"utc": True}})) == IN_UTC
    finally:
        admin.execute("alter role current_user reset timezone")


# What does not work


def test_errors(con: Connection) -> None:
    with pytest.raises((neonps.errors.UndefinedTable, WRAPPED), match="missing"):
        pandas.read_sql("select * from missing", con)


@on_sessions
def test_after_an_error_and_rollback_the_connection_can_be_used(connect: Connect) -> None:
    conn = connect()
    with pytest.raises((neonps.errors.DivisionByZero, WRAPPED), match="division by zero"):
        pandas.read_sql("select 1 / 0", conn)
    conn.rollback()
    assert pandas.read_sql("select 1 as a", conn)["a"].tolist() == [1]


@on_sessions
def test_a_table_by_its_name_needs_an_engine(con: Connection) -> None:
    with pytest.raises((neonps.errors.SyntaxError, WRAPPED), match="pg_class"):
        pandas.read_sql("pg_class", con)


@pytest.mark.parametrize("call", ["read_sql_table", "to_sql"])
def test_what_pandas_does_with_sqlite_only(connect: Connect, admin: psycopg.Connection[Any], call: str) -> None:
    """It takes any other connection for one to SQLite, and first asks for the table in SQLite's way."""
    conn = connect()
    calls = {
        "read_sql_table": lambda: pandas.read_sql_table("pg_class", conn),
        "to_sql": lambda: pandas.DataFrame({"a": [1]}).to_sql("pandas_written", conn),
    }
    message = "the query has 0 placeholders but 1 parameters were passed"
    with pytest.raises((neonps.ProgrammingError, WRAPPED), match=message):
        calls[call]()
    conn.commit()
    assert admin.execute("select to_regclass('pandas_written')").fetchone() == (None,)


@pytest.mark.filterwarnings("default:pandas only supports SQLAlchemy")
def test_the_warning_can_be_silenced(con: Connection) -> None:
    import warnings

    with pytest.warns(UserWarning, match="^pandas only supports SQLAlchemy"):
        pandas.read_sql("select 1 as a", con)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "pandas only supports SQLAlchemy")
        assert pandas.read_sql("select 1 as a", con)["a"].tolist() == [1]


@pytest.mark.parametrize(
    "statement", ["create table pandas_made (a int)", "update pg_class set relname = '' where false"]
)
def test_what_returns_no_rows_is_no_frame(connect: Connect, admin: psycopg.Connection[Any], statement: str) -> None:
    conn = connect()
    with pytest.raises(TypeError):
        pandas.read_sql(statement, conn)
    conn.rollback()
    assert admin.execute("select to_regclass('pandas_made')").fetchone() == (None,)


def test_wrong_password(connect: Connect) -> None:
    with pytest.raises((neonps.OperationalError, WRAPPED), match="password authentication failed") as caught:
        pandas.read_sql("select 1", connect(password="sesame-street"))
    assert "sesame" not in str(caught.value)
