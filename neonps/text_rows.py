"""Rows of DataRow messages (PostgreSQL docs 53.7) whose values are all text, taken apart column by column.

Going from size to size takes a step of Python for each value; one `split()` of many messages at once takes none. There
are two ways to see where values begin:

- Where all values are small, by their sizes. Sizes are four bytes each, of which only the last is not zero, and text
  has no zeros, and seldom control characters. So zeros are left out, whatever could be the size of a small value is
  made the same character, and the text is split there. It was right if these sizes add up to all that there is.
- By the zeros: text never has a zero byte in it, and the sizes of messages and values begin with three as long as they
  are below 256. So what stands between three zeros and the next three is a value, with the last byte of its size in
  front, which is then cut off.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .column_loader import LoadColumn

#: Values are small up to here: their sizes are control characters. Other sizes count as small if all values of a
#: column have the same.
_SMALL = 32

#: Up to here the size of a message begins with three zeros too, and makes a piece of its own; up to there, with two.
_SHORT, _LONG = 256, 65536

# NULL and "" have sizes that are not like others. They are written as values that cannot be text in UTF-8.
_NULL_SIZE, _NULL = b"\xff\xff\xff\xff", b"\0\0\0\1\xff"
_EMPTY_SIZE, _EMPTY = b"\0\0\0\0", b"\0\0\0\1\xfe"
_SPECIAL: dict[str, str | None] = {"\xff": None, "\xfe": ""}

_ZEROS = "\0\0\0"
_HERE = "\n"  # what small sizes are replaced by

# What cuts a piece to its value: off goes the size, and behind the last value of a row the head of the next message,
# that is its code "D", its size, and how many values it has. Of short messages only the code stands there.
_value = itemgetter(slice(1, None))
_last_of_short = itemgetter(slice(1, -1))
_last_of_long = itemgetter(slice(1, -7))


def text_rows(
    data: bytes, start: int, stop: int, ntuples: int, load_columns: Sequence[LoadColumn], constant: bytes = b""
) -> Iterable[tuple[Any, ...]] | None:
    """Return the rows in `data[start:stop]`; None when they have to be taken otherwise.

    That is so when a value is longer than 255 bytes, when some rows are and others are not, or when something is wrong
    with a value, which should then be found out one by one.

    Args:
        data, start, stop: where DataRow messages stand, one after another, their text in UTF-8.
        ntuples: how many they are.
        load_columns: what loads each column, 100 at most.
        constant: of each column whose values all have the same size, that size; below 256.
    """
    try:
        columns = _columns(data[start:stop], ntuples, len(load_columns), constant)
        if columns is None:
            return None
        return zip(*[load(column) for load, column in zip(load_columns, columns, strict=True)], strict=True)
    except Exception:
        return None


def _columns(messages: bytes, ntuples: int, count: int, constant: bytes) -> list[list[Any]] | None:
    size = int.from_bytes(messages[1:5], "big")
    if size >= _LONG:
        return None
    total = len(messages)
    if (b"\xfe" in messages and _EMPTY in messages) or (b"\xff" in messages and _NULL in messages):
        return None  # not UTF-8, but a server could send it
    messages = messages.replace(_EMPTY_SIZE, _EMPTY)
    if b"\xff" in messages:
        messages = messages.replace(_NULL_SIZE, _NULL)
    if size >= _SHORT:
        return _columns_of_long(messages, ntuples, count)
    columns = _columns_by_sizes(messages, ntuples, count, constant, total)
    return _columns_of_short(messages, ntuples, count) if columns is None else columns


def _columns_by_sizes(messages: bytes, ntuples: int, count: int, constant: bytes, total: int) -> list[list[Any]] | None:
    """The values of each column; None when some values are not small, or have control characters.

    Args:
        messages, ntuples, count: no value in them is NULL or "".
        constant: of each column whose values all have the same size, that size.
        total: how many bytes the messages say that they have.
    """
    here, others = _tables(constant)
    sizes = messages.translate(None, others)
    step, rest = divmod(len(sizes), ntuples)
    # Of the head of a message, how many values it has is found too, and of a small one its own size. Its code "D", and
    # a size that is not small, come at the end of the row before.
    head = step - count
    if rest or head not in (1, 2) or any(sizes.count(size) != ntuples * constant.count(size) for size in constant):
        return None
    expected = ntuples * count + len(messages) - ntuples * (7 + 4 * count)
    if head == 2:
        expected += total - ntuples
    # These are so many as should be found. Where one was not, its value is not small; where there is one too many, it
    # is a character that would be a small size. So if both are there the sum is not right.
    if sum(sizes) != expected or sizes[head - 1 :: step] != bytes([count]) * ntuples:
        return None
    behind = 3 - head
    text = messages.translate(here, b"\0").decode("latin-1") + "D!"[:behind]
    if len(text) - behind != len(messages) - ntuples * (4 + 3 * count):
        return None  # some zeros were in values
    pieces = text.split(_HERE)
    columns = [pieces[number::step] for number in range(head + 1, step)]
    columns.append(list(map(itemgetter(slice(-behind)), pieces[step::step])))
    return columns if text.isascii() else list(map(_decoded, columns))


@cache
def _tables(constant: bytes) -> tuple[bytes, bytes]:
    """For `bytes.translate()`, what makes all small sizes the same character, and what removes all but these."""
    small = {*range(1, _SMALL), *constant}
    here = bytes(ord(_HERE) if byte in small else byte for byte in range(256))
    return here, bytes(byte for byte in range(256) if byte not in small)


def _columns_of_short(messages: bytes, ntuples: int, count: int) -> list[list[Any]] | None:
    """The values of each column; None when these are not so many pieces as `ntuples` rows of `count` values make.

    Raises:
        UnicodeError: a value is not UTF-8.
    """
    try:
        text = messages.decode()
        is_decoded = True
    except UnicodeDecodeError:
        # Most probably at a size of 128 or more.
        text = messages.decode("latin-1")
        is_decoded = False
    pieces = (text + "D").split(_ZEROS)
    step = count + 1
    if len(pieces) != ntuples * step + 1:
        return None
    # The first piece of each message has the rest of its size, and how many values follow.
    heads = "".join(pieces[1::step])
    if len(heads) != 3 * ntuples or heads[1::3] != "\0" * ntuples or heads[2::3] != chr(count) * ntuples:
        return None
    columns = _cut(pieces[2:], step, count, _last_of_short)
    return columns if is_decoded else list(map(_decoded, columns))


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
    return list(map(_decoded, _cut(pieces[1:], count, count, _last_of_long)))


def _cut(pieces: list[str], step: int, count: int, last: Callable[[str], str]) -> list[list[str]]:
    """Cut pieces to their values, by columns."""
    cuts = [_value] * (count - 1) + [last]
    return [list(map(cut, pieces[number::step])) for number, cut in enumerate(cuts)]


def _decoded(column: list[str]) -> list[Any]:
    """A column whose bytes were taken for characters, with the characters that are meant, None and ""."""
    if "".join(column).isascii():
        return column
    return [
        value if value.isascii() else _SPECIAL[value] if value in _SPECIAL else value.encode("latin-1").decode()
        for value in column
    ]
