"""Programs adapt types of their own in the ways that psycopg's documentation shows and that frameworks use."""

from __future__ import annotations

import datetime as dt
import enum
import json
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache, partial
from ipaddress import IPv4Address, IPv4Interface, IPv6Network
from typing import Any
from uuid import UUID, uuid4

import pytest
from peers import Peer


@pytest.fixture
def conn(peer: Peer) -> Any:
    """A connection in a transaction that is never committed."""
    return peer.connect()


@dataclass
class Card:
    suit: str
    value: int


class UserRole(enum.Enum):
    ADMIN = enum.auto()
    EDITOR = enum.auto()
    GUEST = enum.auto()


class LowercaseRole(str, enum.Enum):
    ADMIN = "admin"
    EDITOR = "editor"
    GUEST = "guest"


# Adapters of one's own


def test_xml(peer: Peer, conn: Any) -> None:
    # Servers that are built without libxml have no values of the type xml: another type of text stands in for it.
    adapt = peer.submodule("adapt")

    class XmlLoader(adapt.Loader):
        def load(self, data: Any) -> Any:
            return ET.fromstring(bytes(data))

    class XmlDumper(adapt.Dumper):
        oid = peer.module.adapters.types["refcursor"].oid

        def dump(self, elem: Any) -> Any:
            return ET.tostring(elem)

    conn.adapters.register_loader("refcursor", XmlLoader)
    conn.adapters.register_dumper(ET.Element, XmlDumper)
    elem = conn.execute("select '<book><title>Manual</title></book>'::refcursor").fetchone()[0]
    assert (elem.tag, elem[0].text) == ("book", "Manual")
    query = "select pg_typeof(%s)::text, (%s)::text"
    assert conn.execute(query, [elem, elem]).fetchone() == ("refcursor", "<book><title>Manual</title></book>")
    assert conn.execute("select %s", [[elem, elem]]).fetchone()[0][1][0].text == "Manual"


def test_empty_strings_become_null(peer: Peer, conn: Any) -> None:
    class NullStrDumper(peer.submodule("types.string").StrDumper):
        def dump(self, obj: str) -> Any:
            if not obj or obj.isspace():
                return None
            return super().dump(obj)

    conn.adapters.register_dumper(str, NullStrDumper)
    row = conn.execute("select %s, %s, %s, %s", ("foo", "", "bar", "  ")).fetchone()
    assert row == ("foo", None, "bar", None)
    assert conn.execute("select %s::text[]", [["foo", ""]]).fetchone() == (["foo", None],)
    assert peer.module.ClientCursor(conn).execute("select %s, %s", ["", "x"]).fetchone() == (None, "x")


def test_numeric_as_float(peer: Peer, conn: Any) -> None:
    assert conn.execute("select 123.45").fetchone() == (Decimal("123.45"),)
    conn.adapters.register_loader("numeric", peer.submodule("types.numeric").FloatLoader)
    assert repr(conn.execute("select 123.45, array[1.5, null]").fetchone()) == "(123.45, [1.5, None])"


def test_infinite_dates(peer: Peer, conn: Any) -> None:
    datetime = peer.submodule("types.datetime")
    date = dt.date

    class InfDateDumper(datetime.DateDumper):
        def dump(self, obj: Any) -> Any:
            if obj == date.max:
                return b"infinity"
            elif obj == date.min:  # noqa: RET505
                return b"-infinity"
            else:
                return super().dump(obj)

    class InfDateLoader(datetime.DateLoader):
        def load(self, data: Any) -> Any:
            if data == b"infinity":
                return date.max
            elif data == b"-infinity":  # noqa: RET505
                return date.min
            else:
                return super().load(data)

    with pytest.raises(peer.module.DataError, match=r"date too large \(after year 10K\): 'infinity'"):
        conn.execute("select 'infinity'::date").fetchone()
    cur = conn.cursor()
    cur.adapters.register_dumper(date, InfDateDumper)
    cur.adapters.register_loader("date", InfDateLoader)
    cur.execute("select %s::text, %s::text", [date(2020, 12, 31), date.max])
    assert cur.fetchone() == ("2020-12-31", "infinity")
    cur.execute("select '2020-12-31'::date, 'infinity'::date, '{-infinity,2020-01-01}'::date[]")
    assert cur.fetchone() == (date(2020, 12, 31), date.max, [date.min, date(2020, 1, 1)])
    cur.execute("select '[2020-01-01,infinity)'::daterange")
    assert cur.fetchone()[0].upper == date.max
    # Other cursors are not affected.
    with pytest.raises(peer.module.DataError):
        conn.execute("select 'infinity'::date").fetchone()


