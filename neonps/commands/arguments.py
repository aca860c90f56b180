"""What the subcommands' arguments have in common: their order, and which of them is the URL."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from typing import Any, NoReturn

_URL = re.compile(r"(?:postgres|postgresql)://", re.ASCII)
_OTHER_URL = re.compile(r"[a-z][a-z0-9+.-]*://", re.ASCII | re.IGNORECASE)


class Parser(argparse.ArgumentParser):
    """A parser whose messages have no password in them, though they quote what is in the wrong place, a URL too."""

    def error(self, message: str) -> NoReturn:
        from ..conninfo import SECRET_KEYWORDS

        # Rather too much than too little: a password can have anything in it.
        secret = rf"(?<=://).*(?=@)|\b(?:{'|'.join(SECRET_KEYWORDS)})=.*"
        super().error(re.sub(secret, "…", message, flags=re.DOTALL))


class SubcommandParser(Parser):
    """A parser that takes options before, between and behind the other arguments, as `psql` does."""

    _intermixing = False

    def parse_known_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:  # type: ignore[override]
        if self._intermixing:
            return super().parse_known_args(args, namespace)
        self._intermixing = True  # the method below calls this one, on some versions of Python
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self._intermixing = False


def add_connection(parser: argparse.ArgumentParser) -> None:
    """Add what says how to connect, beside the URL."""
    parser.add_argument(
        "--transport", choices=("websocket", "http", "tcp"), help="how to reach the server (default: as the URL says)"
    )


def split_url(arguments: Sequence[str]) -> tuple[str | None, list[str]]:
    """The URL, if the first argument is one, and the other arguments.

    Raises:
        ValueError: the first argument is a URL of something else. No part of it is in the message.
    """
    if arguments and _URL.match(arguments[0]):
        return arguments[0], list(arguments[1:])
    if arguments and _OTHER_URL.match(arguments[0]):
        raise ValueError("the URL has to start with postgresql:// or postgres://")
    return None, list(arguments)
