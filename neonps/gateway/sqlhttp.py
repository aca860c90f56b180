"""SQL over HTTP: what a request says, and what is answered; no I/O."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from ..errors import Error
from ..isolation import IsolationLevel, TransactionCharacteristics
from ..protocol.result import Result
from .http import HTTPError
from .values import (
    ARRAY_TYPES,
    SCALARS,
    STRINGS,
    ArrayTypes,
    converter,
    parse_json,
    string_to_json,
    to_postgres,
)

#: The fields of an error in an answer, and what `Diagnostic` calls them.
ERROR_FIELDS = {
    "message": "message_primary",
    "code": "sqlstate",
    "severity": "severity_nonlocalized",
    "detail": "message_detail",
    "hint": "message_hint",
    "position": "statement_position",
    "internalPosition": "internal_position",
    "internalQuery": "internal_query",
    "where": "context",
    "schema": "schema_name",
    "table": "table_name",
    "column": "column_name",
    "dataType": "datatype_name",
    "constraint": "constraint_name",
    "file": "source_file",
    "line": "source_line",
    "routine": "source_function",
}

#: How much of a field of an error is answered, in characters.
MAX_FIELD = 100_000

ISOLATION_LEVELS = {level.camel_case: level for level in IsolationLevel}

#: What a connection URL can say beside where and who, that we pass on.
STARTUP_PARAMETERS = ("application_name", "options")


class Login(NamedTuple):
    """Who wants to do something in which database, as the connection URL says."""

    user: str
    password: str | None
    dbname: str
    parameters: Mapping[str, str]

    def __repr__(self) -> str:
        return f"Login(user={self.user!r}, password=…, dbname={self.dbname!r})"


class Statement(NamedTuple):
    """One statement with its parameters, as UTF-8."""

    query: bytes
    params: Sequence[bytes | None]
    array_mode: bool


class Batch(NamedTuple):
    """What a request asks for.

    Attributes:
        statements: what to run.
        transaction: how to begin the transaction around them; None for a single statement without one.
        raw: every value goes as its Postgres text.
    """

    statements: Sequence[Statement]
    transaction: TransactionCharacteristics | None
    raw: bool


def postgres_error(error: Error) -> HTTPError:
    """The answer when a statement, or the login, has failed."""
    return HTTPError(400, error_fields(error))


def error_fields(error: Error) -> dict[str, str | None]:
    """What is answered of an error of Postgres."""
    fields = {name: getattr(error.diag, attribute) for name, attribute in ERROR_FIELDS.items()}
    fields["message"] = fields["message"] or str(error)
    fields["severity"] = fields["severity"] or error.diag.severity
    return {name: value and value[:MAX_FIELD] for name, value in fields.items()}


def bad_request(message: str) -> HTTPError:
    """The answer to a request that makes no sense."""
    return HTTPError(400, {**dict.fromkeys(ERROR_FIELDS), "message": message})


def no_answer(batch: Batch, reason: str) -> HTTPError:
    """What is answered when Postgres has run a batch, and its results cannot be given: a transaction is undone then."""
    if batch.transaction is not None:
        return bad_request(reason)
    return HTTPError(500, {"msg": f"the statement was run, but its result cannot be given: {reason}"})


def parse_login(headers: Mapping[str, str]) -> Login:
    """Who sends a request with these headers.

    Raises:
        HTTPError: that is not to be found there.
    """
    if "authorization" in headers:
        raise bad_request("this gateway knows no tokens: send a password in Neon-Connection-String")
    url = headers.get("neon-connection-string")
    if url is None:
        raise bad_request("the header Neon-Connection-String is missing")
    try:
        parts = urlsplit(url)
        host, user, password = parts.hostname, parts.username, parts.password
        query = dict(parse_qsl(parts.query, keep_blank_values=True, errors="strict"))
        user, password, dbname = (
            None if part is None else unquote(part, errors="strict") for part in (user, password, parts.path[1:])
        )
    except ValueError:
        raise bad_request("invalid connection string") from None  # not quoted: the password is in it
    if parts.scheme not in ("postgresql", "postgres"):
        raise bad_request("invalid connection string: incorrect scheme")
    for part, name in ((host, "hostname"), (user, "username"), (dbname, "database name")):
        if not part:
            raise bad_request(f"invalid connection string: missing {name}")
    assert user
    assert dbname
    parameters = {name: query[name] for name in STARTUP_PARAMETERS if query.get(name)}
    if any("\0" in part for part in (user, password or "", dbname, *parameters.values())):
        raise bad_request("invalid connection string: it holds a NUL")
    return Login(user, password, dbname, parameters)


def parse_batch(headers: Mapping[str, str], body: bytes | bytearray) -> Batch:
    """What a request with these headers and this body asks for.

    Raises:
        HTTPError: it is malformed.
    """
    try:
        payload = parse_json(body)
        return batch_of(headers, payload)
    except ValueError as error:
        raise bad_request(f"could not parse the HTTP request body: {error}") from None
    except RecursionError:
        raise bad_request("could not parse the HTTP request body: it is nested too deep") from None


def batch_of(headers: Mapping[str, str], payload: object) -> Batch:
    """What a request with these headers and this value of a body asks for.

    Raises:
        HTTPError: it is malformed.
        RecursionError: it is nested too deep.
    """
    array_mode = is_true(headers, "neon-array-mode")
    raw = is_true(headers, "neon-raw-text-output")
    if isinstance(payload, dict):
        if "query" in payload:
            return Batch([parse_statement(payload, array_mode)], None, raw)
        if isinstance(queries := payload.get("queries"), list):
            statements = [parse_statement(query, array_mode) for query in queries]
            return Batch(statements, parse_transaction(headers), raw)
    raise bad_request("the HTTP request body has neither a query nor a list of queries")


def parse_transaction(headers: Mapping[str, str]) -> TransactionCharacteristics:
    """How the transaction of a batch is to begin.

    Raises:
        HTTPError: there is no such isolation level.
    """
    level = headers.get("neon-batch-isolation-level")
    if level is not None and level not in ISOLATION_LEVELS:
        raise bad_request(f"invalid isolation level: it is one of {', '.join(ISOLATION_LEVELS)}")
    return TransactionCharacteristics(
        None if level is None else ISOLATION_LEVELS[level],
        is_true(headers, "neon-batch-read-only") or None,
        is_true(headers, "neon-batch-deferrable") or None,
    )


def is_true(headers: Mapping[str, str], name: str) -> bool:
    """Whether a header switches something on, which only the exact value does."""
    return headers.get(name) == "true"


def parse_statement(item: object, array_mode: bool) -> Statement:
    """One statement of a request; `array_mode` counts where it says nothing itself.

    Raises:
        HTTPError: it is malformed.
    """
    if not isinstance(item, dict) or type(query := item.get("query")) is not str:  # a Number is a str too
        raise bad_request("a query is not a string")
    params = item.get("params")
    if params is None:
        params = []
    if not isinstance(params, list):
        raise bad_request("the parameters of a query are not an array")
    if len(params) > 65535:
        raise bad_request(f"a query takes at most 65535 parameters, not {len(params)}")
    if not isinstance(own_mode := item.get("arrayMode"), (bool, type(None))):
        raise bad_request("the arrayMode of a query is neither true nor false")
    if "\0" in query:
        raise bad_request("a query holds a NUL")
    try:
        texts = [text if text is None else text.encode() for text in map(to_postgres, params)]
        return Statement(query.encode(), texts, array_mode if own_mode is None else own_mode)
    except UnicodeEncodeError:
        raise bad_request("a string holds half of a surrogate pair") from None


def unknown_types(results: Iterable[Result]) -> set[int]:
    """The OIDs of the types in `results` that may be arrays."""
    oids = {field.type_oid for result in results for field in result.fields or ()}
    return oids - SCALARS.keys() - STRINGS - ARRAY_TYPES.keys()


def too_large(max_size: int) -> HTTPError:
    """The error for an answer of more than `max_size` bytes."""
    return HTTPError(507, {"message": f"response is too large (max is {max_size} bytes)"})


def answer(batch: Batch, results: Sequence[Result], array_types: ArrayTypes, max_size: int) -> str:
    """The body of the answer to a batch that has succeeded.

    Raises:
        HTTPError: a value is not UTF-8, as can happen in a database whose encoding is SQL_ASCII; or it would be more
            than `max_size` characters, since the names of columns come with each row, and escapes are longer.
    """
    answers: list[str] = []
    left = max_size
    try:
        for statement, result in zip(batch.statements, results, strict=True):
            text = result_to_json(result, statement.array_mode, batch.raw, array_types, left)
            left -= len(text)
            if left < 0:
                raise _NoRoom
            answers.append(text)
    except _NoRoom:
        raise too_large(max_size) from None
    except UnicodeDecodeError:
        raise no_answer(batch, "a value of the result is not UTF-8") from None
    return answers[0] if batch.transaction is None else f'{{"results":[{",".join(answers)}]}}'


class _NoRoom(Exception):
    """The answer would be too large."""


def result_to_json(result: Result, array_mode: bool, raw: bool, array_types: ArrayTypes, max_size: int) -> str:
    """One result as JSON, of about `max_size` characters at most. Raises `_NoRoom` if that is not enough."""
    fields = result.fields or []
    converters = [string_to_json if raw else converter(field.type_oid, array_types) for field in fields]
    # Of several columns with one name the last one counts, as in the original.
    columns = {string_to_json(field.name): number for number, field in enumerate(fields)}.items()
    lines: list[str] = []
    for values in result.rows():
        row = [
            "null" if value is None else convert(str(value, "utf-8"))
            for value, convert in zip(values, converters, strict=True)
        ]
        if array_mode:
            line = f"[{','.join(row)}]"
        else:
            line = f"{{{','.join([f'{name}:{row[number]}' for name, number in columns])}}}"
        max_size -= len(line)
        if max_size < 0:
            raise _NoRoom
        lines.append(line)
    description = [
        {
            "name": field.name,
            "dataTypeID": field.type_oid,
            "tableID": field.table_oid,
            "columnID": field.column_number,
            "dataTypeSize": field.type_size,
            "dataTypeModifier": field.type_modifier,
            "format": "text",
        }
        for field in fields
    ]
    return (
        f'{{"fields":{json.dumps(description, separators=(",", ":"))},"rows":[{",".join(lines)}],'
        f'"command":{string_to_json(result.command_tag.partition(" ")[0])},'
        f'"rowCount":{json.dumps(result.command_tuples)},"rowAsArray":{json.dumps(array_mode)}}}'
    )
