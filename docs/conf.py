"""How Sphinx makes the site: `sphinx-build -W --keep-going -n -b html docs docs/_build/html`."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_extensions"))

import neonps

project = "neonps"
author = "the neonps authors"
copyright = f"{author}, MIT licence"
version = release = neonps.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    # In docs/_extensions
    "class_tables",
    "docstrings",
    "repository_pages",
]
exclude_patterns = ["_build", "_extensions", "pypi.md"]

# What is shown of a shell has answers in it, which are no shell script.
suppress_warnings = ["misc.highlighting_failure"]

# Pages are read on GitHub too: links to headings are written as it makes them.
myst_heading_anchors = 4

html_theme = "furo"
html_title = f"neonps {version}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
pygments_style = "friendly"
pygments_dark_style = "github-dark"

autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints_format = "short"
autodoc_type_aliases = {
    name: f"neonps.abc.{name}"
    for name in ("Buffer", "ConnDict", "ConnMapping", "ConnParam", "DumperKey", "Params", "Query", "QueryNoTemplate")
}
python_use_unqualified_type_names = True
python_display_short_literal_types = True
maximum_signature_line_length = 100
toc_object_entries_show_parents = "hide"
napoleon_google_docstring = napoleon_numpy_docstring = False  # docs/_extensions/docstrings.py does it
autodoc_default_options = {
    # The exceptions are attributes of connections too (PEP 249); they have a page.
    "exclude-members": ", ".join(name for name in vars(neonps) if name in vars(neonps.errors) and name[0].isupper()),
}
