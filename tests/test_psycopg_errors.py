"""Errors: what psycopg's are, neonps's are."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
from backends import Admin
from peers import Peer
from transports import Numbers

#: The attributes of a Diagnostic.
FIELDS = [
    "column_name", "constraint_name", "context", "datatype_name", "internal_position", "internal_query",
    "message_detail", "message_hint", "message_primary", "schema_name", "severity", "severity_nonlocalized",
    "source_file", "source_function", "source_line", "sqlstate", "statement_position", "table_name",
]  # fmt: skip


def fields(diag: Any) -> dict[str, str]:
    """What a Diagnostic has, without where in the server's source it comes from."""
    found = {name: getattr(diag, name) for name in FIELDS if not name.startswith("source_")}
    return {name: value for name, value in found.items() if value is not None}


def failed(conn: Any, query: str, params: Any = None) -> Any:
    """The error of a statement."""
    with pytest.raises(conn.Error) as caught:
        conn.execute(query, params)
    return caught.value


@pytest.fixture
def table(admin: Admin) -> Any:
    """The name of a table with a constraint of each kind, in a schema of its own."""
    admin.execute("""
        create schema "The Schema";
        create domain "The Schema".positive as int constraint is_positive check (value > 0);
        create table "The Schema"."The Table" (
            a int constraint "the key" primary key,
            b int constraint is_given not null,
            c int constraint small check (c < 10),
            d int constraint referred references "The Schema"."The Table" (a),
            e "The Schema".positive,
            f int4range,
            constraint apart exclude using gist (f with &&)
        );
        insert into "The Schema"."The Table" values (1, 1, 1, 1, 1, '[1,5)')
    """)
    yield '"The Schema"."The Table"'
    admin.execute('drop schema "The Schema" cascade')


# The tree


def test_the_tree(peer: Peer) -> None:
    m = peer.module
    assert issubclass(m.Error, Exception)
    assert issubclass(m.Warning, Exception)
    assert not issubclass(m.Warning, m.Error)
    assert issubclass(m.InterfaceError, m.Error)
    assert issubclass(m.DatabaseError, m.Error)
    assert not issubclass(m.InterfaceError, m.DatabaseError)
    for name in (
        "DataError", "OperationalError", "IntegrityError", "InternalError", "ProgrammingError", "NotSupportedError",
    ):  # fmt: skip
        assert issubclass(getattr(m, name), m.DatabaseError)
        assert getattr(m.errors, name) is getattr(m, name)


def test_errors_without_an_sqlstate(peer: Peer) -> None:
    errors = peer.module.errors
    for name in ("ConnectionTimeout", "CancellationTimeout", "PipelineAborted"):
        assert issubclass(getattr(errors, name), peer.module.OperationalError)
        assert getattr(errors, name).sqlstate is None


