"""Programs that were written for psycopg: they print the same on neonps, over a WebSocket, as they do on psycopg."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest

if TYPE_CHECKING:
    from neonps.gateway import Gateway

ROOT = Path(__file__).parent.parent
PROGRAMS = ROOT / "tests" / "programs"

#: Runs Python with these arguments on a new database of the server at this URL.
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(admin: psycopg.Connection[Any], tmp_path: Path) -> Iterator[Run]:
    """See `Run`. The database is dropped at the end."""
    databases = []

    def run(url: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        databases.append(f"program_{uuid4().hex}")
        admin.execute(f"create database {databases[-1]}")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "NEONPS_"))}
        environment["DATABASE_URL"] = urlsplit(url)._replace(path=databases[-1]).geturl()
        environment["PYTHONPATH"] = str(ROOT)
        environment["PYTHONIOENCODING"] = "utf-8"
        return subprocess.run(
            [sys.executable, "-W", "error", *arguments],
            cwd=tmp_path,
            env={**environment, **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=100,
        )

    yield run
    for database in databases:
        admin.execute(f"drop database {database} with (force)")


#: What each program has printed on psycopg.
_expected: dict[tuple[str, str], str] = {}


def output_of(ran: subprocess.CompletedProcess[str]) -> str:
    assert (ran.returncode, ran.stderr.count("Traceback")) == (0, 0), ran.stderr
    return ran.stdout


def check_same(run: Run, dsn: str, url: str, program: str, variant: str = "", engine: str = "") -> None:
    """Run a program on psycopg and on neonps, and compare: in the place of psycopg, or as an engine of Django's."""
    path = str(PROGRAMS / program)
    if (program, variant) not in _expected:
        _expected[program, variant] = output_of(run(dsn, path, VARIANT=variant))
    way, variables = (["-m", "neonps.as_psycopg"], {}) if not engine else ([], {"ENGINE": engine})
    ran = run(f"{url}&transport=websocket", *way, path, VARIANT=variant, **variables)
    assert output_of(ran) == _expected[program, variant]


@pytest.mark.parametrize("program", ["pool_blocking.py", "pool_async.py"])
def test_psycopg_pool(program: str, run: Run, dsn: str, url: str) -> None:
    check_same(run, dsn, url, program)


@pytest.mark.parametrize("program", ["sqlalchemy_blocking.py", "sqlalchemy_async.py"])
def test_sqlalchemy(program: str, run: Run, dsn: str, url: str) -> None:
    check_same(run, dsn, url, program)


@pytest.mark.parametrize("variant", ["plain", "server_side_binding_pool", "naive_times"])
def test_django(variant: str, run: Run, dsn: str, url: str) -> None:
    check_same(run, dsn, url, "django_orm.py", variant)


def test_opentelemetry(run: Run, dsn: str, url: str) -> None:
    check_same(run, dsn, url, "opentelemetry_psycopg.py")


@pytest.mark.parametrize("variant", ["plain", "server_side_binding_pool", "persistent"])
def test_django_by_the_backend(variant: str, run: Run, dsn: str, url: str) -> None:
    check_same(run, dsn, url, "django_orm.py", variant, engine="neonps.django")


ECHO = """
import os, sys, psycopg
with psycopg.connect(os.environ["DATABASE_URL"]) as conn:
    print(__name__, sys.argv[1:], sys.path[0] == os.path.dirname(__file__), conn.pgconn.transaction_status.name)
    print("websocket" in repr(conn))
"""


@pytest.mark.parametrize("arguments", [["echo.py"], ["-m", "echo"]], ids=["file", "module"])
def test_the_environment_says_how_to_connect(
    arguments: list[str], run: Run, dsn: str, gateway: Gateway, tmp_path: Path
) -> None:
    (tmp_path / "echo.py").write_text(ECHO, encoding="utf-8")
    variables = {"NEONPS_GATEWAY": gateway.url, "NEONPS_TRANSPORT": "websocket"}
    ran = run(dsn, "-m", "neonps.as_psycopg", *arguments, "-x", "1", **variables)
    assert ran.stdout == "__main__ ['-x', '1'] True IDLE\nTrue\n", ran.stderr


def test_a_program_has_to_be_named(run: Run, dsn: str) -> None:
    ran = run(dsn, "-m", "neonps.as_psycopg")
    assert ran.returncode == 1
    assert ran.stderr.startswith("usage: python -m neonps.as_psycopg")
