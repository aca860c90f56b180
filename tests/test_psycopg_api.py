"""All of psycopg's public names are here, and the blocking and the asyncio classes are twins."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import psycopg
import pytest
from transports import Connect, over_http

import neonps
from neonps import pq

API = json.loads((Path(__file__).parent / "psycopg-api.json").read_text())


def names() -> Iterator[tuple[str, str]]:
    for module, found in API["modules"].items():
        for name in found:
            yield module, name


def attributes() -> Iterator[tuple[str, str]]:
    for cls, found in API["classes"].items():
        for name in found:
            yield cls, name


def ours(module: str) -> Any:
    return import_module(module.replace("psycopg", "neonps", 1))


@pytest.mark.parametrize(("module", "name"), list(names()))
def test_names(module: str, name: str) -> None:
    theirs, here = getattr(import_module(module), name), getattr(ours(module), name)
    assert inspect.isclass(here) == inspect.isclass(theirs)
    assert inspect.isfunction(here) == inspect.isfunction(theirs) or callable(here)
    if inspect.isclass(theirs) and issubclass(theirs, Exception):
        assert [base.__name__ for base in here.__mro__] == [base.__name__ for base in theirs.__mro__]


@pytest.mark.parametrize(("cls", "name"), list(attributes()))
def test_attributes(cls: str, name: str) -> None:
    theirs, here = getattr(psycopg, cls), getattr(neonps, cls)
    mine, other = inspect.getattr_static(here, name), inspect.getattr_static(theirs, name)
    assert hasattr(here, name)
    assert inspect.iscoroutinefunction(getattr(here, name)) == inspect.iscoroutinefunction(getattr(theirs, name))
    assert isinstance(mine, classmethod) == isinstance(other, classmethod)
    if isinstance(other, property):
        assert not inspect.isfunction(mine)


def keywords(function: Any) -> dict[str, inspect.Parameter]:
    parameters = inspect.signature(function).parameters
    return {name: each for name, each in parameters.items() if name != "self" and not name.startswith("_")}


METHODS = [(cls, name) for cls, name in attributes() if inspect.isroutine(getattr(getattr(psycopg, cls), name, None))]


@pytest.mark.parametrize(("cls", "name"), METHODS)
def test_signatures(cls: str, name: str) -> None:
    """Whatever can be passed to psycopg's methods can be passed to ours, in the same place."""
    theirs, here = getattr(psycopg, cls), getattr(neonps, cls)
    given, taken = keywords(getattr(theirs, name)), keywords(getattr(here, name))
    for keyword, parameter in given.items():
        if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL) or keyword in {"gen"}:
            continue
        assert keyword in taken, f"{cls}.{name}({keyword})"
        assert taken[keyword].kind == parameter.kind
        assert taken[keyword].default == parameter.default or parameter.default is parameter.empty
    positional = [n for n, p in given.items() if p.kind is p.POSITIONAL_OR_KEYWORD and n != "gen"]
    assert [n for n in taken if n in positional] == positional


def test_attributes_of_instances(dsn: str) -> None:
    with psycopg.connect(dsn) as theirs, neonps.connect(dsn) as here:
        pairs = [
            ("Connection", theirs, here),
            ("Cursor", theirs.cursor(), here.cursor()),
            ("ConnectionInfo", theirs.info, here.info),
        ]
        with theirs.cursor("named") as other, here.cursor("named") as mine:
            pairs.append(("ServerCursor", other, mine))
            for cls, other_object, my_object in pairs:
                for name in API["classes"][cls]:
                    assert hasattr(my_object, name) == hasattr(other_object, name), f"{cls}.{name}"


def test_enumerations() -> None:
    for name in ("ConnStatus", "DiagnosticField", "ExecStatus", "Format", "Ping", "PipelineStatus", "PollingStatus"):
        theirs = {each.name: each.value for each in getattr(psycopg.pq, name)}
        assert {each.name: each.value for each in getattr(pq, name)} == theirs
    assert [(each.name, each.value) for each in neonps.IsolationLevel] == [
        (each.name, each.value) for each in psycopg.IsolationLevel
    ]


# The twins

TWINS = [name for name in neonps.__all__ if f"Async{name}" in neonps.__all__]


def public(cls: type) -> dict[str, Any]:
    return {name: getattr(cls, name) for name in dir(cls) if not name.startswith("_")}


def test_there_are_twins() -> None:
    assert {"Connection", "Cursor", "ServerCursor", "Copy", "Pipeline", "Transaction"} <= set(TWINS)
    asynchronous = {name for name in neonps.__all__ if name.startswith("Async")}
    assert asynchronous - {f"Async{name}" for name in TWINS} == set()


@pytest.mark.parametrize("name", TWINS)
def test_twins_have_the_same_names_and_signatures(name: str) -> None:
    blocking, asynchronous = getattr(neonps, name), getattr(neonps, f"Async{name}")
    mine, other = public(blocking), public(asynchronous)
    assert set(mine) == set(other)
    if hasattr(psycopg, name):
        mine["__init__"], other["__init__"] = blocking.__init__, asynchronous.__init__
    for method in mine:
        if inspect.isroutine(mine[method]):
            given, taken = keywords(mine[method]), keywords(other[method])
            assert [(n, p.kind, p.default) for n, p in given.items()] == [
                (n, p.kind, p.default) for n, p in taken.items()
            ], method


@pytest.mark.parametrize("name", TWINS)
def test_everything_public_has_a_docstring(name: str) -> None:
    for cls in (getattr(neonps, name), getattr(neonps, f"Async{name}")):
        assert cls.__doc__
        for method, value in public(cls).items():
            if inspect.isroutine(value) or isinstance(inspect.getattr_static(cls, method), property):
                assert inspect.getdoc(value) or inspect.getdoc(inspect.getattr_static(cls, method)), method


# What a transport cannot do

SESSION_ONLY = {
    "server cursor": lambda conn: conn.cursor("named").execute("select 1"),
    "notifies": lambda conn: next(conn.notifies(timeout=1)),
    "listen": lambda conn: conn.execute("listen events"),
    "copy": lambda conn: conn.cursor().copy("copy (select 1) to stdout").__enter__(),
    "tpc_begin": lambda conn: conn.tpc_begin("x"),
    "tpc_recover": lambda conn: conn.tpc_recover(),
    "cancel": lambda conn: conn.cancel_safe(),
    "begin": lambda conn: conn.execute("begin"),
    "savepoint": lambda conn: conn.execute("savepoint a"),
    "exec": lambda conn: conn.pgconn.exec_(b"select 1"),
}


@over_http
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("autocommit", [False, True])
@pytest.mark.parametrize("feature", SESSION_ONLY)
def test_what_needs_a_session_says_what_has_one(connect: Connect, feature: str, autocommit: bool) -> None:
    conn = connect(autocommit=autocommit)
    with pytest.raises(neonps.NotSupportedError, match="transport='websocket' or 'tcp'"):
        SESSION_ONLY[feature](conn)
    assert conn.execute("select 1").fetchone() == (1,)
