"""Statements that have their parameters in them when they are sent, for what takes none beside it, such as DDL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from . import errors as e
from .query import PostgresQuery, encode_query
from .template import Parameter, Template, pieces

if TYPE_CHECKING:
    from .abc import Params
    from .transformer import Transformer


class PostgresClientQuery(PostgresQuery):
    """A statement as `PostgresQuery` takes it. Its parameters become literals in it, whatever format they ask for.

    What is sent has no parameters: `params` is None, `types` is empty.

    Args:
        transformer: quotes the parameters.
        text_only: makes no difference, as literals are text.

    Attributes:
        literals: what the parameters have become; None when there is no parameter list at all.
    """

    literals: tuple[bytes, ...] | None

    def __init__(self, transformer: Transformer, *, text_only: bool = False) -> None:
        self.literals = None
        super().__init__(transformer, text_only=text_only)

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
        self.literals = tuple(literals)

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
        self.literals = tuple(literals)

    def _merge(self, between: Sequence[bytes], literals: Sequence[bytes]) -> None:
        """Put the statement together of what is around its parameters, and the parameters."""
        parts = [between[0]]
        for literal, text in zip(literals, between[1:], strict=True):
            parts += (literal, text)
        self._clear(encode_query(b"".join(parts), self._codec))

    def _clear(self, query: bytes) -> None:
        self.literals = None
        super()._clear(query)
