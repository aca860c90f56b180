"""`neonps doctor`: for each thing that can be wrong, the step that fails and a sentence on how to mend it."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import psycopg
import pytest
import server_messages as s
import trustme
from fake_server import FakeServer
from gateway_client import wait_for
from odd_websocket import OddWebSocket
from old_server import OldPostgres
from test_bad_servers import HTML, http_answer
from test_pgbouncer import free_port
from tls_postgres import TLSPostgres

from neonps.cli import main
from neonps.commands.doctor import watch
from neonps.commands.doctor.diagnosis import Diagnosis, diagnose
from neonps.commands.doctor.step import FAILED, OK, SKIPPED, Step
from neonps.embedded import EmbeddedPostgres
from neonps.local import serve

SECRET = "correct-horse-battery"


def doctor(url: str, **environ: str) -> Diagnosis:
    """What is found in a URL, and in an environment that has nothing else in it."""
    return diagnose(url, "the URL", environ)


def shown(diagnosis: Diagnosis) -> str:
    """All that is said."""
    return repr(diagnosis)


def failed(diagnosis: Diagnosis, transport: str | None) -> Step:
    """The step of a transport that has failed; it is the only one, and it has a sentence of advice."""
    (step,) = [step for step in diagnosis.steps if step.transport == transport and step.result == FAILED]
    assert step.advice.endswith((".", "?"))
    assert transport not in diagnosis.usable
    assert not [other for other in diagnosis.steps if other is not step and other.result != FAILED and other.advice]
    return step


def found(diagnosis: Diagnosis, transport: str | None, name: str) -> Step:
    """The step of this name."""
    (step,) = [step for step in diagnosis.steps if (step.transport, step.name) == (transport, name)]
    return step


def at(port: int, *, scheme: str = "http", more: str = "") -> str:
    """A URL whose gateway is at a port of this machine."""
    return f"postgresql://u:{SECRET}@db.example.com/d?connect_timeout=2&gateway={scheme}://127.0.0.1:{port}{more}"


def over(transport: str, port: int, more: str = "") -> str:
    """A URL that leads to a port over one transport, and nowhere over the others that could be reached."""
    if transport == "tcp":
        return f"postgresql://u:{SECRET}@127.0.0.1:{port}/d?connect_timeout=2{more}"
    keyword = "ws_proxy" if transport == "websocket" else "fetch_endpoint"
    return f"postgresql://u:{SECRET}@x.invalid/d?connect_timeout=2&{keyword}=http://127.0.0.1:{port}{more}"


# All is well


def test_each_step_of_each_transport(url: str, dsn: str) -> None:
    diagnosis = doctor(url)
    assert diagnosis.usable == ["websocket", "http", "tcp"]
    assert diagnosis.transport == "websocket"
    assert diagnosis.summary == "connect() takes websocket, which works. Also, http and tcp work."
    assert [(step.transport, step.name, step.result) for step in diagnosis.steps] == [
        (None, "settings", OK),
        ("websocket", "dns", SKIPPED),
        ("websocket", "tcp", OK),
        ("websocket", "tls", SKIPPED),
        ("websocket", "upgrade", OK),
        ("websocket", "login", OK),
        ("websocket", "query", OK),
        ("http", "dns", SKIPPED),
        ("http", "tcp", OK),
        ("http", "tls", SKIPPED),
        ("http", "endpoint", OK),
        ("http", "login", OK),
        ("http", "query", OK),
        ("tcp", "dns", SKIPPED),
        ("tcp", "tcp", OK),
        ("tcp", "tls", SKIPPED),
        ("tcp", "login", OK),
        ("tcp", "query", OK),
    ]
    for step in diagnosis.steps:
        assert step.advice == ""
        assert not step.notes
        in_another = (step.transport, step.name) == ("http", "login")
        assert (step.seconds is None) is (step.result == SKIPPED or in_another)
    port = psycopg.conninfo.conninfo_to_dict(dsn)["port"]
    assert f'tcp to server at "127.0.0.1", port {port}' in found(diagnosis, None, "settings").fact
    assert 'user "postgres", database "postgres", 3 round trips' in found(diagnosis, "websocket", "login").fact
    assert re.search("request id [0-9a-f-]{36}", found(diagnosis, "http", "endpoint").fact)
    for transport in diagnosis.usable:
        assert re.fullmatch(r"PostgreSQL 18\S*, 1 round trip", found(diagnosis, transport, "query").fact)


def test_a_name_is_looked_up(url: str) -> None:
    diagnosis = doctor(url.replace("gateway=http://127.0.0.1", "gateway=http://localhost"))
    assert "127.0.0.1" in found(diagnosis, "http", "dns").fact
    assert found(diagnosis, "http", "dns").seconds is not None
    assert diagnosis.usable == ["websocket", "http", "tcp"]


def test_an_ordinary_postgres(dsn: str) -> None:
    diagnosis = doctor(dsn)
    assert diagnosis.usable == ["tcp"]
    assert diagnosis.summary == "connect() takes tcp, which works."
    for transport in ("websocket", "http"):
        step = found(diagnosis, transport, "settings")
        assert step.result == SKIPPED
        assert "give gateway=https://…" in step.fact


def test_the_keywords_of_the_url_count(url: str, dsn: str) -> None:
    assert doctor(f"{url}&transport=tcp").transport == "tcp"
    assert doctor(url, NEONPS_TRANSPORT="http").transport == "http"
    assert doctor(f"{url}&lazy=true").usable == ["websocket", "http", "tcp"]
    assert doctor("", PGHOST="127.0.0.1", **in_variables(dsn)).usable == ["tcp"]
    diagnosis = doctor(f"{url}&target_session_attrs=standby")
    assert failed(diagnosis, "websocket").fact.endswith("server is not in hot standby mode")
    assert "target_session_attrs" in failed(diagnosis, "tcp").advice
    assert found(diagnosis, "http", "settings").result == SKIPPED


def in_variables(dsn: str) -> dict[str, str]:
    keywords = psycopg.conninfo.conninfo_to_dict(dsn)
    names = {"PGPORT": "port", "PGUSER": "user", "PGPASSWORD": "password", "PGDATABASE": "dbname"}
    return {variable: str(keywords[keyword]) for variable, keyword in names.items()}


def test_the_first_of_several_hosts_is_down(dsn: str) -> None:
    hosts = f"127.0.0.1:{free_port()},127.0.0.1:"
    diagnosis = doctor(dsn.replace("127.0.0.1:", hosts))
    assert diagnosis.usable == ["tcp"]
    refused, accepted = (step for step in diagnosis.steps if (step.transport, step.name) == ("tcp", "tcp"))
    assert (refused.result, accepted.result) == (FAILED, OK)
    assert "Connection refused" in refused.fact
    assert refused.advice == ""


def test_none_of_several_hosts_lets_us_in(dsn: str, postgres: EmbeddedPostgres) -> None:
    hosts = f"127.0.0.1:{postgres.port},127.0.0.1:{free_port()}"
    diagnosis = doctor(dsn.replace(f"127.0.0.1:{postgres.port}", hosts).replace(postgres.password, SECRET))
    steps = [step for step in diagnosis.steps if step.result == FAILED]
    assert [step.name for step in steps] == ["login", "tcp"]
    assert "it has not let us in" in steps[0].fact
    assert "password authentication failed" in steps[1].fact
    assert "nothing listens" in steps[1].advice
    assert diagnosis.usable == []


def test_a_port_of_postgres_that_is_closed_does_no_harm(postgres: EmbeddedPostgres) -> None:
    with OddWebSocket(postgres.host, postgres.port) as server:
        url = f"postgresql://postgres:{postgres.password}@127.0.0.1:{free_port()}/postgres?ws_proxy={server.gateway}"
        diagnosis = doctor(url)
    assert diagnosis.usable == ["websocket"]
    step = found(diagnosis, "tcp", "tcp")
    assert step.result == SKIPPED
    assert step.advice == ""
    assert "That does no harm: websocket works." in step.notes[0]


def test_another_transport_works(url: str) -> None:
    diagnosis = doctor(f"{url}&ws_proxy=http://127.0.0.1:{free_port()}")
    assert (diagnosis.usable, diagnosis.works) == (["http", "tcp"], False)
    assert failed(diagnosis, "websocket").name == "tcp"
    assert "takes websocket with these settings, which does not work, while http and tcp work" in diagnosis.summary
    assert "transport=http" in diagnosis.summary


# Connection strings


@pytest.mark.parametrize(
    ("url", "advice"),
    [
        (f"postgresql://u:{SECRET}@x@h.example.com/d", "%40"),
        (f"postgresql://u:{SECRET}/x@h.example.com/d", "/ in the user or the password"),
        (f"postgresql://u:1/{SECRET}@h.example.com/d", "/ in the user or the password"),
        (f"postgresql://u/v:{SECRET}@h.example.com/d", "/ in the user or the password"),
        (f"postgresql://u:1/{SECRET}?x@h.example.com/d", "percent-encode"),
        (f"postgresql://u:{SECRET}%x@h.example.com/d", "percent-encode"),
        (f"postgresql://u:{SECRET}@h.example.com:543x/d", "such as 5432"),
        (f"https://u:{SECRET}@h.example.com/d", "not of a database"),
        (f"wss://u:{SECRET}@h.example.com/d", "not of a database"),
        (f"jdbc:postgresql://h.example.com/d?user=u&password={SECRET}", "JDBC"),
        (f"jdbc:postgresql://u:{SECRET}@h.example.com/d?sslmode=require", "JDBC"),
        (f"postgresql+psycopg2://u:{SECRET}@h.example.com/d", "SQLAlchemy"),
        (f"mysql://u:{SECRET}@h.example.com/d", "begins with postgresql://"),
        (f"PostgreSQL://u:{SECRET}@h.example.com/d", "small letters"),
        (f"'postgresql://u:{SECRET}@h.example.com/d'", "quotes"),
        (f" postgresql://u:{SECRET}@h.example.com/d", "white space"),
        (f"psql 'postgresql://u:{SECRET}@h.example.com/d'", "without psql"),
        (f"DATABASE_URL=postgresql://u:{SECRET}@h.example.com/d", "leave out DATABASE_URL="),
        (f"u:{SECRET}@h.example.com/d", "postgresql://user:password@host/dbname"),
        (f"postgresql://u:{SECRET}@h.example.com/d?sslmod=require", "is it sslmode that is meant?"),
        (f"postgresql://u:{SECRET}@h.example.com/d?pgbouncer=true", "leave it out"),
        (f"postgresql://u:{SECRET}@h.example.com/d?transport=pigeon", "Mend this"),
        (f"postgresql://u:{SECRET}@h.example.com/d?transport=http", "Mend this"),
        (f"host=h.example.com password={SECRET} more", "between single quotes"),
        (f"postgresql://u:{SECRET}@h.example.com/d\0", "Mend this"),
    ],
)
def test_a_connection_string_that_is_not_understood(url: str, advice: str) -> None:
    diagnosis = doctor(url)
    assert advice in failed(diagnosis, None).advice
    assert len(diagnosis.steps) == 1
    assert diagnosis.usable == []
    assert SECRET not in shown(diagnosis)
    assert "h.example.com" not in shown(diagnosis)


def test_a_variable_that_is_not_understood(url: str) -> None:
    assert "NEONPS_" in failed(doctor(url, NEONPS_TRANSPORT="pigeon"), None).advice


def test_a_url_without_a_host() -> None:
    step = failed(doctor(f"postgresql://u:{SECRET}@:{free_port()}/d?sslmode=require"), "tcp")
    assert "host part missing?" in step.advice


# The way there


def test_a_host_that_does_not_exist() -> None:
    url = f"postgresql://u:{SECRET}@x.invalid/d?gateway=https://y.invalid"
    diagnosis = doctor(url)
    for transport, host in (("websocket", "y.invalid"), ("http", "y.invalid"), ("tcp", "x.invalid")):
        step = failed(diagnosis, transport)
        assert step.name == "dns"
        assert f'"{host}"' in step.advice
        assert "proxy" not in step.advice
    assert diagnosis.summary.startswith("No transport works.")
    assert "failed to resolve host 'y.invalid'" in failed(doctor(url.replace(SECRET, "y")), "http").fact
    assert SECRET not in shown(diagnosis)


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
def test_a_proxy_that_cannot_be_reached(variable: str) -> None:
    url = (
        f"postgresql://u:p@x.invalid/d?fetch_endpoint=https://x.invalid/sql&ws_proxy=http://127.0.0.1:{free_port()}/v2"
    )
    diagnosis = doctor(url, **{variable: f"http://u:{SECRET}@127.0.0.1:{free_port()}"})
    assert f"{variable} names http://127.0.0.1:" in failed(diagnosis, "http").advice
    assert "prox" not in failed(diagnosis, "websocket").advice  # on this machine
    assert f"{variable} is set, but transport=tcp" in failed(diagnosis, "tcp").advice
    assert SECRET not in shown(diagnosis)


def test_a_proxy_that_is_not_used() -> None:
    url = "postgresql://u:p@x.invalid/d?gateway=https://x.invalid"
    diagnosis = doctor(url, HTTPS_PROXY=f"http://u:{SECRET}@127.0.0.1:{free_port()}", NO_PROXY="invalid")
    assert "HTTPS_PROXY is set, but not used here: NO_PROXY" in failed(diagnosis, "http").advice
    assert SECRET not in shown(diagnosis)


def test_nothing_listens() -> None:
    port = free_port()
    diagnosis = doctor(at(port))
    for transport in ("websocket", "http"):
        step = failed(diagnosis, transport)
        assert step.name == "tcp"
        assert f"nothing listens at 127.0.0.1:{port}: start the gateway" in step.advice
    step = failed(doctor(over("tcp", port)), "tcp")
    assert step.fact == f"127.0.0.1:{port}: Connection refused"
    assert "start Postgres" in step.advice


def test_there_is_no_socket(tmp_path: Path) -> None:
    step = failed(doctor(f"host={tmp_path} user=u dbname=d"), "tcp")
    assert "There is no socket of a Postgres" in step.advice
    assert str(tmp_path) in step.fact


@contextmanager
def black_hole() -> Iterator[int]:
    """A port that neither takes connections nor refuses them: the queue of those that wait is full."""
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = []
        for _ in range(3):
            waiting.append(socket.socket())
            waiting[-1].setblocking(False)
            waiting[-1].connect_ex(listener.getsockname())
        yield listener.getsockname()[1]
        for each in waiting:
            each.close()


def test_nobody_answers() -> None:
    """All at once, since each takes its time."""

    def into_nothing(transport: str) -> None:
        with black_hole() as port:
            step = failed(doctor(over(transport, port)), transport)
        assert step.name == "tcp"
        assert f"Nothing has answered from 127.0.0.1:{port}" in step.advice

    def into_silence(transport: str, name: str, more: str = "") -> None:
        with FakeServer(None) as server:
            step = failed(doctor(over(transport, server.port, more)), transport)
            wait_for(lambda: server.open == 0)
        assert step.name == name
        assert f"127.0.0.1:{server.port} takes connections, but " in step.advice

    with ThreadPoolExecutor(8) as pool:
        tried = [pool.submit(into_nothing, transport) for transport in ("tcp", "websocket", "http")]
        for case in [
            ("tcp", "login"),
            ("tcp", "tls", "&sslmode=require"),
            ("websocket", "upgrade"),
            ("http", "endpoint"),
        ]:
            tried.append(pool.submit(into_silence, *case))
        for each in tried:
            each.result()


# TLS


class Files(NamedTuple):
    """Paths of PEM files with a certificate and its key, but for those of the CAs."""

    ca: str
    other_ca: str
    good: str
    elsewhere: str
    expired: str
    ending: str
    own: str


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    directory = tmp_path_factory.mktemp("doctor")
    ca, other = trustme.CA(), trustme.CA()
    now = datetime.now(timezone.utc)
    made = {
        "good": ca.issue_cert("localhost", "127.0.0.1"),
        "elsewhere": ca.issue_cert("db.example.com"),
        "expired": ca.issue_cert("localhost", "127.0.0.1", not_after=datetime(2020, 1, 1, tzinfo=timezone.utc)),
        "ending": ca.issue_cert("localhost", "127.0.0.1", not_after=now + timedelta(days=3, hours=1)),
    }
    paths = {name: str(directory / f"{name}.pem") for name in Files._fields}
    ca.cert_pem.write_to_path(paths["ca"])
    other.cert_pem.write_to_path(paths["other_ca"])
    other.cert_pem.write_to_path(paths["own"])
    other.private_key_pem.write_to_path(paths["own"], append=True)
    for name, cert in made.items():
        cert.private_key_and_cert_chain_pem.write_to_path(paths[name])
    return Files(**paths)


@contextmanager
def with_tls(postgres: EmbeddedPostgres, cert: str) -> Iterator[str]:
    """The URL of a gateway and of a Postgres with a certificate."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert)
    with serve(postgres.url, tls_cert=cert) as server, closing(TLSPostgres(postgres, context)) as tls:
        # The gateway does not lead to the port with TLS.
        websocket = f"{server.gateway.url}/v2?address=127.0.0.1:{postgres.port}".replace("?", "%3F").replace("=", "%3D")
        yield (
            f"postgresql://postgres:{postgres.password}@127.0.0.1:{tls.port}/postgres?sslmode=require"
            f"&gateway={server.gateway.url}&ws_proxy={websocket}"
        )


