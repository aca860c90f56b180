"""Whatever psycopg connects with, by way of libpq, neonps connects with too, or says in one error why not."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from peers import Peer

import neonps
from neonps.conninfo import conninfo_to_dict

on_hosts = pytest.mark.parametrize("peer", ["psycopg", "tcp"], indirect=True)

KEYWORDS: list[dict[str, Any]] = [
    {"connect_timeout": 5},
    {"connect_timeout": "2.5"},
    {"client_encoding": "utf8"},
    {"client_encoding": "LATIN1"},
    {"client_encoding": "auto"},
    {"client_encoding": ""},
    {"client_encoding": "no such thing"},
    {"options": "-c geqo=off -c application_name=a\\ b"},
    {"options": "-c no.such=thing"},
    {"options": "-c no_such=thing"},
    {"options": "nonsense"},
    {"application_name": "é"},
    {"fallback_application_name": "b"},
    {"application_name": "a", "fallback_application_name": "b"},
    {"replication": "false"},
    {"replication": "no such thing"},
    {"keepalives": 0},
    {"keepalives": 1, "keepalives_idle": 30, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 1000},
    {"keepalives_count": " +2 ", "tcp_user_timeout": -1},
    {"keepalives_idle": -1},
    {"keepalives_interval": -1},
    {"keepalives": "x"},
    {"keepalives_idle": "x"},
    {"keepalives_interval": "1.5"},
    {"keepalives_count": "99999999999"},
    {"tcp_user_timeout": "1_000"},
    {"sslmode": "disable"},
    {"sslmode": "allow"},
    {"sslmode": "prefer"},
    {"sslmode": "require"},
    {"sslmode": "verify-full"},
    {"sslmode": "x"},
    {"sslcompression": 1},
    {"sslcert": "/nowhere", "sslkey": "/nowhere"},
    {"sslcertmode": "disable"},
    {"sslcertmode": "x"},
    {"sslrootcert": "/nowhere"},
    {"sslcrl": "/nowhere", "sslcrldir": "/nowhere"},
    {"sslsni": 0},
    {"sslpassword": "x"},
    {"ssl_min_protocol_version": "TLSv1.3"},
    {"ssl_min_protocol_version": "x"},
    {"ssl_max_protocol_version": "x"},
    {"sslnegotiation": "postgres"},
    {"sslnegotiation": "x"},
    {"gssencmode": "disable"},
    {"gssencmode": "x"},
    {"krbsrvname": "x", "gsslib": "gssapi", "gssdelegation": 1},
    {"channel_binding": "prefer"},
    {"channel_binding": "x"},
    {"channel_binding": "require"},
    {"require_auth": "scram-sha-256"},
    {"require_auth": "password"},
    {"require_auth": "!scram-sha-256"},
    {"require_auth": "!password,!md5"},
    {"require_auth": "password,!md5"},
    {"require_auth": "x"},
    {"requirepeer": "postgres"},
    {"min_protocol_version": "3.0"},
    {"max_protocol_version": "3.0"},
    {"max_protocol_version": "3.2"},
    {"max_protocol_version": "latest"},
    {"min_protocol_version": "3.2"},
    {"min_protocol_version": "3.2", "max_protocol_version": "3.0"},
    {"min_protocol_version": "3.1"},
    {"target_session_attrs": "any"},
    {"target_session_attrs": "read-write"},
    {"target_session_attrs": "read-only"},
    {"target_session_attrs": "x"},
    {"load_balance_hosts": "random"},
    {"load_balance_hosts": "x"},
    {"oauth_issuer": "x", "oauth_client_id": "x", "oauth_client_secret": "x", "oauth_scope": "x"},
    {"service": "no such thing"},
    {"passfile": "/nowhere"},
    {"passfile": ""},
    {"host": "127.0.0.1", "hostaddr": "127.0.0.1"},
    {"hostaddr": "127.0.0.1", "host": ""},
    {"port": " "},
    {"port": "0"},
    {"port": "65536"},
    {"port": "x"},
    {"user": "no such thing"},
    {"dbname": "no such thing"},
    {"dbname": "template1"},
    {"password": "x"},
    {"password": ""},
]


def outcome(module: Any, url: str, keywords: dict[str, Any]) -> Any:
    """What is told of the session, or False if there is none."""
    try:
        connection = module.connect(url, **keywords)
    except module.OperationalError:
        return False
    with closing(connection) as conn:
        row = conn.execute(
            "select current_user, current_database(), current_setting('application_name'), current_setting('geqo')"
        ).fetchone()
        return row, conn.info.encoding, conn.info.host, conn.info.hostaddr, conn.info.port


@pytest.mark.parametrize("keywords", KEYWORDS, ids=lambda keywords: ",".join(f"{k}={v}" for k, v in keywords.items()))
def test_keywords(dsn: str, keywords: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSFILE", "/nowhere")
    assert outcome(neonps, dsn, keywords) == outcome(psycopg, dsn, keywords)


@pytest.mark.parametrize(
    "keywords",
    [{"gssencmode": "require"}, {"scram_client_key": "x"}, {"scram_server_key": "x"}],
    ids=lambda keywords: next(iter(keywords)),
)
def test_what_neonps_does_not_do(dsn: str, keywords: dict[str, Any]) -> None:
    with pytest.raises(neonps.NotSupportedError, match=next(iter(keywords))):
        neonps.connect(dsn, **keywords)


@on_hosts
def test_the_encoding_of_the_locale(peer: Peer) -> None:
    assert peer.connect(client_encoding="auto").info.encoding == "utf-8"


def test_the_encoding_of_other_locales(monkeypatch: pytest.MonkeyPatch) -> None:
    import locale

    from neonps.encodings import encoding_of_locale

    for name, encoding in (
        ("ISO-8859-1", "LATIN1"),
        ("ISO-8859-15", "LATIN9"),
        ("UTF-8", "UTF8"),
        ("cp1252", "WIN1252"),
        ("EUC-JP", "EUC_JP"),
        ("ANSI_X3.4-1968", "UTF8"),
        ("cp037", "UTF8"),
    ):
        monkeypatch.setattr(locale, "getpreferredencoding", lambda do_setlocale=True, name=name: name)
        assert encoding_of_locale() == encoding


@on_hosts
def test_a_session_for_replication(peer: Peer) -> None:
    conn = peer.connect(replication="database", autocommit=True)
    row = conn.execute("IDENTIFY_SYSTEM").fetchone()
    assert row[3] == "postgres"
    assert conn.execute("SHOW server_version").fetchone()[0].startswith("1")


# Files and the environment


@pytest.fixture
def login(dsn: str) -> dict[str, str]:
    return {keyword: str(value) for keyword, value in conninfo_to_dict(dsn).items()}


def bare(peer: Peer) -> str:
    """A connection string that says nothing."""
    return "" if peer.name == "psycopg" else "transport=tcp"


@on_hosts
def test_all_in_the_environment(peer: Peer, login: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    names = {"user": "PGUSER", "password": "PGPASSWORD", "host": "PGHOST", "port": "PGPORT", "dbname": "PGDATABASE"}
    for keyword, value in login.items():
        monkeypatch.setenv(names[keyword], value)
    for name, value in {
        "PGAPPNAME": "from the environment",
        "PGOPTIONS": "-c geqo=off",
        "PGTZ": "Asia/Tokyo",
        "PGDATESTYLE": "ISO, DMY",
        "PGCLIENTENCODING": "UTF8",
        "PGTARGETSESSIONATTRS": "read-write",
        "PGCONNECT_TIMEOUT": "5",
        "PGSSLMODE": "prefer",
        "PGLOADBALANCEHOSTS": "random",
    }.items():
        monkeypatch.setenv(name, value)
    with closing(peer.module.connect(bare(peer))) as conn:
        row = conn.execute(
            "select current_setting('application_name'), current_setting('geqo'), current_setting('timezone'),"
            " current_setting('datestyle')"
        ).fetchone()
    assert row == ("from the environment", "off", "Asia/Tokyo", "ISO, DMY")
    monkeypatch.setenv("PGTARGETSESSIONATTRS", "standby")
    with pytest.raises(peer.module.OperationalError, match="server is not in hot standby mode"):
        peer.module.connect(bare(peer))


def service_file(path: Path, login: dict[str, str], more: str = "") -> str:
    lines = [f"{keyword}={value}" for keyword, value in login.items()]
    path.write_text("\n".join(["# a comment", "", "[other]", "host=/nowhere", "", "[mine]", *lines, more, ""]))
    return str(path)


@on_hosts
def test_a_service(peer: Peer, login: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = service_file(tmp_path / "services", login, "application_name=from the service")
    monkeypatch.setenv("PGSERVICEFILE", path)
    monkeypatch.setenv("PGAPPNAME", "from the environment")
    with closing(peer.module.connect(f"{bare(peer)} service=mine")) as conn:
        assert conn.execute("show application_name").fetchone() == ("from the service",)
        assert conn.info.get_parameters()["application_name"] == "from the service"
    with closing(peer.module.connect(f"{bare(peer)} service=mine", application_name="mine")) as conn:
        assert conn.execute("show application_name").fetchone() == ("mine",)
    monkeypatch.setenv("PGSERVICE", "mine")
    peer.module.connect(bare(peer)).close()
    peer.module.connect(f"postgresql:///?{bare(peer)}").close()
    monkeypatch.delenv("PGSERVICEFILE")
    monkeypatch.setenv("PGSYSCONFDIR", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "services").rename(tmp_path / "pg_service.conf")
    peer.module.connect(bare(peer)).close()
    (tmp_path / "pg_service.conf").rename(tmp_path / ".pg_service.conf")
    peer.module.connect(bare(peer)).close()


@on_hosts
def test_a_service_with_odd_characters(
    peer: Peer, login: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What Unicode alone takes for the end of a line, or for a space, is part of a value."""
    path = service_file(tmp_path / "services", login, "application_name=a\u2028b\x85c\xa0")
    text = Path(path).read_text(encoding="utf-8")
    Path(path).write_bytes(text.replace("[mine]", "[mine] ; a remark").replace("\n", " \r\n").encode())
    monkeypatch.setenv("PGSERVICEFILE", path)
    with closing(peer.module.connect(f"{bare(peer)} service=mine")) as conn:
        assert conn.info.get_parameters()["application_name"] == "a\u2028b\x85c\xa0"


