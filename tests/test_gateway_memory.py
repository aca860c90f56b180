"""How much memory the gateway takes for requests and answers; and others are heard while it makes large ones."""

from __future__ import annotations

import gc
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from certificates import Certificates
from fake_server import FakeServer
from gateway_client import Client, running, wait_for
from gateway_raw import Raw, handshake, post
from threaded_server import ThreadedServer

from neonps.embedded import EmbeddedPostgres
from neonps.errors import error_from_fields
from neonps.flows.requests import Open, Receive, Send
from neonps.gateway import Gateway, Upstream, server, upstream
from neonps.gateway.execution import BoundedChannel
from neonps.gateway.http import HTTPError
from neonps.gateway.room import FREE, busy
from neonps.gateway.sqlhttp import MAX_FIELD, error_fields
from neonps.gateway.values import memory_for
from neonps.net.aio import AsyncRunner
from neonps.net.blocking import BlockingRunner

INSERT = "insert into numbers values (1)"

#: As much as a result may have in these tests, in bytes.
MOST = 100_000


@pytest.fixture
def small(postgres: EmbeddedPostgres) -> Iterator[Gateway]:
    """A gateway that takes less than others."""
    with running(Gateway(Upstream(postgres.url), max_request=1 << 20, max_response=MOST)) as gateway:
        yield gateway


@pytest.fixture
def small_client(small: Gateway, dsn: str) -> Iterator[Client]:
    client = Client(small, dsn)
    with closing(client.connection):
        yield client


# Requests


@pytest.mark.parametrize(
    "body",
    [
        '{"query": "select 1", "params": [[' + ",".join(["1"] * 200_000) + "]]}",
        '{"queries": [' + ",".join(['{"query": ""}'] * 30_000) + "]}",
    ],
)
def test_many_values_take_more_than_they_are_long(small_client: Client, body: str) -> None:
    """Nobody has logged in when they are read."""
    answer = small_client.request(body, {"Neon-Connection-String": "postgresql://nobody:wrong@h/d"})
    assert answer.status == 413
    assert "too many values" in answer.json["message"]
    assert small_client.query("select 1").status == 200


def test_what_only_looks_like_values(small_client: Client) -> None:
    text = ',{"\\,' * 100_000
    answer = small_client.query("select length($1)", [text])
    assert answer.json["rows"] == [{"length": len(text)}]


#: So many commas are more than what need not be counted exactly.
MANY = 20_000


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ([1, 2] * 1000, 0),  # it takes little
        (["," * MANY], 100),
        (["{" * MANY], 100),
        ([1] * MANY, MANY * 100),
        ([[[]]] * MANY, 3 * MANY * 100),
        ([{}] * MANY, MANY * 100 + MANY * 300),
        (['\\"],[', "\\\\", '"', ","] * MANY, 4 * MANY * 100),
        (["\\" * 3 + '",{' + "x" * number for number in range(3000)], 3000 * 100),  # escapes on the edges of pieces
    ],
)
def test_what_values_take(value: object, size: int) -> None:
    assert memory_for(json.dumps(value, separators=(",", ":")).encode()) == size


