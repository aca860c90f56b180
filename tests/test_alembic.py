"""Alembic on SQLAlchemy's dialect: migrations run, and autogenerate finds what it finds with psycopg."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import alembic_models
import psycopg
import pytest
import sqlalchemy
from alembic import autogenerate, command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.util import CommandError
from pages import ROOT, run
from psycopg.conninfo import make_conninfo
from sqlalchemy import MetaData, create_engine, make_url
from sqlalchemy.engine import URL
from transports import on_sessions, over_http, over_websocket

EMPTY = MetaData()

REVISION = '''"""{revision}"""

import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = {down_revision!r}


def upgrade():
{upgrade}


def downgrade():
{downgrade}
'''


class Place:
    """An empty database and a directory of migrations.

    Args:
        root: where the directory is to be.
        template: the template of `alembic init`.
        url: of the database, for psycopg.
        urls: its URL for SQLAlchemy, by transport.
    """

    def __init__(self, root: Path, template: str, dsn: str, urls: dict[str, URL]) -> None:
        self.root = root
        self.dsn = dsn
        self.urls = urls
        self.versions = root / "migrations" / "versions"
        config = Config(root / "alembic.ini", stdout=io.StringIO())
        command.init(config, str(root / "migrations"), template=template)
        env = root / "migrations" / "env.py"
        text = env.read_text(encoding="utf-8")
        text, count = re.subn(
            "^target_metadata = None$", "target_metadata = config.attributes['metadata']", text, flags=re.M
        )
        assert count == 1
        text, count = re.subn(
            r"connection=connection, target_metadata=target_metadata",
            "connection=connection, target_metadata=target_metadata, compare_server_default=True",
            text,
        )
        assert count == 1
        env.write_text(text, encoding="utf-8")

    def config(self, transport: str, metadata: MetaData = EMPTY, **options: str) -> Config:
        """What the commands of Alembic take."""
        config = Config(stdout=io.StringIO(), output_buffer=io.StringIO())  # no file: that would set up logging
        options = {"sqlalchemy.url": self.urls[transport].render_as_string(hide_password=False), **options}
        options |= {"script_location": str(self.root / "migrations"), "path_separator": "os"}
        for name, value in options.items():
            config.set_main_option(name, value.replace("%", "%%"))
        config.attributes["metadata"] = metadata
        return config

    def revision(self, revision: str, down_revision: str | None, *upgrade: str, downgrade: str = "pass") -> None:
        """Write a migration."""
        lines = "\n".join(f"    {line}" for line in upgrade)
        text = REVISION.format(
            revision=revision, down_revision=down_revision, upgrade=lines, downgrade=f"    {downgrade}"
        )
        (self.versions / f"{revision}.py").write_text(text, encoding="utf-8")

    def query(self, statement: str) -> list[Any]:
        """What is there, each row as its first value, looked at by psycopg."""
        with psycopg.connect(self.dsn) as connection:
            return [row[0] for row in connection.execute(statement).fetchall()]

    def tables(self) -> list[str]:
        return self.query(
            "select relname from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace order by 1"
        )

    def version(self) -> list[str]:
        return self.query("select version_num from alembic_version")

    def columns(self, table: str) -> list[str]:
        return self.query(
            f"select column_name from information_schema.columns where table_name = '{table}' order by ordinal_position"
        )


@pytest.fixture
def places(tmp_path: Path, admin: psycopg.Connection[Any], dsn: str, url: str) -> Iterator[Callable[[str], Place]]:
    """Makes a `Place` with the template of that name."""
    name = f"alembic_{uuid4().hex}"
    admin.execute(f"create database {name}")
    ours = make_url(url).set(drivername="postgresql+neonps", database=name)
    urls = {transport: ours.update_query_dict({"transport": transport}) for transport in ("tcp", "websocket", "http")}
    urls["psycopg"] = make_url(dsn).set(drivername="postgresql+psycopg", database=name)
    yield lambda template: Place(tmp_path, template, make_conninfo(dsn, dbname=name), urls)
    admin.execute(f"drop database {name} with (force)")


@pytest.fixture
def place(places: Callable[[str], Place]) -> Place:
    return places("generic")


# Autogenerate


@pytest.mark.parametrize("template", ["generic", "async"])
@on_sessions
def test_from_nothing_to_the_models_and_back(places: Callable[[str], Place], transport: str, template: str) -> None:
    place = places(template)
    config = place.config(transport, alembic_models.before())
    command.revision(config, "first", autogenerate=True, rev_id="1")
    command.upgrade(config, "head")
    assert place.tables() == ["alembic_version", "owner", "thing"]
    command.check(config)  # raises if there is a difference

    changed = place.config(transport, alembic_models.after())
    with pytest.raises(CommandError, match="New upgrade operations detected"):
        command.check(changed)
    command.revision(changed, "second", autogenerate=True, rev_id="2")
    # Alembic neither makes nor drops enumerations of columns that are added to or taken from a table.
    script = place.versions / "2_second.py"
    kind = "sa.Enum('person', 'firm', name='kind')"
    text = script.read_text(encoding="utf-8")
    text = text.replace(
        "def upgrade() -> None:", f"def upgrade() -> None:\n    {kind}.create(op.get_bind(), checkfirst=True)"
    )
    script.write_text(text, encoding="utf-8")
    command.upgrade(changed, "head")
    command.check(changed)
    assert place.version() == ["2"]
    assert "kind" in place.columns("owner")

    command.downgrade(changed, "1")
    assert "op." not in migration(place.urls[transport], alembic_models.before())
    command.downgrade(config, "base")
    assert (place.tables(), place.version()) == (["alembic_version"], [])


def migration(url: URL, metadata: MetaData) -> str:
    """What autogenerate would write, as Python."""
    engine = create_engine(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        script = autogenerate.produce_migrations(context, metadata)
    engine.dispose()
    code = autogenerate.render_python_code(script.upgrade_ops) + autogenerate.render_python_code(script.downgrade_ops)
    assert isinstance(code, str)
    return code


FOUND = [
    "op.create_table('word'",
    "op.add_column('owner', sa.Column('kind'",
    "op.drop_column('owner', 'old')",
    "type_=sa.String(length=80)",
    "type_=sa.Numeric(precision=12, scale=4)",
    "type_=sa.DateTime()",
    "comment='As it is said'",
    "op.create_table_comment(",
    "uq_owner_name",
    "op.create_index('ix_owner_mood'",
    "ix_owner_since_calm",
    "nullable=True",
]


def test_finds_the_same_as_with_psycopg(place: Place, transport: str) -> None:
    first = migration(place.urls["psycopg"], alembic_models.before())
    assert migration(place.urls[transport], alembic_models.before()) == first

    engine = create_engine(place.urls["psycopg"])
    alembic_models.before().create_all(engine)
    engine.dispose()
    for metadata in (alembic_models.before(), alembic_models.after(), EMPTY):
        assert migration(place.urls[transport], metadata) == migration(place.urls["psycopg"], metadata)
    changes = migration(place.urls[transport], alembic_models.after())
    assert [text for text in FOUND if text not in changes] == []
    assert re.search(r"op.alter_column\('owner', 'mood'.*?server_default='cross'", changes, re.DOTALL)
    assert re.search(r"op.alter_column\('owner', 'balance'.*?server_default=sa.text\('10'\)", changes, re.DOTALL)
    assert "op." not in migration(place.urls[transport], alembic_models.before())


# Offline


def test_as_sql(place: Place, transport: str) -> None:
    config = place.config(transport, alembic_models.before())
    command.revision(place.config("psycopg", alembic_models.before()), "first", autogenerate=True, rev_id="1")
    place.revision(
        "2",
        "1",
        "op.bulk_insert(sa.table('thing', sa.column('id', sa.Integer)), [{'id': 1}])",
        downgrade="op.execute('%')",
    )
    texts = []
    for name in (transport, "psycopg"):
        config = place.config(name)
        command.upgrade(config, "head", sql=True)
        command.downgrade(config, "2:base", sql=True)
        texts.append(config.output_buffer.getvalue())
    assert texts[0] == texts[1]
    assert texts[0].startswith("BEGIN;\n\nCREATE TABLE alembic_version")
    assert "INSERT INTO thing (id) VALUES (1);" in texts[0]
    assert place.tables() == ["alembic_version"]  # that the revision was made with

    with psycopg.connect(place.dsn, autocommit=True) as connection:
        connection.execute("drop table alembic_version")
        connection.execute(texts[0].partition("-- Running upgrade 1 -> 2")[0] + "COMMIT;")
    assert place.version() == ["1"]
    assert "op." not in migration(place.urls[transport], alembic_models.before())


# Transactions


MAKE = "op.create_table('made', sa.Column('id', sa.Integer, primary_key=True))"


@pytest.mark.parametrize("template", ["generic", "async"])
@on_sessions
def test_a_migration_that_fails_leaves_nothing(places: Callable[[str], Place], transport: str, template: str) -> None:
    place = places(template)
    place.revision("1", None, MAKE)
    place.revision("2", "1", "op.add_column('made', sa.Column('a', sa.Integer))", "op.execute('select 1 / 0')")
    config = place.config(transport)
    with pytest.raises(sqlalchemy.exc.DataError, match="division by zero"):
        command.upgrade(config, "head")
    assert place.tables() == []

    command.upgrade(config, "1")
    with pytest.raises(sqlalchemy.exc.DataError, match="division by zero"):
        command.upgrade(config, "head")
    assert (place.version(), place.columns("made")) == (["1"], ["id"])


@on_sessions
def test_killed_in_a_migration(place: Place, transport: str) -> None:
    place.revision("1", None, MAKE, "op.execute('select pg_terminate_backend(pg_backend_pid())')")
    with pytest.raises(sqlalchemy.exc.OperationalError):
        command.upgrade(place.config(transport), "head")
    assert place.tables() == []


@on_sessions
def test_autocommit_block(place: Place, transport: str) -> None:
    place.revision("1", None, MAKE)
    place.revision(
        "2",
        "1",
        "with op.get_context().autocommit_block():",
        "    op.create_index('made_id', 'made', ['id'], postgresql_concurrently=True, if_not_exists=True)",
        "op.add_column('made', sa.Column('a', sa.Integer))",
    )
    place.revision("3", "2", "op.execute('create index concurrently made_a on made (a)')")
    config = place.config(transport)
    with pytest.raises(sqlalchemy.exc.InternalError, match="cannot run inside a transaction block"):
        command.upgrade(config, "3")
    command.upgrade(config, "2")
    assert (place.version(), place.columns("made")) == (["2"], ["id", "a"])
    assert place.query(
        "select indexrelid::regclass::text from pg_index where indisvalid and not indisprimary"
        " and indrelid = 'made'::regclass"
    ) == ["made_id"]


@on_sessions
def test_batch(place: Place, transport: str) -> None:
    place.revision("1", None, MAKE, "op.execute('insert into made values (1)')")
    place.revision(
        "2",
        "1",
        "with op.batch_alter_table('made') as batch:",
        "    batch.add_column(sa.Column('a', sa.Text, server_default='x'))",
        "    batch.alter_column('id', new_column_name='number', type_=sa.BigInteger)",
        "    batch.create_unique_constraint('made_a', ['a'])",
    )
    command.upgrade(place.config(transport), "head")
    assert place.columns("made") == ["number", "a"]
    assert place.query("select a from made where number = 1") == ["x"]


@on_sessions
def test_data(place: Place, transport: str) -> None:
    place.revision(
        "1",
        None,
        MAKE,
        "table = sa.table('made', sa.column('id', sa.Integer))",
        "op.bulk_insert(table, [{'id': n} for n in range(5)])",
        "found = op.get_bind().execute(sa.select(table.c.id).where(table.c.id > 2)).scalars().all()",
        "assert found == [3, 4], found",
        "op.get_bind().execute(sa.delete(table).where(table.c.id.in_(found)))",
    )
    command.upgrade(place.config(transport), "head")
    assert place.query("select id from made order by id") == [0, 1, 2]


@on_sessions
def test_copy(place: Place, transport: str) -> None:
    place.revision(
        "1",
        None,
        MAKE,
        "with op.get_bind().connection.cursor() as cursor:",
        "    with cursor.copy('copy made (id) from stdin') as copy:",
        "        for number in range(1000):",
        "            copy.write_row([number])",
    )
    place.revision("2", "1", "op.execute('select 1 / 0')")
    with pytest.raises(sqlalchemy.exc.DataError):
        command.upgrade(place.config(transport), "head")
    assert place.tables() == []
    command.upgrade(place.config(transport), "1")
    assert place.query("select count(*) from made") == [1000]


# The page


MODELS = """
from sqlalchemy import Column, Integer, Table
from sqlalchemy.orm import DeclarativeBase


