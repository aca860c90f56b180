"""How large a deployment package is: what pip installs for a function, as files and as a ZIP archive.

    python examples/package_size.py [REQUIREMENT...]

For each requirement, a name on PyPI or a directory, it says how many bytes pip installs with all dependencies. Without
arguments it compares neonps, from this checkout, with psycopg.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent

#: What a function does not need: pip's own notes, and commands.
SUPERFLUOUS = ("bin", "*.dist-info/RECORD", "*.dist-info/INSTALLER", "*.dist-info/REQUESTED")


def install(requirement: str, target: Path) -> None:
    """Install a requirement with its dependencies, as a deployment package has them."""
    with tempfile.TemporaryDirectory() as temporary:
        source = requirement
        if Path(requirement).is_dir():  # a copy: building leaves files behind
            source = f"{temporary}/source"
            ignore = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "build", "tests", "benchmarks")
            shutil.copytree(requirement, source, ignore=ignore)
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", "--target", str(target), source]
        done = subprocess.run(command, capture_output=True, encoding="utf-8")
    if done.returncode:
        sys.exit(f"pip could not install {requirement}: {done.stderr.strip()[-500:]}")
    for pattern in SUPERFLUOUS:
        for path in target.glob(pattern):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def measure(target: Path) -> tuple[int, int]:
    """The bytes of all files below a directory, and those of a ZIP archive of it."""
    unpacked = sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
    with tempfile.TemporaryDirectory() as temporary:
        archive = shutil.make_archive(f"{temporary}/package", "zip", target)
        return unpacked, Path(archive).stat().st_size


def contents(target: Path) -> str:
    """What is installed, with versions."""
    names = sorted(path.name.removesuffix(".dist-info").replace("-", " ") for path in target.glob("*.dist-info"))
    return ", ".join(names)


def main() -> None:
    parser = argparse.ArgumentParser(description="How large a deployment package is.")
    parser.add_argument("requirement", nargs="*", default=[str(CHECKOUT), "psycopg[binary]"])
    print(f"{'unpacked':>12} {'with .pyc':>12} {'ZIP':>12} {'with .pyc':>12}")
    for requirement in parser.parse_args().requirement:
        with tempfile.TemporaryDirectory() as temporary:
            target = Path(temporary) / "package"
            install(requirement, target)
            sizes = measure(target)
            compileall = [sys.executable, "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash"]
            subprocess.run([*compileall, str(target)], check=True)
            compiled = measure(target)
            figures = (sizes[0], compiled[0], sizes[1], compiled[1])
            print(*(f"{size / 1e6:>9.2f} MB" for size in figures), "", contents(target))


if __name__ == "__main__":
    main()
