"""Results and files of any size go through `neonps query` and `neonps load` in bounded memory."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from command_line import NEONPS, environment
from transports import on_sessions

Admin = psycopg.Connection[Any]
Numbers = Callable[[], list[int]]

needs_terminal = pytest.mark.skipif(not hasattr(os, "openpty"), reason="there are no pseudo-terminals here")


def peak(arguments: list[str], url: str) -> int:
    """How much memory a run of `neonps` has had at most, in bytes."""
    process = subprocess.Popen([*NEONPS, *arguments], env=environment(url), stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_maxrss * 1024


@pytest.mark.skipif(not hasattr(os, "wait4"), reason="the system does not tell how much memory a process has had")
@on_sessions
@pytest.mark.parametrize("format", ["table", "csv", "jsonl", "parquet"])
def test_memory_is_bounded(url: str, transport: str, format: str, tmp_path: Path) -> None:
    def run(rows: int) -> int:
        sql = f"select i, repeat(md5(i::text), 64) as text from generate_series(1, {rows}) i"
        options = [] if format == "table" else [f"--{format}"]
        return peak(["query", "--transport", transport, *options, "-o", str(tmp_path / "out"), sql], url)

    small, large = run(1000), run(60_000)  # 120 MB of text
    if format == "parquet":
        # What it has at once is a row group; Arrow's allocator keeps some of what it has freed.
        assert large - small < 100 << 20
    else:
        assert large - small < 20 << 20