def test_binary_adapters(peer: Peer, conn: Any) -> None:
    numeric, pq = peer.submodule("types.numeric"), peer.submodule("pq")

    class PlusOneLoader(numeric.Int4BinaryLoader):
        def load(self, data: Any) -> int:
            return int(super().load(data)) + 1

    class MinusOneDumper(numeric.Int4BinaryDumper):
        def dump(self, obj: Any) -> Any:
            return super().dump(obj - 1)

    assert PlusOneLoader.format == MinusOneDumper.format == pq.Format.BINARY
    assert MinusOneDumper.oid == 23
    conn.adapters.register_loader("int4", PlusOneLoader)
    conn.adapters.register_dumper(int, MinusOneDumper)
    assert conn.execute("select %s, %s::text", [10, 10], binary=True).fetchone() == (10, "9")
    # The loader is for the other format.
    assert conn.execute("select 5", binary=False).fetchone() == (5,)


def test_a_dumper_for_a_class_that_is_not_imported(peer: Peer, conn: Any) -> None:
    string = peer.submodule("types.string")

    class CardDumper(string.StrDumper):
        def dump(self, obj: Any) -> Any:
            return super().dump(f"{obj.suit}/{obj.value}")

    conn.adapters.register_dumper(f"{__name__}.Card", CardDumper)
    assert conn.execute("select %s", [Card("hearts", 8)]).fetchone() == ("hearts/8",)
    assert conn.execute("select %s", [[Card("hearts", 8), None]]).fetchone() == (["hearts/8", None],)


def test_dumper_that_upgrades(peer: Peer, conn: Any) -> None:
    """As the protocol has it: `get_key()` tells apart what needs another dumper, which `upgrade()` gives."""
    adapt = peer.submodule("adapt")

    class Money:
        def __init__(self, amount: Any) -> None:
            self.amount = amount

    class MoneyDumper(adapt.Dumper):
        def get_key(self, obj: Any, format: Any) -> Any:
            return (self.cls, type(obj.amount))

        def upgrade(self, obj: Any, format: Any) -> Any:
            dumper = type(self)(self.cls)
            dumper.oid = peer.module.adapters.types["int4" if isinstance(obj.amount, int) else "numeric"].oid
            return dumper

        def dump(self, obj: Any) -> Any:
            return str(obj.amount).encode()

    conn.adapters.register_dumper(Money, MoneyDumper)
    query = "select pg_typeof(%s)::text, pg_typeof(%s)::text, pg_typeof(%s)::text"
    row = conn.execute(query, [Money(1), Money(Decimal("1.5")), [Money(1)]]).fetchone()
    assert row == ("integer", "numeric", "integer[]")
    with pytest.raises(peer.module.DataError, match="mixed types"):
        conn.execute("select %s", [[Money(1), "x"]])


def test_dumper_that_quotes(peer: Peer, conn: Any) -> None:
    adapt = peer.submodule("adapt")

    class Raw(str):
        pass

    class RawDumper(adapt.Dumper):
        def dump(self, obj: Any) -> Any:
            return str(obj).encode()

        def quote(self, obj: Any) -> Any:
            return b"(" + bytes(super().quote(obj)) + b" || '!')"

    conn.adapters.register_dumper(Raw, RawDumper)
    sql = peer.submodule("sql")
    assert conn.execute(sql.SQL("select {}").format(sql.Literal(Raw("it's")))).fetchone() == ("it's!",)
    assert RawDumper(Raw).quote(Raw("a'b")) == b"('a''b' || '!')"


