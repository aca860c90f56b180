"""Which reader a column needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pyarrow as pa

from ..errors import DataError
from ..formats import PyFormat
from ..pq import Format
from ..protocol.result import FieldDescription
from . import decimals, lists, moments, plain
from .reading import Reader, Session, as_binary, as_text, each_loaded, parsed
from .values import Unreadable, Values

_NUMERIC_OID = 1700

#: For the types that Arrow has: what makes the reader for text, and for binary. Others become strings.
_READERS: dict[int, tuple[Callable[[Session], Reader], Callable[[Session], Reader]]] = {
    16: (lambda s: plain.bool_from_text, lambda s: plain.bool_from_binary),
    17: (lambda s: plain.bytea_from_text, lambda s: as_binary),
    20: (lambda s: parsed(pa.int64()), lambda s: plain.number_from_binary(pa.int64(), ">i8")),
    21: (lambda s: parsed(pa.int16()), lambda s: plain.number_from_binary(pa.int16(), ">i2")),
    23: (lambda s: parsed(pa.int32()), lambda s: plain.number_from_binary(pa.int32(), ">i4")),
    26: (lambda s: parsed(pa.uint32()), lambda s: plain.number_from_binary(pa.uint32(), ">u4")),  # oid
    700: (lambda s: parsed(pa.float32()), lambda s: plain.number_from_binary(pa.float32(), ">f4")),
    701: (lambda s: parsed(pa.float64()), lambda s: plain.number_from_binary(pa.float64(), ">f8")),
    1082: (moments.date_from_text, lambda s: moments.date_from_binary),
    1083: (lambda s: moments.time_from_text, lambda s: moments.time_from_binary),
    1114: (moments.timestamp_from_text, lambda s: moments.timestamps_from_binary(pa.timestamp("us"))),
    1184: (
        moments.timestamptz_from_text,
        lambda s: moments.timestamps_from_binary(pa.timestamp("us", s.time_zone)),
    ),
    1186: (moments.interval_from_text, lambda s: moments.interval_from_binary),
    2950: (lambda s: plain.uuid_from_text, lambda s: plain.uuid_from_binary),
}

#: Types whose binary form is their text: "char", name, text, json, xml, unknown, bpchar, varchar, refcursor.
_SAME_IN_BINARY = frozenset({18, 19, 25, 114, 142, 705, 1042, 1043, 1790})

_TIMETZ_OID = 1266
_JSONB_OID = 3802


class ColumnReader:
    """Makes arrays of the values of a column, piece by piece.

    Args:
        field: the column, which can come in either format.
        session: what the session says.
        streamed: whether the type has to be known before all values are: then numeric without a scale is text.
    """

    def __init__(self, field: FieldDescription, session: Session, streamed: bool) -> None:
        self.name = field.name
        self._make = partial(reader, field.type_oid, field.type_modifier, session=session, streamed=streamed)
        self._readers: dict[int, Reader] = {}

    def read(self, values: Values, format: int) -> Any:
        """An array of the values.

        Args:
            values: the values.
            format: the format that they came in; several results of a cursor can differ in that.

        Raises:
            DataError: Arrow cannot hold a value.
        """
        read = self._readers.get(format)
        if read is None:
            read = self._readers[format] = self._make(Format(format))
        try:
            return read(values)
        except Unreadable as error:
            raise self._refused(str(error)) from None
        except pa.ArrowException as error:
            raise self._refused(f"a value cannot be read: {error}") from None

    def conformed(self, array: Any, kind: Any) -> Any:
        """The array as one of the type `kind`, which others of the column have.

        Raises:
            DataError: it cannot be.
        """
        try:
            return _conformed(array, kind)
        except Unreadable as error:
            raise self._refused(str(error)) from None
        except pa.ArrowException:
            raise self._refused("a number is too long, or has more digits after the point than others") from None

    def common_type(self, kinds: list[Any]) -> Any:
        """The type for arrays that were made as these.

        Raises:
            DataError: there is none.
        """
        try:
            return _common(kinds)
        except Unreadable as error:
            raise self._refused(str(error)) from None

    def _refused(self, reason: str) -> DataError:
        return DataError(f'column "{self.name}": {reason}')


def reader(oid: int, modifier: int, format: Format, session: Session, streamed: bool) -> Reader:
    """The reader for values of a type.

    Args:
        oid, modifier, format: those of the column.
        session, streamed: see `ColumnReader`.
    """
    info = session.types.get(oid)
    if info is not None and oid == info.array_oid:
        if format is Format.BINARY:
            return lists.from_binary(reader(info.oid, modifier, format, session, streamed))
        # The elements come out of the whole array, which is UTF-8 by then.
        element = reader(info.oid, modifier, format, replace(session, codec="utf-8"), streamed)
        return lists.from_text(element, info.delimiter, session)
    if oid == _NUMERIC_OID:
        return _numeric(modifier, format, session, streamed)
    if oid in _READERS:
        return _READERS[oid][format](session)
    if format is Format.TEXT or oid in _SAME_IN_BINARY:
        return lambda values: as_text(values, session)
    return _other_in_binary(oid, session)


def _numeric(modifier: int, format: Format, session: Session, streamed: bool) -> Reader:
    kind = decimals.declared(modifier)
    if kind is not None or not streamed:
        return decimals.from_binary(kind, session) if format is Format.BINARY else decimals.from_text(kind)
    if format is Format.TEXT:
        return lambda values: as_text(values, session)
    load = session.transformer.get_loader(_NUMERIC_OID, format).load
    return lambda values: pa.array(each_loaded(values, lambda data: f"{load(data):f}"), pa.string())


def _other_in_binary(oid: int, session: Session) -> Reader:
    """The reader for what only Postgres, or a loader, makes text of; for what neither does, bytes."""
    from ..types.enum import EnumInfo

    if oid == _JSONB_OID:
        return lambda values: plain.jsonb_from_binary(values, session)
    if oid == _TIMETZ_OID:
        return moments.timetz_from_binary(session)
    if isinstance(session.types.get(oid), EnumInfo):
        return lambda values: as_text(values, session)
    transformer = session.transformer
    if transformer.adapters.get_loader(oid, Format.BINARY) is None:
        return as_binary
    load = transformer.get_loader(oid, Format.BINARY).load

    def text(data: bytes) -> str | None:
        value = load(data)
        dumped = transformer.get_dumper(value, PyFormat.TEXT).dump(value)
        return None if dumped is None else str(dumped, session.codec)

    return lambda values: pa.array(each_loaded(values, text), pa.string())


def _common(kinds: list[Any]) -> Any:
    """The type for values of these types, which come of one type of Postgres."""
    found = kinds[0]
    for kind in kinds[1:]:
        if kind == found:
            continue
        if pa.types.is_list(kind) or pa.types.is_list(found):
            if not pa.types.is_list(kind):  # the other has more dimensions
                continue
            found = kind if not pa.types.is_list(found) else pa.list_(_common([found.value_type, kind.value_type]))
        else:
            found = decimals.decimal_type(max(kind.precision, found.precision), max(kind.scale, found.scale))
    return found


def _conformed(array: Any, kind: Any) -> Any:
    if array.type == kind:
        return array
    if pa.types.is_list(kind) and pa.types.is_list(array.type):
        deeper = pa.types.is_list(kind.value_type) and not pa.types.is_list(array.type.value_type)
        if deeper or (not pa.types.is_list(kind.value_type) and pa.types.is_list(array.type.value_type)):
            if len(array.flatten()):
                raise Unreadable("arrays differ in their number of dimensions; cast it to text")
            buffers = array.buffers()[:2]
            return pa.Array.from_buffers(kind, len(array), buffers, children=[pa.array([], kind.value_type)])
    return array.cast(kind)
