"""LISTEN and NOTIFY: what psycopg does, neonps does."""

from __future__ import annotations

import asyncio
import itertools
import warnings
from concurrent.futures import Future, wait
from typing import Any

import pytest
from backends import Admin, terminate, wait_until_locked
from gateway_client import wait_for
from peers import Peer


def notify(admin: Admin, channel: str, *payloads: str) -> None:
    """Send notifications, one packet for each."""
    for payload in payloads:
        admin.execute("select pg_notify(%s, %s)", [channel, payload])


def together(admin: Admin, channel: str, *payloads: str) -> None:
    """Send notifications that arrive at once."""
    with admin.transaction():
        notify(admin, channel, *payloads)


def listening(peer: Peer, *channels: str, **kwargs: Any) -> Any:
    conn = peer.connect(autocommit=True, **kwargs)
    for channel in channels or ("events",):
        conn.execute(f'listen "{channel}"')
    return conn


def payloads(notifications: Any) -> list[str]:
    return [notification.payload for notification in notifications]


def blocked(future: Future[Any]) -> bool:
    """Whether a call has still to wait, after it has had the time not to."""
    return not wait([future], timeout=0.1).done


# Notify


def test_notify_is_a_named_tuple(peer: Peer) -> None:
    notification = peer.module.Notify("channel", "payload", 42)
    assert (notification.channel, notification.payload, notification.pid) == ("channel", "payload", 42)
    assert notification == peer.module.Notify("channel", "payload", 42)
    channel, payload, pid = notification
    assert (channel, payload, pid) == ("channel", "payload", 42)
    assert repr(notification) == "Notify(channel='channel', payload='payload', pid=42)"


# The generator


def test_a_notification(peer: Peer, admin: Admin) -> None:
    conn = listening(peer)
    notify(admin, "events", "hello")
    (notification,) = conn.notifies(timeout=20, stop_after=1)
    assert type(notification) is peer.module.Notify
    assert notification == ("events", "hello", admin.info.backend_pid)


def test_a_notification_that_is_waited_for(peer: Peer, admin: Admin, in_thread: Any) -> None:
    conn = listening(peer)
    future = in_thread(lambda: payloads(conn.notifies(stop_after=1)))
    assert blocked(future)
    notify(admin, "events", "hello")
    assert future.result() == ["hello"]


def test_several_channels(peer: Peer, admin: Admin) -> None:
    conn = listening(peer, "one", "two")
    notify(admin, "one", "1")
    notify(admin, "three", "3")
    notify(admin, "two", "2")
    found = list(itertools.islice(conn.notifies(timeout=20), 2))
    assert [(notification.channel, notification.payload) for notification in found] == [("one", "1"), ("two", "2")]


def test_without_a_payload(peer: Peer, admin: Admin) -> None:
    conn = listening(peer)
    admin.execute("notify events")
    assert payloads(conn.notifies(timeout=20, stop_after=1)) == [""]


@pytest.mark.parametrize(
    "payload", ["héllo €", "x" * 7999, "two\nlines", "'quoted' \\ %s"], ids=["letters", "long", "lines", "quotes"]
)
def test_payloads(peer: Peer, admin: Admin, payload: str) -> None:
    conn = listening(peer)
    notify(admin, "events", payload)
    assert payloads(conn.notifies(timeout=20, stop_after=1)) == [payload]


def test_text_in_the_encoding_of_the_client(peer: Peer, admin: Admin) -> None:
    conn = listening(peer, "wéird", client_encoding="latin1")
    notify(admin, "wéird", "hällo")
    (notification,) = conn.notifies(timeout=20, stop_after=1)
    assert (notification.channel, notification.payload) == ("wéird", "hällo")


def test_names_of_channels_are_folded_as_the_server_does(peer: Peer, admin: Admin) -> None:
    conn = peer.connect(autocommit=True)
    conn.execute("listen SomeChannel")
    admin.execute("notify SOMECHANNEL, 'x'")
    (notification,) = conn.notifies(timeout=20, stop_after=1)
    assert notification.channel == "somechannel"


