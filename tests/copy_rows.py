"""The function for `to_sql(method=…)` that docs/howto/pandas.md shows, taken from there."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from pages import ROOT

_text = (ROOT / "docs/howto/pandas.md").read_text(encoding="utf-8")
_function = re.search(r"^def copy_rows\(.*?(?=^\S)", _text, re.MULTILINE | re.DOTALL)
assert _function, "the page has lost its function"

_names: dict[str, Any] = {}
exec("from neonps import sql\n" + _function[0], _names)
copy_rows: Callable[..., int] = _names["copy_rows"]
