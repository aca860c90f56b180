"""What is imported, and when: a program that starts often waits for little that it does not need."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import h11
import pytest

import neonps

#: Where neonps and what it depends on are. Programs run without `site`, which imports what the machine has set up.
PATHS = [str(Path(module.__file__ or "").parents[1]) for module in (neonps, h11)]

PRELUDE = f"import sys; sys.path += {PATHS}; before = set(sys.modules)\n"
LOADED = "\nimport json; print(json.dumps(sorted(loaded)))"


def run(program: str, *arguments: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-S", "-W", "error", "-X", "dev", "-c", PRELUDE + program, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


#: What takes long to import, or is of no use to most programs.
HEAVY = {
    *["asyncio", "asn1crypto", "concurrent.futures", "dataclasses", "datetime", "decimal", "email", "h11", "hashlib"],
    *["inspect", "ipaddress", "json", "logging", "pathlib", "scramp", "ssl", "string", "subprocess", "tempfile"],
    *["traceback", "typing_extensions", "unicodedata", "urllib.parse", "uuid", "wsproto", "zoneinfo"],
}
if sys.version_info >= (3, 14):
    HEAVY.remove("string")  # template strings are in it

#: What only some calls need, or only one of the transports.
LATER = {
    f"neonps.{name}"
    for name in (
        *["as_psycopg", "client_cursor", "connection_async", "connection_info", "copy", "cursor_async", "dbapi"],
        *["embedded", "gateway", "local", "pipeline", "pool", "query_function", "query_function_async", "raw_cursor"],
        *["server_cursor", "sqlstates", "transaction", "xid"],
    )
}

PROTOCOLS = {
    f"neonps.{name}"
    for name in (
        *["flows.http", "flows.session", "flows.login", "net.aio", "net.tls", "protocol.frontend", "protocol.http"],
        *["protocol.scram", "protocol.session", "protocol.sqlhttp", "protocol.websocket", "types.integer"],
    )
}


def test_import() -> None:
    loaded = set(run("import neonps; loaded = set(sys.modules) - before" + LOADED))
    assert "neonps.connection" in loaded
    assert loaded & (HEAVY | LATER | PROTOCOLS) == set()
    assert not {name for name in loaded if name.startswith("neonps.types")}


QUERY = """
import neonps
with neonps.connect(sys.argv[1], transport=sys.argv[2]) as connection:
    assert connection.execute("select 1").fetchone() == (1,)
loaded = set(sys.modules) - before
"""

#: What of it a first row needs. Most is what h11, wsproto and scramp import.
BY_H11 = {"dataclasses", "h11", "inspect"}
BY_SCRAMP = {
    *["asn1crypto", "datetime", "decimal", "email", "hashlib", "inspect", "ipaddress", "json", "pathlib", "scramp"],
    *["ssl", "string", "tempfile", "traceback", "unicodedata", "urllib.parse"],
}
SESSION = {
    f"neonps.{name}"
    for name in ("flows.login", "flows.session", "protocol.frontend", "protocol.scram", "protocol.session")
}
NEEDED = {
    "http": {*BY_H11, "json", "unicodedata", "neonps.flows.http", "neonps.protocol.http", "neonps.protocol.sqlhttp"},
    "tcp": {*BY_SCRAMP, *SESSION},
    "websocket": {*BY_H11, *BY_SCRAMP, *SESSION, "neonps.protocol.websocket", "wsproto"},
}


@pytest.mark.parametrize("transport", NEEDED)
def test_first_row(url: str, dsn: str, transport: str) -> None:
    loaded = set(run(QUERY + LOADED, dsn if transport == "tcp" else url, transport))
    assert loaded & (HEAVY | LATER | PROTOCOLS) - {"neonps.types.integer"} <= NEEDED[transport]
    assert {name for name in loaded if name.startswith("neonps.types.")} == {"neonps.types.integer"}


# The names


def test_each_module_can_be_imported_before_the_others() -> None:
    program = """
import importlib
loaded = []
for module in sys.argv[1:]:
    for name in [name for name in sys.modules if name.partition(".")[0] == "neonps"]:
        del sys.modules[name]
    loaded.append(importlib.import_module(f"neonps.{module}").__name__)
"""
    modules = sorted({*neonps._LATER.values()})
    assert run(program + LOADED, *modules) == [f"neonps.{module}" for module in modules]


def test_classes_say_that_they_are_of_the_package() -> None:
    classes = [found for name in neonps.__all__ if isinstance(found := getattr(neonps, name), type)]
    assert len(classes) > 30
    assert {cls.__module__ for cls in classes} == {"neonps"}


def test_classes_say_that_they_are_public_whoever_has_imported_them() -> None:
    program = """
from neonps.raw_cursor import AsyncRawServerCursor, RawServerCursor
from neonps.connection_async import AsyncConnection
classes = {cls for root in (AsyncRawServerCursor, RawServerCursor, AsyncConnection) for cls in root.__mro__}
loaded = [f"{cls.__module__}.{cls.__name__}" for cls in classes]
"""
    found = set(run(program + LOADED))
    public = {name for name in neonps.__all__ if f"neonps.{name}" in found}
    assert public >= {"AsyncConnection", "AsyncCursor", "BaseConnection", "Cursor", "RawServerCursor", "ServerCursor"}
    assert {"neonps.base_cursor.BaseCursor", "neonps.server_cursor.BaseServerCursor"} <= found
    assert not {name for name in found if name.count(".") == 2 and name.rpartition(".")[2] in neonps.__all__}


def test_all_of_it_by_a_star() -> None:
    namespace: dict[str, Any] = {}
    exec("from neonps import *", namespace)
    assert set(neonps.__all__) <= set(namespace)
    assert all(namespace[name] is getattr(neonps, name) for name in neonps.__all__)


def test_dir() -> None:
    program = "import neonps; loaded = dir(neonps)"
    assert {*neonps.__all__, *neonps._MODULES} <= set(run(program + LOADED))


def test_what_is_imported_later_is_public_and_where_the_table_says() -> None:
    assert set(neonps._LATER) < set(neonps.__all__)
    for name, module in neonps._LATER.items():
        found = getattr(sys.modules.get(f"neonps.{module}") or __import__(f"neonps.{module}", fromlist=["_"]), name)
        assert found is getattr(neonps, name)


@pytest.mark.parametrize("name", sorted(neonps._MODULES))
def test_modules_are_attributes(name: str) -> None:
    program = f"import neonps; loaded = [neonps.{name}.__name__]"
    assert run(program + LOADED) == [f"neonps.{name}"]


def test_what_is_not_there() -> None:
    with pytest.raises(AttributeError, match="module 'neonps' has no attribute 'nothing'"):
        neonps.nothing  # noqa: B018
    assert isinstance(neonps, ModuleType)
