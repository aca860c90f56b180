"""The programs that the README, SECURITY.md and the pages in `docs/` show, and how they are run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").rglob("*.md"))]

#: A program, and what it prints. What is not a whole program is fenced as `py`.
BLOCK = re.compile(
    r"^```python\n(?P<program>.*?)^```\n(?:\n```output\n(?P<output>.*?)^```\n)?", re.MULTILINE | re.DOTALL
)

#: What asyncio says under `-X dev` of a step that took longer than 0.1 seconds, as any can on a busy machine.
_slow = re.compile(r"^Executing <.*> took \d+\.\d+ seconds\n", re.MULTILINE)


def run(*arguments: str, url: str | None) -> subprocess.CompletedProcess[str]:
    """Run Python with `DATABASE_URL` set to `url`, or not set."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "NEONPS_"))}
    environment.pop("DATABASE_URL", None)
    environment.update({"PYTHONIOENCODING": "utf-8", **({} if url is None else {"DATABASE_URL": url})})
    ran = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )
    ran.stderr = _slow.sub("", ran.stderr)
    return ran
