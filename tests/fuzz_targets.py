"""What is fuzzed: for each decoder what good input looks like, and a function that gives it any input.

A function does nothing but let the decoder work. Whatever it raises that is not documented is a bug; so is an answer
that depends on how the bytes came in pieces.
"""

from __future__ import annotations

import base64
import hashlib
import json
import random
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from types import SimpleNamespace
from typing import Any, NamedTuple

import server_messages as s
from scripted import ScriptedRunner, ScriptedServer

import neonps
from neonps import errors
from neonps.adapters_map import AdaptersMap
from neonps.arrow import tables
from neonps.arrow.reading import Session as ArrowSession
from neonps.arrow.rows import Part
from neonps.connection_info import _version_number
from neonps.copy import _parse_binary
from neonps.copy_text import unescape
from neonps.endpoint import Endpoint
from neonps.flows.connect import open_session
from neonps.postgres import adapters
from neonps.pq import Format
from neonps.protocol import backend as b
from neonps.protocol import frontend as f
from neonps.protocol.backend import BackendParser, DataRows, ProtocolError
from neonps.protocol.http import HttpConnection, Response
from neonps.protocol.result import FieldDescription, Result
from neonps.protocol.scram import Scram
from neonps.protocol.session import StateMachine
from neonps.protocol.sqlhttp import error_from_response, parse_answer
from neonps.protocol.websocket import WebSocketTunnel
from neonps.protocol.websocket_end import UpgradeRefused, WebSocketClosed
from neonps.protocol.wireresult import WireResult
from neonps.query import PostgresQuery
from neonps.settings import resolve
from neonps.transformer import Transformer
from neonps.typeinfo import TypeInfo
from neonps.types.composite import CompositeInfo, register_composite
from neonps.types.hstore import register_hstore

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


# Messages of the server


def pieces_of(data: bytes, sizes: bytes) -> Iterator[bytes]:
    """The data in pieces; the sizes repeat."""
    at = number = 0
    while at < len(data):
        size = (sizes[number % len(sizes)] if sizes else 1) or 1
        yield data[at : at + size]
        at += size
        number += 1


def _messages(pieces: list[bytes]) -> tuple[list[object], str]:
    parser = BackendParser()
    found: list[object] = []
    try:
        for piece in pieces:
            parser.feed(piece)
            while (message := parser.next_message()) is not None:
                if isinstance(message, DataRows):
                    data, start, stop, _ = message
                    assert start < stop <= len(data)
                    if found and isinstance(found[-1], bytes):  # how many come together is not said
                        found[-1] += data[start:stop]
                    else:
                        found.append(data[start:stop])
                else:
                    found.append(message)
    except ProtocolError as error:
        return found, str(error)
    return found, ""


def run_parser(data: bytes) -> None:
    sizes, data = data[:2], data[2:]
    whole = _messages([data])
    pieces = _messages(list(pieces_of(data, sizes)))
    assert whole[1] == pieces[1]
    if whole[1]:  # what came before it may have been given out or not
        assert len(whole[0]) <= len(pieces[0])
    else:
        assert whole == pieces


def run_machine(data: bytes) -> None:
    """The state machine after a login, with all kinds of requests sent."""
    machine = StateMachine()
    machine.send(f.StartupMessage({"user": "u"}))
    machine.receive(LOGIN)
    while machine.next_event() is not None:
        pass
    if data[:1] < b"\x80":
        bind = f.Bind(b"", b"", ())
        machine.send(f.Parse(b"", b"select 1"), bind, f.DescribePortal(b""), f.Execute(b""), f.Sync())
    machine.send(f.Query(b"select 1"))
    machine.receive(data[1:])
    while machine.next_event() is not None:
        assert machine.codec
    machine.send(f.Sync())


LOGIN = s.AUTHENTICATION_OK + s.message("S", b"server_version\x0018.1\0") + s.KEY + s.IDLE
ROWS = s.row_description("a", "b") + s.data_row(b"1", None) + s.data_row(b"", b"xyz") + s.complete("SELECT 2")
EXTENDED = s.PARSED + s.BOUND + ROWS + s.IDLE

