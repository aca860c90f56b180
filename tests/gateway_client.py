"""What the tests of the gateway talk to it with: the standard library's HTTP client, and nothing of ours."""

from __future__ import annotations

import http.client
import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg

from neonps.gateway import Gateway
from neonps.local import GatewayThread

ERROR_FIELDS = {
    "message", "code", "severity", "detail", "hint", "position", "internalPosition", "internalQuery", "where",
    "schema", "table", "column", "dataType", "constraint", "file", "line", "routine",
}  # fmt: skip

#: What the drivers send, for values as Postgres's text in rows that are arrays.
RAW = {"Neon-Raw-Text-Output": "true", "Neon-Array-Mode": "true"}


class Answer:
    """An answer to a request."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.text = response.read().decode()

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def row(self) -> Any:
        (row,) = self.json["rows"]
        return row


class Client:
    """A connection to a gateway."""

    def __init__(self, gateway: Gateway, database: str, tls: ssl.SSLContext | None = None) -> None:
        self.database = database
        host, port = gateway.host, gateway.port
        if tls is None:
            self.connection = http.client.HTTPConnection(host, port, timeout=30)
        else:
            self.connection = http.client.HTTPSConnection(host, port, timeout=30, context=tls)

    def request(
        self,
        body: bytes | str,
        headers: Mapping[str, str | None] | None = None,
        method: str = "POST",
        path: str = "/sql",
    ) -> Answer:
        lines = {"Neon-Connection-String": self.database, **(headers or {})}
        data = body.encode() if isinstance(body, str) else body
        self.connection.request(method, path, data, {name: value for name, value in lines.items() if value is not None})
        return Answer(self.connection.getresponse())

    def query(self, query: str, params: object = (), headers: Mapping[str, str | None] | None = None) -> Answer:
        return self.request(json.dumps({"query": query, "params": params}), headers)

    def batch(self, queries: list[dict[str, Any]], headers: Mapping[str, str | None] | None = None) -> Answer:
        return self.request(json.dumps({"queries": queries}), headers)


@contextmanager
def running(gateway: Gateway) -> Iterator[Gateway]:
    thread = GatewayThread()
    thread.start(gateway)
    try:
        yield gateway
    finally:
        thread.stop()


def wait_for(condition: Callable[[], object]) -> None:
    """Wait until something is true; the time limit of tests ends it if it never is."""
    pause = threading.Event()
    while not condition():
        pause.wait(0.01)


def active(admin: psycopg.Connection[Any], mark: str) -> int:
    """How many sessions run a statement with `mark` in it."""
    query = "select count(*) from pg_stat_activity where state = 'active' and pid <> pg_backend_pid() and query like %s"
    row = admin.execute(query, [f"%{mark}%"]).fetchone()
    assert row
    return int(row[0])
