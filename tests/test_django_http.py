"""The Django backend over HTTP: what works in autocommit mode does, and what needs a transaction is refused at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import psycopg
import pytest
from django_project import NOTE, SETTINGS, Project, new_project

HTTP = {"query": "transport=http"}
APPS = SETTINGS + "INSTALLED_APPS = ['django.contrib.contenttypes', 'django.contrib.auth']\n"


@pytest.fixture
def project(url: str, tmp_path: Path, admin: psycopg.Connection[Any]) -> Iterator[Project]:
    with new_project(url, tmp_path, admin) as project:
        yield project


def test_single_statements(project: Project) -> None:
    program = """
        import asyncio
        from asgiref.sync import sync_to_async
        from django.db.models import F, Max

        calls = []
        one = Note.objects.create(text="one")
        Note.objects.create(text="two")
        one.text = "first"
        one.save()
        print(Note.objects.get(pk=one.pk).text, Note.objects.filter(text="two").update(text="second"))
        transaction.on_commit(lambda: calls.append("at once"))
        print(calls, one.delete(), Note.objects.aggregate(Max("text")))
        with connection.cursor() as cursor:
            cursor.executemany("INSERT INTO notes_note (text) VALUES (%s)", [["a"], ["b"], ["c"]])
            cursor.callproc("upper", ["x"])
            print(cursor.fetchone())
        print([note.text for note in Note.objects.order_by("text").iterator(chunk_size=2)])
        print([note.text for note in Note.objects.raw("SELECT * FROM notes_note WHERE text = %s", ["a"])])

        async def asynchronous():
            await Note.objects.acreate(text="async")
            found = [note.text async for note in Note.objects.filter(text__startswith="a").order_by("text")]
            await sync_to_async(connections.close_all)()  # those of the thread that Django works in
            return found

        print(asyncio.run(asynchronous()))
        print(connection.pg_version >= 140000, connection.is_usable(), Note.objects.get_or_create(text="a")[1])
        connection.close()
        print(Note.objects.count())
    """
    assert project.check(NOTE + dedent(program), **HTTP) == [
        "first 1",
        "['at once'] (1, {'notes.Note': 1}) {'text__max': 'second'}",
        "('X',)",
        "['a', 'b', 'c', 'second']",
        "['a']",
        "['a', 'async']",
        "True True False",
        "5",
    ]


#: What needs a transaction, and changes something if it is done without.
TRANSACTIONS = """
def atomic():
    with transaction.atomic():
        Note.objects.create(text="not to be")

@transaction.atomic(durable=True)
def decorated():
    Note.objects.create(text="not to be")

def create_table():
    with connection.schema_editor() as editor:
        editor.execute("CREATE TABLE other (a int)")

def locked():
    with transaction.atomic():
        list(Note.objects.select_for_update())

Note.objects.create(text="is there")
for function in (
    atomic,
    decorated,
    create_table,
    locked,
    lambda: transaction.set_autocommit(False),
    lambda: connection.set_autocommit(False),
    lambda: Note.objects.bulk_create([Note(text="x"), Note(text="y")], batch_size=1),
    lambda: Note.objects.bulk_update(Note.objects.all(), ["text"]),
    lambda: Note.objects.get_or_create(text="new"),
    lambda: Note.objects.update_or_create(text="is there", defaults={"text": "changed"}),
    lambda: Note.objects.all().delete(),
    lambda: cache.set("key", "value"),
):
    message = raised(function)
    assert message and message.startswith("TransactionsNotSupported: a transaction (atomic(), or "), message
    assert not connection.in_atomic_block and not connection.needs_rollback and connection.get_autocommit()
print(raised(lambda: list(Note.objects.select_for_update())))
print(raised(connection.check_constraints))
with connection.cursor() as cursor:
    for statement in ("BEGIN", "SET statement_timeout = 1", "SAVEPOINT a", "LISTEN a"):
        print(raised(cursor.execute, statement).partition(":")[0])
    print(raised(cursor.copy, "COPY notes_note FROM STDIN").partition(":")[0])
