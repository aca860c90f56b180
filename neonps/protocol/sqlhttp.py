"""SQL over HTTP: statements to JSON requests, JSON answers to results and errors.

A request is one statement, or a batch that the server runs in one transaction. All values travel as Postgres
text, and rows come as arrays, so that the result is the same as over the wire protocol.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

from .. import errors as e
from ..decimal_number import decimal_number
from ..isolation import TransactionCharacteristics
from ..pq import ExecStatus
from ..record import Record, shown
from .http import Response
from .result import FieldDescription, Result
from .textresult import JsonResult, ListResult, MalformedAnswer, check_rows

#: A body that is as long, in bytes, is not parsed at once.
_LARGE = 1 << 16
_ROWS = b'"rows":[['

#: The numbers that describe a column have four bytes in Postgres, with a sign or without; counts of rows have eight.
_FOUR_BYTES = 1 << 32
_EIGHT_BYTES = 1 << 64

#: How much is shown of the message of a server that is no Postgres, in characters.
SHOWN_MESSAGE = 2000


class Statement(Record):
    """A statement with `$1` placeholders and its parameters in Postgres text form."""

    query: str
    params: Sequence[str | None] = ()

    def __repr__(self) -> str:
        return shown(self, "params")


def request_headers(
    connection_string: str, auth_token: str | None, characteristics: TransactionCharacteristics | None
) -> dict[str, str]:
    """The headers of a request.

    Args:
        connection_string: a URL that holds user, password, host and database.
        auth_token: a bearer token that authenticates instead of the password.
        characteristics: how to begin the transaction of a batch; None for a single statement.
    """
    headers = {
        "Content-Type": "application/json",
        "Neon-Connection-String": connection_string,
        "Neon-Raw-Text-Output": "true",
        "Neon-Array-Mode": "true",
        "Neon-Pool-Opt-In": "true",
    }
    if auth_token is not None:
        headers["Authorization"] = f"Bearer {auth_token}"
    if characteristics is not None:
        if characteristics.isolation_level is not None:
            headers["Neon-Batch-Isolation-Level"] = characteristics.isolation_level.camel_case
        if characteristics.read_only:
            headers["Neon-Batch-Read-Only"] = "true"
        if characteristics.deferrable:
            headers["Neon-Batch-Deferrable"] = "true"
    return headers


def request_body(statements: Statement | Sequence[Statement]) -> bytes:
    """The body for one statement, or for a batch when `statements` is a sequence of them."""
    body: Any
    if isinstance(statements, Statement):
        body = {"query": statements.query, "params": list(statements.params)}
    else:
        body = {"queries": [{"query": s.query, "params": list(s.params)} for s in statements]}
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def parse_answer(response: Response, expected: int | None) -> list[Result]:
    """The results in a response with status 200.

    Args:
        response: what the server has answered.
        expected: how many statements the batch had; None for a single statement.

    Raises:
        OperationalError: this is no answer to SQL over HTTP.
    """
    request_id = response.headers.get("neon-request-id")
    try:
        if expected in (None, 1) and (large := _large_result(response.body, expected)):
            return [large]
        answer = json.loads(response.body)
        if expected is None:
            return [_result(answer)]
        results = [_result(item) for item in answer["results"]]
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        what = str(error) if isinstance(error, MalformedAnswer) else "it is not the JSON that was expected"
        raise _with_origin(
            e.OperationalError(f"the server's answer makes no sense as SQL over HTTP: {what}"),
            response.status,
            request_id,
        ) from None
    if len(results) != expected:
        raise _with_origin(
            e.OperationalError(f"the server has answered {len(results)} statements of {expected}"),
            response.status,
            request_id,
        )
    return results


def _large_result(body: bytes, expected: int | None) -> Result | None:
    """The only result in a body, if it is large: its rows are not parsed here. None if it is small, or is not clear."""
    if len(body) < _LARGE:
        return None
    # A value cannot be taken for these, as there are no quotation marks in one that are not escaped.
    start = body.find(_ROWS) + len(_ROWS) - 1
    stop = body.rfind(b"]]") + 1
    if not len(_ROWS) <= start < stop:
        return None
    try:
        answer = json.loads(body[:start] + body[stop:])
        if expected is not None:
            (answer,) = answer["results"]
        fields, command, count = _head(answer)
        rest = answer["rows"]
    except (KeyError, TypeError, ValueError, RecursionError):
        return None  # it is malformed, or a column behind the rows has "]]" in its name
    # If there are fewer rows, what is between two of them is in a value as well, and all has to be parsed.
    if not fields or not command or rest or count != body.count(b"],[", start, stop) + 1:
        return None
    return JsonResult(ExecStatus.TUPLES_OK, fields, _command_tag(command, count), body, start, stop, count)


def _result(answer: dict[str, Any]) -> Result:
    fields, command, count = _head(answer)
    rows = answer["rows"]
    if not isinstance(rows, list):
        raise MalformedAnswer("the rows are not an array")
    if rows:
        check_rows(rows, len(fields))
    if not command:
        return Result(ExecStatus.EMPTY_QUERY)
    if not fields and not rows:
        return Result(ExecStatus.COMMAND_OK, None, _command_tag(command, count))
    return ListResult(ExecStatus.TUPLES_OK, fields, _command_tag(command, count), rows)


def _head(answer: dict[str, Any]) -> tuple[list[FieldDescription], str, int | None]:
    """The columns of a result, its command, and how many rows that says it has touched."""
    fields = [_field(field) for field in answer["fields"]]
    command = answer.get("command") or ""
    count = answer.get("rowCount")
    if type(command) is not str or (count is not None and (type(count) is not int or not 0 <= count < _EIGHT_BYTES)):
        raise MalformedAnswer("the command or its rowCount is malformed")
    return fields, command, count


def _field(field: dict[str, Any]) -> FieldDescription:
    description = FieldDescription(
        field["name"],
        field.get("tableID") or 0,
        field.get("columnID") or 0,
        field["dataTypeID"],
        field.get("dataTypeSize", -1),
        field.get("dataTypeModifier", -1),
        0,
    )
    name, *numbers = description
    if type(name) is not str or any(
        type(number) is not int or not -_FOUR_BYTES <= number < _FOUR_BYTES for number in numbers
    ):
        raise MalformedAnswer("the description of a column is malformed")
    return description


def _command_tag(command: str, count: int | None) -> str:
    if count is None:
        return command
    return f"INSERT 0 {count}" if command == "INSERT" else f"{command} {count}"


#: The error's fields by the code that the wire protocol has for each (PostgreSQL docs 53.8).
ERROR_FIELDS = {
    "S": "severity",
    "C": "code",
    "M": "message",
    "D": "detail",
    "H": "hint",
    "P": "position",
    "p": "internalPosition",
    "q": "internalQuery",
    "W": "where",
    "s": "schema",
    "t": "table",
    "c": "column",
    "d": "dataType",
    "n": "constraint",
    "F": "file",
    "L": "line",
    "R": "routine",
}

_is_sqlstate = re.compile("[0-9A-Z]{5}").fullmatch

#: What to add to the message for a status that has one meaning whatever the body says.
_ADVICE = {
    401: "check the user, the password or the token",
    413: "the request is too large for this service; send less at a time, or use transport='websocket'",
    429: "the service limits the rate of requests; try again later",
    507: "the response is too large for this service; fetch less at a time, or use transport='websocket'",
}


def postgres_error(body: Any) -> dict[str, str] | None:
    """The fields of the Postgres error in a decoded body, by wire code; None when it is no Postgres error."""
    if not isinstance(body, dict) or not isinstance(body.get("message"), str):
        return None
    code = body.get("code")
    if not isinstance(code, str) or not _is_sqlstate(code):
        return None
    fields = {wire: body[name] for wire, name in ERROR_FIELDS.items() if isinstance(body.get(name), (str, int))}
    fields = {wire: str(value) for wire, value in fields.items()}
    if "S" in fields:
        fields["V"] = fields["S"]
    return fields


def is_of_service(response: Response) -> bool:
    """Whether this is how a service of SQL over HTTP, or the gateway, refuses a request, and nobody in between."""
    body = _json(response)
    return isinstance(body, dict) and isinstance(body.get("msg"), str)


def error_from_response(
    response: Response,
    query: str | None = None,
    locate: Callable[[int], int] | None = None,
    conceal: Callable[[str], str] = str,
) -> e.Error:
    """The exception for a response whose status is not 200: the one that the wire protocol would give, if it is SQL's.

    Args:
        response: what the server has answered.
        query: the statement, so that the message can show where in it the mistake is; None if unknown.
        locate: turns a position in the statement that was sent into the position in `query`.
        conceal: takes secrets out of a text of which only a part is shown: in that one could be cut in two.
    """
    request_id = response.headers.get("neon-request-id")
    body = _json(response)
    fields = postgres_error(body)
    error: e.Error
    if fields is not None:
        if locate is not None and (position := decimal_number(fields.get("P", ""))) is not None:
            fields["P"] = str(locate(position))
        # A request is a login too. What ends a session otherwise is an OperationalError anyway.
        error = e.error_from_fields(fields, query, login=fields.get("V") == "FATAL")
        if request_id and hasattr(error, "add_note"):
            error.add_note(f"request id: {request_id}")
        return _with_origin(error, response.status, request_id)
    message = f"{_message(body, conceal) or _excerpt(response, conceal)} (HTTP status {response.status}"
    message += f", request id {request_id})" if request_id else ")"
    if advice := _ADVICE.get(response.status):
        message += f"\nHINT:  {advice}"
    return _with_origin(e.OperationalError(message), response.status, request_id)


def _json(response: Response) -> Any:
    """The body of an error; None if it is not JSON."""
    try:
        return json.loads(response.body)
    except (ValueError, RecursionError):
        return None


def _message(body: Any, conceal: Callable[[str], str]) -> str | None:
    """What a proxy's own error says."""
    if isinstance(body, str):
        return conceal(body)[:SHOWN_MESSAGE]
    if isinstance(body, dict):
        text = body.get("message") or body.get("msg") or body.get("error")
        code = body.get("code")
        if isinstance(text, str):
            text = conceal(text)[:SHOWN_MESSAGE]
            return f"{text} [{code}]" if isinstance(code, str) and len(code) <= 100 and code not in text else text
    return None


def _excerpt(response: Response, conceal: Callable[[str], str]) -> str:
    """What can be told of a response that no database endpoint has written."""
    if 300 <= response.status < 400:
        return "the server answers with a redirect, which is not followed"
    text = conceal(response.body.decode("utf-8", "replace"))[:4096]
    text = re.sub(r"<(style|script|title|head)\b.*?</\1>|<[^>]*>|\s+", " ", text, flags=re.DOTALL | re.IGNORECASE)
    text = " ".join(text.split())[:200]
    reason = response.reason or _reason(response.status)
    return f"the server answers {reason!r}: {text}" if text else f"the server answers {reason!r}"


def _reason(status: int) -> str:
    """What a status means, where the server has not said it."""
    from http import HTTPStatus

    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return f"status {status}"


def _with_origin(error: e.Error, status: int, request_id: str | None) -> e.Error:
    error.status = status
    error.request_id = request_id
    return error