def test_adapters_outside_of_a_context(peer: Peer) -> None:
    numeric, string = peer.submodule("types.numeric"), peer.submodule("types.string")
    assert numeric.IntDumper(int).upgrade(1, peer.submodule("adapt").PyFormat.TEXT).dump(1) == b"1"
    assert string.StrDumper(str).dump("é") == "é".encode()
    assert string.TextLoader(25).load("é".encode()) == "é"
    assert string.TextLoader(25, None).load(b"x") == "x"
    assert numeric.IntLoader(23).load(b"5") == 5
    assert numeric.Int4BinaryLoader(23).load(b"\0\0\0\5") == 5
    assert peer.submodule("types.datetime").DateLoader(1082).load(b"2020-01-02") == dt.date(2020, 1, 2)


@pytest.mark.parametrize("wrap", [bytes, bytearray, memoryview])
def test_loaders_take_any_buffer(peer: Peer, wrap: Any) -> None:
    transformer = peer.submodule("adapt").Transformer(None)
    types, Format = peer.module.adapters.types, peer.submodule("pq").Format
    for name, text, value in (
        ("int4", b"5", 5),
        ("float8", b"1.5", 1.5),
        ("numeric", b"1.5", Decimal("1.5")),
        ("text", b"x", "x"),
        ("bytea", b"\\x61", b"a"),
        ("bool", b"t", True),
        ("date", b"2020-01-02", dt.date(2020, 1, 2)),
        ("uuid", b"0" * 32, UUID(int=0)),
        ("jsonb", b"[1]", [1]),
        ("inet", b"1.2.3.4", IPv4Address("1.2.3.4")),
        ("int4[]", b"{1,NULL}", [1, None]),
        ("interval", b"1 day", dt.timedelta(1)),
        ("timestamptz", b"2020-01-02 00:00:00+00", dt.datetime(2020, 1, 2, tzinfo=dt.timezone.utc)),
    ):
        assert transformer.get_loader(types.get_oid(name), Format.TEXT).load(wrap(text)) == value


# Contexts


def test_what_is_registered_counts_for_what_is_made_later(peer: Peer) -> None:
    adapt, string = peer.submodule("adapt"), peer.submodule("types.string")
    first = peer.connect()
    before = first.cursor()
    first.adapters.register_loader("int4", string.TextLoader)
    assert before.execute("select 1").fetchone() == (1,)
    assert first.cursor().execute("select 1").fetchone() == ("1",)
    assert peer.connect().execute("select 1").fetchone() == (1,)

    template = adapt.AdaptersMap(peer.module.adapters)
    template.register_loader("int4", string.TextLoader)
    second = peer.connect(context=template)
    template.register_loader("int8", string.TextLoader)
    assert second.execute("select 1, 1::int8").fetchone() == ("1", 1)
    third = peer.connect(context=second)
    assert third.execute("select 1").fetchone() == ("1",)


def test_global_adapters(peer: Peer) -> None:
    adapters = peer.module.adapters
    loader = adapters.get_loader(20, peer.submodule("pq").Format.TEXT)
    before = peer.connect()
    assert before.execute("select 1::int8").fetchone() == (1,)
    adapters.register_loader("int8", peer.submodule("types.string").TextLoader)
    try:
        assert peer.connect().execute("select 1::int8, 1").fetchone() == ("1", 1)
        assert before.execute("select 1::int8").fetchone() == (1,)
    finally:
        adapters.register_loader("int8", loader)
    assert peer.connect().execute("select 1::int8").fetchone() == (1,)


def test_loader_that_is_registered_after_the_query(peer: Peer, conn: Any) -> None:
    cur = conn.execute("select n from generate_series(1, 3) n")
    assert cur.fetchone() == (1,)
    cur.adapters.register_loader("int4", peer.submodule("types.string").TextLoader)
    assert cur.fetchone() == ("2",)
    assert cur.fetchall() == [("3",)]


def test_types_registry(peer: Peer, conn: Any) -> None:
    types = peer.module.adapters.types
    assert repr(types["text"]) == "<TypeInfo: text (oid: 25, array oid: 1009)>"
    assert repr(types[23]) == "<TypeInfo: int4 (oid: 23, array oid: 1007)>"
    assert types["integer"] is types["int4"] is types[1007] is types["int4[]"]
    assert types.get_oid("text[]") == 1009
    assert types.get("nosuch") is None
    with pytest.raises(KeyError):
        types["nosuch"]
    with pytest.raises(KeyError):
        types.get_oid("nosuch")
    assert conn.adapters.types["integer"].name == "int4"
    assert peer.submodule("postgres").types is peer.module.adapters.types is peer.submodule("postgres").adapters.types
    assert len([info for info in types if info.name == "int4"]) == 1

    TypeInfo = peer.submodule("types").TypeInfo
    conn.adapters.types.add(TypeInfo("program_type", 900_000, 900_001))
    assert conn.adapters.types["program_type[]"].oid == 900_000
    assert types.get("program_type") is None
    registry = type(types)(types)
    registry.add(TypeInfo("program_type", 900_000, 900_001))
    assert registry[900_001].name == "program_type"
    assert types.get(900_000) is None