@pytest.mark.parametrize(
    ("query", "name", "base", "sqlstate"),
    [
        ("selec", "SyntaxError", "ProgrammingError", "42601"),
        ("select * from no_such_table", "UndefinedTable", "ProgrammingError", "42P01"),
        ("select no_such_column", "UndefinedColumn", "ProgrammingError", "42703"),
        ("select no_such_function()", "UndefinedFunction", "ProgrammingError", "42883"),
        ("select 1 / 0", "DivisionByZero", "DataError", "22012"),
        ("select 'x'::int", "InvalidTextRepresentation", "DataError", "22P02"),
        ("select 99999999999::int", "NumericValueOutOfRange", "DataError", "22003"),
        ("select '2020-13-01'::date", "DatetimeFieldOverflow", "DataError", "22008"),
        ("create table pg_catalog.x (a int)", "InsufficientPrivilege", "ProgrammingError", "42501"),
        ("create table a (a int, a int)", "DuplicateColumn", "ProgrammingError", "42701"),
        ("release savepoint x", "InvalidSavepointSpecification", "OperationalError", "3B001"),
        ("fetch no_such_cursor", "InvalidCursorName", "ProgrammingError", "34000"),
        ("execute no_such_statement", "InvalidSqlStatementName", "ProgrammingError", "26000"),
        ("vacuum", "ActiveSqlTransaction", "InternalError", "25001"),
        ("set no_such_setting to 1", "UndefinedObject", "ProgrammingError", "42704"),
        ("select 1 union select 'x'::text", "DatatypeMismatch", "ProgrammingError", "42804"),
        ("select (select generate_series(1, 2))", "CardinalityViolation", "ProgrammingError", "21000"),
        ("select set_config('role', 'nobody at all', false)", "InvalidParameterValue", "DataError", "22023"),
        ("set default_table_access_method to nope", "InvalidParameterValue", "DataError", "22023"),
        ("do $$begin raise 'x'; end$$", "RaiseException", "ProgrammingError", "P0001"),
        ("do $$begin assert false; end$$", "AssertFailure", "ProgrammingError", "P0004"),
        ("do $$begin raise sqlstate '40001'; end$$", "SerializationFailure", "OperationalError", "40001"),
        ("do $$begin raise sqlstate '40P01'; end$$", "DeadlockDetected", "OperationalError", "40P01"),
        ("do $$begin raise sqlstate '53300'; end$$", "TooManyConnections", "OperationalError", "53300"),
        ("do $$begin raise sqlstate '57014'; end$$", "QueryCanceled", "OperationalError", "57014"),
        ("do $$begin raise sqlstate '0A000'; end$$", "FeatureNotSupported", "NotSupportedError", "0A000"),
        ("do $$begin raise sqlstate '3D000'; end$$", "InvalidCatalogName", "ProgrammingError", "3D000"),
        ("do $$begin raise sqlstate 'XX000'; end$$", "InternalError_", "InternalError", "XX000"),
        ("do $$begin raise sqlstate 'HV000'; end$$", "FdwError", "OperationalError", "HV000"),
    ],
)
def test_a_class_for_each_sqlstate(peer: Peer, query: str, name: str, base: str, sqlstate: str) -> None:
    conn = peer.connect()
    error = failed(conn, query)
    cls = getattr(peer.module.errors, name)
    assert type(error) is cls
    assert cls.__bases__ == (getattr(peer.module, base),)
    assert error.sqlstate == cls.sqlstate == error.diag.sqlstate == sqlstate


@pytest.mark.parametrize(
    ("sqlstate", "base"),
    [("22ZZZ", "DataError"), ("23ZZZ", "IntegrityError"), ("40ZZZ", "OperationalError"), ("42ZZZ", "ProgrammingError"),
     ("0AZZZ", "NotSupportedError"), ("25ZZZ", "InternalError"), ("ZX123", "DatabaseError"),
     ("99999", "DatabaseError")],
)  # fmt: skip
def test_an_sqlstate_that_has_no_class(peer: Peer, sqlstate: str, base: str) -> None:
    error = failed(peer.connect(), f"do $$begin raise 'of our own' using errcode = '{sqlstate}'; end$$")
    assert type(error) is getattr(peer.module, base)
    assert error.sqlstate == error.diag.sqlstate == sqlstate
    assert error.diag.message_primary == "of our own"


@pytest.mark.parametrize("name", ["23505", "UNIQUE_VIOLATION", "unique_violation", "Unique_Violation"])
def test_lookup(peer: Peer, name: str) -> None:
    assert peer.module.errors.lookup(name) is peer.module.errors.UniqueViolation


@pytest.mark.parametrize("name", ["UniqueViolation", "00000", "xxxxx", "01000", ""])
def test_lookup_of_what_does_not_exist(peer: Peer, name: str) -> None:
    with pytest.raises(KeyError):
        peer.module.errors.lookup(name)


def test_lookup_in_an_except_clause(peer: Peer) -> None:
    conn = peer.connect()
    lookup = peer.module.errors.lookup
    with pytest.raises((lookup("55P03"), lookup("UNDEFINED_TABLE"))):
        conn.execute("select * from no_such_table")


# diag


def test_diag_of_a_syntax_error(peer: Peer) -> None:
    error = failed(peer.connect(), "select 1 from from x")
    assert fields(error.diag) == {
        "message_primary": 'syntax error at or near "from"',
        "severity": "ERROR",
        "severity_nonlocalized": "ERROR",
        "sqlstate": "42601",
        "statement_position": "15",
    }
    assert error.diag.source_file == "scan.l"
    assert error.diag.source_function == "scanner_yyerror"
    assert error.diag.source_line.isdigit()


