"""What docs/neon.md and its example promise: each program runs as it stands, and prints what is shown."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from test_readme import ROOT, check_program, programs, run

PAGE = (ROOT / "docs" / "neon.md").read_text(encoding="utf-8")

BLOCKS = programs(PAGE)

ONE_SHOT = """\
(200, {'id': 1, 'title': 'Hello'}) (404, 'not found')
['Hello', 'Over HTTP'] ['Over HTTP']
UPDATE 1 / UPDATE 0
nothing added: Key (id)=(1) already exists. / 1 added
[[3], ['Third']]
"""


@pytest.mark.parametrize(("program", "output"), BLOCKS)
def test_programs_print_what_is_shown(program: str, output: str | None, url: str, tmp_path: Path) -> None:
    check_program(program, output, url, tmp_path, "-X", "dev", "-W", "error")


def test_the_page_has_programs() -> None:
    assert len(BLOCKS) >= 5
    assert PAGE.count("```python") == len(BLOCKS)


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
