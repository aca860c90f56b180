"""Behind a PgBouncer that gives each transaction another session of the server."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import neonps
from neonps.commands.doctor.diagnosis import diagnose
from neonps.embedded import EmbeddedPostgres

pytestmark = pytest.mark.skipif(shutil.which("pgbouncer") is None, reason="there is no PgBouncer on this machine")

CONFIG = """
[databases]
postgres = host={host} port={server_port} user=postgres password={password} pool_size=3
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
server_round_robin = 1
server_reset_query =
ignore_startup_parameters = options
"""


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port: int = listener.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def pooler(postgres: EmbeddedPostgres) -> Iterator[str]:
    """The URL of a PgBouncer in front of `postgres`, in transaction mode."""
    port = free_port()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        directory.chmod(0o755)
        config = directory / "pgbouncer.ini"
        config.write_text(
            CONFIG.format(host=postgres.host, server_port=postgres.port, password=postgres.password, port=port)
        )
        config.chmod(0o644)
        as_nobody = ["-u", "nobody"] if os.geteuid() == 0 else []
        process = subprocess.Popen(
            ["pgbouncer", *as_nobody, str(config)], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
        )
        assert process.stderr is not None
        try:
            for line in process.stderr:
                if "process up" in line:
                    break
            else:
                pytest.fail(f"pgbouncer did not start: exit code {process.wait()}")
            yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
        finally:
            process.terminate()
            process.communicate()


@pytest.fixture
def connect(pooler: str) -> Iterator[Callable[..., neonps.Connection[Any]]]:
    opened = []

    def connect(**kwargs: Any) -> neonps.Connection[Any]:
        opened.append(neonps.connect(pooler, **kwargs))
        return opened[-1]

    yield connect
    for conn in opened:
        conn.close()


def backend(conn: neonps.Connection[Any]) -> int:
    pid: int = conn.execute("select pg_backend_pid()").fetchone()[0]  # type: ignore[index]
    return pid


def test_transactions_get_other_sessions(connect: Callable[..., Any]) -> None:
    first, second = connect(autocommit=True), connect(autocommit=True)
    with first.transaction():
        backends = {backend(first), backend(second)}
    assert len(backends) == 2


def test_nothing_is_prepared_without_a_threshold(connect: Callable[..., Any]) -> None:
    conns = [connect(autocommit=True, prepare_threshold=None) for _ in range(3)]
    conns[0].execute("create table if not exists pooled (a int)")
    for number in range(30):
        conn = conns[number % 3]
        with conn.transaction():
            assert conn.execute("select %s::int", [number], prepare=True).fetchone() == (number,)
            conn.cursor().executemany("insert into pooled values (%s)", [(1,), (2,)])
        conn.cursor().executemany("insert into pooled values (%s)", [(3,), (None,)])
        with conn.pipeline():
            assert conn.execute("select %s::text", ["x"]).fetchone() == ("x",)
        assert list(conn.cursor().stream("select generate_series(1, %s)", [3])) == [(1,), (2,), (3,)]
        conn.batch([("insert into pooled values (%s)", [4])])
        with conn.transaction(), conn.cursor("named") as cursor:
            assert cursor.execute("select generate_series(1, 3)").fetchall() == [(1,), (2,), (3,)]
    seen = set()
    while len(seen) < 3:  # each session of the server
        with conns[0].transaction(), conns[1].transaction(), conns[2].transaction():
            for conn in conns:
                seen.add(backend(conn))
                assert conn.execute("select count(*) from pg_prepared_statements").fetchone() == (0,)
    assert conns[0].execute("select count(*) from pooled").fetchone() == (30 * 5,)
    conns[0].execute("drop table pooled")


def test_the_doctor_sees_it(pooler: str) -> None:
    diagnosis = diagnose(pooler, "the URL", {})
    assert diagnosis.usable == ["tcp"]
    (query,) = [step for step in diagnosis.steps if step.name == "query"]
    (note,) = query.notes
    assert "there is a pooler in between" in note
    diagnosis = diagnose(pooler.replace("/postgres", "/nowhere"), "the URL", {})
    assert diagnosis.usable == []
    (failed,) = [step for step in diagnosis.steps if step.result == "failed"]
    assert failed.name == "login"
    assert "The pooler does not know this database" in failed.advice
