"""What the figures depend on beside the drivers' code: the machine, and the versions of all that takes part."""

from __future__ import annotations

import json
import os
import platform
import ssl
import subprocess
from contextlib import suppress
from importlib import metadata
from pathlib import Path

import neonps

from .peers import PACKAGES, SCRIPT, javascript_packages
from .servers import Servers


def describe(servers: Servers) -> dict[str, str]:
    """All of it, by what it is called."""
    with servers.connect() as connection:
        postgres = connection.info.parameter_status("server_version") or "?"
    return {
        "neonps": neonps.__version__,
        "processor": f"{processor()}, {os.cpu_count()} cores",
        "memory": f"{memory() / 2**30:.0f} GiB",
        "system": system(),
        "Python": f"{platform.python_implementation()} {platform.python_version()}, {ssl.OPENSSL_VERSION}",
        "Postgres": postgres,
        **python_packages(),
        **javascript_versions(),
    }


def load() -> float:
    """The processes that wanted to run in the last minute, on average."""
    return os.getloadavg()[0]


def processor() -> str:
    """The model."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def memory() -> int:
    """The bytes of it."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def system() -> str:
    """Its name and version, and those of the kernel as far as they are not the distributor's."""
    kernel = f"{platform.system()} {platform.release().partition('-')[0]}"
    with suppress(OSError):
        return f"{platform.freedesktop_os_release()['PRETTY_NAME']}, {kernel}"
    return kernel


def python_packages() -> dict[str, str]:
    """The versions of the drivers in Python that are installed."""
    found = {}
    for name in PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def javascript_versions() -> dict[str, str]:
    """That of Node, and those of the drivers in JavaScript; nothing if they are not installed."""
    found = {}
    for name, path in javascript_packages().items():
        found[name] = json.loads(Path(path).read_text(encoding="utf-8"))["version"]
    if found:
        node = subprocess.run(["node", "--version"], cwd=SCRIPT.parent, capture_output=True, encoding="utf-8")
        found = {"Node": node.stdout.strip().removeprefix("v"), **found}
    return found
