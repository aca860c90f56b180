"""TLS on every transport: certificates are verified in full, always, and nothing goes without where it should not."""

from __future__ import annotations

import select
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timezone
from typing import Any, NamedTuple

import pytest
import trustme
from fake_server import FakeServer
from gateway_client import wait_for
from relaying import reset_when_closed
from tls_postgres import TLSPostgres
from transports import Connection, over_tcp, through_gateway

import neonps
from neonps.embedded import EmbeddedPostgres
from neonps.local import serve
from neonps.net.tls import secured

TLSConnect = Callable[..., Connection]


class Files(NamedTuple):
    """Paths of PEM files."""

    ca: str
    other_ca: str
    cert: str
    key: str
    elsewhere: str
    expired: str


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """A CA, a certificate for `localhost` and `127.0.0.1` from it, one for another host, one that is out of date."""
    directory = tmp_path_factory.mktemp("tls")
    ca, other = trustme.CA(), trustme.CA()
    made = {"cert": ca.issue_cert("localhost", "127.0.0.1"), "elsewhere": ca.issue_cert("db.example.com")}
    made["expired"] = ca.issue_cert("localhost", "127.0.0.1", not_after=datetime(2020, 1, 1, tzinfo=timezone.utc))
    paths = {name: directory / f"{name}.pem" for name in Files._fields}
    ca.cert_pem.write_to_path(str(paths["ca"]))
    other.cert_pem.write_to_path(str(paths["other_ca"]))
    for name, cert in made.items():
        cert.private_key_and_cert_chain_pem.write_to_path(str(paths[name]))
    made["cert"].private_key_pem.write_to_path(str(paths["key"]))
    return Files(**{name: str(path) for name, path in paths.items()})


@pytest.fixture(scope="module")
def secure_url(dsn: str, files: Files) -> Iterator[str]:
    """The URL of a gateway with TLS before `postgres`."""
    with serve(dsn, tls_cert=files.cert) as server:
        assert server.gateway.url.startswith("https://127.0.0.1:")
        yield server.url


