"""What a statement has brought, before it is turned into Python values; the same on every transport."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from ..pq import ExecStatus


class FieldDescription(NamedTuple):
    """One column of a result, as RowDescription has it (PostgreSQL docs 53.7)."""

    name: str
    table_oid: int
    column_number: int
    type_oid: int
    type_size: int
    type_modifier: int
    format: int


RawRow = Sequence["bytes | None"]


class Result:
    """The outcome of one statement: its columns, its raw rows, and its command tag.

    Args:
        status: what kind of outcome it is.
        fields: the columns; None when the statement returns no rows.
        command_tag: such as "INSERT 0 1"; "" when there is none.
    """

    __slots__ = ("command_tag", "fields", "status")

    def __init__(self, status: ExecStatus, fields: list[FieldDescription] | None = None, command_tag: str = "") -> None:
        self.status = status
        self.fields = fields
        self.command_tag = command_tag

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.status.name} {self.command_tag!r} {self.ntuples} rows>"

    @property
    def ntuples(self) -> int:
        """The number of rows that are here."""
        return 0

    @property
    def nfields(self) -> int:
        """The number of columns."""
        return len(self.fields or ())

    @property
    def command_tuples(self) -> int | None:
        """The number of rows that the command says it has touched or returned, if it says any."""
        last = self.command_tag.rpartition(" ")[2]
        return int(last) if last.isdecimal() else None

    def rows(self, start: int = 0, stop: int | None = None) -> Iterator[RawRow]:
        """The raw rows from number `start` up to `stop`; a value is bytes, or None for NULL."""
        return iter(())

    def get_value(self, row: int, column: int) -> bytes | None:
        """The raw value at `row` and `column`, both counted from 0."""
        for values in self.rows(row, row + 1):
            return values[column]
        raise IndexError(f"row {row} out of {self.ntuples}")


class ListResult(Result):
    """A result whose rows are there as a list of raw values."""

    __slots__ = ("_rows",)

    def __init__(
        self, status: ExecStatus, fields: list[FieldDescription] | None, command_tag: str, rows: list[RawRow]
    ) -> None:
        super().__init__(status, fields, command_tag)
        self._rows = rows

    @property
    def ntuples(self) -> int:
        return len(self._rows)

    def rows(self, start: int = 0, stop: int | None = None) -> Iterator[RawRow]:
        return islice(self._rows, start, stop)
