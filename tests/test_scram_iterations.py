"""How many iterations a server can have the client make for SCRAM: a number that does not keep it busy for minutes."""

from __future__ import annotations

import pytest

from neonps.protocol.backend import ProtocolError
from neonps.protocol.scram import Scram


@pytest.mark.parametrize("iterations", ["10000001", "4294967295", "9" * 30])
def test_too_many_iterations(iterations: str) -> None:
    scram = Scram("secret")
    nonce = scram.first_message().decode().partition(",r=")[2]
    challenge = f"r={nonce}more,s=c2FsdHNhbHRzYWx0c2FsdA==,i={iterations}"
    with pytest.raises(ProtocolError, match="the server's SCRAM challenge is not valid") as failed:
        scram.respond(challenge.encode())
    assert "secret" not in str(failed.value)
