"""Watches the gateway's tables, past every proxy, for whoever waits for a run to be over."""

import asyncio
import time
from typing import Any
from uuid import UUID

import asyncpg

_LOOK_SECONDS = 0.25
_ANSWER_SECONDS = 5.0
OVER = ("ready", "failed", "cancelled")
# The third is what asyncpg answers on a connection that a lost answer has left in disorder.
_AWAY = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError)


class Watch:
    """One connection and one question for all; a database that is away is waited for."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: asyncpg.Connection[Any] | None = None
        self._runs: dict[UUID, tuple[int, asyncio.Future[str]]] = {}
        self._requests: dict[str, asyncio.Future[UUID]] = {}
        # When each job was seen to be over, on the monotonic clock.
        self.finished_at: list[float] = []

    async def over(self, asset_id: UUID, run: int) -> str:
        """The status of the run, or of a later one, when it is ready, failed or cancelled; ``gone`` when deleted."""
        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._runs[asset_id] = (run, future)
        return await future

    async def requested(self, request_id: str) -> UUID:
        """The asset that a published request became."""
        future: asyncio.Future[UUID] = asyncio.get_running_loop().create_future()
        self._requests[request_id] = future
        return await future

    @property
    def waiting(self) -> int:
        return len(self._runs) + len(self._requests)

    async def run(self) -> None:
        """Until cancelled."""
        try:
            while True:
                await self._look()
                await asyncio.sleep(_LOOK_SECONDS)
        finally:
            self._hang_up()

    async def _look(self) -> None:
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                if self._connection is None:
                    self._connection = await asyncpg.connect(self._url)
                await self._look_at_runs(self._connection)
                await self._look_at_requests(self._connection)
        except _AWAY:
            self._hang_up()

    async def _look_at_runs(self, connection: Any) -> None:
        asked = list(self._runs)
        rows = await connection.fetch("SELECT id, run, status FROM gateway.assets WHERE id = ANY($1)", asked)
        found = {row["id"]: row for row in rows}
        for asset_id in asked:
            run, future = self._runs[asset_id]
            row = found.get(asset_id)
            status = row["status"] if row else "gone"
            if row is None or (row["run"] >= run and status in OVER):
                del self._runs[asset_id]
                self.finished_at.append(time.monotonic())
                if not future.done():
                    future.set_result(status)

    async def _look_at_requests(self, connection: Any) -> None:
        rows = await connection.fetch(
            "SELECT request_id, asset_id FROM gateway.ingestion_requests WHERE request_id = ANY($1)",
            list(self._requests),
        )
        for row in rows:
            future = self._requests.pop(row["request_id"])
            if not future.done():
                future.set_result(row["asset_id"])

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None
