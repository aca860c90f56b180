"""Connection strings: taken apart and put together as psycopg, that is libpq, does it."""

from __future__ import annotations

from typing import Any

import psycopg
import psycopg.conninfo
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from neonps import errors, percent
from neonps.conninfo import KEYWORDS, SECRET_KEYWORDS, conninfo_to_dict, make_conninfo, timeout_from_conninfo


def outcome(function: Any, *args: Any, **kwargs: Any) -> Any:
    """What a function returns; None if it takes the input for wrong."""
    try:
        return function(*args, **kwargs)
    except (psycopg.ProgrammingError, errors.ProgrammingError, UnicodeError):
        return None


PAIRS = [
    "",
    "host=a",
    " host = a  port =1 ",
    "host=a\tport=1\nuser=b\r\vdbname=c\fapplication_name=d",
    "host='a b' dbname=''",
    "host='a\\'b\\\\c'",
    "host=a\\ b\\'c\\\\d",
    "host=a'b",
    "host='a'port=1",
    "host=",
    "host= port=1",
    "host==a=b",
    "host=a host=b",
    "host=a\\",
    "user=é host=\xa0a",
    "requiressl=1",
    "requiressl=0",
    "scram_client_key=a oauth_issuer=b sslkeylogfile=c service=d passfile=e",
    "host",
    "host a",
    "=a",
    "'a'=b",
    "HOST=a",
    "foo=bar",
    "tty=a",
    "ssl=true",
    "host='",
    "host='a",
    "host='a\\",
    " postgresql://a",
    "http://a",
    "postgresql:",
    "postgresql:/a",
]

URLS = [
    "postgresql://",
    "postgres://",
    "postgresql:///",
    "postgresql://a",
    "postgresql://a/",
    "postgresql://a/db",
    "postgresql://u@a",
    "postgresql://u:p@a",
    "postgresql://u:@a",
    "postgresql://:p@a",
    "postgresql://@a",
    "postgresql://u:p@",
    "postgresql://u:p@/db",
    "postgresql://u.v:p:q@a",
    "postgresql://u%40v:p%2Fq%3A%20@a",
    "postgresql://u:p@q@a",
    "postgresql://u:p/q@a",
    "postgresql://u/p@a",
    "postgresql://u?p@a",
    "postgresql://a:",
    "postgresql://a:1",
    "postgresql://a:x",
    "postgresql://a:1:2",
    "postgresql://:1",
    "postgresql://a:1/db?user=b&port=2",
    "postgresql://[::1]",
    "postgresql://[::1]:5/db",
    "postgresql://[::1]?user=x",
    "postgresql://[fe80::1%25eth0]/",
    "postgresql://[::1],[::2]:5/",
    "postgresql://a,b",
    "postgresql://a:1,b:2/db",
    "postgresql://a,b:2/db",
    "postgresql://a,",
    "postgresql://,a",
    "postgresql://a%2Cb/",
    "postgresql://%2Ftmp/db",
    "postgresql://%2ftmp:5/db",
    "postgresql:///db?host=/tmp",
    "postgresql://?user=a",
    "postgresql://a?user=a",
    "postgresql:///db?",
    "postgresql:///db?user=",
    "postgresql:///db?user=a&",
    "postgresql:///db?user=a&user=b",
    "postgresql:///db?user=a%20b+c",
    "postgresql:///db?us%65r=a",
    "postgresql:///db?ssl=true",
    "postgresql:///db?requiressl=1",
    "postgresql:///db?sslmode=bad",
    "postgresql://a/d/e%2Ff#g",
    "postgresql://é:ü@ñ/ö?options=é",
    "postgresql:// a / db ? user = b ",
    "postgresql://a\n/",
    "postgresql://u:p@[::1]:5/d?sslmode=require&channel_binding=require",
    "postgresql://u@h?options=-c%20geqo%3Doff",
    "postgresql://[::1]x",
    "postgresql://[::1",
    "postgresql://[]",
    "postgresql:///db?user",
    "postgresql:///db?=a",
    "postgresql:///db?user=a&&port=1",
    "postgresql:///db?&user=a",
    "postgresql:///db?user=a=b",
    "postgresql:///db?foo=bar",
    "postgresql:///db?ssl=false",
    "postgresql:///db?user=%zz",
    "postgresql:///db?user=%2",
    "postgresql:///db?user=%",
    "postgresql:///db?user=%00",
    "postgresql:///db?user=%ff",
    "postgresql:///db?user=a b",
    "postgresql://a b/",
    "postgresql://a/d b",
    "POSTGRESQL://a",
]


