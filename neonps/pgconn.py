"""The connection as libpq shows it: for programs that look at what psycopg calls `pgconn`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from . import errors as e
from .escaping import quote_identifier, quote_literal
from .flows.transport import Transport
from .pq import ConnStatus, PipelineStatus, TransactionStatus
from .tracebacks import without_locals

if TYPE_CHECKING:
    from .connection_info import ConnectionInfo
    from .net.aio import AsyncRunner
    from .net.blocking import BlockingRunner
    from .protocol.result import Result
    from .settings import Settings


def failed_pgconn(settings: Settings, error: Exception) -> PGconn:
    """What there is to show of a connection that did not come into being."""
    transport = Transport(settings)
    transport.closed = True
    transport.error_message = f"{error}\n"
    return PGconn(transport, None, needs_password="no password supplied" in str(error))


class PGconn:
    """The state of a connection, with libpq's names and with bytes where libpq has them. It is for looking only.

    Args:
        transport: what the connection goes over.
        runner: what runs its flows.
        needs_password: there was no password to log in with, and one was wanted.
    """

    def __init__(
        self, transport: Transport, runner: BlockingRunner | AsyncRunner | None, *, needs_password: bool = False
    ) -> None:
        self._transport = transport
        self._runner = runner
        self._needs_password = needs_password

    @property
    def _settings(self) -> Settings:
        return self._transport.settings

    @property
    def _info(self) -> ConnectionInfo:
        from .connection_info import ConnectionInfo

        return ConnectionInfo(self._transport, self._runner)

    def __repr__(self) -> str:
        return f"<{type(self).__module__}.{type(self).__qualname__} [{self.status.name}] at 0x{id(self):x}>"

    def _check_open(self) -> None:
        """Raise if the connection is closed; what never came into being still says where it was to lead."""
        if self._transport.closed and self._runner is not None:
            raise self._transport.refusal()

    def exec_(self, command: bytes) -> Result:
        """Run statements as they are, and give the last result, errors included. Not on an `AsyncConnection`."""
        return self._run_plainly(command, None)

    @without_locals
    def exec_params(self, command: bytes, param_values: Sequence[bytes | None]) -> Result:
        """As `exec_()`, for one statement with `$1`, `$2`, … and the values of these in text format."""
        return self._run_plainly(command, param_values)

    def _run_plainly(self, command: bytes, values: Sequence[bytes | None] | None) -> Result:
        from .net.blocking import BlockingRunner

        if self._transport.closed:
            raise self._transport.refusal()
        if not isinstance(self._runner, BlockingRunner):
            raise e.NotSupportedError("this would block the event loop; use the methods of the connection")
        session = self._transport.session("a statement without a cursor")
        result: Result = self._runner.run(session.guard(session.run_plainly(command, values), self._transport.timeout))
        return result

    @without_locals
    def encrypt_password(self, passwd: bytes, user: bytes, algorithm: bytes | None = None) -> bytes:
        """A password as the server stores it, so that it need not travel in clear text.

        Args:
            passwd: the password, in UTF-8.
            user: whose password it is.
            algorithm: b"scram-sha-256", which is the default, or b"md5".
        """
        import hashlib

        if algorithm == b"md5":
            return b"md5" + hashlib.md5(passwd + user, usedforsecurity=False).hexdigest().encode()
        if algorithm not in (None, b"scram-sha-256"):
            raise e.NotSupportedError(f"unrecognized password encryption algorithm {algorithm!r}")
        from .protocol.scram import stored_password

        return stored_password(passwd.decode()).encode()

    @without_locals
    def change_password(self, user: bytes, passwd: bytes) -> None:
        """Change the password of a user without sending it in clear text.

        Raises:
            OperationalError: the server has refused it.
        """
        literal = quote_literal(self.encrypt_password(passwd, user))
        result = self.exec_(b"ALTER USER " + quote_identifier(user) + b" PASSWORD " + literal)
        if message := result.get_error_message():
            raise e.OperationalError(message)

    def finish(self) -> None:
        """Close the connection at once; prefer its `close()`, which takes its leave of the server."""
        self._transport.closed = True
        if self._runner is None:
            return
        if self._transport.in_call:  # whoever is waiting for the server has to hear of it
            self._runner.hang_up()
        else:
            self._runner.close()

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
        self._check_open()
        return -1 if self._runner is None else self._runner.fileno()

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
        """What went wrong last, as libpq puts it; b"" if nothing did since the last statement that went well."""
        return self._transport.error_message.encode()

    def get_error_message(self, encoding: str = "utf-8") -> str:
        """As `error_message`, without the severity in front."""
        return self._transport.error_message.partition(":  ")[2].strip()

    @property
    def db(self) -> bytes:
        """The name of the database."""
        self._check_open()
        return self._settings.dbname.encode()

    @property
    def user(self) -> bytes:
        """The name of the user."""
        self._check_open()
        return self._settings.user.encode()

    @property
    def password(self) -> bytes:
        """The password; keep it out of logs."""
        return (self._settings.password or "").encode()

    @property
    def host(self) -> bytes:
        """The host of the database."""
        self._check_open()
        return self._settings.host.encode()

    @property
    def hostaddr(self) -> bytes:
        """The address of the host, or b""; see `ConnectionInfo.hostaddr`."""
        return (self._settings.hostaddr or "").encode()

    @property
    def port(self) -> bytes:
        """The port of the database."""
        self._check_open()
        return str(self._settings.port).encode()

    @property
    def options(self) -> bytes:
        """The command-line options that were given for the session."""
        return (self._settings.options or "").encode()

    @property
    def ssl_in_use(self) -> bool:
        """Whether the connection is encrypted by TLS."""
        return self._settings.tls is not None

    @property
    def needs_password(self) -> bool:
        """Whether there was no password to log in with, and one was wanted."""
        return self._needs_password

    @property
    def used_gssapi(self) -> bool:
        """False: GSSAPI is not supported."""
        return False

    @property
    def used_password(self) -> bool:
        """Whether there was a password to log in with."""
        return bool(self._settings.password)
