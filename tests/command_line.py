"""`neonps` as its users run it: a process of its own, on a pipe or on a terminal."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from neonps.cli import main

PYTHON = [sys.executable, "-X", "dev", "-W", "error"]
NEONPS = [*PYTHON, "-m", "neonps"]

needs_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="a file that is always full is Linux's own")

#: Runs `neonps` in a process in which rich cannot be imported.
WITHOUT_RICH = [*PYTHON, "-c", "import sys; sys.modules['rich'] = None; from neonps.cli import main; sys.exit(main())"]

#: Makes its standard input the terminal of a new session, and becomes the command that it is given.
_ON_TERMINAL = """
import fcntl, os, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


def environment(url: str | None, **variables: str) -> dict[str, str]:
    """Variables for a process that finds the database by `DATABASE_URL` alone."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "NEONPS_"))}
    for name in ("DATABASE_URL", "NO_COLOR", "COLUMNS", "LINES", "FORCE_COLOR"):
        kept.pop(name, None)
    found = {} if url is None else {"DATABASE_URL": url}
    return {**kept, "TERM": "xterm-256color", "PYTHONIOENCODING": "utf-8", **found, **variables}


def neonps(
    *arguments: str | Path, url: str | None, stdin: str | bytes = b"", command: Sequence[str] = NEONPS, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run `neonps` on pipes. Line ends of its output are left as they are."""
    data = stdin.encode() if isinstance(stdin, str) else stdin
    ran = subprocess.run(
        [*command, *map(str, arguments)],
        input=data,
        capture_output=True,
        env=environment(url, **variables),
        timeout=100,
    )
    return subprocess.CompletedProcess(ran.args, ran.returncode, ran.stdout.decode(), ran.stderr.decode())


def within(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, url: str, *arguments: str | Path
) -> subprocess.CompletedProcess[str]:
    """Run `neonps` within this process, for tests of what it prints: to start Python takes longer than all else."""
    for name in [name for name in os.environ if name.startswith(("PG", "NEONPS_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("DATABASE_URL", url)
    status = main([*map(str, arguments)])
    printed = capfd.readouterr()
    return subprocess.CompletedProcess(arguments, status, printed.out, printed.err)


class Terminal:
    """A pseudo-terminal with a process on it, of which some streams can be elsewhere.

    Args:
        command: what to run.
        env: its variables.
        size: columns of the terminal.
        **streams: `stdout` or `stderr`, as `subprocess.Popen` takes them; the terminal by default.

    Attributes:
        text: what was read from the terminal so far.
    """

    def __init__(self, command: Sequence[str], env: dict[str, str], size: int = 80, **streams: Any) -> None:
        self._ours, theirs = os.openpty()
        _set_size(theirs, size)
        streams = {"stdout": theirs, "stderr": theirs, **streams}
        self.process = subprocess.Popen(
            [sys.executable, "-c", _ON_TERMINAL, *command], stdin=theirs, env=env, **streams
        )
        os.close(theirs)
        self.text = ""

    def type(self, text: bytes) -> None:
        os.write(self._ours, text)

    def read_until(self, condition: Callable[[str], bool]) -> str:
        """Read until what was read is as it should be, or the process has ended."""
        data = self.text.encode("utf-8", "surrogateescape")
        while not condition(self.text):
            select.select([self._ours], [], [])
            try:
                piece = os.read(self._ours, 65536)
            except OSError:  # nobody has the other side open any more
                break
            if not piece:
                break
            data += piece
            self.text = data.decode("utf-8", "surrogateescape")
        return self.text

    def finish(self) -> tuple[int, str]:
        """Read to the end; gives the exit status, and all that was on the terminal, with plain line ends."""
        self.read_until(lambda text: False)
        return self.process.wait(), self.text.replace("\r\n", "\n")

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._ours)


def _set_size(terminal: int, columns: int) -> None:
    import fcntl
    import struct
    import termios

    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))


def on_terminal(
    *arguments: str | Path,
    url: str | None,
    command: Sequence[str] = NEONPS,
    size: int = 80,
    streams: dict[str, Any] | None = None,
    **variables: str,
) -> tuple[int, str]:
    """Run `neonps` on a terminal; gives its exit status and what is on the terminal then."""
    terminal = Terminal([*command, *map(str, arguments)], environment(url, **variables), size, **(streams or {}))
    try:
        return terminal.finish()
    finally:
        terminal.close()
