"""The wire codec: whatever the server sends, in whatever pieces it comes."""

from __future__ import annotations

import struct
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from server_messages import data_row, message, string

import neonps
from neonps.protocol import backend as b
from neonps.protocol import frontend as f
from neonps.protocol.backend import BackendParser, ProtocolError
from neonps.protocol.collector import Collector
from neonps.protocol.result import FieldDescription
from neonps.protocol.wireresult import WireResult


def fields(values: dict[str, str]) -> bytes:
    return b"".join(code.encode() + string(value) for code, value in values.items()) + b"\0"


def described(columns: list[FieldDescription]) -> bytes:
    return struct.pack("!H", len(columns)) + b"".join(
        string(column.name) + struct.pack("!IHIhih", *column[1:]) for column in columns
    )


def copy_response(overall: int, formats: list[int]) -> bytes:
    return struct.pack(f"!bH{len(formats)}H", overall, len(formats), *formats)


text = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=20)
word = text.filter(bool)
oid = st.integers(0, 2**32 - 1)
small = st.integers(-(2**15), 2**15 - 1)
data = st.binary(max_size=40)
error_fields = st.dictionaries(st.sampled_from("SVCMDHPpqWstcdnFLR"), text, max_size=6)
column = st.builds(
    FieldDescription,
    text,
    oid,
    st.integers(0, 65535),
    oid,
    small,
    st.integers(-(2**31), 2**31 - 1),
    st.sampled_from([0, 1]),
)
format_codes = st.lists(st.sampled_from([0, 1]), max_size=5)

#: For each message: how to make one, and the independent encoding of the manual's chapter.
MESSAGES: dict[str, tuple[st.SearchStrategy[object], Callable[..., bytes]]] = {
    "AuthenticationOk": (st.just(b.AuthenticationOk()), lambda m: message("R", struct.pack("!i", 0))),
    "AuthenticationKerberosV5": (
        st.just(b.AuthenticationKerberosV5()),
        lambda m: message("R", struct.pack("!i", 2)),
    ),
    "AuthenticationCleartextPassword": (
        st.just(b.AuthenticationCleartextPassword()),
        lambda m: message("R", struct.pack("!i", 3)),
    ),
    "AuthenticationMD5Password": (
        st.builds(b.AuthenticationMD5Password, st.binary(min_size=4, max_size=4)),
        lambda m: message("R", struct.pack("!i", 5) + m.salt),
    ),
    "AuthenticationGSS": (st.just(b.AuthenticationGSS()), lambda m: message("R", struct.pack("!i", 7))),
    "AuthenticationGSSContinue": (
        st.builds(b.AuthenticationGSSContinue, data),
        lambda m: message("R", struct.pack("!i", 8) + m.data),
    ),
    "AuthenticationSSPI": (st.just(b.AuthenticationSSPI()), lambda m: message("R", struct.pack("!i", 9))),
    "AuthenticationSASL": (
        st.builds(b.AuthenticationSASL, st.lists(word, max_size=3)),
        lambda m: message("R", struct.pack("!i", 10) + b"".join(map(string, m.mechanisms)) + b"\0"),
    ),
    "AuthenticationSASLContinue": (
        st.builds(b.AuthenticationSASLContinue, data),
        lambda m: message("R", struct.pack("!i", 11) + m.data),
    ),
    "AuthenticationSASLFinal": (
        st.builds(b.AuthenticationSASLFinal, data),
        lambda m: message("R", struct.pack("!i", 12) + m.data),
    ),
    "BackendKeyData": (
        st.builds(b.BackendKeyData, oid, st.binary(min_size=4, max_size=256)),
        lambda m: message("K", struct.pack("!I", m.pid) + m.secret_key),
    ),
    "NegotiateProtocolVersion": (
        st.builds(b.NegotiateProtocolVersion, st.just(196608), st.lists(text, max_size=3)),
        lambda m: message("v", struct.pack("!iI", m.version, len(m[1])) + b"".join(map(string, m[1]))),
    ),
    "ParameterStatus": (
        st.builds(b.ParameterStatus, text, text),
        lambda m: message("S", string(m.name) + string(m.value)),
    ),
    "ReadyForQuery": (
        st.builds(b.ReadyForQuery, st.sampled_from([b"I", b"T", b"E"])),
        lambda m: message("Z", m.status),
    ),
    "ParseComplete": (st.just(b.ParseComplete()), lambda m: message("1", b"")),
    "BindComplete": (st.just(b.BindComplete()), lambda m: message("2", b"")),
    "CloseComplete": (st.just(b.CloseComplete()), lambda m: message("3", b"")),
    "NoData": (st.just(b.NoData()), lambda m: message("n", b"")),
    "ParameterDescription": (
        st.builds(b.ParameterDescription, st.lists(oid, max_size=5)),
        lambda m: message("t", struct.pack(f"!H{len(m.types)}I", len(m.types), *m.types)),
    ),
    "RowDescription": (
        st.builds(b.RowDescription, st.lists(column, max_size=4)),
        lambda m: message("T", described(m.fields)),
    ),
    "CommandComplete": (st.builds(b.CommandComplete, text), lambda m: message("C", string(m.tag))),
    "EmptyQueryResponse": (st.just(b.EmptyQueryResponse()), lambda m: message("I", b"")),
    "PortalSuspended": (st.just(b.PortalSuspended()), lambda m: message("s", b"")),
    "CopyInResponse": (
        st.builds(b.CopyInResponse, st.sampled_from([0, 1]), format_codes),
        lambda m: message("G", copy_response(*m)),
    ),
    "CopyOutResponse": (
        st.builds(b.CopyOutResponse, st.sampled_from([0, 1]), format_codes),
        lambda m: message("H", copy_response(*m)),
    ),
    "CopyBothResponse": (
        st.builds(b.CopyBothResponse, st.sampled_from([0, 1]), format_codes),
        lambda m: message("W", copy_response(*m)),
    ),
    "CopyData": (st.builds(b.CopyData, data), lambda m: message("d", m.data)),
    "CopyDone": (st.just(b.CopyDone()), lambda m: message("c", b"")),
    "FunctionCallResponse": (
        st.builds(b.FunctionCallResponse, st.none() | data),
        lambda m: message("V", struct.pack("!i", -1) if m.value is None else struct.pack("!i", len(m.value)) + m.value),
    ),
    "ErrorResponse": (st.builds(b.ErrorResponse, error_fields), lambda m: message("E", fields(m.fields))),
    "NoticeResponse": (st.builds(b.NoticeResponse, error_fields), lambda m: message("N", fields(m.fields))),
    "NotificationResponse": (
        st.builds(b.NotificationResponse, oid, text, text),
        lambda m: message("A", struct.pack("!I", m.pid) + string(m.channel) + string(m.payload)),
    ),
}

