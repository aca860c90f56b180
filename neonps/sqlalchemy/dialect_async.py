"""The dialect on asyncio."""

from __future__ import annotations

from typing import Any

from sqlalchemy.dialects.postgresql.psycopg import (
    AsyncAdapt_psycopg_cursor,
    PGDialectAsync_psycopg,
    PsycopgAdaptDBAPI,
)
from sqlalchemy.engine import Connection
from sqlalchemy.util import await_only

import neonps
from neonps.pq import ExecStatus
from neonps.types import TypeInfo

from .dialect import NeonpsDialect


class NeonpsDialectAsync(NeonpsDialect, PGDialectAsync_psycopg):
    """Postgres by neonps, on asyncio."""

    is_async = True
    supports_statement_cache = True

    @classmethod
    def import_dbapi(cls) -> AdaptedModule:
        return AdaptedModule()

    def _type_info_fetch(self, connection: Connection, name: str) -> TypeInfo | None:
        fetching: Any = TypeInfo.fetch(self._driver_connection(connection), name)
        found: TypeInfo | None = await_only(fetching)
        return found


class AdaptedModule(PsycopgAdaptDBAPI):
    """neonps as a DB-API module whose connections are `AsyncConnection`s that SQLAlchemy waits for."""

    def __init__(self) -> None:
        if hasattr(AsyncAdapt_psycopg_cursor, "_psycopg_ExecStatus"):
            # SQLAlchemy 2.0 keeps it here, for psycopg as well; the two are integers and equal.
            AsyncAdapt_psycopg_cursor._psycopg_ExecStatus = ExecStatus
            super().__init__(neonps)
        else:
            super().__init__(neonps, ExecStatus)

    def __getattr__(self, name: str) -> Any:
        # SQLAlchemy copies what is in the module. Some of that is imported when it is first asked for, and comes later.
        return getattr(neonps, name)
