"""SQL over HTTP as a transport: one request is one statement or one whole transaction.

No transaction can be open between two requests, so what belongs to one is kept here until it is to be committed, and
sent as one batch. A statement that only reads runs at once, in a read-only transaction of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, NoReturn

from .. import errors as e
from ..abc import Params
from ..events import DEBUG, WARNING
from ..isolation import IsolationLevel, TransactionCharacteristics
from ..percent import encode
from ..pq import PipelineStatus, TransactionStatus
from ..protocol.backend import ProtocolError
from ..protocol.http import HttpConnection, Response
from ..protocol.result import Result
from ..protocol.sqlhttp import (
    Statement,
    error_from_response,
    is_of_service,
    parse_answer,
    request_body,
    request_headers,
)
from ..record import Record
from ..settings import Settings, checked_token
from ..tokens import first_words
from ..typeinfo import TypesRegistry
from .failures import describe
from .requests import Close, Deadline, DeadlinePassed, Flow, Poll, Receive, Send
from .retrying import UNAVAILABLE, Retries, is_waking
from .stake import UNDONE, Stake, commits_midway
from .transport import Deliver, Query, Tally, Transport
from .way import open_way

#: With these a statement begins that runs at once, in a read-only transaction of its own.
READS = frozenset({"SELECT", "VALUES", "TABLE", "SHOW", "EXPLAIN", "WITH"})

_NEEDS_SESSION = {
    **dict.fromkeys(("BEGIN", "START"), "a transaction that stays open"),
    **dict.fromkeys(("COMMIT", "END", "ROLLBACK", "ABORT"), "a transaction that stays open"),
    **dict.fromkeys(("SAVEPOINT", "RELEASE"), "a savepoint"),
    **dict.fromkeys(("LISTEN", "UNLISTEN"), "a subscription to notifications"),
    **dict.fromkeys(("DECLARE", "FETCH", "MOVE", "CLOSE"), "a server-side cursor"),
    "COPY": "a stream of data",
    "PREPARE TRANSACTION": "two-phase commit",
}
#: These have an effect on the rest of a transaction, and none that outlives it over HTTP.
_NEEDS_TRANSACTION = frozenset({"SET", "RESET", "PREPARE", "DEALLOCATE", "DISCARD"})

_REMEDIES = "commit first, or connect with autocommit=True, or use transport='websocket'"

_WRITES = (
    "Over HTTP a statement that starts like a query runs in a read-only transaction of its own, unless autocommit "
    "is on. This one writes: set autocommit=True, or put it into `with conn.transaction():` or `conn.batch(…)`, "
    "or use transport='websocket'."
)

#: In these all statements of a transaction see the same data.
_WITH_SNAPSHOT = (IsolationLevel.REPEATABLE_READ, IsolationLevel.SERIALIZABLE)

#: How many texts `executemany()` remembers. Integers of different sizes alone have four types for each parameter.
_KNOWN_STATEMENTS = 1000

#: How the SQLSTATE of a fatal error begins that Postgres has instead of a session. Any other can come from somebody in
#: between that has lost it.
_NO_SESSION = ("0A", "22", "28", "3D", "42", "53300", "55", "57P03")

#: Classes of what Postgres can end a session with while a statement runs.
_CAN_END_SESSION = ("08", "53", "57", "58", "XX")

#: The SQLSTATE of what Postgres says when it takes no more sessions for now; the gateway answers 503 then.
_LATER = frozenset({"53300", "57P01", "57P02", "57P03"})


class _Kept(Record):
    """Statements of one call that wait for commit, and who wants their results."""

    statements: list[Statement]
    deliver: Deliver


class HttpTransport(Transport):
    """Requests to one endpoint over a connection that is kept alive and opened again when needed.

    Attributes:
        requests: how many requests were made.
    """

    name = "http"
    has_binary = False
    has_session = False

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        assert settings.fetch_url is not None
        self._endpoint = settings.fetch_url
        self._http: HttpConnection | None = None
        self._kept: list[_Kept] = []
        self._in_block = False
        self._pipelines = 0  # how many are nested
        self._has_read = False  # a statement has read since the last commit or rollback
        self._sent = False  # a request is under way
        self._harmless = True  # and it cannot change anything
        self.requests = 0

    @property
    def transaction_status(self) -> TransactionStatus:
        if self.closed:
            return TransactionStatus.UNKNOWN
        if self._pipelines and self._kept and not self._in_block:
            return TransactionStatus.ACTIVE  # which has a pool close it: whoever gets it next is in no pipeline
        return TransactionStatus.INTRANS if self.waits or self._holds_snapshot() else TransactionStatus.IDLE

    @property
    def waits(self) -> bool:
        return bool(self._kept) or self._in_block

    def parameter_status(self, name: str) -> str | None:
        return None

    def guard(self, flow: Flow[Any], timeout: float | None) -> Flow[Any]:
        if self.closed:
            flow.close()
            raise self.refusal()
        yield Deadline(timeout)
        self._sent = self.committed = False
        try:
            return (yield from flow)
        except DeadlinePassed:
            yield from self._hang_up()
            self.log(WARNING, "timeout", timeout=timeout, outcome="the connection was closed")
            reason = f"timeout: the server has not answered within {timeout:g} seconds"
            raise self._lost(reason) from None
        except GeneratorExit:
            raise
        except BaseException as error:
            if self.committed and isinstance(error, e.Error):  # by something behind it, such as the loading of rows
                error.outcome_unknown = True
            if self._sent:
                yield from self._hang_up()  # the service cancels what nobody waits for
            raise
        finally:
            if self._kept and self.autocommit and not self._collecting:
                kept, self._kept = self._kept, []  # of a pipeline that was interrupted on the way out of it
                _deliver_nothing(kept)

    @property
    def _collecting(self) -> bool:
        """Whether statements are collected until the end of a block."""
        return self._in_block or self._pipelines > 0

    # Requests

    def _request(
        self,
        statements: Statement | Sequence[Statement],
        characteristics: TransactionCharacteristics | None,
        query: Query | None = None,
    ) -> Flow[list[Result]]:
        """Make one request and give the results; `query` is the statement where there is only one.

        Raises:
            Error: what the server has answered, or OperationalError if it was not reached.
        """
        settings = self.settings
        token = checked_token(settings.auth_token()) if callable(settings.auth_token) else settings.auth_token
        headers = request_headers(settings.http_connection_string(), token, characteristics)
        body = request_body(statements)
        self._harmless = characteristics is not None and characteristics.read_only is True and not _sets(statements)
        retries = Retries(settings)
        yield from retries.start()
        while True:
            response = yield from self._answer(headers, body, retries)
            unrun = _was_not_run(response)
            if not unrun:
                break
            retries.note_unavailable(response.headers)
            if not (yield from retries.again()):
                break
        if response.status != 200:
            conceal = partial(self._conceal, token)
            if query is None:
                failure = error_from_response(response, conceal=conceal)
            else:
                text = None if query.shown is None else query.shown.decode()
                failure = error_from_response(response, text, query.untyped_position, conceal)
            failure = self._explained(failure, token, unrun=unrun)
            if failure.sqlstate and characteristics is None and not unrun and isinstance(statements, Statement):
                failure.outcome_unknown = failure.outcome_unknown or commits_midway(statements.query)
            raise retries.explained(failure) if unrun else failure
        try:
            results = parse_answer(response, None if isinstance(statements, Statement) else len(statements))
        except e.OperationalError as error:
            raise self._explained(error, token) from None
        self.committed = self.committed or not self._harmless
        return results

    def _answer(self, headers: dict[str, str], body: bytes, retries: Retries) -> Flow[Response]:
        """Make one request, and give what answers it."""
        http = yield from self._connection(retries)
        try:
            data = http.request("POST", headers, body)
        except ValueError as error:
            raise e.ProgrammingError(str(error)) from None
        self._sent = True
        self.requests += 1
        self.request_id = None
        response = yield from self._exchange(http, data)
        self._sent = False
        self.request_id = response.headers.get("neon-request-id")
        self.log(DEBUG, "request", status=response.status, request_id=self.request_id)
        return response

    def _explained(self, error: e.Error, token: str | None, *, unrun: bool = False) -> e.Error:
        """The same error; if it is not one of Postgres, with where it comes from and what it means.

        Args:
            error: the error.
            token: what the request had for a login, which is not to be shown.
            unrun: it is certain that the request was not run.
        """
        if error.sqlstate is not None or error.status is None:
            code = error.sqlstate or ""
            known = _is_of_statement(error) or code in UNDONE or code.startswith(_NO_SESSION)
            if not (known or self._harmless or unrun):
                Stake.EFFECT.tell(error)
            return self._without_login(error, token)
        error.args = (self._conceal(token, f"{self._endpoint.url}: {error}"),)
        if not (self._harmless or unrun or 400 <= error.status < 500):
            Stake.EFFECT.tell(error)
        return error

    def _conceal(self, token: str | None, text: str) -> str:
        """A text without what we log in with: it can be of a page on which a server shows the request that it got."""
        for secret in filter(None, (token, self.settings.password)):
            text = text.replace(secret, "…").replace(encode(secret), "…")
        return text

    def _without_login(self, error: e.Error, token: str | None) -> e.Error:
        """The same error of Postgres, should somebody in between have quoted what we log in with.

        The password alone can be any word of it, and stays.
        """
        login = f":{encode(self.settings.password)}@" if self.settings.password else None
        for secret, shown in ((token, "…"), (login, ":…@")):
            if secret:
                error.args = tuple(str(each).replace(secret, shown) for each in error.args)
                error._fields = {code: value.replace(secret, shown) for code, value in error._fields.items()}
        return error

    def _connection(self, retries: Retries) -> Flow[HttpConnection]:
        """The connection that was kept alive, if the server has not closed it meanwhile, or a new one."""
        if self._http is not None:
            if self._http.reusable and (yield from self._is_silent()):
                return self._http
            yield from self._hang_up()
        settings, endpoint = self.settings, self._endpoint
        self.log(DEBUG, "reconnecting" if self.requests else "connecting")
        while True:
            yield from self._check_not_closed()
            limit = yield from retries.limit()
            try:
                yield from open_way(
                    endpoint.host, endpoint.port, settings.tls, settings.keepalive, settings.proxy, limit
                )
                break
            except OSError as error:
                retries.note(error)
                failure = self._not_connected(e.OperationalError, describe(error))
            except DeadlinePassed as passed:
                retries.note(passed)
                failure = self._not_connected(e.ConnectionTimeout, "connection timeout expired")
            if not (yield from retries.again()):
                raise retries.explained(failure)
        yield from self._check_not_closed()
        self.log(DEBUG, "connected")
        self._http = HttpConnection(endpoint)
        return self._http

    def _is_silent(self) -> Flow[bool]:
        """Whether nothing has come since the last response; otherwise it can only be the end of the connection."""
        try:
            return (yield Poll()) is None
        except OSError:
            return False

    def _exchange(self, http: HttpConnection, data: bytes) -> Flow[Response]:
        reason = ""
        try:
            yield Send(data)
        except OSError as error:
            reason = describe(error)  # the server may have answered before it stopped to listen
        try:
            response = None
            while response is None:
                response = http.receive((yield Receive()))
        except (OSError, ProtocolError) as error:
            yield from self._hang_up()
            yield from self._check_not_closed()
            reason = f"no answer from {self._endpoint.url}: {reason or describe(error)}"
            self.log(WARNING, "connection lost", reason=reason)
            raise self._lost(reason) from None
        if not http.reusable:
            yield from self._hang_up()
        return response

    def _check_not_closed(self) -> Flow[None]:
        """End the call if `close()` was called meanwhile: nothing is to be sent any more."""
        if self.closed:
            yield from self._hang_up()
            self.log(DEBUG, "closed")
            reason = "the connection was closed by another thread or task while this one was waiting"
            raise self._lost(reason) from None

    def _hang_up(self) -> Flow[None]:
        self._http = None
        yield Close()

    def _not_connected(self, cls: type[e.Error], reason: str) -> e.Error:
        self.log(WARNING, "attempt failed", reason=reason)
        return cls(f"connection failed: connection to {self.settings.where} failed: {reason}")

    def _lost(self, reason: str) -> e.OperationalError:
        """The error for a call to which there is no answer."""
        error = e.OperationalError(reason)
        if self.committed or (self._sent and not self._harmless):
            Stake.EFFECT.tell(error)
        return error

    # Statements

    def _statement(self, query: Query, *, in_batch: bool = False) -> Statement:
        """The statement as it is sent, once it is clear that it makes sense without a session."""
        words = first_words(query.query.decode("utf-8", "replace"), 2)
        word = words[0] if words else ""
        for name in (word, " ".join(words)):
            if name in _NEEDS_SESSION:
                raise e.NotSupportedError(
                    f"{name} needs {_NEEDS_SESSION[name]}, which cannot exist over HTTP; "
                    "use transport='websocket' or 'tcp'"
                )
        if word in _NEEDS_TRANSACTION and self.autocommit and not (in_batch or self._collecting):
            raise e.NotSupportedError(
                f"{word} would have no effect: over HTTP nothing outlives the request; "
                "put it into a batch or a transaction, or use transport='websocket' or 'tcp'"
            )
        return Statement(query.typed_query(partial(_type_name, query.known_types)), _text_params(query))

    def session(self, feature: str) -> NoReturn:
        raise e.NotSupportedError(
            f"{feature} needs a session, which cannot exist over HTTP; use transport='websocket' or 'tcp'"
        )

    def execute(
        self, query: Query, *, binary: bool, deliver: Deliver, prepare: bool | None = False
    ) -> Flow[list[Result] | None]:
        statement = self._statement(query)
        if self.autocommit and not self._collecting:
            return (yield from self._request(statement, None, query))
        self._check_snapshot()
        if self._collecting or self._kept or not _reads(statement):
            self._kept.append(_Kept([statement], deliver))
            return None
        return (yield from self._read(statement, query))

    def execute_now(self, query: Query) -> Flow[list[Result]]:
        if self._pipelines:
            raise e.ProgrammingError("stream() cannot be used in pipeline mode")
        statement = self._statement(query)
        if self.autocommit and not self._in_block:
            return (yield from self._request(statement, None, query))
        if self._in_block or self._kept or not _reads(statement):
            raise e.NotSupportedError(self.why_pending())
        self._check_snapshot()
        return (yield from self._read(statement, query))

    def read_aside(self, query: Query) -> Flow[list[Result]]:
        """Run a query as a transaction of its own, whatever waits for commit."""
        return (yield from self._request([self._statement(query)], TransactionCharacteristics(read_only=True), query))

    def why_pending(self) -> str:
        if self._in_block:
            when = "at the end of the transaction block"
        elif self._pipelines and self.autocommit:
            when = "at the end of the pipeline, or after its sync()"
        else:
            return (
                "over HTTP the result of this statement is there after commit(), since an open transaction cannot "
                f"exist; {_REMEDIES}"
            )
        return (
            f"over HTTP the result of this statement is there {when}, since it is part of one request; "
            "fetch it then, or use transport='websocket' or 'tcp'"
        )

    def _holds_snapshot(self) -> bool:
        """Whether the rest of the transaction would have to see what a query in it has seen."""
        return self._has_read and not self.autocommit and self.characteristics.isolation_level in _WITH_SNAPSHOT

    def _check_snapshot(self) -> None:
        """Refuse to go on in such a transaction."""
        level = self.characteristics.isolation_level
        if level is not None and self._holds_snapshot():
            raise e.NotSupportedError(
                f"over HTTP what follows a query cannot share the snapshot that {level.sql} promises; {_REMEDIES}"
            )

    def _read(self, statement: Statement, query: Query) -> Flow[list[Result]]:
        try:
            results = yield from self._request([statement], self.characteristics._replace(read_only=True), query)
        except e.ReadOnlySqlTransaction as error:
            if self.characteristics.read_only is not True:
                error.args = (f"{error}\nHINT:  {_WRITES}",)
            raise
        self._has_read = True
        return results

    def executemany(
        self, query: Query, params: Iterable[Params], *, returning: bool, binary: bool, prepare: bool, deliver: Deliver
    ) -> Flow[list[Result] | Tally | None]:
        statements = []
        # With the same types of parameters the statement is the same, and they change seldom.
        known: dict[tuple[bytes, tuple[int, ...]], str] = {}
        for each in params:
            query.dump(each)
            text = known.get((query.query, query.types))
            if text is None:
                statement = self._statement(query)
                known[query.query, query.types] = statement.query
                if len(known) > _KNOWN_STATEMENTS:  # as when values are written into the statement
                    known.clear()
            else:
                statement = Statement(text, _text_params(query))
            statements.append(statement)
        if not statements:
            return [] if returning else Tally(0, "")
        if not self.autocommit or self._collecting:
            self._check_snapshot()
            self._kept.append(_Kept(statements, deliver))
            return None
        results = yield from self._request(statements, TransactionCharacteristics())
        if returning:
            return results
        return Tally(sum(result.command_tuples or 0 for result in results), results[-1].command_tag)

    def batch(self, queries: Sequence[Query], characteristics: TransactionCharacteristics) -> Flow[list[Result]]:
        yield from self.sync_pipeline()
        if self._kept or self._in_block:
            raise e.NotSupportedError(
                "over HTTP a batch is a transaction of its own, and statements of another one wait for commit; "
                "commit or roll back first, or use transport='websocket' or 'tcp'"
            )
        self._check_snapshot()
        statements = [self._statement(query, in_batch=True) for query in queries]
        if not statements:
            return []
        only = queries[0] if len(queries) == 1 else None  # of several the server does not say which one has failed
        return (yield from self._request(statements, characteristics, only))

    # Transactions

    def commit(self) -> Flow[None]:
        kept, self._kept = self._kept, []
        self._has_read = False
        statements = [statement for each in kept for statement in each.statements]
        if not statements:
            return
        try:
            results = yield from self._request(statements, self.characteristics)
        except BaseException:
            _deliver_nothing(kept)
            raise
        failures = []
        for each in kept:
            try:
                each.deliver(results[: len(each.statements)])
            except Exception as error:  # of a row factory; the other cursors have results all the same
                failures.append(error)
            del results[: len(each.statements)]
        if failures:
            raise failures.pop(0)

    def rollback(self) -> Flow[None]:
        kept, self._kept = self._kept, []
        self._has_read = False
        _deliver_nothing(kept)
        yield from ()

    # Pipelines: what is collected goes with the next commit, which under autocommit is the end of the pipeline.

    @property
    def pipeline_status(self) -> PipelineStatus:
        return PipelineStatus.ON if self._pipelines else PipelineStatus.OFF

    def enter_pipeline(self) -> Flow[None]:
        self._pipelines += 1
        yield from ()

    def sync_pipeline(self) -> Flow[None]:
        if self._pipelines and self.autocommit and not self._in_block:
            yield from self.commit()

    def leave_pipeline(self, *, failed: bool) -> Flow[None]:
        try:
            if failed and self.autocommit and not self._in_block:
                yield from self.rollback()
            yield from self.sync_pipeline()
        finally:
            self._pipelines -= 1

    def receive_pending(self) -> Flow[None]:
        yield from ()  # nothing comes before commit

    def enter_block(self, savepoint: str) -> Flow[bool]:
        yield from self.sync_pipeline()
        self._check_snapshot()
        if savepoint or self._in_block or self._kept:
            raise e.NotSupportedError(
                "a transaction inside another one needs a savepoint, which cannot exist over HTTP; "
                "commit or roll back first, or use transport='websocket' or 'tcp'"
            )
        self._in_block = True
        return True

    def leave_block(self, savepoint: str, *, outer: bool, rollback: bool) -> Flow[bool]:
        self._in_block = False
        yield from self.rollback() if rollback else self.commit()
        return not rollback

    def break_off(self) -> Flow[None]:
        self._in_block = False
        self._pipelines = 0
        yield from self.rollback()

    def cancel(self, timeout: float) -> Flow[None]:
        raise e.NotSupportedError(
            "over HTTP a statement cannot be cancelled from outside; connect with timeout=…, "
            "or use transport='websocket' or 'tcp'"
        )
        yield

    def close(self) -> Flow[None]:
        self.closed = True
        yield from self.rollback()
        yield from self._hang_up()
        self.log(DEBUG, "closed")


def _was_not_run(response: Response) -> bool:
    """Whether it is certain that a request was not begun: the database is waking up, or the service busy.

    A proxy that has lost the server in the middle of a request answers 503 too, and even says when to come again. So
    that has to be an answer of the service itself.
    """
    if response.status == 200:
        return False
    error = error_from_response(response)
    refused = error.diag.severity == "FATAL"
    if response.status == UNAVAILABLE and "retry-after" in response.headers:
        return (refused and error.sqlstate in _LATER) or is_of_service(response)
    return refused and is_waking(error)


def _is_of_statement(error: e.Error) -> bool:
    """Whether an error has ended a statement, and not the session.

    Postgres says of each error how severe it is; one without that comes from somebody in between. In an answer it may
    say so in the language of the server.
    """
    severity = error.diag.severity
    if severity in (None, "FATAL", "PANIC"):
        return False
    return severity == "ERROR" or not (error.sqlstate or "").startswith(_CAN_END_SESSION)


def _sets(statements: Statement | Sequence[Statement]) -> bool:
    """Whether a parameter is set or reset, which can be that the transaction is not read-only."""
    every = [statements] if isinstance(statements, Statement) else statements
    return any(first_words(statement.query, 1) in (["SET"], ["RESET"]) for statement in every)


def _reads(statement: Statement) -> bool:
    return not READS.isdisjoint(first_words(statement.query, 1))


def _deliver_nothing(kept: list[_Kept]) -> None:
    for each in kept:
        each.deliver([])


def _text_params(query: Query) -> list[str | None]:
    params = [None if value is None else str(value, "utf-8") for value in query.bound]
    if len(params) > 65535:
        raise e.ProgrammingError(f"a statement takes at most 65535 parameters, not {len(params)}")
    return params


def _type_name(types: TypesRegistry, oid: int) -> str | None:
    """The name of a type that is known, to cast a parameter to; None when it is not."""
    info = types.get(oid)
    if info is None:
        return None
    return f"{info.regtype}[]" if oid == info.array_oid else info.regtype
