"""A Vercel function on PlanetScale, with FastAPI.

Set the environment variable DATABASE_URL to postgresql://USER:PASSWORD@XXXX.pg.psdb.cloud:5432/DBNAME.
See docs/howto/vercel.md. The table:

    CREATE TABLE account (owner text PRIMARY KEY, balance bigint NOT NULL CHECK (balance >= 0))
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from database import Connection, pool, run_transaction
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

import neonps

# Nothing is sent before the first call, so that this belongs here. See docs/neon.md.
sql = neonps.async_neon(os.environ["DATABASE_URL"], timeout=8)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Open the pool when the instance starts, and close its sessions when it ends."""
    async with pool:
        yield


app = FastAPI(lifespan=lifespan)


class Order(BaseModel):
    """The body of a transfer."""

    giver: str = Field(alias="from")
    taker: str = Field(alias="to")
    amount: int = Field(gt=0, lt=2**63)


@app.get("/api/accounts/{owner}")
async def balance(owner: str) -> dict[str, Any]:
    """One statement, so one HTTP request, and no session."""
    rows = await sql("SELECT owner, balance FROM account WHERE owner = %s", [owner])
    if not rows:
        raise HTTPException(404, "no such account")
    return rows[0]


@app.post("/api/transfers")
async def transfer(order: Order) -> Any:
    """An interactive transaction, which looks at a result and then decides how to go on."""

    async def work(conn: Connection) -> dict[str, Any]:
        # Locked in the order of their names, so that two transfers do not wait for each other for ever.
        query = "SELECT owner, balance FROM account WHERE owner = ANY (%s) ORDER BY owner FOR UPDATE"
        cursor = await conn.execute(query, [[order.giver, order.taker]])
        balances: dict[str, int] = dict(await cursor.fetchall())
        if not {order.giver, order.taker} <= balances.keys():
            raise HTTPException(404, "no such account")
        if balances[order.giver] < order.amount:
            raise HTTPException(409, f"{order.giver} has {balances[order.giver]}")
        change = "UPDATE account SET balance = balance + %s WHERE owner = %s RETURNING balance"
        changes = [(change, (-order.amount, order.giver)), (change, (order.amount, order.taker))]
        given, _ = await conn.batch(changes)  # in one round trip
        return {"from": order.giver, "balance": (await given.fetchall())[0][0]}

    return await run_transaction(work)


@app.exception_handler(neonps.OperationalError)
async def unavailable(request: Request, error: neonps.OperationalError) -> JSONResponse:
    """The database cannot be reached, has not answered in time, or the pool has had no session to give."""
    print(f"{type(error).__name__}: {error}")  # for Vercel's log; it shows no password
    return JSONResponse({"detail": "the database is not available"}, 503)
