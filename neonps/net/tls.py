"""SSL contexts for what flows ask by `TLS`: always verified, the host name always checked."""

from __future__ import annotations

import ssl
from functools import lru_cache

from ..flows.requests import TLS, TLSFailed


def ssl_context(tls: TLS) -> ssl.SSLContext:
    """The context for a connection with these settings.

    Raises:
        TLSFailed: a certificate, key or list that `tls` names cannot be read.
    """
    try:
        return _context(tls.rootcert, tls.cert, tls.key, tls.key_password, tls.crl, tls.minimum_version, tls.alpn)
    except OSError as error:
        raise TLSFailed(f"cannot set up TLS: {error.strerror or error} ({_files(tls)})") from None


def failure(error: Exception) -> TLSFailed:
    """The failure of a TLS handshake in words."""
    reason = getattr(error, "verify_message", None) or getattr(error, "reason", None) or str(error)
    if isinstance(error, ssl.SSLCertVerificationError):
        return TLSFailed(f"SSL error: certificate verify failed: {reason}")
    if isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError, ConnectionError)):
        return TLSFailed("SSL error: the server closed the connection during the TLS handshake")
    return TLSFailed(f"SSL error: {reason}")


@lru_cache(maxsize=16)
def _context(
    rootcert: str | None,
    cert: str | None,
    key: str | None,
    key_password: str | None,
    crl: str | None,
    minimum_version: str,
    alpn: tuple[str, ...],
) -> ssl.SSLContext:
    # Reading the CAs takes longer than a handshake, so a context serves all connections with the same settings.
    context = ssl.create_default_context(cafile=rootcert)
    context.minimum_version = ssl.TLSVersion[minimum_version.replace(".", "_")]
    if cert is not None:
        context.load_cert_chain(cert, key, key_password)
    if crl is not None:
        context.load_verify_locations(crl)
        context.verify_flags |= ssl.VerifyFlags.VERIFY_CRL_CHECK_LEAF
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


def _files(tls: TLS) -> str:
    return ", ".join(f for f in (tls.rootcert, tls.cert, tls.key, tls.crl) if f is not None) or "no files given"
