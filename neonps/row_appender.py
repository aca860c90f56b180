"""Functions that make rows of DataRow messages (PostgreSQL docs 53.7), one made for each layout of columns.

In them the columns are written out. Columns of a fixed size that stand together are unpacked by one call, with the
length of the next column; all that is left to be decided for a row is whether its lengths are those of the layout.
Where they are not, which is so when one of these values is NULL, the row is taken value by value.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from struct import Struct
from typing import TYPE_CHECKING, Any

from .errors import OperationalError
from .packed import Packed

if TYPE_CHECKING:
    from .abc import Loader

#: Appends the rows that stand in `data[start:stop]`, as tuples, to a list.
AppendRows = Callable[[bytes, int, int, "list[tuple[Any, ...]]"], None]

# How columns of no fixed size are read: by their loader, or as what most of them are, text in UTF-8.
_BY_LOADER = Packed("", 0)
_AS_UTF8 = Packed("", 0, "decode")


def rows_appender(loaders: Sequence[Loader]) -> AppendRows:
    """Make the function for a layout.

    It raises what the loaders raise, and OperationalError for a row that is not as it has to be.

    Args:
        loaders: one for each column, MANY_COLUMNS at most.
    """
    layout = [_how(loader) for loader in loaders]
    makers = [
        getattr(loader, how.method) if how.size and how.method else None
        for loader, how in zip(loaders, layout, strict=True)
    ]
    made: AppendRows = _made(tuple(layout))(*[loader.load for loader in loaders], *makers)
    return made


def is_utf8(loader: Loader) -> bool:
    """Whether a loader decodes UTF-8, and that is all."""
    from .types.string import TextBinaryLoader, TextLoader

    return type(loader) in (TextLoader, TextBinaryLoader) and loader._codec == "utf-8"  # type: ignore[attr-defined]


def _how(loader: Loader) -> Packed:
    if is_utf8(loader):
        return _AS_UTF8
    # Not what a subclass has inherited: it may load otherwise.
    packed: Packed = type(loader).__dict__.get("packed", _BY_LOADER)
    return packed


@lru_cache(maxsize=256)
def _made(layout: tuple[Packed, ...]) -> Callable[..., Any]:
    """Make a function that takes the `load` of each loader, and the other method that a Packed names, if any."""
    numbers = range(len(layout))
    structs: dict[str, Any] = {}
    fast = _fast_lines(layout, structs)
    source = [
        f"def make({', '.join(f'load{i}' for i in numbers)}, {', '.join(f'make{i}' for i in numbers)}):",
        "    def careful(data, pos):",
        *(f"        {line}" for line in _careful_lines(layout)),
        "    def append_rows(data, pos, stop, rows):",
        "        append = rows.append",
        "        while pos < stop:",
        "            try:",
        "                while pos < stop:",
        *(f"                    {line}" for line in fast),
        "                    row, pos = careful(data, pos)",
        "                    append(row)",
        "            except Exception:",
        "                # The message may be shorter than what was to be unpacked; what is really wrong shows now.",
        "                row, pos = careful(data, pos)",
        "                append(row)",
        "    return append_rows",
    ]
    namespace = {"__name__": __name__, **structs, "head_at": _head_at, "length_at": _length_at, "malformed": _malformed}
    exec("\n".join(source), namespace)
    made: Callable[..., Any] = namespace["make"]
    return made


_head_at = Struct("!iH").unpack_from
_length_at = Struct("!i").unpack_from


def _malformed() -> OperationalError:
    return OperationalError("the server has sent a malformed DataRow message")


def _fast_lines(layout: tuple[Packed, ...], structs: dict[str, Any]) -> list[str]:
    """The body of the loop for a row in which no column of a fixed size is NULL; it ends with `continue` then.

    Args:
        layout: how each column is read.
        structs: gets the functions that unpack, by their names.
    """
    lines: list[str] = []
    depth = 0

    def line(text: str) -> None:
        lines.append("    " * depth + text)

    code = "iH"
    names = ["size", "count"]
    checks = [f"count == {len(layout)}"]
    start = "pos + 1"  # of what is unpacked next
    expressions: list[str] = []

    def unpack() -> None:
        nonlocal depth
        struct = Struct("!" + code)
        name = f"unpack{len(structs)}"
        structs[name] = struct.unpack_from
        line(f"{', '.join(names)}, = {name}(data, {start})")
        if checks:
            line(f"if {' and '.join(checks)}:")
            depth += 1
        line(f"p = {start} + {struct.size}")

    for i, how in enumerate(layout):
        code += "i"
        names.append(f"n{i}")
        if how.size:
            code += how.code
            names.append(f"v{i}")
            checks.append(f"n{i} == {how.size}")
            expressions.append(f"make{i}(v{i})" if how.method else f"v{i}")
            continue
        unpack()
        line(f"if n{i} >= 0: q = p + n{i}; v{i} = data[p:q]{'.decode()' if how is _AS_UTF8 else ''}")
        line(f"elif n{i} == -1: q = p; v{i} = None")
        line("else: raise malformed()")
        # Loaders are called once it is certain that the row is as expected: some may count their calls.
        expressions.append(f"v{i}" if how is _AS_UTF8 else f"None if v{i} is None else load{i}(v{i})")
        code, names, checks, start = "", [], [], "q"
    if names:
        unpack()
        start = "p"
    line(f"if pos + 1 + size == {start}:")
    line(f"    append(({', '.join(expressions)},))")
    line(f"    pos = {start}")
    line("    continue")
    return lines


def _careful_lines(layout: tuple[Packed, ...]) -> list[str]:
    """The body of a function that gives the row at `pos`, and the end of it."""
    lines = [
        "size, count = head_at(data, pos + 1)",
        "end = pos + 1 + size",
        f"if count != {len(layout)}: raise malformed()",
        "p = pos + 7",
    ]
    for i in range(len(layout)):
        lines += (
            "if p + 4 > end: raise malformed()",
            "n, = length_at(data, p)",
            "p += 4",
            f"if n == -1: v{i} = None",
            "else:",
            "    q = p + n",
            "    if n < 0 or q > end: raise malformed()",
            f"    v{i} = load{i}(data[p:q])",
            "    p = q",
        )
    values = ", ".join(f"v{i}" for i in range(len(layout)))
    return [*lines, "if p != end: raise malformed()", f"return ({values},), end"]
