"""Quoting of values as SQL literals."""

from __future__ import annotations


def quote_literal(value: bytes) -> bytes:
    r"""Return `value` as a string literal that means the same whatever `standard_conforming_strings` says.

    A backslash makes it an `E'...'` string, with a blank in front so that it never joins a word before it.
    Source: PostgreSQL docs 4.1.2.1, 4.1.2.2.
    """
    value = value.replace(b"'", b"''")
    if b"\\" in value:
        return b" E'" + value.replace(b"\\", b"\\\\") + b"'"
    return b"'" + value + b"'"
