"""How much memory a result needs while it arrives, by what Python allocates."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable, Iterator

import pytest

from neonps.endpoint import Endpoint
from neonps.protocol.http import HttpConnection, Response

BODY = 8_000_000

#: What little things may take, beside what is counted.
LITTLE = 100_000


class Traced:
    """The memory that was allocated in a block, and is still, or was at the peak, in bytes."""

    def __enter__(self) -> Traced:
        gc.collect()
        tracemalloc.start()
        self._before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        return self

    def look(self) -> None:
        self.left, self.peak = [bytes_ - self._before for bytes_ in tracemalloc.get_traced_memory()]

    def __exit__(self, *exception: object) -> None:
        tracemalloc.stop()


def received(parts: Iterator[bytes]) -> Response:
    """The response to a request, which comes in these parts."""
    http = HttpConnection(Endpoint.parse("http://localhost/sql", "endpoint"))
    http.request("POST", {}, b"")
    for part in parts:
        response = http.receive(part)
        if response is not None:
            return response
    raise AssertionError("the response is not complete")


def with_length() -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % BODY
    for _ in range(BODY // 8000):
        yield b"x" * 8000


def in_chunks() -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    for _ in range(BODY // 8000):
        yield b"%x\r\n%b\r\n" % (8000, b"x" * 8000)
    yield b"0\r\n\r\n"


@pytest.mark.parametrize(("parts", "spare"), [(with_length, 0), (in_chunks, BODY // 8)])
def test_the_body_of_a_response_is_held_once(parts: Callable[[], Iterator[bytes]], spare: int) -> None:
    received(parts())  # what is imported and kept for later
    with Traced() as traced:
        response = received(parts())
        traced.look()
    assert response.body == b"x" * BODY
    assert traced.peak < BODY + spare + LITTLE
    assert traced.left < BODY + LITTLE
