"""Rows that are sent by functions made for them: byte by byte what the plain way sends, and the same mistakes."""

from __future__ import annotations

import datetime as dt
import enum
import uuid
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any

import psycopg
import pytest
import server_messages as s
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from transports import Connect, Connection, on_sessions

import neonps
from neonps import errors as e
from neonps.adapt import Dumper, PyFormat, Transformer
from neonps.copy import Copy, Writer
from neonps.pq import Format
from neonps.protocol import backend as b
from neonps.protocol import frontend as f
from neonps.protocol.collector import Collector
from neonps.protocol.session import State, StateMachine
from neonps.query import PostgresQuery, RawQuery
from neonps.types.integer import Int4, Int4BinaryDumper, Int4Dumper, IntDumper, Oid
from neonps.types.json import Jsonb
from neonps.types.range import Range
from neonps.types.string import StrDumper


class Color(enum.Enum):
    RED = "red"


class Number(enum.IntEnum):
    ONE = 1

    def __str__(self) -> str:
        return "not a number"


class Shout(str):
    def encode(self, *args: Any) -> bytes:
        return self.upper().encode()

    def __str__(self) -> str:
        return "hey"


class Few(int):
    def __format__(self, spec: str) -> str:
        return "few"

    def __repr__(self) -> str:
        return "few"


class Half(float):
    def __repr__(self) -> str:
        return "half"


CHARACTERS = st.one_of(
    st.sampled_from("\0\b\t\n\v\f\r\\N'\x7f\x80\xa0\u2028\ud800\U0001f600ß漢ソ表"), st.characters(exclude_categories=())
)
VALUES: list[st.SearchStrategy[Any]] = [
    st.integers(-10, 10),
    st.integers(),
    st.sampled_from(
        [edge + step for edge in (-(2**63), -(2**31), -(2**15), 2**15, 2**31, 2**63) for step in (-1, 0, 1)]
    ),
    st.sampled_from([10**4299, -(10**5000)]),
    st.floats(),
    st.booleans(),
    st.text(alphabet=st.characters(codec="ascii", exclude_categories=("Cc",)), max_size=12),
    st.text(CHARACTERS, max_size=6),
    st.none(),
    st.binary(max_size=5),
    st.binary(max_size=5).map(memoryview),
    st.decimals(),
    st.dates(),
    st.datetimes(),
    st.datetimes(timezones=st.just(dt.timezone.utc)),
    st.times(),
    st.uuids(),
    st.sampled_from(
        [Color.RED, Number.ONE, Few(7), Half(0.5), Shout("a\tb"), Shout("a"), Int4(5), Int4(2**40), Oid(3)]
    ),
    st.lists(st.integers(), max_size=3),
    st.lists(st.sampled_from(["a", "b\\c"]), max_size=2),
    st.integers(0, 9).map(lambda n: Jsonb({"n": n})),
    st.integers(0, 9).map(lambda n: Range(n, n + 5)),
    st.builds(object),
]


@st.composite
def tables(draw: st.DrawFn) -> list[Sequence[Any]]:
    """Rows whose columns mostly have values of one kind, and sometimes others."""
    columns = draw(st.lists(st.sampled_from(VALUES), min_size=1, max_size=4))
    strange = st.one_of(VALUES)
    row = st.tuples(*[st.one_of(column, column, column, column, st.none(), strange) for column in columns])
    homogeneous = st.tuples(*columns)
    return draw(st.lists(st.one_of(row, homogeneous, homogeneous.map(list), st.tuples()), max_size=8))


class LoudDumper(StrDumper):
    def dump(self, obj: str) -> Any:
        return None if obj == "" else b"loud\t" + obj.encode("utf-8", "replace")


class OddDumper(IntDumper):
    def get_key(self, obj: int, format: PyFormat) -> Any:
        return (int, obj % 2)

    def upgrade(self, obj: int, format: PyFormat) -> Any:
        return Int4Dumper(int) if obj % 2 else EvenDumper(int)


class EvenDumper(Dumper):
    oid = 25

    def dump(self, obj: int) -> bytes:
        return b"even"


class OddBinaryDumper(OddDumper):
    format = Format.BINARY

    def upgrade(self, obj: int, format: PyFormat) -> Any:
        return Int4BinaryDumper(int)


class NegativeDumper(Int4BinaryDumper):
    def dump(self, obj: int) -> Any:
        return super().dump(-obj)


