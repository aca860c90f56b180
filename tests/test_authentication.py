"""Logging in where the server is not to be trusted: what it may ask for, and what it has to prove."""

from __future__ import annotations

import hmac
import struct
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from hashlib import pbkdf2_hmac, sha256
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import server_messages as s
from fake_server import FakeServer
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg import sql
from refused import check_no_secret
from scripted import ScramServer, ScriptedRunner, ScriptedServer
from transports import over_tcp

import neonps
from neonps.flows.connect import open_session
from neonps.protocol.scram import Scram, ServerNotTrusted, prepared
from neonps.settings import resolve

PASSWORD = "hunter2-5d1c"

MD5 = s.message("R", b"\0\0\0\5salt")
GSS = s.message("R", b"\0\0\0\7")

#: What a server can ask for, and the message.
ASKED = {
    "none": s.AUTHENTICATION_OK + s.KEY + s.IDLE,
    "password": s.AUTHENTICATION_CLEARTEXT,
    "md5": MD5,
    "scram-sha-256": s.AUTHENTICATION_SASL,
}

#: Values of `require_auth`; all methods of libpq, alone, together, and what is not one of them.
REQUIRED = [
    *["none", "password", "md5", "scram-sha-256", "gss", "sspi", "oauth"],
    *["password,md5", "scram-sha-256,none", "md5,none", "gss,sspi"],
    *["!none", "!password", "!md5", "!scram-sha-256", "!password,!md5", "!none,!password,!md5", "!gss,!sspi,!oauth"],
]


def gives_in(module: Any, asked: str, required: str) -> tuple[bool, bytes]:
    """Whether a driver does what a server asks for, and what it has sent after its start-up packet."""
    with FakeServer(ASKED[asked], close=asked != "none") as server:
        try:
            module.connect(
                f"host=127.0.0.1 port={server.port} user=u password={PASSWORD} dbname=d sslmode=disable"
                f" gssencmode=disable require_auth='{required}'"
            ).close()
            done = True
        except module.OperationalError as error:
            if "invalid require_auth value" in str(error):
                raise
            done = "require" not in str(error)  # otherwise the server has hung up on it
            check_no_secret(error, PASSWORD)
    (length,) = struct.unpack_from("!i", server.received)
    return done, server.received[length:]


@over_tcp
@pytest.mark.parametrize("required", REQUIRED)
@pytest.mark.parametrize("asked", ASKED)
def test_ways_to_log_in_as_libpq_has_them(transport: str, asked: str, required: str) -> None:
    try:
        expected, _ = gives_in(psycopg, asked, required)
    except psycopg.OperationalError:
        pytest.skip("this libpq does not know the method")
    done, sent = gives_in(neonps, asked, required)
    assert done is expected
    assert (sent[:1] == b"p") is (done and asked != "none")
    assert (PASSWORD.encode() in sent) is (done and asked == "password")


@pytest.mark.parametrize(
    ("asked", "allowed"), [("none", True), ("scram-sha-256", True), ("password", False), ("md5", False)]
)
def test_what_is_done_by_default(asked: str, allowed: bool) -> None:
    """Less than by libpq: no password goes to who has not proved anything, nor what could stand for one."""
    done, sent = gives_in(neonps, asked, "")
    assert done is allowed
    assert (sent[:1] == b"p") is (asked == "scram-sha-256")


@pytest.mark.parametrize(
    "required", ["pigeon", "!pigeon", "password,!md5", "!password,md5", "password,pigeon", "!", ",", "password,"]
)
def test_what_is_no_way_to_log_in(required: str) -> None:
    for module in (psycopg, neonps):
        module_: Any = module
        with pytest.raises(module_.OperationalError, match="require_auth"):
            module_.connect(f"host=127.0.0.1 port=1 require_auth='{required}' sslmode=disable")


