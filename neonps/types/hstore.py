"""hstore: dicts of strings."""

from __future__ import annotations

from re import DOTALL
from re import compile as re_compile
from struct import Struct
from struct import error as StructError
from typing import TYPE_CHECKING

from .. import errors as e
from ..abc import Buffer
from ..adapt import RecursiveDumper, RecursiveLoader
from ..adapters_map import adapters_of
from ..encodings import text_codec
from ..pq import Format
from ..typeinfo import TypeInfo

if TYPE_CHECKING:
    from ..abc import AdaptContext

Hstore = dict[str, "str | None"]

# Each alternative can match in one way only, so that the time is linear in the length.
_STRING = r'"([^"\\]*(?:\\.[^"\\]*)*)"'
_PAIR = re_compile(_STRING + r"\s*=>\s*(?:NULL|" + _STRING + r")\s*(?:,\s*|$)", DOTALL)

_ESCAPED = re_compile(r"\\(.)", DOTALL)

# An hstore in binary is the number of its pairs, then each key and value after its length, -1 for NULL
# (hstore_send() of contrib/hstore/hstore_io.c).
_LENGTH = Struct("!i")
_NULL = _LENGTH.pack(-1)


class HstoreDumper(RecursiveDumper):
    """Dumps `dict` as hstore, text."""

    def __init__(self, cls: type, context: AdaptContext | None = None) -> None:
        super().__init__(cls, context)
        self._codec = text_codec(self.connection)

    def dump(self, obj: Hstore) -> Buffer | None:
        pairs = []
        for key, value in obj.items():
            _check(key, value)
            pairs.append(f"{_quote(key)}=>{'NULL' if value is None else _quote(value)}")
        return ",".join(pairs).encode(self._codec)


class HstoreBinaryDumper(HstoreDumper):
    """Dumps `dict` as hstore, binary."""

    format = Format.BINARY

    def dump(self, obj: Hstore) -> Buffer | None:
        parts = [_LENGTH.pack(len(obj))]
        for key, value in obj.items():
            _check(key, value)
            for each in (key, value):
                if each is None:
                    parts.append(_NULL)
                else:
                    data = each.encode(self._codec)
                    parts += [_LENGTH.pack(len(data)), data]
        return b"".join(parts)


class HstoreLoader(RecursiveLoader):
    """Loads hstore from text."""

    def __init__(self, oid: int, context: AdaptContext | None = None) -> None:
        super().__init__(oid, context)
        self._codec = text_codec(self.connection)

    def load(self, data: Buffer) -> Hstore:
        text = str(data, self._codec)
        result: Hstore = {}
        pos = 0
        while pos < len(text):
            match = _PAIR.match(text, pos)
            if match is None:
                raise e.DataError(f"error parsing hstore: unparsed data after char {pos}")
            key, value = match.groups()
            result[_unescape(key)] = None if value is None else _unescape(value)
            pos = match.end()
        return result


class HstoreBinaryLoader(HstoreLoader):
    """Loads hstore from binary."""

    format = Format.BINARY

    def load(self, data: Buffer) -> Hstore:
        data = bytes(data)
        strings: list[str | None] = []
        pos = _LENGTH.size
        try:
            for _ in range(_LENGTH.unpack_from(data)[0] * 2):
                length = _LENGTH.unpack_from(data, pos)[0]
                pos += _LENGTH.size
                if length < 0:
                    strings.append(None)
                    continue
                value = data[pos : pos + length]
                pos += length
                if len(value) != length:
                    raise e.DataError("malformed hstore: hit the end of the buffer")
                strings.append(str(value, self._codec))
        except StructError:
            raise e.DataError("malformed hstore: hit the end of the buffer") from None
        return {key or "": value for key, value in zip(strings[::2], strings[1::2], strict=True)}


def register_hstore(info: TypeInfo, context: AdaptContext | None = None) -> None:
    """Let hstore be loaded as dicts, and dicts be dumped as hstore.

    Args:
        info: the type, which an extension has made in the database.
        context: where: a connection, a cursor, a map of adapters; None for the adapters of the module.

    Raises:
        TypeError: there is no info, since the database has no such type.
    """
    if not info:
        raise TypeError("no info passed. Is the 'hstore' extension loaded?")
    info.register(context)
    adapters = adapters_of(context)
    for dumper in (HstoreDumper, HstoreBinaryDumper):
        attributes = {"oid": info.oid, "__module__": __name__}
        adapters.register_dumper(dict, type(f"Typed{dumper.__name__}", (dumper,), attributes))
    adapters.register_loader(info.oid, HstoreLoader)
    adapters.register_loader(info.oid, HstoreBinaryLoader)


def _check(key: object, value: object) -> None:
    if not isinstance(key, str):
        raise e.DataError("hstore keys can only be strings")
    if not (value is None or isinstance(value, str)):
        raise e.DataError("hstore values can only be strings or None")


def _quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _unescape(text: str) -> str:
    return _ESCAPED.sub(r"\1", text) if "\\" in text else text
