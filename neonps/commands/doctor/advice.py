"""What is wrong when a step has failed, and how to mend it, in a sentence or two."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from .failure import Failure
from .http_advice import advise_endpoint, advise_upgrade
from .network_advice import advise_dns, advise_tcp, advise_tls
from .postgres_advice import advise_login, advise_query

#: The variables by which other programs are told of a proxy.
PROXY_VARIABLES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")

_BY_STEP: dict[str, Callable[[Failure], str]] = {
    "dns": advise_dns,
    "tcp": advise_tcp,
    "tls": advise_tls,
    "endpoint": advise_endpoint,
    "upgrade": advise_upgrade,
    "login": advise_login,
    "query": advise_query,
}

#: The steps in which it can make a difference that the driver does not go by way of a proxy.
_ON_THE_WAY = frozenset({"dns", "tcp", "tls", "endpoint", "upgrade"})


def advise(failure: Failure, environ: Mapping[str, str]) -> str:
    """What is wrong, and how to mend it."""
    advice = _BY_STEP[failure.step](failure)
    if failure.step in _ON_THE_WAY and not failure.is_near:
        variable = next((name for name in PROXY_VARIABLES if environ.get(name)), None)
        if variable is not None:
            advice += (
                f" {variable} is set, but neonps does not use proxies: if this machine gets out by its proxy only, "
                "that is why."
            )
    return advice
