"""The client's side of SCRAM-SHA-256 (RFC 5802, RFC 7677), by scramp, as Postgres speaks it (docs 53.3)."""

from __future__ import annotations

import re
from base64 import b64encode

from scramp import ScramClient, ScramException, ScramMechanism

from .backend import ProtocolError

MECHANISM = "SCRAM-SHA-256"

#: The same, bound to the TLS connection that it happens on.
MECHANISM_PLUS = "SCRAM-SHA-256-PLUS"

_BINDING = "tls-server-end-point"

#: The most iterations that a server can ask for. They are there to take time, about a second for so many, and nothing
#: can interrupt them. Postgres has 4096 unless told otherwise.
MAX_ITERATIONS = 1_000_000

#: A challenge: a nonce, a salt, how many iterations, and perhaps extensions (RFC 5802 7, server-first-message). The
#: last scramp for Python 3.10 takes others too.
_challenge = re.compile(r"r=([!-+\--~]+),s=[A-Za-z0-9+/]+={0,2},i=([1-9][0-9]*)(,.*)?").fullmatch


class ServerNotTrusted(ProtocolError):
    """The server could not prove that it knows the password."""


class Scram:
    """One SCRAM-SHA-256 exchange: first message, challenge, response, and the server's proof.

    The server takes the user name from the start-up packet (docs 53.3.1), so a mere placeholder is sent here.

    Args:
        password: the password.
        end_point: the hash of the server's certificate (see `neonps.protocol.certificate`), if the exchange can be
            bound to the connection; None if not.
        plus: bind it. With `end_point` and without this, the server hears that it would have been possible, and refuses
            if it has offered it: then somebody in between has left that out of the offer.

    Attributes:
        mechanism: the name of the mechanism.
        verified: the server has proved that it knows the password.

    Raises:
        ValueError: SASLprep (RFC 4013) does not allow the password, which is not shown.
    """

    def __init__(self, password: str, end_point: bytes | None = None, *, plus: bool = False) -> None:
        self.mechanism = MECHANISM_PLUS if plus else MECHANISM
        binding = None if end_point is None else (_BINDING, end_point)
        try:
            self._client = ScramClient([self.mechanism], "*", password, channel_binding=binding)
        except ScramException:
            raise ValueError("the password holds characters that SCRAM does not allow") from None
        self.verified = False
        self._nonce = ""

    def first_message(self) -> bytes:
        """The client-first-message."""
        message = str(self._client.get_client_first())
        self._nonce = message.rpartition(",r=")[2]
        return message.encode()

    def respond(self, challenge: bytes) -> bytes:
        """The client-final-message for the server-first-message `challenge`.

        Raises:
            ProtocolError: the challenge is malformed, repeats no nonce of ours, or asks for too many iterations.
        """
        try:
            self._check(challenge.decode())
            self._client.set_server_first(challenge.decode())
            return str(self._client.get_client_final()).encode()
        except (ScramException, ValueError) as e:
            raise ProtocolError(f"the server's SCRAM challenge is not valid: {e}") from None

    def _check(self, challenge: str) -> None:
        found = _challenge(challenge)
        if found is None:
            raise ValueError("it is malformed")
        nonce, iterations = found[1], found[2]
        if nonce == self._nonce or not nonce.startswith(self._nonce):
            raise ValueError("its nonce is not ours with something behind it")
        if int(iterations) > MAX_ITERATIONS:
            raise ValueError(f"more than {MAX_ITERATIONS} iterations")

    def verify(self, final: bytes) -> None:
        """Check the server's signature in the server-final-message `final`.

        Raises:
            ServerNotTrusted: the signature is wrong: this is not the server that knows the password.
        """
        try:
            self._client.set_server_final(final.decode("ascii"))
        except (ScramException, ValueError):
            raise ServerNotTrusted(
                "the server could not prove that it knows the password (wrong SCRAM signature): it may be an impostor"
            ) from None
        self.verified = True


def stored_password(password: str) -> str:
    """A password as Postgres stores it (`pg_authid.rolpassword`), with a new salt."""
    salt, stored_key, server_key, iterations = ScramMechanism(MECHANISM).make_auth_info(password)
    parts = [b64encode(part).decode() for part in (salt, stored_key, server_key)]
    return f"{MECHANISM}${iterations}:{parts[0]}${parts[1]}:{parts[2]}"
