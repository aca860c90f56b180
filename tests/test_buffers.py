"""Parameters in a buffer that the program fills anew for the next row: each row has what was in it at its time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from transports import Connect

import neonps

LETTERS = [letter.encode() for letter in "ABCDE"]
INSERT = "insert into letters values (%b)"


def rows(view: bool) -> Iterator[list[Any]]:
    buffer = bytearray(1)
    for letter in LETTERS:
        buffer[:] = letter
        yield [memoryview(buffer) if view else buffer]


def found(conn: neonps.Connection[Any]) -> list[bytes]:
    letters = [row[0] for row in conn.execute("select a from letters order by n")]
    conn.execute("truncate letters restart identity")
    return letters


@pytest.mark.parametrize("view", [False, True])
@pytest.mark.parametrize("transport", ["tcp", "websocket"])
def test_each_row_has_its_own(connect: Connect, view: bool) -> None:
    conn = connect(autocommit=True)
    conn.execute("create temp table letters (a bytea, n int generated always as identity)")
    with conn.cursor() as cursor:
        cursor.executemany(INSERT, rows(view))
        assert found(conn) == LETTERS
        cursor.executemany(f"{INSERT} returning a", rows(view), returning=True)
        assert found(conn) == LETTERS
        with conn.pipeline():
            cursor.executemany(INSERT, rows(view))
        assert found(conn) == LETTERS
        with conn.pipeline():
            for params in rows(view):
                conn.execute(INSERT, params)
        assert found(conn) == LETTERS
        conn.batch((INSERT, params) for params in rows(view))
        assert found(conn) == LETTERS
        with cursor.copy("copy letters (a) from stdin (format binary)") as copy:
            for row in rows(view):
                copy.write_row(row)
        assert found(conn) == LETTERS


def test_over_http(url: str) -> None:
    with neonps.connect(url, transport="http", autocommit=True) as conn:
        conn.execute("create table letters (a bytea, n int generated always as identity)")
        try:
            conn.cursor().executemany("insert into letters values (%s)", rows(False))
            assert [row[0] for row in conn.execute("select a from letters order by n")] == LETTERS
        finally:
            conn.execute("drop table letters")


@pytest.mark.parametrize("transport", ["tcp", "websocket"])
def test_on_asyncio(url: str, transport: str) -> None:
    async def main() -> None:
        async with await neonps.AsyncConnection.connect(url, transport=transport) as conn:
            await conn.execute("create temp table letters (a bytea, n int generated always as identity)")
            cursor = conn.cursor()
            await cursor.executemany(INSERT, rows(True))
            await cursor.execute("select a from letters order by n")
            assert [row[0] async for row in cursor] == LETTERS

    asyncio.run(main())
