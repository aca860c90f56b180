"""Rows of DataRow messages (PostgreSQL docs 53.7) whose values are all text, taken apart column by column.

Text from Postgres never has a zero byte in it, and the sizes of messages and values, four bytes each, begin with three
of them as long as they are below 256. So what stands between three zeros and the next three is a value, with the last
byte of its size in front; cutting at all of them at once is much faster than going from size to size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .column_loader import LoadColumn

_ZEROS = "\0\0\0"

# Sizes that do not begin with three zeros, or are more of them. They are written as a size, which nobody reads, and a
# value that no other can be.
_NULL_SIZE, _NULL = b"\xff\xff\xff\xff", b"\0\0\0\1\0n"
_EMPTY_SIZE, _EMPTY = b"\0\0\0\0", b"\0\0\0\1\0e"
_SPECIAL: dict[str, str | None] = {"\0n": None, "\0e": ""}

#: Up to here the size of a message begins with three zeros too, and makes a piece of its own; up to there, with two.
_SHORT, _LONG = 256, 65536

# What cuts a piece to its value: off goes the size, and behind the last value of a row the head of the next message,
# that is its code "D", its size, and how many values it has. Of short messages only the code stands there.
_value = itemgetter(slice(1, None))
_last_of_short = itemgetter(slice(1, -1))
_last_of_long = itemgetter(slice(1, -7))


def text_rows(
    data: bytes, start: int, stop: int, ntuples: int, load_columns: Sequence[LoadColumn]
) -> Iterable[tuple[Any, ...]] | None:
    """Return the rows in `data[start:stop]`; None when they have to be taken otherwise.

    That is so when a value is longer than 255 bytes, when some rows are and others are not, or when something is wrong
    with a value, which should then be found out one by one.

    Args:
        data, start, stop: where DataRow messages stand, one after another, their text in UTF-8.
        ntuples: how many they are.
        load_columns: what loads each column, 100 at most.
    """
    messages = data[start:stop]
    size = int.from_bytes(messages[1:5], "big")
    if size >= _LONG:
        return None
    columns_of = _columns_of_short if size < _SHORT else _columns_of_long
    special = data.find(_EMPTY_SIZE, start, stop) >= 0
    if special:
        messages = messages.replace(_EMPTY_SIZE, _EMPTY)
    try:
        columns = columns_of(messages, ntuples, len(load_columns))
        if columns is None:
            special = True
            columns = columns_of(messages.replace(_NULL_SIZE, _NULL), ntuples, len(load_columns))
            if columns is None:
                return None
        if special:
            columns = [[_SPECIAL.get(value, value) for value in column] for column in columns]
        return zip(*[load(column) for load, column in zip(load_columns, columns, strict=True)], strict=True)
    except Exception:
        return None


def _columns_of_short(messages: bytes, ntuples: int, count: int) -> list[list[Any]] | None:
    """The values of each column; None when these are not so many pieces as `ntuples` rows of `count` values make.

    Raises:
        UnicodeError: a value is not UTF-8.
    """
    try:
        text = messages.decode()
        recode = False
    except UnicodeDecodeError:
        # Most probably at a size of 128 or more.
        text = messages.decode("latin-1")
        recode = True
    pieces = (text + "D").split(_ZEROS)
    step = count + 1
    if len(pieces) != ntuples * step + 1:
        return None
    # The first piece of each message has the rest of its size, and how many values follow.
    heads = "".join(pieces[1::step])
    if len(heads) != 3 * ntuples or heads[1::3] != "\0" * ntuples or heads[2::3] != chr(count) * ntuples:
        return None
    return _cut(pieces[2:], step, count, _last_of_short, recode)


def _columns_of_long(messages: bytes, ntuples: int, count: int) -> list[list[Any]] | None:
    """The same of messages of 256 bytes and more, whose sizes make no pieces of their own."""
    head = f"D\0\0??\0{chr(count)}"
    pieces = (messages.decode("latin-1") + head).split(_ZEROS)
    if len(pieces) != ntuples * count + 1:
        return None
    heads = "".join([piece[-7:] for piece in pieces[::count]])
    size = len(head)
    if len(heads) != size * (ntuples + 1) or any(
        heads[n::size] != head[n] * (ntuples + 1) for n in range(size) if head[n] != "?"
    ):
        return None
    return _cut(pieces[1:], count, count, _last_of_long, True)


def _cut(pieces: list[str], step: int, count: int, last: Callable[[str], str], recode: bool) -> list[list[Any]]:
    """Cut pieces to their values, by columns; `recode` what was not decoded as UTF-8."""
    cuts = [_value] * (count - 1) + [last]
    columns = [list(map(cut, pieces[number::step])) for number, cut in enumerate(cuts)]
    if recode:
        for number, column in enumerate(columns):
            if not "".join(column).isascii():
                columns[number] = [value.encode("latin-1").decode() for value in column]
    return columns
