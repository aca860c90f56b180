"""Certificates of clients, lists of what was revoked, and versions of TLS: on every transport."""

from __future__ import annotations

import asyncio
import socket
import ssl
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from certificates import Certificates
from refused import SECRET, check_no_secret
from tls_postgres import TLSPostgres
from transports import through_gateway

import neonps
from neonps.embedded import EmbeddedPostgres
from neonps.settings import resolve

#: Connects to a server with TLS, and asks it something; gives the version of TLS.
Use = Callable[..., str]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"), SECRET)


@pytest.fixture
def use(postgres: EmbeddedPostgres, gateway: Any, certificates: Certificates, transport: str) -> Iterator[Use]:
    with ExitStack() as stack:

        def use(context: ssl.SSLContext, **kwargs: Any) -> str:
            behind: Any = postgres if transport == "tcp" else gateway  # which is plain, so that TLS ends before it
            port = stack.enter_context(closing(TLSPostgres(behind, context))).port
            where = {"port": port} if transport == "tcp" else {"gateway": f"https://127.0.0.1:{port}"}
            keywords = {"sslmode": "require", "sslrootcert": certificates.ca, **where, **kwargs}
            with neonps.connect(postgres.url, transport=transport, **keywords) as conn:
                assert conn.execute("select 1").fetchone() == (1,)
                return str(conn._runner._socket.version())  # type: ignore[union-attr]

        yield use


# Certificates of clients


def test_a_server_that_wants_a_certificate(use: Use, certificates: Certificates) -> None:
    context = certificates.context(client=True)
    keys = {"key": certificates.key, "encrypted": certificates.encrypted}
    use(context, sslcert=certificates.client, sslkey=keys["key"])
    use(context, sslcert=certificates.client, sslkey=keys["encrypted"], sslpassword=SECRET)
    for none in ({}, {"sslcertmode": "disable", "sslcert": certificates.client, "sslkey": keys["key"]}):
        with pytest.raises(neonps.OperationalError):
            use(context, **none)


@pytest.mark.parametrize("password", [None, "", "wrong", f"{SECRET}x", "x" * 2000])
def test_a_key_that_cannot_be_read(use: Use, certificates: Certificates, password: str | None) -> None:
    with pytest.raises(neonps.OperationalError, match="cannot set up TLS") as caught:
        use(certificates.context(), sslcert=certificates.client, sslkey=certificates.encrypted, sslpassword=password)
    assert certificates.encrypted in str(caught.value)
    check_no_secret(caught.value)


