"""Operations on a driver at the end of a long line, a lap for each; `connecting` and `statements` look at them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from .drivers import DRIVERS

#: How many statements go into a batch and a pipeline, and how many rows into `executemany()`.
STATEMENTS = 10
MANY = 1000


def operations(driver: str, url: str, options: dict[str, Any], names: Sequence[str]) -> Iterator[str]:
    """Run operations; what is not among a driver's is left out.

    Args:
        driver: its name in `DRIVERS`.
        url, options: what it is made with.
        names: of its methods. With "connect" as the first, connecting is one of the laps, as far as the first row.
    """
    connection = None
    if names[0] == "connect":
        yield ""
        connection = DRIVERS[driver](url, **options)
        connection.statement()
        yield "connect"
        names = names[1:]
    else:
        connection = DRIVERS[driver](url, **options)
        connection.statement()
        yield ""
    arguments: dict[str, tuple[Any, ...]] = {
        "executemany": ([(n,) for n in range(MANY)], 1),
        "batch": (STATEMENTS,),
        "pipeline": (STATEMENTS,),
    }
    for name in names:
        method = getattr(connection, name, None)
        if method is not None:
            method(*arguments.get(name, ()))
            yield name
    connection.close()
