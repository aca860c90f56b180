"""The state machine of a session: what the server may say when, as one table.

The client may send many requests before the first is answered. The server answers them in order, so the machine
keeps a queue of the answers that are due. The head of the queue is the state; each message of the server moves it
along by `TRANSITIONS`, and DONE means that the next answer is due. A message that the table does not have is a
protocol error.

Three things are not in the table:

- notices, notifications and changed parameters may come at any time (PostgreSQL docs 53.2.7);
- after an error in an extended-query message the server ignores everything up to Sync, so the answers up to there
  are no longer due (docs 53.2.3);
- a server that has begun a COPY FROM STDIN ignores a Sync that was sent before it, so that one is never answered
  (docs 53.2.6).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from enum import Enum, auto

from ..encodings import codec_of_text
from ..pq import TransactionStatus
from . import backend as b
from . import frontend as f
from .backend import BackendMessage, BackendParser, ProtocolError
from .frontend import Encoded, FrontendMessage


class State(Enum):
    """What is due from the server."""

    __hash__ = object.__hash__  # that of Enum is a function in Python, and states are looked up for each message

    IDLE = auto()  # nothing
    STARTUP = auto()  # the answer to StartupMessage
    PASSWORD = auto()  # the verdict on a password
    SASL = auto()  # the first challenge
    SASL_CONTINUE = auto()  # the server's proof
    SASL_FINAL = auto()  # the verdict after the proof
    STARTING = auto()  # key, parameters and the first ReadyForQuery
    PARSE = auto()
    BIND = auto()
    CLOSE = auto()
    DESCRIBE_STATEMENT = auto()
    DESCRIBE = auto()  # the columns of a portal, or of a statement after its parameters
    EXECUTE = auto()
    COPY_IN = auto()
    COPY_OUT = auto()
    COPY_OUT_DONE = auto()
    SYNC = auto()
    QUERY = auto()
    QUERY_ROWS = auto()
    QUERY_COPY_IN = auto()
    QUERY_COPY_OUT = auto()
    QUERY_COPY_OUT_DONE = auto()
    QUERY_FAILED = auto()
    FUNCTION = auto()
    FUNCTION_DONE = auto()
    DONE = auto()  # never a state: marks the transitions that complete an answer
    FAILED = auto()  # the login was refused; the server closes
    CLOSED = auto()  # Terminate was sent


S = State

#: What answer a request of the client is due. Requests that are not here are part of another one.
REQUESTS: dict[type, State] = {
    f.StartupMessage: S.STARTUP,
    f.Query: S.QUERY,
    f.Parse: S.PARSE,
    f.Bind: S.BIND,
    f.DescribeStatement: S.DESCRIBE_STATEMENT,
    f.DescribePortal: S.DESCRIBE,
    f.Execute: S.EXECUTE,
    f.CloseStatement: S.CLOSE,
    f.ClosePortal: S.CLOSE,
    f.FunctionCall: S.FUNCTION,
    f.Sync: S.SYNC,
}

#: Where each message of the server leads to, by state.
TRANSITIONS: dict[State, dict[type, State]] = {
    S.STARTUP: {
        b.NegotiateProtocolVersion: S.STARTUP,
        b.AuthenticationOk: S.STARTING,
        b.AuthenticationCleartextPassword: S.PASSWORD,
        b.AuthenticationMD5Password: S.PASSWORD,
        b.AuthenticationSASL: S.SASL,
        b.AuthenticationGSS: S.PASSWORD,
        b.AuthenticationSSPI: S.PASSWORD,
        b.AuthenticationKerberosV5: S.PASSWORD,
        b.ErrorResponse: S.FAILED,
    },
    S.PASSWORD: {
        b.AuthenticationGSSContinue: S.PASSWORD,
        b.AuthenticationOk: S.STARTING,
        b.ErrorResponse: S.FAILED,
    },
    S.SASL: {b.AuthenticationSASLContinue: S.SASL_CONTINUE, b.ErrorResponse: S.FAILED},
    S.SASL_CONTINUE: {b.AuthenticationSASLFinal: S.SASL_FINAL, b.ErrorResponse: S.FAILED},
    S.SASL_FINAL: {b.AuthenticationOk: S.STARTING, b.ErrorResponse: S.FAILED},
    S.STARTING: {b.BackendKeyData: S.STARTING, b.ReadyForQuery: S.DONE, b.ErrorResponse: S.FAILED},
    S.PARSE: {b.ParseComplete: S.DONE, b.ErrorResponse: S.DONE},
    S.BIND: {b.BindComplete: S.DONE, b.ErrorResponse: S.DONE},
    S.CLOSE: {b.CloseComplete: S.DONE, b.ErrorResponse: S.DONE},
    S.DESCRIBE_STATEMENT: {b.ParameterDescription: S.DESCRIBE, b.ErrorResponse: S.DONE},
    S.DESCRIBE: {b.RowDescription: S.DONE, b.NoData: S.DONE, b.ErrorResponse: S.DONE},
    S.EXECUTE: {
        b.DataRows: S.EXECUTE,
        b.CommandComplete: S.DONE,
        b.EmptyQueryResponse: S.DONE,
        b.PortalSuspended: S.DONE,
        b.CopyInResponse: S.COPY_IN,
        b.CopyOutResponse: S.COPY_OUT,
        b.ErrorResponse: S.DONE,
    },
    S.COPY_IN: {b.CommandComplete: S.DONE, b.ErrorResponse: S.DONE},
    S.COPY_OUT: {b.CopyData: S.COPY_OUT, b.CopyDone: S.COPY_OUT_DONE, b.ErrorResponse: S.DONE},
    S.COPY_OUT_DONE: {b.CommandComplete: S.DONE, b.ErrorResponse: S.DONE},
    S.SYNC: {b.ReadyForQuery: S.DONE, b.ErrorResponse: S.SYNC},
    S.QUERY: {
        b.RowDescription: S.QUERY_ROWS,
        b.CommandComplete: S.QUERY,
        b.EmptyQueryResponse: S.QUERY,
        b.CopyInResponse: S.QUERY_COPY_IN,
        b.CopyOutResponse: S.QUERY_COPY_OUT,
        b.ReadyForQuery: S.DONE,
        b.ErrorResponse: S.QUERY_FAILED,
    },
    S.QUERY_ROWS: {b.DataRows: S.QUERY_ROWS, b.CommandComplete: S.QUERY, b.ErrorResponse: S.QUERY_FAILED},
    S.QUERY_COPY_IN: {b.CommandComplete: S.QUERY, b.ErrorResponse: S.QUERY_FAILED},
    S.QUERY_COPY_OUT: {
        b.CopyData: S.QUERY_COPY_OUT,
        b.CopyDone: S.QUERY_COPY_OUT_DONE,
        b.ErrorResponse: S.QUERY_FAILED,
    },
    S.QUERY_COPY_OUT_DONE: {b.CommandComplete: S.QUERY, b.ErrorResponse: S.QUERY_FAILED},
    S.QUERY_FAILED: {b.ReadyForQuery: S.DONE, b.ErrorResponse: S.QUERY_FAILED},
    S.FUNCTION: {b.FunctionCallResponse: S.FUNCTION_DONE, b.ErrorResponse: S.FUNCTION_DONE},
    S.FUNCTION_DONE: {b.ReadyForQuery: S.DONE},
    # An idle session hears of its own end only: terminated, the server shut down, idle for too long.
    S.IDLE: {b.ErrorResponse: S.IDLE},
    S.FAILED: {},
    S.CLOSED: {},
}

#: States in which an error makes the server ignore everything up to the next Sync.
EXTENDED = frozenset(
    {
        S.PARSE, S.BIND, S.CLOSE, S.DESCRIBE_STATEMENT, S.DESCRIBE, S.EXECUTE, S.COPY_IN, S.COPY_OUT, S.COPY_OUT_DONE,
    }
)  # fmt: skip

#: What may come at any time once the login has begun.
ANY_TIME = frozenset({b.NoticeResponse, b.ParameterStatus, b.NotificationResponse})

#: The types of these, and of the last word of a server that ends an idle session.
_UNASKED = b"NSAE"

#: How many settings a server can report. Postgres has a dozen and a half of them.
MAX_PARAMETERS = 1000

#: What tells something that is to be remembered of the session.
_TELLING = frozenset({b.ReadyForQuery, b.BackendKeyData, b.NegotiateProtocolVersion})

COPYING_IN = frozenset({S.COPY_IN, S.QUERY_COPY_IN})

_BIND_COMPLETE = b"2\0\0\0\4"

_COPY_INPUT = frozenset({f.CopyData, f.CopyDone, f.CopyFail})

_TRANSACTION_STATUS = {
    b"I": TransactionStatus.IDLE,
    b"T": TransactionStatus.INTRANS,
    b"E": TransactionStatus.INERROR,
}


class StateMachine:
    """Follows a session from both sides: `send` what the client says, `receive` what the server says.

    Attributes:
        parameters: the settings that the server has reported, by name.
        backend_pid: the process ID of the server's side; 0 until it is known.
        secret_key: what a CancelRequest has to show.
        transaction_status: what the last ReadyForQuery said; UNKNOWN before the first.
        protocol: the protocol version in use, as an integer (major << 16 | minor).
    """

    def __init__(self) -> None:
        self.parameters: dict[str, str] = {}
        self.backend_pid = 0
        self.secret_key = b""
        self.transaction_status = TransactionStatus.UNKNOWN
        self.protocol = f.PROTOCOL_3_0
        self._parser = BackendParser()
        self._due: deque[State] = deque()
        self._skipping = False  # an extended-query message has failed, and Sync was not sent yet
        self._in_series = False  # an extended-query message was sent, and no Sync after it
        self._closed = False

    @property
    def state(self) -> State:
        """What is due from the server next."""
        if self._closed:
            return State.CLOSED
        return self._due[0] if self._due else State.IDLE

    def send(self, *messages: FrontendMessage | Encoded) -> bytes:
        """Record that the client sends `messages`, and give their bytes.

        Raises:
            ProtocolError: this cannot be sent now, or the server has spoken though nothing was due.
            MessageTooLong, ValueError: a part of a message cannot be encoded; nothing was recorded.
        """
        data = b"".join([message.encode() for message in messages])
        if not self._due and self._parser.pending:
            # It must not be taken for the answer to what is sent now.
            self._parser.check_pending(_UNASKED)
        for message in messages:
            if isinstance(message, Encoded):
                self._record_series(message.kinds, len(message.data))
            else:
                self._record(type(message), message)
        return data

    def _record_series(self, kinds: Sequence[type], times: int) -> None:
        """Record extended-query messages, none of which is a Sync."""
        if self._closed:
            raise ProtocolError("nothing can be sent after Terminate")
        if not self._skipping:
            self._due.extend([REQUESTS[kind] for kind in kinds] * times)
            self._in_series = True

    def _record(self, kind: type, message: FrontendMessage) -> None:
        if self._closed:
            raise ProtocolError("nothing can be sent after Terminate")
        due = REQUESTS.get(kind)
        if due is None:
            if kind in _COPY_INPUT and self.state not in COPYING_IN:
                raise ProtocolError("the server is not waiting for COPY data")
            self._closed = kind is f.Terminate
            return
        if self._skipping:
            if kind is not f.Sync:
                return
            self._skipping = False
        if kind is f.StartupMessage:
            self.protocol = message.protocol  # type: ignore[union-attr]
        self._due.append(due)
        self._in_series = due in EXTENDED

    def receive(self, data: bytes) -> None:
        """Take in bytes that came from the server."""
        self._parser.feed(data)

    @property
    def codec(self) -> str:
        """Python's name for the encoding of what is sent and received."""
        return self._parser.codec

    @property
    def needs_sync(self) -> bool:
        """Whether extended-query messages were sent, and no Sync after them."""
        return self._skipping or self._in_series

    def next_event(self) -> BackendMessage | None:
        """The server's next message, or None until more is received.

        Raises:
            ProtocolError: the server broke the protocol; the session cannot go on.
        """
        message = self._parser.next_message()
        if message is None:
            return None
        kind = type(message)
        if kind in ANY_TIME:
            self._note(message)
            return message
        state = self.state
        following = TRANSITIONS[state].get(kind)
        if following is None:
            raise ProtocolError(f"the server has sent {kind.__name__} when {state.name} was due")
        if kind in _TELLING:
            self._note(message)
        if following is State.DONE and kind is not b.ErrorResponse:
            self._due.popleft()
        elif following is not state:
            self._move(state, following, kind)
        return message

    def _note(self, message: BackendMessage) -> None:
        """Take over what a message tells of the session."""
        if isinstance(message, b.ReadyForQuery):
            self.transaction_status = _TRANSACTION_STATUS[message.status]
        elif isinstance(message, b.ParameterStatus):
            self.parameters[message.name] = message.value
            if len(self.parameters) > MAX_PARAMETERS:
                raise ProtocolError(f"the server has reported more than {MAX_PARAMETERS} settings")
            if message.name == "client_encoding":
                self._parser.codec = codec_of_text(message.value)
        elif isinstance(message, b.BackendKeyData):
            self.backend_pid, self.secret_key = message
        elif isinstance(message, b.NegotiateProtocolVersion):
            if not f.PROTOCOL_3_0 <= message.version <= self.protocol:
                raise ProtocolError("the server wants a version of the protocol that it was not offered")
            self.protocol = message.version

    def take_repeated(self, tag: str) -> int:
        """Take the answers to further executions that are the same, and give their number.

        Args:
            tag: that of the CommandComplete which came last, after a BindComplete.
        """
        due = self._due
        if len(due) < 2 or not tag.isascii():
            return 0
        answer = _BIND_COMPLETE + b"C" + (5 + len(tag)).to_bytes(4, "big") + tag.encode() + b"\0"
        count = 0
        for _ in range(self._parser.repetitions(answer)):
            if len(due) < 2 or due[0] is not State.BIND or due[1] is not State.EXECUTE:
                break
            due.popleft()
            due.popleft()
            count += 1
        self._parser.skip(count * len(answer))
        return count

    def _move(self, state: State, following: State, kind: type) -> None:
        due = self._due
        if following is not State.DONE:
            if due:
                due[0] = following
            if following in COPYING_IN:
                while len(due) > 1 and due[1] is State.SYNC:
                    del due[1]
                self._in_series = due[-1] in EXTENDED
            return
        due.popleft()
        if kind is b.ErrorResponse and state in EXTENDED:
            while due and due[0] is not State.SYNC:
                due.popleft()
            self._skipping = not due
