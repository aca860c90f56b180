"""Types are looked up in the database as with psycopg: by every form of name, on every transport, in any state."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from compared import Driver, Drivers
from peers import Peer
from transports import Connect, over_http

import neonps
from neonps import sql
from neonps.types import TypeInfo
from neonps.types.composite import CompositeInfo
from neonps.types.enum import EnumInfo

SETUP = """
    create schema "Sch x";
    create type fetch_item as (name text, "a b" int4[]);
    create type fetch_outer as (item fetch_item, n int);
    create type fetch_color as enum ('red', 'dark blue', 'grün');
    create type fetch_range as range (subtype = text);
    create domain fetch_domain as int check (value > 0);
    create domain fetch_item_domain as fetch_item;
    create table fetch_table (gone int, x int primary key, y fetch_item);
    alter table fetch_table drop column gone;
    create view fetch_view as select 1 as a, 'x'::text as b;
    create type "Sch x"."Ty""pe.%s" as (q text);
    create type "Sch x".fetch_item as (other int);
    create type "Sch x".fetch_range as range (subtype = float8, multirange_type_name = "Multi");
"""
TEARDOWN = """
    drop schema "Sch x" cascade;
    drop view fetch_view;
    drop table fetch_table;
    drop type fetch_item, fetch_outer, fetch_color, fetch_range, fetch_domain, fetch_item_domain cascade;
"""


@pytest.fixture(scope="module", autouse=True)
def types(dsn: str) -> Iterator[None]:
    """Types to be looked up."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(SETUP)
        yield
        connection.execute("set client_min_messages to error")
        connection.execute(TEARDOWN)


def info_class(driver: Peer, name: str) -> Any:
    """The class of this name, such as `RangeInfo`."""
    module = "types" if name == "TypeInfo" else f"types.{name.removesuffix('Info').lower()}"
    return getattr(driver.submodule(module), name)


CLASSES = ["TypeInfo", "CompositeInfo", "EnumInfo", "RangeInfo", "MultirangeInfo"]

NAMES = [
    *["int4", "integer", "INT4", "int", "pg_catalog.int4", "timestamp with time zone", "varchar(10)", "23", "box", "-"],
    *[
        "fetch_item",
        "FETCH_ITEM",
        '"FETCH_ITEM"',
        "public.fetch_item",
        '"public"."fetch_item"',
        " fetch_item ",
        "fetch_outer",
    ],
    *["fetch_item[]", "_fetch_item", "int4[]", "fetch_color", "fetch_color[]", "fetch_domain", "fetch_item_domain"],
    *[
        "fetch_range",
        "fetch_multirange",
        "int4range",
        "int4multirange",
        "fetch_table",
        "fetch_view",
        "pg_class",
        "record",
    ],
    *['"Sch x".fetch_item', '"Sch x"."Ty""pe.%s"', '"Sch x".fetch_range', '"Sch x"."Multi"', '"sch x".fetch_item'],
    *["nosuch", "nosuch.fetch_item", "public.int4", "", "3", "é", "void", "anyelement", "unknown"],
]

IDENTIFIERS = [
    ("fetch_item",),
    ("FETCH_ITEM",),
    ("public", "fetch_item"),
    ("Sch x", "fetch_item"),
    ("Sch x", 'Ty"pe.%s'),
    ("fetch_item[]",),
    ("nosuch", "x"),
    ("integer",),
]


def attributes(info: Any) -> Any:
    """What a type is known by."""
    if info is None:
        return None
    values = {name: value for name, value in vars(info).items() if name != "typemod"}
    if values.get("labels") == [None]:
        values["labels"] = []  # of an enumeration without labels, and of what is none
    return type(info).__name__, sorted(values.items()), repr(info)


@pytest.mark.parametrize("name", CLASSES)
def test_fetch(drivers: Drivers, name: str) -> None:
    for type_name in [*NAMES, *IDENTIFIERS]:
        drivers.compare(fetched, name, type_name)


def fetched(driver: Driver, name: str, type_name: str | tuple[str, ...]) -> Any:
    if isinstance(type_name, tuple):
        type_name = driver.submodule("sql").Identifier(*type_name)
    return attributes(info_class(driver, name).fetch(driver.connection, type_name))


@pytest.mark.parametrize("type_name", ['a"b', "a.b.c.d", "x y", "bad-name!", "1 1", "public.", "int4(", "(", "int4; x"])
def test_what_is_no_name(drivers: Drivers, type_name: str) -> None:
    drivers.compare(fetched, "TypeInfo", type_name, messages=False)
    for driver in drivers.all:
        assert driver.connection.execute("select 1").fetchone() == (1,)


def test_what_is_no_connection(drivers: Drivers) -> None:
    drivers.compare(lambda driver: info_class(driver, "TypeInfo").fetch(None, "int4"))
    drivers.compare(lambda driver: info_class(driver, "TypeInfo").fetch(driver.connection.cursor(), "int4"))


def test_closed_connection(peer: Peer) -> None:
    connection = peer.connect()
    connection.close()
    with pytest.raises(peer.module.OperationalError, match="the connection is closed"):
        info_class(peer, "TypeInfo").fetch(connection, "int4")


