"""A runner with no network: what a flow sends goes to an object that plays the server."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import server_messages as s
from scramp import ScramMechanism

from neonps.flows.requests import (
    Aside,
    Clock,
    Close,
    Deadline,
    DeadlinePassed,
    Flow,
    NotSilent,
    Open,
    Pause,
    Poll,
    Receive,
    Resolve,
    Send,
    StartTLS,
)

T = TypeVar("T")

ROW = s.row_description("x") + s.data_row(b"1") + s.complete("SELECT 1")

#: What the server answers to each type of message once the login is done.
ANSWERS = {
    "P": s.PARSED,
    "B": s.BOUND,
    "D": s.row_description("x"),
    "S": s.IDLE,
    "Q": ROW + s.IDLE,
    "X": b"",
}


class ScriptedServer:
    """Plays a server. `login` gives the answer to the start-up packet and to each message of type `p`."""

    def __init__(self, *login: bytes, answers: dict[str, bytes] = ANSWERS) -> None:
        self.login = list(login)
        self.answers = answers
        self.heard: list[tuple[str, bytes]] = []
        self._data = b""
        self._started = False
        self._statement = ""
        self._described = False

    def hear(self, data: bytes) -> tuple[bytes, bool]:
        """What the server answers to `data`, and whether it hangs up then."""
        self._data += data
        answers = b""
        for code, body in self._messages():
            answer = self.answer(code, body)
            if answer is None:
                return answers, True
            answers += answer
        return answers, False

    def _messages(self) -> Iterator[tuple[str, bytes]]:
        while len(self._data) >= 8 if not self._started else len(self._data) >= 5:
            head = 1 if self._started else 0
            (length,) = struct.unpack_from("!i", self._data, head)
            message, self._data = self._data[: head + length], self._data[head + length :]
            self._started = True
            yield (chr(message[0]), message[5:]) if head else ("startup", message[8:])

    def answer(self, code: str, body: bytes) -> bytes | None:
        self.heard.append((code, body))
        if code in ("startup", "p"):
            return self.login.pop(0) if self.login else None
        if code == "P":
            self._statement = body[1:].partition(b"\0")[0].partition(b" ")[0].decode()
            self._described = False
        elif code == "D":
            self._described = True
        elif code == "E":
            return self._executed()
        return self.answers[code]

    def _executed(self) -> bytes:
        """Rows go only to who has asked what is in them, so that others count rows that were touched."""
        if self._statement.isupper():
            return s.complete(self._statement)  # of the driver's own: BEGIN, COMMIT
        return s.data_row(b"1") + s.complete("SELECT 1") if self._described else s.complete("UPDATE 1")


class ScramServer(ScriptedServer):
    """Plays a server that asks for SCRAM-SHA-256; `tamper` changes its last word."""

    def __init__(self, password: str, tamper: Callable[[str], str] = lambda final: final) -> None:
        super().__init__()
        mechanism = ScramMechanism("SCRAM-SHA-256")
        salt, stored_key, server_key, iterations = mechanism.make_auth_info(password)
        self._scram = mechanism.make_server(lambda _: (salt, stored_key, server_key, iterations))
        self._tamper = tamper
        self._steps = 0

    def answer(self, code: str, body: bytes) -> bytes | None:
        if code == "startup":
            self.login = [s.AUTHENTICATION_SASL]
        elif code == "p":
            self._steps += 1
            self.login = [self._challenge(body) if self._steps == 1 else self._final(body)]
        return super().answer(code, body)

    def _challenge(self, body: bytes) -> bytes:
        self._scram.set_client_first(body[body.index(b"\0") + 5 :].decode())
        return s.message("R", struct.pack("!i", 11) + self._scram.get_server_first().encode())

    def _final(self, body: bytes) -> bytes:
        self._scram.set_client_final(body.decode())
        final = self._tamper(self._scram.get_server_final())
        return s.message("R", struct.pack("!i", 12) + final.encode()) + s.AUTHENTICATION_OK + s.KEY + s.IDLE


class ScriptedRunner:
    """Carries out requests against a server that is played.

    Attributes:
        flights: how often the flow has had to wait for the server.
        sent: all that was sent, one item per Send.
        closed: the flow has closed the connection.
        aside: what was to run on connections of its own.
        time: what the clock says; it goes on with each pause, and to the deadline.
    """

    def __init__(self, server: ScriptedServer, split: Callable[[bytes], list[bytes]] = lambda data: [data]) -> None:
        self.server = server
        self._split = split
        self._arriving: list[bytes] = []
        self._hung_up = False
        self._asked = False
        self.flights = 0
        self.sent: list[bytes] = []
        self.closed = False
        self.aside: list[Aside] = []
        self.time = 0.0
        self._deadline = 0.0

    def run(self, flow: Flow[T]) -> T:
        try:
            request = next(flow)
            while True:
                try:
                    answer = self._perform(request)
                except BaseException as error:
                    request = flow.throw(error)
                else:
                    request = flow.send(answer)
        except StopIteration as stop:
            result: T = stop.value
            return result

    def hang_up(self, *pieces: bytes) -> None:
        """Have the server say something unasked, which is read piece by piece, and then end the connection."""
        self._arriving += pieces
        self._hung_up = True

    def _perform(self, request: object) -> Any:
        if isinstance(request, Send):
            if request.idle and (self._arriving or self._hung_up):
                raise NotSilent
            return self._send(request.data)
        if isinstance(request, Receive):
            self.flights += self._asked
            self._asked = False
            if not self._arriving and not self._hung_up:
                self.time = max(self.time, self._deadline)
                raise DeadlinePassed  # nothing would ever come
            return self._arriving.pop(0) if self._arriving else b""
        if isinstance(request, Poll):
            return self._arriving.pop(0) if self._arriving else b"" if self._hung_up else None
        if isinstance(request, Resolve):
            return [request.host]
        if isinstance(request, Clock):
            return self.time
        if isinstance(request, Pause):
            self.time += request.seconds
        elif isinstance(request, Aside):
            self.aside.append(request)
            request.flow.close()
        elif isinstance(request, Deadline):
            self._deadline = self.time + (request.seconds or 0)
        elif isinstance(request, Close):
            self.closed = True
        else:
            assert isinstance(request, (Open, StartTLS))
        return None

    def _send(self, data: bytes) -> None:
        self.sent.append(data)
        if self._hung_up:
            raise BrokenPipeError("broken pipe")
        self._asked = True
        answer, self._hung_up = self.server.hear(data)
        if answer:
            self._arriving += self._split(answer)
