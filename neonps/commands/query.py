"""`neonps query`: run SQL, and show or save what it returns."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, NoReturn

from .arguments import SubcommandParser, add_connection, split_url
from .output import STDOUT, opened
from .progress import Progress
from .reading import read_all
from .report import CommandError, Located, ended, message

if TYPE_CHECKING:
    from ..connection import Connection
    from .params import Params
    from .result import Outcome
    from .statements import SqlStatement
    from .table import Table

NAME = "neonps query"
STDIN = "-"

_SYNTAX_ERROR = "42601"
_PLACEHOLDER = re.compile(r"%\(\w+\)s")
_BACKSLASH = re.compile(r"\W\\\W")  # by itself, as the server quotes it


def add(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand `query`."""
    parser = subcommands.add_parser(
        "query",
        usage="neonps query [URL] [SQL | -f FILE] [-p NAME=VALUE ...]\n"
        "                    [-x | --csv | --json | --jsonl | --parquet] [-o FILE] [--transport T]",
        help="run SQL, and show or save what it returns",
        description="Run SQL statements, each as a transaction of its own, and stop at the first error. Without URL, "
        "DATABASE_URL or the PG... variables say where. Without SQL and FILE, SQL is read from standard input.",
    )
    assert isinstance(parser, SubcommandParser)
    parser.add_argument("arguments", metavar="URL, SQL", nargs="*", help="where to connect to, and what to run")
    parser.add_argument("-f", "--file", metavar="FILE", help="read the SQL from this file")
    parser.add_argument(
        "-p",
        "--param",
        dest="params",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="the value of %%(NAME)s in the SQL; NAME alone stands for NULL",
    )
    formats = parser.add_mutually_exclusive_group()
    formats.add_argument("-x", "--expanded", action="store_true", help="write tables with a line for each value")
    for name, meaning in (
        ("csv", "write CSV, as COPY does"),
        ("json", "write a JSON array with an object for each row"),
        ("jsonl", "write a line with a JSON object for each row"),
        ("parquet", "write Parquet (needs pyarrow)"),
    ):
        formats.add_argument(f"--{name}", dest="format", action="store_const", const=name, help=meaning)
    parser.add_argument("-o", "--output", metavar="FILE", default=STDOUT, help="write to this file")
    add_connection(parser)
    parser.set_defaults(run=run, parser=parser)


def run(options: argparse.Namespace, command: list[str] | None) -> int:
    """`neonps query`; gives the exit status."""
    from ..conninfo import has_surrogates
    from .params import parse_params

    fail: Callable[[str], NoReturn] = options.parser.error
    try:
        url, texts = split_url(options.arguments + (command or []))
        params = parse_params(options.params)
    except ValueError as error:
        fail(str(error))
    if any(map(has_surrogates, [*texts, *options.params])):
        fail("an argument has characters that are not of the encoding of the locale")
    if len(texts) > 1:
        fail("there is more than one SQL argument; a URL has to come first, and to start with postgresql://")
    if texts and options.file is not None:
        fail("SQL is given, and a file of SQL too")
    if options.format == "parquet" and _is_terminal(options.output):
        fail("--parquet is not for terminals: give a file with -o")

    def action() -> None:
        sql, source = (texts[0], "") if texts else _read(options.file or STDIN)
        statements, bound = _statements(sql, params, fail)
        _run(options, url, statements, bound, source)

    return ended(NAME, action)


def _is_terminal(output: str) -> bool:
    return output == STDOUT and sys.stdout is not None and sys.stdout.isatty()


def _read(path: str) -> tuple[str, str]:
    """The SQL in a file or on standard input, and what to call that in messages."""
    if path != STDIN:
        with open(path, "rb") as file:
            data, name = read_all(file), path
    elif sys.stdin is None:
        raise CommandError("there is no SQL, and standard input is closed")
    else:
        data, name = read_all(sys.stdin.buffer), "<stdin>"
    try:
        return data.decode("utf-8-sig"), name
    except UnicodeDecodeError as error:
        raise CommandError(f"{name}: it is not UTF-8, at byte {error.start}") from None


def _statements(
    sql: str, params: Params, fail: Callable[[str], NoReturn]
) -> tuple[list[SqlStatement], list[Params | None]]:
    """The statements, and the parameters of each."""
    from .params import params_of_each
    from .statements import split

    statements = list(split(sql))
    if not statements:
        raise CommandError("there is no SQL statement")
    try:
        return statements, params_of_each([statement.text for statement in statements], params)
    except ValueError as error:
        fail(str(error))


