"""DB-API 2.0 (PEP 249) driver for Postgres over HTTP, over WebSockets, and over plain connections."""

from __future__ import annotations

from . import sql as sql
from .base_connection import BaseConnection, Notify
from .column import Column
from .connection import Connection, connect
from .connection_info import ConnectionInfo
from .cursor import Cursor
from .dbapi import (
    BINARY,
    DATETIME,
    NUMBER,
    ROWID,
    STRING,
    Binary,
    Date,
    DateFromTicks,
    Time,
    TimeFromTicks,
    Timestamp,
    TimestampFromTicks,
)
from .errors import (
    DatabaseError,
    DataError,
    Error,
    IntegrityError,
    InterfaceError,
    InternalError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
    Warning,
)
from .isolation import IsolationLevel
from .postgres import adapters, types
from .transaction import Rollback, Transaction
from .version import __version__

#: PEP 249: the version of the API.
apilevel = "2.0"
#: PEP 249: threads may share the module and connections.
threadsafety = 2
#: PEP 249: placeholders are `%s` and `%(name)s`.
paramstyle = "pyformat"

__all__ = [
    "BINARY",
    "DATETIME",
    "NUMBER",
    "ROWID",
    "STRING",
    "BaseConnection",
    "Binary",
    "Column",
    "Connection",
    "ConnectionInfo",
    "Cursor",
    "DataError",
    "DatabaseError",
    "Date",
    "DateFromTicks",
    "Error",
    "IntegrityError",
    "InterfaceError",
    "InternalError",
    "IsolationLevel",
    "NotSupportedError",
    "Notify",
    "OperationalError",
    "ProgrammingError",
    "Rollback",
    "Time",
    "TimeFromTicks",
    "Timestamp",
    "TimestampFromTicks",
    "Transaction",
    "Warning",
    "__version__",
    "adapters",
    "apilevel",
    "connect",
    "paramstyle",
    "threadsafety",
    "types",
]
