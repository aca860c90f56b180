"""The same action on psycopg and on neonps over each transport: what it gives has to be the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from peers import Peer

#: How neonps is used; psycopg is used over TCP.
TRANSPORTS = ("tcp", "websocket", "http")

#: Those that have sessions.
SESSIONS = ("tcp", "websocket")


class Driver(Peer):
    """A driver with a connection in autocommit mode that stays open."""

    def __init__(self, name: str, dsn: str, url: str) -> None:
        super().__init__(name, dsn, url)
        self.connection = self.connect(autocommit=True)

    def fresh(self) -> Any:
        """A copy of the adapters of the module, to be changed and used as `context` of a cursor's connection."""
        return self.submodule("adapt").AdaptersMap(self.module.adapters)


class Drivers:
    """psycopg, and neonps over each transport.

    Args:
        dsn: the URL of the server over TCP.
        url: the same with the gateway, for neonps.
    """

    def __init__(self, dsn: str, url: str) -> None:
        self.psycopg = Driver("psycopg", dsn, url)
        self._ours = {name: Driver(name, dsn, url) for name in TRANSPORTS}

    @property
    def all(self) -> list[Driver]:
        """All of them."""
        return [self.psycopg, *self._ours.values()]

    def compare(
        self, action: Callable[..., Any], *args: Any, transports: tuple[str, ...] = TRANSPORTS, messages: bool = True
    ) -> Any:
        """Assert that `action` gives the same on all: the same value of the same class, or the same error.

        Args:
            action: what to do with a driver, and `args`.
            transports: where neonps has to do the same as psycopg.
            messages: whether the messages of errors have to be the same too.

        Returns:
            what it gives: a description of the value, or of the error.
        """
        expected = outcome(action, self.psycopg, *args)
        for driver in map(self._ours.__getitem__, transports):
            actual = outcome(action, driver, *args)
            same = agree(actual, expected, driver.name, messages=messages)
            assert same, f"{driver.name}: {actual} instead of {expected}"
        return expected

    def compare_parts(self, action: Callable[..., Any], parts: list[Any], *args: Any, **how: Any) -> None:
        """Assert as `compare` that `action` gives the same with all of `parts`, or else with each of them.

        Args:
            action: what to do with a driver, a list of parts, and `args`.
            parts: those that go together, to save time.
            **how: the keywords of `compare`.
        """
        result = self.compare(action, parts, *args, **how)
        if isinstance(result, Failure) and len(parts) > 1:
            for part in parts:  # one may have hidden what becomes of the others
                self.compare(action, [part], *args, **how)

    def close(self) -> None:
        for driver in self.all:
            driver.close()


class Failure(NamedTuple):
    """An exception: its class, with the classes above it, and its message."""

    classes: tuple[str, ...]
    message: str

    def __repr__(self) -> str:
        return f"{self.classes[0]}: {self.message}"


def outcome(action: Callable[..., Any], driver: Driver, *args: Any) -> Any:
    """What `action` gives: the description of a value, or a `Failure`."""
    try:
        return described(action(driver, *args))
    except Exception as error:
        return Failure(tuple(cls.__name__ for cls in type(error).__mro__), str(error))


def agree(ours: Any, theirs: Any, transport: str, *, messages: bool) -> bool:
    """Whether outcomes are the same; ours may be an error of a class that is more special."""
    if isinstance(ours, Failure) and isinstance(theirs, Failure):
        # Of an element of an array that cannot be read, psycopg also shows what is behind it.
        message = theirs.message.replace("\"}'", "'")
        return theirs.classes[0] in ours.classes and (ours.message == message or not messages)
    if transport == "http":
        ours, theirs = _without_session(ours), _without_session(theirs)
    return bool(ours == theirs)


def described(value: Any) -> Any:
    """Class and repr of a value, which tells 0.0 from -0.0, and time zones; of a sequence those of its items."""
    # In which module of the driver a class is does not matter.
    module = type(value).__module__.partition(".")[0].replace("psycopg", "neonps")
    kind = f"{module}.{type(value).__qualname__}"
    if type(value) in (list, tuple):
        return kind, [described(item) for item in value]
    return kind, repr(value).replace("psycopg.", "neonps.")


def _without_session(described: Any) -> Any:
    # Over HTTP the time zone of the session is not known, only its offset.
    if isinstance(described, str):
        return described.replace("zoneinfo.ZoneInfo(key='UTC')", "datetime.timezone.utc")
    if isinstance(described, (list, tuple)):
        return [_without_session(item) for item in described]
    return described
