"""A local server that speaks SQL over HTTP, and Postgres in WebSockets, in front of any Postgres."""

from .server import Gateway
from .upstream import Upstream

__all__ = ["Gateway", "Upstream"]
