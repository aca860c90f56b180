"""The example for Vercel, and beside its routes one that does what its requests say."""

from __future__ import annotations

import os
from typing import Any

from api.index import app
from database import Connection, pool, run_transaction
from fastapi import Request

# Where something has to take too long, tests need not wait for it; and nothing else does on a busy machine.
pool.timeout = float(os.environ.get("POOL_TIMEOUT", "60"))
pool.kwargs["timeout"] = float(os.environ.get("TIMEOUT", "60"))


@app.post("/run")
async def run(request: Request) -> dict[str, Any]:
    """Run the statements of `"run"` as one transaction.

    Returns:
        the rows of the last one, how often they were begun, and the process that has run them.
    """
    order = await request.json()
    attempts = 0

    async def work(conn: Connection) -> tuple[list[Any], int]:
        nonlocal attempts
        attempts += 1
        rows: list[Any] = []
        for statement in order["run"]:
            cursor = await conn.execute(statement)
            rows = await cursor.fetchall() if cursor.description else []
        if "raise" in order:
            raise RuntimeError(order["raise"])
        return rows, conn.info.backend_pid

    done = await run_transaction(work)
    assert done is not None
    return {"rows": done[0], "pid": done[1], "attempts": attempts}
