r"""The lines of a COPY in text format, by a function that is made for the classes of the objects in each column.

The plain way to a line dumps each object, escapes what came out, and joins it. Most objects are integers, floats and
strings without special characters, which look in a line just as Python formats them; and the classes in a column
seldom change from row to row. So a function is made that sees whether a row is of the classes that were there before,
and formats it in one step:

    def line(row):
        if not isinstance(row, rows) or len(row) != 2:
            return None
        v0, v1 = row
        if not (type(v0) is int and type(v1) is str):
            return None
        v1 = v1 if v1.isprintable() and BACKSLASH not in v1 else f1(v1)
        return f"{v0}\t{v1}\n"

What does not fit goes the plain way, and a new function is made, which takes it too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from .copy_text import escape
from .encodings import text_codec
from .formats import PyFormat
from .types.bool import BoolDumper
from .types.float import FloatDumper
from .types.integer import IntDumper, IntegerDumper
from .types.string import StrDumper

if TYPE_CHECKING:
    from .abc import DumpFunc
    from .transformer import Transformer

    LineFunc = Callable[[Any], "str | None"]

_NULL = r"\N"

#: Bytes that are not UTF-8 keep what they are on their way through a `str`.
_ERRORS = "surrogateescape"

#: Special characters and what is written for them; the backslash comes first, since it is in the others.
_TEXT_ESCAPES = [
    (plain.decode(), escape(plain).decode()) for plain in (b"\\", b"\n", b"\t", b"\r", b"\b", b"\v", b"\f")
]

#: Rows with more columns than this are seldom, and writing out that many would not be worth it.
_MANY = 100


class LineMaker:
    """Makes lines of rows.

    Args:
        transformer: dumps the objects that Python does not format as Postgres reads them.

    Attributes:
        row: gives the line for a row, or None if the row has to go the plain way. What it raises is what dumpers do.
    """

    row: LineFunc

    def __init__(self, transformer: Transformer) -> None:
        self._transformer = transformer
        self._columns: list[_Column] = []
        self.row = lambda row: None

    @staticmethod
    def join(rows: Sequence[str]) -> bytes:
        """The bytes of lines that were made here."""
        return "".join(rows).encode("utf-8", _ERRORS)

    def learn(self, row: Sequence[Any]) -> None:
        """Let `row` take rows like this one, which has gone the plain way well, beside those that it takes already."""
        if not 0 < len(row) <= _MANY:
            return
        if len(row) != len(self._columns):
            self._columns = [_Column()] * len(row)
        columns = [column.with_object(obj) for column, obj in zip(self._columns, row, strict=True)]
        if columns != self._columns:
            self._columns = columns
            self.row = self._made()

    def _made(self) -> LineFunc:
        kinds: list[str] = []
        classes = [column.cls for column in self._columns]
        fields: list[Callable[[Any], str] | None] = []
        for number, column in enumerate(self._columns):
            kind, dump = self._dumping(number, column)
            kinds.append(kind)
            field = None if dump is None else _field_of(dump)
            fields.append(_text_field_of(field) if field is not None and kind == "str" else field)
        nullable = tuple([column.nullable for column in self._columns])
        return _written_out(tuple(kinds), nullable)(classes, fields)

    def _dumping(self, number: int, column: _Column) -> tuple[str, DumpFunc | None]:
        """The kind of objects that are in a column, and what dumps those that are not formatted by Python."""
        transformer = self._transformer
        if column.cls is None:
            return "null", None
        if transformer.row_dumpers is not None:
            dumper = transformer.row_dumpers[number]
        else:
            dumper, constant = transformer.class_dumper(column.cls, PyFormat.TEXT)
            if column.mixed or not (constant or type(dumper) is IntDumper):
                return "any", lambda obj: transformer.get_dumper(obj, PyFormat.TEXT).dump(obj)
        kind = "any" if column.mixed else _KINDS.get((column.cls, type(dumper).dump), "object")
        if kind == "str" and text_codec(transformer.connection) != "utf-8":
            kind = "object"
        return kind, dumper.dump


class _Column(NamedTuple):
    """What objects were in a column so far."""

    #: The class of the first that was not None.
    cls: type | None = None
    #: There were others.
    mixed: bool = False
    #: There was None.
    nullable: bool = False

    def with_object(self, obj: Any) -> _Column:
        """What there was, and this object."""
        if obj is None:
            return self._replace(nullable=True)
        cls = type(obj)
        return self._replace(cls=self.cls or cls, mixed=self.mixed or self.cls not in (None, cls))


#: The kinds of objects that Python formats as a dumper would, by their class and the function that dumps them. The
#: others are "null", where there was only None; "object", those of one class; "any", of which nothing is known.
_KINDS: dict[tuple[type, Callable[..., Any]], str] = {
    (int, IntDumper.dump): "int",
    (int, IntegerDumper.dump): "int",
    (float, FloatDumper.dump): "float",
    (bool, BoolDumper.dump): "bool",
    (str, StrDumper.dump): "str",
}

#: What makes an object `v` what is written, by its kind; `f` dumps and escapes it.
_FORMATTING = {
    "null": "{v} = NULL",
    "int": "",
    "float": "{v} = repr({v})",
    "bool": "{v} = 't' if {v} else 'f'",
    # What is printable has no NUL, no control characters and no surrogates.
    "str": "{v} = {v} if {v}.isprintable() and BACKSLASH not in {v} else {f}({v})",
    "object": "{v} = {f}({v})",
    "any": "{v} = {f}({v})",
}


def _field_of(dump: DumpFunc) -> Callable[[Any], str]:
    """A function that makes a field of an object."""

    def field(obj: Any) -> str:
        value = dump(obj)
        return _NULL if value is None else escape(value).decode("utf-8", _ERRORS)

    return field


def _text_field_of(field: Callable[[Any], str]) -> Callable[[Any], str]:
    """As `field`, for a `str`: most special characters can be escaped without dumping."""

    def text_field(obj: str) -> str:
        if not obj.isascii() or "\0" in obj:
            return field(obj)
        for plain, escaped in _TEXT_ESCAPES:
            obj = obj.replace(plain, escaped)
        return obj

    return text_field


@lru_cache(maxsize=256)
def _written_out(kinds: tuple[str, ...], nullable: tuple[bool, ...]) -> Callable[..., LineFunc]:
    """What makes a function for columns with objects of these kinds of their classes, and of what makes fields."""
    numbers = range(len(kinds))
    conditions: list[str] = []
    formatting: list[str] = []
    for number, kind, none in zip(numbers, kinds, nullable, strict=True):
        condition = f"v{number} is None" if kind == "null" else f"type(v{number}) is c{number}"
        if kind == "any":
            none = True
        else:
            conditions.append(f"(v{number} is None or {condition})" if none and kind != "null" else condition)
        statement = _FORMATTING[kind].format(v=f"v{number}", f=f"f{number}")
        if none and kind != "null":
            formatting.append(f"if v{number} is None: v{number} = NULL")
            statement = statement and f"else: {statement}"
        if statement:
            formatting.append(statement)
    each = "".join(f"{{}}{number}, " for number in numbers)
    line = "\\t".join(f"{{v{number}}}" for number in numbers)
    lines = [
        "def make(classes, fields):",
        f"    {each.format(*'c' * len(kinds))}= classes",
        f"    {each.format(*'f' * len(kinds))}= fields",
        "    def line(row):",
        f"        if not isinstance(row, SEQUENCES) or len(row) != {len(kinds)}: return None",
        f"        {each.format(*'v' * len(kinds))}= row",
        f"        if not ({' and '.join(conditions) or True}): return None",
        *(f"        {statement}" for statement in formatting),
        "        try:",
        f'            return f"{line}\\n"',
        "        except ValueError: return None  # an int of thousands of digits (sys.set_int_max_str_digits)",
        "    return line",
    ]
    namespace: dict[str, Any] = {"NULL": _NULL, "BACKSLASH": "\\", "SEQUENCES": (tuple, list)}
    exec("\n".join(lines), namespace)
    return namespace["make"]  # type: ignore[no-any-return]