def test_type_of_one_s_own(peer: Peer, conn: Any) -> None:
    TypeInfo, Loader = peer.submodule("types").TypeInfo, peer.submodule("adapt").Loader
    conn.execute("create type mytype as enum ('a', 'b c')")
    query = "select 'b c'::mytype, array['a', null, 'b c']::mytype[]"
    assert conn.execute(query).fetchone() == ("b c", '{a,NULL,"b c"}')
    info = TypeInfo.fetch(conn, "mytype")
    info.register(conn)
    assert conn.execute(query).fetchone() == ("b c", ["a", None, "b c"])

    class MyTypeLoader(Loader):
        def load(self, data: Any) -> Any:
            return ("mine", bytes(data))

    conn.adapters.register_loader("mytype", MyTypeLoader)
    assert conn.execute(query).fetchone() == (("mine", b"b c"), [("mine", b"a"), None, ("mine", b"b c")])


# Composite types


def test_composite(peer: Peer, conn: Any) -> None:
    composite = peer.submodule("types.composite")
    CompositeInfo, register_composite = composite.CompositeInfo, composite.register_composite
    conn.execute("create type card as (value int, suit text)")
    info = CompositeInfo.fetch(conn, "card")
    register_composite(info, conn)
    my_card = info.python_type(8, "hearts")
    assert repr(my_card) == "card(value=8, suit='hearts')"
    row = conn.execute("select pg_typeof(%(card)s)::text, (%(card)s).suit", {"card": my_card}).fetchone()
    assert row == ("card", "hearts")
    assert repr(conn.execute("select (%s, %s)::card", [1, "spades"]).fetchone()[0]) == "card(value=1, suit='spades')"

    conn.execute("create type card_back as (face card, back text)")
    info2 = CompositeInfo.fetch(conn, "card_back")
    register_composite(info2, conn)
    row = conn.execute("select ((8, 'hearts'), 'blue')::card_back").fetchone()
    assert repr(row[0]) == "card_back(face=card(value=8, suit='hearts'), back='blue')"

    for binary in (False, True):
        cur = conn.cursor(binary=binary)
        back = info2.python_type(my_card, None)
        for format in "stb":
            cur.execute(f"select %{format}, pg_typeof(%{format})::text, %{format}", [back, [back], [back, None]])
            assert cur.fetchone() == (back, "card_back[]", [back, None])


@pytest.mark.parametrize("binary", [False, True])
def test_composite_of_other_objects(peer: Peer, conn: Any, binary: bool) -> None:
    composite = peer.submodule("types.composite")
    CompositeInfo, register_composite = composite.CompositeInfo, composite.register_composite
    conn.execute("create type card as (value int, suit text)")
    info = CompositeInfo.fetch(conn, "card")

    def card_from_db(values: Sequence[Any], info: Any) -> Card:
        return Card(**dict(zip(info.field_names, values)))  # noqa: B905

    def card_to_db(card: Card, info: Any) -> Sequence[Any]:
        return [getattr(card, name) for name in info.field_names]

    register_composite(info, conn, make_object=card_from_db)
    cur = conn.cursor(binary=binary)
    assert cur.execute("select '(1,spades)'::card").fetchone() == (Card("spades", 1),)
    register_composite(info, conn, factory=Card, make_object=card_from_db, make_sequence=card_to_db)
    cur = conn.cursor(binary=binary)
    query = "select (%(card)s).value + 1, (%(card)s).suit, %(card)s, %(cards)s"
    card = Card(suit="hearts", value=8)
    assert cur.execute(query, {"card": card, "cards": [card]}).fetchone() == (9, "hearts", card, [card])
    assert info.python_type is Card
    assert conn.execute("select %s", [Card(suit=None, value=None)]).fetchone()