OWN_DUMPERS: dict[str, list[tuple[type, type[Dumper]]]] = {
    "": [],
    "fixed": [(int, Int4Dumper), (int, Int4BinaryDumper), (bool, Int4Dumper)],
    "other": [(str, LoudDumper), (int, OddDumper), (float, EvenDumper)],
    "binary": [(int, OddBinaryDumper), (float, NegativeDumper)],
}


@pytest.fixture(scope="module")
def conns(url: str) -> Iterator[dict[str, Connection]]:
    """A connection for each encoding."""
    conns = {name: neonps.connect(url, client_encoding=name) for name in ("UTF8", "LATIN1", "SJIS", "SQL_ASCII")}
    yield conns
    for conn in conns.values():
        conn.close()


@pytest.fixture(scope="module")
def conn(conns: dict[str, Connection]) -> Connection:
    return conns["UTF8"]


TYPES = ["int2", "int4", "int8", "float4", "float8", "text", "bool", "numeric", "int4[]"]


class Collect(Writer):
    def __init__(self) -> None:
        self.data = b""

    def write(self, data: Any) -> None:
        self.data += data


class PlainCopy(Copy):
    """Writes all rows in the plain way."""

    def _collect_row(self, row: Any) -> bytes:
        return self._collect_any_row(row)


def written(make: type[Copy], cursor: Any, rows: Sequence[Any], binary: bool, types: Sequence[str]) -> tuple[Any, ...]:
    """What a COPY writes, and the errors that it raises on the way."""
    writer = Collect()
    problems: list[Any] = []
    with make(cursor, binary=binary, writer=writer) as copy:
        if types:
            copy.set_types(types)
        for row in rows:
            try:
                copy.write_row(row)
                problems.append(None)
            except Exception as error:
                problems.append((type(error), str(error)))
    return writer.data, problems


SETTINGS = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("encoding", ["UTF8", "LATIN1", "SJIS", "SQL_ASCII"])
@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
@SETTINGS
@given(tables(), st.sampled_from(sorted(OWN_DUMPERS)))
def test_a_copy_writes_what_the_plain_way_writes(
    conns: dict[str, Connection], encoding: str, binary: bool, rows: list[Sequence[Any]], own: str
) -> None:
    cursor = conns[encoding].cursor()
    for cls, dumper in OWN_DUMPERS[own]:
        cursor.adapters.register_dumper(cls, dumper)
    assert written(Copy, cursor, rows, binary, ()) == written(PlainCopy, cursor, rows, binary, ())


@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
@SETTINGS
@given(tables(), st.lists(st.sampled_from(TYPES), min_size=1, max_size=4))
def test_a_copy_with_types_writes_what_the_plain_way_writes(
    conn: Connection, binary: bool, rows: list[Sequence[Any]], types: list[str]
) -> None:
    rows = [row[: len(types)] for row in rows]
    cursor = conn.cursor()
    assert written(Copy, cursor, rows, binary, types) == written(PlainCopy, cursor, rows, binary, types)


def plainly(query: PostgresQuery, params: Any) -> tuple[Any, ...] | None:
    """Types, formats and messages of parameters in the plain way; None if they are wrong."""
    try:
        query.dump(params)
    except Exception:
        return None
    bind = f.Bind(b"", b"name", query.bound, query.formats or (), (1,))
    return query.types, query.formats, bind.encode() + f.Execute(b"").encode()


@SETTINGS
@given(tables(), st.sampled_from(sorted(OWN_DUMPERS)), st.sampled_from(["%s", "%b", "%t", "name", "raw"]))
def test_parameters_are_packed_as_in_the_plain_way(
    conn: Connection, rows: list[Sequence[Any]], own: str, way: str
) -> None:
    count = max(map(len, rows), default=0)
    assume(count)
    cursor = conn.cursor()
    for cls, dumper in OWN_DUMPERS[own]:
        cursor.adapters.register_dumper(cls, dumper)
    many: list[Any] = rows
    marks = [way] * count
    if way == "name":
        many = [{f"'{number}": value for number, value in enumerate(row)} for row in rows]
        marks = [f"%('{number})s" for number in range(count)] * 2
    first = next(params for params in many if len(params) == count)
    made = RawQuery if way == "raw" else PostgresQuery
    query, plain = (made(Transformer(cursor)) for _ in range(2))
    try:
        for each in (query, plain):
            each.convert("select " + ", ".join(marks), first)
    except Exception:
        assume(False)
    packers: list[tuple[Any, Callable[[Any], Any]]] = []
    for params in many:
        expected = plainly(plain, params)
        packed = query.pack(params)
        if packed is not None:
            bind = f.Bind(b"", b"name", (), packed.formats, (1,))
            frame = bind.frame(f.Execute(b""))
            pack = packed.packer(frame)
            assert pack(params) in (None, expected and expected[2])
            packers.append(((packed.types, packed.formats), pack))
        for what, pack in packers:
            if (data := pack(params)) is not None:
                assert expected is not None
                assert (*what, data) == expected


