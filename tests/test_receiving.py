"""What a runner gives for what arrives in pieces: bytes over real sockets, with no Postgres behind them."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme

from neonps.flows.requests import TLS, Flow, Open, Poll, Receive
from neonps.net.aio import AsyncRunner
from neonps.net.blocking import BlockingRunner

#: The most that a runner gives at once, in bytes.
LIMIT = 1 << 18

#: Resets the connection when it is closed.
RESET = struct.pack("ii", 1, 0)


class Server:
    """Accepts one client, and does what it is told with it once that is connected, in a thread.

    Args:
        act: what to do.
        context: for TLS.

    Attributes:
        port: where it listens.
        connected: to be set when the client is.
        thread: what it runs in; it has ended when all is done.
    """

    def __init__(self, act: Callable[[socket.socket], None], context: ssl.SSLContext | None) -> None:
        self._act = act
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.connected = threading.Event()
        self.thread = threading.Thread(target=self._run, name="server", daemon=True)
        self.thread.start()

    def _run(self) -> None:
        with self._listener:
            client, _ = self._listener.accept()
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # all that is written is there at once
        with self._context.wrap_socket(client, server_side=True) if self._context else client as sock:
            self.connected.wait()
            self._act(sock)


@pytest.fixture(scope="module")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path]:
    """What a server needs for TLS, and the path of the certificate to trust."""
    authority = trustme.CA()
    path = tmp_path_factory.mktemp("tls") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    context.num_tickets = 0  # which would arrive before anything else
    return context, path


@pytest.fixture(params=["plain", "tls"])
def tls(request: pytest.FixtureRequest, contexts: tuple[ssl.SSLContext, Path]) -> tuple[ssl.SSLContext, TLS] | None:
    return (contexts[0], TLS("127.0.0.1", str(contexts[1]))) if request.param == "tls" else None


@pytest.fixture(params=["blocking", "asyncio"])
def runner(request: pytest.FixtureRequest) -> Iterator[BlockingRunner | AsyncRunner]:
    with closing(BlockingRunner() if request.param == "blocking" else AsyncRunner()) as runner:
        yield runner


def run(runner: BlockingRunner | AsyncRunner, flow: Flow[Any]) -> Any:
    return runner.run(flow) if isinstance(runner, BlockingRunner) else asyncio.run(runner.run(flow))


@contextmanager
def connected(
    runner: BlockingRunner | AsyncRunner,
    act: Callable[[socket.socket], None],
    tls: tuple[ssl.SSLContext, TLS] | None = None,
) -> Iterator[Server]:
    """Connect `runner` to a server that does `act`."""
    server = Server(act, tls and tls[0])

    def opening() -> Flow[None]:
        yield Open("127.0.0.1", server.port, tls and tls[1])

    try:
        run(runner, opening())
        server.connected.set()
        yield server
    finally:
        runner.close()
        server.connected.set()
        server.thread.join()


def receive(times: int) -> Flow[list[bytes]]:
    """Receive so often; less often if it ends before."""
    found: list[bytes] = []
    while len(found) < times and (not found or found[-1]):
        found.append((yield Receive()))
    return found


def test_what_came_before_a_reset_is_given_first(runner: BlockingRunner | AsyncRunner) -> None:
    def act(sock: socket.socket) -> None:
        sock.sendall(bytes(20_000))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)

    with connected(runner, act) as server:
        server.thread.join()
        assert b"".join(run(runner, receive(1))) == bytes(20_000)
        for _ in range(2):
            try:
                assert run(runner, receive(1)) == [b""]
            except ConnectionResetError:
                return
        pytest.fail("nobody has said that the connection was reset")


@pytest.mark.parametrize("size", [1, 1024, 20_000])
def test_the_end_comes_after_what_came_before_it(
    runner: BlockingRunner | AsyncRunner, tls: tuple[ssl.SSLContext, TLS] | None, size: int
) -> None:
    with connected(runner, lambda sock: sock.sendall(bytes(size)), tls) as server:
        server.thread.join()
        *data, end = run(runner, receive(10))
        assert b"".join(data) == bytes(size)
        assert end == b""
        assert run(runner, receive(1)) == [b""]


def test_records_that_are_there_are_given_together(
    runner: BlockingRunner | AsyncRunner, contexts: tuple[ssl.SSLContext, Path]
) -> None:
    written, checked = threading.Event(), threading.Event()

    def act(sock: socket.socket) -> None:
        for number in range(30):
            sock.sendall(bytes([number]) * 1024)
        written.set()
        checked.wait()

    def poll() -> Flow[Any]:
        return (yield Poll())

    with connected(runner, act, (contexts[0], TLS("127.0.0.1", str(contexts[1])))):
        written.wait()
        try:
            assert run(runner, receive(1)) == [b"".join(bytes([number]) * 1024 for number in range(30))]
            assert run(runner, poll()) is None
        finally:
            checked.set()


def test_there_is_a_limit_to_what_is_given_at_once(
    runner: BlockingRunner | AsyncRunner, tls: tuple[ssl.SSLContext, TLS] | None
) -> None:
    sent = bytes(range(251)) * 20_000
    with connected(runner, lambda sock: sock.sendall(sent), tls):
        received = run(runner, receive(1_000_000))
        assert b"".join(received) == sent
        assert max(map(len, received)) <= LIMIT


def test_other_tasks_run_where_there_is_always_something_to_receive(contexts: tuple[ssl.SSLContext, Path]) -> None:
    written, checked = threading.Event(), threading.Event()
    runner = AsyncRunner()
    turns = 0

    def act(sock: socket.socket) -> None:
        for _ in range(3):
            sock.sendall(b"short")
        written.set()
        checked.wait()

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def main() -> None:
        task = asyncio.create_task(count())
        assert await runner.run(receive(3)) == [b"short"] * 3
        task.cancel()

    with connected(runner, act, (contexts[0], TLS("127.0.0.1", str(contexts[1])))):
        written.wait()
        try:
            asyncio.run(main())
        finally:
            checked.set()
    assert turns >= 2