def test_a_certificate_that_is_good(postgres: EmbeddedPostgres, files: Files) -> None:
    with with_tls(postgres, files.good) as url:
        diagnosis = doctor(f"{url}&sslrootcert={files.ca}")
    assert diagnosis.usable == ["websocket", "http", "tcp"]
    for transport in diagnosis.usable:
        step = found(diagnosis, transport, "tls")
        assert re.fullmatch(
            r"TLSv1\.3, certificate for localhost, 127\.0\.0\.1 until \d{4}-\d\d-\d\d \(\d+ days\)", step.fact
        )
        assert not step.notes


def test_a_certificate_that_ends_soon(postgres: EmbeddedPostgres, files: Files) -> None:
    with with_tls(postgres, files.ending) as url:
        step = found(doctor(f"{url}&sslrootcert={files.ca}"), "tcp", "tls")
    assert step.notes == ["The certificate ends in 3 days: have it renewed."]


@pytest.mark.parametrize(
    ("cert", "ca", "advice"),
    [
        ("own", None, "has made its certificate itself"),
        ("good", None, "from a CA that this machine does not know"),
        ("good", "other_ca", "other_ca.pem now."),
        ("elsewhere", "ca", "not for this address"),
        ("expired", "ca", "has expired"),
    ],
)
def test_a_certificate_that_is_not_good(
    postgres: EmbeddedPostgres, files: Files, cert: str, ca: str | None, advice: str
) -> None:
    with with_tls(postgres, getattr(files, cert)) as url:
        diagnosis = doctor(url + (f"&sslrootcert={getattr(files, ca)}" if ca else ""))
    for transport in ("websocket", "http", "tcp"):
        step = failed(diagnosis, transport)
        assert step.name == "tls"
        assert advice in step.advice
        assert "certificate verify failed" in step.fact
    assert postgres.password not in shown(diagnosis)


