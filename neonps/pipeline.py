"""Pipeline mode: `with conn.pipeline():`."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any

from . import errors as e
from .events import ignored
from .flows.requests import Flow
from .pq import PipelineStatus

if TYPE_CHECKING:
    from .base_connection import BaseConnection
    from .connection import Connection
    from .connection_async import AsyncConnection


class BasePipeline:
    """What the pipelines, blocking and asyncio, have in common."""

    def __init__(self, connection: BaseConnection[Any]) -> None:
        self._connection = connection

    def __repr__(self) -> str:
        cls = type(self)
        return f"<{cls.__module__}.{cls.__qualname__} {self._connection._where()} at 0x{id(self):x}>"

    @property
    def status(self) -> PipelineStatus:
        """Whether the connection is in pipeline mode, and whether an error has aborted what follows."""
        return self._connection._transport.pipeline_status

    @classmethod
    def is_supported(cls) -> bool:
        """Whether there are pipelines: always."""
        return True

    def _sync_flow(self) -> Flow[None]:
        transport = self._connection._transport
        if transport.pipeline_status is PipelineStatus.OFF:
            raise e.OperationalError("connection not in pipeline mode")
        yield from transport.sync_pipeline()

    def _enter_flow(self) -> Flow[None]:
        self._connection._pipeline = self
        yield from self._connection._transport.enter_pipeline()

    def _exit_flow(self, exc: BaseException | None) -> Flow[None]:
        transport = self._connection._transport
        try:
            yield from transport.leave_pipeline(failed=exc is not None)
        except e.Error as error:
            if exc is None:
                raise
            ignored(f"terminating {self!r}", error)
        finally:
            if transport.pipeline_status is PipelineStatus.OFF:
                self._connection._pipeline = None


class Pipeline(BasePipeline):
    """Pipeline mode of a `Connection`; made by `Connection.pipeline()`."""

    __module__ = "neonps"

    _connection: Connection[Any]

    def __enter__(self) -> Pipeline:
        try:
            self._connection._run(self._enter_flow())
            return self
        except Exception:
            raise
        except BaseException:
            self._undo()
            raise

    def __exit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> None:
        try:
            if self._connection.closed and exc_val is not None:
                return
            self._connection._run(self._exit_flow(exc_val))
        except Exception:
            raise
        except BaseException:
            self._undo()
            raise

    def _undo(self) -> None:
        """Get out of the pipeline after an interrupt on the way into it or out of it."""
        connection = self._connection
        if self.status is not PipelineStatus.OFF:
            connection._run(connection._transport.break_off())
        if self.status is PipelineStatus.OFF:
            connection._pipeline = None

    def sync(self) -> None:
        """Have the server run all that was sent, and get the results of it.

        Raises:
            Error: the first error of the statements; those after it have failed too.
        """
        self._connection._run(self._sync_flow())


class AsyncPipeline(BasePipeline):
    """Pipeline mode of an `AsyncConnection`; the twin of `Pipeline`."""

    __module__ = "neonps"

    _connection: AsyncConnection[Any]

    async def __aenter__(self) -> AsyncPipeline:
        await self._connection._run(self._enter_flow())
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> None:
        if self._connection.closed and exc_val is not None:
            return
        await self._connection._run(self._exit_flow(exc_val))

    async def sync(self) -> None:
        """As `Pipeline.sync()`."""
        await self._connection._run(self._sync_flow())
