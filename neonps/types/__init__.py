"""The adapters for the types that come with Postgres, and what is known of types."""

from importlib import import_module
from typing import Any

from ..typeinfo import TypeInfo, TypesRegistry

__all__ = ["TypeInfo", "TypesRegistry"]

#: The modules that are attributes here before anyone has imported them, as they are in psycopg.
_MODULES = frozenset(
    [
        "array",
        "bool",
        "composite",
        "datetime",
        "enum",
        "hstore",
        "json",
        "multirange",
        "net",
        "none",
        "numeric",
        "numpy",
        "range",
        "string",
        "uuid",
    ]
)


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
