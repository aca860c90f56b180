"""The same test on psycopg and on neonps: what psycopg does is what is expected."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import Any

import neonps


class Peer:
    """A driver, and how it reaches the server.

    Attributes:
        name: "psycopg", or the transport over which neonps is used.
        module: `psycopg` or `neonps`.
        url: what to connect to.

    Args:
        name: see above.
        dsn: the URL of the server over TCP.
        url: the same with the gateway, for neonps.
    """

    def __init__(self, name: str, dsn: str, url: str) -> None:
        self.name = name
        self.module: Any = import_module("psycopg") if name == "psycopg" else neonps
        self.url = dsn if name == "psycopg" else f"{url}&transport={name}"
        self._opened: list[Any] = []

    def submodule(self, name: str) -> Any:
        """The module of this name below `module`, such as "types.json"."""
        module: ModuleType = import_module(f"{self.module.__name__}.{name}")
        return module

    def connect(self, **kwargs: Any) -> Any:
        """A connection, which is closed at the end of the test."""
        connection = self.module.connect(self.url, **kwargs)
        self._opened.append(connection)
        return connection

    async def connect_async(self, **kwargs: Any) -> Any:
        """An `AsyncConnection`, which the test has to close, as `async with await peer.connect_async():` does."""
        return await self.module.AsyncConnection.connect(self.url, **kwargs)

    def close(self) -> None:
        """Close what `connect` has opened."""
        for connection in self._opened:
            connection.close()
