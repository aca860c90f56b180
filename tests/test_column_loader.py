"""Loading a whole column: the same as loading each of its values, in every form that Postgres has for them."""

from __future__ import annotations

import json
import pickle
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neonps import errors as e
from neonps.adapt import AdaptersMap, Loader, Transformer
from neonps.column_loader import column_loader, load_nullable, quick_column
from neonps.postgres import adapters, types
from neonps.pq import Format
from neonps.types.integer import IntLoader
from neonps.types.json import set_json_loads


class Session:
    """A context with the settings of a session."""

    def __init__(self, settings: dict[str, str], adapters: AdaptersMap) -> None:
        self._settings = settings
        self.connection = self._transport = self
        self.adapters = adapters

    def parameter_status(self, name: str) -> str | None:
        return self._settings.get(name)


def loader(type: str, own: AdaptersMap = adapters, **settings: str) -> Loader:
    info = types[type.removesuffix("[]")]
    oid = info.array_oid if type.endswith("[]") else info.oid
    return Transformer(Session(settings, own)).get_loader(oid, Format.TEXT)  # type: ignore[arg-type]


def outcome(load: Any, values: Sequence[str | None]) -> Any:
    """What comes of it, with all that a comparison for equality leaves out; or the exception."""
    try:
        loaded = load(values)
    except Exception as ex:
        return type(ex), str(ex)
    return [(type(value), repr(value), pickle.dumps(value)) for value in loaded]


def each(by: Loader) -> Any:
    return lambda values: [None if value is None else by.load(value.encode()) for value in values]


def one_of(*texts: str) -> st.SearchStrategy[str]:
    return st.sampled_from(texts)


FRACTION = st.integers(1, 999999).map(lambda n: f".{n:06}".rstrip("0")) | st.just("")
TIME = st.builds("{}{}".format, st.times().map(lambda t: f"{t:%H:%M:%S}"), FRACTION)
OFFSET = one_of("+00", "-03", "+05:30", "-00:44:30", "+15:59:59")
DATE = st.dates().map(str)
OTHER_DATE = one_of("0001-01-01 BC", "4713-01-01 BC", "infinity", "-infinity", "10000-01-01", "294276-12-31")
OTHER_STYLE = one_of("31.12.2026", "12/31/2026", "31/12/2026", "12-31-2026", "01-02-2026")
TIMESTAMP = st.builds("{} {}".format, DATE, TIME)
OTHER_TIMESTAMP = one_of(
    "infinity",
    "-infinity",
    "0044-03-15 12:00:00 BC",
    "12026-01-01 00:00:00",
    "Thu Dec 31 23:59:59.5 2026",
    "31.12.2026 23:59:59",
    "12/31/2026 23:59:59.25",
)
TIMESTAMPTZ = st.builds("{}{}".format, TIMESTAMP, OFFSET)
OTHER_TIMESTAMPTZ = one_of(
    "infinity",
    "-infinity",
    "0044-03-15 12:00:00+00 BC",
    "0001-01-01 00:00:00+14",
    "9999-12-31 23:59:59-12",
    "10000-01-01 00:00:00+00",
    "Thu Dec 31 23:59:59.5 2026 CET",
    "31.12.2026 23:59:59 UTC",
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
).map(json.dumps)
FLOAT = st.floats().map(lambda f: repr(f).replace("inf", "Infinity").replace("nan", "NaN"))
DECIMAL = st.decimals(allow_nan=False, allow_infinity=False).map(lambda d: f"{d:f}")
BYTEA = st.binary().map(lambda b: "\\x" + b.hex())
TEXTS = {
    "int2": st.integers(-(2**15), 2**15 - 1).map(str),
    "int4": st.integers(-(2**31), 2**31 - 1).map(str),
    "int8": st.integers(-(2**63), 2**63 - 1).map(str),
    "oid": st.integers(0, 2**32 - 1).map(str),
    "float4": FLOAT,
    "float8": FLOAT | one_of("1e-05", "1e+100", "-0"),
    "numeric": DECIMAL | one_of("NaN", "Infinity", "-Infinity", "0.00", "-0.1", "1" * 2000),
    "bool": one_of("t", "f"),
    "text": st.text(st.characters(codec="utf-8")),
    "varchar": st.text(st.characters(codec="utf-8")),
    "uuid": st.uuids().map(str),
    "bytea": BYTEA | one_of("\\\\x00", "plain", "\\000\\377", ""),
    "json": JSON | one_of(" { } ", "[1, 2]", '"a,b"', "1E2", '{"a": 1, "a": 2}'),
    "jsonb": JSON,
    "date": DATE | OTHER_DATE | OTHER_STYLE,
    "time": TIME | one_of("24:00:00"),
    "timetz": st.builds("{}{}".format, TIME, OFFSET) | one_of("24:00:00+01"),
    "timestamp": TIMESTAMP | OTHER_TIMESTAMP,
    "timestamptz": TIMESTAMPTZ | OTHER_TIMESTAMPTZ,
    "interval": one_of("1 year 2 mons", "-1 days +02:03:04.5", "00:00:00"),
    "inet": one_of("10.0.0.1", "10.0.0.0/8", "::1"),
    "int4[]": st.lists(st.integers(0, 9)).map(lambda numbers: "{" + ",".join(map(str, numbers)) + "}"),
}
#: What is no value of a type, but has to fail alike.
ODD = one_of("", "x", "1,2", "{", '"', "12345678-1234", "true", "2026-01-01 00:00:00 ")
SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        "DateStyle": one_of("ISO, MDY", "German, DMY", "SQL, MDY", "SQL, DMY", "Postgres, MDY", "Postgres, DMY"),
        "TimeZone": one_of("UTC", "Europe/Rome", "Asia/Kathmandu", "<+03>-03"),
        "client_encoding": one_of("UTF8", "LATIN1", "SQL_ASCII"),
        "IntervalStyle": one_of("postgres", "iso_8601"),
    },
)


