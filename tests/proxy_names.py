"""A plugin of `proxy.py`, which runs in the proxy: names below `.test`, which nobody else knows, are this machine."""

from __future__ import annotations

from proxy.http.proxy import HttpProxyBasePlugin


class LocalNames(HttpProxyBasePlugin):
    """Finds addresses for the proxy."""

    def resolve_dns(self, host: str, port: int) -> tuple[str | None, None]:
        """The address of a host, and from where to connect; None is for the usual ones."""
        return ("127.0.0.1" if host.endswith(".test") else None), None
