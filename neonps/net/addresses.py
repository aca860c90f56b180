"""Addresses and socket options, the same for every runner."""

from __future__ import annotations

import socket
from collections.abc import Callable
from threading import Thread
from typing import Any

from ..endpoint import is_loopback
from ..flows.requests import KeepAlive, NameNotResolved


def unix_address(host: str, port: int) -> str | None:
    """The address of the Unix socket that `host` and `port` mean; None when `host` is no path."""
    if host.startswith("/"):
        return f"{host}/.s.PGSQL.{port}"
    if host.startswith("@"):
        return f"\0{host[1:]}/.s.PGSQL.{port}"
    return None


def numeric_addresses(host: str, port: int) -> list[tuple[int, Any]]:
    """The address that `host` is, when it is no name that has to be looked up; otherwise nothing."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return []
    return [(int(family), address) for family, _, _, _, address in found]


def look_up(host: str, port: int, then: Callable[[list[tuple[int, Any]] | NameNotResolved], object]) -> Thread:
    """Ask the system's resolver for the addresses of `host`. It knows no deadline, so it gets a thread that may be left
    to itself, also when the program ends. There `then` is called with what has come of it.

    `localhost` is spoken to without TLS, so that it is this machine whoever answers for it (RFC 6761 6.3).
    """

    def ask() -> None:
        try:
            infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            then(NameNotResolved(f"failed to resolve host {host!r}: {error}"))
        else:
            found = [(int(family), address) for family, _, _, _, address in infos]
            if is_loopback(host):
                found = [(family, address) for family, address in found if is_loopback(str(address[0]))]
                if not found:
                    then(NameNotResolved(f"host {host!r} leads to another machine"))
                    return
            then(found)

    thread = Thread(target=ask, name="neonps-resolver", daemon=True)
    thread.start()
    return thread


def interleaved(addresses: list[tuple[int, Any]]) -> list[tuple[int, Any]]:
    """The addresses in the order in which to try them: IPv6 and IPv4 in turn (RFC 8305 4), so that one of the two that
    leads nowhere costs one attempt. The system's order decides which comes first, and about those of one family.
    """
    first = [pair for pair in addresses if pair[0] == addresses[0][0]]
    others = [pair for pair in addresses if pair[0] != addresses[0][0]]
    paired = [pair for both in zip(first, others, strict=False) for pair in both]
    return paired + first[len(others) :] + others[len(first) :]


def numbers_of(family: int, address: Any) -> str:
    """An address as `numeric_addresses` takes it, without the port."""
    host: str = address[0]
    scope = address[3] if family == socket.AF_INET6 else 0
    return f"{host}%{scope}" if scope and "%" not in host else host


def set_keepalive(sock: socket.socket, keepalive: KeepAlive) -> None:
    """Set what `keepalive` says, as far as the system knows the options, and send small messages at once."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, int(keepalive.enabled))
    wanted = (
        ("TCP_KEEPIDLE", keepalive.idle),
        ("TCP_KEEPINTVL", keepalive.interval),
        ("TCP_KEEPCNT", keepalive.probes),
        ("TCP_USER_TIMEOUT", keepalive.user_timeout),
    )
    for name, value in wanted:
        if value and hasattr(socket, name):
            try:
                sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
            except OSError as error:
                raise OSError(f"setsockopt({name}) failed: {error.strerror}") from None
