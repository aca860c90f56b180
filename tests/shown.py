"""What is shown by those who show all: of an exception its chain and the local variables, and what is logged."""

from __future__ import annotations

import dataclasses
import logging
import pickle
import traceback
from collections.abc import Iterable, Iterator, Mapping, Set
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

import rich.traceback

import neonps

PACKAGE = Path(neonps.__file__).parent

#: What is in the parameters, and nowhere else.
VALUE = "val-5e1f-ü-7c2b"
#: A password that is wrong, and a token.
SECRET = "pw-91d3'ö\\&%-a07e"
TOKEN = "tok-4b8c-e65d"

#: Whatever the class of an exception is, it must not show them.
ANYTHING = (Exception,)

#: How deep to look into what local variables hold; tools that report errors stop earlier.
_DEPTH = 6


def is_ours(path: str) -> bool:
    """Whether a file is one of the package, or of the libraries that its bytes go through."""
    parts = Path(path).parts
    return PACKAGE in Path(path).parents or not {"h11", "wsproto", "scramp"}.isdisjoint(parts)


def chain(error: BaseException) -> Iterator[BaseException]:
    """An exception, and all that are behind it, shown or not."""
    seen: list[BaseException] = []
    rest: list[BaseException | None] = [error]
    while rest:
        current = rest.pop()
        if current is not None and all(current is not each for each in seen):
            seen.append(current)
            yield current
            rest += (current.__cause__, current.__context__)


def frames(error: BaseException) -> Iterator[FrameType]:
    """The calls of the package in the tracebacks of an exception."""
    for each in chain(error):
        for frame, _ in traceback.walk_tb(each.__traceback__):
            if is_ours(frame.f_code.co_filename):
                yield frame


def looked_into(value: object, depth: int = _DEPTH) -> Iterator[str]:
    """The reprs of a value and of what is in it, whatever its own repr says: tools go into tuples and the like."""
    yield repr(value)
    if depth == 0 or isinstance(value, (str, bytes, bytearray, memoryview)):
        return
    inner: Iterable[object] = ()
    if isinstance(value, Mapping):
        inner = [*value.keys(), *value.values()]
    elif isinstance(value, (list, tuple, Set)):
        inner = list(value)
    elif dataclasses.is_dataclass(value):
        inner = [getattr(value, field.name) for field in dataclasses.fields(value)]
    for each in inner:
        yield from looked_into(each, depth - 1)


def shown(error: BaseException) -> str:
    """All that can be seen of an exception, but for the local variables of others."""
    parts: list[str] = []
    for each in chain(error):
        parts += traceback.format_exception(type(each), each, each.__traceback__)
        parts += (str(each), repr(each), repr(each.args), repr(getattr(each, "__notes__", "")))
        parts += looked_into(vars(each))
        if isinstance(each, neonps.Error):
            parts += looked_into(vars(each.diag))
            with suppress(TypeError, pickle.PicklingError):  # those of others
                parts.append(repr(pickle.dumps(each)))
        summary = traceback.TracebackException.from_exception(each, capture_locals=True)
        parts += [repr(place.locals) for place in summary.stack if is_ours(place.filename)]
    for frame in frames(error):
        parts += [text for value in frame.f_locals.values() for text in looked_into(value)]
    rich_one = rich.traceback.Traceback.from_exception(
        type(error), error, error.__traceback__, show_locals=True, locals_max_string=None, locals_max_length=None
    )
    for stack in rich_one.trace.stacks:
        for place in stack.frames:
            if is_ours(place.filename):
                parts += [str(node) for node in (place.locals or {}).values()]
    return "\n".join(parts)


class _Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.parts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.parts.append(record.getMessage())
        self.parts += looked_into(vars(record))
        if record.exc_info and record.exc_info[1]:
            self.parts.append(shown(record.exc_info[1]))


@contextmanager
def logged() -> Iterator[list[str]]:
    """All that is logged within, from DEBUG on: messages, arguments and attributes."""
    handler, root = _Kept(), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield handler.parts
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


def forms(secret: str) -> set[str]:
    """A secret in the forms in which it travels."""
    import json
    from base64 import b64encode
    from urllib.parse import quote, quote_plus

    data = secret.encode("utf-8", "surrogatepass")
    return {
        *(secret, quote(data, safe=""), quote_plus(data), repr(secret)[1:-1], json.dumps(secret)[1:-1]),
        *(b64encode(data).decode().rstrip("="), data.hex(), repr(data)[2:-1]),
    }


def check_hidden(text: str, *secrets: str) -> None:
    """None of the secrets is in a text, in any form."""
    for secret in secrets:
        for form in forms(secret):
            at = text.find(form)
            assert at < 0, f"{form!r} is shown: …{text[max(0, at - 300) : at + 100]}…"
