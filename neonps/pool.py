"""Connection pools: those of psycopg_pool (extra `pool`), on neonps.

`psycopg_pool` takes what it needs from a module named `psycopg`. Under `install_as_psycopg()` that is neonps, and the
pools here are those of `psycopg_pool` as it is imported. Otherwise they are a copy of it, loaded under another name,
for which alone `psycopg` means neonps: a program can use psycopg and its pools beside it.
"""

from __future__ import annotations

import builtins
import importlib.util
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType
from typing import TYPE_CHECKING

from .as_psycopg import fill, is_installed, original

if TYPE_CHECKING:
    from psycopg_pool import (
        AsyncConnectionPool,
        AsyncNullConnectionPool,
        ConnectionPool,
        NullConnectionPool,
        PoolClosed,
        PoolTimeout,
        TooManyRequests,
    )

__all__ = [
    "AsyncConnectionPool",
    "AsyncNullConnectionPool",
    "ConnectionPool",
    "NullConnectionPool",
    "PoolClosed",
    "PoolTimeout",
    "TooManyRequests",
]

#: The name of the copy.
_COPY = "neonps._psycopg_pool"


def _load() -> ModuleType:
    """`psycopg_pool`, or the copy of it."""
    if is_installed():
        return import_module("psycopg_pool")
    sys.meta_path.insert(0, _Finder())
    return import_module(_COPY)


class _Finder:
    """Finds the copy and its modules where `psycopg_pool` is (an `importlib.abc.MetaPathFinder`)."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname == _COPY:
            spec = importlib.util.find_spec("psycopg_pool")
        elif fullname.startswith(f"{_COPY}."):
            spec = PathFinder.find_spec(fullname, path)
        else:
            return None
        if spec is None or spec.origin is None:
            return None
        return importlib.util.spec_from_file_location(
            fullname,
            spec.origin,
            loader=_Loader(fullname, spec.origin),
            submodule_search_locations=spec.submodule_search_locations,
        )


class _Loader(SourceFileLoader):
    """Loads a module for which `import psycopg` means neonps."""

    def exec_module(self, module: ModuleType) -> None:
        # The statement calls the function of this name among the built-ins of the module (Python docs, import).
        module.__dict__["__builtins__"] = {**vars(builtins), "__import__": _import}
        super().exec_module(module)


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
    if level or package != "psycopg":
        return builtins.__import__(name, globals, locals, fromlist or (), level)
    if not below or not fromlist:
        return _psycopg
    module = original(below)
    if module is None:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    return module


try:
    _package = _load()
except ModuleNotFoundError as error:
    if error.name not in ("psycopg_pool", _COPY):
        raise
    message = "neonps.pool needs psycopg_pool: pip install 'neonps[pool]'"
    raise ModuleNotFoundError(message, name="psycopg_pool") from None

if not TYPE_CHECKING:
    AsyncConnectionPool = _package.AsyncConnectionPool
    AsyncNullConnectionPool = _package.AsyncNullConnectionPool
    ConnectionPool = _package.ConnectionPool
    NullConnectionPool = _package.NullConnectionPool
    PoolClosed = _package.PoolClosed
    PoolTimeout = _package.PoolTimeout
    TooManyRequests = _package.TooManyRequests
