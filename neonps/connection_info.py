"""What is known of a connection: where it leads, who the server is, and in which state it is."""

from __future__ import annotations

from datetime import timezone, tzinfo
from typing import TYPE_CHECKING

from . import errors as e
from .conninfo import SECRET_KEYWORDS
from .decimal_number import decimal_number
from .pq import ConnStatus, PipelineStatus, TransactionStatus
from .timezones import timezone_named

if TYPE_CHECKING:
    from .flows.transport import Transport
    from .net.aio import AsyncRunner
    from .net.blocking import BlockingRunner


class ConnectionInfo:
    """The state of a connection, as `Connection.info` gives it.

    What only a session knows (process ID, settings of the server) is 0 or None over HTTP. Where the connection has to
    be open and is not, `OperationalError` is raised.
    """

    __module__ = "neonps"

    def __init__(
        self, transport: Transport, runner: BlockingRunner | AsyncRunner | None, connection: object = None
    ) -> None:
        self._transport = transport
        self._runner = runner
        self._connection = connection  # who looks at the state of a connection keeps it open
        self._settings = transport.settings

    def _check_open(self) -> None:
        if self._transport.closed:
            raise e.OperationalError("the connection is closed")

    @property
    def vendor(self) -> str:
        """The name of the database system."""
        return "PostgreSQL"

    @property
    def transport(self) -> str:
        """The transport in use: "websocket", "http" or "tcp"."""
        return self._transport.name

    @property
    def provider(self) -> str | None:
        """The name of the provider whose settings are in use, if it is one that is known."""
        return self._settings.provider

    @property
    def request_id(self) -> str | None:
        """What the service calls the last HTTP request, or the one that has opened the WebSocket.

        None if it has not said so, and over HTTP before the first request and when the last was not answered.
        """
        return self._transport.request_id

    @property
    def round_trips(self) -> int:
        """How often the driver had to wait for an answer to what it has sent, connecting included.

        That is 1 for a TCP connection, 1 for TLS 1.3 and 2 for TLS 1.2, 1 for asking Postgres whether it speaks TLS, 1
        for opening a WebSocket, and then 1 for each exchange of messages, or request over HTTP. When HTTP opens its
        connection again that is added. Looking up a name does not count, nor does cancelling, which is done by another
        connection.
        """
        return 0 if self._runner is None else self._runner.round_trips

    @property
    def host(self) -> str:
        """The host of the database, or the directory of its Unix socket."""
        self._check_open()
        return self._settings.host

    @property
    def hostaddr(self) -> str:
        """The address of the host: over TCP the one that is connected to, otherwise the one that was given, or ""."""
        self._check_open()
        return self._settings.hostaddr or ""

    @property
    def port(self) -> int:
        """The port of the database."""
        self._check_open()
        return self._settings.port

    @property
    def dbname(self) -> str:
        """The name of the database."""
        self._check_open()
        return self._settings.dbname

    @property
    def user(self) -> str:
        """The name of the user."""
        self._check_open()
        return self._settings.user

    @property
    def password(self) -> str:
        """The password; keep it out of logs."""
        self._check_open()
        return self._settings.password or ""

    @property
    def options(self) -> str:
        """The command-line options that were given for the session."""
        self._check_open()
        return self._settings.options or ""

    def get_parameters(self) -> dict[str, str]:
        """What was given to connect with, without the password, and without what is at its default."""
        self._check_open()
        return {name: value for name, value in self._settings.given.items() if name not in SECRET_KEYWORDS}

    @property
    def dsn(self) -> str:
        """The parameters as a connection string, without the password."""
        from .conninfo import make_conninfo

        return make_conninfo("", **self.get_parameters())

    @property
    def status(self) -> ConnStatus:
        """Whether the connection can be used."""
        return ConnStatus.BAD if self._transport.closed else ConnStatus.OK

    @property
    def transaction_status(self) -> TransactionStatus:
        """Whether a transaction is open. A BEGIN that waits for its first statement counts."""
        return self._transport.transaction_status

    @property
    def pipeline_status(self) -> PipelineStatus:
        """Whether a pipeline is open."""
        return self._transport.pipeline_status

    @property
    def server_version(self) -> int:
        """The server's version as an integer, such as 180001 for 18.1; 0 if it is not known."""
        return _version_number(self.parameter_status("server_version") or "")

    @property
    def full_protocol_version(self) -> int:
        """The version of the wire protocol, such as 30000 for 3.0; 0 over HTTP."""
        self._check_open()
        machine = getattr(self._transport, "machine", None)
        return 0 if machine is None else (machine.protocol >> 16) * 10000 + (machine.protocol & 0xFFFF)

    @property
    def backend_pid(self) -> int:
        """The process ID of the server's side of the session; 0 if there is none."""
        self._check_open()
        machine = getattr(self._transport, "machine", None)
        return 0 if machine is None else int(machine.backend_pid)

    @property
    def error_message(self) -> str:
        """What went wrong last, as libpq puts it; "" if nothing did since the last statement that went well."""
        return self._transport.error_message

    def parameter_status(self, param_name: str) -> str | None:
        """The value of a setting that the server has reported (PostgreSQL docs 53.2.7); None if it has not."""
        self._check_open()
        return self._transport.parameter_status(param_name)

    @property
    def encoding(self) -> str:
        """The name of Python's codec for the client's encoding."""
        from .encodings import python_codec

        return python_codec(self._transport.parameter_status("client_encoding") or "UTF8")

    @property
    def timezone(self) -> tzinfo:
        """The time zone of the session; UTC if it is not known."""
        name = self.parameter_status("TimeZone")
        return timezone_named(name) if name else timezone.utc


def _version_number(version: str) -> int:
    """PostgreSQL's own number for a version such as "18.1", "19beta2" or "9.6.24"."""
    numbers = []
    for part in version.split(" ")[0].split("."):
        digits = ""
        for character in part:
            if not character.isdecimal():
                break
            digits += character
        number = decimal_number(digits)
        if number is None:
            break
        numbers.append(number)
    if not numbers:
        return 0
    if numbers[0] >= 10:
        return numbers[0] * 10000 + (numbers[1] if len(numbers) > 1 else 0)
    major, minor, patch = (*numbers, 0, 0)[:3]
    return major * 10000 + minor * 100 + patch
