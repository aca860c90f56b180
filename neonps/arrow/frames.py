"""Tables of Arrow as frames of pandas."""

from __future__ import annotations

from binascii import b2a_hex
from itertools import repeat
from typing import Any

import numpy as np
import pandas
import pyarrow as pa

from ..uuids import uuid_maker

#: What pandas calls the types that a frame can have instead of NumPy's.
BACKENDS = ("numpy_nullable", "pyarrow")

#: pandas's types for what can be NULL.
_NULLABLE = {
    pa.int16(): pandas.Int16Dtype(),
    pa.int32(): pandas.Int32Dtype(),
    pa.int64(): pandas.Int64Dtype(),
    pa.uint32(): pandas.UInt32Dtype(),
    pa.bool_(): pandas.BooleanDtype(),
}
_ALL_NULLABLE = {
    **_NULLABLE,
    pa.float32(): pandas.Float32Dtype(),
    pa.float64(): pandas.Float64Dtype(),
    pa.string(): pandas.StringDtype(),
}

#: The digits of a uuid in hexadecimal that stand before each hyphen, and where these begin in its text.
_UUID_PARTS = ((0, 8, 0), (8, 12, 9), (12, 16, 14), (16, 20, 19), (20, 32, 24))
_UUID_TEXT = 36


def frame(table: pa.Table, backend: str | None) -> pandas.DataFrame:
    """A table as pandas has it.

    Args:
        table: the table.
        backend: one of `BACKENDS`; None keeps NumPy's types where nothing is lost by them.
    """
    columns = {number: _column(column, backend) for number, column in enumerate(table.columns)}
    made = pandas.DataFrame(columns, index=pandas.RangeIndex(table.num_rows), copy=False)
    made.columns = pandas.Index(table.column_names, dtype=made.columns.dtype if not columns else None)
    return made


def _column(column: pa.ChunkedArray, backend: str | None) -> Any:
    if column.type == pa.uuid():
        if backend != "pyarrow":
            return _uuid_objects(column)
        # pandas cannot compare what is of a type that Arrow calls an extension.
        column = pa.chunked_array([uuid_text(chunk) for chunk in column.chunks], pa.string())
    if backend == "pyarrow":
        return column.to_pandas(types_mapper=_arrow_type)
    if _has_integers_and_nulls(column):  # pandas would make floats of them
        return pandas.Series(column.to_pylist(), dtype=object)
    if backend == "numpy_nullable":
        return column.to_pandas(types_mapper=_ALL_NULLABLE.get)
    return column.to_pandas(types_mapper=_NULLABLE.get if column.null_count else None)


def _has_integers_and_nulls(column: pa.ChunkedArray) -> bool:
    """Whether it is of arrays of integers, with NULL in one of them."""
    if not pa.types.is_list(column.type):
        return False
    values = column
    while pa.types.is_list(values.type):
        values = pa.chunked_array([chunk.flatten() for chunk in values.chunks], values.type.value_type)
    return bool(pa.types.is_integer(values.type)) and values.null_count > 0


def _arrow_type(kind: pa.DataType) -> pandas.ArrowDtype | None:
    # A frame with an interval of Arrow cannot even be printed.
    return None if kind == pa.month_day_nano_interval() else pandas.ArrowDtype(kind)


def _uuid_objects(column: pa.ChunkedArray) -> Any:
    make = uuid_maker()
    if make is None:
        return column.to_pandas()
    made = np.empty(len(column), object)
    at = 0
    for chunk in column.chunks:
        data = chunk.drop_null().storage.to_numpy(zero_copy_only=False)
        numbers = [*map(int.from_bytes, data, repeat("big"))]  # type: ignore[arg-type]
        there = np.asarray(chunk.is_valid()) if chunk.null_count else slice(None)
        made[at : at + len(chunk)][there] = make(numbers)
        at += len(chunk)
    return pandas.Series(made, dtype=object, copy=False)


def uuid_text(array: pa.Array) -> pa.Array:
    """An array of uuids as one of strings, as Postgres prints them."""
    count = len(array)
    storage = array.storage
    data = storage.buffers()[1]
    start = storage.offset * 16
    digits = np.frombuffer(b2a_hex(memoryview(data)[start : start + count * 16]), np.uint8).reshape(count, 32)
    text = np.full((count, _UUID_TEXT), ord("-"), np.uint8)
    for first, last, at in _UUID_PARTS:
        text[:, at : at + last - first] = digits[:, first:last]
    offsets = pa.py_buffer(np.arange(0, (count + 1) * _UUID_TEXT, _UUID_TEXT, dtype=np.int32))
    validity = None
    if array.null_count:
        validity = pa.py_buffer(np.packbits(np.asarray(array.is_valid()), bitorder="little"))
    return pa.Array.from_buffers(pa.string(), count, [validity, offsets, pa.py_buffer(text)])
