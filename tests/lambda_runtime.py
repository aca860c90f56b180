"""Lambda's side of an execution environment: the Runtime API, for the real runtime interface client (awslambdaric)."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import Any
from uuid import uuid4

#: How long the runtime may take for anything, in seconds.
PATIENCE = 60.0

_API = "/2018-06-01/runtime"


class InvocationFailed(Exception):
    """The handler has raised, or could not be loaded.

    Args:
        kind: the name of the exception.
        message: what it says.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(kind, message)
        self.kind = kind
        self.message = message


class ExecutionEnvironment:
    """A process that runs a handler, and the Runtime API that it asks for invocations; a context manager.

    Args:
        directory: where the handler's module is.
        handler: `module.function`.
        environment: the environment variables of the process.

    Attributes:
        process: the process.
        log: all that it has written, once it has ended.
    """

    def __init__(self, directory: Path, handler: str, environment: dict[str, str]) -> None:
        self._invocations: queue.Queue[tuple[str, str, float] | None] = queue.Queue()
        self._outcomes: queue.Queue[tuple[str, Any]] = queue.Queue()
        self.log = ""
        environment = {
            **environment,
            # With these runtimes the client waits in a thread, so that the main one hears of signals.
            "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
            "AWS_LAMBDA_FUNCTION_NAME": "function",
        }
        environment["PYTHONPATH"] = f"{directory}:{environment['PYTHONPATH']}"
        runtime = self

        class RuntimeAPI(BaseHTTPRequestHandler):
            """https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html"""

            protocol_version = "HTTP/1.1"

            def log_message(self, format: str, *args: Any) -> None:
                pass

            def do_GET(self) -> None:
                assert self.path == f"{_API}/invocation/next"
                invocation = runtime._invocations.get()
                if invocation is None:  # the process has ended
                    self.close_connection = True
                    return
                request_id, event, seconds = invocation
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Lambda-Runtime-Aws-Request-Id", request_id)
                self.send_header("Lambda-Runtime-Deadline-Ms", str(int((time.time() + seconds) * 1000)))
                arn = "arn:aws:lambda:eu-central-1:123456789012:function:function"
                self.send_header("Lambda-Runtime-Invoked-Function-Arn", arn)
                self.send_header("Lambda-Runtime-Trace-Id", f"Root=1-{uuid4().hex[:8]}-{uuid4().hex[:24]};Sampled=0")
                self.send_header("Content-Length", str(len(event.encode())))
                self.end_headers()
                self.wfile.write(event.encode())

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(202)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", "16")
                self.end_headers()
                self.wfile.write(b'{"status": "OK"}')
                runtime._outcomes.put((self.path.removeprefix(_API), body))

        class Server(ThreadingHTTPServer):
            daemon_threads = True

        self._server = Server(("127.0.0.1", 0), RuntimeAPI)
        environment["AWS_LAMBDA_RUNTIME_API"] = f"127.0.0.1:{self._server.server_port}"
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        command = [sys.executable, "-X", "dev", "-W", "error", "-m", "awslambdaric", handler]
        self.process = subprocess.Popen(
            command,
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
        )

    def __enter__(self) -> ExecutionEnvironment:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.wait()
        self._invocations.put(None)
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def wait(self) -> int:
        """Wait for the end of the process; gives how it has ended."""
        if not self.process.stdout.closed:  # type: ignore[union-attr]
            self.log += self.process.communicate(timeout=PATIENCE)[0]
        return self.process.returncode

    def start(self, event: Any, *, seconds: float = 30.0) -> None:
        """Have the handler invoked.

        Args:
            event: the event.
            seconds: how long the invocation may take, as its context tells.
        """
        self._invocations.put((str(uuid4()), json.dumps(event), seconds))

    def outcome(self) -> Any:
        """What the handler has returned.

        Raises:
            InvocationFailed: it has raised.
        """
        path, body = self._outcomes.get(timeout=PATIENCE)
        if path.endswith("/error"):
            raise InvocationFailed(body["errorType"], body["errorMessage"])
        assert path.endswith("/response"), path
        return body

    def invoke(self, event: Any, *, seconds: float = 30.0) -> Any:
        """Have the handler invoked, and give what it returns. See `start()` and `outcome()`."""
        self.start(event, seconds=seconds)
        return self.outcome()
