"""TLS for what flows ask by `TLS`: always verified, the host name always checked."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from typing import cast

from ..flows.requests import TLS, TLSFailed
from .stream_socket import Signals, Steps, Wait

#: What a socket with TLS raises where one without would block, or has come to its end.
SIGNALS = Signals(
    wait=(BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError),
    wait_to_read=(ssl.SSLWantReadError,),
    end=(ssl.SSLEOFError,),
    enough=1 << 16,
)

#: What a handshake that does not succeed raises.
FAILURES = (ssl.SSLError, ValueError, ConnectionError)


def ssl_context(tls: TLS) -> ssl.SSLContext:
    """The context for a connection with these settings.

    Raises:
        TLSFailed: a certificate, key or list that `tls` names cannot be read.
    """
    try:
        return _context(tls._replace(server_hostname=""), _versions(tls))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise TLSFailed(f"cannot set up TLS: {reason} ({', '.join(_files(tls)) or 'no files given'})") from None


def secured(sock: socket.socket, context: ssl.SSLContext, server_hostname: str) -> ssl.SSLSocket:
    """A socket with TLS on another, before the handshake. The other can have TLS already.

    Raises:
        ConnectionResetError: the server has gone; the socket is as it was.
    """
    if isinstance(sock, ssl.SSLSocket):
        from .nested_tls import NestedTLS

        return cast("ssl.SSLSocket", NestedTLS(context, sock, server_hostname))
    try:
        sock.getpeername()
    except OSError:  # here `wrap_socket()` leaves a socket open, or gives one that was never connected
        raise ConnectionResetError("the server is gone") from None
    return context.wrap_socket(sock, server_hostname=server_hostname, do_handshake_on_connect=False)


def retry(sock: ssl.SSLSocket, action: Callable[[], object]) -> Steps[None]:
    """Do a step of TLS as often as it takes."""
    while True:
        try:
            action()
            return
        except ssl.SSLWantReadError:
            yield Wait(sock, read=True, write=False)
        except ssl.SSLWantWriteError:
            yield Wait(sock, read=False, write=True)


def failure(error: Exception) -> TLSFailed:
    """The failure of a TLS handshake in words."""
    reason = getattr(error, "verify_message", None) or getattr(error, "reason", None) or str(error)
    if isinstance(error, ssl.SSLCertVerificationError):
        return TLSFailed(f"SSL error: certificate verify failed: {reason}")
    if isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError, ConnectionError)):
        return TLSFailed("SSL error: the server closed the connection during the TLS handshake")
    return TLSFailed(f"SSL error: {reason}")


def round_trips(secured: ssl.SSLSocket) -> int:
    """How often the client had to wait in the handshake (RFC 8446, figure 1; RFC 5246, figure 1)."""
    return 1 if secured.version() == "TLSv1.3" else 2


def check_alpn(tls: TLS, chosen: str | None) -> None:
    """Check the application protocol that the server has chosen.

    Raises:
        TLSFailed: it has chosen none although it had to, or another than was offered.
    """
    if chosen is None and tls.alpn_required:
        raise TLSFailed("direct SSL connection was established without ALPN protocol negotiation extension")
    if chosen is not None and chosen not in tls.alpn:
        raise TLSFailed("SSL connection was established with unexpected ALPN protocol")


@lru_cache(maxsize=16)
def _context(tls: TLS, versions: tuple[tuple[int, int], ...]) -> ssl.SSLContext:
    # Reading the CAs takes longer than a handshake, so a context serves all connections with the same settings, until
    # one of the files is another: a certificate that was renewed, a list of what was revoked meanwhile.
    context = ssl.create_default_context(cafile=tls.rootcert)
    context.minimum_version = _version(tls.minimum_version)
    context.maximum_version = _version(tls.maximum_version)
    if tls.cert is not None:
        # Without a password OpenSSL would ask for one on the terminal, and wait.
        context.load_cert_chain(tls.cert, tls.key, tls.key_password or "")
    if tls.crl is not None or tls.crldir is not None:
        context.load_verify_locations(tls.crl, tls.crldir)
        context.verify_flags |= ssl.VerifyFlags.VERIFY_CRL_CHECK_LEAF
    if tls.alpn:
        context.set_alpn_protocols(list(tls.alpn))
    if tls.keylogfile is not None:
        context.keylog_filename = tls.keylogfile
    return context


def _version(name: str) -> ssl.TLSVersion:
    return ssl.TLSVersion[name.replace(".", "_")]


def _files(tls: TLS) -> list[str]:
    return [path for path in (tls.rootcert, tls.cert, tls.key, tls.crl, tls.crldir) if path is not None]


def _versions(tls: TLS) -> tuple[tuple[int, int], ...]:
    """What changes when one of the files does."""
    states = [os.stat(path) for path in _files(tls)]
    if tls.crldir is not None:
        for name in sorted(os.listdir(tls.crldir)):
            with suppress(FileNotFoundError):  # a link to a list that is gone, which OpenSSL does not miss either
                states.append(os.stat(os.path.join(tls.crldir, name)))
    return tuple((state.st_mtime_ns, state.st_size) for state in states)
