"""Certificates for tests: a CA, what it has issued, and lists of what it has revoked."""

from __future__ import annotations

import hashlib
import ssl
from datetime import datetime, timedelta, timezone
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.name import _ASN1Type


class Certificates:
    """A CA with a certificate for `localhost` and `127.0.0.1`, and one for a client.

    Args:
        directory: where the files are written.
        password: what the key of the client is encrypted with.

    Attributes:
        ca, client, key, encrypted: paths of PEM files: the CA, the client's certificate, its key, and that encrypted.
        server: the path of a PEM file with the server's key and certificate.
    """

    def __init__(self, directory: Path, password: str = "") -> None:
        self._directory = directory
        self._ca = trustme.CA()
        self._server = self._ca.issue_cert("localhost", "127.0.0.1")
        client = self._ca.issue_cert(common_name="a client")
        self.ca, self.client = str(directory / "ca.pem"), str(directory / "client.pem")
        self.key, self.encrypted = str(directory / "key.pem"), str(directory / "encrypted.pem")
        self.server = str(directory / "server.pem")
        self._server.private_key_and_cert_chain_pem.write_to_path(self.server)
        self._ca.cert_pem.write_to_path(self.ca)
        client.cert_chain_pems[0].write_to_path(self.client)
        client.private_key_pem.write_to_path(self.key)
        if password:
            key = serialization.load_pem_private_key(client.private_key_pem.bytes(), None)
            encryption = serialization.BestAvailableEncryption(password.encode())
            pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
            Path(self.encrypted).write_bytes(pem)

    def context(self, *, client: bool = False) -> ssl.SSLContext:
        """What a server has; with `client` it wants to see a certificate."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._server.configure_cert(context)
        if client:
            self._ca.configure_trust(context)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def revoked(self, *, server: bool) -> bytes:
        """A list of what the CA has revoked (PEM): the certificate of the server, or nothing of interest."""
        issuer = x509.load_pem_x509_certificate(self._ca.cert_pem.bytes())
        certificate = x509.load_pem_x509_certificate(self._server.cert_chain_pems[0].bytes())
        key = serialization.load_pem_private_key(self._ca.private_key_pem.bytes(), None)
        now = datetime.now(timezone.utc)
        made = x509.CertificateRevocationListBuilder(issuer.subject, now - timedelta(1), now + timedelta(1))
        number = certificate.serial_number if server else certificate.serial_number + 1
        made = made.add_revoked_certificate(x509.RevokedCertificateBuilder(number, now - timedelta(hours=1)).build())
        return made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)  # type: ignore[arg-type]

    @property
    def list_name(self) -> str:
        """The name that OpenSSL looks for in a directory of lists: that of `openssl rehash`."""
        issuer = x509.load_pem_x509_certificate(self._ca.cert_pem.bytes())
        parts = [x509.NameAttribute(each.oid, str(each.value).lower(), _ASN1Type.UTF8String) for each in issuer.subject]
        name = x509.Name(parts).public_bytes()
        body = name[2:] if name[1] < 0x80 else name[3:]
        return f"{int.from_bytes(hashlib.sha1(body).digest()[:4], 'little'):08x}.r0"
