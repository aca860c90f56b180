"""SQLAlchemy's dialect: how it is found, what a URL says to the driver, and what becomes of connections."""

from __future__ import annotations

import gc
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool
from transports import on_sessions

import neonps
from neonps.settings import resolve

NewEngine = Callable[..., Any]


@pytest.fixture
def new_engine(url: str, transport: str) -> Iterator[NewEngine]:
    """`create_engine()` for `postgres` over `transport`; the engines are disposed of at the end."""
    engines = []

    def new(query: dict[str, str] | None = None, **kwargs: Any) -> Any:
        address = sa.make_url(url).set(drivername="postgresql+neonps").update_query_dict({"transport": transport})
        engine = sa.create_engine(address.update_query_dict(query or {}), **kwargs)
        engines.append(engine)
        return engine

    yield new
    for engine in engines:
        engine.dispose()


def keywords(url: str) -> dict[str, Any]:
    """What `connect()` is given for a URL."""
    address = sa.make_url(url)
    args, found = address.get_dialect()().create_connect_args(address)
    assert args in ([], [""])
    del found["context"]
    return dict(found)


def test_found_by_entry_points() -> None:
    from neonps.sqlalchemy import NeonpsDialect, NeonpsDialectAsync

    address = sa.make_url("postgresql+neonps://h/d")
    assert address.get_dialect() is NeonpsDialect
    assert address.get_dialect(_is_async=True) is NeonpsDialectAsync
    assert sa.make_url("postgresql+neonps_async://h/d").get_dialect() is NeonpsDialectAsync
    engine, async_engine = sa.create_engine(address), create_async_engine(address)
    assert (engine.dialect.driver, engine.dialect.is_async) == ("neonps", False)
    assert (async_engine.dialect.driver, async_engine.dialect.is_async) == ("neonps", True)
    assert engine.dialect.dbapi is neonps
    assert (engine.dialect.name, engine.dialect.paramstyle) == ("postgresql", "pyformat")


def test_nothing_of_it_is_imported_by_the_driver() -> None:
    program = "import sys, neonps; neonps.AsyncConnection; sys.exit('sqlalchemy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


_WITHOUT_PSYCOPG = """
import asyncio, os, sys
sys.modules["psycopg"] = None
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import INT4RANGE, JSONB, Range
from sqlalchemy.ext.asyncio import create_async_engine

url = sa.make_url(os.environ["DATABASE_URL"]).set(drivername="postgresql+neonps")
columns = [sa.cast({"a": 1}, JSONB), sa.cast(Range(1, 3), INT4RANGE), sa.cast([1], sa.ARRAY(sa.Integer))]
engine = sa.create_engine(url, json_serializer=repr, native_inet_types=False)
engine = sa.create_engine(url)
with engine.connect() as conn:
    print(conn.execute(sa.select(*columns)).one())
engine.dispose()

async def main():
    engine = create_async_engine(url)
    async with engine.connect() as conn:
        print((await conn.execute(sa.select(*columns))).one())
    await engine.dispose()

asyncio.run(main())
"""


