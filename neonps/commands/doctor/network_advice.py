"""Advice on what can go wrong below HTTP and Postgres: names, TCP and TLS."""

from __future__ import annotations

import errno

from ...hosts import is_socket
from .failure import Failure


def advise_dns(failure: Failure) -> str:
    """The host has no address."""
    if failure.is_silence:
        return "The name servers of this machine do not answer: see to its network, then try again."
    name = failure.where
    if "Errno -3" in failure.text or "emporary failure" in failure.text:
        return (
            f'The name "{name}" could not be looked up now: see whether this machine has a network and a name server '
            "that works."
        )
    return (
        f'There is no host "{name}": compare its name in the URL with the one that the provider shows, letter by '
        "letter. A database that was deleted, or a name that is known within another network only, looks the same."
    )


_ERRNO = {
    errno.ENETUNREACH: "This machine has no way to that network: is it online, and has it IPv6 if the address is one?",
    errno.EHOSTUNREACH: "No way leads to that host from this machine: see to its network, its VPN and its firewall.",
    errno.ECONNRESET: "Something on the way has cut the connection: a firewall, or a proxy that has lost its server.",
    errno.EACCES: "This user may not use that socket: see to the permissions of its directory, or give host=.",
    errno.ENOENT: "There is no socket of a Postgres: start it, or give the directory of its socket as host=.",
}  # fmt: skip


def advise_tcp(failure: Failure) -> str:
    """There is no connection."""
    settings, where = failure.settings, failure.where
    number = getattr(failure.cause, "errno", None)
    if failure.is_silence or number == errno.ETIMEDOUT:
        advice = (
            f"Nothing has answered from {where}: a firewall drops what is sent there, or the address or the port in "
            "the URL is not that of a server."
        )
        if settings.transport == "tcp" and settings.port in (5432, 6432):
            advice += (
                " Many networks let only port 443 out; over a provider's endpoints, transport=websocket uses that."
            )
        return advice
    if number == errno.ECONNREFUSED and not is_socket(settings.host):
        server = "Postgres" if settings.transport == "tcp" else "the gateway"
        advice = (
            f"The machine is there, but nothing listens at {where}: start {server}, or mend the port "
            f"{'in the URL' if settings.transport == 'tcp' else 'of the endpoint'}."
        )
    else:
        advice = _ERRNO.get(number or 0, "The connection could not be made: see to the network of this machine.")
    if "host" not in settings.given and "hostaddr" not in settings.given and settings.transport == "tcp":
        advice += " The URL names no host, so that this machine was tried: is its host part missing?"
    return advice


#: By OpenSSL's code for what is wrong with a certificate (x509_vfy.h).
_VERIFY = {
    9: "The certificate is not valid yet: set the clock of this machine, or of the one that made it.",
    10: "The certificate has expired: renew it on the server. If it has not, the clock of this machine is wrong.",
    18: "The server has made its certificate itself: if it is yours, give that certificate as sslrootcert=FILE.",
    19: "The certificate is from a CA that this machine does not trust: a company's proxy that opens TLS, or a CA of "
    "your own; give the CA's certificate as sslrootcert=FILE, if you trust it.",
    20: "The certificate is from a CA that this machine does not know: give the CA's certificate as sslrootcert=FILE, "
    "or install the system's CA certificates (the package ca-certificates). A server that does not send its "
    "intermediate certificates looks the same.",
    21: "The server does not send the certificates between its own and the CA: have it send the full chain.",
    23: "The certificate was revoked: have it replaced, and do not trust this server until it is.",
    3: "There is no revocation list for the CA of the server: give one that is for it as sslcrl, or none.",
    12: "The revocation list has expired: get a new one for sslcrl.",
    62: "The certificate is for another host: write the host as the certificate has it, or give the server a "
    "certificate for this name. If it is a stranger's, something else answers in place of the server.",
    64: "The certificate is not for this address: write the server's name, not its address, into the URL.",
}  # fmt: skip


#: Those that say that the certificate is for another name, or for another address.
WRONG_HOST = (62, 64)


def advise_tls(failure: Failure) -> str:
    """There is a connection, but it is not secured."""
    settings, text = failure.settings, failure.text
    code = failure.verify_code
    if code in WRONG_HOST:
        names = f" It is for {', '.join(failure.names)}." if failure.names else ""
        return f"{_VERIFY[code]}{names}"
    if code is not None:
        return _VERIFY.get(code, "The certificate of the server is not good: have it replaced.") + _own_ca(failure)
    if "cannot set up TLS" in text:
        return "A file that the URL or the environment names for TLS cannot be read: mend its path, or leave it out."
    if failure.is_silence:
        return (
            f"{failure.where} takes connections, but does not answer: it does not speak TLS, or is overloaded, or a "
            "firewall lets nothing through."
        )
    if "does not support TLS" in text:
        return (
            "This Postgres has no TLS: set it up there (ssl = on), or, if nobody can listen on the way, say "
            "sslmode=disable."
        )
    if "request for TLS" in text:
        return _not_postgres(failure)
    if any(words in text for words in ("WRONG_VERSION_NUMBER", "PACKET_LENGTH", "HTTP_REQUEST", "UNKNOWN_PROTOCOL")):
        if settings.transport == "tcp":
            return "The server does not speak TLS there: leave sslnegotiation=direct out, or mend the port."
        return (
            f"The server at {failure.where} does not speak TLS: the port is wrong, or its endpoint is http:// (ws://), "
            "which is allowed on this machine, and elsewhere with sslmode=disable."
        )
    if "closed the connection" in text:
        return (
            "The server, or something before it, has hung up as soon as TLS began: the port is not one of TLS, it does "
            "not know this host name, or a firewall forbids it."
        )
    if "VERSION" in text or "PROTOCOL" in text or "HANDSHAKE_FAILURE" in text:
        return "The two sides have no version or cipher of TLS in common: the server has to speak TLS 1.2 or 1.3."
    return "The TLS handshake has failed: see what the server's log says of it."


def _own_ca(failure: Failure) -> str:
    tls = failure.settings.tls
    return f" sslrootcert is {tls.rootcert} now." if tls is not None and tls.rootcert is not None else ""


def _not_postgres(failure: Failure) -> str:
    if failure.heard.startswith(b"HTTP/"):
        return f"{failure.where} is a server of HTTP, not of Postgres: mend the port, or give its URL as gateway=."
    return f"What answers at {failure.where} is no Postgres: mend the host or the port."
