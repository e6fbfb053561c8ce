"""Progress of running stages: stored at most once per asset and second, and never needed for anything to work."""

from collections import OrderedDict
from datetime import UTC, datetime
from uuid import UUID

from common.db import Database
from common.errors import Stale
from pydantic import BaseModel, Field

from gateway.domain import journey
from gateway.processing import change, hold
from gateway.queries import jobs

_REMEMBERED = 5_000


class Report(BaseModel):
    """What a worker tells: ``progress`` is the fraction of the stage, ``words`` are for a person."""

    asset_id: UUID
    run: int
    stage: str
    progress: float = Field(ge=0, le=1)
    words: str = ""


class ProgressKeeper:
    """Thins out the reports of all workers before they reach the database."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._stored_at: OrderedDict[UUID, float] = OrderedDict()

    async def take(self, report: Report, now: float) -> bool:
        """Whether the report was stored; ``now`` is any clock in seconds that only rises."""
        if now - self._stored_at.get(report.asset_id, float("-inf")) < 1.0:
            return False
        self._stored_at[report.asset_id] = now
        self._stored_at.move_to_end(report.asset_id)
        while len(self._stored_at) > _REMEMBERED:
            self._stored_at.popitem(last=False)
        try:
            return await self._store(report)
        except Stale:
            return False

    async def _store(self, report: Report) -> bool:
        async with self._db.transaction() as conn:
            held = await hold(conn, report.asset_id, report.run)
            if not await jobs.claim_progress(conn, report.asset_id, report.run):
                return False
            at = datetime.now(UTC)
            words = report.words or None
            await change(conn, held, journey.advance(held.job.journey, report.stage, report.progress, words, at), at)
        return True