@pytest.mark.parametrize("name", ["parse_batch", "answer"])
def test_others_are_heard_meanwhile(
    postgres: EmbeddedPostgres, dsn: str, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    begun, others = threading.Event(), threading.Event()
    module = server if name == "parse_batch" else upstream
    real = getattr(module, name)
    in_time: list[bool] = []

    def slow(*arguments: Any) -> Any:
        if threading.current_thread().name.startswith("asyncio"):  # those of others are small
            begun.set()
            in_time.append(others.wait(10))
        return real(*arguments)

    monkeypatch.setattr(module, name, slow)
    with running(Gateway(Upstream(postgres.url))) as gateway, Raw(gateway) as raw:
        raw.send(post(dsn, f"select repeat('x', 100000) -- {'y' * 100_000}"))
        assert begun.wait(10)
        client = Client(gateway, dsn)
        with closing(client.connection):
            assert client.query("select 1").status == 200
        others.set()
        assert raw.answer().status == 200
    assert in_time == [True]


# Results


def test_what_a_session_may_say() -> None:
    """Whatever it is: one row may be larger than all that there is, and notices are counted too."""
    flow = BoundedChannel(1000, busy).receive()
    assert isinstance(next(flow), Receive)
    with pytest.raises(StopIteration):
        flow.send(b"x" * 1000)
    flow = BoundedChannel(1000, busy).receive()
    next(flow)
    with pytest.raises(HTTPError) as caught:
        flow.send(b"x" * 1001)
    assert caught.value.status == 503


def test_what_a_session_may_say_to_a_commit(small_client: Client, numbers: Callable[[], list[int]], admin: Any) -> None:
    """Its own limit, so that what came before does not make it unknown; what is more, does."""
    admin.execute("""
        create function talk() returns trigger language plpgsql as $$
        begin for i in 1..new.b loop raise notice '%', repeat('x', 1000); end loop; return new; end $$;
        create constraint trigger talk after insert on numbers deferrable initially deferred
        for each row execute function talk()
    """)
    try:
        talk = "do $$ begin for i in 1..1100 loop raise notice '%', repeat('x', 1000); end loop; end $$"
        insert = {"query": "insert into numbers values (1, 900)"}
        assert small_client.batch([{"query": talk}, insert]).status == 200
        assert numbers() == [1]
        assert small_client.batch([{"query": "insert into numbers values (2, 5000)"}]).status == 502
    finally:
        admin.execute("drop function talk() cascade")


@pytest.mark.parametrize(
    ("query", "params"),
    [
        ("select repeat('x', 50000000)", []),
        ("do $$ begin for i in 1..5000 loop raise notice '%', repeat('x', 1000); end loop; end $$", []),
        ("do $$ begin raise exception '%', repeat('x', 50000000); end $$", []),
    ],
)
def test_a_session_that_says_too_much(
    small_client: Client, numbers: Callable[[], list[int]], query: str, params: list[str]
) -> None:
    assert small_client.query(query, params).status == 507
    assert small_client.batch([{"query": INSERT}, {"query": query, "params": params}]).status == 507
    assert numbers() == []
    assert small_client.query("select 1").status == 200


def test_rows_that_arrive_while_a_request_is_sent(
    postgres: EmbeddedPostgres, dsn: str, numbers: Callable[[], list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Postgres reads no more of it until they are taken, and they are not to pile up."""
    held: list[int] = []

    class Watched(AsyncRunner):
        def _read(self, sock: socket.socket) -> bool:
            found = super()._read(sock)
            held.append(sum(map(len, self._arrived)))
            return found

    monkeypatch.setattr(upstream, "AsyncRunner", Watched)
    rows = {"query": "select repeat('x', 1000) from generate_series(1, 50000)"}
    much = {"query": "select length($1)", "params": ["y" * (24 << 20)]}
    with running(Gateway(Upstream(postgres.url), max_response=MOST)) as gateway:
        client = Client(gateway, dsn)
        with closing(client.connection):
            assert client.batch([{"query": INSERT}, rows, much]).status == 507
    assert numbers() == []
    assert max(held) < 4 << 20


class Flood(ThreadedServer):
    """Says much, and reads nothing."""

    def serve(self, client: socket.socket) -> None:
        with suppress(OSError):  # the client is gone
            client.sendall(bytes(64 << 20))


def test_what_arrives_while_something_is_sent_is_limited() -> None:
    runner = BlockingRunner()
    runner.most_ahead = 1 << 20
    with Flood() as flood, closing(runner):
        runner.run(iter_of(Open("127.0.0.1", flood.port)))
        runner.set_deadline(30)
        with pytest.raises(OSError, match="sends too much and takes too little"):
            runner.run(iter_of(Send(bytes(64 << 20))))
        assert len(runner.run(iter_of(Receive()))) < 3 << 20


def iter_of(request: object) -> Any:
    """A flow of one request."""
    return (yield request)


def test_statements_without_rows_make_an_answer_too(postgres: EmbeddedPostgres, dsn: str) -> None:
    with running(Gateway(Upstream(postgres.url), max_response=1000)) as gateway:
        client = Client(gateway, dsn)
        with closing(client.connection):
            assert client.batch([{"query": ""}] * 1000).status == 507
            assert client.batch([{"query": ""}] * 10).status == 200


def test_an_error_is_cut(client: Client) -> None:
    answer = client.query("do $$ begin raise exception '%', repeat('x', 1000000) using hint = 'h'; end $$")
    assert (answer.status, answer.json["hint"]) == (400, "h")
    assert answer.json["message"] == "x" * MAX_FIELD


def test_the_severity_of_an_error_is_in_no_language() -> None:
    fields = {"S": "ПАНИКА", "V": "PANIC", "C": "53100", "M": "no"}
    assert error_fields(error_from_fields(fields))["severity"] == "PANIC"
    assert error_fields(error_from_fields({"S": "FATAL", "C": "53100", "M": "no"}))["severity"] == "FATAL"


# Answers

#: How much room there is: too little for the rows, or only for their JSON.
left = pytest.mark.parametrize("left", [10_000, 50_000])


@left
def test_no_room_for_another_large_answer(
    small: Gateway, small_client: Client, numbers: Callable[[], list[int]], left: int
) -> None:
    """A client that does not read its answer keeps it in memory."""
    large = f"{INSERT} returning repeat('x', 90000)"
    room = small._answers
    taken = room.size - left
    room.take(taken)
    answer = small_client.batch([{"query": large}])
    assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
    assert numbers() == []
    answer = small_client.query(large)
    assert answer.status == 507  # it may have been run, and was
    assert numbers() == [1]
    assert small_client.query("select 1").status == 200
    room.give(taken)
    assert small_client.query(large.replace("(1)", "(2)")).status == 200
    wait_for(lambda: room._left == room.size)


@left
@pytest.mark.parametrize("ending", ["commit", "prepare transaction 'neonps'"])
def test_no_room_behind_what_has_committed(
    small: Gateway, small_client: Client, numbers: Callable[[], list[int]], admin: Any, ending: str, left: int
) -> None:
    """503 would say that nothing was done."""
    room = small._answers
    taken = room.size - left
    room.take(taken)
    statements = [INSERT, ending, "select repeat('x', 90000)"]
    try:
        assert small_client.batch([{"query": statement} for statement in statements]).status == 507
    finally:
        if ending != "commit":
            admin.execute("commit prepared 'neonps'")
    assert numbers() == [1]
    room.give(taken)


@pytest.mark.parametrize(
    "body",
    [
        '{"query": "select 1", "params": ["' + "x" * (2 << 20) + '"]}',
        '{"query": "select 1", "params": [' + "1" * 100_000,
        '{"query": "select $1::int", "params": ["' + "x" * 100_000 + '"]}',
        '{"query": "select repeat(\'x\', 1000000)"}',
    ],
    ids=["too large", "no JSON", "no number", "a large result"],
)
def test_nothing_of_a_request_is_left_behind_its_error(small: Gateway, small_client: Client, body: str) -> None:
    """What an error holds is given back with it, and does not wait for the garbage collector."""
    small_client.query("select 1")
    gc.collect()
    gc.disable()
    try:
        assert small_client.request(body).status in (400, 413, 507)
        small_client.connection.close()
        assert small_client.query("select 1").status == 200
        wait_for(lambda: not any(isinstance(each, HTTPError) for each in gc.get_objects()))
    finally:
        gc.enable()


def test_answers_are_counted_as_they_are_sent(
    small: Gateway, small_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    room, taken = small._answers, []
    take = room.take
    monkeypatch.setattr(room, "take", lambda size: taken.append(size) or take(size))  # type: ignore[func-returns-value]
    assert small_client.query("select repeat(chr(1), 60000)").status == 200  # six characters each in JSON
    assert sum(taken) > 60_000 + 6 * 60_000 - FREE
    wait_for(lambda: room._left == room.size)


# TLS to Postgres


def test_what_comes_before_tls_has_begun(tmp_path: Path) -> None:
    """Somebody else has said it."""
    certificates = Certificates(tmp_path)
    with FakeServer(b"SE") as fake:
        url = f"postgresql://u:p@127.0.0.1:{fake.port}/d?sslmode=verify-full&sslrootcert={certificates.ca}"
        with running(Gateway(Upstream(url))) as gateway, Raw(gateway) as raw:
            raw.send(handshake())
            answer = raw.answer()
        assert answer.status == 503
        assert "has not answered the request for TLS" in answer.json["msg"]
