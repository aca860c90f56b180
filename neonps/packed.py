"""What loaders of values of a fixed size say of themselves, so that several of them can be unpacked at once."""

from __future__ import annotations

from .record import Record


class Packed(Record):
    """How a binary value of a fixed size is unpacked.

    A loader class that has one as its attribute `packed` promises that this comes to the same as its `load()`.

    Args:
        code: the format character of the module struct.
        size: how many bytes that is.
        method: the name of the loader's method that makes the Python object of what was unpacked; "" if it is
            that object.
    """

    code: str
    size: int
    method: str = ""
