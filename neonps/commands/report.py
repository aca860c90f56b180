"""How a subcommand ends: its exit status, and on standard error what has gone wrong."""

from __future__ import annotations

import os
import select
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import IO, Any

from .shown import shown_message

OK = 0
FAILED = 1
# What a shell says of a command that a signal has ended (POSIX 2.8.2).
BY_SIGNAL = 128
SIGPIPE = 13  # Windows has no name for it


class CommandError(Exception):
    """What a subcommand cannot do; the message is for the user."""


class Located(Exception):
    """Something has failed at a place in a file of statements.

    Args:
        place: such as `setup.sql:3`.
        error: what has failed.
    """

    def __init__(self, place: str, error: Exception) -> None:
        super().__init__(place)
        self.place = place
        self.error = error


def ended(name: str, action: Callable[[], None]) -> int:
    """Do what a subcommand does; gives the exit status.

    Args:
        name: what messages begin with.
        action: what to do. Whatever it raises that a user can be at the bottom of becomes a message. The text of a
            KeyboardInterrupt, if it has any, says what has become of what was interrupted.
    """
    from ..errors import Error

    with interruptible() as caught:
        try:
            action()
            if sys.stdout is not None:
                sys.stdout.flush()
        except BrokenPipeError:  # whoever was reading has seen enough
            flush_or_abandon(sys.stdout)
            return BY_SIGNAL + SIGPIPE
        except KeyboardInterrupt as interrupt:
            abandon(sys.stdout)  # without another try: nobody may be reading
            if _takes_text(sys.stderr):  # likewise
                outcome = f": {interrupt}" if str(interrupt) else ""
                complain(f"{name}: interrupted{outcome}")
            return BY_SIGNAL + (caught[-1] if caught else signal.SIGINT)
        except (CommandError, Located, Error, OSError) as error:
            if isinstance(error, OSError):
                flush_or_abandon(sys.stdout)  # which may be what cannot be written to
            complain(f"{name}: {message(error)}")
            return FAILED
    return OK


def message(error: Exception) -> str:
    """What to tell of an error: with its SQLSTATE, if it is the server's."""
    from ..errors import Error

    if isinstance(error, Located):
        return f"{error.place}: {message(error.error)}"
    if isinstance(error, Error) and error.diag.sqlstate:
        return f"{error.diag.severity or 'ERROR'}:  {error.diag.sqlstate}: {error}"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)


def complain(text: str) -> None:
    """Print a text on standard error, safely on any terminal."""
    if sys.stderr is None:
        return
    encoding = sys.stderr.encoding or "utf-8"
    print(shown_message(text).encode(encoding, "backslashreplace").decode(encoding), file=sys.stderr, flush=True)


@contextmanager
def interruptible() -> Iterator[list[int]]:
    """Treat what asks the process to end as Ctrl-C, so that it cleans up; gives the numbers of those signals."""
    caught: list[int] = []

    def interrupt(number: int, frame: FrameType | None) -> None:
        caught.append(number)
        raise KeyboardInterrupt

    before = {}
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        # One that is ignored (`nohup`) stays so.
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            before[number] = signal.signal(number, interrupt)
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def abandon(file: IO[Any] | None) -> None:
    """Have Python not try again, when it exits, to write what is left for this file: let that go nowhere."""
    if file is None:
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, file.fileno())
    os.close(nowhere)


def flush_or_abandon(file: IO[Any] | None) -> None:
    """Write what is left for this file, if that can be."""
    try:
        if file is not None:
            file.flush()
    except (OSError, KeyboardInterrupt):
        abandon(file)


def _takes_text(file: IO[Any] | None) -> bool:
    """Whether something can be written without waiting for a reader, as far as the system tells."""
    try:
        return file is not None and bool(select.select([], [file], [], 0)[1])
    except (OSError, ValueError):  # Windows tells of sockets only
        return True
