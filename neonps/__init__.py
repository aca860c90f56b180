"""DB-API 2.0 (PEP 249) driver for Postgres over HTTP, over WebSockets, and over plain connections."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .base_connection import BaseConnection
from .capabilities import Capabilities, capabilities
from .column import Column
from .connection import Connection, connect
from .cursor import Cursor
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
from .notify import Notify
from .postgres import adapters
from .version import __version__

if TYPE_CHECKING:
    from . import sql as sql
    from .base_query_function import FullResults
    from .client_cursor import AsyncClientCursor, ClientCursor
    from .connection_async import AsyncConnection
    from .connection_info import ConnectionInfo
    from .copy import AsyncCopy, Copy
    from .cursor_async import AsyncCursor
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
    from .pipeline import AsyncPipeline, Pipeline
    from .query_function import QueryFunction, neon
    from .query_function_async import AsyncQueryFunction, async_neon
    from .raw_cursor import AsyncRawCursor, AsyncRawServerCursor, RawCursor, RawServerCursor
    from .server_cursor import AsyncServerCursor, ServerCursor
    from .transaction import AsyncTransaction, Rollback, Transaction
    from .xid import Xid

#: PEP 249: the version of the API.
apilevel = "2.0"
#: PEP 249: threads may share the module and connections.
threadsafety = 2
#: PEP 249: placeholders are `%s` and `%(name)s`.
paramstyle = "pyformat"


def install_as_psycopg() -> None:
    """Let `import psycopg`, and of anything below it, give neonps from now on, whether psycopg is installed or not.

    `psycopg.__version__` is the version of psycopg whose API this is, and classes say that they are psycopg's, as
    `psycopg.errors.UniqueViolation` does in messages. A program that cannot be changed can be run by
    `python -m neonps.as_psycopg program.py`.

    Call it before anything imports psycopg: what others have imported by then stays psycopg's, and a `RuntimeWarning`
    says so. Another call does nothing.
    """
    from .as_psycopg import install

    install()


#: What is imported when it is first asked for (PEP 562), by the module that it is in. Imported at once is what a
#: blocking connection needs to run a statement and fetch, whatever the transport; a call that needs more imports it.
_LATER = {
    name: module
    for module, names in {
        "base_query_function": ["FullResults"],
        "client_cursor": ["AsyncClientCursor", "ClientCursor"],
        "connection_async": ["AsyncConnection"],
        "connection_info": ["ConnectionInfo"],
        "copy": ["AsyncCopy", "Copy"],
        "cursor_async": ["AsyncCursor"],
        "dbapi": [
            *["BINARY", "DATETIME", "NUMBER", "ROWID", "STRING"],
            *["Binary", "Date", "DateFromTicks", "Time", "TimeFromTicks", "Timestamp", "TimestampFromTicks"],
        ],
        "pipeline": ["AsyncPipeline", "Pipeline"],
        "query_function": ["QueryFunction", "neon"],
        "query_function_async": ["AsyncQueryFunction", "async_neon"],
        "raw_cursor": ["AsyncRawCursor", "AsyncRawServerCursor", "RawCursor", "RawServerCursor"],
        "server_cursor": ["AsyncServerCursor", "ServerCursor"],
        "transaction": ["AsyncTransaction", "Rollback", "Transaction"],
        "xid": ["Xid"],
    }.items()
    for name in names
}
#: The modules that are attributes here before anybody has imported them, as they are in psycopg.
_MODULES = frozenset(
    ["abc", "adapt", "client_cursor", "conninfo", "copy", "errors", "postgres", "pq", "rows", "sql", "types"]
)


def __getattr__(name: str) -> Any:
    if name in _LATER:
        value = getattr(import_module(f".{_LATER[name]}", __name__), name)
        globals()[name] = value
        return value
    if name in _MODULES:
        return import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER, *_MODULES})


__all__ = [
    "BINARY",
    "DATETIME",
    "NUMBER",
    "ROWID",
    "STRING",
    "AsyncClientCursor",
    "AsyncConnection",
    "AsyncCopy",
    "AsyncCursor",
    "AsyncPipeline",
    "AsyncQueryFunction",
    "AsyncRawCursor",
    "AsyncRawServerCursor",
    "AsyncServerCursor",
    "AsyncTransaction",
    "BaseConnection",
    "Binary",
    "Capabilities",
    "ClientCursor",
    "Column",
    "Connection",
    "ConnectionInfo",
    "Copy",
    "Cursor",
    "DataError",
    "DatabaseError",
    "Date",
    "DateFromTicks",
    "Error",
    "FullResults",
    "IntegrityError",
    "InterfaceError",
    "InternalError",
    "IsolationLevel",
    "NotSupportedError",
    "Notify",
    "OperationalError",
    "Pipeline",
    "ProgrammingError",
    "QueryFunction",
    "RawCursor",
    "RawServerCursor",
    "Rollback",
    "ServerCursor",
    "Time",
    "TimeFromTicks",
    "Timestamp",
    "TimestampFromTicks",
    "Transaction",
    "Warning",
    "Xid",
    "__version__",
    "adapters",
    "apilevel",
    "async_neon",
    "capabilities",
    "connect",
    "install_as_psycopg",
    "neon",
    "paramstyle",
    "threadsafety",
]
