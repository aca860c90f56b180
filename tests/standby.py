"""A hot standby of a Postgres: a copy that follows it, and takes queries that only read."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from neonps.account import Account
from neonps.embedded import EmbeddedPostgres, find_binaries


class HotStandby(EmbeddedPostgres):
    """A hot standby of `primary`, with the same login; a context manager.

    Args:
        primary: a server that runs.
    """

    def __init__(self, primary: EmbeddedPostgres) -> None:
        self._copy = Path(tempfile.mkdtemp(prefix="neonps-standby-"))
        super().__init__(self._copy, options=primary._options)  # a standby may not have less of anything
        self._primary = primary

    def start(self) -> None:
        account = Account.for_postgres()
        account.take(self._copy)
        with account.open(self._copy / "password") as file:
            file.write(self._primary.password.encode())
        command = [
            str(find_binaries() / "pg_basebackup"),
            f"--dbname={self._primary.url}",
            f"--pgdata={self._copy / 'data'}",
            "--write-recovery-conf",
            "--checkpoint=fast",
            "--no-sync",
        ]
        try:
            subprocess.run(command, check=True, cwd=self._copy, capture_output=True, **account.for_child())
            super().start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        super().stop()
        shutil.rmtree(self._copy, ignore_errors=True)
