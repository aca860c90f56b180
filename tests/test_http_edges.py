"""HTTP connections that are kept alive: what must not be taken for an answer, and what an answer must be."""

from __future__ import annotations

import json
from typing import Any

import pytest

import neonps
from neonps.flows.http import HttpTransport
from neonps.flows.requests import Clock, Close, Deadline, Flow, Open, Poll, Receive, Send
from neonps.pq import ExecStatus
from neonps.protocol.result import Result
from neonps.protocol.textresult import ListResult
from neonps.query import PostgresQuery
from neonps.settings import resolve
from neonps.transformer import Transformer

FIELD = {"name": "x", "dataTypeID": 23}


def answer(value: str, field: dict[str, Any] = FIELD) -> bytes:
    body = json.dumps({"fields": [field], "rows": [[value]], "command": "SELECT", "rowCount": 1}).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


class Endpoint:
    """A runner whose server gives one answer to each request.

    Attributes:
        opened: how many connections were made.
    """

    def __init__(self, *answers: bytes) -> None:
        self._answers = list(answers)
        self.opened = 0
        settings = resolve("postgresql://u:hunter2@localhost/db?gateway=http://localhost:1", {"transport": "http"}, {})
        self.transport = HttpTransport(settings)
        self.transport.autocommit = True

    def select(self) -> list[Result]:
        query = PostgresQuery(Transformer())
        query.convert("select 1", None)
        flow = self.transport.execute(query, binary=False, deliver=lambda results: None)
        return self._run(self.transport.guard(flow, None))

    def _run(self, flow: Flow[list[Result]]) -> list[Result]:
        answers: dict[type, Any] = {Open: None, Close: None, Deadline: None, Send: None, Poll: None, Clock: 0.0}
        try:
            request = next(flow)
            while True:
                self.opened += isinstance(request, Open)
                request = flow.send(self._answers.pop(0) if isinstance(request, Receive) else answers[type(request)])
        except StopIteration as stop:
            results: list[Result] = stop.value
            return results


def values(results: list[Result]) -> list[Any]:
    return [list(result.rows()) for result in results]


def test_a_second_response_is_not_the_answer_to_the_next_request() -> None:
    endpoint = Endpoint(answer("1") + answer("666"), answer("2"), answer("3"))
    assert [values(endpoint.select()) for _ in range(3)] == [[[[b"1"]]], [[[b"2"]]], [[[b"3"]]]]
    assert endpoint.opened == 2


def test_informational_responses_are_no_answer() -> None:
    early = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n"
    endpoint = Endpoint(early + answer("1"), answer("2"))
    assert [values(endpoint.select()) for _ in range(2)] == [[[[b"1"]]], [[[b"2"]]]]
    assert endpoint.opened == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": None},
        {"name": 1},
        {"dataTypeID": "23"},
        {"dataTypeID": []},
        {"dataTypeID": True},
        {"tableID": "t"},
        {"dataTypeSize": None},
        {"dataTypeModifier": 1.5},
    ],
)
def test_a_column_that_makes_no_sense(wrong: dict[str, Any]) -> None:
    with pytest.raises(neonps.OperationalError, match="description of a column"):
        Endpoint(answer("1", {**FIELD, **wrong})).select()


class Unread(list[list[str | None]]):
    """Rows that must not be gone over from the first on."""

    def __iter__(self) -> Any:
        raise AssertionError("all rows from the first on were gone over")


def test_a_row_is_fetched_without_those_before_it() -> None:
    """Else iterating over a long result, row by row, would take a time that grows with the square of its length."""
    result = ListResult(ExecStatus.TUPLES_OK, [], "SELECT 3", Unread([["0"], ["1"], ["2"]]))
    assert list(result.rows(1, 2)) == [[b"1"]]
    assert list(result.rows(2)) == [[b"2"]]
