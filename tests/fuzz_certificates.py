"""Certificates of servers for fuzzing, of which a hash is made for channel binding."""

from __future__ import annotations

import ssl

import trustme

from neonps.protocol.certificate import end_point_hash

_ECDSA = "2a8648ce3d0403%02x"
_SHA384 = bytes.fromhex("608648016503040202")


def _der(tag: int, *parts: bytes) -> bytes:
    """An element of up to 127 bytes (X.690 8.1)."""
    body = b"".join(parts)
    assert len(body) < 0x80
    return bytes([tag, len(body)]) + body


def _certificate(*algorithm: bytes) -> bytes:
    """The smallest one that has this algorithm."""
    return _der(0x30, _der(0x30, b"\x02\x01\x01"), _der(0x30, *algorithm), _der(0x03, b"\0signed"))


#: A real one, the same with the names of other hashes, and some with RSASSA-PSS.
_REAL = ssl.PEM_cert_to_DER_cert(trustme.CA().issue_cert("localhost").cert_chain_pems[0].bytes().decode())
_PSS = _der(0x06, bytes.fromhex("2a864886f70d01010a"))
CERTIFICATES = [
    *(_REAL.replace(bytes.fromhex(_ECDSA % 2), bytes.fromhex(_ECDSA % number)) for number in (2, 1, 3, 4, 9)),
    _certificate(_der(0x06, bytes.fromhex("2a864886f70d010105")), _der(0x05)),
    _certificate(_der(0x06, bytes.fromhex("2b6570"))),  # Ed25519
    _certificate(_PSS, _der(0x30)),
    _certificate(
        _PSS, _der(0x30, _der(0xA0, _der(0x30, _der(0x06, _SHA384), _der(0x05))), _der(0xA2, b"\x02\x01\x20"))
    ),
]


def run_certificate(data: bytes) -> None:
    found = end_point_hash(data)
    assert found is None or len(found) in (28, 32, 48, 64)