MESSAGES = [
    LOGIN,
    s.AUTHENTICATION_CLEARTEXT,
    s.AUTHENTICATION_SASL,
    s.message("R", struct.pack("!i", 5) + b"salt"),
    s.message("v", struct.pack("!iI", 0x30000, 1) + b"_pq_.x\0"),
    ROWS + s.IDLE,
    EXTENDED,
    s.error("42P01", "no such table") + s.IDLE,
    s.error("57P01", "terminating", severity="FATAL"),
    s.error("00000", "beware", code="N") + ROWS + s.IDLE,
    s.message("E", b"SERROR\0C42601\0Msyntax\0P8\0q select\0p3\0\0") + s.IDLE,
    s.message("A", struct.pack("!I", 7) + b"channel\0payload\0") + s.IDLE,
    s.message("S", b"client_encoding\0LATIN1\0") + s.complete("SET") + s.IDLE,
    s.copy_response("H", (0, 0)) + s.message("d", b"1\t2\n") + s.COPY_DONE + s.complete("COPY 1") + s.IDLE,
    s.copy_response("G") + s.complete("COPY 0") + s.IDLE,
    s.copy_response("W", (1,)),
    s.message("t", struct.pack("!HI", 1, 23)) + s.NO_DATA + s.SUSPENDED + s.EMPTY + s.CLOSED,
    s.message("V", struct.pack("!i", 3) + b"abc"),
    b"".join(s.data_row(b"%d" % n, b"x" * n) for n in range(40)) + s.complete("SELECT 40") + s.IDLE,
]

_DIVIDER = b"|--|"


class AnyServer(ScriptedServer):
    """Says one thing after another, whatever it hears."""

    def __init__(self, says: list[bytes]) -> None:
        super().__init__()
        self._says = says

    def answer(self, code: str, body: bytes) -> bytes | None:
        if code not in ("startup", "p", "Q", "S", "X", "d", "c", "f"):
            return b""
        return self._says.pop(0) if self._says else None


_SETTINGS = [
    resolve(f"host=localhost user=u password=hunter2 transport=tcp {more}", {}, {})
    for more in (
        "require_auth=scram-sha-256,password,md5,none",
        "pipeline_connect=scram lazy=true",
        "lazy=true require_auth=none,password",
    )
]


def _query(transformer: Transformer, statement: str, params: Any = None) -> PostgresQuery:
    made = PostgresQuery(transformer)
    made.convert(statement, params)
    return made


def run_session(data: bytes) -> None:
    """A login and statements of all kinds against a server that says anything.

    The first byte chooses the settings; then come the answers, with `_DIVIDER` between them.
    """
    chosen = data[0] if data else 0
    runner = ScriptedRunner(AnyServer(data[1:].split(_DIVIDER)))
    session = runner.run(open_session(_SETTINGS[chosen % len(_SETTINGS)]))
    notices: list[Any] = []
    session.on_notice = notices.append
    session.on_notify = notices.append
    session.autocommit = chosen < 128
    transformer = Transformer(TYPES)
    outcome: list[Result] | None
    for statement, params in (("select 1", None), ("select %s", ["x"]), ("select %s", ["x"])):
        flow = session.execute(
            _query(transformer, statement, params), binary=False, deliver=lambda results: None, prepare=bool(params)
        )
        outcome = runner.run(session.guard(flow, 1.0))
        for result in outcome or ():
            load_result(result)
    update = _query(transformer, "update t set a = 1")
    many = session.executemany(
        update, [(), ()], returning=False, binary=False, prepare=False, deliver=lambda results: None
    )
    runner.run(session.guard(many, 1.0))
    with suppress(errors.ProgrammingError):  # that it is a COPY
        copy = session.execute(_query(transformer, "copy t from stdin"), binary=False, deliver=lambda results: None)
        runner.run(session.guard(copy, 1.0))


def load_result(result: Result) -> None:
    """Make Python objects of all that is in a result."""
    assert result.command_tuples is None or result.command_tuples >= 0
    transformer = Transformer()
    transformer.set_fields(result.fields or ())
    rows = result.load_rows(transformer, tuple, 0, result.ntuples)
    assert len(rows) == result.ntuples
    for number in range(min(result.ntuples, 3)):
        assert result.load_rows(transformer, tuple, number, number + 1)


_PLAIN = ROWS + s.IDLE
_MANY = s.PARSED + (s.BOUND + s.complete("UPDATE 1")) * 2 + s.IDLE
_COPY = s.copy_response("G")
_COPY_ENDED = s.error("57014", "COPY from stdin failed") + s.IDLE
_AGAIN = s.BOUND + ROWS + s.IDLE
_GOOD = (_PLAIN, EXTENDED, _AGAIN, _MANY, _COPY, _COPY_ENDED, s.IDLE, s.IDLE)

