"""The official JavaScript driver on the gateway: it has to bring what `pg` brings over TCP."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest

from neonps.embedded import EmbeddedPostgres
from neonps.gateway import Gateway

HERE = Path(__file__).parent / "javascript"
SCRIPT = HERE / "cases.js"
CASES = re.findall(r"^  async (\w+)\(\) \{$", SCRIPT.read_text(encoding="utf-8"), re.MULTILINE)

#: How long npm may take to install the packages, in seconds.
INSTALL_TIMEOUT = 90


def cache_dir() -> Path:
    """Where the installed packages stay for the next time, by what is to be installed."""
    wanted = (HERE / "package.json").read_bytes()
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "neonps" / f"javascript-{hashlib.sha256(wanted).hexdigest()[:16]}"


@pytest.fixture(scope="module")
def modules() -> Path:
    """The directory with the packages that the script needs."""
    npm = shutil.which("npm")
    if shutil.which("node") is None or npm is None:
        pytest.skip("Node and npm are not installed")
    installed = cache_dir()
    if not installed.exists():
        installed.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=installed.parent) as temporary:
            directory = Path(temporary) / "new"
            directory.mkdir()
            shutil.copy(HERE / "package.json", directory)
            command = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts"]
            try:
                done = subprocess.run(
                    command, cwd=directory, capture_output=True, encoding="utf-8", timeout=INSTALL_TIMEOUT
                )
            except subprocess.TimeoutExpired:
                pytest.skip(f"npm could not install the packages within {INSTALL_TIMEOUT} seconds")
            if done.returncode:
                pytest.skip(f"npm could not install the packages: {done.stderr.strip()[-500:]}")
            with suppress(OSError):  # another run was faster, and its directory is as good as this one
                directory.rename(installed)
    return installed / "node_modules"


@pytest.mark.parametrize("case", CASES)
def test_the_official_driver(modules: Path, gateway: Gateway, postgres: EmbeddedPostgres, case: str) -> None:
    environment = {
        **os.environ,
        "NODE_PATH": str(modules),
        "DATABASE_URL": postgres.url,
        "GATEWAY": gateway.url,
        "TZ": "UTC",
    }
    done = subprocess.run(
        ["node", str(SCRIPT), case], env=environment, capture_output=True, encoding="utf-8", timeout=60
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["neon"] == found["pg"]
    assert found["neon"]
