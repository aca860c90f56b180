"""Sessions that are interrupted, lost, or misused in the middle of something."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
import server_messages as s
from gateway_client import wait_for
from scripted import ANSWERS, ScriptedRunner, ScriptedServer
from test_flows import LOGIN, execute, open_with, query
from transports import Connect, Connection, Numbers, on_sessions, over_tcp

import neonps
from neonps import errors
from neonps.flows.requests import Aside, Open, Receive
from neonps.net import blocking
from neonps.pq import TransactionStatus

INSERT = "insert into numbers (a) values (%s)"


@on_sessions
@pytest.mark.parametrize("rows", [0, 10, 20000])
def test_an_interrupted_generator_of_parameters_leaves_no_transaction(
    numbers: Numbers, auto: Connection, rows: int
) -> None:
    def interrupted() -> Iterator[tuple[int]]:
        yield from ((n,) for n in range(rows))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        auto.cursor().executemany(INSERT, interrupted())
    assert auto.info.transaction_status is TransactionStatus.IDLE
    auto.execute(INSERT, [-1])
    assert numbers() == [-1]


@on_sessions
def test_a_lazy_session_begins_once_however_much_is_sent(connect: Connect) -> None:
    conn = connect(lazy=True)
    notices: list[Any] = []
    conn.add_notice_handler(notices.append)
    cursor = conn.cursor()
    cursor.executemany("select %s::text", [("x" * 1000,)] * 500, returning=True)
    assert [each.fetchall() for each in cursor.results()] == [[("x" * 1000,)]] * 500
    assert not notices


@on_sessions
@pytest.mark.parametrize(
    "misuse",
    [
        lambda conn: conn.cursor().executemany("copy numbers from stdin", [()]),
        lambda conn: conn.cursor().executemany("/* a /* b */ */ copy numbers from stdin", [(), ()]),
        lambda conn: conn.batch(["insert into numbers values (1)", "copy numbers from stdin"]),
        lambda conn: conn.batch(["copy numbers to stdout", "insert into numbers values (1)"]),
        lambda conn: conn.execute("insert into numbers values (1); copy numbers from stdin"),
    ],
)
@pytest.mark.parametrize("autocommit", [True, False])
def test_a_copy_that_nobody_feeds_leaves_the_session_usable(
    numbers: Numbers, connect: Connect, misuse: Callable[[Connection], object], autocommit: bool
) -> None:
    conn = connect(autocommit=autocommit)
    with pytest.raises(neonps.ProgrammingError, match="COPY cannot be used with this method"):
        misuse(conn)
    conn.rollback()
    assert conn.execute("select 1").fetchone() == (1,)
    assert numbers() == []


@over_tcp
def test_the_servers_last_words_are_heard_while_much_is_sent(
    numbers: Numbers, auto: Connection, admin: psycopg.Connection[Any]
) -> None:
    pid = auto.info.backend_pid
    gone = "select 1 where not exists (select from pg_stat_activity where pid = %s)"

    def parameters() -> Iterator[tuple[int]]:
        for number in range(20000):
            if number == 5000:
                admin.execute("select pg_terminate_backend(%s)", [pid])
                wait_for(lambda: admin.execute(gone, [pid]).fetchall())
            yield (number,)

    with pytest.raises(errors.AdminShutdown):
        auto.cursor().executemany(INSERT, parameters())
    assert auto.broken
    assert numbers() == []


@over_tcp
def test_a_timeout_can_be_longer_than_the_system_can_wait(connect: Connect) -> None:
    assert connect(timeout=1e9, connect_timeout=10**9).execute("select 1").fetchone() == (1,)


def test_a_session_that_is_lost_while_it_is_cancelled_is_broken() -> None:
    class Gone(ScriptedRunner):
        """The server hangs up instead of ending what was cancelled."""

        def _perform(self, request: object) -> Any:
            if isinstance(request, Receive) and self.aside:
                return b""
            return super()._perform(request)

    runner = Gone(ScriptedServer(LOGIN, answers={**ANSWERS, "Q": s.row_description("x")}))
    session = open_with(runner)
    session.autocommit = True
    flow = session.execute(query("select 1"), binary=False, deliver=lambda results: None)
    with pytest.raises(neonps.OperationalError, match="could not be cancelled"):
        runner.run(session.guard(flow, 1.0))
    assert session.broken
    assert session.closed


def test_an_interrupt_while_a_statement_is_cancelled_is_not_swallowed() -> None:
    class Impatient(ScriptedRunner):
        def _perform(self, request: object) -> Any:
            if isinstance(request, Aside):
                request.flow.close()
                raise KeyboardInterrupt
            return super()._perform(request)

    runner = Impatient(ScriptedServer(LOGIN, answers={**ANSWERS, "Q": s.row_description("x")}))
    session = open_with(runner)
    session.autocommit = True
    flow = session.execute(query("select 1"), binary=False, deliver=lambda results: None)
    with pytest.raises(KeyboardInterrupt):
        runner.run(session.guard(flow, 1.0))
    assert session.broken
    assert runner.closed


def test_a_commit_that_is_answered_by_nonsense_has_an_unknown_outcome() -> None:
    server = ScriptedServer(LOGIN, answers={**ANSWERS, "S": s.IN_TRANSACTION, "Q": s.complete("X") + s.IN_TRANSACTION})
    runner = ScriptedRunner(server)
    session = open_with(runner)
    runner.run(execute(session, "insert into t values (1)"))
    server.answers = {**server.answers, "P": s.NO_DATA}
    with pytest.raises(neonps.OperationalError, match="unknown whether the transaction was committed"):
        runner.run(session.guard(session.commit(), None))
    assert session.broken


@pytest.mark.parametrize(
    "row",
    [
        s.message("D", b"\0\1\xff\xff\xff\xfe"),
        s.message("D", b"\0\1\0\0\0\5a"),
        s.data_row(b"1", b"2"),
        s.data_row(),
    ],
)
def test_a_row_that_makes_no_sense(row: bytes) -> None:
    answer = s.row_description("x") + row + s.complete("SELECT 1") + s.IDLE
    runner = ScriptedRunner(ScriptedServer(LOGIN, answers={**ANSWERS, "Q": answer}))
    session = open_with(runner)
    session.autocommit = True
    (result,) = runner.run(execute(session, "select 1"))
    with pytest.raises(neonps.OperationalError, match="malformed DataRow"):
        list(result.rows())


def test_a_server_that_starts_does_not_keep_from_trying_the_next_host() -> None:
    class Servers(ScriptedRunner):
        """Each host is another server; the first is not there yet."""

        opened = 0

        def _perform(self, request: object) -> Any:
            if isinstance(request, Open):
                self.opened += 1
                starting = s.error("57P03", "the database system is starting up", "FATAL")
                self.server = ScriptedServer(starting if self.opened == 1 else LOGIN)
                self._arriving.clear()
            return super()._perform(request)

    runner = Servers(ScriptedServer())
    session = open_with(runner, host="localhost,127.0.0.1")
    assert session.settings.host == "127.0.0.1"
    assert runner.opened == 2


def test_a_name_that_is_no_text_does_not_begin_a_block() -> None:
    session = open_with(ScriptedRunner(ScriptedServer(LOGIN)))
    with pytest.raises(UnicodeEncodeError):
        next(session.enter_block("\udc00"))
    assert session.transaction_status is TransactionStatus.IDLE


def test_the_system_waits_for_a_moment_at_a_time(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal that comes between Python's last look for one and the wait of the system is heard after that."""
    waits: list[float] = []

    def look(wait: Any, seconds: float) -> bool | None:
        waits.append(seconds)
        return _look(wait, seconds)

    _look = blocking._look
    conn = connect(autocommit=True)
    monkeypatch.setattr(blocking, "_PATIENCE", 0.05)
    monkeypatch.setattr(blocking, "_look", look)
    assert conn.execute("select pg_sleep(0.3), 42").fetchone() == ("", 42)
    assert len(waits) > 3
    assert max(waits) <= 0.05
    conn.timeout = 0.2
    with pytest.raises(neonps.OperationalError, match="timeout"):
        conn.execute("select pg_sleep(100)")
    assert max(waits) <= 0.05
