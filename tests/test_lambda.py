"""The example for AWS Lambda: by the real runtime interface client, and at a host of PlanetScale as far as it knows."""

from __future__ import annotations

import importlib.util
import json
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from time import monotonic
from types import ModuleType
from typing import Any

import psycopg
import pytest
from gateway_client import wait_for
from lambda_runtime import ExecutionEnvironment, InvocationFailed
from planetscale import PlanetScale
from relay import Relay

import neonps
from neonps.gateway import Gateway

pytest.importorskip("awslambdaric", reason="the runtime interface client is not installed")

EXAMPLE = Path(__file__).parent.parent / "examples" / "aws_lambda"

#: In the middle of each message over TLS, and so in the next one (RFC 8446 5.2).
ANYTHING = b"\x17\x03\x03"

Start = Callable[..., ExecutionEnvironment]


@pytest.fixture(scope="module")
def planetscale(dsn: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlanetScale]:
    with PlanetScale(dsn, tmp_path_factory.mktemp("planetscale")) as planetscale:
        yield planetscale


@pytest.fixture
def start(planetscale: PlanetScale) -> Iterator[Start]:
    """Starts execution environments; at the end none must have warned of anything or shown the password."""
    password = planetscale.url.split(":")[2].partition("@")[0]
    with ExitStack() as stack:
        started = []

        def start(handler: str = "lambda_probe.handler", **environment: str) -> ExecutionEnvironment:
            variables = {**planetscale.environment(), **environment}
            variables["PYTHONPATH"] += f":{Path(__file__).parent}"
            started.append(stack.enter_context(ExecutionEnvironment(EXAMPLE, handler, variables)))
            return started[-1]

        yield start
        for environment in started:
            if environment.process.poll() is None:
                environment.process.terminate()
                assert environment.wait() == -signal.SIGTERM
            environment.wait()
            assert "Warning" not in environment.log
            assert password not in environment.log


VISIT = "insert into visit default values"


def order(**body: Any) -> dict[str, str]:
    return {"body": json.dumps(body)}


def said(response: dict[str, Any]) -> tuple[int, Any]:
    return response["statusCode"], json.loads(response["body"])


# The two functions of the example


def test_reading_over_http(start: Start, planetscale: PlanetScale, accounts: Callable[[], dict[str, int]]) -> None:
    opened = planetscale.websockets
    function = start("app.balance")
    assert said(function.invoke({"pathParameters": {"owner": "Ada"}})) == (200, {"owner": "Ada", "balance": 100})
    assert said(function.invoke({"pathParameters": {"owner": "Eve"}})) == (404, {"error": "no such account"})
    assert planetscale.websockets == opened


def test_an_interactive_transaction(
    start: Start, planetscale: PlanetScale, accounts: Callable[[], dict[str, int]]
) -> None:
    opened = planetscale.websockets
    function = start("app.transfer")
    done = function.invoke(order(**{"from": "Grace", "to": "Ada", "amount": 50}))
    assert said(done) == (200, {"from": "Grace", "balance": 200})
    refused = function.invoke(order(**{"from": "Grace", "to": "Ada", "amount": 201}))
    assert said(refused) == (409, {"error": "Grace has 200"})
    nobody = function.invoke(order(**{"from": "Eve", "to": "Ada", "amount": 1}))
    assert said(nobody)[0] == 404
    assert accounts() == {"Ada": 150, "Grace": 200}
    assert planetscale.websockets == opened + 1


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"body": None},
        {"body": "{"},
        order(**{"from": "Grace", "to": "Ada"}),
        order(**{"from": "Grace", "to": "Ada", "amount": -1}),
        order(**{"from": "Grace", "to": "Ada", "amount": "1"}),
        order(**{"from": "Grace", "to": "Ada", "amount": True}),
        order(**{"from": ["Grace"], "to": "Ada", "amount": 1}),
    ],
)
def test_orders_that_make_no_sense(bad_orders: ExecutionEnvironment, event: dict[str, Any]) -> None:
    assert said(bad_orders.invoke(event))[0] == 400


@pytest.fixture(scope="module")
def bad_orders(planetscale: PlanetScale) -> Iterator[ExecutionEnvironment]:
    with ExecutionEnvironment(EXAMPLE, "app.transfer", planetscale.environment()) as function:
        yield function


