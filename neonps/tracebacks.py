"""What a traceback tells: lines of this package, but no values of its local variables.

Tools that report errors show the local variables of each call. Among those of a driver are passwords, tokens, the
parameters of statements, and messages that hold them.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from .errors import Error

P = ParamSpec("P")
T = TypeVar("T")

#: The packages whose calls are cleared: this one, and what it hands passwords, tokens and parameters to.
_PACKAGES = frozenset({"neonps", "h11", "wsproto", "scramp", "asn1crypto", "json", "ssl", "encodings", "ipaddress"})


def drop_locals(error: BaseException, outer: BaseException | None = None) -> None:
    """Drop the local variables of the calls that an exception has ended, and those of its causes.

    Calls of other packages, such as a dumper of the program's own, keep theirs. So do calls that have not ended, as
    that of whoever calls this. What an exception of ours was raised in place of (`from None`) is dropped as a whole:
    that of a library can quote all that it was given.

    Args:
        error: it.
        outer: what was being handled as the call began, of `sys.exc_info()`: it and what is behind it stay as they are,
            and where they were.
    """
    seen = {id(outer)} - {id(error)}
    errors: list[BaseException | None] = [error]
    while errors:
        current = errors.pop()
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        if isinstance(current, Error) and current.__suppress_context__:
            current.__context__ = None
        traceback = current.__traceback__
        while traceback is not None:
            frame = traceback.tb_frame
            if str(frame.f_globals.get("__name__")).partition(".")[0] in _PACKAGES:
                with suppress(RuntimeError):  # it goes on
                    frame.clear()
            traceback = traceback.tb_next
        errors += (current.__cause__, current.__context__)
    if isinstance(error, Error) and error.__suppress_context__:
        _put_behind(error, outer)


def raised(error: Error, outer: BaseException | None) -> Error:
    """An error as the caller is to have it.

    Without the calls that it has come through, which tell a user nothing, and without what it was raised in place of
    there. What the program was dealing with when it called stays behind it (Python's manual, 8.4: exception chaining):
    it can be the commit that was lost, while that is written down.

    Args:
        error: it.
        outer: what was being handled as the call began, of `sys.exc_info()`.
    """
    error.__cause__ = None  # which hides its context
    if _put_behind(error, outer):
        error.__suppress_context__ = False
    return error.with_traceback(None)


def _put_behind(error: BaseException, outer: BaseException | None) -> bool:
    """Make an exception the context of another; not if that would be behind itself. Whether it is."""
    behind, seen = outer, {id(error)}
    while behind is not None and id(behind) not in seen:  # some programs have made it a ring already
        seen.add(id(behind))
        behind = behind.__context__
    if outer is None or behind is error:
        return False
    error.__context__ = outer
    return True


def without_locals(function: Callable[P, T]) -> Callable[P, T]:
    """Decorate a function whose arguments, or what it makes of them, must not get into a traceback."""

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except BaseException as error:
            del args, kwargs
            drop_locals(error)
            raise

    return call


def without_locals_async(function: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """As `without_locals()`, for a function that is a coroutine."""

    @wraps(function)
    async def call(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await function(*args, **kwargs)
        except BaseException as error:
            del args, kwargs
            drop_locals(error)
            raise

    return call
