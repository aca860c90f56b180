"""What a statement has brought, before it is turned into Python values; the same on every transport."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from ..decimal_number import decimal_number
from ..pq import ExecStatus
from ..record import Record

if TYPE_CHECKING:
    from ..transformer import Transformer

Row = TypeVar("Row")


class FieldDescription(Record):
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
        return decimal_number(self.command_tag.rpartition(" ")[2])

    def rows(self, start: int = 0, stop: int | None = None) -> Iterator[RawRow]:
        """The raw rows from number `start` up to `stop`; a value is bytes, or None for NULL."""
        return iter(())

    def load_rows(
        self, transformer: Transformer, make_row: Callable[[Sequence[Any]], Row], start: int, stop: int
    ) -> list[Row]:
        """What `make_row` makes of the Python objects of the rows from number `start` up to `stop`.

        Args:
            transformer: knows how to load the columns.
            make_row: is called with the tuple of the objects of each row.
            start, stop: as for `rows()`; there are as many.

        Raises:
            DataError: Python cannot hold a value.
        """
        return transformer.load_rows(self.rows(start, stop), make_row)

    # The rest is what libpq offers, in the form that psycopg has it.

    def get_value(self, row_number: int, column_number: int) -> bytes | None:
        """The raw value at a row and a column, both counted from 0; None also where there is none."""
        if not (0 <= column_number < self.nfields and 0 <= row_number < self.ntuples):
            return None
        return next(self.rows(row_number, row_number + 1))[column_number]

    @property
    def command_status(self) -> bytes | None:
        """The command tag, as bytes."""
        return self.command_tag.encode()

    @property
    def oid_value(self) -> int:
        """Always 0: rows have no OID any more."""
        return 0

    @property
    def nparams(self) -> int:
        """Always 0: statements are not described."""
        return 0

    @property
    def binary_tuples(self) -> int:
        """1 if all columns are in binary format, else 0."""
        return int(bool(self.fields) and all(field.format for field in self.fields or ()))

    @property
    def error_message(self) -> bytes:
        """The error and its severity; b"" if there is none."""
        return b""

    def get_error_message(self, encoding: str = "utf-8") -> str:
        """The error; "" if there is none."""
        return ""

    def error_field(self, fieldcode: int) -> bytes | None:
        """A field of the error (see `neonps.pq.DiagnosticField`); None if there is none."""
        return None

    def fname(self, column_number: int) -> bytes | None:
        """The name of a column; None where there is none."""
        field = self._field(column_number)
        return None if field is None else field.name.encode()

    def ftype(self, column_number: int) -> int:
        """The OID of the type of a column; 0 where there is none."""
        field = self._field(column_number)
        return 0 if field is None else field.type_oid

    def fmod(self, column_number: int) -> int:
        """The type modifier of a column; 0 where there is none."""
        field = self._field(column_number)
        return 0 if field is None else field.type_modifier

    def fsize(self, column_number: int) -> int:
        """The size of the type of a column, in bytes, negative if it varies; 0 where there is none."""
        field = self._field(column_number)
        return 0 if field is None else field.type_size

    def fformat(self, column_number: int) -> int:
        """The format of a column; 0 where there is none."""
        field = self._field(column_number)
        return 0 if field is None else field.format

    def ftable(self, column_number: int) -> int:
        """The OID of the table that a column comes from; 0 where there is none."""
        field = self._field(column_number)
        return 0 if field is None else field.table_oid

    def ftablecol(self, column_number: int) -> int:
        """The number of the column in that table, from 1; 0 where there is none."""
        field = self._field(column_number)
        return 0 if field is None else field.column_number

    def _field(self, number: int) -> FieldDescription | None:
        fields = self.fields or []
        return fields[number] if 0 <= number < len(fields) else None

    def clear(self) -> None:
        """Does nothing: the garbage collector frees results."""


class ErrorResult(Result):
    """The outcome of a statement that has failed.

    Args:
        error_fields: what the server says, by field code (PostgreSQL docs 53.8).
    """

    __slots__ = ("_error_fields",)

    def __init__(self, error_fields: Mapping[str, str]) -> None:
        super().__init__(ExecStatus.FATAL_ERROR)
        self._error_fields = error_fields

    @property
    def error_message(self) -> bytes:
        return f"{self._error_fields.get('S', 'ERROR')}:  {self.get_error_message()}\n".encode()

    def get_error_message(self, encoding: str = "utf-8") -> str:
        return self._error_fields.get("M", "")

    def error_field(self, fieldcode: int) -> bytes | None:
        value = self._error_fields.get(chr(fieldcode))
        return None if value is None else value.encode()
