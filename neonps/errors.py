"""The exceptions: those of PEP 249, and below them a class for every SQLSTATE::

    Warning
    Error
    ├── InterfaceError
    └── DatabaseError
        ├── DataError
        ├── OperationalError
        ├── IntegrityError
        ├── InternalError
        ├── ProgrammingError
        └── NotSupportedError

`neonps.errors.UniqueViolation` and its like are there as well: one for each SQLSTATE that PostgreSQL 18 has a
name for. They are made when one of them is needed for the first time (see `neonps.sqlstates`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .diagnostic import Diagnostic as Diagnostic
from .error_text import error_text

if TYPE_CHECKING:
    from .sqlstates import *  # noqa: F403


class Warning(Exception):
    """Something important to know that is not an error (PEP 249)."""

    __module__ = "neonps"


class Error(Exception):
    """Whatever goes wrong in this driver or in the database (PEP 249).

    Args:
        args: the message.
        fields: what the server says, by field code (PostgreSQL docs 53.8).
        pgconn: the session that could not be made, for an error of connecting.
        pgresult: the result that brought the error.
        status: the HTTP status that came with the error.
        request_id: how the HTTP service calls the request; its support asks for it.

    Attributes:
        sqlstate: what the server gave, or what the class stands for, or None.
        outcome_unknown: whether what was sent may have taken effect, although the call has failed: the connection was
            lost, or the time was over, when the server could have committed it, or a part of it has failed when another
            was committed.
    """

    __module__ = "neonps"

    sqlstate: str | None = None
    outcome_unknown = False

    def __init__(
        self,
        *args: object,
        fields: Mapping[str, str] | None = None,
        pgconn: Any = None,
        pgresult: Any = None,
        status: int | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(*args)
        self._fields = dict(fields or {})
        self.pgconn = pgconn
        self.pgresult = pgresult
        self.status = status
        self.request_id = request_id
        if "C" in self._fields:
            self.sqlstate = self._fields["C"]

    @property
    def diag(self) -> Diagnostic:
        """What the server says, field by field."""
        return Diagnostic(self._fields)

    def __reduce__(self) -> tuple[type[Error], tuple[Any, ...], dict[str, Any]]:
        # A session or a result cannot leave the process, and is of no use outside of it.
        return type(self), self.args, {**self.__dict__, "pgconn": None, "pgresult": None}


class InterfaceError(Error):
    """The driver, not the database, was used in a way that it cannot follow (PEP 249)."""

    __module__ = "neonps"


class DatabaseError(Error):
    """Whatever goes wrong in the database (PEP 249)."""

    __module__ = "neonps"


class DataError(DatabaseError):
    """A value is out of its range or of the wrong form (PEP 249)."""

    __module__ = "neonps"


class OperationalError(DatabaseError):
    """Something outside of the program's control: a lost connection, a server without resources (PEP 249)."""

    __module__ = "neonps"


class IntegrityError(DatabaseError):
    """The data would no longer fit together: a constraint is violated (PEP 249)."""

    __module__ = "neonps"


class InternalError(DatabaseError):
    """The database is in a state that does not allow it, or is in trouble itself (PEP 249)."""

    __module__ = "neonps"


class ProgrammingError(DatabaseError):
    """A mistake in the program: wrong SQL, a missing table, wrong arguments (PEP 249)."""

    __module__ = "neonps"


class NotSupportedError(DatabaseError):
    """The server, or the transport, cannot do it (PEP 249)."""

    __module__ = "neonps"


class ConnectionTimeout(OperationalError):
    """`connect_timeout` was over before there was a connection."""


class CancellationTimeout(OperationalError):
    """The time was over before the server had taken a cancel request."""


class PipelineAborted(OperationalError):
    """The statement was not run, since another before it in the pipeline had failed."""


#: The PEP 249 class of an SQLSTATE without a class of its own, by its first two characters or its first.
_pep249_classes: dict[str, type[Error]] = {
    **dict.fromkeys(("0A",), NotSupportedError),
    **dict.fromkeys(("10", "20", "21", "26", "34", "3D", "3F", "42", "44", "P"), ProgrammingError),
    **dict.fromkeys(("22",), DataError),
    **dict.fromkeys(("23",), IntegrityError),
    **dict.fromkeys(("24", "25", "2B", "2D", "X"), InternalError),
    **dict.fromkeys(("08", "27", "28", "2F", "38", "39", "3B", "40"), OperationalError),
    **dict.fromkeys(("53", "54", "55", "57", "58", "F", "H"), OperationalError),
}

#: The classes of `neonps.sqlstates`, by SQLSTATE and by the name of the condition ("UNIQUE_VIOLATION").
_sqlstate_classes: dict[str, type[Error]] = {}


def lookup(sqlstate: str) -> type[Error]:
    """The exception class for an SQLSTATE such as "23505", or for its name, such as "UNIQUE_VIOLATION".

    Raises:
        KeyError: when there is none.
    """
    return (_sqlstate_classes or _load())[sqlstate.upper()]


def error_from_fields(
    fields: Mapping[str, str],
    query: str | None = None,
    *,
    pgresult: Any = None,
    status: int | None = None,
    request_id: str | None = None,
    login: bool = False,
) -> Error:
    """Make the exception for an error that the server has sent.

    Args:
        fields: its fields by code (PostgreSQL docs 53.8).
        query: the statement, when it was sent along with what failed; it lets the message show the place.
        pgresult, status, request_id: kept with the exception, see `Error`.
        login: the error has refused a login: then it is an `OperationalError` whatever its SQLSTATE.
    """
    sqlstate = fields.get("C", "")
    cls = (
        (_sqlstate_classes or _load()).get(sqlstate)
        or _pep249_classes.get(sqlstate[:2])
        or _pep249_classes.get(sqlstate[:1])
        or DatabaseError
    )
    if login and not issubclass(cls, OperationalError):
        cls = OperationalError
    return cls(error_text(fields, query), fields=fields, pgresult=pgresult, status=status, request_id=request_id)


def _load() -> dict[str, type[Error]]:
    """Make the classes. It takes longer than the import of all else that a connection needs."""
    from . import sqlstates

    found: dict[str, type[Error]] = {}
    for name, cls in vars(sqlstates).items():
        if isinstance(cls, type) and issubclass(cls, Error) and cls.sqlstate is not None:
            cls.__module__ = __name__
            globals()[name] = cls
            # SQL has a few conditions in two classes: the second is named ...Ext, and as psycopg, it is
            # the one that the name of the condition stands for.
            condition = re.sub(r"(?<!^)(?=[A-Z])", "_", name.rstrip("_").removesuffix("Ext")).upper()
            found[condition] = found[cls.sqlstate] = cls
    _sqlstate_classes.update(found)
    return _sqlstate_classes


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if not name.startswith("_"):
            _load()
            if name in globals():
                return globals()[name]
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        _load()
        return sorted(globals())
