"""What does a cold start cost? Importing, the first row, and the size of what has to be deployed."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from .apart import ROOT, Failed, Lap, environment
from .bench import Bench, Run
from .peers import PSYCOPG
from .table import Table

IMPORT, FIRST_ROW = "import", "import, connect, first row"

#: Nothing may be imported before the clock starts but what any interpreter has: it would be missing in the figure.
PROGRAM = """
import time
start = time.process_time()
import {module}
imported = time.process_time()
url = {url!r}
{connect}
print(imported - start, time.process_time() - start)
"""

#: For each driver the module to import, and a program that connects to `url` and fetches a row.
PROGRAMS = {
    "neonps": ("neonps", "neonps.connect(url, {keywords}).execute('SELECT 1').fetchone()"),
    "psycopg": ("psycopg", "psycopg.connect(url).execute('SELECT 1').fetchone()"),
    "pg8000": (
        "pg8000.dbapi",
        """
from urllib.parse import urlsplit
parts = urlsplit(url)
cursor = pg8000.dbapi.connect(
    user=parts.username, password=parts.password, host=parts.hostname, port=parts.port, database=parts.path[1:]
).cursor()
cursor.execute('SELECT 1')
cursor.fetchone()
""",
    ),
    "asyncpg": (
        "asyncpg",
        """
import asyncio
async def main():
    connection = await asyncpg.connect(url)
    await connection.fetchrow('SELECT 1')
asyncio.run(main())
""",
    ),
    "neon-serverless": ("neon_serverless", "neon_serverless.neon(url, endpoint={gateway!r} + '/sql')('SELECT 1')"),
}

#: What is deployed for each driver; neonps is this checkout.
PACKAGES = {
    "neonps": str(ROOT),
    "psycopg[binary]": "psycopg[binary]",
    "pg8000": "pg8000",
    "asyncpg": "asyncpg",
    "neon-serverless": "neon-serverless",
}


def measure(bench: Bench) -> Iterator[Table]:
    """Start Python anew for each figure."""
    yield start(bench)
    if bench.quick:
        print("\nleft out: the sizes, for which packages have to be installed")
        return
    yield sizes(bench)


def start(bench: Bench) -> Table:
    """CPU time of importing, and of all until the first row."""
    table = Table("CPU time from the start of the program", "s", PSYCOPG)
    gateway = f"http://127.0.0.1:{bench.servers.gateway_port}"
    drivers = [(peer.name, peer.driver, "", peer.variables) for peer in bench.peers]
    for transport in bench.transports:
        keywords = f"transport={transport!r}"
        if transport != "tcp":
            keywords += f", gateway={gateway!r}"
        drivers.append((f"neonps {transport}", "neonps", keywords, {}))
    runs = []
    for name, driver, keywords, variables in drivers:
        module, connect = PROGRAMS[driver]
        connect = connect.format(keywords=keywords, gateway=gateway)
        runs.append(run(name, PROGRAM.format(module=module, url=bench.servers.dsn(), connect=connect), variables))
    for name, laps in bench.compare(runs, repeat=bench.repeat if bench.quick else 3 * bench.repeat):
        for lap in laps:
            table.add(name, lap.name, lap.cpu)
    for transport in bench.transports:
        table.aim(f"neonps {transport}", IMPORT, 0.4, PSYCOPG)
    return table


def run(name: str, program: str, variables: Mapping[str, str]) -> Run:
    """A run of a program that prints its two figures."""

    def start(turn: int) -> list[Lap]:
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env={**environment(), **variables},
            capture_output=True,
            encoding="utf-8",
        )
        if done.returncode:
            raise Failed(done.stderr.strip().splitlines()[-1])
        figures = map(float, done.stdout.split())
        return [Lap(column, cpu, 0.0, 0, 0) for column, cpu in zip((IMPORT, FIRST_ROW), figures, strict=True)]

    return Run(name, start)


def sizes(bench: Bench) -> Table:
    """What pip installs for each driver, by `examples/package_size.py`."""
    table = Table("Size of a deployment package", "B", "psycopg[binary]")
    spec = importlib.util.spec_from_file_location("package_size", ROOT / "examples" / "package_size.py")
    assert spec is not None
    assert spec.loader is not None
    package_size = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(package_size)
    for name, requirement in PACKAGES.items():
        with tempfile.TemporaryDirectory() as temporary:
            target = Path(temporary) / "package"
            try:
                package_size.install(requirement, target)
            except SystemExit as error:  # it is a program
                bench.failures.append(f"{name}: {error}")
                continue
            for column, value in zip(("unpacked", "ZIP"), package_size.measure(target), strict=True):
                table.add(name, column, value)
    for column in ("unpacked", "ZIP"):
        table.aim("neonps", column, 2e6)
    return table
