"""Records are what `typing.NamedTuple` makes, but for the way in which they are made."""

from __future__ import annotations

import inspect
import pickle
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from neonps.record import Record, shown


class Point(Record):
    """A point."""

    x: int
    y: int = 0
    name: str = "p"

    @property
    def sum(self) -> int:
        return self.x + self.y


class Secret(Record):
    user: str
    password: str

    def __repr__(self) -> str:
        return shown(self, "password")


class Empty(Record):
    """Nothing."""


class Wide(Record):
    """More fields than are common."""

    a: int
    b: int
    c: int
    d: int
    e: int
    f: int
    g: int
    h: int
    i: int = 9


class PointTuple(NamedTuple):
    """A point."""

    x: int
    y: int = 0
    name: str = "p"


class WideTuple(NamedTuple):
    """More fields than are common."""

    a: int
    b: int
    c: int
    d: int
    e: int
    f: int
    g: int
    h: int
    i: int = 9


class EmptyTuple(NamedTuple):
    """Nothing."""


PAIRS = [(Point, PointTuple), (Wide, WideTuple), (Empty, EmptyTuple)]

#: What is given, and what is named.
CALLS: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    ((), {}),
    ((1,), {}),
    ((1, 2), {"name": "q"}),
    ((1, 2, "q"), {}),
    ((1, 2, "q", 3), {}),
    ((1,), {"x": 1}),
    ((1,), {"z": 1}),
    ((), {"name": "q", "x": 1}),
    (tuple(range(8)), {}),
    (tuple(range(9)), {}),
    (tuple(range(7)), {"h": 0}),
    (tuple(range(10)), {}),
]


def outcome(make: Callable[[], Any]) -> Any:
    try:
        return tuple(make())
    except TypeError:
        return TypeError


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
@pytest.mark.parametrize(("given", "named"), CALLS)
def test_are_made_like_named_tuples(ours: Any, theirs: Any, given: tuple[Any, ...], named: dict[str, Any]) -> None:
    assert outcome(lambda: ours(*given, **named)) == outcome(lambda: theirs(*given, **named))


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_say_what_named_tuples_say(ours: Any, theirs: Any) -> None:
    for attribute in ("_fields", "_field_defaults", "__match_args__", "__slots__", "__doc__"):
        assert getattr(ours, attribute) == getattr(theirs, attribute), attribute
    assert list(inspect.signature(ours).parameters) == list(ours._fields)
    made = ours(*range(len(ours._fields)))
    other = theirs(*made)
    assert (made, made._asdict()) == (other, other._asdict())
    assert repr(made) == repr(other).replace(theirs.__name__, ours.__name__)
    assert not hasattr(made, "__dict__")


def test_fields_and_methods() -> None:
    point = Point(1, name="q")
    assert (point.x, point.y, point.name, point.sum) == (1, 0, "q", 1)
    assert point._replace(y=2) == Point(1, 2, "q")
    assert type(Point._make([1, 2, "r"])) is Point
    assert hash(point) == hash(Point(1, 0, "q"))
    with pytest.raises(AttributeError):
        point.x = 2  # type: ignore[misc]
    with pytest.raises(TypeError):
        point._replace(z=1)  # type: ignore[call-arg]


def test_pickle() -> None:
    for record in (Point(1), Empty(), Wide(*range(8))):
        again = pickle.loads(pickle.dumps(record))
        assert (type(again), again) == (type(record), record)


def test_hidden_fields_are_not_shown() -> None:
    assert repr(Secret("me", "hidden")) == "Secret(user='me')"


def test_a_call_that_is_wrong_names_the_class() -> None:
    with pytest.raises(TypeError, match=r"^Point\.__new__\(\) missing 1 required positional argument: 'x'$"):
        Point()  # type: ignore[call-arg]
