"""What the gateway does by the clock: forget what has expired, measure what is under way."""

from common.db import Database

from gateway import metrics
from gateway.queries import collections, jobs, once, people


class Housekeeping:
    """Jobs that any gateway may run at any time, also several at once."""

    def __init__(self, db: Database, idempotency_hours: float) -> None:
        self._db = db
        self._idempotency_hours = idempotency_hours

    async def tidy(self) -> None:
        async with self._db.acquire() as conn:
            await people.forget_expired(conn)
            await once.forget_keys(conn, self._idempotency_hours)
            await collections.erase_empty_collections(conn)

    async def measure(self) -> None:
        async with self._db.acquire() as conn:
            metrics.observe_under_way(await jobs.under_way(conn))
