"""The gateway under everything at once: garbage, floods, vanishing clients, a Postgres that restarts.

`main(seconds)` starts a gateway of its own in a process of its own and a Postgres of its own behind it. Bad clients
do what they like, in many threads; good ones move money between accounts, over HTTP and over WebSockets; Postgres is
restarted, and a backend is killed, now and then. What good clients were told of each transfer is compared with what is
in the database. In the end the gateway works as in the beginning, has as many files open, and no more memory than it
had after the first part.
"""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import psycopg

import neonps
from neonps.embedded import EmbeddedPostgres
from neonps.gateway import Gateway, Upstream

sys.path.insert(0, str(Path(__file__).parents[1]))

from gateway_raw import Raw, handshake, log_in, masked, post, post_body, startup

from long.soak import ACCOUNTS, BALANCE, TABLES, Transfers, move

#: How many clients are connected at the same time, when there are to be many.
CROWD = 2000

#: How many of those the gateway takes; the others are sent away.
MAX_CONNECTIONS = 1500

#: What a good client may see of the trouble: a connection that is lost, a server that restarts or has no place.
TROUBLE = (None, "57P01", "57P02", "57P03", "53300")

#: What has to be done in each part.
WORK = (
    "transfers_http", "transfers_websocket", "garbage_sent", "bad_requests_refused", "bad_websockets",
    "readers_vanished", "clients_silent", "websockets_without_login",
)  # fmt: skip