any_message = st.sampled_from(sorted(MESSAGES)).flatmap(
    lambda name: MESSAGES[name][0].map(lambda made: (made, MESSAGES[name][1](made)))
)


def split(stream: bytes, cuts: list[int]) -> list[bytes]:
    borders = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
    return [stream[start:stop] for start, stop in pairwise(borders)]


def parse(pieces: list[bytes]) -> list[object]:
    parser = BackendParser()
    events: list[object] = []
    for piece in pieces:
        parser.feed(piece)
        while (event := parser.next_message()) is not None:
            events.append(event)
    assert parser.pending == 0
    return events


def test_every_backend_message_of_the_manual_is_covered() -> None:
    classes = {cls.__name__ for cls in b.BackendMessage.__args__}  # type: ignore[attr-defined]
    assert classes - {"DataRows"} == set(MESSAGES)


@given(st.lists(any_message, max_size=8), st.lists(st.integers(0, 10**6), max_size=12))
def test_any_split_of_the_stream_gives_the_same_messages(made: list[tuple[object, bytes]], cuts: list[int]) -> None:
    stream = b"".join(encoded for _, encoded in made)
    assert parse(split(stream, cuts)) == [event for event, _ in made]


@given(
    st.lists(st.lists(st.none() | data, min_size=3, max_size=3), max_size=10),
    st.lists(st.integers(0, 10**6), max_size=12),
)
def test_any_split_of_the_stream_gives_the_same_rows(rows: list[list[bytes | None]], cuts: list[int]) -> None:
    result = WireResult([FieldDescription("x", 0, 0, 25, -1, -1, 0)] * 3)
    stream = b"".join(data_row(*values) for values in rows) + message("C", string("SELECT"))
    *chunks, end = parse(split(stream, cuts))
    assert end == b.CommandComplete("SELECT")
    for chunk in chunks:
        assert isinstance(chunk, b.DataRows)
        result.append(chunk)
    assert result.ntuples == len(rows)
    assert list(result.rows()) == rows
    for number in range(len(rows)):
        assert list(result.rows(number, number + 1)) == [rows[number]]
        assert list(result.rows(number)) == rows[number:]