@pytest.mark.parametrize(
    ("values", "name", "constraint"),
    [
        ("(1, 1)", "UniqueViolation", "the key"),
        ("(2, 1, 10)", "CheckViolation", "small"),
        ("(2, 1, 1, 99)", "ForeignKeyViolation", "referred"),
        ("(2, 1, 1, 1, 1, '[4,6)')", "ExclusionViolation", "apart"),
    ],
)
def test_diag_of_a_constraint(peer: Peer, table: str, values: str, name: str, constraint: str) -> None:
    with peer.module.connect(peer.url) as conn:
        error = failed(conn, f"insert into {table} values {values}")
    assert type(error) is getattr(peer.module.errors, name)
    assert isinstance(error, peer.module.IntegrityError)
    assert error.diag.constraint_name == constraint
    assert error.diag.table_name == "The Table"
    assert error.diag.schema_name == "The Schema"
    assert error.diag.message_detail
    assert error.diag.column_name is None


def test_diag_of_not_null(peer: Peer, table: str) -> None:
    with peer.module.connect(peer.url) as conn:
        error = failed(conn, f"insert into {table} values (2, null)")
    assert type(error) is peer.module.errors.NotNullViolation
    assert (error.diag.schema_name, error.diag.table_name, error.diag.column_name) == ("The Schema", "The Table", "b")


def test_diag_of_a_domain(peer: Peer, table: str) -> None:
    with peer.module.connect(peer.url) as conn:
        error = failed(conn, f"insert into {table} values (2, 1, 1, 1, 0)")
    assert type(error) is peer.module.errors.CheckViolation
    assert (error.diag.datatype_name, error.diag.constraint_name) == ("positive", "is_positive")


def test_diag_of_a_statement_within_a_function(peer: Peer) -> None:
    error = failed(peer.connect(), "do $$begin execute 'selec 1'; end$$")
    assert error.diag.internal_query == "selec 1"
    assert error.diag.internal_position == "1"
    assert error.diag.statement_position is None
    assert error.diag.context == "PL/pgSQL function inline_code_block line 1 at EXECUTE"


def test_diag_with_all_that_raise_can_give(peer: Peer) -> None:
    error = failed(
        peer.connect(),
        """
        do $$begin
            raise exception 'own %', 1 using detail = 'the detail', hint = 'the hint', errcode = '23505',
                column = 'the column', constraint = 'the constraint', datatype = 'the type', table = 'the table',
                schema = 'the schema';
        end$$
        """,
    )
    assert type(error) is peer.module.errors.UniqueViolation
    assert fields(error.diag) == {
        "column_name": "the column",
        "constraint_name": "the constraint",
        "context": "PL/pgSQL function inline_code_block line 2 at RAISE",
        "datatype_name": "the type",
        "message_detail": "the detail",
        "message_hint": "the hint",
        "message_primary": "own 1",
        "schema_name": "the schema",
        "severity": "ERROR",
        "severity_nonlocalized": "ERROR",
        "sqlstate": "23505",
        "table_name": "the table",
    }


def test_diag_of_an_error_of_ones_own(peer: Peer) -> None:
    error = peer.module.Error("text")
    assert isinstance(error.diag, peer.module.errors.Diagnostic)
    assert {getattr(error.diag, name) for name in FIELDS} == {None}
    assert error.sqlstate is None
    assert error.pgconn is None
    assert error.pgresult is None


def test_diag_has_no_other_attributes(peer: Peer) -> None:
    with pytest.raises(AttributeError):
        failed(peer.connect(), "selec").diag.no_such_field  # noqa: B018


def test_the_class_has_its_sqlstate(peer: Peer) -> None:
    errors = peer.module.errors
    assert errors.UniqueViolation.sqlstate == "23505"
    assert errors.UniqueViolation("text").sqlstate == "23505"
    assert peer.module.Error.sqlstate is None


# The message


MESSAGES = [
    "selec",
    "select 1 from from x",
    "select\n  no_such_column\nfrom pg_class",
    "select 1 / 0",
    "select 'x'::int",
    "select 'é€' from no_such_table",
    "do $$begin execute 'selec 1'; end$$",
    "do $$begin raise 'own' using detail = 'the detail', hint = 'the hint'; end$$",
    "select * from pg_clas",
    "select lower(1, 2)",
    f"select {'1 + ' * 100} no_such_column {'+ 1' * 100}",
    "select\t\tno_such_column",
    "select 1; select no_such_column",
]


