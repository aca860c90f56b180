"""Advice on what Postgres, and poolers before it, answer to a login or a query."""

from __future__ import annotations

import re
from collections.abc import Callable

from .failure import Failure

_Sentence = Callable[[Failure], str]

_NO_PASSWORD = (
    "There is no password: write it into the URL (user:password@host), or set PGPASSWORD, or put it into ~/.pgpass."
)

_PASSWORD = (
    "The password is wrong, or there is no user {user}: copy the URL anew from where the database is managed. In a URL,"
    " special characters of the password are percent-encoded (@ is %40, / is %2F, % is %25)."
)

#: By SQLSTATE; `{user}` and `{dbname}` are filled in.
_SQLSTATES = {
    "28P01": _PASSWORD,
    "3D000": 'There is no database {dbname} there: mend the name after the last / of the URL, or create it.',
    "42501": "The user {user} may not do this: have GRANT CONNECT ON DATABASE {dbname} TO {user} run there.",
    "53300": "All connections that are allowed are taken: close some that are idle, connect by way of a pooler, or use "
    "transport=http, and raise max_connections or the limit of the role last.",
    "53400": "A limit of the server is reached: see what it says, and raise the limit or ask for less.",
    "55000": "The database takes no connections: see ALLOW_CONNECTIONS of it, or the provider's console.",
    "57P03": "The server is starting up, or shutting down: try again in some seconds.",
    "57P01": "The server was shut down, or somebody has ended this session: try again.",
    "57P02": "The server has crashed and starts again: try again in some seconds.",
    "57014": "The query was cancelled: statement_timeout is too short for it (see the role's and the database's "
    "settings, and options= in the URL), or somebody has cancelled it.",
    "25006": "The server, or this role, may only read: for writing connect to the primary.",
    "0A000": "The server, or a pooler before it, cannot do that: see what it says.",
    "08P01": "The server, or a pooler before it, does not take something that was sent: see what it says, and its log.",
    "22023": "The server does not take a value of options=, client_encoding or another setting in the URL: mend it.",
    "42704": "The server does not know a setting in options= of the URL: mend its name.",
}  # fmt: skip

#: By what the message says, where the SQLSTATE says too little or there is none.
_MESSAGES: tuple[tuple[str, str], ...] = (
    (r"no password supplied|there is no password", _NO_PASSWORD),
    (
        r"asks for a clear-text password, which require_auth",
        "The server wants the password in clear text, which neonps sends only where that is known to be right: if this "
        "is your server, or its provider says so, add require_auth=password. Otherwise somebody may be after it.",
    ),
    (
        r"asks for an MD5-hashed password, which require_auth",
        "The server wants the password hashed by MD5, which is no longer safe: have it set password_encryption to "
        "scram-sha-256 and the password set anew, or add require_auth=md5.",
    ),
    (
        r"which require_auth=.* does not allow",
        "The server logs in by another way than require_auth allows: leave require_auth out, or add that way to it.",
    ),
    (r"although pipeline_connect has sent", "This server has to be asked first: add pipeline_connect=off."),
    (
        r"without proving that it knows the password|signature",
        "The server does not know the password either, so that it is not the one that it should be: do not trust it.",
    ),
    (r"channel binding", "The login cannot be bound to TLS there: use channel_binding=prefer, or TLS with SCRAM."),
    (r"is not permitted to log in", "The role {user} has no right to log in: ALTER ROLE {user} LOGIN, or use another."),
    (
        r'role ".*" does not exist',
        "There is no user {user} there: mend the user in the URL, or CREATE ROLE {user} LOGIN.",
    ),
    (
        r"no encryption|SSL off|requires? (SSL|TLS)|connection is insecure",
        "The server lets nobody in without TLS: add sslmode=require.",
    ),
    (
        r"pg_hba\.conf",
        "The server's pg_hba.conf lets {user} not in from here to {dbname}: add a line for it there, and reload.",
    ),
    (
        r"query_wait_timeout|no more connections allowed",
        "The pooler has no connection left: close some that are idle, or raise max_client_conn or pool_size.",
    ),
    (
        r"server login|cannot connect to server|client_login_timeout|server_connect_timeout",
        "The pooler works, but does not get to the Postgres behind it: start that, or mend the pooler's settings.",
    ),
    (
        r"startup parameter",
        "A pooler before the server does not know a parameter, such as options: name it in PgBouncer's "
        "ignore_startup_parameters.",
    ),
    (
        r"bouncer config error|no such database|no such user|not find.*(database|user)",
        "The pooler does not know this database or user: mend their names in the URL, or add them to its settings.",
    ),
    (
        r"session is (not )?read-only|hot standby",
        "The server is not what target_session_attrs wants: give the host of one that is, or leave it out.",
    ),
    (
        r"the server has sent \w+ (when|during)|the server broke",
        "What answers does not keep to Postgres's protocol: mend the host or the port, or the proxy before Postgres.",
    ),
    (r"speaks HTTP", "A server of HTTP is there, not Postgres: mend the port, or give that server's URL as gateway=."),
    (
        r"asks for authentication by",
        "The server wants a way to log in that neonps does not know: have it take scram-sha-256 for this user.",
    ),
)


def advise_login(failure: Failure) -> str:
    """The login has failed."""
    advice = advise_database(failure)
    if advice:
        return advice
    if failure.status == 401:
        return "The endpoint does not know who we are: mend the user, the password or the token."
    if failure.is_silence:
        return (
            f"{failure.where} takes connections, but the login was not answered in time: the database wakes up, is "
            "overloaded, or what listens there is no Postgres. Try again, with a longer connect_timeout."
        )
    if failure.heard and failure.settings.transport == "tcp" and failure.heard[:1] not in b"RENSv":
        return f"What answers at {failure.where} is no Postgres: mend the host or the port."
    return (
        "The connection has ended during the login: the Postgres behind it is not reachable or has crashed, or what "
        "listens there is no Postgres; see its log, and try again."
    )


def advise_query(failure: Failure) -> str:
    """The query has failed."""
    advice = advise_database(failure)
    if advice:
        return advice
    if "timeout" in failure.text:
        return "The server has let us in, but does not answer a query: it is overloaded; look at what it is doing."
    return "The server has let us in, but the query has failed: see what it says, and its log."


def advise_database(failure: Failure) -> str:
    """What the database's words mean; "" if they are not known."""
    found = next((advice for pattern, advice in _MESSAGES if re.search(pattern, failure.text)), None)
    found = found or _SQLSTATES.get(failure.error.sqlstate or "")
    if found is None:
        return ""
    settings = failure.settings
    return found.replace("{user}", f'"{settings.user}"').replace("{dbname}", f'"{settings.dbname}"')
