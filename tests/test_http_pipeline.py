"""Pipelines over HTTP: statements are collected, and run as one transaction."""

from __future__ import annotations

import pytest
from relay import Relay
from transports import Connect, Numbers, over_http

import neonps
from neonps.pq import PipelineStatus

pytestmark = over_http

INSERT = "insert into numbers values (%s)"


def requests(relay: Relay) -> int:
    return b"".join(relay.sent).count(b"POST /sql")


def test_a_block_is_one_request(numbers: Numbers, relayed: Connect, relay: Relay) -> None:
    auto = relayed(autocommit=True)
    with auto.pipeline() as pipeline:
        insert = auto.execute(INSERT, [1])
        select = auto.execute("select a from numbers")
        many = auto.cursor()
        many.executemany(INSERT, [(2,), (3,)])
        assert pipeline.status is auto.info.pipeline_status is PipelineStatus.ON
        assert requests(relay) == 0
        with pytest.raises(neonps.NotSupportedError, match=r"at the end of the pipeline, or after its sync\(\)"):
            select.fetchone()
    assert requests(relay) == 1
    assert insert.rowcount == 1
    assert select.fetchall() == [(1,)]
    assert many.rowcount == 2
    assert numbers() == [1, 2, 3]
    assert auto.info.pipeline_status is PipelineStatus.OFF


def test_sync_runs_what_was_collected(numbers: Numbers, connect: Connect) -> None:
    auto = connect(autocommit=True)
    with auto.pipeline() as pipeline:
        cursor = auto.execute("insert into numbers values (1) returning a")
        pipeline.sync()
        assert cursor.fetchone() == (1,)
        assert numbers() == [1]
        with auto.pipeline() as inner:
            assert inner is pipeline
            auto.execute(INSERT, [2])
        assert numbers() == [1, 2]
        pipeline.sync()
    with pytest.raises(neonps.OperationalError, match="not in pipeline mode"):
        pipeline.sync()


def test_an_error_undoes_all_of_it(numbers: Numbers, connect: Connect) -> None:
    auto = connect(autocommit=True)
    with pytest.raises(neonps.errors.UniqueViolation), auto.pipeline():
        first = auto.execute(INSERT, [1])
        auto.execute(INSERT, [1])
    assert numbers() == []
    with pytest.raises(neonps.ProgrammingError):
        first.fetchone()
    assert auto.execute("select 1").fetchone() == (1,)


def test_an_exception_drops_what_was_collected(numbers: Numbers, connect: Connect) -> None:
    auto = connect(autocommit=True)
    with pytest.raises(ZeroDivisionError), auto.pipeline():
        auto.execute(INSERT, [1])
        raise ZeroDivisionError
    assert numbers() == []
    assert auto.info.transaction_status.name == "IDLE"


def test_without_autocommit_it_waits_for_commit(numbers: Numbers, connect: Connect) -> None:
    conn = connect()
    with conn.pipeline():
        cursor = conn.execute("insert into numbers values (1) returning a")
        conn.execute("select 1")
    assert numbers() == []
    conn.commit()
    assert cursor.fetchone() == (1,)
    assert numbers() == [1]
    with conn.pipeline():
        conn.execute(INSERT, [2])
    conn.rollback()
    assert numbers() == [1]


def test_within_a_transaction_block(numbers: Numbers, connect: Connect) -> None:
    auto = connect(autocommit=True)
    with auto.transaction(), auto.pipeline() as pipeline:
        auto.execute(INSERT, [1])
        pipeline.sync()
        assert numbers() == []
    assert numbers() == [1]


def test_a_transaction_block_within(numbers: Numbers, connect: Connect) -> None:
    auto = connect(autocommit=True)
    with auto.pipeline():
        auto.execute(INSERT, [1])
        with pytest.raises(ZeroDivisionError), auto.transaction():
            auto.execute(INSERT, [2])
            raise ZeroDivisionError
        with auto.transaction():
            auto.execute(INSERT, [3])
        assert numbers() == [1, 3]
    assert numbers() == [1, 3]


def test_streams_are_refused(connect: Connect) -> None:
    auto = connect(autocommit=True)
    with auto.pipeline(), pytest.raises(neonps.ProgrammingError, match="pipeline mode"):
        next(auto.cursor().stream("select 1"))
