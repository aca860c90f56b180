"""A line on the terminal that tells how far something has come, while it takes long."""

from __future__ import annotations

import os
import sys
import time
from types import TracebackType
from typing import Any

#: In seconds: when the line appears, and how often it changes.
APPEARS_AFTER = 0.5
CHANGES_EVERY = 0.2


class Progress:
    """The line; only where standard error is a terminal. rich draws it, if it is installed.

    Args:
        what: what is counted, such as "rows".
        total: how much there will be; None if nobody knows.
        after: when the line appears, in seconds.
    """

    def __init__(self, what: str, total: int | None = None, after: float = APPEARS_AFTER) -> None:
        self._what = what
        self._total = total
        self._due = time.monotonic() + after if _on_terminal() else float("inf")
        self._line: _RichLine | _PlainLine | None = None

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> None:
        if self._line is not None:
            self._line.close()

    def update(self, done: int) -> None:
        """Tell how much is done."""
        now = time.monotonic()
        if now < self._due:
            return
        self._due = now + CHANGES_EVERY
        if self._line is None:
            self._line = _line(self._what, self._total)
        self._line.update(done)


def plain_terminal() -> bool:
    """Whether the user wants no colours (https://no-color.org), or the terminal knows none."""
    return bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"


def _on_terminal() -> bool:
    return sys.stderr is not None and sys.stderr.isatty()


def _line(what: str, total: int | None) -> _RichLine | _PlainLine:
    if not plain_terminal():
        try:
            return _RichLine(what, total)
        except ImportError:
            pass
    return _PlainLine(what, total)


class _RichLine:
    """A bar, by rich.

    Raises:
        ImportError: rich is not installed.
    """

    def __init__(self, what: str, total: int | None) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, ProgressColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as RichProgress

        counted: ProgressColumn = TextColumn("{task.completed:,} " + what)
        if what == "bytes":
            counted = DownloadColumn()
        self._progress: Any = RichProgress(
            BarColumn(), counted, TimeElapsedColumn(), console=Console(stderr=True), transient=True
        )
        self._progress.start()
        self._task = self._progress.add_task("", total=total)

    def update(self, done: int) -> None:
        self._progress.update(self._task, completed=done)

    def close(self) -> None:
        self._progress.stop()


class _PlainLine:
    """Numbers, which are written over by the next ones."""

    def __init__(self, what: str, total: int | None) -> None:
        self._what = what
        self._total = total
        self._width = 0

    def update(self, done: int) -> None:
        share = f" ({done * 100 // self._total}%)" if self._total else ""
        self._write(f"{done:,} {self._what}{share}")

    def close(self) -> None:
        self._write("")
        sys.stderr.write("\r")
        sys.stderr.flush()

    def _write(self, text: str) -> None:
        sys.stderr.write("\r" + text.ljust(self._width))
        sys.stderr.flush()
        self._width = len(text)
