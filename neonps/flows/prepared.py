"""Statements that are prepared on the server once they have been run often enough."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from ..events import DEBUG, log
from ..pq import ExecStatus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..protocol.result import FieldDescription, Result
    from ..query import PostgresQuery
    from ..settings import Settings

#: What makes a statement: its text, and the types of its parameters.
Key = tuple[bytes, "tuple[int, ...]"]

#: What can make the server's plans wrong, so that all statements are prepared anew.
_OUTDATES = ("DROP", "ALTER", "ROLLBACK")

#: The server has forgotten all statements.
_FORGOTTEN = frozenset({"DISCARD ALL", "DEALLOCATE ALL"})

#: SQLSTATEs of a statement that the server does not know (any more), or that returns other columns than it did.
_UNUSABLE = frozenset({"26000", "0A000"})


#: Fewer rows are as quick to load in text format, what it takes to choose formats included.
MANY_ROWS = 32

#: From so many rows on, loading a result takes so long that the statement is worth to be prepared the next time.
_THOUSANDS = 2000


class PreparedStatements:
    """The statements of a session that are prepared, or are on their way to it.

    A name is in use from the moment that it is given: what fails afterwards has to be told by `failed`.

    Attributes:
        threshold: how many times a statement is run before it is prepared; None never prepares one.
        maximum: how many statements are remembered; None for no limit.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.threshold: int | None = 5
        self.maximum: int | None = 100
        self._counts: OrderedDict[Key, int] = OrderedDict()
        self._names: OrderedDict[Key, bytes] = OrderedDict()
        self._columns: dict[bytes, list[FieldDescription]] = {}  # by name, if there were many rows the last time
        self._for_arrow: set[bytes] = set()  # the names of those whose rows became columns of Arrow the last time
        self._number = 0
        self.discarded: list[bytes] = []  # names that the server still has, to be closed on occasion

    def choose(self, query: PostgresQuery, prepare: bool | None) -> tuple[bytes, bool]:
        """Under which name to run a statement, b"" for none, and whether the server has it already.

        Args:
            query: the statement.
            prepare: prepare it now (True), never (False), or when it is time (None).
        """
        if self.threshold is None or prepare is False:
            return b"", False
        key = _key(query)
        name = self._names.get(key)
        if name is not None:
            self._names.move_to_end(key)
            return name, True
        if not prepare and self._counts.get(key, 0) < self.threshold:
            return b"", False
        self._counts.pop(key, None)
        name = self._names[key] = b"_pg3_%d" % self._number
        self._number += 1
        return name, False

    def result_formats(self, query: PostgresQuery, name: bytes, binary: bool) -> Sequence[int]:
        """The formats to ask for the columns of a statement in.

        What a statement returns is certain as long as the server has it prepared, so each column can have its own.

        Args:
            query: the statement.
            name: under which it is run, as `choose` says.
            binary: results are asked for in binary format.
        """
        columns = None if binary else self._columns.get(name)
        if columns is None:
            return (int(binary),)
        return query.result_formats(columns, for_arrow=name in self._for_arrow)

    def trim(self) -> None:
        """Discard the statements that are too many, those first that were not used for the longest time."""
        if self.maximum is None:
            return
        while len(self._names) > self.maximum:
            self._discard(self._names.popitem(last=False)[1])
            log(DEBUG, "prepared statement evicted", self._settings, prepared_max=self.maximum)

    def count(self, query: PostgresQuery, ntuples: int = 0) -> None:
        """Take note that a statement was run without a name, and has returned `ntuples` rows."""
        key = _key(query)
        if self.threshold is None or key in self._names:
            return
        times = self._counts.pop(key, 0) + 1
        self._counts[key] = times if ntuples < _THOUSANDS else max(times, self.threshold)
        while self.maximum is not None and len(self._counts) > self.maximum:
            self._counts.popitem(last=False)

    def succeeded(self, query: PostgresQuery, name: bytes, results: Sequence[Result]) -> None:
        """Take note of how a statement went."""
        if not name and len(results) == 1 and results[0].status is not ExecStatus.EMPTY_QUERY:
            self.count(query, results[0].ntuples)
        self._columns.pop(name, None)
        self._for_arrow.discard(name)
        if name and results[0].fields is not None and results[0].ntuples >= MANY_ROWS:
            self._columns[name] = results[0].fields
        self.trim()

    def became_arrow(self, query: PostgresQuery) -> None:
        """Take note that the rows of a statement became columns of Arrow, as those of its next run may too."""
        name = self._names.get(_key(query))
        if name is not None:
            self._for_arrow.add(name)

    def failed(self, query: PostgresQuery, name: bytes, known: bool, sqlstate: str | None) -> None:
        """Take note that a statement has failed: nobody knows whether it is prepared if it was not before."""
        if name and (not known or sqlstate in _UNUSABLE):
            self.distrust({name})

    def distrust(self, names: set[bytes]) -> None:
        """Forget statements of which nobody knows whether they are prepared, and have them closed if they are."""
        for key, name in list(self._names.items()):
            if name in names:
                del self._names[key]
                self._discard(name)

    def heed(self, command_tag: str) -> None:
        """Take note of a command that was completed, for what it does to prepared statements."""
        if command_tag in _FORGOTTEN:
            self._names.clear()
            self._columns.clear()
            self._for_arrow.clear()
            self.discarded.clear()
        elif self._names and command_tag.startswith(_OUTDATES):
            log(DEBUG, "prepared statements outdated", self._settings, count=len(self._names), by=command_tag)
            for name in self._names.values():
                self._discard(name)
            self._names.clear()

    def _discard(self, name: bytes) -> None:
        self._columns.pop(name, None)
        self._for_arrow.discard(name)
        self.discarded.append(name)


def _key(query: PostgresQuery) -> Key:
    return query.query, query.types
