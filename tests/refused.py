"""Expecting an exception that is clear and shows no secret."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import neonps

SECRET = "p@ss/w:rd%21 ö'\\"
ENCODED = "p%40ss%2Fw%3Ard%2521%20%C3%B6%27%5C"


def check_no_secret(error: BaseException, secret: str = SECRET) -> None:
    """Neither the error nor what is behind it shows a password."""
    shown = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    behind: BaseException | None = error
    while behind is not None:
        shown += f"{behind} {behind!r} {behind.args}"
        behind = behind.__cause__ or behind.__context__
    if isinstance(error, neonps.Error):
        shown += repr([getattr(error.diag, name) for name in dir(error.diag) if not name.startswith("_")])
    for form in (secret, ENCODED if secret == SECRET else secret, repr(secret)[1:-1]):
        assert form not in shown


@contextmanager
def refused(cls: type[BaseException], message: str = "", secret: str = SECRET) -> Iterator[Any]:
    """Within it an error of the class is raised, with these words in it, which says only what it should."""
    with pytest.raises(cls) as caught:
        yield caught
    assert message in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None or caught.value.__suppress_context__
    check_no_secret(caught.value, secret)


def use(**kwargs: Any) -> None:
    """Connect and ask something: over HTTP there is no connection before."""
    with neonps.connect(**kwargs) as conn:
        conn.execute("select 1")


def elsewhere(transport: str, host: str, port: int) -> dict[str, Any]:
    """Keywords to connect to what is at a host and port over a transport."""
    login = {"transport": transport, "user": "u", "password": SECRET, "dbname": "d", "sslmode": "disable"}
    if transport == "tcp":
        return {**login, "host": host, "port": port}
    return {**login, "host": "db.example.com", "gateway": f"http://{host}:{port}"}
