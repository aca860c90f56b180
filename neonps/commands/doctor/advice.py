"""What is wrong when a step has failed, and how to mend it, in a sentence or two."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from .failure import Failure
from .http_advice import advise_endpoint, advise_upgrade
from .network_advice import advise_dns, advise_tcp, advise_tls
from .postgres_advice import advise_login, advise_query
from .proxy_advice import advise_proxy, note_unused

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
    proxy = failure.settings.proxy
    if proxy is not None and failure.is_at_proxy:
        return advise_proxy(failure, proxy)
    advice = _BY_STEP[failure.step](failure)
    if failure.step in _ON_THE_WAY and proxy is None:
        advice += note_unused(failure, environ)
    return advice
