"""What readers have to know of the session, and the functions that they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timezone
from typing import TYPE_CHECKING, Any

from ..encodings import text_codec
from ..timezones import timezone_named
from ..transformer import Transformer
from ..types.date import date_style
from .values import Unreadable, Values

if TYPE_CHECKING:
    from ..base_cursor import BaseCursor
    from ..typeinfo import TypesRegistry

#: Makes an array of Arrow of the values of a column; raises `Unreadable` or an exception of pyarrow.
Reader = Callable[[Values], Any]


@dataclass(frozen=True)
class Session:
    """What the session says of the values that it sends.

    Attributes:
        codec: of text.
        iso_dates: whether dates look as ISO 8601 has it.
        interval_style: how intervals look.
        time_zone: the name of the time zone that times are shown in.
        types: the types that are known to the cursor.
        transformer: makes Python objects, of what has no faster way.
    """

    codec: str
    iso_dates: bool
    interval_style: str
    time_zone: str
    types: TypesRegistry
    transformer: Transformer

    @classmethod
    def of(cls, cursor: BaseCursor[Any]) -> Session:
        """That of a cursor's connection, as it is now."""
        connection = cursor.connection
        says = connection._transport.parameter_status
        name = says("TimeZone")
        known = name and timezone_named(name) is not timezone.utc
        return cls(
            codec=text_codec(connection),
            iso_dates=date_style(connection).startswith("ISO"),
            interval_style=says("IntervalStyle") or "postgres",
            time_zone=name if name and known else "UTC",
            types=cursor.adapters.types,
            transformer=Transformer(_Plain(connection)),
        )


class _Plain:
    """A context with the adapters of Postgres's types as they come, whatever was registered."""

    def __init__(self, connection: Any) -> None:
        from ..adapters_map import AdaptersMap
        from ..postgres import adapters

        self.connection = connection
        self.adapters = AdaptersMap(adapters)


def recoded(values: Values, session: Session) -> Values:
    """The same text in UTF-8."""
    if session.codec == "utf-8":
        return values
    decode = session.codec
    try:
        return Values.of([None if each is None else each.decode(decode) for each in values.binary().to_pylist()])
    except UnicodeDecodeError:
        raise Unreadable("a value is not in the encoding of the client") from None


def each_loaded(values: Values, load: Callable[[bytes], Any]) -> list[Any]:
    """A Python object for each value, as `load` makes them, None for NULL: the slow way.

    Raises:
        Unreadable: as `load` says.
    """
    from ..errors import DataError
    from ..load_errors import load_errors

    try:
        with load_errors:
            return [None if each is None else load(each) for each in values.binary().to_pylist()]
    except DataError as error:
        raise Unreadable(str(error)) from None


def as_text(values: Values, session: Session) -> Any:
    """A reader: strings, as they are."""
    return recoded(values, session).strings()


def as_binary(values: Values) -> Any:
    """A reader: bytes, as they are."""
    return values.binary()


def parsed(kind: Any) -> Reader:
    """A reader of text that Arrow can parse itself."""
    return lambda values: values.strings().cast(kind)
