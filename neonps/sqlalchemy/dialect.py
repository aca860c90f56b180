"""The dialect: SQLAlchemy's own for psycopg, whose API neonps has, with everything taken from neonps instead."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.engine import URL, Connection

import neonps
from neonps.adapt import AdaptersMap
from neonps.pq import TransactionStatus
from neonps.tracebacks import without_locals
from neonps.types import TypeInfo
from neonps.types.hstore import register_hstore
from neonps.types.json import Json, Jsonb, set_json_dumps, set_json_loads
from neonps.types.multirange import Multirange
from neonps.types.range import Range
from neonps.types.string import TextLoader

from . import http
from .connect_arguments import converted


class NeonpsDialect(PGDialect_psycopg):
    """Postgres by neonps, blocking."""

    driver = "neonps"
    supports_statement_cache = True
    minimum_dbapi_version = None  # a version of psycopg otherwise
    execution_ctx_cls = http.NeonpsExecutionContext

    _psycopg_Json = Json
    _psycopg_Jsonb = Jsonb
    _psycopg_Range = Range
    _psycopg_Multirange = Multirange
    _psycopg_TransactionStatus = TransactionStatus

    def __init__(self, **kwargs: Any) -> None:
        # Not what is between: that imports psycopg.
        super(PGDialect_psycopg, self).__init__(**kwargs)
        self._psycopg_adapters_map = adapters = AdaptersMap(neonps.adapters)
        if self._native_inet_types is False:
            adapters.register_loader("inet", TextLoader)
            adapters.register_loader("cidr", TextLoader)
        if self._json_deserializer:
            set_json_loads(self._json_deserializer, adapters)
        if self._json_serializer:
            set_json_dumps(self._json_serializer, adapters)

    @classmethod
    def import_dbapi(cls) -> ModuleType:
        return neonps

    @classmethod
    def get_async_dialect_cls(cls, url: URL) -> type[NeonpsDialect]:
        from .dialect_async import NeonpsDialectAsync

        return NeonpsDialectAsync

    @without_locals
    def create_connect_args(self, url: URL) -> tuple[list[str], dict[str, Any]]:
        args, keywords = super().create_connect_args(url)
        return args, converted(keywords)

    def initialize(self, connection: Connection) -> None:
        level = self._on_connect_isolation_level
        dbapi_connection = connection.connection.dbapi_connection
        # What SQLAlchemy asks first are several queries, which over HTTP cannot share the snapshot of a higher level.
        in_between = level not in (None, "AUTOCOMMIT") and self._driver_connection(connection).info.transport == "http"
        if in_between:
            self._do_isolation_level(dbapi_connection, autocommit=False, isolation_level=None)
        self._initialize(connection)
        if in_between:
            self.do_rollback(dbapi_connection)
            self.set_isolation_level(dbapi_connection, level)

    def _initialize(self, connection: Connection) -> None:
        super(PGDialect_psycopg, self).initialize(connection)
        if self.use_native_hstore:
            info = self._type_info_fetch(connection, "hstore")
            self._has_native_hstore = info is not None
            if info is not None:
                register_hstore(info, self._psycopg_adapters_map)  # for the connections to come
                register_hstore(info, self._driver_connection(connection))

    @staticmethod
    def _driver_connection(connection: Connection) -> Any:
        return connection.connection.driver_connection

    def _type_info_fetch(self, connection: Connection, name: str) -> TypeInfo | None:
        found: TypeInfo | None = TypeInfo.fetch(self._driver_connection(connection), name)
        return found

    def do_begin_twophase(self, connection: Connection, xid: Any) -> None:
        with http.our_words():
            super().do_begin_twophase(connection, xid)

    @without_locals
    def do_execute(self, cursor: Any, statement: str, parameters: Any, context: Any = None) -> None:
        self._execute(cursor, statement, lambda: cursor.execute(statement, parameters), context)

    def do_execute_no_params(self, cursor: Any, statement: str, context: Any = None) -> None:
        self._execute(cursor, statement, lambda: cursor.execute(statement), context)

    @without_locals
    def do_executemany(self, cursor: Any, statement: str, parameters: Any, context: Any = None) -> None:
        self._execute(cursor, statement, lambda: cursor.executemany(statement, parameters), context, fetches=False)

    def _execute(
        self, cursor: Any, statement: str, call: Callable[[], None], context: Any, *, fetches: bool = True
    ) -> None:
        connection = http.driver_connection(cursor)
        if connection.info.transport == "http":
            http.execute(call, connection, statement, context, fetches=fetches)
        else:
            call()
