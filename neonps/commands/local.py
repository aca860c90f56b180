"""`neonps local`: a Postgres with the endpoints of a serverless provider, on this machine."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from .report import CommandError, abandon

if TYPE_CHECKING:
    import subprocess

#: What ends the command, or is passed on to the command that it runs.
SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name))

# Exit statuses of shells (POSIX 2.8.2)
NOT_EXECUTABLE = 126
NOT_FOUND = 127
BY_SIGNAL = 128


def add(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand `local`."""
    parser = subcommands.add_parser(
        "local",
        usage="neonps local [--postgres URL | --data-dir DIR] [--host H] [--port N]\n"
        "                    [--tls-cert F [--tls-key F]] [--max-connections N] [--max-sessions N]\n"
        "                    [-- COMMAND ...]",
        help="a Postgres with the endpoints of a serverless provider, on this machine",
        description="Start a Postgres, and a gateway in front of it that speaks HTTP and WebSockets. "
        "Print DATABASE_URL=… when it is ready, and run until interrupted; or run COMMAND with DATABASE_URL "
        "set, and end when it ends, with its exit status.",
    )
    parser.add_argument("--postgres", metavar="URL", help="use this Postgres instead of an embedded one")
    parser.add_argument("--data-dir", metavar="DIR", help="keep the data of the embedded Postgres here")
    parser.add_argument(
        "--host", metavar="H", default="127.0.0.1", help="where the gateway listens (default: %(default)s)"
    )
    parser.add_argument(
        "--port", metavar="N", type=port_number, default=0, help="the gateway's port (default: a free one)"
    )
    parser.add_argument("--tls-cert", metavar="F", help="PEM file with a certificate, for HTTPS and WSS")
    parser.add_argument("--tls-key", metavar="F", help="PEM file with the key, if it is not in the same file")
    parser.add_argument(
        "--max-connections",
        metavar="N",
        type=number,
        help="clients at a time; others are told to come back (default: 1000, or what the limit on open files allows)",
    )
    parser.add_argument(
        "--max-sessions",
        metavar="N",
        type=number,
        default=50,
        help="requests over HTTP at work in Postgres at a time; others wait (default: %(default)s)",
    )
    parser.set_defaults(run=run, parser=parser)


def port_number(text: str) -> int:
    """The port that `text` means.

    Raises:
        ValueError: it is not a port.
    """
    port = int(text)
    if not 0 <= port <= 65535:
        raise ValueError
    return port


def number(text: str) -> int:
    """The number of things, at least one, that `text` means.

    Raises:
        ValueError: it is not such a number.
    """
    found = int(text)
    if found < 1:
        raise ValueError
    return found


def run(options: argparse.Namespace, command: list[str] | None) -> int:
    """`neonps local`; gives the exit status."""
    import logging

    from ..embedded import EmbeddedPostgresError
    from ..errors import Error
    from ..local import LocalServerError, serve

    fail: Callable[[str], NoReturn] = options.parser.error
    if options.postgres is not None and options.data_dir is not None:
        fail("--data-dir is for the embedded Postgres, which there is none of with --postgres")
    if options.tls_key is not None and options.tls_cert is None:
        fail("--tls-key takes --tls-cert too")
    if command == []:
        fail("there is no command after --")
    signals = Signals()
    # What the gateway has to say: where it listens, if others can reach it, and what goes wrong.
    logging.basicConfig(format="neonps local: %(message)s")
    try:
        with serve(
            options.postgres,
            options.data_dir,
            options.host,
            options.port,
            options.tls_cert,
            options.tls_key,
            options.max_connections,
            options.max_sessions,
        ) as server:
            if command is not None:
                return run_command(command, server.url, signals)
            try:
                print(f"DATABASE_URL={server.url}", flush=True)
            except OSError as error:
                abandon(sys.stdout)
                raise CommandError(f"standard output: {error.strerror}") from None
            signals.came.wait()
            return 0
    except (CommandError, EmbeddedPostgresError, LocalServerError, Error) as error:
        print(f"neonps local: {error}", file=sys.stderr)
        return 1


class Signals:
    """The signals that have come since this was made, instead of their ending the process.

    Attributes:
        came: set as soon as there is one.
        number: the last one; 0 when there is none.
        child: the process that each is passed on to.
    """

    def __init__(self) -> None:
        self.came = threading.Event()
        self.number = 0
        self.child: subprocess.Popen[bytes] | None = None
        for number in SIGNALS:
            # One that is ignored (`nohup`) stays so.
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._take)

    def _take(self, number: int, _: FrameType | None) -> None:
        self.number = number
        self.came.set()
        # What is typed on a terminal has reached the child too.
        if self.child is not None and not (number == signal.SIGINT and in_foreground()):
            self.child.send_signal(number)


def in_foreground() -> bool:
    """Whether this process is one of those that Ctrl-C on its terminal interrupts."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)


def run_command(command: Sequence[str], url: str, signals: Signals) -> int:
    """Run a command with `DATABASE_URL` set; gives its exit status as a shell does."""
    import subprocess

    if signals.number:
        return BY_SIGNAL + signals.number
    try:
        child = subprocess.Popen(command, env={**os.environ, "DATABASE_URL": url})
    except (FileNotFoundError, PermissionError, OSError) as error:
        print(f"neonps local: {command[0]}: {error.strerror}", file=sys.stderr)
        return NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE
    signals.child = child
    if signals.number:  # it came just before there was somebody to pass it on to
        child.send_signal(signals.number)
    status = child.wait()
    signals.child = None
    return status if status >= 0 else BY_SIGNAL - status
