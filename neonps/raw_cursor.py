"""Raw cursors: statements have Postgres's own placeholders, `$1`, `$2`, …"""

from __future__ import annotations

from .base_cursor import BaseCursor
from .cursor import Cursor
from .cursor_async import AsyncCursor
from .query import RawQuery
from .rows import Row
from .server_cursor import AsyncServerCursor, ServerCursor


class RawCursorMixin(BaseCursor[Row]):
    """What makes a cursor take statements with `$1`, `$2`, …; `%` means nothing special then."""

    _query_class = RawQuery


class RawCursor(RawCursorMixin[Row], Cursor[Row]):
    """A `Cursor` for statements with `$1`, `$2`, …; for `cursor_factory`."""

    __module__ = "neonps"


class AsyncRawCursor(RawCursorMixin[Row], AsyncCursor[Row]):
    """An `AsyncCursor` for statements with `$1`, `$2`, …; for `cursor_factory`."""

    __module__ = "neonps"


class RawServerCursor(RawCursorMixin[Row], ServerCursor[Row]):
    """A `ServerCursor` for statements with `$1`, `$2`, …; for `server_cursor_factory`."""

    __module__ = "neonps"


class AsyncRawServerCursor(RawCursorMixin[Row], AsyncServerCursor[Row]):
    """An `AsyncServerCursor` for statements with `$1`, `$2`, …; for `server_cursor_factory`."""

    __module__ = "neonps"
