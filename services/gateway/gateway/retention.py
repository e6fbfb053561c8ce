"""What a collection keeps no longer is deleted by the clock, in the same way as when somebody deletes it."""

from common.logs import get_logger
from common.service import Service

from gateway import metrics
from gateway.queries import deletion

log = get_logger()

_AT_ONCE = 100
# The rest waits for the next turn, so that a new policy on a large collection does not flood the other services.
_BATCHES = 50


class Retention:
    """One gateway at a time deletes; each batch is a transaction, so that a killed process leaves nothing half done."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def delete_expired(self) -> None:
        for _ in range(_BATCHES):
            if await self._delete_batch() < _AT_ONCE:
                break
        async with self._service.db.acquire() as conn:
            metrics.overdue.set(await deletion.count_expired(conn))

    async def _delete_batch(self) -> int:
        async with self._service.transaction() as tx:
            expired = await deletion.mark_expired(tx.conn, _AT_ONCE)
            await tx.say(*(doomed.fact for doomed in expired))
        for doomed in expired:
            metrics.expired.labels(doomed.kind).inc()
            log.info("asset_expired", asset_id=str(doomed.id), run=doomed.run, collection_id=str(doomed.collection_id))
        return len(expired)
