"""Where a subcommand writes results: standard output, or a file that is there only when it is complete."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedWriter, FileIO, RawIOBase
from typing import Any, BinaryIO

from .report import CommandError, abandon, flush_or_abandon

STDOUT = "-"


@contextmanager
def opened(path: str) -> Iterator[BinaryIO]:
    """Open a file for writing, or `-` for standard output.

    What is written goes to a file beside it, which takes its name at the end of the block, or is deleted after an
    exception. A pipe or a device is written to directly.

    Raises:
        CommandError: there is no standard output.
        OSError: the file cannot be written.
    """
    if path in (STDOUT, "/dev/stdout"):
        if sys.stdout is None:
            raise CommandError("standard output is closed")
        sys.stdout.flush()
        file = sys.stdout.buffer
        if isinstance(file, RawIOBase):
            file = _Unbuffered(FileIO(sys.stdout.fileno(), "wb", closefd=False))
        with _flushed(file):
            yield file
        return
    mode = _mode(path)
    target = os.path.realpath(path)  # a symbolic link stays one
    # What is in /dev may lead to a file that is open already, and has to stay the same file.
    if path.startswith("/dev/") or (mode is not None and not stat.S_ISREG(mode)):
        with open(target, "wb") as file, _flushed(file):
            yield file
        return
    # Only so much of the name that this one is not too long where that one is not.
    directory, name = os.path.split(target)
    temporary = os.path.join(directory, f".{name[:32]}.{os.urandom(4).hex()}.part")
    try:
        with open(temporary, "xb") as file:
            if mode is not None:
                os.chmod(temporary, stat.S_IMODE(mode))
            yield file
        os.replace(temporary, target)
    except OSError as error:
        if error.filename == temporary:
            error.filename = path
        raise
    finally:
        with suppress(OSError):  # the error that has brought this about is the one to tell
            os.unlink(temporary)


class _Unbuffered(BufferedWriter):
    """Standard output with PYTHONUNBUFFERED, of which Python's own writes a part of what it gets, and does not say."""

    def write(self, data: Any) -> int:
        written = super().write(data)
        self.flush()
        return written


@contextmanager
def _flushed(file: BinaryIO) -> Iterator[None]:
    """Have all be written at the end of the block; after an interrupt nothing more: nobody may be reading."""
    try:
        yield
        file.flush()
    except KeyboardInterrupt:
        abandon(file)
        raise
    except Exception:
        flush_or_abandon(file)
        raise


def _mode(path: str) -> int | None:
    try:
        return os.stat(path).st_mode
    except FileNotFoundError:
        return None
