"""Engines of SQLAlchemy for tests, over each transport."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa


def address(url: str, transport: str) -> sa.URL:
    """The URL of the dialect for `postgres` over `transport`."""
    return sa.make_url(url).set(drivername="postgresql+neonps").update_query_dict({"transport": transport})


def engine_over(url: str, transport: str, **kwargs: Any) -> sa.Engine:
    """An engine; over HTTP it is in AUTOCOMMIT, where it can do all that needs no session."""
    if transport == "http":
        kwargs.setdefault("isolation_level", "AUTOCOMMIT")
    return sa.create_engine(address(url, transport), **kwargs)
