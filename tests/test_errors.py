"""The exceptions: the same classes, names and texts as psycopg's, for whatever the server complains of."""

from __future__ import annotations

import copy
import pickle
import re
import string
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import psycopg.errors
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neonps import errors
from neonps.diagnostic import FIELD_NAMES
from neonps.error_text import error_text

SET_UP = """
    CREATE TEMP TABLE node (
        id int PRIMARY KEY, parent int REFERENCES node, name text NOT NULL CHECK (name > '')
    );
    CREATE FUNCTION pg_temp.divide(int) RETURNS int LANGUAGE sql AS $$SELECT 1; SELECT 1 / $1$$;
    CREATE FUNCTION pg_temp.broken() RETURNS int LANGUAGE plpgsql AS $$
    BEGIN
        RETURN (SELECT nope
                FROM nowhere);
    END$$;
"""


@pytest.fixture(scope="module")
def oracle(dsn: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(SET_UP)
        yield conn


def complaint(conn: psycopg.Connection[Any], query: Any) -> psycopg.Error:
    with pytest.raises(psycopg.Error) as caught:
        conn.execute(query)
    return caught.value


def fields_of(error: psycopg.Error) -> dict[str, str]:
    """The fields as they came over the wire."""
    values = {code: getattr(error.diag, name) for code, name in FIELD_NAMES.items()}
    return {code: value for code, value in values.items() if value is not None}


def psycopg_classes() -> dict[str, type[psycopg.Error]]:
    return {
        name: cls
        for name, cls in vars(psycopg.errors).items()
        if isinstance(cls, type) and issubclass(cls, psycopg.Error) and not name.startswith("_")
    }


class TestClasses:
    def test_tree_is_that_of_pep_249(self) -> None:
        assert errors.Warning.__bases__ == (Exception,)
        assert errors.Error.__bases__ == (Exception,)
        assert errors.InterfaceError.__bases__ == (errors.Error,)
        for cls in (
            errors.DataError,
            errors.OperationalError,
            errors.IntegrityError,
            errors.InternalError,
            errors.ProgrammingError,
            errors.NotSupportedError,
        ):
            assert cls.__bases__ == (errors.DatabaseError,)

    @pytest.mark.parametrize(("name", "theirs"), psycopg_classes().items())
    def test_every_class_of_psycopg(self, name: str, theirs: type[psycopg.Error]) -> None:
        ours = getattr(errors, name)
        assert ours.sqlstate == theirs.sqlstate
        assert [cls.__name__ for cls in ours.__mro__] == [cls.__name__ for cls in theirs.__mro__]

    def test_no_other_classes(self) -> None:
        ours = {
            name
            for name in dir(errors)
            if isinstance(getattr(errors, name), type) and issubclass(getattr(errors, name), errors.Error)
        }
        assert ours == set(psycopg_classes())

    def test_every_sqlstate_of_the_server(self, oracle: psycopg.Connection[Any]) -> None:
        [(share,)] = oracle.execute("SELECT setting FROM pg_config WHERE name = 'SHAREDIR'").fetchall()
        listed = re.findall(r"^(\w{5})\s+E\s", Path(share, "errcodes.txt").read_text(), re.MULTILINE)
        assert len(listed) > 240
        for sqlstate in listed:
            assert errors.lookup(sqlstate).sqlstate == sqlstate

    def test_they_come_from_the_public_module(self) -> None:
        assert errors.lookup("23505") is errors.UniqueViolation
        assert errors.UniqueViolation.__module__ == "neonps.errors"

    def test_unknown_name(self) -> None:
        with pytest.raises(AttributeError, match="UniqueViolatoin"):
            errors.UniqueViolatoin  # type: ignore[attr-defined] # noqa: B018
        with pytest.raises(ImportError):
            from neonps.errors import UniqueViolatoin  # type: ignore[attr-defined] # noqa: F401

    def test_classes_are_made_on_demand(self) -> None:
        script = "import sys, neonps.errors; assert 'neonps.sqlstates' not in sys.modules"
        subprocess.run([sys.executable, "-c", script], check=True)


class TestLookup:
    @pytest.mark.parametrize("sqlstate", ["23505", "42p01", "XX000", "02000"])
    def test_sqlstate(self, sqlstate: str) -> None:
        assert errors.lookup(sqlstate).__name__ == psycopg.errors.lookup(sqlstate).__name__

    @pytest.mark.parametrize("name", psycopg_classes())
    def test_condition_name(self, name: str) -> None:
        condition = re.sub(r"(?<!^)(?=[A-Z])", "_", name).upper().rstrip("_")
        try:
            expected = psycopg.errors.lookup(condition).__name__
        except KeyError:
            with pytest.raises(KeyError):
                errors.lookup(condition)
        else:
            assert errors.lookup(condition).__name__ == expected

    @pytest.mark.parametrize("sqlstate", ["", "23", "99999", "01000", "nonsense"])
    def test_unknown(self, sqlstate: str) -> None:
        with pytest.raises(KeyError):
            psycopg.errors.lookup(sqlstate)
        with pytest.raises(KeyError):
            errors.lookup(sqlstate)


class TestFromFields:
    def test_every_first_two_characters(self, oracle: psycopg.Connection[Any]) -> None:
        characters = string.digits + string.ascii_uppercase
        for first in characters:
            for second in ("0", "2", "3", "5", "A", "B", "D", "F", "X", "Z", "P", "V"):
                sqlstate = f"{first}{second}9ZZ"
                theirs = complaint(oracle, f"DO $$BEGIN RAISE 'x' USING errcode = '{sqlstate}'; END$$")
                ours = errors.error_from_fields(fields_of(theirs))
                assert type(ours).__name__ == type(theirs).__name__
                assert ours.sqlstate == theirs.sqlstate == sqlstate
                assert type(ours).sqlstate is None

    @pytest.mark.parametrize("fields", [{}, {"M": "no code"}, {"M": "not a code", "C": "BAD_REQUEST"}])
    def test_without_sqlstate(self, fields: dict[str, str]) -> None:
        error = errors.error_from_fields(fields)
        assert type(error) is errors.DatabaseError
        assert str(error) == fields.get("M", "")
        assert error.sqlstate == fields.get("C")

    def test_what_http_adds(self) -> None:
        fields = {"M": "x", "C": "40001"}
        error = errors.error_from_fields(fields, status=400, request_id="abc")
        assert isinstance(error, errors.SerializationFailure)
        assert (error.status, error.request_id) == (400, "abc")
        assert (errors.Error("x").status, errors.Error("x").request_id) == (None, None)

    def test_diag(self) -> None:
        fields = {code: f"value of {code}" for code in FIELD_NAMES}
        diag = errors.error_from_fields({**fields, "?": "from the future"}).diag
        assert {name: getattr(diag, name) for name in FIELD_NAMES.values()} == {
            name: f"value of {code}" for code, name in FIELD_NAMES.items()
        }
        assert errors.Error("x").diag.message_primary is None

    def test_diag_has_the_names_of_psycopg(self) -> None:
        theirs = {name for name in dir(psycopg.errors.Diagnostic) if not name.startswith("_")}
        assert set(FIELD_NAMES.values()) == theirs

    @pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))])
    def test_pickle_and_copy(self, duplicate: Any) -> None:
        fields = {"M": "duplicate key", "C": "23505", "D": "Key (id)=(1) already exists.", "n": "t_pkey"}
        error = errors.error_from_fields(fields, pgresult=iter(()), status=400, request_id="abc")
        error.args += ("more",)
        error.outcome_unknown = True
        twin = duplicate(error)
        assert type(twin) is errors.UniqueViolation
        assert twin.args == error.args == ("duplicate key\nDETAIL:  Key (id)=(1) already exists.", "more")
        assert twin.sqlstate == "23505"
        assert vars(twin.diag) == vars(error.diag)
        assert (twin.status, twin.request_id) == (400, "abc")
        assert twin.pgresult is None
        assert twin.outcome_unknown


