"""What a program was dealing with when a call of the driver failed stays behind the driver's error, and is shown."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable
from typing import Any

import pytest
from shown import chain
from transports import Connect

import neonps
from neonps.tracebacks import drop_locals, raised

#: A host where nobody is.
NOBODY = "host=127.0.0.1 port=1 user=u password=p gateway=http://127.0.0.1:1 transport="


def while_dealing_with(first: Exception, call: Callable[[], object]) -> neonps.Error:
    """The error of a call that fails while another exception is handled."""
    try:
        raise first
    except Exception:
        with pytest.raises(neonps.Error) as caught:
            call()
    return caught.value


def commit(conn: neonps.Connection[Any]) -> None:
    conn.execute("insert into numbers values (1, 1), (2, 1)")
    conn.commit()


CALLS: dict[str, Callable[[neonps.Connection[Any]], object]] = {
    "the server refuses it": lambda conn: conn.execute("select from nowhere"),
    "it takes too long": lambda conn: conn.execute("select pg_sleep(30)"),
    "commit": commit,
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.usefixtures("numbers")
def test_what_was_dealt_with(connect: Connect, name: str) -> None:
    first = RuntimeError("what has gone wrong first")
    conn = connect(timeout=0.3)
    error = while_dealing_with(first, lambda: CALLS[name](conn))
    assert error.__context__ is first
    assert "what has gone wrong first" in "".join(traceback.format_exception(error))
    conn.rollback()
    with pytest.raises(neonps.Error) as caught:
        CALLS[name](conn)
    alone = "".join(traceback.format_exception(caught.value))
    assert "During handling" not in alone
    assert "direct cause" not in alone


@pytest.mark.parametrize("transport", ["tcp", "websocket"])
def test_what_was_dealt_with_when_connecting_failed(transport: str) -> None:
    first = RuntimeError("what has gone wrong first")
    error = while_dealing_with(first, lambda: neonps.connect(NOBODY + transport))
    assert error.__context__ is first
    assert "what has gone wrong first" in "".join(traceback.format_exception(error))
    error = while_dealing_with(first, lambda: neonps.connect("nonsense=1"))
    assert first in chain(error)


def test_what_was_dealt_with_on_asyncio(url: str, transport: str) -> None:
    async def main() -> None:
        first = RuntimeError("what has gone wrong first")
        async with await neonps.AsyncConnection.connect(url, transport=transport) as conn:
            try:
                raise first
            except RuntimeError:
                with pytest.raises(neonps.errors.UndefinedTable) as caught:
                    await conn.execute("select from nowhere")
                assert caught.value.__context__ is first
                assert not caught.value.__suppress_context__
                if transport != "http":
                    with pytest.raises(neonps.OperationalError) as caught:
                        await neonps.AsyncConnection.connect(NOBODY + transport)
                    assert caught.value.__context__ is first
            await conn.rollback()

    asyncio.run(main())


def test_a_commit_that_is_lost_while_another_error_is_written_down(connect: Connect) -> None:
    """Both are shown, each with its own words."""
    shown = ""
    conn, log = connect(), connect(autocommit=True)
    try:
        try:
            conn.execute("select from nowhere")
        except neonps.Error:
            log.execute("insert into no_such_log values (1)")
    except neonps.Error as error:
        shown = "".join(traceback.format_exception(error))
    assert shown.index('"nowhere"') < shown.index("During handling") < shown.index('"no_such_log"')


def test_an_error_is_not_behind_itself() -> None:
    error, between = neonps.OperationalError("again"), RuntimeError()
    assert raised(error, error).__context__ is None
    between.__context__ = error
    assert raised(error, between).__context__ is None
    assert error.__suppress_context__
    between.__context__ = ring = RuntimeError()
    ring.__context__ = between
    assert raised(error, between).__context__ is between


def test_what_an_error_was_raised_in_place_of_goes() -> None:
    """It is not shown, but for what the program was dealing with, which is not to be lost."""
    error, within, outer = neonps.OperationalError("no"), RuntimeError("a secret"), RuntimeError("outer")
    error.__context__, error.__suppress_context__ = within, True
    drop_locals(error, outer)
    assert (error.__context__, error.__suppress_context__) == (outer, True)
    drop_locals(error)
    assert error.__context__ is None
    outer.__context__ = error
    drop_locals(error, outer)
    assert error.__context__ is None