def test_a_certificate_for_another_name(postgres: EmbeddedPostgres, files: Files) -> None:
    with with_tls(postgres, files.elsewhere) as url:
        url = url.replace("https://127.0.0.1", "https://localhost").replace("@127.0.0.1", "@localhost")
        diagnosis = doctor(f"{url}&sslrootcert={files.ca}")
    for transport in ("websocket", "http", "tcp"):
        steps = [step for step in diagnosis.steps if step.transport == transport and step.advice]
        assert [step.name for step in steps] == ["tls"]
        assert "The certificate is for another host" in steps[0].advice
        assert "db.example.com" in steps[0].advice


def test_a_file_of_cas_that_is_not_there() -> None:
    with FakeServer(b"S", close=False) as server:
        url = at(server.port, scheme="https") + "&sslrootcert=/nowhere/ca.pem"
        step = failed(doctor(url), "http")
    assert "cannot be read" in step.advice
    assert "/nowhere/ca.pem" in step.fact


def test_tls_where_there_is_none(url: str, postgres: EmbeddedPostgres) -> None:
    diagnosis = doctor(url.replace("http://", "https://"))
    for transport in ("websocket", "http"):
        step = failed(diagnosis, transport)
        assert step.name == "tls"
        assert "does not speak TLS" in step.advice
    step = failed(doctor(f"{postgres.url}?sslmode=require"), "tcp")
    assert step.name == "tls"
    assert "has no TLS" in step.advice


