"""Tuples whose values have names: `typing.NamedTuple` to type checkers and in use, and quicker to define.

`NamedTuple` and `dataclass` write the source of methods for each class, and compile it. For the hundred classes of
messages, requests and settings that took a third of the time of `import neonps`.
"""

from __future__ import annotations

from types import FunctionType
from typing import TYPE_CHECKING, Any, NoReturn

__all__ = ["Record", "refuse_pickling", "shown"]

_new = tuple.__new__

#: `__new__()` of a record, by the number of its fields. Only the names are missing.
_CONSTRUCTORS = (
    lambda cls: _new(cls, ()),
    lambda cls, a: _new(cls, (a,)),
    lambda cls, a, b: _new(cls, (a, b)),
    lambda cls, a, b, c: _new(cls, (a, b, c)),
    lambda cls, a, b, c, d: _new(cls, (a, b, c, d)),
    lambda cls, a, b, c, d, e: _new(cls, (a, b, c, d, e)),
    lambda cls, a, b, c, d, e, f: _new(cls, (a, b, c, d, e, f)),
    lambda cls, a, b, c, d, e, f, g: _new(cls, (a, b, c, d, e, f, g)),
)


def _constructor(name: str, fields: tuple[str, ...], defaults: tuple[Any, ...]) -> Any:
    """A function that makes a record with these fields; it is as quick, and takes names and defaults, like any other.

    Args:
        name: the name of the class, for messages.
        fields: their names.
        defaults: what the last of them are when they are not given.
    """
    if len(fields) < len(_CONSTRUCTORS):
        code = _CONSTRUCTORS[len(fields)].__code__.replace(co_name="__new__", co_varnames=("cls", *fields))
    else:
        names = ", ".join(fields)
        code = eval(f"lambda cls, {names}: _new(cls, ({names}))").__code__
    function = FunctionType(code, globals(), "__new__", defaults)
    function.__qualname__ = f"{name}.__new__"
    return function


if TYPE_CHECKING:
    from typing import NamedTuple as Record
else:
    try:
        from _collections import _tuplegetter as field_at
    except ImportError:  # another implementation of Python
        from operator import itemgetter

        def field_at(number: int, doc: str) -> property:
            return property(itemgetter(number), doc=doc)

    class _RecordType(type):
        """Makes the annotations of a class its fields."""

        def __new__(mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> type:
            cls = super().__new__(mcs, name, bases, {"__slots__": (), **namespace})
            cls._fields = cls.__match_args__ = fields = tuple(cls.__annotations__)
            cls._field_defaults = {field: namespace[field] for field in fields if field in namespace}
            cls.__new__ = _constructor(name, fields, tuple(cls._field_defaults.values()))
            for number, field in enumerate(fields):
                setattr(cls, field, field_at(number, ""))
            return cls

    class Record(tuple, metaclass=_RecordType):
        """Base of a class whose annotations are its fields."""

        def __getnewargs__(self) -> tuple[Any, ...]:
            return tuple(self)

        def __repr__(self) -> str:
            return shown(self)

        @classmethod
        def _make(cls, values: Any) -> Record:
            return cls(*values)

        def _asdict(self) -> dict[str, Any]:
            return dict(zip(self._fields, self, strict=True))

        def _replace(self, **changes: Any) -> Record:
            return type(self)(**{**self._asdict(), **changes})


def shown(record: Record, *hidden: str) -> str:
    """The `repr()` of a record, without the fields that are `hidden`."""
    pairs = [f"{name}={value!r}" for name, value in record._asdict().items() if name not in hidden]
    return f"{type(record).__qualname__}({', '.join(pairs)})"


def refuse_pickling(holder: object) -> NoReturn:
    """For the `__reduce_ex__()` of what holds a password: it should not get into a file, or to another process."""
    raise TypeError(f"cannot pickle {type(holder).__qualname__}: there can be a password in it")
