"""numeric as Arrow's decimals, from text and from binary.

A decimal of Arrow has a precision and a scale that all values of a column share. Where the column of Postgres has none,
they are made to fit the values that are there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from ..pq import Format
from ..typemod import NumericTypeModifier
from .reading import Reader, Session, each_loaded
from .values import Unreadable, Values, contents, numbers_at

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: What Arrow's decimals of 128 and of 256 bits hold.
MOST_DIGITS_128 = 38
MOST_DIGITS_256 = 76

_NUMERIC_OID = 1700

#: What text has for values that are no numbers.
_SPECIAL = "NaN and infinity cannot be decimals; cast it to float8 or to text"
_TOO_LONG = f"a number has more than {MOST_DIGITS_256} digits, or differs so much in size from another; cast it to text"

#: Of the binary form (numeric_send() of src/backend/utils/adt/numeric.c): the first four numbers, then digits to the
#: base of 10000.
_HEAD = np.dtype([("count", ">u2"), ("weight", ">i2"), ("sign", ">u2"), ("scale", ">u2")])
_HEADER = _HEAD.itemsize
_NEGATIVE = 0x4000
_DIGIT = np.dtype(">u2")

#: So many decimal digits fit into an int64 whatever they are.
_DIGITS_OF_INT64 = 18
_POWERS = 10 ** np.arange(_DIGITS_OF_INT64 + 1, dtype=np.int64)


def declared(modifier: int) -> Any:
    """The type of a column that is declared as numeric(precision, scale); None if it is not, or too large for Arrow."""
    if modifier < 0:
        return None
    said = NumericTypeModifier(_NUMERIC_OID)
    precision, scale = said.get_precision(modifier), said.get_scale(modifier)
    assert precision is not None
    assert scale is not None
    if scale < 0:  # numeric(2, -3) has five digits before the point
        precision, scale = precision - scale, 0
    precision = max(precision, scale)
    return decimal_type(precision, scale, precision) if precision <= MOST_DIGITS_256 else None


def decimal_type(digits: int, scale: int, precision: int = 0) -> Any:
    """The decimal for so many digits in all, of which `scale` stand after the point.

    Args:
        digits: how many there are.
        scale: how many of them stand after the point.
        precision: that of the type; by default as many digits as there can be.

    Raises:
        Unreadable: Arrow has none.
    """
    if digits > MOST_DIGITS_256:
        raise Unreadable(_TOO_LONG)
    if digits > MOST_DIGITS_128:
        return pa.decimal256(precision or MOST_DIGITS_256, scale)
    return pa.decimal128(precision or MOST_DIGITS_128, scale)


def from_text(kind: Any) -> Reader:
    """A reader of text.

    Args:
        kind: the type to make; None if it shall fit the values.
    """

    def read(values: Values) -> Any:
        strings = values.strings()
        try:
            return strings.cast(kind if kind is not None else _fitting(strings))
        except pa.ArrowInvalid:
            raise Unreadable(_SPECIAL if _has_special(values.octets()) else _TOO_LONG) from None

    return read


def _has_special(octets: NDArray[Any]) -> bool:
    # NaN, Infinity; there is nothing else with these letters.
    return bool(((octets == ord("a")) | (octets == ord("I"))).any())


def _fitting(strings: Any) -> Any:
    """The type for numbers in text."""
    offsets, octets = contents(strings)
    points = np.flatnonzero(octets == ord("."))
    after = np.zeros(len(strings), np.int64)
    if len(points):
        owners = np.searchsorted(offsets, points, "right") - 1
        after[owners] = offsets[owners + 1] - points - 1
    whole = np.diff(offsets) - after - (after > 0)
    if len(octets):
        signs = octets[np.minimum(offsets[:-1], len(octets) - 1)] == ord("-")
        whole = whole - signs
    scale = int(after.max(initial=0))
    return decimal_type(int(whole.max(initial=0)) + scale, scale)


def from_binary(kind: Any, session: Session) -> Reader:
    """A reader of binary; `kind` as in `from_text()`."""
    load = session.transformer.get_loader(_NUMERIC_OID, Format.BINARY).load

    def read(values: Values) -> Any:
        values_there = values if values.nulls is None else _without_nulls(values)
        if (values_there.lengths < _HEADER).any():
            raise Unreadable("a value is no numeric")
        heads = numbers_at(values.data, np.dtype(f"V{_HEADER}"), values_there.starts).view(_HEAD)
        count, weight, sign, scale = (heads[name].astype(np.int64) for name in ("count", "weight", "sign", "scale"))
        if (sign > _NEGATIVE).any():
            raise Unreadable(_SPECIAL)
        if (values_there.lengths != _HEADER + 2 * count).any():
            raise Unreadable("a value is no numeric")
        most_after = int(scale.max(initial=0))
        most_whole = 4 * (max(int(weight.max(initial=-1)), -1) + 1)
        wanted = kind
        places = most_after if wanted is None else wanted.scale
        if most_whole + places <= _DIGITS_OF_INT64 and places >= most_after:
            numbers = _unscaled(values_there, count, weight, places)
            numbers[sign == _NEGATIVE] *= -1
            return _decimals(values, numbers, wanted if wanted is not None else decimal_type(0, places))
        objects = each_loaded(values, load)
        if wanted is None:
            wanted = _fitting_objects(objects)
        try:
            return pa.array(objects, wanted)
        except pa.ArrowInvalid:
            raise Unreadable(_TOO_LONG) from None

    return read


def _without_nulls(values: Values) -> Values:
    there = ~values.nulls  # type: ignore[operator]
    return Values(values.data, values.starts[there], values.lengths[there])


def _unscaled(values: Values, count: NDArray[Any], weight: NDArray[Any], places: int) -> NDArray[Any]:
    """The numbers without their signs, times ten to the power of `places`; all of it fits into an int64."""
    numbers = np.zeros(len(values), np.int64)
    digits_there = _digits(values, count)
    power = 4 * weight + places
    for at in range(digits_there.shape[1]):
        digits = np.where(at < count, digits_there[:, at], np.int64(0))
        if (power < 0).any():
            # What is cut off at the right is zeros that fill up the last digit.
            digits //= _POWERS[np.clip(-power, 0, _DIGITS_OF_INT64)]
        digits *= _POWERS[np.clip(power, 0, _DIGITS_OF_INT64)]
        numbers += digits
        power -= 4
    return numbers


def _digits(values: Values, count: NDArray[Any]) -> NDArray[Any]:
    """The digits of each value, to the base of 10000, and anything behind those of a value that has fewer of them.

    Args:
        values: there is no NULL among them.
        count: how many digits each has.
    """
    most = int(count.max(initial=0))
    if not most:
        return np.zeros((len(values), 0), np.uint16)
    width = most * _DIGIT.itemsize
    first = values.starts + _HEADER
    last = len(values.data) - width  # where so many bytes begin at the latest
    found = numbers_at(values.data, np.dtype(f"V{width}"), np.clip(first, 0, max(last, 0))).view(_DIGIT)
    found = found.reshape(len(values), most)
    for number in np.flatnonzero(first > last):
        found[number, : count[number]] = np.frombuffer(values.data, _DIGIT, count[number], first[number])
    return found


def _decimals(values: Values, numbers: NDArray[Any], kind: Any) -> Any:
    """An array of decimals of integers, those of the values that are not NULL."""
    words = kind.bit_width // 64
    wide = np.empty((len(numbers), words), np.int64)
    wide[:, 0] = numbers
    wide[:, 1:] = (numbers >> 63)[:, None]
    data = values.fixed(wide.tobytes(), 8 * words)
    return pa.Array.from_buffers(kind, len(values), data.buffers())


def _fitting_objects(objects: list[Any]) -> Any:
    scale = digits = 0
    for each in objects:
        if each is not None:
            exponent = each.as_tuple().exponent
            scale = max(scale, -exponent)
            digits = max(digits, each.adjusted() + 1)
    return decimal_type(digits + scale, scale)
