"""How much of requests and answers is held in memory, over all connections."""

from __future__ import annotations

from types import TracebackType

from .http import HTTPError, unavailable

#: What each may take without being counted, in bytes, so that small ones always find room.
FREE = 65536


class Room:
    """The memory that there is for requests, or for answers.

    Args:
        size: how much that is, in bytes.
    """

    def __init__(self, size: int) -> None:
        self.size = self._left = size

    def share(self) -> Share:
        """What one of them takes of it; a context manager that gives it back."""
        return Share(self)

    def take(self, size: int) -> None:
        """Take `size` bytes.

        Raises:
            HTTPError: there are not so many left.
        """
        if size > self._left:
            raise busy()
        self._left -= size

    def give(self, size: int) -> None:
        """Give `size` bytes back."""
        self._left += size


class Share:
    """What one request, or answer, takes of a `Room`."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._taken = 0

    def __enter__(self) -> Share:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._room.give(self._taken)
        self._taken = 0

    def grow(self, size: int) -> None:
        """See to it that `size` bytes are taken, which are never less than before.

        Raises:
            HTTPError: there is no room for them.
        """
        if (more := size - FREE - self._taken) > 0:
            self._room.take(more)
            self._taken += more


def no_room() -> HTTPError:
    """The answer when there is no room for the result of a statement that may have been run."""
    return HTTPError(507, {"message": "the gateway is busy with other large answers, and has no room for this one"})


def busy() -> HTTPError:
    """The answer when there is no room for a request, or for the results of a transaction that is undone."""
    return unavailable("the gateway is busy with other large requests and answers; try again later")
