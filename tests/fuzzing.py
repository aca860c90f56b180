"""What it takes to fuzz a decoder: good input, changes of it, and what may come out."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterator
from typing import NamedTuple

Run = Callable[[bytes], None]


class Target(NamedTuple):
    """A decoder under test.

    Attributes:
        seeds: good input.
        run: gives it any input.
        allowed: what it may raise.
    """

    seeds: list[bytes]
    run: Run
    allowed: tuple[type[BaseException], ...]


def attempt(target: Target, data: bytes) -> bool:
    """Give a decoder an input; whether it has taken it.

    Raises:
        AssertionError: it has raised what it must not raise.
    """
    try:
        target.run(data)
    except target.allowed:
        return False
    except Exception as error:
        raise AssertionError(
            f"{type(error).__name__} came out: {error!r:.300}; the input was {data!r:.2000}"
        ) from error
    return True


def mutated(seed: bytes, rng: random.Random, others: list[bytes]) -> bytes:
    """The seed with one or several changes of the kinds that find bugs."""
    data = bytearray(seed)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        at = rng.randrange(len(data) + 1)
        kind = rng.randrange(9)
        if kind == 0:
            data[at : at + 1] = bytes([rng.randrange(256)])
        elif kind == 1:
            del data[at : at + rng.choice((1, 1, 2, 4, 20, len(data)))]
        elif kind == 2:
            data[at:at] = rng.randbytes(rng.choice((1, 1, 2, 4, 20)))
        elif kind == 3:  # numbers at the edge of what there is
            number = rng.choice((0, 1, -1, 4, 0x7FFFFFFF, -0x80000000, 255, 65535, 0x3FFFFFFF, 0x40000000, -2))
            data[at : at + 4] = struct.pack("!i", number)
        elif kind == 4:
            data[at : at + 2] = struct.pack("!H", rng.choice((0, 1, 65535, 0x7FFF, 0x8000, 2, 100)))
        elif kind == 5:  # a part once more
            end = rng.randrange(at, len(data) + 1)
            data[at:at] = data[at:end] * rng.choice((1, 1, 2, 30))
        elif kind == 6:
            other = rng.choice(others)
            begin = rng.randrange(len(other) + 1)
            data[at:at] = other[begin : begin + rng.choice((1, 4, 20, len(other)))]
        elif kind == 7:
            data[at:at] = rng.choice(_TOKENS)
        else:
            bit = at % max(1, len(data))
            data[bit : bit + 1] = bytes([data[bit] ^ (1 << rng.randrange(8))]) if data else b""
    return bytes(data[:_LONGEST])


_LONGEST = 20_000

_TOKENS = (
    b"\0", b"\xff", b"\xed\xa0\x80", b"9" * 30, b"9" * 5000, b"-", b"1e999999999", b"NaN", b"infinity", b"-infinity",
    b"null", b"{", b"}", b"[" * 2000, b"{" * 200, b'"', b"\\", b",", b"(", b")", b"]", b" ", b"\r\n", b"\r\n\r\n",
    b"24:00:00", b"294276-12-31 23:59:59.999999", b" BC", b"+15:59:59", b"days", b"=>", b"empty", b"\\u0000",
    b"\\ud800", b"1_0", b"\xd9\xa1", b'"rows":[[', b"]]", b"],[", b"Content-Length: 99999999999999999999999\r\n",
    b"Transfer-Encoding: chunked\r\n", b"/", b"..", b"%", b"E+", b".", b"'",
)  # fmt: skip


def pieces_of(data: bytes, sizes: bytes) -> Iterator[bytes]:
    """The data in pieces; the sizes repeat."""
    at = number = 0
    while at < len(data):
        size = (sizes[number % len(sizes)] if sizes else 1) or 1
        yield data[at : at + size]
        at += size
        number += 1


def prefixed(seeds: list[bytes], prefixes: tuple[bytes, ...] = (b"\x01", b"\x07", b"\xff")) -> list[bytes]:
    return [prefix + seed for seed in seeds for prefix in prefixes]
