"""Going through the steps of connecting over one transport."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date

from ... import errors as e
from ...connection import Connection
from ...decimal_number import decimal_number
from ...endpoint import Endpoint
from ...flows.opening import open_transport
from ...flows.requests import TLS, Deadline, DeadlinePassed, Flow, TLSFailed
from ...flows.transport import Transport
from ...flows.way import open_way
from ...net.blocking import BlockingRunner
from ...rows import TupleRow, tuple_row
from ...settings import Settings
from .advice import advise
from .certificate import certificate_names
from .failure import Failure
from .network_advice import WRONG_HOST
from .secrets import Secrets
from .step import OK, Step
from .watch import WatchedRunner

#: Asks for what a program would like to know of the server, and needs no rights.
QUERY = (
    "SELECT pg_catalog.current_setting('server_version'), pg_catalog.pg_is_in_recovery(), "
    "pg_catalog.current_setting('default_transaction_read_only'), pg_catalog.pg_backend_pid()"
)

#: The port of PgBouncer, unless it is told another.
PGBOUNCER = 6432

A_POOLER = (
    "there is a pooler in between, such as PgBouncer. If it gives each transaction another session, nothing that "
    "belongs to a session (SET, temporary tables, LISTEN, advisory locks) survives a transaction, and before "
    "version 1.21 of PgBouncer prepare_threshold=None is needed"
)

#: A first answer that takes so many seconds, and so many times as long as the second, has woken somebody up.
_WAKING = 1.5
_TIMES = 5

#: How long the look at whether a server speaks TLS may take, in seconds.
_LOOK = 3.0

#: The steps whose errors are not a server's, and so quote nothing. A short password could look like a part of a name.
_SAID_BY_US = ("dns", "tcp", "proxy", "tls")

#: What libpq asks when it cannot connect, which the advice answers.
_question = re.compile(r"\n\tIs the server running[^\n]*")


class Examination:
    """The examination of one transport.

    Args:
        settings: where and how to connect.
        secrets: what no step may show.
        report: takes each step when it has ended.
        environ: the environment, in which a proxy may be named.

    Attributes:
        failed: the step that has failed, which was not reported.
    """

    def __init__(
        self, settings: Settings, secrets: Secrets, report: Callable[[Step], None], environ: Mapping[str, str]
    ) -> None:
        self._settings = settings._replace(patience=0.0)  # what is wrong now is what there is to tell
        self._environ = environ
        self._secrets = secrets
        self._report = report
        self._runner = WatchedRunner(settings.transport, report, why_plain(settings))
        self.failed: Step | None = None

    def run(self) -> bool:
        """Go through the steps; gives whether all went well, see `failed` otherwise."""
        try:
            self._connect()
        except e.Error as error:
            self.failed = self._failure(error)
            return False
        finally:
            self._runner.close()
        return True

    def _connect(self) -> None:
        """Do what `Connection.connect()` does, and run a query."""
        settings = self._settings
        transport = self._runner.run(open_transport(settings))
        connection: Connection[TupleRow] = Connection(transport, self._runner, tuple_row)
        try:
            first = self._log_in(connection, transport)
            self._runner.begin("query", self._runner.where)
            row = connection.execute(QUERY).fetchone()
            if row is None or tuple(map(type, row)) != (str, bool, str, int):
                raise e.OperationalError("the answer is not one to what was asked")
            version, in_recovery, read_only, pid = row
            version = connection.info.parameter_status("server_version") or version
            stranger = connection.info.backend_pid not in (0, pid)
            query = self._runner.finish(f"PostgreSQL {version}, {_round_trips(self._runner.waited)}")
        finally:
            connection.close()
        query.notes = [*notes_on_server(version, in_recovery, read_only == "on"), *_notes_on_waking(first, query)]
        # The proxies of providers have process IDs of their own also where they do not pool.
        if stranger and settings.provider is None and settings.port != PGBOUNCER:
            query.notes.append(f"Another process answers than the one that has let us in: {A_POOLER}.")
        self._report(query)

    def _log_in(self, connection: Connection[TupleRow], transport: Transport) -> Step:
        """See the login to its end; gives the step in which the database was first heard of."""
        login = f'user "{self._settings.user}", database "{self._settings.dbname}"'
        if transport.has_session:
            return self._runner.end(f"{login}, {_round_trips(self._runner.waited)}")
        connection.execute(QUERY)  # a request is a login too
        request_id = connection.info.request_id
        first = self._runner.end("200 OK" + (f", request id {request_id}" if request_id else ""))
        self._report(Step("login", transport.name, OK, fact=f"{login}, in the same request"))
        return first

    def _failure(self, error: e.Error) -> Step:
        """The step in which it has failed, with what to do."""
        runner, settings = self._runner, self._settings
        if runner.step == "endpoint" and answers_as_database(error):
            runner.end(f"{error.status}, request id {error.request_id}" if error.request_id else f"{error.status}")
            runner.begin("query" if error.sqlstate and not is_about_login(error) else "login", runner.where)
            runner.began = None
        failure = Failure(runner.step, settings, error, runner.cause, runner.where, runner.heard, runner.past_proxy)
        text = _question.sub("", failure.text)
        if not runner.unexplained:
            text = text.partition("\nMultiple connection attempts failed")[0]  # each of them was a step
        if failure.step not in _SAID_BY_US:
            text = self._secrets.hide(text)
        step = runner.unfinished(" ".join(text.split()))
        endpoint = settings.fetch_url or settings.websocket_url
        if step.name in ("endpoint", "upgrade") and failure.is_nonsense and endpoint and not endpoint.secure:
            failure.speaks_tls = speaks_tls(endpoint, settings)
        if failure.verify_code in WRONG_HOST:
            failure.names = certificate_names(settings)
        step.advice = advise(failure, self._environ)
        return step


def answers_as_database(error: e.Error) -> bool:
    """Whether an error over HTTP is the database's, or about who asks, rather than about the request."""
    return error.sqlstate is not None or error.status == 401 or "there is no password" in str(error)


