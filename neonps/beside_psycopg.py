"""Modules of others for which `import psycopg` means neonps, in programs in which it means psycopg for all the rest."""

from __future__ import annotations

import builtins
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from .as_psycopg import fill, original


class NeonpsLoader(Loader):
    """Loads a module, by another loader, so that its `import psycopg` and `import psycopg_pool` give neonps.

    Args:
        loader: the one that the import system has found for the module.
    """

    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def __getattr__(self, name: str) -> Any:
        # Where the source is, which resources there are, and whatever else loaders are asked.
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        # The statement calls the function of this name among the built-ins of the module (Python docs, import).
        module.__dict__["__builtins__"] = {**vars(builtins), "__import__": _import}
        self._loader.exec_module(module)


_psycopg = ModuleType("psycopg")
fill(_psycopg)


def _import(
    name: str,
    globals: Mapping[str, object] | None = None,
    locals: Mapping[str, object] | None = None,
    fromlist: Sequence[str] | None = (),
    level: int = 0,
) -> ModuleType:
    package, _, below = name.partition(".")
    if name == "psycopg_pool" and not level:
        return import_module("neonps.pool")
    if package != "psycopg" or level:
        return builtins.__import__(name, globals, locals, fromlist or (), level)
    if not below or not fromlist:
        return _psycopg
    module = original(below)
    if module is None:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    return module
