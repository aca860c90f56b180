"""The formats that a placeholder can ask for: `%s`, `%t`, `%b`."""

from __future__ import annotations

from enum import Enum

from . import pq


class PyFormat(str, Enum):
    """How a Python value is to be sent: the letter of its placeholder."""

    __hash__ = str.__hash__  # that of Enum is a function in Python, and dumpers are looked up by format

    AUTO = "s"
    """Text or binary, whichever dumper has been registered last."""
    TEXT = "t"
    BINARY = "b"

    @classmethod
    def from_pq(cls, format: int) -> PyFormat:
        """Return the member for a wire format."""
        return _FROM_PQ[format]

    @classmethod
    def as_pq(cls, format: PyFormat) -> pq.Format:
        """Return the wire format for a member; text for AUTO, which leaves it open."""
        return pq.Format.BINARY if format is cls.BINARY else pq.Format.TEXT


_FROM_PQ = (PyFormat.TEXT, PyFormat.BINARY)
