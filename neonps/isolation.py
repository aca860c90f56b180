"""Transaction characteristics: isolation levels, and how they are said in SQL and over HTTP."""

from __future__ import annotations

from enum import IntEnum

from .record import Record


class IsolationLevel(IntEnum):
    """The isolation level of a transaction (PostgreSQL docs 13.2)."""

    __module__ = "neonps"

    READ_UNCOMMITTED = 1
    READ_COMMITTED = 2
    REPEATABLE_READ = 3
    SERIALIZABLE = 4

    @property
    def sql(self) -> str:
        """As SQL has it, such as "READ COMMITTED"."""
        return self.name.replace("_", " ")

    @property
    def camel_case(self) -> str:
        """As the header of SQL over HTTP has it, such as "ReadCommitted"."""
        return self.name.title().replace("_", "")


class TransactionCharacteristics(Record):
    """What BEGIN can say of a transaction; None leaves it to the server's defaults."""

    isolation_level: IsolationLevel | None = None
    read_only: bool | None = None
    deferrable: bool | None = None

    @classmethod
    def of(
        cls, isolation_level: IsolationLevel | int | None, read_only: bool | None, deferrable: bool | None
    ) -> TransactionCharacteristics:
        """The same, of a level that may be a number.

        Raises:
            ValueError: there is no such level.
        """
        return cls(None if isolation_level is None else IsolationLevel(isolation_level), read_only, deferrable)

    def over(self, others: TransactionCharacteristics) -> TransactionCharacteristics:
        """These, and where they leave something open, `others`."""
        return others._replace(**{name: value for name, value in self._asdict().items() if value is not None})

    @property
    def begin(self) -> bytes:
        """The BEGIN statement."""
        parts = ["BEGIN"]
        if self.isolation_level is not None:
            parts.append(f"ISOLATION LEVEL {self.isolation_level.sql}")
        if self.read_only is not None:
            parts.append("READ ONLY" if self.read_only else "READ WRITE")
        if self.deferrable is not None:
            parts.append("DEFERRABLE" if self.deferrable else "NOT DEFERRABLE")
        return " ".join(parts).encode()
