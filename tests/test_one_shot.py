"""The example of one-shot queries."""

from __future__ import annotations

import psycopg
import pytest
from pages import run

ONE_SHOT = """\
(200, {'id': 1, 'title': 'Hello'}) (404, 'not found')
['Hello', 'Over HTTP'] ['Over HTTP']
UPDATE 1 / UPDATE 0
nothing added: Key (id)=(1) already exists. / 1 added
[[3], ['Third']]
"""


def test_one_shot_queries(url: str, admin: psycopg.Connection[object]) -> None:
    ran = run("-X", "dev", "-W", "error", "examples/one_shot.py", url=url)
    assert ran.stderr == ""
    assert ran.returncode == 0
    assert ran.stdout == ONE_SHOT
    assert admin.execute("select to_regclass('neonps_posts')").fetchone() == (None,)


@pytest.mark.parametrize(
    ("url", "why"), [(None, "Set DATABASE_URL"), ("postgresql://u:p@localhost/d?gateway=http://127.0.0.1:1", "refused")]
)
def test_it_says_why_it_cannot_start(url: str | None, why: str) -> None:
    ran = run("examples/one_shot.py", url=url)
    assert ran.returncode == 1
    assert ran.stdout == ""
    assert why in ran.stderr
    assert ran.stderr.count("\n") == 1
