"""Results and files of any size go through `neonps query` and `neonps load` in bounded memory."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from command_line import environment

Admin = psycopg.Connection[Any]
Numbers = Callable[[], list[int]]

needs_terminal = pytest.mark.skipif(not hasattr(os, "openpty"), reason="there are no pseudo-terminals here")


needs_wait4 = pytest.mark.skipif(
    not hasattr(os, "wait4"), reason="the system does not tell how much memory a process has had"
)


def peak(arguments: list[str], url: str) -> int:
    """How much memory a run of `neonps` has had at most, in bytes."""
    process = subprocess.Popen(
        [sys.executable, "-m", "neonps", *arguments], env=environment(url), stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_maxrss * 1024


@needs_wait4
@pytest.mark.parametrize(
    ("format", "transport", "rows", "growth"),
    [
        ("table", "websocket", 20_000, 12 << 20),
        ("csv", "tcp", 20_000, 12 << 20),
        ("csv", "websocket", 20_000, 12 << 20),
        ("jsonl", "websocket", 20_000, 12 << 20),
        # A group of rows is in memory at once, before and after it is encoded.
        ("parquet", "websocket", 64_000, 80 << 20),
    ],
)
def test_a_result(url: str, tmp_path: Path, format: str, transport: str, rows: int, growth: int) -> None:
    def run(rows: int) -> int:
        sql = f"select i, repeat(md5(i::text), 64) as text from generate_series(1, {rows}) i"
        options = [] if format == "table" else [f"--{format}"]
        return peak(["query", "--transport", transport, *options, "-o", str(tmp_path / "out"), sql], url)

    assert rows * 2048 > growth * 3 // 2  # otherwise this says nothing
    assert run(rows) - run(1000) < growth


@needs_wait4
def test_a_file(url: str, tmp_path: Path, admin: psycopg.Connection[Any]) -> None:
    admin.execute("create table large (i int, text text)")
    try:

        def run(rows: int) -> int:
            file = tmp_path / "large.csv"
            with file.open("w") as lines:
                lines.writelines(f"{i},{'x' * 2048}\n" for i in range(rows))
            return peak(["load", "--no-header", "large", str(file)], url)

        assert run(20_000) - run(1000) < 12 << 20
    finally:
        admin.execute("drop table large")