def test_composite_that_a_table_defines(peer: Peer, conn: Any) -> None:
    composite = peer.submodule("types.composite")
    conn.execute("create temp table people (id int, gone text, name text)")
    conn.execute("alter table people drop column gone")
    info = composite.CompositeInfo.fetch(conn, "people")
    composite.register_composite(info, conn)
    conn.execute("insert into people values (1, 'a'), (2, null)")
    for binary in (False, True):
        rows = conn.execute("select people from people order by id", binary=binary).fetchall()
        assert repr(rows) == "[(people(id=1, name='a'),), (people(id=2, name=None),)]"


# Ranges


@pytest.mark.parametrize("binary", [False, True])
def test_range(peer: Peer, conn: Any, binary: bool) -> None:
    ranges, multiranges = peer.submodule("types.range"), peer.submodule("types.multirange")
    Range, Multirange = ranges.Range, multiranges.Multirange
    conn.execute("create type strrange as range (subtype = text)")
    ranges.register_range(ranges.RangeInfo.fetch(conn, "strrange"), conn)
    cur = conn.cursor(binary=binary)
    assert cur.execute("select pg_typeof(%s)::text", [Range("a", "z")]).fetchone() == ("strrange",)
    assert repr(cur.execute("select '[a,z]'::strrange").fetchone()[0]) == "Range('a', 'z', '[]')"
    assert cur.execute("select %s", [[Range("a,", 'b"'), None]]).fetchone() == ([Range("a,", 'b"'), None],)

    multiranges.register_multirange(multiranges.MultirangeInfo.fetch(conn, "strmultirange"), conn)
    cur = conn.cursor(binary=binary)
    value = Multirange([Range("a", "q"), Range("l", "z")])
    row = cur.execute("select pg_typeof(%(mr)s)::text, %(mr)s", {"mr": value}).fetchone()
    assert row[0] == "strmultirange"
    assert repr(row[1]) == "Multirange([Range('a', 'z', '[)')])"
    assert conn.adapters.types.get_by_subtype(ranges.RangeInfo, "text").name == "strrange"
    assert conn.adapters.types.get_by_subtype(multiranges.MultirangeInfo, 25).name == "strmultirange"
    assert peer.module.adapters.types.get_by_subtype(ranges.RangeInfo, "text") is None


def test_range_over_a_type_of_one_s_own(peer: Peer, conn: Any) -> None:
    ranges, enums = peer.submodule("types.range"), peer.submodule("types.enum")
    conn.execute("create type user_role as enum ('ADMIN', 'EDITOR', 'GUEST')")
    conn.execute("create type rolerange as range (subtype = user_role)")
    enums.register_enum(enums.EnumInfo.fetch(conn, "user_role"), conn, UserRole)
    ranges.register_range(ranges.RangeInfo.fetch(conn, "rolerange"), conn)
    value = ranges.Range(UserRole.ADMIN, UserRole.GUEST)
    for binary in (False, True):
        row = conn.execute("select %s, pg_typeof(%s)::text", [value, value], binary=binary).fetchone()
        assert row == (value, "rolerange")


# Enumerations


