"""json, jsonb."""

from __future__ import annotations

from collections.abc import Callable
from json import dumps as json_dumps
from json import loads as json_loads
from typing import TYPE_CHECKING, Any

from .. import errors as e
from ..abc import Buffer
from ..adapt import Dumper, Loader
from ..encodings import text_codec
from ..pq import Format
from .string import TextEncodeError

if TYPE_CHECKING:
    from ..abc import AdaptContext

JSON_OID = 114
JSONB_OID = 3802

JsonDumpsFunction = Callable[[Any], str | bytes]
JsonLoadsFunction = Callable[[str | bytes], Any]

#: What jsonb begins with in binary (jsonb_recv() of src/backend/utils/adt/jsonb.c).
_VERSION = b"\x01"


class _JsonWrapper:
    __slots__ = ("dumps", "obj")

    def __init__(self, obj: Any, dumps: JsonDumpsFunction | None = None) -> None:
        self.obj = obj
        self.dumps = dumps

    def __repr__(self) -> str:
        text = repr(self.obj)
        if len(text) > 40:
            text = f"{text[:35]} ... ({len(text)} chars)"
        return f"{type(self).__name__}({text})"


class Json(_JsonWrapper):
    """Wraps an object that is to be sent as json.

    Args:
        obj: the object.
        dumps: what turns it into JSON; None for what `set_json_dumps()` has set, or else `json.dumps()`.
    """

    __slots__ = ()


class Jsonb(_JsonWrapper):
    """Wraps an object that is to be sent as jsonb; the arguments are those of `Json`."""

    __slots__ = ()


class _JsonDumper(Dumper):
    """Dumps `Json`, `Jsonb`, or an object of a class that has been registered for it."""

    _dumps: JsonDumpsFunction = staticmethod(json_dumps)

    def __init__(self, cls: type, context: AdaptContext | None = None) -> None:
        super().__init__(cls, context)
        self._codec = text_codec(self.connection)

    def dump(self, obj: Any) -> Buffer | None:
        dumps = self._dumps
        if isinstance(obj, _JsonWrapper):
            dumps = obj.dumps or dumps
            obj = obj.obj
        data = dumps(obj)
        if not isinstance(data, str):
            if self._codec == "utf-8":
                return data
            data = data.decode()
        try:
            return data.encode(self._codec)
        except UnicodeEncodeError as ex:
            failure = TextEncodeError.of(ex)
        raise failure  # not in there: what was caught has the text


class JsonDumper(_JsonDumper):
    """Dumps to json, text."""

    oid = JSON_OID


class JsonBinaryDumper(_JsonDumper):
    """Dumps to json, binary."""

    format = Format.BINARY
    oid = JSON_OID


class JsonbDumper(_JsonDumper):
    """Dumps to jsonb, text."""

    oid = JSONB_OID


class JsonbBinaryDumper(_JsonDumper):
    """Dumps to jsonb, binary."""

    format = Format.BINARY
    oid = JSONB_OID

    def dump(self, obj: Any) -> Buffer | None:
        return _VERSION + bytes(super().dump(obj) or b"")


class _JsonLoader(Loader):
    _loads: JsonLoadsFunction = staticmethod(json_loads)

    def __init__(self, oid: int, context: AdaptContext | None = None) -> None:
        super().__init__(oid, context)
        self._codec = text_codec(self.connection)

    def load(self, data: Buffer) -> Any:
        data = bytes(data)
        # JSON as bytes is UTF-8 for `loads`.
        return self._loads(data if self._codec == "utf-8" else data.decode(self._codec).encode())


class JsonLoader(_JsonLoader):
    """Loads json from text."""


class JsonBinaryLoader(_JsonLoader):
    """Loads json from binary."""

    format = Format.BINARY


class JsonbLoader(_JsonLoader):
    """Loads jsonb from text."""


class JsonbBinaryLoader(_JsonLoader):
    """Loads jsonb from binary."""

    format = Format.BINARY

    def load(self, data: Buffer) -> Any:
        data = bytes(data)
        if not data.startswith(_VERSION):
            raise e.DataError(f"unknown jsonb binary format: {data[0] if data else 'no data'}")
        return super().load(data[1:])


def set_json_dumps(dumps: JsonDumpsFunction, context: AdaptContext | None = None) -> None:
    """Set what turns objects in `Json` and `Jsonb` into JSON.

    Args:
        dumps: a function like `json.dumps()`.
        context: where it counts: a connection, a cursor, a map of adapters; None for everywhere else too.
    """
    if context is None:
        _JsonDumper._dumps = staticmethod(dumps)
        return
    adapters = context.adapters
    dumper: type[_JsonDumper]
    for wrapper, dumper in (
        (Json, JsonBinaryDumper),
        (Json, JsonDumper),
        (Jsonb, JsonbBinaryDumper),
        (Jsonb, JsonbDumper),
    ):
        custom = type(f"Custom{dumper.__name__}", (dumper,), {"_dumps": staticmethod(dumps)})
        adapters.register_dumper(wrapper, custom)


def set_json_loads(loads: JsonLoadsFunction, context: AdaptContext | None = None) -> None:
    """Set what turns JSON from the database into objects.

    Args:
        loads: a function like `json.loads()`; it is given bytes.
        context: where it counts: a connection, a cursor, a map of adapters; None for everywhere else too.
    """
    if context is None:
        _JsonLoader._loads = staticmethod(loads)
        return
    loader: type[_JsonLoader]
    for oid, loader in (
        (JSON_OID, JsonLoader),
        (JSON_OID, JsonBinaryLoader),
        (JSONB_OID, JsonbLoader),
        (JSONB_OID, JsonbBinaryLoader),
    ):
        custom = type(f"Custom{loader.__name__}", (loader,), {"_loads": staticmethod(loads)})
        context.adapters.register_loader(oid, custom)
