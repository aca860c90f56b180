"""Docstrings on the site.

What is between backticks is code, as in Markdown, and a link where it names something that is on the site. So is a
class in an annotation; the others that annotations name are Python's own, type variables, or nobody's business.
Classes and exceptions that programs do not make themselves have no arguments.
"""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from docutils.parsers.rst.states import Inliner
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.ext.napoleon import GoogleDocstring
from sphinx.util.nodes import make_refnode

#: What may name something: a dotted name, called or not.
_name = re.compile(r"(?P<name>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)(?:\(.*\))?").fullmatch


def backticks(
    role: str,
    rawtext: str,
    text: str,
    lineno: int,
    inliner: Inliner,
    options: dict[str, Any] | None = None,
    content: list[str] | None = None,
) -> tuple[list[nodes.Node], list[nodes.system_message]]:
    """The role of text in single backticks."""
    # docutils has taken backslashes for escapes, which they are not in code.
    text = nodes.unescape(text, restore_backslashes=True)
    code = nodes.literal(text, text)
    match = _name(text)
    if match is None:
        return [code], []
    env: BuildEnvironment = inliner.document.settings.env
    reference = pending_xref(
        "",
        code,
        refdoc=env.docname,
        refdomain="",
        reftype="backticks",
        reftarget=match["name"],
        module=env.ref_context.get("py:module") or "neonps",
        cls=env.ref_context.get("py:class"),
    )
    return [reference], []


def resolve(app: Sphinx, env: BuildEnvironment, node: pending_xref, code: nodes.Element) -> nodes.Node | None:
    """Make a link of `node`, if what it names is on the site; otherwise leave what it shows."""
    target: str = node["reftarget"]
    if node["reftype"] == "backticks":
        scopes = [f"{node['module']}.", "", "neonps."]
        if node["cls"]:
            scopes.insert(0, f"{node['module']}.{node['cls']}.")
        names = [scope + target for scope in scopes]
    elif node.get("refdomain") == "py":
        # In an annotation the name is that of the module where a class is written, which is not where it is public.
        module, _, name = target.rpartition(".")
        names = [f"{public}.{name}" for public in ("neonps", module, "neonps.types", "neonps.adapt")]
        # Ranges are written in modules of their own.
        names.append(f"{module.removesuffix('_value')}.{name}")
    else:
        return None
    objects = env.domains["py"].objects  # type: ignore[attr-defined]
    for name in names:
        found = objects.get(name)
        # A word such as `conninfo` is an argument much more often than the module of this name.
        if found is not None and not (found.objtype == "module" and "." not in target):
            return make_refnode(app.builder, node["refdoc"], found.docname, found.node_id, code, name)
    # Sphinx has nothing to show for `...`, whose last part is empty.
    return code if code.astext() else nodes.Text(node.astext())


#: Classes whose objects come from a method or a function.
_made_by_neonps = re.compile(
    r"neonps\.((Async)?(Base)?(Connection|Copy|Pipeline|QueryFunction|Transaction)"
    r"|Capabilities|Column|ConnectionInfo|FullResults|errors\.Diagnostic|local\.LocalServer)"
).fullmatch


def signature(
    app: Sphinx, what: str, name: str, obj: object, options: Any, arguments: str | None, returns: str | None
) -> tuple[str | None, str | None]:
    """Show a signature as people write it (autodoc's event `autodoc-process-signature`)."""
    ours = _made_by_neonps(name) if what == "class" else what == "exception" and name != "neonps.Error"
    if ours and arguments:
        return "", None
    return _readable(arguments), _readable(returns)


def _readable(annotations: str | None) -> str | None:
    if annotations is None:
        return None
    annotations = re.sub(r"TypeAliasForwardRef\('([\w.]+)'\)", r"\1", annotations)
    return re.sub(r"\b(?:[\w.]+\.)?_(?:Async)?Self\b", "Self", annotations)


def sections(app: Sphinx, what: str, name: str, obj: object, options: Any, lines: list[str]) -> None:
    """Read the sections of a docstring (autodoc's event `autodoc-process-docstring`).

    Left to itself, napoleon takes what is in front of the first colon in the docstring of a property for its type.
    """
    what = "function" if what in ("attribute", "data", "property") else what
    lines[:] = GoogleDocstring(lines, app.config, app, what, name, obj, options).lines()


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_role("backticks", backticks)
    app.config.default_role = "backticks"
    app.connect("missing-reference", resolve)
    app.connect("autodoc-process-docstring", sections)
    app.connect("autodoc-process-signature", signature)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