STATEMENTS = [
    "selec 1",
    "SELECT 1 +",
    "SELECT 1 / 0",
    "SELECT $1",
    "SELECT nope",
    "SELECT 1; SELECT nope",
    "SELECT\t1,\tnope\t,\t2",
    "SELECT 1,\n  2,\r\n nope\n FROM node",
    "SELECT 1,\r  2,\r nope\r FROM node",
    "\n\n\r\n nope",
    "SELECT 'é€漢字🎉 a\u0301 ﾊ' , nope",
    "SELECT " + "1," * 100 + " nope " + ",2" * 100,
    "SELECT " + "1," * 15 + " nope " + ",2" * 100,
    "SELECT " + "1," * 100 + " nope " + ",2",
    "SELECT 1,\n" + "'漢字'," * 40 + " nope " + ",'漢字'" * 40 + "\n, 3",
    "SELECT " + "'a\u0301'," * 200 + " nope",
    "SELECT " + "1," * 50_000 + " nope",
    "INSERT INTO node VALUES (1, 5, 'x')",
    "INSERT INTO node VALUES (1, 1, 'x'), (1, 1, 'x')",
    "INSERT INTO node VALUES (1, 1, '')",
    "INSERT INTO node VALUES (1, 1, NULL)",
    "SELECT pg_temp.divide(0)",
    "SELECT pg_temp.broken()",
    "CREATE FUNCTION pg_temp.bad() RETURNS int LANGUAGE sql AS $$ SELECT nope $$",
    "DO $$BEGIN EXECUTE 'SELECT 1 FROM\n nowhere'; END$$",
    "DO $$BEGIN EXECUTE 'SELECT ' || repeat('漢', 100) || ' FROM nowhere'; END$$",
    "DO $$BEGIN RAISE 'a' USING detail = E'd1\\nd2\\n', hint = 'h', errcode = '23ABC'; END$$",
    "DO $$BEGIN RAISE 'a' USING table = 't', column = 'c', constraint = 'k', schema = 's'; END$$",
    "DO $$BEGIN RAISE no_data_found; END$$",
    "DO $$BEGIN RAISE ''; END$$",
    "DO $$BEGIN RAISE E'two\\nlines\\n'; END$$",
    "DO $$BEGIN RAISE E'\\n  ERROR:  x'; END$$",
    "SELECT '漢字'::int",
    "SELECT 'x'::regclass",
    "SELECT lower(1, 2)",
]


