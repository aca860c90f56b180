"""Which drivers there are to compare with, on this machine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

SCRIPT = Path(__file__).parent / "latency.js"

#: What psycopg is to all tables: the driver that the others are compared with.
PSYCOPG = "psycopg (C)"


class Peer(NamedTuple):
    """A driver, to be compared with neonps.

    Attributes:
        name: as the tables have it.
        driver: its name in `drivers.DRIVERS`.
        check: what Python has to be able to run for it to be there.
        variables: of the environment, for it and for the check.
        package: what to install.
    """

    name: str
    driver: str
    check: str
    variables: dict[str, str]
    package: str


ALL = [
    Peer(PSYCOPG, "psycopg", "import psycopg", {"PSYCOPG_IMPL": "binary"}, "pip install 'psycopg[binary]'"),
    Peer(
        "psycopg (Python)",
        "psycopg",
        "import psycopg",
        {"PSYCOPG_IMPL": "python"},
        "pip install psycopg, and libpq of the system",
    ),
    Peer("pg8000", "pg8000", "import pg8000.dbapi", {}, "pip install pg8000"),
    Peer("asyncpg", "asyncpg", "import asyncpg", {}, "pip install asyncpg"),
    Peer("neon-serverless", "neon-serverless", "import neon_serverless", {}, "pip install neon-serverless"),
]

#: What they are called by pip.
PACKAGES = ("psycopg", "psycopg-binary", "pg8000", "asyncpg", "neon-serverless")


def installed(peers: Sequence[Peer]) -> Iterator[tuple[Peer, bool]]:
    """Each of these peers, and whether it is there."""
    for peer in peers:
        command = [sys.executable, "-c", peer.check]
        done = subprocess.run(command, env={**os.environ, **peer.variables}, capture_output=True)
        yield peer, done.returncode == 0


#: Prints where the `package.json` of each JavaScript driver is, of what it needs too; fails if one is missing.
FIND = """
const fs = require('fs');
const path = require('path');
const found = {};
for (const name of ['@neondatabase/serverless', 'pg', 'ws']) {
  let directory = path.dirname(require.resolve(name));
  while (!directory.endsWith(path.join('node_modules', name))) directory = path.dirname(directory);
  found[name] = path.join(directory, 'package.json');
}
console.log(JSON.stringify(found));
"""


def javascript_packages() -> dict[str, str]:
    """The JavaScript drivers and what they need, with the paths of their descriptions; empty if one is missing."""
    if shutil.which("node") is None:
        return {}
    done = subprocess.run(["node", "-e", FIND], cwd=SCRIPT.parent, capture_output=True, encoding="utf-8")
    found: dict[str, str] = json.loads(done.stdout) if done.returncode == 0 else {}
    return found
