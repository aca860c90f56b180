"""What a server can make the driver take, and what it says where the protocol allows nothing: see docs/limits.md."""

from __future__ import annotations

import json
import re
import struct
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import server_messages as s
from fuzz_http import HTTP_ANSWERS, UPGRADE, new_tunnel
from fuzz_values import TYPES, run_arrow
from fuzzing import pieces_of
from scripted import ScramServer, ScriptedRunner, ScriptedServer
from test_flows import LOGIN, execute, open_with
from traced import traced

import neonps
from neonps import conninfo, errors
from neonps import settings as settings_module
from neonps.adapt import Loader
from neonps.adapters_map import AdaptersMap
from neonps.connection_info import _version_number
from neonps.endpoint import Endpoint
from neonps.gateway import http as gateway_http
from neonps.gateway import server
from neonps.load_errors import MalformedValueError, UndecodableTextError
from neonps.pq import ExecStatus, Format
from neonps.protocol import backend, http, proxy, scram, session, sqlhttp, websocket
from neonps.protocol import frontend as f
from neonps.protocol.backend import BackendParser, CopyData, ProtocolError
from neonps.protocol.http import HttpConnection, Response
from neonps.protocol.proxy import ConnectFailed, ConnectRequest
from neonps.protocol.result import FieldDescription, Result
from neonps.protocol.session import StateMachine
from neonps.protocol.sqlhttp import error_from_response, parse_answer
from neonps.protocol.websocket_end import UpgradeRefused
from neonps.protocol.wireresult import WireResult
from neonps.rows import class_row
from neonps.transformer import Transformer

# Messages


def test_a_long_message_in_many_small_pieces_takes_little_more_than_itself() -> None:
    size = 100_000
    data = s.message("d", b"x" * size)

    def feed() -> BackendParser:
        parser = BackendParser()
        for at in range(0, len(data), 2):
            parser.feed(data[at : at + 2])
        return parser

    parser, left, _ = traced(feed)
    assert left < 2 * size
    assert parser.next_message() == CopyData(b"x" * size)
    assert parser.pending == 0


class CountingParser(BackendParser):
    """Counts the bytes that are joined, which is what could take quadratic time."""

    joined = 0

    def _gather(self) -> bool:
        joined = super()._gather()
        self.joined += len(self._data) if joined else 0
        return joined


@pytest.mark.parametrize("step", [1, 3, 100])
def test_pieces_are_joined_in_linear_time(step: int) -> None:
    def work(rows: int) -> int:
        data = b"".join(s.data_row(b"x" * (n % 50)) for n in range(rows)) + s.message("d", b"y" * rows)
        parser = CountingParser()
        found = 0
        for at in range(0, len(data), step):
            parser.feed(data[at : at + step])
            while (message := parser.next_message()) is not None:
                found += message.ntuples if isinstance(message, backend.DataRows) else 1
        assert found == rows + 1
        return parser.joined

    assert work(4000) < 2.2 * work(2000)


@pytest.mark.parametrize(
    "message",
    [
        s.message("R", struct.pack("!i", 5) + b"sal"),
        s.message("R", struct.pack("!i", 5) + b"salt!"),
        s.message("K", struct.pack("!I", 1) + b"k" * 257),
        s.message("T", struct.pack("!H", 1) + b"a\0" + struct.pack("!IHIhih", 0, 0, 23, 4, -1, 7)),
        b"S" + struct.pack("!i", backend.MAX_SHORT_MESSAGE + 1),
        b"D" + struct.pack("!i", backend.MAX_MESSAGE + 1),
        b"E" + struct.pack("!i", backend.MAX_MESSAGE + 1),
    ],
)
def test_messages_that_are_refused(message: bytes) -> None:
    parser = BackendParser()
    parser.feed(message)
    with pytest.raises(ProtocolError):
        parser.next_message()