SESSIONS = [
    b"\0" + _DIVIDER.join((LOGIN, *_GOOD)),
    b"\0" + _DIVIDER.join((s.AUTHENTICATION_CLEARTEXT, LOGIN, *_GOOD)),
    b"\0" + _DIVIDER.join((s.AUTHENTICATION_SASL, s.message("R", struct.pack("!i", 11) + b"r=x,s=eA==,i=4096"), LOGIN)),
    b"\1" + _DIVIDER.join((s.AUTHENTICATION_SASL, s.message("R", struct.pack("!i", 11) + b"r=x,s=eA==,i=4096"), LOGIN)),
    b"\2" + _DIVIDER.join((LOGIN, *_GOOD)),
    *(b"\xfc" + _DIVIDER.join((LOGIN, message, *_GOOD)) for message in MESSAGES),
    *(b"\0" + _DIVIDER.join((LOGIN, _PLAIN, message, *_GOOD)) for message in MESSAGES),
]


# Values


def _registered() -> AdaptersMap:
    found = AdaptersMap(adapters)
    register_hstore(TypeInfo("hstore", HSTORE, HSTORE + 1), found)
    register_composite(CompositeInfo("pair", PAIR, PAIR + 1, field_names=["a", "b"], field_types=[23, 25]), found)
    return found


HSTORE, PAIR = 50_000, 60_000
TYPES = _registered()

_INT4 = struct.pack("!i", 7)


def _sized(data: bytes) -> bytes:
    return struct.pack("!i", len(data)) + data


#: Good values by type and format.
VALUES: dict[tuple[int, Format], list[bytes]] = {}


def _of(oid: int, text: str, *binary: bytes) -> None:
    VALUES[oid, Format.TEXT] = [each.encode() for each in text.split("|")]
    VALUES[oid, Format.BINARY] = list(binary)


_RECORD = struct.pack("!iIi", 2, 23, 4) + _INT4 + struct.pack("!Ii", 25, 1) + b"x"
_ARRAY = struct.pack("!IIIII", 1, 0, 23, 2, 1) + _sized(_INT4) * 2
_NUMERIC = struct.pack("!HhHHHH", 2, 0, 0, 4, 12, 3400)
_RANGE = b"\x02" + _sized(_INT4) * 2
_OF_NUMERICS = b"\x02" + _sized(_NUMERIC) * 2
_OF_TIMES = b"\x02" + _sized(bytes(8)) * 2
_of(16, "t|f", b"\0", b"\1")
_of(17, r"\x616263|abc\\\001", b"abc")
for _oid, _size in ((21, 2), (23, 4), (20, 8), (26, 4)):
    _of(_oid, "12|-7", bytes(_size))
_of(700, "1.5|NaN|-Infinity|1e40", struct.pack("!f", 1.5))
_of(701, "1.5|NaN|-Infinity|1e400", struct.pack("!d", 1.5))
_of(1700, "12.34|NaN|-Infinity|1e999999999|-0.000", _NUMERIC, struct.pack("!HhHH", 0, 0, 0xC000, 0),
    struct.pack("!HhHHH", 1, 32767, 0x4000, 65535, 9999), struct.pack("!HhHHH", 1, -32768, 0, 16383, 1))  # fmt: skip
_of(25, "text|ä", "ä".encode())
_of(18, "x", b"x")
_of(114, '{"a": [1, null, "\\u00e4"]}|1e999', b'{"a": 1}')
_of(3802, '{"a": [1, null, "\\ud83d\\ude00"]}', b'\x01{"a": [1]}')
_of(2950, "f47ac10b-58cc-4372-a567-0e02b2c3d479", bytes(16))
_of(1082, "2020-01-02|infinity|0044-03-15 BC|10000-01-01", _INT4, struct.pack("!i", 0x7FFFFFFF))
_of(1083, "12:34:56.789|24:00:00", struct.pack("!q", 86_400_000_000), bytes(8))
_of(1266, "12:34:56.789+02|24:00:00-15:59:59", struct.pack("!qi", 0, 57599))
_of(1114, "2020-01-02 03:04:05.6|infinity|Thu Jan 02 03:04:05 2020", bytes(8), struct.pack("!q", 2**63 - 1))
_of(1184, "2020-01-02 03:04:05.6+02|-infinity|9999-12-31 23:59:59-01", bytes(8), struct.pack("!q", -(2**63)))
_of(1186, "1 year 2 mons -3 days +04:05:06.789|@ 1 day ago|P1Y2M3DT4H5M6S|1-2 3 4:05:06",
    struct.pack("!qii", 5, 3, 14), struct.pack("!qii", 2**63 - 1, 2**31 - 1, 2**31 - 1))  # fmt: skip