def test_usual_parameters_are_packed(conn: Connection) -> None:
    query = PostgresQuery(Transformer(conn))
    params = (1, 70000, 2**40, 1.5, True, "text", None, b"bytes", Decimal("1.5"), uuid.UUID(int=1), dt.date(2020, 1, 1))
    query.convert("select " + ", ".join(["%s"] * len(params)), params)
    packed = query.pack(params)
    assert packed is not None
    assert packed.packer(f.Frame())(params) is not None


def test_usual_rows_are_made_without_the_plain_way(conn: Connection) -> None:
    class Once(Copy):
        plain = 0

        def _collect_any_row(self, row: Any) -> bytes:
            self.plain += 1
            return super()._collect_any_row(row)

    for binary in (False, True):
        with Once(conn.cursor(), binary=binary, writer=Collect()) as copy:
            for number in range(100):
                copy.write_row((number, 2**40, number / 7, f"row {number}\n", True, None, dt.date(2020, 1, 1)))
                copy.write_row([number, 2**40, number / 7, None, True, None, dt.date(2020, 1, 1)])
        assert copy.plain == 2


# What the order of calls has to do with it


def test_rows_and_pieces_stay_in_order(conn: Connection) -> None:
    writer = Collect()
    with Copy(conn.cursor(), binary=False, writer=writer) as copy:
        row: list[Any] = [1, "a"]
        for piece in (b"x\ty\n", "z\tz\n"):
            for number in range(3):
                row[0] = number
                copy.write_row(row)
            copy.write(piece)
        row[1] = "changed after it was written"
        copy.write_row(iter((9, "i")))
        copy.set_types(["text", "text"])
        copy.write_row(("s", "t"))
        copy.write_row(("s", "u"))
    assert writer.data == b"0\ta\n1\ta\n2\ta\nx\ty\n" + b"0\ta\n1\ta\n2\ta\nz\tz\n" + b"9\ti\ns\tt\ns\tu\n"


def test_long_rows_are_sent_soon(conn: Connection) -> None:
    class Sizes(Writer):
        def __init__(self) -> None:
            self.sizes: list[int] = []

        def write(self, data: Any) -> None:
            self.sizes.append(len(data))

    for binary in (False, True):
        writer = Sizes()
        with Copy(conn.cursor(), binary=binary, writer=writer) as copy:
            for _ in range(1000):
                copy.write_row((1, "x" * 1000))
        assert max(writer.sizes) < 100_000


@on_sessions
@pytest.mark.parametrize("threshold", [5, None], ids=["named", "unnamed"])
@pytest.mark.parametrize("returning", [False, True])
def test_types_that_change_from_row_to_row(connect: Connect, threshold: int | None, returning: bool) -> None:
    conn = connect()
    conn.prepare_threshold = threshold
    values = [1, "two", 3, 4, None, None, 70000, 5, 6, 2**40, Decimal("7.5"), 8, "nine", "ten", Color.RED, 11] * 50
    conn.execute("create temporary table things (number serial, value text)")
    cursor = conn.cursor()
    statement = "insert into things (value) select %s::text" + (" returning value" if returning else "")
    cursor.executemany(statement, [(value,) for value in values], returning=returning)
    expected = [None if value is None else "RED" if value is Color.RED else str(value) for value in values]
    if returning:
        assert [cursor.fetchone()] + [cursor.fetchone() for _ in values[1:] if cursor.nextset()] == [
            (value,) for value in expected
        ]
    else:
        assert cursor.rowcount == len(values)
    assert [value for (value,) in conn.execute("select value from things order by number")] == expected


