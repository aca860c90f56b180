"""`neonps local` as one who starts it sees it: where it listens, its limits, and how it ends."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from gateway_client import active, wait_for
from gateway_raw import Raw, log_in, masked, post

import neonps
from neonps.embedded import EmbeddedPostgres
from neonps.gateway import Gateway, Upstream
from neonps.protocol.frontend import Query


@contextmanager
def local(postgres: EmbeddedPostgres, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], Gateway]]:
    """`neonps local` before `postgres`, and its gateway."""
    command = [sys.executable, "-W", "error", "-m", "neonps", "local", "--postgres", postgres.url]
    with subprocess.Popen(
        [*command, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8"
    ) as process:
        try:
            assert process.stdout
            line = process.stdout.readline()
            assert line.startswith("DATABASE_URL="), process.stderr and process.stderr.read()
            port = int(line.split("gateway=")[1].partition("&")[0].strip().rpartition(":")[2])
            yield process, Gateway(Upstream(postgres.url), port=port)
        finally:
            process.kill()


def ended(process: subprocess.Popen[str]) -> str:
    """Interrupt it; gives what it has said on stderr."""
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate()
    assert (process.returncode, out) == (0, "")
    return err


def test_it_says_when_others_can_reach_it(postgres: EmbeddedPostgres) -> None:
    with local(postgres, "--host", "0.0.0.0") as (process, gateway):
        with Raw(gateway) as raw:
            raw.send(post(postgres.url, "select 1"))
            assert raw.answer().status == 200
        said = ended(process)
        assert said.count("\n") == 1
        assert said.startswith("neonps local: the gateway listens on 0.0.0.0, where other machines can reach it")
        assert "no TLS" in said


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_it_has_nothing_to_say_when_they_cannot(postgres: EmbeddedPostgres, host: str) -> None:
    with local(postgres, "--host", host) as (process, _):
        assert ended(process) == ""


def test_limits_can_be_set(postgres: EmbeddedPostgres, dsn: str, admin: psycopg.Connection[Any]) -> None:
    with local(postgres, "--max-connections", "2", "--max-sessions", "1") as (process, gateway):
        with Raw(gateway) as one, Raw(gateway) as two:
            one.send(post(dsn, "select pg_sleep(100), 'limits'"))
            wait_for(lambda: active(admin, "'limits'"))
            two.send(post(dsn, "select pg_sleep(100), 'limits'"))
            with Raw(gateway) as three:
                three.send(post(dsn, "select 1"))
                assert three.answer().status == 503
            assert active(admin, "'limits'") == 1
        assert ended(process) == ""


@pytest.mark.parametrize("value", ["0", "-1", "x", "1.5"])
@pytest.mark.parametrize("option", ["--max-connections", "--max-sessions"])
def test_limits_that_are_none(capsys: pytest.CaptureFixture[str], option: str, value: str) -> None:
    from neonps.cli import main

    with pytest.raises(SystemExit):
        main(["local", f"{option}={value}"])
    assert f"argument {option}: invalid" in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_whatever_its_clients_do(
    postgres: EmbeddedPostgres, dsn: str, admin: psycopg.Connection[Any], number: signal.Signals
) -> None:
    with (
        local(postgres) as (process, gateway),
        Raw(gateway) as silent,
        Raw(gateway) as half,
        Raw(gateway) as runs,
        Raw(gateway) as idle,
        Raw(gateway) as unread,
        neonps.connect(f"{dsn}?gateway={gateway.url}") as session,
    ):
        half.send(post(dsn, "select 1")[:-1])
        runs.send(post(dsn, "select pg_sleep(100), 'whatever'"))
        log_in(idle, postgres)
        log_in(unread, postgres)
        unread.send(masked(Query(b"select repeat('x', 10000) from generate_series(1, 10000000)").encode()))
        session.execute("create temp table t as select 1")
        wait_for(lambda: active(admin, "'whatever'") and active(admin, "10000000"))
        process.send_signal(number)
        assert idle.close_code() == 1001
        with pytest.raises(neonps.OperationalError, match="the gateway shuts down"):
            session.execute("select 1")
        for raw in (silent, half, runs):
            assert raw.at_end()
        assert process.communicate() == ("", "")
        assert process.returncode == 0
    wait_for(lambda: not active(admin, "'whatever'") and not active(admin, "10000000"))
