"""Passwords and parameters do not show in the calls of the backends for SQLAlchemy and Django, when these fail."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from django_project import NOTE, SETTINGS, new_project
from shown import SECRET, VALUE, check_hidden, frames, looked_into
from sqlalchemy import exc

TESTS = Path(__file__).parent


def in_frames(error: BaseException) -> str:
    """What is in the local variables of our calls, of which there are some."""
    calls = list(frames(error))
    assert calls
    return "\n".join(text for call in calls for value in call.f_locals.values() for text in looked_into(value))


@pytest.mark.parametrize("query", ["autocommit=maybe", "prepare_threshold=x", "transport=udp", "connect_timeout=1"])
def test_a_url_of_sqlalchemy(query: str) -> None:
    url = sa.URL.create("postgresql+neonps", "u", SECRET, "127.0.0.1", 1, "d", dict([query.split("=")]))
    with pytest.raises((exc.ArgumentError, exc.DBAPIError)) as caught:
        sa.create_engine(url).connect()
    check_hidden(in_frames(caught.value), SECRET)


@pytest.mark.parametrize("statement", ["select 1/0 where :a <> ''", "insert into nowhere values (:a) returning 1"])
def test_a_statement_of_sqlalchemy(url: str, transport: str, statement: str) -> None:
    address = sa.make_url(url).set(drivername="postgresql+neonps").update_query_dict({"transport": transport})
    engine = sa.create_engine(address, hide_parameters=True)
    try:
        with engine.connect() as conn, pytest.raises(exc.DBAPIError) as caught:
            conn.execute(sa.text(statement), {"a": VALUE})
    finally:
        engine.dispose()
    check_hidden(in_frames(caught.value), VALUE)  # SQLAlchemy's own exception has it, as `params`


DJANGO = """
import sys
sys.path.insert(0, TESTS)
from shown import frames, looked_into

def values(error):
    return [text for frame in frames(error) for value in frame.f_locals.values() for text in looked_into(value)]

for call in (connection.ensure_connection, lambda: connection.transport):
    try:
        call()
    except Exception as error:
        print(type(error).__name__, len(list(frames(error))) > 0, any("a secret" in text for text in values(error)))
"""


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("{'transport': 'udp'}", ["OperationalError True False"] * 2),
        ("{'nonsense': 1}", ["ProgrammingError True False"] * 2),
        ("{'transport': 'tcp', 'connect_timeout': 1}", ["OperationalError True False"]),
    ],
)
def test_a_connection_of_django(
    url: str, tmp_path: Path, admin: psycopg.Connection[Any], options: str, expected: list[str]
) -> None:
    database = f"DATABASES['default'].update(PASSWORD='a secret', HOST='127.0.0.1', PORT=1, OPTIONS={options})\n"
    with new_project(url, tmp_path, admin) as project:
        lines = project.check(NOTE + DJANGO.replace("TESTS", repr(str(TESTS))), settings=SETTINGS + database)
    assert lines == expected
