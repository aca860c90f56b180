"""`neonps load`: a CSV file into a table, by COPY."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, NoReturn

from .arguments import SubcommandParser, add_connection, split_url
from .progress import Progress
from .reading import PIECE, read
from .report import CommandError, abandon, complain, ended, message

if TYPE_CHECKING:
    from ..copy import Copy
    from ..sql import Composed

NAME = "neonps load"
STDIN = "-"

#: From this version on a line of nothing but `\\.` is data in CSV, and not the end of it (release notes of 18).
_KEEPS_BACKSLASH_DOT = 180000
_end_mark = re.compile(rb"[\r\n]\\\.[\r\n]")

_GZIP = b"\x1f\x8b"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def add(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand `load`."""
    parser = subcommands.add_parser(
        "load",
        usage="neonps load [URL] TABLE FILE [--no-header] [--delimiter C] [--null TEXT]\n"
        "                   [--encoding E] [--transport T]",
        help="load a CSV file into a table",
        description="Load a CSV file into a table by COPY: all of its rows, or none. The first line has the names of "
        "the columns. Without URL, DATABASE_URL or the PG... variables say where.",
    )
    assert isinstance(parser, SubcommandParser)
    parser.add_argument(
        "arguments",
        metavar="URL, TABLE, FILE",
        nargs="*",
        help="where to connect to; the table, as SQL has it (schema.table); the file, or - for standard input",
    )
    parser.add_argument(
        "--no-header", action="store_true", help="the first line is data, for all columns of the table in their order"
    )
    parser.add_argument(
        "--delimiter", metavar="C", default=",", help="what separates values: one character, or \\t (default: ,)"
    )
    parser.add_argument(
        "--null", metavar="TEXT", default="", help="what stands for NULL, without quotes (default: nothing at all)"
    )
    parser.add_argument(
        "--encoding", metavar="E", default="UTF8", help="the encoding, as Postgres names it (default: UTF8)"
    )
    add_connection(parser)
    parser.set_defaults(run=run, parser=parser)


def run(options: argparse.Namespace, command: list[str] | None) -> int:
    """`neonps load`; gives the exit status."""
    from .identifiers import table_name

    fail: Callable[[str], NoReturn] = options.parser.error
    try:
        url, names = split_url(options.arguments + (command or []))
        if len(names) != 2:
            raise ValueError("a table and a file are needed, and nothing more but a URL in front of them")
        table = table_name(names[0])
        delimiter = _delimiter(options.delimiter)
        codec = _codec(options.encoding)
    except ValueError as error:
        fail(str(error))

    def action() -> None:
        with _source(names[1]) as (file, size):
            _load(options, url, table, delimiter, codec, file, size)

    return ended(NAME, action)


def _delimiter(text: str) -> str:
    delimiter = "\t" if text == "\\t" else text
    if len(delimiter) != 1 or not delimiter.isascii() or delimiter in '"\r\n\0':
        raise ValueError("--delimiter has to be one ASCII character, but no quote and no end of a line; or \\t")
    return delimiter


def _codec(encoding: str) -> str:
    """Python's name of the encoding, to read the header with."""
    from ..encodings import codec_of_text, python_codec
    from ..errors import NotSupportedError

    try:
        python_codec(encoding)
    except NotSupportedError:
        raise ValueError(f"--encoding: {encoding} is not known") from None
    return codec_of_text(encoding)


@contextmanager
def _source(path: str) -> Iterator[tuple[BinaryIO, int | None]]:
    """The file, and how many bytes it has, if that is known."""
    if path == STDIN:
        if sys.stdin is None:
            raise CommandError("standard input is closed")
        yield sys.stdin.buffer, None
        return
    with open(path, "rb") as file:
        size = file.seek(0, 2) if file.seekable() else 0
        if size:
            file.seek(0)
        yield file, size or None


def _load(
    options: argparse.Namespace,
    url: str | None,
    table: Composed,
    delimiter: str,
    codec: str,
    file: BinaryIO,
    size: int | None,
) -> None:
    from .connecting import connect
    from .csv_header import columns_of

    first = read(file, PIECE)
    if first.startswith(_GZIP):
        raise CommandError("the file is compressed: zcat FILE | neonps load TABLE -")
    if codec == "utf-8":
        first = first.removeprefix(_BYTE_ORDER_MARK)
    columns: list[str] = []
    if not options.no_header:
        columns, first = columns_of(first, file, delimiter, codec)
    with connect(url, options.transport) as connection:
        cursor = connection.cursor()
        statement = _statement(options, table, columns, delimiter)
        try:
            with Progress("bytes", size) as progress, cursor.copy(statement) as copy:
                _send(copy, first, file, progress, connection.info.server_version >= _KEEPS_BACKSLASH_DOT)
            print(cursor.statusmessage, flush=True)
        except KeyboardInterrupt as interrupt:
            if cursor.rowcount >= 0:  # it came when all was done
                interrupt.args = (_loaded(cursor.rowcount),)
            raise
        except OSError as error:
            if cursor.rowcount < 0:
                raise
            # Who takes that for failed would load the rows once more.
            abandon(sys.stdout)
            reason = message(error)
            complain(f"{NAME}: {_loaded(cursor.rowcount)}; standard output could not be written: {reason}")


def _loaded(rows: int) -> str:
    return "1 row is loaded" if rows == 1 else f"{rows} rows are loaded"


def _statement(options: argparse.Namespace, table: Composed, columns: list[str], delimiter: str) -> Composed:
    from ..sql import SQL, Identifier, Literal

    names = SQL(" ({})").format(SQL(", ").join(map(Identifier, columns))) if columns else SQL("")
    # The header is sent too, so that the server counts lines as the file has them.
    return SQL("copy {}{} from stdin (format csv, header {}, delimiter {}, null {}, encoding {})").format(
        table,
        names,
        SQL("false" if options.no_header else "true"),
        Literal(delimiter),
        Literal(options.null),
        Literal(options.encoding),
    )


def _send(copy: Copy, first: bytes, file: BinaryIO, progress: Progress, keeps_backslash_dot: bool) -> None:
    last = b"\n"  # of what was sent: a line that is looked for can begin there
    piece, sent = first, 0
    while piece and not copy.failed:
        if not keeps_backslash_dot:
            _check_for_end_mark(last + piece)
            last = (last + piece)[-3:]
        copy.write(piece)
        sent += len(piece)
        progress.update(sent)
        piece = read(file, PIECE)
    if not keeps_backslash_dot:
        _check_for_end_mark(last + b"\n")


def _check_for_end_mark(data: bytes) -> None:
    if _end_mark.search(data):
        raise CommandError(
            r"there is a line with nothing but \. in it, where PostgreSQL before version 18 stops reading; nothing was "
            r'loaded. Put it between quotes: "\."'
        )
