"""What comes of a step of connecting."""

from __future__ import annotations

from dataclasses import dataclass, field

OK, FAILED, SKIPPED = "ok", "failed", "skipped"


@dataclass
class Step:
    """A step, and what has come of it.

    Attributes:
        name: "settings", "dns", "tcp", "tls", "endpoint", "upgrade", "login" or "query".
        transport: the transport that it belongs to; None for those that belong to all.
        result: OK, FAILED or SKIPPED.
        seconds: how long it took; None if it took no time of its own.
        fact: what was found, or the error.
        notes: what is good to know although nothing has failed.
        advice: what is wrong, and how to mend it; "" if nothing is.
    """

    name: str
    transport: str | None
    result: str
    seconds: float | None = None
    fact: str = ""
    notes: list[str] = field(default_factory=list)
    advice: str = ""