@pytest.mark.parametrize("query", MESSAGES)
def test_the_message_is_that_of_libpq(peer: Peer, admin: Admin, query: str) -> None:
    error = failed(peer.connect(autocommit=True), query)
    theirs = failed(admin, query)
    assert str(error) == str(theirs)
    assert error.args == theirs.args
    assert type(error).__name__ == type(theirs).__name__
    assert fields(error.diag) == fields(theirs.diag)


@pytest.mark.parametrize("query", ["select %s::int + no_such_column", "select %(a)s from from x", "select %(a)s::int"])
def test_the_message_of_a_statement_with_parameters(peer: Peer, admin: Admin, query: str) -> None:
    params: Any = {"a": "x"} if "(a)" in query else ["x"]
    error = failed(peer.connect(autocommit=True), query, params)
    theirs = failed(admin, query, params)
    assert str(error) == str(theirs)
    assert fields(error.diag) == fields(theirs.diag)


def test_repr(peer: Peer) -> None:
    error = failed(peer.connect(), "select 1 / 0")
    assert repr(error) == "DivisionByZero('division by zero')"
    assert type(error).__module__ == f"{peer.module.__name__}.errors"
    assert peer.module.OperationalError.__module__ == peer.module.__name__


# pgresult, pgconn


def test_pgresult(peer: Peer) -> None:
    pq = peer.submodule("pq")
    error = failed(peer.connect(), "selec")
    assert error.pgresult is not None
    assert error.pgresult.status == pq.ExecStatus.FATAL_ERROR
    assert error.pgresult.error_message.startswith(b'ERROR:  syntax error at or near "selec"\n')
    assert error.pgresult.error_field(pq.DiagnosticField.SQLSTATE) == b"42601"
    assert error.pgresult.error_field(pq.DiagnosticField.MESSAGE_HINT) is None
    assert error.pgconn is None


def test_pgresult_of_an_error_of_the_client(peer: Peer) -> None:
    error = failed(peer.connect(), "select %s", [object()])
    assert error.pgresult is None
    assert error.pgconn is None
    assert error.sqlstate is None


# Copies


def same(one: Any, other: Any) -> bool:
    return (type(one), str(one), one.args, one.sqlstate, fields(one.diag)) == (
        type(other),
        str(other),
        other.args,
        other.sqlstate,
        fields(other.diag),
    )


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_errors_of_the_server_can_be_pickled(peer: Peer, protocol: int) -> None:
    conn = peer.connect(autocommit=True)
    for query in MESSAGES[:8]:
        error = failed(conn, query)
        loaded = pickle.loads(pickle.dumps(error, protocol))
        assert same(loaded, error)
        assert loaded.pgresult is None
        assert loaded.pgconn is None


def test_errors_of_the_client_can_be_pickled(peer: Peer) -> None:
    conn = peer.connect()
    error = failed(conn, "select %s", [object()])
    assert same(pickle.loads(pickle.dumps(error)), error)
    conn.close()
    error = failed(conn, "select 1")
    assert same(pickle.loads(pickle.dumps(error)), error)
    for name in ("Error", "OperationalError", "Warning"):
        cls = getattr(peer.module, name)
        loaded = pickle.loads(pickle.dumps(cls("text")))
        assert (type(loaded), loaded.args) == (cls, ("text",))


def test_errors_of_connecting_can_be_pickled(peer: Peer) -> None:
    with pytest.raises(peer.module.OperationalError) as caught:
        peer.module.connect(peer.url, dbname="no such database")
    loaded = pickle.loads(pickle.dumps(caught.value))
    assert same(loaded, caught.value)
    assert loaded.pgconn is None


def test_diag_can_be_pickled(peer: Peer) -> None:
    diag = failed(peer.connect(), "selec").diag
    assert fields(pickle.loads(pickle.dumps(diag))) == fields(diag)


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])
def test_errors_can_be_copied(peer: Peer, duplicate: Any) -> None:
    error = failed(peer.connect(), "selec")
    assert same(duplicate(error), error)


def test_diag_lives_longer_than_the_connection(peer: Peer) -> None:
    conn = peer.connect()
    error = failed(conn, "selec")
    conn.close()
    assert error.diag.message_primary == 'syntax error at or near "selec"'


def test_subclasses_of_ones_own(peer: Peer) -> None:
    class OwnError(peer.module.errors.UniqueViolation):  # type: ignore[misc, name-defined]
        pass

    error = OwnError("text")
    assert isinstance(error, peer.module.IntegrityError)
    assert error.sqlstate == "23505"


