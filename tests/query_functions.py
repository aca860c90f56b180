"""Query functions for tests: the asyncio one is called as the blocking one is."""

from __future__ import annotations

import asyncio
from typing import Any

import neonps


class OnLoop:
    """An asyncio query function that is called without `await`, on an event loop of its own."""

    def __init__(self, function: Any) -> None:
        self.function = function
        self._loop = asyncio.new_event_loop()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._loop.run_until_complete(self.function(*args, **kwargs))

    def query(self, *args: Any, **kwargs: Any) -> Any:
        return self._loop.run_until_complete(self.function.query(*args, **kwargs))

    def transaction(self, *args: Any, **kwargs: Any) -> Any:
        return self._loop.run_until_complete(self.function.transaction(*args, **kwargs))

    def close(self) -> None:
        self._loop.run_until_complete(self.function.close())

    def end(self) -> None:
        """End the event loop, as `asyncio.run()` does."""
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()


class QueryFunctions:
    """Makes query functions of one kind, for one database.

    Args:
        kind: "blocking" or "asyncio".
        url: the database.
    """

    def __init__(self, kind: str, url: str) -> None:
        self._kind = kind
        self._url = url
        self._loops: list[OnLoop] = []

    def __call__(self, conninfo: str = "", **kwargs: Any) -> Any:
        """What `neonps.neon()` gives, or its asyncio twin in a shape to be called without `await`."""
        if self._kind == "blocking":
            return neonps.neon(conninfo or self._url, **kwargs)
        on_loop = OnLoop(neonps.async_neon(conninfo or self._url, **kwargs))
        self._loops.append(on_loop)
        return on_loop

    def end(self) -> None:
        """End the event loops."""
        while self._loops:
            self._loops.pop().end()
