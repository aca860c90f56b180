"""What a lost connection means for what was sent over it."""

from __future__ import annotations

from enum import Enum

from ..errors import Error
from ..tokens import first_words, has_word

_ENDS_TRANSACTION = ("COMMIT", "END", "PREPARE")


class Stake(Enum):
    """What is at stake while an answer is waited for; the value is what an error says if none comes."""

    NOTHING = ""
    TRANSACTION = "The transaction that was open is rolled back by the server."
    COMMIT = "It is unknown whether the transaction was committed."
    EFFECT = "It is unknown whether what was sent has taken effect."

    @staticmethod
    def of(own: bool) -> Stake:
        """That of a statement, which is a transaction of its `own` or in one that was open before."""
        return Stake.EFFECT if own else Stake.TRANSACTION

    @property
    def unknown(self) -> bool:
        """Whether the server may have done for good what it was asked for."""
        return self in (Stake.COMMIT, Stake.EFFECT)

    def tell(self, error: Error) -> None:
        """Have the error of a lost connection say what that means."""
        if self.value:
            error.args = (f"{error}\n{self.value}",)
        error.outcome_unknown = self.unknown


def may_commit(statement: str) -> bool:
    """Whether a statement, or one of several in one text, can commit the transaction that it is run in."""
    words = first_words(statement, 1)
    if words and words[0] in _ENDS_TRANSACTION:
        return True
    return ";" in statement.rstrip("; \t\r\n") and any(has_word(statement, word) for word in _ENDS_TRANSACTION)
