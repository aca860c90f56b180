"""Advice on what HTTP servers answer in place of a gateway."""

from __future__ import annotations

import re

from .failure import Failure

_PAGE = (
    "Something else answers in place of the endpoint: the login page of a network (open a web site in a browser first),"
    " a proxy, or another web server; see whether the endpoint is right."
)

#: What a status says when the request was to be a WebSocket.
_UPGRADE = {
    200: f"The answer is a page, and no WebSocket. {_PAGE}",
    400: "The endpoint does not take this for the beginning of a WebSocket: a proxy before it drops the header Upgrade "
    "(nginx: proxy_set_header Upgrade $http_upgrade), or the path of the endpoint is wrong.",
    403: "The endpoint does not let us in: it does not lead to the host and port in the URL, has a list of addresses "
    "that this machine is not on, or a firewall forbids WebSockets.",
    404: "There is no WebSocket at this path: mend gateway= (its base URL, without /v2) or ws_proxy=.",
    405: "There is no WebSocket at this path: mend gateway= (its base URL, without /v2) or ws_proxy=.",
    426: "What answers does not open WebSockets, or a proxy before it does not let them through: have it pass on the "
    "header Upgrade, or use transport=http.",
    501: "What answers cannot open WebSockets: use transport=http, or mend the endpoint.",
}

#: What it says for SQL over HTTP.
_ENDPOINT = {
    200: f"The answer has status 200 but is no result of SQL. {_PAGE}",
    400: "The endpoint did not understand the request: see whether it is one of SQL over HTTP, and its path right.",
    403: "The endpoint does not let us in: SQL over HTTP is off there, it has a list of addresses that this machine is "
    "not on, or a firewall forbids it.",
    404: "There is no SQL over HTTP at this path, so this is no gateway: mend gateway= (its base URL, without /sql) "
    "or fetch_endpoint=.",
    405: "What is at this path takes no POST, so that it is no gateway: mend gateway= or fetch_endpoint=.",
}

#: What it says in both cases.
_BOTH = {
    401: "The endpoint does not know who we are: mend the user, the password or the token.",
    402: "The provider wants to be paid, or its free hours are used up: see its console.",
    407: "A proxy on the way that nobody has named wants a login: name it by proxy=http://USER:PASSWORD@HOST:PORT.",
    408: "The endpoint has waited too long for the request: the network is slow, or loses packets; try again.",
    429: "The endpoint gets more requests than it allows: try again later, with fewer of them.",
    500: "The endpoint has failed: try again, and tell whoever runs it, with the request id if there is one.",
    502: "A load balancer answers, but gets no answer from the gateway behind it: wait, then look at that gateway.",
    503: "A load balancer answers that nothing behind it is ready: try again in a while, then look at the gateway.",
    504: "A load balancer has waited too long for the gateway behind it: try again, then look at that gateway.",
}

_ASLEEP = (
    "The endpoint is there, but its database is not: if it sleeps, it is being woken, so try again in some seconds; "
    "otherwise start it, or see the provider's console."
)
_UNREACHABLE = "The gateway works, but the Postgres behind it cannot be reached: start that, or mend where it leads to."
_REDIRECT = (
    "The answer leads elsewhere, and is not followed: give the URL that it leads to, if that is a gateway. The login "
    "page of a network, or of a proxy, answers so too."
)
_PLAIN_TO_TLS = "This port speaks TLS: write the endpoint with https:// (wss://)."


def advise_endpoint(failure: Failure) -> str:
    """There is no answer to SQL over HTTP."""
    return _advise(failure, _ENDPOINT)


def advise_upgrade(failure: Failure) -> str:
    """There is no WebSocket."""
    return _advise(failure, _UPGRADE)


def _advise(failure: Failure, table: dict[int, str]) -> str:
    if failure.speaks_tls or "HTTP request was sent to HTTPS port" in failure.text:
        return _PLAIN_TO_TLS
    if failure.status is None:
        return _without_an_answer(failure)
    status = failure.status
    if 300 <= status < 400:
        return _REDIRECT
    if status == 503 and failure.is_json:
        return _UNREACHABLE if re.search("cannot be reached|connection to .* failed", failure.text) else _ASLEEP
    advice = table.get(status) or _BOTH.get(status)
    if advice is None:
        who = (
            "The endpoint, or something before it, has failed" if status >= 500 else "The endpoint refuses the request"
        )
        advice = f"{who}: see what it says, and whether the endpoint is right."
    return advice


def _without_an_answer(failure: Failure) -> str:
    if failure.is_silence or "has not answered within" in failure.text:
        return (
            f"{failure.where} takes connections, but has not answered in time: it is overloaded, waits for a database "
            "that is asleep, or is no server of HTTP. Try again, with a longer connect_timeout (over HTTP: timeout)."
        )
    if failure.heard.startswith(b"HTTP/"):
        return (
            "The answer was cut off: something between here and the endpoint is broken, or it has crashed; try again."
        )
    if failure.heard:
        return f"What answers at {failure.where} does not speak HTTP: mend the port of the endpoint."
    endpoint = failure.settings.fetch_url or failure.settings.websocket_url
    if endpoint is not None and endpoint.port in (5432, 6432):
        return (
            f"The server has hung up without a word: port {endpoint.port} is one of Postgres itself. The endpoint has "
            "to be that of a gateway; without one, use transport=tcp."
        )
    return (
        "The server has hung up without a word: what listens there does not speak HTTP, or has crashed, or wants TLS "
        "(https://)."
    )