_of(869, "192.168.0.1/24|::1", b"\x02\x18\x00\x04\xc0\xa8\0\1", b"\x03\x80\x00\x10" + bytes(16))
_of(650, "192.168.0.0/24|::/0", b"\x02\x18\x01\x04\xc0\xa8\0\0")
_of(2249, '(1,"a ""b"" \\\\c",)|()', _RECORD)
_of(3904, "[1,5)|empty|(,]|[1,)", _RANGE, b"\x01", b"\x18")
_of(3906, '[1.5,"2")|empty', _OF_NUMERICS)
_of(3908, '["2020-01-01 00:00:00","2021-01-01 00:00:00")', _OF_TIMES)
_of(3910, '["2020-01-01 00:00:00+00","2021-01-01 00:00:00+00")', _OF_TIMES)
_of(3912, "[2020-01-01,2021-01-01)|(,infinity)", _RANGE)
_of(4451, "{[1,5),[7,9)}|{}", struct.pack("!i", 2) + _sized(_RANGE) * 2)
_of(4532, "{[1,5),[7,9)}|{}", struct.pack("!i", 1) + _sized(_OF_NUMERICS))
_of(1007, "{1,2,NULL}|{{1},{2}}|[2:3]={1,2}|{}", _ARRAY, struct.pack("!III", 0, 0, 23))
_of(1009, '{a,"b c","d\\"e",NULL}', _ARRAY.replace(struct.pack("!I", 23), struct.pack("!I", 25)))
_of(1231, "{1.5,NaN}", struct.pack("!IIIII", 1, 0, 1700, 1, 1) + _sized(_NUMERIC))
_of(1185, '{"2020-01-01 00:00:00+00"}', struct.pack("!IIIII", 1, 0, 1184, 1, 1) + _sized(bytes(8)))
_of(2287, '{"(1,a)","(2,b)"}', struct.pack("!IIIII", 1, 0, 2249, 1, 1) + _sized(_RECORD))
_of(HSTORE, '"a"=>"1", "b"=>NULL', struct.pack("!ii", 1, 1) + b"a" + struct.pack("!i", -1))
_of(PAIR, '(1,"b c")|(,)', _RECORD)
_of(70_000, "anything", b"anything")


def value_runner(oid: int, format: Format) -> Run:
    def run(data: bytes) -> None:
        transformer = Transformer(TYPES)
        transformer.set_loader_types([oid], format)
        transformer.load_sequence([data])

    return run


#: Which types stand in the rows that are fuzzed: one layout for each way in which rows are loaded.
LAYOUTS = [
    [(23, Format.BINARY), (25, Format.TEXT), (701, Format.BINARY), (1184, Format.BINARY), (16, Format.BINARY)],
    [(25, Format.TEXT), (25, Format.TEXT)],
    [(23, Format.TEXT), (1700, Format.TEXT), (1082, Format.TEXT), (2950, Format.TEXT), (114, Format.TEXT)],
    [(1700, Format.BINARY), (1007, Format.BINARY), (3802, Format.BINARY), (2249, Format.BINARY)],
    [(1007, Format.TEXT), (3904, Format.TEXT), (17, Format.TEXT), (1186, Format.TEXT), (1083, Format.TEXT)],
    [(1114, Format.BINARY), (1082, Format.BINARY), (1186, Format.BINARY), (2950, Format.BINARY), (17, Format.BINARY)],
]


def _fields(layout: list[tuple[int, Format]]) -> list[FieldDescription]:
    return [FieldDescription(f"c{number}", 0, 0, oid, -1, -1, format) for number, (oid, format) in enumerate(layout)]


def _row_seeds() -> list[bytes]:
    seeds = []
    for number, layout in enumerate(LAYOUTS):
        for count in (1, 40):
            row = s.data_row(*(VALUES[each][0] for each in layout))
            nulls = s.data_row(*(None for _ in layout))
            seeds.append(bytes([number]) + row * count)
            seeds.append(bytes([number]) + (row + nulls) * count)
    return seeds


