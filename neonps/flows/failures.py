"""What has gone wrong on the way to a server, in words."""

from __future__ import annotations

from ..protocol.websocket_end import UpgradeRefused
from .requests import NameNotResolved, TLSFailed


def describe(error: BaseException) -> str:
    """What has gone wrong on the way to a server, in words."""
    if isinstance(error, UpgradeRefused):
        return _describe_refusal(error)
    if isinstance(error, (NameNotResolved, TLSFailed)):
        return str(error)
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return str(error)


def _describe_refusal(refusal: UpgradeRefused) -> str:
    from ..protocol.http import Response
    from ..protocol.sqlhttp import error_from_response

    response = Response(refusal.status, "", refusal.headers, refusal.body)
    return f"the server refused to open a WebSocket: {error_from_response(response)}"
