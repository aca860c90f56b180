"""The sessions with Postgres that an instance of a Vercel function keeps from one request to the next."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import neonps
from neonps.pool import AsyncConnectionPool

Connection = neonps.AsyncConnection[Any]
T = TypeVar("T")

# An instance handles several requests at once, on one event loop. A transaction needs a session to itself, and the
# requests beyond `max_size` wait for one. It is opened by the lifespan of the app, on that loop.
pool = AsyncConnectionPool(
    os.environ["DATABASE_URL"],
    open=False,
    min_size=0,  # an instance that has nothing to do keeps no session
    max_size=4,  # times the number of instances, this is what the server has to bear
    max_idle=60,  # seconds
    timeout=6,  # seconds that a request waits for a session
    reconnect_timeout=4,  # seconds; the pool would try for minutes, more and more seldom, and be late after an outage
    kwargs={
        "transport": "websocket",
        "autocommit": True,  # there is no transaction but those of run_transaction()
        "connect_timeout": 5,  # seconds
        "timeout": 8,  # seconds, of each statement
        "tcp_user_timeout": 5000,  # milliseconds; a network that is gone without a word is noticed by then
    },
)


async def run_transaction(work: Callable[[Connection], Awaitable[T]]) -> T | None:
    """Run `work(conn)` as one transaction, and return what it returns; None if it raises `neonps.Rollback`.

    While the instance was suspended, the other end may have closed the session, and nothing here has heard of it.
    Asking would cost a round trip in each request, so the first statement finds out. A transaction that was lost
    before its COMMIT was sent has not happened: it is run again, once. So `work` must do nothing but talk to the
    database.

    Raises:
        neonps.Error: what has gone wrong; the transaction was rolled back. If COMMIT was sent and the answer was lost,
            the message says that it is unknown whether it has taken effect; nothing is run again then.
    """
    complete = False
    now = asyncio.get_running_loop().time
    begun = now()
    async with pool.connection() as conn:
        try:
            async with conn.transaction():
                result = await work(conn)
                complete = True
                return result
            return None
        except neonps.OperationalError:
            # A server that is there and does not answer would not answer to another session either.
            if complete or not conn.broken or now() - begun >= pool.kwargs["timeout"]:
                raise
    await pool.check()  # what else the pool keeps is likely to be lost too
    async with pool.connection() as conn, conn.transaction():
        return await work(conn)
    return None
