"""Values and rows for fuzzing: good ones of each type, and what loads any as Python objects and as Arrow."""

from __future__ import annotations

import struct
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import server_messages as s
from fuzzing import Run

import neonps
from neonps import errors
from neonps.adapters_map import AdaptersMap
from neonps.arrow import tables
from neonps.arrow.reading import Session as ArrowSession
from neonps.arrow.rows import Part
from neonps.connection_info import _version_number
from neonps.copy import _parse_binary
from neonps.copy_text import unescape
from neonps.postgres import adapters
from neonps.pq import Format
from neonps.protocol import frontend as f
from neonps.protocol.backend import BackendParser, DataRows
from neonps.protocol.result import FieldDescription, Result
from neonps.protocol.session import StateMachine
from neonps.protocol.wireresult import WireResult
from neonps.transformer import Transformer
from neonps.typeinfo import TypeInfo
from neonps.types.composite import CompositeInfo, register_composite
from neonps.types.hstore import register_hstore


def _registered() -> AdaptersMap:
    found = AdaptersMap(adapters)
    register_hstore(TypeInfo("hstore", HSTORE, HSTORE + 1), found)
    register_composite(CompositeInfo("pair", PAIR, PAIR + 1, field_names=["a", "b"], field_types=[23, 25]), found)
    return found


HSTORE, PAIR = 50_000, 60_000
TYPES = _registered()

_INT4 = struct.pack("!i", 7)


def sized(data: bytes) -> bytes:
    return struct.pack("!i", len(data)) + data


#: Good values by type and format.
VALUES: dict[tuple[int, Format], list[bytes]] = {}


def _of(oid: int, text: str, *binary: bytes) -> None:
    VALUES[oid, Format.TEXT] = [each.encode() for each in text.split("|")]
    VALUES[oid, Format.BINARY] = list(binary)


_RECORD = struct.pack("!iIi", 2, 23, 4) + _INT4 + struct.pack("!Ii", 25, 1) + b"x"
_ARRAY = struct.pack("!IIIII", 1, 0, 23, 2, 1) + sized(_INT4) * 2
_NUMERIC = struct.pack("!HhHHHH", 2, 0, 0, 4, 12, 3400)
_RANGE = b"\x02" + sized(_INT4) * 2
_OF_NUMERICS = b"\x02" + sized(_NUMERIC) * 2
_OF_TIMES = b"\x02" + sized(bytes(8)) * 2
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
_of(4451, "{[1,5),[7,9)}|{}", struct.pack("!i", 2) + sized(_RANGE) * 2)
_of(4532, "{[1,5),[7,9)}|{}", struct.pack("!i", 1) + sized(_OF_NUMERICS))
_of(1007, "{1,2,NULL}|{{1},{2}}|[2:3]={1,2}|{}", _ARRAY, struct.pack("!III", 0, 0, 23))
_of(1009, '{a,"b c","d\\"e",NULL}', _ARRAY.replace(struct.pack("!I", 23), struct.pack("!I", 25)))
_of(1231, "{1.5,NaN}", struct.pack("!IIIII", 1, 0, 1700, 1, 1) + sized(_NUMERIC))
_of(1185, '{"2020-01-01 00:00:00+00"}', struct.pack("!IIIII", 1, 0, 1184, 1, 1) + sized(bytes(8)))
_of(2287, '{"(1,a)","(2,b)"}', struct.pack("!IIIII", 1, 0, 2249, 1, 1) + sized(_RECORD))
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


def row_seeds() -> list[bytes]:
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


ARROW_SESSION = ArrowSession("utf-8", True, "postgres", "UTC", TYPES.types, Transformer(AdaptersMap(adapters)))


def run_arrow(data: bytes) -> None:
    """The same rows as a table of Arrow, which is then valid."""
    result = _wire_result(data)
    table = tables.table(result.fields or (), [Part(result, 0, result.ntuples)], ARROW_SESSION)
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


def load_result(result: Result) -> None:
    """Make Python objects of all that is in a result."""
    assert result.command_tuples is None or result.command_tuples >= 0
    transformer = Transformer()
    transformer.set_fields(result.fields or ())
    rows = result.load_rows(transformer, tuple, 0, result.ntuples)
    assert len(rows) == result.ntuples
    for number in range(min(result.ntuples, 3)):
        assert result.load_rows(transformer, tuple, number, number + 1)
