"""The size of a deployment package: the project with its dependencies stays small."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from pages import ROOT, run

#: In bytes, for all files, and for the ZIP archive that is deployed.
UNPACKED, PACKED = 2_200_000, 800_000


def test_a_deployment_package_is_small(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("package_size", ROOT / "examples" / "package_size.py")
    assert spec is not None
    assert spec.loader is not None
    package_size = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(package_size)
    target = tmp_path / "package"
    package_size.install(str(ROOT), target)
    installed = {path.name for path in target.iterdir()}
    assert {"neonps", "h11", "wsproto", "scramp"} <= installed
    assert not list(target.rglob("*.so"))
    unpacked, packed = package_size.measure(target)
    assert packed < PACKED
    assert packed < unpacked < UNPACKED


@pytest.mark.parametrize("requirement", ["./nowhere", "no such name"])
def test_what_cannot_be_installed(requirement: str) -> None:
    ran = run("-X", "dev", "-W", "error", "examples/package_size.py", requirement, url=None)
    assert ran.returncode == 1
    assert ran.stderr.startswith(f"pip could not install {requirement}: ")
    assert "Traceback" not in ran.stderr
