"""The frames of a WebSocket (RFC 6455 5.2) that carry small statements and their answers, without wsproto's detours.

What is more than one whole message, or anything else than data, is left to wsproto.
"""

from __future__ import annotations

import os
from struct import Struct

_long_head = Struct("!BBH").pack
_uint16_at = Struct("!H").unpack_from
_uint64_at = Struct("!Q").unpack_from

#: The first byte of a message of binary data that is one frame.
_BINARY = 0x82
_FINAL = 0x80
_CONTROL = 0x08
_MASKED = 0x80
#: What stands in place of a length for one of two bytes, and for one of eight.
_TWO_BYTES, _EIGHT_BYTES = 126, 127

#: The most that `masked_frame` takes, in bytes.
MAX_SMALL = 0xFFFF


def masked_frame(data: bytes) -> bytes:
    """A message of a client with `data`, which has MAX_SMALL bytes at most."""
    size = len(data)
    key = os.urandom(4)
    mask = (key * (size // 4 + 1))[:size]
    masked = (int.from_bytes(data, "big") ^ int.from_bytes(mask, "big")).to_bytes(size, "big")
    if size < _TWO_BYTES:
        return bytes((_BINARY, _MASKED | size)) + key + masked
    return _long_head(_BINARY, _MASKED | _TWO_BYTES, size) + key + masked


def whole_payload(data: bytes) -> bytes | None:
    """The payload of `data` if it is one small message of a server, no more and no less; else None."""
    if len(data) < 4 or data[0] != _BINARY:
        return None
    size = data[1]
    if size < _TWO_BYTES:
        return data[2:] if len(data) == 2 + size else None
    if size == _TWO_BYTES and len(data) == 4 + _uint16_at(data, 2)[0] >= 4 + _TWO_BYTES:
        return data[4:]
    return None


class Borders:
    """Follows where the frames of a server end, by their heads alone.

    Attributes:
        between: what was taken in ends with a message: the next byte begins another one.
    """

    def __init__(self) -> None:
        self.between = True
        self._head = b""  # what is here of a head that is not complete
        self._left = 0  # how much of a frame is still to come
        self._goes_on = False  # a message has begun whose last frame was not there yet

    def feed(self, data: bytes) -> None:
        """Take in what has been received."""
        if self._head:
            data, self._head = self._head + data, b""
        position = self._left
        while position < len(data):
            size = _frame_size(data, position)
            if size is None:
                self._head = data[position:]
                position = len(data)
                break
            if not data[position] & _CONTROL:
                self._goes_on = not data[position] & _FINAL
            position += size
        self._left = position - len(data)
        self.between = not (self._head or self._left or self._goes_on)


def _frame_size(data: bytes, position: int) -> int | None:
    """The size of the frame that begins there, head included; None if too little of the head is here."""
    here = len(data) - position
    if here < 2:
        return None
    size = data[position + 1] & ~_MASKED
    masking_key = 4 if data[position + 1] & _MASKED else 0  # which a server must not use; wsproto says so
    if size < _TWO_BYTES:
        return 2 + masking_key + size
    if size == _TWO_BYTES:
        return None if here < 4 else 4 + masking_key + int(_uint16_at(data, position + 2)[0])
    return None if here < 10 else 10 + masking_key + int(_uint64_at(data, position + 2)[0])
