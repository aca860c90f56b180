"""What the server says about an error or a notice, field by field."""

from __future__ import annotations

from collections.abc import Mapping

#: The attribute of `Diagnostic` for each field code (PostgreSQL docs 53.8).
FIELD_NAMES = {
    "S": "severity",
    "V": "severity_nonlocalized",
    "C": "sqlstate",
    "M": "message_primary",
    "D": "message_detail",
    "H": "message_hint",
    "P": "statement_position",
    "p": "internal_position",
    "q": "internal_query",
    "W": "context",
    "s": "schema_name",
    "t": "table_name",
    "c": "column_name",
    "d": "datatype_name",
    "n": "constraint_name",
    "F": "source_file",
    "L": "source_line",
    "R": "source_function",
}


class Diagnostic:
    """The fields of an error or a notice; None for each that the server has not sent.

    Args:
        fields: the values by field code (PostgreSQL docs 53.8); codes that are not known are left out.
    """

    severity: str | None = None
    severity_nonlocalized: str | None = None
    sqlstate: str | None = None
    message_primary: str | None = None
    message_detail: str | None = None
    message_hint: str | None = None
    statement_position: str | None = None
    internal_position: str | None = None
    internal_query: str | None = None
    context: str | None = None
    schema_name: str | None = None
    table_name: str | None = None
    column_name: str | None = None
    datatype_name: str | None = None
    constraint_name: str | None = None
    source_file: str | None = None
    source_line: str | None = None
    source_function: str | None = None

    def __init__(self, fields: Mapping[str, str]) -> None:
        self.__dict__.update((FIELD_NAMES[code], fields[code]) for code in fields if code in FIELD_NAMES)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.sqlstate} {self.message_primary!r}>"
