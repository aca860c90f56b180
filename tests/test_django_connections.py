"""How the Django backend keeps connections: persistent ones, pools, under ASGI, and those that are lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django_project import NOTE, SETTINGS, WITHOUT_PSYCOPG, Project, new_project
from relay import Relay

from neonps.embedded import EmbeddedPostgres


@pytest.fixture
def project(url: str, tmp_path: Path, admin: psycopg.Connection[Any]) -> Iterator[Project]:
    with new_project(url, tmp_path, admin) as project:
        yield project


#: A site: two views, and what makes a request as a server does, by ASGI and by WSGI.
SITE = """
import asyncio
from wsgiref.util import setup_testing_defaults

import django
django.setup()
import neonps
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.db import connection
from django.http import HttpResponse
from django.urls import path

def pid():
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return cursor.fetchone()[0]

def in_a_thread(request):
    return HttpResponse(str(pid()))

async def asynchronous(request):
    found = await asyncio.gather(*(asyncio.to_thread(in_its_own_thread) for _ in range(3)))
    return HttpResponse(",".join(map(str, found)))

def in_its_own_thread():
    try:
        return pid()
    finally:
        connection.close()

urlpatterns = [path("sync", in_a_thread), path("async", asynchronous)]

async def get(path):
    answer = []

    async def receive():
        if not answer:
            answer.append(None)
            return {"type": "http.request"}
        await asyncio.Event().wait()

    async def send(message):
        answer.append(message)

    scope = {"type": "http", "method": "GET", "path": path, "headers": [], "query_string": b""}
    await get_asgi_application()(scope, receive, send)
    return answer[1]["status"], answer[2]["body"].decode()

def get_by_wsgi(path):
    environ = {"PATH_INFO": path}
    setup_testing_defaults(environ)
    response = get_wsgi_application()(environ, lambda status, headers: None)
    try:
        return response.status_code, b"".join(response).decode()
    finally:
        response.close()

def kill_all():
    with neonps.connect(URL, autocommit=True) as killer:
        killer.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name = 'site'"
        )
"""
SITE_SETTINGS = """
ALLOWED_HOSTS = ["*"]
DATABASES["default"]["OPTIONS"]["application_name"] = "site"
ROOT_URLCONF = "__main__"
MIDDLEWARE = []
LOGGING_CONFIG = None
"""
REQUESTS = """
async def main():
    asyncio.get_running_loop().slow_callback_duration = float("inf")
    first = await get("/sync")
    second = await get("/sync")
    print(first[0], first == second)
    kill_all()
    third = await get("/sync")
    print(third[0], third != first)
    status, found = await get("/async")
    print(status, len(set(found.split(","))))

asyncio.run(main())
"""


def run_site(project: Project, settings: str, program: str) -> list[str]:
    return project.check(SITE.replace("URL", repr(project.url)) + program, settings=SETTINGS + SITE_SETTINGS + settings)


def test_persistent_connections(project: Project) -> None:
    settings = "DATABASES['default'].update(CONN_MAX_AGE=None, CONN_HEALTH_CHECKS=True)\n"
    program = """
first, second = get_by_wsgi("/sync"), get_by_wsgi("/sync")
print(first[0], first == second)
kill_all()
third = get_by_wsgi("/sync")
print(third[0], third != first, third == get_by_wsgi("/sync"))
connection.close()
"""
    assert run_site(project, settings, program) == ["200 True", "200 True True"]


def test_connections_end_with_the_request_under_asgi(project: Project) -> None:
    assert run_site(project, "", REQUESTS) == ["200 False", "200 True", "200 3"]


def test_a_pool_under_asgi(project: Project) -> None:
    settings = """
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DATABASES["default"]["OPTIONS"]["pool"] = {"min_size": 1, "max_size": 1}
"""
    program = REQUESTS.replace("asyncio.run(main())", "asyncio.run(main())\nprint(type(connection.pool).__module__)")
    lines = run_site(project, settings, program + "connection.close_pool()\n")
    assert lines == ["200 True", "200 True", "200 1", "neonps._psycopg_pool.pool"]


def test_a_pool_without_psycopg(project: Project) -> None:
    settings = SETTINGS + "DATABASES['default']['OPTIONS']['pool'] = True\n"
    program = "Note.objects.create(text='x')\nprint(Note.objects.count())\nconnection.close_pool()\n"
    assert project.check(WITHOUT_PSYCOPG + NOTE + program, settings=settings) == ["1"]


def test_a_pool_that_cannot_be(project: Project) -> None:
    settings = SETTINGS + "DATABASES['default']['OPTIONS']['pool'] = True\n"
    program = NOTE + "print(raised(Note.objects.count))"
    lines = project.check("import sys\nsys.modules['psycopg_pool'] = None\n" + program, settings=settings)
    assert lines == ["ImproperlyConfigured: neonps.pool needs psycopg_pool: pip install 'neonps[pool]'"]
    lines = project.check(program, settings=settings + "DATABASES['default']['CONN_MAX_AGE'] = 60\n")
    assert lines == ["ImproperlyConfigured: Pooling doesn't support persistent connections."]


LOST = """
from django.db import close_old_connections
from django.db.utils import Error
from psycopg import connect

