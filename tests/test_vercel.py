"""The example for Vercel: in its real Python runtime, and at a host of PlanetScale as far as it knows."""

from __future__ import annotations

import asyncio
import importlib.util
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType
from typing import Any

import psycopg
import pytest
from gateway_client import wait_for
from planetscale import PlanetScale
from relay import Relay
from vercel_runtime import Instance, Runtime, installed_runtime

import neonps
from neonps.gateway import Gateway

EXAMPLE = Path(__file__).parent.parent / "examples" / "vercel"
PROBE = "../../tests/vercel_probe.py"

Start = Callable[..., Instance]
Count = Callable[[], int]
InThread = Callable[..., Future[Any]]


@pytest.fixture(scope="module")
def runtime() -> Runtime:
    return installed_runtime()


@pytest.fixture(scope="module")
def planetscale(dsn: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlanetScale]:
    with PlanetScale(dsn, tmp_path_factory.mktemp("planetscale")) as planetscale:
        yield planetscale


@pytest.fixture
def start(runtime: Runtime, planetscale: PlanetScale) -> Iterator[Start]:
    """Starts instances; at the end none must have warned of anything or shown the password."""
    password = planetscale.url.split(":")[2].partition("@")[0]
    with ExitStack() as stack:
        started = []

        def start(entrypoint: str = PROBE, **environment: str) -> Instance:
            variables = {**planetscale.environment(), **environment}
            started.append(stack.enter_context(Instance(runtime, EXAMPLE, entrypoint, variables)))
            return started[-1]

        yield start
        for instance in started:
            instance.process.terminate()
            assert instance.wait() == -signal.SIGTERM
            assert "Warning" not in instance.log
            assert password not in instance.log


VISIT = "insert into visit default values"


def run(instance: Instance, *statements: str, **more: Any) -> Any:
    """Have statements run; gives what the answer holds, or only its status if that is an error."""
    status, body = instance.request("POST", "/run", {"run": statements, **more})
    return body if status == 200 else status


# The example


def test_reading_over_http(start: Start, planetscale: PlanetScale, accounts: Any) -> None:
    opened = planetscale.websockets
    instance = start("api/index.py")
    assert instance.request("GET", "/api/accounts/Ada") == (200, {"owner": "Ada", "balance": 100})
    assert instance.request("GET", "/api/accounts/Eve") == (404, {"detail": "no such account"})
    assert planetscale.websockets == opened


def test_an_interactive_transaction(
    start: Start, planetscale: PlanetScale, accounts: Callable[[], dict[str, int]]
) -> None:
    opened = planetscale.websockets
    instance = start("api/index.py")

    def transfer(giver: Any, taker: str, amount: Any) -> tuple[int, Any]:
        return instance.request("POST", "/api/transfers", {"from": giver, "to": taker, "amount": amount})

    assert transfer("Grace", "Ada", 50) == (200, {"from": "Grace", "balance": 200})
    assert transfer("Grace", "Ada", 201) == (409, {"detail": "Grace has 200"})
    assert transfer("Eve", "Ada", 1) == (404, {"detail": "no such account"})
    assert transfer("Grace", "Ada", -1)[0] == 422
    assert transfer(["Grace"], "Ada", 1)[0] == 422
    assert accounts() == {"Ada": 150, "Grace": 200}
    assert planetscale.websockets == opened + 1


def test_without_a_url(runtime: Runtime, planetscale: PlanetScale) -> None:
    variables = planetscale.environment()
    del variables["DATABASE_URL"]
    with pytest.raises(RuntimeError, match="DATABASE_URL"), Instance(runtime, EXAMPLE, "api/index.py", variables):
        pass


# The sessions from one request to the next


def test_a_session_is_used_again(start: Start, planetscale: PlanetScale) -> None:
    opened = planetscale.websockets
    instance = start()
    assert len({run(instance, "select 1")["pid"] for _ in range(3)}) == 1
    assert planetscale.websockets == opened + 1


def test_requests_at_once_have_sessions_of_their_own(
    start: Start, admin: psycopg.Connection[Any], visits: Count, in_thread: InThread
) -> None:
    """As far as the pool has some; the others wait."""
    instance = start()
    waiting = "select count(*) from pg_locks where not granted and relation = 'visit'::regclass"
    with admin.transaction():
        admin.execute("lock table visit in share mode")
        answers = [in_thread(run, instance, VISIT) for _ in range(4)]
        wait_for(lambda: admin.execute(waiting).fetchone() == (4,))
        late = in_thread(run, instance, VISIT)
    pids = {answer.result()["pid"] for answer in answers}
    assert len(pids) == 4
    assert late.result()["pid"] in pids
    assert visits() == 5


def test_an_error_rolls_back(start: Start, visits: Count) -> None:
    instance = start()
    before = run(instance, "select 1")
    assert run(instance, VISIT, **{"raise": "on purpose"}) == 500
    assert run(instance, VISIT, "select 1 / 0") == 500
    after = run(instance, "select count(*) from visit")
    assert after == {**before, "rows": [[0]]}


def test_a_killed_session(start: Start, admin: psycopg.Connection[Any], visits: Count) -> None:
    instance = start()
    killed = run(instance, VISIT)["pid"]
    admin.execute("select pg_terminate_backend(%s, 60000)", [killed])
    answer = run(instance, VISIT)
    assert answer["pid"] != killed
    assert answer["attempts"] == 2
    assert visits() == 2


