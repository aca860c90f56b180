"""neonps under the name of psycopg, for programs that were written for that.

`python -m neonps.as_psycopg program.py …` (or `-m module …`) does this for a program that cannot be changed.
"""

from __future__ import annotations

import os
import sys
import threading
import warnings
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from .postgres import adapters

__all__ = ["install", "is_installed"]

#: Modules of psycopg that programs import, and that have another name here.
_RENAMED = {
    "_adapters_map": "adapters_map",
    "_capabilities": "capabilities",
    "_column": "column",
    "_connection_base": "base_connection",
    "_connection_info": "connection_info",
    "_copy": "copy",
    "_copy_async": "copy",
    "_cursor_base": "base_cursor",
    "_encodings": "encodings",
    "_enums": "formats",
    "_pipeline": "pipeline",
    "_pipeline_async": "pipeline",
    "_queries": "query",
    "_server_cursor": "server_cursor",
    "_server_cursor_async": "server_cursor",
    "_tpc": "xid",
    "_transformer": "transformer",
    "_typeinfo": "typeinfo",
    "_typemod": "typemod",
    "_tz": "timezones",
    "dbapi20": "dbapi",
    "version": "psycopg_version",
}

#: psycopg's modules that are there as attributes once it is imported, as `psycopg.client_cursor` is.
_ATTRIBUTES = frozenset(
    [
        "abc",
        "adapt",
        "client_cursor",
        "connection",
        "connection_async",
        "conninfo",
        "copy",
        "cursor",
        "cursor_async",
        "dbapi20",
        "errors",
        "postgres",
        "pq",
        "raw_cursor",
        "rows",
        "sql",
        "transaction",
        "types",
        "version",
    ]
)

#: Modules whose classes appear in messages, in pickles, or in code that is generated, such as Django's migrations.
_OWNERS = ("errors", "sql", "types.json", "types.multirange", "types.range")

_lock = threading.Lock()
#: The specs of the modules that have an alias, by their names.
_specs: dict[str, ModuleSpec | None] = {}


def install() -> None:
    """See `neonps.install_as_psycopg()`."""
    with _lock:
        if is_installed():
            return
        found = [name for name in sys.modules if name.partition(".")[0] in ("psycopg", "psycopg_pool")]
        if "psycopg" in found:
            warnings.warn(
                "psycopg has been imported already: what was taken from it stays psycopg's, "
                "only what is imported from now on is neonps's",
                RuntimeWarning,
                stacklevel=3,
            )
        for name in found:  # psycopg_pool too: it holds classes of psycopg
            del sys.modules[name]
        _alias_pool()
        sys.meta_path.insert(0, _Finder())
        _rename_classes()
        import_module("psycopg")


def is_installed() -> bool:
    """Whether `psycopg` is neonps."""
    return any(isinstance(finder, _Finder) for finder in sys.meta_path)


def original(name: str) -> ModuleType | None:
    """The module that stands for `psycopg.name`; None if there is none."""
    here = f"neonps.{_RENAMED.get(name, name)}"
    try:
        return import_module(here)
    except ModuleNotFoundError as error:
        if error.name and f"{here}.".startswith(f"{error.name}."):
            return None
        raise  # something that the module needs


def fill(module: ModuleType) -> None:
    """Make `module` what `import psycopg` gives: not `neonps` itself, which has a version of its own."""
    import neonps

    from .psycopg_version import __version__

    def __getattr__(name: str) -> Any:
        found = original(name) if name in _ATTRIBUTES else getattr(neonps, name, None)
        if found is None or name.startswith("__"):
            raise AttributeError(f"module 'psycopg' has no attribute {name!r}")
        return found

    # There are programs that go through the names of the module, so it is not left to __getattr__().
    module.__dict__.update((name, getattr(neonps, name)) for name in neonps.__all__)
    module.__dict__.update(
        __all__=list(neonps.__all__),
        __doc__=neonps.__doc__,
        __file__=neonps.__file__,
        __getattr__=__getattr__,
        __version__=__version__,
    )


class _Finder:
    """Finds `psycopg` and what is below it (an `importlib.abc.MetaPathFinder`)."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        package, _, name = fullname.partition(".")
        if package != "psycopg":
            return None
        if not name:
            return ModuleSpec(fullname, _Facade(), origin=__file__, is_package=True)
        module = original(name)
        return None if module is None else ModuleSpec(fullname, _Alias(module), origin=module.__file__)


class _Facade(Loader):
    """Loads `psycopg`."""

    def exec_module(self, module: ModuleType) -> None:
        fill(module)


class _Alias(Loader):
    """Loads a module that is there under another name."""

    def __init__(self, module: ModuleType) -> None:
        self._module = module
        # Looked up before the import system, which takes the module for a new one, puts another one there.
        self._spec = _specs.setdefault(module.__name__, module.__spec__)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return self._module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._spec


def _rename_classes() -> None:
    """Let classes say that they are psycopg's: programs look for `psycopg.errors.UniqueViolation` in messages."""
    import neonps

    for name in neonps.__all__:
        _rename(getattr(neonps, name), "neonps", "psycopg")
    for owner in _OWNERS:
        module = original(owner)
        for name in dir(module):
            _rename(getattr(module, name), f"neonps.{owner}", f"psycopg.{owner}")


def _rename(cls: object, prefix: str, module: str) -> None:
    if not isinstance(cls, type) or not cls.__module__.startswith(prefix):
        return
    old = f"{cls.__module__}.{cls.__qualname__}"
    cls.__module__ = module
    # There are dumpers that are registered by the name of the class.
    for dumpers in adapters._dumpers.values():
        if old in dumpers:
            dumpers[f"{module}.{cls.__qualname__}"] = dumpers[old]


def _alias_pool() -> None:
    """Let `psycopg_pool` be what `neonps.pool` has loaded already, if it has."""
    for name, module in list(sys.modules.items()):
        if name.startswith("neonps._psycopg_pool"):
            sys.modules[name.removeprefix("neonps._")] = module


def _main() -> None:
    from runpy import run_module, run_path

    from neonps.as_psycopg import install

    if len(sys.argv) < 2 or sys.argv[1:] == ["-m"]:
        sys.exit("usage: python -m neonps.as_psycopg {program.py | -m module} [argument …]")
    install()
    del sys.argv[0]
    if sys.argv[0] == "-m":
        del sys.argv[0]
        run_module(sys.argv[0], run_name="__main__", alter_sys=True)
        return
    program = os.path.abspath(sys.argv[0])
    if not getattr(sys.flags, "safe_path", False):
        sys.path[0] = os.path.dirname(program)
    run_path(program, run_name="__main__")


if __name__ == "__main__":
    _main()
