"""Enumerated types: members of Python enumerations."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from .. import errors as e
from ..abc import Buffer
from ..adapt import Dumper
from ..encodings import client_codec
from ..pq import Format

if TYPE_CHECKING:
    from ..abc import AdaptContext


class EnumDumper(Dumper):
    """Dumps members of an `Enum` as their name, text. The type is for the server to find out."""

    def __init__(self, cls: type, context: AdaptContext | None = None) -> None:
        super().__init__(cls, context)
        codec = client_codec(self.connection)
        self._codec = "utf-8" if codec == "ascii" else codec

    def dump(self, obj: Enum) -> Buffer | None:
        name = obj.name
        if name is None:
            # Flags that are not named, none at all among them
            raise e.DataError(f"cannot dump {obj!r}: it has no name")
        return name.encode(self._codec)


class EnumBinaryDumper(EnumDumper):
    """Dumps members of an `Enum` as their name, binary, which looks the same."""

    format = Format.BINARY
