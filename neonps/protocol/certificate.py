"""The hash of a server's certificate that SCRAM binds a login to: `tls-server-end-point` (RFC 5929 4.1)."""

from __future__ import annotations

import hashlib

from .backend import ProtocolError

#: The hash of each signature algorithm, by the content of its OID in DER. MD5 and SHA-1 are replaced by SHA-256.
_HASHES = {
    bytes.fromhex("2a864886f70d010104"): "sha256",  # md5WithRSAEncryption
    bytes.fromhex("2a864886f70d010105"): "sha256",  # sha1WithRSAEncryption
    bytes.fromhex("2a864886f70d01010e"): "sha224",  # sha224WithRSAEncryption
    bytes.fromhex("2a864886f70d01010b"): "sha256",  # sha256WithRSAEncryption
    bytes.fromhex("2a864886f70d01010c"): "sha384",  # sha384WithRSAEncryption
    bytes.fromhex("2a864886f70d01010d"): "sha512",  # sha512WithRSAEncryption
    bytes.fromhex("2a8648ce3d0401"): "sha256",  # ecdsa-with-SHA1
    bytes.fromhex("2a8648ce3d040301"): "sha224",  # ecdsa-with-SHA224
    bytes.fromhex("2a8648ce3d040302"): "sha256",  # ecdsa-with-SHA256
    bytes.fromhex("2a8648ce3d040303"): "sha384",  # ecdsa-with-SHA384
    bytes.fromhex("2a8648ce3d040304"): "sha512",  # ecdsa-with-SHA512
    # What RSASSA-PSS names as its hash:
    bytes.fromhex("2b0e03021a"): "sha256",  # SHA-1
    bytes.fromhex("608648016503040204"): "sha224",
    bytes.fromhex("608648016503040201"): "sha256",
    bytes.fromhex("608648016503040202"): "sha384",
    bytes.fromhex("608648016503040203"): "sha512",
}

_RSASSA_PSS = bytes.fromhex("2a864886f70d01010a")

_SEQUENCE = 0x30
_OID = 0x06
_PSS_HASH = 0xA0


def end_point_hash(certificate: bytes) -> bytes | None:
    """The hash of a certificate (DER) by the algorithm of its signature.

    None if the signature has no single hash, as with Ed25519: then there is no `tls-server-end-point`.

    Raises:
        ProtocolError: this is no certificate.
    """
    whole, _ = _element(certificate, _SEQUENCE)
    _, rest = _element(whole, _SEQUENCE)  # what is signed
    algorithm, _ = _element(rest, _SEQUENCE)
    name, parameters = _element(algorithm, _OID)
    if name == _RSASSA_PSS:
        parameters, _ = _element(parameters, _SEQUENCE)
        if not parameters.startswith(bytes([_PSS_HASH])):
            return hashlib.sha256(certificate).digest()  # SHA-1 is the default there
        tagged, _ = _element(parameters, _PSS_HASH)
        name, _ = _element(_element(tagged, _SEQUENCE)[0], _OID)
    algorithm_name = _HASHES.get(name)
    return None if algorithm_name is None else hashlib.new(algorithm_name, certificate).digest()


def _element(data: bytes, tag: int) -> tuple[bytes, bytes]:
    """Split off the first element (X.690 8.1), which has to have this tag: its content, and what is behind it."""
    start = 2
    length = data[1] if len(data) > 1 else 0
    if length >= 0x80:
        start += length - 0x80
        length = int.from_bytes(data[2:start], "big")
    if len(data) < start + length or data[0] != tag:
        raise ProtocolError("the server's certificate cannot be read")
    return data[start : start + length], data[start + length :]
