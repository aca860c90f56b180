"""The Django backend: how it is set up, and what is psycopg and what is neonps then."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import psycopg
import pytest
from django_project import NOTE, SETTINGS, WITHOUT_PSYCOPG, Project, new_project


@pytest.fixture
def project(url: str, tmp_path: Path, admin: psycopg.Connection[Any]) -> Iterator[Project]:
    with new_project(url, tmp_path, admin) as project:
        yield project


# One driver


ENGINE_ALONE = """
import dj_database_url

DATABASES = {"default": dj_database_url.config(engine="neonps.django")}
"""


def test_the_engine_alone_will_do_without_psycopg(project: Project) -> None:
    program = """
        Note.objects.create(text="one")
        print(Note.objects.get().text, connection.vendor, connection.connection.info.transport)
        print([name for name in sys.modules if name.partition(".")[0] in ("psycopg", "psycopg2", "psycopg_pool")])
    """
    assert project.check(WITHOUT_PSYCOPG + NOTE + dedent(program), settings=ENGINE_ALONE) == [
        "one postgresql websocket",
        "[]",
    ]


CONTRIB = """
import django
django.setup()
from django.contrib.postgres.fields import ArrayField, IntegerRangeField
from django.db import connection, models
from django.db.backends.postgresql.psycopg_any import NumericRange
from django.db.migrations.writer import MigrationWriter

class Thing(models.Model):
    words = ArrayField(models.CharField(max_length=9))
    size = IntegerRangeField()

    class Meta:
        app_label = "things"

with connection.schema_editor() as editor:
    editor.create_model(Thing)
