"""Results as Parquet, with columns of the types that the server has said."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from io import RawIOBase
from itertools import chain
from typing import Any, BinaryIO

from ..column import Column
from ..connection import Connection
from ..protocol.result import FieldDescription, Result
from .json_rows import check_names
from .report import CommandError

#: How many rows are converted at a time.
ROWS_AT_A_TIME = 1 << 15

#: How many rows, or how many bytes, become a row group of the file.
GROUP_ROWS = 1 << 17
GROUP_BYTES = 1 << 25

#: Parquet has no type for intervals that pyarrow would write, so these and their arrays become text.
_TEXT_INSTEAD = {1186: 25, 1187: 1009}

#: numeric and its arrays; hardly anybody reads longer decimals than those of 38 digits.
_NUMERICS = frozenset({1700, 1231})
_MOST_BITS = 128


def require_pyarrow() -> None:
    """Check that pyarrow, which writes Parquet, is installed.

    Raises:
        CommandError: it is not.
    """
    try:
        import numpy  # noqa: F401
        import pyarrow.parquet  # noqa: F401
    except ImportError as error:
        missing = "numpy" if "numpy" in str(error) else "pyarrow"
        raise CommandError(f"--parquet needs {missing}: pip install 'neonps[arrow]'") from None


def write_parquet(
    columns: Sequence[Column], results: Iterator[Result], connection: Connection[Any], file: BinaryIO
) -> None:
    """Write the rows in pieces that fit into memory.

    Args:
        columns: of the results.
        results: the rows, one or some megabytes in each.
        connection: where they come from.
        file: where to.

    Raises:
        CommandError: two columns have the same name.
        DataError: a value is not what the type of its column can hold.
    """
    import pyarrow as pa
    from pyarrow import parquet

    from ..arrow.reading import Session
    from ..arrow.rows import Part
    from ..arrow.tables import BatchMaker

    check_names(columns)
    # Whoever reads the file knows nothing of the session, so that its time zone would be one of many.
    session = replace(Session.of(connection.cursor()), time_zone="UTC")
    maker = BatchMaker([_storable(column._field) for column in columns], session)
    batches = (batch for result in results for batch in maker.batches(Part(result, 0, result.ntuples), ROWS_AT_A_TIME))
    first = next(batches, None) or maker.empty()
    group: list[Any] = []
    rows = size = 0
    target = _Target()
    with parquet.ParquetWriter(target, first.schema) as writer:
        for batch in chain([first], batches):
            group.append(batch)
            rows += batch.num_rows
            size += batch.nbytes
            if rows >= GROUP_ROWS or size >= GROUP_BYTES:
                writer.write_table(pa.Table.from_batches(group))
                target.move_to(file)
                group.clear()
                rows = size = 0
        if rows:
            writer.write_table(pa.Table.from_batches(group))
    target.move_to(file)


def _storable(field: FieldDescription) -> FieldDescription:
    """The same column as something that those who read Parquet have a type for; else it is text."""
    from ..arrow import decimals

    if field.type_oid in _NUMERICS:
        kind = decimals.declared(field.type_modifier)
        return field if kind is None or kind.bit_width <= _MOST_BITS else field._replace(type_modifier=-1)
    return field._replace(type_oid=_TEXT_INSTEAD.get(field.type_oid, field.type_oid))


class _Target(RawIOBase):
    """Collects what a writer writes, until it is moved to where it belongs.

    A writer that fails, is interrupted or deleted writes the end of the file all the same: with that, some of the rows
    would pass for all. So nothing gets to the file unless all of a call of the writer has gone well.
    """

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0

    def move_to(self, file: BinaryIO) -> None:
        """Write to a file what was collected."""
        for piece in self._pieces:
            file.write(piece)
        self._pieces.clear()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._pieces.append(bytes(data))
        self._size += len(data)
        return len(data)

    def tell(self) -> int:
        return self._size
