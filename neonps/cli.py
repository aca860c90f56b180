"""The command `neonps`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

from .commands import doctor, load, local, query
from .commands.arguments import Parser, SubcommandParser
from .version import __version__


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command `neonps` with these arguments, or those of the process; gives its exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    # What follows `--` is the command of another program, in which argparse has no say.
    at = arguments.index("--") if "--" in arguments else None
    command = None if at is None else arguments[at + 1 :]
    parser = make_parser()
    options = parser.parse_args(arguments[:at])
    run: Callable[[argparse.Namespace, list[str] | None], int] = options.run
    return run(options, command)


def make_parser() -> argparse.ArgumentParser:
    """The parser of the command line, up to `--`."""
    parser = Parser(prog="neonps", description="Postgres over HTTP and WebSockets.")
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    subcommands = parser.add_subparsers(required=True, metavar="SUBCOMMAND", parser_class=SubcommandParser)
    for module in (doctor, load, local, query):
        module.add(subcommands)
    return parser
