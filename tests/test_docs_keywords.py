"""The page of connection keywords: it has each keyword that the driver takes, with its environment variable."""

from __future__ import annotations

import re

import pytest
from pages import ROOT

from neonps.conninfo import KEYWORDS
from neonps.errors import NotSupportedError, ProgrammingError
from neonps.settings import resolve

TEXT = (ROOT / "docs/reference/connection-keywords.md").read_text(encoding="utf-8")

#: Each row of the table: keyword, variable, default, meaning, transports.
ROWS = [
    re.split(r" ?\| ?", line.strip())[1:-1]
    for line in TEXT[TEXT.index("## All keywords") : TEXT.index("## Other environment")].splitlines()
    if line.startswith("| `")
]


def test_each_keyword_is_there_once() -> None:
    keywords = [row[0].strip("`") for row in ROWS]
    assert sorted(keywords) == sorted(KEYWORDS)


def test_each_has_its_environment_variable() -> None:
    variables = {row[0].strip("`"): row[1].strip("`") or None for row in ROWS}
    assert variables == KEYWORDS


def test_other_variables_are_known() -> None:
    others = set(re.findall(r"`(PG\w+)`", TEXT[TEXT.index("## Other environment") :]))
    environ = {"PGTZ": "UTC", "PGDATESTYLE": "ISO", "PGGEQO": "off"}
    settings = resolve("user=u", environ=environ).session_settings
    assert set(settings) == {"TimeZone", "DateStyle", "geqo"}
    assert others == {*environ, "PGSERVICEFILE", "PGSYSCONFDIR"}


def test_what_is_said_to_be_refused_is_refused_and_what_is_said_to_do_nothing_is_accepted() -> None:
    for keyword, _, _, meaning, _ in ROWS:
        keyword = keyword.strip("`")
        if meaning == "raises `NotSupportedError`":
            assert refused({keyword: "x"}), keyword
        elif meaning.startswith("accepted"):
            assert not refused({keyword: "x"}), keyword
    assert refused({"gssencmode": "require"})
    assert refused({"sslsni": "0", "host": "h"})
    assert refused({"requirepeer": "x", "host": "/tmp"})


def refused(keywords: dict[str, str]) -> bool:
    try:
        resolve("user=u", keywords, environ={})
    except NotSupportedError:
        return True
    return False


def test_defaults_are_those_of_the_page() -> None:
    defaults = {row[0].strip("`"): row[2] for row in ROWS}
    settings = resolve("user=u host=h", environ={})
    assert defaults["port"] == str(settings.port)
    assert defaults["connect_timeout"] == str(settings.connect_timeout)
    assert defaults["channel_binding"] == f"`{settings.channel_binding}`"
    assert defaults["target_session_attrs"] == f"`{settings.target_session_attrs}`"
    assert defaults["client_encoding"] == f"`{settings.client_encoding}`"
    assert defaults["max_protocol_version"] == f"`{settings.protocol >> 16}.{settings.protocol & 0xFFFF}`"
    assert settings.tls is not None
    assert defaults["ssl_min_protocol_version"] == f"`{settings.tls.minimum_version}`"
    assert defaults["ssl_max_protocol_version"] == f"`{settings.tls.maximum_version}`"
    assert defaults["require_auth"].endswith(f"`{','.join(sorted(settings.require_auth, reverse=True))}`")
    over_http = resolve("user=u host=h gateway=https://g transport=http", environ={})
    assert defaults["timeout"].startswith(f"{over_http.timeout:g} over HTTP")


def test_keywords_for_sessions_only_are_marked() -> None:
    marks = {row[0].strip("`"): row[4] for row in ROWS}
    assert marks["auth_token"] == "h"
    with pytest.raises(NotSupportedError, match="transport=http"):
        resolve("user=u host=h auth_token=x", environ={})
    for keyword in ("hostaddr", "load_balance_hosts", "channel_binding", "sslnegotiation"):
        assert marks[keyword] == "t"
    assert all(set(mark.split()) <= {"t", "w", "h"} for mark in marks.values())


def test_an_unknown_keyword_is_what_the_page_says() -> None:
    with pytest.raises(ProgrammingError, match="no_such_keyword"):
        resolve("user=u", {"no_such_keyword": "x"}, environ={})
