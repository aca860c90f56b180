"""The state machine: what may come when, and how it gets past errors."""

from __future__ import annotations

import pytest
import server_messages as s

from neonps.pq import TransactionStatus
from neonps.protocol import backend as b
from neonps.protocol import frontend as f
from neonps.protocol.backend import ProtocolError
from neonps.protocol.session import ANY_TIME, TRANSITIONS, State, StateMachine


def started() -> StateMachine:
    """A machine that is past the login."""
    machine = StateMachine()
    machine.send(f.StartupMessage({"user": "u"}))
    machine.receive(s.AUTHENTICATION_OK + s.message("S", s.string("TimeZone") + s.string("UTC")) + s.KEY + s.IDLE)
    events(machine)
    return machine


def events(machine: StateMachine) -> list[object]:
    found: list[object] = []
    while (event := machine.next_event()) is not None:
        found.append(event)
    return found


EXTENDED = (f.Parse(b"", b"select 1"), f.Bind(b"", b""), f.DescribePortal(b""), f.Execute(b""), f.Sync())


def test_the_login_ends_with_what_the_server_has_told() -> None:
    machine = started()
    assert machine.state is State.IDLE
    assert machine.parameters == {"TimeZone": "UTC"}
    assert (machine.backend_pid, machine.secret_key) == (4711, b"key!")
    assert machine.transaction_status is TransactionStatus.IDLE


def test_an_extended_query() -> None:
    machine = started()
    machine.send(*EXTENDED)
    answer = s.row_description("x") + s.data_row(b"1") + s.data_row(None) + s.complete("SELECT 2")
    machine.receive(s.PARSED + s.BOUND + answer + s.IN_TRANSACTION)
    kinds = [type(event).__name__ for event in events(machine)]
    assert kinds == [
        "ParseComplete", "BindComplete", "RowDescription", "DataRows", "CommandComplete", "ReadyForQuery",
    ]  # fmt: skip
    assert machine.state is State.IDLE
    assert machine.transaction_status is TransactionStatus.INTRANS


def test_several_results_of_a_simple_query() -> None:
    machine = started()
    machine.send(f.Query(b"select 1; ; select 2"))
    one = s.row_description("x") + s.data_row(b"1") + s.complete("SELECT 1")
    machine.receive(one + s.complete("CREATE TABLE") + one)
    events(machine)
    assert machine.state is State.QUERY
    machine.receive(s.IDLE)
    events(machine)
    assert machine.state is State.IDLE


def test_after_an_error_nothing_is_due_up_to_sync() -> None:
    machine = started()
    machine.send(*EXTENDED, *EXTENDED)
    machine.receive(s.error("42601", "syntax error") + s.IDLE)
    events(machine)
    assert machine.state is State.PARSE  # of the second series
    machine.receive(s.PARSED + s.BOUND + s.NO_DATA + s.complete("SET") + s.IDLE)
    events(machine)
    assert machine.state is State.IDLE


def test_what_is_sent_after_an_error_and_before_sync_is_not_answered() -> None:
    machine = started()
    machine.send(f.Parse(b"", b"nonsense"))
    machine.receive(s.error("42601", "syntax error"))
    events(machine)
    machine.send(f.Bind(b"", b""), f.Execute(b""))
    assert machine.state is State.IDLE
    machine.send(f.Sync())
    assert machine.state is State.SYNC
    machine.receive(s.FAILED)
    events(machine)
    assert machine.transaction_status is TransactionStatus.INERROR


def test_a_query_behind_a_failed_series_is_skipped_with_it() -> None:
    machine = started()
    machine.send(f.Parse(b"", b"BEGIN"), f.Bind(b"", b""), f.Execute(b""), f.Query(b"insert"), f.Sync())
    machine.receive(s.PARSED + s.BOUND + s.error("0A000", "no") + s.IDLE)
    events(machine)
    assert machine.state is State.IDLE


@pytest.mark.parametrize("messages", [EXTENDED, (f.Query(b"copy t from stdin"), f.Sync())])
def test_a_sync_that_was_sent_before_a_copy_is_never_answered(messages: tuple[f.FrontendMessage, ...]) -> None:
    machine = started()
    machine.send(*messages)
    opening = s.PARSED + s.BOUND + s.NO_DATA if len(messages) > 2 else b""
    machine.receive(opening + s.copy_response("G"))
    assert isinstance(events(machine)[-1], b.CopyInResponse)
    simple = not opening
    machine.send(f.CopyData(b"1\n"), f.CopyDone(), *(() if simple else (f.Sync(),)))
    machine.receive(s.complete("COPY 1") + s.IDLE)
    events(machine)
    assert machine.state is State.IDLE


