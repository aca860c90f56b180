"""Vercel's side of an instance of a function: its real Python runtime (`vercel-runtime` on PyPI) in a process."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import Future
from contextlib import closing, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple
from uuid import uuid4

import pytest

ROOT = Path(__file__).parent.parent

#: How long the runtime may take for anything, in seconds.
PATIENCE = 60.0

#: How long pip may take to install the packages, in seconds.
INSTALL_TIMEOUT = 100

#: What a function of the example needs, but for the project itself. The runtime needs Python 3.12.
PACKAGES = ("vercel-runtime>=0.20", "fastapi>=0.115", "h11>=0.16", "wsproto>=1.2", "scramp>=1.4.5", "psycopg_pool>=3.3")
OLDEST = (3, 12)


def find_python() -> str | None:
    """A Python that is new enough for the runtime: this one, one that can be called, or one of pyenv's."""
    if sys.version_info >= OLDEST:
        return sys.executable
    minors = [f"{OLDEST[0]}.{minor}" for minor in range(OLDEST[1], OLDEST[1] + 3)]
    candidates = [path for minor in minors if (path := shutil.which(f"python{minor}"))]
    if pyenv := shutil.which("pyenv"):
        listed = subprocess.run([pyenv, "versions", "--bare"], capture_output=True, encoding="utf-8").stdout.split()
        for version in listed:
            if version.rpartition(".")[0] in minors:
                prefix = subprocess.run([pyenv, "prefix", version], capture_output=True, encoding="utf-8")
                candidates.append(f"{prefix.stdout.strip()}/bin/python")
    for candidate in candidates:
        with suppress(OSError):
            # pyenv puts commands into the path that only say that they cannot be used.
            if subprocess.run([candidate, "-c", "import venv"], capture_output=True).returncode == 0:
                return candidate
    return None


class Runtime(NamedTuple):
    """What runs a function.

    Attributes:
        python: the path of a Python.
        packages: the directory with the packages.
    """

    python: str
    packages: Path


def installed_runtime() -> Runtime:
    """A Python and the packages, which are kept for the next time; skips the test if they cannot be had."""
    python = find_python()
    if python is None:
        pytest.skip(f"Vercel's runtime needs Python {OLDEST[0]}.{OLDEST[1]}")
    wanted = hashlib.sha256("\n".join([python, *PACKAGES]).encode()).hexdigest()[:16]
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "neonps"
    installed = base / f"vercel-{wanted}"
    if not installed.exists():
        base.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=base) as temporary:
            directory = Path(temporary) / "new"
            pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-user"]
            try:
                done = subprocess.run(
                    [*pip, "--target", str(directory), *PACKAGES],
                    capture_output=True,
                    encoding="utf-8",
                    timeout=INSTALL_TIMEOUT,
                )
            except subprocess.TimeoutExpired:
                pytest.skip(f"pip could not install the packages within {INSTALL_TIMEOUT} seconds")
            if done.returncode:
                pytest.skip(f"pip could not install the packages: {done.stderr.strip()[-500:]}")
            with suppress(OSError):  # another run was faster, and its directory is as good as this one
                directory.rename(installed)
    return Runtime(python, installed)


class Instance:
    """An instance of a function, and the platform beside it; a context manager, which waits for the start.

    Args:
        runtime: what runs it.
        directory: the project.
        entrypoint: the function's file in it.
        environment: the environment variables.

    Attributes:
        process: the process.
        log: what the function and the runtime have written; complete once the process has ended.
    """

    def __init__(self, runtime: Runtime, directory: Path, entrypoint: str, environment: dict[str, str]) -> None:
        self.log = ""
        self._started: Future[int] = Future()
        self._files = tempfile.TemporaryDirectory()
        path = f"{self._files.name}/ipc.sock"
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(path)
        self._listener.listen()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()
        environment = {
            **environment,
            # What the builder's trampoline sets: see createRuntimeTrampoline() in the npm package @vercel/python.
            "__VC_HANDLER_ENTRYPOINT": entrypoint,
            "__VC_HANDLER_ENTRYPOINT_ABS": str(directory / entrypoint),
            "__VC_HANDLER_MODULE_NAME": entrypoint.removesuffix(".py").replace("/", "."),
            "__VC_HANDLER_VARIABLE_NAME": "app",
            "VERCEL_IPC_PATH": path,
            "PYTHONPATH": f"{directory}:{environment['PYTHONPATH']}:{ROOT}:{runtime.packages}",
        }
        self.process = subprocess.Popen(
            [runtime.python, "-X", "dev", "-W", "error", "-c", "from vercel_runtime.vc_init import vc_handler"],
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
        )

    def _listen(self) -> None:
        """Take what the runtime tells: JSON, each message with a NUL behind it."""
        connection, _ = self._listener.accept()
        received = b""
        with connection:
            while data := connection.recv(65536):
                *complete, received = (received + data).split(b"\0")
                for text in complete:
                    message = json.loads(text)
                    payload = message["payload"]
                    if message["type"] == "log":
                        self.log += base64.b64decode(payload["message"]).decode()
                    elif message["type"] == "server-started":
                        self._started.set_result(payload["httpPort"])
                    elif message["type"] == "unrecoverable-error":
                        self._started.set_exception(RuntimeError(payload["message"]))
        if not self._started.done():
            self._started.set_exception(RuntimeError("the runtime has ended"))

    def __enter__(self) -> Instance:
        try:
            self.port = self._started.result(timeout=PATIENCE)
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._close()

    def _close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.wait()
        self._listener.close()
        self._files.cleanup()

    def wait(self) -> int:
        """Wait for the end of the process; gives how it has ended."""
        assert self.process.stdout is not None
        if not self.process.stdout.closed:
            self.log += self.process.communicate(timeout=PATIENCE)[0]
            self._thread.join(PATIENCE)
        return self.process.returncode

    def request(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Send a request, as the platform passes it on; gives the status, and what the answer holds if it is JSON."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        with closing(connection):
            headers = {
                "content-type": "application/json",
                "x-vercel-internal-invocation-id": uuid4().hex,
                "x-vercel-internal-request-id": "1",
            }
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            response = connection.getresponse()
            text = response.read()
            is_json = response.headers.get_content_type() == "application/json"
        return response.status, json.loads(text) if is_json else None