#: Who could read a password in clear text, and where it is allowed to go all the same.
READABLE: list[tuple[dict[str, Any], bool]] = [
    ({"host": "db.example.com", "sslmode": "disable", "require_auth": "!md5"}, False),
    ({"host": "db.example.com", "sslmode": "disable", "require_auth": "password"}, True),
    ({"host": "db.example.com", "require_auth": "!md5"}, True),
    ({"host": "127.0.0.1", "require_auth": "!md5"}, True),
    ({"host": "/run/postgresql", "require_auth": "!md5"}, True),
    ({"host": "localhost", "hostaddr": "192.0.2.1", "sslmode": "disable", "require_auth": "!md5"}, False),
    ({"host": "127.0.0.1,db.example.com", "sslmode": "disable", "require_auth": "!md5"}, False),
    ({"host": "x.eu.aws.neon.tech", "transport": "tcp"}, True),
    ({"host": "x.eu.aws.neon.tech", "transport": "tcp", "sslmode": "disable"}, False),
    ({"host": "x.eu.aws.neon.tech"}, True),
    ({"host": "h", "gateway": "http://192.0.2.1", "sslmode": "disable", "require_auth": "!md5"}, False),
    ({"host": "h", "gateway": "http://127.0.0.1", "require_auth": "!md5"}, True),
    ({"host": "h", "gateway": "https://192.0.2.1", "require_auth": "!md5"}, True),
]


@pytest.mark.parametrize(("keywords", "allowed"), READABLE)
def test_a_clear_text_password_that_others_could_read(keywords: dict[str, Any], allowed: bool) -> None:
    settings = resolve("user=u password=p", keywords, {})
    assert ("password" in settings.require_auth) is allowed


# SCRAM


def sasl(kind: int, text: str) -> bytes:
    return s.message("R", struct.pack("!i", kind) + text.encode())


class Impostor(ScramServer):
    """Asks for SCRAM-SHA-256, and changes its challenge or its last word."""

    def __init__(
        self,
        challenge: Callable[[dict[str, str]], Mapping[str, str]] = lambda parts: parts,
        last: Callable[[bytes], bytes] = lambda said: said,
    ) -> None:
        super().__init__(PASSWORD)
        self._change = challenge
        self._last = last

    def _challenge(self, body: bytes) -> bytes:
        said = super()._challenge(body)[9:].decode()
        parts = dict(part.split("=", 1) for part in said.split(","))
        parts["client"] = body[body.index(b"r=") + 2 :].decode()
        changed = self._change(parts)
        return sasl(11, ",".join(f"{name}={value}" for name, value in changed.items() if name != "client"))

    def _final(self, body: bytes) -> bytes:
        try:
            said = super()._final(body)
        except Exception:  # who has changed the challenge cannot know the signature
            said = sasl(12, "v=" + "A" * 43 + "=") + s.AUTHENTICATION_OK + s.KEY + s.IDLE
        return self._last(said)


FIRST = len(sasl(12, "v=" + "A" * 43 + "="))  # of the last word, what is its signature
USED_BEFORE = "r4nd0mr4nd0mr4nd0mr4nd0m"

