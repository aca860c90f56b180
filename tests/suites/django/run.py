"""Runs a part of Django's own tests, those of its database layer, on `ENGINE = "neonps.django"`.

    python tests/suites/django/run.py                  all of `RUNS`, as CI does it
    python tests/suites/django/run.py --run tcp        one of them
    python tests/suites/django/run.py --on psycopg     on psycopg instead, to see what fails there too
    python tests/suites/django/run.py basic queries    these modules, on the first run's server

Django ships its tests with its source distribution only: that of the installed version is downloaded by pip, and kept
in the user's cache. The exit status is 0 when nothing has failed but what `expected.py` lists and explains.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import django
from contrib_postgres import ContribPostgres, find_contrib
from expected import EXPECTED
from modules import MODULES, NEED_CONTRIB, SMALL

from neonps.embedded import EmbeddedPostgres
from neonps.local import serve

ROOT = Path(__file__).parents[3]

#: The rest of these is what Django's own settings for its tests have.
SETTINGS = """
import sys

import django

{driver}
DATABASE = {{
    "ENGINE": {engine!r},
    "USER": {user!r},
    "PASSWORD": {password!r},
    "HOST": {host!r},
    "PORT": {port!r},
    "OPTIONS": {options!r},
}}
DATABASES = {{"default": {{**DATABASE, "NAME": "django"}}, "other": {{**DATABASE, "NAME": "django2"}}}}
SECRET_KEY = "of no value"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
USE_TZ = False
if django.VERSION < (6, 0):
    DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
"""

#: What the settings begin with: psycopg cannot be imported, so nothing can be there because of it.
BLOCKED = """
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("psycopg", "psycopg2", "psycopg_binary"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocked())
"""
DRIVERS = {
    "Django's modules": BLOCKED + "import neonps.django",
    "the process": BLOCKED + "import neonps\nneonps.install_as_psycopg()",
    "psycopg": "",
}


@dataclass(frozen=True)
class Run:
    """A run of Django's `runtests.py`.

    Attributes:
        transport: that of the connections.
        driver: for what neonps stands in the place of psycopg, see `DRIVERS`.
        modules: the names of the tests.
        contrib: whether the server is a Postgres of the system, with its extensions, if there is one.
    """

    transport: str
    driver: str
    modules: tuple[str, ...]
    contrib: bool = False


RUNS = {
    "websocket": Run("websocket", "Django's modules", MODULES, contrib=True),
    "tcp": Run("tcp", "the process", SMALL),
}

_failed = re.compile(r"^(?:FAIL|ERROR|UNEXPECTED SUCCESS): (?P<name>\w+) \((?P<path>[\w.]+)\)", re.MULTILINE)
_counted = re.compile(r"^Ran (\d+) tests? in .*?\n\n(?:OK|FAILED)(?: \((.*)\))?$", re.MULTILINE)


def main() -> int:
    arguments = parse_arguments()
    tests = fetch_tests(arguments.cache) / "tests"
    names = [arguments.run] if arguments.run else [next(iter(RUNS))] if arguments.modules else list(RUNS)
    failed = False
    for name in names:
        run = RUNS[name]
        driver = "psycopg" if arguments.on == "psycopg" else run.driver
        with ExitStack() as stack:
            modules = arguments.modules or list(run.modules)
            binaries = find_contrib() if run.contrib else None
            if run.contrib and binaries is None:
                modules = [module for module in modules if module not in NEED_CONTRIB]
                print(f"{name}: no Postgres with its extensions is installed (Debian: postgresql);")
                print(f"{name}: left out: {', '.join(NEED_CONTRIB)}")
            server = EmbeddedPostgres() if binaries is None else ContribPostgres(binaries)
            url = stack.enter_context(server).url
            gateway = stack.enter_context(serve(url)).gateway.url
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            write_settings(directory / "suite_settings.py", url, gateway, run, driver)
            failed |= not run_tests(name, tests, directory, modules, driver, arguments.parallel)
    return int(failed)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modules", nargs="*", help="names as runtests.py takes them")
    parser.add_argument("--run", choices=RUNS)
    parser.add_argument("--on", choices=["neonps", "psycopg"], default="neonps")
    parser.add_argument("--parallel", default="2", help="how many processes (default: 2)")
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    parser.add_argument("--cache", type=Path, default=home / "neonps" / "django", help="where the source is kept")
    return parser.parse_args()


def fetch_tests(cache: Path) -> Path:
    """The directory of the source distribution of the installed Django, downloaded unless it is there."""
    version = django.get_version()
    source = cache / f"django-{version}"
    if source.exists():
        return source
    with tempfile.TemporaryDirectory() as directory:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"]
        subprocess.run([*command, "--dest", directory, f"django=={version}"], check=True)
        (archive,) = Path(directory).glob("*.tar.gz")
        with tarfile.open(archive) as tar:
            tar.extractall(directory, filter="data")
        cache.mkdir(parents=True, exist_ok=True)
        # In one step, so that what is there is whole.
        unpacked = Path(tempfile.mkdtemp(dir=cache)) / source.name
        (unpacked_from,) = (path for path in Path(directory).iterdir() if path.is_dir())
        subprocess.run(["cp", "-R", unpacked_from, unpacked], check=True)
        unpacked.rename(source)
        unpacked.parent.rmdir()
    return source


def write_settings(path: Path, url: str, gateway: str, run: Run, driver: str) -> None:
    at = urlsplit(url)
    options = {"transport": run.transport, **({"gateway": gateway} if run.transport != "tcp" else {})}
    text = SETTINGS.format(
        driver=DRIVERS[driver],
        engine="django.db.backends.postgresql" if driver == "psycopg" else "neonps.django",
        user=at.username,
        password=at.password,
        host=at.hostname,
        port=at.port,
        options={} if driver == "psycopg" else options,
    )
    path.write_text(text, encoding="utf-8")


def run_tests(name: str, tests: Path, settings: Path, modules: list[str], driver: str, parallel: str) -> bool:
    """Whether all has passed, or failed as expected."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "NEONPS_"))}
    environment["PYTHONPATH"] = os.pathsep.join([str(settings), str(ROOT)])
    command = [sys.executable, "runtests.py", "--settings=suite_settings", f"--parallel={parallel}", "--noinput"]
    started = time.monotonic()
    ran = subprocess.run(
        [*command, "--verbosity=1", *modules],
        cwd=tests,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    )
    seconds = time.monotonic() - started
    counted = _counted.search(ran.stdout)
    if counted is None:
        print(ran.stdout)
        print(f"{name}: runtests.py has not come to its end (status {ran.returncode})")
        return False
    failed = {path if path.endswith(f".{test}") else f"{path}.{test}" for test, path in _failed.findall(ran.stdout)}
    expected = {test for test, (drivers, _) in EXPECTED.items() if driver in drivers}
    unexpected = failed - expected
    # What is listed and passes now has no business on the list.
    passed = {test for test in expected - failed if test.partition(".")[0] in modules}
    if unexpected:
        print(ran.stdout)
    print(
        f"{name}: Django {django.get_version()}, neonps for {driver}, {len(modules)} modules: {counted[1]} tests "
        f"({counted[2] or 'no failures'}) in {seconds:.0f} s; {len(failed & expected)} failed as expected, "
        f"{len(unexpected)} unexpectedly"
    )
    for test in sorted(unexpected):
        print(f"  failed: {test}")
    for test in sorted(passed):
        print(f"  listed in expected.py, and has not failed: {test}")
    return not unexpected and not passed


if __name__ == "__main__":
    sys.exit(main())
