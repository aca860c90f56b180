"""What `neonps query` and `neonps load` say when they are interrupted, and that it takes one signal to end them."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import struct
import subprocess
import termios
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
from command_line import NEONPS, environment
from gateway_client import active, wait_for
from relay import Relay
from transports import on_sessions

Admin = psycopg.Connection[Any]
Numbers = Callable[[], list[int]]

CANCELLED = "interrupted: the statement was cancelled"
COMPLETED = "interrupted: the statement had been completed before it could be cancelled"
UNKNOWN = "interrupted: It is unknown whether what was sent has taken effect."
ROLLED_BACK = "interrupted: The transaction that was open is rolled back by the server."

#: Statements behind which the table takes its time, and then goes on or not.
STUBBORN = "begin perform pg_sleep(100); exception when query_canceled then null; end; return null;"
PATIENT = "perform pg_sleep(100); return null;"


@pytest.fixture
def slow(admin: Admin, numbers: Numbers) -> Iterator[Callable[[str], None]]:
    """Has inserting into `numbers` run a body of plpgsql."""

    def slow(body: str) -> None:
        admin.execute(f"create function slow() returns trigger language plpgsql as $$ begin {body} end $$")
        admin.execute("create trigger slow after insert on numbers for each statement execute function slow()")

    yield slow
    admin.execute("drop function slow() cascade")


@contextmanager
def killed(process: subprocess.Popen[Any]) -> Iterator[None]:
    """Has a process end with the block, whatever it waits for."""
    try:
        yield
    finally:
        process.kill()


@contextmanager
def running(url: str, *arguments: str | Path, **options: Any) -> Iterator[subprocess.Popen[str]]:
    """`neonps`, running, with standard output and standard error on pipes."""
    with subprocess.Popen(
        [*NEONPS, *map(str, arguments)],
        env=environment(url, **options),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        with killed(process):
            yield process


def working(admin: Admin) -> bool:
    """Whether somebody sleeps in the trigger."""
    waits = "select from pg_stat_activity where wait_event = 'PgSleep' and query ~* '^(insert|copy|call)'"
    return admin.execute(waits).fetchone() is not None


@on_sessions
@pytest.mark.parametrize("command", ["load", "query"])
@pytest.mark.parametrize(("body", "outcome"), [(STUBBORN, COMPLETED), (PATIENT, CANCELLED)])
def test_what_has_become_of_it(
    url: str,
    transport: str,
    command: str,
    body: str,
    outcome: str,
    admin: Admin,
    numbers: Numbers,
    slow: Callable[[str], None],
    tmp_path: Path,
) -> None:
    slow(body)
    file = tmp_path / "numbers.csv"
    file.write_text("a\n1\n")
    arguments = ["numbers", file] if command == "load" else ["insert into numbers values (1)"]
    with running(url, command, "--transport", transport, *arguments) as process:
        wait_for(lambda: working(admin))
        threading.Event().wait(1)  # for it to be done with what the server has said before
        process.send_signal(signal.SIGINT)
        assert process.communicate() == ("", f"neonps {command}: {outcome}\n")
    assert process.returncode == 130
    assert numbers() == ([1] if outcome is COMPLETED else [])


def test_over_http(url: str, admin: Admin, mark: str) -> None:
    with running(url, "query", "--transport", "http", f"select pg_sleep(100) -- {mark}") as process:
        wait_for(lambda: active(admin, mark))
        process.send_signal(signal.SIGINT)
        assert process.communicate()[1] == f"neonps query: {UNKNOWN}\n"
    wait_for(lambda: not active(admin, mark))


def test_in_a_transaction(url: str, admin: Admin, numbers: Numbers, slow: Callable[[str], None]) -> None:
    slow(STUBBORN)
    with running(url, "query", "begin; insert into numbers values (1); commit") as process:
        wait_for(lambda: working(admin))
        process.send_signal(signal.SIGTERM)
        assert process.communicate()[1] == f"neonps query: {ROLLED_BACK}\n"
    assert process.returncode == 143
    assert numbers() == []


def test_what_commits_midway(url: str, admin: Admin, numbers: Numbers) -> None:
    admin.execute(
        "create procedure midway() language plpgsql as "
        "$$ begin insert into numbers values (1); commit; perform pg_sleep(100); end $$"
    )
    try:
        with running(url, "query", "call midway()") as process:
            wait_for(lambda: working(admin))
            process.send_signal(signal.SIGINT)
            assert process.communicate()[1] == f"neonps query: {UNKNOWN}\n"
        assert numbers() == [1]
    finally:
        admin.execute("drop procedure midway()")


def test_a_line_that_carries_nothing(
    url: str, postgres: Any, admin: Admin, numbers: Numbers, slow: Callable[[str], None]
) -> None:
    slow("perform pg_sleep(1); return null;")
    with (
        Relay(postgres.host, postgres.port) as relay,
        running(url.replace(f":{postgres.port}/", f":{relay.port}/"), "query", "--transport", "tcp",
                "insert into numbers values (1)") as process,
    ):  # fmt: skip
        wait_for(lambda: working(admin))
        relay.mute()
        process.send_signal(signal.SIGINT)
        assert process.communicate()[1] == f"neonps query: {UNKNOWN}\n"


def test_nothing_was_run() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"postgresql://u:p@127.0.0.1:{server.getsockname()[1]}/d?sslmode=disable"
        with running(url, "query", "--transport", "tcp", "select 1") as process:
            with server.accept()[0] as client:
                assert client.recv(1)
                process.send_signal(signal.SIGINT)
                assert process.communicate() == ("", "neonps query: interrupted\n")


# A reader that stands still


def is_full(pipe: Any) -> bool:
    """Whether hardly anything fits into a pipe any more, so that whoever writes to it waits."""
    found = fcntl.ioctl(pipe, termios.FIONREAD, struct.pack("i", 0))
    return bool(struct.unpack("i", found)[0] > 60_000)


@on_sessions
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_one_signal_is_enough(
    url: str, transport: str, admin: Admin, mark: str, number: signal.Signals, unbuffered: str
) -> None:
    sql = f"select repeat('x', 1000) from generate_series(1, 1000000) -- {mark}"
    arguments = ["query", "--transport", transport, "--csv", sql]
    with running(url, *arguments, PYTHONUNBUFFERED=unbuffered) as process:
        wait_for(lambda: is_full(process.stdout))
        process.send_signal(number)
        status = process.wait(20)
        assert process.stderr
        assert (status, process.stderr.read()) == (128 + number, f"neonps query: {CANCELLED}\n")
    wait_for(lambda: not active(admin, mark))


def test_rows_are_loaded_already(url: str, numbers: Numbers) -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writer, b"x")
    os.set_blocking(writer, True)
    with (
        subprocess.Popen(
            [*NEONPS, "load", "numbers", "-"],
            env=environment(url),
            stdin=subprocess.PIPE,
            stdout=writer,
            stderr=subprocess.PIPE,
        ) as process,
        killed(process),
    ):
        assert process.stdin
        process.stdin.write(b"a\n1\n")
        process.stdin.close()
        process.stdin = None
        wait_for(numbers)
        threading.Event().wait(0.5)  # for it to hear of that
        process.send_signal(signal.SIGTERM)
        assert process.communicate()[1] == b"neonps load: interrupted: 1 row is loaded\n"
    os.close(reader)
    os.close(writer)
    assert process.returncode == 143
    assert numbers() == [1]


def test_messages_on_the_same_pipe(url: str) -> None:
    sql = "select repeat('x', 1000) from generate_series(1, 1000000)"
    arguments = [*NEONPS, "query", "--csv", sql]
    with (
        subprocess.Popen(arguments, env=environment(url), stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process,
        killed(process),
    ):
        wait_for(lambda: is_full(process.stdout))
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 143


def test_a_named_pipe(url: str, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    sql = "select repeat('x', 1000) from generate_series(1, 1000000)"
    try:
        with running(url, "query", "--csv", "-o", pipe, sql) as process:
            wait_for(lambda: is_full(reader))
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 143
    finally:
        os.close(reader)
