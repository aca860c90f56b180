"""Advice on what can go wrong with a proxy on the way."""

from __future__ import annotations

from collections.abc import Mapping

from ...proxies import Proxy
from .failure import Failure

#: The variables by which programs are told of a proxy.
VARIABLES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")

_WITHOUT = "or do without by proxy=none (or NO_PROXY), if this machine gets out without it"


def advise_proxy(failure: Failure, proxy: Proxy) -> str:
    """There is no way through the proxy, or none to it."""
    text = failure.text
    named = f"{proxy.source} names {proxy.url}"
    if failure.step == "dns":
        return f"{named}, and there is no such host: mend it, {_WITHOUT}."
    if failure.step == "tcp":
        return f"{named}, where nothing answers: mend the host or the port, start the proxy, {_WITHOUT}."
    if failure.step == "tls":
        return (
            f"{named}, with which TLS has failed: if it is a proxy without TLS, write http://; if its CA is one of "
            "your own, sslrootcert=FILE has to have the proxy's CA and the server's."
        )
    if failure.is_silence:
        return f"{named}, which takes connections but does not answer: it waits for the server, or is no proxy of HTTP."
    if "status 407" in text:
        return f"{named}. Its login is part of its URL, percent-encoded: http://USER:PASSWORD@HOST:PORT."
    if "forbids" in text:
        return "The rules of the proxy do not allow this server or port: have whoever runs it allow CONNECT to it."
    if "cannot reach" in text:
        return "The proxy works, but does not get to the server: mend the server's host or port, or try again later."
    return f"{named}. What answers there is no proxy that does CONNECT, or refuses to: see its log, {_WITHOUT}."


def note_unused(failure: Failure, environ: Mapping[str, str]) -> str:
    """That a proxy is named which is not used, where that can be the reason; otherwise ""."""
    variable = next((name for name in VARIABLES if environ.get(name)), None)
    if variable is None or failure.is_near:
        return ""
    if failure.settings.transport == "tcp":
        return (
            f" {variable} is set, but transport=tcp goes by way of a proxy only if proxy= says so: if this machine "
            "gets out by its proxy only, that is why."
        )
    return (
        f" {variable} is set, but not used here: NO_PROXY, proxy=, or the kind of the endpoint says so. If this "
        "machine gets out by its proxy only, that is why."
    )
