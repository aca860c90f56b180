"""What tests over the three transports share: marks for what does not make sense on all, names of types, `status`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import neonps

Connection = neonps.Connection[Any]
#: The fixture `connect`: takes the keywords of `neonps.connect`.
Connect = Callable[..., Connection]
#: The fixture `numbers`: gives what is in the table.
Numbers = Callable[[], list[int]]


def status(conn: Connection) -> str:
    """The name of the status of its transaction."""
    return conn.info.transaction_status.name


#: The test needs a session.
on_sessions = pytest.mark.parametrize("transport", ["tcp", "websocket"])

#: The test is about what goes through the gateway.
through_gateway = pytest.mark.parametrize("transport", ["websocket", "http"])

over_http = pytest.mark.parametrize("transport", ["http"])
over_websocket = pytest.mark.parametrize("transport", ["websocket"])
over_tcp = pytest.mark.parametrize("transport", ["tcp"])