# Encodings


@pytest.mark.parametrize(("encoding", "text"), [("latin1", "hällo"), ("euc_jp", "日本"), ("win1251", "привет")])
def test_messages_in_another_encoding(peer: Peer, encoding: str, text: str) -> None:
    conn = peer.connect(autocommit=True, client_encoding=encoding)
    notices = []
    conn.add_notice_handler(lambda diag: notices.append((diag.message_primary, diag.message_detail)))
    error = failed(conn, f"do $$begin raise notice '{text}' using detail = '{text}'; raise exception '{text}'; end$$")
    assert error.diag.message_primary == text
    assert str(error).startswith(text)
    assert notices == [(text, text)]


def test_the_line_of_an_error_in_another_encoding(peer: Peer) -> None:
    conn = peer.connect(autocommit=True, client_encoding="latin1")
    error = failed(conn, "select 'äöü', * from \"tàble\"")
    assert str(error) == (
        'relation "tàble" does not exist\n'
        "LINE 1: select 'äöü', * from \"tàble\"\n"
        "                             ^"
    )  # fmt: skip
    assert error.diag.statement_position == "22"


def test_what_the_encoding_of_the_client_does_not_have(peer: Peer) -> None:
    conn = peer.connect(autocommit=True, client_encoding="latin1")
    error = failed(conn, "select convert_from('\\xe282ac', 'utf8')")
    assert type(error) is peer.module.errors.UntranslatableCharacter
    with pytest.raises(UnicodeEncodeError):
        conn.execute("select '€'")
    with pytest.raises(UnicodeEncodeError):
        conn.execute("select %s", ["€"])
    assert conn.execute("select 'ä'").fetchone() == ("ä",)


def test_a_message_that_cannot_be_decoded(peer: Peer) -> None:
    """It is an error of the server all the same."""
    conn = peer.connect(autocommit=True, client_encoding="sql_ascii")
    error = failed(conn, "do $$begin raise exception using message = convert_from('\\xc3a9', 'utf8') || ' end'; end$$")
    assert error.sqlstate == "P0001"
    assert error.diag.message_primary.endswith(" end")


# Other messages that programs may know


def test_fetching_without_a_result(numbers: Numbers, peer: Peer) -> None:
    conn = peer.connect(autocommit=True)
    cursor = conn.cursor()
    for fetch in (cursor.fetchone, cursor.fetchmany, cursor.fetchall, lambda: list(cursor)):
        with pytest.raises(peer.module.ProgrammingError, match="no result available"):
            fetch()
    cursor.execute("insert into numbers values (1)")
    for fetch in (cursor.fetchone, cursor.fetchmany, cursor.fetchall, lambda: list(cursor)):
        with pytest.raises(peer.module.ProgrammingError, match="the last operation didn't produce records"):
            fetch()


def test_a_cursor_that_is_closed(peer: Peer) -> None:
    cursor = peer.connect().cursor()
    cursor.close()
    for use in (cursor.fetchone, lambda: cursor.execute("select 1"), lambda: cursor.executemany("select 1", [])):
        with pytest.raises(peer.module.InterfaceError, match="the cursor is closed"):
            use()


def test_binding_on_the_server(peer: Peer) -> None:
    """What cannot take parameters; see "Differences from psycopg2" in the documentation of psycopg."""
    conn = peer.connect(autocommit=True)
    for query, params, name in (
        ("set timezone to %s", ["utc"], "SyntaxError"),
        ("notify %s, %s", ["chan", 42], "SyntaxError"),
        ("create table pg_temp.foo (id int default %s)", [42], "UndefinedParameter"),
        ("select %s; select %s", [1, 2], "SyntaxError"),
        ("select json_build_array(%s, %s)", ["foo", "bar"], "IndeterminateDatatype"),
        ("select 1 where 1 in %s", [(10, 20)], "SyntaxError"),
        ("select 1 where 1 is %s", [None], "SyntaxError"),
    ):
        assert type(failed(conn, query, params)).__name__ == name


def test_no_traceback_through_the_driver_holds_secrets(peer: Peer, postgres: Any) -> None:
    with pytest.raises(peer.module.OperationalError) as caught:
        peer.module.connect(peer.url, dbname="no such database")
    assert postgres.password not in str(caught.value)
    assert postgres.password not in repr(caught.value)