def test_no_tls_where_there_is(postgres: EmbeddedPostgres, files: Files) -> None:
    with with_tls(postgres, files.good) as url:
        diagnosis = doctor(url.replace("https://", "http://"))
    for transport, name in (("websocket", "upgrade"), ("http", "endpoint")):
        step = failed(diagnosis, transport)
        assert step.name == name
        assert "This port speaks TLS: write the endpoint with https://" in step.advice


# What HTTP servers answer

JSON = "Content-Type: application/json"
PAGE = "Content-Type: text/html"

#: Answers, what is to be said of them for a WebSocket, and what over HTTP.
ANSWERS = {
    "a captive portal": (http_answer("200 OK", HTML, PAGE), "login page of a network", "login page of a network"),
    "and its other way": (
        http_answer("302 Found", HTML, "Location: http://portal.example.com"), "leads elsewhere", "leads elsewhere"
    ),
    "a bad request": (http_answer("400 Bad Request", b""), "drops the header Upgrade", "did not understand"),
    "no login": (http_answer("401 Unauthorized", b'{"msg": "who?"}', JSON), "the token", "the token"),
    "no entry": (http_answer("403 Forbidden", HTML, PAGE), "a list of addresses", "a list of addresses"),
    "another server": (http_answer("404 Not Found", HTML, PAGE), "mend gateway=", "this is no gateway"),
    "a proxy": (http_answer("407 Proxy Authentication Required", HTML), "wants a login", "wants a login"),
    "no upgrade": (http_answer("426 Upgrade Required", b""), "does not open WebSockets", "refuses the request"),
    "too many": (http_answer("429 Too Many Requests", b""), "more requests than", "more requests than"),
    "a mistake of its own": (http_answer("500 Oh", b""), "has failed", "has failed"),
    "a load balancer": (http_answer("502 Bad Gateway", HTML, PAGE), "gets no answer from", "gets no answer from"),
    "a busy one": (http_answer("503 Oh", HTML, PAGE), "nothing behind it is ready", "nothing behind it is ready"),
    "a database asleep": (
        http_answer("503 Oh", b'{"msg": "endpoint is asleep"}', JSON), "it is being woken", "it is being woken"
    ),
    "a slow one": (http_answer("504 Gateway Timeout", HTML, PAGE), "has waited too long", "has waited too long"),
    "something new": (http_answer("599 Oh", b""), "before it, has failed", "before it, has failed"),
    "the port of TLS at nginx": (
        http_answer("400 Oh", b"<p>The plain HTTP request was sent to HTTPS port</p>"), "https://", "https://"
    ),
    "no HTTP": (b"220 mail.example.com ESMTP\r\n", "does not speak HTTP", "does not speak HTTP"),
    "half an answer": (b"HTTP/1.1 200 OK\r\nContent-Le", "was cut off", "was cut off"),
    "nothing": (b"", "hung up without a word", "hung up without a word"),
}  # fmt: skip