@given(st.binary(max_size=200), st.lists(st.integers(0, 10**6), max_size=5))
def test_nonsense_is_a_protocol_error_or_waits_for_more(noise: bytes, cuts: list[int]) -> None:
    parser = BackendParser()
    with suppress(ProtocolError):
        for piece in split(noise, cuts):
            parser.feed(piece)
            while parser.next_message() is not None:
                pass


@given(any_message, st.integers(0, 10**6), st.integers(0, 255))
def test_a_damaged_message_is_a_protocol_error_or_another_message(
    made: tuple[object, bytes], position: int, value: int
) -> None:
    stream = bytearray(made[1])
    stream[position % len(stream)] = value
    parser = BackendParser()
    parser.feed(bytes(stream))
    with suppress(ProtocolError):
        while parser.next_message() is not None:
            pass


@pytest.mark.parametrize(
    "stream",
    [
        b"HTTP/1.1 400 Bad Request\r\n",
        message("R", struct.pack("!i", 99)),
        message("Z", b"X"),
        b"Z\0\0\0\3",
        b"1\0\1\0\1",
        message("T", struct.pack("!H", 2)),
        message("S", b"no end"),
        b"D\0\0\0\5\0",
        message("1", b"x"),
        message("G", struct.pack("!bH", 7, 0)),
    ],
)
def test_malformed_messages_are_protocol_errors(stream: bytes) -> None:
    parser = BackendParser()
    parser.feed(stream)
    with pytest.raises(ProtocolError):
        parser.next_message()


@pytest.mark.parametrize(
    "damaged", [struct.pack("!Hi", 1, 9) + b"short", struct.pack("!Hi", 1, -9), struct.pack("!H", 2)]
)
def test_malformed_rows_are_an_error_that_users_know(damaged: bytes) -> None:
    result = WireResult([FieldDescription("x", 0, 0, 25, -1, -1, 0)])
    stream = message("D", damaged)
    result.append(b.DataRows(stream, 0, len(stream), 1))
    with pytest.raises(neonps.OperationalError):
        list(result.rows())


def test_a_large_message_in_many_pieces_takes_linear_work() -> None:
    parser = BackendParser()
    value = bytes(range(256)) * 4096
    stream = message("d", value)
    for start in range(0, len(stream), 1024):
        assert parser.next_message() is None
        parser.feed(stream[start : start + 1024])
    assert parser.next_message() == b.CopyData(value)


nullable = st.lists(st.none() | data, max_size=5)