def test_a_notification_of_ones_own(peer: Peer) -> None:
    conn = listening(peer)
    conn.execute("notify events, 'mine'")
    (notification,) = conn.notifies(timeout=20, stop_after=1)
    assert notification == ("events", "mine", conn.info.backend_pid)


def test_unlisten(peer: Peer, admin: Admin) -> None:
    conn = listening(peer)
    conn.execute("unlisten events")
    notify(admin, "events", "hello")
    assert list(conn.notifies(timeout=0.1)) == []


def test_listen_counts_when_the_transaction_is_committed(peer: Peer, admin: Admin) -> None:
    conn = peer.connect()
    conn.execute("listen events")
    notify(admin, "events", "too early")
    conn.commit()
    notify(admin, "events", "in time")
    assert payloads(conn.notifies(timeout=20, stop_after=1)) == ["in time"]


def test_the_generator_begins_no_transaction(peer: Peer) -> None:
    conn = peer.connect()
    assert list(conn.notifies(timeout=0)) == []
    assert conn.info.transaction_status.name == "IDLE"
    conn.execute("select 1")
    assert list(conn.notifies(timeout=0)) == []
    assert conn.info.transaction_status.name == "INTRANS"


# timeout, stop_after


@pytest.mark.parametrize("timeout", [0, 0.05, 0.2])
def test_the_timeout_ends_the_generator(peer: Peer, timeout: float) -> None:
    conn = listening(peer)
    assert list(conn.notifies(timeout=timeout)) == []
    assert conn.execute("select 1").fetchone() == (1,)


def test_timeout_zero_gives_what_has_arrived(peer: Peer, admin: Admin) -> None:
    conn = listening(peer)
    notify(admin, "events", "one", "two")
    found: list[str] = []

    def arrived() -> bool:
        found.extend(payloads(conn.notifies(timeout=0)))
        return len(found) == 2

    wait_for(arrived)
    assert found == ["one", "two"]


def test_the_timeout_is_that_of_the_whole(peer: Peer, admin: Admin) -> None:
    """A notification does not start it again."""
    conn = listening(peer)
    notify(admin, "events", "first")
    count = 0
    for _ in conn.notifies(timeout=0.3):
        count += 1
        notify(admin, "events", "more")
    assert count > 1


def test_stop_after(peer: Peer, admin: Admin) -> None:
    conn = listening(peer)
    notify(admin, "events", "1")
    assert payloads(conn.notifies(stop_after=1)) == ["1"]
    notify(admin, "events", "2")
    assert payloads(conn.notifies(stop_after=1, timeout=20)) == ["2"]


def test_stop_after_gives_all_that_has_arrived_together(peer: Peer, admin: Admin) -> None:
    conn = listening(peer)
    together(admin, "events", "1", "2", "3")
    found: list[str] = []
    while len(found) < 3:
        found += payloads(conn.notifies(stop_after=2 if not found else 1))
    assert found == ["1", "2", "3"]


def test_the_arguments_are_keywords(peer: Peer) -> None:
    with pytest.raises(TypeError):
        peer.connect().notifies(1.0)


# What arrives while no generator runs


def test_what_arrives_before_the_generator_is_kept(peer: Peer, admin: Admin) -> None:
    conn = listening(peer)
    notify(admin, "events", "one")
    conn.execute("select 1")
    notify(admin, "events", "two")
    conn.execute("select 1")
    notify(admin, "events", "three")
    found: list[str] = []
    while len(found) < 3:
        found += payloads(conn.notifies(timeout=20, stop_after=1))
    assert found == ["one", "two", "three"]
    assert list(conn.notifies(timeout=0)) == []