@pytest.mark.parametrize(("answer", "upgrade", "endpoint"), ANSWERS.values(), ids=ANSWERS)
def test_answers_that_are_no_gateway(answer: bytes, upgrade: str, endpoint: str) -> None:
    with FakeServer(answer) as server:
        diagnosis = doctor(at(server.port))
        wait_for(lambda: server.open == 0)
    assert upgrade in failed(diagnosis, "websocket").advice
    assert endpoint in failed(diagnosis, "http").advice
    assert failed(diagnosis, "websocket").name == "upgrade"
    assert failed(diagnosis, "http").name == ("login" if b"401" in answer else "endpoint")
    assert diagnosis.usable == []
    assert SECRET not in shown(diagnosis)


def test_a_page_that_quotes_the_request() -> None:
    page = b"HTTP/1.1 500 Oh\r\nConnection: close\r\n\r\n<pre>{request}</pre>"
    with FakeServer(page) as server:
        diagnosis = doctor(at(server.port).replace(SECRET, f"{SECRET}%25%26"))
        assert SECRET.encode() in server.received
    assert "Neon-Connection-String" in failed(diagnosis, "http").fact
    assert SECRET not in shown(diagnosis)


def test_a_postgres_that_is_dead_behind_its_gateway() -> None:
    port = free_port()
    with serve(f"postgresql://u:{SECRET}@127.0.0.1:{port}/d") as server:
        diagnosis = doctor(server.url)
    for transport in ("websocket", "http"):
        assert "The gateway works, but the Postgres behind it" in failed(diagnosis, transport).advice
    assert "start Postgres" in failed(diagnosis, "tcp").advice


def test_a_port_of_postgres_as_the_gateway(dsn: str, postgres: EmbeddedPostgres) -> None:
    diagnosis = doctor(f"{dsn}?gateway=http://127.0.0.1:{postgres.port}")
    assert "hung up without a word" in failed(diagnosis, "http").advice
    assert diagnosis.usable == ["tcp"]


def test_a_gateway_as_the_postgres(dsn: str, gateway: Any, postgres: EmbeddedPostgres) -> None:
    step = failed(doctor(dsn.replace(f":{postgres.port}/", f":{gateway.port}/")), "tcp")
    assert "A server of HTTP is there" in step.advice
    step = failed(doctor(dsn.replace(f":{postgres.port}/", f":{gateway.port}/") + "?sslmode=require"), "tcp")
    assert step.name == "tls"
    assert "server of HTTP" in step.advice


# Logins


@pytest.fixture(scope="module")
def roles(dsn: str) -> Iterator[dict[str, str]]:
    """Roles that have something wrong with them, by what that is."""
    tag = uuid4().hex
    names = {kind: f"{kind}_{tag}" for kind in ("nologin", "crowded", "reader")}
    with psycopg.connect(dsn, autocommit=True) as admin:
        admin.execute(f"create role {names['nologin']} nologin password '{SECRET}'")
        admin.execute(f"create role {names['crowded']} login connection limit 0 password '{SECRET}'")
        admin.execute(f"create role {names['reader']} login password '{SECRET}'")
        admin.execute(f"alter role {names['reader']} set default_transaction_read_only = on")
        yield names
        for name in names.values():
            admin.execute(f"drop role {name}")