class Counts:
    """What was done, by several threads."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def add(self, what: str, number: int = 1) -> None:
        with self._lock:
            self._counts[what] += number

    def __getitem__(self, what: str) -> int:
        return self._counts[what]

    def all(self) -> dict[str, int]:
        return dict(sorted(self._counts.items()))


class GatewayProcess:
    """`neonps local` before a Postgres; a context manager.

    Attributes:
        gateway: to connect to.
    """

    def __init__(self, postgres: EmbeddedPostgres) -> None:
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115
        command = [sys.executable, "-m", "neonps", "local", "--postgres", postgres.url]
        self._process = subprocess.Popen(
            [*command, "--max-connections", str(MAX_CONNECTIONS)],
            stdout=subprocess.PIPE,
            stderr=self._log,
            encoding="utf-8",
        )
        assert self._process.stdout
        line = self._process.stdout.readline()
        assert line, self.log
        self.gateway = Gateway(Upstream(postgres.url), port=int(line.strip().rpartition(":")[2]))

    def __enter__(self) -> GatewayProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()
        self._log.close()

    @property
    def log(self) -> str:
        """What it has said."""
        self._log.seek(0)
        return self._log.read()

    @property
    def files(self) -> int:
        """How many files it has open."""
        return len(os.listdir(f"/proc/{self._process.pid}/fd"))

    @property
    def memory(self) -> int:
        """How much memory it has, in bytes."""
        return int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def end(self) -> None:
        """Interrupt it, and see to it that it ends well."""
        self._process.send_signal(signal.SIGTERM)
        assert self._process.wait(30) == 0, self.log
        assert "mistake" not in self.log, self.log


class Run:
    """One run.

    Args:
        seconds: how long bad and good clients are at it.
    """

    def __init__(self, postgres: EmbeddedPostgres, seconds: float, seed: int) -> None:
        self.postgres = postgres
        self.counts = Counts()
        self.process = GatewayProcess(postgres)
        self.gateway = self.process.gateway
        self.url = f"{postgres.url}?gateway={self.gateway.url}&connect_timeout=20"
        self.seconds = seconds
        self.seed = seed
        self.over = threading.Event()
        self.failures: list[BaseException] = []
        self.transfers = Transfers(seconds)
        self.found: dict[str, int] = {}

    def main(self) -> None:
        with self.process:
            with neonps.connect(self.url, autocommit=True) as conn:
                conn.execute(TABLES)
                conn.execute("insert into account select n, %s from generate_series(0, %s) n", [BALANCE, ACCOUNTS - 1])
            self.settle()
            self.crowd()
            self.together(self.seconds / 2)
            self.settle()
            files, memory = self.process.files, self.process.memory
            self.crowd()
            self.together(self.seconds / 2)
            self.settle()
            deadline = time.monotonic() + 30
            while self.process.files > files:  # the last client has only just gone
                assert time.monotonic() < deadline, (files, self.process.files)
                time.sleep(0.2)
            assert self.process.memory < memory * 1.2 + 20_000_000, (memory, self.process.memory)
            self.counts.add("gateway_memory_mb", self.process.memory >> 20)
            self.counts.add("gateway_open_files", self.process.files)
            self.process.end()

    def together(self, seconds: float) -> None:
        """Everybody at once. Good clients of each kind have to get something done, and bad ones to try."""
        self.over.clear()
        before = self.counts.all()
        work: list[Callable[[random.Random], None]] = [
            *[self.garbage, self.broken_http, self.broken_frames, self.unread, self.silent, self.no_login] * 2,
            *[self.move_over_http, self.move_over_websocket] * 3,
            self.trouble,
        ]
        threads = [threading.Thread(target=self._repeat, args=(each, n)) for n, each in enumerate(work)]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + seconds
        while not self.failures and time.monotonic() < deadline:
            self.over.wait(0.2)
        self.over.set()
        for thread in threads:
            thread.join(120)
            assert not thread.is_alive(), "a client hangs"
        if self.failures:
            raise self.failures[0]
        idle = [what for what in WORK if self.counts[what] == before.get(what, 0)]
        assert not idle, f"nothing was done: {', '.join(idle)}"

    def _repeat(self, work: Callable[[random.Random], None], number: int) -> None:
        rng = random.Random(self.seed + number)
        try:
            while not self.over.is_set():
                work(rng)
        except BaseException as error:
            self.failures.append(error)

    def settle(self) -> None:
        """Wait until nothing is left of the clients, and see to it that all is as it should be."""
        deadline = time.monotonic() + 90
        while True:
            with suppress(neonps.OperationalError), neonps.connect(self.url) as conn:
                others = conn.execute(
                    "select state, query from pg_stat_activity "
                    "where backend_type = 'client backend' and pid <> pg_backend_pid()"
                ).fetchall()
                if not others:
                    break
                assert time.monotonic() < deadline, others
            assert time.monotonic() < deadline, "the gateway does not come to itself"
            time.sleep(0.2)
        while self.process.files > 40:
            assert time.monotonic() < deadline, self.process.files
            time.sleep(0.2)
        with psycopg.connect(self.postgres.url, autocommit=True) as admin:
            self.found = self.transfers.check(admin)

    # Bad clients

    def crowd(self) -> None:
        """Thousands of clients at once: most are served, and the others are told to come back."""
        with ExitStack() as stack:
            raws = []
            for _ in range(CROWD):
                raw = stack.enter_context(Raw(self.gateway))
                raw.send(b"OPTIONS /sql HTTP/1.1\r\nHost: x\r\n\r\n")
                raws.append(raw)
            statuses: Counter[int] = Counter()
            for raw in raws:
                status = raw.answer().status
                statuses[status] += 1
                if status == 503:
                    raw.socket.close()  # who stays makes others wait until the gateway does not listen any more
            assert set(statuses) <= {200, 503}, statuses
            assert statuses[200] <= MAX_CONNECTIONS
            assert statuses[200] > MAX_CONNECTIONS * 0.9
            self.counts.add("clients_in_crowds", CROWD)
            self.counts.add("clients_shed", statuses[503])

    def garbage(self, rng: random.Random) -> None:
        """Random bytes, or random bytes in what was right."""
        data = rng.choice([b"", post(self.postgres.url, "select 1"), handshake().encode() + masked(b"x" * 30)])
        data = bytearray(data or rng.randbytes(rng.randrange(1, 2000)))
        for _ in range(rng.randrange(4)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        with suppress(OSError), Raw(self.gateway) as raw:
            raw.send(bytes(data[: rng.randrange(len(data) + 1)]))
            self.counts.add("garbage_sent")
            self._leave(raw, rng)

    def broken_http(self, rng: random.Random) -> None:
        """Requests of the kinds that are refused, and one after them on a new connection, which is not."""
        url = self.postgres.url
        head = f"POST /sql HTTP/1.1\r\nHost: x\r\nNeon-Connection-String: {url}\r\n"
        request = rng.choice(
            [
                head + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                head + "Transfer-Encoding: chunked\r\n\r\n" + "1\r\nx\r\n" * 6000,
                head + "Content-Length: 99999999999\r\n\r\n",
                head + "X: " + "x" * 70_000,
                post_body(url, b'{"query": "select $1", "params": ' + b"[" * 50_000).decode(),
                post(url.replace(self.postgres.password, "wrong"), "select 1").decode(),
                post(url, "select 1/0").decode(),
                handshake(change={"Sec-WebSocket-Version": "8"}),
                handshake("/v1?address=example.com:5432"),
                "GET / HTTP/1.1\r\n\r\n",
            ]
        )
        with suppress(OSError), Raw(self.gateway) as raw:
            raw.send(request)
            status = raw.answer().status
            assert status >= 400, (status, request[:100])
            self.counts.add("bad_requests_refused")

    def broken_frames(self, rng: random.Random) -> None:
        """Frames that break the rules, and floods of those that do not."""
        frame = rng.choice(
            [
                b"\x82\x01x",
                masked(b"text", 1),
                masked(b"x" * 100, 9) * 5000,
                b"\x82\xff\x7f" + rng.randbytes(5000),
                rng.randbytes(1000),
                masked(rng.randbytes(1000)),
                masked(b"", 8) * 10,
            ]
        )
        with suppress(OSError), Raw(self.gateway) as raw:
            if raw.upgrade().status == 101:
                raw.send(frame)
                self.counts.add("bad_websockets")
                self._leave(raw, rng)

    def unread(self, rng: random.Random) -> None:
        """A result that is not read, and then its reader is gone."""
        query = b"begin; update account set balance = 0 where id = 1; "
        query += b"select repeat('x', 10000) from generate_series(1, 1000000)"
        with suppress(OSError, AssertionError), Raw(self.gateway, receive_buffer=4096) as raw:
            log_in(raw, self.postgres)
            raw.send(masked(b"Q" + (len(query) + 5).to_bytes(4, "big") + query + b"\0"))
            self.over.wait(rng.random())
            self._leave(raw, rng)
            self.counts.add("readers_vanished")

    def silent(self, rng: random.Random) -> None:
        """Clients that begin to say something, many at a time."""
        request = post(self.postgres.url, "select 1")
        with suppress(OSError), ExitStack() as stack:
            for _ in range(20):
                raw = stack.enter_context(Raw(self.gateway))
                raw.send(request[: rng.randrange(len(request))])
                self.counts.add("clients_silent")
            self.over.wait(rng.random())

    def no_login(self, rng: random.Random) -> None:
        """WebSockets whose clients do not log in, many at a time, though not so many that nobody else can."""
        hello = startup(self.postgres)
        with suppress(OSError, AssertionError), ExitStack() as stack:
            for _ in range(5):
                raw = stack.enter_context(Raw(self.gateway))
                if raw.upgrade().status == 101:
                    raw.send(masked(rng.choice([b"", hello[: rng.randrange(len(hello))], hello])))
                    self.counts.add("websockets_without_login")
            self.over.wait(rng.random())
            self._leave(raw, rng)

    @staticmethod
    def _leave(raw: Raw, rng: random.Random) -> None:
        how = rng.randrange(4)
        if how == 0:
            raw.reset()
        elif how == 1:
            raw.socket.shutdown(socket.SHUT_WR)
            while raw.more():
                pass
        elif how == 2:
            raw.socket.settimeout(0.2)
            raw.more()

    # Good clients

    def move_over_http(self, rng: random.Random) -> None:
        self._move_money("http", autocommit=True)

    def move_over_websocket(self, rng: random.Random) -> None:
        self._move_money("websocket")

    def _move_money(self, transport: str, **settings: Any) -> None:
        """Make some transfers, and take down what one is told of each."""
        worker = threading.current_thread().name
        try:
            with neonps.connect(self.url, transport=transport, **settings) as conn:
                for _ in range(20):
                    name, steps = self.transfers.new(worker)
                    self.transfers.told[name] = "out"
                    try:
                        move(conn, self.transfers, name, steps)
                    except neonps.Error as error:
                        self.transfers.failed(name, error)
                        raise
                    self.counts.add(f"transfers_{transport}")
                    if self.over.is_set():
                        return
        except neonps.OperationalError as error:
            if error.sqlstate not in TROUBLE:
                raise
            self.counts.add(f"errors_{transport}")
        self.over.wait(0.05)

    # Trouble

    def trouble(self, rng: random.Random) -> None:
        """Restart Postgres, or kill a backend, now and then."""
        self.over.wait(rng.uniform(2, 6))
        if self.over.is_set():
            return
        if rng.random() < 0.5:
            self.postgres.stop()
            self.postgres.start()
            self.counts.add("postgres_restarts")
            return
        with suppress(neonps.OperationalError, ProcessLookupError), neonps.connect(self.postgres.url) as conn:
            os.kill(conn.info.backend_pid, signal.SIGKILL)
            self.counts.add("backends_killed")


def main(seconds: float) -> dict[str, int]:
    """Have it all go on for about so many seconds; gives how often each thing was done.

    Raises:
        AssertionError: the gateway did not stand it.
    """
    seed = random.randrange(1 << 30)
    print(f"tests.long.gateway: seed {seed}", flush=True)
    # max_connections: fewer than clients want, so that Postgres refuses some.
    with (
        tempfile.TemporaryDirectory() as directory,
        EmbeddedPostgres(directory, options={"max_connections": "40", "restart_after_crash": "on"}) as postgres,
    ):
        run = Run(postgres, seconds, seed)
        run.main()
        return {**run.found, **run.counts.all()}


if __name__ == "__main__":
    print(main(float(sys.argv[1]) if len(sys.argv) > 1 else 60.0))