def test_nobody_is_asked_for_its_password(certificates: Certificates) -> None:
    """OpenSSL asks on the terminal if nobody says otherwise: with one it would wait here."""
    program = """
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0:
    from neonps.flows.requests import TLS, TLSFailed
    from neonps.net.tls import ssl_context
    try:
        ssl_context(TLS("h", cert=sys.argv[1], key=sys.argv[2]))
    except TLSFailed as error:
        print("failed")
    os._exit(0)
shown = b""
try:
    while piece := os.read(terminal, 1000):
        shown += piece
except OSError:
    pass
os.waitpid(pid, 0)
assert shown.strip() == b"failed", shown
"""
    if sys.platform == "win32":
        pytest.skip("there are no terminals of this kind")
    arguments = [sys.executable, "-c", program, certificates.client, certificates.encrypted]
    done = subprocess.run(arguments, timeout=60, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_certificate_that_is_renewed(use: Use, certificates: Certificates, tmp_path: Path) -> None:
    """What is read from files is kept for later connections, but not for longer than the files stay the same."""
    other = tmp_path / "other"
    other.mkdir()
    foreign, cert, key = Certificates(other), tmp_path / "c.pem", tmp_path / "k.pem"
    cert.write_bytes(Path(foreign.client).read_bytes())
    key.write_bytes(Path(foreign.key).read_bytes())
    with pytest.raises(neonps.OperationalError):
        use(certificates.context(client=True), sslcert=cert, sslkey=key)
    cert.write_bytes(Path(certificates.client).read_bytes() + b"\n")
    key.write_bytes(Path(certificates.key).read_bytes() + b"\n")
    use(certificates.context(client=True), sslcert=cert, sslkey=key)


# What was revoked


@pytest.mark.parametrize("keyword", ["sslcrl", "sslcrldir"])
def test_a_list_of_what_was_revoked(use: Use, certificates: Certificates, tmp_path: Path, keyword: str) -> None:
    path = tmp_path / certificates.list_name
    value = tmp_path if keyword == "sslcrldir" else path
    path.write_bytes(certificates.revoked(server=False))
    use(certificates.context(), **{keyword: value})
    path.write_bytes(certificates.revoked(server=True) + b"\n")
    with pytest.raises(neonps.OperationalError, match="certificate verify failed: certificate revoked"):
        use(certificates.context(), **{keyword: value})


def test_a_link_to_a_list_that_is_gone(use: Use, certificates: Certificates, tmp_path: Path) -> None:
    (tmp_path / certificates.list_name).write_bytes(certificates.revoked(server=False))
    (tmp_path / "01234567.r0").symlink_to(tmp_path / "gone.pem")
    use(certificates.context(), sslcrldir=tmp_path)


def test_a_list_of_somebody_else(use: Use, certificates: Certificates, tmp_path: Path) -> None:
    """Whoever wants a list to be looked at is not served by one that says nothing of the server."""
    other = tmp_path / "other"
    other.mkdir()
    path = tmp_path / "list.pem"
    path.write_bytes(Certificates(other).revoked(server=False))
    with pytest.raises(neonps.OperationalError, match="unable to get certificate CRL"):
        use(certificates.context(), sslcrl=path)
    with pytest.raises(neonps.OperationalError, match="unable to get certificate CRL"):
        use(certificates.context(), sslcrldir=other)
    for path in (tmp_path / "nothing.pem", Path(__file__)):
        with pytest.raises(neonps.OperationalError, match="cannot set up TLS") as caught:
            use(certificates.context(), sslcrl=path)
        assert str(path) in str(caught.value)


# The CAs of the system, names, versions


def test_the_cas_of_the_system(use: Use, certificates: Certificates) -> None:
    with pytest.raises(neonps.OperationalError, match="certificate verify failed"):
        use(certificates.context(), sslrootcert="system")


def test_versions(use: Use, certificates: Certificates) -> None:
    assert use(certificates.context()) == "TLSv1.3"
    assert use(certificates.context(), ssl_max_protocol_version="TLSv1.2") == "TLSv1.2"
    context = certificates.context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    assert use(context) == "TLSv1.2"
    assert use(context, ssl_min_protocol_version="TLSv1") == "TLSv1.2"
    with pytest.raises(neonps.OperationalError, match="SSL error"):
        use(context, ssl_min_protocol_version="TLSv1.3")


def with_old_versions(context: ssl.SSLContext, highest: ssl.TLSVersion) -> ssl.SSLContext:
    """A context that takes what OpenSSL refuses by default for other reasons than the version, such as its hashes."""
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, highest
    return context


@pytest.mark.parametrize("keywords", [{}, {"ssl_min_protocol_version": "TLSv1"}], ids=["by default", "asked for"])
def test_a_server_that_speaks_old_versions_only(
    monkeypatch: pytest.MonkeyPatch,
    use: Use,
    postgres: EmbeddedPostgres,
    certificates: Certificates,
    tmp_path: Path,
    keywords: dict[str, str],
) -> None:
    modern = certificates.context()
    context = with_old_versions(certificates.context(), ssl.TLSVersion.TLSv1_1)
    other = with_old_versions(ssl.create_default_context(cafile=certificates.ca), ssl.TLSVersion.TLSv1_2)
    with (
        closing(TLSPostgres(postgres, context)) as server,
        socket.create_connection(("127.0.0.1", server.port)) as sock,
        other.wrap_socket(sock, server_hostname="127.0.0.1") as secured,
    ):
        assert secured.version() == "TLSv1.1"
    # Only the version that the driver asks for is left to keep it from this server.
    default = ssl.create_default_context
    monkeypatch.setattr(
        "neonps.net.tls.ssl.create_default_context",
        lambda **kwargs: with_old_versions(default(**kwargs), ssl.TLSVersion.TLSv1_3),
    )
    ca = tmp_path / "ca.pem"  # for which the driver has no context yet, and which is not asked for again
    ca.write_bytes(Path(certificates.ca).read_bytes())
    assert use(modern, sslrootcert=ca, **keywords) == "TLSv1.3"
    with pytest.raises(neonps.OperationalError, match="SSL error"):
        use(context, sslrootcert=ca, **keywords)


def test_on_asyncio(postgres: EmbeddedPostgres, gateway: Any, certificates: Certificates, transport: str) -> None:
    async def main(**kwargs: Any) -> None:
        keywords = {"sslmode": "require", "sslrootcert": certificates.ca, **kwargs}
        async with await neonps.AsyncConnection.connect(postgres.url, transport=transport, **keywords) as conn:
            assert await (await conn.execute("select 1")).fetchone() == (1,)

    behind: Any = postgres if transport == "tcp" else gateway
    with closing(TLSPostgres(behind, certificates.context(client=True))) as server:
        where = {"port": server.port} if transport == "tcp" else {"gateway": f"https://127.0.0.1:{server.port}"}
        asyncio.run(main(sslcert=certificates.client, sslkey=certificates.key, **where))
        with pytest.raises(neonps.OperationalError):
            asyncio.run(main(**where))


@through_gateway
@pytest.mark.parametrize("scheme", ["http", "ws"])
def test_no_clear_text_by_mistake(transport: str, scheme: str) -> None:
    """An endpoint without a scheme is one with TLS, except on this machine."""
    for host in ("192.0.2.1", "[2001:db8::1]", "db.example.com", "127.0.0.1.example.com", "localhost.example.com"):
        keywords: dict[str, Any] = {"host": "h", "user": "u", "transport": transport}
        with pytest.raises(neonps.ProgrammingError, match="https:// or wss://"):
            resolve("", {**keywords, "gateway": f"{scheme}://{host}"}, {})
        settings = resolve("", {**keywords, "gateway": host}, {})
        assert settings.tls is not None
        assert settings.tls.server_hostname == host.strip("[]")
