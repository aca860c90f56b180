"""What Django looks for in a backend: the `DatabaseWrapper`, which is that of Django's for PostgreSQL, on neonps."""

from __future__ import annotations

from typing import Any

from .loading import check_drivers

check_drivers()

from django.core.exceptions import ImproperlyConfigured  # noqa: E402
from django.db.backends.postgresql import base as postgresql  # noqa: E402
from django.utils.functional import cached_property  # noqa: E402

from ..settings import resolve  # noqa: E402
from ..tracebacks import without_locals  # noqa: E402
from . import http  # noqa: E402
from .client import DatabaseClient  # noqa: E402
from .creation import DatabaseCreation  # noqa: E402

#: The parameters of `neonps.connect()` that do not say where and how to connect.
_OF_THE_CONNECTION = ("autocommit", "context", "cursor_factory", "prepare_threshold", "row_factory")


class DatabaseWrapper(postgresql.DatabaseWrapper):
    """A connection of one thread to one of the `DATABASES`."""

    client_class = DatabaseClient
    creation_class = DatabaseCreation

    @cached_property  # type: ignore[untyped-decorator]
    @without_locals
    def transport(self) -> str:
        """How the database is reached: "websocket", "http" or "tcp"."""
        parameters = self.get_connection_params()
        for name in _OF_THE_CONNECTION:
            parameters.pop(name, None)
        with self.wrap_database_errors:
            return resolve(parameters.pop("conninfo", ""), parameters).transport

    @without_locals
    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        if self.transport == "http":
            http.check_settings(self.settings_dict)
            conn_params = http.with_time_zone(conn_params, self.timezone_name)
        return super().get_new_connection(conn_params)

    def init_connection_state(self) -> None:
        # It is here that logins fail with `lazy` and over HTTP. Django would keep the connection and take it for good.
        try:
            super().init_connection_state()
        except BaseException:
            self.close()
            raise

    @property
    def pool(self) -> Any:
        if self.settings_dict["OPTIONS"].get("pool"):
            try:
                import neonps.pool  # noqa: F401
            except ModuleNotFoundError as error:
                raise ImproperlyConfigured(str(error)) from error
        return super().pool

    @cached_property  # type: ignore[untyped-decorator]
    def pg_version(self) -> int:
        with self.temporary_connection() as cursor:
            version: int = self.connection.info.server_version
            if version == 0:  # over HTTP servers do not tell, and with `lazy` it is not known yet
                cursor.execute("SELECT current_setting('server_version_num')::int")
                (version,) = cursor.fetchone()
            return version

    def _configure_timezone(self, connection: Any) -> bool:
        if self.transport == "http":
            http.check_time_zone(connection, self.timezone_name)
            return False
        changed: bool = super()._configure_timezone(connection)
        return changed

    def set_autocommit(self, autocommit: bool, *args: Any, **kwargs: Any) -> None:
        # At the end of an atomic() whose connection was lost, Django would open another only to set this. If that
        # fails too, it would be all that the program hears: not that the COMMIT was sent, and its outcome is unknown.
        unopened = self.connection is None and not self.in_atomic_block
        if not (unopened and autocommit == self.settings_dict["AUTOCOMMIT"]):  # with that it is opened
            super().set_autocommit(autocommit, *args, **kwargs)

    def _commit(self) -> None:
        try:
            super()._commit()
        except BaseException:
            self.run_on_commit: list[Any] = []  # after Ctrl-C Django would run them behind the next transaction
            raise

    def _set_autocommit(self, autocommit: bool) -> None:
        if not autocommit and self.transport == "http":
            raise http.TransactionsNotSupported
        super()._set_autocommit(autocommit)

    def chunked_cursor(self) -> Any:
        # Over HTTP a result comes all at once, so there is nothing that a cursor of the server could do.
        return self.cursor() if self.transport == "http" else super().chunked_cursor()
