"""Template strings (PEP 750): what the interpolations of a statement stand for."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import Any, Generic, TypeVar

from . import errors as e
from .formats import PyFormat
from .sql import SQL, Composable, Composed, Identifier, Literal

if sys.version_info >= (3, 14):
    from string.templatelib import Interpolation, Template
else:
    _Value = TypeVar("_Value")

    class Interpolation(Generic[_Value]):
        """What is between braces in a template string; before Python 3.14 there is none."""

        value: _Value
        expression: str
        conversion: str | None
        format_spec: str

    class Template:
        """A template string, which gives its text and its interpolations; before Python 3.14 there is none."""

        def __init__(self, *args: str | Interpolation[Any]) -> None:
            raise NotImplementedError("template strings need Python 3.14")

        def __iter__(self) -> Iterator[str | Interpolation[Any]]:
            raise NotImplementedError


__all__ = ["Interpolation", "Parameter", "Template", "join", "pieces"]

_PARAMETER_FORMATS = {"": PyFormat.AUTO, **{format.value: format for format in PyFormat}}

#: What can only be interpolated in one format.
_FORMATS: tuple[tuple[type, str], ...] = (
    (Template, "q"),
    (SQL, "q"),
    (Composed, "q"),
    (Identifier, "i"),
    (Literal, "l"),
)


class Parameter(Literal):
    """A value that is passed beside the statement; it is a literal only where that is not possible.

    Args:
        value: the value.
        format: the format that it is sent in.
    """

    def __init__(self, value: Any, format: PyFormat) -> None:
        super().__init__(value)
        self.value = value
        self.format = format


def pieces(template: Template) -> Iterator[Composable]:
    """Give the pieces of a statement: the text of a template string, and what its interpolations stand for.

    Templates in the template are taken apart as well. A `Parameter` is what is not to be a part of the statement.

    Raises:
        ProgrammingError: a value cannot be interpolated in the format that it is to have, or there is no such format.
        TypeError: an interpolation has a conversion, such as `!r`.
    """
    for part in template:
        if isinstance(part, str):
            yield SQL(part)
        else:
            yield from _interpolated(part)


def join(joiner: str, templates: Iterable[Any]) -> Template:
    """Return one template of several, with text between them.

    Raises:
        TypeError: one is no template.
    """
    parts: list[str | Interpolation[Any]] = []
    for number, template in enumerate(templates):
        if not isinstance(template, Template):
            raise TypeError(f"can't mix Template and {type(template).__name__}")
        if number:
            parts.append(joiner)
        parts += template
    return Template(*parts)


def _interpolated(interpolation: Interpolation[Any]) -> Iterator[Composable]:
    value, format = interpolation.value, interpolation.format_spec
    if interpolation.conversion:
        place = f"{{{interpolation.expression}!{interpolation.conversion}}}"
        raise TypeError(f"conversions not supported in query; got '{place}'")
    _check_format(value, interpolation)
    if format in _PARAMETER_FORMATS:
        yield Parameter(value, _PARAMETER_FORMATS[format])
    elif format == "l":
        yield value if isinstance(value, Literal) else Literal(value)
    elif format == "i":
        if isinstance(value, str):
            value = Identifier(value)
        elif not isinstance(value, Identifier):
            raise _wrong_class("identifier values must be strings", interpolation)
        yield value
    elif format == "q":
        if isinstance(value, Template):
            yield from pieces(value)
        elif isinstance(value, (SQL, Composed)):
            yield value
        else:
            raise _wrong_class("sql values must be sql.Composed, sql.SQL, or Template", interpolation)
    else:
        raise e.ProgrammingError(f"format '{format}' not supported in query; got '{_place(interpolation)}'")


def _check_format(value: Any, interpolation: Interpolation[Any]) -> None:
    """Refuse a piece of SQL in the format of another kind of piece."""
    cls = type(value)
    for other, format in _FORMATS:
        if isinstance(value, other):
            if interpolation.format_spec != format:
                name = f"{cls.__module__}.{cls.__qualname__}"
                raise e.ProgrammingError(f"{name} require format ':{format}'; got '{_place(interpolation)}'")
            return
    if isinstance(value, Composable):
        raise e.ProgrammingError(f"{cls.__name__} not supported in string templates")


def _place(interpolation: Interpolation[Any]) -> str:
    """An interpolation as it is in the source."""
    format = interpolation.format_spec
    return f"{{{interpolation.expression}{format and ':'}{format}}}"


def _wrong_class(expected: str, interpolation: Interpolation[Any]) -> e.ProgrammingError:
    cls = type(interpolation.value).__name__
    return e.ProgrammingError(f"{expected}; got {cls} in {_place(interpolation)}")
