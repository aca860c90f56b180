"""The system user that runs the embedded Postgres, and what it may read and write."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any, BinaryIO

#: The user in whose name Postgres runs when we are root, which it refuses to run as.
SYSTEM_USER = "pgserver"


class NoAccount(Exception):
    """There is no user that Postgres could run as; the message says why."""


class Account:
    """The system user that runs Postgres: ourselves, or one made for it when we are root.

    Args:
        name: the other user's name; None for ourselves.
    """

    def __init__(self, name: str | None) -> None:
        self.name = name
        self.uid, self.gid = os.geteuid(), os.getegid()
        if name:
            import pwd

            entry = pwd.getpwnam(name)
            self.uid, self.gid = entry.pw_uid, entry.pw_gid

    @classmethod
    def for_postgres(cls) -> Account:
        """Ourselves, or as root `SYSTEM_USER`, which is added to the system when it is not there yet.

        Raises:
            NoAccount: it cannot be added, or this system does not know users as Unix has them.
        """
        if os.name != "posix":
            raise NoAccount("the embedded Postgres needs Linux or macOS")
        if os.geteuid() != 0:
            return cls(None)
        try:
            return cls(SYSTEM_USER)
        except KeyError:
            pass
        shell = "/usr/sbin/nologin"
        command = ["useradd", "--system", "--user-group", "--no-create-home", "--shell", shell, SYSTEM_USER]
        try:
            added = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True)
            return cls(SYSTEM_USER)
        except FileNotFoundError:
            why = "there is no useradd"
        except KeyError:
            why = added.stderr.decode(errors="replace").strip() or "useradd does not say why"
        raise NoAccount(
            f"Postgres does not run as root, and the system user {SYSTEM_USER!r} cannot be added ({why}): "
            "add it, or run this as another user"
        )

    def for_child(self) -> dict[str, Any]:
        """What `subprocess` needs to start a program as this user, without our own Postgres environment."""
        environment = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
        # The server's time zone comes from here, by way of initdb; the log stays in a language that we read.
        environment.update(TZ="UTC", LC_ALL="C")
        if self.name is None:
            return {"env": environment}
        return {"env": environment, "user": self.uid, "group": self.gid, "extra_groups": []}

    def open(self, path: Path) -> BinaryIO:
        """A new or emptied file of this user's that nobody else can read."""
        # Whoever may write to the directory shall not make root write to somewhere else, by a link.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        if self.name:
            os.fchown(descriptor, self.uid, self.gid)
        return os.fdopen(descriptor, "wb")

    def take(self, directory: Path) -> None:
        """Make `directory` this user's, closed to all others."""
        if self.name is None:
            return
        os.chown(directory, self.uid, self.gid)
        directory.chmod(0o700)
        self._let_pass(directory)

    def let_in(self, binaries: Path) -> None:
        """Let this user run the programs in `binaries` and read what belongs to them, but nothing else."""
        if self.name is None:
            return
        package = binaries.parents[1]
        # Libraries are where the tools that repair wheels put them (auditwheel, delocate).
        for tree in (binaries.parent, package.with_name(f"{package.name}.libs"), package / ".dylibs"):
            if not tree.exists():
                continue
            self._let_pass(tree)
            for path in (tree, *tree.rglob("*")):
                mode = path.stat().st_mode
                # The same for others as for the owner, writing aside (a umask of 077 while installing).
                wanted = mode | (mode >> 6 & 0o005)
                if mode != wanted:
                    path.chmod(wanted)

    def _let_pass(self, path: Path) -> None:
        """Permit others to search, but not to list, the directories that lead to `path`."""
        for parent in path.resolve().parents:
            mode = parent.stat().st_mode
            if not mode & 0o001:
                parent.chmod(mode | 0o001)
