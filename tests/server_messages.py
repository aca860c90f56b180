"""Messages of a server, encoded independently of the driver, for tests that need no server."""

from __future__ import annotations

import struct
from collections.abc import Sequence


def message(code: str, body: bytes = b"") -> bytes:
    return code.encode() + struct.pack("!i", len(body) + 4) + body


def string(value: str) -> bytes:
    return value.encode() + b"\0"


def data_row(*values: bytes | None) -> bytes:
    parts = [struct.pack("!H", len(values))]
    for value in values:
        parts.append(struct.pack("!i", -1) if value is None else struct.pack("!i", len(value)) + value)
    return message("D", b"".join(parts))


def row_description(*names: str, oid: int = 25) -> bytes:
    fields = (string(name) + struct.pack("!IHIhih", 0, 0, oid, -1, -1, 0) for name in names)
    return message("T", struct.pack("!H", len(names)) + b"".join(fields))


def error(sqlstate: str, text: str, severity: str = "ERROR", code: str = "E") -> bytes:
    fields = {"S": severity, "V": severity, "C": sqlstate, "M": text}
    return message(code, b"".join(key.encode() + string(value) for key, value in fields.items()) + b"\0")


def copy_response(code: str, formats: Sequence[int] = (0,)) -> bytes:
    return message(code, struct.pack(f"!bH{len(formats)}H", 0, len(formats), *formats))


AUTHENTICATION_OK = message("R", struct.pack("!i", 0))
AUTHENTICATION_CLEARTEXT = message("R", struct.pack("!i", 3))
AUTHENTICATION_SASL = message("R", struct.pack("!i", 10) + b"SCRAM-SHA-256\0\0")
KEY = message("K", struct.pack("!I", 4711) + b"key!")
PARSED = message("1")
BOUND = message("2")
CLOSED = message("3")
NO_DATA = message("n")
EMPTY = message("I")
SUSPENDED = message("s")
COPY_DONE = message("c")
IDLE = message("Z", b"I")
IN_TRANSACTION = message("Z", b"T")
FAILED = message("Z", b"E")


def complete(tag: str) -> bytes:
    return message("C", string(tag))
