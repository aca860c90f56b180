"""Booleans, numbers, uuid and bytea, from text and from binary."""

from __future__ import annotations

from binascii import Error as HexError
from binascii import a2b_hex
from typing import Any

import numpy as np
import pyarrow as pa

from ..types.string import ByteaLoader
from .reading import Reader, Session, as_text, each_loaded
from .values import Unreadable, Values, contents, numbers_at

_TRUE, _FALSE = ord("t"), ord("f")

#: A uuid in text: its length, where it has hyphens, and where each four of its digits begin.
_UUID_TEXT = 36
_UUID_HYPHENS = [8, 13, 18, 23]
_UUID_DIGITS = (0, 4, 9, 14, 19, 24, 28, 32)

#: The version in front of a jsonb.
_JSONB_VERSION = 1


def bool_from_text(values: Values) -> Any:
    """A reader of `t` and `f`."""
    letters = values.numbers(">u1", "boolean")
    truth = letters == _TRUE
    wrong = ~truth & (letters != _FALSE)
    if values.nulls is not None:
        wrong &= ~values.nulls
    if wrong.any():
        raise Unreadable("a value is no boolean")
    return values.booleans(truth)


def bool_from_binary(values: Values) -> Any:
    """A reader of 0 and 1."""
    return values.booleans(values.numbers(">u1", "boolean") != 0)


def number_from_binary(kind: Any, dtype: str) -> Reader:
    """A reader of numbers of a fixed length.

    Args:
        kind: the type to make.
        dtype: how they are sent.
    """
    return lambda values: values.array(kind, values.numbers(dtype, str(kind)))


def uuid_from_text(values: Values) -> Any:
    """A reader of uuids, written with hyphens."""
    values.check_length(_UUID_TEXT, "uuid")
    text = values.pieces(_UUID_TEXT)
    if (text[:, _UUID_HYPHENS] != ord("-")).any():
        raise Unreadable("a value is no uuid")
    # Four digits at a time.
    digits = np.empty((len(text), len(_UUID_DIGITS)), np.uint32)
    for number, at in enumerate(_UUID_DIGITS):
        digits[:, number] = text[:, at : at + 4].view(np.uint32)[:, 0]
    try:
        data = a2b_hex(digits.data)
    except HexError:
        raise Unreadable("a value is no uuid") from None
    return _uuids(values, data)


def uuid_from_binary(values: Values) -> Any:
    """A reader of uuids."""
    values.check_length(16, "uuid")
    return _uuids(values, values.pieces(16).tobytes())


def _uuids(values: Values, data: bytes) -> Any:
    return pa.ExtensionArray.from_storage(pa.uuid(), values.fixed(data, 16))


def bytea_from_text(values: Values) -> Any:
    r"""A reader of bytes, written in hexadecimal after `\x`, or in the older escape format."""
    array = values.binary()
    offsets, octets = contents(array)
    text = octets.tobytes()
    count = len(values) - values.null_count
    if text.count(b"\\x") == count:
        try:
            data = a2b_hex(text.replace(b"\\x", b""))
        except HexError:
            pass
        else:
            # Of each value that is not NULL, two characters are gone; of the rest, every other one.
            gone = np.zeros(len(values) + 1, np.int64)
            gone[1:] = 2 if values.nulls is None else 2 * ~values.nulls
            halved = ((offsets - np.cumsum(gone)) // 2).astype(np.int32)
            buffers = [values.validity(), pa.py_buffer(halved), pa.py_buffer(data)]
            return pa.Array.from_buffers(pa.binary(), len(values), buffers)
    return pa.array(each_loaded(values, ByteaLoader(0).load), pa.binary())


def jsonb_from_binary(values: Values, session: Session) -> Any:
    """A reader of jsonb: the text behind a version."""
    there = values.nulls
    if (values.lengths[~there if there is not None else slice(None)] < 1).any():
        raise Unreadable("a value is no jsonb")
    versions = numbers_at(values.data, np.dtype(">u1"), values.starts, there)
    if (versions[~there if there is not None else slice(None)] != _JSONB_VERSION).any():
        raise Unreadable("a value is no jsonb of version 1")
    return as_text(Values(values.data, values.starts + (values.lengths > 0), values.lengths - 1), session)
