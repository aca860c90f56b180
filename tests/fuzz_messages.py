"""Messages of a server for fuzzing: the parser, the state machine, whole sessions, and SCRAM."""

from __future__ import annotations

import struct
from contextlib import suppress
from typing import Any

import server_messages as s
from fuzz_values import TYPES, load_result
from fuzzing import pieces_of
from scripted import ScriptedRunner, ScriptedServer

from neonps import errors
from neonps.flows.connect import open_session
from neonps.protocol import frontend as f
from neonps.protocol.backend import BackendParser, DataRows, ProtocolError
from neonps.protocol.result import Result
from neonps.protocol.scram import Scram
from neonps.protocol.session import StateMachine
from neonps.query import PostgresQuery
from neonps.settings import resolve
from neonps.transformer import Transformer


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


# SCRAM


def run_scram(data: bytes) -> None:
    """The password is one that SASLprep does not allow if the data begin with a zero."""
    scram = Scram("\ue000" if data[:1] == b"\0" else "hunter2")
    nonce = scram.first_message().split(b"r=")[1]
    challenge, _, final = data.removeprefix(b"\0").partition(b"|")
    scram.respond(challenge.replace(b"{nonce}", nonce))
    scram.verify(final)
    raise AssertionError("the server has not proved anything")


CHALLENGES = [
    b"r={nonce}abc,s=QSXCR+Q6sek8bf92QSXCR+Q6,i=4096|v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
    b"\0r={nonce}abc,s=QSXCR+Q6sek8bf92QSXCR+Q6,i=4096|v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
    b"\0r={nonce}abc,s=QSXCR+Q6sek8bf92QSXCR+Q6,i=4096|e=invalid-proof",
    b"r={nonce}abc,s=QSXCR+Q6sek8bf92QSXCR+Q6,i=1|e=invalid-proof",
    b"e=other-error|",
    b"v=abc=,r={nonce}x,s=QSXCR+Q6sek8bf92QSXCR+Q6,i=1|r=x",
    b"r={nonce}abc,s=QSXCR+Q6sek8bf92QSXCR+Q6,i=99999999999|v=",
    b"r={nonce},s=QSXCR+Q6sek8bf92QSXCR+Q6,i=4096|v=",
    b"r=other,s=QSXCR+Q6sek8bf92QSXCR+Q6,i=4096|v=",
    b"m=ext,r={nonce}abc,s=QSXCR+Q6sek8bf92QSXCR+Q6,i=0|v=",
]
