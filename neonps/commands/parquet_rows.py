"""Results as Parquet, with columns of the types that the server has said."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from io import RawIOBase
from typing import Any, BinaryIO

from ..adapters_map import AdaptersMap
from ..column import Column
from ..postgres import adapters as default_adapters
from ..pq import Format
from .json_rows import check_names
from .report import CommandError
from .result import next_rows, text_adapters

#: How many rows, or how much text in characters, are converted at a time.
ROWS_AT_A_TIME = 4096
SIZE_AT_A_TIME = 1 << 22

#: How many rows, or how many bytes, become a row group of the file.
GROUP_ROWS = 1 << 17
GROUP_BYTES = 1 << 25

_NUMERIC_OID = 1700
_UUID_OID = 2950

#: What a decimal128 of Arrow holds; numbers that can have more digits are text.
_MOST_DIGITS = 38

#: The type of Arrow for each type that has one whatever the column. All others are text.
_TYPES: dict[int, Callable[[Any], Any]] = {
    16: lambda pa: pa.bool_(),
    17: lambda pa: pa.binary(),  # bytea
    20: lambda pa: pa.int64(),
    21: lambda pa: pa.int16(),
    23: lambda pa: pa.int32(),
    26: lambda pa: pa.uint32(),  # oid
    700: lambda pa: pa.float32(),
    701: lambda pa: pa.float64(),
    1082: lambda pa: pa.date32(),
    1083: lambda pa: pa.time64("us"),
    1114: lambda pa: pa.timestamp("us"),
    1184: lambda pa: pa.timestamp("us", tz="UTC"),
}


def require_pyarrow() -> None:
    """Check that pyarrow, which writes Parquet, is installed.

    Raises:
        CommandError: it is not.
    """
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError:
        raise CommandError("--parquet needs pyarrow: pip install 'neonps[arrow]'") from None


def parquet_adapters() -> AdaptersMap:
    """Adapters with which values are what `write_parquet()` takes: Python objects, and text for what Arrow has not.

    What is of type numeric or uuid is text too, since not every column of these becomes numbers or bytes.
    """
    adapters = text_adapters()
    arrays = [info.array_oid for info in default_adapters.types if info.array_oid]
    for oid in (*_TYPES, *arrays):
        loader = default_adapters.get_loader(oid, Format.TEXT)
        assert loader is not None
        adapters.register_loader(oid, loader)
    return adapters


def write_parquet(columns: Sequence[Column], rows: Iterator[tuple[Any, ...]], file: BinaryIO) -> None:
    """Write the rows in pieces that fit into memory.

    Args:
        columns, rows: the result, loaded by `parquet_adapters()`.
        file: where to.

    Raises:
        CommandError: two columns have the same name, or a value is not what the type of its column can hold.
    """
    import pyarrow as pa
    from pyarrow import parquet

    check_names(columns)
    types = [_arrow_type(pa, column) for column in columns]
    schema = pa.schema([(column.name, type) for column, type in zip(columns, types, strict=True)])
    group: list[Any] = []
    with parquet.ParquetWriter(_Counted(file), schema) as writer:
        while chunk := next_rows(rows, ROWS_AT_A_TIME, SIZE_AT_A_TIME):
            group.append(_batch(pa, schema, chunk))
            if sum(b.num_rows for b in group) >= GROUP_ROWS or sum(b.nbytes for b in group) >= GROUP_BYTES:
                writer.write_table(pa.Table.from_batches(group, schema))
                group.clear()
        if group:
            writer.write_table(pa.Table.from_batches(group, schema))


def _batch(pa: Any, schema: Any, rows: list[tuple[Any, ...]]) -> Any:
    arrays = []
    for field, values in zip(schema, zip(*rows, strict=True), strict=True):
        convert = _converter(pa, field.type)
        try:
            arrays.append(pa.array(map(convert, values) if convert else values, type=field.type, size=len(values)))
        except (pa.ArrowException, ArithmeticError, ValueError, TypeError):
            raise CommandError(f'column "{field.name}" has a value that is no {field.type}: cast it to text') from None
    return pa.record_batch(arrays, schema=schema)


def _converter(pa: Any, type: Any) -> Callable[[Any], Any] | None:
    """What makes of a value the object that Arrow takes for the type; None if it takes the value."""
    if pa.types.is_list(type):
        convert = _converter(pa, type.value_type)
        return convert and (lambda value: None if value is None else [convert(element) for element in value])
    if pa.types.is_decimal(type):
        return lambda value: None if value is None else Decimal(value)
    if type == pa.uuid():
        return lambda value: None if value is None else bytes.fromhex(value.replace("-", ""))
    return None


def _arrow_type(pa: Any, column: Column) -> Any:
    info = default_adapters.types.get(column.type_code)
    if info is not None and column.type_code == info.array_oid:
        return pa.list_(_plain_type(pa, info.oid, column))
    return pa.uuid() if column.type_code == _UUID_OID else _plain_type(pa, column.type_code, column)


def _plain_type(pa: Any, oid: int, column: Column) -> Any:
    precision, scale = column.precision, column.scale
    if oid == _NUMERIC_OID and precision is not None and scale is not None and 0 <= scale <= _MOST_DIGITS >= precision:
        return pa.decimal128(max(precision, scale), scale)
    return _TYPES.get(oid, lambda pa: pa.string())(pa)


class _Counted(RawIOBase):
    """A file that knows how much was written to it; a pipe does not."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._file.write(data)
        self._size += len(data)
        return len(data)

    def tell(self) -> int:
        return self._size