def tls_postgres(postgres: EmbeddedPostgres, cert: str) -> TLSPostgres:
    """`postgres` with TLS and a certificate."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert)
    return TLSPostgres(postgres, context)


@pytest.fixture(scope="module")
def secure_postgres(postgres: EmbeddedPostgres, files: Files) -> Iterator[str]:
    """The URL of a Postgres with TLS of its own."""
    with closing(tls_postgres(postgres, files.cert)) as server:
        yield postgres.url.replace(f":{postgres.port}/", f":{server.port}/")


@pytest.fixture
def tls_connect(secure_url: str, secure_postgres: str, transport: str) -> Iterator[TLSConnect]:
    """Like `connect`, over TLS, but trusting nobody yet."""
    target = f"{secure_postgres}?sslmode=require" if transport == "tcp" else secure_url
    connections = []

    def connect(**kwargs: Any) -> Connection:
        connections.append(neonps.connect(target, transport=transport, **kwargs))
        return connections[-1]

    yield connect
    for connection in connections:
        connection.close()


def test_a_server_that_can_be_verified(tls_connect: TLSConnect, files: Files) -> None:
    conn = tls_connect(sslrootcert=files.ca)
    assert conn.execute("select 1").fetchone() == (1,)
    if conn.info.transport == "tcp":
        conn.cancel()  # over TLS too
    conn.rollback()
    assert conn.execute("select %s", ["x" * (1 << 20)]).fetchone() == ("x" * (1 << 20),)


def test_the_ca_can_be_in_the_environment(
    tls_connect: TLSConnect, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGSSLROOTCERT", files.ca)
    assert tls_connect().execute("select 1").fetchone() == (1,)


@pytest.mark.parametrize("sslmode", ["allow", "prefer", "require", "verify-ca", "verify-full"])
@pytest.mark.parametrize("ca", [None, "other_ca"])
def test_a_server_that_cannot_be_verified(
    tls_connect: TLSConnect, files: Files, sslmode: str, ca: str | None, transport: str
) -> None:
    """Whatever `sslmode` says; libpq would trust anybody with "require", and so anybody in between."""
    if transport == "tcp" and sslmode in ("allow", "prefer"):
        pytest.skip("on this machine it goes without TLS then")
    with pytest.raises(neonps.OperationalError, match="certificate verify failed") as caught:
        tls_connect(sslmode=sslmode, sslrootcert=ca and getattr(files, ca)).execute("select 1")
    assert caught.value.__cause__ is None
    assert "unable to get" in str(caught.value) or "self-signed" in str(caught.value)


@pytest.mark.parametrize(
    ("cert", "reason"),
    [("elsewhere", "certificate is not valid for '127.0.0.1'"), ("expired", "certificate has expired")],
)
def test_a_certificate_that_is_not_good(
    postgres: EmbeddedPostgres, files: Files, transport: str, cert: str, reason: str
) -> None:
    with (
        serve(postgres.url, tls_cert=getattr(files, cert)) as server,
        closing(tls_postgres(postgres, getattr(files, cert))) as tls,
        pytest.raises(neonps.OperationalError, match="certificate verify failed") as caught,
        neonps.connect(
            server.url,
            port=tls.port if transport == "tcp" else postgres.port,
            transport=transport,
            sslmode="require",
            sslrootcert=files.ca,
        ) as conn,
    ):
        conn.execute("select 1")
    assert reason in str(caught.value)


@through_gateway
def test_the_name_that_is_verified_is_that_of_the_endpoint(
    secure_url: str, postgres: EmbeddedPostgres, files: Files, transport: str
) -> None:
    gateway = secure_url.partition("gateway=")[2]
    assert neonps.connect(
        secure_url, transport=transport, sslrootcert=files.ca, gateway=gateway.replace("127.0.0.1", "localhost")
    ).close() is None  # fmt: skip


@over_tcp
def test_another_name_of_the_same_postgres(secure_postgres: str, files: Files, transport: str) -> None:
    keywords = {"transport": transport, "sslmode": "verify-full", "sslrootcert": files.ca}
    neonps.connect(secure_postgres, host="localhost", **keywords).close()
    neonps.connect(secure_postgres, host="localhost", hostaddr="127.0.0.1", **keywords).close()
    with pytest.raises(neonps.OperationalError, match=r"not valid for 'db\.example\.com'"):
        neonps.connect(secure_postgres, host="db.example.com", hostaddr="127.0.0.1", **keywords)


@pytest.mark.parametrize("path", ["/nowhere/ca.pem", __file__])
def test_a_ca_file_that_is_none(tls_connect: TLSConnect, path: str) -> None:
    with pytest.raises(neonps.OperationalError) as caught:
        tls_connect(sslrootcert=path).execute("select 1")
    assert path in str(caught.value)


# Without TLS


@through_gateway
@pytest.mark.parametrize("sslmode", [None, "allow", "prefer", "require", "verify-full"])
def test_plain_http_needs_a_host_on_this_machine(transport: str, sslmode: str | None) -> None:
    with pytest.raises(neonps.ProgrammingError, match="https:// or wss://") as caught:
        neonps.connect(
            host="db.example.com",
            user="u",
            password="secret",
            gateway="http://192.0.2.1:4444",
            transport=transport,
            sslmode=sslmode,
        )
    assert "secret" not in str(caught.value)


@through_gateway
def test_or_to_be_told_so(gateway: Any, dsn: str, transport: str) -> None:
    """127.0.0.2 by a name that does not show that it is this machine would do as well."""
    with pytest.raises(neonps.ProgrammingError, match="sslmode=disable"):
        neonps.connect(dsn, gateway=f"https://127.0.0.1:{gateway.port}", transport=transport, sslmode="disable")
    with neonps.connect(dsn, gateway=gateway.url, transport=transport, sslmode="disable") as conn:
        assert conn.execute("select 1").fetchone() == (1,)


@over_tcp
def test_a_postgres_without_tls(dsn: str, transport: str, files: Files) -> None:
    for sslmode in ("require", "verify-ca", "verify-full"):
        with pytest.raises(neonps.OperationalError, match="does not support TLS"):
            neonps.connect(dsn, transport=transport, sslmode=sslmode, sslrootcert=files.ca)
    for mode in ("disable", "allow", "prefer"):
        neonps.connect(dsn, transport=transport, sslmode=mode).close()


@through_gateway
def test_tls_where_there_is_none(gateway: Any, dsn: str, transport: str, files: Files) -> None:
    secure = gateway.url.replace("http:", "https:")
    with (
        pytest.raises(neonps.OperationalError, match="SSL error"),
        neonps.connect(dsn, gateway=secure, transport=transport, sslrootcert=files.ca) as conn,
    ):
        conn.execute("select 1")


@through_gateway
def test_none_where_there_is_tls(secure_url: str, transport: str) -> None:
    with (
        pytest.raises(neonps.OperationalError) as caught,
        neonps.connect(secure_url.replace("https:", "http:"), transport=transport) as conn,
    ):
        conn.execute("select 1")
    assert "127.0.0.1" in str(caught.value)


@over_tcp
@pytest.mark.parametrize("answer", [b"S" + b"E\0\0\0\x08", b"E\0\0\0\x08FATAL", b"H", b"N" + b"R\0\0\0\x08\0\0\0\0"])
def test_a_postgres_that_talks_too_early(transport: str, answer: bytes) -> None:
    """What came before the encryption began may be from anybody (CVE-2021-23222)."""
    with FakeServer(answer, close=False) as server:
        with pytest.raises(neonps.OperationalError):
            neonps.connect(
                host="127.0.0.1", port=server.port, user="u", password="secret", transport=transport, sslmode="require"
            )
        assert b"secret" not in server.received
        wait_for(lambda: server.open == 0)


# A long life


def test_many_round_trips(tls_connect: TLSConnect, files: Files) -> None:
    conn = tls_connect(sslrootcert=files.ca, autocommit=True)
    for n in range(50):
        assert conn.execute("select %s::int", [n]).fetchone() == (n,)
    cursor = conn.cursor()
    cursor.executemany("select %s::int, repeat('x', 2000)", [(n,) for n in range(1000)], returning=True)
    assert sum(1 for _ in cursor.results()) == 1000


def test_a_server_that_closes_its_side(tls_connect: TLSConnect, files: Files, transport: str) -> None:
    conn = tls_connect(sslrootcert=files.ca)
    with pytest.raises(neonps.errors.AdminShutdown):
        conn.execute("select pg_terminate_backend(pg_backend_pid())")
    assert conn.closed is (transport != "http")


@over_tcp
def test_old_versions_are_not_spoken(postgres: EmbeddedPostgres, files: Files, transport: str) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(files.cert)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    keywords = {"transport": transport, "sslmode": "require", "sslrootcert": files.ca}
    with closing(TLSPostgres(postgres, context)) as server:
        for minimum in ("TLSv1", "TLSv1.1", "TLSv1.2"):
            neonps.connect(postgres.url, port=server.port, ssl_min_protocol_version=minimum, **keywords).close()
        with pytest.raises(neonps.OperationalError, match="SSL error"):
            neonps.connect(postgres.url, port=server.port, ssl_min_protocol_version="TLSv1.3", **keywords)


def test_a_server_that_has_gone_before_tls_begins() -> None:
    """A socket of TLS is not made, which nobody would close."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sock = socket.create_connection(listener.getsockname())
        with closing(sock):
            peer, _ = listener.accept()
            reset_when_closed(peer)
            peer.close()
            select.select([sock], [], [])
            with pytest.raises(ConnectionResetError, match="the server is gone"):
                secured(sock, ssl.create_default_context(), "localhost")
            assert sock.fileno() != -1
