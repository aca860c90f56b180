"""Rows as a count and values with their lengths, by a function that is made for the dumpers of each row's objects.

That is how a Bind has the parameters of a statement, and a COPY in binary format its rows. The plain way dumps each
object, and joins what came out. A function that is made here sees whether a row needs the same dumpers as one before,
and packs all of it at once; what dumpers of numbers make of them has a place in a `Struct`:

    def pack(row):
        v0, v1 = row
        if not (type(v0) is int and -0x8000 <= v0 <= 0x7FFF and type(v1) is str):
            return None
        v1 = v1.encode()
        return b"".join((p0(head, 2, 2, v0, len(v1)), v1, tail))

What does not fit, and what cannot be dumped, is left to the plain way, which knows what to say of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from struct import Struct, calcsize
from typing import TYPE_CHECKING, Any

from .encodings import text_codec
from .formats import PyFormat
from .protocol.frontend import MAX_MESSAGE_LENGTH, Frame
from .record import Record
from .types.bool import BoolBinaryDumper
from .types.float import FloatBinaryDumper
from .types.integer import IntBinaryDumper, PackedDumper
from .types.string import StrBinaryDumper, StrDumper

if TYPE_CHECKING:
    from .abc import Dumper, DumpFunc
    from .transformer import Transformer

    PackFunc = Callable[[Any], "bytes | None"]


#: Rows with more values than this, and COPYs with more kinds of rows, are not worth the preparations.
_MANY = 100


class PackedValue(Record):
    """How an object gets into the row: the kind that it is of, its class, and what dumps it if it has no better way."""

    kind: str
    cls: type | None = None
    dump: DumpFunc | None = None


def packed_value(transformer: Transformer, obj: Any, format: PyFormat) -> PackedValue:
    """How `obj` gets into a row, and all objects that need the same dumper.

    Raises:
        ProgrammingError: there is no dumper for it.
    """
    if obj is None:
        return _NULL
    cls = type(obj)
    root, constant = transformer.class_dumper(cls, format)
    dumper = transformer.get_dumper(obj, format)
    if type(root) is IntBinaryDumper and cls is int and type(dumper).dump is PackedDumper.dump:
        return PackedValue(f"int{dumper._struct.size}")  # type: ignore[attr-defined]
    if constant:
        return _packed_by(transformer, dumper, cls) or PackedValue("object", cls, dumper.dump)

    def dump_alike(obj: Any) -> Any:
        return dumper.dump(obj) if transformer.get_dumper(obj, format) is dumper else None

    return PackedValue("object", cls, dump_alike)


def packed_as(transformer: Transformer, obj: Any, dumper: Dumper) -> PackedValue:
    """How `obj` gets into a row where `dumper` dumps whatever there is."""
    return _NULL if obj is None else _packed_by(transformer, dumper, type(obj)) or PackedValue("any", None, dumper.dump)


def _packed_by(transformer: Transformer, dumper: Dumper, cls: type) -> PackedValue | None:
    """How objects of `cls` get into a row that need not be dumped one by one."""
    kind = _KINDS.get((cls, type(dumper).dump))
    if kind == "number":
        kind = dumper._struct.format[1:]  # type: ignore[attr-defined]
    elif kind in ("text", "bytes") and text_codec(transformer.connection) != "utf-8":
        kind = None
    return None if kind not in _PACKED else PackedValue(kind)


def row_packer(values: Sequence[PackedValue], frame: Frame, names: Sequence[str] | None = None) -> PackFunc:
    """A function that packs rows: it gives None for one that needs others than `values`, or cannot be dumped.

    Args:
        values: how the objects get into the row.
        frame: what is around it.
        names: the objects are in a dict under these names; None if they are in a tuple or a list.
    """
    make = _written_out(tuple([value.kind for value in values]), bool(frame.code), names is not None)
    return make([value.cls for value in values], [value.dump for value in values], frame, names)


class RowMaker:
    """Makes the rows of a COPY in binary format.

    Args:
        transformer: dumps what is in them.

    Attributes:
        row: gives the bytes of a row, or None if the row has to go the plain way.
    """

    row: PackFunc

    def __init__(self, transformer: Transformer) -> None:
        self._transformer = transformer
        self._packers: dict[tuple[Any, ...], PackFunc] = {}
        self._last: PackFunc = lambda row: None
        self.row = self._last

    @staticmethod
    def join(rows: Sequence[bytes]) -> bytes:
        """The bytes of rows that were made here."""
        return b"".join(rows)

    def learn(self, row: Sequence[Any]) -> None:
        """Let `row` take rows like this one, which has gone the plain way well, beside those that it takes already."""
        if not 0 < len(row) <= _MANY or len(self._packers) >= _MANY:
            return
        key = self._key(row)
        if key not in self._packers:
            self._last = self._packers[key] = row_packer(self._values(row), Frame())
            self.row = self._last if len(self._packers) == 1 else self._row_of_any

    def _row_of_any(self, row: Any) -> bytes | None:
        """The bytes of a row that is like any one before."""
        data = self._last(row)
        if data is None and isinstance(row, (tuple, list)):
            try:
                packer = self._packers.get(self._key(row))
            except Exception:
                return None
            if packer is not None:
                self._last = packer
                data = packer(row)
        return data

    def _key(self, row: Sequence[Any]) -> tuple[Any, ...]:
        """What decides how a row is packed."""
        if self._transformer.row_dumpers is not None:
            return tuple(map(type, row))
        return self._transformer.get_keys(row, [PyFormat.BINARY] * len(row))

    def _values(self, row: Sequence[Any]) -> list[PackedValue]:
        transformer = self._transformer
        if transformer.row_dumpers is None:
            return [packed_value(transformer, obj, PyFormat.BINARY) for obj in row]
        return [packed_as(transformer, obj, dumper) for obj, dumper in zip(row, transformer.row_dumpers, strict=True)]


_NULL = PackedValue("null")

#: Objects that have a better way than their dumper, by their class and the function that dumps them.
_KINDS: dict[tuple[type, Callable[..., Any]], str] = {
    (int, PackedDumper.dump): "number",
    (float, FloatBinaryDumper.dump): "number",
    (bool, BoolBinaryDumper.dump): "?",
    (str, StrDumper.dump): "text",
    (str, StrBinaryDumper.dump): "bytes",
}


class _Packing(Record):
    """How objects `v` of a kind are packed; `c` is their class, and `d` dumps them."""

    #: What has to be true of one.
    condition: str
    #: What makes bytes of it; "" if it is packed itself.
    statements: tuple[str, ...] = ()
    #: By which code of `Struct`, then.
    code: str = ""


_OBJECT = ("{v} = {d}({v})", "if {v} is None: return None")

# Integers that are dumped by their size are of the smallest type that holds them.
_PACKED = {
    "null": _Packing("{v} is None"),
    "int2": _Packing("type({v}) is int and -0x8000 <= {v} <= 0x7FFF", code="h"),
    "int4": _Packing(
        "type({v}) is int and (0x7FFF < {v} <= 0x7FFFFFFF or -0x80000000 <= {v} < -0x8000)",
        code="i",
    ),
    "int8": _Packing(
        "type({v}) is int and (0x7FFFFFFF < {v} <= 0x7FFFFFFFFFFFFFFF or -0x8000000000000000 <= {v} < -0x80000000)",
        code="q",
    ),
    **{code: _Packing("type({v}) is int", code=code) for code in "hiqI"},
    **{code: _Packing("type({v}) is float", code=code) for code in "fd"},
    "?": _Packing("type({v}) is bool", code="?"),
    "text": _Packing("type({v}) is str", ("if '\\0' in {v}: return None", "{v} = {v}.encode()")),
    "bytes": _Packing("type({v}) is str", ("{v} = {v}.encode()",)),
    "object": _Packing("type({v}) is {c}", _OBJECT),
    "any": _Packing("{v} is not None", _OBJECT),
}


@lru_cache(maxsize=256)
def _written_out(kinds: tuple[str, ...], message: bool, named: bool) -> Callable[..., PackFunc]:
    """What makes a function for a row of objects of these kinds; of their classes, dumpers, frame and names."""
    numbers = range(len(kinds))
    conditions: list[str] = []
    statements: list[str] = []
    lengths: list[str] = []
    fixed = 0  # what all rows have in length
    # Each Struct packs what is between two values of bytes.
    codes = ["!ci%dsH" if message else "!%dsH"]  # the head is as long as it is
    arguments = ["code, length, head, count" if message else "head, count"]
    between: list[str] = []
    for number, kind in zip(numbers, kinds, strict=True):
        v = f"v{number}"
        packing = _PACKED[kind]
        conditions.append(packing.condition.format(v=v, c=f"c{number}"))
        statements += [statement.format(v=v, d=f"d{number}") for statement in packing.statements]
        fixed += 4
        codes[-1] += "i"
        if kind == "null":
            arguments[-1] += ", -1"
        elif packing.code:
            size = calcsize("!" + packing.code)
            fixed += size
            codes[-1] += packing.code
            arguments[-1] += f", {size}, {v}"
        else:
            lengths.append(f"len({v})")
            arguments[-1] += f", len({v})"
            between.append(v)
            codes.append("!")
            arguments.append("")
    parts: list[str] = []
    for number, (argument, code) in enumerate(zip(arguments, codes, strict=True)):
        if code != "!":
            parts.append(f"p{number}({argument.removeprefix(', ')})")
        parts += between[number : number + 1]
    parts.append("tail")
    each = "".join(f"{{0}}{number}, " for number in numbers)
    lines = [
        "def make(classes, dumps, frame, names):",
        "    head, tail, code, rest = frame",
        f"    count = {len(kinds)}",
        f"    base = 4 + len(head) + 2 + {fixed} + rest",
        f"    {each.format('c')}= classes",
        f"    {each.format('d')}= dumps",
        f"    p0 = Struct({codes[0]!r} % len(head)).pack",
        *(f"    p{number} = Struct({code!r}).pack" for number, code in enumerate(codes) if number),
        *([f"    {each.format('n')}= names"] if named else []),
        "    def pack(row):",
        "        try:",
    ]
    body: list[str] = []
    if named:
        body.append("if type(row) is not dict: return None")
        body += [f"v{number} = row[n{number}]" for number in numbers]
    else:
        body.append("if not isinstance(row, SEQUENCES) or len(row) != count: return None")
        body.append(f"{each.format('v')}= row")
    body.append(f"if not ({' and '.join(conditions)}): return None")
    body += statements
    if message:
        body.append(f"length = {' + '.join(['base', *lengths])}")
        if lengths:
            body.append("if length > LONGEST: return None")
    body.append(f"return JOIN(({', '.join(parts)}))")
    lines += [f"            {statement}" for statement in body]
    lines += ["        except Exception: return None", "    return pack"]
    namespace: dict[str, Any] = {
        "JOIN": b"".join,
        "LONGEST": MAX_MESSAGE_LENGTH,
        "SEQUENCES": (tuple, list),
        "Struct": Struct,
    }
    exec("\n".join(lines), namespace)
    return namespace["make"]  # type: ignore[no-any-return]