def machine_after(*messages: bytes, protocol: int = f.PROTOCOL_3_0) -> StateMachine:
    machine = StateMachine()
    machine.send(f.StartupMessage({"user": "u"}, protocol))
    machine.receive(b"".join(messages))
    while machine.next_event() is not None:
        pass
    return machine


@pytest.mark.parametrize(("version", "allowed"), [(0x30000, True), (0x30002, True), (0x30003, False), (0x20000, False)])
def test_only_a_version_that_was_offered_can_be_negotiated(version: int, allowed: bool) -> None:
    negotiation = s.message("v", struct.pack("!iI", version, 0))
    if allowed:
        assert machine_after(negotiation, LOGIN, protocol=0x30002).protocol == version
    else:
        with pytest.raises(ProtocolError, match="version"):
            machine_after(negotiation, LOGIN, protocol=0x30002)


def test_a_server_reports_settings_without_end() -> None:
    def report(count: int) -> bytes:
        return b"".join(s.message("S", b"s%d\0x\0" % n) for n in range(count))

    machine = machine_after(s.AUTHENTICATION_OK, report(session.MAX_PARAMETERS))
    assert len(machine.parameters) == session.MAX_PARAMETERS
    with pytest.raises(ProtocolError, match="settings"):
        machine_after(s.AUTHENTICATION_OK, report(session.MAX_PARAMETERS + 1))


# What nothing has asked for

ROWS = s.row_description("x") + s.data_row(b"1") + s.complete("SELECT 1") + s.IDLE
NOTICE = s.error("00000", "beware", code="N")
NOTIFICATION = s.message("A", struct.pack("!I", 7) + b"c\0p\0")


@pytest.mark.parametrize(
    "extra",
    [ROWS, s.IDLE, s.data_row(b"1"), s.complete("SELECT 1"), NOTICE + ROWS, s.KEY, s.AUTHENTICATION_OK, ROWS[:3]],
)
def test_an_answer_before_the_question_is_not_taken_for_one(extra: bytes) -> None:
    runner = ScriptedRunner(ScriptedServer(LOGIN, answers={"Q": ROWS + extra, "X": b""}))
    session = open_with(runner)
    session.autocommit = True
    assert [len(list(result.rows())) for result in runner.run(execute(session, "select 1"))] == [1]
    with pytest.raises(neonps.OperationalError, match="nothing has asked for"):
        runner.run(execute(session, "select 2"))
    assert runner.closed
    assert session.closed


def test_an_answer_behind_the_login_is_not_taken_for_one() -> None:
    runner = ScriptedRunner(ScriptedServer(LOGIN + ROWS, answers={"Q": ROWS, "X": b""}))
    session = open_with(runner)
    session.autocommit = True
    with pytest.raises(neonps.OperationalError, match="nothing has asked for"):
        runner.run(execute(session, "select 1"))
    assert len(runner.sent) == 1  # the statement was not even sent


@pytest.mark.parametrize("extra", [NOTICE, NOTIFICATION, s.message("S", b"TimeZone\0UTC\0"), NOTICE + NOTIFICATION])
def test_what_may_come_at_any_time(extra: bytes) -> None:
    runner = ScriptedRunner(ScriptedServer(LOGIN + extra, answers={"Q": ROWS + extra, "X": b""}))
    session = open_with(runner)
    session.autocommit = True
    for _ in range(3):
        assert len(runner.run(execute(session, "select 1"))) == 1


def test_rows_without_a_description() -> None:
    runner = ScriptedRunner(ScriptedServer(LOGIN, answers={"Q": s.data_row(b"1") + s.complete("SELECT 1") + s.IDLE}))
    session = open_with(runner)
    session.autocommit = True
    with pytest.raises(neonps.OperationalError, match="DataRows when QUERY was due"):
        runner.run(execute(session, "select 1"))