STATES = ["idle", "autocommit", "transaction", "block", "block with autocommit"]


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("state", STATES)
def test_transaction_status(peer: Peer, state: str, fails: bool) -> None:
    """What is open stays open and as it was, and nothing else is."""
    connection = peer.connect(autocommit="autocommit" in state)
    if state == "transaction":
        connection.execute("create temp table t (x int)")
    block = connection.transaction() if "block" in state else None
    if block is not None:
        block.__enter__()
        connection.execute("create temp table t (x int)")
    before = connection.info.transaction_status
    if fails:
        with pytest.raises(peer.module.ProgrammingError):
            info_class(peer, "TypeInfo").fetch(connection, "x y")
    else:
        assert info_class(peer, "TypeInfo").fetch(connection, "int4").oid == 23
        # What the transaction has made is there too.
        info = info_class(peer, "CompositeInfo").fetch(connection, "t")
        assert info is None if before == peer.module.pq.TransactionStatus.IDLE else info.field_names == ("x",)
    assert connection.info.transaction_status == before
    assert connection.execute("select 1").fetchone() == (1,)
    if block is not None:
        block.__exit__(None, None, None)
        assert connection.execute("select count(*) from t").fetchone() == (0,)


def test_failed_transaction(peer: Peer) -> None:
    connection = peer.connect()
    with pytest.raises(peer.module.errors.UndefinedColumn):
        connection.execute("select nosuch")
    with pytest.raises(peer.module.errors.InFailedSqlTransaction):
        info_class(peer, "TypeInfo").fetch(connection, "int4")
    assert connection.info.transaction_status == peer.module.pq.TransactionStatus.INERROR
    connection.rollback()
    assert info_class(peer, "TypeInfo").fetch(connection, "int4").oid == 23


@pytest.mark.parametrize("autocommit", [False, True])
def test_pipeline(peer: Peer, autocommit: bool) -> None:
    connection = peer.connect(autocommit=autocommit)
    with connection.pipeline():
        assert info_class(peer, "TypeInfo").fetch(connection, "int4").oid == 23
        assert info_class(peer, "EnumInfo").fetch(connection, "fetch_color").labels == ["red", "dark blue", "grün"]
        assert info_class(peer, "TypeInfo").fetch(connection, "nosuch") is None
        assert connection.execute("select 1").fetchone() == (1,)
        assert info_class(peer, "TypeInfo").fetch(connection, "int8").oid == 20


def test_async(peer: Peer) -> None:
    async def main() -> None:
        async with await peer.connect_async() as connection:
            coroutine = info_class(peer, "TypeInfo").fetch(connection, "fetch_color")
            assert asyncio.iscoroutine(coroutine)
            assert (await coroutine).regtype == "fetch_color"
            labels = (await info_class(peer, "EnumInfo").fetch(connection, "fetch_color")).labels
            assert labels == ["red", "dark blue", "grün"]
            assert (await info_class(peer, "CompositeInfo").fetch(connection, "fetch_item")).field_names == (
                "name",
                "a b",
            )
            assert await info_class(peer, "RangeInfo").fetch(connection, "nosuch") is None
            with pytest.raises(peer.module.ProgrammingError):
                await info_class(peer, "MultirangeInfo").fetch(connection, "x y")
            assert connection.info.transaction_status == peer.module.pq.TransactionStatus.IDLE

    asyncio.run(main())


def test_async_over_http(url: str) -> None:
    async def main() -> None:
        async with await neonps.AsyncConnection.connect(url, transport="http") as connection:
            info = await EnumInfo.fetch(connection, sql.Identifier("fetch_color"))
            assert info is not None
            assert info.labels == ["red", "dark blue", "grün"]
            assert await TypeInfo.fetch(connection, "nosuch") is None

    asyncio.run(main())


@pytest.mark.parametrize("encoding", ["latin1", "euc_jis_2004", "sql_ascii"])
def test_client_encodings(peer: Peer, encoding: str) -> None:
    connection = peer.connect(client_encoding=encoding)
    info = info_class(peer, "EnumInfo").fetch(connection, "fetch_color")
    assert info.labels == ["red", "dark blue", "grün"]


def test_adapters_and_factories_do_not_matter(peer: Peer) -> None:
    """They are for the user's statements."""
    connection = peer.connect(row_factory=peer.submodule("rows").dict_row, cursor_factory=peer.module.RawCursor)
    info = info_class(peer, "CompositeInfo").fetch(connection, "fetch_item")
    assert info.field_types == (25, 1007)


@over_http
def test_statements_that_wait_for_commit(connect: Connect) -> None:
    """They are not disturbed, and what they will do cannot be seen yet."""
    connection = connect()
    connection.execute("create type fetch_pending as (x int)")
    assert TypeInfo.fetch(connection, "fetch_pending") is None
    assert connection.info.transaction_status == neonps.pq.TransactionStatus.INTRANS
    connection.rollback()
    assert TypeInfo.fetch(connection, "fetch_pending") is None
    with connection.transaction():
        connection.execute("create type fetch_pending as (x int)")
        assert TypeInfo.fetch(connection, "fetch_pending") is None
    info = CompositeInfo.fetch(connection, "fetch_pending")
    assert info is not None
    assert info.field_names == ("x",)
    connection.execute("drop type fetch_pending")
    connection.commit()


@over_http
def test_snapshots_over_http_are_not_taken(connect: Connect) -> None:
    """A query after it is not refused, as it is after another query."""
    connection = connect()
    connection.isolation_level = neonps.IsolationLevel.REPEATABLE_READ
    assert TypeInfo.fetch(connection, "int4") is not None
    assert connection.execute("select 1").fetchone() == (1,)
