"""What a value of the server that is not as its type says makes of the exceptions of Python."""

from __future__ import annotations

from struct import error as StructError
from types import TracebackType

from .errors import DataError, Error


class MalformedValueError(DataError, ValueError):
    """A value that the server has sent is not of the form of its type.

    It is a PEP 249 error and Python's own one too; programs that were written for psycopg may expect the latter.
    """


class UndecodableTextError(DataError, UnicodeDecodeError):
    """Text that the server has sent is not in the encoding of the connection.

    It is a PEP 249 error and Python's own one too; programs that were written for psycopg may expect the latter.
    """


#: What loaders, and what they call of Python's library, raise for such values.
_RAISED = (ValueError, ArithmeticError, LookupError, StructError, RecursionError)

#: Where the classes of these exceptions come from. Other modules have subclasses of their own, which are their affair.
_ORIGINS = frozenset({"builtins", "decimal", "json.decoder", "struct"})

#: The modules of Python's library that loaders call.
_LIBRARY = frozenset({
    "codecs", "datetime", "decimal", "encodings", "ipaddress", "json", "uuid", "zoneinfo",
})  # fmt: skip

_OURS = __name__.partition(".")[0]


class _LoadErrors:
    """A block in which values are loaded; it has no state, so that one serves all, within each other too."""

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is not None and (found := _load_error(error)) is not None:
            raise found from None


#: `with load_errors:` raises a `DataError` where a value of the server is malformed; see the classes above.
load_errors = _LoadErrors()


def _load_error(error: BaseException) -> Error | None:
    """The exception to raise instead of what came out of loading values.

    Args:
        error: what came out; its traceback begins where it was caught.

    Returns:
        None if it is to be raised as it is: it is one of this driver already, or something else has raised it, such as
        a loader, a factory of rows or a class of the user's.
    """
    if not isinstance(error, _RAISED) or isinstance(error, Error) or type(error).__module__ not in _ORIGINS:
        return None
    step = error.__traceback__
    while step is not None:
        module = str(step.tb_frame.f_globals.get("__name__")).partition(".")[0]
        if module != _OURS and module not in _LIBRARY:
            return None
        step = step.tb_next
    if isinstance(error, UnicodeDecodeError):
        return UndecodableTextError(*error.args)
    what = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
    return MalformedValueError(f"the server has sent a value that is not of the form of its type: {what}")
