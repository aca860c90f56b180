"""What is logged about connections: the logger, and how an event becomes a record of it.

Nothing of what a statement says or brings gets here: no text, no value, and no message of the server about it, which
may quote one. Nor does a password or a token.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from logging import Logger

    from .errors import Error
    from .settings import Settings

#: The levels of `logging`. It takes long to import, and is left to programs that configure it.
DEBUG, INFO, WARNING = 10, 20, 30

_logger: Logger | None = None


def logger() -> Logger:
    """The logger for what goes wrong beside a call, and so cannot be raised; seldom needed."""
    from logging import getLogger

    return getLogger("neonps")


def ignored(where: str, error: Error) -> None:
    """Tell of an error that goes no further: which it is, and not what it says."""
    code = f", SQLSTATE {error.sqlstate}" if error.sqlstate else ""
    logger().warning("error ignored %s: %s%s", where, type(error).__name__, code)


def _connection_logger() -> Logger | None:
    """The logger for the events of connections; None while nobody can have configured it."""
    global _logger
    logging = sys.modules.get("logging")
    # While `logging` is being imported, by another thread, it has no names yet.
    if _logger is None and logging is not None and hasattr(logging, "NullHandler"):
        _logger = logging.getLogger("neonps.connection")
        # Silent unless the program says otherwise: whoever makes the call gets an exception for all that is wrong.
        _logger.addHandler(logging.NullHandler())
    return _logger


def log(level: int, event: str, settings: Settings, **fields: str | float | None) -> None:
    """Log an event of a connection, if anybody wants to hear of it.

    Where the connection leads and the fields are attributes of the record, named `neonps_…`.

    Args:
        level: DEBUG, INFO or WARNING.
        event: what has happened; one of those in docs/howto/observability.md.
        settings: of the connection.
        **fields: what else is known. None stands for what is not.
    """
    logger = _connection_logger()
    if logger is None or not logger.isEnabledFor(level):
        return
    told = {name: " ".join(v.split()) if isinstance(v, str) else v for name, v in fields.items() if v is not None}
    endpoint = settings.fetch_url or settings.websocket_url
    attributes = {
        "event": event,
        "transport": settings.transport,
        "endpoint": endpoint.url if endpoint is not None else None,
        "host": settings.host,
        "hostaddr": settings.hostaddr,
        "port": settings.port,
        "dbname": settings.dbname,
        "user": settings.user,
        **told,
    }
    # A name of its own for each: `makeRecord` raises KeyError when a program has an attribute of that name already.
    extra = {f"neonps_{name}": value for name, value in attributes.items()}
    message = f"{event} [%s, %s]" + "".join(f" {name}=%s" for name in told)
    logger.log(level, message, settings.transport, settings.where, *told.values(), extra=extra)
