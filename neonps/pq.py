"""libpq's enumerations, with its values; for programs that look at the state of a connection or a result."""

from __future__ import annotations

from enum import IntEnum, IntFlag
from typing import Any

from .pattern import pattern

__all__ = [
    "ConnStatus",
    "DiagnosticField",
    "ExecStatus",
    "Format",
    "Ping",
    "PipelineStatus",
    "PollingStatus",
    "Trace",
    "TransactionStatus",
    "error_message",
    "version",
    "version_pretty",
]

#: psycopg's name for an implementation that needs no compiled module; here not even libpq is needed.
__impl__ = "python"

#: The version of libpq whose features there are, see `version()`.
__build_version__ = 180000


def version() -> int:
    """The version of libpq whose features there are, as `180000` for 18.0.

    There is no libpq here. Programs compare the number to find out whether they can use something, such as pipelines,
    which came with 14; what came up to 18 can be used. `neonps.capabilities` answers such questions one by one.
    """
    return __build_version__


def version_pretty(version: int) -> str:
    """A version of libpq or of a server, such as 180001 or 90624, as people write it: "18.1", "9.6.24"."""
    major, rest = divmod(version, 10000)
    if major >= 10:
        return f"{major}.{rest}"
    return f"{major}.{rest // 100}.{rest % 100}"


_severity = pattern(r"[A-Z]+:\s+")


def error_message(obj: Any, encoding: str = "utf8") -> str:
    """The last error of a connection or a result, in one piece and without its severity.

    Args:
        obj: a connection's `pgconn`, or a result, as `error.pgresult`.
        encoding: what to decode the message by, if it is bytes; what cannot be decoded is replaced.

    Returns:
        the message; if there is none, words that say so.

    Raises:
        AttributeError: the object has no such message.
    """
    message = obj.error_message
    text = message.decode(encoding or "utf8", "replace") if isinstance(message, bytes) else str(message)
    found = _severity.match(text)
    return (text[found.end() :] if found else text).strip() or "no error details available"


class ConnStatus(IntEnum):
    """State of a connection (libpq's `ConnStatusType`)."""

    OK = 0
    BAD = 1
    STARTED = 2
    MADE = 3
    AWAITING_RESPONSE = 4
    AUTH_OK = 5
    SETENV = 6
    SSL_STARTUP = 7
    NEEDED = 8
    CHECK_WRITABLE = 9
    CONSUME = 10
    GSS_STARTUP = 11
    CHECK_TARGET = 12
    CHECK_STANDBY = 13
    ALLOCATED = 14
    AUTHENTICATING = 15


class PollingStatus(IntEnum):
    """What a connection that is being made waits for (libpq's `PostgresPollingStatusType`)."""

    FAILED = 0
    READING = 1
    WRITING = 2
    OK = 3
    ACTIVE = 4


class ExecStatus(IntEnum):
    """Outcome of a statement (libpq's `ExecStatusType`)."""

    EMPTY_QUERY = 0
    COMMAND_OK = 1
    TUPLES_OK = 2
    COPY_OUT = 3
    COPY_IN = 4
    BAD_RESPONSE = 5
    NONFATAL_ERROR = 6
    FATAL_ERROR = 7
    COPY_BOTH = 8
    SINGLE_TUPLE = 9
    PIPELINE_SYNC = 10
    PIPELINE_ABORTED = 11
    TUPLES_CHUNK = 12


class TransactionStatus(IntEnum):
    """Transaction status of a session (libpq's `PGTransactionStatusType`)."""

    IDLE = 0
    ACTIVE = 1
    INTRANS = 2
    INERROR = 3
    UNKNOWN = 4


class PipelineStatus(IntEnum):
    """Whether a session is in pipeline mode (libpq's `PGpipelineStatus`)."""

    OFF = 0
    ON = 1
    ABORTED = 2


class Ping(IntEnum):
    """Whether a server answers (libpq's `PGPing`)."""

    OK = 0
    REJECT = 1
    NO_RESPONSE = 2
    NO_ATTEMPT = 3


class Format(IntEnum):
    """Format of a value on the wire (PostgreSQL docs 53.2.3)."""

    TEXT = 0
    BINARY = 1


class DiagnosticField(IntEnum):
    """Field of an error or a notice: the code of its letter (PostgreSQL docs 53.8)."""

    SEVERITY = ord("S")
    SEVERITY_NONLOCALIZED = ord("V")
    SQLSTATE = ord("C")
    MESSAGE_PRIMARY = ord("M")
    MESSAGE_DETAIL = ord("D")
    MESSAGE_HINT = ord("H")
    STATEMENT_POSITION = ord("P")
    INTERNAL_POSITION = ord("p")
    INTERNAL_QUERY = ord("q")
    CONTEXT = ord("W")
    SCHEMA_NAME = ord("s")
    TABLE_NAME = ord("t")
    COLUMN_NAME = ord("c")
    DATATYPE_NAME = ord("d")
    CONSTRAINT_NAME = ord("n")
    SOURCE_FILE = ord("F")
    SOURCE_LINE = ord("L")
    SOURCE_FUNCTION = ord("R")


class Trace(IntFlag):
    """Flags of libpq's `PQsetTraceFlags`."""

    SUPPRESS_TIMESTAMPS = 1
    REGRESS_MODE = 2


def __getattr__(name: str) -> Any:
    # What needs more than this module; here for who looks for it under psycopg's name.
    if name == "PGconn":
        from .pgconn import PGconn

        return PGconn
    if name == "PGresult":
        from .protocol.result import Result

        return Result
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
