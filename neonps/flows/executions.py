"""The messages of a statement that is executed with many parameters, one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..protocol import frontend as f
from ..protocol.frontend import Encoded, FrontendMessage
from .series import refuse_copy

if TYPE_CHECKING:
    from ..abc import Params
    from ..packed_rows import PackFunc
    from ..protocol.collector import Collector
    from ..query import PackedParams
    from .prepared import PreparedStatements
    from .transport import Query


class Executions:
    """A Bind and an Execute for all parameters that are added, and a Parse where it needs one.

    The first parameters are dumped in the plain way, and so are those that cannot be packed. Where many need the same
    dumpers, they are packed.

    Args:
        query: the statement; it dumps the parameters.
        prepared: says under which name to run it.
        prepare: see `Transport.executemany`.
        describe: ask for the columns each time.
        binary: ask for results in binary format.
        collector: is told of the text of the statement.

    Attributes:
        size: of what was not taken yet, in bytes, more or less.
        names: those of the prepared statements that were used.
    """

    def __init__(
        self,
        query: Query,
        prepared: PreparedStatements,
        collector: Collector,
        *,
        prepare: bool,
        describe: bool,
        binary: bool,
    ) -> None:
        self.size = 0
        self.names: set[bytes] = set()
        self._query = query
        self._prepared = prepared
        self._prepare = prepare
        self._collector = collector
        self._result_formats = (int(binary),)
        self._following: tuple[FrontendMessage, ...] = (f.DescribePortal(b""), f.Execute(b""))[not describe :]
        self._kinds = (f.Bind, *map(type, self._following))
        self._messages: list[FrontendMessage | Encoded] = []
        self._packed: list[bytes] = []  # the last messages
        self._pack: PackFunc | None = None  # for parameters like the last ones
        self._packers: dict[tuple[bytes, PackedParams], PackFunc] = {}
        self._parsed: tuple[bytes, tuple[int, ...]] | None = None
        self._name = b""

    def add(self, params: Params) -> None:
        """Add an execution.

        Raises:
            ProgrammingError, DataError, TypeError: the parameters are wrong.
        """
        data = None if self._pack is None else self._pack(params)
        if data is None:
            self._add_other(params)
        else:
            self._packed.append(data)
            self.size += len(data)

    def take(self) -> list[FrontendMessage | Encoded]:
        """Give the messages of what was added since the last time."""
        self._end_packed()
        messages, self._messages = self._messages, []
        self.size = 0
        return messages

    def _end_packed(self) -> None:
        if self._packed:
            self._messages.append(Encoded(self._kinds, self._packed))
            self._packed = []

    def _add_other(self, params: Params) -> None:
        """Add parameters that are not like the last ones."""
        self._end_packed()
        self._pack = None  # it may be for a statement that is replaced now
        query = self._query
        like = None if self._parsed is None else query.pack(params)
        if like is None:
            query.dump(params)
            self._choose_statement()
        else:
            self._choose_statement()
            pack = self._pack = self._packer(like)
            data = pack(params)
            if data is not None:
                self._packed.append(data)
                self.size += len(data)
                return
            query.dump(params)
        values = query.bound
        bind = f.Bind(b"", self._name, values, query.formats or (), self._result_formats)
        self._messages += (bind, *self._following)
        self.size += 64 + sum([len(value) for value in values if value is not None])

    def _choose_statement(self) -> None:
        """Parse the statement anew if the types have changed; with a client-side cursor, its text can too."""
        query = self._query
        if self._parsed == (query.query, query.types):
            return
        refuse_copy(query)
        self._parsed = query.query, query.types
        self._collector.query = query.shown
        self._name, known = self._prepared.choose(query, self._prepare)
        self.names.add(self._name)
        if not known:
            self._messages.append(f.Parse(self._name, query.query, query.types))
            self.size += len(query.query)

    def _packer(self, like: PackedParams) -> PackFunc:
        pack = self._packers.get((self._name, like))
        if pack is None:
            bind = f.Bind(b"", self._name, (), like.formats, self._result_formats)
            pack = self._packers[self._name, like] = like.packer(bind.frame(*self._following))
        return pack