print(Note.objects.get().text)
"""
CACHE = """
CACHES = {"default": {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "cache"}}
"""


def test_transactions_are_refused_before_anything_is_sent(project: Project) -> None:
    project.admin.execute("create table cache (cache_key varchar primary key, value text, expires timestamptz)")
    lines = project.check(
        NOTE + "from django.core.cache import cache" + TRANSACTIONS, settings=SETTINGS + CACHE, **HTTP
    )
    assert lines == [
        "TransactionManagementError: select_for_update cannot be used outside of a transaction.",
        lines[1],
        *["NotSupportedError"] * 5,
        "is there",
    ]
    assert lines[1].startswith("NotSupportedError: SET ")
    assert project.notes == ["is there"]
    assert project.admin.execute("select count(*) from cache").fetchone() == (0,)


def tables(project: Project) -> list[str]:
    return [row[0] for row in project.admin.execute("select tablename from pg_tables where schemaname = 'public'")]


def test_commands(project: Project, tmp_path: Path) -> None:
    fixture = tmp_path / "fixture.json"
    fixture.write_text('[{"model": "auth.group", "fields": {"name": "x", "permissions": []}}]', encoding="utf-8")
    program = f"""
        from django.core.management import call_command
        from django.test.utils import setup_databases

        for command in (["migrate"], ["flush", "--noinput"], ["loaddata", {str(fixture)!r}], ["createcachetable", "c"]):
            print(str(raised(call_command, *command, verbosity=0)).partition(" (")[0].splitlines()[0])
        print(raised(setup_databases, verbosity=0, interactive=False).partition(": tests need")[0])
    """
    assert project.check(NOTE + dedent(program), settings=APPS, **HTTP) == [
        "TransactionsNotSupported: a transaction",
        f"CommandError: Database {psycopg.conninfo.conninfo_to_dict(project.dsn)['dbname']} couldn't be flushed. "
        "Possible reasons:",
        "TransactionsNotSupported: a transaction",
        "TransactionsNotSupported: a transaction",
        "ImproperlyConfigured: neonps.django",
    ]
    assert tables(project) == ["notes_note"]
    assert project.admin.execute("select from pg_database where datname ~ 'test_project'").fetchall() == []
    assert project.run("-m", "django", "migrate", settings=APPS).returncode == 0
    program = """
        from django.core.management import call_command
        from django.contrib.auth.models import Group, User

        call_command("check", databases=["default"])
        Group.objects.create(name="them")
        call_command("createsuperuser", username="root", email="root@example.com", interactive=False, verbosity=0)
        call_command("dumpdata", "auth.group")
        call_command("inspectdb", "notes_note")
        call_command("showmigrations", "contenttypes", no_color=True)
    """
    lines = project.check(NOTE + dedent(program), settings=APPS, **HTTP)
    assert lines[0] == "System check identified no issues (0 silenced)."
    assert lines[1].startswith('[{"model": "auth.group", "pk": 1, "fields": {"name": "them", "permissions": []}}]')
    assert "    text = models.CharField(unique=True, max_length=20, blank=True, null=True)" in lines
    assert lines[-1] == " [X] 0002_remove_content_type_name"


def test_settings_that_need_a_session(project: Project) -> None:
    program = """
        for name in ("AUTOCOMMIT", "ATOMIC_REQUESTS"):
            connections.settings["default"][name] = not connections.settings["default"][name]
            print(raised(connections.create_connection("default").ensure_connection).partition(" needs")[0])
            connections.settings["default"][name] = not connections.settings["default"][name]
        for name, value in {"assume_role": "postgres", "isolation_level": 4, "pool": True}.items():
            connections.settings["default"]["OPTIONS"][name] = value
            print(raised(connections.create_connection("default").ensure_connection).partition(" needs")[0])
            del connections.settings["default"]["OPTIONS"][name]
        good = connections.create_connection("default")
        print(raised(good.ensure_connection))
        good.close()
    """
    names = ["AUTOCOMMIT=False", "ATOMIC_REQUESTS", "assume_role", "isolation_level", "pool"]
    expected = [f"ImproperlyConfigured: neonps.django: {name}" for name in names]
    assert project.check(NOTE + dedent(program), **HTTP) == [*expected, "None"]


TIMES = """
from datetime import datetime, timezone

naive = datetime(2024, 7, 1, 12, 30)
at = naive.replace(tzinfo=timezone.utc) if settings.USE_TZ else naive
Note.objects.create(text="noon", at=at)
print(Note.objects.get().at, Note.objects.filter(at__hour=12, at__date=naive.date(), at=at).count())
"""


@pytest.mark.parametrize(
    ("zone", "loaded", "stored"),
    [
        ("USE_TZ = True\nTIME_ZONE = 'UTC'", "2024-07-01 12:30:00+00:00", "2024-07-01 12:30:00"),
        ("USE_TZ = False\nTIME_ZONE = 'Asia/Tokyo'", "2024-07-01 12:30:00", "2024-07-01 03:30:00"),
    ],
    ids=["aware", "naive"],
)
def test_times(zone: str, loaded: str, stored: str, project: Project) -> None:
    lines = project.check(NOTE + "from django.conf import settings" + TIMES, settings=SETTINGS + zone, **HTTP)
    assert lines == [f"{loaded} 1"]
    (at,) = project.admin.execute("select (at at time zone 'UTC')::text from notes_note").fetchall()
    assert at == (stored,)


def test_a_time_zone_that_cannot_be_set_is_refused_each_time(project: Project) -> None:
    project.admin.execute(f"alter database {project.admin.info.dbname} set timezone = 'Asia/Tokyo'")
    lines = project.check(NOTE + "for _ in '12': print(raised(Note.objects.count))", **HTTP)
    assert lines == [lines[0]] * 2
    assert "the server's time zone is 'Asia/Tokyo' where Django needs 'UTC'" in lines[0]


def test_a_batch_of_the_driver_is_a_transaction(project: Project) -> None:
    program = """
        connection.ensure_connection()
        insert = "INSERT INTO notes_note (text) VALUES (%s)"
        print(raised(connection.connection.batch, [(insert, ["one"]), (insert, ["one"])]).partition(":")[0])
        connection.connection.batch([(insert, ["one"]), (insert, ["two"])])
        print(Note.objects.count())
    """
    assert project.check(NOTE + dedent(program), **HTTP) == ["UniqueViolation", "2"]


def test_http_beside_a_session(project: Project) -> None:
    settings = """
        import dj_database_url
        import neonps.django

        DATABASES = {"default": dj_database_url.config(engine="neonps.django")}
        DATABASES["once"] = dj_database_url.config(engine="neonps.django")
        DATABASES["once"]["OPTIONS"]["transport"] = "http"
    """
    program = """
        from django.test.utils import setup_databases, teardown_databases

        with transaction.atomic():
            Note.objects.create(text="one")
            print(Note.objects.count(), Note.objects.using("once").count())
        print(Note.objects.using("once").get().text)
        made = setup_databases(verbosity=0, interactive=False)
        print(*(connections[alias].settings_dict["NAME"].startswith("test_") for alias in connections))
        teardown_databases(made, verbosity=0)
    """
    assert project.check(NOTE + dedent(program), settings=settings) == ["1 0", "one", "True True"]