def test_without_a_url(planetscale: PlanetScale) -> None:
    variables = planetscale.environment()
    del variables["DATABASE_URL"]
    with ExecutionEnvironment(EXAMPLE, "app.balance", variables) as function:
        with pytest.raises(InvocationFailed, match="DATABASE_URL") as caught:
            function.outcome()
        assert caught.value.kind == "KeyError"
        assert function.wait() == 1


# The session from one invocation to the next


def test_a_warm_start_uses_the_session_again(start: Start, planetscale: PlanetScale) -> None:
    opened = planetscale.websockets
    function = start()
    answers = [function.invoke({"run": ["select 1"]}) for _ in range(3)]
    assert len({answer["pid"] for answer in answers}) == 1
    assert planetscale.websockets == opened + 1


def test_each_environment_has_its_own(start: Start, planetscale: PlanetScale, visits: Callable[[], int]) -> None:
    opened = planetscale.websockets
    functions = [start() for _ in range(3)]
    for _ in range(2):
        for function in functions:
            function.start({"run": [VISIT]})
        pids = {function.outcome()["pid"] for function in functions}
        assert len(pids) == 3
    assert planetscale.websockets == opened + 3
    assert visits() == 6


def test_an_error_of_the_handler_rolls_back(start: Start, visits: Callable[[], int]) -> None:
    function = start()
    before = function.invoke({"run": ["select 1"]})
    with pytest.raises(InvocationFailed, match="on purpose") as caught:
        function.invoke({"run": [VISIT], "raise": "on purpose"})
    assert caught.value.kind == "RuntimeError"
    assert visits() == 0
    after = function.invoke({"run": [VISIT]})
    assert after["pid"] == before["pid"]
    assert visits() == 1


def test_an_error_of_a_statement_rolls_back(start: Start, visits: Callable[[], int]) -> None:
    function = start()
    with pytest.raises(InvocationFailed, match="division by zero") as caught:
        function.invoke({"run": [VISIT, "select 1 / 0"]})
    assert caught.value.kind == "DivisionByZero"
    assert function.invoke({"run": ["select count(*) from visit"]})["rows"] == [[0]]


def test_a_killed_session(start: Start, admin: psycopg.Connection[Any], visits: Callable[[], int]) -> None:
    function = start()
    killed = function.invoke({"run": [VISIT]})["pid"]
    admin.execute("select pg_terminate_backend(%s, 60000)", [killed])
    answer = function.invoke({"run": [VISIT]})
    assert answer["pid"] != killed
    assert answer["attempts"] == 2
    assert visits() == 2


def test_a_gateway_that_was_restarted_while_the_environment_was_frozen(
    start: Start, planetscale: PlanetScale, visits: Callable[[], int]
) -> None:
    function = start()
    function.invoke({"run": [VISIT]})
    function.process.send_signal(signal.SIGSTOP)
    planetscale.stop()
    planetscale.start()
    function.process.send_signal(signal.SIGCONT)
    for _ in range(2):
        function.invoke({"run": [VISIT]})
    assert planetscale.websockets == 1
    assert visits() == 3


def test_a_network_that_has_forgotten_the_session(
    start: Start, planetscale: PlanetScale, visits: Callable[[], int]
) -> None:
    """Nothing was heard of its end when the next statement goes out. That one is run, and its answer is lost."""
    with Relay("127.0.0.1", planetscale.gateway.port) as relay:
        function = start(**planetscale.environment(relay.port))
        function.invoke({"run": [VISIT]})
        relay.cut_at(ANYTHING)
        assert function.invoke({"run": [VISIT]})["attempts"] == 2
        assert visits() == 2


def test_a_statement_that_takes_too_long(start: Start, visits: Callable[[], int]) -> None:
    function = start()
    before = function.invoke({"run": [VISIT]})
    with pytest.raises(InvocationFailed, match="canceling statement due to user request") as caught:
        function.invoke({"run": [VISIT, "select pg_sleep(60)"]}, seconds=2)
    assert caught.value.kind == "QueryCanceled"
    assert visits() == 1
    assert function.invoke({"run": [VISIT]}) == before
    assert visits() == 2


def test_a_server_that_is_not_there(start: Start, planetscale: PlanetScale, visits: Callable[[], int]) -> None:
    planetscale.stop()
    try:
        function = start()
        for _ in range(2):
            with pytest.raises(InvocationFailed, match="connection failed") as caught:
                function.invoke({"run": [VISIT]})
            assert caught.value.kind == "OperationalError"
    finally:
        planetscale.start()
    function.invoke({"run": [VISIT]})
    assert visits() == 1


