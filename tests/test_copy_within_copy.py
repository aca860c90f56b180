"""A COPY that was interrupted, and another one that is begun in its block: their data do not get mixed up."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from typing import Any

import pytest
from transports import Connect, Connection, Numbers, on_sessions

import neonps

INTO = "copy numbers (a) from stdin"
INTO_OTHER = "copy other from stdin"

#: More than is collected before it is sent.
MUCH = b"13\n" * 100_000


def interrupted() -> Any:
    return pytest.raises(neonps.OperationalError, match="the COPY was interrupted")


def ctrl_c() -> Generator[Any, Any, None]:
    """A flow that is interrupted."""
    raise KeyboardInterrupt
    yield


def with_other(connect: Connect) -> Connection:
    conn = connect(autocommit=True)
    conn.execute("create temp table other (a int)")
    return conn


@on_sessions
@pytest.mark.parametrize("same_cursor", [False, True])
def test_writing(numbers: Numbers, connect: Connect, same_cursor: bool) -> None:
    conn = with_other(connect)
    cursor = conn.cursor()
    other = cursor if same_cursor else conn.cursor()
    with interrupted(), cursor.copy(INTO) as one:
        one.write(b"1\n")
        with pytest.raises(KeyboardInterrupt):
            conn.wait(ctrl_c())
        assert one.failed
        with other.copy(INTO_OTHER) as another:
            assert one.failed
            assert not another.failed
            another.write(b"2\n")
            for _ in range(2):
                with interrupted():
                    one.write(MUCH)
            another.write(b"3\n")
    assert numbers() == []
    assert conn.execute("select array_agg(a) from other").fetchone() == ([2, 3],)


@on_sessions
@pytest.mark.parametrize("same_cursor", [False, True])
def test_finishing(numbers: Numbers, connect: Connect, same_cursor: bool) -> None:
    """What the first one has collected goes nowhere, and its end is not that of the other one."""
    conn = with_other(connect)
    cursor = conn.cursor()
    other = cursor if same_cursor else conn.cursor()
    with cursor.copy(INTO) as one:
        with pytest.raises(KeyboardInterrupt):
            conn.wait(ctrl_c())
        with other.copy(INTO_OTHER) as another:
            one.write_row([1])
            with interrupted():
                one.finish()
            another.write(MUCH)
    assert numbers() == []
    assert conn.execute("select count(*) from other").fetchone() == (100_000,)


@on_sessions
def test_reading(connect: Connect) -> None:
    conn = connect(autocommit=True)
    with conn.cursor().copy("copy (values (1)) to stdout") as one:
        with pytest.raises(KeyboardInterrupt):
            conn.wait(ctrl_c())
        with conn.cursor().copy("copy (values (2), (3)) to stdout") as another:
            with interrupted():
                one.read()
            assert list(another.rows()) == [("2",), ("3",)]
        with interrupted():
            one.finish()


@on_sessions
@pytest.mark.parametrize("same_cursor", [False, True])
def test_with_asyncio(numbers: Numbers, url: str, transport: str, same_cursor: bool) -> None:
    async def use() -> None:
        async with await neonps.AsyncConnection.connect(url, transport=transport, autocommit=True) as conn:
            await conn.execute("create temp table other (a int)")
            cursor = conn.cursor()
            other = cursor if same_cursor else conn.cursor()
            async with cursor.copy(INTO) as one:
                with pytest.raises(KeyboardInterrupt):
                    await conn.wait(ctrl_c())
                async with other.copy(INTO_OTHER) as another:
                    with interrupted():
                        await one.write(MUCH)
                    await one.write_row([1])
                    with interrupted():
                        await one.finish()
                    await another.write(b"2\n")
            found = await conn.execute("select array_agg(a) from other")
            assert await found.fetchone() == ([2],)

    asyncio.run(use())
    assert numbers() == []