@pytest.mark.parametrize("type", TEXTS)
@given(data=st.data(), settings=SETTINGS)
def test_same_as_each_value(type: str, data: st.DataObject, settings: dict[str, str]) -> None:
    values = data.draw(st.lists(TEXTS[type], max_size=20) | st.lists(TEXTS[type] | st.none(), max_size=20))
    by = loader(type, **settings)
    assert outcome(column_loader(by), values) == outcome(each(by), values)


@pytest.mark.parametrize("type", TEXTS)
@given(values=st.lists(ODD | st.none(), max_size=3))
def test_fails_as_each_value_does(type: str, values: list[str | None]) -> None:
    by = loader(type)
    assert outcome(column_loader(by), values) == outcome(each(by), values)


@given(values=st.lists(TIMESTAMPTZ, min_size=1), zone=one_of("UTC", "Europe/Rome", "Australia/Lord_Howe"))
def test_into_the_zone_of_the_session(values: list[str], zone: str) -> None:
    by = loader("timestamptz", TimeZone=zone)
    assert outcome(column_loader(by), values) == outcome(each(by), values)


@pytest.mark.parametrize("type", sorted(set(TEXTS) - {"interval", "inet", "int4[]"}))
def test_is_quick(type: str) -> None:
    assert quick_column(loader(type)) is not None


@pytest.mark.parametrize(
    ("type", "setting"),
    [("timestamptz", {"DateStyle": "SQL, DMY"}), ("text", {"client_encoding": "SQL_ASCII"})],
)
def test_not_quick_with_settings(type: str, setting: dict[str, str]) -> None:
    assert quick_column(loader(type, **setting)) is None


def test_tuples_and_empty_columns() -> None:
    assert list(column_loader(loader("int4"))(("1", None, "2"))) == [1, None, 2]
    for type in TEXTS:
        assert list(column_loader(loader(type))(())) == []


def test_nulls_take_the_function_for_a_column_once() -> None:
    seen = []

    def quick(values: Sequence[str]) -> list[int]:
        seen.append(list(values))
        return [len(value) for value in values]

    assert load_nullable(["a", None, "bc"], quick) == [1, None, 2]
    assert seen == [["a", "bc"]]


def test_custom_loaders_get_bytes() -> None:
    class Shouting(Loader):
        def load(self, data: Any) -> str:
            assert isinstance(data, bytes)
            return data.decode().upper()

    own = AdaptersMap(adapters)
    own.register_loader("text", Shouting)
    assert list(column_loader(loader("text", own))(["ä", None])) == ["Ä", None]


def test_subclasses_are_custom() -> None:
    class Negative(IntLoader):
        def load(self, data: Any) -> int:  # type: ignore[override]
            return -int(data)

    own = AdaptersMap(adapters)
    own.register_loader("int4", Negative)
    assert list(column_loader(loader("int4", own))(["1", "2"])) == [-1, -2]


def test_own_json_loads() -> None:
    own = AdaptersMap(adapters)

    def loads(data: Any) -> Any:
        assert isinstance(data, bytes)
        return json.loads(data, parse_float=str)

    set_json_loads(loads, Session({}, own))  # type: ignore[arg-type]
    assert list(column_loader(loader("jsonb", own))(["1.50"])) == ["1.50"]


def test_codec() -> None:
    by = loader("text", client_encoding="LATIN1")
    assert list(column_loader(by, "latin-1")(["é"])) == ["é"]
    assert column_loader(by, "utf-8")(["é"]) == ["Ã©"]


def test_errors_are_those_of_the_loader() -> None:
    with pytest.raises(e.DataError, match="too large"):
        column_loader(loader("timestamp"))(["2026-01-01 00:00:00", "infinity"])
