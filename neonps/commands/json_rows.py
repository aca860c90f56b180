"""Results as JSON: an object per row, whose values say exactly what the server has said."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from json.encoder import encode_basestring as quoted
from typing import TYPE_CHECKING, Any

from .report import CommandError
from .shown import json_safe

if TYPE_CHECKING:
    from ..column import Column
    from ..typeinfo import TypesRegistry
    from .table import Row

#: Gives a value as JSON.
_ToJson = Callable[[str], str]

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?", re.ASCII)
_TIMESTAMP = re.compile(
    r"(?P<date>\d{4,}-\d\d-\d\d) (?P<time>[\d:.]+)(?P<offset>[-+]\d\d)?(?P<rest>:[\d:]+)?", re.ASCII
)


def write_json(
    columns: Sequence[Column], rows: Iterator[Row], write: Callable[[str], object], types: TypesRegistry
) -> None:
    """Write one array of objects. For the arguments see `write_json_lines()`."""
    between = "[\n"
    for line in _objects(columns, rows, types):
        write(between + line)
        between = ",\n"
    write("[]\n" if between == "[\n" else "\n]\n")


def write_json_lines(
    columns: Sequence[Column], rows: Iterator[Row], write: Callable[[str], object], types: TypesRegistry
) -> None:
    """Write a line with an object for each row.

    Args:
        columns, rows: the result.
        write: takes the text.
        types: where it is looked up which types are arrays.

    Raises:
        CommandError: two columns have the same name.
    """
    for line in _objects(columns, rows, types):
        write(line + "\n")


def check_names(columns: Sequence[Column]) -> None:
    """Refuse columns that have the same name.

    Raises:
        CommandError: there are such.
    """
    twice = [name for name, count in Counter(column.name for column in columns).items() if count > 1]
    if twice:
        raise CommandError(f'several columns are named "{twice[0]}": give them different names, with AS')


def _objects(columns: Sequence[Column], rows: Iterator[Row], types: TypesRegistry) -> Iterator[str]:
    check_names(columns)
    members = [(quoted(column.name) + ": ", _converter(column.type_code, types)) for column in columns]
    for row in rows:
        values = zip(members, row, strict=True)
        line = ", ".join([name + ("null" if value is None else to_json(value)) for (name, to_json), value in values])
        yield "{" + json_safe(line) + "}"


def _converter(oid: int, types: TypesRegistry) -> _ToJson:
    if oid in _CONVERTERS:
        return _CONVERTERS[oid]
    info = types.get(oid)
    if info is not None and oid == info.array_oid:
        return partial(_array, info.delimiter.encode(), _converter(info.oid, types))
    return quoted


def _number(value: str) -> str:
    """A number in as many digits as there are; NaN and infinity, which JSON has not, are strings."""
    return value if _NUMBER.fullmatch(value) else quoted(value)


def _boolean(value: str) -> str:
    return {"t": "true", "f": "false"}[value]


def _json(value: str) -> str:
    """JSON as it is, on one line: line ends are not part of its strings."""
    return value.replace("\r", " ").replace("\n", " ")


def _timestamp(value: str) -> str:
    """A timestamp as ISO 8601 has it; what it has not (`infinity`, years B.C.) stays as it is."""
    match = _TIMESTAMP.fullmatch(value)
    if match is None:
        return quoted(value)
    offset = match["offset"]
    minutes = match["rest"] or (":00" if offset else "")
    return f'"{match["date"]}T{match["time"]}{offset or ""}{minutes}"'


def _array(delimiter: bytes, to_json: _ToJson, value: str) -> str:
    from ..types.array_text import parse

    return _nested(parse(value.encode(), delimiter, lambda element: to_json(element.decode())))


def _nested(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(map(_nested, value)) + "]"
    return "null" if value is None else str(value)


_CONVERTERS: dict[int, _ToJson] = {
    16: _boolean,
    **dict.fromkeys((20, 21, 23, 26, 700, 701, 1700), _number),  # int8, int2, int4, oid, float4, float8, numeric
    **dict.fromkeys((114, 3802), _json),  # json, jsonb
    **dict.fromkeys((1114, 1184), _timestamp),  # timestamp, timestamptz
}