def test_without_psycopg(url: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", _WITHOUT_PSYCOPG],
        env={**os.environ, "DATABASE_URL": url},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.stderr == ""
    row = "({'a': 1}, Range(lower=1, upper=3, bounds='[)', empty=False), [1])\n"
    assert ran.stdout == row * 2


def test_beside_psycopg(url: str, dsn: str, admin: psycopg.Connection[Any]) -> None:
    from sqlalchemy.dialects.postgresql import INT4RANGE, JSONB, Range

    columns = [sa.cast({"a": 1}, JSONB), sa.cast(Range(1, 3), INT4RANGE)]
    seen = []
    for address, driver in [(dsn, "psycopg"), (url, "neonps"), (dsn, "psycopg")]:
        engine = sa.create_engine(sa.make_url(address).set(drivername=f"postgresql+{driver}"))
        with engine.connect() as conn:
            seen.append((type(conn.connection.driver_connection), conn.execute(sa.select(*columns)).one()))
        engine.dispose()
    assert [connection for connection, _ in seen] == [psycopg.Connection, neonps.Connection, psycopg.Connection]
    assert seen[0][1] == seen[1][1] == seen[2][1]


# What a URL says


def test_keywords_of_the_driver() -> None:
    query = (
        "gateway=https://g.example&transport=http&lazy=true&timeout=5&connect_timeout=3&pipeline_connect=off"
        "&auth_token=t0ken&sslrootcert=system&options=-c%20statement_timeout%3D1s&application_name=an%20app"
    )
    found = keywords(f"postgresql+neonps://u:p@h.example:6432/d?{query}")
    settings = resolve("", found)
    assert (settings.host, settings.port, settings.dbname, settings.user) == ("h.example", 6432, "d", "u")
    assert (settings.transport, settings.lazy, settings.timeout, settings.connect_timeout) == ("http", True, 5, 3)
    assert (settings.auth_token, settings.options) == ("t0ken", "-c statement_timeout=1s")
    assert found["gateway"] == "https://g.example"


def test_percent_encoded() -> None:
    user, password = "postgres.ab/c@x", "p@s:s/w?r#d%25 ä"
    found = keywords(f"postgresql+neonps://{quote(user, safe='')}:{quote(password, safe='')}@h/d")
    assert (found["user"], found["password"]) == (user, password)


@pytest.mark.parametrize(
    ("address", "host", "provider", "transport"),
    [
        (
            "u.x:p@aws.connect.psdb.cloud:6432/d?sslmode=verify-full",
            "aws.connect.psdb.cloud",
            "PlanetScale",
            "websocket",
        ),
        (
            "u:p@ep-a-1.eu.aws.neon.tech/d?sslmode=require&channel_binding=require",
            "ep-a-1.eu.aws.neon.tech",
            "Neon",
            "websocket",
        ),
        ("u:p@main.us-east-1.xata.tech/d?transport=http", "main.us-east-1.xata.tech", "Xata", "http"),
    ],
)
def test_providers(address: str, host: str, provider: str, transport: str) -> None:
    settings = resolve("", keywords(f"postgresql+neonps://{address}"))
    assert (settings.host, settings.provider, settings.transport) == (host, provider, transport)


def test_several_hosts() -> None:
    found = keywords("postgresql+neonps://u@/d?host=one:5433&host=two&target_session_attrs=primary")
    assert (found["host"], found["port"], found["target_session_attrs"]) == ("one,two", "5433,", "primary")
    both = keywords("postgresql+neonps://u@/d?host=one,two&port=1,2")
    assert (both["host"], both["port"]) == ("one,two", "1,2")


def test_without_a_host(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = resolve(dsn, {})
    for name, value in [
        ("HOST", settings.host),
        ("PORT", str(settings.port)),
        ("USER", settings.user),
        ("DATABASE", settings.dbname),
        ("PASSWORD", settings.password),
    ]:
        monkeypatch.setenv(f"PG{name}", str(value))
    for address in ["postgresql+neonps://", "postgresql+neonps:///postgres", "postgresql+neonps:///?lazy=true"]:
        engine = sa.create_engine(address)
        with engine.connect() as conn:
            assert conn.scalar(sa.text("SELECT current_database()")) == settings.dbname
        engine.dispose()


def test_arguments_of_connect_that_are_no_strings() -> None:
    found = keywords("postgresql+neonps://h/d?prepare_threshold=0&autocommit=off")
    assert (found["prepare_threshold"], found["autocommit"]) == (0, False)
    assert keywords("postgresql+neonps://h/d?prepare_threshold=None")["prepare_threshold"] is None
    for query in ("prepare_threshold=often", "autocommit=maybe"):
        with pytest.raises(exc.ArgumentError, match=query.split("=")[0]):
            keywords(f"postgresql+neonps://h/d?{query}")


def test_unknown_keyword(new_engine: NewEngine) -> None:
    with pytest.raises(exc.ProgrammingError, match="gatewya"):
        new_engine({"gatewya": "x"}).connect()


def test_connect_args(new_engine: NewEngine, gateway: Any, transport: str) -> None:
    asked = []

    def endpoint(host: str, port: int) -> str:
        asked.append(port)
        return f"{gateway.url}/sql" if transport == "http" else f"{gateway.url.replace('http', 'ws')}/v2"

    arguments = {"fetch_endpoint": endpoint, "ws_proxy": endpoint, "prepare_threshold": None, "application_name": "me"}
    with new_engine(connect_args=arguments).connect() as conn:
        assert conn.connection.driver_connection.prepare_threshold is None
        assert conn.scalar(sa.text("SHOW application_name")) == "me"
    assert bool(asked) is (transport != "tcp")


def test_cursor_factory(new_engine: NewEngine) -> None:
    with new_engine(connect_args={"cursor_factory": neonps.ClientCursor}).connect() as conn:
        assert conn.execute(sa.select(1, sa.literal("it's"))).one() == (1, "it's")
        assert isinstance(conn.connection.cursor(), neonps.ClientCursor)


@on_sessions
def test_lazy(new_engine: NewEngine) -> None:
    engine = new_engine({"lazy": "true"})
    with engine.connect() as conn:
        assert conn.scalar(sa.text("SELECT 1")) == 1
    with pytest.raises(exc.OperationalError, match="password authentication failed"):
        sa.create_engine(engine.url.set(password="wrong")).connect()


@on_sessions
def test_prepared_statements(new_engine: NewEngine) -> None:
    count = sa.text("SELECT count(*) FROM pg_prepared_statements")
    for threshold, prepared in [("0", True), ("None", False)]:
        engine = new_engine({"prepare_threshold": threshold})
        with engine.connect() as conn:
            for _ in range(8):
                conn.execute(sa.text("SELECT 1"))
            assert (conn.scalar(count) > 0) is prepared


# Errors, notices, lost connections


def test_errors(new_engine: NewEngine) -> None:
    with new_engine().connect() as conn:
        with pytest.raises(exc.DataError) as caught:
            conn.execute(sa.text("SELECT CAST(:a AS int) / 0"), {"a": 1})
        assert isinstance(caught.value.orig, neonps.errors.DivisionByZero)
        assert caught.value.orig.sqlstate == "22012"
        conn.rollback()
        with pytest.raises(exc.ProgrammingError) as caught:
            conn.execute(sa.text("SELECT * FROM not_there"))
        assert (caught.value.orig.sqlstate, caught.value.connection_invalidated) == ("42P01", False)


def test_error_below_a_class_of_the_standard() -> None:
    error = neonps.errors.TransactionRollback("foo")
    assert isinstance(exc.DBAPIError.instance("statement", {}, error, neonps.Error), exc.OperationalError)


@pytest.mark.filterwarnings("ignore:.*was deleted while still open:ResourceWarning")
def test_no_password_in_errors(new_engine: NewEngine) -> None:
    """Over HTTP SQLAlchemy 2.0.40 leaves the connection to the garbage collector."""
    engine = sa.create_engine(new_engine().url.set(password="s3cret"))
    with pytest.raises(exc.OperationalError) as caught:
        engine.connect()
    assert "s3cret" not in f"{caught.value}{engine!r}{engine.url}"
    del caught
    engine.dispose()
    gc.collect()


@on_sessions
def test_notices_are_logged(new_engine: NewEngine, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "sqlalchemy.dialects.postgresql"):
        with new_engine().connect() as conn:
            conn.execute(sa.text("DO $$ BEGIN RAISE NOTICE 'look here'; END $$"))
    assert "look here" in caplog.text


@on_sessions
def test_killed_backend(new_engine: NewEngine, admin: psycopg.Connection[Any]) -> None:
    engine = new_engine()
    pid = sa.text("SELECT pg_backend_pid()")
    with engine.connect() as conn:
        with engine.connect() as other:  # which goes back to the pool
            killed = [conn.scalar(pid), other.scalar(pid)]
        for each in killed:
            admin.execute("SELECT pg_terminate_backend(%s, 5000)", [each])
        with pytest.raises(exc.DBAPIError) as caught:
            conn.execute(sa.text("SELECT 1"))
        assert caught.value.connection_invalidated
        conn.rollback()
        assert conn.scalar(pid) not in killed
    with engine.connect() as conn:
        assert conn.scalar(pid) not in killed


@on_sessions
def test_killed_backend_in_the_pool(new_engine: NewEngine, admin: psycopg.Connection[Any]) -> None:
    engine = new_engine(pool_pre_ping=True)
    pid = sa.text("SELECT pg_backend_pid()")
    with engine.connect() as conn:
        killed = conn.scalar(pid)
    admin.execute("SELECT pg_terminate_backend(%s, 5000)", [killed])
    with engine.connect() as conn:
        assert conn.scalar(pid) != killed


@on_sessions
def test_lost_line(new_engine: NewEngine, relay: Any, transport: str) -> None:
    engine = new_engine({} if transport == "tcp" else {"gateway": f"http://127.0.0.1:{relay.port}"})
    if transport == "tcp":
        engine = sa.create_engine(engine.url.set(port=relay.port), pool_size=1)
    with engine.connect() as conn:
        conn.execute(sa.text("SELECT 1"))
        relay.cut()
        with pytest.raises(exc.OperationalError) as caught:
            conn.execute(sa.text("SELECT 1"))
        assert caught.value.connection_invalidated
        conn.rollback()
        assert conn.scalar(sa.text("SELECT 2")) == 2
    engine.dispose()


def test_null_pool(new_engine: NewEngine) -> None:
    engine = new_engine(poolclass=NullPool)
    with engine.connect() as conn:
        first = conn.connection.driver_connection
        assert conn.scalar(sa.text("SELECT 1")) == 1
    assert first.closed


def test_raw_connection(new_engine: NewEngine) -> None:
    raw = new_engine().raw_connection()
    try:
        assert isinstance(raw.driver_connection, neonps.Connection)
        with raw.cursor() as cursor:
            assert cursor.execute("SELECT %s::int + 1", [1]).fetchone() == (2,)
    finally:
        raw.close()


@on_sessions
def test_copy(new_engine: NewEngine) -> None:
    with new_engine().connect() as conn:
        conn.execute(sa.text("CREATE TEMPORARY TABLE copied (a int, b text)"))
        with conn.connection.cursor() as cursor:
            with cursor.copy("COPY copied FROM STDIN") as copy:
                for row in [(1, "one"), (2, "tab\there")]:
                    copy.write_row(row)
        assert conn.execute(sa.text("SELECT * FROM copied ORDER BY a")).all() == [(1, "one"), (2, "tab\there")]


@on_sessions
def test_client_encoding(new_engine: NewEngine) -> None:
    with new_engine(client_encoding="LATIN1").connect() as conn:
        assert conn.scalar(sa.text("SHOW client_encoding")) == "LATIN1"
        assert conn.scalar(sa.text("SELECT 'ä'")) == "ä"