class Base(DeclarativeBase):
    pass


class Pear(Base):
    __tablename__ = "pear"
    id = Column(Integer, primary_key=True)
"""


@over_websocket
def test_env_of_the_page_on_the_command_line(places: Callable[[str], Place], transport: str, tmp_path: Path) -> None:
    text = (ROOT / "docs/howto/alembic.md").read_text(encoding="utf-8")
    env = re.search(
        r"^```py\n(import os\n(?:[^`]*?)from alembic import context[^`]*?)^```$", text, re.MULTILINE | re.DOTALL
    )
    assert env, "the page has lost its env.py"
    place = places("generic")
    (tmp_path / "migrations" / "env.py").write_text(env[1], encoding="utf-8")
    ini = tmp_path / "alembic.ini"  # the commands run in another directory
    text = ini.read_text(encoding="utf-8").replace("prepend_sys_path = .", f"prepend_sys_path = {tmp_path}")
    ini.write_text(text, encoding="utf-8")
    (tmp_path / "models.py").write_text(MODELS, encoding="utf-8")
    url = place.urls[transport].set(drivername="postgresql").render_as_string(hide_password=False)

    def alembic(*arguments: str) -> str:
        ran = run("-X", "dev", "-m", "alembic", "-c", str(tmp_path / "alembic.ini"), *arguments, url=url)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    alembic("revision", "--autogenerate", "-m", "pears", "--rev-id", "1")
    assert "CREATE TABLE pear" in alembic("upgrade", "head", "--sql")
    alembic("upgrade", "head")
    assert (place.tables(), place.version()) == (["alembic_version", "pear"], ["1"])
    assert "No new upgrade operations detected." in alembic("check")
    alembic("downgrade", "base")
    assert place.tables() == ["alembic_version"]


# Over HTTP


@over_http
def test_over_http_nothing_is_applied(place: Place, transport: str) -> None:
    place.revision("1", None, MAKE, downgrade="op.drop_table('made')")
    place.revision("2", "1", "op.add_column('made', sa.Column('a', sa.Integer))")
    config = place.config(transport)
    with pytest.raises(sqlalchemy.exc.NotSupportedError, match=r"\?transport=websocket"):
        command.upgrade(config, "head")
    assert place.tables() == []

    command.upgrade(place.config("websocket"), "1")
    for move in (
        lambda: command.upgrade(config, "head"),
        lambda: command.stamp(config, "2"),
        lambda: command.downgrade(config, "base"),
    ):
        with pytest.raises(sqlalchemy.exc.NotSupportedError, match=r"\?transport=websocket"):
            move()
        assert (place.version(), place.columns("made")) == (["1"], ["id"])


@over_http
def test_what_only_reads_works_over_http(place: Place, transport: str) -> None:
    config = place.config(transport, alembic_models.before())
    with pytest.raises(sqlalchemy.exc.NotSupportedError):  # it makes the table of the version first
        command.check(config)
    assert place.tables() == []
    command.revision(place.config("websocket", alembic_models.before()), "first", autogenerate=True, rev_id="1")
    command.upgrade(place.config("websocket"), "head")
    command.current(config)
    assert config.stdout.getvalue() == "1 (head)\n"
    command.check(config)


@over_http
def test_over_http_with_autocommit_each_statement_is_applied_by_itself(place: Place, transport: str) -> None:
    place.revision("1", None, MAKE)
    place.revision("2", "1", "op.add_column('made', sa.Column('a', sa.Integer))", "op.execute('select 1 / 0')")
    config = place.config(transport, **{"sqlalchemy.isolation_level": "AUTOCOMMIT"})
    with pytest.raises(sqlalchemy.exc.DataError, match="division by zero"):
        command.upgrade(config, "head")
    assert (place.version(), place.columns("made")) == (["1"], ["id", "a"])


# Mistakes


@over_websocket
def test_no_password_in_errors(place: Place, transport: str, capfd: pytest.CaptureFixture[str]) -> None:
    place.urls[transport] = place.urls[transport].set(password="sesame-street")
    with pytest.raises(sqlalchemy.exc.OperationalError, match="password authentication failed") as caught:
        command.current(place.config(transport))
    assert "sesame" not in str(caught.value)
    assert "sesame" not in "".join(capfd.readouterr())
