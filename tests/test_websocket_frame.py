"""Messages of data take a shorter way than wsproto's; what comes out is the same."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, BytesMessage, Ping, Pong
from wsproto.frame_protocol import CloseReason

from neonps.endpoint import Endpoint
from neonps.protocol.backend import ProtocolError
from neonps.protocol.websocket import WebSocketTunnel
from neonps.protocol.websocket_frame import MAX_SMALL, masked_frame

Event = BytesMessage | Ping

SIZES = (0, 1, 2, 3, 124, 125, 126, 127, 128, 65534, MAX_SMALL, MAX_SMALL + 1, 70000)


def asked() -> tuple[WebSocketTunnel, WSConnection]:
    """A tunnel whose server has got the handshake, and has not answered yet."""
    tunnel = WebSocketTunnel(Endpoint.parse("ws://127.0.0.1/", "ws_proxy", websocket=True))
    server = WSConnection(ConnectionType.SERVER)
    server.receive_data(tunnel.handshake())
    list(server.events())
    return tunnel, server


def opened() -> tuple[WebSocketTunnel, WSConnection]:
    """A tunnel that is open, and the server's end of it."""
    tunnel, server = asked()
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


def frame(first: int, payload: bytes, *, width: int = 0, masked: bool = False) -> bytes:
    """A frame of a server, however wrong.

    Args:
        first: its first byte.
        payload: what is in it.
        width: in how many bytes more its length is given at least: 0, 2 or 8.
        masked: it says that it is masked, and has a key.
    """
    size = len(payload)
    width = max(width, 0 if size < 126 else 2 if size <= MAX_SMALL else 8)
    short = {0: size, 2: 126, 8: 127}[width]
    long = size.to_bytes(width, "big") if width else b""
    return bytes((first, short | masked << 7)) + long + b"\0\0\0\0" * masked + payload


#: Frames as they should be, in an order that they may or may not have, and any others.
FRAMES = st.one_of(
    st.builds(frame, st.sampled_from([0x82, 0x02, 0x80, 0x00]), st.sampled_from(SIZES).map(bytes)),
    st.builds(frame, st.sampled_from([0x89, 0x8A]), st.binary(max_size=5)),
    st.builds(
        frame, st.just(0x88), st.sampled_from([b"", b"\x03", b"\x03\xe8", b"\x03\xf3oops", b"\0\1", b"\x03\xe8\xff"])
    ),
    st.builds(
        frame,
        st.integers(0, 255),
        st.sampled_from([0, 1, 125, 126, 127, MAX_SMALL + 1]).map(bytes),
        width=st.sampled_from([0, 2, 8]),
        masked=st.booleans(),
    ),
    st.binary(max_size=12),
)


def told(pieces: Iterable[bytes], *, plain: bool) -> list[object]:
    """What a tunnel gives for each piece, how it has ended, and what it has sent.

    Args:
        pieces: what the server sends; what comes after the end is not looked at.
        plain: by wsproto alone.
    """
    tunnel, server = opened()
    if plain:
        tunnel._frames = None
    found: list[object] = []
    try:
        for piece in pieces:
            found.append(tunnel.receive(piece))
            if tunnel.closed:
                break
    except ProtocolError as error:
        found.append(str(error))
    server.receive_data(tunnel.outgoing)
    return [*found, str(tunnel.closed), list(server.events())]


def cut(sent: bytes, cuts: Iterable[int]) -> list[bytes]:
    """The pieces of what is cut at these places; none is empty."""
    return [sent[start:stop] for start, stop in pairwise([0, *sorted({*cuts} - {0, len(sent)}), len(sent)])]


@settings(deadline=None)
@given(st.lists(FRAMES, min_size=1, max_size=6), st.data())
def test_whatever_comes_is_taken_as_wsproto_takes_it(frames: list[bytes], data: st.DataObject) -> None:
    sent = b"".join(frames)
    near = [place for border in range(len(frames)) for place in [len(b"".join(frames[:border]))] * 2]
    places = st.integers(0, len(sent)) | st.builds(
        lambda border, more: min(border + more, len(sent)), st.sampled_from(near), st.integers(0, 12)
    )
    pieces = [piece for piece in cut(sent, data.draw(st.lists(places, max_size=8))) if piece]
    assert told(pieces, plain=False) == told(pieces, plain=True)


@pytest.mark.parametrize(
    "frames",
    [
        [frame(0x82, b"one"), frame(0x82, b"two")],
        [frame(0x82, bytes(126)), frame(0x89, b"ping"), frame(0x82, bytes(200))],
        [frame(0x02, b"begins"), frame(0x89, b"between"), frame(0x00, b""), frame(0x80, b"ends"), frame(0x82, b"two")],
        [frame(0x02, b"begins"), frame(0x82, b"begins again")],
        [frame(0x02, b"begins"), frame(0x81, b"text")],
        [frame(0x82, b"one"), frame(0x01, "ü".encode()[:1])],
        [frame(0x82, b"one"), frame(0x88, b"\x03\xe8bye"), frame(0x82, b"after the end")],
        [frame(0x02, b"begins"), frame(0x88, b"")],
        [frame(0x82, b"one"), frame(0x89, bytes(125)), frame(0x89, bytes(126)), frame(0x82, b"two")],
        [frame(0x82, bytes(9), width=8), frame(0x82, b"two")],
        [frame(0x82, b"one"), b"\x82\x7f\xff\0\0\0\0\0\0\1two"],
    ],
)
def test_frames_that_are_cut_at_any_byte(frames: list[bytes]) -> None:
    sent = b"".join(frames)
    assert told([sent], plain=False) == told([sent], plain=True)
    for place in range(1, len(sent)):
        pieces = [sent[:place], sent[place:]]
        assert told(pieces, plain=False) == told(pieces, plain=True), place
    each = [sent[place : place + 1] for place in range(len(sent))]
    assert told(each, plain=False) == told(each, plain=True)


@pytest.mark.parametrize("step", [1, 2, 9, 11, 4096, 65536])
def test_a_frame_that_is_longer_than_what_is_received_at_once(step: int) -> None:
    payload = bytes(number * 7 % 256 for number in range(70_000))
    sent = frame(0x02, payload) + frame(0x80, payload[::-1])
    tunnel, _ = opened()
    received = [tunnel.receive(sent[start : start + step]) for start in range(0, len(sent), step)]
    assert b"".join(received) == payload + payload[::-1]


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
    tunnel, server = asked()
    assert tunnel.receive(server.send(AcceptConnection()) + b"\x82\x06") == b""
    assert tunnel.receive(b"\x82\x04four") == b"\x82\x04four"


def test_a_ping_that_has_come_in_part_with_the_handshake_can_end_as_that_does() -> None:
    tunnel, server = asked()
    assert tunnel.receive(server.send(AcceptConnection()) + b"\x89\x06\r\n\r\n") == b""
    assert tunnel.receive(b"\x82\x00\x82\x04four") == b"four"
    server.receive_data(tunnel.outgoing)
    assert [event.payload for event in server.events() if isinstance(event, Pong)] == [b"\r\n\r\n\x82\x00"]
