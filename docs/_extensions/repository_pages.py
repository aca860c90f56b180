"""Pages of the repository as pages of the site: what they include, where their links lead, and which ones there are.

In the repository a link leads to a file. Where the site has another page for that file, the link leads there: from a
module to its reference, from the README and the changelog to the pages that include them. What is in the repository
alone, such as an example, has no link on the site, nor has a directory.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

DOCS = Path(__file__).parent.parent
ROOT = DOCS.parent

#: The pages that stand for files outside of `docs/`.
_pages = {"README.md": "readme.md", "CHANGELOG.md": "changelog.md"}

_include = re.compile(r"^```\{include\} (?P<file>\S+)\n```$", re.MULTILINE)
_fenced = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)
_link = re.compile(r"\[(?P<text>[^\]]*)\]\((?!\w+:|#)(?P<file>[^)#\s]+)(?P<heading>#[^)\s]*)?\)")
_entry = re.compile(r"^(?P<pattern>howto/\S+)\n", re.MULTILINE)


def read(app: Sphinx, docname: str, source: list[str]) -> None:
    """Make the page of the site from that of the repository (Sphinx's event `source-read`)."""
    page = Path(app.env.doc2path(docname))
    if page.suffix != ".md":
        return

    def include(match: re.Match[str]) -> str:
        included = (page.parent / match["file"]).resolve()
        app.env.note_dependency(str(included))
        return _with_links(included.read_text(encoding="utf-8"), included.parent, page.parent)

    text = _with_links(source[0], page.parent, page.parent)
    text = _include.sub(include, text)
    if docname == "index":
        text = _with_how_tos(text, sorted(app.env.found_docs))
    source[0] = text


def _with_links(text: str, written_in: Path, shown_in: Path) -> str:
    """A text whose links, which count from one directory, lead to pages of the site from another."""

    def lead(match: re.Match[str]) -> str:
        page = _page_of(Path(os.path.normpath(written_in / match["file"])))
        if page is None:
            return match["text"]
        return f"[{match['text']}]({os.path.relpath(page, shown_in)}{match['heading'] or ''})"

    # Links are links in the text between the programs only.
    parts = _fenced.split(text)
    parts[::2] = [_link.sub(lead, part) for part in parts[::2]]
    return "".join(parts)


def _page_of(file: Path) -> Path | None:
    """The page of the site for a file of the repository, if there is one."""
    name = os.path.relpath(file, ROOT)
    if name in _pages:
        return DOCS / _pages[name]
    if DOCS in file.parents:
        return None if file.is_dir() else file
    reference = DOCS / "reference" / f"{file.stem}.md"
    return reference if name == os.path.join("neonps", file.name) and reference.exists() else None


def _with_how_tos(text: str, docnames: list[str]) -> str:
    """The start page, with the how-to pages that there are, and `howto/*` for all that it does not name itself."""
    named = [match["pattern"] for match in _entry.finditer(text)]
    others = [name for name in docnames if name.startswith("howto/") and name not in named]

    def entry(match: re.Match[str]) -> str:
        if match["pattern"] == "howto/*":
            return "".join(f"{name}\n" for name in others)
        return match[0] if match["pattern"] in docnames else ""

    return _entry.sub(entry, text)


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("source-read", read)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
