"""The text form of composite values (PostgreSQL docs 8.16.6)."""

from __future__ import annotations

from re import DOTALL
from re import compile as re_compile

from .. import errors as e

# In quotes, a quote is doubled or follows a backslash. Each alternative can match in one way only, so that the
# time is linear in the length.
_FIELD = re_compile(rb'"([^"\\]*(?:(?:""|\\.)[^"\\]*)*)"|((?:[^"\\,()]|\\.)*)', DOTALL)

_ESCAPED = re_compile(rb'["\\](.)', DOTALL)
_NEEDS_QUOTES = re_compile(rb'^$|["\\,()\s]')


def parse_record(data: bytes) -> list[bytes | None]:
    """Return the text of the fields of a composite value; None for NULL.

    Postgres writes a single field that is NULL like no field at all: `()`.

    Raises:
        DataError: this is no composite value.
    """
    if data == b"()":
        return []
    fields: list[bytes | None] = []
    end = 0
    separator = b"("
    while data.startswith(separator, end):
        field = _FIELD.match(data, end + 1)
        assert field is not None  # it can match nothing
        end = field.end()
        quoted, plain = field.groups()
        value = plain if quoted is None else quoted
        if quoted is None and not plain:
            fields.append(None)
        else:
            fields.append(_ESCAPED.sub(rb"\1", value) if b"\\" in value or b'"' in value else value)
        separator = b","
    if not fields or end + 1 != len(data) or not data.endswith(b")"):
        raise e.DataError(f"malformed record: {data[:40].decode('utf-8', 'replace')!r}")
    return fields


def format_record(fields: list[bytes | None]) -> bytes:
    """Return the text of a composite value from the text of its fields."""
    return b"(" + b",".join(b"" if field is None else _quote(field) for field in fields) + b")"


def _quote(field: bytes) -> bytes:
    if _NEEDS_QUOTES.search(field) is None:
        return field
    return b'"' + field.replace(b"\\", b"\\\\").replace(b'"', b'""') + b'"'
