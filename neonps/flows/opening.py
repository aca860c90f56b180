"""Opening a transport. What the others need is not imported: programs that start often have one."""

from __future__ import annotations

from ..settings import Settings
from .requests import Flow
from .transport import Transport


def open_transport(settings: Settings) -> Flow[Transport]:
    """Open the transport that `settings` ask for.

    Raises:
        OperationalError: it did not come to a connection, or not to a login.
    """
    if settings.transport == "http":
        from .http import HttpTransport

        return HttpTransport(settings)
    from .connect import open_session

    return (yield from open_session(settings))
