"""Small messages take a shorter way than wsproto's; what comes out is the same."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, BytesMessage, Ping, Pong
from wsproto.frame_protocol import CloseReason

from neonps.endpoint import Endpoint
from neonps.protocol.websocket import WebSocketTunnel
from neonps.protocol.websocket_frame import MAX_SMALL, Borders, masked_frame

Event = BytesMessage | Ping

SIZES = (0, 1, 2, 3, 124, 125, 126, 127, 128, 65534, MAX_SMALL, MAX_SMALL + 1, 70000)


def opened() -> tuple[WebSocketTunnel, WSConnection]:
    """A tunnel that is open, and the server's end of it."""
    tunnel = WebSocketTunnel(Endpoint.parse("ws://127.0.0.1/", "ws_proxy", websocket=True))
    server = WSConnection(ConnectionType.SERVER)
    server.receive_data(tunnel.handshake())
    list(server.events())
    assert tunnel.receive(server.send(AcceptConnection())) == b""
    assert tunnel.is_open
    return tunnel, server


#: What a server sends: messages of data, some in several frames, and pings.
EVENTS = st.lists(
    st.one_of(
        st.builds(
            lambda size, letter, last: BytesMessage(bytes([letter]) * size, message_finished=last),
            st.sampled_from(SIZES),
            st.integers(0, 255),
            st.booleans(),
        ),
        st.builds(Ping, st.binary(max_size=10)),
    ),
    max_size=8,
)


@pytest.mark.parametrize("size", SIZES)
def test_wsproto_reads_what_a_tunnel_wraps(size: int) -> None:
    tunnel, server = opened()
    data = bytes(number * 7 % 256 for number in range(size))
    server.receive_data(tunnel.wrap(data) + tunnel.wrap(b"more"))
    assert b"".join(event.data for event in server.events()) == data + b"more"


def test_each_frame_is_masked_with_a_key_of_its_own() -> None:
    assert len({masked_frame(b"the same")[2:6] for _ in range(20)}) > 1


@settings(deadline=None)
@given(EVENTS, st.data())
def test_a_tunnel_gives_what_was_sent_however_it_is_cut(events: list[Event], data: st.DataObject) -> None:
    tunnel, server = opened()
    sent = b"".join(server.send(event) for event in events)
    cuts = data.draw(st.lists(st.integers(0, len(sent)), max_size=6).map(sorted))
    received = b"".join(
        tunnel.receive(sent[start:stop])
        for start, stop in zip([0, *cuts], [*cuts, len(sent)], strict=True)
        if start < stop
    )
    assert received == b"".join(event.data for event in events if isinstance(event, BytesMessage))
    server.receive_data(tunnel.outgoing)
    assert [event.payload for event in server.events() if isinstance(event, Pong)] == [
        event.payload for event in events if isinstance(event, Ping)
    ]


@settings(deadline=None)
@given(EVENTS, st.data())
def test_messages_each_on_their_own_and_then_in_pieces(events: list[Event], data: st.DataObject) -> None:
    """The shorter way is taken again after the longer one."""
    tunnel, server = opened()
    for event in events:
        sent = server.send(event)
        cut = data.draw(st.sampled_from([0, 1, 2, 3, 5, 11, len(sent) - 1]))
        received = b"".join(tunnel.receive(piece) for piece in (sent[:cut], sent[cut:]) if piece)
        assert received == (event.data if isinstance(event, BytesMessage) else b"")


@settings(deadline=None)
@given(EVENTS, st.integers(1, 30))
def test_borders_are_between_messages_and_nowhere_else(events: list[Event], step: int) -> None:
    server = opened()[1]
    borders, finished = Borders(), True
    for event in events:
        sent = bytes(server.send(event))
        step = max(step, len(sent) // 100)
        for start in range(0, len(sent), step):
            borders.feed(sent[start : start + step])
            assert start + step >= len(sent) or not borders.between
        finished = event.message_finished if isinstance(event, BytesMessage) else finished
        assert borders.between == finished


@pytest.mark.parametrize(
    "frame",
    [
        b"\xc2\x04oops",  # a reserved bit
        b"\x82\x7e\x00\x04oops",  # a length that is longer than it has to be
        b"\x82\x84\0\0\0\0oops",  # masked
        b"\x80\x04oops",  # goes on where nothing has begun
    ],
)
def test_a_frame_that_is_wrong_is_refused_before_and_after_one_that_is_right(frame: bytes) -> None:
    for before in (b"", b"\x82\x04good"):
        tunnel, _ = opened()
        if before:
            assert tunnel.receive(before) == b"good"
        assert tunnel.receive(frame) == b""
        assert tunnel.closed is not None
        assert tunnel.closed.code == CloseReason.PROTOCOL_ERROR


def test_a_message_cannot_begin_within_another() -> None:
    tunnel, _ = opened()
    assert tunnel.receive(b"\x02\x04part") == b"part"
    assert tunnel.receive(b"\x82\x05whole") == b""
    assert tunnel.closed is not None


def test_a_frame_that_has_come_in_part_with_the_handshake_is_read_on() -> None:
    tunnel = WebSocketTunnel(Endpoint.parse("ws://127.0.0.1/", "ws_proxy", websocket=True))
    server = WSConnection(ConnectionType.SERVER)
    server.receive_data(tunnel.handshake())
    list(server.events())
    assert tunnel.receive(server.send(AcceptConnection()) + b"\x82\x06") == b""
    assert tunnel.receive(b"\x82\x04four") == b"\x82\x04four"
