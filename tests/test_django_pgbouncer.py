"""The Django backend behind a PgBouncer that gives each transaction another session of the server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
import test_pgbouncer
from django_project import NOTE, SETTINGS, TABLE, Project

pytestmark = test_pgbouncer.pytestmark
pooler = test_pgbouncer.pooler


@pytest.fixture
def project(pooler: str, tmp_path: Path, admin: psycopg.Connection[Any]) -> Iterator[Project]:
    admin.execute(TABLE)
    yield Project(f"{urlsplit(pooler).geturl()}?transport=tcp", tmp_path, admin)
    admin.execute("drop table notes_note")


PROGRAM = """
Note.objects.bulk_create(Note(text=str(number)) for number in range(30))
for _ in range(8):
    Note.objects.filter(text="1").count()
with transaction.atomic():
    print(len(list(Note.objects.iterator(chunk_size=5))))
print(len(list(Note.objects.iterator(chunk_size=5))))
"""


def test_without_server_side_cursors(project: Project) -> None:
    settings = SETTINGS + "DATABASES['default']['DISABLE_SERVER_SIDE_CURSORS'] = True\n"
    assert project.check(NOTE + PROGRAM, settings=settings) == ["30", "30"]
