"""Two-phase commit (PEP 249, "Optional Two-Phase Commit Extensions"): what psycopg does, neonps does."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest
from backends import Admin
from peers import Peer
from transports import Numbers


def status(conn: Any) -> str:
    name: str = conn.info.transaction_status.name
    return name


def prepared(admin: Admin) -> list[str]:
    """The identifiers of the transactions that are prepared."""
    return [row[0] for row in admin.execute("select gid from pg_prepared_xacts order by gid")]


@pytest.fixture(autouse=True)
def nothing_left(numbers: Numbers, admin: Admin) -> Iterator[None]:
    """No test leaves a prepared transaction, which would lock the table, to the next."""
    yield
    for gid in prepared(admin):
        admin.execute(f"rollback prepared '{gid}'")


# Xid


def test_xid(peer: Peer) -> None:
    xid = peer.connect().xid(42, "global", "branch")
    assert type(xid) is peer.module.Xid
    assert (xid.format_id, xid.gtrid, xid.bqual) == (42, "global", "branch")
    assert (xid.prepared, xid.owner, xid.database) == (None, None, None)


def test_xid_is_a_sequence_of_three(peer: Peer) -> None:
    xid = peer.connect().xid(42, "global", "branch")
    assert tuple(xid) == (42, "global", "branch")
    assert len(xid) == 3
    assert (xid[0], xid[1], xid[2]) == (42, "global", "branch")
    format_id, gtrid, bqual = xid
    assert (format_id, gtrid, bqual) == (42, "global", "branch")


def test_xid_compares_by_value(peer: Peer) -> None:
    conn = peer.connect()
    assert conn.xid(1, "a", "b") == conn.xid(1, "a", "b")
    assert conn.xid(1, "a", "b") != conn.xid(1, "a", "c")
    assert hash(conn.xid(1, "a", "b")) == hash(conn.xid(1, "a", "b"))


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ((1, "gt", "bq"), "1_Z3Q=_YnE="),
        ((0, "a", "b"), "0_YQ==_Yg=="),
        ((2147483647, "a", "b"), "2147483647_YQ==_Yg=="),
        ((1, "", ""), "1__"),
        ((1, "é", "b'q"), "1_w6k=_Yidx"),
    ],
)
def test_xid_as_text_is_that_of_jdbc(peer: Peer, parts: Any, text: str) -> None:
    xid = peer.connect().xid(*parts)
    assert str(xid) == text
    assert peer.module.Xid.from_string(text) == xid


@pytest.mark.parametrize("text", ["plain", "1_a_b", "x_Zm9v_YmFy", "", "1_Zm9v", "_Zm9v_YmFy"])
def test_text_that_is_no_triple_is_kept(peer: Peer, text: str) -> None:
    xid = peer.module.Xid.from_string(text)
    assert (xid.format_id, xid.gtrid, xid.bqual) == (None, text, None)
    assert str(xid) == text


def test_xid_limits(peer: Peer) -> None:
    conn = peer.connect()
    for format_id in (-1, 2**31):
        with pytest.raises(ValueError, match="format_id must be a non-negative 32-bit integer"):
            conn.xid(format_id, "a", "b")
    with pytest.raises(ValueError, match="gtrid must be not longer than 64 chars"):
        conn.xid(1, "a" * 65, "b")
    with pytest.raises(ValueError, match="bqual must be not longer than 64 chars"):
        conn.xid(1, "a", "b" * 65)
    conn.xid(1, "a" * 64, "b" * 64)


def test_xid_needs_no_open_connection(peer: Peer) -> None:
    conn = peer.connect()
    conn.close()
    assert tuple(conn.xid(1, "a", "b")) == (1, "a", "b")


# The way through


@pytest.mark.parametrize("text", [False, True])
def test_prepare_and_commit(numbers: Numbers, peer: Peer, admin: Admin, text: bool) -> None:
    conn = peer.connect()
    xid = "my transaction" if text else conn.xid(1, "gt", "bq")
    assert conn.tpc_begin(xid) is None
    assert status(conn) == "INTRANS"
    conn.execute("insert into numbers values (1)")
    assert conn.tpc_prepare() is None
    assert status(conn) == "IDLE"
    assert prepared(admin) == [str(xid)]
    assert numbers() == []
    assert conn.tpc_commit() is None
    assert status(conn) == "IDLE"
    assert prepared(admin) == []
    assert numbers() == [1]
    conn.execute("insert into numbers values (2)")
    conn.commit()
    assert numbers() == [1, 2]


def test_prepare_and_rollback(numbers: Numbers, peer: Peer, admin: Admin) -> None:
    conn = peer.connect()
    conn.tpc_begin("mine")
    conn.execute("insert into numbers values (1)")
    conn.tpc_prepare()
    assert prepared(admin) == ["mine"]
    conn.tpc_rollback()
    assert status(conn) == "IDLE"
    assert prepared(admin) == []
    assert numbers() == []


def test_commit_in_one_phase(numbers: Numbers, peer: Peer, admin: Admin) -> None:
    conn = peer.connect()
    conn.tpc_begin("mine")
    conn.execute("insert into numbers values (1)")
    conn.tpc_commit()
    assert status(conn) == "IDLE"
    assert prepared(admin) == []
    assert numbers() == [1]


def test_rollback_before_prepare(numbers: Numbers, peer: Peer, admin: Admin) -> None:
    conn = peer.connect()
    conn.tpc_begin("mine")
    conn.execute("insert into numbers values (1)")
    conn.tpc_rollback()
    assert status(conn) == "IDLE"
    assert prepared(admin) == []
    assert numbers() == []
    conn.tpc_begin("mine again")
    conn.tpc_rollback()


def test_prepare_without_statements(peer: Peer, admin: Admin) -> None:
    conn = peer.connect()
    conn.tpc_begin("mine")
    conn.tpc_prepare()
    assert prepared(admin) == ["mine"]
    conn.tpc_commit()
    assert prepared(admin) == []


def test_the_characteristics_count(peer: Peer) -> None:
    conn = peer.connect()
    conn.isolation_level = peer.module.IsolationLevel.SERIALIZABLE
    conn.tpc_begin("mine")
    assert conn.execute("show transaction_isolation").fetchone() == ("serializable",)
    conn.tpc_rollback()


def test_a_prepared_transaction_outlives_the_connection(numbers: Numbers, peer: Peer, admin: Admin) -> None:
    conn = peer.connect()
    xid = conn.xid(7, "g t", "b'q")
    conn.tpc_begin(xid)
    conn.execute("insert into numbers values (1)")
    conn.tpc_prepare()
    conn.close()
    other = peer.connect()
    (recovered,) = other.tpc_recover()
    assert tuple(recovered) == tuple(xid)
    other.tpc_commit(recovered)
    assert status(other) == "IDLE"
    assert numbers() == [1]
    assert other.tpc_recover() == []


@pytest.mark.parametrize("autocommit", [False, True])
@pytest.mark.parametrize("way", ["tpc_commit", "tpc_rollback"])
def test_recovery_by_text(numbers: Numbers, peer: Peer, admin: Admin, autocommit: bool, way: str) -> None:
    admin.execute("begin")
    admin.execute("insert into numbers values (1)")
    admin.execute("prepare transaction 'made elsewhere'")
    conn = peer.connect(autocommit=autocommit)
    getattr(conn, way)("made elsewhere")
    assert prepared(admin) == []
    assert numbers() == ([1] if way == "tpc_commit" else [])


def test_recover_tells_of_each(peer: Peer, admin: Admin) -> None:
    conn = peer.connect()
    conn.tpc_begin(conn.xid(7, "gt", "bq"))
    conn.tpc_prepare()
    admin.execute("begin")
    admin.execute("prepare transaction 'made elsewhere'")
    xids = {str(xid): xid for xid in peer.connect().tpc_recover()}
    assert set(xids) == {str(conn.xid(7, "gt", "bq")), "made elsewhere"}
    theirs = xids["made elsewhere"]
    assert (theirs.format_id, theirs.gtrid, theirs.bqual) == (None, "made elsewhere", None)
    for xid in xids.values():
        assert isinstance(xid.prepared, dt.datetime)
        assert xid.prepared.tzinfo is not None
        assert xid.owner == "postgres"
        assert xid.database == "postgres"
    conn.tpc_rollback()


def test_recover_does_not_depend_on_the_row_factory(peer: Peer, admin: Admin) -> None:
    admin.execute("begin")
    admin.execute("prepare transaction 'made elsewhere'")
    conn = peer.connect(row_factory=peer.submodule("rows").dict_row)
    (xid,) = conn.tpc_recover()
    assert xid.gtrid == "made elsewhere"


def test_recover_leaves_the_transaction_status_as_it_is(peer: Peer) -> None:
    conn = peer.connect()
    assert conn.tpc_recover() == []
    assert status(conn) == "IDLE"
    conn.execute("select 1")
    assert conn.tpc_recover() == []
    assert status(conn) == "INTRANS"


def test_recovery_of_what_does_not_exist(peer: Peer) -> None:
    conn = peer.connect()
    for finish in (conn.tpc_commit, conn.tpc_rollback):
        for xid in ("no such transaction", conn.xid(1, "a", "b")):
            with pytest.raises(peer.module.ProgrammingError, match="does not exist") as caught:
                finish(xid)
            assert caught.value.sqlstate == "42704"
            assert status(conn) == "IDLE"


# What is refused


def test_prepare_outside(peer: Peer) -> None:
    conn = peer.connect()
    with pytest.raises(peer.module.ProgrammingError, match="must be called inside a two-phase transaction"):
        conn.tpc_prepare()
    conn.execute("select 1")
    with pytest.raises(peer.module.ProgrammingError, match="must be called inside a two-phase transaction"):
        conn.tpc_prepare()


@pytest.mark.parametrize("way", ["tpc_commit", "tpc_rollback"])
def test_finishing_outside_without_an_xid(peer: Peer, way: str) -> None:
    conn = peer.connect()
    with pytest.raises(peer.module.ProgrammingError, match=r"without xid must .*be called inside a two-phase"):
        getattr(conn, way)()


@pytest.mark.parametrize("way", ["tpc_commit", "tpc_rollback"])
def test_finishing_inside_with_an_xid(peer: Peer, way: str) -> None:
    conn = peer.connect()
    conn.tpc_begin("mine")
    with pytest.raises(peer.module.ProgrammingError, match=r"with xid must .*be called outside a two-phase"):
        getattr(conn, way)("mine")
    conn.tpc_rollback()


@pytest.mark.parametrize("way", ["tpc_commit", "tpc_rollback"])
def test_finishing_another_within_a_transaction(peer: Peer, admin: Admin, way: str) -> None:
    admin.execute("begin")
    admin.execute("prepare transaction 'made elsewhere'")
    conn = peer.connect()
    conn.execute("select 1")
    with pytest.raises(peer.module.Error):
        getattr(conn, way)("made elsewhere")
    assert prepared(admin) == ["made elsewhere"]


def test_begin_within_a_transaction(peer: Peer) -> None:
    conn = peer.connect()
    conn.execute("select 1")
    with pytest.raises(
        peer.module.ProgrammingError, match="can't start two-phase transaction: connection in status INTRANS"
    ):
        conn.tpc_begin("mine")
    with pytest.raises(peer.module.Error):
        conn.execute("selec")
    with pytest.raises(
        peer.module.ProgrammingError, match="can't start two-phase transaction: connection in status INERROR"
    ):
        conn.tpc_begin("mine")


def test_begin_within_a_two_phase_transaction(peer: Peer) -> None:
    conn = peer.connect()
    conn.tpc_begin("mine")
    with pytest.raises(peer.module.ProgrammingError, match="can't start two-phase transaction"):
        conn.tpc_begin("another")
    conn.tpc_rollback()


def test_begin_within_a_transaction_block(peer: Peer) -> None:
    conn = peer.connect()
    with pytest.raises(peer.module.ProgrammingError, match="can't start two-phase transaction"):
        with conn.transaction():
            conn.tpc_begin("mine")


def test_begin_in_autocommit_mode(peer: Peer) -> None:
    conn = peer.connect(autocommit=True)
    with pytest.raises(peer.module.ProgrammingError, match="can't use two-phase transactions in autocommit mode"):
        conn.tpc_begin("mine")
    assert status(conn) == "IDLE"


@pytest.mark.parametrize("way", ["commit", "rollback"])
@pytest.mark.parametrize("after_prepare", [False, True])
def test_commit_and_rollback_are_refused(peer: Peer, way: str, after_prepare: bool) -> None:
    conn = peer.connect()
    conn.tpc_begin("mine")
    if after_prepare:
        conn.tpc_prepare()
    message = rf"{way}\(\) cannot be used during a two-phase transaction"
    with pytest.raises(peer.module.ProgrammingError, match=message):
        getattr(conn, way)()
    conn.tpc_rollback()
    getattr(conn, way)()


def test_prepare_twice(peer: Peer) -> None:
    conn = peer.connect()
    conn.tpc_begin("mine")
    conn.tpc_prepare()
    with pytest.raises(peer.module.ProgrammingError, match="cannot be used during a prepared two-phase transaction"):
        conn.tpc_prepare()
    conn.tpc_rollback()


def test_setters_are_refused(peer: Peer) -> None:
    conn = peer.connect()
    conn.tpc_begin("mine")
    with pytest.raises(peer.module.ProgrammingError, match="can't change 'autocommit' now"):
        conn.autocommit = True
    with pytest.raises(peer.module.ProgrammingError, match="can't change 'isolation_level' now"):
        conn.isolation_level = 4
    conn.tpc_rollback()
    conn.autocommit = True


def test_leaving_the_connection_with_a_two_phase_transaction(numbers: Numbers, peer: Peer, admin: Admin) -> None:
    """It can neither commit nor roll back what somebody else has to decide."""
    conn = peer.connect()
    with pytest.raises(peer.module.ProgrammingError, match=r"commit\(\) cannot be used during a two-phase"):
        with conn:
            conn.tpc_begin("mine")
            conn.execute("insert into numbers values (1)")
    conn.close()
    assert prepared(admin) == []
    assert numbers() == []


# Errors of the server


def test_an_identifier_that_is_taken(numbers: Numbers, peer: Peer, admin: Admin) -> None:
    admin.execute("begin")
    admin.execute("prepare transaction 'taken'")
    conn = peer.connect()
    conn.tpc_begin("taken")
    conn.execute("insert into numbers values (1)")
    with pytest.raises(peer.module.errors.DuplicateObject, match='transaction identifier "taken" is already in use'):
        conn.tpc_prepare()
    assert status(conn) == "IDLE"
    assert prepared(admin) == ["taken"]


def test_an_identifier_that_is_too_long(peer: Peer, admin: Admin) -> None:
    conn = peer.connect()
    conn.tpc_begin("x" * 200)
    with pytest.raises(peer.module.errors.InvalidParameterValue, match="is too long"):
        conn.tpc_prepare()
    assert prepared(admin) == []


def test_identifiers_are_quoted(peer: Peer, admin: Admin) -> None:
    gid = r"it's a \ %s test; é €"
    conn = peer.connect()
    conn.tpc_begin(gid)
    conn.tpc_prepare()
    assert prepared(admin) == [gid]
    conn.tpc_commit()
    assert prepared(admin) == []


def test_rollback_of_a_failed_transaction(numbers: Numbers, peer: Peer, admin: Admin) -> None:
    conn = peer.connect()
    conn.tpc_begin("mine")
    conn.execute("insert into numbers values (1)")
    with pytest.raises(peer.module.errors.DivisionByZero):
        conn.execute("select 1 / 0")
    assert status(conn) == "INERROR"
    conn.tpc_rollback()
    assert status(conn) == "IDLE"
    assert prepared(admin) == []
    assert numbers() == []


def test_transaction_blocks_within_are_savepoints(numbers: Numbers, peer: Peer, admin: Admin) -> None:
    conn = peer.connect()
    conn.tpc_begin("mine")
    with conn.transaction():
        conn.execute("insert into numbers values (1)")
    with conn.transaction(force_rollback=True):
        conn.execute("insert into numbers values (2)")
    assert status(conn) == "INTRANS"
    conn.tpc_prepare()
    conn.tpc_commit()
    assert numbers() == [1]


def test_in_a_pipeline(numbers: Numbers, peer: Peer, admin: Admin) -> None:
    conn = peer.connect()
    with conn.pipeline():
        conn.tpc_begin("mine")
        conn.execute("insert into numbers values (1)")
        conn.tpc_prepare()
        assert prepared(admin) == ["mine"]
        conn.tpc_commit()
    assert prepared(admin) == []
    assert numbers() == [1]


# asyncio


def test_async(numbers: Numbers, peer: Peer, admin: Admin) -> None:
    async def work() -> None:
        async with await peer.connect_async() as conn:
            xid = conn.xid(1, "gt", "bq")
            await conn.tpc_begin(xid)
            await conn.execute("insert into numbers values (1)")
            with pytest.raises(peer.module.ProgrammingError, match="cannot be used during a two-phase transaction"):
                await conn.commit()
            await conn.tpc_prepare()
            async with await peer.connect_async() as other:
                (recovered,) = await other.tpc_recover()
                assert tuple(recovered) == tuple(xid)
            await conn.tpc_commit()
            await conn.tpc_begin("another")
            await conn.execute("insert into numbers values (2)")
            await conn.tpc_rollback()
            with pytest.raises(peer.module.ProgrammingError, match="does not exist"):
                await conn.tpc_commit("another")

    asyncio.run(work())
    assert prepared(admin) == []
    assert numbers() == [1]