IMPOSTORS: dict[str, tuple[Callable[[], ScriptedServer], str]] = {
    "no nonce of its own": (lambda: Impostor(lambda p: {**p, "r": p["client"]}), "challenge"),
    "a nonce that was used before": (lambda: Impostor(lambda p: {**p, "r": USED_BEFORE}), "challenge"),
    "the start of our nonce": (lambda: Impostor(lambda p: {**p, "r": p["client"][:-1]}), "challenge"),
    "an empty nonce": (lambda: Impostor(lambda p: {**p, "r": ""}), "challenge"),
    "our nonce behind its own": (lambda: Impostor(lambda p: {**p, "r": "x" + p["client"]}), "challenge"),
    "no nonce at all": (lambda: Impostor(lambda p: {"s": p["s"], "i": p["i"]}), "challenge"),
    "an extension that must be known": (lambda: Impostor(lambda p: {"m": "x", **p}), "challenge"),
    "no iterations": (lambda: Impostor(lambda p: {**p, "i": "0"}), "challenge"),
    "negative iterations": (lambda: Impostor(lambda p: {**p, "i": "-1"}), "challenge"),
    "a salt that is none": (lambda: Impostor(lambda p: {**p, "s": "?"}), "challenge"),
    "another salt": (lambda: Impostor(lambda p: {**p, "s": "QSXCR+Q6sek8bf92QSXCRg=="}), "could not prove"),
    "an empty signature": (lambda: Impostor(last=lambda said: sasl(12, "v=") + said[FIRST:]), "could not prove"),
    "an error as the last word": (
        lambda: Impostor(last=lambda said: sasl(12, "e=other-error") + said[FIRST:]),
        "could not prove",
    ),
    "no last word": (lambda: Impostor(last=lambda said: said[FIRST:]), "AuthenticationOk when SASL_CONTINUE was due"),
    "an empty last word": (lambda: Impostor(last=lambda said: sasl(12, "") + said[FIRST:]), "could not prove"),
    "a second challenge": (lambda: Impostor(last=lambda said: sasl(11, "r=x,s=x,i=1")), "SASLContinue when"),
    "the last word twice": (lambda: Impostor(last=lambda said: said[:FIRST] + said), "SASLFinal when"),
    "ready without a verdict": (lambda: Impostor(last=lambda said: said[:FIRST] + s.IDLE), "ReadyForQuery when"),
    "another question after it": (
        lambda: Impostor(last=lambda said: said[:FIRST] + s.AUTHENTICATION_CLEARTEXT),
        "CleartextPassword when",
    ),
    "nothing but the verdict": (lambda: ScriptedServer(s.AUTHENTICATION_SASL + ASKED["none"]), "when SASL was due"),
    "the last word first": (lambda: ScriptedServer(s.AUTHENTICATION_SASL, sasl(12, "v=AA==")), "SASLFinal when"),
    "another question instead": (
        lambda: ScriptedServer(s.AUTHENTICATION_SASL, s.AUTHENTICATION_CLEARTEXT),
        "CleartextPassword when",
    ),
    "two questions at once": (
        lambda: ScriptedServer(s.AUTHENTICATION_SASL + s.AUTHENTICATION_CLEARTEXT),
        "CleartextPassword when",
    ),
}


@pytest.mark.parametrize("early", ["off", "scram"])
@pytest.mark.parametrize("name", IMPOSTORS)
def test_a_server_that_does_not_know_the_password(name: str, early: str) -> None:
    make, message = IMPOSTORS[name]
    runner = ScriptedRunner(make())
    keywords = {"pipeline_connect": early, "require_auth": "scram-sha-256,password,md5,none"}
    settings = resolve(f"host=localhost user=u password={PASSWORD} transport=tcp", keywords, {})
    with pytest.raises(neonps.OperationalError) as caught:
        runner.run(open_session(settings))
    if early == "off" or isinstance(runner.server, Impostor):
        assert message in str(caught.value)
    assert runner.closed
    assert not any(PASSWORD.encode() in sent for sent in runner.sent)
    check_no_secret(caught.value, PASSWORD)


def test_each_login_has_a_nonce_of_its_own() -> None:
    nonces = set()
    for _ in range(20):
        server = ScramServer(PASSWORD)
        settings = resolve(f"host=localhost user=u password={PASSWORD} transport=tcp", {}, {})
        ScriptedRunner(server).run(open_session(settings))
        first = next(body for code, body in server.heard if code == "p")
        nonces.add(first[first.index(b"r=") + 2 :])
    assert len(nonces) == 20
    assert min(map(len, nonces)) >= 18  # 18 bytes are what libpq has