def _run(
    options: argparse.Namespace,
    url: str | None,
    statements: Sequence[SqlStatement],
    params: Sequence[Params | None],
    source: str,
) -> None:
    """Connect, run the statements and write what they return."""
    from ..errors import Error
    from .connecting import connect
    from .result import outcome_of, text_adapters

    run_one = outcome_of
    if options.format == "parquet":
        from .arrow_results import arrow_outcome_of
        from .parquet_rows import require_pyarrow

        require_pyarrow()
        run_one = arrow_outcome_of
    with opened(options.output) as file, connect(url, options.transport, text_adapters()) as connection:
        writer = _Writer(options, file, connection)
        for statement, values in zip(statements, params, strict=True):
            try:
                with run_one(connection, statement.text, values) as outcome:
                    writer.take(outcome)
            except (Error, CommandError) as error:
                failure = _explained(error, statement.text)
                raise (Located(f"{source}:{statement.line}", failure) if source else failure) from None
        writer.finish()


def _explained(error: Exception, statement: str) -> Exception:
    """The error, or one that says how to do in this command what has failed."""
    from ..errors import Error, NotSupportedError, ProgrammingError
    from ..flows.stake import Stake
    from ..tokens import first_words

    if not isinstance(error, Error):
        return error
    refused = error.sqlstate is None and isinstance(error, (NotSupportedError, ProgrammingError))
    if refused and first_words(statement, 1) == ["COPY"]:
        # The server can have run it to its end: there are statements in a COPY that write.
        unknown = f"\n{Stake.EFFECT.value}" if error.outcome_unknown else ""
        hint = "COPY from and to this command is not possible: use neonps load, or a query with --csv"
        return CommandError(f"{hint}{unknown}")
    if error.sqlstate == _SYNTAX_ERROR and _PLACEHOLDER.search(statement):
        return CommandError(f"{message(error)}\nHINT:  -p NAME=VALUE gives the value of %(NAME)s.")
    if error.sqlstate == _SYNTAX_ERROR and _BACKSLASH.search(f"{error.diag.message_primary} "):
        return CommandError(
            f"{message(error)}\nHINT:  Commands of psql, which begin with a backslash, are not known here."
        )
    return error


@contextmanager
def _counted(rows: Iterator[Any], shown: bool, size: Callable[[Any], int]) -> Iterator[Iterator[Any]]:
    """The same rows, and on the terminal how many have come, if `shown`; `size` says how many each item is."""
    if not shown:
        yield rows
        return
    with Progress("rows") as progress:
        yield _updating(rows, progress, size)


def _updating(rows: Iterator[Any], progress: Progress, size: Callable[[Any], int]) -> Iterator[Any]:
    number = shown = 0
    for row in rows:
        yield row
        number += size(row)
        if number - shown >= 64:
            progress.update(number)
            shown = number


class _Writer:
    """Writes what statements return, in the format that is asked for.

    Args:
        options: of the command line.
        file: where to.
        connection: where the results come from.
    """

    def __init__(self, options: argparse.Namespace, file: BinaryIO, connection: Connection[Any]) -> None:
        self._format: str | None = options.format
        self._file = file
        self._connection = connection
        self._terminal = _is_terminal(options.output)
        self._encoding = "utf-8"
        self._written = 0  # how many results
        self._tag = ""
        if self._format is None:
            if options.output == STDOUT:
                self._encoding = sys.stdout.encoding
            self._table = self._make_table(options.expanded)

    def _make_table(self, expanded: bool) -> Table:
        from .table import Table, unpainted

        if not self._terminal:
            return Table(self._write, unpainted, None, expanded)
        from shutil import get_terminal_size

        from .styles import paint_for_stdout

        return Table(self._write, paint_for_stdout(), get_terminal_size().columns, expanded)

    def take(self, outcome: Outcome) -> None:
        """Write the outcome of a statement.

        Raises:
            CommandError: it cannot be written in the format.
        """
        if outcome.columns is None:
            self._tag = outcome.tag
            if self._format is None:
                self._table.note(outcome.tag)
            return
        if self._format is not None and self._written:
            raise CommandError(f"a second statement returns rows: --{self._format} writes those of one")
        self._written += 1
        size = (lambda result: result.ntuples) if self._format == "parquet" else (lambda row: 1)
        with _counted(outcome.rows, not self._terminal, size) as rows:
            self._write_rows(outcome.columns, rows)
        if self._terminal:
            self._file.flush()

    def finish(self) -> None:
        """Check that there is something to write.

        Raises:
            CommandError: no statement has returned rows, and the format has no way to say so.
        """
        if self._format is not None and not self._written:
            raise CommandError(f"nothing to write as --{self._format}: no rows are returned ({self._tag})")

    def _write_rows(self, columns: Sequence[Any], rows: Iterator[Any]) -> None:
        if self._format is None:
            self._table.write(columns, rows)
        elif self._format == "csv":
            from .csv_rows import write_csv

            write_csv(columns, rows, self._write)
        elif self._format == "parquet":
            from .parquet_rows import write_parquet

            write_parquet(columns, rows, self._connection, self._file)
        else:
            from .json_rows import write_json, write_json_lines

            write_objects = write_json if self._format == "json" else write_json_lines
            write_objects(columns, rows, self._write, self._connection.adapters.types)

    def _write(self, text: str) -> None:
        if self._terminal and self._format == "csv":
            from .shown import shown

            text = shown(text)
        self._file.write(text.encode(self._encoding, "backslashreplace"))
