"""Clients of the gateway that are sockets and nothing more, for what no library would send."""

from __future__ import annotations

import json
import os
import select
import socket
import struct
from collections.abc import Mapping
from typing import Any, NamedTuple

import pytest

from neonps.embedded import EmbeddedPostgres
from neonps.gateway import Gateway
from neonps.protocol import backend as b
from neonps.protocol import frontend as f
from neonps.protocol.scram import Scram

#: A request for a WebSocket, in lines.
HANDSHAKE = {
    "Host": "x",
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
}


class RawAnswer(NamedTuple):
    """An answer, byte for byte."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Frame(NamedTuple):
    """A frame of a WebSocket (RFC 6455 5.2)."""

    opcode: int
    data: bytes

    @property
    def close_code(self) -> int:
        assert self.opcode == 8
        return int.from_bytes(self.data[:2], "big")


needs_proc = pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="memory is measured on Linux only")

#: The gateway can see that a client has gone whose data it does not read.
needs_rdhup = pytest.mark.skipif(not hasattr(select, "POLLRDHUP"), reason="this system does not tell of what is closed")


class Raw:
    """A connection to a gateway; a context manager."""

    def __init__(self, gateway: Gateway, *, receive_buffer: int = 0) -> None:
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(60)
        self.socket.connect((gateway.host, gateway.port))
        self._received = bytearray()

    def __enter__(self) -> Raw:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes | str) -> None:
        self.socket.sendall(data.encode() if isinstance(data, str) else data)

    def reset(self) -> None:
        """Go without a word: the next packet of the other side is answered by a reset, and this is one."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def more(self) -> bool:
        """Receive more; False at the end."""
        try:
            data = self.socket.recv(1 << 16)
        except ConnectionError:
            data = b""
        self._received += data
        return bool(data)

    def take(self, size: int) -> bytes:
        while len(self._received) < size:
            assert self.more(), f"the end of the connection after {bytes(self._received)!r}"
        data = bytes(self._received[:size])
        del self._received[:size]
        return data

    def answer(self) -> RawAnswer:
        """The next answer."""
        while (end := self._received.find(b"\r\n\r\n")) < 0:
            assert self.more(), "the end of the connection instead of an answer"
        status, *lines = self.take(end + 4)[:-4].decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        return RawAnswer(int(status.split()[1]), headers, self.take(int(headers.get("content-length", 0))))

    def frame(self) -> Frame:
        """The next frame."""
        first, length = self.take(2)
        if length == 126:
            length = int.from_bytes(self.take(2), "big")
        elif length == 127:
            length = int.from_bytes(self.take(8), "big")
        return Frame(first & 15, self.take(length))

    def upgrade(self, target: str = "/v2") -> RawAnswer:
        """Ask for a WebSocket."""
        self.send(handshake(target))
        return self.answer()

    def close_code(self) -> int:
        """The code of the close frame, which is the next but for data."""
        while (frame := self.frame()).opcode != 8:
            assert frame.opcode == 2
        return frame.close_code

    def at_end(self) -> bool:
        """Whether nothing more comes but the end."""
        return not self._received and not self.more()


def log_in(raw: Raw, postgres: EmbeddedPostgres) -> int:
    """Open a WebSocket and a session in it; gives the process id of the session."""
    assert raw.upgrade().status == 101
    scram, parser, pid = Scram(postgres.password), b.BackendParser(), 0
    raw.send(masked(startup(postgres)))
    while True:
        while (message := parser.next_message()) is None:
            frame = raw.frame()
            assert frame.opcode == 2, frame
            parser.feed(frame.data)
        if isinstance(message, b.AuthenticationSASL):
            raw.send(masked(f.SASLInitialResponse(scram.mechanism, scram.first_message()).encode()))
        elif isinstance(message, b.AuthenticationSASLContinue):
            raw.send(masked(f.SASLResponse(scram.respond(message.data)).encode()))
        elif isinstance(message, b.BackendKeyData):
            pid = message.pid
        elif isinstance(message, b.ReadyForQuery):
            return pid
        assert not isinstance(message, b.ErrorResponse), message


def startup(postgres: EmbeddedPostgres) -> bytes:
    return f.StartupMessage({"user": postgres.user, "database": postgres.dbname}).encode()


def handshake(
    target: str = "/v2", change: Mapping[str, str | None] | None = None, line: str = "GET {} HTTP/1.1"
) -> str:
    headers = {**HANDSHAKE, **(change or {})}
    lines = [f"{name}: {value}" for name, value in headers.items() if value is not None]
    return "\r\n".join([line.format(target), *lines, "", ""])


def post(dsn: str, query: str, params: object = (), more: str = "") -> bytes:
    """A request to run a query."""
    return post_body(dsn, json.dumps({"query": query, "params": params}).encode(), more)


def post_body(dsn: str, body: bytes, more: str = "") -> bytes:
    head = f"POST /sql HTTP/1.1\r\nHost: x\r\nNeon-Connection-String: {dsn}\r\nContent-Length: {len(body)}\r\n"
    return f"{head}{more}\r\n".encode() + body


def masked(data: bytes, opcode: int = 2, *, final: bool = True) -> bytes:
    """A frame of a client, masked with zeros."""
    size = len(data)
    if size < 126:
        length = bytes([0x80 | size])
    elif size < 1 << 16:
        length = b"\xfe" + size.to_bytes(2, "big")
    else:
        length = b"\xff" + size.to_bytes(8, "big")
    return bytes([final << 7 | opcode]) + length + b"\0\0\0\0" + data


def resident() -> int:
    """The memory of this process, in bytes."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
