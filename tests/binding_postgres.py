"""A Postgres that speaks TLS and binds logins to it, which the embedded one was built without."""

from __future__ import annotations

import hashlib
import hmac
import socket
import ssl
import struct
from base64 import b64decode, b64encode
from collections.abc import Sequence

from scramp import ScramClient
from server_messages import message
from tls_postgres import TLSPostgres

from neonps.embedded import EmbeddedPostgres

PLAIN = "SCRAM-SHA-256"
PLUS = "SCRAM-SHA-256-PLUS"


class Refused(Exception):
    """The login is not good."""


class BindingPostgres(TLSPostgres):
    """As `TLSPostgres`; it takes the client's login itself, as a Postgres with TLS does, and logs in to `postgres`.

    Args:
        postgres, tls: see there.
        end_point: the hash of the certificate.
        offer: the mechanisms that clients hear of.

    Attributes:
        used: the mechanism of each login.
    """

    def __init__(
        self, postgres: EmbeddedPostgres, tls: ssl.SSLContext, end_point: bytes, offer: Sequence[str] = (PLUS, PLAIN)
    ) -> None:
        self._end_point = end_point
        self._offer = offer
        self.used: list[str] = []
        super().__init__(postgres, tls)

    def _lead(self, client: ssl.SSLSocket, server: socket.socket) -> None:
        (length,) = struct.unpack("!i", head := _exactly(client, 4))
        server.sendall(head + _exactly(client, length - 4))
        self._log_in(server)
        try:
            self._let_in(client)
        except Refused as error:
            fields = f"SFATAL\0VFATAL\0C28P01\0M{error}\0\0"
            client.sendall(message("E", fields.encode()))
            return
        super()._lead(client, server)

    def _log_in(self, server: socket.socket) -> None:
        """Log in to the Postgres behind, up to its AuthenticationOk."""
        scram = ScramClient([PLAIN], "*", self._postgres.password)
        _receive(server, 10)
        first = scram.get_client_first().encode()
        server.sendall(message("p", PLAIN.encode() + b"\0" + struct.pack("!i", len(first)) + first))
        scram.set_server_first(_receive(server, 11).decode())
        server.sendall(message("p", scram.get_client_final().encode()))
        scram.set_server_final(_receive(server, 12).decode())
        _receive(server, 0)

    def _let_in(self, client: ssl.SSLSocket) -> None:
        """Take the login of a client by SCRAM-SHA-256 (RFC 5802 3).

        Raises:
            Refused: it is not good.
        """
        names = b"".join(name.encode() + b"\0" for name in self._offer) + b"\0"
        client.sendall(message("R", struct.pack("!i", 10) + names))
        name, _, rest = _message(client).partition(b"\0")
        self.used.append(name.decode())
        gs2, _, first = rest[4:].partition(b",,")
        if gs2 != {PLAIN: b"n", PLUS: b"p=tls-server-end-point"}[name.decode()]:
            raise Refused("server-does-support-channel-binding")
        salt, iterations = b"sixteen bytes ..", 4096
        challenge = first.partition(b"r=")[2] + b"server"
        challenge = b"r=" + challenge + b",s=" + b64encode(salt) + b",i=" + str(iterations).encode()
        client.sendall(message("R", struct.pack("!i", 11) + challenge))
        final, _, proof = _message(client).rpartition(b",p=")
        binding = b64decode(final.partition(b",")[0].removeprefix(b"c="))
        if binding != gs2 + b",," + (self._end_point if name.decode() == PLUS else b""):
            raise Refused("channel-bindings-dont-match")
        salted = hashlib.pbkdf2_hmac("sha256", self._postgres.password.encode(), salt, iterations)
        key, said = _hmac(salted, b"Client Key"), b",".join((first, challenge, final))
        signature = _hmac(hashlib.sha256(key).digest(), said)
        if bytes(a ^ b for a, b in zip(key, signature, strict=True)) != b64decode(proof):
            raise Refused("invalid-proof")
        verifier = b"v=" + b64encode(_hmac(_hmac(salted, b"Server Key"), said))
        client.sendall(message("R", struct.pack("!i", 12) + verifier) + message("R", struct.pack("!i", 0)))


def _hmac(key: bytes, data: bytes) -> bytes:
    return hmac.digest(key, data, "sha256")


def _message(sock: socket.socket) -> bytes:
    """The body of the next message."""
    (length,) = struct.unpack("!i", _exactly(sock, 5)[1:])
    return _exactly(sock, length - 4)


def _exactly(sock: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        data += (more := sock.recv(size - len(data)))
        if not more:
            raise ConnectionResetError
    return data


def _receive(server: socket.socket, kind: int) -> bytes:
    """The data of the next message, which is to be an authentication request of this kind."""
    body = _message(server)
    assert struct.unpack_from("!i", body) == (kind,)
    return body[4:]
