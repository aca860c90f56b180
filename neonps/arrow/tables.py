"""Tables and record batches of the rows of results."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from ..protocol.result import FieldDescription
from .columns import ColumnReader
from .reading import Session
from .rows import Block, Part, blocks
from .values import Values

#: How many bytes of rows become a piece of a table at once: enough that what is done once for each does not count, and
#: few enough that a processor's cache holds a good part of it.
_TABLE_BYTES = 1 << 20

#: A record batch is not made larger than this, however few rows that are.
_BATCH_BYTES = 1 << 26

_NO_LIMIT = 1 << 62


def table(fields: Sequence[FieldDescription], parts: Sequence[Part], session: Session) -> Any:
    """A table of all the rows.

    Args:
        fields: the columns.
        parts: the rows.
        session: what the session says of the values.

    Raises:
        DataError: Arrow cannot hold a value.
    """
    readers = [ColumnReader(field, session, streamed=False) for field in fields]
    pieces: list[list[Any]] = [[] for _ in fields]
    rows = 0
    for part in parts:
        formats = _formats(part)
        for block in blocks(part, _NO_LIMIT, _TABLE_BYTES):
            rows += block.rows
            for reader, values, format, arrays in zip(readers, block.columns, formats, pieces, strict=True):
                arrays.append(reader.read(values, format))
    if not fields:
        return pa.Table.from_batches([_without_columns(rows)])
    columns = []
    for field, reader, arrays in zip(fields, readers, pieces, strict=True):
        if not arrays:
            arrays.append(reader.read(_nothing(), field.format))
        kind = reader.common_type([array.type for array in arrays])
        columns.append(pa.chunked_array([reader.conformed(array, kind) for array in arrays], kind))
    return pa.table(columns, names=[field.name for field in fields])


class BatchMaker:
    """Makes record batches of one schema.

    Args:
        fields: the columns.
        session: what the session says of the values.
    """

    def __init__(self, fields: Sequence[FieldDescription], session: Session) -> None:
        self._fields = fields
        self._readers = [ColumnReader(field, session, streamed=True) for field in fields]
        self._schema: Any = None

    def batches(self, part: Part, size: int) -> Iterator[Any]:
        """The rows in batches.

        Args:
            part: the rows.
            size: how many a batch has at most.

        Raises:
            DataError: Arrow cannot hold a value.
        """
        formats = _formats(part)
        for block in blocks(part, size, _BATCH_BYTES):
            yield self._batch(block, formats)

    def empty(self) -> Any:
        """A batch without rows."""
        formats = [field.format for field in self._fields]
        return self._batch(Block(0, [_nothing() for _ in self._fields]), formats)

    def _batch(self, block: Block, formats: Sequence[int]) -> Any:
        if not self._fields:
            return _without_columns(block.rows)
        arrays = [
            reader.read(values, format)
            for reader, values, format in zip(self._readers, block.columns, formats, strict=True)
        ]
        if self._schema is None:
            names = [field.name for field in self._fields]
            self._schema = pa.schema([pa.field(name, array.type) for name, array in zip(names, arrays, strict=True)])
        arrays = [
            reader.conformed(array, field.type)
            for reader, array, field in zip(self._readers, arrays, self._schema, strict=True)
        ]
        return pa.RecordBatch.from_arrays(arrays, schema=self._schema)


def _formats(part: Part) -> list[int]:
    return [field.format for field in part.result.fields or ()]


def _nothing() -> Values:
    return Values(b"", np.zeros(0, np.int64), np.zeros(0, np.int64))


def _without_columns(rows: int) -> Any:
    return pa.RecordBatch.from_struct_array(pa.StructArray.from_buffers(pa.struct([]), rows, [None]))