@pytest.mark.parametrize("binary", [False, True])
def test_enum(peer: Peer, conn: Any, binary: bool) -> None:
    enums = peer.submodule("types.enum")
    EnumInfo, register_enum = enums.EnumInfo, enums.register_enum
    conn.execute("create type user_role as enum ('ADMIN', 'EDITOR', 'GUEST')")
    info = EnumInfo.fetch(conn, "user_role")
    register_enum(info, conn, UserRole)
    some_editor = info.enum.EDITOR
    assert some_editor is UserRole.EDITOR
    cur = conn.cursor(binary=binary)
    row = cur.execute("select pg_typeof(%(editor)s)::text, %(editor)s", {"editor": some_editor}).fetchone()
    assert row == ("user_role", UserRole.EDITOR)
    row = cur.execute("select array[%s, %s]", [UserRole.ADMIN, UserRole.GUEST]).fetchone()
    assert row == ([UserRole.ADMIN, UserRole.GUEST],)

    conn.execute("create type abbey_role as enum ('ABBOT', 'SCRIBE', 'MONK', 'GUEST')")
    info = EnumInfo.fetch(conn, "abbey_role")
    mapping = [(UserRole.ADMIN, "ABBOT"), (UserRole.EDITOR, "SCRIBE"), (UserRole.EDITOR, "MONK")]
    register_enum(info, conn, UserRole, mapping=mapping)
    cur = conn.cursor(binary=binary)
    row = cur.execute("select '{ABBOT,SCRIBE,MONK,GUEST}'::abbey_role[]").fetchone()
    assert row == ([UserRole.ADMIN, UserRole.EDITOR, UserRole.EDITOR, UserRole.GUEST],)
    assert cur.execute("select %s::text[]", [list(UserRole)]).fetchone() == (["ABBOT", "MONK", "GUEST"],)

    conn.execute("create type lowercase_role as enum ('admin', 'editor', 'guest')")
    info = EnumInfo.fetch(conn, "lowercase_role")
    register_enum(info, conn, LowercaseRole, mapping={m: m.value for m in LowercaseRole})
    cur = conn.cursor(binary=binary)
    assert cur.execute("select 'editor'::lowercase_role").fetchone() == (LowercaseRole.EDITOR,)
    assert cur.execute("select pg_typeof(%s)::text", [LowercaseRole.GUEST]).fetchone() == ("lowercase_role",)

    info = EnumInfo.fetch(conn, "abbey_role")
    register_enum(info, conn)
    cur = conn.cursor(binary=binary)
    assert cur.execute("select 'MONK'::abbey_role").fetchone() == (info.enum.MONK,)
    assert info.enum.__name__ == "Abbey_Role"


def test_enum_that_does_not_know_a_label(peer: Peer, conn: Any) -> None:
    enums = peer.submodule("types.enum")
    conn.execute("create type user_role as enum ('ADMIN', 'OTHER')")
    enums.register_enum(enums.EnumInfo.fetch(conn, "user_role"), conn, UserRole)
    with pytest.raises(peer.module.DataError, match="bad member for enum UserRole: 'OTHER'"):
        conn.execute("select 'OTHER'::user_role").fetchone()


# hstore, for which a type stands in that keeps what it is sent

HSTORE = """
    create type hstore;
    create function hstore_in(cstring) returns hstore immutable strict language internal as 'textin';
    create function hstore_out(hstore) returns cstring immutable strict language internal as 'textout';
    create function hstore_recv(internal) returns hstore immutable strict language internal as 'bytearecv';
    create function hstore_send(hstore) returns bytea immutable strict language internal as 'byteasend';
    create type hstore (input = hstore_in, output = hstore_out, receive = hstore_recv, send = hstore_send, like = text);
"""


@pytest.mark.parametrize(("format", "binary"), [("t", False), ("b", True)])
def test_hstore(peer: Peer, conn: Any, format: str, binary: bool) -> None:
    conn.execute(HSTORE)
    info = peer.submodule("types").TypeInfo.fetch(conn, "hstore")
    peer.submodule("types.hstore").register_hstore(info, conn)
    assert conn.execute("select pg_typeof(%s)::text", [{"a": "b"}]).fetchone() == ("hstore",)
    for value in ({}, {"foo": "bar"}, {"a": None, "b": "", 'q"': "\\", "é": "=>, "}):
        row = conn.execute(f"select %{format}, %{format}", [value, [value, None]], binary=binary).fetchone()
        assert row == (value, [value, None])
    with pytest.raises(peer.module.DataError, match="hstore keys can only be strings"):
        conn.execute("select %t", [{1: "x"}])


def test_types_that_are_not_there(peer: Peer, conn: Any) -> None:
    info = peer.submodule("types").TypeInfo.fetch(conn, "hstore")
    assert info is None
    with pytest.raises(TypeError, match="Is the 'hstore' extension loaded"):
        peer.submodule("types.hstore").register_hstore(info, conn)
    for name in ("composite", "enum", "range", "multirange"):
        with pytest.raises(TypeError, match=f"Is the requested {name} available"):
            getattr(peer.submodule(f"types.{name}"), f"register_{name}")(None, conn)


# JSON


