"""Runs the compliance suite of SQLAlchemy on an embedded Postgres and a gateway: `python run.py websocket tcp async`.

Each argument is a run, in a database of its own; as many are made side by side as there are processors. After `--` come
arguments for pytest. The exit status is 0 if all have passed.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import sqlalchemy

import neonps
from neonps.embedded import EmbeddedPostgres
from neonps.local import serve

HERE = Path(__file__).parent
#: The dialect and the transport of each run.
RUNS = {
    "websocket": ("postgresql+neonps", "websocket"),
    "tcp": ("postgresql+neonps", "tcp"),
    "async": ("postgresql+neonps_async", "websocket"),
    "async-tcp": ("postgresql+neonps_async", "tcp"),
}
#: What the suite wants to find (SQLAlchemy's README.unittests), in the database of each run.
PREPARATION = """
    CREATE SCHEMA test_schema; CREATE SCHEMA test_schema_2;
    ALTER DATABASE {name} SET default_text_search_config = 'pg_catalog.english'
"""


def main(names: list[str], arguments: list[str]) -> int:
    """Make the runs, print what has come of them, and return the exit status."""
    unknown = [name for name in names if name not in RUNS]
    if unknown or not names:
        print(f"usage: run.py {{{' | '.join(RUNS)}}} … [-- argument of pytest …]", file=sys.stderr)
        return 2
    print(f"SQLAlchemy {sqlalchemy.__version__}, neonps {neonps.__version__}: {' '.join(names)}", flush=True)
    options = {"max_prepared_transactions": "10"}
    with EmbeddedPostgres(options=options) as postgres, serve(postgres.url) as server:
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            return max(threads.map(lambda name: run(name, postgres.url, server.gateway.url, arguments), names))


def run(name: str, postgres: str, gateway: str, arguments: list[str]) -> int:
    """Make a run, print its last line, or all if it has failed, and return its exit status."""
    dialect, transport = RUNS[name]
    database = f"suite_{name.replace('-', '_')}"
    with neonps.connect(postgres, autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE {database}")
    url = urlunsplit(urlsplit(postgres)._replace(path=f"/{database}"))
    with neonps.connect(url, autocommit=True) as conn:
        conn.execute(PREPARATION.format(name=database))
    uri = url.replace("postgresql://", f"{dialect}://", 1) + f"?gateway={gateway}&transport={transport}"
    command = [sys.executable, "-m", "pytest", "suite.py", "--dburi", uri, *arguments]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])}
    began = time.monotonic()
    done = subprocess.run(
        command, cwd=HERE, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    output = done.stdout.replace(uri, f"{dialect}://…")
    if done.returncode or arguments:
        print(output)
    counts = re.findall(r"\d+ (?:passed|failed|skipped|errors?|xfailed|xpassed|deselected)\b", output)
    print(f"{name}: {', '.join(counts)} in {time.monotonic() - began:.0f} s", flush=True)
    return done.returncode


if __name__ == "__main__":
    given = sys.argv[1:]
    end = given.index("--") if "--" in given else len(given)
    sys.exit(main(given[:end], given[end + 1 :]))
