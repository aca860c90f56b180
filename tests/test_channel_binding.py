"""Logins that are bound to TLS connections, and TLS that begins unasked: as psycopg does it."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import trustme
from binding_postgres import PLAIN, PLUS, BindingPostgres
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from hypothesis import given
from hypothesis import strategies as st
from peers import Peer
from tls_postgres import TLSPostgres

import neonps
from neonps.embedded import EmbeddedPostgres
from neonps.local import serve
from neonps.protocol.backend import ProtocolError
from neonps.protocol.certificate import end_point_hash

on_hosts = pytest.mark.parametrize("peer", ["psycopg", "tcp"], indirect=True)

NAME = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "x" * 60)])


def certificate(key: Any, algorithm: Any, **kwargs: Any) -> x509.Certificate:
    """A certificate with a signature of this kind."""
    now = datetime.now(timezone.utc)
    builder = x509.CertificateBuilder(NAME, NAME, key.public_key(), 1, now, now + timedelta(days=1))
    return builder.sign(key, algorithm, **kwargs)


@pytest.fixture(scope="module")
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def end_point(cert: x509.Certificate) -> bytes:
    """What RFC 5929 4.1 says, by what another library finds in the certificate."""
    algorithm = cert.signature_hash_algorithm
    assert algorithm is not None
    name = "sha256" if algorithm.name in ("md5", "sha1") else algorithm.name
    return hashlib.new(name, cert.public_bytes(serialization.Encoding.DER)).digest()


class TestHash:
    @pytest.mark.parametrize("algorithm", [hashes.SHA224(), hashes.SHA256(), hashes.SHA384(), hashes.SHA512()])
    def test_of_each_signature(self, rsa_key: rsa.RSAPrivateKey, algorithm: Any) -> None:
        pss = padding.PSS(padding.MGF1(algorithm), algorithm.digest_size)
        for cert in (
            certificate(rsa_key, algorithm),
            certificate(rsa_key, algorithm, rsa_padding=pss),
            certificate(ec.generate_private_key(ec.SECP384R1()), algorithm),
        ):
            assert end_point_hash(cert.public_bytes(serialization.Encoding.DER)) == end_point(cert)

    def test_of_a_signature_without_a_hash(self) -> None:
        cert = certificate(ed25519.Ed25519PrivateKey.generate(), None)
        assert end_point_hash(cert.public_bytes(serialization.Encoding.DER)) is None

    @given(st.binary(max_size=64))
    def test_of_what_is_no_certificate(self, data: bytes) -> None:
        with pytest.raises(ProtocolError, match="certificate cannot be read"):
            end_point_hash(data)

    def test_of_a_piece(self, rsa_key: rsa.RSAPrivateKey) -> None:
        data = certificate(rsa_key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
        for end in (0, 1, 4, 100, len(data) - 1):
            with pytest.raises(ProtocolError, match="certificate cannot be read"):
                end_point_hash(data[:end])


class Files:
    """A CA and a certificate for `127.0.0.1` and `localhost` from it."""

    def __init__(self, directory: Path) -> None:
        ca = trustme.CA()
        issued = ca.issue_cert("localhost", "127.0.0.1")
        self.ca, self.cert = str(directory / "ca.pem"), str(directory / "cert.pem")
        ca.cert_pem.write_to_path(self.ca)
        issued.private_key_and_cert_chain_pem.write_to_path(self.cert)
        self.end_point = end_point(x509.load_pem_x509_certificate(issued.cert_chain_pems[0].bytes()))

    def context(self, *alpn: str) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.cert)
        if alpn:
            context.set_alpn_protocols(alpn)
        return context


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return Files(tmp_path_factory.mktemp("binding"))


@pytest.fixture(scope="module")
def binding(postgres: EmbeddedPostgres, files: Files) -> Iterator[BindingPostgres]:
    """A server that offers to bind logins."""
    with closing(BindingPostgres(postgres, files.context(), files.end_point)) as server:
        yield server


@pytest.fixture
def connect_to(peer: Peer, files: Files) -> Callable[..., Any]:
    """Connects to such a server."""

    def connect(server: TLSPostgres, **kwargs: Any) -> Any:
        return peer.connect(**{"port": server.port, "sslmode": "verify-full", "sslrootcert": files.ca, **kwargs})

    return connect


# Binding


@on_hosts
@pytest.mark.parametrize(
    ("value", "mechanism"), [(None, PLUS), ("prefer", PLUS), ("require", PLUS), ("disable", PLAIN)]
)
def test_a_server_that_binds(
    connect_to: Callable[..., Any], binding: BindingPostgres, value: str | None, mechanism: str
) -> None:
    conn = connect_to(binding, channel_binding=value)
    assert conn.execute("select 1").fetchone() == (1,)
    assert binding.used[-1] == mechanism


@on_hosts
@pytest.mark.parametrize("value", ["prefer", "require", "disable"])
def test_a_server_that_does_not_offer_it_but_would(
    peer: Peer, connect_to: Callable[..., Any], postgres: EmbeddedPostgres, files: Files, value: str
) -> None:
    """Somebody in between has left it out of the offer; without `channel_binding=disable` that is found out."""
    with closing(BindingPostgres(postgres, files.context(), files.end_point, offer=[PLAIN])) as server:
        if value == "disable":
            connect_to(server, channel_binding=value)
            return
        message = {"prefer": "server-does-support-channel-binding|channel binding", "require": "did not offer"}[value]
        with pytest.raises(peer.module.OperationalError, match=message):
            connect_to(server, channel_binding=value)


@on_hosts
def test_a_server_with_another_certificate(
    peer: Peer, connect_to: Callable[..., Any], postgres: EmbeddedPostgres, files: Files
) -> None:
    """TLS ends at somebody who has a good certificate, but is not the one that the login is for."""
    with closing(BindingPostgres(postgres, files.context(), b"x" * 32)) as server:
        for value in ("prefer", "require"):
            with pytest.raises(peer.module.OperationalError):
                connect_to(server, channel_binding=value)
        connect_to(server, channel_binding="disable")


@on_hosts
def test_a_server_that_cannot(
    peer: Peer, connect_to: Callable[..., Any], postgres: EmbeddedPostgres, files: Files
) -> None:
    with closing(TLSPostgres(postgres, files.context())) as server:
        for value in ("prefer", "disable"):
            connect_to(server, channel_binding=value)
        with pytest.raises(peer.module.OperationalError) as caught:
            connect_to(server, channel_binding="require")
        assert str(caught.value).endswith(
            "channel binding is required, but server did not offer an authentication method that supports"
            " channel binding"
        )


@on_hosts
def test_without_tls(peer: Peer) -> None:
    with pytest.raises(peer.module.OperationalError, match="channel binding required, but SSL not in use"):
        peer.connect(channel_binding="require", sslmode="disable")
    with pytest.raises(peer.module.OperationalError, match='invalid channel_binding value: "x"'):
        peer.connect(channel_binding="x")


@on_hosts
def test_asyncio(peer: Peer, binding: BindingPostgres, files: Files) -> None:
    async def main() -> None:
        keywords = {"port": binding.port, "sslmode": "verify-full", "sslrootcert": files.ca}
        async with await peer.connect_async(**keywords, channel_binding="require") as conn:
            assert await (await conn.execute("select 1")).fetchone() == (1,)
        assert binding.used[-1] == PLUS

    asyncio.run(main())


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize(("value", "mechanism"), [("prefer", PLAIN), ("require", PLUS)])
def test_what_is_sent_before_it_is_asked_for(
    postgres: EmbeddedPostgres, binding: BindingPostgres, files: Files, value: str, mechanism: str, lazy: bool
) -> None:
    with neonps.connect(
        postgres.url,
        port=binding.port,
        sslmode="verify-full",
        sslrootcert=files.ca,
        channel_binding=value,
        pipeline_connect="scram",
        lazy=lazy,
    ) as conn:
        assert conn.execute("select 1").fetchone() == (1,)
    assert binding.used[-1] == mechanism


@pytest.mark.parametrize("transport", ["websocket", "http"])
def test_a_gateway_in_between(
    postgres: EmbeddedPostgres, binding: BindingPostgres, files: Files, transport: str
) -> None:
    """TLS to the gateway is not TLS to the server: a client cannot bind its login, a gateway its own."""
    url = postgres.url.replace(f":{postgres.port}/", f":{binding.port}/") + "?sslmode=require"
    with (
        serve(url + f"&sslrootcert={files.ca}") as server,
        neonps.connect(server.url, transport=transport, channel_binding="require") as conn,
    ):
        assert conn.execute("select 1").fetchone() == (1,)
    assert binding.used[-1] == (PLAIN if transport == "websocket" else PLUS)


# TLS that begins unasked


@pytest.fixture(scope="module")
def direct(postgres: EmbeddedPostgres, files: Files) -> Iterator[TLSPostgres]:
    """A server that takes TLS unasked, with the application protocol of Postgres."""
    with closing(TLSPostgres(postgres, files.context("postgresql"))) as server:
        yield server


@on_hosts
@pytest.mark.parametrize("negotiation", ["direct", "postgres"])
def test_the_application_protocol(connect_to: Callable[..., Any], direct: TLSPostgres, negotiation: str) -> None:
    conn = connect_to(direct, sslnegotiation=negotiation, autocommit=True)
    assert conn.execute("select 1").fetchone() == (1,)
    assert direct.alpn[-1] == "postgresql"
    if hasattr(conn.info, "transport"):  # this server closes TLS without a farewell, which libpq takes for a failure
        conn.cancel_safe()
        assert direct.alpn[-2:] == ["postgresql"] * 2


@on_hosts
@pytest.mark.parametrize("alpn", [None, "h2"])
def test_a_server_that_speaks_something_else(
    peer: Peer, connect_to: Callable[..., Any], postgres: EmbeddedPostgres, files: Files, alpn: str | None
) -> None:
    """It might be any server with the same certificate, which would read what we say as its own protocol."""
    with closing(TLSPostgres(postgres, files.context(*[alpn] if alpn else ()))) as server:
        with pytest.raises(peer.module.OperationalError, match=r"ALPN|alert"):
            connect_to(server, sslnegotiation="direct")
        connect_to(server, sslnegotiation="postgres")


@on_hosts
def test_a_server_without_tls(
    peer: Peer, connect_to: Callable[..., Any], postgres: EmbeddedPostgres, files: Files
) -> None:
    with closing(TLSPostgres(postgres, None)) as server:
        with pytest.raises(peer.module.OperationalError, match="SSL"):
            connect_to(server, sslnegotiation="direct")
        with pytest.raises(peer.module.OperationalError, match="server does not support SSL, but SSL was required"):
            connect_to(server, sslnegotiation="postgres")


@on_hosts
@pytest.mark.parametrize("sslmode", ["disable", "allow", "prefer"])
def test_modes_that_are_too_weak(peer: Peer, sslmode: str) -> None:
    with pytest.raises(peer.module.OperationalError) as caught:
        peer.connect(sslnegotiation="direct", sslmode=sslmode)
    assert str(caught.value).endswith(
        f'weak sslmode "{sslmode}" may not be used with sslnegotiation=direct (use "require", "verify-ca", or'
        ' "verify-full")'
    )


@on_hosts
def test_direct_and_asyncio(peer: Peer, direct: TLSPostgres, files: Files) -> None:
    async def main() -> None:
        keywords = {"port": direct.port, "sslmode": "verify-full", "sslrootcert": files.ca}
        async with await peer.connect_async(**keywords, sslnegotiation="direct") as conn:
            assert await (await conn.execute("select 1")).fetchone() == (1,)

    asyncio.run(main())


@pytest.mark.parametrize("transport", ["websocket", "http"])
def test_a_gateway_that_connects_so(
    postgres: EmbeddedPostgres, direct: TLSPostgres, files: Files, transport: str
) -> None:
    url = postgres.url.replace(f":{postgres.port}/", f":{direct.port}/")
    with (
        serve(f"{url}?sslmode=require&sslnegotiation=direct&sslrootcert={files.ca}") as server,
        neonps.connect(server.url, transport=transport) as conn,
    ):
        assert conn.execute("select 1").fetchone() == (1,)
    assert direct.alpn[-1] == "postgresql"


# Files and versions


@on_hosts
def test_the_versions_of_tls(peer: Peer, connect_to: Callable[..., Any], postgres: Any, files: Files) -> None:
    context = files.context()
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    with closing(TLSPostgres(postgres, context)) as server:
        connect_to(server, ssl_max_protocol_version="TLSv1.3")
        with pytest.raises(peer.module.OperationalError, match=r"(?i)ssl error"):
            connect_to(server, ssl_max_protocol_version="TLSv1.2")
        with pytest.raises(peer.module.OperationalError, match="invalid SSL protocol version range"):
            connect_to(server, ssl_max_protocol_version="TLSv1.2", ssl_min_protocol_version="TLSv1.3")


@on_hosts
def test_the_secrets_for_debugging(connect_to: Callable[..., Any], binding: BindingPostgres, tmp_path: Path) -> None:
    connect_to(binding, sslkeylogfile=str(tmp_path / "keys"))
    assert "SERVER_TRAFFIC_SECRET_0" in (tmp_path / "keys").read_text()


def test_files_in_the_home_directory(
    postgres: EmbeddedPostgres, binding: BindingPostgres, files: Files, tmp_path: Path, monkeypatch: Any
) -> None:
    """`~/.postgresql/root.crt` is what libpq verifies by when nothing else is named."""
    monkeypatch.setenv("HOME", str(tmp_path))
    keywords: dict[str, Any] = {"port": binding.port, "sslmode": "verify-full"}
    with pytest.raises(neonps.OperationalError, match="certificate verify failed"):
        neonps.connect(postgres.url, **keywords)
    own = tmp_path / ".postgresql"
    own.mkdir()
    (own / "root.crt").write_bytes(Path(files.ca).read_bytes())
    neonps.connect(postgres.url, **keywords).close()
    with pytest.raises(neonps.OperationalError, match="certificate verify failed"):
        neonps.connect(postgres.url, **keywords, sslrootcert="system")
    (own / "postgresql.crt").write_text("this is no certificate")
    with pytest.raises(neonps.OperationalError, match=r"postgresql\.crt"):
        neonps.connect(postgres.url, **keywords)
    neonps.connect(postgres.url, **keywords, sslcertmode="disable").close()
