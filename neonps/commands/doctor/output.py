"""How a diagnosis is shown: lines of text, with colours where there are any, or JSON."""

from __future__ import annotations

import json
import os
import platform
import ssl
import sys
import textwrap
from collections.abc import Callable
from typing import Any, TextIO

from ...version import __version__
from .diagnosis import Diagnosis
from .step import FAILED, OK, SKIPPED, Step

_COLOURS = {OK: "green", FAILED: "bold red", SKIPPED: "yellow"}

#: The columns before the facts.
_MARK, _TRANSPORT, _NAME, _TIME = 8, 10, 9, 12
_INDENT = " " * _MARK

#: How long the lines of advice are.
_WIDTH = 110


class TextOutput:
    """A line per step, and below it what there is to say.

    Args:
        write: takes a piece of text and its style: "" or one that rich knows.
    """

    def __init__(self, write: Callable[[str, str], None]) -> None:
        self._write = write
        self._given: set[str] = set()
        write(f"neonps {__version__}, Python {platform.python_version()}, {ssl.OPENSSL_VERSION}\n", "")

    def step(self, step: Step) -> None:
        """Show a step."""
        time = "" if step.seconds is None else f"{step.seconds * 1000:.1f} ms"
        self._write(f"{step.result:<{_MARK}}", _COLOURS[step.result])
        line = f"{step.transport or '':<{_TRANSPORT}}{step.name:<{_NAME}}{time:>{_TIME}}  {printable(step.fact)}"
        self._write(f"{line}\n", "")
        for note in step.notes:
            self._paragraph(note, "")
        if step.advice:
            self._paragraph("The same as above." if step.advice in self._given else step.advice, "bold")
            self._given.add(step.advice)

    def end(self, diagnosis: Diagnosis) -> None:
        """Show what is to be thought of it all."""
        self._write(f"{diagnosis.summary}\n", "bold")

    def _paragraph(self, text: str, style: str) -> None:
        wrapped = textwrap.fill(
            printable(text), _WIDTH, initial_indent=_INDENT, subsequent_indent=_INDENT, break_on_hyphens=False,
            break_long_words=False,
        )  # fmt: skip
        self._write(f"{wrapped}\n", style)


class JSONOutput:
    """One JSON object at the end.

    Args:
        write: takes it, and a style.
    """

    def __init__(self, write: Callable[[str, str], None]) -> None:
        self._write = write

    def step(self, step: Step) -> None:
        """Nothing is shown yet."""

    def end(self, diagnosis: Diagnosis) -> None:
        """Show all."""
        shown: dict[str, Any] = {
            "version": __version__,
            "works": diagnosis.works,
            "transport": diagnosis.transport or None,
            "usable": diagnosis.usable,
            "summary": diagnosis.summary,
            "steps": [
                {
                    "transport": step.transport,
                    "step": step.name,
                    "result": step.result,
                    "ms": None if step.seconds is None else round(step.seconds * 1000, 3),
                    "fact": step.fact,
                    "notes": step.notes,
                    "advice": step.advice or None,
                }
                for step in diagnosis.steps
            ],
        }
        self._write(json.dumps(shown, indent=2) + "\n", "")


def text_output(file: TextIO) -> TextOutput:
    """Lines of text, in colour if `file` is a terminal and rich is there."""
    if file.isatty():
        try:
            from rich.console import Console
        except ImportError:
            pass
        else:
            # rich knows which terminals have colours, and of NO_COLOR.
            console = Console(file=file, soft_wrap=True)
            return TextOutput(lambda text, style: console.out(text, style=style or None, end="", highlight=False))
    return TextOutput(_writer(file))


def json_output(file: TextIO) -> JSONOutput:
    """One JSON object."""
    return JSONOutput(_writer(file))


def _writer(file: TextIO) -> Callable[[str, str], None]:
    """Writes to a file without styles."""

    def write(text: str, style: str) -> None:
        try:
            file.write(text)
            if text.endswith("\n"):
                file.flush()
        except OSError as error:
            # Python would complain of what is left when it flushes at its end. And steps are told of amid flows, which
            # would take the error for one of the network.
            os.dup2(os.open(os.devnull, os.O_WRONLY), file.fileno())
            if not isinstance(error, BrokenPipeError):  # who reads it has seen enough (`| head`)
                print(f"neonps doctor: standard output: {error.strerror}", file=sys.stderr)
            raise SystemExit(1) from None

    return write


def printable(text: str) -> str:
    """The text in a line, without what would make a terminal do something: a server has written parts of it."""
    return "".join(character if character.isprintable() else " " for character in text)
