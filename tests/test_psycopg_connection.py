"""Connections: what psycopg's do, neonps's do."""

from __future__ import annotations

import gc
import logging
import selectors
import threading
import warnings
import weakref
from typing import Any

import pytest
from backends import Admin, terminate, wait_until_gone, wait_until_sleeping
from peers import Peer
from transports import Numbers

SETTERS = [
    ("autocommit", True),
    ("isolation_level", 4),
    ("read_only", True),
    ("deferrable", True),
]


def status(conn: Any) -> str:
    name: str = conn.info.transaction_status.name
    return name


# connect()


def test_connect_is_the_class_method(peer: Peer) -> None:
    assert peer.module.connect == peer.module.Connection.connect
    with peer.module.Connection.connect(peer.url) as conn:
        assert type(conn) is peer.module.Connection


def test_keywords_override_the_connection_string(peer: Peer) -> None:
    conn = peer.connect(application_name="one of the tests", dbname="template1")
    assert conn.execute("select current_setting('application_name')").fetchone() == ("one of the tests",)
    assert conn.info.dbname == "template1"


def test_keywords_that_are_none_are_as_not_given(peer: Peer) -> None:
    conn = peer.connect(application_name=None, options=None)
    assert conn.execute("select current_setting('application_name')").fetchone() == ("",)


def test_keywords_may_be_integers(peer: Peer) -> None:
    conn = peer.connect(connect_timeout=10, keepalives=1, keepalives_idle=60)
    assert conn.execute("select 1").fetchone() == (1,)


def test_connect_timeout_may_be_a_float_or_text(peer: Peer) -> None:
    assert peer.connect(connect_timeout=9.5).execute("select 1").fetchone() == (1,)
    assert peer.connect(connect_timeout="10").execute("select 1").fetchone() == (1,)


def test_options_set_settings_of_the_session(peer: Peer) -> None:
    conn = peer.connect(options="-c work_mem=5MB -c statement_timeout=54321")
    assert conn.execute("show work_mem").fetchone() == ("5MB",)
    assert conn.execute("show statement_timeout").fetchone() == ("54321ms",)
    assert conn.info.options == "-c work_mem=5MB -c statement_timeout=54321"


def test_only_the_connection_string_is_positional(peer: Peer) -> None:
    with pytest.raises(TypeError):
        peer.module.connect(peer.url, True)


def test_autocommit_is_off_by_default(peer: Peer) -> None:
    assert peer.connect().autocommit is False
    assert peer.connect(autocommit=True).autocommit is True
    assert peer.connect(autocommit=False).autocommit is False


def test_transactions_have_the_servers_characteristics_by_default(peer: Peer) -> None:
    conn = peer.connect()
    assert conn.isolation_level is None
    assert conn.read_only is None
    assert conn.deferrable is None


def test_prepare_threshold_and_prepared_max(peer: Peer) -> None:
    conn = peer.connect()
    assert conn.prepare_threshold == 5
    assert conn.prepared_max == 100
    assert peer.connect(prepare_threshold=1).prepare_threshold == 1
    assert peer.connect(prepare_threshold=0).prepare_threshold == 0
    assert peer.connect(prepare_threshold=None).prepare_threshold is None
    conn.prepare_threshold = 3
    conn.prepared_max = None
    assert conn.prepare_threshold == 3
    assert conn.prepared_max is None
    conn.prepared_max = 7
    assert conn.prepared_max == 7


def test_prepare_threshold_zero_prepares_at_once(peer: Peer) -> None:
    conn = peer.connect(prepare_threshold=0)
    conn.execute("select %s::int + 41", [1])
    row = conn.execute("select count(*) from pg_prepared_statements where statement like '%+ 41'").fetchone()
    assert row == (1,)


def test_prepare_threshold_none_never_prepares(peer: Peer) -> None:
    conn = peer.connect(prepare_threshold=None)
    for number in range(10):
        conn.execute("select %s::int", [number])
    assert conn.execute("select count(*) from pg_prepared_statements").fetchone() == (0,)


def test_row_factory(peer: Peer) -> None:
    rows = peer.submodule("rows")
    conn = peer.connect(row_factory=rows.dict_row)
    assert conn.row_factory is rows.dict_row
    assert conn.execute("select 1 as a").fetchone() == {"a": 1}
    assert conn.cursor(row_factory=rows.tuple_row).execute("select 1 as a").fetchone() == (1,)


def test_row_factory_is_tuple_row_by_default(peer: Peer) -> None:
    rows = peer.submodule("rows")
    assert peer.connect().row_factory is rows.tuple_row
    assert peer.connect(row_factory=None).row_factory is rows.tuple_row


def test_row_factory_that_is_set_later_counts_for_new_cursors(peer: Peer) -> None:
    rows = peer.submodule("rows")
    conn = peer.connect()
    before = conn.cursor()
    conn.row_factory = rows.dict_row
    assert conn.execute("select 1 as a").fetchone() == {"a": 1}
    assert before.execute("select 1 as a").fetchone() == (1,)


def test_cursor_factory(peer: Peer) -> None:
    class OwnCursor(peer.module.Cursor):  # type: ignore[misc, name-defined]
        pass

    conn = peer.connect(cursor_factory=OwnCursor)
    assert conn.cursor_factory is OwnCursor
    assert type(conn.cursor()) is OwnCursor
    assert type(conn.execute("select 1")) is OwnCursor


def test_cursor_factories_by_default(peer: Peer) -> None:
    conn = peer.connect(cursor_factory=None)
    assert conn.cursor_factory is peer.module.Cursor
    assert conn.server_cursor_factory is peer.module.ServerCursor
    assert type(conn.cursor()) is peer.module.Cursor
    with conn.cursor("one") as one, conn.cursor(name="two") as two:
        assert type(one) is type(two) is peer.module.ServerCursor


def test_cursor_factory_may_be_a_function(peer: Peer) -> None:
    given = []

    def make(connection: Any, **kwargs: Any) -> Any:
        given.append((connection, kwargs))
        return peer.module.Cursor(connection, **kwargs)

    conn = peer.connect(cursor_factory=make)
    cursor = conn.cursor()
    assert type(cursor) is peer.module.Cursor
    assert given == [(conn, {"row_factory": conn.row_factory})]


def test_server_cursor_factory(peer: Peer) -> None:
    class OwnCursor(peer.module.ServerCursor):  # type: ignore[misc, name-defined]
        pass

    conn = peer.connect()
    conn.server_cursor_factory = OwnCursor
    with conn.cursor("own") as cursor:
        assert type(cursor) is OwnCursor
        assert cursor.execute("select 1").fetchall() == [(1,)]


@pytest.mark.parametrize("name", ["ClientCursor", "RawCursor"])
def test_cursor_factory_of_another_kind(peer: Peer, name: str) -> None:
    conn = peer.connect(cursor_factory=getattr(peer.module, name))
    placeholder = "$1" if name == "RawCursor" else "%s"
    assert conn.execute(f"select {placeholder}::int", [3]).fetchone() == (3,)


