"""The page on the command line: what follows `$ ` in its shell blocks is run, and prints what is shown below it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from command_line import environment
from pages import ROOT

_SHELL = re.compile(r"^```sh\n(?P<lines>\$ .*?)^```\n", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"^\$ (?P<command>.*)\n(?P<output>(?:(?!\$ ).*\n)*)", re.MULTILINE)


@pytest.fixture
def empty(admin: psycopg.Connection[Any], url: str, postgres: Any) -> Iterator[str]:
    """The URL of a database with nothing in it."""
    name = f"page_{uuid4().hex[:8]}"
    admin.execute(f"create database {name}")
    yield url.replace("/postgres?", f"/{name}?")
    admin.execute(f"drop database {name} with (force)")


@pytest.mark.skipif(os.name != "posix", reason="the page is for a POSIX shell")
def test_commands_print_what_is_shown(empty: str, tmp_path: Path) -> None:
    page = (ROOT / "docs/howto/command-line.md").read_text(encoding="utf-8")
    commands = [match.groups() for block in _SHELL.finditer(page) for match in _COMMAND.finditer(block["lines"])]
    assert len(commands) >= 10
    variables = environment(empty, PATH=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    for command, output in commands:
        ran = subprocess.run(
            ["sh", "-c", command],
            cwd=tmp_path,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=60,
        )
        assert ran.stdout == output, command
