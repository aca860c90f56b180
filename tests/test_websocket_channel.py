"""The stream inside a WebSocket when what is sent on it is interrupted."""

from __future__ import annotations

from asyncio import CancelledError
from typing import Any

import pytest
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection

from neonps.endpoint import Endpoint
from neonps.flows.channel import WebSocketChannel
from neonps.flows.requests import Close, Deadline, Flow, Pings, Poll, Receive, Send
from neonps.protocol.websocket import WebSocketTunnel


def opened() -> WebSocketChannel:
    tunnel = WebSocketTunnel(Endpoint.parse("ws://127.0.0.1/", "ws_proxy", websocket=True))
    server = WSConnection(ConnectionType.SERVER)
    server.receive_data(tunnel.handshake())
    list(server.events())
    tunnel.receive(server.send(AcceptConnection()))
    return WebSocketChannel(tunnel, Pings(1.0, 1.0))


def requests(flow: Flow[Any]) -> list[type]:
    """What a flow asks for that gets all it wants."""
    return [type(request) for request in flow]


def interrupt_at(kind: type, flow: Flow[Any]) -> Flow[Any]:
    """Interrupt a flow where it asks for something; what it asks for then can be had of what is returned."""
    request = next(flow)
    while not isinstance(request, kind):
        request = flow.send(None)

    def rest() -> Flow[Any]:
        try:
            request = flow.throw(CancelledError())
            while True:
                request = flow.send((yield request))
        except StopIteration:
            raise AssertionError("the interrupt was lost") from None

    return rest()


def test_a_close_frame_is_sent_at_the_end() -> None:
    assert requests(opened().close()) == [Deadline, Send, Close]


@pytest.mark.parametrize("frame", [b"\xc2\x01x", b"\x82\x81\0\0\0\0x", b"\x81\x01\xff", b"\x80\x01x"])
def test_a_frame_that_is_none(frame: bytes) -> None:
    """It is not the server who has closed the WebSocket then. What came before it counts."""
    channel = opened()
    flow, answer = channel.receive(), None
    with pytest.raises(StopIteration) as stop:
        while True:
            answer = b"\x82\x04good" + frame if isinstance(flow.send(answer), Receive) else None
    assert stop.value.value == b"good"
    assert str(channel.end).startswith("the server broke the WebSocket protocol: ")


def test_what_has_no_payload_hides_nothing_behind_it() -> None:
    """TLS gives each frame alone; "nothing is here" would let a statement be sent on a line that has ended."""
    channel = opened()
    frames = [b"\x89\0", b"\x89\0", b"\x88\x02\x03\xe9"]
    flow, answer = channel.poll(), None
    with pytest.raises(StopIteration) as stop:
        while True:
            answer = frames.pop(0) if isinstance(flow.send(answer), Poll) else None
    assert stop.value.value == b""
    assert channel.end is not None
    assert channel.end.code == 1001


@pytest.mark.parametrize("sent", ["message", "ping"])
def test_nothing_is_sent_behind_half_a_message(sent: str) -> None:
    """It would be taken for the rest of the message."""
    channel = opened()
    rest = interrupt_at(Send, channel.send(b"insert") if sent == "message" else after_silence(channel))
    with pytest.raises(CancelledError):
        next(rest)
    assert channel.torn
    assert requests(channel.close()) == [Close]


def after_silence(channel: WebSocketChannel) -> Flow[Any]:
    """What is received when nothing comes, which makes a ping of it."""
    flow = channel.receive()
    assert isinstance(next(flow), Receive)
    yield flow.send(None)
    return (yield from flow)


def test_what_is_interrupted_while_it_closes_is_closed() -> None:
    rest = interrupt_at(Send, opened().close())
    assert isinstance(next(rest), Close)
    with pytest.raises(CancelledError):
        next(rest)