@pytest.mark.parametrize("kind", ["map", "connection", "cursor"])
def test_context_gives_the_adapters(peer: Peer, kind: str) -> None:
    adapt = peer.submodule("adapt")

    class Shout(adapt.Loader):  # type: ignore[misc, name-defined]
        def load(self, data: Any) -> str:
            return f"<{bytes(data).decode()}>"

    template = peer.connect()
    template.adapters.register_loader("int4", Shout)
    contexts = {"map": template.adapters, "connection": template, "cursor": template.cursor()}
    conn = peer.connect(context=contexts[kind])
    assert conn.execute("select 1").fetchone() == ("<1>",)
    assert conn.adapters is not template.adapters
    conn.adapters.register_loader("text", Shout)
    assert template.execute("select 'x'::text").fetchone() == ("x",)


def test_adapters_of_the_module_are_a_template(peer: Peer) -> None:
    assert isinstance(peer.connect().adapters, peer.submodule("adapt").AdaptersMap)
    assert peer.connect().adapters is not peer.module.adapters


# What cannot be connected to


def refused(peer: Peer, **kwargs: Any) -> Any:
    with pytest.raises(peer.module.OperationalError) as caught:
        peer.module.connect(peer.url, **kwargs)
    return caught.value


def test_a_wrong_password(peer: Peer) -> None:
    error = refused(peer, password="wrong one")
    assert 'password authentication failed for user "postgres"' in str(error)
    assert "wrong one" not in str(error)


def test_a_user_that_does_not_exist(peer: Peer) -> None:
    assert 'password authentication failed for user "nobody at all"' in str(refused(peer, user="nobody at all"))


def test_a_database_that_does_not_exist(peer: Peer) -> None:
    assert 'database "no such database" does not exist' in str(refused(peer, dbname="no such database"))


def test_a_setting_that_the_server_does_not_have(peer: Peer) -> None:
    message = str(refused(peer, options="-c no_such_setting=1"))
    assert 'unrecognized configuration parameter "no_such_setting"' in message


def test_a_port_where_nobody_listens(peer: Peer) -> None:
    error = refused(peer, gateway="http://127.0.0.1:1") if peer.name == "websocket" else refused(peer, port=1)
    assert "connection refused" in str(error).lower()
    assert error.sqlstate is None
    assert error.diag.message_primary is None


def test_a_host_that_does_not_exist(peer: Peer) -> None:
    if peer.name == "websocket":
        error = refused(peer, gateway="https://no-such-host.invalid:1")
    else:
        error = refused(peer, host="no-such-host.invalid")
    assert "no-such-host.invalid" in str(error)


def test_a_server_that_is_of_another_kind(peer: Peer) -> None:
    if peer.name == "websocket":
        pytest.skip("the host of the database is the gateway's to choose")
    refused(peer, target_session_attrs="standby")


@pytest.mark.parametrize("conninfo", ["nonsense", "no_such_keyword=1", "dbname='unclosed"])
def test_a_connection_string_that_is_not_valid(peer: Peer, conninfo: str) -> None:
    with pytest.raises(peer.module.ProgrammingError):
        peer.module.connect(conninfo)


def test_a_keyword_that_does_not_exist(peer: Peer) -> None:
    with pytest.raises(peer.module.ProgrammingError, match='invalid connection option "no_such_keyword"'):
        peer.module.connect(peer.url, no_such_keyword="x")


def test_a_timeout_that_is_no_number(peer: Peer) -> None:
    with pytest.raises(peer.module.ProgrammingError, match="connect_timeout"):
        peer.module.connect(peer.url, connect_timeout="soon")


def test_a_port_that_is_no_number(peer: Peer) -> None:
    with pytest.raises(peer.module.Error, match="port"):
        peer.module.connect(peer.url, port="abc")


def test_the_error_has_the_connection(peer: Peer) -> None:
    pq = peer.submodule("pq")
    error = refused(peer, password="wrong one")
    assert error.pgconn is not None
    assert error.pgconn.status == pq.ConnStatus.BAD
    assert error.pgconn.transaction_status == pq.TransactionStatus.UNKNOWN
    assert error.pgconn.pipeline_status == pq.PipelineStatus.OFF
    assert error.pgconn.used_password
    assert not error.pgconn.needs_password
    assert error.pgconn.user == b"postgres"
    assert error.pgconn.db == b"postgres"
    assert b"password authentication failed" in error.pgconn.error_message
    assert error.pgresult is None
    with pytest.raises(peer.module.OperationalError):
        error.pgconn.exec_(b"select 1")