def _wire_result(data: bytes) -> WireResult:
    layout = LAYOUTS[(data[0] if data else 0) % len(LAYOUTS)]
    result = WireResult(_fields(layout))
    parser = BackendParser()
    parser.feed(data[1:])
    while isinstance(rows := parser.next_message(), DataRows):
        result.append(rows)
    return result


def run_rows(data: bytes) -> None:
    """Rows as messages: by pieces, and value by value, to the same objects."""
    result = _wire_result(data)
    transformer = Transformer(TYPES)
    transformer.set_fields(result.fields or ())
    found: list[Any] = []
    outcome: Exception | None = None
    try:
        found = result.load_rows(transformer, tuple, 0, result.ntuples)
    except neonps.Error as error:
        outcome = error
    one_by_one: list[Any] = []
    try:
        for number in range(result.ntuples):
            one_by_one += transformer.load_rows(result.rows(number, number + 1), tuple)
    except neonps.Error as error:
        # Text that is taken apart by columns is cut at the zeros of sizes, and these are not all looked at.
        all_text = all(field.format == Format.TEXT for field in result.fields or ())
        if outcome is None and not (all_text and isinstance(error, errors.OperationalError)):
            raise AssertionError("this row was loaded when it was loaded with others") from error
        raise
    assert outcome is None, outcome
    assert repr(found) == repr(one_by_one)  # NaN is not the same as itself


_ARROW_SESSION = ArrowSession("utf-8", True, "postgres", "UTC", TYPES.types, Transformer(AdaptersMap(adapters)))


def run_arrow(data: bytes) -> None:
    """The same rows as a table of Arrow, which is then valid."""
    result = _wire_result(data)
    table = tables.table(result.fields or (), [Part(result, 0, result.ntuples)], _ARROW_SESSION)
    assert table.num_rows == result.ntuples
    table.validate(full=True)


def run_copy_rows(data: bytes) -> None:
    for value in _parse_binary(data):
        assert value is None or type(value) is bytes


def run_copy_text(data: bytes) -> None:
    transformer = Transformer(TYPES)
    values = [None if field == rb"\N" else unescape(field) for field in data.removesuffix(b"\n").split(b"\t")]
    transformer.set_loader_types([23, *[25] * (len(values) - 1)], Format.TEXT)
    transformer.load_sequence(values)


def run_parameters(data: bytes) -> None:
    """What a server says of the session, and values that are read by it."""
    names = (
        "DateStyle",
        "TimeZone",
        "client_encoding",
        "IntervalStyle",
        "server_version",
        "standard_conforming_strings",
    )
    said = dict(zip(names, data.decode("utf-8", "replace").split("\n"), strict=False))
    machine = StateMachine()
    machine.send(f.StartupMessage({"user": "u"}))
    machine.receive(s.AUTHENTICATION_OK)
    for name, value in said.items():
        machine.receive(s.message("S", s.string(name) + s.string(value.replace("\0", ""))))
    machine.receive(s.KEY + s.IDLE)
    while machine.next_event() is not None:
        pass
    connection: Any = SimpleNamespace(_transport=SimpleNamespace(parameter_status=machine.parameters.get))
    context: Any = SimpleNamespace(adapters=TYPES, connection=connection)
    assert _version_number(machine.parameters.get("server_version", "")) >= 0
    transformer = Transformer(context)
    for (oid, format), values in VALUES.items():
        transformer.set_loader_types([oid], format)
        for value in values[:1]:
            with suppress(errors.DataError, errors.NotSupportedError):
                transformer.load_sequence([value])


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
            tables.table(result.fields, [Part(result, 0, result.ntuples)], _ARROW_SESSION).validate(full=True)


# WebSocket


def _tunnel() -> tuple[WebSocketTunnel, bytes]:
    tunnel = WebSocketTunnel(Endpoint.parse("ws://localhost/v2", "endpoint"))
    request = tunnel.handshake()
    key = request.split(b"Sec-WebSocket-Key: ")[1].split(b"\r\n")[0]
    accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    return tunnel, accept


_UPGRADE = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "


