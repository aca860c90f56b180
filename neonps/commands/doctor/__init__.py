"""`neonps doctor`: checks each step of connecting, and says what is wrong and how to mend it."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

#: What a shell says of a program that Ctrl-C has ended (POSIX 2.8.2: 128 + SIGINT).
INTERRUPTED = 130

#: What must be set for connecting without a URL to be what somebody meant.
_SOMEWHERE = (
    "PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGUSER", "PGPASSWORD", "PGSERVICE", "NEONPS_GATEWAY"
)  # fmt: skip


def add(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand `doctor`."""
    parser = subcommands.add_parser(
        "doctor",
        usage="neonps doctor [--json] [URL]",
        help="find out why connecting fails",
        description="Check each step of connecting over each transport, with the time that it takes, and say what is "
        "wrong and how to mend it. No password or token is shown. The exit status is 0 if connect() works with these "
        "settings, 1 if it does not.",
    )
    parser.add_argument(
        "url",
        metavar="URL",
        nargs="*",
        help="where to connect: a URL, or keyword=value pairs (default: DATABASE_URL, then PGHOST and the other "
        "variables of libpq). Other users of this machine can see the arguments of a command, the password among them",
    )
    parser.add_argument("--json", action="store_true", help="write one JSON object, for programs")
    parser.set_defaults(run=run_doctor, parser=parser)


def run_doctor(options: argparse.Namespace, command: list[str] | None) -> int:
    """`neonps doctor`; gives the exit status."""
    fail: Callable[[str], NoReturn] = options.parser.error
    if command is not None:
        fail("it runs no command: there must be nothing after --")
    if len(options.url) > 1:
        # They are not shown: the URL of a password with a space in it, without quotes, looks so.
        fail("there is more than one URL: put it between quotes")
    found = find_url(options.url[0] if options.url else None, os.environ)
    if found is None:
        fail("there is nothing to check: give a URL, or set DATABASE_URL or PGHOST")
    conninfo, source = found
    if sys.stdout is None:
        fail("standard output is closed")
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # rather less than a traceback, where a server speaks Greek
    with ending_at_once():
        from .diagnosis import diagnose
        from .output import json_output, text_output

        output = (json_output if options.json else text_output)(sys.stdout)
        diagnosis = diagnose(conninfo, source, os.environ, output.step)
        output.end(diagnosis)
    return 0 if diagnosis.works else 1


@contextmanager
def ending_at_once() -> Iterator[None]:
    """Within it Ctrl-C ends the process: there is nothing to be saved, and a polite end would wait for the server."""

    def end(_: int, frame: FrameType | None) -> None:
        os._exit(INTERRUPTED)

    before = signal.getsignal(signal.SIGINT)
    # One that is ignored (`nohup`) stays so.
    if before is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def find_url(given: str | None, environ: Mapping[str, str]) -> tuple[str, str] | None:
    """The connection string to check, and what it is from; None if there is none."""
    if given is not None:
        return given, "the URL"
    if environ.get("DATABASE_URL"):
        return environ["DATABASE_URL"], "DATABASE_URL"
    if any(environ.get(name) for name in _SOMEWHERE):
        return "", "the PG* variables"
    return None