class TestToDict:
    @pytest.mark.parametrize("conninfo", PAIRS + URLS)
    def test_as_libpq(self, conninfo: str) -> None:
        theirs = outcome(psycopg.conninfo.conninfo_to_dict, conninfo)
        ours = outcome(conninfo_to_dict, conninfo)
        assert ours == theirs
        assert list(ours or ()) == list(theirs or ())

    @settings(deadline=None, max_examples=1000)
    @given(st.lists(st.sampled_from(["host", "user", "=", "=", " ", "'", "\\", "a", "\t", "foo"])).map("".join))
    def test_any_pairs_as_libpq(self, conninfo: str) -> None:
        assert outcome(conninfo_to_dict, conninfo) == outcome(psycopg.conninfo.conninfo_to_dict, conninfo)

    @settings(deadline=None, max_examples=1000)
    @given(
        st.lists(
            st.sampled_from(
                ["/", "/", ":", "@", "?", "&", "=", "a", "]", ",", "user", "port", "%41", "%2", " ", "[::1]", "\n"]
            )
        ).map("".join)
    )
    def test_any_url_as_libpq(self, rest: str) -> None:
        conninfo = f"postgresql://{rest}"
        assert outcome(conninfo_to_dict, conninfo) == outcome(psycopg.conninfo.conninfo_to_dict, conninfo)

    def test_every_keyword_of_libpq(self) -> None:
        theirs = [option.keyword.decode() for option in psycopg.pq.Conninfo.get_defaults()]
        assert [keyword for keyword in KEYWORDS if keyword in theirs] == theirs

    def test_every_environment_variable_of_libpq(self) -> None:
        theirs = {
            option.keyword.decode(): option.envvar.decode() if option.envvar else None
            for option in psycopg.pq.Conninfo.get_defaults()
        }
        assert {keyword: variable for keyword, variable in KEYWORDS.items() if keyword in theirs} == theirs

    @pytest.mark.parametrize("keyword", ["transport", "gateway", "ws_proxy", "fetch_endpoint", "lazy", "timeout"])
    def test_own_keywords(self, keyword: str) -> None:
        assert conninfo_to_dict(f"{keyword}=x") == {keyword: "x"}
        assert conninfo_to_dict(f"postgresql:///?{keyword}=x") == {keyword: "x"}

    @pytest.mark.parametrize(
        ("conninfo", "kwargs"),
        [
            ("host=a", {"host": "b"}),
            ("host=a", {"host": None}),
            ("host=a", {"host": ""}),
            ("", {"port": 5432, "connect_timeout": 1.5, "user": None}),
            ("postgresql://h/d", {"dbname": "x y"}),
            ("", {"unknown": 1}),
        ],
    )
    def test_kwargs(self, conninfo: str, kwargs: Any) -> None:
        assert conninfo_to_dict(conninfo, **kwargs) == psycopg.conninfo.conninfo_to_dict(conninfo, **kwargs)

    @pytest.mark.parametrize("conninfo", ["host=a\0b", "postgresql://a\0b", "host=\ud800"])
    def test_impossible_characters(self, conninfo: str) -> None:
        with pytest.raises(errors.ProgrammingError, match=r"NUL|UTF-8"):
            conninfo_to_dict(conninfo)

    @pytest.mark.parametrize("conninfo", [1, None, b"host=a"])
    def test_wrong_class(self, conninfo: Any) -> None:
        with pytest.raises(TypeError, match=type(conninfo).__name__):
            conninfo_to_dict(conninfo)


class TestMessages:
    @pytest.mark.parametrize(
        ("conninfo", "message"),
        [
            ("foo=bar", 'invalid connection option "foo"'),
            ("host=a foo=bar", 'invalid connection option "foo"'),
            ("password=a host=b foo=bar", 'invalid connection option "foo"'),
            ("host", 'missing "=" after "host" in connection info string'),
            ("host='a", "unterminated quoted string in connection info string"),
            ("postgresql:///?foo=bar", 'invalid URI query parameter: "foo"'),
            ("postgresql:///?user", 'missing key/value separator "=" in URI query parameter: "user"'),
            ("postgresql:///?user=a=b", 'extra key/value separator "=" in URI query parameter: "user"'),
            ("postgresql://[]", "IPv6 host address may not be empty in URI"),
            ("postgresql:///?user=%00", "forbidden value %00 in the user in the URI"),
        ],
    )
    def test_as_of_libpq(self, conninfo: str, message: str) -> None:
        with pytest.raises(errors.ProgrammingError) as caught:
            conninfo_to_dict(conninfo)
        assert str(caught.value) == message

    @pytest.mark.parametrize(
        "conninfo",
        [
            "password=a secret",
            "password=a secret=1",
            "password='a secret",
            "password='a' secret=1'",
            "password=''secret=",
            "password=a\\'b secret",
            "password secret",
            "host=a secret",
            "postgresql://u:secret%zz@h/d",
            "postgresql://u:secret%00@h/d",
            "postgresql://u:secret%ff@h/d",
            "postgresql://u:a secret@h/d",
            "postgresql://u:p@[secret",
            "postgresql://u:p@[secret]x",
            "postgresql://u:p/?secret@h/d",
            "postgresql://u:p/?secret=x@h/d",
            "postgresql://u:p/?user=x&secret=a=b@h/d",
            "postgresql://h/d?password=secret%zz",
            "postgresql://h/d?password=a secret",
            "postgresql://h/d?password=a&secret",
            "postgresql://h/d?password=a&secret=b&user=c",
            "postgresql://h/d?password=secret=x",
            "postgresql:/u:secret@h",
            "postgres//u:secret@h",
            "u:secret@h",
        ],
    )
    def test_have_no_password(self, conninfo: str) -> None:
        with pytest.raises(errors.ProgrammingError) as caught:
            conninfo_to_dict(conninfo)
        assert "secret" not in str(caught.value)
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__ or caught.value.__context__ is None

    def test_secret_keywords_are_keywords(self) -> None:
        assert set(KEYWORDS) >= SECRET_KEYWORDS


