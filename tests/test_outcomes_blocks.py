"""What has become of a `transaction()` block, whatever went on in it."""

from __future__ import annotations

from contextlib import suppress

import pytest
from outcomes import INSERT, Lose
from relay import Relay
from transports import Connect, Connection, Numbers, on_sessions, over_http

import neonps


@over_http
def test_the_status_of_a_block_whose_request_was_lost(
    numbers: Numbers, relayed: Connect, relay: Relay, lose: Lose
) -> None:
    """The connection is not closed over HTTP, which does not mean that the block was rolled back."""
    conn = relayed()
    block = conn.transaction()

    def use() -> None:
        with block:
            conn.execute(INSERT)
            relay.mute()

    lose(use, lambda: numbers() == [1])
    assert block.status is neonps.Transaction.Status.FAILED


@on_sessions
@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("fails", [False, True])
def test_a_block_that_a_stream_is_left_open_in(numbers: Numbers, auto: Connection, nested: bool, fails: bool) -> None:
    """Its end is the end of the stream too: nothing of it is kept, and nothing of it stays open."""
    block = None
    rows = None

    def use() -> None:
        nonlocal block, rows
        with auto.transaction() as block:
            auto.execute("insert into numbers values (2)")
            rows = auto.cursor().stream("select generate_series(1, 100000)")
            next(rows)
            if fails:
                raise ZeroDivisionError

    def use_nested() -> None:
        with auto.transaction():
            auto.execute(INSERT)
            with pytest.raises((ZeroDivisionError, neonps.OperationalError)):
                use()

    if nested:
        use_nested()
    else:
        with pytest.raises(ZeroDivisionError if fails else neonps.OperationalError) as caught:
            use()
        assert not getattr(caught.value, "outcome_unknown", False)
    assert block is not None
    assert rows is not None
    assert block.status is neonps.Transaction.Status.ROLLED_BACK_WITH_ERROR
    assert auto.info.transaction_status.name == "IDLE"
    assert numbers() == [1] * nested
    with pytest.raises(neonps.OperationalError, match="was interrupted"):
        list(rows)
    assert auto.execute("select 7").fetchone() == (7,)


@on_sessions
@pytest.mark.parametrize("how", ["stream", "copy"])
def test_a_transaction_that_fails_as_something_in_it_is_left_early(
    numbers: Numbers, auto: Connection, how: str
) -> None:
    """Nobody was told of an error, so that the end of the block has to."""

    def use() -> None:
        with auto.transaction():
            auto.execute(INSERT)
            if how == "stream":
                for _ in auto.cursor().stream("select generate_series(1, 1000000)"):
                    break
            else:
                with auto.cursor().copy("copy (select generate_series(1, 1000000)) to stdout") as copy:
                    copy.read()

    with pytest.raises(neonps.errors.InFailedSqlTransaction, match="was rolled back") as caught:
        use()
    assert not caught.value.outcome_unknown
    assert numbers() == []
    assert auto.execute("select 7").fetchone() == (7,)


@on_sessions
def test_a_later_transaction_has_not_failed_for_that(connect: Connect) -> None:
    conn = connect()
    for _ in conn.cursor().stream("select generate_series(1, 1000000)"):
        break
    conn.execute("rollback")
    with pytest.raises(neonps.errors.DivisionByZero):
        conn.execute("select 1 / 0")
    conn.commit()
    assert conn.info.transaction_status.name == "IDLE"


@on_sessions
def test_a_block_that_commits_what_has_failed(
    numbers: Numbers, auto: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    """As with psycopg this is no error; but it is not called committed."""
    with auto.transaction() as block, suppress(neonps.errors.DivisionByZero):
        auto.execute(INSERT)
        auto.execute("select 1 / 0")
    assert block.status is neonps.Transaction.Status.ROLLED_BACK_WITH_ERROR
    assert any(message.startswith("commit refused") for message in caplog.messages)
    assert numbers() == []