@pytest.mark.parametrize("answer", [b"SS", b"S" + LOGIN, b"NN", b"E", LOGIN])
def test_more_than_one_byte_in_clear_text_before_tls(answer: bytes) -> None:
    runner = ScriptedRunner(ScriptedServer(answer, LOGIN))
    with pytest.raises(neonps.OperationalError, match="request for TLS"):
        open_with(runner, sslmode="require")
    assert len(runner.sent) == 1  # nothing was said to somebody in between


# SCRAM

SALT = "s=QSXCR+Q6sek8bf92QSXCR+Q6"


class Challenger(ScramServer):
    """Sends a challenge of one's own; `{nonce}` in it stands for what the client has sent."""

    def __init__(self, challenge: str) -> None:
        super().__init__("hunter2")
        self._text = challenge

    def _challenge(self, body: bytes) -> bytes:
        nonce = body.rpartition(b"r=")[2].decode()
        return s.message("R", struct.pack("!i", 11) + self._text.replace("{nonce}", nonce).encode("latin-1"))


@pytest.mark.parametrize(
    "challenge",
    [
        "",
        "r={nonce}",
        f"r={{nonce}},{SALT},i=4096",  # nothing of the server's own
        f"r=abc,{SALT},i=4096",
        f"r=,{SALT},i=4096",
        f"r=x{{nonce}},{SALT},i=4096",
        f"r={{nonce}}x\x07,{SALT},i=4096",
        f"r={{nonce}}x,{SALT},i=0",
        f"r={{nonce}}x,{SALT},i=-1",
        f"r={{nonce}}x,{SALT},i=",
        f"r={{nonce}}x,{SALT},i=many",
        f"r={{nonce}}x,{SALT},i=4096x",
        f"r={{nonce}}x,{SALT},i={scram.MAX_ITERATIONS + 1}",
        f"r={{nonce}}x,{SALT},i={10**18}",
        f"r={{nonce}}x,{SALT},i={'9' * 5000}",
        f"r={{nonce}}x,{SALT}",
        "r={nonce}x,s=,i=4096",
        "r={nonce}x,s=!!!,i=4096",
        f"{SALT},r={{nonce}}x,i=4096",
        f"v=abcd,r={{nonce}}x,{SALT},i=4096",
        f"m=ext,r={{nonce}}x,{SALT},i=4096",
        "e=other-error",
        "\xff\xfe",
    ],
)
def test_challenges_that_are_refused(challenge: str) -> None:
    runner = ScriptedRunner(Challenger(challenge))
    with pytest.raises(neonps.OperationalError, match="SCRAM challenge is not valid") as caught:
        open_with(runner)
    assert "hunter2" not in str(caught.value)
    assert len(runner.sent) == 2  # nothing that is made of the password


@pytest.mark.parametrize("final", ["v=AAAA", "v=", "", "e=invalid-proof", "r=x", "x", "v=!!!", "v=é"])
def test_a_proof_that_is_wrong(final: str) -> None:
    with pytest.raises(neonps.OperationalError, match="could not prove"):
        open_with(ScriptedRunner(ScramServer("hunter2", lambda _: final)))


def test_the_end_of_a_login_without_a_proof() -> None:
    class Silent(ScramServer):
        def _final(self, body: bytes) -> bytes:
            return LOGIN

    with pytest.raises(neonps.OperationalError, match="AuthenticationOk"):
        open_with(ScriptedRunner(Silent("hunter2")))


# HTTP


def connection() -> HttpConnection:
    made = HttpConnection(Endpoint.parse("http://localhost/sql", "endpoint"))
    made.request("POST", {}, b"")
    return made


def test_a_length_is_not_believed_before_the_body_comes() -> None:
    def receive(pieces: int) -> HttpConnection:
        answering = connection()
        assert answering.receive(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % http.MAX_BODY) is None
        for _ in range(pieces):
            assert answering.receive(b"x" * 20_000) is None
        return answering

    for pieces, limit in ((1, 1_500_000), (101, 17 * 2_000_000)):
        _, _, peak = traced(lambda: receive(pieces))  # noqa: B023 - called at once
        assert peak < limit