@pytest.mark.parametrize(
    ("change", "fact", "advice"),
    [
        ({"password": "wrong"}, "password authentication failed", 'or there is no user "postgres"'),
        ({"password": ""}, "password", "There is no password"),
        ({"user": "nobody"}, "password authentication failed", 'there is no user "nobody"'),
        ({"dbname": "nowhere"}, "does not exist", 'There is no database "nowhere" there'),
        ({"user": "nologin", "password": SECRET}, "not permitted to log in", "has no right to log in"),
        ({"user": "crowded", "password": SECRET}, "too many connections", "All connections that are allowed are taken"),
    ],
)
def test_a_login_that_is_refused(
    url: str, postgres: EmbeddedPostgres, roles: dict[str, str], change: dict[str, str], fact: str, advice: str
) -> None:
    user = change.get("user", "postgres")
    login = f"{roles.get(user, user)}:{change.get('password', postgres.password)}"
    where = f"127.0.0.1:{postgres.port}/{change.get('dbname', 'postgres')}"
    diagnosis = doctor(f"postgresql://{login}@{where}?{url.partition('?')[2]}")
    for transport in ("websocket", "http", "tcp"):
        step = failed(diagnosis, transport)
        assert step.name == "login"
        assert fact in step.fact
        assert advice in step.advice
    assert diagnosis.usable == []
    for secret in (SECRET, postgres.password):
        assert secret not in shown(diagnosis)


@pytest.mark.parametrize(
    ("answer", "advice"),
    [
        (s.AUTHENTICATION_CLEARTEXT, "require_auth=password"),
        (s.message("R", b"\0\0\0\5salt"), "require_auth=md5"),
        (s.AUTHENTICATION_SASL + s.AUTHENTICATION_OK, "does not keep to Postgres's protocol"),
        (s.message("R", b"\0\0\0\x07"), "have it take scram-sha-256"),
        (s.error("28000", 'no pg_hba.conf entry for host "1.2.3.4", no encryption', "FATAL"), "add sslmode=require"),
        (s.error("28000", 'no pg_hba.conf entry for host "1.2.3.4", SSL encryption', "FATAL"), "add a line for it"),
        (s.error("28000", 'role "u" does not exist', "FATAL"), "CREATE ROLE"),
        (s.error("57P03", "the database system is starting up", "FATAL"), "starting up"),
        (s.error("08P01", "unsupported startup parameter: options", "FATAL"), "ignore_startup_parameters"),
        (s.error("08P01", "no such database: d", "FATAL"), "The pooler does not know"),
        (s.error("08P01", "server login has been failing, cached error: connect failed", "FATAL"), "behind it: start"),
        (s.error("08P01", "query_wait_timeout", "FATAL"), "The pooler has no connection left"),
        (s.error("42501", "permission denied for database d", "FATAL"), "GRANT CONNECT"),
        (s.error("XX000", "something else", "FATAL"), "The connection has ended during the login"),
        (b"", "The connection has ended during the login"),
        (b"220 mail.example.com ESMTP\r\n", "is no Postgres"),
        (http_answer("400 Bad Request", HTML), "A server of HTTP is there"),
    ],
)
def test_what_postgres_can_say_to_a_login(answer: bytes, advice: str) -> None:
    with FakeServer(answer) as server:
        diagnosis = doctor(over("tcp", server.port))
        assert SECRET.encode() not in server.received
        wait_for(lambda: server.open == 0)
    step = failed(diagnosis, "tcp")
    assert step.name == "login"
    assert advice in step.advice


# Queries


@pytest.mark.parametrize(
    ("code", "message", "advice"),
    [
        ("57014", "canceling statement due to statement timeout", "statement_timeout is too short"),
        ("25006", "cannot execute SELECT in a read-only transaction", "may only read"),
        ("XX000", "something else", "the query has failed"),
    ],
)
def test_a_query_that_is_refused(code: str, message: str, advice: str) -> None:
    body = json.dumps({"message": message, "code": code, "severity": "ERROR"}).encode()
    with FakeServer(http_answer("400 Bad Request", body, JSON, "neon-request-id: r-7")) as server:
        diagnosis = doctor(over("http", server.port))
    step = failed(diagnosis, "http")
    assert step.name == "query"
    assert message in step.fact
    assert advice in step.advice
    assert found(diagnosis, "http", "endpoint").result == OK
    assert "request id r-7" in found(diagnosis, "http", "endpoint").fact


def result(*values: str, types: tuple[int, ...] = (25, 16, 25, 23)) -> bytes:
    """What SQL over HTTP answers to a batch of one query."""
    fields = [{"name": "?column?", "dataTypeID": oid} for oid in types]
    return json.dumps(
        {"results": [{"fields": fields, "rows": [list(values)], "rowCount": 1, "command": "SELECT"}]}
    ).encode()


def test_an_endpoint_that_closes_the_connection_each_time() -> None:
    with FakeServer(http_answer("200 OK", result("17.2", "f", "off", "7"), JSON, "Connection: close")) as server:
        diagnosis = doctor(over("http", server.port))
        assert server.accepted == 2
    steps = [(step.name, step.result) for step in diagnosis.steps if step.transport == "http"]
    assert steps == [
        ("dns", SKIPPED), ("tcp", OK), ("tls", SKIPPED), ("endpoint", OK), ("login", OK), ("query", OK)
    ]  # fmt: skip
    assert diagnosis.usable == ["http"]