@pytest.mark.parametrize(
    ("made", "encoded"),
    [
        (f.SSLRequest(), bytes.fromhex("00000008 04d2162f")),
        (f.GSSENCRequest(), bytes.fromhex("00000008 04d21630")),
        (f.CancelRequest(258, b"\1\2\3\4"), bytes.fromhex("00000010 04d2162e 00000102 01020304")),
        (f.CancelRequest(1, b"k" * 32), bytes.fromhex("0000002c 04d2162e 00000001") + b"k" * 32),
        (
            f.StartupMessage({"user": "u", "database": "d"}),
            bytes.fromhex("0000001b 00030000") + b"user\0u\0database\0d\0\0",
        ),
        (f.StartupMessage({}, f.PROTOCOL_3_2), bytes.fromhex("00000009 00030002 00")),
        (f.PasswordMessage(b"pw"), b"p\0\0\0\7pw\0"),
        (f.SASLInitialResponse("M", b"abc"), b"p\0\0\0\x0dM\0\0\0\0\3abc"),
        (f.SASLInitialResponse("M", None), b"p\0\0\0\x0aM\0\xff\xff\xff\xff"),
        (f.SASLResponse(b"abc"), b"p\0\0\0\7abc"),
        (f.GSSResponse(b"abc"), b"p\0\0\0\7abc"),
        (f.Query(b"select 1"), b"Q\0\0\0\x0dselect 1\0"),
        (f.Parse(b"s", b"q", (23, 0)), b"P\0\0\0\x12s\0q\0\0\2\0\0\0\x17\0\0\0\0"),
        (
            f.Bind(b"p", b"s", (b"x", None), (1, 0), (1,)),
            b"B\0\0\0\x1dp\0s\0\0\2\0\1\0\0\0\2\0\0\0\1x\xff\xff\xff\xff\0\1\0\1",
        ),
        (f.DescribeStatement(b"s"), b"D\0\0\0\7Ss\0"),
        (f.DescribePortal(b"p"), b"D\0\0\0\7Pp\0"),
        (f.Execute(b"p", 5), b"E\0\0\0\x0ap\0\0\0\0\5"),
        (f.CloseStatement(b"s"), b"C\0\0\0\7Ss\0"),
        (f.ClosePortal(b"p"), b"C\0\0\0\7Pp\0"),
        (
            f.FunctionCall(1, (b"x", None), (1,), 1),
            b"F\0\0\0\x19\0\0\0\1\0\1\0\1\0\2\0\0\0\1x\xff\xff\xff\xff\0\1",
        ),
        (f.Flush(), b"H\0\0\0\4"),
        (f.Sync(), b"S\0\0\0\4"),
        (f.CopyData(b"abc"), b"d\0\0\0\7abc"),
        (f.CopyDone(), b"c\0\0\0\4"),
        (f.CopyFail(b"no"), b"f\0\0\0\7no\0"),
        (f.Terminate(), b"X\0\0\0\4"),
    ],
)
def test_frontend_messages_are_encoded_as_the_manual_says(made: f.FrontendMessage, encoded: bytes) -> None:
    assert made.encode() == encoded


def test_every_frontend_message_of_the_manual_is_covered() -> None:
    marks = test_frontend_messages_are_encoded_as_the_manual_says.pytestmark  # type: ignore[attr-defined]
    tested = {type(case[0]) for case in marks[0].args[1]}
    assert tested == set(f.FrontendMessage.__args__)  # type: ignore[attr-defined]


@given(st.binary(max_size=5), st.binary(max_size=5), nullable)
def test_values_of_bind_stand_where_the_manual_says(
    portal: bytes, statement: bytes, values: list[bytes | None]
) -> None:
    portal, statement = portal.replace(b"\0", b""), statement.replace(b"\0", b"")
    encoded = f.Bind(portal, statement, values).encode()
    assert struct.unpack_from("!ci", encoded) == (b"B", len(encoded) - 1)
    rest = encoded[5:].removeprefix(portal + b"\0" + statement + b"\0\0\0")
    (count,) = struct.unpack_from("!H", rest)
    position, found = 2, []
    for _ in range(count):
        (length,) = struct.unpack_from("!i", rest, position)
        position += 4
        found.append(None if length == -1 else rest[position : position + length])
        position += max(length, 0)
    assert found == values
    assert rest[position:] == b"\0\0"


def test_what_the_protocol_cannot_carry_is_refused() -> None:
    with pytest.raises(ValueError, match="NUL"):
        f.Query(b"select '\0'").encode()
    with pytest.raises(f.MessageTooLong, match="65535"):
        f.Parse(b"", b"", (0,) * 65536).encode()
    with pytest.raises(f.MessageTooLong, match="65535"):
        f.Bind(b"", b"", (None,) * 65536).encode()


def test_secrets_do_not_show() -> None:
    assert "hunter2" not in repr(f.PasswordMessage(b"hunter2"))
    assert "hunter2" not in repr(b.BackendKeyData(1, b"hunter2"))


def test_results_with_the_same_columns_do_not_share_the_list_of_them() -> None:
    column = string("a") + struct.pack("!IHIhih", 0, 0, 23, 4, -1, 0)
    answer = message("T", b"\0\1" + column) + message("C", string("SELECT 0"))
    collector, parser = Collector(), BackendParser()
    parser.feed(answer * 2)
    while (event := parser.next_message()) is not None:
        collector.handle(event)
    first, second = (result.fields for result in collector.results)
    assert first is not None
    assert first == second
    first.clear()
    assert second
