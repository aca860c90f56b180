"""What a statement brings, as the subcommands have it: columns, and rows of the server's own text."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from itertools import chain
from typing import Any, NamedTuple, cast

from ..abc import AdaptContext, Buffer
from ..adapt import Loader
from ..adapters_map import AdaptersMap
from ..column import Column
from ..connection import Connection
from ..cursor import Cursor
from ..encodings import text_codec
from ..errors import ProgrammingError
from ..postgres import adapters as default_adapters
from ..types.none import NoneDumper
from ..types.string import StrDumperUnknown

_UNKNOWN_OID = 0


class Outcome(NamedTuple):
    """What a statement has come to.

    Attributes:
        columns: the columns; None if it returns no rows.
        rows: the rows, as they arrive; of `arrow_outcome_of()`, results of many rows each.
        tag: the server's command tag, where there are no rows.
    """

    columns: Sequence[Column] | None
    rows: Iterator[Any]
    tag: str


class ServerTextLoader(Loader):
    """Gives values as the text that the server has sent."""

    def __init__(self, oid: int, context: AdaptContext | None = None) -> None:
        super().__init__(oid, context)
        self._codec = text_codec(self.connection)

    def load(self, data: Buffer) -> str:
        return str(data, self._codec, "backslashreplace")


def text_adapters() -> AdaptersMap:
    """Adapters with which every value is the server's text, and parameters are text of which it finds out the type."""
    adapters = AdaptersMap(types=default_adapters.types)
    adapters.register_loader(_UNKNOWN_OID, ServerTextLoader)
    adapters.register_dumper(str, StrDumperUnknown)
    adapters.register_dumper(type(None), NoneDumper)
    return adapters


def outcome_of(
    connection: Connection[Any], statement: str, params: Mapping[str, str | None] | None
) -> AbstractContextManager[Outcome]:
    """Run a statement. If its rows are not all taken at the end of the block, the server is told to stop.

    Raises:
        Error: what the server has answered, here or when rows are taken.
    """
    cursor = connection.cursor()
    rows = cast("Generator[tuple[Any, ...], None, None]", cursor.stream(statement, params))
    return outcome_from(cursor, rows)


@contextmanager
def outcome_from(cursor: Cursor[Any], rows: Generator[Any, None, None]) -> Iterator[Outcome]:
    """Have the first rows come, which is when a statement is run; `rows` is closed at the end of the block.

    Args:
        cursor: what runs the statement.
        rows: what gives the rows.

    Raises:
        Error: what the server has answered, here or when rows are taken.
    """
    with closing(rows):
        first: list[Any] = []
        try:
            first += [next(rows)]
        except StopIteration:
            pass
        except ProgrammingError as error:
            if error.sqlstate is not None or cursor.pgresult is None:
                raise
            # It was run, and there is nothing to stream.
        columns = cursor.description
        yield Outcome(columns, chain(first, rows), "" if columns is not None else cursor.statusmessage or "")


def next_rows(rows: Iterator[tuple[Any, ...]], count: int, size: int) -> list[tuple[Any, ...]]:
    """The rows that are next, as many as should be in memory at once.

    Args:
        rows: where from.
        count: how many at most.
        size: how much text, in characters, is enough.
    """
    found: list[tuple[Any, ...]] = []
    for row in rows:
        found.append(row)
        size -= sum([len(value) for value in row if isinstance(value, (str, bytes, list))])
        if len(found) >= count or size <= 0:
            break
    return found