@pytest.mark.parametrize(
    "answer", [result(types=()), result("x", types=(25,)), result("1", "f", "off", "7", types=(23, 16, 25, 23))]
)
def test_an_answer_to_something_else(answer: bytes) -> None:
    with FakeServer(http_answer("200 OK", answer, JSON, "Connection: close")) as server:
        step = failed(doctor(over("http", server.port)), "http")
    assert step.name == "query"
    assert "not one to what was asked" in step.fact


def test_a_role_that_may_only_read(url: str, postgres: EmbeddedPostgres, roles: dict[str, str]) -> None:
    diagnosis = doctor(url.replace(f"postgres:{postgres.password}", f"{roles['reader']}:{SECRET}"))
    assert diagnosis.usable == ["websocket", "http", "tcp"]
    for transport in diagnosis.usable:
        (note,) = found(diagnosis, transport, "query").notes
        assert "read-only unless they say otherwise" in note


def test_an_old_server(postgres: EmbeddedPostgres) -> None:
    with OldPostgres(postgres.host, postgres.port) as server:
        url = postgres.url.replace(f":{postgres.port}/", f":{server.port}/")
        diagnosis = doctor(f"{url}?sslmode=disable")
    step = found(diagnosis, "tcp", "query")
    assert "PostgreSQL 13.0" in step.fact
    assert step.notes == ["PostgreSQL 13 has had no corrections since November 2025: plan to upgrade it."]
    assert "sslmode=disable" in found(diagnosis, "tcp", "tls").fact


def test_a_database_that_wakes_up(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock on which logins and first requests take long."""

    class Clock(watch.WatchedRunner):
        def begin(self, step: str, where: str) -> None:
            super().begin(step, where)
            if step in ("login", "endpoint"):
                assert self.began is not None
                self.began -= 4

    monkeypatch.setattr("neonps.commands.doctor.examination.WatchedRunner", Clock)
    diagnosis = doctor(url)
    for transport in ("websocket", "http", "tcp"):
        (note,) = found(diagnosis, transport, "query").notes
        assert "was probably asleep" in note


@pytest.mark.parametrize(
    ("url", "instead"),
    [
        ("postgresql://u:p@127.0.0.1:6432/d", "it is port 5432"),
        ("postgresql://u:p@ep-a-pooler.x.neon.tech/d?gateway=http://127.0.0.1:{}&sslmode=disable", ""),
        ("postgresql://u:p@ep-a-pooler.invalid.neon.tech/d", "it is ep-a.invalid.neon.tech"),
    ],
)
def test_a_pooler(url: str, instead: str) -> None:
    notes = doctor(url.format(free_port())).steps[0].notes
    if instead:
        (note,) = notes
        assert "nothing that belongs to a session (SET, temporary tables, LISTEN, advisory locks) survives" in note
        assert note.endswith(f"Without a pooler {instead}.")
    else:  # a gateway of one's own has nothing to do with it
        assert notes == []


# The command


def run(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run the command in an environment without a database."""
    return subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-m", "neonps", "doctor", *arguments],
        env={**environment(), **environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )


def environment() -> dict[str, str]:
    left_out = ("PG", "NEONPS_", "DATABASE_URL", "NO_COLOR", "FORCE_COLOR", "TERM", "COLUMNS")
    return {name: value for name, value in os.environ.items() if not name.startswith(left_out)}


def test_what_it_prints(url: str, postgres: EmbeddedPostgres) -> None:
    ran = run(DATABASE_URL=url)
    assert (ran.returncode, ran.stderr) == (0, "")
    first, *lines, last = ran.stdout.splitlines()
    assert first.startswith("neonps ")
    assert "DATABASE_URL: no known provider, transport websocket" in lines[0]
    assert len(lines) == 18
    assert re.fullmatch(r"ok      websocket upgrade +\d+\.\d ms  101 Switching Protocols", lines[4])
    assert last == "connect() takes websocket, which works. Also, http and tcp work."
    assert postgres.password not in ran.stdout


def test_what_it_prints_when_nothing_works(url: str, postgres: EmbeddedPostgres) -> None:
    ran = run(url.replace(postgres.password, SECRET))
    assert (ran.returncode, ran.stderr) == (1, "")
    assert len(re.findall(r"^failed +(websocket|http|tcp) +login ", ran.stdout, re.MULTILINE)) == 3
    assert ran.stdout.count("The password is wrong, or there is no user") == 1
    assert ran.stdout.count("\n        The same as above.\n") == 2
    assert SECRET not in ran.stdout


def test_json(url: str, dsn: str, postgres: EmbeddedPostgres) -> None:
    ran = run("--json", url)
    assert (ran.returncode, ran.stderr) == (0, "")
    told = json.loads(ran.stdout)
    assert (told["works"], told["transport"], told["usable"]) == (True, "websocket", ["websocket", "http", "tcp"])
    assert set(told["steps"][0]) == {"transport", "step", "result", "ms", "fact", "notes", "advice"}
    assert [step["result"] for step in told["steps"]].count("ok") == 12
    assert postgres.password not in ran.stdout

    ran = run("--json", dsn.replace(postgres.password, SECRET))
    assert ran.returncode == 1
    told = json.loads(ran.stdout)
    assert (told["works"], told["usable"]) == (False, [])
    (step,) = [step for step in told["steps"] if step["result"] == "failed"]
    assert (step["transport"], step["step"]) == ("tcp", "login")
    assert "The password is wrong" in step["advice"]

    ran = run("--json", "nonsense")
    assert ran.returncode == 1
    assert json.loads(ran.stdout)["transport"] is None


def test_the_exit_status_is_about_what_connect_takes(url: str) -> None:
    ran = run("--json", f"{url}&ws_proxy=http://127.0.0.1:{free_port()}")
    told = json.loads(ran.stdout)
    assert (ran.returncode, told["works"], told["usable"]) == (1, False, ["http", "tcp"])


def test_where_the_url_is_from(dsn: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("PG", "NEONPS_", "DATABASE_URL")):
            monkeypatch.delenv(name)
    for name, value in in_variables(dsn).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PGHOST", "127.0.0.1")
    assert main(["doctor"]) == 0
    assert "the PG* variables: " in capsys.readouterr().out
    monkeypatch.setenv("DATABASE_URL", "nonsense")
    assert main(["doctor"]) == 1
    assert "DATABASE_URL: " in capsys.readouterr().out
    assert main(["doctor", dsn]) == 0
    assert "the URL: " in capsys.readouterr().out
    before = signal.getsignal(signal.SIGINT)
    assert before is signal.default_int_handler


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give a URL, or set DATABASE_URL or PGHOST"),
        (["postgresql://u:a", SECRET], "more than one URL"),
        (["postgresql://h/d", "--", "ls"], "it runs no command"),
    ],
)
def test_usage(arguments: list[str], message: str) -> None:
    ran = run(*arguments, PGTZ="UTC")
    assert ran.returncode == 2
    assert ran.stdout == ""
    assert ran.stderr.startswith("usage: neonps doctor [--json] [URL]")
    assert message in ran.stderr
    assert SECRET not in ran.stderr


