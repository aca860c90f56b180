"""Composition of statements: names, values and placeholders put into SQL, each quoted as it has to be::

    query = sql.SQL("SELECT {column} FROM {table} WHERE id = %s").format(
        column=sql.Identifier("first name"), table=sql.Identifier("public", "people")
    )
    conn.execute(query, [42])

What a statement is composed of is only put together when it is executed, or by `as_string()` and `as_bytes()`: the
session then says how text is encoded and quoted. Template strings, which Python 3.14 has, do the same::

    conn.execute(t"SELECT {column:i} FROM {table:i} WHERE id = {id}")
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, overload

from .encodings import text_codec
from .escaping import quote_identifier
from .formats import PyFormat
from .transformer import Transformer

if TYPE_CHECKING:
    from typing_extensions import LiteralString

    from .abc import AdaptContext
    from .template import Template


class Composable(ABC):
    """A piece of a statement; `+` puts two together, `* n` repeats one.

    Args:
        obj: what it is made of.
    """

    def __init__(self, obj: Any) -> None:
        self._obj = obj

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._obj!r})"

    def has_values(self) -> bool:
        """Whether there is a `Literal` in it. Messages do not show statements that have one."""
        return False

    @abstractmethod
    def as_bytes(self, context: AdaptContext | None = None) -> bytes:
        """Return it as SQL, in the encoding of the client.

        Args:
            context: a connection or a cursor, whose adapters and session settings it is made by; None for the
                adapters of the module, UTF-8, and quotes that are right whatever the settings.

        Raises:
            ProgrammingError: a value has no dumper.
            DataError: Postgres cannot hold a value, or the encoding has no such character; the error is then a
                UnicodeEncodeError too.
        """
        raise NotImplementedError

    def as_string(self, context: AdaptContext | None = None) -> str:
        """Return it as SQL; see `as_bytes()`."""
        return self.as_bytes(context).decode(_codec(context))

    def __add__(self, other: Composable) -> Composed:
        if isinstance(other, Composable):
            return Composed([self]) + other
        return NotImplemented

    def __mul__(self, n: int) -> Composed:
        return Composed([self] * n)

    def __eq__(self, other: Any) -> bool:
        return type(self) is type(other) and self._obj == other._obj


class Composed(Composable):
    """Pieces of a statement one after the other; iterate over it to get them.

    Args:
        seq: the pieces; whatever is not a `Composable` becomes a `Literal`.
    """

    _obj: list[Composable]

    def __init__(self, seq: Iterable[Any]) -> None:
        super().__init__([_composable(obj) for obj in seq])

    def has_values(self) -> bool:
        return any(piece.has_values() for piece in self._obj)

    def as_bytes(self, context: AdaptContext | None = None) -> bytes:
        return b"".join([obj.as_bytes(context) for obj in self._obj])

    def __iter__(self) -> Iterator[Composable]:
        return iter(self._obj)

    def __add__(self, other: Composable) -> Composed:
        if isinstance(other, Composed):
            return Composed(self._obj + other._obj)
        if isinstance(other, Composable):
            return Composed([*self._obj, other])
        return NotImplemented

    def join(self, joiner: SQL | LiteralString) -> Composed:
        """Return the pieces with `joiner` between them.

        Args:
            joiner: an `SQL`, or a str of SQL.

        Raises:
            TypeError: it is something else.
        """
        if isinstance(joiner, str):
            joiner = SQL(joiner)
        elif not isinstance(joiner, SQL):
            raise TypeError(f"Composed.join() argument must be strings or SQL, got {joiner!r} instead")
        return joiner.join(self._obj)


class SQL(Composable):
    """A piece of SQL, taken as it is: never make one of a str that comes from outside.

    Args:
        obj: the text, in which `format()` knows `{}`, `{0}` and `{name}`; then `{{` and `}}` stand for braces.

    Raises:
        TypeError: it is not a str.
    """

    _obj: LiteralString

    def __init__(self, obj: LiteralString) -> None:
        if not isinstance(obj, str):
            raise TypeError(f"SQL values must be strings, got {obj!r} instead")
        super().__init__(obj)

    def as_string(self, context: AdaptContext | None = None) -> str:
        return self._obj

    def as_bytes(self, context: AdaptContext | None = None) -> bytes:
        return _encode(self._obj, context)

    def format(self, *args: Any, **kwargs: Any) -> Composed:
        """Return the text with what is passed in place of its fields.

        Args:
            args: for `{}` and `{0}`, `{1}`, …; whatever is not a `Composable` becomes a `Literal`.
            kwargs: for `{name}`.

        Raises:
            IndexError, KeyError: nothing was passed for a field.
            ValueError: the text is no template, or a field asks for a conversion or a format.
        """
        from string import Formatter

        pieces: list[Any] = []
        # The number of the next `{}`; None after a field that has a number.
        next_index: int | None = 0
        for text, field, format, conversion in Formatter().parse(self._obj):
            if format:
                raise ValueError("no format specification supported by SQL")
            if conversion:
                raise ValueError("no format conversion supported by SQL")
            if text:
                pieces.append(SQL(text))
            if field is None:
                continue
            if field == "":
                if next_index is None:
                    raise ValueError("cannot switch from manual field numbering to automatic")
                pieces.append(args[next_index])
                next_index += 1
            elif field.isdigit():
                if next_index:
                    raise ValueError("cannot switch from automatic field numbering to manual")
                next_index = None
                pieces.append(args[int(field)])
            else:
                pieces.append(kwargs[field])
        return Composed(pieces)

    @overload
    def join(self, seq: Iterable[Template]) -> Template: ...
    @overload
    def join(self, seq: Iterable[Any]) -> Composed: ...
    def join(self, seq: Iterable[Any]) -> Composed | Template:
        """Return the objects with this text between them.

        Args:
            seq: the objects; whatever is not a `Composable` becomes a `Literal`. Template strings make a template
                string, to be put into another one with `:q`.

        Raises:
            TypeError: there are template strings and something else.
        """
        from . import template

        objs = list(seq)
        if any(isinstance(obj, template.Template) for obj in objs):
            return template.join(self._obj, objs)
        pieces: list[Any] = []
        for obj in objs:
            if pieces:
                pieces.append(self)
            pieces.append(obj)
        return Composed(pieces)


class Identifier(Composable):
    """A name, quoted.

    Args:
        strings: the name; or several that a dot is put between, such as a schema and a table.

    Raises:
        TypeError: there is none, or one is not a str.
    """

    _obj: tuple[str, ...]

    def __init__(self, *strings: str) -> None:
        if not strings:
            raise TypeError("Identifier cannot be empty")
        for string in strings:
            if not isinstance(string, str):
                raise TypeError(f"SQL identifier parts must be strings, got {string!r} instead")
        super().__init__(strings)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self._obj))})"

    def as_bytes(self, context: AdaptContext | None = None) -> bytes:
        return b".".join([quote_identifier(_encode(string, context)) for string in self._obj])


class Literal(Composable):
    """A value, as an SQL literal, with a cast to its type where that is not plain from the literal.

    Use it for what Postgres takes no parameters in, such as DDL; elsewhere pass values beside the statement.

    Args:
        obj: the value, of any class that has a dumper.
    """

    def has_values(self) -> bool:
        return True

    def as_bytes(self, context: AdaptContext | None = None) -> bytes:
        return Transformer.from_context(context).as_literal(self._obj)


class Placeholder(Composable):
    """A placeholder, for a parameter that is passed when the statement is executed.

    Args:
        name: the name of the parameter, for `%(name)s`; "" for `%s`.
        format: the format that the parameter is sent in: a `PyFormat`, or the letter of one.

    Raises:
        TypeError: the name is not a str, or the format neither.
        ValueError: no placeholder can have the name, or there is no such format.
    """

    _obj: str

    def __init__(self, name: str = "", format: str | PyFormat = PyFormat.AUTO) -> None:
        if not isinstance(name, str):
            raise TypeError(f"expected string as name, got {name!r}")
        if ")" in name:
            raise ValueError(f"invalid name: {name!r}")
        if not isinstance(format, str):
            raise TypeError(f"expected PyFormat as format, got {type(format).__name__!r}")
        super().__init__(name)
        self._format = PyFormat(format)

    def __repr__(self) -> str:
        parts = []
        if self._obj:
            parts.append(repr(self._obj))
        if self._format is not PyFormat.AUTO:
            parts.append(f"format={self._format.name}")
        return f"{type(self).__name__}({', '.join(parts)})"

    def as_string(self, context: AdaptContext | None = None) -> str:
        return f"%({self._obj}){self._format.value}" if self._obj else f"%{self._format.value}"

    def as_bytes(self, context: AdaptContext | None = None) -> bytes:
        return _encode(self.as_string(context), context)


#: The keyword NULL.
NULL = SQL("NULL")

#: The keyword DEFAULT.
DEFAULT = SQL("DEFAULT")


def quote(obj: Any, context: AdaptContext | None = None) -> str:
    """Return a value as an SQL literal.

    Args:
        obj: the value. A `Composable` is none: `as_string()` takes both.
        context: as for `Composable.as_bytes()`, which names the exceptions too.
    """
    return Literal(obj).as_string(context)


def as_string(obj: Any, context: AdaptContext | None = None) -> str:
    """Return an object as SQL.

    Args:
        obj: a `Composable`, or a template string, whose parameters become literals; anything else is a value, quoted
            as a `Literal`.
        context: as for `Composable.as_bytes()`, which names the exceptions too.

    Raises:
        ProgrammingError, TypeError: in the template string is something that cannot be there.
    """
    return _statement(obj).as_string(context)


def as_bytes(obj: Any, context: AdaptContext | None = None) -> bytes:
    """Return an object as SQL, in the encoding of the client; see `as_string()`."""
    return _statement(obj).as_bytes(context)


def _statement(obj: Any) -> Composable:
    from . import template

    return Composed(template.pieces(obj)) if isinstance(obj, template.Template) else _composable(obj)


def _composable(obj: Any) -> Composable:
    return obj if isinstance(obj, Composable) else Literal(obj)


def _codec(context: AdaptContext | None) -> str:
    return text_codec(None if context is None else context.connection)


def _encode(text: str, context: AdaptContext | None) -> bytes:
    try:
        return text.encode(_codec(context))
    except UnicodeEncodeError as ex:
        # Not at the top: `import neonps` brings this module, and few programs need that one's dumpers right away.
        from .types.string import TextEncodeError

        failure = TextEncodeError.of(ex)
    raise failure  # not in there: what was caught has the text
