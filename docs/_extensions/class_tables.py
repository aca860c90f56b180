"""Directives that make a table of many small classes: the exceptions by SQLSTATE, and the adapters of a module."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from importlib import import_module
from types import GenericAlias
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from neonps import adapt, errors, sqlstates


class ClassTable(SphinxDirective):
    """A table with a row for each class, which links can lead to."""

    headings: Sequence[str]

    def rows(self) -> Iterable[tuple[type, str, Sequence[str]]]:
        """Each class, the name by which programs import it, and the cells beside it."""
        raise NotImplementedError

    def run(self) -> list[nodes.Node]:
        table = nodes.table(classes=["class-table"])
        group = nodes.tgroup(cols=len(self.headings))
        table += group
        group += [nodes.colspec(colwidth=1) for _ in self.headings]
        group += nodes.thead("", _row([nodes.Text(heading) for heading in self.headings]))
        group += nodes.tbody(
            "", *(_row([self._class(cls, name), *map(self._cell, cells)]) for cls, name, cells in self.rows())
        )
        return [table]

    def _class(self, cls: type, name: str) -> nodes.Node:
        code = nodes.literal("", name.rpartition(".")[2], ids=[name])
        self.state.document.note_explicit_target(code)
        kind = "exception" if issubclass(cls, Exception) else "class"
        self.env.domains["py"].note_object(name, kind, name, location=code)  # type: ignore[attr-defined]
        return code

    def _cell(self, text: str) -> nodes.Node:
        found, messages = self.state.inline_text(text, self.lineno)
        return nodes.inline("", "", *found, *messages)


class SqlstateTable(ClassTable):
    """`.. sqlstates::`, the exceptions that stand for an SQLSTATE each."""

    headings = ("Class", "SQLSTATE", "Below")

    def rows(self) -> Iterable[tuple[type, str, Sequence[str]]]:
        for name, cls in vars(sqlstates).items():
            if isinstance(cls, type) and issubclass(cls, errors.Error) and cls.sqlstate is not None:
                yield cls, f"neonps.errors.{name}", (cls.sqlstate, f"`{cls.__bases__[0].__name__}`")


class AdapterTable(ClassTable):
    """`.. adapters:: MODULE`, the dumpers and loaders that are public in it."""

    headings = ("Class", "What it does")
    required_arguments = 1

    def rows(self) -> Iterable[tuple[type, str, Sequence[str]]]:
        module = import_module(self.arguments[0])
        names = getattr(module, "__all__", None) or [name for name in vars(module) if not name.startswith("_")]
        for name in names:
            cls = getattr(module, name)
            is_class = isinstance(cls, type) and not isinstance(cls, GenericAlias)  # on 3.10 `list[int]` is both
            if (
                is_class
                and issubclass(cls, (adapt.Dumper, adapt.Loader))
                and cls.__module__.startswith("neonps.types.")
            ):
                yield cls, f"{module.__name__}.{name}", ((inspect.getdoc(cls) or "").partition("\n\n")[0],)


def _row(cells: Iterable[nodes.Node]) -> nodes.row:
    return nodes.row("", *(nodes.entry("", nodes.paragraph("", "", cell)) for cell in cells))


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("sqlstates", SqlstateTable)
    app.add_directive("adapters", AdapterTable)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
