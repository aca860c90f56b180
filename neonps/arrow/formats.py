"""The format to ask for each column in, so that Arrow's arrays are made with the least effort."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..postgres import adapters as default_adapters
from ..pq import Format
from ..typemod import NumericTypeModifier

if TYPE_CHECKING:
    from ..adapters_map import AdaptersMap
    from ..transformer import Field

_NUMERIC_OID = 1700

#: Numbers of so many digits are read from binary all at once; of more, one by one.
_FEW_DIGITS = 15

#: bool, bytea, int8, int2, int4, oid, float4, float8, date, time, timestamp, timestamptz, interval, uuid: what comes in
#: binary as Arrow has it, or nearly so. Others are text in both formats, or Postgres knows best how to write them.
_CHEAPER_IN_BINARY = frozenset({16, 17, 20, 21, 23, 26, 700, 701, 1082, 1083, 1114, 1184, 1186, 2950})


def arrow_formats(columns: Sequence[Field], adapters: AdaptersMap) -> list[int]:
    """The format for each column, 0 for text or 1 for binary.

    Args:
        columns: what is certain to be the columns of a result.
        adapters: what loads the rows if they are fetched as Python objects after all: a column is asked for in binary
            only if that makes no difference then.
    """
    return [int(_is_cheaper(column) and _is_usual(column.type_oid, adapters)) for column in columns]


def _is_cheaper(column: Field) -> bool:
    if column.type_oid != _NUMERIC_OID:
        return column.type_oid in _CHEAPER_IN_BINARY
    precision = NumericTypeModifier(_NUMERIC_OID).get_precision(column.type_modifier)
    return precision is not None and precision <= _FEW_DIGITS


def _is_usual(oid: int, adapters: AdaptersMap) -> bool:
    return all(
        adapters.get_loader(oid, format) is default_adapters.get_loader(oid, format)
        for format in (Format.TEXT, Format.BINARY)
    )