def kill():
    with connect(DSN, autocommit=True) as killer:
        killer.execute("SELECT pg_terminate_backend(%s, 5000)", [connection.connection.info.backend_pid])

Note.objects.create(text="one")
kill()
print(raised(Note.objects.count).partition(":")[0], connection.is_usable())
close_old_connections()
print(Note.objects.count())
try:
    with transaction.atomic():
        Note.objects.create(text="in a transaction")
        kill()
        Note.objects.count()
except Error as error:
    print(type(error).__name__, connection.in_atomic_block)
close_old_connections()
print(Note.objects.count(), connection.is_usable())
"""


@pytest.mark.parametrize("query", ["", "lazy=true", "transport=tcp"])
def test_a_killed_backend(query: str, project: Project) -> None:
    assert project.check(NOTE + f"DSN = {project.dsn!r}" + LOST, query=query) == [
        "OperationalError False",
        "1",
        "OperationalError False",
        "1 True",
    ]


UNKNOWN = """
from django.db import OperationalError

ran = []
Note.objects.count()
port = connection.settings_dict["PORT"]
try:
    with transaction.atomic():
        transaction.on_commit(lambda: ran.append("hook"))
        Note.objects.create(text="committed")
        connection.settings_dict["PORT"] = 1  # where nobody is: the server has gone
except OperationalError as error:
    print(error.__cause__.outcome_unknown, "It is unknown whether" in str(error), connection.connection, ran)
print(raised(Note.objects.count).partition(":")[0])
connection.settings_dict["PORT"] = port
print(connection.get_autocommit(), Note.objects.count())
with transaction.atomic():
    Note.objects.create(text="next")
print(ran)
"""


def test_a_commit_that_is_lost_with_the_server(project: Project, postgres: EmbeddedPostgres) -> None:
    """Django opens another connection behind it; that this fails is not what the program is to hear."""
    with Relay(postgres.host, postgres.port) as relay:
        relay.cut_at(b"COMMIT")
        settings = SETTINGS + f"DATABASES['default']['PORT'] = {relay.port}\n"
        lines = project.check(NOTE + UNKNOWN, settings=settings, query="transport=tcp")
    assert lines == ["True True None []", "OperationalError", "True 1", "[]"]
    assert project.notes == ["committed", "next"]


INTERRUPTED = """
import os, signal, threading
from psycopg import connect

def interrupt():
    with connect(DSN, autocommit=True) as watcher:
        query = "SELECT FROM pg_stat_activity WHERE query = 'COMMIT' AND wait_event = 'PgSleep'"
        while watcher.execute(query).fetchone() is None:
            pass
    os.kill(os.getpid(), signal.SIGINT)

ran = []
threading.Thread(target=interrupt).start()
try:
    with transaction.atomic():
        transaction.on_commit(lambda: ran.append("of what was undone"))
        Note.objects.create(text="undone")
except KeyboardInterrupt:
    print("interrupted")
with transaction.atomic():
    transaction.on_commit(lambda: ran.append("of what was done"))
print(Note.objects.count(), ran)
"""


def test_ctrl_c_in_a_commit(project: Project) -> None:
    """Hooks of a transaction that was undone do not run behind the next one."""
    project.admin.execute(
        "create function rest() returns trigger language plpgsql as 'begin perform pg_sleep(60); end'"
    )
    project.admin.execute(
        "create constraint trigger rest after insert on notes_note initially deferred for each row"
        " execute function rest()"
    )
    lines = project.check(NOTE + f"DSN = {project.dsn!r}" + INTERRUPTED)
    assert lines == ["interrupted", "0 ['of what was done']"]


CURSORS = """
Note.objects.bulk_create(Note(text=str(number)) for number in range(25))
notes = Note.objects.order_by("id").iterator(chunk_size=10)
print(next(notes).text, sum(1 for _ in notes))
with connection.cursor() as cursor:
    cursor.execute("SELECT count(*) FROM pg_cursors")
    print(cursor.fetchone())
"""


@pytest.mark.parametrize("binding", [False, True])
def test_server_side_cursors(binding: bool, project: Project) -> None:
    options = f"DATABASES['default']['OPTIONS']['server_side_binding'] = {binding}\n"
    assert project.check(NOTE + CURSORS, settings=SETTINGS + options) == ["0 24", "(0,)"]