def test_a_gateway_that_was_restarted_while_the_instance_was_suspended(
    start: Start, planetscale: PlanetScale, admin: psycopg.Connection[Any], visits: Count, in_thread: InThread
) -> None:
    """All that the pool keeps is lost, and each request is answered."""
    instance = start()
    waiting = "select count(*) from pg_locks where not granted and relation = 'visit'::regclass"
    with admin.transaction():
        admin.execute("lock table visit in share mode")
        answers = [in_thread(run, instance, VISIT) for _ in range(4)]
        wait_for(lambda: admin.execute(waiting).fetchone() == (4,))
    before = {answer.result()["pid"] for answer in answers}
    instance.process.send_signal(signal.SIGSTOP)
    planetscale.stop()
    planetscale.start()
    instance.process.send_signal(signal.SIGCONT)
    answers = [in_thread(run, instance, VISIT) for _ in range(4)]
    assert not before & {answer.result()["pid"] for answer in answers}
    assert visits() == 8


def test_a_statement_that_takes_too_long(start: Start, visits: Count) -> None:
    instance = start(TIMEOUT="2")
    assert run(instance, VISIT, "select pg_sleep(60)") == 503
    wait_for(lambda: "timeout: the server has not answered within 2 seconds" in instance.log)
    assert run(instance, "select count(*) from visit")["rows"] == [[0]]


def test_a_server_that_is_not_there(start: Start, planetscale: PlanetScale) -> None:
    planetscale.stop()
    try:
        instance = start(POOL_TIMEOUT="3")
        assert run(instance, "select 1") == 503
        assert instance.request("GET", "/api/accounts/Ada") == (503, {"detail": "the database is not available"})
    finally:
        planetscale.start()
    assert run(instance, "select 1")["attempts"] == 1


def test_the_sessions_end_with_the_instance(
    start: Start, planetscale: PlanetScale, admin: psycopg.Connection[Any]
) -> None:
    """And not only since the sockets are closed: the server is told."""
    with Relay("127.0.0.1", planetscale.gateway.port) as relay:
        instance = start(**planetscale.environment(relay.port))
        pid = run(instance, "select 1")["pid"]
        relay.clear()
        instance.process.terminate()
        instance.wait()
        wait_for(lambda: relay.connections == 0)
        assert relay.sent
    wait_for(lambda: not admin.execute("select from pg_stat_activity where pid = %s", [pid]).fetchone())


# What a loss of the connection leads to, step by step


@pytest.fixture
def relay(gateway: Gateway) -> Iterator[Relay]:
    with Relay(gateway.host, gateway.port) as relay:
        yield relay


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch, dsn: str, relay: Relay) -> ModuleType:
    """The module of the example, in this process, and on its way to the gateway a relay."""
    monkeypatch.setenv("DATABASE_URL", f"{dsn}?gateway=http://127.0.0.1:{relay.port}")
    spec = importlib.util.spec_from_file_location("database", EXAMPLE / "database.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


#: How each message of a client begins in a WebSocket (RFC 6455 5.2).
MESSAGE = b"\x82"


def test_a_commit_whose_answer_is_lost_is_not_run_again(database: ModuleType, relay: Relay, visits: Count) -> None:
    attempts = 0

    async def work(conn: neonps.AsyncConnection[Any]) -> None:
        nonlocal attempts
        attempts += 1
        await conn.execute(VISIT)
        if attempts == 2:
            relay.cut_at(MESSAGE)

    async def main() -> None:
        async with database.pool:
            await database.run_transaction(work)
            with pytest.raises(neonps.OperationalError, match="unknown"):
                await database.run_transaction(work)
            assert (attempts, visits()) == (2, 2)
            await database.run_transaction(work)

    asyncio.run(main())
    assert visits() == 3


def test_a_loss_in_the_middle_of_a_transaction(database: ModuleType, relay: Relay, visits: Count) -> None:
    attempts = 0

    async def work(conn: neonps.AsyncConnection[Any]) -> str:
        nonlocal attempts
        attempts += 1
        await conn.execute(VISIT)
        if attempts == 1:
            relay.cut_at(MESSAGE)
        await conn.execute(VISIT)
        return "done"

    async def main() -> None:
        async with database.pool:
            assert await database.run_transaction(work) == "done"

    asyncio.run(main())
    assert attempts == 2
    assert visits() == 2


def test_a_server_that_does_not_answer_is_not_asked_again(database: ModuleType, relay: Relay) -> None:
    database.pool.kwargs["timeout"] = 1
    attempts = 0

    async def work(conn: neonps.AsyncConnection[Any]) -> None:
        nonlocal attempts
        attempts += 1
        relay.mute()
        await conn.execute("select 1")

    async def main() -> None:
        async with database.pool:
            with pytest.raises(neonps.OperationalError, match="has not answered within 1 second"):
                await database.run_transaction(work)

    asyncio.run(main())
    assert attempts == 1


def test_an_error_that_the_session_survives_is_not_run_again(database: ModuleType) -> None:
    """It is an OperationalError too."""
    attempts = 0

    async def work(conn: neonps.AsyncConnection[Any]) -> None:
        nonlocal attempts
        attempts += 1
        await conn.execute("do $$ begin raise exception using errcode = 'serialization_failure'; end $$")

    async def main() -> None:
        async with database.pool:
            with pytest.raises(neonps.errors.SerializationFailure):
                await database.run_transaction(work)

    asyncio.run(main())
    assert attempts == 1


def test_a_rollback_on_purpose(database: ModuleType, visits: Count) -> None:
    attempts = 0

    async def work(conn: neonps.AsyncConnection[Any]) -> None:
        nonlocal attempts
        attempts += 1
        await conn.execute(VISIT)
        raise neonps.Rollback

    async def main() -> None:
        async with database.pool:
            assert await database.run_transaction(work) is None

    asyncio.run(main())
    assert attempts == 1
    assert visits() == 0