@pytest.mark.parametrize("size", [65_536, 1 << 20, (1 << 20) + 1, 20_000_000])
@pytest.mark.parametrize("piece", [9_999, 1 << 20, 1 << 25])
def test_a_body_that_comes_is_whole(size: int, piece: int) -> None:
    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    answering = connection()
    assert answering.receive(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size) is None
    for at in range(0, size, piece):
        response = answering.receive(body[at : at + piece])
    assert response is not None
    assert response.body == body
    assert answering.reusable


def lines_of(size: int) -> bytes:
    """Header lines of about so many bytes."""
    return b"".join(b"X-%d: %b\r\n" % (n, b"x" * 990) for n in range(size // 1000))


#: Ways for what comes to come.
in_pieces = pytest.mark.parametrize("piece", [1 << 18, 10_000, 777])


def fed(receive: Callable[[bytes], object], data: bytes, piece: int) -> object:
    """Give data in pieces of a length, and give the last result."""
    result = None
    for at in range(0, len(data), piece):
        result = receive(data[at : at + piece])
    return result


@in_pieces
@pytest.mark.parametrize("head", [b"OK\r\n" + lines_of(70_000), b"OK" * 35_000 + b"\r\n"], ids=["headers", "reason"])
def test_a_head_is_not_too_long_even_in_one_piece(head: bytes, piece: int) -> None:
    with pytest.raises(ProtocolError):
        fed(connection().receive, b"HTTP/1.1 200 " + head + b"Content-Length: 0\r\n\r\n", piece)


# The answer of a proxy


@in_pieces
@pytest.mark.parametrize(
    "head",
    [
        b"200 OK\r\n" + lines_of(70_000),
        b"200 " + b"OK" * 35_000 + b"\r\n",
        b"407 No\r\n" + lines_of(70_000),
        b"100 Go on\r\n" + lines_of(70_000),
    ],
    ids=["headers", "reason", "refusal", "before the answer"],
)
def test_the_head_of_the_answer_of_a_proxy(head: bytes, piece: int) -> None:
    request = ConnectRequest("h", 443, None)
    request.data()
    with pytest.raises(ConnectFailed, match=f"longer than {proxy.MAX_HEAD} bytes"):
        fed(request.receive, b"HTTP/1.1 " + head + b"\r\n", piece)


@in_pieces
def test_a_long_answer_of_a_proxy(piece: int) -> None:
    request = ConnectRequest("h", 443, None)
    request.data()
    head = b"HTTP/1.1 200 OK\r\n" + lines_of(60_000) + b"\r\n"
    assert fed(request.receive, b"HTTP/1.1 100 Go on\r\n" + lines_of(10_000) + b"\r\n" + head, piece) is True


@pytest.mark.parametrize("head", [b"Content-Length: 50000", b"Transfer-Encoding: chunked", b"Connection: close"])
@pytest.mark.parametrize("status", [b"200 OK", b"500 Oh"])
def test_a_body_is_not_too_long(monkeypatch: pytest.MonkeyPatch, head: bytes, status: bytes) -> None:
    monkeypatch.setattr(http, "MAX_BODY" if status == b"200 OK" else "MAX_ERROR_BODY", 30_000)
    answering = connection()
    part = b"x" * 10_000 if b"chunked" not in head else b"2710\r\n" + b"x" * 10_000 + b"\r\n"
    assert answering.receive(b"HTTP/1.1 %b\r\n%b\r\n\r\n" % (status, head) + part * 3) is None
    with pytest.raises(ProtocolError, match="longer than 30000"):
        answering.receive(part)


def test_tiny_chunks() -> None:
    answering = connection()
    response = answering.receive(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 20_000 + b"0\r\n\r\n"
    )
    assert response is not None
    assert response.body == b"x" * 20_000


@pytest.mark.parametrize("behind", [HTTP_ANSWERS[0], b"x", b"\r\n"])
def test_what_comes_behind_a_response(behind: bytes) -> None:
    answering = connection()
    assert answering.receive(HTTP_ANSWERS[0] + behind) is not None
    assert not answering.reusable


# JSON


def answer(**changes: Any) -> Response:
    result = {"fields": [{"name": "a", "dataTypeID": 23}], "rows": [["1"]], "command": "SELECT", "rowCount": 1}
    return Response(200, "OK", {}, json.dumps({**result, **changes}).encode())


@pytest.mark.parametrize(
    "changes",
    [
        {"rowCount": -1},
        {"rowCount": 10**30},
        {"rowCount": float("nan")},
        {"rowCount": 1.0},
        {"rowCount": True},
        {"fields": [{"name": "a", "dataTypeID": 10**30}]},
        {"fields": [{"name": "a", "dataTypeID": float("inf")}]},
        {"fields": [{"name": "a", "dataTypeID": 23, "dataTypeModifier": -(10**30)}]},
        {"fields": [{"name": "a", "dataTypeID": 23, "dataTypeSize": None}]},
        {"fields": {"name": "a"}},
        {"rows": [["\ud800"]]},
        {"rows": [[["1"]]]},
        {"rows": [["1"], ["1", "2"]]},
        {"rows": {"0": ["1"]}},
    ],
)
def test_answers_that_make_no_sense(changes: dict[str, Any]) -> None:
    assert len(parse_answer(answer(), None)) == 1
    with pytest.raises(neonps.OperationalError, match="makes no sense"):
        parse_answer(answer(**changes), None)


@pytest.mark.parametrize("body", [b"[" * 10**6, b'{"rows":' * 10**5, b'{"rowCount":' + b"9" * 10**5 + b"}", b"\xff{}"])
def test_answers_that_python_does_not_read(body: bytes) -> None:
    with pytest.raises(neonps.OperationalError, match="makes no sense"):
        parse_answer(Response(200, "OK", {}, body), None)
    assert isinstance(error_from_response(Response(500, "", {}, body)), neonps.OperationalError)


def test_the_last_of_two_keys_counts() -> None:
    body = answer().body.replace(b'"rows"', b'"rows": [["5"], ["6"]], "rows"')
    (result,) = parse_answer(Response(200, "OK", {}, body), None)
    assert list(result.rows()) == [[b"1"]]


def test_an_error_with_a_position_of_many_digits() -> None:
    body = json.dumps({"message": "oh", "code": "42601", "position": "9" * 5000, "severity": "ERROR"}).encode()
    error = error_from_response(Response(400, "", {}, body), "select 1", lambda position: position)
    assert isinstance(error, errors.SyntaxError)
    assert str(error) == "oh"


def test_the_message_of_a_proxy_is_cut() -> None:
    for body in ("x" * 10**6, {"message": "x" * 10**6, "code": "y" * 10**6}):
        error = error_from_response(Response(500, "", {}, json.dumps(body).encode()))
        assert len(str(error)) < sqlhttp.SHOWN_MESSAGE + 200


# WebSocket


@in_pieces
@pytest.mark.parametrize(
    "long", [lines_of(20_000), b"Connection: Upgrade, " + b"x" * 17_000 + b"\r\n"], ids=["lines", "a line"]
)
@pytest.mark.parametrize("newline", [b"\r\n", b"\n"])
def test_the_head_of_the_answer_to_a_handshake(long: bytes, newline: bytes, piece: int) -> None:
    tunnel, accept = new_tunnel()
    head = (UPGRADE + accept + b"\r\n" + long + b"\r\n").replace(b"\r\n", newline)
    with pytest.raises(ProtocolError, match=f"head .* longer than {websocket.MAX_HEAD} bytes"):
        fed(tunnel.receive, head, piece)
    tunnel, _ = new_tunnel()
    with pytest.raises(ProtocolError, match=f"head .* longer than {websocket.MAX_HEAD} bytes"):
        fed(tunnel.receive, b"HTTP/1.1 403 No\r\n" + long + b"\r\n", piece)


@in_pieces
@pytest.mark.parametrize("newline", [b"\r\n", b"\n"])
def test_a_long_answer_to_a_handshake(newline: bytes, piece: int) -> None:
    """What comes behind the head does not count."""
    tunnel, accept = new_tunnel()
    head = (UPGRADE + accept + b"\r\n" + lines_of(16_000) + b"\r\n").replace(b"\r\n", newline)
    payload: list[bytes] = []
    fed(lambda data: payload.append(tunnel.receive(data)), head + b"\x82\x7e\xff\xff" + b"x" * 65_535, piece)
    assert b"".join(payload) == b"x" * 65_535
    tunnel, _ = new_tunnel()
    with pytest.raises(UpgradeRefused):
        fed(tunnel.receive, b"HTTP/1.1 403 No\r\n" + lines_of(16_000) + b"\r\n" + b"x" * 70_000, piece)


def opened() -> websocket.WebSocketTunnel:
    tunnel, accept = new_tunnel()
    assert tunnel.receive(UPGRADE + accept + b"\r\n\r\n") == b""
    assert tunnel.is_open
    return tunnel


@pytest.mark.parametrize("pieces", [b"", b"\1", b"\7"])
def test_data_behind_a_close_frame(pieces: bytes) -> None:
    tunnel = opened()
    data = b"\x82\x01a\x88\x02\x03\xe8"
    assert b"".join(map(tunnel.receive, pieces_of(data, pieces))) == b"a"
    assert tunnel.closed
    with pytest.raises(ProtocolError):
        tunnel.receive(b"\x82\x01b")
    assert opened().receive(data + b"\x82\x01b") == b"a"  # it is not looked at (RFC 6455 5.5.1)


def test_many_pings_at_once_are_all_answered() -> None:
    tunnel = opened()
    tunnel.receive(b"\x89\x00" * 10_000)
    assert len(tunnel.outgoing) == 10_000 * 6
    assert isinstance(tunnel.outgoing, bytearray)  # to which to add takes no copy of all


def test_a_handshake_with_headers_that_are_no_ascii() -> None:
    tunnel, _ = new_tunnel()
    with pytest.raises(ProtocolError, match="handshake"):
        tunnel.receive(b"HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\xd5\r\n\r\n")


def test_the_body_of_a_refusal_is_cut() -> None:
    tunnel, _ = new_tunnel()
    tunnel.receive(b"HTTP/1.1 500 Oh\r\nContent-Length: 1000000\r\n\r\n")
    with pytest.raises(UpgradeRefused) as caught:
        for _ in range(1000):
            tunnel.receive(b"x" * 1000)
    assert len(caught.value.body) == websocket.MAX_REFUSAL


# Values


def load(oid: int, format: Format, value: bytes, adapters: AdaptersMap = TYPES) -> Any:
    transformer = Transformer(adapters)
    transformer.set_loader_types([oid], format)
    return transformer.load_sequence([value])[0]


#: Binary arrays that say they have more than is there.
_HUGE_ARRAY = struct.pack("!IIIII", 1, 0, 23, 0xFFFFFFFF, 1)
_DEEP_ARRAY = struct.pack("!III", 7, 0, 23) + struct.pack("!II", 1, 1) * 7 + struct.pack("!ii", 4, 1)


def nested_array(depth: int) -> bytes:
    """An array of an array of an array …, which Postgres has not."""
    value = struct.pack("!III", 0, 0, 23)
    for _ in range(depth):
        value = struct.pack("!IIIIIi", 1, 0, 1007, 1, 1, len(value)) + value
    return value


@pytest.mark.parametrize(
    ("oid", "format", "value"),
    [
        (23, Format.TEXT, b"x"),
        (23, Format.TEXT, b"9" * 5000),
        (23, Format.BINARY, b"123"),
        (701, Format.TEXT, b"x"),
        (701, Format.BINARY, b"123"),
        (1700, Format.TEXT, b"x"),
        (1700, Format.BINARY, struct.pack("!HhHH", 65535, 0, 0, 0)),
        (114, Format.TEXT, b"{"),
        (114, Format.TEXT, b"[" * 100_000),
        (3802, Format.BINARY, b"\x01" + b'{"a":' * 100_000),
        (114, Format.TEXT, b"9" * 5000),
        (1007, Format.TEXT, b"{1,x}"),
        (1007, Format.TEXT, b"{" * 7 + b"}" * 7),
        (1007, Format.TEXT, b"{" * 100_000),
        (1007, Format.BINARY, _HUGE_ARRAY),
        (1007, Format.BINARY, _DEEP_ARRAY),
        (1007, Format.BINARY, nested_array(2000)),
        (3904, Format.TEXT, b"[x,y]"),
        (2249, Format.BINARY, struct.pack("!i", 0x7FFFFFFF)),
        (4451, Format.BINARY, struct.pack("!i", 0x7FFFFFFF)),
        (50_000, Format.BINARY, struct.pack("!i", 0x7FFFFFFF)),
        (1082, Format.TEXT, b"2020-13-45"),
        (1184, Format.TEXT, b"\xff"),
    ],
)
def test_values_that_are_malformed(oid: int, format: Format, value: bytes) -> None:
    with pytest.raises(neonps.DataError):
        load(oid, format, value)


@pytest.mark.parametrize("value", [b"\xff", b"\xfe", b"a\x80"])  # the first two stand for NULL and "" on the way
@pytest.mark.parametrize("rows", [1, 40])
def test_text_that_is_not_in_the_encoding(rows: int, value: bytes) -> None:
    fields = fields_of(25)
    result = WireResult(fields)
    data = s.data_row(value) * rows
    result.append(backend.DataRows(data, 0, len(data), rows))
    transformer = Transformer(TYPES)
    transformer.set_fields(fields)
    with pytest.raises(UndecodableTextError) as caught:
        result.load_rows(transformer, tuple, 0, rows)
    assert isinstance(caught.value, neonps.DataError)
    assert isinstance(caught.value, UnicodeDecodeError)  # as psycopg has it
    assert caught.value.object == value


def fields_of(oid: int) -> list[Any]:
    return [FieldDescription("a", 0, 0, oid, -1, -1, 0)]


def test_a_month_that_there_is_not_in_a_column_of_arrow() -> None:
    values = [b"1", b"1", b"2020-81-02", None, None]
    with pytest.raises(neonps.DataError, match="no date"):
        run_arrow(bytes([2]) + s.data_row(*values))


def test_errors_of_values_are_those_of_python_too() -> None:
    with pytest.raises(ValueError, match="invalid literal") as caught:
        load(23, Format.TEXT, b"x")
    assert type(caught.value) is MalformedValueError


class Mine(Loader):
    def load(self, data: Any) -> Any:
        return int(data)


@pytest.mark.parametrize("rows", [1, 40])
def test_what_a_loader_of_the_user_raises_is_left_as_it_is(rows: int) -> None:
    adapters = AdaptersMap(TYPES)
    adapters.register_loader(23, Mine)
    with pytest.raises(ValueError, match="invalid literal") as caught:
        load(23, Format.TEXT, b"x", adapters)
    assert type(caught.value) is ValueError
    fields = fields_of(23)
    result = WireResult(fields)
    data = s.data_row(b"x") * rows
    result.append(backend.DataRows(data, 0, len(data), rows))
    transformer = Transformer(adapters)
    transformer.set_fields(fields)
    with pytest.raises(ValueError, match="invalid literal") as caught:
        result.load_rows(transformer, tuple, 0, rows)
    assert type(caught.value) is ValueError


def test_what_a_factory_of_the_user_raises_is_left_as_it_is(auto: Any) -> None:
    class Refusing:
        def __init__(self, a: int) -> None:
            raise ValueError(f"not {a}")

    cursor = auto.cursor(row_factory=class_row(Refusing))
    with pytest.raises(ValueError, match="not 1") as caught:
        cursor.execute("select generate_series(1, 30) as a").fetchall()
    assert type(caught.value) is ValueError


def test_numerics_are_no_longer_than_those_of_postgres() -> None:
    largest = load(1700, Format.BINARY, struct.pack("!HhHHH", 1, 32767, 0, 65535, 9999))
    assert len(largest.as_tuple().digits) == 4 * 32768 + 65535
    smallest = load(1700, Format.BINARY, struct.pack("!HhHHH", 1, -32768, 0, 65535, 9999))
    assert len(smallest.as_tuple().digits) <= 65535
    assert load(1700, Format.TEXT, b"1e999999999") == Decimal("1e999999999")


def test_numbers_in_text_of_the_server() -> None:
    assert Result(ExecStatus.TUPLES_OK, None, "SELECT " + "9" * 5000).command_tuples is None
    assert Result(ExecStatus.TUPLES_OK, None, "SELECT 12").command_tuples == 12
    error = errors.error_from_fields({"C": "42601", "M": "oh", "P": "9" * 5000}, "select")
    assert str(error) == "oh"
    assert _version_number("²") == 0
    assert _version_number("9" * 5000) == 0
    assert _version_number("18.1") == 180001


def calls_of(function: Callable[[], object]) -> int:
    """How many lines of Python a call takes."""
    count = 0

    def trace(frame: Any, event: str, argument: Any) -> Any:
        nonlocal count
        count += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        function()
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize(
    ("oid", "format", "make"),
    [
        (1007, Format.TEXT, lambda n: b"{{" + b",".join([b"1"] * n) + b"}}"),
        (1009, Format.TEXT, lambda n: b'{"' + b'\\"' * n + b'"}'),
        (2249, Format.TEXT, lambda n: b"(" + b",".join([b'"a""b"'] * n) + b")"),
        (4451, Format.TEXT, lambda n: b"{" + b",".join([b"[1,2)"] * n) + b"}"),
        (50_000, Format.TEXT, lambda n: b",".join([b'"a"=>"b"'] * n)),
        (2249, Format.BINARY, lambda n: struct.pack("!i", n) + struct.pack("!Ii", 25, 0) * n),
    ],
)
def test_work_is_linear_in_the_length(oid: int, format: Format, make: Callable[[int], bytes]) -> None:
    def work(n: int) -> int:
        return calls_of(lambda: load(oid, format, make(n)))

    work(10)  # what is imported at first
    assert work(2000) < 2.5 * work(1000)


# The table


def test_the_table_has_the_limits_of_the_code() -> None:
    page = Path(__file__).parents[1].joinpath("docs", "limits.md").read_text()
    named = re.findall(r"\| `neonps\.([\w.]+)\.([A-Z_]+)` = ([\d,]+) \|", page)
    assert len(named) >= 10
    for module, name, value in named:
        __import__(f"neonps.{module}")
        assert getattr(sys.modules[f"neonps.{module}"], name) == int(value.replace(",", "")), name


def test_the_figures_of_the_page_on_security_are_those_of_the_code() -> None:
    page = Path(__file__).parents[1].joinpath("SECURITY.md").read_text()
    mib = 1 << 20
    for text, value in {
        "after {} seconds, and Postgres has its place back": server.IDLE_TIMEOUT,
        "at most {} requests over HTTP are at work in Postgres": server.MAX_SESSIONS,
        "| a request to the gateway | {} MiB,": server.MAX_REQUEST / mib,
        "its head {} KiB |": gateway_http.MAX_HEAD / 1024,
        "| an answer of the gateway | {} MiB of rows": server.MAX_RESPONSE / mib,
        "| `connect_timeout`, {} seconds by default": conninfo.DEFAULT_CONNECT_TIMEOUT,
        "by default {} seconds over HTTP": settings_module.HTTP_TIMEOUT,
    }.items():
        assert text.format(f"{value:g}") in page
