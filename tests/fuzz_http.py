"""Answers over HTTP and WebSocket, and of proxies, for fuzzing, and what reads them in any pieces."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

from fuzz_values import ARROW_SESSION, load_result
from fuzzing import pieces_of

from neonps.arrow import tables
from neonps.arrow.rows import Part
from neonps.endpoint import Endpoint
from neonps.protocol.backend import ProtocolError
from neonps.protocol.http import HttpConnection, Response
from neonps.protocol.proxy import ConnectFailed, ConnectRequest
from neonps.protocol.sqlhttp import error_from_response, parse_answer
from neonps.protocol.websocket import WebSocketTunnel

# HTTP


_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
HTTP_ANSWERS = [
    _HEAD + b"Content-Length: 5\r\n\r\nhello",
    _HEAD + b"Transfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: x\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n" + _HEAD + b"Content-Length: 0\r\n\r\n",
    b"HTTP/1.0 502 Bad Gateway\r\nConnection: close\r\n\r\n<html>",
    b"HTTP/1.1 204 No Content\r\n\r\n",
    _HEAD + b"Content-Length: 70000\r\n\r\n" + b"x" * 5000,
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
]


def run_http(data: bytes) -> None:
    outcomes = []
    for pieces in ([data[1:]], list(pieces_of(data[1:], data[:1]))):
        http = HttpConnection(Endpoint.parse("http://localhost/sql", "endpoint"))
        http.request("POST", {}, b"")
        response: object = None
        try:
            for piece in pieces:
                response = http.receive(piece) if piece else None
                if response is not None:
                    break
            if response is None:
                response = http.receive(b"")
        except ProtocolError as error:
            response = type(error)
        outcomes.append(response)
    if outcomes[0] != outcomes[1]:
        # One more thing may come behind a response in the same piece; then only it is not the same.
        assert ProtocolError in outcomes, outcomes


def _json_answer(**changes: Any) -> dict[str, Any]:
    return {
        "fields": [
            {"name": "a", "dataTypeID": 23, "tableID": 0, "columnID": 0, "dataTypeSize": 4, "dataTypeModifier": -1},
            {"name": "b", "dataTypeID": 25},
        ],
        "rows": [["1", "x"], [None, "\u00e4\ud83d\ude00"]],
        "command": "SELECT",
        "rowCount": 2,
        **changes,
    }


JSON_ANSWERS = [
    json.dumps(_json_answer()).encode(),
    json.dumps({"results": [_json_answer(), _json_answer(rows=[], command="UPDATE", fields=[])]}).encode(),
    json.dumps(_json_answer(rows=[["7", "x" * 100]] * 20, rowCount=20), separators=(",", ":")).encode(),
    b'{"message":"no such table","code":"42P01","position":"15","severity":"ERROR","line":"7"}',
    b'{"message":"x","code":"RATE_LIMITED"}',
    b"<html><title>x</title><style>a</style>502</html>",
    b'"oh"',
]


def run_json(data: bytes) -> None:
    """Answers of SQL over HTTP, to one statement and to two, as success and as failure."""
    body = data[1:]
    error_from_response(Response(500, "", {}, body), "select 1", lambda position: position)
    expected = (None, 1, 2)[(data[0] if data else 0) % 3]
    if data[:1] >= b"\x80":  # what is long is read in another way
        body = body.replace(b'"rows":[[', b'"rows":[' + b'["7","' + b"y" * 70000 + b'"],[', 1)
    for result in parse_answer(Response(200, "OK", {}, body), expected):
        load_result(result)
        if result.fields and len({field.name for field in result.fields}) == len(result.fields):
            tables.table(result.fields, [Part(result, 0, result.ntuples)], ARROW_SESSION).validate(full=True)


# Proxies

LOGIN = "Basic dTpTM2NyZXQ="

CONNECT_ANSWERS = [
    b"HTTP/1.1 200 Connection established\r\n\r\n",
    b"HTTP/1.0 200 OK\r\nProxy-Agent: x\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic realm=x\r\nContent-Length: 2\r\n\r\nno",
    b"HTTP/1.1 407 Who\r\nProxy-Authenticate: Negotiate\r\nProxy-Authenticate: NTLM TlRM, Digest x=y\r\n\r\n",
    b"HTTP/1.1 407 Who\r\nProxy-Authenticate: Other\r\nProxy-Authenticate: 7\r\n\r\n",
    b"HTTP/1.1 403 No " + LOGIN.encode() + b"\r\nX: " + LOGIN.encode() + b"\r\n\r\n<html>",
    b"HTTP/1.1 502 Bad Gateway\r\nConnection: close\r\n\r\n",
]


def run_connect(data: bytes) -> None:
    """The way is open, or not for the same reason, in whatever pieces the answer comes."""
    outcomes: list[tuple[bool, int | None]] = []
    for pieces in ([data[1:]], list(pieces_of(data[1:], data[:1]))):
        request = ConnectRequest("example.com", 443, LOGIN)
        request.data()
        said = ""
        try:
            outcomes.append((any(request.receive(piece) for piece in (*filter(None, pieces), b"")), None))
        except ConnectFailed as error:
            outcomes.append((False, error.status))
            said = str(error)
        assert LOGIN.split()[1] not in said
        assert len(said) < 200
    whole, some = outcomes
    # Behind what opens the way something may come, in the same piece or in the next one, which is not looked at then.
    assert whole == some or (whole, some) == ((False, None), (True, None)), outcomes


# WebSocket


def new_tunnel() -> tuple[WebSocketTunnel, bytes]:
    tunnel = WebSocketTunnel(Endpoint.parse("ws://localhost/v2", "endpoint"))
    request = tunnel.handshake()
    key = request.split(b"Sec-WebSocket-Key: ")[1].split(b"\r\n")[0]
    accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    return tunnel, accept


UPGRADE = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "


def run_frames(data: bytes) -> None:
    """What comes after the handshake: the same payload and the same end, in whatever pieces."""
    outcomes = []
    for pieces in ([data[1:]], list(pieces_of(data[1:], data[:1]))):
        tunnel, accept = new_tunnel()
        assert not tunnel.receive(UPGRADE + accept + b"\r\n\r\n")
        assert tunnel.is_open
        payload = b""
        try:
            for piece in pieces:
                if tunnel.closed:
                    break
                payload += tunnel.receive(piece) if piece else b""
            tunnel.closed or tunnel.receive(b"")
            assert tunnel.closed
            with_end = str(tunnel.closed)
        except ProtocolError:
            with_end = "broken"
        outcomes.append((payload, with_end))
    (whole, whole_end), (some, some_end) = outcomes
    assert whole_end == some_end or "broken" in (whole_end, some_end), outcomes
    if "broken" not in (whole_end, some_end):
        assert whole == some


def run_handshake(data: bytes) -> None:
    tunnel, accept = new_tunnel()
    for piece in pieces_of(data[1:].replace(b"{accept}", accept), data[:1]):
        tunnel.receive(piece)
        if tunnel.closed:
            return
    tunnel.receive(b"")


FRAMES = [
    b"\x82\x03abc\x82\x00",
    b"\x02\x01a\x89\x01p\x00\x01b\x80\x01c",
    b"\x82\x7e\x00\x80" + b"x" * 128,
    b"\x82\x7f\0\0\0\0\0\1\0\0" + b"x" * 300,
    b"\x82\x03abc\x88\x05\x03\xe8bye",
    b"\x8a\x00\x88\x00",
    b"\x81\x03abc",
    b"\x88\x02\x03\xe8\x82\x03abc",
]
HANDSHAKES = [
    UPGRADE + b"{accept}\r\n\r\n\x82\x03abc",
    UPGRADE + b"{accept}\r\nneon-request-id: 7\r\n\r\n",
    b"HTTP/1.1 403 Forbidden\r\nContent-Length: 3\r\n\r\nno!",
    b"HTTP/1.1 502 Bad\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    UPGRADE + b"{accept}\r\nSec-WebSocket-Extensions: permessage-deflate\r\nSec-WebSocket-Protocol: x\r\n\r\n",
]