Thing.objects.create(words=["a", "b"], size=NumericRange(1, 5))
thing = Thing.objects.get(words__contains=["a"], size__contains=2)
print(thing.words, thing.size, type(thing.size).__module__)
print(MigrationWriter.serialize(thing.size))
"""


def test_contrib_postgres_without_psycopg(project: Project) -> None:
    settings = SETTINGS + "INSTALLED_APPS = ['django.contrib.postgres']\n"
    assert project.check(WITHOUT_PSYCOPG + CONTRIB, settings=settings) == [
        "['a', 'b'] [1, 5) neonps.types.range",
        "(\"neonps.types.range.Range(1, 5, '[)')\", {'import neonps.types.range'})",
    ]


def test_psycopg_beside_it_stays_psycopg(project: Project) -> None:
    settings = "import psycopg\nimport psycopg_pool" + SETTINGS + "INSTALLED_APPS = ['django.contrib.postgres']\n"
    program = """
        import neonps, psycopg, psycopg_pool
        from psycopg.types.range import Range

        Note.objects.create(text="by neonps")
        with psycopg.connect(DSN) as theirs:
            print(theirs.execute("SELECT text FROM notes_note WHERE int4range(1, 3) = %s", [Range(1, 3)]).fetchall())
        print(isinstance(connection.connection, neonps.Connection), isinstance(theirs, neonps.Connection))
        print(psycopg.Connection.__module__, psycopg_pool.ConnectionPool.__module__, psycopg is not neonps)
    """
    assert project.check(NOTE + f"DSN = {project.dsn!r}" + dedent(program), settings=settings) == [
        "[('by neonps',)]",
        "True False",
        "psycopg psycopg_pool.pool True",
    ]


OTHER = SETTINGS + "DATABASES['other'] = dj_database_url.config()  # django.db.backends.postgresql\n"


@pytest.mark.parametrize("first", ["default", "other"])
def test_a_database_on_psycopg_is_refused(first: str, project: Project) -> None:
    program = f"""
        import django
        from django.db import connections

        try:
            django.setup()
            connections[{first!r}].ensure_connection()
        except django.core.exceptions.ImproperlyConfigured as error:
            print(error)
    """
    (message,) = project.check(program, settings=OTHER)
    assert message.startswith("neonps.django: DATABASES['other'] has ENGINE 'django.db.backends.postgresql'. ")
    assert 'Give that database "ENGINE": "neonps.django" too' in message


def test_one_that_is_left_after_a_move_is_refused(project: Project) -> None:
    settings = SETTINGS.replace('engine="neonps.django"', "")
    ran = project.run("-c", NOTE, settings=settings)
    assert ran.returncode == 1
    assert ran.stderr.endswith("or do not import neonps.django\n")
    assert "During handling" not in ran.stderr


def test_all_is_neonps_after_install_as_psycopg(project: Project) -> None:
    settings = "import neonps\nneonps.install_as_psycopg()" + OTHER
    program = """
        import neonps
        from psycopg.types.range import Range

        for alias in connections:
            with connections[alias].cursor() as cursor:
                cursor.execute("SELECT %s::int4range", [Range(1, 2)])
                print(alias, cursor.fetchone(), isinstance(cursor.connection, neonps.Connection))
    """
    assert project.check(NOTE + dedent(program), settings=settings, query="transport=tcp") == [
        "default (Range(1, 2, '[)'),) True",
        "other (Range(1, 2, '[)'),) True",
    ]


@pytest.mark.parametrize(
    "early", ["import django.contrib.postgres.fields", "", "from django.db.backends.postgresql import psycopg_any"]
)
def test_psycopg_came_first(early: str, project: Project) -> None:
    settings = early + ENGINE_ALONE + "INSTALLED_APPS = ['django.contrib.postgres', 'django.contrib.contenttypes']\n"
    ran = project.run("-m", "django", "check", "--database", "default", settings=settings)
    assert ran.returncode == 1
    last = ran.stderr.strip().splitlines()[-1]
    assert last.startswith("django.core.exceptions.ImproperlyConfigured: neonps.django: Django's PostgreSQL modules")
    assert 'Put "import neonps.django" on top of the settings' in last


# Settings


SHOW = """
info = connection.connection or connection.ensure_connection() or connection.connection
print(info.info.transport, info.prepare_threshold, info.info.parameter_status("application_name"))
print({name: value for name, value in connection.settings_dict["OPTIONS"].items() if name != "gateway"})
"""


def test_dj_database_url(project: Project) -> None:
    query = "transport=tcp&timeout=5&lazy=true&prepare_threshold=3&application_name=a%20b"
    assert project.check(NOTE + SHOW, query=query) == [
        "tcp 3 a b",
        "{'transport': 'tcp', 'timeout': 5, 'lazy': True, 'prepare_threshold': 3, 'application_name': 'a b'}",
    ]


def test_django_environ(project: Project) -> None:
    settings = """
        import environ
        import neonps.django

        DATABASES = {"default": environ.Env().db_url(engine="neonps.django")}
    """
    query = "transport=websocket&timeout=5&lazy=true&prepare_threshold=3&conn_max_age=60"
    program = NOTE + SHOW + "print(connection.settings_dict['CONN_MAX_AGE'])"
    assert project.check(program, settings=settings, query=query) == [
        "websocket 3 ",
        "{'transport': 'websocket', 'timeout': 5, 'lazy': 'true', 'prepare_threshold': 3}",
        "60",
    ]


def test_a_service(project: Project, tmp_path: Path) -> None:
    at = psycopg.conninfo.conninfo_to_dict(project.dsn)
    gateway = project.url.partition("gateway=")[2]
    file = tmp_path / "services"
    lines = ["[shop]", *(f"{name}={value}" for name, value in at.items()), f"gateway={gateway}"]
    file.write_text("\n".join(lines), encoding="utf-8")
    settings = """
        import neonps.django

        DATABASES = {"default": {"ENGINE": "neonps.django", "OPTIONS": {"service": "shop"}}}
    """
    program = NOTE + "print(Note.objects.count(), connection.connection.info.transport)"
    assert project.check(program, settings=settings, PGSERVICEFILE=str(file)) == ["0 websocket"]


@pytest.mark.parametrize("query", ["", "lazy=true", "transport=tcp", "transport=http"])
def test_a_wrong_password_is_said_each_time(query: str, project: Project) -> None:
    settings = SETTINGS + "DATABASES['default']['PASSWORD'] = 'not this one'\n"
    lines = project.check(NOTE + "for _ in '12': print(raised(Note.objects.count))", settings=settings, query=query)
    text = "\n".join(lines)
    assert text.count("OperationalError: ") == text.count("password authentication failed") == 2
    assert "not this one" not in text


def test_unknown_and_wrong_options(project: Project) -> None:
    lines = project.check(NOTE + "print(raised(Note.objects.count))", query="gatewey=x")
    assert lines == ['ProgrammingError: invalid connection option "gatewey"']
    (line,) = project.check(NOTE + "print(raised(Note.objects.count))", query="transport=udp")
    assert 'invalid transport value: "udp"' in line


def test_a_server_that_is_not_there(project: Project) -> None:
    settings = SETTINGS + "DATABASES['default']['OPTIONS']['gateway'] = 'http://127.0.0.1:1'\n"
    (line,) = project.check(NOTE + "print(raised(Note.objects.count))", settings=settings)
    assert line.startswith("OperationalError: ")
    assert "127.0.0.1:1" in line


# Commands


PSQL = """#!{python}
import os, sys
print(sys.argv[1:], sorted(name for name in os.environ if name.startswith("PG")))
"""


@pytest.mark.parametrize("transport", ["tcp", "websocket"])
def test_dbshell(transport: str, project: Project, tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    psql = programs / "psql"
    psql.write_text(PSQL.format(python=sys.executable), encoding="utf-8")
    psql.chmod(0o755)
    query = f"transport={transport}&sslmode=disable"
    ran = project.run("-m", "django", "dbshell", "--", "-c", "select 1", query=query, PATH=str(programs))
    at = psycopg.conninfo.conninfo_to_dict(project.dsn)
    words = ["-U", at["user"], "-h", at["host"], "-p", at["port"], "-c", "select 1", at["dbname"]]
    assert ran.stdout == f"{words} ['PGPASSWORD', 'PGSSLMODE']\n"
    notice = f"psql cannot use transport=websocket: it connects over TCP to {at['host']}, port {at['port']}\n"
    assert ran.stderr == ("" if transport == "tcp" else notice)


@pytest.mark.skipif(shutil.which("psql") is None, reason="there is no psql on this machine")
def test_dbshell_with_psql(project: Project) -> None:
    ran = project.run("-m", "django", "dbshell", "--", "-A", "-t", "-c", "select 6 * 7", PATH="/usr/bin:/bin")
    assert ran.stdout == "42\n", ran.stderr


def test_a_test_database_is_made_and_dropped(project: Project) -> None:
    settings = SETTINGS + "INSTALLED_APPS = ['django.contrib.contenttypes']\n"
    name = psycopg.conninfo.conninfo_to_dict(project.dsn)["dbname"]
    program = f"""
        import django
        django.setup()
        from django.db import connection
        from django.test.utils import setup_databases, teardown_databases

        def names():
            with connection.cursor() as cursor:
                cursor.execute("SELECT datname FROM pg_database WHERE datname LIKE %s ORDER BY 1", ["%{name}%"])
                return [row[0] for row in cursor]

        made = setup_databases(verbosity=0, interactive=False, parallel=2)
        print(names())
        teardown_databases(made, verbosity=0, parallel=2)
        print(connection.settings_dict["NAME"], names())
    """
    made = [name, *(f"test_{name}{suffix}" for suffix in ("", "_1", "_2"))]
    assert project.check(program, settings=settings) == [str(made), f"{name} {[name]}"]


def test_flush(project: Project) -> None:
    settings = SETTINGS + "INSTALLED_APPS = ['django.contrib.contenttypes']\n"
    for command in (["migrate"], ["flush", "--noinput"], ["check", "--database", "default"]):
        ran = project.run("-m", "django", *command, settings=settings)
        assert ran.returncode == 0, ran.stderr
    ran = project.run("-m", "django", "inspectdb", "notes_note", settings=settings)
    assert "    text = models.CharField(unique=True, max_length=20, blank=True, null=True)\n" in ran.stdout