def test_json_functions(peer: Peer, conn: Any) -> None:
    types = peer.submodule("types.json")
    Json, Jsonb = types.Json, types.Jsonb
    types.set_json_loads(partial(json.loads, parse_float=Decimal), conn)
    row = conn.execute("select %s, %s", [Jsonb({"value": 123.45}), Json([0.5])]).fetchone()
    assert row == ({"value": Decimal("123.45")}, [Decimal("0.5")])

    class UUIDEncoder(json.JSONEncoder):
        def default(self, obj: Any) -> Any:
            if isinstance(obj, UUID):
                return str(obj)
            return json.JSONEncoder.default(self, obj)

    uuid_dumps = partial(json.dumps, cls=UUIDEncoder)
    obj = {"uuid": uuid4()}
    assert conn.execute("select %s", [Json(obj, dumps=uuid_dumps)]).fetchone() == ({"uuid": str(obj["uuid"])},)
    with pytest.raises(TypeError, match="not JSON serializable"):
        conn.execute("select %s", [Json(obj)])
    types.set_json_dumps(uuid_dumps, conn)
    assert conn.execute("select %b, %t", [Jsonb(obj), Json(obj)]).fetchone()[1] == {"uuid": str(obj["uuid"])}
    cur = conn.cursor()
    types.set_json_loads(lambda data: "loaded", cur)
    assert cur.execute("select '[1]'::jsonb, array['1'::json]").fetchone() == ("loaded", ["loaded"])
    assert conn.execute("select '[1]'::jsonb").fetchone() == ([1],)


def test_json_functions_for_all(peer: Peer) -> None:
    types = peer.submodule("types.json")
    before = peer.connect()
    types.set_json_loads(lambda data: ("loaded", type(data)))
    types.set_json_dumps(lambda obj: '"dumped"')
    try:
        row = peer.connect().execute("select %s::text, '1'::json", [types.Json(1)]).fetchone()
        assert row == ('"dumped"', ("loaded", bytes))
        assert before.execute("select %s::text, '1'::jsonb", [types.Json(1)]).fetchone() == (
            '"dumped"',
            ("loaded", bytes),
        )
    finally:
        types.set_json_loads(json.loads)
        types.set_json_dumps(json.dumps)
    assert peer.connect().execute("select %s", [types.Jsonb([1])]).fetchone() == ([1],)


def test_dicts_as_json(peer: Peer, conn: Any) -> None:
    types = peer.submodule("types.json")
    conn.adapters.register_dumper(dict, types.JsonbDumper)
    value = {"a": [1, None]}
    row = conn.execute("select %s, pg_typeof(%s)::text, %s", [value, value, [value]]).fetchone()
    assert row == (value, "jsonb", [value])
    conn.adapters.register_dumper(list, types.JsonbDumper)
    assert conn.execute("select %s, pg_typeof(%s)::text", [[1, "a"], [1, "a"]]).fetchone() == ([1, "a"], "jsonb")


# What frameworks do