def test_the_error_tells_that_a_password_is_needed(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSFILE", "/nonexistent")
    monkeypatch.delenv("PGPASSWORD", raising=False)
    scheme, rest = peer.url.split("://", 1)
    login, address = rest.split("@")
    with pytest.raises(peer.module.OperationalError, match="no password supplied") as caught:
        peer.module.connect(f"{scheme}://{login.split(':')[0]}@{address}")
    assert caught.value.pgconn.needs_password


def test_errors_of_connecting_leave_no_connection_open(peer: Peer, admin: Admin) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        refused(peer, dbname="no such database")
        gc.collect()


# with


def test_with_commits_and_closes(numbers: Numbers, peer: Peer) -> None:
    with peer.connect() as conn:
        assert conn.execute("insert into numbers values (1)").rowcount == 1
        assert numbers() == []
    assert numbers() == [1]
    assert conn.closed
    assert not conn.broken


def test_with_rolls_back_after_an_exception_and_closes(numbers: Numbers, peer: Peer) -> None:
    with pytest.raises(ZeroDivisionError):
        with peer.connect() as conn:
            conn.execute("insert into numbers values (1)")
            raise ZeroDivisionError
    assert numbers() == []
    assert conn.closed
    assert not conn.broken


def test_with_gives_the_connection(peer: Peer) -> None:
    conn = peer.connect()
    with conn as inner:
        assert inner is conn


def test_with_after_an_error_that_was_handled(numbers: Numbers, peer: Peer) -> None:
    """COMMIT of a failed transaction is a rollback, and no error."""
    with peer.connect() as conn:
        conn.execute("insert into numbers values (1)")
        with pytest.raises(peer.module.errors.DivisionByZero):
            conn.execute("select 1 / 0")
    assert numbers() == []


def test_with_in_autocommit_mode(numbers: Numbers, peer: Peer) -> None:
    with pytest.raises(ZeroDivisionError):
        with peer.connect(autocommit=True) as conn:
            conn.execute("insert into numbers values (1)")
            raise ZeroDivisionError
    assert numbers() == [1]


def test_with_when_the_connection_was_closed_inside(peer: Peer) -> None:
    with peer.connect() as conn:
        conn.close()
    with pytest.raises(ZeroDivisionError), peer.connect() as conn:
        conn.close()
        raise ZeroDivisionError


def test_with_when_the_connection_was_lost_inside(peer: Peer, admin: Admin) -> None:
    with pytest.raises(peer.module.OperationalError):
        with peer.connect() as conn:
            conn.execute("select 1")
            terminate(admin, conn.info.backend_pid)
            conn.execute("select 1")
    assert conn.closed


def test_with_reports_the_errors_of_its_commit(numbers: Numbers, peer: Peer) -> None:
    with pytest.raises(peer.module.errors.UniqueViolation):
        with peer.connect() as conn:
            conn.execute("insert into numbers values (1, 1), (2, 1)")
    assert numbers() == []


def test_with_does_not_hide_the_exception_behind_that_of_the_rollback(
    peer: Peer, admin: Admin, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ZeroDivisionError):
        with peer.connect() as conn:
            conn.execute("select 1")
            terminate(admin, conn.info.backend_pid)
            raise ZeroDivisionError
    assert conn.closed


def test_rollback_exception_is_nothing_special_outside_of_transaction_blocks(peer: Peer) -> None:
    with pytest.raises(peer.module.Rollback):
        with peer.connect() as conn:
            raise peer.module.Rollback
    assert conn.closed


# close(), closed, broken


def test_close(peer: Peer, admin: Admin) -> None:
    conn = peer.connect()
    assert not conn.closed
    assert not conn.broken
    pid = conn.info.backend_pid
    assert conn.close() is None
    assert conn.closed
    assert not conn.broken
    conn.close()
    wait_until_gone(admin, pid)


def test_close_undoes_the_transaction(numbers: Numbers, peer: Peer) -> None:
    conn = peer.connect()
    conn.execute("insert into numbers values (1)")
    conn.close()
    assert numbers() == []


@pytest.mark.parametrize(
    "use",
    [
        lambda conn: conn.execute("select 1"),
        lambda conn: conn.cursor(),
        lambda conn: conn.cursor("named"),
        lambda conn: conn.commit(),
        lambda conn: conn.rollback(),
        lambda conn: conn.fileno(),
        lambda conn: conn.transaction().__enter__(),
        lambda conn: conn.pipeline().__enter__(),
        lambda conn: next(conn.notifies(timeout=0)),
        lambda conn: conn.tpc_begin("x"),
        lambda conn: conn.tpc_recover(),
        lambda conn: conn.set_autocommit(True),
        lambda conn: setattr(conn, "autocommit", True),
        lambda conn: setattr(conn, "read_only", True),
        lambda conn: conn.set_isolation_level(1),
        lambda conn: conn.set_deferrable(True),
    ],
    ids=[
        "execute", "cursor", "server-cursor", "commit", "rollback", "fileno", "transaction", "pipeline", "notifies",
        "tpc_begin", "tpc_recover", "set_autocommit", "autocommit", "read_only", "set_isolation_level",
        "set_deferrable",
    ],
)  # fmt: skip
def test_a_closed_connection_cannot_be_used(peer: Peer, use: Any) -> None:
    conn = peer.connect()
    conn.close()
    with pytest.raises(peer.module.OperationalError, match="the connection is closed"):
        use(conn)


def test_what_a_closed_connection_can_still_do(peer: Peer) -> None:
    conn = peer.connect(autocommit=True)
    conn.read_only = True
    conn.close()
    conn.cancel()
    conn.cancel_safe()
    assert conn.autocommit is True
    assert conn.read_only is True
    assert conn.isolation_level is None
    assert conn.adapters is not None
    assert "[BAD]" in repr(conn)
    with conn:
        pass
    conn.add_notice_handler(print)
    conn.remove_notice_handler(print)


def test_cursors_of_a_closed_connection(peer: Peer) -> None:
    conn = peer.connect()
    cursor = conn.execute("select generate_series(1, 3)")
    fresh = conn.cursor()
    conn.close()
    with pytest.raises(peer.module.OperationalError, match="the connection is closed"):
        fresh.execute("select 1")
    with pytest.raises(peer.module.OperationalError, match="the connection is closed"):
        cursor.execute("select 1")
    cursor.close()


def test_a_connection_that_the_server_has_ended(peer: Peer, admin: Admin) -> None:
    pq = peer.submodule("pq")
    conn = peer.connect()
    cursor = conn.execute("select 1")
    terminate(admin, conn.info.backend_pid)
    assert not conn.closed  # nobody has looked
    with pytest.raises(peer.module.errors.AdminShutdown, match="terminating connection due to administrator command"):
        conn.execute("select 1")
    assert conn.closed
    assert conn.broken
    assert conn.info.status == pq.ConnStatus.BAD
    assert conn.info.transaction_status == pq.TransactionStatus.UNKNOWN
    assert conn.pgconn.status == pq.ConnStatus.BAD
    assert "[BAD]" in repr(conn)
    for use in (conn.cursor, conn.commit, conn.rollback, conn.fileno, lambda: cursor.execute("select 1")):
        with pytest.raises(peer.module.OperationalError, match=r"the connection is (lost|closed)"):
            use()
    conn.close()
    assert conn.closed
    assert conn.broken


def test_a_session_that_was_idle_for_too_long(peer: Peer, admin: Admin) -> None:
    conn = peer.connect(options="-c idle_in_transaction_session_timeout=20")
    pid = conn.info.backend_pid
    conn.execute("select 1")
    wait_until_gone(admin, pid)
    with pytest.raises(peer.module.errors.IdleInTransactionSessionTimeout):
        conn.execute("select 1")
    assert conn.closed


def test_a_session_that_ends_itself(peer: Peer) -> None:
    conn = peer.connect(autocommit=True)
    with pytest.raises(peer.module.OperationalError) as caught:
        conn.execute("select pg_terminate_backend(pg_backend_pid())")
    assert caught.value.sqlstate == "57P01"
    assert conn.broken


# Autocommit and the characteristics of transactions


def test_autocommit(numbers: Numbers, peer: Peer) -> None:
    conn = peer.connect()
    conn.execute("insert into numbers values (1)")
    assert status(conn) == "INTRANS"
    assert numbers() == []
    conn.commit()
    assert status(conn) == "IDLE"
    assert numbers() == [1]
    conn.autocommit = True
    conn.execute("insert into numbers values (2)")
    assert status(conn) == "IDLE"
    assert numbers() == [1, 2]
    conn.autocommit = False
    conn.execute("insert into numbers values (3)")
    conn.rollback()
    assert numbers() == [1, 2]


def test_a_select_begins_a_transaction(peer: Peer) -> None:
    conn = peer.connect()
    conn.cursor()
    assert status(conn) == "IDLE"
    conn.execute("select 1")
    assert status(conn) == "INTRANS"


def test_commit_and_rollback_without_a_transaction_do_nothing(peer: Peer) -> None:
    notices = []
    for autocommit in (False, True):
        conn = peer.connect(autocommit=autocommit)
        conn.add_notice_handler(lambda diag: notices.append(diag.message_primary))
        assert conn.commit() is None
        assert conn.rollback() is None
        assert status(conn) == "IDLE"
    assert notices == []


def test_commit_ends_a_transaction_begun_by_hand(numbers: Numbers, peer: Peer) -> None:
    conn = peer.connect(autocommit=True)
    conn.execute("begin")
    conn.execute("insert into numbers values (1)")
    assert status(conn) == "INTRANS"
    conn.commit()
    assert status(conn) == "IDLE"
    assert numbers() == [1]


def test_a_failed_transaction_stays_failed_until_rollback(peer: Peer) -> None:
    conn = peer.connect()
    with pytest.raises(peer.module.errors.UndefinedTable):
        conn.execute("select * from no_such_table")
    assert status(conn) == "INERROR"
    with pytest.raises(peer.module.errors.InFailedSqlTransaction, match="current transaction is aborted"):
        conn.execute("select 1")
    conn.rollback()
    assert status(conn) == "IDLE"
    assert conn.execute("select 1").fetchone() == (1,)


def test_commit_of_a_failed_transaction_is_a_rollback(numbers: Numbers, peer: Peer) -> None:
    conn = peer.connect()
    conn.execute("insert into numbers values (1)")
    with pytest.raises(peer.module.errors.DivisionByZero):
        conn.execute("select 1 / 0")
    conn.commit()
    assert status(conn) == "IDLE"
    assert numbers() == []


def test_the_error_of_a_commit(numbers: Numbers, peer: Peer) -> None:
    conn = peer.connect()
    conn.execute("insert into numbers values (1, 1), (2, 1)")
    with pytest.raises(peer.module.errors.UniqueViolation):
        conn.commit()
    assert status(conn) == "IDLE"
    assert conn.execute("select 1").fetchone() == (1,)


def test_what_cannot_run_in_a_transaction_runs_in_autocommit_mode(peer: Peer) -> None:
    conn = peer.connect()
    with pytest.raises(peer.module.errors.ActiveSqlTransaction):
        conn.execute("vacuum pg_class")
    conn.rollback()
    conn.autocommit = True
    conn.execute("vacuum pg_class")


def test_the_error_of_a_statement_in_autocommit_mode_leaves_no_transaction(peer: Peer) -> None:
    conn = peer.connect(autocommit=True)
    with pytest.raises(peer.module.errors.DivisionByZero):
        conn.execute("select 1 / 0")
    assert status(conn) == "IDLE"


@pytest.mark.parametrize("name", ["autocommit", "read_only", "deferrable"])
def test_setters_take_what_is_true_or_false(peer: Peer, name: str) -> None:
    conn = peer.connect()
    for value in (True, 1, "yes", False, 0, ""):
        setattr(conn, name, value)
        assert getattr(conn, name) is bool(value)
        getattr(conn, f"set_{name}")(not value)
        assert getattr(conn, name) is not bool(value)


@pytest.mark.parametrize("name", ["isolation_level", "read_only", "deferrable"])
def test_none_is_the_servers_default(peer: Peer, name: str) -> None:
    conn = peer.connect()
    setattr(conn, name, 1)
    assert getattr(conn, name) is not None
    setattr(conn, name, None)
    assert getattr(conn, name) is None
    getattr(conn, f"set_{name}")(1)
    getattr(conn, f"set_{name}")(None)
    assert getattr(conn, name) is None


def test_isolation_level_takes_the_enumeration_and_its_numbers(peer: Peer) -> None:
    levels = peer.module.IsolationLevel
    conn = peer.connect()
    for level in levels:
        conn.isolation_level = level
        assert conn.isolation_level is level
    conn.isolation_level = 3
    assert conn.isolation_level is levels.REPEATABLE_READ
    conn.set_isolation_level(4)
    assert conn.isolation_level is levels.SERIALIZABLE
    assert [(level.name, level.value) for level in levels] == [
        ("READ_UNCOMMITTED", 1),
        ("READ_COMMITTED", 2),
        ("REPEATABLE_READ", 3),
        ("SERIALIZABLE", 4),
    ]


@pytest.mark.parametrize("value", [0, 5, "serializable", "1"])
def test_isolation_levels_that_do_not_exist(peer: Peer, value: Any) -> None:
    conn = peer.connect()
    with pytest.raises(ValueError, match="is not a valid IsolationLevel"):
        conn.isolation_level = value
    with pytest.raises(ValueError, match="is not a valid IsolationLevel"):
        conn.set_isolation_level(value)
    assert conn.isolation_level is None


CHARACTERISTICS = """
    select current_setting('transaction_isolation'), current_setting('transaction_read_only'),
        current_setting('transaction_deferrable')
"""


def test_characteristics_are_those_of_new_transactions(peer: Peer) -> None:
    conn = peer.connect()
    assert conn.execute(CHARACTERISTICS).fetchone() == ("read committed", "off", "off")
    conn.rollback()
    conn.isolation_level = peer.module.IsolationLevel.SERIALIZABLE
    conn.read_only = True
    conn.deferrable = True
    assert conn.execute(CHARACTERISTICS).fetchone() == ("serializable", "on", "on")
    conn.commit()
    assert conn.execute(CHARACTERISTICS).fetchone() == ("serializable", "on", "on")
    conn.rollback()
    conn.read_only = False
    conn.deferrable = None
    assert conn.execute(CHARACTERISTICS).fetchone() == ("serializable", "off", "off")


def test_characteristics_are_those_of_transaction_blocks_alone_in_autocommit_mode(peer: Peer) -> None:
    conn = peer.connect(autocommit=True)
    conn.isolation_level = peer.module.IsolationLevel.REPEATABLE_READ
    conn.read_only = True
    assert conn.execute(CHARACTERISTICS).fetchone() == ("read committed", "off", "off")
    with conn.transaction():
        assert conn.execute(CHARACTERISTICS).fetchone() == ("repeatable read", "on", "off")


def test_false_overrides_the_servers_default(peer: Peer) -> None:
    conn = peer.connect(options="-c default_transaction_read_only=on -c default_transaction_deferrable=on")
    assert conn.execute(CHARACTERISTICS).fetchone() == ("read committed", "on", "on")
    conn.rollback()
    conn.read_only = False
    conn.deferrable = False
    assert conn.execute(CHARACTERISTICS).fetchone() == ("read committed", "off", "off")


def test_writing_in_a_read_only_transaction(numbers: Numbers, peer: Peer) -> None:
    conn = peer.connect()
    conn.read_only = True
    with pytest.raises(peer.module.errors.ReadOnlySqlTransaction):
        conn.execute("insert into numbers values (1)")


@pytest.mark.parametrize(("name", "value"), SETTERS)
def test_setters_are_refused_in_a_transaction(peer: Peer, name: str, value: Any) -> None:
    conn = peer.connect()
    before = getattr(conn, name)
    conn.execute("select 1")
    message = f"can't change '{name}' now: connection in transaction status INTRANS"
    with pytest.raises(peer.module.ProgrammingError, match=message):
        setattr(conn, name, value)
    with pytest.raises(peer.module.ProgrammingError, match=message):
        getattr(conn, f"set_{name}")(value)
    with pytest.raises(peer.module.errors.SyntaxError):
        conn.execute("selec")
    with pytest.raises(peer.module.ProgrammingError, match="now: connection in transaction status INERROR"):
        setattr(conn, name, value)
    conn.rollback()
    assert getattr(conn, name) == before
    setattr(conn, name, value)
    assert getattr(conn, name) == value


@pytest.mark.parametrize(("name", "value"), SETTERS)
@pytest.mark.parametrize("autocommit", [False, True])
def test_setters_are_refused_in_a_transaction_block(peer: Peer, name: str, value: Any, autocommit: bool) -> None:
    conn = peer.connect(autocommit=autocommit)
    with conn.transaction():
        with pytest.raises(
            peer.module.ProgrammingError,
            match=rf"can't change '{name}' now: connection\.transaction\(\) context in progress",
        ):
            setattr(conn, name, value)


@pytest.mark.parametrize(("name", "value"), SETTERS)
def test_setters_are_refused_in_a_transaction_begun_by_hand(peer: Peer, name: str, value: Any) -> None:
    conn = peer.connect(autocommit=True)
    conn.execute("begin")
    with pytest.raises(peer.module.ProgrammingError, match="now: connection in transaction status INTRANS"):
        setattr(conn, name, value)


# Handlers


def raise_notice(conn: Any, text: str) -> None:
    conn.execute(f"do $$begin raise notice '{text}' using detail = 'the detail', hint = 'the hint'; end$$")


def test_notice_handlers_get_a_diagnostic(peer: Peer) -> None:
    seen: list[Any] = []

    def handler(diag: Any) -> None:
        assert isinstance(diag, peer.module.errors.Diagnostic)
        seen.append((diag.severity, diag.severity_nonlocalized, diag.sqlstate, diag.message_primary))
        seen.append((diag.message_detail, diag.message_hint, diag.statement_position))

    conn = peer.connect(autocommit=True)
    conn.add_notice_handler(handler)
    raise_notice(conn, "hello")
    assert seen == [("NOTICE", "NOTICE", "00000", "hello"), ("the detail", "the hint", None)]
    seen.clear()
    assert conn.execute("rollback").statusmessage == "ROLLBACK"
    assert seen[0] == ("WARNING", "WARNING", "25P01", "there is no transaction in progress")


def test_notice_handlers_are_called_in_order_until_removed(peer: Peer) -> None:
    seen = []
    conn = peer.connect(autocommit=True)

    def first(diag: Any) -> None:
        seen.append(f"first {diag.message_primary}")

    def second(diag: Any) -> None:
        seen.append(f"second {diag.message_primary}")

    conn.add_notice_handler(first)
    conn.add_notice_handler(second)
    raise_notice(conn, "one")
    conn.remove_notice_handler(first)
    raise_notice(conn, "two")
    conn.remove_notice_handler(second)
    raise_notice(conn, "three")
    assert seen == ["first one", "second one", "second two"]


def test_notices_depend_on_client_min_messages(peer: Peer) -> None:
    seen = []
    conn = peer.connect(autocommit=True)
    conn.add_notice_handler(lambda diag: seen.append(diag.severity_nonlocalized))
    conn.execute("set client_min_messages to warning")
    raise_notice(conn, "x")
    conn.execute("set client_min_messages to debug1")
    conn.execute("do $$begin raise debug 'x'; end$$")
    assert "NOTICE" not in seen
    assert "DEBUG1" in seen or "DEBUG" in seen


def test_removing_a_handler_that_was_not_added(peer: Peer) -> None:
    conn = peer.connect()
    with pytest.raises(ValueError, match="not in list"):
        conn.remove_notice_handler(print)
    with pytest.raises(ValueError, match="not in list"):
        conn.remove_notify_handler(print)


def test_the_exception_of_a_notice_handler_is_logged(peer: Peer, caplog: pytest.LogCaptureFixture) -> None:
    def broken(diag: Any) -> None:
        raise ZeroDivisionError("broken handler")

    seen = []
    conn = peer.connect(autocommit=True)
    conn.add_notice_handler(broken)
    conn.add_notice_handler(lambda diag: seen.append(diag.message_primary))
    with caplog.at_level(logging.WARNING):
        raise_notice(conn, "hello")
    assert seen == ["hello"]
    (record,) = caplog.records
    assert record.name.split(".")[0] == peer.module.__name__
    assert record.levelno >= logging.ERROR
    assert "broken" in record.getMessage()
    assert status(conn) == "IDLE"
    assert conn.execute("select 1").fetchone() == (1,)


def test_notices_of_a_statement_that_fails(peer: Peer) -> None:
    seen = []
    conn = peer.connect(autocommit=True)
    conn.add_notice_handler(lambda diag: seen.append(diag.message_primary))
    with pytest.raises(peer.module.errors.RaiseException, match="the end"):
        conn.execute("do $$begin raise notice 'before'; raise exception 'the end'; end$$")
    assert seen == ["before"]


# execute() and cursor()


def test_execute_gives_a_new_cursor(peer: Peer) -> None:
    conn = peer.connect()
    first = conn.execute("select %s::int", [1])
    second = conn.execute("select %(value)s::int", {"value": 2})
    assert first is not second
    assert first.connection is conn
    assert (first.fetchone(), second.fetchone()) == ((1,), (2,))


def test_execute_takes_prepare_and_binary(peer: Peer) -> None:
    conn = peer.connect()
    assert conn.execute("select %s::int + 17", [1], prepare=True).fetchone() == (18,)
    row = conn.execute("select count(*) from pg_prepared_statements where statement like '%+ 17'").fetchone()
    assert row == (1,)
    cursor = conn.execute("select 1::int8", binary=True)
    assert cursor.format == 1
    assert cursor.fetchone() == (1,)
    assert conn.execute("select 1").format == 0


def test_cursor_takes_binary_and_row_factory(peer: Peer) -> None:
    rows = peer.submodule("rows")
    conn = peer.connect()
    cursor = conn.cursor(binary=True, row_factory=rows.dict_row)
    assert cursor.format == 1
    assert cursor.row_factory is rows.dict_row
    assert cursor.execute("select 1 as a").fetchall() == [{"a": 1}]
    assert conn.cursor(binary=False).format == 0


def test_cursor_with_an_empty_name_is_a_client_cursor(peer: Peer) -> None:
    assert type(peer.connect().cursor("")) is peer.module.Cursor


def test_cursor_with_scrollable_and_withhold(peer: Peer) -> None:
    conn = peer.connect()
    with conn.cursor("named", scrollable=True, withhold=True, binary=True) as cursor:
        assert cursor.name == "named"
        assert cursor.scrollable is True
        assert cursor.withhold is True
        assert cursor.format == 1


def test_the_exceptions_are_attributes_of_the_connection(peer: Peer) -> None:
    conn = peer.connect()
    for name in (
        "Warning", "Error", "InterfaceError", "DatabaseError", "DataError", "OperationalError", "IntegrityError",
        "InternalError", "ProgrammingError", "NotSupportedError",
    ):  # fmt: skip
        assert getattr(conn, name) is getattr(peer.module, name)


# Subclasses


def test_a_subclass_of_connection(peer: Peer) -> None:
    class OwnConnection(peer.module.Connection):  # type: ignore[misc, name-defined]
        def twice(self, number: int) -> Any:
            return self.execute("select %s::int * 2", [number]).fetchone()

    with OwnConnection.connect(peer.url) as conn:
        assert type(conn) is OwnConnection
        assert conn.twice(21) == (42,)


def test_a_subclass_that_extends_connect(peer: Peer) -> None:
    rows = peer.submodule("rows")

    class OwnConnection(peer.module.Connection):  # type: ignore[misc, name-defined]
        @classmethod
        def connect(cls, conninfo: str = "", **kwargs: Any) -> Any:
            kwargs.setdefault("row_factory", rows.dict_row)
            conn = super().connect(conninfo, **kwargs)
            conn.label = "own"
            return conn

    with OwnConnection.connect(peer.url) as conn:
        assert conn.label == "own"
        assert conn.execute("select 1 as a").fetchone() == {"a": 1}


def test_a_subclass_with_an_init_of_its_own(peer: Peer) -> None:
    class OwnConnection(peer.module.Connection):  # type: ignore[misc, name-defined]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.statements: list[Any] = []

        def execute(self, query: Any, params: Any = None, **kwargs: Any) -> Any:
            self.statements.append(query)
            return super().execute(query, params, **kwargs)

    with OwnConnection.connect(peer.url) as conn:
        conn.execute("select 1")
        assert conn.statements == ["select 1"]


def test_a_subclass_of_cursor_that_overrides_execute(peer: Peer) -> None:
    class OwnCursor(peer.module.Cursor):  # type: ignore[misc, name-defined]
        seen: list[Any]

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.seen = []

        def execute(self, query: Any, params: Any = None, **kwargs: Any) -> Any:
            self.seen.append(query)
            return super().execute(query, params, **kwargs)

    conn = peer.connect(cursor_factory=OwnCursor)
    cursor = conn.execute("select 1")
    assert cursor.seen == ["select 1"]
    assert cursor.fetchone() == (1,)


def test_a_subclass_that_overrides_cursor(peer: Peer) -> None:
    """execute() of the connection asks the connection for its cursor."""

    class OwnConnection(peer.module.Connection):  # type: ignore[misc, name-defined]
        def cursor(self, *args: Any, **kwargs: Any) -> Any:
            cursor = super().cursor(*args, **kwargs)
            made.append(cursor)
            return cursor

    made: list[Any] = []
    with OwnConnection.connect(peer.url) as conn:
        cursor = conn.execute("select 1")
        assert made == [cursor]


def test_attributes_of_ones_own_may_be_set(peer: Peer) -> None:
    conn = peer.connect()
    conn.of_my_own = 1
    assert conn.of_my_own == 1


def test_the_classes_can_be_parametrized(peer: Peer) -> None:
    for name in ("Connection", "Cursor", "ServerCursor", "ClientCursor", "AsyncConnection", "AsyncCursor"):
        assert getattr(peer.module, name)[Any] is not None


# Garbage


def test_a_connection_left_open_warns_when_collected(peer: Peer, admin: Admin) -> None:
    conn = peer.module.connect(peer.url)
    pid = conn.info.backend_pid
    connections = [conn]
    del conn
    with pytest.warns(ResourceWarning, match="was deleted while still open"):
        connections.clear()
    wait_until_gone(admin, pid)


def test_a_connection_that_was_closed_does_not_warn(peer: Peer) -> None:
    conn = peer.module.connect(peer.url)
    conn.execute("select 1")
    conn.close()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        del conn
        gc.collect()


def use_nothing(conn: Any) -> None:
    pass


def use_statement(conn: Any) -> None:
    conn.execute("select 1").fetchall()


def use_error(conn: Any) -> None:
    with pytest.raises(conn.Error):
        conn.execute("selec")


def use_transaction(conn: Any) -> None:
    with conn.transaction():
        conn.execute("select 1")


def use_pipeline(conn: Any) -> None:
    with conn.pipeline():
        conn.execute("select 1")


def use_executemany(conn: Any) -> None:
    conn.cursor().executemany("select %s", [(1,), (2,)])


def use_notifies(conn: Any) -> None:
    list(conn.notifies(timeout=0))


def use_handlers(conn: Any) -> None:
    conn.add_notice_handler(print)
    conn.add_notify_handler(print)


def use_attributes(conn: Any) -> None:
    conn.info.backend_pid  # noqa: B018
    conn.pgconn.transaction_status  # noqa: B018
    conn.adapters.register_loader("text", conn.adapters.get_loader(25, 0))
    conn.fileno()


@pytest.mark.parametrize(
    "use",
    [
        use_nothing, use_statement, use_error, use_transaction, use_pipeline, use_executemany, use_notifies,
        use_handlers, use_attributes,
    ],
)  # fmt: skip
def test_a_connection_goes_with_its_last_reference(peer: Peer, use: Any) -> None:
    """Without the garbage collector: it is in no cycle."""
    conn = peer.module.connect(peer.url)
    use(conn)
    reference = weakref.ref(conn)
    gc.collect()
    gc.disable()
    try:
        with pytest.warns(ResourceWarning):
            del conn
        assert reference() is None
    finally:
        gc.enable()


def test_cursors_go_with_their_last_reference(peer: Peer) -> None:
    conn = peer.connect()
    cursor = conn.execute("select 1")
    cursor.fetchall()
    reference = weakref.ref(cursor)
    del cursor
    assert reference() is None


def test_connections_can_be_keys(peer: Peer) -> None:
    first, second = peer.connect(), peer.connect()
    kept = weakref.WeakKeyDictionary({first: 1, second: 2})
    assert kept[first] == 1
    assert {first: 1}[first] == 1
    assert first != second


# info


def test_info_of_the_address(peer: Peer, postgres: Any) -> None:
    info = peer.connect().info
    assert isinstance(info, peer.module.ConnectionInfo)
    assert info.host == postgres.host
    assert info.port == postgres.port
    assert info.dbname == "postgres"
    assert info.user == "postgres"
    assert info.password == postgres.password
    assert info.options == ""
    assert info.vendor == "PostgreSQL"


def test_info_hostaddr(peer: Peer) -> None:
    if peer.name == "websocket":
        pytest.skip("the gateway looks the host up")
    conn = peer.connect()
    assert conn.info.hostaddr == "127.0.0.1"
    assert conn.pgconn.hostaddr == b"127.0.0.1"
    assert peer.connect(hostaddr="127.0.0.1").info.hostaddr == "127.0.0.1"


def test_info_states(peer: Peer) -> None:
    pq = peer.submodule("pq")
    conn = peer.connect()
    assert conn.info.status is pq.ConnStatus.OK
    assert conn.info.transaction_status is pq.TransactionStatus.IDLE
    assert conn.info.pipeline_status is pq.PipelineStatus.OFF
    conn.execute("select 1")
    assert conn.info.transaction_status is pq.TransactionStatus.INTRANS
    with conn.pipeline():
        assert conn.info.pipeline_status is pq.PipelineStatus.ON
    assert conn.info.pipeline_status is pq.PipelineStatus.OFF


def test_info_stays_that_of_the_connection(peer: Peer) -> None:
    """An `info` that was taken earlier tells of the connection as it is now."""
    conn = peer.connect()
    info = conn.info
    conn.execute("select 1")
    assert info.transaction_status.name == "INTRANS"
    conn.close()
    assert info.transaction_status.name == "UNKNOWN"


def test_info_backend_pid(peer: Peer) -> None:
    conn = peer.connect()
    assert conn.execute("select pg_backend_pid()").fetchone() == (conn.info.backend_pid,)


def test_info_versions(peer: Peer) -> None:
    conn = peer.connect()
    row = conn.execute("select current_setting('server_version_num')::int").fetchone()
    assert row == (conn.info.server_version,)
    assert conn.info.full_protocol_version == 30000


def test_info_error_message(peer: Peer) -> None:
    conn = peer.connect(autocommit=True)
    assert conn.info.error_message == ""
    with pytest.raises(peer.module.errors.SyntaxError):
        conn.execute("selec")
    assert 'syntax error at or near "selec"' in conn.info.error_message


def test_info_get_parameters(peer: Peer, postgres: Any) -> None:
    conn = peer.connect(application_name="a name", connect_timeout=7)
    parameters = conn.info.get_parameters()
    assert parameters["host"] == postgres.host
    assert parameters["port"] == str(postgres.port)
    assert parameters["user"] == "postgres"
    assert parameters["dbname"] == "postgres"
    assert parameters["application_name"] == "a name"
    assert parameters["connect_timeout"] == "7"
    assert "password" not in parameters
    assert all(isinstance(value, str) for value in parameters.values())


def test_info_dsn(peer: Peer, postgres: Any) -> None:
    conn = peer.connect(application_name="a name")
    dsn = conn.info.dsn
    assert postgres.password not in dsn
    assert "application_name='a name'" in dsn
    assert peer.submodule("conninfo").conninfo_to_dict(dsn) == conn.info.get_parameters()
    with peer.module.connect(dsn, password=postgres.password) as again:
        assert again.info.get_parameters() == conn.info.get_parameters()


def test_info_parameters_from_the_environment(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGAPPNAME", "from the environment")
    conn = peer.connect()
    assert conn.info.get_parameters()["application_name"] == "from the environment"
    assert conn.execute("show application_name").fetchone() == ("from the environment",)


def test_info_parameter_status(peer: Peer) -> None:
    conn = peer.connect(application_name="a name")
    assert conn.info.parameter_status("application_name") == "a name"
    assert conn.info.parameter_status("integer_datetimes") == "on"
    assert conn.info.parameter_status("standard_conforming_strings") == "on"
    assert conn.info.parameter_status("client_encoding") == "UTF8"
    assert conn.info.parameter_status("is_superuser") == "on"
    assert conn.info.parameter_status("server_version").split(".")[0].isdigit()
    assert conn.info.parameter_status("no such parameter") is None
    conn.execute("set application_name to 'another name'")
    assert conn.info.parameter_status("application_name") == "another name"
    conn.rollback()
    assert conn.info.parameter_status("application_name") == "a name"


def test_info_timezone(peer: Peer) -> None:
    conn = peer.connect()
    conn.execute("set timezone to 'Europe/Rome'")
    assert str(conn.info.timezone) == "Europe/Rome"
    assert conn.info.timezone.key == "Europe/Rome"


def test_info_timezone_that_python_does_not_have(peer: Peer) -> None:
    conn = peer.connect()
    conn.execute("set timezone to 'FOO0'")
    assert conn.info.timezone.utcoffset(None).total_seconds() == 0


@pytest.mark.parametrize(
    ("encoding", "codec"),
    [
        ("utf8", "utf-8"),
        ("latin1", "iso8859-1"),
        ("LATIN9", "iso8859-15"),
        ("win1252", "cp1252"),
        ("euc_jp", "euc_jp"),
        ("sql_ascii", "ascii"),
        ("big5", "big5"),
        ("koi8r", "koi8-r"),
    ],
)
def test_info_encoding(peer: Peer, encoding: str, codec: str) -> None:
    conn = peer.connect()
    assert conn.info.encoding == "utf-8"
    conn.execute(f"set client_encoding to {encoding}")
    assert conn.info.encoding == codec
    assert peer.connect(client_encoding=encoding).info.encoding == codec


def test_text_in_another_encoding(peer: Peer) -> None:
    conn = peer.connect(client_encoding="latin1")
    assert conn.execute("select %s, 'ü', octet_length(%s)", ["é", "é"]).fetchone() == ("é", "ü", 2)
    assert conn.execute("select 1 as ö").description[0].name == "ö"


@pytest.mark.parametrize(
    "name",
    [
        "backend_pid", "dbname", "dsn", "full_protocol_version", "host", "hostaddr", "options", "password", "port",
        "server_version", "timezone", "user",
    ],
)  # fmt: skip
def test_info_of_a_closed_connection(peer: Peer, name: str) -> None:
    conn = peer.connect()
    conn.close()
    with pytest.raises(peer.module.OperationalError, match="the connection is closed"):
        getattr(conn.info, name)


def test_info_that_a_closed_connection_still_gives(peer: Peer) -> None:
    pq = peer.submodule("pq")
    conn = peer.connect()
    conn.close()
    assert conn.info.status is pq.ConnStatus.BAD
    assert conn.info.transaction_status is pq.TransactionStatus.UNKNOWN
    assert conn.info.pipeline_status is pq.PipelineStatus.OFF
    assert conn.info.vendor == "PostgreSQL"
    assert conn.info.encoding == "utf-8"
    for call in (conn.info.get_parameters, lambda: conn.info.parameter_status("server_version")):
        with pytest.raises(peer.module.OperationalError, match="the connection is closed"):
            call()


# pgconn


def test_pgconn_address(peer: Peer, postgres: Any) -> None:
    pgconn = peer.connect().pgconn
    assert pgconn.host == postgres.host.encode()
    assert pgconn.port == str(postgres.port).encode()
    assert pgconn.db == b"postgres"
    assert pgconn.user == b"postgres"
    assert pgconn.password == postgres.password.encode()
    assert pgconn.options == b""


def test_pgconn_of_a_connection_is_always_the_same(peer: Peer) -> None:
    conn = peer.connect()
    assert conn.pgconn is conn.pgconn
    assert isinstance(conn.pgconn, peer.submodule("pq").PGconn)


def test_pgconn_states(peer: Peer) -> None:
    pq = peer.submodule("pq")
    conn = peer.connect()
    pgconn = conn.pgconn
    assert pgconn.status == pq.ConnStatus.OK
    assert pgconn.transaction_status == pq.TransactionStatus.IDLE
    assert pgconn.pipeline_status == pq.PipelineStatus.OFF
    conn.execute("select 1")
    assert pgconn.transaction_status == pq.TransactionStatus.INTRANS
    with pytest.raises(peer.module.errors.SyntaxError):
        conn.execute("selec")
    assert pgconn.transaction_status == pq.TransactionStatus.INERROR
    with pytest.raises(peer.module.Error), conn.pipeline():
        assert pgconn.pipeline_status == pq.PipelineStatus.ON
        conn.execute("select 1")


def test_pgconn_while_a_statement_runs(peer: Peer, admin: Admin, in_thread: Any) -> None:
    conn = peer.connect()
    pid = conn.info.backend_pid
    future = in_thread(conn.execute, "select pg_sleep(30)")
    wait_until_sleeping(admin, pid)
    assert conn.pgconn.transaction_status == peer.submodule("pq").TransactionStatus.ACTIVE
    assert "ACTIVE" in repr(conn)
    conn.cancel()
    with pytest.raises(peer.module.errors.QueryCanceled):
        future.result()


def test_pgconn_parameter_status(peer: Peer) -> None:
    conn = peer.connect()
    pgconn = conn.pgconn
    assert pgconn.parameter_status(b"client_encoding") == b"UTF8"
    assert pgconn.parameter_status(b"server_version").decode() == conn.info.parameter_status("server_version")
    assert pgconn.parameter_status(b"no such parameter") is None


def test_pgconn_server(peer: Peer) -> None:
    conn = peer.connect()
    assert conn.pgconn.backend_pid == conn.info.backend_pid
    assert conn.pgconn.server_version == conn.info.server_version
    assert conn.pgconn.protocol_version == 3
    assert conn.pgconn.full_protocol_version == 30000
    assert conn.pgconn.socket == conn.fileno()


def test_pgconn_login(peer: Peer) -> None:
    pgconn = peer.connect().pgconn
    assert pgconn.used_password is True
    assert pgconn.needs_password is False
    assert pgconn.used_gssapi is False
    assert pgconn.ssl_in_use is False


def test_pgconn_error_message(peer: Peer) -> None:
    conn = peer.connect(autocommit=True)
    assert conn.pgconn.error_message == b""
    with pytest.raises(peer.module.errors.SyntaxError):
        conn.execute("selec")
    assert conn.pgconn.error_message.startswith(b'ERROR:  syntax error at or near "selec"\n')
    assert conn.pgconn.get_error_message().startswith('syntax error at or near "selec"')
    conn.execute("select 1")
    assert conn.pgconn.error_message == b""


def test_pgconn_finish(peer: Peer, admin: Admin) -> None:
    conn = peer.connect()
    pid = conn.info.backend_pid
    conn.pgconn.finish()
    conn.pgconn.finish()
    assert conn.closed
    wait_until_gone(admin, pid)
    with pytest.raises(peer.module.OperationalError, match=r"the connection is (closed|lost)"):
        conn.execute("select 1")
    conn.close()


def test_pgconn_of_a_closed_connection(peer: Peer) -> None:
    pq = peer.submodule("pq")
    conn = peer.connect()
    pgconn = conn.pgconn
    conn.close()
    assert conn.pgconn is pgconn
    assert pgconn.status == pq.ConnStatus.BAD
    assert pgconn.transaction_status == pq.TransactionStatus.UNKNOWN
    assert pgconn.pipeline_status == pq.PipelineStatus.OFF
    for name in ("backend_pid", "socket", "server_version", "db", "user", "host", "port"):
        with pytest.raises(peer.module.OperationalError, match="the connection is closed"):
            getattr(pgconn, name)
    with pytest.raises(peer.module.OperationalError, match="the connection is closed"):
        pgconn.parameter_status(b"server_version")


def test_pgconn_encrypt_password(peer: Peer) -> None:
    pgconn = peer.connect().pgconn
    scram = pgconn.encrypt_password(b"secret", b"somebody")
    assert scram.startswith(b"SCRAM-SHA-256$4096:")
    assert b"secret" not in scram
    assert pgconn.encrypt_password(b"pw", b"u", b"md5") == b"md5b350798a23d7544eb353a6f8dca231c2"


def test_pgconn_change_password(peer: Peer, admin: Admin) -> None:
    conn = peer.connect(autocommit=True)
    admin.execute('create role "some body" login')
    try:
        conn.pgconn.change_password(b"some body", b"new pass\xc3\xa9")
        with peer.module.connect(peer.url, user="some body", password="new passé") as other:
            assert other.execute("select current_user").fetchone() == ("some body",)
    finally:
        admin.execute('drop role "some body"')
    with pytest.raises(peer.module.OperationalError, match="does not exist"):
        conn.pgconn.change_password(b"no such role", b"x")


def test_pgconn_exec(peer: Peer) -> None:
    pq = peer.submodule("pq")
    conn = peer.connect(autocommit=True)
    result = conn.pgconn.exec_(b"select 'x' as a, null as b")
    assert result.status == pq.ExecStatus.TUPLES_OK
    assert (result.ntuples, result.nfields) == (1, 2)
    assert result.fname(0) == b"a"
    assert result.get_value(0, 0) == b"x"
    assert result.get_value(0, 1) is None
    result = conn.pgconn.exec_params(b"select $1::int", [b"7"])
    assert result.get_value(0, 0) == b"7"
    result = conn.pgconn.exec_(b"selec")
    assert result.status == pq.ExecStatus.FATAL_ERROR
    assert result.error_field(pq.DiagnosticField.SQLSTATE) == b"42601"


# Other attributes


def test_fileno_is_of_a_socket_that_selectors_take(peer: Peer) -> None:
    conn = peer.connect()
    assert isinstance(conn.fileno(), int)
    with selectors.DefaultSelector() as selector:
        selector.register(conn, selectors.EVENT_READ)
        assert selector.select(0) == []


def test_detecting_a_disconnection(peer: Peer, admin: Admin) -> None:
    conn = peer.connect()
    with selectors.DefaultSelector() as selector:
        selector.register(conn, selectors.EVENT_READ)
        terminate(admin, conn.info.backend_pid)
        assert selector.select(20) != []
    with pytest.raises(peer.module.OperationalError):
        conn.execute("select 1")


def test_lock(peer: Peer) -> None:
    """Who holds the lock has the connection for himself."""
    conn = peer.connect()
    with conn.lock:
        done = threading.Event()
        thread = threading.Thread(target=lambda: (conn.execute("select 1"), done.set()))
        thread.start()
        assert not done.wait(0.05)
    assert done.wait(20)
    thread.join()


def test_repr(peer: Peer, postgres: Any) -> None:
    conn = peer.connect()
    assert f"{peer.module.__name__}.Connection" in repr(conn)
    assert "[IDLE]" in repr(conn)
    assert f"host={postgres.host}" in repr(conn)
    assert f"port={postgres.port}" in repr(conn)
    assert "database=postgres" in repr(conn)
    assert postgres.password not in repr(conn)
    conn.execute("select 1")
    assert "[INTRANS]" in repr(conn)


def test_cancel_when_nothing_runs(peer: Peer) -> None:
    conn = peer.connect()
    conn.cancel()
    conn.cancel_safe()
    conn.cancel_safe(timeout=5.0)
    assert not conn.closed


def test_cancel_safe_takes_only_keywords(peer: Peer) -> None:
    with pytest.raises(TypeError):
        peer.connect().cancel_safe(5.0)


def test_info_keeps_the_connection(peer: Peer) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        info = peer.module.connect(peer.url).info
        gc.collect()
        assert info.host
        assert info.status is peer.submodule("pq").ConnStatus.OK
        del info
        gc.collect()
