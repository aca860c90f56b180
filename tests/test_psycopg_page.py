"""What docs/psycopg.md promises: each program runs as it stands, and prints what is shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_readme import ROOT, check_program, programs

PAGE = (ROOT / "docs" / "psycopg.md").read_text(encoding="utf-8")
BLOCKS = programs(PAGE)


@pytest.mark.parametrize(("program", "output"), BLOCKS)
def test_programs_print_what_is_shown(program: str, output: str | None, url: str, tmp_path: Path) -> None:
    check_program(program, output, url, tmp_path, "-X", "dev", "-W", "error")


def test_the_page_has_programs() -> None:
    assert len(BLOCKS) >= 4
    assert PAGE.count("```python") == len(BLOCKS)