def test_what_arrives_between_two_generators_is_kept(peer: Peer, admin: Admin) -> None:
    conn = listening(peer)
    notify(admin, "events", "one")
    generator = conn.notifies(timeout=20)
    assert next(generator).payload == "one"
    generator.close()
    notify(admin, "events", "two")
    conn.execute("select 1")
    assert payloads(conn.notifies(timeout=20, stop_after=1)) == ["two"]


def test_what_arrives_while_rows_are_read_is_kept(peer: Peer, admin: Admin) -> None:
    conn = listening(peer)
    stream = conn.cursor().stream("select generate_series(1, 1000)")
    assert next(stream) == (1,)
    notify(admin, "events", "during")
    assert sum(1 for _ in stream) == 999
    with conn.cursor().copy("copy (select 1) to stdout") as copy:
        notify(admin, "events", "during copy")
        list(copy)
    conn.execute("select 1")
    found: list[str] = []
    while len(found) < 2:
        found += payloads(conn.notifies(timeout=20, stop_after=1))
    assert found == ["during", "during copy"]


def test_what_arrives_in_a_transaction_comes_after_it(peer: Peer, admin: Admin) -> None:
    """The server holds it back."""
    conn = listening(peer)
    with conn.transaction():
        conn.execute("select 1")
        notify(admin, "events", "held back")
        assert list(conn.notifies(timeout=0.05)) == []
    assert payloads(conn.notifies(timeout=20, stop_after=1)) == ["held back"]


def test_in_a_pipeline(peer: Peer, admin: Admin) -> None:
    conn = listening(peer)
    with conn.pipeline():
        notify(admin, "events", "during")
        conn.execute("select 1")
    assert payloads(conn.notifies(timeout=20, stop_after=1)) == ["during"]


def test_very_many(peer: Peer, admin: Admin) -> None:
    conn = listening(peer)
    together(admin, "events", *map(str, range(3000)))
    conn.execute("select 1")
    found: list[str] = []
    while len(found) < 3000:
        found += payloads(conn.notifies(timeout=20, stop_after=1))
    assert found == list(map(str, range(3000)))


# Leaving the generator


def test_close_ends_the_generator(peer: Peer, admin: Admin) -> None:
    conn = listening(peer)
    together(admin, "events", "one", "stop", "two")
    generator = conn.notifies(timeout=20)
    found = []
    for notification in generator:
        found.append(notification.payload)
        if notification.payload == "stop":
            generator.close()
    assert found == ["one", "stop"]
    assert conn.execute("select 1").fetchone() == (1,)


def test_a_generator_that_is_left(peer: Peer, admin: Admin) -> None:
    conn = listening(peer)
    notify(admin, "events", "one")
    for _ in conn.notifies(timeout=20):
        break
    assert conn.execute("select 1").fetchone() == (1,)


def test_an_exception_in_the_loop(peer: Peer, admin: Admin) -> None:
    conn = listening(peer)
    notify(admin, "events", "one")
    with pytest.raises(ZeroDivisionError):
        for _ in conn.notifies(timeout=20):
            raise ZeroDivisionError
    assert conn.execute("select 1").fetchone() == (1,)


def test_a_generator_that_was_never_started(peer: Peer) -> None:
    conn = listening(peer)
    generator = conn.notifies()
    assert conn.execute("select 1").fetchone() == (1,)
    generator.close()
    assert list(generator) == []


def test_losing_the_connection(peer: Peer, admin: Admin) -> None:
    conn = listening(peer)
    terminate(admin, conn.info.backend_pid)
    with pytest.raises(peer.module.OperationalError):
        list(conn.notifies())
    assert conn.broken


def test_losing_the_connection_while_waiting(peer: Peer, admin: Admin, in_thread: Any) -> None:
    conn = listening(peer)
    notify(admin, "events", "ready")
    generator = conn.notifies()
    assert next(generator).payload == "ready"
    future = in_thread(list, generator)
    terminate(admin, conn.info.backend_pid)
    with pytest.raises(peer.module.OperationalError):
        future.result()
    assert conn.closed


