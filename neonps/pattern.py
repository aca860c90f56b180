"""Regular expressions that are compiled when they are used for the first time.

Compiling takes about as long as importing a module, and most programs use few of them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, AnyStr

__all__ = ["pattern"]

if TYPE_CHECKING:
    from re import compile as pattern
else:

    class pattern:
        """What `re.compile()` gives: has its attributes once one of them was asked for.

        Args:
            source: the regular expression.
            flags: those of `re`.
        """

        def __init__(self, source: AnyStr, flags: int = 0) -> None:
            self._source = source
            self._flags = flags

        def __getattr__(self, name: str) -> Any:
            compiled = re.compile(self._source, self._flags)
            for method in ("finditer", "fullmatch", "match", "search", "sub"):
                setattr(self, method, getattr(compiled, method))
            return getattr(compiled, name)
