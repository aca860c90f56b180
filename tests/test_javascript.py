"""The official JavaScript driver on the gateway: it has to bring what `pg` brings over TCP."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
from node_packages import SCRIPTS, node_command, node_packages

from neonps.embedded import EmbeddedPostgres
from neonps.gateway import Gateway

CASES = re.findall(r"^  async (\w+)\(\) \{$", (SCRIPTS / "cases.js").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.fixture(scope="module")
def packages() -> Path:
    """The directory with the packages that the script needs."""
    return node_packages()


@pytest.mark.parametrize("case", CASES)
def test_the_official_driver(packages: Path, gateway: Gateway, postgres: EmbeddedPostgres, case: str) -> None:
    command = node_command(packages, "cases.js", case, DATABASE_URL=postgres.url, GATEWAY=gateway.url)
    done = subprocess.run(**command, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["neon"] == found["pg"]
    assert found["neon"]