@on_hosts
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[other]\nhost=x\n", 'definition of service "mine" not found'),
        ("[mine]\nhost\n", "syntax error in service file .*, line 2"),
        ("[mine]\nfoo=1\n", "syntax error in service file .*, line 2"),
        ("[mine]\nservice=other\n", "nested service specifications not supported"),
        (None, "service file .* not found"),
    ],
)
def test_a_service_that_is_none(
    peer: Peer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None, message: str
) -> None:
    if text is not None:
        (tmp_path / "services").write_text(text)
    monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))
    with pytest.raises(peer.module.OperationalError, match=message):
        peer.module.connect(f"{bare(peer)} service=mine")


@on_hosts
@pytest.mark.parametrize(
    ("line", "good"),
    [
        ("{host}:{port}:{dbname}:{user}:{password}", True),
        ("*:*:*:*:{password}", True),
        ("*:*:*:*:{password}:more", True),
        ("# a comment\n\nx:*:*:*:wrong\n*:*:*:*:{password}\r", True),
        ("*:*:replication:*:wrong\n*:*:*:*:{password}", True),
        ("*:*:*:{user}:wrong\n*:*:*:*:{password}", False),
        ("*:{port}:*:x\\:y:wrong\n*:*:*:*:{password}", True),
        ("{host}:{port}:{dbname}:{user}", False),
        ("", False),
    ],
)
def test_a_password_file(peer: Peer, login: dict[str, str], tmp_path: Path, line: str, good: bool) -> None:
    path = tmp_path / "passfile"
    path.write_text(line.format(**login) + "\n")
    path.chmod(0o600)
    keywords = {**login, "password": "", "passfile": str(path)}
    if good:
        with closing(peer.module.connect(bare(peer), **keywords)) as conn:
            assert conn.info.password == login["password"]
        return
    with pytest.raises(peer.module.OperationalError, match=r"password"):
        peer.module.connect(bare(peer), **keywords)


@on_hosts
def test_a_password_file_that_others_can_read(peer: Peer, login: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "passfile"
    path.write_text(f"*:*:*:*:{login['password']}\n")
    path.chmod(0o640)
    with pytest.raises(peer.module.OperationalError, match="fe_sendauth: no password supplied"):
        peer.module.connect(bare(peer), **{**login, "password": "", "passfile": str(path)})


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no such files")
def test_a_password_file_that_is_a_pipe(login: dict[str, str], tmp_path: Path) -> None:
    """It is not waited for."""
    path = tmp_path / "passfile"
    os.mkfifo(path, 0o600)
    with pytest.raises(neonps.OperationalError, match="fe_sendauth: no password supplied"):
        neonps.connect(transport="tcp", **{**login, "password": "", "passfile": str(path)})
