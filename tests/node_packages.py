"""The packages that tests run by Node: installed once, and kept for the next time."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

#: Where the scripts are, and the list of the packages that they need.
SCRIPTS = Path(__file__).parent / "javascript"

#: How long npm may take to install the packages, in seconds.
INSTALL_TIMEOUT = 90


def cache_dir() -> Path:
    """Where the installed packages stay for the next time, by what is to be installed."""
    wanted = (SCRIPTS / "package.json").read_bytes()
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "neonps" / f"javascript-{hashlib.sha256(wanted).hexdigest()[:16]}"


def node_packages() -> Path:
    """The directory with the packages; skips the test if they cannot be had."""
    npm = shutil.which("npm")
    if shutil.which("node") is None or npm is None:
        pytest.skip("Node and npm are not installed")
    installed = cache_dir()
    if not installed.exists():
        installed.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=installed.parent) as temporary:
            directory = Path(temporary) / "new"
            directory.mkdir()
            shutil.copy(SCRIPTS / "package.json", directory)
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


def node_command(packages: Path, script: str, *arguments: str, **environment: str) -> dict[str, Any]:
    """What `subprocess` needs to run a script.

    Args:
        packages: what `node_packages()` gives.
        script: its name.
        arguments, environment: what to give it.
    """
    return {
        "args": ["node", str(SCRIPTS / script), *arguments],
        "env": {**os.environ, "NODE_PATH": str(packages), "TZ": "UTC", **environment},
        "encoding": "utf-8",
    }