#: Those that SASLprep changes, and those that it does not allow, which count as they are.
PASSWORDS = {
    "mapped": "I\N{SOFT HYPHEN}X \N{ROMAN NUMERAL NINE}\N{NO-BREAK SPACE}\N{FEMININE ORDINAL INDICATOR}",
    "mapped to nothing": "\N{SOFT HYPHEN}",
    "unassigned in Unicode 3.2": "secret \N{GRINNING FACE}",
    "control characters": "a\7b\x7f",
    "from right to left, and not": "\N{ARABIC LETTER ALEF}1",
    "private": "\ue000",
}


@pytest.mark.parametrize("name", PASSWORDS)
def test_passwords_whatever_is_in_them(
    admin: psycopg.Connection[Any], dsn: str, url: str, transport: str, name: str
) -> None:
    role, password = f"r_{uuid4().hex}", PASSWORDS[name]
    admin.execute(sql.SQL("create role {} login password {}").format(sql.Identifier(role), password))

    def check(password: str) -> None:
        psycopg.connect(dsn, user=role, password=password).close()
        with neonps.connect(url, user=role, password=password, transport=transport, autocommit=True) as conn:
            assert conn.execute("select current_user").fetchone() == (role,)
        with pytest.raises(neonps.errors.InvalidPassword):
            with neonps.connect(url, user=role, password=f"{password}?", transport=transport) as conn:
                conn.execute("select 1").fetchone()

    try:
        check(password)
        with neonps.connect(dsn, user=role, password=password, transport="tcp", autocommit=True) as conn:
            conn.pgconn.change_password(role.encode(), f"{password}\N{GRINNING FACE}".encode())
        check(f"{password}\N{GRINNING FACE}")
    finally:
        admin.execute(sql.SQL("drop role {}").format(sql.Identifier(role)))


#: Characters of each kind that SASLprep knows, and some that other readings of it take differently.
KINDS = (
    "\xad\u200d\ufeff a1\xaa\xa0\u2003\u200b\u2168\u0300\u0340\u1100\u1161\u05d0\u0627\ufb1d\ufb2a\ufc5e\u2135\u2122"
    "\u0660\u0378\7\x7f\ue000\ufdd0\ufffd\u2ff0\u200e\U000e0001\U0002f868\U0002f91f"
)


def test_passwords_are_prepared_as_postgres_does(admin: psycopg.Connection[Any]) -> None:
    role = sql.Identifier(f"r_{uuid4().hex}")
    admin.execute(sql.SQL("create role {}").format(role))
    stored = sql.SQL("select rolpassword from pg_authid where rolname = {}").format(role.as_string()[1:-1])
    characters = st.sampled_from(KINDS) | st.characters(exclude_characters="\0", exclude_categories=["Cs"])
    try:

        @settings(max_examples=400)
        @given(st.text(characters, min_size=1, max_size=5))
        def check(password: str) -> None:
            admin.execute(sql.SQL("alter role {} password {}").format(role, password))
            (found,) = admin.execute(stored).fetchone()  # type: ignore[misc]
            _, start, keys = found.split("$")
            iterations, salt = start.split(":")
            salted = pbkdf2_hmac("sha256", prepared(password), b64decode(salt), int(iterations))
            stored_key = sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
            assert b64encode(stored_key).decode() == keys.split(":")[0]

        check()
    finally:
        admin.execute(sql.SQL("drop role {}").format(role))


@pytest.mark.parametrize("password", [PASSWORD, *PASSWORDS.values()])
def test_a_signature_that_is_wrong(password: str) -> None:
    scram = Scram(password)
    nonce = scram.first_message().rpartition(b"r=")[2]
    scram.respond(b"r=%sserver,s=c2FsdHNhbHRzYWx0c2FsdA==,i=4096" % nonce)
    with pytest.raises(ServerNotTrusted):
        scram.verify(b"v=" + b64encode(bytes(32)))
    assert not scram.verified