def is_about_login(error: e.Error) -> bool:
    """Whether it is a login that the database has refused."""
    return error.diag.severity == "FATAL" or (error.sqlstate or "")[:2] in ("28", "3D")


def speaks_tls(endpoint: Endpoint, settings: Settings) -> bool:
    """Whether a server begins a TLS handshake, whatever its certificate."""

    def look() -> Flow[None]:
        yield Deadline(_LOOK)
        yield from open_way(endpoint.host, endpoint.port, TLS(endpoint.host), settings.keepalive, settings.proxy)

    runner = BlockingRunner()
    try:
        runner.run(look())
    except TLSFailed as error:
        return "certificate" in str(error) or "ALERT" in str(error)
    except (OSError, DeadlinePassed):
        return False
    finally:
        runner.close()
    return True


def notes_on_server(version: str, in_recovery: bool, read_only: bool) -> list[str]:
    """What is worth knowing of a server."""
    notes = []
    major = decimal_number(version.partition(".")[0]) or 0
    # Each major version gets corrections for five years, until a November: 14 until that of 2026.
    if major >= 10 and date.today() > date(2012 + major, 11, 30):
        notes.append(f"PostgreSQL {major} has had no corrections since November {2012 + major}: plan to upgrade it.")
    if in_recovery:
        notes.append(
            "The server is a standby, which can be read but not written to: for writing give the primary's host."
        )
    elif read_only:
        notes.append("Transactions are read-only unless they say otherwise (default_transaction_read_only is on).")
    return notes


def _notes_on_waking(first: Step, query: Step) -> list[str]:
    before, after = first.seconds or 0.0, query.seconds or 0.0
    if before < max(_WAKING, _TIMES * after):
        return []
    return [
        f"The first answer took {before:.1f} s and the next {after:.1f} s: the database was probably asleep, and is "
        "awake now. If programs give up on it meanwhile, give them more time by connect_timeout (over HTTP: timeout)."
    ]


def _round_trips(count: int) -> str:
    return f"{count} round trip{'s' * (count != 1)}"


def why_plain(settings: Settings) -> str:
    """Why a connection is not encrypted, if it is not."""
    if settings.given.get("sslmode") == "disable":
        return "not encrypted, as sslmode=disable says: who is on the way can read it"
    return "not encrypted, as it does not leave this machine"
