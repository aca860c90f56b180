"""numeric: `Decimal`, and integers that no integer type holds."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache
from operator import index
from struct import Struct
from struct import error as StructError
from typing import Any

from .. import errors as e
from ..abc import Buffer
from ..adapt import Dumper, Loader
from ..pq import Format
from .integer import spaced

NUMERIC_OID = 1700

# A numeric in binary is ndigits, weight, sign and dscale, then ndigits base-10000 digits, of which the first
# counts 10000 ** weight (numeric_send() of src/backend/utils/adt/numeric.c).
_HEADER = Struct("!HhHH")
_POSITIVE = 0x0000
_NEGATIVE = 0x4000
_NAN = 0xC000
_INFINITY = 0xD000
_MINUS_INFINITY = 0xF000

_SPECIAL = {_NAN: Decimal("NaN"), _INFINITY: Decimal("Infinity"), _MINUS_INFINITY: Decimal("-Infinity")}

#: The header can count no more than this many base-10000 digits before the point.
_MAX_DIGITS = 0x8000

#: So many base-10000 digits, and decimal zeros behind them, are quicker to compute with than to write as text.
_FEW_DIGITS = 8
_FEW_ZEROS = 32

#: Postgres refuses more digits than this after the point.
_MAX_SCALE = 0x3FFF


class NumericDumper(Dumper):
    """Dumps `Decimal` and integers as numeric, text."""

    oid = NUMERIC_OID

    def dump(self, obj: Decimal | int) -> Buffer | None:
        value = _decimal(obj)
        # Postgres knows one NaN, without a payload or a sign.
        return b"NaN" if value.is_nan() else str(value).encode()

    def quote(self, obj: Decimal | int) -> Buffer:
        value = bytes(self.dump(obj) or b"")
        return spaced(value) if _decimal(obj).is_finite() else b"'%s'::numeric" % value


class NumericBinaryDumper(Dumper):
    """Dumps `Decimal` and integers as numeric, binary."""

    format = Format.BINARY
    oid = NUMERIC_OID

    def dump(self, obj: Decimal | int) -> Buffer | None:
        value = _decimal(obj)
        if value.is_nan():
            return _HEADER.pack(0, 0, _NAN, 0)
        if value.is_infinite():
            return _HEADER.pack(0, 0, _INFINITY if value > 0 else _MINUS_INFINITY, 0)
        return _dump_finite(value)


class DecimalDumper(NumericDumper):
    """Dumps `Decimal` as numeric, text."""


class DecimalBinaryDumper(NumericBinaryDumper):
    """Dumps `Decimal` as numeric, binary."""


class IntNumericDumper(NumericDumper):
    """Dumps `int` as numeric, text. Unlike int, `Decimal` makes text of any number of digits."""


class IntNumericBinaryDumper(NumericBinaryDumper, IntNumericDumper):
    """Dumps `int` as numeric, binary."""


class NumericLoader(Loader):
    """Loads numeric from text."""

    def load(self, data: Buffer) -> Decimal:
        return Decimal(str(data, "ascii"))


class NumericBinaryLoader(Loader):
    """Loads numeric from binary; `Decimal` has all its digits, trailing zeros included."""

    format = Format.BINARY

    def load(self, data: Buffer) -> Decimal:
        try:
            ndigits, weight, sign, dscale = _HEADER.unpack_from(data)
            digits = _unpack_digits(ndigits)(data, _HEADER.size)
        except StructError:
            raise e.DataError("bad ndigits in numeric binary representation") from None
        if sign not in (_POSITIVE, _NEGATIVE):
            try:
                return _SPECIAL[sign]
            except KeyError:
                raise e.DataError(f"bad value for numeric sign: 0x{sign:X}") from None

        if ndigits <= _FEW_DIGITS:
            number = 0
            for digit in digits:
                number = number * 10000 + digit
            # What was counted in 10000 ** (weight + 1 - ndigits) is to be counted in 10 ** -dscale.
            shift = (weight + 1 - ndigits) * 4 + dscale
            if -_FEW_ZEROS < shift < _FEW_ZEROS:
                number = number * 10**shift if shift >= 0 else number // 10**-shift
                return Decimal(f"{'-' if sign else ''}{number}E-{dscale}")

        text = "".join([f"{digit:04}" for digit in digits])
        # How many of the characters stand before the point; it may lie outside of the text on either side.
        point = (weight + 1) * 4
        if point > len(text):
            text = text.ljust(point, "0")
        elif point < 0:
            text = text.rjust(len(text) - point, "0")
            point = 0
        fraction = text[point : point + dscale].ljust(dscale, "0")
        return Decimal(f"{'-' if sign else ''}{text[:point] or '0'}.{fraction}")


@lru_cache(maxsize=64)
def _unpack_digits(ndigits: int) -> Callable[[Buffer, int], tuple[int, ...]]:
    return Struct(f"!{ndigits}H").unpack_from


def _decimal(obj: Any) -> Decimal:
    if isinstance(obj, Decimal):
        return obj
    try:
        # index() takes the integers of numpy too, and no floats.
        return Decimal(index(obj))
    except TypeError:
        raise e.DataError(f"Decimal or int expected, got {type(obj).__name__!r}") from None


def _dump_finite(obj: Decimal) -> bytes:
    sign, digits, exponent = obj.as_tuple()
    assert isinstance(exponent, int)
    if -exponent > _MAX_SCALE:
        raise e.DataError(
            "decimal too precise for PostgreSQL numeric binary format"
            f" (maximum {_MAX_SCALE} digits after the decimal point)"
        )
    groups: list[int] = []
    weight = 0
    if obj:
        # How many digits stand before the point, in groups of four that begin at the point
        weight = (len(digits) + exponent - 1) // 4
        if weight >= _MAX_DIGITS:
            raise e.DataError(
                f"decimal too large for PostgreSQL numeric binary format (maximum {_MAX_DIGITS} base-10000 digits)"
            )
        text = "".join(map(str, digits)) + "0" * (exponent % 4)
        text = text.rjust(-(-len(text) // 4) * 4, "0")
        groups = [int(text[i : i + 4]) for i in range(0, len(text), 4)]
        while not groups[-1]:
            del groups[-1]
    return Struct(f"!HhHH{len(groups)}H").pack(
        len(groups), weight, _NEGATIVE if sign and obj else _POSITIVE, max(0, -exponent), *groups
    )
