"""The connection as libpq shows it: for programs that look at what psycopg calls `pgconn`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .pq import ConnStatus, PipelineStatus, TransactionStatus

if TYPE_CHECKING:
    from .base_connection import BaseConnection


class PGconn:
    """The state of a connection, with libpq's names and with bytes where libpq has them. It is for looking only.

    Args:
        connection: the connection.
        finish: what closes it.
    """

    def __init__(self, connection: BaseConnection[Any], finish: Callable[[], Any]) -> None:
        self._connection = connection
        self._info = connection.info
        self._finish = finish

    def __repr__(self) -> str:
        return f"<{type(self).__module__}.{type(self).__qualname__} {self._connection._where()} at 0x{id(self):x}>"

    def finish(self) -> Any:
        """Close the connection, as its `close()` does; on an `AsyncConnection` to be awaited."""
        return self._finish()

    @property
    def status(self) -> ConnStatus:
        """Whether the connection can be used."""
        return self._info.status

    @property
    def transaction_status(self) -> TransactionStatus:
        """Whether a transaction is open. A BEGIN that waits for its first statement counts."""
        return self._info.transaction_status

    @property
    def pipeline_status(self) -> PipelineStatus:
        """Whether the connection is in pipeline mode."""
        return self._info.pipeline_status

    @property
    def socket(self) -> int:
        """The file descriptor of the socket."""
        return self._connection.fileno()

    @property
    def backend_pid(self) -> int:
        """The process ID of the server's side of the session; 0 over HTTP."""
        return self._info.backend_pid

    @property
    def server_version(self) -> int:
        """The server's version as an integer."""
        return self._info.server_version

    @property
    def protocol_version(self) -> int:
        """The major version of the wire protocol; 0 over HTTP."""
        return self._info.full_protocol_version // 10000

    @property
    def full_protocol_version(self) -> int:
        """The version of the wire protocol, such as 30000 for 3.0; 0 over HTTP."""
        return self._info.full_protocol_version

    def parameter_status(self, name: bytes) -> bytes | None:
        """The value of a setting that the server has reported; None if it has not."""
        value = self._info.parameter_status(name.decode())
        return None if value is None else value.encode()

    @property
    def error_message(self) -> bytes:
        """Always b"": errors are raised."""
        return b""

    def get_error_message(self, encoding: str = "utf-8") -> str:
        """Always "": errors are raised."""
        return ""

    @property
    def db(self) -> bytes:
        """The name of the database."""
        return self._info.dbname.encode()

    @property
    def user(self) -> bytes:
        """The name of the user."""
        return self._info.user.encode()

    @property
    def password(self) -> bytes:
        """The password; keep it out of logs."""
        return self._info.password.encode()

    @property
    def host(self) -> bytes:
        """The host of the database."""
        return self._info.host.encode()

    @property
    def hostaddr(self) -> bytes:
        """The address that was given for the host, or b""."""
        return self._info.hostaddr.encode()

    @property
    def port(self) -> bytes:
        """The port of the database."""
        return str(self._info.port).encode()

    @property
    def options(self) -> bytes:
        """The command-line options that were given for the session."""
        return self._info.options.encode()

    @property
    def ssl_in_use(self) -> bool:
        """Whether the connection is encrypted by TLS."""
        return self._connection._transport.settings.tls is not None

    @property
    def needs_password(self) -> bool:
        """False: such a connection does not come into being."""
        return False

    @property
    def used_password(self) -> bool:
        """Whether there was a password to log in with."""
        return bool(self._info.password)
