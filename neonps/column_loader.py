"""Functions that load a whole column of text values.

A loader is called for each value. What most of them do can be done for a column by `map()` and a function of C, many
times faster. Each function here gives what the loader gives for every value of the column; where it is not certain to,
it fails, and the loader does it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import repeat
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .abc import Loader
    from .types.json import _JsonLoader
    from .types.string import TextLoader
    from .types.timestamp import TimestamptzLoader

#: Loads a column without NULLs. It raises an exception, whichever, for values that are for the loader to load.
QuickColumn = Callable[[Sequence[str]], Sequence[Any]]

#: Loads a column, in which None is NULL.
LoadColumn = Callable[[Sequence["str | None"]], Sequence[Any]]


def column_loader(loader: Loader, codec: str = "utf-8") -> LoadColumn:
    """Return the function that loads columns as `loader` loads their values; it raises what `loader` raises.

    Args:
        loader: a loader of values in text format. One that is not of this driver is called for each value, with bytes.
        codec: what text is encoded in, for loaders that are called.
    """
    quick = quick_column(loader, codec)
    load = loader.load

    def plain(values: Sequence[str | None]) -> Sequence[Any]:
        return [None if value is None else load(value.encode(codec)) for value in values]

    if quick is None:
        return plain

    def load_column(values: Sequence[str | None]) -> Sequence[Any]:
        try:
            return quick(values)  # type: ignore[arg-type]
        except Exception:
            # As for a NULL. To look for one in every column beforehand would take its time too.
            if None not in values:
                return plain(values)
        try:
            return load_nullable(values, quick)
        except Exception:
            return plain(values)

    return load_column


def quick_column(loader: Loader, codec: str = "utf-8") -> QuickColumn | None:
    """Return the quick function for what `loader` loads; None if there is none. The arguments are as above."""
    # By its very class: a subclass may do anything. By name, so that no module of a type is imported in vain.
    cls = type(loader)
    make = _MAKERS.get((cls.__module__, cls.__qualname__))
    return None if make is None else make(loader, codec)


def constant_size(loader: Loader) -> int | None:
    """Return how many bytes all text has that `loader` loads; None if it has not always the same."""
    cls = type(loader)
    return _SIZES.get((cls.__module__, cls.__qualname__))


def load_nullable(values: Sequence[str | None], quick: QuickColumn) -> list[Any]:
    """Load a column that has NULLs by a function that takes none."""
    loaded = iter(quick([value for value in values if value is not None]))
    return [None if value is None else next(loaded) for value in values]


def _mapping(function: Callable[[str], Any]) -> QuickColumn:
    return lambda values: list(map(function, values))


def _integers(loader: Loader, codec: str) -> QuickColumn:
    return _mapping(int)


def _floats(loader: Loader, codec: str) -> QuickColumn:
    return _mapping(float)


def _bools(loader: Loader, codec: str) -> QuickColumn:
    return _mapping({"t": True, "f": False, None: None}.__getitem__)


def _decimals(loader: Loader, codec: str) -> QuickColumn:
    from decimal import Decimal

    return _mapping(Decimal)


def _texts(loader: TextLoader, codec: str) -> QuickColumn | None:
    return _same if loader._codec == codec else None


def _same(values: Sequence[str]) -> Sequence[str]:
    return values


def _dates(loader: Loader, codec: str) -> QuickColumn:
    # Also with a DateStyle other than ISO: the loader tries this first too.
    from datetime import date

    return _mapping(date.fromisoformat)


def _timestamps(loader: Loader, codec: str) -> QuickColumn:
    from datetime import datetime

    return _mapping(datetime.fromisoformat)


def _timestamptzs(loader: TimestamptzLoader, codec: str) -> QuickColumn | None:
    from datetime import datetime

    zone = loader._timezone
    if not loader._style.startswith("ISO"):
        return None
    if zone is None:
        return _mapping(datetime.fromisoformat)
    return lambda values: [value.astimezone(zone) for value in map(datetime.fromisoformat, values)]


def _times(loader: Loader, codec: str) -> QuickColumn:
    from datetime import time

    fromisoformat = time.fromisoformat

    def quick(values: Sequence[str]) -> list[Any]:
        # Midnight at the end of the day is not for every version of Python.
        if max(values, default="") >= "24":
            raise ValueError
        return list(map(fromisoformat, values))

    return quick


def _byteas(loader: Loader, codec: str) -> QuickColumn:
    from binascii import a2b_hex

    def quick(values: Sequence[str]) -> list[bytes]:
        if not {value[:2] for value in values} <= {"\\x"}:
            raise ValueError
        return [a2b_hex(value[2:]) for value in values]

    return quick


def _jsons(loader: _JsonLoader, codec: str) -> QuickColumn | None:
    import json

    if loader._loads is not json.loads:
        return None

    decode = json.JSONDecoder().raw_decode  # json.loads() without its looking for arguments

    def quick(values: Sequence[str]) -> list[Any]:
        texts = [value.strip(" \t\n\r") for value in values]
        loaded = list(map(decode, texts))
        if [end for _, end in loaded] != list(map(len, texts)):
            raise ValueError
        return [value for value, _ in loaded]

    return quick


def _uuids(loader: Loader, codec: str) -> QuickColumn:
    from uuid import UUID

    from .uuids import uuid_maker

    make = uuid_maker()
    if make is None:
        return _mapping(UUID)

    def quick(values: Sequence[str]) -> list[UUID]:
        digits = [value.replace("-", "") for value in values]
        if not {*map(len, digits)} <= {32}:
            raise ValueError
        return make([*map(int, digits, repeat(16))])

    return quick


#: By the module and the name of a loader class, what makes the quick function for a loader of it.
_MAKERS: dict[tuple[str, str], Callable[[Any, str], QuickColumn | None]] = {
    ("neonps.types.bool", "BoolLoader"): _bools,
    ("neonps.types.date", "DateLoader"): _dates,
    ("neonps.types.decimal", "NumericLoader"): _decimals,
    ("neonps.types.float", "FloatLoader"): _floats,
    ("neonps.types.integer", "IntLoader"): _integers,
    ("neonps.types.json", "JsonLoader"): _jsons,
    ("neonps.types.json", "JsonbLoader"): _jsons,
    ("neonps.types.string", "ByteaLoader"): _byteas,
    ("neonps.types.string", "TextLoader"): _texts,
    ("neonps.types.time", "TimeLoader"): _times,
    ("neonps.types.time", "TimetzLoader"): _times,
    ("neonps.types.timestamp", "TimestampLoader"): _timestamps,
    ("neonps.types.timestamp", "TimestamptzLoader"): _timestamptzs,
    ("neonps.types.uuid", "UUIDLoader"): _uuids,
}

#: The same of classes whose text always has so many bytes.
_SIZES = {("neonps.types.uuid", "UUIDLoader"): 36}
