"""The drivers, each behind the same few methods. What a driver cannot do, its class has no method for."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

#: Makes the rows of a result; its parameter is how many.
Rows = Sequence[Sequence[Any]]

INSERT = "INSERT INTO benchmark VALUES ({})"


class PsycopgLike:
    """neonps and psycopg.

    Args:
        module: "neonps" or "psycopg".
        url: what to connect to.
        binary: whether to ask for values in binary form.
        options: keywords of `connect()`.

    Attributes:
        session: whether there can be prepared statements, server-side cursors, and COPY.
    """

    #: What stands for a number of rows in a query.
    PLACEHOLDER = "%s::int4"

    def __init__(self, module: str, url: str, binary: bool = False, **options: Any) -> None:
        self.module = import_module(module)
        self.binary = binary
        self.session = options.get("transport") != "http"
        self.connection = self.module.connect(url, **{"autocommit": True, **options})

    def close(self) -> None:
        self.connection.close()

    def statement(self) -> Any:
        return self.connection.execute("SELECT 1").fetchone()

    def transaction(self) -> None:
        with self.connection.transaction():
            for _ in range(3):
                self.connection.execute("SELECT 1")

    def executemany(self, rows: Iterable[Sequence[Any]], columns: int) -> None:
        insert = INSERT.format(", ".join(["%s"] * columns))
        with self.connection.transaction(), self.connection.cursor() as cursor:
            cursor.executemany(insert, rows)

    def pipeline(self, statements: int) -> None:
        with self.connection.pipeline():
            cursors = [self.connection.execute("SELECT %s::int", [n]) for n in range(statements)]
        assert [cursor.fetchone()[0] for cursor in cursors] == list(range(statements))

    def fetchall(self, query: str) -> Rows:
        rows: Rows = self.connection.execute(query, binary=self.binary).fetchall()
        return rows

    def prepare(self, query: str, sample: int) -> Callable[[int], Rows]:
        def fetchall(rows: int) -> Rows:
            threshold, self.connection.prepare_threshold = self.connection.prepare_threshold, 5
            cursor = self.connection.execute(query, [rows], prepare=True, binary=self.binary)
            self.connection.prepare_threshold = threshold
            fetched: Rows = cursor.fetchall()
            return fetched

        for _ in range(6):  # more often than a driver may want to have seen it
            fetchall(sample)
        return fetchall

    def copy(self, rows: Iterable[Sequence[Any]]) -> None:
        with self.connection.cursor() as cursor, cursor.copy("COPY benchmark FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)


class Neonps(PsycopgLike):
    """neonps, with what it has of its own."""

    def __init__(self, url: str, **options: Any) -> None:
        super().__init__("neonps", url, **options)

    def batch(self, statements: int) -> None:
        self.connection.batch([("SELECT %s::int", [n]) for n in range(statements)])


class Psycopg(PsycopgLike):
    """psycopg, of the implementation that PSYCOPG_IMPL names."""

    def __init__(self, url: str, **options: Any) -> None:
        super().__init__("psycopg", url, **options)


class PG8000:
    """pg8000's DB-API; `ca` is the path of a CA, for TLS."""

    def __init__(self, url: str, ca: str | None = None) -> None:
        parts = urlsplit(url)
        self.connection = import_module("pg8000.dbapi").connect(
            user=parts.username,
            password=parts.password,
            host=parts.hostname,
            port=parts.port,
            database=parts.path[1:],
            ssl_context=ssl.create_default_context(cafile=ca) if ca else None,
        )
        self.connection.autocommit = True

    def close(self) -> None:
        self.connection.close()

    def statement(self) -> Any:
        cursor = self.connection.cursor()
        cursor.execute("SELECT 1")
        return cursor.fetchone()

    def transaction(self) -> None:
        self.connection.autocommit = False
        for _ in range(3):
            self.connection.cursor().execute("SELECT 1")
        self.connection.commit()
        self.connection.autocommit = True

    def executemany(self, rows: Iterable[Sequence[Any]], columns: int) -> None:
        self.connection.autocommit = False
        self.connection.cursor().executemany(INSERT.format(", ".join(["%s"] * columns)), rows)
        self.connection.commit()
        self.connection.autocommit = True

    def fetchall(self, query: str) -> Rows:
        cursor = self.connection.cursor()
        cursor.execute(query)
        rows: Rows = cursor.fetchall()
        return rows


class AsyncPG:
    """asyncpg; `ca` is the path of a CA, for TLS."""

    PLACEHOLDER = "$1::int4"
    session = True

    def __init__(self, url: str, ca: str | None = None) -> None:
        self._run = asyncio.new_event_loop().run_until_complete
        context = ssl.create_default_context(cafile=ca) if ca else False
        self.connection = self._run(import_module("asyncpg").connect(url, ssl=context))

    def close(self) -> None:
        self._run(self.connection.close())

    def statement(self) -> Any:
        return self._run(self.connection.fetchval("SELECT 1"))

    def transaction(self) -> None:
        async def transaction() -> None:
            async with self.connection.transaction():
                for _ in range(3):
                    await self.connection.fetchval("SELECT 1")

        self._run(transaction())

    def executemany(self, rows: Iterable[Sequence[Any]], columns: int) -> None:
        insert = INSERT.format(", ".join(f"${n}" for n in range(1, columns + 1)))
        self._run(self.connection.executemany(insert, rows))

    def copy(self, rows: Iterable[Sequence[Any]]) -> None:
        self._run(self.connection.copy_records_to_table("benchmark", records=rows))

    def fetchall(self, query: str) -> Rows:
        rows: Rows = self._run(self.connection.fetch(query))
        return rows

    def prepare(self, query: str, sample: int) -> Callable[[int], Rows]:
        statement = self._run(self.connection.prepare(query))

        def fetchall(rows: int) -> Rows:
            fetched: Rows = self._run(statement.fetch(rows))
            return fetched

        fetchall(sample)
        return fetchall


class NeonServerless:
    """neon-serverless, a client of SQL over HTTP.

    Args:
        url: of Postgres.
        endpoint: the URL that SQL is sent to.
        ca: the path of a CA, for TLS.
    """

    def __init__(self, url: str, endpoint: str, ca: str | None = None) -> None:
        transport = import_module("httpx").HTTPTransport(verify=ssl.create_default_context(cafile=ca)) if ca else None
        self.sql = import_module("neon_serverless").neon(
            url, endpoint=endpoint, transport=transport, array_mode=True, timeout=300
        )

    def close(self) -> None:
        self.sql.close()

    def statement(self) -> Any:
        return self.sql("SELECT 1")

    def transaction(self) -> None:
        self.sql.transaction(["SELECT 1"] * 3)

    def executemany(self, rows: Iterable[Sequence[Any]], columns: int) -> None:
        insert = INSERT.format(", ".join(f"${n}" for n in range(1, columns + 1)))
        self.sql.transaction([(insert, list(row)) for row in rows])

    def batch(self, statements: int) -> None:
        self.sql.transaction([("SELECT $1::int", [n]) for n in range(statements)])

    def fetchall(self, query: str) -> Rows:
        rows: Rows = self.sql(query)
        return rows


#: By name, what connects; each takes the URL and options of its own.
DRIVERS: dict[str, Callable[..., Any]] = {
    "neonps": Neonps,
    "psycopg": Psycopg,
    "pg8000": PG8000,
    "asyncpg": AsyncPG,
    "neon-serverless": NeonServerless,
}
