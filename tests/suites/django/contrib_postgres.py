"""A Postgres that has the extensions of its `contrib` directory, which the embedded one has not."""

from __future__ import annotations

import secrets
import shutil
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType

from neonps.account import Account
from neonps.embedded import NON_DURABLE, free_port


def find_contrib() -> Path | None:
    """The directory with the programs of the newest Postgres of the system that has them; None if none has."""
    found = []
    for binaries in Path("/usr/lib/postgresql").glob("*/bin"):
        version = binaries.parent.name
        if version.isdigit() and Path(f"/usr/share/postgresql/{version}/extension/hstore.control").exists():
            found.append((int(version), binaries))
    return max(found)[1] if found else None


class ContribPostgres:
    """It runs, with a new data directory, while the context that this manages lasts.

    Args:
        binaries: the directory with its programs.
    """

    def __init__(self, binaries: Path) -> None:
        self._binaries = binaries
        self._account = Account.for_postgres()
        self._home = Path()
        self.url = ""

    def __enter__(self) -> ContribPostgres:
        self._home = Path(tempfile.mkdtemp(prefix="neonps-"))
        password, port = secrets.token_urlsafe(24), free_port()
        self._account.take(self._home)
        with self._account.open(self._home / "password") as file:
            file.write(password.encode())
        settings = {"listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": "", **NON_DURABLE}
        words = ["--username=postgres", f"--pwfile={self._home / 'password'}", "--auth=scram-sha-256"]
        self._call("initdb", *words, "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync")
        try:
            options = " ".join(f"-c {name}={value}" for name, value in settings.items())
            self._call("pg_ctl", "-w", f"--log={self._home / 'log'}", "-o", options, "start")
        except BaseException:
            shutil.rmtree(self._home)
            raise
        self.url = f"postgresql://postgres:{password}@127.0.0.1:{port}/postgres"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._call("pg_ctl", "-w", "-m", "fast", "stop")
        shutil.rmtree(self._home)

    def _call(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [self._binaries / program, "-D", self._home / "data", *arguments],
            check=True,
            cwd=self._home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            **self._account.for_child(),
        )