class TestText:
    @pytest.mark.parametrize("statement", STATEMENTS, ids=lambda text: repr(text[:40]))
    def test_is_that_of_psycopg(self, oracle: psycopg.Connection[Any], statement: str) -> None:
        theirs = complaint(oracle, statement)
        ours = errors.error_from_fields(fields_of(theirs), statement)
        assert str(ours) == str(theirs)
        assert type(ours).__name__ == type(theirs).__name__
        assert {name: getattr(ours.diag, name) for name in FIELD_NAMES.values()} == {
            name: getattr(theirs.diag, name) for name in FIELD_NAMES.values()
        }

    @settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        st.text(st.sampled_from("ab \t\n\r漢🎉é\u0301ﾊ"), max_size=150),
        st.text(st.sampled_from("ab \t\n\r漢🎉é\u0301ﾊ"), max_size=150),
    )
    def test_place_in_any_query(self, oracle: psycopg.Connection[Any], before: str, after: str) -> None:
        statement = f"SELECT '{before}', nope, '{after}'"
        theirs = complaint(oracle, statement)
        assert str(errors.error_from_fields(fields_of(theirs), statement)) == str(theirs)

    def test_position_without_query(self, oracle: psycopg.Connection[Any]) -> None:
        fields = fields_of(complaint(oracle, "SELECT nope"))
        assert str(errors.error_from_fields(fields)) == 'column "nope" does not exist at character 8'

    @pytest.mark.parametrize("position", ["0", "-1", "100", "x", "", "²"])
    def test_impossible_position(self, position: str) -> None:
        assert error_text({"M": "wrong", "P": position}, "SELECT 1") == "wrong"
