"""What a lost connection means for what was sent over it."""

from __future__ import annotations

import re
from enum import Enum
from itertools import product

from ..errors import Error
from ..pattern import pattern
from ..tokens import first_words, has_word

_ENDS_TRANSACTION = ("COMMIT", "END", "PREPARE")

#: What comes in the same text behind one of these is no part of the transaction any more, and can be one of its own.
_LEAVES_TRANSACTION = (*_ENDS_TRANSACTION, "ROLLBACK", "ABORT")

#: Any of them, wherever it is.
_leaves_transaction = pattern(rf"\b(?:{'|'.join(_LEAVES_TRANSACTION)})\b", re.IGNORECASE)

#: These can commit what they have done so far, unless a transaction is open, and fail later.
_COMMITS_MIDWAY = frozenset({"CALL", "VACUUM", "ANALYZE", "REINDEX", "CLUSTER"})

#: These cannot be in a transaction, and in a pipeline do not wait for its Sync.
_COMMITS_AT_ONCE = {
    *product(("CREATE", "ALTER", "DROP"), ("DATABASE", "TABLESPACE", "SUBSCRIPTION")),
    ("ALTER", "SYSTEM"),
}

#: The command tags of all statements of which `commits_at_once()` can be true.
AT_ONCE_TAGS = {*_COMMITS_MIDWAY, "DO", "CREATE INDEX", "DROP INDEX", "ALTER TABLE", *map(" ".join, _COMMITS_AT_ONCE)}

#: What a DO has in it that commits, in whatever language, or calls a procedure that does.
_commits_in_code = pattern("commit|call", re.IGNORECASE)

#: With these Postgres itself ends a session, and has undone what was not committed: a shutdown, and timeouts.
UNDONE = frozenset({"57P01", "57P05", "25P03", "25P04"})


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
    if ";" not in statement.rstrip("; \t\r\n"):
        return False
    if "\\" in statement:  # where literals end depends on standard_conforming_strings
        return _leaves_transaction.search(statement) is not None
    return any(has_word(statement, word) for word in _LEAVES_TRANSACTION)


def commits_midway(statement: str) -> bool:
    """Whether a statement that is a transaction of its own can fail when a part of it is committed already."""
    words = first_words(statement, 1)
    if words == ["DO"]:
        return _commits_in_code.search(statement) is not None
    return not _COMMITS_MIDWAY.isdisjoint(words) or has_word(statement, "CONCURRENTLY")


def commits_at_once(statement: str) -> bool:
    """Whether a statement in a pipeline, outside of a transaction, can commit before the Sync."""
    return commits_midway(statement) or tuple(first_words(statement, 2)) in _COMMITS_AT_ONCE


def leaves_transaction(statement: str) -> bool:
    """Whether a statement ends the transaction that it is run in, so that what comes next is another one."""
    words = first_words(statement, 3)
    return bool(words) and words[0] in _LEAVES_TRANSACTION and "TO" not in words  # ROLLBACK TO a savepoint does not
