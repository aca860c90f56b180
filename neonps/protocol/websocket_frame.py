"""The frames of a WebSocket (RFC 6455 5.2) that carry data, without wsproto's detours."""

from __future__ import annotations

import os
from struct import Struct

_long_head = Struct("!BBH").pack
_uint16_at = Struct("!H").unpack_from
_uint64_at = Struct("!Q").unpack_from

#: The first byte of a message of binary data that is one frame.
_BINARY = 0x82
_FINAL = 0x80
_MASKED = 0x80
#: The first byte of a frame of data, by whether it goes on with a message.
_DATA = {False: (_BINARY, 0x02), True: (_FINAL, 0x00)}
_CLOSE = 0x88
_CONTROLS = (_CLOSE, 0x89, 0x8A)
#: An empty frame with which a message of data begins.
_BEGIN = b"\x02\0"
#: What stands in place of a length for one of two bytes, and for one of eight.
_TWO_BYTES, _EIGHT_BYTES = 126, 127
#: How long a head is that has one of them.
_HEAD_SIZES = {_TWO_BYTES: 4, _EIGHT_BYTES: 10}

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


class FrameReader:
    """Takes the payload out of what a server sends, from where a message begins on.

    Control frames are left to wsproto, and so is everything from a frame on that is not as it has to be: wsproto knows
    what is wrong with it.

    Attributes:
        between: the next byte begins a message.
    """

    def __init__(self) -> None:
        self.between = True
        self._head = b""  # what is here of a head, or of a control frame, that is not complete
        self._left = 0  # how much of the payload of a frame is still to come
        self._goes_on = False  # a message has begun whose last frame has not
        self._given_up = False  # all that comes is for wsproto

    def split(self, data: bytes) -> tuple[bytes, bytes]:
        """Take in what has been received; gives the payload in it, and what is for wsproto."""
        if self._given_up:
            return b"", data
        if self._head:
            data, self._head = self._head + data, b""
        end = len(data)
        view = memoryview(data)
        payload: list[memoryview] = []
        others: list[bytes | memoryview] = []
        position = 0
        while True:
            if self._left:
                piece = view[position : position + self._left]
                payload.append(piece)
                position += len(piece)
                self._left -= len(piece)
            if position == end:
                break
            if end - position < 2:
                self._head = data[position:]
                break
            first, size = data[position], data[position + 1]
            is_data = first in _DATA[self._goes_on]
            start = position + (_HEAD_SIZES.get(size, 2) if is_data else 2)
            if start > end:
                self._head = data[position:]
                break
            if is_data and (size := _payload_size(data, position)) >= 0:
                self._goes_on = first < _FINAL
                self._left = size
                position = start
            elif first in _CONTROLS and size < _TWO_BYTES:
                if start + size > end:
                    self._head = data[position:]
                    break
                others.append(view[position : start + size])
                position = start + size
                self._given_up = first == _CLOSE
            else:
                self._given_up = True
                if self._goes_on:
                    others.append(_BEGIN)
            if self._given_up:
                others.append(view[position:])
                break
        self.between = not (self._left or self._head or self._goes_on or self._given_up)
        return _joined(data, payload), b"".join(others)


def _payload_size(data: bytes, position: int) -> int:
    """How long the payload is of the frame whose head is there; -1 if its length is not given as it has to be."""
    size = data[position + 1]
    if size == _TWO_BYTES:
        size = int(_uint16_at(data, position + 2)[0])
        return size if size >= _TWO_BYTES else -1
    if size == _EIGHT_BYTES:
        size = int(_uint64_at(data, position + 2)[0])
        return size if MAX_SMALL < size < 1 << 63 else -1
    return size if size < _MASKED else -1


def _joined(data: bytes, pieces: list[memoryview]) -> bytes:
    """The pieces of `data` as one."""
    if len(pieces) == 1 and len(pieces[0]) == len(data):
        return data
    return b"".join(pieces)
