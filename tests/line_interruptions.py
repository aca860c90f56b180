"""Interrupts a program at a line of the driver, whichever it is: as Ctrl-C does, which can come between any two.

Python calls a signal's handler where it begins a function, goes back in a loop, or comes back from one in C. A line
event of `sys.settrace` is about as fine, and comes again at the same place.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from linecache import getline
from pathlib import Path
from types import FrameType
from typing import Any

import neonps

DRIVER = str(Path(neonps.__file__).parent)

#: What cannot be made safe in Python, as file and function, and why. Nothing is interrupted in there.
EXCLUDED = {
    ("lock.py", "acquire", "self._owner = me"): "nothing can be done between getting a lock and taking note of it",
    (
        "flows/interruption.py",
        "guarded",
        "session.in_call = False",
    ): "nothing is called between the flow and this",
    ("lock.py", "restore", "self._lock.release()"): "no handler runs between an assignment and a call of C",
}

#: These do nothing, so that no handler runs there.
IDLE_LINES = ("try:", "else:")

#: The first line of these is not interrupted: Python has left the block, and nothing can be done any more before the
#: first instruction of what was to clean up behind it. psycopg, and any context manager written in Python, is the same.
CLEANING_UP = ("__exit__",)

#: Called by the interpreter, which reports what they raise and goes on: the interruption would be lost.
FINALIZERS = ("__del__",)


class LineInterruption:
    """Interrupts once, at one of the lines of the driver that this thread comes to.

    Args:
        where: at which of them, from 1; 0 only counts them.
        functions: count only the lines of functions of these names; of all by default.

    Attributes:
        count: how many there were.
        place: where it was interrupted, as file, line and function; "" if it was not.
    """

    def __init__(self, where: int, functions: Collection[str] = ()) -> None:
        self._where = where
        self._functions = functions
        self.count = 0
        self.place = ""

    @contextmanager
    def armed(self) -> Iterator[None]:
        """Interrupt in this block."""
        previous = sys.gettrace()
        sys.settrace(self._enter)
        try:
            yield
        finally:
            sys.settrace(previous)

    def _enter(self, frame: FrameType, event: str, argument: object) -> Any:
        code = frame.f_code
        if not code.co_filename.startswith(DRIVER) or code.co_name == "<module>":
            return None
        if self._functions and code.co_name not in self._functions:
            return None
        return self._skip_line if code.co_name in CLEANING_UP else self._line

    def _skip_line(self, frame: FrameType, event: str, argument: object) -> Any:
        return self._line if event == "line" else self._skip_line

    def _line(self, frame: FrameType, event: str, argument: object) -> Any:
        if event == "line":
            code = frame.f_code
            text = getline(code.co_filename, frame.f_lineno).strip()
            if text in IDLE_LINES or (code.co_filename[len(DRIVER) + 1 :], code.co_name, text) in EXCLUDED:
                return self._line
            self.count += 1
            if 0 < self._where <= self.count and not self.place and not _is_finalizing(frame):
                self.place = f"{code.co_filename[len(DRIVER) + 1 :]}:{frame.f_lineno} {code.co_name}"
                raise KeyboardInterrupt
        return self._line


def _is_finalizing(frame: FrameType | None) -> bool:
    """Whether the interpreter has called a finalizer, which the frame belongs to."""
    while frame is not None:
        if frame.f_code.co_name in FINALIZERS:
            return True
        frame = frame.f_back
    return False
