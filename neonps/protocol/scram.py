"""The client's side of SCRAM-SHA-256 (RFC 5802, RFC 7677), by scramp, as Postgres speaks it (docs 53.3)."""

from __future__ import annotations

from scramp import ScramClient, ScramException

from .backend import ProtocolError

MECHANISM = "SCRAM-SHA-256"


class ServerNotTrusted(ProtocolError):
    """The server could not prove that it knows the password."""


class Scram:
    """One SCRAM-SHA-256 exchange: first message, challenge, response, and the server's proof.

    The server takes the user name from the start-up packet (docs 53.3.1), so a mere placeholder is sent here.

    Raises:
        ValueError: SASLprep (RFC 4013) does not allow the password, which is not shown.
    """

    def __init__(self, password: str) -> None:
        try:
            self._client = ScramClient([MECHANISM], "*", password)
        except ScramException:
            raise ValueError("the password holds characters that SCRAM does not allow") from None
        self.verified = False

    def first_message(self) -> bytes:
        """The client-first-message."""
        return str(self._client.get_client_first()).encode()

    def respond(self, challenge: bytes) -> bytes:
        """The client-final-message for the server-first-message `challenge`.

        Raises:
            ProtocolError: the challenge is malformed, repeats no nonce of ours, or asks for too many iterations.
        """
        try:
            self._client.set_server_first(challenge.decode())
            return str(self._client.get_client_final()).encode()
        except (ScramException, ValueError) as e:
            raise ProtocolError(f"the server's SCRAM challenge is not valid: {e}") from None

    def verify(self, final: bytes) -> None:
        """Check the server's signature in the server-final-message `final`.

        Raises:
            ServerNotTrusted: the signature is wrong: this is not the server that knows the password.
        """
        try:
            self._client.set_server_final(final.decode())
        except (ScramException, ValueError):
            raise ServerNotTrusted(
                "the server could not prove that it knows the password (wrong SCRAM signature): it may be an impostor"
            ) from None
        self.verified = True
