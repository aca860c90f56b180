"""Connection pools: those of psycopg_pool (extra `pool`), on neonps.

`psycopg_pool` takes what it needs from a module named `psycopg`. Under `install_as_psycopg()` that is neonps, and the
pools here are those of `psycopg_pool` as it is imported. Otherwise they are a copy of it, loaded under another name,
for which alone `psycopg` means neonps: a program can use psycopg and its pools beside it.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import TYPE_CHECKING, Any, NoReturn

from .as_psycopg import is_installed
from .beside_psycopg import NeonpsLoader
from .inherited import watch
from .record import refuse_pickling

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


def _leave_to_parent(pools: Any) -> None:
    """Have the pools of the copy closed in a process that was forked: what works for them are threads of the parent."""
    init, check = pools.__init__, pools._check_open_getconn

    def watched(self: Any, *args: Any, **kwargs: Any) -> None:
        init(self, *args, **kwargs)
        watch(self)

    def leave(self: Any) -> None:
        if not self._closed:
            self._closed = self._left = True

    def checked(self: Any) -> None:
        if getattr(self, "_left", False):
            raise PoolClosed(
                f"the pool {self.name!r} belongs to the process that this one was forked from: open another"
            )
        check(self)

    pools.__init__, pools._check_open_getconn, pools._leave_to_parent = watched, checked, leave


def _keep_from_pickles(pools: Any) -> None:
    """Have the pools of the copy refuse to be pickled: one that is not open yet would be, with its password."""

    def refuse(self: Any, protocol: object) -> NoReturn:
        refuse_pickling(self)

    pools.__reduce_ex__ = refuse


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
        copy = importlib.util.spec_from_file_location(
            fullname, spec.origin, submodule_search_locations=spec.submodule_search_locations
        )
        if copy is not None and copy.loader is not None:
            copy.loader = NeonpsLoader(copy.loader)
        return copy


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

if not is_installed():
    _pools = import_module(f"{_COPY}.base").BasePool
    _leave_to_parent(_pools)
    _keep_from_pickles(_pools)
