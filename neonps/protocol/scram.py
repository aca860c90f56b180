"""The client's side of SCRAM-SHA-256 (RFC 5802, RFC 7677), by scramp, as Postgres speaks it (docs 53.3)."""

from __future__ import annotations

import os
import re
import stringprep
from base64 import b64decode, b64encode
from hashlib import pbkdf2_hmac, sha256
from hmac import compare_digest, digest
from unicodedata import normalize

from scramp import ScramClient, ScramException

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
_challenge = re.compile(r"r=([!-+\--~]+),s=([A-Za-z0-9+/]+={0,2}),i=([1-9][0-9]*)(,.*)?").fullmatch

#: How many of them a password is stored with.
_ITERATIONS = 4096

#: What must not be in a password that is prepared (RFC 4013 2.3 and 2.5).
_PROHIBITED = (
    *(stringprep.in_table_a1, stringprep.in_table_c12, stringprep.in_table_c21_c22, stringprep.in_table_c3),
    *(stringprep.in_table_c4, stringprep.in_table_c5, stringprep.in_table_c6, stringprep.in_table_c7),
    *(stringprep.in_table_c8, stringprep.in_table_c9),
)

_ZERO_WIDTH_SPACE = "\u200b"


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
    """

    def __init__(self, password: str, end_point: bytes | None = None, *, plus: bool = False) -> None:
        self.mechanism = MECHANISM_PLUS if plus else MECHANISM
        binding = None if end_point is None else (_BINDING, end_point)
        # Others scramp would prepare in its own way.
        plain = password.isascii() and password.isprintable()
        self._prepared = None if plain else prepared(password)
        self._client = ScramClient([self.mechanism], "*", password if plain else "", channel_binding=binding)
        self.verified = False
        self._nonce = ""
        self._first_bare = b""  # the first message without what it says of binding
        self._server_signature = b""  # only with `_prepared`

    def first_message(self) -> bytes:
        """The client-first-message."""
        message = str(self._client.get_client_first())
        self._nonce = message.rpartition(",r=")[2]
        self._first_bare = message.split(",", 2)[2].encode()
        return message.encode()

    def respond(self, challenge: bytes) -> bytes:
        """The client-final-message for the server-first-message `challenge`.

        Raises:
            ProtocolError: the challenge is malformed, repeats no nonce of ours, or asks for too many iterations.
        """
        try:
            salt, iterations = self._check(challenge.decode())
            self._client.set_server_first(challenge.decode())
            final = str(self._client.get_client_final()).encode()
            if self._prepared is None:
                return final
            keys = _keys(self._prepared, salt, iterations)
            return self._prove(*keys, challenge, final.rpartition(b",p=")[0])
        except (ScramException, ValueError) as e:
            raise ProtocolError(f"the server's SCRAM challenge is not valid: {e}") from None

    def _check(self, challenge: str) -> tuple[bytes, int]:
        """The salt and the number of iterations. Raises ValueError if the challenge is not to be answered."""
        found = _challenge(challenge)
        if found is None:
            raise ValueError("it is malformed")
        nonce, salt, iterations = found[1], found[2], int(found[3])
        if nonce == self._nonce or not nonce.startswith(self._nonce):
            raise ValueError("its nonce is not ours with something behind it")
        if iterations > MAX_ITERATIONS:
            raise ValueError(f"more than {MAX_ITERATIONS} iterations")
        return b64decode(salt), iterations

    def _prove(
        self, client_key: bytes, stored_key: bytes, server_key: bytes, challenge: bytes, without_proof: bytes
    ) -> bytes:
        """The client-final-message out of all but its proof (RFC 5802 3)."""
        messages = b",".join((self._first_bare, challenge, without_proof))
        signature = digest(stored_key, messages, "sha256")
        self._server_signature = digest(server_key, messages, "sha256")
        proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        return without_proof + b",p=" + b64encode(proof)

    def verify(self, final: bytes) -> None:
        """Check the server's signature in the server-final-message `final`.

        Raises:
            ServerNotTrusted: the signature is wrong: this is not the server that knows the password.
        """
        try:
            if self._prepared is None:
                self._client.set_server_final(final.decode("ascii"))
            elif not compare_digest(final, b"v=" + b64encode(self._server_signature)):
                raise ValueError
        except (ScramException, ValueError):
            raise ServerNotTrusted(
                "the server could not prove that it knows the password (wrong SCRAM signature): it may be an impostor"
            ) from None
        self.verified = True


def stored_password(password: str) -> str:
    """A password as Postgres stores it (`pg_authid.rolpassword`), with a new salt."""
    salt = os.urandom(16)
    _, stored_key, server_key = _keys(prepared(password), salt, _ITERATIONS)
    parts = [b64encode(part).decode() for part in (salt, stored_key, server_key)]
    return f"{MECHANISM}${_ITERATIONS}:{parts[0]}${parts[1]}:{parts[2]}"


def prepared(password: str) -> bytes:
    """A password as Postgres prepares it: by SASLprep (RFC 4013), or else, if that does not allow it, as it is.

    Where Postgres differs from the RFC it counts: it looks for what is prohibited before it normalizes, takes a zero
    width space for a space, and leaves what is ASCII as it is.
    """
    raw = password.encode()
    if password.isascii():
        return raw
    kept = (each for each in password if each == _ZERO_WIDTH_SPACE or not stringprep.in_table_b1(each))
    mapped = "".join(" " if each == _ZERO_WIDTH_SPACE or stringprep.in_table_c12(each) else each for each in kept)
    if not mapped or any(is_in(each) for each in mapped for is_in in _PROHIBITED):
        return raw
    if any(map(stringprep.in_table_d1, mapped)):  # it is from right to left (RFC 3454 6)
        ends = stringprep.in_table_d1(mapped[0]) and stringprep.in_table_d1(mapped[-1])
        if not ends or any(map(stringprep.in_table_d2, mapped)):
            return raw
    return normalize("NFKC", mapped).encode()


def _keys(password: bytes, salt: bytes, iterations: int) -> tuple[bytes, bytes, bytes]:
    """ClientKey, StoredKey and ServerKey (RFC 5802 3)."""
    salted = pbkdf2_hmac("sha256", password, salt, iterations)
    client_key = digest(salted, b"Client Key", "sha256")
    return client_key, sha256(client_key).digest(), digest(salted, b"Server Key", "sha256")
