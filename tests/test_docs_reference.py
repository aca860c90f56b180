"""The reference on the site: it has every public name, and every public name says what it is."""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path
from types import GenericAlias, ModuleType
from typing import Any, TypeVar

import pytest
from pages import ROOT

import neonps

REFERENCE = sorted((ROOT / "docs/reference").glob("*.md"))

#: The modules that programs import names from: a page has to say of each what it is.
MODULES = [
    "neonps",
    "neonps.abc",
    "neonps.adapt",
    "neonps.as_psycopg",
    "neonps.conninfo",
    "neonps.copy",
    "neonps.embedded",
    "neonps.errors",
    "neonps.gateway",
    "neonps.local",
    "neonps.pool",
    "neonps.postgres",
    "neonps.pq",
    "neonps.rows",
    "neonps.sql",
    "neonps.types",
    *(f"neonps.types.{name}" for name in sorted(neonps.types._MODULES)),
]

_directive = re.compile(
    r"^\.\. (?:(?:auto|py:)(?P<kind>\w+)|(?P<table>adapters|sqlstates)):: ?(?P<name>[\w.]*)", re.MULTILINE
)
_module = re.compile(r"^\.\. (?:py:(?:current)?module|automodule|currentmodule):: (?P<name>[\w.]+)", re.MULTILINE)


def described() -> set[str]:
    """The full names of what the pages describe."""
    names = set()
    for page in REFERENCE:
        text = page.read_text(encoding="utf-8")
        for match in _directive.finditer(text):
            name = match["name"]
            if match["table"] == "adapters":
                names.update(f"{name}.{each}" for each in adapters(importlib.import_module(name)))
            elif match["kind"] in ("module", "currentmodule"):
                if re.match(r"\n   :members:", text[match.end() :]):
                    names.update(f"{name}.{each}" for each in importlib.import_module(name).__all__)
            elif match["kind"]:
                within = [found["name"] for found in _module.finditer(text, 0, match.start())]
                names.add(name if name.startswith("neonps.") else f"{within[-1]}.{name}")
    return names


def adapters(module: ModuleType) -> list[str]:
    """The dumpers and loaders of a module, which one table has."""
    bases = (neonps.adapt.Dumper, neonps.adapt.Loader)
    return [name for name, value in vars(module).items() if is_class(value) and issubclass(value, bases)]


def is_class(value: Any) -> bool:
    """Whether it is a class, which on Python 3.10 `list[int]` says to be too."""
    return isinstance(value, type) and not isinstance(value, GenericAlias)


def public_names(module: str) -> list[str]:
    """What a module has for programs: `__all__`, or what is written in it without an underscore."""
    found = importlib.import_module(module)
    if hasattr(found, "__all__"):
        return list(found.__all__)
    return [
        name
        for name, value in vars(found).items()
        if not name.startswith("_")
        and getattr(value, "__module__", None) == module
        and not isinstance(value, TypeVar)
        and not (module == "neonps.errors" and getattr(value, "sqlstate", None))  # they are in a table
    ]


#: What is public by its name, and made for neonps alone.
INTERNAL = {
    "neonps.conninfo.check_keyword",
    "neonps.copy.BaseCopy",
    "neonps.embedded.DirectoryTaken",
    "neonps.embedded.PortTaken",
    "neonps.embedded.find_binaries",
    "neonps.embedded.free_port",
    "neonps.embedded.is_ready",
    "neonps.embedded.tail",
    "neonps.errors.error_from_fields",
    "neonps.local.GatewayThread",
    "neonps.local.gateway_url",
    "neonps.types.array.list_dumper",
}

PUBLIC = [
    f"{module}.{name}" for module in MODULES for name in public_names(module) if f"{module}.{name}" not in INTERNAL
]


@pytest.mark.parametrize("module", MODULES)
def test_the_reference_has_each_name(module: str) -> None:
    names = described()
    missing = [
        name
        for name in PUBLIC
        if name.rpartition(".")[0] == module and name not in names and not is_elsewhere(name, names)
    ]
    assert missing == []


def is_elsewhere(name: str, names: set[str]) -> bool:
    """Whether what `name` stands for is described under its name in another module."""
    module, _, last = name.rpartition(".")
    value = getattr(importlib.import_module(module), last)
    if is_class(value) and module.startswith("neonps.types."):
        return any(
            other.startswith("neonps.types.") and _value(other) is value
            for other in names
            if other.rpartition(".")[2] == last
        )
    return f"neonps.{last}" in names and getattr(neonps, last, None) is value


def _value(name: str) -> Any:
    module, _, last = name.rpartition(".")
    return getattr(importlib.import_module(module), last, None)


def test_the_reference_has_no_name_that_is_not_there() -> None:
    assert [name for name in sorted(described()) if _value(name) is None] == []


def test_each_module_has_a_page_that_names_it() -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in REFERENCE)
    assert [module for module in MODULES if f":: {module}\n" not in text] == []


@pytest.mark.parametrize("name", [name for name in PUBLIC if not name.startswith("neonps.pool.")])
def test_each_name_says_what_it_is(name: str) -> None:
    """By a docstring; where there can be none, by a comment in front of it, which Sphinx reads as one."""
    module, _, last = name.rpartition(".")
    value = _value(name)
    if is_class(value):
        # A dataclass without a docstring has its signature for one.
        assert value.__doc__
        assert not value.__doc__.startswith(f"{value.__name__}(")
    elif inspect.isroutine(value):
        assert inspect.getdoc(value)
    elif name not in ("neonps.__version__", "neonps.adapters", "neonps.capabilities"):  # the page has it
        source = inspect.getsource(importlib.import_module(module))
        assert re.search(rf"^ *#: .*\n{last}\b", source, re.MULTILINE) or inspect.getdoc(value) != type(value).__doc__


@pytest.mark.parametrize("cls", ["Connection", "AsyncConnection", "Cursor", "AsyncCursor", "ServerCursor", "Copy"])
def test_each_public_method_has_a_docstring(cls: str) -> None:
    members = inspect.getmembers(getattr(neonps, cls))
    assert [
        name
        for name, value in members
        if not name.startswith("_") and (callable(value) or isinstance(value, property)) and not inspect.getdoc(value)
    ] == []


def test_the_start_page_names_files_that_are_on_the_way() -> None:
    """A how-to page that is not named there goes to the end of its group; one that is named twice is a mistake."""
    text = (ROOT / "docs/index.md").read_text(encoding="utf-8")
    named = re.findall(r"^(howto/\S+|reference/\S+|\w+)$", text, re.MULTILINE)
    assert len(named) == len(set(named))
    others = [name for name in named if "*" not in name and not name.startswith("howto/")]
    assert [name for name in others if not (Path(ROOT) / "docs" / f"{name}.md").exists()] == []
