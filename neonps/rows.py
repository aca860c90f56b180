"""Row factories: what a row becomes.

A row factory is called with the cursor whenever there is a new result, and returns a row maker; that is called with
the sequence of values of each row.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, Protocol, TypeVar

from . import errors as e
from .pattern import pattern

if TYPE_CHECKING:
    from .base_cursor import BaseCursor
    from .cursor import Cursor
    from .cursor_async import AsyncCursor

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

Row = TypeVar("Row", covariant=True)
#: What `tuple_row` makes.
TupleRow = tuple[Any, ...]
#: What `dict_row` makes.
DictRow = dict[str, Any]

_NOT_FIRST = tuple("_0123456789")
_not_ascii_letter = pattern(r"[^A-Za-z0-9_]")


class RowMaker(Protocol[Row]):
    """Makes a row of its values."""

    def __call__(self, __values: Sequence[Any]) -> Row: ...


class RowFactory(Protocol[Row]):
    """Makes a row maker for the result that a blocking cursor has."""

    def __call__(self, __cursor: Cursor[Any]) -> RowMaker[Row]: ...


class AsyncRowFactory(Protocol[Row]):
    """Makes a row maker for the result that an asyncio cursor has."""

    def __call__(self, __cursor: AsyncCursor[Any]) -> RowMaker[Row]: ...


class BaseRowFactory(Protocol[Row]):
    """Makes a row maker for the result that a cursor of either kind has."""

    # Not BaseCursor, so that one that knows a single kind of cursor is accepted where any can be passed.
    def __call__(self, __cursor: Any) -> RowMaker[Row]: ...


def tuple_row(cursor: BaseCursor[Any]) -> RowMaker[TupleRow]:
    """Rows are tuples. This is the default."""
    return tuple


def dict_row(cursor: BaseCursor[Any]) -> RowMaker[DictRow]:
    """Rows are dictionaries by the name of the column; of columns with the same name the last one wins."""
    names = _names(cursor)
    if names is None:
        return no_result
    return lambda values: dict(zip(names, values, strict=False))


def namedtuple_row(cursor: BaseCursor[Any]) -> RowMaker[NamedTuple]:
    """Rows are named tuples. What a field cannot have in its name becomes `_`, and it begins with `f` if it has to.

    Raises:
        DataError: two fields would have the same name, or one that is a keyword of Python.
    """
    names = _names(cursor)
    if names is None:
        return no_result
    return _namedtuple(tuple(names))


def class_row(cls: type[T]) -> BaseRowFactory[T]:
    """Rows are instances of `cls`, called with the columns as keyword arguments."""
    return kwargs_row(cls)


def args_row(func: Callable[..., T]) -> BaseRowFactory[T]:
    """Rows are what `func` returns, called with the values as positional arguments."""

    def factory(cursor: BaseCursor[Any]) -> RowMaker[T]:
        return lambda values: func(*values)

    return factory


def kwargs_row(func: Callable[..., T]) -> BaseRowFactory[T]:
    """Rows are what `func` returns, called with the columns as keyword arguments."""

    def factory(cursor: BaseCursor[Any]) -> RowMaker[T]:
        names = _names(cursor)
        if names is None:
            return no_result
        return lambda values: func(**dict(zip(names, values, strict=False)))

    return factory


def scalar_row(cursor: BaseCursor[Any]) -> RowMaker[Any]:
    """Rows are the value of their first column.

    Raises:
        ProgrammingError: the result has no column.
    """
    names = _names(cursor)
    if names is None:
        return no_result
    if not names:
        raise e.ProgrammingError("at least one column expected")
    return lambda values: values[0]


def no_result(values: Sequence[Any]) -> NoReturn:
    """The row maker of a cursor that has no result: nobody should call it.

    Raises:
        InterfaceError: always.
    """
    raise e.InterfaceError("the cursor doesn't have a result")


def _names(cursor: BaseCursor[Any]) -> list[str] | None:
    result = cursor.pgresult
    if result is None or result.fields is None:
        return None
    return [field.name for field in result.fields]


@lru_cache(maxsize=512)
def _namedtuple(names: tuple[str, ...]) -> RowMaker[NamedTuple]:
    try:
        # The fields are known at run time only, which is more than a type checker can follow.
        cls: Any = namedtuple("Row", [_identifier(name) for name in names])  # type: ignore[misc]
    except ValueError as ex:
        raise e.DataError(f"can't create a namedtuple row: {ex}") from None
    make: RowMaker[NamedTuple] = cls._make
    return make


def _identifier(name: str) -> str:
    """A name that a field of a named tuple can have."""
    if name.startswith(_NOT_FIRST):
        name = f"f{name}"
    if not name.isidentifier():
        name = _not_ascii_letter.sub("_", name)
        if name.startswith("_"):
            name = f"f{name}"
    return name
