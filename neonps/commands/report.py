"""How a subcommand ends: its exit status, and on standard error what has gone wrong."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

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
        action: what to do. Whatever it raises that a user can be at the bottom of becomes a message.
    """
    from ..errors import Error

    with interruptible() as caught:
        try:
            action()
            if sys.stdout is not None:
                sys.stdout.flush()
        except BrokenPipeError:  # whoever was reading has seen enough
            _abandon_stdout()
            return BY_SIGNAL + SIGPIPE
        except KeyboardInterrupt:
            _abandon_stdout()
            return BY_SIGNAL + (caught[-1] if caught else signal.SIGINT)
        except (CommandError, Located, Error, OSError) as error:
            if isinstance(error, OSError):
                _abandon_stdout()  # which may be what cannot be written to
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


def _abandon_stdout() -> None:
    """Have Python not try again, when it exits, to write what is left for standard output."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except (OSError, KeyboardInterrupt):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
