"""Statements with their parameters written into them, for what takes none beside it, such as DDL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from . import errors as e
from .query import PostgresQuery, encode_query
from .template import Parameter, Template, pieces

if TYPE_CHECKING:
    from .abc import Buffer, Params


class PostgresClientQuery(PostgresQuery):
    """A statement as `PostgresQuery` takes it. Its parameters become literals in it, whatever format they ask for.

    Nothing is sent beside it: `bound` and `types` are empty.

    Args:
        transformer: quotes the parameters.
        text_only: makes no difference, as literals are text.

    Attributes:
        params: the literal in place of each placeholder; None when there is no parameter list at all.
    """

    @property
    def bound(self) -> Sequence[Buffer | None]:
        return ()

    def pack(self, params: Params) -> None:
        """Nothing is sent beside the statement."""

    def as_string(self) -> str:
        """Return the statement as text.

        Raises:
            DataError: it was given as bytes that are none in the encoding of the client.
        """
        codec = self._codec
        try:
            return self.query.decode(codec)
        except UnicodeDecodeError as ex:
            raise e.DataError(f"the query is not valid {codec} at byte {ex.start}") from None

    def _take(self, params: Params) -> None:
        placeholders = self._placeholders
        literals = [self._transformer.as_literal(value) for value in placeholders.values(params)]
        self._merge(placeholders.between, [literals[number] for number in placeholders.numbers])

    def _take_template(self, template: Template) -> None:
        literals: list[bytes] = []
        between = [b""]
        for piece in pieces(template):
            sql = piece.as_bytes(self._transformer)
            if isinstance(piece, Parameter):
                literals.append(sql)
                between.append(b"")
            else:
                between[-1] += sql
        self._merge(between, literals)

    def _merge(self, between: Sequence[bytes], literals: Sequence[bytes]) -> None:
        """Put the statement together of what is around its parameters, and the parameters."""
        parts = [between[0]]
        for literal, text in zip(literals, between[1:], strict=True):
            parts += (literal, text)
        self._clear(encode_query(b"".join(parts), self._codec))
        self.params = tuple(literals)
        self.has_values = self.has_values or bool(literals)