def test_closing_the_connection_while_another_thread_waits(peer: Peer, admin: Admin, in_thread: Any) -> None:
    conn = listening(peer)
    notify(admin, "events", "ready")
    generator = conn.notifies()
    assert next(generator).payload == "ready"
    pid = conn.info.backend_pid
    future = in_thread(list, generator)
    try:
        in_thread(conn.close).result(5)
        with pytest.raises(peer.module.OperationalError):
            future.result(5)
    finally:
        terminate(admin, pid)


def test_other_threads_wait_for_the_generator(peer: Peer, admin: Admin, in_thread: Any) -> None:
    """Between two notifications the connection is the generator's, and nothing gets mixed up."""
    conn = listening(peer)
    future = in_thread(lambda: payloads(conn.notifies(timeout=1, stop_after=1)))
    other = in_thread(lambda: conn.execute("select 42").fetchone())
    notify(admin, "events", "hello")
    assert other.result() == (42,)
    assert future.result() in (["hello"], [])


# Handlers


def test_handlers_are_called_with_the_next_statement(peer: Peer, admin: Admin) -> None:
    conn = listening(peer)
    seen: list[Any] = []
    conn.add_notify_handler(seen.append)
    notify(admin, "events", "one")
    wait_for(lambda: conn.execute("select 1") and seen)
    assert type(seen[0]) is peer.module.Notify
    assert seen == [("events", "one", admin.info.backend_pid)]


def test_handlers_are_called_in_order_until_removed(peer: Peer) -> None:
    conn = listening(peer)
    seen = []

    def first(notification: Any) -> None:
        seen.append(f"first {notification.payload}")

    def second(notification: Any) -> None:
        seen.append(f"second {notification.payload}")

    conn.add_notify_handler(first)
    conn.add_notify_handler(second)
    conn.execute("notify events, '1'")
    conn.remove_notify_handler(first)
    conn.execute("notify events, '2'")
    conn.remove_notify_handler(second)
    conn.execute("notify events, '3'")
    assert seen == ["first 1", "second 1", "second 2"]


def test_what_handlers_have_seen_is_not_kept_for_the_generator(peer: Peer) -> None:
    conn = listening(peer)
    seen: list[Any] = []
    conn.add_notify_handler(seen.append)
    conn.execute("notify events, '1'")
    conn.remove_notify_handler(seen.append)
    assert payloads(seen) == ["1"]
    assert list(conn.notifies(timeout=0.05)) == []
    conn.execute("notify events, '2'")
    assert payloads(conn.notifies(timeout=20, stop_after=1)) == ["2"]


def test_a_generator_together_with_handlers_warns(peer: Peer, admin: Admin) -> None:
    """Both get what arrives while the generator runs."""
    conn = listening(peer)
    seen: list[Any] = []
    conn.add_notify_handler(seen.append)
    notify(admin, "events", "1")
    with pytest.warns(RuntimeWarning, match=r"'notifies\(\)' together with notifies handlers"):
        assert payloads(conn.notifies(timeout=20, stop_after=1)) == ["1"]
    assert payloads(seen) == ["1"]


def test_a_generator_alone_does_not_warn(peer: Peer) -> None:
    conn = listening(peer)
    conn.add_notify_handler(print)
    conn.remove_notify_handler(print)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        list(conn.notifies(timeout=0))


def test_handlers_of_two_connections(peer: Peer) -> None:
    first, second = listening(peer), listening(peer)
    seen: list[Any] = []
    first.add_notify_handler(seen.append)
    second.execute("notify events, 'hello'")
    wait_for(lambda: first.execute("select 1") and seen)
    assert payloads(seen) == ["hello"]


# asyncio


