"""The build backend: setuptools, but that two source archives of the same files are the same bytes.

setuptools puts the times of files and of the build into it. With `SOURCE_DATE_EPOCH` (seconds since 1970) set, that is
the only time in it here, and owners and permissions do not depend on who builds. Neither do those of a wheel that is
built from such an archive, as `python -m build` does.
"""

from __future__ import annotations

import gzip
import io
import os
import tarfile
from pathlib import Path
from typing import Any

from setuptools import build_meta
from setuptools.build_meta import *  # noqa: F403


def build_sdist(sdist_directory: str, config_settings: dict[str, Any] | None = None) -> str:
    """Build the source archive (PEP 517)."""
    name = str(build_meta.build_sdist(sdist_directory, config_settings))
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    if epoch is not None:
        repack(Path(sdist_directory) / name, int(epoch))
    return name


def build_wheel(
    wheel_directory: str, config_settings: dict[str, Any] | None = None, metadata_directory: str | None = None
) -> str:
    """Build the wheel (PEP 517)."""
    mask = os.umask(0o022)  # for the files that setuptools writes itself
    try:
        return str(build_meta.build_wheel(wheel_directory, config_settings, metadata_directory))
    finally:
        os.umask(mask)


def repack(archive: Path, epoch: int) -> None:
    """Write the archive anew, with nothing in it of the machine and the time it was made."""
    packed = io.BytesIO()
    with tarfile.open(archive) as source, tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as target:
        for member in sorted(source.getmembers(), key=lambda member: member.name):
            member.mtime = epoch
            member.uid = member.gid = 0
            member.uname = member.gname = ""
            member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
            member.pax_headers = {}
            target.addfile(member, source.extractfile(member) if member.isfile() else None)
    archive.write_bytes(gzip.compress(packed.getvalue(), mtime=epoch))
