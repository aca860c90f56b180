"""`neonps.async_neon()` where it is not like its blocking twin: event loops, tasks, cancellation."""

from __future__ import annotations

import asyncio
import gc
import inspect
import select
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

import psycopg
import pytest
import trustme
from gateway_client import active, wait_for
from relay import Relay

import neonps
from neonps import base_query_function as base
from neonps.gateway import Gateway
from neonps.local import serve
from neonps.rows import scalar_row

Admin = psycopg.Connection[Any]
T = TypeVar("T")


@pytest.fixture
def relay(gateway: Gateway) -> Iterator[Relay]:
    """A relay on the way of `sql`."""
    with Relay(gateway.host, gateway.port) as relay:
        yield relay


@pytest.fixture
def sql(url: str, relay: Relay) -> neonps.AsyncQueryFunction[list[Any]]:
    """A query function that gives single values, through `relay`."""
    return neonps.async_neon(url, gateway=f"http://127.0.0.1:{relay.port}", row_factory=scalar_row)


Sql = neonps.AsyncQueryFunction[list[Any]]


def run_without_cleaning_up(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on an event loop that is closed without `shutdown_asyncgens()`."""
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(coroutine)
    finally:
        loop.close()


@pytest.mark.parametrize("name", ["__call__", "query", "transaction", "close"])
def test_both_kinds_are_called_alike(name: str) -> None:
    blocking = getattr(neonps.QueryFunction, name)
    asynchronous = getattr(neonps.AsyncQueryFunction, name)
    assert inspect.iscoroutinefunction(asynchronous)
    parameters = [inspect.signature(function).parameters for function in (blocking, asynchronous)]
    assert parameters[0] == parameters[1]


def test_both_kinds_are_made_alike() -> None:
    public = [
        {name for name in dir(kind) if not name.startswith("_")}
        for kind in (neonps.QueryFunction, neonps.AsyncQueryFunction)
    ]
    assert public[0] == public[1]
    assert inspect.signature(neonps.neon).parameters == inspect.signature(neonps.async_neon).parameters


# Event loops


def test_one_event_loop_after_another(sql: Sql, relay: Relay) -> None:
    async def work() -> list[Any]:
        return await sql("select 1") + await sql("select 2")

    for count in (1, 2, 3):
        assert asyncio.run(work()) == [1, 2]
        assert relay.accepted == count
        wait_for(lambda: relay.connections == 0)


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_an_event_loop_that_ends_without_order(url: str, relay: Relay) -> None:
    """asyncio cannot close a transport any more then, and warns when the garbage collector does it."""
    sql = neonps.async_neon(url, gateway=f"http://127.0.0.1:{relay.port}")
    for count in (1, 2, 3):
        assert run_without_cleaning_up(sql("select 1 as n")) == [{"n": 1}]
        assert relay.accepted == count
        gc.collect()
        wait_for(lambda: relay.connections <= 1)
    del sql
    gc.collect()
    wait_for(lambda: relay.connections == 0)


def test_event_loops_in_several_threads(sql: Sql, relay: Relay, in_thread: Callable[..., Future[Any]]) -> None:
    async def work(n: int) -> list[Any]:
        found = []
        for i in range(10):
            found += await sql("select %s::int", [n * 100 + i])
        return found

    futures = [in_thread(asyncio.run, work(n)) for n in range(4)]
    assert [future.result() for future in futures] == [[n * 100 + i for i in range(10)] for n in range(4)]
    assert relay.accepted == 4
    wait_for(lambda: relay.connections == 0)


def test_over_tls(dsn: str, tmp_path: Path) -> None:
    """TLS ends with a farewell of both sides, for which an event loop that ends does not wait."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "cert.pem"))
    with serve(dsn, tls_cert=str(tmp_path / "cert.pem")) as server:
        sql = neonps.async_neon(server.url, sslrootcert=str(tmp_path / "ca.pem"))

        async def work() -> list[Any]:
            return await sql("select 1 as n") + await sql("select 2 as n")

        for _ in range(2):
            assert asyncio.run(work()) == [{"n": 1}, {"n": 2}]
            gc.collect()


def test_a_connection_that_was_closed_while_the_loop_stood_still(sql: Sql, relay: Relay) -> None:
    async def work(reset: bool) -> list[Any]:
        await sql("select 1")
        [(_, [kept])] = sql._kept.items()
        relay.cut(reset=reset)
        select.select([kept.connection._runner.fileno()], [], [])
        return await sql("select 2")

    assert asyncio.run(work(reset=False)) == [2]
    assert asyncio.run(work(reset=True)) == [2]


def test_a_function_that_is_dropped_closes_its_connections(sql: Sql, url: str, relay: Relay) -> None:
    async def work() -> None:
        sql = neonps.async_neon(url, gateway=f"http://127.0.0.1:{relay.port}")
        await sql("select 1")
        del sql
        gc.collect()
        while relay.connections:
            await asyncio.sleep(0)

    asyncio.run(work())
    assert relay.accepted == 1


def test_as_a_context_manager(sql: Sql, relay: Relay) -> None:
    async def work() -> None:
        async with sql:
            assert await sql("select 1") == [1]
        while relay.connections:
            await asyncio.sleep(0)
        assert await sql("select 2") == [2]
        assert relay.accepted == 2

    asyncio.run(work())


# Tasks


def test_calls_run_side_by_side(sql: Sql, relay: Relay, admin: Admin, mark: str) -> None:
    async def work() -> None:
        admin.execute("select pg_advisory_lock(hashtext(%s))", [mark])
        waiting = asyncio.create_task(sql(f"select 1 from pg_advisory_xact_lock(hashtext('{mark}'))"))
        while not active(admin, mark):
            await asyncio.sleep(0)
        assert await sql("select 2") == [2]
        assert not waiting.done()
        admin.execute("select pg_advisory_unlock_all()")
        assert await waiting == [1]
        assert relay.accepted == 2

    asyncio.run(work())


def test_many_calls_at_once(sql: Sql, relay: Relay) -> None:
    count = base.MAX_KEPT + 10

    async def work() -> None:
        assert await asyncio.gather(*[sql("select %s::int", [n]) for n in range(count)]) == [[n] for n in range(count)]
        while relay.connections > base.MAX_KEPT:
            await asyncio.sleep(0)
        assert await sql("select 1") == [1]
        assert relay.accepted == count

    asyncio.run(work())


def test_a_cancelled_call(sql: Sql, relay: Relay, admin: Admin, mark: str) -> None:
    async def work() -> None:
        task = asyncio.create_task(sql(f"select pg_sleep(100) -- {mark}"))
        while not active(admin, mark):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        while active(admin, mark):
            await asyncio.sleep(0)
        assert await sql("select 1") == [1]

    asyncio.run(work())


def test_a_call_within_a_time(sql: Sql) -> None:
    async def work() -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(sql("select pg_sleep(100)"), 0.2)
        assert await sql("select 1") == [1]

    asyncio.run(work())


def test_calls_are_no_part_of_a_transaction(sql: Sql) -> None:
    async def work() -> None:
        call = sql("select 1")
        with pytest.raises(TypeError, match="got coroutine; a call of the query function runs at once"):
            await sql.transaction([call])  # type: ignore[list-item]
        assert await call == [1]

    asyncio.run(work())


# Functions


@pytest.mark.parametrize("keyword", ["password", "auth_token"])
def test_an_asynchronous_function(url: str, relay: Relay, postgres: Any, keyword: str) -> None:
    asked = []

    async def value() -> str:
        await asyncio.sleep(0)
        asked.append(1)
        return str(postgres.password)

    given: dict[str, Any] = {keyword: value}
    sql = neonps.async_neon(url, gateway=f"http://127.0.0.1:{relay.port}", **given)

    async def work() -> None:
        for count in (1, 2):
            if keyword == "password":
                assert await sql("select 1 as n") == [{"n": 1}]
            else:
                with pytest.raises(neonps.OperationalError, match="token"):
                    await sql("select 1")
                assert f"\r\nAuthorization: Bearer {postgres.password}\r\n".encode() in relay.sent[-1]
            assert len(asked) == count

    asyncio.run(work())


def test_a_blocking_query_function_does_not_await(url: str) -> None:
    class Later:
        def __await__(self) -> Iterator[None]:
            raise NotImplementedError

    with pytest.raises(neonps.ProgrammingError, match="password: the function should return a str, not Later"):
        neonps.neon(url, password=Later)("select 1")
