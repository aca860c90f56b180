"""Several hosts, and what they have to be: as psycopg does it."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from fake_server import FakeServer
from old_server import OldPostgres
from peers import Peer
from relay import Relay
from standby import HotStandby

import neonps
from neonps import hosts
from neonps.embedded import EmbeddedPostgres, free_port
from neonps.local import serve

#: Only where there can be several hosts.
on_hosts = pytest.mark.parametrize("peer", ["psycopg", "tcp"], indirect=True)

LOCALHOST = "127.0.0.1"
TARGETS = ("any", "read-write", "read-only", "primary", "standby", "prefer-standby")

#: What libpq says when a server is not what is wanted.
REASONS = {
    "read-write": "session is read-only",
    "read-only": "session is not read-only",
    "primary": "server is in hot standby mode",
    "standby": "server is not in hot standby mode",
}


@pytest.fixture(scope="module")
def standby(postgres: EmbeddedPostgres) -> Iterator[EmbeddedPostgres]:
    """A hot standby of `postgres`."""
    with HotStandby(postgres) as server:
        yield server


@pytest.fixture
def closed_port() -> int:
    """A port where nobody listens."""
    return free_port()


@pytest.fixture
def live(postgres: EmbeddedPostgres) -> int:
    """The port of `postgres`."""
    return postgres.port


def several(*ports: int, host: str = LOCALHOST) -> dict[str, str]:
    """The keywords for a host at several ports."""
    return {"host": ",".join([host] * len(ports)), "port": ",".join(map(str, ports))}


# In turn


@on_hosts
def test_the_first_that_can_be_reached(peer: Peer, closed_port: int, live: int) -> None:
    conn = peer.connect(**several(closed_port, live))
    assert (conn.info.host, conn.info.hostaddr, conn.info.port) == (LOCALHOST, LOCALHOST, live)
    assert conn.info.get_parameters()["port"] == str(live)
    assert conn.info.get_parameters()["host"] == LOCALHOST
    assert peer.connect(**several(live, closed_port)).info.port == live


@on_hosts
def test_in_a_url(peer: Peer, postgres: EmbeddedPostgres, closed_port: int, live: int) -> None:
    login = f"{postgres.user}:{postgres.password}"
    url = f"postgresql://{login}@{LOCALHOST}:{closed_port},localhost:{live}/postgres"
    with closing(peer.module.connect(url)) as conn:
        assert (conn.info.host, conn.info.port) == ("localhost", live)
        assert conn.info.hostaddr in (LOCALHOST, "::1")


@on_hosts
def test_addresses(peer: Peer, closed_port: int, live: int) -> None:
    both = f"{LOCALHOST},{LOCALHOST}"
    conn = peer.connect(host="db.invalid,other.invalid", hostaddr=both, port=f"{closed_port},{live}")
    assert (conn.info.host, conn.info.hostaddr, conn.info.port) == ("other.invalid", LOCALHOST, live)
    conn = peer.connect(host="", hostaddr=f"127.0.0.2,{LOCALHOST}", port=live)
    assert (conn.info.hostaddr, conn.info.port) == (LOCALHOST, live)


@on_hosts
def test_a_name_that_is_not_known(peer: Peer, live: int) -> None:
    conn = peer.connect(host=f"db.invalid,{LOCALHOST}", port=live)
    assert (conn.info.host, conn.info.port) == (LOCALHOST, live)
    with pytest.raises(peer.module.OperationalError, match=r"failed to resolve host 'db\.invalid'"):
        peer.connect(host="db.invalid")


@on_hosts
def test_every_address_of_a_name(peer: Peer, postgres: EmbeddedPostgres) -> None:
    """Where `localhost` is ::1 too, that comes first, and nobody listens there."""
    conn = peer.connect(host="localhost")
    assert (conn.info.host, conn.info.hostaddr) == ("localhost", LOCALHOST)


@on_hosts
def test_a_host_that_does_not_let_us_in(peer: Peer, postgres: EmbeddedPostgres, standby: Any, tmp_path: Path) -> None:
    passfile = tmp_path / "passfile"
    passfile.write_text(f"*:{postgres.port}:*:*:wrong\n*:{standby.port}:*:*:{postgres.password}\n")
    passfile.chmod(0o600)
    login = {"password": "", "passfile": str(passfile), "user": postgres.user, "dbname": postgres.dbname}
    bare = "" if peer.name == "psycopg" else "transport=tcp"
    with closing(peer.module.connect(bare, **several(postgres.port, standby.port), **login)) as conn:
        assert conn.info.port == standby.port
    with pytest.raises(peer.module.OperationalError) as caught:
        peer.module.connect(bare, **several(postgres.port), **login)
    assert str(caught.value).endswith(
        f'FATAL:  password authentication failed for user "postgres"\npassword retrieved from file "{passfile}"'
    )


@on_hosts
def test_hosts_that_do_not_answer(peer: Peer, live: int) -> None:
    """Each has `connect_timeout` to itself."""
    with FakeServer(None) as silent:
        assert peer.connect(**several(silent.port, live), connect_timeout=2).info.port == live
        with pytest.raises(peer.module.errors.ConnectionTimeout, match="connection timeout expired") as caught:
            peer.connect(**several(silent.port, silent.port), connect_timeout=2)
        assert "Multiple connection attempts failed" in str(caught.value)
        assert silent.accepted == 3


@on_hosts
def test_a_server_that_starts(peer: Peer, live: int) -> None:
    """What the server says before the login is a reason like others to try the next."""
    body = b"SFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0\0"
    refusal = b"E" + (len(body) + 4).to_bytes(4, "big") + body
    with FakeServer(refusal) as starting:
        keywords = {"sslmode": "disable", **several(starting.port, live)}
        assert peer.connect(**keywords).info.port == live
        with pytest.raises(peer.module.OperationalError, match="FATAL:  the database system is starting up"):
            peer.connect(**{**keywords, **several(starting.port)}, connect_timeout=2)  # neonps tries again until then


@on_hosts
def test_asyncio(peer: Peer, closed_port: int, live: int) -> None:
    async def main() -> None:
        async with await peer.connect_async(**several(closed_port, live)) as conn:
            assert (conn.info.hostaddr, conn.info.port) == (LOCALHOST, live)
        async with await peer.connect_async(host="localhost") as conn:
            assert conn.info.hostaddr == LOCALHOST
        with pytest.raises(peer.module.OperationalError, match="Multiple connection attempts failed"):
            await peer.connect_async(**several(closed_port, closed_port))

    asyncio.run(main())


@on_hosts
def test_cancelling_goes_to_the_same_host(peer: Peer, closed_port: int, live: int, in_thread: Any, mark: str) -> None:
    conn = peer.connect(**several(closed_port, live), autocommit=True)
    running: Future[Any] = in_thread(conn.execute, f"select pg_sleep(60) -- {mark}")
    with closing(peer.module.connect(peer.url, autocommit=True)) as other:
        query = f"select count(*) from pg_stat_activity where state = 'active' and query like '%pg_sleep%-- {mark}'"
        while not other.execute(query).fetchone()[0]:
            assert not running.done()
    conn.cancel_safe()
    with pytest.raises(peer.module.errors.QueryCanceled):
        running.result()


# All in vain


@on_hosts
def test_all_reasons_are_told(peer: Peer, closed_port: int, live: int) -> None:
    with pytest.raises(peer.module.OperationalError) as caught:
        peer.connect(**several(closed_port, live), password="wrong")
    first, *rest = str(caught.value).splitlines()
    refused = f'connection to server at "{LOCALHOST}", port {live} failed: FATAL:  password authentication failed'
    assert first.startswith(f"connection failed: {refused}")
    assert rest[0] == "Multiple connection attempts failed. All failures were:"
    assert [line[:2] for line in rest[1:]] == ["- ", "\tI", "- "]
    assert f"port {closed_port} failed: Connection refused" in rest[1]
    assert rest[2] == "\tIs the server running on that host and accepting TCP/IP connections?"
    assert refused in rest[3]


def test_the_last_reason_is_the_error(postgres: EmbeddedPostgres, closed_port: int, live: int) -> None:
    with pytest.raises(neonps.errors.InvalidPassword) as caught:
        neonps.connect(postgres.url, **several(closed_port, live), password="wrong")
    assert caught.value.sqlstate == caught.value.diag.sqlstate == "28P01"
    assert caught.value.diag.message_primary == 'password authentication failed for user "postgres"'
    assert "wrong" not in str(caught.value)
    assert caught.value.__cause__ is None
    with pytest.raises(neonps.OperationalError) as caught_too:
        neonps.connect(postgres.url, **several(live, closed_port), password="wrong")
    assert caught_too.value.sqlstate is None


@on_hosts
def test_one_reason_is_told_alone(peer: Peer, closed_port: int) -> None:
    with pytest.raises(peer.module.OperationalError) as caught:
        peer.connect(**several(closed_port))
    assert str(caught.value) == (
        f'connection failed: connection to server at "{LOCALHOST}", port {closed_port} failed: Connection refused\n'
        "\tIs the server running on that host and accepting TCP/IP connections?"
    )


@on_hosts
def test_a_socket_that_is_not_there(peer: Peer, tmp_path: Path) -> None:
    with pytest.raises(peer.module.OperationalError) as caught:
        peer.connect(host=str(tmp_path), port=5)
    assert str(caught.value).partition(": ")[2] == (
        f'connection to server on socket "{tmp_path}/.s.PGSQL.5" failed: No such file or directory\n'
        "\tIs the server running locally and accepting connections on that socket?"
    )


@on_hosts
@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"host": "a,b", "port": "1,2,3"}, "could not match 3 port numbers to 2 hosts"),
        ({"host": "a", "hostaddr": "127.0.0.1,127.0.0.1"}, "could not match 1 host names with 2 hostaddr values"),
        ({"port": "abc"}, "port"),
        ({"port": "70000"}, "invalid port number"),
        ({"hostaddr": "localhost"}, "address"),
        ({"host": "a b"}, "host"),
        ({"target_session_attrs": "x"}, 'invalid target_session_attrs value: "x"'),
        ({"load_balance_hosts": "x"}, 'invalid load_balance_hosts value: "x"'),
    ],
)
def test_wrong_values(peer: Peer, keywords: dict[str, str], message: str) -> None:
    with pytest.raises(peer.module.OperationalError, match=message):
        peer.connect(**keywords)


# At random


@on_hosts
def test_load_balancing(peer: Peer, postgres: EmbeddedPostgres) -> None:
    with Relay(postgres.host, postgres.port) as relay:
        ports = several(postgres.port, relay.port)
        found = set()
        for _ in range(100):
            with closing(peer.module.connect(peer.url, **ports, load_balance_hosts="random")) as conn:
                found.add(conn.info.port)
            if len(found) == 2:
                break
        assert found == {postgres.port, relay.port}
        relay.clear()
        accepted = relay.accepted
        for _ in range(5):
            peer.connect(**ports, load_balance_hosts="disable")
        assert relay.accepted == accepted


# What a host has to be


def expected_ports(target: str, primary: int, standby: int, ports: tuple[int, ...]) -> list[int]:
    """The ports among `ports`, in the order in which they will do."""
    good = {"any": (primary, standby), "read-write": (primary,), "primary": (primary,)}.get(target, (standby,))
    found = [port for port in ports if port in good]
    if target == "prefer-standby":
        found += [port for port in ports if port == primary]
    return found


@on_hosts
@pytest.mark.parametrize("target", TARGETS)
def test_target_session_attrs(
    peer: Peer, target: str, postgres: EmbeddedPostgres, standby: Any, closed_port: int
) -> None:
    primary, copy = postgres.port, standby.port
    for ports in ((primary,), (copy,), (primary, copy), (copy, primary), (closed_port, copy), (closed_port, primary)):
        good = expected_ports(target, primary, copy, ports)
        if good:
            conn = peer.connect(**several(*ports), target_session_attrs=target)
            assert conn.info.port == good[0]
            assert conn.execute("select pg_is_in_recovery()").fetchone() == (conn.info.port == copy,)
            continue
        with pytest.raises(peer.module.OperationalError) as caught:
            peer.connect(**several(*ports), target_session_attrs=target)
        location = f'connection to server at "{LOCALHOST}", port {ports[-1]} failed'
        assert str(caught.value).splitlines()[0] == f"connection failed: {location}: {REASONS[target]}"


@pytest.mark.parametrize("target", TARGETS)
def test_a_session_that_only_reads(peer: Peer, target: str) -> None:
    """The server is the primary, but the session is told not to write."""
    keywords = {"options": "-c default_transaction_read_only=on", "target_session_attrs": target}
    if target in ("read-write", "standby"):
        with pytest.raises(peer.module.OperationalError, match=REASONS[target]):
            peer.connect(**keywords)
    else:
        assert peer.connect(**keywords).execute("show transaction_read_only").fetchone() == ("on",)


@on_hosts
@pytest.mark.parametrize("target", TARGETS)
def test_servers_that_do_not_report_it(peer: Peer, target: str, postgres: EmbeddedPostgres, standby: Any) -> None:
    with OldPostgres(LOCALHOST, postgres.port) as primary, OldPostgres(LOCALHOST, standby.port) as copy:
        for ports in ((primary.port, copy.port), (copy.port, primary.port)):
            good = expected_ports(target, primary.port, copy.port, ports)
            conn = peer.connect(**several(*ports), target_session_attrs=target, sslmode="disable")
            assert conn.info.port == good[0]
            assert conn.info.server_version == 130000
            assert conn.info.transaction_status == peer.submodule("pq").TransactionStatus.IDLE
            assert conn.execute("select pg_is_in_recovery()").fetchone() == (conn.info.port == copy.port,)
        wrong = {"read-write": copy, "primary": copy, "read-only": primary, "standby": primary}.get(target)
        if wrong is not None:
            with pytest.raises(peer.module.OperationalError, match=REASONS[target]):
                peer.connect(**several(wrong.port), target_session_attrs=target, sslmode="disable")
            question = re.compile(rb"(?i)show transaction_read_only|select pg_catalog\.pg_is_in_recovery\(\)")
            assert question.fullmatch(wrong.asked[0])


def test_a_session_that_is_not_taken_is_ended(postgres: EmbeddedPostgres, admin: Any) -> None:
    with pytest.raises(neonps.OperationalError, match="not in hot standby mode"):
        neonps.connect(postgres.url, target_session_attrs="standby", application_name="not taken")
    while admin.execute("select count(*) from pg_stat_activity where application_name = 'not taken'").fetchone()[0]:
        pass  # the server says goodbye in its own time


@pytest.mark.parametrize("lazy", [False, True])
def test_over_websocket(standby: EmbeddedPostgres, lazy: bool) -> None:
    with serve(standby.url) as server:
        for target in ("any", "read-only", "standby", "prefer-standby"):
            with neonps.connect(server.url, target_session_attrs=target, lazy=lazy) as conn:
                assert conn.info.transport == "websocket"
                assert conn.execute("select pg_is_in_recovery()").fetchone() == (True,)
        for target in ("read-write", "primary"):
            with pytest.raises(neonps.OperationalError, match=REASONS[target]):
                neonps.connect(server.url, target_session_attrs=target, lazy=lazy)


def test_over_http(standby: EmbeddedPostgres) -> None:
    """A server that only reads is found out by what writes."""
    with serve(standby.url) as server:
        with (
            neonps.connect(server.url, transport="http", target_session_attrs="read-write", autocommit=True) as conn,
            pytest.raises(neonps.errors.ReadOnlySqlTransaction),
        ):
            conn.execute("create table t ()")
        with pytest.raises(neonps.NotSupportedError, match="target_session_attrs=primary needs transport=websocket"):
            neonps.connect(server.url, transport="http", target_session_attrs="primary")


# Where nobody says which


def test_the_socket_of_this_machine(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, postgres: EmbeddedPostgres
) -> None:
    from neonps.settings import resolve

    directory = str(tmp_path_factory.mktemp("s"))
    monkeypatch.setattr(hosts, "SOCKET_DIRECTORIES", ("/nonexistent", directory))
    environ = {"HOME": "/nonexistent"}
    assert resolve("port=7", environ=environ).host == "localhost"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{directory}/.s.PGSQL.7")
        assert resolve("port=7", environ=environ).host == directory
        assert resolve("port=8", environ=environ).host == "localhost"
        assert resolve("port=7 host=localhost", environ=environ).host == "localhost"
        assert resolve("port=7 hostaddr=127.0.0.1", environ=environ).host == LOCALHOST
        assert resolve("port=7 sslmode=require", environ=environ).host == "localhost"
        assert resolve("port=7 gateway=http://localhost:1", environ=environ).host == "localhost"
        with pytest.raises(neonps.OperationalError, match=re.escape(f'server on socket "{directory}/.s.PGSQL.7"')):
            neonps.connect("port=7 transport=tcp")


@pytest.fixture(scope="module")
def on_socket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[EmbeddedPostgres, str]]:
    """A Postgres that listens on a Unix socket too, and the directory of that."""
    directory = tmp_path_factory.mktemp("socket", numbered=True)
    for parent in (directory, *directory.parents[:3]):
        parent.chmod(parent.stat().st_mode | 0o711)
    directory.chmod(0o777)
    with EmbeddedPostgres(options={"unix_socket_directories": str(directory)}) as server:
        yield server, str(directory)


@on_hosts
def test_a_unix_socket(peer: Peer, on_socket: tuple[EmbeddedPostgres, str], closed_port: int) -> None:
    server, directory = on_socket
    login = {"user": server.user, "dbname": server.dbname, "password": server.password, "port": server.port}
    own = {} if peer.name == "psycopg" else {"transport": "tcp"}
    for keywords in ({"host": directory}, {"host": f"/nonexistent,{directory}"}):
        for sslmode in ("prefer", "require", "verify-full"):
            with closing(peer.module.connect(**login, **keywords, **own, sslmode=sslmode)) as conn:
                assert (conn.info.host, conn.info.hostaddr, conn.info.port) == (directory, "", server.port)
                assert conn.execute("select inet_client_addr()").fetchone() == (None,)
    with pytest.raises(peer.module.OperationalError, match="channel binding required, but SSL not in use"):
        peer.module.connect(**login, **own, host=directory, channel_binding="require")
