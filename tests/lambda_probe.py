"""A handler for AWS Lambda that does what its event says, with `examples/aws_lambda/database.py`."""

from __future__ import annotations

from typing import Any

from database import Connection, Context, run_transaction


def handler(event: dict[str, Any], context: Context) -> dict[str, Any]:
    """Run the statements of `event["run"]` as one transaction.

    Returns:
        the rows of the last one, how often they were begun, and the process that has run them.
    """
    attempts = 0

    def work(conn: Connection) -> list[Any]:
        nonlocal attempts
        attempts += 1
        rows: list[Any] = []
        for statement in event["run"]:
            cursor = conn.execute(statement)
            rows = cursor.fetchall() if cursor.description else []
        if "raise" in event:
            raise RuntimeError(event["raise"])
        return [rows, conn.info.backend_pid]

    rows, pid = run_transaction(work, context)
    return {"rows": rows, "pid": pid, "attempts": attempts}
