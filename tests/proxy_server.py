"""A real HTTP proxy (`proxy.py`) that takes down what it was asked for."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from types import TracebackType

from gateway_client import wait_for


class ProxyServer:
    """Listens on 127.0.0.1, and takes names that end with `.test` for this machine; a context manager.

    Args:
        directory: where its files go, which is its own.
        login: `user:password`, if it wants one.
        cert, key: paths of PEM files, for TLS with clients.

    Attributes:
        port: where it listens.
    """

    def __init__(self, directory: Path, login: str | None = None, cert: str | None = None, key: str = "") -> None:
        self._log = directory / "log"
        self._ports = directory / "port"
        arguments = ["--hostname", "127.0.0.1", "--port", "0", "--port-file", str(self._ports)]
        arguments += ["--num-acceptors", "1", "--num-workers", "1", "--log-file", str(self._log)]
        if login is not None:
            arguments += ["--basic-auth", login]
        if cert is not None:
            arguments += ["--cert-file", cert, "--key-file", key]
        arguments += ["--plugins", "proxy_names.LocalNames"]
        # Its processes share a fate: they stop when the first one is told to.
        self._process = subprocess.Popen(
            [sys.executable, "-m", "proxy", *arguments],
            stdout=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
        )
        self.port = 0

    def __enter__(self) -> ProxyServer:
        wait_for(lambda: self._ports.exists() and self._ports.read_text().strip() != "")
        self.port = int(self._ports.read_text().split()[0])
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait()

    def ways(self, port: int) -> int:
        """How many connections have gone through it to a port, and have ended."""
        return len(re.findall(rf"CONNECT \S+:{port} - [1-9][0-9]* bytes", self._log.read_text()))

    def wait_for_ways(self, port: int, count: int) -> None:
        """Wait until so many connections have gone through it to a port in all, and no more."""
        wait_for(lambda: self.ways(port) >= count)
        assert self.ways(port) == count
