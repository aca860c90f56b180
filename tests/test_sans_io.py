"""The protocols and the flows never touch a socket, a clock or an event loop: it is a rule, and this enforces it."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import neonps

FORBIDDEN = {"socket", "ssl", "select", "selectors", "asyncio", "threading", "subprocess", "time"}

PACKAGE = Path(neonps.__file__).parent

#: Imports all of `protocol` and `flows` without the rest of the package, while nothing of ours may import what is
#: forbidden; other libraries and the standard library may. Prints the modules of ours that came along.
PROGRAM = """
import builtins, importlib, pkgutil, sys, types
import h11, wsproto, scramp  # what they import is their own affair

forbidden, path = set(sys.argv[1].split()), sys.argv[2]
package = types.ModuleType("neonps")  # in the place of the package itself, which imports the runners
package.__path__ = [path]
sys.modules["neonps"] = package
original = builtins.__import__

def guarded(name, globals=None, locals=None, fromlist=(), level=0):
    importer = (globals or {}).get("__name__", "")
    if level == 0 and importer.startswith("neonps") and name.partition(".")[0] in forbidden:
        raise ImportError(f"{importer} imports {name}")
    return original(name, globals, locals, fromlist, level)

builtins.__import__ = guarded
for name in ("neonps.protocol", "neonps.flows"):
    for module in pkgutil.walk_packages(importlib.import_module(name).__path__, name + "."):
        importlib.import_module(module.name)
print(*sorted(name for name in sys.modules if name.startswith("neonps.")))
"""


def imported_modules() -> list[str]:
    arguments = [sys.executable, "-c", PROGRAM, " ".join(FORBIDDEN), str(PACKAGE)]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def source_of(module: str) -> Path:
    path = PACKAGE.joinpath(*module.split(".")[1:])
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def imports_in(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module.partition(".")[0])
    return found


def test_protocol_and_flows_can_be_imported_without_io() -> None:
    modules = imported_modules()
    assert {"neonps.protocol.session", "neonps.flows.session", "neonps.flows.http"} <= set(modules)
    assert not [module for module in modules if module.startswith(("neonps.net", "neonps.gateway"))]


def test_nothing_they_use_imports_io_later() -> None:
    """An import inside of a function runs when nobody looks."""
    offenders = {module: imports_in(source_of(module)) & FORBIDDEN for module in imported_modules()}
    assert {module: names for module, names in offenders.items() if names} == {}


def test_the_check_finds_what_it_is_for() -> None:
    assert "socket" in imports_in(PACKAGE / "net" / "stream_socket.py")