def test_a_wrong_password(start: Start, planetscale: PlanetScale) -> None:
    wrong = planetscale.url.replace("@", "x@")
    with pytest.raises(InvocationFailed, match="password authentication failed") as caught:
        start(DATABASE_URL=wrong).invoke({"run": ["select 1"]})
    assert caught.value.kind == "InvalidPassword"


def test_a_server_that_cannot_be_verified(start: Start) -> None:
    function = start(PGSSLROOTCERT="system")
    with pytest.raises(InvocationFailed, match="certificate verify failed"):
        function.invoke({"run": ["select 1"]})


def test_the_session_ends_with_the_environment(
    start: Start, planetscale: PlanetScale, admin: psycopg.Connection[Any]
) -> None:
    """And not only since the socket is closed: the server is told."""
    with Relay("127.0.0.1", planetscale.gateway.port) as relay:
        function = start(**planetscale.environment(relay.port))
        pid = function.invoke({"run": ["select 1"]})["pid"]
        relay.clear()
        function.process.terminate()
        assert function.wait() == -signal.SIGTERM
        wait_for(lambda: relay.connections == 0)
        assert relay.sent
    wait_for(lambda: not admin.execute("select from pg_stat_activity where pid = %s", [pid]).fetchone())


# What a loss of the connection leads to, step by step


class Invocation:
    """A context with some time left."""

    def __init__(self, seconds: float = 30.0) -> None:
        self._milliseconds = int(seconds * 1000)

    def get_remaining_time_in_millis(self) -> int:
        return self._milliseconds


