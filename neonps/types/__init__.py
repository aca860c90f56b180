"""The adapters for the types that come with Postgres, and what is known of types."""

from ..typeinfo import TypeInfo

__all__ = ["TypeInfo"]
