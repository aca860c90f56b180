"""What can be used, for programs that ask before they do."""

from __future__ import annotations

from . import errors as e
from .pgconn import PGconn


class Capabilities:
    """Tells whether a feature can be used. To psycopg that is up to its libpq, here up to neonps.

    It is about sessions; what there is not over HTTP raises `NotSupportedError` when it is used. Each method returns
    whether the feature is there; with `check` it raises `NotSupportedError` if it is not, and says why.
    """

    __module__ = "neonps"

    def has_full_protocol_version(self, check: bool = False) -> bool:
        """Whether `ConnectionInfo.full_protocol_version` tells the version of the wire protocol: yes."""
        return True

    def has_encrypt_password(self, check: bool = False) -> bool:
        """Whether there is `PGconn.encrypt_password()`."""
        return _has_method("encrypt_password", check)

    def has_hostaddr(self, check: bool = False) -> bool:
        """Whether `ConnectionInfo.hostaddr` tells the server's address: yes."""
        return True

    def has_pipeline(self, check: bool = False) -> bool:
        """Whether there is pipeline mode: yes."""
        return True

    def has_set_trace_flags(self, check: bool = False) -> bool:
        """Whether there is `PGconn.set_trace_flags()`."""
        return _has_method("set_trace_flags", check)

    def has_used_gssapi(self, check: bool = False) -> bool:
        """Whether there is `PGconn.used_gssapi`."""
        return _has_method("used_gssapi", check)

    def has_cancel_safe(self, check: bool = False) -> bool:
        """Whether `Connection.cancel_safe()` cancels over a connection that is as safe as the one it is for: yes."""
        return True

    def has_stream_chunked(self, check: bool = False) -> bool:
        """Whether `Cursor.stream()` can fetch several rows at a time: yes."""
        return True

    def has_send_close_prepared(self, check: bool = False) -> bool:
        """Whether the server is told to forget a prepared statement by a message of the protocol: yes.

        A PgBouncer that knows of prepared statements needs that. psycopg has `PGconn.send_close_prepared()` for it.
        """
        return True


def _has_method(name: str, check: bool) -> bool:
    if hasattr(PGconn, name):
        return True
    if check:
        raise e.NotSupportedError(f"the feature 'PGconn.{name}' is not available: there is no libpq behind neonps")
    return False


#: The one that programs use.
capabilities = Capabilities()
