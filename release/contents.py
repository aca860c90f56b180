"""Checks what is in a source archive and in a wheel: all that is checked in, and the package as it is checked in.

python release/contents.py DIRECTORY
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from email import message_from_bytes
from pathlib import Path

ROOT = Path(__file__).parent.parent

#: What is installed with the package. Their licences are in SECURITY.md.
DEPENDENCIES = {"h11", "wsproto", "scramp", 'tzdata; sys_platform == "win32"'}

#: Of use in a repository only.
NOT_ARCHIVED = {".gitignore"}


def checked_in() -> dict[str, bytes]:
    """The files of the repository."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    return {name: (ROOT / name).read_bytes() for name in listed.split("\0") if name and (ROOT / name).exists()}


def check_archive(path: Path, files: dict[str, bytes]) -> str:
    """A source archive has all files of the repository, and but for what the build makes no others."""
    with tarfile.open(path) as archive:
        top = path.name.removesuffix(".tar.gz")
        found = {}
        for member in archive.getmembers():
            assert member.isfile() or member.isdir(), f"{member.name} is neither a file nor a directory"
            if (content := archive.extractfile(member)) is not None:
                found[member.name.removeprefix(f"{top}/")] = content.read()
    made = {name for name in found if name == "PKG-INFO" or name.startswith("neonps.egg-info/")}
    wanted = files.keys() - NOT_ARCHIVED
    assert wanted <= found.keys(), f"missing in the source archive: {sorted(wanted - found.keys())}"
    assert found.keys() - made <= wanted, f"not checked in: {sorted(found.keys() - made - wanted)}"
    # setuptools writes settings of its own into a copy of setup.cfg.
    other = [name for name in wanted if found[name] != files[name] and name != "setup.cfg"]
    assert not other, f"other than checked in: {other}"
    return f"{path.name}: {path.stat().st_size:,} bytes, {len(found)} files, all that is checked in"


def check_wheel(path: Path, files: dict[str, bytes]) -> str:
    """A wheel has the package, byte for byte, and what describes it."""
    with zipfile.ZipFile(path) as wheel:
        found = {info.filename: wheel.read(info) for info in wheel.infolist()}
    described = {name: content for name, content in found.items() if ".dist-info/" in name}
    package = {name: content for name, content in files.items() if name.startswith("neonps/")}
    assert found.keys() - described.keys() == package.keys(), sorted(found.keys() - described.keys() ^ package.keys())
    assert all(found[name] == content for name, content in package.items())
    assert "neonps/py.typed" in found
    [metadata] = [message_from_bytes(content) for name, content in described.items() if name.endswith("/METADATA")]
    [licence] = [content for name, content in described.items() if name.endswith("/LICENSE")]
    assert licence == files["LICENSE"]
    assert metadata["Requires-Python"] == ">=3.10"
    needed = [text for text in metadata.get_all("Requires-Dist", []) if "extra ==" not in text]
    assert {_without_version(text) for text in needed} == DEPENDENCIES, needed
    size = sum(len(content) for content in found.values())
    return f"{path.name}: {path.stat().st_size:,} bytes, {size:,} unpacked, {len(found)} files, as checked in"


def _without_version(requirement: str) -> str:
    """A requirement as `name` or `name; condition`."""
    name, semicolon, condition = requirement.partition(";")
    return name.split(">")[0].strip() + semicolon + condition


def main() -> None:
    [directory] = sys.argv[1:]
    files = checked_in()
    [archive] = Path(directory).glob("*.tar.gz")
    [wheel] = Path(directory).glob("*.whl")
    print(check_archive(archive, files))
    print(check_wheel(wheel, files))


if __name__ == "__main__":
    main()