class TestMake:
    @pytest.mark.parametrize(
        ("conninfo", "kwargs"),
        [
            ("", {}),
            ("host=a", {}),
            ("host=a", {"port": 1}),
            ("", {"host": "a b"}),
            ("", {"host": ""}),
            ("", {"host": "a'b\\c"}),
            ("", {"host": "a\tb\nc"}),
            ("", {"host": 'a"b='}),
            ("", {"user": "é", "password": "'"}),
            ("postgresql://u:p@h/d?sslmode=require", {}),
            ("postgresql://u:p@h/d?sslmode=require", {"user": "x y"}),
            ("", {"host": None}),
            ("host=a", {"host": None}),
            ("host=a", {"unknown": None}),
        ],
    )
    def test_as_psycopg(self, conninfo: str, kwargs: Any) -> None:
        assert make_conninfo(conninfo, **kwargs) == psycopg.conninfo.make_conninfo(conninfo, **kwargs)

    @settings(deadline=None)
    @given(st.dictionaries(st.sampled_from(sorted(KEYWORDS)), st.text(st.characters(exclude_characters="\0"))))
    def test_round_trip(self, params: dict[str, str]) -> None:
        assume(all(value.isprintable() for value in params.values()))
        assert conninfo_to_dict(make_conninfo(**params)) == params

    @pytest.mark.parametrize(("conninfo", "kwargs"), [("foo=1", {}), ("", {"foo": 1}), ("host=a b", {})])
    def test_wrong(self, conninfo: str, kwargs: Any) -> None:
        with pytest.raises(errors.ProgrammingError):
            make_conninfo(conninfo, **kwargs)


class TestTimeout:
    @pytest.mark.parametrize(
        "value",
        [None, "0", "1", "2", "10", "-1", "1.5", " 5 ", "+5", "1e2", "99999999999", 0, 1, 5, 1.5, "", "abc", "0x10"],
    )
    def test_as_psycopg(self, monkeypatch: pytest.MonkeyPatch, value: Any) -> None:
        monkeypatch.delenv("PGCONNECT_TIMEOUT", raising=False)
        params: dict[str, Any] = {} if value is None else {"connect_timeout": value}
        theirs = outcome(psycopg.conninfo.timeout_from_conninfo, params)
        assert outcome(timeout_from_conninfo, params) == theirs

    def test_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PGCONNECT_TIMEOUT", "7")
        assert timeout_from_conninfo({}) == 7
        assert timeout_from_conninfo({"connect_timeout": "8"}) == 8

    @pytest.mark.parametrize("value", ["inf", "nan", "never"])
    def test_no_number(self, value: str) -> None:
        with pytest.raises(errors.ProgrammingError, match="bad value for connect_timeout"):
            timeout_from_conninfo({"connect_timeout": value})


class TestPercent:
    @given(st.text(), st.sampled_from(["", ":/", "%"]))
    def test_round_trip(self, text: str, safe: str) -> None:
        encoded = percent.encode(text, safe.replace("%", ""))
        assert encoded.isascii()
        assert encoded.isprintable()
        assert percent.decode(encoded) == text

    def test_form(self) -> None:
        assert percent.encode("a b/é:~") == "a%20b%2F%C3%A9%3A~"
        assert percent.encode("a:b", safe=":") == "a:b"

    @pytest.mark.parametrize("text", ["%", "%2", "%zz", "a%", "%ff", "%c3", "%-1"])
    def test_wrong(self, text: str) -> None:
        with pytest.raises(ValueError, match=r"hexadecimal|UTF-8"):
            percent.decode(text)