def run_frames(data: bytes) -> None:
    """What comes after the handshake: the same payload and the same end, in whatever pieces."""
    outcomes = []
    for pieces in ([data[1:]], list(pieces_of(data[1:], data[:1]))):
        tunnel, accept = _tunnel()
        assert not tunnel.receive(_UPGRADE + accept + b"\r\n\r\n")
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
    tunnel, accept = _tunnel()
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
    _UPGRADE + b"{accept}\r\n\r\n\x82\x03abc",
    _UPGRADE + b"{accept}\r\nneon-request-id: 7\r\n\r\n",
    b"HTTP/1.1 403 Forbidden\r\nContent-Length: 3\r\n\r\nno!",
    b"HTTP/1.1 502 Bad\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    _UPGRADE + b"{accept}\r\nSec-WebSocket-Extensions: permessage-deflate\r\nSec-WebSocket-Protocol: x\r\n\r\n",
]


# SCRAM


def run_scram(data: bytes) -> None:
    scram = Scram("hunter2")
    nonce = scram.first_message().split(b"r=")[1]
    challenge, _, final = data.partition(b"|")
    scram.respond(challenge.replace(b"{nonce}", nonce))
    scram.verify(final)
    raise AssertionError("the server has not proved anything")


CHALLENGES = [
    b"r={nonce}abc,s=QSXCR+Q6sek8bf92QSXCR+Q6,i=4096|v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
    b"r={nonce}abc,s=QSXCR+Q6sek8bf92QSXCR+Q6,i=1|e=invalid-proof",
    b"e=other-error|",
    b"v=abc=,r={nonce}x,s=QSXCR+Q6sek8bf92QSXCR+Q6,i=1|r=x",
    b"r={nonce}abc,s=QSXCR+Q6sek8bf92QSXCR+Q6,i=99999999999|v=",
    b"r={nonce},s=QSXCR+Q6sek8bf92QSXCR+Q6,i=4096|v=",
    b"r=other,s=QSXCR+Q6sek8bf92QSXCR+Q6,i=4096|v=",
    b"m=ext,r={nonce}abc,s=QSXCR+Q6sek8bf92QSXCR+Q6,i=0|v=",
]


def _prefixed(seeds: list[bytes], prefixes: tuple[bytes, ...] = (b"\x01", b"\x07", b"\xff")) -> list[bytes]:
    return [prefix + seed for seed in seeds for prefix in prefixes]


_DATA = (errors.DataError, errors.NotSupportedError)
_ROWS = (errors.DataError, errors.NotSupportedError, errors.OperationalError, ProtocolError)

TARGETS: dict[str, Target] = {
    "messages": Target(_prefixed(MESSAGES, (b"\1\1", b"\5\3")), run_parser, ()),
    "states": Target(_prefixed(MESSAGES, (b"\0", b"\xff")), run_machine, (ProtocolError,)),
    "sessions": Target(SESSIONS, run_session, (neonps.Error, b.ProtocolError)),
    "parameters": Target(
        [b"ISO, MDY\nUTC\nUTF8\npostgres\n18.1\non", b"SQL, DMY\nEurope/Berlin\nLATIN1\niso_8601\n9.6.24\noff"],
        run_parameters,
        (errors.NotSupportedError,),
    ),
    "rows": Target(_row_seeds(), run_rows, _ROWS),
    "arrow": Target(_row_seeds(), run_arrow, _ROWS),
    "binary copy": Target([struct.pack("!hi", 2, -1) + _sized(b"abc")], run_copy_rows, (errors.DataError,)),
    "text copy": Target([b"1\ta\\tb\t\\N\n", b"\\N\t\\x\t\\\\\n"], run_copy_text, _DATA),
    "HTTP": Target(_prefixed(HTTP_ANSWERS), run_http, ()),
    "JSON answers": Target(
        _prefixed(JSON_ANSWERS, (b"\0", b"\1", b"\x80", b"\x81", b"\2")),
        run_json,
        (errors.OperationalError, *_DATA),
    ),
    "frames": Target(_prefixed(FRAMES), run_frames, ()),
    "handshakes": Target(
        _prefixed(HANDSHAKES), run_handshake, (ProtocolError, UpgradeRefused, WebSocketClosed)
    ),
    "SCRAM": Target(CHALLENGES, run_scram, (ProtocolError,)),
    **{
        # A composite can have other fields than those that were registered, if it has been altered meanwhile.
        f"{oid} {format.name}": Target(
            seeds, value_runner(oid, format), (*_DATA, errors.ProgrammingError) if oid == PAIR else _DATA
        )
        for (oid, format), seeds in VALUES.items()
    },
}  # fmt: skip