def test_copy_out() -> None:
    machine = started()
    machine.send(f.Query(b"copy t to stdout"))
    data = s.message("d", b"1\n")
    machine.receive(s.copy_response("H") + data + data + s.COPY_DONE + s.complete("COPY 2") + s.IDLE)
    kinds = [type(event).__name__ for event in events(machine)]
    assert kinds == ["CopyOutResponse", "CopyData", "CopyData", "CopyDone", "CommandComplete", "ReadyForQuery"]


def test_copy_data_where_none_is_awaited() -> None:
    machine = started()
    with pytest.raises(ProtocolError, match="not waiting for COPY"):
        machine.send(f.CopyData(b"1\n"))


def test_notices_notifications_and_parameters_at_any_time() -> None:
    machine = started()
    aside = s.error("00000", "hello", "NOTICE", "N") + s.message("S", s.string("TimeZone") + s.string("GMT"))
    machine.receive(aside)
    machine.send(*EXTENDED)
    machine.receive(aside + s.PARSED + aside + s.BOUND + s.NO_DATA + aside + s.complete("SET") + s.IDLE + aside)
    kinds = [type(event) for event in events(machine)]
    assert kinds.count(b.NoticeResponse) == 5
    assert machine.state is State.IDLE
    assert machine.parameters["TimeZone"] == "GMT"


def test_a_function_call() -> None:
    machine = started()
    machine.send(f.FunctionCall(1))
    machine.receive(s.message("V", b"\xff\xff\xff\xff") + s.IDLE)
    assert events(machine)[0] == b.FunctionCallResponse(None)
    assert machine.state is State.IDLE


def test_nothing_can_be_sent_after_terminate() -> None:
    machine = started()
    assert machine.send(f.Terminate()) == b"X\0\0\0\4"
    assert machine.state is State.CLOSED
    with pytest.raises(ProtocolError):
        machine.send(f.Sync())


def test_what_cannot_be_encoded_is_not_recorded() -> None:
    machine = started()
    with pytest.raises(ValueError, match="NUL"):
        machine.send(f.Parse(b"", b"select 1"), f.Query(b"\0"))
    assert machine.state is State.IDLE


SAMPLES: dict[type, bytes] = {
    b.AuthenticationOk: s.AUTHENTICATION_OK,
    b.AuthenticationCleartextPassword: s.AUTHENTICATION_CLEARTEXT,
    b.AuthenticationMD5Password: s.message("R", b"\0\0\0\5salt"),
    b.AuthenticationSASL: s.AUTHENTICATION_SASL,
    b.AuthenticationSASLContinue: s.message("R", b"\0\0\0\x0bx"),
    b.AuthenticationSASLFinal: s.message("R", b"\0\0\0\x0cx"),
    b.BackendKeyData: s.KEY,
    b.ReadyForQuery: s.IDLE,
    b.ParseComplete: s.PARSED,
    b.BindComplete: s.BOUND,
    b.CloseComplete: s.CLOSED,
    b.NoData: s.NO_DATA,
    b.ParameterDescription: s.message("t", b"\0\0"),
    b.RowDescription: s.row_description("x"),
    b.DataRows: s.data_row(b"1"),
    b.CommandComplete: s.complete("SELECT 1"),
    b.EmptyQueryResponse: s.EMPTY,
    b.PortalSuspended: s.SUSPENDED,
    b.CopyInResponse: s.copy_response("G"),
    b.CopyOutResponse: s.copy_response("H"),
    b.CopyBothResponse: s.copy_response("W"),
    b.CopyData: s.message("d", b"x"),
    b.CopyDone: s.COPY_DONE,
    b.FunctionCallResponse: s.message("V", b"\xff\xff\xff\xff"),
    b.ErrorResponse: s.error("42601", "no"),
    b.NegotiateProtocolVersion: s.message("v", b"\0\3\0\0\0\0\0\0"),
}


@pytest.mark.parametrize("state", [state for state in TRANSITIONS if state is not State.CLOSED])
def test_what_the_table_does_not_have_is_a_protocol_error(state: State) -> None:
    for kind, sample in SAMPLES.items():
        if kind in TRANSITIONS[state] or kind in ANY_TIME:
            continue
        machine = StateMachine()
        if state is not State.IDLE:
            machine._due.append(state)
        machine.receive(sample)
        with pytest.raises(ProtocolError, match=f"{kind.__name__} when {state.name} was due"):
            machine.next_event()


def test_every_state_but_the_marks_is_in_the_table() -> None:
    assert set(TRANSITIONS) == set(State) - {State.DONE}
    reachable = {following for table in TRANSITIONS.values() for following in table.values()}
    assert reachable - set(TRANSITIONS) == {State.DONE}
