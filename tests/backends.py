"""Looks at the server's processes, and ends them."""

from __future__ import annotations

from typing import Any

import psycopg
from gateway_client import wait_for

Admin = psycopg.Connection[Any]


def backend_state(admin: Admin, pid: int) -> tuple[str, str] | None:
    """State and wait event type of a process, as pg_stat_activity has them; None when it is gone."""
    row = admin.execute(
        "select coalesce(state, ''), coalesce(wait_event_type, '') from pg_stat_activity where pid = %s", [pid]
    ).fetchone()
    return None if row is None else (row[0], row[1])


def wait_until_active(admin: Admin, pid: int) -> None:
    """Wait until a process runs a statement."""
    wait_for(lambda: (backend_state(admin, pid) or ("", ""))[0] == "active")


def wait_until_sleeping(admin: Admin, pid: int) -> None:
    """Wait until a process runs `pg_sleep()`, or sleeps in another way."""
    wait_for(lambda: backend_state(admin, pid) == ("active", "Timeout"))


def wait_until_locked(admin: Admin, pid: int) -> None:
    """Wait until a process waits for a lock."""
    wait_for(lambda: backend_state(admin, pid) == ("active", "Lock"))


def wait_until_idle(admin: Admin, pid: int) -> None:
    """Wait until a process runs nothing, or is gone."""
    wait_for(lambda: (backend_state(admin, pid) or ("idle", ""))[0].startswith("idle"))


def wait_until_gone(admin: Admin, pid: int) -> None:
    """Wait until a process has ended."""
    wait_for(lambda: backend_state(admin, pid) is None)


def terminate(admin: Admin, pid: int) -> None:
    """End a process, as an administrator does, and wait until it is gone."""
    admin.execute("select pg_terminate_backend(%s)", [pid])
    wait_until_gone(admin, pid)