def test_django(peer: Peer) -> None:
    adapt, postgres = peer.submodule("adapt"), peer.submodule("postgres")
    TextLoader = peer.submodule("types.string").TextLoader
    TimestamptzLoader = peer.submodule("types.datetime").TimestamptzLoader
    ranges = peer.submodule("types.range")
    tsrange, tstzrange = postgres.types["tsrange"].oid, postgres.types["tstzrange"].oid

    class BaseTzLoader(TimestamptzLoader):
        timezone: Any = None

        def load(self, data: Any) -> Any:
            return super().load(data).replace(tzinfo=self.timezone)

    def register_tzloader(tz: Any, context: Any) -> None:
        class SpecificTzLoader(BaseTzLoader):
            timezone = tz

        context.adapters.register_loader("timestamptz", SpecificTzLoader)

    class OtherRangeDumper(ranges.RangeDumper):
        def upgrade(self, obj: Any, format: Any) -> Any:
            dumper = super().upgrade(obj, format)
            if dumper is not self and dumper.oid == tsrange:
                dumper.oid = tstzrange
            return dumper

    @lru_cache
    def template(timezone: Any) -> Any:
        context = adapt.AdaptersMap(peer.module.adapters)
        context.register_loader("jsonb", TextLoader)
        context.register_loader("inet", TextLoader)
        context.register_loader("cidr", TextLoader)
        context.register_dumper(ranges.Range, OtherRangeDumper)
        register_tzloader(timezone, context)
        return context

    conn = peer.connect(context=template(dt.timezone.utc), options="-c TimeZone=UTC")
    row = conn.execute("""select '{"a": 1}'::jsonb, '1.2.3.4'::inet, '1.2.3.0/24'::cidr, '{::1}'::inet[]""").fetchone()
    assert row == ('{"a": 1}', "1.2.3.4", "1.2.3.0/24", ["::1"])
    row = conn.execute(
        "select '2020-01-02 03:04+00'::timestamptz, '{2020-01-02 00:00+00,NULL}'::timestamptz[]"
    ).fetchone()
    expected = dt.datetime(2020, 1, 2, 3, 4, tzinfo=dt.timezone.utc)
    assert repr(row) == repr((expected, [expected.replace(hour=0, minute=0), None]))
    naive = dt.datetime(2020, 1, 1)
    query = "select pg_typeof(%s)::text, pg_typeof(%s)::text, pg_typeof(%s)::text"
    values = [ranges.Range(naive, naive), ranges.Range(naive.date(), None), [ranges.Range(naive, None)]]
    assert conn.execute(query, values).fetchone() == ("tstzrange", "daterange", "tstzrange[]")
    assert conn.execute("select 5 <@ %s::int4range", [ranges.Range(1, 10)]).fetchone() == (True,)

    cur = conn.cursor()
    register_tzloader(None, cur)
    assert cur.execute("select '2020-01-02 03:04+00'::timestamptz").fetchone() == (dt.datetime(2020, 1, 2, 3, 4),)
    pq = peer.submodule("pq")
    assert issubclass(conn.adapters.get_loader(postgres.types["timestamptz"].oid, pq.Format.TEXT), BaseTzLoader)
    # Whatever sits on top may read the parts of a range.
    value = conn.execute("select numrange(1, 2)").fetchone()[0]
    assert (value.lower, value.upper, value._bounds) == (1, 2, "[)")
    assert hash(value) == hash(ranges.Range(Decimal(1), Decimal(2), "[)"))


def test_sqlalchemy(peer: Peer) -> None:
    adapters_map = peer.submodule("adapt").AdaptersMap(peer.module.adapters)
    string, types, ranges = peer.submodule("types.string"), peer.submodule("types.json"), peer.submodule("types.range")
    adapters_map.register_loader("inet", string.TextLoader)
    adapters_map.register_loader("cidr", string.TextLoader)
    types.set_json_loads(loads=lambda data: ["loaded"], context=adapters_map)
    types.set_json_dumps(dumps=lambda obj: '"dumped"', context=adapters_map)
    conn = peer.connect(context=adapters_map)
    row = conn.execute("select '1.2.3.4'::inet, %s::text, '[]'::jsonb", [types.Jsonb(5)]).fetchone()
    assert row == ("1.2.3.4", '"dumped"', ["loaded"])

    conn.execute(HSTORE)
    info = peer.submodule("types").TypeInfo.fetch(conn, "hstore")
    register_hstore = peer.submodule("types.hstore").register_hstore
    register_hstore(info, adapters_map)
    register_hstore(info, conn)
    assert conn.execute("select %t", [{"a": "b"}], binary=False).fetchone() == ({"a": "b"},)
    with pytest.raises(peer.module.ProgrammingError, match="cannot adapt type 'dict'"):
        peer.connect().execute("select %s", [{"a": "b"}])

    class OtherRange(ranges.Range):
        pass

    value = conn.execute("select %s::int4range", [OtherRange(1, 5, "[]")]).fetchone()[0]
    assert (value._lower, value._upper, value._bounds) == (1, 6, "[)")
    assert conn.execute("select 'empty'::int4range").fetchone()[0]._bounds in (None, "")


def test_network_addresses(conn: Any) -> None:
    row = conn.execute("select '192.168.0.1'::inet, '192.168.0.1/24'::inet, '::ffff:1.2.3.0/120'::cidr").fetchone()
    assert row == (IPv4Address("192.168.0.1"), IPv4Interface("192.168.0.1/24"), IPv6Network("::ffff:102:300/120"))
    assert repr(row[2]).startswith("IPv6Network('::ffff:")