@pytest.fixture
def relay(gateway: Gateway) -> Iterator[Relay]:
    with Relay(gateway.host, gateway.port) as relay:
        yield relay


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch, dsn: str, relay: Relay) -> Iterator[ModuleType]:
    """The module of the example, in this process, and on its way to the gateway a relay."""
    spec = importlib.util.spec_from_file_location("database", EXAMPLE / "database.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    before = signal.getsignal(signal.SIGTERM)
    spec.loader.exec_module(module)
    signal.signal(signal.SIGTERM, before)
    monkeypatch.setenv("DATABASE_URL", f"{dsn}?gateway=http://127.0.0.1:{relay.port}")
    yield module
    if module._kept is not None:
        module._kept.close()


#: How each message of a client begins in a WebSocket (RFC 6455 5.2).
MESSAGE = b"\x82"


def test_a_commit_whose_answer_is_lost_is_not_run_again(
    database: ModuleType, relay: Relay, visits: Callable[[], int]
) -> None:
    attempts = 0

    def work(conn: neonps.Connection[Any]) -> None:
        nonlocal attempts
        attempts += 1
        conn.execute(VISIT)
        if attempts == 2:
            relay.cut_at(MESSAGE)

    database.run_transaction(work, Invocation())
    with pytest.raises(neonps.OperationalError, match="unknown"):
        database.run_transaction(work, Invocation())
    assert attempts == 2
    assert visits() == 2
    database.run_transaction(work, Invocation())
    assert visits() == 3


def test_a_loss_in_the_middle_of_a_transaction(database: ModuleType, relay: Relay, visits: Callable[[], int]) -> None:
    attempts = 0

    def work(conn: neonps.Connection[Any]) -> None:
        nonlocal attempts
        attempts += 1
        conn.execute(VISIT)
        if attempts == 2:
            relay.cut_at(MESSAGE)
        conn.execute(VISIT)

    for _ in range(2):
        database.run_transaction(work, Invocation())
    assert attempts == 3
    assert visits() == 4


def test_a_rollback_on_purpose(database: ModuleType, visits: Callable[[], int]) -> None:
    attempts = 0

    def work(conn: neonps.Connection[Any]) -> None:
        nonlocal attempts
        attempts += 1
        conn.execute(VISIT)
        raise neonps.Rollback

    for _ in range(2):
        assert database.run_transaction(work, Invocation()) is None
    assert attempts == 2
    assert visits() == 0


def test_an_error_that_the_session_survives_is_not_run_again(database: ModuleType) -> None:
    """It is an OperationalError too."""
    attempts = 0

    def work(conn: neonps.Connection[Any]) -> None:
        nonlocal attempts
        attempts += 1
        if attempts == 2:
            conn.execute("do $$ begin raise exception using errcode = 'serialization_failure'; end $$")

    database.run_transaction(work, Invocation())
    with pytest.raises(neonps.errors.SerializationFailure):
        database.run_transaction(work, Invocation())
    assert attempts == 2


def test_it_is_run_again_once_at_most(database: ModuleType, relay: Relay, visits: Callable[[], int]) -> None:
    attempts = 0

    def work(conn: neonps.Connection[Any]) -> None:
        nonlocal attempts
        attempts += 1
        if attempts > 1:
            relay.cut_at(MESSAGE)
        conn.execute(VISIT)

    database.run_transaction(work, Invocation())
    with pytest.raises(neonps.OperationalError, match="closed the connection unexpectedly"):
        database.run_transaction(work, Invocation())
    assert attempts == 3
    assert visits() == 1


def test_a_new_session_that_is_lost_is_an_error(database: ModuleType, relay: Relay, visits: Callable[[], int]) -> None:
    """There was no freeze: what has cost the session its life may do so again."""

    def work(conn: neonps.Connection[Any]) -> None:
        relay.cut_at(MESSAGE)
        conn.execute(VISIT)

    with pytest.raises(neonps.OperationalError, match="closed the connection unexpectedly"):
        database.run_transaction(work, Invocation())
    assert visits() == 0


def test_nothing_is_run_again_without_time(database: ModuleType, relay: Relay, visits: Callable[[], int]) -> None:
    attempts = 0

    def work(conn: neonps.Connection[Any]) -> None:
        nonlocal attempts
        attempts += 1
        conn.execute(VISIT)

    database.run_transaction(work, Invocation())
    relay.cut()
    with pytest.raises(neonps.OperationalError):
        database.run_transaction(work, Invocation(seconds=2))
    assert attempts == 2
    assert visits() == 1


def test_the_limit_is_that_of_each_invocation(database: ModuleType) -> None:
    """A session that was opened when little time was left can be used for longer by the next invocation."""
    database.run_transaction(lambda conn: conn.execute("select 1"), Invocation(seconds=1.5))
    database.run_transaction(lambda conn: conn.execute("select pg_sleep(0.6)"), Invocation())
    for _ in range(2):
        with pytest.raises(neonps.errors.QueryCanceled):
            database.run_transaction(lambda conn: conn.execute("select pg_sleep(60)"), Invocation(seconds=1.5))


def test_the_limit_is_for_all_statements_together(database: ModuleType) -> None:

    def work(conn: neonps.Connection[Any]) -> None:
        while True:
            conn.execute("select pg_sleep(0.1)")

    with pytest.raises(neonps.errors.QueryCanceled):
        database.run_transaction(work, Invocation(seconds=1.5))


class RunningInvocation:
    """A context whose time passes."""

    def __init__(self, seconds: float) -> None:
        self._end = monotonic() + seconds

    def get_remaining_time_in_millis(self) -> int:
        return int((self._end - monotonic()) * 1000)


def test_a_server_that_stops_answering(database: ModuleType, relay: Relay, visits: Callable[[], int]) -> None:
    """Not even the request to cancel is answered."""

    def work(conn: neonps.Connection[Any]) -> None:
        conn.execute(VISIT)
        relay.mute()
        conn.execute("select 1")

    with pytest.raises(neonps.OperationalError, match="closed") as caught:
        database.run_transaction(work, RunningInvocation(2.5))
    assert not isinstance(caught.value, neonps.errors.QueryCanceled)
    assert database._kept.closed
    assert visits() == 0


def test_a_server_that_stops_answering_at_commit(database: ModuleType, relay: Relay, visits: Callable[[], int]) -> None:
    def work(conn: neonps.Connection[Any]) -> None:
        conn.execute(VISIT)
        relay.mute()

    with pytest.raises(neonps.OperationalError, match="unknown"):
        database.run_transaction(work, RunningInvocation(2.5))
    assert database._kept.closed


def test_a_server_that_stops_answering_between_statements(
    database: ModuleType, relay: Relay, visits: Callable[[], int]
) -> None:
    """The session is not in use when it is closed."""

    def work(conn: neonps.Connection[Any]) -> None:
        conn.execute(VISIT)
        relay.mute()
        wait_for(lambda: conn.closed)

    with pytest.raises(neonps.OperationalError, match="unknown"):
        database.run_transaction(work, RunningInvocation(2.5))
    assert visits() == 0


@pytest.mark.parametrize(("seconds", "timeout"), [(0.5, 2), (3, 2), (5.5, 4), (30, 5)])
def test_connecting_gets_no_more_than_is_left(database: ModuleType, seconds: float, timeout: int) -> None:
    database._connect(Invocation(seconds))
    assert database._kept.info.get_parameters()["connect_timeout"] == str(timeout)
