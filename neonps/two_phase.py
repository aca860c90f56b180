"""Two-phase commit: transactions that are prepared first, and committed when all others are ready too (PEP 249)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import errors as e
from .escaping import quote_literal
from .flows.requests import Flow
from .flows.stake import Stake
from .pq import TransactionStatus
from .protocol.result import Result
from .query import RawQuery

if TYPE_CHECKING:
    from .flows.transport import Transport
    from .xid import Xid

_PREPARED = b"""
    select gid, prepared, owner, database from pg_catalog.pg_prepared_xacts
"""


class TwoPhaseCommit:
    """The part of a connection that deals with two-phase commit."""

    _transport: Transport
    _two_phase: Xid | None = None  # the transaction of tpc_begin()
    _is_prepared = False

    def xid(self, format_id: int, gtrid: str, bqual: str) -> Xid:
        """What identifies a transaction (PEP 249): the parts of an XA transaction ID.

        Args:
            format_id: a number from 0 to 2147483647.
            gtrid: the global transaction ID.
            bqual: the branch qualifier.

        Raises:
            ValueError, TypeError: a part is not what it may be.
        """
        from .xid import Xid

        return Xid.from_parts(format_id, gtrid, bqual)

    def _check_open(self) -> None:
        raise NotImplementedError

    def _refuse_in_two_phase(self, method: str) -> None:
        if self._two_phase is not None:
            raise e.ProgrammingError(f"{method}() cannot be used during a two-phase transaction")

    def _tpc_begin_flow(self, xid: Xid | str) -> Flow[None]:
        self._check_open()
        session = self._transport.session("two-phase commit")
        status = session.transaction_status
        if status is not TransactionStatus.IDLE:
            raise e.ProgrammingError(f"can't start two-phase transaction: connection in status {status.name}")
        if session.autocommit:
            raise e.ProgrammingError("can't use two-phase transactions in autocommit mode")
        self._two_phase = _as_xid(xid)
        self._is_prepared = False
        yield from session.begin()

    def _tpc_prepare_flow(self) -> Flow[None]:
        session = self._transport.session("two-phase commit")
        if self._two_phase is None:
            raise e.ProgrammingError("'tpc_prepare()' must be called inside a two-phase transaction")
        if self._is_prepared:
            raise e.ProgrammingError("'tpc_prepare()' cannot be used during a prepared two-phase transaction")
        self._is_prepared = True
        session.stake = Stake.EFFECT
        yield from session.command(b"PREPARE TRANSACTION " + _literal(self._two_phase))

    def _tpc_finish_flow(self, action: str, xid: Xid | str | None) -> Flow[None]:
        """Commit or roll back, as `action` says."""
        self._check_open()
        session = self._transport.session("two-phase commit")
        name = f"tpc_{action.lower()}()"
        if xid is None:
            if self._two_phase is None:
                raise e.ProgrammingError(f"{name} without xid must must be called inside a two-phase transaction")
            xid = self._two_phase
        elif self._two_phase is not None:
            raise e.ProgrammingError(f"{name} with xid must must be called outside a two-phase transaction")
        else:
            status = session.transaction_status
            if status is not TransactionStatus.IDLE:
                raise e.ProgrammingError(
                    f"can't {action.lower()} two-phase transaction: connection in status {status.name}"
                )
        given, was_prepared = self._two_phase is None, self._is_prepared
        self._two_phase = None
        self._is_prepared = False
        if given or was_prepared:
            session.stake = Stake.EFFECT
            yield from session.command(f"{action} PREPARED ".encode() + _literal(_as_xid(xid)))
        elif action == "COMMIT":
            yield from session.commit()
        else:
            yield from session.rollback()

    def _tpc_recover_flow(self) -> Flow[list[Xid]]:
        """The transactions that are prepared; a transaction that this call has opened it closes again."""
        from .transformer import Transformer
        from .xid import Xid

        self._check_open()
        session = self._transport.session("two-phase commit")
        was_idle = session.transaction_status is TransactionStatus.IDLE
        transformer = Transformer(self)  # type: ignore[arg-type]
        query = RawQuery(transformer)
        query.convert(_PREPARED)
        yield from session.sync_pipeline()
        results: list[Result] = []
        outcome: Any = yield from session.execute(query, binary=False, deliver=results.extend)
        if outcome is None:
            yield from session.receive_pending()
            outcome = results
        if was_idle:
            yield from session.rollback()
        transformer.set_fields(outcome[0].fields)
        rows = transformer.load_rows(outcome[0].rows(), tuple)
        found = []
        for gid, prepared, owner, database in rows:
            xid = Xid.from_string(gid)
            found.append(xid._replace(prepared=prepared, owner=owner, database=database))
        return found


def _as_xid(xid: Xid | str) -> Xid:
    from .xid import Xid

    return xid if isinstance(xid, Xid) else Xid.from_string(xid)


def _literal(xid: Xid) -> bytes:
    return quote_literal(str(xid).encode())
