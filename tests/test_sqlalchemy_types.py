"""SQLAlchemy's types, sent and fetched over each transport, and what reflection finds."""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import ipaddress
import json
import re
import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy_engines import address, engine_over
from test_types_programs import HSTORE


class Color(enum.Enum):
    RED = "red"
    DARK_GREEN = "dark green"


_UTC = dt.timezone.utc
_colors = pg.ENUM(Color, name="dialect_color", values_callable=lambda color: [each.value for each in color])
_day = dt.date(2024, 2, 29)

_VALUES: list[tuple[Any, list[Any]]] = [
    (sa.Boolean(), [True, False]),
    (sa.SmallInteger(), [-(2**15)]),
    (sa.Integer(), [7]),
    (sa.BigInteger(), [2**62]),
    (sa.Numeric(30, 10), [decimal.Decimal("12345678901234567890.0123456789"), decimal.Decimal("NaN")]),
    (sa.Numeric(10, 2, asdecimal=False), [1.25]),
    (sa.Float(), [1.5, float("inf")]),
    (sa.Double(), [0.1]),
    (sa.String(), ["", "it's % ä \N{SNOWMAN} \\"]),
    (sa.LargeBinary(), [b"", bytes(range(256))]),
    (sa.Date(), [_day]),
    (sa.Time(), [dt.time(1, 2, 3, 4)]),
    (sa.DateTime(), [dt.datetime(2024, 2, 29, 1, 2, 3, 4)]),
    (sa.DateTime(timezone=True), [dt.datetime(2024, 2, 29, 1, 2, tzinfo=dt.timezone(dt.timedelta(hours=5.5)))]),
    (pg.TIME(timezone=True), [dt.time(1, 2, tzinfo=_UTC)]),
    (sa.Interval(), [dt.timedelta(days=-3, microseconds=1)]),
    (pg.INTERVAL(), [dt.timedelta(hours=25)]),
    (sa.Uuid(), [uuid.UUID(int=1)]),
    (sa.Uuid(as_uuid=False), [str(uuid.UUID(int=2))]),
    (pg.INET(), [ipaddress.ip_interface("10.0.0.1/8"), ipaddress.ip_address("::1")]),
    (pg.CIDR(), [ipaddress.ip_network("10.0.0.0/8")]),
    (pg.MACADDR(), ["08:00:2b:01:02:03"]),
    (sa.JSON(), [{"a": [1, None, "x"]}, [], "text", 1.5]),
    (pg.JSONB(), [{"a": {"b": True}}, [1, [2]]]),
    (pg.ARRAY(sa.Integer), [[1, None, 3], []]),
    (pg.ARRAY(sa.Text, dimensions=2), [[["a", "b"], ["c", None]]]),
    (pg.ARRAY(_colors), [[Color.RED, Color.DARK_GREEN]]),
    (pg.ARRAY(pg.JSONB), [[{"a": 1}, [2]]]),
    (_colors, [Color.DARK_GREEN]),
    (pg.INT4RANGE(), [pg.Range(1, 5), pg.Range(None, 3), pg.Range(empty=True)]),
    (pg.DATERANGE(), [pg.Range(_day, None)]),
    (pg.NUMRANGE(), [pg.Range(decimal.Decimal("1.5"), decimal.Decimal("2.5"), bounds="(]")]),
    (pg.TSTZRANGE(), [pg.Range(dt.datetime(2024, 1, 1, tzinfo=_UTC), dt.datetime(2024, 1, 2, tzinfo=_UTC))]),
    (pg.INT8MULTIRANGE(), [pg.MultiRange([pg.Range(1, 5), pg.Range(7, 9)]), pg.MultiRange()]),
]


def _columns() -> list[sa.Column[Any]]:
    return [sa.Column("id", sa.Integer, primary_key=True)] + [
        sa.Column(f"c{number}", type_) for number, (type_, _) in enumerate(_VALUES)
    ]


_table = sa.Table("dialect_types", sa.MetaData(), *_columns())


