"""Two AWS Lambda functions on PlanetScale, behind an API Gateway (HTTP API) or as function URLs.

Set the environment variable DATABASE_URL to postgresql://USER:PASSWORD@XXXX.pg.psdb.cloud:5432/DBNAME, and the handler
to `app.balance` or `app.transfer`. See docs/howto/aws-lambda.md. The table:

    CREATE TABLE account (owner text PRIMARY KEY, balance bigint NOT NULL CHECK (balance >= 0))
"""

from __future__ import annotations

import json
import os
from typing import Any

from database import Connection, Context, run_transaction, seconds_left

import neonps

# Nothing is sent before the first call, so that this belongs here. See docs/neon.md.
sql = neonps.neon(os.environ["DATABASE_URL"])


def balance(event: dict[str, Any], context: Context) -> dict[str, Any]:
    """GET /accounts/{owner}: one statement, so one HTTP request, and no session."""
    owner = event["pathParameters"]["owner"]
    rows = sql("SELECT owner, balance FROM account WHERE owner = %s", [owner], timeout=seconds_left(context))
    return answer(200, rows[0]) if rows else answer(404, {"error": "no such account"})


def transfer(event: dict[str, Any], context: Context) -> dict[str, Any] | None:
    """POST /transfers: an interactive transaction, which looks at a result and then decides how to go on."""
    try:
        order = json.loads(event["body"])
        giver, taker, amount = order["from"], order["to"], order["amount"]
    except (KeyError, TypeError, ValueError):
        return answer(400, {"error": "expected from, to and amount"})
    if not (type(amount) is int and 0 < amount < 2**63 and isinstance(giver, str) and isinstance(taker, str)):
        return answer(400, {"error": "from and to should be strings, and amount a positive integer"})

    def work(conn: Connection) -> dict[str, Any]:
        # Locked in the order of their names, so that two transfers do not wait for each other for ever.
        query = "SELECT owner, balance FROM account WHERE owner = ANY (%s) ORDER BY owner FOR UPDATE"
        balances: dict[str, int] = dict(conn.execute(query, [[giver, taker]]))
        if not {giver, taker} <= balances.keys():
            return answer(404, {"error": "no such account"})
        if balances[giver] < amount:
            return answer(409, {"error": f"{giver} has {balances[giver]}"})
        change = "UPDATE account SET balance = balance + %s WHERE owner = %s RETURNING balance"
        given, _ = conn.batch([(change, (-amount, giver)), (change, (amount, taker))])  # in one round trip
        return answer(200, {"from": giver, "balance": given.fetchall()[0][0]})

    return run_transaction(work, context)


def answer(status: int, body: dict[str, Any]) -> dict[str, Any]:
    """What a handler returns to API Gateway."""
    return {"statusCode": status, "headers": {"content-type": "application/json"}, "body": json.dumps(body)}
