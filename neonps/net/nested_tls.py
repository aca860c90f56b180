"""TLS inside TLS: with a server, on the connection to a proxy that speaks TLS itself. `ssl` has no socket for that."""

from __future__ import annotations

import ssl
from contextlib import suppress
from typing import Any

#: The most that is read from the outer layer, or put into a record of the inner one, at a time, in bytes.
_RECORD = 16384


class NestedTLS:
    """The inner layer, with what is used of an `ssl.SSLSocket` that does not block.

    Args:
        context: of the inner layer.
        outer: a socket with TLS.
        server_hostname: what the certificate in the inner layer has to be good for.

    Attributes:
        outer: it.
    """

    def __init__(self, context: ssl.SSLContext, outer: ssl.SSLSocket, server_hostname: str) -> None:
        self.outer = outer
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._inner = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_hostname)
        self._unsent = b""  # what is encrypted, and not on its way yet
        self._taken = 0  # how much the caller has given for it, and was not told yet to be taken

    def do_handshake(self) -> None:
        while True:
            try:
                self._inner.do_handshake()
                break
            except ssl.SSLWantReadError:
                self._flush()
                self._fill()
            except ssl.SSLError:
                self._say_why()
                raise
        self._flush()

    def recv(self, size: int) -> bytes:
        while True:
            try:
                return self._inner.read(size)
            except ssl.SSLZeroReturnError:
                return b""
            except ssl.SSLWantReadError:
                # It may be an answer to what came (RFC 8446 4.6.3) that waits to be sent; that can wait.
                self._try_to_flush()
                self._fill()

    def send(self, data: bytes | memoryview) -> int:
        """Send some of `data`; gives how much. Where it has to wait, call it again with the same."""
        self._flush()
        if not self._taken:
            self._taken = self._inner.write(data[:_RECORD])
            self._flush()
        taken, self._taken = self._taken, 0
        return taken

    def _fill(self) -> None:
        data = self.outer.recv(_RECORD)
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    def _flush(self) -> None:
        self._unsent += self._outgoing.read()
        while self._unsent:
            self._unsent = self._unsent[self.outer.send(self._unsent) :]

    def _try_to_flush(self) -> None:
        with suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError):
            self._flush()

    def _say_why(self) -> None:
        """Tell the other side why the handshake has failed."""
        with suppress(OSError):
            self._flush()

    def pending(self) -> int:
        return self._inner.pending() or self.outer.pending()

    def fileno(self) -> int:
        return self.outer.fileno()

    def close(self) -> None:
        self.outer.close()

    def version(self) -> str | None:
        return self._inner.version()

    def selected_alpn_protocol(self) -> str | None:
        return self._inner.selected_alpn_protocol()

    def getpeercert(self, binary_form: bool = False) -> Any:
        return self._inner.getpeercert(binary_form)
