"""Flows without any network: the login, round trips, and what they make of a server that misbehaves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import server_messages as s
from hypothesis import given
from hypothesis import strategies as st
from scripted import ANSWERS, ScramServer, ScriptedRunner, ScriptedServer
from test_wire import split

import neonps
from neonps.flows.connect import open_session
from neonps.flows.interruption import cancel_and_skip
from neonps.flows.requests import Flow, Receive
from neonps.flows.session import Session
from neonps.flows.target import check_target
from neonps.isolation import TransactionCharacteristics
from neonps.pq import TransactionStatus
from neonps.protocol.result import Result
from neonps.query import PostgresQuery
from neonps.settings import resolve
from neonps.transformer import Transformer

LOGIN = s.AUTHENTICATION_OK + s.KEY + s.IDLE


def open_with(runner: ScriptedRunner, **keywords: Any) -> Session:
    settings = resolve("host=localhost user=u password=hunter2 transport=tcp", keywords, {})
    return runner.run(open_session(settings))


def query(statement: str, params: Any = None) -> PostgresQuery:
    made = PostgresQuery(Transformer())
    made.convert(statement, params)
    return made


def execute(session: Session, statement: str, params: Any = None) -> Flow[list[Result]]:
    flow = session.execute(query(statement, params), binary=False, deliver=lambda results: None)
    return session.guard(flow, None)


@pytest.mark.parametrize(
    ("keywords", "login", "first_query"),
    [
        ({}, 3, 1),
        ({"lazy": True}, 2, 1),
        ({"pipeline_connect": "scram"}, 2, 1),
        ({"pipeline_connect": "scram", "lazy": True}, 1, 1),
    ],
)
def test_round_trips_with_scram(keywords: dict[str, Any], login: int, first_query: int) -> None:
    runner = ScriptedRunner(ScramServer("hunter2"))
    session = open_with(runner, **keywords)
    assert runner.flights == login
    results = runner.run(execute(session, "select %s", ["x"]))
    assert [list(result.rows()) for result in results] == [[[b"1"]]]
    assert runner.flights == login + first_query
    assert session.machine.backend_pid == 4711


@pytest.mark.parametrize(
    ("keywords", "login", "total"),
    [
        ({}, 2, 3),
        ({"lazy": True}, 1, 2),
        ({"pipeline_connect": "password"}, 1, 2),
        ({"pipeline_connect": "password", "lazy": True}, 0, 1),
    ],
)
def test_round_trips_with_a_password(keywords: dict[str, Any], login: int, total: int) -> None:
    runner = ScriptedRunner(ScriptedServer(s.AUTHENTICATION_CLEARTEXT, LOGIN))
    session = open_with(runner, require_auth="password", **keywords)
    assert runner.flights == login
    runner.run(execute(session, "select 1"))
    assert runner.flights == total


def test_begin_costs_no_round_trip() -> None:
    runner = ScriptedRunner(ScriptedServer(LOGIN))
    session = open_with(runner)
    for statement, params in (("select %s", [1]), ("select 1", None)):
        before = runner.flights
        runner.run(execute(session, statement, params))
        assert runner.flights == before + 1
        assert b"BEGIN" in runner.sent[-1]


def test_a_block_in_which_nothing_runs_sends_nothing() -> None:
    runner = ScriptedRunner(ScriptedServer(LOGIN))
    session = open_with(runner)
    sent = len(runner.sent)
    assert runner.run(session.enter_block("")) is True
    assert session.transaction_status is TransactionStatus.INTRANS
    assert runner.run(session.enter_block("inner")) is False
    runner.run(session.leave_block("inner", outer=False, rollback=False))
    runner.run(session.leave_block("", outer=True, rollback=False))
    assert len(runner.sent) == sent
    assert session.transaction_status is TransactionStatus.IDLE


def test_what_cannot_be_sent_does_not_lose_the_begin_of_a_block() -> None:
    runner = ScriptedRunner(ScriptedServer(LOGIN))
    session = open_with(runner)
    session.autocommit = True
    runner.run(session.enter_block(""))
    made = query("select 1")
    made.query = b"select '\0'"
    with pytest.raises(neonps.DataError, match="NUL"):
        runner.run(session.guard(session.execute(made, binary=False, deliver=lambda results: None), None))
    runner.run(execute(session, "select 1"))
    assert b"BEGIN" in runner.sent[-1]


@given(st.lists(st.integers(0, 10**6), max_size=20))
def test_any_split_of_the_answers_gives_the_same_results(cuts: list[int]) -> None:
    runner = ScriptedRunner(ScriptedServer(LOGIN), lambda data: split(data, cuts))
    session = open_with(runner)
    simple = runner.run(execute(session, "select 1"))
    batch = runner.run(
        session.guard(session.batch([query("select 1"), query("select %s", [2])], TransactionCharacteristics()), None)
    )
    assert [list(result.rows()) for result in simple + batch] == [[[b"1"]]] * 3


def test_many_statements_are_one_round_trip() -> None:
    runner = ScriptedRunner(ScriptedServer(LOGIN))
    session = open_with(runner)
    before = runner.flights
    statement, params = query("select %s", [1]), [[n] for n in range(20000)]
    many = session.executemany(
        statement, params, returning=False, binary=False, prepare=False, deliver=lambda results: None
    )
    assert runner.run(session.guard(many, None)).rowcount == 20000
    assert runner.flights == before + 1
    assert max(map(len, runner.sent)) < 1 << 20


WRONG_LOGINS: list[tuple[Callable[[], ScriptedServer], dict[str, Any], str]] = [
    (lambda: ScramServer("hunter2", lambda final: "v=" + "A" * 43 + "="), {}, "could not prove"),
    (lambda: ScriptedServer(s.AUTHENTICATION_SASL, LOGIN), {}, "AuthenticationOk when SASL was due"),
    (lambda: ScriptedServer(s.AUTHENTICATION_CLEARTEXT), {}, "clear-text password, which require_auth=.* does not"),
    (
        lambda: ScriptedServer(s.AUTHENTICATION_CLEARTEXT),
        {"pipeline_connect": "scram"},
        "pipeline_connect=off",
    ),
    (lambda: ScriptedServer(s.message("R", b"\0\0\0\5salt")), {}, "MD5.* which require_auth=.* does not allow"),
    (lambda: ScriptedServer(LOGIN), {"require_auth": "scram-sha-256"}, "no authentication, which require_auth="),
    (lambda: ScriptedServer(s.message("R", b"\0\0\0\7")), {}, "authentication by GSS, which is not supported"),
    (
        lambda: ScriptedServer(s.message("R", b"\0\0\0\x0aSCRAM-SHA-512\0\0")),
        {},
        "none of the server's SASL",
    ),
    (lambda: ScriptedServer(s.PARSED), {}, "ParseComplete when STARTUP was due"),
    (lambda: ScriptedServer(b"HTTP/1.1 400 Bad Request\r\n\r\n"), {}, "HTTP, not Postgres"),
    (lambda: ScriptedServer(s.error("53300", "sorry, too many clients", "FATAL")), {}, "FATAL:  sorry, too many"),
    (lambda: ScriptedServer(), {}, "closed the connection"),
    (lambda: ScriptedServer(b""), {}, "timeout expired"),
]


@pytest.mark.parametrize(("server", "keywords", "message"), WRONG_LOGINS)
def test_a_login_that_must_not_succeed(
    server: Callable[[], ScriptedServer], keywords: dict[str, Any], message: str
) -> None:
    runner = ScriptedRunner(server())
    with pytest.raises(neonps.OperationalError, match=message) as caught:
        open_with(runner, **keywords)
    assert "hunter2" not in str(caught.value)
    assert runner.closed
    assert not any(b"hunter2" in sent for sent in runner.sent)


def test_the_signature_is_verified_before_any_answer_is_believed() -> None:
    runner = ScriptedRunner(ScramServer("hunter2", lambda final: "v=" + "A" * 43 + "="))
    session = open_with(runner, pipeline_connect="scram", lazy=True)
    with pytest.raises(neonps.OperationalError, match="could not prove"):
        runner.run(execute(session, "select 1"))
    assert runner.closed
    assert session.broken


def test_a_lazy_login_that_fails_is_heard_of_by_the_first_statement() -> None:
    runner = ScriptedRunner(ScriptedServer(s.AUTHENTICATION_CLEARTEXT, s.error("28P01", "wrong password", "FATAL")))
    session = open_with(runner, require_auth="password", lazy=True)
    with pytest.raises(neonps.errors.InvalidPassword, match="wrong password"):
        runner.run(execute(session, "select 1"))
    assert runner.closed
    assert session.closed


@pytest.mark.parametrize(
    "nonsense", [s.BOUND + s.IDLE, b"\xff" * 20, s.message("T", b"\0\5"), s.data_row(b"1") + s.IDLE]
)
def test_a_server_that_breaks_the_protocol_in_a_query(nonsense: bytes) -> None:
    runner = ScriptedRunner(ScriptedServer(LOGIN, answers={**ANSWERS, "Q": nonsense}))
    session = open_with(runner)
    session.autocommit = True
    with pytest.raises(neonps.OperationalError, match="the connection was closed because"):
        runner.run(execute(session, "select 1"))
    assert session.broken
    assert runner.closed
    with pytest.raises(neonps.OperationalError, match="the connection is lost"):
        runner.run(execute(session, "select 1"))


def test_a_timeout_cancels_by_another_connection_and_the_session_goes_on_if_the_server_answers() -> None:
    server = ScriptedServer(LOGIN, answers={**ANSWERS, "Q": s.row_description("x")})
    runner = ScriptedRunner(server)
    session = open_with(runner)
    session.autocommit = True
    with pytest.raises(neonps.OperationalError, match="has not answered within 1 seconds; the connection was closed"):
        runner.run(session.guard(session.execute(query("select 1"), binary=False, deliver=lambda results: None), 1.0))
    assert len(runner.aside) == 7  # after 0, 0.05, 0.15, 0.35, 0.75, 1.55 and 3.15 seconds
    assert runner.closed


@pytest.mark.parametrize(
    ("autocommit", "words"),
    [(True, "It is unknown whether"), (False, "is rolled back by the server")],
)
def test_a_lost_connection_says_what_is_at_stake(autocommit: bool, words: str) -> None:
    class HangsUp(ScriptedServer):
        def answer(self, code: str, body: bytes) -> bytes | None:
            return None if code == "Q" else super().answer(code, body)

    runner = ScriptedRunner(HangsUp(LOGIN))
    session = open_with(runner)
    session.autocommit = autocommit
    with pytest.raises(neonps.OperationalError, match=words) as caught:
        runner.run(execute(session, "insert into t values (1)"))
    assert "server closed the connection unexpectedly" in str(caught.value)


@pytest.mark.parametrize(
    ("sqlstate", "severity", "unknown"),
    [
        ("08P01", "FATAL", True),  # PgBouncer has lost the server
        ("57P02", "FATAL", True),  # a crash, which can come between a commit and the answer to it
        ("57P01", "FATAL", False),  # Postgres itself has undone what was not committed
        ("25P03", "FATAL", False),
        ("08P01", "ERROR", False),  # that of a statement, and the session goes on
    ],
)
def test_a_server_that_ends_the_session(sqlstate: str, severity: str, unknown: bool) -> None:
    answer = s.error(sqlstate, "so it is", severity) + (s.IDLE if severity == "ERROR" else b"")
    runner = ScriptedRunner(ScriptedServer(LOGIN, answers={**ANSWERS, "Q": answer}))
    session = open_with(runner)
    session.autocommit = True
    with pytest.raises(neonps.Error, match="so it is") as caught:
        runner.run(execute(session, "insert into t values (1)"))
    assert caught.value.sqlstate == sqlstate
    assert caught.value.diag.message_primary == "so it is"
    assert caught.value.outcome_unknown is unknown
    assert ("It is unknown whether" in str(caught.value)) is unknown
    assert session.broken is (severity == "FATAL")


@pytest.mark.parametrize("autocommit", [True, False])
def test_a_transaction_that_cannot_begin_lets_nothing_of_its_block_run(autocommit: bool) -> None:
    class RefusesToBegin(ScriptedServer):
        """As a replica does BEGIN ISOLATION LEVEL SERIALIZABLE: an error, and then nothing up to Sync."""

        refusing = False

        def answer(self, code: str, body: bytes) -> bytes | None:
            if code == "P" and b"BEGIN" in body:
                self.refusing = True
                return s.error("0A000", "cannot use serializable mode in a hot standby")
            if code == "S":
                self.refusing = False
            return b"" if self.refusing else super().answer(code, body)

    runner = ScriptedRunner(RefusesToBegin(LOGIN))
    session = open_with(runner)
    session.autocommit = autocommit
    runner.run(session.guard(session.enter_block(""), None))
    for params in ([1], None):
        with pytest.raises(neonps.errors.FeatureNotSupported if params else neonps.errors.InFailedSqlTransaction):
            runner.run(execute(session, "insert %s" if params else "insert", params))
    with pytest.raises(neonps.errors.InFailedSqlTransaction):
        runner.run(session.guard(session.batch([query("insert")], TransactionCharacteristics()), None))
    with pytest.raises(neonps.errors.InFailedSqlTransaction):
        runner.run(session.guard(session.enter_block("inner"), None))
    sent = len(runner.sent)
    runner.run(session.guard(session.leave_block("", outer=True, rollback=False), None))
    assert len(runner.sent) == sent
    session.autocommit = True
    runner.run(execute(session, "select 1"))


def test_a_simple_query_behind_a_begin_that_fails_is_not_run() -> None:
    class RefusesToBegin(ScriptedServer):
        def answer(self, code: str, body: bytes) -> bytes | None:
            if code == "P":
                return s.error("0A000", "cannot use serializable mode in a hot standby")
            return super().answer(code, body) if code in ("startup", "S") else b""

    runner = ScriptedRunner(RefusesToBegin(LOGIN))
    session = open_with(runner)
    with pytest.raises(neonps.errors.FeatureNotSupported):
        runner.run(execute(session, "insert"))
    assert not session.closed
    assert session.transaction_status is TransactionStatus.IDLE


def test_what_cannot_be_cancelled_is_no_timeout_of_a_call_that_has_none() -> None:
    runner = ScriptedRunner(ScramServer("hunter2"))
    session = open_with(runner)

    def rest() -> Flow[None]:
        session.channel.torn = True  # as while something is sent that nobody takes
        yield Receive()

    with pytest.raises(neonps.OperationalError, match="the connection was closed, since a statement could not be"):
        runner.run(session.guard(cancel_and_skip(session, rest), None))
    assert len(runner.aside) == 1
    assert runner.closed
    assert session.broken


def test_a_server_that_has_said_much_before_it_ended_the_session() -> None:
    """TLS gives each message alone. Nothing is sent before the last one was read."""
    runner = ScriptedRunner(ScriptedServer(LOGIN))
    session = open_with(runner)
    sent = len(runner.sent)
    notification = s.message("A", b"\0\0\0\1channel\0\0")
    runner.hang_up(*[notification] * 100, s.error("57P01", "shutdown", "FATAL"))
    with pytest.raises(neonps.errors.AdminShutdown) as caught:
        runner.run(execute(session, "insert"))
    assert not caught.value.outcome_unknown
    assert len(runner.sent) == sent


@pytest.mark.parametrize("said", [b"", s.complete("SHOW"), s.error("42501", "no", "FATAL")])
def test_a_server_that_does_not_say_what_it_is(said: bytes) -> None:
    """Then it is not what is wanted, and the next host is tried."""
    runner = ScriptedRunner(ScriptedServer(LOGIN, answers={**ANSWERS, "Q": said + s.IDLE}))
    session = open_with(runner)
    with pytest.raises(neonps.OperationalError, match="target_session_attrs could not be checked"):
        runner.run(session.guard(check_target(session, "read-write"), None))
