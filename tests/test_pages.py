"""What the README and the pages in `docs/` promise: each program runs as it stands, and prints what is shown."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from pages import BLOCK, PAGES, ROOT, run

_link = re.compile(r"\[[^\]]*\]\((?!https?:)(?P<file>[^)#]*)#?(?P<heading>[^)]*)\)")
_heading = re.compile(r"^#+ (.*)$", re.MULTILINE)
_fenced = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)

each_page = pytest.mark.parametrize("page", [pytest.param(page, id=str(page.relative_to(ROOT))) for page in PAGES])


def programs() -> list[Any]:
    """The programs of all pages and what each prints, as parameters of a test."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for match in BLOCK.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            found.append(pytest.param(*match.group("program", "output"), id=f"{page.relative_to(ROOT)}, line {line}"))
    return found


@pytest.mark.parametrize(("program", "output"), programs())
def test_programs_print_what_is_shown(program: str, output: str | None, url: str, tmp_path: Path) -> None:
    path = tmp_path / "try.py"
    path.write_text(program, encoding="utf-8")
    ran = run("-X", "dev", "-W", "error", str(path), url=url)
    assert ran.stderr == ""
    assert ran.returncode == 0
    assert ran.stdout == output


@each_page
def test_all_programs_are_found(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert text.count("```python") == len(BLOCK.findall(text))


@pytest.mark.parametrize("page", ["README.md", "docs/neon.md", "docs/psycopg.md", "docs/tutorial.md"])
def test_pages_have_programs(page: str) -> None:
    assert len(BLOCK.findall((ROOT / page).read_text(encoding="utf-8"))) >= 4


def anchors(page: Path) -> set[str]:
    """What the headings of a page are called in links, as GitHub does it."""
    text = _fenced.sub("", page.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-").lower() for heading in _heading.findall(text)}


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    for match in _link.finditer(page.read_text(encoding="utf-8")):
        target = (page.parent / match["file"]).resolve() if match["file"] else page
        assert target.exists(), match[0]
        assert not match["heading"] or match["heading"] in anchors(target), match[0]


@each_page
def test_lines_are_not_longer_than_those_of_the_code(page: Path) -> None:
    text = _fenced.sub("", page.read_text(encoding="utf-8"))
    assert [line for line in text.split("\n") if len(line) > 120 and not line.startswith("|")] == []