def test_async_generator(peer: Peer, admin: Admin) -> None:
    async def work() -> None:
        async with await peer.connect_async(autocommit=True) as conn:
            await conn.execute("listen events")
            notify(admin, "events", "before", "two")
            found = []
            async for notification in conn.notifies(timeout=20):
                assert type(notification) is peer.module.Notify
                found.append(notification.payload)
                if len(found) == 2:
                    break
            assert found == ["before", "two"]
            assert [n async for n in conn.notifies(timeout=0)] == []

    asyncio.run(work())


def test_async_timeout_and_stop_after(peer: Peer, admin: Admin) -> None:
    async def work() -> None:
        async with await peer.connect_async(autocommit=True) as conn:
            await conn.execute("listen events")
            assert [n async for n in conn.notifies(timeout=0.05)] == []
            notify(admin, "events", "one")
            assert [n.payload async for n in conn.notifies(stop_after=1)] == ["one"]
            assert await (await conn.execute("select 1")).fetchone() == (1,)

    asyncio.run(work())


def test_async_generator_that_is_closed(peer: Peer, admin: Admin) -> None:
    async def work() -> None:
        async with await peer.connect_async(autocommit=True) as conn:
            await conn.execute("listen events")
            together(admin, "events", "one", "stop", "two")
            generator = conn.notifies()
            found = []
            async for notification in generator:
                found.append(notification.payload)
                if notification.payload == "stop":
                    await generator.aclose()
            assert found == ["one", "stop"]
            assert await (await conn.execute("select 1")).fetchone() == (1,)

    asyncio.run(work())


def test_async_a_task_that_waits_for_notifications_is_cancelled(peer: Peer, admin: Admin) -> None:
    async def work() -> None:
        async with await peer.connect_async(autocommit=True) as conn:
            await conn.execute("listen events")
            ready = asyncio.Event()

            async def listen() -> None:
                async for _ in conn.notifies():
                    ready.set()

            task = asyncio.create_task(listen())
            notify(admin, "events", "ready")
            await ready.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert not conn.closed
            assert await (await conn.execute("select 1")).fetchone() == (1,)
            notify(admin, "events", "again")
            assert [n.payload async for n in conn.notifies(stop_after=1)] == ["again"]

    asyncio.run(work())


def test_async_handlers(peer: Peer) -> None:
    async def work() -> None:
        async with await peer.connect_async(autocommit=True) as conn:
            seen: list[Any] = []
            conn.add_notify_handler(seen.append)
            await conn.execute("listen events")
            await conn.execute("notify events, 'hello'")
            assert payloads(seen) == ["hello"]

    asyncio.run(work())


def test_async_other_tasks_run_while_one_waits_for_notifications(peer: Peer, admin: Admin) -> None:
    async def work() -> None:
        conn = await peer.connect_async(autocommit=True)
        other = await peer.connect_async(autocommit=True)
        async with conn, other:
            await conn.execute("listen events")

            async def listen() -> list[str]:
                return [n.payload async for n in conn.notifies(stop_after=1)]

            task = asyncio.create_task(listen())
            assert await (await other.execute("select 1")).fetchone() == (1,)
            await other.execute("notify events, 'hello'")
            assert await task == ["hello"]

    asyncio.run(work())


def test_a_statement_that_waits_for_a_lock_gets_notifications(peer: Peer, admin: Admin, in_thread: Any) -> None:
    conn = listening(peer)
    seen: list[Any] = []
    conn.add_notify_handler(seen.append)
    key = conn.info.backend_pid
    admin.execute("select pg_advisory_lock(%s)", [key])
    future = in_thread(conn.execute, "select pg_advisory_lock(%s)", [key])
    wait_until_locked(admin, key)
    notify(admin, "events", "while it waits")
    admin.execute("select pg_advisory_unlock(%s)", [key])
    future.result()
    wait_for(lambda: conn.execute("select 1") and seen)
    assert payloads(seen) == ["while it waits"]