def interrupted(url: str, wait: Callable[[], None]) -> tuple[int, str]:
    """The exit status and the errors after Ctrl-C."""
    with subprocess.Popen(
        [sys.executable, "-X", "dev", "-W", "error", "-m", "neonps", "doctor", url],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        try:
            wait()
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=30)
        finally:
            process.kill()
    return process.returncode, errors


@pytest.mark.parametrize("transport", ["tcp", "websocket", "http"])
def test_ctrl_c(transport: str) -> None:
    with FakeServer(None) as server:
        url = over(transport, server.port).replace("connect_timeout=2", "connect_timeout=100")
        assert interrupted(url, lambda: wait_for(lambda: server.received != b"")) == (130, "")


def test_a_reader_that_has_seen_enough(url: str) -> None:
    command = f'"{sys.executable}" -X dev -W error -m neonps doctor | head -1; exit "${{PIPESTATUS[0]}}"'
    ran = subprocess.run(
        ["bash", "-c", command],
        env={**environment(), "DATABASE_URL": url},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )
    assert ran.stderr == ""
    assert ran.stdout.startswith("neonps ")
    assert ran.returncode in (0, 1)  # 0 if the pipe has taken it all before it was closed


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
@pytest.mark.parametrize("arguments", [[], ["--json"]])
def test_a_disk_that_is_full(arguments: list[str]) -> None:
    with open("/dev/full", "w") as full:
        ran = subprocess.run(
            [sys.executable, "-X", "dev", "-W", "error", "-m", "neonps", "doctor", "mysql://h/d", *arguments],
            env=environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            timeout=60,
        )
    assert (ran.returncode, ran.stderr) == (1, "neonps doctor: standard output: No space left on device\n")


def test_what_a_server_says_does_nothing_to_the_terminal() -> None:
    with FakeServer(s.error("28000", "\x1b[2J\x07go\u202eaway", "FATAL")) as server:
        ran = run(over("tcp", server.port), PYTHONIOENCODING="ascii")
    assert ran.returncode == 1
    assert ran.stderr == ""
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f]", ran.stdout)
    assert "[2J" in ran.stdout


def on_terminal(*, without_rich: bool = False, **environ: str) -> str:
    """What it writes to a terminal about a URL that is not understood."""
    program = "import sys\n" + ("sys.modules['rich'] = None\n" if without_rich else "")
    program += "from neonps.cli import main\nsys.exit(main(['doctor', 'mysql://h/d']))"
    ours, its = os.openpty()
    try:
        process = subprocess.Popen(
            [sys.executable, "-c", program], env={**environment(), "TERM": "xterm", **environ}, stdout=its, stderr=its
        )
        os.close(its)
        text = b""
        while True:
            try:
                data = os.read(ours, 1 << 16)
            except OSError:  # Linux says so when nobody has the other side open
                break
            if not data:
                break
            text += data
        assert process.wait(timeout=30) == 1
    finally:
        os.close(ours)
    return text.decode().replace("\r\n", "\n")


def test_colours() -> None:
    """With rich, on a terminal; but for them the text is the same without."""
    colourful = on_terminal()
    assert "\x1b[1;31mfailed" in colourful
    plain = on_terminal(without_rich=True)
    untimed = re.compile(r" +\d+\.\d ms")
    assert untimed.sub("", re.sub(r"\x1b\[[\d;]*m", "", colourful)) == untimed.sub("", plain)
    assert "\x1b" not in plain
    assert "31m" not in on_terminal(NO_COLOR="1")
    assert "\x1b" not in on_terminal(TERM="dumb")


def test_nothing_is_imported_before_it_is_needed() -> None:
    program = (
        "import sys, neonps, neonps.cli; neonps.cli.make_parser(); "
        "print([name for name in sys.modules if name.startswith(('neonps.commands.doctor.', 'rich'))])"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"
