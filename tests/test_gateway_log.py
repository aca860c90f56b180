"""What the gateway logs, down to DEBUG, has neither passwords nor what statements are run with in it."""

from __future__ import annotations

import json
from typing import NoReturn

import pytest
from gateway_client import Client, wait_for
from shown import SECRET, TOKEN, VALUE, check_hidden, logged
from transports import Connect, through_gateway

import neonps
from neonps.conninfo import make_conninfo
from neonps.embedded import EmbeddedPostgres
from neonps.gateway import websocket

FAILS = "select 1/0 where %s::text is not null"


@through_gateway
def test_statements_and_logins(url: str, postgres: EmbeddedPostgres, transport: str) -> None:
    with logged() as parts:
        with neonps.connect(url, transport=transport, autocommit=True) as conn:
            assert conn.execute("select %s::text", [VALUE]).fetchone() == (VALUE,)
            with pytest.raises(neonps.errors.DivisionByZero):
                conn.execute(FAILS, [VALUE])
            conn.batch([("select %s::text", [VALUE]), ("select %s::text", [VALUE])])
            if transport == "websocket":
                with conn.cursor().copy("copy (select %s) to stdout", [VALUE]) as copying:
                    assert VALUE.encode() in copying.read()
        with pytest.raises(neonps.OperationalError):
            with neonps.connect(make_conninfo(url, password=SECRET), transport=transport) as conn:
                conn.execute("select %s::text", [VALUE])
    assert parts
    check_hidden("\n".join(parts), VALUE, SECRET, postgres.password)


def test_what_postgres_says_of_a_login(client: Client, dsn: str) -> None:
    """It quotes what was in it."""
    with logged() as parts:
        answer = client.query("select 1", (), {"Neon-Connection-String": f"{dsn}?options=-c%20work_mem%3Dval-5e1f"})
        assert answer.json["code"] == "22023"
        assert "val-5e1f" in answer.json["message"]
    assert any("SQLSTATE 22023" in part for part in parts)
    check_hidden("\n".join(parts), "val-5e1f")


def test_requests_that_make_no_sense(client: Client, postgres: EmbeddedPostgres) -> None:
    """What is in the log then could be what they are made of."""
    with logged() as parts:
        for body in (f'{{"query": "{VALUE}"', json.dumps({"query": 1, "params": [VALUE]}), VALUE):
            assert client.request(body, {"Authorization": f"Bearer {TOKEN}"}).status == 400
        assert client.query("select $1", [VALUE, VALUE]).status == 400
        for login in (f"{postgres.url}\x80[%zz", f"postgresql://u:{SECRET}@", SECRET):
            assert client.query("select 1", (), {"Neon-Connection-String": login}).status == 400
    check_hidden("\n".join(parts), VALUE, SECRET, TOKEN, postgres.password)


@through_gateway
def test_mistakes_of_its_own(
    monkeypatch: pytest.MonkeyPatch, connect: Connect, postgres: EmbeddedPostgres, transport: str
) -> None:
    """Of which it logs where they were made, without what the exception says."""

    def fail(self: object, *args: object) -> NoReturn:
        raise RuntimeError(f"{args} {VALUE}")

    if transport == "websocket":
        monkeypatch.setattr(websocket.CancelKey, "watch", fail)
    else:
        monkeypatch.setattr("neonps.gateway.upstream.answer", fail)
    with logged() as parts:
        with pytest.raises(neonps.Error):
            connect().execute("select %s", [VALUE])
        wait_for(lambda: any("because of a mistake" in part for part in parts))
    text = "\n".join(parts)
    assert "RuntimeError" in text
    check_hidden(text, VALUE, postgres.password)
