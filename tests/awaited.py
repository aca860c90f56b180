"""Objects of the blocking driver with the methods of the asyncio one: a program is written once for both."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Generator
from typing import Any, TypeVar

import neonps

T = TypeVar("T")

_WRAPPED = (neonps.Connection, neonps.Cursor, neonps.Copy, neonps.Pipeline, neonps.Transaction)

#: Methods that asyncio does not wait for either.
_AT_ONCE = ("cursor", "transaction", "pipeline", "copy")


class Awaited:
    """Stands for an object of the blocking driver; waiting for its methods never gives way to anything else."""

    def __init__(self, subject: Any) -> None:
        self.subject = subject

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.subject, name)
        if not callable(value):
            return value
        if name in _AT_ONCE:
            return lambda *args, **kwargs: Awaited(value(*args, **kwargs))
        return lambda *args, **kwargs: _Call(lambda: value(*args, **kwargs))

    async def __aenter__(self) -> Any:
        return _wrap(self.subject.__enter__())

    async def __aexit__(self, *error: Any) -> Any:
        return self.subject.__exit__(*error)

    async def __aiter__(self) -> AsyncIterator[Any]:
        for each in self.subject:
            yield each


class _Call:
    """A call that happens when it is awaited, or when it is iterated over."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self._call = call

    def __await__(self) -> Generator[Any, Any, Any]:
        yield from ()
        return _wrap(self._call())

    async def __aiter__(self) -> AsyncIterator[Any]:
        for each in self._call():
            yield each


def _wrap(value: Any) -> Any:
    return Awaited(value) if isinstance(value, _WRAPPED) else value


async def connect(url: str, **keywords: Any) -> Awaited:
    """As `neonps.AsyncConnection.connect`."""
    return Awaited(neonps.connect(url, **keywords))


def run(program: Coroutine[Any, Any, T]) -> T:
    """Run a program of which nothing waits."""
    try:
        program.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    raise AssertionError("the program has waited for something")