@pytest.fixture(scope="module", params=["tcp", "websocket", "http"])
def transport(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def engine(url: str, transport: str) -> Iterator[sa.Engine]:
    engine = engine_over(url, transport)
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def table(engine: sa.Engine) -> Iterator[sa.Table]:
    _table.metadata.create_all(engine)
    yield _table
    _table.metadata.drop_all(engine)


@pytest.mark.parametrize(
    ("column", "values"), [(f"c{n}", values) for n, (_, values) in enumerate(_VALUES)], ids=[str(t) for t, _ in _VALUES]
)
def test_values(column: str, values: list[Any], engine: sa.Engine, table: sa.Table) -> None:
    stored = table.c[column]
    with engine.begin() as conn:
        for value in [*values, None]:
            inserted = conn.execute(table.insert().returning(table.c.id, stored), {column: value}).one()
            fetched = conn.scalar(sa.select(stored).where(table.c.id == inserted.id))
            for each in (inserted[1], fetched):
                assert each == value or (each != each and value != value)
                assert type(each) is type(value)
        many = [{column: value} for value in [*values, None]]
        rows = conn.scalars(table.insert().returning(stored, sort_by_parameter_order=True), many).all()
        assert all(each == value or each != each for each, value in zip(rows, [*values, None], strict=True))
        conn.execute(table.insert(), many)
        if values[0] is not None and not isinstance(stored.type, sa.JSON) and values[0] == values[0]:
            assert conn.scalar(sa.select(sa.func.count()).where(stored == values[0])) == 3


def test_bits(engine: sa.Engine) -> None:
    value: Any = "10101"
    if not sa.__version__.startswith("2.0."):
        value = pg.BitString(value)
    with engine.connect() as conn:
        query = sa.select(sa.cast(value, pg.BIT(5)), sa.cast(value, pg.BIT(varying=True)))
        assert conn.execute(query).one() == (value, value)


def test_operators(engine: sa.Engine) -> None:
    document = sa.cast({"a": [{"b": "x"}], "n": 2}, pg.JSONB)
    numbers = sa.cast([1, 2, 3], pg.ARRAY(sa.Integer))
    range_ = sa.cast(pg.Range(1, 10), pg.INT4RANGE)
    query = sa.select(
        document["n"].as_integer(),
        document[("a", "0", "b")].as_string(),
        document.contains({"n": 2}),
        document.has_key("z"),
        numbers.contains([3, 1]),
        sa.literal(2) == sa.func.any(numbers),
        range_.contains(4),
        range_.overlaps(pg.Range(20, 30)),
        sa.literal("a%b").like("a%%"),
        sa.func.coalesce(None, 5),
        sa.literal(3) % 2,
    )
    with engine.connect() as conn:
        assert conn.execute(query).one() == (2, "x", True, False, True, True, True, False, True, 5, 1)


def test_json_by_functions_of_ones_own(url: str, transport: str) -> None:
    engine = engine_over(
        url,
        transport,
        json_serializer=lambda value: json.dumps({"wrapped": value}),
        json_deserializer=lambda text: json.loads(text, parse_float=decimal.Decimal),
    )
    with engine.connect() as conn:
        for type_ in (sa.JSON, pg.JSONB):
            assert conn.scalar(sa.select(sa.cast([1.5], type_))) == {"wrapped": [decimal.Decimal("1.5")]}
    engine.dispose()


def test_addresses_as_text(url: str, transport: str) -> None:
    engine = engine_over(url, transport, native_inet_types=False)
    with engine.connect() as conn:
        assert conn.execute(sa.text("SELECT '10.0.0.1'::inet, '10.0.0.0/8'::cidr")).one() == ("10.0.0.1", "10.0.0.0/8")
    engine.dispose()


def test_hstore(url: str, transport: str, admin: psycopg.Connection[Any]) -> None:
    admin.execute("CREATE DATABASE dialect_hstore")
    try:
        there = address(url, transport).set(database="dialect_hstore")
        with psycopg.connect(url.split("?")[0], dbname="dialect_hstore") as other:
            other.execute(HSTORE)
        engine = sa.create_engine(there)
        plain = sa.create_engine(there, use_native_hstore=False)
        value = {"a": "b", "n": None, 'q"': "\\"}
        for each in (engine, engine, plain):
            with each.connect() as conn:
                text = sa.text("""SELECT '"a"=>"b", "n"=>NULL, "q\\""=>"\\\\"'::hstore AS h""").columns(h=pg.HSTORE)
                assert conn.scalar(text) == value
                if each is engine:
                    bound = sa.bindparam("h", value, pg.HSTORE)
                    assert conn.scalar(sa.select(sa.cast(sa.func.pg_typeof(bound), sa.Text))) == "hstore"
            each.dispose()
        assert (engine.dialect._has_native_hstore, plain.dialect._has_native_hstore) == (True, False)
    finally:
        admin.execute("DROP DATABASE dialect_hstore WITH (FORCE)")


def test_time_zone(engine: sa.Engine) -> None:
    moment = dt.datetime(2024, 7, 1, 12, tzinfo=_UTC)
    with engine.connect() as conn:
        fetched = conn.scalar(sa.select(sa.cast(moment, sa.DateTime(timezone=True))))
        assert fetched == moment
        assert fetched.utcoffset() is not None


_SCHEMA = """
    CREATE TYPE dialect_mood AS ENUM ('sad', 'happy');
    CREATE DOMAIN dialect_even AS int DEFAULT 2 NOT NULL CONSTRAINT even CHECK (VALUE % 2 = 0);
    CREATE TABLE dialect_parent (id int GENERATED BY DEFAULT AS IDENTITY (START 10) PRIMARY KEY, code text UNIQUE);
    CREATE TABLE dialect_child (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        parent_id int NOT NULL REFERENCES dialect_parent ON DELETE CASCADE,
        price numeric(10, 2) DEFAULT 1.5, gross numeric GENERATED ALWAYS AS (price * 1.2) STORED,
        mood dialect_mood, moods dialect_mood[], even dialect_even, at timestamptz(3), name varchar(20) COLLATE "C",
        CONSTRAINT positive CHECK (price > 0)
    );
    CREATE INDEX dialect_by_name ON dialect_child (lower(name)) WHERE price > 1;
    CREATE INDEX dialect_by_price ON dialect_child (price DESC) INCLUDE (name);
    COMMENT ON TABLE dialect_child IS 'who''s it';
    COMMENT ON COLUMN dialect_child.price IS 'in euros';
    CREATE VIEW dialect_view AS SELECT id FROM dialect_child;
"""


@pytest.fixture
def schema(admin: psycopg.Connection[Any]) -> Iterator[None]:
    admin.execute(_SCHEMA)
    yield
    admin.execute("DROP TABLE dialect_child, dialect_parent CASCADE; DROP DOMAIN dialect_even; DROP TYPE dialect_mood")


@pytest.mark.usefixtures("schema")
def test_reflection(engine: sa.Engine) -> None:
    found = sa.inspect(engine)
    assert {"dialect_parent", "dialect_child"} <= set(found.get_table_names())
    assert "dialect_view" in found.get_view_names()
    assert found.has_table("dialect_view")
    assert not found.has_table("dialect_nothing")
    columns = {column["name"]: column for column in found.get_columns("dialect_child")}
    types = {name: str(column["type"]) for name, column in columns.items()}
    assert (types["id"], types["price"], types["mood"]) == ("BIGINT", "NUMERIC(10, 2)", "VARCHAR(5)")
    assert (columns["mood"]["type"].enums, columns["moods"]["type"].item_type.enums) == (["sad", "happy"],) * 2
    assert (columns["at"]["type"].timezone, columns["at"]["type"].precision) == (True, 3)
    assert columns["name"]["type"].length == 20
    if tuple(map(int, re.findall(r"\d+", sa.__version__)[:3])) >= (2, 0, 45):  # those before do not ask for it
        assert columns["name"]["type"].collation == "C"
    assert (columns["id"]["identity"]["always"], columns["gross"]["computed"]["persisted"]) == (True, True)
    assert (columns["price"]["default"], columns["price"]["comment"]) == ("1.5", "in euros")
    assert isinstance(columns["even"]["type"], pg.DOMAIN)
    assert found.get_columns("dialect_parent")[0]["identity"]["start"] == 10
    assert found.get_pk_constraint("dialect_child")["constrained_columns"] == ["id"]
    (key,) = found.get_foreign_keys("dialect_child")
    assert (key["referred_table"], key["options"]) == ("dialect_parent", {"ondelete": "CASCADE"})
    assert [check["name"] for check in found.get_check_constraints("dialect_child")] == ["positive"]
    assert [unique["column_names"] for unique in found.get_unique_constraints("dialect_parent")] == [["code"]]
    indexes = {index["name"]: index for index in found.get_indexes("dialect_child")}
    assert indexes["dialect_by_name"]["expressions"] == ["lower(name::text)"]
    assert indexes["dialect_by_name"]["dialect_options"]["postgresql_where"] == "(price > (1)::numeric)"
    assert indexes["dialect_by_price"]["column_sorting"] == {"price": ("desc",)}
    assert found.get_table_comment("dialect_child") == {"text": "who's it"}
    assert "dialect_mood" in [each["name"] for each in found.get_enums()]
    (domain,) = [each for each in found.get_domains() if each["name"] == "dialect_even"]
    assert (domain["nullable"], domain["default"]) == (False, "2")
    reflected = sa.MetaData()
    reflected.reflect(engine, only=lambda name, _: name.startswith("dialect_"))
    names = [table.name for table in reflected.sorted_tables]
    assert names.index("dialect_parent") < names.index("dialect_child")
