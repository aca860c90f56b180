"""The compliance suite that SQLAlchemy publishes for dialects; `run.py` runs it."""

from typing import Any

from sqlalchemy.testing.suite import *  # noqa: F403
from sqlalchemy.testing.suite import ServerSideCursorsTest as _ServerSideCursorsTest


class ServerSideCursorsTest(_ServerSideCursorsTest):
    """The suite knows of its own drivers only how to tell which cursors are on the server."""

    def _is_server_side(self, cursor: Any) -> bool:
        return bool(getattr(cursor, "name", ""))