@on_sessions
def test_a_mistake_behind_packed_rows(connect: Connect) -> None:
    conn = connect(autocommit=True)
    conn.execute("create temporary table texts (value text)")
    cursor = conn.cursor()
    for wrong, error in (("nul\0", e.DataError), (object(), e.ProgrammingError)):
        for count in (5, 5000):
            with pytest.raises(error):
                cursor.executemany("insert into texts values (%s)", [*(("x" * 50,) for _ in range(count)), (wrong,)])
            assert conn.execute("select count(*) from texts").fetchone() == (0,)


@on_sessions
def test_an_error_of_the_server_behind_many_answers(connect: Connect) -> None:
    conn = connect(autocommit=True)
    conn.execute("create temporary table halves (value int check (value < 20000))")
    cursor = conn.cursor()
    with pytest.raises(e.CheckViolation):
        cursor.executemany("insert into halves values (%s)", [(number,) for number in range(30000)])
    assert conn.execute("select count(*) from halves").fetchone() == (0,)
    cursor.executemany("insert into halves values (%s), (%s)", [(number, number) for number in range(10000)])
    assert (cursor.rowcount, cursor.statusmessage) == (20000, "INSERT 0 2")


def test_psycopg_reads_what_was_sent(connect: Connect, admin: psycopg.Connection[Any], transport: str) -> None:
    rows = [
        (n, n * 10**9, n / 7 if n % 3 else None, "\t\\\né"[n % 4 :] if n % 5 else None, bool(n % 2)) for n in range(500)
    ]
    admin.execute("drop table if exists sent")
    admin.execute("create table sent (a int4, b int8, c float8, d text, e bool)")
    conn = connect()
    cursor = conn.cursor()
    cursor.executemany("insert into sent values (%s, %s, %s, %s, %s)", rows)
    conn.commit()
    assert admin.execute("select * from sent order by a").fetchall() == rows
    for options in ("", "(format binary)") if transport != "http" else ():
        admin.execute("truncate sent")
        with cursor.copy(f"copy sent from stdin {options}") as copy:
            copy.set_types(["int4", "int8", "float8", "text", "bool"])
            for row in rows:
                copy.write_row(row)
        conn.commit()
        assert admin.execute("select * from sent order by a").fetchall() == rows
    admin.execute("drop table sent")


# Answers that are all the same


ANSWERS = st.lists(
    st.tuples(
        st.sampled_from(["INSERT 0 1", "INSERT 0 1", "INSERT 0 1", "INSERT 0 12", "UPDATE 3", "CREATE TABLE"]),
        st.integers(1, 20),
    ),
    max_size=6,
)


@given(ANSWERS, st.booleans(), st.lists(st.integers(0, 2000), max_size=4), st.booleans())
def test_repeated_answers_count_as_many(
    answers: list[tuple[str, int]], fails: bool, cuts: list[int], notice: bool
) -> None:
    tags = [tag for tag, times in answers for _ in range(times)]
    aside = s.error("00000", "hello", "NOTICE", "N")
    parts = [
        s.BOUND + (aside if notice and number % 7 == 3 else b"") + s.complete(tag) for number, tag in enumerate(tags)
    ]
    if fails:
        parts.append(s.error("23505", "twice"))
    data = s.PARSED + b"".join(parts) + s.IDLE
    outcomes = []
    for repeated in (False, True):
        machine = StateMachine()
        machine.send(f.StartupMessage({"user": "u"}))
        machine.receive(s.AUTHENTICATION_OK + s.KEY + s.IDLE)
        while machine.next_event():
            pass
        due = f.Encoded(
            (f.Bind, f.Execute), [f.Bind(b"", b"").encode() + f.Execute(b"").encode()] * (len(tags) + fails)
        )
        machine.send(f.Parse(b"", b"insert"), due, f.Sync())
        collector = Collector(keep=False)
        kinds = []
        borders = [0, *sorted(cut % len(data) for cut in cuts), len(data)]
        for start, stop in pairwise(borders):
            machine.receive(data[start:stop])
            while (event := machine.next_event()) is not None:
                kinds.append(type(event))
                collector.handle(event)
                if repeated and isinstance(event, b.CommandComplete):
                    count = machine.take_repeated(event.tag)
                    collector.repeat(count)
                    kinds += [b.BindComplete, b.CommandComplete] * count
        assert machine.state is State.IDLE
        assert not machine.needs_sync
        outcomes.append((collector.rowcount, collector.command_tag, kinds, collector.error is None))
    assert outcomes[0] == outcomes[1]
